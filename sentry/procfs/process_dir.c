/* SPDX-License-Identifier: Apache-2.0 */
/* The directories of processes and threads: what is in /proc/PID, its fd, fdinfo, task and ns, and
 * the links. proc(5). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/cap.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/procfs/procfs_private.h"

/* A decimal number without sign or leading zeros, as names of processes and descriptors are. -1: is
 * none. */
static int parse_number(const char *name)
{
	char *end;
	unsigned long value;

	if (name[0] < '0' || name[0] > '9' || (name[0] == '0' && name[1]))
		return -1;
	value = strtoul(name, &end, 10);
	return *end || value > INT32_MAX ? -1 : (int)value;
}

/* ---- links to paths -------------------------------------------------------------------------- */

static ssize_t path_text(const struct path *path, const struct vfs_ctx *ctx, char *buffer)
{
	return path_name(path, ctx->fs ? &ctx->fs->root : NULL, buffer, LX_PATH_MAX);
}

static int get_exe(const struct pseudo_node *node, struct path *ret)
{
	const struct task *task = pseudo_task(node);

	if (!task || !task->mm || !task->mm->exe)
		return -ENOENT;
	*ret = task->mm->exe->path;
	return 0;
}

static int get_cwd(const struct pseudo_node *node, struct path *ret)
{
	const struct task *task = pseudo_task(node);

	if (!task || !task->fs)
		return -ENOENT;
	*ret = task->fs->cwd;
	return 0;
}

static int get_root(const struct pseudo_node *node, struct path *ret)
{
	const struct task *task = pseudo_task(node);

	if (!task || !task->fs)
		return -ENOENT;
	*ret = task->fs->root;
	return 0;
}

/* Text and continuation of a link whose target get_@what_() borrows. */
#define PATH_LINK(what_)                                                                           \
	static ssize_t readlink_##what_(                                                           \
		const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer)           \
	{                                                                                          \
		struct path path;                                                                  \
		int status = get_##what_(node, &path);                                             \
                                                                                                   \
		return status < 0 ? status : path_text(&path, ctx, buffer);                        \
	}                                                                                          \
	static int follow_##what_(                                                                 \
		const struct pseudo_node *node, const struct vfs_ctx *ctx, struct path *ret)       \
	{                                                                                          \
		struct path path;                                                                  \
		int status = get_##what_(node, &path);                                             \
                                                                                                   \
		if (status < 0)                                                                    \
			return status;                                                             \
		path_ref(&path);                                                                   \
		*ret = path;                                                                       \
		return 0;                                                                          \
	}
PATH_LINK(exe)
PATH_LINK(cwd)
PATH_LINK(root)

/* ---- descriptors ----------------------------------------------------------------------------- */

static struct fd_table *node_files(const struct pseudo_node *node)
{
	const struct task *task = pseudo_task(node);

	return task ? task->files : NULL;
}

/* Owned; NULL when the descriptor is closed. */
static struct file *node_file(const struct pseudo_node *node)
{
	struct fd_table *files = node_files(node);

	return files ? fd_get_any(files, node->number) : NULL;
}

static ssize_t readlink_fd(const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer)
{
	_cleanup_(cleanup_file_unref) struct file *file = node_file(node);

	return file ? path_text(&file->path, ctx, buffer) : -ENOENT;
}

static int follow_fd(const struct pseudo_node *node, const struct vfs_ctx *ctx, struct path *ret)
{
	_cleanup_(cleanup_file_unref) struct file *file = node_file(node);

	if (!file)
		return -ENOENT;
	path_ref(&file->path);
	*ret = file->path;
	return 0;
}

/* tid_fd_update_inode() */
static uint32_t mode_of_fd(const struct pseudo_node *node)
{
	_cleanup_(cleanup_file_unref) struct file *file = node_file(node);
	uint32_t mode = LX_S_IFLNK;

	if (!file)
		return 0;
	if (file->readable)
		mode |= 0500;
	if (file->writable)
		mode |= 0300;
	return mode;
}

static int show_fdinfo(const struct pseudo_node *node, struct seq *seq)
{
	_cleanup_(cleanup_file_unref) struct file *file = node_file(node);
	struct fd_table *files = node_files(node);
	char extra[4096];
	int flags;

	if (!file)
		return -ENOENT;
	flags = file->flags;
	if (fd_get_flags(files, node->number) == LX_FD_CLOEXEC)
		flags |= LX_O_CLOEXEC;
	seq_printf(seq, "pos:\t%lli\nflags:\t0%o\nmnt_id:\t%i\nino:\t%llu\n", (long long)file->pos,
		(unsigned)flags, file->path.mount ? file->path.mount->id : 0,
		(unsigned long long)file->inode->ino);
	if (file->ops && file->ops->show_fdinfo)
		seq_write(seq, extra,
			min_of(file->ops->show_fdinfo(file, extra, sizeof(extra)), sizeof(extra)));
	return 0;
}

