/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: their life, what their users ask of them, and what all other parts share. */
#include "netstack/tcp_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

const char *tcp_state_name(enum tcp_state state)
{
	static const char *const names[] = {
		[TCP_ESTABLISHED] = "ESTABLISHED",
		[TCP_SYN_SENT] = "SYN_SENT",
		[TCP_SYN_RECEIVED] = "SYN_RECEIVED",
		[TCP_FIN_WAIT_1] = "FIN_WAIT_1",
		[TCP_FIN_WAIT_2] = "FIN_WAIT_2",
		[TCP_TIME_WAIT] = "TIME_WAIT",
		[TCP_CLOSED] = "CLOSED",
		[TCP_CLOSE_WAIT] = "CLOSE_WAIT",
		[TCP_LAST_ACK] = "LAST_ACK",
		[TCP_LISTEN] = "LISTEN",
		[TCP_CLOSING] = "CLOSING",
	};

	return names[state];
}

uint32_t tcp_isn(const void *tuple, size_t size, const uint64_t key[2], int64_t now)
{
	return (uint32_t)(now / 4000) + (uint32_t)siphash(tuple, size, key);
}

/* Our timestamp clock ticks each millisecond (RFC 7323 section 5.4: 1 ms to 1 s). */
uint32_t tcp_timestamp(const struct tcp *tcp, int64_t now)
{
	return (uint32_t)(now / MSEC) + tcp->config.timestamp_offset;
}

void tcp_init(struct tcp *tcp, const struct tcp_config *config)
{
	*tcp = (struct tcp){
		.state = TCP_CLOSED,
		.config = *config,
		.iss = config->iss,
		.snd_una = config->iss,
		.snd_nxt = config->iss,
		.send_start = config->iss + 1,
		.nagle_small = config->iss,
		.snd_urgent = config->iss,
		.rack_end = config->iss,
		.rack_fack = config->iss,
		.mss = tcp_min(config->mss, TCP_MSS_DEFAULT),
		.rcv_mss = tcp_min(config->mss, TCP_MSS_DEFAULT),
		.quick_acks = TCP_QUICK_ACKS,
		.rto = TCP_RTO_INITIAL,
		.min_rtt = INT64_MAX,
		.reorder_multiplier = 1,
		.congestion = config->no_cubic ? &tcp_reno : &tcp_cubic,
		.ssthresh = UINT32_MAX,
		.keepalive_idle = 7200 * SEC,
		.keepalive_interval = 75 * SEC,
		.keepalive_count = 9,
		.syn_retries = TCP_SYN_RETRIES,
		.retries = TCP_RETRIES,
		.fin_wait_timeout = TCP_ORPHAN_WAIT,
	};
	list_init(&tcp->out_of_order);
	list_init(&tcp->sent_by_seq);
	list_init(&tcp->sent_by_time);
	list_init(&tcp->sent_lost);
	for (unsigned i = 0; i < TCP_TIMER_COUNT; i++)
		tcp->deadline[i] = INT64_MAX;
	while (tcp->rcv_wscale < TCP_WSCALE_MAX &&
		tcp_max(config->receive_buffer, config->receive_buffer_max) >> tcp->rcv_wscale >
			65535)
		tcp->rcv_wscale++;
	if (config->no_wscale)
		tcp->rcv_wscale = 0;
}

void tcp_fini(struct tcp *tcp)
{
	tcp_sent_clear(tcp);
	tcp_out_of_order_clear(tcp);
	netbuf_queue_clear(&tcp->send);
	netbuf_queue_clear(&tcp->receive);
}

void tcp_event(struct tcp *tcp, uint32_t events)
{
	tcp->events |= events;
}

uint32_t tcp_take_events(struct tcp *tcp)
{
	uint32_t events = tcp->events;

	tcp->events = 0;
	return events;
}

void tcp_set_state(struct tcp *tcp, enum tcp_state state)
{
	tcp->state = state;
}

/* The end of the connection: @error is why, or 0. What was received can still be read. */
void tcp_enter_closed(struct tcp *tcp, int error)
{
	if (tcp->state == TCP_CLOSED)
		return;
	tcp->state = TCP_CLOSED;
	for (unsigned i = 0; i < TCP_TIMER_COUNT; i++)
		tcp->deadline[i] = INT64_MAX;
	tcp_sent_clear(tcp);
	tcp_out_of_order_clear(tcp);
	netbuf_queue_clear(&tcp->send);
	tcp->ack_now = tcp->syn_due = tcp->probe_due = tcp->tail_due = false;
	tcp_event(tcp, TCP_EVENT_CLOSED | TCP_EVENT_READABLE | TCP_EVENT_WRITABLE);
	if (error) {
		tcp->error = error;
		tcp_event(tcp, TCP_EVENT_ERROR);
	}
}

