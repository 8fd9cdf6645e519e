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

/* SO_TIMESTAMP, SO_TIMESTAMPNS, and their forms of 64 bits, which differ in their number alone. */
enum inet_stamp {
	INET_STAMP_NONE,
	INET_STAMP_MICRO,
	INET_STAMP_NANO,
	INET_STAMP_MICRO_NEW,
	INET_STAMP_NANO_NEW,
};

/* Options that are on or off. Those of IPv4 hold for IPv4 packets on an IPv6 socket, too. */
#define INET_WANT_PKTINFO  0x0001u
#define INET_WANT_TTL	   0x0002u
#define INET_WANT_TOS	   0x0004u
#define INET_WANT_ORIGDST  0x0008u
#define INET_WANT_RECVERR  0x0010u
#define INET_WANT_PKTINFO6 0x0100u
#define INET_WANT_HOPS6	   0x0200u
#define INET_WANT_TCLASS6  0x0400u
#define INET_WANT_ORIGDST6 0x0800u
#define INET_WANT_RECVERR6 0x1000u
#define INET_WANT_DROPS	   0x10000u  /* SO_RXQ_OVFL */
#define INET_WANT_MARK	   0x20000u  /* SO_RCVMARK */
#define INET_WANT_INQ	   0x40000u  /* TCP_INQ */
#define INET_NO_QUICK_ACK  0x80000u  /* TCP_QUICKACK was taken off */
#define INET_STAMPING_NEW  0x100000u /* SO_TIMESTAMPING_NEW */
#define INET_CORK	   0x200000u /* UDP_CORK */
#define INET_GROUP_LOOP	   0x400000u /* IP_MULTICAST_LOOP */
#define INET_GROUP_LOOP6   0x800000u
#define INET_GROUP_ALL6	   0x1000000u /* IPV6_MULTICAST_ALL */
#define INET_SEND_SIZED	   0x2000000u /* SO_SNDBUF was set */
#define INET_RECEIVE_SIZED 0x4000000u /* SO_RCVBUF was */

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
	int tos, ttl;	  /* IP_TOS, IP_TTL: of IPv4 packets; ttl -1: the default */
	int tclass, hops; /* IPV6_TCLASS, IPV6_UNICAST_HOPS: of IPv6 packets; likewise */
	uint8_t path_discovery, path_discovery6; /* IP_PMTUDISC_* */
	uint32_t wants;				 /* INET_WANT_*: boolean options */
	enum inet_stamp want_stamp;
	uint32_t want_stamping;	   /* SO_TIMESTAMPING: LX_SOF_* */
	int64_t stamp;		   /* streams: CLOCK_REALTIME, ns, of what came last */
	uint16_t last_port;	   /* of a connection that is no more: getsockname() shows it */
	uint16_t user_mss;	   /* TCP_MAXSEG; 0: none */
	uint16_t segment_size;	   /* UDP_SEGMENT; 0: none */
	int group_ttl, group_hops; /* IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS */
	unsigned group_netif, group_netif6; /* IP_MULTICAST_IF; 0: none */
	struct inet_address group_source;   /* ... if it was said by an address */
	struct netbuf_queue corked;   /* datagrams: what UDP_CORK and MSG_MORE hold back ... */
	bool has_corked;	      /* ... even when it is empty, ... */
	struct inet_send corked_send; /* and where it goes, as its first part said */
	uint16_t send_coverage;	      /* UDPLITE_SEND_CSCOV */
	uint32_t urgent_told;	      /* the urgent byte that SIGURG was sent for */
	uint32_t unsent_limit;	      /* TCP_NOTSENT_LOWAT; 0: none */
	int fast_opens;		      /* TCP_FASTOPEN: of a listener; kept, see set_fast_open() */
	bool fast_open_connect;	      /* TCP_FASTOPEN_CONNECT: likewise */
	bool zero_copy;		      /* SO_ZEROCOPY */
	uint32_t zero_copies;	      /* sends with MSG_ZEROCOPY so far */
	uint32_t stamp_id;	      /* SOF_TIMESTAMPING_OPT_ID: of the next datagram */
	struct list_head notices; /* streams: of struct inet_error; datagrams have udp->errors */
	unsigned notice_count;
	struct raw *raw;	    /* of raw and ping sockets (raw.h); else NULL */
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
void inet_write_name_as(int family, const struct inet_name *name, struct socket_address *ret);
/* The interface of a link-local @name; 0: of any other. -EINVAL: it is not said, or another one is
 * bound; -ENODEV. */
