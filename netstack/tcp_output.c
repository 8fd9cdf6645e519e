/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be sent next, one segment a call, in this order: a reset, a SYN, what was lost, new
 * data and the FIN, probes, and an acknowledgement when none of these carried it.
 */
#include <errno.h>

#include "netstack/tcp_private.h"

/* Where the window that we announce ends from now on: it never moves back (RFC 9293 section 3.8.6)
 * and moves on in steps that are worth a segment (section 3.8.6.2.2). */
static uint16_t announce_window(struct tcp *tcp, bool scaled)
{
	uint32_t known = tcp->rcv_advertised - tcp->rcv_nxt, window = tcp_receive_window(tcp);
	uint8_t shift = scaled ? tcp->rcv_wscale : 0;

	if (seq_lt(tcp->rcv_advertised, tcp->rcv_nxt))
		known = 0;
	if (window < known)
		window = known + ((1u << shift) - 1); /* rounded up: not to take anything back */
	else if (known > 0 &&
		 window - known < tcp_min(tcp->rcv_mss, tcp->config.receive_buffer / 2))
		window = known + ((1u << shift) - 1);
	else if (known == 0 && window < tcp_min(tcp->rcv_mss, tcp->config.receive_buffer / 2))
		window = 0;
	window = tcp_min(window >> shift, 65535);
	tcp->rcv_advertised = seq_max(tcp->rcv_advertised, tcp->rcv_nxt + (window << shift));
	return (uint16_t)window;
}

/* The fields that all segments with an acknowledgement share. The debts they pay are paid. */
static void fill_ack(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	segment->flags |= TCP_ACK;
	segment->ack = tcp->rcv_nxt;
	segment->window = announce_window(tcp, !(segment->flags & TCP_SYN));
	if (tcp->sack_ok && !(segment->flags & TCP_SYN))
		segment->sack_count = tcp_sack_blocks(tcp, segment->sack,
			tcp->timestamps_ok ? TCP_SACK_BLOCKS_MAX - 1 : TCP_SACK_BLOCKS_MAX);
	tcp->last_ack_sent = tcp->rcv_nxt;
	tcp->unacked_size = 0;
	tcp->ack_now = false;
	tcp->deadline[TCP_TIMER_ACK] = INT64_MAX;
}

static void fill_timestamp(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	if (!tcp->timestamps_ok)
		return;
	segment->has_timestamp = true;
	segment->timestamp = tcp_timestamp(tcp, now);
	segment->timestamp_echo = tcp->ts_recent;
}

static int sent(struct tcp *tcp)
{
	tcp->counters.segments_out++;
	return 1;
}

static int output_reset(struct tcp *tcp, struct tcp_segment *segment)
{
	tcp->reset_due = false;
	segment->flags = TCP_RST;
	segment->seq = tcp->reset_seq;
	if (tcp->reset_has_ack) {
		segment->flags |= TCP_ACK;
		segment->ack = tcp->rcv_nxt;
	}
	return sent(tcp);
}

static int output_syn(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	bool passive = tcp->state == TCP_SYN_RECEIVED;

	if (list_empty(&tcp->sent_by_seq)) {
		if (!tcp_sent_add(tcp, tcp->iss, tcp->iss + 1, true, false, now))
			return -ENOMEM;
		tcp->unanswered_since = now;
		tcp->snd_nxt = tcp->iss + 1;
	} else {
		tcp_sent_again(tcp, list_first(&tcp->sent_by_seq, struct tcp_sent, by_seq), now);
		tcp->counters.retransmitted++;
	}
	tcp->syn_due = false;
	segment->flags = TCP_SYN;
	segment->seq = tcp->iss;
	segment->mss = tcp->config.mss;
	if (passive ? tcp->wscale_ok : !tcp->config.no_wscale)
		segment->wscale = tcp->rcv_wscale;
	segment->sack_permitted = passive ? tcp->sack_ok : !tcp->config.no_sack;
	if (passive) {
		fill_ack(tcp, segment, now);
		fill_timestamp(tcp, segment, now);
	} else {
		segment->window = (uint16_t)tcp_min(tcp_receive_window(tcp), 65535);
		if (!tcp->config.no_timestamps) {
			segment->has_timestamp = true;
			segment->timestamp = tcp_timestamp(tcp, now);
		}
	}
	if (tcp->deadline[TCP_TIMER_RETRANSMIT] == INT64_MAX)
		tcp_retransmit_arm(tcp, now);
	return sent(tcp);
}

