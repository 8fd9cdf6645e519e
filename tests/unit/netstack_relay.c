/* SPDX-License-Identifier: Apache-2.0 */
/* The relay's interface: echo requests to its own addresses are answered, others are dropped; what
 * waits for flows to be opened is bounded. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "netstack/inet_private.h"
#include "netstack/relay.h"

static struct relay relay;
static struct netstack stack;

static void begin(void)
{
	static const uint8_t own[4] = {10, 0, 2, 2};

	cr_assert_eq(loop_init(), 0);
	netstack_init(&stack);
	relay.own4 = inet_from_v4(own);
	relay.own6 = (struct inet_address){{0xfd, [15] = 2}};
	relay.netif.mtu = 1500;
	strcpy(relay.netif.name, "eth0");
	cr_assert_eq(relay_start(&stack, &relay), 0);
}

static uint32_t add(const uint8_t *data, size_t size, uint32_t sum)
{
	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static size_t answer(const uint8_t *packet, size_t size, uint8_t *ret)
{
	struct netbuf_queue frame = {0};
	size_t got;

	cr_assert_eq(netbuf_append(&frame, packet, size), 0);
	relay.netif.ops->transmit(&relay.netif, &frame, NULL);
	cr_expect_eq(frame.size, 0);
	got = relay.echo.size;
	if (got)
		netbuf_peek(&relay.echo, 0, ret, (uint32_t)got);
	netbuf_queue_clear(&relay.echo);
	return got;
}

Test(relay, answers_pings_to_itself)
{
	uint8_t packet[36] = {0x45, 0, 0, 36, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2, 8,
		0, 0, 0, 0x12, 0x34, 0, 1, 'a', 'b', 'c', 'd', 0xff, 0xff, 0, 7};
	uint8_t reply[64];
	uint32_t sum;

	begin();
	sum = ~add(packet + 20, 16, 0);
	packet[22] = (uint8_t)(sum >> 8);
	packet[23] = (uint8_t)sum;
	cr_assert_eq(answer(packet, sizeof(packet), reply), sizeof(packet));
	cr_expect_eq(reply[20], 0);
	cr_expect_eq(add(reply + 20, 16, 0), 0xffff);
	cr_expect_eq(memcmp(reply + 12, packet + 16, 4), 0);
	cr_expect_eq(memcmp(reply + 16, packet + 12, 4), 0);
	cr_expect_eq(memcmp(reply + 24, packet + 24, 12), 0);
	/* Another address, another type, a fragment, options, too short. */
	for (unsigned i = 0; i < 5; i++) {
		static const struct {
			unsigned at;
			uint8_t value;
		} changes[] = {{19, 3}, {20, 13}, {7, 1}, {0, 0x46}, {9, 17}};
		uint8_t other[36];

		memcpy(other, packet, sizeof(other));
		other[changes[i].at] = changes[i].value;
		cr_expect_eq(answer(other, sizeof(other), reply), 0, "%u", i);
	}
	for (size_t size = 1; size < 28; size++)
		cr_expect_eq(answer(packet, size, reply), 0);
}

Test(relay, answers_pings_over_ipv6)
{
	uint8_t packet[48] = {0x60, 0, 0, 0, 0, 8, 58,
		64, [8] = 0xfd, [23] = 15, [24] = 0xfd, [39] = 2, [40] = 128, [44] = 1, 2, 3, 4};
	uint8_t reply[64], pseudo[8] = {0, 0, 0, 8, 0, 0, 0, 58};
	uint32_t sum;

	begin();
	sum = add(pseudo, 8, 0);
	sum = ~add(packet + 8, 40, sum);
	packet[42] = (uint8_t)(sum >> 8);
	packet[43] = (uint8_t)sum;
	cr_assert_eq(answer(packet, sizeof(packet), reply), sizeof(packet));
	cr_expect_eq(reply[40], 129);
	cr_expect_eq(add(reply + 8, 40, add(pseudo, 8, 0)), 0xffff);
	cr_expect_eq(reply[23], 2);
	packet[39] = 3;
	cr_expect_eq(answer(packet, sizeof(packet), reply), 0);
}

static struct relay_flow *opened[256];
static unsigned open_count, datagram_count;

static void keep_flow(struct relay_flow *flow)
{
	opened[open_count++] = flow;
}

static void count_datagram(struct relay_flow *flow, struct netbuf_queue *data)
{
	datagram_count++;
	netbuf_queue_clear(data);
}

/* True when the relay has kept it. */
static bool send_datagram(uint16_t port, size_t size)
{
	static const uint8_t guest[4] = {10, 0, 2, 15}, far[4] = {192, 0, 2, 1}, zeroes[60000];
	struct inet_packet packet = {.protocol = INET_UDP,
		.from = {inet_from_v4(guest), 1000},
		.to = {inet_from_v4(far), port}};
	bool kept;

	packet.datagram = calloc(1, sizeof(*packet.datagram));
	cr_assert_not_null(packet.datagram);
	list_init(&packet.datagram->link);
	cr_assert_eq(netbuf_append(&packet.datagram->data, zeroes, size), 0);
	cr_expect(relay.netif.ops->take(&relay.netif, &packet));
	kept = !packet.datagram;
	if (packet.datagram)
		inet_datagram_free(NULL, packet.datagram);
	return kept;
}

/* The far side opens nothing for a while: what waits for it does not grow on. */
Test(relay, waiting_datagrams_are_bounded)
{
	static const struct relay_ops ops = {.open = keep_flow, .datagram = count_datagram};
	unsigned kept = 0;

	begin();
	relay.ops = &ops;
	for (unsigned port = 1; port <= 200; port++)
		for (unsigned i = 0; i < 2 * RELAY_DATAGRAMS_MAX; i++)
			kept += send_datagram((uint16_t)port, 60000);
	cr_expect_eq(open_count, 200);
	cr_expect(relay.waiting_bytes <= RELAY_WAITING_MAX &&
		  relay.waiting_bytes > RELAY_WAITING_MAX / 2);
	cr_expect(kept > 0 && kept <= RELAY_WAITING_MAX / 60000);
	/* Those of a flow that opens are sent, and make room. */
	relay_accept(opened[0]);
	cr_expect_eq(datagram_count, RELAY_DATAGRAMS_MAX);
	for (unsigned i = 0; i < 2 * RELAY_DATAGRAMS_MAX; i++)
		kept += send_datagram(200, 100);
	cr_expect(send_datagram(1, 100) == false && datagram_count == RELAY_DATAGRAMS_MAX + 1);
	for (unsigned i = 1; i < open_count; i++)
		relay_refuse(opened[i], 111);
	cr_expect_eq(relay.waiting_bytes, 0);
}
