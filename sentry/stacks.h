/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_STACKS_H
#define SENTRY_SENTRY_STACKS_H

#include <stdbool.h>
#include <stddef.h>

#include "sentry/record.h"

struct task;

/* Before the first guest: @fd is a packet socket to the unwinder (stack_wire.h), taken over. */
void stacks_start(int fd);
bool stacks_on(void);

/*
 * Makes @record, whose head's task and time are set and which has room for RECORD_STACK_MAX bytes,
 * the stack of the call that @task, the current one, is in. May sleep, as long as the unwinder
 * takes. Returns the record's size; 0: nothing is known.
 */
size_t stacks_collect(struct task *task, union record *record);

#endif
