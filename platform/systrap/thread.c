/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a guest thread: events, interrupts, futexes, FPU state.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/futex.h"
#include "abi/time.h"
#include "base/checked.h"
#include "base/log.h"

#define ERESTARTSYS 512

_Static_assert(sizeof(struct guest_regs) == sizeof(struct channel_regs),
	"the channel's registers are the platform's");
_Static_assert(
	offsetof(struct guest_regs, orig_rax) == offsetof(struct channel_regs, nr), "same order");
_Static_assert(offsetof(struct guest_regs, gs_base) == offsetof(struct channel_regs, gs_base),
	"same order");

_Static_assert(STUB_KICK_SIGNAL == PLATFORM_KICK_SIGNAL, "the Sentry's filter allows this one");

static void take_regs(struct systrap_thread *thread)
{
	systrap_take(&thread->head.regs, &thread->slot->request.regs, sizeof(thread->head.regs));
	thread->head.regs_lazy = false;
}

void systrap_load_regs(struct platform_thread *head)
{
	const uint64_t rax = head->regs.rax, orig_rax = head->regs.orig_rax;

	take_regs(systrap_thread(head));
	head->regs.rax = rax;
	head->regs.orig_rax = orig_rax;
}

/* What most calls ask for is in the request's first cache line. */
static void take_call(struct systrap_thread *thread, struct platform_event *event)
{
	const struct channel_request *request = &thread->snapshot.request;

	/* The number is an int: the stub's request has its 32 bits. */
	const uint64_t nr = (uint64_t)(int32_t)request->nr;

	event->kind = PLATFORM_SYSCALL;
	event->syscall.nr = nr;
	memcpy(event->syscall.args, request->args, sizeof(event->syscall.args));
	event->syscall.interrupted = request->head.flags & REQUEST_FLAG_INTERRUPTED;
	event->syscall.site =
		systrap.config.patch_sites && (request->head.flags & REQUEST_FLAG_SITE);
	thread->head.regs.rax = nr;
	thread->head.regs.orig_rax = nr;
	if (thread->as->learning_count > 0 && !(request->head.flags & REQUEST_FLAG_FAST))
		systrap_learn_trap(thread);
}

static void take_fault(struct systrap_thread *thread, struct platform_event *event)
{
	const struct channel_request *request = &thread->snapshot.request;

	event->kind = PLATFORM_FAULT;
	event->fault.signo = request->fault.signo;
	event->fault.code = request->fault.code;
	event->fault.addr = request->fault.addr;
	event->fault.trapno = request->fault.trapno;
	event->fault.error_code = request->fault.error_code;
	/* The kernel makes a signal of it: only the five that the stub handles. */
	switch (event->fault.signo) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
		break;
	default:
		event->fault.signo = SIGSEGV;
	}
}

static void take_event(struct systrap_thread *thread, struct platform_event *event)
{
	if (thread->snapshot.request.head.kind == REQUEST_REFUSED && thread->frame_resumed) {
		event->kind = PLATFORM_FRAME_REFUSED;
		return;
	}
	if (thread->snapshot.request.head.kind == REQUEST_REFUSED) {
		event->kind = PLATFORM_REFUSED;
		event->refused.error = systrap_check_result(
			systrap_result(thread, thread->late.index), thread->late.expected);
		if (event->refused.error == 0)
			event->refused.error = -EFAULT;
		return;
	}
	thread->head.regs_dirty = false;
	thread->head.regs_lazy = true;
	thread->head.answer_lasts = false;
	thread->head.opened_flags = 0;
	thread->pending_fault = false;
	if (thread->snapshot.request.head.kind == REQUEST_SYSCALL) {
		take_call(thread, event);
		return;
	}
	take_regs(thread);
	thread->head.regs.orig_rax = UINT64_MAX;
	if (thread->snapshot.request.head.kind == REQUEST_FAULT)
		take_fault(thread, event);
	else
		event->kind = PLATFORM_INTERRUPTED;
}

/* Whether the guest goes on: not when a delayed host call had to be done at once and failed. */
static bool resume(struct systrap_thread *thread)
{
	struct channel_reply *reply = &thread->slot->reply;
	uint8_t flags = REPLY_RESUME;

	if (thread->head.regs_dirty) {
		/* A delayed copy-out that fails decides the result, so it must not be decided in
		 * the stub. */
		if ((systrap_deferred_matter(thread) || thread->late.pending) &&
			systrap_flush(thread) < 0)
			return true;
		if (thread->pending_fault)
			thread->head.regs.rax = (uint64_t)-EFAULT;
		memcpy(&reply->regs, platform_regs(&thread->head), sizeof(reply->regs));
		flags |= REPLY_REGS;
	}
	if (thread->late.error < 0)
		return false;
	if (thread->head.answer_lasts)
		flags |= REPLY_LASTS;
	systrap_channel_reply(
		thread, flags, thread->pending_fault ? (uint64_t)-EFAULT : thread->head.regs.rax);
	return true;
}

