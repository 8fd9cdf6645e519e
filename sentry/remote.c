/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of other tasks: for ptrace(2), process_vm_readv(2), /proc/PID/mem.
 *
 * A platform's thread belongs to its task's fiber: nobody else may ask anything of it. So whoever
 * wants something sends an errand to that fiber (base/fiber.h) and sleeps until it is run: at once
 * when the task sleeps in a call or is stopped, after an interrupt when it is in guest code, or in
 * a futex, which is the platform's. Two tasks that want something of each other both get it, since
 * this sleep, too, runs errands.
 *
 * With force, as a debugger does it (FOLL_FORCE, mm/gup.c), protections are lifted around the copy.
 * Only those of private mappings are for a write: the page becomes the process's own.
 */
#include <errno.h>

#include "abi/limits.h"
#include "abi/mman.h"
#include "base/checked.h"
#include "sentry/mm_private.h"
#include "sentry/task.h"
#include "sentry/trace.h"

#define FIRST_PAUSE_NS 1000000ull
#define LAST_PAUSE_NS  50000000ull

/* ---- errands -------------------------------------------------------------------------------- */

struct task_errand {
	struct fiber_errand errand;
	ssize_t (*fn)(struct task *task, void *data);
	void *data;
	struct task *task;
	ssize_t result;
	bool begun, done;
	struct wait_queue queue;
};

static void errand_run(struct fiber_errand *base)
{
	struct task_errand *errand = container_of(base, struct task_errand, errand);

	errand->begun = true;
	errand->result = errand->task->thread ? errand->fn(errand->task, errand->data) : -ESRCH;
	errand->done = true;
	wait_queue_wake(&errand->queue, ~0u);
}

ssize_t task_run_errand(struct task *task, ssize_t (*fn)(struct task *task, void *data), void *data)
{
	struct task_errand errand = {
		.errand.run = errand_run, .fn = fn, .data = data, .task = task};
	uint64_t pause = FIRST_PAUSE_NS;

	if (task == task_current())
		return task->thread ? fn(task, data) : -ESRCH;
	if (task->exited || !task->fiber || !task->thread)
		return -ESRCH;
	wait_queue_init(&errand.queue);
	list_init(&errand.errand.link);
	task->errands = true;
	fiber_add_errand(task->fiber, &errand.errand);
	while (!errand.done) {
		/* Harmless where it is neither in the guest nor in one of its futexes, which it may
		 * enter any moment. */
		if (task->thread)
			platform->interrupt(task->thread);
		wait_sleep_serving(&errand.queue, loop_monotonic_now() + pause);
		/* The task may sleep where no errand is run, and for what we hold. */
		if (!errand.begun && (task_current()->killed || task->killed)) {
			list_remove(&errand.errand.link);
			return -ESRCH;
		}
		if (pause < LAST_PAUSE_NS)
			pause *= 2;
	}
	return errand.result;
}

/* ---- copies --------------------------------------------------------------------------------- */

struct remote_copy {
	uint64_t mm; /* id of the address space that is meant */
	void *buffer;
	gaddr_t addr;
	size_t size;
	bool write, force;
};

static ssize_t copy_plainly(struct task *task, const struct remote_copy *copy, size_t done)
{
	gaddr_t addr = gaddr_add(copy->addr, done);
	char *buffer = (char *)copy->buffer + done;

	return copy->write ? platform->copy_out(task->thread, addr, buffer, copy->size - done)
			   : platform->copy_in(task->thread, buffer, addr, copy->size - done);
}

/* check_vma_flags() */
static bool may_force(const struct vma *vma, bool write)
{
	if (write)
		return !(vma->prot & LX_PROT_WRITE) && !vma->shared;
	return !(vma->prot & LX_PROT_READ) && (vma->max_prot & LX_PROT_READ);
}

/* The part of @copy from @done on that lies in one page. The mappings' lock is held. */
static ssize_t copy_page_forced(struct task *task, const struct remote_copy *copy, size_t done)
{
	uint64_t addr = copy->addr.v + done, page = addr & ~(LX_PAGE_SIZE - 1);
	struct remote_copy part = *copy;
	const struct vma *vma = mm_lookup(task->mm, addr);
	int prot;
	ssize_t copied;

	if (!vma || !may_force(vma, copy->write))
		return 0;
	prot = vma->prot;
	part.size = min_of(copy->size, done + (size_t)(page + LX_PAGE_SIZE - addr));
	if (platform->protect(task->thread, GADDR(page), LX_PAGE_SIZE,
		    prot | LX_PROT_READ | (copy->write ? LX_PROT_WRITE : 0)) < 0)
		return 0;
	copied = copy_plainly(task, &part, done);
	(void)platform->protect(task->thread, GADDR(page), LX_PAGE_SIZE, prot);
	return copied;
}