void tcp_enter_time_wait(struct tcp *tcp, int64_t now)
{
	tcp_set_state(tcp, TCP_TIME_WAIT);
	tcp_sent_clear(tcp);
	for (unsigned i = 0; i < TCP_TIMER_COUNT; i++)
		tcp->deadline[i] = INT64_MAX;
	tcp->deadline[TCP_TIMER_WAIT] = now + TCP_MSL_TWICE;
}

void tcp_connect(struct tcp *tcp, int64_t now)
{
	tcp->active = true;
	tcp->syn_due = true;
	tcp->last_receive_at = now;
	tcp_set_state(tcp, TCP_SYN_SENT);
}

/* What the two SYNs agreed on. */
void tcp_take_options(struct tcp *tcp, const struct tcp_segment *syn, int64_t now)
{
	uint32_t mss = syn->mss ? syn->mss : TCP_MSS_DEFAULT;

	tcp->irs = syn->seq;
	tcp->rcv_nxt = tcp->read_seq = syn->seq + 1;
	tcp->rcv_advertised = tcp->rcv_nxt;
	tcp->last_ack_sent = tcp->rcv_nxt;
	tcp->space_at = tcp->last_receive_at = now;
	tcp->timestamps_ok = syn->has_timestamp && !tcp->config.no_timestamps;
	tcp->sack_ok = syn->sack_permitted && !tcp->config.no_sack;
	tcp->wscale_ok = syn->wscale != TCP_NO_WSCALE && !tcp->config.no_wscale;
	if (tcp->wscale_ok)
		tcp->snd_wscale = (uint8_t)tcp_min(syn->wscale, TCP_WSCALE_MAX);
	else
		tcp->rcv_wscale = 0;
	if (tcp->timestamps_ok) {
		tcp->ts_recent = syn->timestamp;
		tcp->ts_recent_at = now;
	}
	tcp->mss = tcp_min(tcp->config.mss, tcp_max(mss, TCP_MSS_MIN));
	if (tcp->timestamps_ok)
		tcp->mss -= tcp_min(TCP_TIMESTAMP_SIZE, tcp->mss / 2);
}

void tcp_accept_syn(struct tcp *tcp, const struct tcp_segment *syn, int64_t now)
{
	tcp_take_options(tcp, syn, now);
	tcp->snd_wnd = tcp->snd_max_wnd = syn->window;
	tcp->snd_wl1 = syn->seq;
	tcp->snd_wl2 = tcp->iss;
	tcp->syn_due = true;
	tcp_set_state(tcp, TCP_SYN_RECEIVED);
}

void tcp_established(struct tcp *tcp, int64_t now)
{
	tcp_set_state(tcp, TCP_ESTABLISHED);
	tcp->cwnd = tcp_initial_window(tcp->mss);
	/* A SYN that had to be repeated begins with one segment (RFC 5681 section 3.1). */
	if (tcp->counters.timeouts > 0)
		tcp->cwnd = tcp->mss;
	tcp->backoff = tcp->unanswered = 0;
	tcp->recover = tcp->snd_una;
	tcp->nagle_small = tcp->snd_urgent = tcp->snd_una;
	tcp->rack_fack = tcp->rack_end = tcp->snd_una;
	tcp->congestion->init(tcp);
	tcp_keepalive_arm(tcp, now);
	tcp_event(tcp, TCP_EVENT_CONNECTED | TCP_EVENT_WRITABLE);
	/* The user shut down before the handshake was done. */
	if (tcp->fin_queued)
		tcp_set_state(tcp, TCP_FIN_WAIT_1);
}

/* Bytes of free receive buffer: what we could let the peer send from rcv_nxt on. */
uint32_t tcp_receive_window(const struct tcp *tcp)
{
	uint32_t buffer = tcp->config.receive_buffer, clamp = tcp->config.window_clamp;

	if (clamp && clamp < buffer)
		buffer = clamp;
	return tcp->receive.size < buffer ? tcp_min(buffer - tcp->receive.size, TCP_WINDOW_MAX) : 0;
}

void tcp_reset_peer(struct tcp *tcp, uint32_t seq, bool has_ack)
{
	tcp->reset_due = true;
	tcp->reset_seq = seq;
	tcp->reset_has_ack = has_ack;
}

