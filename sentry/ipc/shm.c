/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V shared memory (shmop(2), shmctl(2); kernel ipc/shm.c).
 *
 * A segment is an unlinked memory file of fixed size; attaching maps it shared. Who is attached is
 * counted by mappings, as on Linux: each VMA of a segment points at it, and the address space's
 * list says when one appears (attach, fork, a split) and goes. A removed segment stays until the
 * last of them is gone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel.h"
#include "sentry/mm_private.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"

struct shm_segment {
	struct ipc_object ipc;
	struct inode *inode; /* owned */
	uint64_t size;
	int64_t atime, dtime, ctime; /* s */
	int creator, last;	     /* pids */
	unsigned attached;	     /* VMAs, and attaches in progress */
};

static uint64_t total_pages;

static uint64_t pages_of(uint64_t size)
{
	return size / LX_PAGE_SIZE + (size % LX_PAGE_SIZE != 0);
}

static void shm_destroy(struct ipc_object *object)
{
	struct shm_segment *segment = container_of(object, struct shm_segment, ipc);

	total_pages -= pages_of(segment->size);
	inode_unref(segment->inode);
	free(segment);
}

static int own_pid(void)
{
	const struct task *task = task_current();

	return task ? task->group->pid->nr : 0;
}

void shm_mapping_added(struct shm_segment *segment)
{
	(void)ipc_ref(&segment->ipc);
	segment->attached++;
	segment->atime = ktime_now().sec;
	segment->last = own_pid();
}

void shm_mapping_gone(struct shm_segment *segment)
{
	segment->dtime = ktime_now().sec;
	segment->last = own_pid();
	if (--segment->attached == 0 && (segment->ipc.mode & LX_SHM_DEST))
		ipc_remove(&segment->ipc);
	ipc_unref(&segment->ipc);
}

/* ---- shmget ---------------------------------------------------------------------------------- */

static int new_inode(uint64_t size, struct cred *cred, struct inode **ret)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	struct iattr attr = {.valid = IATTR_SIZE, .size = size};
	struct super_block *sb;
	int err = tmpfs_internal(&sb);

	if (err == 0)
		err = tmpfs_new_file(sb, LX_S_IFREG | 0777, cred, &inode);
	if (err < 0)
		return err;
	err = inode->ops->setattr ? inode->ops->setattr(inode, &attr) : -EPERM;
	if (err < 0)
		return err;
	*ret = TAKE(inode);
	return 0;
}

static int64_t new_segment(struct task *t, int key, uint64_t size, unsigned flags)
{
	uint64_t limit = kernel.config ? kernel.config->memory_limit : 0;
	struct shm_segment *segment;
	int id, err;

	if (size == 0 || size > LX_SHMMAX)
		return -EINVAL;
	/* More than there will ever be: refused as by the kernel's accounting of memory. */
	if (size > INT64_MAX - LX_PAGE_SIZE || (limit && size > limit))
		return -ENOMEM;
	/* The pool of huge pages is empty. */
	if (flags & LX_SHM_HUGETLB)
		return -ENOMEM;
	if (ipc_here()->shm.count >= ipc_here()->shm.limit)
		return -ENOSPC;
	segment = calloc(1, sizeof(*segment));
	if (!segment)
		return -ENOMEM;
	err = new_inode(size, t->cred, &segment->inode);
	if (err < 0) {
		free(segment);
		return err == -EFBIG || err == -ENOSPC ? -ENOMEM : err;
	}
	segment->ipc.refs = REFCOUNT_ONE;
	segment->ipc.destroy = shm_destroy;
	segment->size = size;
	segment->ctime = ktime_now().sec;
	segment->creator = t->group->pid->nr;
	total_pages += pages_of(size);
	id = ipc_add(&ipc_here()->shm, &segment->ipc, key, flags, t->cred);
	ipc_unref(&segment->ipc);
	return id;
}

int64_t sys_shmget(struct task *t, int key, uint64_t size, unsigned flags)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	int err = ipc_get(&ipc_here()->shm, key, flags, &object);

	if (err < 0)
		return err;
	if (!object)
		return new_segment(t, key, size, flags);
	if (container_of(object, struct shm_segment, ipc)->size < size)
		return -EINVAL;
	return ipc_permitted(object, t->cred, flags) ? object->id : -EACCES;
}

/* ---- shmat, shmdt ---------------------------------------------------------------------------- */

