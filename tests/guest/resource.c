/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, usage, priorities and scheduling parameters. */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/times.h>

#include "case.h"

static void drop(void)
{
	if (geteuid() == 0 &&
		(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
		exit(1);
}

/* ---- limits
 * ------------------------------------------------------------------------------------------------------------
 */

CASE(limit_arguments)
{
	struct rlimit limit = {0, 0};

	CALL(SYS(SYS_getrlimit, 16, &limit));
	CALL(SYS(SYS_getrlimit, -1, &limit));
	CALL(SYS(SYS_getrlimit, RLIMIT_NOFILE, BAD_ADDRESS));
	CALL(SYS(SYS_setrlimit, 16, &limit));
	CALL(SYS(SYS_setrlimit, RLIMIT_NOFILE, BAD_ADDRESS));
	CALL(SYS(SYS_setrlimit, 16, BAD_ADDRESS));
	CALL(SYS(SYS_prlimit64, 0, 16, NULL, &limit));
	CALL(SYS(SYS_prlimit64, 0, RLIMIT_NOFILE, BAD_ADDRESS, NULL));
	CALL(SYS(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, BAD_ADDRESS));
	CALL(SYS(SYS_prlimit64, 4000000, RLIMIT_NOFILE, NULL, &limit));
	CALL(SYS(SYS_prlimit64, -1, RLIMIT_NOFILE, NULL, &limit));
	CALL(SYS(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, NULL));
}

CASE(limit_soft_and_hard)
{
	struct rlimit limit = {50, 60};

	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	limit = (struct rlimit){61, 60};
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	limit = (struct rlimit){60, 60};
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	drop();
	limit = (struct rlimit){60, 61};
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	CALL(getrlimit(RLIMIT_NOFILE, &limit));
	NOTE("%lu %lu", limit.rlim_cur, limit.rlim_max);
	limit = (struct rlimit){10, 2000000};
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
}

CASE(limit_is_inherited)
{
	struct rlimit limit = {12345678, 23456789};

	CALL(setrlimit(RLIMIT_FSIZE, &limit));
	if (fork() == 0) {
		getrlimit(RLIMIT_FSIZE, &limit);
		NOTE("%lu %lu", limit.rlim_cur, limit.rlim_max);
		limit.rlim_cur = 1;
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(0);
	}
	note_wait("child", -1);
	getrlimit(RLIMIT_FSIZE, &limit);
	NOTE("%lu %lu", limit.rlim_cur, limit.rlim_max);
}

CASE(limit_of_a_child)
{
	struct rlimit limit = {100, 200}, old = {0};
	int go[2];
	pid_t pid;

	pipe(go);
	pid = fork();
	if (pid == 0) {
		char c;

		read(go[0], &c, 1);
		getrlimit(RLIMIT_LOCKS, &limit);
		NOTE("child sees %lu %lu", limit.rlim_cur, limit.rlim_max);
		_exit(0);
	}
	setrlimit(RLIMIT_LOCKS, &(struct rlimit){300, 400});
	CALL(prlimit(pid, RLIMIT_LOCKS, &limit, &old));
	CALL(prlimit(pid, RLIMIT_LOCKS, NULL, &old));
	NOTE("%lu %lu", old.rlim_cur, old.rlim_max);
	write(go[1], "x", 1);
	note_wait("child", pid);
}

CASE(limit_of_another_user)
{
	struct rlimit old;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(1); /* nobody can kill it once the parent has dropped its rights */
		pause();
		_exit(0);
	}
	if (geteuid() != 0) {
		kill(pid, SIGKILL);
		SKIP("needs root");
	}
	drop();
	CALL(prlimit(pid, RLIMIT_CORE, NULL, &old));
	CALL(prlimit(1, RLIMIT_CORE, NULL, &old));
}

CASE(descriptor_limit_has_effect)
{
	struct rlimit limit = {5, 5};

	setrlimit(RLIMIT_NOFILE, &limit);
	CALL(dup2(0, 7));
	CALL(dup2(0, 4));
	CALL(dup(0) < 0 ? -1 : 0);
}

CASE(file_size_limit_has_effect)
{
	struct rlimit limit = {10, 10};
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	setrlimit(RLIMIT_FSIZE, &limit);
	signal(SIGXFSZ, SIG_IGN);
	CALL(write(fd, "0123456", 7));
	CALL(write(fd, "0123456", 7));
	CALL(write(fd, "x", 1));
	CALL(ftruncate(fd, 20));
	signal(SIGXFSZ, SIG_DFL);
	write(fd, "x", 1);
}

/* ---- usage
 * -------------------------------------------------------------------------------------------------------------
 */

static void burn(long ms)
{
	struct timespec ts;

	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	while (ts.tv_sec * 1000 + ts.tv_nsec / 1000000 < ms);
}

CASE(usage_arguments)
{
	struct rusage usage;

	CALL(getrusage(RUSAGE_SELF, &usage));
	CALL(getrusage(RUSAGE_CHILDREN, &usage));
	CALL(getrusage(RUSAGE_THREAD, &usage));
	CALL(getrusage(5, &usage));
	CALL(getrusage(-2, &usage));
	CALL(getrusage(RUSAGE_SELF, BAD_ADDRESS));
}

CASE(usage_grows)
{
	struct rusage usage;
	long ms;

	burn(60);
	getrusage(RUSAGE_SELF, &usage);
	ms = usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000 +
	     usage.ru_stime.tv_sec * 1000 + usage.ru_stime.tv_usec / 1000;
	TRUTH(ms >= 50 && ms < 2000);
	TRUTH(usage.ru_maxrss > 100);
}

CASE(usage_of_children)
{
	struct rusage usage;

	if (fork() == 0) {
		burn(60);
		_exit(0);
	}
	getrusage(RUSAGE_CHILDREN, &usage);
	TRUTH(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec == 0);
	note_wait("child", -1);
	getrusage(RUSAGE_CHILDREN, &usage);
	TRUTH(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >
		30000);
}

#define TOUCHED 600

static long touch_pages(void)
{
	char *at = mmap(
		NULL, TOUCHED * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(at, TOUCHED * 4096, MADV_NOHUGEPAGE);
	for (int i = 0; i < TOUCHED; i++)
		((volatile char *)at)[i * 4096] = 1;
	return munmap(at, TOUCHED * 4096);
}

static long faults_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return usage.ru_minflt;
}

/* The fields minflt and cminflt of proc(5). */
static void faults_in_stat(const char *path, long *own, long *childrens)
{
	char text[512] = "";
	int fd = open(path, O_RDONLY);

	*own = *childrens = -1;
	if (read(fd, text, sizeof(text) - 1) > 0)
		sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %ld %ld", own, childrens);
	close(fd);
}

static void *touching_thread(void *arg)
{
	long before = faults_of(RUSAGE_THREAD), own, none;

	touch_pages();
	TRUTH(faults_of(RUSAGE_THREAD) - before >= TOUCHED);
	faults_in_stat("/proc/thread-self/stat", &own, &none);
	TRUTH(own >= TOUCHED);
	return arg;
}

CASE(page_faults)
{
	long before = faults_of(RUSAGE_SELF), own, none;
	pthread_t thread;

	touch_pages();
	TRUTH(faults_of(RUSAGE_SELF) - before >= TOUCHED);
	TRUTH(faults_of(RUSAGE_THREAD) - before >= TOUCHED);
	TRUTH(faults_of(RUSAGE_CHILDREN) == 0);
	faults_in_stat("/proc/self/stat", &own, &none);
	TRUTH(own >= TOUCHED);
	TRUTH(none == 0);
	before = faults_of(RUSAGE_SELF);
	pthread_create(&thread, NULL, touching_thread, NULL);
	pthread_join(thread, NULL);
	TRUTH(faults_of(RUSAGE_SELF) - before >= TOUCHED);
}

CASE(page_faults_of_children)
{
	struct rusage usage;
	long own, theirs;

	if (fork() == 0) {
		if (fork() == 0) {
			touch_pages();
			_exit(0);
		}
		touch_pages();
		_exit(0);
	}
	TRUTH(wait4(-1, NULL, 0, &usage) > 0);
	/* The grandchild may be left to itself. */
	TRUTH(usage.ru_minflt >= TOUCHED);
	TRUTH(faults_of(RUSAGE_CHILDREN) >= TOUCHED);
	faults_in_stat("/proc/self/stat", &own, &theirs);
	TRUTH(theirs == faults_of(RUSAGE_CHILDREN));
}

/* Those of before an execve count. */
CASE(page_faults_before_execve)
{
	struct rusage usage;
	pid_t pid = fork();

	if (pid == 0) {
		touch_pages();
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	TRUTH(wait4(pid, NULL, 0, &usage) == pid);
	TRUTH(usage.ru_minflt >= TOUCHED);
}

CASE(times_call)
{
	struct tms tms;

	burn(60);
	TRUTH(times(&tms) != -1);
	TRUTH(tms.tms_utime + tms.tms_stime >= 3);
	CALL(SYS(SYS_times, BAD_ADDRESS));
	TRUTH(times(NULL) > 0);
}

static void *burn_thread(void *arg)
{
	burn(50);
	return NULL;
}

CASE(usage_of_threads)
{
	struct rusage all, mine;
	pthread_t thread;

	pthread_create(&thread, NULL, burn_thread, NULL);
	pthread_join(thread, NULL);
	getrusage(RUSAGE_SELF, &all);
	getrusage(RUSAGE_THREAD, &mine);
	TRUTH(all.ru_utime.tv_usec + all.ru_stime.tv_usec >= 40000);
	TRUTH(mine.ru_utime.tv_usec + mine.ru_stime.tv_usec < 40000);
}

/* ---- priorities
 * --------------------------------------------------------------------------------------------------------
 */

CASE(priority)
{
	CALL(SYS(SYS_getpriority, PRIO_PROCESS, 0));
	CALL(setpriority(PRIO_PROCESS, 0, 5));
	CALL(SYS(SYS_getpriority, PRIO_PROCESS, 0));
	CALL(SYS(SYS_getpriority, PRIO_PROCESS, getpid()));
	CALL(setpriority(PRIO_PROCESS, 0, 100));
	CALL(SYS(SYS_getpriority, PRIO_PROCESS, 0));
	drop();
	CALL(setpriority(PRIO_PROCESS, 0, 3));
	CALL(setpriority(PRIO_PROCESS, 0, 19));
	if (fork() == 0)
		_exit((int)SYS(SYS_getpriority, PRIO_PROCESS, 0));
	note_wait("child", -1);
}

CASE(priority_arguments)
{
	CALL(SYS(SYS_getpriority, 3, 0));
	CALL(SYS(SYS_getpriority, -1, 0));
	CALL(SYS(SYS_getpriority, PRIO_PROCESS, 4000000));
	CALL(SYS(SYS_getpriority, PRIO_PGRP, 4000000));
	CALL(SYS(SYS_getpriority, PRIO_USER, 77777));
	CALL(SYS(SYS_setpriority, 3, 0, 0));
	CALL(SYS(SYS_setpriority, PRIO_PROCESS, 4000000, 0));
	CALL(SYS(SYS_setpriority, PRIO_PGRP, 4000000, 0));
	CALL(SYS(SYS_setpriority, PRIO_USER, 77777, 0));
}

CASE(priority_of_a_group)
{
	pid_t pid;

	setpgid(0, 0);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	setpriority(PRIO_PROCESS, 0, 10);
	CALL(SYS(SYS_getpriority, PRIO_PGRP, 0));
	CALL(setpriority(PRIO_PGRP, 0, 12));
	CALL(SYS(SYS_getpriority, PRIO_PROCESS, pid));
	kill(pid, SIGKILL);
	note_wait("child", pid);
}

CASE(priority_of_another_user)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(1); /* nobody can kill it once the parent has dropped its rights */
		pause();
		_exit(0);
	}
	if (geteuid() != 0) {
		kill(pid, SIGKILL);
		SKIP("needs root");
	}
	drop();
	CALL(setpriority(PRIO_PROCESS, pid, 10));
	CALL(SYS(SYS_getpriority, PRIO_PROCESS, pid));
}

