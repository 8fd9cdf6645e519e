/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying up: a file that is about to change is brought into the upper tree, with its directories,
 * attributes and extended attributes. Until it is complete the inode goes on with the lower file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/xattr.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "vfs/stack/stack_private.h"

#define PIECE (64 * 1024)

static int copy_data(struct inode *from, struct inode *to)
{
	_cleanup_(cleanup_file_unref) struct file *source = NULL, *target = NULL;
	_cleanup_free_ void *buffer = malloc(PIECE);
	const struct vfs_ctx ctx = {.cred = cred_kernel(), .fsize_limit = UINT64_MAX};
	int64_t in = 0, out = 0;
	int err = buffer ? file_open_kernel(from, "lower", LX_O_RDONLY, &source) : -ENOMEM;

	if (err == 0)
		err = file_open_kernel(to, "upper", LX_O_RDWR, &target);
	while (err == 0) {
		struct uio_segment segment;
		struct uio uio;
		ssize_t got, put;

		uio_init_kernel(&uio, &segment, buffer, PIECE);
		got = source->ops->read(source, &uio, &in);
		if (got <= 0)
			return (int)got;
		uio_init_kernel(&uio, &segment, buffer, (size_t)got);
		put = target->ops->write(target, &uio, &out, &ctx);
		if (put < got)
			return put < 0 ? (int)put : -ENOSPC;
		if (fiber_current())
			fiber_yield();
	}
	return err;
}

static void copy_xattrs(struct inode *from, struct inode *to)
{
	_cleanup_free_ char *list = malloc(LX_XATTR_LIST_MAX), *value = malloc(LX_XATTR_SIZE_MAX);
	ssize_t size;

	if (!list || !value || !from->ops->listxattr || !from->ops->getxattr || !to->ops->setxattr)
		return;
	size = from->ops->listxattr(from, list, LX_XATTR_LIST_MAX);
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(list + at) + 1) {
		ssize_t got = from->ops->getxattr(from, list + at, value, LX_XATTR_SIZE_MAX);

		if (got >= 0 && !strstr(list + at, ".overlay."))
			(void)to->ops->setxattr(to, list + at, value, (size_t)got, 0);
	}
}

/*
 * Who mounted the overlay must be able to make such a file: with owners that have names where he is
 * (or him alone). Else he could fill a file, hold on to it, and have it given to root.
 */
static bool may_give(const struct inode *inode)
{
	const struct cred *cred = stack_sb(inode)->cred;

	if (inode->uid == cred->fsuid && cred_in_group(cred, inode->gid))
		return true;
	return cred_inode_capable(cred, inode, LX_CAP_CHOWN);
}

static int copy_attributes(const struct inode *inode, struct inode *to)
{
	const struct iattr attr = {
		.valid = IATTR_UID | IATTR_GID | IATTR_ATIME | IATTR_MTIME |
			 (LX_S_ISLNK(inode->mode) ? 0 : IATTR_MODE),
		.mode = inode->mode & 07777,
		.uid = inode->uid,
		.gid = inode->gid,
		.atime = inode->atime,
		.mtime = inode->mtime,
	};
	int err = -EPERM;

	fiber_mutex_lock(&to->mutex);
	if (to->ops->setattr)
		err = to->ops->setattr(to, &attr);
	fiber_mutex_unlock(&to->mutex);
	return err;
}

/* An empty one of the same kind as @inode in the directory @dir; its mutex is held. */
static int make_like(
	const struct inode *inode, struct inode *dir, const char *name, struct inode **ret)
{
	const struct cred *cred = stack_sb(inode)->cred;
	struct inode *lower = stack_real(inode)->inode;
	const struct vfs_ctx ctx = {.cred = cred_kernel(), .fsize_limit = UINT64_MAX};
	_cleanup_free_ char *target = NULL;
	ssize_t size;

	if (LX_S_ISDIR(inode->mode))
		return dir->ops->mkdir ? dir->ops->mkdir(dir, name, inode->mode, cred, ret)
				       : -EPERM;
	if (LX_S_ISREG(inode->mode))
		return dir->ops->create ? dir->ops->create(dir, name, LX_S_IFREG | 0600, cred, ret)
					: -EPERM;
	if (!LX_S_ISLNK(inode->mode))
		return dir->ops->mknod
			       ? dir->ops->mknod(dir, name, inode->mode, inode->rdev, cred, ret)
			       : -EPERM;
	target = malloc(LX_PATH_MAX);
	if (!target)
		return -ENOMEM;
	size = lower->ops->readlink(lower, &ctx, target);
	if (size < 0)
		return (int)size;
	return dir->ops->symlink ? dir->ops->symlink(dir, name, target, cred, ret) : -EPERM;
}

/* @inode, whose directory is in the upper tree as @parent, under @name there. */
static int copy_one(struct inode *inode, struct dentry *parent, const char *name)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	struct inode *dir = parent->inode, *made = NULL, *lower = stack_real(inode)->inode;
	const struct vfs_ctx maker = {.cred = stack_sb(inode)->cred, .fsize_limit = UINT64_MAX};
	int err;

	stack_sync(inode);
	if (!may_give(inode))
		return -EPERM;
	/* Nobody was asked for this directory yet: the caller changes a file, not a name. */
	err = inode_permission(dir, VFS_MAY_WRITE | VFS_MAY_EXEC, &maker);
	if (err < 0)
		return err;
	fiber_mutex_lock(&dir->mutex);
	err = dentry_lookup_locked(parent, name, strlen(name), &dentry);
	if (err == 0 && dentry->inode)
		err = -EIO; /* somebody works in the upper tree */
	if (err == 0)
		err = make_like(inode, dir, name, &made);
	if (err == 0) {
		dentry_instantiate(dentry, made);
		lasting_names_change(dir->sb);
	}
	fiber_mutex_unlock(&dir->mutex);
	if (err < 0)
		return err;
	if (LX_S_ISREG(inode->mode))
		err = copy_data(lower, made);
	if (err == 0) {
		copy_xattrs(lower, made);
		err = copy_attributes(inode, made);
	}
	if (err < 0) {
		fiber_mutex_lock(&dir->mutex);
		if ((LX_S_ISDIR(inode->mode) ? dir->ops->rmdir : dir->ops->unlink)(
			    dir, name, made) == 0)
			dentry_detach(dentry);
		fiber_mutex_unlock(&dir->mutex);
		return err;
	}
	stack_node(inode)->upper = TAKE(dentry);
	stack_sync(inode);
	return 0;
}

/* Our dentry for @inode; NULL: it has no name any more. */
static struct dentry *name_of(const struct inode *inode)
{
	struct dentry *dentry;

	list_for_each_entry (dentry, &inode->dentries, alias)
		if (!dentry->unlinked)
			return dentry;
	return NULL;
}

int stack_copy_up(struct inode *inode)
{
	const struct mount *upper = stack_sb(inode)->upper_mount;

	/* The upper file system may have become read-only since (mnt_want_write()). */
	if (!upper || upper->sb->read_only)
		return -EROFS;
	/* The topmost directory that is missing, again and again. */
	while (!stack_node(inode)->upper) {
		_cleanup_(cleanup_dentry_unref) struct dentry *at = NULL;
		struct dentry *dentry = name_of(inode);
		int err;

		if (!dentry)
			return -ENOENT;
		while (!stack_node(dentry->parent->inode)->upper)
			dentry = dentry->parent;
		at = dentry_ref(dentry);
		err = copy_one(at->inode, stack_node(at->parent->inode)->upper, at->name);
		if (err < 0 && !stack_node(at->inode)->upper)
			return err;
	}
	return 0;
}
