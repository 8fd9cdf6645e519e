/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_UNWINDER_H
#define SENTRY_CMD_OBSERVE_UNWINDER_H

#include <sys/types.h>

/* The process that finds out where calls came from, for --stacks (cmd/unwinder/). */
struct unwinder {
	pid_t pid; /* 0: there is none */
};

/* Starts it and waits until it is confined. *@ret_fd is the Sentry's end of the conversation. Says
 * on stderr what failed: -errno. */
int unwinder_start(struct unwinder *ret, int *ret_fd);

/* Ends it, once the Sentry is gone: it holds nothing that anybody needs. */
void unwinder_end(struct unwinder *unwinder);

#endif
