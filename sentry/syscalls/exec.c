/* SPDX-License-Identifier: Apache-2.0 */
/* execve(2), execveat(2): names and strings from the guest; do_execve() does the rest. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/resource.h"
#include "base/cleanup.h"
#include "loader/loader.h"
#include "sentry/exec.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"

/* A program always gets at least one argument (since Linux 5.18); all strings together have a
 * limit. */
static int finish_strings(
	struct task *t, const char *path, struct exec_strings *argv, struct exec_strings *envp)
{
	uint64_t limit;
	int err = 0;

	if (argv->count == 0)
		err = exec_strings_append(argv, "", 1);
	if (err < 0)
		return err;
	limit = stack_string_limit(task_rlimit(t, LX_RLIMIT_STACK), argv->count, envp->count);
	if (argv->size + envp->size + strlen(path) + 1 > limit)
		return -E2BIG;
	return 0;
}

static int64_t exec_opened(
	struct task *t, struct file *file, const char *path, gaddr_t argv, gaddr_t envp, int flags)
{
	struct exec_strings arguments = {0}, environment = {0};
	int64_t ret;

	ret = exec_strings_read(t, argv, &arguments);
	if (ret == 0)
		ret = exec_strings_read(t, envp, &environment);
	if (ret == 0)
		ret = finish_strings(t, path, &arguments, &environment);
	if (ret == 0)
		ret = do_execve(t, file, path, &arguments, &environment, flags);
	exec_strings_free(&arguments);
	exec_strings_free(&environment);
	return ret;
}

int64_t sys_execve(struct task *t, gaddr_t pathname, gaddr_t argv, gaddr_t envp)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	_cleanup_free_ char *path = NULL;
	int err;

	err = guest_read_path(t, pathname, &path);
	if (err == 0)
		err = exec_open(t, NULL, path, WALK_FOLLOW, &file);
	if (err < 0)
		return err;
	return exec_opened(t, file, path, argv, envp, 0);
}

/* What the program sees as its name when it was found through a descriptor (alloc_bprm()). */
static char *descriptor_name(int dirfd, const char *path)
{
	char *name;

	if (asprintf(&name, "/dev/fd/%d%s%s", dirfd, *path ? "/" : "", path) < 0)
		return NULL;
	return name;
}

int64_t sys_execveat(
	struct task *t, int dirfd, gaddr_t pathname, gaddr_t argv, gaddr_t envp, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL, *base = NULL;
	unsigned walk = flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	_cleanup_free_ char *path = NULL, *name = NULL;
	int err, exec_flags = 0;

	if (flags & ~(unsigned)(LX_AT_EMPTY_PATH | LX_AT_SYMLINK_NOFOLLOW | LX_AT_EXECVE_CHECK))
		return -EINVAL;
	err = guest_read_path(t, pathname, &path);
	if (err < 0)
		return err;
	if (*path == '\0' && !(flags & LX_AT_EMPTY_PATH))
		return -ENOENT;
	if (flags & LX_AT_EMPTY_PATH)
		walk |= WALK_EMPTY;
	if (*path != '/' && dirfd != LX_AT_FDCWD) {
		base = fd_get_any(t->files, dirfd);
		if (!base)
			return -EBADF;
		name = descriptor_name(dirfd, path);
		if (!name)
			return -ENOMEM;
		if (fd_get_flags(t->files, dirfd) > 0)
			exec_flags |= EXEC_PATH_INACCESSIBLE;
		if (*path == '\0')
			exec_flags |= EXEC_NAME_FROM_DENTRY;
	}
	err = exec_open(t, base ? &base->path : NULL, path, walk, &file);
	if (err < 0)
		return err;
	if (flags & LX_AT_EXECVE_CHECK)
		return 0;
	return exec_opened(t, file, name ? name : path, argv, envp, exec_flags);
}
