/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_OBSERVER_H
#define SENTRY_CMD_OBSERVE_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

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
	int coverage_fd; /* a memfd that gets what this run covered, or -1 */
};

struct observer {
	pid_t pid; /* 0: there is none */
};

/* Starts it. *@ret_records is where records go: the Sentry's. -errno. */
int observer_start(const struct observer_config *config, struct observer *ret, int *ret_records);

/* Waits for it, once the Sentry and everybody else has closed the pipe. 0; -EIO when it could not
 * write all, and has said so. */
int observer_finish(struct observer *observer);

#endif
