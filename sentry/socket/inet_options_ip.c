/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of IPv4 and IPv6 (ip(7), ipv6(7)). Those that are merely on or off are rows of a table.
 * An IPv6 socket has both levels: what it sends to and gets from IPv4-mapped addresses goes by the
 * options of IPv4 (kernel ipv6_setsockopt(), udpv6_recvmsg()).
 *
 * The rules for short values differ: IPv4 takes one byte, and none at all for a zero; IPv6 wants an
 * int (do_ip_setsockopt(), do_ipv6_setsockopt()).
 */
#include "sentry/socket/inet_socket.h"

#include <errno.h>
#include <string.h>

#include "abi/cap.h"
#include "base/checked.h"
#include "sentry/nsproxy.h"

#define ECN_MASK 3 /* of the traffic class: TCP's own (INET_ECN_MASK) */

struct flag_option {
	int option;
	uint32_t bit; /* INET_WANT_* */
};

static const struct flag_option flags4[] = {
	{LX_IP_PKTINFO, INET_WANT_PKTINFO},
	{LX_IP_RECVTTL, INET_WANT_TTL},
	{LX_IP_RECVTOS, INET_WANT_TOS},
	{LX_IP_RECVORIGDSTADDR, INET_WANT_ORIGDST},
	{LX_IP_RECVERR, INET_WANT_RECVERR},
};

static const struct flag_option flags6[] = {
	{LX_IPV6_RECVPKTINFO, INET_WANT_PKTINFO6},
	{LX_IPV6_RECVHOPLIMIT, INET_WANT_HOPS6},
	{LX_IPV6_RECVTCLASS, INET_WANT_TCLASS6},
	{LX_IPV6_RECVORIGDSTADDR, INET_WANT_ORIGDST6},
	{LX_IPV6_RECVERR, INET_WANT_RECVERR6},
};

/* 0: none of @flags. */
static uint32_t flag_bit(const struct flag_option *flags, size_t count, int option)
{
	for (size_t i = 0; i < count; i++) {
		if (flags[i].option == option)
			return flags[i].bit;
	}
	return 0;
}

static void set_flag(struct inet_socket *socket, uint32_t bit, bool on)
{
	socket->wants = on ? socket->wants | bit : socket->wants & ~bit;
}

/* IP_RECVERR: datagrams have a queue of errors; a stream is told of them at once, in any case. */
static void keep_errors(struct inet_socket *socket)
{
	struct inet_udp *udp = socket->udp;

	if (socket->base.type == LX_SOCK_STREAM)
		return;
	udp->keep_errors4 = socket->wants & INET_WANT_RECVERR;
	udp->keep_errors6 = socket->wants & INET_WANT_RECVERR6;
	if (udp->keep_errors4 || udp->keep_errors6)
		return;
	while (!list_empty(&udp->errors)) {
		struct inet_error *error = list_first(&udp->errors, struct inet_error, link);

		list_remove(&error->link);
		udp->error_count--;
		inet_error_free(error);
	}
}

/* The bits of ECN in a stream's class are the protocol's. */
static int class_of(const struct inet_socket *socket, int number, int before)
{
	if (socket->base.type != LX_SOCK_STREAM)
		return number & 0xff;
	return (number & 0xff & ~ECN_MASK) | (before & ECN_MASK);
}

/* rt_tos2priority(): what IP_TOS makes of SO_PRIORITY. */
static uint32_t priority_of(int tos)
{
	static const uint8_t table[] = {0, 1, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4};

	return table[(tos & 0x1e) >> 1];
}

/* ---- SOL_IP -------------------------------------------------------------------------------------
 */

static int ip_int(const void *value, size_t size)
{
	int number = 0;

	if (size >= sizeof(number)) {
		memcpy(&number, value, sizeof(number));
		return number;
	}
	return size ? *(const uint8_t *)value : 0;
}

/* A stream's packets are made by the protocol, a datagram's header is said with each. */
static void apply_header(struct inet_socket *socket)
{
	int ttl = socket->v6 ? socket->hops : socket->ttl;

	if (socket->base.type != LX_SOCK_STREAM)
		return;
	socket->endpoint->ttl = (uint8_t)max_of(ttl, 0);
	socket->endpoint->tos = (uint8_t)(socket->v6 ? socket->tclass : socket->tos);
}

