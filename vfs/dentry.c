/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dentry cache.
 *
 * A dentry says what a name in a directory means, be it "nothing" (negative). While it is in the
 * hash table, the cache holds one reference; when that is the only one, the dentry is on the LRU
 * list and may be evicted. A child holds its parent, so only leaves of the cached tree are evicted.
 *
 * Keys are (parent dentry, name), hashed under a secret key: guests choose names.
 *
 * Lookups that must ask the file system hold the directory's mutex, so that two fibers cannot make
 * two dentries of one name. Changes of a name (create, unlink, rename) hold it as well.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/inotify.h"
#include "vfs/internal.h"

/* Unused dentries kept: with their inodes some 30 MiB. Host descriptors of theirs are bounded by
 * the file system. */
#define DCACHE_UNUSED_MAX 32768u

uint64_t vfs_rename_count;

static struct hash_table dcache;
static struct list_head dcache_lru = LIST_HEAD_INIT(dcache_lru); /* oldest first */
static size_t dcache_unused;

static uint64_t name_hash(const struct dentry *parent, const char *name, size_t size)
{
	return hash_u64_bytes((uintptr_t)parent, name, size);
}

static void lru_remove(struct dentry *dentry)
{
	if (!list_empty(&dentry->lru)) {
		list_remove(&dentry->lru);
		dcache_unused--;
	}
}

static void dentry_free(struct dentry *dentry)
{
	struct inode *inode = dentry->inode;

	sentry_assert(list_empty(&dentry->children) && list_empty(&dentry->mounts));
	list_remove(&dentry->sibling);
	list_remove(&dentry->alias);
	if (inode && inode->nlink == 0 && list_empty(&inode->dentries))
		vfs_notify(inode, LX_IN_DELETE_SELF, NULL, 0);
	free(dentry->name);
	free(dentry);
	if (inode)
		inode_unref(inode);
}

/* Drops references up the tree without recursion. Never evicts: the caller trims. */
static void dentry_put(struct dentry *dentry)
{
	while (refcount_put(&dentry->refs)) {
		struct dentry *parent = dentry->parent;

		dentry_free(dentry);
		if (parent == dentry)
			return;
		dentry = parent;
	}
	if (dentry->refs.count == 1 && dentry->cached && list_empty(&dentry->lru)) {
		list_add_tail(&dentry->lru, &dcache_lru);
		dcache_unused++;
	}
}

static void dcache_remove(struct dentry *dentry)
{
	if (!dentry->cached)
		return;
	dentry->cached = false;
	if (dentry->parent->last_found == dentry)
		dentry->parent->last_found = NULL;
	hash_remove(&dcache, &dentry->hash);
	lru_remove(dentry);
	dentry_put(dentry);
}

static void dcache_trim(size_t keep)
{
	while (dcache_unused > keep)
		dcache_remove(list_first(&dcache_lru, struct dentry, lru));
}

void dcache_shrink(size_t count)
{
	dcache_trim(count < dcache_unused ? dcache_unused - count : 0);
}

struct dentry *dentry_ref(struct dentry *dentry)
{
	lru_remove(dentry);
	refcount_get(&dentry->refs);
	return dentry;
}

void dentry_unref(struct dentry *dentry)
{
	dentry_put(dentry);
	dcache_trim(DCACHE_UNUSED_MAX);
}

/* One reference; not cached; negative. */
static int dentry_alloc(struct dentry *parent, const char *name, size_t size, struct dentry **ret)
{
	struct dentry *dentry = calloc(1, sizeof(*dentry));

	if (!dentry)
		return -ENOMEM;
	dentry->name = malloc(size + 1);
	if (!dentry->name) {
		free(dentry);
		return -ENOMEM;
	}
	memcpy(dentry->name, name, size);
	dentry->name[size] = '\0';
	dentry->name_size = (uint16_t)size;
	dentry->refs = REFCOUNT_ONE;
	list_init(&dentry->children);
	list_init(&dentry->sibling);
	list_init(&dentry->alias);
	list_init(&dentry->lru);
	list_init(&dentry->mounts);
	dentry->parent = dentry;
	if (parent) {
		dentry->parent = dentry_ref(parent);
		dentry->sb = parent->sb;
		list_add(&dentry->sibling, &parent->children);
	}
	*ret = dentry;
	return 0;
}

