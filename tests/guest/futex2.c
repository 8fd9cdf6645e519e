/* SPDX-License-Identifier: Apache-2.0 */
/* futex_wake(2), futex_wait(2), futex_requeue(2) of Linux 6.7, futex_waitv(2). */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "case.h"

#define NR_WAKE	   454
#define NR_WAIT	   455
#define NR_REQUEUE 456
#define U32	   2
#define PRIVATE	   128

static uint32_t *word, *second;
static int stack_words[4];

static long wake(void *p, unsigned long mask, int nr, unsigned flags)
{
	return SYS(NR_WAKE, p, mask, nr, flags);
}

static long wait_(
	void *p, unsigned long value, unsigned long mask, unsigned flags, void *time, int clock)
{
	return SYS(NR_WAIT, p, value, mask, flags, time, clock);
}

struct waitv {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static void need(void)
{
	word = (uint32_t *)&stack_words[0];
	second = (uint32_t *)&stack_words[1];
	if (wake(word, 1, 0, U32) < 0 && errno == ENOSYS)
		SKIP("no futex_wake");
}

CASE(futex2_errors)
{
	struct timespec bad = {0, 1000000000}, t = {0, 0};

	need();
	CALL(wake(word, 1, 1, 0));
	CALL(wake(word, 1, 1, 3));
	CALL(wake(word, 1, 1, U32 | 0x40));
	CALL(wake(word, 0, 1, U32));
	CALL(wake(word, 1ul << 32, 1, U32));
	CALL(wake((char *)word + 1, 1, 1, U32));
	CALL(wake(word, 1, 1, U32));
	CALL(wake(word, 1, 0, U32 | PRIVATE));
	CALL(wait_(word, 1, ~0u, U32, NULL, 0));
	CALL(wait_(word, 0, 0, U32, NULL, 0));
	CALL(wait_(word, 1ul << 32, ~0u, U32, NULL, 0));
	CALL(wait_(word, 0, ~0u, 1, NULL, 0));
	CALL(wait_(word, 0, ~0u, U32, &bad, CLOCK_MONOTONIC));
	CALL(wait_(word, 0, ~0u, U32, &t, CLOCK_BOOTTIME));
	CALL(wait_(word, 0, ~0u, U32, &t, CLOCK_MONOTONIC));
	CALL(wait_(word, 0, ~0u, U32, &t, CLOCK_REALTIME));
	CALL(wait_(word, 0, ~0u, U32, BAD_ADDRESS, CLOCK_REALTIME));
	CALL(wait_(BAD_ADDRESS, 0, ~0u, U32, NULL, 0));
}

static void *waiter(void *arg)
{
	unsigned long mask = (unsigned long)arg;

	return (void *)wait_(word, 0, mask, U32 | PRIVATE, NULL, 0);
}

CASE(futex2_masks)
{
	pthread_t a, b;
	void *result;
	int woken = 0;

	need();
	pthread_create(&a, NULL, waiter, (void *)1ul);
	pthread_create(&b, NULL, waiter, (void *)2ul);
	sleep_ms(30);
	CALL(wake(word, 4, 10, U32 | PRIVATE));
	for (int i = 0; i < 1000 && woken < 1; i++, sleep_ms(1))
		woken += (int)wake(word, 2, 10, U32 | PRIVATE);
	pthread_join(b, &result);
	NOTE("b %ld", (long)result);
	for (int i = 0; i < 1000 && woken < 2; i++, sleep_ms(1))
		woken += (int)wake(word, 3, 10, U32 | PRIVATE);
	pthread_join(a, &result);
	NOTE("a %ld woken %d", (long)result, woken);
}

CASE(futex2_requeue)
{
	struct waitv pair[2] = {{0, 0, U32 | PRIVATE, 0}, {0, 0, U32 | PRIVATE, 0}};
	pthread_t a;
	long moved = 0;

	need();
	pair[0].address = (uintptr_t)word;
	pair[1].address = (uintptr_t)second;
	CALL(SYS(NR_REQUEUE, pair, 1, 0, 1));
	CALL(SYS(NR_REQUEUE, NULL, 0, 0, 1));
	CALL(SYS(NR_REQUEUE, BAD_ADDRESS, 0, 0, 1));
	CALL(SYS(NR_REQUEUE, pair, 0, -1, 1));
	pair[0].value = 5;
	CALL(SYS(NR_REQUEUE, pair, 0, 0, 1));
	pair[0].value = 0;
	pair[1].reserved = 1;
	CALL(SYS(NR_REQUEUE, pair, 0, 0, 1));
	pair[1].reserved = 0;
	CALL(SYS(NR_REQUEUE, pair, 0, 0, 1));
	pthread_create(&a, NULL, waiter, (void *)1ul);
	for (int i = 0; i < 1000 && !moved; i++, sleep_ms(1))
		moved = SYS(NR_REQUEUE, pair, 0, 0, 1);
	NOTE("moved %ld", moved);
	CALL(wake(word, ~0u, 10, U32 | PRIVATE));
	CALL(wake(second, ~0u, 10, U32 | PRIVATE));
	pthread_join(a, NULL);
}

/* ---- futex_waitv(2) ---- */

#define NR_WAITV 449

static struct waitv list[200];

/* Words of one mapping, all 0. */
static uint32_t *make_list(int count, unsigned flags, int map)
{
	uint32_t *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, map | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < count; i++)
		list[i] = (struct waitv){0, (uintptr_t)&words[i], flags, 0};
	if (SYS(NR_WAITV, list, 0, 0, NULL, 0) < 0 && errno == ENOSYS)
		SKIP("no futex_waitv");
	return words;
}

