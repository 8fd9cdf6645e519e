/* SPDX-License-Identifier: Apache-2.0 */
/* Overlay inodes: identity, names, and the step from lower data to data in memory. See
 * overlay_private.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "vfs/overlay/overlay_private.h"
#include "vfs/internal.h"

static const struct inode_ops *ops_for(uint32_t mode)
{
	switch (mode & LX_S_IFMT) {
	case LX_S_IFDIR:
		return &ovl_dir_ops;
	case LX_S_IFREG:
		return &ovl_file_inode_ops;
	case LX_S_IFLNK:
		return &ovl_symlink_ops;
	default:
		return &ovl_special_ops;
	}
}

static int node_alloc(struct super_block *sb, uint32_t mode, struct inode **ret)
{
	struct ovl_node *node = calloc(1, sizeof(*node));
	struct inode *inode;
	int status;

	if (!node)
		return -ENOMEM;
	status = inode_new(sb, ops_for(mode), mode, 0, &inode);
	if (status < 0) {
		free(node);
		return status;
	}
	node->inode = inode;
	list_init(&node->pinned);
	list_init(&node->child);
	list_init(&node->children);
	list_init(&node->entry_list);
	inode->private = node;
	inode->file_ops = LX_S_ISDIR(mode) ? &ovl_dir_file_ops : &ovl_file_ops;
	*ret = inode;
	return 0;
}

static struct inode *find_by_lower(const struct super_block *sb, const struct inode *lower)
{
	struct ovl_node *node;

	hash_for_each_match(node, &ovl_super(sb)->by_lower, hash_u64((uintptr_t)lower),
		hash) if (node->lower == lower) return inode_ref(node->inode);
	return NULL;
}

int ovl_node_for_lower(struct super_block *sb, struct inode *lower, struct inode **ret)
{
	struct inode *inode = find_by_lower(sb, lower);
	struct ovl_node *node;
	struct kstat stat;
	int status;

	if (inode) {
		*ret = inode;
		return 0;
	}
	inode_fill_stat(lower, &stat);
	status = lower->ops->getattr ? lower->ops->getattr(lower, &stat) : 0;
	if (status < 0)
		return status;
	inode = find_by_lower(sb, lower); /* somebody may have come here while we slept */
	if (inode) {
		*ret = inode;
		return 0;
	}
	status = node_alloc(sb, stat.mode, &inode);
	if (status < 0)
		return status;
	node = ovl_node(inode);
	status = hash_insert(&ovl_super(sb)->by_lower, &node->hash, hash_u64((uintptr_t)lower));
	if (status < 0) {
		inode_unref(inode);
		return status;
	}
	node->lower = inode_ref(lower);
	inode->ino = stat.ino;
	inode->uid = stat.uid;
	inode->gid = stat.gid;
	inode->nlink = stat.nlink;
	inode->size = stat.size;
	inode->atime = (struct ktime){stat.atime.sec, stat.atime.nsec};
	inode->mtime = (struct ktime){stat.mtime.sec, stat.mtime.nsec};
	inode->ctime = (struct ktime){stat.ctime.sec, stat.ctime.nsec};
	inode->btime = (struct ktime){stat.btime.sec, stat.btime.nsec};
	*ret = inode;
	return 0;
}

int ovl_node_new(struct super_block *sb, const struct inode *dir, uint32_t mode,
	const struct cred *cred, struct inode **ret)
{
	struct ovl_super *super = ovl_super(sb);
	struct inode *inode;
	int status;

	if (super->inode_limit && super->inode_count >= super->inode_limit)
		return -ENOSPC;
	status = node_alloc(sb, mode, &inode);
	if (status < 0)
		return status;
	super->inode_count++;
	inode->ino = super->next_ino++;
	inode_init_owner(inode, dir, mode, cred);
	if (LX_S_ISREG(mode))
		status = tmpfs_new_file(
			super->upper, inode->mode & 07777, cred, &ovl_node(inode)->upper);
	if (status < 0) {
		inode_unref(inode);
		return status;
	}
	*ret = inode;
	return 0;
}

static void entries_free(struct ovl_node *node)
{
	while (!list_empty(&node->entry_list)) {
		struct ovl_entry *entry = list_first(&node->entry_list, struct ovl_entry, link);

		list_remove(&entry->link);
		hash_remove(&node->entries, &entry->hash);
		if (entry->inode)
			inode_unref(entry->inode);
		free(entry);
	}
	hash_fini(&node->entries);
}

/* A child holds its parent, whose freeing may free the next one up: in a loop, not in as many
 * frames as there are levels. */
static void release_parents(struct inode *parent)
{
	static struct inode *next;
	static bool running;

	if (running) {
		next = parent;
		return;
	}
	running = true;
	while (parent) {
		next = NULL;
		inode_unref(parent);
		parent = next;
	}
	running = false;
}

/*
 * A directory that goes away is empty but for whiteouts: its children hold it. So this does not
 * recurse into a tree.
 */
void ovl_destroy_inode(struct inode *inode)
{
	struct ovl_super *super = ovl_super(inode->sb);
	struct ovl_node *node = ovl_node(inode);
	struct inode *parent = node->parent;

	sentry_assert(node->opens == 0);
	if (!list_empty(&node->child))
		list_remove(&node->child);
	entries_free(node);
	if (node->lower) {
		hash_remove(&super->by_lower, &node->hash);
		inode_unref(node->lower);
	} else {
		super->inode_count--;
	}
	if (node->upper)
		inode_unref(node->upper);
	if (node->xattrs)
		inode_unref(node->xattrs);
	free(node->target);
	free(node->name);
	free(node);
	if (parent)
		release_parents(parent);
}

