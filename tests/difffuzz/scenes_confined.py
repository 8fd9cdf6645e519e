# SPDX-License-Identifier: Apache-2.0
"""Programs that confine themselves: namespaces with mounts, seccomp filters, Landlock."""
import os
import struct

from pools import M64, RESULT

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
LD, JEQ, JGT, JSET, RET, AND = 0x20, 0x15, 0x25, 0x45, 0x06, 0x54
ERRNO, KILL_THREAD, KILL_PROCESS, TRAP, TRACE, LOG, ALLOW = 0x50000, 0, 0x80000000, 0x30000, 0x7ff00000, 0x7ffc0000, 0x7fff0000
FILTERED = {"getppid": 110, "umask": 95, "mkdir": 83, "getcwd": 79, "pipe2": 293, "dup": 32, "socket": 41, "getpgrp": 111, "kill": 62, "fcntl": 72}
# Rights of Landlock's first version.
RIGHTS = [1 << n for n in range(13)]


class Confined:
    def scene_namespaces(self):
        """Root of a user namespace of its own, in mount (and other) namespaces of its own."""
        self.plain("open", b"f0", 0o102, 0o644)
        for name in (b"d0", b"d1", b"d0/d1"):
            self.plain("mkdir", name, 0o755)
        kinds = NEWUSER | NEWNS | self.pick([0, 0, NEWUTS, NEWIPC, NEWPID, NEWNET, NEWUTS | NEWIPC | NEWPID])
        self.plain("unshare", kinds if self.chance(0.9) else self.pick([NEWNS, NEWUTS, NEWPID, NEWUSER, 0x200, 0x400, 0x100, 0x10000, 1]))
        inside = self.pick([b"0", b"0", b"1000"])
        if self.chance(0.9):
            self.write_file(b"/proc/self/setgroups", self.pick([b"deny", b"deny", b"allow"] if os.getuid() == 0 else [b"deny"]))
            self.write_file(b"/proc/self/uid_map", inside + b" 64321 1")
            self.write_file(b"/proc/self/gid_map", inside + b" 64321 1")
        names = ("mkdir rmdir open openat openat2 unlink rename stat statx statfs chdir getcwd chroot umount2 umount2 link symlink chmod chown "
                 "write read close access getuid getgid setuid capget sethostname fchdir truncate unshare setns getdents64 rename linkat mkdirat").split()
        if self.chance(0.4):
            self.spawn(self.pick([17, 17, 17 | 0x200, 17 | NEWNS, 17 | NEWPID, 17 | NEWUTS]))
        for _ in range(self.rng.randrange(4, 18)):
            self.slot = self.pick(self.slots)
            if self.chance(0.45):
                self.mount_something()
            else:
                self.make(self.pick(names))

    def write_file(self, name, text):
        fd = self.plain("open", name, 1, 0)
        self.plain("write", (RESULT, fd), text, len(text))
        self.plain("close", (RESULT, fd))

    def place_name(self):
        return self.pick([b"d0", b"d0", b"d1", b"d0/d1", b".", b"f0", b"d1/x", b"missing", b"d0/."])

    def mount_something(self):
        kind = self.rng.random()
        if kind < 0.3:
            options = self.pick([b"size=1m", b"size=1m,mode=700", b"nonsense", b"size=4k", b"nr_inodes=3"])
            self.plain("mount", b"none", self.place_name(), self.pick([b"tmpfs"] * 6 + [b"nofs", b"nofs"]), self.mount_flags(), options)
        elif kind < 0.55:
            self.plain("mount", self.place_name(), self.place_name(), 0, self.pick([0x1000, 0x5000]) | self.pick([0, 0, 1]), 0)
        elif kind < 0.65:
            self.plain("mount", 0, self.place_name(), 0, self.pick([0x20, 0x1020]) | self.mount_flags(), 0)
        elif kind < 0.75:
            self.plain("mount", 0, self.place_name(), 0, self.pick([1 << 17, 1 << 18, 1 << 19, 1 << 20]) | self.pick([0, 0x4000, 1]), 0)
        elif kind < 0.82:
            self.plain("mount", self.place_name(), self.place_name(), 0, 0x2000, 0)
        elif kind < 0.9:
            fd = self.plain("open_tree", -100 & M64, self.place_name(), self.pick([1, 1, 0x8001, 0, 0x80001]))
            if self.chance(0.7):
                self.plain("move_mount", (RESULT, fd), b"", -100 & M64, self.place_name(), self.pick([4, 4, 0, 0x40]))
        elif kind < 0.95:
            fd = self.plain("fsopen", self.pick([b"tmpfs", b"tmpfs", b"nofs"]), self.pick([0, 1, 2]))
            self.plain("fsconfig", (RESULT, fd), 1, self.pick([b"size", b"mode", b"nonsense"]), self.pick([b"1m", b"700", b"x"]), 0)
            self.plain("fsconfig", (RESULT, fd), 6, 0, 0, 0)
            tree = self.plain("fsmount", (RESULT, fd), self.pick([0, 1, 2]), self.pick([0, 1, 2, 8, 0x10, 1 << 20]))
            self.plain("move_mount", (RESULT, tree), b"", -100 & M64, self.place_name(), 4)
        else:
            self.plain("pivot_root", self.place_name(), self.pick([b"d0/d1", b".", b"d0"]))

    def mount_flags(self):
        return self.pick([0, 0, 0, 1, 2, 4, 8, 1024, 2048, 0x200000, 6, 1 << 30])

    # seccomp(2)

    def scene_seccomp(self):
        names = sorted(FILTERED) + ["rt_sigaction", "getpid", "wait4", "write", "close"]
        self.plain("getpid")
        if self.chance(0.6):
            # What SIGSYS is to do: our handler.
            self.plain("rt_sigaction", 31, struct.pack("<QQQQ", self.pick([0, 2, 2, 1]), 4, 0, 0), 0, 8)
        if self.chance(0.5):
            self.spawn()
        for _ in range(self.pick([1, 1, 2, 3])):
            self.slot = self.pick(self.slots)
            self.install_filter()
            for _ in range(self.rng.randrange(2, 8)):
                self.slot = self.pick(self.slots)
                self.make(self.pick(names))
            if self.chance(0.3):
                self.spawn()
            if self.chance(0.2):
                self.plain("op_exec", 0)
            if self.chance(0.4):
                self.plain("prctl", self.pick([21, 39, 21]), 0, 0, 0, 0)

    def install_filter(self):
        program = self.filter_program()
        fprog = struct.pack("<HxxxxxxQ", len(program) // 8 if self.chance(0.95) else self.pick([0, 4097, 1000]), self.wide_blob(program))
        if self.chance(0.6):
            self.plain("seccomp", self.pick([1, 1, 1, 1, 2, 9]), self.pick([0, 0, 0, 1, 2, 4, 1 << 10]), fprog)
        else:
            self.plain("prctl", 22, self.pick([2, 2, 2, 5]), fprog, 0, 0)

    def wide_blob(self, data):
        """Memory for a call of which plain() makes the rest."""
        address = self.place(len(data))
        self.waiting.append((address, data))
        return address

    def filter_program(self):
        def op(code, k, yes=0, no=0):
            return struct.pack("<HBBI", code, yes, no, k & 0xffffffff)

        def action():
            return self.pick([ERRNO | 1, ERRNO | 13, ERRNO | 38, ERRNO, ERRNO | 4095, ERRNO | 5000, TRAP, TRAP | 7, TRACE, LOG, KILL_THREAD, KILL_PROCESS,
                              ALLOW, 0x12340000])
        out = b""
        if self.chance(0.5):
            out += op(LD, 4) + op(JEQ, 0xc000003e, 1, 0) + op(RET, ALLOW)
        for _ in range(self.pick([1, 1, 2, 3])):
            out += op(LD, 0)
            nr = FILTERED[self.pick(sorted(FILTERED))]
            if self.chance(0.4):
                # By an argument's low half
                out += op(JEQ, nr, 0, 4) + op(LD, 16 + 8 * self.pick([0, 1]))
                if self.chance(0.5):
                    out += op(AND, self.pick([1, 2, 0xff])) + op(self.pick([JEQ, JGT]), self.pick([0, 1, 2]), 0, 1)
                else:
                    out += op(JSET, self.pick([1, 4, 0x80000]), 0, 2) + op(AND, 0xffffffff)
                out += op(RET, action())
            else:
                out += op(JEQ, nr, 0, 1) + op(RET, action())
        out += op(RET, ALLOW)
        if self.chance(0.04):
            out = self.pick([op(LD, 3) + op(RET, ALLOW), op(JEQ, 1, 200, 0) + op(RET, ALLOW), op(LD, 0), op(LD, 64) + op(RET, ALLOW), op(0xffff, 0) + op(RET, ALLOW)])
        return out

    # landlock(7)

    def scene_landlock(self):
        self.prologue()
        self.plain("mkdir", b"d0", 0o755)
        self.plain("mkdir", b"d1", 0o755)
        self.plain("open", b"d0/f0", 0o102, 0o644)
        names = ("open open openat mkdir rmdir unlink rename link symlink truncate creat readlink stat chmod mknod getdents64 chdir access "
                 "write read ftruncate op_exec op_spawn renameat2 linkat").split()
        for _ in range(self.pick([1, 1, 2])):
            self.slot = self.pick(self.slots)
            handled = 0
            for _ in range(self.pick([1, 2, 4, 8, 13])):
                handled |= self.pick(RIGHTS)
            attr = struct.pack("<Q", handled if self.chance(0.96) else self.pick([0, 1 << 40]))
            ruleset = self.plain("landlock_create_ruleset", attr, 8 if self.chance(0.96) else self.pick([0, 4, 7]), 0)
            for _ in range(self.pick([0, 1, 1, 2])):
                self.plain("open", self.pick([b"d0", b"d0", b"d1", b".", b"f0"]), 0o10000000, 0)
                allowed = self.pick([handled, handled, handled & 0x1fff, handled & self.pick(RIGHTS + [4, 14]), 1 << 12, 0])
                self.plain("landlock_add_rule", (RESULT, ruleset), self.pick([1] * 9 + [0]), self.rule(allowed), 0)
            self.plain("landlock_restrict_self", (RESULT, ruleset), 0)
            for _ in range(self.rng.randrange(3, 9)):
                self.slot = self.pick(self.slots)
                self.step(names)

    def rule(self, allowed):
        # Descriptors are given out lowest first: the last one's number can be counted.
        opened = sum(c.name in ("open", "landlock_create_ruleset") for c in self.program.calls)
        return struct.pack("<Qi", allowed, 2 + opened if self.chance(0.9) else self.pick([-1, 3, 4, 5]))
