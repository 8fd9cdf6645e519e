/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_OVERLAY_PRIVATE_H
#define SENTRY_VFS_OVERLAY_PRIVATE_H

#include "abi/limits.h"
#include "vfs/vfs.h"

/*
 * A lower tree that never changes, with changes in memory above it.
 *
 * There is one overlay inode for each file, from its first look-up until it is forgotten, whatever
 * happens to its data: it refers to the lower inode it came from (if any) and to a tmpfs inode that
 * holds the data once they changed. Numbers and st_dev therefore never change, and an open file
 * sees a copy-up that somebody else caused.
 *
 * A directory is its lower inode (if any), seen through a table of entries: a name in the table is
 * either an inode or a whiteout, and hides what the lower directory has under that name. Since an
 * entry points to an overlay inode and that one to a lower inode, renaming a lower directory is a
 * whiteout and an entry: nothing below it is copied.
 *
 * The identity of a lower file is its lower inode: hard links below meet in one overlay inode. An
 * overlay inode that has a lower one and was changed is *pinned*: it stays in memory, since only it
 * knows of the change.
 */

struct ovl_entry {
	struct hash_entry hash; /* in ovl_node.entries, by name */
	struct list_head link;	/* in ovl_node.entry_list, oldest first */
	struct inode *inode;	/* owned; NULL: a whiteout */
	bool hides_lower;	/* the lower directory has this name */
	char name[];
};

enum ovl_backing { OVL_LOWER, OVL_UPPER_READ, OVL_UPPER_WRITE, OVL_BACKINGS };

struct ovl_node {
	struct inode *inode;	 /* borrowed: whose private part this is */
	struct inode *lower;	 /* owned; NULL: made in memory */
	struct inode *upper;	 /* owned: changed or new data of a regular file */
	struct hash_entry hash;	 /* in ovl_super.by_lower while lower */
	struct list_head pinned; /* in ovl_super.pinned, which then owns a reference */
	struct inode *xattrs; /* owned: a memory file that keeps the extended attributes; or NULL */
	bool changed_data, changed_attr;

	/* One of its names: where look-up found it or where it was put. For reporting changes. */
	struct inode *parent;	/* owned; NULL: the root, or unlinked */
	char *name;		/* owned */
	struct list_head child; /* in the parent's children */

	/* Regular files. */
	struct file *files[OVL_BACKINGS]; /* owned, while opens > 0 */
	unsigned opens;

	/* Symbolic links made in memory. */
	char *target; /* owned */

	/* Directories. */
	struct hash_table entries;
	struct list_head entry_list;
	struct list_head children; /* inodes that name this one as their parent */
	bool changed_below;	   /* something below may have changed */
};

struct ovl_super {
	struct super_block *sb;
	struct super_block *lower; /* owned */
	struct super_block *upper; /* owned: a tmpfs that is never mounted */
	struct hash_table by_lower;
	struct list_head pinned;
	struct list_head all; /* every overlay: they are reachable while they have changes */
	uint64_t next_ino, inode_count, inode_limit;
};

/* Numbers of new files start where no host file system is likely to have any. */
#define OVL_FIRST_INO (1ull << 62)

static inline struct ovl_super *ovl_super(const struct super_block *sb)
{
	return sb->private;
}

static inline struct ovl_node *ovl_node(const struct inode *inode)
{
	return inode->private;
}

/* ---- node.c ---------------------------------------------------------------------------------- */

/* The overlay inode for @lower (borrowed), found or made. Owned result. May sleep (attributes). */
int ovl_node_for_lower(struct super_block *sb, struct inode *lower, struct inode **ret);
/* A new inode without a name. @dir gives a set-gid directory's group; may be NULL. -ENOSPC at the
 * limit. */
int ovl_node_new(struct super_block *sb, const struct inode *dir, uint32_t mode,
	const struct cred *cred, struct inode **ret);
void ovl_destroy_inode(struct inode *inode);
/* Remembers a name, if there is none or @force. A shortage of memory only costs the name in
 * reports. */
void ovl_node_set_name(struct inode *inode, struct inode *parent, const char *name, bool force);
void ovl_node_clear_name(struct inode *inode);
/* Before a change: keeps the inode in memory and marks the way to it. */
void ovl_node_pin(struct inode *inode);
/* The last name is gone: the change matters no longer. */
void ovl_node_unpin(struct inode *inode);
/*
 * Makes node->upper with the first @size bytes of the data (copied in turns of 128 KiB). The caller
 * holds inode->mutex. May sleep. -ENOSPC, -ENOMEM, -EIO.
 */
int ovl_copy_up(struct inode *inode, uint64_t size);
/* Takes over size, times and mode after the upper inode was written. */
void ovl_node_sync(struct inode *inode);

/* ---- xattr.c --------------------------------------------------------------------------------- */

ssize_t ovl_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int ovl_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags);
ssize_t ovl_listxattr(struct inode *inode, char *list, size_t size);
int ovl_removexattr(struct inode *inode, const char *name);

/* ---- dir.c ----------------------------------------------------------------------------------- */

struct ovl_entry *ovl_entry_find(const struct inode *dir, const char *name);
int ovl_lookup(struct inode *dir, const char *name, struct inode **ret);
/*
 * Calls @fn for each name in @dir as the guest sees it, "." and ".." left out; ends early when it
 * returns an error, which is the result. May sleep; changes meanwhile may or may not be seen.
 */
typedef int ovl_name_fn(void *arg, const char *name, uint64_t ino, unsigned type);
int ovl_for_each_name(struct inode *dir, ovl_name_fn *fn, void *arg);

extern const struct inode_ops ovl_dir_ops, ovl_file_inode_ops, ovl_symlink_ops, ovl_special_ops;
extern const struct file_ops ovl_dir_file_ops, ovl_file_ops;

int ovl_getattr(struct inode *inode, struct kstat *ret);
int ovl_setattr(struct inode *inode, const struct iattr *attr);

#endif