CASE(io_priority)
{
	CALL(SYS(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
	CALL(SYS(SYS_ioprio_get, 1, 0));
	CALL(SYS(SYS_ioprio_set, 1, 0, 3 << 13));
	CALL(SYS(SYS_ioprio_get, 1, 0));
	CALL(SYS(SYS_ioprio_set, 1, 0, 7 << 13));
	CALL(SYS(SYS_ioprio_set, 1, 0, 5));
	CALL(SYS(SYS_ioprio_set, 9, 0, 2 << 13));
	CALL(SYS(SYS_ioprio_get, 9, 0));
	CALL(SYS(SYS_ioprio_get, 1, 4000000));
	drop();
	CALL(SYS(SYS_ioprio_set, 1, 0, 1 << 13));
}

/* ---- scheduling
 * --------------------------------------------------------------------------------------------------------
 */

CASE(policies)
{
	static const int policies[] = {0, 1, 2, 3, 4, 5, 6, 99, -1};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		NOTE("policy %d", policies[i]);
		CALL(sched_get_priority_min(policies[i]));
		CALL(sched_get_priority_max(policies[i]));
	}
}

CASE(set_scheduler)
{
	struct sched_param param = {0};

	CALL(sched_getscheduler(0));
	CALL(sched_setscheduler(0, SCHED_BATCH, &param));
	CALL(sched_getscheduler(0));
	CALL(sched_setscheduler(0, SCHED_IDLE, &param));
	CALL(sched_getscheduler(0));
	CALL(sched_setscheduler(0, SCHED_OTHER, &param));
	CALL(sched_getparam(0, &param));
	NOTE("%d", param.sched_priority);
	param.sched_priority = 1;
	CALL(sched_setscheduler(0, SCHED_OTHER, &param));
	CALL(sched_setparam(0, &param));
	drop();
	CALL(sched_setscheduler(0, SCHED_FIFO, &param));
	CALL(sched_setscheduler(0, SCHED_RR, &param));
}

CASE(set_scheduler_arguments)
{
	struct sched_param param = {0};

	CALL(sched_setscheduler(-1, SCHED_OTHER, &param));
	CALL(sched_setscheduler(4000000, SCHED_OTHER, &param));
	CALL(sched_setscheduler(0, 77, &param));
	CALL(sched_setscheduler(0, -1, &param));
	CALL(sched_setscheduler(0, SCHED_OTHER, NULL));
	CALL(sched_setscheduler(0, SCHED_OTHER, BAD_ADDRESS));
	CALL(sched_setscheduler(0, SCHED_FIFO, &param));
	param.sched_priority = 100;
	CALL(sched_setscheduler(0, SCHED_FIFO, &param));
	CALL(sched_getscheduler(-1));
	CALL(sched_getscheduler(4000000));
	CALL(sched_getparam(0, NULL));
	CALL(sched_getparam(-1, &param));
	CALL(sched_getparam(4000000, &param));
	CALL(sched_getparam(0, BAD_ADDRESS));
	CALL(sched_setparam(0, NULL));
}

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

CASE(scheduling_attributes)
{
	struct attr attr = {.size = 48, .policy = SCHED_BATCH, .nice = 4}, got = {0};

	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	CALL(SYS(SYS_sched_getattr, 0, &got, 48, 0));
	NOTE("%u %u %d %u", got.size, got.policy, got.nice, got.priority);
	CALL(SYS(SYS_sched_getattr, 0, &got, 56, 0));
	NOTE("%u", got.size);
	CALL(SYS(SYS_sched_getattr, 0, &got, 47, 0));
	CALL(SYS(SYS_sched_getattr, 0, &got, 5000, 0));
	CALL(SYS(SYS_sched_getattr, 0, &got, 48, 1));
	CALL(SYS(SYS_sched_getattr, -1, &got, 48, 0));
	CALL(SYS(SYS_sched_getattr, 4000000, &got, 48, 0));
	CALL(SYS(SYS_sched_setattr, 0, &attr, 1));
	CALL(SYS(SYS_sched_setattr, 0, NULL, 0));
	attr.size = 47;
	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	attr = (struct attr){.size = 48, .policy = 77};
	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
	attr = (struct attr){.size = 48, .policy = -1};
	CALL(SYS(SYS_sched_setattr, 0, &attr, 0));
}

CASE(round_robin_interval)
{
	struct timespec ts;

	CALL(sched_rr_get_interval(0, &ts));
	CALL(sched_rr_get_interval(-1, &ts));
	CALL(sched_rr_get_interval(4000000, &ts));
	CALL(sched_rr_get_interval(0, BAD_ADDRESS));
}

CASE(affinity)
{
	cpu_set_t set, one;
	int cpu;

	TRUTH(sched_getaffinity(0, sizeof(set), &set) == 0);
	TRUTH(CPU_COUNT(&set) <= (int)sysconf(_SC_NPROCESSORS_ONLN));
	for (cpu = 0; !CPU_ISSET(cpu, &set); cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CALL(sched_setaffinity(0, sizeof(one), &one));
	sched_getaffinity(0, sizeof(set), &set);
	TRUTH(CPU_EQUAL(&set, &one));
	CPU_ZERO(&one);
	CALL(sched_setaffinity(0, sizeof(one), &one));
	CPU_SET(1000, &one);
	CALL(sched_setaffinity(0, sizeof(one), &one));
	if (fork() == 0) {
		sched_getaffinity(0, sizeof(set), &set);
		_exit(CPU_COUNT(&set));
	}
	note_wait("child", -1);
}

CASE(affinity_arguments)
{
	unsigned long mask[16] = {0};

	CALL(SYS(SYS_sched_getaffinity, 0, 0, mask));
	CALL(SYS(SYS_sched_getaffinity, 0, 7, mask));
	CALL(SYS(SYS_sched_getaffinity, 0, 12, mask));
	CALL(SYS(SYS_sched_getaffinity, 0, 128, mask));
	CALL(SYS(SYS_sched_getaffinity, 0, 128, BAD_ADDRESS));
	CALL(SYS(SYS_sched_getaffinity, 4000000, 128, mask));
	CALL(SYS(SYS_sched_setaffinity, 0, 128, BAD_ADDRESS));
	CALL(SYS(SYS_sched_setaffinity, 0, 0, mask));
	mask[0] = 1;
	CALL(SYS(SYS_sched_setaffinity, 4000000, 128, mask));
}

CASE(yield_and_cpu)
{
	unsigned cpu = 12345, node = 12345;

	CALL(sched_yield());
	CALL(SYS(SYS_getcpu, &cpu, &node, NULL));
	TRUTH(cpu < 1024 && node == 0);
	CALL(SYS(SYS_getcpu, NULL, NULL, NULL));
	CALL(SYS(SYS_getcpu, BAD_ADDRESS, NULL, NULL));
}
