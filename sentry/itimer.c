/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "abi/time.h"
#include "sentry/clock.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

/*
 * setitimer(2), getitimer(2), alarm(2) (kernel/time/itimer.c).
 *
 * ITIMER_REAL is a timer of the loop; a periodic one is armed again when its SIGALRM is taken, as
 * in Linux, so a tiny interval cannot busy the kernel. ITIMER_VIRTUAL and ITIMER_PROF count CPU
 * time, which is sampled: at most every millisecond, and ever more seldom while the process does
 * not run.
 */

#define SECOND_NS     1000000000ull
#define CPU_LIMIT_MAX 4000000000ull /* seconds; above is no limit */
#define SAMPLE_MIN_NS 1000000ull
#define SAMPLE_MAX_NS 20000000ull

struct cpu_itimer {
	uint64_t deadline; /* on the process's CPU clock, 0 = off */
	uint64_t interval;
};

struct cpu_timers {
	struct thread_group *group; /* borrowed: we are freed with it */
	struct timer sample;
	struct cpu_itimer virtual, prof;
	uint64_t last_total; /* CPU time at the last sample */
	uint64_t pause;	     /* until the next one */
};

static void send_kernel(struct thread_group *group, int signo)
{
	const struct lx_siginfo info = {.signo = signo, .code = LX_SI_KERNEL};

	(void)signal_send_group(group, &info);
}

/* ---- ITIMER_REAL ---------------------------------------------------------------------------- */

static void real_expired(struct timer *timer)
{
	struct thread_group *group = container_of(timer, struct thread_group, alarm_real);

	send_kernel(group, LX_SIGALRM);
}

/* SIGALRM was taken (dequeue_signal()): the next period begins, those missed are skipped. */
void itimer_real_rearm(struct thread_group *group)
{
	uint64_t now = loop_monotonic_now(), next = group->alarm_real.deadline;

	if (!group->alarm_interval || timer_armed(&group->alarm_real) || group->zombie)
		return;
	if (next <= now)
		next += ((now - next) / group->alarm_interval + 1) * group->alarm_interval;
	(void)timer_arm(&group->alarm_real, next);
}

static uint64_t real_left(const struct thread_group *group)
{
	uint64_t now = loop_monotonic_now();

	if (!timer_armed(&group->alarm_real))
		return 0;
	/* Due but not yet delivered: not 0, which would say "off" (itimer_get_remtime()). */
	return group->alarm_real.deadline > now ? group->alarm_real.deadline - now : 1000;
}

static int real_set(struct thread_group *group, uint64_t value, uint64_t interval)
{
	uint64_t deadline;

	(void)timer_cancel(&group->alarm_real);
	group->alarm_interval = 0;
	if (!value)
		return 0;
	group->alarm_interval = interval;
	if (__builtin_add_overflow(loop_monotonic_now(), value, &deadline))
		deadline = INT64_MAX;
	return timer_arm(&group->alarm_real, deadline);
}

/* ---- ITIMER_VIRTUAL, ITIMER_PROF ------------------------------------------------------------ */

static bool check_one(
	struct cpu_timers *timers, struct cpu_itimer *it, uint64_t now, int signo, uint64_t *left)
{
	if (!it->deadline)
		return false;
	if (now >= it->deadline) {
		send_kernel(timers->group, signo);
		if (it->interval)
			it->deadline += ((now - it->deadline) / it->interval + 1) * it->interval;
		else
			it->deadline = 0;
	}
	if (!it->deadline)
		return false;
	if (it->deadline - now < *left)
		*left = it->deadline - now;
	return true;
}

