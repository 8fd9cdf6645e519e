/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/sched.h"
#include "base/cleanup.h"
#include "sentry/keys.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel.h"
#include "sentry/mm.h"
#include "sentry/nsproxy.h"
#include "sentry/pid_ns.h"
#include "sentry/seccomp.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"
#include "sentry/trace.h"
#include "sentry/tty/tty.h"

/*
 * clone(2), clone3(2), fork(2), vfork(2) (kernel/fork.c).
 *
 * do_clone() first makes everything that can fail, the host thread last; then, without sleeping,
 * hangs the child into the tables; then writes what the parent was promised to see before the child
 * runs; then lets the child's fiber go. To the platform a vfork child is one more thread of the
 * address space.
 */

#define CLONE_NAMESPACES                                                                           \
	(LX_CLONE_NEWNS | LX_CLONE_NEWCGROUP | LX_CLONE_NEWUTS | LX_CLONE_NEWIPC |                 \
		LX_CLONE_NEWUSER | LX_CLONE_NEWPID | LX_CLONE_NEWNET | LX_CLONE_NEWTIME)

/* ---- checks --------------------------------------------------------------------------------- */

static int check_flags(const struct task *task, const struct clone_request *request)
{
	uint64_t flags = request->flags;

	if ((flags & LX_CLONE_FS) && (flags & (LX_CLONE_NEWNS | LX_CLONE_NEWUSER)))
		return -EINVAL;
	if ((flags & LX_CLONE_THREAD) && !(flags & LX_CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & LX_CLONE_SIGHAND) && !(flags & LX_CLONE_VM))
		return -EINVAL;
	if ((flags & LX_CLONE_THREAD) && (flags & (LX_CLONE_NEWUSER | LX_CLONE_NEWPID)))
		return -EINVAL;
	if ((flags & LX_CLONE_PARENT) && task->group->unkillable)
		return -EINVAL;
	/* A pidfd is a process's here (PIDFD_THREAD is newer than what uname says). */
	if ((flags & LX_CLONE_PIDFD) && (flags & (LX_CLONE_DETACHED | LX_CLONE_THREAD)))
		return -EINVAL;
	/* One place for two things (kernel_clone()). */
	if ((flags & LX_CLONE_PIDFD) && (flags & LX_CLONE_PARENT_SETTID) &&
		request->pidfd.v == request->parent_tid.v)
		return -EINVAL;
	/* Threads have their process's namespaces. */
	if ((flags & LX_CLONE_THREAD) && pid_ns_of(task->nsproxy->ns[NS_PID]) != task_pid_ns(task))
		return -EINVAL;
	if ((flags & (LX_CLONE_THREAD | LX_CLONE_VM)) && !(flags & LX_CLONE_VFORK) &&
		task->nsproxy->ns[NS_TIME] != task->nsproxy->time_for_children)
		return -EINVAL;
	if (flags & LX_CLONE_INTO_CGROUP)
		return -EOPNOTSUPP;
	return 0;
}

static int check_limits(const struct task *task)
{
	uint64_t limit = kernel.config ? kernel.config->pids_limit : 0;
	bool exempt = task->cred->uid == 0 || cred_capable(task->cred, LX_CAP_SYS_RESOURCE) ||
		      cred_capable(task->cred, LX_CAP_SYS_ADMIN);

	if (limit && kernel.task_count >= limit)
		return -EAGAIN;
	if (kernel.task_count >= SENTRY_MAX_TASKS)
		return -EAGAIN;
	if (!exempt && kernel.task_count >= task_rlimit(task, LX_RLIMIT_NPROC))
		return -EAGAIN;
	return 0;
}

/* ---- parts of the child --------------------------------------------------------------------- */

