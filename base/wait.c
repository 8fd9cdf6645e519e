/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait queues.
 *
 * While a queue is walked, callbacks may take any entry off it (their own, or others': an epoll
 * instance that is closed), and may add new ones. The walk therefore moves a marker entry along: it
 * stands behind the entry that is being told, and what was added meanwhile goes behind the end of
 * the walk, which is a second marker.
 */
#include "base/wait.h"

#include <errno.h>

#include "abi/errno.h"
#include "base/fiber_private.h"
#include "base/log.h"
#include "base/timer_private.h"

void wait_queue_init(struct wait_queue *queue)
{
	list_init(&queue->entries);
}

void wait_queue_destroy(struct wait_queue *queue)
{
	while (!list_empty(&queue->entries)) {
		struct wait_entry *entry = list_first(&queue->entries, struct wait_entry, link);

		wait_entry_remove(entry);
		if (entry->notify)
			entry->notify(entry, ~0u | WAIT_QUEUE_GONE);
	}
}

/* Exclusive entries stand behind the others, so that every non-exclusive one hears of each event.
 */
void wait_entry_add(struct wait_queue *queue, struct wait_entry *entry)
{
	sentry_assert(!entry->queue);
	entry->queue = queue;
	if (entry->exclusive)
		list_add_tail(&entry->link, &queue->entries);
	else
		list_add(&entry->link, &queue->entries);
}

void wait_entry_remove(struct wait_entry *entry)
{
	if (!entry->queue)
		return;
	list_remove(&entry->link);
	entry->queue = NULL;
}

static bool is_marker(const struct wait_entry *entry)
{
	return !entry->notify;
}

static unsigned wake_depth;
static uint64_t wake_number;

uint64_t wait_queue_wake_number(void)
{
	return wake_number;
}

static void wake(struct wait_queue *queue, uint32_t events, bool all)
{
	struct wait_entry end = {.queue = queue};
	struct wait_entry here = {.queue = queue};

	if (list_empty(&queue->entries))
		return;
	if (wake_depth++ == 0)
		wake_number++;
	list_add_tail(&end.link, &queue->entries);
	list_add(&here.link, &queue->entries);
	/* The markers are dequeued by wait_queue_destroy() when a callback frees the object: then
	 * end.queue is NULL. */
	while (here.queue && here.link.next != &end.link) {
		struct wait_entry *entry = list_entry(here.link.next, struct wait_entry, link);
		bool accepted;

		list_remove(&here.link);
		list_add(&here.link, &entry->link);
		if (is_marker(entry) || !(entry->events & events))
			continue;
		accepted = entry->exclusive && !all;
		accepted = entry->notify(entry, events) && accepted;
		if (accepted)
			break;
	}
	wait_entry_remove(&here);
	wait_entry_remove(&end);
	wake_depth--;
}

void wait_queue_wake(struct wait_queue *queue, uint32_t events)
{
	wake(queue, events, false);
}

void wait_queue_wake_all(struct wait_queue *queue, uint32_t events)
{
	wake(queue, events, true);
}

struct sleeper {
	struct wait_entry entry;
	struct fiber *fiber;
	bool woken;
};

static bool sleeper_notify(struct wait_entry *entry, uint32_t events)
{
	struct sleeper *sleeper = container_of(entry, struct sleeper, entry);

	(void)events;
	/* One exclusive wake-up is for one sleeper: it does not count twice. */
	if (sleeper->woken)
		return false;
	sleeper->woken = true;
	fiber_wake(sleeper->fiber);
	return true;
}

/* Parks; with @serving errands are run, and what ends the sleep is looked at again after them. */
static void park(struct fiber *self, const struct sleeper *sleeper, bool timed, bool interruptible,
	bool serving)
{
	for (;;) {
		if (serving && !list_empty(&self->errands)) {
			fiber_run_errands();
			if (sleeper->woken || (timed && self->timed_out) ||
				(interruptible && self->interrupted))
				return;
			continue;
		}
		self->in_interruptible_sleep = interruptible;
		self->serving = serving;
		fiber_park();
		self->in_interruptible_sleep = false;
		self->serving = false;
		if (!serving || list_empty(&self->errands))
			return;
	}
}

