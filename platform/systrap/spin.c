/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to watch a channel instead of sleeping.
 *
 * A doorbell costs two switches on one CPU (3-5 us with the trap); a request that finds both sides
 * awake costs the trap alone. Watching pays when the next call comes before the price of a sleep is
 * spent, so it follows what was seen:
 *
 *  - A thread becomes *hot* after some quick calls in a row (by doorbell, back in the kernel within
 * QUICK_NS of its reply). The Sentry then watches its slot, and the stub spins for its reply, until
 * the thread stays away for longer than its budget, a small multiple of its usual time.
 *  - A hot period that was not worth it doubles the number of quick calls that the thread needs the
 * next time.
 *  - The Sentry watches only while the threads in guest code leave it a CPU, and never below two of
 * them.
 *
 * Waking: with both sides on one CPU the notification wakes the other side right there (synchronous
 * wake-up). While the Sentry spins that would leave the woken thread without a CPU, so then
 * wake-ups are ordinary ones.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/checked.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define SYNC_WAKE_UP 1ul /* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, Linux 6.6 */

#define QUICK_NS	20000u
#define BUDGET_MIN_NS	8000u
#define BUDGET_MAX_NS	50000u
#define BUDGET_FIRST_NS 150000u /* it has to wake up on another CPU first */
/* Becoming hot and cold again (affinity, a wake-up on another CPU) costs what some 30 doorbells do.
 */
#define THRESHOLD_MIN	32u
#define THRESHOLD_MAX	4096u
#define WORTHWHILE_HITS 32u
#define SEATED_NS	5000000u /* how long we stay on our CPU after a clone */
#define RESEAT_HITS	64u	 /* how often to look whether both sides share a CPU */

static uint64_t read_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

/*
 * Ticks for each microsecond: against the clock, over the time since the platform began to start,
 * which is long enough when the first thread asks.
 */
static uint64_t tsc_start, tsc_start_ns;

uint64_t systrap_spin_tsc(void)
{
	uint64_t spent;

	if (systrap.tsc_per_us)
		return systrap.tsc_per_us * SYSTRAP_STUB_SPIN_US;
	do {
		spent = loop_monotonic_now() - tsc_start_ns;
	} while (spent < 100000);
	systrap.tsc_per_us = max_of((read_tsc() - tsc_start) * 1000 / spent, 1ul);
	return systrap.tsc_per_us * SYSTRAP_STUB_SPIN_US;
}

/* ---- how many CPUs there are for us ---- */

/* cpu.max of one control group: "max PERIOD" or "QUOTA PERIOD". In CPUs, rounded down; UINT_MAX: no
 * limit. */
static unsigned group_quota(const char *path)
{
	unsigned long quota, period;
	unsigned cpus = UINT32_MAX;
	char file[4300];
	FILE *stream;

	(void)snprintf(file, sizeof(file), "/sys/fs/cgroup%s/cpu.max", path);
	stream = fopen(file, "re");
	if (!stream)
		return cpus;
	if (fscanf(stream, "%lu %lu", &quota, &period) == 2 && period > 0)
		cpus = (unsigned)(quota / period);
	fclose(stream);
	return cpus;
}

static unsigned effective_cpus(void)
{
	char line[4096], *slash;
	unsigned count = 1;
	FILE *stream;

	if (sched_getaffinity(0, sizeof(systrap.cpus), &systrap.cpus) == 0)
		count = (unsigned)CPU_COUNT(&systrap.cpus);
	stream = fopen("/proc/self/cgroup", "re");
	if (!stream)
		return count;
	while (fgets(line, sizeof(line), stream)) {
		char *path = line + 3;

		if (strncmp(line, "0::", 3) != 0)
			continue;
		path[strcspn(path, "\n")] = '\0';
		/* The limits of all groups above count as well. */
		for (;;) {
			count = min_of(count, group_quota(path));
			slash = strrchr(path, '/');
			if (!slash || path[0] == '\0')
				break;
			*slash = '\0';
		}
	}
	fclose(stream);
	return count;
}

/* ---- hot threads ---- */

