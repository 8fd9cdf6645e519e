/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp(2): what a guest forbids itself (kernel/seccomp.c).
 *
 * Filters form a tree: each points at the one that was in force before it, children share their
 * parents', and a call is judged by all of them, the strictest answer counting. The Sentry
 * interprets them on its own copy of the call, so another thread cannot change the arguments
 * behind the filter's back. A task with a mode is answered nothing within the guest
 * (sentry/inguest.c): each of its calls comes by here.
 *
 * What this is worth: it holds for whatever asks the Sentry for something. What runs in guest
 * address space only is advisory (design: honest limits); a filtered task could map memory by
 * calling its stub.
 */
#include "sentry/seccomp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "abi/prctl.h"
#include "abi/syscall_nr.h"
#include "abi/wait.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "sentry/bpf.h"
#include "sentry/seccomp_notify.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"
#include "sentry/trace.h"

#define MAX_INSNS_PER_PATH 32768 /* of a task's filters together, 4 more for each */

struct seccomp_filter {
	struct refcount refs;
	struct seccomp_filter *previous;   /* owned */
	struct seccomp_listener *listener; /* owned; NULL: none */
	bool log;
	unsigned count, total, depth; /* instructions; with those before; filters */
	struct lx_sock_filter program[];
};

static size_t insn_count; /* of the sandbox */

static void filter_unref(struct seccomp_filter *filter)
{
	while (filter && refcount_put(&filter->refs)) {
		struct seccomp_filter *previous = filter->previous;

		insn_count -= filter->count;
		listener_orphan(filter->listener);
		free(filter);
		filter = previous;
	}
}

static struct seccomp_filter *filter_ref(struct seccomp_filter *filter)
{
	if (filter)
		refcount_get(&filter->refs);
	return filter;
}

void seccomp_inherit(struct task *child, const struct task *parent)
{
	child->seccomp_mode = parent->seccomp_mode;
	child->seccomp = filter_ref(parent->seccomp);
}

void seccomp_forget(struct task *task)
{
	filter_unref(TAKE(task->seccomp));
}

unsigned seccomp_filter_count(const struct task *task)
{
	return task->seccomp ? task->seccomp->depth : 0;
}

/* ---- judging a call -------------------------------------------------------------------------- */

static struct lx_seccomp_data data_of(const struct task *task)
{
	const uint64_t *args = task->event.syscall.args;

	return (struct lx_seccomp_data){
		.nr = (int32_t)task->event.syscall.nr,
		.arch = LX_AUDIT_ARCH_X86_64,
		.instruction_pointer = platform_regs(task->thread)->rip,
		.args = {args[0], args[1], args[2], args[3], args[4], args[5]},
	};
}

/* The strictest answer, and whose it is. */
static uint32_t judge(const struct task *task, const struct seccomp_filter **ret_by)
{
	const struct lx_seccomp_data data = data_of(task);
	uint32_t strictest = LX_SECCOMP_RET_ALLOW;

	*ret_by = NULL;
	for (const struct seccomp_filter *f = task->seccomp; f; f = f->previous) {
		uint32_t answer = bpf_run(f->program, f->count, &data);

		/* Actions are ordered as signed numbers (ACTION_ONLY()). */
		if ((int32_t)(answer & LX_SECCOMP_RET_ACTION_FULL) <
			(int32_t)(strictest & LX_SECCOMP_RET_ACTION_FULL)) {
			strictest = answer;
			*ret_by = f;
		}
	}
	return strictest;
}

static void report(const struct task *task, const char *action)
{
	char pid[16], nr[16];

	(void)snprintf(pid, sizeof(pid), "%d", task->pid->nr);
	(void)snprintf(nr, sizeof(nr), "%d", (int)task->event.syscall.nr);
	audit_event("guest-seccomp", "task", pid, "call", nr, "action", action, NULL);
}

static void kill_thread(struct task *task, int signo)
{
	if (task->group->live_count == 1) {
		group_exit(task->group, LX_WSTATUS_SIGNAL(signo));
		return;
	}
	task->exit_code = LX_WSTATUS_SIGNAL(signo);
	task->killed = true;
	signal_recalculate(task);
}

/* force_sig_info_to_task(HANDLER_EXIT): other processes that share the handlers (CLONE_SIGHAND)
 * lose theirs, too, and nobody sets another. */
