/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows to the host's network.
 *
 * A stream is relayed between two sockets, each way by itself: what was read and cannot be written
 * waits in `rest`, and nothing more is read that way until it is gone, so the slower end slows the
 * other down through the kernel's buffers. The end of one way is passed on with shutdown(2), and
 * when both have ended the flow has; an error on either side resets both.
 *
 * Under a domain's rule the client's first bytes go no further until it is clear what they are:
 * TLS whose server name the rules allow for this address, or something else on a port where
 * clients do not begin with TLS.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "gateway/gateway_private.h"
#include "gateway/tls.h"

#define CHUNK_SIZE (128u << 10)
#define ROUNDS	   4u /* of a chunk, before others have their turn */
#define NAMES_MAX  64u

static uint8_t chunk[CHUNK_SIZE];

/* ---- sockets --------------------------------------------------------------------------------- */

socklen_t gate_sockaddr(const struct gate_name *name, void *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(name->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(name->port)};

	if (gate_is_v4(&name->address)) {
		memcpy(&in.sin_addr, name->address.bytes + 12, 4);
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, name->address.bytes, 16);
	memcpy(ret, &in6, sizeof(in6));
	return sizeof(in6);
}

int gate_from_sockaddr(const void *address, struct gate_name *ret)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	memcpy(&in, address, sizeof(in));
	if (in.sin_family == AF_INET) {
		uint8_t bytes[4];

		memcpy(bytes, &in.sin_addr, 4);
		*ret = (struct gate_name){gate_from_v4(bytes), ntohs(in.sin_port)};
		return 0;
	}
	if (in.sin_family != AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(&in6, address, sizeof(in6));
	memcpy(ret->address.bytes, &in6.sin6_addr, 16);
	ret->port = ntohs(in6.sin6_port);
	return 0;
}

int gate_connect(const struct gate_name *name, int type, bool *ret_pending)
{
	struct sockaddr_storage address = {0};
	socklen_t size = gate_sockaddr(name, &address);
	_cleanup_close_ int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*ret_pending = false;
	if (connect(fd, (struct sockaddr *)&address, size) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		*ret_pending = true;
	}
	return take_fd(&fd);
}

bool gate_is_own(const struct gate_address *address)
{
	/* What is sent to an address of one's own comes from it; connecting a datagram socket asks
	 * for the way there and sends nothing. */
	const struct gate_name name = {*address, 9};
	struct sockaddr_storage from = {0};
	socklen_t size = sizeof(from);
	struct gate_name source;
	bool pending;
	_cleanup_close_ int fd = gate_connect(&name, SOCK_DGRAM, &pending);

	/* Without a way there is nobody to reach. */
	if (fd < 0 || getsockname(fd, (struct sockaddr *)&from, &size) < 0 ||
		gate_from_sockaddr(&from, &source) < 0)
		return false;
	return gate_same(&source.address, address);
}

/* ---- whom a client names --------------------------------------------------------------------- */

static bool server_allowed(const struct gate_flow *flow, const char *server)
{
	const char *names[NAMES_MAX];
	struct gate_question question;
	size_t count =
		gate_pins_find(&gateway.pins, &flow->to.address, gate_now(), names, NAMES_MAX - 1);

	/* The pin may have ended meanwhile; the flow has not. */
	names[count++] = flow->domain;
	gate_question_init(&question, flow->protocol, &flow->to, names, count);
	return gate_rules_server(&gateway.config->rules, &question, server);
}

/* 1: go on; 0: more bytes are needed; -EACCES. */
static int judge_hello(const struct gate_flow *flow)
{
	char server[GATE_DOMAIN_MAX] = "";

	switch (gate_tls_look(flow->hello, flow->hello_size, server)) {
	case GATE_TLS_MORE:
		return 0;
	case GATE_TLS_NONE:
		if (!gate_port_is_tls(flow->to.port))
			return 1;
		break;
	case GATE_TLS_NAMED:
		if (server_allowed(flow, server))
			return 1;
		gate_report_server(flow, server);
		return -EACCES;
	default:
		break;
	}
	gate_report_server(flow, NULL);
	return -EACCES;
}

