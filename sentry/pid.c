/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "base/checked.h"
#include "sentry/mm.h"
#include "sentry/nsproxy.h"
#include "sentry/pid_ns.h"
#include "sentry/task_private.h"
#include "vfs/landlock.h"

/*
 * Process ids. A namespace's table is a plain array, the first one's complete: pid_max is 32768, as
 * on a small Linux, and /proc and kill(-1) walk it in order. Numbers are handed out in sequence and
 * reused late, since programs (and people) rely on it.
 */

/* After a wrap-around the low numbers stay unused (kernel/pid.c RESERVED_PIDS). */
#define PID_RESERVED 300

static struct pid *first_table[LX_PID_MAX_DEFAULT];

struct pid_ns pid_ns_first = {
	.ns = {.refs = REFCOUNT_ONE,
		.kind = NS_PID,
		.number = 4026531836u,
		.user_ns = &user_ns_first},
	.table = first_table,
	.capacity = LX_PID_MAX_DEFAULT,
};

/* ---- namespaces ---- */

static unsigned namespaces; /* without the first */

static void pid_ns_destroy(struct ns *base)
{
	struct pid_ns *ns = pid_ns_of(base), *parent = ns->parent;

	namespaces--;
	free(ns->table);
	wait_queue_destroy(&ns->emptied);
	ns_fini(base);
	free(ns);
	ns_unref(&parent->ns); /* at most PID_NS_LEVEL_MAX deep */
}

int pid_ns_new(struct pid_ns *parent, struct user_ns *user_ns, struct ns **ret)
{
	struct pid_ns *ns;
	int err;

	if (parent->level >= PID_NS_LEVEL_MAX || namespaces >= SENTRY_MAX_PID_NAMESPACES)
		return -ENOSPC;
	/* Whoever rules over it must be below who rules over the parent. */
	if (!user_ns_is_below(user_ns, parent->ns.user_ns))
		return -EINVAL;
	ns = calloc(1, sizeof(*ns));
	if (!ns)
		return -ENOMEM;
	err = ns_init(&ns->ns, NS_PID, user_ns, pid_ns_destroy);
	if (err < 0) {
		free(ns);
		return err;
	}
	wait_queue_init(&ns->emptied);
	ns->parent = pid_ns_of(ns_ref(&parent->ns));
	ns->level = parent->level + 1;
	namespaces++;
	*ret = &ns->ns;
	return 0;
}

bool pid_ns_is_below(const struct pid_ns *ns, const struct pid_ns *ancestor)
{
	while (ns->level > ancestor->level)
		ns = ns->parent;
	return ns == ancestor;
}

struct pid_ns *task_pid_ns(const struct task *task)
{
	return task->pid->ns;
}

struct pid_ns *pid_ns_here(void)
{
	const struct task *task = task_current();

	return task && task->pid ? task->pid->ns : &pid_ns_first;
}

/* ---- numbers ---- */

static struct pid *get(const struct pid_ns *ns, int nr)
{
	return nr > 0 && nr < ns->capacity ? ns->table[nr] : NULL;
}

static int reserve(struct pid_ns *ns, int nr)
{
	int capacity = ns->capacity ? ns->capacity : 64;
	struct pid **table;

	while (capacity <= nr)
		capacity *= 2;
	if (capacity == ns->capacity)
		return 0;
	table = reallocarray(ns->table, (size_t)capacity, sizeof(table[0]));
	if (!table)
		return -ENOMEM;
	for (int i = ns->capacity; i < capacity; i++)
		table[i] = NULL;
	ns->table = table;
	ns->capacity = capacity;
	return 0;
}

static int choose(struct pid_ns *ns, int *ret)
{
	int nr = ns->last_nr;

	for (int tries = 0; tries < LX_PID_MAX_DEFAULT; tries++) {
		if (++nr >= LX_PID_MAX_DEFAULT)
			nr = PID_RESERVED;
		if (get(ns, nr))
			continue;
		*ret = nr;
		return reserve(ns, nr);
	}
	return -EAGAIN;
}

