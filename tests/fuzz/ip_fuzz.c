/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/timer_private.h"
#include "netstack/ip_private.h"

/*
 * A whole stack with an Ethernet and a point-to-point link against links, users and a clock that do
 * as the input says: frames of any bytes, frames with the headers that get far and all sums right,
 * answers to what the stack sent with a few bytes changed, and socket calls in between. After each
 * step everything that is kept must be within its bounds, and at the end nothing may be left.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX  300
#define FRAME_MAX  4096u
#define OUTPUT_MAX 4000 /* frames in answer to one step */
#define SOCKETS	   4u
#define SEC	   UINT64_C(1000000000)

struct input {
	const uint8_t *at, *end;
};

static uint64_t now;

uint64_t loop_monotonic(void)
{
	return now;
}

uint64_t loop_monotonic_now(void)
{
	return now;
}

uint64_t loop_realtime_now(void)
{
	return now;
}

static struct fuzz {
	struct netstack stack;
	struct netif ethernet, point;
	struct inet_udp *udp[SOCKETS];
	struct inet_tcp *tcp[SOCKETS];
	uint8_t last[FRAME_MAX]; /* what the stack sent last */
	size_t last_size;
	unsigned output;
} f;

static const uint8_t own_hardware[6] = {2, 0, 0, 0, 0, 5}, peer_hardware[6] = {2, 0, 0, 0, 0, 9};

static uint32_t take(struct input *input, unsigned bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | (input->at < input->end ? *input->at++ : 0);
	return value;
}

/* ---- sums ---------------------------------------------------------------------------------------
 */

static void fix_transport(uint8_t *bytes, size_t size, uint8_t protocol,
	const struct inet_address *from, const struct inet_address *to)
{
	size_t at = protocol == INET_TCP ? 16 : protocol == INET_UDP ? 6 : 2;
	uint32_t sum = 0;

	if (protocol != INET_TCP && protocol != INET_UDP && protocol != PROTO_ICMP &&
		protocol != PROTO_ICMPV6 && protocol != PROTO_IGMP)
		return;
	if (size < at + 2)
		return;
	if (protocol != PROTO_ICMP && protocol != PROTO_IGMP)
		sum = ip_pseudo_sum(from, to, protocol, (uint32_t)size);
	put16(bytes + at, 0);
	put16(bytes + at, ip_checksum_end(ip_checksum_bytes(bytes, size, sum)));
}

static void fix_ip4(uint8_t *bytes, size_t size, bool lengths)
{
	size_t header;
	struct inet_address from, to;

	if (size < IP4_HEADER)
		return;
	if (lengths)
		put16(bytes + 2, (uint16_t)size);
	header = (bytes[0] & 0xf) * 4u;
	if (header < IP4_HEADER || header > size)
		return;
	put16(bytes + 10, 0);
	put16(bytes + 10, ip_checksum_end(ip_checksum_bytes(bytes, header, 0)));
	from = inet_from_v4(bytes + 12);
	to = inet_from_v4(bytes + 16);
	if ((get16(bytes + 6) & 0x3fff) == 0)
		fix_transport(bytes + header, size - header, bytes[9], &from, &to);
}

static void fix_ip6(uint8_t *bytes, size_t size, bool lengths)
{
	struct inet_address from, to;
	size_t at = IP6_HEADER;
	uint8_t next;

	if (size < IP6_HEADER)
		return;
	if (lengths)
		put16(bytes + 4, (uint16_t)(size - IP6_HEADER));
	from = get_address6(bytes + 8);
	to = get_address6(bytes + 24);
	next = bytes[6];
	while ((next == PROTO_HOP_BY_HOP || next == PROTO_DESTINATIONS || next == PROTO_ROUTING) &&
		at + 8 <= size) {
		next = bytes[at];
		at += bytes[at + 1] * 8u + 8;
	}
	if (at < size)
		fix_transport(bytes + at, size - at, next, &from, &to);
}

static void fix(uint8_t *packet, size_t size, bool lengths)
{
	if (size > 0 && packet[0] >> 4 == 4)
		fix_ip4(packet, size, lengths);
	else if (size > 0 && packet[0] >> 4 == 6)
		fix_ip6(packet, size, lengths);
}

/* ---- the links ----------------------------------------------------------------------------------
 */

static void transmit(
	struct netif *netif, struct netbuf_queue *frame, const struct netif_offload *offload)
{
	uint32_t most = offload->segment_size ? IP_PACKET_MAX : netif->mtu;

