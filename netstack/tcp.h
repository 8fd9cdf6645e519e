/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_TCP_H
#define SENTRY_NETSTACK_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "netstack/netbuf.h"

/*
 * The TCP protocol (RFC 9293) as a pure function of (connection, segment, time): nothing in here
 * asks for the time, draws random numbers, sends a packet or knows an address. Whoever owns a
 * connection (a socket, a test, a fuzzer) drives it:
 *
 *	tcp_input(tcp, &segment, now)      a segment of this connection came in
 *	tcp_timer(tcp, now)                tcp_deadline(tcp) has come
 *	tcp_send(), tcp_receive(), ...     the user's calls
 *
 * and after any of these
 *
 *	while (tcp_output(tcp, now, &segment) > 0)
 *		send it;
 *	events = tcp_take_events(tcp);
 *
 * The same structure describes a segment that came in and one that is to go out, payload by
 * reference: over the loopback link one connection's output is the other's input as it is.
 *
 * Implemented: RFC 9293 with the acceptance tests of RFC 5961; window scaling and timestamps with
 * PAWS (RFC 7323); selective acknowledgements both ways, D-SACK included (RFC 2018, 2883); loss
 * detection by RACK with tail loss probes (RFC 8985); recovery at the rate of PRR (RFC 6937);
 * NewReno (RFC 5681) and CUBIC (RFC 9438); retransmission timer (RFC 6298); Nagle's algorithm,
 * silly window avoidance, delayed acknowledgements, zero window probes, keep-alive (RFC 1122); user
 * timeout (RFC 5482); urgent data as everybody does it (RFC 6093); path MTU (RFC 1191).
 *
 * Times are nanoseconds of any monotonic clock, INT64_MAX is never. Sizes are bytes, sequence
 * numbers are host order. A function that takes a connection never frees it.
 */

/* Numbered as in TCP_INFO and /proc/net/tcp (tcp(7)). */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_TIME_WAIT,
	TCP_CLOSED,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN, /* of a listener, never of a struct tcp */
	TCP_CLOSING,
};

#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u
#define TCP_URG 0x20u

/* What came early waits, on all connections of the sandbox together, in this much memory; half of
 * it and more only for those that have little. */
#define TCP_EARLY_TOTAL_MAX (16u << 20)
#define TCP_EARLY_SHARE	    (64u << 10)
/* What all connections are charged for it. */
uint64_t tcp_early_total(void);

#define TCP_SACK_BLOCKS_MAX 4u
#define TCP_NO_WSCALE	    0xffu
#define TCP_WSCALE_MAX	    14u

struct tcp_range {
	uint32_t start, end; /* [start, end) */
};

struct tcp_segment {
	uint32_t seq, ack;
	uint16_t window; /* as in the header, not yet scaled */
	uint16_t urgent;
	uint8_t flags;
	/* Options. */
	bool has_timestamp, sack_permitted;
	uint8_t wscale;	    /* TCP_NO_WSCALE: no such option */
	uint8_t sack_count; /* of sack[] */
	uint16_t mss;	    /* 0: no such option */
	uint32_t timestamp, timestamp_echo;
	struct tcp_range sack[TCP_SACK_BLOCKS_MAX];
	struct netbuf_queue payload; /* owned by the segment */
};

/* What the segment takes of the sequence space. */
static inline uint32_t tcp_segment_length(const struct tcp_segment *segment)
{
	return segment->payload.size + !!(segment->flags & TCP_SYN) + !!(segment->flags & TCP_FIN);
}

/* What a connection is born with. The owner fills it in from its options and its link. */
struct tcp_config {
	uint32_t iss;		   /* initial send sequence number: tcp_isn() */
	uint32_t timestamp_offset; /* what our timestamps begin with (RFC 7323 section 5.4) */
	uint32_t send_buffer;
	uint32_t receive_buffer;
	uint32_t window_clamp; /* the window is never larger (TCP_WINDOW_CLAMP); 0: no bound */
	uint32_t receive_buffer_max; /* automatic growth ends here; equal to receive_buffer: none */
	uint16_t mss;		     /* largest payload that the link carries, options included */
	bool no_wscale, no_timestamps, no_sack;
	bool no_cubic; /* NewReno instead */
};

