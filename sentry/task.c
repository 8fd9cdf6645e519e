/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/limits.h"
#include "abi/wait.h"
#include "sentry/keys.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel.h"
#include "sentry/mm.h"
#include "sentry/mm_patch.h"
#include "sentry/nsproxy.h"
#include "sentry/observe.h"
#include "sentry/pid_ns.h"
#include "sentry/seccomp.h"
#include "sentry/task_private.h"
#include "sentry/held.h"
#include "sentry/trace.h"
#include "sentry/tty/tty.h"

/*
 * A task's fiber, and the making of tasks.
 *
 * task_main() is the whole of a guest thread's life as the kernel sees it: run guest code until it
 * stops, answer, act on signals, again. Nobody else calls the platform for a task's thread, except
 * interrupt(), so a thread's registers are its fiber's alone.
 *
 * Ownership: a task holds its group; the group's place in the process tree (one reference) is
 * dropped when it is reaped; parent, leader and the tables of pid are borrowed and cleared by the
 * one who leaves.
 */

struct task_init task_init;
struct thread_group *reaper_group, *program_group;

struct task *task_current(void)
{
	return fiber_owner();
}

/* ---- allocation ----------------------------------------------------------------------------- */

int task_alloc(struct task **ret)
{
	struct task *task = calloc(1, sizeof(*task));

	if (!task)
		return -ENOMEM;
	task->refs = REFCOUNT_ONE;
	list_init(&task->group_link);
	list_init(&task->inguest_link);
	list_init(&task->tracer_link);
	list_init(&task->tracees);
	sigpending_init(&task->pending);
	wait_queue_init(&task->vfork_queue);
	task->current_nr = UINT64_MAX;
	task->timer_slack_ns = task->default_timer_slack_ns = 50000;
	task->start_time = loop_monotonic_now();
	*ret = task;
	return 0;
}

struct task *task_ref(struct task *task)
{
	refcount_get(&task->refs);
	return task;
}

void task_unref(struct task *task)
{
	if (!task || !refcount_put(&task->refs))
		return;
	sigpending_discard(&task->pending, ~0ull);
	list_remove(&task->inguest_link);
	wait_queue_destroy(&task->vfork_queue);
	if (task->mm)
		mm_unref(task->mm);
	if (task->files)
		fd_table_unref(task->files);
	if (task->fs)
		fs_context_unref(task->fs);
	sem_undo_exit(task);
	seccomp_forget(task);
	keys_exit(task);
	free(task->ahead);
	free(task->held);
	nsproxy_unref(task->nsproxy);
	if (task->cred)
		cred_unref(task->cred);
	if (task->pid)
		pid_unref(task->pid);
	if (task->group)
		group_unref(task->group);
	trace_free(task);
	observe_task_free(task);
	free(task);
}

int group_alloc(struct thread_group **ret)
{
	struct thread_group *group = calloc(1, sizeof(*group));

	if (!group)
		return -ENOMEM;
	group->coredump_filter = COREDUMP_FILTER_DEFAULT;
	group->refs = REFCOUNT_ONE;
	list_init(&group->tasks);
	list_init(&group->children);
	list_init(&group->child_link);
	list_init(&group->pgrp_link);
	list_init(&group->session_link);
	list_init(&group->posix_timers);
	wait_queue_init(&group->wait_children);
	wait_queue_init(&group->thread_exit_queue);
	wait_queue_init(&group->signal_queue);
	wait_queue_init(&group->stop_queue);
	sigpending_init(&group->pending);
	group->exit_signal = LX_SIGCHLD;
	group->dumpable = true;
	group->start_time = loop_monotonic_now();
	itimers_init(group);
	*ret = group;
	return 0;
}

struct thread_group *group_ref(struct thread_group *group)
{
	refcount_get(&group->refs);
	return group;
}

