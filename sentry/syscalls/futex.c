/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "abi/time.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "sentry/futex_pi.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

/*
 * futex(2): the host's own futexes on the guest's own memory. What comes here is what the platform
 * does not answer in place: relative timeouts, which become absolute so that a restart does not
 * wait anew, and waits that were begun in the guest and interrupted. Robust lists hold guest thread
 * ids: the walk is ours, at exit. Priority inheritance is not offered.
 */

static int futex_wait_restart(struct task *task);

static int64_t wait_interrupted(struct task *task, const struct platform_futex *futex)
{
	if (!futex->has_timeout)
		return -ERESTARTSYS;
	task->restart.fn = futex_wait_restart;
	task->restart.addr = futex->uaddr;
	task->restart.value = futex->val;
	task->restart.bits = futex->val3;
	task->restart.flags = (uint32_t)futex->op;
	task->restart.deadline = futex->timeout_ns;
	return -ERESTART_RESTARTBLOCK;
}

static int64_t futex_wait(struct task *task, const struct platform_futex *futex)
{
	int64_t r;

	do {
		task_serve(task);
		if (signal_pending(task))
			return wait_interrupted(task, futex);
		r = platform->futex(task->thread, futex);
		/* An interrupt that was meant for something else is no reason to return. */
	} while (r == -ERESTARTSYS || r == -EINTR);
	return r == -ESRCH ? -EINTR : r;
}

static int futex_wait_restart(struct task *task)
{
	const struct platform_futex futex = {
		.op = (int)task->restart.flags,
		.uaddr = task->restart.addr,
		.val = (uint32_t)task->restart.value,
		.val3 = task->restart.bits,
		.has_timeout = true,
		.timeout_ns = task->restart.deadline,
	};

	return (int)futex_wait(task, &futex);
}

static int read_timeout(
	struct task *task, gaddr_t addr, bool relative, struct platform_futex *futex)
{
	struct lx_timespec ts;
	uint64_t ns;
	int r;

	if (gaddr_is_null(addr))
		return 0;
	r = guest_read_value(task, &ts, addr);
	if (r < 0)
		return r;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000)
		return -EINVAL;
	futex->has_timeout = true;
	if (__builtin_mul_overflow((uint64_t)ts.tv_sec, 1000000000ull, &ns) ||
		__builtin_add_overflow(ns, (uint64_t)ts.tv_nsec, &ns) ||
		(relative && __builtin_add_overflow(ns, loop_monotonic_now(), &ns)) ||
		ns > INT64_MAX)
		ns = INT64_MAX; /* KTIME_MAX: for ever */
	futex->timeout_ns = ns;
	return 0;
}

static bool bad_address(gaddr_t addr)
{
	return addr.v >= platform->guest_end().v;
}

/* The time is absolute, on CLOCK_REALTIME unless FUTEX_LOCK_PI2 says otherwise. */
static int64_t futex_pi(
	struct task *task, gaddr_t uaddr, unsigned op, const struct platform_futex *time)
{
	unsigned command = op & (unsigned)LX_FUTEX_CMD_MASK;
	bool monotonic = (command == LX_FUTEX_LOCK_PI2 || command == LX_FUTEX_WAIT_REQUEUE_PI) &&
			 !(op & LX_FUTEX_CLOCK_REALTIME);
	struct futex_pi to = {.uaddr = time->uaddr2, .private = op & LX_FUTEX_PRIVATE_FLAG};
	struct futex_pi pi = {
		.uaddr = uaddr,
		.private = op & LX_FUTEX_PRIVATE_FLAG,
		.try = command == LX_FUTEX_TRYLOCK_PI,
		.deadline = WAIT_FOREVER,
	};

	if (command == LX_FUTEX_UNLOCK_PI)
		return futex_pi_unlock(task, &pi);
	if (command == LX_FUTEX_CMP_REQUEUE_PI)
		return futex_pi_requeue(task, &pi, &to, (int)time->val2, time->val3);
	if (time->has_timeout && monotonic) {
		pi.deadline = time->timeout_ns;
	} else if (time->has_timeout) {
		uint64_t now = loop_realtime_now();

		pi.deadline = time->timeout_ns > now
				      ? loop_monotonic_now() + (time->timeout_ns - now)
				      : 0;
	}
	if (command == LX_FUTEX_WAIT_REQUEUE_PI)
		return futex_pi_wait_requeue(task, &pi, time->val, &to);
	return futex_pi_lock(task, &pi);
}

