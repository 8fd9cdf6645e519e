/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp program of the ptrace platform's stubs, interpreted. */
#include <criterion/criterion.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "platform/ptrace/stub_calls.h"
#include "platform/ptrace/tracee.h"

static uint32_t interpret(const struct seccomp_data *data)
{
	unsigned short count;
	const struct sock_filter *program = filter_program(&count);
	uint32_t a = 0;

	for (unsigned pc = 0; pc < count; pc++) {
		const struct sock_filter *f = &program[pc];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			cr_assert(f->k + 4 <= sizeof(*data) && f->k % 4 == 0);
			memcpy(&a, (const char *)data + f->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == f->k ? f->jt : f->jf;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			cr_assert_fail("unknown instruction %x", f->code);
		}
	}
	cr_assert_fail("the program ends without an answer");
	return 0;
}

static struct seccomp_data call(
	int nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	return (struct seccomp_data){
		.nr = nr,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = PT_INJECT_CALL + 2,
		.args = {a0, a1, a2, a3, a4},
	};
}

static const struct {
	int nr;
	uint64_t args[5];
} allowed[] = {
	{SYS_mmap, {0x1000, 0x1000, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, UINT64_MAX}},
	{SYS_mmap, {0x1000, 0x1000, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
			   UINT64_MAX}},
	{SYS_mmap, {0x1000, 0x1000, 5, MAP_PRIVATE | MAP_FIXED, PT_STUB_SLOT}},
	{SYS_mmap, {0x1000, 0x1000, 3, MAP_SHARED | MAP_FIXED, PT_STUB_SLOT}},
	{SYS_munmap, {0x1000, 0x1000}},
	{SYS_mprotect, {0x1000, 0x1000, 3}},
	{SYS_mremap, {0x1000, 0x1000, 0x2000, MREMAP_MAYMOVE | MREMAP_FIXED, 0x5000}},
	{SYS_mremap, {0x1000, 0x1000, 0x2000, 0}},
	{SYS_madvise, {0x1000, 0x1000, MADV_DONTNEED}},
	{SYS_futex, {0x1000, 0 | 128, 5}},
	{SYS_futex, {0x1000, 10 | 256, 5}},
	{SYS_futex_waitv, {0x1000, 2, 0, 0, 0}},
	{SYS_recvmsg, {PT_STUB_SOCKET, PT_MAILBOX, 0x40}},
	{SYS_close, {PT_STUB_SLOT}},
	{SYS_clone, {PT_CLONE_FORK}},
	{SYS_clone, {PT_CLONE_THREAD}},
	{SYS_exit, {0}},
	{SYS_rseq, {0x1000, 32, 1, 0x53053053}},
	{SYS_restart_syscall, {0}},
};

static const struct {
	int nr;
	uint64_t args[5];
} denied[] = {
	{SYS_mmap, {0x1000, 0x1000, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, UINT64_MAX}},
	{SYS_mmap, {0x1000, 0x1000, 3, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX}},
	{SYS_mmap, {0x1000, 0x1000, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN,
			   UINT64_MAX}},
	{SYS_mmap, {0x1000, 0x1000, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_HUGETLB,
			   UINT64_MAX}},
	{SYS_mmap, {0x1000, 0x1000, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_LOCKED,
			   UINT64_MAX}},
	{SYS_mmap, {0x1000, 0x1000, 3, MAP_PRIVATE | MAP_FIXED, PT_STUB_SOCKET}},
	{SYS_mmap, {0x1000, 0x1000, 3, MAP_PRIVATE | MAP_FIXED, PT_STUB_PIPE}},
	{SYS_mmap, {0x1000, 0x1000, 3 | 0x100000000, MAP_PRIVATE | MAP_FIXED, PT_STUB_SLOT}},
	{SYS_mmap, {0x1000, 0x1000, 3, MAP_PRIVATE | MAP_FIXED | 0x100000000, PT_STUB_SLOT}},
	{SYS_mprotect, {0x1000, 0x1000, 8}},
	{SYS_mprotect, {0x1000, 0x1000, PROT_READ | PROT_GROWSDOWN}},
	{SYS_mremap, {0x1000, 0x1000, 0x2000, MREMAP_MAYMOVE}},
	{SYS_mremap, {0x1000, 0x1000, 0x2000, MREMAP_MAYMOVE | MREMAP_FIXED | 4}},
	{SYS_madvise, {0x1000, 0x1000, MADV_REMOVE}},
	{SYS_madvise, {0x1000, 0x1000, 100}},
	{SYS_madvise, {0x1000, 0x1000, MADV_MERGEABLE}},
	{SYS_futex, {0x1000, 6, 5}},
	{SYS_futex, {0x1000, 13 | 128, 5}},
	{SYS_futex_waitv, {0x1000, 2, 1, 0, 0}},
	{SYS_futex_waitv, {0x1000, 2, 0, 0x1000, 0}},
	{SYS_recvmsg, {PT_STUB_PIPE, PT_MAILBOX, 0x40}},
	{SYS_recvmsg, {PT_STUB_SOCKET, PT_MAILBOX, 0}},
	{SYS_close, {PT_STUB_SOCKET}},
	{SYS_close, {PT_STUB_PIPE}},
	{SYS_close, {PT_STUB_SLOT | 0x100000000}},
	{SYS_clone, {0x11}},
	{SYS_clone, {PT_CLONE_FORK | 0x800000 /* CLONE_UNTRACED */}},
	{SYS_clone, {PT_CLONE_THREAD | 0x10000000 /* CLONE_NEWUSER */}},
	{SYS_clone, {PT_CLONE_FORK | 0x100000000}},
};

