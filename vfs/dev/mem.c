/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory devices of null(4), full(4) and random(4).
 *
 * Mapping /dev/zero gives fresh zeros for each mapping, shared ones shared with children only
 * (mmap_zero in Linux' drivers/char/mem.c): each mapping gets a range of its own in an unlinked
 * memory file that belongs to the open file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/poll.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/random.h"
#include "vfs/dev/dev_private.h"

#define CHUNK_SIZE 4096u

/* Never more for one open /dev/zero than half the address space. */
#define ZERO_MAP_MAX (1ull << 46)

static ssize_t null_read(struct file *file, struct uio *uio, int64_t *pos)
{
	return 0;
}

/* What is written goes nowhere, unread: even from addresses that are not there. */
static ssize_t null_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	return (ssize_t)uio->resid;
}

static int64_t null_seek(struct file *file, int64_t offset, int whence)
{
	file->pos = 0;
	return 0;
}

static const struct file_ops null_ops = {
	.name = "null",
	.idle = FILE_READS_END | FILE_WRITES_NOTHING,
	.read = null_read,
	.write = null_write,
	.seek = null_seek,
};

static ssize_t zero_read(struct file *file, struct uio *uio, int64_t *pos)
{
	ssize_t total = 0;

	while (uio->resid > 0) {
		uint64_t size = min_of(uio->resid, (uint64_t)SENTRY_MAX_COPY_TURN);
		ssize_t put = uio_zero_to(uio, size);

		if (put <= 0)
			return total ? total : put < 0 ? put : -EFAULT;
		total += put;
		if ((uint64_t)put < size || fiber_interrupted(fiber_current()))
			break;
		if (uio->resid > 0)
			fiber_yield();
	}
	return total;
}

/* The memory behind the mappings of one open /dev/zero. */
struct zero_memory {
	struct file *file; /* owned: an unlinked tmpfs file */
	uint64_t used;
};

static int zero_memory_new(struct cred *cred, struct zero_memory **ret)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	struct zero_memory *memory;
	struct super_block *sb;
	int status = tmpfs_internal(&sb);

	if (status == 0)
		status = tmpfs_new_file(sb, 0600, cred, &inode);
	if (status < 0)
		return status;
	memory = calloc(1, sizeof(*memory));
	if (!memory)
		return -ENOMEM;
	status = file_open_kernel(inode, "/dev/zero", LX_O_RDWR, &memory->file);
	if (status < 0) {
		free(memory);
		return status;
	}
	*ret = memory;
	return 0;
}

static int zero_map(struct file *file, struct file_map *map)
{
	struct zero_memory *memory = file->private;
	const struct file_ops *ops;
	struct iattr attr = {.valid = IATTR_SIZE};
	int status;

	if (!memory) {
		status = zero_memory_new(file->cred, &memory);
		if (status < 0)
			return status;
		file->private = memory;
	}
	if (!add_checked(memory->used, map->size, &attr.size) || attr.size > ZERO_MAP_MAX)
		return -ENOMEM;
	fiber_mutex_lock(&memory->file->inode->mutex);
	status = memory->file->inode->ops->setattr(memory->file->inode, &attr);
	fiber_mutex_unlock(&memory->file->inode->mutex);
	if (status < 0)
		return status;
	ops = memory->file->ops;
	map->offset = memory->used;
	memory->used = attr.size;
	return ops->map(memory->file, map);
}

static void zero_release(struct file *file)
{
	struct zero_memory *memory = file->private;

	if (!memory)
		return;
	file_unref(memory->file);
	free(memory);
}

static const struct file_ops zero_ops = {
	.name = "zero",
	.idle = FILE_READS_ZERO | FILE_WRITES_NOTHING,
	.read = zero_read,
	.write = null_write,
	.seek = null_seek,
	.map = zero_map,
	.release = zero_release,
};

static ssize_t full_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	return -ENOSPC;
}

static const struct file_ops full_ops = {
	.name = "full",
	.read = zero_read,
	.write = full_write,
	.seek = null_seek,
};

static ssize_t random_read(struct file *file, struct uio *uio, int64_t *pos)
{
	unsigned char bytes[CHUNK_SIZE];
	ssize_t total = 0;

	while (uio->resid > 0) {
		size_t size = min_of(uio->resid, (uint64_t)sizeof(bytes));
		ssize_t put;

		random_bytes(bytes, size);
		put = uio_copy_to(uio, bytes, size);
		if (put <= 0) {
			if (total == 0)
				total = put < 0 ? put : -EFAULT;
			break;
		}
		total += put;
		if ((size_t)put < size || fiber_interrupted(fiber_current()))
			break;
		if (total % SENTRY_MAX_COPY_TURN == 0)
			fiber_yield();
	}
	explicit_bzero(bytes, sizeof(bytes));
	return total;
}

/* Entropy from a guest is taken and thrown away: ours comes from the host. */
static ssize_t random_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	unsigned char bytes[CHUNK_SIZE];
	ssize_t total = 0;

	while (uio->resid > 0) {
		ssize_t got =
			uio_copy_from(uio, bytes, min_of(uio->resid, (uint64_t)sizeof(bytes)));

		if (got <= 0)
			return total ? total : got < 0 ? got : -EFAULT;
		total += got;
		if (total % SENTRY_MAX_COPY_TURN == 0)
			fiber_yield();
	}
	return total;
}

static int64_t random_seek(struct file *file, int64_t offset, int whence)
{
	return file->pos; /* noop_llseek */
}

/* random_ioctl(): what it does not know is invalid, whatever others make of it. */
static int64_t random_ioctl(
	struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx)
{
	return -EINVAL;
}

static const struct file_ops random_ops = {
	.name = "random",
	.read = random_read,
	.write = random_write,
	.seek = random_seek,
	.ioctl = random_ioctl,
};

/* random_poll(): seeded at once, and for ever. urandom(4) cannot be waited for. */
static uint32_t random_poll(struct file *file)
{
	return LX_POLLIN | LX_POLLRDNORM;
}

static const struct file_ops random_waited_ops = {
	.name = "random",
	.read = random_read,
	.write = random_write,
	.seek = random_seek,
	.ioctl = random_ioctl,
	.poll = random_poll,
};

int memory_device_open(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	switch (inode->rdev) {
	case DEV_NULL:
		file->ops = &null_ops;
		return 0;
	case DEV_ZERO:
		file->ops = &zero_ops;
		return 0;
	case DEV_FULL:
		file->ops = &full_ops;
		return 0;
	case DEV_RANDOM:
		file->ops = &random_waited_ops;
		return 0;
	case DEV_URANDOM:
		file->ops = &random_ops;
		return 0;
	default:
		return -ENXIO;
	}
}
