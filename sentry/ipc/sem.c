/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V semaphores (semop(2), semctl(2); kernel ipc/sem.c).
 *
 * The operations of one semop() happen all or not at all. What cannot happen now waits in the
 * set's list, in order of arrival; whoever changes a value carries out what has become possible on
 * behalf of the waiters, and restarts from the front after each change. That may take long with
 * many waiters, so the set's mutex is held and others get their turns in between.
 *
 * SEM_UNDO: for each process and set a row of adjustments, in two lists: the process' (shared by
 * CLONE_SYSVSEM) and the set's. Removing the set empties the rows' pointers to it; the rows
 * themselves go with the process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/limits.h"
#include "abi/time.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/ipc/ipc.h"
#include "sentry/syscalls/timeout.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"

#define WORK_TURN 1000 /* operations tried before others get a turn */
#define WAITING	  1    /* sem_waiter.status */

struct sem {
	int value;
	int pid; /* of the last operation */
};

struct sem_set {
	struct ipc_object ipc;
	struct fiber_mutex mutex; /* values, waiters, undos */
	struct list_head waiters; /* sem_waiter.link */
	struct list_head undos;	  /* sem_undo.of_set */
	int64_t otime, ctime;	  /* s */
	unsigned count;
	struct sem sems[];
};

struct sem_undo {
	struct list_head of_set, of_process;
	struct sem_set *set; /* borrowed; NULL once removed */
	unsigned count;
	int16_t adjust[];
};

struct sem_undo_list {
	struct refcount refs; /* tasks */
	struct list_head undos;
};

struct sem_waiter {
	struct list_head link;
	const struct lx_sembuf *ops;
	unsigned count;
	struct sem_undo *undo; /* NULL without SEM_UNDO */
	int pid;
	bool alters;
	int status;	   /* WAITING, 0 or -errno */
	unsigned blocking; /* index of the operation that could not happen */
	struct wait_queue queue;
};

static unsigned semaphore_count, undo_count; /* of the sandbox */

static void set_destroy(struct ipc_object *object)
{
	struct sem_set *set = container_of(object, struct sem_set, ipc);

	semaphore_count -= set->count;
	free(set);
}

static struct sem_set *set_of(struct ipc_object *object)
{
	return container_of(object, struct sem_set, ipc);
}

/* ---- operations ------------------------------------------------------------------------------ */

static void take_back(struct sem_set *set, const struct sem_waiter *waiter, unsigned count)
{
	while (count > 0) {
		const struct lx_sembuf *op = &waiter->ops[--count];

		set->sems[op->sem_num].value -= op->sem_op;
		if (op->sem_flg & LX_SEM_UNDO)
			waiter->undo->adjust[op->sem_num] =
				(int16_t)(waiter->undo->adjust[op->sem_num] + op->sem_op);
	}
}

/* One operation: 0, WAITING or -ERANGE. */
static int operate_one(
	struct sem_set *set, const struct lx_sembuf *op, const struct sem_waiter *waiter)
{
	struct sem *sem = &set->sems[op->sem_num];
	int value = sem->value + op->sem_op;

	if ((op->sem_op == 0 && sem->value != 0) || value < 0)
		return op->sem_flg & LX_IPC_NOWAIT ? -EAGAIN : WAITING;
	if (value > LX_SEMVMX)
		return -ERANGE;
	if (op->sem_flg & LX_SEM_UNDO) {
		int adjust = waiter->undo->adjust[op->sem_num] - op->sem_op;

		/* SEMAEM is SEMVMX. */
		if (adjust < -LX_SEMVMX - 1 || adjust > LX_SEMVMX)
			return -ERANGE;
		waiter->undo->adjust[op->sem_num] = (int16_t)adjust;
	}
	sem->value = value;
	return 0;
}

/* perform_atomic_semop(): all of them, or nothing and the reason. */
static int operate(struct sem_set *set, struct sem_waiter *waiter)
{
	for (unsigned i = 0; i < waiter->count; i++) {
		int r = operate_one(set, &waiter->ops[i], waiter);

		if (r == 0)
			continue;
		take_back(set, waiter, i);
		waiter->blocking = i;
		return r;
	}
	for (unsigned i = 0; i < waiter->count; i++)
		set->sems[waiter->ops[i].sem_num].pid = waiter->pid;
	return 0;
}

