/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to watch channels instead of sleeping, and who runs on which CPU.
 *
 * Asleep. The normal state. A call is a doorbell: with both sides on one CPU the notification wakes
 * the other side right there (synchronous wake-up, and loop_set_bell()), 2 us for both switches.
 * The Sentry thus follows its guests from CPU to CPU, and no wake-up crosses from one to another,
 * which would cost 30 us.
 *
 * Watching. When some thread made a number of quick calls in a row, the Sentry takes a CPU of its
 * own (it moves, not the guest, whose caches are worth more), tells every thread so (reply.polled),
 * and looks at their slots until nothing came for a while: a call then costs a fraction of a
 * microsecond. A period of watching that found too little doubles the number of calls that the next
 * one needs. Moving costs what some 20 doorbells do.
 *
 *  - Threads that show up on the Sentry's CPU are sent to the others (an affinity call for each, so
 *    only when it happens), and may come back some time after the watching ended.
 *  - Whoever waits for an answer lets others run (stub/wait.c), so any number of threads may share
 *    the CPUs that are left: they spin for the time of an answer, then yield.
 *  - A call that has to wait (its fiber did not reply in the turn that took the request) is
 * *parked*: the stub is told so, and how long such waits of this thread usually are. Short ones are
 * waited for awake, yielding: two processes that play ping-pong on one CPU hand it to each other at
 * the price of a switch, and nobody is woken. Long ones send the stub to sleep at once.
 *  - There is no watching below two CPUs, none while threads that compute want all of them, and
 *    little patience while there are as many threads in guest code as CPUs.
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

#define QUICK_US	40u /* from an answer to the next call, both by doorbell */
#define THRESHOLD_FIRST 16u /* quick calls in a row before watching begins */
#define THRESHOLD_GOOD	8u  /* the same after a period that was worth it */
#define THRESHOLD_MAX	4096u
#define WORTHWHILE_HITS 64u
#define SEATED_NS	5000000u /* how long we stay on our CPU after a clone */
#define RECHECK_HITS	256u

/* How long to look without finding anything. */
#define BUDGET_WAKE_US	    150ul /* for a thread that has to wake up on another CPU first */
#define BUDGET_MIN_US	    60u
#define BUDGET_MAX_US	    120u
#define BUDGET_CONTENDED_US 15u /* the guest has a use for this CPU */
#define BUDGET_PARKED_US    4u	/* everybody waits for something */

#define PARK_SHORT_US	 30u  /* waits that are worth staying awake for */
#define PARK_PATIENCE_US 50u  /* how long then */
#define PARK_CLIP_US	 200u /* of the average */

#define COMPUTING_US	  50u	   /* in guest for longer: wants its CPU for itself */
#define COMPUTING_SURE_US 5000u	   /* whatever it usually does */
#define BUSY_US		  5u	   /* between two requests: we could not do with less than a CPU */
#define APART_NS	  2000000u /* after the watching */
#define WATCHED_MAX	  32u	   /* threads at a time */

#define CROWDED_US     300u    /* without the CPU for longer: others want it */
#define CROWDED_HITS   32u     /* ... unless it was about moving */
#define AVOID_FIRST_US 2000u   /* then there is no watching for so long */
#define AVOID_MAX_US   128000u /* or, doubling each time, for so long */
#define AVOID_AGAIN_US 50000u  /* when it happens again so soon */

static struct {
	bool watching;
	bool leaving; /* end when there is nothing else to do */
	bool waking_sync;
	bool seated;	       /* kept on one CPU, until ... */
	uint64_t seated_until; /* ... this loop time */
	unsigned cpu;	       /* where we watch from; NOWHERE: on the way there */
	unsigned caller_cpu;   /* of the last request */
	unsigned busy_calls;   /* in a row, of any threads, hardly any time apart */
	unsigned threshold;
	uint64_t hits;	      /* requests since it began */
	uint64_t found_at;    /* the last of them */
	uint64_t woke_at;     /* when a sleeping thread was answered last */
	uint64_t usual_gap;   /* average time between them */
	uint64_t looked_at;   /* when we looked last, without finding anything; 0: we did find
				 something */
	uint64_t avoid_until; /* the CPUs are wanted by others */
	uint64_t avoid_us;    /* for how long the next time */
	struct timer apart_timer;
} spin;

