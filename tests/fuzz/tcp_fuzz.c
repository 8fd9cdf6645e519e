/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "netstack/tcp_private.h"

/*
 * One TCP connection against a peer and a user who do as the input says: segments near the edges of
 * its windows with any flags and options, calls, and time that passes. After each step its books
 * must balance and it must come to rest.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX   400
#define OUTPUT_MAX  20000 /* segments in answer to one step */
#define PAYLOAD_MAX 4096u

struct input {
	const uint8_t *at, *end;
};

static uint32_t take(struct input *input, unsigned bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | (input->at < input->end ? *input->at++ : 0);
	return value;
}

/* A number near @base: mostly a little beside it, sometimes anywhere. */
static uint32_t near(struct input *input, uint32_t base)
{
	uint32_t how = take(input, 1);

	if (how < 128)
		return base + (how & 1 ? how >> 1 : -(how >> 1));
	if (how < 250)
		return base + (uint32_t)(int16_t)take(input, 2) * (how & 15);
	return take(input, 4);
}

static void check_sent(const struct tcp *tcp)
{
	uint32_t flight = 0, lost = 0, sacked = 0, count = 0, edge = tcp->snd_una;
	const struct tcp_sent *sent;

	list_for_each_entry (sent, &tcp->sent_by_seq, by_seq) {
		sentry_assert(seq_lt(sent->start, sent->end) && seq_le(edge, sent->start));
		sentry_assert(!(sent->sacked && sent->lost));
		edge = sent->end;
		count++;
		lost += sent->lost;
		sacked += sent->sacked;
		if (!sent->lost && !sent->sacked)
			flight += sent_size(sent);
	}
	sentry_assert(seq_le(edge, tcp->snd_nxt) && count == tcp->sent_count);
	sentry_assert(flight == tcp->in_flight && lost == tcp->lost_count);
	sentry_assert(sacked == tcp->sacked_count && count <= TCP_SENT_MAX);
}

static void check_received(const struct tcp *tcp)
{
	uint32_t size = 0, count = 0, edge = tcp->rcv_nxt;
	const struct tcp_island *island;

	list_for_each_entry (island, &tcp->out_of_order, list) {
		sentry_assert(seq_lt(edge, island->start) || (count > 0 && island->start != edge));
		edge = island->start + island->data.size;
		size += island->data.size;
		count++;
	}
	sentry_assert(size == tcp->out_of_order_size && count == tcp->island_count);
	sentry_assert(count <= TCP_ISLANDS_MAX);
	sentry_assert(tcp->receive.size <= tcp->config.receive_buffer_max + 65536u);
	sentry_assert(size <= tcp->config.receive_buffer_max + 65536u);
}

static void rest(struct tcp *tcp, int64_t now)
{
	struct tcp_segment segment;
	unsigned count = 0;

	while (tcp_output(tcp, now, &segment) > 0) {
		sentry_assert(segment.payload.size <= 65535 && ++count < OUTPUT_MAX);
		netbuf_queue_clear(&segment.payload);
	}
	(void)tcp_take_events(tcp);
	sentry_assert(tcp_deadline(tcp) > now || tcp->state == TCP_CLOSED);
	check_sent(tcp);
	if (tcp->state != TCP_SYN_SENT && tcp->state != TCP_CLOSED)
		check_received(tcp);
}

static void segment_from(struct input *input, const struct tcp *tcp, struct tcp_segment *ret)
{
	static const uint8_t bytes[PAYLOAD_MAX];
	uint32_t options = take(input, 1), payload = take(input, 1);

	*ret = (struct tcp_segment){.wscale = TCP_NO_WSCALE};
	ret->flags = (uint8_t)take(input, 1) & 0x3f;
	/* Most segments of a connection acknowledge. */
	if (options & 0x80)
		ret->flags = TCP_ACK | (ret->flags & (TCP_PSH | TCP_URG));
	ret->seq = near(input, tcp->rcv_nxt);
	ret->ack = near(input, options & 0x40 ? tcp->snd_nxt : tcp->snd_una);
	ret->window = (uint16_t)take(input, 2);
	if (ret->flags & TCP_URG)
		ret->urgent = (uint16_t)take(input, 2);
	if (options & 1)
		ret->mss = (uint16_t)take(input, 2);
	if (options & 2)
		ret->wscale = (uint8_t)take(input, 1);
	ret->sack_permitted = options & 4;
	if (options & 8) {
		ret->has_timestamp = true;
		ret->timestamp = near(input, tcp->ts_recent);
		ret->timestamp_echo = near(input, tcp->config.timestamp_offset);
	}
	if (options & 16) {
		ret->sack_count = (uint8_t)(1 + take(input, 1) % TCP_SACK_BLOCKS_MAX);
		for (unsigned i = 0; i < ret->sack_count; i++) {
			ret->sack[i].start = near(input, tcp->snd_una);
			ret->sack[i].end = near(input, ret->sack[i].start);
		}
	}
	if (payload >= 64)
		(void)netbuf_append(&ret->payload, bytes, min_of((payload - 63) * 22, PAYLOAD_MAX));
}

