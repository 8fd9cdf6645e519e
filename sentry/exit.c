/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "abi/futex.h"
#include "abi/limits.h"
#include "abi/poll.h"
#include "abi/time.h"
#include "abi/wait.h"
#include "base/cleanup.h"
#include "sentry/keys.h"
#include "sentry/futex_pi.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel.h"
#include "sentry/mm.h"
#include "sentry/nsproxy.h"
#include "sentry/observe.h"
#include "sentry/pid_ns.h"
#include "sentry/task_private.h"
#include "sentry/held.h"
#include "sentry/trace.h"
#include "sentry/tty/tty.h"

/*
 * The end of threads and processes (kernel/exit.c).
 *
 * A thread leaves on its own fiber: it is marked killed, brought out of whatever it does, and walks
 * task_exit(). The leader stays as a zombie in its group's list until the group is reaped; other
 * threads vanish at once. The process is over when nothing but a dead leader is left: then its
 * children find a new parent, and its own parent hears of it.
 *
 * A host process whose threads do not come back within KILL_GRACE_NS of a group exit (stuck in the
 * host's kernel, or hostile) is killed as a whole; its threads' fibers then see -ESRCH and
 * PLATFORM_EXITED.
 */

#define KILL_GRACE_NS 300000000ull
#define FAREWELL_NS   2000000000ull

/* ---- ending a process ----------------------------------------------------------------------- */

/* How many references on the task's address space are of groups that end. */
static unsigned mm_users_ending(const struct task *task)
{
	unsigned count = 0;

	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1))
		count += pid->task && pid->task->mm == task->mm && pid->task->group->exiting;
	return count;
}

static void kill_timer_expired(struct timer *timer)
{
	struct thread_group *group = container_of(timer, struct thread_group, kill_timer);
	struct task *task;

	list_for_each_entry (task, &group->tasks, group_link) {
		if (!task->thread || !task->mm)
			continue;
		/* Its tracer looks at it, for as long as that takes. */
		if (trace_stopped(task)) {
			(void)timer_arm(timer, loop_monotonic_now() + KILL_GRACE_NS);
			return;
		}
	}
	list_for_each_entry (task, &group->tasks, group_link) {
		if (!task->thread || !task->mm)
			continue;
		/* A vfork child lives in its parent's host process, which goes only when both do.
		 */
		if (task->mm->refs.count <= mm_users_ending(task))
			platform->as_kill(task->thread->as);
		else
			platform->interrupt(task->thread);
		(void)timer_arm(timer, loop_monotonic_now() + KILL_GRACE_NS);
	}
}

void group_exit(struct thread_group *group, int wait_status)
{
	struct task *task;

	if (group->exiting || group->zombie)
		return;
	group->exiting = true;
	group->exit_code = wait_status;
	group->stopped = false;
	group->stop_count = 0;
	timer_init(&group->kill_timer, kill_timer_expired, NULL);
	list_for_each_entry (task, &group->tasks, group_link) {
		if (task->exited)
			continue;
		task->stop_pending = false;
		task->exit_code = wait_status;
		signal_kill_task(task);
		/* The caller too: its last words need its stub's help. */
		if (!timer_armed(&group->kill_timer))
			(void)timer_arm(&group->kill_timer, loop_monotonic_now() + KILL_GRACE_NS);
	}
}

/* ---- a thread's last words in guest memory -------------------------------------------------- */

static void wake_futex(struct task *task, gaddr_t addr)
{
	/* Waiters in other processes count: the shared form (kernel mm_release(),
	 * handle_futex_death()). */
	const struct platform_futex wake = {.op = LX_FUTEX_WAKE, .uaddr = addr, .val = 1};

	(void)platform->futex(task->thread, &wake);
}

/*
 * handle_futex_death(). There is no compare-and-exchange on guest memory from here: a waiter that
 * registers between our read and our write either sees the new value or sleeps already and is
 * woken, since the wake-up is unconditional.
 */
