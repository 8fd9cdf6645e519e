/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_INET_H
#define SENTRY_NETSTACK_INET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/late.h"
#include "base/list.h"
#include "base/loop.h"
#include "netstack/address.h"
#include "netstack/ip.h"
#include "netstack/netbuf.h"
#include "netstack/netif.h"
#include "netstack/tcp.h"

/*
 * Endpoints of the Internet protocols: what a network namespace has bound, listens on and is
 * connected with, and the way between two of them.
 *
 * Over the loopback link a TCP segment goes from one connection's tcp_output() to another's
 * tcp_input() as it is, a datagram's bytes by reference. Nothing is delivered from within the call
 * that sent it but from a queue, in order (netstack_run), so that no connection is entered twice.
 * What goes elsewhere leaves over an interface (netif.h).
 *
 * All on the kernel thread; nothing in here sleeps. Whoever owns an endpoint is told of changes by
 * its notify(), which must not call back into the stack.
 */
#define INET_PORT_EPHEMERAL_FIRST 32768u /* net.ipv4.ip_local_port_range */
#define INET_PORT_EPHEMERAL_LAST  60999u
#define INET_PORT_PRIVILEGED	  1024u
#define INET_LOOPBACK_MTU	  65536u
#define TCP_MSS_ANY		  65495u /* what the loopback link carries over IPv4 */
#define INET_DATAGRAM_MAX	  65507u /* of UDP over IPv4: 65535 less both headers */
#define INET_HALF_OPEN_MAX	  256u	 /* of a listener: beyond it SYN cookies */
#define INET_HALF_OPEN_TOTAL	  4096u	 /* of the sandbox; likewise */
#define INET_ENDPOINTS_MAX	  32768u /* in the sandbox */

/* One network namespace: its interfaces, routes and endpoints. */
struct netstack {
	struct hash_table pairs;    /* connected endpoints, by protocol and both names */
	struct hash_table ports;    /* bound endpoints, by protocol and port */
	struct hash_table users;    /* accepted connections, which hold a port, too; likewise */
	struct list_head endpoints; /* all that have a place in either */
	struct list_head groups;    /* of struct inet_group: what all endpoints have joined */
	struct list_head packets;   /* under way on the loopback link, or arrived */
	bool running;
	struct netif loopback;
	bool loopback4, loopback6; /* all of 127.0.0.0/8, ::1 is ours */
	struct list_head netifs;   /* by index */
	struct list_head routes;   /* see struct route */
	struct list_head taps;	   /* of struct netif_tap; its owner adds and removes it */
	struct list_head raw;	   /* of struct raw_hook; likewise */
	unsigned netif_count, netif_last, route_count;
	/* NULL, or: told of what netif.h's functions changed; must not change anything itself. */
	void (*changed)(struct netstack *stack, enum netstack_event event, const void *object);
	void *owner;
	struct netstack_counters counters;
	struct ip_state ip;
	uint64_t isn_key[2], port_key[2], cookie_key[2];
	uint32_t port_counter;
};

/* The loopback interface is there, and down. */
void netstack_init(struct netstack *stack);
/* Ends what closed sockets left behind. No endpoint may have an owner any more. */
void netstack_fini(struct netstack *stack);

/* Delivers what is under way, until nothing is. Harmless from within itself. */
void netstack_run(struct netstack *stack);

#define INET_TCP     6u
#define INET_UDP     17u
#define INET_UDPLITE 136u

/* IP_MTU_DISCOVER (ip(7)): what becomes of a datagram that is longer than the path takes. */
enum inet_mtu_discover {
	INET_MTU_WANT,	/* we fragment it */
	INET_MTU_DONT,	/* likewise, and routers may fragment all */
	INET_MTU_DO,	/* -EMSGSIZE */
	INET_MTU_PROBE, /* -EMSGSIZE beyond the interface's MTU; the path is not asked */
};

