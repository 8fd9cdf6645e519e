/* SPDX-License-Identifier: Apache-2.0 */
/* Judgements about call sites, of code as compilers make it and of code that misleads. */
#include <criterion/criterion.h>
#include <string.h>

#include "platform/systrap/site.h"

#define BASE 0x7f0000000000ull

/* Text that precedes the site: ordinary instructions, so that readings fall into step. */
static const uint8_t before[] = {
	0x55,			/* push %rbp */
	0x48, 0x89, 0xe5,	/* mov %rsp, %rbp */
	0x48, 0x83, 0xec, 0x20, /* sub $0x20, %rsp */
	0x48, 0x89, 0x7d, 0xf8, /* mov %rdi, -8(%rbp) */
	0x48, 0x89, 0x75, 0xf0, /* mov %rsi, -16(%rbp) */
	0x48, 0x8b, 0x45, 0xf8, /* mov -8(%rbp), %rax */
	0x48, 0x85, 0xc0,	/* test %rax, %rax */
	0x74, 0x02,		/* je */
	0x89, 0xd1,		/* mov %edx, %ecx */
};

static size_t fill(struct site_window *window, size_t size)
{
	size_t at = 0;

	memset(window, 0, sizeof(*window));
	window->addr = BASE;
	while (at + sizeof(before) <= size) {
		memcpy(window->bytes + at, before, sizeof(before));
		at += sizeof(before);
	}
	while (at < size)
		window->bytes[at++] = 0x90;
	return at;
}

static enum site_verdict judge(struct site_window *window, const uint8_t *insn, size_t insn_size,
	const uint8_t *behind, size_t behind_size, uint64_t nr, struct site_form *form)
{
	size_t at = fill(window, SITE_BEFORE - 2 - insn_size);

	memcpy(window->bytes + at, insn, insn_size);
	memcpy(window->bytes + at + insn_size, "\x0f\x05", 2);
	memcpy(window->bytes + SITE_BEFORE, behind, behind_size);
	window->size = SITE_BEFORE + behind_size;
	return site_judge(window, BASE + SITE_BEFORE, nr, form);
}

Test(site, long_jump)
{
	static const uint8_t mov[] = {0xb8, 39, 0, 0, 0}, ret[] = {0xc3};
	struct site_window window;
	struct site_form form;

	cr_assert_eq(judge(&window, mov, sizeof(mov), ret, 1, 39, &form), SITE_OK);
	cr_assert_eq(form.site, BASE + SITE_BEFORE - 7);
	cr_assert_eq(form.size, 5);
	cr_assert_eq(form.hole, 0);
	/* Not the number that was called: then it is no such instruction. */
	cr_assert_eq(judge(&window, mov, sizeof(mov), ret, 1, 40, &form), SITE_AMBIGUOUS);
}

/* A number moved into r8d: its last five bytes alone would be a move into eax. */
Test(site, prefix_belongs)
{
	static const uint8_t mov[] = {0x41, 0xb8, 39, 0, 0, 0}, ret[] = {0xc3};
	struct site_window window;
	struct site_form form;

	cr_assert_eq(judge(&window, mov, sizeof(mov), ret, 1, 39, &form), SITE_OK);
	cr_assert_eq(form.size, 6);
}

/* The rest of a function that was overwritten swallows the next one's begin. */
Test(site, rubbish_before)
{
	static const uint8_t rubbish[] = {0xb8, 0x61, 0x1e, 0, 0, 0xc3, 0x05, 0xc3, 0x0f, 0x1f,
		0x84, 0, 0, 0, 0, 0, 0xb8, 110, 0, 0, 0},
			     ret[] = {0xc3};
	struct site_window window;
	struct site_form form;

	cr_assert_neq(judge(&window, rubbish, sizeof(rubbish), ret, 1, 110, &form), SITE_OK);
}

/* glibc's read(): xor, and padding behind its return. */
Test(site, short_jump)
{
	static const uint8_t xor [] = {0x31, 0xc0},
				 behind[] = {0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77, 0x5b,
					 0xc3,					/* ret */
					 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, /* nopw, to 18 */
					 0x0f, 0x1f, 0x80, 0, 0, 0, 0,		/* nopl, to 25 */
					 0x0f, 0x1f, 0x80, 0, 0, 0, 0,		/* nopl, to 32 */
					 0x48, 0x83, 0xec, 0x28, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
					 0x90, 0x90, 0x90, 0x90, 0x90, 0x90};
	struct site_window window;
	struct site_form form;

	cr_assert_eq(judge(&window, xor, sizeof(xor), behind, sizeof(behind), 0, &form), SITE_OK);
	cr_assert_eq(form.size, 2);
	cr_assert_eq(form.hole, BASE + SITE_BEFORE + 9);
	/* What is taken is not given twice; what is left, up to a multiple of 16, is too small. */
	memset(window.taken + SITE_BEFORE + 9, true, SITE_JUMP_SIZE);
	cr_assert_eq(site_judge(&window, BASE + SITE_BEFORE, 0, &form), SITE_NO_HOLE);
}