void ovl_node_clear_name(struct inode *inode)
{
	struct ovl_node *node = ovl_node(inode);

	list_remove(&node->child);
	free(TAKE(node->name));
	if (node->parent)
		inode_unref(TAKE(node->parent));
}

void ovl_node_set_name(struct inode *inode, struct inode *parent, const char *name, bool force)
{
	struct ovl_node *node = ovl_node(inode);
	char *copy;

	if ((node->parent && !force) || inode == parent)
		return;
	copy = strdup(name);
	if (!copy)
		return;
	inode_ref(parent);
	ovl_node_clear_name(inode);
	node->name = copy;
	node->parent = parent;
	list_add_tail(&node->child, &ovl_node(parent)->children);
	if (node->changed_data || node->changed_attr || node->changed_below)
		for (struct inode *up = parent; up && !ovl_node(up)->changed_below;
			up = ovl_node(up)->parent)
			ovl_node(up)->changed_below = true;
}

void ovl_node_pin(struct inode *inode)
{
	struct ovl_node *node = ovl_node(inode);

	if (node->lower && list_empty(&node->pinned) && inode->nlink > 0) {
		inode_ref(inode);
		list_add_tail(&node->pinned, &ovl_super(inode->sb)->pinned);
	}
	/* A parent is held by its child, so it needs no pin of its own to remember this. */
	for (struct inode *up = node->parent; up && !ovl_node(up)->changed_below;
		up = ovl_node(up)->parent)
		ovl_node(up)->changed_below = true;
}

void ovl_node_unpin(struct inode *inode)
{
	struct ovl_node *node = ovl_node(inode);

	if (!list_empty(&node->pinned)) {
		list_remove(&node->pinned);
		inode_unref(inode);
	}
}

/* ---- copy-up --------------------------------------------------------------------------------- */

static bool all_zero(const char *data, size_t size)
{
	return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

/* The kernel's own copying is under nobody's limits but the overlay's. */
static struct vfs_ctx kernel_ctx(void)
{
	return (struct vfs_ctx){.cred = cred_kernel(), .fsize_limit = UINT64_MAX};
}

static int copy_turn(struct file *from, struct file *to, char *buffer, size_t size, int64_t *pos)
{
	struct vfs_ctx ctx = kernel_ctx();
	struct uio_segment segment;
	struct uio uio;
	int64_t at = *pos;
	ssize_t got, put;

	uio_init_kernel(&uio, &segment, buffer, size);
	got = from->ops->read(from, &uio, &at);
	if (got < 0)
		return (int)got;
	if (got == 0)
		return 1; /* the host's file is shorter than it was */
	if (!all_zero(buffer, (size_t)got)) {
		at = *pos;
		uio_init_kernel(&uio, &segment, buffer, (size_t)got);
		put = to->ops->write(to, &uio, &at, &ctx);
		if (put < 0)
			return (int)put;
		if (put < got)
			return -ENOSPC;
	}
	*pos += got;
	return 0;
}

static int copy_data(struct inode *lower, struct inode *upper, uint64_t size)
{
	_cleanup_(cleanup_file_unref) struct file *from = NULL, *to = NULL;
	_cleanup_free_ char *buffer = malloc(SENTRY_MAX_COPY_TURN);
	struct iattr attr = {.valid = IATTR_SIZE, .size = size};
	int64_t pos = 0;
	int status;

	if (!buffer)
		return -ENOMEM;
	status = file_open_kernel(lower, "lower", LX_O_RDONLY, &from);
	if (status == 0)
		status = file_open_kernel(upper, "upper", LX_O_RDWR, &to);
	while (status == 0 && (uint64_t)pos < size) {
		status = copy_turn(from, to, buffer,
			(size_t)min_of(size - (uint64_t)pos, (uint64_t)SENTRY_MAX_COPY_TURN), &pos);
		if (status == 0 && fiber_current())
			fiber_yield();
	}
	if (status < 0)
		return status;
	/* Runs of zeros were left out: the size comes last. */
	fiber_mutex_lock(&upper->mutex);
	status = upper->ops->setattr(upper, &attr);
	fiber_mutex_unlock(&upper->mutex);
	return status;
}

int ovl_copy_up(struct inode *inode, uint64_t size)
{
	struct ovl_node *node = ovl_node(inode);
	_cleanup_(cleanup_inode_unref) struct inode *upper = NULL;
	int status;

	if (node->upper)
		return 0;
	status = tmpfs_new_file(
		ovl_super(inode->sb)->upper, inode->mode & 07777, cred_kernel(), &upper);
	if (status < 0)
		return status;
	upper->uid = inode->uid;
	upper->gid = inode->gid;
	status = copy_data(node->lower, upper, min_of(size, inode->size));
	if (status < 0)
		return status;
	upper->mtime = inode->mtime;
	upper->ctime = inode->ctime;
	upper->atime = inode->atime;
	node->upper = TAKE(upper);
	node->changed_data = true;
	ovl_node_pin(inode);
	return 0;
}

void ovl_node_sync(struct inode *inode)
{
	const struct inode *upper = ovl_node(inode)->upper;

	inode->size = upper->size;
	inode->mtime = upper->mtime;
	inode->ctime = upper->ctime;
	inode->mode = upper->mode;
	inode_changes(inode); /* what was promised of it, not of @upper */
}
