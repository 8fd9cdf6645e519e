/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/limits.h"
#include "abi/poll.h"
#include "abi/time.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

/* The signal calls: sigaction(2), sigprocmask(2), kill(2) and relatives. What they do is in
 * sentry/signal*.c. */

static bool valid_signal(int signo)
{
	return signo >= 1 && signo <= LX_NSIG;
}

/* ---- actions and masks ---------------------------------------------------------------------- */

#define SA_KNOWN_FLAGS                                                                             \
	(LX_SA_NOCLDSTOP | LX_SA_NOCLDWAIT | LX_SA_SIGINFO | LX_SA_EXPOSE_TAGBITS |                \
		LX_SA_RESTORER | LX_SA_ONSTACK | LX_SA_RESTART | LX_SA_NODEFER | LX_SA_RESETHAND)

/* POSIX: setting an action that ignores discards what is pending, blocked or not. */
static void discard_ignored(struct thread_group *group, int signo)
{
	struct task *task;

	if (!signal_action_ignores(group, signo))
		return;
	sigpending_discard(&group->pending, LX_SIGMASK(signo));
	list_for_each_entry (task, &group->tasks, group_link)
		sigpending_discard(&task->pending, LX_SIGMASK(signo));
}

int signal_set_action(struct task *task, int signo, const struct lx_sigaction *action)
{
	struct lx_sigaction *slot = &task->group->sighand->action[signo - 1];

	if (slot->flags & LX_SA_IMMUTABLE)
		return -EINVAL;
	*slot = *action;
	/* Unknown bits are cleared, so that programs can ask what is supported (sigaction(2)). */
	slot->flags &= SA_KNOWN_FLAGS;
	slot->mask &= ~SIGNALS_UNBLOCKABLE;
	group_publish_action(task->group, signo);
	discard_ignored(task->group, signo);
	signal_recalculate(task);
	return 0;
}

int64_t sys_rt_sigaction(struct task *task, int signo, gaddr_t act, gaddr_t oldact, uint64_t size)
{
	struct lx_sigaction new, old;
	int r;

	if (size != LX_SIGSET_SIZE)
		return -EINVAL;
	if (!gaddr_is_null(act)) {
		r = guest_read_value(task, &new, act);
		if (r < 0)
			return r;
	}
	if (!valid_signal(signo))
		return -EINVAL;
	if (!gaddr_is_null(act) && (SIGNALS_UNBLOCKABLE & LX_SIGMASK(signo)))
		return -EINVAL;
	old = task->group->sighand->action[signo - 1];
	if (old.flags & LX_SA_IMMUTABLE)
		return -EINVAL;
	if (!gaddr_is_null(act))
		(void)signal_set_action(task, signo, &new);
	if (!gaddr_is_null(oldact))
		return guest_write_value(task, oldact, &old);
	return 0;
}

