/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_PROCFS_PRIVATE_H
#define SENTRY_SENTRY_PROCFS_PRIVATE_H

#include "sentry/procfs/procfs.h"
#include "sentry/procfs/pseudo.h"

#define PROCFS_CACHES_MAX	   8
#define PROCFS_VULNERABILITIES_MAX 32

#define NS_PER_TICK 10000000ull /* USER_HZ is 100 */

/* host.c: as captured before confinement. */
extern struct procfs_host {
	char *cpuinfo;	      /* of the visible processors, renumbered */
	uint64_t memory_size; /* bytes */
	unsigned cpu_count;
	struct procfs_cache {
		char level[4], type[16], size[16], line_size[8], sets[12], ways[8];
	} caches[PROCFS_CACHES_MAX];
	unsigned cache_count;
	struct procfs_vulnerability {
		char name[32], text[96];
	} vulnerabilities[PROCFS_VULNERABILITIES_MAX]; /* sorted */
	unsigned vulnerability_count;
} procfs_host;

/* procfs.c: sums over all processes; what is resident counts as often as it is mapped. */
struct proc_totals {
	uint64_t resident, resident_files; /* bytes; files are a part of the first */
	uint64_t user_ns, system_ns, switches, minor_faults, major_faults;
	unsigned running, tasks;
	int last_pid;
};
void proc_count_all(struct proc_totals *ret);

/* process*.c: one function a file. */
int proc_show_status(const struct pseudo_node *node, struct seq *seq);
int proc_show_stat(const struct pseudo_node *node, struct seq *seq);
int proc_show_statm(const struct pseudo_node *node, struct seq *seq);
int proc_show_limits(const struct pseudo_node *node, struct seq *seq);
int proc_show_maps(const struct pseudo_node *node, struct seq *seq);
int proc_show_smaps(const struct pseudo_node *node, struct seq *seq);
int proc_show_smaps_rollup(const struct pseudo_node *node, struct seq *seq);
int proc_show_cmdline(const struct pseudo_node *node, struct seq *seq);
int proc_show_environ(const struct pseudo_node *node, struct seq *seq);
int proc_show_auxv(const struct pseudo_node *node, struct seq *seq);
/* user_ns.c */
int proc_show_uid_map(const struct pseudo_node *node, struct seq *seq);
int proc_show_gid_map(const struct pseudo_node *node, struct seq *seq);
int proc_show_projid_map(const struct pseudo_node *node, struct seq *seq);
int proc_may_write_setgroups(const struct pseudo_node *node, const struct vfs_ctx *ctx);
int proc_show_setgroups(const struct pseudo_node *node, struct seq *seq);
int proc_store_uid_map(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener);
int proc_store_gid_map(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener);
int proc_store_setgroups(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener);
ssize_t proc_readlink_namespace(
	const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer);
int proc_follow_namespace(
	const struct pseudo_node *node, const struct vfs_ctx *ctx, struct path *ret);
int proc_open_memory(const struct pseudo_node *node, struct file *file, const struct vfs_ctx *ctx);
/* mounts.c */
int proc_show_mounts(const struct pseudo_node *node, struct seq *seq);
int proc_show_mountinfo(const struct pseudo_node *node, struct seq *seq);
int proc_show_mountstats(const struct pseudo_node *node, struct seq *seq);
/* memory.c */
int proc_show_meminfo(const struct pseudo_node *node, struct seq *seq);
int proc_show_node_meminfo(const struct pseudo_node *node, struct seq *seq);
int proc_show_vmstat(const struct pseudo_node *node, struct seq *seq);
/* Resident bytes of a process, and the part of them that is of files and shared memory (may be
 * NULL); 0 when unknown. */
uint64_t proc_resident_size(const struct task *task, uint64_t *ret_shared);

/* The directories: process_dir.c, net.c, sysctl.c. */
extern const struct pseudo_entry proc_process_dir;
extern const struct pseudo_dynamic proc_processes;
extern const struct pseudo_dynamic proc_net_names;
/* sysfs_net.c: /sys/devices/virtual/net, and the links to it in /sys/class/net. */
extern const struct pseudo_dynamic sysfs_net_devices, sysfs_net_links;
extern const struct pseudo_entry proc_sys_entries[6];
extern const struct pseudo_entry proc_sysvipc_entries[3];

/* Links of the root. */
ssize_t proc_readlink_self(const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer);
ssize_t proc_readlink_thread_self(
	const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer);

#endif