static int open_segment(struct task *t, struct shm_segment *segment, int flags, struct file **ret)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	struct path path = {0};
	char name[32];
	int err;

	(void)snprintf(name, sizeof(name), "/SYSV%08x (deleted)", (unsigned)segment->ipc.key);
	err = dentry_new_anonymous(segment->inode, name, &dentry);
	if (err < 0)
		return err;
	path.dentry = dentry;
	return file_new(&path, segment->inode->file_ops, flags, t->cred, ret);
}

/* Marks what was just mapped at @addr. The list may have joined nothing to it: no other VMA has
 * this file. */
static void mark_attached(struct mm *mm, uint64_t addr, struct shm_segment *segment)
{
	struct vma *vma = mm_lookup(mm, addr);

	if (!vma || vma->shm)
		return;
	vma->shm = segment;
	shm_mapping_added(segment);
}

static int64_t attach(struct task *t, struct shm_segment *segment, uint64_t addr, bool fixed,
	int prot, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct mm_work work = mm_work_of(t);
	int map_flags = LX_MAP_SHARED | (fixed ? LX_MAP_FIXED : 0);
	uint64_t size = segment->size, end;
	int64_t r;
	int err;

	err = open_segment(t, segment, prot & LX_PROT_WRITE ? LX_O_RDWR : LX_O_RDONLY, &file);
	if (err < 0)
		return err;
	fiber_mutex_lock(&work.mm->mutex);
	if (fixed && !(flags & LX_SHM_REMAP) &&
		(!add_checked(addr, size, &end) || mm_overlaps(work.mm, addr, end)))
		r = -EINVAL;
	else
		r = mm_map_locked(&work, addr, size, prot, map_flags, file, 0);
	if (r >= 0)
		mark_attached(work.mm, (uint64_t)r, segment);
	fiber_mutex_unlock(&work.mm->mutex);
	return r;
}

int64_t sys_shmat(struct task *t, int id, gaddr_t shmaddr, unsigned flags)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	int prot = LX_PROT_READ;
	uint64_t addr = shmaddr.v;
	unsigned wanted = 0444;
	struct shm_segment *segment;
	int64_t r;

	if (id < 0)
		return -EINVAL;
	if (addr && addr % LX_PAGE_SIZE) {
		if (!(flags & LX_SHM_RND))
			return -EINVAL;
		addr = align_down(addr, LX_PAGE_SIZE);
		if (!addr && (flags & LX_SHM_REMAP))
			return -EINVAL;
	} else if (!addr && (flags & LX_SHM_REMAP)) {
		return -EINVAL;
	}
	if (!(flags & LX_SHM_RDONLY)) {
		prot |= LX_PROT_WRITE;
		wanted |= 0222;
	}
	if (flags & LX_SHM_EXEC) {
		prot |= LX_PROT_EXEC;
		wanted |= 0111;
	}
	object = ipc_find(&ipc_here()->shm, id);
	if (!object)
		return -EINVAL;
	if (!ipc_permitted(object, t->cred, wanted))
		return -EACCES;
	segment = container_of(object, struct shm_segment, ipc);
	/* Mapping sleeps: this keeps a removal from taking the segment away meanwhile. */
	segment->attached++;
	r = attach(t, segment, addr, !gaddr_is_null(shmaddr), prot, flags);
	if (--segment->attached == 0 && (object->mode & LX_SHM_DEST))
		ipc_remove(object);
	return r;
}

/* Unmaps what belongs to one attach at @addr: VMAs of one file, each where it was attached. */
static int detach_locked(const struct mm_work *work, uint64_t addr)
{
	struct mm *mm = work->mm;
	uint64_t size = 0, at = addr;
	const struct file *file = NULL;
	int err = -EINVAL;

	for (;;) {
		struct vma *vma = mm_find(mm, at);
		int r;

		if (!vma || (file && vma->end - addr > size))
			return err;
		at = vma->end;
		/* A file's offset tells where its attach began: vm_pgoff in ksys_shmdt(). */
		if (!vma->shm || vma->start < addr || vma->start - addr != vma->offset ||
			(file && vma->file != file))
			continue;
		if (!file)
			align_up_checked(vma->shm->size, LX_PAGE_SIZE, &size);
		file = vma->file;
		r = mm_unmap_locked(work, vma->start, vma->end);
		if (r < 0)
			return r;
		err = 0;
	}
}

int64_t sys_shmdt(struct task *t, gaddr_t shmaddr)
{
	struct mm_work work = mm_work_of(t);
	int err;

	if (shmaddr.v % LX_PAGE_SIZE)
		return -EINVAL;
	fiber_mutex_lock(&work.mm->mutex);
	err = detach_locked(&work, shmaddr.v);
	fiber_mutex_unlock(&work.mm->mutex);
	return err;
}

