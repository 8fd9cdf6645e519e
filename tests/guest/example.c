/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest cases: whether the harness itself and the plainest calls work. */
#include "case.h"

CASE(write_stdout)
{
	CALL(write(1, "hello\n", 6));
	CALL(write(-1, "x", 1));
	CALL(write(1, BAD_ADDRESS, 5));
	CALL(write(1, "x", 0));
}

CASE(exit_code)
{
	exit(7);
}

CASE(killed_by_signal)
{
	raise(SIGTERM);
}

CASE(segfault)
{
	*(volatile int *)BAD_ADDRESS = 1;
}

CASE(fork_and_wait)
{
	pid_t pid = OK(fork());

	if (pid == 0)
		_exit(3);
	note_wait("child", pid);
	CALL(waitpid(-1, NULL, 0));
}
