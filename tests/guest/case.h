/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_GUEST_CASE_H
#define SENTRY_TESTS_GUEST_CASE_H

/*
 * Oracle cases: one C file for each syscall family, many cases in it. The program runs natively and
 *in the sandbox, and tests/run-guest compares what each case printed and how it ended. So a case
 *states no expected values: Linux does. It must print only what is the same in every run: no pids,
 *addresses, descriptors of unknown number, times.
 *
 *	CASE(open_missing)
 *	{
 *		CALL(open("nowhere", O_RDONLY));          -> open("nowhere", O_RDONLY) = -1 ENOENT
 *		int fd = OK(open("f", O_CREAT | O_RDWR, 0600)); -> open("f", ...) ok
 *		CALL(write(fd, "abc", 3));                 -> write(fd, "abc", 3) = 3
 *		NOTE("size %lld", (long long)size_of(fd));
 *	}
 *
 * Each case runs in a forked child, alone in a fresh scratch directory (its cwd), with a 20 s
 *alarm, and its wait status is part of the outcome. A child that the case forks prints through the
 *same stream; order such output with waits or pipes. A case that needs a privilege or a feature
 *says SKIP("reason"): then both sides must skip.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The -1 of a fork that failed means everybody: natively that is the machine. */
static inline int case_kill(pid_t pid, int signal)
{
	if (pid == -1 && signal != 0)
		abort();
	return kill(pid, signal);
}
#define kill case_kill

struct case_entry {
	const char *name;
	void (*fn)(void);
	struct case_entry *next;
};
void case_register(struct case_entry *entry);

#define CASE(name)                                                                                 \
	static void case_##name(void);                                                             \
	static struct case_entry case_entry_##name = {#name, case_##name, NULL};                   \
	__attribute__((constructor)) static void case_register_##name(void)                        \
	{                                                                                          \
		case_register(&case_entry_##name);                                                 \
	}                                                                                          \
	static void case_##name(void)

/* Evaluates, prints the expression, its value and the errno name when it is -1. Value: that of the
 * expression. */
#define CALL(expr) case_report(#expr, (errno = 0, (long long)(expr)), true)
/* The same without the value of a success (descriptors, pids, addresses). */
#define OK(expr) case_report(#expr, (errno = 0, (long long)(expr)), false)
/* Functions that return an error number (pthread_*, posix_*). */
#define RC(expr)  case_report_rc(#expr, (int)(expr))
#define NOTE(...) case_note(__VA_ARGS__)
#define SKIP(why)                                                                                  \
	do {                                                                                       \
		case_note("SKIP: %s", why);                                                        \
		exit(0);                                                                           \
	} while (0)
/* A condition that both sides must agree on; prints it with true or false. */
#define TRUTH(cond) case_note("%s: %s", #cond, (cond) ? "true" : "false")

long long case_report(const char *expr, long long value, bool show_value);
int case_report_rc(const char *expr, int error);
void case_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *errno_name(int error);

/* Waits for @pid and prints how it ended: "exited 3", "killed by 11". */
void note_wait(const char *what, pid_t pid);
void note_status(const char *what, int status);
/* A raw call that libc does not wrap or wraps with opinions: errno style. */
#define SYS(nr, ...) syscall(nr, ##__VA_ARGS__)
/* An address that is never mapped. */
#define BAD_ADDRESS ((void *)0x10)
void sleep_ms(long ms);
long long now_ms(void); /* CLOCK_MONOTONIC */
void write_file(const char *path, const char *text);
/* Prints the file's content (printable, escaped) or the errno. */
void note_file(const char *path);

#endif
