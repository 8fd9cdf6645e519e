/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options about groups: joining and leaving, filters of sources, and how datagrams to a group leave
 * (ip(7), ipv6(7); kernel ip_mc_join_group(), ip_mc_source(), ipv6_sock_mc_join()). The same
 * requests come in three forms: by IPv4 addresses, by an interface's number, and by addresses of
 * any family (RFC 3678 section 5).
 */
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "sentry/socket/inet_socket.h"

#define GROUP_REQ_SIZE	      136 /* struct group_req */
#define GROUP_SOURCE_REQ_SIZE 264 /* struct group_source_req */

/* The interface with an address of ours; 0: none has it. */
static unsigned netif_with(struct netstack *stack, const struct inet_address *address)
{
	const struct netif_address *pos;
	const struct netif *netif;

	list_for_each_entry (netif, &stack->netifs, link) {
		list_for_each_entry (pos, &netif->addresses, link) {
			if (inet_equal(&pos->address, address))
				return netif->index;
		}
	}
	return netstack_is_local(stack, address) ? 1 : 0; /* the rest of 127.0.0.0/8 */
}

static struct inet_address v4(uint32_t address)
{
	return inet_from_v4((const uint8_t *)&address);
}

/* By number, by address, or 0 for whatever the route says. -ENODEV. */
static int pick_netif(struct inet_socket *socket, int index, uint32_t address, unsigned *ret)
{
	struct inet_address local = v4(address);

	*ret = index > 0 ? (unsigned)index : 0;
	if (index < 0)
		return -ENODEV;
	if (index == 0 && address) {
		*ret = netif_with(inet_stack(&socket->base), &local);
		if (!*ret)
			return -ENODEV;
	}
	return 0;
}

static int set_membership(struct inet_socket *socket, bool join, const void *value, size_t size)
{
	struct lx_ip_mreqn request = {0};
	struct inet_address group;
	unsigned netif;
	int err;

	if (socket->base.type == LX_SOCK_STREAM)
		return -EPROTO;
	if (size < 8)
		return -EINVAL;
	memcpy(&request, value, size < sizeof(request) ? 8 : sizeof(request));
	group = v4(request.imr_multiaddr);
	if (join && !inet_is_multicast(&group))
		return -EINVAL;
	err = pick_netif(socket, request.imr_ifindex, request.imr_address, &netif);
	if (err < 0)
		return err;
	return join ? inet_group_join(socket->udp, &group, netif)
		    : inet_group_leave(socket->udp, &group, netif);
}

static int set_source(struct inet_socket *socket, int option, const void *value, size_t size)
{
	bool include =
		option == LX_IP_ADD_SOURCE_MEMBERSHIP || option == LX_IP_DROP_SOURCE_MEMBERSHIP;
	bool add = option == LX_IP_ADD_SOURCE_MEMBERSHIP || option == LX_IP_BLOCK_SOURCE;
	struct lx_ip_mreq_source request;
	struct inet_address group, source;
	unsigned netif;
	int err;

	if (size != sizeof(request))
		return -EINVAL;
	memcpy(&request, value, sizeof(request));
	group = v4(request.imr_multiaddr);
	source = v4(request.imr_sourceaddr);
	if (socket->base.type == LX_SOCK_STREAM)
		return include && add ? -EPROTO : -EADDRNOTAVAIL;
	err = pick_netif(socket, 0, request.imr_interface, &netif);
	return err < 0 ? err : inet_group_source(socket->udp, &group, netif, &source, include, add);
}

/* The forms for both families: struct group_req and group_source_req. */
static int read_any(const void *value, size_t at, bool ipv6, struct inet_address *ret)
{
	struct lx_sockaddr_in6 in6;
	struct lx_sockaddr_in in;

	memcpy(&in6, (const uint8_t *)value + at, sizeof(in6));
	memcpy(&in, (const uint8_t *)value + at, sizeof(in));
	if (in.sin_family != (ipv6 ? LX_AF_INET6 : LX_AF_INET))
		return -EADDRNOTAVAIL;
	if (ipv6)
		memcpy(ret->bytes, in6.sin6_addr, sizeof(ret->bytes));
	else
		*ret = v4(in.sin_addr);
	return 0;
}

static int set_any(
	struct inet_socket *socket, bool ipv6, int option, const void *value, size_t size)
{
	bool sourced = option != LX_MCAST_JOIN_GROUP && option != LX_MCAST_LEAVE_GROUP;
	struct inet_address group, source;
	uint32_t netif;
	int err;

