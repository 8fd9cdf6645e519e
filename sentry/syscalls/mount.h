/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SYSCALLS_MOUNT_H
#define SENTRY_SENTRY_SYSCALLS_MOUNT_H

#include "sentry/fs_type.h"
#include "sentry/nsproxy.h"

/* What mount(2) and the newer calls (mount_new_api.c) share. */

bool may_mount(const struct task *t); /* may_mount(): CAP_SYS_ADMIN over its mount namespace */
bool mount_too_revealing(
	const struct task *t, const struct super_block *sb, const struct mount_flags *flags);
/* A mount of what @make made, of no namespace: one reference. */
int mount_of_super(struct fs_make *make, const struct mount_flags *flags, struct mount **ret);
/* LX_MS_SHARED and relatives, one of them. -EINVAL */
int propagation_type(uint64_t flags, enum mount_propagation *ret);

#endif