struct inet_endpoint {
	struct netstack *stack;
	struct list_head list;
	struct hash_entry port_node, pair_node;
	uint8_t protocol;
	bool ipv6, v6only, reuse_address, reuse_port;
	bool has_port, has_pair; /* which tables it is in */
	bool is_user;		 /* port_node is in `users` */
	bool address_given;	 /* local.address was chosen by bind(), not by connect() */
	bool port_given;
	bool listening;
	bool free_bind;	      /* IP_FREEBIND: bind() takes any address */
	bool transparent;     /* IP_TRANSPARENT: likewise */
	bool late_port;	      /* IP_BIND_ADDRESS_NO_PORT: bind() chooses none, connect() does */
	uint8_t least_ttl;    /* IP_MINTTL: TCP segments with less are dropped */
	uint8_t least_hops;   /* IPV6_MINHOPCOUNT: likewise */
	uint32_t port_range;  /* IP_LOCAL_PORT_RANGE: first, and last << 16; 0 of either: any */
	uint8_t ttl, tos;     /* of TCP segments; 0: the default */
	unsigned netif_index; /* SO_BINDTODEVICE, or the scope of a link-local peer; 0: none */
	uint8_t mtu_discover; /* enum inet_mtu_discover */
	uint32_t uid;	      /* SO_REUSEPORT is between sockets of one user */
	struct inet_name local, remote;
	/* TCP_EVENT_* of a connection, INET_EVENT_* of others. NULL: nobody owns it any more. */
	void (*notify)(struct inet_endpoint *endpoint, uint32_t events);
	void *owner;
};

#define INET_EVENT_READABLE TCP_EVENT_READABLE
#define INET_EVENT_ERROR    TCP_EVENT_ERROR

/*
 * bind(2): @name's port 0 chooses one. -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL when it is bound
 * already, -ENOMEM.
 */
int inet_bind(struct inet_endpoint *endpoint, const struct inet_name *name);

/*
 * Names the other end; chooses what of our own is not bound. Errors of route_lookup(),
 * -EADDRNOTAVAIL when all ports are taken, -EADDRINUSE when just this pair is. inet_disconnect()
 * undoes it.
 */
int inet_set_peer(struct inet_endpoint *endpoint, const struct inet_name *peer);
void inet_disconnect(struct inet_endpoint *endpoint);

/* Where a packet of @endpoint's to @to would come from: errors of route_lookup(). */
int inet_route(const struct inet_endpoint *endpoint, const struct inet_address *to,
	struct inet_address *ret_source);

/* What a packet of @endpoint's to @to may be long, headers included: IP_MTU. Errors of
 * route_lookup(). */
int inet_path_mtu(const struct inet_endpoint *endpoint, const struct inet_address *to);

/* ---- TCP ----------------------------------------------------------------------------------------
 */

struct inet_tcp {
	struct inet_endpoint endpoint; /* first */
	struct tcp tcp;
	struct timer timer;
	struct tcp_config config; /* what tcp is made with by connect and accept */
	bool joins;		  /* the interface cuts segments: several may leave as one */
	/* A listener's: connections whose handshake is done, and all that name it. */
	struct list_head accept_queue, children;
	unsigned accept_count, half_open, backlog;
	int64_t cookies_until; /* SYNs were answered with cookies: acknowledgements may name them */
	int defer_seconds; /* TCP_DEFER_ACCEPT: how long a connection may wait for its first bytes
			      before it is accepted without; 0: not at all */
	/* A child's, until it is accepted. */
	struct inet_tcp *listener; /* borrowed */
	struct list_head accept_link, child_link;
	int64_t deferred_until; /* TCP_DEFER_ACCEPT holds it back; 0: it does not */
	struct late_work late;	/* inet_tcp_push_late() */
	/* Of an endpoint with an owner: how many bytes, from the TCP header on, it takes of
	 * @packet, whose IP header is of @start bytes; 0: none of it. Listeners are asked for their
	 * children. NULL takes all. Cannot sleep. */
	uint32_t (*filter)(
		const struct inet_tcp *endpoint, struct netbuf_queue *packet, uint32_t start);
};

static inline struct inet_tcp *inet_tcp_of(struct inet_endpoint *endpoint)
{
	return container_of(endpoint, struct inet_tcp, endpoint);
}

/* -ENOMEM, -ENOBUFS. The caller sets notify and owner, and options. */
int inet_tcp_new(struct netstack *stack, bool ipv6, struct inet_tcp **ret);

