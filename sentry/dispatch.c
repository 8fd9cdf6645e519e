/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "sentry/refusals.h"
#include "sentry/seccomp.h"
#include "sentry/strace.h"
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

/* ---- --strace ------------------------------------------------------------------------------- */

static struct strace_sink *strace_sink;

void task_strace_enable(struct strace_sink *sink)
{
	strace_sink = sink;
}

bool task_strace_enabled(void)
{
	return strace_sink;
}

static ssize_t strace_read(void *context, void *dst, gaddr_t src, size_t size)
{
	struct task *task = context;

	if (!task->thread || src.v >= platform->guest_end().v)
		return -EFAULT;
	return platform->copy_in(task->thread, dst, src, size);
}

static int64_t traced_call(struct task *task, const struct syscall_entry *entry)
{
	const struct strace_memory memory = {.read = strace_read, .context = task};
	uint64_t nr = task->event.syscall.nr;
	int64_t result;

	if (!task->strace)
		task->strace = calloc(1, sizeof(*task->strace));
	if (!task->strace)
		return call(task, entry);
	strace_enter(task->strace, task->pid->nr, nr, task->event.syscall.args, &memory);
	result = call(task, entry);
	if (task->killed)
		strace_no_return(task->strace, strace_sink);
	else
		strace_exit(task->strace, result, &memory, strace_sink);
	return result;
}

void strace_delivery(struct task *task, int signo)
{
	if (strace_sink)
		strace_signal(task->pid->nr, signo, strace_sink);
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
	int64_t result;

	task->thread->regs.orig_rax = nr;
	task->current_nr = nr;
	result = strace_sink ? traced_call(task, entry) : call(task, entry);
	task->current_nr = UINT64_MAX;
	if (__builtin_expect(result < 0, 0))
		refusal_audit(nr, task->event.syscall.args, result);
	/* execve has replaced the thread; a task that lost its own is leaving. */
	if (task->thread)
		task->thread->regs.rax = (uint64_t)result;
}