static void run_once(struct systrap_thread *thread, struct platform_event *ret_event)
{
	/* It was written before, on the way to something else. */
	if (thread->frame_refused && thread->state != SYSTRAP_DEAD) {
		thread->frame_refused = false;
		ret_event->kind = PLATFORM_FRAME_REFUSED;
		return;
	}
	if (thread->state != SYSTRAP_DEAD) {
		sentry_assert(thread->state == SYSTRAP_STOPPED);
		if (!resume(thread)) {
			ret_event->kind = PLATFORM_REFUSED;
			ret_event->refused.error = thread->late.error;
			thread->late.error = 0;
			return;
		}
	}
	if (systrap_wait_request(thread) < 0) {
		memset(ret_event, 0, sizeof(*ret_event));
		ret_event->kind = PLATFORM_EXITED;
		ret_event->exited.host_status = thread->as->wait_status;
		return;
	}
	systrap_reply_clear(thread);
	thread->frame_pending = false;
	take_event(thread, ret_event);
	thread->late.pending = false;
}

void systrap_run(struct platform_thread *head, struct platform_event *ret_event)
{
	struct systrap_thread *thread = systrap_thread(head);

	do {
		run_once(thread, ret_event);
	} while (systrap_patch_event(thread, ret_event));
}

void systrap_interrupt(struct platform_thread *head)
{
	struct systrap_thread *thread = systrap_thread(head);

	if (thread->kicked)
		return;
	if (thread->state != SYSTRAP_IN_GUEST &&
		(thread->state != SYSTRAP_IN_COMMAND || !thread->interruptible_command))
		return;
	thread->kicked = true;
	thread->kicked_tick = systrap.tick;
	systrap_check_arm();
	__atomic_store_n(&thread->slot->reply.interrupt, 1, __ATOMIC_SEQ_CST);
	/* ESRCH: it is dying, and its process's end will say so. */
	(void)syscall(SYS_tgkill, thread->as->pid, thread->tid, STUB_KICK_SIGNAL);
}

/* ---- futex ---- */

static int64_t check_futex_result(int64_t result)
{
	if (result == -EINTR)
		return -ERESTARTSYS;
	if (result < -4095 || result > INT32_MAX)
		return -EFAULT;
	return result;
}

static void to_waitv(struct channel_command *command, const struct platform_futex *futex)
{
	command->nr |= CHANNEL_FUTEX_WAITV;
	command->args[1] = futex->waitv_count;
	command->args[2] = 0; /* flags */
	command->args[4] =
		futex->op & LX_FUTEX_CLOCK_REALTIME ? LX_CLOCK_REALTIME : LX_CLOCK_MONOTONIC;
	command->args[5] = 0;
}

int64_t systrap_futex(struct platform_thread *head, const struct platform_futex *futex)
{
	struct systrap_thread *thread = systrap_thread(head);
	uint32_t flags = (uint32_t)futex->op & ~(uint32_t)LX_FUTEX_CMD_MASK;
	uint32_t op = (uint32_t)futex->op & (uint32_t)LX_FUTEX_CMD_MASK;
	struct channel_command *command;
	uint32_t val3 = futex->val3;
	bool many = futex->waitv_count != 0;
	bool waits = many || op == LX_FUTEX_WAIT || op == LX_FUTEX_WAIT_BITSET;
	unsigned index;
	int err;

	switch (op) {
	case LX_FUTEX_WAIT:
	case LX_FUTEX_WAKE:
	case LX_FUTEX_REQUEUE:
	case LX_FUTEX_CMP_REQUEUE:
	case LX_FUTEX_WAKE_OP:
	case LX_FUTEX_WAIT_BITSET:
	case LX_FUTEX_WAKE_BITSET:
		break;
	default:
		return -ENOSYS; /* the stub's filter has no other */
	}
	/* A plain wait's timeout is relative; the bitset form takes the absolute one that we have.
	 */
	if (!many && op == LX_FUTEX_WAIT && futex->has_timeout) {
		op = LX_FUTEX_WAIT_BITSET;
		val3 = UINT32_MAX;
	}
	err = systrap_make_room(thread, 1, 0);
	if (err < 0)
		return err;
	if (waits && fiber_interrupted(fiber_current()))
		return -ERESTARTSYS;
	index = thread->pending_commands;
	command = systrap_command_add(thread, COMMAND_FUTEX);
	command->nr = waits && futex->has_timeout ? CHANNEL_FUTEX_TIMEOUT : 0;
	command->args[0] = futex->uaddr.v;
	command->args[1] = op | flags;
	command->args[2] = futex->val;
	command->args[3] = waits ? futex->has_timeout : futex->val2;
	command->args[4] = futex->uaddr2.v;
	command->args[5] = val3;
	if (many)
		to_waitv(command, futex);
	command->timespec[0] = (int64_t)(futex->timeout_ns / 1000000000u);
	command->timespec[1] = (int64_t)(futex->timeout_ns % 1000000000u);
	thread->interruptible_command = waits;
	err = systrap_commands_run(thread, 0);
	thread->interruptible_command = false;
	if (err < 0)
		return err;
	/* The stub was told not to sleep: as if interrupted at once. */
	if (systrap_result(thread, index) == -512)
		return -ERESTARTSYS;
	return check_futex_result(systrap_result(thread, index));
}