static const struct pseudo_entry fd_entry = {
	.name = "fd/N",
	.own = true,
	.mode = LX_S_IFLNK | 0700,
	.private = true,
	.readlink = readlink_fd,
	.follow = follow_fd,
	.mode_of = mode_of_fd,
};

static const struct pseudo_entry fdinfo_entry = {
	.name = "fdinfo/N",
	.mode = LX_S_IFREG | 0444,
	.private = true,
	.show = show_fdinfo,
};

static int lookup_descriptor(const struct pseudo_node *dir, const char *name,
	const struct pseudo_entry *entry, struct pseudo_node *ret)
{
	struct fd_table *files = node_files(dir);
	int fd = parse_number(name);

	if (fd < 0 || !files || fd_next(files, fd) != fd)
		return -ENOENT;
	*ret = *dir;
	ret->entry = entry;
	ret->number = fd;
	return 0;
}

static bool next_descriptor(const struct pseudo_node *dir, int64_t *cursor, char name[32],
	const struct pseudo_entry *entry, struct pseudo_node *ret)
{
	struct fd_table *files = node_files(dir);
	int fd = files && *cursor <= INT32_MAX ? fd_next(files, (int)*cursor) : -1;

	if (fd < 0)
		return false;
	(void)snprintf(name, 32, "%d", fd);
	*ret = *dir;
	ret->entry = entry;
	ret->number = fd;
	*cursor = fd + 1ll;
	return true;
}

static int lookup_fd(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	return lookup_descriptor(dir, name, &fd_entry, ret);
}

static bool next_fd(
	const struct pseudo_node *dir, int64_t *cursor, char name[32], struct pseudo_node *ret)
{
	return next_descriptor(dir, cursor, name, &fd_entry, ret);
}

static int lookup_fdinfo(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	return lookup_descriptor(dir, name, &fdinfo_entry, ret);
}

static bool next_fdinfo(
	const struct pseudo_node *dir, int64_t *cursor, char name[32], struct pseudo_node *ret)
{
	return next_descriptor(dir, cursor, name, &fdinfo_entry, ret);
}

/* proc_fd_getattr() */
static uint64_t count_fds(const struct pseudo_node *dir)
{
	struct fd_table *files = node_files(dir);
	uint64_t count = 0;

	for (int fd = files ? fd_next(files, 0) : -1; fd >= 0; fd = fd_next(files, fd + 1))
		count++;
	return count;
}

static const struct pseudo_dynamic fd_names = {
	.lookup = lookup_fd, .next = next_fd, .size = count_fds};
static const struct pseudo_dynamic fdinfo_names = {.lookup = lookup_fdinfo, .next = next_fdinfo};

/* ---- small files ----------------------------------------------------------------------------- */

static int show_comm(const struct pseudo_node *node, struct seq *seq)
{
	const struct thread_group *group = pseudo_group(node);
	const struct task *task = node->thread ? node->pid->task : group->leader;

	if (!task)
		return -ESRCH;
	seq_printf(seq, "%s\n", task->comm);
	return 0;
}

/* comm_write(): only threads of the own process. */
static int store_comm(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener)
{
	struct thread_group *group = pseudo_group(node);
	struct task *task = pseudo_task(node);
	size_t length = strlen(text);

	if (!task || !ctx->task || ((struct task *)ctx->task)->group != group)
		return -EINVAL;
	length = min_of(length, sizeof(task->comm) - 1);
	memset(task->comm, 0, sizeof(task->comm));
	memcpy(task->comm, text, length);
	return 0;
}

static int show_oom_score_adj(const struct pseudo_node *node, struct seq *seq)
{
	seq_printf(seq, "%d\n", pseudo_group(node)->oom_score_adj);
	return 0;
}

/* proc_pid_oom_adj(5) */
#define OOM_DISABLE    (-17)
#define OOM_ADJUST_MIN (-16)
#define OOM_ADJUST_MAX 15

