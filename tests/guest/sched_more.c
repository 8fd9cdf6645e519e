/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduling policies, nice values, I/O priorities and processor sets: what is kept, and what is
 * refused. */
#include "case.h"

#include <grp.h>
#include <sys/resource.h>

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

#define NOBODY_PID 0x7ffffff

static void become_nobody(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_NICE, &none);
	setrlimit(RLIMIT_RTPRIO, &none);
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
				      setresuid(65534, 65534, 65534) < 0))
		_exit(97);
}

static void set_policy(int policy, int priority)
{
	struct sched_param param = {priority};

	NOTE("policy %d priority %d", policy, priority);
	CALL(SYS(SYS_sched_setscheduler, 0, policy, &param));
	CALL(SYS(SYS_sched_getscheduler, 0));
}

CASE(policies_of_ordinary_users)
{
	become_nobody();
	set_policy(SCHED_BATCH, 0);
	set_policy(SCHED_OTHER, 0);
	set_policy(SCHED_IDLE, 0);
	set_policy(SCHED_OTHER, 0);
}

CASE(policies_with_priority_refused)
{
	become_nobody();
	set_policy(SCHED_FIFO, 1);
	set_policy(SCHED_RR, 1);
	set_policy(SCHED_OTHER, 1);
	set_policy(SCHED_BATCH, 1);
}

CASE(policies_unknown)
{
	become_nobody();
	set_policy(4, 0);
	set_policy(99, 0);
	set_policy(-1, 0);
	set_policy(SCHED_FIFO, 100);
	set_policy(SCHED_FIFO, 0);
}

CASE(setscheduler_bad_arguments)
{
	struct sched_param param = {0};

	CALL(SYS(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL));
	CALL(SYS(SYS_sched_setscheduler, 0, SCHED_OTHER, BAD_ADDRESS));
	CALL(SYS(SYS_sched_setscheduler, -1, SCHED_OTHER, &param));
	CALL(SYS(SYS_sched_setscheduler, NOBODY_PID, SCHED_OTHER, &param));
	CALL(SYS(SYS_sched_getscheduler, -1));
	CALL(SYS(SYS_sched_getscheduler, NOBODY_PID));
}

CASE(reset_on_fork)
{
	struct sched_param param = {0};
	pid_t pid;

	become_nobody();
	CALL(SYS(SYS_sched_setscheduler, 0, SCHED_BATCH | SCHED_RESET_ON_FORK, &param));
	CALL(SYS(SYS_sched_getscheduler, 0));
	pid = fork();
	if (pid == 0) {
		CALL(SYS(SYS_sched_getscheduler, 0));
		_exit(0);
	}
	note_wait("child", pid);
	CALL(SYS(SYS_sched_setscheduler, 0, SCHED_OTHER, &param));
}

CASE(setparam_of_a_policy_without)
{
	struct sched_param param = {0};

	CALL(SYS(SYS_sched_setparam, 0, &param));
	param.sched_priority = 1;
	CALL(SYS(SYS_sched_setparam, 0, &param));
	param.sched_priority = -1;
	CALL(SYS(SYS_sched_setparam, 0, &param));
}

CASE(setparam_bad_arguments)
{
	struct sched_param param = {0};

	CALL(SYS(SYS_sched_setparam, 0, NULL));
	CALL(SYS(SYS_sched_setparam, 0, BAD_ADDRESS));
	CALL(SYS(SYS_sched_setparam, -5, &param));
	CALL(SYS(SYS_sched_setparam, NOBODY_PID, &param));
}

CASE(getparam_bad_arguments)
{
	struct sched_param param = {77};

	CALL(SYS(SYS_sched_getparam, 0, &param));
	NOTE("%d", param.sched_priority);
	CALL(SYS(SYS_sched_getparam, 0, NULL));
	CALL(SYS(SYS_sched_getparam, 0, BAD_ADDRESS));
	CALL(SYS(SYS_sched_getparam, -1, &param));
	CALL(SYS(SYS_sched_getparam, NOBODY_PID, &param));
}

CASE(priority_ranges_of_policies)
{
	for (int policy = 0; policy < 6; policy++) {
		NOTE("policy %d", policy);
		CALL(SYS(SYS_sched_get_priority_min, policy));
		CALL(SYS(SYS_sched_get_priority_max, policy));
	}
}

CASE(priority_ranges_unknown)
{
	CALL(SYS(SYS_sched_get_priority_min, -1));
	CALL(SYS(SYS_sched_get_priority_max, -1));
	CALL(SYS(SYS_sched_get_priority_min, 99));
	CALL(SYS(SYS_sched_get_priority_max, 0x40000000));
}

