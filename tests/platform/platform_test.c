/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of a platform that runs code, through platform.h alone: the test plays the kernel.
 *
 * usage: platform_test PLATFORM [TEST...]. Prints one line for each test and "N passed, N failed";
 * exits 77 when the host cannot run the platform. The same expectations hold for each platform:
 * that is the point.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "abi/mman.h"
#include "base/checked.h"
#include "base/fiber.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/wait.h"
#include "platform/platform.h"

#define CODE	0x400000ull
#define DATA	0x500000ull
#define STACK	0x7f0000000000ull
#define STACK_N 0x4000ull

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

static const char *current_test;
static unsigned failures, passed, failed;

static void fail_at(int line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail_at(int line, const char *format, ...)
{
	va_list args;

	failures++;
	printf("%s: line %d: ", current_test, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

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

/* An address space with a code page, a data page and a stack, ready to run @code. */
static struct platform_thread *guest_new(const uint8_t *code, const uint8_t *code_end)
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
#define GUEST(name) guest_new(code_##name, code_##name##_end)

static void guest_end(struct platform_thread *thread)
{
	if (thread)
		platform->thread_release(thread);
}

/* Runs until something else than a spurious interruption comes. */
static void run(struct platform_thread *thread, struct platform_event *event)
{
	do {
		platform->run(thread, event);
	} while (event->kind == PLATFORM_INTERRUPTED);
}

static void sleep_ns(uint64_t ns)
{
	(void)wait_sleep(NULL, 0, loop_monotonic_now() + ns, false, false);
}

static void test_syscalls(void)
{
	struct platform_thread *t = GUEST(syscalls);
	struct platform_event event;

	if (!t)
		return;
	for (unsigned i = 0; i < 200; i++) {
		run(t, &event);
		CHECK_EQ(event.kind, PLATFORM_SYSCALL);
		if (event.kind != PLATFORM_SYSCALL)
			break;
		CHECK_EQ(event.syscall.nr, 1000 + i);
		CHECK_EQ(t->regs.orig_rax, 1000 + i);
		CHECK_EQ(t->regs.rbx, (uint64_t)i * 7);
		for (unsigned a = 0; a < 6; a++)
			CHECK_EQ(event.syscall.args[a], 0x1111111111111111ull * (a + 1));
		t->regs.rax = 7;
		/* Not dirty: this must not arrive. */
		if (i == 10)
			t->regs.rbx = 12345;
	}
	guest_end(t);
}

/* Values that the host's own restart logic would act upon must reach the guest untouched. */
static void test_restart_values(void)
{
	struct platform_thread *t = GUEST(syscalls);
	struct platform_event event;
	uint64_t sum = 0;

	if (!t)
		return;
	for (unsigned i = 0; i < 20; i++) {
		run(t, &event);
		CHECK_EQ(event.kind, PLATFORM_SYSCALL);
		CHECK_EQ(event.syscall.nr, 1000 + i);
		CHECK_EQ(t->regs.rbx, sum);
		t->regs.rax = (uint64_t)(-520 + (int)i);
		sum += t->regs.rax;
		platform->interrupt(t);
	}
	guest_end(t);
}

static void test_dirty_regs(void)
{
	struct platform_thread *t = GUEST(syscalls);
	struct platform_event event;
	gaddr_t vdso;
	uint64_t vdso_size;

	if (!t)
		return;
	run(t, &event);
	t->regs.rbx = 0xabcdef;
	t->regs.r12 = 4999;
	t->regs.rax = 1;
	t->regs.fs_base = 0x12345000;
	t->regs.gs_base = 0x54321000;
	t->regs_dirty = true;
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(t->regs.rbx, 0xabcdf0);
	CHECK_EQ(event.syscall.nr, 5000);
	CHECK_EQ(t->regs.fs_base, 0x12345000);
	CHECK_EQ(t->regs.gs_base, 0x54321000);
	/* A mapping in between must not disturb anything. */
	CHECK_EQ(platform->unmap(t, GADDR(DATA), 4096), 0);
	t->regs.rax = 1;
	run(t, &event);
	CHECK_EQ(t->regs.rbx, 0xabcdf1);
	CHECK_EQ(event.syscall.nr, 5001);
	CHECK_EQ(t->regs.fs_base, 0x12345000);
	platform->vdso(t->as, &vdso, &vdso_size);
	if (vdso_size) {
		uint32_t magic = 0;

		CHECK_EQ(platform->copy_in(t, &magic, vdso, sizeof(magic)), sizeof(magic));
		CHECK_EQ(magic, 0x464c457f);
	}
	guest_end(t);
}

/* The offset of a dynamic symbol, 0 when there is none. Our own kernel's image: no checks beyond
 * the walk's ends. */
static uint64_t vdso_symbol(const uint8_t *image, uint64_t size, const char *name)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(image + header->e_phoff);
	const Elf64_Sym *symbols = NULL;
	const char *strings = NULL;

	for (unsigned i = 0; i < header->e_phnum; i++) {
		const Elf64_Dyn *dyn = (const Elf64_Dyn *)(image + segments[i].p_offset);

		for (; segments[i].p_type == PT_DYNAMIC && dyn->d_tag != DT_NULL; dyn++) {
			if (dyn->d_tag == DT_SYMTAB)
				symbols = (const Elf64_Sym *)(image + dyn->d_un.d_ptr);
			if (dyn->d_tag == DT_STRTAB)
				strings = (const char *)image + dyn->d_un.d_ptr;
		}
	}
	for (unsigned i = 1; symbols && strings &&
			     (const uint8_t *)&symbols[i] < (const uint8_t *)strings && i < 64;
		i++) {
		if (symbols[i].st_name < size && !strcmp(strings + symbols[i].st_name, name))
			return symbols[i].st_value;
	}
	return 0;
}

/* The guest reads the clock without a call of its own: the vDSO's data pages came along. */
static void test_vdso(void)
{
	struct platform_thread *t = GUEST(call_rbx);
	static _Alignas(8) uint8_t image[65536];
	struct timespec guest = {0}, now;
	struct platform_event event;
	uint64_t size, offset;
	gaddr_t addr;

	if (!t)
		return;
	platform->vdso(t->as, &addr, &size);
	if (size == 0 || size > sizeof(image)) {
		guest_end(t);
		return;
	}
	CHECK_EQ(platform->copy_in(t, image, addr, size), size);
	offset = vdso_symbol(image, size, "__vdso_clock_gettime");
	CHECK(offset != 0);
	t->regs.rbx = addr.v + offset;
	t->regs.rdi = CLOCK_REALTIME;
	t->regs.rsi = DATA;
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	/* A host clock that the vDSO cannot read makes it ask the kernel: then there is nothing to
	 * see here. */
	if (event.syscall.nr == 1000) {
		CHECK_EQ(event.syscall.args[0], 0);
		CHECK_EQ(platform->copy_in(t, &guest, GADDR(DATA), sizeof(guest)), sizeof(guest));
		clock_gettime(CLOCK_REALTIME, &now);
		CHECK(now.tv_sec - guest.tv_sec >= 0 && now.tv_sec - guest.tv_sec <= 2);
	} else {
		CHECK_EQ(event.syscall.nr, 228);
	}
	guest_end(t);
}

struct fault_case {
	const char *name;
	const uint8_t *code, *code_end;
	uint64_t rdi;
	int signo, code_value;
	uint64_t addr, trapno, rip_offset;
};

static void test_faults(void)
{
	const struct fault_case cases[] = {
		{"load unmapped", code_load, code_load_end, 0x1000, SIGSEGV, SEGV_MAPERR, 0x1000,
			14, 0},
		{"load last page", code_load, code_load_end, DATA + 4090, SIGSEGV, SEGV_MAPERR,
			DATA + 4096, 14, 0},
		{"store read-only", code_store, code_store_end, CODE, SIGSEGV, SEGV_ACCERR, CODE,
			14, 0},
		{"execute data", code_jump_rdi, code_jump_rdi_end, DATA, SIGSEGV, SEGV_ACCERR, DATA,
			14, DATA - CODE},
		{"jump to nowhere", code_jump_rdi, code_jump_rdi_end, 0x7000, SIGSEGV, SEGV_MAPERR,
			0x7000, 14, 0x7000 - CODE},
		{"divide", code_divide, code_divide_end, 0, SIGFPE, FPE_INTDIV, CODE + 4, 0, 4},
		{"undefined", code_undefined, code_undefined_end, 0, SIGILL, ILL_ILLOPN, CODE, 6,
			0},
		{"breakpoint", code_breakpoint, code_breakpoint_end, 0, SIGTRAP, SI_KERNEL, 0, 3,
			2},
		{"non-canonical", code_noncanonical, code_noncanonical_end, 0, SIGSEGV, SI_KERNEL,
			0, 13, 10},
		{"int80", code_int80, code_int80_end, 0, SIGSEGV, SI_KERNEL, 0, 13, 5},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		const struct fault_case *c = &cases[i];
		struct platform_thread *t = guest_new(c->code, c->code_end);
		struct platform_event event;
		unsigned before = failures;

		if (!t)
			return;
		t->regs.rdi = c->rdi;
		run(t, &event);
		CHECK_EQ(event.kind, PLATFORM_FAULT);
		CHECK_EQ(event.fault.signo, c->signo);
		CHECK_EQ(event.fault.code, c->code_value);
		CHECK_EQ(event.fault.addr, c->addr);
		CHECK_EQ(event.fault.trapno, c->trapno);
		CHECK_EQ(t->regs.rip, CODE + c->rip_offset);
		CHECK_EQ(t->regs.orig_rax, UINT64_MAX);
		if (failures != before)
			printf("  in case: %s\n", c->name);
		guest_end(t);
	}
}

/* After a fault the kernel repairs the cause and the guest goes on. */
static void test_fault_resume(void)
{
	const struct platform_map map = {
		GADDR(0x600000), 4096, LX_PROT_READ | LX_PROT_WRITE, false, -1, 0, false};
	struct platform_thread *t = GUEST(store);
	struct platform_event event;
	uint64_t value = 0;

	if (!t)
		return;
	t->regs.rdi = 0x600008;
	t->regs.rax = 0x1234;
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_FAULT);
	CHECK_EQ(event.fault.error_code, 6);
	CHECK_EQ(platform->map(t, &map), 0);
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 60);
	CHECK_EQ(platform->copy_in(t, &value, GADDR(0x600008), 8), 8);
	CHECK_EQ(value, 0x1234);
	guest_end(t);
}

