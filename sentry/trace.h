/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_TRACE_H
#define SENTRY_SENTRY_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/ptrace.h"
#include "sentry/task.h"

/*
 * ptrace(2) between guests. A task's tracer is task->tracer; all else that the relation needs is
 * here, made when a task is traced for the first time. The theory is in sentry/trace.c.
 */
struct trace {
	bool seized;
	uint32_t options; /* LX_PTRACE_O_* */
	/* Until the next stop, as its tracer wants it. */
	enum { TRACE_CONT, TRACE_SYSCALL, TRACE_EMULATE } resume;
	bool step;
	bool trap_flag_ours; /* the trap flag in its registers is there for `step` */

	bool stopped;	/* in a stop: requests are legal, registers and memory stand still */
	bool listening; /* PTRACE_LISTEN: it is, but not for the tracer */
	bool exiting;	/* the stop is PTRACE_EVENT_EXIT's, which kills do not end... */
	bool kill_exit; /* ...unless they come when it is in there */
	/* What it has to stop for (kernel JOBCTL_TRAP_STOP, JOBCTL_TRAP_NOTIFY). */
	bool trap_stop, trap_notify;
	int code;	  /* of the stop, until it was waited for; then what is to be delivered */
	uint64_t message; /* PTRACE_GETEVENTMSG */
	struct lx_siginfo *info; /* while stopped: of the signal or the trap; NULL: a group stop */
	struct wait_queue queue; /* the tracee sleeps here */
	bool by_init;		 /* it asked pid 1 to trace it, which never looks */
	uint64_t debug_regs[LX_USER_DEBUGREG_COUNT];
};

/* PTRACE_MODE_*: which of the caller's ids count. */
enum trace_mode { TRACE_FSCREDS, TRACE_REALCREDS };
/* ptrace_may_access(): 0 or -EPERM. */
int trace_may_access(const struct task *caller, const struct task *target, enum trace_mode mode);

static inline bool trace_stopped(const struct task *task)
{
	return task->tracer && task->trace->stopped;
}

/* ---- the relation (sentry/trace.c) --------------------------------------------------------- */

int trace_me(struct task *task);
int trace_attach(struct task *tracer, struct task *task, bool seize, uint32_t options);
/* PTRACE_DETACH of a stopped @task, which goes on with signal @signo. */
void trace_detach(struct task *task, int signo);
/* @tracer, a thread, leaves: whom it traces goes on without it, or dies (PTRACE_O_EXITKILL). */
void trace_tracer_exits(struct task *tracer);
/* Ends the relation without a word to anybody. */
void trace_unlink(struct task *task);
/* For a child that is not yet running: room, before what can fail; then the relation, if @parent is
 * traced and its options or clone's flags want it. Returns the event to report, 0 none. -ENOMEM. */
int trace_prepare_child(const struct task *parent, struct task *child);
int trace_new_child(struct task *parent, struct task *child, uint64_t clone_flags, int exit_signal);
/* The tracer of @task has news: SIGCHLD unless it does not want any, and its waits wake. */
void trace_notify(struct task *task, int why);
/* A traced thread, not a leader, has ended: it stays as a zombie until the tracer has waited. */
void trace_notify_exit(struct task *task);
/* The tracer and the real parent are not the same process (kernel ptrace_reparented()). */
bool trace_reparented(const struct task *task);
void trace_free(struct task *task);

/* ---- stops (sentry/trace_stop.c), on the tracee's own fiber; may sleep --------------------------
 */

/* Whether signal_deliver() has to look at trace_jobs(). */
static inline bool trace_pending(const struct task *task)
{
	return task->tracer && (task->trace->trap_stop || task->trace->trap_notify);
}
/* Group stops and PTRACE_INTERRUPT of a traced task. True when it was stopped. */
bool trace_jobs(struct task *task);
/* Signal-delivery-stop: returns the signal to deliver, *info is what is to be told of it; 0: none.
 */
int trace_signal(struct task *task, int signo, struct lx_siginfo *info);
/* An event, if the tracer asked for it. */
void trace_event(struct task *task, int event, uint64_t message);
bool trace_wants(const struct task *task, int event);
/* After execve: the event, or the SIGTRAP of old. */
void trace_exec(struct task *task, int old_tid);
/* The last stop of a task that is about to leave. */
void trace_exit(struct task *task);
/* A handler was entered by a task that is single-stepped. */
void trace_handler_entered(struct task *task);
/* Around a call. False: it is not to be made. */
bool trace_syscall_entry(struct task *task);
/* The event becomes what the registers say. */
void trace_take_call(struct task *task);
void trace_syscall_exit(struct task *task);
/* PTRACE_CONT and its like. */
void trace_resume(struct task *task, int signo);
/* A step's trap flag, taken out of the registers. */
void trace_drop_trap_flag(struct task *task);
/* JOBCTL_TRAP_NOTIFY: a seized task hears of stops and continuations. */
void trace_notify_trap(struct task *task);
/* Wakes a stopped task that was killed. */
void trace_killed(struct task *task);

/* ---- registers (sentry/trace_regs.c) of a stopped task ------------------------------------------
 */

void trace_get_regs(struct task *task, struct lx_user_regs *ret);
int trace_set_regs(struct task *task, const struct lx_user_regs *regs);
/* The image as PTRACE_GETREGSET shows it, of PLATFORM_FPU_MAX bytes capacity. Its size or -errno.
 * May sleep. */
ssize_t trace_get_fpu(struct task *task, uint8_t *image);
/* @size: of what trace_get_fpu() returns, or 512. */
int trace_set_fpu(struct task *task, const uint8_t *image, size_t size);

/* ---- memory (sentry/remote.c) --------------------------------------------------------------- */

/*
 * Guest memory of another task's address space (or of the caller's), if that is still the one with
 * the id @mm, which the caller was allowed to reach: nothing is copied when it is not. With @force
 * pages that are not readable (private: writable) are reached too, as a debugger does. Returns the
 * bytes copied before the first inaccessible one, or -ESRCH. May sleep.
 */
ssize_t task_read_memory(
	struct task *task, uint64_t mm, void *dst, gaddr_t src, size_t size, bool force);
ssize_t task_write_memory(
	struct task *task, uint64_t mm, gaddr_t dst, const void *src, size_t size, bool force);
/* Calls @fn(@task, @data) on @task's fiber and waits for it: what it needs of the platform is that
 * fiber's alone. Its result, or -ESRCH. May sleep. */
ssize_t task_run_errand(
	struct task *task, ssize_t (*fn)(struct task *task, void *data), void *data);

#endif
