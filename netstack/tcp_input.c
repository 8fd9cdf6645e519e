/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that come in, in the order of RFC 9293 section 3.10.7, which each step here names. Where
 * RFC 5961 is stricter it holds: a reset must hit rcv_nxt exactly, a SYN never resets, and an
 * acknowledgement may not lie far in the past.
 */
#include <errno.h>

#include "netstack/tcp_private.h"

/* Section 3.10.7.3. */
static void input_syn_sent(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	bool acked = false;

	/* First, the ACK bit. */
	if (segment->flags & TCP_ACK) {
		if (seq_le(segment->ack, tcp->iss) || seq_lt(tcp->snd_nxt, segment->ack)) {
			if (!(segment->flags & TCP_RST))
				tcp_reset_peer(tcp, segment->ack, false);
			return;
		}
		acked = true;
	}
	/* Second, the RST bit. */
	if (segment->flags & TCP_RST) {
		if (acked)
			tcp_enter_closed(tcp, ECONNREFUSED);
		return;
	}
	/* Third, security, is nobody's. Fourth, the SYN bit. */
	if (!(segment->flags & TCP_SYN))
		return;
	tcp_take_options(tcp, segment, now);
	tcp->snd_wnd = tcp->snd_max_wnd = segment->window; /* of a SYN: never scaled */
	tcp->snd_wl1 = segment->seq;
	tcp->snd_wl2 = segment->ack;
	/* What a SYN-ACK of ours, or the first ACK, will say of our window. */
	tcp->rcv_advertised = tcp->rcv_nxt + tcp_min(tcp_receive_window(tcp), 65535);
	if (!acked) {
		/* Both opened at the same time (section 3.5, figure 8). */
		tcp_set_state(tcp, TCP_SYN_RECEIVED);
		tcp->syn_due = true;
		return;
	}
	tcp_take_ack(tcp, segment, now);
	tcp->snd_una = segment->ack;
	tcp_established(tcp, now);
	tcp->ack_now = true;
	if (tcp_segment_length(segment) > 1)
		tcp_take_data(tcp, segment, now);
}

/*
 * RFC 7323 section 5.3: a segment with a timestamp older than the last one is an old duplicate. Not
 * so a reset, and not after a pause in which the clock may have turned over.
 */
static bool paws_rejects(const struct tcp *tcp, const struct tcp_segment *segment, int64_t now)
{
	if (!tcp->timestamps_ok || !segment->has_timestamp || (segment->flags & TCP_RST))
		return false;
	return (int32_t)(segment->timestamp - tcp->ts_recent) < 0 &&
	       now - tcp->ts_recent_at < TCP_PAWS_IDLE;
}

/* The four cases of section 3.10.7.4, first step. A FIN alone is taken even when the window is
 * closed: it needs no room. */
static bool acceptable(const struct tcp *tcp, const struct tcp_segment *segment)
{
	uint32_t length = tcp_segment_length(segment);
	uint32_t window = tcp->rcv_advertised - tcp->rcv_nxt;

	if (length == 0)
		return window ? seq_within(segment->seq, tcp->rcv_nxt, tcp->rcv_advertised)
			      : segment->seq == tcp->rcv_nxt;
	if (window == 0)
		return segment->seq == tcp->rcv_nxt && segment->payload.size == 0 &&
		       !(segment->flags & TCP_SYN);
	return seq_within(segment->seq, tcp->rcv_nxt, tcp->rcv_advertised) ||
	       seq_within(segment->seq + length - 1, tcp->rcv_nxt, tcp->rcv_advertised) ||
	       (seq_lt(segment->seq, tcp->rcv_nxt) &&
		       seq_lt(tcp->rcv_advertised, segment->seq + length));
}

/* Second step. The segment is acceptable. */
static void take_reset(struct tcp *tcp, const struct tcp_segment *segment, int64_t now)
{
	if (segment->seq != tcp->rcv_nxt) { /* RFC 5961 section 3.2 */
		tcp_challenge(tcp, now);
		return;
	}
	switch (tcp->state) {
	case TCP_SYN_RECEIVED:
		tcp_enter_closed(tcp, ECONNREFUSED);
		break;
	case TCP_CLOSE_WAIT:
		/* The peer had ended in order: who still writes gets EPIPE, as Linux has it. */
		tcp_enter_closed(tcp, EPIPE);
		break;
	case TCP_CLOSING:
	case TCP_LAST_ACK:
	case TCP_TIME_WAIT:
		tcp_enter_closed(tcp, 0);
		break;
	default:
		tcp_enter_closed(tcp, ECONNRESET);
		break;
	}
}

