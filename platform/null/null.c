/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The null platform: runs no code. For unit tests of what is above, and it keeps platform.h honest:
 * every slot is here, with the contract's errors, in ordinary memory.
 *
 * Files: a private mapping copies the pages at the time of the mapping; a shared one maps host
 * pages, so that writes reach the file. Futexes have values and waiters but no guest that would
 * ever change a word by itself.
 */
#include "platform/null/null.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "abi/limits.h"
#include "abi/mman.h"
#include "base/checked.h"
#include "base/fiber.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/wait.h"

#define GUEST_END     0x7fffff000000ull
#define PAGES_MAX     (64u * 1024) /* mapped pages of an address space: unit tests are small */
#define FPU_SIZE      832	   /* legacy area, header, AVX */
#define NUMBER_PUSHED 1024

struct null_page {
	struct hash_entry node;
	uint64_t index; /* address / LX_PAGE_SIZE */
	int prot;
	bool shared; /* @bytes is a host mapping of a file, else malloc()ed */
	uint8_t *bytes;
};

struct platform_as {
	struct hash_table pages;
	unsigned page_count, thread_count;
	bool dead;
	struct null_record records[NULL_RECORDS_MAX];
	size_t record_count;
	unsigned fail_after;
	int fail_error;
	struct wait_queue wakeups; /* of threads in run() */
	struct wait_queue futexes;
	struct list_head futex_waiters;
};

struct scripted {
	struct list_head link;
	struct platform_event event;
};

struct null_thread {
	struct platform_thread pub; /* first: the two pointers convert */
	struct list_head script;
	unsigned script_count;
	bool interrupted, active;
	uint64_t last_result;
	uint8_t fpu[FPU_SIZE];
};

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

static struct null_thread *thread_of(const struct platform_thread *thread)
{
	return (struct null_thread *)thread;
}

/* Pages */

static struct null_page *page_find(struct platform_as *as, uint64_t index)
{
	struct null_page *page;

	hash_for_each_match(page, &as->pages, hash_u64(index), node)
	{
		if (page->index == index)
			return page;
	}
	return NULL;
}

static void page_free(struct platform_as *as, struct null_page *page)
{
	hash_remove(&as->pages, &page->node);
	as->page_count--;
	if (page->shared)
		munmap(page->bytes, LX_PAGE_SIZE);
	else
		free(page->bytes);
	free(page);
}

/* Of a fresh page. NULL or the bytes; private ones hold what the file had. */
static uint8_t *page_bytes(const struct platform_map *map, uint64_t offset)
{
	uint8_t *bytes;

	if (map && map->shared) {
		bytes = mmap(NULL, LX_PAGE_SIZE,
			PROT_READ | (map->prot & LX_PROT_WRITE ? PROT_WRITE : 0), MAP_SHARED,
			map->fd, (off_t)offset);
		return bytes == MAP_FAILED ? NULL : bytes;
	}
	bytes = calloc(1, LX_PAGE_SIZE);
	if (bytes && map && map->fd >= 0 &&
		pread(map->fd, bytes, LX_PAGE_SIZE, (off_t)offset) < 0) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

static int page_add(struct platform_as *as, uint64_t index, int prot,
	const struct platform_map *map, uint64_t offset)
{
	struct null_page *page;

	if (as->page_count >= PAGES_MAX)
		return -ENOMEM;
	page = calloc(1, sizeof(*page));
	if (!page)
		return -ENOMEM;
	page->index = index;
	page->prot = prot;
	page->shared = map && map->shared;
	page->bytes = page_bytes(map, offset);
	if (!page->bytes || hash_insert(&as->pages, &page->node, hash_u64(index)) < 0) {
		if (page->bytes && page->shared)
			munmap(page->bytes, LX_PAGE_SIZE);
		else
			free(page->bytes);
		free(page);
		return -ENOMEM;
	}
	as->page_count++;
	return 0;
}

static void pages_drop(struct platform_as *as, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct null_page *page = page_find(as, first + i);

		if (page)
			page_free(as, page);
	}
}

/* Copies up to the first page that is missing or lacks one of @need. */
static size_t memory_copy(
	struct platform_as *as, void *host, uint64_t guest, size_t size, bool write, int need)
{
	size_t done = 0;