/* Begins a handshake with @peer. Errors of inet_set_peer(). */
int inet_tcp_connect(struct inet_tcp *endpoint, const struct inet_name *peer);

/* Again with another @backlog is fine. Binds to a free port when nothing is bound. -EADDRINUSE. */
int inet_tcp_listen(struct inet_tcp *endpoint, unsigned backlog);
/* Back to a closed socket: what waits to be accepted is reset. */
void inet_tcp_unlisten(struct inet_tcp *endpoint);

/* Ends a connection with a reset, or forgets one that ended: a new endpoint, bound as before if it
 * was bound by bind(). */
void inet_tcp_disconnect(struct inet_tcp *endpoint);

/* The next connection, or NULL. The caller sets notify and owner. */
struct inet_tcp *inet_tcp_accept(struct inet_tcp *listener);

/* After a call of tcp.h changed the connection: sends what it has to send, and lets everybody
 * react. @endpoint may be told of events by notify() before this returns. */
void inet_tcp_push(struct inet_tcp *endpoint);

/* The same as late work (base/late.h): the call that caused it is answered first. */
void inet_tcp_push_late(struct inet_tcp *endpoint);
/* Whether that still waits. */
static inline bool inet_tcp_is_late(const struct inet_tcp *endpoint)
{
	return !list_empty(&endpoint->late.link);
}

/*
 * The owner goes: notify() is not called any more. An orderly end (tcp_close()), or with @abort a
 * reset. @endpoint is the stack's until the protocol is done with it, and must not be used.
 */
void inet_tcp_release(struct inet_tcp *endpoint, bool abort);

/* Some connection over a link whose owner is gone has bytes, or its end, that the peer has not
 * acknowledged. */
bool inet_tcp_any_unsent(const struct netstack *stack);

/* ---- UDP ----------------------------------------------------------------------------------------
 */

struct inet_datagram {
	struct list_head link;
	struct inet_name from, to;
	uint8_t ttl, tos;
	unsigned netif_index;  /* that it came by */
	uint32_t mark;	       /* SO_MARK of the sender, while it stays in the sandbox */
	uint32_t dropped;      /* how many the receiver had lost when this one came */
	uint16_t segment_size; /* of several that travel as one (UDP_SEGMENT, UDP_GRO); 0: one */
	int64_t received_at;   /* CLOCK_REALTIME, ns */
	uint32_t charge;
	struct netbuf_queue data;
};

struct inet_udp {
	struct inet_endpoint endpoint; /* first */
	struct list_head datagrams;
	uint32_t queued, limit; /* bytes charged, and how many may be */
	uint64_t dropped;
	uint64_t taken_at;	 /* CLOCK_MONOTONIC: a datagram left the queue; 0: none did */
	int error;		 /* positive errno that the network reported; the owner takes it */
	uint16_t least_coverage; /* UDP-Lite: less is dropped (RFC 3828 section 3.3) */
	bool coalesce;		 /* UDP_GRO: what was sent as one arrives as one */
	/* How many bytes, from the UDP header on, @endpoint takes of @packet, whose IP header is of
	 * @start bytes; 0: none of it. NULL takes all. Cannot sleep. */
	uint32_t (*filter)(const struct inet_udp *endpoint, const struct inet_datagram *datagram,
		struct netbuf_queue *packet, uint32_t start);
	bool keep_errors4, keep_errors6; /* IP_RECVERR, IPV6_RECVERR: errors wait in `errors` */
	struct list_head errors;	 /* of struct inet_error */
	unsigned error_count;
	struct list_head groups; /* of struct inet_group: joined */
	unsigned group_count;
	bool group_all4, group_all6; /* IP_MULTICAST_ALL: also groups that others joined */
};

/* An error as MSG_ERRQUEUE tells it (ip(7), IP_RECVERR). */
struct inet_error {
	struct list_head link;
	struct inet_name to;	      /* where the packet went that it is about */
	struct inet_address offender; /* who said so; inet_any: nobody */
	int error;		      /* positive errno */
	uint8_t origin, type, code;   /* SO_EE_ORIGIN_*, and of ICMP */
	uint32_t info, data;
	int64_t at;		     /* CLOCK_REALTIME, ns: when it was sent; 0: not about that */
	struct netbuf_queue payload; /* of that packet */
};
#define INET_ERRORS_MAX 64u /* in a queue; later ones are lost */
/* NULL: no memory, or too much waits in all queues. */
struct inet_error *inet_error_new(void);
void inet_error_free(struct inet_error *error);

