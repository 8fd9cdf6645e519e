/* SPDX-License-Identifier: Apache-2.0 */
/* The VMA list against a page-by-page model, and address selection. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "abi/mman.h"
#include "sentry/ipc/ipc.h"
#include "sentry/mm_private.h"

/* The list under test has no System V segments. */
void shm_mapping_added(struct shm_segment *segment)
{
}

void shm_mapping_gone(struct shm_segment *segment)
{
}

#define PAGES 64
#define BASE  0x100000ull
#define AT(p) (BASE + (uint64_t)(p)*LX_PAGE_SIZE)

/* The list asks nothing of files but references. */
struct file *file_ref(struct file *file)
{
	return file;
}

void file_unref(struct file *file)
{
}

static void map(struct mm *mm, int from, int to, int prot)
{
	cr_assert_eq(mm_reserve(mm, 3), 0);
	cr_assert_eq(mm_split_range(mm, AT(from), AT(to)), 0);
	mm_remove_range(mm, AT(from), AT(to));
	mm_insert(mm, vma_new(AT(from), AT(to), prot, 7));
	mm_merge(mm, AT(from), AT(to));
}

static void unmap(struct mm *mm, int from, int to)
{
	cr_assert_eq(mm_split_range(mm, AT(from), AT(to)), 0);
	mm_remove_range(mm, AT(from), AT(to));
}

static void protect(struct mm *mm, int from, int to, int prot)
{
	cr_assert_eq(mm_split_range(mm, AT(from), AT(to)), 0);
	for (size_t i = mm_index(mm, AT(from)); i < mm->vma_count && mm->vmas[i]->start < AT(to);
		i++) {
		mm_account(mm, mm->vmas[i], -1);
		mm->vmas[i]->prot = prot;
		mm_account(mm, mm->vmas[i], 1);
	}
	mm_merge(mm, AT(from), AT(to));
}

static void check(struct mm *mm, const int *model)
{
	uint64_t total = 0, data = 0;
	size_t runs = 0;

	for (int p = 0; p < PAGES; p++) {
		struct vma *vma = mm_lookup(mm, AT(p));

		cr_assert_eq(vma ? vma->prot : -1, model[p], "page %d", p);
		total += model[p] >= 0;
		data += model[p] >= 0 && (model[p] & LX_PROT_WRITE);
		runs += model[p] >= 0 && (p == 0 || model[p] != model[p - 1]);
	}
	cr_assert_eq(mm->total_pages, total);
	cr_assert_eq(mm->data_pages, data);
	cr_assert_eq(mm->vma_count, runs, "all alike neighbours are merged");
	for (size_t i = 1; i < mm->vma_count; i++)
		cr_assert_leq(mm->vmas[i - 1]->end, mm->vmas[i]->start);
}

Test(mm_vma, agrees_with_a_model)
{
	struct mm mm = {0};
	int model[PAGES];

	srand(1);
	memset(model, -1, sizeof(model));
	for (int round = 0; round < 20000; round++) {
		int from = rand() % PAGES, to = from + 1 + rand() % (PAGES - from),
		    prot = rand() % 4;

		switch (rand() % 3) {
		case 0:
			map(&mm, from, to, prot);
			for (int p = from; p < to; p++)
				model[p] = prot;
			break;
		case 1:
			unmap(&mm, from, to);
			for (int p = from; p < to; p++)
				model[p] = -1;
			break;
		default:
			protect(&mm, from, to, prot);
			for (int p = from; p < to; p++)
				model[p] = model[p] < 0 ? -1 : prot;
			break;
		}
		check(&mm, model);
	}
}

