/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces and their addresses. What an address means for routing follows from it here: an
 * address of an interface that is up is ours, on the loopback its whole network is
 * (fib_add_ifaddr()), and its network is reached over the interface.
 *
 * Nearly every packet of a sandbox goes to 127.0.0.1 or ::1, so the stack remembers whether these
 * are ours (`loopback4`, `loopback6`) and asks the lists for others only.
 */
#include "netstack/ip_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void tell(struct netstack *stack, enum netstack_event event, const void *object)
{
	if (stack->changed)
		stack->changed(stack, event, object);
}

void netif_tell_address(struct netif *netif, struct netif_address *address)
{
	const struct netif_change change = {netif, address};

	tell(netif->stack, NETSTACK_ADDRESS_NEW, &change);
}

static void tell_address(
	enum netstack_event event, struct netif *netif, struct netif_address *address)
{
	const struct netif_change change = {netif, address};

	tell(netif->stack, event, &change);
}

/* ---- whose is an address ------------------------------------------------------------------------
 */

static bool usable(const struct netif_address *address)
{
	return !(address->flags & (NETADDR_TENTATIVE | NETADDR_DAD_FAILED));
}

static bool owns(const struct netif *netif, const struct netif_address *own,
	const struct inet_address *address)
{
	if (inet_equal(&own->address, address))
		return true;
	return netif->type == NETIF_LOOPBACK && inet_is_v4(address) &&
	       inet_in_network(address, &own->address, own->prefix);
}

struct netif *netif_of_address(const struct netstack *stack, const struct inet_address *address)
{
	struct netif *netif;
	const struct netif_address *own;

	list_for_each_entry (netif, &stack->netifs, link) {
		if (!(netif->flags & NETIF_UP))
			continue;
		list_for_each_entry (own, &netif->addresses, link) {
			if (usable(own) && owns(netif, own, address))
				return netif;
		}
	}
	return NULL;
}

bool netstack_is_local(const struct netstack *stack, const struct inet_address *address)
{
	if (stack->loopback4 && inet_is_v4(address) && address->bytes[12] == 127)
		return true;
	if (stack->loopback6 && inet_equal(address, &inet_loopback))
		return true;
	return netif_of_address(stack, address) != NULL;
}

static void refresh_loopback(struct netstack *stack)
{
	static const struct inet_address first = {{[10] = 0xff, [11] = 0xff, 127}};
	const struct netif *loopback = &stack->loopback;
	const struct netif_address *own;

	stack->loopback4 = stack->loopback6 = false;
	if (!(loopback->flags & NETIF_UP))
		return;
	list_for_each_entry (own, &loopback->addresses, link) {
		if (own->prefix <= 8 && inet_in_network(&first, &own->address, own->prefix))
			stack->loopback4 = true;
		if (inet_equal(&own->address, &inet_loopback))
			stack->loopback6 = true;
	}
}

/* ---- addresses ----------------------------------------------------------------------------------
 */

/* The route that an address on an interface that is up brings with it: none on the loopback, where
 * the network is our own. */
static int add_network_route(struct netif *netif, const struct netif_address *address)
{
	bool v4 = inet_is_v4(&address->address), peer = !inet_is_any(&address->peer);
	struct route route = {
		.destination = peer ? address->peer : address->address,
		.gateway = v4 ? inet_any4 : inet_any,
		.source = v4 ? address->address : inet_any,
		.prefix = address->prefix,
		.protocol = NETROUTE_BY_KERNEL,
		.scope = v4 ? NETSCOPE_LINK : NETSCOPE_GLOBAL,
		.type = NETROUTE_UNICAST,
		.netif = netif,
		.metric = v4 ? 0 : 256, /* IP6_RT_PRIO_ADDRCONF */
		.valid_until = INT64_MAX,
	};
	int err;

	if (netif->type == NETIF_LOOPBACK || address->autoconf ||
		(!peer && route.prefix == (v4 ? 32 : 128)))
		return 0;
	route.destination = inet_network_first(&route.destination, route.prefix);
	err = route_add(netif->stack, &route);
	return err == -EEXIST ? 0 : err;
}

/* The last address of a network takes the route along. */
static void remove_network_route(struct netif *netif, const struct netif_address *gone)
{
	bool v4 = inet_is_v4(&gone->address);
	const struct inet_address *base = inet_is_any(&gone->peer) ? &gone->address : &gone->peer;
	struct route route = {
		.destination = inet_network_first(base, gone->prefix),
		.gateway = v4 ? inet_any4 : inet_any,
		.prefix = gone->prefix,
		.netif = netif,
		.metric = v4 ? 0 : 256,
	};
	const struct netif_address *other;

	list_for_each_entry (other, &netif->addresses, link) {
		if (other->prefix == gone->prefix &&
			inet_in_network(&other->address, base, gone->prefix))
			return;
	}
	(void)route_remove(netif->stack, &route);
}

