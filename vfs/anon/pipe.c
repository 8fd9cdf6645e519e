/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and FIFOs: pipe(7), fifo(7); kernel fs/pipe.c.
 *
 * As in Linux a pipe is a ring of page-sized slots, not of bytes, because programs can see it: a
 * slot holds one packet in packet mode; a write of at most PIPE_BUF bytes gets a slot of its own or
 * the rest of the last one, so it is atomic; a pipe is "full" for poll() when no slot is free. The
 * pages of all slots are one allocation, so a run of slots is copied in one piece.
 *
 * Copies to and from guest memory sleep, so they happen under the pipe's mutex. Taking it is
 * interruptible: the holder waits for a guest process, which must not be able to make others
 * unkillable. poll() and release() look at counters only and need no mutex.
 */
#include "vfs/anon/pipe_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "vfs/anon/anon_private.h"

#define PIPE_SLOTS_DEFAULT (LX_PIPE_SIZE_DEFAULT / LX_PAGE_SIZE)
/* fs.pipe-user-pages-soft: beyond it new pipes are small and none may grow. */
#define PIPE_PAGES_SOFT	   16384u
#define PIPE_SLOTS_MINIMUM 2u
/* fs.pipe-user-pages-hard, but for the sandbox: no pipe beyond it. */
#define PIPE_PAGES_HARD 32768u
#define PIPEFS_MAGIC	0x50495045

static struct super_block *pipefs;
static uint32_t pages_in_use; /* slots of all pipes */
static void (*sigpipe)(void *task);

static const struct file_ops pipe_file_ops;

void pipe_register_sigpipe(void (*fn)(void *task))
{
	sigpipe = fn;
}

struct pipe *file_pipe(const struct file *file)
{
	return file->ops == &pipe_file_ops ? ((struct pipe_end *)file->private)->pipe : NULL;
}

bool file_is_pipe(const struct file *file)
{
	return file->ops == &pipe_file_ops;
}

/* ---- the object ---- */

static int pipe_alloc(struct inode *inode, struct pipe **ret)
{
	struct pipe *pipe;

	if (pages_in_use + PIPE_SLOTS_MINIMUM > PIPE_PAGES_HARD)
		return -ENFILE;
	pipe = calloc(1, sizeof(*pipe));
	if (!pipe)
		return -ENOMEM;
	pipe->slot_count = pages_in_use + PIPE_SLOTS_DEFAULT > PIPE_PAGES_SOFT ? PIPE_SLOTS_MINIMUM
									       : PIPE_SLOTS_DEFAULT;
	pipe->slots = calloc(pipe->slot_count, sizeof(*pipe->slots));
	if (!pipe->slots) {
		free(pipe);
		return -ENOMEM;
	}
	pages_in_use += pipe->slot_count;
	fiber_mutex_init(&pipe->mutex);
	wait_queue_init(&pipe->queue);
	pipe->inode = inode;
	inode->fifo = pipe;
	*ret = pipe;
	return 0;
}

static void pipe_free(struct pipe *pipe)
{
	pipe->inode->fifo = NULL;
	pages_in_use -= pipe->slot_count;
	wait_queue_destroy(&pipe->queue);
	free(pipe->store);
	free(pipe->slots);
	free(pipe);
}

int pipe_allocate_store(struct pipe *pipe)
{
	if (!pipe->store)
		pipe->store = malloc(pipe->slot_count * LX_PAGE_SIZE);
	return pipe->store ? 0 : -ENOMEM;
}

void pipe_wake_readers(struct pipe *pipe)
{
	wait_queue_wake(&pipe->queue, LX_POLLIN | LX_POLLRDNORM);
}

void pipe_wake_writers(struct pipe *pipe)
{
	wait_queue_wake(&pipe->queue, LX_POLLOUT | LX_POLLWRNORM);
}

static void wake_all(struct pipe *pipe)
{
	wait_queue_wake_all(&pipe->queue,
		LX_POLLIN | LX_POLLRDNORM | LX_POLLOUT | LX_POLLWRNORM | LX_POLLERR | LX_POLLHUP);
}

