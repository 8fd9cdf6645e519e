/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_FIBER_PRIVATE_H
#define SENTRY_BASE_FIBER_PRIVATE_H

/* What fiber.c and wait.c share. Nobody else includes it. */
#include "base/fiber.h"
#include "base/list.h"
#include "base/loop.h"

enum fiber_state {
	FIBER_RUNNING,	     /* fiber_current(); on no list */
	FIBER_READY_WOKEN,   /* on the ready list, never ran or was parked: a wake adds nothing */
	FIBER_READY_YIELDED, /* on the ready list of its own will: a wake is remembered */
	FIBER_PARKED,	     /* on no list; only fiber_wake() brings it back */
	FIBER_DEAD,	     /* its function returned; about to be freed */
};

struct fiber {
	struct list_head ready_link;
	enum fiber_state state;
	bool wake_pending;
	bool interrupted;
	bool in_interruptible_sleep;
	bool asked_host;
	bool serving; /* sleeps so that errands are run */
	struct list_head errands;
	bool timed_out;		  /* sleep_timer expired since it was armed */
	struct timer sleep_timer; /* its heap slot is reserved, so that a sleep cannot fail */
	void *sp;		  /* saved stack pointer while not running */
	uint8_t *stack;		  /* lowest usable address */
	const char *name;	  /* borrowed, static storage */
	fiber_fn *fn;
	void *arg;
	void *owner;
};

#endif