/* What does not depend on memory: futex_wait_requeue_pi(), futex_requeue(). */
static int check_requeue_pi(const struct platform_futex *futex, bool requeues)
{
	if (futex->uaddr.v == futex->uaddr2.v)
		return -EINVAL;
	if (requeues && (futex->val != 1 || (int32_t)futex->val2 < 0))
		return -EINVAL;
	if (requeues && (futex->uaddr.v % sizeof(uint32_t)))
		return -EINVAL;
	if (requeues && bad_address(futex->uaddr))
		return -EFAULT;
	if (futex->uaddr2.v % sizeof(uint32_t))
		return -EINVAL;
	return bad_address(futex->uaddr2) ? -EFAULT : 0;
}

/* futex_cmd_has_timeout() */
static bool command_has_timeout(unsigned command)
{
	return command == LX_FUTEX_WAIT || command == LX_FUTEX_LOCK_PI ||
	       command == LX_FUTEX_LOCK_PI2 || command == LX_FUTEX_WAIT_BITSET ||
	       command == LX_FUTEX_WAIT_REQUEUE_PI;
}

int64_t sys_futex(struct task *task, gaddr_t uaddr, unsigned op, unsigned val, gaddr_t timeout,
	gaddr_t uaddr2, unsigned val3)
{
	unsigned command = op & (unsigned)LX_FUTEX_CMD_MASK;
	struct platform_futex futex = {
		.op = (int)op,
		.uaddr = uaddr,
		.uaddr2 = uaddr2,
		.val = val,
		.val2 = (uint32_t)timeout.v,
		.val3 = val3,
	};
	int64_t r;

	if (command > LX_FUTEX_LOCK_PI2 || command == LX_FUTEX_FD)
		return -ENOSYS;
	/* The time comes first, the operation's own checks second, the address last. */
	if (command_has_timeout(command)) {
		r = read_timeout(task, timeout, command == LX_FUTEX_WAIT, &futex);
		if (r < 0)
			return r;
	}
	if ((op & LX_FUTEX_CLOCK_REALTIME) && command != LX_FUTEX_WAIT_BITSET &&
		command != LX_FUTEX_WAIT_REQUEUE_PI && command != LX_FUTEX_LOCK_PI2)
		return -ENOSYS;
	if (command == LX_FUTEX_WAIT || command == LX_FUTEX_WAKE)
		futex.val3 = LX_FUTEX_BITSET_MATCH_ANY;
	else if (futex.val3 == 0 &&
		 (command == LX_FUTEX_WAIT_BITSET || command == LX_FUTEX_WAKE_BITSET))
		return -EINVAL;
	if (command == LX_FUTEX_UNLOCK_PI && uaddr.v % sizeof(uint32_t)) {
		uint32_t word; /* whose it is comes before where it is */

		r = guest_read_value(task, &word, uaddr);
		if (r == 0 && (word & LX_FUTEX_TID_MASK) != (uint32_t)task->pid->nr)
			r = -EPERM;
		if (r < 0)
			return r;
	}
	if (command == LX_FUTEX_WAIT_REQUEUE_PI || command == LX_FUTEX_CMP_REQUEUE_PI) {
		r = check_requeue_pi(&futex, command == LX_FUTEX_CMP_REQUEUE_PI);
		if (r < 0)
			return r;
	}
	if (uaddr.v % sizeof(uint32_t))
		return -EINVAL;
	if (bad_address(uaddr))
		return -EFAULT;
	switch (command) {
	case LX_FUTEX_WAIT:
	case LX_FUTEX_WAIT_BITSET:
		return futex_wait(task, &futex);
	case LX_FUTEX_REQUEUE:
	case LX_FUTEX_CMP_REQUEUE:
	case LX_FUTEX_WAKE_OP:
		if (uaddr2.v % sizeof(uint32_t)) {
			uint32_t word;

			/* The first of two that are shared is looked up before. */
			r = op & LX_FUTEX_PRIVATE_FLAG ? 0 : guest_read_value(task, &word, uaddr);
			return r < 0 ? r : -EINVAL;
		}
		if (bad_address(uaddr2))
			return -EFAULT;
		__attribute__((fallthrough));
	case LX_FUTEX_WAKE:
	case LX_FUTEX_WAKE_BITSET:
		r = platform->futex(task->thread, &futex);
		return r == -ERESTARTSYS ? -ERESTARTNOINTR : r;
	case LX_FUTEX_LOCK_PI:
	case LX_FUTEX_UNLOCK_PI:
	case LX_FUTEX_TRYLOCK_PI:
	case LX_FUTEX_LOCK_PI2:
	case LX_FUTEX_WAIT_REQUEUE_PI:
	case LX_FUTEX_CMP_REQUEUE_PI:
		return futex_pi(task, uaddr, op, &futex);
	default:
		return -ENOSYS;
	}
}