/* What has happened since the last tcp_take_events(). */
#define TCP_EVENT_CONNECTED 0x01u /* the handshake is done */
#define TCP_EVENT_READABLE  0x02u /* more to receive, or the end */
#define TCP_EVENT_WRITABLE  0x04u /* room in the send buffer */
#define TCP_EVENT_URGENT    0x08u /* SIGURG, EPOLLPRI */
#define TCP_EVENT_ERROR	    0x10u /* tcp->error is new */
#define TCP_EVENT_CLOSED    0x20u /* TCP_CLOSED: nothing more will happen */

struct tcp;

/* Congestion control; sizes in bytes. */
struct tcp_congestion_ops {
	const char *name;
	void (*init)(struct tcp *tcp);
	/* @acked bytes were newly acknowledged outside of recovery while the window was in full
	 * use. */
	void (*on_ack)(struct tcp *tcp, uint32_t acked, int64_t now);
	/* Loss begins: returns the new slow start threshold. */
	uint32_t (*on_loss)(struct tcp *tcp, int64_t now);
};

extern const struct tcp_congestion_ops tcp_reno, tcp_cubic;

enum tcp_urgent {
	TCP_URGENT_NONE,
	TCP_URGENT_AWAITED, /* announced, its byte has not come */
	TCP_URGENT_VALID,   /* urgent_byte can be had */
	TCP_URGENT_READ,    /* it was, the mark is still ahead */
};

enum tcp_recovery {
	TCP_RECOVERY_OPEN, /* no loss known */
	TCP_RECOVERY_FAST, /* loss found by RACK, PRR sets the pace */
	TCP_RECOVERY_LOSS, /* the retransmission timer expired */
};

enum tcp_timer {
	TCP_TIMER_RETRANSMIT, /* retransmission, or the probe of a closed window */
	TCP_TIMER_REORDER,    /* RACK: the reordering window of the oldest segment ends */
	TCP_TIMER_TAIL,	      /* tail loss probe */
	TCP_TIMER_ACK,	      /* delayed acknowledgement */
	TCP_TIMER_CORK,
	TCP_TIMER_KEEPALIVE,
	TCP_TIMER_WAIT, /* end of TIME_WAIT, or of an orphan's FIN_WAIT_2 */
	TCP_TIMER_COUNT,
};

struct tcp {
	enum tcp_state state;
	bool active;	/* we connected: SYN_RECEIVED does not go back to a listener */
	bool no_reader; /* the user has shut down for reading: data is refused once we have ended */
	bool orphan;	/* the user has closed: nobody will read or write any more */
	/* Positive errno of what ended the connection; 0 after an orderly close. */
	int error;
	uint32_t events;
	struct tcp_config config;

	/* Sending (RFC 9293 section 3.3.1). `send` holds the bytes from `send_start` on; that is
	 * snd_una, except while our SYN is not acknowledged. */
	uint32_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2;
	uint32_t snd_max_wnd;
	uint32_t send_start;
	struct netbuf_queue send;
	uint32_t mss; /* payload per segment, options already taken off */
	uint8_t snd_wscale, rcv_wscale;
	bool wscale_ok, timestamps_ok, sack_ok;
	bool fin_queued;   /* the user shut down: a FIN follows the last byte */
	bool push_pending; /* the last write has not gone out in full */
	uint32_t snd_urgent;
	bool urgent_out;      /* snd_urgent is ahead of snd_una */
	uint32_t nagle_small; /* end of the last small segment sent (Minshall) */

	/* Receiving. */
	uint32_t irs, rcv_nxt;
	uint32_t rcv_advertised; /* the right edge of the window as the peer knows it */
	struct netbuf_queue receive;
	struct list_head out_of_order; /* of struct tcp_island, by sequence number, disjoint */
	uint32_t out_of_order_size, island_count;
	struct tcp_range recent_sack[TCP_SACK_BLOCKS_MAX]; /* most recent first */
	uint8_t recent_sack_count;
	struct tcp_range duplicate; /* D-SACK of the next acknowledgement; empty: none */
	bool fin_received;
	uint32_t read_seq; /* of the next byte that the user reads: the front of `receive` */
	enum tcp_urgent urgent_state;
	uint32_t urgent_seq; /* of the urgent byte, which is the mark */
	uint8_t urgent_byte;
	uint32_t ts_recent;
	int64_t ts_recent_at;
	uint32_t last_ack_sent;
	uint32_t rcv_mss; /* the peer's segment size as seen, for delayed acknowledgements */
	uint32_t unacked_size;
	uint32_t quick_acks; /* acknowledgements still to be sent at once */
	bool ack_now;
	/* Automatic growth of the receive buffer. */
	uint32_t copied;
	int64_t space_at;