CASE(priority_ranges_take_32_bits)
{
	CALL(SYS(SYS_sched_get_priority_max, 0xdead00000001ul));
	CALL(SYS(SYS_sched_get_priority_min, 0xdead00000002ul));
}

CASE(rr_interval_bad_arguments)
{
	struct timespec ts = {5, 5};

	CALL(SYS(SYS_sched_rr_get_interval, -1, &ts));
	CALL(SYS(SYS_sched_rr_get_interval, NOBODY_PID, &ts));
	CALL(SYS(SYS_sched_rr_get_interval, 0, BAD_ADDRESS));
	NOTE("%ld %ld", (long)ts.tv_sec, ts.tv_nsec);
}

CASE(rr_interval_of_self)
{
	struct timespec ts = {5, 5};

	CALL(SYS(SYS_sched_rr_get_interval, 0, &ts));
	TRUTH(ts.tv_sec == 0 && ts.tv_nsec >= 0 && ts.tv_nsec < 200000000);
}

CASE(rr_interval_of_a_child)
{
	struct timespec ts = {5, 5};
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	CALL(SYS(SYS_sched_rr_get_interval, pid, &ts));
	kill(pid, SIGKILL);
	note_wait("child", pid);
	CALL(SYS(SYS_sched_rr_get_interval, pid, &ts));
}

/* ---- sched_setattr(2) ---- */

CASE(setattr_nice)
{
	struct attr attr = {.size = 48, .policy = SCHED_OTHER, .nice = 7};

	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	memset(&attr, 0, sizeof(attr));
	CALL(SYS(SYS_sched_getattr, 0, &attr, sizeof(attr), 0));
	NOTE("policy %u nice %d priority %u flags %lx", attr.policy, attr.nice, attr.priority,
		(unsigned long)attr.flags);
	CALL(getpriority(PRIO_PROCESS, 0));
}

CASE(setattr_policy)
{
	struct attr attr = {.size = 48, .policy = SCHED_BATCH};

	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	CALL(SYS(SYS_sched_getscheduler, 0));
	attr.flags = 1; /* reset on fork */
	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	CALL(SYS(SYS_sched_getscheduler, 0));
}

CASE(setattr_sizes)
{
	struct {
		struct attr attr;
		char more[64];
	} big = {.attr = {.size = 47, .policy = SCHED_OTHER}};
	struct attr *attr = &big.attr;

	CALL(SYS(SYS_sched_setattr, 0, attr, 0));
	NOTE("size %s", attr->size >= 48 ? "told" : "not told");
	attr->size = 0;
	CALL(SYS(SYS_sched_setattr, 0, attr, 0));
	attr->size = sizeof(big);
	CALL(SYS(SYS_sched_setattr, 0, attr, 0));
	attr->size = sizeof(big);
	big.more[60] = 1;
	CALL(SYS(SYS_sched_setattr, 0, attr, 0));
	attr->size = 5000;
	CALL(SYS(SYS_sched_setattr, 0, attr, 0));
}

CASE(setattr_bad_arguments)
{
	struct attr attr = {.size = 48, .policy = SCHED_OTHER};

	CALL(SYS(SYS_sched_setattr, 0, NULL, 0));
	CALL(SYS(SYS_sched_setattr, 0, BAD_ADDRESS, 0));
	CALL(SYS(SYS_sched_setattr, 0, &attr, 1));
	CALL(SYS(SYS_sched_setattr, -1, &attr, 0));
	CALL(SYS(SYS_sched_setattr, NOBODY_PID, &attr, 0));
	attr.flags = 1ul << 40;
	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	attr.flags = 0;
	attr.policy = 99;
	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	attr.policy = 0x80000000;
	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
}

CASE(setattr_clamps_need_room)
{
	struct attr attr = {.size = 48, .policy = SCHED_OTHER, .flags = 0x20};

	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	attr.flags = 0x60;
	CALL(SYS(SYS_sched_setattr, NOBODY_PID, &attr, 0));
}

CASE(setattr_keeps)
{
	struct attr attr = {.size = 48, .policy = SCHED_BATCH, .nice = 3};

	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	attr = (struct attr){.size = 48, .flags = 8, .nice = 5}; /* keep the policy */
	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	CALL(SYS(SYS_sched_getscheduler, 0));
	CALL(getpriority(PRIO_PROCESS, 0));
	attr = (struct attr){
		.size = 48, .policy = SCHED_OTHER, .flags = 0x10, .nice = 9}; /* keep the numbers */
	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	CALL(SYS(SYS_sched_getscheduler, 0));
	CALL(getpriority(PRIO_PROCESS, 0));
}

