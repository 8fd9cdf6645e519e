# SPDX-License-Identifier: Apache-2.0
"""Arguments with an opinion: signals, processes, scheduling and identity."""
from pools import M64, RESULT, SIGNALS


class Tasks:
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

    def arg_prctl_option(self):
        self.value(self.pick([1, 2, 3, 4, 7, 8, 15, 16, 21, 27, 30, 36, 37, 38, 39, 55, 999]))

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

    def arg_setitimer_which(self):
        which = self.pick([0, 0, 1, 2, 99])
        self.cpu_timer = which in (1, 2)
        self.value(which)

    def arg_alarm_seconds(self):
        self.value(self.pick([0, 0, 100, 0xffffffff]))

    def arg_wait4_options(self):
        self.value(self.pick([0, 1, 1, 2, 3, 8, 0x40000000, 4, 0x80000001, 0x20000000]))

    def arg_waitid_infop(self):
        # Never a bad one: what a call that is interrupted says of it is not worth a fault.
        if self.chance(0.3):
            return self.value(0)
        address = self.place(128)
        self.dump(address, 128, "siginfo")
        self.value(address, "&out%d" % (len(self.call.dumps) - 1))

    def arg_waitid_options(self):
        self.value(self.pick([4, 5, 5, 6, 8, 0xd, 0x1000005, 0, 1, 0x80000005]))

    def arg_set_tid_address_tidptr(self):
        self.value(self.word())

    def arg_sched_pid(self):
        self.value(0 if self.chance(0.8) else self.pick([-1, 0x7ffffff]))

    arg_sched_setparam_pid = arg_sched_setscheduler_pid = arg_sched_setattr_pid = arg_sched_getparam_pid = arg_sched_getscheduler_pid = \
        arg_sched_getattr_pid = arg_prlimit64_pid = arg_setpriority_who = arg_getpriority_who = arg_ioprio_set_who = arg_ioprio_get_who = \
        arg_sched_rr_get_interval_pid = arg_get_robust_list_pid = arg_setpgid_pid = arg_sched_pid

    def arg_sched_setscheduler_policy(self):
        self.value(self.pick([0, 3, 5, 1, 2, 6, 0x40000000, 0x40000003, 99, -1]))

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

    def arg_reboot_magic(self):
        self.value(0)

    def arg_pidfd_send_signal_info(self):
        self.value(0)

    def arg_sched_getattr_size(self):
        self.value(self.pick([56, 48, 47, 100, 5000]))
