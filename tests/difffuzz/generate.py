# SPDX-License-Identifier: Apache-2.0
"""Random programs of system calls. One seed, one program: what is random comes from one generator.

A program lives in a small world, so that its calls meet: few names, few keys, one arena for what calls read and write, one
playground for calls on memory. It takes two or three families of calls; arguments come from the table's types
(grammar.py), from pools of edge values, and descriptors mostly from what the program opened before.
"""
import random
import struct

ARENA, ARENA_SIZE = 0x10000000, 1 << 20
CLIFF = ARENA + ARENA_SIZE
PLAYGROUND, PAGES = 0x20000000, 32
KEYS = [0, 0x5e41, 0x5e42, 0x5e43]
VALUE, RESULT, LOAD, LOAD64 = 0, 1, 2, 3
OP_FORK, OP_PEEK, OP_POKE = 100000, 100001, 100002
OPS = {"op_fork": OP_FORK, "op_peek": OP_PEEK, "op_poke": OP_POKE}
M64 = 2**64 - 1
BAD = 0x10

NAMES = [b"f0", b"f1", b"f2", b"d0", b"d1", b"l0", b"s0"]
PATHS = NAMES * 4 + [b"d0/f0", b"d0/f1", b"d0/d1", b"d0/../f0", b"./f1", b"l0/f0", b"d0/", b"f0/", b"f0/x", b"nodir/x", b"", b".",
                     b"..", b"d0/.", b"d0/..", b"../w/f0", b"/dev/null", b"/dev/zero", b"/proc/self/fd/3", b"/proc/self/fd/4",
                     b"n" * 255, b"n" * 256, b"d0/" + b"n" * 255, b"./" * 2047 + b"f0", b"./" * 2048 + b"f0"]
TARGETS = [b"f0", b"d0", b"l0", b"../w/f1", b"missing", b"d0/f0", b"", b".", b"x" * 300]
SIZES = [0, 1, 2, 3, 4, 7, 8, 16, 64, 100, 511, 512, 1000, 4095, 4096, 4097, 8192, 10000]
HUGE = [65536, 70000, 1 << 20, 0x7fffffff, 0x80000000, 1 << 32, 2**63 - 1, 2**63, M64]
OFFSETS = [0, 0, 0, 1, 3, 10, 100, 4095, 4096, 4097, 8192, 65536, 1 << 20, (16 << 20) - 1, 16 << 20, 1 << 31, 1 << 32, 2**63 - 1,
           M64, 2**63, M64 - 4095]
INTS = [0, 0, 1, 2, 3, 4, 5, 8, 10, 100, 4096, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0xdead00000001]
MODES = [0, 0o600, 0o644, 0o755, 0o777, 0o400, 0o200, 0o1777, 0o2755, 0o4755, 0o7777, 0o100644, 0o40755]
SIGNALS = [0, 1, 2, 10, 12, 13, 14, 15, 17, 18, 23, 28, 34, 35, 64, 65, -1]
SIGSETS = [0, 1 << 9, 1 << 11, 1 << 9 | 1 << 11, 1 << 13, 1 << 16, 1 << 33, 1 << 8 | 1 << 18, 0x7fff]
IDS = [0, 64321, 64321, 64322, 1, 0xffffffff, 0xfffffffe, 65534]
PIDS = [0, 0, 0, 0x7ffffff, 0x80000000, -30000]
ATTRIBUTES = [b"user.a", b"user.b", b"user.", b"trusted.t", b"nonsense", b"", b"user." + b"n" * 250, b"user." + b"n" * 251]
TIMES = [(0, 0), (0, 0), (0, 1000), (0, 1000000), (0, 5000000), (-1, 0), (0, -1), (0, 10**9), (10**10, 0), (1, 999999999), (3, 0)]
POLLS = [1, 4, 5, 2, 0x2000, 0x8, 0x10, 0x20, 0x7fff, 0]

