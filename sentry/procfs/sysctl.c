/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/sys: proc_sys_kernel(5) and relatives, as far as programs read them. Nothing can be changed
 * by writing: the values describe this kernel. Where one says what a limit of ours is, it is that
 * limit.
 */
#include <stdio.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "base/checked.h"
#include "base/random.h"
#include "sentry/kernel.h"
#include "sentry/keys.h"
#include "sentry/nsproxy.h"
#include "sentry/procfs/procfs_private.h"
#include "sentry/tty/tty.h"
#include "sentry/uts.h"

#define VALUE(fn_, format_, ...)                                                                   \
	static int show_##fn_(const struct pseudo_node *node, struct seq *seq)                     \
	{                                                                                          \
		seq_printf(seq, format_ "\n", ##__VA_ARGS__);                                      \
		return 0;                                                                          \
	}

VALUE(ostype, UTS_SYSNAME)
VALUE(osrelease, UTS_RELEASE)
VALUE(version, UTS_VERSION)
VALUE(arch, UTS_MACHINE)
VALUE(hostname, "%s", task_uts(task_current())->hostname)
VALUE(domainname, "%s", task_uts(task_current())->domainname)
VALUE(pid_max, "%d", LX_PID_MAX_DEFAULT)
VALUE(threads_max, "%llu",
	(unsigned long long)min_of(
		kernel.config->pids_limit ? kernel.config->pids_limit : SENTRY_MAX_TASKS,
		(uint64_t)SENTRY_MAX_TASKS))
VALUE(namespaces_max, "%d", SENTRY_MAX_NAMESPACES)
VALUE(pid_namespaces_max, "%d", SENTRY_MAX_PID_NAMESPACES)
VALUE(mount_max, "%d", SENTRY_MAX_MOUNTS)
VALUE(cap_last_cap, "%d", LX_CAP_LAST_CAP)
VALUE(ngroups_max, "%d", LX_NGROUPS_MAX)
VALUE(overflow_id, "65534")
VALUE(zero, "0")
VALUE(one, "1")
VALUE(two, "2")
VALUE(core_pattern, "core")
VALUE(printk, "4\t4\t1\t7")
VALUE(sem, "32000\t1024000000\t500\t32000")
VALUE(shmmax, "18446744073692774399")
VALUE(shmmni, "4096")
VALUE(msgmax, "8192")
VALUE(msgmnb, "16384")
VALUE(msgmni, "32000")
VALUE(key_gc_delay, "0") /* a key that nobody holds is freed at once */
VALUE(key_bytes, "%u", KEY_BYTES_MAX_OF_USER)
VALUE(key_count, "%u", KEYS_MAX_OF_USER)
VALUE(key_root_bytes, "%u", KEY_BYTES_MAX_OF_ALL)
VALUE(key_root_count, "%u", KEYS_MAX_OF_ALL)
VALUE(perf_event_paranoid, "4")
VALUE(tainted, "0")
VALUE(entropy, "256")
VALUE(sched_rr, "100")
VALUE(pty_nr, "%d", devpts_count())
VALUE(pty_max, "%d", devpts_count_max())
VALUE(seccomp_actions, "kill_process kill_thread trap errno user_notif trace log allow")
VALUE(seccomp_logged, "kill_process kill_thread trap errno user_notif trace log")
VALUE(max_map_count, "%d", SENTRY_MAX_VMAS)
VALUE(mmap_min_addr, "%llu", LX_MMAP_MIN_ADDR)
VALUE(overcommit_ratio, "50")
VALUE(swappiness, "60")
VALUE(file_max, "9223372036854775807")
VALUE(file_nr, "%u\t0\t9223372036854775807", 64u)
VALUE(nr_open, "%d", SENTRY_MAX_FDS)
VALUE(pipe_max_size, "%d", SENTRY_MAX_PIPE_SIZE)
VALUE(pipe_user_soft, "16384")
VALUE(inotify_events, "%d", SENTRY_MAX_INOTIFY_QUEUE)
VALUE(inotify_instances, "128")
VALUE(inotify_watches, "%d", SENTRY_MAX_INOTIFY_WATCHES)
VALUE(epoll_watches, "65536")
VALUE(mqueue_msg_max, "10")
VALUE(mqueue_size_max, "8192")
VALUE(mqueue_queues_max, "256")
VALUE(aio_max, "65536")
VALUE(lease_break, "45")
VALUE(somaxconn, "4096")
VALUE(socket_buffer, "%d", SENTRY_MAX_SOCKET_BUFFER)
VALUE(socket_buffer_default, "212992")
VALUE(netdev_backlog, "1000")
VALUE(optmem_max, "%d", SENTRY_MAX_SOCKET_CONTROL)
VALUE(local_port_range, "32768\t60999")
VALUE(unix_dgram_qlen, "512")
VALUE(ttl_default, "64")
VALUE(tcp_congestion, "cubic")
VALUE(tcp_congestions, "reno cubic")
VALUE(tcp_keepalive_time, "7200")
VALUE(tcp_keepalive_interval, "75")
VALUE(tcp_keepalive_probes, "9")
VALUE(tcp_syn_retries, "6")
VALUE(tcp_fin_timeout, "60")

static void show_uuid_of(struct seq *seq, const uint8_t bytes[16])
{
	for (unsigned i = 0; i < 16; i++)
		seq_printf(seq, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
	seq_puts(seq, "\n");
}

/* RFC 9562, version 4. */
static void make_uuid(uint8_t bytes[16])
{
	random_bytes(bytes, 16);
	bytes[6] = (bytes[6] & 0x0f) | 0x40;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
}

static int show_uuid(const struct pseudo_node *node, struct seq *seq)
{
	uint8_t bytes[16];

	make_uuid(bytes);
	show_uuid_of(seq, bytes);
	return 0;
}

static int show_boot_id(const struct pseudo_node *node, struct seq *seq)
{
	static uint8_t bytes[16];
	static bool made;

	if (!made)
		make_uuid(bytes);
	made = true;
	show_uuid_of(seq, bytes);
	return 0;
}

/* Of no size, with any position (proc_sys_file_operations: default_llseek()). */
#define READ(name_, what_)                                                                         \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFREG | 0444, .show = show_##what_,                  \
		.last_position = INT64_MAX                                                         \
	}

static const struct pseudo_entry random_entries[] = {
	READ("boot_id", boot_id),
	READ("entropy_avail", entropy),
	READ("poolsize", entropy),
	READ("uuid", uuid),
};

static const struct pseudo_entry pty_entries[] = {
	READ("max", pty_max),
	READ("nr", pty_nr),
	READ("reserve", zero),
};

static const struct pseudo_entry seccomp_entries[] = {
	READ("actions_avail", seccomp_actions),
	READ("actions_logged", seccomp_logged),
};

static const struct pseudo_entry key_entries[] = {
	READ("gc_delay", key_gc_delay),
	READ("maxbytes", key_bytes),
	READ("maxkeys", key_count),
	READ("root_maxbytes", key_root_bytes),
	READ("root_maxkeys", key_root_count),
};

static const struct pseudo_entry kernel_entries[] = {
	READ("arch", arch),
	READ("cap_last_cap", cap_last_cap),
	READ("core_pattern", core_pattern),
	READ("core_uses_pid", zero),
	READ("dmesg_restrict", one),
	READ("domainname", domainname),
	READ("hostname", hostname),
	READ("io_uring_disabled", two),
	PSEUDO_DIR("keys", key_entries),
	READ("kptr_restrict", two),
	READ("msgmax", msgmax),
	READ("msgmnb", msgmnb),
	READ("msgmni", msgmni),
	READ("ngroups_max", ngroups_max),
	READ("osrelease", osrelease),
	READ("ostype", ostype),
	READ("overflowgid", overflow_id),
	READ("overflowuid", overflow_id),
	READ("perf_event_paranoid", perf_event_paranoid),
	READ("pid_max", pid_max),
	READ("printk", printk),
	PSEUDO_DIR("pty", pty_entries),
	PSEUDO_DIR("random", random_entries),
	READ("randomize_va_space", two),
	READ("sched_rr_timeslice_ms", sched_rr),
	PSEUDO_DIR("seccomp", seccomp_entries),
	READ("sem", sem),
	READ("shmall", shmmax),
	READ("shmmax", shmmax),
	READ("shmmni", shmmni),
	READ("tainted", tainted),
	READ("threads-max", threads_max),
	READ("unprivileged_bpf_disabled", two),
	READ("version", version),
};

static const struct pseudo_entry vm_entries[] = {
	READ("max_map_count", max_map_count),
	READ("mmap_min_addr", mmap_min_addr),
	READ("nr_hugepages", zero),
	READ("overcommit_memory", zero),
	READ("overcommit_ratio", overcommit_ratio),
	READ("swappiness", swappiness),
};

static const struct pseudo_entry inotify_entries[] = {
	READ("max_queued_events", inotify_events),
	READ("max_user_instances", inotify_instances),
	READ("max_user_watches", inotify_watches),
};

static const struct pseudo_entry epoll_entries[] = {READ("max_user_watches", epoll_watches)};

static const struct pseudo_entry mqueue_entries[] = {
	READ("msg_default", mqueue_msg_max),
	READ("msg_max", mqueue_msg_max),
	READ("msgsize_default", mqueue_size_max),
	READ("msgsize_max", mqueue_size_max),
	READ("queues_max", mqueue_queues_max),
};

static const struct pseudo_entry fs_entries[] = {
	READ("aio-max-nr", aio_max),
	READ("aio-nr", zero),
	READ("dir-notify-enable", one),
	PSEUDO_DIR("epoll", epoll_entries),
	READ("file-max", file_max),
	READ("file-nr", file_nr),
	PSEUDO_DIR("inotify", inotify_entries),
	PSEUDO_DIR("mqueue", mqueue_entries),
	READ("mount-max", mount_max),
	READ("nr_open", nr_open),
	READ("overflowgid", overflow_id),
	READ("overflowuid", overflow_id),
	READ("pipe-max-size", pipe_max_size),
	READ("pipe-user-pages-soft", pipe_user_soft),
	READ("lease-break-time", lease_break),
	READ("leases-enable", one),
	READ("protected_fifos", zero),
	READ("protected_hardlinks", zero),
	READ("protected_regular", zero),
	READ("protected_symlinks", zero),
	READ("suid_dumpable", zero),
};

static const struct pseudo_entry net_core_entries[] = {
	READ("netdev_max_backlog", netdev_backlog),
	READ("optmem_max", optmem_max),
	READ("rmem_default", socket_buffer_default),
	READ("rmem_max", socket_buffer),
	READ("somaxconn", somaxconn),
	READ("wmem_default", socket_buffer_default),
	READ("wmem_max", socket_buffer),
};

static struct net_ns *net_here(void)
{
	return container_of(task_current()->nsproxy->ns[NS_NET], struct net_ns, ns);
}

/* icmp(7) */
static int show_ping_group_range(const struct pseudo_node *node, struct seq *seq)
{
	const struct net_ns *net = net_here();

	seq_printf(seq, "%u\t%u\n", gid_here(net->ping_first), gid_here(net->ping_last));
	return 0;
}

/* Who rules over the network, whoever he is to the file (net_ctl_permissions()). */
static int may_write_net(const struct pseudo_node *node, const struct vfs_ctx *ctx)
{
	return cred_ns_capable(ctx->cred, net_here()->ns.user_ns, LX_CAP_NET_ADMIN) ? 0 : -EACCES;
}

/* ipv4_ping_group_range(): a range that is none means nobody. */
static int store_ping_group_range(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener)
{
	struct net_ns *net = net_here();
	unsigned long long first, last;
	uint32_t low, high;

	if (sscanf(text, "%llu %llu", &first, &last) != 2 || first > INT32_MAX || last > INT32_MAX)
		return -EINVAL;
	low = user_ns_make_gid(ctx->cred->user_ns, (uint32_t)first);
	high = user_ns_make_gid(ctx->cred->user_ns, (uint32_t)last);
	if (low == ID_INVALID || high == ID_INVALID)
		return -EINVAL;
	net->ping_first = last < first || high < low ? 1 : low;
	net->ping_last = last < first || high < low ? 0 : high;
	return 0;
}

static const struct pseudo_entry net_ipv4_entries[] = {
	READ("ip_default_ttl", ttl_default),
	READ("ip_forward", zero),
	READ("ip_local_port_range", local_port_range),
	{.name = "ping_group_range",
		.mode = LX_S_IFREG | 0644,
		.show = show_ping_group_range,
		.store = store_ping_group_range,
		.may_write = may_write_net},
	READ("tcp_allowed_congestion_control", tcp_congestions),
	READ("tcp_available_congestion_control", tcp_congestions),
	READ("tcp_congestion_control", tcp_congestion),
	READ("tcp_fastopen", one),
	READ("tcp_fin_timeout", tcp_fin_timeout),
	READ("tcp_keepalive_intvl", tcp_keepalive_interval),
	READ("tcp_keepalive_probes", tcp_keepalive_probes),
	READ("tcp_keepalive_time", tcp_keepalive_time),
	READ("tcp_sack", one),
	READ("tcp_syn_retries", tcp_syn_retries),
	READ("tcp_timestamps", one),
	READ("tcp_window_scaling", one),
};

static const struct pseudo_entry net_unix_entries[] = {
	READ("max_dgram_qlen", unix_dgram_qlen),
};

static const struct pseudo_entry net_entries[] = {
	PSEUDO_DIR("core", net_core_entries),
	PSEUDO_DIR("ipv4", net_ipv4_entries),
	PSEUDO_DIR("unix", net_unix_entries),
};

static const struct pseudo_entry tty_entries[] = {
	READ("ldisc_autoload", zero),
	READ("legacy_tiocsti", one),
};

static const struct pseudo_entry dev_entries[] = {PSEUDO_DIR("tty", tty_entries)};

static const struct pseudo_entry user_entries[] = {
	READ("max_cgroup_namespaces", namespaces_max),
	READ("max_ipc_namespaces", namespaces_max),
	READ("max_mnt_namespaces", namespaces_max),
	READ("max_net_namespaces", namespaces_max),
	READ("max_pid_namespaces", pid_namespaces_max),
	READ("max_time_namespaces", namespaces_max),
	READ("max_user_namespaces", namespaces_max),
	READ("max_uts_namespaces", namespaces_max),
};

const struct pseudo_entry proc_sys_entries[6] = {
	PSEUDO_DIR("dev", dev_entries),
	PSEUDO_DIR("fs", fs_entries),
	PSEUDO_DIR("kernel", kernel_entries),
	PSEUDO_DIR("net", net_entries),
	PSEUDO_DIR("user", user_entries),
	PSEUDO_DIR("vm", vm_entries),
};
