/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: made, replaced by /bin/true, awaited. */
#include <sys/wait.h>
#include <unistd.h>

#include "micro.h"

static void await(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		die("child");
}

static void op_fork_exit(long count)
{
	while (count--) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		await(pid);
	}
}

static void op_vfork_exec(long count)
{
	while (count--) {
		pid_t pid = vfork();

		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		await(pid);
	}
}

static void op_fork_exec(long count)
{
	while (count--) {
		pid_t pid = fork();

		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		await(pid);
	}
}

const struct bench bench_process[] = {
	{"fork-exit", op_fork_exit},
	{"vfork-exec", op_vfork_exec},
	{"fork-exec", op_fork_exec},
	{0},
};
