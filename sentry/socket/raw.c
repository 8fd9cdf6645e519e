/* SPDX-License-Identifier: Apache-2.0 */
/* Raw sockets and sockets for echoes: which packets they get, and what they send. */
#include "sentry/socket/raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/ioctl.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/nsproxy.h"

#define ECHO4	     8
#define ECHO4_REPLY  0
#define ECHO6	     128
#define ECHO6_REPLY  129
#define ECHO_HEADER  8u
#define IP4_HEADER   20u
#define SIZE_MAX_RAW 65535u

#define ETHERTYPE_IP4 0x0800u
#define ETHERTYPE_IP6 0x86ddu

static struct list_head sockets = LIST_HEAD_INIT(sockets);

const struct raw *raw_next(const struct raw *raw)
{
	const struct list_head *at = raw ? raw->link.next : sockets.next;

	return at == &sockets ? NULL : list_entry(at, struct raw, link);
}

static struct raw *raw_of(struct socket *base)
{
	return inet_of(base)->raw;
}

/* ---- what arrives ---------------------------------------------------------------------------- */

static bool is_for(const struct raw *raw, const struct netif *netif,
	const struct inet_address *from, const struct inet_address *to)
{
	const struct inet_socket *socket = raw->socket;
	const struct inet_endpoint *endpoint = socket->endpoint;

	if (endpoint->netif_index && endpoint->netif_index != netif->index)
		return false;
	if (!inet_is_any(&endpoint->local.address) && !inet_is_multicast(to) &&
		!inet_equal(&endpoint->local.address, to))
		return false;
	return socket->state != INET_CONNECTED || inet_equal(&endpoint->remote.address, from);
}

/* Where the IP header ends in what the stack hands over. */
static uint32_t payload_offset(const struct raw *raw, struct netbuf_queue *packet)
{
	uint8_t first = 0;

	if (raw->hook.ipv6 || packet->size < IP4_HEADER)
		return 0;
	netbuf_peek(packet, 0, &first, 1);
	return min_of((first & 0xfu) * 4, packet->size);
}

/* An answer to an echo of this socket's. */
static bool is_reply(const struct raw *raw, const uint8_t header[ECHO_HEADER])
{
	uint16_t id = (uint16_t)(header[4] << 8 | header[5]);

	return header[0] == (raw->hook.ipv6 ? ECHO6_REPLY : ECHO4_REPLY) &&
	       id == raw->socket->endpoint->local.port;
}

static bool type_passes(const struct raw *raw, uint8_t type)
{
	if (raw->hook.ipv6)
		return !(raw->icmp6_filter[type >> 5] >> (type & 31) & 1);
	return type >= 32 || !(raw->icmp_filter >> type & 1);
}

/* RFC 3542 section 3.1: what is wrong is dropped. */
static bool checksum_is_right(const struct inet_address *from, const struct inet_address *to,
	uint8_t protocol, struct netbuf_queue *payload)
{
	uint32_t sum = protocol + (payload->size >> 16) + (payload->size & 0xffff);

	sum = ip_checksum_bytes(from->bytes, sizeof(from->bytes), sum);
	sum = ip_checksum_bytes(to->bytes, sizeof(to->bytes), sum);
	return ip_checksum_end(ip_checksum_queue(payload, 0, payload->size, sum)) == 0;
}

