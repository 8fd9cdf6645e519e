/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of TCP and UDP sockets (socket(7), ip(7), ipv6(7), tcp(7)). An option that would have no
 * effect here is refused with ENOPROTOOPT and stands in docs/caveats.md.
 */
#include "sentry/socket/inet_socket.h"

#include <errno.h>
#include <string.h>

#include "abi/cap.h"
#include "base/checked.h"
#include "sentry/nsproxy.h"

void inet_apply_options(struct inet_socket *socket)
{
	struct socket *base = &socket->base;
	struct tcp *tcp;

	socket->endpoint->reuse_address = base->reuse_address;
	socket->endpoint->reuse_port = base->reuse_port;
	if (base->type != LX_SOCK_STREAM) {
		socket->udp->limit = base->receive_size;
		if (base->protocol == LX_IPPROTO_UDP || base->protocol == LX_IPPROTO_UDPLITE)
			socket->udp->filter = base->filter ? inet_dgram_filter : NULL;
		return;
	}
	socket->tcp->filter = base->filter ? inet_stream_filter : NULL;
	tcp = &socket->tcp->tcp;
	tcp->keepalive = base->keep_alive;
	tcp->oob_inline = base->oob_inline;
	/* As long as nobody asked for a size the connection grows its own. */
	if (socket->wants & INET_SEND_SIZED)
		socket->tcp->config.send_buffer = tcp->config.send_buffer = base->send_size;
	if (socket->wants & INET_RECEIVE_SIZED) {
		struct tcp_config *config = &socket->tcp->config;

		/* Half of it is for data (net.ipv4.tcp_adv_win_scale). */
		config->receive_buffer = config->receive_buffer_max = base->receive_size / 2;
		tcp->config.receive_buffer = tcp->config.receive_buffer_max =
			config->receive_buffer;
	}
	tcp_options_changed(tcp, (int64_t)loop_monotonic());
}

/* ---- UDP ----------------------------------------------------------------------------------------
 */

