/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /sys/fs/cgroup: one version 2 group, which shows the limits of the sandbox to programs that size
 * themselves by it (Java, Go, node). It looks as the group of a container does from inside its
 * cgroup namespace: at the root, but with limits. Groups cannot be made and nothing can be written.
 * Kernel Documentation/admin-guide/cgroup-v2.rst.
 */
#include "base/checked.h"
#include "sentry/kernel.h"
#include "sentry/procfs/procfs_private.h"

#define CPU_PERIOD_US 100000u

/* A file that always says the same. */
#define CONSTANT(fn_, text_)                                                                       \
	static int show_##fn_(const struct pseudo_node *node, struct seq *seq)                     \
	{                                                                                          \
		seq_puts(seq, text_);                                                              \
		return 0;                                                                          \
	}

CONSTANT(nothing, "")
CONSTANT(zero, "0\n")
CONSTANT(max, "max\n")
CONSTANT(type, "domain\n")
CONSTANT(controllers, "cpuset cpu memory pids\n")
CONSTANT(group_events, "populated 1\nfrozen 0\n")
CONSTANT(group_stat, "nr_descendants 0\nnr_dying_descendants 0\n")
CONSTANT(weight, "100\n")

static int show_procs(const struct pseudo_node *node, struct seq *seq)
{
	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1))
		if (pid->group && !pid->group->zombie && !pid->group->reaped && pid_vnr(pid))
			seq_printf(seq, "%d\n", pid_vnr(pid));
	return 0;
}

static int show_threads(const struct pseudo_node *node, struct seq *seq)
{
	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1))
		if (pid->task && !pid->task->exited && pid_vnr(pid))
			seq_printf(seq, "%d\n", pid_vnr(pid));
	return 0;
}

/* --cpus gives whole processors; without it there is no quota. */
static int show_cpu_max(const struct pseudo_node *node, struct seq *seq)
{
	uint64_t cpus = kernel.config ? kernel.config->cpus : 0;

	if (cpus)
		seq_printf(seq, "%llu %u\n",
			(unsigned long long)min_of(cpus, (uint64_t)procfs_host.cpu_count) *
				CPU_PERIOD_US,
			CPU_PERIOD_US);
	else
		seq_printf(seq, "max %u\n", CPU_PERIOD_US);
	return 0;
}

static int show_cpu_stat(const struct pseudo_node *node, struct seq *seq)
{
	struct proc_totals totals;

	proc_count_all(&totals);
	seq_printf(seq,
		"usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\nnr_periods 0\nnr_throttled 0\n"
		"throttled_usec 0\n",
		(unsigned long long)((totals.user_ns + totals.system_ns) / 1000),
		(unsigned long long)(totals.user_ns / 1000),
		(unsigned long long)(totals.system_ns / 1000));
	return 0;
}

static int show_cpus(const struct pseudo_node *node, struct seq *seq)
{
	seq_printf(seq, procfs_host.cpu_count > 1 ? "0-%u\n" : "%u\n", procfs_host.cpu_count - 1);
	return 0;
}

static int show_memory_max(const struct pseudo_node *node, struct seq *seq)
{
	uint64_t limit = kernel.config ? kernel.config->memory_limit : 0;

	if (limit)
		seq_printf(seq, "%llu\n", (unsigned long long)(limit & LX_PAGE_MASK));
	else
		seq_puts(seq, "max\n");
	return 0;
}

static int show_memory_current(const struct pseudo_node *node, struct seq *seq)
{
	struct procfs_memory memory;

	procfs_memory(&memory);
	seq_printf(seq, "%llu\n", (unsigned long long)(memory.total - memory.free));
	return 0;
}

static int show_memory_events(const struct pseudo_node *node, struct seq *seq)
{
	seq_printf(seq, "low 0\nhigh 0\nmax 0\noom %u\noom_kill %u\noom_group_kill 0\n",
		kernel.memory_kills, kernel.memory_kills);
	return 0;
}

