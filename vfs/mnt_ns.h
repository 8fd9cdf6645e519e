/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_MNT_NS_H
#define SENTRY_VFS_MNT_NS_H

#include "vfs/vfs.h"

/*
 * Mount namespaces (mount_namespaces(7)) and what mount(2) and its relatives do to their trees.
 * Nothing here sleeps unless it says so: names are resolved first, then the tree is looked at and
 * changed in one go.
 */
struct mnt_ns {
	struct ns ns;
	struct mount *root;	 /* its place in the tree is its reference; NULL: empty */
	struct list_head mounts; /* mount.table */
	unsigned count;
	bool anonymous; /* of a tree that is not mounted anywhere: open_tree(2), fsmount(2) */
};
extern struct mnt_ns mnt_ns_first;

static inline struct mnt_ns *mnt_ns_of(struct ns *ns)
{
	return container_of(ns, struct mnt_ns, ns);
}

/* Properties of a mount as mount(2) and mount_setattr(2) give them. */
struct mount_flags {
	bool read_only, no_exec, no_suid, no_dev, no_symlinks;
	bool no_atime, no_dir_atime, strict_atime;
};

enum mount_propagation {
	MOUNT_PRIVATE,
	MOUNT_SHARED,
	MOUNT_SLAVE,
	MOUNT_UNBINDABLE,
};

/*
 * A copy of @from for @user_ns; the paths of @fs (NULL: nobody's) that lead into the old tree lead
 * into the new one after it. -ENOSPC, -ENOMEM.
 */
int mnt_ns_copy(
	struct mnt_ns *from, struct user_ns *user_ns, struct fs_context *fs, struct mnt_ns **ret);
/* One without a name, for a tree of its own: takes over the mount's reference. */
int mnt_ns_new_anonymous(struct user_ns *user_ns, struct mount *root, struct mnt_ns **ret);

/* A mount that is nowhere: one reference, private. */
int mount_new(struct super_block *sb, struct dentry *root, const char *source, struct mount **ret);
void mount_get_flags(const struct mount *mount, struct mount_flags *ret);
void mount_set_flags(struct mount *mount, const struct mount_flags *flags);

/* do_add_mount(): takes over @mount's reference on success. -EINVAL, -EBUSY, -ENOTDIR, -ENOENT. */
int mount_add(struct mount *mount, const struct path *at, const struct mnt_ns *ns);
/* MS_BIND */
int mount_bind(
	const struct path *from, bool recursive, const struct path *at, const struct mnt_ns *ns);
/* OPEN_TREE_CLONE: a copy in an anonymous namespace. */
int mount_clone_tree(const struct path *from, bool recursive, const struct mnt_ns *ns,
	struct user_ns *user_ns, struct mnt_ns **ret);
/* MS_MOVE, move_mount(2). */
int mount_move(const struct path *from, const struct path *to, const struct mnt_ns *ns);
/* MS_SHARED and relatives. */
int mount_change_propagation(const struct path *at, enum mount_propagation type, bool recursive,
	const struct mnt_ns *ns);
/* MS_REMOUNT | MS_BIND. -EPERM: locked; -EBUSY: files are open for writing. */
int mount_change_flags(
	const struct path *at, const struct mount_flags *flags, const struct mnt_ns *ns);
/* Whether @flags may be given to it (can_change_locked_flags()). */
bool mount_may_change_flags(const struct mount *mount, const struct mount_flags *flags);
/* umount2(2); @flags: LX_MNT_*. The caller has a reference by @at. */
int mount_umount(
	const struct path *at, unsigned flags, const struct vfs_ctx *ctx, const struct mnt_ns *ns);
/* pivot_root(2). What the caller has to do after it: roots and working directories that are *root.
 */
int mount_pivot_root(const struct path *new_root, const struct path *put_old,
	const struct path *root, const struct mnt_ns *ns);
/* Takes a whole tree out of its namespace. */
void mount_umount_tree(struct mount *top, bool propagate, bool connected);

/* The mount after @mount in the tree below @top, depth first; NULL at the end. */
struct mount *mount_tree_next(struct mount *mount, const struct mount *top);
/* Is the tree of @sb's kind shown whole somewhere in @ns, with at least these restrictions?
 * (mnt_already_visible()) */
bool mount_type_visible(
	const struct mnt_ns *ns, const struct super_block *sb, const struct mount_flags *flags);

#endif
