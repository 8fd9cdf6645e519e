/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes and superblocks.
 *
 * References: an inode holds its superblock, a dentry holds its inode, and a superblock holds the
 * dentry of its root. That ring is cut when the last mount goes (dcache_drop_tree()).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "vfs/internal.h"

/* st_dev of virtual file systems: major 0, minors in order (get_anon_bdev()). */
static uint32_t next_dev_minor = 1;
static uint64_t next_ino = 1;

struct ktime ktime_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (struct ktime){.sec = now.tv_sec, .nsec = (uint32_t)now.tv_nsec};
}

int super_block_new(
	const struct super_ops *ops, const char *type, uint64_t magic, struct super_block **ret)
{
	struct super_block *sb = calloc(1, sizeof(*sb));

	if (!sb)
		return -ENOMEM;
	sb->refs = REFCOUNT_ONE;
	sb->ops = ops;
	sb->type = type;
	sb->magic = magic;
	sb->dev = lx_makedev(0, next_dev_minor++);
	sb->block_size = LX_PAGE_SIZE;
	*ret = sb;
	return 0;
}

struct super_block *super_block_ref(struct super_block *sb)
{
	refcount_get(&sb->refs);
	return sb;
}

void super_block_unref(struct super_block *sb)
{
	if (!refcount_put(&sb->refs))
		return;
	if (sb->ops->release)
		sb->ops->release(sb);
	user_ns_unref(sb->user_ns);
	free(sb);
}

void super_block_keep(struct super_block *sb)
{
	sb->mount_count++;
}

void super_block_let_go(struct super_block *sb)
{
	if (--sb->mount_count == 0)
		dcache_drop_tree(sb);
}

int super_block_set_root(struct super_block *sb, struct inode *root)
{
	sentry_assert(!sb->root);
	return dentry_new_root(root, &sb->root);
}

int inode_new(struct super_block *sb, const struct inode_ops *ops, uint32_t mode,
	size_t private_size, struct inode **ret)
{
	struct inode *inode = calloc(1, sizeof(*inode) + private_size);

	if (!inode)
		return -ENOMEM;
	inode->refs = REFCOUNT_ONE;
	inode->sb = super_block_ref(sb);
	inode->ops = ops;
	inode->ino = next_ino++;
	inode->mode = mode;
	inode->nlink = 1;
	inode->atime = inode->mtime = inode->ctime = inode->btime = ktime_now();
	fiber_mutex_init(&inode->mutex);
	list_init(&inode->dentries);
	list_init(&inode->marks);
	if (private_size)
		inode->private = inode + 1;
	*ret = inode;
	return 0;
}

struct inode *inode_ref(struct inode *inode)
{
	refcount_get(&inode->refs);
	return inode;
}

void inode_unref(struct inode *inode)
{
	struct super_block *sb = inode->sb;

	if (!refcount_put(&inode->refs))
		return;
	sentry_assert(list_empty(&inode->dentries));
	locks_free(inode);
	leases_free(inode);
	inode_handle_free(inode);
	sb->ops->destroy_inode(inode);
	free(inode);
	super_block_unref(sb);
}

void inode_init_owner(
	struct inode *inode, const struct inode *dir, uint32_t mode, const struct cred *cred)
{
	inode->uid = cred->fsuid;
	inode->gid = cred->fsgid;
	if (dir && (dir->mode & LX_S_ISGID)) {
		inode->gid = dir->gid;
		if (LX_S_ISDIR(mode))
			mode |= LX_S_ISGID;
	}
	inode->mode = mode;
}

static bool time_before(const struct ktime *a, const struct ktime *b)
{
	return a->sec != b->sec ? a->sec < b->sec : a->nsec < b->nsec;
}

void inode_touch_atime(struct inode *inode)
{
	struct ktime now;

	/* relatime (mount(8)): only when older than the last change, or than a day. */
	now = ktime_now();
	if (time_before(&inode->mtime, &inode->atime) &&
		time_before(&inode->ctime, &inode->atime) &&
		now.sec - inode->atime.sec < 24 * 60 * 60)
		return;
	inode->atime = now;
	inode_changes(inode);
}

void file_touch_atime(struct file *file)
{
	const struct mount *mount = file->path.mount;
	struct inode *inode = file->inode;

	if (file->flags & LX_O_NOATIME)
		return;
	if (mount && (mount->no_atime || mount->read_only ||
			     (mount->no_dir_atime && LX_S_ISDIR(inode->mode))))
		return;
	if (mount && mount->strict_atime) {
		inode->atime = ktime_now();
		inode_changes(inode);
		return;
	}
	inode_touch_atime(inode);
}

void inode_touch_mtime(struct inode *inode)
{
	inode->mtime = inode->ctime = ktime_now();
	inode_changes(inode);
}

void inode_touch_ctime(struct inode *inode)
{
	inode->ctime = ktime_now();
	inode_changes(inode);
}

void inode_fill_stat(const struct inode *inode, struct kstat *ret)
{
	*ret = (struct kstat){
		.dev = inode->sb->dev,
		.ino = inode->ino,
		.rdev = inode->rdev,
		.size = inode->size,
		.mode = inode->mode,
		.nlink = inode->nlink,
		.uid = inode->uid,
		.gid = inode->gid,
		.block_size = inode->sb->block_size,
		.atime = {inode->atime.sec, inode->atime.nsec},
		.mtime = {inode->mtime.sec, inode->mtime.nsec},
		.ctime = {inode->ctime.sec, inode->ctime.nsec},
		.btime = {inode->btime.sec, inode->btime.nsec},
		.result_mask = LX_STATX_BASIC_STATS,
	};
}

void inode_apply_attr(struct inode *inode, const struct iattr *attr)
{
	if (attr->valid & IATTR_MODE)
		inode->mode = (inode->mode & LX_S_IFMT) | (attr->mode & ~LX_S_IFMT);
	if (attr->valid & IATTR_UID)
		inode->uid = attr->uid;
	if (attr->valid & IATTR_GID)
		inode->gid = attr->gid;
	if (attr->valid & IATTR_ATIME)
		inode->atime = attr->atime;
	if (attr->valid & IATTR_MTIME)
		inode->mtime = attr->mtime;
	if (attr->valid & IATTR_CTIME)
		inode->ctime = attr->ctime;
}