static unsigned count_addresses(const struct netstack *stack)
{
	const struct netif *netif;
	const struct netif_address *address;
	unsigned count = 0;

	list_for_each_entry (netif, &stack->netifs, link) {
		list_for_each_entry (address, &netif->addresses, link)
			count++;
	}
	return count;
}

static struct netif_address *find_address(
	struct netif *netif, const struct inet_address *address, uint8_t prefix)
{
	struct netif_address *own;

	list_for_each_entry (own, &netif->addresses, link) {
		if (own->prefix == prefix && inet_equal(&own->address, address))
			return own;
	}
	return NULL;
}

/* Where a new one goes: IPv6's with the widest scope first, the newest of equals before the others
 * (ipv6_link_dev_addr()). */
static struct list_head *place_of(struct netif *netif, const struct netif_address *address)
{
	struct netif_address *other;

	if (!inet_is_v4(&address->address)) {
		list_for_each_entry (other, &netif->addresses, link) {
			if (!inet_is_v4(&other->address) && other->scope >= address->scope)
				return &other->link;
		}
	}
	return &netif->addresses;
}

int netif_address_add(struct netif *netif, const struct netif_address *address)
{
	bool v4 = inet_is_v4(&address->address);
	struct netif_address *copy;
	int err = 0;

	if (address->prefix > inet_address_bits(&address->address) ||
		inet_is_any(&address->address) || inet_is_multicast(&address->address))
		return -EINVAL;
	/* inet6_addr_add() finds an address whatever its prefix. */
	list_for_each_entry (copy, &netif->addresses, link) {
		if (inet_equal(&copy->address, &address->address) &&
			(!v4 || copy->prefix == address->prefix))
			return -EEXIST;
	}
	if (count_addresses(netif->stack) >= NETIF_ADDRESSES_MAX)
		return -ENOBUFS;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *address;
	if (netif->flags & NETIF_UP)
		err = add_network_route(netif, copy);
	if (err < 0) {
		free(copy);
		return err;
	}
	list_add_tail(&copy->link, place_of(netif, copy));
	refresh_loopback(netif->stack);
	nd_address_up(netif, copy);
	nd_set_timer(netif);
	tell_address(NETSTACK_ADDRESS_NEW, netif, copy);
	return 0;
}

static void drop_address(struct netif *netif, struct netif_address *own)
{
	nd_address_down(netif, own);
	list_remove(&own->link);
	refresh_loopback(netif->stack);
	remove_network_route(netif, own);
	tell_address(NETSTACK_ADDRESS_GONE, netif, own);
	free(own);
}

int netif_address_remove(struct netif *netif, const struct inet_address *address, uint8_t prefix)
{
	struct netif_address *own = find_address(netif, address, prefix);

	if (!own)
		return -EADDRNOTAVAIL;
	drop_address(netif, own);
	return 0;
}

/* An address that the interface has by itself. */
static int add_own(
	struct netif *netif, const struct inet_address *address, uint8_t prefix, uint8_t scope)
{
	struct netif_address own = {
		.address = *address,
		.peer = inet_is_v4(address) ? inet_any4 : inet_any,
		.broadcast = inet_is_v4(address) ? inet_any4 : inet_any,
		.prefix = prefix,
		.scope = scope,
		.flags = NETADDR_PERMANENT,
		.preferred_until = INT64_MAX,
		.valid_until = INT64_MAX,
	};

	memcpy(own.label, netif->name, sizeof(own.label));
	return netif_address_add(netif, &own);
}

/* fe80::/64 with the modified EUI-64 of the hardware address (RFC 4291 appendix A). */
static struct inet_address link_local_of(const uint8_t hardware[6])
{
	const struct inet_address address = {{0xfe, 0x80, [8] = hardware[0] ^ 2, hardware[1],
		hardware[2], 0xff, 0xfe, hardware[3], hardware[4], hardware[5]}};

	return address;
}

/* ---- interfaces ---------------------------------------------------------------------------------
 */

static bool has_family(const struct netif *netif, bool v4)
{
	const struct netif_address *own;

	list_for_each_entry (own, &netif->addresses, link) {
		if (inet_is_v4(&own->address) == v4)
			return true;
	}
	return false;
}

static int bring_up(struct netif *netif)
{
	struct netif_address *own;
	struct inet_address link_local;
	int err = 0;

	netif->flags |= NETIF_UP;
	refresh_loopback(netif->stack);
	tell(netif->stack, NETSTACK_LINK, netif);
	list_for_each_entry (own, &netif->addresses, link) {
		err = add_network_route(netif, own);
		if (err < 0)
			return err;
		nd_address_up(netif, own);
	}
	group_report_joined(netif);
	if (netif->type == NETIF_LOOPBACK) {
		if (!has_family(netif, true))
			err = add_own(netif, &inet_loopback4, 8, NETSCOPE_HOST);
		if (err == 0 && !find_address(netif, &inet_loopback, 128))
			err = add_own(netif, &inet_loopback, 128, NETSCOPE_HOST);
	} else if (netif->type == NETIF_ETHERNET && netif->mtu >= INET_MTU_MIN6) {
		link_local = link_local_of(netif->hardware);
		if (!find_address(netif, &link_local, 64))
			err = add_own(netif, &link_local, 64, NETSCOPE_LINK);
		nd_up(netif);
	}
	return err;
}

