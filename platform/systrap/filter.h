/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_FILTER_H
#define SENTRY_SYSTRAP_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The host calls of a stub, as data: the seccomp program is generated from it, and the same list is
 * what a reader is shown. A call is allowed when it comes from the stub's text and each of its
 * constraints holds; with `notify` it is not executed but handed to the Sentry, which decides.
 * Everything else from the stub's text is handed to the Sentry as well, as a violation; everything
 * from elsewhere raises SIGSYS in the guest.
 */
enum filter_test {
	FILTER_NONE,	/* end of the list */
	FILTER_MASK,	/* no bit outside of `value` is set (all 64 bits) */
	FILTER_NOT_ALL, /* of the bits of `value`, not all are set (low half) */
	FILTER_LOW_IN,	/* low half is one of `list`, high half zero */
	FILTER_FD,	/* -1 as a 64-bit number, or one from STUB_FD_TRANSFER up to STUB_FD_END */
};

struct filter_arg {
	enum filter_test test;
	unsigned index; /* of the argument */
	uint64_t value;
	const uint32_t *list;
	unsigned list_count;
};

#define FILTER_ARGS_MAX 4

struct filter_rule {
	uint32_t nr;
	const char *name;
	bool notify;
	struct filter_arg args[FILTER_ARGS_MAX];
	const char *constraint; /* in words */
	const char *reason;
};

extern const struct filter_rule systrap_filter_rules[];
extern const unsigned systrap_filter_rule_count;

/* Generates the program. Returns the number of instructions, or -E2BIG. */
int systrap_filter_build(struct sock_filter *program, unsigned capacity);

#endif
