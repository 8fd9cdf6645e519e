/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostfs inodes: identity, attributes and the descriptors they borrow from the host.
 *
 * One inode for each (device, number) of the host that is in use, found by hash, so that hard links
 * and repeated look-ups agree. A descriptor is opened when a file is opened and stays with the
 * inode after the last close, on a list bounded by IDLE_NODES_MAX: opening the same library twice
 * costs no host call, and a walk over a big tree cannot use up RLIMIT_NOFILE.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "vfs/hostfs/hostfs_private.h"

/* Host calls: close, readlinkat; openat2 and statx through host.c. */

#define IDLE_NODES_MAX 128

static struct list_head idle_nodes = LIST_HEAD_INIT(idle_nodes); /* oldest first */
static unsigned idle_count;

static struct hostfs_owner owner_map = {.host_uid = UINT32_MAX, .host_gid = UINT32_MAX};

void hostfs_set_owner(const struct hostfs_owner *owner)
{
	owner_map = *owner;
}

uint32_t host_owner_uid(uint32_t guest_uid)
{
	return guest_uid == owner_map.guest_uid && owner_map.host_uid != UINT32_MAX
		       ? owner_map.host_uid
		       : guest_uid;
}

uint32_t host_owner_gid(uint32_t guest_gid)
{
	return guest_gid == owner_map.guest_gid && owner_map.host_gid != UINT32_MAX
		       ? owner_map.host_gid
		       : guest_gid;
}

/* ---- attributes ------------------------------------------------------------------------------ */

static struct ktime ktime_from(const struct statx_timestamp *stamp)
{
	return (struct ktime){.sec = stamp->tv_sec, .nsec = stamp->tv_nsec};
}

static uint64_t stat_dev(const struct statx *stat)
{
	return (uint64_t)stat->stx_dev_major << 32 | stat->stx_dev_minor;
}

/* Devices, FIFOs and sockets of the host have no place in the guest. */
static bool stat_is_visible(const struct statx *stat)
{
	return S_ISREG(stat->stx_mode) || S_ISDIR(stat->stx_mode) || S_ISLNK(stat->stx_mode);
}

void host_node_update(struct inode *inode, const struct statx *stat)
{
	struct host_node *node = host_node(inode);

	inode->mode = stat->stx_mode;
	inode->uid = stat->stx_uid == owner_map.host_uid ? owner_map.guest_uid
		     : owner_map.partial_ids		 ? 0
							 : stat->stx_uid;
	inode->gid = stat->stx_gid == owner_map.host_gid ? owner_map.guest_gid
		     : owner_map.partial_ids		 ? 0
							 : stat->stx_gid;
	inode->nlink = stat->stx_nlink;
	inode->size = stat->stx_size;
	inode->atime = ktime_from(&stat->stx_atime);
	inode->mtime = ktime_from(&stat->stx_mtime);
	inode->ctime = ktime_from(&stat->stx_ctime);
	inode->btime =
		ktime_from(stat->stx_mask & STATX_BTIME ? &stat->stx_btime : &stat->stx_mtime);
	node->blocks = stat->stx_blocks;
	node->block_size = stat->stx_blksize;
}

/* ---- identity -------------------------------------------------------------------------------- */

static const struct inode_ops *ops_for(const struct super_block *sb, uint32_t mode)
{
	if (S_ISDIR(mode))
		return sb->read_only ? &hostfs_dir_ops : &hostfs_dir_ops_rw;
	if (S_ISLNK(mode))
		return sb->read_only ? &hostfs_symlink_ops : &hostfs_symlink_ops_rw;
	return sb->read_only ? &hostfs_file_inode_ops : &hostfs_file_inode_ops_rw;
}

static struct inode *node_find(struct super_block *sb, uint64_t host_dev, uint64_t ino)
{
	struct host_node *node;

	hash_for_each_match(node, &host_super(sb)->nodes, hash_u64_pair(host_dev, ino),
		hash) if (node->host_dev == host_dev &&
			  node->inode->ino == ino) return inode_ref(node->inode);
	return NULL;
}

static int node_new(struct super_block *sb, const struct statx *stat, struct inode **ret)
{
	struct host_node *node = calloc(1, sizeof(*node));
	struct inode *inode;
	int status;

	if (!node)
		return -ENOMEM;
	status = hash_insert(
		&host_super(sb)->nodes, &node->hash, hash_u64_pair(stat_dev(stat), stat->stx_ino));
	if (status < 0) {
		free(node);
		return status;
	}
	node->host_dev = stat_dev(stat);
	for (unsigned i = 0; i < HOST_SLOTS; i++)
		node->fds[i] = -1;
	list_init(&node->idle);
	status = inode_new(sb, ops_for(sb, stat->stx_mode), stat->stx_mode, 0, &inode);
	if (status < 0) {
		hash_remove(&host_super(sb)->nodes, &node->hash);
		free(node);
		return status;
	}
	node->inode = inode;
	inode->private = node;
	inode->ino = stat->stx_ino;
	inode->file_ops = S_ISDIR(stat->stx_mode) ? &hostfs_dir_file_ops : &hostfs_file_ops;
	host_node_update(inode, stat);
	*ret = inode;
	return 0;
}

