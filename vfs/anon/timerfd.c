/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timerfd_create(2), kernel fs/timerfd.c.
 *
 * The loop's timers run on CLOCK_MONOTONIC. An expiry in another clock is translated when it is
 * armed, anew when the host's clock was set (base/clock_set.h), and looked at again when the timer
 * fires. A relative one on CLOCK_REALTIME is not affected by that and runs on CLOCK_MONOTONIC
 * (hrtimer_setup()).
 *
 * As in Linux a periodic timer fires once and then rests until somebody reads or asks for it; the
 * expirations that passed meanwhile are computed then.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "base/checked.h"
#include "base/clock_set.h"
#include "base/loop.h"
#include "vfs/anon.h"

#define NSEC_PER_SEC 1000000000ull
#define TIME_MAX     ((uint64_t)INT64_MAX) /* KTIME_MAX: what is later never comes */

struct timerfd {
	int clock;	   /* LX_CLOCK_*: equal to the host's */
	int base;	   /* the one that `expires` is on */
	uint64_t expires;  /* ns; 0 = disarmed */
	uint64_t interval; /* ns; 0 = one shot */
	uint64_t ticks;	   /* unread expirations, without those since it last fired */
	bool fired;	   /* resting: the timer is not armed */
	int settime_flags;
	bool might_cancel, canceled; /* TFD_TIMER_CANCEL_ON_SET; the clock was set since it was told
				      */
	struct timer timer;
	struct clock_watch watch; /* while an absolute time on CLOCK_REALTIME is set */
	struct wait_queue queue;
};

static bool is_realtime(int clock)
{
	return clock == LX_CLOCK_REALTIME || clock == LX_CLOCK_REALTIME_ALARM;
}

