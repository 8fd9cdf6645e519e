# SPDX-License-Identifier: Apache-2.0
"""Runs the cases of one module of CPython's test package and tells how each of them ended.

usage: python3.11 cases.py MODULE [--slice I/N] [--skip ID,ID...] [--only ID,ID...] [--no-inet 1]

One JSON object a line on standard output, everything else on standard error: {"begin": ID} before a case,
{"end": ID, "outcome": pass|fail|skip, "inet": bool, "seconds": S, "why": TEXT} behind it, {"done": COUNT} at the end.
"inet" says that the case, the set-up of its class or a child that they forked made an Internet socket. With --no-inet
the kernel has none (EAFNOSUPPORT). The same file runs natively and in the sandbox, so it needs nothing but the interpreter.
"""
import ctypes
import fnmatch
import json
import mmap
import os
import socket
import struct
import sys
import time
import unittest

RESOURCES = ["cpu", "subprocess", "walltime", "largefile", "decimal", "curses"]
INET = (socket.AF_INET, socket.AF_INET6)
inet_seen = mmap.mmap(-1, 1)  # forked children have it too


def watch(event, args):
    if event == "socket.__new__" and args[1] in INET or event in ("socket.getaddrinfo", "socket.gethostbyname"):
        inet_seen[0] = 1


def forbid_inet():
    """A seccomp filter: socket(2) with one of these families is EAFNOSUPPORT."""
    load, jump_if, give = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
    code = [(load, 0, 0, 0), (jump_if, 0, 4, 41),  # the number: __NR_socket
            (load, 0, 0, 16), (jump_if, 1, 0, INET[0]), (jump_if, 0, 1, INET[1]),  # its first argument
            (give, 0, 0, 0x00050000 | 97), (give, 0, 0, 0x7fff0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *c) for c in code))
    header = struct.pack("@HxxxxxxQ", len(code), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.c_char_p(header), 0, 0):
        raise OSError(ctypes.get_errno(), "cannot set a seccomp filter")


class Reporter(unittest.TestResult):
    """A case ends worst of what it reported: a sub-test that failed makes it fail."""

    def __init__(self, out):
        super().__init__()
        self.out = out
        self.why = {}
        self.class_inet = {}
        self.count = 0

    def tell(self, **what):
        self.out.write(json.dumps(what) + "\n")
        self.out.flush()

    def startTest(self, test):
        super().startTest(test)
        # What was seen since the last case ended belongs to the set-up of this one's class.
        if inet_seen[0]:
            self.class_inet[type(test)] = True
        inet_seen[0] = 0
        self.outcome = "pass"
        self.text = ""
        self.began = time.monotonic()
        self.tell(begin=test.id())

    def stopTest(self, test):
        self.count += 1
        self.tell(end=test.id(), outcome=self.outcome, seconds=round(time.monotonic() - self.began, 2),
                  inet=bool(inet_seen[0]) or type(test) in self.class_inet, why=self.text)
        inet_seen[0] = 0
        super().stopTest(test)

    def worse(self, outcome, text):
        self.outcome = outcome
        self.text = (self.text + text)[-3000:]

    def failed(self, test, err):
        text = self._exc_info_to_string(err, test)
        if isinstance(test, unittest.TestCase):
            self.worse("fail", text)
        else:  # the set-up or the end of a class or module
            self.tell(fixture=test.id(), why=text[-3000:])

    addError = addFailure = failed

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.worse("fail", str(subtest) + "\n" + self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        if isinstance(test, unittest.TestCase):
            if self.outcome == "pass":
                self.worse("skip", reason)
        else:
            self.tell(fixture=test.id(), why="skipped: " + reason)

    def addExpectedFailure(self, test, err):
        pass

    def addUnexpectedSuccess(self, test):
        self.worse("fail", "unexpected success")


def left_out(name, skip):
    return name in skip or any(fnmatch.fnmatchcase(name, s) for s in skip if "*" in s)


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def main():
    arguments = sys.argv[1:]
    module = arguments.pop(0)
    skip, part, only = set(), (0, 1), None
    while arguments:
        option, value = arguments.pop(0), arguments.pop(0)
        if option == "--skip":
            skip = set(value.split(","))
        elif option == "--slice":
            part = tuple(int(n) for n in value.split("/"))
        elif option == "--only":
            only = set(value.split(","))
        elif option == "--no-inet":
            forbid_inet()
    # Results go where no case finds them, what cases print goes to stderr.
    os.set_inheritable(os.dup2(1, 100), False)
    os.dup2(2, 1)
    out = os.fdopen(100, "w")
    sys.argv = [sys.argv[0]]
    sys.path[0] = os.getcwd()  # as python -m has it

    from test import support
    from test.support import os_helper
    support.use_resources = RESOURCES
    support.verbose = 0
    sys.addaudithook(watch)
    directory = os_helper.TESTFN + "_cwd"
    with os_helper.temp_cwd(directory):
        tests = list(flatten(unittest.defaultTestLoader.loadTestsFromName("test." + module)))
        # Whole classes go into one slice: they share a set-up.
        classes = sorted({(type(t).__module__, type(t).__qualname__) for t in tests})
        mine = set(classes[part[0]::part[1]])
        tests = [t for t in tests if (type(t).__module__, type(t).__qualname__) in mine and not left_out(t.id(), skip) and
                 (only is None or t.id() in only)]
        reporter = Reporter(out)
        inet_seen[0] = 0  # importing is not testing
        unittest.TestSuite(tests).run(reporter)
        reporter.tell(done=reporter.count)
        out.flush()
        os.chdir("/")
    # Threads and children that a case left behind are not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