/* kernel: prepare_to_wait_event(), schedule_hrtimeout_range() */
static int sleep_on(struct wait_queue *queue, uint32_t events, uint64_t deadline,
	bool interruptible, bool exclusive, bool serving)
{
	struct fiber *self = fiber_current();
	struct sleeper sleeper = {
		.entry = {.events = events, .exclusive = exclusive, .notify = sleeper_notify},
		.fiber = self,
	};

	sentry_assert(self);
	if (interruptible && self->interrupted)
		return -ERESTARTSYS;
	if (deadline != WAIT_FOREVER) {
		if (deadline <= loop_monotonic_now())
			return -ETIMEDOUT;
		self->timed_out = false;
		timer_arm_reserved(&self->sleep_timer, deadline);
	}
	if (queue)
		wait_entry_add(queue, &sleeper.entry);
	park(self, &sleeper, deadline != WAIT_FOREVER, interruptible, serving);
	wait_entry_remove(&sleeper.entry);
	if (deadline != WAIT_FOREVER)
		timer_cancel(&self->sleep_timer);

	/* A wake-up that was taken is reported, whatever else happened: an exclusive one must not
	 * get lost. */
	if (sleeper.woken)
		return 0;
	if (interruptible && self->interrupted)
		return -ERESTARTSYS;
	if (deadline != WAIT_FOREVER && self->timed_out)
		return -ETIMEDOUT;
	return 0;
}

int wait_sleep(struct wait_queue *queue, uint32_t events, uint64_t deadline, bool interruptible,
	bool exclusive)
{
	return sleep_on(queue, events, deadline, interruptible, exclusive, interruptible);
}

void wait_sleep_serving(struct wait_queue *queue, uint64_t deadline)
{
	(void)sleep_on(queue, ~0u, deadline, false, false, true);
}

void fiber_mutex_init(struct fiber_mutex *mutex)
{
	mutex->owner = NULL;
	wait_queue_init(&mutex->queue);
}

/*
 * FIFO by handing over: unlock makes the first sleeper the owner, so that nobody overtakes it
 * between its wake-up and its turn.
 */
static int mutex_lock(struct fiber_mutex *mutex, bool interruptible, bool serving)
{
	struct fiber *self = fiber_current();

	sentry_assert(self && mutex->owner != self);
	if (!mutex->owner) {
		mutex->owner = self;
		return 0;
	}
	for (;;) {
		int err = sleep_on(&mutex->queue, ~0u, WAIT_FOREVER, interruptible, true, serving);

		if (mutex->owner == self)
			return 0;
		if (err < 0)
			return err;
	}
}

void fiber_mutex_lock(struct fiber_mutex *mutex)
{
	(void)mutex_lock(mutex, false, false);
}

void fiber_mutex_lock_serving(struct fiber_mutex *mutex)
{
	(void)mutex_lock(mutex, false, true);
}

int fiber_mutex_lock_interruptible(struct fiber_mutex *mutex)
{
	return mutex_lock(mutex, true, true);
}

bool fiber_mutex_trylock(struct fiber_mutex *mutex)
{
	if (mutex->owner)
		return false;
	mutex->owner = fiber_current();
	sentry_assert(mutex->owner);
	return true;
}

void fiber_mutex_unlock(struct fiber_mutex *mutex)
{
	sentry_assert(mutex->owner == fiber_current() && mutex->owner);
	mutex->owner = NULL;
	if (!list_empty(&mutex->queue.entries)) {
		struct wait_entry *first =
			list_first(&mutex->queue.entries, struct wait_entry, link);
		struct sleeper *sleeper = container_of(first, struct sleeper, entry);

		mutex->owner = sleeper->fiber;
		wait_entry_remove(first);
		sleeper_notify(first, ~0u);
	}
}
