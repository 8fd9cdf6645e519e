/* SPDX-License-Identifier: Apache-2.0 */
/* read(2), write(2) and their vector and positioned forms, lseek(2), readahead(2),
 * posix_fadvise(2), vmsplice(2) */
#include <errno.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "abi/uio.h"
#include "base/cleanup.h"
#include "sentry/socket/socket.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"
#include "sentry/held.h"
#include "vfs/anon.h"

#define RWF_KNOWN                                                                                  \
	(LX_RWF_HIPRI | LX_RWF_DSYNC | LX_RWF_SYNC | LX_RWF_NOWAIT | LX_RWF_APPEND |               \
		LX_RWF_NOAPPEND | LX_RWF_NOSIGNAL)

/* One transfer, decoded. @pos NULL: at and with the file's own position. */
static int64_t do_transfer(
	struct task *t, struct file *file, struct uio *uio, const int64_t *pos, bool write)
{
	struct vfs_ctx ctx = task_vfs_ctx(t);
	bool fsize_hit = false;
	int64_t done;

	ctx.fsize_hit = &fsize_hit;
	if (!write) {
		done = pos ? file_pread(file, uio, *pos, &ctx) : file_read(file, uio, &ctx);
		t->io.read_calls++;
		t->io.read_bytes += done > 0 ? (uint64_t)done : 0;
		return done;
	}
	done = pos ? file_pwrite(file, uio, *pos, &ctx) : file_write(file, uio, &ctx);
	t->io.write_calls++;
	t->io.written_bytes += done > 0 ? (uint64_t)done : 0;
	if (done != -EPIPE || (!uio->no_signal && !socket_without_sigpipe(file)))
		signal_failed_write(t, done, fsize_hit);
	return done;
}

/* vfs_read()'s and vfs_write()'s checks before the transfer. */
static int check_transfer(const struct file *file, bool write)
{
	if (write ? !file->writable : !file->readable)
		return -EBADF;
	if (write ? !file->ops->write : !file->ops->read && !LX_S_ISDIR(file->inode->mode))
		return -EINVAL;
	return 0;
}

static int64_t transfer_buffer(
	struct task *t, int fd, gaddr_t buf, uint64_t count, const int64_t *pos, bool write)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);
	struct uio_segment segment;
	struct uio uio;
	int err;

	if (!file)
		return -EBADF;
	if (pos && file_is_stream(file))
		return -ESPIPE;
	err = check_transfer(file, write);
	if (err < 0)
		return err;
	if (!guest_range_ok(buf, count))
		return -EFAULT;
	uio_init_guest(&uio, &segment, t->thread, buf, count);
	uio.deferred = !write && guest_buffer_writable(t, buf, count);
	if (file->ops->idle)
		held_device(t, file, fd);
	return do_transfer(t, file, &uio, pos, write);
}

int64_t sys_read(struct task *t, int fd, gaddr_t buf, uint64_t count)
{
	return transfer_buffer(t, fd, buf, count, NULL, false);
}

int64_t sys_write(struct task *t, int fd, gaddr_t buf, uint64_t count)
{
	return transfer_buffer(t, fd, buf, count, NULL, true);
}

int64_t sys_pread64(struct task *t, int fd, gaddr_t buf, uint64_t count, int64_t pos)
{
	int64_t done = pos < 0 ? -EINVAL : transfer_buffer(t, fd, buf, count, &pos, false);

	if (done > 0)
		opened_tell_again(t, fd);
	return done;
}

int64_t sys_pwrite64(struct task *t, int fd, gaddr_t buf, uint64_t count, int64_t pos)
{
	return pos < 0 ? -EINVAL : transfer_buffer(t, fd, buf, count, &pos, true);
}

/* kiocb_set_rw_flags() */
static int apply_rw_flags(struct uio *uio, unsigned flags)
{
	if (flags & ~(unsigned)RWF_KNOWN)
		return -EOPNOTSUPP;
	if ((flags & LX_RWF_APPEND) && (flags & LX_RWF_NOAPPEND))
		return -EINVAL;
	uio->nonblock = flags & LX_RWF_NOWAIT;
	uio->append = flags & LX_RWF_APPEND;
	uio->no_append = flags & LX_RWF_NOAPPEND;
	uio->no_signal = flags & LX_RWF_NOSIGNAL;
	uio->dsync = flags & (LX_RWF_DSYNC | LX_RWF_SYNC);
	return 0;
}

