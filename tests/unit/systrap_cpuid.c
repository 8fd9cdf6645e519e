/* SPDX-License-Identifier: Apache-2.0 */
/* The code that stands for `cpuid`, executed; and the places where it is put. */
#include <cpuid.h>
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/systrap/cpuid.h"
#include "platform/systrap/site.h"

struct regs {
	uint64_t rax, rbx, rcx, rdx, flags;
};

#define FLAGS 0x8d5ull /* CF PF AF ZF SF OF */

/* A page for each of: the table, the code. */
static uint8_t *pages;

static struct regs run(const uint8_t *code, struct regs regs)
{
	__asm__ volatile(
		"push %4\n\tpopfq\n\tcall *%5\n\tpushfq\n\tpop %4"
		: "+a"(regs.rax), "+b"(regs.rbx), "+c"(regs.rcx), "+d"(regs.rdx), "+r"(regs.flags)
		: "r"(code)
		: "cc", "memory");
	return regs;
}

static void build(const uint8_t *bytes, size_t size)
{
	uint8_t *slot = pages + 4096;

	if (!pages)
		pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(pages, MAP_FAILED);
	slot = pages + 4096;
	/* Back to a `ret` behind it. */
	cr_assert(cpuid_slot_build(slot, bytes, size, -4096, 200));
	slot[200] = 0xc3;
}

static struct cpuid_entry *table(unsigned *ret_used)
{
	struct cpuid_entry *entries;

	build(NULL, 0);
	entries = (struct cpuid_entry *)pages;
	*ret_used = 0;
	cr_assert(cpuid_table_grow(entries, ret_used, CPUID_ENTRIES) || *ret_used == 0);
	return entries;
}

Test(systrap_cpuid, answers)
{
	static const uint32_t leaves[] = {0, 1, 2, 4, 7, 0xb, 0xd, 0x14, 0x19, 0x1f, 0x55,
		0x80000000, 0x80000001, 0x80000002, 0x80000006, 0x80000008, 0x8000001d, 0x90000000,
		0x40000000, 0xffffffff};
	unsigned used;

	(void)table(&used);
	for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		for (uint32_t subleaf = 0; subleaf < 9; subleaf++) {
			struct regs got =
				run(pages + 4096, (struct regs){.rax = leaves[i] | 0x123ull << 32,
							  .rbx = ~0ull,
							  .rcx = subleaf | 0x456ull << 32,
							  .rdx = ~0ull});
			uint32_t a, b, c, d;

			__cpuid_count(leaves[i], subleaf, a, b, c, d);
			/* What differs from one CPU to the next is asked anew; only the form can be
			 * compared then. */
			if (leaves[i] == 1 || leaves[i] == 0xb || leaves[i] == 0x1f) {
				cr_assert_eq(got.rax, a);
				cr_assert_eq(got.rbx >> 32, 0);
				continue;
			}
			cr_assert_eq(got.rax, a, "leaf %x/%x", leaves[i], subleaf);
			cr_assert_eq(got.rbx, b, "leaf %x/%x", leaves[i], subleaf);
			cr_assert_eq(got.rcx, c, "leaf %x/%x", leaves[i], subleaf);
			cr_assert_eq(got.rdx, d, "leaf %x/%x", leaves[i], subleaf);
		}
	}
}

Test(systrap_cpuid, flags_stay)
{
	unsigned used;

	(void)table(&used);
	for (uint64_t bits = 0; bits < 64; bits++) {
		uint64_t flags = 2 | (bits & 1) | (bits >> 1 & 1) << 2 | (bits >> 2 & 1) << 4 |
				 (bits >> 3 & 1) << 6 | (bits >> 4 & 1) << 7 |
				 (bits >> 5 & 1) << 11;
		struct regs regs = {.rax = 0, .flags = flags};

		cr_assert_eq(run(pages + 4096, regs).flags & FLAGS, flags & FLAGS);
		regs.rax = 0x55;
		cr_assert_eq(run(pages + 4096, regs).flags & FLAGS, flags & FLAGS);
	}
}

