/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "abi/limits.h"
#include "base/checked.h"
#include "base/log.h"
#include "base/loop.h"
#include "sentry/kernel_private.h"
#include "sentry/live.h"
#include "sentry/mm.h"
#include "sentry/procfs/procfs.h"
#include "sentry/task.h"

/*
 * Limits on the sandbox as a whole. Wall clock and CPU time end it: SIGTERM to every process, a
 * grace, SIGKILL. Memory is sampled: when what the guests' address spaces hold exceeds the limit,
 * the process with the most of it is killed, as Linux's out-of-memory killer does. docs/security.md
 * says what sampling can and cannot promise.
 */

#define GRACE_NS 2000000000ull
/*
 * The memory limit is looked at again before the guests' CPUs could have filled what is left of it:
 * a CPU clears at most some 8 bytes in a nanosecond. docs/security.md has the resulting bound.
 */
#define SAMPLE_NS      100000000ull /* at most, while anything runs */
#define SAMPLE_IDLE_NS 20000000ull  /* at least, when nothing ran: looking costs as well */
#define SAMPLE_MIN_NS  4000000ull
#define FILL_PER_NS    8 /* bytes, a CPU */
/* So much above the limit a process may still end in order; the same as a control group allows
 * (cmd/cgroup.c). */
#define SLACK_PART 16
/* Of what is shown of a running sandbox; for many tasks, so much longer. */
#define LIVE_NS	      1000000000ull
#define LIVE_TASKS_NS (LIVE_NS / 64)
#define SLACK	      (16ull << 20)

static struct limits {
	const struct kernel_config *config;
	struct kernel_result *result;
	struct timer wall, grace, sample;
	uint64_t last_cpu_ns, cpu_due; /* when to look at CPU time again */
	uint64_t last_memory, peak_memory;
	uint64_t live_due;    /* when to take the next sample for who watches */
	uint64_t last_excess; /* of files in memory beyond their limit */
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

/* One that can speak for the process's memory: its first thread may have left. */
static struct task *any_thread(struct thread_group *group)
{
	struct task *task;

