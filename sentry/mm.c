/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address spaces: life, mmap, munmap, mprotect and growing stacks.
 *
 * Memory is the host's: each change is checked here against our list, made by the guest's stub
 * through the platform, and then recorded. All of it happens under mm->mutex, so one change is
 * under way at a time and the list is stable across the host call although that sleeps. The order
 * "split, host call, record" (mm_private.h) leaves nothing half done when memory runs out or the
 * host refuses.
 *
 * Error precedence follows do_mmap(), do_mprotect_pkey() and their callers in Linux 6.x (mm/mmap.c,
 * mm/mprotect.c), since programs and the man pages mmap(2), mprotect(2) depend on it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/mman.h"
#include "abi/stat.h"
#include "abi/prctl.h"
#include "abi/fcntl.h"
#include "abi/resource.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/random.h"
#include "sentry/aio.h"
#include "sentry/mm_patch.h"
#include "sentry/mm_private.h"
#include "sentry/shared_names.h"
#include "sentry/task.h"

#define PROT_ALL (LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC)

/* Flags that MAP_SHARED_VALIDATE accepts (LEGACY_MAP_MASK, include/linux/mman.h); it refuses what
 * it does not know. */
#define MAP_LEGACY_MASK                                                                            \
	(LX_MAP_SHARED | LX_MAP_PRIVATE | LX_MAP_FIXED | LX_MAP_ANONYMOUS | LX_MAP_DENYWRITE |     \
		LX_MAP_EXECUTABLE | LX_MAP_UNINITIALIZED | LX_MAP_GROWSDOWN | LX_MAP_LOCKED |      \
		LX_MAP_NORESERVE | LX_MAP_POPULATE | LX_MAP_NONBLOCK | LX_MAP_STACK |              \
		LX_MAP_HUGETLB | LX_MAP_32BIT |                                                    \
		(int)((unsigned)LX_MAP_HUGE_MASK << LX_MAP_HUGE_SHIFT))

/* ---- life ------------------------------------------------------------------------------------ */

/* mmap_base() of arch/x86/mm/mmap.c: a gap for the stack, then 28 bits of pages at random. */
static uint64_t choose_mmap_base(uint64_t guest_end)
{
	uint64_t gap = (128ull << 20) +
		       (16ull << 30); /* the smallest gap, and the stack's own randomisation */

	return guest_end - gap - (random_u64() & ((1ull << 28) - 1)) * LX_PAGE_SIZE;
}

static uint64_t last_id;

int mm_new(uint64_t guest_end, struct mm **ret)
{
	struct mm *mm = calloc(1, sizeof(*mm));

	if (!mm)
		return -ENOMEM;
	mm->refs = REFCOUNT_ONE;
	mm->id = ++last_id;
	fiber_mutex_init(&mm->mutex);
	fiber_mutex_init(&mm->pi_mutex);
	mm->guest_end = guest_end;
	mm->mmap_base = choose_mmap_base(guest_end);
	mm->dumpable = true;
	mm->user_ns = user_ns_ref(&user_ns_first);
	*ret = mm;
	return 0;
}

struct mm *mm_ref(struct mm *mm)
{
	refcount_get(&mm->refs);
	return mm;
}

void mm_unref(struct mm *mm)
{
	if (!refcount_put(&mm->refs))
		return;
	for (size_t i = 0; i < mm->vma_count; i++)
		vma_free(mm->vmas[i]);
	free(mm->vmas);
	aio_release(mm->aio);
	user_ns_unref(mm->user_ns);
	if (mm->exe)
		file_unref(mm->exe);
	free(mm->cmdline);
	free(mm->environ);
	free(mm);
}

static char *copy_bytes(const char *bytes, size_t size)
{
	char *copy = malloc(size ? size : 1);

	if (copy && size)
		memcpy(copy, bytes, size);
	return copy;
}

DEFINE_CLEANUP(mm_unref, struct mm *)

static int mm_copy_list(struct mm *from, struct mm *mm)
{
	int err = mm_reserve(mm, from->vma_count);

	if (err < 0)
		return err;
	for (size_t i = 0; i < from->vma_count; i++) {
		struct vma *vma;

		if (from->vmas[i]->dont_fork)
			continue;
		vma = vma_dup(from->vmas[i]);
		if (!vma)
			return -ENOMEM;
		vma->locked = false; /* fork(2): locks are not inherited */
		mm->vmas[mm->vma_count++] = vma;
		mm_account(mm, vma, 1);
	}
	return 0;
}

