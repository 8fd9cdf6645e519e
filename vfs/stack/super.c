/* SPDX-License-Identifier: Apache-2.0 */
/* Mounting, inodes, look-up and attributes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vfs/mount_private.h"
#include "vfs/stack/stack_private.h"

#define OVERLAYFS_MAGIC 0x794c7630
#define STACK_DEPTH_MAX 2 /* FILESYSTEM_MAX_STACK_DEPTH */

bool stack_is_whiteout(const struct inode *inode)
{
	return LX_S_ISCHR(inode->mode) && inode->rdev == 0;
}

bool stack_is_opaque(const struct super_block *sb, struct inode *inode)
{
	const struct stack_sb *stack = sb->private;
	char value[2];

	return LX_S_ISDIR(inode->mode) && inode->ops->getxattr &&
	       inode->ops->getxattr(inode, stack->opaque_xattr, value, sizeof(value)) == 1 &&
	       value[0] == 'y';
}

static int real_stat(struct inode *real, struct kstat *ret)
{
	if (real->ops->getattr)
		return real->ops->getattr(real, ret);
	inode_fill_stat(real, ret);
	return 0;
}

/* The same number in two trees must not look like one file. */
static uint64_t number_of(const struct inode *inode, const struct kstat *stat)
{
	const struct dentry *real = stack_real(inode);
	const struct stack_sb *stack = stack_sb(inode);
	const struct super_block *base =
		stack->upper_mount ? stack->upper_mount->sb : stack->lower_mounts[0]->sb;

	return real->sb == base ? stat->ino : stat->ino ^ (real->sb->dev << 40);
}

void stack_sync(struct inode *inode)
{
	struct kstat stat;

	if (real_stat(stack_real(inode)->inode, &stat) < 0)
		return;
	inode->mode = stat.mode;
	inode->uid = stat.uid;
	inode->gid = stat.gid;
	inode->nlink = stat.nlink;
	inode->rdev = stat.rdev;
	inode->size = stat.size;
	inode->ino = number_of(inode, &stat);
	inode->atime = (struct ktime){stat.atime.sec, stat.atime.nsec};
	inode->mtime = (struct ktime){stat.mtime.sec, stat.mtime.nsec};
	inode->ctime = (struct ktime){stat.ctime.sec, stat.ctime.nsec};
}

static const struct inode_ops *ops_for(uint32_t mode)
{
	if (LX_S_ISDIR(mode))
		return &stack_dir_ops;
	if (LX_S_ISREG(mode))
		return &stack_file_inode_ops;
	return LX_S_ISLNK(mode) ? &stack_link_ops : &stack_special_ops;
}

int stack_inode(struct super_block *sb, struct dentry *upper, struct dentry **lowers,
	unsigned lower_count, struct inode **ret)
{
	uint32_t mode = (upper ? upper : lowers[0])->inode->mode;
	struct stack_node *node;
	struct dentry **copy = NULL;
	struct inode *inode;
	int err = 0;

	if (lower_count) {
		copy = calloc(lower_count, sizeof(*copy));
		if (!copy)
			err = -ENOMEM;
	}
	if (err == 0)
		err = inode_new(sb, ops_for(mode), mode, sizeof(*node), &inode);
	if (err < 0) {
		free(copy);
		return err;
	}
	if (lower_count)
		memcpy(copy, lowers, lower_count * sizeof(*copy));
	node = stack_node(inode);
	*node = (struct stack_node){.upper = upper, .lowers = copy, .lower_count = lower_count};
	if (LX_S_ISDIR(mode))
		inode->file_ops = &stack_dir_file_ops;
	stack_sync(inode);
	*ret = inode;
	return 0;
}

static void destroy_inode(struct inode *inode)
{
	struct stack_node *node = stack_node(inode);

	if (node->upper)
		dentry_unref(node->upper);
	for (unsigned i = 0; i < node->lower_count; i++)
		dentry_unref(node->lowers[i]);
	free(node->lowers);
}

/* ---- look-up --------------------------------------------------------------------------------- */

static void drop(struct dentry **dentries, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		dentry_unref(dentries[i]);
}

/* The dentries of @name in the lower trees of @dir that show, into @found. May sleep. */
static int find_lowers(const struct inode *dir, const char *name, bool below_directory,
	struct dentry **found, unsigned *ret_count)
{
	const struct stack_node *node = stack_node(dir);
	unsigned count = 0;

