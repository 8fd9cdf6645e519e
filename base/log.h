/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_LOG_H
#define SENTRY_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

/*
 * Words for the person who runs the sandbox: always to stderr (or the file given by --log), one
 * line each, prefixed "sentry: ". Control characters are escaped, since guest-chosen names end up
 * here.
 */
enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
void log_set_level(enum log_level level);
void log_set_fd(int fd);
void log_message(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
#define log_error(...)	 log_message(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_message(LOG_DEBUG, __VA_ARGS__)

/* A bug of ours: says where and ends the sandbox, closed (all guests die with the Sentry). Stays on
 * in release. */
noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define sentry_assert(cond)                                                                        \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond);           \
	} while (0)

/*
 * Audit events: what was refused, by which rule, what would allow it (JSON lines when --audit is
 * given). @event is a stable identifier ("unknown-syscall", "denied", "limit"); the rest are
 * key/value string pairs ended by NULL; values are escaped.
 */
void audit_event(const char *event, ...) __attribute__((sentinel));
/* The same with a list of strings under @key: @size bytes, each string ended by a NUL. */
void audit_event_strings(const char *event, const char *key, const char *strings, size_t size, ...)
	__attribute__((sentinel));
bool audit_wanted(void); /* is there a stream? */
void audit_set_fd(int fd);
/* Instead of a descriptor: gets each event as one line with its newline. NULL: none. */
void audit_set_sink(void (*sink)(const char *line, size_t size));
/* Is told of each event by its name, whether there is a stream or not. NULL: nobody. */
void audit_set_counter(void (*counter)(const char *event));
/* Gets each event, too. NULL: nobody. */
void audit_set_observer(void (*observer)(const char *line, size_t size));

#endif
