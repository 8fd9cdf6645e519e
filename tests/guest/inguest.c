/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that a platform may answer without its kernel: what they say has to agree with what the
 * kernel says elsewhere, at every moment.
 */
#include "case.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/prctl.h>

/* A number (the @nth) of a line of this thread's status file. */
static long status_field(const char *name, int nth)
{
	FILE *f = fopen("/proc/thread-self/status", "r");
	char line[256];
	long value = -1;

	while (f && fgets(line, sizeof(line), f)) {
		size_t size = strlen(name);
		char *at = line + size;

		if (strncmp(line, name, size) || *at++ != ':')
			continue;
		for (int i = 0; i <= nth; i++)
			value = strtol(at, &at, 10);
		break;
	}
	if (f)
		fclose(f);
	return value;
}

/* Field 5 and 6 of the stat file: process group and session. */
static void stat_groups(int *ret_pgrp, int *ret_session)
{
	FILE *f = fopen("/proc/self/stat", "r");
	char text[512] = "", *at;

	*ret_pgrp = *ret_session = -1;
	if (f && fgets(text, sizeof(text), f) && (at = strrchr(text, ')')))
		sscanf(at + 2, "%*c %*d %d %d", ret_pgrp, ret_session);
	if (f)
		fclose(f);
}

static void compare(const char *what)
{
	int pgrp, session;

	stat_groups(&pgrp, &session);
	NOTE("%s: %d %d %d  %d %d %d %d  %d %d %d %d", what,
		SYS(SYS_getpid) == status_field("Tgid", 0),
		SYS(SYS_gettid) == status_field("Pid", 0),
		SYS(SYS_getppid) == status_field("PPid", 0),
		SYS(SYS_getuid) == status_field("Uid", 0),
		SYS(SYS_geteuid) == status_field("Uid", 1),
		SYS(SYS_getgid) == status_field("Gid", 0),
		SYS(SYS_getegid) == status_field("Gid", 1), SYS(SYS_getpgrp) == pgrp,
		SYS(SYS_getpgid, 0) == pgrp, SYS(SYS_getsid, 0) == session,
		SYS(SYS_getpgid, getpid()) == pgrp);
}

static void *compare_in_thread(void *what)
{
	compare(what);
	TRUTH(SYS(SYS_gettid) != SYS(SYS_getpid));
	return NULL;
}

static void in_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, arg) == 0)
		pthread_join(thread, NULL);
}

CASE(ids_of_processes_and_threads)
{
	pid_t pid;

	compare("first");
	in_thread(compare_in_thread, "thread");
	pid = fork();
	if (pid == 0) {
		compare("child");
		in_thread(compare_in_thread, "thread of child");
		pid = fork();
		if (pid == 0) {
			compare("grandchild");
			_exit(3);
		}
		note_wait("grandchild", pid);
		_exit(4);
	}
	note_wait("child", pid);
	compare("again");
}

CASE(ids_of_vfork_child)
{
	pid_t self = getpid(), pid;
	volatile int agree = 0;

	pid = vfork();
	if (pid == 0) {
		agree = SYS(SYS_getppid) == self && SYS(SYS_getpid) == SYS(SYS_gettid) &&
			SYS(SYS_getpid) != self;
		_exit(0);
	}
	note_wait("vfork child", pid);
	TRUTH(agree && SYS(SYS_getpid) == self);
}

CASE(ids_after_exec)
{
	pid_t self = getpid(), pid = fork();
	char text[256];

	if (pid == 0) {
		snprintf(text, sizeof(text),
			"test $$ = $(sed -n 's/^Tgid:.//p' /proc/$$/status) && test $PPID = %d && "
			"exit 7",
			self);
		execl("/bin/sh", "sh", "-c", text, NULL);
		_exit(1);
	}
	note_wait("exec", pid);
}

static void *exec_sh(void *arg)
{
	execl("/bin/sh", "sh", "-c", "test $$ = $0 && exit 9", arg, NULL);
	return NULL;
}

