/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP endpoints: connections as the protocol (tcp.h) has them, with names, a timer, and listeners
 * that make them. An endpoint is its owner's while notify is set, its listener's while it waits to
 * be accepted, and the stack's afterwards, which frees it when the protocol has closed it.
 */
#include "netstack/ip_private.h"
#include "netstack/tcp_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/random.h"

#define SEND_BUFFER	(2560u << 10)
#define RECEIVE_BUFFER	(256u << 10)
#define RECEIVE_MAX	(3u << 20)	     /* half of net.ipv4.tcp_rmem's last number */
#define TIME_WAIT_REUSE INT64_C(59000000000) /* ns left of its minute */
#define SECOND		SEC
#define DEFAULT_TTL	64u
#define MERGED_MAX	60000u		  /* of several segments that a driver cuts */
#define RETRY_MEMORY	INT64_C(10000000) /* ns until a connection without memory tries again */

static unsigned half_open_total;

static int64_t now_ns(void)
{
	return (int64_t)loop_monotonic();
}

/* A child's handshake is done: it waits to be accepted. */
static void child_ready(struct inet_tcp *child)
{
	struct inet_tcp *listener = child->listener;

	child->deferred_until = 0;
	list_add_tail(&child->accept_link, &listener->accept_queue);
	listener->half_open--;
	half_open_total--;
	listener->accept_count++;
	if (listener->endpoint.notify)
		listener->endpoint.notify(&listener->endpoint, INET_EVENT_READABLE);
}

/* TCP_DEFER_ACCEPT: the user is not told of a connection on which nothing was said yet. */
static void child_connected(struct inet_tcp *child)
{
	if (child->listener->defer_seconds && child->tcp.receive.size == 0 &&
		!child->tcp.fin_received)
		child->deferred_until = now_ns() + child->listener->defer_seconds * SECOND;
	else
		child_ready(child);
}

static void expired(struct timer *timer)
{
	struct inet_tcp *endpoint = timer->data;
	int64_t now = max_of(now_ns(), (int64_t)timer->deadline);

	tcp_timer(&endpoint->tcp, now);
	if (endpoint->deferred_until && now >= endpoint->deferred_until)
		child_ready(endpoint);
	inet_tcp_push(endpoint);
}

static void push_now(struct late_work *late)
{
	inet_tcp_push(list_entry(late, struct inet_tcp, late));
}

static uint16_t link_mss(bool v4)
{
	return (uint16_t)(INET_LOOPBACK_MTU - 1 - 20 - (v4 ? 20 : 40));
}

/* What goes into one segment to the peer, as far as is known; *@ret_joins, unless NULL: several may
 * leave as one. */
static uint16_t path_mss(const struct inet_endpoint *endpoint, bool *ret_joins)
{
	bool v4 = inet_is_v4(&endpoint->remote.address);
	uint32_t headers = 20 + (v4 ? IP4_HEADER : IP6_HEADER);
	struct route_result route;

	if (ret_joins)
		*ret_joins = false;
	if (inet_lookup(endpoint, &endpoint->remote.address, 0, &route) < 0 || route.local ||
		route.mtu <= headers + 40)
		return link_mss(v4);
	if (ret_joins)
		*ret_joins = (route.netif->flags & NETIF_TX_SEGMENTS) &&
			     (route.netif->flags & NETIF_TX_CHECKSUM);
	return (uint16_t)min_of(route.mtu - headers, (uint32_t)link_mss(v4));
}

int inet_tcp_new(struct netstack *stack, bool ipv6, struct inet_tcp **ret)
{
	struct inet_tcp *endpoint = calloc(1, sizeof(*endpoint));
	int err;

	if (!endpoint)
		return -ENOMEM;
	err = inet_endpoint_init(&endpoint->endpoint, stack, INET_TCP, ipv6);
	if (err < 0) {
		free(endpoint);
		return err;
	}
	endpoint->config = (struct tcp_config){
		.send_buffer = SEND_BUFFER,
		.receive_buffer = RECEIVE_BUFFER,
		.receive_buffer_max = RECEIVE_MAX,
		.mss = link_mss(!ipv6),
	};
	tcp_init(&endpoint->tcp, &endpoint->config);
	timer_init(&endpoint->timer, expired, endpoint);
	list_init(&endpoint->accept_queue);
	list_init(&endpoint->children);
	list_init(&endpoint->late.link);
	endpoint->late.run = push_now;
	list_init(&endpoint->accept_link);
	list_init(&endpoint->child_link);
	*ret = endpoint;
	return 0;
}

