/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduling calls (sched(7)). Threads are scheduled by the host as ordinary ones; policies,
 * priorities and affinity are checked, kept and reported, with the rights an unprivileged process
 * has on Linux. The CPUs that exist are those that sentry was started on.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/time.h"
#include "base/checked.h"
#include "base/fiber.h"
#include "sentry/syscalls/task_set.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"
#include "sentry/task.h"

#define MASK_WORDS (SENTRY_MAX_CPUSET_SIZE / 8)

/* The CPUs of the machine as guests see it, in /proc and /sys too: numbered from 0, whichever they
 * are on the host. */
static uint64_t visible[MASK_WORDS] = {1};
static unsigned visible_size =
	8; /* bytes of the host kernel's own masks: what the raw call answers */

void sched_init(unsigned cpu_count)
{
	uint64_t mask[MASK_WORDS] = {0};
	long size = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);

	if (size >= 8 && (size_t)size <= sizeof(mask))
		visible_size = (unsigned)size;
	memset(visible, 0, sizeof(visible));
	for (unsigned cpu = 0; cpu < min_of(cpu_count, MASK_WORDS * 64u); cpu++)
		visible[cpu / 64] |= 1ull << (cpu % 64);
}

/* ---- sets of tasks --------------------------------------------------------------------------- */

static bool walk_group(
	struct thread_group *group, bool (*fn)(struct task *task, void *data), void *data)
{
	struct task *task;

	list_for_each_entry (task, &group->tasks, group_link)
		if (!task->exited && !fn(task, data))
			return false;
	return true;
}

static void walk_user(uint32_t uid, bool (*fn)(struct task *task, void *data), void *data)
{
	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1)) {
		struct task *task = pid->task;

		if (task && !task->exited && task->thread && task->cred->uid == uid &&
			pid_vnr(pid) && !fn(task, data))
			return;
	}
}

void task_set_walk(struct task *t, enum task_set set, int who,
	bool (*fn)(struct task *task, void *data), void *data)
{
	struct thread_group *group;
	struct task *task;
	struct pid *pid;

	switch (set) {
	case TASK_SET_THREAD:
		task = who ? pid_task(who) : t;
		if (task)
			fn(task, data);
		break;
	case TASK_SET_PGRP:
		pid = who ? pid_find(who) : t->group->pgrp;
		if (!pid)
			break;
		list_for_each_entry (group, &pid->pgrp_members, pgrp_link)
			if (!walk_group(group, fn, data))
				break;
		break;
	case TASK_SET_USER:
		walk_user(who ? user_ns_make_uid(t->cred->user_ns, (uint32_t)who) : t->cred->uid,
			fn, data);
		break;
	}
}

/* ---- policies -------------------------------------------------------------------------------- */

static struct task *find_task(struct task *t, int pid)
{
	return pid ? pid_task(pid) : t;
}

static bool is_realtime(int policy)
{
	return policy == LX_SCHED_FIFO || policy == LX_SCHED_RR;
}

static bool policy_known(int policy)
{
	return policy == LX_SCHED_OTHER || policy == LX_SCHED_BATCH || policy == LX_SCHED_IDLE ||
	       policy == LX_SCHED_DEADLINE || is_realtime(policy);
}

static bool may_schedule(const struct task *t, const struct task *other)
{
	return t->cred->euid == other->cred->euid || t->cred->euid == other->cred->uid ||
	       cred_ns_capable(t->cred, other->cred->user_ns, LX_CAP_SYS_NICE);
}

/* can_nice(): may @task have that nice value without privilege? */
static bool may_nice(const struct task *task, int nice)
{
	return 20 - nice <= (int64_t)min_of(task_rlimit(task, LX_RLIMIT_NICE), 40ull);
}

/* user_check_sched_setscheduler() */
static int check_rights(
	struct task *t, const struct task *other, int policy, int priority, int nice)
{
	uint64_t limit = task_rlimit(other, LX_RLIMIT_RTPRIO);

