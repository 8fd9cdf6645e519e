/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_INTERNAL_H
#define SENTRY_VFS_INTERNAL_H

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "vfs/vfs.h"

/* What the core's files share among themselves. */

/* ---- dentry.c ---- */

/* Borrowed, valid until the caller sleeps or changes the cache; NULL when nothing is cached. */
struct dentry *dcache_peek(struct dentry *parent, const char *name, size_t size);
/* Owned, or NULL when nothing is cached. Does not sleep and does not revalidate. */
struct dentry *dcache_find(struct dentry *parent, const char *name, size_t size);
/*
 * The dentry of @name in the directory @parent, from the cache or the file system; negative ones
 * too. Takes the directory's mutex when it must ask. May sleep. -ENAMETOOLONG, -ENOMEM, I/O errors.
 */
int dentry_lookup(struct dentry *parent, const char *name, size_t size, struct dentry **ret);
/* The same for a caller that holds the directory's mutex. */
int dentry_lookup_locked(struct dentry *parent, const char *name, size_t size, struct dentry **ret);
/* A negative dentry becomes @inode's name; takes over the reference. */
void dentry_instantiate(struct dentry *dentry, struct inode *inode);
/* The name was removed: drops it from the cache, marks it for d_path. */
void dentry_detach(struct dentry *dentry);
/* Gives @dentry another place; what was cached there must have been detached. -ENOMEM changes
 * nothing. */
int dentry_move(struct dentry *dentry, struct dentry *parent, const char *name);
int dentry_exchange(struct dentry *a, struct dentry *b);
bool dentry_is_below(const struct dentry *dentry, const struct dentry *ancestor); /* or equal */
/* An unlinked name below @parent for an O_TMPFILE file. */
int dentry_new_unlinked(struct dentry *parent, struct inode *inode, struct dentry **ret);
int dentry_new_root(struct inode *inode, struct dentry **ret); /* takes over @inode */
/* The last mount of a superblock is gone. */
void dcache_drop_tree(struct super_block *sb);

/* ---- leases.c ---- */

/* Somebody opens the file, or changes its size: waits for those whose leases are in the way. May
 * sleep. -EWOULDBLOCK, -ERESTARTSYS. */
int leases_break(struct inode *inode, bool write, bool nonblock);
void leases_release_file(struct file *file);
void leases_free(struct inode *inode);

/* ---- handle.c ---- */
void inode_handle_free(struct inode *inode);

/* ---- lasting.c ---- */

/* The attributes of @inode change, or may from now on without our hearing of it. */
static inline void inode_changes(struct inode *inode)
{
	if (inode->promised) {
		inode->promised = false;
		vfs_lasting_end_own();
	}
}

/* The names in @sb change, or the permissions of directories. */
void lasting_names_change(struct super_block *sb);

/* Changes of names, after which a superblock is one where they change often. */
#define LASTING_CHANGES 16u

/* A walk stands on a dentry of @sb. */
static inline void lasting_visit(const struct vfs_ctx *ctx, const struct super_block *sb)
{
	if (!ctx->lasting)
		return;
	if (!sb->stable)
		ctx->lasting->fleeting = true;
	if (!sb->plain || sb->names_changed >= LASTING_CHANGES)
		ctx->lasting->narrow = true;
}

/* A walk goes through a directory. */
static inline void lasting_search(const struct vfs_ctx *ctx, const struct inode *dir)
{
	if (ctx->lasting && ((dir->mode & 0111) != 0111 || dir->ops->permission))
		ctx->lasting->narrow = true;
}

/* Goes up with each rename of a directory: a scoped walk that sees it change must not trust "..".
 */
extern uint64_t vfs_rename_count;

static inline bool dentry_is_dir(const struct dentry *dentry)
{
	return dentry->inode && LX_S_ISDIR(dentry->inode->mode);
}

/* ---- mount.c ---- */

/* The topmost mount on @path replaces it, again and again. Takes over and gives back references. */
bool path_cross_mounts(struct path *path);
bool dentry_is_mountpoint(const struct dentry *dentry);
/* Is something mounted there in @ns, or anywhere when that is NULL (is_local_mountpoint())? */
bool mountpoint_is_local(const struct dentry *dentry, const struct mnt_ns *ns);
/* The name is gone: what other namespaces have mounted there goes too (detach_mounts()). */
void mountpoint_release(struct dentry *dentry);
/* What is mounted on @path, borrowed; NULL: nothing. */
struct mount *mount_on(const struct path *path);

/* ---- walk.c ---- */

struct last_component {
	enum last_kind kind;
	bool trailing_slash;
	size_t size;
	char name[LX_NAME_MAX + 1];
};

/*
 * A walk under way. begin, then either finish (all components) or parent (all but the last, which
 * the caller looks up itself and may continue with follow); end frees it, whatever happened.
 */
struct walk {
	const struct vfs_ctx *ctx;
	struct path root, path; /* owned; path is where the walk stands */
	unsigned flags, link_count, depth;
	bool must_be_dir; /* a last component had a trailing slash */
	const char *name; /* what is left of the present string */
	char *body; /* the symlink's text that name points into, owned; NULL: the caller's string */
	uint64_t rename_count;
	struct {
		char *body;
		const char *rest; /* never empty */
	} frames[LX_SYMLOOP_MAX];
};
int walk_begin(struct walk *walk, const struct vfs_ctx *ctx, const struct path *base,
	const char *name, unsigned walk_flags);
int walk_parent(struct walk *walk, struct last_component *ret_last);
/* Goes on from walk_parent() into @link, a child of walk->path. *ret_done: a magic link led to
 * walk->path. */
int walk_follow(struct walk *walk, struct dentry *link, bool *ret_done);
int walk_finish(struct walk *walk);
void walk_end(struct walk *walk);
/* Checks that hold where a walk ends (must be a directory, still below its root). */
int walk_complete(struct walk *walk);

/* ---- attr.c ---- */

/* generic_permission(): mode, owner and capabilities. */
int inode_permission_plain(const struct inode *inode, int may, const struct cred *cred);
/* Mode bits that a write or a change of owner takes away, as an iattr to apply; false when none. */
bool attr_kill_setid(const struct inode *inode, const struct cred *cred, struct iattr *ret);
int inode_truncate_locked(
	struct inode *inode, uint64_t size, const struct vfs_ctx *ctx, bool check_limit);

/* ---- open.c ---- */

/* mkdir and friends: umask, and set-gid is not for outsiders of the group (mode_strip_sgid()). */
uint32_t create_mode(const struct inode *dir, uint32_t mode, const struct vfs_ctx *ctx);
/* May a name be made in @dir? -ENOENT when it was removed. */
int may_create(const struct path *dir, const struct vfs_ctx *ctx);

/* ---- locks.c ---- */
void locks_release_file(struct file *file); /* flock and OFD locks of a file that goes away */
void locks_release_owner(
	struct inode *inode, const void *owner); /* POSIX: a descriptor was closed */
void locks_free(struct inode *inode);

/* ---- fdtable.c / file.c ---- */
int file_flush(struct file *file, const void *lock_owner);

#endif