static void finish_waiter(struct sem_waiter *waiter, int status)
{
	list_remove(&waiter->link);
	waiter->status = status;
	wait_queue_wake_all(&waiter->queue, ~0u);
}

/* A value changed: what has become possible happens. The caller holds the mutex. May sleep. */
static void update_waiters(struct sem_set *set)
{
	struct sem_waiter *waiter, *next;
	unsigned work = 0;
	bool again;

	do {
		again = false;
		list_for_each_entry_safe (waiter, next, &set->waiters, link) {
			int r;

			work += waiter->count;
			if (work >= WORK_TURN) {
				/* The list is the mutex holder's: nobody changes it meanwhile. */
				fiber_yield();
				work = 0;
			}
			r = operate(set, waiter);
			if (r == WAITING)
				continue;
			if (r == 0)
				set->otime = ktime_now().sec;
			again = r == 0 && waiter->alters;
			finish_waiter(waiter, r);
			if (again)
				break;
		}
	} while (again);
}

/* ---- SEM_UNDO -------------------------------------------------------------------------------- */

static int own_list(struct task *task, struct sem_undo_list **ret)
{
	if (!task->sem_undo) {
		task->sem_undo = malloc(sizeof(*task->sem_undo));
		if (!task->sem_undo)
			return -ENOMEM;
		task->sem_undo->refs = REFCOUNT_ONE;
		list_init(&task->sem_undo->undos);
	}
	*ret = task->sem_undo;
	return 0;
}

int sem_undo_share(struct task *task, struct task *child)
{
	struct sem_undo_list *list;
	int err = own_list(task, &list);

	if (err < 0)
		return err;
	refcount_get(&list->refs);
	child->sem_undo = list;
	return 0;
}

/* The row of the calling process for @set, made if there is none. */
static int find_undo(struct task *task, struct sem_set *set, struct sem_undo **ret)
{
	struct sem_undo_list *list;
	struct sem_undo *undo;
	int err = own_list(task, &list);

	if (err < 0)
		return err;
	list_for_each_entry (undo, &list->undos, of_process) {
		if (undo->set != set)
			continue;
		*ret = undo;
		return 0;
	}
	if (set->count > SENTRY_MAX_SEM_UNDOS - undo_count)
		return -ENOMEM;
	undo = calloc(1, sizeof(*undo) + set->count * sizeof(undo->adjust[0]));
	if (!undo)
		return -ENOMEM;
	undo->set = set;
	undo->count = set->count;
	undo_count += undo->count;
	list_add(&undo->of_set, &set->undos);
	list_add(&undo->of_process, &list->undos);
	*ret = undo;
	return 0;
}

static void free_undo(struct sem_undo *undo)
{
	list_remove(&undo->of_set);
	list_remove(&undo->of_process);
	undo_count -= undo->count;
	free(undo);
}

static void apply_undo(struct sem_undo *undo, int pid)
{
	struct sem_set *set = undo->set;

	for (unsigned i = 0; i < set->count; i++) {
		struct sem *sem = &set->sems[i];

		if (undo->adjust[i] == 0)
			continue;
		/* Linux keeps the value in its range and does not wait (exit_sem()). */
		sem->value = min_of(max_of(sem->value + undo->adjust[i], 0), LX_SEMVMX);
		sem->pid = pid;
	}
	set->otime = ktime_now().sec;
}

void sem_undo_exit(struct task *task)
{
	struct sem_undo_list *list = TAKE(task->sem_undo);

	if (!list || !refcount_put(&list->refs))
		return;
	while (!list_empty(&list->undos)) {
		struct sem_undo *undo = list_first(&list->undos, struct sem_undo, of_process);
		struct sem_set *set = undo->set;

		if (set) {
			(void)ipc_ref(&set->ipc);
			fiber_mutex_lock(&set->mutex);
			if (undo->set)
				apply_undo(undo, task->group->pid->nr);
			free_undo(undo);
			if (!set->ipc.removed)
				update_waiters(set);
			fiber_mutex_unlock(&set->mutex);
			ipc_unref(&set->ipc);
		} else {
			free_undo(undo);
		}
	}
	free(list);
}

/* SETVAL, SETALL: nobody has to undo what was before. @index < 0: all. */
static void forget_undo(struct sem_set *set, int index)
{
	struct sem_undo *undo;

	list_for_each_entry (undo, &set->undos, of_set) {
		if (index >= 0)
			undo->adjust[index] = 0;
		else
			memset(undo->adjust, 0, set->count * sizeof(undo->adjust[0]));
	}
}