static void leave_listener(struct inet_tcp *child)
{
	struct inet_tcp *listener = child->listener;

	if (!listener)
		return;
	if (!list_empty(&child->accept_link)) {
		listener->accept_count--;
	} else {
		listener->half_open--;
		half_open_total--;
	}
	list_remove(&child->accept_link);
	list_remove(&child->child_link);
	child->listener = NULL;
}

void inet_tcp_destroy(struct inet_tcp *endpoint)
{
	leave_listener(endpoint);
	timer_cancel(&endpoint->timer);
	list_remove(&endpoint->late.link);
	tcp_fini(&endpoint->tcp);
	inet_endpoint_fini(&endpoint->endpoint);
	free(endpoint);
}

static struct inet_packet *make_packet(
	const struct inet_tcp *endpoint, const struct tcp_segment *segment)
{
	struct inet_packet *packet = malloc(sizeof(*packet));

	if (!packet)
		return NULL; /* the segment is lost, and comes again */
	*packet = (struct inet_packet){
		.protocol = INET_TCP,
		.ttl = endpoint->endpoint.ttl,
		.tos = endpoint->endpoint.tos,
		.netif_index = endpoint->endpoint.netif_index,
		.segment_size = (uint16_t)endpoint->tcp.mss,
		.from = endpoint->endpoint.local,
		.to = endpoint->endpoint.remote,
		.segment = *segment,
	};
	return packet;
}

static int transmit(struct inet_tcp *endpoint, struct tcp_segment *segment)
{
	struct inet_packet *packet = make_packet(endpoint, segment);

	if (!packet)
		return -ENOMEM;
	netstack_queue(endpoint->endpoint.stack, packet);
	return 0;
}

/* @next goes on where @packet ends, and a driver that cuts both out of one would make the same. */
static bool can_join(const struct inet_packet *packet, const struct tcp_segment *next, uint32_t mss)
{
	const struct tcp_segment *first = &packet->segment;
	uint32_t size = first->payload.size;

	return size > 0 && size % mss == 0 && next->payload.size > 0 &&
	       size + next->payload.size <= MERGED_MAX && next->payload.size <= mss &&
	       next->seq == first->seq + size && next->ack == first->ack &&
	       next->window == first->window && first->flags == TCP_ACK &&
	       (next->flags & ~(TCP_PSH | TCP_FIN)) == TCP_ACK && !first->sack_count &&
	       !next->sack_count && next->has_timestamp == first->has_timestamp &&
	       next->timestamp == first->timestamp && next->timestamp_echo == first->timestamp_echo;
}

/* Everything that is to be sent now; what tcp_output() said last. Full segments in a row go as one
 * to a driver that cuts them (NETIF_TX_SEGMENTS). */
static int transmit_all(struct inet_tcp *endpoint, int64_t now)
{
	struct netstack *stack = endpoint->endpoint.stack;
	struct inet_packet *held = NULL;
	struct tcp_segment segment;
	int more;

	while ((more = tcp_output(&endpoint->tcp, now, &segment)) > 0) {
		if (held && can_join(held, &segment, endpoint->tcp.mss)) {
			held->segment.flags |= segment.flags;
			netbuf_move(&held->segment.payload, &segment.payload);
			continue;
		}
		if (held)
			netstack_queue(stack, held);
		held = make_packet(endpoint, &segment);
		if (!held) {
			netbuf_queue_clear(&segment.payload);
			return more;
		}
		if (!endpoint->joins) {
			netstack_queue(stack, held);
			held = NULL;
		}
	}
	if (held)
		netstack_queue(stack, held);
	return more;
}

/* A fresh struct tcp with the options that the user has set on @options so far. */
static void renew(
	struct inet_tcp *endpoint, const struct tcp *options, const struct tcp_config *config)
{
	struct tcp *tcp = &endpoint->tcp, old = *options;

	tcp_fini(tcp);
	tcp_init(tcp, config);
	tcp->nodelay = old.nodelay;
	tcp->cork = old.cork;
	tcp->keepalive = old.keepalive;
	tcp->oob_inline = old.oob_inline;
	tcp->keepalive_idle = old.keepalive_idle;
	tcp->keepalive_interval = old.keepalive_interval;
	tcp->keepalive_count = old.keepalive_count;
	tcp->user_timeout = old.user_timeout;
	tcp->syn_retries = old.syn_retries;
	tcp->fin_wait_timeout = old.fin_wait_timeout;
	tcp->congestion = old.congestion;
	tcp->thin_timeouts = old.thin_timeouts;
}