/* An acknowledgement that answers something odd; a flood of these must not make a flood of those
 * (RFC 5961 section 10). */
void tcp_challenge(struct tcp *tcp, int64_t now)
{
	if (now - tcp->challenge_second >= SEC || !tcp->challenge_second) {
		tcp->challenge_second = now;
		tcp->challenge_count = 0;
	}
	if (tcp->challenge_count++ >= TCP_CHALLENGES)
		return;
	tcp->counters.challenges++;
	tcp->ack_now = true;
}

/* ---- the user's calls --------------------------------------------------------------------------
 */

uint32_t tcp_send_space(const struct tcp *tcp)
{
	uint32_t buffer = tcp->config.send_buffer;

	return tcp->send.size < buffer ? buffer - tcp->send.size : 0;
}

static bool can_send(const struct tcp *tcp)
{
	switch (tcp->state) {
	case TCP_SYN_SENT:
	case TCP_SYN_RECEIVED:
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return !tcp->fin_queued;
	default:
		return false;
	}
}

int tcp_send(struct tcp *tcp, struct netbuf_queue *data, bool urgent, bool more, int64_t now)
{
	if (!can_send(tcp))
		return -EPIPE;
	if (tcp->send.size == 0)
		tcp->last_send_at = now;
	/* Small writes share blocks, or a byte would cost a thousand while the peer does not read.
	 */
	netbuf_move_compact(&tcp->send, data);
	tcp->push_pending = !more;
	if (more && tcp->deadline[TCP_TIMER_CORK] == INT64_MAX)
		tcp->deadline[TCP_TIMER_CORK] = now + TCP_CORK_DELAY;
	if (urgent) {
		tcp->snd_urgent = tcp_queued_end(tcp);
		tcp->urgent_out = true;
	}
	return 0;
}

uint32_t tcp_receivable(const struct tcp *tcp, uint32_t *ret_skip)
{
	uint32_t size = tcp->receive.size, to_mark = tcp->urgent_seq - tcp->read_seq;

	*ret_skip = 0;
	if (tcp->urgent_state == TCP_URGENT_NONE || seq_lt(tcp->urgent_seq, tcp->read_seq))
		return size;
	if (to_mark > 0)
		return tcp_min(size, to_mark);
	/* At the mark: the byte itself is left out, and what follows may be read. */
	if (!tcp->oob_inline && size > 0)
		*ret_skip = 1;
	return size - *ret_skip;
}

/* Says the new window when it has grown enough to be worth a segment (RFC 9293 section 3.8.6.2.2:
 * by one segment or half the buffer). */
static void open_window(struct tcp *tcp)
{
	uint32_t window = tcp_receive_window(tcp);
	uint32_t known = tcp->rcv_advertised - tcp->rcv_nxt;

	if (!tcp_synchronised(tcp) || tcp->fin_received || window <= known)
		return;
	if (known < 2 * tcp->rcv_mss
			? window - known >= tcp_min(tcp->rcv_mss, tcp->config.receive_buffer / 2)
			: window - known >= tcp->config.receive_buffer / 2)
		tcp->ack_now = true;
}

/*
 * Grows the receive buffer while the reader keeps up: what it took in one round trip should fit
 * twice (dynamic right-sizing). The round trip is measured as the time in which one window came.
 */
static void grow_buffer(struct tcp *tcp, int64_t now)
{
	int64_t round = tcp->srtt ? tcp->srtt : 100 * MSEC;

	if (now - tcp->space_at < round)
		return;
	if (tcp->copied > tcp->config.receive_buffer / 2)
		tcp->config.receive_buffer = tcp_max(tcp->config.receive_buffer,
			tcp_min(tcp->config.receive_buffer_max,
				2 * tcp_min(tcp->copied, TCP_WINDOW_MAX / 2)));
	tcp->copied = 0;
	tcp->space_at = now;
}

void tcp_received(struct tcp *tcp, uint32_t size, int64_t now)
{
	netbuf_drop(&tcp->receive, size);
	tcp->read_seq += size;
	tcp->copied += size;
	if (tcp->urgent_state != TCP_URGENT_NONE && seq_lt(tcp->urgent_seq, tcp->read_seq))
		tcp->urgent_state = TCP_URGENT_NONE;
	if (tcp->config.receive_buffer < tcp->config.receive_buffer_max)
		grow_buffer(tcp, now);
	open_window(tcp);
}

