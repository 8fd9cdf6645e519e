/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/resource.h"
#include "abi/wait.h"
#include "sentry/clock.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"
#include "sentry/trace.h"

/*
 * wait4(2) and waitid(2) (kernel/exit.c do_wait()). Children are processes; without __WNOTHREAD
 * those of every thread of the caller's process count. A child that is not over may still be news:
 * stopped or continued. So are the threads that the caller traces, children or not, which are news
 * whenever they stop, and to their tracer before their parent.
 */

struct wait_request {
	int type;	 /* LX_P_ALL, LX_P_PID, LX_P_PGID, LX_P_PIDFD */
	struct pid *pid; /* owned; NULL for LX_P_ALL, and for a number that nobody has */
	uint32_t options;
};

struct wait_result {
	int pid;
	uint32_t uid;
	int code;	 /* LX_CLD_* */
	int status;	 /* si_status */
	int wait_status; /* wait4's */
	struct lx_rusage usage;
};

/* What the child and the children that it waited for used (RUSAGE_BOTH). */
static void fill_usage(struct thread_group *group, struct lx_rusage *ret)
{
	uint64_t user, system, rss = group->dead_threads.max_rss;

	group_cpu_time(group, &user, &system);
	if (rss < group->dead_children.max_rss)
		rss = group->dead_children.max_rss;
	memset(ret, 0, sizeof(*ret));
	ret->ru_utime = ns_to_timeval(user + group->dead_children.user_ns);
	ret->ru_stime = ns_to_timeval(system + group->dead_children.system_ns);
	ret->ru_maxrss = (int64_t)(rss / 1024);
	ret->ru_minflt =
		(int64_t)(group->dead_threads.minor_faults + group->dead_children.minor_faults);
	ret->ru_majflt =
		(int64_t)(group->dead_threads.major_faults + group->dead_children.major_faults);
	ret->ru_nvcsw = (int64_t)(group->dead_threads.switches + group->dead_children.switches);
}

static bool traced_by(const struct task *child, const struct task *task)
{
	return child->tracer && child->tracer->group == task->group;
}

/* eligible_child(): by number, then by the kind of child (wait(2): "clone" children). */
static bool eligible(const struct task *task, const struct thread_group *child,
	const struct wait_request *request)
{
	switch (request->type) {
	case LX_P_ALL:
		break;
	case LX_P_PGID:
		if (!request->pid || child->pgrp != request->pid)
			return false;
		break;
	default:
		if (!request->pid || child->pid != request->pid)
			return false;
		break;
	}
	if ((request->options & LX___WNOTHREAD) && child->parent_task != task)
		return false;
	if ((request->options & LX___WALL) || traced_by(child->leader, task))
		return true;
	return (child->exit_signal != LX_SIGCHLD) == !!(request->options & LX___WCLONE);
}

static void fill_result(
	struct thread_group *child, int code, int status, int wait_status, struct wait_result *ret)
{
	ret->pid = pid_vnr(child->pid);
	ret->uid = uid_here(child->leader->cred->uid);
	ret->code = code;
	ret->status = status;
	ret->wait_status = wait_status;
	fill_usage(child, &ret->usage);
}

static void fill_exit(struct thread_group *child, int status, struct wait_result *ret)
{
	if (status & 0x7f)
		fill_result(child, status & LX_WSTATUS_CORE ? LX_CLD_DUMPED : LX_CLD_KILLED,
			status & 0x7f, status, ret);
	else
		fill_result(child, LX_CLD_EXITED, status >> 8 & 0xff, status, ret);
}

static bool take_zombie(struct thread_group *child, uint32_t options, struct wait_result *ret)
{
	if (!(options & LX_WEXITED) || !child->zombie)
		return false;
	fill_exit(child, child->exit_code, ret);
	if (!(options & LX_WNOWAIT))
		group_reap(child);
	return true;
}

static bool take_stopped(struct thread_group *child, uint32_t options, struct wait_result *ret)
{
	if (!(options & LX_WSTOPPED) || !child->stopped || child->stop_reported || child->zombie)
		return false;
	fill_result(
		child, LX_CLD_STOPPED, child->stop_signo, LX_WSTATUS_STOP(child->stop_signo), ret);
	if (!(options & LX_WNOWAIT))
		child->stop_reported = true;
	return true;
}

static bool take_continued(struct thread_group *child, uint32_t options, struct wait_result *ret)
{
	if (!(options & LX_WCONTINUED) || !child->continued_pending || child->zombie)
		return false;
	fill_result(child, LX_CLD_CONTINUED, LX_SIGCONT, LX_WSTATUS_CONTINUED, ret);
	if (!(options & LX_WNOWAIT))
		child->continued_pending = false;
	return true;
}

/* ---- what the caller traces ------------------------------------------------------------------ */

