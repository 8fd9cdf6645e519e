/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unshare(2), setns(2): a task stops sharing with its relatives. There is one namespace of each
 * kind, so asking for a new one is answered as by a kernel built without them.
 */
#include <errno.h>

#include "abi/cap.h"
#include "abi/sched.h"
#include "base/cleanup.h"
#include "sentry/ipc/ipc.h"
#include "sentry/mm.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"

#define NEW_NAMESPACES                                                                             \
	(LX_CLONE_NEWNS | LX_CLONE_NEWCGROUP | LX_CLONE_NEWUTS | LX_CLONE_NEWIPC |                 \
		LX_CLONE_NEWUSER | LX_CLONE_NEWPID | LX_CLONE_NEWNET | LX_CLONE_NEWTIME)
#define KNOWN                                                                                      \
	(LX_CLONE_THREAD | LX_CLONE_SIGHAND | LX_CLONE_VM | LX_CLONE_FS | LX_CLONE_FILES |         \
		LX_CLONE_SYSVSEM | NEW_NAMESPACES)

/* check_unshare_flags() */
static int check_unshare(const struct task *t, uint64_t flags)
{
	if (flags & ~(uint64_t)KNOWN)
		return -EINVAL;
	if (!(flags & (LX_CLONE_THREAD | LX_CLONE_SIGHAND | LX_CLONE_VM)))
		return 0;
	if (t->group->live_count > 1)
		return -EINVAL;
	if ((flags & (LX_CLONE_SIGHAND | LX_CLONE_VM)) && t->group->sighand->refs.count > 1)
		return -EINVAL;
	return (flags & LX_CLONE_VM) && t->mm->refs.count > 1 ? -EINVAL : 0;
}

int64_t sys_unshare(struct task *t, uint64_t flags)
{
	struct fs_context *fs = NULL, *old_fs = t->fs;
	struct fd_table *files = NULL, *old_files = t->files;
	int err;

	err = check_unshare(t, flags);
	if (err == 0 && (flags & NEW_NAMESPACES))
		err = cred_capable(t->cred, LX_CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	if (err == 0 && (flags & LX_CLONE_FS) && t->fs->refs.count > 1)
		err = fs_context_copy(t->fs, &fs);
	if (err == 0 && (flags & LX_CLONE_FILES) && fd_table_shared(t->files))
		err = fd_table_copy(t->files, &files);
	if (err < 0) {
		if (fs)
			fs_context_unref(fs);
		return err;
	}
	/* Nothing fails any more; letting go of the old ones may sleep. */
	if (fs)
		t->fs = fs;
	if (files)
		t->files = files;
	if (fs)
		fs_context_unref(old_fs);
	if (files)
		fd_table_unref(old_files);
	if (flags & LX_CLONE_SYSVSEM)
		sem_undo_exit(t);
	return 0;
}

/* No descriptor names a namespace: the links in /proc/PID/ns cannot be opened. */
int64_t sys_setns(struct task *t, int fd, unsigned nstype)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);

	return file ? -EINVAL : -EBADF;
}
