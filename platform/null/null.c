/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The null platform: runs no code. For unit tests of what is above, and it keeps platform.h honest:
 * every slot is here, with the contract's errors, in ordinary memory.
 *
 * Files: a private mapping copies the pages at the time of the mapping; a shared one maps host
 * pages, so that writes reach the file. Futexes have values and waiters but no guest that would
 * ever change a word by itself.
 */
#include "platform/null/null_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "base/fiber.h"

struct futex_waiter {
	struct list_head link;
	uint64_t uaddr;
	uint32_t bitset;
	bool woken;
};

static struct {
	const struct platform_upcalls *upcalls;
	struct platform_config config;
	unsigned thread_count;
} null;

/* The life of address spaces and threads */

static int null_probe(const char **ret_missing)
{
	*ret_missing = NULL;
	return 0;
}

static int null_start(const struct platform_config *config, const struct platform_upcalls *upcalls,
	const char **ret_why)
{
	*ret_why = NULL;
	null.config = *config;
	null.upcalls = upcalls;
	return 0;
}

static void null_stop(void)
{
	null.upcalls = NULL;
}

static struct platform_as *as_new(void)
{
	struct platform_as *as = calloc(1, sizeof(*as));

	if (!as)
		return NULL;
	wait_queue_init(&as->wakeups);
	wait_queue_init(&as->futexes);
	list_init(&as->futex_waiters);
	return as;
}

static void as_free(struct platform_as *as)
{
	null_pages_free(as);
	wait_queue_destroy(&as->wakeups);
	wait_queue_destroy(&as->futexes);
	free(as);
}

static struct null_thread *thread_new(struct platform_as *as)
{
	struct null_thread *t;

	if (null.thread_count >= null.config.max_threads)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->pub.as = as;
	t->pub.regs_dirty = true;
	list_init(&t->script);
	as->thread_count++;
	null.thread_count++;
	return t;
}

static int null_as_create(struct platform_as **ret_as, struct platform_thread **ret_thread)
{
	struct platform_as *as = as_new();
	struct null_thread *t = as ? thread_new(as) : NULL;

	if (!t) {
		if (as)
			as_free(as);
		return as ? -EAGAIN : -ENOMEM;
	}
	*ret_as = as;
	*ret_thread = &t->pub;
	return 0;
}

static void null_as_kill(struct platform_as *as)
{
	as->dead = true;
	wait_queue_wake(&as->wakeups, ~0u);
	wait_queue_wake(&as->futexes, ~0u);
}

static int null_thread_clone(struct platform_thread *parent, const struct platform_clone *clone,
	struct platform_thread **ret_thread)
{
	struct platform_as *as = parent->as;
	struct null_thread *t;
	int err = 0;

	if (as->dead)
		return -ESRCH;
	if (clone->new_as) {
		as = as_new();
		if (!as)
			return -ENOMEM;
		err = null_as_copy(as, parent->as);
	}
	t = err == 0 ? thread_new(as) : NULL;
	if (!t) {
		if (clone->new_as)
			as_free(as);
		return err < 0 ? err : -EAGAIN;
	}
	t->pub.regs = clone->regs;
	memcpy(t->fpu, thread_of(parent)->fpu, FPU_SIZE);
	*ret_thread = &t->pub;
	return 0;
}

static void null_thread_release(struct platform_thread *thread)
{
	struct null_thread *t = thread_of(thread);
	struct scripted *scripted, *tmp;

	list_for_each_entry_safe (scripted, tmp, &t->script, link) {
		list_remove(&scripted->link);
		free(scripted);
	}
	null.thread_count--;
	if (--thread->as->thread_count == 0)
		as_free(thread->as);
	free(t);
}

/* Running */

static bool run_may_return(const struct null_thread *t)
{
	return t->pub.as->dead || t->interrupted || !list_empty(&t->script);
}