/* The target of a link on a tree that does not change is read while the descriptor is at hand. */
static void cache_target(struct inode *inode, int fd, const char *name)
{
	struct host_node *node = host_node(inode);
	char target[LX_PATH_MAX];
	ssize_t size;

	if (node->target || !inode->sb->stable)
		return;
	size = readlinkat(fd, name, target, sizeof(target) - 1);
	if (size > 0) {
		target[size] = '\0';
		node->target = strdup(target); /* without memory it is read again */
	}
}

/* The inode for what @stat tells of @at_name in @fd ("": @fd itself). */
static int node_for(struct super_block *sb, const struct statx *stat, int fd, const char *at_name,
	struct inode *parent, const char *name, struct inode **ret)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	int status;

	if (!stat_is_visible(stat))
		return -ENOENT;
	inode = node_find(sb, stat_dev(stat), stat->stx_ino);
	if (inode && (inode->mode & LX_S_IFMT) != (stat->stx_mode & LX_S_IFMT)) {
		/* The number was reused by the host: the old inode lives on without a name. */
		hash_remove(&host_super(sb)->nodes, &host_node(inode)->hash);
		host_node(inode)->host_dev = UINT64_MAX;
		host_node_detach(inode);
		inode_unref(TAKE(inode));
	}
	if (!inode) {
		status = node_new(sb, stat, &inode);
		if (status < 0)
			return status;
	} else if (!sb->stable) {
		host_node_update(inode, stat);
	}
	if (S_ISLNK(stat->stx_mode))
		cache_target(inode, fd, at_name);
	/* Directories have one name: an answer under another one means that the host moved it. */
	if (parent && (!host_node(inode)->parent || (S_ISDIR(stat->stx_mode) && !sb->stable &&
							    inode != sb->root->inode))) {
		status = host_node_rename(inode, parent, name);
		if (status < 0)
			return status;
	}
	*ret = TAKE(inode);
	return 0;
}

int host_node_get(
	struct super_block *sb, int fd, struct inode *parent, const char *name, struct inode **ret)
{
	struct statx stat;
	int status = host_stat(fd, &stat);

	return status < 0 ? status : node_for(sb, &stat, fd, "", parent, name, ret);
}

int host_node_get_at(int dir_fd, struct inode *dir, const char *name, struct inode **ret)
{
	struct statx stat;
	int status = host_stat_at(dir_fd, name, &stat);

	return status < 0 ? status : node_for(dir->sb, &stat, dir_fd, name, dir, name, ret);
}

void host_node_detach(struct inode *inode)
{
	struct host_node *node = host_node(inode);

	free(TAKE(node->name));
	if (node->parent)
		inode_unref(TAKE(node->parent));
}

