/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_STRACE_PRIVATE_H
#define SENTRY_SENTRY_STRACE_PRIVATE_H

#include <stdbool.h>

#include "sentry/strace.h"
#include "sentry/syscall_table.h"

/* Text under construction in a buffer of fixed size; what does not fit is dropped and marks it
 * truncated. */
struct strace_text {
	char *data;
	size_t capacity;
	size_t size;
	bool truncated;
};

void text_char(struct strace_text *text, char c);
void text_string(struct strace_text *text, const char *string);
void text_printf(struct strace_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Guest bytes in quotes, with the escapes of C. */
void text_quoted(struct strace_text *text, const void *bytes, size_t size);

/* Values: nothing of these reads guest memory. @bits is the width of the value, for flags and
 * negative numbers. */
void format_set(struct strace_text *text, const struct value_set *set, uint64_t value,
	unsigned bits, uint64_t hex_from);
void format_signal(struct strace_text *text, int64_t signo);
void format_sigset(struct strace_text *text, uint64_t set);
void format_fd(struct strace_text *text, int fd);
void format_address(struct strace_text *text, uint64_t address);
/* @bytes has st->size bytes. */
void format_struct(struct strace_text *text, const struct struct_info *st, const uint8_t *bytes);
void format_sockaddr(struct strace_text *text, const uint8_t *bytes, size_t size);
void format_result(struct strace_text *text, uint64_t nr, const uint64_t args[6], int64_t result);

#endif
