# SPDX-License-Identifier: Apache-2.0
"""Programs of several tasks: one makes a call at a time, in the program's order, but one may sleep in a call that another ends."""
import struct

from pools import ARENA, ASYNC, CLIFF, M64, PAGES, PLAYGROUND, RESULT, VALUE

# clone(2): what the new task shares; the low byte is the signal at its end.
FORK, VM, FS, FILES, SIGHAND, VFORK, PARENT, THREAD, SYSVSEM, IO = 17, 0x100, 0x200, 0x400, 0x800, 0x4000, 0x8000, 0x10000, 0x40000, 0x80000000
A_THREAD = VM | FS | FILES | SIGHAND | THREAD | SYSVSEM
WAYS = [FORK] * 6 + [FORK | FILES, FORK | FS, FORK | VM, FORK | VM | FILES | FS, A_THREAD, A_THREAD, A_THREAD, FORK | VM | SIGHAND,
                     FORK | VFORK | VM, FORK | VFORK, FORK | PARENT, FORK | SYSVSEM, 10, 0, 34, FORK | IO]

# What the tasks of a scene do. Calls that may sleep for ever are marked so when their arguments say so.
SCENES = {
    "ends": "wait4 wait4 waitid kill exit exit_group getppid setpgid getpgid setsid getsid pidfd_open pidfd_send_signal poll prctl rt_sigaction "
            "rt_sigprocmask pause rt_sigsuspend rt_sigpending rt_sigtimedwait tgkill tkill op_exec op_spawn getpgrp",
    "pipes": "pipe pipe2 read read write write close dup dup2 fcntl poll splice tee op_spawn exit op_exec rt_sigaction ioctl epoll_create1 "
             "epoll_ctl epoll_wait",
    "sockets": "socket socketpair bind listen connect accept accept4 sendto recvfrom recvfrom sendmsg recvmsg shutdown close read write poll "
               "getpeername getsockopt op_spawn exit dup fcntl ioctl",
    "locks": "open fcntl fcntl fcntl flock flock close dup write ftruncate op_spawn exit op_exec read",
    "sysv": "semget semop semop semctl msgget msgsnd msgrcv msgctl shmget shmat shmdt shmctl op_peek op_poke exit exit_group op_spawn op_exec wait4",
    "queues": "mq_open mq_open mq_timedsend mq_timedreceive mq_notify mq_getsetattr mq_unlink close poll exit op_spawn rt_sigaction op_exec",
    "events": "eventfd2 read write epoll_create1 epoll_ctl epoll_ctl epoll_wait poll close dup pipe2 signalfd4 kill rt_sigprocmask timerfd_create "
              "timerfd_settime inotify_init1 inotify_add_watch open unlink mkdir rename write op_spawn exit",
    "files": "open openat read write lseek dup dup2 close fcntl ftruncate fstat chdir getcwd umask mkdir unlink rename rename op_exec op_spawn "
             "pwrite64 pread64 exit unshare chroot",
    "memory": "mmap munmap mprotect mremap madvise op_peek op_poke op_peek op_poke open ftruncate memfd_create pwrite64 read write op_spawn "
              "op_exec exit process_vm_readv process_vm_writev brk msync shmget shmat",
    "signals": "rt_sigaction rt_sigprocmask kill tkill tgkill rt_sigqueueinfo rt_sigpending rt_sigsuspend pause rt_sigtimedwait sigaltstack alarm "
               "setitimer getitimer timer_create timer_settime timer_gettime signalfd4 read op_spawn op_exec wait4 waitid exit pidfd_open "
               "pidfd_send_signal prctl",
    "groups": "setpgid getpgid setsid getsid getppid kill wait4 waitid op_spawn exit exit_group op_exec rt_sigaction getpgrp setpriority "
              "getpriority ioprio_get prlimit64 sched_getparam sched_setscheduler getrlimit setrlimit umask prctl",
    "exec": "open openat pipe2 dup fcntl rt_sigaction rt_sigprocmask kill rt_sigpending alarm getitimer setitimer timer_create timer_gettime umask "
            "chdir getcwd sigaltstack prctl op_exec op_exec op_spawn mmap op_peek brk setrlimit getrlimit eventfd2 epoll_create1 memfd_create "
            "shmget shmat shmdt mq_open mlockall sched_setscheduler sched_getscheduler setpriority getpriority personality close_range "
            "semget semop io_setup io_destroy",
}
SLEEPERS = {"read", "readv", "write", "accept", "accept4", "recvfrom", "recvmsg", "connect", "sendto", "flock", "semop", "msgrcv", "msgsnd", "wait4",
            "waitid", "pause", "rt_sigsuspend"}
# The argument that says how long, and what says for ever.
TIMED = {"poll": (2, M64), "epoll_wait": (3, M64), "rt_sigtimedwait": (2, 0), "mq_timedreceive": (4, 0), "mq_timedsend": (4, 0)}


