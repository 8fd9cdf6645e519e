/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptrace(2) between guests: who traces whom (kernel/ptrace.c).
 *
 * The relation is between threads: task->tracer, and its list of tracees. It is bookkeeping of this
 * kernel alone. A tracee stops on its own fiber, on its way to or from the guest or within a call
 * (trace_stop.c); while it sleeps there, its registers (platform_regs()) stand still and others may
 * change them, and what needs its fiber (memory, the FPU) is sent there (remote.c). So this works
 * alike on all platforms, and asks nothing of the host.
 *
 * A traced task is answered nothing within the guest (inguest.c), results reach its memory and
 * registers at once (platform_thread.prompt), and its address space has no patched call sites:
 * what a debugger reads there are the program's own bytes, and where it writes nobody else does.
 * All of that begins with the first trace and ends with the last. Who is not traced pays for none
 * of it.
 *
 * A traced thread that ends stays as a zombie in its group until the tracer has waited for it. A
 * process whose tracer is not its parent is waited for twice: first by the tracer, then its parent
 * hears of it.
 *
 * Pid 1 is nobody who could wait: a process that asks it (PTRACE_TRACEME by an orphan) is told yes
 * and is not traced.
 */
#include "sentry/trace.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/sched.h"
#include "abi/time.h"
#include "sentry/mm.h"
#include "sentry/pid_ns.h"
#include "sentry/task_private.h"
#include "vfs/landlock.h"

/* ---- rights --------------------------------------------------------------------------------- */

/* __ptrace_may_access(), cap_ptrace_access_check() */
int trace_may_access(const struct task *caller, const struct task *target, enum trace_mode mode)
{
	bool fs_ids = mode == TRACE_FSCREDS;

	return task_may_inspect(caller, caller->cred, target, fs_ids) ? 0 : -EPERM;
}

/* ---- the relation --------------------------------------------------------------------------- */

static struct trace *trace_new(void)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	if (trace)
		wait_queue_init(&trace->queue);
	return trace;
}

void trace_free(struct task *task)
{
	if (!task->trace)
		return;
	wait_queue_destroy(&task->trace->queue);
	free(task->trace);
	task->trace = NULL;
}

static bool mm_is_traced(const struct mm *mm)
{
	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1))
		if (pid->task && pid->task->mm == mm && pid->task->tracer)
			return true;
	return false;
}

/* What is different for a traced task. */
static void relation_changed(struct task *task)
{
	if (task->thread)
		task->thread->prompt = task->tracer;
	if (task->mm && task->tracer)
		task->mm->traced = true;
	else if (task->mm && !mm_is_traced(task->mm))
		task->mm->traced = false;
	/* What the thread knows by itself may be untrue after a tracer changed its calls. */
	task_forget_opened(task);
	task_publish(task);
}

static void relate(struct task *task, struct task *tracer, bool seized, uint32_t options)
{
	struct trace *trace = task->trace;

	trace->seized = seized;
	trace->options = options;
	trace->resume = TRACE_CONT;
	trace->step = false;
	trace->message = 0;
	trace->trap_stop = trace->trap_notify = trace->listening = false;
	task->tracer = tracer;
	list_add_tail(&task->tracer_link, &tracer->tracees);
	relation_changed(task);
}

/* __ptrace_unlink(): what the task does from now on is for the caller to say. */
void trace_unlink(struct task *task)
{
	struct trace *trace = task->trace;

	if (!task->tracer)
		return;
	task->tracer = NULL;
	list_remove(&task->tracer_link);
	trace->trap_stop = trace->trap_notify = false;
	trace->resume = TRACE_CONT;
	trace->step = false;
	if (task->exited)
		return;
	if (trace->stopped && task->thread)
		trace_drop_trap_flag(task);
	relation_changed(task);
}

/* A live task that was let go: a group stop goes on without its tracer. */
static void release(struct task *task)
{
	struct thread_group *group = task->group;
	struct trace *trace = task->trace;

	trace_unlink(task);
	if ((group->stopped || group->stop_count > 0) && !task->stop_pending && !task->killed) {
		task->stop_pending = true;
		group->stop_count++;
	}
	trace->stopped = false;
	wait_queue_wake(&trace->queue, ~0u);
	signal_recalculate(task);
}

bool trace_reparented(const struct task *task)
{
	return task->tracer && task->tracer->group != task->group->parent;
}

int trace_me(struct task *task)
{
	struct thread_group *parent = task->group->parent;
	struct task *tracer = task->group->parent_task;

	if (task->tracer || (task->trace && task->trace->by_init))
		return -EPERM;
	if (!parent)
		return -EPERM;
	if (!task->trace)
		task->trace = trace_new();
	if (!task->trace)
		return -ENOMEM;
	if (parent == reaper_group) {
		task->trace->by_init = true;
		return 0;
	}
	if (!tracer || tracer->exited)
		return -EPERM;
	/* cap_ptrace_traceme() */
	if ((task->cred->user_ns != tracer->cred->user_ns ||
		    (task->cred->cap_permitted & ~tracer->cred->cap_permitted)) &&
		!cred_ns_capable(tracer->cred, task->cred->user_ns, LX_CAP_SYS_PTRACE))
		return -EPERM;
	if (!landlock_may_trace(tracer->cred, task->cred)) /* hook_ptrace_traceme() */
		return -EPERM;
	relate(task, tracer, false, 0);
	return 0;
}