static void test_vsyscall(void)
{
	struct platform_thread *t = GUEST(vsyscall);
	struct platform_event event;

	if (!t)
		return;
	run(t, &event);
	/* A host with vsyscall=none: the page does not exist. */
	if (event.kind == PLATFORM_FAULT) {
		CHECK_EQ(event.fault.signo, SIGSEGV);
		guest_end(t);
		return;
	}
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 201);
	t->regs.rax = 777;
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	CHECK_EQ(event.syscall.nr, 1234);
	CHECK_EQ(event.syscall.args[0], 777);
	guest_end(t);
}

static void test_copy(void)
{
	struct platform_thread *t = GUEST(syscalls);
	const struct platform_map big = {
		GADDR(0x10000000), 1 << 20, LX_PROT_READ | LX_PROT_WRITE, false, -1, 0, false};
	static char out[1 << 20], in[1 << 20];

	if (!t)
		return;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / 4096);
	CHECK_EQ(platform->map(t, &big), 0);
	CHECK_EQ(platform->copy_out(t, big.addr, out, sizeof(out)), sizeof(out));
	CHECK_EQ(platform->copy_in(t, in, big.addr, sizeof(in)), sizeof(in));
	CHECK(!memcmp(in, out, sizeof(in)));
	/* Partial: up to the first inaccessible byte. */
	CHECK_EQ(platform->copy_in(t, in, GADDR(DATA + 4000), 1000), 96);
	CHECK_EQ(platform->copy_out(t, GADDR(DATA + 4000), out, 1000), 96);
	CHECK_EQ(platform->copy_in(t, in, GADDR(0x1000), 10), 0);
	CHECK_EQ(platform->copy_in(t, in, GADDR(0), 10), 0);
	CHECK_EQ(platform->copy_in(t, in, GADDR(UINT64_MAX - 3), 10), 0);
	CHECK_EQ(platform->copy_in(t, in, GADDR(0x800000000000ull), 10), 0);
	CHECK_EQ(platform->copy_out(t, GADDR(UINT64_MAX - 3), out, 10), 0);
	CHECK_EQ(platform->copy_out(t, platform->guest_end(), out, 10), 0);
	/* Read-only memory: EFAULT for the kernel too. */
	CHECK_EQ(platform->copy_out(t, GADDR(CODE), out, 10), 0);
	CHECK_EQ(platform->copy_out_deferred(t, GADDR(DATA), out, 10), 0);
	CHECK_EQ(platform->protect(t, big.addr, 4096, LX_PROT_NONE), 0);
	CHECK_EQ(platform->copy_in(t, in, big.addr, 10), 0);
	CHECK_EQ(platform->protect(t, GADDR(big.addr.v + 8192), 4096, LX_PROT_READ), 0);
	CHECK_EQ(platform->copy_out(t, GADDR(big.addr.v + 4096), out, 8192), 4096);
	guest_end(t);
}

