/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP and UDP headers as bytes. Sockets talk in struct inet_packet, whose fields are what a header
 * says; here one becomes the other, for packets that come from a link or leave by one.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"
#include "netstack/ip_private.h"

#define TCP_HEADER 20u

#define OPTION_END	  0u
#define OPTION_NOP	  1u
#define OPTION_MSS	  2u
#define OPTION_WSCALE	  3u
#define OPTION_SACK_OK	  4u
#define OPTION_SACK	  5u
#define OPTION_TIMESTAMPS 8u

uint32_t ip_pseudo_sum(const struct inet_address *from, const struct inet_address *to,
	uint8_t protocol, uint32_t size)
{
	unsigned first = inet_is_v4(from) && inet_is_v4(to) ? 12 : 0;
	uint32_t sum = protocol + (size >> 16) + (size & 0xffff);

	sum = ip_checksum_bytes(from->bytes + first, 16 - first, sum);
	return ip_checksum_bytes(to->bytes + first, 16 - first, sum);
}

bool ip_checksum_is_right(const struct ip_info *info)
{
	uint32_t size = info->packet->size - info->offset;
	uint32_t sum = ip_pseudo_sum(&info->from, &info->to, info->protocol, size);

	return ip_checksum_end(ip_checksum_queue(info->packet, info->offset, size, sum)) == 0;
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static uint8_t *put_sack(uint8_t *at, const uint8_t *end, const struct tcp_segment *segment)
{
	unsigned count = min_of((unsigned)segment->sack_count, TCP_SACK_BLOCKS_MAX);

	count = min_of(count, (unsigned)(end - at - 4) / 8);
	if (count == 0)
		return at;
	*at++ = OPTION_NOP;
	*at++ = OPTION_NOP;
	*at++ = OPTION_SACK;
	*at++ = (uint8_t)(2 + 8 * count);
	for (unsigned i = 0; i < count; i++, at += 8) {
		put32(at, segment->sack[i].start);
		put32(at + 4, segment->sack[i].end);
	}
	return at;
}

/* In the order that Linux has them, aligned to words. */
static unsigned put_options(uint8_t *options, const struct tcp_segment *segment)
{
	uint8_t *at = options;

	if (segment->mss) {
		*at++ = OPTION_MSS;
		*at++ = 4;
		put16(at, segment->mss);
		at += 2;
	}
	if (segment->has_timestamp || segment->sack_permitted) {
		*at++ = segment->sack_permitted ? OPTION_SACK_OK : OPTION_NOP;
		*at++ = segment->sack_permitted ? 2 : OPTION_NOP;
	}
	if (segment->has_timestamp) {
		*at++ = OPTION_TIMESTAMPS;
		*at++ = 10;
		put32(at, segment->timestamp);
		put32(at + 4, segment->timestamp_echo);
		at += 8;
	} else if (segment->sack_permitted) {
		*at++ = OPTION_NOP;
		*at++ = OPTION_NOP;
	}
	if (segment->wscale != TCP_NO_WSCALE) {
		*at++ = OPTION_NOP;
		*at++ = OPTION_WSCALE;
		*at++ = 3;
		*at++ = segment->wscale;
	}
	at = put_sack(at, options + TRANSPORT_HEADER_MAX - TCP_HEADER, segment);
	return (unsigned)(at - options);
}

static unsigned write_tcp(const struct inet_packet *packet, uint8_t *header)
{
	const struct tcp_segment *segment = &packet->segment;
	unsigned size = TCP_HEADER + put_options(header + TCP_HEADER, segment);

	put16(header, packet->from.port);
	put16(header + 2, packet->to.port);
	put32(header + 4, segment->seq);
	put32(header + 8, segment->flags & TCP_ACK ? segment->ack : 0);
	header[12] = (uint8_t)(size / 4 << 4);
	header[13] = segment->flags;
	put16(header + 14, segment->window);
	put16(header + 16, 0);
	put16(header + 18, segment->flags & TCP_URG ? segment->urgent : 0);
	return size;
}

unsigned transport_checksum_offset(uint8_t protocol)
{
	return protocol == INET_TCP ? 16 : 6;
}

unsigned transport_write(struct inet_packet *packet, bool partial,
	uint8_t header[TRANSPORT_HEADER_MAX], struct netbuf_queue **ret_data)
{
	bool tcp = packet->protocol == INET_TCP;
	struct netbuf_queue *data = tcp ? &packet->segment.payload : &packet->datagram->data;
	unsigned at = transport_checksum_offset(packet->protocol), size = UDP_HEADER;
	uint32_t sum, whole, covered;
	uint16_t checksum;

	if (tcp) {
		size = write_tcp(packet, header);
	} else {
		put16(header, packet->from.port);
		put16(header + 2, packet->to.port);
		put16(header + 4, (uint16_t)(data->size + UDP_HEADER));
		put16(header + 6, 0);
	}
	whole = size + data->size;
	covered = whole;
	if (packet->protocol == INET_UDPLITE) {
		/* RFC 3828 section 3.1: in place of the length; 0 is all of it. */
		put16(header + 4, packet->coverage);
		if (packet->coverage && packet->coverage < whole)
			covered = max_of((uint32_t)packet->coverage, UDP_HEADER);
	}
	sum = ip_pseudo_sum(&packet->from.address, &packet->to.address, packet->protocol, whole);
	if (partial) {
		put16(header + at, (uint16_t)~ip_checksum_end(sum));
	} else {
		sum = ip_checksum_bytes(header, size, sum);
		sum = ip_checksum_queue(data, 0, covered - size, sum);
		checksum = ip_checksum_end(sum);
		/* RFC 768: none is 0. */
		put16(header + at, tcp || checksum ? checksum : 0xffff);
	}
	*ret_data = data;
	return size;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static void get_sack(const uint8_t *option, unsigned size, struct tcp_segment *ret)
{
	unsigned count = min_of((size - 2) / 8, TCP_SACK_BLOCKS_MAX);

	if ((size - 2) % 8 != 0)
		return;
	ret->sack_count = (uint8_t)count;
	for (unsigned i = 0; i < count; i++) {
		ret->sack[i].start = get32(option + 2 + 8 * i);
		ret->sack[i].end = get32(option + 6 + 8 * i);
	}
}

/* An option with a wrong length is left out; a length that leads nowhere ends them (RFC 9293
 * section 3.1: options that are not understood are skipped). */
static void get_options(const uint8_t *at, unsigned left, struct tcp_segment *ret)
{
	bool syn = ret->flags & TCP_SYN;

	while (left > 0 && at[0] != OPTION_END) {
		unsigned size;

		if (at[0] == OPTION_NOP) {
			at++;
			left--;
			continue;
		}
		if (left < 2 || at[1] < 2 || at[1] > left)
			return;
		size = at[1];
		if (at[0] == OPTION_MSS && size == 4 && syn) {
			ret->mss = get16(at + 2);
		} else if (at[0] == OPTION_WSCALE && size == 3 && syn) {
			ret->wscale = min_of(at[2], (uint8_t)TCP_WSCALE_MAX);
		} else if (at[0] == OPTION_SACK_OK && size == 2 && syn) {
			ret->sack_permitted = true;
		} else if (at[0] == OPTION_SACK && size > 2) {
			get_sack(at, size, ret);
		} else if (at[0] == OPTION_TIMESTAMPS && size == 10) {
			ret->has_timestamp = true;
			ret->timestamp = get32(at + 2);
			ret->timestamp_echo = get32(at + 6);
		}
		at += size;
		left -= size;
	}
}

static bool read_tcp(const struct ip_info *info, struct inet_packet *ret, unsigned *ret_size)
{
	uint8_t header[TRANSPORT_HEADER_MAX];
	uint32_t there = info->packet->size - info->offset;
	struct tcp_segment *segment = &ret->segment;
	unsigned size;

	if (there < TCP_HEADER)
		return false;
	netbuf_peek(info->packet, info->offset, header, TCP_HEADER);
	size = (header[12] >> 4) * 4u;
	if (size < TCP_HEADER || size > there)
		return false;
	netbuf_peek(info->packet, info->offset, header, size);
	ret->from.port = get16(header);
	ret->to.port = get16(header + 2);
	*segment = (struct tcp_segment){
		.seq = get32(header + 4),
		.ack = get32(header + 8),
		.flags = header[13] & 0x3f,
		.window = get16(header + 14),
		.urgent = get16(header + 18),
		.wscale = TCP_NO_WSCALE,
	};
	get_options(header + TCP_HEADER, size - TCP_HEADER, segment);
	*ret_size = size;
	return true;
}

static void tcp_input_packet(
	struct netstack *stack, struct ip_info *info, struct inet_packet *packet)
{
	struct transport_counters *counters = &stack->counters.tcp[ip_family(info->v4)];
	unsigned size;

	counters->in++;
	/* RFC 1122 section 4.2.3.10: not for groups. */
	if (!read_tcp(info, packet, &size) || info->broadcast || info->multicast) {
		counters->in_errors++;
		return;
	}
	if (!info->checksum_valid && !ip_checksum_is_right(info)) {
		counters->in_errors++;
		counters->in_checksum_errors++;
		return;
	}
	netbuf_drop(info->packet, info->offset + size);
	netbuf_move(&packet->segment.payload, info->packet);
	inet_tcp_arrives(stack, packet);
}

/* False: malformed. *@ret_size is what the datagram has, header included. */
static bool check_udp(const struct ip_info *info, const uint8_t *header, uint32_t *ret_size)
{
	uint32_t there = info->packet->size - info->offset, size = get16(header + 4), sum;

	if (info->protocol == INET_UDPLITE) {
		*ret_size = there;
		size = size ? size : there;
		if (size < UDP_HEADER || size > there || get16(header + 6) == 0)
			return false;
		sum = ip_pseudo_sum(&info->from, &info->to, info->protocol, there);
		return ip_checksum_end(ip_checksum_queue(info->packet, info->offset, size, sum)) ==
		       0;
	}
	if (size < UDP_HEADER || size > there)
		return false;
	netbuf_truncate(info->packet, info->offset + size);
	*ret_size = size;
	if (info->checksum_valid)
		return true;
	/* RFC 8200 section 8.1: over IPv6 there is always one. */
	if (get16(header + 6) == 0)
		return info->v4;
	return ip_checksum_is_right(info);
}

static struct transport_counters *udp_counters(struct netstack *stack, const struct ip_info *info)
{
	return info->protocol == INET_UDPLITE ? &stack->counters.udplite[ip_family(info->v4)]
					      : &stack->counters.udp[ip_family(info->v4)];
}

static void udp_input_packet(
	struct netstack *stack, struct ip_info *info, struct inet_packet *packet)
{
	struct transport_counters *counters = udp_counters(stack, info);
	struct inet_datagram *datagram;
	uint8_t header[UDP_HEADER];
	uint32_t size;

	if (info->packet->size - info->offset < UDP_HEADER) {
		counters->in_errors++;
		return;
	}
	netbuf_peek(info->packet, info->offset, header, UDP_HEADER);
	if (!check_udp(info, header, &size)) {
		counters->in_errors++;
		counters->in_checksum_errors++;
		return;
	}
	datagram = malloc(sizeof(*datagram));
	if (!datagram) {
		counters->in_errors++;
		return;
	}
	packet->from.port = get16(header);
	packet->to.port = get16(header + 2);
	if (info->protocol == INET_UDPLITE)
		packet->coverage = get16(header + 4);
	netbuf_drop(info->packet, info->offset + UDP_HEADER);
	*datagram = (struct inet_datagram){
		.from = packet->from,
		.to = packet->to,
		.ttl = info->ttl,
		.tos = info->tos,
		.received_at = (int64_t)loop_realtime_now(),
		.charge = inet_udp_charge(info->packet->size),
	};
	list_init(&datagram->link);
	netbuf_move_compact(&datagram->data, info->packet);
	packet->datagram = datagram;
	inet_udp_arrives(stack, packet);
}

void transport_input(struct netstack *stack, struct ip_info *info)
{
	struct inet_packet packet = {
		.protocol = info->protocol,
		.ttl = info->ttl,
		.tos = info->tos,
		.netif_index = info->netif->index,
		.from.address = info->from,
		.to.address = info->to,
		.to_many = info->broadcast || info->multicast,
	};

	if (info->protocol == INET_TCP)
		tcp_input_packet(stack, info, &packet);
	else
		udp_input_packet(stack, info, &packet);
	netbuf_queue_clear(&packet.segment.payload);
	if (packet.datagram)
		inet_datagram_free(NULL, packet.datagram);
	netbuf_queue_clear(info->packet);
}
