/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_STACK_PRIVATE_H
#define SENTRY_VFS_STACK_PRIVATE_H

#include "vfs/internal.h"
#include "vfs/mnt_ns.h"

/*
 * The overlay file system that guests mount (Documentation/filesystems/overlayfs): directories of
 * theirs below, one of theirs on top that takes all changes. (vfs/overlay/ is another thing: host
 * files below, memory on top, for the sandbox's own view.)
 *
 * An inode of ours stands for one or more dentries of those trees: `upper`, once it is there, has
 * the attributes and data; else the first of `lowers`. Only directories have more than one. What is
 * deleted below is hidden by a whiteout in the upper tree, a character device 0:0; an opaque
 * directory (an extended attribute) hides all below.
 *
 * Locks: ours first, then those of the real inodes, of which one at a time is held but in rename.
 */
struct stack_sb {
	struct mount *upper_mount;   /* owned, of no namespace; NULL: read-only */
	struct mount **lower_mounts; /* owned */
	unsigned lower_count;
	struct cred *cred; /* owned: of who mounted it; whiteouts are his */
	const char *opaque_xattr;
};

struct stack_node {
	struct dentry *upper;	/* owned; NULL: not copied up */
	struct dentry **lowers; /* owned, topmost first */
	unsigned lower_count;
};

static inline struct stack_node *stack_node(const struct inode *inode)
{
	return inode->private;
}

static inline struct stack_sb *stack_sb(const struct inode *inode)
{
	return inode->sb->private;
}

static inline struct dentry *stack_real(const struct inode *inode)
{
	const struct stack_node *node = stack_node(inode);

	return node->upper ? node->upper : node->lowers[0];
}

bool stack_is_whiteout(const struct inode *inode);
bool stack_is_opaque(const struct super_block *sb, struct inode *inode);
/* Fresh attributes from the real file. */
void stack_sync(struct inode *inode);
/* Makes our inode for those dentries, whose references it takes over (@lowers is copied). */
int stack_inode(struct super_block *sb, struct dentry *upper, struct dentry **lowers,
	unsigned lower_count, struct inode **ret);
int stack_lookup(struct inode *dir, const char *name, struct inode **ret);
/* Is @name in the lower trees of @dir? */
int stack_in_lower(struct inode *dir, const char *name, bool *ret);
/* Brings @inode into the upper tree, with all directories above. The caller may hold its mutex. */
int stack_copy_up(struct inode *inode);

int stack_permission(struct inode *inode, int may, const struct vfs_ctx *ctx);
int stack_getattr(struct inode *inode, struct kstat *ret);
int stack_setattr(struct inode *inode, const struct iattr *attr);
ssize_t stack_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int stack_setxattr(
	struct inode *inode, const char *name, const void *value, size_t size, int flags);
ssize_t stack_listxattr(struct inode *inode, char *list, size_t size);
int stack_removexattr(struct inode *inode, const char *name);

extern const struct inode_ops stack_dir_ops, stack_file_inode_ops, stack_link_ops,
	stack_special_ops;
extern const struct file_ops stack_dir_file_ops;

#endif
