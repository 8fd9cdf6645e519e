/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/syscalls/path.h"
#include "sentry/task_private.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/limits.h"
#include "abi/mman.h"
#include "abi/signal.h"
#include "sentry/mm.h"

/* Nearly every call with a name needs one of these, once. */
#define NAMES_KEPT 4
static char *kept_names[NAMES_KEPT];
static unsigned kept_count;

static char *name_get(void)
{
	return kept_count ? kept_names[--kept_count] : malloc(LX_PATH_MAX);
}

static void name_put(char *name)
{
	if (name && kept_count < NAMES_KEPT)
		kept_names[kept_count++] = name;
	else
		free(name);
}

int at_name_read(struct task *t, int dirfd, gaddr_t name, unsigned walk_flags, struct at_name *ret)
{
	_cleanup_at_ struct at_name at = {.name = name_get()};
	struct file *file;
	ssize_t length;

	if (!at.name)
		return -ENOMEM;
	length = guest_read_string(t, at.name, name, LX_PATH_MAX);
	if (length < 0)
		return (int)length;
	if (!at.name[0] && !(walk_flags & WALK_EMPTY))
		return -ENOENT;
	if (dirfd != LX_AT_FDCWD && (at.name[0] != '/' || (walk_flags & WALK_IN_ROOT))) {
		file = fd_get_any(t->files, dirfd);
		if (!file)
			return -EBADF;
		at.base = file->path;
		path_ref(&at.base);
		file_unref(file);
	}
	*ret = at;
	at = (struct at_name){0};
	return 0;
}

void at_name_put(struct at_name *at)
{
	name_put(at->name);
	at->name = NULL;
	path_unref(&at->base);
}

int at_walk(struct task *t, int dirfd, gaddr_t name, unsigned walk_flags, struct path *ret)
{
	_cleanup_at_ struct at_name at = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err = at_name_read(t, dirfd, name, walk_flags, &at);

	return err < 0 ? err : path_walk(&ctx, at_base(&at), at.name, walk_flags, ret);
}

static void send_signal(struct task *t, int signo)
{
	struct lx_siginfo info;

	signal_info_user(&info, signo, LX_SI_USER, t);
	(void)signal_send_task(t, &info);
}

void signal_failed_write(struct task *t, int64_t result, bool fsize_hit)
{
	if (result == -EPIPE)
		send_signal(t, LX_SIGPIPE);
	if (result == -EFBIG && fsize_hit)
		send_signal(t, LX_SIGXFSZ);
}

bool guest_range_ok(gaddr_t addr, uint64_t size)
{
	return addr.v <= LX_TASK_SIZE && size <= LX_TASK_SIZE - addr.v;
}

/* Larger ones pay for exchanges of their own anyway. */
#define DEFERRED_SIZE_MAX (4u << 20)

bool guest_buffer_writable(const struct task *t, gaddr_t addr, uint64_t size)
{
	uint64_t at = addr.v;

	if (size > DEFERRED_SIZE_MAX)
		return false;
	while (at < addr.v + size) {
		const struct vma *vma = mm_find(t->mm, at);

		if (!vma || vma->start > at || !(vma->prot & LX_PROT_WRITE))
			return false;
		at = vma->end;
	}
	return true;
}
