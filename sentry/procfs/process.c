/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID: status, stat, statm, limits. Formats of kernel fs/proc/array.c and fs/proc/base.c. */
#include <string.h>

#include "abi/limits.h"
#include "abi/resource.h"
#include "abi/signal.h"
#include "base/checked.h"
#include "sentry/kernel.h"
#include "sentry/mm.h"
#include "sentry/procfs/procfs_private.h"
#include "sentry/seccomp.h"
#include "sentry/trace.h"
#include "sentry/tty/tty.h"

#define PAGE_KIB (LX_PAGE_SIZE / 1024)

/* The thread that stands for the node even as a zombie; NULL when the process was reaped. */
static const struct task *node_leader(const struct pseudo_node *node)
{
	const struct thread_group *group = pseudo_group(node);

	return node->thread ? node->pid->task : group ? group->leader : NULL;
}

static char task_state(const struct pseudo_node *node)
{
	const struct thread_group *group = pseudo_group(node);
	const struct task *task = pseudo_task(node);

	if (!task || group->zombie)
		return 'Z';
	if (trace_stopped(task))
		return 't';
	if (group->stopped && !task->tracer)
		return 'T';
	/* A thread inside a call sleeps, but for the one that reads this. */
	if (task == task_current() || (task->mm && task->current_nr == UINT64_MAX))
		return 'R';
	return 'S';
}

static const char *state_name(char state)
{
	switch (state) {
	case 'R':
		return "R (running)";
	case 'T':
		return "T (stopped)";
	case 't':
		return "t (tracing stop)";
	case 'Z':
		return "Z (zombie)";
	default:
		return "S (sleeping)";
	}
}

uint64_t proc_resident_size(const struct task *task, uint64_t *ret_shared)
{
	uint64_t size = 0, shared = 0;

	if (task && task->thread && platform->resident_size(task->thread->as, &size, &shared) < 0)
		size = shared = 0;
	if (ret_shared)
		*ret_shared = min_of(shared, size);
	return size;
}

/* Masks of ignored and caught signals. */
static void handler_masks(
	const struct thread_group *group, uint64_t *ret_ignored, uint64_t *ret_caught)
{
	*ret_ignored = *ret_caught = 0;
	for (unsigned i = 0; group->sighand && i < LX_NSIG; i++) {
		uint64_t handler = group->sighand->action[i].handler;

		if (handler == 1) /* SIG_IGN */
			*ret_ignored |= 1ull << i;
		else if (handler != 0)
			*ret_caught |= 1ull << i;
	}
}

static void show_memory(struct seq *seq, const struct task *task, const struct mm *mm)
{
	uint64_t shared, resident = proc_resident_size(task, &shared) / 1024;
	uint64_t text = (mm->end_code - mm->start_code) / 1024;

	seq_printf(seq,
		"VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t%8llu kB\nVmPin:\t%8u kB\n"
		"VmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\nRssAnon:\t%8llu kB\nRssFile:\t%8llu kB\n"
		"RssShmem:\t%8u kB\nVmData:\t%8llu kB\nVmStk:\t%8llu kB\nVmExe:\t%8llu kB\n"
		"VmLib:\t%8u kB\nVmPTE:\t%8u kB\nVmSwap:\t%8u kB\nHugetlbPages:\t%8u kB\n",
		(unsigned long long)(mm->total_pages * PAGE_KIB),
		(unsigned long long)(mm->total_pages * PAGE_KIB),
		(unsigned long long)(mm->locked_pages * PAGE_KIB), 0u, (unsigned long long)resident,
		(unsigned long long)resident, (unsigned long long)(resident - shared / 1024),
		(unsigned long long)(shared / 1024), 0u,
		(unsigned long long)(mm->data_pages * PAGE_KIB),
		(unsigned long long)(mm->stack_pages * PAGE_KIB), (unsigned long long)text, 0u, 0u,
		0u, 0u);
	seq_printf(seq, "CoreDumping:\t0\nTHP_enabled:\t%d\nuntag_mask:\t0xffffffffffffffff\n",
		mm->thp_disable != 1);
}