FAMILIES = {
    "files": "open openat openat2 creat close read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 lseek ftruncate "
             "truncate fallocate fstat dup dup2 dup3 fcntl sendfile copy_file_range fsync fdatasync fadvise64 sync_file_range flock "
             "readahead cachestat",
    "names": "open openat openat2 mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat readlink "
             "readlinkat mknod mknodat stat lstat newfstatat statx access faccessat faccessat2 chmod fchmod fchmodat fchmodat2 chown "
             "lchown fchown fchownat chdir fchdir getcwd getdents64 getdents truncate utime utimes utimensat futimesat umask "
             "statfs fstatfs chroot",
    "xattrs": "open setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr "
              "fremovexattr setxattrat getxattrat listxattrat removexattrat chmod symlink",
    "pipes": "pipe pipe2 read write readv writev close dup dup2 dup3 fcntl splice tee vmsplice poll ppoll select ioctl fstat lseek open "
             "mknod sendfile",
    "events": "eventfd eventfd2 epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 read write poll ppoll select pselect6 close "
              "timerfd_create timerfd_settime timerfd_gettime signalfd4 signalfd pipe2 dup fcntl ioctl epoll_create kill rt_sigprocmask",
    "sockets": "socket socketpair bind listen connect accept accept4 getsockname getpeername sendto recvfrom sendmsg recvmsg sendmmsg "
               "recvmmsg shutdown setsockopt getsockopt close read write readv writev poll fcntl ioctl unlink stat dup",
    "inotify": "inotify_init1 inotify_add_watch inotify_rm_watch open openat close read write unlink rename mkdir rmdir link symlink chmod "
               "truncate ftruncate poll ioctl fcntl utime",
    "signals": "rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo kill tkill tgkill "
               "sigaltstack alarm setitimer getitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete pause "
               "rt_sigsuspend nanosleep clock_nanosleep signalfd4 read poll pidfd_open pidfd_send_signal op_fork wait4 getpid",
    "memory": "mmap munmap mprotect mremap madvise msync mincore mlock mlock2 munlock mseal op_peek op_poke open ftruncate write read "
              "memfd_create fcntl pwrite64 fallocate shmget shmat shmdt shmctl process_vm_readv process_vm_writev remap_file_pages brk "
              "get_mempolicy set_mempolicy mbind pkey_alloc pkey_mprotect munlockall process_madvise",
    "memfds": "memfd_create fcntl ftruncate write read pwrite64 mmap munmap fallocate lseek fstat dup fchmod op_peek op_poke mprotect "
              "copy_file_range sendfile",
    "processes": "op_fork wait4 waitid kill getpid getppid setpgid getpgid getpgrp setsid getsid exit exit_group pidfd_open "
                 "pidfd_send_signal pidfd_getfd kcmp prctl close dup pipe2 read write rt_sigaction rt_sigprocmask set_tid_address",
    "identity": "getuid geteuid getgid getegid setuid setgid setreuid setregid setresuid setresgid getresuid getresgid setfsuid setfsgid "
                "getgroups setgroups capget capset prctl open chown chmod access stat umask sethostname setdomainname",
    "scheduling": "sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max "
                  "sched_get_priority_min sched_rr_get_interval sched_getattr sched_setattr getpriority setpriority ioprio_get ioprio_set "
                  "getrlimit setrlimit prlimit64 getrusage times clock_getres clock_gettime clock_nanosleep nanosleep gettimeofday time "
                  "getcpu uname settimeofday clock_settime adjtimex clock_adjtime",
    "sysv": "shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl op_fork op_peek op_poke wait4",
    "queues": "mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr close poll fstat fcntl rt_sigprocmask read lseek",
    "aio": "io_setup io_destroy io_submit io_getevents io_cancel io_pgetevents open write read pipe2 eventfd2 close",
    "futexes": "futex futex_wake futex_wait futex_requeue futex_waitv get_robust_list set_robust_list op_poke op_peek",
    # Without what depends on the host kernel's configuration (iopl, modules, kexec) and what would be dangerous to fuzz as anybody.
    "privileged": "acct swapon swapoff syslog vhangup settimeofday clock_settime sethostname setdomainname quotactl lookup_dcookie ustat "
                  "chroot open_by_handle_at",
    "locks": "open fcntl flock close dup op_fork wait4 write ftruncate",
}

MAKERS = {"open": "file", "openat": "file", "openat2": "file", "creat": "file", "dup": "any", "dup2": "any", "dup3": "any",
          "eventfd": "eventfd", "eventfd2": "eventfd", "epoll_create": "epoll", "epoll_create1": "epoll", "timerfd_create": "timerfd",
          "signalfd": "signalfd", "signalfd4": "signalfd", "inotify_init": "inotify", "inotify_init1": "inotify", "socket": "socket",
          "accept": "socket", "accept4": "socket", "memfd_create": "file", "mq_open": "queue", "pidfd_open": "pidfd", "fcntl": "any",
          "pidfd_getfd": "any"}
