/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/link.h"

#include <errno.h>
#include <string.h>

#include "base/wait.h"
#include "netstack/frame_link.h"
#include "sentry/kernel_private.h"
#include "sentry/nsproxy.h"

/*
 * The link of the sandbox: an interface of the first network namespace, which exists as long as the
 * sandbox does. Its addresses and routes are what the command line says; a guest with
 * CAP_NET_ADMIN over the namespace may change them, since what leaves by this link is for the
 * network behind it to judge.
 */

static struct frame_link uplink;

static int add_address(const struct link_address *address)
{
	struct netif_address entry = {
		.address = address->address,
		.peer = inet_any4,
		.broadcast = inet_any4,
		.prefix = address->prefix,
		.scope = NETSCOPE_GLOBAL,
		.flags = NETADDR_PERMANENT | NETADDR_NO_DAD, /* wanted at once */
		.preferred_until = INT64_MAX,
		.valid_until = INT64_MAX,
		.label = LINK_NAME,
	};
	uint32_t bits;

	if (!address->given)
		return 0;
	if (!inet_is_v4(&address->address)) {
		entry.peer = entry.broadcast = inet_any;
	} else if (address->prefix < 31) { /* RFC 3021: else there is none */
		bits = UINT32_MAX >> address->prefix;
		entry.broadcast = address->address;
		for (int i = 0; i < 4; i++)
			entry.broadcast.bytes[12 + i] |= (uint8_t)(bits >> (24 - 8 * i));
	}
	return netif_address_add(&uplink.netif, &entry);
}

static int add_default_route(struct netstack *stack, const struct link_address *gateway)
{
	struct route route = {
		.gateway = gateway->address,
		.protocol = NETROUTE_BY_BOOT,
		.scope = NETSCOPE_GLOBAL,
		.type = NETROUTE_UNICAST,
		.netif = &uplink.netif,
		.valid_until = INT64_MAX,
	};

	if (!gateway->given)
		return 0;
	route.metric = inet_is_v4(&gateway->address) ? 0 : 1024; /* IP6_RT_PRIO_USER */
	route.destination = route.source = inet_is_v4(&gateway->address) ? inet_any4 : inet_any;
	return route_add(stack, &route);
}

#define FLUSH_NS      5000000000ull
#define FLUSH_POLL_NS 2000000ull

void link_flush(void)
{
	struct net_ns *net = container_of(nsproxy_first()->ns[NS_NET], struct net_ns, ns);
	/* Not the turn's time: a sleep whose end is past does not begin, and no turn would end. */
	uint64_t now = loop_monotonic_now(), end = now + FLUSH_NS;

	while (uplink.netif.stack && now < end && inet_tcp_any_unsent(&net->stack)) {
		(void)wait_sleep(NULL, ~0u, now + FLUSH_POLL_NS, false, false);
		now = loop_monotonic_now();
	}
}

int link_start(const struct link_config *config)
{
	struct net_ns *net = container_of(nsproxy_first()->ns[NS_NET], struct net_ns, ns);
	int r;

	if (config->fd < 0)
		return 0;
	uplink.loop.fd = config->fd;
	uplink.netif.mtu = config->mtu;
	memcpy(uplink.netif.hardware, config->hardware, sizeof(uplink.netif.hardware));
	strcpy(uplink.netif.name, LINK_NAME);
	r = frame_link_start(&net->stack, &uplink);
	r = r < 0 ? r : netif_set_up(&uplink.netif, true);
	r = r < 0 ? r : add_address(&config->ip4);
	r = r < 0 ? r : add_address(&config->ip6);
	r = r < 0 ? r : add_default_route(&net->stack, &config->gateway4);
	r = r < 0 ? r : add_default_route(&net->stack, &config->gateway6);
	if (r < 0)
		kernel_fail(125, "the link to %s cannot be set up: %s", config->host_name,
			strerror(-r));
	return r;
}
