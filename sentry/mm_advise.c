/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advice, locks, write-back and questions about mapped memory: madvise, msync, mincore, the mlock
 * family.
 *
 * Advice about pages goes to the host, for the values that the stub may pass on; advice about fork
 * and core dumps is ours and lives in the VMAs. Locks are accounted against RLIMIT_MEMLOCK and the
 * pages are faulted in; the host is not asked to pin them (an untrusted process must not pin host
 * memory), so a locked page may still be swapped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/resource.h"
#include "base/checked.h"
#include "sentry/mm_advise.h"
#include "sentry/mm_private.h"
#include "sentry/task.h"

/* ---- madvise --------------------------------------------------------------------------------- */

static bool advice_known(int advice)
{
	switch (advice) {
	case LX_MADV_NORMAL:
	case LX_MADV_RANDOM:
	case LX_MADV_SEQUENTIAL:
	case LX_MADV_WILLNEED:
	case LX_MADV_DONTNEED:
	case LX_MADV_DONTNEED_LOCKED:
	case LX_MADV_FREE:
	case LX_MADV_REMOVE:
	case LX_MADV_DONTFORK:
	case LX_MADV_DOFORK:
	case LX_MADV_HUGEPAGE:
	case LX_MADV_NOHUGEPAGE:
	case LX_MADV_DONTDUMP:
	case LX_MADV_DODUMP:
	case LX_MADV_WIPEONFORK:
	case LX_MADV_KEEPONFORK:
	case LX_MADV_COLD:
	case LX_MADV_PAGEOUT:
	case LX_MADV_POPULATE_READ:
	case LX_MADV_POPULATE_WRITE:
		return true;
	default:
		return false;
	}
}

/* MADV_REMOVE: a hole in the file behind a shared mapping. */
static int remove_pages(const struct mm_work *work, struct vma *vma, uint64_t start, uint64_t end)
{
	struct vfs_ctx ctx = task_vfs_ctx(work->task);

	if (vma->locked || !vma->file || !vma->shared)
		return -EINVAL;
	if (!(vma->max_prot & LX_PROT_WRITE) || !(vma->prot & LX_PROT_WRITE))
		return -EACCES;
	return file_fallocate(vma->file, LX_FALLOC_FL_PUNCH_HOLE | LX_FALLOC_FL_KEEP_SIZE,
		vma->offset + (start - vma->start), end - start, &ctx);
}

static int host_advise(
	const struct mm_work *work, const struct vma *vma, uint64_t start, uint64_t end, int advice)
{
	int err;

	switch (advice) {
	case LX_MADV_FREE:
		if (!vma_is_anonymous(vma))
			return -EINVAL;
		__attribute__((fallthrough));
	case LX_MADV_DONTNEED:
	case LX_MADV_COLD:
	case LX_MADV_PAGEOUT:
		if (vma->locked)
			return -EINVAL;
		break;
	case LX_MADV_DONTNEED_LOCKED:
		advice = LX_MADV_DONTNEED; /* the host does not know our locks */
		break;
	case LX_MADV_HUGEPAGE:
		if (work->mm->thp_disable == 1)
			return 0; /* taken, and without effect: PR_SET_THP_DISABLE */
		break;
	default:
		break;
	}
	err = platform->advise(work->thread, GADDR(start), end - start, advice);
	/* A platform may keep its guests from steering the host's reclaim: then the milder form. */
	if (err == -EINVAL && advice == LX_MADV_PAGEOUT)
		err = platform->advise(work->thread, GADDR(start), end - start, LX_MADV_COLD);
	return err;
}

/* Advice that changes a VMA's own flags: returns false for others. */
static bool apply_flag(struct vma *vma, int advice)
{
	switch (advice) {
	case LX_MADV_DONTFORK:
		vma->dont_fork = true;
		return true;
	case LX_MADV_DOFORK:
		vma->dont_fork = false;
		return true;
	case LX_MADV_WIPEONFORK:
		vma->wipe_on_fork = true;
		return true;
	case LX_MADV_KEEPONFORK:
		vma->wipe_on_fork = false;
		return true;
	case LX_MADV_DONTDUMP:
		vma->dont_dump = true;
		return true;
	case LX_MADV_DODUMP:
		vma->dont_dump = false;
		return true;
	default:
		return false;
	}
}

static bool advice_is_flag(int advice)
{
	struct vma scratch = {0};

	return apply_flag(&scratch, advice);
}

static bool advice_discards(int advice)
{
	return advice == LX_MADV_FREE || advice == LX_MADV_DONTNEED ||
	       advice == LX_MADV_DONTNEED_LOCKED || advice == LX_MADV_REMOVE ||
	       advice == LX_MADV_DONTFORK || advice == LX_MADV_WIPEONFORK;
}

