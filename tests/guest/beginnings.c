/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program asks for at its start, and a platform may know already: the end of the heap,
 * limits, random bytes, the FS base. Later answers have to follow every change, whoever makes it.
 */
#include <asm/prctl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "case.h"

/* ---- the heap -------------------------------------------------------------------------------- */

static long heap; /* where it ended at first */

static void note_heap(const char *what)
{
	NOTE("%s: %ld", what, SYS(SYS_brk, 0) - heap);
}

static void move_heap(const char *what, long size)
{
	NOTE("%s moves: %ld", what, SYS(SYS_brk, heap + size) - heap);
	note_heap(what);
}

CASE(heap)
{
	pid_t pid;

	heap = SYS(SYS_brk, 0);
	note_heap("first");
	move_heap("grows", 0x5000);
	move_heap("part of a page", 0x5001);
	move_heap("shrinks", 0x2000);
	NOTE("too low: %ld", SYS(SYS_brk, 1) - heap);
	NOTE("too high: %ld", SYS(SYS_brk, -4096l) - heap);
	note_heap("after those");
	pid = fork();
	if (pid == 0) {
		note_heap("child");
		move_heap("child", 0x7000);
		_exit(0);
	}
	note_wait("child", pid);
	note_heap("parent");
	move_heap("parent", 0x3000);
}

static void *mover(void *arg)
{
	note_heap("thread");
	move_heap("thread", (long)arg);
	return NULL;
}

CASE(heap_of_threads)
{
	pthread_t thread;

	heap = SYS(SYS_brk, 0);
	for (long i = 1; i < 4; i++) {
		move_heap("before", i * 0x10000);
		pthread_create(&thread, NULL, mover, (void *)(i * 0x10000 + 0x4000));
		pthread_join(thread, NULL);
		note_heap("after");
	}
}

CASE(heap_of_vfork_child)
{
	pid_t pid;

	heap = SYS(SYS_brk, 0);
	move_heap("before", 0x1000);
	for (int i = 0; i < 2; i++) {
		pid = vfork();
		if (pid == 0) {
			SYS(SYS_brk, heap + 0x8000 + i * 0x4000);
			_exit(SYS(SYS_brk, 0) == heap + 0x8000 + i * 0x4000 ? 3 : 4);
		}
		note_wait("vfork child", pid);
		note_heap("parent");
	}
	move_heap("after", 0x2000);
}

