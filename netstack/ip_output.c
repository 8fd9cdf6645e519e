/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets on their way out (RFC 791, RFC 8200): headers are put in front of content that stays
 * where it is, what is too long for the path is cut. TCP segments that are longer than the path
 * takes are cut into segments, by the driver if it can (NETIF_TX_SEGMENTS), else here; everything
 * else into fragments, unless it must not be.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"
#include "netstack/ip_private.h"

#define FRAGMENT_HEADER 8u /* RFC 8200 section 4.5 */
#define HEADERS_MAX	(IP6_HEADER + 8u + TRANSPORT_HEADER_MAX)

#define DONT_FRAGMENT  0x4000u
#define MORE_FRAGMENTS 0x2000u

/* ---- headers ------------------------------------------------------------------------------------
 */

struct header {
	const struct inet_address *from, *to;
	uint8_t protocol, ttl, tos;
	bool dont_fragment, router_alert;
	uint32_t flow_label;
};

/* RFC 6864: what cannot be fragmented needs none of its own, all others one that does not come
 * again soon, and that nobody else can guess (RFC 7739). */
static uint32_t next_id(
	struct netstack *stack, const struct inet_address *from, const struct inet_address *to)
{
	uint8_t pair[32];

	memcpy(pair, from->bytes, 16);
	memcpy(pair + 16, to->bytes, 16);
	return (uint32_t)siphash(pair, sizeof(pair), stack->port_key) + stack->ip.id_counter++;
}

static unsigned header_size(const struct header *header)
{
	return inet_is_v4(header->to) ? IP4_HEADER + (header->router_alert ? 4 : 0)
				      : IP6_HEADER + (header->router_alert ? 8 : 0);
}

static void finish4(uint8_t *bytes, unsigned size)
{
	put16(bytes + 10, 0);
	put16(bytes + 10, ip_checksum_end(ip_checksum_bytes(bytes, size, 0)));
}

/* @fragment: flags and offset as IPv4's header has them. */
static unsigned write4(uint8_t *bytes, const struct header *header, uint32_t payload, uint16_t id,
	uint16_t fragment)
{
	unsigned size = header_size(header);

	bytes[0] = (uint8_t)(0x40 | size / 4);
	bytes[1] = header->tos;
	put16(bytes + 2, (uint16_t)(size + payload));
	put16(bytes + 4, id);
	put16(bytes + 6, fragment);
	bytes[8] = header->ttl;
	bytes[9] = header->protocol;
	memcpy(bytes + 12, header->from->bytes + 12, 4);
	memcpy(bytes + 16, header->to->bytes + 12, 4);
	if (header->router_alert)
		put32(bytes + 20, 0x94040000); /* RFC 2113 section 2.1 */
	finish4(bytes, size);
	return size;
}

static unsigned write6(uint8_t *bytes, const struct header *header, uint32_t payload, uint8_t next)
{
	uint32_t extra = header->router_alert ? 8 : 0;

	put32(bytes, 0x60000000u | (uint32_t)header->tos << 20 | (header->flow_label & 0xfffff));
	put16(bytes + 4, (uint16_t)(payload + extra));
	bytes[6] = extra ? PROTO_HOP_BY_HOP : next;
	bytes[7] = header->ttl;
	memcpy(bytes + 8, header->from->bytes, 16);
	memcpy(bytes + 24, header->to->bytes, 16);
	if (extra) {
		/* RFC 2711 section 2.1: MLD; and two bytes of padding. */
		static const uint8_t alert[] = {0, 0, 5, 2, 0, 0, 1, 0};

		memcpy(bytes + IP6_HEADER, alert, sizeof(alert));
		bytes[IP6_HEADER] = next;
	}
	return IP6_HEADER + extra;
}

/* Moves @data behind @size bytes of headers. */
static int prepend(
	struct netbuf_queue *ret, const void *headers, unsigned size, struct netbuf_queue *data)
{
	int err = netbuf_append(ret, headers, size);

	if (err == 0)
		netbuf_move(ret, data);
	return err;
}