void group_unref(struct thread_group *group)
{
	if (!refcount_put(&group->refs))
		return;
	itimers_release(group);
	posix_timers_release(group);
	sigpending_discard(&group->pending, ~0ull);
	sighand_unref(group->sighand);
	tty_forget(group);
	keys_exit_group(group);
	wait_queue_destroy(&group->wait_children);
	wait_queue_destroy(&group->thread_exit_queue);
	wait_queue_destroy(&group->signal_queue);
	wait_queue_destroy(&group->stop_queue);
	if (group->pgrp)
		pid_unref(group->pgrp);
	if (group->session)
		pid_unref(group->session);
	if (group->pid)
		pid_unref(group->pid);
	free(group);
}

void group_add_task(struct thread_group *group, struct task *task, struct pid *pid)
{
	task->group = group_ref(group);
	task->pid = pid;
	pid->task = task;
	list_add_tail(&task->group_link, &group->tasks);
	group->live_count++;
	kernel.task_count++;
	if (group->leader)
		return;
	group->leader = task_ref(task);
	group->pid = pid_ref(pid);
	pid->group = group;
}

void group_link(struct thread_group *group, struct thread_group *parent, struct task *parent_task)
{
	group->parent = parent;
	group->parent_task = parent_task;
	list_add_tail(&group->child_link, &parent->children);
}

int task_start(struct task *task)
{
	int r = fiber_create(&task->fiber, "task", task_main, task);

	if (r < 0)
		return r;
	fiber_set_owner(task->fiber, task);
	return 0;
}

void task_let_run(struct task *task)
{
	task->may_run = true;
	fiber_wake(task->fiber);
}

void task_abandon(struct task *task)
{
	task->abandoned = true;
	fiber_wake(task->fiber);
}

/* ---- what others ask of a task -------------------------------------------------------------- */

struct vfs_ctx task_vfs_ctx(struct task *task)
{
	return (struct vfs_ctx){
		.cred = task->cred,
		.fs = task->fs,
		.fsize_limit = task_rlimit(task, LX_RLIMIT_FSIZE),
		.mnt_ns = task->nsproxy ? task_mnt_ns(task) : NULL,
		.task = task,
		.thread = task->thread,
	};
}

uint64_t task_rlimit(const struct task *task, int resource)
{
	return task->group->rlimits[resource].rlim_cur;
}

void task_cpu_time(struct task *task, uint64_t *ret_user, uint64_t *ret_system)
{
	uint64_t user, system;

	if (task->thread && platform->cpu_time(task->thread, &user, &system) == 0) {
		task->utime_ns = task->past_utime_ns + user;
		task->stime_ns = task->past_stime_ns + system;
	}
	*ret_user = task->utime_ns;
	*ret_system = task->stime_ns;
}

void task_keep_cpu_time(struct task *task)
{
	uint64_t user, system;

	task_cpu_time(task, &user, &system);
	task->past_utime_ns = user;
	task->past_stime_ns = system;
}

uint64_t task_page_faults(struct task *task)
{
	struct platform_usage usage;

	if (!task->thread || platform->usage(task->thread, &usage) < 0)
		return 0;
	task->minor_faults = task->past_minor_faults + usage.minor_faults;
	task->major_faults = task->past_major_faults + usage.major_faults;
	return usage.resident;
}

void task_keep_page_faults(struct task *task)
{
	(void)task_page_faults(task);
	task->past_minor_faults = task->minor_faults;
	task->past_major_faults = task->major_faults;
}

void group_page_faults(struct thread_group *group, uint64_t *ret_minor, uint64_t *ret_major)
{
	struct task *task;

	*ret_minor = group->dead_threads.minor_faults;
	*ret_major = group->dead_threads.major_faults;
	list_for_each_entry (task, &group->tasks, group_link) {
		if (task->exited)
			continue;
		(void)task_page_faults(task);
		*ret_minor += task->minor_faults;
		*ret_major += task->major_faults;
	}
}