int64_t sys_rt_sigprocmask(struct task *task, int how, gaddr_t set, gaddr_t oldset, uint64_t size)
{
	uint64_t old = task->blocked, mask;
	int r;

	if (size != LX_SIGSET_SIZE)
		return -EINVAL;
	if (!gaddr_is_null(set)) {
		r = guest_read_value(task, &mask, set);
		if (r < 0)
			return r;
		switch (how) {
		case LX_SIG_BLOCK:
			mask |= old;
			break;
		case LX_SIG_UNBLOCK:
			mask = old & ~mask;
			break;
		case LX_SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(task, mask);
	}
	if (!gaddr_is_null(oldset))
		return guest_write_value(task, oldset, &old);
	return 0;
}

int64_t sys_rt_sigpending(struct task *task, gaddr_t set, uint64_t size)
{
	uint64_t pending = (task->pending.set | task->group->pending.set) & task->blocked;

	if (size > LX_SIGSET_SIZE)
		return -EINVAL;
	return guest_write(task, set, &pending, size);
}

int64_t sys_rt_sigreturn(struct task *task)
{
	return signal_return(task);
}

int64_t sys_sigaltstack(struct task *task, gaddr_t ss, gaddr_t old_ss)
{
	uint64_t sp = platform_regs(task->thread)->rsp;
	struct lx_stack new, old = task->sigaltstack;
	int r;

	/* sas_ss_flags(): what it is used for now, and the armed bit as given. */
	if (sigaltstack_active(task, sp))
		old.ss_flags = LX_SS_ONSTACK;
	else
		old.ss_flags = (int32_t)(((uint32_t)old.ss_flags & LX_SS_AUTODISARM) |
					 (old.ss_size ? 0 : LX_SS_DISABLE));
	if (!gaddr_is_null(ss)) {
		uint32_t mode;

		r = guest_read_value(task, &new, ss);
		if (r < 0)
			return r;
		if (sigaltstack_active(task, sp))
			return -EPERM;
		mode = (uint32_t) new.ss_flags & ~LX_SS_AUTODISARM;
		if (mode != LX_SS_DISABLE && mode != LX_SS_ONSTACK && mode != 0)
			return -EINVAL;
		if (mode == LX_SS_DISABLE) {
			new.ss_sp = 0;
			new.ss_size = 0;
		} else if (new.ss_sp == task->sigaltstack.ss_sp &&new.ss_size ==
			   task->sigaltstack.ss_size &&new.ss_flags == task->sigaltstack.ss_flags) {
			/* Nothing changes: not even the size is looked at. */
		} else if (new.ss_size < LX_MINSIGSTKSZ) {
			return -ENOMEM;
		}
		new.pad0 = 0;
		task->sigaltstack = new;
	}
	if (!gaddr_is_null(old_ss))
		return guest_write_value(task, old_ss, &old);
	return 0;
}

/* ---- waiting -------------------------------------------------------------------------------- */

int64_t sys_pause(struct task *task)
{
	while (!signal_pending(task))
		(void)wait_sleep(NULL, 0, WAIT_FOREVER, true, false);
	return -ERESTARTNOHAND;
}

int64_t sys_rt_sigsuspend(struct task *task, gaddr_t mask, uint64_t size)
{
	int r;

	if (size != LX_SIGSET_SIZE)
		return -EINVAL;
	if (gaddr_is_null(mask))
		return -EFAULT;
	r = signal_set_temporary_mask(task, mask, size);
	if (r < 0)
		return r;
	return sys_pause(task);
}

static int read_timeout(struct task *task, gaddr_t addr, uint64_t *ret_deadline)
{
	struct lx_timespec ts;
	uint64_t now = loop_monotonic_now(), ns;
	int r;

	if (gaddr_is_null(addr)) {
		*ret_deadline = WAIT_FOREVER;
		return 0;
	}
	r = guest_read_value(task, &ts, addr);
	if (r < 0)
		return r;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000)
		return -EINVAL;
	if (__builtin_mul_overflow((uint64_t)ts.tv_sec, 1000000000ull, &ns) ||
		__builtin_add_overflow(ns, (uint64_t)ts.tv_nsec, &ns) ||
		__builtin_add_overflow(ns, now, ret_deadline))
		*ret_deadline = WAIT_FOREVER;
	return 0;
}

/* do_sigtimedwait(): while waiting, the signals count as unblocked so that senders pick this
 * thread. */
int64_t sys_rt_sigtimedwait(
	struct task *task, gaddr_t set, gaddr_t info_addr, gaddr_t timeout, uint64_t size)
{
	uint64_t wanted, deadline;
	struct lx_siginfo info;
	int signo, r;

	if (size != LX_SIGSET_SIZE)
		return -EINVAL;
	r = guest_read_value(task, &wanted, set);
	if (r < 0)
		return r;
	r = read_timeout(task, timeout, &deadline);
	if (r < 0)
		return r;
	wanted &= ~SIGNALS_UNBLOCKABLE;
	signo = signal_dequeue(task, ~wanted, &info);
	if (signo == 0 && deadline > loop_monotonic_now()) {
		task->real_blocked = task->blocked;
		signal_set_blocked(task, task->blocked & ~wanted);
		while (!signal_pending(task))
			if (wait_sleep(NULL, 0, deadline, true, false) == -ETIMEDOUT)
				break;
		signo = signal_dequeue(task, ~wanted, &info);
		r = signal_pending(task) ? -EINTR : -EAGAIN;
		signal_set_blocked(task, task->real_blocked);
		task->real_blocked = 0;
	} else {
		r = -EAGAIN;
	}
	signal_recalculate(task);
	if (signo == 0)
		return r;
	if (!gaddr_is_null(info_addr) && guest_write_value(task, info_addr, &info) < 0)
		return -EFAULT;
	return signo;
}

/* ---- sending -------------------------------------------------------------------------------- */

/* To one process, rule and existence checked; signo 0 only checks. */
/* @through: a thread whose number the process was called by, which may take the signal first; NULL
 * when there is none. */
static int kill_through(struct task *task, struct thread_group *group, struct task *through,
	const struct lx_siginfo *info)
{
	int r = info->signo < 0 || info->signo > LX_NSIG
			? -EINVAL
			: signal_permitted(task, group, info->signo);

	if (r < 0 || info->signo == 0)
		return r;
	return through ? signal_send_group_through(through, info) : signal_send_group(group, info);
}

