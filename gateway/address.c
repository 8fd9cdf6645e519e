/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

struct gate_address gate_from_v4(const uint8_t bytes[4])
{
	struct gate_address address;

	memcpy(address.bytes, mapped, sizeof(mapped));
	memcpy(address.bytes + 12, bytes, 4);
	return address;
}

bool gate_is_v4(const struct gate_address *address)
{
	return memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

bool gate_same(const struct gate_address *a, const struct gate_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int gate_address_parse(const char *text, struct gate_address *ret)
{
	uint8_t v4[4];

	/* inet_pton(3) takes four decimal numbers alone: no octal, hexadecimal or short forms. */
	if (inet_pton(AF_INET, text, v4) == 1) {
		*ret = gate_from_v4(v4);
		return 0;
	}
	return inet_pton(AF_INET6, text, ret->bytes) == 1 ? 0 : -EINVAL;
}

void gate_address_write(const struct gate_address *address, char text[GATE_ADDRESS_TEXT])
{
	bool v4 = gate_is_v4(address);

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, address->bytes + (v4 ? 12 : 0), text,
		    GATE_ADDRESS_TEXT))
		text[0] = '\0';
}

void gate_name_write(const struct gate_name *name, char text[GATE_NAME_TEXT])
{
	char address[GATE_ADDRESS_TEXT];

	gate_address_write(&name->address, address);
	(void)snprintf(text, GATE_NAME_TEXT, gate_is_v4(&name->address) ? "%s:%u" : "[%s]:%u",
		address, name->port);
}

bool gate_in_prefix(
	const struct gate_address *address, const struct gate_address *base, unsigned prefix)
{
	unsigned whole = prefix / 8, rest = prefix % 8;

	if (memcmp(address->bytes, base->bytes, whole) != 0)
		return false;
	return !rest || ((address->bytes[whole] ^ base->bytes[whole]) >> (8 - rest)) == 0;
}

/* ---- special ranges ---------------------------------------------------------------------------
 * The IANA registries of special-purpose addresses (RFC 6890), the more specific ones first. */

struct range {
	uint8_t bytes[16];
	uint8_t prefix;
	const char *what;
};

#define V4(a, b, c, d, bits, words)                                                                \
	{                                                                                          \
		{[10] = 0xff, [11] = 0xff, a, b, c, d}, 96 + (bits), words                         \
	}

static const struct range special[] = {
	V4(169, 254, 169, 254, 32, "metadata"),
	V4(169, 254, 170, 2, 32, "metadata"), /* credentials of containers */
	V4(169, 254, 170, 23, 32, "metadata"), V4(100, 100, 100, 200, 32, "metadata"),
	V4(168, 63, 129, 16, 32, "metadata"), /* a cloud's host agent at a public number */
	V4(0, 0, 0, 0, 8, "this network"), V4(10, 0, 0, 0, 8, "private"),
	V4(100, 64, 0, 0, 10, "private"), /* shared with the provider (RFC 6598) */
	V4(127, 0, 0, 0, 8, "loopback"), V4(169, 254, 0, 0, 16, "link-local"),
	V4(172, 16, 0, 0, 12, "private"), V4(192, 0, 0, 0, 24, "reserved"),
	V4(192, 0, 2, 0, 24, "reserved"),   /* documentation */
	V4(192, 88, 99, 0, 24, "reserved"), /* relays of 6to4 */
	V4(192, 168, 0, 0, 16, "private"),
	V4(198, 18, 0, 0, 15, "private"), /* benchmarks (RFC 2544) */
	V4(198, 51, 100, 0, 24, "reserved"), V4(203, 0, 113, 0, 24, "reserved"),
	V4(224, 0, 0, 0, 4, "multicast"), V4(255, 255, 255, 255, 32, "broadcast"),
	V4(240, 0, 0, 0, 4, "reserved"), {{[15] = 1}, 128, "loopback"},
	{{0}, 96, "IPv4-compatible"},			   /* :: too */
	{{[8] = 0xff, [9] = 0xff}, 96, "IPv4-translated"}, /* ::ffff:0:0:0/96 (RFC 2765) */
	{{0x00, 0x64, 0xff, 0x9b}, 96, "NAT64"},
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, "NAT64"},
	{{0x01, 0x00}, 64, "reserved"}, /* discard */
	{{0x20, 0x01, 0x00, 0x00}, 32, "Teredo"}, {{0x20, 0x01, 0x00, 0x00}, 23, "reserved"},
	{{0x20, 0x01, 0x0d, 0xb8}, 32, "reserved"}, {{0x20, 0x02}, 16, "6to4"},
	{{0x3f, 0xff}, 20, "reserved"}, {{0x5f, 0x00}, 16, "reserved"},
	{{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}, 128, "metadata"},
	{{0xfc}, 7, "private"}, {{0xfe, 0x80}, 10, "link-local"},
	{{0xfe, 0xc0}, 10, "private"}, /* site-local, deprecated */
	{{0xff}, 8, "multicast"},
	{{0}, 8, "reserved"}, /* but for the mapped form, which is IPv4 to us */
};

/* All that is assigned for ordinary use is in here (RFC 4291 section 2.4). */
static const struct gate_address unicast = {{0x20}};

static bool is_isatap(const struct gate_address *address)
{
	const uint8_t *id = address->bytes + 8;

	/* RFC 5214 section 6.1 */
	return (id[0] & 0xfc) == 0 && id[1] == 0 && id[2] == 0x5e && id[3] == 0xfe;
}

const char *gate_address_special(const struct gate_address *address)
{
	bool v4 = gate_is_v4(address);

	for (size_t i = 0; i < array_size(special); i++) {
		struct gate_address base;

		memcpy(base.bytes, special[i].bytes, sizeof(base.bytes));
		if (v4 && special[i].prefix < 96)
			continue;
		if (gate_in_prefix(address, &base, special[i].prefix))
			return special[i].what;
	}
	if (v4)
		return NULL;
	if (!gate_in_prefix(address, &unicast, 3))
		return "reserved";
	return is_isatap(address) ? "ISATAP" : NULL;
}

const char *gate_prefix_special(const struct gate_address *base, unsigned prefix)
{
	if (prefix == 128)
		return gate_address_special(base);
	for (size_t i = 0; i < array_size(special); i++) {
		struct gate_address range;

		memcpy(range.bytes, special[i].bytes, sizeof(range.bytes));
		if (special[i].prefix <= prefix && special[i].prefix != 8 &&
			gate_in_prefix(base, &range, special[i].prefix))
			return special[i].what;
		/* fc00::/7 and friends; ::/8 holds the mapped form */
		if (special[i].prefix == 8 && prefix >= 8 && range.bytes[0] &&
			gate_in_prefix(base, &range, 8))
			return special[i].what;
	}
	return NULL;
}