static void test_map_file(void)
{
	struct platform_thread *t = GUEST(syscalls);
	int fd = memfd_create("test", MFD_CLOEXEC), read_only;
	char path[64], text[16] = "";
	struct platform_map map = {GADDR(0x20000000), 8192, LX_PROT_READ, false, fd, 0, false};

	if (!t)
		return;
	CHECK_EQ(ftruncate(fd, 16384), 0);
	CHECK_EQ(pwrite(fd, "first", 5, 0), 5);
	CHECK_EQ(pwrite(fd, "third", 5, 8192), 5);
	for (unsigned i = 0; i < 50; i++)
		CHECK_EQ(platform->map(t, &map), 0);
	CHECK_EQ(platform->copy_in(t, text, map.addr, 5), 5);
	CHECK(!memcmp(text, "first", 5));
	map.offset = 8192;
	map.shared = true;
	map.prot = LX_PROT_READ | LX_PROT_WRITE;
	CHECK_EQ(platform->map(t, &map), 0);
	CHECK_EQ(platform->copy_out(t, map.addr, "THIRD", 5), 5);
	CHECK_EQ(pread(fd, text, 5, 8192), 5);
	CHECK(!memcmp(text, "THIRD", 5));
	/* The descriptor carries its own access mode. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	map.fd = read_only;
	CHECK_EQ(platform->map(t, &map), -EACCES);
	map.fd = -1;
	CHECK_EQ(platform->map(t, &map), -EINVAL);
	map.shared = false;
	map.addr = platform->guest_end();
	CHECK(platform->map(t, &map) < 0);
	map.addr = GADDR(platform->guest_end().v - 4096);
	CHECK(platform->map(t, &map) < 0);
	close(fd);
	close(read_only);
	guest_end(t);
}

static void test_remap(void)
{
	struct platform_thread *t = GUEST(syscalls);
	char text[8] = "";

	if (!t)
		return;
	CHECK_EQ(platform->copy_out(t, GADDR(DATA), "move", 4), 4);
	CHECK_EQ(platform->remap(t, GADDR(DATA), 4096, 8192, GADDR(0x30000000)), 0);
	CHECK_EQ(platform->copy_in(t, text, GADDR(DATA), 4), 0);
	CHECK_EQ(platform->copy_in(t, text, GADDR(0x30000000), 4), 4);
	CHECK(!memcmp(text, "move", 4));
	CHECK_EQ(platform->remap(t, GADDR(0x30000000), 8192, 4096, GADDR(0x30000000)), 0);
	CHECK_EQ(platform->copy_in(t, text, GADDR(0x30000000 + 4094), 8), 2);
	CHECK_EQ(platform->advise(t, GADDR(0x30000000), 4096, LX_MADV_DONTNEED), 0);
	CHECK_EQ(platform->copy_in(t, text, GADDR(0x30000000), 4), 4);
	CHECK(!memcmp(text, "\0\0\0\0", 4));
	CHECK_EQ(platform->advise(t, GADDR(0x30000000), 4096, 12345), -EINVAL);
	guest_end(t);
}

static void interrupt_later(void *arg)
{
	sleep_ns(5000000);
	platform->interrupt(arg);
}

static void test_interrupt(void)
{
	struct platform_thread *t = GUEST(spin);
	struct platform_event event;
	struct fiber *fiber;
	uint64_t start = loop_monotonic_now();

	if (!t)
		return;
	for (unsigned i = 0; i < 5; i++) {
		uint64_t before = t->regs.rbx;

		CHECK_EQ(fiber_create(&fiber, "interrupt", interrupt_later, t), 0);
		platform->run(t, &event);
		CHECK_EQ(event.kind, PLATFORM_INTERRUPTED);
		CHECK(t->regs.rbx > before);
	}
	/* Interrupting what is stopped is harmless. */
	platform->interrupt(t);
	CHECK(loop_monotonic_now() - start < 500000000);
	guest_end(t);
}

