/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that are answered here, in the guest's own process: those that ask for, or change, nothing
 * but the caller's own state. What they need lies in the slot (platform/inguest.h), where the
 * Sentry keeps it current. Whether a call may be answered is the Sentry's word too, a bit in
 * `features`: a thread whose calls are traced has none.
 *
 * The Sentry never learns of a call that ends here, so nothing here may be needed for its safety:
 * the guest can give itself any answer anyway.
 */
#include "platform/systrap/stub/stub.h"
#include "abi/limits.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/syscall_nr.h"
#include "abi/time.h"

enum answer_kind {
	ANSWER_NONE,
	ANSWER_FUTEX,
	ANSWER_NAME,
	ANSWER_OPEN,
	ANSWER_NAME_OR_OPENED,
	ANSWER_OPENED,
	ANSWER_SEEK,
	ANSWER_MAP,
	ANSWER_UNMAP,
	ANSWER_PROTECT,
	ANSWER_CLOSE,
	ANSWER_OPENED_OR_HELD,
	ANSWER_SIGPROCMASK,
	ANSWER_CLOCK_GETTIME,
	ANSWER_CLOCK_GETRES,
	ANSWER_GETTIMEOFDAY,
	ANSWER_TIME,
	ANSWER_GETCPU,
	ANSWER_YIELD,
	ANSWER_ROBUST_LIST,
	ANSWER_TID_ADDRESS,
	ANSWER_RSEQ,
	ANSWER_UMASK,
	ANSWER_HELD,
	ANSWER_SIGACTION,
	ANSWER_BRK,
	ANSWER_FS_BASE,
	ANSWER_LIMIT,
	ANSWER_OWN_LIMIT,
	ANSWER_RANDOM,
	ANSWER_GETPGID,
	ANSWER_GETSID,
	ANSWER_ID, /* and the number of the id; last */
};

#define ID(id) (ANSWER_ID + PLATFORM_ID_##id)

static const uint8_t answer_kinds[LX_NR_COUNT] = {
	[LX_NR_getpid] = ID(TGID),
	[LX_NR_gettid] = ID(TID),
	[LX_NR_getppid] = ID(PPID),
	[LX_NR_getpgrp] = ID(PGID),
	[LX_NR_getuid] = ID(UID),
	[LX_NR_geteuid] = ID(EUID),
	[LX_NR_getgid] = ID(GID),
	[LX_NR_getegid] = ID(EGID),
	[LX_NR_getpgid] = ANSWER_GETPGID,
	[LX_NR_getsid] = ANSWER_GETSID,
	[LX_NR_futex] = ANSWER_FUTEX,
	[LX_NR_stat] = ANSWER_NAME,
	[LX_NR_lstat] = ANSWER_NAME,
	[LX_NR_newfstatat] = ANSWER_NAME_OR_OPENED,
	[LX_NR_fstat] = ANSWER_OPENED,
	[LX_NR_lseek] = ANSWER_SEEK,
	[LX_NR_ioctl] = ANSWER_OPENED,
	[LX_NR_read] = ANSWER_OPENED_OR_HELD,
	[LX_NR_write] = ANSWER_HELD,
	[LX_NR_epoll_ctl] = ANSWER_HELD,
	[LX_NR_umask] = ANSWER_UMASK,
	[LX_NR_pread64] = ANSWER_OPENED,
	[LX_NR_getdents64] = ANSWER_OPENED,
	[LX_NR_close] = ANSWER_CLOSE,
	[LX_NR_fcntl] = ANSWER_OPENED,
	[LX_NR_mmap] = ANSWER_MAP,
	[LX_NR_munmap] = ANSWER_UNMAP,
	[LX_NR_mprotect] = ANSWER_PROTECT,
	[LX_NR_open] = ANSWER_OPEN,
	[LX_NR_openat] = ANSWER_OPEN,
	[LX_NR_access] = ANSWER_NAME,
	[LX_NR_faccessat] = ANSWER_NAME,
	[LX_NR_getcwd] = ANSWER_NAME,
	[LX_NR_readlink] = ANSWER_NAME,
	[LX_NR_readlinkat] = ANSWER_NAME,
	[LX_NR_rt_sigprocmask] = ANSWER_SIGPROCMASK,
	[LX_NR_clock_gettime] = ANSWER_CLOCK_GETTIME,
	[LX_NR_clock_getres] = ANSWER_CLOCK_GETRES,
	[LX_NR_gettimeofday] = ANSWER_GETTIMEOFDAY,
	[LX_NR_time] = ANSWER_TIME,
	[LX_NR_getcpu] = ANSWER_GETCPU,
	[LX_NR_sched_yield] = ANSWER_YIELD,
	[LX_NR_set_robust_list] = ANSWER_ROBUST_LIST,
	[LX_NR_set_tid_address] = ANSWER_TID_ADDRESS,
	[LX_NR_rseq] = ANSWER_RSEQ,
	[LX_NR_rt_sigaction] = ANSWER_SIGACTION,
	[LX_NR_brk] = ANSWER_BRK,
	[LX_NR_arch_prctl] = ANSWER_FS_BASE,
	[LX_NR_prlimit64] = ANSWER_LIMIT,
	[LX_NR_getrlimit] = ANSWER_OWN_LIMIT,
	[LX_NR_getrandom] = ANSWER_RANDOM,
};