/* ---- out ----------------------------------------------------------------------------------------
 */

/* To ourselves, as a whole packet: it is looked at by the next netstack_run(). */
static void queue_to_self(struct netstack *stack, struct netbuf_queue *frame)
{
	struct inet_packet *packet = malloc(sizeof(*packet));

	if (!packet) {
		netbuf_queue_clear(frame);
		return;
	}
	*packet = (struct inet_packet){.protocol = INET_WHOLE_PACKET, .netif_index = 1};
	netbuf_move(&packet->segment.payload, frame);
	list_add_tail(&packet->link, &stack->packets);
}

void ip_transmit(struct netstack *stack, const struct route_result *route,
	struct netbuf_queue *packet, const struct netif_offload *offload)
{
	static const struct netif_offload none;
	struct netif *netif = route->netif;
	struct ip_counters *counters = &stack->counters.ip[ip_family(inet_is_v4(&route->next_hop))];

	offload = offload ? offload : &none;
	counters->out_requests++;
	counters->out_octets += packet->size;
	if (!(netif->flags & NETIF_UP) || (!netif->ops->transmit && !route->local)) {
		counters->out_discards++;
		netbuf_queue_clear(packet);
		return;
	}
	if (netif->type == NETIF_ETHERNET) {
		ethernet_send(netif, route, packet, offload);
		return;
	}
	netif_tap(netif, packet, true, offload);
	if (route->local) {
		netif->counters.tx_packets++;
		netif->counters.tx_bytes += packet->size;
		queue_to_self(stack, packet);
	} else {
		netif->ops->transmit(netif, packet, offload);
	}
}

static int fragment4(struct netstack *stack, const struct route_result *route,
	const struct header *header, struct netbuf_queue *payload)
{
	uint16_t id = (uint16_t)next_id(stack, header->from, header->to);
	uint32_t piece = (route->mtu - header_size(header)) & ~7u, offset = 0;
	uint8_t bytes[IP4_HEADER_MAX];

	while (offset < payload->size) {
		uint32_t size = min_of(piece, payload->size - offset);
		bool more = offset + size < payload->size;
		struct netbuf_queue frame = {0};
		unsigned header_bytes = write4(bytes, header, size, id,
			(uint16_t)(offset / 8 | (more ? MORE_FRAGMENTS : 0)));
		int err = netbuf_append(&frame, bytes, header_bytes);

		err = err < 0 ? err : netbuf_slice(payload, offset, size, &frame);
		if (err < 0) {
			netbuf_queue_clear(&frame);
			return err;
		}
		stack->counters.ip[0].fragment_creates++;
		ip_transmit(stack, route, &frame, NULL);
		offset += size;
	}
	return 0;
}

static int fragment6(struct netstack *stack, const struct route_result *route,
	const struct header *header, struct netbuf_queue *payload)
{
	uint32_t id = next_id(stack, header->from, header->to), offset = 0;
	uint32_t piece = (route->mtu - header_size(header) - FRAGMENT_HEADER) & ~7u;
	uint8_t bytes[IP6_HEADER + 8 + FRAGMENT_HEADER];

	while (offset < payload->size) {
		uint32_t size = min_of(piece, payload->size - offset);
		bool more = offset + size < payload->size;
		struct netbuf_queue frame = {0};
		unsigned header_bytes =
			write6(bytes, header, FRAGMENT_HEADER + size, PROTO_FRAGMENT);
		int err;

		bytes[header_bytes] = header->protocol;
		bytes[header_bytes + 1] = 0;
		put16(bytes + header_bytes + 2, (uint16_t)(offset | more));
		put32(bytes + header_bytes + 4, id);
		err = netbuf_append(&frame, bytes, header_bytes + FRAGMENT_HEADER);
		err = err < 0 ? err : netbuf_slice(payload, offset, size, &frame);
		if (err < 0) {
			netbuf_queue_clear(&frame);
			return err;
		}
		stack->counters.ip[1].fragment_creates++;
		ip_transmit(stack, route, &frame, NULL);
		offset += size;
	}
	return 0;
}

