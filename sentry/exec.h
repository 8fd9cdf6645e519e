/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_EXEC_H
#define SENTRY_SENTRY_EXEC_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/gaddr.h"
#include "sentry/task.h"
#include "vfs/vfs.h"

/*
 * execve(2) from the kernel's side; do_execve() itself is in sentry/task.h. A caller opens the
 * program with exec_open(), brings argv and envp as exec_strings, and calls do_execve(), which
 * borrows all of them.
 */

/* Flags of do_execve(). */
#define EXEC_PATH_INACCESSIBLE                                                                     \
	1 /* the name goes through a descriptor that closes: scripts are -ENOENT */
#define EXEC_NAME_FROM_DENTRY                                                                      \
	2 /* execveat(AT_EMPTY_PATH): the thread is named after the file, not after "/dev/fd/N" */

/*
 * Opens @name from @base (NULL: the working directory) for execution. @walk_flags are WALK_*. The
 * file is a regular one that
 * @task may execute and nobody writes to; it stays unwritable while it is open. May sleep. -ENOENT,
 * -EACCES, -ELOOP, -ETXTBSY...
 */
int exec_open(struct task *task, const struct path *base, const char *name, unsigned walk_flags,
	struct file **ret);

/* From host strings: NULL-terminated @strings. -ENOMEM, -E2BIG. Free with exec_strings_free(). */
int exec_strings_from_host(char *const *strings, struct exec_strings *ret);
/* argv or envp of the calling task: an array of string addresses, NULL-terminated. @limit bytes of
 * strings. May sleep. */
int exec_strings_read(struct task *task, gaddr_t array, struct exec_strings *ret);
int exec_strings_append(struct exec_strings *strings, const char *string,
	size_t size); /* @size with the NUL. -ENOMEM */
void exec_strings_free(struct exec_strings *strings);

#endif
