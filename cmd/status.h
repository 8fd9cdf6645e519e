/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_STATUS_H
#define SENTRY_CMD_STATUS_H

#include "sentry/kernel.h"

/* Writes the run's end as one JSON object (docs/status-json.md) and closes @fd. -errno. */
struct audit_log;
/* @audit: of the run, ended; NULL: there was none. */
int status_write(int fd, const struct kernel_result *result, const struct audit_log *audit);
/* Why it ended, as in that object. */
const char *status_reason(const struct kernel_result *result);

#endif
