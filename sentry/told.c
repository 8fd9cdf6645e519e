/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that a guest's thread has answered itself and tells of with its next event: they are done
 * here before that event is looked at (platform/inguest.h, stub/told.c).
 *
 * They are claims, as calls are. Whatever one says is done or left out by the rules of the call
 * that it stands for, and nothing that it could make us do is more than the thread could ask for:
 * closing, seeking, moving its break, setting its actions. A break that is not backed by memory, or
 * memory that no list has, is the guest's own confusion; it can have both without us.
 */
#include <errno.h>

#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/resource.h"
#include "abi/signal.h"
#include "abi/syscall_nr.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/observe.h"
#include "sentry/shared_names.h"
#include "sentry/task_private.h"

static void seek(struct task *task, const struct platform_told *told)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(task->files, (int)told->args[0]);

	/* Of a read that found its bytes, perhaps. */
	if (task->opened_told && task->opened_fd == (int)told->args[0])
		task->content_unused = 0;
	if (file)
		(void)file_seek(file, (int64_t)told->args[1], LX_SEEK_SET);
}

static void set_actions(struct task *task, const struct platform_told *told)
{
	const struct lx_sigaction action = {.handler = told->args[1],
		.flags = told->args[2],
		.restorer = told->args[3],
		.mask = told->args[4]};
	const uint64_t set = told->args[0] & ~SIGNALS_UNBLOCKABLE;

	for (int signo = 1; signo <= LX_NSIG; signo++)
		if (set & LX_SIGMASK(signo))
			(void)signal_set_action(task, signo, &action);
}

/* By its name: nobody is told of a file whose name may come to mean another. */
static void open_known(struct task *task, const struct platform_told *told)
{
	const int allowed = LX_O_CLOEXEC | LX_O_LARGEFILE | LX_O_NOCTTY;
	const char *name = shared_file_name(told->args[1]);
	const int fd = (int)told->args[0], flags = (int)told->args[2];
	struct vfs_ctx ctx = task_vfs_ctx(task);
	struct file *file;

	if (!name || (flags & ~allowed) || fd_lowest_free(task->files, 0) != fd ||
		vfs_open(&ctx, NULL, name, flags | LX_O_LARGEFILE, 0, 0, &file) < 0)
		return;
	if (fd_install(task->files, file, 0, task_rlimit(task, LX_RLIMIT_NOFILE),
		    flags & LX_O_CLOEXEC) < 0)
		file_unref(file);
}

static void map(struct task *task, const struct platform_told *told)
{
	const int prot = (int)(uint32_t)told->args[2], flags = (int)(told->args[2] >> 32);
	_cleanup_(cleanup_file_unref) struct file *file = NULL;

	if (!(flags & LX_MAP_ANONYMOUS)) {
		file = fd_get(task->files, (int)told->args[3]);
		if (!file)
			return;
	}
	mm_told_map(task, told->args[0], told->args[1], prot, flags, file, told->args[4]);
}

static void do_told(struct task *task, const struct platform_told *told)
{
	switch (told->nr) {
	case LX_NR_close:
		(void)fd_close(task->files, (int)told->args[0], NULL);
		break;
	case LX_NR_lseek:
		seek(task, told);
		break;
	case LX_NR_brk:
		if (task->mm)
			mm_brk_moved(task, told->args[0]);
		break;
	case LX_NR_openat:
		open_known(task, told);
		break;
	case LX_NR_mmap:
		map(task, told);
		break;
	case LX_NR_munmap:
		mm_told_unmap(task, told->args[0], told->args[1]);
		break;
	case LX_NR_mprotect:
		mm_told_protect(task, told->args[0], told->args[1], (int)told->args[2]);
		break;
	case LX_NR_rt_sigaction:
		set_actions(task, told);
		break;
	default:
		break;
	}
}

/* What a filter judges does not come by here: its thread was told nothing, but may lie. */
void task_do_told(struct task *task)
{
	struct platform_thread *thread = task->thread;
	const unsigned count = thread->told_count;
	const int closed = thread->closed - 1;

	thread->told_count = 0;
	thread->closed = 0;
	if (!task->files || task->seccomp_mode)
		return;
	if (closed >= 0)
		(void)fd_close(task->files, closed, NULL);
	/* Nor what somebody looks at: it would not be seen. */
	if (observing)
		return;
	for (unsigned i = 0; i < count && task->thread == thread; i++)
		do_told(task, &thread->told[i]);
}
