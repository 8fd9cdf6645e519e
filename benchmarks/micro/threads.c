/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, and what they wait for each other with. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "micro.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void *nothing(void *arg)
{
	return arg;
}

static void op_thread(long count)
{
	while (count--) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
			die("thread");
	}
}

struct turns {
	long count;
	int cpu;
	int turn;
};

static void take_turns(struct turns *turns, int mine)
{
	pthread_mutex_lock(&mutex);
	for (long i = 0; i < turns->count; i++) {
		while (turns->turn != mine)
			pthread_cond_wait(&cond, &mutex);
		turns->turn = !mine;
		pthread_cond_signal(&cond);
	}
	pthread_mutex_unlock(&mutex);
}

static void *other_turns(void *arg)
{
	struct turns *turns = arg;

	place(turns->cpu);
	take_turns(turns, 1);
	return NULL;
}

static void cond_ping_pong(long count, int mine, int others)
{
	struct turns turns = {.count = count, .cpu = others};
	pthread_t thread;

	place(mine);
	if (pthread_create(&thread, NULL, other_turns, &turns))
		die("pthread_create");
	take_turns(&turns, 0);
	pthread_join(thread, NULL);
	place(ANYWHERE);
}

static void op_cond(long count)
{
	cond_ping_pong(count, ANYWHERE, ANYWHERE);
}

static void op_cond_same(long count)
{
	cond_ping_pong(count, 0, 0);
}

static volatile long counter;

static void *contend(void *arg)
{
	for (long n = (long)arg; n > 0; n--) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void op_mutex_contended(long count)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, contend, (void *)(count / 4 + 1)))
			die("pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void op_mutex(long count)
{
	contend((void *)count);
}

/* Nobody waits. */
static void op_futex_wake(long count)
{
	static int word;

	while (count--)
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

const struct bench bench_threads[] = {
	{"thread", op_thread},
	{"cond-pingpong", op_cond},
	{"cond-pingpong-same", op_cond_same},
	{"mutex-contended", op_mutex_contended},
	{"mutex", op_mutex},
	{"futex-wake", op_futex_wake},
	{0},
};
