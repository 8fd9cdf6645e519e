/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, removing and renaming names: the checks of kernel fs/namei.c, in its order; the file
 * system does the change.
 *
 * Locks: a directory's mutex is held while its names change. Renames between directories first take
 * the rename mutex, which keeps the tree's shape still, and then both directories, an ancestor
 * before its descendant; removing a directory takes parent, then child. So no two holders can wait
 * for each other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/inotify.h"
#include "vfs/internal.h"
#include "vfs/landlock.h"

static struct fiber_mutex *rename_mutex(void)
{
	static struct fiber_mutex mutex;
	static bool ready;

	if (!ready) {
		fiber_mutex_init(&mutex);
		ready = true;
	}
	return &mutex;
}

/* Walks to the parent of @name. */
static int lookup_parent(const struct vfs_ctx *ctx, const struct path *base, const char *name,
	struct path *ret_parent, struct last_component *ret_last)
{
	struct walk walk;
	int err = walk_begin(&walk, ctx, base, name, 0);

	if (err >= 0)
		err = walk_parent(&walk, ret_last);
	if (err >= 0) {
		*ret_parent = walk.path;
		walk.path = (struct path){0};
	}
	walk_end(&walk);
	return err;
}

/* ---- new names ---- */

struct creation {
	struct path parent;    /* owned */
	struct dentry *dentry; /* owned, negative */
	struct inode *dir;     /* borrowed; its mutex is held */
};

static void create_end(struct creation *creation)
{
	if (creation->dir)
		fiber_mutex_unlock(&creation->dir->mutex);
	if (creation->dentry)
		dentry_unref(creation->dentry);
	path_unref(&creation->parent);
}

/* filename_create() and the checks that all makers share. create_end() also after a failure. */
static int create_begin(struct creation *creation, const struct vfs_ctx *ctx,
	const struct path *base, const char *name, bool directory)
{
	struct last_component last;
	int err;

	*creation = (struct creation){0};
	err = lookup_parent(ctx, base, name, &creation->parent, &last);
	if (err < 0)
		return err;
	if (last.kind != LAST_NORM)
		return -EEXIST;
	creation->dir = creation->parent.dentry->inode;
	fiber_mutex_lock(&creation->dir->mutex);
	err = dentry_lookup_locked(
		creation->parent.dentry, last.name, last.size, &creation->dentry);
	if (err < 0)
		return err;
	if (creation->dentry->inode)
		return -EEXIST;
	if (creation->dir->sb->no_missing_names)
		return -ENOENT;
	if (last.trailing_slash && !directory)
		return -ENOENT;
	return path_check_write(&creation->parent);
}

static void create_done(struct creation *creation, struct inode *inode, bool directory)
{
	dentry_instantiate(creation->dentry, inode);
	lasting_names_change(creation->dir->sb);
	vfs_notify(creation->dir, LX_IN_CREATE | (directory ? LX_IN_ISDIR : 0),
		creation->dentry->name, 0);
}

int vfs_mkdir(const struct vfs_ctx *ctx, const struct path *base, const char *name, uint32_t mode)
{
	_cleanup_(create_end) struct creation creation;
	struct inode *inode, *dir;
	int err = create_begin(&creation, ctx, base, name, true);

	if (err >= 0)
		err = landlock_check(ctx, &creation.parent, LX_LANDLOCK_ACCESS_FS_MAKE_DIR);
	if (err >= 0)
		err = may_create(&creation.parent, ctx);
	if (err < 0)
		return err;
	dir = creation.dir;
	if (!dir->ops->mkdir)
		return -EPERM;
	mode = create_mode(dir, LX_S_IFDIR | (mode & 01777), ctx);
	err = dir->ops->mkdir(dir, creation.dentry->name, mode, ctx->cred, &inode);
	if (err >= 0)
		create_done(&creation, inode, true);
	return err;
}

