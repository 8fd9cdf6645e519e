/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_TASK_PRIVATE_H
#define SENTRY_SENTRY_TASK_PRIVATE_H

#include "sentry/task.h"

/* What the files of the task core share: task.c clone.c exit.c wait.c session.c signal*.c and the
 * timers. */

/* ---- pid.c ---------------------------------------------------------------------------------- */

/* After a user of the number went: frees the number when it was the last; pidfds keep the object.
 */
void pid_release_number(struct pid *pid);

/* ---- task.c --------------------------------------------------------------------------------- */

/* A task with one reference and nothing in it but defaults. -ENOMEM. */
int task_alloc(struct task **ret);
/* A group with one reference (its place in the process tree, dropped by group_reap()), no tasks. */
int group_alloc(struct thread_group **ret);
struct thread_group *group_ref(struct thread_group *group);
void group_unref(struct thread_group *group);
/* Makes @task a live thread of @group under @pid; takes over the pid reference. */
void group_add_task(struct thread_group *group, struct task *task, struct pid *pid);
/* Hangs a process into the tree and its parent's process group and session. */
void group_link(struct thread_group *group, struct thread_group *parent, struct task *parent_task);
/* Creates the fiber, which waits for one of the two below. -ENOMEM, -EAGAIN */
int task_start(struct task *task);
void task_let_run(struct task *task);
void task_abandon(struct task *task); /* the fiber drops the reference and ends */
void task_main(void *arg);

/* dispatch.c: answers task->event, a PLATFORM_SYSCALL. May sleep. */
void dispatch_syscall(struct task *task);

/* sched.c: how many processors the guest sees. Before confinement, and before the Sentry moves to a
 * core of its own. */
void sched_init(unsigned cpu_count);
/* Likewise; before the kernel process is confined. */
void rseq_init(unsigned cpu_count);
/* Whether guests have rseq(2). */
bool rseq_offered(void);
/* Before others may unmap the area of a task that goes on without it: its memory's other users. */
void task_end_rseq(struct task *task);
/* sched.c: no CPU is left out of its affinity. */
bool task_runs_anywhere(const struct task *task);

/* inguest.c: task_publish() for all threads of a process. */
void group_publish(struct thread_group *group);
/* The action of @signo is no longer the one that a program starts with. */
void group_publish_action(struct thread_group *group, int signo);
/* Around platform->run(): the thread may change its mask, robust list and clear_child_tid by itself
 * meanwhile. */
void task_lend(struct task *task);
void task_take(struct task *task);
/* A signal was put on the pending set of @task (of its process): threads in guest that unblock it
 * come to us, those whose mask is read from now on have not missed it. */
void task_hint_pending(struct task *task, bool to_group);

extern struct task_init task_init; /* as given to task_create_init() */
extern struct thread_group *reaper_group, *program_group;

/* ---- exit.c, wait.c ------------------------------------------------------------------------- */

/* Frees a zombie's place in the tree and its numbers. */
void group_reap(struct thread_group *group);
/* A traced thread that ended was waited for, or its tracer is gone: it may be the process's end. */
void thread_reap(struct task *task);
/* do_notify_parent() of a zombie, which may be reaped by it: @group may be gone after. */
void group_notify_parent(struct thread_group *group);
/* SIGCHLD & co. with the usage and status of @group. @code: LX_CLD_* */
void group_child_info(struct thread_group *group, int code, int status, struct lx_siginfo *ret);
/* A stop or continuation is news for the parent: SIGCHLD unless SA_NOCLDSTOP, and its wait4 wakes.
 */
void group_notify_stop(struct thread_group *group, int code, int status);
/* Robust list, clear-child-tid. May sleep. */
void task_release_futexes(struct task *task);

/* ---- session.c ------------------------------------------------------------------------------ */