/* One VMA's part [start, end). The list may change: the caller looks up again. */
static int advise_one(
	const struct mm_work *work, struct vma *vma, uint64_t start, uint64_t end, int advice)
{
	struct mm *mm = work->mm;
	int err;

	/* Pages that nobody could write again are as good as lost (can_madvise_modify()). */
	if (vma->sealed && advice_discards(advice) && !vma->shared && !(vma->prot & LX_PROT_WRITE))
		return -EPERM;
	if (advice == LX_MADV_REMOVE)
		return remove_pages(work, vma, start, end);
	if (!advice_is_flag(advice))
		return host_advise(work, vma, start, end, advice);
	if (advice == LX_MADV_WIPEONFORK && !vma_is_anonymous(vma))
		return -EINVAL;
	if (advice == LX_MADV_DOFORK && vma->label && !vma->heap && !vma->stack)
		return -EINVAL;
	err = mm_split_range(mm, start, end);
	if (err < 0)
		return err;
	apply_flag(mm_lookup(mm, start), advice);
	mm_merge(mm, start, end);
	return 0;
}

static int advise_locked(const struct mm_work *work, uint64_t start, uint64_t end, int advice)
{
	struct mm *mm = work->mm;
	int unmapped = 0;

	/* Populating asks for the whole range at once: a hole or a fault stops the host where Linux
	 * stops. */
	if (advice == LX_MADV_POPULATE_READ || advice == LX_MADV_POPULATE_WRITE) {
		if (end > mm->guest_end)
			return -ENOMEM;
		return platform->advise(work->thread, GADDR(start), end - start, advice);
	}
	while (start < end) {
		struct vma *vma = mm_find(mm, start);
		uint64_t stop;
		int err;

		if (!vma || vma->start >= end)
			return -ENOMEM;
		if (vma->start > start) {
			unmapped = -ENOMEM;
			start = vma->start;
		}
		stop = min_of(end, vma->end);
		err = advise_one(work, vma, start, stop, advice);
		if (err < 0)
			return err;
		start = stop;
	}
	return unmapped;
}

