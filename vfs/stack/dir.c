/* SPDX-License-Identifier: Apache-2.0 */
/* Directories: changes of names, and listings that merge the trees. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/dirent.h"
#include "abi/fcntl.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "vfs/stack/stack_private.h"

/* ---- names in the upper tree; its directory's mutex is held --------------------------------- */

static int remove_name(struct dentry *parent, struct dentry *dentry)
{
	struct inode *dir = parent->inode;
	bool is_dir = dentry_is_dir(dentry);
	int err;

	if (is_dir ? !dir->ops->rmdir : !dir->ops->unlink)
		return -EPERM;
	if (is_dir)
		fiber_mutex_lock(&dentry->inode->mutex);
	err = (is_dir ? dir->ops->rmdir : dir->ops->unlink)(dir, dentry->name, dentry->inode);
	if (err >= 0)
		dentry_detach(dentry);
	if (is_dir)
		fiber_mutex_unlock(&dentry->inode->mutex);
	return err;
}

static int make_whiteout(const struct inode *own_dir, struct dentry *parent, const char *name)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	struct inode *dir = parent->inode, *made;
	int err = dentry_lookup_locked(parent, name, strlen(name), &dentry);

	if (err < 0)
		return err;
	if (dentry->inode)
		return stack_is_whiteout(dentry->inode) ? 0 : -EIO;
	if (!dir->ops->mknod)
		return -EPERM;
	err = dir->ops->mknod(dir, name, LX_S_IFCHR, 0, stack_sb(own_dir)->cred, &made);
	if (err < 0)
		return err;
	dentry_instantiate(dentry, made);
	lasting_names_change(dir->sb);
	return 0;
}

/* A free name in the upper tree: a whiteout there goes. *ret is owned and negative. */
static int free_name(
	struct dentry *parent, const char *name, struct dentry **ret, bool *ret_was_whiteout)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	int err = dentry_lookup_locked(parent, name, strlen(name), &dentry);

	*ret_was_whiteout = false;
	if (err == 0 && dentry->inode) {
		if (!stack_is_whiteout(dentry->inode))
			return -EIO;
		err = remove_name(parent, dentry);
		*ret_was_whiteout = true;
		dentry_unref(TAKE(dentry));
		if (err == 0)
			err = dentry_lookup_locked(parent, name, strlen(name), &dentry);
	}
	if (err < 0)
		return err;
	*ret = TAKE(dentry);
	return 0;
}

static int set_opaque(const struct inode *own_dir, struct inode *real)
{
	if (!real->ops->setxattr)
		return -EOPNOTSUPP;
	return real->ops->setxattr(real, stack_sb(own_dir)->opaque_xattr, "y", 1, 0);
}

/* ---- making ---------------------------------------------------------------------------------- */

struct wanted {
	uint32_t mode;
	uint64_t rdev;
	const char *target;
	struct inode *link_to; /* real */
	const struct cred *cred;
};

static int make_real(
	struct inode *dir, const char *name, const struct wanted *wanted, struct inode **ret)
{
	const struct inode_ops *ops = dir->ops;

	if (wanted->link_to) {
		int err = ops->link ? ops->link(dir, name, wanted->link_to) : -EPERM;

		if (err >= 0)
			*ret = inode_ref(wanted->link_to);
		return err;
	}
	if (wanted->target)
		return ops->symlink ? ops->symlink(dir, name, wanted->target, wanted->cred, ret)
				    : -EPERM;
	if (LX_S_ISDIR(wanted->mode))
		return ops->mkdir ? ops->mkdir(dir, name, wanted->mode, wanted->cred, ret) : -EPERM;
	if (LX_S_ISREG(wanted->mode))
		return ops->create ? ops->create(dir, name, wanted->mode, wanted->cred, ret)
				   : -EPERM;
	return ops->mknod ? ops->mknod(dir, name, wanted->mode, wanted->rdev, wanted->cred, ret)
			  : -EPERM;
}

