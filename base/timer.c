/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a binary min-heap of pointers, ordered by deadline. Each timer knows its index, so moving
 * and cancelling take O(log n) without a search.
 *
 * The array always has room for every armed timer plus all reserved slots. An armed timer whose
 * slot was reserved counts twice, which only makes the array larger than it need be.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/timer_private.h"

static struct {
	struct timer **heap;
	size_t count, capacity, reserved;
} timers;

static void place(size_t index, struct timer *timer)
{
	timers.heap[index] = timer;
	timer->heap_index = index;
}

static void sift_up(size_t index)
{
	struct timer *timer = timers.heap[index];

	while (index > 0) {
		size_t parent = (index - 1) / 2;

		if (timers.heap[parent]->deadline <= timer->deadline)
			break;
		place(index, timers.heap[parent]);
		index = parent;
	}
	place(index, timer);
}

static void sift_down(size_t index)
{
	struct timer *timer = timers.heap[index];

	for (;;) {
		size_t child = 2 * index + 1;

		if (child >= timers.count)
			break;
		if (child + 1 < timers.count &&
			timers.heap[child + 1]->deadline < timers.heap[child]->deadline)
			child++;
		if (timer->deadline <= timers.heap[child]->deadline)
			break;
		place(index, timers.heap[child]);
		index = child;
	}
	place(index, timer);
}

static int ensure_room(size_t extra)
{
	size_t needed = timers.count + timers.reserved + extra;
	size_t capacity = timers.capacity ? timers.capacity : 64;
	struct timer **heap;

	if (needed <= timers.capacity)
		return 0;
	while (capacity < needed)
		capacity *= 2;
	heap = realloc(timers.heap, capacity * sizeof(struct timer *));
	if (!heap)
		return -ENOMEM;
	timers.heap = heap;
	timers.capacity = capacity;
	return 0;
}

int timers_reserve(size_t count)
{
	int err = ensure_room(count);

	if (err < 0)
		return err;
	timers.reserved += count;
	return 0;
}

void timers_unreserve(size_t count)
{
	sentry_assert(timers.reserved >= count);
	timers.reserved -= count;
}

void timer_init(struct timer *timer, void (*expired)(struct timer *timer), void *data)
{
	*timer = (struct timer){.heap_index = SIZE_MAX, .expired = expired, .data = data};
}

void timer_arm_reserved(struct timer *timer, uint64_t deadline)
{
	if (timer_armed(timer)) {
		timer->deadline = deadline;
		sift_up(timer->heap_index);
		sift_down(timer->heap_index);
		return;
	}
	sentry_assert(timers.count < timers.capacity);
	timer->deadline = deadline;
	timers.heap[timers.count] = timer;
	sift_up(timers.count++);
}

int timer_arm(struct timer *timer, uint64_t deadline)
{
	if (!timer_armed(timer)) {
		int err = ensure_room(1);

		if (err < 0)
			return err;
	}
	timer_arm_reserved(timer, deadline);
	return 0;
}

bool timer_cancel(struct timer *timer)
{
	size_t index = timer->heap_index;
	struct timer *last;

	if (!timer_armed(timer))
		return false;
	sentry_assert(index < timers.count && timers.heap[index] == timer);
	timer->heap_index = SIZE_MAX;
	last = timers.heap[--timers.count];
	if (last != timer) {
		place(index, last);
		sift_up(index);
		sift_down(last->heap_index);
	}
	return true;
}

uint64_t timers_next_deadline(void)
{
	return timers.count ? timers.heap[0]->deadline : UINT64_MAX;
}

unsigned timers_expire(uint64_t now)
{
	/* A callback that re-arms at once must not keep the loop here. */
	size_t budget = timers.count;
	unsigned expired = 0;

	while (budget-- > 0 && timers.count > 0 && timers.heap[0]->deadline <= now) {
		struct timer *timer = timers.heap[0];

		timer_cancel(timer);
		timer->expired(timer);
		expired++;
	}
	return expired;
}

void timers_fini(void)
{
	for (size_t i = 0; i < timers.count; i++)
		timers.heap[i]->heap_index = SIZE_MAX;
	timers.count = 0;
	if (timers.reserved == 0) {
		free(timers.heap);
		timers.heap = NULL;
		timers.capacity = 0;
	}
}