static void kill_later(void *arg)
{
	sleep_ns(5000000);
	platform->as_kill(((struct platform_thread *)arg)->as);
}

static void test_kill(void)
{
	struct platform_thread *t = GUEST(spin);
	struct platform_event event;
	struct fiber *fiber;
	char byte;

	if (!t)
		return;
	CHECK_EQ(fiber_create(&fiber, "kill", kill_later, t), 0);
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_EXITED);
	platform->as_kill(t->as);
	platform->run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_EXITED);
	CHECK_EQ(platform->copy_in(t, &byte, GADDR(DATA), 1), -ESRCH);
	CHECK_EQ(platform->copy_out(t, GADDR(DATA), &byte, 1), -ESRCH);
	CHECK_EQ(platform->unmap(t, GADDR(DATA), 4096), -ESRCH);
	platform->interrupt(t);
	guest_end(t);
	/* And one that is killed while it is stopped. */
	t = GUEST(spin);
	platform->as_kill(t->as);
	CHECK_EQ(platform->unmap(t, GADDR(DATA), 4096), -ESRCH);
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_EXITED);
	guest_end(t);
}

static void test_fork(void)
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

struct counter {
	struct platform_thread *thread;
	unsigned *left;
	struct wait_queue *done;
};

static void count_fiber(void *arg)
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