int inet_read_scope(struct inet_socket *socket, const struct socket_address *address,
	const struct inet_name *name, unsigned *ret_index);
/* Puts it into a link-local name. */
void inet_write_scope(unsigned netif_index, struct socket_address *ret);
/* AF_UNSPEC: connect() undoes itself. */
bool inet_is_unspec(const struct socket_address *address);

int inet_bind_socket(struct socket *base, struct task *task, const struct socket_address *address);
int inet_getname(struct socket *base, bool peer, struct socket_address *ret);
int inet_setsockopt(struct socket *base, struct task *task, int level, int option,
	const void *value, size_t size);
int inet_getsockopt(
	struct socket *base, struct task *task, int level, int option, void *value, size_t size);
/* SOL_IP and SOL_IPV6 (inet_options_ip.c). */
int inet_ip_setsockopt(
	struct inet_socket *socket, struct task *task, int option, const void *value, size_t size);
int inet_ip_getsockopt(struct inet_socket *socket, int option, void *value, size_t size);
int inet_ipv6_setsockopt(
	struct inet_socket *socket, struct task *task, int option, const void *value, size_t size);
int inet_ipv6_getsockopt(struct inet_socket *socket, int option, void *value, size_t size);
/* Those about groups (inet_options_group.c). -ENOPROTOOPT: it is another. */
int inet_group_setsockopt(struct inet_socket *socket, int option, const void *value, size_t size);
int inet_group6_setsockopt(struct inet_socket *socket, int option, const void *value, size_t size);
int inet_group_getsockopt(struct inet_socket *socket, int option, void *value, size_t size);
int inet_group6_getsockopt(struct inet_socket *socket, int option, void *value, size_t size);
/* Sends what UDP_CORK held back. Errors of inet_udp_send(). */
int inet_dgram_uncork(struct inet_socket *socket);
/* The error queue (inet_errors.c). MSG_ERRQUEUE; -EAGAIN: it is empty. */
ssize_t inet_receive_error(struct inet_socket *socket, struct socket_message *message);
bool inet_has_notices(const struct inet_socket *socket);
void inet_drop_notices(struct inet_socket *socket);
/* After a send with MSG_ZEROCOPY: what was given is free again, since it was copied. */
void inet_note_copied(struct inet_socket *socket);
/* A datagram is sent: says when, to who asked for it. Takes @image, its bytes on the link. */
void inet_note_sent(struct inet_socket *socket, struct netbuf_queue *image);
/* SOL_TCP (inet_options_tcp.c). */
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
/* The time stamps that the socket asked for, of what came at @at (CLOCK_REALTIME, ns). */
void inet_write_stamp(const struct inet_socket *socket, int64_t at, struct scm *scm);

/* The files of /proc/net, from when there is a socket to show. */
void inet_proc_register(void);

/* The audit stream hears of a destination without a way there (inet_refused.c). */
void inet_tell_unreachable(const struct inet_socket *socket, const struct inet_name *to);

int inet_stream_create(int family, struct socket **ret);
int inet_dgram_create(int family, int protocol, struct socket **ret);
/* inet_dgram.c, for other sockets that carry messages: an endpoint that is bound to nothing, and
 * what is the same for all of them. */
extern const struct socket_ops inet_dgram_ops;
/* inet_udp.filter: what SO_ATTACH_FILTER's program says. */
uint32_t inet_dgram_filter(const struct inet_udp *endpoint, const struct inet_datagram *datagram,
	struct netbuf_queue *packet, uint32_t start);
/* inet_tcp.filter: likewise. */
uint32_t inet_stream_filter(
	const struct inet_tcp *endpoint, struct netbuf_queue *packet, uint32_t start);
int inet_dgram_new(
	const struct socket_ops *ops, int family, int type, int protocol, struct inet_socket **ret);
/* Where a message goes has been said: the header's fields as the options have them. */
void inet_dgram_set_header(const struct inet_socket *socket, struct inet_send *send);
/* The message's bytes, to the end of @to. All or nothing. */
int inet_dgram_gather(struct uio *uio, uint64_t size, struct netbuf_queue *to);

#endif
