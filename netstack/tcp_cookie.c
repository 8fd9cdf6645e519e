/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SYN cookies (RFC 4987 section 3.6): a listener under pressure keeps nothing of a SYN. What it
 *needs later is in the sequence number that it answers with, and in its timestamp:
 *
 *	sequence number:  5 bits of a clock of 64 s | 3 bits of a table of segment sizes | 24 bits
 *of a hash, under a secret key, of the connection's names, the peer's first sequence number and the
 *other eight bits timestamp:        its lowest 5 bits are the peer's window scale (15: none) and
 *whether it permits SACK; without timestamps there is neither
 *
 * An acknowledgement that names such a number within two ticks of that clock is from somebody who
 *got our answer.
 */
#include <string.h>

#include "base/hash.h"
#include "netstack/tcp_private.h"

#define TICK	   (64 * SEC)
#define COUNT_MASK 31u
#define HASH_MASK  0xffffffu
#define SCALE_NONE 15u
#define SCALE_MASK 15u
#define SACK_BIT   16u
#define STAMP_MASK 31u

static const uint16_t sizes[8] = {48, 216, 536, 1220, 1380, 1440, 1460, 8960};

static uint32_t hash(const void *tuple, size_t size, const uint64_t key[2], uint32_t irs,
	uint32_t count, uint32_t index)
{
	uint64_t words[3] = {siphash(tuple, size, key), irs, (uint64_t)count << 8 | index};

	return (uint32_t)siphash(words, sizeof(words), key) & HASH_MASK;
}

uint32_t tcp_cookie(const void *tuple, size_t size, const uint64_t key[2],
	const struct tcp_segment *syn, int64_t now)
{
	uint32_t count = (uint32_t)(now / TICK) & COUNT_MASK, index = 0;
	uint32_t mss = syn->mss ? syn->mss : TCP_MSS_DEFAULT;

	while (index + 1 < 8 && sizes[index + 1] <= mss)
		index++;
	return count << 27 | index << 24 | hash(tuple, size, key, syn->seq, count, index);
}

uint32_t tcp_cookie_timestamp(const struct tcp_segment *syn, uint32_t timestamp)
{
	uint32_t bits =
		syn->wscale == TCP_NO_WSCALE ? SCALE_NONE : tcp_min(syn->wscale, TCP_WSCALE_MAX);

	if (syn->sack_permitted)
		bits |= SACK_BIT;
	/* Not ahead of the clock, which the connection's own stamps will have. */
	bits |= timestamp & ~STAMP_MASK;
	return (int32_t)(bits - timestamp) > 0 ? bits - (STAMP_MASK + 1) : bits;
}

bool tcp_cookie_check(const void *tuple, size_t size, const uint64_t key[2],
	const struct tcp_segment *ack, int64_t now, struct tcp_segment *ret_syn)
{
	uint32_t cookie = ack->ack - 1, count = cookie >> 27, index = cookie >> 24 & 7;
	uint32_t age = ((uint32_t)(now / TICK) - count) & COUNT_MASK;

	if (age > 1 || (cookie & HASH_MASK) != hash(tuple, size, key, ack->seq - 1, count, index))
		return false;
	*ret_syn = (struct tcp_segment){.seq = ack->seq - 1,
		.flags = TCP_SYN,
		.mss = sizes[index],
		.window = ack->window,
		.wscale = TCP_NO_WSCALE};
	if (ack->has_timestamp) {
		uint32_t scale = ack->timestamp_echo & SCALE_MASK;

		ret_syn->has_timestamp = true;
		ret_syn->timestamp = ack->timestamp;
		ret_syn->sack_permitted = ack->timestamp_echo & SACK_BIT;
		if (scale != SCALE_NONE)
			ret_syn->wscale = (uint8_t)scale;
	}
	return true;
}