int pipe_wait_readable(struct pipe *pipe, bool nonblock, bool *slept)
{
	while (pipe_empty(pipe) && pipe->writers) {
		int err;

		fiber_mutex_unlock(&pipe->mutex);
		if (nonblock)
			return -EAGAIN;
		err = wait_sleep(&pipe->queue, LX_POLLIN | LX_POLLHUP, WAIT_FOREVER, true, true);
		if (err < 0)
			return err;
		*slept = true;
		err = fiber_mutex_lock_interruptible(&pipe->mutex);
		if (err < 0)
			return err;
	}
	return 0;
}

int pipe_wait_writable(struct pipe *pipe, bool nonblock, bool *slept)
{
	while (pipe_full(pipe) && pipe->readers) {
		int err;

		fiber_mutex_unlock(&pipe->mutex);
		if (nonblock)
			return -EAGAIN;
		err = wait_sleep(&pipe->queue, LX_POLLOUT | LX_POLLERR, WAIT_FOREVER, true, true);
		if (err < 0)
			return err;
		*slept = true;
		err = fiber_mutex_lock_interruptible(&pipe->mutex);
		if (err < 0)
			return err;
	}
	return 0;
}

void pipe_unlock_if_held(struct pipe *pipe)
{
	if (pipe->mutex.owner == fiber_current())
		fiber_mutex_unlock(&pipe->mutex);
}

/* ---- reading ---- */

/* Whole pages that lie one behind the other from the tail on: how many bytes a copy may take at
 * once. */
static size_t readable_run(struct pipe *pipe)
{
	struct pipe_slot *slot = pipe_slot(pipe, pipe->tail);
	size_t size = slot->size;
	uint32_t next = pipe->tail + 1;

	if (slot->packet || slot->offset + slot->size < LX_PAGE_SIZE)
		return size;
	for (; next != pipe->head && (next & (pipe->slot_count - 1)) != 0; next++) {
		slot = pipe_slot(pipe, next);
		if (slot->packet || slot->offset != 0)
			break;
		size += slot->size;
		if (slot->size < LX_PAGE_SIZE)
			break;
	}
	return size;
}

void pipe_consume(struct pipe *pipe, size_t size)
{
	while (size > 0) {
		struct pipe_slot *slot = pipe_slot(pipe, pipe->tail);
		uint32_t piece = (uint32_t)min_of((size_t)slot->size, size);

		slot->offset += piece;
		slot->size -= piece;
		size -= piece;
		if (slot->size == 0)
			pipe->tail++;
	}
}

/* How many of the first @size bytes lie in slots that end among them. */
static size_t whole_slots(struct pipe *pipe, size_t size)
{
	size_t whole = 0;

	for (unsigned at = pipe->tail; at != pipe->head; at++) {
		const struct pipe_slot *slot = pipe_slot(pipe, at);

		if (whole + slot->size > size)
			break;
		whole += slot->size;
	}
	return whole;
}

/*
 * Moves what fits of the present data into @uio. Returns the bytes, or -EFAULT when not even the
 * first piece could be copied. *ret_packet: a packet ends the read.
 */
static ssize_t take_run(struct pipe *pipe, struct uio *uio, bool *ret_packet)
{
	struct pipe_slot *slot = pipe_slot(pipe, pipe->tail);
	size_t wanted = min_of(readable_run(pipe), (size_t)uio->resid);
	ssize_t copied = uio_copy_to(uio, pipe_page(pipe, pipe->tail) + slot->offset, wanted);

	if (copied < 0)
		return copied;
	/* A piece that the reader's memory could not take whole stays and does not count. */
	if ((size_t)copied < wanted)
		copied = (ssize_t)whole_slots(pipe, (size_t)copied);
	if (copied == 0)
		return -EFAULT;
	*ret_packet = slot->packet && !uio->spliced;
	if (*ret_packet && (size_t)copied == wanted)
		pipe->tail++; /* what the reader had no room for is lost */
	else
		pipe_consume(pipe, (size_t)copied);
	return copied;
}

