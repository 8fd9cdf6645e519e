/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open(2), in the order of kernel fs/namei.c: path_openat() and do_open(), because programs depend
 * on which of several errors they get.
 *
 * Without O_CREAT an open is a walk and a check. With it the last component is looked up here, with
 * the directory locked when it has to be made, and a symlink in last place continues the walk.
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/inotify.h"
#include "vfs/internal.h"
#include "vfs/landlock.h"

/* What F_GETFL does not show. */
#define O_CREATION_FLAGS (LX_O_CREAT | LX_O_EXCL | LX_O_NOCTTY | LX_O_TRUNC | LX_O_CLOEXEC)

static const struct file_ops path_file_ops = {.name = "path"};

uint32_t create_mode(const struct inode *dir, uint32_t mode, const struct vfs_ctx *ctx)
{
	uint32_t setgid_exec = LX_S_ISGID | LX_S_IXGRP;

	if (ctx->fs)
		mode &= ~(ctx->fs->umask & 0777);
	if ((mode & setgid_exec) == setgid_exec && !LX_S_ISDIR(mode) && (dir->mode & LX_S_ISGID) &&
		!cred_in_group(ctx->cred, dir->gid) &&
		!cred_inode_capable(ctx->cred, dir, LX_CAP_FSETID))
		mode &= ~LX_S_ISGID;
	return mode;
}

int may_create(const struct path *dir, const struct vfs_ctx *ctx)
{
	const struct user_ns *ns = dir->dentry->sb->user_ns;

	if (dir->dentry->unlinked)
		return -ENOENT;
	/* Who has no name in there owns nothing there (fsuidgid_has_mapping()). */
	if (ns && (user_ns_uid_or_none(ns, ctx->cred->fsuid) == ID_INVALID ||
			  user_ns_gid_or_none(ns, ctx->cred->fsgid) == ID_INVALID))
		return -EOVERFLOW;
	return inode_permission(dir->dentry->inode, VFS_MAY_WRITE | VFS_MAY_EXEC, ctx);
}

/* What opening asks of the object itself (ACC_MODE, and O_TRUNC writes). */
static int access_wanted(int flags)
{
	static const int may[] = {VFS_MAY_READ, VFS_MAY_WRITE, VFS_MAY_READ | VFS_MAY_WRITE,
		VFS_MAY_READ | VFS_MAY_WRITE};

	if (flags & LX_O_PATH)
		return 0;
	return may[flags & LX_O_ACCMODE] | (flags & LX_O_TRUNC ? VFS_MAY_WRITE : 0);
}

/* may_open() */
static int open_permission(const struct vfs_ctx *ctx, const struct path *path, int flags, int may)
{
	struct inode *inode = path->dentry->inode;
	int err;

	if (LX_S_ISLNK(inode->mode))
		return -ELOOP;
	if (LX_S_ISDIR(inode->mode) && (may & VFS_MAY_WRITE))
		return -EISDIR;
	if ((LX_S_ISCHR(inode->mode) || LX_S_ISBLK(inode->mode)) && path->mount &&
		(path->mount->no_dev || (inode->sb->user_ns && !inode->sb->devices_ok)))
		return -EACCES;
	err = inode_permission(inode, may, ctx);
	if (err < 0)
		return err;
	if ((flags & LX_O_NOATIME) && !inode_owner_or_capable(inode, ctx->cred))
		return -EPERM;
	return 0;
}

/* do_dentry_open(): gets write access and lets the file system make its part. */
static int open_inode(struct file *file, const struct vfs_ctx *ctx)
{
	struct inode *inode = file->inode;
	bool special;
	int err;

	if (file->flags & LX_O_PATH) {
		file->ops = &path_file_ops;
		return 0;
	}
	if (LX_S_ISSOCK(inode->mode))
		return -ENXIO;
	special = LX_S_ISCHR(inode->mode) || LX_S_ISBLK(inode->mode) || LX_S_ISFIFO(inode->mode);
	if (file->writable && !special) {
		if (inode->deny_write_count)
			return -ETXTBSY;
		err = path_check_write(&file->path);
		if (err < 0)
			return err;
		inode->write_count++;
		if (file->path.mount)
			file->path.mount->write_count++;
		inode_changes(inode);
		file->counted_write = true;
	}
	inode->open_count++;
	file->counted_open = true;
	err = leases_break(inode, file->writable, file->flags & LX_O_NONBLOCK);
	if (err < 0)
		return err;
	if (inode->ops->open)
		err = inode->ops->open(inode, file, ctx);
	else if (LX_S_ISFIFO(inode->mode))
		err = fifo_open(inode, file, ctx);
	else if (special)
		err = device_open(inode, file, ctx);
	else {
		file->ops = inode->file_ops;
		err = 0;
	}
	if (err >= 0 && !file->ops)
		err = -ENXIO;
	if (err < 0)
		file->ops = NULL; /* nothing was opened that release() could end */
	return err;
}

