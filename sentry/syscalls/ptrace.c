/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptrace(2): the requests. Relations and stops: sentry/trace.c.
 *
 * A request of a tracer is about a thread that it traces and that is stopped for it; all others are
 * ESRCH (ptrace_check_attach()). There are no debug registers to be had: enabling one is ENOSPC, as
 * where others have taken them all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/seccomp.h"
#include "abi/uio.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"
#include "sentry/trace.h"

#define PEEK_SIGNALS_PER_TURN 64u

struct request {
	struct task *task; /* who asks */
	struct task *child;
	int number;
	gaddr_t addr, data;
};

/* ---- memory and struct user ----------------------------------------------------------------- */

static int64_t peek(const struct request *r)
{
	uint64_t word;

	if (task_read_memory(r->child, r->child->mm->id, &word, r->addr, sizeof(word), true) !=
		sizeof(word))
		return -EIO;
	return guest_write_value(r->task, r->data, &word);
}

static int64_t poke(const struct request *r)
{
	const uint64_t word = r->data.v;

	if (task_write_memory(r->child, r->child->mm->id, r->addr, &word, sizeof(word), true) !=
		sizeof(word))
		return -EIO;
	return 0;
}

static bool user_offset_valid(gaddr_t addr)
{
	return addr.v % sizeof(uint64_t) == 0 && addr.v <= LX_USER_SIZE - sizeof(uint64_t);
}

/* Which debug register; LX_USER_DEBUGREG_COUNT: none. */
static unsigned debug_register(gaddr_t addr)
{
	if (addr.v < LX_USER_DEBUGREG)
		return LX_USER_DEBUGREG_COUNT;
	return (unsigned)((addr.v - LX_USER_DEBUGREG) / sizeof(uint64_t));
}

static int64_t peek_user(const struct request *r)
{
	unsigned debug = debug_register(r->addr);
	struct lx_user_regs regs;
	uint64_t word = 0;

	if (!user_offset_valid(r->addr))
		return -EIO;
	if (r->addr.v < sizeof(regs)) {
		trace_get_regs(r->child, &regs);
		memcpy(&word, (const char *)&regs + r->addr.v, sizeof(word));
	} else if (debug < LX_USER_DEBUGREG_COUNT) {
		word = r->child->trace->debug_regs[debug];
	}
	return guest_write_value(r->task, r->data, &word);
}

/* ptrace_set_debugreg(): addresses can be kept, but no breakpoint enabled. */
static int64_t poke_debug_register(const struct request *r, unsigned index)
{
	uint64_t *slot = &r->child->trace->debug_regs[index];

	switch (index) {
	case 4:
	case 5:
		return -EIO;
	case 7:
		return r->data.v & 0xff ? -ENOSPC : 0;
	case 6:
		*slot = r->data.v;
		return 0;
	default:
		if (r->data.v >= platform->guest_end().v)
			return -EINVAL;
		*slot = r->data.v;
		return 0;
	}
}

static int64_t poke_user(const struct request *r)
{
	unsigned debug = debug_register(r->addr);
	struct lx_user_regs regs;

	if (!user_offset_valid(r->addr))
		return -EIO;
	if (debug < LX_USER_DEBUGREG_COUNT)
		return poke_debug_register(r, debug);
	if (r->addr.v >= sizeof(regs))
		return 0;
	trace_get_regs(r->child, &regs);
	memcpy((char *)&regs + r->addr.v, &r->data.v, sizeof(r->data.v));
	return trace_set_regs(r->child, &regs);
}

/* ---- register sets -------------------------------------------------------------------------- */

/* Reading or writing the tracer's memory may sleep, and a kill ends any stop meanwhile. */
static bool still_stopped(const struct request *r)
{
	return trace_stopped(r->child) && !r->child->exited && r->child->thread;
}

static int64_t get_regs(const struct request *r)
{
	struct lx_user_regs regs;

	trace_get_regs(r->child, &regs);
	return guest_write_value(r->task, r->data, &regs);
}

static int64_t set_regs(const struct request *r)
{
	struct lx_user_regs regs;
	int err = guest_read_value(r->task, &regs, r->data);

	if (err < 0)
		return err;
	return still_stopped(r) ? trace_set_regs(r->child, &regs) : -ESRCH;
}

