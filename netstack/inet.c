/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, ports and pairs: who is bound to what, and whom a packet is for. */
#include "netstack/ip_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/random.h"

static unsigned endpoint_count;

static bool name_equal(const struct inet_name *a, const struct inet_name *b)
{
	return a->port == b->port && inet_equal(&a->address, &b->address);
}

/* ---- tables ------------------------------------------------------------------------------------
 */

static uint64_t pair_hash(
	uint8_t protocol, const struct inet_name *local, const struct inet_name *remote)
{
	uint8_t bytes[36];

	memcpy(bytes, local->address.bytes, 16);
	memcpy(bytes + 16, remote->address.bytes, 16);
	memcpy(bytes + 32, &local->port, 2);
	memcpy(bytes + 34, &remote->port, 2);
	return hash_u64_bytes(protocol, bytes, sizeof(bytes));
}

static void list_in_stack(struct inet_endpoint *endpoint)
{
	if (list_empty(&endpoint->list))
		list_add_tail(&endpoint->list, &endpoint->stack->endpoints);
}

static int insert_port(struct inet_endpoint *endpoint)
{
	int err = hash_insert(&endpoint->stack->ports, &endpoint->port_node,
		inet_port_hash(endpoint->protocol, endpoint->local.port));

	if (err < 0)
		return err;
	endpoint->has_port = true;
	list_in_stack(endpoint);
	return 0;
}

static void remove_port(struct inet_endpoint *endpoint)
{
	if (endpoint->has_port)
		hash_remove(&endpoint->stack->ports, &endpoint->port_node);
	if (endpoint->is_user)
		hash_remove(&endpoint->stack->users, &endpoint->port_node);
	endpoint->has_port = endpoint->is_user = false;
	endpoint->local.port = 0;
}

int inet_insert_user(struct inet_endpoint *endpoint)
{
	int err = hash_insert(&endpoint->stack->users, &endpoint->port_node,
		inet_port_hash(endpoint->protocol, endpoint->local.port));

	endpoint->is_user = err == 0;
	return err;
}

int inet_insert_pair(struct inet_endpoint *endpoint)
{
	int err = hash_insert(&endpoint->stack->pairs, &endpoint->pair_node,
		pair_hash(endpoint->protocol, &endpoint->local, &endpoint->remote));

	if (err < 0)
		return err;
	endpoint->has_pair = true;
	list_in_stack(endpoint);
	return 0;
}

static void remove_pair(struct inet_endpoint *endpoint)
{
	if (endpoint->has_pair)
		hash_remove(&endpoint->stack->pairs, &endpoint->pair_node);
	endpoint->has_pair = false;
}

struct inet_endpoint *inet_find_pair(struct netstack *stack, uint8_t protocol,
	const struct inet_name *local, const struct inet_name *remote)
{
	struct inet_endpoint *endpoint;

	hash_for_each_match(endpoint, &stack->pairs, pair_hash(protocol, local, remote), pair_node)
	{
		if (endpoint->protocol == protocol && name_equal(&endpoint->local, local) &&
			name_equal(&endpoint->remote, remote))
			return endpoint;
	}
	return NULL;
}

/* @endpoint takes what comes by the interface @index; 0 is the loopback's, too (inet_iif()). */
bool inet_takes_from(const struct inet_endpoint *endpoint, unsigned index)
{
	return !endpoint->netif_index || endpoint->netif_index == (index ? index : 1);
}

/*
 * How well a bound endpoint fits: 0 not at all; a given address beats a peer (who has one, too),
 * that beats an interface, that the family (udp4_lib_lookup2(), inet_lhash2_lookup()).
 */
