/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes garbage over the words from which the stub answers calls alone, and which the Sentry reads
 * (masks, list heads, alternate stacks), over and over, while the same process signals, forks and
 * ends threads. It may die of that; a sibling that counts calls may not notice. Prints "alive".
 */
#include "armed.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/systrap/stub/layout.h"

#define ROUNDS 40

static volatile long *calls;
static unsigned seed;

static uint64_t garbage(void)
{
	switch (rand_r(&seed) % 5) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return 1ull << rand_r(&seed) % 64;
	case 3:
		return STUB_CHANNEL_BASE + (uint64_t)rand_r(&seed) % CHANNEL_SEGMENT_SIZE;
	default:
		return (uint64_t)rand_r(&seed) << 33 ^ (uint64_t)rand_r(&seed);
	}
}

/* One in a few words, so that the others still do their work. */
static void spoil(void)
{
	for (unsigned i = 0; i < 3; i++) {
		struct channel_slot *slot = (struct channel_slot *)STUB_CHANNEL_BASE + i;
		volatile uint64_t *word = (volatile uint64_t *)&slot->inguest;
		size_t count = sizeof(slot->inguest) / sizeof(*word);

		word[(size_t)rand_r(&seed) % count] = garbage();
		if (rand_r(&seed) % 16 == 0)
			slot->vdso_clock_gettime = garbage();
	}
}

static void handler(int signo)
{
}

static void *thread(void *arg)
{
	for (int i = 0; i < 20; i++) {
		spoil();
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2);
	}
	return NULL;
}

static void live(int round)
{
	sigset_t set, old;

	seed = (unsigned)round * 7919 + 1;
	alarm(3);
	signal(SIGUSR1, handler);
	signal(SIGUSR2, handler);
	sigfillset(&set);
	for (int i = 0; i < 100; i++) {
		struct timespec now;
		pthread_t other;
		char raw[24];

		spoil();
		kill(getpid(), SIGUSR1);
		syscall(SYS_rt_sigprocmask, rand_r(&seed) % 3, &set, &old, 8);
		spoil();
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, 8);
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
		syscall(SYS_rt_sigaction, SIGHUP, NULL, raw, 8);
		if (i % 20 == 0 && pthread_create(&other, NULL, thread, NULL) == 0) {
			spoil();
			pthread_join(other, NULL);
		}
		if (i % 25 == 0) {
			pid_t pid = fork();

			if (pid == 0) {
				spoil();
				_exit(0);
			}
			if (pid > 0)
				waitpid(pid, NULL, 0);
		}
	}
	_exit(0);
}

int main(void)
{
	pid_t sibling;
	long before;

	calls = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* Who has got its own number wrong signals somebody else. */
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	sibling = fork();
	if (sibling == 0) {
		for (;;) {
			syscall(SYS_umask, 022);
			++*calls;
		}
	}
	for (int round = 0; round < ROUNDS; round++) {
		pid_t pid = fork();

		if (pid == 0)
			live(round);
		/* Some block or lose all signals but this one. */
		for (int i = 0; i < 100 && pid > 0 && waitpid(pid, NULL, WNOHANG) == 0; i++) {
			struct timespec soon = {0, 1000000};

			nanosleep(&soon, NULL);
			if (i == 99) {
				kill(pid, SIGKILL);
				waitpid(pid, NULL, 0);
			}
		}
	}
	before = *calls;
	while (*calls < before + 1000)
		sched_yield();
	kill(sibling, 9);
	waitpid(sibling, NULL, 0);
	puts("alive");
	return 0;
}
