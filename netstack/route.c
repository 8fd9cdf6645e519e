/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a packet goes. First come our own addresses (Linux' table "local", which follows from the
 * interfaces' addresses), then broadcast and multicast, then one list of routes, longest prefix and
 * smallest metric first. The source address is that of the route, else the one of the interface
 * that suits the next hop (inet_select_addr(); for IPv6 what of RFC 6724 section 5 is left when
 * there is one interface to choose for: scope, deprecation, longest match).
 */
#include "netstack/netif_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"

/* ---- the table ----------------------------------------------------------------------------------
 */

static void tell(struct netstack *stack, enum netstack_event event, const struct route *route)
{
	if (stack->changed)
		stack->changed(stack, event, route);
}

static bool same_destination(const struct route *a, const struct route *b)
{
	return a->prefix == b->prefix && inet_equal(&a->destination, &b->destination);
}

static bool goes_before(const struct route *a, const struct route *b)
{
	return a->prefix > b->prefix || (a->prefix == b->prefix && a->metric < b->metric);
}

static bool refuses(const struct route *route)
{
	return route->type != NETROUTE_UNICAST;
}

/* A gateway has to be reachable without one (fib_check_nh()). */
static int check_gateway(struct netstack *stack, const struct route *route)
{
	const struct route *other;

	if (inet_is_any(&route->gateway) || inet_is_link_local(&route->gateway) ||
		route->netif->type == NETIF_POINT)
		return 0;
	if (inet_is_v4(&route->gateway) != inet_is_v4(&route->destination))
		return -EINVAL;
	list_for_each_entry (other, &stack->routes, link) {
		if (other->netif == route->netif && inet_is_any(&other->gateway) &&
			!refuses(other) &&
			inet_in_network(&route->gateway, &other->destination, other->prefix))
			return netstack_is_local(stack, &route->gateway) ? -EINVAL : 0;
	}
	return inet_is_v4(&route->gateway) ? -ENETUNREACH : -EHOSTUNREACH;
}

static int check(struct netstack *stack, const struct route *route)
{
	const struct inet_address network = inet_network_first(&route->destination, route->prefix);
	const struct route *other;

	if (route->prefix > inet_address_bits(&route->destination) ||
		!inet_equal(&network, &route->destination))
		return -EINVAL;
	if (!refuses(route)) {
		int err;

		if (!route->netif)
			return -EINVAL;
		if (!(route->netif->flags & NETIF_UP))
			return -ENETDOWN;
		err = check_gateway(stack, route);
		if (err < 0)
			return err;
	}
	if (stack->route_count >= NETIF_ROUTES_MAX)
		return -ENOBUFS;
	list_for_each_entry (other, &stack->routes, link) {
		if (!same_destination(other, route) || other->metric != route->metric)
			continue;
		/* IPv6 has several ways with one metric (fib6_add_rt2node()). */
		if (inet_is_v4(&route->destination) ||
			(other->netif == route->netif &&
				inet_equal(&other->gateway, &route->gateway)))
			return -EEXIST;
	}
	return 0;
}

int route_add(struct netstack *stack, const struct route *route)
{
	struct list_head *at;
	struct route *copy;
	int err = check(stack, route);

	if (err < 0)
		return err;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *route;
	for (at = stack->routes.next; at != &stack->routes; at = at->next) {
		if (goes_before(copy, list_entry(at, struct route, link)))
			break;
	}
	list_add_tail(&copy->link, at);
	stack->route_count++;
	tell(stack, NETSTACK_ROUTE_NEW, copy);
	return 0;
}

static void drop(struct netstack *stack, struct route *route)
{
	list_remove(&route->link);
	stack->route_count--;
	tell(stack, NETSTACK_ROUTE_GONE, route);
	free(route);
}

int route_remove(struct netstack *stack, const struct route *wanted)
{
	struct route *route;

	list_for_each_entry (route, &stack->routes, link) {
		if (same_destination(route, wanted) &&
			(!wanted->netif || route->netif == wanted->netif) &&
			(!wanted->metric || route->metric == wanted->metric) &&
			(inet_is_any(&wanted->gateway) ||
				inet_equal(&route->gateway, &wanted->gateway))) {
			drop(stack, route);
			return 0;
		}
	}
	return -ESRCH;
}

struct route *route_find(struct netstack *stack, const struct route *wanted)
{
	struct route *route;

	list_for_each_entry (route, &stack->routes, link) {
		if (same_destination(route, wanted) && route->netif == wanted->netif &&
			route->metric == wanted->metric &&
			inet_equal(&route->gateway, &wanted->gateway))
			return route;
	}
	return NULL;
}

void route_expire(struct netif *netif, int64_t now)
{
	struct netstack *stack = netif->stack;
	struct route *route, *next;

	list_for_each_entry_safe (route, next, &stack->routes, link) {
		if (route->netif == netif && route->valid_until <= now)
			drop(stack, route);
	}
}

void route_remove_netif(struct netif *netif)
{
	struct netstack *stack = netif->stack;
	struct route *route, *next;

	list_for_each_entry_safe (route, next, &stack->routes, link) {
		if (route->netif == netif)
			drop(stack, route);
	}
}

/* ---- source addresses ---------------------------------------------------------------------------
 */

static struct inet_address source4(
	const struct netstack *stack, const struct netif *netif, const struct inet_address *hop)
{
	const struct netif_address *own;
	const struct netif *other;
	struct inet_address best = inet_any4;

	list_for_each_entry (own, &netif->addresses, link) {
		const struct inet_address *base =
			inet_is_any(&own->peer) ? &own->address : &own->peer;

		if (!inet_is_v4(&own->address) ||
			(own->scope > NETSCOPE_LINK && netif->type != NETIF_LOOPBACK))
			continue;
		if (inet_in_network(hop, base, own->prefix))
			return own->address;
		if (inet_is_any(&best))
			best = own->address;
	}
	if (!inet_is_any(&best))
		return best;
	/* An interface without a number of its own lends one from another. */
	list_for_each_entry (other, &stack->netifs, link) {
		list_for_each_entry (own, &other->addresses, link) {
			if ((other->flags & NETIF_UP) && inet_is_v4(&own->address) &&
				own->scope < NETSCOPE_LINK)
				return own->address;
		}
	}
	return inet_any4;
}

static uint8_t scope6(const struct inet_address *address)
{
	if (inet_is_multicast(address))
		return (address->bytes[1] & 0xf) <= 1	? NETSCOPE_HOST
		       : (address->bytes[1] & 0xf) <= 2 ? NETSCOPE_LINK
							: NETSCOPE_GLOBAL;
	return inet_is_loopback(address)     ? NETSCOPE_HOST
	       : inet_is_link_local(address) ? NETSCOPE_LINK
					     : NETSCOPE_GLOBAL;
}

static struct inet_address source6(const struct netif *netif, const struct inet_address *to)
{
	const struct netif_address *own, *best = NULL;
	unsigned best_score = 0;

	list_for_each_entry (own, &netif->addresses, link) {
		unsigned score;

		if (inet_is_v4(&own->address) ||
			(own->flags & (NETADDR_TENTATIVE | NETADDR_DAD_FAILED)))
			continue;
		/* Rules 2, 3 and 8, the former weighing more. */
		score = 1 + inet_common_prefix(&own->address, to);
		score += own->flags & NETADDR_DEPRECATED ? 0 : 256;
		score += scope6(&own->address) == scope6(to)  ? 1024
			 : scope6(&own->address) < scope6(to) ? 512
							      : 0;
		if (score > best_score) {
			best = own;
			best_score = score;
		}
	}
	return best ? best->address : inet_any;
}

struct inet_address route_source(
	const struct netstack *stack, const struct netif *netif, const struct inet_address *to)
{
	return inet_is_v4(to) ? source4(stack, netif, to) : source6(netif, to);
}

/* ---- looking up ---------------------------------------------------------------------------------
 */

static int find_local(
	struct netstack *stack, const struct inet_address *to, struct route_result *ret)
{
	*ret = (struct route_result){
		.netif = &stack->loopback,
		.next_hop = *to,
		/* The route to 127.0.0.0/8 has 127.0.0.1 as its source; others have themselves. */
		.source = inet_is_v4(to) && to->bytes[12] == 127 ? inet_loopback4 : *to,
		.mtu = stack->loopback.mtu,
		.local = true,
	};
	return 0;
}

static bool is_broadcast_of(const struct netif *netif, const struct inet_address *to)
{
	const struct netif_address *own;

	if (!inet_is_v4(to) || netif->type != NETIF_ETHERNET)
		return false;
	list_for_each_entry (own, &netif->addresses, link) {
		struct inet_address last = inet_network_last(&own->address, own->prefix);

		if (!inet_is_v4(&own->address))
			continue;
		if ((!inet_is_any(&own->broadcast) && inet_equal(to, &own->broadcast)) ||
			(own->prefix < 31 && inet_equal(to, &last)))
			return true;
	}
	return false;
}

static bool can_use(const struct netif *netif, const struct netif *bound)
{
	return (netif->flags & NETIF_UP) && (!bound || bound == netif);
}

bool netstack_is_broadcast(
	const struct netstack *stack, const struct inet_address *to, struct netif **ret_netif)
{
	struct netif *netif;

	list_for_each_entry (netif, &stack->netifs, link) {
		if ((netif->flags & NETIF_UP) && is_broadcast_of(netif, to)) {
			*ret_netif = netif;
			return true;
		}
	}
	return false;
}

static int find_route(struct netstack *stack, const struct inet_address *to,
	const struct netif *bound, struct route **ret)
{
	struct route *route;

	list_for_each_entry (route, &stack->routes, link) {
		if (!inet_in_network(to, &route->destination, route->prefix))
			continue;
		if (route->type == NETROUTE_UNREACHABLE)
			return -EHOSTUNREACH;
		if (route->type == NETROUTE_PROHIBIT)
			return -EACCES;
		if (refuses(route))
			return -EINVAL;
		if (can_use(route->netif, bound)) {
			*ret = route;
			return 0;
		}
	}
	return -ENETUNREACH;
}

static int finish(struct netstack *stack, const struct inet_address *to, struct netif *netif,
	const struct route *route, struct route_result *ret)
{
	bool gateway = route && !inet_is_any(&route->gateway);
	uint32_t mtu = route && route->mtu ? min_of(route->mtu, netif->mtu) : netif->mtu;

	*ret = (struct route_result){
		.netif = netif,
		.next_hop = gateway ? route->gateway : *to,
		.mtu = mtu,
		.multicast = inet_is_multicast(to),
		.broadcast = inet_equal(to, &inet_broadcast4) || is_broadcast_of(netif, to),
	};
	if (ret->broadcast || ret->multicast)
		ret->next_hop = *to;
	if (!inet_is_v4(to) && netif->mtu6)
		ret->mtu = min_of(ret->mtu, netif->mtu6);
	path_mtu_apply(stack, to, ret);
	if (route && !inet_is_any(&route->source))
		ret->source = route->source;
	else
		ret->source =
			inet_is_v4(to) ? source4(stack, netif, &ret->next_hop) : source6(netif, to);
	return 0;
}

int route_lookup(struct netstack *stack, const struct inet_address *to, const struct netif *bound,
	struct route_result *ret)
{
	struct netif *netif = NULL;
	struct route *route = NULL;
	int err;

	if (!bound || bound == &stack->loopback) {
		if (netstack_is_local(stack, to))
			return find_local(stack, to, ret);
	} else if (netif_of_address(stack, to) == bound) {
		return find_local(stack, to, ret);
	}
	if (bound && !(bound->flags & NETIF_UP))
		return -ENETDOWN;
	if (netstack_is_broadcast(stack, to, &netif) && can_use(netif, bound))
		return finish(stack, to, netif, NULL, ret);
	err = find_route(stack, to, bound, &route);
	if (err == 0)
		return finish(stack, to, route->netif, route, ret);
	/* What the program itself said where to send is taken to be on that link
	 * (ip_route_output_key_hash_rcu()); IPv6 does so for what cannot be elsewhere. */
	if (err == -ENETUNREACH && bound &&
		(inet_is_v4(to) || inet_is_link_local(to) || inet_is_multicast(to)))
		return finish(stack, to, netif_by_index(stack, bound->index), NULL, ret);
	/* ff00::/8 is on every interface (addrconf_add_mroute()). */
	if (err == -ENETUNREACH && !inet_is_v4(to) && inet_is_multicast(to)) {
		list_for_each_entry (netif, &stack->netifs, link) {
			if ((netif->flags & NETIF_UP) && netif->type == NETIF_ETHERNET)
				return finish(stack, to, netif, NULL, ret);
		}
	}
	return err;
}
