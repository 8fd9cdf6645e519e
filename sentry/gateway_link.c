/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the relay's flows (netstack/relay.h) and the gateway's sockets.
 *
 * Each flow has a number of ours, or of the gateway's, and, once the gateway has opened it, one
 * local socket whose other end the gateway holds. Bytes go straight between the stack's blocks and
 * that socket; while one side takes no more, the other is not read.
 *
 * The end of the socket is the peer's FIN, unless a RESET for the flow waits in the conversation,
 * which is therefore looked at first. Datagrams have a byte of zero before them, for an empty one
 * would look like the end.
 */
#include "sentry/gateway_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "gateway/gateway.h"
#include "gateway/wire.h"
#include "netstack/relay.h"
#include "sentry/kernel_private.h"
#include "sentry/nsproxy.h"

#define CHUNK_SIZE	(64u << 10)
#define TURN_CHUNKS	4u
#define VECTORS_MAX	64
#define MESSAGES_A_TURN 64
#define QUEUE_MAX	(2u * RELAY_FLOWS_MAX)

struct flow {
	struct hash_entry by_id;
	struct relay_flow *relay;
	uint32_t id;
	struct loop_fd fd; /* -1 until the gateway has opened it */
	bool in_set, write_ended, read_ended, handshaking, gone;
};

/* A message that the socket had no room for. */
struct queued {
	struct list_head link;
	struct gate_message message;
};

static struct {
	struct relay relay;
	struct loop_fd control;
	struct hash_table flows;
	struct list_head queue;
	unsigned queued, open_count;
	uint32_t last_id;
	bool broken, in_messages;
} uplink;

/* ---- the conversation ------------------------------------------------------------------------ */

