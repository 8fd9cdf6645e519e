/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_NAMESPACES_H
#define SENTRY_SENTRY_NAMESPACES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sentry/view.h"

/* What the kernel process has of its own; all of it false and -1: the host's, shared. */
struct namespaces {
	int flags;	  /* CLONE_NEW...: those that it has, or may make (NEWNET); 0 none */
	int root_fd;	  /* an empty file system that becomes its root; owned */
	int proc_fd;	  /* /proc of its own processes; owned */
	bool partial_ids; /* only its own user and group have names in it */
	uint64_t made_ns; /* what making them took, and the child with them */
};

/*
 * fork(2) into as many namespaces of its own as the host grants: *ret_pid is the child's id in the
 * parent and 0 in the child, where *ret says what it got. The child dies with its parent. Never
 * fails for want of namespaces. The caller has one thread. @cgroup_fd: a control group (version 2)
 * that the child is born into, or -1.
 */
int namespaces_fork(struct namespaces *ret, int cgroup_fd, pid_t *ret_pid);
/*
 * In the child, with its privileges: the calling thread, alone, gets a network namespace. Returns a
 * descriptor of it, owned, with which others can enter it; or -errno, as on a host that grants
 * none.
 */
int namespaces_new_network(const struct namespaces *own);
/*
 * In the child, once all of the host that the view needs is open: each tree becomes a mount of its
 * own that nothing leads out of, and the root an empty one. Before Landlock, which forbids it.
 * Without namespaces it does nothing. 0 or -errno with *ret_why.
 */
int namespaces_leave_host(struct namespaces *own, struct view *view, const char **ret_why);

/* For `sentry doctor`: what namespaces_fork() would get, and why not all of it. @ret_why: "" when
 * nothing lacks. */
struct namespaces namespaces_probe(const char **ret_why, int *ret_error);

#endif
