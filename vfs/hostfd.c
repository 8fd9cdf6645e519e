/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of the host that the launcher handed over: standard input, output and error.
 *
 * The open file description behind such a descriptor is shared with processes outside (the shell,
 * the other end's reader), so nothing of it may change: O_NONBLOCK stays as it is, and a terminal
 * is never configured. Still the kernel thread must not wait in it:
 *
 *  - pipes and sockets are read and written with RWF_NOWAIT, which is O_NONBLOCK for one call.
 * Where the host's kind of file does not know it (terminals, pipes before Linux 6.4) the descriptor
 * is polled first and a helper thread does the call, at most PIPE_BUF bytes for a write: after
 * POLLOUT that much fits.
 *  - regular files go to a helper thread when the page cache does not have the data. The position
 * is the host description's own: standard output and error may share it (`>file 2>&1`), and the
 * shell goes on where we stopped.
 *
 * The guest sees a pipe where the host has a terminal: with -t it gets a terminal of its own, and
 * otherwise none.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/mman.h"
#include "abi/poll.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "vfs/dev/dev_private.h"
#include "vfs/hostfs/hostfs_private.h"

/* Host calls: preadv2, pwritev2, poll, lseek, statx, epoll_ctl, close; for regular files ftruncate,
 * fsync. SIGPIPE is ignored by the whole process: a reader that went away is the guest's EPIPE. */

#define HOSTFD_MAGIC 0x686f7374 /* "host" */

struct hostfd {
	int fd;	    /* owned */
	int access; /* LX_O_RDONLY, WRONLY or RDWR, as opened outside */
	bool regular;
	bool null;	/* /dev/null: the guest's own serves as well */
	bool no_nowait; /* the host's file knows no RWF_NOWAIT: poll first, then a helper */
	bool watched;
	struct loop_fd watch; /* edge-triggered: wakes the queue */
	struct wait_queue queue;
};

static struct super_block *hostfd_sb;

static struct hostfd *hostfd_of(const struct file *file)
{
	return file->inode->private;
}

static void cleanup_buffer(void *buffer)
{
	host_buffer_put(*(void **)buffer);
}

/* ---- the limit on output --------------------------------------------------------------------- */

static struct {
	uint64_t used, limit;
	void (*hit)(void);
} output = {.limit = UINT64_MAX};

void output_limit(uint64_t size, void (*hit)(void))
{
	output.limit = size;
	output.hit = hit;
}

uint64_t output_take(uint64_t size)
{
	uint64_t taken = min_of(size, output.limit - output.used);

	output.used += taken;
	if (taken < size && output.hit)
		output.hit();
	return taken;
}

void output_give_back(uint64_t size)
{
	output.used -= size;
}

uint64_t output_size(void)
{
	return output.used;
}

/* ---- one transfer ---------------------------------------------------------------------------- */

struct transfer {
	int fd, flags;
	bool write;
	struct iovec iov;
	int64_t pos; /* -1: the description's own position, or a stream */
};

static int64_t transfer_run(void *arg)
{
	const struct transfer *t = arg;
	ssize_t done = t->write ? pwritev2(t->fd, &t->iov, 1, t->pos, t->flags)
				: preadv2(t->fd, &t->iov, 1, t->pos, t->flags);

	return done < 0 ? -errno : done;
}

static uint32_t poll_now(int fd)
{
	static const struct timespec no_wait;
	struct pollfd entry = {
		.fd = fd,
		.events = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP,
	};

	int count;

	/* What is taken for not ready is not looked at before something changes. */
	do {
		count = ppoll(&entry, 1, &no_wait, NULL);
	} while (count < 0 && errno == EINTR);
	if (count < 0)
		return POLLERR; /* the transfer will tell */
	return count > 0 ? (uint16_t)entry.revents : 0;
}

/* -EAGAIN: would block. May sleep on a helper thread, but not for another process to act. */
static ssize_t stream_transfer(struct hostfd *host, struct transfer *t)
{
	uint32_t wanted = t->write ? POLLOUT | POLLERR | POLLHUP : POLLIN | POLLERR | POLLHUP;
	int flags = t->flags;

	if (!host->no_nowait) {
		ssize_t done;

		t->flags = flags | RWF_NOWAIT;
		done = transfer_run(t);
		t->flags = flags;
		if (done != -EOPNOTSUPP)
			return done;
		host->no_nowait = true;
	}
	if (!(poll_now(host->fd) & wanted))
		return -EAGAIN;
	if (t->write)
		t->iov.iov_len = min_of(t->iov.iov_len, (size_t)LX_PIPE_BUF);
	return host_blocking(transfer_run, t);
}

static ssize_t regular_transfer(struct hostfd *host, struct transfer *t)
{
	int flags = t->flags;

	if (!host->no_nowait) {
		ssize_t done;

		t->flags = flags | RWF_NOWAIT;
		done = transfer_run(t);
		t->flags = flags;
		if (done != -EAGAIN && done != -EOPNOTSUPP)
			return done;
		host->no_nowait = done == -EOPNOTSUPP;
	}
	return host_blocking(transfer_run, t);
}

static bool would_block(const struct file *file, const struct uio *uio)
{
	return uio->nonblock || (file->flags & LX_O_NONBLOCK);
}

/* ---- streams --------------------------------------------------------------------------------- */

static ssize_t stream_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct hostfd *host = hostfd_of(file);
	_cleanup_(cleanup_buffer) void *buffer = host_buffer_get();
	struct transfer t = {.fd = host->fd, .pos = -1};
	ssize_t got, copied;

	if (!buffer)
		return -ENOMEM;
	if (uio->resid == 0)
		return 0;
	for (;;) {
		int status;

		t.iov = (struct iovec){buffer, min_of(uio->resid, HOST_BUFFER_SIZE)};
		got = stream_transfer(host, &t);
		if (got != -EAGAIN)
			break;
		if (would_block(file, uio))
			return -EAGAIN;
		status = wait_event_interruptible(
			&host->queue, poll_now(host->fd) & (POLLIN | POLLERR | POLLHUP));
		if (status < 0)
			return status;
	}
	if (got <= 0)
		return got;
	copied = uio_copy_to(uio, buffer, (size_t)got);
	return copied > 0 ? copied : copied < 0 ? copied : -EFAULT;
}