static int make(
	struct inode *dir, const char *name, const struct wanted *wanted, struct inode **ret)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	struct dentry *parent;
	struct inode *made;
	bool hid;
	int err = stack_copy_up(dir);

	if (err < 0)
		return err;
	parent = stack_node(dir)->upper;
	fiber_mutex_lock(&parent->inode->mutex);
	err = free_name(parent, name, &dentry, &hid);
	if (err == 0)
		err = make_real(parent->inode, name, wanted, &made);
	if (err == 0) {
		dentry_instantiate(dentry, made);
		lasting_names_change(parent->sb);
		if (hid && LX_S_ISDIR(wanted->mode))
			err = set_opaque(dir, made);
	}
	if (err < 0 && hid)
		(void)make_whiteout(dir, parent, name);
	fiber_mutex_unlock(&parent->inode->mutex);
	if (err == 0 && ret)
		err = stack_inode(dir->sb, dentry, NULL, 0, ret);
	if (err == 0 && ret)
		(void)TAKE(dentry);
	stack_sync(dir);
	return err;
}

static int stack_create(struct inode *dir, const char *name, uint32_t mode, const struct cred *cred,
	struct inode **ret)
{
	const struct wanted wanted = {.mode = LX_S_IFREG | (mode & 07777), .cred = cred};

	return make(dir, name, &wanted, ret);
}

static int stack_mkdir(struct inode *dir, const char *name, uint32_t mode, const struct cred *cred,
	struct inode **ret)
{
	const struct wanted wanted = {.mode = LX_S_IFDIR | (mode & 07777), .cred = cred};

	return make(dir, name, &wanted, ret);
}

static int stack_mknod(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
	const struct cred *cred, struct inode **ret)
{
	const struct wanted wanted = {.mode = mode, .rdev = rdev, .cred = cred};

	/* It would be taken for a whiteout. */
	if (LX_S_ISCHR(mode) && !rdev)
		return -EPERM;
	return make(dir, name, &wanted, ret);
}

static int stack_symlink(struct inode *dir, const char *name, const char *target,
	const struct cred *cred, struct inode **ret)
{
	const struct wanted wanted = {.mode = LX_S_IFLNK, .target = target, .cred = cred};

	return make(dir, name, &wanted, ret);
}

static int stack_link(struct inode *dir, const char *name, struct inode *inode)
{
	struct wanted wanted = {.mode = inode->mode};
	int err = stack_copy_up(inode);

	if (err < 0)
		return err;
	wanted.link_to = stack_node(inode)->upper->inode;
	err = make(dir, name, &wanted, NULL);
	stack_sync(inode);
	return err;
}

static int stack_tmpfile(
	struct inode *dir, uint32_t mode, const struct cred *cred, struct inode **ret)
{
	_cleanup_(cleanup_inode_unref) struct inode *made = NULL;
	struct dentry *parent, *dentry;
	int err = stack_copy_up(dir);

	if (err < 0)
		return err;
	parent = stack_node(dir)->upper;
	if (!parent->inode->ops->tmpfile)
		return -EOPNOTSUPP;
	fiber_mutex_lock(&parent->inode->mutex);
	err = parent->inode->ops->tmpfile(parent->inode, mode, cred, &made);
	fiber_mutex_unlock(&parent->inode->mutex);
	if (err == 0)
		err = dentry_new_unlinked(parent, made, &dentry);
	if (err < 0)
		return err;
	err = stack_inode(dir->sb, dentry, NULL, 0, ret);
	if (err < 0)
		dentry_unref(dentry);
	return err;
}

/* ---- listings -------------------------------------------------------------------------------- */

struct listed {
	struct listed *next;
	struct hash_entry hash;
	uint64_t ino;
	uint8_t type;
	bool whiteout;
	char name[];
};

struct listing {
	struct hash_table names;
	struct listed *first, **last;
	size_t size;		   /* charged */
	const struct listed *next; /* where the last reading ended, and its position (0: nowhere) */
	int64_t next_pos;
};

#define NAMES_TURN 1000 /* before others have a turn */

static void listing_clear(struct listing *listing)
{
	struct listed *entry = listing->first;

	while (entry) {
		struct listed *next = entry->next;

		hash_remove(&listing->names, &entry->hash);
		free(entry);
		entry = next;
	}
	hash_fini(&listing->names);
	listing_memory_uncharge(listing->size);
	*listing = (struct listing){0};
}

struct collect {
	struct dir_context ctx;
	struct listing *listing;
	struct dentry *dir;
	unsigned turn; /* names since the last one */
	int err;
};

