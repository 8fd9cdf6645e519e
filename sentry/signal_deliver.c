/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "abi/errno.h"
#include "abi/wait.h"
#include "sentry/observe.h"
#include "sentry/task_private.h"
#include "sentry/trace.h"

/*
 * Acting on signals, on the thread's own fiber and before it goes back to guest code (kernel
 * get_signal(), handle_signal(), do_signal_stop()).
 *
 * A call that was interrupted left one of the ERESTART codes in rax. What becomes of it depends on
 * what is found here: a handler turns it into EINTR or, with SA_RESTART, a repetition after the
 * handler; without one the call starts again, so that a stop and continue is not seen by the
 * program (signal(7), "Interruption of system calls").
 */

#define NR_RESTART_SYSCALL 219
#define SYSCALL_INSN_SIZE  2
#define NO_CALL		   UINT64_MAX

/* ---- job control stops ---------------------------------------------------------------------- */

bool group_stop_participate(struct task *task)
{
	struct thread_group *group = task->group;

	if (!task->stop_pending)
		return false;
	task->stop_pending = false;
	if (--group->stop_count > 0 || group->exiting || group->stopped)
		return false;
	group->stopped = true;
	group->stop_reported = false;
	return true;
}

void signal_stop_left(struct task *task)
{
	if (group_stop_participate(task))
		group_notify_stop(task->group, LX_CLD_STOPPED, task->group->stop_signo);
}

/* do_signal_stop(). A stopped process can stop again: a tracer may have let @self go on. */
static void stop_begin(struct task *self, int signo)
{
	struct thread_group *group = self->group;
	struct task *task;

	if (group->stop_count > 0)
		return;
	if (!group->stopped)
		group->stop_signo = signo;
	group->continued_pending = false;
	list_for_each_entry (task, &group->tasks, group_link) {
		if (task->exited || task->killed || task->parked)
			continue;
		task->stop_pending = true;
		group->stop_count++;
		if (task != self)
			trace_notify_trap(task);
		signal_wake(task);
	}
}

static void stop_park(struct task *task)
{
	struct thread_group *group = task->group;

	signal_stop_left(task);
	task->parked = true;
	while ((group->stopped || group->stop_count > 0) && !task->killed && !trace_pending(task))
		wait_sleep_serving(&group->stop_queue, WAIT_FOREVER);
	task->parked = false;
	signal_recalculate(task);
}

/* ---- the next signal to act on -------------------------------------------------------------- */

/* Default actions. True when @signo ended or stopped something, false when it is to be ignored. */
static void default_action(struct task *task, int signo)
{
	struct thread_group *group = task->group;
	uint64_t mask = LX_SIGMASK(signo);

	if (mask & SIGNALS_IGNORED)
		return;
	if (group->unkillable && !(mask & SIGNALS_UNBLOCKABLE))
		return;
	if (mask & SIGNALS_STOP) {
		/* An orphaned group could not be continued: only SIGSTOP stops it (POSIX). */
		if (signo != LX_SIGSTOP && pgrp_is_orphaned(group->pgrp))
			return;
		/* JOBCTL_STOP_DEQUEUED: a tracer may have made it a stop after a SIGCONT. */
		if (task->may_stop)
			stop_begin(task, signo);
		return;
	}
	group_exit(group, LX_WSTATUS_SIGNAL(signo));
}

/* A signal with a handler, or 0. Stops and ends the task on the way; look at task->killed after.
 * May sleep. */
static int next_handled(
	struct task *task, struct lx_sigaction *ret_action, struct lx_siginfo *ret_info)
{
	for (;;) {
		struct lx_sigaction *action;
		int signo;

		if (task->killed)
			return 0;
		if (task->tracer) {
			if (trace_jobs(task))
				continue;
		} else if (task->stop_pending) {
			stop_park(task);
			continue;
		}
		signo = signal_dequeue(task, task->blocked, ret_info);
		if (signo == 0)
			return 0;
		task->may_stop = true;
		if (task->tracer && signo != LX_SIGKILL)
			signo = trace_signal(task, signo, ret_info);
		if (signo == 0)
			continue;
		if (observe_on())
			observe_signal(task, signo);
		action = &task->group->sighand->action[signo - 1];
		if (action->handler == LX_SIG_IGN)
			continue;
		if (action->handler == LX_SIG_DFL) {
			default_action(task, signo);
			continue;
		}
		*ret_action = *action;
		if (action->flags & LX_SA_RESETHAND)
			action->handler = LX_SIG_DFL;
		return signo;
	}
}

/* ---- restarts ------------------------------------------------------------------------------- */