WANTS = {"epoll_ctl": "epoll", "epoll_wait": "epoll", "epoll_pwait": "epoll", "epoll_pwait2": "epoll", "timerfd_settime": "timerfd",
         "timerfd_gettime": "timerfd", "signalfd": "signalfd", "signalfd4": "signalfd", "inotify_add_watch": "inotify",
         "inotify_rm_watch": "inotify", "mq_timedsend": "queue", "mq_timedreceive": "queue", "mq_notify": "queue", "mq_getsetattr": "queue",
         "pidfd_send_signal": "pidfd", "pidfd_getfd": "pidfd", "process_madvise": "pidfd", "splice": "pipe", "tee": "pipe",
         "vmsplice": "pipe", "bind": "socket", "listen": "socket", "connect": "socket", "accept": "socket", "accept4": "socket",
         "getsockname": "socket", "getpeername": "socket", "sendto": "socket", "recvfrom": "socket", "sendmsg": "socket",
         "recvmsg": "socket", "sendmmsg": "socket", "recvmmsg": "socket", "shutdown": "socket", "setsockopt": "socket",
         "getsockopt": "socket", "pread64": "file", "pwrite64": "file", "ftruncate": "file", "fallocate": "file", "lseek": "file",
         "preadv": "file", "pwritev": "file", "mmap": "file", "cachestat": "file", "copy_file_range": "file", "flock": "file"}
SIZES_OF = {"stat": 144, "statx": 256, "statfs": 120, "ustat": 32, "timespec": 16, "timeval": 16, "timezone": 8, "itimerspec": 32,
            "itimerval": 32, "timex": 208, "tms": 32, "utimbuf": 16, "iovec": 16, "open_how": 24, "file_handle": 136,
            "cachestat_range": 16, "cachestat": 40, "pollfd": 8, "sigset_argpack": 16, "epoll_event": 12, "msghdr": 56, "mmsghdr": 64,
            "rusage": 144, "siginfo": 128, "sigaction": 32, "stack": 24, "sigevent": 64, "futex_waitv": 24, "sched_param": 4,
            "sched_attr": 56, "rlimit64": 16, "utsname": 390, "sysinfo": 112, "cap_header": 8, "cap_data": 24, "sembuf": 6, "mq_attr": 64,
            "byte": 1, "char": 1, "short": 2, "int": 4, "uint": 4, "long": 8, "ulong": 8, "sigset": 8, "fdset": 8, "sockaddr": 1}


class Dump:
    def __init__(self, address, size, label):
        self.address, self.size, self.label = address, size, label


class Made:
    """A call of a program: its number, arguments as (kind, value), blobs it needs and memory to look at afterwards."""

    def __init__(self, name, nr, shown):
        self.name, self.nr, self.args, self.blobs, self.dumps, self.shown = name, nr, [], [], [], shown


class Program:
    def __init__(self, number):
        self.id, self.calls = number, []

    def encode(self, left_out=()):
        """Bytes for the executor; calls whose numbers are in left_out are not made."""
        blobs = [b for i, c in enumerate(self.calls) if i not in left_out for b in c.blobs]
        out = [struct.pack("<4I", 0x31666664, self.id, len(blobs), len(self.calls))]
        for address, data in blobs:
            out.append(struct.pack("<QQ", address, len(data)) + data + bytes(-len(data) % 8))
        for i, call in enumerate(self.calls):
            args = (call.args + [(VALUE, 0)] * 6)[:6]
            nr = 0xffffffff if i in left_out else call.nr
            out.append(struct.pack("<2I6I6Q", nr, len(call.dumps), *[k for k, _ in args], *[v & M64 for _, v in args]))
            out += [struct.pack("<QQ", d.address, d.size) for d in call.dumps]
        return b"".join(out)

    def describe(self, left_out=()):
        lines = []
        for i, call in enumerate(self.calls):
            if i not in left_out:
                lines.append("  %2d  %s(%s)" % (i, call.name, ", ".join(call.shown)))
        return "\n".join(lines)