static ssize_t pipe_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct pipe *pipe = file_pipe(file);
	bool nonblock = (!uio->spliced && (file->flags & LX_O_NONBLOCK)) || uio->nonblock;
	bool was_full, packet = false, slept = false;
	size_t done = 0;
	int err;

	(void)pos;
	if (uio->resid == 0)
		return 0;
	err = fiber_mutex_lock_interruptible(&pipe->mutex);
	if (err < 0)
		return err;
	err = pipe_wait_readable(pipe, nonblock, &slept);
	if (err < 0)
		return err;
	was_full = pipe_full(pipe);
	while (!pipe_empty(pipe) && uio->resid && !packet) {
		ssize_t moved = take_run(pipe, uio, &packet);

		if (moved < 0) {
			err = (int)moved;
			break;
		}
		done += (size_t)moved;
	}
	fiber_mutex_unlock(&pipe->mutex);
	if (was_full && !pipe_full(pipe))
		pipe_wake_writers(pipe);
	/* The wake-up that ended our sleep was exclusive: what is left is the next reader's. */
	if (slept && !pipe_empty(pipe))
		pipe_wake_readers(pipe);
	if (!done)
		return err;
	inode_touch_atime(pipe->inode);
	return (ssize_t)done;
}

/* ---- writing ---- */

/*
 * The part of a page that a write leaves over goes behind the last slot's data when it fits there
 * whole (kernel: pipe_write(), "merge"). Returns the bytes merged, 0, or -EFAULT.
 */
static ssize_t try_merge(struct pipe *pipe, struct uio *uio)
{
	size_t rest = uio->resid & (LX_PAGE_SIZE - 1);
	struct pipe_slot *last;
	ssize_t copied;
	size_t end;

	if (rest == 0 || pipe_empty(pipe))
		return 0;
	last = pipe_slot(pipe, pipe->head - 1);
	end = last->offset + last->size;
	if (!last->can_merge || end + rest > LX_PAGE_SIZE)
		return 0;
	copied = uio_copy_from(uio, pipe_page(pipe, pipe->head - 1) + end, rest);
	if (copied < (ssize_t)rest)
		return copied < 0 ? copied : -EFAULT;
	last->size += (uint32_t)rest;
	return copied;
}

/* Fills free slots that lie one behind the other. Returns the bytes, or -EFAULT when not one slot
 * was filled. */
static ssize_t fill_run(struct pipe *pipe, struct uio *uio, bool packet)
{
	uint32_t index = pipe->head & (pipe->slot_count - 1);
	uint32_t run = min_of(pipe->slot_count - pipe_used(pipe), pipe->slot_count - index);
	size_t wanted = min_of((size_t)run * LX_PAGE_SIZE, (size_t)uio->resid);
	ssize_t copied = uio_copy_from(uio, pipe_page(pipe, pipe->head), wanted);
	size_t done = 0;

	if (copied < 0)
		return copied;
	/* A page of which a part could not be read is dropped. */
	if ((size_t)copied < wanted)
		copied -= copied % (ssize_t)LX_PAGE_SIZE;
	while (done < (size_t)copied) {
		uint32_t piece = (uint32_t)min_of((size_t)copied - done, (size_t)LX_PAGE_SIZE);

		*pipe_slot(pipe, pipe->head) = (struct pipe_slot){
			.size = piece,
			.packet = packet,
			.can_merge = !packet,
		};
		pipe->head++;
		done += piece;
	}
	if ((size_t)copied < wanted)
		return copied ? copied : -EFAULT;
	return copied;
}

struct write_state {
	size_t done;
	bool was_empty; /* when this turn began: readers may be asleep */
	bool slept;
};

/* The mutex is held, before and (pipe_unlock_if_held) perhaps after. */
static int write_all(
	struct pipe *pipe, struct file *file, struct uio *uio, struct write_state *state)
{
	bool nonblock = (file->flags & LX_O_NONBLOCK) || uio->nonblock;