/* Writes a buffer's worth. Returns what was taken, less than @size only with an error or
 * interruption in *ret_status. */
static size_t stream_write_all(struct file *file, const struct uio *uio, struct hostfd *host,
	char *buffer, size_t size, int *ret_status)
{
	size_t done = 0;

	*ret_status = 0;
	while (done < size && *ret_status == 0) {
		size_t part = (size_t)output_take(size - done);
		struct transfer t = {
			.fd = host->fd,
			.write = true,
			.pos = -1,
			.iov = {buffer + done, part},
		};
		ssize_t put = part ? stream_transfer(host, &t) : -ENOSPC;

		output_give_back(part - (size_t)max_of(put, (ssize_t)0));
		if (put >= 0)
			done += (size_t)put;
		else if (put != -EAGAIN)
			*ret_status = (int)put;
		else if (would_block(file, uio))
			*ret_status = -EAGAIN;
		else
			*ret_status = wait_event_interruptible(
				&host->queue, poll_now(host->fd) & (POLLOUT | POLLERR | POLLHUP));
	}
	return done;
}

static ssize_t stream_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	struct hostfd *host = hostfd_of(file);
	_cleanup_(cleanup_buffer) char *buffer = host_buffer_get();
	ssize_t total = 0;

	if (!buffer)
		return -ENOMEM;
	while (uio->resid > 0) {
		size_t size = min_of(uio->resid, HOST_BUFFER_SIZE), done;
		ssize_t copied = uio_copy_from(uio, buffer, size);
		int status;

		if (copied <= 0)
			return total ? total : copied < 0 ? copied : -EFAULT;
		done = stream_write_all(file, uio, host, buffer, (size_t)copied, &status);
		total += (ssize_t)done;
		if (done < (size_t)copied)
			uio_revert(uio, (uint64_t)copied - done);
		if (status < 0)
			return total ? total : status;
	}
	return total;
}