	list_for_each_entry (task, &group->tasks, group_link)
		if (task->thread && task->mm)
			return task;
	return NULL;
}

/*
 * Bytes that all address spaces hold, and the process to kill when they are too many: the one that
 * has the most, each counted as more or less by its oom_score_adj in thousandths of the limit
 * (oom_badness()). One with -1000 is killed only when there is no other, for a limit is a limit.
 * Who was killed for it already is past growing, and gives back what it has.
 */
static uint64_t total_memory(struct task **ret_worst)
{
	struct mm *seen[256];
	size_t count = 0;
	uint64_t total = 0;
	int64_t worst = 0;

	*ret_worst = NULL;
	for (struct pid *pid = pid_next(2); pid; pid = pid_next(pid->nr + 1)) {
		struct task *task =
			pid->group && !pid->group->zombie ? any_thread(pid->group) : NULL;
		uint64_t size;
		int64_t points;

		if (!task || pid->group->memory_killed || shares_counted(task->mm, seen, count))
			continue;
		if (count < array_size(seen))
			seen[count++] = task->mm;
		if (platform->memory_use(task->thread->as, &size) < 0)
			continue;
		total += size;
		points = pid->group->oom_score_adj == LX_OOM_SCORE_ADJ_MIN
				 ? INT64_MIN
				 : (int64_t)size +
					   pid->group->oom_score_adj *
						   (int64_t)(limits.config->memory_limit / 1000);
		/* One that is on its way out goes first, whatever its size. */
		if (pid->group->exiting)
			points = INT64_MAX;
		if (!*ret_worst || points > worst) {
			worst = points;
			*ret_worst = task;
		}
	}
	return total;
}

static void ask_to_leave(struct thread_group *group)
{
	struct lx_siginfo info = {.signo = LX_SIGKILL, .code = LX_SI_KERNEL};
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", group->pid->nr);
	audit_event("limit", "limit", "memory", "killed", pid, "allow", "--memory", NULL);
	log_warning("memory limit of %llu MiB reached: killed process %s (--memory raises it)",
		(unsigned long long)(limits.config->memory_limit >> 20), pid);
	limits.result->memory_hit = true;
	kernel.memory_kills++;
	(void)signal_send_group(group, &info);
}

/*
 * The first time it is asked to leave, which lets it tell who waits for its locks; it may need the
 * memory of a page for that. The next time, or when there is far too much (@at_once), its host
 * process is killed, which nothing delays.
 */
static void kill_for_memory(struct task *task, bool at_once)
{
	struct thread_group *group = task->group;
	bool asked = group->exiting;

	if (!asked)
		ask_to_leave(group);
	if (asked || at_once) {
		group->memory_killed = true;
		platform->as_kill(task->thread->as);
	}
}

/*
 * When to look again, ns from now. Files in memory have a limit of their own that is kept by who
 * writes them, but for holes that are read through mappings: while those grow beyond it, a process
 * is killed, as if the memory were its own.
 */
static uint64_t check_memory(void)
{
	const uint64_t limit = limits.config->memory_limit;
	const bool sparse = tmpfs_recount();
	const uint64_t excess = tmpfs_memory_excess();
	struct task *worst;
	uint64_t total = total_memory(&worst), wait, left;
	bool idle = total == limits.last_memory, grows = excess > limits.last_excess;

	limits.last_memory = total;
	limits.peak_memory = max_of(limits.peak_memory, total + tmpfs_memory_used());
	limits.last_excess = excess;
	if (total > limit || grows) {
		if (worst)
			kill_for_memory(worst, total > limit + limit / SLACK_PART + SLACK);
		return SAMPLE_MIN_NS;
	}
	left = limit - total;
	if (sparse)
		left = min_of(left, limit - min_of(limit, tmpfs_memory_used()));
	wait = left / FILL_PER_NS / procfs_cpu_count();
	wait = max_of(wait, idle && !excess ? SAMPLE_IDLE_NS : SAMPLE_MIN_NS);
	return min_of(wait, SAMPLE_NS);
}

static void check_cpu_time(uint64_t now)
{
	uint64_t cpu;

	if (now < limits.cpu_due || limits.result->cpu_time_hit)
		return;
	cpu = total_cpu_ns();
	/* A sandbox that sleeps is sampled ten times less. */
	limits.cpu_due =
		now + (cpu - limits.last_cpu_ns < SAMPLE_NS / 100 ? 10 * SAMPLE_NS : SAMPLE_NS);
	limits.last_cpu_ns = cpu;
	if (cpu > limits.config->cpu_time_ns) {
		limits.result->cpu_time_hit = true;
		end_sandbox("CPU time limit", "--cpu-time");
	}
}

#define LOOK_TASKS_MAX 64u

void kernel_limits_look(void)
{
	struct task *worst;

	if (kernel.task_count <= LOOK_TASKS_MAX)
		limits.peak_memory =
			max_of(limits.peak_memory, total_memory(&worst) + tmpfs_memory_used());
}

uint64_t kernel_memory_peak(void)
{
	return limits.peak_memory;
}

/* The numbers that are not counted as they happen. */
static void show(uint64_t now)
{
	struct task *worst;

	if (now < limits.live_due)
		return;
	limits.live_due = now + max_of((uint64_t)LIVE_NS, kernel.task_count * LIVE_TASKS_NS);
	live_sample(now, limits.config->memory_limit ? limits.last_memory : total_memory(&worst));
}

static void sample_expired(struct timer *timer)
{
	uint64_t now = loop_monotonic_now(), wait = SAMPLE_NS;

	if (limits.config->cpu_time_ns)
		check_cpu_time(now);
	if (limits.config->memory_limit)
		wait = check_memory();
	if (live_wanted())
		show(now);
	if (timer_arm(timer, now + wait) < 0)
		tasks_kill_all();
}

static void output_hit(void)
{
	if (limits.result->output_hit)
		return;
	limits.result->output_hit = true;
	end_sandbox("output limit", "--output-limit");
}

void kernel_limits_start(const struct kernel_config *config, struct kernel_result *result)
{
	limits = (struct limits){.config = config, .result = result};
	timer_init(&limits.wall, wall_expired, NULL);
	timer_init(&limits.grace, grace_expired, NULL);
	timer_init(&limits.sample, sample_expired, NULL);
	if (config->output_limit)
		output_limit(config->output_limit, output_hit);
	if (config->timeout_ns &&
		timer_arm(&limits.wall, loop_monotonic_now() + config->timeout_ns) < 0)
		kernel_fail(125, "no memory for the time limit");
	if ((config->cpu_time_ns || config->memory_limit || live_wanted()) &&
		timer_arm(&limits.sample, loop_monotonic_now() + SAMPLE_NS) < 0)
		kernel_fail(125, "no memory for the limits' sampler");
}

void kernel_limits_stop(void)
{
	timer_cancel(&limits.wall);
	timer_cancel(&limits.grace);
	timer_cancel(&limits.sample);
}
