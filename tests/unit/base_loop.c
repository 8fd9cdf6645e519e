/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fiber.h"
#include "base/loop.h"

static void start(void)
{
	cr_assert_eq(loop_init(), 0);
}

static unsigned fired[64], fired_count;

static void note_timer(struct timer *timer)
{
	fired[fired_count++] = (unsigned)(uintptr_t)timer->data;
}

static void stop_timer(struct timer *timer)
{
	loop_stop((int)(uintptr_t)timer->data);
}

Test(loop, timers_fire_in_order, .init = start, .fini = loop_fini)
{
	struct timer timers[32], end;
	uint64_t now = loop_monotonic_now();

	for (unsigned i = 0; i < 32; i++) {
		timer_init(&timers[i], note_timer, (void *)(uintptr_t)i);
		cr_assert_eq(timer_arm(&timers[i], now + (i * 7 % 32) * 50000), 0);
	}
	cr_assert(timer_cancel(&timers[3]));
	cr_assert_not(timer_cancel(&timers[3]));
	cr_assert_eq(timer_arm(&timers[5], now + 32 * 50000), 0); /* moved to the end */
	timer_init(&end, stop_timer, (void *)9);
	timer_arm(&end, now + 10000000);
	cr_assert_eq(loop_run(), 9);
	cr_assert_eq(fired_count, 31);
	for (unsigned i = 1; i < 30; i++)
		cr_assert_lt(fired[i - 1] * 7 % 32, fired[i] * 7 % 32);
	cr_assert_eq(fired[30], 5);
	cr_assert_not(timer_armed(&timers[0]));
}

static struct loop_fd other;

static void pipe_ready(struct loop_fd *fd, uint32_t events)
{
	char byte;

	cr_assert(events & EPOLLIN);
	cr_assert_eq(read(fd->fd, &byte, 1), 1);
	/* Both are ready in the same batch: the one removed here must not be told. */
	if (other.fd >= 0)
		loop_fd_remove(fd == &other ? fd->data : &other);
	loop_stop(byte);
}

Test(loop, host_descriptors, .init = start, .fini = loop_fini)
{
	int a[2], b[2];
	struct loop_fd fd;

	cr_assert_eq(pipe(a), 0);
	cr_assert_eq(pipe(b), 0);
	fd = (struct loop_fd){.fd = a[0], .events = EPOLLIN, .ready = pipe_ready};
	other = (struct loop_fd){.fd = b[0], .events = EPOLLIN, .ready = pipe_ready, .data = &fd};
	cr_assert_eq(loop_fd_add(&fd), 0);
	cr_assert_eq(loop_fd_add(&other), 0);
	cr_assert_eq(write(a[1], "x", 1), 1);
	cr_assert_eq(write(b[1], "x", 1), 1);
	cr_assert_eq(loop_run(), 'x');
}

struct shared_source {
	struct loop_source source;
	_Atomic unsigned work;
	unsigned prepared, finished;
	int bell[2];
	uint64_t budget;
};

static unsigned shared_poll(struct loop_source *source)
{
	struct shared_source *shared = container_of(source, struct shared_source, source);

	if (atomic_load(&shared->work) == 0)
		return 0;
	atomic_store(&shared->work, 0);
	loop_stop(1);
	return 1;
}

static bool shared_prepare(struct loop_source *source)
{
	struct shared_source *shared = container_of(source, struct shared_source, source);

	/* Work that appears just before the sleep: the loop must not go to sleep over it. */
	shared->prepared++;
	atomic_store(&shared->work, 1);
	return false;
}

static void shared_finish(struct loop_source *source)
{
	container_of(source, struct shared_source, source)->finished++;
}

static unsigned nothing(struct loop_source *source)
{
	(void)source;
	return 0;
}

static bool prepare_ok(struct loop_source *source)
{
	(void)source;
	return true;
}

static unsigned finished_other;

static void finish_other(struct loop_source *source)
{
	(void)source;
	finished_other++;
}

static uint64_t spin_a_little(struct loop_source *source)
{
	(void)source;
	return 100000;
}

Test(loop, does_not_sleep_over_work, .init = start, .fini = loop_fini)
{
	struct loop_source quiet = {.poll = nothing,
		.prepare_sleep = prepare_ok,
		.finish_sleep = finish_other,
		.spin_budget = spin_a_little};
	struct shared_source shared = {.source = {.poll = shared_poll,
					       .prepare_sleep = shared_prepare,
					       .finish_sleep = shared_finish}};

	loop_source_add(&quiet);
	loop_source_add(&shared.source);
	cr_assert_eq(loop_run(), 1);
	cr_assert_eq(shared.prepared, 1);
	cr_assert_eq(shared.finished, 1);
	cr_assert_eq(finished_other, 1);
	loop_source_remove(&shared.source);
	loop_source_remove(&quiet);
}
