/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "abi/mman.h"
#include "base/fiber.h"
#include "base/loop.h"
#include "base/wait.h"
#include "platform/null/null.h"

#define RW (LX_PROT_READ | LX_PROT_WRITE)

static struct platform_as *as;
static struct platform_thread *thread;
static const struct platform_ops *const ops = &platform_null;

static void setup(void)
{
	const struct platform_config config = {.max_threads = 3};
	const char *why;

	cr_assert_eq(loop_init(), 0);
	cr_assert_eq(ops->start(&config, NULL, &why), 0);
	cr_assert_eq(ops->as_create(&as, &thread), 0);
}

static int map_at(uint64_t addr, uint64_t size, int prot, int fd, bool shared)
{
	const struct platform_map map = {GADDR(addr), size, prot, shared, fd, 0, false};

	return ops->map(thread, &map);
}

Test(null, scripted_events, .init = setup)
{
	const uint64_t args[6] = {1, 2, 3, 4, 5, 6};
	struct platform_event event;

	cr_assert_eq(null_push_syscall(thread, 39, args), 0);
	cr_assert_eq(null_push_fault(thread, SIGSEGV, 1, 0x1000), 0);
	ops->run(thread, &event);
	cr_assert_eq(event.kind, PLATFORM_SYSCALL);
	cr_assert_eq(event.syscall.nr, 39);
	cr_assert_eq(thread->regs.r9, 6);
	thread->regs.rax = 1234;
	ops->run(thread, &event);
	cr_assert_eq(null_last_result(thread), 1234);
	cr_assert_eq(event.kind, PLATFORM_FAULT);
	cr_assert_eq(event.fault.addr, 0x1000);
	cr_assert_eq(thread->regs.orig_rax, UINT64_MAX);
	ops->as_kill(as);
	ops->run(thread, &event);
	cr_assert_eq(event.kind, PLATFORM_EXITED);
	ops->thread_release(thread);
}

Test(null, memory_and_protections, .init = setup)
{
	char text[8] = "";

	cr_assert_eq(map_at(0x10000, 8192, RW, -1, false), 0);
	cr_assert_eq(ops->copy_out(thread, GADDR(0x10000 + 8190), "abcd", 4), 2);
	cr_assert_eq(ops->copy_out_deferred(thread, GADDR(0x10000 + 8190), "abcd", 4), -EFAULT);
	cr_assert_eq(ops->copy_in(thread, text, GADDR(0x10000 + 8190), 4), 2);
	cr_assert_eq(memcmp(text, "ab", 2), 0);
	cr_assert_eq(ops->protect(thread, GADDR(0x10000), 4096, LX_PROT_READ), 0);
	cr_assert_eq(ops->copy_out(thread, GADDR(0x10000), "abcd", 4), 0);
	cr_assert(null_memory_write(as, GADDR(0x10000), "abcd", 4));
	cr_assert_eq(ops->copy_in(thread, text, GADDR(0x10000), 4), 4);
	cr_assert_eq(null_protection(as, GADDR(0x10000)), LX_PROT_READ);
	cr_assert_eq(ops->unmap(thread, GADDR(0x10000), 4096), 0);
	cr_assert_eq(null_protection(as, GADDR(0x10000)), -1);
	cr_assert_eq(ops->copy_in(thread, text, GADDR(UINT64_MAX - 2), 8), 0);
	cr_assert_eq(map_at(ops->guest_end().v - 4096, 8192, RW, -1, false), -EINVAL);
	cr_assert_eq(map_at(0x10000, 4096, RW, -1, true), -EINVAL);
	ops->thread_release(thread);
}

Test(null, remap_and_records, .init = setup)
{
	char text[8] = "";

	cr_assert_eq(map_at(0x10000, 4096, RW, -1, false), 0);
	cr_assert_eq(ops->copy_out(thread, GADDR(0x10000), "move", 4), 4);
	cr_assert_eq(ops->remap(thread, GADDR(0x10000), 4096, 8192, GADDR(0x40000)), 0);
	cr_assert_eq(ops->copy_in(thread, text, GADDR(0x40000), 4), 4);
	cr_assert_eq(memcmp(text, "move", 4), 0);
	cr_assert_eq(null_protection(as, GADDR(0x41000)), RW);
	cr_assert_eq(null_protection(as, GADDR(0x10000)), -1);
	cr_assert_eq(null_record_count(as), 2);
	cr_assert_eq(null_record(as, 0)->op, NULL_REMAP);
	cr_assert_eq(null_record(as, 1)->op, NULL_MAP);
	cr_assert_null(null_record(as, 2));
	null_fail_mapping(as, 2, -ENOMEM);
	cr_assert_eq(ops->advise(thread, GADDR(0x40000), 4096, LX_MADV_DONTNEED), 0);
	cr_assert_eq(map_at(0x10000, 4096, RW, -1, false), -ENOMEM);
	cr_assert_eq(map_at(0x10000, 4096, RW, -1, false), 0);
	ops->thread_release(thread);
}

