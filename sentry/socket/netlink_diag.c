/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_SOCK_DIAG (sock_diag(7)): what sockets there are in the asker's network, for ss(8). Here
 * are the Internet's; the others are in netlink_diag_unix.c.
 *
 * A socket's cookie is its inode's number, not an address of ours.
 */
#include "sentry/socket/netlink_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "sentry/socket/inet_socket.h"
#include "sentry/socket/raw.h"

#define BYTECODE_MAX 16384u
/* Steps of the filter in one turn of the kernel's, a millisecond or two: a long filter over all
 * sockets is 134 million. */
#define STEPS_MAX (256u << 10)

static const struct file *file_of(const struct inet_endpoint *endpoint)
{
	const struct inet_socket *socket = endpoint->owner;

	return socket ? socket->base.file : NULL;
}

uint32_t diag_inode(const struct file *file)
{
	return file ? (uint32_t)file->inode->ino : 0;
}

/* ---- the filter: conditional jumps forward (include/uapi/linux/inet_diag.h) ------------------ */

enum {
	OP_NOP,
	OP_JMP,
	OP_S_GE,
	OP_S_LE,
	OP_D_GE,
	OP_D_LE,
	OP_AUTO,
	OP_S_COND,
	OP_D_COND,
	OP_DEV_COND,
	OP_MARK_COND,
	OP_S_EQ,
	OP_D_EQ,
};

struct filter_op {
	uint8_t code, yes;
	uint16_t no;
};

struct host_condition {
	uint8_t family, prefix;
	uint16_t pad;
	int32_t port; /* -1: any */
	uint8_t address[16];
};

/* How long an instruction has to be with its arguments; 0: there is none such. */
static size_t op_size(const uint8_t *at, size_t left)
{
	size_t size = sizeof(struct filter_op);

	switch (at[0]) {
	case OP_NOP:
	case OP_JMP:
	case OP_AUTO:
		return size;
	case OP_S_GE:
	case OP_S_LE:
	case OP_S_EQ:
	case OP_D_GE:
	case OP_D_LE:
	case OP_D_EQ:
		return size + sizeof(struct filter_op);
	case OP_DEV_COND:
		return size + 4;
	case OP_S_COND:
	case OP_D_COND:
		size += offsetof(struct host_condition, address);
		if (left < size)
			return size;
		/* Family and prefix behind the instruction. */
		return size + (at[4] == LX_AF_INET ? 4 : at[4] == LX_AF_INET6 ? 16 : 0);
	default:
		return 0;
	}
}

/* inet_diag_bc_audit() as far as running needs it: each instruction is whole, and jumps go forward
 * in words. */
static bool filter_valid(const uint8_t *code, size_t size)
{
	size_t left = size;

	while (left > 0) {
		struct filter_op op;
		size_t least;

		if (left < sizeof(op))
			return false;
		memcpy(&op, code + size - left, sizeof(op));
		least = op_size(code + size - left, left);
		if (least == 0 || left < least)
			return false;
		/* Four behind the end means no. */
		if (op.code != OP_NOP && (op.no < 4 || op.no > left + 4 || op.no % 4))
			return false;
		if (op.yes < least || op.yes > left + 4 || op.yes % 4)
			return false;
		left -= min_of(left, (size_t)op.yes);
	}
	return true;
}

