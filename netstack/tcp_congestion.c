/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The congestion window: NewReno (RFC 5681, 6582) and CUBIC (RFC 9438) outside of recovery,
 * proportional rate reduction (RFC 6937) within it. Everything is in bytes.
 */
#include "netstack/tcp_private.h"

/* RFC 6928 section 2. */
uint32_t tcp_initial_window(uint32_t mss)
{
	return tcp_min(10 * mss, tcp_max(2 * mss, 14600));
}

static void reno_init(struct tcp *tcp)
{
}

/* One segment for each window (RFC 5681 equation 3, counted in bytes as RFC 3465 does). */
static void reno_on_ack(struct tcp *tcp, uint32_t acked, int64_t now)
{
	tcp->cubic.acked += acked;
	if (tcp->cubic.acked < tcp->cwnd)
		return;
	tcp->cubic.acked -= tcp->cwnd;
	tcp->cwnd += tcp->mss;
}

static uint32_t reno_on_loss(struct tcp *tcp, int64_t now)
{
	tcp->cubic.acked = 0;
	/* FlightSize of RFC 5681: all that is not acknowledged in sequence. */
	return tcp_max((tcp->snd_nxt - tcp->snd_una) / 2, 2 * tcp->mss);
}

const struct tcp_congestion_ops tcp_reno = {
	.name = "reno",
	.init = reno_init,
	.on_ack = reno_on_ack,
	.on_loss = reno_on_loss,
};

/* Floor of the cube root. */
static uint32_t cube_root(uint64_t value)
{
	uint64_t root = 0;

	for (int bit = 20; bit >= 0; bit--) {
		uint64_t try = root | (UINT64_C(1) << bit);

		if (try * try * try <= value)
			root = try;
	}
	return (uint32_t)root;
}

static void cubic_init(struct tcp *tcp)
{
	tcp->cubic.w_max = 0;
	tcp->cubic.epoch_at = 0;
}

/* W_cubic(t) of RFC 9438 section 4.2, with C = 0.4 segments per second cubed. */
static uint32_t cubic_window(const struct tcp *tcp, int64_t since_epoch)
{
	int64_t ms = (since_epoch - tcp->cubic.k) / MSEC;
	__int128 delta;

	if (ms > 1000000)
		ms = 1000000;
	delta = (__int128)ms * ms * ms * tcp->mss * 4 / 10 / 1000000000;
	delta += tcp->cubic.w_max;
	if (delta < tcp->mss)
		return tcp->mss;
	return delta > TCP_WINDOW_MAX ? TCP_WINDOW_MAX : (uint32_t)delta;
}

static void cubic_begin_epoch(struct tcp *tcp, int64_t now)
{
	uint64_t missing;

	tcp->cubic.epoch_at = now;
	tcp->cubic.w_est = tcp->cwnd;
	tcp->cubic.acked = 0;
	if (tcp->cubic.w_max < tcp->cwnd)
		tcp->cubic.w_max = tcp->cwnd;
	/* K = cbrt((W_max - cwnd) / C) seconds, here in milliseconds. */
	missing = tcp->cubic.w_max - tcp->cwnd;
	tcp->cubic.k = cube_root(missing * 5 / 2 * 1000000000 / tcp->mss) * MSEC;
}

static void cubic_on_ack(struct tcp *tcp, uint32_t acked, int64_t now)
{
	uint32_t target, next, window;
	int64_t t;

	if (!tcp->cubic.epoch_at)
		cubic_begin_epoch(tcp, now);
	t = now - tcp->cubic.epoch_at;
	/* Section 4.3: what Reno would have; alpha is 9/17, and 1 once it is where it was cut. */
	tcp->cubic.acked += acked;
	window = tcp_max(tcp->cubic.w_est, tcp->mss);
	if (tcp->cubic.acked >= window) {
		tcp->cubic.acked -= window;
		tcp->cubic.w_est +=
			tcp->cubic.w_est < tcp->cubic.w_max ? tcp->mss * 9 / 17 : tcp->mss;
	}
	next = cubic_window(tcp, t);
	if (next < tcp->cubic.w_est) {
		tcp->cwnd = tcp_max(tcp->cwnd, tcp->cubic.w_est);
		return;
	}
	/* Sections 4.4 and 4.5: towards where the curve will be in a round trip. */
	target = cubic_window(tcp, t + tcp->srtt);
	target = tcp_min(tcp_max(target, tcp->cwnd), tcp->cwnd + tcp->cwnd / 2);
	tcp->cwnd += (uint32_t)((uint64_t)(target - tcp->cwnd) * acked / tcp->cwnd);
}

static uint32_t cubic_on_loss(struct tcp *tcp, int64_t now)
{
	uint32_t cwnd = tcp->cwnd;

	/* Section 4.7: fast convergence. */
	tcp->cubic.w_max = cwnd < tcp->cubic.w_max ? (uint32_t)((uint64_t)cwnd * 17 / 20) : cwnd;
	tcp->cubic.epoch_at = 0;
	return tcp_max((uint32_t)((uint64_t)cwnd * 7 / 10), 2 * tcp->mss);
}