/* The window that a segment without SYN announces. */
static uint32_t announced(const struct tcp *tcp, const struct tcp_segment *segment)
{
	return (uint32_t)segment->window << tcp->snd_wscale;
}

/* Fifth step in SYN_RECEIVED. False: the segment is done with. */
static bool take_handshake_ack(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	if (seq_le(segment->ack, tcp->snd_una) || seq_lt(tcp->snd_nxt, segment->ack)) {
		tcp_reset_peer(tcp, segment->ack, false);
		return false;
	}
	tcp->snd_wnd = tcp->snd_max_wnd = announced(tcp, segment);
	tcp->snd_wl1 = segment->seq;
	tcp->snd_wl2 = segment->ack;
	tcp->syn_due = false;
	tcp_take_ack(tcp, segment, now);
	tcp_established(tcp, now);
	return true;
}

/* Both opened at the same time, and this is the peer's answer to our SYN (section 3.5, figure 8,
 * line 6): its SYN we know. */
static bool crosses_open(const struct tcp *tcp, const struct tcp_segment *segment)
{
	return tcp->state == TCP_SYN_RECEIVED && tcp->active &&
	       (segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) &&
	       segment->seq == tcp->irs && segment->ack == tcp->snd_nxt;
}

static void take_open(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	if (!take_handshake_ack(tcp, segment, now))
		return;
	tcp->snd_wnd = tcp->snd_max_wnd = segment->window; /* of a SYN: never scaled */
	tcp->ack_now = true;
}

/* RFC 5961 section 5.2: not of what was never sent, and not from before the largest window. */
static bool ack_is_plausible(const struct tcp *tcp, const struct tcp_segment *segment)
{
	return seq_le(tcp->snd_una - tcp->snd_max_wnd, segment->ack) &&
	       seq_le(segment->ack, tcp->snd_nxt);
}

/* What follows in the states of closing when our FIN is acknowledged. */
static void take_fin_ack(struct tcp *tcp, int64_t now)
{
	if (!tcp_fin_sent(tcp) || tcp->snd_una != tcp->snd_nxt)
		return;
	switch (tcp->state) {
	case TCP_FIN_WAIT_1:
		tcp_set_state(tcp, TCP_FIN_WAIT_2);
		tcp_event(tcp, TCP_EVENT_WRITABLE);
		if (tcp->orphan)
			tcp->deadline[TCP_TIMER_WAIT] = now + tcp->fin_wait_timeout;
		break;
	case TCP_CLOSING:
		tcp_enter_time_wait(tcp, now);
		break;
	case TCP_LAST_ACK:
		tcp_enter_closed(tcp, 0);
		break;
	default:
		break;
	}
}

