/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "abi/limits.h"
#include "abi/time.h"
#include "base/clock_set.h"
#include "sentry/clock.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

/*
 * timer_create(2) and relatives (kernel/time/posix-timers.c).
 *
 * A timer has one queue entry for its signal. When it expires the entry is queued and the timer
 * rests; when the signal is taken the periods that passed meanwhile become the overrun count and
 * the timer is armed for the next. So a signal that nobody takes costs nothing.
 */

/* A signal that is ignored is tried again no sooner. */
#define IGNORED_PAUSE_NS 10000000ull

struct posix_timer {
	struct list_head link; /* group->posix_timers */
	int id, clock;
	int base;		    /* the clock that the deadline is on */
	int notify;		    /* LX_SIGEV_* */
	struct thread_group *group; /* borrowed */
	struct task *target; /* owned; the thread for SIGEV_THREAD_ID, the creator for CPU clocks */
	struct sigqueue entry;
	struct timer timer;
	struct clock_watch watch; /* of those on CLOCK_REALTIME */
	uint64_t deadline;	  /* 0 off */
	uint64_t interval;
	uint64_t overrun, overrun_last;
};

static bool to_thread(const struct posix_timer *t)
{
	return t->notify & LX_SIGEV_THREAD_ID;
}

/* Moves the deadline behind @now; returns the number of periods beyond the first. */
static uint64_t forward(struct posix_timer *t, uint64_t now)
{
	uint64_t periods;

	if (!t->interval || t->deadline > now)
		return 0;
	periods = (now - t->deadline) / t->interval + 1;
	t->deadline += periods * t->interval;
	return periods;
}

static void arm(struct posix_timer *t, uint64_t now)
{
	uint64_t left = t->deadline > now ? t->deadline - now : 0;

	(void)timer_arm(&t->timer, clock_wake_time(t->base, left));
}

static void expired(struct timer *timer)
{
	struct posix_timer *t = timer->data;
	uint64_t now;

	if (t->target->exited && (to_thread(t) || t->group->zombie))
		return;
	if (clock_read(t->target, t->base, &now) < 0)
		return;
	if (now < t->deadline) {
		arm(t, now);
		return;
	}
	/* Nobody hears of it, and what is left is computed when somebody asks. */
	if (t->notify == LX_SIGEV_NONE)
		return;
	t->overrun = 0;
	(void)signal_send_timer(
		to_thread(t) ? t->target : t->group->leader, to_thread(t), &t->entry);
	if (!list_empty(&t->entry.link))
		return;
	/* Ignored: goes on at leisure, so that a handler that comes later is called. */
	if (!t->interval) {
		t->deadline = 0;
		return;
	}
	(void)forward(t, now);
	if (t->deadline < now + IGNORED_PAUSE_NS)
		(void)timer_arm(&t->timer, loop_monotonic_now() + IGNORED_PAUSE_NS);
	else
		arm(t, now);
}

static bool is_realtime(int clock)
{
	return clock == LX_CLOCK_REALTIME || clock == LX_CLOCK_REALTIME_ALARM;
}

/* The host's clock was set: the time that is left is another. */
static void clock_set(struct clock_watch *watch)
{
	struct posix_timer *t = container_of(watch, struct posix_timer, watch);

	if (is_realtime(t->base) && timer_cancel(&t->timer))
		expired(&t->timer); /* or not yet */
}

void posix_timer_dequeued(struct posix_timer *t, struct lx_siginfo *info)
{
	uint64_t now;

	if (t->interval && !timer_armed(&t->timer) && clock_read(t->target, t->base, &now) == 0) {
		uint64_t periods = forward(t, now);

		/* One of them is the expiration that this signal is for. */
		t->overrun = periods ? periods - 1 : 0;
		arm(t, now);
	} else if (!t->interval && !timer_armed(&t->timer)) {
		t->deadline = 0;
	}
	t->overrun_last = t->overrun > INT_MAX ? INT_MAX : t->overrun;
	if (info)
		info->timer.overrun = (int32_t)t->overrun_last;
}

static void timer_delete(struct posix_timer *t)
{
	(void)timer_cancel(&t->timer);
	clock_watch_remove(&t->watch);
	if (!list_empty(&t->entry.link)) {
		int signo = t->entry.info.signo;
		struct sigpending *pending =
			to_thread(t) ? &t->target->pending : &t->group->pending;
		struct sigqueue *other;
		bool more = false;

		list_remove(&t->entry.link);
		list_for_each_entry (other, &pending->queue, link)
			more |= other->info.signo == signo;
		if (!more)
			pending->set &= ~LX_SIGMASK(signo);
	}
	list_remove(&t->link);
	task_unref(t->target);
	free(t);
	signal_unreserve();
}

void posix_timers_release(struct thread_group *group)
{
	struct posix_timer *t, *next;

	list_for_each_entry_safe (t, next, &group->posix_timers, link)
		timer_delete(t);
}

static struct posix_timer *find(struct task *task, int id)
{
	struct posix_timer *t;

	list_for_each_entry (t, &task->group->posix_timers, link)
		if (t->id == id)
			return t;
	return NULL;
}

/* ---- system calls --------------------------------------------------------------------------- */

/* good_sigevent(): the thread to notify (borrowed), or NULL for a bad request. */
static struct task *notify_target(struct task *task, const struct lx_sigevent *event)
{
	struct task *target = task;

	switch (event->notify) {
	case LX_SIGEV_SIGNAL | LX_SIGEV_THREAD_ID:
		target = pid_task(event->tid);
		if (!target || target->group != task->group || target->exited)
			return NULL;
		__attribute__((fallthrough));
	case LX_SIGEV_SIGNAL:
	case LX_SIGEV_THREAD:
		if (event->signo < 1 || event->signo > LX_NSIG)
			return NULL;
		__attribute__((fallthrough));
	case LX_SIGEV_NONE:
		return target;
	default:
		return NULL;
	}
}