CASE(getattr_bad_arguments)
{
	struct attr attr;

	CALL(SYS(SYS_sched_getattr, 0, &attr, 47, 0));
	CALL(SYS(SYS_sched_getattr, 0, &attr, 5000, 0));
	CALL(SYS(SYS_sched_getattr, 0, &attr, 48, 1));
	CALL(SYS(SYS_sched_getattr, 0, NULL, 48, 0));
	CALL(SYS(SYS_sched_getattr, 0, BAD_ADDRESS, 48, 0));
	CALL(SYS(SYS_sched_getattr, -1, &attr, 48, 0));
	CALL(SYS(SYS_sched_getattr, NOBODY_PID, &attr, 48, 0));
}

CASE(getattr_sizes)
{
	struct {
		struct attr attr;
		char more[64];
	} big;

	memset(&big, 0x55, sizeof(big));
	CALL(SYS(SYS_sched_getattr, 0, &big, 48, 0));
	NOTE("size %u, behind it %x", big.attr.size, big.attr.util_min);
	memset(&big, 0x55, sizeof(big));
	CALL(SYS(SYS_sched_getattr, 0, &big, sizeof(big), 0));
	NOTE("size %u", big.attr.size);
}

/* ---- nice values ---- */

CASE(nice_goes_up_for_everybody)
{
	become_nobody();
	CALL(setpriority(PRIO_PROCESS, 0, 5));
	CALL(getpriority(PRIO_PROCESS, 0));
	CALL(setpriority(PRIO_PROCESS, 0, 100));
	CALL(getpriority(PRIO_PROCESS, 0));
}

CASE(nice_does_not_come_down)
{
	become_nobody();
	CALL(setpriority(PRIO_PROCESS, 0, 5));
	CALL(setpriority(PRIO_PROCESS, 0, 4));
	CALL(setpriority(PRIO_PROCESS, 0, -20));
	CALL(setpriority(PRIO_PROCESS, 0, 5));
}

CASE(nice_of_nobody)
{
	CALL(setpriority(PRIO_PROCESS, NOBODY_PID, 5));
	CALL(setpriority(PRIO_PGRP, NOBODY_PID, 5));
	CALL(setpriority(3, 0, 5));
	CALL(setpriority(-1, 0, 5));
	CALL(SYS(SYS_getpriority, PRIO_PROCESS, NOBODY_PID));
	CALL(SYS(SYS_getpriority, 3, 0));
	CALL(SYS(SYS_getpriority, PRIO_PGRP, NOBODY_PID));
}

CASE(nice_of_a_group)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		CALL(setpriority(PRIO_PGRP, 0, 6));
		CALL(getpriority(PRIO_PGRP, 0));
		CALL(getpriority(PRIO_PROCESS, 0));
		_exit(0);
	}
	note_wait("child", pid);
	CALL(getpriority(PRIO_PROCESS, 0));
}

CASE(nice_is_inherited)
{
	pid_t pid;

	CALL(setpriority(PRIO_PROCESS, 0, 4));
	pid = fork();
	if (pid == 0) {
		CALL(getpriority(PRIO_PROCESS, 0));
		CALL(nice(3));
		CALL(getpriority(PRIO_PROCESS, 0));
		_exit(0);
	}
	note_wait("child", pid);
	CALL(getpriority(PRIO_PROCESS, 0));
}

/* ---- I/O priorities ---- */

#define IOPRIO(class, level) ((class) << 13 | (level))

CASE(ioprio_unset)
{
	CALL(SYS(SYS_ioprio_get, 1, 0));
	CALL(SYS(SYS_ioprio_get, 1, getpid()));
}

CASE(ioprio_set_and_get)
{
	become_nobody();
	CALL(SYS(SYS_ioprio_set, 1, 0, IOPRIO(2, 6)));
	CALL(SYS(SYS_ioprio_get, 1, 0));
	CALL(SYS(SYS_ioprio_set, 1, 0, IOPRIO(3, 0)));
	CALL(SYS(SYS_ioprio_get, 1, 0));
	CALL(SYS(SYS_ioprio_set, 1, 0, IOPRIO(0, 0)));
	CALL(SYS(SYS_ioprio_get, 1, 0));
}

CASE(ioprio_realtime_refused)
{
	become_nobody();
	CALL(SYS(SYS_ioprio_set, 1, 0, IOPRIO(1, 4)));
	CALL(SYS(SYS_ioprio_get, 1, 0));
}

