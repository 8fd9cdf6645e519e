/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, interfaces and routes of netstack/. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netstack/inet.h"

static struct netstack stack;
static struct netif eth, point;

static struct inet_address parse(const char *text)
{
	struct inet_address address;
	uint8_t bytes[4];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return inet_from_v4(bytes);
	cr_assert(inet_pton(AF_INET6, text, address.bytes) == 1, "%s", text);
	return address;
}

static struct netif_address own(const char *text, uint8_t prefix)
{
	struct netif_address address = {.address = parse(text),
		.prefix = prefix,
		.flags = NETADDR_PERMANENT,
		.preferred_until = INT64_MAX,
		.valid_until = INT64_MAX};

	address.peer = address.broadcast = inet_is_v4(&address.address) ? inet_any4 : inet_any;
	return address;
}

static int add(struct netif *netif, const char *text, uint8_t prefix)
{
	struct netif_address address = own(text, prefix);

	return netif_address_add(netif, &address);
}

static int add_route(const char *to, uint8_t prefix, const char *gateway, struct netif *netif)
{
	struct route route = {.destination = parse(to),
		.prefix = prefix,
		.gateway = gateway ? parse(gateway) : inet_any,
		.source = inet_any,
		.netif = netif,
		.type = NETROUTE_UNICAST,
		.valid_until = INT64_MAX};

	return route_add(&stack, &route);
}

static void setup(void)
{
	static const struct netif_ops ops = {0};

	netstack_init(&stack);
	cr_assert(netif_set_up(&stack.loopback, true) == 0);
	eth = (struct netif){.ops = &ops,
		.type = NETIF_ETHERNET,
		.name = "eth0",
		.hardware = {2, 0, 0, 0, 0, 1},
		.mtu = 1500};
	point = (struct netif){.ops = &ops, .type = NETIF_POINT, .name = "gw0", .mtu = 65535};
	cr_assert(netif_add(&stack, &eth) == 0);
	cr_assert(netif_add(&stack, &point) == 0);
	cr_assert(eth.index == 2 && point.index == 3);
}

static void teardown(void)
{
	netstack_fini(&stack);
}

TestSuite(netstack_route, .init = setup, .fini = teardown);

static void expect(const char *to, const struct netif *bound, int err, const struct netif *netif,
	const char *hop, const char *source)
{
	struct inet_address address = parse(to), want;
	struct route_result result;
	int got = route_lookup(&stack, &address, bound, &result);

	cr_assert(got == err, "%s: %d", to, got);
	if (err < 0)
		return;
	cr_assert(result.netif == netif, "%s: over %s", to, result.netif->name);
	want = parse(hop);
	cr_assert(inet_equal(&result.next_hop, &want), "%s: next hop", to);
	want = parse(source);
	cr_assert(inet_equal(&result.source, &want), "%s: source", to);
	cr_assert(result.local == (netif == &stack.loopback));
}

Test(netstack_route, prefixes)
{
	static const struct {
		const char *a, *b;
		unsigned common;
	} rows[] = {
		{"10.0.0.1", "10.0.0.1", 32},
		{"10.0.0.1", "10.0.0.0", 31},
		{"10.0.0.1", "138.0.0.1", 0},
		{"::1", "::1", 128},
		{"fe80::1", "fe80::8001", 112},
		{"::1", "10.0.0.1", 0},
	};
	struct inet_address a, b;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		a = parse(rows[i].a);
		b = parse(rows[i].b);
		cr_assert(inet_common_prefix(&a, &b) == rows[i].common, "%s %s", rows[i].a,
			rows[i].b);
	}
	a = parse("10.1.2.131");
	b = parse("10.1.2.128");
	a = inet_network_first(&a, 25);
	cr_assert(inet_equal(&a, &b));
	b = parse("10.1.2.255");
	a = inet_network_last(&a, 25);
	cr_assert(inet_equal(&a, &b));
	a = parse("2001:db8:ffff::1");
	b = parse("2001:db8:fffe::");
	a = inet_network_first(&a, 47);
	cr_assert(inet_equal(&a, &b));
}

Test(netstack_route, loopback)
{
	struct inet_address address = parse("127.0.0.1");

	expect("127.1.2.3", NULL, 0, &stack.loopback, "127.1.2.3", "127.0.0.1");
	expect("::1", NULL, 0, &stack.loopback, "::1", "::1");
	expect("10.0.0.1", NULL, -ENETUNREACH, NULL, NULL, NULL);
	cr_assert(add(&stack.loopback, "10.7.0.1", 16) == 0);
	expect("10.7.200.1", NULL, 0, &stack.loopback, "10.7.200.1", "10.7.200.1");
	cr_assert(netif_address_remove(&stack.loopback, &address, 8) == 0);
	expect("127.0.0.1", NULL, -ENETUNREACH, NULL, NULL, NULL);
	cr_assert(netif_address_remove(&stack.loopback, &address, 8) == -EADDRNOTAVAIL);
	cr_assert(netif_set_up(&stack.loopback, false) == 0);
	expect("::1", NULL, -ENETUNREACH, NULL, NULL, NULL);
	expect("10.7.200.1", NULL, -ENETUNREACH, NULL, NULL, NULL);
	cr_assert(netif_set_up(&stack.loopback, true) == 0);
	expect("::1", NULL, 0, &stack.loopback, "::1", "::1");
	expect("10.7.200.1", NULL, 0, &stack.loopback, "10.7.200.1", "10.7.200.1");
}