static unsigned fits(const struct inet_endpoint *endpoint, const struct inet_name *to,
	const struct inet_name *from, unsigned netif_index)
{
	unsigned score = 1;

	if (!inet_takes_from(endpoint, netif_index))
		return 0;
	if (inet_is_v4(&to->address)
			? endpoint->ipv6 && (endpoint->v6only ||
						    (!inet_is_any(&endpoint->local.address) &&
							    !inet_is_v4(&endpoint->local.address)))
			: !endpoint->ipv6 || inet_is_v4(&endpoint->local.address))
		return 0;
	if (inet_equal(&endpoint->local.address, &to->address))
		score += 8;
	else if (!inet_is_any(&endpoint->local.address))
		return 0;
	if (endpoint->netif_index)
		score += 2;
	/* Of two wildcards the one of the packet's own family. */
	if (endpoint->ipv6 == !inet_is_v4(&to->address))
		score++;
	if (endpoint->has_pair) {
		if (!name_equal(&endpoint->remote, from))
			return 0;
		score += 4;
	}
	return score;
}

struct inet_endpoint *inet_find_bound(struct netstack *stack, uint8_t protocol, bool listening,
	const struct inet_name *to, const struct inet_name *from, unsigned netif_index)
{
	struct inet_endpoint *endpoint, *best = NULL;
	unsigned best_score = 0, equals = 0;
	uint64_t lot = pair_hash(protocol, to, from);

	hash_for_each_match(endpoint, &stack->ports, inet_port_hash(protocol, to->port), port_node)
	{
		unsigned score;

		if (endpoint->protocol != protocol || endpoint->local.port != to->port ||
			(listening && !endpoint->listening))
			continue;
		score = fits(endpoint, to, from, netif_index);
		if (score == 0 || score < best_score)
			continue;
		equals = score > best_score ? 1 : equals + 1;
		/* The k-th of equals takes the place with chance 1/k, by the pair: all packets of a
		 * flow find the same. */
		if (equals == 1 ||
			(endpoint->reuse_port && hash_u64_pair(lot, equals) % equals == 0))
			best = endpoint;
		best_score = score;
	}
	return best;
}

void inet_for_each_receiver(
	struct netstack *stack, const struct inet_packet *packet, struct inet_datagram *datagram)
{
	uint64_t hash = inet_port_hash(packet->protocol, packet->to.port);
	struct inet_endpoint *endpoint;

	hash_for_each_match(endpoint, &stack->ports, hash, port_node)
	{
		if (endpoint->protocol == packet->protocol &&
			endpoint->local.port == packet->to.port &&
			fits(endpoint, &packet->to, &packet->from, packet->netif_index) > 0)
			inet_udp_deliver_copy(inet_udp_of(endpoint), datagram);
	}
}

/* ---- binding -----------------------------------------------------------------------------------
 */

/* Whether there is a packet that both would take. */
static bool overlap(const struct inet_endpoint *a, const struct inet_address *a_address,
	const struct inet_endpoint *b)
{
	const struct inet_address *b_address = &b->local.address;
	bool a_v4 = inet_is_v4(a_address), b_v4 = inet_is_v4(b_address);

	if (inet_equal(a_address, b_address))
		return true;
	if (inet_equal(a_address, &inet_any))
		return !b_v4 || !a->v6only;
	if (inet_equal(b_address, &inet_any))
		return !a_v4 || !b->v6only;
	if (a_v4 != b_v4)
		return false;
	return inet_is_any(a_address) || inet_is_any(b_address);
}

static bool conflicts(const struct inet_endpoint *endpoint, const struct inet_name *name,
	const struct inet_endpoint *other)
{
	bool tcp = endpoint->protocol == INET_TCP;

	if (other == endpoint || other->protocol != endpoint->protocol ||
		other->local.port != name->port || !overlap(endpoint, &name->address, other))
		return false;
	if (endpoint->netif_index && other->netif_index &&
		endpoint->netif_index != other->netif_index)
		return false;
	if (endpoint->reuse_port && other->reuse_port && endpoint->uid == other->uid)
		return false;
	/* socket(7): for TCP only beside somebody who does not listen. */
	return !(endpoint->reuse_address && other->reuse_address && !(tcp && other->listening));
}