static int open_truncate(const struct vfs_ctx *ctx, struct file *file)
{
	struct inode *inode = file->inode;
	int err;

	fiber_mutex_lock(&inode->mutex);
	err = inode_truncate_locked(inode, 0, ctx, false);
	fiber_mutex_unlock(&inode->mutex);
	if (err >= 0)
		vfs_notify_path(&file->path, LX_IN_MODIFY);
	return err;
}

bool file_can_direct(const struct file *file)
{
	/* Those that were never opened: memfds, System V's segments. */
	if (!LX_S_ISREG(file->inode->mode) || !file->counted_open)
		return false;
	switch (file->inode->sb->magic) {
	case LX_PROC_SUPER_MAGIC:
	case LX_SYSFS_MAGIC:
	case LX_CGROUP2_SUPER_MAGIC:
	case LX_MQUEUE_MAGIC:
		return false;
	default:
		return true;
	}
}

/* do_open(): @path is where the walk ended. */
static int open_found(const struct vfs_ctx *ctx, const struct path *path, int flags, bool created,
	struct file **ret_file)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct inode *inode = path->dentry->inode;
	int may = access_wanted(flags), err;
	bool truncate = false;

	if ((flags & LX_O_CREAT) && !created) {
		if (flags & LX_O_EXCL)
			return -EEXIST;
		if (LX_S_ISDIR(inode->mode))
			return -EISDIR;
	}
	if ((flags & LX_O_DIRECTORY) && !(flags & LX_O_TMPFILE_BIT) && !LX_S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (created) {
		may = 0;
	} else if (LX_S_ISREG(inode->mode) && (flags & LX_O_TRUNC)) {
		err = path_check_write(path);
		if (err < 0)
			return err;
		truncate = true;
	}
	if (!(flags & LX_O_PATH)) {
		err = open_permission(ctx, path, flags, may);
		if (err < 0)
			return err;
	}
	if (!(flags & LX_O_PATH)) {
		err = landlock_check_open(ctx, path, flags);
		if (err < 0)
			return err;
	}
	/* O_NOCTTY is for the terminal that is opened; it is no status flag. */
	err = file_new(path, NULL, (flags & ~O_CREATION_FLAGS) | (flags & LX_O_NOCTTY),
		(struct cred *)(uintptr_t)ctx->cred, &file);
	if (err < 0)
		return err;
	file->created = created && !(flags & LX_O_TMPFILE_BIT);
	err = open_inode(file, ctx);
	if (err < 0)
		return err;
	if ((file->flags & LX_O_DIRECT) && !(flags & LX_O_PATH) && !file_can_direct(file))
		return -EINVAL;
	file->flags &= ~LX_O_NOCTTY;
	if (ctx->cred->landlock && (LX_S_ISCHR(file->inode->mode) || LX_S_ISBLK(file->inode->mode)))
		file->no_ioctl = landlock_check(ctx, path, LX_LANDLOCK_ACCESS_FS_IOCTL_DEV) < 0;
	if (ctx->cred->landlock)
		file->no_truncate = landlock_check(ctx, path, LX_LANDLOCK_ACCESS_FS_TRUNCATE) < 0;
	if (truncate && file->no_truncate)
		return -EACCES;
	if (truncate) {
		err = open_truncate(ctx, file);
		if (err < 0)
			return err;
	}
	if (!(flags & LX_O_PATH))
		vfs_notify_path(path, LX_IN_OPEN);
	*ret_file = TAKE(file);
	return 0;
}

int vfs_open_path(
	const struct vfs_ctx *ctx, const struct path *path, int flags, struct file **ret_file)
{
	return open_found(ctx, path, flags & ~(LX_O_CREAT | LX_O_EXCL), false, ret_file);
}

/* Makes the file when the name is free. *ret_dentry is owned and positive on success. */
static int create_last(struct walk *walk, const struct last_component *last, int flags,
	uint32_t mode, struct dentry **ret_dentry, bool *ret_created)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	struct inode *dir = walk->path.dentry->inode, *inode;
	int err;

	*ret_created = false;
	err = dentry_lookup(walk->path.dentry, last->name, last->size, &dentry);
	if (err < 0)
		return err;
	if (dentry->inode) {
		*ret_dentry = TAKE(dentry);
		return 0;
	}
	dentry_unref(TAKE(dentry));
	fiber_mutex_lock(&dir->mutex);
	err = dentry_lookup_locked(walk->path.dentry, last->name, last->size, &dentry);
	if (err < 0 || dentry->inode)
		goto out;
	err = dir->sb->no_missing_names ? -ENOENT : path_check_write(&walk->path);
	if (err >= 0)
		err = landlock_check(walk->ctx, &walk->path, LX_LANDLOCK_ACCESS_FS_MAKE_REG);
	if (err >= 0)
		err = may_create(&walk->path, walk->ctx);
	if (err < 0)
		goto out;
	err = -EACCES;
	if (!dir->ops->create)
		goto out;
	mode = create_mode(dir, LX_S_IFREG | (mode & 07777), walk->ctx);
	err = dir->ops->create(dir, dentry->name, mode, walk->ctx->cred, &inode);
	if (err < 0)
		goto out;
	dentry_instantiate(dentry, inode);
	lasting_names_change(dir->sb);
	vfs_notify(dir, LX_IN_CREATE, dentry->name, 0);
	*ret_created = true;
