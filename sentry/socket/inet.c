/* SPDX-License-Identifier: Apache-2.0 */
/* What TCP and UDP sockets share: addresses, names, creation. */
#include "sentry/socket/inet_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "base/checked.h"
#include "sentry/nsproxy.h"
#include "sentry/socket/raw.h"

struct netstack *inet_stack(const struct socket *socket)
{
	return &container_of(socket->net, struct net_ns, ns)->stack;
}

/* ---- addresses ----------------------------------------------------------------------------------
 */

bool inet_is_unspec(const struct socket_address *address)
{
	uint16_t family;

	if (address->size < sizeof(family))
		return false;
	memcpy(&family, address->bytes, sizeof(family));
	return family == LX_AF_UNSPEC;
}

static int read_v4(const struct socket_address *address, struct inet_name *ret)
{
	struct lx_sockaddr_in in;
	uint8_t bytes[4];

	if (address->size < sizeof(in))
		return -EINVAL;
	memcpy(&in, address->bytes, sizeof(in));
	if (in.sin_family != LX_AF_INET)
		return -EAFNOSUPPORT;
	memcpy(bytes, &in.sin_addr, sizeof(bytes));
	ret->address = inet_from_v4(bytes);
	ret->port = ntohs(in.sin_port);
	return 0;
}