static void kill_process(struct task *task)
{
	struct lx_sigaction *action = &task->group->sighand->action[LX_SIGSYS - 1];

	action->handler = LX_SIG_DFL;
	action->flags |= LX_SA_IMMUTABLE;
	group_exit(task->group, LX_WSTATUS_SIGNAL(LX_SIGSYS));
}

static void trap(struct task *task, uint32_t data)
{
	const struct lx_siginfo info = {
		.signo = LX_SIGSYS,
		.error = (int32_t)data,
		.code = LX_SYS_SECCOMP,
		.sys = {.call_addr = platform_regs(task->thread)->rip,
			.syscall = (int32_t)task->event.syscall.nr,
			.arch = LX_AUDIT_ARCH_X86_64},
	};

	signal_force(task, &info);
}

static bool act(
	struct task *task, uint32_t answer, const struct seccomp_filter *by, int64_t *ret_result);

/* __seccomp_filter(): what the tracer has made of the call is judged again, but not by it. */
static bool ask_tracer(struct task *task, uint32_t data, int64_t *ret_result)
{
	const struct seccomp_filter *by;
	uint32_t answer;

	trace_event(task, LX_PTRACE_EVENT_SECCOMP, data);
	trace_take_call(task);
	*ret_result = (int64_t)task->thread->regs.rax;
	if (task->killed || (int32_t)task->event.syscall.nr < 0)
		return false;
	answer = judge(task, &by);
	if ((answer & LX_SECCOMP_RET_ACTION_FULL) == LX_SECCOMP_RET_TRACE)
		return true;
	return act(task, answer, by, ret_result);
}

static bool ask_listener(struct task *task, const struct seccomp_filter *by, int64_t *ret_result)
{
	const struct lx_seccomp_data data = data_of(task);

	*ret_result = -ENOSYS;
	return by->listener && listener_ask(by->listener, task, &data, ret_result);
}

static bool act(
	struct task *task, uint32_t answer, const struct seccomp_filter *by, int64_t *ret_result)
{
	uint32_t data = answer & LX_SECCOMP_RET_DATA;
	bool log = by && by->log;

	switch (answer & LX_SECCOMP_RET_ACTION_FULL) {
	case LX_SECCOMP_RET_LOG:
		report(task, "log");
		return true;
	case LX_SECCOMP_RET_ALLOW:
		return true;
	case LX_SECCOMP_RET_ERRNO:
		if (log)
			report(task, "errno");
		*ret_result = -(int64_t)(data > 4095 ? 4095 : data);
		return false;
	case LX_SECCOMP_RET_TRAP:
		if (log)
			report(task, "trap");
		trap(task, data);
		/* The call's number is back in its register, and nothing restarts. */
		*ret_result = (int64_t)task->event.syscall.nr;
		task->thread->regs.orig_rax = UINT64_MAX;
		return false;
	case LX_SECCOMP_RET_TRACE:
		if (trace_wants(task, LX_PTRACE_EVENT_SECCOMP))
			return ask_tracer(task, data, ret_result);
		*ret_result = -ENOSYS;
		return false;
	case LX_SECCOMP_RET_USER_NOTIF:
		return ask_listener(task, by, ret_result);
	case LX_SECCOMP_RET_KILL_THREAD:
		report(task, "kill-thread");
		if (task->group->live_count == 1)
			kill_process(task);
		else
			kill_thread(task, LX_SIGSYS);
		break;
	default: /* KILL_PROCESS, and what is not known */
		report(task, "kill-process");
		kill_process(task);
		break;
	}
	*ret_result = 0;
	return false;
}

bool seccomp_permits(struct task *task, int64_t *ret_result)
{
	const struct seccomp_filter *by;
	uint64_t nr = task->event.syscall.nr;
	uint32_t answer;

	if (task->seccomp_mode == LX_SECCOMP_MODE_STRICT) {
		if (nr == LX_NR_read || nr == LX_NR_write || nr == LX_NR_exit ||
			nr == LX_NR_rt_sigreturn)
			return true;
		report(task, "kill-thread");
		kill_thread(task, LX_SIGKILL);
		*ret_result = 0;
		return false;
	}
	answer = judge(task, &by);
	return act(task, answer, by, ret_result);
}

/* ---- installing ------------------------------------------------------------------------------ */