/* ---- futex_wake(2), futex_wait(2), futex_waitv(2), futex_requeue(2)
 * ------------------------------------------ */

/* There is one memory node: a policy changes nothing. */
#define FUTEX2_KNOWN (LX_FUTEX2_SIZE_U64 | LX_FUTEX2_MPOL | LX_FUTEX2_PRIVATE)
/* What the host reads again must mean the same to older ones. */
#define WAITV_KNOWN (LX_FUTEX2_SIZE_U64 | LX_FUTEX2_PRIVATE)

/* 32-bit futexes alone, as on Linux so far (futex_flags_valid()). -EINVAL, -EFAULT. */
static int check_futex2(gaddr_t uaddr, unsigned flags)
{
	if (flags & ~(unsigned)FUTEX2_KNOWN || (flags & LX_FUTEX2_SIZE_U64) != LX_FUTEX2_SIZE_U32)
		return -EINVAL;
	if (uaddr.v % sizeof(uint32_t))
		return -EINVAL;
	return bad_address(uaddr) ? -EFAULT : 0;
}

static int private_flag(unsigned flags)
{
	return flags & LX_FUTEX2_PRIVATE ? LX_FUTEX_PRIVATE_FLAG : 0;
}

int64_t sys_futex_wake(struct task *task, gaddr_t uaddr, uint64_t mask, int nr, unsigned flags)
{
	struct platform_futex futex = {
		.op = LX_FUTEX_WAKE_BITSET | private_flag(flags),
		.uaddr = uaddr,
		.val = (uint32_t)nr,
		.val3 = (uint32_t)mask,
	};
	int64_t r;

	if (mask >> 32)
		return -EINVAL;
	r = check_futex2(uaddr, flags);
	if (r < 0)
		return r;
	if (futex.val3 == 0)
		return -EINVAL;
	if (nr == 0) {
		uint32_t word;

		/* Where the older call wakes one. A shared futex is known by its page, which must
		 * be there. */
		return flags & LX_FUTEX2_PRIVATE ? 0 : guest_read_value(task, &word, uaddr);
	}
	r = platform->futex(task->thread, &futex);
	return r == -ERESTARTSYS ? -ERESTARTNOINTR : r;
}

int64_t sys_futex_wait(struct task *task, gaddr_t uaddr, uint64_t val, uint64_t mask,
	unsigned flags, gaddr_t timeout, int clock)
{
	struct platform_futex futex = {
		.op = LX_FUTEX_WAIT_BITSET | private_flag(flags),
		.uaddr = uaddr,
		.val = (uint32_t)val,
		.val3 = (uint32_t)mask,
	};
	int64_t r;

	if (flags & ~(unsigned)FUTEX2_KNOWN || (flags & LX_FUTEX2_SIZE_U64) != LX_FUTEX2_SIZE_U32 ||
		val >> 32 || mask >> 32)
		return -EINVAL;
	if (!gaddr_is_null(timeout)) {
		if (clock != LX_CLOCK_REALTIME && clock != LX_CLOCK_MONOTONIC)
			return -EINVAL;
		if (clock == LX_CLOCK_REALTIME)
			futex.op |= LX_FUTEX_CLOCK_REALTIME;
	}
	r = read_timeout(task, timeout, false, &futex);
	if (r < 0)
		return r;
	if (futex.val3 == 0)
		return -EINVAL;
	r = check_futex2(uaddr, flags);
	if (r < 0)
		return r;
	r = futex_wait(task, &futex);
	/* The time is absolute: the call itself can begin again. */
	return r == -ERESTART_RESTARTBLOCK ? -ERESTARTSYS : r;
}

/* futex_parse_waitv(): what the flags and values may be. */
static bool bad_waitv(const struct lx_futex_waitv *waiter)
{
	return waiter->flags & ~(uint32_t)WAITV_KNOWN || waiter->reserved ||
	       (waiter->flags & LX_FUTEX2_SIZE_U64) != LX_FUTEX2_SIZE_U32 || waiter->val >> 32;
}