/* wait_task_zombie() of a tracee. A process whose parent is another one is that one's next. */
static bool take_traced_zombie(struct task *task, uint32_t options, struct wait_result *ret)
{
	struct thread_group *group = task->group;
	bool leader = task == group->leader;

	if (!(options & LX_WEXITED) || !task->exited || (leader && !group->zombie))
		return false;
	fill_exit(group, leader || group->exiting ? group->exit_code : task->exit_code, ret);
	ret->pid = pid_vnr(task->pid);
	if (options & LX_WNOWAIT)
		return true;
	if (!leader) {
		thread_reap(task);
	} else if (trace_reparented(task)) {
		trace_unlink(task);
		group_notify_parent(group);
	} else {
		group_reap(group);
	}
	return true;
}

static bool take_trace_stop(struct task *task, uint32_t options, struct wait_result *ret)
{
	struct trace *trace = task->trace;
	int code = trace->code;

	if (!trace->stopped || trace->listening || code == 0)
		return false;
	fill_result(task->group, LX_CLD_TRAPPED, code, code << 8 | 0x7f, ret);
	ret->pid = pid_vnr(task->pid);
	if (!(options & LX_WNOWAIT))
		trace->code = 0;
	return true;
}

static bool take_traced(struct task *task, uint32_t options, struct wait_result *ret)
{
	return take_traced_zombie(task, options, ret) || take_trace_stop(task, options, ret) ||
	       take_continued(task->group, options, ret);
}

static bool eligible_tracee(const struct task *task, const struct wait_request *request)
{
	switch (request->type) {
	case LX_P_ALL:
		return true;
	case LX_P_PGID:
		return request->pid && task->group->pgrp == request->pid;
	default:
		return request->pid && task->pid == request->pid;
	}
}

/* ptrace_do_wait() */
static int look_at_tracees(
	struct task *tracer, const struct wait_request *request, struct wait_result *ret)
{
	struct task *task, *next;
	int r = -ECHILD;

	list_for_each_entry_safe (task, next, &tracer->tracees, tracer_link) {
		if (!eligible_tracee(task, request))
			continue;
		/* A zombie that is not over (threads are left) is nothing to wait for in the form
		 * of a stop. */
		if (!task->exited || (request->options & (LX_WCONTINUED | LX_WEXITED)))
			r = 0;
		if (take_traced(task, request->options, ret))
			return 1;
	}
	return r;
}

static int look_at_all_tracees(
	struct task *task, const struct wait_request *request, struct wait_result *ret)
{
	struct task *thread;
	int r = -ECHILD;

	if (request->options & LX___WNOTHREAD)
		return look_at_tracees(task, request, ret);
	list_for_each_entry (thread, &task->group->tasks, group_link) {
		int found = list_empty(&thread->tracees) ? -ECHILD
							 : look_at_tracees(thread, request, ret);

		if (found > 0)
			return found;
		if (found == 0)
			r = 0;
	}
	return r;
}

/* A child that is traced by somebody else is not over for its parent until the tracer has seen
 * it. */
static bool take_child(
	struct task *task, struct thread_group *child, uint32_t options, struct wait_result *ret)
{
	if (traced_by(child->leader, task))
		return take_traced(child->leader, options, ret);
	return (!child->leader->tracer && take_zombie(child, options, ret)) ||
	       take_stopped(child, options, ret) || take_continued(child, options, ret);
}

/* One look at the children: 1 found, 0 none ready, -ECHILD none to wait for. */
static int look(struct task *task, const struct wait_request *request, struct wait_result *ret)
{
	struct thread_group *child, *next;
	int r = -ECHILD, traced;

	list_for_each_entry_safe (child, next, &task->group->children, child_link) {
		if (!eligible(task, child, request))
			continue;
		/* A zombie is nothing to wait for in the form of a stop. */
		if (!child->zombie || child->leader->tracer || (request->options & LX_WEXITED))
			r = 0;
		if (take_child(task, child, request->options, ret))
			return 1;
	}
	traced = look_at_all_tracees(task, request, ret);
	return traced >= 0 ? traced : r;
}

/* 1 and *ret, 0 with WNOHANG and nothing, -ECHILD, -ERESTARTSYS. May sleep. */
static int do_wait(struct task *task, const struct wait_request *request, struct wait_result *ret)
{
	for (;;) {
		int r = look(task, request, ret);

		if (r != 0 || (request->options & LX_WNOHANG))
			return r;
		r = wait_sleep(&task->group->wait_children, ~0u, WAIT_FOREVER, true, false);
		if (r < 0) {
			/* A child's end and its SIGCHLD arrive together: the answer comes first
			 * only if it is there. */
			int found = look(task, request, ret);

			return found != 0 ? found : r;
		}
	}
}

static struct pid *pid_ref_or_null(struct pid *pid)
{
	return pid ? pid_ref(pid) : NULL;
}

static void request_release(struct wait_request *request)
{
	if (request->pid)
		pid_unref(request->pid);
}

