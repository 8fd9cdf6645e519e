/* SPDX-License-Identifier: Apache-2.0 */
/* sendfile(2) and copy_file_range(2): from file to file through a buffer of the kernel's. */
#include <errno.h>
#include <stdlib.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"
#include "vfs/anon.h"

#define COPY_BUFFER 65536u

/* A side of a copy: a position of the call's own, or the file's. */
struct copy_side {
	struct file *file;
	int64_t *pos; /* NULL: the file's position moves */
};

static ssize_t side_read(const struct copy_side *side, void *buffer, size_t size, int64_t pos,
	const struct vfs_ctx *ctx)
{
	struct uio_segment segment;
	struct uio uio;

	uio_init_kernel(&uio, &segment, buffer, size);
	return file_pread(side->file, &uio, pos, ctx);
}

static ssize_t side_write(
	const struct copy_side *side, void *buffer, size_t size, const struct vfs_ctx *ctx)
{
	struct uio_segment segment;
	struct uio uio;

	uio_init_kernel(&uio, &segment, buffer, size);
	return side->pos ? file_pwrite(side->file, &uio, *side->pos, ctx)
			 : file_write(side->file, &uio, ctx);
}

/* Only what was written counts as read. Returns the bytes, or the first error when there are none.
 */
static int64_t copy_loop(const struct copy_side *in, const struct copy_side *out, uint64_t count,
	const struct vfs_ctx *ctx)
{
	int64_t *in_pos = in->pos ? in->pos : &in->file->pos;
	_cleanup_free_ uint8_t *buffer = malloc(COPY_BUFFER);
	uint64_t total = 0;
	ssize_t done = 0;

	if (!buffer)
		return -ENOMEM;
	while (total < count) {
		size_t want = min_of(count - total, (uint64_t)COPY_BUFFER);
		ssize_t got = side_read(in, buffer, want, *in_pos, ctx);

		if (got <= 0) {
			done = got;
			break;
		}
		done = side_write(out, buffer, (size_t)got, ctx);
		if (done <= 0)
			break;
		/* Devices without positions leave the caller's alone. */
		if (!LX_S_ISCHR(in->file->inode->mode))
			*in_pos += done;
		if (out->pos)
			*out->pos += done;
		total += (uint64_t)done;
		if (done < got || fiber_interrupted(fiber_current()))
			break;
		if (total % SENTRY_MAX_COPY_TURN == 0)
			fiber_yield();
	}
	return total ? (int64_t)total : done;
}

static int64_t do_sendfile(
	struct task *t, struct file *in, struct file *out, int64_t *pos, uint64_t count)
{
	struct vfs_ctx ctx = task_vfs_ctx(t);
	struct copy_side from = {in, pos}, to = {out, NULL};
	bool fsize_hit = false;
	int64_t done, own;

	if (out->flags & LX_O_APPEND)
		return -EINVAL;
	/* Streams are refused before it is seen that there is nothing to do (FMODE_LSEEK). */
	if (count == 0)
		return in->ops->seek ? 0 : -EINVAL;
	/* Into a pipe goes what splice(2) takes there; only sockets are not covered below. */
	if (LX_S_ISSOCK(in->inode->mode) && LX_S_ISFIFO(out->inode->mode))
		return file_splice(in, NULL, out, NULL, count, false, &ctx);
	if (!LX_S_ISREG(in->inode->mode) && !LX_S_ISBLK(in->inode->mode) &&
		!LX_S_ISCHR(in->inode->mode))
		return -EINVAL;
	if (!in->ops->read || !out->ops->write)
		return -EINVAL;
	if (LX_S_ISCHR(in->inode->mode) && in->inode->rdev == lx_makedev(1, 3))
		return -EINVAL; /* /dev/null alone has no splice_read */
	if (!pos && LX_S_ISREG(in->inode->mode)) {
		own = file_seek(in, 0, LX_SEEK_CUR);
		from.pos = &own;
	}
	ctx.fsize_hit = &fsize_hit;
	done = copy_loop(&from, &to, min_of(count, (uint64_t)LX_MAX_RW_COUNT), &ctx);
	if (from.pos == &own && done > 0)
		(void)file_seek(in, own, LX_SEEK_SET);
	signal_failed_write(t, done, fsize_hit);
	return done;
}

/* As if it had been read and written. */
static void account(struct task *t, int64_t done)
{
	const struct task_io io = {.read_calls = 1,
		.write_calls = 1,
		.read_bytes = done > 0 ? (uint64_t)done : 0,
		.written_bytes = done > 0 ? (uint64_t)done : 0};

	task_io_add(&t->io, &io);
}

