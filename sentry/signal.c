/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "abi/poll.h"
#include "abi/wait.h"
#include "base/log.h"
#include "sentry/pid_ns.h"
#include "sentry/task_private.h"
#include "sentry/trace.h"
#include "vfs/landlock.h"

/*
 * Sending signals and the pending sets (signal(7), kernel/signal.c).
 *
 * A signal is put on the thread's or the process's pending set; then a thread that can take it is
 * told: its signal_wake and its fiber's interruption flag are set (an interruptible sleep ends) and
 * the platform is asked to bring it back from guest code. Acting on signals is the thread's own
 * work, in signal_deliver.c. Nothing here sleeps, so timers and the launcher may send too.
 */

/* First the faults: their context is the present one (kernel SYNCHRONOUS_MASK). */
#define SIGNALS_SYNCHRONOUS                                                                        \
	(LX_SIGMASK(LX_SIGSEGV) | LX_SIGMASK(LX_SIGBUS) | LX_SIGMASK(LX_SIGILL) |                  \
		LX_SIGMASK(LX_SIGTRAP) | LX_SIGMASK(LX_SIGFPE) | LX_SIGMASK(LX_SIGSYS))
#define SIGNALS_COREDUMP                                                                           \
	(LX_SIGMASK(LX_SIGQUIT) | LX_SIGMASK(LX_SIGILL) | LX_SIGMASK(LX_SIGTRAP) |                 \
		LX_SIGMASK(LX_SIGABRT) | LX_SIGMASK(LX_SIGFPE) | LX_SIGMASK(LX_SIGSEGV) |          \
		LX_SIGMASK(LX_SIGBUS) | LX_SIGMASK(LX_SIGSYS) | LX_SIGMASK(LX_SIGXCPU) |           \
		LX_SIGMASK(LX_SIGXFSZ))

/* Queue entries in use: RLIMIT_SIGPENDING counts them for a user, we count them for the sandbox. */
static unsigned queued_count;
/* Of timers, which have theirs from the beginning: they count, too. */
static uint64_t reserved_count;

/* ---- handlers and queues -------------------------------------------------------------------- */

int sighand_new(struct sigaction_table **ret)
{
	struct sigaction_table *sighand = calloc(1, sizeof(*sighand));

	if (!sighand)
		return -ENOMEM;
	sighand->refs = REFCOUNT_ONE;
	*ret = sighand;
	return 0;
}

struct sigaction_table *sighand_ref(struct sigaction_table *sighand)
{
	refcount_get(&sighand->refs);
	return sighand;
}

void sighand_unref(struct sigaction_table *sighand)
{
	if (sighand && refcount_put(&sighand->refs))
		free(sighand);
}

void sigpending_init(struct sigpending *pending)
{
	pending->set = 0;
	list_init(&pending->queue);
}

static void sigqueue_free(struct sigqueue *entry)
{
	list_remove(&entry->link);
	if (entry->timer)
		return; /* the timer's own */
	queued_count--;
	free(entry);
}

void sigpending_discard(struct sigpending *pending, uint64_t mask)
{
	struct sigqueue *entry, *next;

	if (!(pending->set & mask))
		return;
	pending->set &= ~mask;
	list_for_each_entry_safe (entry, next, &pending->queue, link)
		if (mask & LX_SIGMASK(entry->info.signo)) {
			struct posix_timer *timer = entry->timer;

			sigqueue_free(entry);
			if (timer)
				posix_timer_dequeued(timer, NULL);
		}
}

static int next_signal(const struct sigpending *pending, uint64_t blocked)
{
	uint64_t set = pending->set & ~blocked;

	if (set & SIGNALS_SYNCHRONOUS)
		set &= SIGNALS_SYNCHRONOUS;
	return set ? __builtin_ctzll(set) + 1 : 0;
}

/* Takes the first entry of @signo off (kernel collect_signal()); the bit stays while more are
 * queued. */
static void collect_signal(struct sigpending *pending, int signo, struct lx_siginfo *ret)
{
	struct sigqueue *entry, *first = NULL;
	struct posix_timer *timer;

	list_for_each_entry (entry, &pending->queue, link) {
		if (entry->info.signo != signo)
			continue;
		if (first)
			goto more;
		first = entry;
	}
	pending->set &= ~LX_SIGMASK(signo);
more:
	if (!first) {
		/* It was sent when the queue was full. */
		*ret = (struct lx_siginfo){.signo = signo, .code = LX_SI_USER};
		return;
	}
	*ret = first->info;
	timer = first->timer;
	sigqueue_free(first);
	if (timer)
		posix_timer_dequeued(timer, ret);
}

