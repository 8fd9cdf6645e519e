/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_GADDR_H
#define SENTRY_ABI_GADDR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * An address in a guest's address space. It is a struct so that it can be neither dereferenced nor
 * mixed up with a host pointer or a size; the copy functions (platform/platform.h,
 * sentry/usercopy.h) are the only way through it.
 */
typedef struct {
	uint64_t v;
} gaddr_t;

#define GADDR(x)   ((gaddr_t){.v = (uint64_t)(x)})
#define GADDR_NULL GADDR(0)

/* First address that is not the guest's: the stub lives above it (design: addresses). */
#define LX_PAGE_SIZE 4096ull
#define LX_PAGE_MASK (~(LX_PAGE_SIZE - 1))

static inline bool gaddr_is_null(gaddr_t a)
{
	return a.v == 0;
}

/* Adds an offset that was checked before; for unchecked guest arithmetic use gaddr_add_checked().
 */
static inline gaddr_t gaddr_add(gaddr_t a, uint64_t offset)
{
	return GADDR(a.v + offset);
}

/* Returns false, leaving *ret alone, when the sum wraps. */
static inline bool gaddr_add_checked(gaddr_t a, uint64_t offset, gaddr_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(a.v, offset, &sum))
		return false;
	*ret = GADDR(sum);
	return true;
}

#endif
