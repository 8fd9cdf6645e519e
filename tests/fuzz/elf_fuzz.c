/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what execve does with a file's bytes: header, program headers, placement of each segment,
 * `#!` lines, and the first stack built from whatever strings are left. Properties: no crash, no
 * read outside the buffer (ASan), placements stay below the limit, lines are terminated, the stack
 * is aligned.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "loader/loader.h"

#define LIMIT 0x7ffffffff000ull
#define require(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_elf(const uint8_t *data, size_t size)
{
	static const uint64_t biases[] = {0, 0x555555554000, 0xfffffffffffff000};
	struct elf_header header;
	struct elf_image image;
	uint64_t start, extent;

	if (elf_parse_header(data, size, &header) < 0)
		return;
	require(header.table_size >= ELF_PHDR_SIZE && header.table_size <= 4096);
	if (header.table_offset > size || size - header.table_offset < header.table_size)
		return;
	if (elf_parse_table(&header, data + header.table_offset, header.table_size, &image) < 0)
		return;
	require(image.segment_count <= ELF_MAX_PHDRS);
	require(!(image.alignment & (image.alignment - 1)) && image.alignment >= 4096);
	if (elf_extent(&image, &start, &extent) == 0)
		require(start % 4096 == 0 && extent % 4096 == 0 && extent > 0 &&
			start + extent >= start);
	for (size_t i = 0; i < image.segment_count; i++) {
		for (size_t b = 0; b < sizeof(biases) / sizeof(biases[0]); b++) {
			struct elf_placement p;

			if (elf_place(&image.segments[i], biases[b], LIMIT, &p) < 0)
				continue;
			require(p.end <= LIMIT && p.addr % 4096 == 0 && p.offset % 4096 == 0);
			require(p.anon_addr % 4096 == 0 && p.anon_size % 4096 == 0 &&
				p.size % 4096 == 0);
			require(p.zero_size < 4096);
			require(!p.zero_size || p.zero_addr + p.zero_size == p.addr + p.size);
			require(p.addr + p.size <= LIMIT && p.anon_addr + p.anon_size <= LIMIT);
		}
	}
}

static void fuzz_script(const uint8_t *data, size_t size)
{
	struct script_line line;

	if (script_parse(data, size < 256 ? size : 256, &line) < 0)
		return;
	require(line.interpreter[0] && strlen(line.interpreter) < 256);
	require(strlen(line.argument) < 256);
}

static void fuzz_stack(const uint8_t *data, size_t size)
{
	struct stack_request request = {.top = LIMIT, .filename = "f", .platform = "x86_64"};
	struct stack_image image;

	request.envp.data = "";
	request.argv.data = (const char *)data;
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\0') {
			request.argv.size = i + 1;
			request.argv.count++;
		}
	}
	request.shift = size > 0 ? data[0] * 32u : 0;
	if (stack_build(&request, &image) < 0)
		return;
	require(image.sp % 16 == 0 && image.sp + image.size == LIMIT);
	free(image.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_elf(data, size);
	fuzz_script(data, size);
	fuzz_stack(data, size);
	return 0;
}
