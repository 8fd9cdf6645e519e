/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_HOSTFS_PRIVATE_H
#define SENTRY_VFS_HOSTFS_PRIVATE_H

#include <sys/vfs.h>

#include "abi/limits.h"
#include "base/loop.h"
#include "vfs/vfs.h"

struct statx;

/*
 * What the files of hostfs share.
 *
 * An inode stands for one (device, inode number) of the host and remembers one of its names: the
 * parent inode and the last component. Its host path, relative to the superblock's root descriptor,
 * is put together when it is needed, so that no inode costs a descriptor.
 */

/* A directory's names as read at one time: records in the host's struct linux_dirent64 format, "."
 * and ".." left out. */
struct host_snapshot {
	unsigned refs;
	bool kept; /* counted against the bound on cached listings */
	size_t size;
	char *records; /* owned */
};

enum host_slot { HOST_READ, HOST_WRITE, HOST_READ_WRITE, HOST_SLOTS }; /* = O_ACCMODE values */

struct host_super {
	int root_fd; /* O_PATH directory; or the file itself when single_file */
	bool single_file;
	bool reads_never_block; /* a memory file system: plain reads are done inline */
	struct statfs statfs;	/* as of the start, or of the last statfs on a writable mount */
	struct hash_table nodes;
	const struct guard *guard; /* borrowed; NULL: no name is hidden or protected */
	const char *guard_path;	   /* borrowed: the root's own path on the host */
};

struct host_node {
	struct inode *inode;	/* borrowed: whose private part this is */
	struct hash_entry hash; /* by (host_dev, ino) */
	uint64_t host_dev;
	uint64_t content_id; /* 0: none yet */
	uint64_t blocks;
	uint32_t block_size;
	struct inode *parent;		/* owned; NULL: the root, or no name is known (unlinked) */
	char *name;			/* owned; NULL like parent */
	char *target;			/* owned: a symlink's target on a stable tree, else NULL */
	int fds[HOST_SLOTS];		/* owned, -1: not open */
	unsigned users;			/* open files */
	struct list_head idle;		/* on the list of nodes with descriptors but no users */
	struct host_snapshot *snapshot; /* stable trees: the cached listing */
	/* Of a file with several names: the rule that protects one that was looked up. */
	const char *protected_by;
};

static inline struct host_super *host_super(const struct super_block *sb)
{
	return sb->private;
}

static inline struct host_node *host_node(const struct inode *inode)
{
	return inode->private;
}

/* ---- host.c: the host calls that name a file ------------------------------------------------- */

/* Runs @fn on a helper thread, or at once when the caller is no fiber (during start-up). */
int64_t host_blocking(worker_fn *fn, void *arg);
/*
 * The same for what takes some 100 us at most unless it waits for a disk: at once, as long as that
 * went well lately. One wait in a while is the price for not handing everything to a helper, whose
 * wake-up costs more than most of this work.
 */
int64_t host_mostly_quick(worker_fn *fn, void *arg);
/* Whether host_mostly_quick() would do it at once, without sleeping. */
bool host_is_quick(void);
/*
 * openat2(2) below @root_fd without symlinks and magic links: first from the host's caches, then on
 * a helper thread. @path is not empty; "." is the root. Returns a descriptor or negative errno. May
 * sleep.
 */
int host_open(int root_fd, const char *path, int flags, uint32_t mode);
/* The same on the calling thread, for code that is on a helper thread already. */
int host_open_here(int root_fd, const char *path, int flags, uint32_t mode);
/* Writes the inode's path below the root descriptor ("." for the root). -ENAMETOOLONG, -ENOENT when
 * it has no name. */
int host_path(const struct inode *inode, char path[LX_PATH_MAX]);
/* The path of @name in @dir. */
int host_child_path(const struct inode *dir, const char *name, char path[LX_PATH_MAX]);
/* statx(2) of an open descriptor, O_PATH included. */
int host_stat(int fd, struct statx *ret);
/* statx(2) of @name, one component, in the directory @dir_fd; a symlink is not followed. May sleep.
 */
int host_stat_at(int dir_fd, const char *name, struct statx *ret);
/* A 128 KiB transfer buffer; NULL when out of memory. */
#define HOST_BUFFER_SIZE (128 * 1024ul)
void *host_buffer_get(void);
void host_buffer_put(void *buffer);