	sentry_assert(frame->size > 0 && frame->size <= most + ETHERNET_HEADER);
	sentry_assert(++f.output <= OUTPUT_MAX);
	f.last_size = min_of(frame->size, FRAME_MAX);
	netbuf_peek(frame, 0, f.last, (uint32_t)f.last_size);
	if (netif == &f.ethernet) {
		f.last_size -= ETHERNET_HEADER;
		memmove(f.last, f.last + ETHERNET_HEADER, f.last_size);
	}
	netbuf_queue_clear(frame);
}

static const struct netif_ops ops = {.transmit = transmit};

static void receive(struct netif *netif, const uint8_t *packet, size_t size, uint16_t type,
	bool to_all, bool valid)
{
	struct netif_offload offload = {.checksum_valid = valid};
	struct netbuf_queue frame = {0};
	uint8_t header[ETHERNET_HEADER];

	memset(header, 0xff, 6);
	if (!to_all)
		memcpy(header, own_hardware, 6);
	memcpy(header + 6, peer_hardware, 6);
	put16(header + 12, type);
	if (netif == &f.ethernet && netbuf_append(&frame, header, sizeof(header)) < 0)
		return;
	if (netbuf_append(&frame, packet, size) == 0)
		netif_receive(netif, &frame, &offload);
	netbuf_queue_clear(&frame);
}

static struct netif *choose_netif(struct input *input)
{
	return take(input, 1) & 1 ? &f.point : &f.ethernet;
}

