/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_PLATFORM_PTRACE_STUB_CALLS_H
#define SENTRY_PLATFORM_PTRACE_STUB_CALLS_H

/* Argument values that a stub's host calls may have: the filter is made of them, the callers check
 * them first. */

/*
 * madvise(2): NORMAL, RANDOM, SEQUENTIAL, WILLNEED, DONTNEED, FREE, DONTFORK, DOFORK, HUGEPAGE,
 * NOHUGEPAGE, DONTDUMP, DODUMP, WIPEONFORK, KEEPONFORK, COLD, POPULATE_READ, POPULATE_WRITE. Not
 * KSM (a channel between sandboxes), REMOVE, HWPOISON, PAGEOUT.
 */
#define STUB_ADVICE                                                                                \
	{                                                                                          \
		0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 20, 22, 23                       \
	}
#define STUB_ADVICE_COUNT 17

/* futex(2): WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_BITSET, WAKE_BITSET. */
#define STUB_FUTEX                                                                                 \
	{                                                                                          \
		0, 1, 3, 4, 5, 9, 10                                                               \
	}
#define STUB_FUTEX_COUNT 7

#endif