/* A function that begins with a no-operation is no padding. */
Test(site, function_entry)
{
	static const uint8_t xor [] = {0x31, 0xc0},
				 behind[] = {0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77, 0x07, 0xc3,
					 0x66, 0x90, 0x66, 0x90, 0x66, 0x90, 0x90, /* to 16 */
					 0x0f, 0x1f, 0x44, 0, 0,		   /* the entry */
					 0x48, 0x83, 0xec, 0x28, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
					 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90};
	struct site_window window;
	struct site_form form;

	cr_assert_eq(judge(&window, xor, sizeof(xor), behind, sizeof(behind), 0, &form), SITE_OK);
	cr_assert_eq(form.hole, BASE + SITE_BEFORE + 9);
	/* The return fills the line to its end: what follows may be a function. */
	cr_assert_eq(
		judge(&window, xor, sizeof(xor),
			(const uint8_t[]){
				0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77, 0x07, 0x48, 0x89, 0xc3,
				0x48, 0x89, 0xc3, 0x90, 0xc3, 0x0f, 0x1f, 0x44, 0, 0, 0x90, 0x90,
				0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90},
			32, 0, &form),
		SITE_NO_HOLE);
}

Test(site, refused)
{
	static const uint8_t ret[] = {0xc3};
	static const uint8_t lea[] = {0x48, 0x8d, 0x35, 0, 0, 0, 0};
	static const uint8_t call[] = {0xe8, 0, 0, 0, 0}, pop[] = {0x58};
	struct site_window window;
	struct site_form form;

	cr_assert_eq(judge(&window, lea, sizeof(lea), ret, 1, 1, &form), SITE_FIXED);
	cr_assert_eq(judge(&window, call, sizeof(call), ret, 1, 1, &form), SITE_FIXED);
	cr_assert_eq(judge(&window, pop, sizeof(pop), ret, 1, 1, &form), SITE_FIXED);
	cr_assert_eq(
		judge(&window, (const uint8_t[]){0xb8, 1, 0, 0, 0}, 5, ret, 1, 1, &form), SITE_OK);
	window.bytes[SITE_BEFORE - 1] = 0x06;
	cr_assert_eq(site_judge(&window, BASE + SITE_BEFORE, 1, &form), SITE_NO_SYSCALL);
	window.bytes[SITE_BEFORE - 1] = 0x05;
	cr_assert_eq(site_judge(&window, BASE, 1, &form), SITE_NO_SYSCALL);
	cr_assert_eq(site_judge(&window, BASE - 1, 1, &form), SITE_NO_SYSCALL);
	cr_assert_eq(site_judge(&window, BASE + SITE_BEFORE + 2, 1, &form), SITE_NO_SYSCALL);
	window.taken[SITE_BEFORE - 7] = true;
	cr_assert_eq(site_judge(&window, BASE + SITE_BEFORE, 1, &form), SITE_PATCHED_BEFORE);
	/* Too little before it for a proof. */
	memset(&window, 0, sizeof(window));
	window.addr = BASE;
	memcpy(window.bytes, "\xb8\x01\0\0\0\x0f\x05", 7);
	window.size = 7;
	cr_assert_eq(site_judge(&window, BASE + 7, 1, &form), SITE_AMBIGUOUS);
}

/* A stray reading comes by another way: only the number that was called settles it. */
Test(site, number_speaks)
{
	static const uint8_t wake[] = {
		0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, /* padding */
		0x40, 0x80, 0xf6, 0x81,				   /* xor $0x81, %sil */
		0x45, 0x31, 0xd2,				   /* xor %r10d, %r10d */
		0xba, 1, 0, 0, 0,				   /* mov $1, %edx */
		0xb8, 0xca, 0, 0, 0,				   /* mov $202, %eax */
	};
	static const uint8_t other[] = {0x41, 0xb8, 0xca, 0, 0, 0}; /* mov $202, %r8d */
	static const uint8_t ret[] = {0xc3};
	struct site_window window;
	struct site_form form = {0};

	cr_assert_eq(judge(&window, wake, sizeof(wake), ret, 1, 202, &form), SITE_OK);
	cr_assert_eq(form.site, BASE + SITE_BEFORE - 7);
	cr_assert_eq(form.size, 5);
	cr_assert_eq(judge(&window, wake, sizeof(wake), ret, 1, 203, &form), SITE_AMBIGUOUS);
	cr_assert_eq(judge(&window, other, sizeof(other), ret, 1, 202, &form), SITE_OK);
	cr_assert_eq(form.size, 6);
}
