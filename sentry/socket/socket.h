/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_SOCKET_H
#define SENTRY_SENTRY_SOCKET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/socket.h"
#include "base/wait.h"
#include "sentry/task.h"
#include "vfs/vfs.h"

/*
 * Sockets: what all families share (socket(7)). A struct socket is the private part of an open
 * file; a family fills in struct socket_ops. Handlers in sentry/syscalls/socket.c decode guest
 * structs; families see only host types.
 */

struct socket_address {
	uint32_t size;				 /* 0: none */
	uint8_t bytes[LX_SOCKADDR_STORAGE_SIZE]; /* family in the first two, as in the guest */
};

#define SCM_CONTROL_MAX 16384 /* bytes of ancillary data in one call, either way */

/* Ancillary data of a family's own level, as the guest has it: ip(7), ipv6(7). */
struct scm_note {
	int level, type;
	uint32_t size;
	uint8_t bytes[64];
};
#define SCM_NOTES_MAX 16

/* Ancillary data on its way. Owns its files. */
struct scm {
	struct file **files;
	size_t file_count;
	bool has_cred;
	struct lx_ucred cred;
	struct pid *pid;	/* owned: whose cred it is, or NULL */
	struct scm_note *notes; /* owned */
	unsigned note_count;
};
void scm_fini(struct scm *scm);
/* Adds one for the receiver. More than SCM_NOTES_MAX, and those that there is no memory for, are
 * dropped: no socket has so many. */
void scm_note(struct scm *scm, int level, int type, const void *bytes, size_t size);

struct socket_message {
	struct uio *uio;
	struct socket_address
		*name; /* send: where to, NULL = the peer; receive: filled in when not NULL */
	struct scm *
		scm; /* send: taken over on success; receive: filled in, NULL = files are dropped */
	unsigned flags;	    /* LX_MSG_* of the call */
	unsigned out_flags; /* receive: for msg_flags */
	uint64_t deadline;  /* from SO_RCVTIMEO, SO_SNDTIMEO, recvmmsg; WAIT_FOREVER */
};

struct socket;

struct socket_ops {
	/* All required unless noted. May sleep but for poll and release. */
	int (*bind)(struct socket *socket, struct task *task, const struct socket_address *address);
	int (*connect)(struct socket *socket, struct task *task,
		const struct socket_address *address, bool nonblock);
	int (*listen)(struct socket *socket, struct task *task, int backlog);
	/* The next connection as a new socket with one owner. */
	int (*accept)(struct socket *socket, bool nonblock, struct socket **ret);
	int (*getname)(struct socket *socket, bool peer, struct socket_address *ret);
	/* -EPIPE without a signal: the caller raises SIGPIPE. */
	ssize_t (*send)(struct socket *socket, struct task *task, struct socket_message *message);
	ssize_t (*receive)(
		struct socket *socket, struct task *task, struct socket_message *message);
	int (*shutdown)(struct socket *socket, int how);
	/* Missing, or -ENOPROTOOPT: not a family's option. @size is what the guest has room for;
	 * returns the length. */
	int (*setsockopt)(struct socket *socket, struct task *task, int level, int option,
		const void *value, size_t size);
	int (*getsockopt)(struct socket *socket, struct task *task, int level, int option,
		void *value, size_t size);
	int64_t (*ioctl)(struct socket *socket, struct task *task, unsigned request, gaddr_t arg);
	uint32_t (*poll)(struct socket *socket);
	/* Missing: -ENODEV. May sleep. */
	int (*map)(struct socket *socket, struct file_map *map);
	/* The last descriptor is being closed: SO_LINGER's wait. Missing: there is none. */
	void (*linger)(struct socket *socket);
	/* The file is gone: closes and frees. */
	void (*release)(struct socket *socket);
};

struct socket_filter;

/* Flags that AF_UNIX keeps without a meaning. */
#define SOCKET_KEPT_DEBUG     0x1
#define SOCKET_KEPT_DONTROUTE 0x2
#define SOCKET_KEPT_NO_CHECK  0x4