static uint32_t stream_poll(struct file *file)
{
	return poll_now(hostfd_of(file)->fd);
}

static struct wait_queue *stream_poll_queue(struct file *file)
{
	struct hostfd *host = hostfd_of(file);

	return host->watched ? &host->queue : NULL;
}

static const struct file_ops stream_ops = {
	.name = "host stream",
	.read = stream_read,
	.write = stream_write,
	.poll = stream_poll,
	.poll_queue = stream_poll_queue,
};

/* ---- regular files --------------------------------------------------------------------------- */

/* f_pos lives in the host's description; pread and pwrite bring a position of their own. */
static int64_t host_position(const struct file *file, const int64_t *pos)
{
	return pos == &file->pos ? -1 : *pos;
}

static ssize_t regular_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct hostfd *host = hostfd_of(file);
	_cleanup_(cleanup_buffer) void *buffer = host_buffer_get();
	ssize_t total = 0;

	if (!buffer)
		return -ENOMEM;
	while (uio->resid > 0) {
		struct transfer t = {
			.fd = host->fd,
			.pos = host_position(file, pos),
			.iov = {buffer, min_of(uio->resid, HOST_BUFFER_SIZE)},
		};
		ssize_t got = regular_transfer(host, &t), copied;

		if (got <= 0)
			return total ? total : got;
		copied = uio_copy_to(uio, buffer, (size_t)got);
		if (copied < got && t.pos < 0)
			(void)lseek(host->fd, -(off_t)(got - max_of(copied, (ssize_t)0)), SEEK_CUR);
		if (copied <= 0)
			return total ? total : copied < 0 ? copied : -EFAULT;
		*pos += copied;
		total += copied;
		if (copied < got)
			break;
	}
	return total;
}

static int refresh(struct inode *inode)
{
	struct hostfd *host = inode->private;
	struct statx stat;
	int status = host_stat(host->fd, &stat);

	if (status < 0)
		return status;
	inode->size = stat.stx_size;
	inode->nlink = stat.stx_nlink;
	inode->atime = (struct ktime){stat.stx_atime.tv_sec, stat.stx_atime.tv_nsec};
	inode->mtime = (struct ktime){stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec};
	inode->ctime = (struct ktime){stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec};
	return 0;
}

static ssize_t regular_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	struct hostfd *host = hostfd_of(file);
	_cleanup_(cleanup_buffer) void *buffer = host_buffer_get();
	bool append = file_appends(file, uio), own = pos == &file->pos;
	ssize_t total = 0, allowed;
	int status = refresh(file->inode);

	if (!buffer)
		return -ENOMEM;
	if (status < 0)
		return status;
	if (own)
		*pos = lseek(host->fd, 0, SEEK_CUR);
	allowed = file_write_prepare(file, uio, pos, file->inode->size, INT64_MAX, ctx);
	if (allowed <= 0)
		return allowed;
	while (total < allowed) {
		size_t size = min_of((size_t)(allowed - total), HOST_BUFFER_SIZE);
		ssize_t copied = uio_copy_from(uio, buffer, size), put;
		struct transfer t = {
			.fd = host->fd,
			.write = true,
			.flags = append ? RWF_APPEND : 0,
			.pos = own ? -1 : *pos,
		};

		if (copied <= 0)
			return total ? total : copied < 0 ? copied : -EFAULT;
		t.iov = (struct iovec){buffer, (size_t)output_take((uint64_t)copied)};
		put = t.iov.iov_len ? regular_transfer(host, &t) : -ENOSPC;
		output_give_back(t.iov.iov_len - (size_t)max_of(put, (ssize_t)0));
		if (put < copied)
			uio_revert(uio, (uint64_t)(copied - max_of(put, (ssize_t)0)));
		if (put <= 0)
			return total ? total : put;
		*pos += put;
		total += put;
		if (put < copied || (size_t)copied < size)
			break;
	}
	return total;
}

