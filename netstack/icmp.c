/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP and ICMPv6 (RFC 792, RFC 1122 section 3.2.2, RFC 4443): echoes are answered, errors are
 * sent, at a bounded rate. What errors tell us is in icmp_error.c, neighbour discovery in nd.c.
 */
#include "netstack/icmp_private.h"

#include <errno.h>

#include "base/checked.h"

#define SEC INT64_C(1000000000)

/* Linux' icmp_msgs_per_sec and icmp_msgs_burst, and for each peer (of a bucket, that is) one in a
 * second after the first six (icmp_ratelimit). In 1/1000 of a message. */
#define ALL_PER_SECOND	1000u
#define ALL_BURST	50u
#define PEER_PER_SECOND 1u
#define PEER_BURST	6u
#define MESSAGE		1000u

#define QUOTE4_MAX (576u - IP4_HEADER - ICMP_HEADER)  /* RFC 1812 section 4.3.2.3 */
#define QUOTE6_MAX (1280u - IP6_HEADER - ICMP_HEADER) /* RFC 4443 section 2.4 c */

/* ---- rate ---------------------------------------------------------------------------------------
 */

static bool take_token(
	uint32_t *tokens, int64_t *filled_at, uint32_t per_second, uint32_t burst, int64_t now)
{
	uint64_t passed = (uint64_t)min_of(now - *filled_at, 3600 * SEC);
	uint64_t more = passed * per_second / (SEC / MESSAGE);

	if (more > 0) {
		*tokens = (uint32_t)min_of(*tokens + more, (uint64_t)burst * MESSAGE);
		*filled_at = now;
	}
	if (*tokens < MESSAGE)
		return false;
	*tokens -= MESSAGE;
	return true;
}

void icmp_init(struct netstack *stack)
{
	struct ip_state *ip = &stack->ip;
	int64_t now = (int64_t)loop_monotonic();

	ip->icmp_tokens = ALL_BURST * MESSAGE;
	ip->icmp_filled_at = now;
	for (unsigned i = 0; i < sizeof(ip->icmp_peers) / sizeof(*ip->icmp_peers); i++) {
		ip->icmp_peers[i].tokens = PEER_BURST * MESSAGE;
		ip->icmp_peers[i].filled_at = now;
	}
}

static bool may_send(struct netstack *stack, const struct inet_address *to)
{
	struct ip_state *ip = &stack->ip;
	uint64_t bucket =
		hash_bytes(to, sizeof(*to)) % (sizeof(ip->icmp_peers) / sizeof(*ip->icmp_peers));
	int64_t now = (int64_t)loop_monotonic();

	if (netstack_is_local(stack, to))
		return true;
	return take_token(&ip->icmp_peers[bucket].tokens, &ip->icmp_peers[bucket].filled_at,
		       PEER_PER_SECOND, PEER_BURST, now) &&
	       take_token(&ip->icmp_tokens, &ip->icmp_filled_at, ALL_PER_SECOND, ALL_BURST, now);
}

/* ---- sending ------------------------------------------------------------------------------------
 */

/* @message (consumed) begins with the ICMP header, its checksum 0. */
void icmp_send(struct netstack *stack, struct ip_meta *meta, struct netbuf_queue *message)
{
	bool v4 = inet_is_v4(&meta->to);
	struct icmp_counters *counters = &stack->counters.icmp[ip_family(v4)];
	uint8_t type;

	netbuf_peek(message, 0, &type, 1);
	if (v4) {
		uint8_t header[ICMP_HEADER];
		struct netbuf_queue whole = {0};

		netbuf_peek(message, 0, header, sizeof(header));
		put16(header + 2, ip_checksum_end(ip_checksum_queue(message, 0, message->size, 0)));
		if (netbuf_append(&whole, header, sizeof(header)) < 0) {
			netbuf_queue_clear(message);
			return;
		}
		netbuf_drop(message, sizeof(header));
		netbuf_move(&whole, message);
		netbuf_move(message, &whole);
		meta->protocol = PROTO_ICMP;
	} else {
		meta->protocol = PROTO_ICMPV6;
		meta->fill_checksum = true;
		meta->checksum_offset = 2;
	}
	counters->out_messages++;
	counters->out_types[type]++;
	if (ip_send(stack, meta, message) < 0)
		counters->out_errors++;
}

/* An error about an error, or about what many got, is not sent (RFC 1122 section 3.2.2, RFC 4443
 * section 2.4 e). */