static int mark_owner_dead(struct task *task, uint64_t entry, int64_t offset, bool pending)
{
	gaddr_t addr = GADDR((entry & ~1ull) + (uint64_t)offset);
	bool pi = entry & 1;
	uint32_t value;

	if (addr.v % sizeof(value) || guest_read_value(task, &value, addr) < 0)
		return -EFAULT;
	if (pending && !pi && value == 0) {
		wake_futex(task, addr);
		return 0;
	}
	if ((value & LX_FUTEX_TID_MASK) != (uint32_t)task_own_tid(task))
		return 0;
	value = (value & LX_FUTEX_WAITERS) | LX_FUTEX_OWNER_DIED;
	if (guest_write(task, addr, &value, sizeof(value)) < 0)
		return -EFAULT;
	wake_futex(task, addr);
	return 0;
}

/*
 * exit_robust_list(). Every word is the guest's: the walk is bounded and stops at the first fault.
 * A ring that does not lead back to the head is left when it repeats (Brent's method: the mark
 * moves on after 1, 2, 4... entries), since nothing is done to a futex twice, and a step costs a
 * round trip to the guest.
 */
static void walk_robust_list(struct task *task)
{
	gaddr_t head_addr = task->robust_list;
	struct lx_robust_list_head head;
	uint64_t entry, mark;
	int mark_at = 1;

	if (gaddr_is_null(head_addr) || guest_read_value(task, &head, head_addr) < 0)
		return;
	mark = entry = head.list.next;
	for (int i = 0; i < SENTRY_MAX_ROBUST_LIST && (entry & ~1ull) != head_addr.v; i++) {
		struct lx_robust_list node;
		int r = guest_read_value(task, &node, GADDR(entry & ~1ull));

		if (entry != head.list_op_pending &&
			mark_owner_dead(task, entry, head.futex_offset, false) < 0)
			return;
		if (r < 0)
			return;
		entry = node.next;
		if (entry == mark)
			break;
		if (i + 1 == mark_at) {
			mark = entry;
			mark_at *= 2;
		}
	}
	if (head.list_op_pending)
		(void)mark_owner_dead(task, head.list_op_pending, head.futex_offset, true);
}

static void vfork_done(struct task *task)
{
	if (!task->vfork || task->vfork_done)
		return;
	task->vfork_done = true;
	wait_queue_wake(&task->vfork_queue, ~0u);
}

void task_release_memory(struct task *task)
{
	if (task->thread && task->mm) {
		walk_robust_list(task);
		futex_pi_exit(task);
		if (task->mm->refs.count > 1)
			task_end_rseq(task);
		if (!gaddr_is_null(task->clear_child_tid) && task->mm->refs.count > 1) {
			const int32_t zero = 0;

			/* Both in one exchange; that the address is bad harms nobody
			 * (mm_release()).
			 */
			guest_write_lossy(task, task->clear_child_tid, &zero, sizeof(zero));
			wake_futex(task, task->clear_child_tid);
		}
	}
	task->robust_list = GADDR_NULL;
	task->clear_child_tid = GADDR_NULL;
	vfork_done(task);
}

/* ---- the family ----------------------------------------------------------------------------- */

static struct task *live_thread(struct thread_group *group)
{
	struct task *task;

	list_for_each_entry (task, &group->tasks, group_link)
		if (!task->exited && !task->killed)
			return task;
	return NULL;
}

/* prctl(PR_SET_PDEATHSIG): the thread that made the process is gone. */
static void send_pdeath_signals(struct thread_group *child, struct task *parent)
{
	struct task *task;

	list_for_each_entry (task, &child->tasks, group_link) {
		struct lx_siginfo info;

		if (task->exited || !task->pdeath_signal)
			continue;
		signal_info_user(&info, task->pdeath_signal, LX_SI_USER, parent);
		(void)signal_send_group(child, &info);
	}
}

/* The next ancestor that asked for orphans (PR_SET_CHILD_SUBREAPER), else the init of the PID
 * namespace, else that of the one above. */