static void copy_attributes(struct task *child, const struct task *task, uint64_t flags)
{
	memcpy(child->comm, task->comm, sizeof(child->comm));
	child->blocked = task->blocked;
	child->nice = task->nice;
	child->ioprio = task->ioprio;
	child->sched_policy = task->sched_policy;
	child->sched_priority = task->sched_priority;
	/* sched_fork() */
	if (task->sched_reset_on_fork) {
		if (child->sched_priority > 0) {
			child->sched_policy = LX_SCHED_OTHER;
			child->sched_priority = 0;
			child->nice = 0;
		} else if (child->nice < 0) {
			child->nice = 0;
		}
	}
	memcpy(child->affinity, task->affinity, sizeof(child->affinity));
	child->timer_slack_ns = child->default_timer_slack_ns = task->timer_slack_ns;
	child->personality = task->personality;
	child->keep_caps = task->keep_caps;
	/* sigaltstack(2): gone in a thread, kept by fork and vfork. */
	if (!(flags & LX_CLONE_VM) || (flags & LX_CLONE_VFORK))
		child->sigaltstack = task->sigaltstack;
	else
		child->sigaltstack = (struct lx_stack){.ss_flags = LX_SS_DISABLE};
}

/* copy_namespaces() */
static int copy_namespaces(struct task *child, const struct task *task, uint64_t flags)
{
	struct nsproxy *old = task->nsproxy;
	int r;

	if (!(flags & CLONE_NAMESPACES) && old->ns[NS_TIME] == old->time_for_children) {
		child->nsproxy = nsproxy_ref(old);
		return 0;
	}
	if ((flags & CLONE_NAMESPACES) &&
		!cred_ns_capable(child->cred, child->cred->user_ns, LX_CAP_SYS_ADMIN))
		return -EPERM;
	/* What is to be undone is about the old namespace's objects. */
	if ((flags & (LX_CLONE_NEWIPC | LX_CLONE_SYSVSEM)) == (LX_CLONE_NEWIPC | LX_CLONE_SYSVSEM))
		return -EINVAL;
	r = nsproxy_copy(old, flags, task, child->cred->user_ns, child->fs, &child->nsproxy);
	if (r == 0)
		nsproxy_set(child->nsproxy, &child->nsproxy->ns[NS_TIME],
			child->nsproxy->time_for_children);
	return r;
}

static int copy_sharables(struct task *child, struct task *task, uint64_t flags)
{
	int r;

	if (flags & LX_CLONE_NEWUSER) {
		r = user_ns_create(task, &child->cred);
		if (r < 0)
			return r;
	} else {
		child->cred = cred_ref(task->cred);
	}
	if (flags & LX_CLONE_FS) {
		child->fs = fs_context_ref(task->fs);
	} else {
		r = fs_context_copy(task->fs, &child->fs);
		if (r < 0)
			return r;
	}
	if (flags & LX_CLONE_FILES) {
		child->files = fd_table_ref(task->files);
	} else {
		r = fd_table_copy(task->files, &child->files);
		if (r < 0)
			return r;
	}
	r = copy_namespaces(child, task, flags);
	if (r < 0)
		return r;
	/* What was found out for the parent need not hold for the child. */
	if (flags & (LX_CLONE_NEWNS | LX_CLONE_NEWUSER))
		vfs_lasting_end();
	seccomp_inherit(child, task);
	keys_inherit(child, task);
	if (flags & LX_CLONE_SYSVSEM) {
		r = sem_undo_share(task, child);
		if (r < 0)
			return r;
	}
	if (flags & LX_CLONE_VM) {
		child->mm = mm_ref(task->mm);
		return 0;
	}
	return mm_copy(task->mm, &child->mm);
}

static int copy_sighand(
	const struct thread_group *from, uint64_t flags, struct sigaction_table **ret)
{
	struct sigaction_table *table;
	int r;

	if (flags & LX_CLONE_SIGHAND) {
		*ret = sighand_ref(from->sighand);
		return 0;
	}
	r = sighand_new(&table);
	if (r < 0)
		return r;
	memcpy(table->action, from->sighand->action, sizeof(table->action));
	for (int i = 0; i < LX_NSIG && (flags & LX_CLONE_CLEAR_SIGHAND); i++)
		if (table->action[i].handler != LX_SIG_IGN)
			table->action[i] = (struct lx_sigaction){.handler = LX_SIG_DFL};
	*ret = table;
	return 0;
}

