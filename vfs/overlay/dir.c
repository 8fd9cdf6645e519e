/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlay directories: look-up through the table of entries, changes to it, and listings that merge
 * it with the lower names.
 *
 * A listing of a directory without entries is the lower directory's own. Otherwise it is a
 * snapshot, taken at position 0, of lower names that no entry hides followed by the entries;
 * positions are indices into it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "vfs/overlay/overlay_private.h"

/* ---- entries --------------------------------------------------------------------------------- */

struct ovl_entry *ovl_entry_find(const struct inode *dir, const char *name)
{
	const struct ovl_node *node = ovl_node(dir);
	struct ovl_entry *entry;

	if (!node->entries.count)
		return NULL;
	hash_for_each_match(entry, &node->entries, hash_bytes(name, strlen(name)),
		hash) if (strcmp(entry->name, name) == 0) return entry;
	return NULL;
}

/* The entry for @name, made when there is none: then as @hides_lower says, and a whiteout until it
 * gets its inode. */
static int entry_get(struct inode *dir, const char *name, bool hides_lower, struct ovl_entry **ret,
	bool *ret_made)
{
	struct ovl_entry *entry = ovl_entry_find(dir, name);
	struct ovl_node *node = ovl_node(dir);
	size_t size = strlen(name) + 1;
	int status;

	*ret_made = !entry;
	if (!entry) {
		entry = calloc(1, sizeof(*entry) + size);
		if (!entry)
			return -ENOMEM;
		memcpy(entry->name, name, size);
		entry->hides_lower = hides_lower;
		status = hash_insert(&node->entries, &entry->hash, hash_bytes(name, size - 1));
		if (status < 0) {
			free(entry);
			return status;
		}
		list_add_tail(&entry->link, &node->entry_list);
	}
	*ret = entry;
	return 0;
}

static void entry_drop(struct inode *dir, struct ovl_entry *entry)
{
	list_remove(&entry->link);
	hash_remove(&ovl_node(dir)->entries, &entry->hash);
	free(entry);
}

/* The directory changed: its times, and that it must stay. */
static void dir_changed(struct inode *dir)
{
	struct ovl_node *node = ovl_node(dir);

	node->changed_below = true;
	inode_touch_mtime(dir);
	ovl_node_pin(dir);
}

/* Makes @name in @dir lead to @inode (referenced by the entry). The name was free, or a whiteout.
 */
static int dir_put(struct inode *dir, const char *name, struct inode *inode)
{
	struct ovl_entry *entry;
	bool made;
	int status = entry_get(dir, name, false, &entry, &made);

	if (status < 0)
		return status;
	entry->inode = inode_ref(inode);
	dir_changed(dir);
	ovl_node_set_name(inode, dir, name, false);
	return 0;
}

/* Takes @name away; what is below it becomes hidden. */
static int dir_remove(struct inode *dir, const char *name)
{
	struct ovl_entry *entry;
	bool made;
	int status = entry_get(dir, name, true, &entry, &made);

	if (status < 0)
		return status;
	if (entry->inode)
		inode_unref(TAKE(entry->inode));
	if (!entry->hides_lower)
		entry_drop(dir, entry);
	dir_changed(dir);
	return 0;
}

/* One of @inode's names, @name in @dir, is gone. */
static void name_removed(struct inode *inode, const struct inode *dir, const char *name)
{
	struct ovl_node *node = ovl_node(inode);

	if (LX_S_ISDIR(inode->mode))
		inode->nlink = 0;
	else if (inode->nlink > 0)
		inode->nlink--;
	inode_touch_ctime(inode);
	if (node->parent == dir && strcmp(node->name, name) == 0)
		ovl_node_clear_name(inode);
	if (inode->nlink == 0)
		ovl_node_unpin(inode);
}

/* ---- look-up --------------------------------------------------------------------------------- */

