/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/tty/tty_private.h"

/*
 * Pseudo-terminals (pty(7), pts(4)): the master's end.
 *
 * Opening /dev/ptmx makes a pair; the master is one struct file and ends with it. What it writes is
 * typed on the terminal, what it reads is the terminal's output. In packet mode each read begins
 * with a byte that is 0 before data, or alone tells what happened on the other side (TIOCPKT in
 * ioctl_tty(2)). A read after the last close of the other end is -EIO; before the first open it
 * waits.
 */

struct pty {
	struct tty *tty; /* owned */
	struct wait_queue queue;
	struct fiber_mutex read_mutex, write_mutex;
	bool other_closed;
	bool exclusive; /* TIOCEXCL of this end: told, but there never is a second open of it */
};

/* ---- what the terminal tells us ---- */

static void wake_master(struct tty *tty, uint32_t events)
{
	struct pty *pty = tty->host_data;

	if (pty)
		wait_queue_wake(&pty->queue, events);
}

static void host_output(struct tty *tty)
{
	wake_master(tty, LX_POLLIN | LX_POLLRDNORM | LX_POLLPRI);
}

static void host_input_room(struct tty *tty)
{
	wake_master(tty, LX_POLLOUT | LX_POLLWRNORM);
}

static void host_opened(struct tty *tty)
{
	struct pty *pty = tty->host_data;

	if (pty)
		pty->other_closed = false;
}

static void host_closed(struct tty *tty)
{
	struct pty *pty = tty->host_data;

	if (!pty)
		return;
	pty->other_closed = true;
	wake_master(tty, LX_POLLHUP | LX_POLLIN | LX_POLLOUT);
}

static const struct tty_host_ops pty_host_ops = {
	.output = host_output,
	.input_room = host_input_room,
	.opened = host_opened,
	.closed = host_closed,
};

/* ---- the master's file ---- */

static bool master_readable(const struct tty *tty)
{
	return tty->ldisc.output.size || (tty->packet && tty->packet_status);
}

static ssize_t read_available(struct pty *pty, struct uio *uio)
{
	const uint8_t data = LX_TIOCPKT_DATA;
	struct tty *tty = pty->tty;
	uint8_t buffer[TTY_COPY_SIZE];
	ssize_t total = 0, copied;

	if (tty->packet && tty->packet_status) {
		buffer[0] = tty->packet_status;
		tty->packet_status = 0;
		return uio_copy_to(uio, buffer, 1) == 1 ? 1 : -EFAULT;
	}
	if (tty->packet) {
		if (uio_copy_to(uio, &data, 1) != 1)
			return -EFAULT;
		total = 1;
	}
	while (uio->resid && tty->ldisc.output.size) {
		size_t size =
			tty_take_output(tty, buffer, min_of(uio->resid, (uint64_t)sizeof(buffer)));

		copied = uio_copy_to(uio, buffer, size);
		if (copied < (ssize_t)size)
			return copied > 0 ? total + copied : total ? total : -EFAULT;
		total += copied;
		if (tty->packet && tty->packet_status)
			break;
	}
	return total;
}

static ssize_t master_read(struct file *file, struct uio *uio, int64_t *pos)
{
	bool nonblock = uio->nonblock || (file->flags & LX_O_NONBLOCK);
	struct pty *pty = file->private;
	ssize_t r;

	if (!uio->resid)
		return 0;
	if (nonblock)
		r = fiber_mutex_trylock(&pty->read_mutex) ? 0 : -EAGAIN;
	else
		r = fiber_mutex_lock_interruptible(&pty->read_mutex);
	if (r < 0)
		return r;
	while (r == 0 && !master_readable(pty->tty)) {
		if (pty->other_closed)
			r = -EIO;
		else if (nonblock)
			r = -EAGAIN;
		else
			r = wait_sleep(
				&pty->queue, LX_POLLIN | LX_POLLHUP, WAIT_FOREVER, true, false);
	}
	if (r == 0)
		r = read_available(pty, uio);
	fiber_mutex_unlock(&pty->read_mutex);
	return r;
}

static ssize_t write_locked(struct pty *pty, struct uio *uio, bool nonblock)
{
	uint8_t buffer[TTY_COPY_SIZE];
	size_t total = 0;
	int r = 0;

	while (uio->resid && r == 0) {
		size_t done = 0, size = min_of(uio->resid, (uint64_t)sizeof(buffer));
		ssize_t got = uio_copy_from(uio, buffer, size);

		if (got <= 0) {
			r = got < 0 ? (int)got : -EFAULT;
			break;
		}
		for (;;) {
			done += tty_input(pty->tty, buffer + done, (size_t)got - done);
			if (done == (size_t)got)
				break;
			if (nonblock) {
				r = -EAGAIN;
				break;
			}
			r = wait_sleep(
				&pty->queue, LX_POLLOUT | LX_POLLHUP, WAIT_FOREVER, true, false);
			if (r < 0)
				break;
		}
		total += done;
		if (total % SENTRY_MAX_COPY_TURN == 0)
			fiber_yield();
	}
	return total ? (ssize_t)total : r;
}

