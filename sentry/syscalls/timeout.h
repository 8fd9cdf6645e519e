/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SYSCALLS_TIMEOUT_H
#define SENTRY_SENTRY_SYSCALLS_TIMEOUT_H

#include <errno.h>
#include <stdint.h>

#include "abi/time.h"
#include "base/checked.h"
#include "base/loop.h"
#include "base/wait.h"

/*
 * Relative time-outs of system calls as deadlines of the wait functions: CLOCK_MONOTONIC ns,
 * WAIT_FOREVER, and 0 for "do not wait at all".
 */

static inline uint64_t deadline_from_ns(uint64_t ns)
{
	uint64_t deadline;

	if (ns == 0)
		return 0;
	return add_checked(loop_monotonic_now(), ns, &deadline) ? deadline : WAIT_FOREVER;
}

/* poll(2), epoll_wait(2): negative is for ever. */
static inline uint64_t deadline_from_ms(int ms)
{
	return ms < 0 ? WAIT_FOREVER : deadline_from_ns((uint64_t)ms * 1000000u);
}

/* -EINVAL for a negative time or one with nanoseconds beyond a second. */
static inline int deadline_from_timespec(const struct lx_timespec *ts, uint64_t *ret)
{
	uint64_t ns;

	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= 1000000000)
		return -EINVAL;
	if (!mul_checked((uint64_t)ts->tv_sec, 1000000000u, &ns) ||
		!add_checked(ns, (uint64_t)ts->tv_nsec, &ns))
		ns = UINT64_MAX;
	*ret = deadline_from_ns(ns);
	return 0;
}

/* What is left until @deadline (not WAIT_FOREVER), ns. */
static inline uint64_t deadline_remaining(uint64_t deadline)
{
	uint64_t now = loop_monotonic_now();

	return deadline > now ? deadline - now : 0;
}

#endif