static bool host_matches(
	const struct inet_endpoint *endpoint, const struct inet_name *name, const uint8_t *argument)
{
	const uint8_t *address = name->address.bytes;
	struct host_condition condition = {0};
	unsigned family;

	memcpy(&condition, argument, offsetof(struct host_condition, address));
	if (condition.port != -1 && condition.port != name->port)
		return false;
	if (condition.prefix == 0 || condition.family == LX_AF_UNSPEC)
		return true;
	family = endpoint->ipv6 ? LX_AF_INET6 : LX_AF_INET;
	if (condition.family != family) {
		/* A socket of both families may talk IPv4. */
		if (family != LX_AF_INET6 || condition.family != LX_AF_INET ||
			!inet_is_v4(&name->address))
			return false;
	}
	memcpy(condition.address, argument + offsetof(struct host_condition, address),
		condition.family == LX_AF_INET ? 4 : 16);
	if (condition.family == LX_AF_INET)
		address += 12;
	condition.prefix = (uint8_t)min_of(
		(unsigned)condition.prefix, condition.family == LX_AF_INET ? 32u : 128u);
	if (memcmp(address, condition.address, condition.prefix / 8) != 0)
		return false;
	return condition.prefix % 8 == 0 ||
	       ((address[condition.prefix / 8] ^ condition.address[condition.prefix / 8]) >>
		       (8 - condition.prefix % 8)) == 0;
}

static bool step(
	const struct inet_endpoint *endpoint, const struct filter_op *op, const uint8_t *argument)
{
	uint16_t source = endpoint->local.port, target = endpoint->remote.port, number = 0;

	if (op->code >= OP_S_GE && op->code != OP_AUTO && op->code != OP_DEV_COND)
		memcpy(&number, argument + 2, sizeof(number)); /* the `no` of a second header */
	switch (op->code) {
	case OP_JMP:
		return false;
	case OP_S_GE:
		return source >= number;
	case OP_S_LE:
		return source <= number;
	case OP_S_EQ:
		return source == number;
	case OP_D_GE:
		return target >= number;
	case OP_D_LE:
		return target <= number;
	case OP_D_EQ:
		return target == number;
	case OP_AUTO:
		return !endpoint->port_given;
	case OP_S_COND:
		return host_matches(endpoint, &endpoint->local, argument);
	case OP_D_COND:
		return host_matches(endpoint, &endpoint->remote, argument);
	case OP_DEV_COND:
		return false; /* SO_BINDTODEVICE is not shown */
	default:
		return true;
	}
}

static bool filter_passes(
	const struct inet_endpoint *endpoint, const uint8_t *code, size_t size, uint32_t *steps)
{
	size_t at = 0;

	while (at + sizeof(struct filter_op) <= size) {
		struct filter_op op;
		size_t jump;

		++*steps;
		memcpy(&op, code + at, sizeof(op));
		if (op_size(code + at, size - at) > size - at)
			return false;
		jump = step(endpoint, &op, code + at + sizeof(op)) ? op.yes : op.no;
		if (jump < 4)
			return false;
		at += jump;
	}
	return at == size;
}

/* ---- one socket ------------------------------------------------------------------------------ */

static bool is_shown(const struct inet_endpoint *endpoint)
{
	return endpoint->has_port || endpoint->has_pair;
}

static unsigned state_of(const struct inet_endpoint *endpoint)
{
	if (endpoint->protocol != INET_TCP)
		return endpoint->has_pair ? TCP_ESTABLISHED : TCP_CLOSED;
	return endpoint->listening ? TCP_LISTEN
				   : container_of(endpoint, struct inet_tcp, endpoint)->tcp.state;
}

static void put_name(const struct inet_endpoint *endpoint, const struct inet_name *name,
	uint16_t *port, uint8_t address[16])
{
	*port = htons(name->port);
	if (endpoint->ipv6)
		memcpy(address, name->address.bytes, 16);
	else
		memcpy(address, name->address.bytes + 12, 4);
}

static uint32_t milliseconds_until(int64_t deadline)
{
	int64_t left = deadline - (int64_t)loop_monotonic();

	return left > 0 ? (uint32_t)min_of(left / 1000000, (int64_t)INT32_MAX) : 0;
}