int inet_check_conflict(const struct inet_endpoint *endpoint, const struct inet_name *name)
{
	uint64_t hash = inet_port_hash(endpoint->protocol, name->port);
	const struct inet_endpoint *other;

	hash_for_each_match(other, &endpoint->stack->ports, hash, port_node)
	{
		if (conflicts(endpoint, name, other))
			return -EADDRINUSE;
	}
	/* Who listens already has a right to his port beside the connections that it made. */
	if (endpoint->listening)
		return 0;
	hash_for_each_match(other, &endpoint->stack->users, hash, port_node)
	{
		if (conflicts(endpoint, name, other))
			return -EADDRINUSE;
	}
	return 0;
}

/* inet_sk_get_local_port_range(): an end that is not among the ports there are says nothing. How
 * many there are. */
static uint32_t port_range(const struct inet_endpoint *endpoint, uint32_t *ret_first)
{
	uint32_t first = INET_PORT_EPHEMERAL_FIRST, last = INET_PORT_EPHEMERAL_LAST;
	uint32_t low = endpoint->port_range & 0xffff, high = endpoint->port_range >> 16;

	if (low >= first && low <= last)
		first = low;
	if (high >= first && high <= last)
		last = high;
	*ret_first = first;
	return last - first + 1;
}

/*
 * RFC 6056 section 3.3.3: a secret hash of the peer gives where to begin, a counter goes on from
 * there, so that neither ports nor their order can be guessed. @usable decides on each.
 */
static int choose_port(struct inet_endpoint *endpoint, const struct inet_name *peer,
	bool (*usable)(struct inet_endpoint *endpoint, uint16_t port))
{
	struct netstack *stack = endpoint->stack;
	uint64_t start = siphash(peer, sizeof(*peer), stack->port_key) + stack->port_counter;
	uint32_t first, count = port_range(endpoint, &first);

	for (uint32_t i = 0; i < count; i++) {
		uint16_t port = (uint16_t)(first + (start + i) % count);

		if (usable(endpoint, port)) {
			stack->port_counter += i + 1;
			return port;
		}
	}
	return -EADDRNOTAVAIL;
}

static bool port_is_free(struct inet_endpoint *endpoint, uint16_t port)
{
	struct inet_name name = {endpoint->local.address, port};
	const struct inet_endpoint *other;

	/* A free choice shares with nobody, whatever the options say. */
	hash_for_each_match(
		other, &endpoint->stack->ports, inet_port_hash(endpoint->protocol, port), port_node)
	{
		if (other->protocol == endpoint->protocol && other->local.port == port)
			return false;
	}
	return inet_check_conflict(endpoint, &name) == 0;
}

static bool pair_is_free(struct inet_endpoint *endpoint, uint16_t port)
{
	struct inet_name name = {endpoint->local.address, port};
	const struct inet_endpoint *other;
	struct inet_endpoint *found;

	hash_for_each_match(
		other, &endpoint->stack->ports, inet_port_hash(endpoint->protocol, port), port_node)
	{
		/* Ports that somebody bound are not for connections; those of connections are, as
		 * long as the pair is new. */
		if (other->protocol == endpoint->protocol && other->local.port == port &&
			(other->port_given || other->listening || !other->has_pair))
			return false;
	}
	found = inet_find_pair(endpoint->stack, endpoint->protocol, &name, &endpoint->remote);
	return !found || inet_tcp_take_over(inet_tcp_of(found));
}

static int bind_now(struct inet_endpoint *endpoint, const struct inet_name *name)
{
	struct inet_name before = endpoint->local;
	struct inet_name nobody = {0};
	int port = name->port, err;

	if (endpoint->has_port)
		return -EINVAL;
	if (!inet_is_any(&name->address) && !endpoint->free_bind && !endpoint->transparent &&
		!inet_is_multicast(&name->address) &&
		!inet_equal(&name->address, &inet_broadcast4) &&
		!netstack_is_local(endpoint->stack, &name->address))
		return -EADDRNOTAVAIL;
	endpoint->local.address = name->address;
	if (port == 0)
		port = choose_port(endpoint, &nobody, port_is_free);
	else
		port = inet_check_conflict(endpoint, name) < 0 ? -EADDRINUSE : port;
	if (port < 0) {
		endpoint->local = before;
		return port == -EADDRNOTAVAIL ? -EADDRINUSE : port;
	}
	endpoint->local.port = (uint16_t)port;
	err = insert_port(endpoint);
	if (err < 0) {
		endpoint->local = before;
		return err;
	}
	endpoint->address_given = !inet_is_any(&name->address);
	endpoint->port_given = name->port != 0;
	return 0;
}

