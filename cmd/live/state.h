/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_LIVE_STATE_H
#define SENTRY_CMD_LIVE_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sentry/live.h"

/*
 * Which sandboxes of this user run: a private directory with a file for each, written by its
 * launcher. cmd/live/state.c has the theory.
 */
#define STATE_ID_SIZE	12  /* hexadecimal digits */
#define STATE_WORDS_MAX 64u /* of a command that are written down */

struct kernel_config;

/* What a launcher knows of its own run. Strings are borrowed. */
struct state_facts {
	const char *name; /* --name, or NULL */
	char *const *argv;
	const char *directory;
	const char *network;
	const char *log, *audit; /* files, or NULL */
	uint64_t memory_limit, pids_limit, cpus, timeout_ns;
};

/* A launcher's own entry. */
struct state_own {
	struct state_facts facts;
	struct live_page *page; /* NULL: nothing is shown of this run */
	int page_fd;
	uint64_t due_ns; /* CLOCK_MONOTONIC: when to write it; 0: not, or done */
	bool written;
	pid_t kernel;
	char id[STATE_ID_SIZE + 1];
};

/* Makes the page and begins to count on it; whatever fails, the run goes on unseen. */
void state_begin(struct state_own *own, const struct state_facts *facts);
/* The run has begun, its kernel process is @kernel: the entry is due soon. */
void state_started(struct state_own *own, pid_t kernel);
/* Writes it, when it is due. Returns in how many ms it will be; -1: never. */
int state_wait(struct state_own *own);
/* The entry is gone. */
void state_end(struct state_own *own);

/* What a reader finds. Owned by the list. */
struct state_entry {
	char id[STATE_ID_SIZE + 1];
	char *name; /* "": none */
	pid_t launcher, kernel;
	uint64_t launcher_start; /* ticks since the host booted */
	int64_t started_ms;	 /* since 1970 */
	unsigned word_count;
	char *words[STATE_WORDS_MAX];
	bool more_words;
	char *directory, *network, *log, *audit;
	uint64_t memory_limit, pids_limit, cpus;
	int64_t timeout_ms;
	bool has_page;
	struct live_page page; /* a copy */
	/* Of the host's proc(5), all processes of the sandbox together. */
	bool has_usage;
	uint64_t cpu_ns;
	unsigned processes;
};

struct state_list {
	struct state_entry **entries; /* by start, the oldest first */
	unsigned count;
	char directory[PATH_MAX]; /* where was looked; "": nowhere */
};

/*
 * Who runs now. Entries of launchers that are dead are removed; what is no entry is told on stderr
 * in one line and left. 0 also where there is no directory yet. -errno with a line on stderr.
 */
int state_read(struct state_list *ret);
void state_list_free(struct state_list *list);

/* The one that @word means: its name, its id or the beginning of it. NULL after a line on stderr by
 * `sentry @command`. */
struct state_entry *state_find(
	const struct state_list *list, const char *command, const char *word);
/* Does the launcher of @entry still live? */
bool state_lives(const struct state_entry *entry);

#endif
