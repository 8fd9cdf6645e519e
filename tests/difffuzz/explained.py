# SPDX-License-Identifier: Apache-2.0
"""Differences that are known: stated in docs/caveats.md or the table's notes, or not a program's business. Each rule says why."""

import os
import re

EFAULT = "-14"


def is_descriptor(key):
    """What a descriptor leads to at the end: the first task's, or another one's ("1:fd 5")."""
    return key.split(" ")[0].split(":")[-1] == "fd"


def out_of_a_failed_call(program, native, key):
    """What memory a call wrote before it met the part that is inaccessible: nobody is promised any of it. It may become part of a name."""
    if key.startswith("file ") and not (key.isascii() and key.isprintable() and "?" not in key):
        return EFAULT in native.parts.values()
    words = key.split()
    return len(words) == 4 and words[2] == "out" and native.parts.get("call " + words[1]) == EFAULT


def name_in_proc_fd(program, native, key):
    """Linux lets a process do everything in its own /proc/self/fd before it finds that there is nothing to do: another errno."""
    words = key.split()
    if len(words) != 2 or words[0] != "call":
        return False
    call = program.calls[int(words[1].rstrip("'"))]
    return any("/proc/self/fd" in text for text in call.shown) and native.parts.get(key) in ("-1", "-2", "-20", "-18", "0")


# Calls that look at several things, not always in Linux' order.
SEVERAL_MISTAKES = {"rename", "renameat", "renameat2", "mremap", "preadv", "preadv2", "pwritev", "pwritev2", "sendmsg", "sendmmsg", "io_submit", "settimeofday"}


def several_mistakes(program, native, key):
    """docs/caveats.md: both refuse the call, for another one of the things that are wrong with it."""
    words = key.split()
    if len(words) != 2 or words[0] != "call":
        return False
    call = program.calls[int(words[1].rstrip("'"))]
    return call.name in SEVERAL_MISTAKES and native.parts.get(key, "").startswith("-")


def socket_option(program, native, key):
    """docs/caveats.md: options that change nothing for AF_UNIX are ENOPROTOOPT when they are not known."""
    words = key.split()
    if words[0] != "call":
        return False
    call = program.calls[int(words[1].rstrip("'"))]
    return call.name in ("setsockopt", "getsockopt") and call.args[1][1] == 1 and call.args[2][1] in (
        1, 5, 10, 11, 12, 14, 15, 18, 19, 26, 29, 30, 31, 34, 35, 36, 37)


def write_that_faults(program, native, key):
    """A write whose memory is inaccessible leaves a page, or a longer file, on Linux' tmpfs: nobody is promised either."""
    results = [native.parts.get("call %d" % i, "0") for i, c in enumerate(program.calls)
               if c.name in ("write", "writev", "pwrite64", "pwritev", "pwritev2", "io_submit")]
    faulted = any(result in (EFAULT, "1") for result in results)
    size = re.search(r" size (\d+) ", native.parts.get(key, ""))
    # What came before it filled its last page.
    if key.startswith("file ") and size and int(size[1]) % 4096 == 0 and any(not result.startswith("-") and result != "0" for result in results):
        return True
    return faulted and (key.startswith("file ") or is_descriptor(key) or "out" in key or (
        key.startswith("call ") and program.calls[int(key.split()[1].rstrip("'"))].name in ("read", "readv", "pread64", "lseek", "sendfile")))


def memory_of_a_pipe(program, native, key):
    """docs/caveats.md: what vmsplice puts into a pipe is a copy, and natively the caller's pages, which may change before they are read."""
    words = key.split()
    return any(c.name == "vmsplice" for c in program.calls) and (
        key.startswith("file ") or (len(words) == 4 and words[2] == "out" and
                                    program.calls[int(words[1].rstrip("'"))].name in ("read", "readv", "vmsplice")))


def pidfd(program, native, key):
    """Since Linux 6.9 a pidfd is a file of a file system of its own, which shows in calls on it that make no sense, and in fstatfs."""
    words = key.split()
    if words[0] != "call":
        return False
    call = program.calls[int(words[1].rstrip("'"))]
    made = {i for i, c in enumerate(program.calls) if c.name == "pidfd_open"}
    result = lambda i: int(native.parts.get("call %d" % i, "-1").replace("something", "-1"))
    numbers = {result(i) for i in made} - {-1}
    # The number may be what another task's call returned.
    if not any((kind == 1 and (value in made or result(value) in numbers)) or (kind == 0 and value in numbers) for kind, value in call.args[:2]):
        return False
    return native.parts.get("call " + words[1], "").startswith("-") or call.name in ("fstatfs", "sync_file_range")


def protection_keys(program, native, key):
    """pkeys(7) says ENOSPC for a CPU without keys; some kernels say EINVAL there."""
    words = key.split()
    return words[0] == "call" and program.calls[int(words[1].rstrip("'"))].name == "pkey_alloc" and native.parts.get(key) == "-22"


def size_of_a_queue(program, native, key):
    """A message queue's descriptor can be truncated on Linux: its inode then shows another size."""
    return any(c.name == "mq_open" for c in program.calls) and any(c.name == "ftruncate" for c in program.calls) and (
        is_descriptor(key) or key.startswith("call "))


GET_RW_HINT, SET_RW_HINT = 1035, 1036


def write_life_hint(program, native, key):
    """Natively all anonymous files have one inode; its hint may be somebody else's on the host, set long ago."""
    words = key.split()
    if len(words) != 4 or words[2] != "out":
        return False
    call = program.calls[int(words[1].rstrip("'"))]
    return call.name == "fcntl" and call.args[1][1] == GET_RW_HINT and not any(
        c.name == "fcntl" and c.args[1][1] == SET_RW_HINT and c.args[0] == call.args[0] for c in program.calls)


DODUMP = 17


def advice_for_everything(program, native, key):
    """Natively the vDSO's data are pages of the kernel, which refuse MADV_DODUMP: EINVAL when the range reaches them."""
    words = key.split()
    if len(words) != 2 or words[0] != "call" or native.parts.get(key) != "-22":
        return False
    call = program.calls[int(words[1].rstrip("'"))]
    return call.name == "madvise" and call.args[2][1] == DODUMP and call.args[1][1] > 1 << 46


# Calls that say an id.
IDS = {"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "chown", "lchown", "fchown", "fchownat"}


def unmapped_id(program, native, key):
    """Natively, a runner that is not root has one user id to give: all others are invalid."""
    words = key.split()
    return os.getuid() != 0 and len(words) == 2 and words[0] == "call" and native.parts.get(key) in ("-22", "-1") and \
        program.calls[int(words[1].rstrip("'"))].name in IDS


RULES = [advice_for_everything, unmapped_id, several_mistakes, socket_option, write_that_faults, memory_of_a_pipe, pidfd, protection_keys, size_of_a_queue, write_life_hint, out_of_a_failed_call, name_in_proc_fd]


def filter(program, native, sandbox, found):
    """What of found (normalise.differences) nobody explains."""
    return [f for f in found if not any(rule(program, native, f[0]) for rule in RULES)]
