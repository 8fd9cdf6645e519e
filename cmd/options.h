/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OPTIONS_H
#define SENTRY_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A list of strings that grows; the array is NULL-terminated and owned, strings are owned. */
struct string_list {
	char **items;
	size_t count;
};
int string_list_add(struct string_list *list, const char *string); /* copies; -ENOMEM */
void string_list_free(struct string_list *list);

/* The command line of `sentry run`, checked for form but not yet for existence. */
struct run_options {
	struct string_list volumes; /* SRC:DST[:ro|rw] */
	struct string_list tmpfs;   /* DST[:size=N] */
	struct string_list env;	    /* K=V, K resolved from our environment already */
	struct string_list allowed; /* patterns of names that are neither hidden nor protected */
	const char *workdir, *hostname, *rootfs;
	bool has_user;
	uint32_t uid, gid;
	uint64_t memory_limit, cpus, pids_limit, nofile_limit; /* cpus: 0: all */
	uint64_t timeout_ns, cpu_time_ns;
	const char *platform; /* NULL: systrap, else ptrace where systrap cannot run */
	bool no_stdin, terminal, commit;
	bool no_patch;
	bool stats;
	const char *stats_file; /* NULL: stderr */
	bool strace;
	const char *strace_file; /* NULL: stderr */
	const char *audit_file, *status_file;
	char **argv; /* borrowed from the command line */
};

/*
 * Parses the words after `sentry run`. Returns 0; or -EINVAL after one line on stderr with a hint;
 * or 1 when --help was answered. Strings point into @argv or are owned by the lists.
 */
int run_options_parse(int argc, char **argv, struct run_options *ret);
void run_options_free(struct run_options *options);

/* "64m", "1g", "512" -> bytes (docker's suffixes b k m g). -EINVAL, -ERANGE. */
int parse_size(const char *text, uint64_t *ret);
/* "30", "1.5", "500ms", "2m", "1h" -> nanoseconds. -EINVAL, -ERANGE. */
int parse_duration(const char *text, uint64_t *ret);

#endif
