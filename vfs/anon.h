/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_ANON_H
#define SENTRY_VFS_ANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/inotify.h"
#include "abi/poll.h"
#include "abi/time.h"
#include "vfs/vfs.h"

/*
 * Files without a file system: pipes, eventfd, epoll, timerfd, inotify, memfd, and waiting for many
 * files at once. Each *_new() hands out a file with one reference; flags are LX_O_NONBLOCK and what
 * is named; -ENOMEM everywhere.
 */

/* Registers FIFOs and the inotify hook with the core. Once, before the first file is opened. */
void anon_init(void);

/* ---- pipe.c: pipe(7), fifo(7) -----------------------------------------------------------------
 */

/* @flags: LX_O_NONBLOCK, LX_O_DIRECT (packet mode, of the write end). */
int pipe_new(int flags, struct cred *cred, struct file **ret_read, struct file **ret_write);
bool file_is_pipe(const struct file *file);
/* F_GETPIPE_SZ in bytes; -EBADF: no pipe. */
int64_t pipe_get_size(struct file *file);
/*
 * F_SETPIPE_SZ: returns the size that was set. -EBADF; -EINVAL; -EPERM beyond fs.pipe-max-size or
 * the sandbox's budget; -EBUSY when what is in the pipe does not fit.
 */
int64_t pipe_set_size(struct file *file, uint64_t size);
/*
 * What a write that moved some bytes before the last reader went does for SIGPIPE: @fn gets
 * vfs_ctx.task. A write that moved none answers -EPIPE, and sending the signal is the caller's
 * business.
 */
void pipe_register_sigpipe(void (*fn)(void *task));

/*
 * splice(2): at least one side is a pipe. Positions as in file_pread() where not NULL. Returns
 * bytes, 0 at the end, -EAGAIN with @nonblock, -EINVAL for unfit files, -ERESTARTSYS. May sleep.
 */
ssize_t file_splice(struct file *in, int64_t *in_pos, struct file *out, int64_t *out_pos,
	size_t size, bool nonblock, const struct vfs_ctx *ctx);
/*
 * vmsplice(2) into a pipe (-EBADF: it is none): waits for a free slot, unless @uio says not to, and
 * fills those that are free, one for each page of the caller's that the data touches. The file's
 * O_NONBLOCK does not count. -EPIPE: the signal is the caller's business. May sleep.
 */
ssize_t file_vmsplice(struct file *file, struct uio *uio);
/* tee(2): both are pipes; nothing is consumed. */
ssize_t file_tee(struct file *in, struct file *out, size_t size, bool nonblock);

/* ---- eventfd.c: eventfd(2) ---------------------------------------------------------------------
 */

int eventfd_new(unsigned initial, bool semaphore, int flags, struct file **ret);

/* ---- timerfd.c: timerfd_create(2)
 * ---------------------------------------------------------------- */

int timerfd_new(int clock, int flags, struct file **ret); /* -EINVAL: not one of its clocks */
/* All -EINVAL: @file is no timerfd. Values are in @file's clock; *ret_old and *ret may be NULL. */
int timerfd_set(struct file *file, int flags, const struct lx_itimerspec *value,
	struct lx_itimerspec *ret_old);
/* The part of it that needs no timer: flags and times, -EINVAL. */
int timerfd_check(int flags, const struct lx_itimerspec *value);
int timerfd_get(struct file *file, struct lx_itimerspec *ret);

/* ---- poll.c: poll(2), select(2)
 * ------------------------------------------------------------------ */

struct poll_target {
	struct file *file; /* owned by the caller; NULL: never ready */
	uint32_t events;  /* LX_POLL*; poll(2) always asks for POLLERR and POLLHUP, select(2) not */
	uint32_t revents; /* out */
};
/*
 * Sleeps until a target is ready. Returns how many are, 0 when @deadline (CLOCK_MONOTONIC ns; 0: do
 * not wait) passed, -ERESTARTNOHAND when interrupted, -ENOMEM. May sleep.
 */
int64_t poll_files(struct poll_target *targets, size_t count, uint64_t deadline);

/* ---- epoll.c: epoll(7)
 * --------------------------------------------------------------------------- */

int epoll_new(struct file **ret);
bool file_is_epoll(const struct file *file);
/*
 * epoll_ctl(2); @fd is the number under which @target was added. -EEXIST, -ENOENT, -EPERM (cannot
 * be polled), -EINVAL, -ELOOP, -ENOSPC, -ENOMEM. Does not sleep.
 */
/* What @epoll watches under the number @fd, the @nth of those; borrowed, NULL when there is none.
 */
const struct file *epoll_nth_target(const struct file *epoll, int fd, unsigned nth);
int epoll_control(struct file *epoll, int operation, struct file *target, int fd,
	const struct lx_epoll_event *event);
/*
 * Sleeps until an event can be reported. Returns how many are in @events (at most @count), 0 at the
 * deadline (as poll_files()), -EINTR when interrupted. What it returns counts as delivered.
 */
int64_t epoll_wait_events(
	struct file *epoll, struct lx_epoll_event *events, size_t count, uint64_t deadline);
/*
 * For whoever answers epoll_ctl(2) before it is done (sentry/held.c). epoll_lend(): whether that
 * may be, of @target with what was registered last: nobody waits for @epoll, so that a change is
 * noticed by who asks it. From then on the registered function is called before anybody looks at
 * it, with
 * @from_caller when the present caller's own changes are to end, too: it makes the changes that
 * were answered, by epoll_settle(), and says epoll_returned() when there will be no more.
 */
bool epoll_lend(struct file *epoll, const struct file *target, const struct lx_epoll_event *event);
void epoll_returned(struct file *epoll);
void epoll_register_lent(void (*on_use)(struct file *epoll, bool from_caller));
/* @target, under the number @fd, is registered with @event, or not at all, whatever it was. */
int epoll_settle(struct file *epoll, struct file *target, int fd, bool registered,
	const struct lx_epoll_event *event);
/* The core calls it when the last reference of a file with epoll_entries goes, before release(). */
void epoll_forget_file(struct file *file);

/* ---- inotify.c: inotify(7)
 * ------------------------------------------------------------------------ */

bool file_is_inotify(const struct file *file);
int inotify_new(int flags, struct file **ret); /* -EMFILE: too many instances */
/* Returns the watch descriptor. -EINVAL: no inotify file, or no event in @mask; -EEXIST, -ENOSPC.
 */
int inotify_add(struct file *file, struct inode *inode, uint32_t mask);
int inotify_remove(struct file *file, int wd);

/* ---- dnotify.c: fcntl(2), F_NOTIFY
 * ---------------------------------------------------------------- */

/*
 * @flags are LX_DN_*, none: no more. The owner of @file gets a signal that names @fd; @owner is the
 * descriptor table, which ends it with its next close of @file. -ENOTDIR, -ENOMEM.
 */
int dnotify_set(struct file *file, int fd, unsigned flags, const void *owner);
void dnotify_end(struct file *file);
void dnotify_end_of(struct file *file, const void *owner);
/* How the signal is sent. */
typedef void dnotify_send_fn(const struct file *file, int fd);
void dnotify_register(dnotify_send_fn *send);

/* ---- memfd.c: memfd_create(2)
 * ---------------------------------------------------------------------- */

/* @name without its prefix, at most 249 bytes; flags are checked by the caller. */
int memfd_new(const char *name, unsigned flags, struct cred *cred, struct file **ret);

#endif
