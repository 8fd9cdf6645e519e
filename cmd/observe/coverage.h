/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_COVERAGE_H
#define SENTRY_CMD_OBSERVE_COVERAGE_H

#include <stdint.h>
#include <stdio.h>

#include "abi/syscall_nr.h"
#include "sentry/record.h"

/*
 * What of the system call surface was used: each call, and each flag, ioctl(2) request, socket
 * option, prctl(2) operation and pseudo-file, with how often, how it ended, how long it took, how
 * well it is supported, and where it was first seen. It is made of records, kept as JSON
 * (docs/tracing.md), added up over runs, and compared.
 */
#define COVERAGE_LATENCIES 40u /* a bin for each power of two of nanoseconds */
#define COVERAGE_ERRORS	   16u /* different errors of one item; others count as "other" */
#define COVERAGE_ITEMS_MAX 65536u
#define COVERAGE_NAME_MAX  120u
#define COVERAGE_SEEN_MAX  400u
#define COVERAGE_STACK_MAX 320u

/* A call ("openat"), or something of it ("openat flags O_TMPFILE", "file /proc/self/maps"). */
struct coverage_item {
	struct coverage_item *next; /* in the order of the names */
	char name[COVERAGE_NAME_MAX];
	const char *support; /* static: "full", "partial", "none", "unknown", "" where it is
				nobody's */
	uint64_t count;	     /* all */
	uint64_t in_guest;   /* of these, answered without us: nothing else is known of them */
	struct {
		int number; /* positive errno; 0: other */
		uint64_t count;
	} errors[COVERAGE_ERRORS];
	unsigned error_count;
	uint64_t latencies[COVERAGE_LATENCIES];
	char seen[COVERAGE_SEEN_MAX]; /* first: command, task, instruction, stack */
};

struct coverage {
	struct coverage_item **table; /* by the hash of the name */
	size_t item_count, table_size;
	uint64_t runs;
	uint64_t dropped; /* items beyond COVERAGE_ITEMS_MAX */
	char command[256];
	union {
		struct record_stack stack; /* of the call that comes next */
		unsigned char stack_bytes[RECORD_STACK_MAX];
	};
	char names[64][16]; /* of tasks, by tid */
	struct strace_call call;
};

struct coverage *coverage_new(void); /* NULL: out of memory */
void coverage_free(struct coverage *coverage);

/* Counts a record in. */
void coverage_add(struct coverage *coverage, const union record *record);

/* Adds @from to @to. -ENOMEM. */
int coverage_merge(struct coverage *to, const struct coverage *from);

/* JSON; a file that is empty or missing is an empty coverage. -EINVAL: *@ret_why says what is wrong
 * with it, to be freed. */
int coverage_write(const struct coverage *coverage, FILE *out);
int coverage_read(FILE *in, struct coverage **ret, char **ret_why);

/* Adds the coverage in @fd (JSON) to that of @file, under a lock; the file appears or changes at
 * once. Says on stderr what failed. -errno. */
int coverage_update(const char *file, int fd);

/* All items by name; the array is the caller's to free. */
struct coverage_item **coverage_sorted(const struct coverage *coverage);

#endif
