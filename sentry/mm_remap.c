/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mremap and brk: moving and resizing what is mapped. Error precedence as in mm/mremap.c and
 * mm/mmap.c of Linux 6.x.
 *
 * The host's mremap moves page tables, so contents never pass through the Sentry. MREMAP_DONTUNMAP
 * is not on the stub's list: the old range is mapped again right after the move, and another thread
 * that touches it in between gets SIGSEGV.
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/mman.h"
#include "abi/resource.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm_private.h"
#include "sentry/task.h"

struct remap {
	uint64_t addr, old_size, new_size, new_addr;
	int flags;
};

/* vma_to_resize(): may the mapping at @r->addr become that large? */
static int check_resize(const struct mm_work *work, const struct vma *vma, const struct remap *r)
{
	uint64_t growth, end;

	if (vma->sealed)
		return -EPERM;
	if (r->old_size == 0 && !vma->shared)
		return -EINVAL;
	if (r->old_size > vma->end - r->addr)
		return -EFAULT;
	if (r->new_size <= r->old_size)
		return 0;
	growth = r->new_size - r->old_size;
	if (vma->file && (!add_checked(vma->offset + (r->addr - vma->start), r->new_size, &end) ||
				 end > INT64_MAX))
		return -EINVAL;
	if (vma->label && !vma->heap && !vma->stack)
		return -EFAULT; /* the vDSO does not grow */
	if (vma->locked && !mm_may_lock(work, growth))
		return -EAGAIN;
	if (!mm_may_expand(work, growth) || (vma_is_data(vma) && !mm_may_add_data(work, growth)))
		return -ENOMEM;
	return 0;
}

/* A VMA like @vma's part at @r->addr, at @new_addr. */
static struct vma *moved_vma(const struct vma *vma, const struct remap *r, uint64_t new_addr)
{
	struct vma *moved = vma_dup(vma);

	if (!moved)
		return NULL;
	moved->start = new_addr;
	moved->end = new_addr + r->new_size;
	if (moved->file)
		moved->offset = vma->offset + (r->addr - vma->start);
	moved->heap = moved->stack = false;
	if (vma->heap || vma->stack)
		moved->label = NULL;
	return moved;
}

/* MREMAP_DONTUNMAP: the old range is mapped as before, its private pages gone. */
static int restore_old(const struct mm_work *work, struct vma *old)
{
	int err = mm_map_vma(work, old);

	if (err < 0)
		vma_free(old);
	return err;
}

static int64_t move_vma(
	const struct mm_work *work, struct vma *vma, const struct remap *r, uint64_t new_addr)
{
	_cleanup_(cleanup_vma) struct vma *moved = moved_vma(vma, r, new_addr), *old = NULL;
	struct mm *mm = work->mm;
	bool locked = vma->locked;
	uint64_t old_end = r->addr + r->old_size;
	int err;

	if (!moved)
		return -ENOMEM;
	/* An old size of 0 makes a second mapping of the same shared object. */
	if (r->old_size == 0) {
		err = mm_map_vma(work, moved);
		if (err < 0)
			return err;
		(void)TAKE(moved);
		return (int64_t)new_addr;
	}
	if (r->flags & LX_MREMAP_DONTUNMAP) {
		old = vma_dup(vma);
		if (!old)
			return -ENOMEM;
		old->start = r->addr;
		old->end = old_end;
		if (old->file)
			old->offset += r->addr - vma->start;
		old->locked = false;
	}
	err = mm_reserve(mm, 4);
	if (err == 0)
		err = mm_split_range(mm, r->addr, old_end);
	if (err < 0)
		return err;
	err = platform->remap(
		work->thread, GADDR(r->addr), r->old_size, r->new_size, GADDR(new_addr));
	if (err < 0) {
		mm_merge(mm, r->addr, old_end);
		return err;
	}
	mm_remove_range(mm, r->addr, old_end);
	mm_insert(mm, TAKE(moved));
	mm_merge(mm, new_addr, new_addr + r->new_size);
	if (old)
		(void)restore_old(work, TAKE(old));
	if (locked && r->new_size > r->old_size)
		mm_populate(work, new_addr + r->old_size, new_addr + r->new_size);
	return (int64_t)new_addr;
}

