/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_MOUNT_PRIVATE_H
#define SENTRY_VFS_MOUNT_PRIVATE_H

#include "vfs/internal.h"
#include "vfs/mnt_ns.h"

/* What mount.c, mount_tree.c, mount_ops.c and mount_peers.c share. */

static inline bool mount_is_shared(const struct mount *mount)
{
	return mount->peer_group != 0;
}

/* ---- mount.c ---- */

/* Hangs @mount (with its tree) onto @dentry of @parent. */
void mount_link(struct mount *mount, struct mount *parent, struct dentry *dentry);
/* Takes it off its parent; the tree below stays with it. */
void mount_unlink(struct mount *mount);
/* Enters it, not its tree, into a namespace's table. */
void mount_enter_ns(struct mount *mount, struct mnt_ns *ns);
void mount_leave_ns(struct mount *mount);
/* How many more there may be. */
unsigned mounts_left(void);

/* ---- mount_tree.c: copies of trees ---- */

#define COPY_UNBINDABLE	     1u /* those too */
#define COPY_PRIVATE	     2u
#define COPY_SLAVE	     4u /* slaves of the originals */
#define COPY_SHARED	     8u /* peers of the originals, or of their own */
#define COPY_SHARED_TO_SLAVE 16u
#define COPY_NAMESPACE	     32u /* for a new one: files of mount namespaces stay behind */

int mount_copy(struct mount *from, struct dentry *root, unsigned how, struct mount **ret);
/* The part of the tree at @dentry of @top. -EINVAL, -EPERM, -ENOSPC, -ENOMEM. */
int mount_copy_tree(struct mount *top, struct dentry *dentry, unsigned how, struct mount **ret);
/* Frees a tree that never was in a namespace. */
void mount_drop_tree(struct mount *top);
unsigned mount_tree_count(struct mount *top);
/* Those in a less privileged namespace may neither loosen nor lift what is copied for them. */
void mount_lock_tree(struct mount *top);

/* ---- mount_peers.c: propagation ---- */

int mount_new_group(void);
void mount_make(struct mount *mount, enum mount_propagation type);
/* All that gets a copy of what is mounted on @mount, each master before its slaves. *ret is
 * malloc'ed. -ENOMEM. */
int mount_receivers(struct mount *mount, struct mount ***ret, size_t *ret_count);
/*
 * Copies of @source for the receivers of @dest that have @dentry: *ret is a malloc'ed array of
 * trees in no namespace, each with its receiver. -ENOMEM, -ENOSPC.
 */
struct mount_copy_for {
	struct mount *receiver, *copy;
};
int mount_propagate(struct mount *dest, struct dentry *dentry, struct mount *source,
	struct mount_copy_for **ret, size_t *ret_count);

#endif
