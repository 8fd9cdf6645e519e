/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests that turn against the stub in their own process: they call the host from the stub's text,
 * scribble over the channel, unmap the stub, leave behind the Sentry's back. Each must come to its
 * own end, or go on, while a guest in another process sees nothing of it. Systrap only.
 *
 * usage: platform_hostile [TEST...]
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/mman.h"
#include "base/checked.h"
#include "base/fiber.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/wait.h"
#include "platform/platform.h"
#include "platform/systrap/stub/layout.h"

#define CODE  0x400000ull
#define DATA  0x500000ull
#define STACK 0x600000ull

#define FAST_TEXT_SIZE 0x230u /* of fast.S, and a little more */

extern const uint8_t code_gadget[], code_gadget_end[], code_syscalls[], code_syscalls_end[];
extern const uint8_t code_call_rbx[], code_call_rbx_end[];
extern const uint8_t code_scribble[], code_scribble_end[], code_spin[], code_spin_end[];

static const char *current_test;
static unsigned failures, violations;
static uint64_t gadget; /* a "syscall; ret" in the stub's text */

static void check_at(int line, bool ok, const char *what)
{
	if (ok)
		return;
	failures++;
	printf("%s: line %d: %s\n", current_test, line, what);
}
#define CHECK(cond) check_at(__LINE__, cond, #cond)

static struct platform_thread *guest_new(const uint8_t *code, const uint8_t *end)
{
	const struct platform_map map = {GADDR(CODE), STACK - CODE,
		LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC, false, -1, 0, false};
	struct platform_thread *thread;
	struct platform_as *as;

	if (platform->as_create(&as, &thread) < 0 || platform->map(thread, &map) < 0) {
		printf("%s: no guest\n", current_test);
		_exit(1);
	}
	(void)platform->copy_out(thread, GADDR(CODE), code, (size_t)(end - code));
	thread->kernel_data = thread;
	thread->regs = (struct guest_regs){
		.rip = CODE, .rsp = STACK - 64, .eflags = 0x202, .orig_rax = UINT64_MAX};
	thread->regs_dirty = true;
	return thread;
}

static void find_gadget(void)
{
	struct platform_thread *t = guest_new(code_spin, code_spin_end);
	static uint8_t text[STUB_TEXT_SIZE];
	ssize_t size = platform->copy_in(t, text, GADDR(STUB_TEXT_BASE), 4096);

	for (ssize_t i = 0; i + 3 <= size; i++) {
		if (text[i] == 0x0f && text[i + 1] == 0x05 && text[i + 2] == 0xc3)
			gadget = STUB_TEXT_BASE + (uint64_t)i;
	}
	CHECK(gadget != 0);
	platform->thread_release(t);
}

/* A guest that makes call @nr through the gadget and then reports the result as call 1000. */
static struct platform_thread *caller_new(
	uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	struct platform_thread *t = guest_new(code_gadget, code_gadget_end);

	t->regs.rbx = gadget;
	t->regs.rax = nr;
	t->regs.rdi = a0;
	t->regs.rsi = a1;
	t->regs.rdx = a2;
	t->regs.r10 = a3;
	t->regs.r8 = a4;
	return t;
}

static void run(struct platform_thread *t, struct platform_event *event)
{
	do {
		platform->run(t, event);
	} while (event->kind == PLATFORM_INTERRUPTED);
	(void)platform_regs(t);
}

/* ---- the innocent neighbour ---- */

static struct {
	bool stop, stopped;
	uint64_t calls;
} neighbour;

static void neighbour_fiber(void *arg)
{
	struct platform_thread *t = guest_new(code_syscalls, code_syscalls_end);
	struct platform_event event;

	(void)arg;
	while (!neighbour.stop) {
		run(t, &event);
		if (event.kind != PLATFORM_SYSCALL || event.syscall.nr != 1000 + neighbour.calls ||
			t->regs.rbx != neighbour.calls * 3) {
			CHECK(!"the neighbour was disturbed");
			break;
		}
		t->regs.rax = 3;
		if (++neighbour.calls % 16 == 0)
			(void)wait_sleep(NULL, 0, loop_monotonic_now() + 100000, false, false);
	}
	platform->thread_release(t);
	neighbour.stopped = true;
}

/* ---- tests ---- */