static bool answer_id(struct stub_thread *self, unsigned id, int64_t *ret)
{
	const struct platform_inguest *known = &self->slot->inguest;

	if (!(known->features & PLATFORM_INGUEST_IDS))
		return false;
	*ret = known->ids[id];
	return true;
}

/* ---- futexes ---- */

#define FUTEX_PRIVATE  128u
#define FUTEX_REALTIME 256u

/*
 * Futexes that need nobody else: FUTEX_WAIT with a (relative) timeout is not among them, since its
 * restart after a signal must not begin the time anew, and neither are the PI forms.
 */
static bool futex_is_plain(const uint64_t args[6])
{
	uint32_t op = (uint32_t)args[1];

	switch (op & ~(FUTEX_PRIVATE | FUTEX_REALTIME)) {
	case 0: /* WAIT */
		return args[3] == 0 && !(op & FUTEX_REALTIME);
	case 1:	 /* WAKE */
	case 3:	 /* REQUEUE */
	case 4:	 /* CMP_REQUEUE */
	case 5:	 /* WAKE_OP */
	case 9:	 /* WAIT_BITSET */
	case 10: /* WAKE_BITSET */
		return true;
	default:
		return false;
	}
}

/* In memory that nobody shares, of an only thread. */
static bool wakes_nobody(const struct stub_thread *self, const uint64_t args[6])
{
	return (uint32_t)args[1] == (FUTEX_PRIVATE | 1 /* WAKE */) && self->slot->inguest.brk != 0;
}

static bool answer_futex(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	struct channel_slot *slot = self->slot;

	if (!(slot->inguest.features & PLATFORM_INGUEST_FUTEX) || !futex_is_plain(args))
		return false;
	/* Who may sleep for long tells first what there is to tell. */
	if ((self->closed || self->told_count) && !wakes_nobody(self, args))
		return false;
	for (;;) {
		int64_t result;

		slot->request.sleeping = 1;
		result = stub_futex(&slot->reply.interrupt, args, STUB_NR_FUTEX);
		slot->request.sleeping = 0;
		if (result == STUB_INTERRUPTED) {
			*ret = STUB_INTERRUPTED;
			return false;
		}
		if (result != -4) {
			*ret = result;
			return true;
		}
		/* EINTR: of a kick meant for now (the next round says so) or of a stale one. */
	}
}

/* ---- the signal mask ---- */

/* The mask that rt_sigprocmask(2) makes of @old. False: no such @how. */
static bool change_mask(uint32_t how, uint64_t old, uint64_t set, uint64_t *ret)
{
	switch (how) {
	case 0: /* SIG_BLOCK */
		set |= old;
		break;
	case 1: /* SIG_UNBLOCK */
		set = old & ~set;
		break;
	case 2: /* SIG_SETMASK */
		break;
	default:
		return false;
	}
	*ret = set & ~PLATFORM_UNBLOCKABLE;
	return true;
}

