# SPDX-License-Identifier: Apache-2.0
"""Values that programs of the differential fuzzer are made of: names, sizes, families of calls, what makes and wants which descriptor."""
ARENA, ARENA_SIZE = 0x10000000, 1 << 20
CLIFF = ARENA + ARENA_SIZE
PLAYGROUND, PAGES = 0x20000000, 32
KEYS = [0, 0x5e41, 0x5e42, 0x5e43]
VALUE, RESULT, LOAD, LOAD64 = 0, 1, 2, 3
OPS = {"op_fork": 100000, "op_peek": 100001, "op_poke": 100002, "op_spawn": 100003, "op_exec": 100004}
ASYNC = 1
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
