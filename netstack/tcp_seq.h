/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_TCP_SEQ_H
#define SENTRY_NETSTACK_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* Sequence numbers are compared modulo 2^32 (RFC 9293 section 3.4): right while both lie within
 * 2^31 of each other, which windows of at most 2^30 ensure. */
static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

/* first <= @seq < end */
static inline bool seq_within(uint32_t seq, uint32_t first, uint32_t end)
{
	return seq - first < end - first;
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? b : a;
}

static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? a : b;
}

#endif
