/* SPDX-License-Identifier: Apache-2.0 */
/* NETLINK_SOCK_DIAG for the families beside the Internet's: AF_UNIX, AF_NETLINK, AF_PACKET. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/poll.h"
#include "base/checked.h"
#include "netstack/inet.h"
#include "sentry/socket/netlink_diag.h"
#include "sentry/socket/packet.h"
#include "sentry/socket/unix.h"

/* ---- AF_UNIX --------------------------------------------------------------------------------- */

/* As sk_state has it, in TCP's names. */
static unsigned unix_state(const struct unix_socket *socket)
{
	switch (socket->state) {
	case UNIX_LISTENING:
		return TCP_LISTEN;
	case UNIX_CONNECTED:
		return TCP_ESTABLISHED;
	default:
		return TCP_CLOSED;
	}
}

/* Those that wait to be accepted: the inodes of who connected. */
static void put_waiting(struct nl_builder *builder, const struct unix_socket *socket)
{
	const struct unix_socket *child;
	uint32_t inodes[256];
	size_t count = 0;

	list_for_each_entry (child, &socket->backlog, backlog_link) {
		if (count == array_size(inodes))
			break;
		inodes[count++] = child->peer ? diag_inode(child->peer->base.file) : 0;
	}
	if (count)
		nl_attribute(builder, LX_UNIX_DIAG_ICONS, inodes, count * sizeof(inodes[0]));
}

static int put_unix(struct nl_builder *builder, const struct lx_nlmsghdr *header,
	const struct unix_socket *socket, unsigned show)
{
	const struct file *file = socket->base.file;
	const struct lx_unix_diag_msg message = {
		.family = LX_AF_UNIX,
		.type = (uint8_t)socket->base.type,
		.state = (uint8_t)unix_state(socket),
		.inode = diag_inode(file),
		.cookie = {diag_inode(file), 0},
	};
	bool listens = socket->state == UNIX_LISTENING;
	size_t start = nl_begin(builder, header);

	nl_put(builder, &message, sizeof(message));
	if ((show & LX_UDIAG_SHOW_NAME) && socket->name.size > 2)
		nl_attribute(
			builder, LX_UNIX_DIAG_NAME, socket->name.bytes + 2, socket->name.size - 2);
	if ((show & LX_UDIAG_SHOW_VFS) && socket->bound_path.dentry) {
		const struct inode *inode = socket->bound_path.dentry->inode;
		const uint32_t place[2] = {
			inode ? (uint32_t)inode->ino : 0, inode ? (uint32_t)inode->sb->dev : 0};

		nl_attribute(builder, LX_UNIX_DIAG_VFS, place, sizeof(place));
	}
	if ((show & LX_UDIAG_SHOW_PEER) && socket->peer)
		nl_u32(builder, LX_UNIX_DIAG_PEER, diag_inode(socket->peer->base.file));
	if ((show & LX_UDIAG_SHOW_ICONS) && listens)
		put_waiting(builder, socket);
	if (show & LX_UDIAG_SHOW_RQLEN) {
		const uint32_t lengths[2] = {listens ? socket->backlog_count : socket->queued,
			listens ? socket->backlog_limit : socket->sent};

		nl_attribute(builder, LX_UNIX_DIAG_RQLEN, lengths, sizeof(lengths));
	}
	if (show & LX_UDIAG_SHOW_MEMINFO) {
		const uint32_t memory[9] = {
			0, socket->base.receive_size, socket->sent, socket->base.send_size};

		nl_attribute(builder, LX_UNIX_DIAG_MEMINFO, memory, sizeof(memory));
	}
	nl_u8(builder, LX_UNIX_DIAG_SHUTDOWN,
		(uint8_t)(socket->read_shut | socket->write_shut << 1));
	if ((show & LX_UDIAG_SHOW_UID) && file)
		nl_u32(builder, LX_UNIX_DIAG_UID, uid_here(file->inode->uid));
	return nl_end(builder, start);
}

static bool is_there(const struct unix_socket *socket, const struct netlink_socket *asker)
{
	return socket->state != UNIX_CLOSED && socket->base.net == asker->base.net;
}

static int fill_unix(struct netlink_socket *asker, struct nl_dump *dump, struct nl_builder *builder)
{
	struct lx_unix_diag_req req;
	size_t place = 0;

	memcpy(&req, dump->filter, sizeof(req));
	for (const struct unix_socket *socket = unix_next(NULL); socket;
		socket = unix_next(socket)) {
		if (place++ < dump->at[0])
			continue;
		if (is_there(socket, asker) && (req.states >> unix_state(socket) & 1) &&
			put_unix(builder, &dump->header, socket, req.show) < 0)
			return 1;
		dump->at[0] = place;
	}
	return 0;
}

