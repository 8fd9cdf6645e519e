/* SPDX-License-Identifier: Apache-2.0 */
/*
 * O_ASYNC: signals instead of polling (fcntl(2), F_SETOWN and F_SETSIG; kernel fs/fcntl.c
 * kill_fasync()).
 *
 * A file with the flag has an entry in the queue that poll() would wait on; each wake-up there asks
 * poll() what is true now and sends one signal for it. Pipes, sockets, terminals and inotify
 * signal; other files keep the flag and are silent, as on Linux.
 */
#include "sentry/sigio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "base/checked.h"
#include "vfs/anon.h"

struct sigio {
	struct wait_entry entry; /* first: file_unref() frees it */
	struct file *file;	 /* borrowed: ours ends with it */
	int fd;
};

bool sigio_possible(const struct file *file)
{
	static const char *const kinds[] = {"pipe", "socket", "tty", "ptmx", "inotify"};

	if (!file->ops->poll_queue)
		return false;
	for (size_t i = 0; i < array_size(kinds); i++)
		if (strcmp(file->ops->name, kinds[i]) == 0)
			return true;
	return false;
}

static bool is_terminal(const struct file *file)
{
	return strcmp(file->ops->name, "tty") == 0 || strcmp(file->ops->name, "ptmx") == 0;
}

void sigio_set_owner(const struct task *task, struct file *file, int kind, int pid)
{
	file->owner.kind = kind;
	file->owner.pid = pid;
	if (!pid)
		return;
	file->owner.uid = task->cred->uid;
	file->owner.euid = task->cred->euid;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* sigio_perm(): as if whoever set the owner had sent it. */
static bool permitted(const struct file *file, const struct thread_group *group)
{
	const struct cred *cred = group->leader ? group->leader->cred : NULL;

	return file->owner.euid == 0 || !cred || file->owner.euid == cred->suid ||
	       file->owner.euid == cred->uid || file->owner.uid == cred->suid ||
	       file->owner.uid == cred->uid;
}

static void send_to_owner(const struct file *file, const struct lx_siginfo *info)
{
	struct pid *pid = file->owner.pid ? pid_find_first(file->owner.pid) : NULL;
	struct thread_group *group, *next;

	if (!pid)
		return;
	switch (file->owner.kind) {
	case LX_F_OWNER_TID:
		if (pid->task && permitted(file, pid->task->group))
			(void)signal_send_task(pid->task, info);
		break;
	case LX_F_OWNER_PGRP:
		list_for_each_entry_safe (group, next, &pid->pgrp_members, pgrp_link)
			if (permitted(file, group))
				(void)signal_send_group(group, info);
		break;
	default:
		if (pid->group && !pid->group->zombie && permitted(file, pid->group))
			(void)signal_send_group(pid->group, info);
		break;
	}
}

static void send(const struct file *file, int fd, int reason)
{
	static const uint32_t bands[] = {
		[LX_POLL_IN] = LX_POLLIN | LX_POLLRDNORM,
		[LX_POLL_OUT] = LX_POLLOUT | LX_POLLWRNORM | LX_POLLWRBAND,
		[LX_POLL_MSG] = LX_POLLIN | LX_POLLRDNORM | LX_POLLMSG,
		[LX_POLL_PRI] = LX_POLLPRI | LX_POLLRDBAND,
		[LX_POLL_HUP] = LX_POLLHUP | LX_POLLERR,
	};
	struct lx_siginfo info = {.signo = LX_SIGIO, .code = LX_SI_KERNEL};

	/* What happened is told only with a signal of the program's choice. */
	if (file->owner.signo)
		info = (struct lx_siginfo){
			.signo = file->owner.signo,
			.code = reason,
			.poll = {.band = bands[reason], .fd = fd},
		};
	send_to_owner(file, &info);
}

void sigio_urgent(const struct file *file)
{
	struct lx_siginfo info = {.signo = LX_SIGURG, .code = LX_SI_KERNEL};

	send_to_owner(file, &info);
}

/* Something happened to the file: what, of that which the opener can use? */
static bool happened(struct wait_entry *entry, uint32_t events)
{
	struct sigio *sigio = entry->data;
	struct file *file = sigio->file;
	uint32_t state;

	if (events & WAIT_QUEUE_GONE)
		return false;
	state = file_poll(file) & (events | LX_POLLHUP);
	if ((state & (LX_POLLIN | LX_POLLHUP)) && file->readable)
		send(file, sigio->fd, LX_POLL_IN);
	else if ((state & LX_POLLOUT) && file->writable && file_is_pipe(file))
		send(file, sigio->fd, LX_POLL_OUT);
	return false; /* it takes nothing from those who wait */
}

/* ---- the flag -------------------------------------------------------------------------------- */

/* A terminal signals its foreground group, or who asked first, unless told otherwise
 * (tty_fasync()). */
static void default_owner(const struct task *task, struct file *file)
{
	if (file->owner.pid || !is_terminal(file))
		return;
	sigio_set_owner(task, file, LX_F_OWNER_PID, task->group->pid->nr);
}

int sigio_set_async(struct task *task, struct file *file, int fd, bool on)
{
	struct sigio *sigio;

	if (on == (file->async != NULL) || !sigio_possible(file))
		return 0;
	if (!on) {
		wait_entry_remove(file->async);
		free(file->async);
		file->async = NULL;
		return 0;
	}
	sigio = calloc(1, sizeof(*sigio));
	if (!sigio)
		return -ENOMEM;
	sigio->file = file;
	sigio->fd = fd;
	sigio->entry.events = ~0u;
	sigio->entry.notify = happened;
	sigio->entry.data = sigio;
	file->async = &sigio->entry;
	default_owner(task, file);
	wait_entry_add(file->ops->poll_queue(file), &sigio->entry);
	return 0;
}

/* ---- F_NOTIFY -------------------------------------------------------------------------------- */

static void directory_changed(const struct file *file, int fd)
{
	send(file, fd, LX_POLL_MSG);
}

int sigio_notify(struct task *task, struct file *file, int fd, unsigned flags)
{
	int err;

	dnotify_register(directory_changed);
	tasks_forget_opened();
	err = dnotify_set(file, fd, flags, task->files);
	if (err == 0 && file->dnotify)
		sigio_set_owner(task, file, LX_F_OWNER_PID, task->group->pid->nr);
	return err;
}

/* ---- F_SETLEASE ------------------------------------------------------------------------------ */

static void lease_breaks(const struct file *file, int fd)
{
	send(file, fd, LX_POLL_MSG);
}

int sigio_set_lease(struct task *task, struct file *file, int fd, int type)
{
	int r;

	lease_register(lease_breaks);
	r = file_set_lease(file, fd, type, task->cred, task->group->pid->nr);
	/* lease_setup(): a new one's is the caller, unless somebody was named. */
	if (r > 0 && !file->owner.pid)
		sigio_set_owner(task, file, LX_F_OWNER_PID, task->group->pid->nr);
	return r < 0 ? r : 0;
}
