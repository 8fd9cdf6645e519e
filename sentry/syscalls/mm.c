/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on the caller's address space: guest values in, the workers of sentry/mm.h do the
 * rest. */
#include <errno.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "abi/mman.h"
#include "abi/prctl.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/mm_advise.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"

int64_t sys_mmap(struct task *t, gaddr_t addr, uint64_t length, uint64_t prot, uint64_t flags,
	int fd, uint64_t offset)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;

	if (offset % LX_PAGE_SIZE)
		return -EINVAL;
	if (!(flags & LX_MAP_ANONYMOUS)) {
		file = fd_get(t->files, fd);
		if (!file)
			return -EBADF;
	}
	/* The kernel's flags are 32 bits wide but for MAP_SHARED_VALIDATE, which refuses what it
	 * does not know. */
	if ((flags & LX_MAP_TYPE) == LX_MAP_SHARED_VALIDATE && flags >> 32 && file)
		return -EOPNOTSUPP;
	return do_mmap(t, addr.v, length, (int)prot, (int)flags, file, offset);
}

int64_t sys_munmap(struct task *t, gaddr_t addr, uint64_t length)
{
	return do_munmap(t, addr.v, length);
}

int64_t sys_mprotect(struct task *t, gaddr_t addr, uint64_t len, uint64_t prot)
{
	if (prot >> 32)
		return -EINVAL;
	return do_mprotect(t, addr.v, len, (int)prot);
}

/* Memory protection keys as on a CPU without them (pkeys(7)): there is only "no key". */
int64_t sys_pkey_mprotect(struct task *t, gaddr_t addr, uint64_t len, uint64_t prot, int pkey)
{
	uint64_t size;

	/* In the order of do_mprotect_pkey(): nothing has no key. */
	if (pkey != -1 && addr.v % LX_PAGE_SIZE == 0 && len == 0)
		return 0;
	if (pkey != -1 && addr.v % LX_PAGE_SIZE == 0 &&
		(!align_up_checked(len, LX_PAGE_SIZE, &size) || size == 0 ||
			addr.v + size <= addr.v))
		return -ENOMEM;
	if (pkey != -1)
		return -EINVAL;
	return sys_mprotect(t, addr, len, prot);
}

int64_t sys_pkey_alloc(struct task *t, uint64_t flags, uint64_t access_rights)
{
	if (flags || access_rights & ~(uint64_t)(LX_PKEY_DISABLE_ACCESS | LX_PKEY_DISABLE_WRITE))
		return -EINVAL;
	return -ENOSPC;
}

int64_t sys_pkey_free(struct task *t, int pkey)
{
	return -EINVAL;
}

int64_t sys_mremap(struct task *t, gaddr_t old_address, uint64_t old_size, uint64_t new_size,
	uint64_t flags, gaddr_t new_address)
{
	if (flags >> 32)
		return -EINVAL;
	return do_mremap(t, old_address.v, old_size, new_size, (int)flags, new_address.v);
}

int64_t sys_remap_file_pages(
	struct task *t, gaddr_t addr, uint64_t size, uint64_t prot, uint64_t pgoff, uint64_t flags)
{
	uint64_t end;

	if (prot || !add_checked(pgoff, size / LX_PAGE_SIZE, &end))
		return -EINVAL;
	return do_remap_file_pages(t, addr.v, size, pgoff, (int)flags);
}

int64_t sys_mseal(struct task *t, gaddr_t addr, uint64_t len, uint64_t flags)
{
	if (flags)
		return -EINVAL;
	return do_mseal(t, addr.v, len);
}

int64_t sys_brk(struct task *t, gaddr_t addr)
{
	uint64_t brk = do_brk(t, addr.v);

	task_publish_brk(t);
	return (int64_t)brk;
}

int64_t sys_madvise(struct task *t, gaddr_t addr, uint64_t length, int advice)
{
	return do_madvise(t, addr.v, length, advice);
}

int64_t sys_msync(struct task *t, gaddr_t addr, uint64_t length, unsigned flags)
{
	return do_msync(t, addr.v, length, (int)flags);
}