static int64_t get_fpregs(const struct request *r)
{
	_cleanup_free_ uint8_t *image = malloc(PLATFORM_FPU_MAX);
	ssize_t size;

	if (!image)
		return -ENOMEM;
	size = trace_get_fpu(r->child, image);
	if (size < 0)
		return size;
	/* XCR0 is no part of this form. */
	memset(image + 416, 0, 512 - 416);
	return guest_write_result(r->task, r->data, image, 512);
}

static int64_t set_fpregs(const struct request *r)
{
	uint8_t image[512];
	int err = guest_read(r->task, image, r->data, sizeof(image));

	return err < 0 ? err : trace_set_fpu(r->child, image, sizeof(image));
}

/* A part of it, as the iovec says: the others keep their values. */
static int set_part(struct task *t, const struct request *r, const struct lx_iovec *iov)
{
	_cleanup_free_ uint8_t *image = malloc(PLATFORM_FPU_MAX);
	struct lx_user_regs regs;
	ssize_t size;
	int err;

	if (!image)
		return -ENOMEM;
	if (r->addr.v == LX_NT_PRSTATUS) {
		trace_get_regs(r->child, &regs);
		err = guest_read(t, &regs, GADDR(iov->iov_base), iov->iov_len);
		if (err < 0)
			return err;
		return still_stopped(r) ? trace_set_regs(r->child, &regs) : -ESRCH;
	}
	size = trace_get_fpu(r->child, image);
	if (size < 0)
		return (int)size;
	/* xstateregs_set(): all of it or nothing. */
	if (r->addr.v == LX_NT_X86_XSTATE && iov->iov_len != (uint64_t)size)
		return -EFAULT;
	/* fpregs_set() */
	if (r->addr.v == LX_NT_PRFPREG && iov->iov_len != 512)
		return -EINVAL;
	err = guest_read(t, image, GADDR(iov->iov_base), iov->iov_len);
	if (err < 0)
		return err;
	return trace_set_fpu(r->child, image, r->addr.v == LX_NT_PRFPREG ? 512 : (size_t)size);
}

static int get_part(struct task *t, const struct request *r, const struct lx_iovec *iov)
{
	_cleanup_free_ uint8_t *image = malloc(PLATFORM_FPU_MAX);
	struct lx_user_regs regs;
	ssize_t size;

	if (!image)
		return -ENOMEM;
	if (r->addr.v == LX_NT_PRSTATUS) {
		trace_get_regs(r->child, &regs);
		return guest_write_result(t, GADDR(iov->iov_base), &regs, iov->iov_len);
	}
	size = trace_get_fpu(r->child, image);
	if (size < 0)
		return (int)size;
	if (r->addr.v == LX_NT_PRFPREG)
		memset(image + 416, 0, 512 - 416);
	return guest_write_result(t, GADDR(iov->iov_base), image, iov->iov_len);
}

static ssize_t regset_size(const struct request *r)
{
	_cleanup_free_ uint8_t *image = NULL;

	switch (r->addr.v) {
	case LX_NT_PRSTATUS:
		return sizeof(struct lx_user_regs);
	case LX_NT_PRFPREG:
		return 512;
	case LX_NT_X86_XSTATE:
		image = malloc(PLATFORM_FPU_MAX);
		return image ? trace_get_fpu(r->child, image) : -ENOMEM;
	default:
		return -EINVAL;
	}
}

/* ptrace_regset() */
static int64_t regset(const struct request *r, bool set)
{
	struct lx_iovec iov;
	ssize_t size;
	int err = guest_read_value(r->task, &iov, r->data);

	if (err < 0)
		return err;
	if (!still_stopped(r))
		return -ESRCH;
	size = regset_size(r);
	if (size < 0)
		return size;
	if (iov.iov_len % sizeof(uint64_t))
		return -EINVAL;
	iov.iov_len = min_of(iov.iov_len, (uint64_t)size);
	if (!still_stopped(r))
		return -ESRCH;
	err = set ? set_part(r->task, r, &iov) : get_part(r->task, r, &iov);
	if (err < 0)
		return err;
	return guest_write_value(
		r->task, gaddr_add(r->data, offsetof(struct lx_iovec, iov_len)), &iov.iov_len);
}

/* ---- signals -------------------------------------------------------------------------------- */