void group_cpu_time(struct thread_group *group, uint64_t *ret_user, uint64_t *ret_system)
{
	uint64_t user = group->dead_threads.user_ns, system = group->dead_threads.system_ns;
	struct task *task;

	list_for_each_entry (task, &group->tasks, group_link) {
		uint64_t task_user, task_system;

		if (task->exited)
			continue;
		task_cpu_time(task, &task_user, &task_system);
		user += task_user;
		system += task_system;
	}
	*ret_user = user;
	*ret_system = system;
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* A fault in guest code: the stack grows, or the guest gets its signal. */
static void handle_fault(struct task *task)
{
	const struct platform_event *event = &task->event;
	struct lx_siginfo info = {
		.signo = event->fault.signo,
		.code = event->fault.code,
		.fault.addr = event->fault.addr,
	};

	task->thread->regs.orig_rax = UINT64_MAX;
	if (event->fault.signo == LX_SIGSEGV && event->fault.code == LX_SEGV_MAPERR &&
		mm_grow_stack(task, event->fault.addr))
		return;
	/* A platform's event is a claim of the guest's side. */
	if (info.signo < 1 || info.signo >= LX_SIGRTMIN)
		info.signo = LX_SIGSEGV;
	task->fault.trapno = event->fault.trapno;
	task->fault.error_code = event->fault.error_code;
	if (event->fault.signo == LX_SIGSEGV || event->fault.signo == LX_SIGBUS)
		task->fault.cr2 = event->fault.addr;
	signal_force(task, &info);
}

static void handle_event(struct task *task)
{
	switch (task->event.kind) {
	case PLATFORM_SYSCALL:
		if (task->event.syscall.site)
			mm_patch_site(task);
		dispatch_syscall(task);
		break;
	case PLATFORM_FAULT:
		handle_fault(task);
		break;
	case PLATFORM_FRAME_REFUSED:
		signal_frame_refused(task);
		break;
	case PLATFORM_INTERRUPTED:
		task->thread->regs.orig_rax = UINT64_MAX;
		break;
	case PLATFORM_REFUSED:
		task->thread->regs.rax = (uint64_t)mm_late_refused(task, task->event.refused.error);
		break;
	case PLATFORM_EXITED:
		/* The host process is gone without our doing: as if it had been killed. By SIGSEGV,
		 * when its area of restartable sequences was. */
		group_exit(
			task->group, LX_WSTATUS_SIGNAL(task->event.exited.host_status == LX_SIGSEGV
							       ? LX_SIGSEGV
							       : LX_SIGKILL));
		break;
	}
}

static bool restart_pending(const struct guest_regs *regs)
{
	int64_t result = -(int64_t)regs->rax;

	return regs->orig_rax != UINT64_MAX && result >= ERESTARTSYS &&
	       result <= ERESTART_RESTARTBLOCK;
}

void task_main(void *arg)
{
	struct task *task = arg;
	gaddr_t tid_addr;

	while (!task->may_run) {
		if (task->abandoned) {
			task_unref(task);
			return;
		}
		fiber_park();
	}
	tid_addr = task->set_child_tid;
	if (!task->thread) {
		int r = task_init.start(task, task_init.data);

		if (r < 0)
			group_exit(task->group, LX_WSTATUS_EXIT(127));
	}
	if (!gaddr_is_null(tid_addr)) {
		/* schedule_tail(): a bad address is the guest's loss. */
		int32_t tid = task_own_tid(task);

		guest_write_lossy(task, tid_addr, &tid, sizeof(tid));
	}
	for (;;) {
		task_serve(task);
		if (task->signal_wake || task->restore_blocked ||
			(task->thread && restart_pending(&task->thread->regs))) {
			mm_settle(task);
			signal_deliver(task);
		}
		if (task->killed)
			break;
		task->switches++;
		task_lend(task);
		task->in_guest = true;
		platform->run(task->thread, &task->event);
		task->in_guest = false;
		task_take(task);
		if (task->event.kind != PLATFORM_FRAME_REFUSED)
			task->unframed.pending = false;
		if (task->thread->held)
			held_settle(task);
		if (task->thread->closed || task->thread->told_count)
			task_do_told(task);
		handle_event(task);
	}
	if (task->tracer)
		trace_exit(task);
	task_exit(task, task->exit_code);
}

/* ---- the first tasks ------------------------------------------------------------------------ */

static void default_rlimits(struct thread_group *group)
{
	const struct kernel_config *config = task_init.config;
	uint64_t tasks = config && config->pids_limit ? config->pids_limit : SENTRY_MAX_TASKS;
	uint64_t files = config && config->nofile_limit ? config->nofile_limit : 1024;

	for (int i = 0; i < LX_RLIM_NLIMITS; i++)
		group->rlimits[i] = (struct lx_rlimit64){LX_RLIM_INFINITY, LX_RLIM_INFINITY};
	group->rlimits[LX_RLIMIT_STACK].rlim_cur = LX_STACK_DEFAULT;
	group->rlimits[LX_RLIMIT_CORE] = (struct lx_rlimit64){0, 0};
	group->rlimits[LX_RLIMIT_NPROC] = (struct lx_rlimit64){tasks, tasks};
	group->rlimits[LX_RLIMIT_NOFILE] = (struct lx_rlimit64){files, files};
	group->rlimits[LX_RLIMIT_MEMLOCK] = (struct lx_rlimit64){8 << 20, 8 << 20};
	group->rlimits[LX_RLIMIT_SIGPENDING] =
		(struct lx_rlimit64){SENTRY_MAX_SIGQUEUE, SENTRY_MAX_SIGQUEUE};
	group->rlimits[LX_RLIMIT_MSGQUEUE] = (struct lx_rlimit64){819200, 819200};
	group->rlimits[LX_RLIMIT_NICE] = (struct lx_rlimit64){0, 0};
	group->rlimits[LX_RLIMIT_RTPRIO] = (struct lx_rlimit64){0, 0};
}

/* Group, task and pid for one of the first two; session and process group are its own. */
static int make_first(const char *comm, struct task **ret)
{
	struct thread_group *group = NULL;
	struct task *task = NULL;
	struct pid *pid = NULL;
	int r;

	r = task_alloc(&task);
	if (r < 0)
		return r;
	r = group_alloc(&group);
	if (r < 0)
		goto fail;
	r = sighand_new(&group->sighand);
	if (r < 0)
		goto fail;
	r = pid_new(&pid_ns_first, cred_kernel(), NULL, 0, &pid);
	if (r < 0)
		goto fail;
	default_rlimits(group);
	memset(task->affinity, 0xff, sizeof(task->affinity));
	strncpy(task->comm, comm, sizeof(task->comm) - 1);
	group_add_task(group, task, pid);
	group_set_session(group, pid);
	group_set_pgrp(group, pid);
	*ret = task;
	return 0;
fail:
	if (group)
		group_unref(group);
	task_unref(task);
	return r;
}

int task_create_init(const struct task_init *init, struct task **ret_program)
{
	struct task *reaper, *program;
	int r;

	task_init = *init;
	r = make_first("init", &reaper);
	if (r < 0)
		return r;
	reaper_group = reaper->group;
	reaper_group->unkillable = true;
	reaper_group->sighand->action[LX_SIGCHLD - 1].handler = LX_SIG_IGN;
	reaper->cred = cred_ref(init->cred);
	/* Its own: the program shares it with nobody (LSM_UNSAFE_SHARE). */
	r = fs_context_copy(init->fs, &reaper->fs);
	if (r < 0)
		return r;
	reaper->nsproxy = nsproxy_ref(nsproxy_first());
	pid_ns_first.reaper = reaper_group;
	kernel.task_count--; /* it costs nothing and does not count against limits */

	r = make_first("program", &program);
	if (r < 0)
		return r;
	program_group = program->group;
	group_link(program_group, reaper_group, reaper);
	program->cred = init->cred;
	program->fs = init->fs;
	program->files = init->files;
	program->nsproxy = nsproxy_ref(nsproxy_first());
	program->nice = init->config->nice;
	kernel.init = program_group;
	kernel.reaper = reaper_group;
	r = task_start(program);
	if (r < 0)
		return r;
	task_let_run(program);
	*ret_program = program;
	return 0;
}

void tasks_kill_all(void)
{
	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1))
		if (pid->group && pid->group != reaper_group && !pid->group->zombie)
			group_exit(pid->group, LX_WSTATUS_SIGNAL(LX_SIGKILL));
}