class Scenes:
    def scene(self):
        self.slots, self.in_scene = [0], True
        self.slot = 0
        special = [self.scene_ptrace, self.scene_namespaces, self.scene_seccomp, self.scene_landlock]
        if self.chance(0.3):
            return self.pick(special)()
        kinds = [self.pick(sorted(SCENES)) for _ in range(self.pick([1, 1, 1, 2]))]
        names = [n for k in kinds for n in SCENES[k].split()]
        self.plain("getpid")
        if "open" in names and self.chance(0.7):
            self.prologue()
        for _ in range(self.rng.randrange(0, 5)):
            self.step(names)
        self.spawn()
        for _ in range(self.rng.randrange(5, 24)):
            if len(self.program.calls) >= 44:
                break
            self.slot = self.pick(self.slots)
            self.step(names)

    def spawn(self, way=None):
        if len(self.slots) >= 4:
            return None
        number = len(self.slots)
        way = self.pick(WAYS) if way is None else way
        # Who makes a vfork child sleeps until that executes or ends.
        call = self.plain("op_spawn", number, way, flags=ASYNC if way & VFORK else 0)
        self.slots.append(number)
        self.ids["child"].append((RESULT, call))
        if self.chance(0.3):
            self.plain("getpid", slot=number)
        return number

    def step(self, names):
        """One call of the present task."""
        name = self.pick(names)
        if name == "op_spawn":
            return self.spawn() if self.chance(0.4) else None
        if name == "op_exec":
            return self.plain("op_exec", self.pick([0, 0, 1])) if self.chance(0.5) else None
        if name in ("exit", "exit_group") and self.chance(0.5):
            return None
        self.make(name)
        call = self.program.calls[-1]
        if self.may_sleep(call):
            call.flags = ASYNC
        return None

    def may_sleep(self, call):
        if call.name == "fcntl":
            return call.args[1] in ((VALUE, 7), (VALUE, 38))
        if call.name in TIMED:
            at, forever = TIMED[call.name]
            return call.args[at] == (VALUE, forever)
        return call.name in SLEEPERS

    # ptrace(2)

    def scene_ptrace(self):
        """A tracer and its tracee: stops, looks, changes, goes on."""
        me = self.plain("getpid")
        child = self.spawn(self.pick([FORK, FORK, FORK, FORK | FILES, FORK | VM]))
        pid = self.ids["child"][0]
        begin = self.rng.random()
        if begin < 0.35:
            self.plain("ptrace", 0, 0, 0, 0, slot=child)
            self.stop_itself(child)
        elif begin < 0.65:
            self.plain("ptrace", 16, pid, 0, 0)
        else:
            self.plain("ptrace", 0x4206, pid, 0, self.pick([0, 0, 1, 0x100000, 0x3f, 1 << 30]))
            if self.chance(0.7):
                self.plain("ptrace", 0x4207, pid, 0, 0)
        self.wait_for(pid)
        for _ in range(self.rng.randrange(3, 16)):
            what = self.rng.random()
            if what < 0.2:
                # Goes on; what it does then is its turn.
                self.plain("ptrace", self.pick([7, 7, 24, 24, 9, 17, 0x4208, 8]), pid, 0, self.pick([0, 0, 0, 10, 12, 19, 9, 18, 99]))
                if self.chance(0.6):
                    self.slot = child
                    self.step(["getppid", "kill", "rt_sigaction", "getcwd", "umask", "op_exec", "exit_group", "op_spawn", "pipe2", "pause", "tgkill", "open"])
                    self.slot = 0
                if self.chance(0.7):
                    self.wait_for(pid)
            elif what < 0.3:
                self.wait_for(pid)
            elif what < 0.4:
                self.plain("kill", pid, self.pick([10, 12, 19, 18, 15, 9, 0]))
            elif what < 0.5:
                self.stop_itself(child)
            else:
                self.look(pid)
        if self.chance(0.3):
            self.plain("kill", (RESULT, me), self.pick([17, 0]))

    def stop_itself(self, slot):
        own = self.plain("getpid", slot=slot)
        self.plain("kill", (RESULT, own), self.pick([19, 19, 10, 5]), slot=slot)

    def wait_for(self, pid):
        flags = self.pick([0, 0, 2, 1, 3, 0x40000000])
        self.plain("wait4", self.pick([pid, pid, pid, -1 & M64]), self.out(4), flags, 0)

    def look(self, pid):
        """Requests to a tracee that is stopped."""
        kind = self.rng.random()
        if kind < 0.2:
            self.plain("ptrace", self.pick([1, 2]), pid, self.pick([ARENA, ARENA + 8, PLAYGROUND, 0x10]), self.out(8))
        elif kind < 0.3:
            self.plain("ptrace", self.pick([4, 5]), pid, ARENA + self.pick([0, 8, 16]), self.pick([1, M64, 0xa5a5]))
        elif kind < 0.4:
            self.plain("ptrace", 3, pid, self.pick([8 * n for n in (10, 15, 14, 12)] + [1, 4096]), self.out(8))
        elif kind < 0.5:
            self.plain("ptrace", 0x4202, pid, 0, self.out(128, "siginfo"))
        elif kind < 0.6:
            self.plain("ptrace", 0x4201, pid, 0, self.out(8))
        elif kind < 0.72:
            self.plain("ptrace", 0x4200, pid, 0, self.pick([0, 1, 0x100000, 0x3f, 0x1f, 8, 16, 2, 4, 32, 1 << 30]))
        elif kind < 0.8:
            self.plain("ptrace", 0x420a, pid, self.pick([8, 8, 4]), self.out(8))
        elif kind < 0.85:
            self.plain("ptrace", 0x420b, pid, self.pick([8, 8, 4]), struct.pack("<Q", self.pick([0, 1 << 9, 1 << 11])))
        elif kind < 0.95:
            self.plain("ptrace", 0x420e, pid, self.pick([24, 88, 84, 0]), self.out(88, "syscall_info"))
        else:
            self.plain("ptrace", self.pick([99, 0x4300, 6, 18, 20]), pid, 0, 0)

    # fork and memory: what both see

    def shared_pages(self):
        self.plain("mmap", PLAYGROUND, 4096 * PAGES, 3, self.pick([0x31, 0x32]), -1 & M64, 0)
        assert CLIFF > ARENA