CASE(heap_limit)
{
	struct rlimit limit = {1 << 20, RLIM_INFINITY};

	heap = SYS(SYS_brk, 0);
	CALL(setrlimit(RLIMIT_DATA, &limit));
	move_heap("too much", 8 << 20);
	move_heap("little", 0x1000);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void note_limit(const char *what, int resource)
{
	struct rlimit one = {1, 2}, other = {3, 4};

	if (SYS(SYS_prlimit64, 0, resource, NULL, &one) || SYS(SYS_getrlimit, resource, &other))
		NOTE("%s: %s", what, errno_name(errno));
	else
		NOTE("%s: %d, %lld %lld", what, !memcmp(&one, &other, sizeof(one)),
			(long long)one.rlim_cur, (long long)one.rlim_max);
}

CASE(limits)
{
	struct rlimit limit = {0}, old;

	for (int i = 0; i < RLIM_NLIMITS; i++) {
		TRUTH(getrlimit(i, &limit) == 0);
		CALL(setrlimit(i, &limit));
		TRUTH(prlimit(getpid(), i, NULL, &old) == 0 && !memcmp(&old, &limit, sizeof(old)));
		TRUTH(SYS(SYS_prlimit64, 0, i, NULL, &old) == 0 &&
			!memcmp(&old, &limit, sizeof(old)));
	}
	for (int i = 0; i < 3; i++) {
		limit = (struct rlimit){100 + i, 200 - i};
		CALL(setrlimit(RLIMIT_NOFILE, &limit));
		note_limit("descriptors", RLIMIT_NOFILE);
		limit = (struct rlimit){(1 << 20) + i, 8 << 20};
		CALL(prlimit(0, RLIMIT_STACK, &limit, &old));
		note_limit("stack", RLIMIT_STACK);
	}
	limit = (struct rlimit){5, 4};
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	note_limit("as before", RLIMIT_NOFILE);
	CALL(SYS(SYS_getrlimit, RLIM_NLIMITS, &limit));
	CALL(SYS(SYS_getrlimit, -1, &limit));
	CALL(SYS(SYS_prlimit64, 0, 77, NULL, &limit));
	CALL(SYS(SYS_getrlimit, RLIMIT_STACK, BAD_ADDRESS));
	CALL(SYS(SYS_prlimit64, 0, RLIMIT_STACK, NULL, BAD_ADDRESS));
	CALL(SYS(SYS_prlimit64, 0, RLIMIT_STACK, NULL, NULL));
	CALL(SYS(SYS_prlimit64, 0, 77, NULL, NULL));
	CALL(SYS(SYS_prlimit64, 0x7fffffff, RLIMIT_STACK, NULL, &limit));
}

/* By others: another process, another thread. */
static void *limiter(void *arg)
{
	struct rlimit limit = {(rlim_t)(long)arg, 400};

	setrlimit(RLIMIT_NOFILE, &limit);
	note_limit("thread", RLIMIT_NOFILE);
	return NULL;
}

CASE(limits_by_others)
{
	struct rlimit limit = {50, 500};
	int go[2], done[2];
	pthread_t thread;
	char byte = 0;
	pid_t pid;

	pipe(go);
	pipe(done);
	setrlimit(RLIMIT_NOFILE, &limit);
	pid = fork();
	if (pid == 0) {
		note_limit("inherited", RLIMIT_NOFILE);
		for (int i = 0; i < 3; i++) {
			write(done[1], &byte, 1);
			read(go[0], &byte, 1);
			note_limit("set by parent", RLIMIT_NOFILE);
		}
		limit = (struct rlimit){20, 30};
		setrlimit(RLIMIT_NOFILE, &limit);
		note_limit("own", RLIMIT_NOFILE);
		_exit(0);
	}
	for (int i = 0; i < 3; i++) {
		limit = (struct rlimit){60 + i, 480 - i};
		read(done[0], &byte, 1);
		prlimit(pid, RLIMIT_NOFILE, &limit, NULL);
		write(go[1], &byte, 1);
	}
	note_wait("child", pid);
	note_limit("parent", RLIMIT_NOFILE);
	for (long i = 0; i < 3; i++) {
		pthread_create(&thread, NULL, limiter, (void *)(70 + i));
		pthread_join(thread, NULL);
		note_limit("main thread", RLIMIT_NOFILE);
	}
}

/* Both halves are of one moment. */
static volatile int stop_looking;

static void *looker(void *arg)
{
	struct rlimit limit;
	long torn = 0;

	while (!stop_looking) {
		SYS(SYS_prlimit64, 0, RLIMIT_MSGQUEUE, NULL, &limit);
		torn += limit.rlim_cur * 2 != limit.rlim_max;
	}
	return (void *)torn;
}

CASE(limits_of_one_moment)
{
	struct rlimit limit = {400000, 800000};
	pthread_t thread;
	void *torn;

	setrlimit(RLIMIT_MSGQUEUE, &limit);
	pthread_create(&thread, NULL, looker, NULL);
	for (rlim_t i = 0; i < 2000; i++) {
		limit = (struct rlimit){400000 - i, 800000 - 2 * i};
		setrlimit(RLIMIT_MSGQUEUE, &limit);
	}
	stop_looking = 1;
	pthread_join(thread, &torn);
	NOTE("torn: %ld", (long)torn);
}

/* ---- random bytes ---------------------------------------------------------------------------- */

CASE(random_bytes)
{
	uint64_t seen[16] = {0}, child = 0;
	unsigned same = 0;
	int pipes[2];
	pid_t pid;

	CALL(SYS(SYS_getrandom, BAD_ADDRESS, 8, 0));
	for (int i = 0; i < 12; i++)
		TRUTH(SYS(SYS_getrandom, &seen[i], 8, i & 1 ? GRND_NONBLOCK : 0) == 8);
	pipe(pipes);
	pid = fork();
	if (pid == 0) {
		SYS(SYS_getrandom, &child, 8, GRND_NONBLOCK);
		write(pipes[1], &child, 8);
		_exit(0);
	}
	SYS(SYS_getrandom, &seen[12], 8, GRND_NONBLOCK);
	read(pipes[0], &seen[13], 8);
	SYS(SYS_getrandom, &seen[14], 7, 0);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 15; i++)
		for (int k = 0; k < i; k++)
			same += seen[i] == seen[k] || seen[i] == 0;
	NOTE("%u alike", same);
	NOTE("eighth byte: %d", (int)(seen[14] >> 56));
	CALL(SYS(SYS_getrandom, &child, 8, 8));
	CALL(SYS(SYS_getrandom, &child, 8, GRND_RANDOM | GRND_INSECURE));
	CALL(SYS(SYS_getrandom, &child, 0, 0));
}

