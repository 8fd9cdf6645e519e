/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the options of `sentry run` share. */
#ifndef SENTRY_CMD_OPTIONS_PRIVATE_H
#define SENTRY_CMD_OPTIONS_PRIVATE_H

#include "cmd/options.h"

/* The text of --help: cmd/usage_run.txt. */
extern const char run_usage[];

/* One line on stderr that names the problem and points at the help. -EINVAL, always. */
__attribute__((format(printf, 1, 2))) int usage_error(const char *format, ...);
/* From now on the words go to @why, of @size bytes; NULL: to stderr again. */
void usage_errors_to(char *why, size_t size);

/*
 * Each takes the text of one option, checks it, and puts it where it belongs. @option and @what are
 * the names that an error says. -EINVAL after usage_error; -ENOMEM. Outputs stay as they were then.
 */
int option_count(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *ret);
int option_time(const char *option, const char *text, uint64_t *ret); /* ns, not 0 */
int option_bool(const char *option, const char *text, bool *ret);     /* NULL: true */
int option_user(const char *text, struct run_options *options);
int option_env(const char *text, struct run_options *options);
/* A pattern of names; ./NAME is below where we stand. */
int option_pattern(const char *what, const char *text, struct string_list *list);
/* "@default" stands for the built-in list @defaults. */
int option_guarded(
	const char *what, const char *text, const char *const *defaults, struct string_list *list);
int option_hostname(const char *text, struct run_options *options);
int option_network(const char *text, struct run_options *options);
int option_egress(const char *text, struct run_options *options);
int option_publish(const char *text, struct run_options *options);
int option_dns(const char *text, struct run_options *options);
/* A list of calls, or a file: what is both is a list ("./file" is a file). */
int option_trace(struct run_options *options, const char *arg);
int option_trace_format(struct run_options *options, const char *arg);
int option_log_size(struct run_options *options, const char *arg);
int option_name(struct run_options *options, const char *arg);
int option_inject(struct run_options *options, const char *arg);

#endif
