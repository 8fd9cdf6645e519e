/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/loop.h"
#include "sentry/live.h"
#include "sentry/observe.h"
#include "sentry/refusals.h"
#include "sentry/seccomp.h"
#include "sentry/syscall_table.h"
#include "sentry/task_private.h"
#include "sentry/trace.h"

/*
 * From an event to a handler. The table and its typed thunks are generated from syscalls.def; a
 * number without a handler is answered as by a kernel that was built without it, and audited once.
 */

#define AUDITED_NUMBERS 1024

static int64_t unknown_syscall(uint64_t nr)
{
	static uint64_t audited[AUDITED_NUMBERS / 64];
	char number[24];

	if (nr < AUDITED_NUMBERS) {
		uint64_t bit = 1ull << nr % 64;

		if (audited[nr / 64] & bit)
			return -ENOSYS;
		audited[nr / 64] |= bit;
	} else {
		return -ENOSYS;
	}
	(void)snprintf(number, sizeof(number), "%lu", (unsigned long)nr);
	audit_event("unknown-syscall", "number", number, "name",
		nr < LX_NR_COUNT && syscall_table[nr].name ? syscall_table[nr].name : "?", NULL);
	return -ENOSYS;
}

static const struct syscall_entry *entry_of(uint64_t nr)
{
	return nr < LX_NR_COUNT ? &syscall_table[nr] : NULL;
}

static int64_t call(struct task *task, const struct syscall_entry *entry)
{
	int64_t result;

	if (task->seccomp_mode && !seccomp_permits(task, &result))
		return result;
	/* A tracer that was asked by a filter may have made it another call. */
	if (task->tracer)
		entry = entry_of(task->event.syscall.nr);
	if (entry && entry->call)
		return entry->call(task, task->event.syscall.args);
	return unknown_syscall(task->event.syscall.nr);
}

static void dispatch(struct task *task);

/* syscall_trace_enter(), syscall_exit_work() */
static void dispatch_traced(struct task *task)
{
	struct guest_regs *regs = platform_regs(task->thread);
	uint64_t nr = task->event.syscall.nr;

	regs->orig_rax = nr;
	regs->rax = (uint64_t)-ENOSYS;
	if (!trace_syscall_entry(task)) {
		trace_take_call(task);
	} else {
		trace_take_call(task);
		/* The tracer may have made it none. */
		if ((int32_t)task->event.syscall.nr != -1)
			dispatch(task);
	}
	if (task->tracer && task->thread && !task->killed)
		trace_syscall_exit(task);
}

void dispatch_syscall(struct task *task)
{
	if (task->tracer)
		dispatch_traced(task);
	else
		dispatch(task);
}

static void dispatch(struct task *task)
{
	uint64_t nr = task->event.syscall.nr;
	const struct syscall_entry *entry = entry_of(nr);
	const bool timed = live_count_call(nr);
	const uint64_t begin = __builtin_expect(timed, 0) ? loop_monotonic_now() : 0;
	int64_t result;

	task->thread->regs.orig_rax = nr;
	task->current_nr = nr;
	result = observe_on() ? observe_call(task, entry, call) : call(task, entry);
	task->current_nr = UINT64_MAX;
	if (__builtin_expect(timed, 0))
		live_count_time(loop_monotonic_now() - begin);
	if (__builtin_expect(result < 0 && !LIVE_BLIND, 0)) {
		live_count_error(nr, result);
		refusal_audit(nr, task->event.syscall.args, result);
	}
	/* execve has replaced the thread; a task that lost its own is leaving. */
	if (task->thread)
		task->thread->regs.rax = (uint64_t)result;
}