int mm_copy(struct mm *from, struct mm **ret)
{
	_cleanup_(cleanup_mm_unref) struct mm *mm = malloc(sizeof(*mm));
	int err;

	if (!mm)
		return -ENOMEM;
	*mm = *from;
	mm->refs = REFCOUNT_ONE;
	mm->id = ++last_id;
	mm->traced = false;
	mm_inherit_rules(mm, from);
	fiber_mutex_init(&mm->mutex);
	fiber_mutex_init(&mm->pi_mutex);
	mm->vmas = NULL;
	mm->vma_count = mm->vma_capacity = 0;
	mm->total_pages = mm->data_pages = mm->stack_pages = mm->locked_pages = 0;
	mm->lock_future = false;
	mm->aio = NULL;
	(void)user_ns_ref(mm->user_ns);
	if (mm->exe)
		file_ref(mm->exe);
	mm->cmdline = copy_bytes(from->cmdline, from->cmdline_size);
	mm->environ = copy_bytes(from->environ, from->environ_size);
	if (!mm->cmdline || !mm->environ)
		return -ENOMEM;
	err = mm_copy_list(from, mm);
	if (err < 0)
		return err;
	*ret = TAKE(mm);
	return 0;
}

int mm_after_fork(struct mm *from, struct platform_thread *child)
{
	for (size_t i = 0; i < from->vma_count; i++) {
		const struct vma *vma = from->vmas[i];
		int err = 0;

		if (vma->dont_fork) {
			err = platform->unmap(child, GADDR(vma->start), vma->end - vma->start);
		} else if (vma->wipe_on_fork) {
			struct platform_map map = {.addr = GADDR(vma->start),
				.size = vma->end - vma->start,
				.prot = vma->prot,
				.fd = -1,
				.noreserve = vma->no_reserve};

			err = platform->map(child, &map);
		}
		if (err < 0)
			return err;
	}
	return 0;
}

struct mm_work mm_work_of(struct task *task)
{
	return (struct mm_work){.mm = task->mm, .thread = task->thread, .task = task};
}

/* ---- limits ---------------------------------------------------------------------------------- */

bool mm_may_expand(const struct mm_work *work, uint64_t size)
{
	return work->mm->total_pages + size / LX_PAGE_SIZE <=
	       task_rlimit(work->task, LX_RLIMIT_AS) / LX_PAGE_SIZE;
}

bool mm_may_add_data(const struct mm_work *work, uint64_t size)
{
	return work->mm->data_pages + size / LX_PAGE_SIZE <=
	       task_rlimit(work->task, LX_RLIMIT_DATA) / LX_PAGE_SIZE;
}

bool mm_can_lock(const struct task *task)
{
	return task_rlimit(task, LX_RLIMIT_MEMLOCK) != 0 ||
	       cred_capable(task->cred, LX_CAP_IPC_LOCK);
}

bool mm_may_lock(const struct mm_work *work, uint64_t size)
{
	uint64_t limit = task_rlimit(work->task, LX_RLIMIT_MEMLOCK) / LX_PAGE_SIZE;

	return work->mm->locked_pages + size / LX_PAGE_SIZE <= limit ||
	       cred_capable(work->task->cred, LX_CAP_IPC_LOCK);
}

/* ---- mmap ------------------------------------------------------------------------------------ */