static void arrives(struct raw_hook *hook, struct netif *netif, const struct inet_address *from,
	const struct inet_address *to, struct netbuf_queue *packet)
{
	struct raw *raw = container_of(hook, struct raw, hook);
	bool icmp = hook->protocol == (hook->ipv6 ? LX_IPPROTO_ICMPV6 : LX_IPPROTO_ICMP);
	uint32_t offset = payload_offset(raw, packet), start, size;
	struct filter_packet view = {.bytes = packet,
		.protocol = hook->ipv6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4,
		.interface = netif->index};
	uint8_t header[ECHO_HEADER] = {0};
	struct inet_datagram *datagram;

	if (!is_for(raw, netif, from, to))
		return;
	netbuf_peek(packet, offset, header, min_of(packet->size - offset, ECHO_HEADER));
	if (raw->ping ? !is_reply(raw, header) || packet->size - offset < ECHO_HEADER
		      : icmp && !type_passes(raw, header[0]))
		return;
	if (hook->ipv6 && (icmp || raw->checksum_offset >= 0) &&
		!checksum_is_right(from, to, hook->protocol, packet))
		return;
	start = raw->ping ? offset : 0;
	size = min_of(packet->size - start, socket_filter_packet(raw->socket->base.filter, &view));
	datagram = size ? calloc(1, sizeof(*datagram)) : NULL;
	if (!datagram)
		return;
	list_init(&datagram->link);
	datagram->from.address = *from;
	datagram->to.address = *to;
	datagram->ttl = hook->ttl ? hook->ttl : 64;
	datagram->tos = hook->tos;
	datagram->netif_index = netif->index;
	datagram->received_at = (int64_t)loop_realtime_now();
	if (netbuf_slice(packet, start, size, &datagram->data) < 0)
		free(datagram);
	else
		inet_udp_take(raw->socket->udp, datagram);
}