static int read_v6(const struct socket_address *address, struct inet_name *ret)
{
	struct lx_sockaddr_in6 in6 = {0};

	if (address->size < LX_SIN6_LEN_RFC2133)
		return -EINVAL;
	memcpy(&in6, address->bytes, min_of((size_t)address->size, sizeof(in6)));
	if (in6.sin6_family != LX_AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(ret->address.bytes, in6.sin6_addr, sizeof(ret->address.bytes));
	ret->port = ntohs(in6.sin6_port);
	return 0;
}

int inet_read_name(const struct inet_socket *socket, const struct socket_address *address,
	struct inet_name *ret)
{
	int err = socket->v6 ? read_v6(address, ret) : read_v4(address, ret);

	if (err == 0 && socket->v6 && socket->endpoint->v6only && inet_is_v4(&ret->address))
		return -ENETUNREACH;
	return err;
}

/* The interface that a link-local address is of: the bound one, or as the name says. */
int inet_read_scope(struct inet_socket *socket, const struct socket_address *address,
	const struct inet_name *name, unsigned *ret_index)
{
	struct lx_sockaddr_in6 in6 = {0};

	*ret_index = 0;
	if (!socket->v6 || !inet_is_link_local(&name->address))
		return 0;
	memcpy(&in6, address->bytes, min_of((size_t)address->size, sizeof(in6)));
	*ret_index = in6.sin6_scope_id ? in6.sin6_scope_id : socket->endpoint->netif_index;
	if (!*ret_index ||
		(socket->endpoint->netif_index && socket->endpoint->netif_index != *ret_index))
		return -EINVAL;
	return netif_by_index(inet_stack(&socket->base), *ret_index) ? 0 : -ENODEV;
}

void inet_write_scope(unsigned netif_index, struct socket_address *ret)
{
	struct lx_sockaddr_in6 in6;
	struct inet_address address;

	if (ret->size != sizeof(in6))
		return;
	memcpy(&in6, ret->bytes, sizeof(in6));
	memcpy(address.bytes, in6.sin6_addr, sizeof(address.bytes));
	if (!inet_is_link_local(&address))
		return;
	in6.sin6_scope_id = netif_index;
	memcpy(ret->bytes, &in6, sizeof(in6));
}

void inet_write_name_as(int family, const struct inet_name *name, struct socket_address *ret)
{
	struct lx_sockaddr_in6 in6 = {.sin6_family = LX_AF_INET6, .sin6_port = htons(name->port)};
	struct lx_sockaddr_in in = {.sin_family = LX_AF_INET, .sin_port = htons(name->port)};

	*ret = (struct socket_address){0};
	if (family == LX_AF_INET6) {
		memcpy(in6.sin6_addr, name->address.bytes, sizeof(in6.sin6_addr));
		ret->size = sizeof(in6);
		memcpy(ret->bytes, &in6, sizeof(in6));
	} else {
		memcpy(&in.sin_addr, name->address.bytes + 12, sizeof(in.sin_addr));
		ret->size = sizeof(in);
		memcpy(ret->bytes, &in, sizeof(in));
	}
}

void inet_write_name(
	const struct inet_socket *socket, const struct inet_name *name, struct socket_address *ret)
{
	inet_write_name_as(socket->v6 ? LX_AF_INET6 : LX_AF_INET, name, ret);
	inet_write_scope(socket->endpoint->netif_index, ret);
}

/* ---- names --------------------------------------------------------------------------------------
 */

int inet_bind_socket(struct socket *base, struct task *task, const struct socket_address *address)
{
	struct inet_socket *socket = inet_of(base);
	struct inet_name name;
	unsigned scope;
	int err;

	/* inet_bind(): old programs forget the family of the address that means any. */
	if (!socket->v6 && address->size >= sizeof(struct lx_sockaddr_in) &&
		inet_is_unspec(address)) {
		struct socket_address fixed = *address;
		uint16_t family = LX_AF_INET;

		memcpy(fixed.bytes, &family, sizeof(family));
		err = read_v4(&fixed, &name);
		if (err == 0 && !inet_is_any(&name.address))
			err = -EAFNOSUPPORT;
	} else {
		err = socket->v6 ? read_v6(address, &name) : read_v4(address, &name);
	}
	if (err < 0)
		return err;
	if (socket->v6 && socket->endpoint->v6only && inet_is_v4(&name.address))
		return -EINVAL;
	if (name.port != 0 && name.port < INET_PORT_PRIVILEGED &&
		!cred_ns_capable(task->cred, base->net->user_ns, LX_CAP_NET_BIND_SERVICE))
		return -EACCES;
	/* A connection that has ended has given its port back (tcp_done()). */
	if (base->type == LX_SOCK_STREAM && socket->state == INET_CONNECTED &&
		socket->tcp->tcp.state == TCP_CLOSED)
		inet_disconnect(socket->endpoint);
	else if (socket->state != INET_NEW)
		return -EINVAL;
	socket->endpoint->uid = task->cred->euid;
	err = inet_read_scope(socket, address, &name, &scope);
	err = err < 0 ? err : inet_bind(socket->endpoint, &name);
	if (err == 0 && scope)
		socket->endpoint->netif_index = scope;
	return err;
}

int inet_getname(struct socket *base, bool peer, struct socket_address *ret)
{
	struct inet_socket *socket = inet_of(base);
	struct inet_name name;

	if (peer && (socket->state != INET_CONNECTED || !socket->endpoint->has_pair ||
			    (base->type == LX_SOCK_STREAM && inet_tcp_is_over(socket))))
		return -ENOTCONN;
	/* inet_getname() takes port 0 for none. */
	if (peer && base->type == LX_SOCK_DGRAM && !socket->endpoint->remote.port)
		return -ENOTCONN;
	name = peer ? socket->endpoint->remote : socket->endpoint->local;
	if (!name.port && !peer)
		name.port = socket->last_port;
	inet_write_name(socket, &name, ret);
	return 0;
}

/* ---- creation -----------------------------------------------------------------------------------
 */

int inet_socket_new(
	const struct socket_ops *ops, int family, int type, int protocol, struct inet_socket **ret)
{
	struct inet_socket *socket = calloc(1, sizeof(*socket));

	if (!socket)
		return -ENOMEM;
	inet_proc_register();
	socket_init(&socket->base, ops, family, type, protocol);
	socket->v6 = family == LX_AF_INET6;
	socket->ttl = socket->hops = -1;
	socket->group_source = inet_any4;
	socket->group_ttl = socket->group_hops = 1;
	socket->wants = INET_GROUP_LOOP | INET_GROUP_LOOP6 | INET_GROUP_ALL6;
	socket->path_discovery = socket->path_discovery6 = LX_IP_PMTUDISC_WANT;
	fiber_mutex_init(&socket->reading);
	list_init(&socket->notices);
	*ret = socket;
	return 0;
}

void inet_socket_free(struct inet_socket *socket)
{
	wait_queue_wake(&socket->base.queue, ~0u & ~WAIT_QUEUE_GONE);
	wait_queue_destroy(&socket->base.queue);
	netbuf_queue_clear(&socket->corked);
	inet_drop_notices(socket);
	socket_fini(&socket->base);
	free(socket);
}

int inet_create(struct task *task, int family, int type, int protocol, struct socket **ret)
{
	bool raw = type == LX_SOCK_RAW;

	if (protocol < 0 || protocol >= LX_IPPROTO_MAX)
		return -EINVAL;
	if (type == LX_SOCK_STREAM)
		return protocol == 0 || protocol == LX_IPPROTO_TCP ? inet_stream_create(family, ret)
								   : -EPROTONOSUPPORT;
	if (type == LX_SOCK_DGRAM && (protocol == LX_IPPROTO_UDPLITE || protocol == LX_IPPROTO_UDP))
		return inet_dgram_create(family, protocol, ret);
	if (type == LX_SOCK_DGRAM && protocol == 0)
		return inet_dgram_create(family, LX_IPPROTO_UDP, ret);
	if (raw || type == LX_SOCK_DGRAM)
		return raw_create(task, family, type, protocol, ret);
	return -ESOCKTNOSUPPORT;
}