	/* Acknowledgement-elicited state: what was sent and when. */
	struct list_head sent_by_seq, sent_by_time, sent_lost; /* of struct tcp_sent */
	uint32_t sent_count;
	uint32_t in_flight; /* sent, neither acknowledged in any way nor taken for lost */
	uint32_t lost_count;
	uint32_t sacked_count;
	uint32_t duplicate_acks; /* in a row, from a peer without SACK */

	/* Round-trip time and the retransmission timer (RFC 6298). */
	int64_t srtt, rttvar, rto, min_rtt;
	unsigned backoff;	  /* doublings of the timer */
	unsigned unanswered;	  /* expiries since the peer was last heard on what it owes us */
	int64_t unanswered_since; /* the peer owes us an acknowledgement since then; 0: it does not
				   */

	/* RACK (RFC 8985 section 5). */
	int64_t rack_sent_at, rack_rtt;
	uint32_t rack_end, rack_fack;
	bool reordering_seen, dsack_in_round;
	uint32_t reorder_multiplier, reorder_persist, dsack_round;
	bool probe_out;	    /* a tail loss probe is under way ... */
	uint32_t probe_end; /* ... and ends here */
	bool probe_is_retransmission;

	/* Congestion. */
	const struct tcp_congestion_ops *congestion;
	enum tcp_recovery recovery;
	uint32_t cwnd, ssthresh, recover;
	uint32_t prr_delivered, prr_out, prr_flight;
	struct {
		uint32_t w_max, w_est, acked;
		int64_t epoch_at, k;
	} cubic;

	/* Timers and options of the user. */
	int64_t deadline[TCP_TIMER_COUNT];
	bool nodelay, cork, keepalive, oob_inline, no_delayed_ack;
	bool thin_timeouts; /* TCP_THIN_LINEAR_TIMEOUTS */
	int64_t keepalive_idle, keepalive_interval;
	unsigned keepalive_count, keepalive_sent;
	int64_t user_timeout; /* 0: what the retransmission counts make */
	unsigned syn_retries, retries;
	int64_t fin_wait_timeout;
	int64_t last_receive_at, last_send_at;

	/* To be sent by the next tcp_output(). */
	bool syn_due, reset_due, probe_due, tail_due;
	uint32_t reset_seq;
	bool reset_has_ack;

	/* Challenge acknowledgements in the current second (RFC 5961 section 10). */
	int64_t challenge_second;
	unsigned challenge_count;

	struct {
		uint64_t segments_in, segments_out, bytes_acked, bytes_received, bytes_sent;
		uint64_t retransmitted, data_in, data_out;
		uint32_t paws_drops, challenges, timeouts;
	} counters;
};

/*
 * Prepares @tcp, TCP_CLOSED and without a peer. tcp_fini() frees what it holds, in any state.
 */
void tcp_init(struct tcp *tcp, const struct tcp_config *config);
void tcp_fini(struct tcp *tcp);

/* CLOSED -> SYN_SENT (RFC 9293 section 3.10.1). */
void tcp_connect(struct tcp *tcp, int64_t now);

/* CLOSED -> SYN_RECEIVED for the SYN that a listener got (section 3.10.7.2). */
void tcp_accept_syn(struct tcp *tcp, const struct tcp_segment *syn, int64_t now);

/*
 * Handles a segment that came in for this connection; takes its payload. Returns true when
 * @segment is a SYN that ends a TIME_WAIT: the connection is TCP_CLOSED and the segment, payload
 * included, untouched; it belongs to whoever listens (RFC 9293 section 3.10.7.4, RFC 6191).
 */
bool tcp_input(struct tcp *tcp, struct tcp_segment *segment, int64_t now);

/*
 * The next segment to be sent. Returns 1 and *@ret_segment, whose payload is then the caller's; 0
 * when there is none now; -ENOMEM, when the same should be tried again later.
 */
int tcp_output(struct tcp *tcp, int64_t now, struct tcp_segment *ret_segment);

/* When tcp_timer() has to be called next; INT64_MAX: not at all. */
int64_t tcp_deadline(const struct tcp *tcp);
void tcp_timer(struct tcp *tcp, int64_t now);

