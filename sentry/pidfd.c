/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "sentry/procfs/procfs.h"
#include "sentry/pid_ns.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

/*
 * pidfd_open(2) and relatives: a file that holds on to a struct pid, which outlives the process and
 * whose number may be another's by then. Readable once the process is over.
 */

static uint32_t pidfd_poll(struct file *file)
{
	const struct pid *pid = file->private;

	if (!pid->group)
		return LX_POLLIN | LX_POLLRDNORM | LX_POLLHUP; /* reaped */
	return pid->group->zombie ? LX_POLLIN | LX_POLLRDNORM : 0;
}

static struct wait_queue *pidfd_poll_queue(struct file *file)
{
	struct pid *pid = file->private;

	return &pid->exit_queue;
}

static void pidfd_release(struct file *file)
{
	pid_unref(file->private);
}

static size_t pidfd_show_fdinfo(struct file *file, char *buffer, size_t size)
{
	const struct pid *pid = file->private;
	int nr = pid->group ? pid_vnr(pid) : -1;
	size_t length = (size_t)snprintf(buffer, size, "Pid:\t%d\nNSpid:\t%d", nr, nr);

	/* The numbers in the namespaces below the reader's. */
	for (unsigned level = pid_ns_here()->level + 1; nr > 0 && level <= pid->level; level++)
		length += (size_t)snprintf(
			buffer + length, size - length, "\t%d", pid->numbers[level]);
	return length + (size_t)snprintf(buffer + length, size - length, "\n");
}

static const struct file_ops pidfd_ops = {
	.name = "pidfd",
	.poll = pidfd_poll,
	.poll_queue = pidfd_poll_queue,
	.release = pidfd_release,
	.show_fdinfo = pidfd_show_fdinfo,
};

int pidfd_file_new(struct pid *pid, int flags, struct file **ret)
{
	int r = file_new_anonymous(
		"anon_inode:[pidfd]", &pidfd_ops, pid_ref(pid), flags, 0700, ret);

	if (r < 0)
		pid_unref(pid);
	return r;
}

int pidfd_install(struct task *task, struct pid *pid)
{
	struct file *file;
	int r = pidfd_file_new(pid, LX_O_RDWR, &file);

	if (r < 0)
		return r;
	r = fd_install(task->files, file, 0, task_rlimit(task, LX_RLIMIT_NOFILE), true);
	if (r < 0)
		file_unref(file);
	return r;
}

int pidfd_file_pid(struct file *file, struct pid **ret_pid)
{
	if (file->ops != &pidfd_ops)
		return -EBADF;
	*ret_pid = file->private;
	return 0;
}

int64_t sys_pidfd_open(struct task *task, int nr, unsigned flags)
{
	struct file *file;
	struct pid *pid;
	int r;

	if (flags & ~(unsigned)LX_PIDFD_NONBLOCK)
		return -EINVAL;
	if (nr <= 0)
		return -EINVAL;
	pid = pid_find(nr);
	if (!pid || (!pid->group && !pid->task))
		return -ESRCH;
	/* A thread, not a process (before PIDFD_THREAD: -EINVAL; since then -ENOENT). */
	if (!pid->group)
		return -ENOENT;
	r = pidfd_file_new(pid, LX_O_RDWR | (int)flags, &file);
	if (r < 0)
		return r;
	r = fd_install(task->files, file, 0, task_rlimit(task, LX_RLIMIT_NOFILE), true);
	if (r < 0)
		file_unref(file);
	return r;
}

/* An owned reference to the process behind @fd: a pidfd or, with @directories, what was opened as
 * /proc/PID. */
static int get_pid(struct task *task, int fd, bool directories, struct pid **ret)
{
	struct file *file = fd_get(task->files, fd);
	struct pid *pid = NULL;
	int r;

	if (!file)
		return -EBADF;
	r = pidfd_file_pid(file, &pid);
	if (r < 0 && directories) {
		pid = procfs_process_of(file);
		r = pid ? 0 : r;
	}
	if (r == 0)
		*ret = pid_ref(pid);
	file_unref(file);
	return r;
}

/* kill(2)'s information, or the caller's own: it may only pretend to be the kernel towards itself.
 */
static int send_info(struct task *task, const struct thread_group *group, int signo, gaddr_t addr,
	struct lx_siginfo *ret)
{
	int r;

	if (gaddr_is_null(addr)) {
		signal_info_user(ret, signo, LX_SI_USER, task);
		return 0;
	}
	r = guest_read_value(task, ret, addr);
	if (r < 0)
		return r;
	if (ret->signo != signo)
		return -EINVAL;
	if (group != task->group && (ret->code >= 0 || ret->code == LX_SI_TKILL))
		return -EPERM;
	return 0;
}

#define SIGNAL_FLAGS                                                                               \
	(LX_PIDFD_SIGNAL_THREAD | LX_PIDFD_SIGNAL_THREAD_GROUP | LX_PIDFD_SIGNAL_PROCESS_GROUP)

/* A pidfd is a process's: its thread is the first one. */
static int send_to_group(
	struct task *task, struct thread_group *group, const struct lx_siginfo *info, bool thread)
{
	int r = signal_permitted(task, group, info->signo);

	if (r < 0 || !info->signo)
		return r;
	return thread ? signal_send_task(group->leader, info) : signal_send_group(group, info);
}

int64_t sys_pidfd_send_signal(struct task *task, int fd, int signo, gaddr_t addr, unsigned flags)
{
	struct lx_siginfo info;
	struct pid *pid = NULL;
	int r;

	if (flags & ~(unsigned)SIGNAL_FLAGS || (flags & (flags - 1)))
		return -EINVAL;
	r = get_pid(task, fd, true, &pid);
	if (r < 0)
		return r;
	/* The guest's memory first: it sleeps, and the process may end meanwhile. */
	r = send_info(task, pid->group, signo, addr, &info);
	if (r == 0 && (signo < 0 || signo > LX_NSIG))
		r = -EINVAL;
	if (r == 0 && !pid->group)
		r = -ESRCH;
	if (r == 0 && flags == LX_PIDFD_SIGNAL_PROCESS_GROUP)
		r = signal_kill_pgrp(task, pid, &info);
	else if (r == 0)
		r = send_to_group(task, pid->group, &info, flags == LX_PIDFD_SIGNAL_THREAD);
	pid_unref(pid);
	return r;
}

static int take_file(struct task *task, const struct pid *pid, int fd, struct file **ret)
{
	struct task *target;

	if (!pid->group)
		return -ESRCH;
	target = pid->group->leader;
	if (!task_may_inspect(task, task->cred, target, true))
		return -EPERM;
	if (!target->files)
		return -ESRCH;
	*ret = fd_get_any(target->files, fd);
	return *ret ? 0 : -EBADF;
}

int64_t sys_pidfd_getfd(struct task *task, int pidfd, int target_fd, unsigned flags)
{
	struct file *file;
	struct pid *pid = NULL;
	int r;

	if (flags)
		return -EINVAL;
	r = get_pid(task, pidfd, false, &pid);
	if (r < 0)
		return r;
	r = take_file(task, pid, target_fd, &file);
	pid_unref(pid);
	if (r < 0)
		return r;
	names_changed(true); /* its owner is not alone with it any more: task_tell_opened() */
	tasks_files_shared();
	r = fd_install(task->files, file, 0, task_rlimit(task, LX_RLIMIT_NOFILE), true);
	if (r < 0)
		file_unref(file);
	return r;
}
