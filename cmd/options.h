/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OPTIONS_H
#define SENTRY_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/network.h"
#include "gateway/publish.h"
#include "sentry/observe.h"

/* A list of strings that grows; the array is NULL-terminated and owned, strings are owned. */
struct string_list {
	char **items;
	size_t count;
};
int string_list_add(struct string_list *list, const char *string); /* copies; -ENOMEM */
void string_list_free(struct string_list *list);

/* Who set a limit: the later of these beats the earlier. */
enum option_level {
	OPTION_DEFAULT,
	OPTION_FILE_PROFILE, /* the policy file's profile */
	OPTION_FILE,
	OPTION_PROFILE, /* --profile */
	OPTION_FLAG,
};

enum option_limit {
	LIMIT_MEMORY,
	LIMIT_CPUS,
	LIMIT_PIDS,
	LIMIT_NOFILE,
	LIMIT_TIMEOUT,
	LIMIT_CPU_TIME,
	LIMIT_OUTPUT,
	LIMIT_COUNT,
};

/* The command line of `sentry run`, checked for form but not yet for existence. */
struct run_options {
	struct string_list volumes; /* SRC:DST[:ro|rw] */
	struct string_list tmpfs;   /* DST[:size=N] */
	struct string_list env;	    /* K=V, K resolved from our environment already */
	/* Patterns of names (vfs/guard.h). Unless a file gives them, they are
	 * the built-in ones (and what --allow-path adds). */
	struct string_list hidden, protected, allowed;
	bool has_hidden, has_protected, has_allowed, has_policy;
	const char *workdir, *hostname, *rootfs;
	bool has_user;
	uint32_t uid, gid;
	uint64_t memory_limit, cpus, pids_limit, nofile_limit; /* cpus: 0: all */
	uint64_t timeout_ns, cpu_time_ns;
	uint64_t output_limit; /* bytes; 0: none */
	const char *platform;  /* NULL: systrap, else ptrace where systrap cannot run */
	bool no_stdin, terminal, commit;
	bool no_patch;
	bool stats;
	const char *stats_file; /* NULL: stderr */
	/* --trace: a file ("-": stderr) and what of it; see cmd/observe */
	const char *trace_file, *coverage_file;
	bool trace_all, stacks, trace_chosen; /* trace_calls holds a choice */
	uint8_t trace_format;		      /* enum trace_format */
	uint64_t trace_calls[OBSERVE_WORDS];
	struct inject_rule inject[INJECT_RULES_MAX];
	unsigned inject_count;
	bool strace;
	const char *strace_file; /* NULL: stderr */
	const char *audit_file, *status_file;
	const char *otlp;      /* --otlp, a file or URL; NULL: none */
	const char *log_place; /* --log; NULL: none */
	uint64_t log_size;     /* bytes of its file; 0: the default */
	const char *name;      /* for `sentry ps`; NULL: none */
	enum network_kind network;
	struct network_link link; /* with tap:IF and packet:IF */
	bool egress_asked;	  /* by a flag, not by the policy file */
	struct gate_rules egress;
	struct gate_publish publish[GATE_PUBLISH_MAX];
	unsigned publish_count;
	struct string_list publish_texts; /* as they were given */
	struct string_list dns;		  /* name servers, checked */
	uint8_t levels[LIMIT_COUNT];	  /* enum option_level of each limit */
	char **argv;			  /* borrowed from the command line */
};

/*
 * Parses the words after `sentry run`. Returns 0; or -EINVAL after one line on stderr with a hint;
 * or 1 when --help was answered. Strings point into @argv or are owned by the lists.
 */
int run_options_parse(int argc, char **argv, struct run_options *ret);
/* The same for words that end without a command. */
int run_options_parse_only(int argc, char **argv, struct run_options *ret);
/* What holds when nothing is said. */
void run_options_init(struct run_options *options);
/*
 * One option by its long name, or "hidden", "protected", "allowed", "nofile", which only policy
 * files have.
 * @text is copied where it is kept. -EINVAL with what is wrong in @why; -ENOMEM.
 */
int run_option_set(struct run_options *options, const char *name, const char *text,
	enum option_level level, char *why, size_t why_size);
/* A rule for what may leave, behind those that are there. -EINVAL, -ENOMEM. */
int run_option_rule(
	struct run_options *options, const struct gate_rule *rule, char *why, size_t why_size);
/* A list of that name follows: it takes the place of the built-in one, if there is one. */
void run_option_list_begin(struct run_options *options, const char *name);
void run_options_free(struct run_options *options);

/* "64m", "1g", "512" -> bytes (docker's suffixes b k m g). -EINVAL, -ERANGE. */
int parse_size(const char *text, uint64_t *ret);
/* "30", "1.5", "500ms", "2m", "1h" -> nanoseconds, whole milliseconds of them. -EINVAL, -ERANGE. */
int parse_duration(const char *text, uint64_t *ret);

#endif
