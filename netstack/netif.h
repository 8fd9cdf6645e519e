/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_NETIF_H
#define SENTRY_NETSTACK_NETIF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/loop.h"
#include "netstack/address.h"
#include "netstack/netbuf.h"

/*
 * Interfaces of a stack: their addresses, the routes over them, and the way to and from a driver.
 *
 *   sockets -> L4 (inet_tcp.c, inet_udp.c, raw sockets) -> struct inet_packet -> netstack_queue()
 *        destination is ours:    handed over as it is on the loopback link, never serialised
 *        else route_lookup():    serialised (headers, and payload by reference)
 *                                -> fragmented or segmented -> neighbour (Ethernet)
 *                                -> netif->ops->transmit()
 *   driver -> netif_receive() -> Ethernet -> IP (validates, reassembles) -> struct inet_packet ->
 * L4
 *
 * All on the kernel thread; nothing sleeps; a driver calls netif_receive() from its callback of the
 * loop. Functions return -errno. What a link brings is hostile: every length is checked against
 * what is there, and everything that is kept is bounded.
 */
struct netstack;
struct inet_packet;
struct netif;

enum netif_type {
	NETIF_LOOPBACK,
	NETIF_ETHERNET, /* frames with an Ethernet header; ARP and NDP find the neighbours */
	NETIF_POINT,	/* bare IP packets; every address on the link is at its other end */
};

/* What goes with a frame, as struct virtio_net_hdr has it (virtio 1.2, section 5.1.6). */
struct netif_offload {
	bool needs_checksum; /* at checksum_start + checksum_offset stands the pseudo header's sum
				alone; the rest of the frame is to be added and the sum inverted */
	bool checksum_valid; /* receiving: whoever handed the frame in vouches for it */
	uint16_t checksum_start, checksum_offset; /* bytes from the frame's first */
	uint16_t segment_size; /* 0: one packet; else its TCP payload is cut into such pieces */
};

#define NETIF_UP	  0x01u /* IFF_UP */
#define NETIF_RUNNING	  0x02u /* there is a carrier */
#define NETIF_PROMISCUOUS 0x04u
#define NETIF_ALLMULTI	  0x08u
#define NETIF_TX_CHECKSUM 0x10u /* the driver completes checksums */
#define NETIF_TX_SEGMENTS 0x20u /* ... and cuts TCP segments of up to 64 KiB */
#define NETIF_NO_ARP	  0x40u
#define NETIF_NO_RA	  0x80u /* what routers advertise is not looked at */

#define NETIF_COUNT_MAX	    64u	 /* of a stack */
#define NETIF_ADDRESSES_MAX 256u /* of a stack */
#define NETIF_ROUTES_MAX    1024u
#define NETIF_GROUPS_MAX    512u /* of an interface */
#define NETIF_NAME_SIZE	    16u

struct netif_ops {
	/* Takes the bytes of @frame, which is empty afterwards. Dropping is allowed; the driver
	 * counts it. NULL: nothing is ever serialised for it. */
	void (*transmit)(struct netif *netif, struct netbuf_queue *frame,
		const struct netif_offload *offload);
	/*
	 * NULL, or: is offered TCP segments and UDP datagrams before they are serialised. True when
	 * @packet's content was taken (segment.payload, datagram; @packet itself stays the
	 * caller's); else it goes on to transmit(). May call netif_deliver(), but nothing that runs
	 * @netif's stack.
	 */
	bool (*take)(struct netif *netif, struct inet_packet *packet);
	/* The interface is gone from its stack; the last call. NULL: its memory is the driver's. */
	void (*free)(struct netif *netif);
};

struct netif_counters {
	uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped;
	uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped;
	uint64_t multicast;
};

/* IFA_F_*, RT_SCOPE_*, RTN_*, RTPROT_* as rtnetlink(7) has them. */
#define NETADDR_SECONDARY  0x01u
#define NETADDR_NO_DAD	   0x02u
#define NETADDR_DAD_FAILED 0x08u
#define NETADDR_DEPRECATED 0x20u
#define NETADDR_TENTATIVE  0x40u
#define NETADDR_PERMANENT  0x80u

#define NETSCOPE_GLOBAL 0u
#define NETSCOPE_SITE	200u
#define NETSCOPE_LINK	253u
#define NETSCOPE_HOST	254u

#define NETROUTE_UNICAST     1u
#define NETROUTE_BLACKHOLE   6u
#define NETROUTE_UNREACHABLE 7u
#define NETROUTE_PROHIBIT    8u

#define NETROUTE_BY_KERNEL 2u
#define NETROUTE_BY_BOOT   3u
#define NETROUTE_BY_STATIC 4u
#define NETROUTE_BY_RA	   9u

