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
#include "abi/signal.h"
#include "abi/syscall_nr.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/task_private.h"

static void seek(struct task *task, const struct platform_told *told)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(task->files, (int)told->args[0]);

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
	for (unsigned i = 0; i < count && task->thread == thread; i++)
		do_told(task, &thread->told[i]);
}
