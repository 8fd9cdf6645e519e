/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_TTY_TTY_H
#define SENTRY_SENTRY_TTY_TTY_H

#include <stdint.h>

#include "sentry/task.h"
#include "vfs/vfs.h"

/*
 * Terminals: pseudo-terminal pairs (pty(7)), /dev/pts, /dev/tty, and the virtual terminal of
 * `sentry run -t`. There is no terminal of the host's anywhere.
 */

struct kernel_config;

/* The devices /dev/tty and /dev/ptmx. At start-up, once. -ENOSPC. */
int tty_init(void);

/* The file system for /dev/pts; there is one instance of it, whoever mounts it. -ENOMEM */
struct devpts_options {
	uint32_t mode, ptmx_mode;
	uint32_t uid, gid; /* of new terminals; else their maker's */
	bool uid_given, gid_given;
	int max;
};
#define DEVPTS_MAX 1024 /* terminals of an instance, and of the sandbox */
int devpts_new(const struct devpts_options *options, struct super_block **ret);
/* The sandbox's own, with one reference for the caller. */
int devpts_first(struct super_block **ret);
/* How many terminals there are, in all instances together. */
int devpts_count(void);
int devpts_count_max(void);
void devpts_reconfigure(struct super_block *sb, const struct devpts_options *options);

struct tty *tty_ref(struct tty *tty);
void tty_unref(struct tty *tty); /* NULL is fine */

/* st_rdev, as /proc/PID/stat shows it; 0 for NULL. */
uint64_t tty_number(const struct tty *tty);
/* The foreground process group's number; -1 when there is none or no terminal. */
int tty_foreground(const struct tty *tty);

/* ---- what the life of sessions means for terminals ---- */

/* A new process inherits its maker's terminal. */
void tty_inherit(struct thread_group *child, const struct thread_group *from);
/* setsid(2) and the end of a process: no terminal any more. */
void tty_forget(struct thread_group *group);
/* The last thread of @group leaves: a session leader gives its terminal up, and the foreground
 * group hears of it by SIGHUP (disassociate_ctty()). */
void tty_session_exit(struct thread_group *group);

/* vhangup(2): hangs the group's controlling terminal up, if it has one. */
void tty_vhangup(struct thread_group *group);

/* ---- the terminal of -t (console.c) ---- */

/*
 * Makes it from config->stdio[0], a socket whose other end the launcher holds; it is taken over on
 * success. Once. Its node in /dev/pts belongs to @owner. It begins with the size, the special
 * characters and the IUTF8 of the user's terminal, as ssh does it: what the user's erase key sends
 * must erase.
 * -ENOMEM, errors of the main loop.
 */
int console_init(const struct kernel_config *config, const struct cred *owner);
/* Opens it for reading and writing. @ctx: where /dev/pts is looked up. May sleep. */
int console_open(const struct vfs_ctx *ctx, struct file **ret);
/* Makes it the controlling terminal of @group, which leads its session. */
void console_attach(struct thread_group *group);
/* Its foreground process group, borrowed; NULL without one. */
struct pid *console_foreground(void);
/* At the end: gives the launcher what was written, waiting a moment for a slow one. */
void console_drain(void);

#endif
