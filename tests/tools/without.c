/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: without CALL[,CALL...] COMMAND [ARG...]
 *
 * Runs a command on a host that seems to lack some system calls: they answer ENOSYS.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (argc < 3 || !filter)
		return 125;
	for (char *name = strtok(argv[1], ","); name; name = strtok(NULL, ",")) {
		int r = seccomp_rule_add(
			filter, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name(name), 0);

		if (r < 0) {
			fprintf(stderr, "without: %s: %s\n", name, strerror(-r));
			return 125;
		}
	}
	if (seccomp_load(filter) < 0)
		return 125;
	seccomp_release(filter);
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