void dentry_instantiate(struct dentry *dentry, struct inode *inode)
{
	sentry_assert(!dentry->inode);
	dentry->inode = inode;
	list_add(&dentry->alias, &inode->dentries);
}

int dentry_new_root(struct inode *inode, struct dentry **ret)
{
	struct dentry *dentry;
	int err = dentry_alloc(NULL, "/", 1, &dentry);

	if (err < 0)
		return err;
	dentry->sb = inode->sb;
	dentry_instantiate(dentry, inode);
	*ret = dentry;
	return 0;
}

int dentry_new_anonymous(struct inode *inode, const char *name, struct dentry **ret)
{
	size_t size = strnlen(name, LX_PATH_MAX - 1);
	struct dentry *dentry;
	int err = dentry_alloc(NULL, name, size, &dentry);

	if (err < 0)
		return err;
	dentry->sb = inode->sb;
	dentry_instantiate(dentry, inode_ref(inode));
	*ret = dentry;
	return 0;
}

int dentry_new_unlinked(struct dentry *parent, struct inode *inode, struct dentry **ret)
{
	struct dentry *dentry;
	char name[32];
	int err;

	(void)snprintf(name, sizeof(name), "#%llu", (unsigned long long)inode->ino);
	err = dentry_alloc(parent, name, strlen(name), &dentry);
	if (err < 0)
		return err;
	dentry_instantiate(dentry, inode_ref(inode));
	dentry->unlinked = true;
	*ret = dentry;
	return 0;
}

static bool name_is(const struct dentry *dentry, const char *name, size_t size)
{
	return dentry->name_size == size && !memcmp(dentry->name, name, size);
}

struct dentry *dcache_peek(struct dentry *parent, const char *name, size_t size)
{
	struct dentry *dentry = parent->last_found;
	uint64_t hash;

	if (dentry && name_is(dentry, name, size))
		return dentry;
	if (size > LX_NAME_MAX)
		return NULL;
	hash = name_hash(parent, name, size);
	hash_for_each_match(dentry, &dcache, hash, hash)
	{
		if (dentry->parent == parent && name_is(dentry, name, size)) {
			parent->last_found = dentry;
			return dentry;
		}
	}
	return NULL;
}

struct dentry *dcache_find(struct dentry *parent, const char *name, size_t size)
{
	struct dentry *dentry = dcache_peek(parent, name, size);

	return dentry ? dentry_ref(dentry) : NULL;
}

/* A cache that cannot grow only costs speed. */
static void dcache_insert(struct dentry *dentry)
{
	uint64_t hash = name_hash(dentry->parent, dentry->name, dentry->name_size);

	if (hash_insert(&dcache, &dentry->hash, hash) < 0)
		return;
	dentry->cached = true;
	refcount_get(&dentry->refs);
}

/* True when the cached answer may be used. May sleep. */
static bool dentry_still_valid(struct dentry *parent, struct dentry *dentry)
{
	struct inode *dir = parent->inode;

	if (parent->sb->stable || !dir->ops->revalidate || !list_empty(&dentry->mounts))
		return true;
	return dir->ops->revalidate(dir, dentry) > 0;
}

int dentry_lookup_locked(struct dentry *parent, const char *name, size_t size, struct dentry **ret)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	struct inode *dir = parent->inode, *inode = NULL;
	int err;

	if (size > LX_NAME_MAX)
		return parent->unlinked ? -ENOENT : -ENAMETOOLONG;
	dentry = dcache_find(parent, name, size);
	if (dentry) {
		if (dentry_still_valid(parent, dentry)) {
			*ret = TAKE(dentry);
			return 0;
		}
		dcache_remove(dentry);
		dentry_unref(TAKE(dentry));
	}
	if (!dir->ops->lookup)
		return -ENOTDIR;
	err = dentry_alloc(parent, name, size, &dentry);
	if (err < 0)
		return err;
	/* Nothing new appears in a directory that was removed. */
	err = parent->unlinked ? -ENOENT : dir->ops->lookup(dir, dentry->name, &inode);
	if (err < 0 && err != -ENOENT)
		return err;
	if (inode)
		dentry_instantiate(dentry, inode);
	if (!parent->unlinked)
		dcache_insert(dentry);
	*ret = TAKE(dentry);
	return 0;
}

