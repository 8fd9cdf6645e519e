/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_PLATFORM_DRIVER_H
#define SENTRY_TESTS_PLATFORM_DRIVER_H

#include <stdint.h>
#include <stdio.h>

#include "base/checked.h"
#include "base/fiber.h"
#include "base/loop.h"
#include "base/wait.h"
#include "platform/platform.h"

/* What the tests of a platform share: platform_test.c has the main program. */

#define CODE	0x400000ull
#define DATA	0x500000ull
#define STACK	0x7f0000000000ull
#define STACK_N 0x4000ull

/* guest_code.S */
#define PROGRAM(name) extern const uint8_t code_##name[], code_##name##_end[]
PROGRAM(syscalls);
PROGRAM(loop_calls);
PROGRAM(spin);
PROGRAM(load);
PROGRAM(store);
PROGRAM(divide);
PROGRAM(undefined);
PROGRAM(breakpoint);
PROGRAM(noncanonical);
PROGRAM(int80);
PROGRAM(jump_rdi);
PROGRAM(vsyscall);
PROGRAM(xmm);
PROGRAM(count);
PROGRAM(damage);
PROGRAM(call_rbx);

extern unsigned failures;
void fail_at(int line, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			fail_at(__LINE__, "%s", #cond);                                            \
	} while (0)
#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		long long check_a_ = (long long)(a), check_b_ = (long long)(b);                    \
		if (check_a_ != check_b_)                                                          \
			fail_at(__LINE__, "%s is %lld (%#llx), not %lld (%#llx)", #a, check_a_,    \
				(unsigned long long)check_a_, check_b_,                            \
				(unsigned long long)check_b_);                                     \
	} while (0)

/* An address space with a code page, a data page and a stack, ready to run @code. NULL when that
 * failed, which counts. */
struct platform_thread *guest_new(const uint8_t *code, const uint8_t *code_end);
#define GUEST(name) guest_new(code_##name, code_##name##_end)
/* Releases it; NULL is fine. */
void guest_end(struct platform_thread *thread);
/* Runs until something else than a spurious interruption comes. */
void run(struct platform_thread *thread, struct platform_event *event);
void sleep_ns(uint64_t ns);

/* A fiber that runs a thread until its first call, releases it, and tells when it was the last. */
struct counter {
	struct platform_thread *thread;
	unsigned *left;
	struct wait_queue *done;
};
void count_fiber(void *arg);
/* Interrupts the thread @arg after 5 ms. */
void interrupt_later(void *arg);

/* Runs in a process of its own: guests that compute and fork until the whole thing is killed. */
void hold(void *arg);

void test_syscalls(void);
void test_restart_values(void);
void test_dirty_regs(void);
void test_faults(void);
void test_fault_resume(void);
void test_vsyscall(void);
void test_vdso(void);
void test_copy(void);
void test_map_file(void);
void test_remap(void);
void test_delayed(void);
void test_interrupt(void);
void test_kill(void);
void test_fork(void);
void test_threads(void);
void test_leader_leaves(void);
void test_futex(void);
void test_fpu(void);
void test_many(void);
void test_cap(void);
void test_stray_signals(void);
void test_interrupt_storm(void);
void test_sudden_death(void);
void test_scribble(void);
void test_sentry_death(void);
void test_parallel(void);
void test_latency(void);
void test_fast_calls(void);
void test_fast_state(void);
void test_fast_interrupts(void);
void test_fast_faults(void);

#endif