int mm_host_map(const struct mm_work *work, struct vma *vma, int *ret_max_prot)
{
	struct platform_map map = {
		.addr = GADDR(vma->start),
		.size = vma->end - vma->start,
		.prot = vma->prot,
		.shared = vma->shared,
		.fd = -1,
		.noreserve = vma->no_reserve,
	};
	int err;

	*ret_max_prot = PROT_ALL;
	if (vma->file) {
		struct file_map file_map = {
			.offset = vma->offset,
			.size = map.size,
			.prot = vma->prot,
			.shared = vma->shared,
			.host_fd = -1,
			.max_prot = PROT_ALL,
		};

		if (!vma->file->ops->map)
			return -ENODEV;
		err = vma->file->ops->map(vma->file, &file_map);
		if (err < 0)
			return err;
		map.fd = file_map.host_fd;
		map.offset = file_map.host_offset;
		/* A descriptor that stays may outlive the mapping and the process's privileges. */
		if (vma->file->inode && (vma->file->inode->mode & 0444) == 0444)
			map.content = file_map.content;
		map.common = vfs_file_is_common(vma->file);
		/* A private mapping's pages are its own: the file's rights bound the right to write
		 * for shared ones only. */
		if (vma->shared)
			*ret_max_prot = file_map.max_prot;
		vma->write_later = file_map.write_later;
	}
	mm_delay_begin(
		work, &(struct mm_late){.kind = MM_LATE_MAP, .start = vma->start, .end = vma->end});
	err = platform->map(work->thread, &map);
	mm_delay_end(work);
	if (err == 0 && map.common && !work->thread->done_already)
		shared_file_mapped(map.content);
	return err;
}

int mm_map_vma(const struct mm_work *work, struct vma *vma)
{
	struct mm *mm = work->mm;
	uint64_t start = vma->start, end = vma->end;
	int max_prot, err;

	/* Two splits and the new one. */
	err = mm_reserve(mm, 3);
	if (err < 0)
		return err;
	err = mm_split_range(mm, start, end);
	if (err < 0)
		return err;
	err = mm_host_map(work, vma, &max_prot);
	if (err < 0) {
		mm_merge(mm, start, end);
		return err;
	}
	vma->max_prot &= max_prot;
	mm_remove_range(mm, start, end);
	mm_insert(mm, vma);
	mm_merge(mm, start, end);
	return 0;
}

void mm_populate(const struct mm_work *work, uint64_t start, uint64_t end)
{
	struct mm *mm = work->mm;

	while (start < end) {
		struct vma *vma = mm_lookup(mm, start);
		uint64_t stop;
		bool write;

		if (!vma)
			return;
		stop = min_of(end, vma->end);
		write = (vma->prot & LX_PROT_WRITE) && !vma->shared;
		if (vma->prot & (LX_PROT_READ | LX_PROT_WRITE))
			(void)platform->advise(work->thread, GADDR(start), stop - start,
				write ? LX_MADV_POPULATE_WRITE : LX_MADV_POPULATE_READ);
		start = stop;
	}
}

/* The rights of a file mapping: do_mmap()'s switch for files. Fills vma->max_prot and sharing. */
static int check_file_map(struct file *file, int prot, int flags, struct vma *vma)
{
	vma->max_prot = PROT_ALL;
	switch (flags & LX_MAP_TYPE) {
	case LX_MAP_SHARED_VALIDATE:
		if (flags & ~MAP_LEGACY_MASK & ~LX_MAP_FIXED_NOREPLACE)
			return -EOPNOTSUPP;
		__attribute__((fallthrough));
	case LX_MAP_SHARED:
		if ((prot & LX_PROT_WRITE) && !file->writable)
			return -EACCES;
		if (file->writable && (file->flags & LX_O_APPEND) && (prot & LX_PROT_WRITE) &&
			!file->readable)
			return -EACCES;
		if (!file->writable)
			vma->max_prot &= ~LX_PROT_WRITE;
		vma->shared = true;
		break;
	case LX_MAP_PRIVATE:
		break;
	default:
		return -EINVAL;
	}
	if (!file->readable)
		return -EACCES;
	/* What has no name and cannot be mapped either lives on a mount without execution. */
	if ((LX_S_ISSOCK(file->inode->mode) || (!file->path.mount && !file->ops->map)) &&
		(prot & LX_PROT_EXEC))
		return -EPERM;
	if (file->path.mount && file->path.mount->no_exec) {
		if (prot & LX_PROT_EXEC)
			return -EPERM;
		vma->max_prot &= ~LX_PROT_EXEC;
	}
	if (!file->ops->map)
		return -ENODEV;
	return flags & LX_MAP_GROWSDOWN ? -EINVAL : 0;
}

/* Shared anonymous memory is an unlinked memory file, shown as Linux shows its shmem file
 * (shmem_zero_setup()). */