out:
	fiber_mutex_unlock(&dir->mutex);
	if (err >= 0)
		*ret_dentry = TAKE(dentry);
	return err;
}

/* O_CREAT: leaves walk->path at the object. */
static int walk_create(struct walk *walk, int flags, uint32_t mode, bool *ret_created)
{
	for (;;) {
		_cleanup_path_ struct path child = {0};
		struct last_component last;
		bool done;
		int err = walk_parent(walk, &last);

		if (err < 0)
			return err;
		if (last.kind != LAST_NORM && (flags & LX_O_EXCL))
			return -EEXIST;
		if (last.kind != LAST_NORM || last.trailing_slash)
			return -EISDIR;
		err = create_last(walk, &last, flags, mode, &child.dentry, ret_created);
		if (err < 0)
			return err;
		child.mount = mount_ref(walk->path.mount);
		if (path_cross_mounts(&child) && (walk->flags & WALK_NO_XDEV))
			return -EXDEV;
		if (!LX_S_ISLNK(child.dentry->inode->mode) ||
			(flags & (LX_O_EXCL | LX_O_NOFOLLOW))) {
			path_unref(&walk->path);
			walk->path = child;
			child = (struct path){0};
			return walk_complete(walk);
		}
		err = walk_follow(walk, child.dentry, &done);
		if (err < 0)
			return err;
		if (done)
			return walk_complete(walk);
	}
}

/* O_TMPFILE: @dir is the directory. */
static int open_tmpfile(const struct vfs_ctx *ctx, const struct path *dir, int flags, uint32_t mode,
	struct file **ret_file)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	_cleanup_path_ struct path path = {0};
	struct inode *dir_inode = dir->dentry->inode;
	int err = path_check_write(dir);

	if (err < 0)
		return err;
	err = inode_permission(dir_inode, VFS_MAY_WRITE | VFS_MAY_EXEC, ctx);
	if (err < 0)
		return err;
	if (!dir_inode->ops->tmpfile)
		return -EOPNOTSUPP;
	fiber_mutex_lock(&dir_inode->mutex);
	mode = create_mode(dir_inode, LX_S_IFREG | (mode & 07777), ctx);
	err = dir_inode->ops->tmpfile(dir_inode, mode, ctx->cred, &inode);
	fiber_mutex_unlock(&dir_inode->mutex);
	if (err < 0)
		return err;
	err = dentry_new_unlinked(dir->dentry, inode, &path.dentry);
	if (err < 0)
		return err;
	path.mount = mount_ref(dir->mount);
	inode->linkable = !(flags & LX_O_EXCL);
	return open_found(ctx, &path, flags & ~(LX_O_CREAT | LX_O_EXCL), true, ret_file);
}

/* build_open_flags(): what does not fit together. May change *flags. */
int vfs_open_flags(int *flags)
{
	if (*flags & LX_O_PATH) {
		*flags &= LX_O_PATH | LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_CLOEXEC;
		return 0;
	}
	if ((*flags & LX_O_SYNC) & ~LX_O_DSYNC)
		*flags |= LX_O_DSYNC;
	if ((*flags & (LX_O_DIRECTORY | LX_O_CREAT)) == (LX_O_DIRECTORY | LX_O_CREAT))
		return -EINVAL;
	if (*flags & LX_O_TMPFILE_BIT) {
		if (!(*flags & LX_O_DIRECTORY) ||
			!(access_wanted(*flags & ~LX_O_TRUNC) & VFS_MAY_WRITE))
			return -EINVAL;
	}
	return 0;
}

int vfs_open(const struct vfs_ctx *ctx, const struct path *base, const char *name, int flags,
	uint32_t mode, unsigned walk_flags, struct file **ret_file)
{
	bool created = false;
	struct walk walk;
	int err;

	err = vfs_open_flags(&flags);
	if (err < 0)
		return err;
	if (!(flags & LX_O_NOFOLLOW) &&
		(flags & (LX_O_CREAT | LX_O_EXCL)) != (LX_O_CREAT | LX_O_EXCL))
		walk_flags |= WALK_FOLLOW;
	if (flags & LX_O_DIRECTORY)
		walk_flags |= WALK_DIRECTORY;
	err = walk_begin(&walk, ctx, base, name, walk_flags);
	if (err >= 0)
		err = flags & LX_O_CREAT ? walk_create(&walk, flags, mode, &created)
					 : walk_finish(&walk);
	if (err >= 0) {
		if (flags & LX_O_TMPFILE_BIT)
			err = open_tmpfile(ctx, &walk.path, flags, mode, ret_file);
		else
			err = open_found(ctx, &walk.path, flags, created, ret_file);
	}
	walk_end(&walk);
	return err;
}