CASE(ids_after_exec_by_thread)
{
	pid_t pid = fork();

	if (pid == 0) {
		char text[16];
		pthread_t thread;

		snprintf(text, sizeof(text), "%d", getpid());
		pthread_create(&thread, NULL, exec_sh, text);
		pthread_join(thread, NULL);
		_exit(1);
	}
	note_wait("exec by thread", pid);
}

/* The parent ends: every thread of the child has a new one. */
static int orphan_pipe[2], orphan_go[2];
static pid_t orphan_old;
static pthread_barrier_t orphan_barrier;

static void *orphan_thread(void *arg)
{
	char byte;

	pthread_barrier_wait(&orphan_barrier);
	while (SYS(SYS_getppid) == orphan_old)
		;
	read(orphan_go[0], &byte, 1);
	compare(arg);
	return NULL;
}

CASE(ids_after_parents_end)
{
	pid_t pid, self = getpid();
	char byte;

	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	OK(pipe(orphan_pipe));
	OK(pipe(orphan_go));
	pid = fork();
	if (pid == 0) {
		orphan_old = getpid();
		if (fork() == 0) {
			pthread_t thread;

			pthread_barrier_init(&orphan_barrier, NULL, 2);
			pthread_create(&thread, NULL, orphan_thread, "orphan's thread");
			pthread_barrier_wait(&orphan_barrier);
			write(orphan_pipe[1], "x", 1);
			while (SYS(SYS_getppid) == orphan_old)
				;
			pthread_join(thread, NULL);
			compare("orphan");
			TRUTH(SYS(SYS_getppid) == self);
			_exit(5);
		}
		read(orphan_pipe[0], &byte, 1);
		_exit(6);
	}
	note_wait("parent", pid);
	write(orphan_go[1], "x", 1);
	note_wait("orphan", -1);
}

CASE(ids_after_change)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		SKIP("needs to be root");
	CALL(SYS(SYS_setresgid, 7, 8, 9));
	compare("setresgid");
	CALL(SYS(SYS_setresuid, 1000, 1001, 1002));
	compare("setresuid");
	CALL(SYS(SYS_getuid));
	CALL(SYS(SYS_geteuid));
	CALL(SYS(SYS_getgid));
	CALL(SYS(SYS_getegid));
	CALL(SYS(SYS_setuid, 1002));
	CALL(SYS(SYS_geteuid));
	pid = fork();
	if (pid == 0) {
		compare("child");
		CALL(SYS(SYS_setreuid, 1002, 1000));
		CALL(SYS(SYS_getuid));
		CALL(SYS(SYS_geteuid));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CALL(SYS(SYS_getuid));
	CALL(SYS(SYS_geteuid));
	CALL(SYS(SYS_setgid, 12345678));
	CALL(SYS(SYS_getegid));
}

/* A thread's ids are its own: the raw call changes no other's. */
static void *raw_setuid(void *arg)
{
	CALL(SYS(SYS_setresuid, 1234, 1234, 1234));
	CALL(SYS(SYS_getuid));
	return NULL;
}

CASE(ids_of_one_thread)
{
	if (geteuid() != 0)
		SKIP("needs to be root");
	in_thread(raw_setuid, NULL);
	CALL(SYS(SYS_getuid));
	CALL(SYS(SYS_geteuid));
}

CASE(ids_of_groups)
{
	pid_t pid, self = getpid();
	int to[2], from[2];
	char byte;

	OK(pipe(to));
	OK(pipe(from));
	pid = fork();
	if (pid == 0) {
		read(to[0], &byte, 1);
		TRUTH(SYS(SYS_getpgrp) == getpid() && SYS(SYS_getpgid, 0) == getpid());
		in_thread(compare_in_thread, "moved by parent");
		write(from[1], "x", 1);
		read(to[0], &byte, 1);
		TRUTH(SYS(SYS_getpgrp) == self);
		compare("moved back");
		TRUTH(SYS(SYS_setsid) == getpid());
		compare("own session");
		TRUTH(SYS(SYS_getsid, 0) == getpid() && SYS(SYS_getpgrp) == getpid());
		in_thread(compare_in_thread, "thread in own session");
		_exit(0);
	}
	OK(setpgid(0, 0));
	OK(setpgid(pid, pid));
	write(to[1], "x", 1);
	read(from[0], &byte, 1);
	OK(setpgid(pid, self));
	write(to[1], "x", 1);
	note_wait("child", pid);
	CALL(SYS(SYS_getpgid, -1));
	CALL(SYS(SYS_getsid, 0x7fffffff));
	/* The upper half of the register does not count. */
	TRUTH(SYS(SYS_getpgid, 0x100000000) == self);
	TRUTH(SYS(SYS_getsid, 0xffffffff00000000) == SYS(SYS_getsid, 0));
}

