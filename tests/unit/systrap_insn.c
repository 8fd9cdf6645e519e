/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction lengths against capstone, and which instructions may move. */
#include <capstone/capstone.h>
#include <criterion/criterion.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/systrap/insn.h"

static csh capstone;

static void set_up(void)
{
	cr_assert_eq(cs_open(CS_ARCH_X86, CS_MODE_64, &capstone), CS_ERR_OK);
}

static void tear_down(void)
{
	cs_close(&capstone);
}

TestSuite(insn, .init = set_up, .fini = tear_down);

static size_t capstone_size(const uint8_t *code, size_t size)
{
	cs_insn *insn;
	size_t result;

	if (cs_disasm(capstone, code, size, 0, 1, &insn) != 1)
		return 0;
	result = insn->size;
	cs_free(insn, 1);
	return result;
}

/* Random bytes, most with a first byte that begins something long. Whatever both accept has one
 * length. */
Test(insn, random_bytes)
{
	static const uint8_t starts[] = {
		0x0f, 0x66, 0xf3, 0xf2, 0x48, 0x4c, 0x41, 0xc4, 0xc5, 0x67};
	uint32_t state = 12345;
	unsigned both = 0;

	for (unsigned round = 0; round < 400000; round++) {
		uint8_t code[16];
		struct insn insn;
		size_t expected;

		for (unsigned i = 0; i < sizeof(code); i++) {
			state = state * 1664525 + 1013904223;
			code[i] = (uint8_t)(state >> 24);
		}
		if (round % 4)
			code[0] = starts[code[0] % sizeof(starts)];
		if (!insn_decode(code, sizeof(code), &insn))
			continue;
		expected = capstone_size(code, sizeof(code));
		cr_assert(insn.size >= 1 && insn.size <= INSN_SIZE_MAX);
		if (expected == 0)
			continue;
		both++;
		cr_assert_eq(insn.size, expected, "%02x %02x %02x %02x %02x %02x: %u, capstone %zu",
			code[0], code[1], code[2], code[3], code[4], code[5], insn.size, expected);
	}
	cr_assert_gt(both, 100000);
}

/* Cut short at any byte, it is refused and nothing behind the end is read. */
Test(insn, ends)
{
	static const uint8_t code[] = {0x66, 0x41, 0x81, 0x84, 0x24, 1, 2, 3, 4, 5, 6};
	struct insn insn;

	for (size_t size = 0; size < sizeof(code); size++) {
		uint8_t *exact = malloc(size ? size : 1);

		memcpy(exact, code, size);
		cr_assert_not(insn_decode(exact, size, &insn), "of %zu bytes", size);
		free(exact);
	}
	cr_assert(insn_decode(code, sizeof(code), &insn));
	cr_assert_eq(insn.size, sizeof(code));
}

/* A whole text, instruction for instruction; EVEX alone is unknown. */
static void compare_text(const uint8_t *code, size_t size)
{
	cs_insn *expected = cs_malloc(capstone);
	unsigned long known = 0, unknown = 0;
	uint64_t addr = 0;
	size_t left = size;
	const uint8_t *at = code;

	cs_option(capstone, CS_OPT_SKIPDATA, CS_OPT_ON);
	while (cs_disasm_iter(capstone, &at, &left, &addr, expected)) {
		const uint8_t *here = code + expected->address;
		struct insn insn;

		if (expected->id == 0)
			continue;
		if (!insn_decode(here, size - expected->address, &insn)) {
			unknown += here[0] != 0x62;
			continue;
		}
		known++;
		cr_assert_eq(insn.size, expected->size, "at %#lx: %u, not %s %s",
			(unsigned long)expected->address, insn.size, expected->mnemonic,
			expected->op_str);
	}
	cs_free(expected, 1);
	cr_assert_gt(known, 100000);
	cr_assert_lt(unknown, known / 1000);
}

