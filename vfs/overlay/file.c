/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlay files: each operation goes to the file that has the data at that moment, the lower one
 * opened read-only or the tmpfs one. The choice is made anew each time, so whoever has the file
 * open sees the data that the first writer brought up.
 *
 * What a mapping shows is settled when it is made: a private or read-only mapping of lower data
 * stays with the lower file, as on Linux' overlayfs; a shared mapping of a file open for writing
 * brings the data up first.
 */
#include <errno.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "vfs/overlay/overlay_private.h"

/* The file behind @inode for the moment, borrowed. May sleep. */
static int backing_file(struct inode *inode, bool write, struct file **ret)
{
	struct ovl_node *node = ovl_node(inode);
	enum ovl_backing kind = !node->upper ? OVL_LOWER : write ? OVL_UPPER_WRITE : OVL_UPPER_READ;
	struct file *file;
	int status;

	if (!node->files[kind]) {
		status = file_open_kernel(kind == OVL_LOWER ? node->lower : node->upper, "overlay",
			write ? LX_O_RDWR : LX_O_RDONLY, &file);
		if (status < 0)
			return status;
		if (node->files[kind])
			file_unref(file); /* another fiber was faster */
		else
			node->files[kind] = file;
	}
	*ret = node->files[kind];
	return 0;
}

static ssize_t ovl_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct file *backing;
	int status = backing_file(file->inode, false, &backing);
	ssize_t got;

	if (status < 0)
		return status;
	got = backing->ops->read(backing, uio, pos);
	if (got > 0)
		file_touch_atime(file);
	return got;
}

static ssize_t ovl_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	struct inode *inode = file->inode;
	struct file *backing;
	ssize_t ret;

	fiber_mutex_lock(&inode->mutex);
	ret = ovl_copy_up(inode, inode->size);
	if (ret == 0)
		ret = backing_file(inode, true, &backing);
	if (ret == 0) {
		uio->append = file_appends(file, uio);
		ret = backing->ops->write(backing, uio, pos, ctx);
		ovl_node_sync(inode);
	}
	fiber_mutex_unlock(&inode->mutex);
	return ret;
}

static int64_t ovl_seek(struct file *file, int64_t offset, int whence)
{
	struct file *backing;
	int64_t pos;
	int status;

	if (whence != LX_SEEK_DATA && whence != LX_SEEK_HOLE)
		return file_generic_seek(file, offset, whence, file->inode->size, INT64_MAX);
	status = backing_file(file->inode, false, &backing);
	if (status < 0)
		return status;
	pos = backing->ops->seek(backing, offset, whence);
	if (pos >= 0)
		file->pos = pos;
	return pos;
}

static int ovl_map(struct file *file, struct file_map *map)
{
	struct inode *inode = file->inode;
	bool write = map->shared && file->writable;
	struct file *backing;
	int status = 0;

	if (write) {
		fiber_mutex_lock(&inode->mutex);
		status = ovl_copy_up(inode, inode->size);
		fiber_mutex_unlock(&inode->mutex);
	}
	if (status == 0)
		status = backing_file(inode, write, &backing);
	if (status < 0)
		return status;
	if (!backing->ops->map)
		return -ENODEV;
	status = backing->ops->map(backing, map);
	if (status == 0)
		file_touch_atime(file);
	return status;
}

/* The caller holds the inode's mutex, and the file below wants its own held. */
static int ovl_fallocate(
	struct file *file, int mode, uint64_t offset, uint64_t size, const struct vfs_ctx *ctx)
{
	struct inode *inode = file->inode, *upper;
	struct file *backing;
	int status = ovl_copy_up(inode, inode->size);

	if (status == 0)
		status = backing_file(inode, true, &backing);
	if (status < 0)
		return status;
	if (!backing->ops->fallocate)
		return -EOPNOTSUPP;
	upper = ovl_node(inode)->upper;
	fiber_mutex_lock(&upper->mutex);
	status = backing->ops->fallocate(backing, mode, offset, size, ctx);
	fiber_mutex_unlock(&upper->mutex);
	if (status == 0)
		ovl_node_sync(inode);
	return status;
}

