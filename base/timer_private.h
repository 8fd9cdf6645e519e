/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_TIMER_PRIVATE_H
#define SENTRY_BASE_TIMER_PRIVATE_H

/* What the timer heap offers to the loop and to fibers. Nobody else includes it. */
#include "base/loop.h"

/* Sets heap slots aside, so that arming @count timers later cannot fail. -ENOMEM. */
int timers_reserve(size_t count);
void timers_unreserve(size_t count);
/* Arms a timer for which a slot was reserved. */
void timer_arm_reserved(struct timer *timer, uint64_t deadline);

/* Earliest deadline, UINT64_MAX when none is armed. */
uint64_t timers_next_deadline(void);
/* Calls back each timer whose deadline is at or before @now; returns how many. */
unsigned timers_expire(uint64_t now);
void timers_fini(void);

#endif
