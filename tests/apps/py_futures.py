from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed


def collatz(n):
    steps = 0
    while n != 1:
        n = 3 * n + 1 if n % 2 else n // 2
        steps += 1
    return steps


if __name__ == "__main__":
    with ThreadPoolExecutor(6) as pool:
        print(sum(pool.map(collatz, range(1, 2000))))
    with ProcessPoolExecutor(3) as pool:
        print(sum(f.result() for f in as_completed([pool.submit(collatz, n) for n in range(1, 500)])))
    with ProcessPoolExecutor(1) as pool:
        try:
            pool.submit(int, "x").result()
        except ValueError as e:
            print(e)
