/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of VMAs: a sorted array of pointers, searched by bisection.
 *
 * Programs have tens to a few thousand mappings, most changes touch one or two of them, and
 * look-ups outnumber changes; an array of pointers moves at most half a megabyte at the cap
 * (SENTRY_MAX_VMAS) and is otherwise as fast as a tree and much simpler. The search for a free
 * range walks the array from the top: highest fit, as Linux does it.
 *
 * Invariants: sorted by start, no overlap, no empty VMA, everything page aligned and below
 * guest_end; the page counters equal the sums over the list.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/mman.h"
#include "base/checked.h"
#include "base/log.h"
#include "sentry/ipc/ipc.h"
#include "sentry/mm_private.h"

size_t mm_index(const struct mm *mm, uint64_t addr)
{
	size_t low = 0, high = mm->vma_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mm->vmas[middle]->end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct vma *mm_find(struct mm *mm, uint64_t addr)
{
	size_t i = mm_index(mm, addr);

	return i < mm->vma_count ? mm->vmas[i] : NULL;
}

struct vma *mm_lookup(const struct mm *mm, uint64_t addr)
{
	size_t i = mm_index(mm, addr);

	return i < mm->vma_count && mm->vmas[i]->start <= addr ? mm->vmas[i] : NULL;
}

bool mm_overlaps(const struct mm *mm, uint64_t start, uint64_t end)
{
	size_t i = mm_index(mm, start);

	return i < mm->vma_count && mm->vmas[i]->start < end;
}

bool mm_sealed(const struct mm *mm, uint64_t start, uint64_t end)
{
	for (size_t i = mm_index(mm, start); i < mm->vma_count && mm->vmas[i]->start < end; i++)
		if (mm->vmas[i]->sealed)
			return true;
	return false;
}

bool mm_range_mapped(struct mm *mm, uint64_t addr, uint64_t size)
{
	uint64_t end;

	if (!add_checked(addr, size, &end))
		return false;
	for (size_t i = mm_index(mm, addr); addr < end; i++) {
		if (i >= mm->vma_count || mm->vmas[i]->start > addr)
			return false;
		addr = mm->vmas[i]->end;
	}
	return true;
}

/* ---- one VMA --------------------------------------------------------------------------------- */

static uint32_t vma_total; /* of all address spaces */

struct vma *vma_new(uint64_t start, uint64_t end, int prot, int max_prot)
{
	struct vma *vma = vma_total < SENTRY_MAX_VMAS_TOTAL ? calloc(1, sizeof(*vma)) : NULL;

	if (!vma)
		return NULL;
	vma_total++;
	vma->start = start;
	vma->end = end;
	vma->prot = prot;
	vma->max_prot = max_prot;
	return vma;
}

struct vma *vma_dup(const struct vma *vma)
{
	struct vma *copy = vma_total < SENTRY_MAX_VMAS_TOTAL ? malloc(sizeof(*copy)) : NULL;

	if (!copy)
		return NULL;
	*copy = *vma;
	if (vma->anon_name) {
		copy->anon_name = strdup(vma->anon_name);
		if (!copy->anon_name) {
			free(copy);
			return NULL;
		}
	}
	if (copy->file)
		file_ref(copy->file);
	if (copy->shm)
		shm_mapping_added(copy->shm);
	vma_total++;
	return copy;
}

void vma_free(struct vma *vma)
{
	if (vma->shm)
		shm_mapping_gone(vma->shm);
	if (vma->file)
		file_unref(vma->file);
	free(vma->anon_name);
	free(vma);
	vma_total--;
}

uint64_t vma_start_gap(const struct vma *vma)
{
	if (!vma->grows_down)
		return vma->start;
	return vma->start > MM_STACK_GUARD_SIZE ? vma->start - MM_STACK_GUARD_SIZE : 0;
}

bool vma_is_data(const struct vma *vma)
{
	return (vma->prot & LX_PROT_WRITE) && !vma->shared && !vma->grows_down;
}

bool vma_is_anonymous(const struct vma *vma)
{
	return !vma->file && !vma->shared;
}

static bool vma_same_name(const struct vma *a, const struct vma *b)
{
	if (!a->anon_name || !b->anon_name)
		return a->anon_name == b->anon_name;
	return strcmp(a->anon_name, b->anon_name) == 0;
}

static bool vma_mergeable(const struct vma *a, const struct vma *b)
{
	/* Attached pieces stay apart: each counts (is_mergeable_vma() and vm_ops->close). */
	return a->end == b->start && !a->shm && !b->shm && a->file == b->file &&
	       a->prot == b->prot && a->max_prot == b->max_prot && a->shared == b->shared &&
	       a->sealed == b->sealed && a->write_later == b->write_later &&
	       a->grows_down == b->grows_down && a->stack == b->stack && a->heap == b->heap &&
	       a->locked == b->locked && a->no_reserve == b->no_reserve &&
	       a->dont_fork == b->dont_fork && a->wipe_on_fork == b->wipe_on_fork &&
	       a->dont_dump == b->dont_dump && a->ours == b->ours && a->label == b->label &&
	       vma_same_name(a, b) && (!a->file || a->offset + (a->end - a->start) == b->offset);
}

/* ---- changes --------------------------------------------------------------------------------- */

void mm_account(struct mm *mm, const struct vma *vma, int sign)
{
	uint64_t pages = (vma->end - vma->start) / LX_PAGE_SIZE;

	mm->changes++;
	if (vma->ours)
		return;
	if (sign < 0)
		pages = -pages;
	mm->total_pages += pages;
	if (vma_is_data(vma))
		mm->data_pages += pages;
	if (vma->grows_down)
		mm->stack_pages += pages;
	if (vma->locked)
		mm->locked_pages += pages;
}

int mm_reserve(struct mm *mm, size_t extra)
{
	size_t capacity = mm->vma_capacity ? mm->vma_capacity : 64;
	struct vma **vmas;

	if (mm->vma_count + extra > SENTRY_MAX_VMAS + 3)
		return -ENOMEM;
	if (mm->vma_count + extra <= mm->vma_capacity)
		return 0;
	while (capacity < mm->vma_count + extra)
		capacity *= 2;
	vmas = reallocarray(mm->vmas, capacity, sizeof(vmas[0]));
	if (!vmas)
		return -ENOMEM;
	mm->vmas = vmas;
	mm->vma_capacity = capacity;
	return 0;
}

static void mm_insert_at(struct mm *mm, size_t i, struct vma *vma)
{
	sentry_assert(mm->vma_count < mm->vma_capacity);
	memmove(&mm->vmas[i + 1], &mm->vmas[i], (mm->vma_count - i) * sizeof(mm->vmas[0]));
	mm->vmas[i] = vma;
	mm->vma_count++;
}

static void mm_remove_entries(struct mm *mm, size_t i, size_t count)
{
	if (count == 0)
		return; /* there may be no array */
	memmove(&mm->vmas[i], &mm->vmas[i + count],
		(mm->vma_count - i - count) * sizeof(mm->vmas[0]));
	mm->vma_count -= count;
}

int mm_split(struct mm *mm, uint64_t addr)
{
	size_t i = mm_index(mm, addr);
	struct vma *low, *high;

	if (i >= mm->vma_count || mm->vmas[i]->start >= addr)
		return 0;
	if (mm->vma_count >= SENTRY_MAX_VMAS || mm_reserve(mm, 1) < 0)
		return -ENOMEM;
	low = mm->vmas[i];
	high = vma_dup(low);
	if (!high)
		return -ENOMEM;
	high->start = addr;
	if (high->file)
		high->offset += addr - low->start;
	low->end = addr;
	mm_insert_at(mm, i + 1, high);
	return 0;
}

int mm_split_range(struct mm *mm, uint64_t start, uint64_t end)
{
	int err = mm_split(mm, start);

	if (err < 0)
		return err;
	err = mm_split(mm, end);
	if (err < 0)
		mm_merge(mm, start, start);
	return err;
}

static void count_change(struct mm *mm, const struct vma *vma)
{
	if (vma->file || vma->prot & LX_PROT_EXEC)
		mm->code_changes++;
}

void mm_insert(struct mm *mm, struct vma *vma)
{
	count_change(mm, vma);
	mm_insert_at(mm, mm_index(mm, vma->start), vma);
	mm_account(mm, vma, 1);
}

void mm_remove_range(struct mm *mm, uint64_t start, uint64_t end)
{
	size_t first = mm_index(mm, start), i;

	for (i = first; i < mm->vma_count && mm->vmas[i]->start < end; i++) {
		sentry_assert(mm->vmas[i]->start >= start && mm->vmas[i]->end <= end);
		count_change(mm, mm->vmas[i]);
		mm_account(mm, mm->vmas[i], -1);
		vma_free(mm->vmas[i]);
	}
	mm_remove_entries(mm, first, i - first);
}

void mm_merge(struct mm *mm, uint64_t start, uint64_t end)
{
	size_t from = mm_index(mm, start), to = from, kept;

	if (mm->vma_count == 0)
		return;
	if (from > 0)
		from--;
	while (to < mm->vma_count && mm->vmas[to]->start <= end)
		to++;
	/* Compacts [from, to) in place. */
	kept = from;
	for (size_t i = from + 1; i < to; i++) {
		struct vma *low = mm->vmas[kept], *high = mm->vmas[i];

		if (vma_mergeable(low, high)) {
			low->end = high->end;
			vma_free(high);
		} else {
			mm->vmas[++kept] = high;
		}
	}
	if (kept + 1 < to)
		mm_remove_entries(mm, kept + 1, to - kept - 1);
}

/* ---- address selection ----------------------------------------------------------------------- */

uint64_t mm_gap_top_down(
	const struct mm *mm, uint64_t size, uint64_t low, uint64_t high, uint64_t alignment)
{
	size_t i = mm_index(mm, high);
	uint64_t end = high;

	if (high < low)
		return 0;
	if (i < mm->vma_count)
		end = min_of(end, vma_start_gap(mm->vmas[i]));
	for (;; i--) {
		uint64_t floor = max_of(i > 0 ? mm->vmas[i - 1]->end : 0, low);

		if (end > floor && end - floor >= size) {
			uint64_t addr = align_down(end - size, alignment);

			if (addr >= floor)
				return addr;
		}
		if (i == 0 || end <= low)
			return 0;
		end = min_of(end, vma_start_gap(mm->vmas[i - 1]));
	}
}

uint64_t mm_gap_bottom_up(
	const struct mm *mm, uint64_t size, uint64_t low, uint64_t high, uint64_t alignment)
{
	uint64_t start = low;

	for (size_t i = mm_index(mm, low); start < high; i++) {
		uint64_t end = high;

		if (i < mm->vma_count)
			end = min_of(end, vma_start_gap(mm->vmas[i]));
		if (!align_up_checked(start, alignment, &start))
			return 0;
		if (end > start && end - start >= size)
			return start;
		if (i >= mm->vma_count)
			return 0;
		start = max_of(start, mm->vmas[i]->end);
	}
	return 0;
}

static bool mm_range_free(const struct mm *mm, uint64_t start, uint64_t end)
{
	size_t i = mm_index(mm, start);

	return i >= mm->vma_count || vma_start_gap(mm->vmas[i]) >= end;
}

int64_t mm_pick(const struct mm *mm, uint64_t hint, uint64_t size, int flags, uint64_t alignment)
{
	/* MAP_32BIT: the range that arch/x86/kernel/sys_x86_64.c searches; a hint may be below it.
	 */
	const uint64_t low = 0x40000000, high = 0x80000000;
	uint64_t addr = 0;

	if (size > mm->guest_end)
		return -ENOMEM;
	if (hint) {
		uint64_t end;

		hint = max_of(hint, LX_MMAP_MIN_ADDR);
		if (add_checked(hint, size, &end) &&
			end <= (flags & LX_MAP_32BIT ? high : mm->guest_end) &&
			mm_range_free(mm, hint, end))
			return (int64_t)hint;
	}
	if (flags & LX_MAP_32BIT) {
		addr = mm_gap_bottom_up(mm, size, low, high, LX_PAGE_SIZE);
		return addr ? (int64_t)addr : -ENOMEM;
	}
	if (alignment > LX_PAGE_SIZE)
		addr = mm_gap_top_down(mm, size, LX_MMAP_MIN_ADDR, mm->mmap_base, alignment);
	if (!addr)
		addr = mm_gap_top_down(mm, size, LX_MMAP_MIN_ADDR, mm->mmap_base, LX_PAGE_SIZE);
	if (!addr)
		addr = mm_gap_bottom_up(mm, size, mm->mmap_base, mm->guest_end, LX_PAGE_SIZE);
	return addr ? (int64_t)addr : -ENOMEM;
}

void mm_set_prot(struct mm *mm, uint64_t start, uint64_t end, int prot)
{
	for (size_t i = mm_index(mm, start); i < mm->vma_count && mm->vmas[i]->start < end; i++) {
		mm_account(mm, mm->vmas[i], -1);
		/* The platform forgets what the guest has changed: it is the guest's. */
		if (prot != mm->vmas[i]->prot)
			mm->vmas[i]->ours = false;
		count_change(mm, mm->vmas[i]);
		mm->vmas[i]->prot = prot;
		count_change(mm, mm->vmas[i]);
		mm_account(mm, mm->vmas[i], 1);
	}
	mm_merge(mm, start, end);
}
