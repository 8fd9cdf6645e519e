/* SPDX-License-Identifier: Apache-2.0 */
#include "netstack/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/random.h"
#include "netstack/inet_private.h"

#define SEND_BUFFER	  (1u << 20)
#define RECEIVE_BUFFER	  (256u << 10)
#define RECEIVE_MAX	  (1u << 20)
#define DATAGRAM_OVERHEAD 512u		    /* as sockets are charged for one (inet_udp.c) */
#define RETRY_MEMORY	  INT64_C(10000000) /* ns */
#define INWARD_FIRST	  INET_PORT_EPHEMERAL_FIRST

static int64_t now_ns(void)
{
	return (int64_t)loop_monotonic();
}

static struct relay *relay_of(struct netif *netif)
{
	return container_of(netif, struct relay, netif);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void enter(struct relay *relay)
{
	relay->depth++;
}

/* What the stack was given is delivered, unless the stack itself has called us. */
static void leave(struct relay *relay)
{
	struct relay_flow *flow, *next;

	if (relay->depth == 1 && !relay->taking)
		netstack_run(relay->netif.stack);
	if (--relay->depth > 0)
		return;
	list_for_each_entry_safe (flow, next, &relay->dead, list) {
		list_remove(&flow->list);
		free(flow);
	}
}

static uint64_t flow_hash(
	uint8_t protocol, const struct inet_name *guest, const struct inet_name *remote)
{
	uint8_t bytes[36];

	memcpy(bytes, guest->address.bytes, 16);
	memcpy(bytes + 16, remote->address.bytes, 16);
	memcpy(bytes + 32, &guest->port, 2);
	memcpy(bytes + 34, &remote->port, 2);
	return hash_u64_bytes(protocol, bytes, sizeof(bytes));
}

static bool same_name(const struct inet_name *a, const struct inet_name *b)
{
	return a->port == b->port && inet_equal(&a->address, &b->address);
}

static struct relay_flow *find(struct relay *relay, uint8_t protocol, const struct inet_name *guest,
	const struct inet_name *remote)
{
	struct relay_flow *flow;

	hash_for_each_match(flow, &relay->flows, flow_hash(protocol, guest, remote), node)
	{
		if (flow->protocol == protocol && same_name(&flow->guest, guest) &&
			same_name(&flow->remote, remote))
			return flow;
	}
	return NULL;
}

static size_t cost(const struct inet_datagram *datagram)
{
	return datagram->data.size + DATAGRAM_OVERHEAD;
}

/* Keeps the packet's datagram until the flow is open, if there is room: nobody's buffers are
 * charged for it meanwhile. */
static void keep_waiting(struct relay_flow *flow, struct inet_packet *packet)
{
	struct relay *relay = flow->relay;
	size_t size = cost(packet->datagram);

	if (flow->waiting_count >= RELAY_DATAGRAMS_MAX ||
		size > RELAY_WAITING_MAX - relay->waiting_bytes)
		return;
	list_add_tail(&packet->datagram->link, &flow->waiting);
	packet->datagram = NULL;
	flow->waiting_count++;
	relay->waiting_bytes += size;
}

/* The first one, owned; NULL: there is none. */
static struct inet_datagram *take_waiting(struct relay_flow *flow)
{
	struct inet_datagram *datagram;

