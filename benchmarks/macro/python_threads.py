# SPDX-License-Identifier: Apache-2.0
# Eight threads that compute; hashlib lets go of the interpreter's lock.
import hashlib
import threading

data = b"x" * 1000000


def work():
    for _ in range(100):
        hashlib.sha256(data).digest()


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