/* ---- time ---- */

static long long ns_of(const struct timespec *ts)
{
	return ts->tv_sec * 1000000000ll + ts->tv_nsec;
}

/* libc's way may be another (the vDSO): they must read the same clock. */
static int backwards(int clock, int rounds)
{
	long long last = 0;
	int count = 0;

	for (int i = 0; i < rounds; i++) {
		struct timespec ts;

		if (i % 2)
			clock_gettime(clock, &ts);
		else
			SYS(SYS_clock_gettime, clock, &ts);
		count += ns_of(&ts) < last;
		last = ns_of(&ts);
	}
	return count;
}

CASE(clocks_agree)
{
	static const int clocks[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE,
		CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
	static const int wall[] = {CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI};

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
		NOTE("clock %d: %d", clocks[i], backwards(clocks[i], 5000));
	for (size_t i = 0; i < sizeof(wall) / sizeof(wall[0]); i++) {
		struct timespec a, b;

		clock_gettime(wall[i], &a);
		CALL(SYS(SYS_clock_gettime, wall[i], &b));
		TRUTH(llabs(ns_of(&b) - ns_of(&a)) < 1000000000);
	}
}

CASE(clock_errors)
{
	struct timespec ts;

	for (int clock = -8; clock < 18; clock++) {
		NOTE("clock %d", clock);
		CALL(SYS(SYS_clock_gettime, clock, BAD_ADDRESS));
		CALL(SYS(SYS_clock_gettime, clock, NULL));
		CALL(SYS(SYS_clock_getres, clock, BAD_ADDRESS));
		CALL(SYS(SYS_clock_getres, clock, NULL));
	}
	for (int clock = 0; clock < 8; clock++) {
		ts.tv_sec = ts.tv_nsec = -1;
		CALL(SYS(SYS_clock_getres, clock, &ts));
		NOTE("%lld %lld", (long long)ts.tv_sec, (long long)ts.tv_nsec);
	}
	CALL(SYS(SYS_clock_gettime, 0x100000001, &ts));
	CALL(SYS(SYS_clock_gettime, CLOCK_MONOTONIC, 0x8000000000000000));
	CALL(SYS(SYS_clock_gettime, CLOCK_MONOTONIC, -8L));
}

CASE(clock_at_pages_end)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(page + 4096, 4096, PROT_NONE);
	CALL(SYS(SYS_clock_gettime, CLOCK_MONOTONIC, page + 4080));
	CALL(SYS(SYS_clock_gettime, CLOCK_MONOTONIC, page + 4081));
	CALL(SYS(SYS_clock_gettime, CLOCK_MONOTONIC, page + 4088));
	CALL(SYS(SYS_gettimeofday, page + 4088, NULL));
	CALL(SYS(SYS_getcpu, page + 4092, NULL, NULL));
	CALL(SYS(SYS_getcpu, page + 4093, NULL, NULL));
	CALL(SYS(SYS_getcpu, NULL, page + 4094, NULL));
	mprotect(page, 4096, PROT_READ);
	CALL(SYS(SYS_clock_gettime, CLOCK_MONOTONIC, page));
	CALL(SYS(SYS_time, page));
}

