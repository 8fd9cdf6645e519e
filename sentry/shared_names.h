/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SHARED_NAMES_H
#define SENTRY_SENTRY_SHARED_NAMES_H

#include <stdbool.h>

#include "sentry/syscalls/path.h"

/* All that was told is void: for vfs_lasting_register(). */
void shared_names_changed(void);
/* The root whose users are told. It stays there until it is replaced; NULL: nobody is told any
 * more. */
void shared_names_root(const struct path *path);
/* From now on somebody may want to hear of each file that is opened. */
void shared_files_watched(void);
/*
 * @task has opened @file by @at, a walk with @lasting. When it is one that everybody opens, all are
 * told. May sleep.
 */
void shared_file_opened(struct task *task, const struct at_name *at, struct file *file,
	const struct vfs_lasting *lasting);
/* Something was mapped of what has this platform_content.id. */
void shared_file_mapped(uint64_t content);
/* The name of files_known[index], or NULL. Borrowed; it stays. */
const char *shared_file_name(uint64_t index);
/* A table of descriptors may be full: for fd_table_register_full(). */
void shared_names_full(void);
/* Whether what is told to all holds for @task: for inguest->names_shared. */
bool shared_names_are_for(const struct task *task);

/*
 * At the end of a call of @task about @at, without sleeping in between: the walk with @lasting said
 * -ENOENT; or it found something that is no link, without following one.
 */
void shared_name_missing(const struct task *task, const struct at_name *at, bool follows,
	const struct vfs_lasting *lasting);
void shared_name_no_link(
	const struct task *task, const struct at_name *at, const struct vfs_lasting *lasting);

#endif