/* The fields of a segment with sequence numbers [@start, @end), the payload last: on failure
 * nothing has happened. */
static int fill_data(struct tcp *tcp, struct tcp_segment *segment, uint32_t start, uint32_t end,
	bool fin, int64_t now)
{
	uint32_t size = end - start - fin;

	if (size > 0) {
		int err =
			netbuf_slice(&tcp->send, start - tcp->send_start, size, &segment->payload);

		if (err < 0)
			return err;
	}
	segment->seq = start;
	if (fin)
		segment->flags |= TCP_FIN;
	if (size > 0 && start + size == tcp_queued_end(tcp))
		segment->flags |= TCP_PSH;
	if (tcp->urgent_out && seq_lt(start, tcp->snd_urgent)) {
		segment->flags |= TCP_URG;
		segment->urgent = (uint16_t)tcp_min(tcp->snd_urgent - start, 65535);
	}
	fill_ack(tcp, segment, now);
	fill_timestamp(tcp, segment, now);
	tcp->last_send_at = now;
	tcp->counters.bytes_sent += size;
	tcp->counters.data_out++;
	if (tcp->recovery == TCP_RECOVERY_FAST)
		tcp->prr_out += end - start;
	/* Who answers what he reads acknowledges with the answer. */
	if (size > 0)
		tcp->quick_acks = 0;
	return 0;
}

/* Sends @record once more, or as much of it as a segment carries now. */
static int repeat(
	struct tcp *tcp, struct tcp_segment *segment, struct tcp_sent *record, int64_t now)
{
	uint32_t size = sent_size(record) - record->fin;
	int err;

	if (size > tcp->mss && !tcp_sent_split(tcp, record, record->start + tcp->mss))
		return -ENOMEM;
	err = fill_data(tcp, segment, record->start, record->end, record->fin, now);
	if (err < 0)
		return err;
	tcp_sent_again(tcp, record, now);
	tcp->counters.retransmitted++;
	if (tcp->deadline[TCP_TIMER_RETRANSMIT] == INT64_MAX)
		tcp_retransmit_arm(tcp, now);
	return sent(tcp);
}

static bool window_is_full(const struct tcp *tcp, uint32_t size)
{
	uint32_t flight = tcp_flight(tcp);

	return flight > 0 && flight + size > tcp->cwnd;
}

static int output_lost(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	struct tcp_sent *record;

	if (list_empty(&tcp->sent_lost))
		return 0;
	record = list_first(&tcp->sent_lost, struct tcp_sent, by_time);
	if (window_is_full(tcp, tcp_min(sent_size(record), tcp->mss)))
		return 0;
	/* The peer took its window back: only what it waits for first. */
	if (record->start != tcp->snd_una && seq_lt(tcp->snd_una + tcp->snd_wnd, record->end))
		return 0;
	return repeat(tcp, segment, record, now);
}

/*
 * Whether @size bytes, less than a full segment, should wait for more. @last: nothing is queued
 * behind them. RFC 1122 section 4.2.3.4 with Minshall's change: a small segment waits while another
 * small one is not acknowledged, not while any is.
 */
static bool waits_for_more(const struct tcp *tcp, uint32_t size, bool last, bool urged, int64_t now)
{
	if (!last) /* the window is small: half of the largest ever seen is worth a segment */
		return !urged && size < tcp->snd_max_wnd / 2;
	if (tcp->fin_queued || urged || (tcp->urgent_out && seq_lt(tcp->snd_nxt, tcp->snd_urgent)))
		return false;
	if (tcp->cork || !tcp->push_pending)
		return true;
	return !tcp->nodelay && seq_lt(tcp->snd_una, tcp->nagle_small);
}

/* New data, and the FIN with the last of it. @urged: by a timer, or a probe: a small segment goes,
 * too, and beyond the congestion window. */