int ovl_lookup(struct inode *dir, const char *name, struct inode **ret)
{
	_cleanup_(cleanup_inode_unref) struct inode *lower = NULL;
	const struct ovl_entry *entry = ovl_entry_find(dir, name);
	struct inode *lower_dir = ovl_node(dir)->lower;
	int status;

	if (entry) {
		if (!entry->inode)
			return -ENOENT;
		*ret = inode_ref(entry->inode);
		return 0;
	}
	if (!lower_dir)
		return -ENOENT;
	status = lower_dir->ops->lookup(lower_dir, name, &lower);
	if (status < 0)
		return status;
	status = ovl_node_for_lower(dir->sb, lower, ret);
	if (status == 0)
		ovl_node_set_name(*ret, dir, name, false);
	return status;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* dir_context of a kernel's reader: passes names on until one is refused. */
struct name_walk {
	struct dir_context ctx;
	const struct inode *dir;
	ovl_name_fn *fn;
	void *arg;
	int status;
};

static bool walk_emit(struct dir_context *ctx, const char *name, size_t name_size, uint64_t ino,
	unsigned type, int64_t next_pos)
{
	struct name_walk *walk = container_of(ctx, struct name_walk, ctx);
	char copy[LX_NAME_MAX + 1];

	if (name_size > LX_NAME_MAX || (name_size == 1 && name[0] == '.') ||
		(name_size == 2 && name[0] == '.' && name[1] == '.'))
		return true;
	memcpy(copy, name, name_size);
	copy[name_size] = '\0';
	if (ovl_entry_find(walk->dir, copy))
		return true;
	walk->status = walk->fn(walk->arg, copy, ino, type);
	return walk->status == 0;
}

static int for_each_lower_name(struct inode *dir, ovl_name_fn *fn, void *arg)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct name_walk walk = {.ctx.emit = walk_emit, .dir = dir, .fn = fn, .arg = arg};
	int status = file_open_kernel(
		ovl_node(dir)->lower, "lower", LX_O_RDONLY | LX_O_DIRECTORY, &file);

	while (status == 0) {
		int64_t before = file->pos;

		status = file->ops->read_dir(file, &walk.ctx);
		if (walk.status != 0)
			return walk.status;
		if (file->pos == before)
			break;
	}
	return status;
}

int ovl_for_each_name(struct inode *dir, ovl_name_fn *fn, void *arg)
{
	const struct ovl_node *node = ovl_node(dir);
	const struct ovl_entry *entry;
	int status = node->lower ? for_each_lower_name(dir, fn, arg) : 0;

	if (status != 0)
		return status;
	list_for_each_entry (entry, &node->entry_list, link) {
		if (!entry->inode)
			continue;
		status = fn(arg, entry->name, entry->inode->ino,
			mode_to_dirent_type(entry->inode->mode));
		if (status != 0)
			return status;
	}
	return 0;
}

static int any_name(void *arg, const char *name, uint64_t ino, unsigned type)
{
	return -ENOTEMPTY;
}

/* ---- changes --------------------------------------------------------------------------------- */

static int make(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
	const char *target, const struct cred *cred, struct inode **ret)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	int status = ovl_node_new(dir->sb, dir, mode, cred, &inode);

	if (status < 0)
		return status;
	inode->nlink = LX_S_ISDIR(mode) ? 2 : 1;
	inode->rdev = rdev;
	if (target) {
		ovl_node(inode)->target = strdup(target);
		if (!ovl_node(inode)->target)
			return -ENOMEM;
		inode->size = strlen(target);
	}
	status = dir_put(dir, name, inode);
	if (status < 0)
		return status;
	if (LX_S_ISDIR(mode))
		dir->nlink++;
	*ret = TAKE(inode);
	return 0;
}

static int ovl_create(struct inode *dir, const char *name, uint32_t mode, const struct cred *cred,
	struct inode **ret)
{
	return make(dir, name, LX_S_IFREG | (mode & 07777), 0, NULL, cred, ret);
}

static int ovl_mkdir(struct inode *dir, const char *name, uint32_t mode, const struct cred *cred,
	struct inode **ret)
{
	return make(dir, name, LX_S_IFDIR | (mode & 07777), 0, NULL, cred, ret);
}

static int ovl_mknod(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
	const struct cred *cred, struct inode **ret)
{
	return make(dir, name, mode, rdev, NULL, cred, ret);
}

static int ovl_symlink(struct inode *dir, const char *name, const char *target,
	const struct cred *cred, struct inode **ret)
{
	return make(dir, name, LX_S_IFLNK | 0777, 0, target, cred, ret);
}

static int ovl_tmpfile(
	struct inode *dir, uint32_t mode, const struct cred *cred, struct inode **ret)
{
	int status = ovl_node_new(dir->sb, dir, LX_S_IFREG | (mode & 07777), cred, ret);

