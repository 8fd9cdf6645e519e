/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_NETLINK, as far as programs ask about the loopback device and set it up (rtnetlink(7)): a new
 * network namespace has one, down and without addresses, and tools that make namespaces bring it
 * up. A request is answered while it is sent; what it is answered with waits on the socket. Nothing
 * here carries a packet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/poll.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/nsproxy.h"
#include "sentry/socket/socket.h"

#define NLMSG_ERROR 2
#define NLMSG_DONE  3

#define NLM_F_REQUEST 0x1
#define NLM_F_MULTI   0x2
#define NLM_F_ACK     0x4
#define NLM_F_DUMP    0x300
#define NLM_F_EXCL    0x200

#define RTM_NEWLINK  16
#define RTM_GETLINK  18
#define RTM_SETLINK  19
#define RTM_NEWADDR  20
#define RTM_DELADDR  21
#define RTM_GETADDR  22
#define RTM_GETROUTE 26

#define IFLA_ADDRESS   1
#define IFLA_BROADCAST 2
#define IFLA_IFNAME    3
#define IFLA_MTU       4
#define IFLA_TXQLEN    13
#define IFLA_OPERSTATE 16
#define IFA_ADDRESS    1
#define IFA_LOCAL      2
#define IFA_LABEL      3

#define LO_INDEX     1
#define LO_MTU	     65536
#define LO_TYPE	     772 /* ARPHRD_LOOPBACK */
#define IFF_UP	     0x1u
#define IFF_LOOPBACK 0x8u
#define IFF_RUNNING  0x40u
#define IFF_LOWER_UP 0x10000u

#define QUEUE_SIZE_MAX	 (256 * 1024) /* of answers that wait */
#define REQUEST_SIZE_MAX 8192

struct nlmsg {
	uint32_t size;
	uint16_t type, flags;
	uint32_t seq, port;
};

struct link_info {
	uint8_t family, pad;
	uint16_t type;
	int32_t index;
	uint32_t flags, change;
};

struct address_info {
	uint8_t family, prefix, flags, scope;
	uint32_t index;
};

struct answer {
	struct list_head link;
	size_t size;
	uint8_t bytes[];
};

struct netlink_socket {
	struct socket base;
	uint32_t port;
	struct list_head answers;
	size_t queued;
};

static size_t padded(size_t size)
{
	return (size + 3) & ~(size_t)3; /* NLMSG_ALIGN(), RTA_ALIGN() */
}

static struct netlink_socket *netlink_of(struct socket *base)
{
	return container_of(base, struct netlink_socket, base);
}

static struct net_ns *net_of(const struct socket *socket)
{
	return container_of(socket->net, struct net_ns, ns);
}

static bool loopback_is_up(const struct net_ns *net)
{
	return net->stack.loopback.flags & NETIF_UP;
}

static unsigned loopback_flags(const struct net_ns *net)
{
	return IFF_LOOPBACK | (loopback_is_up(net) ? IFF_UP | IFF_RUNNING : 0);
}

static bool may_administer(const struct net_ns *net, const struct task *task)
{
	return cred_ns_capable(task->cred, net->ns.user_ns, LX_CAP_NET_ADMIN);
}

/* ---- answers --------------------------------------------------------------------------------- */

struct builder {
	uint8_t bytes[2048];
	size_t size;
};

static void *put(struct builder *builder, const void *data, size_t size)
{
	size_t whole = padded(size);
	uint8_t *at = builder->bytes + builder->size;

	sentry_assert(whole <= sizeof(builder->bytes) - builder->size);
	memset(at, 0, whole);
	memcpy(at, data, size);
	builder->size += whole;
	return at;
}

static void put_attribute(struct builder *builder, uint16_t type, const void *data, size_t size)
{
	const uint16_t header[2] = {(uint16_t)(size + sizeof(header)), type};

	put(builder, header, sizeof(header));
	put(builder, data, size);
}

static int queue_answer(struct netlink_socket *socket, const void *bytes, size_t size)
{
	struct answer *answer;

	if (socket->queued + size > QUEUE_SIZE_MAX)
		return -ENOBUFS;
	answer = malloc(sizeof(*answer) + size);
	if (!answer)
		return -ENOMEM;
	memcpy(answer->bytes, bytes, size);
	answer->size = size;
	list_add_tail(&answer->link, &socket->answers);
	socket->queued += size;
	wait_queue_wake(&socket->base.queue, LX_POLLIN | LX_POLLRDNORM);
	return 0;
}

int netlink_deliver(struct socket *socket, const void *bytes, size_t size)
{
	return queue_answer(netlink_of(socket), bytes, size);
}