/* ---- shmctl ---------------------------------------------------------------------------------- */

void shm_fill(const struct ipc_object *object, struct lx_shmid_ds *ret)
{
	const struct shm_segment *segment = container_of(object, const struct shm_segment, ipc);

	*ret = (struct lx_shmid_ds){
		.shm_segsz = segment->size,
		.shm_atime = segment->atime,
		.shm_dtime = segment->dtime,
		.shm_ctime = segment->ctime,
		.shm_cpid = pid_nr_here(segment->creator),
		.shm_lpid = pid_nr_here(segment->last),
		.shm_nattch = segment->attached,
	};
	ipc_fill_perm(object, &ret->shm_perm);
}

static int64_t shm_stat(struct task *t, int id, int cmd, gaddr_t buf)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct lx_shmid_ds ds;
	int err;

	err = ipc_find_stat(
		&ipc_here()->shm, t, id, cmd != LX_IPC_STAT, cmd == LX_SHM_STAT_ANY, &object);
	if (err < 0)
		return err;
	shm_fill(object, &ds);
	err = guest_write(t, buf, &ds, sizeof(ds));
	if (err < 0)
		return err;
	return cmd == LX_IPC_STAT ? 0 : object->id;
}

static int64_t shm_info(struct task *t, int cmd, gaddr_t buf)
{
	const struct lx_shminfo limits = {
		.shmmax = LX_SHMMAX,
		.shmmin = 1,
		.shmmni = LX_SHMMNI,
		.shmseg = LX_SHMMNI,
		.shmall = LX_SHMMAX,
	};
	/* What is resident is the host's to know: everything counts as touched. */
	const struct lx_shm_info usage = {
		.used_ids = (int32_t)ipc_here()->shm.count,
		.shm_tot = total_pages,
		.shm_rss = total_pages,
	};
	int err = cmd == LX_IPC_INFO ? guest_write(t, buf, &limits, sizeof(limits))
				     : guest_write(t, buf, &usage, sizeof(usage));

	return err < 0 ? err : ipc_last_index(&ipc_here()->shm);
}

static int64_t shm_set(struct task *t, int id, gaddr_t buf)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct lx_shmid_ds ds;
	int err;

	err = guest_read_value(t, &ds, buf);
	if (err < 0)
		return err;
	err = ipc_find_owned(&ipc_here()->shm, t, id, &object);
	if (err < 0)
		return err;
	err = ipc_set_perm(object, &ds.shm_perm);
	if (err == 0)
		container_of(object, struct shm_segment, ipc)->ctime = ktime_now().sec;
	return err;
}

static int64_t shm_remove(struct task *t, int id)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	int err = ipc_find_owned(&ipc_here()->shm, t, id, &object);

	if (err < 0)
		return err;
	if (container_of(object, struct shm_segment, ipc)->attached == 0) {
		ipc_remove(object);
		return 0;
	}
	object->mode |= LX_SHM_DEST;
	ipc_forget_key(object);
	return 0;
}

static int64_t shm_lock(struct task *t, int id, bool lock)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = ipc_find(&ipc_here()->shm, id);

	if (!object)
		return -EINVAL;
	if (!cred_capable(t->cred, LX_CAP_IPC_LOCK)) {
		if (t->cred->euid != object->uid && t->cred->euid != object->cuid)
			return -EPERM;
		if (lock && task_rlimit(t, LX_RLIMIT_MEMLOCK) == 0)
			return -EPERM;
	}
	object->mode =
		lock ? object->mode | LX_SHM_LOCKED : object->mode & ~(unsigned)LX_SHM_LOCKED;
	return 0;
}

int64_t sys_shmctl(struct task *t, int id, int cmd, gaddr_t buf)
{
	if (cmd < 0 || id < 0)
		return -EINVAL;
	switch (cmd) {
	case LX_IPC_INFO:
	case LX_SHM_INFO:
		return shm_info(t, cmd, buf);
	case LX_IPC_STAT:
	case LX_SHM_STAT:
	case LX_SHM_STAT_ANY:
		return shm_stat(t, id, cmd, buf);
	case LX_IPC_SET:
		return shm_set(t, id, buf);
	case LX_IPC_RMID:
		return shm_remove(t, id);
	case LX_SHM_LOCK:
	case LX_SHM_UNLOCK:
		return shm_lock(t, id, cmd == LX_SHM_LOCK);
	default:
		return -EINVAL;
	}
}
