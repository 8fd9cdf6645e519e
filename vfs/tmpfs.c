/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory file system (tmpfs(5)): superblocks, inodes, attributes. Directories are in
 * tmpfs_dir.c, the contents of files in tmpfs_file.c.
 *
 * A directory entry holds a reference to its inode, so a file lives while it has a name, and after
 * that while it is open.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/xattr.h"
#include "vfs/tmpfs.h"

static ssize_t symlink_read(struct inode *inode, const struct vfs_ctx *ctx, char *buffer)
{
	const char *target = tmpfs_inode(inode)->target;
	size_t size = strlen(target);

	memcpy(buffer, target, size + 1);
	return (ssize_t)size;
}

static const struct inode_ops symlink_ops = {
	.readlink = symlink_read,
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

/* FIFOs, sockets and device nodes: only attributes. */
static const struct inode_ops special_ops = {
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

/* ---- memory ---- */

static uint64_t memory_used, memory_limit = UINT64_MAX;

void tmpfs_set_memory_limit(uint64_t size)
{
	memory_limit = size;
}

uint64_t tmpfs_memory_used(void)
{
	return memory_used;
}

uint64_t tmpfs_memory_excess(void)
{
	return memory_used > memory_limit ? memory_used - memory_limit : 0;
}

uint64_t tmpfs_memory_left(void)
{
	return memory_limit > memory_used ? memory_limit - memory_used : 0;
}

bool tmpfs_memory_charge(uint64_t size)
{
	if (size > tmpfs_memory_left())
		return false;
	memory_used += size;
	return true;
}

void tmpfs_memory_uncharge(uint64_t size)
{
	memory_used -= size;
}

void tmpfs_memory_adjust(uint64_t old_size, uint64_t new_size)
{
	memory_used = memory_used - old_size + new_size;
}

/* ---- inodes ---- */

int tmpfs_inode_new(struct super_block *sb, const struct inode *dir, uint32_t mode,
	const struct cred *cred, struct inode **ret)
{
	struct tmpfs_sb *tmpfs = sb->private;
	const struct inode_ops *ops = &special_ops;
	struct inode *inode;
	int err;

	if (tmpfs->inode_count >= tmpfs->inode_limit)
		return -ENOSPC;
	if (LX_S_ISDIR(mode))
		ops = &tmpfs_dir_ops;
	else if (LX_S_ISREG(mode))
		ops = &tmpfs_file_inode_ops;
	else if (LX_S_ISLNK(mode))
		ops = &symlink_ops;
	if (!tmpfs_memory_charge(TMPFS_INODE_COST))
		return -ENOSPC;
	err = inode_new(sb, ops, mode, sizeof(struct tmpfs_inode), &inode);
	if (err < 0) {
		tmpfs_memory_uncharge(TMPFS_INODE_COST);
		return err;
	}
	tmpfs->inode_count++;
	inode_init_owner(inode, dir, mode, cred);
	list_init(&tmpfs_inode(inode)->xattrs);
	if (LX_S_ISDIR(mode)) {
		inode->nlink = 2;
		inode->size = 40;
		inode->file_ops = &tmpfs_dir_file_ops;
		tmpfs_inode(inode)->dir.next_cookie = 2;
	} else if (LX_S_ISREG(mode)) {
		inode->file_ops = &tmpfs_file_ops;
		tmpfs_file_init(&tmpfs_inode(inode)->file);
	}
	*ret = inode;
	return 0;
}

int tmpfs_getattr(struct inode *inode, struct kstat *ret)
{
	inode_fill_stat(inode, ret);
	ret->blocks = LX_S_ISREG(inode->mode) ? tmpfs_file_pages(inode) * (LX_PAGE_SIZE / 512) : 0;
	ret->result_mask |= LX_STATX_BTIME;
	return 0;
}

int tmpfs_setattr(struct inode *inode, const struct iattr *attr)
{
	if ((attr->valid & IATTR_MODE) && LX_S_ISREG(inode->mode) &&
		(tmpfs_inode(inode)->file.seals & LX_F_SEAL_EXEC) &&
		((attr->mode ^ inode->mode) & 0111))
		return -EPERM;
	if (attr->valid & IATTR_SIZE) {
		int err = tmpfs_file_resize(inode, attr->size);

		if (err < 0)
			return err;
	}
	inode_apply_attr(inode, attr);
	return 0;
}

/* ---- extended attributes ---- */

static struct tmpfs_xattr *xattr_find(const struct inode *inode, const char *name)
{
	struct tmpfs_xattr *xattr;

	list_for_each_entry (xattr, &tmpfs_inode(inode)->xattrs, link) {
		if (!strcmp(xattr->name, name))
			return xattr;
	}
	return NULL;
}

static size_t xattr_cost(size_t name_size, size_t value_size)
{
	return sizeof(struct tmpfs_xattr) + name_size + 1 + value_size;
}

static void xattr_free(struct inode *inode, struct tmpfs_xattr *xattr)
{
	size_t cost = xattr_cost(strlen(xattr->name), xattr->size);

	tmpfs_inode(inode)->xattr_size -= cost;
	tmpfs_memory_uncharge(cost);
	list_remove(&xattr->link);
	free(xattr->value);
	free(xattr);
}

ssize_t tmpfs_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	const struct tmpfs_xattr *xattr = xattr_find(inode, name);

	if (!xattr)
		return -ENODATA;
	if (size && size < xattr->size)
		return -ERANGE;
	if (size)
		memcpy(value, xattr->value, xattr->size);
	return (ssize_t)xattr->size;
}

int tmpfs_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	struct tmpfs_inode *tmpfs = tmpfs_inode(inode);
	struct tmpfs_xattr *old = xattr_find(inode, name), *xattr;
	size_t length = strlen(name), left = tmpfs->xattr_size;

	if (old && (flags & LX_XATTR_CREATE))
		return -EEXIST;
	if (!old && (flags & LX_XATTR_REPLACE))
		return -ENODATA;
	if (old)
		left -= xattr_cost(length, old->size);
	if (left + xattr_cost(length, size) > TMPFS_XATTRS_MAX)
		return -ENOSPC;
	if (!tmpfs_memory_charge(xattr_cost(length, size)))
		return -ENOSPC;
	xattr = malloc(sizeof(*xattr) + length + 1);
	if (xattr)
		xattr->value = malloc(size ? size : 1);
	if (!xattr || !xattr->value) {
		tmpfs_memory_uncharge(xattr_cost(length, size));
		free(xattr);
		return -ENOMEM;
	}
	memcpy(xattr->name, name, length + 1);
	memcpy(xattr->value, value, size);
	xattr->size = size;
	if (old)
		xattr_free(inode, old);
	list_add_tail(&xattr->link, &tmpfs->xattrs);
	tmpfs->xattr_size += xattr_cost(length, size);
	inode_touch_ctime(inode);
	return 0;
}

