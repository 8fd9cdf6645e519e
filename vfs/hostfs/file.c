/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading, writing and mapping host files.
 *
 * All I/O is positional on descriptors shared by everybody who has the inode open with the same
 * access mode. A read is tried with RWF_NOWAIT, which answers from the page cache or not at all; a
 * helper thread does the rest. Data goes through a buffer of ours in turns of 128 KiB, so that
 * neither a slow disk nor a slow guest stops the kernel thread for long.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "vfs/hostfs/hostfs_private.h"

/* Host calls: preadv2, statx; on writable mounts pwritev2, fsync, fdatasync. */

static void cleanup_buffer(void *buffer)
{
	host_buffer_put(*(void **)buffer);
}

struct io_job {
	int fd, flags;
	struct iovec iov;
	int64_t pos;
};

static int64_t read_job_run(void *arg)
{
	const struct io_job *job = arg;
	ssize_t got = preadv2(job->fd, &job->iov, 1, job->pos, job->flags);

	return got < 0 ? -errno : got;
}

static int64_t write_job_run(void *arg)
{
	const struct io_job *job = arg;
	ssize_t put = pwritev2(job->fd, &job->iov, 1, job->pos, job->flags);

	return put < 0 ? -errno : put;
}

/* One read of at most a buffer's size. May sleep. */
static ssize_t host_read(struct super_block *sb, struct io_job *job, bool nonblock)
{
	ssize_t got;

	if (host_super(sb)->reads_never_block)
		return read_job_run(job);
	job->flags = RWF_NOWAIT;
	got = read_job_run(job);
	job->flags = 0;
	if (got != -EAGAIN && got != -EOPNOTSUPP)
		return got;
	return nonblock ? -EAGAIN : host_blocking(read_job_run, job);
}

static uint64_t content_id(struct host_node *node)
{
	if (!node->content_id)
		node->content_id = uio_content_id();
	return node->content_id;
}

/* What the guest can copy from the host's page cache itself, of a tree that does not change. */
static ssize_t read_content(struct file *file, struct uio *uio, int64_t *pos)
{
	struct inode *inode = file->inode;
	struct host_node *node = host_node(inode);
	struct platform_content content = {.fd = host_node_fd(file)};
	ssize_t total = 0;

	if (!inode->sb->stable)
		return 0;
	content.id = content_id(node);
	while (uio->resid > 0 && *pos >= 0 && (uint64_t)*pos < inode->size) {
		ssize_t done = uio_copy_content(uio, &content, (uint64_t)*pos,
			inode->size - (uint64_t)*pos, (uint64_t)total);

		if (done <= 0)
			break;
		*pos += done;
		total += done;
	}
	return total;
}

static ssize_t hostfs_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct inode *inode = file->inode;
	ssize_t total = read_content(file, uio, pos);
	_cleanup_(cleanup_buffer) void *buffer = NULL;

	if (total > 0 && (uio->resid == 0 || *pos >= (int64_t)inode->size))
		return total;
	buffer = host_buffer_get();
	if (!buffer)
		return -ENOMEM;
	while (uio->resid > 0) {
		struct io_job job = {
			.fd = host_node_fd(file),
			.iov = {.iov_base = buffer,
				.iov_len = min_of(uio->resid, HOST_BUFFER_SIZE)},
			.pos = *pos,
		};
		ssize_t got = host_read(inode->sb, &job, uio->nonblock), copied;

		if (got <= 0)
			return total ? total : got;
		copied = uio_copy_to(uio, buffer, (size_t)got);
		if (copied <= 0)
			return total ? total : copied < 0 ? copied : -EFAULT;
		*pos += copied;
		total += copied;
		/* A short read at the known end needs no second one to see it. */
		if (copied < got ||
			(inode->sb->stable && inode->size > 0 && *pos >= (int64_t)inode->size))
			break;
		if (uio->resid > 0 && fiber_current())
			fiber_yield();
	}
	return total;
}

static ssize_t host_write(struct io_job *job)
{
	int flags = job->flags;
	ssize_t put;

	job->flags = flags | RWF_NOWAIT;
	put = write_job_run(job);
	job->flags = flags;
	if (put != -EAGAIN && put != -EOPNOTSUPP)
		return put;
	return host_blocking(write_job_run, job);
}

/* The size as the host has it now: others may append to a shared file. */
static int refresh_size(struct inode *inode, int fd)
{
	struct statx stat;
	int status = host_stat(fd, &stat);

	if (status == 0)
		host_node_update(inode, &stat);
	return status;
}