/*
 * In the kernel's order (kernel/signal.c): size, set, how, oldset. Whatever does not simply work is
 * left to the Sentry, with the old mask: faults, since it may let the stack grow; and a mask that
 * lets something pending through. Between the two stores others may see the new mask: they act as
 * if the call had happened by then, which it will have before the thread does anything else.
 */
static bool answer_sigprocmask(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	struct platform_inguest *known = &self->slot->inguest;
	uint64_t old, set, mask;

	if (!(known->features & PLATFORM_INGUEST_MASK) || args[3] != sizeof(set))
		return false;
	old = mask = known->blocked;
	if (args[1]) {
		if (stub_load8(&set, (const void *)args[1]))
			return false;
		if (!change_mask((uint32_t)args[0], old, set, &mask))
			return false;
	}
	/* With another action, that the Sentry has yet to hear of, the signal must not come. */
	if (self->told_actions && (old & ~mask))
		return false;
	if (mask != old) {
		__atomic_store_n(&known->blocked, mask, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&known->pending, __ATOMIC_SEQ_CST) & ~mask)
			goto refuse;
	}
	if (args[2] && stub_store8((void *)args[2], old))
		goto refuse;
	*ret = 0;
	return true;
refuse:
	__atomic_store_n(&known->blocked, old, __ATOMIC_RELAXED);
	return false;
}

/* ---- time ---- */

#define CLOCKS_FINE                                                                                \
	(1u << LX_CLOCK_REALTIME | 1u << LX_CLOCK_MONOTONIC | 1u << LX_CLOCK_MONOTONIC_RAW |       \
		1u << LX_CLOCK_BOOTTIME | 1u << LX_CLOCK_TAI)
#define CLOCKS_COARSE (1u << LX_CLOCK_REALTIME_COARSE | 1u << LX_CLOCK_MONOTONIC_COARSE)

static bool is_clock_of(uint32_t clock, uint32_t set)
{
	return clock < 32 && (1u << clock & set);
}

/*
 * Through the vDSO, which all users of the guest's read, so that clocks agree. Where the host's
 * clock source is none that it can read, it makes a call, which traps: that ends the attempt, and
 * the thread does not try again.
 */
static bool read_clock(struct stub_thread *self, uint32_t clock, struct lx_timespec *ret)
{
	const struct channel_slot *slot = self->slot;

	if (!(slot->inguest.features & PLATFORM_INGUEST_TIME) || !slot->vdso_clock_gettime ||
		self->vdso_useless)
		return false;
	return stub_vdso_call(slot->vdso_clock_gettime, clock, (uint64_t)ret, &self->vdso_rsp) == 0;
}

static bool answer_clock_gettime(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	uint32_t clock = (uint32_t)args[0];
	struct lx_timespec now;

	if (!is_clock_of(clock, CLOCKS_FINE | CLOCKS_COARSE) || !read_clock(self, clock, &now) ||
		stub_store16((void *)args[1], (uint64_t)now.tv_sec, (uint64_t)now.tv_nsec))
		return false;
	*ret = 0;
	return true;
}

static bool answer_clock_getres(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	if (!(self->slot->inguest.features & PLATFORM_INGUEST_TIME) ||
		!is_clock_of((uint32_t)args[0], CLOCKS_FINE))
		return false;
	if (args[1] && stub_store16((void *)args[1], 0, 1))
		return false;
	*ret = 0;
	return true;
}

static bool answer_gettimeofday(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	struct lx_timespec now;

	if (!args[0] || args[1] || !read_clock(self, LX_CLOCK_REALTIME, &now) ||
		stub_store16((void *)args[0], (uint64_t)now.tv_sec, (uint32_t)now.tv_nsec / 1000u))
		return false;
	*ret = 0;
	return true;
}

/* The second of the last tick, as the kernel has it. */
static bool answer_time(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	struct lx_timespec now;

	if (!read_clock(self, LX_CLOCK_REALTIME_COARSE, &now) ||
		(args[0] && stub_store8((void *)args[0], (uint64_t)now.tv_sec)))
		return false;
	*ret = now.tv_sec;
	return true;
}

/* ---- CPUs ---- */

