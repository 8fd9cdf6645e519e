/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories in memory: names in a hash table, and the same entries in the order of their cookies
 * for getdents(2). Cookies only grow, so a position keeps its meaning while entries come and go; a
 * removed entry leaves a gap in the array, which is closed when half of it is gaps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/tmpfs.h"

#define ENTRY_SIZE 20 /* what each name adds to a directory's st_size (BOGO_DIRENT_SIZE) */

static struct tmpfs_dir *dir_of(const struct inode *inode)
{
	return &tmpfs_inode(inode)->dir;
}

static struct tmpfs_entry *entry_find(const struct inode *dir, const char *name)
{
	size_t size = strlen(name);
	struct tmpfs_entry *entry;

	hash_for_each_match(entry, &dir_of(dir)->names, hash_bytes(name, size), hash)
	{
		if (entry->size == size && !memcmp(entry->name, name, size))
			return entry;
	}
	return NULL;
}

/* Index of the first slot with a cookie >= @cookie. */
static size_t slot_search(const struct tmpfs_dir *dir, int64_t cookie)
{
	size_t low = 0, high = dir->slot_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (dir->slots[middle].cookie < cookie)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void slots_compact(struct tmpfs_dir *dir)
{
	size_t kept = 0;

	for (size_t i = 0; i < dir->slot_count; i++)
		if (dir->slots[i].entry)
			dir->slots[kept++] = dir->slots[i];
	dir->slot_count = kept;
}

/* Takes over the reference to @inode on success. */
static uint64_t entry_cost(size_t name_size)
{
	return sizeof(struct tmpfs_entry) + 2 * sizeof(struct tmpfs_slot) + name_size + 1;
}

static int entry_add(struct inode *inode_dir, const char *name, struct inode *inode)
{
	struct tmpfs_dir *dir = dir_of(inode_dir);
	size_t size = strlen(name);
	struct tmpfs_entry *entry;

	if (dir->slot_count == dir->slot_capacity) {
		size_t capacity = dir->slot_capacity ? dir->slot_capacity * 2 : 8;
		struct tmpfs_slot *slots = realloc(dir->slots, capacity * sizeof(*slots));

		if (!slots)
			return -ENOMEM;
		dir->slots = slots;
		dir->slot_capacity = capacity;
	}
	if (!tmpfs_memory_charge(entry_cost(size)))
		return -ENOSPC;
	entry = calloc(1, sizeof(*entry) + size + 1);
	if (!entry) {
		tmpfs_memory_uncharge(entry_cost(size));
		return -ENOMEM;
	}
	memcpy(entry->name, name, size + 1);
	entry->size = (uint16_t)size;
	entry->inode = inode;
	entry->cookie = dir->next_cookie;
	if (hash_insert(&dir->names, &entry->hash, hash_bytes(name, size)) < 0) {
		tmpfs_memory_uncharge(entry_cost(size));
		free(entry);
		return -ENOMEM;
	}
	dir->next_cookie++;
	dir->slots[dir->slot_count++] = (struct tmpfs_slot){entry->cookie, entry};
	dir->live++;
	inode_dir->size += ENTRY_SIZE;
	inode_touch_mtime(inode_dir);
	return 0;
}

/* The entry's reference goes to the caller. */
static struct inode *entry_remove(struct inode *inode_dir, struct tmpfs_entry *entry)
{
	struct tmpfs_dir *dir = dir_of(inode_dir);
	struct inode *inode = entry->inode;

	dir->slots[slot_search(dir, entry->cookie)].entry = NULL;
	dir->live--;
	if (dir->slot_count > 16 && dir->live < dir->slot_count / 2)
		slots_compact(dir);
	hash_remove(&dir->names, &entry->hash);
	tmpfs_memory_uncharge(entry_cost(entry->size));
	free(entry);
	inode_dir->size -= ENTRY_SIZE;
	inode_touch_mtime(inode_dir);
	return inode;
}

/*
 * A tree goes away with its superblock. Directories put their entries on one list instead of
 * freeing them in place: the depth of a tree is the guest's choice, the stack's is not.
 */
void tmpfs_dir_destroy(struct inode *inode)
{
	static struct tmpfs_entry *doomed;
	static bool draining;
	struct tmpfs_dir *dir = dir_of(inode);

	for (size_t i = 0; i < dir->slot_count; i++) {
		struct tmpfs_entry *entry = dir->slots[i].entry;

		if (entry) {
			entry->next_doomed = doomed;
			doomed = entry;
		}
	}
	free(dir->slots);
	hash_fini(&dir->names);
	if (draining)
		return;
	draining = true;
	while (doomed) {
		struct tmpfs_entry *entry = doomed;

		doomed = entry->next_doomed;
		inode_unref(entry->inode);
		tmpfs_memory_uncharge(entry_cost(entry->size));
		free(entry);
	}
	draining = false;
}

static int tmpfs_lookup(struct inode *dir, const char *name, struct inode **ret_inode)
{
	const struct tmpfs_entry *entry = entry_find(dir, name);

	if (!entry)
		return -ENOENT;
	*ret_inode = inode_ref(entry->inode);
	return 0;
}

/* Gives @inode a name in @dir; the caller keeps its reference, the entry takes one of its own. */
static int name_inode(struct inode *dir, const char *name, struct inode *inode)
{
	int err = entry_add(dir, name, inode_ref(inode));

	if (err < 0)
		inode_unref(inode);
	return err;
}

static int make(struct inode *dir, const char *name, uint32_t mode, const struct cred *cred,
	struct inode **ret_inode)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	int err = tmpfs_inode_new(dir->sb, dir, mode, cred, &inode);

	if (err < 0)
		return err;
	err = name_inode(dir, name, inode);
	if (err < 0)
		return err;
	*ret_inode = TAKE(inode);
	return 0;
}

