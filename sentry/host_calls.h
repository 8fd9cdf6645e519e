/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_HOST_CALLS_H
#define SENTRY_SENTRY_HOST_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/host_call.h"

/*
 * The host calls of the Sentry, helper threads included, from the end of its start-up on, as data:
 * the seccomp filter is generated from it (confine.h), `sentry surface` prints it and a test
 * compares it with what the Sentry really does.
 */

/* When a call is on the list: bits, any of which is enough. */
enum host_call_when {
	HOST_ALWAYS = 1 << 0,
	HOST_SYSTRAP = 1 << 1,
	HOST_PTRACE = 1 << 2,
	HOST_WRITABLE = 1 << 3, /* a mount of the host's files may be written */
	HOST_PWAIT2 = 1 << 4,	/* loop_has_pwait2() */
	HOST_OLD_PWAIT = 1 << 5,
	HOST_OLD_IO = 1 << 7,	 /* no preadv2: libc calls preadv instead */
	HOST_OLD_STAT = 1 << 8,	 /* no statx: libc calls fstatat instead */
	HOST_GATEWAY = 1 << 9,	 /* --network gateway */
	HOST_SANITIZER = 1 << 6, /* builds with AddressSanitizer: their runtime's own calls */
};

extern const struct host_call host_calls[];
extern const size_t host_call_count;

#endif