/* ---- semget ---------------------------------------------------------------------------------- */

static int64_t new_set(struct task *t, int key, int count, unsigned flags)
{
	struct sem_set *set;
	int id;

	if (count == 0)
		return -EINVAL;
	if ((unsigned)count > SENTRY_MAX_SEMAPHORES - semaphore_count ||
		ipc_here()->sem.count >= ipc_here()->sem.limit)
		return -ENOSPC;
	set = calloc(1, sizeof(*set) + (size_t)count * sizeof(set->sems[0]));
	if (!set)
		return -ENOMEM;
	set->ipc.refs = REFCOUNT_ONE;
	set->ipc.destroy = set_destroy;
	set->count = (unsigned)count;
	semaphore_count += set->count;
	fiber_mutex_init(&set->mutex);
	list_init(&set->waiters);
	list_init(&set->undos);
	set->ctime = ktime_now().sec;
	id = ipc_add(&ipc_here()->sem, &set->ipc, key, flags, t->cred);
	ipc_unref(&set->ipc);
	return id;
}

int64_t sys_semget(struct task *t, int key, int count, unsigned flags)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	int err;

	if (count < 0 || count > LX_SEMMSL)
		return -EINVAL;
	err = ipc_get(&ipc_here()->sem, key, flags, &object);
	if (err < 0)
		return err;
	if (!object)
		return new_set(t, key, count, flags);
	if ((unsigned)count > set_of(object)->count)
		return -EINVAL;
	return ipc_permitted(object, t->cred, flags) ? object->id : -EACCES;
}

/* ---- semop ----------------------------------------------------------------------------------- */

/* Sleeps until somebody carried out or refused @waiter's operations. The mutex is not held. */
static int wait_for_turn(struct sem_set *set, struct sem_waiter *waiter, uint64_t deadline)
{
	while (waiter->status == WAITING) {
		int err = wait_sleep(&waiter->queue, ~0u, deadline, true, false);

		if (err == 0)
			continue;
		fiber_mutex_lock(&set->mutex);
		/* It may have happened after all. Never restarted (signal(7)). */
		if (waiter->status == WAITING)
			finish_waiter(waiter, err == -ETIMEDOUT ? -EAGAIN : -EINTR);
		fiber_mutex_unlock(&set->mutex);
	}
	return waiter->status;
}

static int semop_on(struct task *t, struct sem_set *set, struct sem_waiter *waiter, bool undo,
	uint64_t deadline)
{
	int r;

	fiber_mutex_lock(&set->mutex);
	r = set->ipc.removed ? -EIDRM : 0;
	if (r == 0 && undo)
		r = find_undo(t, set, &waiter->undo);
	if (r == 0) {
		r = operate(set, waiter);
		if (r == 0) {
			set->otime = ktime_now().sec;
			if (waiter->alters)
				update_waiters(set);
		} else if (r == WAITING) {
			waiter->status = WAITING;
			list_add_tail(&waiter->link, &set->waiters);
		}
	}
	fiber_mutex_unlock(&set->mutex);
	return r == WAITING ? wait_for_turn(set, waiter, deadline) : r;
}

static int64_t do_semop(struct task *t, int id, const struct lx_sembuf *ops, unsigned count,
	const struct lx_timespec *timeout)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct sem_waiter waiter = {.ops = ops, .count = count, .pid = t->group->pid->nr};
	uint64_t deadline = WAIT_FOREVER;
	unsigned highest = 0;
	bool undo = false;
	int r;

	if (count < 1 || id < 0)
		return -EINVAL;
	if (timeout && deadline_from_timespec(timeout, &deadline) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		highest = max_of(highest, (unsigned)ops[i].sem_num);
		undo |= (ops[i].sem_flg & LX_SEM_UNDO) != 0;
		waiter.alters |= ops[i].sem_op != 0;
	}
	object = ipc_find(&ipc_here()->sem, id);
	if (!object)
		return -EINVAL;
	if (highest >= set_of(object)->count)
		return -EFBIG;
	if (!ipc_permitted(object, t->cred, waiter.alters ? 0222 : 0444))
		return -EACCES;
	wait_queue_init(&waiter.queue);
	r = semop_on(t, set_of(object), &waiter, undo, deadline);
	wait_queue_destroy(&waiter.queue);
	return r;
}