static int tmpfs_mkdir(struct inode *dir, const char *name, uint32_t mode, const struct cred *cred,
	struct inode **ret_inode)
{
	int err = make(dir, name, mode, cred, ret_inode);

	if (err >= 0)
		dir->nlink++;
	return err;
}

static int tmpfs_mknod(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
	const struct cred *cred, struct inode **ret_inode)
{
	int err = make(dir, name, mode, cred, ret_inode);

	if (err >= 0)
		(*ret_inode)->rdev = LX_S_ISCHR(mode) || LX_S_ISBLK(mode) ? rdev : 0;
	return err;
}

static int tmpfs_symlink(struct inode *dir, const char *name, const char *target,
	const struct cred *cred, struct inode **ret_inode)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	int err;

	if (strlen(target) >= LX_PATH_MAX)
		return -ENAMETOOLONG;
	err = tmpfs_inode_new(dir->sb, dir, LX_S_IFLNK | 0777, cred, &inode);
	if (err < 0)
		return err;
	if (!tmpfs_memory_charge(strlen(target) + 1))
		return -ENOSPC;
	tmpfs_inode(inode)->target = strdup(target);
	if (!tmpfs_inode(inode)->target) {
		tmpfs_memory_uncharge(strlen(target) + 1);
		return -ENOMEM;
	}
	inode->size = strlen(target);
	err = name_inode(dir, name, inode);
	if (err < 0)
		return err;
	*ret_inode = TAKE(inode);
	return 0;
}

void tmpfs_symlink_destroy(struct inode *inode)
{
	char *target = tmpfs_inode(inode)->target;

	if (!target)
		return;
	tmpfs_memory_uncharge(strlen(target) + 1);
	free(target);
}

static int tmpfs_link(struct inode *dir, const char *name, struct inode *inode)
{
	int err = name_inode(dir, name, inode);

	if (err < 0)
		return err;
	inode->nlink++;
	inode_touch_ctime(inode);
	return 0;
}

static int tmpfs_tmpfile(
	struct inode *dir, uint32_t mode, const struct cred *cred, struct inode **ret_inode)
{
	int err = tmpfs_inode_new(dir->sb, dir, mode, cred, ret_inode);

	if (err >= 0)
		(*ret_inode)->nlink = 0;
	return err;
}

static void drop_name(struct inode *dir, struct tmpfs_entry *entry)
{
	struct inode *inode = entry_remove(dir, entry);

	if (LX_S_ISDIR(inode->mode)) {
		dir->nlink--;
		inode->nlink = 0;
	} else {
		inode->nlink--;
	}
	inode_touch_ctime(inode);
	inode_unref(inode);
}

static int tmpfs_unlink(struct inode *dir, const char *name, struct inode *inode)
{
	struct tmpfs_entry *entry = entry_find(dir, name);

	if (!entry)
		return -ENOENT;
	drop_name(dir, entry);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, const char *name, struct inode *inode)
{
	struct tmpfs_entry *entry = entry_find(dir, name);

	if (!entry)
		return -ENOENT;
	if (dir_of(inode)->live)
		return -ENOTEMPTY;
	drop_name(dir, entry);
	return 0;
}