static void set_sync_wake(bool sync)
{
	if (!systrap.sync_wake || systrap.waking_sync == sync)
		return;
	systrap.waking_sync = sync;
	(void)ioctl(systrap.listener.fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, sync ? SYNC_WAKE_UP : 0ul);
}

static void set_polled(struct systrap_thread *thread, uint32_t polled)
{
	__atomic_store_n(&thread->slot->reply.polled, polled, __ATOMIC_RELAXED);
}

/*
 * Two spinners on one CPU are worse than none, and the scheduler leaves them there: while it is
 * hot, the stub's thread may run anywhere but here. (What the guest sees as its affinity is the
 * kernel's own bookkeeping.)
 */
static void set_apart(const struct systrap_thread *thread, bool apart)
{
	cpu_set_t set = systrap.cpus;

	if (apart)
		CPU_CLR((unsigned)sched_getcpu(), &set);
	(void)sched_setaffinity(thread->tid, sizeof(set), &set);
}

void systrap_spin_clone(const struct systrap_thread *parent, bool begin, bool seat)
{
	cpu_set_t here;

	if (systrap.cpu_count < 2)
		return;
	CPU_ZERO(&here);
	CPU_SET((unsigned)sched_getcpu(), &here);
	if (begin && seat && !systrap.seated)
		systrap.seated = sched_setaffinity(0, sizeof(here), &here) == 0;
	if (seat)
		systrap.seated_until = loop_monotonic_now() + SEATED_NS;
	if (parent->state != SYSTRAP_DEAD)
		(void)sched_setaffinity(parent->tid, sizeof(here), begin ? &here : &systrap.cpus);
}

/* In each turn of the loop. */
static void rise(void)
{
	if (!systrap.seated || loop_monotonic() < systrap.seated_until)
		return;
	systrap.seated = false;
	(void)sched_setaffinity(0, sizeof(systrap.cpus), &systrap.cpus);
}

void systrap_spin_born(pid_t tid)
{
	if (systrap.cpu_count >= 2)
		(void)sched_setaffinity(tid, sizeof(systrap.cpus), &systrap.cpus);
}

static void make_hot(struct systrap_thread *thread)
{
	set_apart(thread, true);
	systrap.stats.promotions++;
	thread->hot = true;
	thread->hits = 0;
	list_add_tail(&thread->hot_link, &systrap.hot);
	systrap.hot_count++;
	set_polled(thread, 1);
	set_sync_wake(false);
}

/* The caller looks at the slot once more, behind a full fence. */
static void make_cold(struct systrap_thread *thread)
{
	if (!thread->hot)
		return;
	thread->hot = false;
	list_remove(&thread->hot_link);
	systrap.hot_count--;
	set_polled(thread, 0);
	if (thread->state != SYSTRAP_DEAD && !thread->as->killed)
		set_apart(thread, false);
	if (thread->hits >= WORTHWHILE_HITS)
		thread->threshold = 1;
	else
		systrap.stats.wasted++,
			thread->threshold = min_of(
				max_of(thread->threshold, THRESHOLD_MIN / 2) * 2, THRESHOLD_MAX);
	thread->quick_calls = 0;
	if (systrap.hot_count == 0)
		set_sync_wake(true);
}

/* Whether the guest threads that compute leave a CPU for us. What sits in a futex in the stub says
 * so itself (a hint). */
static bool cpu_to_spare(const struct systrap_thread *self)
{
	const struct systrap_thread *thread;
	const struct systrap_as *as;
	unsigned running = 1;

	if (systrap.cpu_count < 2)
		return false;
	if (systrap.running_count < systrap.cpu_count)
		return true;
	list_for_each_entry (as, &systrap.spaces, link) {
		list_for_each_entry (thread, &as->threads, as_link) {
			if (thread != self && thread->state == SYSTRAP_IN_GUEST &&
				!__atomic_load_n(&thread->slot->request.sleeping, __ATOMIC_RELAXED))
				running++;
			if (running >= systrap.cpu_count)
				return false;
		}
	}
	return true;
}