static int64_t get_siginfo(const struct request *r)
{
	struct lx_siginfo info;

	if (!r->child->trace->info)
		return -EINVAL;
	/* Of its own: what is on the tracee's stack goes with the stop. */
	info = *r->child->trace->info;
	return guest_write_result(r->task, r->data, &info, sizeof(info));
}

static int64_t set_siginfo(const struct request *r)
{
	struct lx_siginfo info;
	int err = guest_read_value(r->task, &info, r->data);

	if (err < 0)
		return err;
	/* Reading may have slept. */
	if (!trace_stopped(r->child) || !r->child->trace->info)
		return -EINVAL;
	*r->child->trace->info = info;
	return 0;
}

static int64_t get_sigmask(const struct request *r)
{
	const struct task *child = r->child;
	const uint64_t mask = child->restore_blocked ? child->saved_blocked : child->blocked;

	if (r->addr.v != LX_SIGSET_SIZE)
		return -EINVAL;
	return guest_write_value(r->task, r->data, &mask);
}

/* Unlike elsewhere nobody else is offered the signals that are blocked now. */
static int64_t set_sigmask(const struct request *r)
{
	uint64_t mask;
	int err;

	if (r->addr.v != LX_SIGSET_SIZE)
		return -EINVAL;
	err = guest_read_value(r->task, &mask, r->data);
	if (err < 0)
		return err;
	r->child->restore_blocked = false;
	r->child->blocked = mask & ~(LX_SIGMASK(LX_SIGKILL) | LX_SIGMASK(LX_SIGSTOP));
	return 0;
}

/* The signal at @offset of the queue; false: it is not that long. */
static bool queued_signal(const struct request *r, const struct lx_ptrace_peeksiginfo_args *args,
	uint64_t offset, struct lx_siginfo *ret)
{
	const struct sigpending *pending = args->flags & LX_PTRACE_PEEKSIGINFO_SHARED
						   ? &r->child->group->pending
						   : &r->child->pending;
	const struct sigqueue *entry;

	list_for_each_entry (entry, &pending->queue, link) {
		if (offset-- > 0)
			continue;
		*ret = entry->info;
		return true;
	}
	return false;
}

static int64_t peek_siginfo(const struct request *r)
{
	struct lx_ptrace_peeksiginfo_args args;
	struct lx_siginfo info;
	int64_t done;
	int err = guest_read_value(r->task, &args, r->addr);

	if (err < 0)
		return err;
	if ((args.flags & ~(uint32_t)LX_PTRACE_PEEKSIGINFO_SHARED) || args.nr < 0)
		return -EINVAL;
	for (done = 0; done < args.nr; done++) {
		if (!queued_signal(r, &args, args.off + (uint64_t)done, &info))
			break;
		err = guest_write_result(r->task, gaddr_add(r->data, (uint64_t)done * sizeof(info)),
			&info, sizeof(info));
		if (err < 0)
			return done ? done : err;
		if (done % PEEK_SIGNALS_PER_TURN == PEEK_SIGNALS_PER_TURN - 1)
			fiber_yield();
	}
	return done;
}

/* ---- what it is doing ----------------------------------------------------------------------- */

static int64_t event_message(const struct request *r)
{
	return guest_write_value(r->task, r->data, &r->child->trace->message);
}

static void fill_call(const struct request *r, uint64_t *ret_nr, uint64_t args[6])
{
	const struct guest_regs *regs = platform_regs(r->child->thread);

	*ret_nr = regs->orig_rax;
	args[0] = regs->rdi;
	args[1] = regs->rsi;
	args[2] = regs->rdx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
}

