/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_ADDRESS_H
#define SENTRY_NETSTACK_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One address type serves both families: IPv4 addresses are in their IPv6-mapped form (RFC 4291
 * section 2.5.5.2), which is also how a dual-stack socket shows them. The prefix of a network is
 * counted in bits of its own family: 0 to 32 with a mapped address, else 0 to 128.
 */
struct inet_address {
	uint8_t bytes[16];
};

/* An address with a port in host order. */
struct inet_name {
	struct inet_address address;
	uint16_t port;
};

extern const struct inet_address inet_any, inet_any4, inet_loopback, inet_loopback4;
extern const struct inet_address inet_broadcast4; /* 255.255.255.255 */

struct inet_address inet_from_v4(const uint8_t bytes[4]);
bool inet_is_v4(const struct inet_address *address);
bool inet_is_any(const struct inet_address *address); /* of either family */
bool inet_is_multicast(const struct inet_address *address);
bool inet_is_loopback(const struct inet_address *address);   /* 127.0.0.0/8, ::1 */
bool inet_is_link_local(const struct inet_address *address); /* fe80::/10 */
static inline bool inet_equal(const struct inet_address *a, const struct inet_address *b)
{
	return __builtin_memcmp(a, b, sizeof(*a)) == 0;
}

/* @address is in the network @network/@prefix, which is of the same family. */
bool inet_in_network(
	const struct inet_address *address, const struct inet_address *network, unsigned prefix);
/* The network's own address, and the one with all bits behind the prefix set. */
struct inet_address inet_network_first(const struct inet_address *address, unsigned prefix);
struct inet_address inet_network_last(const struct inet_address *address, unsigned prefix);
/* How many bits both begin with, in their family's length; 0 when they are of two. */
unsigned inet_common_prefix(const struct inet_address *a, const struct inet_address *b);

static inline unsigned inet_address_bits(const struct inet_address *address)
{
	return inet_is_v4(address) ? 32 : 128;
}

#endif