static int shared_memory_file(struct task *task, uint64_t size, struct file **ret)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct iattr attr = {.valid = IATTR_SIZE, .size = size};
	struct super_block *sb;
	struct path path = {0};
	struct inode *inode;
	int err;

	err = tmpfs_internal(&sb);
	if (err == 0)
		err = tmpfs_new_file(sb, 0777, task->cred, &inode);
	if (err < 0)
		return err;
	err = inode->ops->setattr ? inode->ops->setattr(inode, &attr) : -EPERM;
	if (err == 0)
		err = dentry_new_anonymous(inode, "/dev/zero (deleted)", &path.dentry);
	if (err == 0) {
		err = file_new(&path, inode->file_ops, LX_O_RDWR, task->cred, &file);
		dentry_unref(path.dentry);
	}
	inode_unref(inode);
	if (err < 0)
		return err;
	*ret = TAKE(file);
	return 0;
}

/* file_mmap_size_max(): what has no size is no matter of positions. */
static uint64_t largest_mapping(const struct file *file)
{
	return LX_S_ISREG(file->inode->mode) || LX_S_ISSOCK(file->inode->mode) || file->ops->map
		       ? INT64_MAX
		       : UINT64_MAX;
}

static int check_anonymous_map(int flags, struct vma *vma)
{
	vma->max_prot = PROT_ALL;
	switch (flags & LX_MAP_TYPE) {
	case LX_MAP_SHARED:
		if (flags & LX_MAP_GROWSDOWN)
			return -EINVAL;
		vma->shared = true;
		return 0;
	case LX_MAP_PRIVATE:
		return 0;
	default:
		return -EINVAL;
	}
}

/* MAP_HUGETLB as a host answers whose pool is empty: sizes it knows are out of memory, others
 * invalid. */
static int check_huge(int flags, const struct file *file)
{
	int shift = (flags >> LX_MAP_HUGE_SHIFT) & LX_MAP_HUGE_MASK;

	if (!(flags & LX_MAP_HUGETLB))
		return 0;
	if (file)
		return -EINVAL;
	return shift == 0 || shift == 21 || shift == 30 ? -ENOMEM : -EINVAL;
}

/* Chooses or checks the address. Returns it or -errno. */
static int64_t place(
	const struct mm_work *work, uint64_t addr, uint64_t size, int flags, bool anonymous)
{
	const struct mm *mm = work->mm;
	uint64_t alignment = LX_PAGE_SIZE;

	if (!(flags & LX_MAP_FIXED)) {
		if (anonymous && size >= MM_HUGE_SIZE && size % MM_HUGE_SIZE == 0)
			alignment = MM_HUGE_SIZE;
		return mm_pick(mm, align_down(addr, LX_PAGE_SIZE), size, flags, alignment);
	}
	if (size > mm->guest_end || addr > mm->guest_end - size)
		return -ENOMEM;
	if (addr % LX_PAGE_SIZE)
		return -EINVAL;
	if (addr < LX_MMAP_MIN_ADDR && !cred_capable(work->task->cred, LX_CAP_SYS_RAWIO))
		return -EPERM;
	if ((flags & LX_MAP_FIXED_NOREPLACE) && mm_overlaps(mm, addr, addr + size))
		return -EEXIST;
	if (mm_sealed(mm, addr, addr + size))
		return -EPERM;
	return (int64_t)addr;
}

/* Pages of [start, end) that are mapped now and will go: they do not count twice against limits. */
static uint64_t mapped_size(const struct mm *mm, uint64_t start, uint64_t end, bool data_only)
{
	uint64_t size = 0;

	for (size_t i = mm_index(mm, start); i < mm->vma_count && mm->vmas[i]->start < end; i++) {
		const struct vma *vma = mm->vmas[i];

		if (!data_only || vma_is_data(vma))
			size += min_of(end, vma->end) - max_of(start, vma->start);
	}
	return size;
}

static int check_limits(const struct mm_work *work, const struct vma *vma)
{
	uint64_t size = vma->end - vma->start;
	uint64_t old = mapped_size(work->mm, vma->start, vma->end, false);
	uint64_t old_data = mapped_size(work->mm, vma->start, vma->end, true);

	if (!mm_may_expand(work, size - old))
		return -ENOMEM;
	if (vma_is_data(vma) && size > old_data && !mm_may_add_data(work, size - old_data))
		return -ENOMEM;
	return 0;
}

