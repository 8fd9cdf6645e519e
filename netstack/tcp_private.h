/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_TCP_PRIVATE_H
#define SENTRY_NETSTACK_TCP_PRIVATE_H

#include "netstack/tcp.h"
#include "netstack/tcp_seq.h"

#define MSEC INT64_C(1000000)
#define SEC  INT64_C(1000000000)

/* RFC 6298 has 1 s as the lower bound of the timer; 200 ms is what everybody uses since delayed
 * acknowledgements come within 40 (see RFC 8961 section 4 (1) on such choices). */
#define TCP_RTO_INITIAL	   (1 * SEC)
#define TCP_RTO_MIN	   (200 * MSEC)
#define TCP_RTO_MAX	   (120 * SEC)
#define TCP_ACK_DELAY	   (40 * MSEC)
#define TCP_CORK_DELAY	   (200 * MSEC)
#define TCP_MSL_TWICE	   (60 * SEC)
#define TCP_ORPHAN_WAIT	   (60 * SEC)
#define TCP_PROBE_MIN	   (2 * MSEC)		  /* tail loss probe: no sooner than this */
#define TCP_PAWS_IDLE	   (24 * 24 * 3600 * SEC) /* RFC 7323 section 5.5 */
#define TCP_SYN_RETRIES	   6u
#define TCP_RETRIES	   15u
#define TCP_MSS_DEFAULT	   536u /* RFC 9293 section 3.7.1 */
#define TCP_MSS_MIN	   48u /* below it headers are most of what is sent: a peer's MSS of 1 is none */
#define TCP_QUICK_ACKS	   16u
#define TCP_CHALLENGES	   10u /* per second and connection */
#define TCP_DUP_THRESH	   3u
#define TCP_TIMESTAMP_SIZE 12u /* option with its padding */

/* Caps on what a peer can make us keep. */
#define TCP_SENT_MAX	8192u
#define TCP_ISLANDS_MAX 1024u
#define TCP_WINDOW_MAX	(1u << 30)

/* A run of sequence numbers that was sent in one segment. */
struct tcp_sent {
	struct list_head by_seq;
	struct list_head by_time; /* of sent_by_time while it may arrive, of sent_lost when not */
	uint32_t start, end;
	int64_t sent_at;
	bool sacked, lost, retransmitted, syn, fin;
};

/* Bytes that came before those in front of them. */
struct tcp_island {
	struct list_head list;
	uint32_t start;
	bool fin; /* at the end of the bytes */
	struct netbuf_queue data;
};

static inline uint32_t tcp_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t tcp_max(uint32_t a, uint32_t b)
{
	return a < b ? b : a;
}

static inline uint32_t sent_size(const struct tcp_sent *sent)
{
	return sent->end - sent->start;
}

/* Synchronised states: both sides know each other's sequence numbers. */
static inline bool tcp_synchronised(const struct tcp *tcp)
{
	return tcp->state != TCP_SYN_SENT && tcp->state != TCP_SYN_RECEIVED &&
	       tcp->state != TCP_CLOSED;
}

/* Bytes on their way, as far as we can tell: a peer without SACK says by a duplicate
 * acknowledgement that one segment has left the network, but not which. */
static inline uint32_t tcp_flight(const struct tcp *tcp)
{
	uint32_t gone = tcp->sack_ok ? 0 : tcp->duplicate_acks * tcp->mss;

	return tcp->in_flight - tcp_min(gone, tcp->in_flight);
}

/* The end of what was queued, the FIN not counted. */
static inline uint32_t tcp_queued_end(const struct tcp *tcp)
{
	return tcp->send_start + tcp->send.size;
}

/* A FIN was sent. */
static inline bool tcp_fin_sent(const struct tcp *tcp)
{
	return tcp->fin_queued && tcp->snd_nxt == tcp_queued_end(tcp) + 1;
}

/* tcp.c */
void tcp_event(struct tcp *tcp, uint32_t events);
void tcp_enter_closed(struct tcp *tcp, int error);
void tcp_set_state(struct tcp *tcp, enum tcp_state state);
void tcp_enter_time_wait(struct tcp *tcp, int64_t now);
void tcp_established(struct tcp *tcp, int64_t now);
uint32_t tcp_receive_window(const struct tcp *tcp);
uint32_t tcp_timestamp(const struct tcp *tcp, int64_t now);
void tcp_reset_peer(struct tcp *tcp, uint32_t seq, bool has_ack);
void tcp_challenge(struct tcp *tcp, int64_t now);
void tcp_take_options(struct tcp *tcp, const struct tcp_segment *syn, int64_t now);

/* tcp_receive.c: bytes into order */
void tcp_take_data(struct tcp *tcp, struct tcp_segment *segment, int64_t now);
void tcp_take_urgent(struct tcp *tcp, const struct tcp_segment *segment);
void tcp_out_of_order_clear(struct tcp *tcp);
uint8_t tcp_sack_blocks(struct tcp *tcp, struct tcp_range *blocks, unsigned max);

/* tcp_ack.c: acknowledgements of what we sent */
void tcp_take_ack(struct tcp *tcp, const struct tcp_segment *segment, int64_t now);

/* tcp_sent.c: the record of what was sent */
struct tcp_sent *tcp_sent_add(
	struct tcp *tcp, uint32_t start, uint32_t end, bool syn, bool fin, int64_t now);
void tcp_sent_again(struct tcp *tcp, struct tcp_sent *sent, int64_t now);
void tcp_sent_forget(struct tcp *tcp, struct tcp_sent *sent);
void tcp_sent_sack(struct tcp *tcp, struct tcp_sent *sent);
void tcp_sent_lose(struct tcp *tcp, struct tcp_sent *sent);
/* Splits @sent at @seq, which lies within; NULL without memory. Returns the later part. */
struct tcp_sent *tcp_sent_split(struct tcp *tcp, struct tcp_sent *sent, uint32_t seq);
void tcp_sent_clear(struct tcp *tcp);

/* tcp_rack.c */
struct tcp_delivery {
	uint32_t bytes, sacked; /* newly delivered, and of these newly sacked */
	int64_t rtt;		/* of a segment sent once, -1: none */
	bool ambiguous; /* a segment sent twice is acknowledged: the rest may have waited for it */
};
void tcp_rack_delivered(struct tcp *tcp, const struct tcp_sent *sent,
	const struct tcp_segment *segment, struct tcp_delivery *delivery, int64_t now);
/* Marks what RACK takes for lost; returns the bytes newly marked, and arms the reordering timer. */
uint32_t tcp_rack_detect(struct tcp *tcp, int64_t now);
void tcp_rack_dsack(struct tcp *tcp);
void tcp_tail_arm(struct tcp *tcp, int64_t now);

/* tcp_congestion.c */
void tcp_enter_fast_recovery(struct tcp *tcp, int64_t now);
void tcp_enter_loss(struct tcp *tcp, int64_t now);
/* @flight was in flight before the acknowledgement, which brought @acked bytes in sequence. */
void tcp_congestion_acked(struct tcp *tcp, uint32_t acked, uint32_t flight,
	const struct tcp_delivery *delivery, int64_t now);
uint32_t tcp_initial_window(uint32_t mss);

/* tcp_timer.c */
void tcp_rtt_sample(struct tcp *tcp, int64_t rtt);
void tcp_retransmit_arm(struct tcp *tcp, int64_t now);
void tcp_keepalive_arm(struct tcp *tcp, int64_t now);

#endif