int vfs_mknod_path(const struct vfs_ctx *ctx, const struct path *base, const char *name,
	uint32_t mode, uint64_t rdev, struct path *ret)
{
	_cleanup_(create_end) struct creation creation;
	struct inode *inode, *dir;
	int err;

	err = create_begin(&creation, ctx, base, name, false);
	if (err >= 0)
		err = landlock_check(ctx, &creation.parent, landlock_make_right(mode));
	if (err >= 0)
		err = may_create(&creation.parent, ctx);
	if (err < 0)
		return err;
	dir = creation.dir;
	if (!(mode & LX_S_IFMT))
		mode |= LX_S_IFREG;
	/* Character device 0:0 is a whiteout, which anybody may make. */
	if ((LX_S_ISBLK(mode) || (LX_S_ISCHR(mode) && rdev)) &&
		!cred_capable(ctx->cred, LX_CAP_MKNOD))
		return -EPERM;
	mode = create_mode(dir, mode, ctx);
	if (LX_S_ISREG(mode))
		err = dir->ops->create ? dir->ops->create(dir, creation.dentry->name, mode,
						 ctx->cred, &inode)
				       : -EACCES;
	else
		err = dir->ops->mknod ? dir->ops->mknod(dir, creation.dentry->name, mode, rdev,
						ctx->cred, &inode)
				      : -EPERM;
	if (err < 0)
		return err;
	create_done(&creation, inode, false);
	if (ret) {
		*ret = (struct path){creation.parent.mount, creation.dentry};
		path_ref(ret);
	}
	return 0;
}

int vfs_mknod(const struct vfs_ctx *ctx, const struct path *base, const char *name, uint32_t mode,
	uint64_t rdev)
{
	return vfs_mknod_path(ctx, base, name, mode, rdev, NULL);
}

int vfs_symlink(
	const struct vfs_ctx *ctx, const char *target, const struct path *base, const char *name)
{
	_cleanup_(create_end) struct creation creation = {0};
	struct inode *inode, *dir;
	int err;

	if (!*target)
		return -ENOENT;
	err = create_begin(&creation, ctx, base, name, false);
	if (err >= 0)
		err = landlock_check(ctx, &creation.parent, LX_LANDLOCK_ACCESS_FS_MAKE_SYM);
	if (err >= 0)
		err = may_create(&creation.parent, ctx);
	if (err < 0)
		return err;
	dir = creation.dir;
	if (!dir->ops->symlink)
		return -EPERM;
	err = dir->ops->symlink(dir, creation.dentry->name, target, ctx->cred, &inode);
	if (err >= 0)
		create_done(&creation, inode, false);
	return err;
}

int vfs_link(const struct vfs_ctx *ctx, const struct path *old, const struct path *new_base,
	const char *new_name)
{
	_cleanup_(create_end) struct creation creation;
	struct inode *inode = old->dentry->inode, *dir;
	struct path old_parent; /* borrowed */
	int err = create_begin(&creation, ctx, new_base, new_name, false);

	if (err < 0)
		return err;
	dir = creation.dir;
	if (old->mount != creation.parent.mount)
		return -EXDEV;
	old_parent = (struct path){.mount = old->mount, .dentry = old->dentry->parent};
	err = landlock_check_refer(ctx, &(const struct landlock_refer){.old_parent = &old_parent,
						.new_parent = &creation.parent,
						.new_right = landlock_make_right(inode->mode),
						.child = inode});
	if (err >= 0)
		err = may_create(&creation.parent, ctx);
	if (err < 0)
		return err;
	if (inode->sb != dir->sb)
		return -EXDEV;
	if (!dir->ops->link || LX_S_ISDIR(inode->mode))
		return -EPERM;
	if (inode->nlink == 0 && !inode->linkable)
		return -ENOENT;
	if (inode->nlink >= LX_LINK_MAX)
		return -EMLINK;
	err = dir->ops->link(dir, creation.dentry->name, inode);
	if (err < 0)
		return err;
	inode->linkable = false;
	vfs_notify(inode, LX_IN_ATTRIB, NULL, 0);
	create_done(&creation, inode_ref(inode), false);
	return 0;
}

/* ---- removal ---- */

