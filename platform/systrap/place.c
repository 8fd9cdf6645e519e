/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several processes, several CPUs, while the Sentry sleeps between calls.
 *
 * A doorbell wakes the Sentry on its caller's CPU, and the answer wakes the caller where the Sentry
 * is: nothing crosses. But two processes whose calls meet both end up there: the second one rang
 * elsewhere while the first was served, and is answered from here. Then the other CPU has nothing
 * to do, and the host's scheduler, which sees short turns only, leaves it so for milliseconds;
 * natively it spreads processes when they fork and exec, which the zygote's clones do not show. Two
 * compilers at a time took as long as one after the other.
 *
 *  - Who rang on a CPU that nobody else is on, and is answered from one where another process waits
 *    to go on, stays where it was: the answer is an ordinary wake-up, of a CPU that has only just
 *    become idle.
 *  - When another process has waited or computed here for long without a call, and a CPU has nobody
 *    of us, it is sent there. It may move again at once: what counts is where it lies.
 *
 * Threads of one process are left together: they share locks and caches. Where a thread is, is
 * where it was answered or sent last, and where it says that it rings; the latter is a guest's
 * claim, which at worst makes its own wake-up slow.
 */
#include "platform/systrap/systrap.h"

#define SPREAD_US 300u /* without a call: longer than a move costs, with the caches */
#define LOOK_US	  20u  /* between two looks at all threads */
#define CROWD_MAX 64u  /* threads, beyond which it is not looked */
#define RANG_US	  50u  /* ago, at most, for a CPU to be its caller's still */

static uint64_t looked_at;

/* What there is besides @thread, by where it is. */
struct company {
	bool here; /* another process is */
	struct systrap_thread *long_away;
	cpu_set_t empty;
};

static void look_around(
	const struct systrap_thread *thread, unsigned here, uint64_t now, struct company *ret)
{
	struct systrap_thread *other;
	struct systrap_as *as;

	*ret = (struct company){.empty = systrap.cpus};
	CPU_CLR(here, &ret->empty);
	list_for_each_entry (as, &systrap.spaces, link) {
		list_for_each_entry (other, &as->threads, as_link) {
			if (other == thread || !systrap_spin_awake(other))
				continue;
			CPU_CLR(other->cpu, &ret->empty);
			if (other->cpu != here || as == thread->as)
				continue;
			ret->here = true;
			if (now - other->replied_at > SPREAD_US * systrap.tsc_per_us)
				ret->long_away = other;
		}
	}
}

static void send_to(struct systrap_thread *thread, const cpu_set_t *cpus)
{
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, cpus))
			continue;
		systrap_spin_send(thread, cpu);
		thread->cpu = cpu;
		systrap.stats.sent++;
		return;
	}
}

bool systrap_place(struct systrap_thread *thread)
{
	int cpu = sched_getcpu();
	unsigned here = cpu < 0 ? 0 : (unsigned)cpu;
	bool elsewhere = thread->rang_cpu != here;
	uint64_t now = __builtin_ia32_rdtsc();
	struct company company;

	thread->cpu = here;
	if (systrap.cpu_count < 2 || systrap.running_count < 2 ||
		systrap.running_count > CROWD_MAX || systrap_spin_watching() ||
		(!elsewhere && now - looked_at < LOOK_US * systrap.tsc_per_us))
		return false;
	looked_at = now;
	look_around(thread, here, now, &company);
	if (company.here && elsewhere && CPU_ISSET(thread->rang_cpu, &company.empty) &&
		now - thread->rang_at < RANG_US * systrap.tsc_per_us) {
		thread->cpu = thread->rang_cpu;
		systrap.stats.stayed++;
		return true;
	}
	if (company.long_away)
		send_to(company.long_away, &company.empty);
	return false;
}
