/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_CHECKED_H
#define SENTRY_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arithmetic on sizes that a guest chose: false (and *ret untouched) on overflow. */
static inline bool add_checked(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t v;

	if (__builtin_add_overflow(a, b, &v))
		return false;
	*ret = v;
	return true;
}

static inline bool mul_checked(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t v;

	if (__builtin_mul_overflow(a, b, &v))
		return false;
	*ret = v;
	return true;
}

#define min_of(a, b)                                                                               \
	({                                                                                         \
		__typeof__(a) min_a_ = (a);                                                        \
		__typeof__(b) min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define max_of(a, b)                                                                               \
	({                                                                                         \
		__typeof__(a) max_a_ = (a);                                                        \
		__typeof__(b) max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})
#define array_size(a) (sizeof(a) / sizeof((a)[0]))

static inline uint64_t align_down(uint64_t value, uint64_t alignment)
{
	return value & ~(alignment - 1);
}

/* False on overflow. @alignment is a power of two. */
static inline bool align_up_checked(uint64_t value, uint64_t alignment, uint64_t *ret)
{
	uint64_t v;

	if (__builtin_add_overflow(value, alignment - 1, &v))
		return false;
	*ret = v & ~(alignment - 1);
	return true;
}

#endif