Test(netstack_route, networks_and_gateways)
{
	cr_assert(add(&eth, "10.0.0.5", 24) == 0);
	cr_assert(add_route("0.0.0.0", 0, "10.0.0.1", &eth) == -ENETDOWN);
	cr_assert(netif_set_up(&eth, true) == 0);
	cr_assert(add(&eth, "10.0.0.5", 24) == -EEXIST);
	expect("10.0.0.9", NULL, 0, &eth, "10.0.0.9", "10.0.0.5");
	expect("10.0.0.5", NULL, 0, &stack.loopback, "10.0.0.5", "10.0.0.5");
	expect("10.0.1.9", NULL, -ENETUNREACH, NULL, NULL, NULL);
	cr_assert(add_route("0.0.0.0", 0, "10.9.0.1", &eth) == -ENETUNREACH);
	cr_assert(add_route("0.0.0.0", 0, "10.0.0.1", &eth) == 0);
	cr_assert(add_route("0.0.0.0", 0, "10.0.0.2", &eth) == -EEXIST);
	expect("10.0.1.9", NULL, 0, &eth, "10.0.0.1", "10.0.0.5");
	cr_assert(add_route("10.0.1.0", 24, "10.0.0.77", &eth) == 0);
	expect("10.0.1.9", NULL, 0, &eth, "10.0.0.77", "10.0.0.5");
	expect("10.0.1.9", &point, -ENETDOWN, NULL, NULL, NULL);
	cr_assert(netif_set_up(&eth, false) == 0);
	expect("10.0.1.9", NULL, -ENETUNREACH, NULL, NULL, NULL);
	cr_assert(netif_set_up(&eth, true) == 0);
	expect("10.0.0.9", NULL, 0, &eth, "10.0.0.9", "10.0.0.5");
	expect("10.0.1.9", NULL, -ENETUNREACH, NULL, NULL, NULL);
}

Test(netstack_route, refusals)
{
	struct route route = {.destination = parse("10.8.0.0"),
		.gateway = inet_any4,
		.source = inet_any4,
		.prefix = 16,
		.type = NETROUTE_PROHIBIT};

	cr_assert(route_add(&stack, &route) == 0);
	expect("10.8.3.4", NULL, -EACCES, NULL, NULL, NULL);
	route.type = NETROUTE_UNREACHABLE;
	route.prefix = 24;
	cr_assert(route_add(&stack, &route) == 0);
	expect("10.8.0.4", NULL, -EHOSTUNREACH, NULL, NULL, NULL);
	cr_assert(route_remove(&stack, &route) == 0);
	cr_assert(route_remove(&stack, &route) == -ESRCH);
	route.destination = parse("10.8.0.1");
	cr_assert(route_add(&stack, &route) == -EINVAL);
}

Test(netstack_route, broadcast_and_multicast)
{
	struct inet_address address = parse("10.0.0.255");
	struct route_result result;

	cr_assert(add(&eth, "10.0.0.5", 24) == 0 && netif_set_up(&eth, true) == 0);
	cr_assert(route_lookup(&stack, &address, NULL, &result) == 0 && result.broadcast);
	address = parse("224.0.0.1");
	cr_assert(route_lookup(&stack, &address, NULL, &result) == -ENETUNREACH);
	cr_assert(route_lookup(&stack, &address, &eth, &result) == 0 && result.multicast);
	address = parse("ff02::1");
	cr_assert(route_lookup(&stack, &address, NULL, &result) == 0 && result.multicast);
}

Test(netstack_route, bounds)
{
	char text[32];
	int err = 0;
	unsigned i;

	cr_assert(netif_set_up(&eth, true) == 0);
	for (i = 0; err == 0 && i < 1000; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.1", i / 256, i % 256);
		err = add(&eth, text, 32);
	}
	cr_assert(err == -ENOBUFS && i <= NETIF_ADDRESSES_MAX);
	for (i = 0, err = 0; err == 0 && i < 2000; i++) {
		snprintf(text, sizeof(text), "11.%u.%u.0", i / 256, i % 256);
		err = add_route(text, 24, NULL, &eth);
	}
	cr_assert(err == -ENOBUFS && i <= NETIF_ROUTES_MAX + 1);
}