/* @iss: NULL, or the initial sequence number that the peer was told of. */
static void begin_connection(
	struct inet_tcp *endpoint, const struct tcp *options, const uint32_t *iss)
{
	struct inet_endpoint *ends = &endpoint->endpoint;
	struct tcp_config config = endpoint->config;
	struct {
		struct inet_name local, remote;
	} pair;
	uint16_t mss = path_mss(ends, &endpoint->joins);

	memset(&pair, 0, sizeof(pair)); /* the padding is hashed, too */
	pair.local = ends->local;
	pair.remote = ends->remote;
	config.iss = iss ? *iss : tcp_isn(&pair, sizeof(pair), ends->stack->isn_key, now_ns());
	config.timestamp_offset = (uint32_t)siphash(&pair, sizeof(pair), ends->stack->port_key);
	config.mss = min_of(config.mss, mss);
	renew(endpoint, options, &config);
}

int inet_tcp_connect(struct inet_tcp *endpoint, const struct inet_name *peer)
{
	int err = inet_set_peer(&endpoint->endpoint, peer);

	if (err < 0)
		return err;
	begin_connection(endpoint, &endpoint->tcp, NULL);
	tcp_connect(&endpoint->tcp, now_ns());
	inet_tcp_push(endpoint);
	return 0;
}

int inet_tcp_listen(struct inet_tcp *endpoint, unsigned backlog)
{
	int err = inet_autobind(&endpoint->endpoint);

	if (err < 0)
		return err == -EAGAIN ? -EADDRINUSE : err;
	if (!endpoint->endpoint.listening) {
		endpoint->endpoint.listening = true;
		err = inet_check_conflict(&endpoint->endpoint, &endpoint->endpoint.local);
		if (err < 0) {
			endpoint->endpoint.listening = false;
			return err;
		}
	}
	endpoint->backlog = backlog;
	return 0;
}

void inet_tcp_unlisten(struct inet_tcp *endpoint)
{
	if (!endpoint->endpoint.listening)
		return;
	endpoint->endpoint.listening = false;
	while (!list_empty(&endpoint->children)) {
		struct inet_tcp *child =
			list_first(&endpoint->children, struct inet_tcp, child_link);

		leave_listener(child);
		inet_tcp_release(child, true);
	}
}

/* What the user wrote before, and is yet to be sent: a reset would forget it, and Linux' write(2)
 * has sent it. */
static void push_waiting(struct inet_tcp *endpoint)
{
	if (endpoint->endpoint.notify && !list_empty(&endpoint->late.link))
		inet_tcp_push(endpoint);
}

void inet_tcp_disconnect(struct inet_tcp *endpoint)
{
	struct netstack *stack = endpoint->endpoint.stack;
	struct tcp_segment segment;

	inet_tcp_unlisten(endpoint);
	push_waiting(endpoint);
	tcp_abort(&endpoint->tcp, now_ns());
	if (tcp_output(&endpoint->tcp, now_ns(), &segment) > 0)
		(void)transmit(endpoint, &segment);
	timer_cancel(&endpoint->timer);
	inet_disconnect(&endpoint->endpoint);
	renew(endpoint, &endpoint->tcp, &endpoint->config);
	netstack_run(stack);
}

struct inet_tcp *inet_tcp_accept(struct inet_tcp *listener)
{
	struct inet_tcp *child;

	if (list_empty(&listener->accept_queue))
		return NULL;
	child = list_first(&listener->accept_queue, struct inet_tcp, accept_link);
	leave_listener(child);
	return child;
}

void inet_tcp_release(struct inet_tcp *endpoint, bool abort)
{
	int64_t now = now_ns();

	push_waiting(endpoint);
	endpoint->endpoint.notify = NULL;
	endpoint->endpoint.owner = NULL;
	inet_tcp_unlisten(endpoint);
	if (abort)
		tcp_abort(&endpoint->tcp, now);
	tcp_close(&endpoint->tcp, now);
	inet_tcp_push(endpoint);
}

