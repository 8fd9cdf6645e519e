/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that came in: IPv4 (RFC 791, RFC 1122 section 3.2.1), and what both versions share. A
 * packet is looked at where it lies: its headers are copied out, checked against what is there,
 * and only then does anything depend on them. What is wrong is counted and dropped.
 *
 * We are a host: what is not for us is dropped, whichever interface it came by, and so is what
 * says it comes from ourselves.
 */
#include "netstack/ip_private.h"

#include "base/checked.h"

#define MORE_FRAGMENTS	0x2000u
#define FRAGMENT_OFFSET 0x1fffu

#define OPTION_END	    0u
#define OPTION_NOP	    1u
#define OPTION_LOOSE_ROUTE  0x83u
#define OPTION_STRICT_ROUTE 0x89u
#define OPTION_ROUTER_ALERT 0x94u

/* ---- for us -------------------------------------------------------------------------------------
 */

bool ip_show_raw(struct netstack *stack, struct ip_info *info)
{
	struct raw_hook *hook, *next;
	struct netbuf_queue payload = {0}, *shown = info->packet;
	bool taken = false;

	list_for_each_entry_safe (hook, next, &stack->raw, link) {
		if (hook->protocol != info->protocol || hook->ipv6 == info->v4)
			continue;
		if (!info->v4 && !payload.size) {
			uint32_t size = info->packet->size - info->offset;

			if (netbuf_slice(info->packet, info->offset, size, &payload) < 0)
				return taken;
			shown = &payload;
		}
		hook->ttl = info->ttl;
		hook->tos = info->tos;
		hook->arrives(hook, info->netif, &info->from, &info->to, shown);
		taken = true;
	}
	netbuf_queue_clear(&payload);
	return taken;
}

void ip_deliver(struct netstack *stack, struct ip_info *info)
{
	struct ip_counters *counters = &stack->counters.ip[ip_family(info->v4)];
	bool taken = !list_empty(&stack->raw) && ip_show_raw(stack, info);

	counters->in_delivers++;
	switch (info->protocol) {
	case INET_TCP:
	case INET_UDP:
	case INET_UDPLITE:
		transport_input(stack, info);
		return;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		if ((info->protocol == PROTO_ICMP) == info->v4) {
			icmp_input(stack, info);
			return;
		}
		break;
	case PROTO_IGMP:
		if (info->v4) {
			igmp_input(stack, info);
			return;
		}
		break;
	case PROTO_NONE:
		taken = taken || !info->v4;
		break;
	default:
		break;
	}
	if (!taken) {
		counters->in_unknown_protocols++;
		icmp_unknown_protocol(stack, info);
	}
	netbuf_queue_clear(info->packet);
}

bool ip_is_for_us(struct netstack *stack, struct ip_info *info)
{
	struct netif *owner;

	info->multicast = inet_is_multicast(&info->to);
	if (info->multicast)
		return group_is_joined(info->netif, &info->to);
	/* RFC 1122 section 3.2.1.3 g: loopback addresses are on no wire. */
	if (inet_is_loopback(&info->to) && info->netif->type != NETIF_LOOPBACK)
		return false;
	owner = netif_of_address(stack, &info->to);
	if (owner)
		return !inet_is_link_local(&info->to) || owner == info->netif ||
		       info->netif->type == NETIF_LOOPBACK;
	info->broadcast = inet_equal(&info->to, &inet_broadcast4) ||
			  netstack_is_broadcast(stack, &info->to, &owner);
	return info->broadcast;
}

/* The sender's address may be one (RFC 1122 section 3.2.1.3, RFC 4291 section 2.7). Who asks for
 * his own address has none yet. */
static bool source_is_sane(struct netstack *stack, const struct ip_info *info)
{
	const struct inet_address *from = &info->from;

	if (info->netif->type == NETIF_LOOPBACK)
		return true;
	if (inet_is_multicast(from) || inet_equal(from, &inet_broadcast4) || inet_is_loopback(from))
		return false;
	return inet_is_any(from) || !netstack_is_local(stack, from);
}

/* ---- IPv4 ---------------------------------------------------------------------------------------
 */

/* Options are skipped, but for a route that the sender chose, which nobody needs (RFC 7126 section
 * 4.3): such a packet is dropped, as by Linux. */
static bool options_are_fine(const uint8_t *at, unsigned left, bool *ret_alert)
{
	while (left > 0 && at[0] != OPTION_END) {
		unsigned size = 1;

		if (at[0] != OPTION_NOP) {
			if (left < 2 || at[1] < 2 || at[1] > left)
				return false;
			size = at[1];
		}
		if (at[0] == OPTION_LOOSE_ROUTE || at[0] == OPTION_STRICT_ROUTE)
			return false;
		*ret_alert |= at[0] == OPTION_ROUTER_ALERT;
		at += size;
		left -= size;
	}
	return true;
}

