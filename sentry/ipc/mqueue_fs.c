/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system of POSIX message queues (mq_overview(7), "Mounting the message queue
 * filesystem"): one superblock for each IPC namespace, mounted or not. mq_open(2) and mq_unlink(2)
 * change the names behind the dentries' back, so these are asked about each time.
 */
#include <errno.h>
#include <string.h>

#include "abi/dirent.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "sentry/ipc/mqueue_private.h"

#define MQUEUE_MAGIC 0x19800202

/* NULL: the namespace is gone. */
static struct ipc_ns *ns_of(const struct inode *dir)
{
	return dir->sb->private;
}

static int lookup(struct inode *dir, const char *name, struct inode **ret)
{
	struct inode *inode = ns_of(dir) ? mqueue_find(ns_of(dir), name) : NULL;

	if (!inode)
		return -ENOENT;
	*ret = inode_ref(inode);
	return 0;
}

static int revalidate(struct inode *dir, struct dentry *dentry)
{
	return (ns_of(dir) ? mqueue_find(ns_of(dir), dentry->name) : NULL) == dentry->inode;
}

static int create(struct inode *dir, const char *name, uint32_t mode, const struct cred *cred,
	struct inode **ret)
{
	(void)cred;
	if (!ns_of(dir))
		return -EACCES;
	return mqueue_create(task_current(), ns_of(dir), name, mode & 07777, NULL, ret);
}

static int unlink_name(struct inode *dir, const char *name, struct inode *inode)
{
	if (!ns_of(dir) || mqueue_find(ns_of(dir), name) != inode)
		return -ENOENT;
	mqueue_unlink(inode);
	return 0;
}

static int set_attributes(struct inode *inode, const struct iattr *attr)
{
	inode_apply_attr(inode, attr);
	return 0;
}

static const struct inode_ops dir_ops = {
	.lookup = lookup,
	.revalidate = revalidate,
	.create = create,
	.unlink = unlink_name,
	.setattr = set_attributes,
};

static int read_dir(struct file *file, struct dir_context *dir)
{
	if (!dir_emit_dots(file, dir))
		return 0;
	for (;;) {
		const char *name;
		const struct inode *inode =
			ns_of(file->inode) ? mqueue_nth(ns_of(file->inode), file->pos - 2, &name)
					   : NULL;

		if (!inode ||
			!dir->emit(dir, name, strlen(name), inode->ino, LX_DT_REG, file->pos + 1))
			return 0;
		file->pos++;
	}
}

static int64_t seek_dir(struct file *file, int64_t offset, int whence)
{
	return file_generic_seek(file, offset, whence, 0, INT32_MAX);
}

static const struct file_ops dir_file_ops = {
	.name = "mqueue directory", .seek = seek_dir, .read_dir = read_dir};

static const struct super_ops super_ops = {.destroy_inode = mqueue_destroy};

static int make_root(struct super_block *sb)
{
	_cleanup_(cleanup_inode_unref) struct inode *root = NULL;
	int err = inode_new(sb, &dir_ops, LX_S_IFDIR | 01777, 0, &root);

	if (err < 0)
		return err;
	root->nlink = 2;
	root->file_ops = &dir_file_ops;
	err = super_block_set_root(sb, root);
	if (err == 0)
		(void)TAKE(root);
	return err;
}

int mqueue_super(struct ipc_ns *ns, struct super_block **ret)
{
	struct super_block *sb;
	int err;

	if (!ns->queue_sb) {
		err = super_block_new(&super_ops, "mqueue", MQUEUE_MAGIC, &sb);
		if (err < 0)
			return err;
		if (ns->ns.user_ns != &user_ns_first)
			sb->user_ns = user_ns_ref(ns->ns.user_ns);
		sb->private = ns;
		err = make_root(sb);
		if (err < 0) {
			super_block_unref(sb);
			return err;
		}
		super_block_keep(sb);
		ns->queue_sb = sb;
	}
	*ret = super_block_ref(ns->queue_sb);
	return 0;
}

void mqueue_super_end(struct ipc_ns *ns)
{
	struct super_block *sb = TAKE(ns->queue_sb);

	if (!sb)
		return;
	sb->private = NULL;
	super_block_let_go(sb);
	super_block_unref(sb);
}