static int64_t semop_guest(
	struct task *t, int id, gaddr_t sops, unsigned count, const struct lx_timespec *timeout)
{
	struct lx_sembuf ops[LX_SEMOPM];
	int err;

	if (count > LX_SEMOPM)
		return -E2BIG;
	err = guest_read(t, ops, sops, count * sizeof(ops[0]));
	return err < 0 ? err : do_semop(t, id, ops, count, timeout);
}

int64_t sys_semop(struct task *t, int id, gaddr_t sops, unsigned count)
{
	return semop_guest(t, id, sops, count, NULL);
}

int64_t sys_semtimedop(struct task *t, int id, gaddr_t sops, unsigned count, gaddr_t timeout)
{
	struct lx_timespec ts;
	int err;

	if (gaddr_is_null(timeout))
		return semop_guest(t, id, sops, count, NULL);
	err = guest_read_value(t, &ts, timeout);
	return err < 0 ? err : semop_guest(t, id, sops, count, &ts);
}

/* ---- semctl ---------------------------------------------------------------------------------- */

static int64_t sem_info(struct task *t, int cmd, gaddr_t buf)
{
	struct lx_seminfo info = {
		.semmap = LX_SEMMNS,
		.semmni = LX_SEMMNI,
		.semmns = LX_SEMMNS,
		.semmnu = LX_SEMMNS,
		.semmsl = LX_SEMMSL,
		.semopm = LX_SEMOPM,
		.semume = LX_SEMOPM,
		.semusz = 20, /* SEMUSZ */
		.semvmx = LX_SEMVMX,
		.semaem = LX_SEMVMX,
	};
	int err;

	if (cmd == LX_SEM_INFO) {
		info.semusz = (int32_t)ipc_here()->sem.count;
		info.semaem = (int32_t)semaphore_count;
	}
	err = guest_write_value(t, buf, &info);
	return err < 0 ? err : ipc_last_index(&ipc_here()->sem);
}

void sem_fill(const struct ipc_object *object, struct lx_semid_ds *ret)
{
	const struct sem_set *set = container_of(object, const struct sem_set, ipc);

	*ret = (struct lx_semid_ds){
		.sem_otime = set->otime,
		.sem_ctime = set->ctime,
		.sem_nsems = set->count,
	};
	ipc_fill_perm(object, &ret->sem_perm);
}

static int64_t sem_stat(struct task *t, int id, int cmd, gaddr_t buf)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct lx_semid_ds ds = {0};
	int err;

	err = ipc_find_stat(
		&ipc_here()->sem, t, id, cmd != LX_IPC_STAT, cmd == LX_SEM_STAT_ANY, &object);
	if (err < 0)
		return err;
	sem_fill(object, &ds);
	err = guest_write_value(t, buf, &ds);
	if (err < 0)
		return err;
	return cmd == LX_IPC_STAT ? 0 : object->id;
}

static int64_t sem_set_perm(struct task *t, int id, gaddr_t buf)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct lx_semid_ds ds;
	int err;

	err = guest_read_value(t, &ds, buf);
	if (err < 0)
		return err;
	err = ipc_find_owned(&ipc_here()->sem, t, id, &object);
	if (err < 0)
		return err;
	err = ipc_set_perm(object, &ds.sem_perm);
	if (err == 0)
		set_of(object)->ctime = ktime_now().sec;
	return err;
}

/* freeary(): nobody undoes or waits any more. */
static int64_t sem_remove(struct task *t, int id)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct sem_waiter *waiter, *next_waiter;
	struct sem_undo *undo, *next_undo;
	struct sem_set *set;
	int err = ipc_find_owned(&ipc_here()->sem, t, id, &object);

	if (err < 0)
		return err;
	set = set_of(object);
	fiber_mutex_lock(&set->mutex);
	err = object->removed ? -EIDRM : 0;
	ipc_remove(object);
	list_for_each_entry_safe (undo, next_undo, &set->undos, of_set) {
		list_remove(&undo->of_set);
		undo->set = NULL;
	}
	list_for_each_entry_safe (waiter, next_waiter, &set->waiters, link)
		finish_waiter(waiter, -EIDRM);
	fiber_mutex_unlock(&set->mutex);
	return err;
}

/* How many wait for a semaphore to grow, or to become zero (count_semcnt()). */
static int64_t count_waiters(const struct sem_set *set, int index, bool zero)
{
	const struct sem_waiter *waiter;
	int64_t count = 0;

	list_for_each_entry (waiter, &set->waiters, link) {
		const struct lx_sembuf *op = &waiter->ops[waiter->blocking];

		count += op->sem_num == index && (op->sem_op == 0) == zero;
	}
	return count;
}

