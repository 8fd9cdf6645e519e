/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_FUTEX_PI_H
#define SENTRY_SENTRY_FUTEX_PI_H

#include <stdbool.h>
#include <stdint.h>

#include "sentry/task.h"

/* FUTEX_LOCK_PI and relatives (futex(2), "Priority-inheritance futexes"). May sleep. */
struct futex_pi {
	gaddr_t uaddr;
	bool private;	   /* of the address space; else found by what is mapped there */
	bool try;	   /* do not wait: -EAGAIN */
	uint64_t deadline; /* CLOCK_MONOTONIC ns, or WAIT_FOREVER */
};
int64_t futex_pi_lock(struct task *task, const struct futex_pi *futex);
int64_t futex_pi_unlock(struct task *task, const struct futex_pi *futex);
/*
 * FUTEX_WAIT_REQUEUE_PI: sleeps while *@from is @value, until @from->deadline, and owns @to at
 * success. FUTEX_CMP_REQUEUE_PI: if *@from is @value, one waiter gets @to or, with up to @count
 * more, a place among its waiters. -EINVAL for waiters who named another futex. How many there
 * were.
 */
int64_t futex_pi_wait_requeue(
	struct task *task, const struct futex_pi *from, uint32_t value, const struct futex_pi *to);
int64_t futex_pi_requeue(struct task *task, const struct futex_pi *from, const struct futex_pi *to,
	int count, uint32_t value);
/* The task leaves its memory: whoever waits for a futex of its gets it, marked FUTEX_OWNER_DIED. */
void futex_pi_exit(struct task *task);

#endif
