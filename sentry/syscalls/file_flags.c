/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of lsattr(1) and chattr(1) (ioctl_iflags(2)), which Linux' tmpfs has and the others
 * here have not. "No dump" and "no access time" are only kept; "immutable" is the inode's;
 * append-only is not enforced anywhere, so it cannot be set.
 */
#include "sentry/syscalls/file_flags.h"

#include <errno.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "abi/stat.h"

#define FLAGS_SETTABLE (LX_FS_IMMUTABLE_FL | LX_FS_NODUMP_FL | LX_FS_NOATIME_FL)

/* vfs_fileattr_set(), shmem_fileattr_set() */
static int64_t set_flags(struct task *t, struct inode *inode, uint32_t flags)
{
	if (!inode_owner_or_capable(inode, t->cred))
		return -EPERM;
	if (((flags ^ inode->attr_flags) & (LX_FS_IMMUTABLE_FL | LX_FS_APPEND_FL)) &&
		!cred_capable(t->cred, LX_CAP_LINUX_IMMUTABLE))
		return -EPERM;
	if (flags & ~(uint32_t)FLAGS_SETTABLE)
		return -EOPNOTSUPP;
	inode->attr_flags = flags;
	inode->immutable = flags & LX_FS_IMMUTABLE_FL;
	inode_touch_ctime(inode);
	return 0;
}

int64_t file_flags_ioctl(struct task *t, struct file *file, unsigned request, gaddr_t arg)
{
	struct inode *inode = file->inode;
	uint32_t flags = inode->attr_flags;
	int err;

	if (inode->sb->magic != LX_TMPFS_MAGIC ||
		(!LX_S_ISREG(inode->mode) && !LX_S_ISDIR(inode->mode)))
		return -ENOIOCTLCMD;
	if (request == LX_FS_IOC_GETFLAGS)
		return guest_write_value(t, arg, &flags);
	err = guest_read_value(t, &flags, arg);
	if (err == 0 && file->path.mount && (file->path.mount->read_only || inode->sb->read_only))
		err = -EROFS;
	return err < 0 ? err : set_flags(t, inode, flags);
}