static void bring_down(struct netif *netif)
{
	struct netif_address *own, *next;

	list_for_each_entry_safe (own, next, &netif->addresses, link) {
		if (!inet_is_v4(&own->address))
			drop_address(netif, own); /* addrconf_ifdown() */
	}
	netif->flags &= ~NETIF_UP;
	refresh_loopback(netif->stack);
	route_remove_netif(netif);
	neighbour_flush(netif);
	nd_down(netif);
	tell(netif->stack, NETSTACK_LINK, netif);
}

int netif_set_up(struct netif *netif, bool up)
{
	if (up == !!(netif->flags & NETIF_UP))
		return 0;
	if (up)
		return bring_up(netif);
	bring_down(netif);
	return 0;
}

struct netif *netif_by_index(const struct netstack *stack, unsigned index)
{
	struct netif *netif;

	list_for_each_entry (netif, &stack->netifs, link) {
		if (netif->index == index)
			return netif;
	}
	return NULL;
}

struct netif *netif_by_name(const struct netstack *stack, const char *name)
{
	struct netif *netif;

	list_for_each_entry (netif, &stack->netifs, link) {
		if (strncmp(netif->name, name, sizeof(netif->name)) == 0)
			return netif;
	}
	return NULL;
}

int netif_add(struct netstack *stack, struct netif *netif)
{
	if (netif_by_name(stack, netif->name))
		return -EEXIST;
	if (stack->netif_count >= NETIF_COUNT_MAX)
		return -ENOSPC;
	stack->netif_count++;
	netif->stack = stack;
	netif->index = ++stack->netif_last;
	netif->flags &= ~NETIF_UP;
	netif->counters = (struct netif_counters){0};
	netif->group_count = netif->router_solicits = 0;
	netif->reported_at = netif->router_solicit_at = 0;
	netif->mtu6 = netif->hop_limit = 0;
	list_init(&netif->addresses);
	list_init(&netif->groups);
	nd_init(netif);
	list_add_tail(&netif->link, &stack->netifs);
	tell(stack, NETSTACK_LINK, netif);
	return 0;
}

void netif_remove(struct netif *netif)
{
	struct netif_address *own, *next;

	(void)netif_set_up(netif, false);
	list_for_each_entry_safe (own, next, &netif->addresses, link)
		drop_address(netif, own);
	neighbour_flush(netif);
	nd_down(netif);
	group_forget_all(netif);
	tell(netif->stack, NETSTACK_LINK_GONE, netif);
	list_remove(&netif->link);
	netif->stack->netif_count--;
	netif->stack = NULL;
	if (netif->ops->free)
		netif->ops->free(netif);
}

static const struct netif_ops loopback_ops = {0};

void netif_init_loopback(struct netstack *stack)
{
	stack->loopback = (struct netif){
		.ops = &loopback_ops,
		.type = NETIF_LOOPBACK,
		.name = "lo",
		.mtu = INET_LOOPBACK_MTU,
		.flags = NETIF_RUNNING,
	};
	list_init(&stack->netifs);
	list_init(&stack->routes);
	list_init(&stack->taps);
	list_init(&stack->raw);
	(void)netif_add(stack, &stack->loopback);
}

void netif_fini_all(struct netstack *stack)
{
	struct netif *netif, *next;
	struct route *route, *next_route;

	stack->changed = NULL;
	list_for_each_entry_safe (netif, next, &stack->netifs, link)
		netif_remove(netif);
	list_for_each_entry_safe (route, next_route, &stack->routes, link) {
		list_remove(&route->link);
		free(route);
	}
}

/* ---- frames -------------------------------------------------------------------------------------
 */

void netif_tap(struct netif *netif, struct netbuf_queue *frame, bool outgoing,
	const struct netif_offload *offload)
{
	struct netif_tap *tap, *next;

	list_for_each_entry_safe (tap, next, &netif->stack->taps, link)
		tap->see(tap, netif, frame, outgoing, offload);
}

void netif_receive(
	struct netif *netif, struct netbuf_queue *frame, const struct netif_offload *offload)
{
	netif->counters.rx_packets++;
	netif->counters.rx_bytes += frame->size;
	if (!(netif->flags & NETIF_UP)) {
		netif->counters.rx_dropped++;
		netbuf_queue_clear(frame);
		return;
	}
	netif_tap(netif, frame, false, offload);
	if (netif->type == NETIF_ETHERNET)
		ethernet_input(netif, frame, offload);
	else
		ip_input(netif, frame, false, offload);
	netbuf_queue_clear(frame);
	netstack_run(netif->stack);
}

void netif_deliver(struct netif *netif, struct inet_packet *packet)
{
	netif->counters.rx_packets++;
	packet->netif_index = netif->index;
	list_add_tail(&packet->link, &netif->stack->packets);
}