/* In the namespace of this /proc and in those below it, down to the process's own. */
static void show_numbers(
	struct seq *seq, const char *name, const struct pid *pid, const struct pseudo_node *node)
{
	seq_printf(seq, "%s:", name);
	for (unsigned level = node->ns->level; level <= node->pid->level; level++)
		seq_printf(seq, "\t%d", pid && level <= pid->level ? pid->numbers[level] : 0);
	seq_puts(seq, "\n");
}

/* alloc_fdtable(): 64, then powers of two from 128 on. */
static unsigned descriptor_table_size(const struct task *task)
{
	int last = -1;
	unsigned size = 64;

	if (!task->files)
		return 0;
	for (int fd = fd_next(task->files, 0); fd >= 0; fd = fd_next(task->files, fd + 1))
		last = fd;
	while (last >= 0 && (unsigned)last >= size)
		size *= 2;
	return size;
}

static void show_ids(struct seq *seq, const struct pseudo_node *node, const struct task *task)
{
	const struct thread_group *group = pseudo_group(node);
	const struct user_ns *ns = seq->ctx->cred->user_ns;
	const struct cred *cred = task->cred;

	seq_printf(seq, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
		pid_nr_in(group->pid, node->ns), pid_nr_in(node->pid, node->ns),
		group->parent ? pid_nr_in(group->parent->pid, node->ns) : 0,
		task->tracer ? pid_nr_in(task->tracer->pid, node->ns) : 0);
	seq_printf(seq, "Uid:\t%u\t%u\t%u\t%u\n", user_ns_uid(ns, cred->uid),
		user_ns_uid(ns, cred->euid), user_ns_uid(ns, cred->suid),
		user_ns_uid(ns, cred->fsuid));
	seq_printf(seq, "Gid:\t%u\t%u\t%u\t%u\n", user_ns_gid(ns, cred->gid),
		user_ns_gid(ns, cred->egid), user_ns_gid(ns, cred->sgid),
		user_ns_gid(ns, cred->fsgid));
	seq_printf(seq, "FDSize:\t%u\nGroups:\t", descriptor_table_size(task));
	for (uint32_t i = 0; i < cred->group_count; i++)
		seq_printf(seq, "%u ", user_ns_gid(ns, cred->groups[i]));
	if (!cred->group_count)
		seq_puts(seq, " ");
	seq_puts(seq, "\n");
	show_numbers(seq, "NStgid", group->pid, node);
	show_numbers(seq, "NSpid", node->pid, node);
	show_numbers(seq, "NSpgid", group->pgrp, node);
	show_numbers(seq, "NSsid", group->session, node);
	seq_puts(seq, "Kthread:\t0\n");
}

static void show_signals(struct seq *seq, const struct thread_group *group, const struct task *task)
{
	uint64_t ignored, caught, queued = 0;
	const struct list_head *at;

	handler_masks(group, &ignored, &caught);
	for (at = group->pending.queue.next; at && at != &group->pending.queue; at = at->next)
		queued++;
	for (at = task->pending.queue.next; at && at != &task->pending.queue; at = at->next)
		queued++;
	seq_printf(seq, "SigQ:\t%llu/%llu\n", (unsigned long long)queued,
		(unsigned long long)group->rlimits[LX_RLIMIT_SIGPENDING].rlim_cur);
	seq_printf(seq, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n",
		(unsigned long long)task->pending.set, (unsigned long long)group->pending.set,
		(unsigned long long)task_blocked(task));
	seq_printf(seq, "SigIgn:\t%016llx\nSigCgt:\t%016llx\n", (unsigned long long)ignored,
		(unsigned long long)caught);
}