static ssize_t copy_forced(struct task *task, const struct remote_copy *copy, size_t done)
{
	struct fiber_mutex *mutex = &task->mm->mutex;
	ssize_t copied;

	/* The task itself is in the middle of a change. */
	if (mutex->owner == fiber_current())
		return 0;
	mm_settle(task);
	fiber_mutex_lock(mutex);
	copied = copy_page_forced(task, copy, done);
	fiber_mutex_unlock(mutex);
	return copied;
}

static ssize_t copy_errand(struct task *task, void *data)
{
	const struct remote_copy *copy = data;
	size_t done = 0;

	if (!task->mm)
		return -ESRCH;
	/* The right to it was that to the program that ran then (mm_access()). */
	if (task->mm->id != copy->mm)
		return 0;
	if (platform->forget)
		platform->forget(task->thread);
	while (done < copy->size) {
		ssize_t copied = copy_plainly(task, copy, done);

		if (copied == 0 && copy->force)
			copied = copy_forced(task, copy, done);
		if (copied < 0)
			return done ? (ssize_t)done : copied;
		if (copied == 0)
			break;
		done += (size_t)copied;
	}
	return (ssize_t)done;
}

/* A thread of the task's address space that is still there: the caller or the task if it can be. */
static struct task *pick_thread(struct task *task)
{
	struct task *self = task_current(), *other;

	if (self && self->thread && task->mm && self->mm == task->mm)
		return self;
	/* Who is stopped has time. */
	if (trace_stopped(task) && task->thread)
		return task;
	list_for_each_entry (other, &task->group->tasks, group_link)
		if (trace_stopped(other) && other->thread && other->mm == task->mm)
			return other;
	if (!task->exited && task->thread)
		return task;
	list_for_each_entry (other, &task->group->tasks, group_link)
		if (!other->exited && other->thread)
			return other;
	return NULL;
}

/* Where what @copy begins in ends: guest memory, or the vDSO above it, which can be read. */
static uint64_t end_of_memory(struct task *task, const struct remote_copy *copy)
{
	const struct task *by = pick_thread(task);
	uint64_t size = 0;
	gaddr_t vdso = GADDR_NULL;

	if (copy->addr.v < platform->guest_end().v)
		return platform->guest_end().v;
	if (by && !copy->write && platform->vdso)
		platform->vdso(by->thread->as, &vdso, &size);
	return copy->addr.v >= vdso.v ? vdso.v + size : 0;
}

static ssize_t copy_memory(struct task *task, struct remote_copy *copy)
{
	const uint64_t end = end_of_memory(task, copy);
	size_t done = 0, size = copy->size;
	char *buffer = copy->buffer;

	if (copy->addr.v >= end)
		return 0;
	size = (size_t)min_of((uint64_t)size, end - copy->addr.v);
	while (done < size) {
		struct task *by = pick_thread(task);
		ssize_t copied;

		if (!by)
			return done ? (ssize_t)done : -ESRCH;
		copy->buffer = buffer + done;
		copy->size = min_of(size - done, (size_t)SENTRY_MAX_COPY_TURN);
		(void)task_ref(by);
		copied = task_run_errand(by, copy_errand, copy);
		task_unref(by);
		if (copied == -ESRCH && by != task && pick_thread(task))
			continue;
		if (copied < 0)
			return done ? (ssize_t)done : copied;
		done += (size_t)copied;
		copy->addr = gaddr_add(copy->addr, (uint64_t)copied);
		if ((size_t)copied < copy->size)
			break;
	}
	return (ssize_t)done;
}

ssize_t task_read_memory(
	struct task *task, uint64_t mm, void *dst, gaddr_t src, size_t size, bool force)
{
	struct remote_copy copy = {
		.mm = mm, .buffer = dst, .addr = src, .size = size, .force = force};

	return copy_memory(task, &copy);
}

ssize_t task_write_memory(
	struct task *task, uint64_t mm, gaddr_t dst, const void *src, size_t size, bool force)
{
	/* Only read from: one struct serves both ways. */
	struct remote_copy copy = {.mm = mm,
		.buffer = (void *)src,
		.addr = dst,
		.size = size,
		.write = true,
		.force = force};

	return copy_memory(task, &copy);
}