static void expect_violation(
	uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	struct platform_thread *t = caller_new(nr, a0, a1, a2, a3, a4);
	struct platform_event event;
	unsigned before = violations;

	run(t, &event);
	CHECK(event.kind == PLATFORM_EXITED);
	CHECK(violations == before + 1);
	platform->thread_release(t);
}

static void test_forbidden_calls(void)
{
	expect_violation(SYS_getpid, 0, 0, 0, 0, 0);
	expect_violation(SYS_open, DATA, 0, 0, 0, 0);
	expect_violation(SYS_execve, DATA, 0, 0, 0, 0);
	expect_violation(SYS_kill, 0, SIGKILL, 0, 0, 0);
	expect_violation(SYS_prctl, 15, DATA, 0, 0, 0);
	expect_violation(SYS_mmap, 0x700000, 4096, 3, 0x31, UINT64_MAX); /* shared, anonymous */
	expect_violation(SYS_mmap, 0x700000, 4096, 3, 0x02, 0);		 /* the kill pipe */
	expect_violation(SYS_madvise, STUB_CHANNEL_BASE, 4096, 9 /* REMOVE */, 0, 0);
	expect_violation(SYS_close, STUB_FD_KILL, 0, 0, 0, 0);
	expect_violation(
		SYS_clone, STUB_CLONE_FORK, 0, 0, 0, 0); /* on the list, but nobody awaits it */
	expect_violation(SYS_clone, STUB_CLONE_THREAD, STACK - 4096, 0, 0, 0);
	expect_violation(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	expect_violation(0x40000000 | SYS_getppid, 0, 0, 0, 0, 0);
	expect_violation(SYS_exit_group, 0, 0, 0, 0, 0);
}

/* Rings without anything to say: answered, and nothing changes. */
static void test_doorbell(void)
{
	struct platform_thread *t;
	struct platform_event event;

	for (unsigned i = 0; i < 50; i++) {
		t = caller_new(STUB_DOORBELL_NR, random_u64(),
			i % 2 ? STUB_DOORBELL_CHILD : random_u64(), 0, 0, 0);
		run(t, &event);
		CHECK(event.kind == PLATFORM_SYSCALL && event.syscall.nr == 1000 &&
			event.syscall.args[0] == 0);
		platform->thread_release(t);
	}
}

/* Allowed calls from the stub's text are the guest's own affair. */
static void test_allowed_calls(void)
{
	struct platform_thread *t = caller_new(SYS_mmap, 0x700000, 4096, 3, 0x32, UINT64_MAX);
	struct platform_event event;

	run(t, &event);
	CHECK(event.kind == PLATFORM_SYSCALL && event.syscall.args[0] == 0x700000);
	platform->thread_release(t);
	t = caller_new(SYS_close, STUB_FD_TRANSFER, 0, 0, 0, 0);
	run(t, &event);
	CHECK(event.kind == PLATFORM_SYSCALL && (int64_t)event.syscall.args[0] == -9);
	platform->thread_release(t);
}

/* The stub goes: the next call finds no handler, and the host ends the process. */
static void test_no_stub(void)
{
	struct platform_event event;
	struct platform_thread *t;

	t = caller_new(SYS_munmap, STUB_TEXT_BASE, STUB_TEXT_SIZE, 0, 0, 0);
	run(t, &event);
	CHECK(event.kind == PLATFORM_EXITED);
	platform->thread_release(t);
	t = caller_new(SYS_munmap, STUB_CHANNEL_BASE, CHANNEL_SEGMENT_SIZE, 0, 0, 0);
	run(t, &event);
	CHECK(event.kind == PLATFORM_EXITED);
	platform->thread_release(t);
	t = caller_new(SYS_munmap, STUB_STACK_BASE, 1 << 24, 0, 0, 0);
	run(t, &event);
	CHECK(event.kind == PLATFORM_EXITED);
	platform->thread_release(t);
}

struct exit_watch {
	struct platform_thread *thread;
	bool done;
};

static void watch_fiber(void *arg)
{
	struct exit_watch *watch = arg;
	struct platform_event event;

	run(watch->thread, &event);
	CHECK(event.kind == PLATFORM_EXITED);
	platform->thread_release(watch->thread);
	watch->done = true;
}

/* One thread leaves by the stub's exit: its task must not wait for ever, so the process ends. */
static void test_secret_exit(void)
{
	struct platform_thread *t = guest_new(code_spin, code_spin_end), *other;
	struct platform_clone clone = {.regs = t->regs};
	struct exit_watch watch = {0};
	struct platform_event event;
	struct fiber *fiber;
	uint64_t deadline = loop_monotonic_now() + 5000000000ull;

	CHECK(platform->thread_clone(t, &clone, &other) == 0);
	watch.thread = t;
	CHECK(fiber_create(&fiber, "watch", watch_fiber, &watch) == 0);
	(void)platform->copy_out(
		other, GADDR(CODE + 0x1000), code_gadget, (size_t)(code_gadget_end - code_gadget));
	other->regs.rip = CODE + 0x1000;
	other->regs.rbx = gadget;
	other->regs.rax = SYS_exit;
	other->regs_dirty = true;
	run(other, &event);
	CHECK(event.kind == PLATFORM_EXITED);
	platform->thread_release(other);
	while (!watch.done && loop_monotonic_now() < deadline)
		(void)wait_sleep(NULL, 0, loop_monotonic_now() + 1000000, false, false);
	CHECK(watch.done);
}

static void give_up(struct timer *timer)
{
	platform->as_kill(timer->data);
}

/* Random bytes over the channel, while the Sentry answers: the guest may live or die, and that is
 * all. */
static void test_scribble(void)
{
	unsigned died = 0;

	for (unsigned round = 0; round < 150; round++) {
		struct platform_thread *t = guest_new(code_scribble, code_scribble_end), *other;
		struct platform_clone clone = {.regs = t->regs};
		struct platform_event event = {0};
		struct exit_watch watch = {0};
		static const uint32_t sizes[] = {64, 512, 4096, 8192, CHANNEL_SLOT_SIZE};
		struct timer timer;
		char bytes[64];

		/* One thread writes random words over the other's slot for ever; the other makes
		 * calls. */
		clone.regs.rdi = STUB_CHANNEL_BASE + (round % 3 == 2 ? 4096 : 0);
		clone.regs.rsi = sizes[round % array_size(sizes)] - 1;
		clone.regs.rbx = random_u64() | 1;
		if (platform->thread_clone(t, &clone, &other) < 0) {
			platform->thread_release(t);
			continue;
		}
		(void)watch;
		(void)platform->copy_out(t, GADDR(CODE + 0x1000), code_syscalls,
			(size_t)(code_syscalls_end - code_syscalls));
		t->regs.rip = CODE + 0x1000;
		t->regs_dirty = true;
		other->kernel_data = other;
		/* The scribbler runs beside us: its fiber parks in run(). */
		watch.thread = other;
		{
			struct fiber *fiber;
			static struct exit_watch watches[150];

			watches[round] = watch;
			(void)fiber_create(&fiber, "scribbler", watch_fiber, &watches[round]);
		}
		fiber_yield();
		/* It may have scribbled itself into an endless wait. */
		timer_init(&timer, give_up, t->as);
		(void)timer_arm(&timer, loop_monotonic_now() + 100000000);
		for (unsigned i = 0; i < 200 && event.kind != PLATFORM_EXITED; i++) {
			run(t, &event);
			t->regs.rax = i;
			if (event.kind == PLATFORM_SYSCALL && i % 4 == 0) {
				(void)platform->copy_in(t, bytes, GADDR(DATA), sizeof(bytes));
				(void)platform->copy_out(t, GADDR(DATA), bytes, sizeof(bytes));
				(void)platform->copy_out_deferred(
					t, GADDR(DATA), bytes, sizeof(bytes));
			}
		}
		if (event.kind == PLATFORM_EXITED)
			died++;
		(void)timer_cancel(&timer);
		platform->as_kill(t->as);
		platform->thread_release(t);
	}
	printf("  %u of 150 scribblers died of it\n", died);
}

/*
 * Into the fast way at every offset, with registers and segment bases that mean nothing, something,
 * or another thread's stub. Whatever becomes of the guest, it is its own affair.
 */
static void test_fast_jumps(void)
{
	static const uint64_t bases[] = {0, STUB_STACK_BASE, STUB_STACK_BASE + STUB_STACK_SIZE,
		STUB_CHANNEL_BASE, DATA, STUB_TEXT_BASE, 0x12345000};
	unsigned died = 0, total = 0;

	for (uint64_t offset = 0; offset < FAST_TEXT_SIZE; offset++) {
		struct platform_thread *t = guest_new(code_call_rbx, code_call_rbx_end);
		struct platform_event event = {0};
		uint64_t *regs = (uint64_t *)&t->regs;
		struct timer timer;

		for (unsigned i = 0; i < 15; i++) {
			uint64_t dice = random_below(4);

			regs[i] = dice == 0   ? random_u64()
				  : dice == 1 ? random_below(400)
				  : dice == 2 ? DATA + random_below(4096)
					      : STUB_CHANNEL_BASE + random_below(CHANNEL_SLOT_SIZE);
		}
		t->regs.rbx = STUB_FAST_ENTRY + offset;
		t->regs.gs_base = bases[offset % array_size(bases)];
		if (offset % 5 == 0)
			t->regs.fs_base = random_u64() >> 17;
		timer_init(&timer, give_up, t->as);
		(void)timer_arm(&timer, loop_monotonic_now() + 20000000);
		for (unsigned i = 0; i < 20 && event.kind != PLATFORM_EXITED; i++) {
			run(t, &event);
			t->regs.rax = i;
		}
		died += event.kind == PLATFORM_EXITED;
		total++;
		(void)timer_cancel(&timer);
		platform->as_kill(t->as);
		platform->thread_release(t);
	}
	printf("  %u of %u jumpers died of it\n", died, total);
}

static const struct test {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"forbidden_calls", test_forbidden_calls},
	{"doorbell", test_doorbell},
	{"allowed_calls", test_allowed_calls},
	{"no_stub", test_no_stub},
	{"secret_exit", test_secret_exit},
	{"scribble", test_scribble},
	{"fast_jumps", test_fast_jumps},
};

