/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_LIVE_STATE_PRIVATE_H
#define SENTRY_CMD_LIVE_STATE_PRIVATE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_VERSION  1
#define STATE_WORD_MAX 1024u /* bytes of a word of the command */

/*
 * The directory of the entries, owned by us and private: a descriptor, or -ENOENT: there is none
 * (@create: and nothing to make it in), or what was wrong with one; then @ret_path is it.
 */
int state_directory_open(bool create, char ret_path[PATH_MAX], int *ret_errors);

/* When @pid began, in the host's clock ticks since it booted. -ESRCH. */
int state_start_time(pid_t pid, uint64_t *ret);

#endif
