/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_STUB_SITES_H
#define SENTRY_SYSTRAP_STUB_SITES_H

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

struct channel_slot;

/* How often call sites trapped: one thread's, in sets. */
#define STUB_SITE_COUNT 256u

struct stub_site {
	uint32_t tag; /* of the address behind the `syscall` */
	uint32_t hits;
};

/*
 * Counts a call that trapped, from before the address @next. True: the site has become worth a
 * patch, or was not patched when it was asked for and may be by now.
 */
bool stub_site_hit(struct stub_site sites[STUB_SITE_COUNT], uint64_t next, uint32_t nr);

/*
 * Adds the code around a site to the @count ranges that travel with the request already. Returns
 * how many there are then.
 */
uint32_t stub_prefetch_site(struct channel_slot *slot, uint32_t count, uint64_t next);

#pragma GCC visibility pop

#endif
