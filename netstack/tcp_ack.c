/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acknowledgements of what we sent: what they and their SACK options say was delivered, what that
 * tells of the path, and what is to be done about it. In this order: mark what was delivered, let
 * RACK find what was lost, set the congestion window, set the timers.
 */
#include "netstack/tcp_private.h"

/* Records below @ack are done; one that it cuts is shortened. */
static void take_cumulative(struct tcp *tcp, const struct tcp_segment *segment,
	struct tcp_delivery *delivery, int64_t now)
{
	struct tcp_sent *sent, *next;
	uint32_t ack = segment->ack;

	list_for_each_entry_safe (sent, next, &tcp->sent_by_seq, by_seq) {
		if (seq_le(ack, sent->start))
			break;
		if (seq_lt(ack, sent->end)) {
			/* The peer got a part: it was cut on the way, or the peer had no room. */
			if (!sent->sacked && !sent->lost)
				tcp->in_flight -= ack - sent->start;
			sent->start = ack;
			break;
		}
		if (!sent->sacked) {
			delivery->bytes += sent_size(sent);
			tcp_rack_delivered(tcp, sent, segment, delivery, now);
		}
		tcp_sent_forget(tcp, sent);
	}
}

/* Marks what [@range) covers, splitting records at its ends. */
static void take_range(struct tcp *tcp, const struct tcp_segment *segment, struct tcp_range range,
	struct tcp_delivery *delivery, int64_t now)
{
	struct tcp_sent *sent, *next;

	list_for_each_entry_safe (sent, next, &tcp->sent_by_seq, by_seq) {
		if (seq_le(range.end, sent->start))
			break;
		if (sent->sacked || seq_le(sent->end, range.start))
			continue;
		if (seq_lt(sent->start, range.start)) {
			/* The later part comes next, and is looked at then. */
			struct tcp_sent *later = tcp_sent_split(tcp, sent, range.start);

			if (!later)
				continue;
			sent = later;
			next = list_entry(later->by_seq.next, struct tcp_sent, by_seq);
		}
		if (seq_lt(range.end, sent->end) && !tcp_sent_split(tcp, sent, range.end))
			continue;
		delivery->bytes += sent_size(sent);
		delivery->sacked += sent_size(sent);
		tcp_rack_delivered(tcp, sent, segment, delivery, now);
		tcp_sent_sack(tcp, sent);
	}
}

/*
 * RFC 2018 and, for the first block, RFC 2883: a block below the cumulative acknowledgement, or
 * within the second block, says that a segment arrived twice.
 */
static bool is_dsack(const struct tcp_segment *segment)
{
	const struct tcp_range *first = &segment->sack[0], *second = &segment->sack[1];

	if (seq_le(first->end, segment->ack))
		return true;
	return segment->sack_count > 1 && seq_le(second->start, first->start) &&
	       seq_le(first->end, second->end);
}

/* In the order of their numbers, or what one acknowledgement brings would look reordered (RFC 8985
 * section 6.2, step 3). */
static void insert_range(struct tcp_range *ranges, unsigned count, struct tcp_range range)
{
	for (; count > 0 && seq_lt(range.start, ranges[count - 1].start); count--)
		ranges[count] = ranges[count - 1];
	ranges[count] = range;
}

static void take_sack(struct tcp *tcp, const struct tcp_segment *segment,
	struct tcp_delivery *delivery, int64_t now)
{
	struct tcp_range ranges[TCP_SACK_BLOCKS_MAX];
	unsigned i = 0, count = 0;

	if (segment->sack_count == 0)
		return;
	if (is_dsack(segment)) {
		/* The probe came twice: nothing had been lost (RFC 8985 section 7.4.2). */
		if (tcp->probe_out && tcp->probe_is_retransmission &&
			segment->sack[0].end == tcp->probe_end)
			tcp->probe_out = false;
		else
			tcp_rack_dsack(tcp);
		i = 1;
	}
	for (; i < segment->sack_count; i++) {
		struct tcp_range range = segment->sack[i];

		/* Only what lies between the two ends of what we sent, and is not empty. */
		if (seq_lt(range.start, tcp->snd_una))
			range.start = tcp->snd_una;
		if (seq_lt(range.start, range.end) && seq_le(range.end, tcp->snd_nxt))
			insert_range(ranges, count++, range);
	}
	for (i = 0; i < count; i++)
		take_range(tcp, segment, ranges[i], delivery, now);
}

/* The peer has the bytes up to @ack: our copies go. */
static void advance(struct tcp *tcp, uint32_t ack, int64_t now)
{
	uint32_t bytes = 0;

	if (seq_lt(tcp->send_start, ack))
		bytes = tcp_min(ack - tcp->send_start, tcp->send.size);
	netbuf_drop(&tcp->send, bytes);
	tcp->send_start += bytes;
	tcp->snd_una = ack;
	tcp->counters.bytes_acked += bytes;
	tcp->unanswered_since = ack == tcp->snd_nxt ? 0 : now;
	tcp->unanswered = 0;
	if (tcp->urgent_out && seq_le(tcp->snd_urgent, ack))
		tcp->urgent_out = false;
	if (bytes > 0)
		tcp_event(tcp, TCP_EVENT_WRITABLE);
}

/* RFC 9293 section 3.10.7.4, fifth step: the window of a segment that is not older than the last
 * that set it. Returns whether it is another one. */
