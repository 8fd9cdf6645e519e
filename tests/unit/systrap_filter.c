/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stub's seccomp program, interpreted: what it answers for every number, from inside and
 * outside of the stub's text, for every architecture, with arguments that are right, wrong, or
 * right only in their lower halves. The expectation is written down here a second time, by hand,
 * independently of the list from which the program is generated.
 */
#include <errno.h>
#include <criterion/criterion.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "platform/systrap/filter.h"
#include "platform/systrap/stub/layout.h"

static struct sock_filter program[STUB_BOOT_FILTER_MAX];
static int program_count;

static void build(void)
{
	program_count = systrap_filter_build(program, array_size(program));
	cr_assert(program_count > 0);
}

TestSuite(systrap_filter, .init = build);

/* The subset of classic BPF that seccomp allows (kernel/seccomp.c, seccomp_check_filter) as far as
 * the program uses it. */
static uint32_t interpret(const struct seccomp_data *data)
{
	const uint8_t *bytes = (const uint8_t *)data;
	uint32_t a = 0;

	for (int pc = 0; pc < program_count; pc++) {
		const struct sock_filter *insn = &program[pc];

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			cr_assert(insn->k % 4 == 0 && insn->k + 4 <= sizeof(*data));
			memcpy(&a, bytes + insn->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= insn->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += (int)insn->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == insn->k ? insn->jt : insn->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= insn->k ? insn->jt : insn->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > insn->k ? insn->jt : insn->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & insn->k ? insn->jt : insn->jf;
			break;
		case BPF_RET | BPF_K:
			return insn->k;
		default:
			cr_assert_fail("instruction %d: code %#x", pc, insn->code);
		}
	}
	cr_assert_fail("the program ran off its end");
	return 0;
}

static const uint64_t inside[] = {STUB_TEXT_BASE, STUB_TEXT_BASE + 2, STUB_TEXT_BASE + 0x1234,
	STUB_TEXT_BASE + STUB_TEXT_SIZE - 1};
static const uint64_t outside[] = {0, 2, 0x400000, STUB_TEXT_BASE - 1,
	STUB_TEXT_BASE + STUB_TEXT_SIZE, STUB_GATE_BASE + 7, STUB_TEXT_BASE &UINT32_MAX,
	STUB_TEXT_BASE + (1ull << 32), STUB_TEXT_BASE - (1ull << 32), STUB_VDSO_BASE, UINT64_MAX,
	0xffffffffff600002};
static const uint32_t foreign[] = {
	AUDIT_ARCH_I386, 0, AUDIT_ARCH_X86_64 ^ 1, AUDIT_ARCH_AARCH64, UINT32_MAX};

/* Values that an argument is tried with: small ones, single bits, those with a meaning, and each
 * with a dirty upper half. */
static uint64_t values[512];
static size_t value_count;

static void collect_values(void)
{
	static const uint64_t special[] = {STUB_CLONE_FORK, STUB_CLONE_THREAD, 0x11, 0x21, 0x22,
		0x31, 0x32, 0x4022, 0x100022, 0x122, 0x2022, 0x40022, UINT32_MAX, (uint32_t)-2,
		INT32_MAX, 0x50f00 | 0x80000};
	size_t low_count;

	value_count = 0;
	for (uint64_t v = 0; v < 160; v++)
		values[value_count++] = v;
	for (unsigned bit = 7; bit < 32; bit++)
		values[value_count++] = 1ull << bit;
	for (size_t i = 0; i < array_size(special); i++)
		values[value_count++] = special[i];
	/* FUTEX_CLOCK_REALTIME forms */
	for (uint64_t v = 256; v < 272; v++)
		values[value_count++] = v;
	low_count = value_count;
	for (size_t i = 0; i < low_count && value_count + 2 <= array_size(values); i += 3) {
		values[value_count++] = values[i] | 1ull << 32;
		values[value_count++] = values[i] | 0xffffffffull << 32;
	}
	values[value_count++] = UINT64_MAX;
}

static bool one_of(uint64_t value, const int *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (value == (uint64_t)list[i])
			return true;
	}
	return false;
}
#define ONE_OF(value, ...)                                                                         \
	one_of(value, (const int[]){__VA_ARGS__}, array_size(((const int[]){__VA_ARGS__})))

/* What the program must answer for a native call from the stub's text. */
static uint32_t expected(uint32_t nr, const uint64_t args[6])
{
	bool allowed = false;

	switch (nr) {
	case SYS_rt_sigreturn:
	case SYS_munmap:
	case SYS_sched_yield:
	case SYS_exit:
		allowed = true;
		break;
	case SYS_close:
		allowed = args[0] >= STUB_FD_TRANSFER &&
			  args[0] < STUB_FD_TRANSFER + STUB_FD_TRANSFERS;
		break;
	case SYS_mprotect:
		allowed = args[2] <= 7;
		break;
	case SYS_mremap:
		allowed = args[3] <= 3;
		break;
	case SYS_madvise:
		allowed = ONE_OF(args[2], MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
			MADV_DONTNEED, MADV_FREE, MADV_DONTFORK, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
			MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK, 20 /* COLD */,
			21 /* PAGEOUT */, 22 /* POPULATE_READ */, 23 /* POPULATE_WRITE */);
		break;
	case SYS_futex:
		allowed =
			args[1] < 512 && ONE_OF(args[1] & ~(128ull | 256ull), 0, 1, 3, 4, 5, 9, 10);
		break;
	case SYS_futex_waitv:
		allowed = args[2] == 0 && args[4] <= 1;
		break;
	case SYS_mmap:
		allowed = args[2] <= 7 &&
			  !(args[3] &
				  ~(uint64_t)(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS |
					      MAP_NORESERVE | MAP_FIXED_NOREPLACE)) &&
			  !((args[3] & MAP_SHARED) && (args[3] & MAP_ANONYMOUS)) &&
			  (args[4] == UINT64_MAX ||
				  (args[4] >= STUB_FD_TRANSFER && args[4] < STUB_FD_END));
		break;
	case SYS_rseq:
		allowed = args[1] <= UINT32_MAX && args[2] <= 1 && args[3] <= UINT32_MAX;
		break;
	case SYS_restart_syscall: /* not executed: timed waits begin anew */
		return SECCOMP_RET_ERRNO | EINTR;
	default:
		break;
	}
	return allowed ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF;
}