static void test_threads(void)
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
	CHECK_EQ(platform->resident_size(t->as, &size), 0);
	CHECK(size >= 4096 && size < (64 << 20));
	guest_end(t);
	wait_queue_destroy(&done);
}

/* The first thread of a process leaves, the others go on; then the process dies under them. */
static void test_leader_leaves(void)
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
	CHECK_EQ(platform->resident_size(other->as, &size), 0);
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

static void test_futex(void)
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
	CHECK_EQ(platform->futex(t, &wake), 1);
	sleep_ns(2000000);
	CHECK(waiter.done);
	CHECK_EQ(waiter.result, 0);
	/* Interrupted. */
	waiter.done = false;
	CHECK_EQ(fiber_create(&fiber, "futex", futex_fiber, &waiter), 0);
	sleep_ns(2000000);
	platform->interrupt(other);
	sleep_ns(2000000);
	CHECK(waiter.done);
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

static void test_fpu(void)
{
	struct platform_thread *t = GUEST(xmm), *child;
	struct platform_clone clone = {.new_as = true};
	static _Alignas(64) uint8_t image[PLATFORM_FPU_MAX], other[PLATFORM_FPU_MAX];
	struct platform_event event;
	ssize_t size, other_size;
	uint32_t magic;

	if (!t)
		return;
	t->regs.rdi = 0x1122334455667788;
	t->regs.rsi = 0x99aabbccddeeff00;
	run(t, &event);
	CHECK_EQ(event.kind, PLATFORM_SYSCALL);
	size = platform->fpu_get(t, image, sizeof(image));
	CHECK(size >= 576);
	CHECK_EQ(*(uint64_t *)(image + 160), 0x1122334455667788);
	CHECK_EQ(*(uint64_t *)(image + 168), 0x99aabbccddeeff00);
	memcpy(&magic, image + 464, 4);
	CHECK_EQ(magic, 0x46505853);
	clone.regs = t->regs;
	CHECK_EQ(platform->thread_clone(t, &clone, &child), 0);
	other_size = platform->fpu_get(child, other, sizeof(other));
	CHECK_EQ(other_size, size);
	CHECK(!memcmp(image + 160, other + 160, 16));
	*(uint64_t *)(image + 160) = 0xfeed;
	CHECK_EQ(platform->fpu_set(t, image, (size_t)size), 0);
	run(t, &event);
	CHECK_EQ(event.syscall.nr, 1001);
	CHECK_EQ(event.syscall.args[0], 0xfeed);
	CHECK_EQ(event.syscall.args[1], 0x99aabbccddeeff00);
	CHECK_EQ(platform->fpu_set(t, image, 100), -EINVAL);
	CHECK_EQ(platform->fpu_reset(child), 0);
	run(child, &event);
	CHECK_EQ(event.syscall.nr, 1001);
	CHECK_EQ(event.syscall.args[0], 0);
	CHECK_EQ(event.syscall.args[1], 0);
	/* Garbage is refused or kills the guest, and nothing else. */
	memset(image, 0xff, sizeof(image));
	(void)platform->fpu_set(child, image, (size_t)size);
	guest_end(child);
	run(t, &event);
	guest_end(t);
}

