/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/clock.h"

#include <errno.h>
#include <time.h>

#include "abi/cap.h"
#include "sentry/task.h"

/*
 * Guest clocks. The wall and monotonic ones are the host's; CPU clocks add up what the host says
 * about the stub's threads. A timer on a CPU clock is a host timer that looks when the clock could
 * have got there at the earliest.
 */

#define CPU_SAMPLE_MIN_NS 1000000ull
#define CPU_SAMPLE_MAX_NS 20000000ull

uint64_t timespec_to_ns(const struct lx_timespec *ts)
{
	uint64_t ns;

	if (__builtin_mul_overflow((uint64_t)ts->tv_sec, 1000000000ull, &ns) ||
		__builtin_add_overflow(ns, (uint64_t)ts->tv_nsec, &ns) || ns > INT64_MAX)
		return INT64_MAX;
	return ns;
}

static int host_clock(clockid_t id, uint64_t *ret_ns)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) < 0)
		return -EINVAL;
	*ret_ns = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
	return 0;
}

/* By the rules of clock_getcpuclockid(3): @user_only for the VIRT clock. */
static void thread_clock(struct task *task, bool user_only, uint64_t *ret_ns)
{
	uint64_t user, system;

	task_cpu_time(task, &user, &system);
	*ret_ns = user_only ? user : user + system;
}

static void process_clock(struct thread_group *group, bool user_only, uint64_t *ret_ns)
{
	uint64_t user, system;

	group_cpu_time(group, &user, &system);
	*ret_ns = user_only ? user : user + system;
}

static int cpu_clock(struct task *task, int clock, uint64_t *ret_ns)
{
	int nr = ~(clock >> 3), which = clock & LX_CPUCLOCK_CLOCK_MASK;
	bool user_only = which == LX_CPUCLOCK_VIRT;
	struct thread_group *group;
	struct task *other;

	if (which >= LX_CLOCKFD)
		return -EINVAL;
	if (clock & LX_CPUCLOCK_PERTHREAD_MASK) {
		other = nr ? pid_task(nr) : task;
		if (!other || other->group != task->group)
			return -EINVAL;
		thread_clock(other, user_only, ret_ns);
		return 0;
	}
	group = nr ? pid_group(nr) : task->group;
	if (!group)
		return -EINVAL;
	process_clock(group, user_only, ret_ns);
	return 0;
}

int clock_read(struct task *task, int clock, uint64_t *ret_ns)
{
	if (clock < 0)
		return cpu_clock(task, clock, ret_ns);
	switch (clock) {
	case LX_CLOCK_PROCESS_CPUTIME_ID:
		process_clock(task->group, false, ret_ns);
		return 0;
	case LX_CLOCK_THREAD_CPUTIME_ID:
		thread_clock(task, false, ret_ns);
		return 0;
	case LX_CLOCK_REALTIME:
	case LX_CLOCK_REALTIME_ALARM:
		*ret_ns = loop_realtime_now();
		return 0;
	case LX_CLOCK_MONOTONIC:
		return host_clock(CLOCK_MONOTONIC, ret_ns);
	case LX_CLOCK_MONOTONIC_RAW:
		return host_clock(CLOCK_MONOTONIC_RAW, ret_ns);
	case LX_CLOCK_REALTIME_COARSE:
		return host_clock(CLOCK_REALTIME_COARSE, ret_ns);
	case LX_CLOCK_MONOTONIC_COARSE:
		return host_clock(CLOCK_MONOTONIC_COARSE, ret_ns);
	case LX_CLOCK_BOOTTIME:
	case LX_CLOCK_BOOTTIME_ALARM:
		return host_clock(CLOCK_BOOTTIME, ret_ns);
	case LX_CLOCK_TAI:
		return host_clock(CLOCK_TAI, ret_ns);
	default:
		return -EINVAL;
	}
}

int clock_check_timer(struct task *task, int clock)
{
	uint64_t now;

	switch (clock) {
	case LX_CLOCK_MONOTONIC_RAW:
	case LX_CLOCK_REALTIME_COARSE:
	case LX_CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	case LX_CLOCK_REALTIME_ALARM:
	case LX_CLOCK_BOOTTIME_ALARM:
		return cred_capable(task->cred, LX_CAP_WAKE_ALARM) ? 0 : -EPERM;
	default:
		return clock_read(task, clock, &now);
	}
}

bool clock_is_cpu(int clock)
{
	return clock < 0 || clock == LX_CLOCK_PROCESS_CPUTIME_ID ||
	       clock == LX_CLOCK_THREAD_CPUTIME_ID;
}

uint64_t clock_wake_time(int clock, uint64_t left)
{
	uint64_t at;

	if (clock_is_cpu(clock)) {
		left /= 2; /* two threads may run */
		if (left < CPU_SAMPLE_MIN_NS)
			left = CPU_SAMPLE_MIN_NS;
		if (left > CPU_SAMPLE_MAX_NS)
			left = CPU_SAMPLE_MAX_NS;
	}
	return __builtin_add_overflow(loop_monotonic_now(), left, &at) ? WAIT_FOREVER : at;
}