/* ptrace_get_syscall_info_entry() and its relatives: how much of *ret is filled in. */
static size_t fill_syscall_info(const struct request *r, struct lx_ptrace_syscall_info *ret)
{
	const struct trace *trace = r->child->trace;
	int code = trace->info ? trace->info->code : 0;
	int64_t result = (int64_t)platform_regs(r->child->thread)->rax;

	if (code == (LX_SIGTRAP | 0x80) && trace->message == LX_PTRACE_EVENTMSG_SYSCALL_ENTRY) {
		ret->op = LX_PTRACE_SYSCALL_INFO_ENTRY;
		fill_call(r, &ret->entry.nr, ret->entry.args);
		return offsetof(struct lx_ptrace_syscall_info, entry) + sizeof(ret->entry);
	}
	if (code == (LX_SIGTRAP | 0x80) && trace->message == LX_PTRACE_EVENTMSG_SYSCALL_EXIT) {
		ret->op = LX_PTRACE_SYSCALL_INFO_EXIT;
		ret->exit.rval = result;
		ret->exit.is_error = result < 0 && result >= -4095;
		return offsetof(struct lx_ptrace_syscall_info, exit.is_error) +
		       sizeof(ret->exit.is_error);
	}
	if (code == (LX_SIGTRAP | LX_PTRACE_EVENT_SECCOMP << 8)) {
		ret->op = LX_PTRACE_SYSCALL_INFO_SECCOMP;
		fill_call(r, &ret->seccomp.nr, ret->seccomp.args);
		ret->seccomp.ret_data = (uint32_t)trace->message;
		return offsetof(struct lx_ptrace_syscall_info, seccomp.ret_data) +
		       sizeof(ret->seccomp.ret_data);
	}
	ret->op = LX_PTRACE_SYSCALL_INFO_NONE;
	return offsetof(struct lx_ptrace_syscall_info, entry);
}

static int64_t get_syscall_info(const struct request *r)
{
	const struct guest_regs *regs = platform_regs(r->child->thread);
	struct lx_ptrace_syscall_info info;
	size_t size;
	int err;

	memset(&info, 0, sizeof(info));
	info.arch = LX_AUDIT_ARCH_X86_64;
	info.instruction_pointer = regs->rip;
	info.stack_pointer = regs->rsp;
	size = fill_syscall_info(r, &info);
	err = guest_write_result(r->task, r->data, &info, min_of(size, (size_t)r->addr.v));
	return err < 0 ? err : (int64_t)size;
}

static int64_t get_rseq(const struct request *r)
{
	const struct task *child = r->child;
	const bool is_registered = !gaddr_is_null(child->rseq);
	const struct lx_ptrace_rseq_configuration answer = {
		.rseq_abi_pointer = child->rseq.v,
		.rseq_abi_size = is_registered ? child->rseq_size : 0,
		.signature = is_registered ? child->rseq_sig : 0,
	};
	int err;

	if (!rseq_offered())
		return -EIO;
	err = guest_write_result(
		r->task, r->data, &answer, min_of(sizeof(answer), (size_t)r->addr.v));
	return err < 0 ? err : (int64_t)sizeof(answer);
}

/* ---- going on ------------------------------------------------------------------------------- */

static int64_t set_options(const struct request *r)
{
	/* As a kernel without checkpoint and restore. */
	if (r->data.v & ~(uint64_t)(LX_PTRACE_O_MASK & ~LX_PTRACE_O_SUSPEND_SECCOMP))
		return -EINVAL;
	r->child->trace->options = (uint32_t)r->data.v;
	return 0;
}

static int64_t resume(const struct request *r)
{
	struct trace *trace = r->child->trace;

	if (r->data.v > LX_NSIG)
		return -EIO;
	trace->resume = TRACE_CONT;
	trace->step = r->number == LX_PTRACE_SINGLESTEP || r->number == LX_PTRACE_SYSEMU_SINGLESTEP;
	if (r->number == LX_PTRACE_SYSCALL)
		trace->resume = TRACE_SYSCALL;
	else if (r->number == LX_PTRACE_SYSEMU || r->number == LX_PTRACE_SYSEMU_SINGLESTEP)
		trace->resume = TRACE_EMULATE;
	trace_resume(r->child, (int)r->data.v);
	return 0;
}

static int64_t detach(const struct request *r)
{
	if (r->data.v > LX_NSIG)
		return -EIO;
	trace_detach(r->child, (int)r->data.v);
	return 0;
}

static int64_t listen_group_stop(const struct request *r)
{
	struct trace *trace = r->child->trace;

	if (!trace->seized || !trace->info || trace->info->code >> 8 != LX_PTRACE_EVENT_STOP)
		return -EIO;
	trace->listening = true;
	/* What came meanwhile is told at once. */
	if (trace->trap_notify)
		trace_notify_trap(r->child);
	return 0;
}

static int64_t interrupt(const struct request *r)
{
	struct trace *trace = r->child->trace;

	if (!trace->seized)
		return -EIO;
	trace->trap_stop = true;
	if (trace->stopped && trace->listening) {
		trace->code = 0;
		trace->stopped = false;
		wait_queue_wake(&trace->queue, ~0u);
	}
	signal_wake(r->child);
	return 0;
}

