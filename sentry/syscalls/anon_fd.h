/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SYSCALLS_ANON_FD_H
#define SENTRY_SENTRY_SYSCALLS_ANON_FD_H

#include "abi/resource.h"
#include "sentry/task.h"

/* Gives @file (taken over in every case) the lowest free descriptor. Returns it or -EMFILE,
 * -ENOMEM. */
static inline int64_t install_new_file(struct task *t, struct file *file, bool cloexec)
{
	int fd = fd_install(t->files, file, 0, task_rlimit(t, LX_RLIMIT_NOFILE), cloexec);

	if (fd < 0)
		file_unref(file);
	return fd;
}

#endif
