/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation with the Sentry, and the pages of the task's memory that were asked for: each
 * is asked for once for a stack and forgotten with it.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "cmd/unwinder/unwinder.h"

#define PAGE	  4096u
#define PAGES_MAX 1024u /* of one stack; a power of two */
#define SPARE	  16u	/* questions that are left so that the stack can be told */

static struct {
	struct {
		struct stack_begin begin;
		unsigned char top[STACK_TOP_MAX];
	} in;
	struct {
		struct stack_answer answer;
		unsigned char bytes[STACK_CHUNK_MAX];
	} answer;
	unsigned asks;
} talk;

static struct {
	uint64_t address;
	size_t size;
	uint32_t stack; /* the number of the one that it is of */
	unsigned char bytes[PAGE];
} pages[PAGES_MAX];
static uint32_t stack_number;
static unsigned page_count;

bool ask_next(const struct stack_begin **ret)
{
	ssize_t got = read(UNWINDER_FD, &talk.in, sizeof(talk.in));

	if (got < (ssize_t)sizeof(talk.in.begin) ||
		talk.in.begin.top_size > (size_t)got - sizeof(talk.in.begin))
		return false;
	talk.asks = 0;
	stack_number++;
	page_count = 0;
	*ret = &talk.in.begin;
	return true;
}

void ask_done(const void *stack, size_t size)
{
	static struct {
		struct stack_ask ask;
		unsigned char bytes[RECORD_STACK_MAX];
	} out = {.ask.what = STACK_DONE};

	size = min_of(size, sizeof(out.bytes));
	memcpy(out.bytes, stack, size);
	if (write(UNWINDER_FD, &out, sizeof(out.ask) + size) < 0)
		_exit(0);
}

/* The Sentry's answer is in talk.answer. Bytes, or -errno. */
static ssize_t ask(const struct stack_ask *question)
{
	ssize_t got;

	if (talk.asks >= STACK_ASKS_MAX - SPARE)
		return -E2BIG;
	talk.asks++;
	if (write(UNWINDER_FD, question, sizeof(*question)) < 0)
		_exit(0);
	got = read(UNWINDER_FD, &talk.answer, sizeof(talk.answer));
	if (got < (ssize_t)sizeof(talk.answer.answer))
		_exit(0);
	got -= (ssize_t)sizeof(talk.answer.answer);
	return min_of((ssize_t)talk.answer.answer.got, got);
}

ssize_t ask_mapping(uint64_t address, struct stack_mapping *ret)
{
	ssize_t got = ask(&(struct stack_ask){.what = STACK_MAPPING, .address = address});

	if (got >= 0 && got < (ssize_t)sizeof(*ret))
		return -EINVAL;
	if (got < 0)
		return got;
	memcpy(ret, talk.answer.bytes, sizeof(*ret));
	ret->name[sizeof(ret->name) - 1] = '\0';
	return got;
}

ssize_t ask_file(
	uint64_t address, uint64_t dev, uint64_t ino, uint64_t offset, void *to, size_t size)
{
	ssize_t got = ask(&(struct stack_ask){.what = STACK_FILE,
		.size = (uint32_t)min_of(size, (size_t)STACK_CHUNK_MAX),
		.address = address,
		.offset = offset,
		.dev = dev,
		.ino = ino});

	got = min_of(got, (ssize_t)size);
	if (got > 0)
		memcpy(to, talk.answer.bytes, (size_t)got);
	return got;
}

/* The page at @address, as much as there is of it; NULL: too many were needed. */
static const unsigned char *page_of(uint64_t address, size_t *ret_size)
{
	unsigned slot = (unsigned)(address / PAGE * 0x9e3779b97f4a7c15u >> 54) % PAGES_MAX;
	ssize_t got;

	while (pages[slot].stack == stack_number && pages[slot].address != address)
		slot = (slot + 1) % PAGES_MAX;
	if (pages[slot].stack != stack_number) {
		if (page_count >= PAGES_MAX - 1)
			return NULL;
		page_count++;
		got = ask(
			&(struct stack_ask){.what = STACK_READ, .size = PAGE, .address = address});
		pages[slot].stack = stack_number;
		pages[slot].address = address;
		pages[slot].size = got > 0 ? min_of((size_t)got, (size_t)PAGE) : 0;
		memcpy(pages[slot].bytes, talk.answer.bytes, pages[slot].size);
	}
	*ret_size = pages[slot].size;
	return pages[slot].bytes;
}

bool memory_read(uint64_t address, void *to, size_t size)
{
	uint64_t top = talk.in.begin.regs[7]; /* rsp */
	unsigned char *at = to;

	if (address >= top && size <= talk.in.begin.top_size &&
		address - top <= talk.in.begin.top_size - size) {
		memcpy(to, talk.in.top + (address - top), size);
		return true;
	}
	while (size > 0) {
		uint64_t start = address & ~(uint64_t)(PAGE - 1);
		size_t offset = (size_t)(address - start), here, there;
		const unsigned char *page = page_of(start, &there);

		here = min_of(size, (size_t)PAGE - offset);
		if (!page || offset + here > there)
			return false;
		memcpy(at, page + offset, here);
		at += here;
		address += here;
		size -= here;
	}
	return true;
}