static int read_program(struct task *t, gaddr_t addr, struct seccomp_filter **ret)
{
	struct lx_sock_fprog fprog;
	struct seccomp_filter *filter;
	int err;

	err = guest_read_value(t, &fprog, addr);
	if (err < 0)
		return err;
	if (fprog.len == 0 || fprog.len > LX_BPF_MAXINSNS)
		return -EINVAL;
	if (!t->cred->no_new_privs && !cred_own_capable(t->cred, LX_CAP_SYS_ADMIN))
		return -EACCES;
	if (fprog.len > SENTRY_MAX_SECCOMP_INSNS - insn_count)
		return -ENOMEM;
	filter = malloc(sizeof(*filter) + fprog.len * sizeof(filter->program[0]));
	if (!filter)
		return -ENOMEM;
	*filter = (struct seccomp_filter){.refs = REFCOUNT_ONE, .count = fprog.len};
	/* Before reading, which sleeps: others count meanwhile. */
	insn_count += filter->count;
	err = guest_read(
		t, filter->program, GADDR(fprog.filter), fprog.len * sizeof(filter->program[0]));
	if (err == 0)
		err = bpf_check(filter->program, filter->count);
	if (err < 0) {
		filter_unref(filter);
		return err;
	}
	*ret = filter;
	return 0;
}

static bool is_ancestor(const struct seccomp_filter *ancestor, const struct seccomp_filter *filter)
{
	if (!ancestor)
		return true;
	while (filter && filter != ancestor)
		filter = filter->previous;
	return filter;
}

/* SECCOMP_FILTER_FLAG_TSYNC: the first thread that went its own way, or NULL. */
static const struct task *find_stray(const struct task *caller)
{
	const struct task *task;

	list_for_each_entry (task, &caller->group->tasks, group_link) {
		if (task == caller || task->exited)
			continue;
		if (task->seccomp_mode == 0)
			continue;
		if (task->seccomp_mode != LX_SECCOMP_MODE_FILTER ||
			!is_ancestor(task->seccomp, caller->seccomp))
			return task;
	}
	return NULL;
}

/* The others get no_new_privs too. -ENOMEM, some may have it then. */
static int share_no_new_privs(const struct task *caller)
{
	struct task *task;

	list_for_each_entry (task, &caller->group->tasks, group_link) {
		struct cred *cred;
		int err;

		if (task->exited || task->cred->no_new_privs || !caller->cred->no_new_privs)
			continue;
		err = cred_copy(task->cred, task->cred->group_count, &cred);
		if (err < 0)
			return err;
		cred->no_new_privs = true;
		cred_unref(task->cred);
		task->cred = cred;
	}
	return 0;
}

static void put_in_force(struct task *task, struct seccomp_filter *filter)
{
	struct seccomp_filter *old = task->seccomp;

	task->seccomp = filter_ref(filter);
	task->seccomp_mode = LX_SECCOMP_MODE_FILTER;
	filter_unref(old);
	task_publish(task);
}

/* Takes over @filter. */
static int64_t attach(struct task *t, struct seccomp_filter *filter, unsigned flags)
{
	bool sync = flags & LX_SECCOMP_FILTER_FLAG_TSYNC;
	unsigned before = t->seccomp ? t->seccomp->total : 0;
	const struct task *stray = sync ? find_stray(t) : NULL;
	struct task *task;
	int err = 0;

	if (before + filter->count > MAX_INSNS_PER_PATH)
		err = -ENOMEM;
	else if (sync && !stray)
		err = share_no_new_privs(t);
	if (err < 0 || stray) {
		filter_unref(filter);
		if (err < 0)
			return err;
		return flags & LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : pid_vnr(stray->pid);
	}
	filter->total = before + filter->count + 4;
	filter->depth = seccomp_filter_count(t) + 1;
	filter->log = flags & LX_SECCOMP_FILTER_FLAG_LOG;
	filter->previous = filter_ref(t->seccomp);
	if (sync) {
		list_for_each_entry (task, &t->group->tasks, group_link)
			if (task != t && !task->exited)
				put_in_force(task, filter);
	}
	put_in_force(t, filter);
	filter_unref(filter);
	task_forget_content(t);
	return 0;
}

static bool has_listener(const struct seccomp_filter *filter)
{
	for (; filter; filter = filter->previous)
		if (filter->listener)
			return true;
	return false;
}