static uint64_t clock_now(int clock)
{
	struct timespec now;

	if (is_realtime(clock))
		return loop_realtime_now();
	if (clock == LX_CLOCK_BOOTTIME_ALARM)
		clock = LX_CLOCK_BOOTTIME;
	if (clock_gettime(clock, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Saturates; the value is valid (not negative, nanoseconds below a second). */
static uint64_t timespec_to_ns(const struct lx_timespec *ts)
{
	uint64_t ns;

	if (!mul_checked((uint64_t)ts->tv_sec, NSEC_PER_SEC, &ns) ||
		!add_checked(ns, (uint64_t)ts->tv_nsec, &ns) || ns > TIME_MAX)
		return TIME_MAX;
	return ns;
}

static struct lx_timespec ns_to_timespec(uint64_t ns)
{
	return (struct lx_timespec){
		.tv_sec = (int64_t)(ns / NSEC_PER_SEC),
		.tv_nsec = (int64_t)(ns % NSEC_PER_SEC),
	};
}

static bool timespec_valid(const struct lx_timespec *ts)
{
	return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < (int64_t)NSEC_PER_SEC;
}

static int arm(struct timerfd *timerfd)
{
	uint64_t now = clock_now(timerfd->base), mono = loop_monotonic_now(), deadline;

	deadline = timerfd->expires > now ? mono + (timerfd->expires - now) : mono;
	if (deadline < mono)
		deadline = UINT64_MAX;
	timerfd->fired = false;
	return timer_arm(&timerfd->timer, deadline);
}

static void timerfd_expired(struct timer *timer)
{
	struct timerfd *timerfd = timer->data;

	if (clock_now(timerfd->base) < timerfd->expires) {
		(void)arm(timerfd); /* its slot in the heap was just given up: cannot fail */
		return;
	}
	timerfd->fired = true;
	timerfd->ticks++;
	wait_queue_wake(&timerfd->queue, LX_POLLIN);
}

/* kernel: timerfd_clock_was_set() */
static void clock_set(struct clock_watch *watch)
{
	struct timerfd *timerfd = container_of(watch, struct timerfd, watch);

	if (timer_armed(&timerfd->timer))
		(void)arm(timerfd); /* it has its slot in the heap: cannot fail */
	if (!timerfd->might_cancel)
		return;
	timerfd->canceled = true;
	timerfd->ticks++;
	wait_queue_wake(&timerfd->queue, LX_POLLIN);
}

/* Says once that the clock was set. */
static bool take_canceled(struct timerfd *timerfd)
{
	bool canceled = timerfd->might_cancel && timerfd->canceled;

	timerfd->canceled = false;
	return canceled;
}

/* A resting periodic timer goes on: adds the expirations that passed meanwhile
 * (hrtimer_forward_now()). */
static void catch_up(struct timerfd *timerfd)
{
	uint64_t now, passed;

	if (!timerfd->fired || !timerfd->interval)
		return;
	now = clock_now(timerfd->base);
	passed = now >= timerfd->expires ? (now - timerfd->expires) / timerfd->interval + 1 : 0;
	timerfd->expires += passed * timerfd->interval;
	if (passed > 1)
		timerfd->ticks += passed - 1; /* the first was counted when it fired */
	(void)arm(timerfd);
}

static ssize_t timerfd_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct timerfd *timerfd = file->private;
	uint64_t ticks;
	int err;

	(void)pos;
	if (uio->resid < sizeof(ticks))
		return -EINVAL;
	while (timerfd->ticks == 0) {
		if ((file->flags & LX_O_NONBLOCK) || uio->nonblock)
			return -EAGAIN;
		err = wait_sleep(&timerfd->queue, LX_POLLIN, WAIT_FOREVER, true, true);
		if (err < 0)
			return err;
	}
	/* Its owner has to think anew: the ticks do not matter. */
	if (take_canceled(timerfd)) {
		timerfd->ticks = 0;
		return -ECANCELED;
	}
	catch_up(timerfd);
	ticks = timerfd->ticks;
	timerfd->ticks = 0;
	if (uio_copy_to(uio, &ticks, sizeof(ticks)) != sizeof(ticks))
		return -EFAULT;
	return sizeof(ticks);
}

static uint32_t timerfd_poll(struct file *file)
{
	return ((struct timerfd *)file->private)->ticks ? LX_POLLIN : 0;
}

static struct wait_queue *timerfd_poll_queue(struct file *file)
{
	return &((struct timerfd *)file->private)->queue;
}

static void timerfd_release(struct file *file)
{
	struct timerfd *timerfd = file->private;

	timer_cancel(&timerfd->timer);
	clock_watch_remove(&timerfd->watch);
	wait_queue_destroy(&timerfd->queue);
	free(timerfd);
}

static uint64_t remaining(const struct timerfd *timerfd)
{
	uint64_t now;

	if (!timer_armed(&timerfd->timer))
		return 0;
	now = clock_now(timerfd->base);
	/* Not yet fired although it is time: 0 would say that it is disarmed (hrtimer_remaining).
	 */
	return timerfd->expires > now ? timerfd->expires - now : 1;
}

static size_t timerfd_show_fdinfo(struct file *file, char *buffer, size_t size)
{
	const struct timerfd *timerfd = file->private;
	struct lx_timespec value = ns_to_timespec(remaining(timerfd));
	struct lx_timespec interval = ns_to_timespec(timerfd->interval);

	return (size_t)snprintf(buffer, size,
		"clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%llu, %llu)\n"
		"it_interval: (%llu, %llu)\n",
		timerfd->clock, (unsigned long long)timerfd->ticks, timerfd->settime_flags,
		(unsigned long long)value.tv_sec, (unsigned long long)value.tv_nsec,
		(unsigned long long)interval.tv_sec, (unsigned long long)interval.tv_nsec);
}

/* TFD_IOC_SET_TICKS: what a restored timer had counted. */
static int64_t timerfd_ioctl(
	struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx)
{
	struct timerfd *timerfd = file->private;
	uint64_t ticks;

	if (request != LX_TFD_IOC_SET_TICKS || !ctx->thread)
		return -ENOTTY;
	if (platform->copy_in(ctx->thread, &ticks, arg, sizeof(ticks)) != sizeof(ticks))
		return -EFAULT;
	if (ticks == 0)
		return -EINVAL;
	if (timerfd->might_cancel && timerfd->canceled)
		return -ECANCELED;
	timerfd->ticks = ticks;
	wait_queue_wake(&timerfd->queue, LX_POLLIN);
	return 0;
}

static const struct file_ops timerfd_ops = {
	.name = "timerfd",
	.read = timerfd_read,
	.seek = file_no_seek,
	.poll = timerfd_poll,
	.poll_queue = timerfd_poll_queue,
	.ioctl = timerfd_ioctl,
	.release = timerfd_release,
	.show_fdinfo = timerfd_show_fdinfo,
};

int timerfd_new(int clock, int flags, struct file **ret)
{
	struct timerfd *timerfd;
	int err;

	if (clock != LX_CLOCK_REALTIME && clock != LX_CLOCK_MONOTONIC &&
		clock != LX_CLOCK_BOOTTIME && clock != LX_CLOCK_REALTIME_ALARM &&
		clock != LX_CLOCK_BOOTTIME_ALARM)
		return -EINVAL;
	timerfd = calloc(1, sizeof(*timerfd));
	if (!timerfd)
		return -ENOMEM;
	timerfd->clock = timerfd->base = clock;
	clock_watch_init(&timerfd->watch, clock_set);
	timer_init(&timerfd->timer, timerfd_expired, timerfd);
	wait_queue_init(&timerfd->queue);
	err = file_new_anonymous("anon_inode:[timerfd]", &timerfd_ops, timerfd,
		LX_O_RDWR | (flags & LX_O_NONBLOCK), 0600, ret);
	if (err < 0) {
		free(timerfd);
		return err;
	}
	(*ret)->stream = true;
	return 0;
}

static void report(struct timerfd *timerfd, struct lx_itimerspec *ret)
{
	if (!ret)
		return;
	catch_up(timerfd);
	ret->it_value = ns_to_timespec(remaining(timerfd));
	ret->it_interval = ns_to_timespec(timerfd->interval);
}

int timerfd_get(struct file *file, struct lx_itimerspec *ret)
{
	if (file->ops != &timerfd_ops)
		return -EINVAL;
	report(file->private, ret);
	return 0;
}

int timerfd_check(int flags, const struct lx_itimerspec *value)
{
	if (flags & ~(LX_TFD_TIMER_ABSTIME | LX_TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	return timespec_valid(&value->it_value) && timespec_valid(&value->it_interval) ? 0
										       : -EINVAL;
}

int timerfd_set(struct file *file, int flags, const struct lx_itimerspec *value,
	struct lx_itimerspec *ret_old)
{
	struct timerfd *timerfd = file->private;
	bool absolute = flags & LX_TFD_TIMER_ABSTIME;
	uint64_t expires;
	int err = timerfd_check(flags, value);

	if (err < 0)
		return err;
	if (file->ops != &timerfd_ops)
		return -EINVAL;
	report(timerfd, ret_old);
	timer_cancel(&timerfd->timer);
	expires = timespec_to_ns(&value->it_value);
	timerfd->ticks = 0;
	timerfd->fired = false;
	timerfd->settime_flags = flags;
	timerfd->base =
		!absolute && is_realtime(timerfd->clock) ? LX_CLOCK_MONOTONIC : timerfd->clock;
	timerfd->might_cancel = is_realtime(timerfd->base) && flags & LX_TFD_TIMER_CANCEL_ON_SET;
	if (is_realtime(timerfd->base))
		clock_watch_add(&timerfd->watch);
	else
		clock_watch_remove(&timerfd->watch);
	timerfd->interval = timespec_to_ns(&value->it_interval);
	timerfd->expires = 0;
	if (expires == 0)
		return 0;
	if (!absolute)
		expires = min_of(expires + clock_now(timerfd->base), TIME_MAX);
	timerfd->expires = expires;
	err = arm(timerfd);
	return err < 0 ? err : take_canceled(timerfd) ? -ECANCELED : 0;
}