CASE(time_calls)
{
	struct timeval tv = {-1, -1}, tv2;
	struct timezone tz = {77, 77};
	time_t now, then = time(NULL);

	CALL(SYS(SYS_gettimeofday, &tv, NULL));
	gettimeofday(&tv2, NULL);
	TRUTH(tv2.tv_sec - tv.tv_sec <= 1 && tv.tv_usec >= 0 && tv.tv_usec < 1000000);
	CALL(SYS(SYS_gettimeofday, NULL, NULL));
	CALL(SYS(SYS_gettimeofday, &tv, &tz));
	NOTE("%d %d", tz.tz_minuteswest, tz.tz_dsttime);
	CALL(SYS(SYS_gettimeofday, NULL, &tz));
	CALL(SYS(SYS_gettimeofday, BAD_ADDRESS, NULL));
	CALL(SYS(SYS_gettimeofday, &tv, BAD_ADDRESS));
	TRUTH(SYS(SYS_time, NULL) - then <= 1);
	TRUTH(SYS(SYS_time, &now) == now && now >= then);
	CALL(SYS(SYS_time, BAD_ADDRESS));
}

static volatile int alarms;

static void on_alarm(int signo)
{
	alarms++;
}

/* Signals arrive wherever a clock is being read. */
CASE(clocks_under_signals)
{
	struct itimerval every = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
	long long end = now_ms() + 300;
	int bad = 0;

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &every, NULL);
	while (now_ms() < end)
		bad += backwards(CLOCK_MONOTONIC, 50);
	setitimer(ITIMER_REAL, &never, NULL);
	TRUTH(alarms > 20);
	NOTE("%d", bad);
}

CASE(cpu_and_yield)
{
	unsigned cpu = 1000, node = 1000;
	cpu_set_t set, one;

	CALL(SYS(SYS_getcpu, &cpu, &node, NULL));
	sched_getaffinity(0, sizeof(set), &set);
	TRUTH(CPU_ISSET(cpu, &set));
	NOTE("node %u", node);
	CALL(SYS(SYS_getcpu, NULL, NULL, NULL));
	CALL(SYS(SYS_getcpu, BAD_ADDRESS, NULL, NULL));
	CALL(SYS(SYS_getcpu, NULL, BAD_ADDRESS, NULL));
	for (int i = 0; i < CPU_SETSIZE; i++) {
		int wrong = 0;

		if (!CPU_ISSET(i, &set))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		sched_setaffinity(0, sizeof(one), &one);
		for (int n = 0; n < 100; n++) {
			SYS(SYS_getcpu, &cpu, NULL, NULL);
			wrong += cpu != (unsigned)i;
		}
		if (wrong)
			NOTE("elsewhere: %d", wrong);
	}
	CALL(sched_yield());
}

/* ---- what a thread tells of itself ---- */

static void note_action(int signo)
{
	struct {
		unsigned long handler, flags, restorer, mask;
	} action;
	long r;

	memset(&action, 0x55, sizeof(action));
	r = SYS(SYS_rt_sigaction, signo, NULL, &action, 8);
	NOTE("%d: %ld %lx %lx %d %lx", signo, r, action.handler > 1 ? 7 : action.handler,
		action.flags, action.restorer > 1 ? 7 : (int)action.restorer, action.mask);
}