	if (size < (sourced ? GROUP_SOURCE_REQ_SIZE : GROUP_REQ_SIZE))
		return -EINVAL;
	memcpy(&netif, value, sizeof(netif));
	err = read_any(value, 8, ipv6, &group);
	if (!sourced) {
		if (err < 0)
			return ipv6 ? -EADDRNOTAVAIL : -EINVAL;
		if (socket->base.type == LX_SOCK_STREAM)
			return -EPROTO;
		return option == LX_MCAST_JOIN_GROUP ? inet_group_join(socket->udp, &group, netif)
						     : inet_group_leave(socket->udp, &group, netif);
	}
	err = err < 0 ? err : read_any(value, GROUP_REQ_SIZE, ipv6, &source);
	if (err < 0)
		return err;
	if (socket->base.type == LX_SOCK_STREAM)
		return option == LX_MCAST_JOIN_SOURCE_GROUP ? -EPROTO : -EADDRNOTAVAIL;
	return inet_group_source(socket->udp, &group, netif, &source,
		option == LX_MCAST_JOIN_SOURCE_GROUP || option == LX_MCAST_LEAVE_SOURCE_GROUP,
		option == LX_MCAST_JOIN_SOURCE_GROUP || option == LX_MCAST_BLOCK_SOURCE);
}

/* ---- how datagrams to a group leave -----------------------------------------------------------
 */

static int set_netif(struct inet_socket *socket, const void *value, size_t size)
{
	struct netstack *stack = inet_stack(&socket->base);
	struct lx_ip_mreqn request = {0};
	struct inet_address address;
	unsigned netif;

	if (socket->base.type == LX_SOCK_STREAM || size < 4)
		return -EINVAL;
	if (size >= 8)
		memcpy(&request, value, size < sizeof(request) ? 8 : sizeof(request));
	else
		memcpy(&request.imr_address, value, 4);
	address = v4(request.imr_address);
	if (request.imr_ifindex == 0 && request.imr_address == 0) {
		socket->group_netif = 0;
		socket->group_source = inet_any4;
		return 0;
	}
	netif = request.imr_ifindex ? (unsigned)request.imr_ifindex : netif_with(stack, &address);
	if (!netif || !netif_by_index(stack, netif))
		return -EADDRNOTAVAIL;
	socket->group_netif = netif;
	socket->group_source = address;
	return 0;
}

static bool is_udp(const struct inet_socket *socket)
{
	return socket->base.type != LX_SOCK_STREAM;
}

int inet_group_setsockopt(struct inet_socket *socket, int option, const void *value, size_t size)
{
	int number = 0;

	if (size >= sizeof(number))
		memcpy(&number, value, sizeof(number));
	else if (size > 0)
		number = *(const uint8_t *)value;
	switch (option) {
	case LX_IP_MULTICAST_TTL:
		if (!is_udp(socket) || size < 1 || number < -1 || number > 255)
			return -EINVAL;
		socket->group_ttl = number < 0 ? 1 : number;
		return 0;
	case LX_IP_MULTICAST_LOOP:
		if (size < 1)
			return -EINVAL;
		socket->wants =
			number ? socket->wants | INET_GROUP_LOOP : socket->wants & ~INET_GROUP_LOOP;
		return 0;
	case LX_IP_MULTICAST_ALL:
		if (!is_udp(socket))
			return -ENOPROTOOPT;
		if (size < 1 || (number != 0 && number != 1))
			return -EINVAL;
		socket->udp->group_all4 = number;
		return 0;
	case LX_IP_MULTICAST_IF:
		return set_netif(socket, value, size);
	case LX_IP_ADD_MEMBERSHIP:
	case LX_IP_DROP_MEMBERSHIP:
		return set_membership(socket, option == LX_IP_ADD_MEMBERSHIP, value, size);
	case LX_IP_ADD_SOURCE_MEMBERSHIP:
	case LX_IP_DROP_SOURCE_MEMBERSHIP:
	case LX_IP_BLOCK_SOURCE:
	case LX_IP_UNBLOCK_SOURCE:
		return set_source(socket, option, value, size);
	case LX_MCAST_JOIN_GROUP:
	case LX_MCAST_LEAVE_GROUP:
	case LX_MCAST_BLOCK_SOURCE:
	case LX_MCAST_UNBLOCK_SOURCE:
	case LX_MCAST_JOIN_SOURCE_GROUP:
	case LX_MCAST_LEAVE_SOURCE_GROUP:
		return set_any(socket, false, option, value, size);
	default:
		return -ENOPROTOOPT;
	}
}

