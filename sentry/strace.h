/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_STRACE_H
#define SENTRY_SENTRY_STRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/gaddr.h"

/*
 * Shows system calls as strace(1) does, one line a call, written when the call ends:
 *
 *	[12] openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
 *	[12] read(3, "root:x:0:0:root:/root:/bin/bash\n"..., 4096) = 1024
 *	[12] unlink("/x") = -1 ENOENT (No such file or directory)
 *
 * What a call reads is formatted before the handler runs, what it writes after it. Guest bytes are
 *escaped, all lengths are bounded, and an address that cannot be read is shown as a number. The
 *module knows the call table only; how guest memory is read and where lines go are callbacks.
 */
#define STRACE_STRING_MAX   32	 /* bytes shown of a buffer, as strace's -s */
#define STRACE_PATH_MAX	    512	 /* bytes shown of a path */
#define STRACE_ELEMENTS_MAX 16	 /* elements shown of an array */
#define STRACE_LINE_MAX	    4096 /* bytes of a line, newline included */

/*
 * Reads guest memory. Returns the number of bytes before the first unreadable one (0..size), or a
 * negative errno. May sleep.
 */
struct strace_memory {
	ssize_t (*read)(void *context, void *dst, gaddr_t src, size_t size);
	/* The same for a string: what lies behind its end need not be read. Missing: read. */
	ssize_t (*read_string)(void *context, void *dst, gaddr_t src, size_t size);
	void *context;
};

/* Takes a line of at most STRACE_LINE_MAX bytes, newline included, printable ASCII. */
struct strace_sink {
	void (*write)(struct strace_sink *sink, const char *line, size_t size);
};

/*
 * A call on its way. Large: belongs on the heap, one for each traced task, reused from call to
 * call. Private to strace.c but for its size.
 */
struct strace_call {
	int pid;
	uint64_t nr;
	uint64_t args[6];
	size_t line_size;
	uint16_t input_size;
	uint16_t input_end[6]; /* where each argument's text ends in input */
	/* Nothing is put into words: memory is read exactly as if, for somebody who writes down
	 * what is read (record.h) and puts it into words later. Set by the caller. */
	bool silent;
	char input[STRACE_LINE_MAX / 2];
	char line[STRACE_LINE_MAX];
};

/* Before the handler: remembers registers and formats what the call reads. */
void strace_enter(struct strace_call *call, int pid, uint64_t nr, const uint64_t args[6],
	const struct strace_memory *memory);

/* After it: formats what the call wrote and @result (a value, a negative errno, or a restart code),
 * emits the line. */
void strace_exit(struct strace_call *call, int64_t result, const struct strace_memory *memory,
	struct strace_sink *sink);

/* Instead of strace_exit() when the call does not return (exit, execve that succeeded elsewhere, a
 * killed task): "= ?". */
void strace_no_return(struct strace_call *call, struct strace_sink *sink);

/* A call in pieces; all text is printable ASCII. */
struct strace_words {
	const char *name; /* static; "syscall_0x..." for a number without one is in own_name */
	char own_name[32];
	bool truncated; /* the texts are not whole */
	unsigned count;
	struct {
		const char *name; /* static, as the table has it; "" without one */
		const char *text; /* in the strace_call, NUL-terminated, until its next use */
	} args[6];
	char result[160]; /* "3", "-1 ENOENT (...)", "?" */
};

/* strace_exit() and, with @result NULL, strace_no_return(), for who wants the pieces. */
void strace_explain(struct strace_call *call, const int64_t *result,
	const struct strace_memory *memory, struct strace_words *ret);

/* strace_exit() of a silent call: reads what it would read. */
void strace_look(struct strace_call *call, int64_t result, const struct strace_memory *memory);

/* A signal's delivery: "[12] --- SIGSEGV ---". */
void strace_signal(int pid, int signo, struct strace_sink *sink);

#endif
