/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "abi/errno.h"
#include "abi/cap.h"
#include "abi/time.h"
#include "base/clock_set.h"
#include "sentry/clock.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

/* nanosleep(2), clock_nanosleep(2): relative sleeps are restarted with what is left
 * (kernel/time/hrtimer.c). */

static int sleep_restart(struct task *task);

/* Until @deadline on @clock. 0, -ERESTARTSYS, -ESRCH for a CPU clock that is gone. May sleep. */
static int sleep_until(struct task *task, int clock, uint64_t deadline)
{
	for (;;) {
		uint64_t now, wake_at;
		int r = clock_read(task, clock, &now);

		if (r < 0)
			return r;
		if (now >= deadline)
			return 0;
		if (signal_pending(task))
			return -ERESTARTSYS;
		wake_at = clock_wake_time(clock, deadline - now);
		/* Whoever sets the host's clock wakes up those who sleep until a time on it. */
		r = wait_sleep(clock == LX_CLOCK_REALTIME || clock == LX_CLOCK_REALTIME_ALARM
				       ? clock_set_queue()
				       : NULL,
			~0u, wake_at, true, false);
		if (r < 0 && r != -ETIMEDOUT)
			return r;
	}
}

static int write_remaining(struct task *task, int clock, uint64_t deadline, gaddr_t addr)
{
	struct lx_timespec ts;
	uint64_t now, left;

	if (gaddr_is_null(addr) || clock_read(task, clock, &now) < 0)
		return 0;
	left = deadline > now ? deadline - now : 0;
	ts = ns_to_timespec(left);
	return guest_write(task, addr, &ts, sizeof(ts));
}

static int sleep_relative(struct task *task, int clock, uint64_t deadline, gaddr_t remaining)
{
	int r = sleep_until(task, clock, deadline);

	if (r != -ERESTARTSYS)
		return r;
	r = write_remaining(task, clock, deadline, remaining);
	if (r < 0)
		return r;
	task->restart.fn = sleep_restart;
	task->restart.clock = clock;
	task->restart.deadline = deadline;
	task->restart.addr = remaining;
	return -ERESTART_RESTARTBLOCK;
}

static int sleep_restart(struct task *task)
{
	return sleep_relative(
		task, task->restart.clock, task->restart.deadline, task->restart.addr);
}

static int64_t do_sleep(struct task *task, int clock, bool absolute, const struct lx_timespec *ts,
	gaddr_t remaining)
{
	uint64_t ns = timespec_to_ns(ts), now, deadline;
	int r;

	if (absolute) {
		r = sleep_until(task, clock, ns);
		return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
	}
	r = clock_read(task, clock, &now);
	if (r < 0)
		return r;
	if (__builtin_add_overflow(now, ns, &deadline))
		deadline = WAIT_FOREVER;
	/* A relative sleep on the wall clock is not moved by setting it (clock_nanosleep(2)): all
	 * are monotonic but CPU time. */
	if (!clock_is_cpu(clock)) {
		clock = LX_CLOCK_MONOTONIC;
		if (__builtin_add_overflow(loop_monotonic_now(), ns, &deadline))
			deadline = WAIT_FOREVER;
	}
	return sleep_relative(task, clock, deadline, remaining);
}

int64_t sys_nanosleep(struct task *task, gaddr_t req, gaddr_t rem)
{
	struct lx_timespec ts;
	int r = guest_read_value(task, &ts, req);

	if (r < 0)
		return r;
	if (!timespec_valid(&ts))
		return -EINVAL;
	return do_sleep(task, LX_CLOCK_MONOTONIC, false, &ts, rem);
}

int64_t sys_clock_nanosleep(
	struct task *task, int clock, unsigned flags, gaddr_t request, gaddr_t remain)
{
	struct lx_timespec ts;
	int check = clock_check_timer(task, clock), r;

	/* What the number of a CPU clock means is asked last (posix_cpu_nsleep()). */
	if (check < 0 && clock >= 0)
		return check;
	/* One's own CPU time would never pass. */
	if (clock == LX_CLOCK_THREAD_CPUTIME_ID)
		return -EOPNOTSUPP;
	r = guest_read_value(task, &ts, request);
	if (r < 0)
		return r;
	if (!timespec_valid(&ts))
		return -EINVAL;
	if (check < 0)
		return check;
	return do_sleep(task, clock, flags & LX_TIMER_ABSTIME, &ts, remain);
}
