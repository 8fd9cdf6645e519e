/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floods of segments from nowhere, put straight into a stack: what they may make it keep, and that
 * another flow goes on meanwhile. Nothing here is measured in time: a round is so much of the flood
 * and one chance for the other flow, which must get what it gets without a flood.
 */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "netstack/inet_private.h"
#include "netstack/tcp.h"

static struct netstack stack;
static struct inet_tcp *listener;
static uint64_t state = 88172645463325252ull;

static uint32_t number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static void ignore(struct inet_endpoint *endpoint, uint32_t events)
{
}

static void begin(unsigned backlog)
{
	struct inet_name name = {inet_loopback4, 80};

	netstack_init(&stack);
	cr_assert_eq(netif_set_up(&stack.loopback, true), 0);
	cr_assert_eq(inet_tcp_new(&stack, false, &listener), 0);
	listener->endpoint.notify = ignore;
	cr_assert_eq(inet_bind(&listener->endpoint, &name), 0);
	cr_assert_eq(inet_tcp_listen(listener, backlog), 0);
}

static void arrive(const struct inet_name *from, const struct tcp_segment *segment)
{
	struct inet_packet *packet = calloc(1, sizeof(*packet));

	packet->protocol = INET_TCP;
	packet->from = *from;
	packet->to = (struct inet_name){inet_loopback4, 80};
	packet->segment = *segment;
	packet->netif_index = 1;
	netstack_queue(&stack, packet);
	netstack_run(&stack);
}

static struct inet_name stranger(void)
{
	uint32_t bits = number();
	uint8_t bytes[4] = {10, (uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};

	return (struct inet_name){inet_from_v4(bytes), (uint16_t)(1024 + number() % 60000)};
}

static struct tcp_segment syn(uint16_t mss)
{
	return (struct tcp_segment){.seq = number(),
		.flags = TCP_SYN,
		.window = 65535,
		.mss = mss,
		.wscale = 7,
		.sack_permitted = true,
		.has_timestamp = true,
		.timestamp = number()};
}

static size_t memory(void)
{
	return mallinfo2().uordblks;
}

static unsigned count_endpoints(void)
{
	struct list_head *pos;
	unsigned count = 0;

	for (pos = stack.endpoints.next; pos != &stack.endpoints; pos = pos->next)
		count++;
	return count;
}

/* A flow of our own: both of its ends. */
struct flow {
	struct inet_tcp *client, *server;
};

static struct flow connect_flow(void)
{
	struct inet_name to = {inet_loopback4, 80};
	struct flow flow;

	cr_assert_eq(inet_tcp_new(&stack, false, &flow.client), 0);
	flow.client->endpoint.notify = ignore;
	flow.client->tcp.nodelay = true;
	cr_assert_eq(inet_tcp_connect(flow.client, &to), 0);
	cr_assert_eq(flow.client->tcp.state, TCP_ESTABLISHED);
	flow.server = inet_tcp_accept(listener);
	if (flow.server)
		flow.server->endpoint.notify = ignore;
	return flow;
}

/* Writes and reads what goes in one round; returns how much that was. */
static uint32_t move(struct flow *flow, uint32_t size)
{
	static char block[65536];
	struct netbuf_queue data = {0};
	uint32_t got;

	cr_assert_eq(netbuf_append(&data, block, size), 0);
	cr_assert_eq(
		tcp_send(&flow->client->tcp, &data, false, false, (int64_t)loop_monotonic()), 0);
	inet_tcp_push(flow->client);
	got = flow->server->tcp.receive.size;
	tcp_received(&flow->server->tcp, got, (int64_t)loop_monotonic());
	inet_tcp_push(flow->server);
	return got;
}

Test(flood, syn_cookies_keep_a_listener_open)
{
	struct flow flow, other;
	size_t before;

	begin(128);
	flow = connect_flow();
	cr_assert(flow.server);
	before = memory();
	for (unsigned round = 0; round < 500; round++) {
		for (unsigned i = 0; i < 200; i++) {
			struct inet_name from = stranger();
			struct tcp_segment segment = syn(1460);

			arrive(&from, &segment);
		}
		cr_assert_eq(move(&flow, 65536), 65536);
	}
	/* 100,000 of them: 129 are remembered, the others are in what they were answered with. */
	cr_assert_leq(listener->half_open, 129);
	cr_assert_leq(count_endpoints(), 140);
	cr_assert_lt(memory() - before, 1u << 20);
	/* Who really wants to connect gets through, and is what it would have been. */
	other = connect_flow();
	cr_assert(other.server);
	cr_assert(other.server->tcp.sack_ok && other.server->tcp.timestamps_ok &&
		  other.server->tcp.wscale_ok);
	cr_assert_eq(other.server->tcp.snd_wscale, other.client->tcp.rcv_wscale);
	cr_assert_eq(move(&other, 40000), 40000);
}

Test(flood, a_guessed_cookie_is_reset)
{
	unsigned before;

	begin(1);
	for (unsigned i = 0; i < 4; i++) {
		struct inet_name from = stranger();
		struct tcp_segment segment = syn(1460);

		arrive(&from, &segment);
	}
	cr_assert_gt(listener->cookies_until, 0);
	before = count_endpoints();
	for (unsigned i = 0; i < 100000; i++) {
		struct inet_name from = stranger();
		struct tcp_segment ack = {.seq = number(),
			.ack = number(),
			.flags = TCP_ACK,
			.window = 1000,
			.wscale = TCP_NO_WSCALE};

		arrive(&from, &ack);
	}
	/* One in 2^24 * 16 would do. */
	cr_assert_eq(count_endpoints(), before);
	cr_assert_eq(listener->accept_count, 0);
}

Test(flood, cookies_last_for_two_ticks)
{
	static const uint64_t key[2] = {1, 2};
	struct tcp_segment first = syn(1400), ack, back;
	int64_t now = INT64_C(1000000000) * 640, tick = INT64_C(1000000000) * 64;
	uint32_t stamp;

	ack = (struct tcp_segment){.seq = first.seq + 1,
		.ack = tcp_cookie("names", 5, key, &first, now) + 1,
		.flags = TCP_ACK,
		.wscale = TCP_NO_WSCALE};
	stamp = tcp_cookie_timestamp(&first, 5000);
	cr_assert_leq(stamp, 5000);
	ack.has_timestamp = true;
	ack.timestamp_echo = stamp;
	cr_assert(tcp_cookie_check("names", 5, key, &ack, now, &back));
	cr_assert_eq(back.mss, 1380); /* the largest of the table that is not more */
	cr_assert_eq(back.wscale, 7);
	cr_assert(back.sack_permitted);
	cr_assert_eq(back.seq, first.seq);
	cr_assert(tcp_cookie_check("names", 5, key, &ack, now + tick, &back));
	cr_assert_not(tcp_cookie_check("names", 5, key, &ack, now + 2 * tick, &back));
	cr_assert_not(tcp_cookie_check("other", 5, key, &ack, now, &back));
	ack.seq++;
	cr_assert_not(tcp_cookie_check("names", 5, key, &ack, now, &back));
}

/* A connection with a stranger, established. */
static struct inet_tcp *strange_connection(
	struct inet_name *from, struct tcp_segment *next, uint16_t mss)
{
	struct tcp_segment segment = syn(mss);
	struct inet_tcp *child;

