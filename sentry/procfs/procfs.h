/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_PROCFS_H
#define SENTRY_SENTRY_PROCFS_H

#include "vfs/vfs.h"

/* Reads what of the host's /proc and /sys the guest is told about (the processors). Before
 * confinement. -ENOMEM. */
int procfs_capture_host(void);
/* /proc: proc(5). */
int procfs_new(struct super_block **ret);
/* /sys: the few files of sysfs(5) that programs read. */
int sysfs_new(struct super_block **ret);

#endif
