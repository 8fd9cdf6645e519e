/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_LIVE_LOG_FILE_H
#define SENTRY_CMD_LIVE_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The file of --log: what the guest wrote to its standard output and error (or terminal), a JSON
 * object a line as docker's json-file driver has it:
 *
 *   {"log":"text\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}
 *
 * The launcher alone writes it. Bytes that are not UTF-8 become U+FFFD; a line longer than
 * LOG_LINE_SIZE is several objects, of which the last one's text ends with a newline. When the file
 * would grow beyond its limit it becomes FILE.1, of which there is one, and a new one is begun.
 */
#define LOG_LINE_SIZE	 16384u
#define LOG_SIZE_DEFAULT (16ull << 20)

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_STREAMS };

struct log_file {
	int fd;	    /* owned */
	char *path; /* absolute, owned; NULL: there is no log */
	uint64_t size, limit;
	int error; /* -errno: what comes is not written any more */
	struct {
		size_t used;
		char text[LOG_LINE_SIZE];
	} lines[LOG_STREAMS]; /* what has no newline yet */
};

/*
 * @place: a file, which is begun anew, or a directory, in which it is @id.log. 0; -errno with
 * nothing opened.
 */
int log_file_open(struct log_file *log, const char *place, const char *id, uint64_t limit);
void log_file_put(struct log_file *log, enum log_stream stream, const char *bytes, size_t size);
/* Lines without an end are written; it is closed. */
void log_file_close(struct log_file *log);

#endif
