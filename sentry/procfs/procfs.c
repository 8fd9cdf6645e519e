/* SPDX-License-Identifier: Apache-2.0 */
/* The root of /proc: proc(5). */
#include "sentry/procfs/procfs.h"

#include <stdio.h>
#include <string.h>

#include "abi/limits.h"
#include "base/checked.h"
#include "base/loop.h"
#include "sentry/kernel.h"
#include "sentry/procfs/procfs_private.h"
#include "sentry/uts.h"

struct totals {
	uint64_t resident, user_ns, system_ns, switches;
	unsigned running, tasks;
	int last_pid;
};

/* Over all processes; threads of one process share their memory. */
static struct totals count_all(void)
{
	struct totals totals = {0};

	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1)) {
		struct thread_group *group = pid->group;
		uint64_t user, system;

		totals.last_pid = pid->nr;
		if (pid->task && !pid->task->exited && pid->task->mm) {
			totals.tasks++;
			totals.running +=
				pid->task->current_nr == UINT64_MAX || pid->task == task_current();
			totals.switches += pid->task->switches;
		}
		if (!group || group->reaped)
			continue;
		group_cpu_time(group, &user, &system);
		totals.user_ns += user + group->dead_children.user_ns;
		totals.system_ns += system + group->dead_children.system_ns;
		if (group->leader && !group->leader->exited)
			totals.resident += proc_resident_size(group->leader);
	}
	return totals;
}

static uint64_t memory_size(void)
{
	uint64_t limit = kernel.config ? kernel.config->memory_limit : 0;

	if (!procfs_host.memory_size)
		return limit ? limit : 1ull << 30;
	return limit ? min_of(limit, procfs_host.memory_size) : procfs_host.memory_size;
}

static int show_cpuinfo(const struct pseudo_node *node, struct seq *seq)
{
	if (procfs_host.cpuinfo)
		seq_puts(seq, procfs_host.cpuinfo);
	return 0;
}

/* The sandbox's limit is its memory. Page cache is the host's and not counted. */
static int show_meminfo(const struct pseudo_node *node, struct seq *seq)
{
	struct totals totals = count_all();
	unsigned long long total = memory_size() / 1024;
	unsigned long long used = min_of((unsigned long long)totals.resident / 1024, total);
	const struct {
		const char *name;
		unsigned long long kib;
	} lines[] = {
		{"MemTotal:", total},
		{"MemFree:", total - used},
		{"MemAvailable:", total - used},
		{"Buffers:", 0},
		{"Cached:", 0},
		{"SwapCached:", 0},
		{"Active:", used},
		{"Inactive:", 0},
		{"Active(anon):", used},
		{"Inactive(anon):", 0},
		{"Active(file):", 0},
		{"Inactive(file):", 0},
		{"Unevictable:", 0},
		{"Mlocked:", 0},
		{"SwapTotal:", 0},
		{"SwapFree:", 0},
		{"Dirty:", 0},
		{"Writeback:", 0},
		{"AnonPages:", used},
		{"Mapped:", 0},
		{"Shmem:", 0},
		{"KReclaimable:", 0},
		{"Slab:", 0},
		{"SReclaimable:", 0},
		{"SUnreclaim:", 0},
		{"KernelStack:", 0},
		{"PageTables:", 0},
		{"NFS_Unstable:", 0},
		{"Bounce:", 0},
		{"WritebackTmp:", 0},
		{"CommitLimit:", total},
		{"Committed_AS:", used},
		{"VmallocTotal:", 34359738367ull},
		{"VmallocUsed:", 0},
		{"VmallocChunk:", 0},
		{"AnonHugePages:", 0},
	};

	for (size_t i = 0; i < array_size(lines); i++)
		seq_printf(seq, "%-15s %8llu kB\n", lines[i].name, lines[i].kib);
	seq_puts(seq,
		"HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
		"HugePages_Surp:        0\nHugepagesize:       2048 kB\n"
		"Hugetlb:               0 kB\n");
	return 0;
}

static void show_cpu_line(
	struct seq *seq, const char *name, uint64_t user, uint64_t system, uint64_t uptime)
{
	uint64_t busy = user + system;

	seq_printf(seq, "%s %llu 0 %llu %llu 0 0 0 0 0 0\n", name,
		(unsigned long long)(user / NS_PER_TICK),
		(unsigned long long)(system / NS_PER_TICK),
		(unsigned long long)((uptime > busy ? uptime - busy : 0) / NS_PER_TICK));
}

static int show_stat(const struct pseudo_node *node, struct seq *seq)
{
	struct totals totals = count_all();
	unsigned count = procfs_host.cpu_count;
	uint64_t uptime = loop_monotonic_now() - kernel.boot_time_mono;
	char name[24];

	show_cpu_line(seq, "cpu ", totals.user_ns, totals.system_ns, uptime * count);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "cpu%u", i);
		show_cpu_line(seq, name, totals.user_ns / count, totals.system_ns / count, uptime);
	}
	seq_printf(seq,
		"intr 0\nctxt %llu\nbtime %llu\nprocesses %d\nprocs_running %u\nprocs_blocked 0\n"
		"softirq 0 0 0 0 0 0 0 0 0 0 0\n",
		(unsigned long long)totals.switches,
		(unsigned long long)((loop_realtime_now() - uptime) / 1000000000ull),
		totals.last_pid, max_of(totals.running, 1u));
	return 0;
}

