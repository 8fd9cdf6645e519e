/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports (-p). A connection is taken and handed to the Sentry with a pair, as if the guest
 * had opened it; for UDP each peer of the port has a pair of its own, and answers go out by the
 * listener's socket, to that peer alone. The guest sees us as the peer, not whom the host saw.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "gateway/gateway_private.h"

#define ACCEPTS_A_TURN 16
#define BACKLOG	       128

static struct loop_fd watched[GATE_PUBLISH_MAX];
static uint8_t packet[65536 + 1];

/* ---- before the process is confined ---------------------------------------------------------- */

static int open_listener(const struct gate_publish *publish, const struct gate_address *address)
{
	static const int on = 1, off = 0;
	bool stream = publish->protocol == GATE_TCP;
	const struct gate_name name = {*address, publish->host};
	struct sockaddr_storage at = {0};
	socklen_t size = gate_sockaddr(&name, &at);
	_cleanup_close_ int fd = socket(at.ss_family,
		(stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (stream && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (at.ss_family == AF_INET6)
		(void)setsockopt(
			fd, IPPROTO_IPV6, IPV6_V6ONLY, publish->any ? &off : &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, size) < 0)
		return -errno;
	if (stream && listen(fd, BACKLOG) < 0)
		return -errno;
	return take_fd(&fd);
}

int gateway_listen(struct gateway_config *config, char *why, size_t why_size)
{
	static const struct gate_address any = {{0}};
	static const uint8_t any4[4] = {0};

	for (size_t i = 0; i < config->publish_count; i++) {
		const struct gate_publish *publish = &config->publish[i];
		struct gate_address four = gate_from_v4(any4);
		char text[GATE_NAME_TEXT];
		struct gate_name name = {publish->any ? four : publish->address, publish->host};
		int fd = open_listener(publish, publish->any ? &any : &publish->address);

		/* A host without IPv6. */
		if (fd < 0 && publish->any && fd != -EADDRINUSE && fd != -EACCES)
			fd = open_listener(publish, &four);
		if (fd < 0) {
			gate_name_write(&name, text);
			(void)snprintf(why, why_size, "--publish: cannot listen on %s %s: %s",
				publish->protocol == GATE_UDP ? "udp" : "tcp", text, strerror(-fd));
			while (i-- > 0)
				close(config->listeners[i]);
			return fd;
		}
		config->listeners[i] = fd;
	}
	return 0;
}

/* ---- connections ----------------------------------------------------------------------------- */

static int new_inward(enum gate_flow_kind kind, unsigned listener, const struct gate_name *peer,
	struct gate_flow **ret)
{
	const struct gate_publish *publish = &gateway.config->publish[listener];
	struct gate_flow *flow;
	int err = gate_flow_new(kind, gate_new_id(), &flow);

	if (err < 0)
		return err;
	flow->inward = true;
	flow->listener = listener;
	flow->protocol = publish->protocol;
	flow->from = *peer;
	flow->to.port = publish->guest;
	(void)gate_address_parse(GATE_GUEST_V4, &flow->to.address);
	*ret = flow;
	return 0;
}

static void accept_ready(struct loop_fd *self, uint32_t events)
{
	unsigned listener = (unsigned)(self - watched);

	for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage address = {0};
		socklen_t size = sizeof(address);
		int fd = accept4(
			self->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct gate_flow *flow;
		struct gate_name peer;

		if (fd < 0)
			return;
		if (gate_from_sockaddr(&address, &peer) < 0 ||
			new_inward(GATE_FLOW_STREAM, listener, &peer, &flow) < 0) {
			close(fd);
			continue;
		}
		gate_watch_init(&flow->host, fd, NULL, flow);
		if (gate_stream_start(flow, GATE_INCOMING) < 0)
			gate_flow_free(flow);
	}
}

/* ---- datagrams ------------------------------------------------------------------------------- */

static struct gate_flow *find_peer(unsigned listener, const struct gate_name *peer)
{
	struct gate_flow *flow;

	list_for_each_entry (flow, &gateway.list, link) {
		if (flow->kind == GATE_FLOW_PUBLISHED && flow->listener == listener &&
			flow->from.port == peer->port &&
			gate_same(&flow->from.address, &peer->address))
			return flow;
	}
	return NULL;
}

/* From the guest to the peer. */
void gate_published_ready(struct loop_fd *self, uint32_t events)
{
	struct gate_flow *flow = self->data;
	struct sockaddr_storage to = {0};
	socklen_t size;
	ssize_t n;

	gate_flow_used(flow);
	n = recv(self->fd, packet, sizeof(packet), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		gate_flow_end(flow, "closed");
		return;
	}
	size = gate_sockaddr(&flow->from, &to);
	/* The listener may be a dual-stack one, which knows IPv4 in the mapped form. */
	if (gateway.config->publish[flow->listener].any && to.ss_family == AF_INET) {
		struct sockaddr_in6 six = {
			.sin6_family = AF_INET6, .sin6_port = htons(flow->from.port)};
		struct sockaddr_storage own = {0};
		socklen_t own_size = sizeof(own);

		memcpy(&six.sin6_addr, flow->from.address.bytes, 16);
		if (getsockname(watched[flow->listener].fd, (struct sockaddr *)&own, &own_size) ==
				0 &&
			own.ss_family == AF_INET6) {
			memcpy(&to, &six, sizeof(six));
			size = sizeof(six);
		}
	}
	if (sendto(watched[flow->listener].fd, packet + 1, (size_t)n - 1,
		    MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, size) >= 0)
		flow->up.bytes += (uint64_t)n - 1;
}

static struct gate_flow *new_peer(unsigned listener, const struct gate_name *peer)
{
	struct gate_message message = {.kind = GATE_INCOMING, .protocol = GATE_UDP};
	struct gate_flow *flow;
	int other;

	if (new_inward(GATE_FLOW_PUBLISHED, listener, peer, &flow) < 0)
		return NULL;
	other = gate_flow_pair(flow, gate_published_ready);
	if (other < 0) {
		gate_flow_free(flow);
		return NULL;
	}
	gate_watch_want(&flow->pair, EPOLLIN);
	message.id = flow->id;
	message.from_port = peer->port;
	message.to_port = flow->to.port;
	memcpy(message.from, peer->address.bytes, sizeof(message.from));
	gate_send(&message, other);
	close(other);
	return flow;
}

static void datagram_ready(struct loop_fd *self, uint32_t events)
{
	unsigned listener = (unsigned)(self - watched);
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	struct gate_flow *flow;
	struct gate_name peer;
	ssize_t n;

	packet[0] = 0;
	n = recvfrom(self->fd, packet + 1, sizeof(packet) - 1, MSG_DONTWAIT,
		(struct sockaddr *)&address, &size);
	if (n < 0 || gate_from_sockaddr(&address, &peer) < 0)
		return;
	flow = find_peer(listener, &peer);
	if (!flow)
		flow = new_peer(listener, &peer);
	if (!flow)
		return;
	gate_flow_used(flow);
	if (send(flow->pair.loop.fd, packet, (size_t)n + 1, MSG_NOSIGNAL) > 0)
		flow->down.bytes += (uint64_t)n;
}

void gate_published_gone(struct gate_flow *flow)
{
	/* Its socket is the listener's: nothing to close. */
	flow->host.loop.fd = -1;
}

int gate_published_start(void)
{
	const struct gateway_config *config = gateway.config;

	for (size_t i = 0; i < config->publish_count; i++) {
		int r;

		watched[i] = (struct loop_fd){.fd = config->listeners[i],
			.events = EPOLLIN,
			.ready = config->publish[i].protocol == GATE_TCP ? accept_ready
									 : datagram_ready};
		r = loop_fd_add(&watched[i]);
		if (r < 0)
			return r;
	}
	return 0;
}
