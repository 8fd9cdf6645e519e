/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: sent, handled, returned from. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "micro.h"

static volatile sig_atomic_t seen;

static void on_signal(int signo)
{
	seen = signo;
}

static void handle(int signo)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(signo, &action, NULL);
}

static void op_signal(long count)
{
	pid_t self = getpid();

	handle(SIGUSR1);
	while (count--)
		kill(self, SIGUSR1);
}

static void op_raise(long count)
{
	handle(SIGUSR1);
	while (count--)
		raise(SIGUSR1);
}

/* A fault of the program's own, seen by its handler, as garbage collectors and stack guards have
 * it. */
static void op_trap(long count)
{
	handle(SIGTRAP);
	while (count--)
		__asm__ volatile("int3");
}

struct pair {
	pthread_t threads[2];
	long count;
};

/* The signal is blocked but for the wait, so none is lost. */
static __thread volatile sig_atomic_t my_turn;

static void on_turn(int signo)
{
	my_turn = 1;
}

static void turns(const struct pair *pair, int mine)
{
	sigset_t during;

	pthread_sigmask(SIG_SETMASK, NULL, &during);
	sigdelset(&during, SIGUSR1);
	for (long i = 0; i < pair->count; i++) {
		if (mine == 0)
			pthread_kill(pair->threads[1], SIGUSR1);
		while (!my_turn)
			sigsuspend(&during);
		my_turn = 0;
		if (mine == 1)
			pthread_kill(pair->threads[0], SIGUSR1);
	}
}

static void *second_thread(void *arg)
{
	turns(arg, 1);
	return NULL;
}

/* A signal to another thread and one back. */
static void op_signal_pingpong(long count)
{
	struct sigaction action = {.sa_handler = on_turn};
	struct pair pair = {.count = count};
	sigset_t blocked;

	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	pair.threads[0] = pthread_self();
	if (pthread_create(&pair.threads[1], NULL, second_thread, &pair))
		die("pthread_create");
	turns(&pair, 0);
	pthread_join(pair.threads[1], NULL);
}

const struct bench bench_signals[] = {
	{"signal", op_signal},
	{"raise", op_raise},
	{"trap", op_trap},
	{"signal-pingpong", op_signal_pingpong},
	{0},
};
