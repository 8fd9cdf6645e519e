/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_STATUS_H
#define SENTRY_CMD_STATUS_H

#include "sentry/kernel.h"

/* Writes the run's end as one JSON object (docs/status-json.md) and closes @fd. -errno. */
int status_write(int fd, const struct kernel_result *result);

#endif
