/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_AUDIT_LOG_H
#define SENTRY_CMD_AUDIT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The file of --audit. The launcher alone writes it: the kernel process, which talks to guests,
 * hands its events over through a pipe and can neither change nor take back what was written.
 *
 * Each line is a JSON object that begins with its number and the hash of the line before, and ends
 * with its own hash, which covers all that stands before it in the line: cmd/audit_log.c.
 */
#define AUDIT_HASH_SIZE 64 /* hexadecimal digits of SHA-256 */
#define AUDIT_LINE_MAX	17408

/* Who sends events over a pipe. */
enum audit_sender { AUDIT_SENTRY, AUDIT_GATEWAY, AUDIT_SENDERS };

struct audit_source {
	/* What of a line the pipe has brought so far. */
	size_t partial_size;
	bool partial_bad;
	char partial[AUDIT_LINE_MAX];
};

struct audit_log {
	int fd; /* owned; -1: off */
	const char *name;
	uint64_t lines, dropped, size;
	char hash[AUDIT_HASH_SIZE + 1]; /* of the last line */
	int error; /* -errno of the write that failed: nothing is written after it */
	struct audit_source sources[AUDIT_SENDERS];
};

/* @fd is taken over. @name is borrowed, for messages. */
void audit_log_init(struct audit_log *log, int fd, const char *name);
/* Events of this process's own (audit_event()) go to @log from now on; NULL: nowhere. */
void audit_log_use(struct audit_log *log);
/*
 * Takes what is in the pipe @from, which does not block. 1 when more may come, 0 at its end or when
 * log->error is set.
 */
int audit_log_feed(struct audit_log *log, enum audit_sender sender, int from);
/* The closing line and all that goes with it. -errno when anything was not written. */
int audit_log_end(struct audit_log *log, int exit_code, const char *reason);
void audit_log_free(struct audit_log *log);

/* The hash of @size bytes in hexadecimal digits, NUL-terminated. */
void audit_hash(const char *text, size_t size, char ret[AUDIT_HASH_SIZE + 1]);

/* What verification finds. */
struct audit_report {
	uint64_t lines; /* sound ones, from the first on */
	bool closed;	/* the last of them is the closing line */
	bool broken;	/* the one after them is not sound: */
	char why[128];
	char hash[AUDIT_HASH_SIZE + 1]; /* of the last sound line */
};
/* Reads all of @fd. -errno: it cannot be read. */
int audit_verify(int fd, struct audit_report *ret);

#endif