class Generator:
    def __init__(self, calls, sets, seed, number):
        self.rng = random.Random("%s/%s" % (seed, number))
        self.table, self.sets = calls, sets
        self.program = Program(number)
        self.top = ARENA + 64
        self.cliff_taken = False
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
            return p("<IIQiIQQQII", self.pick([56, 48, 0, 47, 64]), self.pick([0, 3, 5, 1, 2, 6, 9]), self.pick([0, 1, 8, 0x60, 1 << 20]),
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

    # Arguments with an opinion

    def arg_memory_address(self):
        self.value(self.page())

    arg_mmap_addr = arg_munmap_addr = arg_mprotect_addr = arg_madvise_addr = arg_msync_addr = arg_mlock_addr = arg_mlock2_addr = \
        arg_munlock_addr = arg_mseal_addr = arg_mremap_old_address = arg_mremap_new_address = arg_remap_file_pages_addr = \
        arg_mincore_addr = arg_mbind_addr = arg_pkey_mprotect_addr = arg_memory_address

    def arg_memory_size(self):
        self.value(self.span())

    arg_mmap_length = arg_munmap_length = arg_mprotect_len = arg_madvise_length = arg_msync_length = arg_mlock_len = arg_mlock2_len = \
        arg_munlock_len = arg_mseal_len = arg_mremap_old_size = arg_mremap_new_size = arg_remap_file_pages_size = \
        arg_mincore_length = arg_mbind_len = arg_pkey_mprotect_len = arg_memory_size

    def arg_mmap_flags(self):
        # Always at a fixed place: where else a kernel puts a mapping is its own affair.
        self.value(self.pick([0x12, 0x12, 0x11, 0x32, 0x32, 0x31, 0x100022, 0x100002, 0x13, 0x10, 0x30, 0x8032, 0x4032, 0x2012]))

    def arg_mmap_prot(self):
        self.value(self.pick([0, 1, 3, 3, 3, 5, 2, 4, 0x80, 0x1000003, 7]))

    arg_mprotect_prot = arg_mmap_prot

    def arg_mmap_offset(self):
        self.value(self.pick([0, 0, 0, 4096, 8192, 1, 1 << 40, M64 - 4095]))

    def arg_mremap_flags(self):
        self.value(self.pick([3, 3, 3, 0, 2, 7, 8]))

    def arg_mincore_vec(self):
        self.value(self.place(64))

    def arg_brk_addr(self):
        self.value(self.pick([0, 1, PLAYGROUND]))

    def arg_shmat_shmaddr(self):
        self.value(self.page())

    arg_shmdt_shmaddr = arg_shmat_shmaddr

    def arg_madvise_advice(self):
        self.value(self.pick([0, 1, 2, 3, 4, 4, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23, 24, 99, -1]))

    def arg_openat_flags(self):
        self.value(self.open_flags())

    arg_open_flags = arg_openat_flags

    def arg_memfd_create_flags(self):
        self.value(self.pick([0, 0, 1, 2, 2, 2, 3, 8, 10, 16, 24, 0x80, 1 << 31]))

    def arg_mq_open_oflag(self):
        self.value(self.pick([0, 1, 2, 0o102, 0o102, 0o4102, 0o4102, 0o302, 3]))

    def arg_mq_open_name(self):
        text = self.pick([b"q0", b"q0", b"q0", b"q1", b"", b"a/b", b"/q0", b"x" * 256, b".", b".."])
        self.value(self.blob(text + b"\0"), repr(text[:20]))

    arg_mq_unlink_name = arg_mq_open_name

    def arg_poll_timeout(self):
        self.value(self.pick([0, 0, 0, 1, 5, -1]))

    arg_epoll_wait_timeout = arg_epoll_pwait_timeout = arg_poll_timeout

    def arg_select_n(self):
        self.value(self.pick([0, 4, 8, 16, 64, -1]))

    arg_pselect6_n = arg_select_n

    def arg_sigsetsize(self):
        self.value(8 if self.chance(0.95) else self.pick([0, 4, 16, M64]))

    arg_rt_sigprocmask_sigsetsize = arg_rt_sigaction_sigsetsize = arg_rt_sigpending_sigsetsize = arg_rt_sigtimedwait_sigsetsize = \
        arg_rt_sigsuspend_sigsetsize = arg_signalfd_sigsetsize = arg_signalfd4_sigsetsize = arg_ppoll_sigsetsize = \
        arg_epoll_pwait_sigsetsize = arg_epoll_pwait2_sigsetsize = arg_sigsetsize

    def arg_rt_sigaction_signum(self):
        self.value(self.pick([s for s in SIGNALS if s not in (7, 11)]))

    def arg_exit_status(self):
        self.value(self.pick([0, 3, 256, -1]))

    arg_exit_group_status = arg_exit_status

    def arg_fcntl_cmd(self):
        self.command = self.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 17, 36, 37, 38, 1024, 1025, 1026, 1027, 1030, 1031, 1032, 1033,
                                  1034, 1035, 1036, 99])
        self.value(self.command)

    def arg_fcntl_arg(self):
        if self.command in (5, 6, 7, 36, 37, 38):
            data = struct.pack("<hhiqqi4x", self.pick([0, 1, 2, 9]), self.pick([0, 0, 1, 2, 5]), 0, self.pick([0, 1, 10, 100, -5, 2**63 - 1]),
                               self.pick([0, 1, 10, 100, -1, -10, 2**63 - 1]), self.pick([0, 0, 0, 3]))
            address = self.blob(data)
            self.dump(address, 32, "flock")
            return self.value(address, data[:24].hex())
        if self.command in (15, 16, 17, 1035, 1036):
            address = self.blob(struct.pack("<QQ", self.pick([0, 1, 2, 5, 6]), 0))
            self.dump(address, 16, "byte")
            return self.value(address)
        if self.command == 4:
            return self.value(self.pick([0, 0o4000, 0o2000, 0o6000, 0o20000, 0o1000000, 1, 0o40000]))
        if self.command == 1033:
            return self.value(self.pick([0, 1, 2, 4, 8, 16, 31, 64]))
        if self.command in (10,):
            return self.value(self.pick([0, 10, 34, 65, -1]))
        if self.command == 8:
            return self.value(self.pick([0, 0x7ffffff, -30000]))
        return self.value(self.pick([0, 1, 2, 5, 20, 63, 64, 4096, 8192, 1 << 20, 1 << 30, -1]))

    def arg_ioctl_request(self):
        self.value(self.pick([0x541b, 0x541b, 0x5421, 0x5421, 0x5450, 0x5451, 0x5452, 0x5401, 0x5413, 0x5411, 2, 0x8905, 0x5460, 0x40049409, 0x80086601,
                              0xc020660b, 0x12345678, 0, 0x8901, 0x8902, 0x8903, 0x8904]))

    def arg_ioctl_arg(self):
        address = self.blob(struct.pack("<Q", self.pick([0, 1, 1, 100])))
        if self.chance(0.05):
            return self.value(BAD)
        self.dump(address, 8, "byte")
        self.value(address)

    def arg_socket_domain(self):
        self.value(self.pick([1, 1, 1, 1, 1, 0, 99, 60, -1]))

    arg_socketpair_domain = arg_socket_domain

    def arg_socket_type(self):
        self.value(self.pick([1, 2, 5, 1, 2, 5, 1, 3, 10, 99]) | self.pick([0, 0o4000, 0o4000, 0o2000000, 0o4000, 1 << 16]))

    arg_socketpair_type = arg_socket_type

    def arg_socket_protocol(self):
        self.value(self.pick([0, 0, 0, 0, 1, 2, -1]))

    arg_socketpair_protocol = arg_socket_protocol

    def arg_setsockopt_level(self):
        self.value(self.pick([1, 1, 1, 1, 1, 0, 6, 99]))

    arg_getsockopt_level = arg_setsockopt_level

    def arg_msg_flags(self):
        self.value(self.pick([0, 0x40, 0x40, 0x40, 0x4040, 0x42, 2, 0x20, 0x60, 0x140, 0x40000040, 0x80, 0x4000, 0x2000, 0x10040]))

    arg_sendto_flags = arg_recvfrom_flags = arg_sendmsg_flags = arg_recvmsg_flags = arg_sendmmsg_flags = arg_recvmmsg_flags = arg_msg_flags

    def arg_prctl_option(self):
        self.value(self.pick([1, 2, 3, 4, 7, 8, 15, 16, 21, 27, 29, 30, 36, 37, 38, 39, 55, 999]))

    def arg_prctl_arg2(self):
        if self.chance(0.4):
            address = self.blob(b"name-of-it-that-is-long\0")
            self.dump(address, 32, "byte")
            return self.value(address)
        self.value(self.pick([0, 0, 1, 2, 9, 65, -1, 12]))

    def arg_prctl_rest(self):
        self.value(self.pick([0, 0, 0, 0, 0, 0, 1]))

    arg_prctl_arg3 = arg_prctl_arg4 = arg_prctl_arg5 = arg_prctl_rest

    def arg_setrlimit_resource(self):
        self.value(self.pick([1, 4, 7, 8, 10, 11, 12, 13, 14, 16, 99, -1]))

    arg_prlimit64_resource = arg_getrlimit_resource = arg_setrlimit_resource

    def arg_clock_nanosleep_flags(self):
        self.value(self.pick([0, 0, 1, 1, 2]))

    def arg_alarm_seconds(self):
        self.value(self.pick([0, 0, 100, 0xffffffff]))

    def arg_semget_nsems(self):
        self.value(self.pick([0, 1, 2, 3, 3, -1, 32001]))

    def arg_ipc_flags(self):
        self.value(self.pick([0o1600, 0o1600, 0o3600, 0o1666, 0, 0o600, 0o1000]))

    arg_shmget_shmflg = arg_semget_semflg = arg_msgget_msgflg = arg_ipc_flags

    def arg_shmget_size(self):
        self.value(self.pick([0, 1, 4096, 4097, 20000, M64]))

    def arg_shmid(self):
        self.ipc_id("shm")

    arg_shmat_shmid = arg_shmctl_shmid = arg_shmid

    def arg_semid(self):
        self.ipc_id("sem")

    arg_semop_semid = arg_semtimedop_semid = arg_semctl_semid = arg_semid

    def arg_msqid(self):
        self.ipc_id("msg")

    arg_msgsnd_msqid = arg_msgrcv_msqid = arg_msgctl_msqid = arg_msqid

    def ipc_id(self, kind):
        if self.ids[kind] and self.chance(0.93):
            return self.reference(self.pick(self.ids[kind]))
        self.value(self.pick([-1, 0x7ffffff0]))

    def arg_shmat_shmflg(self):
        self.value(self.pick([0, 0o10000, 0o20000, 0o40000, 0o60000]))

    def arg_ipc_cmd(self):
        self.value(self.pick([0, 1, 2, 2, 2, 99]))

    arg_shmctl_cmd = arg_msgctl_cmd = arg_ipc_cmd

    def arg_semctl_cmd(self):
        self.command = self.pick([0, 1, 2, 11, 12, 13, 14, 15, 16, 17, 99])
        self.value(self.command)

    def arg_semctl_arg(self):
        if self.command == 16:
            return self.value(self.pick([0, 1, 5, 32767, 32768, -1]))
        data = struct.pack("<8H", *[self.pick([0, 1, 2, 32767]) for _ in range(8)]) if self.command == 17 else bytes(20) + struct.pack("<I", 0o600) + bytes(88)
        address = self.blob(data)
        self.dump(address, 16 if self.command in (13, 17) else 104, "semctl")
        self.value(address)

    def arg_ctl_buf(self):
        address = self.blob(bytes(20) + struct.pack("<I", self.pick([0o600, 0o400, 0])) + bytes(96))
        self.dump(address, 112, "ipcctl")
        self.value(address)

    arg_shmctl_buf = arg_msgctl_buf = arg_ctl_buf

    def arg_msgsnd_msgp(self):
        self.value(self.blob(struct.pack("<q", self.pick([1, 1, 2, 3, 0, -1])) + bytes(range(100))))

    def arg_msgsnd_msgsz(self):
        self.value(self.pick([0, 1, 10, 100, 8192, 8193, M64]))

    def arg_msgrcv_msgp(self):
        address = self.place(256)
        self.dump(address, 256, "byte")
        self.value(address)

    def arg_msgrcv_msgsz(self):
        self.value(self.pick([0, 1, 10, 100, 200, M64]))

    def arg_msgrcv_msgtyp(self):
        self.value(self.pick([0, 0, 1, 2, -2, -3, 2**63]))

    def arg_msgsnd_msgflg(self):
        self.value(self.pick([0o4000, 0o4000, 0, 0o14000, 0o24000, 0o54000]))

    arg_msgrcv_msgflg = arg_msgsnd_msgflg

    def arg_wait4_options(self):
        self.value(self.pick([0, 1, 1, 2, 3, 8, 0x40000000, 4, 0x80000001, 0x20000000]))

    def arg_waitid_options(self):
        self.value(self.pick([4, 5, 5, 6, 8, 0xd, 0x1000005, 0, 1, 0x80000005]))

    def arg_set_tid_address_tidptr(self):
        self.value(self.word())

    def arg_robust_list(self):
        self.value(self.pick([0, 24]))

    arg_set_robust_list_len = arg_robust_list

    def arg_futex_word(self):
        self.value(self.word() if self.chance(0.95) else self.pick([0, BAD]))

    arg_futex_uaddr = arg_futex_uaddr2 = arg_futex_wake_uaddr = arg_futex_wait_uaddr = arg_futex_word

    def arg_futex_op(self):
        self.value(self.pick([0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 10, 13, 2, 99]) | self.pick([0, 0x80, 0x80, 0x100]))

    def arg_futex_val(self):
        self.value(self.pick([0, 1, 0xa5a5a5a5, 0x7fffffff, -1]))

    def arg_futex_val3(self):
        self.value(self.pick([0, 1, 0xa5a5a5a5, -1, 0x01001001]))

    def arg_futex_timeout(self):
        # A pointer for some operations, a count for others.
        self.value(self.blob(struct.pack("<qq", *self.pick([(0, 1000000), (0, 0), (0, 10**9), (-1, 0)]))) if self.chance(0.8) else self.pick([0, 1, 2]))

    def arg_futex2_flags(self):
        self.value(self.pick([2, 2, 0x82, 0x82, 0, 1, 3, 0x8]))

    arg_futex_wake_flags = arg_futex_wait_flags = arg_futex2_flags

    def arg_futex_mask(self):
        self.value(self.pick([0xffffffff, 1, 0, 1 << 32, M64]))

    arg_futex_wake_mask = arg_futex_wait_mask = arg_futex_mask

    def arg_aio_context(self):
        if self.ids["aio"] and self.chance(0.9):
            return self.reference(self.pick(self.ids["aio"]))
        self.value(self.pick([0, 77]))

    arg_io_destroy_ctx_id = arg_io_submit_ctx_id = arg_io_getevents_ctx_id = arg_io_cancel_ctx_id = arg_io_pgetevents_ctx_id = arg_aio_context

    def arg_io_setup_nr_events(self):
        self.value(self.pick([0, 1, 4, 10, 0x7fffffff]))

    def arg_io_setup_ctx_idp(self):
        address = self.blob(struct.pack("<Q", 0 if self.chance(0.95) else 1))
        self.ids["aio"].append((LOAD64, address))
        self.value(address)

    def arg_io_submit_nr(self):
        self.value(self.pick([1, 1, 1, 2, 0, -1]))

    def arg_io_submit_iocbpp(self):
        pointers = b""
        for _ in range(2):
            size = self.pick([0, 1, 10, 100, 5000])
            buffer = self.place(max(size, 1))
            iocb = struct.pack("<QIiHhIQQqQII", self.rng.randrange(1000), 0, self.pick([0, 0, 0, 1, 64]), self.pick([0, 1, 0, 1, 2, 3, 5, 6, 7, 8, 9, 20]), 0,
                               self.some_fd_number(), buffer, size, self.pick([0, 0, 10, -1]), 0, self.pick([0, 0, 0, 1, 2]), self.some_fd_number())
            self.dump(buffer, size, "byte")
            pointers += struct.pack("<Q", self.blob(iocb))
        self.value(self.blob(pointers))

    def arg_io_events(self):
        address = self.place(128)
        self.dump(address, 128, "io_event")
        self.value(address)

    arg_io_getevents_events = arg_io_pgetevents_events = arg_io_cancel_result = arg_io_events

    def arg_io_min(self):
        self.value(self.pick([0, 1, 1, 2, -1]))

    arg_io_getevents_min_nr = arg_io_pgetevents_min_nr = arg_io_min

    def arg_io_nr(self):
        self.value(self.pick([1, 4, 4, 0, -1]))

    arg_io_getevents_nr = arg_io_pgetevents_nr = arg_io_nr

    def arg_io_timeout(self):
        self.value(self.blob(struct.pack("<qq", 0, self.pick([0, 0, 1000000]))))

    arg_io_getevents_timeout = arg_io_pgetevents_timeout = arg_io_timeout

    def arg_io_pgetevents_sig(self):
        self.value(0)

    def arg_io_cancel_iocb(self):
        self.value(self.blob(bytes(64)))

    def arg_inotify_rm_watch_wd(self):
        self.value(self.pick([1, 1, 2, 3, 0, -1]))

    def arg_inotify_add_watch_mask(self):
        self.value(self.pick([0xfff, 0xfff, 0xfff, 0x100, 0x2, 0x3c0, 0x20000fff, 0x80000fff, 0x10000fff, 0x01000fff, 0, 0x2000fff, 0x4000fff, 1 << 20]))

    def arg_setxattrat_args(self):
        data = struct.pack("<QII", self.blob(b"value"), self.pick([0, 1, 5, 5]), self.pick([0, 0, 1, 2]))
        self.value(self.blob(data))

    def arg_getxattrat_args(self):
        value = self.place(64)
        self.dump(value, 64, "byte")
        self.value(self.blob(struct.pack("<QII", value, self.pick([0, 1, 5, 64]), self.pick([0, 0, 0, 1]))))

    def arg_xattrat_size(self):
        self.value(self.pick([16, 16, 16, 15, 0]))

    arg_setxattrat_size = arg_getxattrat_size = arg_xattrat_size

    def arg_setxattr_size_value(self):
        self.value(self.pick([0, 1, 5, 100, 65536, 65537]))

    arg_setxattr_size = arg_lsetxattr_size = arg_fsetxattr_size = arg_setxattr_size_value

    def arg_sched_pid(self):
        self.value(0 if self.chance(0.8) else self.pick([-1, 0x7ffffff]))

    arg_sched_setparam_pid = arg_sched_setscheduler_pid = arg_sched_setattr_pid = arg_sched_getparam_pid = arg_sched_getscheduler_pid = \
        arg_sched_getattr_pid = arg_prlimit64_pid = arg_setpriority_who = arg_getpriority_who = arg_ioprio_set_who = arg_ioprio_get_who = \
        arg_sched_rr_get_interval_pid = arg_get_robust_list_pid = arg_setpgid_pid = arg_sched_pid

    def arg_sched_setscheduler_policy(self):
        self.value(self.pick([0, 3, 5, 1, 2, 6, 0x40000000, 0x40000003, 99, -1]))

    def arg_transfer_flags(self):
        # Without RWF_NOWAIT, RWF_ATOMIC and RWF_DONTCACHE: which file systems know them is not the same everywhere.
        self.value(self.pick([0, 0, 0, 1, 2, 4, 6, 0x10, 0x20, 1 << 20]))

    arg_preadv2_flags = arg_pwritev2_flags = arg_transfer_flags

    def arg_any_policy(self):
        self.value(self.pick([0, 1, 2, 3, 5, 6, 4, -1, 99]))

    arg_sched_get_priority_max_policy = arg_sched_get_priority_min_policy = arg_any_policy

    def arg_setpriority_prio(self):
        self.value(self.pick([0, 1, 5, 19, 40, -1, -30]))

    def arg_which_process(self):
        self.value(self.pick([0, 0, 0, 9, -1]))

    arg_setpriority_which = arg_getpriority_which = arg_which_process

    def arg_ioprio_which(self):
        self.value(self.pick([1, 1, 1, 0, 9]))

    arg_ioprio_set_which = arg_ioprio_get_which = arg_ioprio_which

    def arg_ioprio_set_ioprio(self):
        self.value(self.pick([0, 0x4000, 0x4007, 0x4008, 0x6000, 0x2000, 0x8000, 1]))

    def arg_kcmp_pid(self):
        own = [(RESULT, i) for i, c in enumerate(self.program.calls) if c.name == "getpid"]
        self.reference(self.pick(own)) if own else self.value(self.pick([0, 0x7ffffff]))

    arg_kcmp_pid1 = arg_kcmp_pid2 = arg_kcmp_pid

    def arg_kcmp_idx(self):
        self.value(self.pick([0, 3, 4, 60]))

    arg_kcmp_idx1 = arg_kcmp_idx2 = arg_kcmp_idx

    def arg_clockid_cpu(self):
        self.value(self.pick([0, 1, 7, 1, 99, -1]))

    arg_timer_create_clockid = arg_timerfd_create_clockid = arg_clock_nanosleep_clockid = arg_clockid_cpu

    def arg_splice_len(self):
        self.value(self.pick([0, 1, 10, 4096, 100000]))

    arg_tee_len = arg_sendfile_count = arg_copy_file_range_len = arg_splice_len

    def arg_splice_flags(self):
        self.value(self.pick([2, 2, 2, 0, 3, 16]))

    arg_tee_flags = arg_vmsplice_flags = arg_splice_flags

    def arg_reboot_magic(self):
        self.value(0)

    def arg_mknod_mode(self):
        self.value(self.pick([0o100644, 0o10644, 0o10644, 0o140644, 0, 0o20644, 0o60644, 0o40755, 0o120777]))

    arg_mknodat_mode = arg_mknod_mode

    def arg_pidfd_send_signal_info(self):
        self.value(0)

    def arg_sched_getattr_size(self):
        self.value(self.pick([56, 48, 47, 100, 5000]))

    # Calls

    def make(self, name):
        if name in OPS:
            return self.make_op(name)
        row = self.table[name]
        self.call = Made(name, row.nr, [])
        counts, order = {}, []
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

    def run(self):
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
        return self.program

    def prologue(self):
        """A file with something in it, a directory, a symbolic link."""
        def simple(name, *args):
            self.call = Made(name, self.table[name].nr, [])
            for arg in args:
                if isinstance(arg, bytes):
                    self.value(self.blob(arg + b"\0"), '"%s"' % arg[:20].decode())
                elif isinstance(arg, tuple):
                    self.reference(arg)
                else:
                    self.value(arg)
            self.program.calls.append(self.call)
        simple("open", b"f0", 0o102, 0o644)
        self.fds.append(("file", (RESULT, 0)))
        simple("write", (RESULT, 0), b"0123456789" * self.pick([1, 10, 500]), self.pick([5, 10]))
        if self.chance(0.6):
            simple("mkdir", b"d0", 0o755)
        if self.chance(0.4):
            simple("symlink", b"f0", b"l0")
        if self.chance(0.3):
            simple("open", b"d0", 0o200000, 0)
            self.fds.append(("file", (RESULT, len(self.program.calls) - 1)))


def generate(calls, sets, seed, number):
    return Generator(calls, sets, seed, number).run()