/* may_delete() */
static int may_delete(const struct path *parent, const struct dentry *victim, bool directory,
	const struct vfs_ctx *ctx)
{
	struct inode *dir = parent->dentry->inode;
	const struct cred *cred = ctx->cred;
	int err;

	if (!victim->inode)
		return -ENOENT;
	err = inode_permission(dir, VFS_MAY_WRITE | VFS_MAY_EXEC, ctx);
	if (err < 0)
		return err;
	if ((dir->mode & LX_S_ISVTX) && cred->fsuid != victim->inode->uid &&
		cred->fsuid != dir->uid && !cred_inode_capable(cred, victim->inode, LX_CAP_FOWNER))
		return -EPERM;
	if (directory != LX_S_ISDIR(victim->inode->mode))
		return directory ? -ENOTDIR : -EISDIR;
	if (parent->dentry->unlinked)
		return -ENOENT;
	return 0;
}

static void removed(struct inode *dir, struct dentry *dentry, bool directory)
{
	struct inode *inode = dentry->inode;

	vfs_notify(dir, LX_IN_DELETE | (directory ? LX_IN_ISDIR : 0), dentry->name, 0);
	if (!directory)
		vfs_notify(inode, LX_IN_ATTRIB, NULL, 0);
	dentry_detach(dentry);
	mountpoint_release(dentry);
}

int vfs_unlink(const struct vfs_ctx *ctx, const struct path *base, const char *name)
{
	_cleanup_(create_end) struct creation removal = {0};
	struct last_component last;
	struct dentry *dentry;
	int err;

	err = lookup_parent(ctx, base, name, &removal.parent, &last);
	if (err < 0)
		return err;
	if (last.kind != LAST_NORM)
		return -EISDIR;
	err = path_check_write(&removal.parent);
	if (err < 0)
		return err;
	removal.dir = removal.parent.dentry->inode;
	fiber_mutex_lock(&removal.dir->mutex);
	err = dentry_lookup_locked(removal.parent.dentry, last.name, last.size, &removal.dentry);
	if (err < 0)
		return err;
	dentry = removal.dentry;
	if (!dentry->inode)
		return -ENOENT;
	if (last.trailing_slash)
		return LX_S_ISDIR(dentry->inode->mode) ? -EISDIR : -ENOTDIR;
	err = landlock_check(ctx, &removal.parent, LX_LANDLOCK_ACCESS_FS_REMOVE_FILE);
	if (err >= 0)
		err = may_delete(&removal.parent, dentry, false, ctx);
	if (err < 0)
		return err;
	if (!removal.dir->ops->unlink)
		return -EPERM;
	if (mountpoint_is_local(dentry, ctx->mnt_ns))
		return -EBUSY;
	err = removal.dir->ops->unlink(removal.dir, dentry->name, dentry->inode);
	if (err >= 0)
		removed(removal.dir, dentry, false);
	return err;
}

int vfs_rmdir(const struct vfs_ctx *ctx, const struct path *base, const char *name)
{
	_cleanup_(create_end) struct creation removal = {0};
	struct last_component last;
	struct inode *victim;
	int err;

	err = lookup_parent(ctx, base, name, &removal.parent, &last);
	if (err < 0)
		return err;
	if (last.kind == LAST_DOTDOT)
		return -ENOTEMPTY;
	if (last.kind == LAST_DOT)
		return -EINVAL;
	if (last.kind == LAST_ROOT)
		return -EBUSY;
	err = path_check_write(&removal.parent);
	if (err < 0)
		return err;
	removal.dir = removal.parent.dentry->inode;
	fiber_mutex_lock(&removal.dir->mutex);
	err = dentry_lookup_locked(removal.parent.dentry, last.name, last.size, &removal.dentry);
	if (err < 0)
		return err;
	if (!removal.dentry->inode)
		return -ENOENT;
	err = landlock_check(ctx, &removal.parent, LX_LANDLOCK_ACCESS_FS_REMOVE_DIR);
	if (err >= 0)
		err = may_delete(&removal.parent, removal.dentry, true, ctx);
	if (err < 0)
		return err;
	if (!removal.dir->ops->rmdir)
		return -EPERM;
	if (mountpoint_is_local(removal.dentry, ctx->mnt_ns))
		return -EBUSY;
	victim = removal.dentry->inode;
	fiber_mutex_lock(&victim->mutex);
	err = removal.dir->ops->rmdir(removal.dir, removal.dentry->name, victim);
	if (err >= 0)
		removed(removal.dir, removal.dentry, true);
	fiber_mutex_unlock(&victim->mutex);
	return err;
}

/* ---- rename ---- */

