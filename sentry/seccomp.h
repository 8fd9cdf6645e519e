/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SECCOMP_H
#define SENTRY_SENTRY_SECCOMP_H

#include <stdbool.h>
#include <stdint.h>

#include "sentry/task.h"

/* seccomp(2) between guests. */

/* For a task with a mode: may it make the call in task->event? False: *ret_result is its answer, or
 * the task is leaving. */
bool seccomp_permits(struct task *task, int64_t *ret_result);
/* clone(2): the child has the parent's mode and filters. */
void seccomp_inherit(struct task *child, const struct task *parent);
void seccomp_forget(struct task *task);
unsigned seccomp_filter_count(const struct task *task); /* as in /proc/PID/status */
/* prctl(PR_SET_SECCOMP) */
int64_t seccomp_prctl(struct task *task, uint64_t mode, gaddr_t filter);

#endif