ssize_t tmpfs_listxattr(struct inode *inode, char *list, size_t size)
{
	const struct tmpfs_xattr *xattr;
	size_t used = 0;

	list_for_each_entry (xattr, &tmpfs_inode(inode)->xattrs, link) {
		size_t length = strlen(xattr->name) + 1;

		if (size) {
			if (used + length > size)
				return -ERANGE;
			memcpy(list + used, xattr->name, length);
		}
		used += length;
	}
	return (ssize_t)used;
}

int tmpfs_removexattr(struct inode *inode, const char *name)
{
	struct tmpfs_xattr *xattr = xattr_find(inode, name);

	if (!xattr)
		return -ENODATA;
	xattr_free(inode, xattr);
	inode_touch_ctime(inode);
	return 0;
}

/* ---- superblock ---- */

static void tmpfs_destroy_inode(struct inode *inode)
{
	struct tmpfs_inode *tmpfs = tmpfs_inode(inode);
	struct tmpfs_xattr *xattr, *tmp;

	list_for_each_entry_safe (xattr, tmp, &tmpfs->xattrs, link)
		xattr_free(inode, xattr);
	if (LX_S_ISDIR(inode->mode))
		tmpfs_dir_destroy(inode);
	else if (LX_S_ISREG(inode->mode))
		tmpfs_file_destroy(inode);
	else if (LX_S_ISLNK(inode->mode))
		tmpfs_symlink_destroy(inode);
	tmpfs_memory_uncharge(TMPFS_INODE_COST);
	tmpfs_sb(inode)->inode_count--;
}