#define NOWHERE UINT32_MAX

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

static unsigned effective_cpus(void)
{
	unsigned count = 1;

	if (sched_getaffinity(0, sizeof(systrap.cpus), &systrap.cpus) == 0)
		count = (unsigned)CPU_COUNT(&systrap.cpus);
	return min_of(count, platform_cpu_quota);
}

/* ---- affinity ---- */

/* What the guest sees as its affinity is the kernel's own bookkeeping: these are the host's. */

/* An id alone may be that of somebody else by now: a thread can vanish without our knowing, its
 * process cannot. */
static void set_affinity(const struct systrap_thread *thread, const cpu_set_t *set)
{
	if (thread->state != SYSTRAP_DEAD && !thread->as->killed && systrap_thread_exists(thread))
		(void)sched_setaffinity(thread->tid, sizeof(*set), set);
}

static void set_apart(struct systrap_thread *thread)
{
	cpu_set_t set = systrap.cpus;

	CPU_CLR(spin.cpu, &set);
	set_affinity(thread, &set);
	thread->apart_from = spin.cpu + 1;
}

/* With more threads than CPUs for them, the scheduler would put some beside us. */
static void set_crowd_apart(void)
{
	struct systrap_thread *thread;

	if (systrap.hot_count < systrap.cpu_count)
		return;
	list_for_each_entry (thread, &systrap.hot, hot_link) {
		if (thread->apart_from != spin.cpu + 1)
			set_apart(thread);
	}
}

static void set_free(struct systrap_thread *thread)
{
	thread->apart_from = 0;
	set_affinity(thread, &systrap.cpus);
}

void systrap_spin_send(struct systrap_thread *thread, unsigned cpu)
{
	cpu_set_t there;

	CPU_ZERO(&there);
	CPU_SET(cpu, &there);
	set_affinity(thread, &there);
	set_free(thread);
}

static void set_all_free(struct timer *timer)
{
	struct systrap_thread *thread;
	struct systrap_as *as;

	(void)timer;
	if (spin.watching)
		return;
	list_for_each_entry (as, &systrap.spaces, link) {
		list_for_each_entry (thread, &as->threads, as_link) {
			if (thread->apart_from)
				set_free(thread);
		}
	}
}

static bool any_apart(void)
{
	const struct systrap_thread *thread;
	const struct systrap_as *as;

	list_for_each_entry (as, &systrap.spaces, link) {
		list_for_each_entry (thread, &as->threads, as_link) {
			if (thread->apart_from)
				return true;
		}
	}
	return false;
}

void systrap_spin_sync_wake(bool sync)
{
	if (!systrap.sync_wake || spin.waking_sync == sync)
		return;
	spin.waking_sync = sync;
	(void)ioctl(systrap.listener.fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, sync ? SYNC_WAKE_UP : 0ul);
}

/* Takes a CPU on which no thread that calls often was seen; when there is none, the one we are on,
 * and whoever shows up there has to go. */