	if (cred_capable(t->cred, LX_CAP_SYS_NICE))
		return 0;
	if (!is_realtime(policy) && nice < other->nice && !may_nice(other, nice))
		return -EPERM;
	if (is_realtime(policy) && policy != other->sched_policy && !limit)
		return -EPERM;
	if (is_realtime(policy) && priority > other->sched_priority && (uint64_t)priority > limit)
		return -EPERM;
	/* SCHED_IDLE counts as nice 20: leaving it raises the priority. */
	if (other->sched_policy == LX_SCHED_IDLE && policy != LX_SCHED_IDLE &&
		!may_nice(other, other->nice))
		return -EPERM;
	if (policy == LX_SCHED_DEADLINE || !may_schedule(t, other))
		return -EPERM;
	return 0;
}

/* __sched_setscheduler(). @policy may have SCHED_RESET_ON_FORK, which only a privileged task gives
 * up. */
static int set_policy(struct task *t, struct task *other, int policy, int priority, int nice)
{
	bool reset = policy >= 0 && (policy & LX_SCHED_RESET_ON_FORK);
	int err;

	policy &= ~LX_SCHED_RESET_ON_FORK;
	if (!policy_known(policy) || priority < 0 || priority > 99 || policy == LX_SCHED_DEADLINE)
		return -EINVAL; /* no deadline scheduling */
	if (is_realtime(policy) != (priority != 0))
		return -EINVAL;
	err = check_rights(t, other, policy, priority, nice);
	if (err == 0 && other->sched_reset_on_fork && !reset &&
		!cred_capable(t->cred, LX_CAP_SYS_NICE))
		err = -EPERM;
	if (err < 0)
		return err;
	other->sched_reset_on_fork = reset;
	other->sched_policy = policy;
	other->sched_priority = priority;
	if (!is_realtime(policy))
		other->nice = nice;
	return 0;
}

/* As sched_getscheduler(2) shows it. */
static int policy_of(const struct task *task)
{
	return task->sched_policy | (task->sched_reset_on_fork ? LX_SCHED_RESET_ON_FORK : 0);
}

int64_t sys_sched_setscheduler(struct task *t, int pid, int policy, gaddr_t param)
{
	struct lx_sched_param p;
	struct task *other;
	int err;

	if (policy < 0 || gaddr_is_null(param) || pid < 0)
		return -EINVAL;
	err = guest_read_value(t, &p, param);
	if (err < 0)
		return err;
	other = find_task(t, pid);
	return other ? set_policy(t, other, policy, p.sched_priority, other->nice) : -ESRCH;
}

int64_t sys_sched_setparam(struct task *t, int pid, gaddr_t param)
{
	struct lx_sched_param p;
	struct task *other;
	int err;

	if (gaddr_is_null(param) || pid < 0)
		return -EINVAL;
	err = guest_read_value(t, &p, param);
	if (err < 0)
		return err;
	other = find_task(t, pid);
	return other ? set_policy(t, other, policy_of(other), p.sched_priority, other->nice)
		     : -ESRCH;
}

int64_t sys_sched_getscheduler(struct task *t, int pid)
{
	struct task *other = pid < 0 ? NULL : find_task(t, pid);

	if (pid < 0)
		return -EINVAL;
	return other ? policy_of(other) : -ESRCH;
}

int64_t sys_sched_getparam(struct task *t, int pid, gaddr_t param)
{
	struct lx_sched_param p = {0};
	struct task *other;

	if (gaddr_is_null(param) || pid < 0)
		return -EINVAL;
	other = find_task(t, pid);
	if (!other)
		return -ESRCH;
	p.sched_priority = other->sched_priority;
	return guest_write_value(t, param, &p);
}