static bool collect_name(struct dir_context *ctx, const char *name, size_t size, uint64_t ino,
	unsigned type, int64_t next_pos)
{
	struct collect *collect = container_of(ctx, struct collect, ctx);
	struct listing *listing = collect->listing;
	uint64_t hash = hash_bytes(name, size);
	size_t cost = sizeof(struct listed) + size + 1;
	struct listed *entry;

	if (++collect->turn > NAMES_TURN)
		return false;
	if ((size == 1 && name[0] == '.') || (size == 2 && name[0] == '.' && name[1] == '.'))
		return true;
	hash_for_each_match(entry, &listing->names, hash, hash)
	{
		if (strlen(entry->name) == size && memcmp(entry->name, name, size) == 0)
			return true; /* an upper tree's hides it */
	}
	if (!listing_memory_charge(cost)) {
		collect->err = -ENOMEM;
		return false;
	}
	listing->size += cost;
	entry = calloc(1, cost);
	collect->err = entry ? hash_insert(&listing->names, &entry->hash, hash) : -ENOMEM;
	if (collect->err < 0) {
		free(entry);
		return false;
	}
	memcpy(entry->name, name, size);
	entry->ino = ino;
	entry->type = (uint8_t)type;
	/* Settled below: the look-up needs the directory's mutex. */
	entry->whiteout = type == LX_DT_CHR;
	if (!listing->last)
		listing->last = &listing->first;
	*listing->last = entry;
	listing->last = &entry->next;
	return true;
}

static int collect_dir(struct listing *listing, struct dentry *dir)
{
	struct collect collect = {.ctx.emit = collect_name, .listing = listing, .dir = dir};
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct listed **before = listing->last ? listing->last : &listing->first;
	int err = file_open_kernel(dir->inode, "layer", LX_O_RDONLY | LX_O_DIRECTORY, &file);

	while (err == 0) {
		int64_t at = file->pos;

		fiber_mutex_lock(&dir->inode->mutex);
		err = file->ops->read_dir ? file->ops->read_dir(file, &collect.ctx) : -ENOTDIR;
		fiber_mutex_unlock(&dir->inode->mutex);
		if (collect.err < 0)
			return collect.err;
		if (file->pos == at)
			break;
		collect.turn = 0;
		if (fiber_current())
			fiber_yield();
	}
	for (struct listed *entry = *before; err == 0 && entry; entry = entry->next) {
		_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;

		if (!entry->whiteout)
			continue;
		err = dentry_lookup(dir, entry->name, strlen(entry->name), &dentry);
		entry->whiteout = err == 0 && dentry->inode && stack_is_whiteout(dentry->inode);
	}
	return err;
}

static int listing_make(const struct inode *dir, struct listing *listing)
{
	const struct stack_node *node = stack_node(dir);
	int err = node->upper ? collect_dir(listing, node->upper) : 0;

	for (unsigned i = 0; i < node->lower_count && err == 0; i++)
		err = collect_dir(listing, node->lowers[i]);
	return err;
}

static int check_empty(const struct inode *dir)
{
	struct listing listing = {0};
	int err = listing_make(dir, &listing);

	for (struct listed *entry = listing.first; err == 0 && entry; entry = entry->next)
		if (!entry->whiteout)
			err = -ENOTEMPTY;
	listing_clear(&listing);
	return err;
}

/* The whiteouts of a directory that goes. */
static int clear_whiteouts(struct dentry *dir)
{
	struct listing listing = {0};
	int err = collect_dir(&listing, dir);

	fiber_mutex_lock(&dir->inode->mutex);
	for (struct listed *entry = listing.first; err == 0 && entry; entry = entry->next) {
		_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;

		err = dentry_lookup_locked(dir, entry->name, strlen(entry->name), &dentry);
		if (err == 0 && dentry->inode && stack_is_whiteout(dentry->inode))
			err = remove_name(dir, dentry);
	}
	fiber_mutex_unlock(&dir->inode->mutex);
	listing_clear(&listing);
	return err;
}

