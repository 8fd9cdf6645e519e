/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls through trampolines. The guests' sites are patched by hand (fast_code.S), so these tests
 * need nothing that patches. On a platform without a fast entry there is nothing to see.
 */
#include "tests/platform/driver.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "abi/mman.h"
#include "platform/systrap/stub/layout.h"
#include "platform/systrap/stub/offsets.h"

#define CODE_SIZE 8192ull

PROGRAM(fast_calls);
PROGRAM(fast_state);
PROGRAM(fast_hole);

static struct platform_thread *fast_new(const uint8_t *code, const uint8_t *end)
{
	const struct platform_map map = {GADDR(CODE), CODE_SIZE,
		LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC, false, -1, 0, false};
	struct platform_thread *t;

	if (platform != &platform_systrap)
		return NULL;
	t = guest_new(code, code);
	if (!t)
		return NULL;
	CHECK_EQ(platform->map(t, &map), 0);
	CHECK_EQ(platform->copy_out(t, GADDR(CODE), code, (size_t)(end - code)), CODE_SIZE);
	CHECK_EQ(platform->protect(t, GADDR(CODE), CODE_SIZE, LX_PROT_READ | LX_PROT_EXEC), 0);
	return t;
}
#define FAST_GUEST(name) fast_new(code_##name, code_##name##_end)

/* The instruction pointer of the last call that came by the fast way. */
static uint64_t last_fast_rip(struct platform_thread *t)
{
	uint64_t rip = 0;

	CHECK_EQ(platform->copy_in(t, &rip, GADDR(STUB_STACK_BASE + THREAD_RIP), sizeof(rip)),
		sizeof(rip));
	return rip;
}

void test_fast_calls(void)
{
	struct platform_thread *t = FAST_GUEST(fast_calls);
	struct platform_event event;

	if (!t)
		return;
	for (unsigned i = 0; i < 2000; i++) {
		run(t, &event);
		CHECK_EQ(event.kind, PLATFORM_SYSCALL);
		if (event.kind != PLATFORM_SYSCALL)
			break;
		CHECK_EQ(event.syscall.nr, 1000 + i);
		CHECK_EQ(t->regs.rbx, (uint64_t)i * 7);
		for (unsigned a = 0; a < 6; a++)
			CHECK_EQ(event.syscall.args[a], 0x1111111111111111ull * (a + 1));
		if (i % 100 == 0)
			CHECK_EQ(last_fast_rip(t), t->regs.rip);
		t->regs.rax = 7;
		if (i == 10)
			t->regs.rbx = 12345;
		if (i % 3 == 0)
			platform->interrupt(t);
		if (i % 64 == 0)
			sleep_ns(100000);
	}
	guest_end(t);
}

/* What load_state and store_state of fast_code.S move. */
struct fast_state {
	uint64_t args[6];
	uint64_t rbp, r12, r13, r14, r15;
	uint64_t xmm0[2], xmm15[2];
	uint64_t eflags;
};

struct fast_states {
	struct fast_state before, after;
	uint64_t rax, rcx, r11, rsp, low_red_zone, rbp_after;
};

_Static_assert(sizeof(struct fast_state) == 128, "as the assembler has it");

enum during {
	DURING_NOTHING,
	DURING_DIRTY,
	DURING_FPU,
	DURING_COPIES,
	DURING_MAP,
	DURING_THREAD,
	DURING_FORK,
	DURING_GS,
	DURING_COUNT,
};

