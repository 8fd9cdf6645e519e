/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev: a small tmpfs with the nodes that programs expect. What opening a device does is registered
 * by number, so a node that a guest makes elsewhere with mknod(2) behaves the same.
 */
#include <errno.h>

#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "vfs/dev/dev_private.h"

#define DEVFS_SIZE_MAX	 (1ull << 20)
#define DEVFS_INODES_MAX 4096

static const struct {
	const char *name;
	uint64_t number;
} nodes[] = {
	{"null", DEV_NULL},
	{"zero", DEV_ZERO},
	{"full", DEV_FULL},
	{"random", DEV_RANDOM},
	{"urandom", DEV_URANDOM},
	{"tty", DEV_TTY},
	{"ptmx", DEV_PTMX},
};

static const struct {
	const char *name, *target;
} links[] = {
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
};

static const struct {
	const char *name;
	uint32_t mode;
} directories[] = {
	{"pts", LX_S_IFDIR | 0755},
	{"shm", LX_S_IFDIR | 01777},
};

static int populate(struct inode *root)
{
	const struct cred *cred = cred_kernel();
	struct inode *inode;
	int status;

	for (size_t i = 0; i < array_size(nodes); i++) {
		status = root->ops->mknod(
			root, nodes[i].name, LX_S_IFCHR | 0666, nodes[i].number, cred, &inode);
		if (status < 0)
			return status;
		inode_unref(inode);
	}
	for (size_t i = 0; i < array_size(links); i++) {
		status = root->ops->symlink(root, links[i].name, links[i].target, cred, &inode);
		if (status < 0)
			return status;
		inode_unref(inode);
	}
	for (size_t i = 0; i < array_size(directories); i++) {
		status = root->ops->mkdir(
			root, directories[i].name, LX_S_IFDIR | directories[i].mode, cred, &inode);
		if (status < 0)
			return status;
		inode_unref(inode);
	}
	return 0;
}

int devfs_new(struct super_block **ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	int status = tmpfs_new(DEVFS_SIZE_MAX, DEVFS_INODES_MAX, 0755, &sb);

	for (size_t i = 0; i < array_size(nodes) && status == 0; i++)
		if (nodes[i].number != DEV_TTY &&
			nodes[i].number != DEV_PTMX) /* the terminal code's */
			status = device_register(nodes[i].number, memory_device_open);
	if (status == 0)
		status = populate(sb->root->inode);
	if (status < 0)
		return status;
	*ret = TAKE(sb);
	return 0;
}
