/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "sentry/syscall_table.h"

int command_syscalls(int argc, char **argv)
{
	const char *format = "table";

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--format") == 0 && i + 1 < argc) {
			format = argv[++i];
		} else if (strncmp(argv[i], "--format=", 9) == 0) {
			format = argv[i] + 9;
		} else {
			fprintf(stderr,
				"sentry syscalls: unknown argument '%s'; usage: sentry syscalls "
				"[--format table|json|csv]\n",
				argv[i]);
			return 125;
		}
	}
	if (syscalls_print(stdout, format) < 0) {
		fprintf(stderr,
			"sentry syscalls: '%s' is not a format; usage: sentry syscalls [--format "
			"table|json|csv]\n",
			format);
		return 125;
	}
	return 0;
}
