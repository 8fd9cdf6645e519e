/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_HOST_CALLS_H
#define SENTRY_SENTRY_HOST_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	HOST_SANITIZER = 1 << 6, /* builds with AddressSanitizer: their runtime's own calls */
};

/*
 * A test of one argument: (argument & mask) == value. The mask covers what the kernel looks at: all
 * 64 bits where it takes a long, the low half where it takes an int (a mask of 0 ends a list).
 */
struct host_call_test {
	unsigned index;
	uint64_t mask, value;
};

#define HOST_CALL_TESTS 2

struct host_call {
	int nr;
	const char *name;
	unsigned when;
	struct host_call_test tests[HOST_CALL_TESTS]; /* all must hold */
	struct {
		unsigned index, count; /* count 0: no such test */
		uint64_t mask;
		const uint64_t *values;
	} one_of;		/* and one of these */
	const char *constraint; /* the tests in words; "" = none */
	const char *rest; /* what else bounds the call, and what enforces that; "" = nothing */
	const char *reason;
};

extern const struct host_call host_calls[];
extern const size_t host_call_count;

#endif