static size_t begin_message(struct builder *builder, const struct netlink_socket *socket,
	const struct nlmsg *request, uint16_t type)
{
	const struct nlmsg header = {
		.type = type,
		.flags = request->flags & NLM_F_DUMP ? NLM_F_MULTI : 0,
		.seq = request->seq,
		.port = socket->port,
	};
	size_t start = builder->size;

	put(builder, &header, sizeof(header));
	return start;
}

static void end_message(struct builder *builder, size_t start)
{
	uint32_t size = (uint32_t)(builder->size - start);

	memcpy(builder->bytes + start, &size, sizeof(size));
}

static int answer_error(struct netlink_socket *socket, const struct nlmsg *request, int error)
{
	struct builder builder = {0};
	struct nlmsg plain = *request;
	int32_t code = error;
	size_t start;

	plain.flags = 0; /* no part of a dump */
	start = begin_message(&builder, socket, &plain, NLMSG_ERROR);
	put(&builder, &code, sizeof(code));
	put(&builder, request, sizeof(*request));
	end_message(&builder, start);
	return queue_answer(socket, builder.bytes, builder.size);
}

static int answer_done(struct netlink_socket *socket, const struct nlmsg *request)
{
	struct builder builder = {0};
	size_t start = begin_message(&builder, socket, request, NLMSG_DONE);
	int32_t zero = 0;

	put(&builder, &zero, sizeof(zero));
	end_message(&builder, start);
	return queue_answer(socket, builder.bytes, builder.size);
}

static int answer_link(struct netlink_socket *socket, const struct nlmsg *request)
{
	const struct net_ns *net = net_of(&socket->base);
	const struct link_info info = {
		.type = LO_TYPE,
		.index = LO_INDEX,
		.flags = loopback_flags(net) | (loopback_is_up(net) ? IFF_LOWER_UP : 0),
	};
	const uint8_t no_address[6] = {0},
		      state = loopback_is_up(net) ? 0 : 2; /* IF_OPER_UNKNOWN, DOWN */
	const uint32_t mtu = LO_MTU, queue = 1000;
	struct builder builder = {0};
	size_t start = begin_message(&builder, socket, request, RTM_NEWLINK);

	put(&builder, &info, sizeof(info));
	put_attribute(&builder, IFLA_IFNAME, "lo", 3);
	put_attribute(&builder, IFLA_TXQLEN, &queue, sizeof(queue));
	put_attribute(&builder, IFLA_OPERSTATE, &state, sizeof(state));
	put_attribute(&builder, IFLA_MTU, &mtu, sizeof(mtu));
	put_attribute(&builder, IFLA_ADDRESS, no_address, sizeof(no_address));
	put_attribute(&builder, IFLA_BROADCAST, no_address, sizeof(no_address));
	end_message(&builder, start);
	return queue_answer(socket, builder.bytes, builder.size);
}

static size_t address_size(uint8_t family)
{
	return family == LX_AF_INET ? 4 : 16;
}

static int answer_addresses(
	struct netlink_socket *socket, const struct nlmsg *request, uint8_t family)
{
	const struct net_ns *net = net_of(&socket->base);
	const struct netif_address *address;
	int err = 0;

	list_for_each_entry (address, &net->stack.loopback.addresses, link) {
		bool v4 = inet_is_v4(&address->address);
		const uint8_t *bytes = address->address.bytes + (v4 ? 12 : 0);
		const struct address_info info = {
			.family = v4 ? LX_AF_INET : LX_AF_INET6,
			.prefix = address->prefix,
			.flags = address->flags,
			.scope = address->scope,
			.index = LO_INDEX,
		};
		struct builder builder = {0};
		size_t start;

		if (family && family != info.family)
			continue;
		start = begin_message(&builder, socket, request, RTM_NEWADDR);
		put(&builder, &info, sizeof(info));
		put_attribute(&builder, IFA_ADDRESS, bytes, address_size(info.family));
		if (v4) {
			put_attribute(&builder, IFA_LOCAL, bytes, 4);
			put_attribute(&builder, IFA_LABEL, "lo", 3);
		}
		end_message(&builder, start);
		err = queue_answer(socket, builder.bytes, builder.size);
		if (err < 0)
			break;
	}
	return err < 0 ? err : answer_done(socket, request);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* The attribute @type behind the fixed part, with at least @size bytes; NULL: there is none. */
static const uint8_t *attribute(
	const uint8_t *at, size_t left, uint16_t type, size_t size, size_t *ret_size)
{
	while (left >= 4) {
		uint16_t header[2];

		memcpy(header, at, sizeof(header));
		if (header[0] < 4 || header[0] > left)
			return NULL;
		if ((header[1] & 0x3fff) == type && header[0] - 4u >= size) {
			*ret_size = header[0] - 4u;
			return at + 4;
		}
		if (padded(header[0]) >= left)
			return NULL;
		left -= padded(header[0]);
		at += padded(header[0]);
	}
	return NULL;
}

/* Is the request about the loopback device, by number or by name? */
static bool names_loopback(const struct link_info *info, const uint8_t *rest, size_t left)
{
	size_t size;
	const uint8_t *name = attribute(rest, left, IFLA_IFNAME, 2, &size);

	if (info->index)
		return info->index == LO_INDEX;
	return name && strnlen((const char *)name, size) == 2 && memcmp(name, "lo", 2) == 0;
}

static int change_link(
	struct net_ns *net, const struct task *task, const uint8_t *body, size_t size)
{
	struct link_info info;