Test(ptrace_filter, allowed)
{
	for (size_t i = 0; i < array_size(allowed); i++) {
		const uint64_t *a = allowed[i].args;
		struct seccomp_data data = call(allowed[i].nr, a[0], a[1], a[2], a[3], a[4]);

		cr_expect_eq(interpret(&data), SECCOMP_RET_ALLOW, "row %zu", i);
		/* The same from anywhere else, or by another door. */
		data.instruction_pointer = 0x400002;
		cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "row %zu", i);
		data.instruction_pointer = PT_INJECT_PAGE - 1;
		cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "row %zu", i);
		data.instruction_pointer = PT_INJECT_PAGE + 4096;
		cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "row %zu", i);
		data.instruction_pointer = PT_INJECT_CALL ^ 0x100000000;
		cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "row %zu", i);
		data.instruction_pointer = 0xffffffffff600400;
		cr_expect_eq(interpret(&data), SECCOMP_RET_TRAP, "row %zu", i);
		data.instruction_pointer = PT_INJECT_CALL + 2;
		data.arch = AUDIT_ARCH_I386;
		cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "row %zu", i);
		data.arch = AUDIT_ARCH_X86_64;
		data.nr |= 0x40000000;
		cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "row %zu", i);
	}
}

Test(ptrace_filter, denied)
{
	for (size_t i = 0; i < array_size(denied); i++) {
		const uint64_t *a = denied[i].args;
		const struct seccomp_data data = call(denied[i].nr, a[0], a[1], a[2], a[3], a[4]);

		cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "row %zu", i);
	}
}

/* Every number that no row above names is refused. */
Test(ptrace_filter, numbers)
{
	for (int nr = 0; nr < 1024; nr++) {
		const struct seccomp_data data = call(nr, 0, 0, 0, 0, 0);
		bool listed = false;

		for (size_t i = 0; i < array_size(allowed); i++)
			listed |= allowed[i].nr == nr;
		if (!listed)
			cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "call %d", nr);
	}
}

/* Every advice and futex operation: exactly the listed ones. */
Test(ptrace_filter, lists)
{
	static const int advices[] = STUB_ADVICE, futexes[] = STUB_FUTEX;

	for (int value = 0; value < 512; value++) {
		const struct seccomp_data advise = call(SYS_madvise, 0, 0, (uint64_t)value, 0, 0);
		const struct seccomp_data futex = call(SYS_futex, 0, (uint64_t)value, 0, 0, 0);
		bool advice_listed = false, futex_listed = false;

		for (size_t i = 0; i < array_size(advices); i++)
			advice_listed |= advices[i] == value;
		for (size_t i = 0; i < array_size(futexes); i++)
			futex_listed |= futexes[i] == (value & ~(128 | 256));
		cr_expect_eq(
			interpret(&advise) == SECCOMP_RET_ALLOW, advice_listed, "advice %d", value);
		cr_expect_eq(
			interpret(&futex) == SECCOMP_RET_ALLOW, futex_listed, "futex %d", value);
	}
}
