/* SPDX-License-Identifier: Apache-2.0 */
/* timerfd_create(2) while the host's clock is set: forward, back, absolute and relative times. */
#include <errno.h>
#include <time.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/time.h"
#include "base/clock_set.h"
#include "base/loop.h"
#include "tests/unit/fiber_test.h"
#include "vfs/anon.h"

#define SECOND 1000000000ll
#define HOUR   (3600 * SECOND)

static struct file *new_timer(int clock)
{
	struct file *file;

	cr_assert_eq(timerfd_new(clock, LX_O_NONBLOCK, &file), 0);
	return file;
}

static int64_t read_ticks(struct file *file)
{
	struct uio_segment segment;
	uint64_t ticks = 0;
	struct uio uio;
	ssize_t n;

	uio_init_kernel(&uio, &segment, &ticks, sizeof(ticks));
	n = file_read(file, &uio, NULL);
	return n == sizeof(ticks) ? (int64_t)ticks : n;
}

/* @ns from now, on CLOCK_REALTIME when @absolute. */
static int set(struct file *file, int64_t ns, bool absolute, bool cancel)
{
	int64_t at = ns + (absolute ? (int64_t)loop_realtime_now() : 0);
	const struct lx_itimerspec value = {.it_value = {at / SECOND, at % SECOND}};

	return timerfd_set(file,
		(absolute ? LX_TFD_TIMER_ABSTIME : 0) | (cancel ? LX_TFD_TIMER_CANCEL_ON_SET : 0),
		&value, NULL);
}

static int64_t left(struct file *file)
{
	struct lx_itimerspec value;

	cr_assert_eq(timerfd_get(file, &value), 0);
	return value.it_value.tv_sec * SECOND + value.it_value.tv_nsec;
}

/* Until the loop's timers that are due have expired. */
static int64_t wait_ticks(struct file *file)
{
	int64_t ticks;

	while ((ticks = read_ticks(file)) == -EAGAIN)
		(void)wait_sleep(NULL, 0, loop_monotonic_now() + 1000000, false, false);
	return ticks;
}

FIBER_TEST(timerfd, absolute_time_comes_when_the_clock_is_set_forward)
{
	struct file *file = new_timer(LX_CLOCK_REALTIME);

	cr_assert_eq(set(file, HOUR, true, false), 0);
	cr_assert_eq(read_ticks(file), -EAGAIN);
	clock_set_shift(HOUR / 2);
	cr_assert_eq(read_ticks(file), -EAGAIN);
	cr_assert_leq(left(file), HOUR / 2);
	clock_set_shift(2 * HOUR);
	cr_assert_eq(wait_ticks(file), 1);
	clock_set_shift(0);
	file_unref(file);
}

FIBER_TEST(timerfd, absolute_time_moves_away_when_the_clock_is_set_back)
{
	struct file *file = new_timer(LX_CLOCK_REALTIME);

	cr_assert_eq(set(file, SECOND / 50, true, false), 0);
	clock_set_shift(-HOUR);
	cr_assert_gt(left(file), HOUR - SECOND);
	(void)wait_sleep(NULL, 0, loop_monotonic_now() + SECOND / 25, false, false);
	cr_assert_eq(read_ticks(file), -EAGAIN);
	clock_set_shift(0);
	cr_assert_eq(wait_ticks(file), 1);
	file_unref(file);
}

FIBER_TEST(timerfd, relative_time_stays)
{
	struct file *file = new_timer(LX_CLOCK_REALTIME), *soon = new_timer(LX_CLOCK_REALTIME);

	cr_assert_eq(set(file, HOUR, false, true), 0);
	cr_assert_eq(set(soon, SECOND / 50, false, false), 0);
	clock_set_shift(-2 * HOUR);
	cr_assert_leq(left(file), HOUR);
	cr_assert_eq(wait_ticks(soon), 1);
	clock_set_shift(2 * HOUR);
	cr_assert_eq(read_ticks(file), -EAGAIN); /* nor is it cancelled */
	cr_assert_gt(left(file), HOUR - 60 * SECOND);
	clock_set_shift(0);
	file_unref(file);
	file_unref(soon);
}

FIBER_TEST(timerfd, cancel_on_set)
{
	struct file *file = new_timer(LX_CLOCK_REALTIME), *other = new_timer(LX_CLOCK_MONOTONIC);

	cr_assert_eq(set(file, HOUR, true, true), 0);
	cr_assert_eq(set(other, HOUR, false, true), 0);
	clock_set_shift(SECOND);
	cr_assert(file->ops->poll(file) & LX_POLLIN);
	cr_assert_eq(read_ticks(file), -ECANCELED);
	cr_assert_eq(read_ticks(file), -EAGAIN); /* told once */
	cr_assert_eq(read_ticks(other), -EAGAIN);
	/* Also for who sets it anew instead. */
	clock_set_shift(0);
	cr_assert_eq(set(file, HOUR, true, true), -ECANCELED);
	cr_assert_gt(left(file), 0);
	cr_assert_eq(set(file, HOUR, true, false), 0);
	clock_set_shift(SECOND);
	cr_assert_eq(read_ticks(file), -EAGAIN);
	clock_set_shift(0);
	file_unref(file);
	file_unref(other);
}

static void shift_later(struct timer *timer)
{
	clock_set_shift(*(int64_t *)timer->data);
}

/* clock_nanosleep(2) and the like. */
FIBER_TEST(timerfd, sleepers_are_woken)
{
	int64_t shift = HOUR;
	struct timer timer;

	timer_init(&timer, shift_later, &shift);
	cr_assert_eq(timer_arm(&timer, loop_monotonic_now() + 1000000), 0);
	cr_assert_eq(
		wait_sleep(clock_set_queue(), ~0u, loop_monotonic_now() + 20 * SECOND, true, false),
		0);
	clock_set_shift(0);
}
