/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SYSCALLS_PATH_H
#define SENTRY_SENTRY_SYSCALLS_PATH_H

#include "abi/fcntl.h"
#include "sentry/task.h"

/* The (directory descriptor, name) pairs of the ...at(2) calls. */
struct at_name {
	char *name;	  /* owned */
	struct path base; /* owned; no dentry: the working directory, or @name is absolute */
};

/*
 * Reads the guest's name, then looks at @dirfd when the name needs it, as the kernel does.
 * -EFAULT, -ENAMETOOLONG, -ENOENT ("" without WALK_EMPTY), -EBADF, -ENOMEM.
 */
int at_name_read(struct task *t, int dirfd, gaddr_t name, unsigned walk_flags, struct at_name *ret);
void at_name_put(struct at_name *at);
#define _cleanup_at_ _cleanup_(at_name_put)

static inline const struct path *at_base(const struct at_name *at)
{
	return at->base.dentry ? &at->base : NULL;
}

/* Reads and walks. The path is owned. */
int at_walk(struct task *t, int dirfd, gaddr_t name, unsigned walk_flags, struct path *ret);

/* WALK_* for AT_SYMLINK_NOFOLLOW (follow unless given) and AT_EMPTY_PATH. */
static inline unsigned at_walk_flags(unsigned at_flags)
{
	return (at_flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
	       (at_flags & LX_AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

/* What stat(2) says of @path. sentry/syscalls/stat.c */
struct lx_stat;
int stat_of_path(const struct path *path, struct lx_stat *ret);

/* After a read of @fd at an offset: its attributes may be worth telling anew.
 * sentry/syscalls/open.c
 */
void opened_tell_again(struct task *t, int fd);

/* Sends SIGPIPE or SIGXFSZ as a failed write does; @result is the call's. */
void signal_failed_write(struct task *t, int64_t result, bool fsize_hit);

/* access_ok(): may [addr, addr + size) be user memory at all? */
bool guest_range_ok(gaddr_t addr, uint64_t size);

/*
 * Is [addr, addr + size) a small buffer in writable mappings? Then copying a result there cannot
 * fail (but for what kills the guest anyway), and may be left to the way back to the guest, which
 * saves an exchange with it. Anything else is copied at once, so that a call which meets an
 * inaccessible page ends as Linux's: short, and with the position where the data ended.
 */
bool guest_buffer_writable(const struct task *t, gaddr_t addr, uint64_t size);

#endif