static void write_some(struct input *input, struct tcp *tcp, int64_t now)
{
	static const uint8_t bytes[PAYLOAD_MAX];
	uint32_t flags = take(input, 1), size = 1 + take(input, 2) % PAYLOAD_MAX;
	struct netbuf_queue queue = {0};

	if (tcp_send_space(tcp) < size)
		return;
	(void)netbuf_append(&queue, bytes, size);
	if (tcp_send(tcp, &queue, flags & 1, flags & 2, now) < 0)
		netbuf_queue_clear(&queue);
}

static void read_some(struct input *input, struct tcp *tcp, int64_t now)
{
	uint32_t skip, size = tcp_receivable(tcp, &skip);
	uint8_t byte;

	(void)tcp_receive_urgent(tcp, false, &byte);
	if (size > 0)
		tcp_received(tcp, skip + 1 + take(input, 2) % size, now);
}

static void step(struct input *input, struct tcp *tcp, bool *listening, int64_t *now)
{
	struct tcp_segment segment;
	uint32_t op = take(input, 1);

	switch (op % 16) {
	case 0 ... 7:
		segment_from(input, tcp, &segment);
		if (*listening && (segment.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
			tcp->state == TCP_CLOSED) {
			*listening = false;
			tcp_accept_syn(tcp, &segment, *now);
			netbuf_queue_clear(&segment.payload);
		} else if (tcp_input(tcp, &segment, *now)) {
			netbuf_queue_clear(&segment.payload);
		}
		break;
	case 8:
	case 9:
		write_some(input, tcp, *now);
		break;
	case 10:
		read_some(input, tcp, *now);
		break;
	case 11:
		*now += (int64_t)take(input, 2) * 1000000;
		break;
	case 12: /* to the next timer */
		if (tcp_deadline(tcp) != INT64_MAX)
			*now = max_of(*now, tcp_deadline(tcp));
		break;
	case 13:
		tcp->nodelay = op & 16;
		tcp->cork = op & 32;
		tcp->keepalive = op & 64;
		tcp->oob_inline = op & 128;
		tcp_options_changed(tcp, *now);
		break;
	case 14:
		tcp_path_mss(tcp, (uint16_t)take(input, 2));
		break;
	case 15:
		if (op & 16)
			(void)tcp_shutdown(tcp, *now);
		else if (op & 32)
			tcp_unreachable(tcp, 113, *now);
		else if (op == 15)
			tcp_close(tcp, *now);
		break;
	}
	while (tcp_deadline(tcp) <= *now) {
		tcp_timer(tcp, *now);
		rest(tcp, *now);
	}
	rest(tcp, *now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	uint32_t flags = take(&input, 1);
	struct tcp_config config = {
		.iss = take(&input, 4),
		.timestamp_offset = 12345,
		.send_buffer = 1 + take(&input, 2) * 8,
		.receive_buffer = 256 + take(&input, 2) * 8,
		.mss = (uint16_t)(88 + take(&input, 2) % 65000),
		.no_sack = flags & 1,
		.no_timestamps = flags & 2,
		.no_wscale = flags & 4,
		.no_cubic = flags & 8,
	};
	bool listening = flags & 16;
	int64_t now = 1000 * SEC;
	struct tcp tcp;

	config.receive_buffer_max = config.receive_buffer * (flags & 32 ? 4 : 1);
	tcp_init(&tcp, &config);
	if (!listening) {
		tcp_connect(&tcp, now);
		rest(&tcp, now);
	}
	for (unsigned i = 0; i < STEPS_MAX && input.at < input.end; i++)
		step(&input, &tcp, &listening, &now);
	tcp_fini(&tcp);
	return 0;
}
