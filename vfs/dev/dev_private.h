/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_DEV_PRIVATE_H
#define SENTRY_VFS_DEV_PRIVATE_H

#include "vfs/vfs.h"

/* Device numbers as stat(2) shows them: major << 8 | minor, both small (Linux' devices.txt). */
#define DEV_NUMBER(major, minor) ((major) << 8 | (minor))
#define DEV_NULL		 DEV_NUMBER(1, 3)
#define DEV_ZERO		 DEV_NUMBER(1, 5)
#define DEV_FULL		 DEV_NUMBER(1, 7)
#define DEV_RANDOM		 DEV_NUMBER(1, 8)
#define DEV_URANDOM		 DEV_NUMBER(1, 9)
#define DEV_TTY			 DEV_NUMBER(5, 0)
#define DEV_PTMX		 DEV_NUMBER(5, 2)

int memory_device_open(struct inode *inode, struct file *file, const struct vfs_ctx *ctx);

#endif