/* ---- groups (RFC 1112, 3376, 2710; netstack/inet_group.c) ----------------------------------- */

#define INET_GROUPS_MAX 20u /* of a socket: net.ipv4.igmp_max_memberships */
#define INET_MEMBERS_MAX                                                                           \
	16384u		     /* of all sockets together: each packet to a group looks at them      \
			      */
#define INET_SOURCES_MAX 10u /* of a group: net.ipv4.igmp_max_msf */

/* A socket's membership in a group on an interface. */
struct inet_group {
	struct list_head link;	   /* in inet_udp.groups */
	struct list_head in_stack; /* in netstack.groups */
	struct inet_address address;
	unsigned netif_index;
	bool include; /* only from `sources`; else from all but those */
	unsigned source_count;
	struct inet_address sources[INET_SOURCES_MAX];
};

struct inet_udp;
/* -EINVAL (no such group), -ENODEV, -EADDRINUSE (joined already), -ENOBUFS, -ENOMEM. @netif_index
 * 0: by the route to it. */
int inet_group_join(
	struct inet_udp *endpoint, const struct inet_address *group, unsigned netif_index);
/* -EADDRNOTAVAIL: not joined. */
int inet_group_leave(
	struct inet_udp *endpoint, const struct inet_address *group, unsigned netif_index);
/*
 * Adds or removes a source: of those heard (@include; adding joins, removing the last one leaves)
 * or of those not. -EADDRNOTAVAIL (not joined, not there, there already), -EINVAL (the other kind
 * of filter is in use), -ENOBUFS, and errors of inet_group_join().
 */
int inet_group_source(struct inet_udp *endpoint, const struct inet_address *group,
	unsigned netif_index, const struct inet_address *source, bool include, bool add);
void inet_group_leave_all(struct inet_udp *endpoint);

static inline struct inet_udp *inet_udp_of(struct inet_endpoint *endpoint)
{
	return container_of(endpoint, struct inet_udp, endpoint);
}

/* @protocol: INET_UDP or INET_UDPLITE (RFC 3828), which have ports of their own. */
int inet_udp_new(struct netstack *stack, uint8_t protocol, bool ipv6, struct inet_udp **ret);

/* What a datagram is sent with. */
struct inet_send {
	struct inet_name to;
	struct inet_address from; /* inet_any: as bound, or as the way there wants */
	uint8_t ttl, tos;
	unsigned netif_index;  /* to be sent by, whatever the endpoint is bound to; 0: that */
	uint32_t mark;	       /* SO_MARK */
	bool may_broadcast;    /* SO_BROADCAST */
	bool no_loop;	       /* IP_MULTICAST_LOOP is off: no copy for members here */
	uint16_t segment_size; /* cut into datagrams of this size (UDP_SEGMENT); 0: not at all */
	uint16_t coverage;     /* UDP-Lite: bytes under the checksum, header included; 0: all */
	struct netbuf_queue *image; /* NULL, or where the frame goes that an Ethernet would carry */
};

/* Whether what was sent since the last question filled more than half of the queue of a reader who
 * is at work: it may want the CPU that the sender is on. */
bool inet_udp_crowds_reader(void);
/*
 * Sends @data (consumed). Binds an unbound endpoint. A datagram that nobody takes is lost; a
 * connected sender is told (ECONNREFUSED). Errors of route_lookup(), -EAGAIN without a free port,
 * -EINVAL when `from` is not ours, -EACCES to everybody without may_broadcast, -EMSGSIZE as
 * mtu_discover says, -ENOMEM.
 */
int inet_udp_send(
	struct inet_udp *endpoint, const struct inet_send *send, struct netbuf_queue *data);
/* As if it had arrived: takes @datagram. */
void inet_udp_take(struct inet_udp *endpoint, struct inet_datagram *datagram);
void inet_datagram_free(struct inet_udp *endpoint, struct inet_datagram *datagram);
void inet_udp_release(struct inet_udp *endpoint);

#endif