Test(systrap_cpuid, instructions_before)
{
	static const uint8_t mov[] = {0xb8, 0, 0, 0, 0, 0x31, 0xc9}; /* mov $0, %eax; xor */
	uint32_t a, b, c, d;
	struct regs got;
	unsigned used;

	(void)table(&used);
	build(mov, sizeof(mov));
	got = run(pages + 4096, (struct regs){.rax = 77, .rcx = 3});
	__cpuid_count(0, 0, a, b, c, d);
	cr_assert(got.rax == a && got.rbx == b && got.rcx == c && got.rdx == d);
}

Test(systrap_cpuid, does_not_fit)
{
	uint8_t slot[CPUID_SLOT_SIZE], bytes[64] = {0};

	cr_assert_not(cpuid_slot_build(slot, bytes, CPUID_RUN_MAX + 1, 0, 0));
	cr_assert(cpuid_slot_build(slot, bytes, CPUID_RUN_MAX, 0, 0));
}

/* ---- places ---- */

static const uint8_t ordinary[] = {
	0x55,			/* push %rbp */
	0x48, 0x89, 0xe5,	/* mov %rsp, %rbp */
	0x48, 0x83, 0xec, 0x20, /* sub $0x20, %rsp */
	0x48, 0x89, 0x7d, 0xf8, /* mov %rdi, -8(%rbp) */
	0x48, 0x8b, 0x45, 0xf8, /* mov -8(%rbp), %rax */
	0x48, 0x85, 0xc0,	/* test %rax, %rax */
	0x74, 0x02,		/* je */
	0x89, 0xd1,		/* mov %edx, %ecx */
};

static size_t at;

static bool judge(const uint8_t *code, size_t size, size_t cpuid, const uint8_t *behind,
	size_t behind_size, struct site_cpuid *form)
{
	struct site_window window = {.addr = 0x1000};

	for (at = 0; at + sizeof(ordinary) <= 96; at += sizeof(ordinary))
		memcpy(window.bytes + at, ordinary, sizeof(ordinary));
	memcpy(window.bytes + at, code, size);
	memcpy(window.bytes + at + size, behind, behind_size);
	window.size = at + size + behind_size;
	return site_judge_cpuid(&window, at + cpuid, form);
}

Test(systrap_cpuid, long_jump_some_instructions_before)
{
	static const uint8_t code[] = {0xb8, 4, 0, 0, 0, 0x31, 0xc9, 0x0f, 0xa2}, ret[] = {0xc3};
	struct site_cpuid form;

	cr_assert(judge(code, sizeof(code), 7, ret, 1, &form));
	cr_assert_eq(form.site, 0x1000 + at);
	cr_assert_eq(form.size, 5);
	cr_assert_eq(form.run, 7);
	cr_assert_eq(form.hole, 0);
}

Test(systrap_cpuid, short_jump_to_padding)
{
	/* jae; mov %r12d, %eax; mov %esi, %ecx; cpuid; ret */
	static const uint8_t code[] = {
		0x0f, 0x83, 0, 1, 0, 0, 0x44, 0x89, 0xe0, 0x89, 0xf1, 0x0f, 0xa2, 0xc3};
	uint8_t behind[32];
	struct site_cpuid form;

	memset(behind, 0x90, sizeof(behind));
	cr_assert(judge(code, sizeof(code), 11, behind, sizeof(behind), &form));
	cr_assert_eq(form.site, 0x1000 + at + 9);
	cr_assert_eq(form.size, 2);
	cr_assert_eq(form.run, 2);
	cr_assert_geq(form.hole, 0x1000 + at + sizeof(code));
	/* Nowhere to jump to. */
	cr_assert_not(judge(code, sizeof(code), 11, behind, 0, &form));
}

Test(systrap_cpuid, bytes_of_another_instruction)
{
	/* mov $imm32, %eax whose constant ends in 0f a2 */
	static const uint8_t inside[] = {0x31, 0xc9, 0xb8, 0, 0, 0x0f, 0xa2, 0xc3},
			     /* a displacement */
		address[] = {0xb8, 1, 0, 0, 0, 0x8b, 0x90, 0, 0, 0x0f, 0xa2, 0xc3}, ret[] = {0xc3};
	struct site_cpuid form;

	cr_assert_not(judge(inside, sizeof(inside), 5, ret, 1, &form));
	cr_assert_not(judge(address, sizeof(address), 9, ret, 1, &form));
}