static void act(struct platform_thread *t, enum during during)
{
	const struct platform_map map = {GADDR(0x600000), 4096, LX_PROT_READ, false, -1, 0, false};
	struct platform_clone clone = {.regs = t->regs, .new_as = during == DURING_FORK};
	static _Alignas(64) uint8_t image[PLATFORM_FPU_MAX];
	struct platform_thread *child = NULL;
	struct platform_event event;
	uint64_t word = 5;
	ssize_t size;

	switch (during) {
	case DURING_DIRTY:
		t->regs_dirty = true;
		break;
	case DURING_FPU:
		size = platform->fpu_get(t, image, sizeof(image));
		CHECK(size >= 576);
		CHECK_EQ(*(uint64_t *)(image + 160), 0x1234567890abcdef);
		CHECK_EQ(platform->fpu_set(t, image, (size_t)size), 0);
		break;
	case DURING_COPIES:
		CHECK_EQ(platform->copy_out(t, GADDR(DATA + 2048), &word, 8), 8);
		word = 0;
		CHECK_EQ(platform->copy_in(t, &word, GADDR(DATA + 2048), 8), 8);
		CHECK_EQ(word, 5);
		CHECK_EQ(platform->copy_in(t, &word, GADDR(8), 8), 0);
		CHECK_EQ(platform->copy_out_deferred(t, GADDR(DATA + 2048), &word, 8), 0);
		break;
	case DURING_MAP:
		CHECK_EQ(platform->map(t, &map), 0);
		CHECK_EQ(platform->unmap(t, map.addr, map.size), 0);
		break;
	case DURING_THREAD:
	case DURING_FORK:
		clone.regs.rax = 77;
		/* A thread must not use the parent's stack and data. */
		if (during == DURING_THREAD)
			clone.regs.rip = CODE + 0x800; /* nothing there */
		CHECK_EQ(platform->thread_clone(t, &clone, &child), 0);
		run(child, &event);
		if (during == DURING_FORK) {
			CHECK_EQ(event.kind, PLATFORM_SYSCALL);
			CHECK_EQ(event.syscall.nr, 2000);
			CHECK_EQ(platform->copy_in(child, &word,
					 GADDR(DATA + offsetof(struct fast_states, rax)), 8),
				8);
			CHECK_EQ(word, 77);
		} else {
			CHECK_EQ(event.kind, PLATFORM_FAULT);
		}
		guest_end(child);
		break;
	case DURING_GS:
		t->regs.gs_base = t->regs.gs_base ? 0 : DATA + 1024;
		t->regs_dirty = true;
		break;
	default:
		break;
	}
}

/* One round: the state goes through a call unharmed. @eflags of the guest, besides those that are
 * always set. */
static void state_round(struct platform_thread *t, uint64_t eflags, enum during during)
{
	struct fast_states s = {
		.before =
			{
				.args = {1, 2, 3, 4, 5, 6},
				.rbp = 0xb0b0b0b0b0b0b0b0,
				.r12 = 0x1212121212121212,
				.r13 = 0x1313131313131313,
				.r14 = 0x1414141414141414,
				.r15 = 0x1515151515151515,
				.xmm0 = {0x1234567890abcdef, 0xfedcba0987654321},
				.xmm15 = {0x1515151515151515, 0x5151515151515151},
				.eflags = 0x202 | eflags,
			},
	};
	uint64_t gs_base, next;
	struct platform_event event;

	CHECK_EQ(platform->copy_out(t, GADDR(DATA), &s, sizeof(s)), sizeof(s));
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 1000);
	for (unsigned i = 0; i < 6; i++)
		CHECK_EQ(event.syscall.args[i], i + 1);
	CHECK_EQ(t->regs.rax, 1000);
	CHECK_EQ(t->regs.rdi, 1);
	CHECK_EQ(t->regs.r9, 6);
	CHECK_EQ(t->regs.rbp, s.before.rbp);
	CHECK_EQ(t->regs.r12, s.before.r12);
	CHECK_EQ(t->regs.r15, s.before.r15);
	CHECK_EQ(t->regs.rsp, STACK - 64);
	CHECK_EQ(t->regs.eflags, s.before.eflags);
	CHECK_EQ(t->regs.r11, s.before.eflags);
	CHECK_EQ(t->regs.rcx, t->regs.rip);
	CHECK_EQ(t->regs.fs_base, 0x12340000);
	next = t->regs.rip;
	t->regs.rax = (uint64_t)-5;
	act(t, during);
	gs_base = t->regs.gs_base;
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 2000);
	CHECK_EQ(t->regs.gs_base, gs_base);
	CHECK_EQ(t->regs.fs_base, 0x12340000);
	CHECK_EQ(platform->copy_in(t, &s, GADDR(DATA), sizeof(s)), sizeof(s));
	CHECK_EQ(s.rax, (uint64_t)-5);
	CHECK_EQ(s.rcx, next);
	CHECK_EQ(s.r11, s.before.eflags);
	CHECK_EQ(s.rsp, STACK - 64);
	CHECK_EQ(s.low_red_zone, s.before.r12);
	CHECK_EQ(s.rbp_after, s.before.rbp);
	CHECK(!memcmp(&s.before, &s.after, sizeof(s.before)));
}

