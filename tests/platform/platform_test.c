/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of a platform that runs code, through platform.h alone: the test plays the kernel.
 *
 * usage: platform_test PLATFORM [TEST...]. Prints one line for each test and "N passed, N failed";
 * exits 77 when the host cannot run the platform. The same expectations hold for each platform:
 * that is the point.
 */
#include "tests/platform/driver.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/mman.h"
#include "base/log.h"

static const char *current_test;
unsigned failures;
static unsigned passed, failed;

void fail_at(int line, const char *format, ...)
{
	va_list args;

	failures++;
	printf("%s: line %d: ", current_test, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

struct platform_thread *guest_new(const uint8_t *code, const uint8_t *code_end)
{
	const struct platform_map maps[] = {
		{GADDR(CODE), 4096, LX_PROT_READ | LX_PROT_WRITE, false, -1, 0, false},
		{GADDR(DATA), 4096, LX_PROT_READ | LX_PROT_WRITE, false, -1, 0, false},
		{GADDR(STACK - STACK_N), STACK_N, LX_PROT_READ | LX_PROT_WRITE, false, -1, 0,
			false},
	};
	struct platform_thread *thread;
	struct platform_as *as;
	size_t size = (size_t)(code_end - code) + 2;
	int err = platform->as_create(&as, &thread);

	if (err < 0) {
		fail_at(__LINE__, "as_create: %d", err);
		return NULL;
	}
	CHECK(thread->as == as);
	for (size_t i = 0; i < array_size(maps); i++)
		CHECK_EQ(platform->map(thread, &maps[i]), 0);
	CHECK_EQ(platform->copy_out(thread, GADDR(CODE), code, size), size);
	CHECK_EQ(platform->protect(thread, GADDR(CODE), 4096, LX_PROT_READ | LX_PROT_EXEC), 0);
	thread->regs = (struct guest_regs){
		.rip = CODE, .rsp = STACK - 64, .eflags = 0x202, .orig_rax = UINT64_MAX};
	thread->regs_dirty = true;
	return thread;
}

void guest_end(struct platform_thread *thread)
{
	if (thread)
		platform->thread_release(thread);
}

void run(struct platform_thread *thread, struct platform_event *event)
{
	do {
		platform->run(thread, event);
	} while (event->kind == PLATFORM_INTERRUPTED);
	(void)platform_regs(thread);
}

void sleep_ns(uint64_t ns)
{
	(void)wait_sleep(NULL, 0, loop_monotonic_now() + ns, false, false);
}

static const struct test {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"syscalls", test_syscalls},
	{"restart_values", test_restart_values},
	{"dirty_regs", test_dirty_regs},
	{"faults", test_faults},
	{"fault_resume", test_fault_resume},
	{"vsyscall", test_vsyscall},
	{"vdso", test_vdso},
	{"copy", test_copy},
	{"map_file", test_map_file},
	{"remap", test_remap},
	{"delayed", test_delayed},
	{"interrupt", test_interrupt},
	{"kill", test_kill},
	{"fork", test_fork},
	{"threads", test_threads},
	{"leader_leaves", test_leader_leaves},
	{"futex", test_futex},
	{"fpu", test_fpu},
	{"many", test_many},
	{"cap", test_cap},
	{"stray_signals", test_stray_signals},
	{"interrupt_storm", test_interrupt_storm},
	{"sudden_death", test_sudden_death},
	{"scribble", test_scribble},
	{"sentry_death", test_sentry_death},
	{"parallel", test_parallel},
	{"fast_calls", test_fast_calls},
	{"fast_state", test_fast_state},
	{"fast_interrupts", test_fast_interrupts},
	{"fast_faults", test_fast_faults},
	{"latency", test_latency},
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
	for (size_t i = 0; i < array_size(tests); i++) {
		unsigned before = failures;

		if (!is_wanted(tests[i].name))
			continue;
		current_test = tests[i].name;
		tests[i].run();
		printf("%s: %s\n", failures == before ? "ok" : "FAILED", tests[i].name);
		if (failures == before)
			passed++;
		else
			failed++;
	}
	loop_stop(0);
}

static void on_violation(struct platform_thread *thread, uint64_t nr, const uint64_t args[6])
{
	fail_at(__LINE__, "violation: call %llu", (unsigned long long)nr);
}

static void on_fatal(const char *why)
{
	printf("fatal: %s\n", why);
	_exit(1);
}

static const struct platform_ops *const platforms[] = {
	&platform_ptrace,
	&platform_systrap,
};

int main(int argc, char **argv)
{
	const struct platform_config config = {.max_threads = 200};
	const struct platform_upcalls upcalls = {.violation = on_violation, .fatal = on_fatal};
	const char *why = "no such platform";
	struct fiber *fiber;

	if (getenv("PLATFORM_TEST_DEBUG"))
		log_set_level(LOG_DEBUG);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < array_size(platforms); i++) {
		if (!strcmp(platforms[i]->name, argv[1]))
			platform = platforms[i];
	}
	if (!platform || platform->probe(&why) < 0) {
		fprintf(stderr, "skipped: %s\n", why);
		return 77;
	}
	wanted = argv + 2;
	wanted_count = argc - 2;
	if (loop_init() < 0 || platform->start(&config, &upcalls, &why) < 0 ||
		(platform->start_finish && platform->start_finish(&why) < 0)) {
		fprintf(stderr, "start: %s (%s)\n", why, strerror(errno));
		return 1;
	}
	if (fiber_create(&fiber, "tests",
		    wanted_count == 1 && !strcmp(wanted[0], "--hold") ? hold : run_tests, NULL) < 0)
		return 1;
	loop_run();
	platform->stop();
	loop_fini();
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0;
}