static void close_backing(struct ovl_node *node)
{
	for (unsigned i = 0; i < OVL_BACKINGS; i++)
		if (node->files[i])
			file_unref(TAKE(node->files[i]));
}

static void ovl_release_file(struct file *file)
{
	struct ovl_node *node = ovl_node(file->inode);

	if (--node->opens == 0)
		close_backing(node);
}

const struct file_ops ovl_file_ops = {
	.name = "overlay file",
	.read = ovl_read,
	.write = ovl_write,
	.seek = ovl_seek,
	.map = ovl_map,
	.fallocate = ovl_fallocate,
	.release = ovl_release_file,
};

static int ovl_open_file(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	struct ovl_node *node = ovl_node(inode);
	struct file *backing;
	int status;

	/* Opening the lower file now shows errors now; O_TRUNC never needs it. */
	node->opens++;
	status = file->flags & LX_O_TRUNC ? 0 : backing_file(inode, false, &backing);
	if (status < 0) {
		if (--node->opens == 0)
			close_backing(node);
		return status;
	}
	file->ops = &ovl_file_ops;
	return 0;
}

/* ---- attributes ------------------------------------------------------------------------------ */

int ovl_getattr(struct inode *inode, struct kstat *ret)
{
	const struct ovl_node *node = ovl_node(inode);
	const struct inode *backing = node->upper ? node->upper : node->lower;
	struct kstat stat;

	inode_fill_stat(inode, ret);
	if (!backing || !backing->ops->getattr || (!LX_S_ISREG(inode->mode) && !node->lower))
		return 0;
	if (backing->ops->getattr((struct inode *)backing, &stat) == 0) {
		ret->blocks = stat.blocks;
		ret->block_size = stat.block_size;
	}
	return 0;
}

/* Called with inode->mutex held. */
static int change_size(struct inode *inode, const struct iattr *attr)
{
	struct iattr size = {.valid = IATTR_SIZE, .size = attr->size};
	struct inode *upper;
	int status = ovl_copy_up(inode, attr->size);

	if (status < 0)
		return status;
	upper = ovl_node(inode)->upper;
	fiber_mutex_lock(&upper->mutex);
	status = upper->ops->setattr(upper, &size);
	fiber_mutex_unlock(&upper->mutex);
	return status;
}

int ovl_setattr(struct inode *inode, const struct iattr *attr)
{
	struct ovl_node *node = ovl_node(inode);
	int status = 0;

	if (attr->valid & IATTR_SIZE)
		status = LX_S_ISREG(inode->mode) ? change_size(inode, attr) : -EINVAL;
	if (status < 0)
		return status;
	if (attr->valid & (IATTR_MODE | IATTR_UID | IATTR_GID | IATTR_ATIME | IATTR_MTIME))
		node->changed_attr = true;
	inode_apply_attr(inode, attr);
	if (node->upper) {
		struct iattr rest = *attr;

		rest.valid &= ~IATTR_SIZE;
		inode_apply_attr(node->upper, &rest);
		inode->size = node->upper->size;
	}
	ovl_node_pin(inode);
	return 0;
}

static ssize_t ovl_readlink(struct inode *inode, const struct vfs_ctx *ctx, char *buffer)
{
	const struct ovl_node *node = ovl_node(inode);
	size_t size;

	if (!node->target)
		return node->lower->ops->readlink(node->lower, ctx, buffer);
	size = strlen(node->target);
	memcpy(buffer, node->target, size + 1);
	return (ssize_t)size;
}

const struct inode_ops ovl_file_inode_ops = {
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.open = ovl_open_file,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
};

const struct inode_ops ovl_symlink_ops = {
	.readlink = ovl_readlink,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
};

/* FIFOs, sockets and devices: what opening them means is the core's. */
const struct inode_ops ovl_special_ops = {
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
};