static int kill_group(struct task *task, struct thread_group *group, const struct lx_siginfo *info)
{
	return kill_through(task, group, NULL, info);
}

int signal_kill_pgrp(struct task *task, struct pid *pgrp, const struct lx_siginfo *info)
{
	struct thread_group *group, *next;
	bool success = false;
	int r = -ESRCH;

	list_for_each_entry_safe (group, next, &pgrp->pgrp_members, pgrp_link) {
		int sent = kill_group(task, group, info);

		success |= sent == 0;
		r = sent;
	}
	return success ? 0 : r;
}

/* kill(-1): all but init and ourselves. */
static int kill_everybody(struct task *task, const struct lx_siginfo *info)
{
	bool any = false;
	int r = 0;

	for (struct pid *pid = pid_next(2); pid; pid = pid_next(pid->nr + 1)) {
		int sent;

		if (!pid->group || pid->group == task->group || pid_vnr(pid) <= 1)
			continue;
		sent = kill_group(task, pid->group, info);
		any = true;
		if (sent != -EPERM)
			r = sent;
	}
	return any ? r : -ESRCH;
}

int64_t sys_kill(struct task *task, int nr, int signo)
{
	struct lx_siginfo info;
	struct thread_group *group;
	struct task *target;
	struct pid *pgrp;

	signal_info_user(&info, signo, LX_SI_USER, task);
	if (nr > 0) {
		target = pid_task(nr);
		group = target ? target->group : pid_group(nr);
		return group ? kill_through(task, group, target, &info) : -ESRCH;
	}
	if (nr == INT32_MIN)
		return -ESRCH;
	if (nr == -1)
		return kill_everybody(task, &info);
	pgrp = nr == 0 ? task->group->pgrp : pid_find(-nr);
	return pgrp ? signal_kill_pgrp(task, pgrp, &info) : -ESRCH;
}

/* To one thread; tgid <= 0: whatever process it is of. */
static int send_thread(struct task *task, int tgid, int tid, const struct lx_siginfo *info)
{
	struct task *target = pid_task(tid);
	int r;

	if (!target || (tgid > 0 && pid_vnr(target->group->pid) != tgid))
		return -ESRCH;
	if (info->signo < 0 || info->signo > LX_NSIG)
		return -EINVAL;
	r = signal_permitted(task, target->group, info->signo);
	if (r < 0 || info->signo == 0)
		return r;
	return signal_send_task(target, info);
}

int64_t sys_tgkill(struct task *task, int tgid, int tid, int signo)
{
	struct lx_siginfo info;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	signal_info_user(&info, signo, LX_SI_TKILL, task);
	return send_thread(task, tgid, tid, &info);
}

int64_t sys_tkill(struct task *task, int tid, int signo)
{
	struct lx_siginfo info;

	if (tid <= 0)
		return -EINVAL;
	signal_info_user(&info, signo, LX_SI_TKILL, task);
	return send_thread(task, 0, tid, &info);
}

/* The sender's siginfo: only towards itself may it look like the kernel's or kill()'s. */
static int read_queue_info(struct task *task, int signo, gaddr_t addr, struct lx_siginfo *ret)
{
	int r = guest_read_value(task, ret, addr);

	if (r < 0)
		return r;
	ret->signo = signo;
	return 0;
}

int64_t sys_rt_sigqueueinfo(struct task *task, int tgid, int signo, gaddr_t addr)
{
	struct thread_group *group;
	struct lx_siginfo info;
	struct task *target;
	int r = read_queue_info(task, signo, addr, &info);

	if (r < 0)
		return r;
	if ((info.code >= 0 || info.code == LX_SI_TKILL) && tgid != pid_vnr(task->pid))
		return -EPERM;
	target = pid_task(tgid);
	group = target ? target->group : pid_group(tgid);
	if (!group)
		return -ESRCH;
	if (signo < 0 || signo > LX_NSIG)
		return -EINVAL;
	return kill_through(task, group, target, &info);
}

int64_t sys_rt_tgsigqueueinfo(struct task *task, int tgid, int tid, int signo, gaddr_t addr)
{
	struct lx_siginfo info;
	int r = read_queue_info(task, signo, addr, &info);

	if (r < 0)
		return r;
	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	if ((info.code >= 0 || info.code == LX_SI_TKILL) && tid != pid_vnr(task->pid))
		return -EPERM;
	return send_thread(task, tgid, tid, &info);
}

int64_t sys_restart_syscall(struct task *task)
{
	int (*fn)(struct task * task) = task->restart.fn;

	/* Outside of a restart, or after a handler came between (do_no_restart_syscall()). */
	if (!fn)
		return -EINTR;
	return fn(task);
}
