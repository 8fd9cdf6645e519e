/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_KERNEL_FILE_H
#define SENTRY_VFS_KERNEL_FILE_H

#include "vfs/vfs.h"

/*
 * Opens @inode for the kernel's own use, without a mount and without checks, under an anonymous
 * dentry called @name. It does not count as open for writing. May sleep.
 */
int file_open_kernel(struct inode *inode, const char *name, int flags, struct file **ret);

#endif
