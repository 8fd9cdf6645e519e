/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host calls of memory changes that are left to the thread's way back to the guest.
 *
 * A change of memory costs two exchanges with the stub: the call, and the host call that we ask of
 * it in return. When the change is its call's last act, the host call can travel with the call's
 * result instead (platform_thread.may_delay). The list then says what will be once the thread is
 * back in the guest, and nobody can tell the difference: the address space has no other task, and
 * whatever is asked of the thread in between does the host call first. The host refuses what we
 * have checked only when it is out of memory; then the list is put right (PLATFORM_REFUSED).
 */
#include <errno.h>

#include "sentry/mm_private.h"
#include "sentry/task.h"

struct mm_work mm_work_last(struct task *task)
{
	struct mm_work work = mm_work_of(task);

	work.may_delay = true;
	return work;
}

/*
 * Only for an address space with one task: with a second one, a range that was freed here could be
 * mapped anew by that one before the first has unmapped it.
 */
void mm_delay_begin(const struct mm_work *work, const struct mm_late *late)
{
	if (!work->may_delay || !refcount_is_one(&work->mm->refs))
		return;
	work->mm->late = *late;
	work->thread->may_delay = true;
}

void mm_delay_end(const struct mm_work *work)
{
	work->thread->may_delay = false;
}

/*
 * A mapping that the host refused is a hole, whatever was there before: as where mmap(MAP_FIXED)
 * fails halfway. A range that the host could not unmap stays there, unlisted, until something else
 * is mapped over it.
 */
int64_t mm_late_refused(struct task *task, int err)
{
	struct mm_work work = mm_work_of(task);
	struct mm *mm = task->mm;
	struct mm_late *late = &mm->late;

	fiber_mutex_lock(&mm->mutex);
	if (late->kind == MM_LATE_MAP)
		(void)mm_unmap_locked(&work, late->start, late->end);
	else if (late->kind == MM_LATE_PROTECT && mm_split_range(mm, late->start, late->end) == 0)
		mm_set_prot(mm, late->start, late->end, late->old_prot);
	if (late->brk) {
		mm->brk = late->old_brk;
		task_publish_brk(task);
	}
	late->kind = MM_LATE_NONE;
	fiber_mutex_unlock(&mm->mutex);
	return late->brk ? (int64_t)mm->brk : err;
}

void mm_settle(struct task *task)
{
	int err;

	if (!task->mm || task->mm->late.kind == MM_LATE_NONE || !platform->settle)
		return;
	err = platform->settle(task->thread);
	if (err < 0 && err != -ESRCH)
		task->thread->regs.rax = (uint64_t)mm_late_refused(task, err);
	task->mm->late.kind = MM_LATE_NONE;
}