/* Kept for the program's sake: which process the host would kill is not ours to say. */
static int store_oom_score_adj(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener)
{
	char *end;
	long value = strtol(text, &end, 10);
	struct thread_group *group = pseudo_group(node);

	while (*end == ' ' || *end == '\n')
		end++;
	if (end == text || *end || value < LX_OOM_SCORE_ADJ_MIN || value > LX_OOM_SCORE_ADJ_MAX)
		return -EINVAL;
	if (!group)
		return -ESRCH;
	if (value < group->oom_score_adj_min && !cred_capable(ctx->cred, LX_CAP_SYS_RESOURCE))
		return -EACCES;
	group->oom_score_adj = (int)value;
	/* Whoever has the right sets how far down the others may go (__set_oom_adj()). */
	if (cred_capable(ctx->cred, LX_CAP_SYS_RESOURCE))
		group->oom_score_adj_min = (int)value;
	return 0;
}

/* The old scale, from -17 (never) to 15: proc_pid_oom_adj(5). */
static int show_oom_adj(const struct pseudo_node *node, struct seq *seq)
{
	int value = pseudo_group(node)->oom_score_adj;

	seq_printf(seq, "%d\n",
		value == LX_OOM_SCORE_ADJ_MAX ? OOM_ADJUST_MAX
					      : value * -OOM_DISABLE / LX_OOM_SCORE_ADJ_MAX);
	return 0;
}

static int store_oom_adj(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener)
{
	char *end;
	long value = strtol(text, &end, 10);
	struct thread_group *group = pseudo_group(node);

	while (*end == ' ' || *end == '\n')
		end++;
	if (end == text || *end ||
		((value < OOM_ADJUST_MIN || value > OOM_ADJUST_MAX) && value != OOM_DISABLE))
		return -EINVAL;
	if (!group)
		return -ESRCH;
	value = value == OOM_ADJUST_MAX ? LX_OOM_SCORE_ADJ_MAX
					: value * LX_OOM_SCORE_ADJ_MAX / -OOM_DISABLE;
	if (value < group->oom_score_adj && !cred_capable(ctx->cred, LX_CAP_SYS_RESOURCE))
		return -EACCES;
	group->oom_score_adj = (int)value;
	return 0;
}

/* What a core would hold: core(5). It is kept and inherited; no core is ever written. */
static int show_coredump_filter(const struct pseudo_node *node, struct seq *seq)
{
	const struct thread_group *group = pseudo_group(node);

	if (!group)
		return -ESRCH;
	if (!pseudo_task(node))
		return 0; /* it has no memory any more */
	seq_printf(seq, "%08x\n", group->coredump_filter);
	return 0;
}

static int store_coredump_filter(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener)
{
	struct thread_group *group = pseudo_group(node);
	unsigned long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	value = strtoul(text, &end, 0);
	if (*end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	if (value > UINT32_MAX)
		return -ERANGE;
	if (!group)
		return -ESRCH;
	group->coredump_filter = value & COREDUMP_FILTER_MASK;
	return 0;
}

/* There is one set of processors and memory for all. */
static int show_cpuset(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "/\n");
	return 0;
}

static int show_zero(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "0\n");
	return 0;
}

static int show_zero_bare(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "0");
	return 0;
}

static int show_no_audit_id(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "4294967295");
	return 0;
}

static int show_cgroup(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "0::/\n");
	return 0;
}

static int show_personality(const struct pseudo_node *node, struct seq *seq)
{
	const struct task *task = pseudo_task(node);

	seq_printf(seq, "%08x\n", task ? task->personality : 0);
	return 0;
}

/* proc_timerslack_ns_operations: one's own, or with a right over scheduling. */
static bool may_have_timerslack(const struct pseudo_node *node, const struct vfs_ctx *ctx)
{
	const struct task *task = pseudo_task(node);

	return !task || !ctx || !ctx->task || task == ctx->task ||
	       cred_ns_capable(ctx->cred, task->cred->user_ns, LX_CAP_SYS_NICE);
}

static int show_timerslack(const struct pseudo_node *node, struct seq *seq)
{
	const struct task *task = pseudo_task(node);

	if (!task)
		return -ESRCH;
	if (!may_have_timerslack(node, seq->ctx))
		return -EPERM;
	seq_printf(seq, "%llu\n", (unsigned long long)task->timer_slack_ns);
	return 0;
}

