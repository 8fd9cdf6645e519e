/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SYSCALLS_TASK_SET_H
#define SENTRY_SENTRY_SYSCALLS_TASK_SET_H

#include "sentry/task.h"

/* Which tasks a priority call means, in the order of PRIO_PROCESS, PRIO_PGRP, PRIO_USER. */
enum task_set { TASK_SET_THREAD, TASK_SET_PGRP, TASK_SET_USER };

/*
 * Calls @fn for each live task of the set until it returns false; @who 0 is the caller's own. @fn
 * must not sleep and must not end tasks.
 */
void task_set_walk(struct task *t, enum task_set set, int who,
	bool (*fn)(struct task *task, void *data), void *data);

#endif
