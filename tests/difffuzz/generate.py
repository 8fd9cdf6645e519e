# SPDX-License-Identifier: Apache-2.0
"""Random programs of system calls. One seed, one program: what is random comes from one generator.

A program lives in a small world, so that its calls meet: few names, few keys, one arena for what calls read and write, one
playground for calls on memory. It takes two or three families of calls; arguments come from the table's types
(grammar.py), from pools of edge values, and descriptors mostly from what the program opened before.
"""
import random
import struct

from args_files import Files
from args_ipc import Ipc
from args_memory import Memory
from args_tasks import Tasks
from pools import (ARENA, ATTRIBUTES, BAD, CLIFF, FAMILIES, HUGE, IDS, INTS, KEYS, LOAD, M64, MAKERS, MODES, OFFSETS, OPS, PAGES, PATHS,
                   PIDS, PLAYGROUND, POLLS, RESULT, SIGNALS, SIGSETS, SIZES, SIZES_OF, TARGETS, TIMES, VALUE, WANTS)
from program import Dump, Made, Program
from scenes import Scenes
from scenes_confined import Confined


class Generator(Files, Memory, Ipc, Tasks, Scenes, Confined):
    def __init__(self, calls, sets, seed, number):
        self.rng = random.Random("%s/%s" % (seed, number))
        self.table, self.sets = calls, sets
        self.program = Program(number)
        self.top = ARENA + 64
        self.cliff_taken = self.cpu_timer = self.in_scene = False
        self.slot, self.slots = 0, [0]  # who makes the next call; who there is
        self.wanted, self.waiting = [], []  # dumps and blobs of the next plain() call
        self.fds = []  # (kind, (arg kind, value))
        self.ids = {"shm": [], "sem": [], "msg": [], "timer": [], "aio": [], "child": [], "wd": [], "shmat": []}

    # Values

    def pick(self, values):
        return self.rng.choice(values)

    def chance(self, share):
        return self.rng.random() < share

    def place(self, size):
        """Room for size bytes in the arena; now and then right before what is not mapped."""
        if not self.cliff_taken and self.chance(0.05) and size <= 4096:
            self.cliff_taken = True  # once, so that no two things are there
            return CLIFF - size
        address = self.top
        self.top += (size + 63) // 64 * 64
        return address if self.top < CLIFF - 8192 else CLIFF - 8192

    def blob(self, data):
        address = self.place(max(len(data), 1))
        if data:
            self.call.blobs.append((address, data))
        return address

    def show(self, text):
        self.call.shown.append(text)

    def value(self, number, text=None):
        self.call.args.append((VALUE, number & M64))
        number &= M64
        self.show(text or (hex(number) if number > 4096 else str(number)))

    def reference(self, ref):
        self.call.args.append(ref)
        kind, value = ref
        self.show({VALUE: str(value), RESULT: "r%d" % value}.get(kind, "*0x%x" % value))

    def any_fd(self, wants=None):
        good = [ref for kind, ref in self.fds if wants is None or kind == wants]
        if good and self.chance(0.85):
            return self.pick(good)
        if self.fds and self.chance(0.7):
            return self.pick(self.fds)[1]
        return (VALUE, self.pick([-1 & M64, 0, 1, 3, 4, 5, 60, 63, 64, 9999, 0x7fffffff]))

    def path(self):
        return self.pick(PATHS)

    def flags(self, name, zero=0.4):
        values = self.sets.get(name) or [1]
        if self.chance(zero):
            return 0
        if self.chance(0.04):
            return self.pick([0x40000000, 0x80000000, 0xffffffff, 1 << 23])
        out = 0
        for _ in range(self.pick([1, 1, 1, 2, 3])):
            out |= self.pick(values)
        return out

    def size(self):
        return self.pick(SIZES) if self.chance(0.95) else self.pick(HUGE)

    def time(self):
        return struct.pack("<qq", *self.pick(TIMES))

    def sockaddr(self):
        kind = self.rng.random()
        if kind < 0.6:
            name = self.pick([b"s0\0", b"s1\0", b"d0/s0\0", b"s0", b"\0ab", b"\0abc", b"nodir/s\0", b"f0\0"])
            return struct.pack("<H", 1) + name
        if kind < 0.8:
            return struct.pack("<H", 1) + self.pick([b"", b"x" * 107, b"x" * 108, b"\0" * 5])
        return self.pick([b"", b"\1", struct.pack("<H", 0) + bytes(14), struct.pack("<HH", 2, 0) + bytes(12), b"\xff" * 16])

    def content(self, element, size):
        """Bytes of a struct that a call reads."""
        p = struct.pack
        if element in ("timespec", "timeval", "utimbuf", "cachestat_range", "rlimit64"):
            if element == "timeval":
                return p("<qq", *self.pick([(0, 0), (0, 1000), (0, 5000), (-1, 0), (0, 1000000), (0, -1), (3, 0)]))
            if element == "rlimit64":
                return p("<QQ", *self.pick([(0, 0), (10, 20), (20, 10), (5, 5), (M64, M64), (64, 128), (64, 129), (1000, 1000)]))
            if element == "utimbuf":
                return p("<qq", *self.pick([(0, 0), (1, 2), (-1, -5), (1 << 33, 1 << 40)]))
            if element == "cachestat_range":
                return p("<QQ", *self.pick([(0, 0), (0, 4096), (1, 10), (M64, 1), (4096, M64)]))
            return self.time()
        if element in ("itimerspec", "itimerval"):
            unit = 1 if element == "itimerspec" else 1000
            pool = [(0, 0), (0, 0), (0, 1000000), (0, 5000000), (100, 0), (-1, 0), (0, 10**9), (0, -1)]
            if (element == "itimerval" and self.cpu_timer) or len(self.slots) > 1 or self.in_scene:
                pool = [(0, 0), (100, 0), (100, 0), (-1, 0), (0, 10**9)]  # how much time calls take is not compared
            (a, b), (c, d) = self.pick([(0, 0), (0, 0), (50, 0), (0, 10**9)]), self.pick(pool)
            return p("<qqqq", a, b // unit, c, d // unit)
        if element == "sigset":
            return p("<Q", self.pick(SIGSETS))
        if element == "sigaction":
            return p("<QQQQ", self.pick([0, 1, 2, 2, 2]), self.flags("sa") & ~0x08000000, 0, self.pick(SIGSETS))
        if element == "siginfo":
            return p("<iiiiQ", self.pick([0, 10]), self.pick([0, 3]), self.pick([-1, -1, -2, 0, 1, -6, -60]), 0,
                     self.pick([0, 64321 << 32])) + p("<Q", 77) + bytes(96)
        if element == "stack":
            return p("<QiiQ", self.pick([0, PLAYGROUND, ARENA + 4096]), self.pick([0, 0, 2, 1, 0x80000000 - 2**32, 5]), 0,
                     self.pick([0, 2048, 8192, 65536]))
        if element == "sigevent":
            return p("<Qii", 5, self.pick([10, 12, 34, 14, 0, 65]), self.pick([0, 0, 1, 3, 4, 2])) + bytes(48)
        if element == "pollfd":
            return b"".join(p("<IHH", self.some_fd_number(), self.pick(POLLS), 0x1234) for _ in range(size // 8))
        if element == "epoll_event":
            flags = self.pick(POLLS) | self.pick([0, 0, 0, 1 << 31, 1 << 30, 1 << 28])
            return p("<IQ", flags, self.rng.randrange(100))
        if element == "fdset":
            return p("<Q", self.pick([0, 8, 16, 0x38, 0xf8, 1 << 60]))
        if element == "open_how":
            return p("<QQQ", self.open_flags() | self.pick([0, 0, 0, 0, 1 << 40]), self.pick([0, 0o600, 0o7777, 1 << 20]),
                     self.pick([0, 0, 1, 2, 4, 8, 16, 12, 64, 24])) + bytes(max(0, size - 24))
        if element == "sched_param":
            return p("<i", self.pick([0, 0, 1, 50, 99, 100, -1]))
        if element == "sched_attr":
            return p("<IIQiIQQQII", self.pick([56, 48, 0, 47, 64]), self.pick([0, 3, 5, 1, 2, 6, 9]), self.pick([0, 1, 8, 1 << 20]),
                     self.pick([0, 5, 19, 40, -5]), self.pick([0, 0, 1, 99]), 0, 0, 0, 0, 0)
        if element == "sembuf":
            return b"".join(p("<Hhh", self.pick([0, 0, 1, 2, 9]), self.pick([0, 1, 1, -1, 2, 32767]), self.pick([0, 0o4000, 0o4000, 0o14000]))
                            for _ in range(max(1, size // 6)))
        if element == "mq_attr":
            return p("<qqqq", self.pick([0, 0o4000, 1]), self.pick([1, 2, 10, 11, 0, -1]), self.pick([1, 16, 8192, 8193, 0]), 0) + bytes(32)
        if element == "cap_header":
            return p("<Ii", self.pick([0x20080522, 0x20080522, 0x20071026, 0x19980330, 0, 7]), self.pick([0, 0, 0x7ffffff, -1]))
        if element == "cap_data":
            return p("<6I", *[self.pick([0, 0, 0, 1, 0xffffffff]) for _ in range(6)])
        if element == "iovec":
            return self.iovecs(max(1, size // 16), True)
        if element == "msghdr":
            return self.msghdr()
        if element == "mmsghdr":
            return b"".join(self.msghdr() + bytes(8) for _ in range(max(1, size // 64)))
        if element == "file_handle":
            return p("<Ii", self.pick([0, 8, 128, 129, 200]), 1) + bytes(128)
        if element == "sigset_argpack":
            return p("<QQ", self.pick([0, self.blob(p("<Q", self.pick(SIGSETS)))]), self.pick([8, 8, 8, 4]))
        if element == "futex_waitv":
            return b"".join(p("<QQII", self.pick([0, 1, 0xa5a5a5a5]), self.word(), self.pick([2, 2, 0x82, 0x82, 0, 3]), self.pick([0, 0, 1]))
                            for _ in range(max(1, size // 24)))
        if element in ("int", "uint"):
            return p("<I", self.pick(INTS) & 0xffffffff) * max(1, size // 4)
        if element in ("long", "ulong"):
            return p("<Q", self.pick(OFFSETS) & M64) * max(1, size // 8)
        if element == "timex":
            return p("<I", self.pick([0, 0, 0, 1, 0x8001])) + bytes(204)
        return self.rng.randbytes(min(size, 64)) + bytes(max(0, min(size, 16384) - 64))

    def some_fd_number(self):
        """A descriptor's number inside a struct: the lowest free ones are what the program got."""
        return self.pick([0, 3, 3, 4, 4, 5, 6, 7, 8, 60, 0xffffffff])

    def word(self):
        return ARENA + self.pick([0, 4, 8, 16, 32, 2])

    def iovecs(self, count, reading):
        out = b""
        for _ in range(min(count, 16)):
            size = self.pick([0, 1, 5, 8, 100, 4096, 5000]) if self.chance(0.97) else self.pick([M64, 2**63, 0x7ffff000])
            address = self.blob(self.rng.randbytes(min(size, 32))) if reading and size < 10000 else self.place(min(size, 5000) or 1)
            if reading and size < 10000:
                self.top = max(self.top, address + size + 64) if address < CLIFF - 16384 else self.top
            if not reading and size <= 5000 and len(self.call.dumps) < 4:
                self.dump(address, size, "byte")
            if self.chance(0.03):
                address = BAD
            out += struct.pack("<QQ", address, size)
        return out

    def msghdr(self):
        sending = self.call.name.startswith("send")
        name = self.sockaddr() if sending and self.chance(0.3) else b""
        name_at = self.blob(name) if name else (self.place(128) if not sending and self.chance(0.5) else 0)
        iov = self.iovecs(self.pick([0, 1, 1, 1, 2]), sending)
        iov_at = self.blob(iov)
        control = b""
        if sending and self.chance(0.4):
            fds = [self.some_fd_number() for _ in range(self.pick([0, 1, 1, 2]))]
            control = struct.pack("<QII", 16 + 4 * len(fds) + self.pick([0, 0, 0, 0, 1, -1]), 1, self.pick([1, 1, 1, 3])) + struct.pack(
                "<%dI" % len(fds), *fds)
            control += bytes(-len(control) % 8)
        if control:
            control_at, control_size = self.blob(control), len(control)
        elif not sending and self.chance(0.5):
            control_size = self.pick([64, 24, 20, 16, 8])
            control_at = self.place(64)
            if len(self.call.dumps) < 4:
                self.dump(control_at, 64, "control")
        else:
            control_at = control_size = 0
        return struct.pack("<QIIQQQQII", name_at, len(name) if sending else 128, 0, iov_at, len(iov) // 16, control_at, control_size, 0, 0)

    def dump(self, address, size, label):
        if size and len(self.call.dumps) < 4 and ARENA <= address and address + size <= CLIFF:
            self.call.dumps.append(Dump(address, size, label))

    def open_flags(self):
        flags = self.pick([0, 1, 2, 2, 2, 3])
        if self.chance(0.5):
            flags |= 0o100
        for _ in range(self.pick([0, 0, 1, 1, 2])):
            flags |= self.pick([0o200, 0o1000, 0o2000, 0o4000, 0o200000, 0o400000, 0o2000000, 0o10000000, 0o20200000, 0o10000, 0o1000000, 0o40000])
        return flags

    # Arguments

    def argument(self, row, arg, counts):
        override = getattr(self, "arg_%s_%s" % (row.name, arg.name), None)
        if override:
            return override()
        if arg.name in counts:
            return self.value(counts[arg.name])
        kind = arg.type
        if kind == "fd":
            return self.reference(self.any_fd(WANTS.get(row.name)))
        if kind == "dirfd":
            if self.chance(0.75):
                return self.value(-100, "AT_FDCWD")
            return self.reference(self.any_fd("file"))
        if kind in ("path", "str"):
            if self.chance(0.02):
                return self.value(self.pick([0, BAD]))
            text = self.path() if kind == "path" else self.pick([b"a", b"", b"x" * 300])
            if arg.name in ("target",) or (row.name == "symlink" and arg.name == "oldpath"):
                text = self.pick(TARGETS)
            if row.name.find("xattr") >= 0 and arg.name == "name":
                text = self.pick(ATTRIBUTES[:2] * 3 + ATTRIBUTES)
            return self.value(self.blob(text + b"\0"), '"%s"' % (text.decode() if len(text) < 40 else "%s...[%d]" % (text[:8].decode(), len(text))))
        if arg.set:
            if kind.startswith("enum"):
                values = self.sets.get(arg.set) or [0]
                return self.value(self.pick(values) if self.chance(0.95) else self.pick([-1, 99, 1 << 20]))
            if arg.set == "open":
                return self.value(self.pick([0, 0, 0o2000000, 0o4000, 0o2004000, 1, 0o100]))
            return self.value(self.flags(arg.set))
        if arg.element or kind.startswith("iov"):
            return self.memory(row, arg, counts)
        pools = {"mode": MODES, "size": SIZES, "off": OFFSETS, "long": OFFSETS, "int": INTS, "uint": INTS, "ulong": INTS, "hex": INTS,
                 "uid": IDS, "gid": IDS, "key": KEYS, "dev": [0, 0x103, 0x105, 1], "clock": [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 99]}
        if kind == "sig":
            return self.value(self.pick(SIGNALS))
        if kind == "pid":
            return self.pid(row)
        if kind == "timerid":
            if self.ids["timer"] and self.chance(0.9):
                return self.reference(self.pick(self.ids["timer"]))
            return self.value(self.pick([77, -1]))
        if kind == "addr":
            return self.value(self.page())
        if kind == "size" and self.chance(0.05):
            return self.value(self.pick(HUGE))
        return self.value(self.pick(pools[kind]))

    def memory(self, row, arg, counts):
        """An address of what the call reads or writes."""
        if self.chance(0.03):
            return self.value(self.pick([0, BAD, CLIFF - 4]))
        if arg.type.startswith("iov"):
            count = counts.setdefault(arg.type[arg.type.index("[") + 1:-1], self.pick([0, 1, 1, 2, 3, 5]) if self.chance(0.96) else self.pick([1024, 1025, M64]))
            iov = self.iovecs(max(1, min(count, 8)), arg.type.startswith("iovin"))
            return self.value(self.blob(iov), "iov[%d]" % (len(iov) // 16))
        unit = SIZES_OF.get(arg.element, 64)
        number = 1
        if arg.count and arg.count.isdigit():
            number = int(arg.count)
        elif arg.count:
            names = [a.name for a in row.args]
            by_pointer = next((a for a in row.args if a.name == arg.count and a.direction), None)
            if by_pointer:
                number = 128
            elif arg.count in counts:
                number = min(counts[arg.count], 16384)
            elif arg.count in names:
                number = self.count_for(row, arg)
                counts[arg.count] = number
                number = min(number, 16384 // unit)
        size = max(unit * number, 1)
        if arg.element == "fdset":
            size = 128
        if arg.direction == "out":
            # Optional results are often left out.
            if arg.name.startswith(("old", "rem", "info", "off", "rusage", "src_addr", "msg_prio", "addr")) and self.chance(0.3):
                return self.value(0)
            address = self.place(size)
            self.dump(address, size, arg.element)
            return self.value(address, "&out%d" % (len(self.call.dumps) - 1))
        if arg.name in ("offset", "off_in", "off_out", "timeout", "tmo", "sigmask", "set", "new_value", "times", "act", "ss", "new_limit",
                        "newattr", "abs_timeout", "sevp", "dest_addr", "mask", "writefds", "exceptfds", "readfds", "attr", "act",
                        "info") and self.chance(0.3):
            return self.value(0)
        if arg.element == "sockaddr":
            data = self.sockaddr()
            counts[arg.count] = len(data) if self.chance(0.9) else self.pick([0, 1, 2, 110, 111, -1])
            return self.value(self.blob(data), repr(data[:12]))
        if arg.element == "int" and arg.name.endswith("len"):
            data = struct.pack("<I", self.pick([128, 128, 128, 16, 2, 0, 0xffffffff, 4]))
        else:
            data = b"".join(self.content(arg.element, size) for _ in range(number)) if unit > 8 and number < 9 and arg.element not in (
                "iovec", "mmsghdr", "futex_waitv") else self.content(arg.element, size)
        address = self.blob(data)
        if arg.direction == "inout":
            self.dump(address, min(len(data), 1024), arg.element)
        return self.value(address, data.hex() if len(data) <= 32 else "%s..[%d]" % (data[:16].hex(), len(data)))

    def count_for(self, row, arg):
        if arg.element in ("byte", "char"):
            if arg.name == "list" or row.name.startswith("getdents"):
                return self.pick([0, 10, 4096, 4096, 4096])
            return self.size()
        return self.pick([0, 1, 1, 2, 3]) if self.chance(0.95) else self.pick([1025, 0x7fffffff])

    def page(self):
        address = PLAYGROUND + 4096 * self.rng.randrange(PAGES)
        if self.chance(0.06):
            return self.pick([0, 1, address + 1, M64 - 4095, 1 << 47, BAD])
        return address

    def span(self):
        return self.pick([0, 1, 4095, 4096, 4096, 4096, 4097, 8192, 8192, 12288, 32768, 65536, M64, M64 - 4095])

    def pid(self, row):
        children = self.ids["child"]
        if children and self.chance(0.5):
            return self.reference(self.pick(children))
        pool = list(PIDS)
        if row.name in ("wait4", "waitid"):
            pool.append(-1)
        own = [(RESULT, i) for i, c in enumerate(self.program.calls) if c.name == "getpid"]
        if own and self.chance(0.6):
            return self.reference(self.pick(own))
        if row.name in ("kill", "rt_sigqueueinfo") and self.chance(0.5):
            return self.value(0)
        return self.value(self.pick(pool))

    # Calls

    def make(self, name):
        if name in OPS:
            return self.make_op(name)
        row = self.table[name]
        self.call = Made(name, row.nr, [])
        self.call.slot = self.slot
        counts = {}
        # Memory first, where it decides what its size argument says: arguments are made in order, but sizes that follow are known then.
        for arg in row.args:
            self.argument(row, arg, counts)
        number = len(self.program.calls)
        self.program.calls.append(self.call)
        if name in MAKERS:
            kind = MAKERS[name]
            if name == "fcntl" and self.command not in (0, 1030):
                kind = None
            if kind:
                self.fds.append((kind, (RESULT, number)))
        elif name in ("pipe", "pipe2", "socketpair"):
            address = self.call.args[-1 if name == "socketpair" else 0][1]
            if name == "socketpair":
                address = self.call.args[3][1]
            if ARENA <= address < CLIFF - 8:
                self.fds += [("pipe" if name != "socketpair" else "socket", (LOAD, address + n)) for n in (0, 4)]
        elif name == "timer_create" and ARENA <= self.call.args[2][1] < CLIFF - 4:
            self.ids["timer"].append((LOAD, self.call.args[2][1]))
        for call, kind in (("shmget", "shm"), ("semget", "sem"), ("msgget", "msg")):
            if name == call:
                self.ids[kind].append((RESULT, number))

    def make_op(self, name):
        self.call = Made(name, OPS[name], [])
        self.call.slot = self.slot
        number = len(self.program.calls)
        if name == "op_fork":
            self.value(self.pick([0, 1, 2, 3, 4]))
            self.ids["child"].append((RESULT, number))
        elif name == "op_peek":
            self.value(PLAYGROUND + 4096 * self.rng.randrange(PAGES) + self.pick([0, 1, 4095]))
        else:
            self.value(PLAYGROUND + 4096 * self.rng.randrange(PAGES) + self.pick([0, 1, 4095]))
            self.value(self.rng.randrange(256))
        self.program.calls.append(self.call)

    def plain(self, name, *args, slot=None, flags=0):
        """A call with just these arguments: bytes are memory with them, tuples references. Returns its number."""
        self.call = Made(name, OPS[name] if name in OPS else self.table[name].nr, [])
        self.call.slot, self.call.flags = self.slot if slot is None else slot, flags
        for arg in args:
            if isinstance(arg, bytes):
                self.value(self.blob(arg + b"\0"), '"%s"' % arg[:20].decode(errors="replace") if arg[:20].isascii() else arg[:16].hex())
            elif isinstance(arg, tuple):
                self.reference(arg)
            else:
                self.value(arg)
        for address, size, label in self.wanted:
            self.dump(address, size, label)
        self.call.blobs += self.waiting
        self.wanted, self.waiting = [], []
        self.program.calls.append(self.call)
        return len(self.program.calls) - 1

    def out(self, size, label="byte"):
        """Room for a result of the call that is made next by plain()."""
        address = self.place(size)
        self.wanted.append((address, size, label))
        return address

    def run(self):
        if self.chance(0.5):
            self.scene()
        else:
            self.soup()
        return self.program

    def soup(self):
        families = self.rng.sample(sorted(FAMILIES), self.pick([1, 1, 2]))
        if self.chance(0.2):
            families.append(self.pick(sorted(FAMILIES)))
        names = [n for f in families for n in FAMILIES[f].split() if n in OPS or self.table[n].level != "none" or f == "privileged"]
        if any(f in ("files", "names", "xattrs", "inotify", "locks", "identity", "aio") for f in families) and self.chance(0.8):
            self.prologue()
        if "getpid" in names or self.chance(0.2):
            self.make("getpid")
        makers = [n for n in names if n in MAKERS or n in ("pipe", "pipe2", "socketpair", "timer_create", "shmget", "semget", "msgget", "io_setup")]
        for _ in range(self.rng.randrange(4, 26)):
            if len(self.program.calls) >= 40:
                break
            early = len(self.program.calls) < 6
            self.make(self.pick(makers) if makers and self.chance(0.6 if early else 0.15) else self.pick(names))

    def prologue(self):
        """A file with something in it, a directory, a symbolic link."""
        self.plain("open", b"f0", 0o102, 0o644)
        self.fds.append(("file", (RESULT, 0)))
        self.plain("write", (RESULT, 0), b"0123456789" * self.pick([1, 10, 500]), self.pick([5, 10]))
        if self.chance(0.6):
            self.plain("mkdir", b"d0", 0o755)
        if self.chance(0.4):
            self.plain("symlink", b"f0", b"l0")
        if self.chance(0.3):
            self.plain("open", b"d0", 0o200000, 0)
            self.fds.append(("file", (RESULT, len(self.program.calls) - 1)))


def generate(calls, sets, seed, number):
    return Generator(calls, sets, seed, number).run()