static int store_timerslack(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener)
{
	struct task *task = pseudo_task(node);
	unsigned long long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	if (errno == ERANGE)
		return -ERANGE;
	if (!task)
		return -ESRCH;
	if (!may_have_timerslack(node, ctx))
		return -EPERM;
	task->timer_slack_ns = value ? value : task->default_timer_slack_ns;
	return 0;
}

static int show_schedstat(const struct pseudo_node *node, struct seq *seq)
{
	struct task *task = pseudo_task(node);
	uint64_t user = 0, system = 0;

	if (task)
		task_cpu_time(task, &user, &system);
	seq_printf(seq, "%llu 0 %llu\n", (unsigned long long)(user + system),
		task ? (unsigned long long)task->switches : 0);
	return 0;
}

static int show_io(const struct pseudo_node *node, struct seq *seq)
{
	const struct task *task = pseudo_task(node), *other;
	const struct thread_group *group = pseudo_group(node);
	struct task_io io = {0};

	if (node->thread) {
		if (task)
			io = task->io;
	} else if (group) {
		io = group->dead_io;
		list_for_each_entry (other, &group->tasks, group_link)
			task_io_add(&io, &other->io);
	}
	/* What of it a disk has seen is the host's affair. */
	seq_printf(seq,
		"rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\n"
		"read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
		(unsigned long long)io.read_bytes, (unsigned long long)io.written_bytes,
		(unsigned long long)io.read_calls, (unsigned long long)io.write_calls);
	return 0;
}

static int show_children(const struct pseudo_node *node, struct seq *seq)
{
	struct thread_group *group = pseudo_group(node), *child;

	list_for_each_entry (child, &group->children, child_link)
		if (child->parent_task == node->pid->task)
			seq_printf(seq, "%d ", pid_nr_in(child->pid, node->ns));
	return 0;
}

#define NAMESPACE(name_)                                                                           \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFLNK | 0777, .private = true,                       \
		.readlink = proc_readlink_namespace, .follow = proc_follow_namespace               \
	}

static const struct pseudo_entry ns_entries[] = {
	NAMESPACE("cgroup"),
	NAMESPACE("ipc"),
	NAMESPACE("mnt"),
	NAMESPACE("net"),
	NAMESPACE("pid"),
	NAMESPACE("pid_for_children"),
	NAMESPACE("time"),
	NAMESPACE("time_for_children"),
	NAMESPACE("user"),
	NAMESPACE("uts"),
};

/* ---- the tables ------------------------------------------------------------------------------ */

/* Files that belong to a memory (proc_mem_open()). */
static int needs_memory(const struct pseudo_node *node)
{
	const struct task *task = pseudo_task(node);

	return task && task->mm ? 0 : -ESRCH;
}

/* mounts_open_common() */
static int needs_mounts(const struct pseudo_node *node)
{
	const struct task *task = pseudo_task(node);

	return task && task->nsproxy ? 0 : -EINVAL;
}

#define PLAIN_PRIVATE_FILE(name_, mode_, show_)                                                    \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFREG | (mode_), .private = true, .show = (show_),   \
		.may_open = needs_memory, .last_position = PSEUDO_LAST_POSITION                    \
	}
#define MOUNTS_FILE(name_, mode_, show_)                                                           \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFREG | (mode_), .show = (show_),                    \
		.may_open = needs_mounts                                                           \
	}
#define PRIVATE_FILE(name_, mode_, show_)                                                          \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFREG | (mode_), .private = true, .show = (show_)    \
	}
#define WRITABLE_FILE(name_, show_, store_)                                                        \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFREG | 0644, .show = (show_), .store = (store_)     \
	}
#define LINK(name_, what_)                                                                         \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFLNK | 0777, .private = true,                       \
		.readlink = readlink_##what_, .follow = follow_##what_                             \
	}