	while (uio->resid) {
		uint64_t before = uio->resid;
		ssize_t moved;

		if (!pipe->readers)
			return -EPIPE;
		if (pipe_full(pipe)) {
			int err;

			if (!nonblock && state->was_empty)
				pipe_wake_readers(pipe);
			err = pipe_wait_writable(pipe, nonblock, &state->slept);
			if (err < 0)
				return err;
			state->was_empty = pipe_empty(pipe);
			continue;
		}
		moved = fill_run(pipe, uio, file->flags & LX_O_DIRECT);
		if (moved < 0)
			return (int)moved;
		state->done += (size_t)moved;
		if (before - uio->resid != (uint64_t)moved)
			return -EFAULT;
	}
	return 0;
}

static ssize_t pipe_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	struct pipe *pipe = file_pipe(file);
	struct write_state state = {0};
	int err;

	(void)pos;
	if (uio->resid == 0)
		return 0;
	err = fiber_mutex_lock_interruptible(&pipe->mutex);
	if (err < 0)
		return err;
	state.was_empty = pipe_empty(pipe);
	err = pipe->readers ? pipe_allocate_store(pipe) : -EPIPE;
	if (err == 0) {
		ssize_t merged = try_merge(pipe, uio);

		if (merged >= 0) {
			state.done = (size_t)merged;
			err = write_all(pipe, file, uio, &state);
		} else {
			err = (int)merged;
		}
	}
	pipe_unlock_if_held(pipe);
	/* Each write is an edge for those who poll, although there was data before (epoll(7)). */
	if (state.was_empty || pipe->polled)
		pipe_wake_readers(pipe);
	if (state.slept && !pipe_full(pipe))
		pipe_wake_writers(pipe);
	if (!state.done)
		return err;
	if (err == -EPIPE && sigpipe && ctx && !uio->no_signal)
		sigpipe(ctx->task);
	inode_touch_mtime(pipe->inode);
	return (ssize_t)state.done;
}

/* ---- the other operations ---- */

static uint32_t pipe_poll(struct file *file)
{
	const struct pipe_end *end = file->private;
	struct pipe *pipe = end->pipe;
	uint32_t events = 0;

	pipe->polled = true;
	if (file->readable) {
		if (!pipe_empty(pipe))
			events |= LX_POLLIN | LX_POLLRDNORM;
		if (!pipe->writers &&
			!(end->wait_for_writer && end->writer_opens_seen == pipe->writer_opens))
			events |= LX_POLLHUP;
	}
	if (file->writable) {
		if (!pipe_full(pipe))
			events |= LX_POLLOUT | LX_POLLWRNORM;
		/* Most unices report POLLHUP here; Linux POLLERR. */
		if (!pipe->readers)
			events |= LX_POLLERR;
	}
	return events;
}

static struct wait_queue *pipe_poll_queue(struct file *file)
{
	return &file_pipe(file)->queue;
}

static int64_t pipe_ioctl(
	struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx)
{
	struct pipe *pipe = file_pipe(file);
	int32_t count = 0;

	if (request != LX_FIONREAD || !ctx->thread)
		return -ENOTTY;
	for (uint32_t i = pipe->tail; i != pipe->head; i++)
		count += (int32_t)pipe_slot(pipe, i)->size;
	if (platform->copy_out(ctx->thread, arg, &count, sizeof(count)) != sizeof(count))
		return -EFAULT;
	return 0;
}

static void pipe_drop(struct pipe *pipe, bool reader, bool writer)
{
	pipe->readers -= reader;
	pipe->writers -= writer;
	if (--pipe->files == 0) {
		pipe_free(pipe);
		return;
	}
	if (!pipe->readers != !pipe->writers)
		wake_all(pipe);
}

static void pipe_release(struct file *file)
{
	pipe_drop(file_pipe(file), file->readable, file->writable);
	free(file->private);
}

