/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "abi/limits.h"
#include "sentry/task_private.h"

/*
 * Process ids. The table is a plain array: pid_max is 32768, as on a small Linux, and /proc and
 * kill(-1) walk it in order. Numbers are handed out in sequence and reused late, since programs
 * (and people) rely on it.
 */

/* After a wrap-around the low numbers stay unused (kernel/pid.c RESERVED_PIDS). */
#define PID_RESERVED 300

static struct pid *pids[LX_PID_MAX_DEFAULT];
static int last_nr;

static int pid_insert(int nr, struct pid **ret)
{
	struct pid *pid = calloc(1, sizeof(*pid));

	if (!pid)
		return -ENOMEM;
	pid->refs = REFCOUNT_ONE;
	pid->nr = nr;
	list_init(&pid->pgrp_members);
	list_init(&pid->session_members);
	wait_queue_init(&pid->exit_queue);
	pids[nr] = pid;
	*ret = pid;
	return 0;
}

int pid_new(struct pid **ret)
{
	int nr = last_nr;

	for (int tries = 0; tries < LX_PID_MAX_DEFAULT; tries++) {
		int r;

		if (++nr >= LX_PID_MAX_DEFAULT)
			nr = PID_RESERVED;
		if (pids[nr])
			continue;
		r = pid_insert(nr, ret);
		if (r == 0)
			last_nr = nr;
		return r;
	}
	return -EAGAIN;
}

int pid_new_at(int nr, struct pid **ret)
{
	if (nr <= 0 || nr >= LX_PID_MAX_DEFAULT)
		return -EINVAL;
	if (pids[nr])
		return -EEXIST;
	return pid_insert(nr, ret);
}

struct pid *pid_find(int nr)
{
	return nr > 0 && nr < LX_PID_MAX_DEFAULT ? pids[nr] : NULL;
}

struct pid *pid_next(int nr)
{
	for (nr = nr > 0 ? nr : 1; nr < LX_PID_MAX_DEFAULT; nr++)
		if (pids[nr])
			return pids[nr];
	return NULL;
}

struct thread_group *pid_group(int nr)
{
	struct pid *pid = pid_find(nr);

	return pid ? pid->group : NULL;
}

struct task *pid_task(int nr)
{
	struct pid *pid = pid_find(nr);

	return pid ? pid->task : NULL;
}

struct pid *pid_ref(struct pid *pid)
{
	refcount_get(&pid->refs);
	return pid;
}

void pid_unref(struct pid *pid)
{
	if (!refcount_put(&pid->refs))
		return;
	/*
	 * A pidfd keeps the object but must not keep the number: pid_release_number() has cleared
	 * the slot then, and it may be another's by now.
	 */
	if (pids[pid->nr] == pid)
		pids[pid->nr] = NULL;
	wait_queue_destroy(&pid->exit_queue);
	free(pid);
}

void pid_release_number(struct pid *pid)
{
	if (pid->task || pid->group || !list_empty(&pid->pgrp_members) ||
		!list_empty(&pid->session_members))
		return;
	if (pids[pid->nr] == pid)
		pids[pid->nr] = NULL;
}
