/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_MM_PATCH_H
#define SENTRY_SENTRY_MM_PATCH_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct mm_work;
struct task;

/*
 * The call that @task just made came from a site that is worth a patch: tries to. May sleep; the
 * call itself is still to be answered.
 */
void mm_patch_site(struct task *task);
/* Before a tracer looks at @task, which is stopped: all sites of its address space have their own
 * bytes. May sleep. */
void mm_unpatch(struct task *task);

/*
 * The mapping at @start was just made by execve, within a batch: its code may be replaced by code
 * that does the same (platform_ops.prepare_text). 0 or -ENOMEM.
 */
int mm_prepare_text(const struct mm_work *work, uint64_t start);

/* The same for a mapping at @start that mmap(2) just made, with the lock on the mappings held. */
void mm_prepare_library(const struct mm_work *work, uint64_t start);

#endif