CASE(ioprio_bad_arguments)
{
	CALL(SYS(SYS_ioprio_set, 1, 0, IOPRIO(4, 0)));
	CALL(SYS(SYS_ioprio_set, 1, 0, IOPRIO(0, 1)));
	CALL(SYS(SYS_ioprio_set, 1, 0, IOPRIO(7, 7)));
	CALL(SYS(SYS_ioprio_set, 0, 0, IOPRIO(2, 4)));
	CALL(SYS(SYS_ioprio_set, 4, 0, IOPRIO(2, 4)));
	CALL(SYS(SYS_ioprio_set, 1, NOBODY_PID, IOPRIO(2, 4)));
	CALL(SYS(SYS_ioprio_get, 0, 0));
	CALL(SYS(SYS_ioprio_get, 4, 0));
	CALL(SYS(SYS_ioprio_get, 1, NOBODY_PID));
	CALL(SYS(SYS_ioprio_get, 2, NOBODY_PID));
}

CASE(ioprio_of_a_group)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		CALL(SYS(SYS_ioprio_set, 2, 0, IOPRIO(2, 1)));
		CALL(SYS(SYS_ioprio_get, 1, 0));
		CALL(SYS(SYS_ioprio_get, 2, 0));
		_exit(0);
	}
	note_wait("child", pid);
}

/* ---- processors ---- */

CASE(affinity_sizes)
{
	unsigned long mask[64] = {0};
	long size = SYS(SYS_sched_getaffinity, 0, sizeof(mask), mask);

	TRUTH(size > 0 && size % 8 == 0);
	CALL(SYS(SYS_sched_getaffinity, 0, 0, mask));
	CALL(SYS(SYS_sched_getaffinity, 0, 7, mask));
	CALL(SYS(SYS_sched_getaffinity, 0, 12, mask));
	CALL(SYS(SYS_sched_getaffinity, 0, 1, mask));
}

CASE(affinity_bad_arguments)
{
	unsigned long mask[16] = {1};

	CALL(SYS(SYS_sched_getaffinity, NOBODY_PID, sizeof(mask), mask));
	CALL(SYS(SYS_sched_getaffinity, -1, sizeof(mask), mask));
	CALL(SYS(SYS_sched_getaffinity, 0, sizeof(mask), BAD_ADDRESS));
	CALL(SYS(SYS_sched_setaffinity, NOBODY_PID, sizeof(mask), mask));
	CALL(SYS(SYS_sched_setaffinity, 0, sizeof(mask), BAD_ADDRESS));
}

CASE(affinity_empty)
{
	unsigned long mask[16] = {0};

	CALL(SYS(SYS_sched_setaffinity, 0, sizeof(mask), mask));
	CALL(SYS(SYS_sched_setaffinity, 0, 0, mask));
	mask[15] = 1ul << 63;
	CALL(SYS(SYS_sched_setaffinity, 0, sizeof(mask), mask));
}

CASE(affinity_is_inherited)
{
	unsigned long mask[16] = {1}, seen[16] = {0};
	pid_t pid;

	CALL(SYS(SYS_sched_setaffinity, 0, sizeof(mask), mask));
	pid = fork();
	if (pid == 0) {
		TRUTH(SYS(SYS_sched_getaffinity, 0, sizeof(seen), seen) > 0);
		NOTE("%lx", seen[0]);
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(getcpu_of_one)
{
	unsigned long mask[16] = {1};
	unsigned cpu = 99, node = 99;

	CALL(SYS(SYS_sched_setaffinity, 0, sizeof(mask), mask));
	CALL(SYS(SYS_getcpu, &cpu, &node, NULL));
	NOTE("cpu %u node %u", cpu, node);
}

CASE(getcpu_of_nothing)
{
	unsigned cpu = 99;

	CALL(SYS(SYS_getcpu, NULL, NULL, NULL));
	CALL(SYS(SYS_getcpu, NULL, NULL, BAD_ADDRESS));
	CALL(SYS(SYS_getcpu, &cpu, NULL, NULL));
	TRUTH(cpu < 4096);
}

CASE(getcpu_bad_address)
{
	unsigned cpu = 99;

	CALL(SYS(SYS_getcpu, BAD_ADDRESS, NULL, NULL));
	CALL(SYS(SYS_getcpu, NULL, BAD_ADDRESS, NULL));
	CALL(SYS(SYS_getcpu, &cpu, BAD_ADDRESS, NULL));
}

CASE(yield_among_two)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (int i = 0; i < 100; i++)
			SYS(SYS_sched_yield);
		_exit(0);
	}
	for (int i = 0; i < 100; i++)
		SYS(SYS_sched_yield);
	CALL(SYS(SYS_sched_yield));
	note_wait("child", pid);
}

CASE(yield_ignores_arguments)
{
	CALL(SYS(SYS_sched_yield, -1, -1, -1));
	CALL(sched_yield());
}