	for (unsigned i = 0; i < node->lower_count; i++) {
		struct dentry *dentry;
		int err = dentry_lookup(node->lowers[i], name, strlen(name), &dentry);

		if (err < 0) {
			drop(found, count);
			return err;
		}
		if (!dentry->inode) {
			dentry_unref(dentry);
			continue;
		}
		/* What is no directory ends the search: it hides the rest, or is hidden. */
		if (stack_is_whiteout(dentry->inode) ||
			((count || below_directory) && !dentry_is_dir(dentry))) {
			dentry_unref(dentry);
			break;
		}
		found[count++] = dentry;
		if (!dentry_is_dir(dentry) || stack_is_opaque(dir->sb, dentry->inode))
			break;
	}
	*ret_count = count;
	return 0;
}

int stack_in_lower(struct inode *dir, const char *name, bool *ret)
{
	_cleanup_free_ struct dentry **found = calloc(stack_sb(dir)->lower_count, sizeof(*found));
	unsigned count;
	int err = found ? find_lowers(dir, name, false, found, &count) : -ENOMEM;

	if (err < 0)
		return err;
	drop(found, count);
	*ret = count > 0;
	return 0;
}

int stack_lookup(struct inode *dir, const char *name, struct inode **ret)
{
	_cleanup_free_ struct dentry **found = calloc(stack_sb(dir)->lower_count, sizeof(*found));
	const struct stack_node *node = stack_node(dir);
	_cleanup_(cleanup_dentry_unref) struct dentry *upper = NULL;
	unsigned count = 0;
	int err = found ? 0 : -ENOMEM;

	if (err == 0 && node->upper)
		err = dentry_lookup(node->upper, name, strlen(name), &upper);
	if (err < 0)
		return err;
	if (upper && !upper->inode)
		dentry_unref(TAKE(upper));
	if (upper && stack_is_whiteout(upper->inode))
		return -ENOENT;
	if (!upper || (dentry_is_dir(upper) && !stack_is_opaque(dir->sb, upper->inode)))
		err = find_lowers(dir, name, upper != NULL, found, &count);
	if (err < 0)
		return err;
	if (!upper && !count)
		return -ENOENT;
	err = stack_inode(dir->sb, upper, found, count, ret);
	if (err < 0)
		drop(found, count);
	else
		(void)TAKE(upper);
	return err;
}

/* ---- attributes ------------------------------------------------------------------------------ */

int stack_getattr(struct inode *inode, struct kstat *ret)
{
	int err = real_stat(stack_real(inode)->inode, ret);

	if (err < 0)
		return err;
	stack_sync(inode);
	ret->dev = inode->sb->dev;
	ret->ino = inode->ino;
	/* A merged directory's count of names would be wrong (overlayfs shows 1). */
	if (LX_S_ISDIR(inode->mode))
		ret->nlink = 1;
	return 0;
}

int stack_setattr(struct inode *inode, const struct iattr *attr)
{
	struct inode *real;
	int err = stack_copy_up(inode);

	if (err < 0)
		return err;
	real = stack_real(inode)->inode;
	if (!real->ops->setattr)
		return -EPERM;
	fiber_mutex_lock(&real->mutex);
	err = real->ops->setattr(real, attr);
	inode_changes(real);
	fiber_mutex_unlock(&real->mutex);
	stack_sync(inode);
	return err;
}

/*
 * ovl_permission(): the caller by the file as it is now, and who mounted it by the real file, so
 * that an overlay gives nobody what its maker does not have. Where a lower file would be written he
 * must be able to read it.
 */
int stack_permission(struct inode *inode, int may, const struct vfs_ctx *ctx)
{
	struct inode *real = stack_real(inode)->inode;
	const struct vfs_ctx maker = {.cred = stack_sb(inode)->cred, .fsize_limit = UINT64_MAX};
	int err;

	stack_sync(inode);
	err = inode_permission_plain(inode, may, ctx->cred);
	if (err < 0)
		return err;
	if (!stack_node(inode)->upper && (may & VFS_MAY_WRITE))
		may = (may & ~VFS_MAY_WRITE) | VFS_MAY_READ;
	return inode_permission(real, may, &maker);
}

static bool is_own_xattr(const char *name)
{
	return strncmp(name, "trusted.overlay.", 16) == 0 ||
	       strncmp(name, "user.overlay.", 13) == 0;
}

ssize_t stack_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	struct inode *real = stack_real(inode)->inode;

	if (is_own_xattr(name))
		return -ENODATA;
	return real->ops->getxattr ? real->ops->getxattr(real, name, value, size) : -EOPNOTSUPP;
}

int stack_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	struct inode *real;
	int err = is_own_xattr(name) ? -EOPNOTSUPP : stack_copy_up(inode);

	if (err < 0)
		return err;
	real = stack_real(inode)->inode;
	return real->ops->setxattr ? real->ops->setxattr(real, name, value, size, flags)
				   : -EOPNOTSUPP;
}

