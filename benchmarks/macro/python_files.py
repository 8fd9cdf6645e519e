# SPDX-License-Identifier: Apache-2.0
# A thousand small files: written, looked at, read, removed.
import os
import tempfile

with tempfile.TemporaryDirectory() as directory:
    for i in range(1000):
        path = os.path.join(directory, str(i))
        with open(path, "w") as file:
            file.write("x" * 1000)
        os.stat(path)
        with open(path) as file:
            file.read()
