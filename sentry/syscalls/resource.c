/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, usage and priorities: getrlimit(2), getrusage(2), times(2), getpriority(2),
 * ioprio_set(2). */
#include <errno.h>

#include "abi/cap.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/time.h"
#include "base/checked.h"
#include "base/loop.h"
#include "sentry/shared_names.h"
#include "sentry/syscalls/task_set.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

#define NR_OPEN 1048576 /* fs.nr_open: the highest RLIMIT_NOFILE */

/* ---- limits ---------------------------------------------------------------------------------- */

/* do_prlimit() */
static int set_limit(
	struct task *t, struct thread_group *group, int resource, const struct lx_rlimit64 *limit)
{
	struct lx_rlimit64 *old = &group->rlimits[resource];

	if (limit->rlim_cur > limit->rlim_max)
		return -EINVAL;
	if (resource == LX_RLIMIT_NOFILE && limit->rlim_max > NR_OPEN)
		return -EPERM;
	if (limit->rlim_max > old->rlim_max && !cred_capable(t->cred, LX_CAP_SYS_RESOURCE))
		return -EPERM;
	if (resource == LX_RLIMIT_NOFILE && limit->rlim_cur < old->rlim_cur)
		shared_names_full();
	*old = *limit;
	group_publish(group);
	return resource == LX_RLIMIT_CPU ? itimers_limit_changed(group) : 0;
}

int64_t sys_getrlimit(struct task *t, int resource, gaddr_t rlim)
{
	if ((unsigned)resource >= LX_RLIM_NLIMITS)
		return -EINVAL;
	return guest_write_value(t, rlim, &t->group->rlimits[resource]);
}

int64_t sys_setrlimit(struct task *t, int resource, gaddr_t rlim)
{
	struct lx_rlimit64 limit;
	int err = guest_read_value(t, &limit, rlim);

	if (err < 0)
		return err;
	if ((unsigned)resource >= LX_RLIM_NLIMITS)
		return -EINVAL;
	return set_limit(t, t->group, resource, &limit);
}

/* check_prlimit_permission() */
static bool may_limit(const struct task *t, const struct task *other)
{
	const struct cred *a = t->cred, *b = other->cred;

	if (t->group == other->group)
		return true;
	if (a->uid == b->euid && a->uid == b->suid && a->uid == b->uid && a->gid == b->egid &&
		a->gid == b->sgid && a->gid == b->gid)
		return true;
	return cred_ns_capable(a, b->user_ns, LX_CAP_SYS_RESOURCE);
}

int64_t sys_prlimit64(struct task *t, int pid, int resource, gaddr_t new_limit, gaddr_t old_limit)
{
	struct lx_rlimit64 limit, old;
	struct task *other;
	int err;

	if (!gaddr_is_null(new_limit)) {
		err = guest_read_value(t, &limit, new_limit);
		if (err < 0)
			return err;
	}
	other = pid ? pid_task(pid) : t;
	if (!other)
		return -ESRCH;
	if (!may_limit(t, other))
		return -EPERM;
	if ((unsigned)resource >= LX_RLIM_NLIMITS)
		return -EINVAL;
	old = other->group->rlimits[resource];
	if (!gaddr_is_null(new_limit)) {
		err = set_limit(t, other->group, resource, &limit);
		if (err < 0)
			return err;
	}
	return gaddr_is_null(old_limit) ? 0 : guest_write_value(t, old_limit, &old);
}

/* ---- usage ----------------------------------------------------------------------------------- */

static struct lx_timeval timeval_of(uint64_t ns)
{
	return (struct lx_timeval){
		.tv_sec = (int64_t)(ns / 1000000000), .tv_usec = (int64_t)(ns % 1000000000 / 1000)};
}

/* The most that was seen; brings the page faults of @t up to date. */
static uint64_t max_resident(struct task *t)
{
	return max_of(task_page_faults(t), t->group->dead_threads.max_rss);
}

int64_t sys_getrusage(struct task *t, int who, gaddr_t usage)
{
	const struct thread_group *group = t->group;
	struct lx_rusage ru = {0};
	uint64_t user, system, minor, major;

	switch (who) {
	case LX_RUSAGE_THREAD:
		task_cpu_time(t, &user, &system);
		ru.ru_maxrss = (int64_t)(max_resident(t) / 1024);
		ru.ru_minflt = (int64_t)t->minor_faults;
		ru.ru_majflt = (int64_t)t->major_faults;
		ru.ru_nvcsw = (int64_t)t->switches;
		break;
	case LX_RUSAGE_SELF:
		group_cpu_time(t->group, &user, &system);
		ru.ru_maxrss = (int64_t)(max_resident(t) / 1024);
		group_page_faults(t->group, &minor, &major);
		ru.ru_minflt = (int64_t)minor;
		ru.ru_majflt = (int64_t)major;
		ru.ru_nvcsw = (int64_t)(group->dead_threads.switches + t->switches);
		break;
	case LX_RUSAGE_CHILDREN:
		user = group->dead_children.user_ns;
		system = group->dead_children.system_ns;
		ru.ru_maxrss = (int64_t)(group->dead_children.max_rss / 1024);
		ru.ru_minflt = (int64_t)group->dead_children.minor_faults;
		ru.ru_majflt = (int64_t)group->dead_children.major_faults;
		ru.ru_nvcsw = (int64_t)group->dead_children.switches;
		break;
	default:
		return -EINVAL;
	}
	ru.ru_utime = timeval_of(user);
	ru.ru_stime = timeval_of(system);
	return guest_write_value(t, usage, &ru);
}

