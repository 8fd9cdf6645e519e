/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the --strace decoder. Input: number (2 bytes), result (8), six arguments (8 each), then
 * the guest's memory, which lies at GUEST_BASE and changes between entry and exit, as another
 * thread could change it. What is asked for is the sanitizers' silence, and lines that are bounded,
 * printable and end in their only newline.
 */
#include <stdlib.h>
#include <string.h>

#include "sentry/strace.h"

#define GUEST_BASE 0x10000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct guest {
	const uint8_t *bytes;
	size_t size;
	uint8_t flip;
};

static ssize_t guest_read(void *context, void *dst, gaddr_t src, size_t size)
{
	const struct guest *guest = context;
	uint64_t offset = src.v - GUEST_BASE;
	uint8_t *out = dst;

	if (src.v < GUEST_BASE || offset >= guest->size)
		return 0;
	if (size > guest->size - offset)
		size = guest->size - offset;
	for (size_t i = 0; i < size; i++)
		out[i] = guest->bytes[offset + i] ^ guest->flip;
	return (ssize_t)size;
}

static void check_line(struct strace_sink *sink, const char *line, size_t size)
{
	if (!size || size > STRACE_LINE_MAX || line[size - 1] != '\n')
		abort();
	for (size_t i = 0; i + 1 < size; i++) {
		if (line[i] < ' ' || line[i] > '~')
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct strace_call call;
	struct strace_sink sink = {.write = check_line};
	struct guest guest;
	struct strace_memory memory = {.read = guest_read, .context = &guest};
	uint16_t nr;
	int64_t result;
	uint64_t args[6];
	const size_t header = sizeof(nr) + sizeof(result) + sizeof(args);

	if (size < header)
		return 0;
	memcpy(&nr, data, sizeof(nr));
	memcpy(&result, data + sizeof(nr), sizeof(result));
	memcpy(args, data + sizeof(nr) + sizeof(result), sizeof(args));
	guest = (struct guest){.bytes = data + header, .size = size - header};
	strace_enter(&call, 1, nr, args, &memory);
	guest.flip = size > header ? data[header] : 0;
	if (guest.flip == 0xff)
		strace_no_return(&call, &sink);
	else
		strace_exit(&call, result, &memory, &sink);
	return 0;
}
