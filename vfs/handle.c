/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File handles: name_to_handle_at(2), open_by_handle_at(2).
 *
 * A handle is a generation and an inode number, in the superblock of the mount that it is opened
 * by, as Linux' tmpfs has them (on cgroup2 the number alone, which programs read as the
 * control group's). It opens an inode that is in memory and that a handle was asked for; a table
 * knows those. What lives in memory alone (tmpfs, what changed in an overlay) is there as long as
 * it exists. An inode of the host's that nobody used for long may be gone: its handles are stale
 * then, as those of a file that was removed.
 *
 * Numbers are never used twice in a superblock that only this kernel changes, so handles of an
 * inode that went and came back are equal. On others the generation tells.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/handle.h"
#include "vfs/internal.h"

#define TYPE_INO32_GEN 1    /* FILEID_INO32_GEN, as tmpfs' */
#define TYPE_INO64     0x80 /* FILEID_INO64_GEN: of those that cannot be opened */
#define TYPE_KERNFS    0xfe

struct inode_handle {
	struct hash_entry node;
	struct inode *inode; /* borrowed: it takes us along */
	uint32_t generation;
};

static struct hash_table handles;
static uint32_t next_generation = 1;

static uint64_t handle_hash(const struct super_block *sb, uint64_t ino)
{
	return hash_u64_pair((uintptr_t)sb, ino);
}

void inode_handle_free(struct inode *inode)
{
	if (!inode->handle)
		return;
	hash_remove(&handles, &inode->handle->node);
	free(inode->handle);
	inode->handle = NULL;
}

static int handle_of(struct inode *inode, struct inode_handle **ret)
{
	struct inode_handle *handle = inode->handle;
	int err;

	if (!handle) {
		handle = calloc(1, sizeof(*handle));
		if (!handle)
			return -ENOMEM;
		handle->inode = inode;
		handle->generation = inode->sb->stable ? 0 : next_generation++;
		err = hash_insert(&handles, &handle->node, handle_hash(inode->sb, inode->ino));
		if (err < 0) {
			free(handle);
			return err;
		}
		inode->handle = handle;
	}
	*ret = handle;
	return 0;
}

static void put32(struct vfs_handle *handle, uint32_t value)
{
	memcpy(handle->bytes + handle->size, &value, sizeof(value));
	handle->size += sizeof(value);
}

int vfs_handle_make(const struct path *path, bool is_for_comparison, struct vfs_handle *ret)
{
	struct inode *inode = path->dentry->inode;
	const struct super_block *sb = inode->sb;
	struct inode_handle *known;
	int err;

	*ret = (struct vfs_handle){0};
	if (sb->handles == HANDLES_NONE && !is_for_comparison)
		return -EOPNOTSUPP;
	if (sb->handles != HANDLES_NONE) {
		err = handle_of(inode, &known);
		if (err < 0)
			return err;
	}
	if (sb->handles == HANDLES_FILES) {
		ret->type = TYPE_INO32_GEN;
		put32(ret, known->generation);
	} else {
		ret->type = sb->handles == HANDLES_KERNFS ? TYPE_KERNFS : TYPE_INO64;
	}
	put32(ret, (uint32_t)inode->ino);
	put32(ret, (uint32_t)(inode->ino >> 32));
	return 0;
}

static struct inode_handle *find(const struct super_block *sb, uint64_t ino)
{
	struct inode_handle *handle;

	hash_for_each_match(handle, &handles, handle_hash(sb, ino), node)
	{
		if (handle->inode->sb == sb && handle->inode->ino == ino)
			return handle;
	}
	return NULL;
}

/* Any of its names will do; without one there is a place outside of all directories, but for
 * directories, of which nobody could tell what is above. */
static int name_of(struct inode *inode, struct dentry **ret)
{
	struct dentry *dentry;

	list_for_each_entry (dentry, &inode->dentries, alias) {
		*ret = dentry_ref(dentry);
		return 0;
	}
	return LX_S_ISDIR(inode->mode) ? -ESTALE : dentry_new_anonymous(inode, "/", ret);
}

int vfs_handle_find(const struct path *root, const struct vfs_handle *handle, struct path *ret_path)
{
	const struct super_block *sb = root->dentry->inode->sb;
	const unsigned words = sb->handles == HANDLES_FILES ? 3 : 2;
	const int type = sb->handles == HANDLES_FILES ? TYPE_INO32_GEN : TYPE_KERNFS;
	struct inode_handle *found;
	uint32_t word[3];
	uint64_t ino;
	int err;

	if (!root->mount || sb->handles == HANDLES_NONE || handle->type != type ||
		handle->size / 4 < words)
		return -ESTALE;
	memcpy(word, handle->bytes, words * sizeof(word[0]));
	ino = word[words - 2] | (uint64_t)word[words - 1] << 32;
	found = find(sb, ino);
	if (!found || (sb->handles == HANDLES_FILES && found->generation != word[0]))
		return -ESTALE;
	err = name_of(found->inode, &ret_path->dentry);
	if (err < 0)
		return err;
	ret_path->mount = mount_ref(root->mount);
	return 0;
}