int inet_bind(struct inet_endpoint *endpoint, const struct inet_name *name)
{
	int err = bind_now(endpoint, name);

	if (err < 0 || name->port || !endpoint->late_port)
		return err;
	/* It could be bound; connect(2) may share a port with others then. */
	endpoint->local.address = name->address;
	remove_port(endpoint);
	return 0;
}

int inet_autobind(struct inet_endpoint *endpoint)
{
	struct inet_name name = {endpoint->local.address, 0};
	int err;

	if (endpoint->has_port)
		return 0;
	err = bind_now(endpoint, &name);
	return err == -EADDRINUSE ? -EAGAIN : err;
}

/* What @index says, NULL for 0. -ENODEV when that interface is gone. */
static int find_netif(struct netstack *stack, unsigned index, struct netif **ret)
{
	*ret = index ? netif_by_index(stack, index) : NULL;
	return index && !*ret ? -ENODEV : 0;
}

int inet_lookup(const struct inet_endpoint *endpoint, const struct inet_address *to, unsigned index,
	struct route_result *ret)
{
	struct netif *bound;
	int err = find_netif(endpoint->stack, index ? index : endpoint->netif_index, &bound);

	return err < 0 ? err : route_lookup(endpoint->stack, to, bound, ret);
}

int inet_route(const struct inet_endpoint *endpoint, const struct inet_address *to,
	struct inet_address *ret_source)
{
	struct route_result result;
	int err = inet_lookup(endpoint, to, 0, &result);

	if (err == 0)
		*ret_source = result.source;
	return err;
}

int inet_path_mtu(const struct inet_endpoint *endpoint, const struct inet_address *to)
{
	struct route_result result;
	int err = inet_lookup(endpoint, to, 0, &result);

	return err < 0 ? err : (int)result.mtu;
}

int inet_set_peer(struct inet_endpoint *endpoint, const struct inet_name *peer)
{
	struct inet_name local = endpoint->local, remote = endpoint->remote, target = *peer;
	bool had_port = endpoint->has_port;
	struct inet_address source;
	int port, err;

	/* connect(2) to no address in particular means this host. */
	if (inet_is_any(&target.address))
		target.address = inet_is_v4(&target.address) ? inet_loopback4 : inet_loopback;
	err = inet_route(endpoint, &target.address, &source);
	if (err < 0)
		return err;
	/* Who is connected keeps his own name (__ip4_datagram_connect()). */
	remove_pair(endpoint);
	if (!inet_is_any(&endpoint->local.address) &&
		inet_is_v4(&endpoint->local.address) != inet_is_v4(&target.address))
		return -EINVAL;
	if (inet_is_any(&endpoint->local.address))
		endpoint->local.address = source;
	endpoint->remote = target;
	if (had_port) {
		port = endpoint->local.port;
		err = inet_find_pair(endpoint->stack, endpoint->protocol, &endpoint->local,
			      &endpoint->remote)
			      ? -EADDRNOTAVAIL
			      : 0;
	} else {
		port = choose_port(endpoint, &target,
			endpoint->protocol == INET_TCP ? pair_is_free : port_is_free);
		err = port < 0 ? (endpoint->protocol == INET_TCP ? port : -EAGAIN) : 0;
	}
	if (err == 0) {
		endpoint->local.port = (uint16_t)port;
		err = had_port ? 0 : insert_port(endpoint);
	}
	if (err == 0) {
		err = inet_insert_pair(endpoint);
		if (err < 0 && !had_port)
			remove_port(endpoint);
	}
	if (err < 0) {
		endpoint->local = local;
		endpoint->remote = remote;
	}
	return err;
}

void inet_disconnect(struct inet_endpoint *endpoint)
{
	if (!endpoint->has_pair)
		return;
	remove_pair(endpoint);
	endpoint->remote = (struct inet_name){endpoint->ipv6 ? inet_any : inet_any4, 0};
	if (!endpoint->address_given)
		endpoint->local.address = endpoint->ipv6 ? inet_any : inet_any4;
	if (!endpoint->port_given)
		remove_port(endpoint);
}

