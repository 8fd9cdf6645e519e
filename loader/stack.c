/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack that a program finds (create_elf_tables() and copy_strings() of Linux; System V ABI,
 * "Process Initialization"), from the top down: eight zero bytes, the file name, the environment's
 * strings, the arguments' strings, a random shift, the platform's name and sixteen random bytes,
 * the auxiliary vector, the environment's pointers, the arguments' pointers, argc. It is built in
 * one buffer and written with one copy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/gaddr.h"
#include "abi/limits.h"
#include "base/checked.h"
#include "loader/loader.h"

#define AT_NULL_     0
#define AT_PLATFORM_ 15
#define AT_RANDOM_   25
#define AT_EXECFN_   31

/* Linux: three quarters of the default stack, whatever the limit; and always ARG_MAX as it was in
 * old times. */
#define STRINGS_MAX (LX_STACK_DEFAULT / 4 * 3)
#define STRINGS_MIN (32 * 4096ull)

uint64_t stack_string_limit(uint64_t stack_rlimit, uint64_t argc, uint64_t envc)
{
	uint64_t limit = max_of(min_of(STRINGS_MAX, stack_rlimit / 4), STRINGS_MIN);
	uint64_t pointers;

	if (!add_checked(max_of(argc, (uint64_t)1), envc, &pointers) ||
		!mul_checked(pointers, 8, &pointers) || pointers >= limit)
		return 0;
	return limit - pointers;
}

/* The buffer is filled from its end; @left is what is free in front. */
struct builder {
	uint8_t *bytes;
	size_t left;
	uint64_t base; /* guest address of bytes[0] */
};

static uint64_t push(struct builder *b, const void *data, size_t size)
{
	b->left -= size;
	if (size)
		memcpy(b->bytes + b->left, data, size);
	return b->base + b->left;
}

static void put(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* Pointers to strings that lie back to back from @addr on, and the NULL behind them. */
static uint8_t *put_pointers(uint8_t *at, const struct stack_strings *strings, uint64_t addr)
{
	const char *s = strings->data;

	for (size_t i = 0; i < strings->count; i++) {
		put(at, addr + (uint64_t)(s - strings->data));
		at += 8;
		s += strlen(s) + 1;
	}
	put(at, 0);
	return at + 8;
}

static bool strings_valid(const struct stack_strings *strings)
{
	size_t count = 0;

	for (size_t i = 0; i < strings->size; i++)
		count += strings->data[i] == '\0';
	return count == strings->count && (strings->size == 0 || !strings->data[strings->size - 1]);
}

int stack_build(const struct stack_request *request, struct stack_image *ret)
{
	size_t name_size = strlen(request->filename) + 1,
	       platform_size = strlen(request->platform) + 1;
	size_t vector = 8 * (1 + request->argv.count + 1 + request->envp.count + 1) +
			16 * (request->auxv_count + 1);
	/* Everything, with room for each alignment, rounded up to pages. */
	uint64_t size = 8 + name_size + request->envp.size + request->argv.size + 8192 +
			platform_size + 16 + vector + 64;
	struct stack_image image = {0};
	uint64_t execfn, platform, random;
	struct builder b = {0};
	uint8_t *at;

	if (request->auxv_count > STACK_MAX_AUXV || request->shift >= 8192 ||
		!strings_valid(&request->argv) || !strings_valid(&request->envp) ||
		!align_up_checked(size, LX_PAGE_SIZE, &size) || size >= request->top)
		return -E2BIG;
	b.bytes = calloc(1, size);
	if (!b.bytes)
		return -ENOMEM;
	b.left = size;
	b.base = request->top - size;

	b.left -= 8;
	execfn = push(&b, request->filename, name_size);
	image.env_end = execfn;
	image.env_start = push(&b, request->envp.data, request->envp.size);
	image.arg_end = image.env_start;
	image.arg_start = push(&b, request->argv.data, request->argv.size);
	b.left = align_down(b.left - request->shift, 16);
	platform = push(&b, request->platform, platform_size);
	random = push(&b, request->random, sizeof(request->random));
	b.left = align_down(align_down(b.left, 16) - vector, 16);

	image.sp = b.base + b.left;
	at = b.bytes + b.left;
	put(at, request->argv.count);
	at = put_pointers(at + 8, &request->argv, image.arg_start);
	at = put_pointers(at, &request->envp, image.env_start);
	for (size_t i = 0; i <= request->auxv_count; i++) {
		uint64_t type = i < request->auxv_count ? request->auxv[i][0] : AT_NULL_;
		uint64_t value = i < request->auxv_count ? request->auxv[i][1] : 0;

		if (type == AT_EXECFN_)
			value = execfn;
		else if (type == AT_PLATFORM_)
			value = platform;
		else if (type == AT_RANDOM_)
			value = random;
		image.auxv[i][0] = type;
		image.auxv[i][1] = value;
		put(at, type);
		put(at + 8, value);
		at += 16;
	}
	image.auxv_count = request->auxv_count + 1;

	/* Only what is used is handed out. */
	image.size = size - b.left;
	memmove(b.bytes, b.bytes + b.left, image.size);
	image.bytes = b.bytes;
	*ret = image;
	return 0;
}
