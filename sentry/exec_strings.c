/* SPDX-License-Identifier: Apache-2.0 */
/*
 * argv and envp: read once from the old program into our memory.
 *
 * The strings of one array usually lie close together, and each crossing to the guest costs
 * microseconds, so they are fetched through a window of a few pages: a string that begins in the
 * window costs nothing. What the window holds is a snapshot; no byte of it is read again from the
 * guest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/limits.h"
#include "abi/resource.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fiber.h"
#include "loader/loader.h"
#include "sentry/exec.h"

#define WINDOW_SIZE 8192
#define ARRAY_CHUNK 128 /* pointers */

struct window {
	uint64_t addr;
	size_t size; /* valid bytes */
	char bytes[WINDOW_SIZE];
};

void exec_strings_free(struct exec_strings *strings)
{
	free(strings->data);
	*strings = (struct exec_strings){0};
}

/* The buffer grows by doubling: its capacity is the power of two above the size, never below 1 KiB.
 */
static size_t capacity_for(size_t size)
{
	size_t capacity = 1024;

	while (capacity < size)
		capacity *= 2;
	return capacity;
}

static int append_bytes(struct exec_strings *strings, const char *bytes, size_t size)
{
	size_t total = strings->size + size;

	if (!strings->data || capacity_for(total) != capacity_for(strings->size)) {
		char *data = realloc(strings->data, capacity_for(total));

		if (!data)
			return -ENOMEM;
		strings->data = data;
	}
	memcpy(strings->data + strings->size, bytes, size);
	strings->size = total;
	return 0;
}

int exec_strings_append(struct exec_strings *strings, const char *string, size_t size)
{
	int err = append_bytes(strings, string, size);

	if (err == 0)
		strings->count++;
	return err;
}

int exec_strings_from_host(char *const *host, struct exec_strings *ret)
{
	struct exec_strings strings = {0};

	for (; host && *host; host++) {
		size_t size = strlen(*host) + 1;
		int err = size > LX_MAX_ARG_STRLEN ? -E2BIG
						   : exec_strings_append(&strings, *host, size);

		if (err < 0) {
			exec_strings_free(&strings);
			return err;
		}
	}
	*ret = strings;
	return 0;
}

/* Makes the window begin at or before @addr and hold at least one byte from there. */
static int window_fetch(struct task *task, struct window *window, uint64_t addr)
{
	ssize_t n;

	if (addr >= window->addr && addr - window->addr < window->size)
		return 0;
	window->size = 0;
	n = platform->copy_in(task->thread, window->bytes, GADDR(addr), sizeof(window->bytes));
	if (n < 0)
		return -EINTR; /* the thread is gone */
	if (n == 0)
		return -EFAULT;
	window->addr = addr;
	window->size = (size_t)n;
	return 0;
}

static int read_string(struct task *task, struct window *window, uint64_t addr, uint64_t limit,
	struct exec_strings *strings)
{
	size_t length = 0;

	for (;;) {
		const char *from, *end;
		size_t available;
		int err = window_fetch(task, window, addr);

		if (err < 0)
			return err;
		from = window->bytes + (addr - window->addr);
		available = window->size - (addr - window->addr);
		end = memchr(from, '\0', available);
		if (end)
			available = (size_t)(end - from) + 1;
		length += available;
		if (length > LX_MAX_ARG_STRLEN || strings->size + available > limit)
			return -E2BIG;
		err = append_bytes(strings, from, available);
		if (err < 0)
			return err;
		if (end)
			break;
		addr += available;
	}
	strings->count++;
	return 0;
}

/* One chunk of the array. *ret_count pointers, *ret_last when NULL ended it. */
static int read_pointers(
	struct task *task, uint64_t addr, uint64_t *pointers, size_t *ret_count, bool *ret_last)
{
	ssize_t n = platform->copy_in(
		task->thread, pointers, GADDR(addr), ARRAY_CHUNK * sizeof(pointers[0]));
	size_t count, i;

	if (n < 0)
		return -EINTR;
	count = (size_t)n / sizeof(pointers[0]);
	for (i = 0; i < count && pointers[i]; i++)
		;
	*ret_last = i < count;
	*ret_count = i;
	return *ret_last || i > 0 ? 0 : -EFAULT;
}

static int read_all_strings(
	struct task *task, uint64_t array, struct window *window, struct exec_strings *strings)
{
	uint64_t pointers[ARRAY_CHUNK], stack = task_rlimit(task, LX_RLIMIT_STACK);
	bool last = false;

	while (!last) {
		size_t count;
		int err = read_pointers(task, array, pointers, &count, &last);

		for (size_t i = 0; err == 0 && i < count; i++) {
			uint64_t limit = stack_string_limit(stack, strings->count + 1, 0);

			if (strings->count >= SENTRY_MAX_ARGV_STRINGS || limit == 0)
				return -E2BIG;
			err = read_string(task, window, pointers[i], limit, strings);
		}
		if (err < 0)
			return err;
		array += count * sizeof(pointers[0]);
		fiber_yield();
	}
	return 0;
}

int exec_strings_read(struct task *task, gaddr_t array, struct exec_strings *ret)
{
	_cleanup_free_ struct window *window = malloc(sizeof(*window));
	struct exec_strings strings = {0};
	int err;

	if (!window)
		return -ENOMEM;
	window->addr = 0;
	window->size = 0;
	/* NULL is an empty array (execve(2), NOTES). */
	err = gaddr_is_null(array) ? 0 : read_all_strings(task, array.v, window, &strings);
	if (err < 0) {
		exec_strings_free(&strings);
		return err;
	}
	*ret = strings;
	return 0;
}
