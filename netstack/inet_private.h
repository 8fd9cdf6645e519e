/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_INET_PRIVATE_H
#define SENTRY_NETSTACK_INET_PRIVATE_H

#include "netstack/inet.h"

/* Instead of a protocol: segment.payload is a whole IP packet that is for us. */
#define INET_WHOLE_PACKET 0u

/* What one endpoint sends to another: a segment, or a datagram. */
struct inet_packet {
	struct list_head link;
	uint8_t protocol;
	uint8_t ttl, tos;      /* ttl 0: the default */
	uint8_t mtu_discover;  /* enum inet_mtu_discover */
	bool no_loop;	       /* a group's members here get no copy */
	bool to_many;	       /* to a group, or to everybody */
	uint16_t segment_size; /* TCP: what the peer takes in one segment; 0: not said */
	unsigned netif_index;  /* that it came by, or is bound to leave by; 0: any */
	uint16_t coverage;     /* UDP-Lite */
	struct inet_name from, to;
	struct tcp_segment segment;
	struct inet_datagram *datagram;
};

/* Of netstack.ports and .users. */
static inline uint64_t inet_port_hash(uint8_t protocol, uint16_t port)
{
	return hash_u64((uint64_t)protocol << 16 | port);
}

/* inet.c */
/* Where @endpoint's packets to @to go; @index: what inet_send says. Errors of route_lookup(). */
int inet_lookup(const struct inet_endpoint *endpoint, const struct inet_address *to, unsigned index,
	struct route_result *ret);
/* Gives each endpoint that a broadcast is for a copy of @datagram, which stays the caller's. */
void inet_for_each_receiver(
	struct netstack *stack, const struct inet_packet *packet, struct inet_datagram *datagram);
int inet_endpoint_init(
	struct inet_endpoint *endpoint, struct netstack *stack, uint8_t protocol, bool ipv6);
/* Out of all tables. */
void inet_endpoint_fini(struct inet_endpoint *endpoint);
int inet_insert_pair(struct inet_endpoint *endpoint);
/* An accepted connection holds its listener's port, though it is not looked for there. */
int inet_insert_user(struct inet_endpoint *endpoint);
struct inet_endpoint *inet_find_pair(struct netstack *stack, uint8_t protocol,
	const struct inet_name *local, const struct inet_name *remote);
/* SO_BINDTODEVICE: @endpoint takes what comes by the interface @index, 0 for the loopback's. */
bool inet_takes_from(const struct inet_endpoint *endpoint, unsigned index);
/* The bound endpoint that @to is for: the one that says most, among equals by the hash of the pair
 * (SO_REUSEPORT). @listening: only those. @netif_index: that the packet came by. */
struct inet_endpoint *inet_find_bound(struct netstack *stack, uint8_t protocol, bool listening,
	const struct inet_name *to, const struct inet_name *from, unsigned netif_index);
/* -EADDRINUSE when somebody else's binding does not go together with @endpoint's. */
int inet_check_conflict(const struct inet_endpoint *endpoint, const struct inet_name *name);
int inet_autobind(struct inet_endpoint *endpoint);
/* Takes @packet: on the loopback link, or out of an interface. */
void netstack_queue(struct netstack *stack, struct inet_packet *packet);
void inet_packet_free(struct inet_packet *packet);

/* inet_tcp.c, inet_udp.c: take @packet's content, not the packet */
void inet_tcp_arrives(struct netstack *stack, struct inet_packet *packet);
/* @endpoint's pair is wanted for a new connection: true when it was in TIME_WAIT for a second, and
 * is gone (RFC 6191, and Linux's net.ipv4.tcp_tw_reuse for the loopback device). */
bool inet_tcp_take_over(struct inet_tcp *endpoint);
/* More than half of all that may be: no place for those who only wait (tcp_max_tw_buckets). */
bool inet_endpoints_are_many(void);
void inet_tcp_destroy(struct inet_tcp *endpoint);
/* Gives a copy of @datagram, which stays the caller's, to @receiver. */
void inet_udp_deliver_copy(struct inet_udp *receiver, struct inet_datagram *datagram);
/* inet_group.c: to all members that want it. */
void inet_group_deliver(struct netstack *stack, struct inet_packet *packet);
void inet_udp_arrives(struct netstack *stack, struct inet_packet *packet);
uint32_t inet_udp_charge(uint32_t size); /* what a datagram with @size bytes is charged for */
/* What the network said of a packet that we sent. */
struct inet_report {
	int error;		    /* positive errno */
	uint8_t origin, type, code; /* SO_EE_ORIGIN_*, and of ICMP */
	bool hard;		    /* a connected socket hears of it without asking */
	bool too_big;
	uint32_t info;		      /* too_big: the path's MTU */
	struct inet_address offender; /* who said so */
	struct inet_name from, to;    /* of the packet */
	struct netbuf_queue *quote;   /* borrowed: the message, in which ... */
	uint32_t quote_offset;	      /* ... what follows the packet's headers begins here */
};
#define INET_ORIGIN_ICMP  2u
#define INET_ORIGIN_ICMP6 3u
void inet_udp_report(struct inet_udp *endpoint, const struct inet_report *report);
void inet_tcp_unreachable(struct inet_tcp *endpoint, int error);
void inet_tcp_path_mtu(struct inet_tcp *endpoint, uint32_t mtu);

#endif
