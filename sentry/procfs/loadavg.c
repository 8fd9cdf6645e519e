/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load averages (proc(5), sysinfo(2); kernel kernel/sched/loadavg.c): how many threads wanted a
 * processor, averaged with weights that fall by 1/e in 1, 5 and 15 minutes.
 *
 * The host's scheduler knows who waits for a processor; what is known here is the CPU time that all
 * tasks have used, so what counts is who had one. Between two looks the load is taken as constant.
 * Nobody looks until somebody asks: a sandbox whose load nobody wants to know pays nothing, and the
 * first answer is the average since its beginning. From then on a timer looks every five seconds
 * for as long as anything runs.
 */
#include "base/checked.h"
#include "base/loop.h"
#include "sentry/kernel.h"
#include "sentry/procfs/procfs.h"
#include "sentry/procfs/procfs_private.h"

#define LOOK_NS	    5000000000ull
#define FRESH_NS    10000000ull /* what was found is good for so long */
#define IDLE_SHARE  200ull	/* under 1/200 of a processor nothing runs */
#define EXP_HALVING 10

static double averages[3];
static uint64_t last_look, last_busy; /* ns */
static struct timer look_timer;

/* exp(-@x) to a thousandth, for @x >= 0: (1 - x/n)^n. */
static double decay(double x)
{
	double base;

	if (x > 20)
		return 0;
	base = 1 - x / (1 << EXP_HALVING);
	for (int i = 0; i < EXP_HALVING; i++)
		base *= base;
	return base;
}

/* True when something ran since the last look. */
static bool look(void)
{
	static const double seconds[] = {60, 300, 900};
	uint64_t now = loop_monotonic_now(), begin = max_of(last_look, kernel.boot_time_mono);
	struct proc_totals totals;
	double load, elapsed;
	uint64_t busy;

	if (now < begin + FRESH_NS)
		return true;
	proc_count_all(&totals);
	busy = totals.user_ns + totals.system_ns;
	/* Times of those who are gone may be known a little better than before. */
	busy = max_of(busy, last_busy);
	load = (double)(busy - last_busy) / (double)(now - begin);
	elapsed = (double)(now - begin) / 1e9;
	for (size_t i = 0; i < array_size(averages); i++) {
		double keep = decay(elapsed / seconds[i]);

		averages[i] = averages[i] * keep + load * (1 - keep);
	}
	last_look = now;
	if ((busy - last_busy) * IDLE_SHARE < now - begin) {
		last_busy = busy;
		return false;
	}
	last_busy = busy;
	return true;
}

static void look_again(struct timer *timer)
{
	if (look())
		(void)timer_arm(timer, loop_monotonic_now() + LOOK_NS);
}

void procfs_load_averages(uint64_t ret[3])
{
	if (!look_timer.expired)
		timer_init(&look_timer, look_again, NULL);
	(void)look();
	/* Without memory for it the averages are only less exact. */
	if (!timer_armed(&look_timer))
		(void)timer_arm(&look_timer, loop_monotonic_now() + LOOK_NS);
	for (size_t i = 0; i < array_size(averages); i++)
		ret[i] = (uint64_t)(averages[i] * (1 << PROCFS_LOAD_SHIFT));
}