/*
 * Residency is the host's affair and not asked for: every mapped page is reported as resident, as
 * Linux itself does for file pages that the caller could not write (mincore(2), NOTES).
 */
int64_t sys_mincore(struct task *t, gaddr_t addr, uint64_t length, gaddr_t vec)
{
	uint8_t resident[4096];
	uint64_t pages, end, done = 0;
	int err;

	if (addr.v % LX_PAGE_SIZE)
		return -EINVAL;
	if (!add_checked(addr.v, length, &end) || end > t->mm->guest_end)
		return -ENOMEM;
	pages = length / LX_PAGE_SIZE + (length % LX_PAGE_SIZE != 0);
	if (!add_checked(vec.v, pages, &end) || end > t->mm->guest_end)
		return -EFAULT;
	memset(resident, 1, sizeof(resident));
	while (done < pages) {
		uint64_t count = min_of(pages - done, (uint64_t)sizeof(resident));
		struct vma *vma = mm_find(t->mm, addr.v + done * LX_PAGE_SIZE);

		if (t->killed)
			return -EINTR;
		if (!vma || vma->start > addr.v + done * LX_PAGE_SIZE)
			return -ENOMEM;
		count = min_of(count, (vma->end - addr.v) / LX_PAGE_SIZE - done);
		err = guest_write(t, gaddr_add(vec, done), resident, count);
		if (err < 0)
			return err;
		done += count;
		fiber_yield();
	}
	return 0;
}

int64_t sys_mlock(struct task *t, gaddr_t addr, uint64_t len)
{
	return do_mlock(t, addr.v, len, true, true);
}

int64_t sys_mlock2(struct task *t, gaddr_t addr, uint64_t len, unsigned flags)
{
	if (flags & ~LX_MLOCK_ONFAULT)
		return -EINVAL;
	return do_mlock(t, addr.v, len, true, !(flags & LX_MLOCK_ONFAULT));
}

int64_t sys_munlock(struct task *t, gaddr_t addr, uint64_t len)
{
	return do_mlock(t, addr.v, len, false, false);
}

int64_t sys_mlockall(struct task *t, unsigned flags)
{
	return do_mlockall(t, (int)flags);
}

int64_t sys_munlockall(struct task *t)
{
	return do_munlockall(t);
}

/* ---- one memory node (set_mempolicy(2), mbind(2))
 * --------------------------------------------------------------------- */

/* Reads a node mask; the sandbox has node 0 alone. *ret_nodes is 0 or 1; -ENODEV: there are others
 * in it. */
static int read_nodes(struct task *t, gaddr_t mask, uint64_t max_node, uint64_t *ret_nodes)
{
	uint8_t bytes[SENTRY_MAX_MEMPOLICY_NODES / 8] = {0};
	uint64_t size, first = 0;
	int err;

	*ret_nodes = 0;
	max_node--; /* the kernel's interface counts one more, and 0 becomes too many (get_nodes())
		     */
	if (gaddr_is_null(mask) || max_node == 0)
		return 0;
	if (max_node > LX_PAGE_SIZE * 8)
		return -EINVAL;
	size = min_of((max_node + 63) / 64 * 8, (uint64_t)sizeof(bytes));
	err = guest_read(t, bytes, mask, size);
	if (err < 0)
		return err;
	memcpy(&first, bytes, sizeof(first));
	if (max_node < 64)
		first &= (1ull << max_node) - 1;
	for (size_t i = sizeof(first); i < size; i++)
		if (bytes[i])
			return -EINVAL;
	if (first & ~1ull)
		return -ENODEV;
	*ret_nodes = first;
	return 0;
}

static int read_policy(
	struct task *t, int mode, gaddr_t mask, uint64_t max_node, uint64_t *ret_nodes)
{
	int plain = mode & ~(LX_MPOL_F_STATIC_NODES | LX_MPOL_F_RELATIVE_NODES);
	int err;