/* ---- endpoints ---------------------------------------------------------------------------------
 */

bool inet_endpoints_are_many(void)
{
	return endpoint_count > INET_ENDPOINTS_MAX / 2;
}

int inet_endpoint_init(
	struct inet_endpoint *endpoint, struct netstack *stack, uint8_t protocol, bool ipv6)
{
	if (endpoint_count >= INET_ENDPOINTS_MAX)
		return -ENOBUFS;
	endpoint_count++;
	endpoint->stack = stack;
	endpoint->protocol = protocol;
	endpoint->ipv6 = ipv6;
	endpoint->local.address = endpoint->remote.address = ipv6 ? inet_any : inet_any4;
	list_init(&endpoint->list);
	return 0;
}

void inet_endpoint_fini(struct inet_endpoint *endpoint)
{
	remove_pair(endpoint);
	remove_port(endpoint);
	list_remove(&endpoint->list);
	endpoint_count--;
}

/* ---- packets under way -------------------------------------------------------------------------
 */

/* As it would be on a link, without options. */
static uint32_t packet_size(const struct inet_packet *packet)
{
	uint32_t ip = inet_is_v4(&packet->to.address) ? IP4_HEADER : IP6_HEADER;

	if (packet->protocol == INET_WHOLE_PACKET)
		return packet->segment.payload.size;
	return packet->protocol == INET_TCP ? ip + 20 + packet->segment.payload.size
					    : ip + 8 + packet->datagram->data.size;
}

void inet_packet_free(struct inet_packet *packet)
{
	netbuf_queue_clear(&packet->segment.payload);
	if (packet->datagram)
		inet_datagram_free(NULL, packet->datagram);
	free(packet);
}

/* A copy of a datagram to a group or to everybody, for the endpoints that listen here. */
static void loop_copy(
	struct netstack *stack, const struct inet_packet *packet, const struct netif *netif)
{
	struct inet_packet *copy = malloc(sizeof(*copy));
	struct inet_datagram *datagram = malloc(sizeof(*datagram));

	if (!copy || !datagram) {
		free(copy);
		free(datagram);
		return;
	}
	*copy = *packet;
	*datagram = *packet->datagram;
	list_init(&datagram->link);
	datagram->data = (struct netbuf_queue){0};
	copy->datagram = datagram;
	copy->netif_index = netif->index;
	copy->to_many = true;
	if (netbuf_slice(&packet->datagram->data, 0, packet->datagram->data.size, &datagram->data) <
		0) {
		free(copy);
		free(datagram);
		return;
	}
	list_add_tail(&copy->link, &stack->packets);
}

/* Not to ourselves, or not alone. */
static void send_out(struct netstack *stack, struct inet_packet *packet)
{
	const struct inet_address *to = &packet->to.address;
	struct route_result route;
	struct netif *bound;

	if (find_netif(stack, packet->netif_index, &bound) < 0 ||
		route_lookup(stack, to, bound, &route) < 0) {
		stack->counters.ip[ip_family(inet_is_v4(to))].out_no_routes++;
		inet_packet_free(packet);
		return;
	}
	if (route.local) {
		list_add_tail(&packet->link, &stack->packets);
		return;
	}
	if (packet->datagram && (route.broadcast || (route.multicast && !packet->no_loop &&
							    group_is_joined(route.netif, to))))
		loop_copy(stack, packet, route.netif);
	if (route.netif->ops->take && route.netif->ops->take(route.netif, packet))
		route.netif->counters.tx_packets++;
	else
		ip_output_packet(stack, packet, &route);
	inet_packet_free(packet);
}

/* What taps see of packets that no link ever carries. */
static void show_taps(struct netstack *stack, struct inet_packet *packet, bool outgoing)
{
	static const struct netif_offload whole = {.checksum_valid = true};
	struct netbuf_queue frame = {0};

	if (ip_serialise(stack, packet, &frame) == 0)
		netif_tap(&stack->loopback, &frame, outgoing, &whole);
	netbuf_queue_clear(&frame);
}