/* inet_sk_diag_fill(): 1 retransmits, 2 keeps alive, 3 waits, 4 probes. */
static void fill_tcp(const struct inet_tcp *tcp, struct lx_inet_diag_msg *message)
{
	static const struct {
		enum tcp_timer timer;
		uint8_t shown;
	} timers[] = {{TCP_TIMER_RETRANSMIT, 1}, {TCP_TIMER_TAIL, 1}, {TCP_TIMER_REORDER, 1},
		{TCP_TIMER_KEEPALIVE, 2}, {TCP_TIMER_WAIT, 3}};

	message->retransmits = (uint8_t)tcp->tcp.unanswered;
	message->receiving = tcp->tcp.receive.size;
	message->sending = tcp->tcp.send.size;
	if (tcp->endpoint.listening) {
		message->receiving = tcp->accept_count;
		message->sending = tcp->backlog;
		return;
	}
	for (size_t i = 0; i < array_size(timers); i++) {
		int64_t deadline = tcp->tcp.deadline[timers[i].timer];

		if (deadline == 0 || deadline == INT64_MAX)
			continue;
		message->timer = timers[i].shown;
		message->expires = milliseconds_until(deadline);
		break;
	}
}

static void put_memory(struct nl_builder *builder, const struct inet_socket *socket,
	const struct lx_inet_diag_msg *message)
{
	/* SK_MEMINFO_*: what is received, the bounds, what is sent. */
	uint32_t memory[9] = {message->receiving, 0, message->sending};

	if (message->state == TCP_LISTEN)
		memory[0] = memory[2] = 0;
	if (socket) {
		memory[1] = socket->base.receive_size;
		memory[3] = socket->base.send_size;
	}
	memory[5] = memory[2];
	nl_attribute(builder, LX_INET_DIAG_SKMEMINFO, memory, sizeof(memory));
}

static void put_extensions(struct nl_builder *builder, const struct inet_endpoint *endpoint,
	const struct lx_inet_diag_msg *message, unsigned extensions)
{
	struct inet_socket *socket = endpoint->owner;
	bool tcp = endpoint->protocol == INET_TCP;

	if (message->state == TCP_TIME_WAIT)
		return;
	nl_u8(builder, LX_INET_DIAG_SHUTDOWN,
		socket ? (uint8_t)(socket->read_shut | socket->write_shut << 1) : 3);
	if (socket && (extensions & 1u << (LX_INET_DIAG_TOS - 1)) && !endpoint->ipv6)
		nl_u8(builder, LX_INET_DIAG_TOS, (uint8_t)socket->tos);
	if (endpoint->ipv6) {
		if (socket && (extensions & 1u << (LX_INET_DIAG_TCLASS - 1)))
			nl_u8(builder, LX_INET_DIAG_TCLASS, (uint8_t)socket->tos);
		if (message->state == TCP_LISTEN || message->state == TCP_CLOSED)
			nl_u8(builder, LX_INET_DIAG_SKV6ONLY, endpoint->v6only);
	}
	if (extensions & 1u << (LX_INET_DIAG_MEMINFO - 1)) {
		const uint32_t memory[4] = {message->state == TCP_LISTEN ? 0 : message->receiving,
			message->state == TCP_LISTEN ? 0 : message->sending};

		nl_attribute(builder, LX_INET_DIAG_MEMINFO, memory, sizeof(memory));
	}
	if (extensions & 1u << (LX_INET_DIAG_SKMEMINFO - 1))
		put_memory(builder, socket, message);
	if (tcp && socket && (extensions & 1u << (LX_INET_DIAG_INFO - 1))) {
		struct lx_tcp_info info = {0};

		if (inet_tcp_getsockopt(socket, LX_TCP_INFO, &info, sizeof(info)) > 0)
			nl_attribute(builder, LX_INET_DIAG_INFO, &info, sizeof(info));
	}
	if (tcp && (extensions & 1u << (LX_INET_DIAG_CONG - 1)))
		nl_string(builder, LX_INET_DIAG_CONG,
			container_of(endpoint, struct inet_tcp, endpoint)->tcp.congestion->name);
}

