# SPDX-License-Identifier: Apache-2.0
# Threads that want the interpreter's lock every microsecond: each wait for it is so short that it must sleep longer than
# that (timer slack), or whoever has the lock does not get a CPU. Natively 60 ms.
import sys
import threading
import time

sys.setswitchinterval(1e-6)
began = time.monotonic()
counts = []


def work(n):
    started.wait()
    counts.append(sum(range(n)))


for _ in range(60):
    started = threading.Event()
    threads = [threading.Thread(target=work, args=(100,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    started.set()
    for thread in threads:
        thread.join()
print(len(counts), sum(counts), "in time" if time.monotonic() - began < 4 else "late")
