/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink sockets: names, groups, queues, requests and their acknowledgements (netlink(7)). What
 * the messages say is the business of the protocols. */
#include "sentry/socket/netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/poll.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fiber.h"

#define SOCKETS_MAX	 4096u
#define REQUEST_SIZE_MAX 32768u

static const struct netlink_protocol *const protocols[LX_NETLINK_PROTOCOLS] = {
	[LX_NETLINK_ROUTE] = &netlink_route,
	[LX_NETLINK_USERSOCK] = &netlink_usersock,
	[LX_NETLINK_SOCK_DIAG] = &netlink_diag,
	[LX_NETLINK_KOBJECT_UEVENT] = &netlink_uevent,
	[LX_NETLINK_GENERIC] = &netlink_generic,
};

/* Nobody in the kernel: programs talk to each other. */
const struct netlink_protocol netlink_usersock = {
	.name = "usersock", .groups = 32, .anybody_sends = true};
/* Devices come and go (udev(7)). Those of a sandbox do not. */
const struct netlink_protocol netlink_uevent = {
	.name = "uevent", .groups = 32, .anybody_receives = true};

static struct list_head sockets = LIST_HEAD_INIT(sockets);
static unsigned socket_count;
static uint64_t last_number;

struct netlink_socket *netlink_next(const struct netlink_socket *socket)
{
	const struct list_head *at = socket ? socket->link.next : sockets.next;

	return at == &sockets ? NULL : list_entry(at, struct netlink_socket, link);
}

bool netlink_may_administer(const struct nl_request *request)
{
	const struct netlink_socket *socket = request->socket;

	return cred_ns_capable(request->task->cred, socket->base.net->user_ns, LX_CAP_NET_ADMIN);
}

/* ---- answers --------------------------------------------------------------------------------- */

struct lx_nlmsghdr nl_answer_header(const struct nl_request *request, uint16_t type)
{
	return (struct lx_nlmsghdr){
		.nlmsg_type = type,
		.nlmsg_seq = request->header.nlmsg_seq,
		.nlmsg_pid = request->socket->port,
	};
}

int nl_answer(struct nl_request *request, const struct nl_builder *builder)
{
	return netlink_enqueue(request->socket, builder->bytes, builder->size, 0, 0, NULL);
}

/* netlink_ack(): the error, the request or its header, and what an extended one says. */
static void acknowledge(struct nl_request *request, int error)
{
	struct netlink_socket *socket = request->socket;
	struct lx_nlmsghdr header = nl_answer_header(request, LX_NLMSG_ERROR);
	bool whole = error && !socket->cap_ack;
	bool extended = socket->ext_ack && (request->complaint || request->offset);
	_cleanup_free_ struct nl_builder *builder = nl_builder_new(NL_BUILDER_SIZE);
	int32_t code = error;
	size_t start;

	if (!builder) {
		netlink_overrun(socket);
		return;
	}
	if (request->size > NL_BUILDER_SIZE - 1024)
		whole = false;
	header.nlmsg_flags =
		(uint16_t)((whole ? 0 : LX_NLM_F_CAPPED) | (extended ? LX_NLM_F_ACK_TLVS : 0));
	start = nl_begin(builder, &header);
	nl_put(builder, &code, sizeof(code));
	nl_put(builder, &request->header, sizeof(request->header));
	if (whole)
		nl_put(builder, request->body, request->size);
	if (extended && request->complaint)
		nl_string(builder, LX_NLMSGERR_ATTR_MSG, request->complaint);
	if (extended && request->offset && error)
		nl_u32(builder, LX_NLMSGERR_ATTR_OFFS, request->offset);
	(void)nl_end(builder, start);
	if (nl_answer(request, builder) < 0)
		netlink_overrun(socket);
}

/* ---- dumps ----------------------------------------------------------------------------------- */

static void dump_free(struct netlink_socket *socket)
{
	if (socket->dump)
		free(socket->dump->more);
	free(TAKE(socket->dump));
}