int host_node_rename(struct inode *inode, struct inode *parent, const char *name)
{
	char *copy;

	if (inode == parent || inode == inode->sb->root->inode)
		return -ELOOP; /* the host showed a directory inside itself */
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	inode_ref(parent);
	host_node_detach(inode);
	host_node(inode)->name = copy;
	host_node(inode)->parent = parent;
	return 0;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void node_close_fds(struct host_node *node)
{
	if (host_super(node->inode->sb)->single_file)
		return; /* the superblock's own */
	for (unsigned i = 0; i < HOST_SLOTS; i++) {
		if (node->fds[i] >= 0)
			(void)close(node->fds[i]);
		node->fds[i] = -1;
	}
}

static void idle_remove(struct host_node *node)
{
	if (!list_empty(&node->idle)) {
		list_remove(&node->idle);
		idle_count--;
	}
}

static void idle_shrink(unsigned keep)
{
	while (idle_count > keep) {
		struct host_node *node = list_first(&idle_nodes, struct host_node, idle);

		idle_remove(node);
		node_close_fds(node);
	}
}

/* Opens the inode by its name and makes sure that it is still the same file. */
static int node_open_fd(struct inode *inode, int flags)
{
	_cleanup_close_ int fd = -1;
	char path[LX_PATH_MAX];
	struct statx stat;
	int status = host_path(inode, path);

	if (status < 0)
		return status;
	fd = host_open(host_super(inode->sb)->root_fd, path, flags, 0);
	if (fd == -EMFILE || fd == -ENFILE) {
		idle_shrink(0);
		fd = host_open(host_super(inode->sb)->root_fd, path, flags, 0);
	}
	if (fd < 0)
		return fd == -ELOOP ? -ENOENT : fd;
	status = host_stat(fd, &stat);
	if (status < 0)
		return status;
	if (stat.stx_ino != inode->ino || stat_dev(&stat) != host_node(inode)->host_dev ||
		(stat.stx_mode & LX_S_IFMT) != (inode->mode & LX_S_IFMT))
		return -ESTALE;
	if (!inode->sb->stable)
		host_node_update(inode, &stat);
	return take_fd(&fd);
}

int host_node_open_path(struct inode *inode)
{
	return node_open_fd(inode, O_PATH);
}

void host_node_hold(struct inode *inode)
{
	host_node(inode)->users++;
	idle_remove(host_node(inode));
}

void host_node_keep(struct inode *inode, int fd)
{
	struct host_node *node = host_node(inode);

	if (node->fds[HOST_READ_WRITE] >= 0) {
		(void)close(fd);
		return;
	}
	node->fds[HOST_READ_WRITE] = fd;
	host_node_hold(inode);
	host_node_close(inode);
}

enum host_slot host_node_slot(const struct file *file)
{
	unsigned mode = (unsigned)file->flags & LX_O_ACCMODE;

	/* 3 asks for both permissions and gets neither: any descriptor will do. */
	return mode < HOST_SLOTS ? (enum host_slot)mode : HOST_READ;
}

int host_node_fd(const struct file *file)
{
	const struct host_node *node = host_node(file->inode);
	enum host_slot slot = host_node_slot(file);

	/* Nobody can map a write-only file, so more access in the descriptor grants nothing. */
	if (slot == HOST_WRITE && node->fds[slot] < 0)
		slot = HOST_READ_WRITE;
	return node->fds[slot];
}

int host_node_open(struct inode *inode, enum host_slot slot)
{
	struct host_node *node = host_node(inode);
	int fd;

	if (node->fds[slot] < 0 && !(slot == HOST_WRITE && node->fds[HOST_READ_WRITE] >= 0)) {
		if (host_super(inode->sb)->single_file)
			return -EACCES; /* opened at start-up, once and for all */
		/* O_NONBLOCK and O_NOCTTY: should the name have become a FIFO or a terminal. */
		fd = node_open_fd(inode, (int)slot | O_NONBLOCK | O_NOCTTY);
		if (fd < 0)
			return fd == -ESTALE ? -ENOENT : fd;
		if (node->fds[slot] < 0)
			node->fds[slot] = fd;
		else
			(void)close(fd); /* another fiber was faster */
	}
	host_node_hold(inode);
	return 0;
}

void host_node_close(struct inode *inode)
{
	struct host_node *node = host_node(inode);

	if (--node->users > 0 || host_super(inode->sb)->single_file)
		return;
	if (!node->parent) {
		node_close_fds(node); /* unlinked: let the host free it */
		return;
	}
	list_add_tail(&node->idle, &idle_nodes);
	idle_count++;
	idle_shrink(IDLE_NODES_MAX);
}

int host_node_any_fd(const struct host_node *node)
{
	for (unsigned i = 0; i < HOST_SLOTS; i++)
		if (node->fds[i] >= 0)
			return node->fds[i];
	return -1;
}

int host_getattr(struct inode *inode, struct kstat *ret)
{
	struct host_node *node = host_node(inode);

	if (!inode->sb->stable) {
		_cleanup_close_ int opened = -1;
		struct statx stat;
		int fd = host_node_any_fd(node), status;

		if (fd < 0)
			fd = opened = host_node_open_path(inode);
		if (fd == -ENOENT || fd == -ESTALE) {
			/* Removed behind our back: what was known last, without links. */
			inode->nlink = 0;
		} else if (fd < 0) {
			return fd;
		} else {
			status = host_stat(fd, &stat);
			if (status < 0)
				return status;
			host_node_update(inode, &stat);
		}
	}
	inode_fill_stat(inode, ret);
	ret->blocks = node->blocks;
	ret->block_size = node->block_size;
	return 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

/*
 * Freeing an inode may free its parent and so on up: the queue keeps that from being as many stack
 * frames as the path has components.
 */
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
		inode_unref(parent); /* may come back here once, with its own parent */
		parent = next;
	}
	running = false;
}

void hostfs_destroy_inode(struct inode *inode)
{
	struct host_node *node = host_node(inode);
	struct inode *parent = node->parent;

	hostfs_lookup_forget(inode);
	idle_remove(node);
	node_close_fds(node);
	if (node->host_dev != UINT64_MAX)
		hash_remove(&host_super(inode->sb)->nodes, &node->hash);
	host_snapshot_unref(node->snapshot);
	free(node->name);
	free(node->target);
	free(node);
	if (parent)
		release_parents(parent);
}
