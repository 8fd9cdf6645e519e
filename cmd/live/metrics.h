/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_LIVE_METRICS_H
#define SENTRY_CMD_LIVE_METRICS_H

#include <stdio.h>

#include "cmd/live/state.h"

/* All running sandboxes in Prometheus' text format, version 0.0.4. Errors are the stream's. */
void metrics_write(const struct state_list *list, FILE *out);

/*
 * Answers GET /metrics on @address ("unix:PATH", "127.0.0.1:PORT", "[::1]:PORT", "localhost:PORT")
 * until a signal ends it. Returns an exit code; what was wrong is on stderr.
 */
int metrics_serve(const char *address);

#endif