/* Taking away needs no right (do_ip_setsockopt()). */
static int set_transparent(struct inet_socket *socket, const struct task *task, bool on)
{
	const struct user_ns *ns = socket->base.net->user_ns;

	if (on && !cred_ns_capable(task->cred, ns, LX_CAP_NET_RAW) &&
		!cred_ns_capable(task->cred, ns, LX_CAP_NET_ADMIN))
		return -EPERM;
	socket->endpoint->transparent = on;
	return 0;
}

static int set_port_range(struct inet_socket *socket, uint32_t range)
{
	uint32_t first = range & 0xffff, last = range >> 16;

	if (first && last && first > last)
		return -EINVAL;
	socket->endpoint->port_range = range;
	return 0;
}

int inet_ip_setsockopt(
	struct inet_socket *socket, struct task *task, int option, const void *value, size_t size)
{
	uint32_t bit = flag_bit(flags4, array_size(flags4), option);
	int number = ip_int(value, size);

	if (bit) {
		set_flag(socket, bit, number != 0);
		if (bit == INET_WANT_RECVERR)
			keep_errors(socket);
		return 0;
	}
	switch (option) {
	case LX_IP_FREEBIND:
		if (size < 1)
			return -EINVAL;
		socket->endpoint->free_bind = number != 0;
		return 0;
	case LX_IP_TRANSPARENT:
		return size < 1 ? -EINVAL : set_transparent(socket, task, number != 0);
	case LX_IP_BIND_ADDRESS_NO_PORT:
		socket->endpoint->late_port = number != 0;
		return 0;
	case LX_IP_LOCAL_PORT_RANGE:
		return size == sizeof(number) ? set_port_range(socket, (uint32_t)number) : -EINVAL;
	case LX_IP_MINTTL:
		if (size < 1 || number < 0 || number > 255)
			return -EINVAL;
		socket->endpoint->least_ttl = (uint8_t)number;
		return 0;
	case LX_IP_TOS:
		socket->tos = class_of(socket, number, socket->tos);
		socket->base.priority = priority_of(socket->tos);
		apply_header(socket);
		return 0;
	case LX_IP_TTL:
		if (size < 1 || (number != -1 && (number < 1 || number > 255)))
			return -EINVAL;
		socket->ttl = number;
		apply_header(socket);
		return 0;
	case LX_IP_MTU_DISCOVER:
		if (number < LX_IP_PMTUDISC_DONT || number > LX_IP_PMTUDISC_OMIT)
			return -EINVAL;
		socket->path_discovery = (uint8_t)number;
		return 0;
	default:
		return inet_group_setsockopt(socket, option, value, size);
	}
}

/* A small number may be had as one byte. */
static int return_ip_int(int number, void *value, size_t size)
{
	uint8_t byte = (uint8_t)number;

	if (size > 0 && size < sizeof(number) && number >= 0 && number <= 255)
		return socket_return_bytes(&byte, 1, value, size);
	return socket_return_int(number, value, size);
}

/* IP_MTU: of the path to the peer, as it is known now. */
static int path_mtu(const struct inet_socket *socket)
{
	if (socket->state != INET_CONNECTED)
		return -ENOTCONN;
	return inet_path_mtu(socket->endpoint, &socket->endpoint->remote.address);
}

int inet_ip_getsockopt(struct inet_socket *socket, int option, void *value, size_t size)
{
	uint32_t bit = flag_bit(flags4, array_size(flags4), option);
	int number = 0, err;

	if (bit)
		return return_ip_int((socket->wants & bit) != 0, value, size);
	switch (option) {
	case LX_IP_TOS:
		return return_ip_int(socket->tos, value, size);
	case LX_IP_TTL:
		return return_ip_int(socket->ttl < 0 ? 64 : socket->ttl, value, size);
	case LX_IP_MTU_DISCOVER:
		return return_ip_int(socket->path_discovery, value, size);
	case LX_IP_MTU:
		number = path_mtu(socket);
		return number < 0 ? number : return_ip_int(number, value, size);
	case LX_IP_PROTOCOL:
		return return_ip_int(socket->base.protocol, value, size);
	case LX_IP_FREEBIND:
		return return_ip_int(socket->endpoint->free_bind, value, size);
	case LX_IP_TRANSPARENT:
		return return_ip_int(socket->endpoint->transparent, value, size);
	case LX_IP_BIND_ADDRESS_NO_PORT:
		return return_ip_int(socket->endpoint->late_port, value, size);
	case LX_IP_LOCAL_PORT_RANGE:
		return return_ip_int((int)socket->endpoint->port_range, value, size);
	case LX_IP_MINTTL:
		return return_ip_int(socket->endpoint->least_ttl, value, size);
	default:
		err = inet_group_getsockopt(socket, option, &number, sizeof(number));
		if (option == LX_IP_MULTICAST_IF && err >= 0)
			return socket_return_int(number, value, size);
		return err < 0 ? err : return_ip_int(number, value, size);
	}
}

