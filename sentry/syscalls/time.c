/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks. Most programs read them in the vDSO, which the host keeps; these are the calls that
 * remain. The clock is the host's and nobody sets it from here.
 */
#include <errno.h>
#include <time.h>

#include "abi/time.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"

static struct lx_timespec timespec_of(uint64_t ns)
{
	return (struct lx_timespec){
		.tv_sec = (int64_t)(ns / 1000000000), .tv_nsec = (int64_t)(ns % 1000000000)};
}

/* ---- CPU clocks (clock_getcpuclockid(3))
 * ------------------------------------------------------------------------------- */

static uint64_t cpu_ns(int which, uint64_t user, uint64_t system)
{
	return which == LX_CPUCLOCK_VIRT ? user : user + system;
}

/* A negative id names a thread or process by number, 0 being the caller (posix_cpu_clock_get()). */
static int cpu_clock(struct task *t, int clock, uint64_t *ret_ns)
{
	int pid = ~(clock >> 3), which = clock & LX_CPUCLOCK_CLOCK_MASK;
	uint64_t user, system;

	if (which > LX_CPUCLOCK_SCHED)
		return -EINVAL; /* a descriptor of a clock device: there are none */
	if (clock & LX_CPUCLOCK_PERTHREAD_MASK) {
		struct task *task = pid ? pid_task(pid) : t;

		if (!task || task->group != t->group)
			return -EINVAL;
		task_cpu_time(task, &user, &system);
	} else {
		struct thread_group *group = pid ? pid_group(pid) : t->group;

		if (!group)
			return -EINVAL;
		group_cpu_time(group, &user, &system);
	}
	*ret_ns = cpu_ns(which, user, system);
	return 0;
}

/* Clock ids that mean the same here and on the host. The alarm clocks are absent, as on a machine
 * without a real-time clock. */
static bool host_clock(int clock)
{
	switch (clock) {
	case LX_CLOCK_REALTIME:
	case LX_CLOCK_MONOTONIC:
	case LX_CLOCK_MONOTONIC_RAW:
	case LX_CLOCK_REALTIME_COARSE:
	case LX_CLOCK_MONOTONIC_COARSE:
	case LX_CLOCK_BOOTTIME:
	case LX_CLOCK_TAI:
		return true;
	default:
		return false;
	}
}

static int clock_read(struct task *t, int clock, struct lx_timespec *ret)
{
	struct timespec host;
	uint64_t ns = 0, user, system;
	int err = 0;

	if (host_clock(clock)) {
		if (clock_gettime(clock, &host) < 0)
			return -errno;
		*ret = (struct lx_timespec){.tv_sec = host.tv_sec, .tv_nsec = host.tv_nsec};
		return 0;
	}
	if (clock == LX_CLOCK_PROCESS_CPUTIME_ID) {
		group_cpu_time(t->group, &user, &system);
		ns = user + system;
	} else if (clock == LX_CLOCK_THREAD_CPUTIME_ID) {
		task_cpu_time(t, &user, &system);
		ns = user + system;
	} else {
		err = clock < 0 ? cpu_clock(t, clock, &ns) : -EINVAL;
	}
	if (err == 0)
		*ret = timespec_of(ns);
	return err;
}

int64_t sys_clock_gettime(struct task *t, int clockid, gaddr_t tp)
{
	struct lx_timespec ts;
	int err = clock_read(t, clockid, &ts);

	return err < 0 ? err : guest_write_value(t, tp, &ts);
}

static long coarse_resolution = 1;

/* Once and early: a host without vDSO makes a call of it, which the confined Sentry does not have.
 */
__attribute__((constructor)) static void find_resolution(void)
{
	struct timespec host;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &host) == 0)
		coarse_resolution = host.tv_nsec;
}

int64_t sys_clock_getres(struct task *t, int clockid, gaddr_t res)
{
	struct lx_timespec ts = {.tv_nsec = 1}, now;
	int err = clock_read(t, clockid, &now);

	if (err < 0)
		return err;
	/* The coarse clocks advance with the host's tick. */
	if (clockid == LX_CLOCK_REALTIME_COARSE || clockid == LX_CLOCK_MONOTONIC_COARSE) {
		ts.tv_nsec = coarse_resolution;
	}
	return gaddr_is_null(res) ? 0 : guest_write_value(t, res, &ts);
}