/* As the vDSO reads it: cpu | node << 12. */
static bool answer_getcpu(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	uint32_t low, high, aux;

	if (!(self->slot->inguest.features & PLATFORM_INGUEST_CPU))
		return false;
	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
	if ((args[0] && stub_store4((void *)args[0], aux & 0xfff)) ||
		(args[1] && stub_store4((void *)args[1], aux >> 12)))
		return false;
	*ret = 0;
	return true;
}

/* ---- what the thread tells of itself, and asks ---- */

#define ROBUST_LIST_SIZE 24u /* struct robust_list_head */
#define SIGSET_SIZE	 8u
#define SIGNALS		 64u

/* Of a signal whose action was never set: nothing but zeroes (execve leaves no more). */
static bool answer_sigaction(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	uint32_t index = (uint32_t)args[0] - 1;

	if (args[1])
		return stub_told_action(self, args, ret);
	if (args[3] != SIGSET_SIZE || index >= SIGNALS ||
		!(self->slot->inguest.default_actions >> index & 1))
		return false;
	if (args[2] &&
		(stub_store16((void *)args[2], 0, 0) || stub_store16((void *)(args[2] + 16), 0, 0)))
		return false;
	*ret = 0;
	return true;
}

/* Of RLIMIT_CPU the kernel counts the soft one up. */
static bool answer_limit(
	const struct platform_inguest *known, uint32_t resource, uint64_t to, int64_t *ret)
{
	const uint32_t version = __atomic_load_n(&known->limits_version, __ATOMIC_ACQUIRE);
	uint64_t soft, hard;

	if (resource == LX_RLIMIT_CPU || resource >= PLATFORM_LIMITS || version == 0 ||
		(version & 1))
		return false;
	soft = __atomic_load_n(&known->limits[resource][0], __ATOMIC_ACQUIRE);
	hard = __atomic_load_n(&known->limits[resource][1], __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&known->limits_version, __ATOMIC_RELAXED) != version ||
		stub_store16((void *)to, soft, hard))
		return false;
	*ret = 0;
	return true;
}

/* malloc's first question. */
static bool answer_random(struct platform_inguest *known, const uint64_t args[6], int64_t *ret)
{
	if (args[1] != sizeof(known->random) || known->random == 0 ||
		((uint32_t)args[2] & ~LX_GRND_NONBLOCK) ||
		stub_store8((void *)args[0], known->random))
		return false;
	known->random = 0;
	*ret = sizeof(known->random);
	return true;
}

#define RSEQ_UNREGISTER 1u

/* The thread is the host's, so its area is: what was registered is noted for the Sentry. */
static bool answer_rseq(struct platform_inguest *known, const uint64_t args[6], int64_t *ret)
{
	const uint32_t size = (uint32_t)args[1], flags = (uint32_t)args[2], sig = (uint32_t)args[3];

	if (!(known->features & PLATFORM_INGUEST_RSEQ) || (flags & ~RSEQ_UNREGISTER) ||
		args[0] + size >= STUB_BASE || args[0] + size < size)
		return false;
	*ret = stub_call6(STUB_NR_RSEQ, args[0], size, flags, sig, 0, 0);
	if (*ret == 0) {
		known->rseq = flags ? 0 : args[0];
		known->rseq_size = size;
		known->rseq_sig = sig;
	}
	return true;
}

static bool answer_own(
	struct stub_thread *self, unsigned kind, const uint64_t args[6], int64_t *ret)
{
	struct platform_inguest *known = &self->slot->inguest;

