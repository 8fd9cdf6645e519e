/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signal.h"
#include "sentry/tty/tty_private.h"

/*
 * Terminals and job control (credentials(7), ioctl_tty(2), tty_jobctrl.c of Linux).
 *
 * A terminal controls at most one session, and a session has at most one terminal; its processes
 * each hold a reference on it (thread_group.tty), handed on by fork. One process group of the
 * session is in the foreground: it gets the signals of typed characters, and only it may read.
 */

static void drop_pid(struct pid **pid)
{
	if (*pid)
		pid_unref(*pid);
	*pid = NULL;
}

static void send_kernel_signal(struct pid *pgrp, int signo)
{
	const struct lx_siginfo info = {.signo = signo, .code = LX_SI_KERNEL};

	(void)signal_send_pgrp(pgrp, &info);
}

void tty_signal_foreground(struct tty *tty, int signo)
{
	if (tty->pgrp)
		send_kernel_signal(tty->pgrp, signo);
}

int tty_check_job(struct tty *tty, struct task *task, int signo)
{
	struct thread_group *group;

	if (!task || task->group->tty != tty)
		return 0;
	group = task->group;
	if (!tty->pgrp || group->pgrp == tty->pgrp)
		return 0;
	if ((task_blocked(task) & LX_SIGMASK(signo)) ||
		group->sighand->action[signo - 1].handler == LX_SIG_IGN)
		return signo == LX_SIGTTIN ? -EIO : 0;
	if (pgrp_is_orphaned(group->pgrp))
		return -EIO;
	send_kernel_signal(group->pgrp, signo);
	return -ERESTARTSYS;
}

/* ---- who has which terminal ---- */

void tty_forget(struct thread_group *group)
{
	tty_unref(group->tty);
	group->tty = NULL;
	drop_pid(&group->tty_old_pgrp);
}

void tty_inherit(struct thread_group *child, const struct thread_group *from)
{
	child->tty = from->tty ? tty_ref(from->tty) : NULL;
}

static bool leads_session(const struct thread_group *group)
{
	return group->session == group->pid;
}

/* No process of the session has a terminal any more. */
static void session_clear(struct pid *session)
{
	struct thread_group *group;

	list_for_each_entry (group, &session->session_members, session_link) {
		tty_unref(group->tty);
		group->tty = NULL;
	}
}

void tty_set_controlling(struct tty *tty, struct thread_group *leader)
{
	drop_pid(&tty->session);
	drop_pid(&tty->pgrp);
	tty->session = pid_ref(leader->session);
	tty->pgrp = pid_ref(leader->pgrp);
	tty_forget(leader);
	leader->tty = tty_ref(tty);
}

void tty_acquire_by_open(struct tty *tty, const struct file *file, struct task *task)
{
	/* Who may not read gets no power over the terminal by opening it. */
	if (!task || (file->flags & LX_O_NOCTTY) || !file->readable)
		return;
	if (leads_session(task->group) && !task->group->tty && !tty->session)
		tty_set_controlling(tty, task->group);
}

/* The terminal and its session part; the foreground group hears that, as at a hang-up, but may go
 * on when the leader only let go of it. */
static void disassociate(struct thread_group *leader, bool exits)
{
	struct tty *tty = leader->tty;

	if (tty) {
		tty_ref(tty);
		if (tty->pgrp) {
			send_kernel_signal(tty->pgrp, LX_SIGHUP);
			if (!exits)
				send_kernel_signal(tty->pgrp, LX_SIGCONT);
		}
		drop_pid(&tty->session);
		drop_pid(&tty->pgrp);
		session_clear(leader->session);
		tty_unref(tty);
	} else if (exits && leader->tty_old_pgrp) {
		/* It was hung up before: then the group in front has not heard yet. */
		send_kernel_signal(leader->tty_old_pgrp, LX_SIGHUP);
		send_kernel_signal(leader->tty_old_pgrp, LX_SIGCONT);
	}
	drop_pid(&leader->tty_old_pgrp);
}

void tty_session_exit(struct thread_group *group)
{
	if (leads_session(group))
		disassociate(group, true);
	tty_forget(group);
}