/* Positions are numbers of names in the order of the listing, which is made at position 0. */
static int stack_read_dir(struct file *file, struct dir_context *dir)
{
	struct listing *listing = file->private;
	const struct listed *entry;
	int64_t at = 2;

	if (file->pos == 0 || !listing->last) {
		int err;

		listing_clear(listing);
		err = listing_make(file->inode, listing);
		if (err < 0)
			return err;
	}
	if (!dir_emit_dots(file, dir))
		return 0;
	entry = listing->first;
	if (listing->next_pos && listing->next_pos == file->pos) {
		entry = listing->next;
		at = listing->next_pos;
	}
	for (; entry; entry = entry->next, at++) {
		if (at < file->pos)
			continue;
		if (!entry->whiteout && !dir->emit(dir, entry->name, strlen(entry->name),
						entry->ino, entry->type, at + 1))
			return 0;
		listing->next = entry->next;
		listing->next_pos = file->pos = at + 1;
	}
	return 0;
}

static int64_t stack_seek_dir(struct file *file, int64_t offset, int whence)
{
	if (whence == LX_SEEK_END)
		return -EINVAL;
	return file_generic_seek(file, offset, whence, 0, INT64_MAX);
}

static void stack_release_dir(struct file *file)
{
	listing_clear(file->private);
	free(file->private);
}

static int stack_sync_dir(struct file *file, bool data_only)
{
	return 0;
}

const struct file_ops stack_dir_file_ops = {
	.name = "stacked directory",
	.read_dir = stack_read_dir,
	.seek = stack_seek_dir,
	.sync = stack_sync_dir,
	.release = stack_release_dir,
};

static int stack_open_dir(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	file->private = calloc(1, sizeof(struct listing));
	if (!file->private)
		return -ENOMEM;
	file->ops = &stack_dir_file_ops;
	return 0;
}

/* ---- removing and renaming ------------------------------------------------------------------- */

static int take_away(struct inode *dir, const char *name, struct inode *inode)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	struct dentry *parent;
	bool below = false;
	int err = stack_copy_up(dir);

	if (err == 0)
		err = stack_in_lower(dir, name, &below);
	if (err == 0 && LX_S_ISDIR(inode->mode) && stack_node(inode)->upper)
		err = clear_whiteouts(stack_node(inode)->upper);
	if (err < 0)
		return err;
	parent = stack_node(dir)->upper;
	fiber_mutex_lock(&parent->inode->mutex);
	err = dentry_lookup_locked(parent, name, strlen(name), &dentry);
	if (err == 0 && dentry->inode && !stack_is_whiteout(dentry->inode))
		err = remove_name(parent, dentry);
	if (err == 0 && below)
		err = make_whiteout(dir, parent, name);
	fiber_mutex_unlock(&parent->inode->mutex);
	stack_sync(dir);
	return err;
}

static int stack_unlink(struct inode *dir, const char *name, struct inode *inode)
{
	int err = take_away(dir, name, inode);

	if (err < 0)
		return err;
	if (stack_node(inode)->upper)
		stack_sync(inode);
	else if (inode->nlink)
		inode->nlink--;
	return 0;
}

static int stack_rmdir(struct inode *dir, const char *name, struct inode *inode)
{
	int err = check_empty(inode);

	return err < 0 ? err : take_away(dir, name, inode);
}

/* Both directories of the upper tree, in the order of their addresses' dentries: an ancestor first
 * (lock_rename()). */
static void lock_both(struct dentry *a, struct dentry *b)
{
	if (dentry_is_below(a, b)) {
		struct dentry *t = a;

		a = b;
		b = t;
	}
	fiber_mutex_lock(&a->inode->mutex);
	if (a->inode != b->inode)
		fiber_mutex_lock(&b->inode->mutex);
}

static void unlock_both(struct dentry *a, struct dentry *b)
{
	fiber_mutex_unlock(&a->inode->mutex);
	if (a->inode != b->inode)
		fiber_mutex_unlock(&b->inode->mutex);
}

