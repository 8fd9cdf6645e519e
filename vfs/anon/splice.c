/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splice(2), tee(2) and vmsplice(2).
 *
 * Linux moves page references; here the bytes are copied once more, through a buffer of ours when
 * the other side is not a pipe. What a program can see is the same: how many bytes move, when a
 * call waits, and that packets stay packets between two pipes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "vfs/anon/pipe_private.h"

#define SPLICE_BUFFER 65536u

/* ---- pipe to file ---- */

/* What lies at the tail in one piece. */
static size_t tail_run(struct pipe *pipe, uint8_t **ret_data)
{
	struct pipe_slot *slot = pipe_slot(pipe, pipe->tail);

	*ret_data = pipe_page(pipe, pipe->tail) + slot->offset;
	return slot->size;
}

static ssize_t file_write_kernel(struct file *file, int64_t *pos, void *data, size_t size,
	bool nonblock, const struct vfs_ctx *ctx)
{
	struct uio_segment segment;
	struct uio uio;
	ssize_t written;

	uio_init_kernel(&uio, &segment, data, size);
	uio.nonblock = nonblock;
	if (!pos)
		return file_write(file, &uio, ctx);
	written = file_pwrite(file, &uio, *pos, ctx);
	if (written > 0)
		*pos += written;
	return written;
}

/* kernel: splice_from_pipe() */
static ssize_t pipe_to_file(struct pipe *pipe, struct file *out, int64_t *pos, size_t size,
	bool nonblock, const struct vfs_ctx *ctx)
{
	bool was_full, slept = false;
	size_t done = 0;
	int err;

	if (out->flags & LX_O_APPEND)
		return -EINVAL;
	err = fiber_mutex_lock_interruptible(&pipe->mutex);
	if (err < 0)
		return err;
	err = pipe_wait_readable(pipe, nonblock, &slept);
	if (err < 0)
		return err;
	was_full = pipe_full(pipe);
	while (done < size && !pipe_empty(pipe)) {
		uint8_t *data;
		size_t piece = min_of(tail_run(pipe, &data), size - done);
		ssize_t written = file_write_kernel(out, pos, data, piece, nonblock, ctx);

		if (written <= 0) {
			err = (int)written;
			break;
		}
		pipe_consume(pipe, (size_t)written);
		done += (size_t)written;
		if ((size_t)written < piece)
			break;
	}
	fiber_mutex_unlock(&pipe->mutex);
	if (was_full && !pipe_full(pipe))
		pipe_wake_writers(pipe);
	return done ? (ssize_t)done : err;
}

/* ---- file to pipe ---- */

static ssize_t file_read_kernel(struct file *file, int64_t *pos, void *data, size_t size,
	bool nonblock, const struct vfs_ctx *ctx)
{
	struct uio_segment segment;
	struct uio uio;
	ssize_t got;

	uio_init_kernel(&uio, &segment, data, size);
	uio.nonblock = nonblock;
	if (!pos)
		return file_read(file, &uio, ctx);
	got = file_pread(file, &uio, *pos, ctx);
	if (got > 0)
		*pos += got;
	return got;
}

/* Into free slots, which must suffice. */
static void push_bytes(struct pipe *pipe, const uint8_t *data, size_t size)
{
	while (size > 0) {
		uint32_t piece = (uint32_t)min_of(size, (size_t)LX_PAGE_SIZE);

		memcpy(pipe_page(pipe, pipe->head), data, piece);
		*pipe_slot(pipe, pipe->head) = (struct pipe_slot){.size = piece};
		pipe->head++;
		data += piece;
		size -= piece;
	}
}

/* Waits for a free slot in the locked @pipe, with its pages in place. */
static int wait_for_space(struct pipe *pipe, bool nonblock)
{
	bool slept = false;
	int err;

	if (!pipe->readers) {
		fiber_mutex_unlock(&pipe->mutex);
		return -EPIPE;
	}
	err = pipe_wait_writable(pipe, nonblock, &slept);
	if (err < 0)
		return err;
	err = pipe->readers ? pipe_allocate_store(pipe) : -EPIPE;
	if (err < 0)
		fiber_mutex_unlock(&pipe->mutex);
	return err;
}

