/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which core a tracee runs on.
 *
 * A stop across cores costs twenty times what it costs on one, so tracer and tracees share a core,
 * chosen at start. A guest with several computing threads would pay for that with all other cores:
 * a thread that has been in the guest for SETTLED_NS while another one is there too may go
 * anywhere, until it comes back after less than BUSY_NS.
 */
#include "platform/ptrace/tracee.h"

#include <sched.h>

#include "base/log.h"

#define SETTLED_NS 4000000u
#define BUSY_NS	   1000000u

static struct {
	cpu_set_t all, one, others;
	bool several; /* there are other cores to go to */
	struct timer timer;
} cores;

/* Best effort like all of this: without it things are slower, never wrong. */
static void move_home(struct tracee *t)
{
	if (sched_setaffinity(t->tid, sizeof(cpu_set_t), &cores.one) == 0)
		t->unpinned = false;
}

/* A wider mask alone moves nobody before the host's next balancing: off the core first, then it may
 * come back. */
static void move_away(struct tracee *t)
{
	if (sched_setaffinity(t->tid, sizeof(cpu_set_t), &cores.others) < 0)
		return;
	t->unpinned = true;
	(void)sched_setaffinity(t->tid, sizeof(cpu_set_t), &cores.all);
}

static bool is_away(const struct tracee *t)
{
	return t->waiter && t->activity == TRACEE_IN_GUEST && t->state == TRACEE_RUNNING;
}

/*
 * Somebody's short trip took long while others computed: they have the core. Those that have been
 * away for a while make room.
 */
void affinity_contended(uint64_t now)
{
	struct tracee *t;

	if (!cores.several)
		return;
	hash_for_each_entry (t, &pt.tracees, by_tid) {
		if (is_away(t) && !t->unpinned && now - t->away_since >= BUSY_NS)
			move_away(t);
	}
}

static void settle(struct timer *timer)
{
	uint64_t now = loop_monotonic_now();
	struct tracee *t;

	hash_for_each_entry (t, &pt.tracees, by_tid) {
		if (!is_away(t) || t->unpinned)
			continue;
		if (pt.away > 1 && now - t->away_since >= SETTLED_NS)
			move_away(t);
		else if (pt.away > 1 && !timer_armed(timer))
			(void)timer_arm(timer, now + SETTLED_NS);
	}
}

void affinity_start(void)
{
	int cpu = sched_getcpu();

	timer_init(&cores.timer, settle, NULL);
	cores.several = false;
	if (cpu < 0 || cpu >= CPU_SETSIZE ||
		sched_getaffinity(0, sizeof(cores.all), &cores.all) < 0)
		return;
	CPU_ZERO(&cores.one);
	CPU_SET(cpu, &cores.one);
	cores.others = cores.all;
	CPU_CLR(cpu, &cores.others);
	if (sched_setaffinity(0, sizeof(cores.one), &cores.one) < 0)
		log_info("ptrace: cannot keep to core %d", cpu);
	else
		cores.several = CPU_COUNT(&cores.all) > 1;
}

void affinity_stop(void)
{
	timer_cancel(&cores.timer);
	if (cores.several)
		(void)sched_setaffinity(0, sizeof(cores.all), &cores.all);
	cores.several = false;
}

void affinity_leave(struct tracee *t, uint64_t now)
{
	t->away_since = now;
	pt.away++;
	if (cores.several && pt.away > 1 && !t->unpinned && !timer_armed(&cores.timer))
		(void)timer_arm(&cores.timer, now + SETTLED_NS);
}

void affinity_return(struct tracee *t, uint64_t now)
{
	pt.away--;
	if (t->unpinned && t->state == TRACEE_STOPPED && now - t->away_since < BUSY_NS)
		move_home(t);
}
