import multiprocessing as mp
import os


def square(n):
    return n * n


def worker(jobs, results):
    for item in iter(jobs.get, None):
        results.put((item, item ** 3))


def bump(counter, lock, times):
    for _ in range(times):
        with lock:
            counter.value += 1


if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        ctx = mp.get_context(method)
        with ctx.Pool(3) as pool:
            print(method, sum(pool.map(square, range(1000), chunksize=50)))
        jobs, results = ctx.Queue(), ctx.Queue()
        procs = [ctx.Process(target=worker, args=(jobs, results)) for _ in range(2)]
        for p in procs:
            p.start()
        for n in range(50):
            jobs.put(n)
        for _ in procs:
            jobs.put(None)
        got = sorted(results.get() for _ in range(50))
        for p in procs:
            p.join()
        print(method, got[:3], got[-1], [p.exitcode for p in procs])
    ctx = mp.get_context("fork")
    counter, lock = ctx.Value("i", 0), ctx.Lock()
    procs = [ctx.Process(target=bump, args=(counter, lock, 500)) for _ in range(4)]
    [p.start() for p in procs]
    [p.join() for p in procs]
    print(counter.value)
    a, b = ctx.Pipe()
    if os.fork() == 0:
        b.send({"from": "child", "data": list(range(10000))})
        os._exit(0)
    print(len(a.recv()["data"]), os.wait()[1])
