/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_MM_ADVISE_H
#define SENTRY_SENTRY_MM_ADVISE_H

#include <stdbool.h>
#include <stdint.h>

/* Workers of msync(2) and the mlock(2) family on the calling task's address space. May sleep.
 * Linux's errno. */
struct task;

int do_msync(struct task *task, uint64_t addr, uint64_t size, int flags);
/* @populate: fault the pages in now (not MLOCK_ONFAULT). */
int do_mlock(struct task *task, uint64_t addr, uint64_t size, bool lock, bool populate);
int do_mlockall(struct task *task, int flags);
int do_munlockall(struct task *task);

#endif