static void restart_call(struct platform_thread *thread, uint64_t nr)
{
	struct guest_regs *regs = platform_regs(thread);

	regs->rax = nr;
	regs->rip -= SYSCALL_INSN_SIZE;
}

/* The interrupted call, when a handler is about to run. */
static void restart_for_handler(struct platform_thread *thread, const struct lx_sigaction *action)
{
	struct guest_regs *regs = &thread->regs;

	if (regs->orig_rax == NO_CALL)
		return;
	switch (-(int64_t)regs->rax) {
	case ERESTARTSYS:
		if (!(action->flags & LX_SA_RESTART)) {
			regs->rax = (uint64_t)-EINTR;
			break;
		}
		__attribute__((fallthrough));
	case ERESTARTNOINTR:
		restart_call(thread, regs->orig_rax);
		break;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		regs->rax = (uint64_t)-EINTR;
		break;
	default:
		break;
	}
	regs->orig_rax = NO_CALL;
	thread->regs_dirty = true;
}

/* The interrupted call, when no handler ran. */
static void restart_without_handler(struct platform_thread *thread)
{
	struct guest_regs *regs = &thread->regs;

	if (regs->orig_rax == NO_CALL)
		return;
	switch (-(int64_t)regs->rax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		restart_call(thread, regs->orig_rax);
		break;
	case ERESTART_RESTARTBLOCK:
		restart_call(thread, NR_RESTART_SYSCALL);
		break;
	default:
		return;
	}
	regs->orig_rax = NO_CALL;
	thread->regs_dirty = true;
}

/* ---- delivery ------------------------------------------------------------------------------- */

/* force_sigsegv(): a SIGSEGV handler that cannot be entered must not be tried again. */
static void cannot_enter(struct task *task, int signo)
{
	if (signo == LX_SIGSEGV)
		task->group->sighand->action[LX_SIGSEGV - 1].handler = LX_SIG_DFL;
	signal_force_simple(task, LX_SIGSEGV);
}

/* Enters one handler. The frame keeps the mask that a call replaced for its duration, if one did.
 */
static void enter_handler(
	struct task *task, const struct lx_sigaction *action, const struct lx_siginfo *info)
{
	uint64_t saved = task->restore_blocked ? task->saved_blocked : task->blocked;
	uint64_t blocked = task->blocked | action->mask;
	int r;

	restart_for_handler(task->thread, action);
	if (task->tracer)
		trace_drop_trap_flag(task);
	task->unframed.signo = info->signo;
	task->unframed.regs = *platform_regs(task->thread);
	task->unframed.blocked = task->blocked;
	task->unframed.saved_blocked = task->saved_blocked;
	task->unframed.restore_blocked = task->restore_blocked;
	task->unframed.sigaltstack = task->sigaltstack;
	r = sigframe_setup(task, action, info, saved);
	if (r < 0) {
		cannot_enter(task, info->signo);
		return;
	}
	task->restore_blocked = false;
	/* A call to be restarted by restart_syscall(2) never is, once a handler ran. */
	task->restart.fn = NULL;
	if (!(action->flags & LX_SA_NODEFER))
		blocked |= LX_SIGMASK(info->signo);
	signal_set_blocked(task, blocked);
}

void signal_frame_refused(struct task *task)
{
	if (!task->unframed.pending)
		return;
	task->unframed.pending = false;
	*platform_regs(task->thread) = task->unframed.regs;
	task->thread->regs.orig_rax = NO_CALL;
	task->thread->regs_dirty = true;
	task->saved_blocked = task->unframed.saved_blocked;
	task->restore_blocked = task->unframed.restore_blocked;
	task->sigaltstack = task->unframed.sigaltstack;
	signal_set_blocked(task, task->unframed.blocked);
	cannot_enter(task, task->unframed.signo);
}

/* One frame at a time: the next one may lie on top of it. */
static void settle_frame(struct task *task)
{
	if (!task->unframed.pending)
		return;
	if (platform->signal_frame_flush(task->thread) == -EFAULT)
		signal_frame_refused(task);
	task->unframed.pending = false;
}

void signal_deliver(struct task *task)
{
	do {
		struct lx_sigaction action;
		struct lx_siginfo info;
		int signo = next_handled(task, &action, &info);

		if (task->killed)
			return;
		signal_recalculate(task);
		if (signo) {
			enter_handler(task, &action, &info);
			if (task->signal_wake || task->tracer)
				settle_frame(task);
			trace_handler_entered(task);
			continue;
		}
		restart_without_handler(task->thread);
		signal_restore_mask(task);
	} while (task->signal_wake);
}