/* kernel: splice_file_to_pipe() */
static ssize_t file_to_pipe(struct file *in, int64_t *pos, struct pipe *pipe, size_t size,
	bool nonblock, const struct vfs_ctx *ctx)
{
	const int64_t began = pos ? *pos : 0;
	_cleanup_free_ uint8_t *buffer = NULL;
	bool was_empty;
	ssize_t got;
	size_t room;
	int err;

	err = fiber_mutex_lock_interruptible(&pipe->mutex);
	if (err < 0)
		return err;
	err = wait_for_space(pipe, nonblock);
	if (err < 0)
		return err;
	room = (pipe->slot_count - pipe_used(pipe)) * LX_PAGE_SIZE;
	size = min_of(min_of(size, room), (size_t)SPLICE_BUFFER);
	if (LX_S_ISDIR(in->inode->mode) ||
		(LX_S_ISCHR(in->inode->mode) && in->inode->rdev == lx_makedev(1, 3))) {
		fiber_mutex_unlock(&pipe->mutex);
		return -EINVAL; /* no splice_read: directories and /dev/null */
	}
	buffer = malloc(size);
	got = buffer ? file_read_kernel(in, pos, buffer, size, nonblock, ctx) : -ENOMEM;
	/* Devices without positions leave the caller's alone. */
	if (pos && LX_S_ISCHR(in->inode->mode))
		*pos = began;
	was_empty = pipe_empty(pipe);
	if (got > 0)
		push_bytes(pipe, buffer, (size_t)got);
	fiber_mutex_unlock(&pipe->mutex);
	if (got > 0 && (was_empty || pipe->polled))
		pipe_wake_readers(pipe);
	return got;
}

/* ---- memory to pipe ---- */

/*
 * The rest of a segment, or what of it the free slots up to the ring's end take: each byte lies in
 * its slot's page where it lay in its own. Returns the bytes, or -EFAULT when not one slot was
 * filled.
 */
static ssize_t fill_pages(struct pipe *pipe, struct uio *uio)
{
	const struct uio_segment *segment = &uio->segments[uio->segment];
	uint32_t index = pipe->head & (pipe->slot_count - 1);
	uint32_t run = min_of(pipe->slot_count - pipe_used(pipe), pipe->slot_count - index);
	size_t start = gaddr_add(segment->guest, uio->offset).v % LX_PAGE_SIZE, done = 0;
	size_t wanted = min_of((size_t)run * LX_PAGE_SIZE - start,
		(size_t)min_of(segment->size - uio->offset, uio->resid));
	ssize_t copied = uio_copy_from(uio, pipe_page(pipe, pipe->head) + start, wanted);

	if (copied < 0)
		return copied;
	/* A page that is not there whole is not there. */
	if ((size_t)copied < wanted) {
		size_t beyond = (start + (size_t)copied) % LX_PAGE_SIZE;

		copied = (size_t)copied > beyond ? copied - (ssize_t)beyond : 0;
	}
	while (done < (size_t)copied) {
		uint32_t offset = (uint32_t)((start + done) % LX_PAGE_SIZE);
		uint32_t piece = (uint32_t)min_of((size_t)copied - done, LX_PAGE_SIZE - offset);

		*pipe_slot(pipe, pipe->head) = (struct pipe_slot){.offset = offset, .size = piece};
		pipe->head++;
		done += piece;
	}
	return done ? (ssize_t)done : -EFAULT;
}

/* kernel: vmsplice_to_pipe(), iter_to_pipe() */
ssize_t file_vmsplice(struct file *file, struct uio *uio)
{
	struct pipe *pipe = file_pipe(file);
	uint64_t all = uio->resid;
	bool was_empty;
	size_t done = 0;
	int err;

	if (!pipe)
		return -EBADF;
	err = fiber_mutex_lock_interruptible(&pipe->mutex);
	if (err < 0)
		return err;
	err = wait_for_space(pipe, uio->nonblock);
	if (err < 0)
		return err;
	was_empty = pipe_empty(pipe);
	while (uio->resid && !pipe_full(pipe) && done == all - uio->resid) {
		ssize_t moved;

		uio_skip(uio, 0);
		moved = fill_pages(pipe, uio);
		if (moved < 0) {
			err = (int)moved;
			break;
		}
		done += (size_t)moved;
	}
	fiber_mutex_unlock(&pipe->mutex);
	if (done && (was_empty || pipe->polled))
		pipe_wake_readers(pipe);
	return done ? (ssize_t)done : err;
}

/* ---- pipe to pipe ---- */

/* Two pipes are locked in the order of their addresses. */
static int lock_both(struct pipe *a, struct pipe *b)
{
	struct pipe *first = a < b ? a : b, *second = a < b ? b : a;
	int err = fiber_mutex_lock_interruptible(&first->mutex);

	if (err < 0)
		return err;
	err = fiber_mutex_lock_interruptible(&second->mutex);
	if (err < 0)
		fiber_mutex_unlock(&first->mutex);
	return err;
}

static void unlock_both(struct pipe *a, struct pipe *b)
{
	fiber_mutex_unlock(&a->mutex);
	fiber_mutex_unlock(&b->mutex);
}