/* ---- the FS base: nothing of libc may run while it is another one --------------------------- */

static long raw(long nr, long a, long b)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(0l)
			 : "rcx", "r11", "memory");
	return result;
}

static long raw_wait(long pid, int *status)
{
	register long options __asm__("r10") = 0;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"((long)SYS_wait4), "D"(pid), "S"(status), "d"(0l), "r"(options)
			 : "rcx", "r11", "memory");
	return result;
}

static uint64_t elsewhere[2] = {0x1122334455667788, 0};

static uint64_t read_fs(void)
{
	uint64_t value;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(value));
	return value;
}

CASE(fs_base)
{
	uint64_t own, now[3] = {0}, value = 0;
	long results[6], pid;
	int status = -1;

	raw(SYS_arch_prctl, ARCH_GET_FS, (long)&own);
	for (int i = 0; i < 50; i++) {
		results[0] = raw(SYS_arch_prctl, ARCH_SET_FS, (long)elsewhere);
		value = read_fs();
		results[1] = raw(SYS_arch_prctl, ARCH_GET_FS, (long)&now[0]);
		results[2] = raw(SYS_arch_prctl, ARCH_SET_FS, 0x7ffffffff000);
		results[3] = raw(SYS_arch_prctl, ARCH_SET_FS, (long)0x8000000000000000);
		results[4] = raw(SYS_arch_prctl, ARCH_SET_FS, -8);
		results[5] = raw(SYS_arch_prctl, ARCH_GET_FS, (long)&now[1]);
		if (i == 0 || i == 49) {
			pid = raw(SYS_fork, 0, 0);
			if (pid == 0)
				raw(SYS_exit_group, read_fs() == elsewhere[0] ? 7 : 8, 0);
			raw_wait(pid, &status);
		}
		now[2] = read_fs();
		raw(SYS_arch_prctl, ARCH_SET_FS, (long)own);
		if (i == 0 || i == 49) {
			for (int k = 0; k < 6; k++)
				NOTE("result %d: %ld", k, results[k]);
			TRUTH(value == elsewhere[0] && now[2] == elsewhere[0]);
			TRUTH(now[0] == (uint64_t)elsewhere && now[1] == (uint64_t)elsewhere);
			note_status("child", status);
		}
	}
	CALL(SYS(SYS_arch_prctl, ARCH_GET_FS, BAD_ADDRESS));
	CALL(SYS(SYS_arch_prctl, 0x1234, 0));
}

static void on_signal(int signo)
{
	elsewhere[1]++;
}

/* A handler runs with the base that there is, and leaves it alone. */
CASE(fs_base_and_signals)
{
	uint64_t own, wrong = 0;

	signal(SIGUSR1, on_signal);
	raw(SYS_arch_prctl, ARCH_GET_FS, (long)&own);
	for (int i = 0; i < 40; i++) {
		raw(SYS_arch_prctl, ARCH_SET_FS, (long)elsewhere);
		raw(SYS_kill, raw(SYS_getpid, 0, 0), SIGUSR1);
		wrong += read_fs() != elsewhere[0];
		raw(SYS_arch_prctl, ARCH_SET_FS, (long)own);
	}
	NOTE("%lu handled, %lu wrong", (unsigned long)elsewhere[1], (unsigned long)wrong);
}
