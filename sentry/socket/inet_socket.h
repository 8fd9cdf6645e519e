/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_INET_SOCKET_H
#define SENTRY_SENTRY_SOCKET_INET_SOCKET_H

#include "netstack/inet.h"
#include "sentry/socket/socket.h"

/*
 * AF_INET and AF_INET6 (ip(7), ipv6(7), tcp(7), udp(7)), private to sentry/socket/inet*.c: guest
 * addresses, options, sleeping and waking around the endpoints of netstack/.
 *
 * The endpoint is the socket's until release(); for TCP the protocol keeps it longer than that.
 */
enum inet_state {
	INET_NEW, /* bind, connect and listen are legal */
	INET_LISTENING,
	INET_CONNECTING, /* a handshake is under way */
	INET_CONNECTED,	 /* it was connected, whatever has become of it; datagrams: has a peer */
};

/* SO_TIMESTAMP, SO_TIMESTAMPNS */
enum inet_stamp { INET_STAMP_NONE, INET_STAMP_MICRO, INET_STAMP_NANO };

struct inet_socket {
	struct socket base; /* first */
	bool v6;
	enum inet_state state;
	bool connect_told; /* connect() has said so; a nonblocking one says it when asked again */
	union {
		struct inet_endpoint *endpoint;
		struct inet_tcp *tcp;
		struct inet_udp *udp;
	};
	bool read_shut, write_shut;
	int tos, ttl; /* IP_TOS, IP_TTL, and what IPv6 calls them; -1: the default */
	bool want_pktinfo, want_ttl, want_tos; /* as ancillary data: IP_PKTINFO and relatives */
	enum inet_stamp want_stamp;
	uint16_t send_coverage;	    /* UDPLITE_SEND_CSCOV */
	uint32_t unsent_limit;	    /* TCP_NOTSENT_LOWAT; 0: none */
	struct fiber_mutex reading; /* streams: one reader at a time, while the copy sleeps */
};

static inline struct inet_socket *inet_of(struct socket *socket)
{
	return container_of(socket, struct inet_socket, base);
}

struct netstack *inet_stack(const struct socket *socket);

/* To its user a connection is over when both ends have ended, even while TIME_WAIT remembers it. */
static inline bool inet_tcp_is_over(const struct inet_socket *socket)
{
	return socket->tcp->tcp.state == TCP_CLOSED || socket->tcp->tcp.state == TCP_TIME_WAIT;
}

/* A guest address, as the socket's family has it. -EINVAL, -EAFNOSUPPORT, -ENETUNREACH. */
int inet_read_name(const struct inet_socket *socket, const struct socket_address *address,
	struct inet_name *ret);
void inet_write_name(
	const struct inet_socket *socket, const struct inet_name *name, struct socket_address *ret);
/* AF_UNSPEC: connect() undoes itself. */
bool inet_is_unspec(const struct socket_address *address);

int inet_bind_socket(struct socket *base, struct task *task, const struct socket_address *address);
int inet_getname(struct socket *base, bool peer, struct socket_address *ret);
int inet_setsockopt(struct socket *base, struct task *task, int level, int option,
	const void *value, size_t size);
int inet_getsockopt(
	struct socket *base, struct task *task, int level, int option, void *value, size_t size);
/* SOL_TCP. */
int inet_tcp_setsockopt(
	struct inet_socket *socket, struct task *task, int option, const void *value, size_t size);
int inet_tcp_getsockopt(struct inet_socket *socket, int option, void *value, size_t size);
/* What SOL_SOCKET options mean for the endpoint is brought to it. */
void inet_apply_options(struct inet_socket *socket);

/* -ENOBUFS, -ENOMEM. */
int inet_socket_new(
	const struct socket_ops *ops, int family, int type, int protocol, struct inet_socket **ret);
void inet_socket_free(struct inet_socket *socket);

/* Ancillary data of datagrams (inet_control.c). */
int inet_read_control(
	const struct inet_socket *socket, const struct scm *scm, struct inet_send *ret);
void inet_write_control(
	const struct inet_socket *socket, const struct inet_datagram *datagram, struct scm *scm);

/* The files of /proc/net, from when there is a socket to show. */
void inet_proc_register(void);

int inet_stream_create(int family, struct socket **ret);
int inet_dgram_create(int family, int protocol, struct socket **ret);

#endif
