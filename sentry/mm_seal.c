/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mseal(2), PR_SET_MDWE (prctl(2)) and remap_file_pages(2).
 *
 * A sealed mapping keeps its place and its rights: what would unmap, move, replace or protect it,
 * or drop pages that cannot be written, is -EPERM (kernel mm/mseal.c). It is one more field of our
 * list, so it holds against the program's mistakes and not against a hostile one, which can make
 * mapping calls without us. The same is true of "memory deny write execute": what is or was
 * writable does not become executable.
 */
#include <errno.h>

#include "abi/mman.h"
#include "abi/prctl.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm_private.h"
#include "sentry/task.h"

bool mm_denies_exec(const struct mm *mm, int old, int prot)
{
	if (!mm->mdwe || !(prot & LX_PROT_EXEC))
		return false;
	return (prot & LX_PROT_WRITE) || !(old & LX_PROT_EXEC);
}

void mm_inherit_rules(struct mm *mm, const struct mm *from)
{
	mm->mdwe = from->mdwe & LX_PR_MDWE_NO_INHERIT ? 0 : from->mdwe;
	mm->thp_disable = from->thp_disable;
}

static int seal_locked(const struct mm_work *work, uint64_t start, uint64_t end)
{
	struct mm *mm = work->mm;
	int err;

	if (!mm_range_mapped(mm, start, end - start))
		return -ENOMEM;
	err = mm_split_range(mm, start, end);
	if (err < 0)
		return err;
	for (size_t i = mm_index(mm, start); i < mm->vma_count && mm->vmas[i]->start < end; i++)
		mm->vmas[i]->sealed = true;
	mm->changes++;
	mm->seals = true;
	mm_merge(mm, start, end);
	return 0;
}

int do_mseal(struct task *task, uint64_t addr, uint64_t size)
{
	struct mm_work work = mm_work_of(task);
	uint64_t length, end;
	int err;

	if (addr % LX_PAGE_SIZE || !align_up_checked(size, LX_PAGE_SIZE, &length))
		return -EINVAL;
	if (!add_checked(addr, length, &end))
		return -EINVAL;
	if (end == addr)
		return 0;
	fiber_mutex_lock(&work.mm->mutex);
	err = seal_locked(&work, addr, end);
	fiber_mutex_unlock(&work.mm->mutex);
	return err;
}

/* As Linux does it since 4.0: another mapping of the same file in that place. */
static int64_t remap_pages_locked(
	const struct mm_work *work, uint64_t start, uint64_t size, uint64_t page_offset, int flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	const struct mm *mm = work->mm;
	const struct vma *vma = mm_lookup(mm, start);
	uint64_t at;
	size_t i;

	if (!vma || !vma->shared || !vma->file)
		return -EINVAL;
	/* It may already be in pieces, of the same file and alike. */
	for (i = mm_index(mm, start), at = start; at < start + size; i++) {
		if (i >= mm->vma_count || mm->vmas[i]->start > at ||
			mm->vmas[i]->file != vma->file || mm->vmas[i]->prot != vma->prot)
			return -EINVAL;
		at = mm->vmas[i]->end;
	}
	file = file_ref(vma->file);
	flags = LX_MAP_SHARED | LX_MAP_FIXED | LX_MAP_POPULATE | (flags & LX_MAP_NONBLOCK) |
		(vma->locked ? LX_MAP_LOCKED : 0);
	return mm_map_locked(work, start, size, vma->prot, flags, file, page_offset * LX_PAGE_SIZE);
}

int do_remap_file_pages(
	struct task *task, uint64_t addr, uint64_t size, uint64_t page_offset, int flags)
{
	struct mm_work work = mm_work_of(task);
	uint64_t end;
	int64_t r;

	addr = align_down(addr, LX_PAGE_SIZE);
	size = align_down(size, LX_PAGE_SIZE);
	if (!add_checked(addr, size, &end) || end <= addr || page_offset > INT64_MAX / LX_PAGE_SIZE)
		return -EINVAL;
	fiber_mutex_lock(&work.mm->mutex);
	r = remap_pages_locked(&work, addr, size, page_offset, flags);
	fiber_mutex_unlock(&work.mm->mutex);
	return r < 0 ? (int)r : 0;
}
