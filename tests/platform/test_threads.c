/* SPDX-License-Identifier: Apache-2.0 */
/* Forks, threads, futexes, caps; what it all costs. */
#include "tests/platform/driver.h"

#include <errno.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "abi/mman.h"

void test_fork(void)
{
	struct platform_thread *t = GUEST(syscalls), *child, *grandchild;
	struct platform_clone clone = {.new_as = true};
	struct platform_event event;
	uint64_t value = 0;

	if (!t)
		return;
	run(t, &event);
	CHECK_EQ(platform->copy_out(t, GADDR(DATA), "parent", 7), 7);
	clone.regs = t->regs;
	clone.regs.rbx = 500;
	clone.regs.rax = 0;
	CHECK_EQ(platform->thread_clone(t, &clone, &child), 0);
	CHECK(child->as != t->as);
	CHECK_EQ(platform->copy_out(child, GADDR(DATA), "child", 6), 6);
	CHECK_EQ(platform->copy_in(t, &value, GADDR(DATA), 7), 7);
	CHECK(!memcmp(&value, "parent", 7));
	run(child, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 1001);
	CHECK_EQ(child->regs.rbx, 500);
	t->regs.rax = 3;
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(t->regs.rbx, 3);
	CHECK_EQ(platform->thread_clone(child, &clone, &grandchild), 0);
	guest_end(child);
	run(grandchild, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(platform->copy_in(grandchild, &value, GADDR(DATA), 6), 6);
	CHECK(!memcmp(&value, "child", 6));
	guest_end(grandchild);
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	guest_end(t);
}

void count_fiber(void *arg)
{
	struct counter *counter = arg;
	struct platform_event event;

	run(counter->thread, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 1000);
	guest_end(counter->thread);
	if (--*counter->left == 0)
		wait_queue_wake(counter->done, ~0u);
}

void test_threads(void)
{
	enum { THREADS = 8, ROUNDS = 200000 };
	struct platform_thread *t = GUEST(count);
	struct counter counters[THREADS];
	struct platform_clone clone = {0};
	struct platform_event event;
	struct wait_queue done;
	struct fiber *fiber;
	unsigned left = THREADS;
	uint64_t value = 0, user, system, size;

	if (!t)
		return;
	wait_queue_init(&done);
	t->regs.rdi = DATA;
	t->regs.rsi = ROUNDS;
	clone.regs = t->regs;
	for (unsigned i = 0; i < THREADS; i++) {
		counters[i] = (struct counter){.left = &left, .done = &done};
		CHECK_EQ(platform->thread_clone(t, &clone, &counters[i].thread), 0);
		CHECK(counters[i].thread->as == t->as);
		CHECK_EQ(fiber_create(&fiber, "count", count_fiber, &counters[i]), 0);
	}
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	wait_event(&done, left == 0);
	CHECK_EQ(platform->copy_in(t, &value, GADDR(DATA), 8), 8);
	CHECK_EQ(value, (THREADS + 1ull) * ROUNDS);
	CHECK_EQ(platform->cpu_time(t, &user, &system), 0);
	CHECK(user + system > 0 && user + system < 10000000000ull);
	CHECK_EQ(platform->resident_size(t->as, &size, NULL), 0);
	CHECK(size >= 4096 && size < (64 << 20));
	guest_end(t);
	wait_queue_destroy(&done);
}

/* The first thread of a process leaves, the others go on; then the process dies under them. */
void test_leader_leaves(void)
{
	struct platform_thread *t = GUEST(syscalls), *other, *third;
	struct platform_clone clone = {0};
	struct platform_event event;
	uint64_t size;

	if (!t)
		return;
	clone.regs = t->regs;
	CHECK_EQ(platform->thread_clone(t, &clone, &other), 0);
	guest_end(t);
	sleep_ns(2000000);
	run(other, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(platform->resident_size(other->as, &size, NULL), 0);
	CHECK_EQ(platform->thread_clone(other, &clone, &third), 0);
	run(third, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(platform->unmap(third, GADDR(DATA), 4096), 0);
	platform->as_kill(other->as);
	run(third, &event);
	CHECK_EQ(event.kind, PLATFORM_EXITED);
	run(other, &event);
	CHECK_EQ(event.kind, PLATFORM_EXITED);
	guest_end(third);
	guest_end(other);
}

#define AWAIT_NS 20000000000ull

struct futex_waiter {
	struct platform_thread *thread;
	struct platform_futex futex;
	int64_t result;
	bool done;
};

static void futex_fiber(void *arg)
{
	struct futex_waiter *waiter = arg;

	waiter->result = platform->futex(waiter->thread, &waiter->futex);
	waiter->done = true;
}

/* However slow the machine is. */
static void await_done(const struct futex_waiter *waiter)
{
	uint64_t end = loop_monotonic_now() + AWAIT_NS;

	while (!waiter->done && loop_monotonic_now() < end)
		sleep_ns(1000000);
	CHECK(waiter->done);
}

/* Until one was woken: it may not have got to its wait yet. */
static int64_t wake_one(struct platform_thread *t, const struct platform_futex *wake)
{
	uint64_t end = loop_monotonic_now() + AWAIT_NS;
	int64_t woken;

	while ((woken = platform->futex(t, wake)) == 0 && loop_monotonic_now() < end)
		sleep_ns(1000000);
	return woken;
}

void test_futex(void)
{
	struct platform_thread *t = GUEST(syscalls), *other;
	struct platform_clone clone = {0};
	struct platform_event event;
	struct futex_waiter waiter = {0};
	struct platform_futex wake = {
		.op = LX_FUTEX_WAKE | LX_FUTEX_PRIVATE_FLAG, .uaddr = GADDR(DATA), .val = 1};
	struct fiber *fiber;
	uint64_t start;

	if (!t)
		return;
	clone.regs = t->regs;
	CHECK_EQ(platform->thread_clone(t, &clone, &other), 0);
	waiter.thread = other;
	waiter.futex = (struct platform_futex){
		.op = LX_FUTEX_WAIT | LX_FUTEX_PRIVATE_FLAG, .uaddr = GADDR(DATA), .val = 0};
	CHECK_EQ(platform->futex(t, &wake), 0);
	/* Woken. */
	CHECK_EQ(fiber_create(&fiber, "futex", futex_fiber, &waiter), 0);
	sleep_ns(2000000);
	CHECK(!waiter.done);
	CHECK_EQ(wake_one(t, &wake), 1);
	await_done(&waiter);
	CHECK_EQ(waiter.result, 0);
	/* Interrupted. */
	waiter.done = false;
	CHECK_EQ(fiber_create(&fiber, "futex", futex_fiber, &waiter), 0);
	sleep_ns(2000000);
	platform->interrupt(other);
	await_done(&waiter);
	CHECK_EQ(waiter.result, -ERESTARTSYS);
	CHECK_EQ(platform->futex(t, &wake), 0);
	run(other, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 1000);
	/* Wrong value, bad address, timeout. */
	waiter.futex.val = 5;
	CHECK_EQ(platform->futex(t, &waiter.futex), -EAGAIN);
	waiter.futex.uaddr = GADDR(0x1000);
	CHECK_EQ(platform->futex(t, &waiter.futex), -EFAULT);
	waiter.futex.uaddr = GADDR(DATA);
	waiter.futex.val = 0;
	waiter.futex.has_timeout = true;
	start = loop_monotonic_now();
	waiter.futex.timeout_ns = start + 3000000;
	CHECK_EQ(platform->futex(t, &waiter.futex), -ETIMEDOUT);
	CHECK(loop_monotonic_now() - start >= 3000000);
	waiter.futex.op = LX_FUTEX_WAIT_BITSET | LX_FUTEX_CLOCK_REALTIME;
	waiter.futex.val3 = ~0u;
	waiter.futex.timeout_ns = loop_realtime_now() + 3000000;
	CHECK_EQ(platform->futex(t, &waiter.futex), -ETIMEDOUT);
	waiter.futex.timeout_ns = 0;
	CHECK_EQ(platform->futex(t, &waiter.futex), -ETIMEDOUT);
	waiter.futex.op = LX_FUTEX_LOCK_PI;
	CHECK_EQ(platform->futex(t, &waiter.futex), -ENOSYS);
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 1000);
	guest_end(t);
	guest_end(other);
}

void test_many(void)
{
	enum { COUNT = 64 };
	struct platform_thread *threads[COUNT];
	struct platform_event event;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < COUNT; i++)
			threads[i] = GUEST(syscalls);
		for (unsigned i = 0; i < COUNT; i++) {
			if (!threads[i])
				continue;
			run(threads[i], &event);
			CHECK_EQ(event.kind, PLATFORM_SYSCALL);
			guest_end(threads[i]);
		}
	}
}

