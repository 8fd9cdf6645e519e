/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_COVERAGE_DIFF_H
#define SENTRY_CMD_OBSERVE_COVERAGE_DIFF_H

#include <stdbool.h>

#include "cmd/observe/coverage.h"

/* What can be new, as bits. */
enum coverage_finding {
	FINDING_NEW_SYSCALL = 1,  /* a call that was not made before */
	FINDING_NEW_VALUE = 2,	  /* a flag, request, option or pseudo-file */
	FINDING_NEW_ENOSYS = 4,	  /* something that is not there, and was not missed before */
	FINDING_LOST_SUPPORT = 8, /* full or partial before, less now */
};

struct coverage_diff_config {
	unsigned fail_on;
	const char *junit, *sarif; /* files, or NULL */
	const char *new_file;
};

/* A list of names, separated by commas. */
bool coverage_diff_kinds(const char *text, unsigned *ret);

/* Prints what is new. 0; 1 when something that config->fail_on names was found; -errno, said on
 * stderr. */
int coverage_diff(const struct coverage *old, const struct coverage *new,
	const struct coverage_diff_config *config);

#endif
