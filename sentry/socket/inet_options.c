/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of TCP and UDP sockets (socket(7), ip(7), ipv6(7), tcp(7)). An option that would have no
 * effect here is refused with ENOPROTOOPT and stands in docs/caveats.md.
 */
#include "sentry/socket/inet_socket.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"

#define SECOND INT64_C(1000000000)

#define BUFFER_DEFAULT_SEND    16384u
#define BUFFER_DEFAULT_RECEIVE 131072u

void inet_apply_options(struct inet_socket *socket)
{
	struct socket *base = &socket->base;
	struct tcp *tcp;

	socket->endpoint->reuse_address = base->reuse_address;
	socket->endpoint->reuse_port = base->reuse_port;
	if (base->type != LX_SOCK_STREAM) {
		socket->udp->limit = base->receive_size;
		return;
	}
	tcp = &socket->tcp->tcp;
	tcp->keepalive = base->keep_alive;
	tcp->oob_inline = base->oob_inline;
	/* As long as nobody asked for a size the connection grows its own. */
	if (base->send_size != BUFFER_DEFAULT_SEND)
		socket->tcp->config.send_buffer = tcp->config.send_buffer = base->send_size;
	if (base->receive_size != BUFFER_DEFAULT_RECEIVE) {
		struct tcp_config *config = &socket->tcp->config;

		/* Half of it is for data (net.ipv4.tcp_adv_win_scale). */
		config->receive_buffer = config->receive_buffer_max = base->receive_size / 2;
		tcp->config.receive_buffer = tcp->config.receive_buffer_max =
			config->receive_buffer;
	}
	tcp_options_changed(tcp, (int64_t)loop_monotonic());
}

/* ---- IP and IPv6 --------------------------------------------------------------------------------
 */

static int option_int(const void *value, size_t size, int *ret)
{
	uint8_t byte;

	if (size >= sizeof(int)) {
		memcpy(ret, value, sizeof(int));
		return 0;
	}
	if (size < 1)
		return -EINVAL;
	memcpy(&byte, value, 1); /* ip(7): old programs give one byte */
	*ret = byte;
	return 0;
}

/* Where the switch of an option is that asks for ancillary data; NULL: it is none. */
static bool *wanted(struct inet_socket *socket, int option)
{
	/* TCP has no packets to tell of. */
	if (socket->base.type != LX_SOCK_DGRAM)
		return NULL;
	if (option == (socket->v6 ? LX_IPV6_RECVPKTINFO : LX_IP_PKTINFO))
		return &socket->want_pktinfo;
	if (option == (socket->v6 ? LX_IPV6_RECVHOPLIMIT : LX_IP_RECVTTL))
		return &socket->want_ttl;
	if (option == (socket->v6 ? LX_IPV6_RECVTCLASS : LX_IP_RECVTOS))
		return &socket->want_tos;
	return NULL;
}

static int set_wanted(struct inet_socket *socket, int option, int number, int err)
{
	bool *want = wanted(socket, option);

	if (!want)
		return -ENOPROTOOPT;
	if (err == 0)
		*want = number != 0;
	return err;
}

static int get_wanted(struct inet_socket *socket, int option, void *value, size_t size)
{
	bool *want = wanted(socket, option);

	return want ? socket_return_int(*want, value, size) : -ENOPROTOOPT;
}

static int set_ip(struct inet_socket *socket, int option, const void *value, size_t size)
{
	int number, err = option_int(value, size, &number);

	switch (option) {
	case LX_IP_TOS:
		if (err < 0)
			return err;
		socket->tos = number & 0xff;
		return 0;
	case LX_IP_TTL:
		if (err < 0 || (number != -1 && (number < 1 || number > 255)))
			return -EINVAL;
		socket->ttl = number;
		return 0;
	default:
		return set_wanted(socket, option, number, err);
	}
}

static int get_ip(struct inet_socket *socket, int option, void *value, size_t size)
{
	switch (option) {
	case LX_IP_TOS:
		return socket_return_int(socket->tos, value, size);
	case LX_IP_TTL:
		return socket_return_int(socket->ttl < 0 ? 64 : socket->ttl, value, size);
	case LX_IP_MTU:
		return socket->state == INET_CONNECTED
			       ? socket_return_int((int)INET_LOOPBACK_MTU, value, size)
			       : -ENOTCONN;
	default:
		return get_wanted(socket, option, value, size);
	}
}

