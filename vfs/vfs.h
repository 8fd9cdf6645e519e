/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_VFS_H
#define SENTRY_VFS_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/gaddr.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/refcount.h"
#include "base/wait.h"
#include "platform/platform.h"
#include "vfs/ns.h"

/*
 * The virtual file system: superblock -> inode -> dentry -> file (open file description) ->
 * fd_table.
 *
 * As in Linux: an inode is a file, a dentry is a name in a directory (or the knowledge that there
 * is none), a mount puts a superblock's tree on a dentry, a struct path is (mount, dentry), a
 * struct file is what open() made. All kernel code runs on one thread; a function may sleep only
 * where it says so, so state is stable between sleeps. Operations return negative errno.
 */

struct inode;
struct dentry;
struct mount;
struct mnt_ns;
struct file;
struct super_block;
struct uio;
struct kstat;
struct lx_statfs;

/* ---- who asks -------------------------------------------------------------------------------- */

/* Credentials: immutable once shared, replaced as a whole (credentials(7)). */
struct cred {
	struct refcount refs;
	uint32_t uid, gid, euid, egid, suid, sgid, fsuid, fsgid; /* kernel ids */
	struct user_ns *user_ns; /* owned: what the capabilities are about */
	uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding,
		cap_ambient; /* bit n = capability n */
	uint32_t securebits;
	bool no_new_privs;
	struct landlock_domain *landlock; /* owned: vfs/landlock.h; NULL: unrestricted */
	uint32_t group_count;
	uint32_t groups[]; /* sorted */
};
struct cred *cred_ref(struct cred *cred);
void cred_unref(struct cred *cred);
int cred_copy(const struct cred *from, uint32_t group_count,
	struct cred **ret); /* private, groups copied up to the new count */
bool cred_in_group(const struct cred *cred, uint32_t gid); /* fsgid or supplementary */
/*
 * LX_CAP_* in the effective set. In general a capability is about what some user namespace rules
 * over: it counts there and in all namespaces below (capable(), ns_capable(), and for files
 * capable_wrt_inode_uidgid(): their owner and group must have names in the caller's namespace).
 */
bool cred_capable(const struct cred *cred, int capability); /* over the whole sandbox */
bool cred_ns_capable(const struct cred *cred, const struct user_ns *ns, int capability);
bool cred_inode_capable(const struct cred *cred, const struct inode *inode, int capability);
static inline bool cred_own_capable(const struct cred *cred, int capability)
{
	return cred->cap_effective >> capability & 1; /* in the namespace that it is in */
}
/* All ids @uid/@gid, no supplementary groups; every capability for uid 0, none for others. */
int cred_new(uint32_t uid, uint32_t gid, struct cred **ret);
const struct cred *cred_kernel(
	void); /* borrowed: root with every capability, for the kernel's own walks */
DEFINE_CLEANUP(cred_unref, struct cred *)

struct path {
	struct mount *mount;
	struct dentry *dentry;
};
void path_ref(const struct path *path);
void path_unref(struct path *path); /* and clears it; a cleared one is fine */
#define _cleanup_path_ _cleanup_(path_unref)

/* Shared by tasks that were cloned with CLONE_FS. */
struct fs_context {
	struct refcount refs;
	struct path root, cwd; /* owned */
	uint32_t umask;
};
int fs_context_new(
	const struct path *root, const struct path *cwd, uint32_t umask, struct fs_context **ret);
int fs_context_copy(const struct fs_context *from, struct fs_context **ret);
struct fs_context *fs_context_ref(struct fs_context *fs);
void fs_context_unref(struct fs_context *fs);

/* Everything of the calling task that file operations may look at; built on the caller's stack, all
 * borrowed. */
struct vfs_ctx {
	const struct cred *cred;
	struct fs_context *fs;
	uint64_t fsize_limit; /* RLIMIT_FSIZE, bytes; a write beyond it is -EFBIG and sets
			       *fsize_hit when not NULL (SIGXFSZ) */
	bool *fsize_hit;
	const struct mnt_ns *mnt_ns; /* whose mountpoints must stay; NULL: the kernel's own calls */
	void *task; /* the kernel's struct task, for procfs' "self" and file locks' owners; NULL in
		       the kernel's own calls */
	/* The calling thread, through which ioctl() reaches guest memory (platform copy_in,
	 * copy_out); NULL in the kernel's own calls. */
	struct platform_thread *thread;
	struct vfs_lasting *lasting; /* filled in by walks; NULL: nobody wants to know */
};

/*
 * Answers that last. While names and the permissions along them do not change, the outcome of a
 * walk through superblocks that only this kernel changes (sb->stable) stays what it is, and the
 * attributes of an object that nobody has open for writing stay until somebody changes them here.
 * So such an answer may be given again, without a walk, until the next change anywhere: the
 * registered function hears of each.
 */
struct vfs_lasting {
	uint64_t epoch, still; /* when the call began */
	bool fleeting;	       /* the walk came through what changes by itself */
	/* ... or where the caller's identity counts, or names come and go all the time. */
	bool narrow;
};
struct vfs_lasting vfs_lasting_begin(void);
/*
 * At the call's end, without sleeping in between: true when its answer lasts. @path: the object
 * whose attributes are part of the answer, NULL for an answer of the walk alone (-ENOENT).
 */
bool vfs_lasting_promise(const struct vfs_lasting *lasting, const struct path *path);
/*
 * The name @name in @dir and what it stands for, if an answer about that object lasts whether or
 * not links are followed: to be asked for after a walk with @lasting that ended at @dir. -ENOENT;
 * -ELOOP: a link, or something is mounted there; -EAGAIN: it does not last; -ENOMEM, I/O errors.
 * May sleep.
 */
int vfs_lasting_child(const struct vfs_lasting *lasting, const struct path *dir, const char *name,
	struct path *ret);
/* The attributes of what was just opened, for its only user, until he may have written to it. */
bool vfs_lasting_promise_opened(const struct vfs_lasting *lasting, const struct file *file);
/*
 * Whether the outcome of the walk alone is the same for all who have the same root and mounts, and
 * stays it until the registered function hears of a change for @everybody. Narrower than the
 * others: it does not hear of names in superblocks where they change often.
 */