static const struct file_ops pipe_file_ops = {
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.poll_queue = pipe_poll_queue,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

/* ---- size ---- */

int64_t pipe_get_size(struct file *file)
{
	struct pipe *pipe = file_pipe(file);

	return pipe ? (int64_t)(pipe->slot_count * LX_PAGE_SIZE) : -EBADF;
}

static int pipe_resize(struct pipe *pipe, uint32_t slot_count)
{
	struct pipe_slot *slots = calloc(slot_count, sizeof(*slots));
	uint8_t *store = NULL;
	uint32_t used = 0;

	if (pipe->store)
		store = malloc(slot_count * LX_PAGE_SIZE);
	if (!slots || (pipe->store && !store)) {
		free(slots);
		free(store);
		return -ENOMEM;
	}
	for (uint32_t i = pipe->tail; i != pipe->head; i++, used++) {
		slots[used] = *pipe_slot(pipe, i);
		memcpy(store + used * LX_PAGE_SIZE, pipe_page(pipe, i), LX_PAGE_SIZE);
	}
	free(pipe->slots);
	free(pipe->store);
	pages_in_use += slot_count - pipe->slot_count;
	pipe->slots = slots;
	pipe->store = store;
	pipe->slot_count = slot_count;
	pipe->tail = 0;
	pipe->head = used;
	return 0;
}

/* kernel: pipe_set_size(), round_pipe_size() */
int64_t pipe_set_size(struct file *file, uint64_t size)
{
	struct pipe *pipe = file_pipe(file);
	uint32_t slot_count = 1;
	bool was_full;
	int err;

	if (!pipe)
		return -EBADF;
	if (size > 1u << 31)
		return -EINVAL;
	while (slot_count * LX_PAGE_SIZE < size)
		slot_count *= 2;
	if (slot_count > pipe->slot_count &&
		(slot_count * LX_PAGE_SIZE > SENTRY_MAX_PIPE_SIZE ||
			pages_in_use + slot_count - pipe->slot_count > PIPE_PAGES_SOFT))
		return -EPERM;
	err = fiber_mutex_lock_interruptible(&pipe->mutex);
	if (err < 0)
		return err;
	was_full = pipe_full(pipe);
	if (pipe_used(pipe) > slot_count)
		err = -EBUSY;
	else if (slot_count != pipe->slot_count)
		err = pipe_resize(pipe, slot_count);
	fiber_mutex_unlock(&pipe->mutex);
	if (err < 0)
		return err;
	if (was_full && !pipe_full(pipe))
		wait_queue_wake_all(&pipe->queue, LX_POLLOUT | LX_POLLWRNORM);
	return (int64_t)(slot_count * LX_PAGE_SIZE);
}

/* ---- opening ---- */

/* Gives @file its end; counts it. */
static int pipe_attach(struct pipe *pipe, struct file *file)
{
	struct pipe_end *end = calloc(1, sizeof(*end));

	if (!end)
		return -ENOMEM;
	end->pipe = pipe;
	file->ops = &pipe_file_ops;
	file->private = end;
	file->stream = true;
	pipe->files++;
	if (file->readable) {
		pipe->readers++;
		pipe->reader_opens++;
	}
	if (file->writable) {
		pipe->writers++;
		pipe->writer_opens++;
	}
	return 0;
}

/* fifo(7): opening for one direction waits for somebody who opens for the other (kernel:
 * fifo_open()). */
static int fifo_wait_partner(struct pipe *pipe, struct file *file)
{
	const uint32_t *opens = file->readable ? &pipe->writer_opens : &pipe->reader_opens;
	struct pipe_end *end = file->private;
	uint32_t seen = *opens;

	if (file->readable && file->writable)
		return 0;
	if (pipe->anonymous || (file->readable ? pipe->writers : pipe->readers) > 0)
		return 0;
	if (file->flags & LX_O_NONBLOCK) {
		end->wait_for_writer = true;
		end->writer_opens_seen = seen;
		return file->readable ? 0 : -ENXIO;
	}
	return wait_event_interruptible(&pipe->queue, *opens != seen);
}

static int pipe_open(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	struct pipe *pipe = inode->fifo;
	const struct file_ops *ops = file->ops;
	int err;

	(void)ctx;
	if ((file->flags & LX_O_ACCMODE) == LX_O_ACCMODE)
		return -EINVAL; /* neither to read nor to write */
	if (!pipe) {
		err = pipe_alloc(inode, &pipe);
		if (err < 0)
			return err;
	}
	/* O_WRONLY|O_NONBLOCK without a reader must not be seen as a writer at all. */
	if (!file->readable && (file->flags & LX_O_NONBLOCK) && !pipe->readers && !pipe->anonymous)
		err = -ENXIO;
	else
		err = pipe_attach(pipe, file);
	if (err < 0) {
		if (pipe->files == 0)
			pipe_free(pipe);
		return err;
	}
	wake_all(pipe); /* whoever waits for a partner */
	err = fifo_wait_partner(pipe, file);
	if (err < 0) {
		pipe_release(file);
		file->ops = ops;
		file->private = NULL;
	}
	return err;
}

/* ---- pipe(2) ---- */

static void pipefs_destroy_inode(struct inode *inode)
{
	sentry_assert(!inode->fifo);
}

static const struct super_ops pipefs_ops = {
	.destroy_inode = pipefs_destroy_inode,
};

static int pipefs_setattr(struct inode *inode, const struct iattr *attr)
{
	inode_apply_attr(inode, attr);
	return 0;
}

static const struct inode_ops pipefs_inode_ops = {
	.open = pipe_open,
	.setattr = pipefs_setattr,
};

static int pipe_dentry_new(const struct cred *cred, struct dentry **ret)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	struct pipe *pipe;
	char name[32];
	int err;

	if (!pipefs) {
		err = super_block_new(&pipefs_ops, "pipefs", PIPEFS_MAGIC, &pipefs);
		if (err < 0)
			return err;
	}
	err = inode_new(pipefs, &pipefs_inode_ops, LX_S_IFIFO | 0600, 0, &inode);
	if (err < 0)
		return err;
	inode->uid = cred->fsuid;
	inode->gid = cred->fsgid;
	snprintf(name, sizeof(name), "pipe:[%llu]", (unsigned long long)inode->ino);
	err = dentry_new_anonymous(inode, name, &dentry);
	if (err < 0)
		return err;
	err = pipe_alloc(inode, &pipe);
	if (err < 0)
		return err;
	pipe->anonymous = true;
	*ret = TAKE(dentry);
	return 0;
}

