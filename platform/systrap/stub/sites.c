/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which call sites are hot. A site that trapped often enough is shown to the Sentry, with the code
 * around it, which decides alone whether and how it is patched (platform/systrap/patch.c).
 *
 * A patch costs about as much as some ten calls that trap, and most sites of a short program are
 * used less often than that. So the first calls only count. Sites that share a set of entries may
 * push each other out before they are hot, which costs time, nothing else. A forked child inherits
 * the counts, since they lie in private memory.
 */
#include "platform/systrap/stub/sites.h"
#include "abi/syscall_nr.h"
#include "platform/systrap/stub/stub.h"

/* The first time, and how much longer each time after that. */
#define SITE_THRESHOLD STUB_SITE_THRESHOLD
#define SITE_PATIENCE  4u
#define WAYS	       4u
#define SITE_HITS_MAX  (1u << 26)

/*
 * Calls that need the frame of a signal anyway. Most of them happen once in a process; of the rest
 * each does so much that the trap does not count.
 */
static bool never_hot(uint32_t nr)
{
	switch (nr) {
	case LX_NR_rt_sigreturn:
	case LX_NR_clone:
	case LX_NR_clone3:
	case LX_NR_fork:
	case LX_NR_vfork:
	case LX_NR_execve:
	case LX_NR_execveat:
	case LX_NR_exit:
	case LX_NR_exit_group:
		return true;
	default:
		return false;
	}
}

/* In its set, which is in the order of last use: the last one makes room for a new one. */
static struct stub_site *find_site(struct stub_site *set, uint32_t tag)
{
	struct stub_site found = {.tag = tag};
	unsigned i;

	for (i = 0; i < WAYS - 1; i++) {
		if (set[i].tag == tag)
			break;
	}
	if (set[i].tag == tag)
		found = set[i];
	for (; i > 0; i--)
		set[i] = set[i - 1];
	set[0] = found;
	return set;
}

bool stub_site_hit(struct stub_site sites[STUB_SITE_COUNT], uint64_t next, uint32_t nr)
{
	uint32_t tag = (uint32_t)(next ^ next >> 32);
	struct stub_site *site;

	/* Nor do the gate's: the zygote's data area is in use. */
	if (never_hot(nr) || next >= STUB_BASE)
		return false;
	site = find_site(&sites[(tag * 0x9e3779b1u >> 16) % (STUB_SITE_COUNT / WAYS) * WAYS], tag);
	if (site->hits >= SITE_HITS_MAX)
		return false;
	site->hits++;
	for (uint32_t at = SITE_THRESHOLD; at <= site->hits; at *= SITE_PATIENCE) {
		if (at == site->hits)
			return true;
	}
	return false;
}

uint32_t stub_prefetch_site(struct channel_slot *slot, uint32_t count, uint64_t next)
{
	uint64_t begin = next - STUB_SITE_BEFORE, page = (next - 2) & ~4095ull, left;
	uint32_t offset = 0, size = STUB_SITE_BEFORE + STUB_SITE_BEHIND;
	struct channel_prefetch *entry = &slot->request.prefetch[count];

	if (count >= CHANNEL_PREFETCH_MAX)
		return count;
	for (uint32_t i = 0; i < count; i++) {
		const struct channel_prefetch *other = &slot->request.prefetch[i];
		uint32_t end = other->offset + other->size;

		if (end > offset)
			offset = end;
	}
	if (offset > CHANNEL_DATA_SIZE - size)
		return count;
	left = stub_copy(slot->data + offset, (const void *)begin, size);
	/* It begins where its mapping begins, or with a page that cannot be read. */
	if (size - left < STUB_SITE_BEFORE && begin < page) {
		size -= (uint32_t)(page - begin);
		begin = page;
		left = stub_copy(slot->data + offset, (const void *)begin, size);
	}
	if (left == size)
		return count;
	entry->addr = begin;
	entry->size = size - (uint32_t)left;
	entry->offset = offset;
	return count + 1;
}
