/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_CLOCK_H
#define SENTRY_SENTRY_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/time.h"

/* Guest clocks, by the numbers of clock_gettime(2), CPU clocks of other processes and threads
 * included. Times are ns. */
struct task;

static inline struct lx_timespec ns_to_timespec(uint64_t ns)
{
	return (struct lx_timespec){
		.tv_sec = (int64_t)(ns / 1000000000ull),
		.tv_nsec = (int64_t)(ns % 1000000000ull),
	};
}

static inline struct lx_timeval ns_to_timeval(uint64_t ns)
{
	return (struct lx_timeval){
		.tv_sec = (int64_t)(ns / 1000000000ull),
		.tv_usec = (int64_t)(ns % 1000000000ull / 1000),
	};
}

static inline bool timespec_valid(const struct lx_timespec *ts)
{
	return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < 1000000000;
}

/* Of a valid one; what lies beyond 292 years is cut (KTIME_MAX). */
uint64_t timespec_to_ns(const struct lx_timespec *ts);

/* The present time. -EINVAL: no such clock, or its process or thread is gone or not ours to read.
 */
int clock_read(struct task *task, int clock, uint64_t *ret_ns);
/* Whether timers and sleeps can use it. 0, -EINVAL for no clock, -EOPNOTSUPP for one that cannot,
 * -EPERM for alarm clocks. */
int clock_check_timer(struct task *task, int clock);
bool clock_is_cpu(int clock);
/*
 * When to look again, in monotonic ns, for a deadline that is @left ns away on @clock. CPU clocks
 * are sampled: they may run slower than time, and faster by the number of processors.
 */
uint64_t clock_wake_time(int clock, uint64_t left);

#endif