int64_t mm_map_locked(const struct mm_work *work, uint64_t addr, uint64_t size, int prot, int flags,
	struct file *file, uint64_t offset)
{
	_cleanup_(cleanup_vma) struct vma *vma = NULL;
	struct mm_work mapping = *work;
	struct mm *mm = work->mm;
	uint64_t end;
	int64_t picked;
	bool populate;
	int err;

	if (size == 0)
		return -EINVAL;
	if (flags & LX_MAP_FIXED_NOREPLACE)
		flags |= LX_MAP_FIXED;
	if (!align_up_checked(size, LX_PAGE_SIZE, &size) || size == 0)
		return -ENOMEM;
	if (mm->vma_count > SENTRY_MAX_VMAS)
		return -ENOMEM;
	picked = place(work, addr, size, flags, !file);
	if (picked < 0)
		return picked;
	addr = (uint64_t)picked;
	vma = vma_new(addr, addr + size, prot & PROT_ALL, 0);
	if (!vma)
		return -ENOMEM;
	vma->locked = (flags & LX_MAP_LOCKED) || mm->lock_future;
	if ((flags & LX_MAP_LOCKED) && !mm_can_lock(work->task))
		return -EPERM;
	if (vma->locked && !mm_may_lock(work, size))
		return -EAGAIN;
	if (file && (!add_checked(offset, size, &end) || end > largest_mapping(file)))
		return -EOVERFLOW;
	err = file ? check_file_map(file, prot, flags, vma) : check_anonymous_map(flags, vma);
	if (err < 0)
		return err;
	if (mm_denies_exec(mm, vma->prot, vma->prot))
		return -EACCES;
	vma->grows_down = (flags & LX_MAP_GROWSDOWN) != 0;
	vma->no_reserve = (flags & LX_MAP_NORESERVE) != 0;
	err = check_limits(work, vma);
	if (err < 0)
		return err;
	if (file) {
		vma->file = file_ref(file);
		vma->offset = offset;
	} else if (vma->shared) {
		err = shared_memory_file(work->task, size, &vma->file);
		if (err < 0)
			return err;
	}
	populate = vma->locked || (flags & (LX_MAP_POPULATE | LX_MAP_NONBLOCK)) == LX_MAP_POPULATE;
	mapping.may_delay = work->may_delay && !populate;
	err = mm_map_vma(&mapping, vma);
	if (err < 0)
		return err;
	(void)TAKE(vma); /* the list's now, perhaps merged away */
	if (populate)
		mm_populate(work, addr, addr + size);
	return (int64_t)addr;
}

int64_t do_mmap(struct task *task, uint64_t addr, uint64_t size, int prot, int flags,
	struct file *file, uint64_t offset)
{
	struct mm_work work = mm_work_last(task);
	int64_t ret;
	int err;

	err = check_huge(flags, file);
	if (err < 0)
		return err;
	if ((prot & LX_PROT_READ) && (task->personality & LX_READ_IMPLIES_EXEC) &&
		!(file && file->path.mount && file->path.mount->no_exec))
		prot |= LX_PROT_EXEC;
	fiber_mutex_lock(&work.mm->mutex);
	ret = mm_map_locked(&work, addr, size, prot, flags, file, offset);
	if (ret > 0 && file && prot == (LX_PROT_READ | LX_PROT_EXEC))
		mm_prepare_library(&work, (uint64_t)ret);
	fiber_mutex_unlock(&work.mm->mutex);
	return ret;
}

/* ---- munmap ---------------------------------------------------------------------------------- */

int mm_unmap_locked(const struct mm_work *work, uint64_t start, uint64_t end)
{
	struct mm *mm = work->mm;
	int err;

	if (!mm_overlaps(mm, start, end))
		return 0;
	if (mm_sealed(mm, start, end))
		return -EPERM;
	err = mm_split_range(mm, start, end);
	if (err < 0)
		return err;
	mm_delay_begin(work, &(struct mm_late){.kind = MM_LATE_UNMAP});
	err = platform->unmap(work->thread, GADDR(start), end - start);
	mm_delay_end(work);
	if (err < 0) {
		mm_merge(mm, start, end);
		return err;
	}
	mm_remove_range(mm, start, end);
	return 0;
}