ssize_t stack_listxattr(struct inode *inode, char *list, size_t size)
{
	struct inode *real = stack_real(inode)->inode;
	ssize_t got;
	size_t kept = 0;

	if (!real->ops->listxattr)
		return -EOPNOTSUPP;
	got = real->ops->listxattr(real, list, size);
	if (got <= 0 || !size)
		return got;
	for (size_t at = 0; at < (size_t)got;) {
		size_t length = strnlen(list + at, (size_t)got - at) + 1;

		if (!is_own_xattr(list + at)) {
			memmove(list + kept, list + at, length);
			kept += length;
		}
		at += length;
	}
	return (ssize_t)kept;
}

int stack_removexattr(struct inode *inode, const char *name)
{
	struct inode *real;
	int err = is_own_xattr(name) ? -ENODATA : stack_copy_up(inode);

	if (err < 0)
		return err;
	real = stack_real(inode)->inode;
	return real->ops->removexattr ? real->ops->removexattr(real, name) : -EOPNOTSUPP;
}

/* ---- superblock ------------------------------------------------------------------------------ */

static int stack_statfs(struct super_block *sb, struct lx_statfs *ret)
{
	const struct stack_sb *stack = sb->private;
	struct mount *mount = stack->upper_mount ? stack->upper_mount : stack->lower_mounts[0];
	const struct path path = {.mount = mount, .dentry = mount->root};
	int err = vfs_statfs(&path, ret);

	ret->f_type = OVERLAYFS_MAGIC;
	return err;
}

static void stack_free(struct stack_sb *stack)
{
	if (!stack)
		return;
	if (stack->upper_mount)
		mount_unref(stack->upper_mount);
	for (unsigned i = 0; i < stack->lower_count; i++)
		if (stack->lower_mounts[i])
			mount_unref(stack->lower_mounts[i]);
	free(stack->lower_mounts);
	if (stack->cred)
		cred_unref(stack->cred);
	free(stack);
}

static void stack_release(struct super_block *sb)
{
	stack_free(sb->private);
}

static const struct super_ops stack_super_ops = {
	.destroy_inode = destroy_inode,
	.statfs = stack_statfs,
	.release = stack_release,
};

/* A mount of its own of the tree at @path: it lives on when the guest unmounts its one. */
static int keep_tree(const struct path *path, struct super_block *sb, struct mount **ret)
{
	if (path->dentry->sb->stack_depth >= STACK_DEPTH_MAX)
		return -EINVAL;
	if (path->dentry->sb->stack_depth >= sb->stack_depth)
		sb->stack_depth = path->dentry->sb->stack_depth + 1;
	return mount_copy(path->mount, path->dentry, COPY_PRIVATE, ret);
}

static int make_root(struct super_block *sb, struct stack_sb *stack)
{
	_cleanup_free_ struct dentry **lowers = calloc(stack->lower_count, sizeof(*lowers));
	struct dentry *upper = stack->upper_mount ? dentry_ref(stack->upper_mount->root) : NULL;
	struct inode *root;
	int err;

	if (!lowers) {
		if (upper)
			dentry_unref(upper);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < stack->lower_count; i++)
		lowers[i] = dentry_ref(stack->lower_mounts[i]->root);
	err = stack_inode(sb, upper, lowers, stack->lower_count, &root);
	if (err < 0) {
		drop(lowers, stack->lower_count);
		if (upper)
			dentry_unref(upper);
		return err;
	}
	err = super_block_set_root(sb, root);
	if (err < 0)
		inode_unref(root);
	return err;
}

int stack_new(const struct stack_config *config, const struct cred *cred, struct super_block **ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	struct stack_sb *stack;
	int err = super_block_new(&stack_super_ops, "overlay", OVERLAYFS_MAGIC, &sb);

	if (err < 0)
		return err;
	stack = calloc(1, sizeof(*stack));
	if (!stack)
		return -ENOMEM;
	sb->private = stack;
	stack->cred = cred_ref((struct cred *)(uintptr_t)cred);
	stack->opaque_xattr = config->user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
	stack->lower_mounts = calloc(config->lower_count, sizeof(*stack->lower_mounts));
	if (!stack->lower_mounts)
		return -ENOMEM;
	stack->lower_count = config->lower_count;
	for (unsigned i = 0; i < config->lower_count && err == 0; i++)
		err = keep_tree(&config->lowers[i], sb, &stack->lower_mounts[i]);
	if (err == 0 && config->upper.dentry)
		err = keep_tree(&config->upper, sb, &stack->upper_mount);
	else if (err == 0)
		sb->read_only = sb->read_only_for_ever = true;
	if (err == 0)
		err = make_root(sb, stack);
	if (err < 0)
		return err;
	*ret = TAKE(sb);
	return 0;
}
