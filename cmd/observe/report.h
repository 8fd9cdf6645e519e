/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_REPORT_H
#define SENTRY_CMD_OBSERVE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cmd/observe/events.h"

/*
 * What a trace comes to: sums by call, file, address and origin, tasks, and a timeline. Everything
 * is bounded; what did not fit is counted in `dropped`.
 */
#define REPORT_BINS	    40u /* latencies, by powers of two of nanoseconds */
#define REPORT_TALLIES_MAX  20000u
#define REPORT_TIMELINE_MAX 50000u
#define REPORT_DENIALS_MAX  2000u
#define REPORT_TASKS_MAX    4096u
#define REPORT_ERRORS_MAX   16u
#define REPORT_SOCKETS	    1024u

/* A name and what is counted of it. */
struct tally {
	struct tally *next; /* with the same hash */
	char *name;
	unsigned index; /* in the order of their coming */
	int nr;
	const char *support; /* static */
	uint64_t count, in_guest, host, injected, refused, failed;
	double total, longest; /* seconds */
	uint64_t bins[REPORT_BINS];
	struct {
		char name[20];
		uint64_t count;
	} errors[REPORT_ERRORS_MAX];
	unsigned error_count;
	unsigned uses;		 /* of a file, an address, a flow: TALLY_* */
	uint64_t sent, received; /* bytes, of a flow */
};
#define TALLY_READ	1u
#define TALLY_WRITE	2u
#define TALLY_EXECUTE	4u
#define TALLY_CONNECT	8u
#define TALLY_BIND	16u
#define TALLY_DATAGRAMS 32u
#define TALLY_SPECIAL	64u /* a flow to an address that is not public */
#define TALLY_INWARD	128u

struct tally_table {
	struct tally **slots, **all; /* all: by index */
	unsigned count;
};

struct report_task {
	int tid, pid, parent, status;
	char name[32];
	char *directory;   /* it works in; NULL: unknown */
	double begin, end; /* end < 0: it did not end */
	uint64_t calls;
};

/* What of the host was where (struct record_volume). */
struct report_volume {
	char *source, *target;
	bool writable, copy;
};
#define REPORT_VOLUMES_MAX 256u

struct report {
	char command[256], platform[16];
	double started, duration; /* seconds; of all runs that were added */
	double longest;		  /* of one run */
	bool whole;		  /* the trace has its end */
	struct tally_table calls, files, addresses, origins;
	/* With --network gateway: "tcp:example.com:443", and names that were looked up. */
	struct tally_table flows, names;
	struct tally_table paths; /* absolute ones of what was found, by TALLY_* alone */
	struct report_volume volumes[REPORT_VOLUMES_MAX];
	unsigned volume_count;
	char *allowed[REPORT_VOLUMES_MAX]; /* patterns of --allow-path */
	unsigned allowed_count;
	char *start;	     /* where the first program began, or NULL */
	unsigned vague_uses; /* of files that are known by a descriptor and a name alone */
	unsigned highest_fd;
	struct {
		bool known;
		uint64_t memory, tasks, output; /* bytes, at one time, bytes: the most of a run */
		double cpu;			/* seconds */
	} usage;
	/* Sockets for datagrams, by process and descriptor, as far as they are remembered. */
	struct report_socket {
		int pid, fd;
		bool datagrams;
	} sockets[REPORT_SOCKETS];
	struct report_task *tasks;
	unsigned task_count;
	struct report_mark {
		unsigned task, call; /* indices */
		float begin, latency;
		bool failed;
	} * timeline;
	unsigned mark_count;
	struct report_denial {
		double time;
		int tid;
		char *call, *verdict, *text;
	} * denials;
	unsigned denial_count;
	uint64_t call_count, dropped;
};

struct report *report_new(void); /* NULL: out of memory */
void report_free(struct report *report);
void report_take(void *report, const struct event *event); /* an event_fn */

/* Of @name in @table, made when it is not there; NULL: no room. */
struct tally *tally_of(struct tally_table *table, const char *name);

/* The page; @other: a second run to compare with, or NULL. All three: 0, -EIO, -ENOMEM. */
int report_html(const struct report *report, const struct report *other, FILE *out);
/* OCI runtime specification, linux.seccomp: the calls of @report, allowed; a lower bound. */
int report_seccomp(const struct report *report, unsigned runs, FILE *out);
/* A policy file of sentry with what the run needed. */
int report_policy(const struct report *report, unsigned runs, FILE *out);

/* Straight from events, for those who have a viewer: Chrome's trace events, which Perfetto reads,
 * and OpenTelemetry's JSON (ExportTraceServiceRequest). */
int report_perfetto(const char *file, FILE *out, const char **ret_why);
int report_otlp(const char *file, FILE *out, const char **ret_why);

#endif
