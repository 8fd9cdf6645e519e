/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SYSCALLS_FILE_FLAGS_H
#define SENTRY_SENTRY_SYSCALLS_FILE_FLAGS_H

#include "sentry/task.h"

/* FS_IOC_GETFLAGS and FS_IOC_SETFLAGS. -ENOIOCTLCMD: the file system has no such flags. */
int64_t file_flags_ioctl(struct task *t, struct file *file, unsigned request, gaddr_t arg);

#endif