/*
 * Locks both when @in has data and @out has room. 0: @in is at its end (nothing is locked). 1: go
 * on. One of the conditions may have gone while waiting for the other, so both are tested again.
 * The input comes first, and only its end is less than what is wrong with the output (ipipe_prep(),
 * opipe_prep()).
 */
static int lock_ready(struct pipe *in, struct pipe *out, bool nonblock)
{
	bool slept = false;
	int err;

	for (;;) {
		err = lock_both(in, out);
		if (err < 0)
			return err;
		if (pipe_empty(in) && in->writers) {
			fiber_mutex_unlock(&out->mutex);
			err = pipe_wait_readable(in, nonblock, &slept);
			if (err < 0)
				return err;
			fiber_mutex_unlock(&in->mutex);
			continue;
		}
		if (!out->readers) {
			unlock_both(in, out);
			return -EPIPE;
		}
		if (pipe_full(out)) {
			fiber_mutex_unlock(&in->mutex);
			err = pipe_wait_writable(out, nonblock, &slept);
			if (err < 0)
				return err;
			fiber_mutex_unlock(&out->mutex);
			continue;
		}
		if (pipe_empty(in)) {
			unlock_both(in, out);
			return 0;
		}
		err = pipe_allocate_store(out);
		if (err == 0)
			return 1;
		unlock_both(in, out);
		return err;
	}
}

/* kernel: splice_pipe_to_pipe(), link_pipe() (which leaves the input as it is) */
static ssize_t move_slots(struct pipe *in, struct pipe *out, size_t size, bool nonblock, bool keep)
{
	bool in_was_full, out_was_empty;
	uint32_t from;
	size_t done = 0;
	int err = lock_ready(in, out, nonblock);

	if (err <= 0)
		return err;
	in_was_full = pipe_full(in);
	out_was_empty = pipe_empty(out);
	from = in->tail;
	while (done < size && from != in->head && !pipe_full(out)) {
		struct pipe_slot *slot = pipe_slot(in, from);
		uint32_t piece = (uint32_t)min_of((size_t)slot->size, size - done);

		memcpy(pipe_page(out, out->head), pipe_page(in, from) + slot->offset, piece);
		*pipe_slot(out, out->head) =
			(struct pipe_slot){.size = piece, .packet = slot->packet};
		out->head++;
		from++;
		if (!keep)
			pipe_consume(in, piece);
		done += piece;
	}
	unlock_both(in, out);
	if (out_was_empty || out->polled)
		pipe_wake_readers(out);
	if (in_was_full && !pipe_full(in))
		pipe_wake_writers(in);
	return (ssize_t)done;
}

/* ---- the calls ---- */

ssize_t file_splice(struct file *in, int64_t *in_pos, struct file *out, int64_t *out_pos,
	size_t size, bool nonblock, const struct vfs_ctx *ctx)
{
	struct pipe *in_pipe = file_pipe(in), *out_pipe = file_pipe(out);

	if (size == 0)
		return 0;
	size = min_of(size, (size_t)LX_MAX_RW_COUNT);
	if (in_pipe && out_pipe) {
		if (in_pos || out_pos)
			return -ESPIPE;
		if (in_pipe == out_pipe)
			return -EINVAL;
		nonblock = nonblock || ((in->flags | out->flags) & LX_O_NONBLOCK);
		return move_slots(in_pipe, out_pipe, size, nonblock, false);
	}
	if (in_pipe) {
		if (in_pos)
			return -ESPIPE;
		if (out_pos && file_is_stream(out))
			return -EINVAL; /* no FMODE_PWRITE */
		return pipe_to_file(in_pipe, out, out_pos, size, nonblock, ctx);
	}
	if (out_pipe) {
		if (out_pos)
			return -ESPIPE;
		if (in_pos && file_is_stream(in))
			return -EINVAL; /* no FMODE_PREAD */
		nonblock = nonblock || (out->flags & LX_O_NONBLOCK);
		return file_to_pipe(in, in_pos, out_pipe, size, nonblock, ctx);
	}
	return -EINVAL;
}

ssize_t file_tee(struct file *in, struct file *out, size_t size, bool nonblock)
{
	struct pipe *in_pipe = file_pipe(in), *out_pipe = file_pipe(out);

	if (!in_pipe || !out_pipe || in_pipe == out_pipe)
		return -EINVAL;
	if (size == 0)
		return 0;
	nonblock = nonblock || ((in->flags | out->flags) & LX_O_NONBLOCK);
	return move_slots(in_pipe, out_pipe, size, nonblock, true);
}