const struct tcp_congestion_ops tcp_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.on_ack = cubic_on_ack,
	.on_loss = cubic_on_loss,
};

void tcp_enter_fast_recovery(struct tcp *tcp, int64_t now)
{
	tcp->prr_flight = tcp_max(tcp->snd_nxt - tcp->snd_una, 1);
	tcp->prr_delivered = tcp->prr_out = 0;
	tcp->ssthresh = tcp->congestion->on_loss(tcp, now);
	tcp->recovery = TCP_RECOVERY_FAST;
	tcp->recover = tcp->snd_nxt;
	tcp->deadline[TCP_TIMER_TAIL] = INT64_MAX;
	/* The first repetition does not wait (RFC 6937 section 3). */
	tcp->cwnd = tcp_flight(tcp) + tcp->mss;
}

/* RFC 5681 section 3.1, equation 4, and RFC 6582 section 4: everything may be lost. */
void tcp_enter_loss(struct tcp *tcp, int64_t now)
{
	struct tcp_sent *sent;

	/* A timer that expires again for the same window does not cut a second time. */
	if (tcp->recovery != TCP_RECOVERY_LOSS || seq_le(tcp->recover, tcp->snd_una))
		tcp->ssthresh = tcp->congestion->on_loss(tcp, now);
	list_for_each_entry (sent, &tcp->sent_by_seq, by_seq) {
		if (!sent->sacked) /* in their order: the first is what the peer waits for */
			tcp_sent_lose(tcp, sent);
	}
	tcp->recovery = TCP_RECOVERY_LOSS;
	tcp->recover = tcp->snd_nxt;
	tcp->duplicate_acks = 0;
	tcp->probe_out = false;
	tcp->cwnd = tcp->mss;
	tcp->deadline[TCP_TIMER_TAIL] = INT64_MAX;
	tcp->deadline[TCP_TIMER_REORDER] = INT64_MAX;
}

static void leave_recovery(struct tcp *tcp)
{
	if (tcp->recovery == TCP_RECOVERY_FAST)
		tcp->cwnd = tcp_max(tcp->ssthresh, 2 * tcp->mss);
	tcp->recovery = TCP_RECOVERY_OPEN;
	tcp->duplicate_acks = 0;
	/* RFC 8985 section 6.2, step 4: a widened reordering window lasts for 16 recoveries. */
	if (tcp->reorder_persist > 0 && --tcp->reorder_persist == 0)
		tcp->reorder_multiplier = 1;
}

/* RFC 6937 section 3. */
static void reduce_rate(struct tcp *tcp, const struct tcp_delivery *delivery)
{
	uint32_t flight = tcp_flight(tcp), budget;

	tcp->prr_delivered += delivery->bytes;
	if (flight > tcp->ssthresh) {
		uint64_t due =
			((uint64_t)tcp->prr_delivered * tcp->ssthresh + tcp->prr_flight - 1) /
			tcp->prr_flight;

		budget = due > tcp->prr_out ? (uint32_t)(due - tcp->prr_out) : 0;
	} else {
		uint32_t behind =
			tcp->prr_delivered > tcp->prr_out ? tcp->prr_delivered - tcp->prr_out : 0;

		budget = tcp_min(
			tcp->ssthresh - flight, tcp_max(behind, delivery->bytes) + tcp->mss);
	}
	/* The repetition that begins a recovery never waits. */
	if (tcp->prr_out == 0)
		budget = tcp_max(budget, tcp->mss);
	tcp->cwnd = flight + budget;
}

void tcp_congestion_acked(struct tcp *tcp, uint32_t acked, uint32_t flight,
	const struct tcp_delivery *delivery, int64_t now)
{
	bool limited;

	if (tcp->recovery != TCP_RECOVERY_OPEN && seq_le(tcp->recover, tcp->snd_una)) {
		bool fast = tcp->recovery == TCP_RECOVERY_FAST;

		leave_recovery(tcp);
		if (fast) /* exactly ssthresh then (RFC 6937 section 3.1): growth comes later */
			return;
	}
	if (tcp->recovery == TCP_RECOVERY_FAST) {
		reduce_rate(tcp, delivery);
		return;
	}
	/* A window that was not in use says nothing about the path (RFC 7661). */
	limited =
		tcp->cwnd < tcp->ssthresh ? tcp->cwnd < 2 * flight : tcp->cwnd < flight + tcp->mss;
	if (acked == 0 || acked > TCP_WINDOW_MAX || !limited || tcp->cwnd >= TCP_WINDOW_MAX)
		return;
	if (tcp->cwnd < tcp->ssthresh)
		tcp->cwnd = tcp_min(tcp->cwnd + acked, tcp_max(tcp->ssthresh, tcp->cwnd));
	else
		tcp->congestion->on_ack(tcp, acked, now);
}