static int64_t regular_seek(struct file *file, int64_t offset, int whence)
{
	off_t pos;

	if (whence < SEEK_SET || whence > SEEK_HOLE)
		return -EINVAL;
	pos = lseek(hostfd_of(file)->fd, offset, whence);
	if (pos < 0)
		return -errno;
	file->pos = pos;
	return pos;
}

/* The launcher's descriptor is handed on as it is: a guest that has it open for writing may write
 * it. */
static int regular_map(struct file *file, struct file_map *map)
{
	map->host_fd = hostfd_of(file)->fd;
	map->host_offset = map->offset;
	map->max_prot = LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC;
	if (map->shared && !file->writable)
		map->max_prot &= ~LX_PROT_WRITE;
	/* What is written through memory is not counted. */
	if (map->shared && output.hit) {
		if (map->prot & LX_PROT_WRITE)
			return -EACCES;
		map->max_prot &= ~LX_PROT_WRITE;
	}
	return 0;
}

struct regular_job {
	int fd;
	enum { JOB_SYNC, JOB_TRUNCATE } kind;
	uint64_t size;
};

static int64_t regular_job_run(void *arg)
{
	const struct regular_job *job = arg;
	int ret;

	if (job->kind == JOB_TRUNCATE)
		ret = ftruncate(job->fd, (off_t)job->size);
	else
		ret = fsync(job->fd);
	return ret < 0 ? -errno : 0;
}

static int regular_sync(struct file *file, bool data_only)
{
	struct regular_job job = {
		.fd = hostfd_of(file)->fd,
		.kind = JOB_SYNC, /* which does all that fdatasync(2) does: one host call less */
	};

	return (int)host_blocking(regular_job_run, &job);
}

static const struct file_ops regular_ops = {
	.name = "host file descriptor",
	.read = regular_read,
	.write = regular_write,
	.seek = regular_seek,
	.map = regular_map,
	.sync = regular_sync,
};

/* ---- the inode ------------------------------------------------------------------------------- */

static int hostfd_getattr(struct inode *inode, struct kstat *ret)
{
	const struct hostfd *host = inode->private;
	int status = host->regular ? refresh(inode) : 0;

	if (status < 0)
		return status;
	inode_fill_stat(inode, ret);
	ret->blocks = (inode->size + 511) / 512;
	return 0;
}

/* ftruncate(2) alone: owner, mode and times of what was handed over are not the guest's. */
static int hostfd_setattr(struct inode *inode, const struct iattr *attr)
{
	struct hostfd *host = inode->private;
	struct regular_job job = {.fd = host->fd, .kind = JOB_TRUNCATE, .size = attr->size};

	if ((attr->valid & (IATTR_MODE | IATTR_UID | IATTR_GID | IATTR_ATIME)) ||
		!(attr->valid & IATTR_SIZE) || !host->regular)
		return -EPERM;
	return (int)host_blocking(regular_job_run, &job);
}

/* /dev/stdin and /proc/self/fd/N: the same host description again, so it shares the position. */
static int hostfd_open(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	const struct hostfd *host = inode->private;
	if (host->null)
		return memory_device_open(inode, file, ctx);
	if (host->access != LX_O_RDWR && (file->flags & LX_O_ACCMODE) != host->access)
		return -EACCES;
	file->ops = host->regular ? &regular_ops : &stream_ops;
	file->stream = !host->regular;
	return 0;
}

static const struct inode_ops hostfd_inode_ops = {
	.getattr = hostfd_getattr,
	.setattr = hostfd_setattr,
	.open = hostfd_open,
};

static void hostfd_free(struct hostfd *host)
{
	if (host->watched)
		loop_fd_remove(&host->watch);
	wait_queue_destroy(&host->queue);
	if (host->fd >= 0)
		(void)close(host->fd);
	free(host);
}