int64_t sys_times(struct task *t, gaddr_t buf)
{
	const uint64_t tick = 1000000000 / LX_USER_HZ;
	uint64_t user, system;
	struct lx_tms tms;
	int err;

	group_cpu_time(t->group, &user, &system);
	tms = (struct lx_tms){
		.tms_utime = (int64_t)(user / tick),
		.tms_stime = (int64_t)(system / tick),
		.tms_cutime = (int64_t)(t->group->dead_children.user_ns / tick),
		.tms_cstime = (int64_t)(t->group->dead_children.system_ns / tick),
	};
	err = gaddr_is_null(buf) ? 0 : guest_write_value(t, buf, &tms);
	return err < 0 ? err : (int64_t)(loop_monotonic_now() / tick);
}

/* ---- priorities ------------------------------------------------------------------------------ */

struct priority_walk {
	struct task *t;
	int value; /* to set; or the best one found */
	int result;
};

static bool may_set_priority(const struct task *t, const struct task *other)
{
	return t->cred->euid == other->cred->euid || t->cred->euid == other->cred->uid ||
	       cred_ns_capable(t->cred, other->cred->user_ns, LX_CAP_SYS_NICE);
}

/* set_one_prio(); nice values are kept and reported, the host's scheduler is not told. */
static bool set_one(struct task *other, void *data)
{
	struct priority_walk *walk = data;

	if (!may_set_priority(walk->t, other)) {
		walk->result = -EPERM;
	} else if (walk->value < other->nice &&
		   20 - walk->value > (int64_t)min_of(task_rlimit(other, LX_RLIMIT_NICE), 40ull) &&
		   !cred_capable(walk->t->cred, LX_CAP_SYS_NICE)) {
		walk->result = -EACCES;
	} else {
		if (walk->result == -ESRCH)
			walk->result = 0;
		other->nice = walk->value;
	}
	return true;
}

static bool get_one(struct task *other, void *data)
{
	struct priority_walk *walk = data;

	walk->result = 0;
	walk->value = max_of(walk->value, 20 - other->nice);
	return true;
}

int64_t sys_setpriority(struct task *t, int which, int who, int prio)
{
	struct priority_walk walk = {
		.t = t, .value = max_of(min_of(prio, 19), -20), .result = -ESRCH};

	if (which < LX_PRIO_PROCESS || which > LX_PRIO_USER)
		return -EINVAL;
	task_set_walk(t, (enum task_set)which, who, set_one, &walk);
	return walk.result;
}

int64_t sys_getpriority(struct task *t, int which, int who)
{
	struct priority_walk walk = {.t = t, .value = 0, .result = -ESRCH};

	if (which < LX_PRIO_PROCESS || which > LX_PRIO_USER)
		return -EINVAL;
	task_set_walk(t, (enum task_set)which, who, get_one, &walk);
	return walk.result < 0 ? walk.result : walk.value;
}

/* ---- I/O priorities: kept, reported, without effect on the host's disks
 * ------------------------------------------------- */

static bool set_one_io(struct task *other, void *data)
{
	struct priority_walk *walk = data;

	if (other->cred->uid != walk->t->cred->euid && other->cred->uid != walk->t->cred->uid &&
		!cred_capable(walk->t->cred, LX_CAP_SYS_NICE)) {
		walk->result = -EPERM;
		return false;
	}
	other->ioprio = walk->value;
	walk->result = 0;
	return true;
}

static bool get_one_io(struct task *other, void *data)
{
	struct priority_walk *walk = data;
	int value = other->ioprio;

	/* Without one of its own a task has the one that its nice value implies. */
	if (value >> LX_IOPRIO_CLASS_SHIFT == LX_IOPRIO_CLASS_NONE)
		value = LX_IOPRIO_CLASS_BE << LX_IOPRIO_CLASS_SHIFT | (other->nice + 20) / 5;
	walk->value = walk->result < 0 ? value : min_of(walk->value, value);
	walk->result = 0;
	return true;
}

/* Asked for one task Linux shows what was set, asked for several the best that is in effect. */
static bool get_raw_io(struct task *other, void *data)
{
	struct priority_walk *walk = data;

	walk->value = other->ioprio;
	walk->result = 0;
	return true;
}

static int check_ioprio(const struct task *t, int ioprio)
{
	int class = ioprio >> LX_IOPRIO_CLASS_SHIFT, level = ioprio & 7;

	switch (class) {
	case LX_IOPRIO_CLASS_RT:
		return cred_capable(t->cred, LX_CAP_SYS_ADMIN) ||
				       cred_capable(t->cred, LX_CAP_SYS_NICE)
			       ? 0
			       : -EPERM;
	case LX_IOPRIO_CLASS_BE:
	case LX_IOPRIO_CLASS_IDLE:
		return 0;
	case LX_IOPRIO_CLASS_NONE:
		return level ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

int64_t sys_ioprio_set(struct task *t, int which, int who, int ioprio)
{
	struct priority_walk walk = {.t = t, .value = ioprio, .result = -ESRCH};
	int err = check_ioprio(t, ioprio);

	if (err < 0)
		return err;
	if (which < LX_IOPRIO_WHO_PROCESS || which > LX_IOPRIO_WHO_USER)
		return -EINVAL;
	task_set_walk(t, (enum task_set)(which - 1), who, set_one_io, &walk);
	return walk.result;
}

int64_t sys_ioprio_get(struct task *t, int which, int who)
{
	struct priority_walk walk = {.t = t, .result = -ESRCH};

	if (which < LX_IOPRIO_WHO_PROCESS || which > LX_IOPRIO_WHO_USER)
		return -EINVAL;
	task_set_walk(t, (enum task_set)(which - 1), who,
		which == LX_IOPRIO_WHO_PROCESS ? get_raw_io : get_one_io, &walk);
	return walk.result < 0 ? walk.result : walk.value;
}