static bool take_window(struct tcp *tcp, const struct tcp_segment *segment)
{
	uint32_t window = (uint32_t)segment->window << tcp->snd_wscale;
	bool changed = window != tcp->snd_wnd;

	if (segment->flags & TCP_SYN)
		return false; /* set where the handshake is */
	if (!seq_lt(tcp->snd_wl1, segment->seq) &&
		!(tcp->snd_wl1 == segment->seq && seq_le(tcp->snd_wl2, segment->ack)))
		return false;
	tcp->snd_wnd = window;
	tcp->snd_max_wnd = tcp_max(tcp->snd_max_wnd, window);
	tcp->snd_wl1 = segment->seq;
	tcp->snd_wl2 = segment->ack;
	return changed;
}

/* Karn's rule (RFC 6298 section 3): only what was sent once, and did not wait at the peer for what
 * was sent twice, tells the round trip; timestamps do in any case (RFC 7323 section 4). */
static void take_rtt(struct tcp *tcp, const struct tcp_segment *segment,
	const struct tcp_delivery *delivery, bool advanced, int64_t now)
{
	if (delivery->rtt >= 0 && !delivery->ambiguous)
		tcp_rtt_sample(tcp, delivery->rtt);
	else if (advanced && tcp->timestamps_ok && segment->has_timestamp &&
		 segment->timestamp_echo)
		tcp_rtt_sample(
			tcp, (int32_t)(tcp_timestamp(tcp, now) - segment->timestamp_echo) * MSEC);
}

/* The end of a tail loss probe (RFC 8985 section 7.4.2): when it was a repetition, and what it
 * repeated arrives only once, the original was lost, and the window has to pay for it. */
static void probe_acked(struct tcp *tcp, const struct tcp_segment *segment, int64_t now)
{
	if (!tcp->probe_out || seq_lt(segment->ack, tcp->probe_end))
		return;
	tcp->probe_out = false;
	if (tcp->probe_is_retransmission && tcp->recovery == TCP_RECOVERY_OPEN &&
		segment->sack_count == 0) {
		tcp->ssthresh = tcp->congestion->on_loss(tcp, now);
		tcp->cwnd = tcp_min(tcp->cwnd, tcp->ssthresh);
	}
}

/* A peer without SACK (RFC 6582): the third duplicate says that the first segment is lost, and in
 * recovery so does an acknowledgement of a part. Returns bytes newly taken for lost. */
static uint32_t detect_by_duplicates(struct tcp *tcp, bool advanced)
{
	struct tcp_sent *first;

	if (list_empty(&tcp->sent_by_seq))
		return 0;
	first = list_first(&tcp->sent_by_seq, struct tcp_sent, by_seq);
	if (first->lost || first->retransmitted)
		return 0;
	if (advanced ? tcp->recovery != TCP_RECOVERY_FAST || seq_le(tcp->recover, tcp->snd_una)
		     : tcp->duplicate_acks != TCP_DUP_THRESH)
		return 0;
	tcp_sent_lose(tcp, first);
	return sent_size(first);
}

void tcp_take_ack(struct tcp *tcp, const struct tcp_segment *segment, int64_t now)
{
	struct tcp_delivery delivery = {.rtt = -1};
	uint32_t before = tcp->snd_una, flight = tcp_flight(tcp), lost;
	bool advanced = seq_lt(before, segment->ack), window_changed;

	window_changed = take_window(tcp, segment);
	if (advanced) {
		take_cumulative(tcp, segment, &delivery, now);
		advance(tcp, segment->ack, now);
		tcp->backoff = 0;
		tcp->duplicate_acks = 0;
	}
	if (tcp->sack_ok) {
		take_sack(tcp, segment, &delivery, now);
	} else if (!advanced && segment->ack == before && tcp->in_flight > 0 && !window_changed &&
		   tcp_segment_length(segment) == 0) {
		tcp->duplicate_acks++;
		delivery.bytes += tcp->mss;
	}
	/* Any answer to the probe of a closed window is an answer. */
	if (tcp->snd_una == tcp->snd_nxt) {
		tcp->unanswered_since = 0;
		tcp->unanswered = 0;
		if (window_changed && tcp->snd_wnd > 0)
			tcp->backoff = 0;
	}
	take_rtt(tcp, segment, &delivery, advanced, now);
	lost = tcp->sack_ok ? tcp_rack_detect(tcp, now) : detect_by_duplicates(tcp, advanced);
	if (lost > 0 && tcp->recovery == TCP_RECOVERY_OPEN)
		tcp_enter_fast_recovery(tcp, now);
	if (delivery.bytes > 0 || advanced)
		tcp_congestion_acked(tcp, segment->ack - before, flight, &delivery, now);
	/* Without SACK the estimate of what is in flight is rough: the repetition that a partial
	 * acknowledgement asks for does not wait for it (RFC 6582 section 3.2, step 5). */
	if (!tcp->sack_ok && lost > 0)
		tcp->cwnd = tcp_max(tcp->cwnd, tcp_flight(tcp) + tcp->mss);
	probe_acked(tcp, segment, now);
	if (advanced || delivery.bytes > 0 || window_changed) {
		tcp_retransmit_arm(tcp, now);
		tcp_tail_arm(tcp, now);
	}
}