int do_munmap(struct task *task, uint64_t addr, uint64_t size)
{
	struct mm_work work = mm_work_last(task);
	int err;

	if (addr % LX_PAGE_SIZE || addr > work.mm->guest_end || size > work.mm->guest_end - addr)
		return -EINVAL;
	if (!align_up_checked(size, LX_PAGE_SIZE, &size) || size == 0)
		return -EINVAL;
	fiber_mutex_lock(&work.mm->mutex);
	err = mm_unmap_locked(&work, addr, addr + size);
	fiber_mutex_unlock(&work.mm->mutex);
	return err;
}

/* ---- mprotect -------------------------------------------------------------------------------- */

/*
 * How far from @start the change is legal, and why it stops there: Linux changes VMA after VMA and
 * leaves what it did when it meets a hole or a mapping that may not have these rights.
 */
static int protect_extent(
	const struct mm_work *work, uint64_t start, uint64_t end, int prot, uint64_t *ret_stop)
{
	const struct mm *mm = work->mm;
	uint64_t at = start, new_data = 0;
	int err = 0;

	for (size_t i = mm_index(mm, start); at < end; i++) {
		const struct vma *vma;
		uint64_t size;

		if (i >= mm->vma_count || mm->vmas[i]->start > at) {
			err = -ENOMEM;
			break;
		}
		vma = mm->vmas[i];
		size = min_of(end, vma->end) - at;
		if (vma->sealed) {
			err = -EPERM;
			break;
		}
		if (prot & ~vma->max_prot || mm_denies_exec(mm, vma->prot, prot)) {
			err = -EACCES;
			break;
		}
		if ((prot & LX_PROT_WRITE) && !vma->shared && !vma->grows_down &&
			!vma_is_data(vma)) {
			new_data += size;
			if (!mm_may_add_data(work, new_data)) {
				err = -ENOMEM;
				break;
			}
		}
		at += size;
	}
	*ret_stop = at;
	return err;
}

/*
 * Whole mappings of files that were made without the host's right to write get it now: made anew,
 * with @prot, in the same place. What they show is the same before and after.
 */
static int allow_writing(const struct mm_work *work, uint64_t start, uint64_t end, int prot)
{
	struct mm *mm = work->mm;

	for (size_t i = mm_index(mm, start); i < mm->vma_count && mm->vmas[i]->start < end; i++) {
		struct vma *vma = mm->vmas[i];
		int err, max_prot, old_prot = vma->prot;
		struct mm_work now = *work;

		if (!vma->write_later)
			continue;
		now.may_delay = false;
		vma->prot = prot;
		err = mm_host_map(&now, vma, &max_prot);
		vma->prot = old_prot;
		if (err < 0)
			return err;
	}
	return 0;
}

static int protect_range(const struct mm_work *work, uint64_t start, uint64_t end, int prot)
{
	struct mm *mm = work->mm;
	int err = mm_split_range(mm, start, end);
	const struct vma *vma;

	if (err < 0)
		return err;
	if (prot & LX_PROT_WRITE)
		err = allow_writing(work, start, end, prot);
	if (err < 0) {
		mm_merge(mm, start, end);
		return err;
	}
	vma = mm_lookup(mm, start);
	/* Undone is a change of one mapping. */
	if (vma && vma->end == end)
		mm_delay_begin(work, &(struct mm_late){.kind = MM_LATE_PROTECT,
					     .start = start,
					     .end = end,
					     .old_prot = vma->prot});
	err = platform->protect(work->thread, GADDR(start), end - start, prot);
	mm_delay_end(work);
	if (err == 0)
		mm_set_prot(mm, start, end, prot);
	else
		mm_merge(mm, start, end);
	return err;
}

int mm_protect_range(const struct mm_work *work, uint64_t start, uint64_t end, int prot)
{
	uint64_t stop;
	int err = protect_extent(work, start, end, prot, &stop);

	return err < 0 ? err : protect_range(work, start, end, prot);
}

