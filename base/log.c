/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines and audit events. Each goes out in one write(), so that lines of several threads do not
 * mix. Guest-chosen bytes end up in both: what is not printable ASCII is escaped, in JSON by its
 * own rules (RFC 8259 section 7).
 */
#include "base/log.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Longest line; the rest is cut and marked. Audit values are paths at most: several of them fit. */
#define LOG_LINE_MAX   2048
#define AUDIT_LINE_MAX 16384
/* One value of an audit event, before escaping. */
#define AUDIT_VALUE_MAX 1024

static struct {
	enum log_level level;
	int fd;
	int audit_fd;
	void (*audit_sink)(const char *line, size_t size);
	void (*audit_observer)(const char *line, size_t size);
	void (*audit_counter)(const char *event);
} logging = {.level = LOG_WARNING, .fd = STDERR_FILENO, .audit_fd = -1};

struct line {
	char *text;
	size_t length, capacity; /* a newline always fits behind capacity */
};

static void line_add(struct line *line, const char *text, size_t length)
{
	if (length > line->capacity - line->length)
		length = line->capacity - line->length;
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

static void line_add_string(struct line *line, const char *text)
{
	line_add(line, text, strlen(text));
}

static void write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, text, length);

		if (written <= 0)
			return; /* nowhere left to complain */
		text += written;
		length -= (size_t)written;
	}
}

void log_set_level(enum log_level level)
{
	logging.level = level;
}

void log_set_fd(int fd)
{
	logging.fd = fd;
}

void audit_set_fd(int fd)
{
	logging.audit_fd = fd;
}

void audit_set_sink(void (*sink)(const char *line, size_t size))
{
	logging.audit_sink = sink;
}

void audit_set_observer(void (*observer)(const char *line, size_t size))
{
	logging.audit_observer = observer;
}

void audit_set_counter(void (*counter)(const char *event))
{
	logging.audit_counter = counter;
}

static void log_text(const char *text)
{
	char buffer[LOG_LINE_MAX + 1];
	struct line line = {.text = buffer, .capacity = LOG_LINE_MAX};

	line_add_string(&line, "sentry: ");
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		char escaped[8];

		if (byte >= 0x20 && byte != 0x7f && byte < 0x80) {
			line_add(&line, text, 1);
			continue;
		}
		snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
		line_add_string(&line, escaped);
	}
	line.text[line.length++] = '\n';
	write_all(logging.fd, line.text, line.length);
}

void log_message(enum log_level level, const char *format, ...)
{
	char text[LOG_LINE_MAX / 2];
	va_list args;

	if (level > logging.level)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_text(text);
}

noreturn void panic(const char *format, ...)
{
	char text[LOG_LINE_MAX / 2];
	int prefix = snprintf(text, sizeof(text), "internal error: ");
	va_list args;

	va_start(args, format);
	vsnprintf(text + prefix, sizeof(text) - (size_t)prefix, format, args);
	va_end(args);
	log_text(text);
	/* Not abort(): it asks the host for more than we may, and pid 1 of a PID namespace survives
	 * its SIGABRT. */
	__builtin_trap();
}

/* Bytes that are not UTF-8 cannot be carried by JSON: all of 0x80..0xff becomes the code point of
 * that number. */
static void line_add_json(struct line *line, const char *value)
{
	line_add(line, "\"", 1);
	for (size_t i = 0; value[i] && i < AUDIT_VALUE_MAX; i++) {
		unsigned char byte = (unsigned char)value[i];
		char escaped[8];

		if (byte == '"' || byte == '\\') {
			escaped[0] = '\\';
			escaped[1] = value[i];
			line_add(line, escaped, 2);
		} else if (byte >= 0x20 && byte < 0x7f) {
			line_add(line, &value[i], 1);
		} else {
			snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
			line_add_string(line, escaped);
		}
	}
	line_add(line, "\"", 1);
}

/* The worst value, each byte escaped to six, must leave room to close the object. */
#define AUDIT_ROOM (6 * AUDIT_VALUE_MAX + 8)

/* As many of the strings as fit into a value's bytes; "..." stands for the rest. */
static void line_add_list(struct line *line, const char *strings, size_t size)
{
	size_t left = AUDIT_VALUE_MAX;

	line_add(line, "[", 1);
	for (size_t at = 0; at < size;) {
		size_t length = strnlen(strings + at, size - at);

		if (at)
			line_add(line, ",", 1);
		if (length >= left || at + length == size) {
			line_add_json(line, "...");
			break;
		}
		line_add_json(line, strings + at);
		left -= length + 1;
		at += length + 1;
	}
	line_add(line, "]", 1);
}

static void line_add_pairs(struct line *line, va_list args)
{
	const char *key;

	while ((key = va_arg(args, const char *)) != NULL) {
		const char *value = va_arg(args, const char *);

		if (line->capacity - line->length < 2 * AUDIT_ROOM)
			continue;
		line_add(line, ",", 1);
		line_add_json(line, key);
		line_add(line, ":", 1);
		line_add_json(line, value ? value : "");
	}
}

static void line_begin(struct line *line, const char *event)
{
	struct timespec now;
	char stamp[64];

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(stamp, sizeof(stamp), "{\"time\":%lld.%06ld,\"event\":", (long long)now.tv_sec,
		now.tv_nsec / 1000);
	line_add_string(line, stamp);
	line_add_json(line, event);
}

static void line_end(struct line *line)
{
	line_add(line, "}", 1);
	line->text[line->length++] = '\n';
	if (logging.audit_sink)
		logging.audit_sink(line->text, line->length);
	else if (logging.audit_fd >= 0)
		write_all(logging.audit_fd, line->text, line->length);
	if (logging.audit_observer)
		logging.audit_observer(line->text, line->length);
}

bool audit_wanted(void)
{
	return logging.audit_fd >= 0 || logging.audit_sink || logging.audit_observer;
}

void audit_event(const char *event, ...)
{
	char buffer[AUDIT_LINE_MAX + 1];
	struct line line = {.text = buffer, .capacity = AUDIT_LINE_MAX};
	va_list args;

	if (logging.audit_counter)
		logging.audit_counter(event);
	if (!audit_wanted())
		return;
	line_begin(&line, event);
	va_start(args, event);
	line_add_pairs(&line, args);
	va_end(args);
	line_end(&line);
}

void audit_event_strings(const char *event, const char *key, const char *strings, size_t size, ...)
{
	char buffer[AUDIT_LINE_MAX + 1];
	struct line line = {.text = buffer, .capacity = AUDIT_LINE_MAX};
	va_list args;

	if (!audit_wanted())
		return;
	line_begin(&line, event);
	line_add(&line, ",", 1);
	line_add_json(&line, key);
	line_add(&line, ":", 1);
	line_add_list(&line, strings, size);
	va_start(args, size);
	line_add_pairs(&line, args);
	va_end(args);
	line_end(&line);
}