int signal_dequeue(struct task *task, uint64_t blocked, struct lx_siginfo *ret)
{
	int signo = next_signal(&task->pending, blocked);

	if (signo) {
		collect_signal(&task->pending, signo, ret);
		return signo;
	}
	signo = next_signal(&task->group->pending, blocked);
	if (signo)
		collect_signal(&task->group->pending, signo, ret);
	if (signo == LX_SIGALRM)
		itimer_real_rearm(task->group);
	return signo;
}

/* ---- who takes it --------------------------------------------------------------------------- */

void signal_wake(struct task *task)
{
	if (task->exited)
		return;
	task->signal_wake = true;
	if (task->fiber)
		fiber_set_interrupted(task->fiber, true);
	if (task->thread && task != task_current())
		platform->interrupt(task->thread);
}

void signal_kill_task(struct task *task)
{
	if (task->exited)
		return;
	task->killed = true;
	signal_wake(task);
	wait_queue_wake(&task->group->stop_queue, ~0u);
	trace_killed(task);
	if (task->vfork_child)
		wait_queue_wake(&task->vfork_child->vfork_queue, ~0u);
}

bool signal_pending(const struct task *task)
{
	return task->signal_wake;
}

void signal_recalculate(struct task *task)
{
	bool wake = task->killed || task->stop_pending || trace_pending(task) ||
		    ((task->pending.set | task->group->pending.set) & ~task_blocked(task)) != 0;

	if (wake) {
		signal_wake(task);
	} else {
		task->signal_wake = false;
		if (task->fiber)
			fiber_set_interrupted(task->fiber, false);
	}
}

bool signal_action_ignores(struct thread_group *group, int signo)
{
	uint64_t handler = group->sighand->action[signo - 1].handler;

	if (handler == LX_SIG_IGN)
		return true;
	if (handler != LX_SIG_DFL)
		return false;
	return group->unkillable || (SIGNALS_IGNORED & LX_SIGMASK(signo));
}

static bool wants_signal(const struct task *task, int signo)
{
	if (task->exited || task->killed || (task_blocked(task) & LX_SIGMASK(signo)))
		return false;
	if (signo == LX_SIGKILL)
		return true;
	if (task->parked || trace_stopped(task))
		return false;
	return !task->signal_wake;
}

/* Picks the thread that is told (kernel complete_signal()); a signal that is fatal by default ends
 * the process at once. */
static void complete_signal(struct task *task, bool to_group, int signo)
{
	struct thread_group *group = task->group;
	struct task *target = NULL, *other;
	uint64_t mask = LX_SIGMASK(signo);

	if (wants_signal(task, signo)) {
		target = task;
	} else if (to_group) {
		list_for_each_entry (other, &group->tasks, group_link) {
			if (wants_signal(other, signo)) {
				target = other;
				break;
			}
		}
	}
	if (!target)
		return; /* whoever unblocks it finds it; a thread that has signals to look at finds
			   it too */
	if (group->sighand->action[signo - 1].handler == LX_SIG_DFL &&
		(!group->unkillable || signo == LX_SIGKILL) &&
		!(mask & (SIGNALS_IGNORED | SIGNALS_STOP | SIGNALS_COREDUMP)) &&
		!(target->real_blocked & mask) && (!task->tracer || signo == LX_SIGKILL)) {
		group_exit(group, LX_WSTATUS_SIGNAL(signo));
		return;
	}
	signal_wake(target);
}

void signal_retarget(struct task *task, uint64_t set)
{
	struct task *other;

	set &= task->group->pending.set;
	if (!set)
		return;
	list_for_each_entry (other, &task->group->tasks, group_link) {
		uint64_t blocked = task_blocked(other);

		if (other == task || other->exited || !(set & ~blocked))
			continue;
		signal_wake(other);
		set &= blocked;
		if (!set)
			return;
	}
}