int dentry_lookup(struct dentry *parent, const char *name, size_t size, struct dentry **ret)
{
	struct dentry *dentry;
	int err;

	/* Nobody asks a directory that was removed what it thinks of the name
	 * (lookup_one_qstr_excl()). */
	if (size > LX_NAME_MAX)
		return parent->unlinked ? -ENOENT : -ENAMETOOLONG;
	dentry = dcache_find(parent, name, size);
	if (dentry) {
		if (dentry_still_valid(parent, dentry)) {
			*ret = dentry;
			return 0;
		}
		dentry_unref(dentry);
	}
	fiber_mutex_lock(&parent->inode->mutex);
	err = dentry_lookup_locked(parent, name, size, ret);
	fiber_mutex_unlock(&parent->inode->mutex);
	return err;
}

void dcache_forget(struct inode *dir, const char *name)
{
	struct dentry *parent;

	list_for_each_entry (parent, &dir->dentries, alias) {
		struct dentry *dentry = dcache_find(parent, name, strlen(name));

		if (dentry) {
			dcache_remove(dentry);
			dentry_unref(dentry);
			return; /* dir->dentries may have changed */
		}
	}
}

void dentry_detach(struct dentry *dentry)
{
	struct dentry *child, *tmp;

	/* Below a removed directory only cached absences are left. */
	list_for_each_entry_safe (child, tmp, &dentry->children, sibling) {
		if (!child->inode)
			dcache_remove(child);
	}
	dentry->unlinked = true;
	dcache_remove(dentry);
	lasting_names_change(dentry->sb);
}

bool dentry_is_below(const struct dentry *dentry, const struct dentry *ancestor)
{
	for (;;) {
		if (dentry == ancestor)
			return true;
		if (dentry->parent == dentry)
			return false;
		dentry = dentry->parent;
	}
}

/* Hangs a dentry that is not cached below another parent; @name is taken over. */
static void dentry_place(struct dentry *dentry, struct dentry *parent, char *name)
{
	struct dentry *old_parent = dentry->parent;

	dentry->parent = dentry_ref(parent);
	list_remove(&dentry->sibling);
	list_add(&dentry->sibling, &parent->children);
	free(dentry->name);
	dentry->name = name;
	dentry->name_size = (uint16_t)strlen(name);
	dcache_insert(dentry);
	dentry_unref(old_parent);
}

int dentry_move(struct dentry *dentry, struct dentry *parent, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	dcache_remove(dentry);
	dentry_place(dentry, parent, copy);
	vfs_rename_count++;
	lasting_names_change(dentry->sb);
	return 0;
}

int dentry_exchange(struct dentry *a, struct dentry *b)
{
	char *name_a = strdup(a->name), *name_b = strdup(b->name);
	_cleanup_(cleanup_dentry_unref) struct dentry *parent_a = dentry_ref(a->parent);
	_cleanup_(cleanup_dentry_unref) struct dentry *parent_b = dentry_ref(b->parent);

	if (!name_a || !name_b) {
		free(name_a);
		free(name_b);
		return -ENOMEM;
	}
	dcache_remove(a);
	dcache_remove(b);
	dentry_place(a, parent_b, name_b);
	dentry_place(b, parent_a, name_a);
	vfs_rename_count++;
	lasting_names_change(a->sb);
	return 0;
}

void dcache_drop_tree(struct super_block *sb)
{
	struct dentry *root = sb->root, *dentry, *next;
	bool found = true;

	if (!root)
		return;
	/* Leaves first: what is in use by an open file goes with that file. A directory becomes
	 * unused with its last name, and is put at the end: as a rule one round finds all. */
	while (found) {
		found = false;
		list_for_each_entry_safe (dentry, next, &dcache_lru, lru) {
			if (dentry->sb != sb)
				continue;
			dcache_remove(dentry);
			found = true;
		}
	}
	sb->root = NULL;
	dentry_unref(root);
}

/* ---- listings' memory ---- */

static size_t listing_memory;

bool listing_memory_charge(size_t size)
{
	if (size > SENTRY_MAX_LISTING_MEMORY - listing_memory)
		return false;
	listing_memory += size;
	return true;
}

void listing_memory_uncharge(size_t size)
{
	listing_memory -= size;
}
