/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on the memory of processes: process_vm_readv(2), process_madvise(2), kcmp(2).
 *
 * Guest memory is reached through a thread of its address space. The caller's own is always at
 * hand; another process' is asked to do the copies itself (sentry/remote.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "abi/mman.h"
#include "abi/prctl.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/random.h"
#include "sentry/mm.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"
#include "sentry/trace.h"
#include "vfs/anon.h"

/* ---- process_vm_readv, process_vm_writev ----------------------------------------------------- */

/* Up to @size bytes between the own memory and @target's. Returns what was moved, or -errno when
 * nothing was. */
static ssize_t move_bytes(struct task *target, uint64_t mm, struct uio *local, gaddr_t remote,
	size_t size, bool write, char *buffer)
{
	ssize_t moved;

	if (remote.v >= platform->guest_end().v || size > platform->guest_end().v - remote.v)
		return -EFAULT;
	if (write) {
		moved = uio_copy_from(local, buffer, size);
		if (moved > 0)
			moved = task_write_memory(target, mm, remote, buffer, (size_t)moved, false);
	} else {
		moved = task_read_memory(target, mm, buffer, remote, size, false);
		if (moved > 0)
			moved = uio_copy_to(local, buffer, (size_t)moved);
	}
	return moved == 0 ? -EFAULT : moved;
}

static int64_t move_all(struct task *target, struct uio *local, const struct uio_segment *remote,
	size_t count, bool write)
{
	_cleanup_free_ char *buffer = malloc(SENTRY_MAX_COPY_TURN);
	const uint64_t mm = target->mm->id;
	int64_t done = 0;

	if (!buffer)
		return -ENOMEM;
	for (size_t i = 0; i < count && local->resid; i++) {
		uint64_t at = 0;

		while (at < remote[i].size && local->resid) {
			size_t chunk = min_of(min_of(remote[i].size - at, local->resid),
				(uint64_t)SENTRY_MAX_COPY_TURN);
			/* A fault ends it at a page's border, as Linux moves page by page. */
			ssize_t moved = move_bytes(target, mm, local,
				gaddr_add(remote[i].guest, at), chunk, write, buffer);

			if (moved < 0)
				return done ? done : moved;
			done += moved;
			at += (uint64_t)moved;
			if ((size_t)moved < chunk)
				return done;
			fiber_yield();
		}
	}
	return done;
}

static int64_t process_vm(struct task *t, int pid, gaddr_t liov, uint64_t lcount, gaddr_t riov,
	uint64_t rcount, uint64_t flags, bool write)
{
	_cleanup_free_ struct uio_segment *local = NULL, *remote = NULL;
	struct uio local_uio, remote_uio;
	struct task *target;
	int64_t result;
	int err;

	if (flags)
		return -EINVAL;
	/* import_iovec() takes an unsigned int, iovec_from_user() all of it. */
	err = guest_read_iovec(t, liov, (uint32_t)lcount, &local, &local_uio);
	if (err < 0)
		return err;
	if (local_uio.resid == 0)
		return 0;
	err = guest_read_iovec(t, riov, rcount, &remote, &remote_uio);
	if (err < 0)
		return err;
	if (remote_uio.resid == 0)
		return 0;
	target = pid_task(pid);
	if (!target || !target->mm)
		return -ESRCH;
	if (trace_may_access(t, target, TRACE_REALCREDS) < 0)
		return -EPERM;
	(void)task_ref(target);
	result = move_all(target, &local_uio, remote, rcount, write);
	task_unref(target);
	return result;
}

int64_t sys_process_vm_readv(struct task *t, int pid, gaddr_t local_iov, uint64_t liovcnt,
	gaddr_t remote_iov, uint64_t riovcnt, uint64_t flags)
{
	return process_vm(t, pid, local_iov, liovcnt, remote_iov, riovcnt, flags, false);
}

int64_t sys_process_vm_writev(struct task *t, int pid, gaddr_t local_iov, uint64_t liovcnt,
	gaddr_t remote_iov, uint64_t riovcnt, uint64_t flags)
{
	return process_vm(t, pid, local_iov, liovcnt, remote_iov, riovcnt, flags, true);
}

/* ---- process_madvise ------------------------------------------------------------------------- */

static int pidfd_task(struct task *t, int fd, struct task **ret)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);
	struct pid *pid;
	int err;

	if (!file)
		return -EBADF;
	err = pidfd_file_pid(file, &pid);
	if (err < 0)
		return err;
	if (!pid->group || !pid->group->leader)
		return -ESRCH;
	*ret = pid->group->leader;
	return 0;
}