	if (size < sizeof(info))
		return -EINVAL;
	memcpy(&info, body, sizeof(info));
	if (!may_administer(net, task))
		return -EPERM;
	if (!names_loopback(&info, body + sizeof(info), size - sizeof(info)))
		return info.index ? -ENODEV : -EOPNOTSUPP;
	/* Without a mask all flags are meant (rtnl_dev_get_flags()). */
	if (info.change && !(info.change & IFF_UP))
		return 0;
	if (info.flags || info.change)
		return netif_set_up(&net->stack.loopback, info.flags & IFF_UP);
	return 0;
}

static int change_address(struct net_ns *net, const struct task *task, const struct nlmsg *request,
	const uint8_t *body, size_t size)
{
	struct netif_address address = {
		.flags = NETADDR_PERMANENT,
		.preferred_until = INT64_MAX,
		.valid_until = INT64_MAX,
		.label = "lo",
	};
	struct address_info info;
	const uint8_t *bytes;
	size_t got;
	int err;

	if (size < sizeof(info))
		return -EINVAL;
	memcpy(&info, body, sizeof(info));
	if (!may_administer(net, task))
		return -EPERM;
	if (info.family != LX_AF_INET && info.family != LX_AF_INET6)
		return -EOPNOTSUPP;
	if (info.index != LO_INDEX)
		return -ENODEV;
	if (info.prefix > address_size(info.family) * 8)
		return -EINVAL;
	bytes = attribute(body + sizeof(info), size - sizeof(info), IFA_LOCAL,
		address_size(info.family), &got);
	if (!bytes)
		bytes = attribute(body + sizeof(info), size - sizeof(info), IFA_ADDRESS,
			address_size(info.family), &got);
	if (!bytes)
		return -EINVAL;
	address.prefix = info.prefix;
	address.scope = info.scope;
	if (info.family == LX_AF_INET) {
		address.address = inet_from_v4(bytes);
		address.peer = address.broadcast = inet_any4;
	} else {
		memcpy(address.address.bytes, bytes, sizeof(address.address.bytes));
	}
	err = netif_address_add(&net->stack.loopback, &address);
	return err == -EEXIST && !(request->flags & NLM_F_EXCL) ? 0 : err;
}

static int handle(struct netlink_socket *socket, const struct task *task,
	const struct nlmsg *request, const uint8_t *body, size_t size)
{
	bool dump = (request->flags & NLM_F_DUMP) == NLM_F_DUMP;
	struct link_info info = {0};
	int err;

	switch (request->type) {
	case RTM_GETLINK:
		if (dump) {
			err = answer_link(socket, request);
			return err < 0 ? err : answer_done(socket, request);
		}
		memcpy(&info, body, min_of(size, sizeof(info)));
		if (size < sizeof(info))
			err = -EINVAL;
		else if (names_loopback(&info, body + sizeof(info), size - sizeof(info)))
			return answer_link(socket, request);
		else
			err = -ENODEV;
		break;
	case RTM_GETADDR:
		if (dump)
			return answer_addresses(socket, request, size ? body[0] : 0);
		err = -EOPNOTSUPP;
		break;
	case RTM_GETROUTE:
		if (dump)
			return answer_done(socket, request);
		err = -ENETUNREACH;
		break;
	case RTM_NEWLINK:
	case RTM_SETLINK:
		err = change_link(net_of(&socket->base), task, body, size);
		break;
	case RTM_NEWADDR:
		err = change_address(net_of(&socket->base), task, request, body, size);
		break;
	default:
		err = -EOPNOTSUPP;
		break;
	}
	if (err == 0 && !(request->flags & NLM_F_ACK))
		return 0;
	return answer_error(socket, request, err);
}

/* ---- the socket ------------------------------------------------------------------------------ */

static void autobind(struct netlink_socket *socket, const struct task *task)
{
	static uint32_t next = 0xfffff000;

	if (!socket->port)
		socket->port = (uint32_t)task_own_tgid(task);
	if (!socket->port)
		socket->port = next--;
}

struct sockaddr_nl {
	uint16_t family, pad;
	uint32_t port, groups;
};

static int nl_bind(struct socket *base, struct task *task, const struct socket_address *address)
{
	struct netlink_socket *socket = netlink_of(base);
	struct sockaddr_nl name;

	if (address->size < sizeof(name))
		return -EINVAL;
	memcpy(&name, address->bytes, sizeof(name));
	if (name.family != LX_AF_NETLINK)
		return -EINVAL;
	/* Nothing is ever announced to groups. */
	if (socket->port && name.port && name.port != socket->port)
		return -EINVAL;
	if (name.port)
		socket->port = name.port;
	autobind(socket, task);
	return 0;
}

static int nl_connect(
	struct socket *base, struct task *task, const struct socket_address *address, bool nonblock)
{
	struct sockaddr_nl name = {0};