struct netif_address {
	struct list_head link;
	struct inet_address address;
	struct inet_address peer;	      /* of a point-to-point link, else inet_any* */
	struct inet_address broadcast;	      /* inet_any*: none */
	uint8_t prefix;			      /* of the peer if there is one */
	uint8_t scope, flags;		      /* NETSCOPE_*, NETADDR_* */
	int64_t preferred_until, valid_until; /* loop_monotonic(); INT64_MAX: for ever */
	bool autoconf;			      /* a router advertised it (RFC 4862) */
	int64_t dad_until; /* NETADDR_TENTATIVE: ours then, if nobody else has it */
	char label[NETIF_NAME_SIZE];
};

struct netif {
	struct list_head link;	/* in stack->netifs, by index */
	struct netstack *stack; /* set by netif_add() */
	unsigned index;		/* likewise; the loopback has 1 */
	const struct netif_ops *ops;
	void *driver;
	enum netif_type type;
	char name[NETIF_NAME_SIZE];
	uint8_t hardware[6];
	uint32_t mtu, flags;	    /* of the IP packet; NETIF_* */
	struct list_head addresses; /* of struct netif_address; likewise */
	struct netif_counters counters;
	/* Set by netif_add() and what it begins. */
	struct list_head groups; /* that are listened to (group.c) */
	unsigned group_count;
	int64_t reported_at;
	struct timer timer; /* nd_router.c */
	unsigned router_solicits;
	int64_t router_solicit_at;
	uint32_t mtu6;	   /* what a router said; 0: nothing */
	uint8_t hop_limit; /* likewise */
};

/* The caller sets ops, driver, type, name, hardware, mtu and flags but for NETIF_UP. -EEXIST by
 * name, -ENOSPC. */
int netif_add(struct netstack *stack, struct netif *netif);
/* With its addresses and routes; calls ops->free. */
void netif_remove(struct netif *netif);
struct netif *netif_by_index(const struct netstack *stack, unsigned index); /* NULL */
struct netif *netif_by_name(const struct netstack *stack, const char *name);
/* The loopback gets its addresses, an Ethernet its link-local one. Down, it loses its routes and
 * IPv6 addresses, as on Linux. */
int netif_set_up(struct netif *netif, bool up);

/* A frame came in: consumed. */
void netif_receive(
	struct netif *netif, struct netbuf_queue *frame, const struct netif_offload *offload);
/*
 * Content for sockets came in that was never serialised (the other end of ops->take): @packet, from
 * malloc(), is the stack's from here on. It is not looked at before the next netstack_run().
 */
void netif_deliver(struct netif *netif, struct inet_packet *packet);

/* A copy of @address; adds the route to its network. -EEXIST, -ENOBUFS, -EINVAL, -ENOMEM. */
int netif_address_add(struct netif *netif, const struct netif_address *address);
int netif_address_remove(struct netif *netif, const struct inet_address *address,
	uint8_t prefix); /* -EADDRNOTAVAIL */
/* The interface that @address belongs to, which is up; NULL: not ours. */
struct netif *netif_of_address(const struct netstack *stack, const struct inet_address *address);
/* What is sent to @address arrives here. */
bool netstack_is_local(const struct netstack *stack, const struct inet_address *address);

/* ---- routes -----------------------------------------------------------------------------------
 */

struct route {
	struct list_head link; /* in stack->routes, longest prefix and smallest metric first */
	struct inet_address destination;     /* bits behind the prefix are 0 */
	struct inet_address gateway, source; /* inet_any*: none */
	uint8_t prefix;
	uint8_t protocol, scope, type; /* NETROUTE_BY_*, NETSCOPE_*, NETROUTE_* */
	struct netif *netif;	       /* NULL with the types that refuse */
	uint32_t metric;
	uint32_t mtu;	     /* 0: the interface's; what path MTU discovery learns is not here */
	int64_t valid_until; /* INT64_MAX: for ever */
};

/* A copy of @route. -EEXIST, -ENETUNREACH when its gateway is not on a link, -ENETDOWN, -EINVAL,
 * -ENOBUFS, -ENOMEM. */
int route_add(struct netstack *stack, const struct route *route);
/* The first with this destination, and with the gateway, interface and metric if they are given.
 * -ESRCH. */
int route_remove(struct netstack *stack, const struct route *route);

struct route_result {
	struct netif *netif; /* the loopback when local */
	struct inet_address next_hop;
	struct inet_address source; /* inet_any*: the interface has none */
	uint32_t mtu;		    /* of the path, as far as it is known */
	bool local, broadcast, multicast;
	bool no_df; /* routers are to fragment: the path takes less than is believed */
};