static int64_t transfer_vector(struct task *t, int fd, gaddr_t iov, uint64_t count,
	const int64_t *pos, unsigned flags, bool write)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);
	_cleanup_free_ struct uio_segment *segments = NULL;
	struct uio uio;
	int err;

	if (!file)
		return -EBADF;
	if (pos && file_is_stream(file))
		return -ESPIPE;
	err = check_transfer(file, write);
	if (err < 0)
		return err;
	/* import_iovec() takes an unsigned int. */
	err = guest_read_iovec(t, iov, (uint32_t)count, &segments, &uio);
	if (err < 0)
		return err;
	for (size_t i = 0; i < uio.segment_count; i++)
		if (!guest_range_ok(segments[i].guest, segments[i].size))
			return -EFAULT;
	if (uio.resid == 0)
		return 0;
	err = apply_rw_flags(&uio, flags);
	return err < 0 ? err : do_transfer(t, file, &uio, pos, write);
}

int64_t sys_readv(struct task *t, int fd, gaddr_t iov, uint64_t iovcnt)
{
	return transfer_vector(t, fd, iov, iovcnt, NULL, 0, false);
}

int64_t sys_writev(struct task *t, int fd, gaddr_t iov, uint64_t iovcnt)
{
	return transfer_vector(t, fd, iov, iovcnt, NULL, 0, true);
}

/* On 64 bits the low half is the whole position (pos_from_hilo()). */
int64_t sys_preadv(struct task *t, int fd, gaddr_t iov, uint64_t iovcnt, int64_t pos, uint64_t high)
{
	return pos < 0 ? -EINVAL : transfer_vector(t, fd, iov, iovcnt, &pos, 0, false);
}

int64_t sys_pwritev(
	struct task *t, int fd, gaddr_t iov, uint64_t iovcnt, int64_t pos, uint64_t high)
{
	return pos < 0 ? -EINVAL : transfer_vector(t, fd, iov, iovcnt, &pos, 0, true);
}

/* preadv2(2): position -1 is the file's own. */
static int64_t transfer_vector2(struct task *t, int fd, gaddr_t iov, uint64_t count, int64_t pos,
	unsigned flags, bool write)
{
	if (pos == -1)
		return transfer_vector(t, fd, iov, count, NULL, flags, write);
	return pos < 0 ? -EINVAL : transfer_vector(t, fd, iov, count, &pos, flags, write);
}

int64_t sys_preadv2(struct task *t, int fd, gaddr_t iov, uint64_t iovcnt, int64_t pos,
	uint64_t high, unsigned flags)
{
	return transfer_vector2(t, fd, iov, iovcnt, pos, flags, false);
}

int64_t sys_pwritev2(struct task *t, int fd, gaddr_t iov, uint64_t iovcnt, int64_t pos,
	uint64_t high, unsigned flags)
{
	return transfer_vector2(t, fd, iov, iovcnt, pos, flags, true);
}

int64_t sys_lseek(struct task *t, int fd, int64_t offset, int whence)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);

	return file ? file_seek(file, offset, whence) : -EBADF;
}

/* The data need not be in memory before it is read: checking is all there is to do. */
int64_t sys_readahead(struct task *t, int fd, int64_t offset, uint64_t count)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);

	if (!file || !file->readable)
		return -EBADF;
	if (!LX_S_ISREG(file->inode->mode) && !LX_S_ISBLK(file->inode->mode))
		return -EINVAL;
	return (int64_t)count < 0 ? -EINVAL : 0; /* as fadvise64 */
}

int64_t sys_fadvise64(struct task *t, int fd, int64_t offset, uint64_t len, int advice)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);

	if (!file)
		return -EBADF;
	if (LX_S_ISFIFO(file->inode->mode))
		return -ESPIPE;
	if ((int64_t)len < 0 || advice < LX_POSIX_FADV_NORMAL || advice > LX_POSIX_FADV_NOREUSE)
		return -EINVAL;
	return 0;
}

int64_t sys_vmsplice(struct task *t, int fd, gaddr_t iov, uint64_t nr_segs, unsigned flags)
{
	const unsigned known =
		LX_SPLICE_F_MOVE | LX_SPLICE_F_NONBLOCK | LX_SPLICE_F_MORE | LX_SPLICE_F_GIFT;
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	_cleanup_free_ struct uio_segment *segments = NULL;
	struct uio uio;
	int err;

	if (flags & ~known)
		return -EINVAL;
	file = fd_get(t->files, fd);
	if (!file || (!file->readable && !file->writable))
		return -EBADF;
	err = guest_read_iovec(t, iov, (uint32_t)nr_segs, &segments, &uio); /* as above */
	if (err < 0)
		return err;
	for (size_t i = 0; i < uio.segment_count; i++)
		if (!guest_range_ok(segments[i].guest, segments[i].size))
			return -EFAULT;
	if (uio.resid == 0)
		return 0;
	if (!file_is_pipe(file))
		return -EBADF;
	uio.nonblock = flags & LX_SPLICE_F_NONBLOCK;
	if (file->writable) {
		ssize_t done = file_vmsplice(file, &uio);

		signal_failed_write(t, done, false);
		return done;
	}
	uio.spliced = true;
	return do_transfer(t, file, &uio, NULL, false);
}
