/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: when the owner has to come back, and what is due then. */
#include <errno.h>

#include "netstack/tcp_private.h"

/* RFC 6298 section 2, with the variance bounded below as everybody does it: a steady round trip
 * must not bring the timer down onto it. */
void tcp_rtt_sample(struct tcp *tcp, int64_t rtt)
{
	if (rtt > TCP_RTO_MAX)
		return; /* an echo that is not ours */
	if (rtt < 1000)
		rtt = 1000; /* a clock that does not tick between two events */
	if (tcp->srtt == 0) {
		tcp->srtt = rtt;
		tcp->rttvar = rtt / 2;
	} else {
		int64_t error = rtt > tcp->srtt ? rtt - tcp->srtt : tcp->srtt - rtt;

		tcp->rttvar += (error - tcp->rttvar) / 4;
		tcp->srtt += (rtt - tcp->srtt) / 8;
	}
	tcp->rto = tcp->srtt + (4 * tcp->rttvar > TCP_RTO_MIN ? 4 * tcp->rttvar : TCP_RTO_MIN);
	if (tcp->rto > TCP_RTO_MAX)
		tcp->rto = TCP_RTO_MAX;
}

static int64_t backed_off(const struct tcp *tcp)
{
	int64_t rto = tcp->rto;

	for (unsigned i = 0; i < tcp->backoff && rto < TCP_RTO_MAX; i++)
		rto *= 2;
	return rto < TCP_RTO_MAX ? rto : TCP_RTO_MAX;
}

/* Section 5 of RFC 6298. Also for what waits for a window (RFC 9293 section 3.8.6.1). */
void tcp_retransmit_arm(struct tcp *tcp, int64_t now)
{
	bool waits = !list_empty(&tcp->sent_by_seq) ||
		     (tcp_synchronised(tcp) && tcp->snd_nxt != tcp_queued_end(tcp) &&
			     !tcp_fin_sent(tcp));

	tcp->deadline[TCP_TIMER_RETRANSMIT] = waits ? now + backed_off(tcp) : INT64_MAX;
}

void tcp_keepalive_arm(struct tcp *tcp, int64_t now)
{
	bool on = tcp->keepalive && tcp_synchronised(tcp) && tcp->state != TCP_TIME_WAIT;

	if (!on)
		tcp->deadline[TCP_TIMER_KEEPALIVE] = INT64_MAX;
	else if (tcp->keepalive_sent == 0)
		tcp->deadline[TCP_TIMER_KEEPALIVE] = tcp->last_receive_at + tcp->keepalive_idle;
}

int64_t tcp_deadline(const struct tcp *tcp)
{
	int64_t first = INT64_MAX;

	for (unsigned i = 0; i < TCP_TIMER_COUNT; i++) {
		if (tcp->deadline[i] < first)
			first = tcp->deadline[i];
	}
	return first;
}

/* The peer has not answered for too long (RFC 1122 section 4.2.3.5, RFC 5482). */
static bool given_up(const struct tcp *tcp, int64_t now)
{
	unsigned retries = tcp->retries;

	if (tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECEIVED)
		retries = tcp->syn_retries;
	else if (tcp->orphan)
		retries = tcp_min(retries, 8);
	if (tcp->user_timeout > 0)
		return tcp->unanswered_since && now - tcp->unanswered_since >= tcp->user_timeout;
	return tcp->unanswered >= retries;
}

#define THIN_SEGMENTS 4u
#define THIN_RETRIES  6u

static void retransmission_timeout(struct tcp *tcp, int64_t now)
{
	if (tcp->unanswered_since && given_up(tcp, now)) {
		tcp_enter_closed(tcp, ETIMEDOUT);
		return;
	}
	if (tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECEIVED) {
		tcp->counters.timeouts++;
		tcp->syn_due = true;
	} else if (list_empty(&tcp->sent_by_seq)) {
		/* A closed window, or one too small to be worth a segment. */
		if (!tcp->unanswered_since)
			tcp->unanswered_since = now;
		tcp->probe_due = true;
	} else {
		tcp->counters.timeouts++;
		tcp_enter_loss(tcp, now);
	}
	tcp->unanswered++;
	/* Few segments, so that nothing else finds a loss: often, at first
	 * (tcp_retransmit_timer()). */
	if (tcp->thin_timeouts && tcp->state == TCP_ESTABLISHED &&
		tcp->sent_count < THIN_SEGMENTS && tcp->unanswered <= THIN_RETRIES)
		tcp->backoff = 0;
	else
		tcp->backoff++;
	tcp_retransmit_arm(tcp, now);
}

static void keepalive_timeout(struct tcp *tcp, int64_t now)
{
	/* What is under way has its own timer. */
	if (!list_empty(&tcp->sent_by_seq)) {
		tcp->deadline[TCP_TIMER_KEEPALIVE] = now + tcp->keepalive_interval;
		return;
	}
	if (tcp->user_timeout > 0
			? tcp->keepalive_sent > 0 && now - tcp->last_receive_at >= tcp->user_timeout
			: tcp->keepalive_sent >= tcp->keepalive_count) {
		tcp_reset_peer(tcp, tcp->snd_nxt, true);
		tcp_enter_closed(tcp, ETIMEDOUT);
		return;
	}
	tcp->keepalive_sent++;
	tcp->probe_due = true;
	tcp->deadline[TCP_TIMER_KEEPALIVE] = now + tcp->keepalive_interval;
}

static void expired(struct tcp *tcp, enum tcp_timer timer, int64_t now)
{
	switch (timer) {
	case TCP_TIMER_RETRANSMIT:
		retransmission_timeout(tcp, now);
		break;
	case TCP_TIMER_REORDER:
		if (tcp_rack_detect(tcp, now) > 0 && tcp->recovery == TCP_RECOVERY_OPEN)
			tcp_enter_fast_recovery(tcp, now);
		break;
	case TCP_TIMER_TAIL:
		tcp->tail_due = true;
		break;
	case TCP_TIMER_ACK:
		tcp->ack_now = true;
		break;
	case TCP_TIMER_CORK:
		tcp->push_pending = true;
		break;
	case TCP_TIMER_KEEPALIVE:
		keepalive_timeout(tcp, now);
		break;
	case TCP_TIMER_WAIT:
		tcp_enter_closed(tcp, 0);
		break;
	case TCP_TIMER_COUNT:
		break;
	}
}

void tcp_timer(struct tcp *tcp, int64_t now)
{
	for (unsigned i = 0; i < TCP_TIMER_COUNT; i++) {
		if (tcp->deadline[i] > now)
			continue;
		tcp->deadline[i] = INT64_MAX;
		expired(tcp, (enum tcp_timer)i, now);
	}
}
