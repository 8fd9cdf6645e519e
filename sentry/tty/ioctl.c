/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/signal.h"
#include "sentry/tty/tty_private.h"

/* The way of an ioctl on a terminal (tty_ioctl() of Linux): first what both ends of a pair know,
 * then jobs, then modes. */

static int64_t put_int(struct task *task, gaddr_t arg, int value)
{
	return guest_write_value(task, arg, &value);
}

static int64_t discipline_ioctl(struct tty *tty, gaddr_t arg, struct task *task)
{
	int number, r = tty_check_job(tty, task, LX_SIGTTOU);

	if (r < 0)
		return r;
	r = guest_read_value(task, &number, arg);
	if (r < 0)
		return r;
	return number == LX_N_TTY ? 0 : -EINVAL;
}

/*
 * TIOCSTI: as if it had been typed, which only those with this controlling terminal may do
 * (tiocsti() in tty_io.c). dev.tty.legacy_tiocsti is 1: the terminals are the guest's own, -t's as
 * well, and what nobody reads there ends with the sandbox. A master's own input is the output of
 * the other side.
 */
static int64_t type_ioctl(struct tty *tty, bool master, gaddr_t arg, struct task *task)
{
	uint8_t byte;
	int r;

	if ((master || task->group->tty != tty) && !cred_capable(task->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	r = guest_read_value(task, &byte, arg);
	if (r < 0)
		return r;
	if (master) {
		ldisc_send_raw(&tty->ldisc, byte);
		tty->host->output(tty);
	} else {
		(void)tty_input(tty, &byte, 1);
	}
	return 0;
}

void tty_vhangup(struct thread_group *group)
{
	if (group->tty)
		tty_hangup(group->tty);
}

int64_t tty_common_ioctl(struct tty *tty, bool master, struct file *file, unsigned request,
	gaddr_t arg, struct task *task)
{
	int64_t r;

	switch (request) {
	case LX_TIOCGETD:
		return put_int(task, arg, LX_N_TTY);
	case LX_TIOCSETD:
		return discipline_ioctl(tty, arg, task);
	case LX_TIOCSTI:
		return type_ioctl(tty, master, arg, task);
	case LX_TIOCGDEV:
		return put_int(task, arg, (int)tty_number(tty));
	case LX_TCSBRK:
	case LX_TCSBRKP:
	case LX_TIOCSBRK:
		/* A break means nothing on a pseudo-terminal; the output is drained always. */
		return tty_check_job(tty, task, LX_SIGTTOU);
	case LX_TIOCCBRK:
		return 0;
	case LX_TIOCVHANGUP:
		if (!cred_capable(task->cred, LX_CAP_SYS_ADMIN))
			return -EPERM;
		tty_hangup(tty);
		return 0;
	default:
		break;
	}
	r = tty_job_ioctl(tty, master, file, request, arg, task);
	if (r == -ENOIOCTLCMD)
		r = tty_mode_ioctl(tty, master, request, arg, task);
	return r == -ENOIOCTLCMD ? -ENOTTY : r;
}

int64_t tty_ioctl(struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx)
{
	struct tty_file *self = file->private;
	struct tty *tty = self->tty;
	struct task *task = ctx->task;

	if (self->hung_up)
		return request == LX_TIOCSPGRP ? -ENOTTY : -EIO;
	switch (request) {
	case LX_TIOCEXCL:
		tty->exclusive = true;
		return 0;
	case LX_TIOCNXCL:
		tty->exclusive = false;
		return 0;
	case LX_TIOCGEXCL:
		return put_int(task, arg, tty->exclusive);
	case LX_TIOCGPTPEER:
		return -EIO; /* the master's */
	default:
		return tty_common_ioctl(tty, false, file, request, arg, task);
	}
}