static int set_ipv6(struct inet_socket *socket, int option, const void *value, size_t size)
{
	int number;

	if (size < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	switch (option) {
	case LX_IPV6_V6ONLY:
		if (socket->endpoint->has_port)
			return -EINVAL;
		socket->endpoint->v6only = number != 0;
		return 0;
	case LX_IPV6_UNICAST_HOPS:
		if (number < -1 || number > 255)
			return -EINVAL;
		socket->ttl = number;
		return 0;
	case LX_IPV6_TCLASS:
		if (number < -1 || number > 255)
			return -EINVAL;
		socket->tos = max_of(number, 0);
		return 0;
	default:
		return set_wanted(socket, option, number, 0);
	}
}

static int get_ipv6(struct inet_socket *socket, int option, void *value, size_t size)
{
	switch (option) {
	case LX_IPV6_V6ONLY:
		return socket_return_int(socket->endpoint->v6only, value, size);
	case LX_IPV6_UNICAST_HOPS:
		return socket_return_int(socket->ttl < 0 ? 64 : socket->ttl, value, size);
	case LX_IPV6_TCLASS:
		return socket_return_int(socket->tos, value, size);
	case LX_IPV6_MTU:
		return socket->state == INET_CONNECTED
			       ? socket_return_int((int)INET_LOOPBACK_MTU, value, size)
			       : -ENOTCONN;
	default:
		return get_wanted(socket, option, value, size);
	}
}

/* ---- TCP ----------------------------------------------------------------------------------------
 */

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
		tcp->no_delayed_ack = number != 0;
		return 0;
	case LX_TCP_MAXSEG:
		/* tcp(7): the kernel's bounds win. */
		if (number && (number < 88 || number > 32767))
			return -EINVAL;
		if (number)
			socket->tcp->config.mss = (uint16_t)number;
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
			number < 0 ? 0 : (number ? min_of(number, 120) : 60) * SECOND;
		return 0;
	case LX_TCP_USER_TIMEOUT:
		if (number < 0)
			return -EINVAL;
		tcp->user_timeout = number * (SECOND / 1000);
		return 0;
	case LX_TCP_NOTSENT_LOWAT:
		socket->unsent_limit = (uint32_t)number;
		return 0;
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
		.pmtu = INET_LOOPBACK_MTU,
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
		return socket_return_int(1, value, size);
	case LX_TCP_MAXSEG:
		return socket_return_int((int)tcp->mss, value, size);
	case LX_TCP_KEEPIDLE:
		return socket_return_int((int)(tcp->keepalive_idle / SECOND), value, size);
	case LX_TCP_KEEPINTVL:
		return socket_return_int((int)(tcp->keepalive_interval / SECOND), value, size);
	case LX_TCP_KEEPCNT:
		return socket_return_int((int)tcp->keepalive_count, value, size);
	case LX_TCP_SYNCNT:
		return socket_return_int((int)tcp->syn_retries, value, size);
	case LX_TCP_LINGER2:
		return socket_return_int((int)(tcp->fin_wait_timeout / SECOND), value, size);
	case LX_TCP_USER_TIMEOUT:
		return socket_return_int((int)(tcp->user_timeout / (SECOND / 1000)), value, size);
	case LX_TCP_NOTSENT_LOWAT:
		return socket_return_int((int)socket->unsent_limit, value, size);
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

/* ---- UDP-Lite (RFC 3828) ------------------------------------------------------------------------
 */

/* The header's eight bytes are always covered; less than them but not 0 means just them. */
static int set_udplite(struct inet_socket *socket, int option, const void *value, size_t size)
{
	int number;

	if (size < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	if (number != 0 && number < 8)
		number = 8;
	number = min_of(number, (int)UINT16_MAX);
	if (option == LX_UDPLITE_SEND_CSCOV)
		socket->send_coverage = (uint16_t)number;
	else if (option == LX_UDPLITE_RECV_CSCOV)
		socket->udp->least_coverage = (uint16_t)number;
	else
		return -ENOPROTOOPT;
	return 0;
}

static int get_udplite(struct inet_socket *socket, int option, void *value, size_t size)
{
	if (option == LX_UDPLITE_SEND_CSCOV)
		return socket_return_int(socket->send_coverage, value, size);
	if (option == LX_UDPLITE_RECV_CSCOV)
		return socket_return_int(socket->udp->least_coverage, value, size);
	return -ENOPROTOOPT;
}

/* ---- all levels ---------------------------------------------------------------------------------
 */

int inet_setsockopt(struct socket *base, struct task *task, int level, int option,
	const void *value, size_t size)
{
	struct inet_socket *socket = inet_of(base);
	int number, err;

	switch (level) {
	case LX_SOL_SOCKET:
		if (size >= sizeof(number))
			memcpy(&number, value, sizeof(number));
		if (option == LX_SO_REUSEPORT || option == LX_SO_OOBINLINE) {
			if (size < sizeof(number))
				return -EINVAL;
			*(option == LX_SO_REUSEPORT ? &base->reuse_port : &base->oob_inline) =
				number != 0;
			err = 0;
		} else if (option == LX_SO_TIMESTAMP || option == LX_SO_TIMESTAMPNS) {
			if (size < sizeof(number))
				return -EINVAL;
			if (base->type != LX_SOCK_DGRAM)
				return -ENOPROTOOPT;
			socket->want_stamp = !number			 ? INET_STAMP_NONE
					     : option == LX_SO_TIMESTAMP ? INET_STAMP_MICRO
									 : INET_STAMP_NANO;
			err = 0;
		} else {
			err = socket_set_option(base, task, option, value, size);
		}
		if (err == 0)
			inet_apply_options(socket);
		return err;
	case LX_SOL_IP:
		return socket->v6 ? -ENOPROTOOPT : set_ip(socket, option, value, size);
	case LX_SOL_IPV6:
		return socket->v6 ? set_ipv6(socket, option, value, size) : -ENOPROTOOPT;
	case LX_SOL_TCP:
		if (base->type == LX_SOCK_STREAM)
			return inet_tcp_setsockopt(socket, task, option, value, size);
		return -ENOPROTOOPT;
	case LX_IPPROTO_UDPLITE:
		return base->protocol == LX_IPPROTO_UDPLITE
			       ? set_udplite(socket, option, value, size)
			       : -ENOPROTOOPT;
	default:
		return -ENOPROTOOPT;
	}
}

/* do_ip_getsockopt() and do_ipv6_getsockopt() differ. */
static int unknown_level(const struct inet_socket *socket)
{
	return socket->v6 ? -ENOPROTOOPT : -EOPNOTSUPP;
}

int inet_getsockopt(
	struct socket *base, struct task *task, int level, int option, void *value, size_t size)
{
	struct inet_socket *socket = inet_of(base);

	switch (level) {
	case LX_SOL_SOCKET:
		if (option == LX_SO_REUSEPORT)
			return socket_return_int(base->reuse_port, value, size);
		if (option == LX_SO_OOBINLINE)
			return socket_return_int(base->oob_inline, value, size);
		if (option == LX_SO_TIMESTAMP)
			return socket_return_int(
				socket->want_stamp == INET_STAMP_MICRO, value, size);
		if (option == LX_SO_TIMESTAMPNS)
			return socket_return_int(
				socket->want_stamp == INET_STAMP_NANO, value, size);
		return socket_get_option(base, task, option, value, size);
	case LX_SOL_IP:
		return socket->v6 ? -ENOPROTOOPT : get_ip(socket, option, value, size);
	case LX_SOL_IPV6:
		return socket->v6 ? get_ipv6(socket, option, value, size) : -ENOPROTOOPT;
	case LX_SOL_TCP:
		return base->type == LX_SOCK_STREAM
			       ? inet_tcp_getsockopt(socket, option, value, size)
			       : unknown_level(socket);
	case LX_IPPROTO_UDPLITE:
		return base->protocol == LX_IPPROTO_UDPLITE
			       ? get_udplite(socket, option, value, size)
			       : -ENOPROTOOPT;
	default:
		return unknown_level(socket);
	}
}
