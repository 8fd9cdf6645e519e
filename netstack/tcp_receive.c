/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes into order. What follows rcv_nxt goes to the receive queue; what came early waits on
 * *islands*, runs of bytes in sequence order that neither touch nor overlap. Islands are what we
 * tell the peer in SACK options, the one that changed last first (RFC 2018 section 4).
 */
#include <stdlib.h>

#include "netstack/tcp_private.h"

/*
 * An island is charged for its bytes and for what the smallest costs: bytes sent one by one, with
 * gaps between them, must not cost a thousand times themselves. The charges of all connections have
 * a bound; beyond half of it only who has little yet gets more, so that a flood on some connections
 * leaves the others their reordering.
 */
#define ISLAND_COST 1280u

static uint64_t early_total;

uint64_t tcp_early_total(void)
{
	return early_total;
}

static uint32_t early_charge(const struct tcp *tcp)
{
	return tcp->out_of_order_size + tcp->island_count * ISLAND_COST;
}

static bool may_keep_early(const struct tcp *tcp, uint32_t size)
{
	uint64_t after = early_total + size + ISLAND_COST;

	if (after > TCP_EARLY_TOTAL_MAX)
		return false;
	return after <= TCP_EARLY_TOTAL_MAX / 2 || early_charge(tcp) < TCP_EARLY_SHARE;
}

/* After a change, with what early_charge() was before. */
static void charge_early(const struct tcp *tcp, uint32_t before)
{
	early_total += early_charge(tcp);
	early_total -= before;
}

static uint32_t island_end(const struct tcp_island *island)
{
	return island->start + island->data.size;
}

static void island_free(struct tcp *tcp, struct tcp_island *island)
{
	tcp->out_of_order_size -= island->data.size;
	tcp->island_count--;
	list_remove(&island->list);
	netbuf_queue_clear(&island->data);
	free(island);
}

void tcp_out_of_order_clear(struct tcp *tcp)
{
	struct tcp_island *island, *next;
	uint32_t before = early_charge(tcp);

	list_for_each_entry_safe (island, next, &tcp->out_of_order, list)
		island_free(tcp, island);
	charge_early(tcp, before);
	tcp->recent_sack_count = 0;
}

/* @range becomes the first of what SACK options say; those it covers go. */
static void note_sack(struct tcp *tcp, struct tcp_range range)
{
	struct tcp_range kept[TCP_SACK_BLOCKS_MAX] = {range};
	unsigned count = 1;

	if (range.start == range.end) /* a FIN alone: SACK cannot say it */
		return;
	for (unsigned i = 0; i < tcp->recent_sack_count && count < TCP_SACK_BLOCKS_MAX; i++) {
		struct tcp_range old = tcp->recent_sack[i];

		if (seq_le(old.end, range.start) || seq_le(range.end, old.start))
			kept[count++] = old;
	}
	for (unsigned i = 0; i < count; i++)
		tcp->recent_sack[i] = kept[i];
	tcp->recent_sack_count = (uint8_t)count;
}

/* Forgets the ranges that rcv_nxt has passed. */
static void prune_sack(struct tcp *tcp)
{
	unsigned count = 0;

	for (unsigned i = 0; i < tcp->recent_sack_count; i++) {
		if (seq_lt(tcp->rcv_nxt, tcp->recent_sack[i].end))
			tcp->recent_sack[count++] = tcp->recent_sack[i];
	}
	tcp->recent_sack_count = (uint8_t)count;
}

uint8_t tcp_sack_blocks(struct tcp *tcp, struct tcp_range *blocks, unsigned max)
{
	unsigned count = 0;

	if (tcp->duplicate.start != tcp->duplicate.end && count < max)
		blocks[count++] = tcp->duplicate; /* RFC 2883 section 4: first, once */
	tcp->duplicate = (struct tcp_range){0};
	for (unsigned i = 0; i < tcp->recent_sack_count && count < max; i++)
		blocks[count++] = tcp->recent_sack[i];
	return (uint8_t)count;
}

/* An empty island at @start between its neighbours; @before is NULL for the end of the list. */
static struct tcp_island *island_new(struct tcp *tcp, struct list_head *before, uint32_t start)
{
	struct tcp_island *island;

	if (tcp->island_count >= TCP_ISLANDS_MAX)
		return NULL;
	island = calloc(1, sizeof(*island));
	if (!island)
		return NULL;
	island->start = start;
	list_add_tail(&island->list, before);
	tcp->island_count++;
	return island;
}

