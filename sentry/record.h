/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_RECORD_H
#define SENTRY_SENTRY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sentry/strace.h"

/*
 * What a run did, call by call, as a stream of records: what the Sentry writes (observe.c), and
 * `sentry trace`, `coverage` and `report` read, at once or years later.
 *
 * A record of a call holds its registers and what the decoder read of memory when it was made
 * (struct record_read, in the order of the reads), not text: words are made by whoever reads it, by
 * the same decoder with the same answers. So recording is cheap, and what is shown is what was
 * there at the time.
 *
 * The stream is RECORD_BEGIN, anything, RECORD_END; without the last it was cut off. Numbers are in
 * the machine's order, records begin at multiples of 8. A reader trusts nothing of it.
 */
#define RECORD_MAGIC   0x43525453u /* "STRC" */
#define RECORD_VERSION 2u	   /* 1: without the kinds behind RECORD_END */

#define RECORD_SIZE_MAX	 (64u << 10)
#define RECORD_READS_MAX (16u << 10) /* bytes of memory that go with one call */

enum record_kind {
	RECORD_BEGIN = 1,
	RECORD_CALL,
	RECORD_TASK,   /* a task makes its first call */
	RECORD_EXIT,   /* a task is gone */
	RECORD_SIGNAL, /* one is acted on */
	RECORD_EVENT,  /* an audit event: text of it, JSON */
	RECORD_COUNT,  /* a call that was answered within the guest, how often */
	RECORD_STACK,  /* of the call that comes next from this task */
	RECORD_END,
	RECORD_NETWORK, /* an audit event of the gateway: text of it, JSON */
	RECORD_VOLUME,	/* what of the host is shown where: two strings */
	RECORD_USAGE,	/* what the run needed in all, before RECORD_END */
};

struct record_head {
	uint32_t size; /* of the record, this included; a multiple of 8 */
	uint32_t kind;
	int32_t pid, tid; /* in the first PID namespace */
	uint64_t time;	  /* ns since RECORD_BEGIN's */
};

struct record_begin {
	struct record_head head;
	uint32_t magic, version;
	uint64_t started; /* CLOCK_REALTIME, ns */
	char command[256];
	char platform[16];
};

#define RECORD_NO_RETURN 1u /* the task ended in it */
#define RECORD_HOST	 2u /* the host was asked for something meanwhile */
#define RECORD_INJECTED	 4u /* the result is --inject's */

struct record_call {
	struct record_head head; /* its time is the call's beginning */
	uint64_t nr, args[6];
	int64_t result;
	uint64_t latency; /* ns, waiting included */
	uint64_t ip;	  /* of the call's instruction */
	uint32_t flags;
	uint32_t entry_size; /* bytes of the reads before the call; those after it follow */
};

/* What the decoder got, then the bytes, filled up to a multiple of 8. */
struct record_read {
	uint64_t address;
	uint32_t asked;
	int32_t got; /* bytes, or a negative errno */
};

struct record_task {
	struct record_head head;
	int32_t parent; /* pid */
	uint32_t unused;
	char name[16];
};

struct record_exit {
	struct record_head head;
	int32_t status; /* as of wait(2) */
	uint32_t whole_process;
};

struct record_signal {
	struct record_head head;
	int32_t signo;
	uint32_t unused;
};

struct record_count {
	struct record_head head;
	uint64_t nr, count;
};

enum record_volume_mode {
	RECORD_VOLUME_READ,
	RECORD_VOLUME_WRITE,
	RECORD_VOLUME_ALLOWED, /* no volume: the target is a pattern of names (--allow-path) */
	RECORD_VOLUME_START,   /* no volume: the target is where the first program begins */
	RECORD_VOLUME_COPY, /* shown without being asked for; what is written to it is no file's */
};

struct record_volume {
	struct record_head head;
	uint32_t mode;	 /* enum record_volume_mode */
	uint32_t target; /* where it begins behind the source */
			 /* the source on the host, the target in the sandbox, NUL-terminated */
};

struct record_usage {
	struct record_head head;
	uint64_t memory; /* bytes, of guests and their files in memory: the most that was seen */
	uint64_t tasks;	 /* at one time, the most */
	uint64_t cpu_ns, output_size;
};

/* Frames, innermost first, with what is known of each. It comes directly before its call. */
#define RECORD_FRAMES_MAX 64u
#define RECORD_STACK_MAX  (16u << 10)
struct record_stack {
	struct record_head head;
	uint32_t frame_count;
	uint32_t site; /* the instructions that called, in words; as a frame's names */
		       /* struct record_frame[frame_count], then the names, NUL-terminated */
};
enum record_frame_kind {
	RECORD_FRAME_NATIVE,
	RECORD_FRAME_PYTHON, /* module: the source file, symbol: the function; no address */
};
struct record_frame {
	uint64_t address, offset; /* in the guest; in the file */
	uint32_t module, symbol;  /* where its name begins behind the frames; UINT32_MAX: none */
	uint64_t symbol_offset;
	uint32_t kind; /* enum record_frame_kind */
	uint32_t line; /* of the source; 0: unknown */
};

/* ---- reading --------------------------------------------------------------------------------- */

union record {
	struct record_head head;
	struct record_begin begin;
	struct record_call call;
	struct record_task task;
	struct record_exit exit;
	struct record_signal signal;
	struct record_count count;
	struct record_stack stack;
	struct record_volume volume;
	struct record_usage usage;
	unsigned char bytes[RECORD_SIZE_MAX];
	uint64_t align;
};

/*
 * The record at @data, when its form is good. Returns its size; 0 when more bytes are needed;
 * -EINVAL when this is no record. *@ret points into @data, which is aligned to 8.
 */
int64_t record_parse(const void *data, size_t size, const union record **ret);

/* Why the stream @data (@size bytes: sizeof(struct record_begin), or all there is) is not one that
 * we read, in words; NULL: it is fine. */
const char *record_refuse(const void *data, size_t size);

/* The text of a RECORD_EVENT or RECORD_NETWORK, which is not NUL-terminated. */
const char *record_event_text(const union record *record, size_t *ret_size);

const char *record_volume_source(const union record *record);
const char *record_volume_target(const union record *record);

/* Puts a RECORD_CALL into words, in @call, which lives as long as they do. */
void record_explain(const union record *record, struct strace_call *call, struct strace_words *ret);

/* The memory that the call read at entry as the @index-th argument's string; false: there is none.
 */
bool record_string(const union record *record, uint64_t address, char *ret, size_t size);

#endif
