/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_MM_PRIVATE_H
#define SENTRY_SENTRY_MM_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/gaddr.h"
#include "abi/limits.h"
#include "sentry/mm.h"

/* Between sentry/mm*.c and sentry/exec*.c only. */

/* Pages kept free below a growing stack (stack_guard_gap, mm/mmap.c of Linux: 256 pages). */
#define MM_STACK_GUARD_SIZE (256 * LX_PAGE_SIZE)
/* Anonymous mappings of whole huge pages start on one, as since Linux 6.7: the host can back them
 * with huge pages. */
#define MM_HUGE_SIZE (2ull << 20)

struct task;

/* Who works on which address space: the calling task's own, or, in execve, the one that is being
 * built. */
struct mm_work {
	struct mm *mm;
	struct platform_thread *thread; /* stopped, in mm's address space */
	struct task *task;		/* limits and credentials */
	/* The change is the call's last act: its host call may be left to the thread's way back. */
	bool may_delay;
};

/* ---- the list (sentry/mm_vma.c): no host calls, nothing sleeps
 * -------------------------------------------------------- */

size_t mm_index(const struct mm *mm,
	uint64_t addr); /* of the first VMA that ends above @addr; vma_count when none */
struct vma *mm_lookup(const struct mm *mm, uint64_t addr); /* the VMA that holds @addr, or NULL */
bool mm_overlaps(const struct mm *mm, uint64_t start, uint64_t end);
/* PR_SET_MDWE: a mapping with the rights @old may not get @prot (map_deny_write_exec()). */
bool mm_denies_exec(const struct mm *mm, int old, int prot);
bool mm_sealed(const struct mm *mm, uint64_t start, uint64_t end); /* any of it (mseal(2)) */

struct vma *vma_new(uint64_t start, uint64_t end, int prot, int max_prot); /* NULL: out of memory */
struct vma *vma_dup(const struct vma *vma); /* with its references; NULL: out of memory */
void vma_free(struct vma *vma);
static inline void cleanup_vma(struct vma **vma)
{
	if (*vma)
		vma_free(*vma);
}
/* Where the address space below @vma stops being usable: its start, or the guard gap's under a
 * growing one. */
uint64_t vma_start_gap(const struct vma *vma);
bool vma_is_data(
	const struct vma *vma); /* counts for RLIMIT_DATA: private, writable, not a growing stack */
bool vma_is_anonymous(const struct vma *vma); /* private memory without a file */

/*
 * A change is made in steps, so that nothing can fail once the host has acted: mm_reserve() and
 * mm_split() at both ends may fail with -ENOMEM and change nothing that a guest could see; then
 * comes the host call; mm_insert(), mm_remove_range() and changes to whole VMAs cannot fail;
 * mm_merge() joins what is alike again, whatever happened.
 */
int mm_reserve(struct mm *mm,
	size_t extra); /* room for @extra more entries; -ENOMEM above max_map_count too */
int mm_split(struct mm *mm, uint64_t addr); /* so that no VMA contains @addr but at its start */
int mm_split_range(struct mm *mm, uint64_t start, uint64_t end);
void mm_insert(struct mm *mm, struct vma *vma); /* takes it; room is reserved and the range free */
void mm_remove_range(struct mm *mm, uint64_t start, uint64_t end); /* whole VMAs only */
void mm_merge(struct mm *mm, uint64_t start, uint64_t end); /* around and within [start, end] */
/* New rights for what the range holds, whole VMAs, and merges. */
void mm_set_prot(struct mm *mm, uint64_t start, uint64_t end, int prot);
void mm_account(struct mm *mm, const struct vma *vma,
	int sign); /* call around changes to a VMA's range, prot or flags */

/* Address selection: the highest (lowest) free range of @size in [low, high), start aligned. 0:
 * none. */
uint64_t mm_gap_top_down(
	const struct mm *mm, uint64_t size, uint64_t low, uint64_t high, uint64_t alignment);
uint64_t mm_gap_bottom_up(
	const struct mm *mm, uint64_t size, uint64_t low, uint64_t high, uint64_t alignment);
/* get_unmapped_area(): by hint, then top-down, then bottom-up. -ENOMEM. */
int64_t mm_pick(const struct mm *mm, uint64_t hint, uint64_t size, int flags, uint64_t alignment);

/* ---- shared by the workers
 * -------------------------------------------------------------------------------------------- */

/* RLIMIT_AS and RLIMIT_DATA: may @size more bytes be mapped (may_expand_vm())? */
bool mm_may_expand(const struct mm_work *work, uint64_t size);
bool mm_may_add_data(const struct mm_work *work, uint64_t size);
/* RLIMIT_MEMLOCK: may @size more bytes be locked? */
bool mm_may_lock(const struct mm_work *work, uint64_t size);
bool mm_can_lock(const struct task *task); /* mlock(2): the right to lock at all */

/* Maps @vma's range on the host with its file, and puts it into the list. Takes @vma on success.
 * May sleep. */
int mm_map_vma(const struct mm_work *work, struct vma *vma);
/* mprotect of a range without holes: -EACCES when a mapping may not have these rights. May sleep.
 */
int mm_protect_range(const struct mm_work *work, uint64_t start, uint64_t end, int prot);
int mm_unmap_locked(const struct mm_work *work, uint64_t start, uint64_t end);
int64_t mm_map_locked(const struct mm_work *work, uint64_t addr, uint64_t size, int prot, int flags,
	struct file *file, uint64_t offset);
/* Touches the pages of a range ahead of time; errors do not matter to callers. */
void mm_populate(const struct mm_work *work, uint64_t start, uint64_t end);
/* Asks @file for the host descriptor behind a range and maps it. @vma describes range, prot,
 * sharing, file and offset. */
int mm_host_map(const struct mm_work *work, struct vma *vma, int *ret_max_prot);

struct mm_work mm_work_of(struct task *task);
/* The same for a change that is its call's last act: with may_delay. */
struct mm_work mm_work_last(struct task *task);
/*
 * Around the host call of a change: with @work->may_delay it may only be promised
 * (platform_thread.may_delay), and @late says how to undo it.
 */
void mm_delay_begin(const struct mm_work *work, const struct mm_late *late);
void mm_delay_end(const struct mm_work *work);

#endif