/* clone3(2): a number of the caller's wish (kernel alloc_pid()). */
static int choose_wanted(struct pid_ns *ns, const struct cred *cred, int nr)
{
	if (nr < 1 || nr >= LX_PID_MAX_DEFAULT)
		return -EINVAL;
	/* The first one in a namespace is its init. */
	if (nr != 1 && !ns->reaper && ns != &pid_ns_first)
		return -EINVAL;
	if (!cred_ns_capable(cred, ns->ns.user_ns, LX_CAP_SYS_ADMIN) &&
		!cred_ns_capable(cred, ns->ns.user_ns, LX_CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	if (get(ns, nr))
		return -EEXIST;
	return reserve(ns, nr);
}

int pid_new(struct pid_ns *ns, const struct cred *cred, const int *set_tid, size_t set_tid_count,
	struct pid **ret)
{
	unsigned level = ns->level;
	struct pid *pid;
	int err = 0;

	if (set_tid_count > level + 1)
		return -EINVAL;
	if (ns->dead)
		return -ENOMEM;
	pid = calloc(1, sizeof(*pid) + (level + 1) * sizeof(pid->numbers[0]));
	if (!pid)
		return -ENOMEM;
	for (struct pid_ns *at = ns; at && err == 0; at = at->parent) {
		size_t depth = level - at->level;

		if (depth < set_tid_count) {
			pid->numbers[at->level] = set_tid[depth];
			err = choose_wanted(at, cred, set_tid[depth]);
		} else {
			err = choose(at, &pid->numbers[at->level]);
		}
	}
	if (err < 0) {
		free(pid);
		return err;
	}
	pid->refs = REFCOUNT_ONE;
	pid->ns = pid_ns_of(ns_ref(&ns->ns));
	pid->level = level;
	pid->nr = pid->numbers[0];
	list_init(&pid->pgrp_members);
	list_init(&pid->session_members);
	wait_queue_init(&pid->exit_queue);
	for (struct pid_ns *at = ns; at; at = at->parent) {
		at->table[pid->numbers[at->level]] = pid;
		at->end = max_of(at->end, pid->numbers[at->level] + 1);
		if (level - at->level >= set_tid_count)
			at->last_nr = pid->numbers[at->level];
		at->count++;
	}
	*ret = pid;
	return 0;
}

struct pid *pid_find_in(const struct pid_ns *ns, int nr)
{
	return get(ns, nr);
}

struct pid *pid_find(int nr)
{
	return get(pid_ns_here(), nr);
}

int pid_nr_in(const struct pid *pid, const struct pid_ns *ns)
{
	if (!pid || pid->level < ns->level)
		return 0;
	if (ns->level == 0)
		return pid->nr;
	return pid_ns_is_below(pid->ns, ns) ? pid->numbers[ns->level] : 0;
}

int pid_vnr(const struct pid *pid)
{
	return pid_nr_in(pid, pid_ns_here());
}

int pid_nr_here(int nr)
{
	const struct pid_ns *ns = pid_ns_here();

	return ns == &pid_ns_first ? nr : pid_nr_in(pid_find_first(nr), ns);
}

struct pid *pid_find_first(int nr)
{
	return get(&pid_ns_first, nr);
}

int task_own_tid(const struct task *task)
{
	return task->pid->numbers[task->pid->level];
}

int task_own_tgid(const struct task *task)
{
	return task->group->pid->numbers[task->group->pid->level];
}

uint32_t uid_here(uint32_t uid)
{
	const struct task *task = task_current();

	return task ? user_ns_uid(task->cred->user_ns, uid) : uid;
}

uint32_t gid_here(uint32_t gid)
{
	const struct task *task = task_current();

	return task ? user_ns_gid(task->cred->user_ns, gid) : gid;
}

/* __ptrace_may_access() with cap_ptrace_access_check(). */
bool task_may_inspect(
	const struct task *task, const struct cred *cred, const struct task *target, bool fs_ids)
{
	const struct cred *other = target->cred;
	uint32_t uid = fs_ids ? cred->fsuid : cred->uid, gid = fs_ids ? cred->fsgid : cred->gid;

	if (task->group == target->group)
		return true;
	if (!landlock_may_trace(task->cred, other)) /* hook_ptrace_access_check() */
		return false;
	/* What got rights elsewhere than it was started takes those of where it was started: who
	 * enters a namespace is not at the mercy of those in it. */
	if ((target->gaining || !target->group->dumpable) && target->mm &&
		!cred_ns_capable(cred, target->mm->user_ns, LX_CAP_SYS_PTRACE))
		return false;
	if (cred_ns_capable(cred, other->user_ns, LX_CAP_SYS_PTRACE))
		return true;
	return uid == other->euid && uid == other->suid && uid == other->uid &&
	       gid == other->egid && gid == other->sgid && gid == other->gid &&
	       (target->group->dumpable || !target->mm) && cred->user_ns == other->user_ns &&
	       !(other->cap_permitted & ~(fs_ids ? cred->cap_effective : cred->cap_permitted));
}

struct pid *pid_next_in(const struct pid_ns *ns, int nr)
{
	for (nr = nr > 0 ? nr : 1; nr < ns->end; nr++)
		if (ns->table[nr])
			return ns->table[nr];
	return NULL;
}

struct pid *pid_next(int nr)
{
	return pid_next_in(&pid_ns_first, nr);
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

/* A pidfd keeps the object but must not keep the number, which may be another's after this. */
static void release_numbers(struct pid *pid)
{
	if (pid_ns_first.table[pid->nr] != pid)
		return;
	for (struct pid_ns *at = pid->ns; at; at = at->parent) {
		at->table[pid->numbers[at->level]] = NULL;
		at->count--;
		if (!at->count && !at->reaper)
			at->last_nr = 0; /* the init that never was */
		if (at->level)
			wait_queue_wake(&at->emptied, ~0u);
	}
}

void pid_unref(struct pid *pid)
{
	struct pid_ns *ns = pid->ns;

	if (!refcount_put(&pid->refs))
		return;
	release_numbers(pid);
	wait_queue_destroy(&pid->exit_queue);
	free(pid);
	ns_unref(&ns->ns);
}

void pid_release_number(struct pid *pid)
{
	if (pid->task || pid->group || !list_empty(&pid->pgrp_members) ||
		!list_empty(&pid->session_members))
		return;
	release_numbers(pid);
}