void tty_hangup_session(struct tty *tty)
{
	struct thread_group *group, *next;
	struct pid *session = tty->session;

	if (session) {
		list_for_each_entry_safe (group, next, &session->session_members, session_link) {
			struct lx_siginfo info = {.signo = LX_SIGHUP, .code = LX_SI_KERNEL};

			if (group->tty == tty) {
				group->tty = NULL;
				tty_unref(tty);
			}
			if (!leads_session(group))
				continue;
			(void)signal_send_group(group, &info);
			info.signo = LX_SIGCONT;
			(void)signal_send_group(group, &info);
			drop_pid(&group->tty_old_pgrp);
			if (tty->pgrp)
				group->tty_old_pgrp = pid_ref(tty->pgrp);
		}
	}
	drop_pid(&tty->session);
	drop_pid(&tty->pgrp);
}

/* ---- ioctl_tty(2), "Controlling terminal" and "Process group and session ID" ---- */

static int set_controlling_ioctl(
	struct tty *tty, const struct file *file, uint64_t arg, struct task *task)
{
	struct thread_group *group = task->group;

	if (leads_session(group) && tty->session == group->session)
		return 0;
	if (!leads_session(group) || group->tty)
		return -EPERM;
	if (tty->session) {
		/* Somebody else's: root may steal it. */
		if (arg != 1 || !cred_capable(task->cred, LX_CAP_SYS_ADMIN))
			return -EPERM;
		session_clear(tty->session);
	}
	if (!file->readable && !cred_capable(task->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	tty_set_controlling(tty, group);
	return 0;
}

static int give_up_ioctl(struct tty *tty, bool master, struct task *task)
{
	struct thread_group *group = task->group;

	if (master || group->tty != tty)
		return -ENOTTY;
	if (leads_session(group))
		disassociate(group, false);
	tty_forget(group);
	return 0;
}

static int64_t get_pid_ioctl(
	struct tty *tty, bool master, const struct pid *pid, gaddr_t arg, struct task *task)
{
	int nr = pid_vnr(pid);

	if (!master && task->group->tty != tty)
		return -ENOTTY;
	return guest_write_value(task, arg, &nr);
}

/* The session of whoever carries the number as a group or else as a process. */
static struct pid *session_of(const struct pid *pgrp)
{
	if (!list_empty(&pgrp->pgrp_members))
		return list_first(&pgrp->pgrp_members, struct thread_group, pgrp_link)->session;
	return pgrp->task ? pgrp->task->group->session : NULL;
}

static int64_t set_pgrp_ioctl(struct tty *tty, gaddr_t arg, struct task *task)
{
	int64_t r = tty_check_job(tty, task, LX_SIGTTOU);
	struct thread_group *group = task->group;
	struct pid *pgrp;
	int nr;

	if (r < 0)
		return r == -EIO ? -ENOTTY : r;
	r = guest_read_value(task, &nr, arg);
	if (r < 0)
		return r;
	if (nr < 0)
		return -EINVAL;
	if (!group->tty || group->tty != tty || tty->session != group->session)
		return -ENOTTY;
	pgrp = pid_find(nr);
	if (!pgrp)
		return -ESRCH;
	if (session_of(pgrp) != group->session)
		return -EPERM;
	pid_ref(pgrp);
	drop_pid(&tty->pgrp);
	tty->pgrp = pgrp;
	return 0;
}

int64_t tty_job_ioctl(struct tty *tty, bool master, struct file *file, unsigned request,
	gaddr_t arg, struct task *task)
{
	switch (request) {
	case LX_TIOCSCTTY:
		return set_controlling_ioctl(tty, file, arg.v, task);
	case LX_TIOCNOTTY:
		return give_up_ioctl(tty, master, task);
	case LX_TIOCGPGRP:
		return get_pid_ioctl(tty, master, tty->pgrp, arg, task);
	case LX_TIOCSPGRP:
		return set_pgrp_ioctl(tty, arg, task);
	case LX_TIOCGSID:
		if (!tty->session)
			return -ENOTTY;
		return get_pid_ioctl(tty, master, tty->session, arg, task);
	default:
		return -ENOIOCTLCMD;
	}
}
