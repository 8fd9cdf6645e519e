/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What routers advertise (RFC 4861 section 6.3) and the addresses that follow from it (RFC 4862
 * section 5.5), and the clock of an interface's addresses: when a tentative one is ours, when one
 * is deprecated and when it is gone.
 *
 * Anybody on the link can advertise, so what is kept of it is bounded: ROUTERS_MAX default routers,
 * AUTOCONF_MAX addresses and as many networks of an interface.
 */
#include "netstack/nd_private.h"

#include <errno.h>

#include "base/checked.h"

#define SEC	       INT64_C(1000000000)
#define SOLICIT_COUNT  3u	 /* MAX_RTR_SOLICITATIONS */
#define SOLICIT_GAP    (4 * SEC) /* RTR_SOLICITATION_INTERVAL */
#define TWO_HOURS      (7200 * SEC)
#define ROUTERS_MAX    8u
#define AUTOCONF_MAX   16u
#define ROUTER_METRIC  1024u
#define NETWORK_METRIC 256u

#define FLAG_ON_LINK	0x80u
#define FLAG_AUTONOMOUS 0x40u

static const struct inet_address all_routers = {{0xff, 0x02, [15] = 2}};

static int64_t until(uint32_t seconds)
{
	return seconds == UINT32_MAX ? INT64_MAX
				     : (int64_t)loop_monotonic() + (int64_t)seconds * SEC;
}

/* ---- the clock ----------------------------------------------------------------------------------
 */

static void solicit_routers(struct netif *netif)
{
	uint8_t message[16] = {ICMP6_ROUTER_SOLICITATION, [8] = ND_SOURCE_HARDWARE, [9] = 1};
	struct inet_address from = route_source(netif->stack, netif, &all_routers);

	memcpy(message + 10, netif->hardware, 6);
	nd_send(netif, &from, &all_routers, message, inet_is_any(&from) ? 8 : sizeof(message));
	netif->router_solicits++;
	netif->router_solicit_at = (int64_t)loop_monotonic() + SOLICIT_GAP;
}

static void turn_address(struct netif *netif, struct netif_address *own, int64_t now)
{
	if (own->valid_until <= now) {
		(void)netif_address_remove(netif, &own->address, own->prefix);
		return;
	}
	if ((own->flags & NETADDR_TENTATIVE) && own->dad_until <= now) {
		own->flags &= ~NETADDR_TENTATIVE;
		netif_tell_address(netif, own);
	}
	if (own->preferred_until <= now && !(own->flags & NETADDR_DEPRECATED)) {
		own->flags |= NETADDR_DEPRECATED;
		netif_tell_address(netif, own);
	}
}

static int64_t next_of(const struct netif_address *own)
{
	int64_t next = own->valid_until;

	if (own->flags & NETADDR_TENTATIVE)
		next = min_of(next, own->dad_until);
	if (!(own->flags & NETADDR_DEPRECATED))
		next = min_of(next, own->preferred_until);
	return next;
}

static bool solicits(const struct netif *netif)
{
	return netif->type == NETIF_ETHERNET && netif->router_solicits < SOLICIT_COUNT &&
	       (netif->flags & NETIF_UP) && !(netif->flags & NETIF_NO_RA);
}

void nd_set_timer(struct netif *netif)
{
	const struct netif_address *own;
	const struct route *route;
	int64_t next = INT64_MAX;

	list_for_each_entry (own, &netif->addresses, link)
		next = min_of(next, next_of(own));
	list_for_each_entry (route, &netif->stack->routes, link) {
		if (route->netif == netif)
			next = min_of(next, route->valid_until);
	}
	if (solicits(netif))
		next = min_of(next, netif->router_solicit_at);
	if (next == INT64_MAX)
		timer_cancel(&netif->timer);
	else
		(void)timer_arm(&netif->timer, (uint64_t)next);
}

static void expired(struct timer *timer)
{
	struct netif *netif = timer->data;
	struct netif_address *own, *next;
	int64_t now = max_of((int64_t)loop_monotonic(), (int64_t)timer->deadline);

	list_for_each_entry_safe (own, next, &netif->addresses, link)
		turn_address(netif, own, now);
	route_expire(netif, now);
	if (solicits(netif) && netif->router_solicit_at <= now)
		solicit_routers(netif);
	nd_set_timer(netif);
	netstack_run(netif->stack);
}

void nd_init(struct netif *netif)
{
	timer_init(&netif->timer, expired, netif);
}

void nd_up(struct netif *netif)
{
	netif->router_solicits = 0;
	/* After the link-local address is known to be ours (RFC 4862 section 4). */
	netif->router_solicit_at = (int64_t)loop_monotonic() + SEC;
	nd_set_timer(netif);
}

void nd_down(struct netif *netif)
{
	timer_cancel(&netif->timer);
}

/* ---- advertisements -----------------------------------------------------------------------------
 */

static unsigned count_routes(const struct netif *netif, uint8_t protocol, bool gateways)
{
	const struct route *route;
	unsigned count = 0;

	list_for_each_entry (route, &netif->stack->routes, link) {
		if (route->netif == netif && route->protocol == protocol &&
			!inet_is_any(&route->gateway) == gateways)
			count++;
	}
	return count;
}

