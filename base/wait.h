/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_WAIT_H
#define SENTRY_BASE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fiber.h"
#include "base/list.h"

/*
 * Wait queues: who wants to hear that something changed.
 *
 * An entry is either a sleeping fiber or a callback (poll, epoll, signalfd, ...). Wake-ups carry an
 * event mask in poll(2)'s bits (LX_POLLIN ...; ~0u = anything); an entry is told only of events
 * that it asked for. Since kernel code is not preempted, "test the condition, then sleep" has no
 * window.
 */
struct wait_queue {
	struct list_head entries;
};

struct wait_entry {
	struct list_head link;	  /* on wait_queue.entries while queued */
	struct wait_queue *queue; /* NULL when not queued */
	uint32_t events;
	bool exclusive; /* wait_queue_wake() stops after the first exclusive entry that accepted */
	/* Called on the kernel thread, must not sleep; may dequeue its own entry. Returns true when
	 * it accepted the wake-up. */
	bool (*notify)(struct wait_entry *entry, uint32_t events);
	void *data;
};

void wait_queue_init(struct wait_queue *queue);
/* Before the object that holds the queue is freed: dequeues all, telling each ~0u|WAIT_QUEUE_GONE.
 */
void wait_queue_destroy(struct wait_queue *queue);
#define WAIT_QUEUE_GONE 0x80000000u /* in @events: the queue is about to be freed */

void wait_entry_add(struct wait_queue *queue, struct wait_entry *entry);
void wait_entry_remove(struct wait_entry *entry); /* no-op when not queued */

/* Tells all (non-exclusive) entries and one exclusive one. */
void wait_queue_wake(struct wait_queue *queue, uint32_t events);
/* Tells all, the exclusive ones too: the other side hung up. */
void wait_queue_wake_all(struct wait_queue *queue, uint32_t events);

/*
 * Numbers the outermost wake-ups: what is woken from within one has the same number. Callbacks that
 * pass wake-ups on can tell that they have done so already.
 */
uint64_t wait_queue_wake_number(void);

/* Deadlines are absolute CLOCK_MONOTONIC nanoseconds. */
#define WAIT_FOREVER UINT64_MAX

/*
 * One sleep of wait_event*(): queue on @queue (may be NULL: only the deadline), park, dequeue.
 * Returns 0 when woken, -ETIMEDOUT when the deadline passed, -ERESTARTSYS when @interruptible and
 * the fiber's flag is set.
 */
int wait_sleep(struct wait_queue *queue, uint32_t events, uint64_t deadline, bool interruptible,
	bool exclusive);

/* Until woken, until @deadline, or for no reason; cannot be interrupted, and others' errands are
 * run meanwhile. */
void wait_sleep_serving(struct wait_queue *queue, uint64_t deadline);

/* Sleeps until @cond; cannot be interrupted. For short waits that are certain to end. */
#define wait_event(queue, cond)                                                                    \
	do {                                                                                       \
		while (!(cond))                                                                    \
			(void)wait_sleep(queue, ~0u, WAIT_FOREVER, false, false);                  \
	} while (0)

/* Value: 0 once @cond holds, -ERESTARTSYS, or -ETIMEDOUT. @cond is tested first and once more after
 * each failure. */
#define wait_event_deadline(queue, cond, deadline)                                                 \
	({                                                                                         \
		int wait_ret_ = 0;                                                                 \
		while (!(cond)) {                                                                  \
			if (wait_ret_ < 0)                                                         \
				break;                                                             \
			wait_ret_ = wait_sleep(queue, ~0u, deadline, true, false);                 \
		}                                                                                  \
		(cond) ? 0 : wait_ret_;                                                            \
	})

#define wait_event_interruptible(queue, cond) wait_event_deadline(queue, cond, WAIT_FOREVER)

/* A mutex for fibers: FIFO, not recursive, may sleep. For file positions, directory changes,
 * mapping operations. */
struct fiber_mutex {
	struct fiber *owner;
	struct wait_queue queue;
};
void fiber_mutex_init(struct fiber_mutex *mutex);
void fiber_mutex_lock(struct fiber_mutex *mutex);
/*
 * Runs errands while it waits, as an interruptible wait does: for locks that may be held by who
 * wants something of us, and only where the thread's platform is not in the middle of something.
 */
void fiber_mutex_lock_serving(struct fiber_mutex *mutex);
int fiber_mutex_lock_interruptible(struct fiber_mutex *mutex); /* 0 or -ERESTARTSYS */
bool fiber_mutex_trylock(struct fiber_mutex *mutex);
void fiber_mutex_unlock(struct fiber_mutex *mutex);

#endif
