/* SPDX-License-Identifier: Apache-2.0 */
#include "netstack/address.h"

#include <string.h>

const struct inet_address inet_any = {{0}};
const struct inet_address inet_any4 = {{[10] = 0xff, [11] = 0xff}};
const struct inet_address inet_loopback = {{[15] = 1}};
const struct inet_address inet_loopback4 = {{[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}};
const struct inet_address inet_broadcast4 = {{[10] = 0xff, [11] = 0xff, 0xff, 0xff, 0xff, 0xff}};

struct inet_address inet_from_v4(const uint8_t bytes[4])
{
	struct inet_address address = inet_any4;

	memcpy(address.bytes + 12, bytes, 4);
	return address;
}

bool inet_is_v4(const struct inet_address *address)
{
	return memcmp(address->bytes, inet_any4.bytes, 12) == 0;
}

bool inet_is_any(const struct inet_address *address)
{
	return inet_equal(address, &inet_any) || inet_equal(address, &inet_any4);
}

bool inet_is_multicast(const struct inet_address *address)
{
	return inet_is_v4(address) ? (address->bytes[12] & 0xf0) == 0xe0
				   : address->bytes[0] == 0xff;
}

bool inet_is_loopback(const struct inet_address *address)
{
	return inet_is_v4(address) ? address->bytes[12] == 127
				   : inet_equal(address, &inet_loopback);
}

bool inet_is_link_local(const struct inet_address *address)
{
	return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

/* Where the bits that a prefix counts begin. */
static unsigned first_byte(const struct inet_address *address)
{
	return inet_is_v4(address) ? 12 : 0;
}

unsigned inet_common_prefix(const struct inet_address *a, const struct inet_address *b)
{
	unsigned first = first_byte(a), i = first;

	if (first != first_byte(b))
		return 0;
	while (i < 16 && a->bytes[i] == b->bytes[i])
		i++;
	if (i == 16)
		return (16 - first) * 8;
	return (i - first) * 8 + (unsigned)__builtin_clz(a->bytes[i] ^ b->bytes[i]) - 24;
}

bool inet_in_network(
	const struct inet_address *address, const struct inet_address *network, unsigned prefix)
{
	return inet_is_v4(address) == inet_is_v4(network) &&
	       inet_common_prefix(address, network) >= prefix;
}

static struct inet_address fill(const struct inet_address *address, unsigned prefix, bool ones)
{
	struct inet_address ret = *address;

	for (unsigned i = first_byte(address), bit = 0; i < 16; i++, bit += 8) {
		unsigned kept = prefix <= bit ? 0 : prefix - bit >= 8 ? 8 : prefix - bit;
		uint8_t rest = (uint8_t)(0xffu >> kept);

		ret.bytes[i] = (uint8_t)((ret.bytes[i] & ~rest) | (ones ? rest : 0));
	}
	return ret;
}

struct inet_address inet_network_first(const struct inet_address *address, unsigned prefix)
{
	return fill(address, prefix, false);
}

struct inet_address inet_network_last(const struct inet_address *address, unsigned prefix)
{
	return fill(address, prefix, true);
}
