/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_IP_H
#define SENTRY_NETSTACK_IP_H

#include "base/hash.h"
#include "base/loop.h"
#include "netstack/netif.h"

/*
 * IP as those use it who are neither TCP nor UDP sockets: raw packets out, groups, neighbours, and
 * what is counted.
 */

/* ---- sending -----------------------------------------------------------------------------------
 */

struct ip_meta {
	struct inet_address from; /* inet_any*: as the way there wants */
	struct inet_address to;
	uint8_t protocol;
	uint8_t ttl; /* 0: 64, to groups 1 */
	uint8_t tos;
	bool dont_fragment;   /* -EMSGSIZE when it does not fit */
	bool header_included; /* IPv4: the payload begins with the header (raw(7), IP_HDRINCL) */
	bool unspecified;     /* `from` is meant when it is any */
	bool router_alert;    /* RFC 2113, 2711; for IGMP and MLD */
	/* IPv6: the checksum over pseudo header and payload goes to @checksum_offset of it. */
	bool fill_checksum;
	uint16_t checksum_offset;
	uint32_t flow_label;
	struct netif *netif; /* to leave by, or NULL */
};

/*
 * Sends @payload (consumed) as one packet, or as fragments. It may be delivered to ourselves: at
 * the next netstack_run(), which the caller does. Errors of route_lookup(), -EMSGSIZE, -EINVAL,
 * -EADDRNOTAVAIL without a source, -ENOMEM.
 */
int ip_send(struct netstack *stack, const struct ip_meta *meta, struct netbuf_queue *payload);

/* The one's complement sum of @size bytes at @offset of @queue, added to @sum, and its end. */
uint32_t ip_checksum_queue(
	struct netbuf_queue *queue, uint32_t offset, uint32_t size, uint32_t sum);
uint32_t ip_checksum_bytes(const void *bytes, size_t size, uint32_t sum); /* even size, but last */
uint16_t ip_checksum_end(uint32_t sum); /* as it is to be stored, in host order */

/* ---- counters, as in /proc/net/snmp and snmp6 --------------------------------------------------
 */

struct ip_counters {
	uint64_t in_receives, in_header_errors, in_address_errors, in_unknown_protocols;
	uint64_t in_discards, in_delivers, in_octets;
	uint64_t out_requests, out_discards, out_no_routes, out_octets;
	uint64_t reassembly_timeouts, reassembly_requests, reassembly_oks, reassembly_fails;
	uint64_t fragment_oks, fragment_fails, fragment_creates;
};

struct icmp_counters {
	uint64_t in_messages, in_errors, in_checksum_errors;
	uint64_t out_messages, out_errors, out_limited;
	uint32_t in_types[256], out_types[256];
};

struct transport_counters {
	uint64_t in, out, in_errors, in_checksum_errors, no_ports;
};

/* [0] is IPv4, [1] is IPv6. */
struct netstack_counters {
	struct ip_counters ip[2];
	struct icmp_counters icmp[2];
	struct transport_counters tcp[2], udp[2], udplite[2];
};

/* ---- state of the IP layer, private to netstack/ip*.c, icmp*.c and the like ---------------------
 */

struct ip_state {
	uint32_t id_counter;
	/* Rate of ICMP errors (icmp.c): tokens in 1/1000. */
	int64_t icmp_filled_at;
	uint32_t icmp_tokens;
	struct {
		uint32_t tokens;
		int64_t filled_at;
	} icmp_peers[256];
	/* ip_reassembly.c */
	struct list_head assemblies; /* oldest first */
	struct hash_table assembly_table;
	struct timer assembly_timer;
	unsigned assembly_count;
	/* path_mtu.c */
	struct path_mtu {
		struct inet_address to;
		uint32_t mtu;
		bool no_df;
		int64_t expires_at;
	} path_mtus[256];
	bool path_mtus_used;
	/* neighbour.c */
	struct list_head neighbours; /* longest unused first */
	struct hash_table neighbour_table;
	unsigned neighbour_count;
	uint64_t waiting_bytes;
};

#endif