/* MREMAP_FIXED and MREMAP_DONTUNMAP (mremap_to()). */
static int64_t remap_to(const struct mm_work *work, struct remap *r)
{
	struct mm *mm = work->mm;
	uint64_t target = r->new_addr;
	struct vma *vma;
	int err;

	if (r->new_addr % LX_PAGE_SIZE || r->new_size > mm->guest_end ||
		r->new_addr > mm->guest_end - r->new_size)
		return -EINVAL;
	if (r->addr + r->old_size > r->new_addr && r->new_addr + r->new_size > r->addr)
		return -EINVAL;
	if (mm->vma_count + 2 >= SENTRY_MAX_VMAS)
		return -ENOMEM;
	if (r->flags & LX_MREMAP_FIXED) {
		err = mm_unmap_locked(work, r->new_addr, r->new_addr + r->new_size);
		if (err < 0)
			return err;
	}
	if (r->old_size > r->new_size) {
		err = mm_unmap_locked(work, r->addr + r->new_size, r->addr + r->old_size);
		if (err < 0)
			return err;
		r->old_size = r->new_size;
	}
	vma = mm_lookup(mm, r->addr);
	if (!vma)
		return -EFAULT;
	err = check_resize(work, vma, r);
	if (err < 0)
		return err;
	if ((r->flags & LX_MREMAP_DONTUNMAP) && !mm_may_expand(work, r->old_size))
		return -ENOMEM;
	if (!(r->flags & LX_MREMAP_FIXED)) {
		int64_t picked = mm_pick(mm, r->new_addr, r->new_size, 0, LX_PAGE_SIZE);

		if (picked < 0)
			return picked;
		target = (uint64_t)picked;
	}
	return move_vma(work, vma, r, target);
}

static bool grow_in_place(const struct mm_work *work, struct vma *vma, const struct remap *r)
{
	struct mm *mm = work->mm;
	uint64_t end = r->addr + r->new_size;
	size_t next = mm_index(mm, vma->end);

	if (r->old_size != vma->end - r->addr || end > mm->guest_end || end < r->addr)
		return false;
	if (next < mm->vma_count && vma_start_gap(mm->vmas[next]) < end)
		return false;
	if (platform->remap(
		    work->thread, GADDR(r->addr), r->old_size, r->new_size, GADDR(r->addr)) < 0)
		return false;
	mm_account(mm, vma, -1);
	vma->end = end;
	mm_account(mm, vma, 1);
	if (vma->locked)
		mm_populate(work, r->addr + r->old_size, end);
	mm_merge(mm, r->addr, end);
	return true;
}

static int64_t remap_locked(const struct mm_work *work, struct remap *r)
{
	struct vma *vma = mm_lookup(work->mm, r->addr);
	int64_t picked;
	int err;

	if (!vma)
		return -EFAULT;
	if (r->flags & (LX_MREMAP_FIXED | LX_MREMAP_DONTUNMAP))
		return remap_to(work, r);
	if (r->old_size >= r->new_size) {
		struct mm_work last = *work;

		last.may_delay = true;
		err = 0;
		if (r->old_size > r->new_size)
			err = mm_unmap_locked(&last, r->addr + r->new_size, r->addr + r->old_size);
		return err < 0 ? err : (int64_t)r->addr;
	}
	err = check_resize(work, vma, r);
	if (err < 0)
		return err;
	if (grow_in_place(work, vma, r))
		return (int64_t)r->addr;
	if (!(r->flags & LX_MREMAP_MAYMOVE))
		return -ENOMEM;
	picked = mm_pick(work->mm, 0, r->new_size, 0, LX_PAGE_SIZE);
	return picked < 0 ? picked : move_vma(work, vma, r, (uint64_t)picked);
}