static void test_many(void)
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
static void test_cap(void)
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

/* Live children of @parent other than @except. Returns how many of them are in @pids. */
static unsigned children_of(pid_t parent, pid_t except, pid_t *pids, unsigned max)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	unsigned count = 0;

	while (dir && (entry = readdir(dir)) && count < max) {
		char path[64], line[256] = "";
		int pid = atoi(entry->d_name), ppid;
		char state;
		const char *rest;
		FILE *file;

		if (pid <= 0 || pid == except)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(line, sizeof(line), file) && (rest = strrchr(line, ')')) &&
			sscanf(rest + 1, " %c %d", &state, &ppid) == 2 && ppid == parent &&
			state != 'Z' && state != 'X')
			pids[count++] = pid;
		fclose(file);
	}
	if (dir)
		closedir(dir);
	return count;
}

static noreturn void pester(pid_t parent)
{
	static const int signals[] = {SIGSTOP, SIGCONT, SIGTRAP, SIGSEGV, SIGUSR1, SIGSYS, SIGCHLD,
		SIGSTOP, SIGTERM, SIGCONT, SIGILL, 40, SIGTSTP, SIGINT};
	unsigned n = 0;
	pid_t pids[64];

	for (unsigned round = 0; round < 100; round++) {
		unsigned count = children_of(parent, getpid(), pids, array_size(pids));

		for (unsigned i = 0; i < count; i++)
			kill(pids[i], signals[n++ % array_size(signals)]);
		usleep(1000);
	}
	_exit(0);
}

/* Signals from outside reach neither the guest nor the calls made on its behalf. */
static void test_stray_signals(void)
{
	struct platform_thread *t = GUEST(syscalls);
	struct platform_futex futex = {
		.op = LX_FUTEX_WAIT, .uaddr = GADDR(DATA), .has_timeout = true};
	struct platform_event event;
	pid_t self = getpid(), pesterer;
	unsigned i = 0;
	uint64_t end;
	int status;

	if (!t)
		return;
	pesterer = fork();
	if (pesterer == 0)
		pester(self);
	end = loop_monotonic_now() + 400000000;
	while (loop_monotonic_now() < end && failures < 5) {
		run(t, &event);
		CHECK_EQ(event.kind, PLATFORM_SYSCALL);
		CHECK_EQ(event.syscall.nr, 1000 + i);
		CHECK_EQ(t->regs.rbx, (uint64_t)i * 7);
		CHECK_EQ(platform->protect(t, GADDR(DATA), 4096, LX_PROT_READ | LX_PROT_WRITE), 0);
		if (i % 16 == 0) {
			struct platform_clone clone = {.new_as = i % 32 == 0, .regs = t->regs};
			struct platform_thread *child;

			CHECK_EQ(platform->thread_clone(t, &clone, &child), 0);
			guest_end(child);
		}
		if (i % 64 == 0) {
			futex.timeout_ns = loop_monotonic_now() + 2000000;
			CHECK_EQ(platform->futex(t, &futex), -ETIMEDOUT);
			CHECK(loop_monotonic_now() >= futex.timeout_ns);
		}
		t->regs.rax = 7;
		i++;
	}
	CHECK(i > 100);
	waitpid(pesterer, &status, 0);
	guest_end(t);
}

struct storm {
	struct timer timer;
	struct platform_thread *thread;
	unsigned count;
};

static void storm_expired(struct timer *timer)
{
	struct storm *storm = timer->data;

	platform->interrupt(storm->thread);
	storm->count++;
	(void)timer_arm(timer, loop_monotonic_now() + 10000 + storm->count % 64 * 500);
}

/* Interruptions at every moment of a busy life: no call is lost or seen twice, no register changes.
 */