/* One packet or fragments. Consumes @payload, from the transport's header on. */
static int output(struct netstack *stack, const struct route_result *route,
	const struct header *header, struct netbuf_queue *payload,
	const struct netif_offload *offload)
{
	bool v4 = inet_is_v4(header->to);
	unsigned size = header_size(header);
	struct ip_counters *counters = &stack->counters.ip[ip_family(v4)];
	struct netbuf_queue frame = {0};
	uint8_t bytes[IP6_HEADER + 8];
	int err;

	if (payload->size + (v4 ? size : size - IP6_HEADER) > IP_PACKET_MAX) {
		netbuf_queue_clear(payload);
		return -EMSGSIZE;
	}
	if (size + payload->size > route->mtu && !(offload && offload->segment_size)) {
		if (header->dont_fragment || route->mtu < (v4 ? INET_MTU_MIN4 : INET_MTU_MIN6)) {
			counters->fragment_fails++;
			netbuf_queue_clear(payload);
			return -EMSGSIZE;
		}
		err = v4 ? fragment4(stack, route, header, payload)
			 : fragment6(stack, route, header, payload);
		counters->fragment_oks += err == 0;
		counters->fragment_fails += err < 0;
		netbuf_queue_clear(payload);
		return err;
	}
	if (v4)
		write4(bytes, header, payload->size,
			header->dont_fragment ? 0
					      : (uint16_t)next_id(stack, header->from, header->to),
			header->dont_fragment ? DONT_FRAGMENT : 0);
	else
		write6(bytes, header, payload->size, header->protocol);
	err = prepend(&frame, bytes, size, payload);
	if (err < 0) {
		netbuf_queue_clear(payload);
		return err;
	}
	ip_transmit(stack, route, &frame, offload);
	return 0;
}

/* ---- what sockets send --------------------------------------------------------------------------
 */

static struct header header_for(const struct inet_packet *packet, const struct route_result *route)
{
	bool fits = true;

	/* IP_PMTUDISC_WANT: not to be fragmented by others when it goes in one piece. */
	if (packet->protocol != INET_TCP)
		fits = packet->datagram->data.size + UDP_HEADER +
			       (inet_is_v4(&packet->to.address) ? IP4_HEADER : IP6_HEADER) <=
		       route->mtu;
	return (struct header){
		.from = &packet->from.address,
		.to = &packet->to.address,
		.protocol = packet->protocol,
		.ttl = packet->ttl	  ? packet->ttl
		       : route->multicast ? 1
					  : TTL_DEFAULT,
		.tos = packet->tos,
		.dont_fragment = packet->mtu_discover == INET_MTU_DO ||
				 packet->mtu_discover == INET_MTU_PROBE ||
				 (packet->mtu_discover == INET_MTU_WANT && fits && !route->no_df),
	};
}

static int output_whole(struct netstack *stack, struct inet_packet *packet,
	const struct route_result *route, uint16_t segment_size)
{
	struct header header = header_for(packet, route);
	unsigned ip = header_size(&header), size;
	uint8_t bytes[TRANSPORT_HEADER_MAX];
	struct netbuf_queue *data, payload = {0};
	bool tcp = packet->protocol == INET_TCP;
	/* A segment is never longer than the path takes here; fragments have no sums to complete.
	 */
	bool whole = tcp || ip + UDP_HEADER + packet->datagram->data.size <= route->mtu;
	bool partial = (route->netif->flags & NETIF_TX_CHECKSUM) &&
		       packet->protocol != INET_UDPLITE && whole;
	struct netif_offload offload = {
		.needs_checksum = partial,
		.checksum_start = (uint16_t)ip,
		.checksum_offset = (uint16_t)transport_checksum_offset(packet->protocol),
		.segment_size = segment_size,
	};
	int err;

	size = transport_write(packet, partial, bytes, &data);
	err = prepend(&payload, bytes, size, data);
	if (err < 0)
		return err;
	return output(stack, route, &header, &payload, &offload);
}