static int put_endpoint(struct nl_builder *builder, const struct lx_nlmsghdr *header,
	const struct inet_endpoint *endpoint, unsigned extensions)
{
	const struct file *file = file_of(endpoint);
	struct lx_inet_diag_msg message = {
		.family = endpoint->ipv6 ? LX_AF_INET6 : LX_AF_INET,
		.state = (uint8_t)state_of(endpoint),
		.id.cookie = {diag_inode(file), 0},
		.uid = file ? uid_here(file->inode->uid) : 0,
		.inode = diag_inode(file),
	};
	size_t start = nl_begin(builder, header);

	put_name(endpoint, &endpoint->local, &message.id.sport, message.id.src);
	put_name(endpoint, &endpoint->remote, &message.id.dport, message.id.dst);
	if (endpoint->protocol == INET_TCP)
		fill_tcp(container_of(endpoint, struct inet_tcp, endpoint), &message);
	else
		message.receiving = container_of(endpoint, struct inet_udp, endpoint)->queued;
	nl_put(builder, &message, sizeof(message));
	put_extensions(builder, endpoint, &message, extensions);
	return nl_end(builder, start);
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool is_wanted(const struct inet_endpoint *endpoint, const struct lx_inet_diag_req *req,
	uint8_t protocol, const struct nl_dump *dump, uint32_t *steps)
{
	uint16_t source = ntohs(req->id.sport), target = ntohs(req->id.dport);

	return endpoint->protocol == protocol && is_shown(endpoint) &&
	       (req->family == LX_AF_UNSPEC || endpoint->ipv6 == (req->family == LX_AF_INET6)) &&
	       (req->states >> state_of(endpoint) & 1) &&
	       (!source || source == endpoint->local.port) &&
	       (!target || target == endpoint->remote.port) &&
	       (!dump->more || filter_passes(endpoint, dump->more, dump->more_size, steps));
}

static int fill_inet(
	struct netlink_socket *socket, struct nl_dump *dump, struct nl_builder *builder)
{
	const struct netstack *stack = &netlink_net(socket)->stack;
	const struct inet_endpoint *endpoint;
	struct lx_inet_diag_req req;
	uint32_t steps = 0;
	size_t place = 0;

	memcpy(&req, dump->filter, sizeof(req));
	list_for_each_entry (endpoint, &stack->endpoints, list) {
		if (place++ < dump->at[0])
			continue;
		if (steps > STEPS_MAX)
			return NL_DUMP_LATER;
		if (is_wanted(endpoint, &req, req.protocol, dump, &steps) &&
			put_endpoint(builder, &dump->header, endpoint, req.extensions) < 0)
			return 1;
		dump->at[0] = place;
	}
	return 0;
}

static void read_name(const struct lx_inet_diag_req *req, uint16_t port, const uint8_t address[16],
	struct inet_name *ret)
{
	ret->port = ntohs(port);
	if (req->family == LX_AF_INET)
		ret->address = inet_from_v4(address);
	else
		memcpy(ret->address.bytes, address, 16);
}

/* The socket with this name, as a packet to it would find it: inet_diag_dump_one_icsk(). */
static int get_one(struct nl_request *request, const struct lx_inet_diag_req *req)
{
	const struct netstack *stack = &netlink_net(request->socket)->stack;
	const struct lx_nlmsghdr header = nl_answer_header(request, LX_SOCK_DIAG_BY_FAMILY);
	const struct inet_endpoint *endpoint, *found = NULL;
	struct inet_name local, remote;
	struct nl_builder *builder;
	int err;

	if (req->family != LX_AF_INET && req->family != LX_AF_INET6)
		return -EINVAL;
	read_name(req, req->id.sport, req->id.src, &local);
	read_name(req, req->id.dport, req->id.dst, &remote);
	list_for_each_entry (endpoint, &stack->endpoints, list) {
		if (endpoint->protocol != req->protocol || !is_shown(endpoint) ||
			endpoint->local.port != local.port)
			continue;
		if (endpoint->has_pair && endpoint->remote.port == remote.port &&
			inet_equal(&endpoint->remote.address, &remote.address) &&
			inet_equal(&endpoint->local.address, &local.address)) {
			found = endpoint;
			break;
		}
		if (!endpoint->has_pair &&
			(inet_is_any(&endpoint->local.address) ||
				inet_equal(&endpoint->local.address, &local.address)))
			found = endpoint;
	}
	if (!found)
		return -ENOENT;
	if ((req->id.cookie[0] != UINT32_MAX || req->id.cookie[1] != UINT32_MAX) &&
		(req->id.cookie[0] != diag_inode(file_of(found)) || req->id.cookie[1]))
		return -ESTALE;
	builder = nl_builder_new(NL_BUILDER_SIZE);
	if (!builder)
		return -ENOMEM;
	err = put_endpoint(builder, &header, found, req->extensions);
	err = err < 0 ? err : nl_answer(request, builder);
	free(builder);
	return err;
}

static int inet_request(struct nl_request *request)
{
	struct nl_attribute attributes[LX_INET_DIAG_REQ_PROTOCOL + 1];
	const struct nl_attribute *code = &attributes[LX_INET_DIAG_REQ_BYTECODE];
	struct nl_dump dump = {.fill = fill_inet, .header.nlmsg_type = LX_SOCK_DIAG_BY_FAMILY};
	struct lx_inet_diag_req req;
	int err;

	if (request->size < sizeof(req))
		return -EINVAL;
	memcpy(&req, request->body, sizeof(req));
	if (!(request->header.nlmsg_flags & LX_NLM_F_DUMP))
		return req.protocol == INET_TCP || req.protocol == INET_UDP ||
				       req.protocol == INET_UDPLITE
			       ? get_one(request, &req)
			       : -ENOENT;
	err = nl_parse(request, sizeof(req), attributes, LX_INET_DIAG_REQ_PROTOCOL, NULL);
	if (err < 0)
		return err;
	memcpy(dump.filter, &req, sizeof(req));
	if (req.protocol == LX_IPPROTO_RAW)
		dump.fill = raw_diag_fill;
	else if (req.protocol != INET_TCP && req.protocol != INET_UDP &&
		 req.protocol != INET_UDPLITE)
		return nl_dump_fail(request, -ENOENT, NULL);
	if (code->data) {
		if (code->size > BYTECODE_MAX || !filter_valid(code->data, code->size))
			return -EINVAL;
		dump.more = malloc(code->size + 1);
		if (!dump.more)
			return -ENOMEM;
		memcpy(dump.more, code->data, code->size);
		dump.more_size = code->size;
	}
	return nl_dump_start(request, &dump);
}

static int diag_request(struct nl_request *request)
{
	if (request->header.nlmsg_type == LX_SOCK_DESTROY)
		return netlink_may_administer(request) ? -EOPNOTSUPP : -EPERM;
	if (request->header.nlmsg_type == 18 || request->header.nlmsg_type == 19)
		return -ENOENT; /* TCPDIAG_GETSOCK, DCCPDIAG_GETSOCK: before Linux 3.3 */
	if (request->header.nlmsg_type != LX_SOCK_DIAG_BY_FAMILY || request->size < 2 ||
		request->body[0] >= LX_AF_MAX)
		return -EINVAL;
	switch (request->body[0]) {
	case LX_AF_INET:
	case LX_AF_INET6:
		return inet_request(request);
	case LX_AF_UNIX:
		return diag_unix_request(request);
	case LX_AF_NETLINK:
		return diag_netlink_request(request);
	case LX_AF_PACKET:
		return diag_packet_request(request);
	default:
		return -ENOENT;
	}
}

const struct netlink_protocol netlink_diag = {
	.name = "sock_diag",
	.groups = 32,
	.anybody_receives = true,
	.request = diag_request,
};
