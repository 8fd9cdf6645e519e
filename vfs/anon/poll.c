/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for many files: poll(2), select(2); kernel fs/select.c.
 *
 * The first round asks every file without queueing anywhere: most calls find something. Only a call
 * that has to sleep puts an entry on each file's queue; any wake-up there starts another round.
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "base/cleanup.h"
#include "vfs/anon.h"

/* A round's turn: files asked before the other fibers may run. */
#define POLL_ROUND_BUDGET 1000u
#define ON_STACK	  16u

struct poll_waiter {
	struct fiber *fiber;
	bool woken;
};

static bool poll_notify(struct wait_entry *entry, uint32_t events)
{
	struct poll_waiter *waiter = entry->data;

	(void)events;
	waiter->woken = true;
	fiber_wake(waiter->fiber);
	return true;
}

static int64_t poll_round(struct poll_target *targets, size_t count)
{
	int64_t ready = 0;

	for (size_t i = 0; i < count; i++) {
		struct poll_target *target = &targets[i];

		target->revents = 0;
		if (!target->file)
			continue;
		target->revents = file_poll(target->file) & target->events;
		if (target->revents)
			ready++;
		if ((i + 1) % POLL_ROUND_BUDGET == 0)
			fiber_yield();
	}
	return ready;
}

static void enqueue(struct poll_target *targets, struct wait_entry *entries, size_t count,
	struct poll_waiter *waiter)
{
	for (size_t i = 0; i < count; i++) {
		struct file *file = targets[i].file;
		struct wait_queue *queue =
			file && file->ops->poll_queue ? file->ops->poll_queue(file) : NULL;

		entries[i] = (struct wait_entry){
			.events = targets[i].events,
			.notify = poll_notify,
			.data = waiter,
		};
		if (queue)
			wait_entry_add(queue, &entries[i]);
	}
}

/* The entries are queued. */
static int64_t poll_sleep(
	struct poll_target *targets, size_t count, uint64_t deadline, struct poll_waiter *waiter)
{
	for (;;) {
		int64_t ready;
		int err;

		waiter->woken = false;
		ready = poll_round(targets, count);
		if (ready)
			return ready;
		if (fiber_interrupted(waiter->fiber))
			return -ERESTARTNOHAND;
		if (waiter->woken)
			continue;
		err = wait_sleep(NULL, 0, deadline, true, false);
		/* What came in the same moment goes before the time-out and the signal. */
		if (err < 0) {
			ready = poll_round(targets, count);
			if (ready)
				return ready;
			return err == -ETIMEDOUT ? 0 : -ERESTARTNOHAND;
		}
	}
}

int64_t poll_files(struct poll_target *targets, size_t count, uint64_t deadline)
{
	struct poll_waiter waiter = {.fiber = fiber_current()};
	_cleanup_free_ struct wait_entry *allocated = NULL;
	struct wait_entry on_stack[ON_STACK], *entries = on_stack;
	int64_t ready = poll_round(targets, count);

	if (ready)
		return ready;
	if (fiber_interrupted(waiter.fiber))
		return -ERESTARTNOHAND;
	if (deadline == 0)
		return 0;
	if (count > ON_STACK) {
		allocated = malloc(count * sizeof(*allocated));
		if (!allocated)
			return -ENOMEM;
		entries = allocated;
	}
	enqueue(targets, entries, count, &waiter);
	ready = poll_sleep(targets, count, deadline, &waiter);
	for (size_t i = 0; i < count; i++)
		wait_entry_remove(&entries[i]);
	return ready;
}
