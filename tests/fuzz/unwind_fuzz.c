/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "cmd/unwinder/unwinder.h"

/*
 * What the unwinder reads of a guest: a program file, a stack and whatever pointers lead to. The
 * input is registers, then the file, which is mapped at one address with code and whose bytes are
 * the task's memory everywhere else, too. What comes out must be a stack that fits into a record.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE 0x10000000u

static const uint8_t *file;
static size_t file_size;
static unsigned questions;

ssize_t ask_mapping(uint64_t address, struct stack_mapping *ret)
{
	uint64_t end = BASE + ((file_size + 4095) & ~(uint64_t)4095);

	if (address < BASE || address >= end || questions++ > STACK_ASKS_MAX)
		return -ENOENT;
	*ret = (struct stack_mapping){.start = BASE,
		.end = end,
		.dev = 1,
		.ino = 1,
		.size = file_size,
		.executable = 1,
		.name = "/bin/program"};
	return sizeof(*ret);
}

ssize_t ask_file(
	uint64_t address, uint64_t dev, uint64_t ino, uint64_t offset, void *to, size_t size)
{
	if (offset >= file_size || questions++ > STACK_ASKS_MAX)
		return -EFAULT;
	size = min_of(size, file_size - (size_t)offset);
	memcpy(to, file + offset, size);
	return (ssize_t)size;
}

bool memory_read(uint64_t address, void *to, size_t size)
{
	unsigned char *at = to;

	if (address < 4096 || questions++ > 100000)
		return false;
	for (size_t i = 0; i < size; i++, address++)
		at[i] = file[(address >= BASE && address - BASE < file_size ? address - BASE
									    : address) %
			     file_size];
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stack stack;
	static bool ready;
	static uint64_t space;
	struct stack_begin begin = {0};

	if (!ready)
		ready = unwind_init() && site_init();
	if (!ready || size < sizeof(begin.regs) + 64)
		return 0;
	memcpy(begin.regs, data, sizeof(begin.regs));
	file = data + sizeof(begin.regs);
	file_size = size - sizeof(begin.regs);
	begin.regs[STACK_REGS - 1] = BASE + begin.regs[STACK_REGS - 1] % file_size;
	begin.fs_base = begin.regs[0];
	begin.space = ++space;
	questions = 0;
	stack.frame_count = 0;
	stack.names_size = 0;
	stack.site = UINT32_MAX;
	unwind(&begin, &stack);
	modules_forget();
	if (stack.frame_count > RECORD_FRAMES_MAX || stack.names_size > sizeof(stack.names))
		abort();
	for (unsigned i = 0; i < stack.frame_count; i++)
		if (stack.frames[i].module != UINT32_MAX &&
			stack.frames[i].module >= stack.names_size)
			abort();
	return 0;
}