/* Both directories are locked. */
static int rename_real(struct dentry *from_dir, const char *old_name, struct dentry *to_dir,
	const char *new_name, unsigned flags)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *from = NULL, *to = NULL;
	struct inode *dir = from_dir->inode;
	int err = dentry_lookup_locked(from_dir, old_name, strlen(old_name), &from);

	if (err == 0)
		err = dentry_lookup_locked(to_dir, new_name, strlen(new_name), &to);
	if (err == 0 && !from->inode)
		err = -EIO;
	/* A directory cannot take a whiteout's place. */
	if (err == 0 && to->inode && stack_is_whiteout(to->inode) &&
		(dentry_is_dir(from) || (flags & LX_RENAME_EXCHANGE))) {
		err = remove_name(to_dir, to);
		dentry_unref(TAKE(to));
		if (err == 0)
			err = dentry_lookup_locked(to_dir, new_name, strlen(new_name), &to);
	}
	if (err == 0)
		err = dir->ops->rename ? dir->ops->rename(dir, old_name, from->inode, to_dir->inode,
						 new_name, to->inode, flags & LX_RENAME_EXCHANGE,
						 cred_kernel())
				       : -EPERM;
	if (err < 0)
		return err;
	if (flags & LX_RENAME_EXCHANGE) {
		if (dentry_exchange(from, to) < 0) {
			dentry_detach(from);
			dentry_detach(to);
		}
		return 0;
	}
	dentry_detach(to);
	if (dentry_move(from, to_dir, new_name) < 0)
		dentry_detach(from);
	return 0;
}

/* Is there something of a lower tree in it, so that moving it would lose that? (redirect_dir=off)
 */
static bool is_merged(const struct inode *inode)
{
	return LX_S_ISDIR(inode->mode) && stack_node(inode)->lower_count > 0;
}

static int rename_prepare(struct inode *old_dir, struct inode *inode, struct inode *new_dir,
	struct inode *target, unsigned flags)
{
	int err = 0;

	if (flags & LX_RENAME_WHITEOUT)
		return -EINVAL;
	if (is_merged(inode) || (target && (flags & LX_RENAME_EXCHANGE) && is_merged(target)))
		return -EXDEV;
	if (target && LX_S_ISDIR(target->mode) && !(flags & LX_RENAME_EXCHANGE)) {
		err = check_empty(target);
		if (err == 0 && stack_node(target)->upper)
			err = clear_whiteouts(stack_node(target)->upper);
	}
	if (err == 0)
		err = stack_copy_up(old_dir);
	if (err == 0)
		err = stack_copy_up(new_dir);
	if (err == 0)
		err = stack_copy_up(inode);
	if (err == 0 && target && (flags & LX_RENAME_EXCHANGE))
		err = stack_copy_up(target);
	return err;
}

static int stack_rename(struct inode *old_dir, const char *old_name, struct inode *inode,
	struct inode *new_dir, const char *new_name, struct inode *target, unsigned flags,
	const struct cred *cred)
{
	bool old_below = false, new_below = false;
	struct dentry *from, *to;
	int err = rename_prepare(old_dir, inode, new_dir, target, flags);

	if (err == 0)
		err = stack_in_lower(old_dir, old_name, &old_below);
	if (err == 0)
		err = stack_in_lower(new_dir, new_name, &new_below);
	/* In its new place it must not be merged with what is there below. */
	if (err == 0 && new_below && LX_S_ISDIR(inode->mode))
		err = set_opaque(old_dir, stack_node(inode)->upper->inode);
	if (err < 0)
		return err;
	from = stack_node(old_dir)->upper;
	to = stack_node(new_dir)->upper;
	lock_both(from, to);
	err = rename_real(from, old_name, to, new_name, flags);
	if (err == 0 && old_below && !(flags & LX_RENAME_EXCHANGE))
		err = make_whiteout(old_dir, from, old_name);
	unlock_both(from, to);
	stack_sync(old_dir);
	stack_sync(new_dir);
	stack_sync(inode);
	return err;
}

const struct inode_ops stack_dir_ops = {
	.lookup = stack_lookup,
	.create = stack_create,
	.mkdir = stack_mkdir,
	.mknod = stack_mknod,
	.symlink = stack_symlink,
	.link = stack_link,
	.unlink = stack_unlink,
	.rmdir = stack_rmdir,
	.rename = stack_rename,
	.tmpfile = stack_tmpfile,
	.permission = stack_permission,
	.getattr = stack_getattr,
	.setattr = stack_setattr,
	.getxattr = stack_getxattr,
	.setxattr = stack_setxattr,
	.listxattr = stack_listxattr,
	.removexattr = stack_removexattr,
	.open = stack_open_dir,
};