/* TCP_EVENT_*, and forgets them. */
uint32_t tcp_take_events(struct tcp *tcp);

/* ---- the user's calls ------------------------------------------------------------------------ */

/* How much more tcp_send() would take. */
uint32_t tcp_send_space(const struct tcp *tcp);

/*
 * Queues the bytes of @data (all of them: the caller asks tcp_send_space() first). @urgent: the
 * last byte is (MSG_OOB); @more: no need to send the end of it yet (MSG_MORE). -EPIPE after
 * tcp_shutdown() or when the connection is gone; @data stays the caller's then.
 */
int tcp_send(struct tcp *tcp, struct netbuf_queue *data, bool urgent, bool more, int64_t now);

/*
 * How many bytes a read may have in one go: up to the urgent mark, not across it. *@ret_skip of
 * tcp->receive have to be left out first: 1 at the mark of an urgent byte that is not inline.
 */
uint32_t tcp_receivable(const struct tcp *tcp, uint32_t *ret_skip);

/* The user has taken @size bytes from the front of tcp->receive (*ret_skip included): drops them
 * and opens the window. */
void tcp_received(struct tcp *tcp, uint32_t size, int64_t now);

/* The reader's position is at the urgent mark (SIOCATMARK). */
bool tcp_at_mark(const struct tcp *tcp);

/* recv(MSG_OOB): 1 and the byte. -EINVAL without one (or inline, or read before), -EAGAIN when it
 * was announced and has not come. @peek: it can be had again. */
int tcp_receive_urgent(struct tcp *tcp, bool peek, uint8_t *ret_byte);

/* No more bytes to come: the peer's FIN was received (or the connection is gone) and all was read.
 */
bool tcp_at_end(const struct tcp *tcp);

/* shutdown(SHUT_WR): a FIN follows what is queued. -ENOTCONN without a connection. */
int tcp_shutdown(struct tcp *tcp, int64_t now);

/*
 * close(): the user is gone. An orderly end, or a reset when unread bytes would be lost (RFC 1122
 * section 4.2.2.13). The owner keeps driving the connection until TCP_EVENT_CLOSED.
 */
void tcp_close(struct tcp *tcp, int64_t now);

/* Ends with a reset (SO_LINGER with time 0, ABORT of RFC 9293 section 3.10.5). */
void tcp_abort(struct tcp *tcp, int64_t now);

/* The path carries packets with @mss bytes of payload and TCP options only (RFC 1191, 8201). */
void tcp_path_mss(struct tcp *tcp, uint16_t mss);

/* The link or a router said that the peer cannot be reached: @error is a positive errno. Ends a
 * handshake; is remembered otherwise (RFC 1122 section 4.2.3.9). */
void tcp_unreachable(struct tcp *tcp, int error, int64_t now);

/* Called when one of nodelay, cork, keepalive* was changed. */
void tcp_options_changed(struct tcp *tcp, int64_t now);

/* ---- without a connection ----------------------------------------------------------------------
 */

/*
 * The reset for a segment that belongs to nobody (RFC 9293 section 3.10.7.1). Returns false when
 * none is due.
 */
bool tcp_reset_for(const struct tcp_segment *segment, struct tcp_segment *ret_reset);

/*
 * Initial sequence number by RFC 6528: a clock of 4 us plus a hash, under @key, of the connection's
 * addresses and ports, given as @tuple.
 */
uint32_t tcp_isn(const void *tuple, size_t size, const uint64_t key[2], int64_t now);

/*
 * SYN cookies (tcp_cookie.c). tcp_cookie() is the initial sequence number that answers @syn, and
 * tcp_cookie_timestamp() the timestamp when @timestamp would be ours; tcp_cookie_check() tells
 * whether @ack acknowledges such an answer, and gives back the SYN as far as they remember it.
 */
uint32_t tcp_cookie(const void *tuple, size_t size, const uint64_t key[2],
	const struct tcp_segment *syn, int64_t now);
uint32_t tcp_cookie_timestamp(const struct tcp_segment *syn, uint32_t timestamp);
bool tcp_cookie_check(const void *tuple, size_t size, const uint64_t key[2],
	const struct tcp_segment *ack, int64_t now, struct tcp_segment *ret_syn);

/* What the connection is called in `ss` and TCP_INFO. */
const char *tcp_state_name(enum tcp_state state);

#endif