static void show_processors(struct seq *seq, const struct task *task)
{
	unsigned count = procfs_host.cpu_count, first = 0;
	const char *comma = "";

	seq_puts(seq, "Cpus_allowed:\t");
	for (unsigned word = (count + 31) / 32; word-- > 0;) {
		uint32_t bits = (uint32_t)(task->affinity[word / 2] >> (word % 2 * 32));
		unsigned width = min_of(count - word * 32, 32u);

		seq_printf(seq, "%s%0*x", comma, (int)(width + 3) / 4,
			width < 32 ? bits & ((1u << width) - 1) : bits);
		comma = ",";
	}
	seq_puts(seq, "\nCpus_allowed_list:\t");
	comma = "";
	for (unsigned cpu = 0; cpu <= count; cpu++) {
		if (cpu < count && (task->affinity[cpu / 64] >> (cpu % 64) & 1))
			continue;
		if (cpu > first)
			seq_printf(
				seq, cpu - first > 1 ? "%s%u-%u" : "%s%u", comma, first, cpu - 1);
		if (cpu > first)
			comma = ",";
		first = cpu + 1;
	}
	seq_puts(seq, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
}

int proc_show_status(const struct pseudo_node *node, struct seq *seq)
{
	const struct thread_group *group = pseudo_group(node);
	const struct task *leader = node_leader(node), *task = pseudo_task(node);
	const struct cred *cred;

	if (!leader || !leader->cred)
		return -ESRCH;
	cred = leader->cred;
	seq_puts(seq, "Name:\t");
	seq_escape(seq, leader->comm, "\n");
	if (leader->fs)
		seq_printf(seq, "\nUmask:\t%#04o", task_umask(leader));
	seq_printf(seq, "\nState:\t%s\n", state_name(task_state(node)));
	show_ids(seq, node, leader);
	if (task && task->mm)
		show_memory(seq, task, task->mm);
	seq_printf(seq, "Threads:\t%u\n", max_of(group->live_count, 1u));
	show_signals(seq, group, leader);
	seq_printf(seq,
		"CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\n"
		"CapAmb:\t%016llx\n",
		(unsigned long long)cred->cap_inheritable, (unsigned long long)cred->cap_permitted,
		(unsigned long long)cred->cap_effective, (unsigned long long)cred->cap_bounding,
		(unsigned long long)cred->cap_ambient);
	seq_printf(seq, "NoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%u\n", cred->no_new_privs,
		leader->seccomp_mode, seccomp_filter_count(leader));
	seq_puts(seq, "Speculation_Store_Bypass:\tvulnerable\n"
		      "SpeculationIndirectBranch:\talways enabled\n");
	show_processors(seq, leader);
	seq_printf(seq, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t0\n",
		(unsigned long long)leader->switches);
	return 0;
}

/* proc(5): fields 1 to 52. */
int proc_show_stat(const struct pseudo_node *node, struct seq *seq)
{
	static const struct mm no_mm;
	struct thread_group *group = pseudo_group(node);
	const struct task *leader = node_leader(node);
	struct task *task = pseudo_task(node);
	const struct mm *mm = task && task->mm ? task->mm : &no_mm;
	uint64_t user, system, minor, major, ignored, caught;

	if (!leader)
		return -ESRCH;
	if (node->thread) {
		task_cpu_time((struct task *)leader, &user, &system);
		(void)task_page_faults((struct task *)leader);
		minor = leader->minor_faults;
		major = leader->major_faults;
	} else {
		group_cpu_time(group, &user, &system);
		group_page_faults(group, &minor, &major);
	}
	handler_masks(group, &ignored, &caught);
	seq_printf(seq, "%d (%s) %c %d %d %d %d %d %u ", pid_nr_in(node->pid, node->ns),
		leader->comm, task_state(node),
		group->parent ? pid_nr_in(group->parent->pid, node->ns) : 0,
		pid_nr_in(group->pgrp, node->ns), pid_nr_in(group->session, node->ns),
		(int)tty_number(group->tty), tty_foreground(group->tty), 0x400000u);
	seq_printf(seq, "%llu %llu %llu %llu %llu %llu %lld %lld ", (unsigned long long)minor,
		(unsigned long long)group->dead_children.minor_faults, (unsigned long long)major,
		(unsigned long long)group->dead_children.major_faults,
		(unsigned long long)(user / NS_PER_TICK),
		(unsigned long long)(system / NS_PER_TICK),
		(long long)(group->dead_children.user_ns / NS_PER_TICK),
		(long long)(group->dead_children.system_ns / NS_PER_TICK));
	seq_printf(seq, "%d %d %u 0 %llu %llu %llu %llu ", 20 + leader->nice, leader->nice,
		max_of(group->live_count, 1u),
		(unsigned long long)((leader->start_time - kernel.boot_time_mono) / NS_PER_TICK),
		(unsigned long long)(mm->total_pages * LX_PAGE_SIZE),
		(unsigned long long)(proc_resident_size(task, NULL) / LX_PAGE_SIZE),
		(unsigned long long)group->rlimits[LX_RLIMIT_RSS].rlim_cur);
	seq_printf(seq, "%llu %llu %llu 0 0 ", (unsigned long long)mm->start_code,
		(unsigned long long)mm->end_code, (unsigned long long)mm->start_stack);
	seq_printf(seq, "%llu %llu %llu %llu 0 0 0 ", (unsigned long long)leader->pending.set,
		(unsigned long long)task_blocked(leader), (unsigned long long)ignored,
		(unsigned long long)caught);
	seq_printf(seq, "%d 0 %d %d 0 0 0 ", group->exit_signal, leader->sched_priority,
		leader->sched_policy);
	seq_printf(seq, "%llu %llu %llu %llu %llu %llu %llu %d\n",
		(unsigned long long)mm->start_data, (unsigned long long)mm->end_data,
		(unsigned long long)mm->start_brk, (unsigned long long)mm->arg_start,
		(unsigned long long)mm->arg_end, (unsigned long long)mm->env_start,
		(unsigned long long)mm->env_end, group->zombie ? group->exit_code : 0);
	return 0;
}

int proc_show_statm(const struct pseudo_node *node, struct seq *seq)
{
	const struct task *task = pseudo_task(node);
	const struct mm *mm = task ? task->mm : NULL;
	uint64_t resident, shared;

	if (!mm) {
		seq_puts(seq, "0 0 0 0 0 0 0\n");
		return 0;
	}
	resident = proc_resident_size(task, &shared);
	seq_printf(seq, "%llu %llu %llu %llu 0 %llu 0\n", (unsigned long long)mm->total_pages,
		(unsigned long long)(resident / LX_PAGE_SIZE),
		(unsigned long long)(shared / LX_PAGE_SIZE),
		(unsigned long long)((mm->end_code - mm->start_code + LX_PAGE_SIZE - 1) /
				     LX_PAGE_SIZE),
		(unsigned long long)(mm->data_pages + mm->stack_pages));
	return 0;
}

static const struct {
	const char *name, *unit;
} limit_names[LX_RLIM_NLIMITS] = {
	[LX_RLIMIT_CPU] = {"Max cpu time", "seconds"},
	[LX_RLIMIT_FSIZE] = {"Max file size", "bytes"},
	[LX_RLIMIT_DATA] = {"Max data size", "bytes"},
	[LX_RLIMIT_STACK] = {"Max stack size", "bytes"},
	[LX_RLIMIT_CORE] = {"Max core file size", "bytes"},
	[LX_RLIMIT_RSS] = {"Max resident set", "bytes"},
	[LX_RLIMIT_NPROC] = {"Max processes", "processes"},
	[LX_RLIMIT_NOFILE] = {"Max open files", "files"},
	[LX_RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
	[LX_RLIMIT_AS] = {"Max address space", "bytes"},
	[LX_RLIMIT_LOCKS] = {"Max file locks", "locks"},
	[LX_RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
	[LX_RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
	[LX_RLIMIT_NICE] = {"Max nice priority", NULL},
	[LX_RLIMIT_RTPRIO] = {"Max realtime priority", NULL},
	[LX_RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
};

static void show_limit(struct seq *seq, uint64_t value)
{
	if (value == LX_RLIM_INFINITY)
		seq_printf(seq, "%-20s ", "unlimited");
	else
		seq_printf(seq, "%-20llu ", (unsigned long long)value);
}

int proc_show_limits(const struct pseudo_node *node, struct seq *seq)
{
	const struct thread_group *group = pseudo_group(node);

	seq_puts(seq,
		"Limit                     Soft Limit           Hard Limit           Units     \n");
	for (unsigned i = 0; i < LX_RLIM_NLIMITS; i++) {
		seq_printf(seq, "%-25s ", limit_names[i].name);
		show_limit(seq, group->rlimits[i].rlim_cur);
		show_limit(seq, group->rlimits[i].rlim_max);
		if (limit_names[i].unit)
			seq_printf(seq, "%-10s\n", limit_names[i].unit);
		else
			seq_puts(seq, "\n");
	}
	return 0;
}
