/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call sites that stop trapping: the kernel's part.
 *
 * A platform says that a site is hot and knows how to patch it. Here is decided where that may be
 * done: in code that comes from a file, that nobody shares and nobody can write. Memory that a
 * program writes and runs (a JIT) is left alone: it may be rewritten at any moment, and code that
 * checks itself lies there. Trampolines need a place within 2 GiB of the code; it is a mapping of
 * ours in the guest's list, named, and not counted against its limits.
 *
 * Calls under --strace are patched like others: a patched call reaches us without a trap and looks
 * the same. (Answers that the stub gives by itself are another matter.)
 */
#include <errno.h>

#include "abi/mman.h"
#include "abi/stat.h"
#include "abi/syscall_nr.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm_patch.h"
#include "sentry/mm_private.h"
#include "sentry/task.h"

/* Areas lie at about this distance below the code, so that the neighbourhood, where libraries are
 * mapped and a heap grows, stays free. */
#define AREA_DISTANCE 0x40000000ull

/* These replace or end what the thread is: the way back is not the ordinary one. */
static bool never_patched(uint64_t nr)
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

static bool vma_is_fixed_code(const struct vma *vma)
{
	return vma->file && !vma->shared && !vma->label &&
	       vma->prot == (LX_PROT_READ | LX_PROT_EXEC);
}

/* A free range that every byte of @text can reach. 0: none. */
static uint64_t pick_area(const struct mm *mm, const struct vma *text)
{
	uint64_t size = PLATFORM_PATCH_AREA_SIZE, low, high, addr = 0;

	if (text->end - text->start > PLATFORM_PATCH_AREA_REACH / 2)
		return 0;
	low = text->end > PLATFORM_PATCH_AREA_REACH ? text->end - PLATFORM_PATCH_AREA_REACH : 0;
	low = max_of(low, LX_MMAP_MIN_ADDR);
	high = min_of(text->start + PLATFORM_PATCH_AREA_REACH, mm->guest_end);
	if (text->start > AREA_DISTANCE)
		addr = mm_gap_top_down(mm, size, low, text->start - AREA_DISTANCE, size);
	if (!addr)
		addr = mm_gap_top_down(mm, size, low, text->start, size);
	/* An executable's heap begins behind it: from the far end. */
	return addr ? addr : mm_gap_top_down(mm, size, text->end, high, size);
}

static struct vma *area_vma(uint64_t addr, uint64_t size)
{
	struct vma *vma = vma_new(addr, addr + size, LX_PROT_READ | LX_PROT_EXEC,
		LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC);

	if (!vma)
		return NULL;
	vma->label = "[trampolines]";
	vma->ours = true;
	vma->dont_dump = true;
	return vma;
}

static int make_area(const struct mm_work *work, const struct vma *text, uint64_t *ret_addr)
{
	_cleanup_(cleanup_vma) struct vma *vma = NULL;
	uint64_t addr = pick_area(work->mm, text);
	int err;

	if (!addr)
		return -ENOMEM;
	vma = area_vma(addr, PLATFORM_PATCH_AREA_SIZE);
	if (!vma)
		return -ENOMEM;
	err = mm_map_vma(work, vma);
	if (err < 0)
		return err;
	(void)TAKE(vma);
	*ret_addr = addr;
	return 0;
}

static bool vma_is_lasting_code(const struct vma *vma)
{
	return vma_is_fixed_code(vma) && vma->file->ops->map && vfs_file_is_common(vma->file);
}

static bool prepare_text(
	const struct mm_work *work, const struct vma *text, uint64_t area, bool library)
{
	struct file_map map = {
		.offset = text->offset,
		.size = text->end - text->start,
		.prot = text->prot,
		.host_fd = -1,
	};

	if (text->file->ops->map(text->file, &map) < 0 || map.host_fd < 0 ||
		(library && !map.content))
		return false;
	return platform->prepare_text(work->thread, &(struct platform_text){
							    .addr = GADDR(text->start),
							    .size = text->end - text->start,
							    .fd = map.host_fd,
							    .offset = map.host_offset,
							    .area = GADDR(area),
							    .content = library ? map.content : 0,
						    });
}

static int prepare(const struct mm_work *work, uint64_t start, bool library)
{
	const struct vma *text = mm_lookup(work->mm, start);
	uint64_t area = start - PLATFORM_TEXT_DISTANCE;
	struct vma *vma;
	int err;

	if (!platform->prepare_text || !text || text->start != start ||
		start < PLATFORM_TEXT_DISTANCE + LX_MMAP_MIN_ADDR || !vma_is_lasting_code(text) ||
		mm_overlaps(work->mm, area, area + PLATFORM_TEXT_AREA_SIZE))
		return 0;
	err = mm_reserve(work->mm, 1);
	if (err < 0)
		return err;
	vma = area_vma(area, PLATFORM_TEXT_AREA_SIZE);
	if (!vma)
		return -ENOMEM;
	if (prepare_text(work, text, area, library))
		mm_insert(work->mm, vma);
	else
		vma_free(vma);
	return 0;
}

int mm_prepare_text(const struct mm_work *work, uint64_t start)
{
	return prepare(work, start, false);
}

void mm_prepare_library(const struct mm_work *work, uint64_t start)
{
	if (!work->mm->traced)
		(void)prepare(work, start, true);
}

static void patch_locked(const struct mm_work *work, uint64_t next)
{
	struct vma *vma = mm_lookup(work->mm, next - 2);
	struct platform_patch patch;
	uint64_t area;
	int err;

	if (!vma || vma->end < next || !vma_is_fixed_code(vma))
		return;
	patch = (struct platform_patch){
		.text = GADDR(vma->start),
		.text_size = vma->end - vma->start,
	};
	err = platform->patch(work->thread, &patch);
	if (err != -ENOSPC || make_area(work, vma, &area) < 0)
		return;
	patch.area = GADDR(area);
	patch.area_size = PLATFORM_PATCH_AREA_SIZE;
	/* A site that is refused traps on, which is right, if slow. */
	if (platform->patch(work->thread, &patch) < 0)
		(void)mm_unmap_locked(work, area, area + PLATFORM_PATCH_AREA_SIZE);
}

void mm_patch_site(struct task *task)
{
	struct mm_work work = mm_work_of(task);

	if (!platform->patch || !work.mm || never_patched(task->event.syscall.nr))
		return;
	fiber_mutex_lock(&work.mm->mutex);
	if (!work.mm->traced) {
		work.mm->unpatched = false;
		patch_locked(&work, platform_regs(task->thread)->rip);
	}
	fiber_mutex_unlock(&work.mm->mutex);
}

void mm_unpatch(struct task *task)
{
	struct mm *mm = task->mm;

	if (!platform->unpatch || !mm || mm->unpatched)
		return;
	fiber_mutex_lock(&mm->mutex);
	if (platform->unpatch(task->thread) == 0)
		mm->unpatched = true;
	fiber_mutex_unlock(&mm->mutex);
}