void netstack_queue(struct netstack *stack, struct inet_packet *packet)
{
	/* The loopback interface hands groups' packets back like others. */
	if (packet->netif_index <= 1 &&
		(netstack_is_local(stack, &packet->to.address) ||
			(packet->netif_index && inet_is_multicast(&packet->to.address)))) {
		stack->loopback.counters.tx_packets++;
		stack->loopback.counters.tx_bytes += packet_size(packet);
		list_add_tail(&packet->link, &stack->packets);
		if (!list_empty(&stack->taps))
			show_taps(stack, packet, true);
	} else {
		send_out(stack, packet);
	}
}

static void show_raw(struct netstack *stack, struct inet_packet *packet)
{
	struct netbuf_queue frame = {0};
	struct ip_info info = {
		.netif = netif_by_index(stack, packet->netif_index ? packet->netif_index : 1),
		.from = packet->from.address,
		.to = packet->to.address,
		.protocol = packet->protocol,
		.v4 = inet_is_v4(&packet->to.address),
		.packet = &frame,
	};

	info.offset = info.v4 ? IP4_HEADER : IP6_HEADER;
	if (info.netif && ip_serialise(stack, packet, &frame) == 0)
		(void)ip_show_raw(stack, &info);
	netbuf_queue_clear(&frame);
}

/* A packet that arrived on the loopback link, or without one. */
static void deliver(struct netstack *stack, struct inet_packet *packet)
{
	static const struct netif_offload whole = {.checksum_valid = true};

	if (packet->netif_index <= 1) {
		stack->loopback.counters.rx_packets++;
		stack->loopback.counters.rx_bytes += packet_size(packet);
	}
	if (packet->protocol == INET_WHOLE_PACKET) {
		if (!list_empty(&stack->taps))
			netif_tap(&stack->loopback, &packet->segment.payload, false, &whole);
		ip_input(&stack->loopback, &packet->segment.payload, false, &whole);
		return;
	}
	if (!list_empty(&stack->taps) && packet->netif_index <= 1)
		show_taps(stack, packet, false);
	if (!list_empty(&stack->raw))
		show_raw(stack, packet);
	if (packet->protocol == INET_TCP)
		inet_tcp_arrives(stack, packet);
	else
		inet_udp_arrives(stack, packet);
}

void netstack_run(struct netstack *stack)
{
	if (stack->running)
		return;
	stack->running = true;
	while (!list_empty(&stack->packets)) {
		struct inet_packet *packet = list_first(&stack->packets, struct inet_packet, link);

		list_remove(&packet->link);
		deliver(stack, packet);
		inet_packet_free(packet);
	}
	stack->running = false;
}

void netstack_init(struct netstack *stack)
{
	*stack = (struct netstack){0};
	list_init(&stack->ip.neighbours);
	ip_reassembly_init(stack);
	icmp_init(stack);
	netif_init_loopback(stack);
	list_init(&stack->endpoints);
	list_init(&stack->packets);
	list_init(&stack->groups);
	random_bytes(stack->isn_key, sizeof(stack->isn_key));
	random_bytes(stack->cookie_key, sizeof(stack->cookie_key));
	random_bytes(stack->port_key, sizeof(stack->port_key));
}

void netstack_fini(struct netstack *stack)
{
	struct inet_endpoint *endpoint, *next;

	list_for_each_entry_safe (endpoint, next, &stack->endpoints, list) {
		sentry_assert(endpoint->protocol == INET_TCP && !endpoint->notify);
		inet_tcp_destroy(inet_tcp_of(endpoint));
	}
	while (!list_empty(&stack->packets)) {
		struct inet_packet *packet = list_first(&stack->packets, struct inet_packet, link);

		list_remove(&packet->link);
		inet_packet_free(packet);
	}
	netif_fini_all(stack);
	ip_reassembly_fini(stack);
	hash_fini(&stack->ip.neighbour_table);
	hash_fini(&stack->pairs);
	hash_fini(&stack->ports);
	hash_fini(&stack->users);
}
