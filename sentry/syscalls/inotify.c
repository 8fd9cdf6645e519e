/* SPDX-License-Identifier: Apache-2.0 */
/* inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2) */
#include <errno.h>

#include "abi/fcntl.h"
#include "base/cleanup.h"
#include "sentry/syscalls/anon_fd.h"
#include "sentry/syscalls_gen.h"
#include "vfs/anon.h"

#define INOTIFY_BITS                                                                               \
	(LX_IN_ALL_EVENTS | LX_IN_UNMOUNT | LX_IN_Q_OVERFLOW | LX_IN_IGNORED | LX_IN_ONLYDIR |     \
		LX_IN_DONT_FOLLOW | LX_IN_EXCL_UNLINK | LX_IN_MASK_ADD | LX_IN_MASK_CREATE |       \
		LX_IN_ISDIR | LX_IN_ONESHOT)

static int64_t do_inotify_init(struct task *t, unsigned flags)
{
	struct file *file;
	int err;

	if (flags & ~(unsigned)(LX_IN_CLOEXEC | LX_IN_NONBLOCK))
		return -EINVAL;
	err = inotify_new(flags & LX_IN_NONBLOCK ? LX_O_NONBLOCK : 0, &file);
	if (err < 0)
		return err;
	return install_new_file(t, file, flags & LX_IN_CLOEXEC);
}

int64_t sys_inotify_init(struct task *t)
{
	return do_inotify_init(t, 0);
}

int64_t sys_inotify_init1(struct task *t, unsigned flags)
{
	return do_inotify_init(t, flags);
}

static int64_t add_watch(struct task *t, struct file *file, const char *name, uint32_t mask)
{
	struct vfs_ctx ctx = task_vfs_ctx(t);
	_cleanup_(path_unref) struct path path = {0};
	unsigned walk = 0;
	int err;

	if (!(mask & LX_IN_DONT_FOLLOW))
		walk |= WALK_FOLLOW;
	if (mask & LX_IN_ONLYDIR)
		walk |= WALK_DIRECTORY;
	err = path_walk(&ctx, NULL, name, walk, &path);
	if (err < 0)
		return err;
	err = inode_permission(path.dentry->inode, VFS_MAY_READ, &ctx);
	if (err < 0)
		return err;
	tasks_forget_opened();
	return inotify_add(file, path.dentry->inode, mask);
}

int64_t sys_inotify_add_watch(struct task *t, int fd, gaddr_t pathname, unsigned mask)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	_cleanup_free_ char *name = NULL;
	int err;

	if ((mask & ~INOTIFY_BITS) || !(mask & INOTIFY_BITS))
		return -EINVAL;
	file = fd_get(t->files, fd);
	if (!file)
		return -EBADF;
	if ((mask & LX_IN_MASK_ADD) && (mask & LX_IN_MASK_CREATE))
		return -EINVAL;
	if (!file_is_inotify(file))
		return -EINVAL;
	err = guest_read_path(t, pathname, &name);
	if (err < 0)
		return err;
	return add_watch(t, file, name, mask);
}

int64_t sys_inotify_rm_watch(struct task *t, int fd, int wd)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);

	return file ? inotify_remove(file, wd) : -EBADF;
}