int do_madvise(struct task *task, uint64_t addr, uint64_t size, int advice)
{
	struct mm_work work = mm_work_of(task);
	uint64_t length, end;
	int err;

	if (!advice_known(advice) || addr % LX_PAGE_SIZE)
		return -EINVAL;
	if (!align_up_checked(size, LX_PAGE_SIZE, &length) || !add_checked(addr, length, &end))
		return -EINVAL;
	if (end == addr)
		return 0;
	fiber_mutex_lock(&work.mm->mutex);
	err = advise_locked(&work, addr, end, advice);
	fiber_mutex_unlock(&work.mm->mutex);
	return err;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int name_locked(const struct mm_work *work, uint64_t start, uint64_t end, const char *name)
{
	struct mm *mm = work->mm;
	int err = mm_split_range(mm, start, end), unmapped = 0;
	uint64_t at = start;

	for (size_t i = mm_index(mm, start); err == 0 && at < end; i++) {
		struct vma *vma = i < mm->vma_count ? mm->vmas[i] : NULL;
		char *copy = NULL;

		if (!vma || vma->start >= end) {
			unmapped = -ENOMEM;
			break;
		}
		if (vma->start > at)
			unmapped = -ENOMEM;
		at = vma->end;
		if (vma->file) {
			err = -EBADF;
			break;
		}
		if (name) {
			copy = strdup(name);
			if (!copy) {
				err = -ENOMEM;
				break;
			}
		}
		free(vma->anon_name);
		vma->anon_name = copy;
	}
	mm_merge(mm, start, end);
	return err < 0 ? err : unmapped;
}

int mm_set_anon_name(struct task *task, uint64_t addr, uint64_t size, const char *name)
{
	struct mm_work work = mm_work_of(task);
	uint64_t end;
	int err;

	if (addr % LX_PAGE_SIZE)
		return -EINVAL;
	if (!align_up_checked(size, LX_PAGE_SIZE, &size) || !add_checked(addr, size, &end))
		return -EINVAL;
	if (end == addr)
		return 0;
	fiber_mutex_lock(&work.mm->mutex);
	err = name_locked(&work, addr, end, name);
	fiber_mutex_unlock(&work.mm->mutex);
	return err;
}

/* ---- msync, mincore -------------------------------------------------------------------------- */

int do_msync(struct task *task, uint64_t addr, uint64_t size, int flags)
{
	struct mm *mm = task->mm;
	uint64_t end;
	int err = 0, unmapped = 0;

	if (flags & ~(LX_MS_ASYNC | LX_MS_INVALIDATE | LX_MS_SYNC) || addr % LX_PAGE_SIZE)
		return -EINVAL;
	if ((flags & LX_MS_ASYNC) && (flags & LX_MS_SYNC))
		return -EINVAL;
	/* Linux rounds up without a look: what wraps to nothing is nothing. */
	size = (size + LX_PAGE_SIZE - 1) & LX_PAGE_MASK;
	if (!add_checked(addr, size, &end))
		return -ENOMEM;
	fiber_mutex_lock(&mm->mutex);
	while (addr < end && err == 0) {
		struct vma *vma = mm_find(mm, addr);

		if (!vma || vma->start >= end) {
			unmapped = -ENOMEM;
			break;
		}
		if (vma->start > addr)
			unmapped = -ENOMEM;
		if ((flags & LX_MS_INVALIDATE) && vma->locked)
			err = -EBUSY;
		else if ((flags & LX_MS_SYNC) && vma->file && vma->shared)
			err = file_sync(vma->file, true);
		addr = vma->end;
	}
	fiber_mutex_unlock(&mm->mutex);
	return err < 0 ? err : unmapped;
}

/* ---- locks ----------------------------------------------------------------------------------- */

static int set_locked(const struct mm_work *work, uint64_t start, uint64_t end, bool lock)
{
	struct mm *mm = work->mm;
	uint64_t at = start;
	int err = mm_split_range(mm, start, end);

	for (size_t i = mm_index(mm, start); err == 0 && at < end; i++) {
		struct vma *vma = i < mm->vma_count ? mm->vmas[i] : NULL;

		if (!vma || vma->start > at) {
			err = -ENOMEM;
			break;
		}
		at = vma->end;
		mm_account(mm, vma, -1);
		vma->locked = lock;
		mm_account(mm, vma, 1);
	}
	mm_merge(mm, start, end);
	return err;
}

static uint64_t locked_size(const struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t size = 0;

	for (size_t i = mm_index(mm, start); i < mm->vma_count && mm->vmas[i]->start < end; i++)
		if (mm->vmas[i]->locked)
			size += min_of(end, mm->vmas[i]->end) - max_of(start, mm->vmas[i]->start);
	return size;
}

static int lock_locked(const struct mm_work *work, uint64_t start, uint64_t end, bool populate)
{
	uint64_t known = locked_size(work->mm, start, end);
	int err;

	if (end - start > known && !mm_may_lock(work, end - start - known))
		return -ENOMEM;
	err = set_locked(work, start, end, true);
	if (err < 0 || !populate)
		return err;
	mm_populate(work, start, end);
	/* The lock stays, but what nobody may touch cannot be faulted in
	 * (__mlock_posix_error_return()). */
	for (size_t i = mm_index(work->mm, start);
		i < work->mm->vma_count && work->mm->vmas[i]->start < end; i++)
		if (!work->mm->vmas[i]->prot)
			return -ENOMEM;
	return 0;
}

int do_mlock(struct task *task, uint64_t addr, uint64_t size, bool lock, bool populate)
{
	struct mm_work work = mm_work_of(task);
	uint64_t start = align_down(addr, LX_PAGE_SIZE), end;
	int err;

	if (lock && !mm_can_lock(task))
		return -EPERM;
	/* PAGE_ALIGN(len + offset_in_page(start)), which wraps */
	size = align_down(size + (addr - start) + LX_PAGE_SIZE - 1, LX_PAGE_SIZE);
	if (!add_checked(start, size, &end))
		return lock && !mm_may_lock(&work, size) ? -ENOMEM : -EINVAL;
	if (end == start)
		return 0;
	fiber_mutex_lock(&work.mm->mutex);
	err = lock ? lock_locked(&work, start, end, populate)
		   : set_locked(&work, start, end, false);
	fiber_mutex_unlock(&work.mm->mutex);
	return err;
}

static void set_all_locked(const struct mm_work *work, bool lock)
{
	struct mm *mm = work->mm;

	for (size_t i = 0; i < mm->vma_count; i++)
		mm->vmas[i]->locked = lock;
	mm->locked_pages = lock ? mm->total_pages : 0;
	mm_merge(mm, 0, mm->guest_end);
}

int do_mlockall(struct task *task, int flags)
{
	struct mm_work work = mm_work_of(task);
	struct mm *mm = work.mm;
	uint64_t limit = task_rlimit(task, LX_RLIMIT_MEMLOCK) / LX_PAGE_SIZE;
	int err = 0;

	if (flags == 0 || flags & ~(LX_MCL_CURRENT | LX_MCL_FUTURE | LX_MCL_ONFAULT) ||
		flags == LX_MCL_ONFAULT)
		return -EINVAL;
	if (!mm_can_lock(task))
		return -EPERM;
	fiber_mutex_lock(&mm->mutex);
	if ((flags & LX_MCL_CURRENT) && mm->total_pages > limit &&
		!cred_capable(task->cred, LX_CAP_IPC_LOCK)) {
		err = -ENOMEM;
	} else {
		mm->lock_future = (flags & LX_MCL_FUTURE) != 0;
		mm->changes++;
		if (flags & LX_MCL_CURRENT)
			set_all_locked(&work, true);
		for (size_t i = 0;
			(flags & LX_MCL_CURRENT) && !(flags & LX_MCL_ONFAULT) && i < mm->vma_count;
			i++)
			mm_populate(&work, mm->vmas[i]->start, mm->vmas[i]->end);
	}
	fiber_mutex_unlock(&mm->mutex);
	return err;
}

int do_munlockall(struct task *task)
{
	struct mm_work work = mm_work_of(task);

	fiber_mutex_lock(&work.mm->mutex);
	work.mm->lock_future = false;
	work.mm->changes++;
	set_all_locked(&work, false);
	fiber_mutex_unlock(&work.mm->mutex);
	return 0;
}
