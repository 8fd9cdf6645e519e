/* SPDX-License-Identifier: Apache-2.0 */
/* epoll(7) and poll(2) over pipes and eventfds. */
#include <errno.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "base/checked.h"
#include "tests/unit/fiber_test.h"
#include "vfs/anon.h"

static struct file *epoll, *event;
static struct lx_epoll_event out[8];

static void start(void)
{
	cr_assert_eq(epoll_new(&epoll), 0);
	cr_assert_eq(eventfd_new(0, false, LX_O_NONBLOCK, &event), 0);
}

static int control(int operation, struct file *file, int fd, uint32_t events)
{
	struct lx_epoll_event wanted = {.events = events, .data = (uint64_t)fd};

	return epoll_control(epoll, operation, file, fd, &wanted);
}

static int64_t ready(void)
{
	return epoll_wait_events(epoll, out, array_size(out), 0);
}

static void signal_event(struct file *file)
{
	uint64_t one = 1;
	struct uio_segment segment;
	struct uio uio;

	uio_init_kernel(&uio, &segment, &one, sizeof(one));
	cr_assert_eq(file_write(file, &uio, NULL), 8);
}

static void drain_event(struct file *file)
{
	uint64_t value;
	struct uio_segment segment;
	struct uio uio;

	uio_init_kernel(&uio, &segment, &value, sizeof(value));
	cr_assert_eq(file_read(file, &uio, NULL), 8);
}

FIBER_TEST(epoll, control_errors)
{
	static const struct file_ops no_poll = {.name = "none"};
	struct file *other, *plain;

	start();
	cr_assert_eq(epoll_new(&other), 0);
	cr_assert_eq(file_new_anonymous("x", &no_poll, NULL, LX_O_RDWR, 0600, &plain), 0);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, plain, 1, LX_EPOLLIN), -EPERM);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, epoll, 1, LX_EPOLLIN), -EINVAL);
	cr_assert_eq(control(LX_EPOLL_CTL_MOD, event, 1, LX_EPOLLIN), -ENOENT);
	cr_assert_eq(control(LX_EPOLL_CTL_DEL, event, 1, 0), -ENOENT);
	cr_assert_eq(control(7, event, 1, 0), -EINVAL);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, event, 1, LX_EPOLLIN), 0);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, event, 1, LX_EPOLLIN), -EEXIST);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, event, 2, LX_EPOLLIN), 0); /* a dup'ed number */
	cr_assert_eq(control(LX_EPOLL_CTL_MOD, event, 1, LX_EPOLLIN | LX_EPOLLEXCLUSIVE), -EINVAL);
	cr_assert_eq(
		control(LX_EPOLL_CTL_ADD, event, 3, LX_EPOLLEXCLUSIVE | LX_EPOLLONESHOT), -EINVAL);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, other, 4, LX_EPOLLEXCLUSIVE | LX_EPOLLIN), -EINVAL);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, event, 3, LX_EPOLLEXCLUSIVE | LX_EPOLLIN), 0);
	cr_assert_eq(control(LX_EPOLL_CTL_MOD, event, 3, LX_EPOLLIN), -EINVAL);
	cr_assert_eq(control(LX_EPOLL_CTL_DEL, event, 3, 0), 0);
	file_unref(plain);
	file_unref(other);
	file_unref(epoll);
	file_unref(event);
}

