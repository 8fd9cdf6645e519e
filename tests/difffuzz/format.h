/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_DIFFFUZZ_FORMAT_H
#define SENTRY_TESTS_DIFFFUZZ_FORMAT_H

/*
 * Programs as tests/difffuzz/generate.py writes them and executor.c reads them, on standard input,
 * one after the other until the end:
 *
 *	struct program_header
 *	blob_count times: struct blob_header, then its bytes (padded to 8)
 *	call_count times: struct call_record, then dump_count times struct dump_record
 *
 * All addresses are fixed, so that a program can say them in plain numbers: the arena holds what
 * calls read and write, the playground is for calls on memory.
 */

#include <stdint.h>

#define PROGRAM_MAGIC 0x31666664u /* "dff1" */

#define ARENA 0x10000000ul
/* What follows the arena is never mapped: a buffer may be put against that cliff. */
#define ARENA_SIZE	 (1ul << 20)
#define ARENA_FILL	 0xa5
#define PLAYGROUND	 0x20000000ul
#define PLAYGROUND_PAGES 32

#define CALL_MAX 64
/* Tasks of a program. Number 0 is its first process; the others come by OP_SPAWN. */
#define SLOT_MAX 4
#define DUMP_MAX 4
/* Longer dumps are shown as their length and a checksum. */
#define DUMP_SHOWN 2048

enum arg_kind {
	ARG_VALUE = 0,	/* the number itself */
	ARG_RESULT = 1, /* what call number `value` returned; -1 if it failed or was not made */
	ARG_LOAD = 2,	/* the int at address `value`, at the time of the call */
	ARG_LOAD64 = 3, /* the same for a long */
};

/* Call numbers that are not the kernel's. */
#define OP_FORK                                                                                    \
	100000 /* (n): a child makes the next n calls; the caller waits for it to end or stop, and \
		  leaves it */
#define OP_PEEK                                                                                    \
	100001 /* (address): reads a byte; the result is 256 + si_code of the fault, if one is     \
		  raised */
#define OP_POKE 100002 /* (address, byte): writes it */
#define OP_SPAWN                                                                                   \
	100003 /* (slot, flags of clone(2)): a new task, which then waits for its calls. The       \
		  result is its id */
#define OP_EXEC                                                                                    \
	100004 /* (way): the task executes this program anew and goes on with its next call; way   \
		  0: /proc/thread-self/exe, 1: execveat(2) of a descriptor */

/*
 * The call may sleep for ever. Once it sleeps, the other tasks go on with their calls; it is
 * interrupted by a signal when its own task is to make the next one.
 */
#define CALL_ASYNC 1u

struct program_header {
	uint32_t magic, id, blob_count, call_count;
};

struct blob_header {
	uint64_t address, size;
};

struct call_record {
	uint32_t nr, dump_count;
	uint32_t slot, flags;
	uint32_t kinds[6];
	uint64_t values[6];
};

struct dump_record {
	uint64_t address, size;
};

#endif