bool inet_tcp_any_unsent(const struct netstack *stack)
{
	struct inet_endpoint *endpoint;

	list_for_each_entry (endpoint, &stack->endpoints, list) {
		enum tcp_state state;

		if (endpoint->protocol != INET_TCP || !endpoint->has_pair)
			continue;
		state = inet_tcp_of(endpoint)->tcp.state;
		if ((state == TCP_FIN_WAIT_1 || state == TCP_CLOSING || state == TCP_LAST_ACK) &&
			!netstack_is_local(stack, &endpoint->remote.address))
			return true;
	}
	return false;
}

/* ---- what comes and goes
 * ------------------------------------------------------------------------- */

/* Sends what is to be sent, sets the timer, and tells the owner. False: @endpoint is gone. */
static bool settle(struct inet_tcp *endpoint)
{
	struct tcp *tcp = &endpoint->tcp;
	int64_t now = now_ns(), deadline;
	uint32_t events;
	int more = transmit_all(endpoint, now);

	events = tcp_take_events(tcp);
	if ((events & TCP_EVENT_CONNECTED) && endpoint->listener)
		child_connected(endpoint);
	else if ((events & TCP_EVENT_READABLE) && endpoint->deferred_until)
		child_ready(endpoint);
	if (tcp->state == TCP_CLOSED && !endpoint->endpoint.notify &&
		(tcp->orphan || (endpoint->listener && list_empty(&endpoint->accept_link)))) {
		inet_tcp_destroy(endpoint);
		return false;
	}
	if (tcp->state == TCP_TIME_WAIT && !endpoint->endpoint.notify &&
		inet_endpoints_are_many()) {
		inet_tcp_destroy(endpoint);
		return false;
	}
	deadline = more < 0 ? now + RETRY_MEMORY : tcp_deadline(tcp);
	if (endpoint->deferred_until)
		deadline = min_of(deadline, endpoint->deferred_until);
	if (deadline == INT64_MAX)
		timer_cancel(&endpoint->timer);
	else if (!timer_armed(&endpoint->timer) || endpoint->timer.deadline != (uint64_t)deadline)
		(void)timer_arm(&endpoint->timer, (uint64_t)deadline);
	if (events && endpoint->endpoint.notify)
		endpoint->endpoint.notify(&endpoint->endpoint, events);
	return true;
}

void inet_tcp_push(struct inet_tcp *endpoint)
{
	struct netstack *stack = endpoint->endpoint.stack;

	list_remove(&endpoint->late.link);
	settle(endpoint);
	netstack_run(stack);
}

void inet_tcp_push_late(struct inet_tcp *endpoint)
{
	late_work_add(&endpoint->late);
}

void inet_tcp_unreachable(struct inet_tcp *endpoint, int error)
{
	tcp_unreachable(&endpoint->tcp, error, now_ns());
	settle(endpoint);
}

void inet_tcp_path_mtu(struct inet_tcp *endpoint, uint32_t mtu)
{
	uint32_t headers =
		20 + (inet_is_v4(&endpoint->endpoint.remote.address) ? IP4_HEADER : IP6_HEADER);

	if (mtu > headers && mtu - headers < UINT16_MAX)
		tcp_path_mss(&endpoint->tcp, (uint16_t)(mtu - headers));
	settle(endpoint);
}

static void refuse(struct netstack *stack, struct inet_packet *packet)
{
	struct tcp_segment reset;
	struct inet_packet *answer;

	if (!tcp_reset_for(&packet->segment, &reset))
		return;
	answer = malloc(sizeof(*answer));
	if (!answer)
		return;
	*answer = (struct inet_packet){.protocol = INET_TCP,
		.netif_index = packet->netif_index,
		.from = packet->to,
		.to = packet->from,
		.segment = reset};
	netstack_queue(stack, answer);
}

bool inet_tcp_take_over(struct inet_tcp *endpoint)
{
	const struct tcp *tcp = &endpoint->tcp;

	if (endpoint->endpoint.protocol != INET_TCP || tcp->state != TCP_TIME_WAIT ||
		endpoint->endpoint.notify ||
		tcp->deadline[TCP_TIMER_WAIT] - now_ns() > TIME_WAIT_REUSE)
		return false;
	inet_tcp_destroy(endpoint);
	return true;
}

/* ---- listeners
 * --------------------------------------------------------------------------------- */

#define COOKIES_LAST (128 * SECOND) /* two ticks of their clock */

/* A connection's names, as hashes have them: the padding is hashed, too. */
struct pair_tuple {
	struct inet_name local, remote;
};

