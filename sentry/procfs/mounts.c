/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/mounts and mountinfo, as seen from the process's root. Formats of kernel
 * fs/proc_namespace.c. */
#include <string.h>

#include "abi/limits.h"
#include "sentry/nsproxy.h"
#include "sentry/procfs/procfs_private.h"

#define ESCAPED " \t\n\\"

/* Whose mounts are shown: the process's. NULL: it has ended. */
static const struct mnt_ns *node_mnt_ns(const struct pseudo_node *node)
{
	const struct task *task = node->pid ? pseudo_task(node) : task_current();

	return task && task->nsproxy ? task_mnt_ns(task) : NULL;
}

static const struct path *node_root(const struct pseudo_node *node, const struct seq *seq)
{
	const struct task *task = node->pid ? pseudo_task(node) : NULL;

	if (task && task->fs)
		return &task->fs->root;
	return seq->ctx->fs ? &seq->ctx->fs->root : NULL;
}

/* Where @mount is, for who has @root; false when it cannot be reached from there. */
static bool mount_place(const struct mount *mount, const struct path *root, char *name, size_t size)
{
	const struct path path = {.mount = (struct mount *)mount, .dentry = mount->root};

	return path_name(&path, root, name, size) >= 0 && name[0] == '/';
}

/* show_mnt_opts() */
static void show_options(struct seq *seq, const struct mount *mount)
{
	if (mount->no_suid)
		seq_puts(seq, ",nosuid");
	if (mount->no_dev)
		seq_puts(seq, ",nodev");
	if (mount->no_exec)
		seq_puts(seq, ",noexec");
	if (mount->no_atime)
		seq_puts(seq, ",noatime");
	if (mount->no_dir_atime)
		seq_puts(seq, ",nodiratime");
	if (!mount->no_atime && !mount->strict_atime)
		seq_puts(seq, ",relatime");
	if (mount->no_symlinks)
		seq_puts(seq, ",nosymfollow");
}

/* The group of the next master that is seen from @root, if it is not the next one
 * (get_dominating_id()). */
static int dominating_group(const struct mount *mount, const struct mnt_ns *ns)
{
	for (const struct mount *at = mount->master; at; at = at->master) {
		const struct mount *peer = at;

		do {
			if (peer->ns == ns)
				return at->peer_group;
			peer = list_entry(peer->peers.next, struct mount, peers);
		} while (peer != at);
	}
	return 0;
}

static void show_propagation(struct seq *seq, const struct mount *mount, const struct mnt_ns *ns)
{
	if (mount->peer_group)
		seq_printf(seq, " shared:%d", mount->peer_group);
	if (mount->master) {
		int dominating = dominating_group(mount, ns);

		seq_printf(seq, " master:%d", mount->master->peer_group);
		if (dominating && dominating != mount->master->peer_group)
			seq_printf(seq, " propagate_from:%d", dominating);
	}
	if (mount->unbindable)
		seq_puts(seq, " unbindable");
}

static const char *source_of(const struct mount *mount)
{
	return mount->source && mount->source[0] ? mount->source : "none";
}

int proc_show_mounts(const struct pseudo_node *node, struct seq *seq)
{
	const struct path *root = node_root(node, seq);
	const struct mnt_ns *ns = node_mnt_ns(node);
	char name[LX_PATH_MAX];

	if (!ns)
		return -EINVAL;
	for (struct mount *mount = mount_next(ns, NULL); mount; mount = mount_next(ns, mount)) {
		if (!mount_place(mount, root, name, sizeof(name)))
			continue;
		seq_escape(seq, source_of(mount), ESCAPED);
		seq_puts(seq, " ");
		seq_escape(seq, name, ESCAPED);
		seq_printf(seq, " %s %s", mount->sb->type,
			mount->read_only || mount->sb->read_only ? "ro" : "rw");
		show_options(seq, mount);
		if (mount->options && mount->options[0])
			seq_printf(seq, ",%s", mount->options);
		seq_puts(seq, " 0 0\n");
	}
	return 0;
}

int proc_show_mountinfo(const struct pseudo_node *node, struct seq *seq)
{
	const struct path *root = node_root(node, seq);
	const struct mnt_ns *ns = node_mnt_ns(node);
	char name[LX_PATH_MAX];

	if (!ns)
		return -EINVAL;
	for (struct mount *mount = mount_next(ns, NULL); mount; mount = mount_next(ns, mount)) {
		/* From the superblock's own root: a bind mount shows a part of it. */
		struct mount whole = {.sb = mount->sb, .root = mount->sb->root};
		struct path part = {.mount = &whole, .dentry = mount->root};

		if (!mount_place(mount, root, name, sizeof(name)))
			continue;
		seq_printf(seq, "%d %d %u:%u ", mount->id, mount->parent ? mount->parent->id : 1,
			lx_major(mount->sb->dev), lx_minor(mount->sb->dev));
		{
			char inside[LX_PATH_MAX];

			if (path_name(&part, NULL, inside, sizeof(inside)) < 0)
				strcpy(inside, "/");
			seq_escape(seq, inside, ESCAPED);
		}
		seq_puts(seq, " ");
		seq_escape(seq, name, ESCAPED);
		seq_puts(seq, mount->read_only ? " ro" : " rw");
		show_options(seq, mount);
		show_propagation(seq, mount, ns);
		seq_printf(seq, " - %s ", mount->sb->type);
		seq_escape(seq, source_of(mount), ESCAPED);
		seq_printf(seq, " %s", mount->sb->read_only ? "ro" : "rw");
		if (mount->options && mount->options[0])
			seq_printf(seq, ",%s", mount->options);
		seq_puts(seq, "\n");
	}
	return 0;
}

/* No file system has numbers of its own to tell. */
int proc_show_mountstats(const struct pseudo_node *node, struct seq *seq)
{
	const struct path *root = node_root(node, seq);
	const struct mnt_ns *ns = node_mnt_ns(node);
	char name[LX_PATH_MAX];

	if (!ns)
		return -EINVAL;
	for (struct mount *mount = mount_next(ns, NULL); mount; mount = mount_next(ns, mount)) {
		if (!mount_place(mount, root, name, sizeof(name)))
			continue;
		seq_puts(seq, "device ");
		seq_escape(seq, source_of(mount), ESCAPED);
		seq_puts(seq, " mounted on ");
		seq_escape(seq, name, ESCAPED);
		seq_printf(seq, " with fstype %s\n", mount->sb->type);
	}
	return 0;
}