bool vfs_lasting_promise_all(const struct vfs_lasting *lasting);
/* Must not sleep. @everybody: also what was promised to all. */
void vfs_lasting_register(void (*ended)(bool everybody));
/* All that was promised may be otherwise now: mounts, somebody's root. */
void vfs_lasting_end(void);
/* The same but for what was promised to all: somebody's identity or working directory, attributes.
 */
void vfs_lasting_end_own(void);
/* The kernel's own files are in place: from now on it is counted which superblocks' names change.
 */
void vfs_lasting_settle(void);

/* ---- data transfer --------------------------------------------------------------------------- */

/* One read or write's memory: guest segments or kernel memory. Consumed from the front. */
struct uio_segment {
	union {
		gaddr_t guest;
		void *kernel;
	};
	uint64_t size;
};

struct uio {
	struct platform_thread *thread; /* NULL: kernel memory */
	struct uio_segment *segments;	/* borrowed */
	size_t segment_count, segment;	/* current index */
	uint64_t offset;		/* in the current segment */
	uint64_t resid;			/* bytes left, <= LX_MAX_RW_COUNT */
	bool nonblock;	/* RWF_NOWAIT / MSG_DONTWAIT for this transfer, besides O_NONBLOCK */
	bool append;	/* RWF_APPEND */
	bool no_append; /* RWF_NOAPPEND */
	bool no_signal; /* RWF_NOSIGNAL: no SIGPIPE */
	bool spliced;	/* vmsplice(2) from a pipe: O_NONBLOCK and packets do not count */
	/* The guest memory is known to be writable: copies to it may be done on the way back to it.
	 */
	bool deferred;
	bool dsync;
};
void uio_init_kernel(struct uio *uio, struct uio_segment *segment, void *buffer, size_t size);
void uio_init_guest(struct uio *uio, struct uio_segment *segment, struct platform_thread *thread,
	gaddr_t addr, uint64_t size);
/* Both may sleep and return the bytes moved; fewer than asked means an inaccessible guest address
 * (the caller answers -EFAULT when it moved none at all) or that uio was exhausted; -ESRCH when the
 * thread died. */
ssize_t uio_copy_to(struct uio *uio, const void *data, size_t size); /* read(2): kernel -> caller */
ssize_t uio_copy_from(struct uio *uio, void *data, size_t size); /* write(2): caller -> kernel */
/*
 * read(2) of a file's bytes that the kernel need not touch (platform copy_content), for transfers
 * whose copies may be delayed: how many bytes were taken care of, with @before bytes of the same
 * call behind them; -EAGAIN: none, use uio_copy_to(); -EBADF: none, but with a descriptor some. May
 * sleep.
 */
ssize_t uio_copy_content(struct uio *uio, const struct platform_content *content, uint64_t offset,
	uint64_t size, uint64_t before);
/* A number for a platform_content. */
uint64_t uio_content_id(void);
/*
 * write(2): the next @size bytes, when all of them travelled with the call, else NULL. Borrowed
 * until the caller sleeps or copies from or to the guest; uio_skip() consumes them.
 */
const void *uio_at_hand(struct uio *uio, size_t size);
void uio_skip(struct uio *uio, size_t size);
ssize_t uio_zero_to(struct uio *uio, uint64_t size);
void uio_revert(struct uio *uio, uint64_t size); /* un-consumes the last @size bytes */

/* ---- superblock and inode
 * ------------------------------------------------------------------------------------------- */

struct super_ops {
	/* The last inode reference is gone (and nlink may be 0): free @inode's private part.
	 * Required. Must not sleep. */
	void (*destroy_inode)(struct inode *inode);
	/* statfs(2). Missing: zeros with @magic and name length 255. May sleep. */
	int (*statfs)(struct super_block *sb, struct lx_statfs *ret);
	/* syncfs(2). Missing: nothing to write back, success. May sleep. */
	int (*sync)(struct super_block *sb);
	/* The last reference to the superblock is gone. */
	void (*release)(struct super_block *sb);
};

struct super_block {
	struct refcount refs;
	const struct super_ops *ops;
	const char *type; /* "tmpfs", as /proc/filesystems and /proc/mounts name it */
	uint64_t magic;	  /* f_type */
	uint64_t dev;	  /* st_dev, allocated */
	/* File handles (vfs/handle.c): none that can be opened; of files; of numbers alone. */
	enum { HANDLES_NONE, HANDLES_FILES, HANDLES_KERNFS } handles;
	uint32_t block_size;
	bool read_only;		/* EROFS for every change, whatever the mount says */
	bool bind_from_nowhere; /* its objects may be bound though no namespace has it: nsfs */
	bool devices_ok;	/* device nodes count although user_ns is not the first: devpts */
	bool type_must_show;	/* SB_I_USERNS_VISIBLE: proc, sysfs */
	bool read_only_for_ever;
	uint8_t stack_depth; /* of overlays on overlays */
	bool stable; /* names never change behind our back: positive and negative dentries may be
			cached for ever */
	bool plain;  /* and nobody changes them by way of another superblock */
	uint8_t names_changed; /* how often names did, up to LASTING_CHANGES (lasting.c) */
	bool no_missing_names; /* as in proc, the look-up of a missing name fails itself: making
				  one there is -ENOENT before anything else */
	/* Who mounted it: whose ids and devices count in it. Owned; NULL: the first namespace. */
	struct user_ns *user_ns;
	struct dentry *root;  /* owned; super_block_set_root() */
	uint32_t mount_count; /* with the last mount the cached tree goes */
	void *private;
};

struct kstat {
	uint64_t dev, ino, rdev, size, blocks;
	uint32_t mode, nlink, uid, gid, block_size;
	struct {
		int64_t sec;
		uint32_t nsec;
	} atime, mtime, ctime, btime;
	uint32_t attributes, attributes_mask; /* STATX_ATTR_* */
	uint64_t mount_id;
	uint32_t result_mask; /* STATX_* that are valid */
};

struct ktime {
	int64_t sec;
	uint32_t nsec;
};
struct ktime ktime_now(void); /* CLOCK_REALTIME */

/* What setattr changes: `valid` says which. */
#define IATTR_MODE  (1u << 0)
#define IATTR_UID   (1u << 1)
#define IATTR_GID   (1u << 2)
#define IATTR_SIZE  (1u << 3)
#define IATTR_ATIME (1u << 4) /* to .atime */
#define IATTR_MTIME (1u << 5)
#define IATTR_CTIME (1u << 6)
#define IATTR_TOUCH                                                                                \
	(1u << 7) /* with ATIME and MTIME: both to now, which write permission allows              \
		   */