static void make_tuple(const struct inet_packet *packet, struct pair_tuple *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->local = packet->to;
	ret->remote = packet->from;
}

/* A connection for @packet, in SYN_RECEIVED by @syn; its SYN-ACK is due. @iss: NULL, or what it
 * begins with. NULL without memory or place. */
static struct inet_tcp *make_child(struct inet_tcp *listener, struct inet_packet *packet,
	const struct tcp_segment *syn, const uint32_t *iss)
{
	struct inet_endpoint *ends = &listener->endpoint;
	struct inet_tcp *child;

	if (inet_tcp_new(ends->stack, ends->ipv6, &child) < 0)
		return NULL;
	child->config = listener->config;
	child->endpoint.v6only = ends->v6only;
	child->endpoint.reuse_address = ends->reuse_address;
	child->endpoint.reuse_port = ends->reuse_port;
	child->endpoint.uid = ends->uid;
	child->endpoint.transparent = ends->transparent;
	child->endpoint.least_ttl = ends->least_ttl;
	child->endpoint.least_hops = ends->least_hops;
	child->endpoint.ttl = ends->ttl;
	child->endpoint.tos = ends->tos;
	child->endpoint.netif_index = ends->netif_index;
	/* A link-local peer is one of a link. */
	if (inet_is_link_local(&packet->from.address))
		child->endpoint.netif_index = packet->netif_index;
	child->endpoint.local = packet->to;
	child->endpoint.remote = packet->from;
	child->endpoint.address_given = child->endpoint.port_given = true;
	begin_connection(child, &listener->tcp, iss);
	if (inet_insert_pair(&child->endpoint) < 0 || inet_insert_user(&child->endpoint) < 0) {
		inet_tcp_destroy(child);
		return NULL;
	}
	child->listener = listener;
	listener->half_open++;
	half_open_total++;
	list_add_tail(&child->child_link, &listener->children);
	tcp_accept_syn(&child->tcp, syn, now_ns());
	return child;
}

/* Answers a SYN and keeps nothing of it but that there are such answers. */
static void send_cookie(struct inet_tcp *listener, struct inet_packet *packet)
{
	struct netstack *stack = listener->endpoint.stack;
	const struct tcp_segment *syn = &packet->segment;
	struct tcp_segment answer = {.flags = TCP_SYN | TCP_ACK, .wscale = TCP_NO_WSCALE};
	struct inet_endpoint ends = listener->endpoint; /* to be asked for its path alone */
	struct tcp_config config = listener->config;
	struct inet_packet *out = malloc(sizeof(*out));
	struct pair_tuple tuple;
	struct tcp shape;
	int64_t now = now_ns();

	if (!out)
		return;
	make_tuple(packet, &tuple);
	tcp_init(&shape, &config); /* for the scale that a connection of ours would have */
	answer.seq = tcp_cookie(&tuple, sizeof(tuple), stack->cookie_key, syn, now);
	answer.ack = syn->seq + 1;
	ends.local = packet->to;
	ends.remote = packet->from;
	answer.mss = min_of(config.mss, path_mss(&ends, NULL));
	answer.window = (uint16_t)min_of(tcp_receive_window(&shape), 65535u);
	if (syn->has_timestamp && !config.no_timestamps) {
		config.timestamp_offset = (uint32_t)siphash(&tuple, sizeof(tuple), stack->port_key);
		shape.config = config;
		answer.has_timestamp = true;
		answer.timestamp = tcp_cookie_timestamp(syn, tcp_timestamp(&shape, now));
		answer.timestamp_echo = syn->timestamp;
		answer.sack_permitted = syn->sack_permitted && !config.no_sack;
		if (syn->wscale != TCP_NO_WSCALE && !config.no_wscale)
			answer.wscale = shape.rcv_wscale;
	}
	tcp_fini(&shape);
	listener->cookies_until = now + COOKIES_LAST;
	*out = (struct inet_packet){.protocol = INET_TCP,
		.ttl = listener->endpoint.ttl,
		.tos = listener->endpoint.tos,
		.netif_index = packet->netif_index,
		.from = packet->to,
		.to = packet->from,
		.segment = answer};
	netstack_queue(stack, out);
}

