/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_FIBER_H
#define SENTRY_BASE_FIBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/*
 * Fibers: cooperative threads of the Sentry's one kernel thread.
 *
 * Each guest thread runs its system calls on a fiber of its own, so a handler that must wait reads
 * like kernel code (see base/wait.h). Nothing preempts a fiber: between two calls that can sleep,
 * kernel state is the fiber's alone. Functions that may sleep say so in their comment.
 */
struct fiber;

typedef void fiber_fn(void *arg);

/*
 * Creates a runnable fiber that calls @fn(@arg) on its next turn; it is gone when @fn returns.
 * Errors: -ENOMEM, -EAGAIN at the cap on fibers (LX-independent, base/fiber.c).
 */
int fiber_create(struct fiber **ret_fiber, const char *name, fiber_fn *fn, void *arg);

/* The running fiber; NULL outside fibers (the main loop and its callbacks, which must not sleep).
 */
struct fiber *fiber_current(void);

/* The name given at creation, for logs. */
const char *fiber_name(const struct fiber *fiber);

/*
 * One pointer for the code that created the fiber (the task it runs for). fiber_owner() answers for
 * the running fiber: NULL outside fibers and before it was set.
 */
void fiber_set_owner(struct fiber *fiber, void *owner);
void *fiber_owner(void);

/* Lets every other runnable fiber and the main loop have a turn. A handler's budget: call this
 * after each 128 KiB or 1000 steps. */
void fiber_yield(void);

/* Sleeps until fiber_wake(). A wake that came since the last park makes it return at once (one wake
 * is remembered). */
void fiber_park(void);

/* Makes a parked fiber runnable. Callable from fibers and loop callbacks on the kernel thread;
 * idempotent. */
void fiber_wake(struct fiber *fiber);

/*
 * The interruption flag: while set, interruptible sleeps end with -ERESTARTSYS. The owner of the
 * fiber (the signal code) keeps it equal to "an unblocked signal or a kill is pending"; setting it
 * wakes an interruptible sleeper.
 */
void fiber_set_interrupted(struct fiber *fiber, bool interrupted);
bool fiber_interrupted(const struct fiber *fiber);

/* That the running fiber asked the host for something; whether it did since it was asked last.
 * Nothing outside of fibers. */
void fiber_note_host(void);
bool fiber_take_host(void);

/*
 * Errands: what others want done on a fiber, because what they need is its alone (a guest thread's
 * memory). They run in order, when it sleeps interruptibly or in wait_sleep_serving(), or where it
 * calls fiber_run_errands(). An errand may sleep, but not with a deadline.
 */
struct fiber_errand {
	struct list_head link;
	void (*run)(struct fiber_errand *errand); /* off the list by then; may free it */
};
void fiber_add_errand(struct fiber *fiber, struct fiber_errand *errand);
void fiber_run_errands(void);

/* Runs runnable fibers until none is left or one round is done. Returns the number of fibers that
 * ran. Main loop only. */
unsigned fiber_run_ready(void);
bool fiber_any_ready(void);

#endif
