/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_SCHED_H
#define SENTRY_ABI_SCHED_H

#include <stdint.h>

#define LX_CSIGNAL		0xff
#define LX_CLONE_VM		0x100
#define LX_CLONE_FS		0x200
#define LX_CLONE_FILES		0x400
#define LX_CLONE_SIGHAND	0x800
#define LX_CLONE_PIDFD		0x1000
#define LX_CLONE_PTRACE		0x2000
#define LX_CLONE_VFORK		0x4000
#define LX_CLONE_PARENT		0x8000
#define LX_CLONE_THREAD		0x10000
#define LX_CLONE_NEWNS		0x20000
#define LX_CLONE_SYSVSEM	0x40000
#define LX_CLONE_SETTLS		0x80000
#define LX_CLONE_PARENT_SETTID	0x100000
#define LX_CLONE_CHILD_CLEARTID 0x200000
#define LX_CLONE_DETACHED	0x400000
#define LX_CLONE_UNTRACED	0x800000
#define LX_CLONE_CHILD_SETTID	0x1000000
#define LX_CLONE_NEWCGROUP	0x2000000
#define LX_CLONE_NEWUTS		0x4000000
#define LX_CLONE_NEWIPC		0x8000000
#define LX_CLONE_NEWUSER	0x10000000
#define LX_CLONE_NEWPID		0x20000000
#define LX_CLONE_NEWNET		0x40000000
#define LX_CLONE_IO		0x80000000u
#define LX_CLONE_NEWTIME	0x80
#define LX_CLONE_CLEAR_SIGHAND	0x100000000ull
#define LX_CLONE_INTO_CGROUP	0x200000000ull

/* clone3(2) */
struct lx_clone_args {
	uint64_t flags;
	uint64_t pidfd;
	uint64_t child_tid;
	uint64_t parent_tid;
	uint64_t exit_signal;
	uint64_t stack;
	uint64_t stack_size;
	uint64_t tls;
	uint64_t set_tid;
	uint64_t set_tid_size;
	uint64_t cgroup;
};
#define LX_CLONE_ARGS_SIZE_VER0 64
#define LX_CLONE_ARGS_SIZE_VER1 80
#define LX_CLONE_ARGS_SIZE_VER2 88

struct lx_sched_param {
	int32_t sched_priority;
};

struct lx_sched_attr {
	uint32_t size;
	uint32_t sched_policy;
	uint64_t sched_flags;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_runtime;
	uint64_t sched_deadline;
	uint64_t sched_period;
	uint32_t sched_util_min;
	uint32_t sched_util_max;
};
#define LX_SCHED_ATTR_SIZE_VER0	     48
#define LX_SCHED_ATTR_SIZE_VER1	     56
#define LX_SCHED_OTHER		     0
#define LX_SCHED_FIFO		     1
#define LX_SCHED_RR		     2
#define LX_SCHED_BATCH		     3
#define LX_SCHED_IDLE		     5
#define LX_SCHED_DEADLINE	     6
#define LX_SCHED_EXT		     7
#define LX_SCHED_RESET_ON_FORK	     0x40000000
#define LX_SCHED_POLICY_BITS	     0xff
#define LX_SCHED_FLAG_RESET_ON_FORK  0x1
#define LX_SCHED_FLAG_RECLAIM	     0x2
#define LX_SCHED_FLAG_DL_OVERRUN     0x4
#define LX_SCHED_FLAG_KEEP_POLICY    0x8
#define LX_SCHED_FLAG_KEEP_PARAMS    0x10
#define LX_SCHED_FLAG_UTIL_CLAMP_MIN 0x20
#define LX_SCHED_FLAG_UTIL_CLAMP_MAX 0x40

/* setpriority(2) */
#define LX_PRIO_PROCESS 0
#define LX_PRIO_PGRP	1
#define LX_PRIO_USER	2

/* ioprio_set(2): class << 13 | data */
#define LX_IOPRIO_CLASS_SHIFT 13
#define LX_IOPRIO_CLASS_NONE  0
#define LX_IOPRIO_CLASS_RT    1
#define LX_IOPRIO_CLASS_BE    2
#define LX_IOPRIO_CLASS_IDLE  3
#define LX_IOPRIO_WHO_PROCESS 1
#define LX_IOPRIO_WHO_PGRP    2
#define LX_IOPRIO_WHO_USER    3

#endif