void group_set_pgrp(struct thread_group *group, struct pid *pgrp); /* NULL: leave */
void group_set_session(struct thread_group *group, struct pid *session);
/* @group stops being what ties its process group (and those of its children) to the session:
 * SIGHUP, SIGCONT to newly orphaned groups with stopped members (POSIX; kernel/exit.c
 * kill_orphaned_pgrp). */
void session_check_orphans(struct thread_group *group, struct thread_group *parent);

/* ---- signal.c ------------------------------------------------------------------------------- */

#define SIGNALS_STOP                                                                               \
	(LX_SIGMASK(LX_SIGSTOP) | LX_SIGMASK(LX_SIGTSTP) | LX_SIGMASK(LX_SIGTTIN) |                \
		LX_SIGMASK(LX_SIGTTOU))
#define SIGNALS_IGNORED                                                                            \
	(LX_SIGMASK(LX_SIGCONT) | LX_SIGMASK(LX_SIGCHLD) | LX_SIGMASK(LX_SIGWINCH) |               \
		LX_SIGMASK(LX_SIGURG))
#define SIGNALS_UNBLOCKABLE (LX_SIGMASK(LX_SIGKILL) | LX_SIGMASK(LX_SIGSTOP))

int sighand_new(struct sigaction_table **ret);
struct sigaction_table *sighand_ref(struct sigaction_table *sighand);
void sighand_unref(struct sigaction_table *sighand);
void sigpending_init(struct sigpending *pending);
/* Drops the queued signals of @mask. */
void sigpending_discard(struct sigpending *pending, uint64_t mask);
/* Takes the next pending signal outside @blocked for @task; 0 when there is none. Recalculates
 * nothing. */
int signal_dequeue(struct task *task, uint64_t blocked, struct lx_siginfo *ret);
/* Whether @signo would be dropped now: its action is to ignore it. */
bool signal_action_ignores(struct thread_group *group, int signo);
/* rt_sigaction(2) with a valid @signo that can be caught; -EINVAL: it cannot be changed any more.
 */
int signal_set_action(struct task *task, int signo, const struct lx_sigaction *action);
/* Makes @task look at its signals soon. */
void signal_wake(struct task *task);
void signal_kill_task(struct task *task); /* this thread leaves, whatever it does */
/* @task leaves or blocks @set: another thread of the group has to take those signals. */
void signal_retarget(struct task *task, uint64_t set);
/* For a sender: SI_USER and friends. */
void signal_info_user(struct lx_siginfo *info, int signo, int code, const struct task *from);
/* A timer's own queue entry: queued unless it still is. True when it was queued now. */
bool signal_send_timer(struct task *task, bool to_group, struct sigqueue *entry);

/* signal_deliver.c */
/* This thread's part in a group stop is done. True: it was the last one, and the parent has not
 * been told. */
bool group_stop_participate(struct task *task);
void signal_stop_left(
	struct task *task); /* a thread with stop_pending leaves: the stop may be complete */

/* ---- sigframe.c ----------------------------------------------------------------------------- */

/* Builds the frame of a handler and enters it. 0, or -EFAULT when the stack cannot take it. May
 * sleep. */
int sigframe_setup(struct task *task, const struct lx_sigaction *action,
	const struct lx_siginfo *info, uint64_t saved_mask);
/* PLATFORM_FRAME_REFUSED: the handler is not entered after all. */
void signal_frame_refused(struct task *task);
bool sigaltstack_active(const struct task *task, uint64_t sp);

/* ---- timers --------------------------------------------------------------------------------- */

void itimers_init(struct thread_group *group);
void itimers_release(struct thread_group *group); /* the process ends: disarms all */
/* SIGALRM was taken: an interval timer is armed again. */
void itimer_real_rearm(struct thread_group *group);
void posix_timers_release(struct thread_group *group); /* exit and execve: deletes all */
/* SI_TIMER leaves the queue: fills in the overrun and re-arms. */
void posix_timer_dequeued(struct posix_timer *timer, struct lx_siginfo *info);

#endif
