/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "abi/limits.h"
#include "base/checked.h"
#include "base/log.h"
#include "base/loop.h"
#include "sentry/kernel_private.h"
#include "sentry/mm.h"
#include "sentry/task.h"

/*
 * Limits on the sandbox as a whole. Wall clock and CPU time end it: SIGTERM to every process, a
 * grace, SIGKILL. Memory is sampled: when the resident pages of all guests exceed the limit, the
 * process with the most of them is killed, as Linux's out-of-memory killer does. docs/caveats.md
 * says what sampling can and cannot promise.
 */

#define GRACE_NS 2000000000ull
#define SAMPLE_NS                                                                                  \
	100000000ull /* while anything runs; a sandbox that sleeps is sampled ten times less */
#define SAMPLE_IDLE_NS 1000000000ull

static struct limits {
	const struct kernel_config *config;
	struct kernel_result *result;
	struct timer wall, grace, sample;
	uint64_t last_cpu_ns;
} limits;

static void send_to_all(int signo)
{
	struct lx_siginfo info = {.signo = signo, .code = LX_SI_KERNEL};

	for (struct pid *pid = pid_next(2); pid; pid = pid_next(pid->nr + 1)) {
		if (pid->group && !pid->group->zombie)
			(void)signal_send_group(pid->group, &info);
	}
}

static void grace_expired(struct timer *timer)
{
	tasks_kill_all();
}

static void end_sandbox(const char *limit, const char *option)
{
	audit_event("limit", "limit", limit, "allow", option, NULL);
	log_info("%s reached: ending every task (%s raises it)", limit, option);
	send_to_all(LX_SIGTERM);
	send_to_all(LX_SIGCONT);
	if (timer_arm(&limits.grace, loop_monotonic_now() + GRACE_NS) < 0)
		tasks_kill_all();
}

static void wall_expired(struct timer *timer)
{
	limits.result->timed_out = true;
	end_sandbox("time limit", "--timeout");
}

static uint64_t total_cpu_ns(void)
{
	uint64_t total = 0;

	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1)) {
		uint64_t user, system;

		if (!pid->group)
			continue;
		group_cpu_time(pid->group, &user, &system);
		total += user + system;
		/* Children that were waited for are in no other group any more. */
		total += pid->group->dead_children.user_ns + pid->group->dead_children.system_ns;
	}
	return total;
}

static bool shares_counted(struct mm *mm, struct mm **seen, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (seen[i] == mm)
			return true;
	}
	return false;
}

/*
 * Resident bytes of all address spaces, and the process to kill when they are too many: the one
 * that has the most, each counted as more or less by its oom_score_adj in thousandths of the limit
 * (oom_badness()). One with -1000 is killed only when there is no other, for a limit is a limit.
 */
static uint64_t total_resident(struct thread_group **ret_worst)
{
	struct mm *seen[256];
	size_t count = 0;
	uint64_t total = 0;
	int64_t worst = 0;

	*ret_worst = NULL;
	for (struct pid *pid = pid_next(2); pid; pid = pid_next(pid->nr + 1)) {
		struct task *leader = pid->group && !pid->group->zombie ? pid->group->leader : NULL;
		uint64_t size;
		int64_t points;

		if (!leader || !leader->thread || !leader->mm ||
			shares_counted(leader->mm, seen, count))
			continue;
		if (count < array_size(seen))
			seen[count++] = leader->mm;
		if (platform->resident_size(leader->thread->as, &size, NULL) < 0)
			continue;
		total += size;
		points = pid->group->oom_score_adj == LX_OOM_SCORE_ADJ_MIN
				 ? INT64_MIN
				 : (int64_t)size +
					   pid->group->oom_score_adj *
						   (int64_t)(limits.config->memory_limit / 1000);
		if (!*ret_worst || points > worst) {
			worst = points;
			*ret_worst = pid->group;
		}
	}
	return total;
}

static void check_memory(void)
{
	struct lx_siginfo info = {.signo = LX_SIGKILL, .code = LX_SI_KERNEL};
	struct thread_group *worst;
	uint64_t total = total_resident(&worst);
	char pid[16];

	if (total <= limits.config->memory_limit || !worst)
		return;
	snprintf(pid, sizeof(pid), "%d", worst->pid->nr);
	audit_event("limit", "limit", "memory", "killed", pid, "allow", "--memory", NULL);
	log_warning("memory limit of %llu MiB reached: killed process %s (--memory raises it)",
		(unsigned long long)(limits.config->memory_limit >> 20), pid);
	limits.result->memory_hit = true;
	kernel.memory_kills++;
	(void)signal_send_group(worst, &info);
}

static void sample_expired(struct timer *timer)
{
	uint64_t cpu = total_cpu_ns();
	bool idle = cpu - limits.last_cpu_ns < SAMPLE_NS / 100;

	limits.last_cpu_ns = cpu;
	if (limits.config->cpu_time_ns && cpu > limits.config->cpu_time_ns &&
		!limits.result->cpu_time_hit) {
		limits.result->cpu_time_hit = true;
		end_sandbox("CPU time limit", "--cpu-time");
	}
	if (limits.config->memory_limit)
		check_memory();
	(void)timer_arm(timer, loop_monotonic_now() + (idle ? SAMPLE_IDLE_NS : SAMPLE_NS));
}

void kernel_limits_start(const struct kernel_config *config, struct kernel_result *result)
{
	limits = (struct limits){.config = config, .result = result};
	timer_init(&limits.wall, wall_expired, NULL);
	timer_init(&limits.grace, grace_expired, NULL);
	timer_init(&limits.sample, sample_expired, NULL);
	if (config->timeout_ns &&
		timer_arm(&limits.wall, loop_monotonic_now() + config->timeout_ns) < 0)
		kernel_fail(125, "no memory for the time limit");
	if ((config->cpu_time_ns || config->memory_limit) &&
		timer_arm(&limits.sample, loop_monotonic_now() + SAMPLE_NS) < 0)
		kernel_fail(125, "no memory for the limits' sampler");
}

void kernel_limits_stop(void)
{
	timer_cancel(&limits.wall);
	timer_cancel(&limits.grace);
	timer_cancel(&limits.sample);
}
