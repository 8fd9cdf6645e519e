/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/loop.h"
#include "sentry/tty/tty_private.h"

/*
 * A terminal's files: open, read, write, poll, hang-up.
 *
 * Bytes from the host side go through the line discipline as they come, on whatever fiber brings
 * them; only what it cannot take waits in tty->pending until a reader made room. Bytes of writers
 * go through it into its output, which the host side takes. One wait queue tells readers, writers
 * and pollers of every change. A hang-up marks the files that are open at that moment: they answer
 * as Linux' hung_up_tty_fops for ever, while the terminal itself can be opened anew.
 */

static struct tty *tty_of(struct ldisc *ldisc)
{
	return container_of(ldisc, struct tty, ldisc);
}

/* ---- the line discipline's news ---- */

static void ldisc_signal(struct ldisc *ldisc, int signo)
{
	tty_signal_foreground(tty_of(ldisc), signo);
}

static void ldisc_flow(struct ldisc *ldisc, bool stopped)
{
	struct tty *tty = tty_of(ldisc);

	if (stopped)
		tty_packet_event(tty, LX_TIOCPKT_START, LX_TIOCPKT_STOP);
	else
		tty_packet_event(tty, LX_TIOCPKT_STOP, LX_TIOCPKT_START);
	if (!stopped)
		tty_wake(tty, LX_POLLOUT | LX_POLLWRNORM);
}

static void ldisc_flushed(struct ldisc *ldisc, bool input, bool output)
{
	struct tty *tty = tty_of(ldisc);

	if (output)
		tty_wake(tty, LX_POLLOUT | LX_POLLWRNORM);
	tty_packet_event(
		tty, 0, (input ? LX_TIOCPKT_FLUSHREAD : 0) | (output ? LX_TIOCPKT_FLUSHWRITE : 0));
}

static const struct ldisc_events ldisc_events = {
	.signal = ldisc_signal,
	.flow = ldisc_flow,
	.flushed = ldisc_flushed,
};

void tty_packet_event(struct tty *tty, uint8_t clear, uint8_t set)
{
	if (!tty->packet)
		return;
	tty->packet_status = (uint8_t)((tty->packet_status & ~clear) | set);
	tty->host->output(tty);
}

/* ---- life ---- */

int tty_new(const struct tty_host_ops *host, void *host_data, int index, struct tty **ret)
{
	struct tty *tty = calloc(1, sizeof(*tty));

	if (!tty)
		return -ENOMEM;
	tty->refs = REFCOUNT_ONE;
	tty->host = host;
	tty->host_data = host_data;
	tty->index = index;
	ldisc_init(&tty->ldisc, &ldisc_events);
	list_init(&tty->files);
	wait_queue_init(&tty->queue);
	fiber_mutex_init(&tty->read_mutex);
	fiber_mutex_init(&tty->write_mutex);
	tty->pending =
		(struct byte_queue){.data = tty->pending_bytes, .capacity = TTY_PENDING_SIZE};
	*ret = tty;
	return 0;
}

struct tty *tty_ref(struct tty *tty)
{
	refcount_get(&tty->refs);
	return tty;
}

void tty_unref(struct tty *tty)
{
	if (!tty || !refcount_put(&tty->refs))
		return;
	if (tty->host->release)
		tty->host->release(tty);
	wait_queue_destroy(&tty->queue);
	if (tty->session)
		pid_unref(tty->session);
	if (tty->pgrp)
		pid_unref(tty->pgrp);
	free(tty);
}

void tty_wake(struct tty *tty, uint32_t events)
{
	wait_queue_wake(&tty->queue, events);
}

/* ---- the host side ---- */

/* Tells readers, and the screen if something was echoed. */
static size_t receive(struct tty *tty, const uint8_t *bytes, size_t size)
{
	struct ldisc *ldisc = &tty->ldisc;
	size_t taken = ldisc_receive(ldisc, bytes, size);

	if (ldisc_readable(ldisc, false))
		tty_wake(tty, LX_POLLIN | LX_POLLRDNORM);
	if (ldisc->output.size)
		tty->host->output(tty);
	return taken;
}

