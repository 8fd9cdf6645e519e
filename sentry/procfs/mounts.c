/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/mounts and mountinfo, as seen from the process's root. Formats of kernel
 * fs/proc_namespace.c. */
#include <string.h>

#include "abi/limits.h"
#include "sentry/procfs/procfs_private.h"

#define ESCAPED " \t\n\\"

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
	struct path path = {.mount = mount->parent, .dentry = mount->mountpoint};

	if (root && root->mount == mount) {
		strcpy(name, "/");
		return true;
	}
	if (!mount->parent) {
		path = (struct path){.mount = (struct mount *)mount, .dentry = mount->root};
		return path_name(&path, root, name, size) >= 0 && name[0] == '/';
	}
	return path_name(&path, root, name, size) >= 0 && name[0] == '/';
}

static void show_options(struct seq *seq, const struct mount *mount)
{
	seq_puts(seq, mount->read_only ? "ro" : "rw");
	if (mount->no_suid)
		seq_puts(seq, ",nosuid");
	if (mount->no_dev)
		seq_puts(seq, ",nodev");
	if (mount->no_exec)
		seq_puts(seq, ",noexec");
	seq_puts(seq, ",relatime");
}

static const char *source_of(const struct mount *mount)
{
	return mount->source && mount->source[0] ? mount->source : "none";
}

int proc_show_mounts(const struct pseudo_node *node, struct seq *seq)
{
	const struct path *root = node_root(node, seq);
	char name[LX_PATH_MAX];

	for (struct mount *mount = mount_next(NULL); mount; mount = mount_next(mount)) {
		if (!mount_place(mount, root, name, sizeof(name)))
			continue;
		seq_escape(seq, source_of(mount), ESCAPED);
		seq_puts(seq, " ");
		seq_escape(seq, name, ESCAPED);
		seq_printf(seq, " %s ", mount->sb->type);
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
	char name[LX_PATH_MAX];

	for (struct mount *mount = mount_next(NULL); mount; mount = mount_next(mount)) {
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
		seq_puts(seq, " ");
		show_options(seq, mount);
		seq_printf(seq, " - %s ", mount->sb->type);
		seq_escape(seq, source_of(mount), ESCAPED);
		seq_printf(seq, " %s", mount->sb->read_only ? "ro" : "rw");
		if (mount->options && mount->options[0])
			seq_printf(seq, ",%s", mount->options);
		seq_puts(seq, "\n");
	}
	return 0;
}