/* A route that is advertised for @seconds from now; 0: no more. */
static void set_route(struct netif *netif, const struct inet_address *network, uint8_t prefix,
	const struct inet_address *gateway, uint32_t seconds, unsigned max)
{
	struct route route = {
		.destination = *network,
		.gateway = *gateway,
		.source = inet_any,
		.prefix = prefix,
		.protocol = NETROUTE_BY_RA,
		.type = NETROUTE_UNICAST,
		.netif = netif,
		.metric = inet_is_any(gateway) ? NETWORK_METRIC : ROUTER_METRIC,
		.valid_until = until(seconds),
	};
	struct route *known = route_find(netif->stack, &route);

	if (known && seconds > 0 && known->protocol == NETROUTE_BY_RA)
		known->valid_until = route.valid_until;
	else if (known && seconds == 0 && known->protocol == NETROUTE_BY_RA)
		(void)route_remove(netif->stack, &route);
	else if (!known && seconds > 0 &&
		 count_routes(netif, NETROUTE_BY_RA, !inet_is_any(gateway)) < max)
		(void)route_add(netif->stack, &route);
}

static struct netif_address *find_autoconf(
	struct netif *netif, const struct inet_address *prefix, unsigned *ret_count)
{
	struct netif_address *own, *found = NULL;

	*ret_count = 0;
	list_for_each_entry (own, &netif->addresses, link) {
		if (!own->autoconf)
			continue;
		++*ret_count;
		if (inet_in_network(&own->address, prefix, 64))
			found = own;
	}
	return found;
}

static void autoconfigure(
	struct netif *netif, const struct inet_address *prefix, uint32_t valid, uint32_t preferred)
{
	struct netif_address own = {
		.address = *prefix,
		.prefix = 64,
		.autoconf = true,
		.preferred_until = until(preferred),
		.valid_until = until(valid),
	};
	int64_t now = (int64_t)loop_monotonic();
	struct netif_address *known;
	unsigned count;

	known = find_autoconf(netif, prefix, &count);
	if (known) {
		known->preferred_until = own.preferred_until;
		if (preferred > 0)
			known->flags &= ~NETADDR_DEPRECATED;
		/* RFC 4862 section 5.5.3 e: nobody can make it short-lived at once. */
		if (own.valid_until > now + TWO_HOURS || own.valid_until > known->valid_until)
			known->valid_until = own.valid_until;
		else if (known->valid_until > now + TWO_HOURS)
			known->valid_until = now + TWO_HOURS;
		return;
	}
	if (valid == 0 || count >= AUTOCONF_MAX)
		return;
	memcpy(own.address.bytes + 8, netif->hardware, 3);
	own.address.bytes[8] ^= 2;
	own.address.bytes[11] = 0xff;
	own.address.bytes[12] = 0xfe;
	memcpy(own.address.bytes + 13, netif->hardware + 3, 3);
	memcpy(own.label, netif->name, sizeof(own.label));
	(void)netif_address_add(netif, &own);
}

static void take_prefix(struct netif *netif, const uint8_t *option)
{
	uint32_t valid = get32(option + 4), preferred = get32(option + 8);
	struct inet_address prefix = get_address6(option + 16);
	uint8_t bits = option[2];

	if (bits > 128 || inet_is_link_local(&prefix) || inet_is_multicast(&prefix) ||
		inet_is_v4(&prefix))
		return;
	prefix = inet_network_first(&prefix, bits);
	if (inet_is_any(&prefix))
		return;
	if (option[3] & FLAG_ON_LINK)
		set_route(netif, &prefix, bits, &inet_any, valid, AUTOCONF_MAX);
	if ((option[3] & FLAG_AUTONOMOUS) && bits == 64 && preferred <= valid)
		autoconfigure(netif, &prefix, valid, preferred);
}

static bool options_are_sound(const uint8_t *message, uint32_t size)
{
	for (uint32_t at = 16; at < size; at += message[at + 1] * 8u) {
		if (size - at < 8 || message[at + 1] == 0 || message[at + 1] * 8u > size - at)
			return false;
	}
	return true;
}

void nd_router_advertisement(
	struct netif *netif, const struct ip_info *info, const uint8_t *message, uint32_t size)
{
	uint16_t lifetime = get16(message + 6);

	if (!inet_is_link_local(&info->from) || !options_are_sound(message, size) ||
		(netif->flags & NETIF_NO_RA))
		return;
	netif->router_solicits = SOLICIT_COUNT;
	for (uint32_t at = 16; at < size; at += message[at + 1] * 8u) {
		const uint8_t *option = message + at;
		unsigned length = option[1] * 8u;

		if (option[0] == ND_SOURCE_HARDWARE && length == 8 && !(option[2] & 1)) {
			neighbour_learn(netif, &info->from, option + 2);
		} else if (option[0] == ND_PREFIX && length == 32) {
			take_prefix(netif, option);
		} else if (option[0] == ND_MTU && length == 8) {
			uint32_t mtu = get32(option + 4);

			if (mtu >= INET_MTU_MIN6 && mtu <= netif->mtu)
				netif->mtu6 = mtu;
		}
	}
	if (message[4])
		netif->hop_limit = message[4];
	set_route(netif, &inet_any, 0, &info->from, lifetime, ROUTERS_MAX);
	nd_set_timer(netif);
}
