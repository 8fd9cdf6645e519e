/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_GATEWAY_H
#define SENTRY_CMD_GATEWAY_H

#include <sys/types.h>

#include "cmd/options.h"

/* The gateway's process, as its parent sees it. */
struct gateway_process {
	pid_t pid;	/* 0: there is none, or it was reaped */
	int link;	/* the Sentry's end of the pair with it */
	int audit_pipe; /* read end, or -1 */
};

/*
 * Starts it, confined and listening, with what @options say. @audit: its events are wanted.
 * @observer: where they go as well, or -1. -errno after a line on stderr.
 */
int gateway_process_start(
	const struct run_options *options, bool audit, int observer, struct gateway_process *ret);
/* 1 when it ended without being asked to, with a line that says how in @why; 0. */
int gateway_process_check(struct gateway_process *gateway, char *why, size_t why_size);
/* The Sentry is gone: waits for the end, which it is a moment away from; @drain is called until
 * then whenever the audit pipe has something. */
void gateway_process_end(
	struct gateway_process *gateway, void (*drain)(void *context), void *context);

#endif
