/* SPDX-License-Identifier: Apache-2.0 */
/* Forks as fast as the sandbox lets it, for at most ten seconds: children fork too, threads come
 * and go. */
#include "armed.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void *nothing(void *arg)
{
	usleep(1000);
	return arg;
}

int main(void)
{
	time_t end = time(NULL) + 10;

	puts("storm");
	fflush(stdout);
	while (time(NULL) < end) {
		pthread_t thread;

		if (fork() == 0) {
			for (int i = 0; i < 3 && time(NULL) < end; i++) {
				if (fork() == 0) {
					usleep(2000);
					_exit(0);
				}
				if (pthread_create(&thread, NULL, nothing, NULL) == 0)
					pthread_detach(thread);
			}
			while (wait(NULL) > 0)
				;
			_exit(0);
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	return 0;
}