int64_t sys_process_madvise(
	struct task *t, int pidfd, gaddr_t iov, uint64_t count, int advice, unsigned flags)
{
	_cleanup_free_ struct uio_segment *segments = NULL;
	struct task *target = NULL;
	int64_t done = 0;
	struct uio uio;
	int err;

	if (flags)
		return -EINVAL;
	err = guest_read_iovec(t, iov, (uint32_t)count, &segments, &uio);
	if (err == 0)
		err = pidfd_task(t, pidfd, &target);
	if (err < 0)
		return err;
	if (target->mm != t->mm) {
		if (advice != LX_MADV_COLD && advice != LX_MADV_PAGEOUT &&
			advice != LX_MADV_WILLNEED && advice != LX_MADV_COLLAPSE)
			return -EINVAL;
		return target->mm ? -EPERM : -ESRCH;
	}
	/* Not @count, of which Linux looks at the lower half. */
	for (size_t i = 0; i < uio.segment_count; i++) {
		err = do_madvise(t, segments[i].guest.v, segments[i].size, advice);
		if (err < 0)
			break;
		done += (int64_t)segments[i].size;
	}
	return done ? done : err;
}

/* Its memory goes with the host process, which is on its way: there is nothing to hurry. */
int64_t sys_process_mrelease(struct task *t, int pidfd, unsigned flags)
{
	struct task *target = NULL;
	int err;

	if (flags)
		return -EINVAL;
	err = pidfd_task(t, pidfd, &target);
	if (err < 0)
		return err;
	if (!target->mm)
		return -ESRCH;
	return target->group->exiting ? 0 : -EINVAL;
}

/* ---- kcmp ------------------------------------------------------------------------------------ */

/* In an order that tells nothing of addresses: kptr_obfuscate(). */
static int64_t compare(const void *a, const void *b)
{
	static uint64_t key[2];
	uint64_t x = (uintptr_t)a, y = (uintptr_t)b;

	if (a == b)
		return 0;
	if (!key[0]) {
		key[0] = random_u64() | 1;
		key[1] = random_u64();
	}
	return siphash(&x, sizeof(x), key) < siphash(&y, sizeof(y), key) ? 1 : 2;
}

static int64_t compare_files(
	const struct task *a, const struct task *b, uint64_t fd_a, uint64_t fd_b)
{
	_cleanup_(cleanup_file_unref) struct file *file_a = NULL, *file_b = NULL;

	if (!a->files || !b->files)
		return -EBADF;
	file_a = fd_get_any(a->files, (int)fd_a);
	file_b = fd_get_any(b->files, (int)fd_b);
	return file_a && file_b ? compare(file_a, file_b) : -EBADF;
}

/* kcmp_epoll_target(): whether a descriptor of @a is what an epoll instance of @b watches. */
static int64_t compare_watched(
	struct task *t, const struct task *a, const struct task *b, uint64_t fd, gaddr_t slot_addr)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL, *epoll = NULL;
	struct lx_kcmp_epoll_slot slot;
	const struct file *target;
	int err = guest_read_value(t, &slot, slot_addr);

	if (err < 0)
		return err;
	file = a->files ? fd_get_any(a->files, (int)fd) : NULL;
	epoll = file && b->files ? fd_get_any(b->files, (int)slot.efd) : NULL;
	if (!epoll)
		return -EBADF;
	if (!file_is_epoll(epoll))
		return -EINVAL;
	target = epoll_nth_target(epoll, (int)slot.tfd, slot.toff);
	return target ? compare(file, target) : -ENOENT;
}

int64_t sys_kcmp(struct task *t, int pid1, int pid2, int type, uint64_t idx1, uint64_t idx2)
{
	struct task *a = pid_task(pid1), *b = pid_task(pid2);

	if (!a || !b)
		return -ESRCH;
	if (trace_may_access(t, a, TRACE_REALCREDS) < 0 ||
		trace_may_access(t, b, TRACE_REALCREDS) < 0)
		return -EPERM;
	switch (type) {
	case LX_KCMP_FILE:
		return compare_files(a, b, idx1, idx2);
	case LX_KCMP_VM:
		return compare(a->mm, b->mm);
	case LX_KCMP_FILES:
		return compare(a->files, b->files);
	case LX_KCMP_FS:
		return compare(a->fs, b->fs);
	case LX_KCMP_SIGHAND:
		return compare(a->group->sighand, b->group->sighand);
	case LX_KCMP_IO:
		return 0; /* nobody has an I/O context */
	case LX_KCMP_SYSVSEM:
		return compare(a->sem_undo, b->sem_undo);
	case LX_KCMP_EPOLL_TFD:
		return compare_watched(t, a, b, idx1, GADDR(idx2));
	default:
		return -EINVAL;
	}
}
