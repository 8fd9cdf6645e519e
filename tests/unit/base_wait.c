/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "abi/errno.h"
#include "base/loop.h"
#include "base/wait.h"

static struct wait_queue queue;
static bool ready;
static int results[8];

static void run_all(void)
{
	while (fiber_any_ready())
		fiber_run_ready();
}

static void wait_ready(void *arg)
{
	*(int *)arg = wait_event_interruptible(&queue, ready) + 1000;
}

Test(wait, wakes_on_condition)
{
	struct fiber *fiber;

	wait_queue_init(&queue);
	ready = false;
	cr_assert_eq(fiber_create(&fiber, "waiter", wait_ready, &results[0]), 0);
	run_all();
	wait_queue_wake(&queue, 1); /* spurious: the condition does not hold */
	run_all();
	cr_assert_eq(results[0], 0);
	ready = true;
	wait_queue_wake(&queue, 1);
	run_all();
	cr_assert_eq(results[0], 1000);
}

Test(wait, interruption)
{
	struct fiber *fiber;

	wait_queue_init(&queue);
	ready = false;
	cr_assert_eq(fiber_create(&fiber, "waiter", wait_ready, &results[0]), 0);
	run_all();
	fiber_set_interrupted(fiber, true);
	run_all();
	cr_assert_eq(results[0], 1000 - ERESTARTSYS);
	cr_assert(list_empty(&queue.entries));
}

static void wait_exclusive(void *arg)
{
	*(int *)arg = wait_sleep(&queue, 1, WAIT_FOREVER, true, true) + 1000;
}

static void wait_shared(void *arg)
{
	*(int *)arg = wait_sleep(&queue, 1, WAIT_FOREVER, true, false) + 1000;
}

Test(wait, one_exclusive_and_all_others)
{
	wait_queue_init(&queue);
	fiber_create(NULL, "x0", wait_exclusive, &results[0]);
	fiber_create(NULL, "x1", wait_exclusive, &results[1]);
	fiber_create(NULL, "s2", wait_shared, &results[2]);
	fiber_create(NULL, "s3", wait_shared, &results[3]);
	run_all();
	wait_queue_wake(&queue, 2); /* nobody asked for this */
	run_all();
	cr_assert_eq(results[2], 0);
	wait_queue_wake(&queue, 1);
	run_all();
	cr_assert_eq(results[0], 1000);
	cr_assert_eq(results[1], 0);
	cr_assert_eq(results[2], 1000);
	cr_assert_eq(results[3], 1000);
	/* Two wake-ups in a row go to two sleepers, although the first has not run yet. */
	fiber_create(NULL, "x4", wait_exclusive, &results[4]);
	run_all();
	wait_queue_wake(&queue, 1);
	wait_queue_wake(&queue, 1);
	run_all();
	cr_assert_eq(results[1], 1000);
	cr_assert_eq(results[4], 1000);
}

struct hook {
	struct wait_entry entry;
	int calls;
	uint32_t events;
	struct hook *victim;
	bool destroy;
};

static bool hook_notify(struct wait_entry *entry, uint32_t events)
{
	struct hook *hook = container_of(entry, struct hook, entry);

	hook->calls++;
	hook->events = events;
	if (hook->victim)
		wait_entry_remove(&hook->victim->entry);
	if (hook->destroy && !(events & WAIT_QUEUE_GONE))
		wait_queue_destroy(&queue);
	return true;
}

Test(wait, callbacks_may_remove_others)
{
	struct hook a = {.entry = {.events = ~0u, .notify = hook_notify}};
	struct hook b = a, c = a;

	wait_queue_init(&queue);
	wait_entry_add(&queue, &a.entry);
	wait_entry_add(&queue, &b.entry);
	wait_entry_add(&queue, &c.entry);
	c.victim = &b; /* the latest is told first */
	wait_queue_wake(&queue, 4);
	cr_assert_eq(a.calls, 1);
	cr_assert_eq(b.calls, 0);
	cr_assert_eq(c.calls, 1);
	cr_assert_eq(a.events, 4);
	c.victim = NULL;
	c.destroy = true;
	wait_queue_wake(&queue, 4);
	cr_assert_eq(a.calls, 2);
	cr_assert(a.events & WAIT_QUEUE_GONE);
	cr_assert_null(a.entry.queue);
	cr_assert(list_empty(&queue.entries));
}

static struct fiber_mutex mutex;
static int order[8], order_count;

static void lock_and_note(void *arg)
{
	if (fiber_mutex_lock_interruptible(&mutex) < 0) {
		order[order_count++] = -1;
		return;
	}
	order[order_count++] = *(int *)arg;
	fiber_yield();
	cr_assert_not(fiber_mutex_trylock(&mutex));
	fiber_mutex_unlock(&mutex);
}

Test(mutex, is_fair)
{
	int ids[4] = {0, 1, 2, 3};
	struct fiber *fibers[4];

	fiber_mutex_init(&mutex);
	for (int i = 0; i < 4; i++)
		fiber_create(&fibers[i], "locker", lock_and_note, &ids[i]);
	fiber_run_ready();
	fiber_set_interrupted(fibers[2], true);
	run_all();
	cr_assert_eq(order_count, 4);
	cr_assert_eq(order[0], 0);
	cr_assert_eq(order[1] + order[2] + order[3], 1 + 3 - 1);
	cr_assert_null(mutex.owner);
}

static void sleep_a_little(void *arg)
{
	uint64_t start = loop_monotonic_now();

	*(int *)arg = wait_event_deadline(NULL, false, start + 5000000);
	loop_stop(loop_monotonic_now() - start >= 5000000);
}

Test(wait, deadline)
{
	int result = 0;

	cr_assert_eq(loop_init(), 0);
	fiber_create(NULL, "sleeper", sleep_a_little, &result);
	cr_assert_eq(loop_run(), 1);
	cr_assert_eq(result, -ETIMEDOUT);
	loop_fini();
}
