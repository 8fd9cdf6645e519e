/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF64 program files: header and program header table to a struct elf_image, and an image's
 * segment to mappings.
 *
 * Fields are fetched by offset from little-endian bytes, so that neither alignment nor the size of
 * the buffer can be wrong. Nothing here trusts a sum: file offsets and addresses are 64-bit numbers
 * of an attacker.
 */
#include <errno.h>
#include <string.h>

#include "abi/gaddr.h"
#include "abi/mman.h"
#include "base/checked.h"
#include "loader/loader.h"

#define EM_X86_64    62
#define ET_EXEC	     2
#define ET_DYN	     3
#define PT_LOAD	     1
#define PT_INTERP    3
#define PT_GNU_STACK 0x6474e551u
#define PF_X	     1u
#define PF_W	     2u
#define PF_R	     4u

static uint64_t fetch(const void *bytes, size_t offset, size_t size)
{
	const uint8_t *p = (const uint8_t *)bytes + offset;
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

int elf_parse_header(const void *bytes, size_t size, struct elf_header *ret)
{
	static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};
	uint64_t type, count;

	if (size < ELF_HEADER_SIZE || memcmp(bytes, magic, sizeof(magic)) != 0)
		return -ENOEXEC;
	type = fetch(bytes, 16, 2);
	count = fetch(bytes, 56, 2);
	if (type != ET_EXEC && type != ET_DYN)
		return -ENOEXEC;
	if (fetch(bytes, 18, 2) != EM_X86_64 || fetch(bytes, 54, 2) != ELF_PHDR_SIZE)
		return -ENOEXEC;
	if (count == 0 || count > ELF_MAX_PHDRS)
		return -ENOEXEC;
	*ret = (struct elf_header){
		.position_independent = type == ET_DYN,
		.entry = fetch(bytes, 24, 8),
		.table_offset = fetch(bytes, 32, 8),
		.table_count = (uint16_t)count,
		.table_size = count * ELF_PHDR_SIZE,
	};
	return 0;
}

static int prot_of(uint64_t flags)
{
	return (flags & PF_R ? LX_PROT_READ : 0) | (flags & PF_W ? LX_PROT_WRITE : 0) |
	       (flags & PF_X ? LX_PROT_EXEC : 0);
}

static void parse_load(const uint8_t *phdr, struct elf_image *image)
{
	struct elf_segment *segment = &image->segments[image->segment_count++];
	uint64_t align = fetch(phdr, 48, 8), table = image->header.table_offset;

	*segment = (struct elf_segment){
		.offset = fetch(phdr, 8, 8),
		.vaddr = fetch(phdr, 16, 8),
		.file_size = fetch(phdr, 32, 8),
		.memory_size = fetch(phdr, 40, 8),
		.prot = prot_of(fetch(phdr, 4, 4)),
	};
	/* maximum_alignment(): what is not a power of two is ignored. */
	if (align && !(align & (align - 1)) && align > image->alignment)
		image->alignment = align;
	if (segment->offset <= table && table - segment->offset < segment->file_size) {
		image->has_table_address = true;
		image->table_address = table - segment->offset + segment->vaddr;
	}
}

static int parse_interpreter(const uint8_t *phdr, struct elf_image *image)
{
	uint64_t size = fetch(phdr, 32, 8);

	if (image->has_interpreter)
		return 0; /* the first one counts */
	if (size < 2 || size > ELF_MAX_INTERPRETER)
		return -ENOEXEC;
	image->has_interpreter = true;
	image->interpreter_offset = fetch(phdr, 8, 8);
	image->interpreter_size = size;
	return 0;
}

int elf_parse_table(
	const struct elf_header *header, const void *table, size_t size, struct elf_image *ret)
{
	struct elf_image image = {.header = *header, .alignment = LX_PAGE_SIZE};

	if (header->table_count > ELF_MAX_PHDRS ||
		size < (size_t)header->table_count * ELF_PHDR_SIZE)
		return -ENOEXEC;
	for (size_t i = 0; i < header->table_count; i++) {
		const uint8_t *phdr = (const uint8_t *)table + i * ELF_PHDR_SIZE;
		int err = 0;

		switch (fetch(phdr, 0, 4)) {
		case PT_LOAD:
			parse_load(phdr, &image);
			break;
		case PT_INTERP:
			err = parse_interpreter(phdr, &image);
			break;
		case PT_GNU_STACK:
			image.stack = fetch(phdr, 4, 4) & PF_X ? ELF_STACK_EXEC : ELF_STACK_NO_EXEC;
			break;
		default:
			break;
		}
		if (err < 0)
			return err;
	}
	*ret = image;
	return 0;
}

int elf_check_interpreter(const struct elf_image *image, const char *path, size_t size)
{
	if (!image->has_interpreter || size != image->interpreter_size || size < 2)
		return -ENOEXEC;
	return path[size - 1] == '\0' ? 0 : -ENOEXEC;
}

int elf_extent(const struct elf_image *image, uint64_t *ret_start, uint64_t *ret_size)
{
	uint64_t start = UINT64_MAX, end = 0;

	for (size_t i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		uint64_t segment_end;

		if (!add_checked(segment->vaddr, segment->memory_size, &segment_end))
			return -EINVAL;
		start = min_of(start, align_down(segment->vaddr, LX_PAGE_SIZE));
		end = max_of(end, segment_end);
	}
	if (image->segment_count == 0 || end <= start || !align_up_checked(end, LX_PAGE_SIZE, &end))
		return -EINVAL;
	*ret_start = start;
	*ret_size = end - start;
	return 0;
}

/* elf_load() and elf_map() of binfmt_elf.c. */
int elf_place(
	const struct elf_segment *segment, uint64_t bias, uint64_t limit, struct elf_placement *ret)
{
	uint64_t in_page = segment->vaddr % LX_PAGE_SIZE, start = segment->vaddr + bias;
	struct elf_placement p = {.prot = segment->prot};

	if (segment->file_size > segment->memory_size || segment->memory_size > limit ||
		start >= limit || limit - segment->memory_size < start)
		return -EINVAL;
	p.end = start + segment->memory_size;
	p.addr = align_down(start, LX_PAGE_SIZE);
	p.anon_addr = p.addr;
	if (segment->file_size) {
		uint64_t file_end = start + segment->file_size;

		if (segment->offset < in_page || (segment->offset - in_page) % LX_PAGE_SIZE)
			return -EINVAL;
		p.offset = segment->offset - in_page;
		if (!align_up_checked(in_page + segment->file_size, LX_PAGE_SIZE, &p.size))
			return -EINVAL;
		if (p.offset > INT64_MAX - p.size)
			return -EOVERFLOW;
		p.anon_addr = p.addr + p.size;
		if (segment->memory_size > segment->file_size && (segment->prot & LX_PROT_WRITE)) {
			p.zero_addr = file_end;
			p.zero_size = p.anon_addr - file_end;
		}
	}
	/* The zero pages are mapped like the break: readable and writable whatever the segment
	 * says. */
	if (segment->memory_size > segment->file_size && p.end > p.anon_addr) {
		uint64_t anon_end;

		if (!align_up_checked(p.end, LX_PAGE_SIZE, &anon_end))
			return -EINVAL;
		p.anon_size = anon_end - p.anon_addr;
		p.anon_prot = LX_PROT_READ | LX_PROT_WRITE | (segment->prot & LX_PROT_EXEC);
	}
	*ret = p;
	return 0;
}
