/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

/*
 * signalfd(2): takes signals by read(). It always speaks of the signals of whoever reads or polls
 * it, not of its maker (fs/signalfd.c); epoll, which asks outside of any task, hears of the process
 * that polled it last.
 */

struct signalfd {
	uint64_t mask;
	struct thread_group *group; /* owned: who polled it last */
};

static void remember_caller(struct signalfd *sfd)
{
	struct task *task = task_current();

	if (!task || sfd->group == task->group)
		return;
	group_unref(sfd->group);
	sfd->group = group_ref(task->group);
}

static uint32_t signalfd_poll(struct file *file)
{
	struct signalfd *sfd = file->private;
	struct task *task = task_current();
	uint64_t pending;

	remember_caller(sfd);
	if (!task)
		task = sfd->group->leader;
	pending = sfd->group->pending.set | (task ? task->pending.set : 0);
	return pending & sfd->mask ? LX_POLLIN : 0;
}

static struct wait_queue *signalfd_poll_queue(struct file *file)
{
	struct signalfd *sfd = file->private;

	remember_caller(sfd);
	return &sfd->group->signal_queue;
}

/* signalfd_copyinfo() */
static void convert(const struct lx_siginfo *info, struct lx_signalfd_siginfo *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ssi_signo = (uint32_t)info->signo;
	ret->ssi_errno = info->error;
	ret->ssi_code = info->code;
	switch (info->code) {
	case LX_SI_TIMER:
		ret->ssi_tid = (uint32_t)info->timer.timerid;
		ret->ssi_overrun = (uint32_t)info->timer.overrun;
		ret->ssi_ptr = info->timer.value;
		ret->ssi_int = (int32_t)info->timer.value;
		return;
	case LX_SI_USER:
	case LX_SI_TKILL:
		ret->ssi_pid = (uint32_t)info->kill.pid;
		ret->ssi_uid = info->kill.uid;
		return;
	default:
		break;
	}
	if (info->code < 0) {
		ret->ssi_pid = (uint32_t)info->rt.pid;
		ret->ssi_uid = info->rt.uid;
		ret->ssi_ptr = info->rt.value;
		ret->ssi_int = (int32_t)info->rt.value;
	} else if (info->signo == LX_SIGCHLD) {
		ret->ssi_pid = (uint32_t)info->chld.pid;
		ret->ssi_uid = info->chld.uid;
		ret->ssi_status = info->chld.status;
		ret->ssi_utime = (uint64_t)info->chld.utime;
		ret->ssi_stime = (uint64_t)info->chld.stime;
	} else if (info->signo == LX_SIGPOLL) {
		ret->ssi_band = (uint32_t)info->poll.band;
		ret->ssi_fd = info->poll.fd;
	} else if (LX_SIGMASK(info->signo) &
		   (LX_SIGMASK(LX_SIGSEGV) | LX_SIGMASK(LX_SIGBUS) | LX_SIGMASK(LX_SIGILL) |
			   LX_SIGMASK(LX_SIGFPE) | LX_SIGMASK(LX_SIGTRAP))) {
		ret->ssi_addr = info->fault.addr;
	} else {
		ret->ssi_pid = (uint32_t)info->kill.pid;
		ret->ssi_uid = info->kill.uid;
	}
}

/* The next signal for @task; sleeps unless @nonblock. Its number, -EAGAIN, -ERESTARTSYS. */
static int take(struct signalfd *sfd, struct task *task, bool nonblock, struct lx_siginfo *ret)
{
	for (;;) {
		int signo = signal_dequeue(task, ~sfd->mask, ret), r;

		signal_recalculate(task);
		if (signo)
			return signo;
		if (nonblock)
			return -EAGAIN;
		r = wait_sleep(&task->group->signal_queue, LX_POLLIN, WAIT_FOREVER, true, false);
		if (r < 0)
			return r;
	}
}

static ssize_t signalfd_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct signalfd *sfd = file->private;
	struct task *task = task_current();
	bool nonblock = (file->flags & LX_O_NONBLOCK) || uio->nonblock;
	ssize_t done = 0;

	if (!task || uio->resid < sizeof(struct lx_signalfd_siginfo))
		return -EINVAL;
	while (uio->resid >= sizeof(struct lx_signalfd_siginfo)) {
		struct lx_signalfd_siginfo out;
		struct lx_siginfo info;
		int r = take(sfd, task, nonblock || done > 0, &info);

		if (r < 0)
			return done ? done : r;
		convert(&info, &out);
		if (uio_copy_to(uio, &out, sizeof(out)) != (ssize_t)sizeof(out))
			return done ? done : -EFAULT;
		done += (ssize_t)sizeof(out);
	}
	return done;
}

static void signalfd_release(struct file *file)
{
	struct signalfd *sfd = file->private;

	group_unref(sfd->group);
	free(sfd);
}

static size_t signalfd_show_fdinfo(struct file *file, char *buffer, size_t size)
{
	const struct signalfd *sfd = file->private;
	int length = snprintf(buffer, size, "sigmask:\t%016llx\n", (unsigned long long)sfd->mask);

	return length < 0 ? 0 : (size_t)length;
}

static const struct file_ops signalfd_ops = {
	.name = "signalfd",
	.read = signalfd_read,
	.seek = file_no_seek,
	.poll = signalfd_poll,
	.poll_queue = signalfd_poll_queue,
	.release = signalfd_release,
	.show_fdinfo = signalfd_show_fdinfo,
};

/* ---- system calls --------------------------------------------------------------------------- */

static int change(struct task *task, int fd, uint64_t mask)
{
	struct file *file = fd_get(task->files, fd);
	int r = -EINVAL;

	if (!file)
		return -EBADF;
	if (file->ops == &signalfd_ops) {
		struct signalfd *sfd = file->private;

		sfd->mask = mask;
		wait_queue_wake(&task->group->signal_queue, LX_POLLIN);
		r = fd;
	}
	file_unref(file);
	return r;
}

static int create(struct task *task, uint64_t mask, unsigned flags)
{
	struct signalfd *sfd = calloc(1, sizeof(*sfd));
	struct file *file;
	int r;

	if (!sfd)
		return -ENOMEM;
	sfd->mask = mask;
	sfd->group = group_ref(task->group);
	r = file_new_anonymous("anon_inode:[signalfd]", &signalfd_ops, sfd,
		LX_O_RDWR | (int)(flags & LX_SFD_NONBLOCK), 0600, &file);
	if (r < 0) {
		group_unref(sfd->group);
		free(sfd);
		return r;
	}
	file->stream = true;
	r = fd_install(
		task->files, file, 0, task_rlimit(task, LX_RLIMIT_NOFILE), flags & LX_SFD_CLOEXEC);
	if (r < 0)
		file_unref(file);
	return r;
}

int64_t sys_signalfd4(struct task *task, int fd, gaddr_t mask_addr, uint64_t size, unsigned flags)
{
	uint64_t mask;
	int r;

	if (size != LX_SIGSET_SIZE)
		return -EINVAL;
	r = guest_read_value(task, &mask, mask_addr);
	if (r < 0)
		return r;
	if (flags & ~(unsigned)(LX_SFD_CLOEXEC | LX_SFD_NONBLOCK))
		return -EINVAL;
	mask &= ~SIGNALS_UNBLOCKABLE;
	return fd == -1 ? create(task, mask, flags) : change(task, fd, mask);
}

int64_t sys_signalfd(struct task *task, int fd, gaddr_t mask_addr, uint64_t size)
{
	return sys_signalfd4(task, fd, mask_addr, size, 0);
}
