/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "abi/signal.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"
#include "sentry/tty/tty.h"

/*
 * Process groups and sessions (credentials(7), setpgid(2), setsid(2)), and the ids that a task can
 * ask for.
 *
 * A process group is orphaned when no member has a parent in the same session but outside the
 * group: nobody is left to continue it, so its stopped members get SIGHUP and SIGCONT at the moment
 * it becomes so.
 */

static void move(
	struct pid **slot, struct list_head *link, struct list_head *members, struct pid *to)
{
	struct pid *from = *slot;

	if (from == to)
		return;
	if (to) {
		*slot = pid_ref(to);
		list_remove(link);
		list_add_tail(link, members);
	} else {
		/* A zombie's number stays readable until it is freed with the group. */
		list_remove(link);
		*slot = NULL;
	}
	if (from) {
		pid_release_number(from);
		pid_unref(from);
	}
}

void group_set_pgrp(struct thread_group *group, struct pid *pgrp)
{
	move(&group->pgrp, &group->pgrp_link, pgrp ? &pgrp->pgrp_members : NULL, pgrp);
}

void group_set_session(struct thread_group *group, struct pid *session)
{
	move(&group->session, &group->session_link, session ? &session->session_members : NULL,
		session);
}

struct pid *group_session(struct thread_group *group)
{
	return group->session;
}

/* will_become_orphaned_pgrp(): @ignored is leaving and does not count. */
static bool orphaned_without(struct pid *pgrp, const struct thread_group *ignored)
{
	struct thread_group *group;

	list_for_each_entry (group, &pgrp->pgrp_members, pgrp_link) {
		const struct thread_group *parent = group->parent;

		if (group == ignored || group->zombie || !parent || parent->unkillable)
			continue;
		if (parent->pgrp != pgrp && parent->session == group->session)
			return false;
	}
	return true;
}

bool pgrp_is_orphaned(struct pid *pgrp)
{
	return orphaned_without(pgrp, NULL);
}

static bool has_stopped_member(struct pid *pgrp)
{
	struct thread_group *group;

	list_for_each_entry (group, &pgrp->pgrp_members, pgrp_link)
		if (group->stopped)
			return true;
	return false;
}

void session_check_orphans(struct thread_group *group, struct thread_group *parent)
{
	const struct thread_group *ignored = NULL;
	struct pid *pgrp = group->pgrp;
	struct lx_siginfo info = {.code = LX_SI_KERNEL};

	if (!parent) {
		/* @group itself leaves: it was the tie of its own group. */
		parent = group->parent;
		ignored = group;
	}
	if (!parent || parent->pgrp == pgrp || parent->session != group->session)
		return;
	if (!orphaned_without(pgrp, ignored) || !has_stopped_member(pgrp))
		return;
	info.signo = LX_SIGHUP;
	(void)signal_send_pgrp(pgrp, &info);
	info.signo = LX_SIGCONT;
	(void)signal_send_pgrp(pgrp, &info);
}

/* ---- system calls --------------------------------------------------------------------------- */

int64_t sys_getpid(struct task *task)
{
	return pid_vnr(task->group->pid);
}

int64_t sys_gettid(struct task *task)
{
	return pid_vnr(task->pid);
}

int64_t sys_getppid(struct task *task)
{
	return task->group->parent ? pid_vnr(task->group->parent->pid) : 0;
}

/* 0 is the caller; -ESRCH when there is no such process. */
static int find_group(struct task *task, int nr, struct thread_group **ret)
{
	struct task *other;

	if (nr == 0) {
		*ret = task->group;
		return 0;
	}
	/* Any thread's tid names its process (find_task_by_vpid()). */
	other = pid_task(nr);
	if (!other)
		return -ESRCH;
	*ret = other->group;
	return 0;
}

int64_t sys_getpgid(struct task *task, int nr)
{
	struct thread_group *group;
	int r = find_group(task, nr, &group);

	return r < 0 ? r : pid_vnr(group->pgrp);
}

int64_t sys_getpgrp(struct task *task)
{
	return pid_vnr(task->group->pgrp);
}

int64_t sys_getsid(struct task *task, int nr)
{
	struct thread_group *group;
	int r = find_group(task, nr, &group);

	return r < 0 ? r : pid_vnr(group->session);
}

int64_t sys_setpgid(struct task *task, int nr, int pgid)
{
	struct thread_group *self = task->group, *group, *member;
	struct pid *pgrp;

	if (nr == 0)
		nr = pid_vnr(self->pid);
	if (pgid == 0)
		pgid = nr;
	if (pgid < 0)
		return -EINVAL;
	if (!pid_task(nr))
		return -ESRCH;
	group = pid_group(nr);
	if (!group)
		return -EINVAL; /* a thread, not a process */
	if (group->parent == self) {
		if (group->session != self->session)
			return -EPERM;
		if (group->did_exec)
			return -EACCES;
	} else if (group != self) {
		return -ESRCH;
	}
	if (group->session == group->pid)
		return -EPERM; /* a session leader stays */
	pgrp = group->pid;
	if (pgid != nr) {
		pgrp = pid_find(pgid);
		if (!pgrp || list_empty(&pgrp->pgrp_members))
			return -EPERM;
		member = list_first(&pgrp->pgrp_members, struct thread_group, pgrp_link);
		if (member->session != self->session)
			return -EPERM;
	}
	group_set_pgrp(group, pgrp);
	group_publish(group);
	return 0;
}

int64_t sys_setsid(struct task *task)
{
	struct thread_group *group = task->group;

	if (group->session == group->pid || !list_empty(&group->pid->pgrp_members))
		return -EPERM;
	group_set_session(group, group->pid);
	group_set_pgrp(group, group->pid);
	group_publish(group);
	tty_forget(group);
	return pid_vnr(group->pid);
}
