/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/fiber.h"
#include "base/late.h"

static char trace[64];

static void note(char c)
{
	size_t length = strlen(trace);

	if (length + 1 < sizeof(trace)) {
		trace[length] = c;
		trace[length + 1] = '\0';
	}
}

static void yielder(void *arg)
{
	for (int i = 0; i < 3; i++) {
		note(*(char *)arg);
		fiber_yield();
	}
}

static void run_all(void)
{
	while (fiber_any_ready())
		fiber_run_ready();
}

Test(fiber, round_robin)
{
	char a = 'a', b = 'b';

	trace[0] = '\0';
	cr_assert_eq(fiber_create(NULL, "a", yielder, &a), 0);
	cr_assert_eq(fiber_create(NULL, "b", yielder, &b), 0);
	cr_assert_null(fiber_current());
	run_all();
	cr_assert_str_eq(trace, "ababab");
}

static void parker(void *arg)
{
	int *count = arg;

	fiber_set_owner(fiber_current(), arg);
	for (int i = 0; i < 3; i++) {
		fiber_park();
		++*count;
		cr_assert_eq(fiber_owner(), arg);
	}
}

Test(fiber, wakes_are_remembered_once)
{
	struct fiber *fiber;
	int count = 0;

	cr_assert_eq(fiber_create(&fiber, "parker", parker, &count), 0);
	run_all();
	cr_assert_eq(count, 0);
	fiber_wake(fiber);
	fiber_wake(fiber); /* it is ready already: adds nothing */
	run_all();
	cr_assert_eq(count, 1);
	fiber_wake(fiber);
	run_all();
	fiber_wake(fiber);
	run_all();
	cr_assert_eq(count, 3);
	cr_assert_null(fiber_owner());
}

static void self_waker(void *arg)
{
	fiber_wake(fiber_current());
	fiber_wake(fiber_current());
	fiber_park(); /* returns at once */
	*(int *)arg = 1;
	fiber_park();
	*(int *)arg = 2;
}

Test(fiber, wake_of_running_fiber)
{
	struct fiber *fiber;
	int state = 0;

	cr_assert_eq(fiber_create(&fiber, "self", self_waker, &state), 0);
	run_all();
	cr_assert_eq(state, 1);
	fiber_wake(fiber);
	run_all();
	cr_assert_eq(state, 2);
}

static int depth_sum(int depth)
{
	volatile char frame[256];

	frame[0] = (char)depth;
	fiber_yield();
	return depth == 0 ? 0 : frame[0] + depth_sum(depth - 1);
}

static void deep(void *arg)
{
	*(int *)arg = depth_sum(100);
}

/* Stacks are reused: more fibers over time than the pool holds, each with live frames across
 * switches. */
Test(fiber, many)
{
	int sums[150] = {0};

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 150; i++)
			cr_assert_eq(fiber_create(NULL, "deep", deep, &sums[i]), 0);
		run_all();
		for (int i = 0; i < 150; i++) {
			cr_assert_eq(sums[i], 5050);
			sums[i] = 0;
		}
	}
}

static void note_late(struct late_work *work)
{
	(void)work;
	note('L');
}

static struct late_work late = {.run = note_late};

static void leaver(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++) {
		late_work_add(&late);
		late_work_add(&late);
		note('a');
		fiber_yield();
	}
	late_work_add(&late);
	list_remove(&late.link);
}

/* Once, when its fiber has given up the CPU, before the next one runs. */
Test(fiber, late_work)
{
	char b = 'b';

	trace[0] = '\0';
	list_init(&late.link);
	cr_assert_eq(fiber_create(NULL, "a", leaver, NULL), 0);
	cr_assert_eq(fiber_create(NULL, "b", yielder, &b), 0);
	run_all();
	cr_assert_str_eq(trace, "aLbaLbb");
	late_work_add(&late);
	cr_assert_str_eq(trace, "aLbaLbbL");
}