	if (plain < 0 || plain > LX_MPOL_PREFERRED_MANY)
		return -EINVAL;
	if ((mode & LX_MPOL_F_STATIC_NODES) && (mode & LX_MPOL_F_RELATIVE_NODES))
		return -EINVAL;
	err = read_nodes(t, mask, max_node, ret_nodes);
	return err == -ENODEV ? -EINVAL : err;
}

/* mpol_new() */
static int check_policy(int mode, uint64_t nodes)
{
	int plain = mode & ~(LX_MPOL_F_STATIC_NODES | LX_MPOL_F_RELATIVE_NODES);

	switch (plain) {
	case LX_MPOL_DEFAULT:
	case LX_MPOL_LOCAL:
		return nodes ? -EINVAL : 0;
	case LX_MPOL_PREFERRED:
		return !nodes && mode != plain ? -EINVAL : 0;
	default:
		return nodes ? 0 : -EINVAL;
	}
}

/* With one node every policy places pages alike: checked, and nothing else to do. */
int64_t sys_set_mempolicy(struct task *t, int mode, gaddr_t nodemask, uint64_t maxnode)
{
	uint64_t nodes;
	int err = read_policy(t, mode, nodemask, maxnode, &nodes);

	return err < 0 ? err : check_policy(mode, nodes);
}

int64_t sys_mbind(struct task *t, gaddr_t addr, uint64_t len, uint64_t mode, gaddr_t nodemask,
	uint64_t maxnode, unsigned flags)
{
	const unsigned known = 7; /* MPOL_MF_STRICT, MOVE, MOVE_ALL */
	uint64_t size, nodes;
	int err;

	mode = (uint32_t)mode; /* as kernel_mbind() */
	if (mode > INT32_MAX)
		return -EINVAL;
	err = read_policy(t, (int)mode, nodemask, maxnode, &nodes);
	if (err == 0 && flags & ~known)
		err = -EINVAL;
	if (err == 0 && (flags & 4) && !cred_capable(t->cred, LX_CAP_SYS_NICE))
		err = -EPERM;
	if (err == 0 && addr.v % LX_PAGE_SIZE)
		err = -EINVAL;
	if (err < 0)
		return err;
	/* What wraps to nothing is nothing. */
	size = (len + LX_PAGE_SIZE - 1) & LX_PAGE_MASK;
	if (size == 0)
		return 0;
	if (addr.v + size < addr.v)
		return -EINVAL;
	err = check_policy((int)mode, nodes);
	if (err < 0)
		return err;
	/* Taking a policy away minds no holes (MPOL_MF_DISCONTIG_OK), but there must be something.
	 */
	if (mode == LX_MPOL_DEFAULT) {
		const struct vma *vma = mm_find(t->mm, addr.v);

		return vma && vma->start < addr.v + size ? 0 : -EFAULT;
	}
	return mm_range_mapped(t->mm, addr.v, size) ? 0 : -EFAULT;
}

int64_t sys_get_mempolicy(struct task *t, gaddr_t mode, gaddr_t nodemask, uint64_t maxnode,
	gaddr_t addr, uint64_t flags)
{
	const uint64_t known = LX_MPOL_F_NODE | LX_MPOL_F_ADDR | LX_MPOL_F_MEMS_ALLOWED;
	uint64_t nodes = (flags & LX_MPOL_F_MEMS_ALLOWED) ? 1 : 0;
	int32_t policy = LX_MPOL_DEFAULT;
	struct vma *vma;

	if (flags & ~known)
		return -EINVAL;
	if (!gaddr_is_null(nodemask) && maxnode < 1)
		return -EINVAL;
	if ((flags & LX_MPOL_F_MEMS_ALLOWED) && (flags & (LX_MPOL_F_NODE | LX_MPOL_F_ADDR)))
		return -EINVAL;
	if (flags & LX_MPOL_F_MEMS_ALLOWED) {
		/* No address is looked at. */
	} else if (flags & LX_MPOL_F_ADDR) {
		vma = mm_find(t->mm, addr.v);
		if (!vma || vma->start > addr.v)
			return -EFAULT;
	} else if (!gaddr_is_null(addr) || (flags & LX_MPOL_F_NODE)) {
		return -EINVAL;
	}
	if (!gaddr_is_null(mode) && guest_write(t, mode, &policy, sizeof(policy)) < 0)
		return -EFAULT;
	/* copy_nodes_to_user() counts one bit less than it was told, once the policy is told. */
	if (!gaddr_is_null(nodemask) && maxnode - 1 > LX_PAGE_SIZE * 8)
		return -EINVAL;
	if (!gaddr_is_null(nodemask)) {
		uint8_t bytes[SENTRY_MAX_MEMPOLICY_NODES / 8] = {0};
		uint64_t size = min_of((maxnode - 1 + 63) / 64 * 8, (uint64_t)sizeof(bytes));

		memcpy(bytes, &nodes, sizeof(nodes));
		if (guest_write(t, nodemask, bytes, size) < 0)
			return -EFAULT;
	}
	return 0;
}

