/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_SITE_H
#define SENTRY_SYSTRAP_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a call site can be patched: a judgement about bytes, nothing else. */

#define SITE_BEFORE	 160u /* bytes looked at before the address behind the `syscall` */
#define SITE_BEHIND	 130u
#define SITE_WINDOW_SIZE (SITE_BEFORE + SITE_BEHIND)
#define SITE_JUMP_SIZE	 5u /* e9 rel32 */
#define SITE_SHORT_SIZE	 2u /* eb rel8 */
#define SITE_RUN_MAX	 32u

/* Code around a site as it was before anything was patched, and where a patch of ours lies now. */
struct site_window {
	uint64_t addr; /* of bytes[0] */
	size_t size;
	uint8_t bytes[SITE_WINDOW_SIZE];
	bool taken[SITE_WINDOW_SIZE];
};

enum site_verdict {
	SITE_OK,
	SITE_NO_SYSCALL,     /* the bytes before @next are no `syscall` */
	SITE_AMBIGUOUS,	     /* where the instruction before it begins is not certain */
	SITE_FIXED,	     /* that instruction cannot be moved */
	SITE_NO_HOLE,	     /* it is too short for a jump and no padding is near */
	SITE_PATCHED_BEFORE, /* a patch stands there: somebody jumps to the `syscall` itself */
	SITE_VERDICTS,
};

struct site_form {
	uint64_t site; /* the instruction that is replaced; the `syscall` is at site + size */
	uint8_t size;
	uint64_t hole; /* of the long jump when the site's own is a short one; 0: none */
};

/* @next: the address behind the `syscall`; @nr: the call's number when it was made. */
enum site_verdict site_judge(
	const struct site_window *window, uint64_t next, uint64_t nr, struct site_form *ret_form);

/* Of the `syscall` at index @at, which nobody was seen to execute: that it is an instruction must
 * be proven, too. */
enum site_verdict site_judge_unseen(
	const struct site_window *window, size_t at, struct site_form *ret_form);

/*
 * Code in which a `cpuid` that nobody has executed stands at index @at. Where the instruction to be
 * replaced begins is proven like a call site's; that @at is an instruction's begin must be, too.
 */
struct site_cpuid {
	uint64_t site; /* the instruction that is replaced ... */
	uint8_t size;
	uint8_t run;   /* ... and the bytes from it to the `cpuid`, all of which can be moved */
	uint64_t hole; /* of the long jump when the site's own is a short one; 0: none */
};
bool site_judge_cpuid(const struct site_window *window, size_t at, struct site_cpuid *ret_form);

/* For --stats. */
const char *site_verdict_name(enum site_verdict verdict);

#endif