Test(insn, libc, .timeout = 60)
{
	FILE *file = fopen("/lib/x86_64-linux-gnu/libc.so.6", "re");
	static uint8_t image[8 << 20];
	const Elf64_Ehdr *header = (const void *)image;
	size_t size;

	if (!file)
		cr_skip_test("no libc.so.6 where Debian has it");
	size = fread(image, 1, sizeof(image), file);
	fclose(file);
	for (unsigned i = 0; i < header->e_phnum; i++) {
		const Elf64_Phdr *segment =
			(const void *)(image + header->e_phoff + i * header->e_phentsize);

		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) &&
			segment->p_offset + segment->p_filesz <= size)
			compare_text(image + segment->p_offset, segment->p_filesz);
	}
}

struct move_case {
	const char *what;
	uint8_t code[12];
	uint8_t size;
	bool movable;
};

Test(insn, movable)
{
	static const struct move_case cases[] = {
		{"mov $1, %eax", {0xb8, 1, 0, 0, 0}, 5, true},
		{"mov $1, %rax", {0x48, 0xc7, 0xc0, 1, 0, 0, 0}, 7, true},
		{"xor %eax, %eax", {0x31, 0xc0}, 2, true},
		{"mov 8(%rsp), %r9", {0x4c, 0x8b, 0x4c, 0x24, 8}, 5, true},
		{"mov %r11, 8(%rsp)", {0x4c, 0x89, 0x5c, 0x24, 8}, 5, true},
		{"mov %fs:(%r10), %ebp", {0x64, 0x41, 0x8b, 0x2a}, 4, true},
		{"lea 4(,%rdi,8), %edi", {0x8d, 0x3c, 0xfd, 4, 0, 0, 0}, 7, true},
		{"cmovbe %r8, %rsi", {0x49, 0x0f, 0x46, 0xf0}, 4, true},
		{"nopw", {0x66, 0x0f, 0x1f, 0x44, 0, 0}, 6, true},
		{"movabs $1, %rax", {0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0}, 10, true},
		{"mov %r12, %rax", {0x4c, 0x89, 0xe0}, 3, true},
		{"lea 0(%rip), %rsi", {0x48, 0x8d, 0x35, 0, 0, 0, 0}, 7, false},
		{"mov 0(%rip), %eax", {0x8b, 0x05, 0, 0, 0, 0}, 6, false},
		{"sub $8, %rsp", {0x48, 0x83, 0xec, 8}, 4, false},
		{"mov %rsp, %rdi", {0x48, 0x89, 0xe7}, 3, false},
		{"mov $0, %esp", {0xbc, 0, 0, 0, 0}, 5, false},
		{"mov %rdi, %rsp", {0x48, 0x89, 0xfc}, 3, false},
		{"xchg %rsp, %rax", {0x48, 0x94}, 2, false},
		{"push %rax", {0x50}, 1, false},
		{"pop %r8", {0x41, 0x58}, 2, false},
		{"call", {0xe8, 0, 0, 0, 0}, 5, false},
		{"jmp", {0xe9, 0, 0, 0, 0}, 5, false},
		{"jne", {0x0f, 0x85, 0, 0, 0, 0}, 6, false},
		{"loop", {0xe2, 0}, 2, false},
		{"syscall", {0x0f, 0x05}, 2, false},
		{"int $0x80", {0xcd, 0x80}, 2, false},
		{"lock inc (%rdi)", {0xf0, 0xff, 0x07}, 3, false},
		{"rep stosb", {0xf3, 0xaa}, 2, false},
		{"leave", {0xc9}, 1, false},
		{"ret", {0xc3}, 1, false},
		{"mov (%edi), %eax", {0x67, 0x8b, 0x07}, 3, false},
		{"call *%rax", {0xff, 0xd0}, 2, false},
		{"push (%rax)", {0xff, 0x30}, 2, false},
		{"div %ecx", {0xf7, 0xf1}, 2, false},
		{"rdtsc", {0x0f, 0x31}, 2, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct insn insn;

		cr_assert(insn_decode(cases[i].code, sizeof(cases[i].code), &insn), "%s",
			cases[i].what);
		cr_assert_eq(insn.size, cases[i].size, "%s", cases[i].what);
		cr_assert_eq(insn_is_movable(&insn), cases[i].movable, "%s", cases[i].what);
	}
}