/* The cap on threads answers EAGAIN, and what was taken comes back. */
void test_cap(void)
{
	static struct platform_thread *threads[512];
	struct platform_thread *first = GUEST(syscalls);
	struct platform_clone clone = {0};
	unsigned count = 0;
	int err = 0;

	if (!first)
		return;
	clone.regs = first->regs;
	while (count < 512) {
		err = platform->thread_clone(first, &clone, &threads[count]);
		if (err < 0)
			break;
		count++;
	}
	CHECK_EQ(err, -EAGAIN);
	CHECK(count >= 100);
	while (count > 0)
		guest_end(threads[--count]);
	guest_end(first);
	sleep_ns(20000000);
	guest_end(GUEST(syscalls));
}

/* Computing threads use the cores that there are, and calls are quick again afterwards. */
void test_parallel(void)
{
	enum { ROUNDS = 30000000 };
	struct platform_thread *t = GUEST(count), *other;
	struct platform_clone clone = {0};
	struct platform_event event;
	struct wait_queue done;
	struct counter counter = {.done = &done};
	struct fiber *fiber;
	unsigned left = 1;
	uint64_t start, alone, together;

	if (!t)
		return;
	wait_queue_init(&done);
	t->regs.rdi = DATA;
	t->regs.rsi = ROUNDS;
	clone.regs = t->regs;
	clone.regs.rdi = DATA + 2048;
	CHECK_EQ(platform->thread_clone(t, &clone, &other), 0);
	start = loop_monotonic_now();
	run(t, &event);
	alone = loop_monotonic_now() - start;
	t->regs = clone.regs;
	t->regs.rdi = DATA;
	t->regs_dirty = true;
	counter.thread = other;
	counter.left = &left;
	start = loop_monotonic_now();
	CHECK_EQ(fiber_create(&fiber, "count", count_fiber, &counter), 0);
	run(t, &event);
	wait_event(&done, left == 0);
	together = loop_monotonic_now() - start;
	printf("  two computing threads take %.2f times as long as one\n",
		(double)together / (double)alone);
	guest_end(t);
	wait_queue_destroy(&done);
}

void test_latency(void)
{
	enum { CALLS = 20000 };
	struct platform_thread *t = GUEST(loop_calls);
	struct platform_event event;
	uint64_t start, spent;

	if (!t)
		return;
	start = loop_monotonic_now();
	for (unsigned i = 0; i < CALLS; i++) {
		platform->run(t, &event);
		t->regs.rax = i;
	}
	spent = loop_monotonic_now() - start;
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	printf("  %.2f us for each call\n", (double)spent / CALLS / 1000);
	start = loop_monotonic_now();
	for (unsigned i = 0; i < 1000; i++)
		platform->protect(t, GADDR(DATA), 4096, LX_PROT_READ);
	spent = loop_monotonic_now() - start;
	printf("  %.2f us for each mprotect\n", (double)spent / 1000 / 1000);
	start = loop_monotonic_now();
	for (unsigned i = 0; i < 100; i++) {
		struct platform_clone clone = {.new_as = true, .regs = t->regs};
		struct platform_thread *child;

		CHECK_EQ(platform->thread_clone(t, &clone, &child), 0);
		guest_end(child);
	}
	spent = loop_monotonic_now() - start;
	printf("  %.2f us for each fork and release\n", (double)spent / 100 / 1000);
	guest_end(t);
}
