/* SPDX-License-Identifier: Apache-2.0 */
/* memfd_create(2): a tmpfs file that never had a name (kernel mm/memfd.c). */
#include <errno.h>
#include <stdio.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "vfs/anon.h"

static int set_first_seals(struct inode *inode, unsigned flags)
{
	/* A file without F_SEAL_SEAL is one that may be sealed. */
	if (flags & LX_MFD_NOEXEC_SEAL)
		return tmpfs_set_seals(inode, LX_F_SEAL_EXEC);
	return tmpfs_set_seals(inode, flags & LX_MFD_ALLOW_SEALING ? 0 : LX_F_SEAL_SEAL);
}

int memfd_new(const char *name, unsigned flags, struct cred *cred, struct file **ret)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	uint32_t mode = flags & LX_MFD_NOEXEC_SEAL ? 0666 : 0777;
	char full_name[LX_NAME_MAX + 32];
	struct super_block *sb;
	struct path path;
	int err;

	err = tmpfs_internal(&sb);
	if (err < 0)
		return err;
	err = tmpfs_new_file(sb, LX_S_IFREG | mode, cred, &inode);
	if (err < 0)
		return err;
	err = set_first_seals(inode, flags);
	if (err < 0)
		return err;
	snprintf(full_name, sizeof(full_name), "/memfd:%s (deleted)", name);
	err = dentry_new_anonymous(inode, full_name, &dentry);
	if (err < 0)
		return err;
	path = (struct path){.dentry = dentry};
	return file_new(&path, inode->file_ops, LX_O_RDWR | LX_O_LARGEFILE, cred, ret);
}