Test(mm_vma, finds_free_ranges)
{
	struct mm mm = {.guest_end = AT(PAGES), .mmap_base = AT(PAGES)};

	map(&mm, 10, 20, 3);
	map(&mm, 30, 60, 3);
	cr_assert_eq(mm_gap_top_down(&mm, 4 * LX_PAGE_SIZE, BASE, AT(PAGES), LX_PAGE_SIZE), AT(60));
	cr_assert_eq(mm_gap_top_down(&mm, 5 * LX_PAGE_SIZE, BASE, AT(PAGES), LX_PAGE_SIZE), AT(25));
	cr_assert_eq(
		mm_gap_top_down(&mm, 10 * LX_PAGE_SIZE, BASE, AT(PAGES), LX_PAGE_SIZE), AT(20));
	cr_assert_eq(mm_gap_top_down(&mm, 11 * LX_PAGE_SIZE, BASE, AT(PAGES), LX_PAGE_SIZE), 0);
	cr_assert_eq(mm_gap_top_down(&mm, 4 * LX_PAGE_SIZE, BASE, AT(25), LX_PAGE_SIZE), AT(21));
	cr_assert_eq(mm_gap_bottom_up(&mm, 4 * LX_PAGE_SIZE, BASE, AT(PAGES), LX_PAGE_SIZE), BASE);
	cr_assert_eq(
		mm_gap_bottom_up(&mm, 4 * LX_PAGE_SIZE, AT(15), AT(PAGES), LX_PAGE_SIZE), AT(20));
	cr_assert_eq(mm_gap_bottom_up(&mm, 11 * LX_PAGE_SIZE, AT(15), AT(PAGES), LX_PAGE_SIZE), 0);
	cr_assert_eq(
		mm_gap_top_down(&mm, 2 * LX_PAGE_SIZE, BASE, AT(PAGES), 16 * LX_PAGE_SIZE), AT(0));
	cr_assert_eq(mm_pick(&mm, AT(22), LX_PAGE_SIZE, 0, LX_PAGE_SIZE), (int64_t)AT(22));
	cr_assert_eq(mm_pick(&mm, AT(12), LX_PAGE_SIZE, 0, LX_PAGE_SIZE), (int64_t)AT(63));
}

Test(mm_vma, keeps_a_gap_below_a_growing_stack)
{
	struct mm mm = {.guest_end = 0x10000000, .mmap_base = 0x10000000};
	struct vma *stack = vma_new(0x8000000, 0x8010000, 3, 7);

	stack->grows_down = true;
	cr_assert_eq(mm_reserve(&mm, 1), 0);
	mm_insert(&mm, stack);
	cr_assert_eq(mm.stack_pages, 16);
	cr_assert_eq(mm.data_pages, 0);
	cr_assert_eq(mm_gap_top_down(&mm, LX_PAGE_SIZE, LX_MMAP_MIN_ADDR, 0x8000000, LX_PAGE_SIZE),
		0x8000000 - MM_STACK_GUARD_SIZE - LX_PAGE_SIZE);
}

Test(mm_vma, offsets_follow_splits_and_stop_merges)
{
	struct mm mm = {0};
	struct file *file = (struct file *)&mm; /* never looked into */
	struct vma *vma = vma_new(AT(0), AT(8), 1, 7);

	vma->file = file;
	vma->offset = 0x10000;
	cr_assert_eq(mm_reserve(&mm, 1), 0);
	mm_insert(&mm, vma);
	cr_assert_eq(mm_split_range(&mm, AT(2), AT(4)), 0);
	cr_assert_eq(mm.vma_count, 3);
	cr_assert_eq(mm_lookup(&mm, AT(2))->offset, 0x12000);
	cr_assert_eq(mm_lookup(&mm, AT(4))->offset, 0x14000);
	mm_lookup(&mm, AT(2))->offset = 0;
	mm_merge(&mm, AT(0), AT(8));
	cr_assert_eq(mm.vma_count, 3);
	mm_lookup(&mm, AT(2))->offset = 0x12000;
	mm_merge(&mm, AT(0), AT(8));
	cr_assert_eq(mm.vma_count, 1);
	cr_assert(mm_range_mapped(&mm, AT(1), 7 * LX_PAGE_SIZE));
	cr_assert_not(mm_range_mapped(&mm, AT(1), 8 * LX_PAGE_SIZE));
}

Test(mm_vma, caps_the_count)
{
	struct mm mm = {0};

	for (uint64_t i = 0; i < SENTRY_MAX_VMAS; i++) {
		cr_assert_eq(mm_reserve(&mm, 1), 0);
		mm_insert(&mm, vma_new(AT(4 * i), AT(4 * i + 3), 1, 7));
	}
	cr_assert_eq(mm_split(&mm, AT(1)), -ENOMEM);
	mm_remove_range(&mm, AT(0), AT(3));
	cr_assert_eq(mm_split(&mm, AT(5)), 0);
}