static ssize_t master_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	bool nonblock = uio->nonblock || (file->flags & LX_O_NONBLOCK);
	struct pty *pty = file->private;
	ssize_t r;

	if (nonblock)
		r = fiber_mutex_trylock(&pty->write_mutex) ? 0 : -EAGAIN;
	else
		r = fiber_mutex_lock_interruptible(&pty->write_mutex);
	if (r < 0)
		return r;
	r = write_locked(pty, uio, nonblock);
	fiber_mutex_unlock(&pty->write_mutex);
	return r;
}

static uint32_t master_poll(struct file *file)
{
	struct pty *pty = file->private;
	struct tty *tty = pty->tty;
	uint32_t events = 0;

	if (tty->ldisc.output.size)
		events |= LX_POLLIN | LX_POLLRDNORM;
	if (tty->packet && tty->packet_status)
		events |= LX_POLLPRI | LX_POLLIN | LX_POLLRDNORM;
	if (!tty_input_full(tty))
		events |= LX_POLLOUT | LX_POLLWRNORM;
	if (pty->other_closed)
		events |= LX_POLLHUP;
	return events;
}

static struct wait_queue *master_poll_queue(struct file *file)
{
	struct pty *pty = file->private;

	return &pty->queue;
}

static void master_release(struct file *file)
{
	struct pty *pty = file->private;
	struct tty *tty = pty->tty;

	tty->host_gone = true;
	tty->host_data = NULL;
	tty->packet = false;
	devpts_remove(tty);
	tty_wake(tty, LX_POLLIN | LX_POLLOUT | LX_POLLHUP);
	tty_hangup(tty);
	tty_unref(tty);
	wait_queue_destroy(&pty->queue);
	free(pty);
}

/* ---- ioctl ---- */

static int64_t put_int(struct task *task, gaddr_t arg, int value)
{
	return guest_write_value(task, arg, &value);
}

static int64_t set_packet_mode(struct tty *tty, gaddr_t arg, struct task *task)
{
	int on, r = guest_read_value(task, &on, arg);

	if (r < 0)
		return r;
	if (on && !tty->packet)
		tty->packet_status = 0;
	tty->packet = on;
	return 0;
}

static int64_t set_lock(struct tty *tty, gaddr_t arg, struct task *task)
{
	int on, r = guest_read_value(task, &on, arg);

	if (r < 0)
		return r;
	tty->locked = on;
	return 0;
}

static int64_t open_peer(
	const struct file *master, struct tty *tty, int flags, const struct vfs_ctx *ctx)
{
	struct task *task = ctx->task;
	struct file *file;
	int r = devpts_open_peer(tty, &master->path, flags & ~LX_O_CLOEXEC, ctx, &file);

	if (r < 0)
		return r;
	r = fd_install(
		task->files, file, 0, task_rlimit(task, LX_RLIMIT_NOFILE), flags & LX_O_CLOEXEC);
	if (r < 0)
		file_unref(file);
	return r;
}

static int64_t send_signal(struct tty *tty, uint64_t signo)
{
	if (signo != LX_SIGINT && signo != LX_SIGQUIT && signo != LX_SIGTSTP)
		return -EINVAL;
	tty_signal_foreground(tty, (int)signo);
	return 0;
}

static int64_t master_ioctl(
	struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx)
{
	struct pty *pty = file->private;
	struct task *task = ctx->task;
	struct tty *tty = pty->tty;

	switch (request) {
	case LX_TIOCGPTN:
		return put_int(task, arg, tty->index);
	case LX_TIOCSPTLCK:
		return set_lock(tty, arg, task);
	case LX_TIOCGPTLCK:
		return put_int(task, arg, tty->locked);
	case LX_TIOCPKT:
		return set_packet_mode(tty, arg, task);
	case LX_TIOCGPKT:
		return put_int(task, arg, tty->packet);
	case LX_TIOCGPTPEER:
		return open_peer(file, tty, (int)arg.v, ctx);
	case LX_TIOCSIG:
		return send_signal(tty, arg.v);
	case LX_TIOCEXCL:
	case LX_TIOCNXCL:
		pty->exclusive = request == LX_TIOCEXCL;
		return 0;
	case LX_TIOCGEXCL:
		return put_int(task, arg, pty->exclusive);
	default:
		return tty_common_ioctl(tty, true, file, request, arg, task);
	}
}

static const struct file_ops master_ops = {
	.name = "ptmx",
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.poll_queue = master_poll_queue,
	.ioctl = master_ioctl,
	.release = master_release,
};

int ptmx_open(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	_cleanup_free_ struct pty *pty = calloc(1, sizeof(*pty));
	int r;

	if (!pty)
		return -ENOMEM;
	r = tty_new(&pty_host_ops, pty, -1, &pty->tty);
	if (r < 0)
		return r;
	pty->tty->locked = true;
	wait_queue_init(&pty->queue);
	fiber_mutex_init(&pty->read_mutex);
	fiber_mutex_init(&pty->write_mutex);
	r = devpts_add(pty->tty, &file->path, ctx->cred, ctx);
	if (r < 0) {
		tty_unref(pty->tty);
		return r;
	}
	file->ops = &master_ops;
	file->private = TAKE(pty);
	file->stream = true;
	return 0;
}
