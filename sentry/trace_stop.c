/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stops of a traced task (kernel/signal.c ptrace_stop() and its callers; ptrace(2), "Stopped
 * states").
 *
 *	signal-delivery-stop	signal_deliver() has taken a signal: the tracer decides what of it
 *	group-stop		the process is stopped; seized tasks say PTRACE_EVENT_STOP
 *	PTRACE_INTERRUPT	PTRACE_EVENT_STOP too
 *	PTRACE_EVENT stops	within clone, execve and exit, or before a call (seccomp)
 *	syscall-stops		around dispatch
 *
 * In each of them the task's fiber sleeps in stop(). A kill ends it, but for the stop of
 * PTRACE_EVENT_EXIT, in which the task is being killed already: that takes another SIGKILL.
 *
 * A single step is the trap flag in the task's own registers, put there when it is resumed and
 * taken out when it stops; the platforms report the trap as any other fault. Calls are not stepped
 * by the processor: the trap behind one is ours, as it is Linux' (SYSCALL_WORK_SYSCALL_EXIT_TRAP).
 */
#include <errno.h>

#include "abi/wait.h"
#include "sentry/mm.h"
#include "sentry/mm_patch.h"
#include "sentry/task_private.h"
#include "sentry/trace.h"

#define EFLAGS_TRAP 0x100ull
#define SYSGOOD	    0x80

/* ---- the stop itself ------------------------------------------------------------------------ */

void trace_drop_trap_flag(struct task *task)
{
	if (!task->trace->trap_flag_ours)
		return;
	task->trace->trap_flag_ours = false;
	platform_regs(task->thread)->eflags &= ~EFLAGS_TRAP;
	task->thread->regs_dirty = true;
}

static bool may_stop(const struct task *task)
{
	return task->tracer && (!task->killed || task->trace->exiting);
}

static bool stays(const struct task *task)
{
	return task->trace->stopped && may_stop(task) && !task->trace->kill_exit;
}

/* What is to be done before the tracer may look. May sleep. */
static void prepare(struct task *task)
{
	if (!may_stop(task) || !task->thread)
		return;
	mm_settle(task);
	mm_unpatch(task);
}

/*
 * @code is what wait(2) shows behind 0x7f, @why CLD_TRAPPED or CLD_STOPPED. Returns what the tracer
 * wants to be delivered, or -1 when there was no stop.
 */
static int stop(struct task *task, int code, int why, uint64_t message, struct lx_siginfo *info)
{
	struct thread_group *group = task->group;
	struct trace *trace = task->trace;
	bool group_stopped = false;

	prepare(task);
	if (!may_stop(task))
		return -1;
	if (task->thread)
		trace_drop_trap_flag(task);
	trace->stopped = true;
	trace->listening = false;
	trace->kill_exit = false;
	trace->code = code;
	trace->message = message;
	trace->info = info;
	if (why == LX_CLD_STOPPED)
		group_stopped = group_stop_participate(task);
	trace->trap_stop = false;
	if (info && info->code >> 8 == LX_PTRACE_EVENT_STOP)
		trace->trap_notify = false;
	trace_notify(task, why);
	if (group_stopped && trace_reparented(task))
		group_notify_stop(group, LX_CLD_STOPPED, group->stop_signo);
	while (stays(task))
		wait_sleep_serving(&trace->queue, WAIT_FOREVER);
	trace->stopped = false;
	trace->listening = false;
	trace->info = NULL;
	/* Nobody looked at it, and nobody will. */
	if (!task->tracer && trace->code == code && !(why == LX_CLD_TRAPPED && code < LX_NSIG))
		trace->code = 0;
	code = trace->code;
	trace->code = 0;
	signal_recalculate(task);
	return code;
}

static void fill_info(const struct task *task, int signo, int code, struct lx_siginfo *ret)
{
	signal_info_user(ret, signo, code, task);
	ret->kill.pid = task_own_tid(task);
}

/* ptrace_notify() */
static int notify_trap(struct task *task, int code, uint64_t message)
{
	struct lx_siginfo info;

	fill_info(task, LX_SIGTRAP, code, &info);
	return stop(task, code, LX_CLD_TRAPPED, message, &info);
}

void trace_killed(struct task *task)
{
	if (task->tracer && task->trace->stopped)
		wait_queue_wake(&task->trace->queue, ~0u);
}

void trace_resume(struct task *task, int signo)
{
	struct trace *trace = task->trace;
	struct guest_regs *regs;

	trace->code = signo;
	if (trace->step && task->thread) {
		regs = platform_regs(task->thread);
		if (!(regs->eflags & EFLAGS_TRAP)) {
			regs->eflags |= EFLAGS_TRAP;
			task->thread->regs_dirty = true;
			trace->trap_flag_ours = true;
		}
	}
	trace->stopped = false;
	wait_queue_wake(&trace->queue, ~0u);
}

/* ---- group stops ---------------------------------------------------------------------------- */

void trace_notify_trap(struct task *task)
{
	struct trace *trace = task->trace;

	if (!task->tracer || !trace->seized || task->exited)
		return;
	trace->trap_notify = true;
	if (trace->stopped && trace->listening) {
		trace->stopped = false;
		trace->code = 0;
		wait_queue_wake(&trace->queue, ~0u);
	}
	signal_wake(task);
}

/* do_jobctl_trap() */
bool trace_jobs(struct task *task)
{
	struct thread_group *group = task->group;
	struct trace *trace = task->trace;
	struct lx_siginfo info;
	int signo;

	if (!task->stop_pending && !trace_pending(task))
		return false;
	/* First what sleeps: stops and continuations may come meanwhile. */
	prepare(task);
	if (!task->tracer)
		return true;
	signo = group->stop_signo;
	if (task->stop_pending)
		trace->trap_stop = true;
	if (!trace->trap_stop && !trace->trap_notify)
		return false;
	if (!trace->seized) {
		(void)stop(task, signo, LX_CLD_STOPPED, 0, NULL);
		return true;
	}
	if (!group->stopped && group->stop_count == 0)
		signo = LX_SIGTRAP;
	fill_info(task, signo, signo | LX_PTRACE_EVENT_STOP << 8, &info);
	(void)stop(task, info.code, LX_CLD_STOPPED, 0, &info);
	return true;
}

/* ---- signals -------------------------------------------------------------------------------- */

/* ptrace_signal() */
int trace_signal(struct task *task, int signo, struct lx_siginfo *info)
{
	int code = stop(task, signo, LX_CLD_TRAPPED, 0, info);

	if (code < 0)
		return signo;
	if (code == 0 || code > LX_NSIG)
		return 0;
	if (code != info->signo) {
		const struct task *from = task->tracer ? task->tracer : task;

		signal_info_user(info, code, LX_SI_USER, from);
	}
	if ((task->blocked & LX_SIGMASK(code)) || task->killed) {
		(void)signal_send_task(task, info);
		signal_recalculate(task);
		return 0;
	}
	return code;
}

/* ---- events --------------------------------------------------------------------------------- */

bool trace_wants(const struct task *task, int event)
{
	return task->tracer && (task->trace->options & 1u << event);
}

void trace_event(struct task *task, int event, uint64_t message)
{
	if (trace_wants(task, event))
		(void)notify_trap(task, LX_SIGTRAP | event << 8, message);
}

void trace_exec(struct task *task, int old_tid)
{
	struct lx_siginfo info;

	if (trace_wants(task, LX_PTRACE_EVENT_EXEC)) {
		trace_event(task, LX_PTRACE_EVENT_EXEC, (uint64_t)old_tid);
	} else if (task->tracer && !task->trace->seized) {
		signal_info_user(&info, LX_SIGTRAP, LX_SI_USER, task);
		(void)signal_send_task(task, &info);
	}
}

void trace_exit(struct task *task)
{
	if (!trace_wants(task, LX_PTRACE_EVENT_EXIT))
		return;
	task->trace->exiting = true;
	trace_event(task, LX_PTRACE_EVENT_EXIT,
		(uint32_t)(task->group->exiting ? task->group->exit_code : task->exit_code));
	task->trace->exiting = false;
}

/* signal_delivered() of a task that is stepped: its first instruction is the handler's. */
void trace_handler_entered(struct task *task)
{
	if (task->tracer && task->trace->step)
		(void)notify_trap(task, LX_SIGTRAP, 0);
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* ptrace_report_syscall(): what the tracer gives with PTRACE_CONT arrives as a signal. */
static void report_syscall(struct task *task, uint64_t message)
{
	int code = LX_SIGTRAP | (task->trace->options & LX_PTRACE_O_TRACESYSGOOD ? SYSGOOD : 0);

	code = notify_trap(task, code, message);
	if (code > 0 && code <= LX_NSIG) {
		const struct lx_siginfo info = {.signo = code, .code = LX_SI_KERNEL};

		(void)signal_send_task(task, &info);
	}
}

void trace_take_call(struct task *task)
{
	const struct guest_regs *regs = platform_regs(task->thread);
	uint64_t *args = task->event.syscall.args;

	task->event.syscall.nr = regs->orig_rax;
	args[0] = regs->rdi;
	args[1] = regs->rsi;
	args[2] = regs->rdx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
}

bool trace_syscall_entry(struct task *task)
{
	bool emulated = task->trace->resume == TRACE_EMULATE;

	if (task->trace->resume == TRACE_CONT)
		return true;
	report_syscall(task, LX_PTRACE_EVENTMSG_SYSCALL_ENTRY);
	return !emulated && !task->killed;
}

void trace_syscall_exit(struct task *task)
{
	struct trace *trace = task->trace;

	if (trace->resume == TRACE_SYSCALL) {
		report_syscall(task, LX_PTRACE_EVENTMSG_SYSCALL_EXIT);
	} else if (trace->step && trace->resume != TRACE_EMULATE) {
		const struct lx_siginfo info = {
			.signo = LX_SIGTRAP,
			.code = LX_TRAP_BRKPT,
			.fault.addr = platform_regs(task->thread)->rip,
		};

		signal_force(task, &info);
	}
}