static void after_ms(int clock, int ms, struct timespec *time)
{
	clock_gettime(clock, time);
	time->tv_nsec += ms * 1000000l;
	time->tv_sec += time->tv_nsec / 1000000000;
	time->tv_nsec %= 1000000000;
}

CASE(waitv_errors)
{
	struct timespec bad = {0, 1000000000}, t = {0, 0};
	struct waitv *edge;
	uint32_t *words = make_list(200, U32 | PRIVATE, MAP_PRIVATE);

	CALL(SYS(NR_WAITV, list, 0, 0, &t, CLOCK_MONOTONIC));
	CALL(SYS(NR_WAITV, list, 129, 0, &t, CLOCK_MONOTONIC));
	CALL(SYS(NR_WAITV, list, 128, 0, &t, CLOCK_MONOTONIC));
	CALL(SYS(NR_WAITV, list, 1, 1, &t, CLOCK_MONOTONIC));
	CALL(SYS(NR_WAITV, NULL, 1, 0, &t, CLOCK_MONOTONIC));
	CALL(SYS(NR_WAITV, BAD_ADDRESS, 1, 0, &t, CLOCK_MONOTONIC));
	CALL(SYS(NR_WAITV, list, 1, 0, &t, CLOCK_BOOTTIME));
	CALL(SYS(NR_WAITV, list, 1, 0, &bad, CLOCK_MONOTONIC));
	CALL(SYS(NR_WAITV, list, 1, 0, BAD_ADDRESS, CLOCK_MONOTONIC));
	CALL(SYS(NR_WAITV, list, 1, 0, &t, CLOCK_REALTIME));
	words[5] = 1;
	CALL(SYS(NR_WAITV, list, 10, 0, NULL, 77));
	CALL(SYS(NR_WAITV, list, 5, 0, &t, CLOCK_MONOTONIC));
	list[4].value = 1ul << 32;
	CALL(SYS(NR_WAITV, list, 10, 0, NULL, 0));
	list[4].value = 0;
	list[4].reserved = 1;
	CALL(SYS(NR_WAITV, list, 10, 0, NULL, 0));
	list[4].reserved = 0;
	for (unsigned flags = 0; flags < 4; flags++) {
		list[4].flags = flags;
		CALL(SYS(NR_WAITV, list, 10, 0, NULL, 0));
	}
	list[4].flags = U32 | 0x40;
	CALL(SYS(NR_WAITV, list, 10, 0, NULL, 0));
	list[4].flags = U32;
	list[4].address++;
	CALL(SYS(NR_WAITV, list, 10, 0, NULL, 0));
	list[4].address = (uintptr_t)BAD_ADDRESS;
	CALL(SYS(NR_WAITV, list, 10, 0, NULL, 0));
	list[4].address = 0;
	CALL(SYS(NR_WAITV, list, 10, 0, NULL, 0));
	/* The list's end is not there; what is wrong before it counts first. */
	edge = (struct waitv *)((char *)mmap(NULL, 8192, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) +
				4096) -
	       1;
	munmap(edge + 1, 4096);
	*edge = (struct waitv){0, (uintptr_t)words, U32, 0};
	CALL(SYS(NR_WAITV, edge, 2, 0, NULL, 0));
	edge->flags = 0;
	CALL(SYS(NR_WAITV, edge, 2, 0, NULL, 0));
}

CASE(waitv_times)
{
	struct timespec t, now;
	static const int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};

	make_list(3, U32 | PRIVATE, MAP_PRIVATE);
	for (int i = 0; i < 2; i++) {
		after_ms(clocks[i], 40, &t);
		CALL(SYS(NR_WAITV, list, 3, 0, &t, clocks[i]));
		clock_gettime(clocks[i], &now);
		NOTE("late: %d", now.tv_sec > t.tv_sec || now.tv_nsec >= t.tv_nsec);
	}
}

static void *wait_for_three(void *arg)
{
	return (void *)SYS(NR_WAITV, list, 3, 0, NULL, 0);
}

CASE(waitv_wakes)
{
	uint32_t *words = make_list(3, U32 | PRIVATE, MAP_PRIVATE);

	for (int i = 0; i < 3; i++) {
		pthread_t thread;
		void *result;

		pthread_create(&thread, NULL, wait_for_three, NULL);
		while (wake(&words[i], ~0u, 1, U32 | PRIVATE) == 0)
			sleep_ms(1);
		pthread_join(thread, &result);
		NOTE("woken by %ld", (long)result);
	}
}

CASE(waitv_wakes_of_another_process)
{
	uint32_t *words = make_list(3, U32, MAP_SHARED);

	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit((int)SYS(NR_WAITV, list, 3, 0, NULL, 0) + 10);
		/* A private wake does not find it. */
		sleep_ms(20);
		NOTE("private %ld", wake(&words[i], ~0u, 1, U32 | PRIVATE));
		while (SYS(SYS_futex, &words[i], 1 /* FUTEX_WAKE */, 1) == 0)
			sleep_ms(1);
		waitpid(pid, &status, 0);
		NOTE("woken by %d", WEXITSTATUS(status) - 10);
	}
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signo)
{
	alarms++;
}

CASE(waitv_and_signals)
{
	make_list(3, U32 | PRIVATE, MAP_PRIVATE);
	for (int restart = 0; restart < 2; restart++) {
		const struct sigaction action = {
			.sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0};
		const struct itimerval soon = {{0, 0}, {0, 20000}};
		struct timespec t;

		alarms = 0;
		sigaction(SIGALRM, &action, NULL);
		after_ms(CLOCK_MONOTONIC, restart ? 100 : 5000, &t);
		setitimer(ITIMER_REAL, &soon, NULL);
		CALL(SYS(NR_WAITV, list, 3, 0, &t, CLOCK_MONOTONIC));
		NOTE("alarms %d", (int)alarms);
	}
}