static struct thread_group *find_reaper(struct thread_group *group)
{
	struct thread_group *ancestor;

	struct pid_ns *ns = group->pid->ns;

	for (ancestor = group->parent; ancestor && ancestor->pid->ns == ns;
		ancestor = ancestor->parent)
		if (ancestor->child_subreaper && !ancestor->exiting && live_thread(ancestor))
			return ancestor;
	for (; ns; ns = ns->parent)
		if (ns->reaper && ns->reaper != group &&
			(ns->reaper == reaper_group || live_thread(ns->reaper)))
			return ns->reaper;
	return reaper_group;
}

/* The last thread of @group leaves: all children get a new parent. */
static void reparent_children(struct task *task)
{
	struct thread_group *group = task->group, *child, *next;
	struct thread_group *reaper = list_empty(&group->children) ? NULL : find_reaper(group);

	list_for_each_entry_safe (child, next, &group->children, child_link) {
		list_remove(&child->child_link);
		group_link(child, reaper, live_thread(reaper));
		group_publish(child);
		child->exit_signal = LX_SIGCHLD;
		if (!child->zombie)
			send_pdeath_signals(child, task);
		session_check_orphans(child, group);
		if (child->zombie)
			group_notify_parent(child);
	}
}

/*
 * A thread leaves: its children become another thread's. Of those that are left all may be about to
 * end, the last of which finds the children another process; until then they are no thread's.
 */
static void hand_over_children(struct task *task)
{
	struct task *heir = live_thread(task->group);
	struct thread_group *child;

	list_for_each_entry (child, &task->group->children, child_link) {
		if (child->parent_task != task)
			continue;
		child->parent_task = heir;
		if (heir)
			send_pdeath_signals(child, task);
	}
}

/* ---- telling the parent --------------------------------------------------------------------- */

static int64_t ns_to_ticks(uint64_t ns)
{
	return (int64_t)(ns / (1000000000ull / LX_USER_HZ));
}

void group_child_info(struct thread_group *group, int code, int status, struct lx_siginfo *ret)
{
	uint64_t user, system;

	group_cpu_time(group, &user, &system);
	memset(ret, 0, sizeof(*ret));
	ret->signo = LX_SIGCHLD;
	ret->code = code;
	ret->chld.pid = group->parent ? pid_nr_in(group->pid, group->parent->pid->ns) : 0;
	ret->chld.uid = group->leader->cred->uid;
	if (group->parent && group->parent->leader)
		ret->chld.uid = user_ns_uid(group->parent->leader->cred->user_ns, ret->chld.uid);
	ret->chld.status = status;
	ret->chld.utime = ns_to_ticks(user);
	ret->chld.stime = ns_to_ticks(system);
}

void group_notify_stop(struct thread_group *group, int code, int status)
{
	struct thread_group *parent = group->parent;
	const struct lx_sigaction *action;
	struct lx_siginfo info;

	if (!parent)
		return;
	action = &parent->sighand->action[LX_SIGCHLD - 1];
	if (action->handler != LX_SIG_IGN && !(action->flags & LX_SA_NOCLDSTOP)) {
		group_child_info(group, code, status, &info);
		(void)signal_send_group(parent, &info);
	}
	wait_queue_wake(&parent->wait_children, ~0u);
}