static bool may_complain(const struct ip_info *info, bool even_to_groups)
{
	uint8_t type;

	if (inet_is_any(&info->from) || inet_is_multicast(&info->from) ||
		inet_equal(&info->from, &inet_broadcast4))
		return false;
	if ((info->link_broadcast || info->broadcast || info->multicast) && !even_to_groups)
		return false;
	if (info->protocol != PROTO_ICMP && info->protocol != PROTO_ICMPV6)
		return true;
	if (info->packet->size <= info->offset)
		return false;
	netbuf_peek(info->packet, info->offset, &type, 1);
	return info->v4 ? type == ICMP4_ECHO_REQUEST || type == ICMP4_ECHO_REPLY : type >= 128;
}

static void complain(struct netstack *stack, const struct ip_info *info, uint8_t type, uint8_t code,
	uint32_t parameter, bool even_to_groups)
{
	const uint8_t header[ICMP_HEADER] = {type, code, 0, 0, (uint8_t)(parameter >> 24),
		(uint8_t)(parameter >> 16), (uint8_t)(parameter >> 8), (uint8_t)parameter};
	struct ip_meta meta = {
		.from = info->v4 ? inet_any4 : inet_any,
		.to = info->from,
		/* RFC 1812 section 4.3.2.5: precedence 6, as Linux. */
		.tos = info->v4 ? 0xc0 : 0,
		.ttl = TTL_DEFAULT,
		.netif = inet_is_link_local(&info->from) && info->netif->type != NETIF_LOOPBACK
				 ? info->netif
				 : NULL,
	};
	struct netbuf_queue message = {0};
	uint32_t quote = min_of(info->packet->size, info->v4 ? QUOTE4_MAX : QUOTE6_MAX);

	if (!may_complain(info, even_to_groups))
		return;
	if (!may_send(stack, &info->from)) {
		stack->counters.icmp[ip_family(info->v4)].out_limited++;
		return;
	}
	if (!info->broadcast && !info->multicast && netstack_is_local(stack, &info->to))
		meta.from = info->to;
	if (netbuf_append(&message, header, sizeof(header)) < 0 ||
		netbuf_slice(info->packet, 0, quote, &message) < 0) {
		netbuf_queue_clear(&message);
		return;
	}
	icmp_send(stack, &meta, &message);
}

void icmp_unknown_protocol(struct netstack *stack, struct ip_info *info)
{
	if (info->v4)
		complain(stack, info, ICMP4_UNREACHABLE, ICMP4_BAD_PROTOCOL, 0, false);
	else
		icmp_parameter_problem(stack, info, 1, info->next_offset);
}

void icmp_parameter_problem(
	struct netstack *stack, struct ip_info *info, uint8_t code, uint32_t pointer)
{
	if (info->v4)
		complain(stack, info, ICMP4_PARAMETER, code, pointer << 24, false);
	else
		complain(stack, info, ICMP6_PARAMETER, code, pointer, code == 2);
}

void icmp_reassembly_timeout(struct netstack *stack, struct ip_info *info)
{
	complain(stack, info, info->v4 ? ICMP4_TIME : ICMP6_TIME, 1, 0, false);
}

/* Whoever sent the datagram hears that nobody takes it, with as much of it as there was. */
void icmp_port_unreachable(struct netstack *stack, struct inet_packet *packet)
{
	bool v4 = inet_is_v4(&packet->to.address);
	unsigned index = packet->netif_index ? packet->netif_index : 1;
	struct netbuf_queue frame = {0};
	struct ip_info info = {
		.netif = netif_by_index(stack, index),
		.from = packet->from.address,
		.to = packet->to.address,
		.protocol = packet->protocol,
		.v4 = v4,
		.broadcast = packet->to_many,
		.packet = &frame,
	};

	if (!info.netif || ip_serialise(stack, packet, &frame) < 0)
		return;
	complain(stack, &info, v4 ? ICMP4_UNREACHABLE : ICMP6_UNREACHABLE,
		v4 ? ICMP4_BAD_PORT : ICMP6_BAD_PORT, 0, false);
	netbuf_queue_clear(&frame);
}