void tty_push_input(struct tty *tty)
{
	bool moved = false;

	while (tty->pending.size) {
		const uint8_t *bytes;
		size_t size = byte_queue_front(&tty->pending, &bytes);
		size_t taken = receive(tty, bytes, size);

		byte_queue_drop(&tty->pending, taken);
		moved |= taken > 0;
		if (taken < size)
			break;
	}
	if (moved)
		tty->host->input_room(tty);
}

size_t tty_input(struct tty *tty, const uint8_t *bytes, size_t size)
{
	size_t taken = 0, rest;

	tty_push_input(tty);
	if (!tty->pending.size)
		taken = receive(tty, bytes, size);
	rest = min_of(size - taken, byte_queue_room(&tty->pending));
	(void)byte_queue_put(&tty->pending, bytes + taken, rest);
	return taken + rest;
}

void tty_input_end(struct tty *tty)
{
	tty->input_ended = true;
	tty_wake(tty, LX_POLLIN | LX_POLLRDNORM);
}

/* Readers have seen all that was typed, and nothing will follow. */
static bool at_end(struct tty *tty)
{
	if (!tty->input_ended || tty->pending.size)
		return false;
	ldisc_end_line(&tty->ldisc);
	return !ldisc_readable(&tty->ldisc, false);
}

bool tty_input_full(const struct tty *tty)
{
	return byte_queue_room(&tty->pending) == 0;
}

size_t tty_take_output(struct tty *tty, uint8_t *buffer, size_t size)
{
	size_t taken = ldisc_take_output(&tty->ldisc, buffer, size);

	if (taken && ldisc_writable(&tty->ldisc))
		tty_wake(tty, LX_POLLOUT | LX_POLLWRNORM);
	return taken;
}

void tty_hangup(struct tty *tty)
{
	while (!list_empty(&tty->files)) {
		struct tty_file *file = list_first(&tty->files, struct tty_file, link);

		file->hung_up = true;
		list_remove(&file->link);
	}
	tty_hangup_session(tty);
	byte_queue_clear(&tty->pending);
	ldisc_flush_input(&tty->ldisc);
	ldisc_flush_output(&tty->ldisc);
	ldisc_reset_termios(&tty->ldisc);
	tty->packet_status = 0;
	tty_wake(tty, ~0u & ~WAIT_QUEUE_GONE);
}

/* ---- files ---- */

/* A place in line for a reader or writer; -EAGAIN instead of waiting, -ERESTARTSYS. */
static int lock_turn(struct fiber_mutex *mutex, bool nonblock)
{
	if (!nonblock)
		return fiber_mutex_lock_interruptible(mutex);
	return fiber_mutex_trylock(mutex) ? 0 : -EAGAIN;
}

/* VMIN and VTIME (termios(3), "Canonical and noncanonical mode"). */
struct read_limits {
	size_t minimum;
	uint64_t between; /* ns that may pass between bytes; 0 no limit */
	uint64_t deadline;
};

static struct read_limits read_limits(const struct ldisc *ldisc)
{
	struct read_limits limits = {.deadline = WAIT_FOREVER};
	const uint8_t *cc = ldisc->termios.c_cc;
	uint64_t time = cc[LX_VTIME] * 100000000ull;

	if (ldisc->termios.c_lflag & LX_ICANON)
		return limits;
	limits.minimum = cc[LX_VMIN] ? cc[LX_VMIN] : 1;
	if (cc[LX_VMIN])
		limits.between = time;
	else
		limits.deadline = loop_monotonic_now() + time;
	return limits;
}

/* Sleeps until there is input. 0 is end of file or a timeout (*ret_over), else -errno. */
static int wait_for_input(
	struct tty_file *file, const struct read_limits *limits, bool nonblock, bool *ret_over)
{
	struct tty *tty = file->tty;

