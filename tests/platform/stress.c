/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stress of what lies between the kernel and a guest thread: several threads of two processes make
 * numbered calls as fast as they can and hand a futex back and forth, while random threads are
 * interrupted at random moments and answers come at once, after a turn of others, or after a sleep.
 * Each call must be seen exactly once, in order, with the results of all calls before it; no futex
 * wake-up may get lost.
 *
 * usage: platform_stress PLATFORM [CALLS]. Prints a summary; exit code 1 on a failure, 77 when the
 * host cannot run it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/mman.h"
#include "base/checked.h"
#include "base/fiber.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/wait.h"
#include "platform/platform.h"

#define CODE	    0x400000ull
#define PLAIN_CODE  0x402000ull /* behind the two pages of fast_code.S */
#define PONG_CODE   0x403000ull
#define DATA	    0x500000ull
#define STACK	    0x600000ull
#define CALLERS	    3u /* in each process */
#define PONGERS	    2u
#define THREADS	    (2 * (CALLERS + PONGERS))
#define FUTEX_NR    202u
#define PONG_ROUNDS 100000000ull /* for ever */

extern const uint8_t code_syscalls[], code_syscalls_end[], code_ping_pong[], code_ping_pong_end[];
extern const uint8_t code_fast_calls[], code_fast_calls_end[];

struct worker {
	struct platform_thread *thread;
	bool pongs;
	uint64_t calls, interruptions, futexes;
	uint64_t sum; /* of the results so far: the guest's rbx */
};

static struct {
	struct worker workers[THREADS];
	uint64_t wanted, total, storms;
	bool done;
	unsigned running;
	struct timer timer;
} stress;

static void fail(const char *what, uint64_t got, uint64_t wanted)
{
	printf("FAILED: %s: %llu, not %llu\n", what, (unsigned long long)got,
		(unsigned long long)wanted);
	_exit(1);
}

static void expect(const char *what, uint64_t got, uint64_t wanted)
{
	if (got != wanted)
		fail(what, got, wanted);
}

/* The answer comes now, a turn later, or after a sleep that lets the stub fall asleep as well. */
static void dawdle(void)
{
	uint64_t dice = random_below(1024);

	if (dice == 0)
		(void)wait_sleep(
			NULL, 0, loop_monotonic_now() + 1000 + random_below(100000), false, false);
	else if (dice < 64)
		fiber_yield();
}

static void on_call(struct worker *worker, const struct platform_event *event)
{
	struct platform_thread *thread = worker->thread;
	uint64_t value = random_u64() & 0xffff, echo = 0;

	expect("call number", event->syscall.nr, 1000 + worker->calls);
	/* Registers that are not asked for are not there. */
	if (value % 2)
		expect("sum of results", platform_regs(thread)->rbx, worker->sum);
	expect("argument", event->syscall.args[3], 0x4444444444444444);
	worker->calls++;
	stress.total++;
	if (worker->calls % 16 == 0) {
		gaddr_t addr = GADDR(DATA + 1024 + 8 * (uint64_t)(worker - stress.workers));

		if (worker->calls % 32 == 0)
			expect("copy_out", (uint64_t)platform->copy_out(thread, addr, &value, 8),
				8);
		else
			expect("copy_out_deferred",
				(uint64_t)platform->copy_out_deferred(thread, addr, &value, 8), 0);
		expect("copy_in", (uint64_t)platform->copy_in(thread, &echo, addr, 8), 8);
		expect("echo", echo, value);
	}
	dawdle();
	thread->regs.rax = value;
	worker->sum += value;
}

/* An interrupted wait begins anew, as the kernel would do it. */
static void on_futex(struct worker *worker, const struct platform_event *event)
{
	struct platform_thread *thread = worker->thread;

	worker->futexes++;
	if (!event->syscall.interrupted)
		return; /* a platform that leaves futexes to us: the loop in the guest looks again
			 */
	thread->regs.rax = FUTEX_NR;
	platform_regs(thread)->rip -= 2;
	thread->regs_dirty = true;
}

static void work(void *arg)
{
	struct worker *worker = arg;
	struct platform_event event;

	while (!stress.done) {
		platform->run(worker->thread, &event);
		if (event.kind == PLATFORM_INTERRUPTED)
			worker->interruptions++;
		else if (event.kind != PLATFORM_SYSCALL)
			fail("event", event.kind, PLATFORM_SYSCALL);
		else if (worker->pongs)
			on_futex(worker, &event);
		else
			on_call(worker, &event);
		if (stress.total >= stress.wanted)
			stress.done = true;
	}
	platform->thread_release(worker->thread);
	worker->thread = NULL;
	if (--stress.running == 0)
		loop_stop(0);
}