Test(null, files, .init = setup)
{
	int fd = memfd_create("null", MFD_CLOEXEC);
	char text[4];

	cr_assert_eq(ftruncate(fd, 4096), 0);
	cr_assert_eq(pwrite(fd, "file", 4, 0), 4);
	cr_assert_eq(map_at(0x10000, 4096, RW, fd, false), 0);
	cr_assert_eq(map_at(0x20000, 4096, RW, fd, true), 0);
	cr_assert_eq(ops->copy_in(thread, text, GADDR(0x10000), 4), 4);
	cr_assert_eq(memcmp(text, "file", 4), 0);
	cr_assert_eq(ops->copy_out(thread, GADDR(0x10000), "mine", 4), 4);
	cr_assert_eq(pread(fd, text, 4, 0), 4);
	cr_assert_eq(memcmp(text, "file", 4), 0);
	cr_assert_eq(ops->copy_out(thread, GADDR(0x20000), "ours", 4), 4);
	cr_assert_eq(pread(fd, text, 4, 0), 4);
	cr_assert_eq(memcmp(text, "ours", 4), 0);
	ops->thread_release(thread);
}

Test(null, fork_copies_and_threads_share, .init = setup)
{
	struct platform_clone clone = {.new_as = true};
	struct platform_thread *child, *other, *third;
	char text[4];

	cr_assert_eq(map_at(0x10000, 4096, RW, -1, false), 0);
	cr_assert_eq(ops->copy_out(thread, GADDR(0x10000), "one", 4), 4);
	cr_assert_eq(ops->thread_clone(thread, &clone, &child), 0);
	clone.new_as = false;
	cr_assert_eq(ops->thread_clone(thread, &clone, &other), 0);
	cr_assert_eq(ops->thread_clone(thread, &clone, &third), -EAGAIN);
	cr_assert_eq(ops->copy_out(other, GADDR(0x10000), "two", 4), 4);
	cr_assert_eq(ops->copy_in(thread, text, GADDR(0x10000), 4), 4);
	cr_assert_str_eq(text, "two");
	cr_assert_eq(ops->copy_in(child, text, GADDR(0x10000), 4), 4);
	cr_assert_str_eq(text, "one");
	ops->thread_release(child);
	ops->thread_release(thread);
	ops->thread_release(other);
}

static int64_t wait_result;

static void waiter_fiber(void *arg)
{
	const struct platform_futex futex = {.op = LX_FUTEX_WAIT, .uaddr = GADDR(0x10000)};

	wait_result = ops->futex(arg, &futex);
}

static void futex_fiber(void *arg)
{
	struct platform_futex futex = {.op = LX_FUTEX_WAKE, .uaddr = GADDR(0x10000), .val = 1};
	struct platform_clone clone = {0};
	struct platform_thread *other;
	struct fiber *fiber;

	cr_assert_eq(ops->thread_clone(thread, &clone, &other), 0);
	for (int round = 0; round < 2; round++) {
		wait_result = 1;
		cr_assert_eq(fiber_create(&fiber, "waiter", waiter_fiber, other), 0);
		wait_sleep(NULL, 0, loop_monotonic_now() + 1000000, false, false);
		cr_assert_eq(wait_result, 1);
		if (round == 0)
			cr_assert_eq(ops->futex(thread, &futex), 1);
		else
			ops->interrupt(other);
		wait_sleep(NULL, 0, loop_monotonic_now() + 1000000, false, false);
		cr_assert_eq(wait_result, round == 0 ? 0 : -ERESTARTSYS);
	}
	futex.op = LX_FUTEX_WAIT;
	futex.has_timeout = true;
	futex.timeout_ns = loop_monotonic_now() + 1000000;
	futex.val = 0;
	cr_assert_eq(ops->futex(thread, &futex), -ETIMEDOUT);
	futex.val = 1;
	cr_assert_eq(ops->futex(thread, &futex), -EAGAIN);
	ops->thread_release(other);
	loop_stop(0);
}

Test(null, futexes, .init = setup)
{
	struct fiber *fiber;

	cr_assert_eq(map_at(0x10000, 4096, RW, -1, false), 0);
	cr_assert_eq(fiber_create(&fiber, "futex", futex_fiber, NULL), 0);
	loop_run();
	ops->thread_release(thread);
	loop_fini();
}
