/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nsfs: the files that stand for namespaces (ioctl_ns(2)). Each namespace has one as long as
 * somebody has it open or mounted; the file holds the namespace.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "sentry/nsproxy.h"
#include "sentry/pid_ns.h"

#define NSFS_MAGIC 0x6e736673

#define NS_GET_USERNS	 0xb701
#define NS_GET_PARENT	 0xb702
#define NS_GET_NSTYPE	 0xb703
#define NS_GET_OWNER_UID 0xb704

static struct super_block *nsfs;
static struct mount *nsfs_mount; /* of no namespace */
static struct list_head inodes = LIST_HEAD_INIT(inodes);

struct nsfs_node {
	struct list_head link;
	struct inode *inode; /* borrowed */
	struct ns *ns;	     /* owned */
};

static void destroy_inode(struct inode *inode)
{
	struct nsfs_node *node = inode->private;

	if (!node->ns)
		return;
	list_remove(&node->link);
	ns_unref(node->ns);
}

static const struct super_ops super_ops = {.destroy_inode = destroy_inode};

static int install(struct task *task, struct ns *ns)
{
	struct file *file;
	int fd = nsfs_open(ns, &file);

	if (fd < 0)
		return fd;
	fd = fd_install(task->files, file, 0, task_rlimit(task, LX_RLIMIT_NOFILE), true);
	if (fd < 0)
		file_unref(file);
	return fd;
}

/* ns_get_owner(): the user namespace, if the caller is in it or above it. */
static int get_user_ns(struct task *task, const struct user_ns *ns)
{
	if (!ns || !user_ns_is_below(ns, task->cred->user_ns))
		return -EPERM;
	return install(task, (struct ns *)&ns->ns);
}

static int get_parent(struct task *task, struct ns *ns)
{
	const struct pid_ns *parent;

	if (ns->kind == NS_USER)
		return get_user_ns(task, ns->user_ns);
	if (ns->kind != NS_PID)
		return -EINVAL;
	parent = pid_ns_of(ns)->parent;
	if (!parent || !pid_ns_is_below(parent, task_pid_ns(task)))
		return -EPERM;
	return install(task, (struct ns *)&parent->ns);
}

static int64_t nsfs_ioctl(
	struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx)
{
	struct ns *ns = nsfs_file_ns(file);
	struct task *task = ctx->task;
	uint32_t uid;

	switch (request) {
	case NS_GET_USERNS:
		return get_user_ns(task, ns->user_ns);
	case NS_GET_PARENT:
		return get_parent(task, ns);
	case NS_GET_NSTYPE:
		return (int64_t)ns_kind_flag(ns->kind);
	case NS_GET_OWNER_UID:
		if (ns->kind != NS_USER)
			return -EINVAL;
		uid = user_ns_uid(task->cred->user_ns, container_of(ns, struct user_ns, ns)->owner);
		return guest_write_value(task, arg, &uid);
	default:
		return -ENOTTY;
	}
}

static int nsfs_sync(struct file *file, bool data_only)
{
	return -EINVAL; /* no fsync operation */
}

static const struct file_ops nsfs_file_ops = {
	.name = "nsfs",
	.sync = nsfs_sync,
	.ioctl = nsfs_ioctl,
};

static int nsfs_setattr(struct inode *inode, const struct iattr *attr)
{
	return -EPERM;
}

static int nsfs_open_inode(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	file->ops = &nsfs_file_ops;
	return 0;
}

static const struct inode_ops nsfs_inode_ops = {.setattr = nsfs_setattr, .open = nsfs_open_inode};

struct ns *nsfs_file_ns(const struct file *file)
{
	return file->ops == &nsfs_file_ops ? ((struct nsfs_node *)file->inode->private)->ns : NULL;
}

static int make_super(void)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	struct inode *root;
	int err;

	if (nsfs)
		return 0;
	err = super_block_new(&super_ops, "nsfs", NSFS_MAGIC, &sb);
	if (err < 0)
		return err;
	sb->bind_from_nowhere = true;
	err = inode_new(sb, &nsfs_inode_ops, LX_S_IFDIR | 0755, sizeof(struct nsfs_node), &root);
	if (err < 0)
		return err;
	err = super_block_set_root(sb, root);
	if (err < 0) {
		inode_unref(root);
		return err;
	}
	err = mount_new(sb, sb->root, "nsfs", &nsfs_mount);
	if (err == 0)
		nsfs = TAKE(sb);
	return err;
}

static int get_inode(struct ns *ns, struct inode **ret)
{
	struct nsfs_node *node;
	struct inode *inode;
	int err;

	list_for_each_entry (node, &inodes, link) {
		if (node->ns == ns) {
			*ret = inode_ref(node->inode);
			return 0;
		}
	}
	err = inode_new(nsfs, &nsfs_inode_ops, LX_S_IFREG | 0444, sizeof(*node), &inode);
	if (err < 0)
		return err;
	inode->ino = ns->number;
	inode->immutable = true;
	inode->mnt_ns_number = ns->kind == NS_MNT ? ns->number : 0;
	node = inode->private;
	node->inode = inode;
	node->ns = ns_ref(ns);
	list_add(&node->link, &inodes);
	*ret = inode;
	return 0;
}

int nsfs_path(struct ns *ns, struct path *ret)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	char name[32];
	int err = make_super();

	if (err == 0)
		err = get_inode(ns, &inode);
	if (err < 0)
		return err;
	snprintf(name, sizeof(name), "%s:[%u]", ns_kind_name(ns->kind), ns->number);
	err = dentry_new_anonymous(inode, name, &ret->dentry);
	if (err == 0)
		ret->mount = mount_ref(nsfs_mount);
	return err;
}

int nsfs_open(struct ns *ns, struct file **ret)
{
	const struct vfs_ctx ctx = {.cred = cred_kernel(), .fsize_limit = UINT64_MAX};
	_cleanup_path_ struct path path = {0};
	int err = nsfs_path(ns, &path);

	return err < 0 ? err : vfs_open_path(&ctx, &path, LX_O_RDONLY, ret);
}
