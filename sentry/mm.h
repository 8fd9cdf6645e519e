/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_MM_H
#define SENTRY_SENTRY_MM_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/gaddr.h"
#include "base/list.h"
#include "base/refcount.h"
#include "base/wait.h"
#include "vfs/vfs.h"

/*
 * A guest address space as the kernel knows it: a sorted list of VMAs for address selection, limits
 * and /proc/PID/maps. The pages are the host kernel's (design: guest memory). The list is a claim
 * that a hostile guest can make false for itself. Changes hold mm->mutex: one mapping operation at
 * a time in an address space.
 */
struct vma {
	uint64_t start, end; /* page aligned, [start, end) */
	int prot;	     /* LX_PROT_* */
	int max_prot;
	bool shared, grows_down, stack, heap, locked, no_reserve, dont_fork, wipe_on_fork,
		dont_dump;
	bool sealed;		 /* mseal(2): neither place nor rights change any more */
	bool write_later;	 /* made with a host descriptor that cannot be written (file_map) */
	bool ours;		 /* made by the kernel for itself: it counts for no limit */
	struct file *file;	 /* owned; NULL anonymous */
	uint64_t offset;	 /* of start in file */
	const char *label;	 /* "[stack]" "[heap]" "[vdso]" "[vvar]", or NULL */
	char *anon_name;	 /* PR_SET_VMA_ANON_NAME; owned or NULL */
	struct shm_segment *shm; /* shmat(2): counts as attached while the VMA exists; or NULL */
};

/* The host call that was left to the thread's way back to the guest, as far as undoing needs it. */
struct mm_late {
	enum { MM_LATE_NONE, MM_LATE_MAP, MM_LATE_UNMAP, MM_LATE_PROTECT } kind;
	uint64_t start, end;
	int old_prot;
	bool brk; /* the call was brk: the break goes back to old_brk */
	uint64_t old_brk;
};

struct mm {
	struct refcount refs; /* tasks */
	uint64_t id;	      /* never reused */
	struct fiber_mutex mutex;
	struct vma **vmas; /* sorted by start */
	size_t vma_count, vma_capacity;
	uint64_t changes;      /* counts those of the list */
	uint64_t code_changes; /* how often mappings with a file or of code came, went, moved */
	uint64_t guest_end;    /* nothing at or above */
	uint64_t mmap_base;    /* top-down search starts here */
	uint64_t start_brk, brk;
	uint64_t start_code, end_code, start_data, end_data, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end;
	uint64_t total_pages, data_pages, stack_pages, locked_pages;
	uint64_t vdso;
	struct file *exe;  /* owned */
	uint64_t auxv[64]; /* as written to the stack: /proc/PID/auxv */
	size_t auxv_count;
	char *cmdline; /* argv and envp as given to execve, for /proc of others */
	size_t cmdline_size;
	char *environ;
	size_t environ_size;
	bool dumpable;
	uint8_t mdwe;		 /* LX_PR_MDWE_* */
	uint8_t thp_disable;	 /* as PR_GET_THP_DISABLE tells it */
	struct user_ns *user_ns; /* owned: in which the program was started */
	bool lock_future;	 /* mlockall(MCL_FUTURE) */
	struct mm_late late;
	bool seals; /* mseal(2) was called */
	uint32_t membarrier;
	bool traced;		     /* by somebody: no call site is patched */
	bool unpatched;		     /* none is, since it is traced */
	struct aio_context *aio;     /* owned: sentry/aio.c */
	struct fiber_mutex pi_mutex; /* sentry/futex_pi.c */
};

struct task;

struct mm *mm_ref(struct mm *mm);
void mm_unref(
	struct mm *mm); /* frees the list; the host memory goes with the platform's address space */
int mm_new(uint64_t guest_end, struct mm **ret);
/*
 * fork: a copy of the list without the VMAs marked MADV_DONTFORK. The caller holds from->mutex from
 * before the platform's thread_clone() until this returns, so that list and memory agree. Then
 * mm_after_fork() makes the child's memory match: it unmaps the MADV_DONTFORK ranges and refills
 * the MADV_WIPEONFORK ones, through the stopped @child. May sleep.
 */
int mm_copy(struct mm *from, struct mm **ret);
/* What fork and execve keep of the rules for a whole address space (mmf_init_flags()). */
void mm_inherit_rules(struct mm *mm, const struct mm *from);
int mm_after_fork(struct mm *from, struct platform_thread *child);

/* do_*: checked host-typed workers of the mmap family; may sleep; the calling task's own address
 * space. */
int64_t do_mmap(struct task *task, uint64_t addr, uint64_t size, int prot, int flags,
	struct file *file, uint64_t offset);
int do_munmap(struct task *task, uint64_t addr, uint64_t size);
int do_mprotect(struct task *task, uint64_t addr, uint64_t size, int prot);
int64_t do_mremap(struct task *task, uint64_t addr, uint64_t old_size, uint64_t new_size, int flags,
	uint64_t new_addr);
uint64_t do_brk(struct task *task,
	uint64_t addr); /* the new break, or the old one when it cannot move (brk(2)) */
/* In what range the caller may move its break itself, now. Does not sleep. */
void mm_brk_room(struct task *task, uint64_t *ret_low, uint64_t *ret_high);
struct platform_inguest;
/* Where the caller may make mappings itself: hole_low to map_size_min. Does not sleep. */
void mm_map_room(struct task *task, struct platform_inguest *inguest);
/*
 * The caller has mapped, unmapped or protected this itself. What cannot be is left out. @file: of
 * those that everybody may map, or NULL.
 */
void mm_told_map(struct task *task, uint64_t addr, uint64_t size, int prot, int flags,
	struct file *file, uint64_t offset);
void mm_told_unmap(struct task *task, uint64_t addr, uint64_t size);
void mm_told_protect(struct task *task, uint64_t addr, uint64_t size, int prot);
/* It has moved it there; the memory is mapped or unmapped already. What cannot be is left out. */
void mm_brk_moved(struct task *task, uint64_t addr);
int do_madvise(struct task *task, uint64_t addr, uint64_t size, int advice);
int do_mseal(struct task *task, uint64_t addr, uint64_t size);
int do_remap_file_pages(
	struct task *task, uint64_t addr, uint64_t size, uint64_t page_offset, int flags);
/* PR_SET_VMA_ANON_NAME: @name is borrowed, NULL removes. -EINVAL unaligned, -ENOMEM a hole, -EBADF
 * a file mapping. */
int mm_set_anon_name(struct task *task, uint64_t addr, uint64_t size, const char *name);
/* The mapping that holds @addr, or the next one above; NULL. Borrowed until the next change. */
struct vma *mm_find(struct mm *mm, uint64_t addr);
/* True when [addr, addr + size) is mapped without a hole. */
bool mm_range_mapped(struct mm *mm, uint64_t addr, uint64_t size);
/* A fault below a grows-down VMA: extends it (RLIMIT_STACK, guard gap). True when the access may be
 * retried. May sleep. */
bool mm_grow_stack(struct task *task, uint64_t addr);
/* The host refused, with @err, what was left to the task's way back to the guest: makes the list
 * say what is. Returns the call's result. May sleep. */
int64_t mm_late_refused(struct task *task, int err);
/* Before the registers of a call's end are used for anything but run(): does what was left to the
 * way back, so that the result in them is true. May sleep. */
void mm_settle(struct task *task);

#endif