static int output_new(struct tcp *tcp, struct tcp_segment *segment, bool urged, int64_t now)
{
	uint32_t queued = tcp_queued_end(tcp) - tcp->snd_nxt, room, size;
	uint32_t edge = tcp->snd_una + tcp->snd_wnd;
	bool fin, last;
	int err;

	if (tcp_fin_sent(tcp) || tcp->sent_count >= TCP_SENT_MAX)
		return 0;
	room = seq_lt(tcp->snd_nxt, edge) ? edge - tcp->snd_nxt : 0;
	size = tcp_min(tcp_min(queued, tcp->mss), room);
	last = size == queued;
	fin = tcp->fin_queued && last;
	if (size == 0 && !fin)
		return 0;
	if (size > 0 && size < tcp->mss && waits_for_more(tcp, size, last, urged, now))
		return 0;
	if (!urged && window_is_full(tcp, size))
		return 0;
	if (!tcp_sent_add(tcp, tcp->snd_nxt, tcp->snd_nxt + size + fin, false, fin, now))
		return -ENOMEM;
	err = fill_data(tcp, segment, tcp->snd_nxt, tcp->snd_nxt + size + fin, fin, now);
	if (err < 0) {
		tcp_sent_forget(tcp, list_last(&tcp->sent_by_seq, struct tcp_sent, by_seq));
		return err;
	}
	if (!tcp->unanswered_since)
		tcp->unanswered_since = now;
	tcp->snd_nxt += size + fin;
	if (size < tcp->mss)
		tcp->nagle_small = tcp->snd_nxt;
	/* What waited for a window or for more may have had the timer: it is about this one now. */
	if (tcp->sent_count == 1 || tcp->deadline[TCP_TIMER_RETRANSMIT] == INT64_MAX)
		tcp_retransmit_arm(tcp, now);
	tcp_tail_arm(tcp, now);
	if (last && !tcp->cork)
		tcp->deadline[TCP_TIMER_CORK] = INT64_MAX;
	return sent(tcp);
}

/* RFC 8985 section 7.3: something new if there is anything, else the last once more. */
static int output_tail_probe(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	struct tcp_sent *last;
	int sent_new;

	tcp->tail_due = false;
	if (list_empty(&tcp->sent_by_seq))
		return 0;
	sent_new = output_new(tcp, segment, true, now);
	if (sent_new < 0)
		return sent_new;
	tcp->probe_is_retransmission = sent_new == 0;
	if (sent_new == 0) {
		last = list_last(&tcp->sent_by_seq, struct tcp_sent, by_seq);
		if (last->sacked || last->lost)
			return 0;
		sent_new = repeat(tcp, segment, last, now);
		if (sent_new < 0)
			return sent_new;
	}
	tcp->probe_out = true;
	tcp->probe_end = tcp->snd_nxt;
	tcp->deadline[TCP_TIMER_TAIL] = INT64_MAX;
	tcp_retransmit_arm(tcp, now);
	return 1;
}

/* Keep-alive, or a question for the window (RFC 1122 section 4.2.3.6): a sequence number of the
 * past, which has to be answered. Where the window has some room for waiting data, these. */
static int output_probe(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	int sent_new;

	tcp->probe_due = false;
	sent_new = output_new(tcp, segment, true, now);
	if (sent_new != 0)
		return sent_new;
	segment->seq = tcp->snd_una - 1;
	fill_ack(tcp, segment, now);
	fill_timestamp(tcp, segment, now);
	return sent(tcp);
}

static int output_ack(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	segment->seq = tcp->snd_nxt;
	fill_ack(tcp, segment, now);
	fill_timestamp(tcp, segment, now);
	return sent(tcp);
}

int tcp_output(struct tcp *tcp, int64_t now, struct tcp_segment *ret_segment)
{
	int did = 0;

	*ret_segment = (struct tcp_segment){.wscale = TCP_NO_WSCALE};
	if (tcp->reset_due)
		return output_reset(tcp, ret_segment);
	if (tcp->state == TCP_CLOSED)
		return 0;
	if (tcp->syn_due)
		return output_syn(tcp, ret_segment, now);
	if (tcp_synchronised(tcp) && tcp->state != TCP_TIME_WAIT) {
		did = output_lost(tcp, ret_segment, now);
		if (did == 0)
			did = output_new(tcp, ret_segment, false, now);
		if (did == 0 && tcp->tail_due)
			did = output_tail_probe(tcp, ret_segment, now);
		if (did == 0 && tcp->probe_due)
			did = output_probe(tcp, ret_segment, now);
		/* Something waits, and nothing is under way that would bring an answer. */
		if (did == 0 && tcp->deadline[TCP_TIMER_RETRANSMIT] == INT64_MAX)
			tcp_retransmit_arm(tcp, now);
	}
	if (did == 0 && tcp->ack_now)
		did = output_ack(tcp, ret_segment, now);
	return did;
}
