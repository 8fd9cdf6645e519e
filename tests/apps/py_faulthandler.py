# SPDX-License-Identifier: Apache-2.0
# stderr: compare
"""Tracebacks of threads that are in the middle of calls, taken from a timer's thread and from signal handlers."""
import faulthandler
import os
import re
import signal
import sys
import tempfile
import threading
import time

stop = False


def busy_reader():
    with open("/dev/zero", "rb", buffering=0) as zero:
        while not stop:
            for _ in range(500):
                zero.read(1)
                os.getppid()


def blocked_reader(fd):
    os.read(fd, 1)


def dump(function):
    with tempfile.TemporaryFile() as file:
        function(file)
        file.seek(0)
        return file.read().decode()


ends = os.pipe()
threads = [threading.Thread(target=busy_reader) for _ in range(2)] + [threading.Thread(target=blocked_reader, args=ends[:1])]
for thread in threads:
    thread.start()
time.sleep(0.2)
seen = set()
for _ in range(30):
    text = dump(lambda file: faulthandler.dump_traceback(file, all_threads=True))
    seen.update(re.findall(r"in (\w+)", text))
print(sorted(seen & {"busy_reader", "blocked_reader", "dump"}))
with tempfile.TemporaryFile() as file:
    faulthandler.register(signal.SIGUSR1, file, all_threads=True)
    for _ in range(50):
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.001)
    faulthandler.unregister(signal.SIGUSR1)
    file.seek(0)
    text = file.read().decode()
print(text.count("Current thread") >= 50, "busy_reader" in text)
with tempfile.TemporaryFile() as file:
    faulthandler.dump_traceback_later(0.05, repeat=True, file=file)
    time.sleep(0.4)
    faulthandler.cancel_dump_traceback_later()
    file.seek(0)
    text = file.read().decode()
print(text.count("Timeout") >= 3, "blocked_reader" in text)
stop = True
os.write(ends[1], b"x")
for thread in threads:
    thread.join()
pid = os.fork()
if pid == 0:
    faulthandler.enable(file=open(os.devnull, "w"))
    for _ in range(100):
        os.getppid()
    os.kill(os.getpid(), signal.SIGSEGV)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
sys.stdout.flush()
