/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_GUEST_SITES_H
#define SENTRY_TESTS_GUEST_SITES_H

/*
 * Code with call sites, written to a file and mapped from there, readable and executable. A kernel
 * that rewrites hot call sites finds here whatever shape is wanted; to a program they are plain
 * functions that make one call.
 */
#include "case.h"

#define HOT 600 /* calls that make a site hot, whatever "hot" is */

struct code {
	uint8_t *bytes; /* what is written */
	size_t size, capacity;
};

typedef long (*site_fn)(long a, long b, long c);

static inline void emit(struct code *code, const void *bytes, size_t size)
{
	if (code->size + size > code->capacity)
		abort();
	memcpy(code->bytes + code->size, bytes, size);
	code->size += size;
}

static inline void emit_u32(struct code *code, uint32_t value)
{
	emit(code, &value, sizeof(value));
}

static inline struct code code_new(size_t capacity)
{
	return (struct code){.bytes = calloc(1, capacity), .capacity = capacity};
}

/* Instructions without an effect, of several lengths: exactly @size bytes. */
static inline void emit_filler(struct code *code, size_t size)
{
	static const struct {
		uint8_t bytes[8];
		size_t size;
	} fillers[] = {{{0x48, 0x8d, 0x7f, 0x00}, 4}, {{0x48, 0x89, 0xf6}, 3},
		{{0x4d, 0x8d, 0x80, 0, 0, 0, 0}, 7}, {{0x89, 0xc0}, 2}, {{0x4d, 0x89, 0xc9}, 3}};

	for (unsigned i = 0; size > 0; i++) {
		if (size == 1) {
			emit(code, "\x90", 1);
			return;
		}
		if (fillers[i % 5].size > size)
			continue;
		emit(code, fillers[i % 5].bytes, fillers[i % 5].size);
		size -= fillers[i % 5].size;
	}
}

/* mov $nr, %eax; syscall; ret, the mov at offset @at of the file: returns where the function
 * begins. */
static inline size_t emit_mov_site(struct code *code, size_t at, uint32_t nr)
{
	size_t begin = code->size;

	emit_filler(code, at - code->size);
	emit(code, "\xb8", 1);
	emit_u32(code, nr);
	emit(code, "\x0f\x05\xc3", 3);
	return begin;
}

static inline void align_code(struct code *code, size_t to)
{
	while (code->size % to)
		emit(code, "\xcc", 1);
}

/* xor %eax, %eax; syscall; ret and padding: read(). */
static inline size_t emit_xor_site(struct code *code, size_t at)
{
	size_t begin = code->size;

	emit_filler(code, at - code->size);
	emit(code, "\x31\xc0\x0f\x05\xc3", 5);
	align_code(code, 16);
	return begin;
}

static inline void code_save(const struct code *code, const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0700);

	if (fd < 0 || write(fd, code->bytes, code->size) != (ssize_t)code->size)
		abort();
	close(fd);
}

static inline uint8_t *code_map(const char *name, size_t size, void *where)
{
	int fd = open(name, O_RDONLY);
	void *map = mmap(
		where, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | (where ? MAP_FIXED : 0), fd, 0);

	close(fd);
	if (map == MAP_FAILED)
		abort();
	return map;
}

static inline long call_site(const uint8_t *map, size_t offset, long a, long b, long c)
{
	return ((site_fn)(uintptr_t)(map + offset))(a, b, c);
}

/* Calls it until it is hot; how many results were not @expected. */
__attribute__((noinline, unused)) static unsigned heat(
	const uint8_t *map, size_t offset, long expected)
{
	unsigned wrong = 0;

	for (int i = 0; i < HOT; i++)
		wrong += call_site(map, offset, 0, 0, 0) != expected;
	return wrong;
}

#endif
