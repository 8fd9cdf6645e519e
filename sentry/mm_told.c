/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings that a guest's only thread has made itself, and tells of with its next event
 * (sentry/told.c): the list is brought up to date as by the call, the host call left out
 * (platform_thread.done_already).
 *
 * What may be made so is private memory and private mappings, without the right to execute, of
 * files that everybody may map, in a gap that the thread was told of (mm_map_room()). It is small
 * enough that no limit can be met. All of it is within what any thread can do to its own memory by
 * the stub's means, so a thread that lies has a wrong list, and nothing else.
 */
#include <errno.h>

#include "abi/mman.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "base/checked.h"
#include "sentry/mm_private.h"
#include "sentry/task.h"

/* A gap for everything is this large, and no more of it than that is used. */
#define ROOM_MIN (4ull << 20)
#define ROOM_MAX (32ull << 20)

/*
 * Addresses are what mmap(2) would pick: from the highest gap that is large enough. So the thread
 * is told of the highest one, and of the highest one for large mappings with the size of the
 * largest gap above.
 */
static void find_room(const struct mm *mm, struct platform_inguest *ret)
{
	uint64_t end = mm->mmap_base;
	size_t i = mm_index(mm, end);

	if (i < mm->vma_count)
		end = min_of(end, vma_start_gap(mm->vmas[i]));
	for (;; i--) {
		const uint64_t floor = max_of(i > 0 ? mm->vmas[i - 1]->end : 0, LX_MMAP_MIN_ADDR);

		if (end > floor && end - floor >= ROOM_MIN) {
			ret->map_low = max_of(floor, end - min_of(ROOM_MAX, end));
			ret->map_high = end;
			return;
		}
		if (end > floor) {
			if (ret->hole_high == 0) {
				ret->hole_low = floor;
				ret->hole_high = end;
			}
			ret->map_size_min = max_of(ret->map_size_min, end - floor);
		}
		if (i == 0)
			return;
		end = min_of(end, vma_start_gap(mm->vmas[i - 1]));
	}
}

void mm_map_room(struct task *task, struct platform_inguest *inguest)
{
	const struct mm_work work = mm_work_of(task);
	const struct mm *mm = work.mm;

	inguest->hole_low = inguest->hole_high = 0;
	inguest->map_low = inguest->map_high = inguest->map_size_min = 0;
	if (mm->lock_future || mm->seals || mm->vma_count + 100 > SENTRY_MAX_VMAS ||
		(task->personality & LX_READ_IMPLIES_EXEC) || !mm_may_expand(&work, 2 * ROOM_MAX) ||
		!mm_may_add_data(&work, 2 * ROOM_MAX))
		return;
	find_room(mm, inguest);
}

static struct mm_work begin(struct task *task)
{
	struct mm_work work = mm_work_of(task);

	fiber_mutex_lock(&work.mm->mutex);
	work.thread->done_already = true;
	return work;
}

static void end(const struct mm_work *work)
{
	work->thread->done_already = false;
	fiber_mutex_unlock(&work->mm->mutex);
}

/* Whole pages below the guest's end. */
static bool is_sound(const struct task *task, uint64_t addr, uint64_t size)
{
	return task->mm && size > 0 && addr % LX_PAGE_SIZE == 0 && size % LX_PAGE_SIZE == 0 &&
	       addr >= LX_MMAP_MIN_ADDR && size <= task->mm->guest_end &&
	       addr <= task->mm->guest_end - size;
}

void mm_told_map(struct task *task, uint64_t addr, uint64_t size, int prot, int flags,
	struct file *file, uint64_t offset)
{
	const bool shared = (flags & LX_MAP_TYPE) == LX_MAP_SHARED && file;
	const int type = shared ? LX_MAP_SHARED : LX_MAP_PRIVATE | (file ? 0 : LX_MAP_ANONYMOUS);
	struct mm_work work;

	if (!is_sound(task, addr, size) || offset % LX_PAGE_SIZE ||
		(prot & ~(LX_PROT_READ | (shared ? 0 : LX_PROT_WRITE))) ||
		(file && (!vfs_file_is_common(file) || !file->readable)))
		return;
	work = begin(task);
	(void)mm_map_locked(&work, addr, size, prot,
		type | (flags & LX_MAP_DENYWRITE) | LX_MAP_FIXED, file, offset);
	end(&work);
}

void mm_told_unmap(struct task *task, uint64_t addr, uint64_t size)
{
	struct mm_work work;

	if (!is_sound(task, addr, size))
		return;
	work = begin(task);
	(void)mm_unmap_locked(&work, addr, addr + size);
	end(&work);
}

void mm_told_protect(struct task *task, uint64_t addr, uint64_t size, int prot)
{
	struct mm_work work;

	if (!is_sound(task, addr, size) || prot != LX_PROT_READ)
		return;
	work = begin(task);
	(void)mm_protect_range(&work, addr, addr + size, prot);
	end(&work);
}
