/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host futexes on the guest's own memory.
 *
 * A wait keeps the host thread in the host's futex queue while its fiber is parked; the wake-up is
 * the int3 behind the call. The timeout is the kernel loop's timer, so that no timespec has to lie
 * in memory that the guest can write: at the deadline the wait is interrupted like by a signal. If
 * a wake came first, the host's answer is 0 and stands.
 */
#include "platform/ptrace/tracee.h"

#include <errno.h>
#include <sys/syscall.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "base/checked.h"
#include "platform/ptrace/stub_calls.h"

struct futex_timeout {
	struct timer timer;
	struct tracee *tracee;
	bool expired;
};

static void timeout_expired(struct timer *timer)
{
	struct futex_timeout *timeout = timer->data;

	timeout->expired = true;
	ptrace_interrupt(&timeout->tracee->pub);
}

static bool is_wait(int command)
{
	return command == LX_FUTEX_WAIT || command == LX_FUTEX_WAIT_BITSET;
}

static bool is_allowed(int command)
{
	static const int allowed[] = STUB_FUTEX;

	_Static_assert(array_size(allowed) == STUB_FUTEX_COUNT, "the filter's count");
	for (size_t i = 0; i < array_size(allowed); i++) {
		if (allowed[i] == command)
			return true;
	}
	return false;
}

/* Absolute on the op's clock to CLOCK_MONOTONIC; a later step of the wall clock does not move it.
 */
static uint64_t monotonic_deadline(const struct platform_futex *futex)
{
	uint64_t now, deadline;

	if (!(futex->op & LX_FUTEX_CLOCK_REALTIME))
		return futex->timeout_ns;
	now = loop_realtime_now();
	if (futex->timeout_ns <= now)
		return 0;
	if (!add_checked(loop_monotonic_now(), futex->timeout_ns - now, &deadline))
		return UINT64_MAX;
	return deadline;
}

/* The host's result, or where the wait was cut short what Linux answers for that. */
static int64_t wait_result(const struct tracee *t, bool expired)
{
	int64_t rax = (int64_t)t->injected.rax;
	bool entered = t->injected.rip != PT_INJECT_CALL;

	/* -ERESTARTSYS, -ERESTARTNOINTR, -ERESTARTNOHAND, -ERESTART_RESTARTBLOCK; EINTR after a
	 * stop and continue. */
	if (entered && !(rax <= -512 && rax >= -516) && rax != -EINTR)
		return rax;
	return expired ? -ETIMEDOUT : -ERESTARTSYS;
}

static int64_t futex_wait(
	struct tracee *t, const struct injected_call *call, const struct platform_futex *futex)
{
	struct futex_timeout timeout = {.tracee = t};
	int err;

	if (fiber_current() && fiber_interrupted(fiber_current()))
		return -ERESTARTSYS;
	timer_init(&timeout.timer, timeout_expired, &timeout);
	if (futex->has_timeout) {
		err = timer_arm(&timeout.timer, monotonic_deadline(futex));
		if (err < 0)
			return err;
	}
	t->interrupted = false;
	t->activity = TRACEE_IN_FUTEX;
	err = tracee_call_begin(t, PT_INJECT_CALL, call);
	if (err == 0 && !tracee_call_finish(t, true))
		err = -ESRCH;
	t->activity = TRACEE_IDLE;
	timer_cancel(&timeout.timer);
	return err < 0 ? err : wait_result(t, timeout.expired);
}

int64_t ptrace_futex(struct platform_thread *thread, const struct platform_futex *futex)
{
	struct tracee *t = tracee_of(thread);
	int command = futex->op & LX_FUTEX_CMD_MASK;
	struct injected_call call = {
		.nr = SYS_futex,
		/* Without a timeout in it the clock has no meaning, and the host refuses it for
		   some operations. */
		.args = {futex->uaddr.v, (uint64_t)(futex->op & ~LX_FUTEX_CLOCK_REALTIME),
			futex->val, 0, futex->uaddr2.v, futex->val3},
	};

	if (futex->waitv_count) {
		call = (struct injected_call){
			.nr = SYS_futex_waitv,
			.args = {futex->uaddr.v, futex->waitv_count},
		};
		return futex_wait(t, &call, futex);
	}
	if (!is_allowed(command))
		return -ENOSYS;
	if (is_wait(command))
		return futex_wait(t, &call, futex);
	call.args[3] = futex->val2;
	return tracee_call(t, &call);
}
