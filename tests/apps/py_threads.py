import queue
import threading

lock, total, done = threading.Lock(), 0, queue.Queue()
barrier = threading.Barrier(8)


def work(n):
    global total
    barrier.wait()
    for i in range(20000):
        with lock:
            total += 1
    done.put(n)


threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(total, sorted(done.get() for _ in range(8)))
cond, items = threading.Condition(), []


def consumer():
    got = 0
    while got < 1000:
        with cond:
            while not items:
                cond.wait()
            got += len(items)
            items.clear()
    print("consumed", got)


t = threading.Thread(target=consumer)
t.start()
for n in range(1000):
    with cond:
        items.append(n)
        cond.notify()
t.join()
e = threading.Event()
print(e.wait(0.05))
