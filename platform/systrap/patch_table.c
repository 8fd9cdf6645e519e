/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was patched in an address space: its sites, sorted by address, its areas of trampolines, and
 * the bytes that a patch consists of.
 */
#include "platform/systrap/patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "platform/systrap/systrap.h"

#define SITES_MAX 1024u
#define PAGE_SIZE ((uint64_t)TRAMPOLINE_PAGE_SIZE)

/* ---- sites ---- */

void systrap_patches_free(struct systrap_patches *patches)
{
	if (!patches)
		return;
	free(patches->sites);
	free(patches);
}

int systrap_patches_copy(
	const struct systrap_patches *patches, struct systrap_patches **ret_patches)
{
	struct systrap_patches *copy = NULL;

	if (patches) {
		copy = malloc(sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		*copy = *patches;
		copy->capacity = copy->count;
		copy->sites = malloc(max_of(copy->count, 1u) * sizeof(copy->sites[0]));
		if (!copy->sites) {
			free(copy);
			return -ENOMEM;
		}
		if (copy->count)
			memcpy(copy->sites, patches->sites, copy->count * sizeof(copy->sites[0]));
	}
	*ret_patches = copy;
	return 0;
}

/* Of the first site at or above @addr. */
unsigned patch_site_index(const struct systrap_patches *patches, uint64_t addr)
{
	unsigned low = 0, high = patches->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (patches->sites[middle].form.site >= addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct patch_site *patch_site_at(struct systrap_patches *patches, uint64_t addr)
{
	unsigned i = patch_site_index(patches, addr);

	return i < patches->count && patches->sites[i].form.site == addr ? &patches->sites[i]
									 : NULL;
}

/* Forgets sites whose code is gone; with them, trampolines that could be used again if the same
 * came back. */
static void sites_purge(struct systrap_patches *patches)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < patches->count; i++) {
		const struct patch_site *site = &patches->sites[i];

		if (site->state != SITE_RESTORED || site->mapped)
			patches->sites[kept++] = *site;
	}
	patches->count = kept;
}

/* Room for one more at @addr; its contents are the caller's. NULL: too many, or out of memory. */
struct patch_site *patch_site_insert(struct systrap_patches *patches, uint64_t addr)
{
	unsigned i;

	if (patches->count >= SITES_MAX)
		sites_purge(patches);
	if (patches->count >= SITES_MAX)
		return NULL;
	i = patch_site_index(patches, addr);
	if (patches->count == patches->capacity) {
		unsigned capacity = max_of(patches->capacity * 2, 32u);
		struct patch_site *sites = reallocarray(patches->sites, capacity, sizeof(sites[0]));

		if (!sites)
			return NULL;
		patches->sites = sites;
		patches->capacity = capacity;
	}
	memmove(&patches->sites[i + 1], &patches->sites[i],
		(patches->count - i) * sizeof(patches->sites[0]));
	patches->count++;
	return &patches->sites[i];
}

uint64_t patch_slot_address(const struct patch_area *area, unsigned slot)
{
	return area->addr + slot / TRAMPOLINE_PAGE_SLOTS * PAGE_SIZE +
	       offsetof(struct trampoline_page, slots) +
	       slot % TRAMPOLINE_PAGE_SLOTS * sizeof(struct trampoline_slot);
}

static unsigned area_slots(const struct patch_area *area)
{
	return (unsigned)(area->size / PAGE_SIZE) * TRAMPOLINE_PAGE_SLOTS;
}

/* ---- bytes ---- */

static bool in_reach(uint64_t from, uint64_t to)
{
	int64_t distance = (int64_t)(to - from);

	return distance > INT32_MIN + 256 && distance < INT32_MAX - 256;
}

static void put_relative(uint8_t *bytes, uint64_t next, uint64_t target)
{
	uint32_t distance = (uint32_t)(target - next);

	memcpy(bytes, &distance, sizeof(distance));
}

/* What stands at the site, or in its hole, once it is patched. */
static void jump_bytes(uint8_t bytes[SITE_JUMP_SIZE], uint64_t from, uint64_t target)
{
	bytes[0] = 0xe9;
	put_relative(bytes + 1, from + SITE_JUMP_SIZE, target);
}

unsigned patch_site_jump(const struct systrap_patches *patches, const struct patch_site *site,
	uint8_t bytes[SITE_JUMP_SIZE])
{
	if (site->form.hole) {
		bytes[0] = 0xeb;
		bytes[1] = (uint8_t)(site->form.hole - (site->form.site + SITE_SHORT_SIZE));
		return SITE_SHORT_SIZE;
	}
	jump_bytes(bytes, site->form.site,
		patch_slot_address(&patches->areas[site->area], site->slot));
	return SITE_JUMP_SIZE;
}

void patch_hole_jump(const struct systrap_patches *patches, const struct patch_site *site,
	uint8_t bytes[SITE_JUMP_SIZE])
{
	jump_bytes(bytes, site->form.hole,
		patch_slot_address(&patches->areas[site->area], site->slot));
}

/* The instruction; lea next(%rip), %rcx; jmp *entry(%rip). */
void patch_build_slot(const struct systrap_patches *patches, const struct patch_site *site,
	struct trampoline_slot *slot)
{
	const struct site_form *form = &site->form;
	const uint64_t begin = patch_slot_address(&patches->areas[site->area], site->slot);
	uint64_t addr = begin,
		 entry = (addr & ~(PAGE_SIZE - 1)) + offsetof(struct trampoline_page, entry);
	uint8_t *code = slot->code;

	memset(slot, 0, sizeof(*slot));
	memset(code, PATCH_INT3, sizeof(slot->code));
	memcpy(code, site->bytes, form->size);
	code += form->size;
	addr += form->size;
	memcpy(code, "\x48\x8d\x0d", 3);
	put_relative(code + 3, addr + 7, form->site + form->size + 2);
	memcpy(code + 7, "\xff\x25", 2);
	put_relative(code + 9, addr + 13, entry);
	slot->site = form->site - begin;
	slot->hole = form->hole ? form->hole - begin : 0;
	slot->size = form->size;
	slot->code_size = form->size;
}

/* A slot that everything about the mapping can reach. -ENOSPC. */
int patch_take_slot(struct systrap_patches *patches, const struct platform_patch *patch,
	uint8_t *ret_area, uint16_t *ret_slot)
{
	uint64_t text_end = patch->text.v + patch->text_size;
	unsigned empty = PATCH_AREAS_MAX;

	for (unsigned i = 0; i < PATCH_AREAS_MAX; i++) {
		struct patch_area *area = &patches->areas[i];

		if (area->size == 0 && empty == PATCH_AREAS_MAX)
			empty = i;
		if (area->size == 0 || area->used == area_slots(area) ||
			!in_reach(patch->text.v, area->addr + area->size) ||
			!in_reach(text_end, area->addr))
			continue;
		*ret_area = (uint8_t)i;
		*ret_slot = (uint16_t)area->used++;
		return 0;
	}
	if (empty == PATCH_AREAS_MAX)
		return -ENOMEM;
	if (patch->area_size == 0)
		return -ENOSPC;
	if (!in_reach(patch->text.v, patch->area.v + patch->area_size) ||
		!in_reach(text_end, patch->area.v) || patch->area_size < PAGE_SIZE)
		return -EINVAL;
	patches->areas[empty] = (struct patch_area){.addr = patch->area.v,
		.size = patch->area_size,
		.id = ++patches->last_area_id,
		.used = 1};
	*ret_area = (uint8_t)empty;
	*ret_slot = 0;
	return 0;
}

bool systrap_patch_in_area(const struct systrap_as *as, uint64_t addr, uint64_t size)
{
	for (unsigned i = 0; as->patches && i < PATCH_AREAS_MAX; i++) {
		const struct patch_area *area = &as->patches->areas[i];

		if (area->size && patch_overlaps(addr, size, area->addr, area->size))
			return true;
	}
	return false;
}