static void null_run(struct platform_thread *thread, struct platform_event *ret_event)
{
	struct null_thread *t = thread_of(thread);

	memset(ret_event, 0, sizeof(*ret_event));
	t->last_result = thread->regs.rax;
	thread->regs_dirty = false;
	t->active = true;
	if (fiber_current())
		wait_event(&thread->as->wakeups, run_may_return(t));
	t->active = false;
	if (thread->as->dead) {
		ret_event->kind = PLATFORM_EXITED;
	} else if (!list_empty(&t->script)) {
		struct scripted *scripted = list_first(&t->script, struct scripted, link);

		*ret_event = scripted->event;
		list_remove(&scripted->link);
		t->script_count--;
		free(scripted);
	} else {
		ret_event->kind = PLATFORM_INTERRUPTED;
	}
	t->interrupted = false;
	thread->regs.orig_rax = UINT64_MAX;
	if (ret_event->kind != PLATFORM_SYSCALL)
		return;
	thread->regs.rip += 2;
	thread->regs.orig_rax = ret_event->syscall.nr;
	thread->regs.rax = (uint64_t)-ENOSYS;
	thread->regs.rdi = ret_event->syscall.args[0];
	thread->regs.rsi = ret_event->syscall.args[1];
	thread->regs.rdx = ret_event->syscall.args[2];
	thread->regs.r10 = ret_event->syscall.args[3];
	thread->regs.r8 = ret_event->syscall.args[4];
	thread->regs.r9 = ret_event->syscall.args[5];
}

static void null_interrupt(struct platform_thread *thread)
{
	struct null_thread *t = thread_of(thread);

	if (!t->active)
		return;
	t->interrupted = true;
	wait_queue_wake(&thread->as->wakeups, ~0u);
	wait_queue_wake(&thread->as->futexes, ~0u);
}

static int push(struct platform_thread *thread, const struct platform_event *event)
{
	struct null_thread *t = thread_of(thread);
	struct scripted *scripted;

	if (t->script_count >= NUMBER_PUSHED)
		return -ENOMEM;
	scripted = malloc(sizeof(*scripted));
	if (!scripted)
		return -ENOMEM;
	scripted->event = *event;
	list_add_tail(&scripted->link, &t->script);
	t->script_count++;
	wait_queue_wake(&thread->as->wakeups, ~0u);
	return 0;
}

int null_push_syscall(struct platform_thread *thread, uint64_t nr, const uint64_t args[6])
{
	struct platform_event event = {.kind = PLATFORM_SYSCALL};

	event.syscall.nr = nr;
	memcpy(event.syscall.args, args, sizeof(event.syscall.args));
	return push(thread, &event);
}

int null_push_fault(struct platform_thread *thread, int signo, int code, uint64_t addr)
{
	struct platform_event event = {.kind = PLATFORM_FAULT};

	event.fault.signo = signo;
	event.fault.code = code;
	event.fault.addr = addr;
	return push(thread, &event);
}

int null_push_exit(struct platform_thread *thread, int host_status)
{
	struct platform_event event = {.kind = PLATFORM_EXITED};

	event.exited.host_status = host_status;
	return push(thread, &event);
}

uint64_t null_last_result(const struct platform_thread *thread)
{
	return thread_of(thread)->last_result;
}

/* Floating point: an opaque image. */

static ssize_t null_fpu_get(struct platform_thread *thread, void *image, size_t capacity)
{
	if (thread->as->dead)
		return -ESRCH;
	if (capacity < FPU_SIZE)
		return -EINVAL;
	memcpy(image, thread_of(thread)->fpu, FPU_SIZE);
	return FPU_SIZE;
}

static int null_fpu_set(struct platform_thread *thread, const void *image, size_t size)
{
	if (thread->as->dead)
		return -ESRCH;
	if (size != FPU_SIZE)
		return -EINVAL;
	memcpy(thread_of(thread)->fpu, image, FPU_SIZE);
	return 0;
}

static int null_fpu_reset(struct platform_thread *thread)
{
	if (thread->as->dead)
		return -ESRCH;
	memset(thread_of(thread)->fpu, 0, FPU_SIZE);
	return 0;
}

/* Futexes */

static int64_t futex_wait(
	struct null_thread *t, const struct platform_futex *futex, uint32_t bitset)
{
	struct platform_as *as = t->pub.as;
	struct futex_waiter waiter = {.uaddr = futex->uaddr.v, .bitset = bitset};
	uint32_t value;
	int err;

	if (!null_memory_read(as, futex->uaddr, &value, sizeof(value)))
		return -EFAULT;
	if (value != futex->val)
		return -EAGAIN;
	if (bitset == 0)
		return -EINVAL;
	list_add_tail(&waiter.link, &as->futex_waiters);
	t->active = true;
	t->interrupted = false;
	err = wait_event_deadline(&as->futexes, waiter.woken || t->interrupted || as->dead,
		futex->has_timeout ? futex->timeout_ns : WAIT_FOREVER);
	t->active = false;
	list_remove(&waiter.link);
	if (waiter.woken)
		return 0;
	if (as->dead)
		return -ESRCH;
	return err == -ETIMEDOUT ? -ETIMEDOUT : -ERESTARTSYS;
}

/* Wakes @wake waiters of @uaddr and moves @requeue others to @uaddr2. Returns how many were
 * touched. */