void group_notify_parent(struct thread_group *group)
{
	struct thread_group *parent = group->parent;
	const struct lx_sigaction *action = &parent->sighand->action[LX_SIGCHLD - 1];
	int status = group->exit_code, signo = group->exit_signal;
	bool auto_reap = false;
	struct lx_siginfo info;

	if (group->parent_exec_id != parent->exec_id)
		signo = LX_SIGCHLD; /* kernel/signal.c: do_notify_parent() */
	if (status & 0x7f)
		group_child_info(group, status & LX_WSTATUS_CORE ? LX_CLD_DUMPED : LX_CLD_KILLED,
			status & 0x7f, &info);
	else
		group_child_info(group, LX_CLD_EXITED, status >> 8, &info);
	/* The tracer first, and nobody is reaped for it. */
	if (group->leader->tracer) {
		struct thread_group *tracer = group->leader->tracer->group;

		info.signo = tracer == parent ? signo : LX_SIGCHLD;
		if (info.signo)
			(void)signal_send_group(tracer, &info);
		wait_queue_wake(&tracer->wait_children, ~0u);
		return;
	}
	info.signo = signo;
	if (signo == LX_SIGCHLD &&
		(action->handler == LX_SIG_IGN || (action->flags & LX_SA_NOCLDWAIT))) {
		/* POSIX: such children do not become zombies (sigaction(2)). */
		auto_reap = true;
		if (action->handler == LX_SIG_IGN)
			signo = 0;
	}
	/* The thread that made the child is the first to hear of it. */
	if (signo && group->parent_task && group->parent_task->group == parent &&
		!group->parent_task->exited)
		(void)signal_send_group_through(group->parent_task, &info);
	else if (signo)
		(void)signal_send_group(parent, &info);
	if (auto_reap)
		group_reap(group);
	wait_queue_wake(&parent->wait_children, ~0u);
}

static int program_status;
static struct timer farewell_timer;

static void everybody_gone(struct timer *timer)
{
	task_init.gone(program_status);
}

/* Pid 1's only duty: with the program the sandbox ends. What does not die in time dies with its
 * platform. */
static void program_end(struct thread_group *group)
{
	program_status = group->exit_code;
	kernel.init = NULL;
	program_group = NULL;
	tasks_kill_all();
	timer_init(&farewell_timer, everybody_gone, NULL);
	(void)timer_arm(&farewell_timer, loop_monotonic_now() + FAREWELL_NS);
}

static void group_end(struct thread_group *group)
{
	bool program = group == program_group;

	group->zombie = true;
	if (group->exiting)
		(void)timer_cancel(&group->kill_timer);
	wait_queue_wake(&group->pid->exit_queue, LX_POLLIN | LX_POLLRDNORM);
	if (program)
		program_end(group);
	group_notify_parent(group);
}

static void usage_add(struct thread_group *to, const struct thread_group *from)
{
	task_io_add(&to->dead_io, &from->dead_io);
	to->dead_children.user_ns += from->dead_threads.user_ns + from->dead_children.user_ns;
	to->dead_children.system_ns += from->dead_threads.system_ns + from->dead_children.system_ns;
	to->dead_children.minor_faults +=
		from->dead_threads.minor_faults + from->dead_children.minor_faults;
	to->dead_children.major_faults +=
		from->dead_threads.major_faults + from->dead_children.major_faults;
	to->dead_children.in_blocks += from->dead_threads.in_blocks + from->dead_children.in_blocks;
	to->dead_children.out_blocks +=
		from->dead_threads.out_blocks + from->dead_children.out_blocks;
	to->dead_children.switches += from->dead_threads.switches + from->dead_children.switches;
	if (to->dead_children.max_rss < from->dead_threads.max_rss)
		to->dead_children.max_rss = from->dead_threads.max_rss;
	if (to->dead_children.max_rss < from->dead_children.max_rss)
		to->dead_children.max_rss = from->dead_children.max_rss;
}

void group_reap(struct thread_group *group)
{
	struct task *leader = group->leader;

	trace_unlink(leader);
	group->reaped = true;
	usage_add(group->parent, group);
	list_remove(&group->child_link);
	list_remove(&leader->group_link);
	group_set_pgrp(group, NULL);
	group_set_session(group, NULL);
	leader->pid->task = NULL;
	group->pid->group = NULL;
	pid_release_number(group->pid);
	group->leader = NULL;
	group->parent = NULL;
	group->parent_task = NULL;
	task_unref(leader);
	group_unref(group);
}

/* ---- leaving -------------------------------------------------------------------------------- */

