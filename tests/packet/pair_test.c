/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two connections over a bad network, in virtual time: losses, repetitions, reordering and changing
 * delays by a seed. Whatever happens to segments, both streams have to arrive whole and in order,
 * both sides have to end, and nothing may be left.
 *
 * usage: pair_test [SEED [COUNT]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "netstack/tcp.h"

#define SEC	   INT64_C(1000000000)
#define MSEC	   INT64_C(1000000)
#define FLIGHT_MAX 65536u

struct end {
	struct tcp tcp;
	uint32_t to_send, sent, received, expected;
	bool closed, half_open; /* it shuts down, and reads on */
};

struct packet {
	int64_t at;
	unsigned to;
	struct tcp_segment segment;
};

struct world {
	struct end ends[2];
	struct packet *packets[FLIGHT_MAX]; /* a heap by time */
	unsigned count;
	int64_t now;
	uint64_t state;
	unsigned loss, duplicate, reorder; /* per thousand */
	int64_t delay;
	uint64_t dropped;
};

static uint64_t draw(struct world *world)
{
	/* xorshift64*: the same on every machine. */
	world->state ^= world->state >> 12;
	world->state ^= world->state << 25;
	world->state ^= world->state >> 27;
	return world->state * UINT64_C(2685821657736338717) >> 11;
}

static bool chance(struct world *world, unsigned per_thousand)
{
	return draw(world) % 1000 < per_thousand;
}

static unsigned char pattern(uint32_t at, unsigned from)
{
	return (unsigned char)(at * 131 + (at >> 9) + from);
}

static void push(struct world *world, struct packet *packet)
{
	unsigned i = world->count++;

	while (i > 0 && world->packets[(i - 1) / 2]->at > packet->at) {
		world->packets[i] = world->packets[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	world->packets[i] = packet;
}

static struct packet *pop(struct world *world)
{
	struct packet *first = world->packets[0], *last = world->packets[--world->count];
	unsigned i = 0;

	for (;;) {
		unsigned child = 2 * i + 1;

		if (child >= world->count)
			break;
		if (child + 1 < world->count &&
			world->packets[child + 1]->at < world->packets[child]->at)
			child++;
		if (world->packets[child]->at >= last->at)
			break;
		world->packets[i] = world->packets[child];
		i = child;
	}
	world->packets[i] = last;
	return first;
}

static void transmit(struct world *world, unsigned to, const struct tcp_segment *segment)
{
	struct packet *packet;

	if (chance(world, world->loss) || world->count == FLIGHT_MAX) {
		world->dropped++;
		return;
	}
	packet = calloc(1, sizeof(*packet));
	packet->segment = *segment;
	packet->segment.payload = (struct netbuf_queue){0};
	if (netbuf_slice((struct netbuf_queue *)&segment->payload, 0, segment->payload.size,
		    &packet->segment.payload) < 0)
		abort();
	packet->to = to;
	packet->at = world->now + world->delay;
	if (chance(world, world->reorder))
		packet->at += (int64_t)(draw(world) % (uint64_t)(2 * world->delay + 1));
	push(world, packet);
}

/* What an end's user does: writes, reads, and closes when it has done both. */
static void use(struct world *world, unsigned who)
{
	struct end *end = &world->ends[who];
	uint32_t skip, size, space;

	space = tcp_send_space(&end->tcp);
	while (end->sent < end->to_send && space > 0 && end->tcp.state != TCP_CLOSED) {
		struct netbuf_queue data = {0};
		unsigned char bytes[3000];

		size = 1 + draw(world) % sizeof(bytes);
		size = size < space ? size : space;
		size = size < end->to_send - end->sent ? size : end->to_send - end->sent;
		for (uint32_t i = 0; i < size; i++)
			bytes[i] = pattern(end->sent + i, who);
		netbuf_append(&data, bytes, size);
		if (tcp_send(&end->tcp, &data, false, false, world->now) < 0) {
			netbuf_queue_clear(&data);
			break;
		}
		end->sent += size;
		space -= size;
	}
	size = tcp_receivable(&end->tcp, &skip);
	if (size > 0 && chance(world, 700)) {
		size = 1 + draw(world) % size;
		for (uint32_t i = 0; i < size; i++) {
			unsigned char byte;

			netbuf_peek(&end->tcp.receive, i, &byte, 1);
			if (byte != pattern(end->received + i, !who)) {
				printf("byte %u is wrong\n", end->received + i);
				abort();
			}
		}
		end->received += size;
		tcp_received(&end->tcp, size, world->now);
	}
	if (end->half_open && end->sent == end->to_send)
		tcp_shutdown(&end->tcp, world->now);
	if (!end->closed && end->sent == end->to_send && tcp_at_end(&end->tcp) &&
		end->tcp.counters.segments_out > 0) {
		end->closed = true;
		tcp_close(&end->tcp, world->now);
	}
}

static void drain(struct world *world, unsigned who)
{
	struct tcp_segment segment;

	while (tcp_output(&world->ends[who].tcp, world->now, &segment) > 0) {
		transmit(world, !who, &segment);
		if (chance(world, world->duplicate))
			transmit(world, !who, &segment);
		netbuf_queue_clear(&segment.payload);
	}
}

static bool run(uint64_t seed, bool verbose)
{
	struct world *world = calloc(1, sizeof(*world));
	uint64_t steps = 0;
	bool good = true;

	world->state = seed * 2654435761u + 88172645463325252u;
	world->now = 50 * SEC;
	world->loss = draw(world) % 4 ? draw(world) % 200 : 0;
	world->duplicate = draw(world) % 100;
	world->reorder = draw(world) % 3 ? draw(world) % 300 : 0;
	world->delay = 10000 + (int64_t)(draw(world) % (uint64_t)(100 * MSEC));
	for (unsigned i = 0; i < 2; i++) {
		struct tcp_config config = {
			.iss = (uint32_t)draw(world),
			.timestamp_offset = (uint32_t)draw(world),
			.send_buffer = 2000 + draw(world) % 300000,
			.receive_buffer = 2000 + draw(world) % 300000,
			.mss = (uint16_t)(draw(world) % 5 ? 88 + draw(world) % 9000 : 65483),
			.no_wscale = chance(world, 200),
			.no_timestamps = chance(world, 300),
			.no_sack = chance(world, 300),
			.no_cubic = chance(world, 300),
		};

		config.receive_buffer_max = config.receive_buffer * (1 + draw(world) % 4);
		tcp_init(&world->ends[i].tcp, &config);
		world->ends[i].tcp.nodelay = chance(world, 300);
		world->ends[i].to_send = draw(world) % 5 ? draw(world) % 400000 : 0;
		world->ends[i].half_open = i == 0 || chance(world, 300);
	}
	for (unsigned i = 0; i < 2; i++)
		world->ends[i].expected = world->ends[!i].to_send;
	tcp_connect(&world->ends[0].tcp, world->now);
	if (chance(world, 100)) /* both at once */
		tcp_connect(&world->ends[1].tcp, world->now);
	for (;;) {
		int64_t next = world->count ? world->packets[0]->at : INT64_MAX;

		if (++steps > 3000000 || world->now > 20000 * SEC) {
			good = false;
			break;
		}
		for (unsigned i = 0; i < 2; i++) {
			int64_t deadline;

			use(world, i);
			drain(world, i);
			deadline = tcp_deadline(&world->ends[i].tcp);
			next = deadline < next ? deadline : next;
			/* A reader that did not read comes back. */
			if (world->ends[i].tcp.receive.size > 0 && world->now + 5 * MSEC < next)
				next = world->now + 5 * MSEC;
		}
		if (world->count && world->packets[0]->at < next)
			next = world->packets[0]->at;
		if (next == INT64_MAX)
			break;
		world->now = next > world->now ? next : world->now;
		for (unsigned i = 0; i < 2; i++) {
			if (tcp_deadline(&world->ends[i].tcp) <= world->now)
				tcp_timer(&world->ends[i].tcp, world->now);
		}
		while (world->count && world->packets[0]->at <= world->now) {
			struct packet *packet = pop(world);
			struct tcp *tcp = &world->ends[packet->to].tcp;
			struct tcp_segment reset;

			if (tcp->state == TCP_CLOSED && !tcp->orphan && !tcp->error &&
				(packet->segment.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
				tcp->counters.segments_out == 0)
				tcp_accept_syn(tcp, &packet->segment, world->now);
			else if (tcp->state != TCP_CLOSED)
				tcp_input(tcp, &packet->segment, world->now);
			else if (tcp_reset_for(&packet->segment, &reset))
				transmit(world, !packet->to, &reset);
			netbuf_queue_clear(&packet->segment.payload);
			free(packet);
		}
	}
	for (unsigned i = 0; i < 2; i++) {
		struct end *end = &world->ends[i];

		if (end->tcp.state != TCP_CLOSED || end->received != end->expected ||
			end->tcp.error)
			good = false;
	}
	if (!good || verbose)
		printf("%s seed %" PRIu64
		       ": loss %u duplicate %u reorder %u delay %.2f ms, %.1f s, %" PRIu64
		       " steps; "
		       "%s %u of %u, error %d; %s %u of %u, error %d\n",
			good ? "ok  " : "FAIL", seed, world->loss, world->duplicate, world->reorder,
			(double)world->delay / MSEC, (double)(world->now - 50 * SEC) / SEC, steps,
			tcp_state_name(world->ends[0].tcp.state), world->ends[0].received,
			world->ends[0].expected, world->ends[0].tcp.error,
			tcp_state_name(world->ends[1].tcp.state), world->ends[1].received,
			world->ends[1].expected, world->ends[1].tcp.error);
	while (world->count) {
		struct packet *packet = pop(world);

		netbuf_queue_clear(&packet->segment.payload);
		free(packet);
	}
	tcp_fini(&world->ends[0].tcp);
	tcp_fini(&world->ends[1].tcp);
	free(world);
	return good;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? 1 : 300;
	unsigned failed = 0;

	for (uint64_t i = 0; i < count; i++)
		failed += !run(seed + i, count == 1);
	printf("%" PRIu64 " passed, %u failed\n", count - failed, failed);
	return failed > 0;
}