static void take_cpu(void)
{
	cpu_set_t set = systrap.cpus, one;
	const struct systrap_thread *thread;

	list_for_each_entry (thread, &systrap.hot, hot_link)
		CPU_CLR(thread->snapshot.request.cpu, &set);
	spin.cpu = (unsigned)sched_getcpu();
	if (CPU_COUNT(&set) > 0 && !CPU_ISSET(spin.cpu, &set)) {
		(void)sched_setaffinity(0, sizeof(set), &set);
		spin.cpu = (unsigned)sched_getcpu();
		if (CPU_COUNT(&set) == 1)
			return;
	}
	CPU_ZERO(&one);
	CPU_SET(spin.cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

/* Threads that could use a CPU now. What sits in a futex in the stub says so itself (a hint). */
bool systrap_spin_awake(const struct systrap_thread *thread)
{
	return thread->state == SYSTRAP_IN_GUEST &&
	       !__atomic_load_n(&thread->slot->request.sleeping, __ATOMIC_RELAXED);
}

static bool are_awake(unsigned count)
{
	const struct systrap_thread *thread;
	const struct systrap_as *as;
	unsigned awake = 0;

	if (systrap.running_count < count)
		return false;
	list_for_each_entry (as, &systrap.spaces, link) {
		list_for_each_entry (thread, &as->threads, as_link)
			awake += systrap_spin_awake(thread);
	}
	return awake >= count;
}

static bool all_cpus_wanted(void)
{
	return are_awake(systrap.cpu_count);
}

/*
 * Sleeping, we want to be where the next doorbell will ring: the host wakes a sleeper where it
 * slept last if that CPU is idle, which would be a wake-up across CPUs. So we go there now, while
 * nobody waits.
 */
static void leave_cpu(void)
{
	cpu_set_t there;

	if (systrap.running_count > 0 && !all_cpus_wanted() && spin.caller_cpu != spin.cpu &&
		CPU_ISSET(spin.caller_cpu, &systrap.cpus)) {
		CPU_ZERO(&there);
		CPU_SET(spin.caller_cpu, &there);
		(void)sched_setaffinity(0, sizeof(there), &there);
	}
	(void)sched_setaffinity(0, sizeof(systrap.cpus), &systrap.cpus);
}

/* ---- watching ---- */

bool systrap_spin_watching(void)
{
	return spin.watching;
}

static void set_polled(struct systrap_thread *thread, uint32_t polled)
{
	__atomic_store_n(&thread->slot->reply.polled, polled, __ATOMIC_RELAXED);
}

static void set_watcher(struct systrap_thread *thread)
{
	__atomic_store_n(&thread->slot->reply.watcher, spin.cpu, __ATOMIC_RELAXED);
}

static void watch(struct systrap_thread *thread)
{
	if (thread->watched || systrap.hot_count >= WATCHED_MAX)
		return;
	thread->watched = true;
	list_add_tail(&thread->hot_link, &systrap.hot);
	systrap.hot_count++;
	set_watcher(thread);
	set_polled(thread, 1);
}

/* The caller looks at the slot once more, behind a full fence, unless the thread is stopped or
 * gone. */
static void unwatch(struct systrap_thread *thread)
{
	if (!thread->watched)
		return;
	thread->watched = false;
	list_remove(&thread->hot_link);
	systrap.hot_count--;
	set_polled(thread, 0);
}

static bool is_away(const struct systrap_thread *thread)
{
	return thread->state == SYSTRAP_IN_GUEST || thread->state == SYSTRAP_IN_COMMAND;
}

/* Requests come so fast that answering them by doorbells would need as much of the CPUs as watching
 * does. */
static bool is_busy(void)
{
	return spin.usual_gap < systrap.tsc_per_us * BUSY_US;
}

/* Away for long, now and usually: not one that calls often and had to wait for its CPU. */
static bool is_computing(const struct systrap_thread *thread, uint64_t now)
{
	uint64_t away = (now - thread->replied_at) / systrap.tsc_per_us;

	return away > COMPUTING_SURE_US ||
	       (away > COMPUTING_US && thread->usual_away > systrap.tsc_per_us * COMPUTING_US);
}

/* Whether the guest threads that compute leave a CPU for us; or we are busy enough to deserve one
 * of theirs. */
static bool cpu_to_spare(uint64_t now)
{
	const struct systrap_thread *thread;
	const struct systrap_as *as;
	unsigned computing = 1;

	if (systrap.running_count < systrap.cpu_count || is_busy())
		return true;
	list_for_each_entry (as, &systrap.spaces, link) {
		list_for_each_entry (thread, &as->threads, as_link) {
			computing += systrap_spin_awake(thread) && is_computing(thread, now);
			if (computing >= systrap.cpu_count)
				return false;
		}
	}
	return true;
}

/* Who makes one quick call after the other keeps the CPU for its whole time slice, too: whether
 * some thread of ours asked from where @thread did, after it. */
static bool had_company(const struct systrap_thread *thread)
{
	const struct systrap_thread *other;

	list_for_each_entry (other, &systrap.hot, hot_link) {
		if (other != thread && other->asked_at > thread->asked_at &&
			other->snapshot.request.cpu == thread->snapshot.request.cpu)
			return true;
	}
	return false;
}

/* More processes of the host want to run than there are CPUs: what we burn, they lack. */
static void crowded(uint64_t now)
{
	if (spin.leaving || spin.hits < CROWDED_HITS || is_busy())
		return;
	spin.leaving = true;
	if (now > spin.avoid_until + systrap.tsc_per_us * AVOID_AGAIN_US)
		spin.avoid_us = AVOID_FIRST_US;
	else
		spin.avoid_us = min_of(spin.avoid_us * 2, (uint64_t)AVOID_MAX_US);
	spin.avoid_until = now + systrap.tsc_per_us * spin.avoid_us;
}

/* The stubs wait awake from now on; the Sentry takes its place when it has answered. */
static void begin_watching(void)
{
	struct systrap_thread *thread;
	struct systrap_as *as;

	spin.leaving = false;
	spin.busy_calls = 0;
	spin.watching = true;
	spin.cpu = NOWHERE;
	spin.hits = 0;
	spin.looked_at = 0;
	spin.found_at = spin.woke_at = read_tsc();
	systrap.stats.promotions++;
	(void)timer_cancel(&spin.apart_timer);
	list_for_each_entry (as, &systrap.spaces, link) {
		list_for_each_entry (thread, &as->threads, as_link) {
			if (thread->quick_calls > 0)
				watch(thread);
		}
	}
}

static void settle(void)
{
	struct systrap_thread *thread;

	spin.seated = false;
	take_cpu();
	systrap_spin_sync_wake(false);
	list_for_each_entry (thread, &systrap.hot, hot_link)
		set_watcher(thread);
	set_crowd_apart();
	spin.woke_at = read_tsc();
}

/* As unwatch(), for all. */
static void end_watching(void)
{
	struct systrap_thread *thread, *tmp;

	list_for_each_entry_safe (thread, tmp, &systrap.hot, hot_link) {
		thread->quick_calls = 0;
		unwatch(thread);
	}
	spin.watching = false;
	if (spin.hits >= WORTHWHILE_HITS) {
		spin.threshold = THRESHOLD_GOOD;
	} else {
		systrap.stats.wasted++;
		spin.threshold =
			min_of(max_of(spin.threshold, THRESHOLD_FIRST / 2) * 2, THRESHOLD_MAX);
	}
	systrap_spin_sync_wake(true);
	if (spin.cpu == NOWHERE)
		return;
	leave_cpu();
	if (all_cpus_wanted())
		set_all_free(&spin.apart_timer);
	else if (any_apart() && timer_arm(&spin.apart_timer, loop_monotonic_now() + APART_NS) < 0)
		set_all_free(&spin.apart_timer);
}

/* The mean of what was seen, the latest counting an eighth. */
static void average(uint64_t *mean, uint64_t value, uint64_t limit)
{
	*mean = (*mean * 7 + min_of(value, limit)) / 8;
}

void systrap_spin_event(struct systrap_thread *thread, bool cold, uint64_t now)
{
	bool fast = thread->snapshot.request.head.flags & REQUEST_FLAG_FAST;
	bool crowding;
	uint64_t away;

	if (cold) {
		systrap.stats.cold++;
		systrap.stats.fast_cold += fast;
	} else {
		systrap.stats.hot++;
		systrap.stats.fast_hot += fast;
	}
	if (systrap.cpu_count < 2)
		return;
	crowding = thread->snapshot.request.crowded != thread->crowded;
	thread->crowded = thread->snapshot.request.crowded;
	if (now - spin.found_at > systrap.tsc_per_us * BUSY_US)
		spin.busy_calls = 0;
	else
		spin.busy_calls++;
	average(&spin.usual_gap, now - spin.found_at, systrap.tsc_per_us * BUDGET_MAX_US);
	spin.found_at = now;
	away = now - thread->replied_at;
	/* Unless it may have been for another thread of ours. */
	crowding = crowding && spin.watching && !are_awake(systrap.cpu_count - 1) &&
		   !had_company(thread);
	thread->asked_at = now;
	average(&thread->usual_away, away, systrap.tsc_per_us * 2 * COMPUTING_US);
	if (spin.watching) {
		spin.caller_cpu = thread->snapshot.request.cpu;
		if (crowding)
			crowded(now);
		if (thread->snapshot.request.cpu == spin.cpu)
			set_apart(thread);
		if (++spin.hits % RECHECK_HITS == 0)
			spin.leaving |= !cpu_to_spare(now);
		return;
	}
	if (thread->replied_at == 0 || away > systrap.tsc_per_us * QUICK_US)
		thread->quick_calls = 0;
	else
		thread->quick_calls++;
	if (max_of(thread->quick_calls, spin.busy_calls) >= spin.threshold &&
		now >= spin.avoid_until && cpu_to_spare(now))
		begin_watching();
}

void systrap_spin_reply(struct systrap_thread *thread)
{
	thread->replied_at = read_tsc();
	if (thread->parked_at != 0) {
		uint64_t waited = min_of(
			thread->replied_at - thread->parked_at, systrap.tsc_per_us * PARK_CLIP_US);

		thread->usual_park = (thread->usual_park * 3 + waited) / 4;
		thread->parked_at = 0;
	}
	if (spin.watching && !thread->watched) {
		watch(thread);
		if (spin.cpu != NOWHERE)
			set_crowd_apart();
	}
	if (thread->notification)
		spin.woke_at = thread->replied_at;
}

void systrap_spin_leave(struct systrap_thread *thread)
{
	unwatch(thread);
}

void systrap_spin_clone(struct systrap_thread *parent, bool begin, bool seat)
{
	cpu_set_t here;

	if (systrap.cpu_count < 2)
		return;
	/* The child's doorbell is to find us asleep, and on its own CPU. */
	if (begin && spin.watching)
		end_watching();
	CPU_ZERO(&here);
	CPU_SET((unsigned)sched_getcpu(), &here);
	if (begin && seat && !spin.seated)
		spin.seated = sched_setaffinity(0, sizeof(here), &here) == 0;
	if (seat)
		spin.seated_until = loop_monotonic_now() + SEATED_NS;
	parent->apart_from = 0;
	set_affinity(parent, begin ? &here : &systrap.cpus);
}

/* In each turn of the loop. */
static void rise(void)
{
	if (!spin.seated || loop_monotonic() < spin.seated_until)
		return;
	spin.seated = false;
	(void)sched_setaffinity(0, sizeof(systrap.cpus), &systrap.cpus);
}

void systrap_spin_born(pid_t tid)
{
	if (systrap.cpu_count >= 2)
		(void)sched_setaffinity(tid, sizeof(systrap.cpus), &systrap.cpus);
}

/* ---- the loop's questions ---- */

/* It was taken in an earlier turn, and all fibers that could run have run since. */
static void tell_parked(struct systrap_thread *thread)
{
	struct channel_reply *reply = &thread->slot->reply;
	bool brief = thread->usual_park <= systrap.tsc_per_us * PARK_SHORT_US;

	thread->parked_at = read_tsc();
	__atomic_store_n(&reply->patience,
		brief ? (uint32_t)(systrap.tsc_per_us * PARK_PATIENCE_US) : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&reply->parked, thread->seq, __ATOMIC_RELEASE);
}

static unsigned poll_hot(struct loop_source *source)
{
	struct systrap_thread *thread, *tmp;
	unsigned found = 0;
	uint64_t now;

	(void)source;
	systrap_bury(false);
	rise();
	if (!spin.watching)
		return 0;
	now = read_tsc();
	if (spin.looked_at != 0 && now - spin.looked_at > systrap.tsc_per_us * CROWDED_US)
		crowded(now);
	list_for_each_entry_safe (thread, tmp, &systrap.hot, hot_link) {
		if (thread->state == SYSTRAP_STOPPED && thread->parked_at == 0)
			tell_parked(thread);
		if (systrap_channel_poll(thread) > 0) {
			systrap_spin_event(thread, false, now);
			found++;
		}
	}
	spin.looked_at = found == 0 ? now : 0;
	return found;
}

#define LOOKS 160u /* of a close look: about 10 ns each */

static void look_closely(struct loop_source *source)
{
	const struct systrap_thread *thread;

	(void)source;
	if (!spin.watching)
		return;
	for (unsigned look = 0; look < LOOKS; look += systrap.hot_count + 1) {
		list_for_each_entry (thread, &systrap.hot, hot_link) {
			if (is_away(thread) && systrap_channel_has_news(thread))
				return;
		}
		__builtin_ia32_pause();
	}
}

static uint64_t spin_budget(struct loop_source *source)
{
	const struct systrap_thread *thread;
	uint64_t budget, woken;
	bool away = false;

	(void)source;
	if (spin.watching && spin.cpu == NOWHERE)
		settle();
	if (!spin.watching || spin.leaving)
		return 0;
	budget = spin.usual_gap * 4 / systrap.tsc_per_us;
	budget = min_of(max_of(budget, (uint64_t)BUDGET_MIN_US), (uint64_t)BUDGET_MAX_US);
	list_for_each_entry (thread, &systrap.hot, hot_link)
		away |= is_away(thread);
	if (!away)
		budget = BUDGET_PARKED_US;
	else if (all_cpus_wanted())
		budget = BUDGET_CONTENDED_US;
	woken = (read_tsc() - spin.woke_at) / systrap.tsc_per_us;
	if (woken < BUDGET_WAKE_US)
		budget = max_of(budget, BUDGET_WAKE_US - woken);
	return budget * 1000;
}

/* Nobody is watched while we sleep. A request that was published meanwhile is found by the last
 * look: its stub either saw polled == 0 and rings, or published before our fence. */
static bool prepare_sleep(struct loop_source *source)
{
	struct systrap_thread *thread, *tmp;

	(void)source;
	systrap_bury(true);
	if (!spin.watching)
		return true;
	list_for_each_entry (thread, &systrap.hot, hot_link)
		set_polled(thread, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (poll_hot(source) == 0) {
		end_watching();
		return true;
	}
	list_for_each_entry_safe (thread, tmp, &systrap.hot, hot_link)
		set_polled(thread, 1);
	return false;
}

void systrap_spin_init(void)
{
	tsc_start_ns = loop_monotonic_now();
	tsc_start = read_tsc();
	systrap.cpu_count = effective_cpus();
	spin.threshold = THRESHOLD_FIRST;
	spin.avoid_us = AVOID_FIRST_US;
	spin.avoid_until = 0;
	spin.watching = false;
	timer_init(&spin.apart_timer, set_all_free, NULL);
}

void systrap_spin_attach(void)
{
	spin.waking_sync = systrap.sync_wake;
	systrap.source = (struct loop_source){
		.poll = poll_hot,
		.prepare_sleep = prepare_sleep,
		.spin_budget = spin_budget,
		.spin = look_closely,
	};
	loop_source_add(&systrap.source);
}

void systrap_spin_detach(void)
{
	(void)timer_cancel(&spin.apart_timer);
	loop_source_remove(&systrap.source);
}