static int64_t get_one(const struct sem_set *set, int index, int cmd)
{
	if (index < 0 || (unsigned)index >= set->count)
		return -EINVAL;
	switch (cmd) {
	case LX_GETVAL:
		return set->sems[index].value;
	case LX_GETPID:
		return pid_nr_here(set->sems[index].pid);
	default:
		return count_waiters(set, index, cmd == LX_GETZCNT);
	}
}

static int64_t get_all(struct task *t, const struct sem_set *set, gaddr_t array)
{
	_cleanup_free_ uint16_t *values = reallocarray(NULL, set->count, sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (unsigned i = 0; i < set->count; i++)
		values[i] = (uint16_t)set->sems[i].value;
	return guest_write(t, array, values, set->count * sizeof(*values));
}

static int set_all(struct task *t, struct sem_set *set, gaddr_t array)
{
	_cleanup_free_ uint16_t *values = reallocarray(NULL, set->count, sizeof(*values));
	int err;

	if (!values)
		return -ENOMEM;
	err = guest_read(t, values, array, set->count * sizeof(*values));
	if (err < 0)
		return err;
	for (unsigned i = 0; i < set->count; i++)
		if (values[i] > LX_SEMVMX)
			return -ERANGE;
	fiber_mutex_lock(&set->mutex);
	err = set->ipc.removed ? -EIDRM : 0;
	for (unsigned i = 0; err == 0 && i < set->count; i++) {
		set->sems[i].value = values[i];
		set->sems[i].pid = t->group->pid->nr;
	}
	if (err == 0) {
		forget_undo(set, -1);
		set->ctime = ktime_now().sec;
		update_waiters(set);
	}
	fiber_mutex_unlock(&set->mutex);
	return err;
}

static int set_one(struct task *t, struct sem_set *set, int index, int value)
{
	int err;

	fiber_mutex_lock(&set->mutex);
	err = set->ipc.removed ? -EIDRM : 0;
	if (err == 0) {
		forget_undo(set, index);
		set->sems[index].value = value;
		set->sems[index].pid = t->group->pid->nr;
		set->ctime = ktime_now().sec;
		update_waiters(set);
	}
	fiber_mutex_unlock(&set->mutex);
	return err;
}

static int64_t sem_setval(struct task *t, int id, int index, int value)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;

	if (value < 0 || value > LX_SEMVMX)
		return -ERANGE;
	object = ipc_find(&ipc_here()->sem, id);
	if (!object)
		return -EINVAL;
	if (index < 0 || (unsigned)index >= set_of(object)->count)
		return -EINVAL;
	if (!ipc_permitted(object, t->cred, 0222))
		return -EACCES;
	return set_one(t, set_of(object), index, value);
}

static int64_t sem_values(struct task *t, int id, int index, int cmd, gaddr_t array)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = ipc_find(&ipc_here()->sem, id);

	if (!object)
		return -EINVAL;
	if (!ipc_permitted(object, t->cred, cmd == LX_SETALL ? 0222 : 0444))
		return -EACCES;
	if (cmd == LX_GETALL)
		return get_all(t, set_of(object), array);
	if (cmd == LX_SETALL)
		return set_all(t, set_of(object), array);
	return get_one(set_of(object), index, cmd);
}

int64_t sys_semctl(struct task *t, int id, int index, int cmd, uint64_t arg)
{
	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case LX_IPC_INFO:
	case LX_SEM_INFO:
		return sem_info(t, cmd, GADDR(arg));
	case LX_IPC_STAT:
	case LX_SEM_STAT:
	case LX_SEM_STAT_ANY:
		return sem_stat(t, id, cmd, GADDR(arg));
	case LX_GETALL:
	case LX_GETVAL:
	case LX_GETPID:
	case LX_GETNCNT:
	case LX_GETZCNT:
	case LX_SETALL:
		return sem_values(t, id, index, cmd, GADDR(arg));
	case LX_SETVAL:
		return sem_setval(t, id, index, (int)(uint32_t)arg);
	case LX_IPC_SET:
		return sem_set_perm(t, id, GADDR(arg));
	case LX_IPC_RMID:
		return sem_remove(t, id);
	default:
		return -EINVAL;
	}
}