int inet_group_getsockopt(struct inet_socket *socket, int option, void *value, size_t size)
{
	uint32_t address;

	switch (option) {
	case LX_IP_MULTICAST_TTL:
		return socket_return_int(socket->group_ttl, value, size);
	case LX_IP_MULTICAST_LOOP:
		return socket_return_int((socket->wants & INET_GROUP_LOOP) != 0, value, size);
	case LX_IP_MULTICAST_ALL:
		return is_udp(socket) ? socket_return_int(socket->udp->group_all4, value, size)
				      : -ENOPROTOOPT;
	case LX_IP_MULTICAST_IF:
		memcpy(&address, socket->group_source.bytes + 12, sizeof(address));
		return socket_return_bytes(&address, sizeof(address), value, size);
	default:
		return -ENOPROTOOPT;
	}
}

static int set_membership6(struct inet_socket *socket, bool join, const void *value, size_t size)
{
	struct lx_ipv6_mreq request;
	struct inet_address group;
	unsigned netif;

	if (size < sizeof(request))
		return -EINVAL;
	if (socket->base.type == LX_SOCK_STREAM)
		return -EPROTO;
	memcpy(&request, value, sizeof(request));
	memcpy(group.bytes, request.ipv6mr_multiaddr, sizeof(group.bytes));
	netif = (unsigned)request.ipv6mr_ifindex;
	if (inet_is_v4(&group) || !inet_is_multicast(&group))
		return -EINVAL;
	return join ? inet_group_join(socket->udp, &group, netif)
		    : inet_group_leave(socket->udp, &group, netif);
}

static int set_number6(struct inet_socket *socket, int option, int number)
{
	switch (option) {
	case LX_IPV6_MULTICAST_HOPS:
		if (number < -1 || number > 255)
			return -EINVAL;
		socket->group_hops = number < 0 ? 1 : number;
		return 0;
	case LX_IPV6_MULTICAST_LOOP:
		if (number != 0 && number != 1)
			return -EINVAL;
		socket->wants = number ? socket->wants | INET_GROUP_LOOP6
				       : socket->wants & ~INET_GROUP_LOOP6;
		return 0;
	case LX_IPV6_MULTICAST_ALL:
		socket->wants =
			number ? socket->wants | INET_GROUP_ALL6 : socket->wants & ~INET_GROUP_ALL6;
		if (is_udp(socket))
			socket->udp->group_all6 = number != 0;
		return 0;
	default: /* LX_IPV6_MULTICAST_IF */
		if (number && !netif_by_index(inet_stack(&socket->base), (unsigned)number))
			return -ENODEV;
		socket->group_netif6 = (unsigned)number;
		return 0;
	}
}

int inet_group6_setsockopt(struct inet_socket *socket, int option, const void *value, size_t size)
{
	int number;

	switch (option) {
	case LX_IPV6_MULTICAST_HOPS:
	case LX_IPV6_MULTICAST_LOOP:
	case LX_IPV6_MULTICAST_IF:
	case LX_IPV6_MULTICAST_ALL:
		if (!is_udp(socket) &&
			(option == LX_IPV6_MULTICAST_HOPS || option == LX_IPV6_MULTICAST_IF))
			return -ENOPROTOOPT;
		if (size < sizeof(number))
			return -EINVAL;
		memcpy(&number, value, sizeof(number));
		return set_number6(socket, option, number);
	case LX_IPV6_JOIN_GROUP:
	case LX_IPV6_LEAVE_GROUP:
		return set_membership6(socket, option == LX_IPV6_JOIN_GROUP, value, size);
	case LX_MCAST_JOIN_GROUP:
	case LX_MCAST_LEAVE_GROUP:
	case LX_MCAST_BLOCK_SOURCE:
	case LX_MCAST_UNBLOCK_SOURCE:
	case LX_MCAST_JOIN_SOURCE_GROUP:
	case LX_MCAST_LEAVE_SOURCE_GROUP:
		return set_any(socket, true, option, value, size);
	default:
		return -ENOPROTOOPT;
	}
}

int inet_group6_getsockopt(struct inet_socket *socket, int option, void *value, size_t size)
{
	switch (option) {
	case LX_IPV6_MULTICAST_HOPS:
		return socket_return_int(socket->group_hops, value, size);
	case LX_IPV6_MULTICAST_LOOP:
		return socket_return_int((socket->wants & INET_GROUP_LOOP6) != 0, value, size);
	case LX_IPV6_MULTICAST_IF:
		return socket_return_int((int)socket->group_netif6, value, size);
	case LX_IPV6_MULTICAST_ALL:
		return socket_return_int((socket->wants & INET_GROUP_ALL6) != 0, value, size);
	default:
		return -ENOPROTOOPT;
	}
}