static int count_timers(const struct thread_group *group)
{
	const struct posix_timer *t;
	int count = 0;

	list_for_each_entry (t, &group->posix_timers, link)
		count++;
	return count;
}

int64_t sys_timer_create(struct task *task, int clock, gaddr_t sevp, gaddr_t timerid)
{
	struct lx_sigevent event = {.signo = LX_SIGALRM, .notify = LX_SIGEV_SIGNAL};
	struct posix_timer *t;
	struct task *target;
	int32_t id;
	int check = clock_check_timer(task, clock), r;

	if (!gaddr_is_null(sevp)) {
		r = guest_read_value(task, &event, sevp);
		if (r < 0)
			return r;
	}
	/* Clocks of CPU time are looked at last (posix_cpu_timer_create()). */
	if (check < 0 && clock >= 0)
		return check;
	if (count_timers(task->group) >= SENTRY_MAX_POSIX_TIMERS || signal_reserve(task) < 0)
		return -EAGAIN;
	/* The number is taken, whatever becomes of the timer. */
	id = task->group->next_timer_id;
	task->group->next_timer_id = id == INT_MAX ? 0 : id + 1;
	target = notify_target(task, &event);
	t = target ? calloc(1, sizeof(*t)) : NULL;
	if (!t) {
		signal_unreserve();
		return target ? -EAGAIN : -EINVAL;
	}
	t->id = id;
	t->clock = t->base = clock;
	clock_watch_init(&t->watch, clock_set);
	if (is_realtime(clock))
		clock_watch_add(&t->watch);
	t->notify = event.notify;
	t->group = task->group;
	t->target = task_ref(target);
	t->entry.timer = t;
	list_init(&t->entry.link);
	t->entry.info = (struct lx_siginfo){
		.signo = event.signo,
		.code = LX_SI_TIMER,
		.timer.timerid = t->id,
		.timer.value = gaddr_is_null(sevp) ? (uint64_t)t->id : event.value,
	};
	timer_init(&t->timer, expired, t);
	list_init(&t->link);
	r = guest_write(task, timerid, &t->id, sizeof(t->id));
	if (r == 0)
		r = check;
	if (r < 0) {
		timer_delete(t);
		return r;
	}
	list_add_tail(&t->link, &task->group->posix_timers);
	return 0;
}

static void timer_state(struct posix_timer *t, struct lx_itimerspec *ret)
{
	uint64_t now, left = 0;

	*ret = (struct lx_itimerspec){.it_interval = ns_to_timespec(t->interval)};
	if (!t->deadline || clock_read(t->target, t->base, &now) < 0)
		return;
	if (t->deadline > now) {
		left = t->deadline - now;
	} else if (t->interval) {
		/* Due, and its signal not yet taken: the time to the next period
		 * (common_timer_get()). */
		left = t->interval - (now - t->deadline) % t->interval;
	} else if (t->notify != LX_SIGEV_NONE && timer_armed(&t->timer)) {
		left = 1; /* about to expire: not 0, which means off */
	}
	ret->it_value = ns_to_timespec(left);
}

int64_t sys_timer_gettime(struct task *task, int id, gaddr_t curr_value)
{
	struct posix_timer *t = find(task, id);
	struct lx_itimerspec value;

	if (!t)
		return -EINVAL;
	timer_state(t, &value);
	return guest_write_value(task, curr_value, &value);
}

static int timer_set(struct posix_timer *t, bool absolute, const struct lx_itimerspec *value)
{
	/* A relative time is not affected by setting the clock (hrtimer_setup()). */
	const int base = !absolute && is_realtime(t->clock) ? LX_CLOCK_MONOTONIC : t->clock;
	uint64_t ns = timespec_to_ns(&value->it_value), now;
	int r = clock_read(t->target, base, &now);

	if (r < 0)
		return r;
	(void)timer_cancel(&t->timer);
	t->base = base;
	t->deadline = 0;
	t->overrun = 0;
	t->overrun_last = 0;
	t->interval = ns ? timespec_to_ns(&value->it_interval) : 0;
	if (!ns)
		return 0;
	t->deadline = absolute ? ns : now + ns;
	if (t->deadline > INT64_MAX)
		t->deadline = INT64_MAX;
	/* What is over already has happened when the call returns. */
	if (now >= t->deadline && t->notify != LX_SIGEV_NONE)
		expired(&t->timer);
	else
		arm(t, now);
	return 0;
}

int64_t sys_timer_settime(
	struct task *task, int id, unsigned flags, gaddr_t new_value, gaddr_t old_value)
{
	struct lx_itimerspec new, old;
	struct posix_timer *t;
	int r;

	if (gaddr_is_null(new_value))
		return -EINVAL;
	r = guest_read_value(task, &new, new_value);
	if (r < 0)
		return r;
	if (!timespec_valid(&new.it_interval) || !timespec_valid(&new.it_value))
		return -EINVAL;
	t = find(task, id);
	if (!t)
		return -EINVAL;
	timer_state(t, &old);
	r = timer_set(t, flags & LX_TIMER_ABSTIME, &new);
	if (r < 0 || gaddr_is_null(old_value))
		return r;
	return guest_write_value(task, old_value, &old);
}

int64_t sys_timer_getoverrun(struct task *task, int id)
{
	const struct posix_timer *t = find(task, id);

	return t ? (int64_t)t->overrun_last : -EINVAL;
}

int64_t sys_timer_delete(struct task *task, int id)
{
	struct posix_timer *t = find(task, id);

	if (!t)
		return -EINVAL;
	timer_delete(t);
	return 0;
}
