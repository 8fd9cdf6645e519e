/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_LIVE_OUTPUT_H
#define SENTRY_CMD_LIVE_OUTPUT_H

#include <poll.h>

#include "cmd/live/log_file.h"
#include "cmd/terminal.h"

/*
 * With --log the guest's standard output and error are pipes to the launcher, which writes what
 * comes both to where they would have gone and to the log.
 */
struct output {
	struct log_file *log; /* borrowed; NULL: nothing of this */
	int pipes[LOG_STREAMS];
	struct relay relays[LOG_STREAMS];
};

/* Makes the pipes. @ret_guest: their other ends, which the caller closes. -errno. */
int output_open(struct output *output, struct log_file *log, int ret_guest[LOG_STREAMS]);
/* What poll(2) is to look at: 2 * LOG_STREAMS places. */
void output_poll(const struct output *output, struct pollfd fds[2 * LOG_STREAMS]);
void output_step(struct output *output, const struct pollfd fds[2 * LOG_STREAMS]);
/* Nobody writes any more: the rest is passed on, however slow its reader, unless @signals (a
 * signalfd) says to end. */
void output_drain(struct output *output, int signals);
void output_close(struct output *output);

#endif