static int tmpfs_statfs(struct super_block *sb, struct lx_statfs *ret)
{
	const struct tmpfs_sb *tmpfs = sb->private;
	uint64_t total = tmpfs->page_limit ? tmpfs->page_limit : tmpfs->pages_shown;
	uint64_t used = tmpfs->pages_used < total ? tmpfs->pages_used : total;

	*ret = (struct lx_statfs){
		.f_type = LX_TMPFS_MAGIC,
		.f_bsize = LX_PAGE_SIZE,
		.f_blocks = total,
		.f_bfree = total - used,
		.f_bavail = total - used,
		.f_files = tmpfs->inode_limit,
		.f_ffree = tmpfs->inode_limit - tmpfs->inode_count,
		.f_namelen = LX_NAME_MAX,
	};
	return 0;
}

static void tmpfs_release(struct super_block *sb)
{
	free(sb->private);
}

static const struct super_ops tmpfs_super_ops = {
	.destroy_inode = tmpfs_destroy_inode,
	.statfs = tmpfs_statfs,
	.release = tmpfs_release,
};

int tmpfs_new(
	uint64_t size_limit, uint64_t inode_limit, uint32_t root_mode, struct super_block **ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	struct tmpfs_sb *tmpfs;
	struct inode *root;
	int err;

	err = tmpfs_files_init();
	if (err < 0)
		return err;
	err = super_block_new(&tmpfs_super_ops, "tmpfs", LX_TMPFS_MAGIC, &sb);
	if (err < 0)
		return err;
	sb->handles = HANDLES_FILES;
	tmpfs = calloc(1, sizeof(*tmpfs));
	if (!tmpfs)
		return -ENOMEM;
	sb->private = tmpfs;
	sb->stable = sb->plain = true;
	tmpfs->page_limit = (size_limit + LX_PAGE_SIZE - 1) / LX_PAGE_SIZE;
	tmpfs->inode_limit = inode_limit ? inode_limit : TMPFS_INODES_MAX;
	tmpfs->pages_shown = tmpfs_host_pages / 2;
	err = tmpfs_inode_new(sb, NULL, LX_S_IFDIR | (root_mode & 07777), cred_kernel(), &root);
	if (err < 0)
		return err;
	err = super_block_set_root(sb, root);
	if (err < 0) {
		inode_unref(root);
		return err;
	}
	*ret = TAKE(sb);
	return 0;
}

int tmpfs_set_size(struct super_block *sb, uint64_t size_limit)
{
	struct tmpfs_sb *tmpfs = sb->private;
	uint64_t pages = (size_limit + LX_PAGE_SIZE - 1) / LX_PAGE_SIZE;

	if (pages && tmpfs->pages_used > pages)
		return -EINVAL;
	tmpfs->page_limit = pages;
	return 0;
}

int tmpfs_new_file(
	struct super_block *sb, uint32_t mode, const struct cred *cred, struct inode **ret)
{
	int err = tmpfs_inode_new(sb, NULL, LX_S_IFREG | (mode & 07777), cred, ret);

	if (err >= 0)
		(*ret)->nlink = 0;
	return err;
}

int tmpfs_internal(struct super_block **ret_sb)
{
	static struct super_block *sb;

	if (!sb) {
		int err = tmpfs_new(0, 0, 0700, &sb);

		if (err < 0)
			return err;
	}
	*ret_sb = sb;
	return 0;
}