FIBER_TEST(epoll, level_edge_oneshot)
{
	start();
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, event, 1, LX_EPOLLIN), 0);
	cr_assert_eq(ready(), 0);
	signal_event(event);
	cr_assert_eq(ready(), 1);
	cr_assert_eq(out[0].events, LX_EPOLLIN);
	cr_assert_eq(out[0].data, 1);
	cr_assert_eq(ready(), 1); /* level */
	drain_event(event);
	cr_assert_eq(ready(), 0);

	cr_assert_eq(control(LX_EPOLL_CTL_MOD, event, 1, LX_EPOLLIN | LX_EPOLLET), 0);
	signal_event(event);
	cr_assert_eq(ready(), 1);
	cr_assert_eq(ready(), 0);
	signal_event(event); /* one more edge, though it was readable */
	cr_assert_eq(ready(), 1);
	cr_assert_eq(control(LX_EPOLL_CTL_MOD, event, 1, LX_EPOLLIN | LX_EPOLLET), 0);
	cr_assert_eq(ready(), 1); /* modifying asks anew */

	cr_assert_eq(control(LX_EPOLL_CTL_MOD, event, 1, LX_EPOLLIN | LX_EPOLLONESHOT), 0);
	cr_assert_eq(ready(), 1);
	signal_event(event);
	cr_assert_eq(ready(), 0);
	cr_assert_eq(control(LX_EPOLL_CTL_MOD, event, 1, LX_EPOLLIN | LX_EPOLLONESHOT), 0);
	cr_assert_eq(ready(), 1);
	file_unref(epoll);
	file_unref(event);
}

/* Level-triggered files take turns when there is room for fewer events than are ready. */
FIBER_TEST(epoll, is_fair)
{
	struct file *events[3];
	unsigned seen = 0;

	start();
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(eventfd_new(1, false, 0, &events[i]), 0);
		cr_assert_eq(control(LX_EPOLL_CTL_ADD, events[i], i, LX_EPOLLIN), 0);
	}
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(epoll_wait_events(epoll, out, 1, 0), 1);
		seen |= 1u << out[0].data;
	}
	cr_assert_eq(seen, 7);
	for (int i = 0; i < 3; i++)
		file_unref(events[i]);
	cr_assert_eq(ready(), 0); /* the files' ends ended the interest */
	file_unref(epoll);
	file_unref(event);
}

FIBER_TEST(epoll, hangup_is_always_reported)
{
	struct file *reader, *writer;

	start();
	cr_assert_eq(pipe_new(0, (struct cred *)(uintptr_t)cred_kernel(), &reader, &writer), 0);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, reader, 1, 0), 0);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, writer, 2, LX_EPOLLOUT | LX_EPOLLET), 0);
	cr_assert_eq(ready(), 1);
	cr_assert_eq(out[0].data, 2);
	file_unref(writer);
	cr_assert_eq(ready(), 1);
	cr_assert_eq(out[0].events, LX_EPOLLHUP);
	cr_assert_eq(out[0].data, 1);
	file_unref(reader);
	file_unref(epoll);
	file_unref(event);
}

FIBER_TEST(epoll, nested)
{
	struct file *outer, *chain[LX_EPOLL_NEST_MAX + 1];
	struct lx_epoll_event in = {.events = LX_EPOLLIN};

	start();
	cr_assert_eq(epoll_new(&outer), 0);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, event, 1, LX_EPOLLIN), 0);
	cr_assert_eq(epoll_control(outer, LX_EPOLL_CTL_ADD, epoll, 9, &in), 0);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, outer, 9, LX_EPOLLIN), -ELOOP);
	cr_assert_eq(epoll_wait_events(outer, out, 8, 0), 0);
	signal_event(event);
	cr_assert_eq(file_poll(outer), LX_POLLIN | LX_POLLRDNORM);
	cr_assert_eq(epoll_wait_events(outer, out, 8, 0), 1);
	drain_event(event);
	cr_assert_eq(epoll_wait_events(outer, out, 8, 0), 0);
	file_unref(outer);

	for (int i = 0; i <= LX_EPOLL_NEST_MAX; i++) {
		int r = epoll_new(&chain[i]);

		cr_assert_eq(r, 0);
		if (i > 0) {
			r = epoll_control(chain[i], LX_EPOLL_CTL_ADD, chain[i - 1], 0, &in);
			cr_assert_eq(r, i < LX_EPOLL_NEST_MAX ? 0 : -ELOOP, "%d: %d", i, r);
		}
	}
	for (int i = 0; i <= LX_EPOLL_NEST_MAX; i++)
		file_unref(chain[i]);
	file_unref(epoll);
	file_unref(event);
}

struct waiter {
	int64_t result;
	uint64_t deadline;
	bool done;
	struct fiber *fiber;
	struct file *epoll;
};