	*from = stranger();
	segment.has_timestamp = false;
	arrive(from, &segment);
	child = inet_tcp_of(
		inet_find_pair(&stack, INET_TCP, &(struct inet_name){inet_loopback4, 80}, from));
	*next = (struct tcp_segment){.seq = segment.seq + 1,
		.ack = child->tcp.snd_nxt,
		.flags = TCP_ACK,
		.window = 65535,
		.wscale = TCP_NO_WSCALE};
	arrive(from, next);
	child = inet_tcp_accept(listener);
	cr_assert(child);
	child->endpoint.notify = ignore;
	return child;
}

Test(flood, early_bytes_have_a_bound)
{
	struct inet_name from[64];
	struct tcp_segment next[64];
	struct flow flow;
	size_t before;

	begin(128);
	flow = connect_flow();
	for (unsigned i = 0; i < 64; i++)
		strange_connection(&from[i], &next[i], 1460);
	before = memory();
	/* Each second byte, one a segment. */
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned i = 0; i < 64; i++) {
			struct tcp_segment segment = next[i];

			segment.seq += 1 + 2 * round;
			cr_assert_eq(netbuf_append(&segment.payload, "x", 1), 0);
			arrive(&from[i], &segment);
		}
		if (round % 10 == 0)
			cr_assert_eq(move(&flow, 65536), 65536);
	}
	cr_assert_leq(tcp_early_total(), TCP_EARLY_TOTAL_MAX);
	cr_assert_lt(memory() - before, 2 * TCP_EARLY_TOTAL_MAX);
	/* There is still room for somebody's reordering. */
	{
		struct inet_name name;
		struct tcp_segment segment;
		struct inet_tcp *child = strange_connection(&name, &segment, 1460);
		struct tcp_segment early = segment;

		early.seq += 10;
		cr_assert_eq(netbuf_append(&early.payload, "0123456789", 10), 0);
		arrive(&name, &early);
		cr_assert_eq(child->tcp.out_of_order_size, 10);
	}
}

Test(flood, tiny_segments_have_a_floor)
{
	static char block[65536];
	struct inet_name from;
	struct tcp_segment next;
	struct netbuf_queue data = {0};
	struct inet_tcp *child;
	struct flow flow;

	begin(128);
	flow = connect_flow();
	child = strange_connection(&from, &next, 1);
	cr_assert_eq(child->tcp.mss, 48);
	for (unsigned i = 0; i < 32; i++)
		cr_assert_eq(netbuf_append(&data, block, sizeof(block)), 0);
	cr_assert_eq(tcp_send(&child->tcp, &data, false, false, (int64_t)loop_monotonic()), 0);
	inet_tcp_push(child);
	/* Acknowledged one by one: the window grows, the records of what is out have a bound. */
	for (unsigned i = 0; i < 2000; i++) {
		struct tcp_segment ack = next;

		ack.ack = child->tcp.snd_una + 48;
		arrive(&from, &ack);
		cr_assert_leq(child->tcp.sent_count, 8192);
		if (i % 100 == 0)
			cr_assert_eq(move(&flow, 65536), 65536);
	}
	cr_assert_eq(child->tcp.counters.bytes_acked, 2000 * 48);
}
