/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files: each has a file of the kernel's own on the real one. Opening for writing copies up;
 * whoever had the lower file open before reads from the upper one from then on, but for what he has
 * mapped.
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "vfs/stack/stack_private.h"

struct stack_file {
	struct file *real; /* owned */
};

static int get_real(struct file *file, struct file **ret)
{
	struct stack_file *own = file->private;
	struct inode *inode = stack_real(file->inode)->inode;
	struct file *real;
	int err;

	if (own->real->inode != inode) {
		err = file_open_kernel(
			inode, "overlay", file->writable ? LX_O_RDWR : LX_O_RDONLY, &real);
		if (err < 0)
			return err;
		file_unref(own->real);
		own->real = real;
	}
	*ret = own->real;
	return 0;
}

static ssize_t stack_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct file *real;
	int err = get_real(file, &real);
	ssize_t got;

	if (err < 0)
		return err;
	(void)file_ref(real);
	got = real->ops->read(real, uio, pos);
	file_unref(real);
	return got;
}

static ssize_t stack_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	struct inode *inode = file->inode;
	struct file *real;
	ssize_t ret;

	fiber_mutex_lock(&inode->mutex);
	ret = get_real(file, &real);
	if (ret == 0) {
		uio->append = file_appends(file, uio);
		(void)file_ref(real);
		ret = real->ops->write(real, uio, pos, ctx);
		file_unref(real);
		stack_sync(inode);
	}
	fiber_mutex_unlock(&inode->mutex);
	return ret;
}

static int64_t stack_seek(struct file *file, int64_t offset, int whence)
{
	struct file *real;
	struct kstat stat;
	int64_t pos;
	int err = get_real(file, &real);

	if (err < 0)
		return err;
	if (whence != LX_SEEK_DATA && whence != LX_SEEK_HOLE) {
		err = stack_getattr(file->inode, &stat);
		return err < 0 ? err
			       : file_generic_seek(file, offset, whence, stat.size, INT64_MAX);
	}
	pos = real->ops->seek ? real->ops->seek(real, offset, whence) : -ESPIPE;
	if (pos >= 0)
		file->pos = pos;
	return pos;
}

static int stack_map(struct file *file, struct file_map *map)
{
	struct file *real;
	int err = get_real(file, &real);

	if (err < 0)
		return err;
	return real->ops->map ? real->ops->map(real, map) : -ENODEV;
}

static int stack_sync_file(struct file *file, bool data_only)
{
	struct file *real;
	int err = get_real(file, &real);

	return err == 0 && real->ops->sync ? real->ops->sync(real, data_only) : err;
}

static int stack_fallocate(
	struct file *file, int mode, uint64_t offset, uint64_t size, const struct vfs_ctx *ctx)
{
	struct file *real;
	int err = get_real(file, &real);

	if (err < 0)
		return err;
	if (!real->ops->fallocate)
		return -EOPNOTSUPP;
	fiber_mutex_lock(&real->inode->mutex);
	err = real->ops->fallocate(real, mode, offset, size, ctx);
	fiber_mutex_unlock(&real->inode->mutex);
	stack_sync(file->inode);
	return err;
}

static void stack_release_file(struct file *file)
{
	struct stack_file *own = file->private;

	file_unref(own->real);
	free(own);
}

static const struct file_ops stack_file_ops = {
	.name = "stacked file",
	.read = stack_read,
	.write = stack_write,
	.seek = stack_seek,
	.map = stack_map,
	.sync = stack_sync_file,
	.fallocate = stack_fallocate,
	.release = stack_release_file,
};

static int stack_open_file(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	struct stack_file *own;
	int err = 0;

	if (file->writable) {
		fiber_mutex_lock(&inode->mutex);
		err = stack_copy_up(inode);
		fiber_mutex_unlock(&inode->mutex);
	}
	if (err < 0)
		return err;
	own = calloc(1, sizeof(*own));
	if (!own)
		return -ENOMEM;
	err = file_open_kernel(stack_real(inode)->inode, "overlay",
		file->writable ? LX_O_RDWR : LX_O_RDONLY, &own->real);
	if (err < 0) {
		free(own);
		return err;
	}
	file->private = own;
	file->ops = &stack_file_ops;
	return 0;
}

static ssize_t stack_readlink(struct inode *inode, const struct vfs_ctx *ctx, char *buffer)
{
	struct inode *real = stack_real(inode)->inode;

	return real->ops->readlink(real, ctx, buffer);
}

#define ATTRIBUTES                                                                                 \
	.permission = stack_permission, .getattr = stack_getattr, .setattr = stack_setattr,        \
	.getxattr = stack_getxattr, .setxattr = stack_setxattr, .listxattr = stack_listxattr,      \
	.removexattr = stack_removexattr

const struct inode_ops stack_file_inode_ops = {ATTRIBUTES, .open = stack_open_file};
const struct inode_ops stack_link_ops = {ATTRIBUTES, .readlink = stack_readlink};
const struct inode_ops stack_special_ops = {ATTRIBUTES};