	while (!ldisc_readable(&tty->ldisc, false)) {
		bool end = at_end(tty);
		int r;

		if (ldisc_readable(&tty->ldisc, false))
			break;
		if (tty->host_gone)
			return -EIO;
		*ret_over = end || file->hung_up ||
			    (limits->deadline != WAIT_FOREVER &&
				    loop_monotonic_now() >= limits->deadline);
		if (*ret_over)
			return 0;
		if (nonblock)
			return -EAGAIN;
		r = wait_sleep(&tty->queue, LX_POLLIN | LX_POLLHUP, limits->deadline, true, false);
		if (r == -ERESTARTSYS)
			return r;
	}
	return 0;
}

static ssize_t read_locked(struct tty_file *file, struct uio *uio, bool nonblock)
{
	struct tty *tty = file->tty;
	struct read_limits limits = read_limits(&tty->ldisc);
	uint8_t buffer[TTY_COPY_SIZE];
	size_t total = 0;
	int r = 0;

	while (uio->resid) {
		bool over = false;
		size_t size;
		ssize_t copied;

		r = wait_for_input(file, &limits, nonblock, &over);
		if (r < 0 || over)
			break;
		size = ldisc_read(
			&tty->ldisc, buffer, min_of(uio->resid, (uint64_t)sizeof(buffer)), &over);
		tty_push_input(tty);
		copied = size ? uio_copy_to(uio, buffer, size) : 0;
		total += copied > 0 ? (size_t)copied : 0;
		if (copied < (ssize_t)size) {
			r = copied < 0 ? (int)copied : -EFAULT;
			break;
		}
		if (over)
			break;
		if (ldisc_canonical(&tty->ldisc)) {
			/* The buffer is full: an end of file right here is part of this read. */
			if (!uio->resid)
				(void)ldisc_read(&tty->ldisc, buffer, 0, &over);
			if (!ldisc_readable(&tty->ldisc, false))
				break;
			continue;
		}
		if (total >= limits.minimum && !ldisc_readable(&tty->ldisc, false))
			break;
		if (limits.between)
			limits.deadline = loop_monotonic_now() + limits.between;
		if (total % SENTRY_MAX_COPY_TURN == 0)
			fiber_yield();
	}
	return total ? (ssize_t)total : r;
}

static ssize_t tty_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct tty_file *self = file->private;
	bool nonblock = uio->nonblock || (file->flags & LX_O_NONBLOCK);
	ssize_t r;

	if (self->hung_up)
		return 0;
	r = tty_check_job(self->tty, task_current(), LX_SIGTTIN);
	if (r < 0)
		return r;
	r = lock_turn(&self->tty->read_mutex, nonblock);
	if (r < 0)
		return r;
	r = read_locked(self, uio, nonblock);
	fiber_mutex_unlock(&self->tty->read_mutex);
	if (r > 0)
		file_touch_atime(file);
	return r;
}

/* Processes all of @bytes, sleeping for room. *ret_done says how many went out. */
static int write_chunk(
	struct tty_file *file, const uint8_t *bytes, size_t size, bool nonblock, size_t *ret_done)
{
	struct tty *tty = file->tty;

	for (*ret_done = 0;;) {
		size_t taken;
		int r;

		if (fiber_interrupted(fiber_current()))
			return -ERESTARTSYS;
		if (file->hung_up || tty->host_gone)
			return -EIO;
		taken = ldisc_write(&tty->ldisc, bytes + *ret_done, size - *ret_done);
		*ret_done += taken;
		if (taken || tty->ldisc.output.size)
			tty->host->output(tty);
		if (*ret_done == size)
			return 0;
		if (taken)
			continue;
		if (nonblock)
			return -EAGAIN;
		r = wait_sleep(&tty->queue, LX_POLLOUT | LX_POLLHUP, WAIT_FOREVER, true, false);
		if (r < 0)
			return r;
	}
}

