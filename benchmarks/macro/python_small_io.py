# SPDX-License-Identifier: Apache-2.0
# Eight threads with short reads and writes: the interpreter's lock changes hands at every call.
import os
import tempfile
import threading


def work(directory, number):
    fd = os.open(os.path.join(directory, str(number)), os.O_RDWR | os.O_CREAT)
    for i in range(500):
        os.pwrite(fd, b"x" * 512, i * 512)
        os.pread(fd, 512, 0)
    os.close(fd)


with tempfile.TemporaryDirectory() as directory:
    threads = [threading.Thread(target=work, args=(directory, i)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