#define IATTR_KILL_SETID (1u << 8) /* from chown(2) */
struct iattr {
	uint32_t valid;
	uint32_t mode, uid, gid;
	uint64_t size;
	struct ktime atime, mtime, ctime;
};

/*
 * Directory operations get the parent inode and a name that is one component, NUL-terminated, <=
 * NAME_MAX, not "." or "..". Permissions, read-only mounts, type checks and dcache updates are the
 * core's; the file system does the change. All may sleep; the core holds dir->mutex (both, in inode
 * order, for rename).
 */
struct inode_ops {
	/* An owned reference, or -ENOENT. Directories only; required there. */
	int (*lookup)(struct inode *dir, const char *name, struct inode **ret_inode);
	/* @mode has the type bits and passed the umask; new inodes start with inode_init_owner().
	 */
	/* Missing slots of these: -EPERM for link/symlink/mknod, -EROFS or -EACCES as fits for the
	 * rest (the core answers -EPERM). */
	int (*create)(struct inode *dir, const char *name, uint32_t mode, const struct cred *cred,
		struct inode **ret_inode);
	int (*mkdir)(struct inode *dir, const char *name, uint32_t mode, const struct cred *cred,
		struct inode **ret_inode);
	int (*mknod)(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
		const struct cred *cred, struct inode **ret_inode);
	int (*symlink)(struct inode *dir, const char *name, const char *target,
		const struct cred *cred, struct inode **ret_inode);
	int (*link)(struct inode *dir, const char *name, struct inode *inode);
	int (*unlink)(struct inode *dir, const char *name, struct inode *inode);
	int (*rmdir)(struct inode *dir, const char *name, struct inode *inode);
	/* @flags: 0 or LX_RENAME_NOREPLACE/EXCHANGE/WHITEOUT; @target is NULL when the new name
	 * does not exist. A whiteout is made by @cred. */
	int (*rename)(struct inode *old_dir, const char *old_name, struct inode *inode,
		struct inode *new_dir, const char *new_name, struct inode *target, unsigned flags,
		const struct cred *cred);
	/* O_TMPFILE: an unlinked regular file. */
	int (*tmpfile)(struct inode *dir, uint32_t mode, const struct cred *cred,
		struct inode **ret_inode);
	/* Symlinks: the target, NUL-terminated, into @buffer of PATH_MAX. Returns its length.
	 * Required there. */
	ssize_t (*readlink)(struct inode *inode, const struct vfs_ctx *ctx, char *buffer);
	/*
	 * Magic links (/proc/PID/fd/N, exe, cwd, root): where the walk goes on, without names.
	 * Owned reference. Missing: an ordinary symlink.
	 */
	int (*follow)(struct inode *inode, const struct vfs_ctx *ctx, struct path *ret_path);
	/* Fills *ret from fresh data. Missing: from the inode's own fields. */
	int (*getattr)(struct inode *inode, struct kstat *ret);
	/* Applies a change that the core has checked. Required where anything can change; missing:
	 * -EPERM. Updates inode fields itself. */
	int (*setattr)(struct inode *inode, const struct iattr *attr);
	/*
	 * Makes the open file: sets file->ops and file->private. Missing: file->ops =
	 * inode->file_ops. FIFOs and devices never get here unless the operation is present:
	 * without it the core calls fifo_open() and device_open().
	 */
	int (*open)(struct inode *inode, struct file *file, const struct vfs_ctx *ctx);
	/* Dcache: is the positive or negative answer still true? 1 yes, 0 ask again. Missing: yes.
	 * Called on each walk, without dir->mutex or with it; must be cheap. May sleep. */
	int (*revalidate)(struct inode *dir, struct dentry *dentry);
	/* Beyond the mode bits (procfs' ptrace-like checks). Missing: the core's check by mode. */
	int (*permission)(struct inode *inode, int may, const struct vfs_ctx *ctx);
	/* xattr(7); @name includes its prefix. Missing: -EOPNOTSUPP. Names of system.* reach
	 * getxattr with @system_names alone. */
	bool system_names;
	ssize_t (*getxattr)(struct inode *inode, const char *name, void *value, size_t size);
	int (*setxattr)(
		struct inode *inode, const char *name, const void *value, size_t size, int flags);
	ssize_t (*listxattr)(struct inode *inode, char *list, size_t size);
	int (*removexattr)(struct inode *inode, const char *name);
};

#define VFS_MAY_EXEC  1
#define VFS_MAY_WRITE 2
#define VFS_MAY_READ  4

struct inode {
	struct refcount refs;
	struct super_block *sb; /* owned reference */
	const struct inode_ops *ops;
	const struct file_ops *file_ops; /* default for open files */
	uint64_t ino;
	uint32_t mode, uid, gid, nlink; /* mode with type bits */
	uint64_t rdev;
	uint64_t size; /* maintained for regular files of memory file systems; others answer by
			  getattr */
	struct ktime atime, mtime, ctime, btime;
	struct fiber_mutex mutex;    /* directory changes; size changes of regular files */
	struct list_head dentries;   /* aliases */
	bool linkable;		     /* O_TMPFILE: link(2) may give it a first name */
	struct list_head marks;	     /* inotify */
	struct file_locks *locks;    /* flock, fcntl: vfs/locks.c; NULL when none */
	struct unix_bound *bound;    /* AF_UNIX socket bound here; NULL else */
	struct pipe *fifo;	     /* while a FIFO is open */
	uint32_t write_count;	     /* open for writing; -ETXTBSY against deny_write_count */
	uint32_t deny_write_count;   /* running executables */
	uint32_t open_count;	     /* open files, those of O_PATH aside */
	struct lease_list *leases;   /* vfs/leases.c; NULL when there never was one */
	struct inode_handle *handle; /* vfs/handle.c; NULL until somebody asked for one */
	uint32_t mnt_ns_number;	     /* a file that holds this mount namespace (nsfs); 0: none */
	bool empty_place;	     /* a directory that is empty for ever: a place to mount on */
	bool immutable;		     /* S_IMMUTABLE: writing is -EPERM for everybody */
	uint32_t attr_flags;	     /* FS_IOC_GETFLAGS */
	uint8_t write_hint;	     /* F_SET_RW_HINT */
	bool promised;		     /* the attributes are part of an answer that lasts */
	void *private;
};
/* A new inode with one reference, a number, nlink 1, times now; the other fields zeroed. */
int inode_new(struct super_block *sb, const struct inode_ops *ops, uint32_t mode,
	size_t private_size, struct inode **ret);