/* ---- move_pages(2), migrate_pages(2): everything is on node 0 ----------------------------------
 */

static int node_target(const struct task *t, int pid, const struct task **ret)
{
	const struct task *target = pid ? pid_task(pid) : t;

	if (!target || !target->mm)
		return -ESRCH;
	if (target != t && !task_may_inspect(t, t->cred, target, false))
		return -EPERM;
	*ret = target;
	return 0;
}

int64_t sys_migrate_pages(
	struct task *t, int pid, uint64_t maxnode, gaddr_t old_nodes, gaddr_t new_nodes)
{
	const struct task *target;
	uint64_t old, new;
	int err = read_nodes(t, old_nodes, maxnode, &old), far;

	if (err < 0 && err != -ENODEV)
		return err;
	far = read_nodes(t, new_nodes, maxnode, &new);
	if (far < 0 && far != -ENODEV)
		return far;
	err = node_target(t, pid, &target);
	if (err < 0)
		return err;
	/* kernel_migrate_pages(): what the target may not use needs a right. */
	if (far < 0 && !cred_capable(t->cred, LX_CAP_SYS_NICE))
		return -EPERM;
	return new ? 0 : -EINVAL;
}

/* The node of a page, or where it should go; *ret_status is its answer. */
static int move_page(struct task *t, struct mm *mm, gaddr_t pages, gaddr_t nodes, uint64_t i,
	int32_t *ret_status)
{
	const struct vma *vma;
	uint64_t addr;
	int32_t node = 0;
	int err = guest_read(t, &addr, gaddr_add(pages, i * sizeof(addr)), sizeof(addr));

	if (err == 0 && !gaddr_is_null(nodes))
		err = guest_read(t, &node, gaddr_add(nodes, i * sizeof(node)), sizeof(node));
	if (err < 0)
		return err;
	if (node != 0)
		return -ENODEV;
	vma = mm_find(mm, addr);
	*ret_status = vma && vma->start <= addr ? 0 : -EFAULT;
	return 0;
}

int64_t sys_move_pages(struct task *t, int pid, uint64_t count, gaddr_t pages, gaddr_t nodes,
	gaddr_t status, int flags)
{
	const struct task *target;
	struct mm *mm;
	int err;

	if (flags & ~6) /* MPOL_MF_MOVE, MPOL_MF_MOVE_ALL */
		return -EINVAL;
	if ((flags & 4) && !cred_capable(t->cred, LX_CAP_SYS_NICE))
		return -EPERM;
	err = node_target(t, pid, &target);
	if (err < 0)
		return err;
	mm = mm_ref(target->mm);
	for (uint64_t i = 0; err == 0 && i < count; i++) {
		int32_t page_status = 0;

		err = t->killed ? -EINTR : move_page(t, mm, pages, nodes, i, &page_status);
		if (err == 0)
			err = guest_write(t, gaddr_add(status, i * sizeof(page_status)),
				&page_status, sizeof(page_status));
		fiber_yield();
	}
	mm_unref(mm);
	return err;
}
