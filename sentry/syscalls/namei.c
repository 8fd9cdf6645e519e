/* SPDX-License-Identifier: Apache-2.0 */
/* rename(2), link(2), symlink(2), unlink(2), mknod(2) and their forms */
#include <errno.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"

int64_t sys_renameat2(struct task *t, int olddirfd, gaddr_t oldpath, int newdirfd, gaddr_t newpath,
	unsigned flags)
{
	_cleanup_at_ struct at_name old = {0}, new = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err;

	if (flags & ~(unsigned)(LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE | LX_RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & LX_RENAME_EXCHANGE) && (flags & (LX_RENAME_NOREPLACE | LX_RENAME_WHITEOUT)))
		return -EINVAL;
	err = at_name_read(t, olddirfd, oldpath, 0, &old);
	if (err >= 0)
		err = at_name_read(t, newdirfd, newpath, 0, &new);
	if (err < 0)
		return err;
	return vfs_rename(&ctx, at_base(&old), old.name, at_base(&new), new.name, flags);
}

int64_t sys_renameat(struct task *t, int olddirfd, gaddr_t oldpath, int newdirfd, gaddr_t newpath)
{
	return sys_renameat2(t, olddirfd, oldpath, newdirfd, newpath, 0);
}

int64_t sys_rename(struct task *t, gaddr_t oldpath, gaddr_t newpath)
{
	return sys_renameat2(t, LX_AT_FDCWD, oldpath, LX_AT_FDCWD, newpath, 0);
}

/* What AT_EMPTY_PATH begins at has to be the caller's own, or he has CAP_DAC_READ_SEARCH over its
 * opener (path_init(), LOOKUP_LINKAT_FD). */
static bool may_link_from(struct task *t, int fd)
{
	struct file *file = fd_get_any(t->files, fd);
	bool may;

	if (!file)
		return true; /* AT_FDCWD, or the name is an absolute one */
	may = file->cred == t->cred ||
	      cred_ns_capable(t->cred, file->cred->user_ns, LX_CAP_DAC_READ_SEARCH);
	file_unref(file);
	return may;
}

int64_t sys_linkat(struct task *t, int olddirfd, gaddr_t oldpath, int newdirfd, gaddr_t newpath,
	unsigned flags)
{
	_cleanup_at_ struct at_name old = {0}, new = {0};
	_cleanup_path_ struct path path = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	unsigned walk_flags;
	int err;

	if (flags & ~(unsigned)(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	walk_flags = (flags & LX_AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) |
		     (flags & LX_AT_EMPTY_PATH ? WALK_EMPTY : 0);
	err = at_name_read(t, olddirfd, oldpath, walk_flags, &old);
	if (err < 0)
		return err;
	if ((flags & LX_AT_EMPTY_PATH) && old.name[0] != '/' && !may_link_from(t, olddirfd))
		return -ENOENT;
	err = path_walk(&ctx, at_base(&old), old.name, walk_flags, &path);
	if (err >= 0)
		err = at_name_read(t, newdirfd, newpath, 0, &new);
	return err < 0 ? err : vfs_link(&ctx, &path, at_base(&new), new.name);
}

int64_t sys_link(struct task *t, gaddr_t oldpath, gaddr_t newpath)
{
	return sys_linkat(t, LX_AT_FDCWD, oldpath, LX_AT_FDCWD, newpath, 0);
}

int64_t sys_symlinkat(struct task *t, gaddr_t target, int newdirfd, gaddr_t linkpath)
{
	_cleanup_at_ struct at_name at = {0};
	_cleanup_free_ char *text = NULL;
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err = guest_read_path(t, target, &text);

	if (err < 0)
		return err;
	if (!text[0])
		return -ENOENT;
	err = at_name_read(t, newdirfd, linkpath, 0, &at);
	return err < 0 ? err : vfs_symlink(&ctx, text, at_base(&at), at.name);
}

int64_t sys_symlink(struct task *t, gaddr_t target, gaddr_t linkpath)
{
	return sys_symlinkat(t, target, LX_AT_FDCWD, linkpath);
}

int64_t sys_unlinkat(struct task *t, int dirfd, gaddr_t pathname, unsigned flags)
{
	_cleanup_at_ struct at_name at = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err;

	if (flags & ~(unsigned)LX_AT_REMOVEDIR)
		return -EINVAL;
	err = at_name_read(t, dirfd, pathname, 0, &at);
	if (err < 0)
		return err;
	return flags ? vfs_rmdir(&ctx, at_base(&at), at.name)
		     : vfs_unlink(&ctx, at_base(&at), at.name);
}

int64_t sys_unlink(struct task *t, gaddr_t pathname)
{
	return sys_unlinkat(t, LX_AT_FDCWD, pathname, 0);
}

/* may_mknod() */
static int check_node_type(unsigned mode)
{
	switch (mode & LX_S_IFMT) {
	case 0:
	case LX_S_IFREG:
	case LX_S_IFCHR:
	case LX_S_IFBLK:
	case LX_S_IFIFO:
	case LX_S_IFSOCK:
		return 0;
	case LX_S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

int64_t sys_mknodat(struct task *t, int dirfd, gaddr_t pathname, unsigned mode, unsigned dev)
{
	_cleanup_at_ struct at_name at = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err = check_node_type(mode);

	if (err >= 0)
		err = at_name_read(t, dirfd, pathname, 0, &at);
	return err < 0 ? err : vfs_mknod(&ctx, at_base(&at), at.name, mode, dev);
}

int64_t sys_mknod(struct task *t, gaddr_t pathname, unsigned mode, unsigned dev)
{
	return sys_mknodat(t, LX_AT_FDCWD, pathname, mode, dev);
}
