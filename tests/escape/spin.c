/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts its calls in turns: alone, and beside a process that misuses its channel. Prints both
 * numbers for each pair of turns. They are short and beside each other, so that whatever else the
 * machine does is in both of a pair.
 */
#include "armed.h"

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAIRS	 15
#define TURN	 0.1 /* seconds */
#define PAUSE_US 5000

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long count_calls(void)
{
	double end = seconds() + TURN;
	long count = 0;

	while (seconds() < end) {
		for (int i = 0; i < 100; i++)
			syscall(SYS_umask, 022);
		count += 100;
	}
	return count;
}

/* Scribbles over the stub's region from its end down, for ever: faults and dies, again and again.
 */
static void misuse(void)
{
	for (;;) {
		pid_t child = fork();

		if (child == 0) {
			for (uint64_t at = 0x7ffb10000000ull; at < 0x7ffb10000000ull + (1ull << 24);
				at += 64)
				*(volatile uint64_t *)at = ~0ull;
			_exit(0);
		}
		waitpid(child, NULL, 0);
		usleep(20000);
	}
}

int main(int argc, char **argv)
{
	pid_t pid = fork();

	if (pid == 0)
		misuse();
	for (int i = 0; i < PAIRS; i++) {
		kill(pid, SIGSTOP);
		usleep(PAUSE_US);
		printf("%ld ", count_calls());
		kill(pid, SIGCONT);
		usleep(PAUSE_US);
		printf("%ld\n", count_calls());
	}
	kill(pid, SIGKILL);
	return 0;
}
