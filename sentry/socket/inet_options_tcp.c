/* SPDX-License-Identifier: Apache-2.0 */
/* Options of TCP (tcp(7)). */
#include "sentry/socket/inet_socket.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"

#define SECOND INT64_C(1000000000)

static int set_congestion(struct tcp *tcp, const void *value, size_t size)
{
	char name[16] = "";

	if (size < 1)
		return -EINVAL;
	memcpy(name, value, min_of(size, sizeof(name) - 1));
	if (strcmp(name, tcp_reno.name) == 0)
		tcp->congestion = &tcp_reno;
	else if (strcmp(name, tcp_cubic.name) == 0)
		tcp->congestion = &tcp_cubic;
	else
		return -ENOENT;
	if (tcp->state != TCP_CLOSED)
		tcp->congestion->init(tcp);
	return 0;
}

#define CLAMP_MIN 1152u /* half of SOCK_MIN_RCVBUF */

static int set_window_clamp(struct inet_socket *socket, int number)
{
	struct tcp *tcp = &socket->tcp->tcp;

	if (number == 0 && tcp->state != TCP_CLOSED)
		return -EINVAL;
	socket->tcp->config.window_clamp = number ? max_of((uint32_t)number, CLAMP_MIN) : 0u;
	tcp->config.window_clamp = socket->tcp->config.window_clamp;
	return 0;
}

/* secs_to_retrans() and back: the time in which a SYN-ACK is repeated n times, 1 + 2 + 4... */
static int defer_seconds(int asked)
{
	int seconds = 0, period = 1;

	if (asked <= 0)
		return 0;
	for (seconds = 1; seconds < asked && period < 120 * 255; seconds += period)
		period = min_of(period * 2, 120);
	return seconds;
}

#define FAST_OPENS_MAX 4096 /* net.core.somaxconn */

/*
 * Fast open (RFC 7413) as with the cookies of nobody, which is what the default of
 * net.ipv4.tcp_fastopen, 1, comes to between hosts that have it: servers hand none out, so clients
 * connect first and send then.
 */
static int set_fast_open(struct inet_socket *socket, int option, int number)
{
	bool closed = socket->state == INET_NEW;

	if (option == LX_TCP_FASTOPEN) {
		if (number < 0 || !(closed || socket->state == INET_LISTENING))
			return -EINVAL;
		socket->fast_opens = min_of(number, FAST_OPENS_MAX);
		return 0;
	}
	if (number < 0 || number > 1 || !closed)
		return -EINVAL;
	socket->fast_open_connect = number != 0;
	return 0;
}

static int set_tcp(struct inet_socket *socket, int option, int number)
{
	struct tcp *tcp = &socket->tcp->tcp;

	switch (option) {
	case LX_TCP_NODELAY:
		tcp->nodelay = number != 0;
		return 0;
	case LX_TCP_CORK:
		tcp->cork = number != 0;
		return 0;
	case LX_TCP_QUICKACK:
		/* tcp_sock_set_quickack(): off is pingpong mode, in which acknowledgements wait. */
		tcp->no_delayed_ack = number != 0;
		if (!number)
			tcp->quick_acks = 0;
		socket->wants = number ? socket->wants & ~INET_NO_QUICK_ACK
				       : socket->wants | INET_NO_QUICK_ACK;
		return 0;
	case LX_TCP_MAXSEG:
		/* tcp(7): the kernel's bounds win. */
		if (number && (number < 88 || number > 32767))
			return -EINVAL;
		socket->user_mss = (uint16_t)number;
		socket->tcp->config.mss = (uint16_t)(number ? (unsigned)number : TCP_MSS_ANY);
		return 0;
	case LX_TCP_INQ:
		if (number < 0 || number > 1)
			return -EINVAL;
		socket->wants =
			number ? socket->wants | INET_WANT_INQ : socket->wants & ~INET_WANT_INQ;
		return 0;
	case LX_TCP_WINDOW_CLAMP:
		return set_window_clamp(socket, number);
	case LX_TCP_DEFER_ACCEPT:
		socket->tcp->defer_seconds = defer_seconds(number);
		return 0;
	case LX_TCP_KEEPIDLE:
	case LX_TCP_KEEPINTVL:
		if (number < 1 || number > 32767)
			return -EINVAL;
		*(option == LX_TCP_KEEPIDLE ? &tcp->keepalive_idle : &tcp->keepalive_interval) =
			number * SECOND;
		return 0;
	case LX_TCP_KEEPCNT:
	case LX_TCP_SYNCNT:
		if (number < 1 || number > 127)
			return -EINVAL;
		*(option == LX_TCP_KEEPCNT ? &tcp->keepalive_count : &tcp->syn_retries) =
			(unsigned)number;
		return 0;
	case LX_TCP_LINGER2:
		tcp->fin_wait_timeout =
			number < 0 ? -1 : (number ? min_of(number, 120) : 60) * SECOND;
		return 0;
	case LX_TCP_USER_TIMEOUT:
		if (number < 0)
			return -EINVAL;
		tcp->user_timeout = number * (SECOND / 1000);
		return 0;
	case LX_TCP_NOTSENT_LOWAT:
		socket->unsent_limit = (uint32_t)number;
		return 0;
	case LX_TCP_THIN_LINEAR_TIMEOUTS:
		if (number < 0 || number > 1)
			return -EINVAL;
		tcp->thin_timeouts = number != 0;
		return 0;
	case LX_TCP_THIN_DUPACK:
		/* Gone from Linux, where it may be asked for and is off. */
		return number < 0 || number > 1 ? -EINVAL : 0;
	case LX_TCP_FASTOPEN:
	case LX_TCP_FASTOPEN_CONNECT:
		return set_fast_open(socket, option, number);
	default:
		return -ENOPROTOOPT;
	}
}