static void storm_expired(struct timer *timer)
{
	platform->interrupt(timer->data);
	(void)timer_arm(timer, loop_monotonic_now() + 3000);
}

void test_fast_state(void)
{
	static const uint64_t flags[] = {
		0, 0x8d5, 1, 4, 0x10, 0x40, 0x80, 0x800, 0x801, 0x400, 0x40000, 0x40cd5, 0x200000};
	struct platform_thread *t = FAST_GUEST(fast_state);

	struct timer timer;

	if (!t)
		return;
	timer_init(&timer, storm_expired, t);
	t->regs.rbx = DATA;
	t->regs.fs_base = 0x12340000;
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < array_size(flags); i++) {
			for (unsigned during = 0; during < DURING_COUNT; during++) {
				unsigned before = failures;

				state_round(t, flags[i], (enum during)during);
				if (failures != before) {
					printf("  flags %#llx, case %u\n",
						(unsigned long long)flags[i], during);
					goto out;
				}
			}
		}
		/* With a GS base of the guest's own, once readable and once not. */
		t->regs.gs_base = round == 0   ? DATA + 2048
				  : round == 1 ? 0x12345000
				  : round == 2 ? 0x7fff00000000
					       : 0;
		t->regs_dirty = true;
		if (round == 3)
			CHECK_EQ(timer_arm(&timer, loop_monotonic_now()), 0);
	}
out:
	timer_cancel(&timer);
	guest_end(t);
}

/* Interrupts at every instruction of the way: what the kernel sees are addresses of the guest's
 * code.
 */
void test_fast_interrupts(void)
{
	struct platform_thread *t = FAST_GUEST(fast_calls);
	unsigned calls = 0, interruptions = 0;
	struct platform_event event;
	struct timer timer;
	uint64_t sum = 0, end = loop_monotonic_now() + 10000000000ull;

	if (!t)
		return;
	timer_init(&timer, storm_expired, t);
	CHECK_EQ(timer_arm(&timer, loop_monotonic_now()), 0);
	while ((calls < 2000 || interruptions < 200) && loop_monotonic_now() < end &&
		failures < 5) {
		platform->run(t, &event);
		(void)platform_regs(t);
		CHECK(t->regs.rip >= CODE && t->regs.rip < CODE + 4096);
		if (event.kind == PLATFORM_INTERRUPTED) {
			interruptions++;
			continue;
		}
		CHECK_EQ(event.kind, PLATFORM_SYSCALL);
		CHECK_EQ(event.syscall.nr, 1000 + calls);
		CHECK_EQ(t->regs.rbx, sum);
		calls++;
		t->regs.rax = calls;
		sum += calls;
	}
	timer_cancel(&timer);
	CHECK(calls >= 2000 && interruptions >= 200);
	guest_end(t);
}

/* A fault of a replaced instruction is the site's; and steps are those of the guest's own code. */
void test_fast_faults(void)
{
	struct platform_thread *t = FAST_GUEST(fast_hole);
	struct platform_event event;
	uint64_t word = 1234;

	if (!t)
		return;
	t->regs.rdi = 0x1000;
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_FAULT);
	CHECK_EQ(event.fault.signo, SIGSEGV);
	CHECK_EQ(event.fault.addr, 0x1000);
	CHECK_EQ(t->regs.rip, CODE + 1);
	CHECK_EQ(platform->copy_out(t, GADDR(DATA), &word, 8), 8);
	t->regs.rdi = DATA;
	t->regs.eflags |= 0x100;
	t->regs_dirty = true;
	/* The loop of jumps first: there is no step before the first instruction is through. */
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_FAULT);
	CHECK_EQ(event.fault.signo, SIGTRAP);
	CHECK_EQ(event.fault.code, 2 /* TRAP_TRACE */);
	CHECK_EQ(t->regs.rip, CODE + 4);
	CHECK_EQ(event.fault.addr, CODE + 4);
	CHECK_EQ(t->regs.rax, 1234);
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 1234);
	CHECK_EQ(t->regs.rip, CODE + 6);
	t->regs.eflags &= ~0x100ull;
	t->regs.rip = CODE;
	t->regs_dirty = true;
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 1234);
	CHECK_EQ(last_fast_rip(t), CODE + 6);
	guest_end(t);
}
