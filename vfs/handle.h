/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_HANDLE_H
#define SENTRY_VFS_HANDLE_H

#include "vfs/vfs.h"

/* File handles: name_to_handle_at(2), open_by_handle_at(2). */

struct vfs_handle {
	int type;
	uint32_t size; /* bytes */
	uint8_t bytes[128];
};

/*
 * A handle of @path's inode. -EOPNOTSUPP: its file system has none, unless they are for comparison
 * alone (AT_HANDLE_FID). -ENOMEM.
 */
int vfs_handle_make(const struct path *path, bool is_for_comparison, struct vfs_handle *ret);
/* What @handle stands for in @root's mount: an owned path. -ESTALE, -ENOMEM. */
int vfs_handle_find(
	const struct path *root, const struct vfs_handle *handle, struct path *ret_path);

#endif
