/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_LAUNCHER_H
#define SENTRY_CMD_LAUNCHER_H

#include <stdbool.h>

#include "sentry/kernel.h"

struct audit_log;
struct gateway_process;
struct log_file;
struct state_own;

/*
 * Starts the Sentry in a process of its own, serves it until it is gone, and fills *ret_result.
 * @config is complete but for stdio, control_fd and the like, which are made here. @no_stdin: the
 * guest reads end of file.
 * @commit: what the guest changed below @cwd is applied there.
 * @audit: where events go, or NULL; a failure of writing them ends the sandbox, exit code 125.
 * @gateway: was started, and ends with the Sentry; NULL: there is none.
 * @state: the run's entry among those that run. @log: of its output, or NULL.
 * Returns 0, or -errno when not even the process could be made.
 */
int launch(struct kernel_config *config, bool no_stdin, bool commit, const char *cwd,
	struct audit_log *audit, struct gateway_process *gateway, struct state_own *state,
	struct log_file *log, struct kernel_result *ret_result);

#endif