struct renaming {
	const struct vfs_ctx *ctx;
	struct path old_parent, new_parent; /* owned */
	struct last_component old_last, new_last;
	struct dentry *old, *new;     /* owned */
	struct fiber_mutex *locks[2]; /* held, in this order */
	bool tree_locked;
	unsigned flags;
};

static void rename_end(struct renaming *r)
{
	for (int i = 1; i >= 0; i--)
		if (r->locks[i])
			fiber_mutex_unlock(r->locks[i]);
	if (r->tree_locked)
		fiber_mutex_unlock(rename_mutex());
	if (r->old)
		dentry_unref(r->old);
	if (r->new)
		dentry_unref(r->new);
	path_unref(&r->old_parent);
	path_unref(&r->new_parent);
}

/* lock_rename() */
static void rename_lock(struct renaming *r)
{
	struct dentry *a = r->old_parent.dentry, *b = r->new_parent.dentry;

	if (a->inode == b->inode) {
		r->locks[0] = &a->inode->mutex;
		fiber_mutex_lock(r->locks[0]);
		return;
	}
	fiber_mutex_lock(rename_mutex());
	r->tree_locked = true;
	if (dentry_is_below(a, b)) {
		struct dentry *t = a;

		a = b;
		b = t;
	}
	r->locks[0] = &a->inode->mutex;
	fiber_mutex_lock(r->locks[0]);
	r->locks[1] = &b->inode->mutex;
	fiber_mutex_lock(r->locks[1]);
}

/* do_renameat2()'s checks of the two names. */
static int rename_lookup(struct renaming *r)
{
	bool exchange = r->flags & LX_RENAME_EXCHANGE, moved;
	int err;

	err = dentry_lookup_locked(
		r->old_parent.dentry, r->old_last.name, r->old_last.size, &r->old);
	if (err < 0)
		return err;
	if (!r->old->inode)
		return -ENOENT;
	err = dentry_lookup_locked(
		r->new_parent.dentry, r->new_last.name, r->new_last.size, &r->new);
	if (err < 0)
		return err;
	if ((r->flags & LX_RENAME_NOREPLACE) && r->new->inode)
		return -EEXIST;
	if (exchange) {
		if (!r->new->inode)
			return -ENOENT;
		if (!dentry_is_dir(r->new) && r->new_last.trailing_slash)
			return -ENOTDIR;
	}
	if (!dentry_is_dir(r->old) &&
		(r->old_last.trailing_slash || (!exchange && r->new_last.trailing_slash)))
		return -ENOTDIR;
	moved = r->old_parent.dentry != r->new_parent.dentry;
	if (moved && dentry_is_below(r->new_parent.dentry, r->old))
		return -EINVAL;
	if (moved && dentry_is_below(r->old_parent.dentry, r->new))
		return exchange ? -EINVAL : -ENOTEMPTY;
	return 0;
}

/* security_path_rename() */
static int rename_landlock(const struct renaming *r)
{
	struct inode *source = r->old->inode, *target = r->new->inode;
	bool exchange = r->flags & LX_RENAME_EXCHANGE;
	const struct landlock_refer refer = {
		.old_parent = &r->old_parent,
		.new_parent = &r->new_parent,
		.old_right = landlock_remove_right(source) |
			     (exchange ? landlock_make_right(target->mode) : 0),
		.new_right = landlock_make_right(source->mode) | landlock_remove_right(target),
		.child = source,
		.exchanged = exchange ? target : NULL,
	};

	return landlock_check_refer(r->ctx, &refer);
}

/* vfs_rename()'s checks. */
static int rename_permission(const struct renaming *r)
{
	struct inode *source = r->old->inode, *target = r->new->inode;
	bool is_dir = LX_S_ISDIR(source->mode), exchange = r->flags & LX_RENAME_EXCHANGE;
	int err = may_delete(&r->old_parent, r->old, is_dir, r->ctx);

	if (err < 0)
		return err;
	if (!target)
		err = may_create(&r->new_parent, r->ctx);
	else
		err = may_delete(&r->new_parent, r->new,
			exchange ? LX_S_ISDIR(target->mode) : is_dir, r->ctx);
	if (err < 0)
		return err;
	if (!r->old_parent.dentry->inode->ops->rename)
		return -EPERM;
	if (r->old_parent.dentry != r->new_parent.dentry) {
		/* ".." changes: that writes to the directory itself. */
		if (is_dir)
			err = inode_permission(source, VFS_MAY_WRITE, r->ctx);
		if (err >= 0 && exchange && LX_S_ISDIR(target->mode))
			err = inode_permission(target, VFS_MAY_WRITE, r->ctx);
		if (err < 0)
			return err;
	}
	if (mountpoint_is_local(r->old, r->ctx->mnt_ns) ||
		mountpoint_is_local(r->new, r->ctx->mnt_ns))
		return -EBUSY;
	return 0;
}