/* What processes and threads have in common. */
#define COMMON_ENTRIES                                                                             \
	PLAIN_PRIVATE_FILE("auxv", 0400, proc_show_auxv),                                          \
		PSEUDO_FILE("cgroup", 0444, show_cgroup),                                          \
		{.name = "cmdline",                                                                \
			.mode = LX_S_IFREG | 0444,                                                 \
			.show = proc_show_cmdline,                                                 \
			.last_position = PSEUDO_LAST_POSITION},                                    \
		{.name = "comm",                                                                   \
			.own = true,                                                               \
			.mode = LX_S_IFREG | 0644,                                                 \
			.show = show_comm,                                                         \
			.store = store_comm},                                                      \
		PSEUDO_FILE("cpuset", 0444, show_cpuset), LINK("cwd", cwd),                        \
		PLAIN_PRIVATE_FILE("environ", 0400, proc_show_environ), LINK("exe", exe),          \
		{.name = "fd",                                                                     \
			.mode = LX_S_IFDIR | 0500,                                                 \
			.own = true,                                                               \
			.private = true,                                                           \
			.dynamic = &fd_names},                                                     \
		{.name = "fdinfo",                                                                 \
			.mode = LX_S_IFDIR | 0555,                                                 \
			.private = true,                                                           \
			.dynamic = &fdinfo_names},                                                 \
		WRITABLE_FILE("gid_map", proc_show_gid_map, proc_store_gid_map),                   \
		PRIVATE_FILE("io", 0400, show_io), PSEUDO_FILE("limits", 0444, proc_show_limits),  \
		PSEUDO_FILE("loginuid", 0444, show_no_audit_id),                                   \
		PRIVATE_FILE("maps", 0444, proc_show_maps),                                        \
		{.name = "mem", .mode = LX_S_IFREG | 0600, .open = proc_open_memory},              \
		MOUNTS_FILE("mountinfo", 0444, proc_show_mountinfo),                               \
		MOUNTS_FILE("mounts", 0444, proc_show_mounts),                                     \
		{.name = "ns",                                                                     \
			.mode = LX_S_IFDIR | 0511,                                                 \
			.children = ns_entries,                                                    \
			.child_count = array_size(ns_entries)},                                    \
		{.name = "oom_adj",                                                                \
			.mode = LX_S_IFREG | 0644,                                                 \
			.show = show_oom_adj,                                                      \
			.store = store_oom_adj,                                                    \
			.last_position = INT64_MAX},                                               \
		PSEUDO_FILE("oom_score", 0444, show_zero),                                         \
		{.name = "oom_score_adj",                                                          \
			.mode = LX_S_IFREG | 0644,                                                 \
			.last_position = INT64_MAX,                                                \
			.show = show_oom_score_adj,                                                \
			.store = store_oom_score_adj},                                             \
		PRIVATE_FILE("personality", 0400, show_personality),                               \
		PSEUDO_FILE("projid_map", 0644, proc_show_projid_map), LINK("root", root),         \
		PSEUDO_FILE("schedstat", 0444, show_schedstat),                                    \
		PSEUDO_FILE("sessionid", 0444, show_no_audit_id),                                  \
		{.name = "setgroups",                                                              \
			.mode = LX_S_IFREG | 0644,                                                 \
			.show = proc_show_setgroups,                                               \
			.store = proc_store_setgroups,                                             \
			.may_write = proc_may_write_setgroups},                                    \
		PRIVATE_FILE("smaps", 0444, proc_show_smaps),                                      \
		{.name = "smaps_rollup",                                                           \
			.mode = LX_S_IFREG | 0444,                                                 \
			.private = true,                                                           \
			.show = proc_show_smaps_rollup,                                            \
			.may_open = needs_memory},                                                 \
		PSEUDO_FILE("stat", 0444, proc_show_stat),                                         \
		PSEUDO_FILE("statm", 0444, proc_show_statm),                                       \
		PSEUDO_FILE("status", 0444, proc_show_status),                                     \
		WRITABLE_FILE("uid_map", proc_show_uid_map, proc_store_uid_map),                   \
		PSEUDO_FILE("wchan", 0444, show_zero_bare)

static const struct pseudo_entry thread_entries[] = {
	COMMON_ENTRIES,
	PSEUDO_FILE("children", 0444, show_children),
};

static const struct pseudo_entry thread_dir = {
	.name = "task/TID",
	.mode = LX_S_IFDIR | 0555,
	.immutable = true,
	.children = thread_entries,
	.child_count = array_size(thread_entries),
};

/* The thread @nr of the directory's process. */
static bool thread_node(const struct pseudo_node *dir, struct pid *pid, struct pseudo_node *ret)
{
	if (!pid->task || pid->task->group != pseudo_group(dir))
		return false;
	*ret = (struct pseudo_node){
		.entry = &thread_dir, .pid = pid, .ns = dir->ns, .thread = true};
	return true;
}

static int lookup_thread(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	int nr = parse_number(name);
	struct pid *pid = nr > 0 ? pid_find_in(dir->ns, nr) : NULL;

	return pid && thread_node(dir, pid, ret) ? 0 : -ENOENT;
}