static int64_t futex_wake(struct platform_as *as, uint64_t uaddr, uint64_t wake, uint32_t bitset,
	uint64_t requeue, uint64_t uaddr2)
{
	struct futex_waiter *waiter, *tmp;
	int64_t count = 0;

	list_for_each_entry_safe (waiter, tmp, &as->futex_waiters, link) {
		if (waiter->uaddr != uaddr || waiter->woken || !(waiter->bitset & bitset))
			continue;
		if (wake > 0) {
			waiter->woken = true;
			wake--;
		} else if (requeue > 0) {
			waiter->uaddr = uaddr2;
			requeue--;
		} else {
			break;
		}
		count++;
	}
	wait_queue_wake(&as->futexes, ~0u);
	return count;
}

static int64_t null_futex(struct platform_thread *thread, const struct platform_futex *futex)
{
	struct platform_as *as = thread->as;
	uint32_t value;

	if (as->dead)
		return -ESRCH;
	if (futex->waitv_count)
		return -ENOSYS;
	switch (futex->op & LX_FUTEX_CMD_MASK) {
	case LX_FUTEX_WAIT:
		return futex_wait(thread_of(thread), futex, LX_FUTEX_BITSET_MATCH_ANY);
	case LX_FUTEX_WAIT_BITSET:
		return futex_wait(thread_of(thread), futex, futex->val3);
	case LX_FUTEX_WAKE:
		return futex_wake(as, futex->uaddr.v, futex->val, LX_FUTEX_BITSET_MATCH_ANY, 0, 0);
	case LX_FUTEX_WAKE_BITSET:
		return futex_wake(as, futex->uaddr.v, futex->val, futex->val3, 0, 0);
	case LX_FUTEX_CMP_REQUEUE:
		if (!null_memory_read(as, futex->uaddr, &value, sizeof(value)))
			return -EFAULT;
		if (value != futex->val3)
			return -EAGAIN;
		return futex_wake(as, futex->uaddr.v, futex->val, LX_FUTEX_BITSET_MATCH_ANY,
			futex->val2, futex->uaddr2.v);
	case LX_FUTEX_REQUEUE:
		return futex_wake(as, futex->uaddr.v, futex->val, LX_FUTEX_BITSET_MATCH_ANY,
			futex->val2, futex->uaddr2.v);
	default:
		return -ENOSYS;
	}
}

/* Facts */

static void null_vdso(struct platform_as *as, gaddr_t *ret_addr, uint64_t *ret_size)
{
	*ret_addr = GADDR_NULL;
	*ret_size = 0;
}

static gaddr_t null_guest_end(void)
{
	return GADDR(GUEST_END);
}

static int null_cpu_time(struct platform_thread *thread, uint64_t *ret_user, uint64_t *ret_system)
{
	if (thread->as->dead)
		return -ESRCH;
	*ret_user = *ret_system = 0;
	return 0;
}

static int null_usage(struct platform_thread *thread, struct platform_usage *ret)
{
	if (thread->as->dead)
		return -ESRCH;
	*ret = (struct platform_usage){.resident = thread->as->page_count * LX_PAGE_SIZE};
	return 0;
}

static int null_resident_size(struct platform_as *as, uint64_t *ret_size, uint64_t *ret_shared)
{
	if (as->dead)
		return -ESRCH;
	*ret_size = as->page_count * LX_PAGE_SIZE;
	if (ret_shared)
		*ret_shared = 0;
	return 0;
}

static int null_memory_use(struct platform_as *as, uint64_t *ret_size)
{
	return null_resident_size(as, ret_size, NULL);
}

const struct platform_ops platform_null = {
	.name = "null",
	.probe = null_probe,
	.start = null_start,
	.stop = null_stop,
	.as_create = null_as_create,
	.as_kill = null_as_kill,
	.thread_clone = null_thread_clone,
	.thread_release = null_thread_release,
	.run = null_run,
	.interrupt = null_interrupt,
	.fpu_get = null_fpu_get,
	.fpu_set = null_fpu_set,
	.fpu_reset = null_fpu_reset,
	.copy_in = null_copy_in,
	.copy_out = null_copy_out,
	.copy_out_deferred = null_copy_out_deferred,
	.map = null_map,
	.unmap = null_unmap,
	.protect = null_protect,
	.remap = null_remap,
	.advise = null_advise,
	.futex = null_futex,
	.vdso = null_vdso,
	.guest_end = null_guest_end,
	.cpu_time = null_cpu_time,
	.usage = null_usage,
	.resident_size = null_resident_size,
	.memory_use = null_memory_use,
};