CASE(actions_as_asked)
{
	pid_t pid;

	/* Numbers 32 and 33 are libc's. */
	for (int signo = -1; signo < 67; signo++)
		note_action(signo);
	CALL(SYS(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 8));
	CALL(SYS(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
	CALL(SYS(SYS_rt_sigaction, SIGUSR1, NULL, BAD_ADDRESS, 8));
	CALL(SYS(SYS_rt_sigaction, 99, NULL, BAD_ADDRESS, 8));
	CALL(SYS(SYS_rt_sigaction, SIGUSR1, BAD_ADDRESS, NULL, 8));
	signal(SIGUSR1, on_alarm);
	signal(SIGUSR2, SIG_IGN);
	note_action(SIGUSR1);
	note_action(SIGUSR2);
	pid = fork();
	if (pid == 0) {
		note_action(SIGUSR1);
		note_action(SIGUSR2);
		note_action(SIGHUP);
		_exit(0);
	}
	note_wait("child", pid);
	signal(SIGUSR1, SIG_DFL);
	note_action(SIGUSR1);
}

static volatile int action_stage;

static void *set_action(void *arg)
{
	while (action_stage != 1)
		;
	signal(SIGUSR1, on_alarm);
	action_stage = 2;
	return NULL;
}

CASE(actions_of_threads)
{
	pthread_t thread;

	note_action(SIGUSR1);
	pthread_create(&thread, NULL, set_action, NULL);
	action_stage = 1;
	while (action_stage != 2)
		;
	note_action(SIGUSR1);
	pthread_join(thread, NULL);
}

/* Two processes with one table of actions. */
static char sharer_stack[65536] __attribute__((aligned(16)));

static int sharer(void *arg)
{
	struct {
		unsigned long handler, flags, restorer, mask;
	} action = {.handler = 1};

	SYS(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8);
	return 3;
}

CASE(actions_shared_by_processes)
{
	pid_t pid;

	note_action(SIGUSR1);
	pid = clone(sharer, sharer_stack + sizeof(sharer_stack), CLONE_VM | CLONE_SIGHAND | SIGCHLD,
		NULL);
	note_wait("sharer", pid);
	note_action(SIGUSR1);
	note_action(SIGUSR2);
}

CASE(robust_lists)
{
	char head[24];
	void *was, *now;
	size_t size;

	CALL(SYS(SYS_get_robust_list, 0, &was, &size));
	CALL(SYS(SYS_set_robust_list, head, 23));
	CALL(SYS(SYS_set_robust_list, head, 0x100000018));
	CALL(SYS(SYS_set_robust_list, head, 24));
	CALL(SYS(SYS_get_robust_list, 0, &now, &size));
	TRUTH(now == head && size == 24);
	CALL(SYS(SYS_set_robust_list, BAD_ADDRESS, 24));
	CALL(SYS(SYS_get_robust_list, getpid(), &now, &size));
	TRUTH(now == BAD_ADDRESS);
	CALL(SYS(SYS_set_robust_list, was, 24));
}

struct robust_entry {
	struct robust_entry *next;
	unsigned word;
};

static struct robust_entry robust_entries[100];

/* A list that never leads back to its head: every futex of it is marked all the same. */
static void *leave_a_ring(void *arg)
{
	static struct {
		struct robust_entry *first;
		long offset;
		void *pending;
	} head;
	long begin = (long)arg;

	for (int i = 0; i < 100; i++) {
		robust_entries[i].next = &robust_entries[i < 99 ? i + 1 : begin];
		robust_entries[i].word = SYS(SYS_gettid) | (i % 3 ? 0 : FUTEX_WAITERS);
	}
	head.first = robust_entries;
	head.offset = offsetof(struct robust_entry, word);
	SYS(SYS_set_robust_list, &head, sizeof(head));
	return NULL;
}

static void ring_of(long begin)
{
	int owners = 0, died = 0;
	pthread_t thread;

	pthread_create(&thread, NULL, leave_a_ring, (void *)begin);
	pthread_join(thread, NULL);
	for (int i = 0; i < 100; i++) {
		owners += (robust_entries[i].word & FUTEX_TID_MASK) != 0;
		died += robust_entries[i].word ==
			(i % 3 ? FUTEX_OWNER_DIED : FUTEX_OWNER_DIED | FUTEX_WAITERS);
	}
	NOTE("ring back to %ld: %d owned, %d died", begin, owners, died);
}

CASE(robust_ring)
{
	ring_of(0);
	ring_of(1);
	ring_of(60);
	ring_of(99);
}

static int clear_word = 5;

static void *set_clear_word(void *arg)
{
	TRUTH(SYS(SYS_set_tid_address, &clear_word) == SYS(SYS_gettid));
	SYS(SYS_exit, 0);
	return NULL;
}

CASE(tid_address)
{
	pthread_t thread;

	TRUTH(SYS(SYS_set_tid_address, BAD_ADDRESS) == getpid());
	pthread_create(&thread, NULL, set_clear_word, NULL);
	for (int i = 0; i < 2000 && __atomic_load_n(&clear_word, __ATOMIC_SEQ_CST); i++)
		sleep_ms(1);
	NOTE("%d", clear_word);
}
