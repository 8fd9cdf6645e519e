/* SPDX-License-Identifier: Apache-2.0 */
/* `#!` lines and the first stack. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/loader.h"

struct line {
	char text[300];
	size_t fill; /* 'a's put behind the text up to this size */
	int error;
	char interpreter[256];
	char argument[256];
	bool has_argument;
};

ParameterizedTestParameters(loader_script, parses)
{
	static struct line rows[] = {
		{"#!/bin/sh\n", 0, 0, "/bin/sh", "", false},
		{"#! /bin/sh\n", 0, 0, "/bin/sh", "", false},
		{"#! \t /bin/sh \t\n", 0, 0, "/bin/sh", "", false},
		{"#!/bin/sh", 0, 0, "/bin/sh", "", false},
		{"#!/bin/sh -e\n", 0, 0, "/bin/sh", "-e", true},
		{"#!/usr/bin/env  python3 -u \n", 0, 0, "/usr/bin/env", "python3 -u", true},
		{"#!/bin/sh -e", 0, 0, "/bin/sh", "-e", true},
		{"#!sh\nrest", 0, 0, "sh", "", false},
		{"#!\n", 0, -ENOEXEC, "", "", false},
		{"#!   \n", 0, -ENOEXEC, "", "", false},
		{"#!", 0, -EACCES, "", "", false},
		{"#", 0, -ENOEXEC, "", "", false},
		{"# !/bin/sh\n", 0, -ENOEXEC, "", "", false},
		{"", 0, -ENOEXEC, "", "", false},
		/* The interpreter's name may be cut off: refused. An argument may. */
		{"#!/", 256, -ENOEXEC, "", "", false},
		{"#!/bin/sh x", 12, 0, "/bin/sh", "xa", true},
	};

	return cr_make_param_array(struct line, rows, sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct line *row, loader_script, parses)
{
	struct script_line got;
	size_t size = strlen(row->text);

	while (size < row->fill)
		row->text[size++] = 'a';
	cr_assert_eq(script_parse(row->text, size, &got), row->error, "%s", row->text);
	if (row->error)
		return;
	cr_assert_str_eq(got.interpreter, row->interpreter);
	cr_assert_str_eq(got.argument, row->argument);
	cr_assert_eq(got.has_argument, row->has_argument);
}

Test(loader_script, cuts_a_long_argument)
{
	char text[256];
	struct script_line got;

	memset(text, 'a', sizeof(text));
	memcpy(text, "#!/bin/sh ", 10);
	cr_assert_eq(script_parse(text, sizeof(text), &got), 0);
	cr_assert_eq(strlen(got.argument), 245);
}

static uint64_t word(const struct stack_image *image, size_t index)
{
	uint64_t value;

	memcpy(&value, image->bytes + 8 * index, 8);
	return value;
}

static const char *string(const struct stack_image *image, uint64_t addr)
{
	return (const char *)image->bytes + (addr - image->sp);
}

Test(loader_stack, is_laid_out_as_on_linux)
{
	struct stack_request request = {.top = 0x7ffffffff000,
		.argv = {"ls\0-l\0", 6, 2},
		.envp = {"A=1\0", 4, 1},
		.filename = "/bin/ls",
		.platform = "x86_64",
		.random = "0123456789abcdef",
		.shift = 4321,
		.auxv = {{6, 4096}, {25, 0}, {31, 0}, {15, 0}},
		.auxv_count = 4};
	struct stack_image image;

	cr_assert_eq(stack_build(&request, &image), 0);
	cr_assert_eq(image.sp % 16, 0);
	cr_assert_eq(image.sp + image.size, request.top);
	cr_assert_eq(word(&image, 0), 2);
	cr_assert_str_eq(string(&image, word(&image, 1)), "ls");
	cr_assert_str_eq(string(&image, word(&image, 2)), "-l");
	cr_assert_eq(word(&image, 3), 0);
	cr_assert_str_eq(string(&image, word(&image, 4)), "A=1");
	cr_assert_eq(word(&image, 5), 0);
	cr_assert_eq(word(&image, 6), 6);
	cr_assert_eq(word(&image, 7), 4096);
	cr_assert_eq(word(&image, 8), 25);
	cr_assert_eq(memcmp(string(&image, word(&image, 9)), "0123456789abcdef", 16), 0);
	cr_assert_str_eq(string(&image, word(&image, 11)), "/bin/ls");
	cr_assert_str_eq(string(&image, word(&image, 13)), "x86_64");
	cr_assert_eq(word(&image, 14), 0);
	cr_assert_eq(image.auxv_count, 5);
	cr_assert_eq(image.arg_end, image.env_start);
	cr_assert_eq(image.env_end - image.env_start, 4);
	cr_assert_eq(image.env_end + 8 + 8, request.top);
	free(image.bytes);
}

Test(loader_stack, aligns_every_shift)
{
	for (unsigned shift = 0; shift < 8192; shift += 7) {
		struct stack_request request = {.top = 0x7ffffffff000,
			.argv = {"x\0", 2, 1},
			.filename = "x",
			.platform = "x86_64",
			.shift = shift};
		struct stack_image image;

		request.envp.data = "";
		cr_assert_eq(stack_build(&request, &image), 0);
		cr_assert_eq(image.sp % 16, 0);
		free(image.bytes);
	}
}

Test(loader_stack, limits_strings)
{
	cr_assert_eq(stack_string_limit(8 << 20, 1, 0), (2 << 20) - 8);
	cr_assert_eq(stack_string_limit(8 << 20, 0, 1), (2 << 20) - 16);
	cr_assert_eq(stack_string_limit(UINT64_MAX, 1, 0), (6 << 20) - 8);
	cr_assert_eq(stack_string_limit(0, 1, 0), 131072 - 8);
	cr_assert_eq(stack_string_limit(8 << 20, 1 << 18, 0), 0);
	cr_assert_eq(stack_string_limit(8 << 20, UINT64_MAX, 1), 0);
}
