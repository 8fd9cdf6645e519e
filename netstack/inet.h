/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_INET_H
#define SENTRY_NETSTACK_INET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/loop.h"
#include "netstack/address.h"
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
#define INET_DATAGRAM_MAX	  65507u /* of UDP over IPv4: 65535 less both headers */
#define INET_ENDPOINTS_MAX	  32768u /* in the sandbox */

/* What /proc/net/snmp and netstat tell. */
struct netstack_counters {
	uint64_t out_no_routes, out_discards;
};

/* One network namespace: its interfaces, routes and endpoints. */
struct netstack {
	struct hash_table pairs;    /* connected endpoints, by protocol and both names */
	struct hash_table ports;    /* bound endpoints, by protocol and port */
	struct hash_table users;    /* accepted connections, which hold a port, too; likewise */
	struct list_head endpoints; /* all that have a place in either */
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
	uint64_t isn_key[2], port_key[2];
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
	bool free_bind;	      /* IP_FREEBIND, IP_TRANSPARENT: bind() takes any address */
	uint8_t ttl, tos;     /* of TCP segments; 0: the default */
	unsigned netif_index; /* SO_BINDTODEVICE, or the scope of a link-local peer; 0: none */
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

/* ---- TCP ----------------------------------------------------------------------------------------
 */

struct inet_tcp {
	struct inet_endpoint endpoint; /* first */
	struct tcp tcp;
	struct timer timer;
	struct tcp_config config; /* what tcp is made with by connect and accept */
	/* A listener's: connections whose handshake is done, and all that name it. */
	struct list_head accept_queue, children;
	unsigned accept_count, half_open, backlog;
	/* A child's, until it is accepted. */
	struct inet_tcp *listener; /* borrowed */
	struct list_head accept_link, child_link;
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

/*
 * The owner goes: notify() is not called any more. An orderly end (tcp_close()), or with @abort a
 * reset. @endpoint is the stack's until the protocol is done with it, and must not be used.
 */
void inet_tcp_release(struct inet_tcp *endpoint, bool abort);

/* ---- UDP ----------------------------------------------------------------------------------------
 */

struct inet_datagram {
	struct list_head link;
	struct inet_name from, to;
	uint8_t ttl, tos;
	unsigned netif_index; /* that it came by */
	int64_t received_at;  /* CLOCK_REALTIME, ns */
	uint32_t charge;
	struct netbuf_queue data;
};

struct inet_udp {
	struct inet_endpoint endpoint; /* first */
	struct list_head datagrams;
	uint32_t queued, limit; /* bytes charged, and how many may be */
	uint64_t dropped;
	int error;		 /* positive errno that the network reported; the owner takes it */
	uint16_t least_coverage; /* UDP-Lite: less is dropped (RFC 3828 section 3.3) */
};

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
	unsigned netif_index; /* to be sent by, whatever the endpoint is bound to; 0: that */
	uint16_t coverage;    /* UDP-Lite: bytes under the checksum, header included; 0: all */
};

/*
 * Sends @data (consumed). Binds an unbound endpoint. A datagram that nobody takes is lost; a
 * connected sender is told (ECONNREFUSED). -ENETUNREACH, -EAGAIN without a free port, -EINVAL when
 * `from` is not ours, -ENOMEM.
 */
int inet_udp_send(
	struct inet_udp *endpoint, const struct inet_send *send, struct netbuf_queue *data);
void inet_datagram_free(struct inet_udp *endpoint, struct inet_datagram *datagram);
void inet_udp_release(struct inet_udp *endpoint);

#endif