int64_t do_mremap(struct task *task, uint64_t addr, uint64_t old_size, uint64_t new_size, int flags,
	uint64_t new_addr)
{
	struct mm_work work = mm_work_of(task);
	struct remap r = {.addr = addr, .new_addr = new_addr, .flags = flags};
	uint64_t end;
	int64_t ret;

	if (flags & ~(LX_MREMAP_FIXED | LX_MREMAP_MAYMOVE | LX_MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((flags & LX_MREMAP_FIXED) && !(flags & LX_MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & LX_MREMAP_DONTUNMAP) && !(flags & LX_MREMAP_MAYMOVE))
		return -EINVAL;
	if (addr % LX_PAGE_SIZE)
		return -EINVAL;
	if (!align_up_checked(old_size, LX_PAGE_SIZE, &r.old_size) ||
		!align_up_checked(new_size, LX_PAGE_SIZE, &r.new_size) || r.new_size == 0)
		return -EINVAL;
	if ((flags & LX_MREMAP_DONTUNMAP) && r.old_size != r.new_size)
		return -EINVAL;
	if (!add_checked(addr, r.old_size, &end) || end > work.mm->guest_end)
		return addr >= work.mm->guest_end ? -EFAULT : -EINVAL;
	if (r.new_size > work.mm->guest_end)
		return -EINVAL; /* since Linux 6.17; -ENOMEM before */
	fiber_mutex_lock(&work.mm->mutex);
	ret = remap_locked(&work, &r);
	fiber_mutex_unlock(&work.mm->mutex);
	return ret;
}

/* ---- brk ------------------------------------------------------------------------------------- */

/* How far a guest may move it without asking. */
#define BRK_ROOM_MAX (8ull << 20)

static int grow_brk(const struct mm_work *work, uint64_t old_end, uint64_t new_end)
{
	struct mm *mm = work->mm;
	size_t i = mm_index(mm, old_end);
	uint64_t size = new_end - old_end;
	struct mm_work mapping = *work;
	struct vma *vma;
	int err;

	/* A page stays free below the next mapping. */
	if (new_end > mm->guest_end ||
		(i < mm->vma_count && vma_start_gap(mm->vmas[i]) < new_end + LX_PAGE_SIZE))
		return -ENOMEM;
	if (mm->lock_future && !mm_may_lock(work, size))
		return -EAGAIN;
	if (!mm_may_expand(work, size) || !mm_may_add_data(work, size) ||
		mm->vma_count > SENTRY_MAX_VMAS)
		return -ENOMEM;
	vma = vma_new(old_end, new_end, LX_PROT_READ | LX_PROT_WRITE,
		LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC);
	if (!vma)
		return -ENOMEM;
	vma->heap = true;
	vma->label = "[heap]";
	vma->locked = mm->lock_future;
	mapping.may_delay = work->may_delay && !mm->lock_future;
	err = mm_map_vma(&mapping, vma);
	if (err < 0) {
		vma_free(vma);
		return err;
	}
	if (mm->lock_future)
		mm_populate(work, old_end, new_end);
	return 0;
}

static void move_brk(const struct mm_work *work, uint64_t addr)
{
	struct mm *mm = work->mm;
	uint64_t limit = task_rlimit(work->task, LX_RLIMIT_DATA), old_end, new_end;
	int err = 0;

	if (addr < mm->start_brk || addr > mm->guest_end)
		return;
	if (addr - mm->start_brk > limit ||
		mm->end_data - mm->start_data > limit - (addr - mm->start_brk))
		return;
	if (!align_up_checked(mm->brk, LX_PAGE_SIZE, &old_end) ||
		!align_up_checked(addr, LX_PAGE_SIZE, &new_end))
		return;
	if (new_end < old_end)
		err = mm_unmap_locked(work, new_end, old_end);
	else if (new_end > old_end)
		err = grow_brk(work, old_end, new_end);
	if (err == 0)
		mm->brk = addr;
}

uint64_t do_brk(struct task *task, uint64_t addr)
{
	struct mm_work work = mm_work_last(task);
	uint64_t brk, old_brk;

	fiber_mutex_lock(&work.mm->mutex);
	old_brk = work.mm->brk;
	move_brk(&work, addr);
	work.mm->late.brk = true;
	work.mm->late.old_brk = old_brk;
	brk = work.mm->brk;
	fiber_mutex_unlock(&work.mm->mutex);
	return brk;
}

void mm_brk_room(struct task *task, uint64_t *ret_low, uint64_t *ret_high)
{
	const struct mm_work work = mm_work_of(task);
	const struct mm *mm = work.mm;
	const uint64_t limit = task_rlimit(task, LX_RLIMIT_DATA);
	uint64_t end, high, room = BRK_ROOM_MAX;
	size_t i;

	*ret_low = *ret_high = mm->brk;
	if (mm->lock_future || !align_up_checked(mm->brk, LX_PAGE_SIZE, &end))
		return;
	i = mm_index(mm, end);
	high = i < mm->vma_count ? vma_start_gap(mm->vmas[i]) : mm->guest_end;
	if (high < end + 2 * LX_PAGE_SIZE)
		return;
	room = min_of(room, high - LX_PAGE_SIZE - end);
	/* Within the limits, if they are far. */
	if (mm_may_expand(&work, room) && mm_may_add_data(&work, room) &&
		mm->vma_count < SENTRY_MAX_VMAS &&
		room < limit - min_of(limit, mm->end_data - mm->start_data + end - mm->start_brk))
		*ret_high = end + room;
	/* Only what brk(2) has mapped, as it was mapped. */
	if (i > 0) {
		const struct vma *vma = mm->vmas[i - 1];

		if (vma->heap && vma->end == end && !vma->sealed && !vma->locked && !vma->file &&
			vma->prot == (LX_PROT_READ | LX_PROT_WRITE))
			*ret_low = min_of(mm->brk, max_of(vma->start, mm->start_brk));
	}
}

void mm_brk_moved(struct task *task, uint64_t addr)
{
	struct mm_work work = mm_work_of(task);

	fiber_mutex_lock(&work.mm->mutex);
	task->thread->done_already = true;
	move_brk(&work, addr);
	task->thread->done_already = false;
	fiber_mutex_unlock(&work.mm->mutex);
}
