/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_HOST_FILTER_H
#define SENTRY_BASE_HOST_FILTER_H

#include <linux/filter.h>
#include <stddef.h>

#include "base/host_call.h"

/* More than the longest list needs (BPF_MAXINSNS is 4096). */
#define HOST_FILTER_MAX 2048

/*
 * The seccomp program of a confined process: allows the rows of @calls whose `when` has a bit of
 * @when, kills the process for every other number, argument and architecture. Returns its length;
 * -E2BIG when @capacity is too small.
 */
int host_filter_build(const struct host_call *calls, size_t count, unsigned when,
	struct sock_filter *program, unsigned capacity);

#endif