bool tcp_at_mark(const struct tcp *tcp)
{
	return tcp->urgent_state != TCP_URGENT_NONE && tcp->urgent_seq == tcp->read_seq;
}

int tcp_receive_urgent(struct tcp *tcp, bool peek, uint8_t *ret_byte)
{
	if (tcp->oob_inline || tcp->urgent_state == TCP_URGENT_NONE ||
		tcp->urgent_state == TCP_URGENT_READ)
		return -EINVAL;
	if (tcp->urgent_state == TCP_URGENT_AWAITED)
		return -EAGAIN;
	*ret_byte = tcp->urgent_byte;
	if (!peek)
		tcp->urgent_state = TCP_URGENT_READ;
	return 1;
}

bool tcp_at_end(const struct tcp *tcp)
{
	return tcp->receive.size == 0 && (tcp->fin_received || tcp->state == TCP_CLOSED);
}

int tcp_shutdown(struct tcp *tcp, int64_t now)
{
	switch (tcp->state) {
	case TCP_SYN_SENT:
	case TCP_CLOSED:
		return -ENOTCONN;
	case TCP_SYN_RECEIVED: /* the state follows when the handshake is done */
		tcp->fin_queued = true;
		return 0;
	case TCP_ESTABLISHED:
		tcp->fin_queued = true;
		tcp_set_state(tcp, TCP_FIN_WAIT_1);
		return 0;
	case TCP_CLOSE_WAIT:
		tcp->fin_queued = true;
		tcp_set_state(tcp, TCP_LAST_ACK);
		return 0;
	default:
		return 0;
	}
}

void tcp_abort(struct tcp *tcp, int64_t now)
{
	switch (tcp->state) {
	case TCP_SYN_RECEIVED:
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT_1:
	case TCP_FIN_WAIT_2:
	case TCP_CLOSE_WAIT:
		tcp_reset_peer(tcp, tcp->snd_nxt, true);
		break;
	default: /* the peer knows of the end, or of nothing yet (RFC 9293 section 3.10.5) */
		break;
	}
	tcp_enter_closed(tcp, 0);
}

void tcp_close(struct tcp *tcp, int64_t now)
{
	bool unread = tcp->receive.size > 0;

	tcp->orphan = true;
	if (tcp->state == TCP_SYN_SENT || tcp->state == TCP_CLOSED) {
		tcp_enter_closed(tcp, 0);
		return;
	}
	netbuf_queue_clear(&tcp->receive);
	if (unread && tcp->state != TCP_TIME_WAIT) {
		tcp_abort(tcp, now);
		return;
	}
	tcp_shutdown(tcp, now);
	if (tcp->state == TCP_FIN_WAIT_2)
		tcp->deadline[TCP_TIMER_WAIT] = now + tcp->fin_wait_timeout;
}

void tcp_path_mss(struct tcp *tcp, uint16_t mss)
{
	uint32_t payload = tcp_max(mss, TCP_MSS_MIN);
	struct tcp_sent *sent, *next;

	if (tcp->timestamps_ok)
		payload -= TCP_TIMESTAMP_SIZE;
	if (payload >= tcp->mss)
		return;
	tcp->mss = payload;
	/* What was too large is gone: again, in smaller pieces, and without a cut of the window
	 * (RFC 1191 section 6.5 asks for it: the loss says nothing about congestion). */
	list_for_each_entry_safe (sent, next, &tcp->sent_by_seq, by_seq) {
		if (!sent->sacked && !sent->lost && sent_size(sent) > payload)
			tcp_sent_lose(tcp, sent);
	}
}

void tcp_unreachable(struct tcp *tcp, int error, int64_t now)
{
	if (tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECEIVED)
		tcp_enter_closed(tcp, error);
}

void tcp_options_changed(struct tcp *tcp, int64_t now)
{
	if (tcp->nodelay || !tcp->cork)
		tcp->deadline[TCP_TIMER_CORK] = INT64_MAX;
	tcp_keepalive_arm(tcp, now);
}

/* ---- without a connection ----------------------------------------------------------------------
 */

bool tcp_reset_for(const struct tcp_segment *segment, struct tcp_segment *ret_reset)
{
	if (segment->flags & TCP_RST)
		return false;
	*ret_reset = (struct tcp_segment){.wscale = TCP_NO_WSCALE, .flags = TCP_RST};
	if (segment->flags & TCP_ACK) {
		ret_reset->seq = segment->ack;
	} else {
		ret_reset->flags |= TCP_ACK;
		ret_reset->ack = segment->seq + tcp_segment_length(segment);
	}
	return true;
}
