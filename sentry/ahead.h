/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_AHEAD_H
#define SENTRY_SENTRY_AHEAD_H

#include "sentry/task.h"

struct at_name;

/*
 * @task has read @size bytes of struct lx_dirent64 records from the directory @dir; @first: from
 * its begin.
 */
void ahead_listed(
	struct task *task, const struct file *dir, const uint8_t *records, size_t size, bool first);

/*
 * @task asked for the attributes of @at (@dirfd as in its call), which is @path, and was told. When
 * it goes through a directory as it was listed, its thread is told of the next names, too. May
 * sleep.
 */
void ahead_asked(struct task *task, int dirfd, const struct at_name *at, const struct path *path);

#endif