/* An acknowledgement for a listener: true when it names a cookie of ours, and is dealt with. */
static bool take_cookie(struct inet_tcp *listener, struct inet_packet *packet)
{
	const struct tcp_segment *ack = &packet->segment;
	struct pair_tuple tuple;
	struct tcp_segment syn, unsent;
	struct inet_tcp *child;
	uint32_t iss = ack->ack - 1;
	int64_t now = now_ns();

	if (now >= listener->cookies_until || (ack->flags & (TCP_SYN | TCP_RST)) ||
		!(ack->flags & TCP_ACK))
		return false;
	make_tuple(packet, &tuple);
	if (!tcp_cookie_check(
		    &tuple, sizeof(tuple), listener->endpoint.stack->cookie_key, ack, now, &syn))
		return false;
	/* No place: the peer says it again, with data or as an answer to nothing of ours. */
	if (listener->accept_count > listener->backlog)
		return true;
	child = make_child(listener, packet, &syn, &iss);
	if (!child)
		return true;
	/* What was sent as a cookie is this connection's SYN-ACK. */
	if (tcp_output(&child->tcp, now, &unsent) <= 0) {
		inet_tcp_destroy(child);
		return true;
	}
	(void)tcp_input(&child->tcp, &packet->segment, now);
	settle(child);
	return true;
}

/* A SYN for a listener (RFC 9293 section 3.10.7.2). When it has enough to accept the SYN is
 * dropped, and the peer tries again; when too many handshakes are under way it is answered with a
 * cookie. */
static void take_syn(struct inet_tcp *listener, struct inet_packet *packet)
{
	struct inet_tcp *child;

	if (listener->accept_count > listener->backlog)
		return;
	if (listener->half_open > min_of(listener->backlog, INET_HALF_OPEN_MAX) ||
		half_open_total >= INET_HALF_OPEN_TOTAL || inet_endpoints_are_many()) {
		send_cookie(listener, packet);
		return;
	}
	child = make_child(listener, packet, &packet->segment, NULL);
	if (child)
		settle(child);
}

/* tcp_v4_rcv(), tcp_v6_rcv(): what came too far (RFC 5082). */
static bool is_near(const struct inet_endpoint *endpoint, const struct inet_packet *packet)
{
	uint8_t ttl = packet->ttl ? packet->ttl : DEFAULT_TTL;

	return ttl >=
	       (inet_is_v4(&packet->to.address) ? endpoint->least_ttl : endpoint->least_hops);
}

/* tcp_filter(): the header is kept in any case; false when the segment is not wanted. */
static bool passes_filter(const struct inet_tcp *endpoint, struct inet_packet *packet)
{
	const struct inet_tcp *asked = endpoint->listener ? endpoint->listener : endpoint;
	uint32_t start = inet_is_v4(&packet->to.address) ? IP4_HEADER : IP6_HEADER, keep, header;
	struct netbuf_queue *payload = &packet->segment.payload, bytes = {0};

	if (!asked->filter || !asked->endpoint.owner)
		return true;
	if (ip_serialise(endpoint->endpoint.stack, packet, &bytes) < 0)
		return false;
	header = bytes.size - start - payload->size;
	keep = asked->filter(asked, &bytes, start);
	netbuf_queue_clear(&bytes);
	if (keep && max_of(keep, header) - header < payload->size)
		netbuf_truncate(payload, max_of(keep, header) - header);
	return keep > 0;
}

void inet_tcp_arrives(struct netstack *stack, struct inet_packet *packet)
{
	struct inet_endpoint *found = inet_find_pair(stack, INET_TCP, &packet->to, &packet->from);
	uint8_t flags = packet->segment.flags;

	if (found && inet_takes_from(found, packet->netif_index)) {
		struct inet_tcp *endpoint = inet_tcp_of(found);
		bool reopened;

		if (!is_near(found, packet) || !passes_filter(endpoint, packet))
			return;
		reopened = tcp_input(&endpoint->tcp, &packet->segment, now_ns());

		if (settle(endpoint) && !reopened)
			return;
		if (!reopened)
			return;
	}
	found = inet_find_bound(
		stack, INET_TCP, true, &packet->to, &packet->from, packet->netif_index);
	if (found && (!is_near(found, packet) || !passes_filter(inet_tcp_of(found), packet)))
		return;
	if (found && take_cookie(inet_tcp_of(found), packet))
		return;
	if (!found || (flags & (TCP_ACK | TCP_RST)) || !(flags & TCP_SYN)) {
		refuse(stack, packet);
		return;
	}
	take_syn(inet_tcp_of(found), packet);
}
