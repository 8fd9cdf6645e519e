/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_REFCOUNT_H
#define SENTRY_BASE_REFCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/* A reference count of the single-threaded kernel. Using a dead object, underflow and overflow end
 * the sandbox. */
struct refcount {
	uint32_t count;
};

#define REFCOUNT_ONE ((struct refcount){.count = 1})

static inline void refcount_get(struct refcount *ref)
{
	sentry_assert(ref->count > 0 && ref->count < UINT32_MAX);
	ref->count++;
}

/* Nobody but the caller holds one. */
static inline bool refcount_is_one(const struct refcount *ref)
{
	return ref->count == 1;
}

/* True when the last reference went: the caller frees the object. */
static inline bool refcount_put(struct refcount *ref)
{
	sentry_assert(ref->count > 0);
	return --ref->count == 0;
}

#endif