static const struct file_ops no_ops = {.name = "pipe"};

static int pipe_file_new(struct dentry *dentry, int flags, struct cred *cred, struct file **ret)
{
	struct path path = {.dentry = dentry};
	struct file *file;
	int err = file_new(&path, &pipe_file_ops, flags, cred, &file);

	if (err < 0)
		return err;
	err = pipe_attach(dentry->inode->fifo, file);
	if (err < 0) {
		file->ops = &no_ops; /* nothing for release() to undo */
		file_unref(file);
		return err;
	}
	*ret = file;
	return 0;
}

int pipe_new(int flags, struct cred *cred, struct file **ret_read, struct file **ret_write)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	struct file *reader;
	int err = pipe_dentry_new(cred, &dentry);

	if (err < 0)
		return err;
	err = pipe_file_new(dentry, LX_O_RDONLY | (flags & LX_O_NONBLOCK), cred, &reader);
	if (err < 0) {
		pipe_free(dentry->inode->fifo);
		return err;
	}
	err = pipe_file_new(
		dentry, LX_O_WRONLY | (flags & (LX_O_NONBLOCK | LX_O_DIRECT)), cred, ret_write);
	if (err < 0) {
		file_unref(reader);
		return err;
	}
	*ret_read = reader;
	return 0;
}

void pipe_init(void)
{
	fifo_register(pipe_open);
}
