/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum (RFC 1071): sums are kept unfolded in 32 bits, in network order of words.
 */
#include <string.h>

#include "base/checked.h"
#include "netstack/ip.h"

/* A sum of many 16-bit words, in the machine's order: the sum does not mind (RFC 1071 section 2).
 */
static uint64_t add_words(const uint8_t *bytes, size_t size)
{
	uint64_t sum = 0;
	uint32_t word;
	size_t i;

	for (i = 0; i + 4 <= size; i += 4) {
		memcpy(&word, bytes + i, 4);
		sum += word;
	}
	word = 0;
	memcpy(&word, bytes + i, size - i);
	return sum + word;
}

static uint32_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	return (uint32_t)((sum & 0xffff) + (sum >> 16));
}

uint32_t ip_checksum_bytes(const void *bytes, size_t size, uint32_t sum)
{
	uint32_t words = fold(add_words(bytes, size));

	/* From the machine's order to the network's. */
	words = (words & 0xffff) + (words >> 16);
	return fold((uint64_t)sum + __builtin_bswap16((uint16_t)words));
}

uint32_t ip_checksum_queue(struct netbuf_queue *queue, uint32_t offset, uint32_t size, uint32_t sum)
{
	bool odd = false;

	while (size > 0) {
		uint32_t part, words;
		const void *bytes = netbuf_at(queue, offset, &part);

		part = min_of(part, size);
		words = fold(ip_checksum_bytes(bytes, part, 0));
		words = (words & 0xffff) + (words >> 16);
		/* A run that begins at an odd place counts with its bytes swapped. */
		sum = fold((uint64_t)sum + (odd ? __builtin_bswap16((uint16_t)words) : words));
		odd ^= part & 1;
		offset += part;
		size -= part;
	}
	return sum;
}

uint16_t ip_checksum_end(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