/* sched_copy_attr(): on E2BIG the guest learns our size. */
static int read_attr(struct task *t, gaddr_t addr, struct lx_sched_attr *attr)
{
	uint32_t size, known = sizeof(*attr);
	int err = guest_read_value(t, &size, addr);

	if (err < 0)
		return err;
	if (size == 0)
		size = LX_SCHED_ATTR_SIZE_VER0;
	err = size < LX_SCHED_ATTR_SIZE_VER0 || size > LX_PAGE_SIZE
		      ? -E2BIG
		      : guest_read_struct(t, attr, sizeof(*attr), addr, size);
	if (err == -E2BIG)
		(void)guest_write(t, addr, &known, sizeof(known));
	if (err == 0 && size < known &&
		(attr->sched_flags & (LX_SCHED_FLAG_UTIL_CLAMP_MIN | LX_SCHED_FLAG_UTIL_CLAMP_MAX)))
		return -EINVAL;
	return err;
}

int64_t sys_sched_setattr(struct task *t, int pid, gaddr_t attr, unsigned flags)
{
	const uint64_t known = LX_SCHED_FLAG_RESET_ON_FORK | LX_SCHED_FLAG_RECLAIM |
			       LX_SCHED_FLAG_DL_OVERRUN | LX_SCHED_FLAG_KEEP_POLICY |
			       LX_SCHED_FLAG_KEEP_PARAMS;
	struct lx_sched_attr a;
	struct task *other;
	int err;

	if (gaddr_is_null(attr) || pid < 0 || flags)
		return -EINVAL;
	err = read_attr(t, attr, &a);
	if (err < 0)
		return err;
	if ((int32_t)a.sched_policy < 0)
		return -EINVAL;
	other = find_task(t, pid);
	if (!other)
		return -ESRCH;
	if (a.sched_flags & ~known || a.sched_priority > 99)
		return -EINVAL;
	/* The policy is one of the parameters that are kept. */
	if (a.sched_flags & (LX_SCHED_FLAG_KEEP_POLICY | LX_SCHED_FLAG_KEEP_PARAMS))
		a.sched_policy = (uint32_t)other->sched_policy;
	if (a.sched_flags & LX_SCHED_FLAG_KEEP_PARAMS) {
		a.sched_priority = (uint32_t)other->sched_priority;
		a.sched_nice = other->nice;
	}
	if (a.sched_flags & LX_SCHED_FLAG_RESET_ON_FORK)
		a.sched_policy |= LX_SCHED_RESET_ON_FORK;
	return set_policy(t, other, (int)a.sched_policy, (int)a.sched_priority,
		max_of(min_of(a.sched_nice, 19), -20));
}

/* What a program newer than the struct expects to be told (copy_struct_to_user()). */
static int clear_rest(struct task *t, gaddr_t addr, unsigned size)
{
	static const uint8_t zeros[LX_PAGE_SIZE];

	return guest_write(t, addr, zeros, size);
}

int64_t sys_sched_getattr(struct task *t, int pid, gaddr_t attr, unsigned size, unsigned flags)
{
	struct lx_sched_attr a = {0};
	struct task *other;
	int err;

	if (gaddr_is_null(attr) || pid < 0 || size > LX_PAGE_SIZE ||
		size < LX_SCHED_ATTR_SIZE_VER0 || flags)
		return -EINVAL;
	other = find_task(t, pid);
	if (!other)
		return -ESRCH;
	a.size = min_of(size, (unsigned)sizeof(a));
	a.sched_policy = (uint32_t)other->sched_policy;
	if (other->sched_reset_on_fork)
		a.sched_flags |= LX_SCHED_FLAG_RESET_ON_FORK;
	if (is_realtime(other->sched_policy))
		a.sched_priority = (uint32_t)other->sched_priority;
	else
		a.sched_nice = other->nice;
	err = guest_write(t, attr, &a, a.size);
	return err < 0 || size == a.size ? err
					 : clear_rest(t, gaddr_add(attr, a.size), size - a.size);
}