int inet_tcp_setsockopt(
	struct inet_socket *socket, struct task *task, int option, const void *value, size_t size)
{
	int number, err;

	if (option == LX_TCP_CONGESTION)
		return set_congestion(&socket->tcp->tcp, value, size);
	if (size < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	err = set_tcp(socket, option, number);
	if (err == 0) {
		tcp_options_changed(&socket->tcp->tcp, (int64_t)loop_monotonic());
		inet_tcp_push(socket->tcp);
	}
	return err;
}

static int return_info(const struct inet_socket *socket, void *value, size_t size)
{
	const struct tcp *tcp = &socket->tcp->tcp;
	uint32_t mss = max_of(tcp->mss, 1u);
	int64_t now = (int64_t)loop_monotonic();
	bool open = tcp->state != TCP_CLOSED;
	int mtu = socket->endpoint->has_pair
			  ? inet_path_mtu(socket->endpoint, &socket->endpoint->remote.address)
			  : (int)INET_LOOPBACK_MTU;
	struct lx_tcp_info info = {
		.state = (uint8_t)(socket->state == INET_LISTENING ? TCP_LISTEN
				   : inet_tcp_is_over(socket)	   ? TCP_CLOSED
								   : tcp->state),
		.ca_state = tcp->recovery == TCP_RECOVERY_FAST	 ? 3
			    : tcp->recovery == TCP_RECOVERY_LOSS ? 4
								 : 0,
		.retransmits = (uint8_t)tcp->unanswered,
		.backoff = (uint8_t)tcp->backoff,
		.options = (uint8_t)(tcp->timestamps_ok | tcp->sack_ok << 1 | tcp->wscale_ok << 2),
		.wscales = (uint8_t)(tcp->snd_wscale | tcp->rcv_wscale << 4),
		.rto = (uint32_t)(tcp->rto / 1000),
		.ato = 40000,
		.snd_mss = tcp->mss,
		.rcv_mss = tcp->rcv_mss,
		.unacked = tcp->sent_count,
		.sacked = tcp->sacked_count,
		.lost = tcp->lost_count,
		.last_data_sent = open ? (uint32_t)((now - tcp->last_send_at) / 1000000) : 0,
		.last_data_recv = open ? (uint32_t)((now - tcp->last_receive_at) / 1000000) : 0,
		.last_ack_recv = open ? (uint32_t)((now - tcp->last_receive_at) / 1000000) : 0,
		.pmtu = (uint32_t)max_of(mtu, 0),
		.rcv_ssthresh = tcp->config.receive_buffer,
		.rtt = (uint32_t)(tcp->srtt / 1000),
		.rttvar = (uint32_t)(tcp->rttvar / 1000),
		.snd_ssthresh = tcp->ssthresh == UINT32_MAX ? INT32_MAX : tcp->ssthresh / mss,
		.snd_cwnd = max_of(tcp->cwnd / mss, 1u),
		.advmss = tcp->config.mss,
		.reordering = 3,
		.rcv_space = tcp->config.receive_buffer,
		.total_retrans = (uint32_t)tcp->counters.retransmitted,
		.bytes_acked = tcp->counters.bytes_acked,
		.bytes_received = tcp->counters.bytes_received,
		.segs_out = (uint32_t)tcp->counters.segments_out,
		.segs_in = (uint32_t)tcp->counters.segments_in,
		.notsent_bytes =
			(uint32_t)(tcp->send.size - min_of(tcp->send.size, tcp->in_flight)),
		.min_rtt = tcp->min_rtt == INT64_MAX ? UINT32_MAX : (uint32_t)(tcp->min_rtt / 1000),
		.data_segs_in = (uint32_t)tcp->counters.data_in,
		.data_segs_out = (uint32_t)tcp->counters.data_out,
		.bytes_sent = tcp->counters.bytes_sent,
		.snd_wnd = tcp->snd_wnd,
	};

	if (socket->state == INET_LISTENING) {
		info.unacked = socket->tcp->accept_count;
		info.sacked = socket->tcp->backlog;
	}
	return socket_return_bytes(&info, sizeof(info), value, size);
}

int inet_tcp_getsockopt(struct inet_socket *socket, int option, void *value, size_t size)
{
	const struct tcp *tcp = &socket->tcp->tcp;

	switch (option) {
	case LX_TCP_NODELAY:
		return socket_return_int(tcp->nodelay, value, size);
	case LX_TCP_CORK:
		return socket_return_int(tcp->cork, value, size);
	case LX_TCP_QUICKACK:
		return socket_return_int(!(socket->wants & INET_NO_QUICK_ACK), value, size);
	case LX_TCP_MAXSEG:
		/* Before there is a peer: what was asked for. */
		if (socket->user_mss && (tcp->state == TCP_CLOSED))
			return socket_return_int(socket->user_mss, value, size);
		return socket_return_int((int)tcp->mss, value, size);
	case LX_TCP_INQ:
		return socket_return_int((socket->wants & INET_WANT_INQ) != 0, value, size);
	case LX_TCP_WINDOW_CLAMP:
		return socket_return_int((int)socket->tcp->config.window_clamp, value, size);
	case LX_TCP_DEFER_ACCEPT:
		return socket_return_int(socket->tcp->defer_seconds, value, size);
	case LX_TCP_KEEPIDLE:
		return socket_return_int((int)(tcp->keepalive_idle / SECOND), value, size);
	case LX_TCP_KEEPINTVL:
		return socket_return_int((int)(tcp->keepalive_interval / SECOND), value, size);
	case LX_TCP_KEEPCNT:
		return socket_return_int((int)tcp->keepalive_count, value, size);
	case LX_TCP_SYNCNT:
		return socket_return_int((int)tcp->syn_retries, value, size);
	case LX_TCP_LINGER2:
		return socket_return_int(
			tcp->fin_wait_timeout < 0 ? -1 : (int)(tcp->fin_wait_timeout / SECOND),
			value, size);
	case LX_TCP_USER_TIMEOUT:
		return socket_return_int((int)(tcp->user_timeout / (SECOND / 1000)), value, size);
	case LX_TCP_NOTSENT_LOWAT:
		return socket_return_int((int)socket->unsent_limit, value, size);
	case LX_TCP_FASTOPEN:
		return socket_return_int(socket->fast_opens, value, size);
	case LX_TCP_FASTOPEN_CONNECT:
		return socket_return_int(socket->fast_open_connect, value, size);
	case LX_TCP_THIN_LINEAR_TIMEOUTS:
		return socket_return_int(tcp->thin_timeouts, value, size);
	case LX_TCP_THIN_DUPACK:
		return socket_return_int(0, value, size);
	case LX_TCP_INFO:
		return return_info(socket, value, size);
	case LX_TCP_CONGESTION: {
		char name[16] = "";

		memcpy(name, tcp->congestion->name, strlen(tcp->congestion->name));
		return socket_return_bytes(name, sizeof(name), value, size);
	}
	default:
		return -ENOPROTOOPT;
	}
}
