/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_PATCH_H
#define SENTRY_SYSTRAP_PATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/systrap/insn.h"
#include "platform/systrap/site.h"
#include "platform/systrap/stub/layout.h"

/* Between patch.c and patch_table.c only: what was patched in an address space. */

struct platform_patch;

#define PATCH_AREAS_MAX 16u
#define PATCH_INT3	0xccu

enum site_state {
	SITE_CHANGING, /* an exchange is under way */
	SITE_PATCHED,
	SITE_RESTORED, /* its bytes are the guest's again; the trampoline is kept for the next time
			*/
};

struct patch_site {
	struct site_form form;
	enum site_state state;
	bool mapped;		      /* RESTORED: the code is still there */
	uint64_t changed_tick;	      /* of the last change */
	uint64_t patched_at;	      /* loop time, ns */
	uint8_t bytes[INSN_SIZE_MAX]; /* the instruction */
	uint8_t hole_bytes[SITE_JUMP_SIZE];
	uint8_t area;
	uint16_t slot;
	uint32_t area_id; /* an entry of `areas` may have become another area */
};

struct patch_area {
	uint64_t addr, size; /* size 0: free entry */
	uint32_t id;
	unsigned used; /* slots: they are never given back, somebody may still be in one */
};

/* An address space's. */
struct systrap_patches {
	struct patch_site *sites; /* sorted by address */
	unsigned count, capacity;
	struct patch_area areas[PATCH_AREAS_MAX];
	uint32_t last_area_id;
	uint64_t changed_tick; /* of the last change of any site */
	/* Of the attempt that wanted an area: making it forgets what travelled. */
	struct site_window window;
	uint64_t window_next;
};

/* Of the first site at or above @addr; count when there is none. */
unsigned patch_site_index(const struct systrap_patches *patches, uint64_t addr);
/* Borrowed until the next insertion; NULL. */
struct patch_site *patch_site_at(struct systrap_patches *patches, uint64_t addr);
/* Room for a new one at @addr, whose contents are the caller's. NULL: too many, or out of memory.
 */
struct patch_site *patch_site_insert(struct systrap_patches *patches, uint64_t addr);

static inline bool patch_overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* A slot within reach of everything in the mapping, in @patch's area if it has to be. -ENOSPC,
 * -EINVAL: that is out of reach, -ENOMEM: too many areas. */
int patch_take_slot(struct systrap_patches *patches, const struct platform_patch *patch,
	uint8_t *ret_area, uint16_t *ret_slot);
uint64_t patch_slot_address(const struct patch_area *area, unsigned slot);

/* The bytes that stand at a patched site: how many. */
unsigned patch_site_jump(const struct systrap_patches *patches, const struct patch_site *site,
	uint8_t bytes[SITE_JUMP_SIZE]);
/* In its hole. */
void patch_hole_jump(const struct systrap_patches *patches, const struct patch_site *site,
	uint8_t bytes[SITE_JUMP_SIZE]);
void patch_build_slot(const struct systrap_patches *patches, const struct patch_site *site,
	struct trampoline_slot *slot);

#endif
