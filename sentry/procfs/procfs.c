/* SPDX-License-Identifier: Apache-2.0 */
/* The root of /proc: proc(5). */
#include "sentry/keys.h"
#include "sentry/procfs/procfs.h"

#include <stdio.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "base/checked.h"
#include "base/loop.h"
#include "sentry/kernel.h"
#include "sentry/procfs/procfs_private.h"
#include "sentry/uts.h"

/* Counting many processes asks the host once for each: what took long is not done all the time. */
#define COUNT_LONG_NS 1000000u
#define COUNT_SHARE   16u

/* Threads of one process share their memory. */
static void count_all(struct proc_totals *ret)
{
	struct proc_totals totals = {0};

	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1)) {
		struct thread_group *group = pid->group;
		uint64_t user, system, shared;

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
		totals.minor_faults +=
			group->dead_threads.minor_faults + group->dead_children.minor_faults;
		totals.major_faults +=
			group->dead_threads.major_faults + group->dead_children.major_faults;
		if (group->leader && !group->leader->exited) {
			totals.resident += proc_resident_size(group->leader, &shared);
			totals.resident_files += shared;
		}
	}
	*ret = totals;
}

/* Over all processes. At most a COUNT_SHAREth of the time is spent here: after a long count its
 * outcome holds for a while. */
void proc_count_all(struct proc_totals *ret)
{
	static struct proc_totals counted;
	static uint64_t good_until;
	uint64_t begin = loop_monotonic_now(), took;

	if (begin >= good_until) {
		count_all(&counted);
		took = loop_monotonic_now() - begin;
		good_until = took > COUNT_LONG_NS ? begin + took * COUNT_SHARE : 0;
	}
	*ret = counted;
}

static int show_cpuinfo(const struct pseudo_node *node, struct seq *seq)
{
	if (procfs_host.cpuinfo)
		seq_puts(seq, procfs_host.cpuinfo);
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
	unsigned count = procfs_host.cpu_count;
	uint64_t uptime = loop_monotonic_now() - kernel.boot_time_mono;
	struct proc_totals totals;
	char name[24];

	proc_count_all(&totals);
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
	uint64_t uptime = loop_monotonic_now() - kernel.boot_time_mono;
	uint64_t busy, all = uptime * procfs_host.cpu_count, idle;
	struct proc_totals totals;

	proc_count_all(&totals);
	busy = totals.user_ns + totals.system_ns;
	idle = all > busy ? all - busy : 0;
	seq_printf(seq, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(uptime / 1000000000),
		(unsigned long long)(uptime / 10000000 % 100),
		(unsigned long long)(idle / 1000000000),
		(unsigned long long)(idle / 10000000 % 100));
	return 0;
}

/* show_tty_range() in kernel fs/proc/proc_tty.c */
static int show_tty_drivers(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
		      "/dev/ptmx            /dev/ptmx       5       2 system\n"
		      "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
		      "pty_master           /dev/ptm      128 0-1048575 pty:master\n");
	return 0;
}

static int show_loadavg(const struct pseudo_node *node, struct seq *seq)
{
	struct proc_totals totals;
	uint64_t loads[3];

	procfs_load_averages(loads);
	proc_count_all(&totals);
	for (size_t i = 0; i < array_size(loads); i++) {
		uint64_t hundredths =
			(loads[i] * 100 + (1 << (PROCFS_LOAD_SHIFT - 1))) >> PROCFS_LOAD_SHIFT;

		seq_printf(seq, "%llu.%02llu ", (unsigned long long)(hundredths / 100),
			(unsigned long long)(hundredths % 100));
	}
	seq_printf(seq, "%u/%u %d\n", max_of(totals.running, 1u), max_of(totals.tasks, 1u),
		node->ns->level ? node->ns->last_nr : totals.last_pid);
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

/* The group of cgroup.c; hierarchy 0 is version 2 (cgroups(7)). */
static int show_cgroups(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t1\t1\n"
		      "cpu\t0\t1\t1\ncpuacct\t0\t1\t1\nmemory\t0\t1\t1\npids\t0\t1\t1\n");
	return 0;
}

/* No device interrupts anybody: the table has a head only. */
static int show_interrupts(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "           ");
	for (unsigned i = 0; i < procfs_host.cpu_count; i++)
		seq_printf(seq, "CPU%-8u", i);
	seq_puts(seq, "\n");
	return 0;
}

static int show_filesystems(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevtmpfs\n"
		      "nodev\tdevpts\nnodev\tmqueue\nnodev\tramfs\nnodev\toverlay\n"
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

	seq_printf(lines->seq, "%u: %-6s %-9s %s %d %02x:%02x:%llu %lld ", ++lines->count,
		info->kind, info->state ? info->state : "ADVISORY",
		info->type == LX_F_RDLCK   ? "READ"
		: info->type == LX_F_WRLCK ? "WRITE"
					   : "UNLCK",
		info->pid > 0 ? pid_nr_here(info->pid) : info->pid, lx_major(dev), lx_minor(dev),
		(unsigned long long)info->inode->ino, (long long)info->start);
	if (info->end == INT64_MAX)
		seq_puts(lines->seq, "EOF\n");
	else
		seq_printf(lines->seq, "%lld\n", (long long)info->end);
}

static int show_keys(const struct pseudo_node *node, struct seq *seq)
{
	if (task_current())
		keys_show(task_current(), seq);
	return 0;
}

static int show_key_users(const struct pseudo_node *node, struct seq *seq)
{
	if (task_current())
		keys_show_users(task_current(), seq);
	return 0;
}

static int show_locks(const struct pseudo_node *node, struct seq *seq)
{
	struct lock_lines lines = {.seq = seq};

	locks_for_each(show_lock, &lines);
	leases_for_each(show_lock, &lines);
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

static const struct pseudo_entry tty_entries[] = {
	PSEUDO_FILE("drivers", 0444, show_tty_drivers),
};

static const struct pseudo_entry root_entries[] = {
	PSEUDO_FILE("cgroups", 0444, show_cgroups),
	PSEUDO_FILE("cmdline", 0444, show_cmdline),
	PSEUDO_FILE("cpuinfo", 0444, show_cpuinfo),
	PSEUDO_FILE("devices", 0444, show_devices),
	PSEUDO_FILE("diskstats", 0444, show_nothing),
	PSEUDO_FILE("filesystems", 0444, show_filesystems),
	PSEUDO_FILE("interrupts", 0444, show_interrupts),
	PSEUDO_FILE("key-users", 0444, show_key_users),
	PSEUDO_FILE("keys", 0444, show_keys),
	PSEUDO_FILE("loadavg", 0444, show_loadavg),
	PSEUDO_FILE("locks", 0444, show_locks),
	PSEUDO_FILE("meminfo", 0444, proc_show_meminfo),
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
	PSEUDO_DIR("tty", tty_entries),
	PSEUDO_FILE("uptime", 0444, show_uptime),
	PSEUDO_FILE("version", 0444, show_version),
	PSEUDO_FILE("vmstat", 0444, proc_show_vmstat),
};

static const struct pseudo_entry root_dir = {
	.name = "/",
	.mode = LX_S_IFDIR | 0555,
	.children = root_entries,
	.child_count = array_size(root_entries),
	.dynamic = &proc_processes,
};

int procfs_new(struct pid_ns *ns, struct super_block **ret)
{
	return pseudo_new("proc", LX_PROC_SUPER_MAGIC, &root_dir, ns, ret);
}