int64_t sys_sched_get_priority_max(struct task *t, int policy)
{
	if (is_realtime(policy))
		return 99;
	return policy_known(policy) ? 0 : -EINVAL;
}

int64_t sys_sched_get_priority_min(struct task *t, int policy)
{
	if (is_realtime(policy))
		return 1;
	return policy_known(policy) ? 0 : -EINVAL;
}

int64_t sys_sched_rr_get_interval(struct task *t, int pid, gaddr_t tp)
{
	struct lx_timespec ts = {0};
	struct task *other;

	if (pid < 0)
		return -EINVAL;
	other = find_task(t, pid);
	if (!other)
		return -ESRCH;
	if (other->sched_policy == LX_SCHED_RR)
		ts.tv_nsec = 100000000;
	else if (!is_realtime(other->sched_policy) && other->sched_policy != LX_SCHED_IDLE)
		ts.tv_nsec = 3000000; /* a slice of an ordinary task */
	return guest_write_value(t, tp, &ts);
}

int64_t sys_sched_yield(struct task *t)
{
	fiber_yield();
	return 0;
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

int64_t sys_sched_setaffinity(struct task *t, int pid, unsigned cpusetsize, gaddr_t mask)
{
	uint64_t wanted[MASK_WORDS] = {0}, any = 0;
	struct task *other;
	int err;

	err = guest_read(t, wanted, mask, min_of((size_t)cpusetsize, sizeof(wanted)));
	if (err < 0)
		return err;
	other = find_task(t, pid);
	if (!other)
		return -ESRCH;
	if (!may_schedule(t, other))
		return -EPERM;
	for (size_t i = 0; i < MASK_WORDS; i++)
		any |= wanted[i] &= visible[i];
	if (!any)
		return -EINVAL;
	memcpy(other->affinity, wanted, min_of(sizeof(wanted), sizeof(other->affinity)));
	task_publish(other);
	return 0;
}

bool task_runs_anywhere(const struct task *task)
{
	for (size_t i = 0; i < min_of(array_size(visible), array_size(task->affinity)); i++)
		if (visible[i] & ~task->affinity[i])
			return false;
	return true;
}

/* The mask as asked for, within the CPUs that exist. */
static void effective_mask(const struct task *task, uint64_t mask[MASK_WORDS])
{
	uint64_t any = 0;

	for (size_t i = 0; i < MASK_WORDS; i++) {
		mask[i] = visible[i] & (i < array_size(task->affinity) ? task->affinity[i] : 0);
		any |= mask[i];
	}
	if (!any)
		memcpy(mask, visible, sizeof(visible));
}

int64_t sys_sched_getaffinity(struct task *t, int pid, unsigned cpusetsize, gaddr_t mask)
{
	uint64_t found[MASK_WORDS];
	struct task *other;
	size_t size;
	int err;

	if (cpusetsize < visible_size || cpusetsize % 8)
		return -EINVAL;
	other = find_task(t, pid);
	if (!other)
		return -ESRCH;
	effective_mask(other, found);
	size = visible_size;
	err = guest_write(t, mask, found, size);
	return err < 0 ? err : (int64_t)size;
}

/* Which CPU a thread runs on is the host's secret here (the vDSO may know): the first one it may
 * run on is never wrong for long. */
int64_t sys_getcpu(struct task *t, gaddr_t cpu, gaddr_t node, gaddr_t tcache)
{
	uint64_t mask[MASK_WORDS];
	uint32_t number = 0, zero = 0;
	int err = 0;

	effective_mask(t, mask);
	for (size_t i = 0; i < MASK_WORDS; i++) {
		if (mask[i]) {
			number = (uint32_t)(i * 64 + (size_t)__builtin_ctzll(mask[i]));
			break;
		}
	}
	if (!gaddr_is_null(cpu))
		err = guest_write_value(t, cpu, &number);
	if (err == 0 && !gaddr_is_null(node))
		err = guest_write_value(t, node, &zero);
	return err;
}