static int64_t kill_child(const struct request *r)
{
	const struct lx_siginfo info = {.signo = LX_SIGKILL, .code = LX_SI_USER};

	return r->child->exited ? 0 : signal_send_task(r->child, &info);
}

/* ---- the request ---------------------------------------------------------------------------- */

static int64_t do_request(const struct request *r)
{
	switch (r->number) {
	case LX_PTRACE_PEEKTEXT:
	case LX_PTRACE_PEEKDATA:
		return peek(r);
	case LX_PTRACE_POKETEXT:
	case LX_PTRACE_POKEDATA:
		return poke(r);
	case LX_PTRACE_PEEKUSR:
		return peek_user(r);
	case LX_PTRACE_POKEUSR:
		return poke_user(r);
	case LX_PTRACE_CONT:
	case LX_PTRACE_SYSCALL:
	case LX_PTRACE_SINGLESTEP:
	case LX_PTRACE_SYSEMU:
	case LX_PTRACE_SYSEMU_SINGLESTEP:
		return resume(r);
	case LX_PTRACE_GETREGS:
		return get_regs(r);
	case LX_PTRACE_SETREGS:
		return set_regs(r);
	case LX_PTRACE_GETFPREGS:
		return get_fpregs(r);
	case LX_PTRACE_SETFPREGS:
		return set_fpregs(r);
	case LX_PTRACE_GETREGSET:
		return regset(r, false);
	case LX_PTRACE_SETREGSET:
		return regset(r, true);
	case LX_PTRACE_DETACH:
		return detach(r);
	case LX_PTRACE_SETOPTIONS:
	case LX_PTRACE_OLDSETOPTIONS:
		return set_options(r);
	case LX_PTRACE_GETEVENTMSG:
		return event_message(r);
	case LX_PTRACE_GETSIGINFO:
		return get_siginfo(r);
	case LX_PTRACE_SETSIGINFO:
		return set_siginfo(r);
	case LX_PTRACE_PEEKSIGINFO:
		return peek_siginfo(r);
	case LX_PTRACE_GETSIGMASK:
		return get_sigmask(r);
	case LX_PTRACE_SETSIGMASK:
		return set_sigmask(r);
	case LX_PTRACE_GET_SYSCALL_INFO:
		return get_syscall_info(r);
	case LX_PTRACE_GET_RSEQ_CONFIGURATION:
		return get_rseq(r);
	case LX_PTRACE_LISTEN:
		return listen_group_stop(r);
	default:
		/* SINGLEBLOCK too: as on a processor that cannot. */
		return -EIO;
	}
}

static int64_t attach(struct task *task, struct task *child, bool seize, gaddr_t addr, gaddr_t data)
{
	if (!seize)
		return trace_attach(task, child, false, 0);
	if (!gaddr_is_null(addr) || (data.v & ~(uint64_t)LX_PTRACE_O_MASK))
		return -EIO;
	if (data.v & LX_PTRACE_O_SUSPEND_SECCOMP)
		return -EINVAL;
	return trace_attach(task, child, true, (uint32_t)data.v);
}

int64_t sys_ptrace(struct task *task, int number, int pid, gaddr_t addr, gaddr_t data)
{
	struct request r = {.task = task, .number = number, .addr = addr, .data = data};
	int64_t result;

	if (number == LX_PTRACE_TRACEME)
		return trace_me(task);
	r.child = pid_task(pid);
	if (!r.child)
		return -ESRCH;
	if (number == LX_PTRACE_ATTACH || number == LX_PTRACE_SEIZE)
		return attach(task, r.child, number == LX_PTRACE_SEIZE, addr, data);
	if (r.child->tracer != task)
		return -ESRCH;
	if (number == LX_PTRACE_KILL)
		return kill_child(&r);
	if (number == LX_PTRACE_INTERRUPT)
		return r.child->exited ? -ESRCH : interrupt(&r);
	if (!trace_stopped(r.child) || r.child->trace->listening || r.child->exited ||
		!r.child->thread)
		return -ESRCH;
	(void)task_ref(r.child);
	result = do_request(&r);
	task_unref(r.child);
	return result == -ESRCH ? -EIO : result;
}