int64_t sys_sendfile(struct task *t, int out_fd, int in_fd, gaddr_t offset, uint64_t count)
{
	_cleanup_(cleanup_file_unref) struct file *in = NULL, *out = NULL;
	bool has_offset = !gaddr_is_null(offset);
	int64_t pos = 0, done;
	int err;

	if (has_offset) {
		err = guest_read_value(t, &pos, offset);
		if (err < 0)
			return err;
	}
	in = fd_get(t->files, in_fd);
	if (!in || !in->readable)
		return -EBADF;
	if (has_offset && file_is_stream(in))
		return -ESPIPE;
	if (pos < 0 || (int64_t)count < 0 || pos > INT64_MAX - (int64_t)count)
		return -EINVAL;
	out = fd_get(t->files, out_fd);
	if (!out || !out->writable)
		return -EBADF;
	done = do_sendfile(t, in, out, has_offset ? &pos : NULL, count);
	account(t, done);
	if (has_offset) {
		err = guest_write_value(t, offset, &pos);
		if (err < 0)
			return err;
	}
	return done;
}

/* generic_copy_file_checks() */
static int64_t copy_range_size(struct file *in, int64_t in_pos, struct file *out, int64_t out_pos,
	uint64_t count, const struct vfs_ctx *ctx)
{
	struct kstat stat;
	int64_t end;
	int err;

	if (LX_S_ISDIR(in->inode->mode) || LX_S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!LX_S_ISREG(in->inode->mode) || !LX_S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!in->readable || !out->writable || (out->flags & LX_O_APPEND))
		return -EBADF;
	/* vfs_copy_file_range(), since Linux 5.19 */
	if (in->inode->sb != out->inode->sb)
		return -EXDEV;
	/* Unsigned first: a negative position wraps (generic_copy_file_checks()). */
	if ((uint64_t)in_pos + count < (uint64_t)in_pos ||
		(uint64_t)out_pos + count < (uint64_t)out_pos)
		return -EOVERFLOW;
	/* The limit counts even when there is nothing to copy. */
	if (out_pos >= 0 && (uint64_t)out_pos >= ctx->fsize_limit) {
		*ctx->fsize_hit = true;
		return -EFBIG;
	}
	if (out_pos == INT64_MAX)
		return -EFBIG; /* s_maxbytes */
	if (in_pos < 0 || out_pos < 0 || (int64_t)count < 0)
		return -EINVAL;
	err = vfs_getattr(&in->path, &stat);
	if (err < 0)
		return err;
	if ((uint64_t)in_pos >= stat.size)
		return 0;
	count = min_of(count, stat.size - (uint64_t)in_pos);
	if (__builtin_add_overflow(out_pos, (int64_t)count, &end))
		return -EOVERFLOW;
	count = min_of(count, (uint64_t)LX_MAX_RW_COUNT);
	if (in->inode == out->inode && out_pos + (int64_t)count > in_pos &&
		out_pos < in_pos + (int64_t)count)
		return -EINVAL;
	return (int64_t)count;
}

static int read_position(struct task *t, gaddr_t addr, struct file *file, int64_t *ret_pos)
{
	if (!gaddr_is_null(addr))
		return guest_read_value(t, ret_pos, addr);
	/* Asked for rather than read: a descriptor of the host keeps its position outside. */
	*ret_pos = file_seek(file, 0, LX_SEEK_CUR);
	if (*ret_pos < 0)
		*ret_pos = file->pos; /* its kind is refused later, with the right error */
	return 0;
}

static int store_position(struct task *t, gaddr_t addr, struct file *file, int64_t pos)
{
	if (!gaddr_is_null(addr))
		return guest_write_value(t, addr, &pos);
	pos = file_seek(file, pos, LX_SEEK_SET);
	return pos < 0 ? (int)pos : 0;
}

int64_t sys_copy_file_range(struct task *t, int fd_in, gaddr_t off_in, int fd_out, gaddr_t off_out,
	uint64_t len, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *in = fd_get(t->files, fd_in);
	_cleanup_(cleanup_file_unref) struct file *out = fd_get(t->files, fd_out);
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int64_t in_pos, out_pos, size, done;
	struct copy_side from = {in, &in_pos}, to = {out, &out_pos};
	bool fsize_hit = false;
	int err;

	if (!in || !out)
		return -EBADF;
	err = read_position(t, off_in, in, &in_pos);
	if (err >= 0)
		err = read_position(t, off_out, out, &out_pos);
	if (err < 0)
		return err;
	if (flags)
		return -EINVAL;
	ctx.fsize_hit = &fsize_hit;
	size = copy_range_size(in, in_pos, out, out_pos, len, &ctx);
	if (size <= 0) {
		signal_failed_write(t, size, fsize_hit);
		return size;
	}
	done = copy_loop(&from, &to, (uint64_t)size, &ctx);
	account(t, done);
	signal_failed_write(t, done, fsize_hit);
	if (done <= 0)
		return done;
	err = store_position(t, off_in, in, in_pos);
	if (err >= 0)
		err = store_position(t, off_out, out, out_pos);
	return err < 0 ? err : done;
}
