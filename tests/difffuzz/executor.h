/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_DIFFFUZZ_EXECUTOR_H
#define SENTRY_TESTS_DIFFFUZZ_EXECUTOR_H

/* What the executor's parts share: executor.c reads programs and prints, drive.c hands calls to
 * tasks, slots.c is what those tasks run. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "format.h"

#define KICK_SIGNAL 63
#define KICK_MS	    60
#define KICKS_MAX   4
#define PROGRAM_MS  4000
#define SIGNALS_MAX 64
#define FDS_SHOWN   48

#define SHARED_AT  0x30000000ul
#define STACKS_AT  0x38000000ul
#define STACK_SIZE 0x20000ul

/* Descriptors of the executor's own, beyond all limits of a program. */
#define SHARED_FD    900
#define DONE_FD	     901	 /* write end: a task has made its calls */
#define TURN_FD(n)   (910 + (n)) /* read end: the calls of task n */
#define SELF_FD	     902
#define GIVE_FD(n)   (920 + (n)) /* the other ends, which only the driver has */
#define DONE_READ_FD 930

/* Magic handler of struct sigaction: ours, which logs. */
#define HANDLER_MAGIC 2

struct dump_result {
	bool changed;
	uint32_t hash;
	uint8_t bytes[DUMP_SHOWN];
};

struct call_result {
	volatile bool done;
	volatile long value;
	struct dump_result dumps[DUMP_MAX];
};

struct signal_record {
	int slot, call, sig, code;
};

struct fd_record {
	bool open;
	int fd_flags, flags;
	long pos;
	unsigned mode, nlink;
	long size;
};

/* What a task looks like when it has made all its calls. */
struct state {
	bool shown;
	uint64_t mask, pending;
	struct fd_record fds[FDS_SHOWN];
	uint8_t pages[PLAYGROUND_PAGES];
	char cwd[256];
};

struct slot {
	volatile int pid, tid; /* 0: not there */
	volatile int current;  /* number of the call that it makes */
	volatile int to;       /* its turn ends before this one */
	volatile bool busy;
	bool vfork; /* says its numbers itself, since its creator sleeps */
};

struct call {
	struct call_record record;
	struct dump_record dumps[DUMP_MAX];
};

struct program {
	struct program_header header;
	struct call calls[CALL_MAX];
};

/* Memory that all tasks and the driver share, over execve too. Written by the tasks, printed by the
 * driver. */
struct shared {
	struct program program;
	volatile uint32_t progress;
	volatile int runner; /* the process that OP_FORK made and that makes calls now */
	volatile uint32_t signal_count;
	struct signal_record signals[SIGNALS_MAX];
	struct call_result calls[CALL_MAX];
	struct slot slots[SLOT_MAX];
	struct state states[SLOT_MAX];
	/* The arena, on its way through execve. */
	uint8_t arena[ARENA_SIZE];
};

/* A turn: calls [from, to); from < 0: show your state and end. */
struct turn {
	int from, to;
};

#define SHARED ((struct shared *)SHARED_AT)

static inline uint32_t hash_of(const uint8_t *bytes, uint64_t size)
{
	uint32_t hash = 2166136261u;

	for (uint64_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

static inline bool in_arena(uint64_t address, uint64_t size)
{
	return address >= ARENA && size <= ARENA_SIZE && address - ARENA <= ARENA_SIZE - size;
}

/* slots.c: the first process of the program, in directory @scratch. Does not return. */
void slot_first(const char *scratch);
/* Sets a limit as far as it may be. */
void set_limit(int resource, uint64_t soft, uint64_t hard);
/* The same program after OP_EXEC of task @slot. Does not return. */
void slot_stage(int slot);
/* Maps the arena (all fill), false: the place is taken. */
bool map_memory(void);

/* drive.c: pipes for the next program. */
void drive_begin(void);
/* Has the program's calls made by its tasks, the first of which is @pid; returns the wait
 * status of that. Everybody is dead then. */
int drive(pid_t pid);

#endif