int64_t sys_wait4(struct task *task, int upid, gaddr_t wstatus, unsigned options, gaddr_t rusage)
{
	struct wait_request request = {.type = LX_P_ALL, .options = options | LX_WEXITED};
	struct wait_result result;
	int r;

	if (options & ~(LX_WNOHANG | LX_WUNTRACED | LX_WCONTINUED | LX___WNOTHREAD | LX___WCLONE |
			      LX___WALL))
		return -EINVAL;
	if (upid == INT_MIN)
		return -ESRCH;
	if (upid > 0) {
		request.type = LX_P_PID;
		request.pid = pid_ref_or_null(pid_find(upid));
	} else if (upid != -1) {
		request.type = LX_P_PGID;
		request.pid =
			upid == 0 ? pid_ref(task->group->pgrp) : pid_ref_or_null(pid_find(-upid));
	}
	r = do_wait(task, &request, &result);
	request_release(&request);
	if (r <= 0)
		return r;
	if (!gaddr_is_null(wstatus) && guest_write_value(task, wstatus, &result.wait_status) < 0)
		return -EFAULT;
	if (!gaddr_is_null(rusage) && guest_write_value(task, rusage, &result.usage) < 0)
		return -EFAULT;
	return result.pid;
}

/* P_PIDFD: a non-blocking pidfd makes the wait so (waitid(2)). */
static int request_pidfd(
	struct task *task, int fd, struct wait_request *request, bool *ret_nonblock)
{
	struct file *file;
	struct pid *pid;
	int r;

	if (fd < 0)
		return -EINVAL;
	file = fd_get(task->files, fd);
	if (!file)
		return -EBADF;
	r = pidfd_file_pid(file, &pid);
	if (r == 0) {
		request->pid = pid_ref(pid);
		*ret_nonblock = file->flags & LX_O_NONBLOCK;
	}
	file_unref(file);
	return r;
}

static int waitid_request(
	struct task *task, int type, int id, struct wait_request *request, bool *ret_nonblock)
{
	request->type = type;
	switch (type) {
	case LX_P_ALL:
		return 0;
	case LX_P_PID:
		if (id <= 0)
			return -EINVAL;
		request->pid = pid_ref_or_null(pid_find(id));
		return 0;
	case LX_P_PGID:
		if (id < 0)
			return -EINVAL;
		request->pid = id ? pid_ref_or_null(pid_find(id)) : pid_ref(task->group->pgrp);
		return 0;
	case LX_P_PIDFD:
		return request_pidfd(task, id, request, ret_nonblock);
	default:
		return -EINVAL;
	}
}

/* Only these members are written (kernel waitid()): what else is in the guest's siginfo stays. */
static int write_waitid_info(struct task *task, gaddr_t info, const struct wait_result *result)
{
	int32_t head[3] = {result ? LX_SIGCHLD : 0, 0, result ? result->code : 0};
	int32_t body[3] = {0};
	int r;

	if (result) {
		body[0] = result->pid;
		body[1] = (int32_t)result->uid;
		body[2] = result->status;
	}
	r = guest_write_result(task, info, head, sizeof(head));
	if (r < 0)
		return r;
	return guest_write_result(task, gaddr_add(info, 16), body, sizeof(body));
}

/* Linux' kernel_waitid(): 0 or -errno; *ret_found says whether there is a result. */
static int do_waitid(struct task *task, int type, int id, unsigned options, gaddr_t rusage,
	struct wait_result *result, bool *ret_found)
{
	struct wait_request request = {.options = options};
	bool nonblock = false;
	int r;

	if (options & ~(LX_WNOHANG | LX_WNOWAIT | LX_WEXITED | LX_WSTOPPED | LX_WCONTINUED |
			      LX___WNOTHREAD | LX___WCLONE | LX___WALL))
		return -EINVAL;
	if (!(options & (LX_WEXITED | LX_WSTOPPED | LX_WCONTINUED)))
		return -EINVAL;
	r = waitid_request(task, type, id, &request, &nonblock);
	if (r < 0)
		return r;
	if (nonblock)
		request.options |= LX_WNOHANG;
	r = do_wait(task, &request, result);
	request_release(&request);
	if (r == 0 && nonblock && !(options & LX_WNOHANG))
		r = -EAGAIN;
	if (r > 0 && !gaddr_is_null(rusage) && guest_write_value(task, rusage, &result->usage) < 0)
		return -EFAULT;
	*ret_found = r > 0;
	return r < 0 ? r : 0;
}

/* A failure too leaves its mark: Linux clears the fields of @infop then. */
int64_t sys_waitid(
	struct task *task, int type, int id, gaddr_t infop, unsigned options, gaddr_t rusage)
{
	struct wait_result result;
	bool found = false;
	int r = do_waitid(task, type, id, options, rusage, &result, &found);

	if (r != -EFAULT && !gaddr_is_null(infop) &&
		write_waitid_info(task, infop, found ? &result : NULL) < 0)
		return -EFAULT;
	return r;
}