	if (!(known->features & PLATFORM_INGUEST_OWN))
		return false;
	switch (kind) {
	case ANSWER_ROBUST_LIST:
		if (args[1] != ROBUST_LIST_SIZE)
			return false;
		known->robust_list = args[0];
		*ret = 0;
		return true;
	case ANSWER_TID_ADDRESS:
		known->clear_child_tid = args[0];
		*ret = known->ids[PLATFORM_ID_TID];
		return true;
	case ANSWER_RSEQ:
		return answer_rseq(known, args, ret);
	case ANSWER_UMASK:
		*ret = known->umask & 0777;
		if (!(known->umask & PLATFORM_UMASK_KNOWN))
			return false;
		known->umask = PLATFORM_UMASK_KNOWN | ((uint32_t)args[0] & 0777);
		return true;
	case ANSWER_BRK:
		*ret = (int64_t)known->brk;
		return *ret != 0 && (args[0] == 0 || stub_told_brk(self, args[0], ret));
	case ANSWER_FS_BASE:
		if ((uint32_t)args[0] != LX_ARCH_SET_FS || args[1] >= LX_TASK_SIZE)
			return false;
		__asm__ volatile("wrfsbase %0" : : "r"(args[1]));
		*ret = 0;
		return true;
	case ANSWER_LIMIT:
		return (uint32_t)args[0] == 0 && args[2] == 0 && args[3] != 0 &&
		       answer_limit(known, (uint32_t)args[1], args[3], ret);
	case ANSWER_OWN_LIMIT:
		return answer_limit(known, (uint32_t)args[0], args[1], ret);
	case ANSWER_RANDOM:
		return answer_random(known, args, ret);
	default:
		return answer_sigaction(self, args, ret);
	}
}

bool stub_answer(struct stub_thread *self, uint32_t nr, const uint64_t args[6], int64_t *ret)
{
	unsigned kind = nr < LX_NR_COUNT ? answer_kinds[nr] : ANSWER_NONE;

	if (kind >= ANSWER_ID)
		return answer_id(self, kind - ANSWER_ID, ret);
	switch (kind) {
	case ANSWER_NAME_OR_OPENED:
		return stub_opened_answer(self, nr, args, ret) ||
		       stub_name_answer(self, nr, args, ret);
	case ANSWER_NAME:
		return stub_name_answer(self, nr, args, ret);
	case ANSWER_OPEN:
		return stub_open_answer(self, nr, args, ret);
	case ANSWER_OPENED:
		return stub_opened_answer(self, nr, args, ret);
	case ANSWER_MAP:
		return stub_known_map(self, args, ret);
	case ANSWER_UNMAP:
		return stub_known_unmap(self, args, ret);
	case ANSWER_PROTECT:
		return stub_known_protect(self, args, ret);
	case ANSWER_SEEK:
		return stub_opened_answer(self, nr, args, ret) || stub_told_seek(self, args, ret);
	case ANSWER_CLOSE:
		return stub_opened_answer(self, nr, args, ret) || stub_told_close(self, args, ret);
	case ANSWER_OPENED_OR_HELD:
		return stub_opened_answer(self, nr, args, ret) ||
		       stub_held_answer(self, nr, args, ret);
	case ANSWER_HELD:
		return stub_held_answer(self, nr, args, ret);
	case ANSWER_FUTEX:
		return answer_futex(self, args, ret);
	case ANSWER_SIGPROCMASK:
		return answer_sigprocmask(self, args, ret);
	case ANSWER_CLOCK_GETTIME:
		return answer_clock_gettime(self, args, ret);
	case ANSWER_CLOCK_GETRES:
		return answer_clock_getres(self, args, ret);
	case ANSWER_GETTIMEOFDAY:
		return answer_gettimeofday(self, args, ret);
	case ANSWER_TIME:
		return answer_time(self, args, ret);
	case ANSWER_GETCPU:
		return answer_getcpu(self, args, ret);
	case ANSWER_YIELD:
		if (!(self->slot->inguest.features & PLATFORM_INGUEST_YIELD))
			return false;
		*ret = stub_call3(STUB_NR_SCHED_YIELD, 0, 0, 0);
		return true;
	case ANSWER_ROBUST_LIST:
	case ANSWER_TID_ADDRESS:
	case ANSWER_RSEQ:
	case ANSWER_UMASK:
	case ANSWER_SIGACTION:
	case ANSWER_BRK:
	case ANSWER_FS_BASE:
	case ANSWER_LIMIT:
	case ANSWER_OWN_LIMIT:
	case ANSWER_RANDOM:
		return answer_own(self, kind, args, ret);
	case ANSWER_GETPGID:
		return (uint32_t)args[0] == 0 && answer_id(self, PLATFORM_ID_PGID, ret);
	case ANSWER_GETSID:
		return (uint32_t)args[0] == 0 && answer_id(self, PLATFORM_ID_SID, ret);
	default:
		return false;
	}
}
