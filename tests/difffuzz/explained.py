# SPDX-License-Identifier: Apache-2.0
"""Differences that are known: stated in docs/caveats.md or the table's notes, or not a program's business. Each rule says why."""

EFAULT = "-14"


def out_of_a_failed_call(program, native, key):
    """What memory a call wrote before it met the part that is inaccessible: nobody is promised any of it."""
    words = key.split()
    return len(words) == 4 and words[2] == "out" and native.parts.get("call " + words[1]) == EFAULT


def lease(program, native, key):
    """docs/caveats.md: no leases."""
    words = key.split()
    if words[0] != "call":
        return False
    call = program.calls[int(words[1].rstrip("'"))]
    return call.name == "fcntl" and call.args[1][1] in (1024, 1025)


def name_in_proc_fd(program, native, key):
    """Linux lets a process do everything in its own /proc/self/fd before it finds that there is nothing to do: another errno."""
    words = key.split()
    if len(words) != 2 or words[0] != "call":
        return False
    call = program.calls[int(words[1].rstrip("'"))]
    return any("/proc/self/fd" in text for text in call.shown) and native.parts.get(key) in ("-1", "-2", "-20", "-18")


def rename_to_a_long_name(program, native, key):
    """Linux looks for the old name before it looks at anything of the new one."""
    words = key.split()
    if len(words) != 2 or words[0] != "call":
        return False
    call = program.calls[int(words[1].rstrip("'"))]
    return call.name.startswith("rename") and native.parts.get(key) in ("-2", "-9")


def socket_attribute(program, native, key):
    """Sockets have an extended attribute on Linux, their protocol's name."""
    words = key.split()
    if words[0] != "call":
        return False
    return "listxattr" in program.calls[int(words[1].rstrip("'"))].name and native.parts.get("call " + words[1]) == "21"


def vmsplice_waits(program, native, key):
    """docs/caveats.md: Linux' vmsplice does not look at O_NONBLOCK, the sandbox does."""
    words = key.split()
    if len(words) != 2 or words[0] != "call":
        return False
    return program.calls[int(words[1].rstrip("'"))].name == "vmsplice" and native.parts.get(key) == "-4"


RULES = [vmsplice_waits, rename_to_a_long_name, socket_attribute, out_of_a_failed_call, lease, name_in_proc_fd]


def filter(program, native, sandbox, found):
    """What of found (normalise.differences) nobody explains."""
    return [f for f in found if not any(rule(program, native, f[0]) for rule in RULES)]
