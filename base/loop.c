/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main loop.
 *
 * One turn: ask every source, run what it found, expire timers, run fibers, look at host
 * descriptors. While turns find work the host descriptors are asked only every HOST_POLL_INTERVAL,
 * since each question is a host call and the hot path is shared memory. A turn that found nothing
 * starts the spin phase, as long as the largest budget among the sources; only then the loop
 * sleeps, in ppoll(2) on the bell and the epoll set of all other descriptors, or in the latter
 * alone.
 *
 * Sleeping races with sources that publish work in shared memory. prepare_sleep() announces the
 * sleep, then looks once more; the other side publishes its work, then looks whether the kernel
 * sleeps and rings. With a full fence between the two steps on both sides, at least one of them
 * sees the other.
 */
#include "base/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fiber.h"
#include "base/log.h"
#include "base/timer_private.h"

#define NSEC_PER_SEC	   1000000000ull
#define HOST_POLL_INTERVAL 20000u /* ns; bounds how late a busy loop hears of a host descriptor */
#define ROUNDS_MAX                                                                                 \
	4u /* of fibers in one turn: those that only yield must not keep the loop away             \
	    */
#define BATCH_MAX 64

static struct {
	int epoll_fd;
	bool stopped;
	int stop_value;
	bool no_pwait2; /* see loop_has_pwait2() */
	uint64_t now;
	uint64_t last_host_poll;
	struct list_head sources;
	struct loop_source *next_source; /* of the walk in progress, so that sources may be removed
					    from callbacks */
	struct loop_fd *bell;		 /* not in the epoll set */
	struct epoll_event batch[BATCH_MAX];
	int batch_index, batch_count;
} loop = {.epoll_fd = -1, .sources = LIST_HEAD_INIT(loop.sources)};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t loop_monotonic_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t loop_monotonic(void)
{
	return loop.now;
}

/* Asked once, so that a confined process needs one of the two calls and never both. */
static bool host_has_pwait2(int epoll_fd)
{
	static const struct timespec now = {0};
	struct epoll_event event;

	return epoll_pwait2(epoll_fd, &event, 1, &now, NULL) >= 0 ||
	       (errno != ENOSYS && errno != EPERM);
}

int loop_init(void)
{
	_cleanup_close_ int fd = -1;

	sentry_assert(loop.epoll_fd < 0);
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Guest sleeps end through our timers: the host's default of 50 us would be added to each.
	 */
	(void)prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	loop.epoll_fd = take_fd(&fd);
	loop.stopped = false;
	loop.stop_value = 0;
	loop.no_pwait2 = !host_has_pwait2(loop.epoll_fd);
	loop.now = loop_monotonic_now();
	return 0;
}

bool loop_has_pwait2(void)
{
	return !loop.no_pwait2;
}

void loop_fini(void)
{
	timers_fini();
	if (loop.epoll_fd >= 0)
		close(loop.epoll_fd);
	loop.epoll_fd = -1;
}

static int fd_control(struct loop_fd *fd, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = fd};

	if (epoll_ctl(loop.epoll_fd, operation, fd->fd, &event) < 0)
		return -errno;
	return 0;
}

int loop_fd_add(struct loop_fd *fd)
{
	return fd_control(fd, EPOLL_CTL_ADD, fd->events);
}

int loop_fd_modify(struct loop_fd *fd, uint32_t events)
{
	int err;

	if (events == fd->events)
		return 0;
	err = fd_control(fd, EPOLL_CTL_MOD, events);
	if (err < 0)
		return err;
	fd->events = events;
	return 0;
}

void loop_fd_remove(struct loop_fd *fd)
{
	(void)fd_control(fd, EPOLL_CTL_DEL, 0);
	for (int i = loop.batch_index; i < loop.batch_count; i++) {
		if (loop.batch[i].data.ptr == fd)
			loop.batch[i].data.ptr = NULL;
	}
}

void loop_set_bell(struct loop_fd *fd)
{
	loop.bell = fd;
}

void loop_source_add(struct loop_source *source)
{
	list_add_tail(&source->link, &loop.sources);
}

void loop_source_remove(struct loop_source *source)
{
	if (loop.next_source == source)
		loop.next_source = list_entry(source->link.next, struct loop_source, link);
	list_remove(&source->link);
}

void loop_stop(int value)
{
	loop.stopped = true;
	loop.stop_value = value;
}

static unsigned poll_sources(void)
{
	struct loop_source *source = list_first(&loop.sources, struct loop_source, link);
	unsigned found = 0;

	while (&source->link != &loop.sources) {
		loop.next_source = list_entry(source->link.next, struct loop_source, link);
		found += source->poll(source);
		source = loop.next_source;
	}
	loop.next_source = NULL;
	return found;
}

static uint64_t spin_budget(void)
{
	struct loop_source *source;
	uint64_t budget = 0;

	list_for_each_entry (source, &loop.sources, link) {
		uint64_t wanted = source->spin_budget ? source->spin_budget(source) : 0;

		if (wanted > budget)
			budget = wanted;
	}
	return budget;
}

static void spin_sources(void)
{
	struct loop_source *source;

	__builtin_ia32_pause();
	list_for_each_entry (source, &loop.sources, link) {
		if (source->spin)
			source->spin(source);
	}
}