/* With the filter's listener, whose descriptor goes again when something fails. */
static int64_t attach_listener(struct task *t, struct seccomp_filter *filter, unsigned flags)
{
	int64_t fd, err;

	/* There is one in a chain (has_duplicate_listener()). */
	if (has_listener(t->seccomp)) {
		filter_unref(filter);
		return -EBUSY;
	}
	fd = listener_new(t, flags & LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &filter->listener);
	if (fd < 0) {
		filter_unref(filter);
		return fd;
	}
	err = attach(t, filter, flags);
	if (err == 0)
		return fd;
	(void)fd_close(t->files, (int)fd, t->files);
	return err;
}

static int64_t set_filter(struct task *t, unsigned flags, gaddr_t addr)
{
	const unsigned known =
		LX_SECCOMP_FILTER_FLAG_TSYNC | LX_SECCOMP_FILTER_FLAG_LOG |
		LX_SECCOMP_FILTER_FLAG_SPEC_ALLOW | LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
		LX_SECCOMP_FILTER_FLAG_NEW_LISTENER | LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	struct seccomp_filter *filter;
	int err;

	if (flags & ~known)
		return -EINVAL;
	/* Both would want to return something. */
	if ((flags & LX_SECCOMP_FILTER_FLAG_TSYNC) &&
		(flags & LX_SECCOMP_FILTER_FLAG_NEW_LISTENER) &&
		!(flags & LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return -EINVAL;
	if ((flags & LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) &&
		!(flags & LX_SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return -EINVAL;
	err = read_program(t, addr, &filter);
	if (err < 0)
		return err;
	if (t->seccomp_mode == LX_SECCOMP_MODE_STRICT) {
		filter_unref(filter);
		return -EINVAL;
	}
	if (flags & LX_SECCOMP_FILTER_FLAG_NEW_LISTENER)
		return attach_listener(t, filter, flags);
	return attach(t, filter, flags);
}

static int64_t set_strict(struct task *t)
{
	if (t->seccomp_mode == LX_SECCOMP_MODE_FILTER)
		return -EINVAL;
	t->seccomp_mode = LX_SECCOMP_MODE_STRICT;
	task_publish(t);
	task_forget_content(t);
	return 0;
}

static int64_t action_available(struct task *t, unsigned flags, gaddr_t addr)
{
	uint32_t action;
	int err;

	if (flags)
		return -EINVAL;
	err = guest_read_value(t, &action, addr);
	if (err < 0)
		return err;
	switch (action) {
	case LX_SECCOMP_RET_KILL_PROCESS:
	case LX_SECCOMP_RET_KILL_THREAD:
	case LX_SECCOMP_RET_TRAP:
	case LX_SECCOMP_RET_ERRNO:
	case LX_SECCOMP_RET_USER_NOTIF:
	case LX_SECCOMP_RET_TRACE:
	case LX_SECCOMP_RET_LOG:
	case LX_SECCOMP_RET_ALLOW:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int64_t notif_sizes(struct task *t, unsigned flags, gaddr_t addr)
{
	const struct lx_seccomp_notif_sizes sizes = {
		.seccomp_notif = sizeof(struct lx_seccomp_notif),
		.seccomp_notif_resp = sizeof(struct lx_seccomp_notif_resp),
		.seccomp_data = sizeof(struct lx_seccomp_data),
	};

	return flags ? -EINVAL : guest_write_value(t, addr, &sizes);
}

int64_t seccomp_prctl(struct task *task, uint64_t mode, gaddr_t filter)
{
	switch (mode) {
	case LX_SECCOMP_MODE_STRICT:
		return set_strict(task);
	case LX_SECCOMP_MODE_FILTER:
		return set_filter(task, 0, filter);
	default:
		return -EINVAL;
	}
}

int64_t sys_seccomp(struct task *t, int operation, unsigned flags, gaddr_t args)
{
	switch (operation) {
	case LX_SECCOMP_SET_MODE_STRICT:
		return flags || !gaddr_is_null(args) ? -EINVAL : set_strict(t);
	case LX_SECCOMP_SET_MODE_FILTER:
		return set_filter(t, flags, args);
	case LX_SECCOMP_GET_ACTION_AVAIL:
		return action_available(t, flags, args);
	case LX_SECCOMP_GET_NOTIF_SIZES:
		return notif_sizes(t, flags, args);
	default:
		return -EINVAL;
	}
}