static int protect_locked(
	const struct mm_work *work, uint64_t start, uint64_t end, int prot, int grows)
{
	struct vma *vma = mm_find(work->mm, start);
	uint64_t stop;
	int err, done = 0;

	if (!vma)
		return -ENOMEM;
	if (grows & LX_PROT_GROWSDOWN) {
		if (vma->start >= end)
			return -ENOMEM;
		if (!vma->grows_down)
			return -EINVAL;
		start = vma->start;
	} else if (vma->start > start) {
		return -ENOMEM;
	} else if (grows & LX_PROT_GROWSUP) {
		return -EINVAL; /* no mapping grows upward on x86 */
	}
	if ((prot & LX_PROT_READ) && (work->task->personality & LX_READ_IMPLIES_EXEC) &&
		(vma->max_prot & LX_PROT_EXEC))
		prot |= LX_PROT_EXEC;
	err = protect_extent(work, start, end, prot, &stop);
	if (stop > start)
		done = protect_range(work, start, stop, prot);
	return done < 0 ? done : err;
}

int do_mprotect(struct task *task, uint64_t addr, uint64_t size, int prot)
{
	struct mm_work work = mm_work_last(task);
	int grows = prot & (LX_PROT_GROWSDOWN | LX_PROT_GROWSUP);
	uint64_t end;
	int err;

	prot &= ~(LX_PROT_GROWSDOWN | LX_PROT_GROWSUP);
	if (grows == (LX_PROT_GROWSDOWN | LX_PROT_GROWSUP) || addr % LX_PAGE_SIZE)
		return -EINVAL;
	if (size == 0)
		return 0;
	if (!align_up_checked(size, LX_PAGE_SIZE, &size) || !add_checked(addr, size, &end) ||
		end <= addr)
		return -ENOMEM;
	if (prot & ~(PROT_ALL | LX_PROT_SEM))
		return -EINVAL;
	fiber_mutex_lock(&work.mm->mutex);
	err = protect_locked(&work, addr, end, prot & PROT_ALL, grows);
	fiber_mutex_unlock(&work.mm->mutex);
	return err;
}

/* ---- growing stacks -------------------------------------------------------------------------- */

/*
 * Linux grows by single pages on each fault. A fault costs us a signal and a turn of the kernel, so
 * a growing mapping is extended by up to this much at once, as far as limits and neighbours allow.
 */
#define GROW_STEP (256ull << 10)

static bool grow_locked(const struct mm_work *work, uint64_t addr)
{
	struct mm *mm = work->mm;
	uint64_t limit = task_rlimit(work->task, LX_RLIMIT_STACK), start, floor = LX_MMAP_MIN_ADDR;
	size_t i = mm_index(mm, addr);
	struct platform_map map;
	struct vma *vma;

	if (i >= mm->vma_count)
		return false;
	vma = mm->vmas[i];
	/* Another thread may have grown it meanwhile. */
	if (vma->start <= addr)
		return vma->grows_down && (vma->prot & (LX_PROT_READ | LX_PROT_WRITE));
	if (!vma->grows_down || vma->file)
		return false;
	if (i > 0) {
		const struct vma *below = mm->vmas[i - 1];
		bool guarded = !below->grows_down && below->prot != LX_PROT_NONE;

		floor = max_of(floor, below->end + (guarded ? MM_STACK_GUARD_SIZE : 0));
	}
	if (vma->end > limit && floor < vma->end - limit)
		floor = vma->end - align_down(limit, LX_PAGE_SIZE);
	if (addr < floor)
		return false;
	start = align_down(addr, LX_PAGE_SIZE);
	start = max_of(floor, start > GROW_STEP ? start - GROW_STEP : 0);
	if (!mm_may_expand(work, vma->start - start)) {
		start = align_down(addr, LX_PAGE_SIZE);
		if (!mm_may_expand(work, vma->start - start))
			return false;
	}
	map = (struct platform_map){
		.addr = GADDR(start), .size = vma->start - start, .prot = vma->prot, .fd = -1};
	if (platform->map(work->thread, &map) < 0)
		return false;
	mm_account(mm, vma, -1);
	vma->start = start;
	mm_account(mm, vma, 1);
	return true;
}

bool mm_grow_stack(struct task *task, uint64_t addr)
{
	struct mm_work work = mm_work_of(task);
	bool grown;

	if (!work.mm || addr >= work.mm->guest_end)
		return false;
	fiber_mutex_lock(&work.mm->mutex);
	grown = grow_locked(&work, addr);
	fiber_mutex_unlock(&work.mm->mutex);
	return grown;
}
