#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes syscall_fuzz's table from sentry/syscalls.def: one row for each call that has a handler.

usage: fuzz-table.py SYSCALLS.DEF OUTPUT
"""
import re
import sys

KINDS = {"fd": "FD", "dirfd": "DIRFD", "pid": "PID", "sig": "SIG", "path": "PATH", "str": "STR", "strv": "STRV",
         "size": "SIZE", "off": "OFF", "long": "OFF", "ulong": "SIZE", "addr": "ADDR", "hex": "ANY", "mode": "MODE",
         "clock": "CLOCK", "timerid": "SMALL", "int": "INT", "uint": "INT", "uid": "ID", "gid": "ID"}


def kind(text):
    head = text.split(":")[0]
    if head in ("in", "out", "inout"):
        return "TIME" if re.match(r"\w+:(timespec|timeval|itimer)", text) else "POINTER"
    if head.startswith("iov"):
        return "IOVEC"
    if head == "enum":
        return {"enum:fcntl": "FCNTL", "enum:ioctl": "IOCTL", "enum:prctl": "PRCTL"}.get(text, "SMALL")
    if head in ("flags", "flags64"):
        return {"flags:open": "OPEN", "flags:at": "AT", "flags:mmap": "MAP"}.get(text, "FLAGS")
    return KINDS.get(head, "ANY")


def main():
    rows = []
    for line in open(sys.argv[1]):
        match = re.match(r"(\d+) (\w+)\((.*)\) \S+ (\w+)", line)
        if not match or match.group(4) == "none":
            continue
        args = [arg.split(":", 1)[1] for arg in re.split(r",\s*", match.group(3)) if ":" in arg]
        rows.append('\t{%s, "%s", %d, {%s}},\n' % (match.group(1), match.group(2), len(args),
                                                  ", ".join("ARG_" + kind(arg) for arg in args) or "0"))
    with open(sys.argv[2], "w") as out:
        out.writelines(rows)


if __name__ == "__main__":
    main()