/* The host reads the list again, in the guest's memory, and then checks it itself: what changes in
 * between harms nobody else. */
static int64_t check_waitv(struct task *task, gaddr_t addr, unsigned count)
{
	_cleanup_free_ struct lx_futex_waitv *list = calloc(count, sizeof(*list));
	int64_t all, r;

	if (!list)
		return -ENOMEM;
	all = guest_read(task, list, addr, count * sizeof(*list));
	for (unsigned i = 0; i < count; i++) {
		/* An entry's flags come before the next one's address. */
		if (all < 0) {
			r = guest_read(
				task, &list[i], GADDR(addr.v + i * sizeof(*list)), sizeof(*list));
			if (r < 0)
				return r;
		}
		if (bad_waitv(&list[i]))
			return -EINVAL;
	}
	for (unsigned i = 0; i < count; i++) {
		r = check_futex2(GADDR(list[i].uaddr), list[i].flags);
		if (r < 0)
			return r;
	}
	return 0;
}

int64_t sys_futex_waitv(struct task *task, gaddr_t waiters, unsigned count, unsigned flags,
	gaddr_t timeout, int clock)
{
	struct platform_futex futex = {.uaddr = waiters, .waitv_count = count};
	int64_t r;

	if (flags || count == 0 || count > LX_FUTEX_WAITV_MAX || gaddr_is_null(waiters))
		return -EINVAL;
	if (!gaddr_is_null(timeout)) {
		if (clock != LX_CLOCK_REALTIME && clock != LX_CLOCK_MONOTONIC)
			return -EINVAL;
		if (clock == LX_CLOCK_REALTIME)
			futex.op |= LX_FUTEX_CLOCK_REALTIME;
	}
	r = read_timeout(task, timeout, false, &futex);
	if (r < 0)
		return r;
	r = check_waitv(task, waiters, count);
	if (r < 0)
		return r;
	r = futex_wait(task, &futex);
	/* The time is absolute: the call itself can begin again. */
	return r == -ERESTART_RESTARTBLOCK ? -ERESTARTSYS : r;
}

int64_t sys_futex_requeue(
	struct task *task, gaddr_t waiters, unsigned flags, int nr_wake, int nr_requeue)
{
	struct lx_futex_waitv pair[2];
	struct platform_futex futex;
	int64_t r;

	if (flags || gaddr_is_null(waiters))
		return -EINVAL;
	r = guest_read(task, pair, waiters, sizeof(pair));
	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		if (bad_waitv(&pair[i]))
			return -EINVAL;
	}
	if (nr_wake < 0 || nr_requeue < 0)
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		r = check_futex2(GADDR(pair[i].uaddr), pair[i].flags);
		if (r < 0)
			return r;
	}
	/* The host's call has one flag for both. */
	if (private_flag(pair[0].flags) != private_flag(pair[1].flags))
		return -EINVAL;
	futex = (struct platform_futex){
		.op = LX_FUTEX_CMP_REQUEUE | private_flag(pair[0].flags),
		.uaddr = GADDR(pair[0].uaddr),
		.uaddr2 = GADDR(pair[1].uaddr),
		.val = (uint32_t)nr_wake,
		.val2 = (uint32_t)nr_requeue,
		.val3 = (uint32_t)pair[0].val,
	};
	r = platform->futex(task->thread, &futex);
	return r == -ERESTARTSYS ? -ERESTARTNOINTR : r;
}

int64_t sys_set_robust_list(struct task *task, gaddr_t head, uint64_t size)
{
	if (size != sizeof(struct lx_robust_list_head))
		return -EINVAL;
	task->robust_list = head;
	return 0;
}

int64_t sys_get_robust_list(struct task *task, int tid, gaddr_t head_addr, gaddr_t size_addr)
{
	const uint64_t size = sizeof(struct lx_robust_list_head);
	struct task *other = tid ? pid_task(tid) : task;
	uint64_t head;
	int r;

	if (!other)
		return -ESRCH;
	/* ptrace_may_access(PTRACE_MODE_READ_REALCREDS) */
	if (!task_may_inspect(task, task->cred, other, false))
		return -EPERM;
	head = task_robust_list(other).v;
	r = guest_write_value(task, size_addr, &size);
	return r < 0 ? r : guest_write_value(task, head_addr, &head);
}