/* ---- FPU ---- */

ssize_t systrap_fpu_get(struct platform_thread *head, void *image, size_t capacity)
{
	struct systrap_thread *thread = systrap_thread(head);
	struct channel_command *command;
	uint32_t offset;
	unsigned index;
	int64_t result;
	int err;

	capacity = min_of(capacity, (size_t)PLATFORM_FPU_MAX);
	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	err = systrap_make_room(thread, 1, capacity);
	if (err < 0)
		return err;
	index = thread->pending_commands;
	offset = thread->pending_data;
	command = systrap_command_add(thread, COMMAND_FPU_GET);
	command->args[0] = capacity;
	command->args[1] = offset;
	err = systrap_commands_run(thread, 0);
	if (err < 0)
		return err;
	result = systrap_result(thread, index);
	if (result <= 0 || result > (int64_t)capacity)
		return -EINVAL;
	memcpy(image, thread->slot->data + offset, (size_t)result);
	return result;
}

/* The two that set the FPU's state wait for the next exchange: should the stub refuse, the guest
 * has spoilt its own. */
int systrap_fpu_set(struct platform_thread *head, const void *image, size_t size)
{
	struct systrap_thread *thread = systrap_thread(head);
	struct channel_command *command;
	uint32_t offset;
	int err;

	if (size < 512 + 64 || size > PLATFORM_FPU_MAX)
		return -EINVAL;
	err = systrap_make_room(thread, 1, size);
	if (err < 0)
		return err;
	offset = systrap_data_take(thread, size);
	memcpy(thread->slot->data + offset, image, size);
	command = systrap_command_defer(thread, COMMAND_FPU_SET, DEFERRED_LOSSY);
	command->args[0] = size;
	command->args[1] = offset;
	return 0;
}

int systrap_fpu_reset(struct platform_thread *head)
{
	struct systrap_thread *thread = systrap_thread(head);
	int err = systrap_make_room(thread, 1, 0);

	if (err < 0)
		return err;
	(void)systrap_command_defer(thread, COMMAND_FPU_RESET, DEFERRED_LOSSY);
	return 0;
}

/* ---- signal frames ---- */

int systrap_signal_frame(struct platform_thread *head, const struct platform_frame *frame)
{
	struct systrap_thread *thread = systrap_thread(head);
	struct channel_command *command;
	uint32_t offset;
	int err;

	sentry_assert(!thread->frame_pending);
	/* Results that may still change lie in the frame already: they are settled first. */
	err = systrap_deferred_matter(thread) || thread->late.pending ? systrap_flush(thread) : 0;
	if (err == 0)
		err = systrap_make_room(thread, 1, frame->size);
	if (err < 0)
		return err;
	offset = systrap_data_take(thread, frame->size);
	memcpy(thread->slot->data + offset, frame->data, frame->size);
	thread->frame_index = thread->pending_commands;
	command = systrap_command_defer(thread, COMMAND_SIGFRAME, DEFERRED_LOSSY);
	command->args[0] = frame->addr.v;
	command->args[1] = frame->size;
	command->args[2] = offset;
	command->args[3] = frame->fpu_addr.v;
	command->args[4] = frame->fpu_features;
	command->args[5] = frame->fpu_size;
	thread->frame_pending = true;
	return 0;
}

int systrap_signal_frame_flush(struct platform_thread *head)
{
	struct systrap_thread *thread = systrap_thread(head);
	int err = thread->frame_pending ? systrap_flush(thread) : 0;

	if (err == 0 && thread->frame_refused)
		err = -EFAULT;
	thread->frame_refused = false;
	return err;
}