struct inode *inode_ref(struct inode *inode);
void inode_unref(struct inode *inode);
int super_block_new(
	const struct super_ops *ops, const char *type, uint64_t magic, struct super_block **ret);
struct super_block *super_block_ref(struct super_block *sb);
void super_block_unref(struct super_block *sb);
/* Once, by the file system: makes sb->root and takes over the reference to @root on success. */
int super_block_set_root(struct super_block *sb, struct inode *root);
/* As if it were mounted for the kernel's own use (kern_mount()): its root and what is cached of it
 * stay when nobody else has it mounted. */
void super_block_keep(struct super_block *sb);
void super_block_let_go(struct super_block *sb);
DEFINE_CLEANUP(inode_unref, struct inode *)
DEFINE_CLEANUP(super_block_unref, struct super_block *)

/* ---- dentry, mount, path walk
 * --------------------------------------------------------------------------------------- */

struct dentry {
	struct refcount refs;
	struct hash_entry hash; /* by (parent, name) while cached */
	struct dentry *parent;	/* owned; itself for a root */
	struct inode *inode;	/* owned; NULL = negative */
	struct super_block *sb; /* borrowed from the tree */
	struct list_head children, sibling;
	struct list_head alias; /* inode->dentries */
	struct list_head lru;
	struct list_head mounts;   /* mounts on this dentry, any namespace */
	struct dentry *last_found; /* private to dentry.c: a cached child, or NULL */
	bool cached;		   /* private to dentry.c: in the hash table */
	bool unlinked;		   /* the name is gone; d_path adds " (deleted)" */
	uint16_t name_size;
	char *name; /* owned, NUL-terminated */
};
struct dentry *dentry_ref(struct dentry *dentry);
void dentry_unref(struct dentry *dentry);
/* A dentry outside any directory for anonymous files: shown as "pipe:[ino]",
 * "anon_inode:[eventfd]", "/memfd:x (deleted)". */
int dentry_new_anonymous(struct inode *inode, const char *name, struct dentry **ret);
DEFINE_CLEANUP(dentry_unref, struct dentry *)
/* Frees up to @count cached dentries that nobody uses, oldest first (a file system is short of host
 * descriptors). */
void dcache_shrink(size_t count);
/* The file system knows that what is cached for @name (positive or negative) is no longer true. */
void dcache_forget(struct inode *dir, const char *name);

struct mount {
	struct refcount refs;
	struct super_block *sb;	    /* owned */
	struct dentry *root;	    /* owned; may lie below sb->root (bind) */
	struct mount *parent;	    /* borrowed; NULL: the root of a tree */
	struct dentry *mountpoint;  /* owned, in parent */
	struct list_head on_dentry; /* mountpoint->mounts */
	struct list_head children, sibling;
	struct mnt_ns *ns;	/* borrowed; NULL: in none, or no longer in any */
	struct list_head table; /* ns->mounts */
	int id;
	bool read_only, no_exec, no_suid, no_dev, no_symlinks;
	bool no_atime, no_dir_atime, strict_atime;
	uint8_t locked_flags; /* MOUNT_LOCK_*: what its namespace may not take back */
	bool locked;	      /* stays where it is: what is below was hidden by someone else */
	bool unbindable, expiring;
	bool unmounted; /* taken out of its namespace, perhaps still connected to its parent */
	/* mount_namespaces(7), propagation: vfs/mount_peers.c. */
	int peer_group; /* 0: not shared */
	struct list_head peers;
	struct mount *master; /* borrowed; NULL: nobody's slave */
	struct list_head slaves, slave_link;
	unsigned write_count; /* files open for writing through it */
	uint32_t walk;	      /* private to mount_peers.c */
	char *source;	      /* for /proc/mounts */
	char *options;
};
#define MOUNT_LOCK_RDONLY 1
#define MOUNT_LOCK_NOSUID 2
#define MOUNT_LOCK_NODEV  4
#define MOUNT_LOCK_NOEXEC 8
#define MOUNT_LOCK_ATIME  16
/* Attaches @sb at @at (NULL: the first root). Takes a reference of its own. */
int mount_attach(struct super_block *sb, struct dentry *root, const struct path *at,
	const char *source, struct mount **ret);
struct mount *mount_ref(struct mount *mount);
void mount_unref(struct mount *mount);
/* -EBUSY while something is mounted below, or anybody but the mount table holds a reference and not
 * @lazy. */
int mount_detach(struct mount *mount, bool lazy);
/* The mounts of a namespace in the order in which they came, for /proc/mounts; NULL starts.
 * Borrowed. */
struct mount *mount_next(const struct mnt_ns *ns, const struct mount *mount);
/* Is @dentry @ancestor or below it, in one file system? */
bool dentry_within(const struct dentry *dentry, const struct dentry *ancestor);
/* To the topmost of what is mounted on @path. */
void path_to_top(struct path *path);
/* True when something is mounted there (or @path is the root of a mount). */
bool path_is_mountpoint(const struct path *path);

/* Path lookup (path_resolution(7)). */
#define WALK_FOLLOW	(1u << 0) /* follow a final symlink */
#define WALK_DIRECTORY	(1u << 1) /* must be a directory */
#define WALK_EMPTY	(1u << 2) /* "" means the start itself (AT_EMPTY_PATH) */
#define WALK_PARENT	(1u << 3) /* stop before the last component: ret_last */
#define WALK_BENEATH	(1u << 4) /* openat2 RESOLVE_* */
#define WALK_IN_ROOT	(1u << 5)
#define WALK_NO_SYMLINK (1u << 6)
#define WALK_NO_MAGIC	(1u << 7)
#define WALK_NO_XDEV	(1u << 8)
#define WALK_MOUNT	(1u << 9) /* do not cross a mount on the last component */

/*
 * Walks @name from @base (NULL: cwd) to an owned path. At most 40 symlinks (-ELOOP). May sleep.
 * Trailing slashes mean a directory.
 */
int path_walk(const struct vfs_ctx *ctx, const struct path *base, const char *name,
	unsigned walk_flags, struct path *ret_path);
