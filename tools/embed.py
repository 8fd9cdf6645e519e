#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: tools/embed.py NAME FILE OUTPUT: a C file with the text of FILE as the constant string NAME."""
import sys

name, source, output = sys.argv[1:]
with open(source, "rb") as file:
    data = file.read()
if b"\0" in data:
    sys.exit("%s has a NUL byte" % source)
lines = [", ".join("%d" % byte for byte in data[at:at + 24]) for at in range(0, len(data), 24)]
with open(output, "w") as file:
    file.write("/* Made of %s by tools/embed.py. */\nextern const char %s[];\nconst char %s[] = {\n%s, 0};\n"
               % (source.rsplit("/", 1)[-1], name, name, ",\n".join(lines)))
