/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_COMMIT_APPLY_H
#define SENTRY_CMD_COMMIT_APPLY_H

#include <stdint.h>

#include "cmd/commit_guard.h"

/*
 * A file without a name for the kernel process to write changes to (sentry/commit.h). Returns a
 * descriptor or -errno.
 */
int commit_spool_new(void);

/*
 * Applies the changes in @spool_fd below the directory @directory_fd. Nothing is touched unless the
 * whole stream is sound (-EBADMSG otherwise). Single failures are logged and the rest is still
 * applied. What @guard forbids is left out.
 */
struct commit_counts {
	uint64_t applied, failed, refused;
};
int commit_apply(int spool_fd, int directory_fd, const struct commit_guard *guard,
	struct commit_counts *ret);

#endif