static void hostfd_destroy_inode(struct inode *inode)
{
	if (inode->private)
		hostfd_free(inode->private);
}

static const struct super_ops hostfd_super_ops = {
	.destroy_inode = hostfd_destroy_inode,
};

static void hostfd_ready(struct loop_fd *watch, uint32_t events)
{
	struct hostfd *host = watch->data;

	wait_queue_wake(&host->queue, events);
}

/* What the guest sees: regular files, sockets and /dev/null as such, everything else as a pipe. */
static uint32_t guest_mode(const struct hostfd *host, const struct statx *stat)
{
	if (host->null)
		return LX_S_IFCHR | 0666;
	if (host->regular)
		return LX_S_IFREG | (stat->stx_mode & 0666);
	if (S_ISSOCK(stat->stx_mode))
		return LX_S_IFSOCK | 0777;
	return LX_S_IFIFO | 0600;
}

static int hostfd_inode_new(struct hostfd *host, struct inode **ret)
{
	struct statx stat;
	int status = host_stat(host->fd, &stat);

	if (status == 0 && !hostfd_sb)
		status = super_block_new(&hostfd_super_ops, "hostfd", HOSTFD_MAGIC, &hostfd_sb);
	if (status < 0)
		return status;
	host->regular = S_ISREG(stat.stx_mode);
	host->null = S_ISCHR(stat.stx_mode) && stat.stx_rdev_major == 1 && stat.stx_rdev_minor == 3;
	if (!host->regular && !host->null) {
		host->watch = (struct loop_fd){
			.fd = host->fd,
			.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
			.ready = hostfd_ready,
			.data = host,
		};
		status = loop_fd_add(&host->watch);
		if (status < 0 &&
			status != -EPERM) /* some devices cannot be polled: always ready */
			return status;
		host->watched = status == 0;
	}
	status = inode_new(hostfd_sb, &hostfd_inode_ops, guest_mode(host, &stat), 0, ret);
	if (status < 0)
		return status;
	(*ret)->nlink = 1;
	if (host->null)
		(*ret)->rdev = DEV_NULL;
	return 0;
}

static void inode_name(
	const struct hostfd *host, const struct inode *inode, char *name, size_t size)
{
	const char *kind = LX_S_ISSOCK(inode->mode) ? "socket" : "pipe";

	if (host->null)
		(void)snprintf(name, size, "/dev/null");
	else if (host->regular)
		(void)snprintf(name, size, "anon_inode:[hostfile]");
	else
		(void)snprintf(name, size, "%s:[%llu]", kind, (unsigned long long)inode->ino);
}

static void cleanup_hostfd(struct hostfd **host)
{
	if (*host) {
		(*host)->fd = -1; /* still the caller's */
		hostfd_free(*host);
	}
}

int hostfd_file_new(int fd, int flags, struct file **ret)
{
	_cleanup_(cleanup_hostfd) struct hostfd *host = calloc(1, sizeof(*host));
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	int host_flags = fcntl(fd, F_GETFL), status;
	char name[64];

	if (host_flags < 0)
		return -errno;
	if (!host)
		return -ENOMEM;
	wait_queue_init(&host->queue);
	host->fd = fd;
	host->access = host_flags & O_ACCMODE;
	status = hostfd_inode_new(host, &inode);
	if (status < 0)
		return status;
	inode_name(host, inode, name, sizeof(name));
	inode->private = host; /* hostfd_open() looks at it */
	status = file_open_kernel(inode, name,
		host->access | (flags & ~LX_O_ACCMODE) | (host_flags & (O_APPEND | O_NONBLOCK)),
		ret);
	if (status < 0) {
		inode->private = NULL;
		return status;
	}
	if (host->regular)
		(*ret)->pos = lseek(fd, 0, SEEK_CUR);
	host = NULL; /* the inode's */
	return 0;
}
