/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SECCOMP_NOTIFY_H
#define SENTRY_SENTRY_SECCOMP_NOTIFY_H

#include "abi/seccomp.h"
#include "sentry/task.h"

/* Listeners of filters: seccomp_unotify(2). */
struct seccomp_listener;

/* A listener, owned, and its descriptor for the caller, or a negative errno. */
int64_t listener_new(struct task *t, bool wait_killable, struct seccomp_listener **ret);
/* The filter is gone, and nobody will ask any more. NULL: nothing. */
void listener_orphan(struct seccomp_listener *listener);
/*
 * Asks the listener about the task's call. True: it may be made; false: *ret_result is its answer.
 * May sleep.
 */
bool listener_ask(struct seccomp_listener *listener, struct task *task,
	const struct lx_seccomp_data *data, int64_t *ret_result);

#endif