static int wanted_count;
static char **wanted;

static bool is_wanted(const char *name)
{
	for (int i = 0; i < wanted_count; i++) {
		if (!strcmp(wanted[i], name))
			return true;
	}
	return wanted_count == 0;
}

static void run_tests(void *arg)
{
	struct fiber *fiber;

	(void)arg;
	current_test = "start";
	find_gadget();
	if (fiber_create(&fiber, "neighbour", neighbour_fiber, NULL) < 0)
		_exit(1);
	for (size_t i = 0; i < array_size(tests); i++) {
		unsigned before = failures;
		uint64_t calls = neighbour.calls;

		if (!is_wanted(tests[i].name))
			continue;
		current_test = tests[i].name;
		tests[i].run();
		(void)wait_sleep(NULL, 0, loop_monotonic_now() + 20000000, false, false);
		CHECK(neighbour.calls > calls);
		printf("%s: %s\n", failures == before ? "ok" : "FAILED", tests[i].name);
	}
	neighbour.stop = true;
	while (!neighbour.stopped)
		(void)wait_sleep(NULL, 0, loop_monotonic_now() + 1000000, false, false);
	loop_stop(0);
}

static void on_violation(struct platform_thread *thread, uint64_t nr, const uint64_t args[6])
{
	(void)thread;
	(void)nr;
	(void)args;
	violations++;
}

static void on_fatal(const char *why)
{
	printf("FAILED: fatal: %s\n", why);
	_exit(1);
}

int main(int argc, char **argv)
{
	const struct platform_config config = {.max_threads = 400};
	const struct platform_upcalls upcalls = {.violation = on_violation, .fatal = on_fatal};
	const char *why;
	struct fiber *fiber;

	platform = &platform_systrap;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (platform->probe(&why) < 0) {
		fprintf(stderr, "skipped: %s\n", why);
		return 77;
	}
	wanted = argv + 1;
	wanted_count = argc - 1;
	if (loop_init() < 0 || platform->start(&config, &upcalls, &why) < 0 ||
		(platform->start_finish && platform->start_finish(&why) < 0)) {
		fprintf(stderr, "start: %s\n", why);
		return 1;
	}
	if (fiber_create(&fiber, "tests", run_tests, NULL) < 0)
		return 1;
	loop_run();
	platform->stop();
	loop_fini();
	printf("%u failures\n", failures);
	return failures > 0;
}
