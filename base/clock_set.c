/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock_set.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"

static struct list_head watches = LIST_HEAD_INIT(watches);
static struct wait_queue queue = {.entries = LIST_HEAD_INIT(queue.entries)};

static int64_t shift; /* tests': ns */

uint64_t loop_realtime_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec + (uint64_t)shift;
}

void clock_watch_init(struct clock_watch *watch, void (*was_set)(struct clock_watch *watch))
{
	list_init(&watch->link);
	watch->was_set = was_set;
}

void clock_watch_add(struct clock_watch *watch)
{
	if (list_empty(&watch->link))
		list_add_tail(&watch->link, &watches);
}

void clock_watch_remove(struct clock_watch *watch)
{
	list_remove(&watch->link);
}

struct wait_queue *clock_set_queue(void)
{
	return &queue;
}

void clock_was_set(void)
{
	struct clock_watch *watch, *next;

	list_for_each_entry_safe (watch, next, &watches, link)
		watch->was_set(watch);
	wait_queue_wake_all(&queue, ~0u);
}

void clock_set_shift(int64_t ns)
{
	shift = ns;
	clock_was_set();
}

/* What is read does not matter: that there is something does, and that it is gone then. */
static void host_clock_set(struct loop_fd *self, uint32_t events)
{
	uint64_t ticks;

	if (read(self->fd, &ticks, sizeof(ticks)) < 0 && errno != ECANCELED)
		return;
	clock_was_set();
}

void clock_set_init(void)
{
	static struct loop_fd host = {.fd = -1, .events = EPOLLIN, .ready = host_clock_set};
	/* The end of time, so that it never expires by itself. */
	const struct itimerspec never = {.it_value = {.tv_sec = INT64_MAX / 1000000000}};

	if (host.fd >= 0)
		return;
	host.fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (host.fd < 0)
		return;
	if (timerfd_settime(host.fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) <
			0 ||
		loop_fd_add(&host) < 0) {
		close(host.fd);
		host.fd = -1;
	}
}