static void rename_notify(const struct renaming *r, const char *old_name, struct inode *source,
	struct inode *replaced)
{
	static uint32_t cookie;
	uint32_t dir_bit = LX_S_ISDIR(source->mode) ? LX_IN_ISDIR : 0;

	if (++cookie == 0)
		cookie = 1;
	vfs_notify(r->old_parent.dentry->inode, LX_IN_MOVED_FROM | dir_bit, old_name, cookie);
	vfs_notify(r->new_parent.dentry->inode, LX_IN_MOVED_TO | dir_bit, r->new_last.name, cookie);
	vfs_notify(source, LX_IN_MOVE_SELF, NULL, 0);
	if (replaced)
		vfs_notify(replaced, LX_IN_ATTRIB, NULL, 0);
}

/* The change itself, in the file system and then in the cache. */
static int rename_apply(struct renaming *r)
{
	struct inode *old_dir = r->old_parent.dentry->inode;
	struct inode *new_dir = r->new_parent.dentry->inode;
	struct inode *source = r->old->inode, *target = r->new->inode;
	bool exchange = r->flags & LX_RENAME_EXCHANGE;
	bool lock_target = target && LX_S_ISDIR(target->mode) && !exchange;
	int err;

	if (lock_target)
		fiber_mutex_lock(&target->mutex);
	err = old_dir->ops->rename(old_dir, r->old_last.name, source, new_dir, r->new_last.name,
		target, r->flags, r->ctx->cred);
	if (lock_target)
		fiber_mutex_unlock(&target->mutex);
	if (err < 0)
		return err;
	if (exchange) {
		/* Without memory for the names the cache forgets both. */
		if (dentry_exchange(r->old, r->new) < 0) {
			dentry_detach(r->old);
			dentry_detach(r->new);
		}
		rename_notify(r, r->old_last.name, source, NULL);
		rename_notify(r, r->new_last.name, target, NULL);
		return 0;
	}
	dentry_detach(r->new);
	mountpoint_release(r->new);
	rename_notify(r, r->old_last.name, source, target);
	if (dentry_move(r->old, r->new_parent.dentry, r->new_last.name) < 0)
		dentry_detach(r->old);
	return 0;
}

int vfs_rename(const struct vfs_ctx *ctx, const struct path *old_base, const char *old_name,
	const struct path *new_base, const char *new_name, unsigned flags)
{
	_cleanup_(rename_end) struct renaming r = {.ctx = ctx, .flags = flags};
	int err;

	if (flags & ~(LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE | LX_RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & LX_RENAME_EXCHANGE) && (flags & (LX_RENAME_NOREPLACE | LX_RENAME_WHITEOUT)))
		return -EINVAL;
	err = lookup_parent(ctx, old_base, old_name, &r.old_parent, &r.old_last);
	if (err < 0)
		return err;
	err = lookup_parent(ctx, new_base, new_name, &r.new_parent, &r.new_last);
	if (err < 0)
		return err;
	if (r.old_parent.mount != r.new_parent.mount)
		return -EXDEV;
	if (r.old_last.kind != LAST_NORM)
		return -EBUSY;
	if (r.new_last.kind != LAST_NORM)
		return flags & LX_RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	err = path_check_write(&r.old_parent);
	if (err < 0)
		return err;
	rename_lock(&r);
	err = rename_lookup(&r);
	if (err >= 0)
		err = rename_landlock(&r);
	if (err < 0)
		return err;
	if (r.old->inode == r.new->inode)
		return 0; /* two names of one file: nothing happens (rename(2)) */
	err = rename_permission(&r);
	return err < 0 ? err : rename_apply(&r);
}