/* The next datagram of the dump, if the queue has room for it. */
static void dump_go_on(struct netlink_socket *socket)
{
	struct nl_dump *dump = socket->dump;
	_cleanup_free_ struct nl_builder *builder = NULL;
	int32_t result;
	int more;

	if (!dump || !list_empty(&socket->datagrams))
		return;
	builder = nl_builder_new(NL_DATAGRAM_SIZE);
	if (!builder) {
		netlink_overrun(socket);
		dump_free(socket);
		return;
	}
	more = dump->error ? dump->error : dump->fill(socket, dump, builder);
	while (more == NL_DUMP_LATER && builder->size == 0) {
		fiber_yield();
		/* Another thread may have read on, or to the end. */
		if (socket->dump != dump || !list_empty(&socket->datagrams))
			return;
		more = dump->fill(socket, dump, builder);
	}
	if (more > 0 && builder->size > 0) {
		if (netlink_enqueue(socket, builder->bytes, builder->size, 0, 0, NULL) < 0) {
			netlink_overrun(socket);
			dump_free(socket);
		}
		return;
	}
	/* A single entry that is larger than a datagram would be an error of ours. */
	result = more == 1 ? -EMSGSIZE : more;
	{
		struct lx_nlmsghdr header = dump->header;
		bool extended = socket->ext_ack && dump->complaint;
		size_t start;

		/* The end may come with the last entries, or alone. */
		builder->limit = NL_BUILDER_SIZE;
		header.nlmsg_type = LX_NLMSG_DONE;
		header.nlmsg_flags |= extended ? LX_NLM_F_ACK_TLVS : 0;
		start = nl_begin(builder, &header);
		nl_put(builder, &result, sizeof(result));
		if (extended)
			nl_string(builder, LX_NLMSGERR_ATTR_MSG, dump->complaint);
		(void)nl_end(builder, start);
	}
	dump_free(socket);
	if (netlink_enqueue(socket, builder->bytes, builder->size, 0, 0, NULL) < 0)
		netlink_overrun(socket);
}

int nl_dump_start(struct nl_request *request, struct nl_dump *dump)
{
	struct netlink_socket *socket = request->socket;
	struct nl_dump *copy;

	if (socket->dump) {
		free(dump->more);
		return -EBUSY;
	}
	copy = malloc(sizeof(*copy));
	if (!copy) {
		free(dump->more);
		return -ENOMEM;
	}
	*copy = *dump;
	copy->header.nlmsg_flags |= LX_NLM_F_MULTI | (dump->filtered ? LX_NLM_F_DUMP_FILTERED : 0);
	copy->header.nlmsg_seq = request->header.nlmsg_seq;
	copy->header.nlmsg_pid = socket->port;
	socket->dump = copy;
	dump_go_on(socket);
	return NL_STARTED;
}

int nl_dump_fail(struct nl_request *request, int error, const char *complaint)
{
	struct nl_dump dump = {.error = error, .complaint = complaint};

	return nl_dump_start(request, &dump);
}

/* ---- names ----------------------------------------------------------------------------------- */

static struct netlink_socket *find_port(
	const struct ns *net, const struct netlink_protocol *protocol, uint32_t port)
{
	struct netlink_socket *socket;

	list_for_each_entry (socket, &sockets, link) {
		if (socket->bound && socket->base.net == net && socket->protocol == protocol &&
			socket->port == port)
			return socket;
	}
	return NULL;
}

static int insert(struct netlink_socket *socket, uint32_t port)
{
	if (find_port(socket->base.net, socket->protocol, port))
		return -EADDRINUSE;
	socket->port = port;
	socket->bound = true;
	return 0;
}

/* netlink_autobind(): the process's number, or one far below zero. */
static void autobind(struct netlink_socket *socket, const struct task *task)
{
	static uint32_t rover = (uint32_t)-4096;

	if (socket->bound || insert(socket, (uint32_t)task_own_tgid(task)) == 0)
		return;
	/* There are fewer sockets than numbers. */
	while (insert(socket, rover) < 0)
		rover--;
	rover = rover < 0x80000000u ? (uint32_t)-4096 : rover - 1;
}

static int read_name(const struct socket_address *address, struct lx_sockaddr_nl *ret)
{
	if (address->size < sizeof(*ret))
		return -EINVAL;
	memcpy(ret, address->bytes, sizeof(*ret));
	return ret->nl_family == LX_AF_NETLINK ? 0 : -EINVAL;
}

static uint64_t all_groups(const struct netlink_socket *socket)
{
	return (UINT64_C(1) << socket->protocol->groups) - 1;
}

static bool may(const struct netlink_socket *socket, const struct task *task, bool anybody)
{
	return anybody || cred_ns_capable(task->cred, socket->base.net->user_ns, LX_CAP_NET_ADMIN);
}