/* timespec64_valid_settod() */
static bool settable(const struct lx_timespec *ts)
{
	return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < 1000000000 &&
	       ts->tv_sec < INT64_MAX / 1000000000 - 30ll * 365 * 24 * 3600;
}

int64_t sys_clock_settime(struct task *t, int clockid, gaddr_t tp)
{
	struct lx_timespec ts;
	int err;

	if (clockid != LX_CLOCK_REALTIME) {
		/* A CPU clock of a live process exists and cannot be set; others have no way to be
		 * set. */
		bool cpu = clockid < 0 || clockid == LX_CLOCK_PROCESS_CPUTIME_ID ||
			   clockid == LX_CLOCK_THREAD_CPUTIME_ID;

		err = clock_read(t, clockid, &ts);
		if (err < 0 || clockid > 0)
			return -EINVAL;
		return cpu ? -EPERM : -EINVAL;
	}
	err = guest_read_value(t, &ts, tp);
	if (err < 0)
		return err;
	return settable(&ts) ? -EPERM : -EINVAL;
}

int64_t sys_gettimeofday(struct task *t, gaddr_t tv, gaddr_t tz)
{
	static const struct lx_timezone utc;
	struct timespec now;
	struct lx_timeval value;
	int err = 0;

	if (!gaddr_is_null(tv)) {
		if (clock_gettime(CLOCK_REALTIME, &now) < 0)
			return -errno;
		value = (struct lx_timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
		err = guest_write_value(t, tv, &value);
	}
	if (err == 0 && !gaddr_is_null(tz))
		err = guest_write_value(t, tz, &utc);
	return err;
}

int64_t sys_settimeofday(struct task *t, gaddr_t tv, gaddr_t tz)
{
	struct lx_timeval value;
	struct lx_timezone zone;
	int err;

	if (!gaddr_is_null(tv)) {
		err = guest_read_value(t, &value, tv);
		if (err < 0)
			return err;
		if (value.tv_usec < 0 || value.tv_usec > 1000000)
			return -EINVAL;
		if (!settable(&(struct lx_timespec){value.tv_sec, value.tv_usec * 1000}))
			return -EINVAL;
	}
	if (!gaddr_is_null(tz)) {
		err = guest_read_value(t, &zone, tz);
		if (err < 0)
			return err;
	}
	return -EPERM;
}

int64_t sys_time(struct task *t, gaddr_t tloc)
{
	int64_t now = (int64_t)(loop_realtime_now() / 1000000000ull);
	int err = gaddr_is_null(tloc) ? 0 : guest_write_value(t, tloc, &now);

	return err < 0 ? err : now;
}

/* ---- adjtimex(2): read only
 * -------------------------------------------------------------------------------------------- */

/* The state of a clock that nothing disciplines; what the host's clock does is not told. */
static int64_t adjust(struct task *t, gaddr_t buf)
{
	struct lx_timex tx;
	struct timespec now;
	int err = guest_read_value(t, &tx, buf);

	if (err < 0)
		return err;
	if (tx.modes && tx.modes != LX_ADJ_OFFSET_SS_READ)
		return -EPERM;
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -errno;
	tx = (struct lx_timex){
		.modes = tx.modes,
		.maxerror = 16000000,
		.esterror = 16000000,
		.status = LX_STA_UNSYNC,
		.constant = 2,
		.precision = 1,
		.tolerance = 32768000,
		.time = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000},
		.tick = 10000,
	};
	err = guest_write_value(t, buf, &tx);
	return err < 0 ? err : LX_TIME_ERROR;
}

int64_t sys_adjtimex(struct task *t, gaddr_t buf)
{
	return adjust(t, buf);
}

int64_t sys_clock_adjtime(struct task *t, int clockid, gaddr_t buf)
{
	struct lx_timespec now;
	struct lx_timex timex;
	int err = guest_read_value(t, &timex, buf);

	if (err < 0)
		return err;
	if (clockid != LX_CLOCK_REALTIME)
		return clockid > 0 && clock_read(t, clockid, &now) == 0 ? -EOPNOTSUPP : -EINVAL;
	return adjust(t, buf);
}