static void wait_fiber(void *arg)
{
	struct waiter *waiter = arg;
	struct lx_epoll_event events[4];

	waiter->result = epoll_wait_events(waiter->epoll, events, 4, waiter->deadline);
	waiter->done = true;
}

FIBER_TEST(epoll, waiting)
{
	struct waiter one = {.deadline = WAIT_FOREVER}, two = one;

	start();
	one.epoll = two.epoll = epoll;
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, event, 1, LX_EPOLLIN | LX_EPOLLET), 0);
	fiber_create(&one.fiber, "one", wait_fiber, &one);
	fiber_create(&two.fiber, "two", wait_fiber, &two);
	settle();
	signal_event(event);
	settle();
	cr_assert_eq(one.done + two.done, 1); /* one event, one waiter */
	fiber_set_interrupted(one.done ? two.fiber : one.fiber, true);
	settle();
	cr_assert_eq(one.result + two.result, 1 - EINTR);
	one = (struct waiter){.epoll = epoll, .deadline = loop_monotonic_now() + 1000000};
	wait_fiber(&one);
	cr_assert_eq(one.result, 0);
	file_unref(epoll);
	file_unref(event);
}

/* EPOLLEXCLUSIVE: of two instances that watch a file and have a waiter each, one is told. */
FIBER_TEST(epoll, exclusive)
{
	struct waiter waiters[2];
	struct lx_epoll_event in = {.events = LX_EPOLLIN | LX_EPOLLEXCLUSIVE};

	start();
	for (int i = 0; i < 2; i++) {
		waiters[i] = (struct waiter){.deadline = WAIT_FOREVER};
		cr_assert_eq(epoll_new(&waiters[i].epoll), 0);
		cr_assert_eq(epoll_control(waiters[i].epoll, LX_EPOLL_CTL_ADD, event, 5, &in), 0);
		fiber_create(&waiters[i].fiber, "waiter", wait_fiber, &waiters[i]);
	}
	settle();
	signal_event(event);
	settle();
	cr_assert_eq(waiters[0].done + waiters[1].done, 1);
	for (int i = 0; i < 2; i++) {
		if (!waiters[i].done)
			fiber_set_interrupted(waiters[i].fiber, true);
	}
	settle();
	file_unref(waiters[0].epoll);
	file_unref(waiters[1].epoll);
	file_unref(epoll);
	file_unref(event);
}

static void poll_fiber(void *arg)
{
	struct waiter *waiter = arg;
	struct poll_target targets[] = {
		{.file = event, .events = LX_POLLIN},
		{.file = NULL, .events = LX_POLLIN},
		{.file = epoll, .events = LX_POLLIN},
	};

	waiter->result = poll_files(targets, array_size(targets), waiter->deadline);
	waiter->done = true;
}

FIBER_TEST(poll, waits_for_any)
{
	struct waiter waiter = {.deadline = WAIT_FOREVER};

	start();
	fiber_create(&waiter.fiber, "poll", poll_fiber, &waiter);
	settle();
	cr_assert_not(waiter.done);
	signal_event(event);
	settle();
	cr_assert_eq(waiter.result, 1);
	cr_assert_eq(control(LX_EPOLL_CTL_ADD, event, 1, LX_EPOLLIN), 0);
	poll_fiber(&waiter);
	cr_assert_eq(waiter.result, 2);
	drain_event(event);
	waiter.deadline = 0;
	poll_fiber(&waiter);
	cr_assert_eq(waiter.result, 0);
	waiter.deadline = loop_monotonic_now() + 1000000;
	poll_fiber(&waiter);
	cr_assert_eq(waiter.result, 0);
	waiter = (struct waiter){.deadline = WAIT_FOREVER};
	fiber_create(&waiter.fiber, "poll", poll_fiber, &waiter);
	settle();
	fiber_set_interrupted(waiter.fiber, true);
	settle();
	cr_assert_eq(waiter.result, -ERESTARTNOHAND);
	file_unref(epoll);
	file_unref(event);
}
