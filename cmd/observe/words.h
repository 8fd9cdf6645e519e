/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_WORDS_H
#define SENTRY_CMD_OBSERVE_WORDS_H

#include <stdbool.h>
#include <stdio.h>
#include <yajl/yajl_gen.h>

#include "sentry/record.h"

/*
 * A stream of records in words: JSON lines, an object a record (docs/tracing.md has the members),
 * or lines as --strace prints them. All text of guests is escaped: printable ASCII comes out.
 */
enum words_format { WORDS_JSON, WORDS_TEXT };

#define WORDS_EVENTS 64u /* tasks whose last audit event is remembered */

struct words {
	FILE *out; /* borrowed; errors are the stream's */
	enum words_format format;
	struct strace_call call;
	union {
		struct record_stack stack; /* of the call that comes next */
		unsigned char stack_bytes[RECORD_STACK_MAX];
	};
	struct words_event {
		int tid; /* 0: free */
		uint64_t time;
		char text[1024];
	} events[WORDS_EVENTS];
};

/* Who is to blame for how a call ended. */
enum words_verdict {
	VERDICT_ALLOWED,
	VERDICT_REFUSED,     /* a rule of the sandbox said no: an audit event tells which */
	VERDICT_UNSUPPORTED, /* the call or a value of it is not known here */
	VERDICT_INJECTED,
};
extern const char *const words_verdicts[];

void words_init(struct words *words, FILE *out, enum words_format format);
void words_put(struct words *words, const union record *record);

/* How a RECORD_CALL ended; @event: the text of the audit event that came with it, or NULL. */
enum words_verdict words_verdict(const struct record_call *call, const char *event);

/* Members of a JSON object. */
void words_string(yajl_gen gen, const char *name, const char *value);
void words_number(yajl_gen gen, const char *name, long long value);
/* A name alone; its value comes next. Or an element of an array. */
void words_name(yajl_gen gen, const char *name);
/* Writes the text and frees @gen. -EIO. */
int words_finish(yajl_gen gen, FILE *out);

#endif