static int new_process(
	const struct task *task, const struct clone_request *request, struct thread_group **ret)
{
	const struct thread_group *from = task->group;
	struct thread_group *group;
	int r = group_alloc(&group);

	if (r < 0)
		return r;
	r = copy_sighand(from, request->flags, &group->sighand);
	if (r < 0) {
		group_unref(group);
		return r;
	}
	group->exit_signal =
		request->flags & LX_CLONE_PARENT ? from->exit_signal : request->exit_signal;
	group->exec_id = from->exec_id;
	group->parent_exec_id =
		request->flags & LX_CLONE_PARENT ? from->parent_exec_id : from->exec_id;
	group->dumpable = from->dumpable;
	tty_inherit(group, from);
	memcpy(group->rlimits, from->rlimits, sizeof(group->rlimits));
	group->oom_score_adj = from->oom_score_adj;
	group->oom_score_adj_min = from->oom_score_adj_min;
	group->coredump_filter = from->coredump_filter;
	*ret = group;
	return 0;
}

static int clone_thread(struct task *task, struct task *child, const struct clone_request *request)
{
	struct platform_clone clone = {
		.new_as = !(request->flags & LX_CLONE_VM),
		.regs = *platform_regs(task->thread),
	};
	int r;

	clone.regs.rax = 0;
	clone.regs.orig_rax = UINT64_MAX;
	/* The trap flag is the parent's tracer's. */
	if (task->tracer && task->trace->trap_flag_ours)
		clone.regs.eflags &= ~0x100ull;
	if (!gaddr_is_null(request->stack))
		clone.regs.rsp = request->stack.v;
	if (request->flags & LX_CLONE_SETTLS)
		clone.regs.fs_base = request->tls;
	r = platform->thread_clone(task->thread, &clone, &child->thread);
	if (r < 0)
		return r == -ESRCH ? -EINTR : r;
	child->thread->kernel_data = child;
	if (clone.new_as) {
		child->rseq = task->rseq;
		child->rseq_size = task->rseq_size;
		child->rseq_sig = task->rseq_sig;
	}
	return 0;
}

/* ---- clone ---------------------------------------------------------------------------------- */

/* The child becomes visible; cannot fail or sleep. Takes over @group (NULL for a thread) and @pid.
 */
static void link_child(struct task *task, struct task *child, struct thread_group *group,
	struct pid *pid, const struct clone_request *request)
{
	struct thread_group *self = task->group;

	if (!group) {
		group_add_task(self, child, pid);
		return;
	}
	group_add_task(group, child, pid);
	if (pid->numbers[pid->level] == 1 && !pid->ns->reaper) {
		/* The init of its namespace. */
		pid->ns->reaper = group;
		group->unkillable = true;
	}
	if ((request->flags & LX_CLONE_PARENT) && self->parent)
		group_link(group, self->parent, self->parent_task);
	else
		group_link(group, self, task);
	group_set_session(group, self->session);
	group_set_pgrp(group, self->pgrp);
}

/* vfork(2): until the child has left our memory. Only a kill ends the wait. May sleep. */
static void wait_vfork(struct task *task, struct task *child)
{
	task->vfork_child = child;
	while (!child->vfork_done && !task->killed)
		wait_sleep_serving(&child->vfork_queue, WAIT_FOREVER);
	task->vfork_child = NULL;
}

/* A descriptor for CLONE_PIDFD. Returns it or -errno. */
static int install_pidfd(struct task *task, struct pid *pid)
{
	struct file *file;
	int fd = pidfd_file_new(pid, LX_O_RDWR, &file);

	if (fd < 0)
		return fd;
	fd = fd_install(task->files, file, 0, task_rlimit(task, LX_RLIMIT_NOFILE), true);
	if (fd < 0)
		file_unref(file);
	return fd;
}

static void drop_pid(struct pid *pid)
{
	pid_release_number(pid);
	pid_unref(pid);
}

/* Everything of the child but its fiber. On failure nothing is left. May sleep. */
static int make_child(struct task *task, const struct clone_request *request,
	struct task **ret_child, struct thread_group **ret_group, struct pid **ret_pid)
{
	struct thread_group *group = NULL;
	struct pid *pid = NULL;
	struct task *child;
	int r, nr, pidfd = -1;