/* @bound: SO_BINDTODEVICE, or NULL. -ENETUNREACH, -EHOSTUNREACH, -EACCES (prohibit), -EINVAL
 * (blackhole). */
int route_lookup(struct netstack *stack, const struct inet_address *to, const struct netif *bound,
	struct route_result *ret);

/* ---- what changed, for netlink's groups --------------------------------------------------------
 */

enum netstack_event {
	NETSTACK_LINK,	       /* object: struct netif */
	NETSTACK_LINK_GONE,    /* struct netif, still whole */
	NETSTACK_ADDRESS_NEW,  /* struct netif_change */
	NETSTACK_ADDRESS_GONE, /* likewise */
	NETSTACK_ROUTE_NEW,    /* struct route */
	NETSTACK_ROUTE_GONE,
	NETSTACK_NEIGHBOUR_NEW, /* struct neighbour: new, or in another state */
	NETSTACK_NEIGHBOUR_GONE,
};

struct netif_change {
	struct netif *netif;
	struct netif_address *address;
};

/* ---- groups ------------------------------------------------------------------------------------
 */

/* Packets to @group are taken from the link, as often as it was joined. -EINVAL, -ENOBUFS, -ENOMEM.
 * For sockets: inet_group_join(). */
int netif_group_join(struct netif *netif, const struct inet_address *group);
void netif_group_leave(struct netif *netif, const struct inet_address *group);
/* Calls @each for all groups that were joined, the last first; it changes nothing. */
void netif_groups_each(const struct netif *netif,
	void (*each)(void *context, const struct inet_address *group, unsigned users),
	void *context);

/* ---- neighbours --------------------------------------------------------------------------------
 */

#define NEIGHBOURS_MAX	      512u /* of a stack */
#define NEIGHBOUR_WAITING_MAX 8u   /* packets that wait for its hardware address */

/* NUD_* of rtnetlink(7). */
#define NEIGHBOUR_INCOMPLETE 0x01u
#define NEIGHBOUR_REACHABLE  0x02u
#define NEIGHBOUR_STALE	     0x04u
#define NEIGHBOUR_DELAY	     0x08u
#define NEIGHBOUR_PROBE	     0x10u
#define NEIGHBOUR_FAILED     0x20u
#define NEIGHBOUR_PERMANENT  0x80u

struct neighbour {
	struct list_head link; /* in stack->ip.neighbours, longest unused first */
	struct hash_entry node;
	struct netif *netif;
	struct inet_address address;
	uint8_t hardware[6]; /* not while INCOMPLETE, FAILED */
	uint16_t state;
	unsigned probes;  /* sent without an answer */
	int64_t stale_at; /* REACHABLE */
	struct timer timer;
	struct neighbour_packet {
		struct netbuf_queue packet;
		struct netif_offload offload;
	} waiting[NEIGHBOUR_WAITING_MAX];
	unsigned waiting_count;
};

/* By hand: it is not asked for (@permanent), or only when it is used. -EINVAL, -ENOBUFS. */
int neighbour_set(struct netif *netif, const struct inet_address *address,
	const uint8_t hardware[6], bool permanent);
int neighbour_remove(struct netif *netif, const struct inet_address *address); /* -ENOENT */

/* ---- taps and raw hooks ------------------------------------------------------------------------
 */

/* Sees every frame, for AF_PACKET; called before the stack looks at it. */
struct netif_tap {
	struct list_head link; /* in stack->taps */
	/* @frame is borrowed (slice it): with the Ethernet header on NETIF_ETHERNET, else from the
	 * IP header on. @outgoing: PACKET_OUTGOING. */
	void (*see)(struct netif_tap *tap, struct netif *netif, struct netbuf_queue *frame,
		bool outgoing, const struct netif_offload *offload);
};

/* Gets every packet of a protocol that is for us, beside the protocol's own endpoints (raw(7)). */
struct inet_udp;
struct raw_hook {
	struct list_head link; /* in stack->raw */
	uint8_t protocol;      /* of the payload; IPv6: behind the extension headers */
	bool ipv6;
	uint8_t ttl, tos; /* of the packet that arrives; ttl 0: the default */
	/* Whom errors about our own packets are told, if they are about one with @id (of an echo);
	 * NULL: nobody. -1: any. */
	struct inet_udp *endpoint;
	int32_t id;
	/* @packet is borrowed: whole with the IPv4 header, or an IPv6 packet's payload (ipv6(7)).
	 */
	void (*arrives)(struct raw_hook *hook, struct netif *netif, const struct inet_address *from,
		const struct inet_address *to, struct netbuf_queue *packet);
};

#endif