static ssize_t write_locked(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	struct inode *inode = file->inode;
	int fd = host_node_fd(file);
	_cleanup_(cleanup_buffer) void *buffer = host_buffer_get();
	bool append = file_appends(file, uio);
	bool sync = uio->dsync || (file->flags & LX_O_DSYNC);
	ssize_t total = 0, allowed;
	int status;

	if (!buffer)
		return -ENOMEM;
	status = refresh_size(inode, fd);
	if (status < 0)
		return status;
	allowed = file_write_prepare(file, uio, pos, inode->size, INT64_MAX, ctx);
	if (allowed <= 0)
		return allowed;
	while (total < allowed) {
		size_t size = min_of((size_t)(allowed - total), HOST_BUFFER_SIZE);
		ssize_t copied = uio_copy_from(uio, buffer, size), put;
		struct io_job job = {
			.fd = fd,
			.flags = (append ? RWF_APPEND : 0) | (sync ? RWF_DSYNC : 0),
			.iov = {.iov_base = buffer, .iov_len = (size_t)copied},
			.pos = *pos,
		};

		if (copied <= 0)
			return total ? total : copied < 0 ? copied : -EFAULT;
		put = host_write(&job);
		if (put < copied)
			uio_revert(uio, (uint64_t)(copied - (put < 0 ? 0 : put)));
		if (put <= 0)
			return total ? total : put;
		*pos += put;
		total += put;
		if (put < copied || (size_t)copied < size)
			break;
	}
	status = refresh_size(inode, fd);
	if (append && status == 0)
		*pos = (int64_t)inode->size; /* where the host put it, unless somebody was faster */
	return total;
}

static ssize_t hostfs_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	ssize_t ret;

	fiber_mutex_lock(&file->inode->mutex);
	ret = write_locked(file, uio, pos, ctx);
	fiber_mutex_unlock(&file->inode->mutex);
	return ret;
}

struct seek_job {
	int fd, whence;
	int64_t offset;
};

static int64_t seek_job_run(void *arg)
{
	const struct seek_job *job = arg;
	off_t pos = lseek(job->fd, (off_t)job->offset, job->whence);

	return pos < 0 ? -errno : pos;
}

/* The descriptor's own position means nothing to us, so it may move. */
static int64_t seek_hole(struct file *file, int64_t offset, int whence)
{
	struct seek_job job = {.fd = host_node_fd(file), .offset = offset};
	int64_t pos;

	job.whence = whence == LX_SEEK_DATA ? SEEK_DATA : SEEK_HOLE;
	pos = host_mostly_quick(seek_job_run, &job);
	if (pos >= 0)
		file->pos = pos;
	return pos;
}

static int64_t hostfs_seek(struct file *file, int64_t offset, int whence)
{
	struct inode *inode = file->inode;

	if (whence == LX_SEEK_DATA || whence == LX_SEEK_HOLE)
		return seek_hole(file, offset, whence);

	if (!inode->sb->stable && whence != LX_SEEK_SET && whence != LX_SEEK_CUR) {
		int fd = host_node_fd(file);
		int status = refresh_size(inode, fd);

		if (status < 0)
			return status;
	}
	return file_generic_seek(file, offset, whence, inode->size, INT64_MAX);
}

/* The descriptor has exactly the access of the guest's open file, so handing it to a stub grants no
 * more. */
static int hostfs_map(struct file *file, struct file_map *map)
{
	map->host_fd = host_node_fd(file);
	map->host_offset = map->offset;
	map->max_prot = LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC;
	if (map->shared && !file->writable)
		map->max_prot &= ~LX_PROT_WRITE;
	/* Whoever holds on to it keeps no more than with a mapping, and costs nothing. */
	if (file->inode->sb->stable)
		map->content = content_id(host_node(file->inode));
	return 0;
}

struct sync_job {
	int fd;
	bool data_only;
};

static int64_t sync_job_run(void *arg)
{
	const struct sync_job *job = arg;

	return (job->data_only ? fdatasync(job->fd) : fsync(job->fd)) < 0 ? -errno : 0;
}

static int hostfs_sync(struct file *file, bool data_only)
{
	struct sync_job job = {
		.fd = host_node_fd(file),
		.data_only = data_only,
	};

	if (file->inode->sb->read_only)
		return 0;
	return (int)host_blocking(sync_job_run, &job);
}

struct fallocate_job {
	int fd, mode;
	uint64_t offset, size;
};

static int64_t fallocate_job_run(void *arg)
{
	const struct fallocate_job *job = arg;

	return fallocate(job->fd, job->mode, (off_t)job->offset, (off_t)job->size) < 0 ? -errno : 0;
}

static int hostfs_fallocate(
	struct file *file, int mode, uint64_t offset, uint64_t size, const struct vfs_ctx *ctx)
{
	struct fallocate_job job = {
		.fd = host_node_fd(file),
		.mode = mode,
		.offset = offset,
		.size = size,
	};
	int status;

	if (mode & ~(LX_FALLOC_FL_KEEP_SIZE | LX_FALLOC_FL_PUNCH_HOLE | LX_FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	status = (int)host_blocking(fallocate_job_run, &job);
	if (status == 0)
		status = refresh_size(file->inode, job.fd);
	return status;
}

static void hostfs_release_file(struct file *file)
{
	host_node_close(file->inode);
}

const struct file_ops hostfs_file_ops = {
	.name = "host file",
	.read = hostfs_read,
	.write = hostfs_write,
	.seek = hostfs_seek,
	.map = hostfs_map,
	.sync = hostfs_sync,
	.fallocate = hostfs_fallocate,
	.release = hostfs_release_file,
};

int hostfs_open_file(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	int status = file->writable ? host_may_change(inode, "write to", false) : 0;

	status = status < 0 ? status : host_node_open(inode, host_node_slot(file));
	if (status < 0)
		return status;
	file->ops = &hostfs_file_ops;
	return 0;
}
