/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_STACK_WIRE_H
#define SENTRY_SENTRY_STACK_WIRE_H

#include <stdint.h>

/*
 * The conversation between the Sentry and the unwinder (cmd/unwinder/), the process that finds out
 * where calls came from. A message is one packet of a pair of local sockets; neither side believes
 * the other.
 *
 * The Sentry begins: struct stack_begin, for the task that waits in its call, with the top of its
 * stack. The unwinder asks (struct stack_ask) for what it needs of the task's memory, mappings and
 * program files, one thing at a time, and gets a struct stack_answer with bytes for each, until it
 * says STACK_DONE, with the stack as it stands in a record (record.h) behind the record's head.
 * Only one stack is looked for at a time.
 */
#define STACK_CHUNK_MAX (32u << 10) /* bytes of one answer */
#define STACK_TOP_MAX	(8u << 10)  /* of the stack, with the beginning */
#define STACK_NAME_MAX	512u

/* More than these for one stack end the conversation: programs' symbols are what takes most. */
#define STACK_ASKS_MAX 8192u

/* In the order of DWARF's numbers (System V ABI, x86-64 supplement, figure 3.36). */
#define STACK_REGS 17u

struct stack_begin {
	uint64_t space;	  /* the address space, never another's */
	uint64_t changes; /* of its mappings of files and of code */
	uint64_t regs[STACK_REGS], fs_base;
	uint32_t top_size, unused;
	/* top_size bytes from rsp on */
};

enum stack_what {
	STACK_READ = 1, /* memory at `address` */
	STACK_MAPPING,	/* struct stack_mapping of what is at `address` */
	STACK_FILE, /* of the file that is mapped, with code, at `address`, the bytes at `offset` */
	STACK_DONE,
};

struct stack_ask {
	uint32_t what, size;
	uint64_t address, offset;
	uint64_t dev, ino; /* STACK_FILE: which file was meant */
};

struct stack_answer {
	int32_t got; /* bytes that follow, or a negative errno */
	uint32_t unused;
};

struct stack_mapping {
	uint64_t start, end, offset;
	uint64_t dev, ino, size, changed; /* of the file; all 0: none */
	uint32_t executable, unused;
	char name[STACK_NAME_MAX]; /* NUL-terminated; "": none */
};

#endif