void signal_set_blocked(struct task *task, uint64_t mask)
{
	uint64_t newly;

	sentry_assert(!task->mask_shared);
	mask &= ~SIGNALS_UNBLOCKABLE;
	if (mask == task->blocked)
		return;
	newly = mask & ~task->blocked;
	if (newly && task->signal_wake)
		signal_retarget(task, newly);
	task->blocked = mask;
	signal_recalculate(task);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* SIGCONT: the process goes on, whatever becomes of the signal itself. */
static void continue_group(struct thread_group *group)
{
	bool was_stopped = group->stopped;
	struct task *task;

	sigpending_discard(&group->pending, SIGNALS_STOP);
	list_for_each_entry (task, &group->tasks, group_link) {
		sigpending_discard(&task->pending, SIGNALS_STOP);
		task->stop_pending = false;
		task->may_stop = false;
		trace_notify_trap(task);
	}
	if (!was_stopped && group->stop_count == 0)
		return;
	group->stopped = false;
	group->stop_count = 0;
	group->stop_reported = false;
	if (was_stopped) {
		group->continued_pending = true;
		group_notify_stop(group, LX_CLD_CONTINUED, LX_SIGCONT);
	}
	wait_queue_wake(&group->stop_queue, ~0u);
}

/* What a signal does by being sent (kernel prepare_signal()). */
static void prepare_signal(struct thread_group *group, int signo)
{
	uint64_t mask = LX_SIGMASK(signo);
	struct task *task;

	if (mask & SIGNALS_STOP) {
		sigpending_discard(&group->pending, LX_SIGMASK(LX_SIGCONT));
		list_for_each_entry (task, &group->tasks, group_link)
			sigpending_discard(&task->pending, LX_SIGMASK(LX_SIGCONT));
	} else if (signo == LX_SIGCONT) {
		continue_group(group);
	}
}

/* A blocked signal is never ignored: its action may change before it is unblocked. @force: an init
 * may not ignore it. */
static bool signal_dropped(const struct task *task, int signo, bool force)
{
	if (force && (SIGNALS_UNBLOCKABLE & LX_SIGMASK(signo)) && task->group != reaper_group)
		return false;
	if ((task_blocked(task) | task->real_blocked) & LX_SIGMASK(signo))
		return false;
	/* A tracer sees those too. */
	if (task->tracer && signo != LX_SIGKILL)
		return false;
	return signal_action_ignores(task->group, signo);
}

/* @override: what a kernel raises comes with its information whatever the limit. */
static bool limit_reached(const struct task *task)
{
	return queued_count + reserved_count >= task_rlimit(task, LX_RLIMIT_SIGPENDING);
}

int signal_reserve(const struct task *task)
{
	if (limit_reached(task))
		return -EAGAIN;
	reserved_count++;
	return 0;
}

void signal_unreserve(void)
{
	reserved_count--;
}

static struct sigqueue *sigqueue_new(const struct task *target, bool override)
{
	struct sigqueue *entry;

	if (queued_count >= SENTRY_MAX_SIGQUEUE || (!override && limit_reached(target)))
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	queued_count++;
	list_init(&entry->link);
	return entry;
}

/* A tracer may look at a process that is being killed, until somebody kills it again. */
static void kill_exit_stops(struct thread_group *group)
{
	struct task *task;

	list_for_each_entry (task, &group->tasks, group_link) {
		if (!trace_stopped(task) || !task->trace->exiting)
			continue;
		task->trace->kill_exit = true;
		trace_killed(task);
	}
}

/*
 * What a sender says of itself, as the receiver knows it (send_signal_locked()). True: the signal
 * comes from the kernel or from a namespace above, and even an init cannot ignore it.
 */
static bool translate_sender(const struct task *to, struct lx_siginfo *info)
{
	const struct task *from = task_current();

	if (!from || info->code == LX_SI_KERNEL)
		return true;
	if (info->code > 0 || info->code == LX_SI_TIMER || info->code == LX_SI_MESGQ)
		return false;
	if (from->cred->user_ns != to->cred->user_ns)
		info->kill.uid = user_ns_uid(
			to->cred->user_ns, user_ns_make_uid(from->cred->user_ns, info->kill.uid));
	if (pid_nr_in(from->group->pid, task_pid_ns(to)))
		return false;
	info->kill.pid = 0;
	return true;
}

static int send_signal(struct task *task, bool to_group, const struct lx_siginfo *from)
{
	struct lx_siginfo copy = *from, *info = &copy;
	struct thread_group *group = task->group;
	struct sigpending *pending = to_group ? &group->pending : &task->pending;
	int signo = info->signo;
	struct sigqueue *entry;
	bool override, force;

	if (signo < 1 || signo > LX_NSIG)
		return -EINVAL;
	if (signo == LX_SIGKILL && group->exiting)
		kill_exit_stops(group);
	if (group->zombie || group->exiting || (!to_group && task->exited))
		return 0;
	force = translate_sender(task, info);
	prepare_signal(group, signo);
	if (signal_dropped(task, signo, force))
		return 0;
	if (signo < LX_SIGRTMIN && (pending->set & LX_SIGMASK(signo)))
		return 0;
	/* __send_signal_locked(): at most one of each of these signals is pending. */
	override = signo < LX_SIGRTMIN && info->code >= 0;
	entry = signo == LX_SIGKILL ? NULL : sigqueue_new(task, override);
	if (entry) {
		entry->info = *info;
		list_add_tail(&entry->link, &pending->queue);
	} else if (signo >= LX_SIGRTMIN && info->code != LX_SI_USER) {
		return -EAGAIN;
	}
	pending->set |= LX_SIGMASK(signo);
	task_hint_pending(task, to_group);
	wait_queue_wake(&group->signal_queue, LX_POLLIN);
	complete_signal(task, to_group, signo);
	return 0;
}

int signal_send_task(struct task *task, const struct lx_siginfo *info)
{
	return send_signal(task, false, info);
}

int signal_send_group(struct thread_group *group, const struct lx_siginfo *info)
{
	if (group->zombie || !group->leader)
		return 0;
	return send_signal(group->leader, true, info);
}

int signal_send_group_through(struct task *task, const struct lx_siginfo *info)
{
	return task->group->zombie ? 0 : send_signal(task, true, info);
}

int signal_send_pgrp(struct pid *pgrp, const struct lx_siginfo *info)
{
	struct thread_group *group, *next;
	int r = -ESRCH;

	list_for_each_entry_safe (group, next, &pgrp->pgrp_members, pgrp_link) {
		int sent = signal_send_group(group, info);

		if (r != 0)
			r = sent;
	}
	return r;
}

bool signal_send_timer(struct task *task, bool to_group, struct sigqueue *entry)
{
	struct thread_group *group = task->group;
	struct sigpending *pending = to_group ? &group->pending : &task->pending;
	int signo = entry->info.signo;

	if (!list_empty(&entry->link))
		return false;
	if (group->zombie || group->exiting || task->exited)
		return true;
	prepare_signal(group, signo);
	if (signal_dropped(task, signo, false))
		return true;
	list_add_tail(&entry->link, &pending->queue);
	pending->set |= LX_SIGMASK(signo);
	task_hint_pending(task, to_group);
	wait_queue_wake(&group->signal_queue, LX_POLLIN);
	complete_signal(task, to_group, signo);
	return true;
}

void signal_force(struct task *task, const struct lx_siginfo *info)
{
	struct lx_sigaction *action = &task->group->sighand->action[info->signo - 1];
	uint64_t mask = LX_SIGMASK(info->signo);

	if ((task->blocked & mask) || action->handler == LX_SIG_IGN) {
		action->handler = LX_SIG_DFL;
		task->blocked &= ~mask;
	}
	if (action->handler == LX_SIG_DFL)
		task->group->unkillable = false;
	(void)send_signal(task, false, info);
	signal_recalculate(task);
}

void signal_force_simple(struct task *task, int signo)
{
	struct lx_siginfo info = {.signo = signo, .code = LX_SI_KERNEL};

	signal_force(task, &info);
}

void signal_info_user(struct lx_siginfo *info, int signo, int code, const struct task *from)
{
	memset(info, 0, sizeof(*info));
	info->signo = signo;
	info->code = code;
	info->kill.pid = task_own_tgid(from);
	info->kill.uid = user_ns_uid(from->cred->user_ns, from->cred->uid);
}

int signal_permitted(struct task *from, struct thread_group *to, int signo)
{
	const struct cred *a = from->cred, *b = to->leader ? to->leader->cred : NULL;

	if (from->group == to || !b)
		return 0;
	/* hook_task_kill(), which comes last and may only take away. */
	if (landlock_out_of_scope(a, b, LX_LANDLOCK_SCOPE_SIGNAL))
		return -EPERM;
	if (a->euid == b->suid || a->euid == b->uid || a->uid == b->suid || a->uid == b->uid)
		return 0;
	if (cred_ns_capable(a, b->user_ns, LX_CAP_KILL))
		return 0;
	/* kill(2): within a session, SIGCONT always. */
	if (signo == LX_SIGCONT && from->group->session == to->session)
		return 0;
	return -EPERM;
}

/* ---- temporary masks ------------------------------------------------------------------------ */

int signal_set_temporary_mask(struct task *task, gaddr_t mask, uint64_t mask_size)
{
	uint64_t set;
	int r;

	if (gaddr_is_null(mask))
		return 0;
	if (mask_size != LX_SIGSET_SIZE)
		return -EINVAL;
	r = guest_read_value(task, &set, mask);
	if (r < 0)
		return r;
	task->saved_blocked = task->blocked;
	task->restore_blocked = true;
	signal_set_blocked(task, set);
	return 0;
}

void signal_restore_mask(struct task *task)
{
	if (!task->restore_blocked)
		return;
	task->restore_blocked = false;
	signal_set_blocked(task, task->saved_blocked);
}