	if (address->size < sizeof(name.family))
		return -EINVAL;
	memcpy(&name, address->bytes, min_of((size_t)address->size, sizeof(name)));
	if (name.family == LX_AF_UNSPEC)
		return 0;
	if (name.family != LX_AF_NETLINK || address->size < sizeof(name))
		return -EINVAL;
	if (name.port)
		return -ECONNREFUSED;
	autobind(netlink_of(base), task);
	return 0;
}

static int nl_listen(struct socket *base, struct task *task, int backlog)
{
	return -EOPNOTSUPP;
}

static int nl_accept(struct socket *base, bool nonblock, struct socket **ret)
{
	return -EOPNOTSUPP;
}

static int nl_getname(struct socket *base, bool peer, struct socket_address *ret)
{
	const struct sockaddr_nl name = {
		.family = LX_AF_NETLINK, .port = peer ? 0 : netlink_of(base)->port};

	*ret = (struct socket_address){.size = sizeof(name)};
	memcpy(ret->bytes, &name, sizeof(name));
	return 0;
}

static ssize_t nl_send(struct socket *base, struct task *task, struct socket_message *message)
{
	struct netlink_socket *socket = netlink_of(base);
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size = message->uio->resid, at = 0;
	struct sockaddr_nl name = {0};
	ssize_t got;

	if (message->name && message->name->size) {
		if (message->name->size < sizeof(name))
			return -EINVAL;
		memcpy(&name, message->name->bytes, sizeof(name));
		if (name.family != LX_AF_NETLINK)
			return -EINVAL;
		if (name.port)
			return -ECONNREFUSED;
	}
	if (size > REQUEST_SIZE_MAX)
		return -EMSGSIZE;
	bytes = calloc(1, size + 1);
	if (!bytes)
		return -ENOMEM;
	got = uio_copy_from(message->uio, bytes, size);
	if (got < 0 || (size_t)got < size)
		return got < 0 ? got : -EFAULT;
	autobind(socket, task);
	while (size - at >= sizeof(struct nlmsg)) {
		struct nlmsg request;

		memcpy(&request, bytes + at, sizeof(request));
		if (request.size < sizeof(request) || request.size > size - at)
			break;
		if ((request.flags & NLM_F_REQUEST) && request.type >= RTM_NEWLINK &&
			handle(socket, task, &request, bytes + at + sizeof(request),
				request.size - sizeof(request)) < 0)
			base->error = ENOBUFS;
		if (padded(request.size) > size - at)
			break;
		at += padded(request.size);
	}
	if (message->scm)
		scm_fini(message->scm);
	return (ssize_t)size;
}

static ssize_t nl_receive(struct socket *base, struct task *task, struct socket_message *message)
{
	struct netlink_socket *socket = netlink_of(base);
	bool peek = message->flags & LX_MSG_PEEK;
	struct answer *answer;
	ssize_t put_size;
	size_t size;
	int err;

	while (list_empty(&socket->answers)) {
		err = socket_take_error(base);
		if (err < 0)
			return err;
		if (message->flags & LX_MSG_DONTWAIT)
			return -EAGAIN;
		err = wait_event_deadline(
			&base->queue, !list_empty(&socket->answers), message->deadline);
		if (err < 0)
			return socket_wait_error(err, message->deadline);
	}
	answer = list_first(&socket->answers, struct answer, link);
	size = min_of(answer->size, (size_t)message->uio->resid);
	if (!peek) {
		list_remove(&answer->link);
		socket->queued -= answer->size;
	}
	/* The copy may sleep, and another reader take what was only peeked at. */
	{
		_cleanup_free_ uint8_t *copy = malloc(answer->size);
		size_t whole = answer->size;

		if (copy)
			memcpy(copy, answer->bytes, whole);
		if (!peek)
			free(answer);
		if (!copy)
			return -ENOMEM;
		put_size = uio_copy_to(message->uio, copy, size);
		if (put_size >= 0 && (size_t)put_size < size)
			return -EFAULT;
		if (put_size < 0)
			return put_size;
		if (size < whole)
			message->out_flags |= LX_MSG_TRUNC;
		if (message->name)
			(void)nl_getname(base, true, message->name);
		return (ssize_t)(message->flags & LX_MSG_TRUNC ? whole : size);
	}
}

static int nl_shutdown(struct socket *base, int how)
{
	return -EOPNOTSUPP;
}

/* NETLINK_EXT_ACK and relatives: what they add to answers is left out. */
static int nl_setsockopt(struct socket *base, struct task *task, int level, int option,
	const void *value, size_t size)
{
	return -ENOPROTOOPT;
}

static uint32_t nl_poll(struct socket *base)
{
	return LX_POLLOUT | LX_POLLWRNORM |
	       (list_empty(&netlink_of(base)->answers) ? 0 : LX_POLLIN | LX_POLLRDNORM);
}

static void nl_release(struct socket *base)
{
	struct netlink_socket *socket = netlink_of(base);
	struct answer *answer, *next;

	list_for_each_entry_safe (answer, next, &socket->answers, link) {
		list_remove(&answer->link);
		free(answer);
	}
	socket_fini(base);
	wait_queue_destroy(&base->queue);
	free(socket);
}

static const struct socket_ops netlink_ops = {
	.bind = nl_bind,
	.connect = nl_connect,
	.listen = nl_listen,
	.accept = nl_accept,
	.getname = nl_getname,
	.send = nl_send,
	.receive = nl_receive,
	.shutdown = nl_shutdown,
	.setsockopt = nl_setsockopt,
	.poll = nl_poll,
	.release = nl_release,
};

int netlink_create(int type, int protocol, struct socket **ret)
{
	struct netlink_socket *socket;

	if (type != LX_SOCK_RAW && type != LX_SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != LX_NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return -ENOMEM;
	socket_init(&socket->base, &netlink_ops, LX_AF_NETLINK, type, protocol);
	list_init(&socket->answers);
	*ret = &socket->base;
	return 0;
}

/* ---- ioctl: netdevice(7), for sockets of all families ---------------------------------------- */

struct ifreq {
	char name[16];
	union {
		int32_t number;
		int16_t flags;
		uint8_t bytes[24];
	};
};
_Static_assert(sizeof(struct ifreq) == 40, "struct ifreq");

static int set_flags(struct net_ns *net, const struct task *task, unsigned flags)
{
	if (!may_administer(net, task))
		return -EPERM;
	return netif_set_up(&net->stack.loopback, flags & IFF_UP);
}

int64_t net_device_ioctl(struct socket *socket, struct task *task, unsigned request, gaddr_t arg)
{
	struct ifreq ifreq;
	int err;

	switch (request) {
	case LX_SIOCGIFNAME:
	case LX_SIOCGIFINDEX:
	case LX_SIOCGIFFLAGS:
	case LX_SIOCSIFFLAGS:
	case LX_SIOCGIFMTU:
		break;
	default:
		return -ENOTTY;
	}
	err = guest_read_value(task, &ifreq, arg);
	if (err < 0)
		return err;
	if (request == LX_SIOCGIFNAME) {
		if (ifreq.number != LO_INDEX)
			return -ENODEV;
		memset(ifreq.name, 0, sizeof(ifreq.name));
		memcpy(ifreq.name, "lo", 2);
		return guest_write_value(task, arg, &ifreq);
	}
	ifreq.name[sizeof(ifreq.name) - 1] = '\0';
	if (strcmp(ifreq.name, "lo") != 0)
		return -ENODEV;
	switch (request) {
	case LX_SIOCGIFINDEX:
		ifreq.number = LO_INDEX;
		break;
	case LX_SIOCGIFFLAGS:
		ifreq.flags = (int16_t)loopback_flags(net_of(socket));
		break;
	case LX_SIOCGIFMTU:
		ifreq.number = LO_MTU;
		break;
	default:
		return set_flags(net_of(socket), task, (unsigned)ifreq.flags);
	}
	return guest_write_value(task, arg, &ifreq);
}