static int set_udp(struct inet_socket *socket, int option, const void *value, size_t size)
{
	int number;

	if (size < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	switch (option) {
	case LX_UDP_CORK:
		if (number) {
			socket->wants |= INET_CORK;
			return 0;
		}
		socket->wants &= ~INET_CORK;
		return inet_dgram_uncork(socket);
	case LX_UDP_SEGMENT:
		if (number < 0 || number > UINT16_MAX)
			return -EINVAL;
		socket->segment_size = (uint16_t)number;
		return 0;
	case LX_UDP_GRO:
		socket->udp->coalesce = number != 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_udp(struct inet_socket *socket, int option, void *value, size_t size)
{
	switch (option) {
	case LX_UDP_CORK:
		return socket_return_int((socket->wants & INET_CORK) != 0, value, size);
	case LX_UDP_SEGMENT:
		return socket_return_int(socket->segment_size, value, size);
	case LX_UDP_GRO:
		return socket_return_int(socket->udp->coalesce, value, size);
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

static int set_stamp(struct inet_socket *socket, int option, int number)
{
	enum inet_stamp stamp = option == LX_SO_TIMESTAMP	? INET_STAMP_MICRO
				: option == LX_SO_TIMESTAMPNS	? INET_STAMP_NANO
				: option == LX_SO_TIMESTAMP_NEW ? INET_STAMP_MICRO_NEW
								: INET_STAMP_NANO_NEW;

	socket->want_stamp = number ? stamp : INET_STAMP_NONE;
	return 0;
}

/* Packets are stamped by software; sent ones where they are UDP. */
#define STAMPING                                                                                   \
	(LX_SOF_TIMESTAMPING_RX_SOFTWARE | LX_SOF_TIMESTAMPING_SOFTWARE |                          \
		LX_SOF_TIMESTAMPING_RX_HARDWARE | LX_SOF_TIMESTAMPING_SYS_HARDWARE |               \
		LX_SOF_TIMESTAMPING_RAW_HARDWARE)
#define STAMPING_SENT                                                                              \
	(LX_SOF_TIMESTAMPING_TX_HARDWARE | LX_SOF_TIMESTAMPING_TX_SOFTWARE |                       \
		LX_SOF_TIMESTAMPING_TX_SCHED | LX_SOF_TIMESTAMPING_OPT_ID |                        \
		LX_SOF_TIMESTAMPING_OPT_TSONLY | LX_SOF_TIMESTAMPING_OPT_TX_SWHW)

static int set_stamping(struct inet_socket *socket, int option, int number)
{
	if ((uint32_t)number & ~LX_SOF_TIMESTAMPING_MASK)
		return -EINVAL;
	if ((uint32_t)number &
		~(socket->base.protocol == LX_IPPROTO_UDP ? STAMPING | STAMPING_SENT : STAMPING))
		return -ENOPROTOOPT;
	if (~socket->want_stamping & (uint32_t)number & LX_SOF_TIMESTAMPING_OPT_ID)
		socket->stamp_id = 0;
	socket->want_stamping = (uint32_t)number;
	socket->wants &= ~INET_STAMPING_NEW;
	if (option == LX_SO_TIMESTAMPING_NEW)
		socket->wants |= INET_STAMPING_NEW;
	return 0;
}

/* MSG_ZEROCOPY copies, and says so (inet_errors.c). */
static int set_zero_copy(struct inet_socket *socket, int number)
{
	int protocol = socket->base.protocol;

	if (protocol != LX_IPPROTO_TCP &&
		!(socket->base.type == LX_SOCK_DGRAM && protocol == LX_IPPROTO_UDP))
		return -EOPNOTSUPP;
	if (number < 0 || number > 1)
		return -EINVAL;
	socket->zero_copy = number != 0;
	return 0;
}

/* Marks come with datagrams; a stream has none to show them with. */
static int set_receive_mark(struct inet_socket *socket, struct task *task, int number)
{
	const struct user_ns *ns = socket->base.net->user_ns;

	if (!cred_ns_capable(task->cred, ns, LX_CAP_NET_RAW) &&
		!cred_ns_capable(task->cred, ns, LX_CAP_NET_ADMIN))
		return -EPERM;
	if (socket->base.type == LX_SOCK_STREAM)
		return -ENOPROTOOPT;
	socket->wants = number ? socket->wants | INET_WANT_MARK : socket->wants & ~INET_WANT_MARK;
	return 0;
}

/* The interface that all packets come and go by; 0 frees it. A socket that is bound to one needs a
 * privilege to have another (sock_bindtoindex()). */
static int bind_to_index(struct inet_socket *socket, int index)
{
	struct inet_endpoint *endpoint = socket->endpoint;

	if (endpoint->netif_index &&
		!cred_ns_capable(task_current()->cred, socket->base.net->user_ns, LX_CAP_NET_RAW))
		return -EPERM;
	if (index < 0)
		return -EINVAL;
	endpoint->netif_index = (unsigned)index;
	return 0;
}

static int bind_to_name(struct inet_socket *socket, const void *value, size_t size)
{
	char name[LX_IFNAMSIZ] = "";
	const struct netif *netif;

	memcpy(name, value, min_of(size, sizeof(name) - 1));
	if (!name[0])
		return bind_to_index(socket, 0);
	netif = netif_by_name(inet_stack(&socket->base), name);
	return netif ? bind_to_index(socket, (int)netif->index) : -ENODEV;
}

static int return_device(const struct inet_socket *socket, void *value, size_t size)
{
	char name[LX_IFNAMSIZ] = "";
	const struct netif *netif;

	if (!socket->endpoint->netif_index)
		return 0;
	if (size < sizeof(name))
		return -EINVAL;
	netif = netif_by_index(inet_stack(&socket->base), socket->endpoint->netif_index);
	if (!netif)
		return -ENODEV;
	memcpy(name, netif->name, min_of(strlen(netif->name), sizeof(name) - 1));
	return socket_return_bytes(name, strlen(name) + 1, value, size);
}

static int set_socket(
	struct inet_socket *socket, struct task *task, int option, const void *value, size_t size)
{
	struct socket *base = &socket->base;
	int number = 0, err;
	bool whole = size >= sizeof(number);

	if (whole)
		memcpy(&number, value, sizeof(number));
	switch (option) {
	case LX_SO_REUSEPORT:
	case LX_SO_OOBINLINE:
		if (whole)
			*(option == LX_SO_REUSEPORT ? &base->reuse_port : &base->oob_inline) =
				number != 0;
		break;
	case LX_SO_TIMESTAMP:
	case LX_SO_TIMESTAMPNS:
	case LX_SO_TIMESTAMP_NEW:
	case LX_SO_TIMESTAMPNS_NEW:
		return whole ? set_stamp(socket, option, number) : -EINVAL;
	case LX_SO_TIMESTAMPING:
	case LX_SO_TIMESTAMPING_NEW:
		return whole ? set_stamping(socket, option, number) : -EINVAL;
	case LX_SO_RXQ_OVFL:
		if (base->type == LX_SOCK_STREAM)
			return -ENOPROTOOPT;
		if (whole)
			socket->wants = number ? socket->wants | INET_WANT_DROPS
					       : socket->wants & ~INET_WANT_DROPS;
		break;
	case LX_SO_BINDTODEVICE:
		return bind_to_name(socket, value, size);
	case LX_SO_BINDTOIFINDEX:
		return whole ? bind_to_index(socket, number) : -EINVAL;
	case LX_SO_RCVMARK:
		return whole ? set_receive_mark(socket, task, number) : -EINVAL;
	case LX_SO_ZEROCOPY:
		return whole ? set_zero_copy(socket, number) : -EINVAL;
	default:
		err = socket_set_option(base, task, option, value, size);
		if (err == 0 && (option == LX_SO_SNDBUF || option == LX_SO_SNDBUFFORCE))
			socket->wants |= INET_SEND_SIZED;
		if (err == 0 && (option == LX_SO_RCVBUF || option == LX_SO_RCVBUFFORCE))
			socket->wants |= INET_RECEIVE_SIZED;
		return err;
	}
	return whole ? 0 : -EINVAL;
}

int inet_setsockopt(struct socket *base, struct task *task, int level, int option,
	const void *value, size_t size)
{
	struct inet_socket *socket = inet_of(base);
	int err;

	switch (level) {
	case LX_SOL_SOCKET:
		err = set_socket(socket, task, option, value, size);
		if (err == 0)
			inet_apply_options(socket);
		return err;
	case LX_SOL_IP:
		return inet_ip_setsockopt(socket, task, option, value, size);
	case LX_SOL_IPV6:
		return socket->v6 ? inet_ipv6_setsockopt(socket, task, option, value, size)
				  : -ENOPROTOOPT;
	case LX_SOL_TCP:
		if (base->type == LX_SOCK_STREAM)
			return inet_tcp_setsockopt(socket, task, option, value, size);
		return -ENOPROTOOPT;
	case LX_SOL_UDP:
		return base->type == LX_SOCK_DGRAM ? set_udp(socket, option, value, size)
						   : -ENOPROTOOPT;
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

static int get_socket_option(
	struct inet_socket *socket, struct task *task, int option, void *value, size_t size)
{
	struct socket *base = &socket->base;
	bool nano =
		socket->want_stamp == INET_STAMP_NANO || socket->want_stamp == INET_STAMP_NANO_NEW;
	bool micro = socket->want_stamp != INET_STAMP_NONE && !nano;
	bool new_form = socket->want_stamp == INET_STAMP_MICRO_NEW ||
			socket->want_stamp == INET_STAMP_NANO_NEW;
	bool new_stamping = socket->wants & INET_STAMPING_NEW;

	switch (option) {
	case LX_SO_REUSEPORT:
		return socket_return_int(base->reuse_port, value, size);
	case LX_SO_OOBINLINE:
		return socket_return_int(base->oob_inline, value, size);
	case LX_SO_TIMESTAMP:
		return socket_return_int(micro && !new_form, value, size);
	case LX_SO_TIMESTAMP_NEW:
		/* SOCK_TSTAMP_NEW alone is looked at. */
		return socket_return_int(new_form, value, size);
	case LX_SO_TIMESTAMPNS:
		return socket_return_int(nano && !new_form, value, size);
	case LX_SO_TIMESTAMPNS_NEW:
		return socket_return_int(nano && new_form, value, size);
	case LX_SO_TIMESTAMPING:
	case LX_SO_TIMESTAMPING_NEW: {
		/* With the clock it is bound to, which there never is. */
		uint32_t answer[2] = {0};

		if (option == LX_SO_TIMESTAMPING || new_stamping)
			answer[0] = socket->want_stamping;
		return socket_return_bytes(answer, sizeof(answer), value, size);
	}
	case LX_SO_RXQ_OVFL:
		return socket_return_int((socket->wants & INET_WANT_DROPS) != 0, value, size);
	case LX_SO_RCVMARK:
		return socket_return_int((socket->wants & INET_WANT_MARK) != 0, value, size);
	case LX_SO_BINDTODEVICE:
		return return_device(socket, value, size);
	case LX_SO_BINDTOIFINDEX:
		return socket_return_int((int)socket->endpoint->netif_index, value, size);
	case LX_SO_ZEROCOPY:
		return socket_return_int(socket->zero_copy, value, size);
	default:
		return socket_get_option(base, task, option, value, size);
	}
}

int inet_getsockopt(
	struct socket *base, struct task *task, int level, int option, void *value, size_t size)
{
	struct inet_socket *socket = inet_of(base);

	switch (level) {
	case LX_SOL_SOCKET:
		return get_socket_option(socket, task, option, value, size);
	case LX_SOL_IP:
		return inet_ip_getsockopt(socket, option, value, size);
	case LX_SOL_IPV6:
		return socket->v6 ? inet_ipv6_getsockopt(socket, option, value, size) : -EOPNOTSUPP;
	case LX_SOL_TCP:
		return base->type == LX_SOCK_STREAM
			       ? inet_tcp_getsockopt(socket, option, value, size)
			       : unknown_level(socket);
	case LX_SOL_UDP:
		return base->type == LX_SOCK_DGRAM ? get_udp(socket, option, value, size)
						   : unknown_level(socket);
	case LX_IPPROTO_UDPLITE:
		return base->protocol == LX_IPPROTO_UDPLITE
			       ? get_udplite(socket, option, value, size)
			       : -ENOPROTOOPT;
	default:
		return unknown_level(socket);
	}
}
