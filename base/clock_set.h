/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_CLOCK_SET_H
#define SENTRY_BASE_CLOCK_SET_H

#include <stdint.h>

#include "base/list.h"
#include "base/wait.h"

/*
 * The host's CLOCK_REALTIME was set, so that deadlines which were translated to CLOCK_MONOTONIC
 * are wrong now. Known only to who asks the host beforehand: one timerfd with
 * TFD_TIMER_CANCEL_ON_SET, once a run.
 */

/* Whoever keeps such a deadline. @was_set runs outside of fibers and must not sleep; it may remove
 * its own watch. The caller owns the struct. */
struct clock_watch {
	struct list_head link;
	void (*was_set)(struct clock_watch *watch);
};
void clock_watch_init(struct clock_watch *watch, void (*was_set)(struct clock_watch *watch));
void clock_watch_add(struct clock_watch *watch);    /* nothing when it is there */
void clock_watch_remove(struct clock_watch *watch); /* likewise */

/* Woken likewise: for fibers that sleep until such a deadline. */
struct wait_queue *clock_set_queue(void);

/* After loop_init(), before the seccomp filter. Where the host lacks it nobody is told. */
void clock_set_init(void);
/* Tells all of them. */
void clock_was_set(void);
/* For tests, which cannot set the host's clock: loop_realtime_now() is @ns ahead from now on, and
 * all are told. */
void clock_set_shift(int64_t ns);

#endif
