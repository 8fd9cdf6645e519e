/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SIGIO_H
#define SENTRY_SENTRY_SIGIO_H

#include <stdbool.h>

#include "sentry/task.h"

/*
 * O_ASYNC of an open file goes on or off; @fd is what the signal will name. Files that never signal
 * keep the flag alone. -ENOMEM.
 */
int sigio_set_async(struct task *task, struct file *file, int fd, bool on);
bool sigio_possible(const struct file *file); /* do such files signal at all? */
/* F_SETOWN: who gets the signal, and in whose name it is sent. */
void sigio_set_owner(const struct task *task, struct file *file, int kind, int pid);

/* Urgent data came: SIGURG for the owner, O_ASYNC or not (send_sigurg()). */
void sigio_urgent(const struct file *file);

/* fcntl(2), F_NOTIFY: signals for what happens in a directory. -ENOTDIR, -ENOMEM. */
int sigio_notify(struct task *task, struct file *file, int fd, unsigned flags);

/* fcntl(2), F_SETLEASE: signals before others open the file. -EAGAIN, -EACCES, -EINVAL, -ENOLCK,
 * -ENOMEM. */
int sigio_set_lease(struct task *task, struct file *file, int fd, int type);

#endif