static void hook_up(struct raw *raw)
{
	struct netstack *stack = inet_stack(&raw->socket->base);

	/* IPPROTO_RAW is for sending alone (raw(7)). */
	if (raw->hooked || raw->socket->base.protocol == LX_IPPROTO_RAW)
		return;
	list_add_tail(&raw->hook.link, &stack->raw);
	raw->hooked = true;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The number of an echo socket, which stands for a port (ping_get_port()). One that is asked for
 * may be somebody else's, too. */
static int take_id(struct raw *raw, uint16_t id)
{
	static uint16_t rover;
	struct inet_endpoint *endpoint = raw->socket->endpoint;
	const struct raw *other;
	bool taken = false;

	for (unsigned tries = 0; tries < 65536; tries++) {
		uint16_t wanted = id ? id : ++rover;

		taken = wanted == 0;
		list_for_each_entry (other, &sockets, link)
			taken |= !id && other != raw && other->ping &&
				 other->hook.ipv6 == raw->hook.ipv6 &&
				 other->socket->base.net == raw->socket->base.net &&
				 other->socket->endpoint->local.port == wanted;
		if (!taken) {
			endpoint->local.port = wanted;
			raw->hook.id = wanted;
			return 0;
		}
	}
	return -EADDRINUSE;
}

static int raw_bind(struct socket *base, struct task *task, const struct socket_address *address)
{
	struct inet_socket *socket = inet_of(base);
	struct inet_endpoint *endpoint = socket->endpoint;
	struct raw *raw = socket->raw;
	struct inet_name name;
	int err;

	if (socket->state != INET_NEW || (raw->ping && endpoint->local.port))
		return -EINVAL;
	err = inet_read_name(socket, address, &name);
	if (err < 0)
		return err == -EAFNOSUPPORT && !raw->ping ? -EINVAL : err;
	if (socket->v6 && inet_is_v4(&name.address))
		return -EADDRNOTAVAIL;
	if (!inet_is_any(&name.address) && !inet_is_multicast(&name.address) &&
		!endpoint->free_bind && !netstack_is_local(inet_stack(base), &name.address))
		return -EADDRNOTAVAIL;
	err = raw->ping ? take_id(raw, name.port) : 0;
	if (err < 0)
		return err;
	raw->bound = endpoint->local.address = name.address;
	return 0;
}

static void disconnect(struct inet_socket *socket)
{
	socket->state = INET_NEW;
	socket->endpoint->local.address = socket->raw->bound;
	socket->endpoint->remote.address = socket->v6 ? inet_any : inet_any4;
}

static struct netif *bound_netif(const struct inet_socket *socket)
{
	return socket->endpoint->netif_index
		       ? netif_by_index(inet_stack(&socket->base), socket->endpoint->netif_index)
		       : NULL;
}

static int raw_connect(
	struct socket *base, struct task *task, const struct socket_address *address, bool nonblock)
{
	struct inet_socket *socket = inet_of(base);
	struct inet_endpoint *endpoint = socket->endpoint;
	struct route_result route;
	struct inet_name peer;
	int err;

	if (address->size < 2)
		return -EINVAL;
	if (inet_is_unspec(address)) {
		disconnect(socket);
		return 0;
	}
	err = inet_read_name(socket, address, &peer);
	if (err < 0)
		return err;
	if (inet_is_any(&peer.address))
		peer.address = inet_is_v4(&peer.address) ? inet_loopback4 : inet_loopback;
	err = route_lookup(endpoint->stack, &peer.address, bound_netif(socket), &route);
	if (err < 0)
		return err;
	if (route.broadcast && !base->broadcast)
		return -EACCES;
	err = socket->raw->ping && !endpoint->local.port ? take_id(socket->raw, 0) : 0;
	if (err < 0)
		return err;
	if (inet_is_any(&endpoint->local.address))
		endpoint->local.address = route.source;
	endpoint->remote = peer;
	socket->state = INET_CONNECTED;
	return 0;
}

static int raw_getname(struct socket *base, bool peer, struct socket_address *ret)
{
	struct inet_socket *socket = inet_of(base);
	struct inet_name name = peer ? socket->endpoint->remote : socket->endpoint->local;

	/* inet_getname(): who gave no port has no peer to be named. */
	if (peer && (socket->state != INET_CONNECTED || !name.port))
		return -ENOTCONN;
	/* inet_create(): the number of the protocol, where others have a port; IPv6 shows none. */
	if (!peer && !socket->raw->ping)
		name.port = (uint16_t)base->protocol;
	inet_write_name(socket, &name, ret);
	return 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

static int choose_target(
	struct inet_socket *socket, const struct socket_message *message, struct inet_send *send)
{
	int protocol = socket->base.protocol, err;

	if (!message->name || inet_is_unspec(message->name)) {
		if (socket->state != INET_CONNECTED)
			return message->name ? -EINVAL : -EDESTADDRREQ;
		send->to = socket->endpoint->remote;
	} else {
		err = inet_read_name(socket, message->name, &send->to);
		if (err < 0)
			return err;
		/* rawv6_sendmsg(): the port may say the protocol. */
		if (socket->v6 && !socket->raw->ping && send->to.port &&
			(send->to.port > 255 ||
				(send->to.port != protocol && protocol != LX_IPPROTO_RAW)))
			return -EINVAL;
	}
	if (socket->v6 && inet_is_v4(&send->to.address))
		return -ENETUNREACH;
	if (inet_is_any(&send->to.address))
		send->to.address = socket->v6 ? inet_loopback : inet_loopback4;
	return 0;
}

/* ping_v4_sendmsg(): an echo, whose number is the socket's and whose checksum is ours to make. */
static int finish_echo(struct raw *raw, struct netbuf_queue *data)
{
	uint16_t id = htons(raw->socket->endpoint->local.port), checksum = 0;
	uint8_t header[ECHO_HEADER];
	struct netbuf_queue whole = {0};
	int err;

	if (data->size < ECHO_HEADER)
		return -EINVAL;
	netbuf_peek(data, 0, header, sizeof(header));
	if (header[0] != (raw->hook.ipv6 ? ECHO6 : ECHO4) || header[1] != 0)
		return -EINVAL;
	memcpy(header + 2, &checksum, sizeof(checksum));
	memcpy(header + 4, &id, sizeof(id));
	netbuf_drop(data, sizeof(header));
	if (!raw->hook.ipv6) {
		uint32_t sum = ip_checksum_bytes(header, sizeof(header), 0);

		checksum = htons(ip_checksum_end(ip_checksum_queue(data, 0, data->size, sum)));
		memcpy(header + 2, &checksum, sizeof(checksum));
	}
	err = netbuf_append(&whole, header, sizeof(header));
	if (err < 0)
		return err;
	netbuf_move(&whole, data);
	netbuf_move(data, &whole);
	return 0;
}

static int transmit(struct inet_socket *socket, const struct inet_send *send, bool dont_fragment,
	struct netbuf_queue *data)
{
	struct raw *raw = socket->raw;
	struct netstack *stack = inet_stack(&socket->base);
	struct route_result route;
	struct ip_meta meta = {
		.from = send->from,
		.to = send->to.address,
		.protocol = (uint8_t)socket->base.protocol,
		.ttl = send->ttl,
		.tos = send->tos,
		.dont_fragment = dont_fragment,
		.header_included = raw->include_header,
		.netif = send->netif_index ? netif_by_index(stack, send->netif_index)
					   : bound_netif(socket),
	};
	int err;

	if (inet_is_any(&meta.from))
		meta.from = inet_is_multicast(&socket->endpoint->local.address)
				    ? (socket->v6 ? inet_any : inet_any4)
				    : socket->endpoint->local.address;
	if (socket->v6 && send->to.port)
		meta.protocol = (uint8_t)send->to.port;
	if (socket->v6 && (raw->ping || raw->checksum_offset >= 0)) {
		meta.fill_checksum = true;
		meta.checksum_offset = raw->ping ? 2 : (uint16_t)raw->checksum_offset;
	}
	err = route_lookup(stack, &meta.to, meta.netif, &route);
	if (err < 0)
		return err;
	if (route.broadcast && !socket->base.broadcast)
		return -EACCES;
	err = ip_send(stack, &meta, data);
	netstack_run(stack);
	return err;
}

static ssize_t raw_send(struct socket *base, struct task *task, struct socket_message *message)
{
	struct inet_socket *socket = inet_of(base);
	struct raw *raw = socket->raw;
	uint8_t discovery = socket->v6 ? socket->path_discovery6 : socket->path_discovery;
	uint64_t size = message->uio->resid;
	struct inet_send send = {.from = inet_any, .mark = socket->base.mark};
	struct netbuf_queue data = {0};
	int err;

	if (size > SIZE_MAX_RAW)
		return -EMSGSIZE;
	if (message->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (raw->ping && size < ECHO_HEADER)
		return -EINVAL;
	if (raw->include_header && socket->v6)
		return -EOPNOTSUPP;
	err = choose_target(socket, message, &send);
	err = err < 0 ? err : socket_take_error(base);
	if (err < 0)
		return err;
	if (socket->write_shut)
		return -EPIPE;
	inet_dgram_set_header(socket, &send);
	if (message->scm)
		err = inet_read_control(socket, message->scm, &send);
	if (err == 0 && raw->ping && !socket->endpoint->local.port)
		err = take_id(raw, 0);
	err = err < 0 ? err : inet_dgram_gather(message->uio, size, &data);
	if (err == 0 && raw->ping)
		err = finish_echo(raw, &data);
	if (err == 0)
		err = transmit(socket, &send,
			discovery == LX_IP_PMTUDISC_DO || discovery == LX_IP_PMTUDISC_PROBE, &data);
	netbuf_queue_clear(&data);
	return err < 0 ? err : (ssize_t)size;
}

/* ---- options --------------------------------------------------------------------------------- */

#define LX_ICMP_FILTER	 1
#define LX_IPV6_CHECKSUM 7
#define LX_IPV6_HDRINCL	 36
#define LX_SOL_ICMPV6	 58

static int read_int(const void *value, size_t size, int *ret)
{
	if (size < sizeof(*ret))
		return -EINVAL;
	memcpy(ret, value, sizeof(*ret));
	return 0;
}

static int set_checksum(struct raw *raw, int level, const void *value, size_t size)
{
	int number, err = read_int(value, size, &number);

	if (err < 0)
		return err;
	/* RFC 3542 section 3.1: ICMPv6 always has one, and it is where it is; Linux lets SOL_RAW
	 * say so. */
	if ((raw->socket->base.protocol == LX_IPPROTO_ICMPV6 &&
		    (level == LX_SOL_IPV6 || number != 2)) ||
		(number > 0 && number % 2))
		return -EINVAL;
	raw->checksum_offset = number < 0 ? -1 : min_of(number, 65534);
	return 0;
}

static int raw_setsockopt(struct socket *base, struct task *task, int level, int option,
	const void *value, size_t size)
{
	struct raw *raw = raw_of(base);
	bool plain = !raw->ping;
	int number, err;

	if (plain && ((level == LX_SOL_IP && option == LX_IP_HDRINCL) ||
			     (level == LX_SOL_IPV6 && option == LX_IPV6_HDRINCL))) {
		err = read_int(value, size, &number);
		if (err == 0)
			raw->include_header = number != 0;
		return err;
	}
	if (plain && level == LX_SOL_RAW && option == LX_ICMP_FILTER && !raw->hook.ipv6) {
		if (base->protocol != LX_IPPROTO_ICMP)
			return -EOPNOTSUPP;
		memcpy(&raw->icmp_filter, value, min_of(size, sizeof(raw->icmp_filter)));
		return 0;
	}
	if (plain && raw->hook.ipv6 && level == LX_SOL_ICMPV6 && option == LX_ICMP_FILTER) {
		if (base->protocol != LX_IPPROTO_ICMPV6)
			return -EOPNOTSUPP;
		memcpy(raw->icmp6_filter, value, min_of(size, sizeof(raw->icmp6_filter)));
		return 0;
	}
	if (plain && raw->hook.ipv6 && (level == LX_SOL_RAW || level == LX_SOL_IPV6) &&
		option == LX_IPV6_CHECKSUM)
		return set_checksum(raw, level, value, size);
	return inet_setsockopt(base, task, level, option, value, size);
}

static int raw_getsockopt(
	struct socket *base, struct task *task, int level, int option, void *value, size_t size)
{
	struct raw *raw = raw_of(base);

	if (raw->ping)
		return inet_getsockopt(base, task, level, option, value, size);
	if ((level == LX_SOL_IP && option == LX_IP_HDRINCL && !raw->hook.ipv6) ||
		(level == LX_SOL_IPV6 && option == LX_IPV6_HDRINCL))
		return socket_return_int(raw->include_header, value, size);
	if (level == LX_SOL_RAW && option == LX_ICMP_FILTER && !raw->hook.ipv6)
		return base->protocol == LX_IPPROTO_ICMP
			       ? socket_return_bytes(
					 &raw->icmp_filter, sizeof(raw->icmp_filter), value, size)
			       : -EOPNOTSUPP;
	if (level == LX_SOL_ICMPV6 && option == LX_ICMP_FILTER && raw->hook.ipv6)
		return base->protocol == LX_IPPROTO_ICMPV6
			       ? socket_return_bytes(
					 raw->icmp6_filter, sizeof(raw->icmp6_filter), value, size)
			       : -EOPNOTSUPP;
	if (raw->hook.ipv6 && (level == LX_SOL_RAW || level == LX_SOL_IPV6) &&
		option == LX_IPV6_CHECKSUM)
		return socket_return_int(raw->checksum_offset, value, size);
	return inet_getsockopt(base, task, level, option, value, size);
}

/* ---- the socket ------------------------------------------------------------------------------ */

static int raw_listen(struct socket *base, struct task *task, int backlog)
{
	return -EOPNOTSUPP;
}

static int raw_accept(struct socket *base, bool nonblock, struct socket **ret)
{
	return -EOPNOTSUPP;
}

static ssize_t raw_receive(struct socket *base, struct task *task, struct socket_message *message)
{
	return inet_dgram_ops.receive(base, task, message);
}

static int raw_shutdown(struct socket *base, int how)
{
	return inet_dgram_ops.shutdown(base, how);
}

static uint32_t raw_poll(struct socket *base)
{
	return inet_dgram_ops.poll(base);
}

static int64_t raw_ioctl(struct socket *base, struct task *task, unsigned request, gaddr_t arg)
{
	return inet_dgram_ops.ioctl(base, task, request, arg);
}

static void raw_release(struct socket *base)
{
	struct raw *raw = raw_of(base);

	if (raw->hooked)
		list_remove(&raw->hook.link);
	list_remove(&raw->link);
	free(raw);
	inet_dgram_ops.release(base);
}

static const struct socket_ops raw_ops = {
	.bind = raw_bind,
	.connect = raw_connect,
	.listen = raw_listen,
	.accept = raw_accept,
	.getname = raw_getname,
	.send = raw_send,
	.receive = raw_receive,
	.shutdown = raw_shutdown,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.ioctl = raw_ioctl,
	.poll = raw_poll,
	.release = raw_release,
};

/* ping_init_sock(): one of the caller's groups is in net.ipv4.ping_group_range. */
static bool may_ping(const struct task *task, const struct net_ns *net)
{
	const struct cred *cred = task->cred;

	if (cred->egid >= net->ping_first && cred->egid <= net->ping_last)
		return true;
	for (size_t i = 0; i < cred->group_count; i++)
		if (cred->groups[i] >= net->ping_first && cred->groups[i] <= net->ping_last)
			return true;
	return false;
}

static int may_create(const struct task *task, int family, int type, int protocol)
{
	const struct ns *net = task->nsproxy->ns[NS_NET];

	if (type == LX_SOCK_DGRAM) {
		if (protocol != (family == LX_AF_INET ? LX_IPPROTO_ICMP : LX_IPPROTO_ICMPV6))
			return -EPROTONOSUPPORT;
		return may_ping(task, container_of(net, struct net_ns, ns)) ? 0 : -EACCES;
	}
	if (protocol == 0)
		return -EPROTONOSUPPORT;
	return cred_ns_capable(task->cred, net->user_ns, LX_CAP_NET_RAW) ? 0 : -EPERM;
}

int raw_create(struct task *task, int family, int type, int protocol, struct socket **ret)
{
	struct inet_socket *socket;
	struct raw *raw;
	int err = may_create(task, family, type, protocol);

	if (err < 0)
		return err;
	if (protocol > LX_IPPROTO_RAW)
		return -EPROTONOSUPPORT;
	raw = calloc(1, sizeof(*raw));
	if (!raw)
		return -ENOMEM;
	err = inet_dgram_new(&raw_ops, family, type, protocol, &socket);
	if (err < 0) {
		free(raw);
		return err;
	}
	raw_proc_register();
	*raw = (struct raw){
		.socket = socket,
		.hook = {.protocol = (uint8_t)protocol,
			.ipv6 = socket->v6,
			.id = type == LX_SOCK_DGRAM ? 0 : -1,
			.endpoint = socket->udp,
			.arrives = arrives},
		.ping = type == LX_SOCK_DGRAM,
		.include_header = type == LX_SOCK_RAW && protocol == LX_IPPROTO_RAW,
		.checksum_offset = type == LX_SOCK_RAW && protocol == LX_IPPROTO_ICMPV6 ? 2 : -1,
		.bound = socket->v6 ? inet_any : inet_any4,
	};
	socket->raw = raw;
	list_add_tail(&raw->link, &sockets);
	hook_up(raw);
	*ret = &socket->base;
	return 0;
}
