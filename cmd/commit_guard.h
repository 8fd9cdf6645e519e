/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_COMMIT_GUARD_H
#define SENTRY_CMD_COMMIT_GUARD_H

#include <stdint.h>

struct guard;

/* What of the user's directory a guest's changes must not touch. */
struct commit_guard {
	const struct guard *rules; /* borrowed; NULL: everything may change */
	const char *path;	   /* borrowed: the directory's own on the host */
};

enum commit_change { COMMIT_REMOVES, COMMIT_PUTS, COMMIT_MAKES_DIRECTORY, COMMIT_CHANGES };

/*
 * May this change of @name (below the directory; @last in @parent,
 * which is -1 when there is none) be kept? 0; COMMIT_REFUSED after
 * telling the user; -errno when the host does not let us look.
 */
#define COMMIT_REFUSED 1
int commit_guard_check(const struct commit_guard *guard, int parent, const char *last,
	const char *name, enum commit_change change);

#endif
