/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_UNIX_H
#define SENTRY_SENTRY_SOCKET_UNIX_H

#include "base/hash.h"
#include "sentry/socket/socket.h"

/*
 * AF_UNIX (unix(7)), private to sentry/socket/unix*.c.
 *
 * A socket is alive while its file is open, or while it waits in a listener's backlog; packets in a
 * receive queue hold their sender's memory (not its life) for send-buffer accounting. `peer` is an
 * owned reference to memory: a closed peer is still valid memory with state UNIX_CLOSED.
 */
enum unix_state {
	UNIX_NEW,	/* bind, connect and listen are legal */
	UNIX_LISTENING, /* accept is legal */
	UNIX_CONNECTED, /* has (had) a peer; datagram sockets: a default destination */
	UNIX_CLOSED,	/* the file is gone: only memory */
};

struct unix_packet {
	struct list_head link;
	struct unix_socket *sender; /* owned reference: charged for size; a datagram is from
					its name, also when it got that later */
	struct scm scm;
	uint32_t size, start; /* bytes, and how many of them were read */
	uint32_t charge;
	uint8_t data[];
};

/* Who made a connection, a pair, or a listener: SO_PEERCRED, SO_PEERPIDFD, SO_PEERGROUPS. */
struct unix_identity {
	struct lx_ucred cred; /* pid 0: nobody */
	struct pid *pid;      /* owned, or NULL */
	struct cred *groups;  /* owned, or NULL: whose groups count */
};

/* A name in use: shared by a path's inode (as inode->bound) and the socket. */
struct unix_bound {
	struct unix_socket *socket; /* borrowed: the socket clears inode->bound when it goes */
};

struct unix_socket {
	struct socket base; /* first */
	struct list_head all;
	unsigned in_flight; /* how often its file lies in packets */
	unsigned reached;   /* unix_collect.c, while it looks */
	bool candidate;	    /* the same */
	struct refcount refs;
	enum unix_state state;
	struct unix_socket *peer; /* owned or NULL */
	struct socket_address name;
	struct path bound_path; /* owned; where a path name is bound */
	struct unix_bound bound;
	struct hash_entry abstract; /* in the table of abstract names */
	bool is_abstract;
	struct cred *maker; /* owned: whose Landlock domain its abstract name is in */
	uint32_t net;	    /* the number of the network namespace that its abstract name is in */
	struct list_head packets;
	uint32_t queued; /* bytes charged to senders for packets in our queue; datagrams: their
			    number in queued_count */
	uint32_t queued_count;
	uint32_t sent; /* bytes of ours in other queues */
	bool read_shut, write_shut;
	struct unix_identity peer_identity;
	struct list_head backlog; /* listening: connected sockets that wait for accept */
	struct list_head backlog_link;
	unsigned backlog_count, backlog_limit;
	struct unix_identity listener; /* while it listens: its own */
};

/* Every socket whose memory there is, in no order: NULL begins and ends. */
struct unix_socket *unix_next(const struct unix_socket *socket);

/* unix_proc.c: lets /proc/net/unix show them. */
void unix_proc_register(void);

/* unix_collect.c: files that only lie in packets. @by +1 when they are put into one, -1 when they
 * are taken out. */
void unix_files_in_flight(const struct scm *scm, int by);
unsigned unix_files_in_flight_count(void);
/* A socket was closed: what only it held may now be nobody's. */
void unix_collect_later(void);

struct unix_socket *unix_ref(struct unix_socket *socket);
void unix_unref(struct unix_socket *socket);

static inline struct unix_socket *unix_of(struct socket *socket)
{
	return container_of(socket, struct unix_socket, base);
}

/* The socket that answers at @address. Owned. -ECONNREFUSED, -ENOENT..., -EPROTOTYPE when its type
 * differs. May sleep. */
int unix_find(struct task *task, const struct socket_address *address, int type,
	struct unix_socket **ret);
/* Landlock: may @task's messages and connections go to @target, which may have an abstract name?
 * 0 or -EPERM. */
int unix_check_scope(const struct task *task, const struct unix_socket *target);
void unix_drop_packets(struct unix_socket *socket);
/* Both directions of a change in @socket's ability to send: itself and whoever sends to it. */
void unix_wake(struct unix_socket *socket, uint32_t events);

ssize_t unix_send(struct socket *socket, struct task *task, struct socket_message *message);
ssize_t unix_receive(struct socket *socket, struct task *task, struct socket_message *message);
uint32_t unix_poll(struct socket *socket);
int64_t unix_ioctl(struct socket *socket, struct task *task, unsigned request, gaddr_t arg);

#endif
