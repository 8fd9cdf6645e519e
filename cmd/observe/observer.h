/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_OBSERVER_H
#define SENTRY_CMD_OBSERVE_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct string_list;
struct view_config;

/*
 * The observer: a process between the Sentry and the files of --trace and --coverage. It reads
 * records (sentry/record.h), which hold bytes that guests chose, and puts them into words; so it
 * can do little else: it holds the pipe and the files, and its seccomp filter leaves it reading,
 * writing and memory.
 */
enum trace_format { TRACE_JSON, TRACE_BINARY, TRACE_TEXT };

struct observer_config {
	int trace_fd; /* -1: no trace */
	enum trace_format format;
	int otlp_fd; /* where spans go, or -1 */
	uint64_t otlp_random[3];
	const char *sandbox_id, *sandbox_name;
	const struct view_config *view;	   /* what of the host is where; borrowed */
	const struct string_list *allowed; /* --allow-path; borrowed */
	const char *workdir;		   /* where the program begins; borrowed */
	bool gateway;			   /* there will be one, and its events are wanted */
	int coverage_fd;		   /* a memfd that gets what this run covered, or -1 */
};

struct observer {
	pid_t pid;  /* 0: there is none */
	int events; /* where the gateway's events go: its own; -1: nowhere */
};

/* Starts it. *@ret_records is where records go: the Sentry's. -errno. */
int observer_start(const struct observer_config *config, struct observer *ret, int *ret_records);

/* Waits for it, once the Sentry and everybody else has closed the pipe. 0; -EIO when it could not
 * write all, and has said so. */
int observer_finish(struct observer *observer);

#endif
