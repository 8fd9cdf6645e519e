/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_ESCAPE_ARMED_H
#define SENTRY_TESTS_ESCAPE_ARMED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/*
 * Every program in this folder is hostile by design. It starts only when the runner has armed it,
 * and only on sentry's kernel: natively it would hit the machine that it runs on.
 */
__attribute__((constructor)) static void refuse_unless_armed(void)
{
	const char *armed = getenv("SENTRY_TEST_ARMED");
	struct utsname name;

	if (armed && strcmp(armed, "1") == 0 && uname(&name) == 0 && strstr(name.release, "sentry"))
		return;
	fputs("hostile test program: runs only under tests/run-escape, inside a sandbox\n", stderr);
	exit(99);
}

#endif