	if (list_empty(&flow->waiting))
		return NULL;
	datagram = list_first(&flow->waiting, struct inet_datagram, link);
	list_remove(&datagram->link);
	flow->waiting_count--;
	flow->relay->waiting_bytes -= cost(datagram);
	return datagram;
}

static void drop_waiting(struct relay_flow *flow)
{
	struct inet_datagram *datagram;

	while ((datagram = take_waiting(flow)))
		inet_datagram_free(NULL, datagram);
}

static void flow_free(struct relay_flow *flow)
{
	struct relay *relay = flow->relay;

	if (flow->dead)
		return;
	flow->dead = true;
	flow->owner = NULL;
	hash_remove(&relay->flows, &flow->node);
	relay->flow_count--;
	(void)timer_cancel(&flow->timer);
	if (flow->protocol == INET_TCP && flow->opened)
		tcp_fini(&flow->tcp);
	netbuf_queue_clear(&flow->syn.payload);
	drop_waiting(flow);
	list_remove(&flow->list);
	list_add_tail(&flow->list, &relay->dead);
}

static void expired(struct timer *timer);

static int flow_new(struct relay *relay, uint8_t protocol, const struct inet_name *guest,
	const struct inet_name *remote, struct relay_flow **ret)
{
	struct relay_flow *flow;
	int err;

	if (relay->flow_count >= RELAY_FLOWS_MAX)
		return -ENOBUFS;
	flow = calloc(1, sizeof(*flow));
	if (!flow)
		return -ENOMEM;
	err = hash_insert(&relay->flows, &flow->node, flow_hash(protocol, guest, remote));
	if (err < 0) {
		free(flow);
		return err;
	}
	flow->relay = relay;
	flow->protocol = protocol;
	flow->guest = *guest;
	flow->remote = *remote;
	timer_init(&flow->timer, expired, flow);
	list_init(&flow->waiting);
	list_add_tail(&flow->list, &relay->all);
	relay->flow_count++;
	*ret = flow;
	return 0;
}

/* ---- to the guest ---------------------------------------------------------------------------- */

static int deliver_segment(struct relay *relay, const struct inet_name *from,
	const struct inet_name *to, const struct tcp_segment *segment)
{
	struct inet_packet *packet = malloc(sizeof(*packet));

	if (!packet)
		return -ENOMEM;
	*packet = (struct inet_packet){
		.protocol = INET_TCP, .from = *from, .to = *to, .segment = *segment};
	relay->netif.counters.rx_bytes += segment->payload.size;
	netif_deliver(&relay->netif, packet);
	return 0;
}

/* ICMP's word on why a flow is not to be, to the socket that it is about. */
static void tell_guest(struct relay_flow *flow, int error)
{
	struct inet_endpoint *endpoint = inet_find_pair(
		flow->relay->netif.stack, flow->protocol, &flow->guest, &flow->remote);

	if (!endpoint)
		return;
	if (flow->protocol == INET_TCP) {
		tcp_unreachable(&inet_tcp_of(endpoint)->tcp, error, now_ns());
		inet_tcp_push(inet_tcp_of(endpoint));
		return;
	}
	inet_udp_of(endpoint)->error = error;
	if (endpoint->notify)
		endpoint->notify(endpoint, INET_EVENT_ERROR);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void begin(struct relay_flow *flow)
{
	struct {
		struct inet_name guest, remote;
	} pair;
	struct tcp_config config = {
		.send_buffer = SEND_BUFFER,
		.receive_buffer = RECEIVE_BUFFER,
		.receive_buffer_max = RECEIVE_MAX,
		.mss = (uint16_t)(flow->relay->netif.mtu - 20 -
				  (inet_is_v4(&flow->remote.address) ? 20 : 40)),
	};

	memset(&pair, 0, sizeof(pair)); /* the padding is hashed, too */
	pair.guest = flow->guest;
	pair.remote = flow->remote;
	config.iss = tcp_isn(&pair, sizeof(pair), flow->relay->isn_key, now_ns());
	tcp_init(&flow->tcp, &config);
	flow->tcp.nodelay = true;
	flow->opened = true;
}

static uint32_t translate(uint32_t events)
{
	return (events & TCP_EVENT_CONNECTED ? RELAY_CONNECTED : 0) |
	       (events & TCP_EVENT_READABLE ? RELAY_READABLE : 0) |
	       (events & TCP_EVENT_WRITABLE ? RELAY_WRITABLE : 0);
}

/* Sends what is to be sent, sets the timer, tells the owner. */
static void settle(struct relay_flow *flow)
{
	struct tcp *tcp = &flow->tcp;
	struct tcp_segment segment;
	int64_t deadline;
	uint32_t events;
	int more;

	if (flow->dead)
		return;
	while ((more = tcp_output(tcp, now_ns(), &segment)) > 0) {
		if (deliver_segment(flow->relay, &flow->remote, &flow->guest, &segment) < 0) {
			netbuf_queue_clear(&segment.payload);
			break;
		}
	}
	events = tcp_take_events(tcp);
	if (flow->owner && translate(events))
		flow->relay->ops->changed(flow, translate(events));
	if (flow->dead)
		return;
	/* No packet strays on this link: nothing is left that TIME_WAIT would wait for. */
	if ((tcp->state == TCP_CLOSED && (tcp->error || !flow->owner)) ||
		(tcp->state == TCP_TIME_WAIT && !flow->owner)) {
		if (flow->owner)
			flow->relay->ops->gone(flow, tcp->error);
		flow_free(flow);
		return;
	}
	deadline = more < 0 ? now_ns() + RETRY_MEMORY : tcp_deadline(tcp);
	if (deadline == INT64_MAX)
		(void)timer_cancel(&flow->timer);
	else if (!timer_armed(&flow->timer) || flow->timer.deadline != (uint64_t)deadline)
		(void)timer_arm(&flow->timer, (uint64_t)deadline);
}

static void expired(struct timer *timer)
{
	struct relay_flow *flow = timer->data;
	struct relay *relay = flow->relay;

	enter(relay);
	tcp_timer(&flow->tcp, max_of(now_ns(), (int64_t)timer->deadline));
	settle(flow);
	leave(relay);
}

void relay_push(struct relay_flow *flow)
{
	struct relay *relay = flow->relay;

	enter(relay);
	settle(flow);
	leave(relay);
}

/* ---- from the guest -------------------------------------------------------------------------- */

static void refuse_segment(struct relay *relay, struct inet_packet *packet)
{
	struct tcp_segment reset;

	if (tcp_reset_for(&packet->segment, &reset))
		(void)deliver_segment(relay, &packet->to, &packet->from, &reset);
}

static void take_segment(struct relay *relay, struct inet_packet *packet)
{
	struct relay_flow *flow = find(relay, INET_TCP, &packet->from, &packet->to);
	uint8_t flags = packet->segment.flags;

	if (flow && flow->opened) {
		tcp_input(&flow->tcp, &packet->segment, now_ns());
		settle(flow);
		return;
	}
	if (flow) {
		/* The program gave up, or asks again. */
		if (flags & TCP_RST) {
			if (flow->owner)
				relay->ops->gone(flow, ECONNRESET);
			flow_free(flow);
		}
		return;
	}
	if (!(flags & TCP_SYN) || (flags & (TCP_ACK | TCP_RST)) ||
		flow_new(relay, INET_TCP, &packet->from, &packet->to, &flow) < 0) {
		refuse_segment(relay, packet);
		return;
	}
	flow->syn = packet->segment;
	packet->segment.payload = (struct netbuf_queue){0};
	relay->ops->open(flow);
}

static void take_datagram(struct relay *relay, struct inet_packet *packet)
{
	struct relay_flow *flow = find(relay, INET_UDP, &packet->from, &packet->to);

	if (!flow) {
		if (flow_new(relay, INET_UDP, &packet->from, &packet->to, &flow) < 0)
			return;
		keep_waiting(flow, packet);
		relay->ops->open(flow);
		return;
	}
	if (flow->opened) {
		relay->ops->datagram(flow, &packet->datagram->data);
		netbuf_queue_clear(&packet->datagram->data);
	} else {
		keep_waiting(flow, packet);
	}
}

static bool take(struct netif *netif, struct inet_packet *packet)
{
	struct relay *relay = relay_of(netif);
	bool before = relay->taking;

	if (packet->protocol != INET_TCP && packet->protocol != INET_UDP)
		return false;
	enter(relay);
	relay->taking = true;
	netif->counters.tx_bytes +=
		packet->datagram ? packet->datagram->data.size : packet->segment.payload.size;
	if (packet->protocol == INET_TCP)
		take_segment(relay, packet);
	else
		take_datagram(relay, packet);
	/* Whoever sent this runs the stack when it is done. */
	leave(relay);
	relay->taking = before;
	return true;
}

/* ---- what owners do -------------------------------------------------------------------------- */

void relay_accept(struct relay_flow *flow)
{
	struct relay *relay = flow->relay;
	struct inet_datagram *datagram;

	enter(relay);
	if (flow->protocol == INET_TCP) {
		begin(flow);
		tcp_accept_syn(&flow->tcp, &flow->syn, now_ns());
		netbuf_queue_clear(&flow->syn.payload);
		settle(flow);
		leave(relay);
		return;
	}
	flow->opened = true;
	while ((datagram = take_waiting(flow))) {
		if (!flow->dead)
			relay->ops->datagram(flow, &datagram->data);
		inet_datagram_free(NULL, datagram);
	}
	leave(relay);
}

void relay_refuse(struct relay_flow *flow, int error)
{
	struct relay *relay = flow->relay;
	struct tcp_segment reset;

	enter(relay);
	if (flow->protocol == INET_TCP && (error == ECONNREFUSED || relay->taking)) {
		if (tcp_reset_for(&flow->syn, &reset))
			(void)deliver_segment(relay, &flow->remote, &flow->guest, &reset);
	} else {
		tell_guest(flow, error);
	}
	flow_free(flow);
	leave(relay);
}

/* A port of ours that no other flow with @to has. */
static int choose_port(
	struct relay *relay, uint8_t protocol, const struct inet_name *to, struct inet_name *from)
{
	for (unsigned i = 0; i <= INET_PORT_EPHEMERAL_LAST - INWARD_FIRST; i++) {
		if (relay->last_port < INWARD_FIRST || relay->last_port >= INET_PORT_EPHEMERAL_LAST)
			relay->last_port = INWARD_FIRST;
		else
			relay->last_port++;
		from->port = relay->last_port;
		if (!find(relay, protocol, to, from))
			return 0;
	}
	return -ENOBUFS;
}

int relay_connect(struct relay *relay, uint8_t protocol, const struct inet_name *to, void *owner,
	struct relay_flow **ret)
{
	struct inet_name from = {.address = relay->own4};
	struct relay_flow *flow;
	int err = choose_port(relay, protocol, to, &from);

	err = err < 0 ? err : flow_new(relay, protocol, to, &from, &flow);
	if (err < 0)
		return err;
	*ret = flow;
	flow->owner = owner;
	flow->inward = flow->opened = true;
	if (protocol != INET_TCP)
		return 0;
	begin(flow);
	tcp_connect(&flow->tcp, now_ns());
	return 0;
}

void relay_send(struct relay_flow *flow, struct netbuf_queue *data)
{
	struct relay *relay = flow->relay;
	struct inet_packet *packet = malloc(sizeof(*packet));
	struct inet_datagram *datagram = malloc(sizeof(*datagram));

	if (!packet || !datagram) {
		free(packet);
		free(datagram);
		netbuf_queue_clear(data);
		return;
	}
	enter(relay);
	*datagram = (struct inet_datagram){
		.from = flow->remote,
		.to = flow->guest,
		.ttl = 64,
		.received_at = (int64_t)loop_realtime_now(),
		.charge = data->size + DATAGRAM_OVERHEAD,
	};
	relay->netif.counters.rx_bytes += data->size;
	list_init(&datagram->link);
	netbuf_move_compact(&datagram->data, data);
	*packet = (struct inet_packet){.protocol = INET_UDP,
		.from = flow->remote,
		.to = flow->guest,
		.datagram = datagram};
	netif_deliver(&relay->netif, packet);
	leave(relay);
}

void relay_close(struct relay_flow *flow)
{
	struct relay *relay = flow->relay;

	if (flow->dead)
		return;
	enter(relay);
	flow->owner = NULL;
	if (flow->protocol == INET_TCP && flow->opened) {
		tcp_close(&flow->tcp, now_ns());
		settle(flow);
	} else {
		flow_free(flow);
	}
	leave(relay);
}

void relay_abort(struct relay_flow *flow, int error)
{
	struct relay *relay = flow->relay;

	if (flow->dead)
		return;
	if (!flow->opened) {
		relay_refuse(flow, error ? error : ECONNREFUSED);
		return;
	}
	enter(relay);
	flow->owner = NULL;
	if (flow->protocol == INET_TCP) {
		tcp_abort(&flow->tcp, now_ns());
		tcp_close(&flow->tcp, now_ns());
		settle(flow);
	} else {
		if (error)
			tell_guest(flow, error);
		flow_free(flow);
	}
	leave(relay);
}

void relay_reset_all(struct relay *relay, int error)
{
	enter(relay);
	while (!list_empty(&relay->all)) {
		struct relay_flow *flow = list_first(&relay->all, struct relay_flow, list);

		if (flow->owner)
			relay->ops->gone(flow, error);
		flow->owner = NULL;
		relay_abort(flow, error);
		flow_free(flow);
	}
	leave(relay);
}

static const struct netif_ops relay_netif_ops = {.take = take, .transmit = relay_transmit};

int relay_start(struct netstack *stack, struct relay *relay)
{
	relay->netif.ops = &relay_netif_ops;
	relay->netif.type = NETIF_POINT;
	relay->netif.flags = NETIF_RUNNING | NETIF_NO_ARP;
	list_init(&relay->all);
	list_init(&relay->dead);
	relay_echo_init(relay);
	random_bytes(relay->isn_key, sizeof(relay->isn_key));
	return netif_add(stack, &relay->netif);
}