struct socket {
	const struct socket_ops *ops;
	int family, type, protocol;
	struct ns *net;		 /* owned: the network namespace that it was made in */
	struct file *file;	 /* borrowed: its open file, NULL before and after */
	struct wait_queue queue; /* all state changes: data, room, connections, errors */
	uint64_t receive_timeout, send_timeout; /* ns; 0 = none */
	uint32_t send_size, receive_size;	/* SO_SNDBUF, SO_RCVBUF as getsockopt shows them */
	int error;				/* SO_ERROR, positive errno */
	bool pass_cred, pass_pidfd, listening, reuse_address, reuse_port, keep_alive, broadcast,
		oob_inline;
	uint8_t kept; /* SOCKET_KEPT_* */
	uint32_t priority;
	int receive_low; /* SO_RCVLOWAT, at least 1 */
	uint64_t cookie; /* SO_COOKIE; 0: nobody has asked */
	uint32_t mark;	 /* SO_MARK */
	int peek_offset; /* SO_PEEK_OFF: where the next peek begins; negative: off */
	/* SO_BUSY_POLL, SO_INCOMING_CPU: shown as they were set. Loopback devices have no queues.
	 */
	int busy_poll, incoming_cpu;
	struct lx_linger linger;
	struct socket_filter *filter; /* owned; SO_ATTACH_FILTER */
	bool filter_locked;
};

/* socket_fini() is for the family that frees it. */
void socket_fini(struct socket *socket);
void socket_init(
	struct socket *socket, const struct socket_ops *ops, int family, int type, int protocol);
/* An open file that owns the socket, and is owned by the user of @cred; on failure the socket stays
 * the caller's. */
int socket_file_new(struct socket *socket, const struct cred *cred, int flags, struct file **ret);
struct socket *socket_of_file(struct file *file); /* NULL: not a socket */
/* Datagrams and records: a write to them fails with EPIPE alone. */
bool socket_without_sigpipe(struct file *file);

/* What a wait with a deadline failed with, as a socket call reports it: a timeout is -EAGAIN, and
 * with a timeout set a signal is -EINTR even under SA_RESTART (signal(7)). */
int socket_wait_error(int error, uint64_t deadline);
/* Where a peek begins, and what reading (@by negative) or peeking so much makes of SO_PEEK_OFF. */
uint32_t socket_peek_offset(const struct socket *socket, unsigned flags);
void socket_move_peek_offset(struct socket *socket, int64_t by);
/* Takes the pending error: 0 or -errno. */
int socket_take_error(struct socket *socket);

/* socket(2): -EAFNOSUPPORT for families that are not there. */
int socket_create(int family, int type, int protocol, struct socket **ret);
int socket_create_pair(struct task *task, int family, int type, int protocol, struct socket **ret_a,
	struct socket **ret_b);

/* SOL_SOCKET options that mean the same in all families. -ENOPROTOOPT for others. */
int socket_set_option(
	struct socket *socket, struct task *task, int option, const void *value, size_t size);
int socket_get_option(
	struct socket *socket, struct task *task, int option, void *value, size_t size);

/* What a getsockopt answers with, cut to @size: its length. */
int socket_return_bytes(const void *from, size_t from_size, void *value, size_t size);
int socket_return_int(int number, void *value, size_t size);

/* sentry/socket/scm.c: guest ancillary data. */
int scm_read(struct task *task, gaddr_t control, uint64_t size, struct scm *ret);
/* Installs files as descriptors and writes the control buffer; consumes @scm. *ret_size is what was
 * written; adds LX_MSG_CTRUNC to *out_flags when not all fitted. */
int scm_write(struct task *task, struct scm *scm, const struct socket *socket, gaddr_t control,
	uint64_t capacity, bool cloexec, uint64_t *ret_size, unsigned *out_flags);
/* The sender's own, when it gave none. */
void scm_fill_cred(struct scm *scm, const struct task *task);
/* Credentials as kept, in kernel ids, as the present task knows them. */
struct lx_ucred ucred_here(const struct lx_ucred *cred);

/* sentry/socket/netlink.c */
int netlink_create(int type, int protocol, struct socket **ret);
/* A message of the kernel's to a netlink socket (mq_notify(3)). -ENOBUFS, -ENOMEM. */
int netlink_deliver(struct socket *socket, const void *bytes, size_t size);
/* Requests about devices that sockets of all families know. -ENOTTY: none of those. */
int64_t net_device_ioctl(struct socket *socket, struct task *task, unsigned request, gaddr_t arg);

/* sentry/socket/inet.c */
int inet_create(struct task *task, int family, int type, int protocol, struct socket **ret);

/* sentry/socket/packet.c */
int packet_create(struct task *task, int type, int protocol, struct socket **ret);

/* sentry/socket/unix.c */
/* getsockopt(SO_PEERPIDFD, SO_PEERGROUPS) of an AF_UNIX socket. May sleep. */
int64_t unix_peer_option(
	struct socket *base, struct task *task, int option, gaddr_t value, gaddr_t size_addr);
int unix_create(int type, struct socket **ret);
int unix_create_pair(struct task *task, int type, struct socket **ret_a, struct socket **ret_b);

#endif