	if (status == 0)
		(*ret)->nlink = 0;
	return status;
}

static int ovl_link(struct inode *dir, const char *name, struct inode *inode)
{
	int status;

	if (inode->nlink >= LX_LINK_MAX)
		return -EMLINK;
	status = dir_put(dir, name, inode);
	if (status < 0)
		return status;
	inode->nlink++;
	inode_touch_ctime(inode);
	ovl_node_pin(inode);
	return 0;
}

static int ovl_unlink(struct inode *dir, const char *name, struct inode *inode)
{
	int status = dir_remove(dir, name);

	if (status == 0)
		name_removed(inode, dir, name);
	return status;
}

static int ovl_rmdir(struct inode *dir, const char *name, struct inode *inode)
{
	int status = ovl_for_each_name(inode, any_name, NULL);

	if (status == 0)
		status = ovl_unlink(dir, name, inode);
	if (status == 0 && dir->nlink > 2)
		dir->nlink--;
	return status;
}

/* Moves the count of subdirectories along with a directory. */
static void moved_dir(const struct inode *inode, struct inode *from, struct inode *to)
{
	if (!LX_S_ISDIR(inode->mode) || from == to)
		return;
	if (from->nlink > 2)
		from->nlink--;
	to->nlink++;
}

static void rename_exchange(struct inode *old_dir, struct ovl_entry *old_entry, struct inode *inode,
	struct inode *new_dir, struct ovl_entry *new_entry, struct inode *target)
{
	struct inode *old_held = old_entry->inode, *new_held = new_entry->inode;

	old_entry->inode = inode_ref(target);
	new_entry->inode = inode_ref(inode);
	if (old_held)
		inode_unref(old_held);
	if (new_held)
		inode_unref(new_held);
	moved_dir(inode, old_dir, new_dir);
	moved_dir(target, new_dir, old_dir);
	ovl_node_set_name(target, old_dir, old_entry->name, true);
	inode_touch_ctime(target);
}

static int ovl_rename(struct inode *old_dir, const char *old_name, struct inode *inode,
	struct inode *new_dir, const char *new_name, struct inode *target, unsigned flags,
	const struct cred *cred)
{
	struct ovl_entry *old_entry, *new_entry;
	bool old_made, new_made;
	int status = 0;

	if (flags & LX_RENAME_WHITEOUT)
		return -EINVAL;
	if (target && LX_S_ISDIR(target->mode) && !(flags & LX_RENAME_EXCHANGE))
		status = ovl_for_each_name(target, any_name, NULL);
	if (status < 0)
		return status;
	/* All that can fail comes first. A name that is there without an entry is a lower one. */
	status = entry_get(old_dir, old_name, true, &old_entry, &old_made);
	if (status < 0)
		return status;
	status = entry_get(new_dir, new_name, target != NULL, &new_entry, &new_made);
	if (status < 0) {
		if (old_made)
			entry_drop(old_dir, old_entry);
		return status;
	}
	if (flags & LX_RENAME_EXCHANGE) {
		rename_exchange(old_dir, old_entry, inode, new_dir, new_entry, target);
	} else {
		struct inode *replaced = new_entry->inode;

		new_entry->inode = inode_ref(inode);
		if (old_entry->inode)
			inode_unref(TAKE(old_entry->inode));
		if (!old_entry->hides_lower)
			entry_drop(old_dir, old_entry);
		if (target) {
			name_removed(target, new_dir, new_name);
			if (LX_S_ISDIR(target->mode) && new_dir->nlink > 2)
				new_dir->nlink--;
		}
		if (replaced)
			inode_unref(replaced);
		moved_dir(inode, old_dir, new_dir);
	}
	ovl_node_set_name(inode, new_dir, new_name, true);
	inode_touch_ctime(inode);
	ovl_node_pin(inode);
	dir_changed(old_dir);
	dir_changed(new_dir);
	return 0;
}

/* ---- listings -------------------------------------------------------------------------------- */

struct listed_name {
	uint64_t ino;
	uint8_t type, size; /* of the name, which follows */
	char name[];
} __attribute__((packed));

