/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_TTY_TTY_PRIVATE_H
#define SENTRY_SENTRY_TTY_TTY_PRIVATE_H

#include "sentry/tty/ldisc.h"
#include "sentry/tty/tty.h"

/* Between the terminal code's files. */

#define TTY_COUNT_MAX	 1024  /* pseudo-terminals of a sandbox, the console included */
#define TTY_PENDING_SIZE 12288 /* typed bytes that the line discipline has no room for yet */
#define TTY_COPY_SIZE	 2048  /* bytes moved between guest and terminal at once */
#define TTY_MAJOR_PTS	 136   /* devices.txt: UNIX98_PTY_SLAVE_MAJOR */

struct tty;

/* Who sits at the keyboard and the screen: a pty's master, or the launcher. None may sleep. */
struct tty_host_ops {
	/* There is more output, or a packet status, than before. */
	void (*output)(struct tty *tty);
	/* Pending input was taken: there is room for more. */
	void (*input_room)(struct tty *tty);
	/* The first file was opened / the last one closed. */
	void (*opened)(struct tty *tty);
	void (*closed)(struct tty *tty);
	/* The last reference is gone. */
	void (*release)(struct tty *tty);
};

/* A terminal: what Linux calls the slave of a pair. */
struct tty {
	struct refcount refs;
	const struct tty_host_ops *host;
	void *host_data;
	int index;			 /* of /dev/pts/N */
	struct inode *node;		 /* owned: its name in devpts; NULL: none */
	struct lx_termios2 locked_modes; /* bits and characters that nobody changes */
	struct ldisc ldisc;
	struct lx_winsize winsize;
	struct pid *session, *pgrp; /* owned; NULL while it controls no session */
	struct list_head files;	    /* tty_file.link; hung up ones are not on it */
	unsigned open_count;
	struct wait_queue queue; /* readers, writers, pollers of the files */
	struct fiber_mutex read_mutex, write_mutex;
	bool exclusive;	  /* TIOCEXCL */
	bool locked;	  /* TIOCSPTLCK */
	bool host_gone;	  /* the master was closed: nothing will come any more */
	bool input_ended; /* the keyboard is gone, the screen is not: readers see the end */
	bool packet;	  /* TIOCPKT: the master reads statuses too */
	uint8_t packet_status;
	struct byte_queue pending;
	uint8_t pending_bytes[TTY_PENDING_SIZE];
};

/* One open file of a terminal. */
struct tty_file {
	struct list_head link;
	struct tty *tty; /* owned */
	bool hung_up;
};

/* ---- tty.c ---- */

int tty_new(const struct tty_host_ops *host, void *host_data, int index, struct tty **ret);
/* Makes @file an open file of @tty. -EIO, -EBUSY, -ENOMEM. Becomes the controlling terminal where
 * open(2) says so. */
int tty_open(struct tty *tty, struct file *file, const struct vfs_ctx *ctx);
/* From the host side: how many of the bytes were taken. */
size_t tty_input(struct tty *tty, const uint8_t *bytes, size_t size);
/* Nothing will come any more. */
void tty_input_end(struct tty *tty);
bool tty_input_full(const struct tty *tty);
/* All that is typed goes on to the line discipline as far as there is room. */
void tty_push_input(struct tty *tty);
/* The host side takes output; writers go on. */
size_t tty_take_output(struct tty *tty, uint8_t *buffer, size_t size);
/* Every open file is dead from now on; the session loses its terminal and hears of it. */
void tty_hangup(struct tty *tty);
/* The state has changed in some way: everybody looks again. */
void tty_wake(struct tty *tty, uint32_t events);
void tty_packet_event(struct tty *tty, uint8_t clear, uint8_t set);

/* ---- jobs.c ---- */

/* May the calling process use its terminal now (POSIX.1 7.1.1.4)? Sends @signo to its group if
 * not: 0, -ERESTARTSYS, -EIO. @task NULL: 0. */
int tty_check_job(struct tty *tty, struct task *task, int signo);
void tty_signal_foreground(struct tty *tty, int signo);
/* open(2) of a terminal by a session leader that has none. */
void tty_acquire_by_open(struct tty *tty, const struct file *file, struct task *task);
void tty_set_controlling(struct tty *tty, struct thread_group *leader);
void tty_hangup_session(struct tty *tty);
/* TIOCSCTTY, TIOCNOTTY, TIOCGPGRP, TIOCSPGRP, TIOCGSID; -ENOIOCTLCMD for others. @master: asked
 * through the pty's other end. */
int64_t tty_job_ioctl(struct tty *tty, bool master, struct file *file, unsigned request,
	gaddr_t arg, struct task *task);

/* ---- termios.c ---- */

/* What both ends answer alike: modes, window size, flow, queues. -ENOIOCTLCMD for others. */
int64_t tty_mode_ioctl(
	struct tty *tty, bool master, unsigned request, gaddr_t arg, struct task *task);
void tty_set_winsize(struct tty *tty, const struct lx_winsize *size);

/* ---- ioctl.c ---- */
int64_t tty_ioctl(struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx);
/* What both ends have in common; -ENOTTY for others. */
int64_t tty_common_ioctl(struct tty *tty, bool master, struct file *file, unsigned request,
	gaddr_t arg, struct task *task);

/* ---- pty.c ---- */

int ptmx_open(struct inode *inode, struct file *file, const struct vfs_ctx *ctx);

/* ---- devpts.c ---- */

/* Gives @tty a number and a name, owned by @cred, in the instance that the opened @ptmx leads to,
 * or in the sandbox's own. -ENOSPC, -ENOMEM, -ENODEV, -ENOENT. The name goes with devpts_remove().
 * May sleep. */
int devpts_add(struct tty *tty, const struct path *ptmx, const struct cred *cred,
	const struct vfs_ctx *ctx);
int devpts_add_first(struct tty *tty, const struct cred *cred);
void devpts_remove(struct tty *tty);
/* Opens /dev/pts/N of @tty. May sleep. */
int devpts_open(struct tty *tty, int flags, const struct vfs_ctx *ctx, struct file **ret);
/* The same where @ptmx leads to, whatever its name is. */
int devpts_open_peer(struct tty *tty, const struct path *ptmx, int flags, const struct vfs_ctx *ctx,
	struct file **ret);

#endif