static void storm(struct timer *timer)
{
	stress.storms++;
	if (stress.done) {
		/* Threads in long waits must come back to see it. */
		for (unsigned i = 0; i < THREADS && stress.running > 0; i++) {
			if (stress.workers[i].pongs && stress.workers[i].thread)
				platform->interrupt(stress.workers[i].thread);
		}
	} else {
		platform->interrupt(stress.workers[random_below(THREADS)].thread);
	}
	(void)timer_arm(timer, loop_monotonic_now() + 5000 + random_below(30000));
}

static struct platform_thread *space_new(void)
{
	const struct platform_map map = {GADDR(CODE), 0x300000,
		LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC, false, -1, 0, false};
	struct platform_thread *thread;
	struct platform_as *as;

	expect("as_create", (uint64_t)platform->as_create(&as, &thread), 0);
	expect("map", (uint64_t)platform->map(thread, &map), 0);
	(void)platform->copy_out(thread, GADDR(CODE), code_fast_calls,
		(size_t)(code_fast_calls_end - code_fast_calls));
	(void)platform->copy_out(thread, GADDR(PLAIN_CODE), code_syscalls,
		(size_t)(code_syscalls_end - code_syscalls));
	(void)platform->copy_out(thread, GADDR(PONG_CODE), code_ping_pong,
		(size_t)(code_ping_pong_end - code_ping_pong));
	return thread;
}

static void worker_start(
	struct worker *worker, struct platform_thread *thread, bool pongs, unsigned side)
{
	/* Half of the callers come through a trampoline, where there is a fast way. */
	bool fast = platform == &platform_systrap && side == 0;
	struct fiber *fiber;

	worker->thread = thread;
	worker->pongs = pongs;
	thread->regs = (struct guest_regs){
		.rip = pongs  ? PONG_CODE
		       : fast ? CODE
			      : PLAIN_CODE,
		.rdi = DATA,
		.r12 = side,
		.r13 = PONG_ROUNDS,
		.rsp = STACK,
		.eflags = 0x202,
		.orig_rax = UINT64_MAX,
	};
	thread->regs_dirty = true;
	expect("fiber", (uint64_t)fiber_create(&fiber, "worker", work, worker), 0);
	stress.running++;
}

static void start(void *arg)
{
	(void)arg;
	for (unsigned space = 0; space < 2; space++) {
		struct platform_thread *first = space_new(), *threads[CALLERS + PONGERS] = {first};

		for (unsigned i = 1; i < CALLERS + PONGERS; i++) {
			const struct platform_clone clone = {.new_as = false, .regs = first->regs};

			expect("clone",
				(uint64_t)platform->thread_clone(first, &clone, &threads[i]), 0);
		}
		for (unsigned i = 0; i < CALLERS + PONGERS; i++)
			worker_start(&stress.workers[space * (CALLERS + PONGERS) + i], threads[i],
				i >= CALLERS, i & 1);
	}
	expect("timer", (uint64_t)timer_arm(&stress.timer, loop_monotonic_now() + 1000), 0);
}

static void on_violation(struct platform_thread *thread, uint64_t nr, const uint64_t args[6])
{
	(void)thread;
	(void)args;
	fail("violation", nr, 0);
}

static void on_fatal(const char *why)
{
	printf("FAILED: fatal: %s\n", why);
	_exit(1);
}

int main(int argc, char **argv)
{
	static const struct platform_ops *const platforms[] = {&platform_ptrace, &platform_systrap};
	const struct platform_config config = {.max_threads = 100};
	const struct platform_upcalls upcalls = {.violation = on_violation, .fatal = on_fatal};
	uint64_t interruptions = 0, futexes = 0, began;
	const char *why = "no such platform";
	struct fiber *fiber;

	for (size_t i = 0; argc > 1 && i < array_size(platforms); i++) {
		if (!strcmp(platforms[i]->name, argv[1]))
			platform = platforms[i];
	}
	if (!platform || platform->probe(&why) < 0) {
		fprintf(stderr, "skipped: %s\n", why);
		return 77;
	}
	stress.wanted = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000;
	timer_init(&stress.timer, storm, NULL);
	if (loop_init() < 0 || platform->start(&config, &upcalls, &why) < 0 ||
		(platform->start_finish && platform->start_finish(&why) < 0)) {
		fprintf(stderr, "start: %s\n", why);
		return 1;
	}
	if (fiber_create(&fiber, "start", start, NULL) < 0)
		return 1;
	began = loop_monotonic_now();
	loop_run();
	timer_cancel(&stress.timer);
	for (unsigned i = 0; i < THREADS; i++) {
		interruptions += stress.workers[i].interruptions;
		futexes += stress.workers[i].futexes;
	}
	platform->stop();
	loop_fini();
	printf("ok: %llu calls in %.1f s under %llu interrupts (%llu seen as such, %llu in "
	       "futexes)\n",
		(unsigned long long)stress.total, (double)(loop_monotonic_now() - began) / 1e9,
		(unsigned long long)stress.storms, (unsigned long long)interruptions,
		(unsigned long long)futexes);
	return 0;
}