struct ovl_listing {
	struct file *lower;    /* owned: the listing is the lower directory's */
	char *names;	       /* owned, else */
	size_t size, capacity; /* charged */
	size_t next;	       /* where the last reading ended */
};

static int listing_add(void *arg, const char *name, uint64_t ino, unsigned type)
{
	struct ovl_listing *listing = arg;
	size_t size = strlen(name), needed = sizeof(struct listed_name) + size;
	struct listed_name *entry;

	if (listing->capacity - listing->size < needed) {
		size_t capacity = listing->capacity ? listing->capacity * 2 : 4096;
		char *grown;

		if (!listing_memory_charge(capacity - listing->capacity))
			return -ENOMEM;
		grown = realloc(listing->names, capacity);
		if (!grown) {
			listing_memory_uncharge(capacity - listing->capacity);
			return -ENOMEM;
		}
		listing->names = grown;
		listing->capacity = capacity;
	}
	entry = (struct listed_name *)(listing->names + listing->size);
	entry->ino = ino;
	entry->type = (uint8_t)type;
	entry->size = (uint8_t)size;
	memcpy(entry->name, name, size);
	listing->size += needed;
	return 0;
}

static void listing_clear(struct ovl_listing *listing)
{
	if (listing->lower)
		file_unref(listing->lower);
	free(listing->names);
	listing_memory_uncharge(listing->capacity);
	*listing = (struct ovl_listing){0};
}

static int listing_start(struct inode *dir, struct ovl_listing *listing)
{
	struct ovl_node *node = ovl_node(dir);

	listing_clear(listing);
	if (node->lower && node->entries.count == 0)
		return file_open_kernel(
			node->lower, "lower", LX_O_RDONLY | LX_O_DIRECTORY, &listing->lower);
	return ovl_for_each_name(dir, listing_add, listing);
}

static int read_lower(struct file *file, struct file *lower, struct dir_context *dir)
{
	int status;

	lower->pos = file->pos;
	status = lower->ops->read_dir(lower, dir);
	if (status == 0)
		file->pos = lower->pos;
	return status;
}

static int ovl_read_dir(struct file *file, struct dir_context *dir)
{
	struct ovl_listing *listing = file->private;
	size_t at;

	if (file->pos == 0 || (!listing->lower && !listing->names)) {
		int status = listing_start(file->inode, listing);

		if (status < 0)
			return status;
	}
	if (!dir_emit_dots(file, dir))
		return 0;
	if (listing->lower)
		return read_lower(file, listing->lower, dir);
	/* The position is the guest's choice: names begin at this one, and else at the first. */
	at = file->pos - 2 == (int64_t)listing->next ? listing->next : 0;
	while (at < listing->size) {
		const struct listed_name *entry = (const struct listed_name *)(listing->names + at);
		size_t next = at + sizeof(*entry) + entry->size;

		if ((int64_t)at + 2 >= file->pos) {
			if (!dir->emit(dir, entry->name, entry->size, entry->ino, entry->type,
				    (int64_t)next + 2))
				return 0;
			file->pos = (int64_t)next + 2;
			listing->next = next;
		}
		at = next;
	}
	return 0;
}

static int64_t ovl_seek_dir(struct file *file, int64_t offset, int whence)
{
	if (whence == LX_SEEK_END)
		return -EINVAL;
	return file_generic_seek(file, offset, whence, 0, INT64_MAX);
}

static void ovl_release_dir(struct file *file)
{
	listing_clear(file->private);
	free(file->private);
}

const struct file_ops ovl_dir_file_ops = {
	.name = "overlay directory",
	.read_dir = ovl_read_dir,
	.seek = ovl_seek_dir,
	.release = ovl_release_dir,
};

static int ovl_open_dir(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	file->private = calloc(1, sizeof(struct ovl_listing));
	if (!file->private)
		return -ENOMEM;
	file->ops = &ovl_dir_file_ops;
	return 0;
}

const struct inode_ops ovl_dir_ops = {
	.lookup = ovl_lookup,
	.create = ovl_create,
	.mkdir = ovl_mkdir,
	.mknod = ovl_mknod,
	.symlink = ovl_symlink,
	.link = ovl_link,
	.unlink = ovl_unlink,
	.rmdir = ovl_rmdir,
	.rename = ovl_rename,
	.tmpfile = ovl_tmpfile,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.open = ovl_open_dir,
};
