/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_PID_NS_H
#define SENTRY_SENTRY_PID_NS_H

#include "sentry/task.h"

/*
 * PID namespaces (pid_namespaces(7); kernel kernel/pid.c, pid_namespace.c). A process has a number
 * in its own namespace and in each above; pid->nr is the one in the first namespace, by which the
 * kernel's own walks go.
 */
struct pid_ns {
	struct ns ns;
	struct pid_ns *parent; /* owned; NULL: the first */
	unsigned level;
	struct thread_group *reaper; /* its init, borrowed; NULL: not yet, or gone */
	struct pid **table;	     /* by number, borrowed */
	int capacity;		     /* of the table, up to LX_PID_MAX_DEFAULT */
	int end;		     /* no number from here on was ever in use: walks end here */
	int last_nr;
	unsigned count;		   /* numbers in use */
	bool dead;		   /* init was there and ended: no more processes */
	struct wait_queue emptied; /* its init waits here for the others' end */
};
#define PID_NS_LEVEL_MAX 32

extern struct pid_ns pid_ns_first;

static inline struct pid_ns *pid_ns_of(struct ns *ns)
{
	return container_of(ns, struct pid_ns, ns);
}

int pid_ns_new(struct pid_ns *parent, struct user_ns *user_ns, struct ns **ret);
bool pid_ns_is_below(const struct pid_ns *ns, const struct pid_ns *ancestor); /* or equal */
/* The namespace that @task's number is of: "pid" in its /proc/PID/ns. Borrowed. */
struct pid_ns *task_pid_ns(const struct task *task);
/* The present task's; the first one for the kernel itself. */
struct pid_ns *pid_ns_here(void);

#endif