/* RLIMIT_CPU (setrlimit(2)): SIGXCPU each second beyond the soft limit, SIGKILL at the hard one. */
static bool check_limit(struct thread_group *group, uint64_t now, uint64_t *left)
{
	struct lx_rlimit64 *limit = &group->rlimits[LX_RLIMIT_CPU];
	uint64_t soft;

	if (limit->rlim_cur > CPU_LIMIT_MAX && limit->rlim_max > CPU_LIMIT_MAX)
		return false;
	if (limit->rlim_max <= CPU_LIMIT_MAX && now >= limit->rlim_max * SECOND_NS) {
		send_kernel(group, LX_SIGKILL);
		return false;
	}
	if (limit->rlim_cur <= CPU_LIMIT_MAX && now >= limit->rlim_cur * SECOND_NS) {
		send_kernel(group, LX_SIGXCPU);
		limit->rlim_cur++; /* however late we look */
	}
	soft = limit->rlim_cur < limit->rlim_max ? limit->rlim_cur : limit->rlim_max;
	if (soft * SECOND_NS > now && soft * SECOND_NS - now < *left)
		*left = soft * SECOND_NS - now;
	return true;
}

static void cpu_sample(struct timer *timer)
{
	struct cpu_timers *timers = timer->data;
	uint64_t user, system, total, left = UINT64_MAX, threads = timers->group->live_count;
	bool any;

	if (timers->group->zombie || timers->group->live_count == 0)
		return;
	group_cpu_time(timers->group, &user, &system);
	total = user + system;
	any = check_one(timers, &timers->virtual, user, LX_SIGVTALRM, &left);
	any |= check_one(timers, &timers->prof, total, LX_SIGPROF, &left);
	any |= check_limit(timers->group, total, &left);
	if (!any)
		return;
	/* The soonest that it can be due, or later while nothing runs. */
	left /= threads;
	if (total == timers->last_total)
		timers->pause =
			timers->pause * 2 < SAMPLE_MAX_NS ? timers->pause * 2 : SAMPLE_MAX_NS;
	else
		timers->pause = SAMPLE_MIN_NS;
	timers->last_total = total;
	if (left < timers->pause)
		left = timers->pause;
	if (left > SAMPLE_MAX_NS)
		left = SAMPLE_MAX_NS;
	(void)timer_arm(&timers->sample, loop_monotonic_now() + left);
}

static struct cpu_timers *cpu_timers_get(struct thread_group *group)
{
	struct cpu_timers *timers = group->cpu_timers;

	if (timers)
		return timers;
	timers = calloc(1, sizeof(*timers));
	if (!timers)
		return NULL;
	timers->group = group;
	timers->pause = SAMPLE_MIN_NS;
	timer_init(&timers->sample, cpu_sample, timers);
	group->cpu_timers = timers;
	return timers;
}

static uint64_t cpu_clock_now(struct thread_group *group, int which)
{
	uint64_t user, system;

	group_cpu_time(group, &user, &system);
	return which == LX_ITIMER_VIRTUAL ? user : user + system;
}

static struct cpu_itimer *cpu_itimer(struct cpu_timers *timers, int which)
{
	return which == LX_ITIMER_VIRTUAL ? &timers->virtual : &timers->prof;
}

static int cpu_set(struct thread_group *group, int which, uint64_t value, uint64_t interval)
{
	struct cpu_timers *timers = cpu_timers_get(group);
	struct cpu_itimer *it;

	if (!timers)
		return -ENOMEM;
	it = cpu_itimer(timers, which);
	it->interval = interval; /* even of one that is off (set_cpu_itimer()) */
	it->deadline = value ? cpu_clock_now(group, which) + value : 0;
	timers->pause = SAMPLE_MIN_NS;
	if (!value)
		return 0;
	return timer_arm(&timers->sample, loop_monotonic_now() + SAMPLE_MIN_NS);
}

int itimers_limit_changed(struct thread_group *group)
{
	const struct lx_rlimit64 *limit = &group->rlimits[LX_RLIMIT_CPU];
	struct cpu_timers *timers;

	if (limit->rlim_cur > CPU_LIMIT_MAX && limit->rlim_max > CPU_LIMIT_MAX)
		return 0;
	timers = cpu_timers_get(group);
	if (!timers)
		return -ENOMEM;
	timers->pause = SAMPLE_MIN_NS;
	return timer_arm(&timers->sample, loop_monotonic_now() + SAMPLE_MIN_NS);
}