	r = task_alloc(&child);
	if (r < 0)
		return r;
	copy_attributes(child, task, request->flags);
	fiber_mutex_lock(&task->mm->mutex);
	r = copy_sharables(child, task, request->flags);
	if (r == 0)
		r = trace_prepare_child(task, child);
	if (r < 0)
		goto fail;
	if (!(request->flags & LX_CLONE_THREAD)) {
		r = new_process(task, request, &group);
		if (r < 0)
			goto fail;
	}
	r = pid_new(pid_ns_of(child->nsproxy->ns[NS_PID]), task->cred, request->set_tid,
		request->set_tid_count, &pid);
	if (r < 0)
		goto fail;
	if (request->flags & LX_CLONE_PIDFD) {
		r = pidfd = install_pidfd(task, pid);
		if (r < 0)
			goto fail;
	}
	/* A thread finds its number in the shared memory when it begins. This travels with the
	 * clone. */
	nr = pid_vnr(pid);
	if ((request->flags & LX_CLONE_PARENT_SETTID) && (request->flags & LX_CLONE_VM))
		guest_write_lossy(task, request->parent_tid, &nr, sizeof(nr));
	r = clone_thread(task, child, request);
	if (r < 0)
		goto fail;
	/* MADV_DONTFORK, MADV_WIPEONFORK: the child's memory follows its list. */
	if (!(request->flags & LX_CLONE_VM)) {
		r = mm_after_fork(task->mm, child->thread);
		if (r < 0)
			goto fail;
	}
	/* After the copy: a forked child does not see the number. */
	if (request->flags & LX_CLONE_PIDFD) {
		r = guest_write(task, request->pidfd, &pidfd, sizeof(pidfd));
		if (r < 0)
			goto fail;
	}
	fiber_mutex_unlock(&task->mm->mutex);
	*ret_child = child;
	*ret_group = group;
	*ret_pid = pid;
	return 0;
fail:
	fiber_mutex_unlock(&task->mm->mutex);
	if (child->thread)
		platform->thread_release(TAKE(child->thread));
	if (pidfd >= 0)
		(void)fd_close(task->files, pidfd, task->files);
	if (pid)
		drop_pid(pid);
	if (group)
		group_unref(group);
	task_unref(child);
	return r;
}

static int64_t start_child(struct task *task, struct task *child, struct thread_group *group,
	struct pid *pid, const struct clone_request *request)
{
	int32_t tid = pid_vnr(pid);
	int event;

	if (request->flags & LX_CLONE_CHILD_SETTID)
		child->set_child_tid = request->child_tid;
	if (request->flags & LX_CLONE_CHILD_CLEARTID)
		child->clear_child_tid = request->child_tid;
	child->vfork = request->flags & LX_CLONE_VFORK;
	link_child(task, child, group, pid, request);
	task_publish(child);
	if (request->flags & LX_CLONE_VM)
		task_publish_brk(task);
	event = trace_new_child(task, child, request->flags, request->exit_signal);
	/* From now on the other may change our signal actions. */
	if (group && (request->flags & LX_CLONE_SIGHAND))
		group_publish(task->group);
	/* A process that began to stop or exit meanwhile takes its new thread along. */
	if (!group && task->stop_pending) {
		child->stop_pending = true;
		task->group->stop_count++;
	}
	signal_recalculate(child);
	if (group)
		(void)itimers_limit_changed(group);
	if (child->vfork)
		(void)task_ref(child);
	/* A process's is not in the copy that the child got. */
	if ((request->flags & LX_CLONE_PARENT_SETTID) && !(request->flags & LX_CLONE_VM))
		guest_write_lossy(task, request->parent_tid, &tid, sizeof(tid));
	task_let_run(child);
	if (event)
		trace_event(task, event, (uint64_t)tid);
	if (request->flags & LX_CLONE_VFORK) {
		wait_vfork(task, child);
		task_unref(child);
		trace_event(task, LX_PTRACE_EVENT_VFORK_DONE, (uint64_t)tid);
	}
	return tid;
}

int64_t do_clone(struct task *task, const struct clone_request *request)
{
	struct thread_group *group;
	struct task *child;
	struct pid *pid;
	int r;

	r = check_flags(task, request);
	if (r < 0)
		return r;
	/* Signals first: they could otherwise starve behind a loop of forks (copy_process()). */
	if (task->signal_wake)
		return -ERESTARTNOINTR;
	r = check_limits(task);
	if (r < 0)
		return r;
	r = make_child(task, request, &child, &group, &pid);
	if (r < 0)
		return r;
	r = task->killed ? -EINTR : task_start(child);
	if (r == 0)
		return start_child(task, child, group, pid, request);

	platform->thread_release(child->thread);
	child->thread = NULL;
	drop_pid(pid);
	if (group)
		group_unref(group);
	task_unref(child);
	return r;
}