/* NULL = for ever. */
static const struct timespec *timespec_of(uint64_t timeout_ns, struct timespec *ts)
{
	ts->tv_sec = (time_t)(timeout_ns / NSEC_PER_SEC);
	ts->tv_nsec = (long)(timeout_ns % NSEC_PER_SEC);
	return timeout_ns == UINT64_MAX ? NULL : ts;
}

/* @timeout_ns UINT64_MAX = for ever. Returns the number of events in loop.batch. */
static int host_wait(uint64_t timeout_ns)
{
	struct timespec ts;
	int timeout_ms = -1;

	if (!loop.no_pwait2)
		return epoll_pwait2(
			loop.epoll_fd, loop.batch, BATCH_MAX, timespec_of(timeout_ns, &ts), NULL);
	if (timeout_ns < UINT64_MAX) {
		uint64_t ms = (timeout_ns + 999999) / 1000000;

		timeout_ms = ms > INT32_MAX ? INT32_MAX : (int)ms;
	}
	return epoll_pwait(loop.epoll_fd, loop.batch, BATCH_MAX, timeout_ms, NULL);
}

static unsigned poll_epoll(uint64_t timeout_ns)
{
	int count = host_wait(timeout_ns);

	loop.now = loop_monotonic_now();
	if (count < 0) {
		if (errno != EINTR)
			panic("epoll_pwait: %s", strerror(errno));
		return 0;
	}
	loop.batch_count = count;
	for (loop.batch_index = 0; loop.batch_index < count; loop.batch_index++) {
		struct loop_fd *fd = loop.batch[loop.batch_index].data.ptr;

		if (fd)
			fd->ready(fd, loop.batch[loop.batch_index].events);
	}
	loop.batch_count = 0;
	return (unsigned)count;
}

static unsigned poll_host(uint64_t timeout_ns)
{
	struct loop_fd *bell = loop.bell;
	struct pollfd fds[2];
	struct timespec ts;
	unsigned found = 0;
	int count;

	loop.last_host_poll = loop.now;
	if (!bell)
		return poll_epoll(timeout_ns);
	fds[0] = (struct pollfd){.fd = bell->fd, .events = (short)bell->events};
	fds[1] = (struct pollfd){.fd = loop.epoll_fd, .events = POLLIN};
	count = ppoll(fds, 2, timespec_of(timeout_ns, &ts), NULL);
	if (timeout_ns > 0)
		loop.now = loop.last_host_poll = loop_monotonic_now();
	if (count < 0 && errno != EINTR)
		panic("ppoll: %s", strerror(errno));
	if (count <= 0)
		return 0;
	if (fds[0].revents) {
		bell->ready(bell, (uint32_t)fds[0].revents);
		found++;
	}
	if (fds[1].revents)
		found += poll_epoll(0);
	return found;
}

/* Announces the sleep to every source. False when one of them has work: the announcements are
 * withdrawn again. */
static bool prepare_sleep(struct list_head **ret_prepared_until)
{
	struct loop_source *source;

	list_for_each_entry (source, &loop.sources, link) {
		if (source->prepare_sleep && !source->prepare_sleep(source)) {
			*ret_prepared_until = source->link.next;
			return false;
		}
	}
	*ret_prepared_until = &loop.sources;
	return true;
}

static void sleep_until_event(void)
{
	struct list_head *until;
	uint64_t deadline = timers_next_deadline();
	uint64_t timeout = UINT64_MAX;

	if (deadline != UINT64_MAX) {
		uint64_t now = loop_monotonic_now();

		timeout = deadline > now ? deadline - now : 0;
	}
	if (prepare_sleep(&until))
		poll_host(timeout);
	/* No source came or went since: only callbacks of poll_host() could, and they keep the list
	 * whole. */
	for (struct list_head *link = loop.sources.next; link != &loop.sources; link = link->next) {
		struct loop_source *source = list_entry(link, struct loop_source, link);

		if (link == until)
			break;
		if (source->finish_sleep)
			source->finish_sleep(source);
	}
}

static unsigned turn(void)
{
	unsigned found;

	/* What a source found runs, and is answered, before anything else: somebody waits awake. */
	found = poll_sources();
	if (found > 0)
		found += fiber_run_ready();
	loop.now = loop_monotonic_now();
	found += timers_expire(loop.now);
	/* Who was woken by a fiber of this round is answered in this turn as well. */
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		unsigned ran = fiber_run_ready();

		found += ran;
		if (ran == 0)
			break;
	}
	if (loop.now - loop.last_host_poll >= HOST_POLL_INTERVAL)
		found += poll_host(0);
	return found;
}

int loop_run(void)
{
	uint64_t spin_end = 0; /* 0: the last turn found work */

	loop.stopped = false;
	while (!loop.stopped) {
		if (turn() > 0 || fiber_any_ready()) {
			spin_end = 0;
			continue;
		}
		if (loop.stopped)
			break;
		if (spin_end == 0)
			spin_end = loop.now + spin_budget();
		if (loop.now < spin_end) {
			spin_sources();
			continue;
		}
		sleep_until_event();
		spin_end = 0;
	}
	return loop.stop_value;
}