/* ---- node.c ---------------------------------------------------------------------------------- */

/* The inode for what @fd (O_PATH or open) refers to, found or made; @parent/@name become its name
 * when it has none. */
int host_node_get(
	struct super_block *sb, int fd, struct inode *parent, const char *name, struct inode **ret);
/* The inode of @name in @dir, of which @dir_fd is a descriptor. May sleep. */
int host_node_get_at(int dir_fd, struct inode *dir, const char *name, struct inode **ret);
/* Copies attributes from the host's answer. */
void host_node_update(struct inode *inode, const struct statx *stat);
/* A guest's owner in the host's numbers. */
uint32_t host_owner_uid(uint32_t guest_uid);
uint32_t host_owner_gid(uint32_t guest_gid);
/* Forgets the name (unlinked), or takes another one. -ENOMEM leaves the old name. */
void host_node_detach(struct inode *inode);
int host_node_rename(struct inode *inode, struct inode *parent, const char *name);
/* Makes fds[slot] valid and counts a user. May sleep. */
int host_node_open(struct inode *inode, enum host_slot slot);
/* What an open file needs, by its access mode. */
enum host_slot host_node_slot(const struct file *file);
/* The descriptor that serves an open file. Borrowed. */
int host_node_fd(const struct file *file);
/* Takes over a read-write descriptor of a file that was just made. */
void host_node_keep(struct inode *inode, int fd);
/* Counts a user without opening anything: what is open stays open until host_node_close(). */
void host_node_hold(struct inode *inode);
/* Some open descriptor of the inode for calls that any will do for, or -1. Borrowed. */
int host_node_any_fd(const struct host_node *node);
/* Drops a user; descriptors of idle nodes are kept up to a bound. Does not sleep. */
void host_node_close(struct inode *inode);
/* An owned O_PATH descriptor of the inode, checked to be the same file. May sleep. */
int host_node_open_path(struct inode *inode);
int host_getattr(struct inode *inode, struct kstat *ret);
void hostfs_destroy_inode(struct inode *inode);
void host_snapshot_unref(struct host_snapshot *snapshot);

/* ---- xattr.c --------------------------------------------------------------------------------- */

ssize_t hostfs_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int hostfs_setxattr(
	struct inode *inode, const char *name, const void *value, size_t size, int flags);
ssize_t hostfs_listxattr(struct inode *inode, char *list, size_t size);
int hostfs_removexattr(struct inode *inode, const char *name);

/* ---- guarded.c ------------------------------------------------------------------------------- */

/* -ENOENT, and the user is told, when the guest is not to see what was found as @name in @dir. */
int host_may_show(const struct inode *dir, const char *name, struct inode *inode);
/* Is the name left out of a listing? @type is a dirent's. */
bool host_hides_entry(const struct inode *dir, const char *name, unsigned type);
/*
 * -EACCES, and the user is told, when the name in @dir must not be made, removed or moved (to or
 * from there), or the object not be changed. @mode has the type bits. @what is a verb.
 */
int host_may_make(const struct inode *dir, const char *name, uint32_t mode, const char *what);
int host_may_remove(const struct inode *dir, const char *name, uint32_t mode);
int host_may_move(const struct inode *dir, const char *name, uint32_t mode);
/* @way_is_fine: also a directory on the way to protected names is let pass. */
int host_may_change(const struct inode *inode, const char *what, bool way_is_fine);

extern const struct inode_ops hostfs_dir_ops, hostfs_dir_ops_rw;
extern const struct inode_ops hostfs_file_inode_ops, hostfs_file_inode_ops_rw;
extern const struct inode_ops hostfs_symlink_ops, hostfs_symlink_ops_rw;
extern const struct file_ops hostfs_file_ops, hostfs_dir_file_ops;

int hostfs_lookup(struct inode *dir, const char *name, struct inode **ret);
void hostfs_lookup_forget(const struct inode *dir); /* it goes away */
ssize_t hostfs_readlink(struct inode *inode, const struct vfs_ctx *ctx, char *buffer);
int hostfs_revalidate(struct inode *dir, struct dentry *dentry);
int hostfs_open_dir(struct inode *inode, struct file *file, const struct vfs_ctx *ctx);
int hostfs_open_file(struct inode *inode, struct file *file, const struct vfs_ctx *ctx);

#endif