/* ---- SOL_IPV6 -----------------------------------------------------------------------------------
 */

static int set_v6only(struct inet_socket *socket, int number)
{
	bool ended = socket->base.type == LX_SOCK_STREAM && socket->state == INET_CONNECTED &&
		     socket->tcp->tcp.state == TCP_CLOSED;

	if (socket->endpoint->has_port && !ended)
		return -EINVAL;
	socket->endpoint->v6only = number != 0;
	return 0;
}

int inet_ipv6_setsockopt(
	struct inet_socket *socket, struct task *task, int option, const void *value, size_t size)
{
	uint32_t bit = flag_bit(flags6, array_size(flags6), option);
	int number = 0;

	if (size >= sizeof(number))
		memcpy(&number, value, sizeof(number));
	if (bit) {
		if (size < sizeof(number))
			return -EINVAL;
		set_flag(socket, bit, number != 0);
		if (bit == INET_WANT_RECVERR6)
			keep_errors(socket);
		return 0;
	}
	switch (option) {
	case LX_IPV6_FREEBIND:
		if (size < sizeof(number))
			return -EINVAL;
		socket->endpoint->free_bind = number != 0;
		return 0;
	case LX_IPV6_TRANSPARENT:
		return size < sizeof(number) ? -EINVAL : set_transparent(socket, task, number != 0);
	case LX_IPV6_MINHOPCOUNT:
		if (size < sizeof(number) || number < 0 || number > 255)
			return -EINVAL;
		socket->endpoint->least_hops = (uint8_t)number;
		return 0;
	case LX_IPV6_V6ONLY:
		return size < sizeof(number) ? -EINVAL : set_v6only(socket, number);
	case LX_IPV6_UNICAST_HOPS:
		if (size < sizeof(number) || number < -1 || number > 255)
			return -EINVAL;
		socket->hops = number;
		apply_header(socket);
		return 0;
	case LX_IPV6_TCLASS:
		if (size < sizeof(number) || number < -1 || number > 255)
			return -EINVAL;
		socket->tclass = class_of(socket, max_of(number, 0), socket->tclass);
		apply_header(socket);
		return 0;
	case LX_IPV6_MTU_DISCOVER:
		if (size < sizeof(number) || number < LX_IP_PMTUDISC_DONT ||
			number > LX_IP_PMTUDISC_OMIT)
			return -EINVAL;
		socket->path_discovery6 = (uint8_t)number;
		return 0;
	default:
		return inet_group6_setsockopt(socket, option, value, size);
	}
}

int inet_ipv6_getsockopt(struct inet_socket *socket, int option, void *value, size_t size)
{
	uint32_t bit = flag_bit(flags6, array_size(flags6), option);
	int mtu;

	if (bit)
		return socket_return_int((socket->wants & bit) != 0, value, size);
	switch (option) {
	case LX_IPV6_V6ONLY:
		return socket_return_int(socket->endpoint->v6only, value, size);
	case LX_IPV6_UNICAST_HOPS:
		return socket_return_int(socket->hops < 0 ? 64 : socket->hops, value, size);
	case LX_IPV6_TCLASS:
		return socket_return_int(socket->tclass, value, size);
	case LX_IPV6_MTU_DISCOVER:
		return socket_return_int(socket->path_discovery6, value, size);
	case LX_IPV6_MTU:
		mtu = path_mtu(socket);
		return mtu < 0 ? mtu : socket_return_int(mtu, value, size);
	case LX_IPV6_FREEBIND:
		return socket_return_int(socket->endpoint->free_bind, value, size);
	case LX_IPV6_TRANSPARENT:
		return socket_return_int(socket->endpoint->transparent, value, size);
	case LX_IPV6_MINHOPCOUNT:
		return socket_return_int(socket->endpoint->least_hops, value, size);
	default:
		return inet_group6_getsockopt(socket, option, value, size);
	}
}