static void check(uint32_t nr, uint64_t ip, uint32_t arch, const uint64_t args[6], uint32_t wanted)
{
	struct seccomp_data data = {.nr = (int)nr, .arch = arch, .instruction_pointer = ip};
	uint32_t got;

	memcpy(data.args, args, sizeof(data.args));
	got = interpret(&data);
	cr_assert(got == wanted,
		"nr %u ip %#llx arch %#x args %#llx %#llx %#llx %#llx %#llx: %#x, not %#x", nr,
		(unsigned long long)ip, arch, (unsigned long long)args[0],
		(unsigned long long)args[1], (unsigned long long)args[2],
		(unsigned long long)args[3], (unsigned long long)args[4], got, wanted);
}

/* Every number, x32's and negative ones too: outside of the text and for other architectures
 * nothing passes. */
Test(systrap_filter, only_the_text_passes)
{
	const uint64_t zero[6] = {0}, ones[6] = {1, 1, 1, 1, 1, 1};

	for (uint32_t n = 0; n < 3 * 2048; n++) {
		uint32_t nr = n < 2048	 ? n
			      : n < 4096 ? (n - 2048) | 0x40000000
					 : UINT32_MAX - (n - 4096);

		for (size_t i = 0; i < array_size(outside); i++) {
			check(nr, outside[i], AUDIT_ARCH_X86_64, zero, SECCOMP_RET_TRAP);
			check(nr, outside[i], AUDIT_ARCH_X86_64, ones, SECCOMP_RET_TRAP);
		}
		for (size_t i = 0; i < array_size(foreign); i++) {
			check(nr, inside[1], foreign[i], zero, SECCOMP_RET_TRAP);
			check(nr, outside[1], foreign[i], ones, SECCOMP_RET_TRAP);
		}
		for (size_t i = 0; i < array_size(inside); i++) {
			check(nr, inside[i], AUDIT_ARCH_X86_64, zero, expected(nr, zero));
			check(nr, inside[i], AUDIT_ARCH_X86_64, ones, expected(nr, ones));
		}
	}
}

/* Each argument of each number through all values, on top of calls that are otherwise fine. */
Test(systrap_filter, each_argument)
{
	static const uint64_t bases[][6] = {
		{0},
		{0x1000, 4096, 3, 0x32, UINT64_MAX, 0},
		{0x1000, 4096, 5, 0x11, STUB_FD_TRANSFER, 0},
		{0x1000, 4096, 7, 0x02, UINT64_MAX, 0},
		{STUB_FD_TRANSFER, 128, 4, 3, 0, 0},
		{STUB_CLONE_FORK, 9, 0, 0, 0, 0},
	};

	collect_values();
	for (uint32_t nr = 0; nr < 512; nr++) {
		for (size_t b = 0; b < array_size(bases); b++) {
			for (unsigned index = 0; index < 6; index++) {
				uint64_t args[6];

				memcpy(args, bases[b], sizeof(args));
				for (size_t i = 0; i < value_count; i++) {
					args[index] = values[i];
					check(nr, inside[1], AUDIT_ARCH_X86_64, args,
						expected(nr, args));
				}
			}
		}
	}
}

/* mmap's arguments in all pairs: flags are where mistakes would be. */
Test(systrap_filter, mmap_pairs)
{
	collect_values();
	for (size_t f = 0; f < value_count; f++) {
		for (size_t d = 0; d < value_count; d++) {
			const uint64_t args[6] = {
				0x1000, 4096, values[d] & 15, values[f], values[d], 0};

			check(SYS_mmap, inside[1], AUDIT_ARCH_X86_64, args,
				expected(SYS_mmap, args));
		}
	}
}

/* The list promises at most 14 calls, each once and with its words. */
Test(systrap_filter, list)
{
	cr_assert(systrap_filter_rule_count <= 14);
	for (unsigned i = 0; i < systrap_filter_rule_count; i++) {
		cr_assert(systrap_filter_rules[i].name && systrap_filter_rules[i].reason &&
			  systrap_filter_rules[i].constraint);
		for (unsigned j = 0; j < i; j++)
			cr_assert(systrap_filter_rules[i].nr != systrap_filter_rules[j].nr);
	}
}

/* Jumps stay inside, every path ends in a return: what the kernel's checker demands, for all
 * instructions. */
Test(systrap_filter, well_formed)
{
	for (int pc = 0; pc < program_count; pc++) {
		const struct sock_filter *insn = &program[pc];

		if (BPF_CLASS(insn->code) != BPF_JMP)
			continue;
		if (BPF_OP(insn->code) == BPF_JA) {
			cr_assert(pc + 1 + (int)insn->k < program_count);
		} else {
			cr_assert(pc + 1 + insn->jt < program_count);
			cr_assert(pc + 1 + insn->jf < program_count);
		}
	}
	cr_assert(BPF_CLASS(program[program_count - 1].code) == BPF_RET);
}