static int nl_bind(struct socket *base, struct task *task, const struct socket_address *address)
{
	struct netlink_socket *socket = netlink_of(base);
	struct lx_sockaddr_nl name;
	int err = read_name(address, &name);

	if (err < 0)
		return err;
	if (name.nl_groups && !may(socket, task, socket->protocol->anybody_receives))
		return -EPERM;
	if (socket->bound) {
		if (name.nl_pid != socket->port)
			return -EINVAL;
	} else if (name.nl_pid) {
		err = insert(socket, name.nl_pid);
		if (err < 0)
			return err;
	} else {
		autobind(socket, task);
	}
	socket->groups =
		(socket->groups & ~(uint64_t)UINT32_MAX) | (name.nl_groups & all_groups(socket));
	return 0;
}

static int nl_connect(
	struct socket *base, struct task *task, const struct socket_address *address, bool nonblock)
{
	struct netlink_socket *socket = netlink_of(base);
	struct lx_sockaddr_nl name;
	uint16_t family;
	int err;

	if (address->size < sizeof(family))
		return -EINVAL;
	memcpy(&family, address->bytes, sizeof(family));
	if (family == LX_AF_UNSPEC) {
		socket->peer_port = socket->peer_groups = 0;
		return 0;
	}
	err = read_name(address, &name);
	if (err < 0)
		return err;
	if ((name.nl_groups || name.nl_pid) && !may(socket, task, socket->protocol->anybody_sends))
		return -EPERM;
	autobind(socket, task);
	socket->peer_port = name.nl_pid;
	socket->peer_groups = name.nl_groups;
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

static void write_name(uint32_t port, uint32_t groups, struct socket_address *ret)
{
	const struct lx_sockaddr_nl name = {
		.nl_family = LX_AF_NETLINK, .nl_pid = port, .nl_groups = groups};

	*ret = (struct socket_address){.size = sizeof(name)};
	memcpy(ret->bytes, &name, sizeof(name));
}

static int nl_getname(struct socket *base, bool peer, struct socket_address *ret)
{
	const struct netlink_socket *socket = netlink_of(base);

	if (peer)
		write_name(socket->peer_port, socket->peer_groups, ret);
	else
		write_name(socket->port, (uint32_t)socket->groups, ret);
	return 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* netlink_rcv_skb() */
static void handle_all(
	struct netlink_socket *socket, struct task *task, const uint8_t *bytes, size_t size)
{
	for (size_t at = 0; size - at >= sizeof(struct lx_nlmsghdr);) {
		struct nl_request request = {.socket = socket, .task = task};
		int err = 0;

		netlink_wait_groups();
		memcpy(&request.header, bytes + at, sizeof(request.header));
		if (request.header.nlmsg_len < sizeof(request.header) ||
			request.header.nlmsg_len > size - at)
			return;
		request.body = bytes + at + sizeof(request.header);
		request.size = request.header.nlmsg_len - sizeof(request.header);
		/* Control messages are no requests. */
		if ((request.header.nlmsg_flags & LX_NLM_F_REQUEST) &&
			request.header.nlmsg_type >= LX_NLMSG_MIN_TYPE)
			err = socket->protocol->request(&request);
		if (err != NL_STARTED && (err < 0 || (request.header.nlmsg_flags & LX_NLM_F_ACK)))
			acknowledge(&request, err);
		if (nl_padded(request.header.nlmsg_len) >= size - at)
			return;
		at += nl_padded(request.header.nlmsg_len);
		/* Each may go through a whole table. */
		fiber_yield();
	}
}

/* To another socket: netlink_unicast(). */
static int send_to_port(struct netlink_socket *socket, uint32_t port, const uint8_t *bytes,
	size_t size, const struct lx_ucred *cred)
{
	struct netlink_socket *to = find_port(socket->base.net, socket->protocol, port);

	if (!to || (to->peer_port && to->peer_port != socket->port))
		return -ECONNREFUSED;
	return netlink_enqueue(to, bytes, size, socket->port, 0, cred) == -ENOMEM ? -ENOMEM : 0;
}

static ssize_t nl_send(struct socket *base, struct task *task, struct socket_message *message)
{
	struct netlink_socket *socket = netlink_of(base);
	_cleanup_free_ uint8_t *bytes = NULL;
	struct lx_sockaddr_nl name = {
		.nl_pid = socket->peer_port, .nl_groups = socket->peer_groups};
	const struct lx_ucred cred = {
		.pid = task_own_tgid(task), .uid = task->cred->euid, .gid = task->cred->egid};
	size_t size = message->uio->resid;
	ssize_t got;
	int err;

	if (message->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (size == 0)
		return -ENODATA;
	if (message->name && message->name->size) {
		err = read_name(message->name, &name);
		if (err < 0)
			return err;
		if ((name.nl_groups || name.nl_pid) &&
			!may(socket, task, socket->protocol->anybody_sends))
			return -EPERM;
	}
	autobind(socket, task);
	if (size > min_of(base->send_size - 32, REQUEST_SIZE_MAX))
		return -EMSGSIZE;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	got = uio_copy_from(message->uio, bytes, size);
	if (got < 0 || (size_t)got < size)
		return got < 0 ? got : -EFAULT;
	if (name.nl_groups)
		netlink_send_group(
			socket, (unsigned)__builtin_ctz(name.nl_groups) + 1, bytes, size, &cred);
	if (name.nl_pid) {
		err = send_to_port(socket, name.nl_pid, bytes, size, &cred);
		if (err < 0)
			return err;
	} else if (socket->protocol->request) {
		handle_all(socket, task, bytes, size);
	} else {
		/* After a group, too: netlink_sendmsg() sends to port 0 as well. */
		return -ECONNREFUSED;
	}
	if (message->scm)
		scm_fini(message->scm);
	return (ssize_t)size;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static int wait_datagram(struct netlink_socket *socket, const struct socket_message *message)
{
	while (list_empty(&socket->datagrams)) {
		int err;

		dump_go_on(socket);
		if (!list_empty(&socket->datagrams))
			break;
		err = socket_take_error(&socket->base);
		if (err < 0)
			return err;
		if (message->flags & LX_MSG_DONTWAIT)
			return -EAGAIN;
		err = wait_event_deadline(&socket->base.queue,
			!list_empty(&socket->datagrams) || socket->base.error, message->deadline);
		if (err < 0)
			return socket_wait_error(err, message->deadline);
	}
	return 0;
}

static void write_notes(const struct netlink_socket *socket,
	const struct netlink_datagram *datagram, struct scm *scm)
{
	uint32_t group = datagram->group;

	if (socket->want_group)
		scm_note(scm, LX_SOL_NETLINK, LX_NETLINK_PKTINFO, &group, sizeof(group));
	scm->has_cred = true;
	scm->cred = ucred_here(&datagram->cred);
}

static ssize_t nl_receive(struct socket *base, struct task *task, struct socket_message *message)
{
	struct netlink_socket *socket = netlink_of(base);
	bool peek = message->flags & LX_MSG_PEEK;
	struct netlink_datagram *datagram;
	ssize_t result;
	size_t size;
	int err;

	if (message->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	err = wait_datagram(socket, message);
	if (err < 0)
		return err;
	datagram = list_first(&socket->datagrams, struct netlink_datagram, link);
	size = min_of(datagram->size, (size_t)message->uio->resid);
	/* Ours while the copy sleeps; a peek puts it back. */
	list_remove(&datagram->link);
	result = uio_copy_to(message->uio, netlink_datagram_bytes(datagram), size);
	if (result >= 0 && (size_t)result < size)
		result = -EFAULT;
	if (result >= 0) {
		if (size < datagram->size)
			message->out_flags |= LX_MSG_TRUNC;
		if (message->name)
			write_name(datagram->from,
				datagram->group && datagram->group <= 32
					? 1u << (datagram->group - 1)
					: 0,
				message->name);
		if (message->scm)
			write_notes(socket, datagram, message->scm);
		if (message->flags & LX_MSG_TRUNC)
			result = (ssize_t)datagram->size;
	}
	list_add(&datagram->link, &socket->datagrams);
	if (!peek) {
		netlink_dequeue(socket, datagram);
		netlink_datagram_free(datagram);
		dump_go_on(socket);
	}
	return result;
}

static int nl_shutdown(struct socket *base, int how)
{
	return -EOPNOTSUPP;
}

static uint32_t nl_poll(struct socket *base)
{
	const struct netlink_socket *socket = netlink_of(base);

	return LX_POLLOUT | LX_POLLWRNORM | LX_POLLWRBAND | (base->error ? LX_POLLERR : 0) |
	       (list_empty(&socket->datagrams) ? 0 : LX_POLLIN | LX_POLLRDNORM);
}

/* ---- options --------------------------------------------------------------------------------- */

static bool *switch_of(struct netlink_socket *socket, int option)
{
	switch (option) {
	case LX_NETLINK_PKTINFO:
		return &socket->want_group;
	case LX_NETLINK_BROADCAST_ERROR:
		return &socket->broadcast_error;
	case LX_NETLINK_NO_ENOBUFS:
		return &socket->no_overrun_error;
	case LX_NETLINK_CAP_ACK:
		return &socket->cap_ack;
	case LX_NETLINK_EXT_ACK:
		return &socket->ext_ack;
	case LX_NETLINK_GET_STRICT_CHK:
		return &socket->strict;
	default:
		return NULL;
	}
}

static int nl_setsockopt(struct socket *base, struct task *task, int level, int option,
	const void *value, size_t size)
{
	struct netlink_socket *socket = netlink_of(base);
	bool *flag = switch_of(socket, option);
	unsigned number = 0;

	if (level == LX_SOL_SOCKET)
		return socket_set_option(base, task, option, value, size);
	if (level != LX_SOL_NETLINK)
		return -ENOPROTOOPT;
	if (size >= sizeof(number))
		memcpy(&number, value, sizeof(number));
	if (flag) {
		*flag = number != 0;
		return 0;
	}
	if (option != LX_NETLINK_ADD_MEMBERSHIP && option != LX_NETLINK_DROP_MEMBERSHIP)
		return -ENOPROTOOPT;
	if (!may(socket, task, socket->protocol->anybody_receives))
		return -EPERM;
	if (number == 0 || number > socket->protocol->groups)
		return -EINVAL;
	if (option == LX_NETLINK_ADD_MEMBERSHIP)
		socket->groups |= UINT64_C(1) << (number - 1);
	else
		socket->groups &= ~(UINT64_C(1) << (number - 1));
	return 0;
}

static int nl_getsockopt(
	struct socket *base, struct task *task, int level, int option, void *value, size_t size)
{
	struct netlink_socket *socket = netlink_of(base);
	const bool *flag = switch_of(socket, option);
	uint32_t words[2] = {(uint32_t)socket->groups, (uint32_t)(socket->groups >> 32)};
	size_t count = socket->protocol->groups > 32 ? 2 : 1;

	if (level == LX_SOL_SOCKET)
		return socket_get_option(base, task, option, value, size);
	if (level != LX_SOL_NETLINK)
		return -ENOPROTOOPT;
	if (option == LX_NETLINK_LIST_MEMBERSHIPS) {
		/* The whole size is told, however much there is room for. */
		memcpy(value, words, min_of(size & ~(size_t)3, count * 4));
		return (int)(count * 4);
	}
	if (!flag)
		return -ENOPROTOOPT;
	if (size < sizeof(int))
		return -EINVAL;
	return socket_return_int(*flag, value, size);
}

/* ---- creation -------------------------------------------------------------------------------- */

static void nl_release(struct socket *base)
{
	struct netlink_socket *socket = netlink_of(base);

	while (!list_empty(&socket->datagrams)) {
		struct netlink_datagram *datagram =
			list_first(&socket->datagrams, struct netlink_datagram, link);

		netlink_dequeue(socket, datagram);
		netlink_datagram_free(datagram);
	}
	dump_free(socket);
	list_remove(&socket->link);
	socket_count--;
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
	.getsockopt = nl_getsockopt,
	.poll = nl_poll,
	.release = nl_release,
};

int netlink_create(int type, int protocol, struct socket **ret)
{
	struct netlink_socket *socket;

	if (type != LX_SOCK_RAW && type != LX_SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol < 0 || protocol >= LX_NETLINK_PROTOCOLS || !protocols[protocol])
		return -EPROTONOSUPPORT;
	if (socket_count >= SOCKETS_MAX)
		return -ENOBUFS;
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return -ENOMEM;
	socket_init(&socket->base, &netlink_ops, LX_AF_NETLINK, type, protocol);
	socket->protocol = protocols[protocol];
	socket->number = ++last_number;
	list_init(&socket->datagrams);
	list_add_tail(&socket->link, &sockets);
	socket_count++;
	*ret = &socket->base;
	return 0;
}