/* ---- life ----------------------------------------------------------------------------------- */

void itimers_init(struct thread_group *group)
{
	timer_init(&group->alarm_real, real_expired, NULL);
}

void itimers_release(struct thread_group *group)
{
	struct cpu_timers *timers = group->cpu_timers;

	(void)timer_cancel(&group->alarm_real);
	group->alarm_interval = 0;
	if (!timers)
		return;
	(void)timer_cancel(&timers->sample);
	free(timers);
	group->cpu_timers = NULL;
}

/* ---- system calls --------------------------------------------------------------------------- */

struct itimer_state {
	uint64_t value, interval; /* ns */
};

static void itimer_get(struct thread_group *group, int which, struct itimer_state *ret)
{
	const struct cpu_itimer *it;
	uint64_t now;

	*ret = (struct itimer_state){0};
	if (which == LX_ITIMER_REAL) {
		ret->value = real_left(group);
		ret->interval = group->alarm_interval;
		return;
	}
	if (!group->cpu_timers)
		return;
	it = cpu_itimer(group->cpu_timers, which);
	ret->interval = it->interval;
	if (!it->deadline)
		return;
	now = cpu_clock_now(group, which);
	ret->value = it->deadline > now ? it->deadline - now : 1000000;
}

static int itimer_set(struct thread_group *group, int which, const struct itimer_state *state)
{
	if (which == LX_ITIMER_REAL)
		return real_set(group, state->value, state->interval);
	return cpu_set(group, which, state->value, state->interval);
}

static struct lx_itimerval state_to_itimerval(const struct itimer_state *state)
{
	return (struct lx_itimerval){
		.it_interval = ns_to_timeval(state->interval),
		.it_value = ns_to_timeval(state->value),
	};
}

static bool timeval_to_ns(const struct lx_timeval *tv, uint64_t *ret)
{
	struct lx_timespec ts;

	if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return false;
	ts = (struct lx_timespec){tv->tv_sec, tv->tv_usec * 1000};
	*ret = timespec_to_ns(&ts);
	return true;
}

static bool valid_which(int which)
{
	return which >= LX_ITIMER_REAL && which <= LX_ITIMER_PROF;
}

int64_t sys_getitimer(struct task *task, int which, gaddr_t curr_value)
{
	struct itimer_state state;
	struct lx_itimerval value;

	if (!valid_which(which))
		return -EINVAL;
	itimer_get(task->group, which, &state);
	value = state_to_itimerval(&state);
	return guest_write_value(task, curr_value, &value);
}

int64_t sys_setitimer(struct task *task, int which, gaddr_t new_value, gaddr_t old_value)
{
	struct itimer_state new = {0}, old;
	struct lx_itimerval value;
	int r;

	/* A missing value switches off, a habit of old programs that Linux keeps. */
	if (!gaddr_is_null(new_value)) {
		r = guest_read_value(task, &value, new_value);
		if (r < 0)
			return r;
		if (!timeval_to_ns(&value.it_interval, &new.interval) ||
			!timeval_to_ns(&value.it_value, &new.value))
			return -EINVAL;
	}
	if (!valid_which(which))
		return -EINVAL;
	itimer_get(task->group, which, &old);
	r = itimer_set(task->group, which, &new);
	if (r < 0)
		return r;
	if (gaddr_is_null(old_value))
		return 0;
	value = state_to_itimerval(&old);
	return guest_write_value(task, old_value, &value);
}

int64_t sys_alarm(struct task *task, unsigned seconds)
{
	const struct itimer_state new = {.value = seconds * 1000000000ull};
	struct itimer_state old;
	uint64_t left;
	int r;

	itimer_get(task->group, LX_ITIMER_REAL, &old);
	r = itimer_set(task->group, LX_ITIMER_REAL, &new);
	if (r < 0)
		return r;
	/* alarm_setitimer(): rounded, but never to 0 while something was left. */
	left = old.value / 1000000000ull;
	if ((left == 0 && old.value) || old.value % 1000000000ull >= 500000000ull)
		left++;
	return (int64_t)left;
}