/*
 * For create, unlink, rename: the parent directory and the last component (copied to @ret_name,
 * NAME_MAX+1; "." ".." and "/" are reported through *ret_kind). *ret_trailing_slash when the name
 * ended in '/'.
 */
enum last_kind { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
int path_walk_parent(const struct vfs_ctx *ctx, const struct path *base, const char *name,
	unsigned walk_flags, struct path *ret_parent, char *ret_name, enum last_kind *ret_kind,
	bool *ret_trailing_slash);
/* The name of @path as seen from @root (d_path): "(unreachable)..." and " (deleted)" as in Linux.
 * Returns the length or -ENAMETOOLONG. */
ssize_t path_name(const struct path *path, const struct path *root, char *buffer, size_t size);
/* Only this kernel changes the names that path_name() puts together: an answer that lasts. */
bool path_name_lasts(const struct path *path);
int inode_permission(struct inode *inode, int may, const struct vfs_ctx *ctx);
/* generic_permission(): for inode_ops.permission, which begins with it. */
int inode_permission_by_mode(struct inode *inode, int may, const struct vfs_ctx *ctx);
/*
 * A file of a read-only tree of the host, which no guest can write, not even another one, and which
 * everybody may read who looks for it by its name: what is made of it may be shared by all guests.
 */
bool vfs_file_is_common(const struct file *file);

/* ---- the operations that system calls are made of (all may sleep)
 * ------------------------------------------------------ */

int vfs_open(const struct vfs_ctx *ctx, const struct path *base, const char *name, int flags,
	uint32_t mode, unsigned walk_flags,
	struct file *
		*ret_file); /* LX_O_* flags; includes O_CREAT, O_EXCL, O_TMPFILE, O_PATH, O_TRUNC */
/* Refuses flags that do not fit together and normalises the rest, as vfs_open() does first. */
int vfs_open_flags(int *flags);
int vfs_open_path(const struct vfs_ctx *ctx, const struct path *path, int flags,
	struct file **ret_file); /* an existing object */
int vfs_getattr(const struct path *path, struct kstat *ret);
int vfs_setattr(const struct vfs_ctx *ctx, const struct path *path,
	struct iattr *attr); /* checks ownership, clears set-id bits */
int vfs_truncate(const struct vfs_ctx *ctx, const struct path *path, uint64_t size);
int vfs_mkdir(const struct vfs_ctx *ctx, const struct path *base, const char *name, uint32_t mode);
int vfs_mknod(const struct vfs_ctx *ctx, const struct path *base, const char *name, uint32_t mode,
	uint64_t rdev);
/* As mknod of a socket, and hands out the inode (AF_UNIX bind). */
int vfs_mknod_path(const struct vfs_ctx *ctx, const struct path *base, const char *name,
	uint32_t mode, uint64_t rdev, struct path *ret);
int vfs_symlink(
	const struct vfs_ctx *ctx, const char *target, const struct path *base, const char *name);
int vfs_link(const struct vfs_ctx *ctx, const struct path *old, const struct path *new_base,
	const char *new_name);
int vfs_unlink(const struct vfs_ctx *ctx, const struct path *base, const char *name);
int vfs_rmdir(const struct vfs_ctx *ctx, const struct path *base, const char *name);
int vfs_rename(const struct vfs_ctx *ctx, const struct path *old_base, const char *old_name,
	const struct path *new_base, const char *new_name, unsigned flags);
int vfs_access(const struct vfs_ctx *ctx, const struct path *path, int may);
int vfs_statfs(const struct path *path, struct lx_statfs *ret);
ssize_t vfs_readlink(const struct vfs_ctx *ctx, const struct path *path,
	char *buffer); /* PATH_MAX; -EINVAL: no symlink */
/* Is a @may-write change of this object forbidden by its mount or superblock? 0 or -EROFS. */
int path_check_write(const struct path *path);
bool inode_owner_or_capable(
	const struct inode *inode, const struct cred *cred); /* fsuid owns it, or CAP_FOWNER */

/* xattr(7), with its permission rules. @size 0 asks for the size. */
ssize_t vfs_getxattr(const struct vfs_ctx *ctx, const struct path *path, const char *name,
	void *value, size_t size);
int vfs_setxattr(const struct vfs_ctx *ctx, const struct path *path, const char *name,
	const void *value, size_t size, int flags);
ssize_t vfs_listxattr(const struct vfs_ctx *ctx, const struct path *path, char *list, size_t size);
int vfs_removexattr(const struct vfs_ctx *ctx, const struct path *path, const char *name);

/*
 * inotify(7), dnotify: the core calls vfs_notify() after each change or access, and that calls the
 * inode's marks; @name may be NULL. A mark may take itself off the list.
 */
struct vfs_mark {
	struct list_head on_inode; /* inode->marks */
	void (*event)(struct vfs_mark *mark, uint32_t mask, const char *name, uint32_t cookie);
};
void vfs_notify(struct inode *inode, uint32_t mask, const char *name, uint32_t cookie);
/* For the object itself and, with its name, for the directory it is in (fsnotify_parent). */
void vfs_notify_path(const struct path *path, uint32_t mask);

/* ---- open files ------------------------------------------------------------------------------ */

/* What mmap needs of a file. */
struct file_map {
	uint64_t offset, size; /* page aligned */
	int prot;	       /* LX_PROT_* asked for */
	bool shared;
	int host_fd; /* out: what to map, borrowed until the file is released; its access mode is
			exactly the one granted */
	uint64_t host_offset; /* out */
	uint64_t content;     /* out: as platform_map.content */
	int max_prot;	      /* out: what mprotect may later add */
	bool write_later;     /* out: host_fd cannot be written though max_prot has LX_PROT_WRITE:
				 before the mapping becomes writable, it is asked for and made anew */
};

/* One directory entry; returns false when the buffer is full (the entry is not consumed). */
struct dir_context {
	bool (*emit)(struct dir_context *ctx, const char *name, size_t name_size, uint64_t ino,
		unsigned type, int64_t next_pos);
};

/* file_ops.idle: what a transfer does, wherever the position is and without moving it. */
#define FILE_READS_ZERO	    1u
#define FILE_READS_END	    2u
#define FILE_WRITES_NOTHING 4u

struct file_ops {
	const char *name; /* of the kind, for diagnostics */
	unsigned idle;	  /* FILE_READS_* and so on: nobody but the caller has to do with it */
	/*
	 * Transfer at *pos and advance it. Return bytes, 0 at end, or negative errno; a partial
	 * transfer is a success. Blocking ones honour O_NONBLOCK/uio->nonblock (-EAGAIN) and answer
	 * -ERESTARTSYS when interrupted before any byte. Missing: -EINVAL. May sleep.
	 * @pos is NULL for streams.
	 */
	ssize_t (*read)(struct file *file, struct uio *uio, int64_t *pos);
	ssize_t (*write)(
		struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx);
	/* Missing: -ESPIPE. See file_generic_seek(). */
	int64_t (*seek)(struct file *file, int64_t offset, int whence);
	/* Present state in LX_POLL* bits. Missing: always readable and writable. Must not sleep. */
	uint32_t (*poll)(struct file *file);
	/* The queue that is woken when poll()'s answer may have changed. Missing: it never changes.
	 */
	struct wait_queue *(*poll_queue)(struct file *file);
	/* Missing, or -ENOTTY: unknown request. @task is for guest memory and job control. May
	 * sleep. */
	int64_t (*ioctl)(
		struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx);
	/* Missing: -ENODEV. May sleep. */
	int (*map)(struct file *file, struct file_map *map);
	/* Calls emit for entries from file->pos on and advances file->pos. Missing: -ENOTDIR. May
	 * sleep. */
	int (*read_dir)(struct file *file, struct dir_context *dir);
	/* Missing: success (nothing to write back) for regular files, -EINVAL for others. May
	 * sleep. */
	int (*sync)(struct file *file, bool data_only);
	/* Called with the inode's mutex held. Missing: -EOPNOTSUPP. May sleep. */
	int (*fallocate)(struct file *file, int mode, uint64_t offset, uint64_t size,
		const struct vfs_ctx *ctx);
	/* Each close of a descriptor (posix locks are the core's). Missing: nothing. */
	int (*flush)(struct file *file);
	/* fcntl(F_SETFL) wants to change flags (O_DIRECT, O_ASYNC...). Missing: fine. */
	int (*check_flags)(struct file *file, int flags);
	/* The last reference is gone. Must not sleep; host work that may block goes to a worker.
	 * Missing: nothing to free. */
	void (*release)(struct file *file);
	/* Extra lines for /proc/PID/fdinfo/N (snprintf into the buffer, returns length). Missing:
	 * none. */
	size_t (*show_fdinfo)(struct file *file, char *buffer, size_t size);
};

struct file {
	struct refcount refs;
	const struct file_ops *ops;
	struct path path;    /* owned; mount may be NULL for anonymous files */
	struct inode *inode; /* borrowed from path.dentry */
	int flags;	     /* LX_O_* without the creation flags */
	bool readable, writable;
	bool stream;	/* no position: read/write get pos == NULL */
	bool unordered; /* transfers may wait for others who share the file: no pos_mutex */
	int64_t pos;
	struct fiber_mutex pos_mutex; /* f_pos is atomic across tasks that share the file (POSIX) */
	struct cred *cred;	      /* of the opener, owned */
	struct list_head epoll_entries; /* epoll interest in this file */
	struct {
		int kind;	    /* F_SETOWN_EX */
		int pid;	    /* guest id */
		int signo;	    /* F_SETSIG */
		uint32_t uid, euid; /* of who set it */
	} owner;
	struct mnt_ns *tree; /* owned: an O_PATH file on a tree that is nowhere (open_tree(2)) */
	struct dnotify *dnotify;  /* F_NOTIFY: owned (vfs/anon/dnotify.c); NULL else */
	struct wait_entry *async; /* O_ASYNC: owned, malloc'ed (sentry/sigio.c); NULL else */
	bool deny_write;	  /* holds inode->deny_write_count */
	bool counted_write;	  /* holds inode->write_count */
	bool counted_open;	  /* holds inode->open_count */
	bool no_truncate;	  /* by Landlock, as it was when the file was opened */
	bool no_ioctl;		  /* the same, of a device */
	bool created;		  /* its open made the file (F_CREATED_QUERY) */
	void *private;
};

/* A file with one reference on @path (referenced by the new file). @ops may be NULL to let the
 * inode's open choose. */
int file_new(const struct path *path, const struct file_ops *ops, int flags, struct cred *cred,
	struct file **ret);
/* A file without a name: an inode of the anonymous superblock, named as Linux names it in
 * /proc/PID/fd. */
int file_new_anonymous(const char *name, const struct file_ops *ops, void *private, int flags,
	uint32_t mode, struct file **ret);
/*
 * Opens @inode for the kernel's own use, without a mount and without checks, under an anonymous
 * dentry called @name. It does not count as open for writing. May sleep.
 */
int file_open_kernel(struct inode *inode, const char *name, int flags, struct file **ret);
/* Whether O_DIRECT is possible (FMODE_CAN_ODIRECT): files with contents, opened by a name. */
bool file_can_direct(const struct file *file);
struct file *file_ref(struct file *file);
void file_unref(struct file *file);

ssize_t file_read(
	struct file *file, struct uio *uio, const struct vfs_ctx *ctx); /* at and with f_pos */
ssize_t file_write(struct file *file, struct uio *uio, const struct vfs_ctx *ctx);
ssize_t file_pread(struct file *file, struct uio *uio, int64_t pos, const struct vfs_ctx *ctx);
ssize_t file_pwrite(struct file *file, struct uio *uio, int64_t pos, const struct vfs_ctx *ctx);
bool file_is_stream(const struct file *file); /* pread and pwrite are -ESPIPE */
uint32_t file_poll(struct file *file);
int64_t file_generic_seek(
	struct file *file, int64_t offset, int whence, uint64_t size, uint64_t max_size);
/* A seek operation for files without a position that answers 0 (noop_llseek). */
int64_t file_no_seek(struct file *file, int64_t offset, int whence);
int64_t file_seek(struct file *file, int64_t offset, int whence);
int file_sync(struct file *file, bool data_only);
int file_fallocate(
	struct file *file, int mode, uint64_t offset, uint64_t size, const struct vfs_ctx *ctx);
int file_truncate(struct file *file, uint64_t size, const struct vfs_ctx *ctx);
int file_map(struct file *file, struct file_map *map,
	const struct vfs_ctx *ctx); /* checks the access mode and noexec mounts too */
int file_read_dir(struct file *file, struct dir_context *dir, const struct vfs_ctx *ctx);
/* While held, opening the inode for writing is -ETXTBSY; -ETXTBSY when it is open for writing. Ends
 * with the file. For execve. */
int file_deny_write(struct file *file);
DEFINE_CLEANUP(file_unref, struct file *)

/* Helpers for file systems. */
/* Whether a write goes to the end of the file: by the file's flags or the call's (pwritev2(2)). */
bool file_appends(const struct file *file, const struct uio *uio);
/*
 * What every regular file's write starts with, under inode->mutex: O_APPEND moves *pos to @size;
 * RLIMIT_FSIZE and @max_size bound the write (generic_write_checks); set-id bits go. Returns how
 * many bytes may be written, 0 when there are none, or -errno.
 */
ssize_t file_write_prepare(struct file *file, struct uio *uio, int64_t *pos, uint64_t size,
	uint64_t max_size, const struct vfs_ctx *ctx);
void inode_touch_atime(struct inode *inode); /* relatime; in-memory times only */
/* The same for a file that was read, unless it or its mount says otherwise (touch_atime()). */
void file_touch_atime(struct file *file);
void inode_touch_mtime(struct inode *inode); /* mtime and ctime */
void inode_touch_ctime(struct inode *inode);
/* Emits "." at position 0 and ".." at 1, advancing file->pos; false when the buffer is full. */
bool dir_emit_dots(struct file *file, struct dir_context *dir);
unsigned mode_to_dirent_type(uint32_t mode); /* LX_DT_* */
/* Copies of listings that open directories keep. False: beyond SENTRY_MAX_LISTING_MEMORY. */
bool listing_memory_charge(size_t size);
void listing_memory_uncharge(size_t size);
/* Owner, group (set-gid directories) and mode of a new object in @dir (inode_init_owner). */
void inode_init_owner(
	struct inode *inode, const struct inode *dir, uint32_t mode, const struct cred *cred);
/* What vfs_getattr does without inode_ops.getattr. */
void inode_fill_stat(const struct inode *inode, struct kstat *ret);
/* Applies the attributes but the size to the inode's fields. */
void inode_apply_attr(struct inode *inode, const struct iattr *attr);

/* ---- locks ----------------------------------------------------------------------------------- */

/* flock(2). @operation is LX_LOCK_*; sleeps without LX_LOCK_NB: -ERESTARTSYS. -EWOULDBLOCK,
 * -ENOLCK. */
int file_flock(struct file *file, int operation);

/* A record lock, ranges already absolute: [start, end], end INT64_MAX for "to the end". */
struct record_lock {
	int type; /* LX_F_RDLCK, WRLCK, UNLCK */
	int64_t start, end;
	int pid;	   /* as F_GETLK shows it; -1 for OFD locks */
	const void *owner; /* the fd_table for POSIX locks, the file for OFD locks */
	bool ofd;
};
/* F_SETLK, and F_SETLKW with @wait. -EAGAIN, -EDEADLK, -ENOLCK, -ERESTARTSYS. */
int file_record_lock(struct file *file, const struct record_lock *lock, bool wait);
/* F_GETLK: *lock becomes the first conflicting one, or its type LX_F_UNLCK. */
void file_record_lock_test(struct file *file, struct record_lock *lock);

/* F_SETLEASE: @fd is what the signal names, @pid what /proc/locks shows. 1: there is a new one; 0;
 * -EAGAIN, -EACCES, -EINVAL, -ENOLCK. */
int file_set_lease(struct file *file, int fd, int type, const struct cred *cred, int pid);
int file_get_lease(const struct file *file); /* LX_F_RDLCK, LX_F_WRLCK, LX_F_UNLCK */
/* Tells who has a lease that it is being broken. */
typedef void lease_signal_fn(const struct file *file, int fd);
void lease_register(lease_signal_fn *signal);

/* /proc/locks, one call for each held lock, in a stable order. */
struct lock_info {
	const char *kind;  /* "POSIX", "FLOCK", "OFDLCK", "LEASE" */
	const char *state; /* of a lease: "ACTIVE", "BREAKING"; NULL: of others */
	int type;	   /* LX_F_RDLCK, LX_F_WRLCK; a broken lease LX_F_UNLCK */
	int pid;
	const struct inode *inode;
	int64_t start, end;
};
void locks_for_each(void (*fn)(const struct lock_info *info, void *arg), void *arg);
void leases_for_each(void (*fn)(const struct lock_info *info, void *arg), void *arg);

/* ---- descriptor tables ----------------------------------------------------------------------- */

struct fd_table; /* shared by tasks cloned with CLONE_FILES */
int fd_table_new(struct fd_table **ret);
int fd_table_copy(struct fd_table *from, struct fd_table **ret);
struct fd_table *fd_table_ref(struct fd_table *table);
void fd_table_unref(struct fd_table *table);	    /* the last one closes all */
bool fd_table_shared(const struct fd_table *table); /* does anybody else hold it? */

/* The open file as an owned reference, or NULL (-EBADF). O_PATH files only by fd_get_path. */
struct file *fd_get(struct fd_table *table, int fd);
struct file *fd_get_any(struct fd_table *table, int fd); /* O_PATH files too */
/* Lowest free descriptor >= @min and < @limit (RLIMIT_NOFILE): takes over the caller's reference on
 * success. -EMFILE, -EINVAL. */
int fd_install(struct fd_table *table, struct file *file, int min, uint64_t limit, bool cloexec);
/* What fd_install() would take, limits aside. @min >= 0. */
int fd_lowest_free(const struct fd_table *table, int min);
uint64_t fd_first_used(const struct fd_table *table); /* of the first 64 those in use */
/* dup2-like: replaces what is there (closing it after). Takes over the reference on success. */
int fd_install_at(struct fd_table *table, struct file *file, int fd, uint64_t limit, bool cloexec);
int fd_close(struct fd_table *table, int fd, void *lock_owner); /* flush, posix locks; may sleep */
void fd_close_range(struct fd_table *table, unsigned first, unsigned last, bool set_cloexec_only);
void fd_close_on_exec(struct fd_table *table);
/* Hears of each descriptor that is about to leave a table that is watched. Must not sleep. */
void fd_table_register_taken(void (*taken)(struct fd_table *table, int fd, struct file *file));
void fd_table_watch(struct fd_table *table);
/* Hears of each installation after which a table may be full up to its limit. Must not sleep. */
void fd_table_register_full(void (*full)(void));
bool fd_available(struct fd_table *table, uint64_t limit); /* is a descriptor below @limit free? */
int fd_get_flags(struct fd_table *table, int fd);	   /* FD_CLOEXEC or 0 */
int fd_set_flags(struct fd_table *table, int fd, int flags);
/* First open descriptor >= @fd, or -1: for /proc/PID/fd. */
int fd_next(struct fd_table *table, int fd);

/* ---- file systems ---------------------------------------------------------------------------- */

/* Memory file system; regular files become memfds when they are mapped or grow. @size_limit bytes,
 * @inode_limit: 0 = none. */
int tmpfs_set_size(struct super_block *sb, uint64_t size_limit); /* -EINVAL: in use */
int tmpfs_new(
	uint64_t size_limit, uint64_t inode_limit, uint32_t root_mode, struct super_block **ret);
/* Bytes that all of them, memfds and overlays' upper layers included, may take of the host. */
void tmpfs_set_memory_limit(uint64_t size);
/* Bytes charged to that limit now. */
uint64_t tmpfs_memory_used(void);
/* Reading a mapped file's holes makes pages of them, of which nobody tells: looks at some of the
 * files where that may happen. False: there are none. */
bool tmpfs_recount(void);
/* Bytes beyond the limit, which come from there alone. */
uint64_t tmpfs_memory_excess(void);
/* An unlinked tmpfs file for memfd_create(2) and shared anonymous memory. */
int tmpfs_new_file(
	struct super_block *sb, uint32_t mode, const struct cred *cred, struct inode **ret);
/*
 * Seals (fcntl(2), LX_F_SEAL_*). A new tmpfs file has F_SEAL_SEAL alone, as on Linux:
 * memfd_create(MFD_ALLOW_SEALING) clears it with tmpfs_set_seals(). -EINVAL: not a tmpfs file. add:
 * -EPERM, -EBUSY while a writable shared mapping exists.
 */
int tmpfs_get_seals(const struct inode *inode, unsigned *ret_seals);
int tmpfs_add_seals(struct file *file, unsigned seals);
int tmpfs_set_seals(struct inode *inode, unsigned seals);
/* A tmpfs that is never mounted, for memfds, shared anonymous memory and System V shared memory.
 * Borrowed; made at first use. */
int tmpfs_internal(struct super_block **ret_sb);

/* A directory of the host, given by an open O_PATH descriptor (taken over). Nothing above or
 * outside is reachable. */
int hostfs_new(int root_fd, bool read_only, struct super_block **ret);
struct guard;
/* Before anything is looked up: names to hide and to protect (vfs/guard.h). Both borrowed; @path is
 * the tree's own on the host. */
void hostfs_guard(struct super_block *sb, const struct guard *guard, const char *path);
/*
 * One host file as a mountable root. @fd (taken over) is open for reading, and for writing too
 * unless @read_only: a descriptor cannot be reopened later without /proc.
 */
int hostfs_new_file(int fd, bool read_only, struct super_block **ret);

/*
 * How host owners look in the guest: files of @host_uid show as @guest_uid, all others as they are.
 * Set before the first hostfs is used; the default is the identity.
 */
struct hostfs_owner {
	uint32_t host_uid, host_gid, guest_uid, guest_gid;
	/* The host names no other id to us (a user namespace of one id): they show as root's. */
	bool partial_ids;
};
void hostfs_set_owner(const struct hostfs_owner *owner);

/* @lower (unchanged for ever) below memory. Changes stay above. */
int overlay_new(struct super_block *lower, struct super_block **ret);
/* The same with at most @size_limit bytes of changed data and @inode_limit created or changed
 * files; 0 = no limit. */
int overlay_new_sized(struct super_block *lower, uint64_t size_limit, uint64_t inode_limit,
	struct super_block **ret);

/* Calls @fn for every file that differs from the lower tree (for the summary and --commit). May
 * sleep. */
struct overlay_change {
	enum { OVERLAY_CREATED, OVERLAY_MODIFIED, OVERLAY_DELETED, OVERLAY_METADATA } kind;
	const char *name;    /* relative to the overlay's root */
	struct inode *inode; /* NULL for deleted */
};
int overlay_for_each_change(struct super_block *sb,
	int (*fn)(const struct overlay_change *change, void *arg), void *arg);

/*
 * The overlay that guests mount: directories of theirs. @cred's is who mounts it. The paths are
 * borrowed; a tree of its own is kept of each. -EINVAL: stacked too deep. vfs/stack/
 */
struct stack_config {
	const struct path *lowers; /* topmost first */
	unsigned lower_count;	   /* > 0 */
	struct path upper;	   /* no dentry: read-only */
	bool user_xattr;	   /* its marks are user.overlay.*, not trusted.overlay.* */
};
int stack_new(const struct stack_config *config, const struct cred *cred, struct super_block **ret);

/* /dev: null zero full random urandom tty ptmx pts shm fd stdin stdout stderr. */
int devfs_new(struct super_block **ret);
/* Lets sentry/ add device nodes' behaviour (tty) without vfs knowing it. */
typedef int device_open_fn(struct inode *inode, struct file *file, const struct vfs_ctx *ctx);
int device_register(uint64_t rdev, device_open_fn *open);
int device_open(struct inode *inode, struct file *file,
	const struct vfs_ctx *ctx); /* -ENXIO: nobody registered the number */
/* What opening a FIFO does (vfs/anon); -ENXIO until it is registered. */
void fifo_register(device_open_fn *open);
int fifo_open(struct inode *inode, struct file *file, const struct vfs_ctx *ctx);

/* A guest's view of a host descriptor that the launcher handed over (stdin, stdout, stderr): @fd is
 * taken over. */
int hostfd_file_new(int fd, int flags, struct file **ret);
/*
 * What all of standard output and error may take. @hit is called when a write wanted more; it must
 * not sleep. The write gets what was left, and what comes after it -ENOSPC.
 */
void output_limit(uint64_t size, void (*hit)(void));
/* Takes up to @size bytes of the limit; what was then not written is given back. */
uint64_t output_take(uint64_t size);
void output_give_back(uint64_t size);
/* Bytes taken. */
uint64_t output_size(void);

#endif
