/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_LOOP_H
#define SENTRY_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/*
 * The main loop of the Sentry's kernel thread: run fibers, poll the platform, expire timers, then
 * spin a while or sleep in epoll. All callbacks run on the kernel thread outside fibers and must
 * not sleep.
 */

/* A host descriptor the loop watches. The caller owns @fd and the struct; both outlive the
 * registration. */
struct loop_fd {
	int fd;
	uint32_t events; /* host EPOLL* bits; level-triggered unless EPOLLET */
	void (*ready)(struct loop_fd *self, uint32_t events);
	void *data;
};
int loop_fd_add(
	struct loop_fd *fd); /* -EPERM for a regular file (always ready), -ENOMEM, -ENOSPC */
int loop_fd_modify(struct loop_fd *fd, uint32_t events);
void loop_fd_remove(struct loop_fd *fd);

/*
 * The one descriptor on whose wake-ups everything waits (the doorbells of stubs). It is asked with
 * ppoll(2), beside all others together, because epoll wakes its sleeper where the host's scheduler
 * likes best, and ppoll where the one who rang wants it: on his own CPU. @fd->events are POLL*
 * bits. NULL = none.
 */
void loop_set_bell(struct loop_fd *fd);

/*
 * A source of work in shared memory, asked on every turn (the systrap channels). A source that a
 * sleeping loop would miss implements the two sleep hooks: prepare publishes "the kernel sleeps"
 * with a full fence and then returns false when work is already there (the loop does not sleep);
 * finish withdraws it.
 */
struct loop_source {
	struct list_head link;
	unsigned (*poll)(struct loop_source *self); /* returns how much it found */
	bool (*prepare_sleep)(struct loop_source *self);
	void (*finish_sleep)(struct loop_source *self);
	/* How long spinning pays from now on, in ns; 0 = do not spin for this source. NULL = never
	 * spin. */
	uint64_t (*spin_budget)(struct loop_source *self);
	/* Looks closely for new work, for about a microsecond, and returns at once when there
	 * is some: the loop does this between two turns while it spins. NULL = the turns do. */
	void (*spin)(struct loop_source *self);
};
void loop_source_add(struct loop_source *source);
void loop_source_remove(struct loop_source *source);

int loop_init(void);
/* Which call the loop waits with, from loop_init() on: epoll_pwait2, or epoll_pwait where the host
 * is older than 5.11 or a filter around us refuses the newer one. */
bool loop_has_pwait2(void);
/* Runs until loop_stop(). Returns the value given to loop_stop(). */
int loop_run(void);
void loop_stop(int value);
void loop_fini(void);

/*
 * CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds. loop_monotonic() is that of
 * the loop's present turn or of the one before; the _now forms ask the host.
 */
uint64_t loop_monotonic(void);
uint64_t loop_monotonic_now(void);
uint64_t loop_realtime_now(void);

/* Timers: one shot at an absolute CLOCK_MONOTONIC time; re-arm from the callback for a period. */
struct timer {
	uint64_t deadline;		      /* ns; valid while armed */
	size_t heap_index;		      /* private; SIZE_MAX while not armed */
	void (*expired)(struct timer *timer); /* on the kernel thread, must not sleep */
	void *data;
};
void timer_init(struct timer *timer, void (*expired)(struct timer *timer), void *data);
int timer_arm(struct timer *timer, uint64_t deadline); /* moves it when armed already; -ENOMEM */
bool timer_cancel(struct timer *timer);		       /* true when it was armed */
static inline bool timer_armed(const struct timer *timer)
{
	return timer->heap_index != SIZE_MAX;
}

/*
 * Helper threads for host calls that may block long. The fiber sleeps (uninterruptibly: the call
 * owns caller memory) while
 * @fn(@arg) runs on a helper; returns @fn's value, or -ENOMEM. Everything @fn touches is the
 * caller's until it returns; it must not touch kernel objects.
 */
typedef int64_t worker_fn(void *arg);
int64_t worker_call(worker_fn *fn, void *arg);
int workers_init(unsigned max_threads); /* threads start on demand */
/* Starts @count of them now, before a seccomp filter forbids it. -EAGAIN, -ENOMEM. */
int workers_start(unsigned count);
/* Waits until what libc does at the beginning of a thread is behind those that were started. */
void workers_wait_begun(void);
void workers_fini(void);

#endif