static ssize_t write_locked(struct tty_file *file, struct uio *uio, bool nonblock)
{
	uint8_t buffer[TTY_COPY_SIZE];
	size_t total = 0, done;
	int r = 0;

	while (uio->resid) {
		size_t size = min_of(uio->resid, (uint64_t)sizeof(buffer));
		ssize_t got = uio_copy_from(uio, buffer, size);

		if (got <= 0) {
			r = got < 0 ? (int)got : -EFAULT;
			break;
		}
		r = write_chunk(file, buffer, (size_t)got, nonblock, &done);
		total += done;
		if (r < 0)
			break;
		if (total % SENTRY_MAX_COPY_TURN == 0)
			fiber_yield();
	}
	return total ? (ssize_t)total : r;
}

static ssize_t tty_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	struct tty_file *self = file->private;
	bool nonblock = uio->nonblock || (file->flags & LX_O_NONBLOCK);
	struct tty *tty = self->tty;
	ssize_t r;

	if (self->hung_up)
		return -EIO;
	r = lock_turn(&tty->write_mutex, nonblock);
	if (r < 0)
		return r;
	if (tty->ldisc.termios.c_lflag & LX_TOSTOP)
		r = tty_check_job(tty, ctx->task, LX_SIGTTOU);
	if (r == 0)
		r = write_locked(self, uio, nonblock);
	fiber_mutex_unlock(&tty->write_mutex);
	if (r > 0)
		inode_touch_mtime(file->inode);
	return r;
}

static uint32_t tty_poll(struct file *file)
{
	struct tty_file *self = file->private;
	struct tty *tty = self->tty;
	uint32_t events = 0;

	if (self->hung_up)
		return LX_POLLIN | LX_POLLOUT | LX_POLLERR | LX_POLLHUP | LX_POLLRDNORM |
		       LX_POLLWRNORM;
	if (ldisc_readable(&tty->ldisc, true) || (tty->input_ended && !tty->pending.size))
		events |= LX_POLLIN | LX_POLLRDNORM;
	if (ldisc_writable(&tty->ldisc))
		events |= LX_POLLOUT | LX_POLLWRNORM;
	if (tty->host_gone)
		events |= LX_POLLHUP;
	return events;
}

static struct wait_queue *tty_poll_queue(struct file *file)
{
	struct tty_file *self = file->private;

	return &self->tty->queue;
}

static void tty_release(struct file *file)
{
	struct tty_file *self = file->private;
	struct tty *tty = self->tty;

	list_remove(&self->link);
	free(self);
	if (--tty->open_count == 0) {
		tty->exclusive = false;
		tty->host->closed(tty);
	}
	tty_unref(tty);
}

static const struct file_ops tty_file_ops = {
	.name = "tty",
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.poll_queue = tty_poll_queue,
	.ioctl = tty_ioctl,
	.release = tty_release,
};

int tty_open(struct tty *tty, struct file *file, const struct vfs_ctx *ctx)
{
	struct tty_file *self;

	if (tty->host_gone || tty->locked)
		return -EIO;
	if (tty->exclusive && !cred_capable(ctx->cred, LX_CAP_SYS_ADMIN))
		return -EBUSY;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->tty = tty_ref(tty);
	list_add_tail(&self->link, &tty->files);
	file->ops = &tty_file_ops;
	file->private = self;
	file->stream = true;
	if (tty->open_count++ == 0)
		tty->host->opened(tty);
	tty_acquire_by_open(tty, file, ctx->task);
	return 0;
}

/* ---- /dev/tty ---- */

static int current_tty_open(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	struct task *task = ctx->task;

	if (!task || !task->group->tty)
		return -ENXIO;
	return tty_open(task->group->tty, file, ctx);
}

int tty_init(void)
{
	int r = device_register(lx_makedev(5, 0), current_tty_open);

	return r < 0 ? r : device_register(lx_makedev(5, 2), ptmx_open);
}

uint64_t tty_number(const struct tty *tty)
{
	return tty ? lx_makedev(TTY_MAJOR_PTS, (uint32_t)tty->index) : 0;
}

int tty_foreground(const struct tty *tty)
{
	return tty && tty->pgrp ? pid_vnr(tty->pgrp) : -1;
}