	while (done < size && guest + done < GUEST_END && guest + done >= guest) {
		uint64_t addr = guest + done, offset = addr % LX_PAGE_SIZE;
		size_t part = (size_t)min_of((uint64_t)(size - done), LX_PAGE_SIZE - offset);
		struct null_page *page = page_find(as, addr / LX_PAGE_SIZE);

		if (!page || (page->prot & need) != need)
			break;
		if (write)
			memcpy(page->bytes + offset, (const char *)host + done, part);
		else
			memcpy((char *)host + done, page->bytes + offset, part);
		done += part;
	}
	return done;
}

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
	struct hash_entry *entry;

	while ((entry = hash_first(&as->pages)))
		page_free(as, container_of(entry, struct null_page, node));
	hash_fini(&as->pages);
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

static int as_copy(struct platform_as *to, struct platform_as *from)
{
	struct null_page *page;

	hash_for_each_entry (page, &from->pages, node) {
		int err = page_add(to, page->index, page->prot, NULL, 0);

		if (err < 0)
			return err;
		/* A shared page would need its file: the copy is a snapshot, which null.h's users
		 * know. */
		memcpy(page_find(to, page->index)->bytes, page->bytes, LX_PAGE_SIZE);
	}
	return 0;
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
		err = as_copy(as, parent->as);
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

/* Guest memory */

static ssize_t null_copy_in(struct platform_thread *thread, void *dst, gaddr_t src, size_t size)
{
	if (thread->as->dead)
		return -ESRCH;
	return (ssize_t)memory_copy(thread->as, dst, src.v, size, false, LX_PROT_READ);
}

static ssize_t null_copy_out(
	struct platform_thread *thread, gaddr_t dst, const void *src, size_t size)
{
	if (thread->as->dead)
		return -ESRCH;
	return (ssize_t)memory_copy(thread->as, (void *)src, dst.v, size, true, LX_PROT_WRITE);
}

static int null_copy_out_deferred(
	struct platform_thread *thread, gaddr_t dst, const void *src, size_t size)
{
	ssize_t count = null_copy_out(thread, dst, src, size);

	if (count < 0)
		return (int)count;
	return (size_t)count == size ? 0 : -EFAULT;
}

bool null_memory_write(struct platform_as *as, gaddr_t addr, const void *src, size_t size)
{
	return memory_copy(as, (void *)src, addr.v, size, true, 0) == size;
}

bool null_memory_read(struct platform_as *as, gaddr_t addr, void *dst, size_t size)
{
	return memory_copy(as, dst, addr.v, size, false, 0) == size;
}

int null_protection(struct platform_as *as, gaddr_t addr)
{
	struct null_page *page = page_find(as, addr.v / LX_PAGE_SIZE);

	return page ? page->prot : -1;
}

/* Mapping operations */

static int record(struct platform_as *as, const struct null_record *record)
{
	as->records[as->record_count++ % NULL_RECORDS_MAX] = *record;
	return record->result;
}

size_t null_record_count(const struct platform_as *as)
{
	return as->record_count;
}

const struct null_record *null_record(const struct platform_as *as, size_t back)
{
	if (back >= as->record_count || back >= NULL_RECORDS_MAX)
		return NULL;
	return &as->records[(as->record_count - 1 - back) % NULL_RECORDS_MAX];
}

void null_fail_mapping(struct platform_as *as, unsigned n, int err)
{
	as->fail_after = n;
	as->fail_error = err;
}

/* What every operation checks first: 0 when it may go on. */
static int mapping_check(struct platform_as *as, gaddr_t addr, uint64_t size)
{
	uint64_t end;

	if (as->dead)
		return -ESRCH;
	if (as->fail_after > 0 && --as->fail_after == 0)
		return as->fail_error;
	if (addr.v % LX_PAGE_SIZE || size == 0 || !add_checked(addr.v, size, &end) ||
		end > GUEST_END)
		return -EINVAL;
	return size / LX_PAGE_SIZE >= PAGES_MAX ? -ENOMEM : 0;
}

static uint64_t page_count(uint64_t size)
{
	return (size + LX_PAGE_SIZE - 1) / LX_PAGE_SIZE;
}

static int do_map(struct platform_as *as, const struct platform_map *map)
{
	uint64_t first = map->addr.v / LX_PAGE_SIZE, count = page_count(map->size);
	int err = mapping_check(as, map->addr, map->size);

	if (err < 0)
		return err;
	if (map->shared && map->fd < 0)
		return -EINVAL;
	pages_drop(as, first, count);
	for (uint64_t i = 0; i < count; i++) {
		err = page_add(as, first + i, map->prot, map, map->offset + i * LX_PAGE_SIZE);
		if (err < 0) {
			pages_drop(as, first, i);
			return err;
		}
	}
	return 0;
}

static int null_map(struct platform_thread *thread, const struct platform_map *map)
{
	return record(thread->as, &(struct null_record){
					  .op = NULL_MAP,
					  .addr = map->addr,
					  .size = map->size,
					  .prot = map->prot,
					  .fd = map->fd,
					  .offset = map->offset,
					  .shared = map->shared,
					  .noreserve = map->noreserve,
					  .result = do_map(thread->as, map),
				  });
}

static int null_unmap(struct platform_thread *thread, gaddr_t addr, uint64_t size)
{
	int err = mapping_check(thread->as, addr, size);

	if (err == 0)
		pages_drop(thread->as, addr.v / LX_PAGE_SIZE, page_count(size));
	return record(thread->as,
		&(struct null_record){
			.op = NULL_UNMAP, .addr = addr, .size = size, .fd = -1, .result = err});
}

static int do_protect(struct platform_as *as, gaddr_t addr, uint64_t size, int prot)
{
	int err = mapping_check(as, addr, size);

	/* mprotect(2): the pages before the hole have changed by then. */
	for (uint64_t i = 0; err == 0 && i < page_count(size); i++) {
		struct null_page *page = page_find(as, addr.v / LX_PAGE_SIZE + i);

		if (page)
			page->prot = prot;
		else
			err = -ENOMEM;
	}
	return err;
}

static int null_protect(struct platform_thread *thread, gaddr_t addr, uint64_t size, int prot)
{
	return record(thread->as, &(struct null_record){
					  .op = NULL_PROTECT,
					  .addr = addr,
					  .size = size,
					  .prot = prot,
					  .fd = -1,
					  .result = do_protect(thread->as, addr, size, prot),
				  });
}

/* Moves a page's contents and protection to another index. */
static void page_move(struct platform_as *as, struct null_page *page, uint64_t index)
{
	hash_remove(&as->pages, &page->node);
	page->index = index;
	/* Cannot fail: the table has its buckets. */
	(void)hash_insert(&as->pages, &page->node, hash_u64(index));
}

static int do_remap(struct platform_as *as, gaddr_t old_addr, uint64_t old_size, uint64_t new_size,
	gaddr_t new_addr)
{
	uint64_t from = old_addr.v / LX_PAGE_SIZE, to = new_addr.v / LX_PAGE_SIZE;
	uint64_t old_count = page_count(old_size), new_count = page_count(new_size);
	struct null_page *last = page_find(as, from + old_count - 1);
	int err = mapping_check(as, old_addr, old_size);

	if (err == 0)
		err = mapping_check(as, new_addr, new_size);
	if (err < 0)
		return err;
	if (!last)
		return -EFAULT;
	for (uint64_t i = old_count; i < new_count; i++) {
		pages_drop(as, to + i, 1);
		err = page_add(as, to + i, last->prot, NULL, 0);
		if (err < 0)
			return err;
	}
	for (uint64_t i = 0; i < old_count; i++) {
		struct null_page *page = page_find(as, from + i);

		if (!page)
			continue;
		if (i >= new_count) {
			page_free(as, page);
		} else if (from != to) {
			pages_drop(as, to + i, 1);
			page_move(as, page, to + i);
		}
	}
	return 0;
}

static int null_remap(struct platform_thread *thread, gaddr_t old_addr, uint64_t old_size,
	uint64_t new_size, gaddr_t new_addr)
{
	return record(thread->as,
		&(struct null_record){
			.op = NULL_REMAP,
			.addr = old_addr,
			.size = old_size,
			.new_addr = new_addr,
			.new_size = new_size,
			.fd = -1,
			.result = do_remap(thread->as, old_addr, old_size, new_size, new_addr),
		});
}

static int null_advise(struct platform_thread *thread, gaddr_t addr, uint64_t size, int advice)
{
	int err = mapping_check(thread->as, addr, size);

	for (uint64_t i = 0; err == 0 && advice == LX_MADV_DONTNEED && i < page_count(size); i++) {
		struct null_page *page = page_find(thread->as, addr.v / LX_PAGE_SIZE + i);

		if (!page)
			err = -ENOMEM;
		else if (!page->shared)
			memset(page->bytes, 0, LX_PAGE_SIZE);
	}
	return record(thread->as, &(struct null_record){.op = NULL_ADVISE,
					  .addr = addr,
					  .size = size,
					  .prot = advice,
					  .fd = -1,
					  .result = err});
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

static int null_resident_size(struct platform_as *as, uint64_t *ret_size)
{
	if (as->dead)
		return -ESRCH;
	*ret_size = as->page_count * LX_PAGE_SIZE;
	return 0;
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
	.resident_size = null_resident_size,
};