static struct inet_address choose_address(struct input *input)
{
	static const struct inet_address some[] = {
		{{[10] = 0xff, [11] = 0xff, 10, 0, 0, 5}},
		{{[10] = 0xff, [11] = 0xff, 10, 0, 0, 9}},
		{{[10] = 0xff, [11] = 0xff, 10, 0, 0, 255}},
		{{[10] = 0xff, [11] = 0xff, 224, 1, 2, 3}},
		{{[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}},
		{{[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}},
		{{[10] = 0xff, [11] = 0xff}},
		{{0xfe, 0x80, [11] = 0xff, 0xfe, 0, 0, 5}},
		{{0xfe, 0x80, [15] = 9}},
		{{0x20, 0x01, 0x0d, 0xb8, [15] = 5}},
		{{0x20, 0x01, 0x0d, 0xb8, [15] = 9}},
		{{0xff, 0x02, [15] = 1}},
		{{0xff, 0x02, [11] = 1, 0xff, 0, 0, 5}},
		{{[15] = 1}},
		{{0}},
	};
	uint32_t how = take(input, 1);
	struct inet_address address = some[how % (sizeof(some) / sizeof(*some))];

	if (how > 240)
		address.bytes[15] = (uint8_t)take(input, 1);
	return address;
}

/* ---- frames -------------------------------------------------------------------------------------
 */

static size_t any_bytes(struct input *input, uint8_t *bytes, size_t room)
{
	size_t size = min_of((size_t)take(input, 1) * 2, room);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)take(input, 1);
	return size;
}

static void step_raw(struct input *input)
{
	static const uint16_t types[] = {ETHERTYPE_IP4, ETHERTYPE_IP6, ETHERTYPE_ARP, 0x1234};
	struct netif *netif = choose_netif(input);
	uint8_t how = (uint8_t)take(input, 1), packet[FRAME_MAX];
	size_t size = any_bytes(input, packet, sizeof(packet));

	if (how & 0x80)
		fix(packet, size, how & 0x40);
	receive(netif, packet, size, types[how & 3], how & 4, how & 8);
}

/* Addresses that matter, a protocol, and any bytes behind them. */
static void step_ip(struct input *input)
{
	static const uint8_t protocols[] = {1, 2, 6, 17, 136, 58, 0, 60, 43, 44, 59};
	struct netif *netif = choose_netif(input);
	struct inet_address from = choose_address(input), to = choose_address(input);
	uint8_t how = (uint8_t)take(input, 1), packet[FRAME_MAX] = {0};
	uint8_t protocol = protocols[take(input, 1) % sizeof(protocols)];
	bool v4 = inet_is_v4(&to);
	size_t header = v4 ? IP4_HEADER : IP6_HEADER, size;

	size = header + any_bytes(input, packet + header, sizeof(packet) - header);
	if (v4) {
		packet[0] = 0x45;
		packet[4] = (uint8_t)take(input, 1) & 3;
		if (how & 1)
			put16(packet + 6, take(input, 2) & 0x207f);
		packet[8] = how & 2 ? 64 : 1;
		packet[9] = protocol;
		memcpy(packet + 12, from.bytes + 12, 4);
		memcpy(packet + 16, to.bytes + 12, 4);
	} else {
		packet[0] = 0x60;
		packet[6] = protocol;
		packet[7] = how & 1 ? 255 : how & 2 ? 64 : 1;
		memcpy(packet + 8, from.bytes, 16);
		memcpy(packet + 24, to.bytes, 16);
	}
	fix(packet, size, true);
	receive(netif, packet, size, v4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6, how & 4, how & 8);
}

/* What the stack sent, turned round, with what a peer would acknowledge; and something changed. */
static void step_answer(struct input *input)
{
	uint8_t *packet = f.last, swap[16], *ports;
	unsigned width, at, changes = take(input, 1) & 3;
	uint8_t protocol;

	if (f.last_size < IP4_HEADER)
		return;
	if (packet[0] >> 4 == 4) {
		width = 4;
		at = 12;
		protocol = packet[9];
		ports = packet + IP4_HEADER;
	} else if (packet[0] >> 4 == 6 && f.last_size >= IP6_HEADER) {
		width = 16;
		at = 8;
		protocol = packet[6];
		ports = packet + IP6_HEADER;
	} else {
		/* ARP: an answer. */
		packet[7] = 2;
		memcpy(swap, packet + 14, 4);
		memcpy(packet + 14, packet + 24, 4);
		memcpy(packet + 24, swap, 4);
		memcpy(packet + 8, peer_hardware, 6);
		receive(&f.ethernet, packet, f.last_size, ETHERTYPE_ARP, false, false);
		return;
	}
	memcpy(swap, packet + at, width);
	memcpy(packet + at, packet + at + width, width);
	memcpy(packet + at + width, swap, width);
	if ((protocol == INET_TCP || protocol == INET_UDP) && ports + 4 <= packet + f.last_size) {
		memcpy(swap, ports, 2);
		memcpy(ports, ports + 2, 2);
		memcpy(ports + 2, swap, 2);
	}
	if (protocol == INET_TCP && ports + 20 <= packet + f.last_size) {
		uint32_t seq = get32(ports + 4), ack = get32(ports + 8);
		uint32_t length = (uint32_t)(packet + f.last_size - ports) - (ports[12] >> 4) * 4u;

		length = (int32_t)length < 0 ? 0 : length;
		length += !!(ports[13] & TCP_SYN) + !!(ports[13] & TCP_FIN);
		put32(ports + 4, ack);
		put32(ports + 8, seq + length);
		ports[13] = (uint8_t)(TCP_ACK | (ports[13] & TCP_SYN) | (take(input, 1) & 0x0d));
	}
	while (changes--) {
		uint32_t place = take(input, 2) % (uint32_t)f.last_size;

		packet[place] = (uint8_t)take(input, 1);
	}
	fix(packet, f.last_size, take(input, 1) & 1);
	receive(choose_netif(input), packet, f.last_size,
		width == 4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6, false, false);
}

/* An ICMP error about what the stack sent last. */
static void step_error(struct input *input)
{
	uint8_t packet[FRAME_MAX] = {0};
	bool v4 = f.last_size > 0 && f.last[0] >> 4 == 4;
	size_t header = v4 ? IP4_HEADER : IP6_HEADER, quote = min_of(f.last_size, (size_t)600);

	if (f.last_size < header)
		return;
	if (v4) {
		packet[0] = 0x45;
		packet[8] = 64;
		packet[9] = PROTO_ICMP;
		memcpy(packet + 12, f.last + 16, 4);
		memcpy(packet + 16, f.last + 12, 4);
	} else {
		packet[0] = 0x60;
		packet[6] = PROTO_ICMPV6;
		packet[7] = 64;
		memcpy(packet + 8, f.last + 24, 16);
		memcpy(packet + 24, f.last + 8, 16);
	}
	packet[header] = (uint8_t)take(input, 1) % 16;
	packet[header + 1] = (uint8_t)take(input, 1) % 17;
	put32(packet + header + 4, take(input, 2));
	memcpy(packet + header + 8, f.last, quote);
	fix(packet, header + 8 + quote, true);
	receive(choose_netif(input), packet, header + 8 + quote, v4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6,
		false, false);
}

/* ---- calls --------------------------------------------------------------------------------------
 */

static void notify(struct inet_endpoint *endpoint, uint32_t events)
{
}

static void fill(struct netbuf_queue *data, uint32_t size)
{
	static const uint8_t zeros[4096];

	for (; size > 0; size -= min_of(size, (uint32_t)sizeof(zeros)))
		if (netbuf_append(data, zeros, min_of(size, (uint32_t)sizeof(zeros))) < 0)
			return;
}

static void step_udp(struct input *input)
{
	struct inet_udp **slot = &f.udp[take(input, 1) % SOCKETS];
	struct inet_name name = {choose_address(input), (uint16_t)(1 + take(input, 1) % 8)};
	struct inet_send send = {.to = name, .from = inet_any};
	struct netbuf_queue data = {0};
	uint8_t what = (uint8_t)take(input, 1);

	if (!*slot) {
		if (inet_udp_new(&f.stack, what & 0x80 ? INET_UDPLITE : INET_UDP,
			    !inet_is_v4(&name.address), slot) < 0)
			return;
		(*slot)->endpoint.notify = notify;
		(*slot)->keep_errors4 = (*slot)->keep_errors6 = what & 0x40;
		(*slot)->endpoint.mtu_discover = what >> 4 & 3;
	}
	if ((*slot)->endpoint.ipv6 == inet_is_v4(&name.address))
		return;
	switch (what % 6) {
	case 0:
		(void)inet_bind(&(*slot)->endpoint, &name);
		break;
	case 1:
		(void)inet_set_peer(&(*slot)->endpoint, &name);
		break;
	case 2:
		(void)inet_group_join(*slot, &name.address, choose_netif(input)->index);
		break;
	case 3:
		(void)inet_group_leave(*slot, &name.address, 0);
		break;
	case 4:
		inet_udp_release(*slot);
		*slot = NULL;
		break;
	default:
		fill(&data, take(input, 1) * 40);
		(void)inet_udp_send(*slot, &send, &data);
		break;
	}
}

static void step_tcp(struct input *input)
{
	struct inet_tcp **slot = &f.tcp[take(input, 1) % SOCKETS], *child;
	struct inet_name name = {choose_address(input), (uint16_t)(1 + take(input, 1) % 8)};
	struct netbuf_queue data = {0};
	uint8_t what = (uint8_t)take(input, 1);
	struct tcp *tcp;

	if (!*slot) {
		if (inet_tcp_new(&f.stack, !inet_is_v4(&name.address), slot) < 0)
			return;
		(*slot)->endpoint.notify = notify;
		if (what & 0x80)
			(void)(inet_bind(&(*slot)->endpoint, &name) == 0 &&
				inet_tcp_listen(*slot, 4));
		else if (!inet_is_multicast(&name.address))
			(void)inet_tcp_connect(*slot, &name);
		return;
	}
	tcp = &(*slot)->tcp;
	switch (what % 4) {
	case 0:
		child = (*slot)->endpoint.listening ? inet_tcp_accept(*slot) : NULL;
		if (child)
			inet_tcp_release(child, what & 4);
		break;
	case 1:
		fill(&data, min_of(take(input, 1) * 64, tcp_send_space(tcp)));
		if (!(*slot)->endpoint.listening)
			(void)tcp_send(tcp, &data, false, false, (int64_t)now);
		netbuf_queue_clear(&data);
		inet_tcp_push(*slot);
		break;
	case 2:
		tcp_received(tcp, tcp->receive.size, (int64_t)now);
		inet_tcp_push(*slot);
		break;
	default:
		inet_tcp_release(*slot, what & 4);
		*slot = NULL;
		break;
	}
}

static void step_admin(struct input *input)
{
	struct netif *netif = choose_netif(input);
	struct netif_address own = {.address = choose_address(input),
		.preferred_until = INT64_MAX,
		.valid_until = INT64_MAX};
	struct route route = {.destination = own.address,
		.gateway = choose_address(input),
		.source = inet_any,
		.type = NETROUTE_UNICAST,
		.netif = netif,
		.valid_until = INT64_MAX};
	uint8_t what = (uint8_t)take(input, 1);

	own.prefix = what & 0x80 ? 24 : 64;
	own.peer = own.broadcast = inet_is_v4(&own.address) ? inet_any4 : inet_any;
	switch (what % 6) {
	case 0:
		(void)netif_address_add(netif, &own);
		break;
	case 1:
		(void)netif_address_remove(netif, &own.address, own.prefix);
		break;
	case 2:
		route.prefix = what & 0x80 ? 0 : (uint8_t)inet_address_bits(&own.address);
		route.destination = inet_network_first(&route.destination, route.prefix);
		(void)route_add(&f.stack, &route);
		break;
	case 3:
		(void)netif_set_up(netif, false);
		break;
	case 4:
		(void)netif_set_up(netif, true);
		break;
	default:
		(void)neighbour_set(netif, &own.address, peer_hardware, what & 0x80);
		break;
	}
}

static void pass_time(struct input *input)
{
	uint64_t until = now + (uint64_t)take(input, 2) * take(input, 1) * 1000000 / 16;
	unsigned turns = 0;

	while (timers_next_deadline() <= until) {
		now = max_of(now, timers_next_deadline());
		f.output = 0;
		(void)timers_expire(now);
		sentry_assert(++turns < 100000);
	}
	now = until;
}

/* ---- checks -------------------------------------------------------------------------------------
 */

static void check(void)
{
	const struct neighbour *neighbour;
	uint64_t waiting = 0;
	unsigned count = 0;

	sentry_assert(!f.stack.running && list_empty(&f.stack.packets));
	list_for_each_entry (neighbour, &f.stack.ip.neighbours, link) {
		count++;
		sentry_assert(neighbour->waiting_count <= NEIGHBOUR_WAITING_MAX);
		for (unsigned i = 0; i < neighbour->waiting_count; i++)
			waiting += neighbour->waiting[i].packet.size;
	}
	sentry_assert(count == f.stack.ip.neighbour_count && count <= NEIGHBOURS_MAX);
	sentry_assert(waiting == f.stack.ip.waiting_bytes);
	sentry_assert(f.stack.route_count <= NETIF_ROUTES_MAX);
	sentry_assert(f.ethernet.group_count <= NETIF_GROUPS_MAX);
}

static void begin(void)
{
	struct netif_address own = {.flags = NETADDR_NO_DAD,
		.preferred_until = INT64_MAX,
		.valid_until = INT64_MAX,
		.prefix = 24};

	now = 1000 * SEC;
	memset(&f, 0, sizeof(f));
	netstack_init(&f.stack);
	(void)netif_set_up(&f.stack.loopback, true);
	f.ethernet = (struct netif){.ops = &ops,
		.type = NETIF_ETHERNET,
		.name = "eth0",
		.mtu = 1500,
		.hardware = {2, 0, 0, 0, 0, 5}};
	f.point = (struct netif){.ops = &ops,
		.type = NETIF_POINT,
		.name = "point0",
		.flags = NETIF_TX_CHECKSUM | NETIF_TX_SEGMENTS,
		.mtu = 1400};
	(void)netif_add(&f.stack, &f.ethernet);
	(void)netif_add(&f.stack, &f.point);
	(void)netif_set_up(&f.ethernet, true);
	(void)netif_set_up(&f.point, true);
	own.address = inet_from_v4((const uint8_t[]){10, 0, 0, 5});
	own.peer = own.broadcast = inet_any4;
	(void)netif_address_add(&f.ethernet, &own);
	own.address = (struct inet_address){{0x20, 0x01, 0x0d, 0xb8, [15] = 5}};
	own.peer = own.broadcast = inet_any;
	own.prefix = 64;
	(void)netif_address_add(&f.point, &own);
}

static void end(void)
{
	for (unsigned i = 0; i < SOCKETS; i++) {
		f.output = 0;
		if (f.udp[i])
			inet_udp_release(f.udp[i]);
		if (f.tcp[i])
			inet_tcp_release(f.tcp[i], true);
	}
	netstack_fini(&f.stack);
	sentry_assert(timers_next_deadline() == UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};

	begin();
	for (unsigned i = 0; i < STEPS_MAX && input.at < input.end; i++) {
		f.output = 0;
		switch (take(&input, 1) % 12) {
		case 0:
			step_raw(&input);
			break;
		case 1:
		case 2:
		case 3:
			step_ip(&input);
			break;
		case 4:
		case 5:
		case 6:
			step_answer(&input);
			break;
		case 7:
			step_error(&input);
			break;
		case 8:
			step_udp(&input);
			break;
		case 9:
			step_tcp(&input);
			break;
		case 10:
			pass_time(&input);
			break;
		default:
			step_admin(&input);
			break;
		}
		check();
	}
	end();
	return 0;
}