static int rename_exchange(struct inode *old_dir, struct tmpfs_entry *old, struct inode *new_dir,
	struct tmpfs_entry *new)
{
	struct inode *t = old->inode;
	bool old_is_dir = LX_S_ISDIR(t->mode), new_is_dir = LX_S_ISDIR(new->inode->mode);

	old->inode = new->inode;
	new->inode = t;
	if (old_is_dir && !new_is_dir) {
		old_dir->nlink--;
		new_dir->nlink++;
	} else if (new_is_dir && !old_is_dir) {
		new_dir->nlink--;
		old_dir->nlink++;
	}
	inode_touch_ctime(old->inode);
	inode_touch_ctime(new->inode);
	inode_touch_mtime(old_dir);
	inode_touch_mtime(new_dir);
	return 0;
}

static int tmpfs_rename(struct inode *old_dir, const char *old_name, struct inode *inode,
	struct inode *new_dir, const char *new_name, struct inode *target, unsigned flags,
	const struct cred *cred)
{
	struct tmpfs_entry *old = entry_find(old_dir, old_name);
	struct tmpfs_entry *new = entry_find(new_dir, new_name);
	_cleanup_(cleanup_inode_unref) struct inode *whiteout = NULL;
	bool is_dir = LX_S_ISDIR(inode->mode);
	int err;

	if (!old || !new != !target)
		return -ENOENT;
	if (flags & LX_RENAME_EXCHANGE)
		return rename_exchange(old_dir, old, new_dir, new);
	if (target && LX_S_ISDIR(target->mode) && dir_of(target)->live)
		return -ENOTEMPTY;
	if (flags & LX_RENAME_WHITEOUT) {
		err = tmpfs_inode_new(old_dir->sb, old_dir, LX_S_IFCHR, cred, &whiteout);
		if (err < 0)
			return err;
	}
	/* What can fail comes first: the new name. */
	if (new) {
		struct inode *replaced = new->inode;

		new->inode = inode_ref(inode);
		if (LX_S_ISDIR(replaced->mode)) {
			replaced->nlink = 0;
			new_dir->nlink--;
		} else {
			replaced->nlink--;
		}
		inode_touch_ctime(replaced);
		inode_touch_mtime(new_dir);
		inode_unref(replaced);
	} else {
		err = name_inode(new_dir, new_name, inode);
		if (err < 0)
			return err;
	}
	if (whiteout) {
		old->inode = TAKE(whiteout);
		inode_touch_mtime(old_dir);
	} else {
		(void)entry_remove(old_dir, old);
	}
	inode_unref(inode); /* the old name's */
	if (is_dir) {
		old_dir->nlink--;
		new_dir->nlink++;
	}
	inode_touch_ctime(inode);
	return 0;
}

static int tmpfs_read_dir(struct file *file, struct dir_context *context)
{
	const struct tmpfs_dir *dir = dir_of(file->inode);

	if (!dir_emit_dots(file, context))
		return 0;
	for (size_t i = slot_search(dir, file->pos); i < dir->slot_count; i++) {
		const struct tmpfs_slot *slot = &dir->slots[i];
		const struct tmpfs_entry *entry = slot->entry;

		if (!entry)
			continue;
		if (!context->emit(context, entry->name, entry->size, entry->inode->ino,
			    mode_to_dirent_type(entry->inode->mode), slot->cookie + 1))
			return 0;
		file->pos = slot->cookie + 1;
	}
	return 0;
}

static int64_t tmpfs_dir_seek(struct file *file, int64_t offset, int whence)
{
	if (whence != LX_SEEK_SET && whence != LX_SEEK_CUR)
		return -EINVAL;
	return file_generic_seek(file, offset, whence, 0, INT64_MAX);
}

const struct inode_ops tmpfs_dir_ops = {
	.lookup = tmpfs_lookup,
	.create = make,
	.mkdir = tmpfs_mkdir,
	.mknod = tmpfs_mknod,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

const struct file_ops tmpfs_dir_file_ops = {
	.name = "tmpfs directory",
	.read_dir = tmpfs_read_dir,
	.seek = tmpfs_dir_seek,
};
