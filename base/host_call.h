/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_HOST_CALL_H
#define SENTRY_BASE_HOST_CALL_H

#include <stdint.h>

/*
 * One host call that a confined process of ours may make, as data: its seccomp filter is generated
 * from a list of these (base/host_filter.h), `sentry surface` prints it.
 */

/*
 * A test of one argument: (argument & mask) == value. The mask covers what the kernel looks at: all
 * 64 bits where it takes a long, the low half where it takes an int (a mask of 0 ends a list).
 */
struct host_call_test {
	unsigned index;
	uint64_t mask, value;
};

#define HOST_CALL_TESTS 3

struct host_call {
	int nr;
	const char *name;
	unsigned when; /* bits, any of which is enough; the list's own */
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

/* For .one_of: the argument's bits of @mask are one of the values that follow. */
#define HOST_CALL_VALUES(...)                                                                      \
	(const uint64_t[])                                                                         \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define HOST_CALL_ONE_OF(argument, width, ...)                                                     \
	{                                                                                          \
		.index = (argument), .mask = (width), .values = HOST_CALL_VALUES(__VA_ARGS__),     \
		.count = sizeof(HOST_CALL_VALUES(__VA_ARGS__)) / sizeof(uint64_t)                  \
	}

#endif
