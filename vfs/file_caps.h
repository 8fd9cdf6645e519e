/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_FILE_CAPS_H
#define SENTRY_VFS_FILE_CAPS_H

#include "vfs/vfs.h"

/* Capabilities of files (capabilities(7), "File capabilities"; kernel security/commoncap.c). */
struct file_caps {
	uint64_t permitted, inheritable;
	bool effective;
};

/*
 * What the program in @inode gives to those who live in @user_ns. -ENODATA: nothing; -EINVAL: what
 * is there cannot be read. May sleep.
 */
int file_caps_get(struct inode *inode, const struct user_ns *user_ns, struct file_caps *ret);

/* security.capability as @cred wants to set it on @inode, as it is kept: into @kept,
 * LX_VFS_CAP_SIZE_3 bytes. Returns its size; -EINVAL, -EPERM (cap_convert_nscap()). */
ssize_t file_caps_from_user(const struct inode *inode, const struct cred *cred, const void *value,
	size_t size, void *kept);
/* The other way (cap_inode_getsecurity()). -EOVERFLOW: they are another namespace's. */
ssize_t file_caps_to_user(
	const struct cred *cred, const void *kept, size_t kept_size, void *value, size_t size);
/* Who changes a file's content, or its owner, takes its capabilities away. Its mutex is held. */
void file_caps_kill(struct inode *inode);

#endif