static void test_interrupt_storm(void)
{
	struct platform_thread *t = GUEST(syscalls);
	struct storm storm = {.thread = t};
	struct platform_event event;
	unsigned calls = 0, interruptions = 0;

	if (!t)
		return;
	timer_init(&storm.timer, storm_expired, &storm);
	CHECK_EQ(timer_arm(&storm.timer, 1), 0);
	while (calls < 20000 && failures < 5) {
		platform->run(t, &event);
		if (event.kind == PLATFORM_SYSCALL) {
			CHECK_EQ(event.syscall.nr, 1000 + calls);
			CHECK_EQ(t->regs.rbx, (uint64_t)calls * 3);
			calls++;
			t->regs.rax = 3;
			if (calls % 8 == 0)
				fiber_yield();
			if (calls % 64 == 0)
				CHECK_EQ(platform->protect(t, GADDR(DATA), 4096, LX_PROT_READ), 0);
		} else {
			CHECK_EQ(event.kind, PLATFORM_INTERRUPTED);
			interruptions++;
		}
	}
	timer_cancel(&storm.timer);
	CHECK(storm.count > 100);
	guest_end(t);
}

/* A process that dies by somebody else's hand, at any moment of its life. */
static void test_sudden_death(void)
{
	for (unsigned delay = 0; delay < 40; delay++) {
		struct platform_thread *t = GUEST(syscalls);
		struct platform_event event;
		pid_t killer;
		int status;

		if (!t)
			return;
		killer = fork();
		if (killer == 0) {
			pid_t pids[64];
			unsigned count = children_of(getppid(), getpid(), pids, array_size(pids));
			pid_t newest = 0;

			usleep(delay * 50);
			for (unsigned i = 0; i < count; i++)
				newest = max_of(newest, pids[i]);
			kill(newest, SIGKILL);
			_exit(0);
		}
		for (;;) {
			struct platform_clone clone = {.regs = t->regs};
			struct platform_thread *other;
			int err;

			run(t, &event);
			if (event.kind == PLATFORM_EXITED)
				break;
			CHECK_EQ(event.kind, PLATFORM_SYSCALL);
			err = platform->protect(t, GADDR(DATA), 4096, LX_PROT_READ | LX_PROT_WRITE);
			CHECK(err == 0 || err == -ESRCH);
			clone.new_as = false;
			err = platform->thread_clone(t, &clone, &other);
			CHECK(err == 0 || err == -ESRCH);
			if (err == 0)
				guest_end(other);
		}
		guest_end(t);
		waitpid(killer, &status, 0);
	}
}

/* Runs in a process of its own: guests that compute and fork until the whole thing is killed. */
static void hold(void *arg)
{
	struct platform_thread *t = GUEST(syscalls);
	struct platform_event event;
	struct fiber *fiber;

	for (unsigned i = 0; i < 8; i++) {
		struct platform_thread *spinner = GUEST(spin);

		(void)fiber_create(
			&fiber, "spin", count_fiber, &(struct counter){.thread = spinner});
		fiber_yield();
	}
	if (write(3, "", 1) != 1)
		_exit(1);
	for (unsigned i = 0;; i++) {
		struct platform_clone clone = {.new_as = true, .regs = t->regs};
		struct platform_thread *child;

		run(t, &event);
		if (platform->thread_clone(t, &clone, &child) == 0)
			guest_end(child);
	}
}

/* However the Sentry dies, its stubs are gone 100 ms later. */
static void test_sentry_death(void)
{
	pid_t pids[256], sentry;
	unsigned count, alive = 0;
	int ready[2], status;
	char byte;

	if (pipe(ready) < 0)
		return;
	sentry = fork();
	if (sentry == 0) {
		dup2(ready[1], 3);
		execl("/proc/self/exe", "platform_test", platform->name, "--hold", NULL);
		_exit(1);
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	usleep(20000);
	count = children_of(sentry, 0, pids, array_size(pids));
	CHECK(count >= 9);
	kill(sentry, SIGKILL);
	waitpid(sentry, &status, 0);
	usleep(100000);
	for (unsigned i = 0; i < count; i++) {
		char path[64], line[256] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/stat", pids[i]);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(line, sizeof(line), file) && !strstr(line, ") Z") && !strstr(line, ") X"))
			alive++;
		fclose(file);
	}
	CHECK_EQ(alive, 0);
	close(ready[0]);
}

/* Computing threads use the cores that there are, and calls are quick again afterwards. */
static void test_parallel(void)
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

static void test_latency(void)
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
	{"sentry_death", test_sentry_death},
	{"parallel", test_parallel},
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
	if (loop_init() < 0 || platform->start(&config, &upcalls, &why) < 0) {
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
