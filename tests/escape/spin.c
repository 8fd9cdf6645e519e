/* SPDX-License-Identifier: Apache-2.0 */
/* Counts its calls for a second, alone or beside a process that misuses its channel; prints the
 * number. */
#include "armed.h"

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long count_calls(void)
{
	double end = seconds() + 1;
	long count = 0;

	while (seconds() < end) {
		for (int i = 0; i < 100; i++)
			syscall(SYS_umask, 022);
		count += 100;
	}
	return count;
}

int main(int argc, char **argv)
{
	pid_t pid;

	printf("%ld\n", count_calls());
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* Scribbles over the stub's region from its end down, for ever: faults and dies,
		 * again and again. */
		for (;;) {
			pid_t child = fork();

			if (child == 0) {
				for (uint64_t at = 0x7ffb10000000ull;
					at < 0x7ffb10000000ull + (1ull << 24); at += 64)
					*(volatile uint64_t *)at = ~0ull;
				_exit(0);
			}
			waitpid(child, NULL, 0);
			usleep(20000);
		}
	}
	printf("%ld\n", count_calls());
	kill(pid, SIGKILL);
	return 0;
}
