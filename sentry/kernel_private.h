/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_KERNEL_PRIVATE_H
#define SENTRY_SENTRY_KERNEL_PRIVATE_H

#include <stdint.h>

#include "sentry/kernel.h"

/* What the files of the kernel's start and end share; nobody else includes this. */

#define KERNEL_WORKERS 4 /* helper threads for blocking host calls */

/* The reason why the run failed, for the user, and the exit code. The first one counts. */
void kernel_fail(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* sentry/boot.c: credentials, descriptors, the first program. On a fiber. @gone is called when
 * every task has ended. */
int kernel_start_program(
	const struct kernel_config *config, const struct path *root, void (*gone)(int wait_status));
/* A signal from the launcher: to the program, or with terminal signals to its process group. */
void kernel_forward_signal(int signo);
void kernel_window_changed(uint16_t rows, uint16_t columns);

/* sentry/syscalls/pipe.c: readies pipes, FIFOs and the other anonymous files. */
void pipe_syscalls_init(void);

/* sentry/limits.c: wall clock, CPU time, resident memory. */
void kernel_limits_start(const struct kernel_config *config, struct kernel_result *result);
void kernel_limits_stop(void);
/* Looks at memory now, for kernel_memory_peak(), unless there are too many tasks for that. */
void kernel_limits_look(void);
uint64_t kernel_memory_peak(void); /* bytes, the most that was seen so far */

/* sentry/finish.c: counts or hands over the working directory's changes. On a fiber. */
void kernel_finish(struct view *view, struct kernel_result *result);

#endif