/* Gives back everything but identity. May sleep. */
static void release_resources(struct task *task)
{
	struct thread_group *group = task->group;
	uint64_t resident;

	task_release_memory(task);
	sem_undo_exit(task);
	held_take_back(task);
	if (task->files)
		fd_table_unref(TAKE(task->files));
	if (task->fs)
		fs_context_unref(TAKE(task->fs));
	nsproxy_unref(TAKE(task->nsproxy));
	if (task->thread) {
		resident = task_page_faults(task);
		/* The last thread tells for all. */
		if (group->live_count == 0 && group->dead_threads.max_rss < resident)
			group->dead_threads.max_rss = resident;
		task_keep_cpu_time(task);
		platform->thread_release(TAKE(task->thread));
	}
	if (task->mm)
		mm_unref(TAKE(task->mm));
	task_io_add(&group->dead_io, &task->io);
	task->io = (struct task_io){0};
	group->dead_threads.user_ns += task->utime_ns;
	group->dead_threads.system_ns += task->stime_ns;
	group->dead_threads.minor_faults += task->minor_faults;
	group->dead_threads.major_faults += task->major_faults;
	group->dead_threads.switches += task->switches;
}

static void detach_thread(struct task *task)
{
	list_remove(&task->group_link);
	task->pid->task = NULL;
	pid_release_number(task->pid);
}

static bool other_threads(const struct thread_group *group, const struct task *task)
{
	const struct task *other;

	list_for_each_entry (other, &group->tasks, group_link)
		if (other != task && !other->exited)
			return true;
	return false;
}

/* The process is over when its leader is all that is left: traced threads are waited for before. */
static void check_end(struct thread_group *group)
{
	if (!group->zombie && group->leader->exited && group->tasks.next->next == &group->tasks &&
		!group->exec_task)
		group_end(group);
}

void thread_reap(struct task *task)
{
	struct thread_group *group = group_ref(task->group);

	trace_unlink(task);
	detach_thread(task);
	task_unref(task);
	check_end(group);
	group_unref(group);
}

/*
 * zap_pid_ns_processes(): the init of a PID namespace takes all others in it along, and is not over
 * before they are. May sleep.
 */
static void end_namespace(struct task *task)
{
	struct thread_group *group = task->group, *child, *next;
	struct pid_ns *ns = group->pid->ns;

	ns->dead = true;
	/* From now on nobody's end is news: they are reaped at once. */
	group->sighand->action[LX_SIGCHLD - 1] = (struct lx_sigaction){.handler = LX_SIG_IGN};
	list_for_each_entry_safe (child, next, &group->children, child_link)
		if (child->zombie)
			group_reap(child);
	for (struct pid *pid = pid_next_in(ns, 2); pid;
		pid = pid_next_in(ns, pid->numbers[ns->level] + 1))
		if (pid->group && pid->group != group && !pid->group->zombie)
			group_exit(pid->group, LX_WSTATUS_SIGNAL(LX_SIGKILL));
	while (ns->count > 1)
		(void)wait_sleep(&ns->emptied, ~0u, WAIT_FOREVER, false, false);
	ns->reaper = NULL;
}

void task_exit(struct task *task, int code)
{
	struct thread_group *group = task->group;

	if (observe_on())
		observe_exit(task, code, group->live_count == 1);
	task->killed = true;
	signal_stop_left(task);
	signal_retarget(task, ~task->blocked);
	if (--group->live_count == 0) {
		/* The last to leave decides (synchronize_group_exit()). */
		if (!group->exiting)
			group->exit_code = code;
		itimers_release(group);
		posix_timers_release(group);
	}
	release_resources(task);
	if (group->live_count == 0)
		tty_session_exit(group);
	if (group->live_count == 0 && group->pid->ns->reaper == group)
		end_namespace(task);

	trace_tracer_exits(task);
	task->exited = true;
	task->exit_code = code;
	/* Nobody can be helped any more. */
	fiber_run_errands();
	task->fiber = NULL;
	hand_over_children(task);
	if (task != group->leader && !task->tracer)
		detach_thread(task);
	wait_queue_wake(&group->thread_exit_queue, ~0u);
	kernel.task_count--;
	if (!other_threads(group, task) && !group->exec_task) {
		reparent_children(task);
		session_check_orphans(group, NULL);
	}
	if (task != group->leader && task->tracer) {
		trace_notify_exit(task);
		(void)task_ref(task); /* the zombie's, thread_reap() */
	}
	check_end(group);
	task_unref(task);
	if (kernel.task_count == 0 && timer_cancel(&farewell_timer))
		everybody_gone(NULL);
}

