/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_COMMIT_APPLY_H
#define SENTRY_CMD_COMMIT_APPLY_H

#include <stdint.h>

/*
 * A file without a name for the kernel process to write changes to (sentry/commit.h). Returns a
 * descriptor or -errno.
 */
int commit_spool_new(void);

/*
 * Applies the changes in @spool_fd below the directory @directory_fd. Nothing is touched unless the
 * whole stream is sound (-EBADMSG otherwise). Single failures are logged and the rest is still
 * applied: *ret_failed counts them. *ret_applied: what was done.
 */
int commit_apply(int spool_fd, int directory_fd, uint64_t *ret_applied, uint64_t *ret_failed);

#endif