int trace_attach(struct task *tracer, struct task *task, bool seize, uint32_t options)
{
	const struct lx_siginfo stop = {.signo = LX_SIGSTOP, .code = LX_SI_KERNEL};
	int r;

	if (task->group == tracer->group || task->group == reaper_group || !task->fiber)
		return -EPERM;
	r = trace_may_access(tracer, task, TRACE_REALCREDS);
	if (r < 0)
		return r;
	if (task->exited || task->killed || task->tracer)
		return -EPERM;
	if (!task->trace)
		task->trace = trace_new();
	if (!task->trace)
		return -ENOMEM;
	relate(task, tracer, seize, options);
	if (!seize)
		(void)signal_send_task(task, &stop);
	/* Who is stopped changes to the tracer's kind of stop. */
	if (task->parked) {
		task->trace->trap_stop = true;
		signal_wake(task);
		wait_queue_wake(&task->group->stop_queue, ~0u);
	}
	return 0;
}

void trace_detach(struct task *task, int signo)
{
	task->trace->code = signo;
	release(task);
}

/* A zombie without tracer: a thread is forgotten, a process is its parent's. */
static void release_zombie(struct task *task)
{
	trace_unlink(task);
	if (task != task->group->leader)
		thread_reap(task);
	else if (task->group->zombie)
		group_notify_parent(task->group);
}

void trace_tracer_exits(struct task *tracer)
{
	const struct lx_siginfo kill = {.signo = LX_SIGKILL, .code = LX_SI_KERNEL};

	while (!list_empty(&tracer->tracees)) {
		struct task *task = list_first(&tracer->tracees, struct task, tracer_link);
		bool die = task->trace->options & LX_PTRACE_O_EXITKILL;

		if (task->exited) {
			release_zombie(task);
			continue;
		}
		release(task);
		if (die)
			(void)signal_send_task(task, &kill);
	}
}

/* ---- children ------------------------------------------------------------------------------- */

int trace_prepare_child(const struct task *parent, struct task *child)
{
	if (!parent->tracer)
		return 0;
	child->trace = trace_new();
	return child->trace ? 0 : -ENOMEM;
}

/* kernel_clone(), ptrace_init_task() */
int trace_new_child(struct task *parent, struct task *child, uint64_t clone_flags, int exit_signal)
{
	const struct lx_siginfo stop = {.signo = LX_SIGSTOP, .code = LX_SI_USER};
	int event = 0;

	if (!parent->tracer || !child->trace)
		return 0;
	if (!(clone_flags & LX_CLONE_UNTRACED)) {
		if (clone_flags & LX_CLONE_VFORK)
			event = LX_PTRACE_EVENT_VFORK;
		else if (exit_signal != LX_SIGCHLD)
			event = LX_PTRACE_EVENT_CLONE;
		else
			event = LX_PTRACE_EVENT_FORK;
		if (!trace_wants(parent, event))
			event = 0;
	}
	if (!event && !(clone_flags & LX_CLONE_PTRACE))
		return 0;
	relate(child, parent->tracer, parent->trace->seized, parent->trace->options);
	if (parent->trace->seized)
		child->trace->trap_stop = true;
	else
		(void)signal_send_task(child, &stop);
	return event;
}

/* ---- telling the tracer --------------------------------------------------------------------- */

static void notify(struct task *task, struct lx_siginfo *info)
{
	struct thread_group *tracer = task->tracer->group;
	uint64_t user, system;

	task_cpu_time(task, &user, &system);
	info->chld.pid = pid_nr_in(task->pid, task_pid_ns(task->tracer));
	info->chld.uid = user_ns_uid(task->tracer->cred->user_ns, task->cred->uid);
	info->chld.utime = (int64_t)(user / (1000000000ull / LX_USER_HZ));
	info->chld.stime = (int64_t)(system / (1000000000ull / LX_USER_HZ));
	(void)signal_send_group(tracer, info);
	wait_queue_wake(&tracer->wait_children, ~0u);
}

void trace_notify(struct task *task, int why)
{
	struct thread_group *tracer = task->tracer->group;
	const struct lx_sigaction *action = &tracer->sighand->action[LX_SIGCHLD - 1];
	struct lx_siginfo info = {.signo = LX_SIGCHLD, .code = why};

	if (action->handler == LX_SIG_IGN || (action->flags & LX_SA_NOCLDSTOP)) {
		wait_queue_wake(&tracer->wait_children, ~0u);
		return;
	}
	info.chld.status =
		(why == LX_CLD_STOPPED ? task->group->stop_signo : task->trace->code) & 0x7f;
	notify(task, &info);
}

void trace_notify_exit(struct task *task)
{
	int status = task->group->exiting ? task->group->exit_code : task->exit_code;
	struct lx_siginfo info = {.signo = LX_SIGCHLD};

	info.code = status & 0x7f ? LX_CLD_KILLED : LX_CLD_EXITED;
	info.chld.status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
	notify(task, &info);
}