/* ---- execve --------------------------------------------------------------------------------- */

/* The thread that stays becomes the leader, with its tid (kernel de_thread()). */
static void take_leader_identity(struct task *task)
{
	struct thread_group *group = task->group;
	struct task *leader = group->leader;
	struct pid *own = task->pid;
	struct thread_group *child;

	task->pid = pid_ref(group->pid);
	task->pid->task = task;
	task->start_time = leader->start_time;
	own->task = NULL;
	pid_release_number(own);
	pid_unref(own);
	/* Its tracer does not hear of it (de_thread()), but may have nothing to wait for any more.
	 */
	if (leader->tracer)
		wait_queue_wake(&leader->tracer->group->wait_children, ~0u);
	trace_unlink(leader);
	list_remove(&leader->group_link);
	group->leader = task_ref(task);
	list_for_each_entry (child, &group->children, child_link)
		if (child->parent_task == leader)
			child->parent_task = task;
	task_unref(leader);
}

static int unshare_sighand(struct thread_group *group)
{
	struct sigaction_table *copy;
	int r;

	if (group->sighand->refs.count == 1)
		return 0;
	r = sighand_new(&copy);
	if (r < 0)
		return r;
	memcpy(copy->action, group->sighand->action, sizeof(copy->action));
	sighand_unref(group->sighand);
	group->sighand = copy;
	return 0;
}

int group_kill_other_threads(struct task *task)
{
	struct thread_group *group = task->group;
	struct task *other;
	int r;

	if (group->exiting || task->killed || group->exec_task)
		return -EAGAIN;
	/* First what can fail. */
	r = unshare_sighand(group);
	if (r < 0)
		return r;
	group->exec_task = task;
	list_for_each_entry (other, &group->tasks, group_link)
		if (other != task)
			signal_kill_task(other);
	while (other_threads(group, task) && !task->killed)
		(void)wait_sleep(&group->thread_exit_queue, ~0u, WAIT_FOREVER, false, false);
	group->exec_task = NULL;
	if (task->killed)
		return -EAGAIN;
	if (group->leader != task)
		take_leader_identity(task);
	group->exit_signal = LX_SIGCHLD;
	return 0;
}

/* flush_signal_handlers(): caught signals get their default action, ignored ones stay ignored. */
static void reset_handlers(struct sigaction_table *sighand)
{
	for (int i = 0; i < LX_NSIG; i++) {
		uint64_t handler = sighand->action[i].handler;

		sighand->action[i] = (struct lx_sigaction){
			.handler = handler == LX_SIG_IGN ? LX_SIG_IGN : LX_SIG_DFL,
		};
	}
}

void task_exec_done(struct task *task)
{
	struct thread_group *group = task->group;

	reset_handlers(group->sighand);
	posix_timers_release(group);
	/* begin_new_exec(): the flags stay */
	task->sigaltstack = (struct lx_stack){.ss_flags = task->sigaltstack.ss_flags};
	task->set_child_tid = GADDR_NULL;
	task->clear_child_tid = GADDR_NULL;
	task->robust_list = GADDR_NULL;
	task->rseq = GADDR_NULL;
	keys_exec(task);
	task->restart.fn = NULL;
	group->did_exec = true;
	group->exec_id++;
	vfork_done(task);
}
