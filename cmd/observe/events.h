/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_EVENTS_H
#define SENTRY_CMD_OBSERVE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * What stands in a trace, whatever its form: a file of JSON lines or of records is read line by
 * line. Strings are borrowed until the callback returns; what a line does not have is "" or 0.
 */
#define EVENT_ARGS_MAX	 6u
#define EVENT_FRAMES_MAX 64u

enum event_type {
	EVENT_BEGIN,
	EVENT_CALL,
	EVENT_TASK,
	EVENT_EXIT,
	EVENT_SIGNAL,
	EVENT_AUDIT,
	EVENT_COUNT,
	EVENT_END,
	EVENT_NETWORK, /* a flow, a name that was looked up, a refusal */
	EVENT_VOLUME,
	EVENT_USAGE,
};

struct event_frame {
	/* Of a Python frame: the source file, the function, and no address. */
	const char *module, *symbol, *offset, *address, *symbol_offset;
	int line; /* of the source; 0: unknown */
	bool python;
};

struct event {
	enum event_type type;
	double time; /* seconds since the beginning */
	int pid, tid;
	const char *call; /* EVENT_CALL, EVENT_COUNT */
	int nr;
	unsigned arg_count;
	struct {
		const char *name, *text;
	} args[EVENT_ARGS_MAX];
	bool returned; /* else the task ended in it */
	int64_t result;
	const char *told, *error, *answered, *verdict, *support, *ip;
	double latency;	  /* seconds */
	const char *name; /* EVENT_TASK: its name; EVENT_BEGIN: the command; EVENT_SIGNAL */
	const char *text; /* an audit line that came alone, or with a call */
	double started;	  /* EVENT_BEGIN */
	const char *platform;
	int parent, status, signo;
	bool whole_process;
	uint64_t count;
	struct {
		const char *event, *protocol, *direction, *from, *to, *domain, *names, *name,
			*allow, *rule, *end, *kind;
		uint64_t sent, received;
	} network;			    /* EVENT_NETWORK */
	const char *source, *target, *mode; /* EVENT_VOLUME */
	uint64_t memory, tasks, output;	    /* EVENT_USAGE: bytes, at one time, bytes */
	double cpu;			    /* seconds */
	const char *site;		    /* EVENT_CALL: the instructions that called */
	unsigned frame_count;		    /* innermost first */
	struct event_frame frames[EVENT_FRAMES_MAX];
};

typedef void event_fn(void *data, const struct event *event);

/* Calls @take for each. 0, TRACE_CUT_OFF (trace_file.h), -EBADMSG when the file is foreign or
 * damaged (what was whole before was taken), or the error of opening it; but for 0, *@ret_why says
 * it in words, until the next call. */
int events_read(const char *file, event_fn *take, void *data, const char **ret_why);

/* The same for an open file of JSON lines. */
int events_read_lines(FILE *in, event_fn *take, void *data, const char **ret_why);

#endif