/* ---- system calls --------------------------------------------------------------------------- */

int64_t sys_clone(struct task *task, uint64_t flags, gaddr_t stack, gaddr_t parent_tid,
	gaddr_t child_tid, uint64_t tls)
{
	/* The register's low half (clone(2)); CLONE_PIDFD shares the place of the parent's tid. */
	const struct clone_request request = {
		.flags = (uint32_t)flags & ~(uint64_t)LX_CSIGNAL,
		.exit_signal = (int)(flags & LX_CSIGNAL),
		.stack = stack,
		.tls = tls,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.pidfd = parent_tid,
	};

	return do_clone(task, &request);
}

int64_t sys_fork(struct task *task)
{
	const struct clone_request request = {.exit_signal = LX_SIGCHLD};

	return do_clone(task, &request);
}

int64_t sys_vfork(struct task *task)
{
	const struct clone_request request = {
		.flags = LX_CLONE_VFORK | LX_CLONE_VM,
		.exit_signal = LX_SIGCHLD,
	};

	return do_clone(task, &request);
}

/* clone3_args_valid() and what copy_clone_args_from_user() refuses. */
static int check_clone3(const struct lx_clone_args *args)
{
	const uint64_t known = 0xffffffffull | LX_CLONE_CLEAR_SIGHAND | LX_CLONE_INTO_CGROUP;

	if (args->set_tid_size > SENTRY_MAX_CLONE_SET_TID)
		return -EINVAL;
	if (!args->set_tid != !args->set_tid_size)
		return -EINVAL;
	if ((args->exit_signal & ~(uint64_t)LX_CSIGNAL) || args->exit_signal > LX_NSIG)
		return -EINVAL;
	if (args->flags & ~known)
		return -EINVAL;
	if (args->flags & (LX_CLONE_DETACHED | (LX_CSIGNAL & ~LX_CLONE_NEWTIME)))
		return -EINVAL;
	if ((args->flags & LX_CLONE_SIGHAND) && (args->flags & LX_CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((args->flags & (LX_CLONE_THREAD | LX_CLONE_PARENT)) && args->exit_signal)
		return -EINVAL;
	if (!args->stack != !args->stack_size)
		return -EINVAL;
	if (args->stack &&
		(args->stack >= LX_TASK_SIZE || args->stack_size > LX_TASK_SIZE - args->stack))
		return -EINVAL;
	return 0;
}

int64_t sys_clone3(struct task *task, gaddr_t cl_args, uint64_t size)
{
	int set_tid[SENTRY_MAX_CLONE_SET_TID];
	struct lx_clone_args args;
	struct clone_request request;
	int r;

	if (size > LX_PAGE_SIZE)
		return -E2BIG;
	if (size < LX_CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	r = guest_read_struct(task, &args, sizeof(args), cl_args, size);
	if (r < 0)
		return r;
	r = check_clone3(&args);
	if (r < 0)
		return r;
	r = guest_read(task, set_tid, GADDR(args.set_tid), args.set_tid_size * sizeof(set_tid[0]));
	if (r < 0)
		return r;
	request = (struct clone_request){
		.flags = args.flags,
		.exit_signal = (int)args.exit_signal,
		.stack = GADDR(args.stack + args.stack_size),
		.tls = args.tls,
		.parent_tid = GADDR(args.parent_tid),
		.child_tid = GADDR(args.child_tid),
		.pidfd = GADDR(args.pidfd),
		.set_tid = set_tid,
		.set_tid_count = args.set_tid_size,
	};
	return do_clone(task, &request);
}

int64_t sys_set_tid_address(struct task *task, gaddr_t tidptr)
{
	task->clear_child_tid = tidptr;
	return task_own_tid(task);
}

int64_t sys_exit(struct task *task, int status)
{
	task->exit_code = (status & 0xff) << 8;
	task->killed = true;
	signal_recalculate(task);
	return 0;
}

int64_t sys_exit_group(struct task *task, int status)
{
	group_exit(task->group, (status & 0xff) << 8);
	/* Another thread's group exit or execve may have come first: this one leaves all the same.
	 */
	task->killed = true;
	signal_recalculate(task);
	return 0;
}