/* Reads on from the guest until it is clear. 1: it is, and the bytes are flow->up's. */
static int read_hello(struct gate_flow *flow)
{
	ssize_t n;
	int r;

	if (!flow->hello) {
		flow->hello = malloc(GATE_TLS_RECORD_MAX);
		if (!flow->hello)
			return -ENOMEM;
	}
	n = recv(flow->pair.loop.fd, flow->hello + flow->hello_size,
		GATE_TLS_RECORD_MAX - flow->hello_size, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	flow->hello_size += (size_t)n;
	/* A client that ends without a word, or within one that was TLS. */
	r = n == 0 ? (flow->hello_size ? -EACCES : 1) : judge_hello(flow);
	if (r == 0 && flow->hello_size == GATE_TLS_RECORD_MAX)
		r = -EACCES;
	if (r <= 0)
		return r;
	flow->checking = false;
	flow->up.rest = flow->hello;
	flow->up.rest_size = flow->hello_size;
	flow->hello = NULL;
	flow->up.ended = n == 0;
	return 1;
}

/* ---- streams --------------------------------------------------------------------------------- */

/* Writes what waits. 1 when all of it is gone. */
static int write_rest(struct gate_stream *stream, int to)
{
	while (stream->rest_at < stream->rest_size) {
		ssize_t n = send(to, stream->rest + stream->rest_at,
			stream->rest_size - stream->rest_at, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		stream->rest_at += (size_t)n;
		stream->bytes += (uint64_t)n;
	}
	free(stream->rest);
	stream->rest = NULL;
	stream->rest_at = stream->rest_size = 0;
	return 1;
}

static int keep_rest(struct gate_stream *stream, const uint8_t *from, size_t size)
{
	stream->rest = malloc(size);
	if (!stream->rest)
		return -ENOMEM;
	memcpy(stream->rest, from, size);
	stream->rest_at = 0;
	stream->rest_size = size;
	return 0;
}

/* One way, as far as it goes now. 0, -errno when the flow is broken. */
static int relay(struct gate_stream *stream, int from, int to)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		int r = write_rest(stream, to);
		ssize_t n, put;

		if (r <= 0)
			return r;
		if (stream->ended)
			return 0;
		n = recv(from, chunk, sizeof(chunk), 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (n == 0) {
			stream->ended = true;
			return 0;
		}
		put = send(to, chunk, (size_t)n, MSG_NOSIGNAL);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		put = put < 0 ? 0 : put;
		stream->bytes += (uint64_t)put;
		if (put < n)
			return keep_rest(stream, chunk + put, (size_t)(n - put));
		if ((size_t)n < sizeof(chunk) / 8)
			return 0; /* likely all there was: the loop says if not */
	}
	return 0;
}

static void pass_end(struct gate_stream *stream, int to)
{
	if (!stream->ended || stream->rest || stream->passed)
		return;
	stream->passed = true;
	(void)shutdown(to, SHUT_WR);
}

static void stream_step(struct gate_flow *flow)
{
	bool had_ended = flow->up.ended;
	uint32_t id = flow->id;
	int host = flow->host.loop.fd, pair = flow->pair.loop.fd, r = 0, from_host;
	bool up_waits, down_waits;

	if (flow->checking)
		r = read_hello(flow);
	if (r >= 0 && !flow->checking)
		r = relay(&flow->up, pair, host);
	if (!had_ended && flow->up.ended) {
		/* A reset was said before the pair was closed, if it was one. */
		gate_take_messages();
		if (gate_flow_find(id) != flow)
			return;
	}
	from_host = r < 0 ? 0 : relay(&flow->down, host, pair);
	if (r < 0 || from_host < 0) {
		int error = r < 0 ? -r : -from_host;

		gate_flow_reset(flow, error == EPIPE ? ECONNRESET : error,
			error == EACCES ? "denied" : "reset");
		return;
	}
	pass_end(&flow->up, host);
	pass_end(&flow->down, pair);
	up_waits = flow->up.rest;
	down_waits = flow->down.rest;
	if (flow->up.ended && flow->down.ended && !up_waits && !down_waits) {
		gate_flow_end(flow, "closed");
		return;
	}
	gate_watch_want(&flow->host, (flow->down.ended || down_waits ? 0u : (unsigned)EPOLLIN) |
					     (up_waits ? (unsigned)EPOLLOUT : 0u));
	gate_watch_want(&flow->pair, (flow->up.ended || up_waits ? 0u : (unsigned)EPOLLIN) |
					     (down_waits ? (unsigned)EPOLLOUT : 0u));
}

static void stream_ready(struct loop_fd *self, uint32_t events)
{
	struct gate_flow *flow = self->data;

	flow->used = gate_now();
	stream_step(flow);
}

static void announce(struct gate_flow *flow, enum gate_kind kind, int fd)
{
	struct gate_message message = {.kind = kind, .id = flow->id};

	if (kind == GATE_INCOMING) {
		message.protocol = flow->protocol;
		message.to_port = flow->to.port;
		message.from_port = flow->from.port;
		memcpy(message.from, flow->from.address.bytes, sizeof(message.from));
	}
	gate_send(&message, fd);
}

int gate_stream_start(struct gate_flow *flow, enum gate_kind kind)
{
	static const int on = 1;
	_cleanup_close_ int other = gate_flow_pair(flow, stream_ready);

	if (other < 0)
		return other;
	(void)setsockopt(flow->host.loop.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	flow->connecting = false;
	flow->host.loop.ready = stream_ready;
	gate_watch_want(&flow->host, EPOLLIN);
	gate_watch_want(&flow->pair, EPOLLIN);
	announce(flow, kind, other);
	return 0;
}

static void stream_refused(struct gate_flow *flow, int error)
{
	gate_refuse(flow->id, error);
	gate_flow_end(flow, strerrorname_np(error) ? strerrorname_np(error) : "error");
}

static void connect_ready(struct loop_fd *self, uint32_t events)
{
	struct gate_flow *flow = self->data;
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (!error && !(events & EPOLLOUT))
		return;
	if (!error)
		error = -gate_stream_start(flow, GATE_OPENED);
	if (error)
		stream_refused(flow, error);
}

void gate_stream_open(struct gate_flow *flow)
{
	int fd = gate_connect(&flow->to, SOCK_STREAM, &flow->connecting);

	if (fd < 0) {
		stream_refused(flow, -fd);
		return;
	}
	gate_watch_init(&flow->host, fd, connect_ready, flow);
	gate_watch_want(&flow->host, EPOLLOUT);
}

/* ---- datagrams ------------------------------------------------------------------------------- */

#define DATAGRAMS_A_TURN 64

/* What cannot be sent on at once is lost, as datagrams are. */

/* Both ways of a pair carry one byte before each datagram: an empty packet would be its end. */
static int forward_up(struct gate_flow *flow)
{
	for (unsigned i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t n = recv(flow->pair.loop.fd, chunk, sizeof(chunk), 0), put;

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (n == 0)
			return -EPIPE;
		put = send(flow->host.loop.fd, chunk + 1, (size_t)n - 1, MSG_NOSIGNAL);
		if (put < 0 && errno == ECONNREFUSED)
			return -errno;
		flow->up.bytes += put > 0 ? (uint64_t)put : 0;
	}
	return 0;
}

static int forward_down(struct gate_flow *flow)
{
	chunk[0] = 0;
	for (unsigned i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t n = recv(flow->host.loop.fd, chunk + 1, sizeof(chunk) - 1, 0);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (send(flow->pair.loop.fd, chunk, (size_t)n + 1, MSG_NOSIGNAL) > 0)
			flow->down.bytes += (uint64_t)n;
	}
	return 0;
}

static void datagrams_ready(struct loop_fd *self, uint32_t events)
{
	struct gate_flow *flow = self->data;
	int r;

	gate_flow_used(flow);
	r = self == &flow->pair.loop ? forward_up(flow) : forward_down(flow);
	if (r == -EPIPE)
		gate_flow_end(flow, "closed");
	else if (r < 0)
		gate_flow_reset(flow, -r, r == -ECONNREFUSED ? "refused" : "error");
}

void gate_datagrams_open(struct gate_flow *flow)
{
	int fd = gate_connect(&flow->to, SOCK_DGRAM, &flow->connecting), other = -1;

	if (fd >= 0) {
		gate_watch_init(&flow->host, fd, datagrams_ready, flow);
		other = gate_flow_pair(flow, datagrams_ready);
	}
	if (fd < 0 || other < 0) {
		stream_refused(flow, fd < 0 ? -fd : -other);
		return;
	}
	gate_watch_want(&flow->host, EPOLLIN);
	gate_watch_want(&flow->pair, EPOLLIN);
	announce(flow, GATE_OPENED, other);
	close(other);
}