/* Joins @island with the next one when nothing is missing between them. */
static void island_join(struct tcp *tcp, struct tcp_island *island)
{
	struct tcp_island *next;

	if (island->list.next == &tcp->out_of_order)
		return;
	next = list_entry(island->list.next, struct tcp_island, list);
	if (next->start != island_end(island))
		return;
	island->fin = next->fin;
	netbuf_move(&island->data, &next->data);
	tcp->island_count--;
	list_remove(&next->list);
	free(next);
}

/*
 * Takes what is new of @data, which begins at @start, into the islands. What they have already is
 * reported as a duplicate.
 */
static void take_early(struct tcp *tcp, uint32_t start, struct netbuf_queue *data, bool fin)
{
	struct tcp_island *island = NULL, *pos;
	uint32_t end = start + data->size;

	/* The first island that does not end before the data begins; mostly there is none, so the
	 * search is from the end. */
	for (struct list_head *at = tcp->out_of_order.prev; at != &tcp->out_of_order;
		at = at->prev) {
		pos = list_entry(at, struct tcp_island, list);
		if (seq_lt(island_end(pos), start))
			break;
		island = pos;
	}
	if (!island || seq_lt(end, island->start)) {
		/* In a gap of its own. */
		island = island_new(tcp, island ? &island->list : &tcp->out_of_order, start);
		if (!island) {
			return;
		}
	} else if (seq_lt(start, island->start)) {
		/* Before the island, touching or overlapping it: what is new is put in front. */
		struct netbuf_queue rest = island->data;
		uint32_t lead = island->start - start;

		if (seq_lt(island_end(island), end)) {
			/* Covers it all: the newer bytes are as good (and what they cover behind it
			 * is dealt with below). */
			tcp->out_of_order_size -= rest.size;
			netbuf_queue_clear(&rest);
			island->fin = false;
		} else {
			netbuf_truncate(data, lead);
			fin = island->fin;
		}
		island->data = (struct netbuf_queue){0};
		tcp->out_of_order_size += data->size;
		netbuf_move_compact(&island->data, data);
		netbuf_move(&island->data, &rest);
		island->start = start;
	} else if (seq_le(end, island_end(island))) {
		tcp->duplicate = (struct tcp_range){start, end};
		island->fin |= fin && end == island_end(island);
		netbuf_queue_clear(data);
		fin = false;
	} else {
		netbuf_drop(data, island_end(island) - start);
	}
	if (data->size > 0 || fin) {
		tcp->out_of_order_size += data->size;
		netbuf_move_compact(&island->data, data);
		island->fin |= fin;
	}
	/* Islands that the data reached: cut off what it brought, join with the rest. */
	while (island->list.next != &tcp->out_of_order) {
		struct tcp_island *next = list_entry(island->list.next, struct tcp_island, list);

		if (seq_lt(island_end(island), next->start))
			break;
		if (seq_le(island_end(next), island_end(island))) {
			island->fin |= next->fin;
			island_free(tcp, next);
			continue;
		}
		tcp->out_of_order_size -= island_end(island) - next->start;
		netbuf_drop(&next->data, island_end(island) - next->start);
		next->start = island_end(island);
		island_join(tcp, island);
		break;
	}
	note_sack(tcp, (struct tcp_range){island->start, island_end(island)});
}

/* Moves the islands that rcv_nxt has reached to the receive queue; returns whether a FIN follows.
 */
static bool take_islands(struct tcp *tcp)
{
	bool fin = false;

	while (!list_empty(&tcp->out_of_order)) {
		struct tcp_island *island = list_first(&tcp->out_of_order, struct tcp_island, list);
		uint32_t end = island_end(island), known;

		if (seq_lt(tcp->rcv_nxt, island->start))
			break;
		if (seq_lt(tcp->rcv_nxt, end)) {
			known = tcp->rcv_nxt - island->start;
			netbuf_drop(&island->data, known);
			island->start += known;
			tcp->out_of_order_size -= known;
			tcp->rcv_nxt = end;
			tcp->out_of_order_size -= island->data.size;
			netbuf_move(&tcp->receive, &island->data);
			fin = island->fin;
		} else if (end == tcp->rcv_nxt) {
			fin |= island->fin;
		}
		island_free(tcp, island);
	}
	return fin;
}