static int show_memory_stat(const struct pseudo_node *node, struct seq *seq)
{
	struct procfs_memory memory;
	struct proc_totals totals;

	procfs_memory(&memory);
	proc_count_all(&totals);
	const struct {
		const char *name;
		uint64_t value;
	} lines[] = {
		{"anon", memory.anon},
		{"file", memory.files + memory.shmem},
		{"kernel", 0},
		{"kernel_stack", 0},
		{"pagetables", 0},
		{"sock", 0},
		{"shmem", memory.shmem},
		{"file_mapped", memory.files},
		{"file_dirty", 0},
		{"file_writeback", 0},
		{"swapcached", 0},
		{"anon_thp", 0},
		{"inactive_anon", memory.shmem},
		{"active_anon", memory.anon},
		{"inactive_file", 0},
		{"active_file", memory.files},
		{"unevictable", 0},
		{"slab_reclaimable", 0},
		{"slab_unreclaimable", 0},
		{"slab", 0},
		{"pgfault", totals.minor_faults + totals.major_faults},
		{"pgmajfault", totals.major_faults},
	};

	for (size_t i = 0; i < array_size(lines); i++)
		seq_printf(seq, "%s %llu\n", lines[i].name, (unsigned long long)lines[i].value);
	return 0;
}

static int show_pids_current(const struct pseudo_node *node, struct seq *seq)
{
	seq_printf(seq, "%u\n", kernel.task_count);
	return 0;
}

static int show_pids_max(const struct pseudo_node *node, struct seq *seq)
{
	uint64_t limit = kernel.config ? kernel.config->pids_limit : 0;

	if (limit)
		seq_printf(seq, "%llu\n", (unsigned long long)limit);
	else
		seq_puts(seq, "max\n");
	return 0;
}

static const struct pseudo_entry root_entries[] = {
	PSEUDO_FILE("cgroup.controllers", 0444, show_controllers),
	PSEUDO_FILE("cgroup.events", 0444, show_group_events),
	PSEUDO_FILE("cgroup.freeze", 0644, show_zero),
	PSEUDO_FILE("cgroup.max.depth", 0644, show_max),
	PSEUDO_FILE("cgroup.max.descendants", 0644, show_max),
	PSEUDO_FILE("cgroup.procs", 0644, show_procs),
	PSEUDO_FILE("cgroup.stat", 0444, show_group_stat),
	PSEUDO_FILE("cgroup.subtree_control", 0644, show_nothing),
	PSEUDO_FILE("cgroup.threads", 0644, show_threads),
	PSEUDO_FILE("cgroup.type", 0644, show_type),
	PSEUDO_FILE("cpu.max", 0644, show_cpu_max),
	PSEUDO_FILE("cpu.stat", 0444, show_cpu_stat),
	PSEUDO_FILE("cpu.weight", 0644, show_weight),
	PSEUDO_FILE("cpu.weight.nice", 0644, show_zero),
	PSEUDO_FILE("cpuset.cpus", 0644, show_cpus),
	PSEUDO_FILE("cpuset.cpus.effective", 0444, show_cpus),
	PSEUDO_FILE("cpuset.mems", 0644, show_zero),
	PSEUDO_FILE("cpuset.mems.effective", 0444, show_zero),
	PSEUDO_FILE("memory.current", 0444, show_memory_current),
	PSEUDO_FILE("memory.events", 0444, show_memory_events),
	PSEUDO_FILE("memory.high", 0644, show_max),
	PSEUDO_FILE("memory.low", 0644, show_zero),
	PSEUDO_FILE("memory.max", 0644, show_memory_max),
	PSEUDO_FILE("memory.min", 0644, show_zero),
	PSEUDO_FILE("memory.oom.group", 0644, show_zero),
	PSEUDO_FILE("memory.stat", 0444, show_memory_stat),
	PSEUDO_FILE("memory.swap.current", 0444, show_zero),
	PSEUDO_FILE("memory.swap.max", 0644, show_zero),
	PSEUDO_FILE("pids.current", 0444, show_pids_current),
	PSEUDO_FILE("pids.max", 0644, show_pids_max),
};

static const struct pseudo_entry root_dir = PSEUDO_DIR("/", root_entries);

int cgroupfs_new(struct super_block **ret)
{
	return pseudo_new("cgroup2", LX_CGROUP2_SUPER_MAGIC, &root_dir, NULL, ret);
}