/* Eighth step: everything up to a FIN of the peer is there. */
static void take_fin(struct tcp *tcp, int64_t now)
{
	switch (tcp->state) {
	case TCP_ESTABLISHED:
		tcp_set_state(tcp, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT_1: /* our FIN is not acknowledged, or step five had seen it */
		tcp_set_state(tcp, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT_2:
		tcp_enter_time_wait(tcp, now);
		break;
	default:
		break;
	}
}

/*
 * In TIME_WAIT: an acceptable repetition of the FIN is acknowledged and starts the wait anew. A SYN
 * that is certainly newer than all of the old connection ends it (RFC 6191 section 2). A reset does
 * not (RFC 1337).
 */
static bool input_time_wait(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	bool newer = segment->has_timestamp && tcp->timestamps_ok
			     ? (int32_t)(segment->timestamp - tcp->ts_recent) > 0
			     : seq_lt(tcp->rcv_nxt, segment->seq);

	if ((segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && newer) {
		tcp_enter_closed(tcp, 0);
		return true;
	}
	if ((segment->flags & TCP_RST) || !(segment->flags & (TCP_ACK | TCP_SYN)))
		return false;
	if (segment->flags & TCP_FIN)
		tcp->deadline[TCP_TIMER_WAIT] = now + TCP_MSL_TWICE;
	if (tcp_segment_length(segment) > 0)
		tcp_challenge(tcp, now);
	return false;
}

/* RFC 7323 section 4.3 (2): the timestamp of the segment that the next acknowledgement covers. */
static void take_timestamp(struct tcp *tcp, const struct tcp_segment *segment, int64_t now)
{
	if (!tcp->timestamps_ok || !segment->has_timestamp ||
		seq_lt(tcp->last_ack_sent, segment->seq))
		return;
	if ((int32_t)(segment->timestamp - tcp->ts_recent) >= 0 ||
		now - tcp->ts_recent_at >= TCP_PAWS_IDLE) {
		tcp->ts_recent = segment->timestamp;
		tcp->ts_recent_at = now;
	}
}

/* Sixth to eighth step. */
static void take_text(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	bool ended = tcp->fin_received;

	if (tcp->state != TCP_ESTABLISHED && tcp->state != TCP_FIN_WAIT_1 &&
		tcp->state != TCP_FIN_WAIT_2) {
		if (tcp_segment_length(segment) > 0)
			tcp->ack_now = true; /* a repetition of what the FIN had ended */
		return;
	}
	/* Nobody is left to read it (RFC 9293 section 3.10.4, RFC 2525 section 2.17, RFC 1122
	 * section 4.2.2.13). */
	if ((tcp->orphan || (tcp->no_reader && tcp->fin_queued)) && segment->payload.size > 0 &&
		seq_lt(tcp->rcv_nxt, segment->seq + segment->payload.size)) {
		tcp_reset_peer(tcp, tcp->snd_nxt, true);
		tcp_enter_closed(tcp, ECONNRESET);
		return;
	}
	if (segment->flags & TCP_URG)
		tcp_take_urgent(tcp, segment);
	tcp_take_data(tcp, segment, now);
	if (tcp->fin_received && !ended)
		take_fin(tcp, now);
}

/* Section 3.10.7.4. */
static void input_synchronised(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	if (paws_rejects(tcp, segment, now)) {
		tcp->counters.paws_drops++;
		if (segment->payload.size > 0)
			tcp->ack_now = true;
		else
			tcp_challenge(tcp, now);
		return;
	}
	/* First, the sequence number. */
	if (tcp->state == TCP_SYN_RECEIVED &&
		(segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
		segment->seq == tcp->irs) {
		tcp->syn_due = true; /* our SYN-ACK was lost */
		return;
	}
	if (crosses_open(tcp, segment)) {
		take_open(tcp, segment, now);
		return;
	}
	if (!acceptable(tcp, segment)) {
		if (segment->flags & TCP_RST)
			return;
		if (segment->payload.size > 0 && seq_lt(segment->seq, tcp->rcv_nxt)) {
			tcp->duplicate = (struct tcp_range){
				segment->seq, segment->seq + segment->payload.size};
			tcp->ack_now = true;
		} else if (segment->payload.size > 0) {
			tcp->ack_now = true;
		} else {
			tcp_challenge(tcp, now);
		}
		/* A probe of our closed window still tells what it acknowledges. */
		if (tcp->state != TCP_SYN_RECEIVED && (segment->flags & TCP_ACK) &&
			!(segment->flags & TCP_SYN) && segment->seq == tcp->rcv_nxt &&
			ack_is_plausible(tcp, segment))
			tcp_take_ack(tcp, segment, now);
		return;
	}
	if (segment->flags & TCP_RST) {
		take_reset(tcp, segment, now);
		return;
	}
	/* Fourth, the SYN bit: RFC 5961 section 4.2. */
	if (segment->flags & TCP_SYN) {
		tcp_challenge(tcp, now);
		return;
	}
	/* Fifth, the ACK field. */
	if (!(segment->flags & TCP_ACK))
		return;
	take_timestamp(tcp, segment, now);
	if (tcp->state == TCP_SYN_RECEIVED) {
		if (!take_handshake_ack(tcp, segment, now))
			return;
	} else {
		if (!ack_is_plausible(tcp, segment)) {
			tcp_challenge(tcp, now);
			return;
		}
		tcp_take_ack(tcp, segment, now);
	}
	take_fin_ack(tcp, now);
	if (tcp->state == TCP_CLOSED || tcp->state == TCP_TIME_WAIT)
		return;
	take_text(tcp, segment, now);
}

bool tcp_input(struct tcp *tcp, struct tcp_segment *segment, int64_t now)
{
	bool reopened = false;

	tcp->counters.segments_in++;
	if (tcp->state == TCP_CLOSED) {
		netbuf_queue_clear(&segment->payload);
		return false;
	}
	tcp->last_receive_at = now;
	tcp->keepalive_sent = 0;
	if (tcp->state == TCP_SYN_SENT)
		input_syn_sent(tcp, segment, now);
	else if (tcp->state == TCP_TIME_WAIT)
		reopened = input_time_wait(tcp, segment, now);
	else
		input_synchronised(tcp, segment, now);
	if (!reopened)
		netbuf_queue_clear(&segment->payload);
	tcp_keepalive_arm(tcp, now);
	return reopened;
}