/* When the acknowledgement of what just came is due (RFC 5681 section 4.2, RFC 1122 4.2.3.2). */
static void schedule_ack(struct tcp *tcp, uint32_t size, int64_t now)
{
	tcp->unacked_size += size;
	if (size > tcp->rcv_mss)
		tcp->rcv_mss = tcp_min(size, tcp->config.mss);
	if (tcp->unacked_size >= 2 * tcp->rcv_mss || tcp->no_delayed_ack) {
		tcp->ack_now = true;
	} else if (tcp->quick_acks > 0) {
		tcp->quick_acks--;
		tcp->ack_now = true;
	} else if (tcp->deadline[TCP_TIMER_ACK] == INT64_MAX) {
		tcp->deadline[TCP_TIMER_ACK] = now + TCP_ACK_DELAY;
	}
}

/* The urgent byte has come into the receive queue: kept aside for recv(MSG_OOB). */
static void fetch_urgent(struct tcp *tcp)
{
	if (tcp->urgent_state != TCP_URGENT_AWAITED ||
		!seq_within(tcp->urgent_seq, tcp->read_seq, tcp->read_seq + tcp->receive.size))
		return;
	netbuf_peek(&tcp->receive, tcp->urgent_seq - tcp->read_seq, &tcp->urgent_byte, 1);
	tcp->urgent_state = TCP_URGENT_VALID;
	tcp_event(tcp, TCP_EVENT_URGENT);
}

/*
 * The urgent pointer of a segment (RFC 9293 section 3.10.7.4, sixth step). It points behind the
 * urgent byte, as all stacks have it (RFC 6093 section 3.4).
 */
void tcp_take_urgent(struct tcp *tcp, const struct tcp_segment *segment)
{
	uint32_t seq;

	if (segment->urgent == 0 || tcp->fin_received)
		return;
	seq = segment->seq + segment->urgent - 1;
	if (seq_lt(seq, tcp->rcv_nxt) || seq_lt(seq, tcp->read_seq))
		return; /* of the past */
	if (tcp->urgent_state != TCP_URGENT_NONE && seq_le(seq, tcp->urgent_seq))
		return;
	/* An old mark that the reader stands at: its byte is dropped, as it would have been. */
	if (tcp_at_mark(tcp) && !tcp->oob_inline && tcp->receive.size > 0) {
		netbuf_drop(&tcp->receive, 1);
		tcp->read_seq++;
	}
	tcp->urgent_seq = seq;
	tcp->urgent_state = TCP_URGENT_AWAITED;
	tcp_event(tcp, TCP_EVENT_URGENT);
}

/*
 * The text of an acceptable segment (RFC 9293 section 3.10.7.4, seventh step), and its FIN as far
 * as the sequence goes: sets fin_received when everything before it is there.
 */
void tcp_take_data(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	struct netbuf_queue *data = &segment->payload;
	bool fin = segment->flags & TCP_FIN, gap = !list_empty(&tcp->out_of_order);
	uint32_t start = segment->seq + !!(segment->flags & TCP_SYN), room, size;

	if (seq_lt(start, tcp->rcv_nxt)) {
		uint32_t old = tcp_min(tcp->rcv_nxt - start, data->size);

		if (old > 0) {
			tcp->duplicate = (struct tcp_range){start, start + old};
			tcp->ack_now = true;
		}
		netbuf_drop(data, old);
		start += old;
		if (seq_lt(start, tcp->rcv_nxt)) /* the FIN, too, is known */
			return;
	}
	room = tcp->rcv_advertised - start;
	if (data->size > room) {
		netbuf_truncate(data, room);
		fin = false;
	}
	size = data->size;
	if (size == 0 && !fin)
		return;
	tcp->counters.data_in++;
	if (start != tcp->rcv_nxt) {
		uint32_t before = early_charge(tcp);

		if (may_keep_early(tcp, size))
			take_early(tcp, start, data, fin);
		charge_early(tcp, before);
		tcp->ack_now = true;
		return;
	}
	tcp->rcv_nxt += size;
	netbuf_move_compact(&tcp->receive, data);
	if (gap) {
		uint32_t before = early_charge(tcp);

		fin |= take_islands(tcp);
		charge_early(tcp, before);
	}
	prune_sack(tcp);
	tcp->counters.bytes_received += size;
	fetch_urgent(tcp);
	if (fin) {
		tcp->rcv_nxt++;
		tcp->rcv_advertised = seq_max(tcp->rcv_advertised, tcp->rcv_nxt);
		tcp->fin_received = true;
		tcp_out_of_order_clear(tcp);
	}
	if (gap || fin)
		tcp->ack_now = true;
	else
		schedule_ack(tcp, size, now);
	tcp_event(tcp, TCP_EVENT_READABLE);
}
