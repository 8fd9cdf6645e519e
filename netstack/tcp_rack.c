/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RACK-TLP (RFC 8985): a segment is lost when one that was sent later has arrived and the
 * reordering window has passed since. Where nothing comes back that could say so, a probe at the
 * tail asks for it before the retransmission timer would.
 */
#include "netstack/tcp_private.h"

/* Section 6.2: later sent, or at the same time and later in sequence. */
static bool sent_after(int64_t at1, uint32_t end1, int64_t at2, uint32_t end2)
{
	return at1 > at2 || (at1 == at2 && seq_lt(end2, end1));
}

/* Section 6.2, steps 1 to 3. */
void tcp_rack_delivered(struct tcp *tcp, const struct tcp_sent *sent,
	const struct tcp_segment *segment, struct tcp_delivery *delivery, int64_t now)
{
	int64_t rtt = now - sent->sent_at;

	if (sent->retransmitted) {
		delivery->ambiguous = true;
		/* Which of the two is acknowledged? Not the second, if its timestamp is not echoed
		 * or it would have been faster than anything before. */
		if (tcp->timestamps_ok && segment->has_timestamp &&
			(int32_t)(segment->timestamp_echo - tcp_timestamp(tcp, sent->sent_at)) < 0)
			return;
		if (rtt < tcp->min_rtt)
			return;
	} else {
		delivery->rtt = rtt;
		if (rtt < tcp->min_rtt)
			tcp->min_rtt = rtt;
		if (seq_lt(sent->end, tcp->rack_fack))
			tcp->reordering_seen = true;
	}
	tcp->rack_fack = seq_max(tcp->rack_fack, sent->end);
	if (sent_after(sent->sent_at, sent->end, tcp->rack_sent_at, tcp->rack_end)) {
		tcp->rack_sent_at = sent->sent_at;
		tcp->rack_end = sent->end;
		tcp->rack_rtt = rtt;
	}
}

/* Section 6.2, step 4: the window widens by D-SACKs, at most once a round trip. */
void tcp_rack_dsack(struct tcp *tcp)
{
	if (tcp->dsack_in_round && seq_lt(tcp->snd_una, tcp->dsack_round))
		return;
	tcp->dsack_in_round = true;
	tcp->dsack_round = tcp->snd_nxt;
	if (tcp->reorder_multiplier < 64)
		tcp->reorder_multiplier++;
	tcp->reorder_persist = 16;
}

static int64_t reordering_window(const struct tcp *tcp)
{
	int64_t window;

	if (!tcp->reordering_seen &&
		(tcp->recovery != TCP_RECOVERY_OPEN || tcp->sacked_count >= TCP_DUP_THRESH))
		return 0;
	if (tcp->min_rtt == INT64_MAX)
		return 0;
	window = tcp->min_rtt / 4 * tcp->reorder_multiplier;
	return window < tcp->srtt ? window : tcp->srtt;
}

/* Section 6.2, step 5. */
uint32_t tcp_rack_detect(struct tcp *tcp, int64_t now)
{
	int64_t window = reordering_window(tcp), wait = 0;
	struct tcp_sent *sent, *next;
	uint32_t lost = 0;

	tcp->deadline[TCP_TIMER_REORDER] = INT64_MAX;
	if (tcp->rack_sent_at == 0)
		return 0;
	list_for_each_entry_safe (sent, next, &tcp->sent_by_time, by_time) {
		int64_t left;

		if (!sent_after(tcp->rack_sent_at, tcp->rack_end, sent->sent_at, sent->end))
			break;
		left = sent->sent_at + tcp->rack_rtt + window - now;
		if (left <= 0) {
			lost += sent_size(sent);
			tcp_sent_lose(tcp, sent);
		} else if (left > wait) {
			wait = left;
		}
	}
	if (wait > 0)
		tcp->deadline[TCP_TIMER_REORDER] = now + wait;
	return lost;
}

/*
 * Section 7.2: the probe comes after two round trips, and when only one segment is under way late
 * enough for the peer's delayed acknowledgement; never after the retransmission timer.
 */
void tcp_tail_arm(struct tcp *tcp, int64_t now)
{
	int64_t after = tcp->srtt ? 2 * tcp->srtt : SEC;

	tcp->deadline[TCP_TIMER_TAIL] = INT64_MAX;
	if (!tcp->sack_ok || tcp->recovery != TCP_RECOVERY_OPEN || tcp->probe_out ||
		tcp->in_flight == 0 || tcp->sacked_count > 0 || !tcp_synchronised(tcp))
		return;
	if (tcp->sent_count == 1)
		after += TCP_RTO_MIN;
	if (after < TCP_PROBE_MIN)
		after = TCP_PROBE_MIN;
	if (now + after < tcp->deadline[TCP_TIMER_RETRANSMIT])
		tcp->deadline[TCP_TIMER_TAIL] = now + after;
}