static bool read_header4(struct ip_info *info, uint8_t header[IP4_HEADER_MAX])
{
	struct netbuf_queue *packet = info->packet;
	unsigned size;
	uint32_t whole;

	if (packet->size < IP4_HEADER)
		return false;
	netbuf_peek(packet, 0, header, IP4_HEADER);
	size = (header[0] & 0xf) * 4u;
	whole = get16(header + 2);
	if (header[0] >> 4 != 4 || size < IP4_HEADER || whole < size || whole > packet->size)
		return false;
	netbuf_peek(packet, 0, header, size);
	if (ip_checksum_end(ip_checksum_bytes(header, size, 0)) != 0 ||
		!options_are_fine(header + IP4_HEADER, size - IP4_HEADER, &info->router_alert))
		return false;
	netbuf_truncate(packet, whole);
	info->v4 = true;
	info->tos = header[1];
	info->ttl = header[8];
	info->protocol = header[9];
	info->from = inet_from_v4(header + 12);
	info->to = inet_from_v4(header + 16);
	info->offset = size;
	return true;
}

static void ip4_input(struct netstack *stack, struct ip_info *info)
{
	struct ip_counters *counters = &stack->counters.ip[0];
	uint8_t header[IP4_HEADER_MAX];
	uint16_t fragment;

	counters->in_receives++;
	counters->in_octets += info->packet->size;
	if (!read_header4(info, header)) {
		counters->in_header_errors++;
		netbuf_queue_clear(info->packet);
		return;
	}
	if (!source_is_sane(stack, info) || !ip_is_for_us(stack, info)) {
		counters->in_address_errors++;
		netbuf_queue_clear(info->packet);
		return;
	}
	fragment = get16(header + 6);
	if (fragment & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) {
		struct ip_fragment piece = {
			.id = get16(header + 4),
			.start = (fragment & FRAGMENT_OFFSET) * 8u,
			.more = fragment & MORE_FRAGMENTS,
		};

		if (!ip_reassemble(stack, info, &piece))
			return;
	}
	ip_deliver(stack, info);
}

/* ---- IPv6 ---------------------------------------------------------------------------------------
 */

static bool read_header6(struct ip_info *info)
{
	struct netbuf_queue *packet = info->packet;
	uint8_t header[IP6_HEADER];
	uint32_t whole;

	if (packet->size < IP6_HEADER)
		return false;
	netbuf_peek(packet, 0, header, IP6_HEADER);
	/* No jumbograms (RFC 2675): a length of 0 is one. */
	whole = IP6_HEADER + get16(header + 4);
	if (header[0] >> 4 != 6 || whole > packet->size)
		return false;
	netbuf_truncate(packet, whole);
	info->tos = (uint8_t)(header[0] << 4 | header[1] >> 4);
	info->protocol = header[6];
	info->ttl = header[7];
	info->from = get_address6(header + 8);
	info->to = get_address6(header + 24);
	info->next_offset = 6;
	info->offset = IP6_HEADER;
	/* A mapped address is none of a packet's (RFC 4942 section 2.2). */
	return !inet_is_v4(&info->from) && !inet_is_v4(&info->to);
}

static void ip6_begin(struct netstack *stack, struct ip_info *info)
{
	struct ip_counters *counters = &stack->counters.ip[1];

	counters->in_receives++;
	counters->in_octets += info->packet->size;
	if (!read_header6(info)) {
		counters->in_header_errors++;
		netbuf_queue_clear(info->packet);
		return;
	}
	if (!source_is_sane(stack, info) || !ip_is_for_us(stack, info)) {
		counters->in_address_errors++;
		netbuf_queue_clear(info->packet);
		return;
	}
	ip6_walk(stack, info);
}

void ip_input(struct netif *netif, struct netbuf_queue *packet, bool link_broadcast,
	const struct netif_offload *offload)
{
	struct netstack *stack = netif->stack;
	uint8_t version;
	struct ip_info info = {
		.netif = netif,
		.packet = packet,
		.link_broadcast = link_broadcast,
		.checksum_valid = offload->checksum_valid || offload->needs_checksum,
	};

	if (packet->size == 0)
		return;
	netbuf_peek(packet, 0, &version, 1);
	if (version >> 4 == 4) {
		ip4_input(stack, &info);
	} else if (version >> 4 == 6) {
		ip6_begin(stack, &info);
	} else {
		stack->counters.ip[0].in_header_errors++;
		netbuf_queue_clear(packet);
	}
}