void systrap_spin_event(struct systrap_thread *thread, bool cold)
{
	uint64_t away;

	bool fast = thread->snapshot.request.head.flags & REQUEST_FLAG_FAST;

	if (cold) {
		systrap.stats.cold++;
		systrap.stats.fast_cold += fast;
	} else {
		systrap.stats.hot++;
		systrap.stats.fast_hot += fast;
	}
	if (thread->replied_at == 0 || systrap.cpu_count < 2)
		return;
	away = loop_monotonic_now() - thread->replied_at;
	thread->usual_ns = (thread->usual_ns * 7 + min_of(away, (uint64_t)BUDGET_MAX_NS)) / 8;
	if (!cold) {
		if (++thread->hits % RESEAT_HITS == 0 &&
			thread->snapshot.request.cpu == (unsigned)sched_getcpu())
			set_apart(thread, true);
		return;
	}
	if (thread->hot)
		return; /* it rang because our last answer took long */
	if (away > QUICK_NS) {
		thread->quick_calls = 0;
		return;
	}
	thread->quick_calls++;
	if (thread->quick_calls >= max_of(thread->threshold, 1u) && cpu_to_spare(thread)) {
		if (thread->threshold == 0) {
			/* The first time takes a few more. */
			thread->threshold = THRESHOLD_MIN;
			return;
		}
		make_hot(thread);
	}
}

void systrap_spin_leave(struct systrap_thread *thread)
{
	make_cold(thread);
}

static bool is_away(const struct systrap_thread *thread)
{
	return thread->state == SYSTRAP_IN_GUEST || thread->state == SYSTRAP_IN_COMMAND;
}

/* ---- the loop's questions ---- */

static unsigned poll_hot(struct loop_source *source)
{
	struct systrap_thread *thread, *tmp;
	unsigned found = 0;

	(void)source;
	systrap_bury(false);
	rise();
	list_for_each_entry_safe (thread, tmp, &systrap.hot, hot_link) {
		if (systrap_channel_poll(thread) > 0) {
			systrap_spin_event(thread, false);
			found++;
		}
	}
	return found;
}

static uint64_t thread_budget(const struct systrap_thread *thread)
{
	if (thread->hits == 0)
		return BUDGET_FIRST_NS;
	return max_of(
		min_of(thread->usual_ns * 4, (uint64_t)BUDGET_MAX_NS), (uint64_t)BUDGET_MIN_NS);
}

static uint64_t spin_budget(struct loop_source *source)
{
	struct systrap_thread *thread;
	uint64_t now, budget = 0;

	(void)source;
	if (systrap.hot_count == 0)
		return 0;
	now = loop_monotonic_now();
	list_for_each_entry (thread, &systrap.hot, hot_link) {
		uint64_t until = thread->replied_at + thread_budget(thread);

		if (is_away(thread) && until > now)
			budget = max_of(budget, until - now);
	}
	return budget;
}

/* Nobody is watched while we sleep. A request that was published meanwhile is found by the last
 * look: its stub either saw polled == 0 and rings, or published before our fence. */
static bool prepare_sleep(struct loop_source *source)
{
	struct systrap_thread *thread, *tmp;
	struct list_head cooled = LIST_HEAD_INIT(cooled);
	bool sleep = true;

	(void)source;
	systrap_bury(true);
	if (systrap.hot_count == 0)
		return true;
	list_for_each_entry_safe (thread, tmp, &systrap.hot, hot_link) {
		make_cold(thread);
		list_add_tail(&thread->hot_link, &cooled);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	list_for_each_entry_safe (thread, tmp, &cooled, hot_link) {
		list_remove(&thread->hot_link);
		if (systrap_channel_poll(thread) > 0)
			sleep = false;
	}
	return sleep;
}

void systrap_spin_init(void)
{
	tsc_start_ns = loop_monotonic_now();
	tsc_start = read_tsc();
	systrap.cpu_count = effective_cpus();
}

void systrap_spin_attach(void)
{
	systrap.waking_sync = systrap.sync_wake;
	systrap.source = (struct loop_source){
		.poll = poll_hot,
		.prepare_sleep = prepare_sleep,
		.spin_budget = spin_budget,
	};
	loop_source_add(&systrap.source);
}

void systrap_spin_detach(void)
{
	loop_source_remove(&systrap.source);
}