/* A packet of our own that a link could not carry: as if a router had said so. */
void icmp_own_unreachable(struct netstack *stack, struct netbuf_queue *packet)
{
	uint8_t header[IP6_HEADER];
	struct ip_info info = {.netif = &stack->loopback, .packet = packet};

	if (packet->size < IP4_HEADER)
		return;
	netbuf_peek(packet, 0, header, min_of(packet->size, IP6_HEADER));
	info.v4 = header[0] >> 4 == 4;
	if (info.v4) {
		info.from = inet_from_v4(header + 12);
		info.to = inet_from_v4(header + 16);
		info.protocol = header[9];
		info.offset = (header[0] & 0xf) * 4u;
	} else if (packet->size >= IP6_HEADER) {
		info.from = get_address6(header + 8);
		info.to = get_address6(header + 24);
		info.protocol = header[6];
		info.offset = IP6_HEADER;
	} else {
		return;
	}
	if (!netstack_is_local(stack, &info.from))
		return;
	/* What is said to ourselves is not of the one who cannot be reached. */
	complain(stack, &info, info.v4 ? ICMP4_UNREACHABLE : ICMP6_UNREACHABLE,
		info.v4 ? ICMP4_BAD_HOST : ICMP6_BAD_ADDRESS, 0, false);
}

/* ---- what comes ---------------------------------------------------------------------------------
 */

static void echo(struct netstack *stack, struct ip_info *info, const uint8_t *header)
{
	uint8_t reply[ICMP_HEADER];
	struct netbuf_queue message = {0};
	struct ip_meta meta = {
		.from = info->broadcast || info->multicast ? (info->v4 ? inet_any4 : inet_any)
							   : info->to,
		.to = info->from,
		.tos = info->tos,
		.ttl = TTL_DEFAULT,
		.netif = info->netif->type != NETIF_LOOPBACK && inet_is_link_local(&info->from)
				 ? info->netif
				 : NULL,
	};

	/* RFC 1122 section 3.2.2.6 allows silence, which keeps us out of others' floods. */
	if (inet_is_any(&info->from) || (info->v4 && (info->broadcast || info->multicast)))
		return;
	memcpy(reply, header, sizeof(reply));
	reply[0] = info->v4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
	put16(reply + 2, 0);
	netbuf_drop(info->packet, info->offset + ICMP_HEADER);
	if (netbuf_append(&message, reply, sizeof(reply)) < 0)
		return;
	netbuf_move(&message, info->packet);
	icmp_send(stack, &meta, &message);
}

static void take4(struct netstack *stack, struct ip_info *info, const uint8_t *header)
{
	switch (header[0]) {
	case ICMP4_ECHO_REQUEST:
		echo(stack, info, header);
		break;
	case ICMP4_UNREACHABLE:
	case ICMP4_TIME:
	case ICMP4_PARAMETER:
		icmp_error_input(stack, info, header);
		break;
	default:
		break; /* replies are for raw sockets, the rest is deprecated (RFC 6633, 6918) */
	}
}

static void take6(struct netstack *stack, struct ip_info *info, const uint8_t *header)
{
	switch (header[0]) {
	case ICMP6_ECHO_REQUEST:
		echo(stack, info, header);
		break;
	case ICMP6_UNREACHABLE:
	case ICMP6_TOO_BIG:
	case ICMP6_TIME:
	case ICMP6_PARAMETER:
		icmp_error_input(stack, info, header);
		break;
	case ICMP6_ROUTER_ADVERTISEMENT:
	case ICMP6_NEIGHBOUR_SOLICITATION:
	case ICMP6_NEIGHBOUR_ADVERTISEMENT:
		nd_input(stack, info, header[0]);
		break;
	case ICMP6_LISTENER_QUERY:
		group_query6(stack, info);
		break;
	default:
		break;
	}
}

void icmp_input(struct netstack *stack, struct ip_info *info)
{
	struct icmp_counters *counters = &stack->counters.icmp[ip_family(info->v4)];
	uint32_t size = info->packet->size - info->offset;
	uint8_t header[ICMP_HEADER];
	uint32_t sum;

	counters->in_messages++;
	if (size < ICMP_HEADER) {
		counters->in_errors++;
		netbuf_queue_clear(info->packet);
		return;
	}
	sum = info->v4 ? 0 : ip_pseudo_sum(&info->from, &info->to, info->protocol, size);
	if (ip_checksum_end(ip_checksum_queue(info->packet, info->offset, size, sum)) != 0) {
		counters->in_errors++;
		counters->in_checksum_errors++;
		netbuf_queue_clear(info->packet);
		return;
	}
	netbuf_peek(info->packet, info->offset, header, sizeof(header));
	counters->in_types[header[0]]++;
	if (info->v4)
		take4(stack, info, header);
	else
		take6(stack, info, header);
	netbuf_queue_clear(info->packet);
}