static bool send_now(const struct gate_message *message)
{
	return send(uplink.control.fd, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static int say(const struct gate_message *message)
{
	struct queued *queued;

	if (uplink.broken)
		return -ENETDOWN;
	if (list_empty(&uplink.queue) && send_now(message))
		return 0;
	if (uplink.queued >= QUEUE_MAX)
		return -ENOBUFS;
	queued = malloc(sizeof(*queued));
	if (!queued)
		return -ENOMEM;
	queued->message = *message;
	list_add_tail(&queued->link, &uplink.queue);
	uplink.queued++;
	(void)loop_fd_modify(&uplink.control, EPOLLIN | EPOLLOUT);
	return 0;
}

static void say_queued(void)
{
	while (!list_empty(&uplink.queue)) {
		struct queued *queued = list_first(&uplink.queue, struct queued, link);

		if (!send_now(&queued->message))
			return;
		list_remove(&queued->link);
		uplink.queued--;
		free(queued);
	}
	(void)loop_fd_modify(&uplink.control, EPOLLIN);
}

static void say_reset(const struct flow *flow)
{
	const struct gate_message message = {.kind = GATE_RESET, .id = flow->id};

	(void)say(&message);
}

/* ---- flows ----------------------------------------------------------------------------------- */

static void want(struct flow *flow, uint32_t events)
{
	if (flow->fd.fd < 0)
		return;
	if (events && flow->in_set) {
		(void)loop_fd_modify(&flow->fd, events);
	} else if (events) {
		flow->fd.events = events;
		flow->in_set = loop_fd_add(&flow->fd) == 0;
	} else if (flow->in_set) {
		loop_fd_remove(&flow->fd);
		flow->in_set = false;
	}
}

static struct flow *find(uint32_t id)
{
	struct flow *flow;

	hash_for_each_match(flow, &uplink.flows, hash_u64(id), by_id)
	{
		if (flow->id == id)
			return flow;
	}
	return NULL;
}

static struct flow *flow_new(uint32_t id)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	if (!flow || hash_insert(&uplink.flows, &flow->by_id, hash_u64(id)) < 0) {
		free(flow);
		return NULL;
	}
	flow->id = id;
	flow->fd.fd = -1;
	flow->fd.data = flow;
	return flow;
}

static void flow_free(struct flow *flow)
{
	want(flow, 0);
	if (flow->fd.fd >= 0)
		close(flow->fd.fd);
	hash_remove(&uplink.flows, &flow->by_id);
	free(flow);
}

/* Both sides hear of a reset, but for the one that it came from. */
static void flow_reset(struct flow *flow, int error, bool tell_gateway)
{
	struct relay_flow *relay = flow->relay;

	if (tell_gateway)
		say_reset(flow);
	flow_free(flow);
	relay->owner = NULL;
	relay_abort(relay, error);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static int fill_vectors(
	struct netbuf_queue *queue, uint32_t skip, uint32_t size, struct iovec *vectors)
{
	int count = 0;

	for (struct netbuf *buf = queue->first; buf && size && count < VECTORS_MAX;
		buf = buf->next) {
		uint32_t part;

		if (skip >= buf->size) {
			skip -= buf->size;
			continue;
		}
		part = min_of(buf->size - skip, size);
		vectors[count++] = (struct iovec){buf->block->bytes + buf->offset + skip, part};
		skip = 0;
		size -= part;
	}
	return count;
}

/* From the guest. 1: there is more, but no room for it; 0; -errno. */
static int write_up(struct flow *flow)
{
	struct tcp *tcp = &flow->relay->tcp;
	struct iovec vectors[VECTORS_MAX];

	for (;;) {
		uint32_t skip, size = tcp_receivable(tcp, &skip);
		ssize_t n;

		if (!size)
			break;
		/* No position: writev(2), by the call that is on our list. */
		n = pwritev2(flow->fd.fd, vectors, fill_vectors(&tcp->receive, skip, size, vectors),
			-1, 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 1 : -errno;
		tcp_received(tcp, skip + (uint32_t)n, (int64_t)loop_monotonic());
	}
	/* A reset is no end: on_gone() tells. */
	if (tcp_at_end(tcp) && !tcp->error && !flow->write_ended) {
		flow->write_ended = true;
		(void)shutdown(flow->fd.fd, SHUT_WR);
	}
	return 0;
}

static void take_messages(void);

/* To the guest, while it has room. 1: it has none; 0; -errno. */
static int read_down(struct flow *flow)
{
	struct tcp *tcp = &flow->relay->tcp;

	for (unsigned i = 0; i < TURN_CHUNKS && !flow->read_ended; i++) {
		uint32_t room = tcp_send_space(tcp);
		struct netbuf_queue data = {0};
		struct iovec vector;
		ssize_t n;

		if (room < CHUNK_SIZE / 4)
			return 1;
		if (netbuf_reserve(
			    &data, min_of(room, CHUNK_SIZE), &vector.iov_base, &vector.iov_len) < 0)
			return 1;
		vector.iov_len = min_of(vector.iov_len, (size_t)room);
		n = preadv2(flow->fd.fd, &vector, 1, -1, 0);
		if (n > 0) {
			netbuf_commit(&data, (size_t)n);
			if (tcp_send(tcp, &data, false, false, (int64_t)loop_monotonic()) < 0) {
				netbuf_queue_clear(&data);
				return -EPIPE;
			}
			if ((size_t)n < vector.iov_len)
				return 0;
			continue;
		}
		netbuf_queue_clear(&data);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		/* Not from within the conversation, which has to be looked at first: the loop
		 * comes again. */
		if (uplink.in_messages)
			return 0;
		flow->read_ended = true;
	}
	return 0;
}

static void watch(struct flow *flow, bool write_waits, bool read_waits)
{
	want(flow, (flow->read_ended || read_waits ? 0u : (unsigned)EPOLLIN) |
			   (write_waits ? (unsigned)EPOLLOUT : 0u));
}

static bool is_over(const struct flow *flow)
{
	return flow->write_ended && flow->read_ended;
}

static void step(struct flow *flow)
{
	struct relay_flow *relay = flow->relay;
	uint32_t id = flow->id;
	bool had_ended = flow->read_ended;
	int up, down;

	if (flow->handshaking || flow->fd.fd < 0)
		return;
	up = write_up(flow);
	down = up < 0 ? 0 : read_down(flow);
	if (!had_ended && flow->read_ended) {
		/* A reset was said before the socket was closed, if it was one. */
		take_messages();
		if (find(id) != flow)
			return;
		(void)tcp_shutdown(&relay->tcp, (int64_t)loop_monotonic());
	}
	if (up < 0 || down < 0) {
		take_messages();
		if (find(id) == flow)
			flow_reset(flow, ECONNRESET, true);
		return;
	}
	watch(flow, up > 0, down > 0);
	if (is_over(flow)) {
		flow_free(flow);
		relay_close(relay);
		return;
	}
	relay_push(relay);
}

static void stream_ready(struct loop_fd *self, uint32_t events)
{
	step(self->data);
}

static uint8_t packet[GATE_DATAGRAM_MAX + 64];

static void datagrams_ready(struct loop_fd *self, uint32_t events)
{
	struct flow *flow = self->data;
	uint32_t id = flow->id;

	for (unsigned i = 0; i < MESSAGES_A_TURN; i++) {
		struct iovec vector = {packet, sizeof(packet)};
		struct netbuf_queue data = {0};
		ssize_t n = preadv2(self->fd, &vector, 1, -1, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0 || (size_t)n > GATE_DATAGRAM_MAX + 1) {
			struct relay_flow *relay = flow->relay;

			take_messages();
			if (find(id) != flow)
				return;
			flow_free(flow);
			relay_close(relay);
			return;
		}
		if (netbuf_append(&data, packet + 1, (size_t)n - 1) == 0)
			relay_send(flow->relay, &data);
		if (find(id) != flow)
			return;
	}
}

/* ---- the relay's side ------------------------------------------------------------------------ */

static void on_open(struct relay_flow *relay)
{
	struct gate_message message = {
		.kind = GATE_OPEN,
		.protocol = relay->protocol,
		.from_port = relay->guest.port,
		.to_port = relay->remote.port,
	};
	struct flow *flow;
	int r;

	uplink.last_id += 2;
	flow = find(uplink.last_id) ? NULL : flow_new(uplink.last_id);
	if (!flow) {
		relay_refuse(relay, ENOBUFS);
		return;
	}
	message.id = flow->id;
	memcpy(message.from, relay->guest.address.bytes, sizeof(message.from));
	memcpy(message.to, relay->remote.address.bytes, sizeof(message.to));
	r = say(&message);
	if (r < 0) {
		flow_free(flow);
		relay_refuse(relay, -r);
		return;
	}
	flow->relay = relay;
	relay->owner = flow;
}

static void on_changed(struct relay_flow *relay, uint32_t events)
{
	struct flow *flow = relay->owner;

	if (events & RELAY_CONNECTED)
		flow->handshaking = false;
	step(flow);
}

static void on_datagram(struct relay_flow *relay, struct netbuf_queue *data)
{
	static uint8_t zero;
	struct flow *flow = relay->owner;
	struct iovec vectors[1 + VECTORS_MAX] = {{&zero, 1}};
	int count;

	if (!flow || flow->fd.fd < 0)
		return;
	count = fill_vectors(data, 0, data->size, vectors + 1);
	/* What the gateway has no room for is lost, as datagrams are. */
	if (pwritev2(flow->fd.fd, vectors, 1 + count, -1, 0) < 0)
		uplink.relay.netif.counters.tx_dropped++;
}

static void on_gone(struct relay_flow *relay, int error)
{
	struct flow *flow = relay->owner;

	/* In order when both ends have ended; else the far end hears of it. */
	if (!is_over(flow))
		say_reset(flow);
	flow_free(flow);
	relay->owner = NULL;
}

static const struct relay_ops ops = {
	.open = on_open,
	.changed = on_changed,
	.datagram = on_datagram,
	.gone = on_gone,
};

/* ---- the gateway's side ---------------------------------------------------------------------- */

static void give(struct flow *flow, int fd)
{
	flow->fd.fd = fd;
	flow->fd.ready = flow->relay->protocol == INET_TCP ? stream_ready : datagrams_ready;
	want(flow, EPOLLIN);
}

static void opened(struct flow *flow, int fd)
{
	struct relay_flow *relay = flow->relay;

	give(flow, fd);
	flow->handshaking = relay->protocol == INET_TCP;
	if (flow->handshaking)
		want(flow, 0); /* until the program knows */
	relay_accept(relay);
}

static int incoming(const struct gate_message *message, int fd)
{
	static const uint8_t guest[4] = {10, 0, 2, 15};
	const struct inet_name to = {inet_from_v4(guest), message->to_port};
	struct flow *flow = find(message->id) ? NULL : flow_new(message->id);
	int r;

	if (!flow) {
		close(fd);
		return -EPROTO;
	}
	r = relay_connect(&uplink.relay, message->protocol, &to, flow, &flow->relay);
	if (r < 0) {
		say_reset(flow);
		close(fd);
		flow_free(flow);
		return 0;
	}
	give(flow, fd);
	flow->handshaking = message->protocol == INET_TCP;
	if (flow->handshaking) {
		want(flow, 0);
		relay_push(flow->relay);
	}
	return 0;
}

/* A last look at what came before the reset. */
static void reset_by_gateway(struct flow *flow, int error)
{
	if (flow->relay->protocol == INET_TCP && flow->fd.fd >= 0 && !flow->handshaking)
		(void)read_down(flow);
	flow_reset(flow, error, false);
}

static int take_message(const struct gate_message *message, int fd)
{
	struct flow *flow = find(message->id);

	if (message->kind == GATE_INCOMING)
		return incoming(message, fd);
	/* It may have ended here while the answer was under way. */
	if (!flow) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	switch (message->kind) {
	case GATE_OPENED:
		if (flow->fd.fd >= 0) {
			close(fd);
			return -EPROTO;
		}
		opened(flow, fd);
		return 0;
	case GATE_REFUSED: {
		struct relay_flow *relay = flow->relay;

		if (flow->fd.fd >= 0)
			return -EPROTO;
		flow_free(flow);
		relay->owner = NULL;
		relay_refuse(relay, message->error);
		return 0;
	}
	default:
		reset_by_gateway(flow, message->error);
		return 0;
	}
}

static void broken(void)
{
	if (uplink.broken)
		return;
	uplink.broken = true;
	loop_fd_remove(&uplink.control);
	relay_reset_all(&uplink.relay, ENETDOWN);
	(void)netif_set_up(&uplink.relay.netif, false);
	/* The launcher sees it too, and says why. */
	kernel_fail(125, "the gateway is gone");
}

/* 1 with a message, and its descriptor or -1; 0 when there is none; -errno. */
static int receive(struct gate_message *ret, int *ret_fd)
{
	char control[CMSG_SPACE(2 * sizeof(int))], bytes[sizeof(*ret) + 1];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr header = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(uplink.control.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;
	unsigned count = 0;
	int fds[2] = {-1, -1};

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	c = CMSG_FIRSTHDR(&header);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), min_of(count, 2u) * sizeof(int));
	}
	if (gate_message_check(bytes, (size_t)n, count, GATE_BY_GATEWAY, ret) < 0) {
		for (unsigned i = 0; i < min_of(count, 2u); i++)
			close(fds[i]);
		return -EPROTO;
	}
	*ret_fd = fds[0];
	return 1;
}

/* As many as there are, but for a gateway that never stops. */
static void take_messages(void)
{
	struct gate_message message;
	int fd = -1, r = 0;

	if (uplink.in_messages)
		return;
	uplink.in_messages = true;
	for (unsigned i = 0; i < 2 * GATE_FLOWS_MAX && !uplink.broken && r == 0; i++) {
		r = receive(&message, &fd);
		r = r > 0 ? take_message(&message, fd) : r < 0 ? r : 1;
	}
	uplink.in_messages = false;
	if (r < 0)
		broken();
}

static void control_ready(struct loop_fd *self, uint32_t events)
{
	if (events & EPOLLOUT)
		say_queued();
	take_messages();
}

/* ---- the interface --------------------------------------------------------------------------- */

static struct inet_address address_of(const char *text)
{
	struct gate_address parsed = {{0}};
	struct inet_address address;

	sentry_assert(gate_address_parse(text, &parsed) == 0);
	memcpy(address.bytes, parsed.bytes, sizeof(address.bytes));
	return address;
}

static int add_address(struct inet_address address, unsigned prefix)
{
	struct inet_address any = inet_is_v4(&address) ? inet_any4 : inet_any;
	struct netif_address entry = {
		.address = address,
		.peer = any,
		.broadcast = inet_is_v4(&address) ? inet_network_last(&address, prefix) : any,
		.prefix = (uint8_t)prefix,
		.scope = NETSCOPE_GLOBAL,
		.flags = NETADDR_PERMANENT,
		.preferred_until = INT64_MAX,
		.valid_until = INT64_MAX,
		.label = GATE_LINK_NAME,
	};

	return netif_address_add(&uplink.relay.netif, &entry);
}

static int add_default_route(struct netstack *stack, struct inet_address gateway)
{
	struct inet_address any = inet_is_v4(&gateway) ? inet_any4 : inet_any;
	const struct route route = {
		.destination = any,
		.gateway = gateway,
		.source = any,
		.protocol = NETROUTE_BY_BOOT,
		.scope = NETSCOPE_GLOBAL,
		.type = NETROUTE_UNICAST,
		.metric = inet_is_v4(&gateway) ? 0 : 1024, /* IP6_RT_PRIO_USER */
		.netif = &uplink.relay.netif,
		.valid_until = INT64_MAX,
	};

	return route_add(stack, &route);
}

int gateway_link_start(int fd)
{
	struct net_ns *net = container_of(nsproxy_first()->ns[NS_NET], struct net_ns, ns);
	struct relay *relay = &uplink.relay;
	int r;

	if (fd < 0)
		return 0;
	list_init(&uplink.queue);
	uplink.control = (struct loop_fd){.fd = fd, .events = EPOLLIN, .ready = control_ready};
	relay->ops = &ops;
	relay->own4 = address_of(GATE_OWN_V4);
	relay->own6 = address_of(GATE_OWN_V6);
	relay->netif.mtu = GATE_LINK_MTU;
	strcpy(relay->netif.name, GATE_LINK_NAME);
	r = loop_fd_add(&uplink.control);
	r = r < 0 ? r : relay_start(&net->stack, relay);
	r = r < 0 ? r : netif_set_up(&relay->netif, true);
	r = r < 0 ? r : add_address(address_of(GATE_GUEST_V4), GATE_LINK_PREFIX_V4);
	r = r < 0 ? r : add_address(address_of(GATE_GUEST_V6), GATE_LINK_PREFIX_V6);
	r = r < 0 ? r : add_default_route(&net->stack, address_of(GATE_OWN_V4));
	r = r < 0 ? r : add_default_route(&net->stack, address_of(GATE_OWN_V6));
	if (r < 0)
		kernel_fail(125, "the gateway's link cannot be set up: %s", strerror(-r));
	return r;
}
