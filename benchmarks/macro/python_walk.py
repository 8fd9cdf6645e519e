# SPDX-License-Identifier: Apache-2.0
# Every file of Python's library is looked at.
import os

top = os.path.dirname(os.__file__)
for directory, _, names in os.walk(top):
    for name in names:
        os.stat(os.path.join(directory, name))
