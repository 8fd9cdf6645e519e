/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/task_private.h"

/*
 * What threads may answer themselves (platform/inguest.h): the words that they answer from are
 * written here, whenever what they stand for changes.
 *
 * Ids: the own ones change by the thread's own calls; the process group's and the parent's by
 * others', for all threads of the process. Each word is stored at once, so a thread that runs
 * meanwhile reads the old or the new one, as if its call had come a moment earlier or later.
 * Whoever learns of the change from the Sentry (the return of setpgid, the end of the parent)
 * learns of it after the words were written.
 */

static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* The kernel's own view, as the calls in sentry/session.c and sentry/syscalls/cred.c have it. */
void task_publish(struct task *task)
{
	struct platform_inguest *inguest = task->thread ? task->thread->inguest : NULL;
	const struct thread_group *group = task->group;
	const struct cred *cred = task->cred;
	uint32_t *ids;

	if (!inguest)
		return;
	ids = inguest->ids;
	store(&ids[PLATFORM_ID_TGID], (uint32_t)group->pid->nr);
	store(&ids[PLATFORM_ID_TID], (uint32_t)task->pid->nr);
	store(&ids[PLATFORM_ID_PPID], group->parent ? (uint32_t)group->parent->pid->nr : 0);
	store(&ids[PLATFORM_ID_PGID], (uint32_t)group->pgrp->nr);
	store(&ids[PLATFORM_ID_SID], (uint32_t)group->session->nr);
	store(&ids[PLATFORM_ID_UID], cred->uid);
	store(&ids[PLATFORM_ID_EUID], cred->euid);
	store(&ids[PLATFORM_ID_GID], cred->gid);
	store(&ids[PLATFORM_ID_EGID], cred->egid);
	/* What --strace shows has to come by. */
	store(&inguest->features,
		task_strace_enabled() ? 0 : PLATFORM_INGUEST_IDS | PLATFORM_INGUEST_FUTEX);
}

void group_publish(struct thread_group *group)
{
	struct task *task;

	list_for_each_entry (task, &group->tasks, group_link)
		if (!task->exited)
			task_publish(task);
}