static bool next_thread(
	const struct pseudo_node *dir, int64_t *cursor, char name[32], struct pseudo_node *ret)
{
	for (struct pid *pid = *cursor <= INT32_MAX ? pid_next_in(dir->ns, (int)*cursor) : NULL;
		pid; pid = pid_next_in(dir->ns, pid_nr_in(pid, dir->ns) + 1)) {
		if (!thread_node(dir, pid, ret))
			continue;
		(void)snprintf(name, 32, "%d", pid_nr_in(pid, dir->ns));
		*cursor = pid_nr_in(pid, dir->ns) + 1ll;
		return true;
	}
	return false;
}

/* proc_task_getattr(): programs count their threads so before they fork. */
static uint32_t thread_links(const struct pseudo_node *dir)
{
	const struct thread_group *group = pseudo_group(dir);

	return group ? group->live_count : 0;
}

static const struct pseudo_dynamic thread_names = {
	.lookup = lookup_thread,
	.next = next_thread,
	.links = thread_links,
};

static const struct pseudo_entry process_entries[] = {
	COMMON_ENTRIES,
	{.name = "coredump_filter",
		.mode = LX_S_IFREG | 0644,
		.show = show_coredump_filter,
		.store = store_coredump_filter,
		.last_position = PSEUDO_LAST_POSITION},
	{.name = "mountstats",
		.mode = LX_S_IFREG | 0400,
		.show = proc_show_mountstats,
		.may_open = needs_mounts},
	{.name = "timerslack_ns",
		.mode = LX_S_IFREG | 0666,
		.show = show_timerslack,
		.store = store_timerslack},
	{.name = "net", .mode = LX_S_IFDIR | 0555, .dynamic = &proc_net_names},
	{.name = "task", .mode = LX_S_IFDIR | 0555, .dynamic = &thread_names},
};

const struct pseudo_entry proc_process_dir = {
	.name = "PID",
	.mode = LX_S_IFDIR | 0555,
	.immutable = true,
	.children = process_entries,
	.child_count = array_size(process_entries),
};

/* ---- the root's part ------------------------------------------------------------------------- */

static int lookup_process(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	int nr = parse_number(name);
	struct pid *pid = nr > 0 ? pid_find_in(dir->ns, nr) : NULL;

	if (pid && pid->group && !pid->group->reaped) {
		*ret = (struct pseudo_node){.entry = &proc_process_dir, .pid = pid, .ns = dir->ns};
		return 0;
	}
	/* Threads have a directory too, which is not listed. */
	if (!pid || !pid->task)
		return -ENOENT;
	*ret = (struct pseudo_node){
		.entry = &proc_process_dir, .pid = pid, .ns = dir->ns, .thread = true};
	return 0;
}

static bool next_process(
	const struct pseudo_node *dir, int64_t *cursor, char name[32], struct pseudo_node *ret)
{
	for (struct pid *pid = *cursor <= INT32_MAX ? pid_next_in(dir->ns, (int)*cursor) : NULL;
		pid; pid = pid_next_in(dir->ns, pid_nr_in(pid, dir->ns) + 1)) {
		if (!pid->group || pid->group->reaped)
			continue;
		*ret = (struct pseudo_node){.entry = &proc_process_dir, .pid = pid, .ns = dir->ns};
		(void)snprintf(name, 32, "%d", pid_nr_in(pid, dir->ns));
		*cursor = pid_nr_in(pid, dir->ns) + 1ll;
		return true;
	}
	return false;
}

/* tgid_pidfd_to_pid() */
struct pid *procfs_process_of(const struct file *file)
{
	const struct pseudo_node *node = pseudo_dir_node(file);

	if (!node || node->entry != &proc_process_dir)
		return NULL;
	return node->thread && node->pid->task ? node->pid->task->group->pid : node->pid;
}

const struct pseudo_dynamic proc_processes = {.lookup = lookup_process, .next = next_process};

/* Who is not in the namespace of this /proc is nobody here. */
ssize_t proc_readlink_self(const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer)
{
	const struct task *task = ctx->task;
	int nr = task ? pid_nr_in(task->group->pid, node->ns) : 0;

	return nr ? snprintf(buffer, LX_PATH_MAX, "%d", nr) : -ENOENT;
}

ssize_t proc_readlink_thread_self(
	const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer)
{
	const struct task *task = ctx->task;
	int nr = task ? pid_nr_in(task->pid, node->ns) : 0;

	if (!nr)
		return -ENOENT;
	return snprintf(
		buffer, LX_PATH_MAX, "%d/task/%d", pid_nr_in(task->group->pid, node->ns), nr);
}