/* A segment that is longer than the path takes, as several (what a driver would do). */
static void output_cut(struct netstack *stack, struct inet_packet *packet,
	const struct route_result *route, uint32_t mss)
{
	struct netbuf_queue whole = {0};
	uint8_t flags = packet->segment.flags;

	netbuf_move(&whole, &packet->segment.payload);
	while (whole.size > 0) {
		uint32_t size = min_of(mss, whole.size);
		bool last = size == whole.size;

		packet->segment.flags = last ? flags : flags & (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (netbuf_slice(&whole, 0, size, &packet->segment.payload) < 0 ||
			output_whole(stack, packet, route, 0) < 0)
			break; /* the rest is lost, and comes again */
		packet->segment.seq += size;
		netbuf_queue_clear(&packet->segment.payload);
		netbuf_drop(&whole, size);
	}
	netbuf_queue_clear(&whole);
}

/* UDP_SEGMENT: what was sent as one leaves as datagrams of a size. */
static void output_datagrams(
	struct netstack *stack, struct inet_packet *packet, const struct route_result *route)
{
	struct inet_datagram *datagram = packet->datagram;
	struct netbuf_queue whole = {0};
	uint32_t step = datagram->segment_size;

	netbuf_move(&whole, &datagram->data);
	do {
		uint32_t size = step ? min_of(step, whole.size) : whole.size;

		if (size > 0 && netbuf_slice(&whole, 0, size, &datagram->data) < 0)
			break;
		netbuf_drop(&whole, size);
		(void)output_whole(stack, packet, route, 0);
		netbuf_queue_clear(&datagram->data);
	} while (whole.size > 0);
	netbuf_queue_clear(&whole);
}

void ip_output_packet(
	struct netstack *stack, struct inet_packet *packet, const struct route_result *route)
{
	bool v4 = inet_is_v4(&packet->to.address);
	uint8_t header[TRANSPORT_HEADER_MAX];
	struct netbuf_queue *data;
	uint32_t headers, mss;

	if (packet->protocol == INET_TCP) {
		stack->counters.tcp[ip_family(v4)].out++;
		headers = (v4 ? IP4_HEADER : IP6_HEADER) +
			  transport_write(packet, true, header, &data);
		if (headers + data->size > route->mtu && headers + 8 <= route->mtu) {
			mss = route->mtu - headers;
			if (packet->segment_size)
				mss = min_of(mss, (uint32_t)packet->segment_size);
			if ((route->netif->flags & NETIF_TX_SEGMENTS) &&
				(route->netif->flags & NETIF_TX_CHECKSUM) &&
				!(packet->segment.flags & (TCP_SYN | TCP_URG)))
				(void)output_whole(stack, packet, route, (uint16_t)mss);
			else
				output_cut(stack, packet, route, mss);
			return;
		}
	} else if (packet->protocol == INET_UDP) {
		stack->counters.udp[ip_family(v4)].out++;
	} else {
		stack->counters.udplite[ip_family(v4)].out++;
	}
	if (packet->datagram)
		output_datagrams(stack, packet, route);
	else
		(void)output_whole(stack, packet, route, 0);
}

int ip_serialise(struct netstack *stack, struct inet_packet *packet, struct netbuf_queue *ret_frame)
{
	const struct route_result route = {.mtu = INET_LOOPBACK_MTU};
	struct header header = header_for(packet, &route);
	uint8_t bytes[HEADERS_MAX];
	struct netbuf_queue *data;
	unsigned ip = header_size(&header), size;
	int err;

	size = transport_write(packet, false, bytes + ip, &data);
	if (ip == IP4_HEADER)
		write4(bytes, &header, size + data->size, 0, DONT_FRAGMENT);
	else
		write6(bytes, &header, size + data->size, packet->protocol);
	err = netbuf_append(ret_frame, bytes, ip + size);
	if (err == 0)
		err = netbuf_slice(data, 0, data->size, ret_frame);
	if (err < 0)
		netbuf_queue_clear(ret_frame);
	return err;
}

/* ---- ip_send() ----------------------------------------------------------------------------------
 */

/* IP_HDRINCL (raw(7)): length and checksum are always filled in, source and id when they are 0. */
static int send_included(struct netstack *stack, const struct ip_meta *meta,
	struct route_result *route, struct netbuf_queue *payload)
{
	uint8_t bytes[IP4_HEADER_MAX];
	struct netbuf_queue frame = {0};
	unsigned size;
	int err;

	if (payload->size < IP4_HEADER)
		return -EINVAL;
	netbuf_peek(payload, 0, bytes, IP4_HEADER);
	size = (bytes[0] & 0xf) * 4u;
	if (size < IP4_HEADER || size > payload->size)
		return -EINVAL;
	if (payload->size > route->mtu)
		return -EMSGSIZE;
	netbuf_peek(payload, 0, bytes, size);
	put16(bytes + 2, (uint16_t)payload->size);
	if (get32(bytes + 12) == 0)
		memcpy(bytes + 12, route->source.bytes + 12, 4);
	if (get16(bytes + 4) == 0)
		put16(bytes + 4, (uint16_t)next_id(stack, &route->source, &meta->to));
	finish4(bytes, size);
	netbuf_drop(payload, size);
	err = prepend(&frame, bytes, size, payload);
	if (err == 0)
		ip_transmit(stack, route, &frame, NULL);
	return err;
}

/* The checksum at @offset of @payload, whose first bytes are copied for it. */
static int fill_checksum(const struct header *header, uint16_t offset, struct netbuf_queue *payload)
{
	uint8_t field[2] = {0, 0};
	struct netbuf_queue filled = {0};
	uint32_t sum = ip_pseudo_sum(header->from, header->to, header->protocol, payload->size);
	int err;

	if (offset % 2 != 0 || offset + 2u > payload->size)
		return -EINVAL;
	sum = offset ? ip_checksum_queue(payload, 0, offset, sum) : sum;
	sum = ip_checksum_queue(payload, offset + 2u, payload->size - offset - 2u, sum);
	put16(field, ip_checksum_end(sum));
	err = netbuf_slice(payload, 0, offset, &filled);
	err = err < 0 ? err : netbuf_append(&filled, field, 2);
	if (err < 0) {
		netbuf_queue_clear(&filled);
		return err;
	}
	netbuf_drop(payload, offset + 2u);
	netbuf_move(&filled, payload);
	netbuf_move(payload, &filled);
	return 0;
}

static int send_routed(struct netstack *stack, const struct ip_meta *meta,
	struct route_result *route, struct netbuf_queue *payload)
{
	struct header header = {
		.from = inet_is_any(&meta->from) && !meta->unspecified ? &route->source
								       : &meta->from,
		.to = &meta->to,
		.protocol = meta->protocol,
		.ttl = meta->ttl	  ? meta->ttl
		       : route->multicast ? 1
					  : TTL_DEFAULT,
		.tos = meta->tos,
		.dont_fragment = meta->dont_fragment,
		.router_alert = meta->router_alert,
		.flow_label = meta->flow_label,
	};
	int err;

	if (meta->header_included && inet_is_v4(&meta->to))
		return send_included(stack, meta, route, payload);
	if (inet_is_any(header.from) && !inet_is_v4(&meta->to) && !meta->unspecified)
		return -EADDRNOTAVAIL;
	if (meta->fill_checksum) {
		err = fill_checksum(&header, meta->checksum_offset, payload);
		if (err < 0)
			return err;
	}
	return output(stack, route, &header, payload, NULL);
}

int ip_send(struct netstack *stack, const struct ip_meta *meta, struct netbuf_queue *payload)
{
	struct route_result route;
	int err = route_lookup(stack, &meta->to, meta->netif, &route);

	if (err == 0)
		err = send_routed(stack, meta, &route, payload);
	else
		stack->counters.ip[ip_family(inet_is_v4(&meta->to))].out_no_routes++;
	netbuf_queue_clear(payload);
	return err;
}
