/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_IP_PRIVATE_H
#define SENTRY_NETSTACK_IP_PRIVATE_H

#include <string.h>

#include "netstack/netif_private.h"

/* Private to the IP layer: netstack/ip*.c, icmp*.c, transport.c, ethernet.c, arp.c, nd*.c. */

#define IP4_HEADER     20u
#define IP4_HEADER_MAX 60u
#define IP6_HEADER     40u
#define UDP_HEADER     8u
#define IP_PACKET_MAX  65535u
#define TTL_DEFAULT    64u

#define PROTO_HOP_BY_HOP   0u
#define PROTO_ICMP	   1u
#define PROTO_IGMP	   2u
#define PROTO_ROUTING	   43u
#define PROTO_FRAGMENT	   44u
#define PROTO_ICMPV6	   58u
#define PROTO_NONE	   59u
#define PROTO_DESTINATIONS 60u

#define ETHERTYPE_IP4	0x0800u
#define ETHERTYPE_ARP	0x0806u
#define ETHERTYPE_IP6	0x86ddu
#define ETHERNET_HEADER 14u

/* Bytes of the network, at any alignment. */
static inline uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static inline void put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static inline void put32(uint8_t *bytes, uint32_t value)
{
	put16(bytes, (uint16_t)(value >> 16));
	put16(bytes + 2, (uint16_t)value);
}

static inline struct inet_address get_address6(const uint8_t *bytes)
{
	struct inet_address address;

	memcpy(address.bytes, bytes, sizeof(address.bytes));
	return address;
}

/* A packet that is being looked at. */
struct ip_info {
	struct netif *netif; /* that it came by */
	struct inet_address from, to;
	uint8_t protocol, ttl, tos;
	bool v4;
	bool link_broadcast;	   /* the frame was for more than us */
	bool broadcast, multicast; /* `to` is */
	bool checksum_valid;	   /* of the transport, as the driver said */
	bool reassembled;
	bool router_alert;
	struct netbuf_queue *packet; /* from the IP header on */
	uint32_t offset;	     /* of the payload */
	uint32_t next_offset;	     /* IPv6: of the byte that says what the payload is */
};

static inline unsigned ip_family(bool v4)
{
	return v4 ? 0 : 1;
}

/* checksum of pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1) */
uint32_t ip_pseudo_sum(const struct inet_address *from, const struct inet_address *to,
	uint8_t protocol, uint32_t size);
/* The transport's checksum, from info->offset on, is right. */
bool ip_checksum_is_right(const struct ip_info *info);

/* transport.c */
#define TRANSPORT_HEADER_MAX 60u
/*
 * Writes @packet's TCP or UDP header, with the checksum, or with the pseudo header's alone
 * (@partial). Returns its size; *@ret_data is what follows it.
 */
unsigned transport_write(struct inet_packet *packet, bool partial,
	uint8_t header[TRANSPORT_HEADER_MAX], struct netbuf_queue **ret_data);
unsigned transport_checksum_offset(uint8_t protocol);
/* Takes info->packet apart. */
void transport_input(struct netstack *stack, struct ip_info *info);

/* ip_output.c */
/* @packet (consumed), from the IP header on, leaves as @route says. */
void ip_transmit(struct netstack *stack, const struct route_result *route,
	struct netbuf_queue *packet, const struct netif_offload *offload);
/* Content for a socket at the other end of @route: serialised. @packet's content is consumed. */
void ip_output_packet(
	struct netstack *stack, struct inet_packet *packet, const struct route_result *route);
/* A whole IP packet as it would be on a link, @packet's content by reference. */
int ip_serialise(
	struct netstack *stack, struct inet_packet *packet, struct netbuf_queue *ret_frame);

/* ip_input.c: consumes @packet */
void ip_input(struct netif *netif, struct netbuf_queue *packet, bool link_broadcast,
	const struct netif_offload *offload);
/* What is behind all headers, for us. Consumes info->packet. */
void ip_deliver(struct netstack *stack, struct ip_info *info);
/* To raw sockets; true: somebody wanted it. info->packet stays the caller's. */
bool ip_show_raw(struct netstack *stack, struct ip_info *info);
/* ip6_input.c */
void ip6_input(struct netstack *stack, struct ip_info *info);
/* From info->next_offset on. */
void ip6_walk(struct netstack *stack, struct ip_info *info);

/* @info's packet is for us; sets multicast and broadcast. */
bool ip_is_for_us(struct netstack *stack, struct ip_info *info);

/* ip_reassembly.c */
struct ip_fragment {
	uint32_t id, start; /* start: bytes of the payload */
	bool more;
	uint8_t next; /* IPv6 */
};
/* Takes the piece. True: @info is the whole packet. False: consumed. */
bool ip_reassemble(
	struct netstack *stack, struct ip_info *info, const struct ip_fragment *fragment);

/* icmp.c: input consumes info->packet; the others send an error about it */
void icmp_input(struct netstack *stack, struct ip_info *info);
void icmp_unknown_protocol(struct netstack *stack, struct ip_info *info);
void icmp_parameter_problem(
	struct netstack *stack, struct ip_info *info, uint8_t code, uint32_t pointer);
void icmp_reassembly_timeout(struct netstack *stack, struct ip_info *info);
void icmp_port_unreachable(struct netstack *stack, struct inet_packet *packet);
void icmp_own_unreachable(struct netstack *stack, struct netbuf_queue *packet);

/* group.c: consumes info->packet; does not */
void igmp_input(struct netstack *stack, struct ip_info *info);
void group_query6(struct netstack *stack, struct ip_info *info);

/* ethernet.c */
void ethernet_input(
	struct netif *netif, struct netbuf_queue *frame, const struct netif_offload *offload);
/* @packet (consumed) to @next_hop, or where @route says that goes. */
void ethernet_send(struct netif *netif, const struct route_result *route,
	struct netbuf_queue *packet, const struct netif_offload *offload);
/* @payload (consumed) in a frame. */
void ethernet_frame(struct netif *netif, const uint8_t to[6], uint16_t type,
	struct netbuf_queue *payload, const struct netif_offload *offload);

/* arp.c: @hardware NULL asks everybody; the packet stays the caller's */
void arp_input(struct netif *netif, struct netbuf_queue *packet);
void arp_request(struct netif *netif, const struct inet_address *from,
	const struct inet_address *target, const uint8_t *hardware);
void arp_announce(struct netif *netif, const struct inet_address *own);

/* nd.c: likewise */
void nd_solicit(struct netif *netif, const struct inet_address *from,
	const struct inet_address *target, const uint8_t *hardware);

/* neighbour.c */
struct neighbour *neighbour_find(const struct netif *netif, const struct inet_address *address);
/* @packet (consumed) to the neighbour @hop, now or when it is found. */
void neighbour_send(struct netif *netif, const struct inet_address *hop,
	struct netbuf_queue *packet, const struct netif_offload *offload);
/* It has @hardware: new or known; known. */
void neighbour_learn(
	struct netif *netif, const struct inet_address *address, const uint8_t hardware[6]);
void neighbour_heard(struct neighbour *neighbour, const uint8_t hardware[6]);
/* It answered us. */
void neighbour_confirm(struct neighbour *neighbour);

#endif
