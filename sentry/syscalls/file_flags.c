/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of lsattr(1) and chattr(1) (ioctl_iflags(2), file_getattr(2)), which Linux' tmpfs has
 * and the others here have not. "No dump" and "no access time" are only kept; "immutable" is the
 * inode's; append-only is not enforced anywhere, so it cannot be set.
 */
#include "sentry/syscalls/file_flags.h"

#include <errno.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"

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

static bool has_flags(const struct inode *inode)
{
	return inode->sb->magic == LX_TMPFS_MAGIC &&
	       (LX_S_ISREG(inode->mode) || LX_S_ISDIR(inode->mode));
}

static int check_write(const struct path *path)
{
	return path->mount && (path->mount->read_only || path->dentry->inode->sb->read_only)
		       ? -EROFS
		       : 0;
}

int64_t file_flags_ioctl(struct task *t, struct file *file, unsigned request, gaddr_t arg)
{
	struct inode *inode = file->inode;
	uint32_t flags = inode->attr_flags;
	int err;

	if (!has_flags(inode))
		return -ENOIOCTLCMD;
	if (request == LX_FS_IOC_GETFLAGS)
		return guest_write_value(t, arg, &flags);
	err = guest_read_value(t, &flags, arg);
	if (err == 0)
		err = check_write(&file->path);
	return err < 0 ? err : set_flags(t, inode, flags);
}

/* ---- file_getattr(2), file_setattr(2) ------------------------------------------------------- */

/* The same flags by other numbers. */
static const struct {
	uint32_t flag, xflag;
} xflags[] = {
	{LX_FS_IMMUTABLE_FL, LX_FS_XFLAG_IMMUTABLE},
	{LX_FS_APPEND_FL, LX_FS_XFLAG_APPEND},
	{LX_FS_NOATIME_FL, LX_FS_XFLAG_NOATIME},
	{LX_FS_NODUMP_FL, LX_FS_XFLAG_NODUMP},
};

static int check_size(uint64_t size, unsigned at_flags)
{
	if (at_flags & ~(unsigned)(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	if (size > LX_PAGE_SIZE)
		return -E2BIG;
	return size < sizeof(struct lx_file_attr) ? -EINVAL : 0;
}

/* No name at all is the descriptor, with AT_EMPTY_PATH (getname_maybe_null()). */
static int walk_to(struct task *t, int dirfd, gaddr_t name, unsigned at_flags, struct path *ret)
{
	struct file *file;

	if (!gaddr_is_null(name) || !(at_flags & LX_AT_EMPTY_PATH))
		return at_walk(t, dirfd, name, at_walk_flags(at_flags), ret);
	file = dirfd == LX_AT_FDCWD ? NULL : fd_get(t->files, dirfd);
	if (!file && dirfd != LX_AT_FDCWD)
		return -EBADF;
	*ret = file ? file->path : t->fs->cwd;
	path_ref(ret);
	if (file)
		file_unref(file);
	return 0;
}

int64_t sys_file_getattr(
	struct task *t, int dirfd, gaddr_t pathname, gaddr_t addr, uint64_t size, unsigned at_flags)
{
	static const uint8_t zeros[LX_PAGE_SIZE];
	struct lx_file_attr attr = {0};
	_cleanup_path_ struct path path = {0};
	const struct inode *inode;
	int err = check_size(size, at_flags);

	if (err == 0)
		err = walk_to(t, dirfd, pathname, at_flags, &path);
	if (err < 0)
		return err;
	inode = path.dentry->inode;
	if (!has_flags(inode))
		return -EOPNOTSUPP;
	for (size_t i = 0; i < array_size(xflags); i++)
		if (inode->attr_flags & xflags[i].flag)
			attr.xflags |= xflags[i].xflag;
	err = guest_write(t, addr, &attr, sizeof(attr));
	if (err == 0 && size > sizeof(attr))
		err = guest_write(
			t, gaddr_add(addr, sizeof(attr)), zeros, (size_t)size - sizeof(attr));
	return err;
}

int64_t sys_file_setattr(
	struct task *t, int dirfd, gaddr_t pathname, gaddr_t addr, uint64_t size, unsigned at_flags)
{
	_cleanup_path_ struct path path = {0};
	struct lx_file_attr attr;
	uint32_t flags = 0;
	int err = check_size(size, at_flags);

	if (err == 0)
		err = guest_read_struct(t, &attr, sizeof(attr), addr, size);
	if (err < 0)
		return err;
	if (attr.xflags & ~(uint64_t)LX_FS_XFLAGS_KNOWN)
		return -EINVAL;
	for (size_t i = 0; i < array_size(xflags); i++)
		if (attr.xflags & xflags[i].xflag)
			flags |= xflags[i].flag;
	err = walk_to(t, dirfd, pathname, at_flags, &path);
	if (err == 0)
		err = check_write(&path);
	if (err < 0)
		return err;
	if (!has_flags(path.dentry->inode))
		return -EOPNOTSUPP;
	/* fileattr_has_fsx(): sizes of extents and projects are other file systems'. */
	if (attr.extsize || attr.projid || attr.cowextsize)
		return inode_owner_or_capable(path.dentry->inode, t->cred) ? -EOPNOTSUPP : -EPERM;
	return set_flags(t, path.dentry->inode, flags);
}