static int get_unix(struct nl_request *request, const struct lx_unix_diag_req *req)
{
	const struct lx_nlmsghdr header = nl_answer_header(request, LX_SOCK_DIAG_BY_FAMILY);
	const struct unix_socket *socket = unix_next(NULL);
	struct nl_builder *builder;
	int err;

	if (req->inode == 0)
		return -EINVAL;
	while (socket &&
		!(is_there(socket, request->socket) && diag_inode(socket->base.file) == req->inode))
		socket = unix_next(socket);
	if (!socket)
		return -ENOENT;
	if ((req->cookie[0] != UINT32_MAX || req->cookie[1] != UINT32_MAX) &&
		(req->cookie[0] != req->inode || req->cookie[1]))
		return -ESTALE;
	builder = nl_builder_new(NL_BUILDER_SIZE);
	if (!builder)
		return -ENOMEM;
	err = put_unix(builder, &header, socket, req->show);
	err = err < 0 ? err : nl_answer(request, builder);
	free(builder);
	return err;
}

int diag_unix_request(struct nl_request *request)
{
	struct nl_dump dump = {.fill = fill_unix, .header.nlmsg_type = LX_SOCK_DIAG_BY_FAMILY};
	struct lx_unix_diag_req req;

	if (request->size < sizeof(req))
		return -EINVAL;
	memcpy(&req, request->body, sizeof(req));
	if (!(request->header.nlmsg_flags & LX_NLM_F_DUMP))
		return get_unix(request, &req);
	memcpy(dump.filter, &req, sizeof(req));
	return nl_dump_start(request, &dump);
}

/* ---- AF_NETLINK ------------------------------------------------------------------------------ */

#define NETLINK_ALL_PROTOCOLS 255

static int fill_netlink(
	struct netlink_socket *asker, struct nl_dump *dump, struct nl_builder *builder)
{
	struct lx_netlink_diag_req req;
	size_t place = 0;

	memcpy(&req, dump->filter, sizeof(req));
	for (const struct netlink_socket *socket = netlink_next(NULL); socket;
		socket = netlink_next(socket)) {
		const struct lx_netlink_diag_msg message = {
			.family = LX_AF_NETLINK,
			.type = (uint8_t)socket->base.type,
			.protocol = (uint8_t)socket->base.protocol,
			.state = TCP_CLOSED,
			.port = socket->port,
			.peer_port = socket->peer_port,
			.inode = diag_inode(socket->base.file),
			.cookie = {diag_inode(socket->base.file), 0},
		};
		size_t start;

		if (place++ < dump->at[0])
			continue;
		if (socket->base.net == asker->base.net &&
			(req.protocol == NETLINK_ALL_PROTOCOLS ||
				req.protocol == socket->base.protocol)) {
			start = nl_begin(builder, &dump->header);
			nl_put(builder, &message, sizeof(message));
			if (nl_end(builder, start) < 0)
				return 1;
		}
		dump->at[0] = place;
	}
	return 0;
}

int diag_netlink_request(struct nl_request *request)
{
	struct nl_dump dump = {.fill = fill_netlink, .header.nlmsg_type = LX_SOCK_DIAG_BY_FAMILY};
	struct lx_netlink_diag_req req;

	if (request->size < sizeof(req))
		return -EINVAL;
	if (!(request->header.nlmsg_flags & LX_NLM_F_DUMP))
		return -EOPNOTSUPP;
	memcpy(&req, request->body, sizeof(req));
	memcpy(dump.filter, &req, sizeof(req));
	return nl_dump_start(request, &dump);
}

/* ---- AF_PACKET ------------------------------------------------------------------------------- */

int diag_packet_request(struct nl_request *request)
{
	struct nl_dump dump = {
		.fill = packet_diag_fill, .header.nlmsg_type = LX_SOCK_DIAG_BY_FAMILY};

	/* struct packet_diag_req is as long as a netlink one. */
	if (request->size < sizeof(struct lx_netlink_diag_req) || request->body[1] != 0)
		return -EINVAL;
	if (!(request->header.nlmsg_flags & LX_NLM_F_DUMP))
		return -EOPNOTSUPP;
	return nl_dump_start(request, &dump);
}
