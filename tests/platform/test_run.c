/* SPDX-License-Identifier: Apache-2.0 */
/* Calls, faults, interruptions, death, floating point. */
#include "tests/platform/driver.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "abi/mman.h"

void test_syscalls(void)
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
void test_restart_values(void)
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

void test_dirty_regs(void)
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
void test_vdso(void)
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

void test_faults(void)
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
void test_fault_resume(void)
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

void test_vsyscall(void)
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

void interrupt_later(void *arg)
{
	sleep_ns(5000000);
	platform->interrupt(arg);
}

void test_interrupt(void)
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

void test_kill(void)
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

void test_fpu(void)
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