static int show_uptime(const struct pseudo_node *node, struct seq *seq)
{
	struct totals totals = count_all();
	uint64_t uptime = loop_monotonic_now() - kernel.boot_time_mono;
	uint64_t busy = totals.user_ns + totals.system_ns, all = uptime * procfs_host.cpu_count;
	uint64_t idle = all > busy ? all - busy : 0;

	seq_printf(seq, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(uptime / 1000000000),
		(unsigned long long)(uptime / 10000000 % 100),
		(unsigned long long)(idle / 1000000000),
		(unsigned long long)(idle / 10000000 % 100));
	return 0;
}

/* No averages are kept: the present number of runnable threads stands for none of them. */
static int show_loadavg(const struct pseudo_node *node, struct seq *seq)
{
	struct totals totals = count_all();

	seq_printf(seq, "0.00 0.00 0.00 %u/%u %d\n", max_of(totals.running, 1u),
		max_of(totals.tasks, 1u), totals.last_pid);
	return 0;
}

static int show_version(const struct pseudo_node *node, struct seq *seq)
{
	seq_printf(seq, "%s version %s (sentry@sentry) (gcc %s) %s\n", UTS_SYSNAME, UTS_RELEASE,
		__VERSION__, UTS_VERSION);
	return 0;
}

static int show_cmdline(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "\n");
	return 0;
}

static int show_filesystems(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevpts\nnodev\toverlay\n"
		      "nodev\thostfs\nnodev\tpipefs\nnodev\tsockfs\n");
	return 0;
}

static int show_devices(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/ptmx\n136 pts\n\n"
		      "Block devices:\n");
	return 0;
}

static int show_swaps(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

static int show_nothing(const struct pseudo_node *node, struct seq *seq)
{
	return 0;
}

static int show_partitions(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "major minor  #blocks  name\n\n");
	return 0;
}

struct lock_lines {
	struct seq *seq;
	unsigned count;
};

/* lock_get_status() in kernel fs/locks.c */
static void show_lock(const struct lock_info *info, void *arg)
{
	struct lock_lines *lines = arg;
	uint64_t dev = info->inode->sb->dev;

	seq_printf(lines->seq, "%u: %-6s ADVISORY  %s %d %02x:%02x:%llu %lld ", ++lines->count,
		info->kind, info->type == 0 ? "READ " : "WRITE", info->pid, lx_major(dev),
		lx_minor(dev), (unsigned long long)info->inode->ino, (long long)info->start);
	if (info->end == INT64_MAX)
		seq_puts(lines->seq, "EOF\n");
	else
		seq_printf(lines->seq, "%lld\n", (long long)info->end);
}

static int show_locks(const struct pseudo_node *node, struct seq *seq)
{
	struct lock_lines lines = {.seq = seq};

	locks_for_each(show_lock, &lines);
	return 0;
}

static ssize_t readlink_mounts(
	const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer)
{
	return snprintf(buffer, LX_PATH_MAX, "self/mounts");
}

static ssize_t readlink_net(const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer)
{
	return snprintf(buffer, LX_PATH_MAX, "self/net");
}

#define TEXT_LINK(name_, readlink_)                                                                \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFLNK | 0777, .readlink = (readlink_)                \
	}

static const struct pseudo_entry root_entries[] = {
	PSEUDO_FILE("cmdline", 0444, show_cmdline),
	PSEUDO_FILE("cpuinfo", 0444, show_cpuinfo),
	PSEUDO_FILE("devices", 0444, show_devices),
	PSEUDO_FILE("diskstats", 0444, show_nothing),
	PSEUDO_FILE("filesystems", 0444, show_filesystems),
	PSEUDO_FILE("loadavg", 0444, show_loadavg),
	PSEUDO_FILE("locks", 0444, show_locks),
	PSEUDO_FILE("meminfo", 0444, show_meminfo),
	PSEUDO_FILE("modules", 0444, show_nothing),
	TEXT_LINK("mounts", readlink_mounts),
	TEXT_LINK("net", readlink_net),
	PSEUDO_FILE("partitions", 0444, show_partitions),
	TEXT_LINK("self", proc_readlink_self),
	PSEUDO_FILE("stat", 0444, show_stat),
	PSEUDO_FILE("swaps", 0444, show_swaps),
	{.name = "sys",
		.mode = LX_S_IFDIR | 0555,
		.children = proc_sys_entries,
		.child_count = array_size(proc_sys_entries)},
	{.name = "sysvipc",
		.mode = LX_S_IFDIR | 0555,
		.children = proc_sysvipc_entries,
		.child_count = array_size(proc_sysvipc_entries)},
	TEXT_LINK("thread-self", proc_readlink_thread_self),
	PSEUDO_FILE("uptime", 0444, show_uptime),
	PSEUDO_FILE("version", 0444, show_version),
};

static const struct pseudo_entry root_dir = {
	.name = "/",
	.mode = LX_S_IFDIR | 0555,
	.children = root_entries,
	.child_count = array_size(root_entries),
	.dynamic = &proc_processes,
};

int procfs_new(struct super_block **ret)
{
	return pseudo_new("proc", LX_PROC_SUPER_MAGIC, &root_dir, ret);
}
