/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instruction pointers in trampolines (layout.h has their form): what the guest, its signal
 * handlers and its unwinder see is the code that a trampoline stands for.
 *
 * Everything is read by copies that may fault: a page in which code runs need not be readable.
 */
#include "platform/systrap/stub/stub.h"

static bool read(void *dst, uint64_t addr, uint64_t size)
{
	return stub_copy(dst, (const void *)addr, size) == 0;
}

/* The slot in which @rip lies. */
static bool find_slot(uint64_t rip, struct trampoline_slot *ret)
{
	const uint64_t page = rip & ~(uint64_t)(TRAMPOLINE_PAGE_SIZE - 1);
	const uint64_t first = page + offsetof(struct trampoline_page, slots);
	uint64_t magic[2], slot;

	if (!read(magic, page, sizeof(magic)) || magic[0] != TRAMPOLINE_MAGIC0 ||
		magic[1] != TRAMPOLINE_MAGIC1 || rip < first)
		return false;
	slot = first + (rip - first) / sizeof(*ret) * sizeof(*ret);
	if (!read(ret, slot, sizeof(*ret)) || !ret->site)
		return false;
	ret->site += slot;
	if (ret->hole)
		ret->hole += slot;
	return true;
}

/* A second jump, in a hole near the site: its target's slot knows it. */
static bool find_hole(uint64_t rip, struct trampoline_slot *ret)
{
	uint8_t jump[5];
	int32_t distance;

	if (!read(jump, rip, sizeof(jump)) || jump[0] != 0xe9)
		return false;
	distance = (int32_t)((uint32_t)jump[1] | (uint32_t)jump[2] << 8 | (uint32_t)jump[3] << 16 |
			     (uint32_t)jump[4] << 24);
	return find_slot(rip + sizeof(jump) + (uint64_t)(int64_t)distance, ret) && ret->hole == rip;
}

enum stub_place stub_leave_trampoline(struct stub_sigcontext *mc)
{
	struct trampoline_slot slot;
	uint64_t offset;

	if (find_slot(mc->rip, &slot)) {
		offset = (mc->rip - offsetof(struct trampoline_page, slots)) % sizeof(slot);
		if (offset == 0) {
			mc->rip = slot.site;
			return PLACE_BEFORE;
		}
		if (offset < slot.code_size || offset >= sizeof(slot.code))
			return PLACE_ELSEWHERE;
		mc->rip = slot.site + slot.size;
		return PLACE_BEHIND;
	}
	if (find_hole(mc->rip, &slot)) {
		mc->rip = slot.site;
		return PLACE_BEFORE;
	}
	return PLACE_ELSEWHERE;
}
