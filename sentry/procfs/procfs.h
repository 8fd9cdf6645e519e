/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_PROCFS_H
#define SENTRY_SENTRY_PROCFS_H

#include "sentry/pid_ns.h"
#include "vfs/vfs.h"

/* Reads what of the host's /proc and /sys the guest is told about (the processors). Before
 * confinement. -ENOMEM. */
int procfs_capture_host(void);
/* /proc: proc(5). */
int procfs_new(struct pid_ns *ns, struct super_block **ret);
/* /sys: the few files of sysfs(5) that programs read. */
int sysfs_new(struct super_block **ret);
/* /sys/fs/cgroup: one version 2 group with the sandbox's limits, for reading. */
int cgroupfs_new(struct super_block **ret);
/* Memory as the guest is told of it, in bytes; the parts add up to the whole. */
struct procfs_memory {
	uint64_t total, anon, files, shmem, free; /* files: pages of files that are mapped */
};
void procfs_memory(struct procfs_memory *ret);
/* Load averages over 1, 5 and 15 minutes in 1 / (1 << PROCFS_LOAD_SHIFT) threads (loadavg.c). */
#define PROCFS_LOAD_SHIFT 16
void procfs_load_averages(uint64_t ret[3]);
/* How many processors the guest sees; they are numbered from 0. After procfs_capture_host(). */
unsigned procfs_cpu_count(void);

/* The process whose directory @file is, borrowed: it stands for the process as a pidfd does in
 * pidfd_send_signal(2). NULL: it is something else. */
struct pid *procfs_process_of(const struct file *file);

/*
 * Lets the network code show its tables: @name is a file of /proc/PID/net ("tcp", "udp", "dev",
 * "unix"...), @show writes all of it with the functions of pseudo.h. -ENOENT for other names.
 */
struct seq;
typedef int procfs_net_show(struct seq *seq);
int procfs_register_net(const char *name, procfs_net_show *show);

#endif
