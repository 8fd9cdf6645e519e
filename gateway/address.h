/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_GATEWAY_ADDRESS_H
#define SENTRY_GATEWAY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Addresses as the gateway judges them. One type for both families: IPv4 addresses are in their
 * IPv6-mapped form (RFC 4291 section 2.5.5.2), in network order.
 */
struct gate_address {
	uint8_t bytes[16];
};

/* An address with a port in host order. */
struct gate_name {
	struct gate_address address;
	uint16_t port;
};

#define GATE_ADDRESS_TEXT 48 /* room for any of them */
#define GATE_NAME_TEXT	  64 /* with a port, IPv6 in brackets */

struct gate_address gate_from_v4(const uint8_t bytes[4]);
bool gate_is_v4(const struct gate_address *address);
bool gate_same(const struct gate_address *a, const struct gate_address *b);
/* Without brackets, prefix or zone. -EINVAL. */
int gate_address_parse(const char *text, struct gate_address *ret);
void gate_address_write(const struct gate_address *address, char text[GATE_ADDRESS_TEXT]);
void gate_name_write(const struct gate_name *name, char text[GATE_NAME_TEXT]);

/* @prefix counts from the begin of the mapped form: 96 more than what people write for IPv4. */
bool gate_in_prefix(
	const struct gate_address *address, const struct gate_address *base, unsigned prefix);

/*
 * NULL for an address of the public Internet; else what it is: "loopback", "private", "link-local",
 * "metadata", "multicast"... (RFC 6890 and the registries that go on from it). Forms that carry an
 * IPv4 address within an IPv6 one (IPv4-compatible, NAT64, 6to4, Teredo, ISATAP) are special by
 * themselves: what is behind them is decided elsewhere.
 */
const char *gate_address_special(const struct gate_address *address);
/* The same for all addresses under a prefix at once: NULL unless every one is special. */
const char *gate_prefix_special(const struct gate_address *base, unsigned prefix);

#endif
