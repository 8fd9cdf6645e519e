/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in the vDSO the stub finds what it calls. The stubs' vDSO is the same image as ours: the
 * host kernel has one for all 64-bit processes. It is read like any shared object: the symbol table
 * that the dynamic section names, as long as the hash table says (elf(5), vdso(7)).
 */
#include <elf.h>
#include <string.h>
#include <sys/auxv.h>

#include "platform/systrap/systrap.h"

struct image {
	uint64_t base;
	int64_t bias; /* from addresses in the image to those in memory */
	const Elf64_Sym *symbols;
	const char *strings;
	const uint32_t *hash, *gnu_hash;
};

static const void *at(const struct image *image, uint64_t addr)
{
	return (const void *)(addr + (uint64_t)image->bias);
}

static void read_dynamic(struct image *image, const Elf64_Dyn *entry)
{
	for (; entry->d_tag != DT_NULL; entry++) {
		switch (entry->d_tag) {
		case DT_SYMTAB:
			image->symbols = at(image, entry->d_un.d_ptr);
			break;
		case DT_STRTAB:
			image->strings = at(image, entry->d_un.d_ptr);
			break;
		case DT_HASH:
			image->hash = at(image, entry->d_un.d_ptr);
			break;
		case DT_GNU_HASH:
			image->gnu_hash = at(image, entry->d_un.d_ptr);
			break;
		default:
			break;
		}
	}
}

static bool open_image(struct image *image, uint64_t base)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)base;
	const Elf64_Phdr *segment = (const Elf64_Phdr *)(base + header->e_phoff);
	const Elf64_Dyn *dynamic = NULL;

	*image = (struct image){.base = base};
	for (unsigned i = 0; i < header->e_phnum; i++) {
		if (segment[i].p_type == PT_LOAD && segment[i].p_offset == 0)
			image->bias = (int64_t)(base - segment[i].p_vaddr);
		else if (segment[i].p_type == PT_DYNAMIC)
			dynamic = (const Elf64_Dyn *)(base + segment[i].p_offset);
	}
	if (dynamic)
		read_dynamic(image, dynamic);
	return image->symbols && image->strings && (image->hash || image->gnu_hash);
}

/* The GNU table has no count: the symbols end with the last chain. */
static uint32_t gnu_symbol_count(const uint32_t *table)
{
	uint32_t bucket_count = table[0], first = table[1], bloom_size = table[2], last = 0;
	const uint32_t *buckets = table + 4 + 2 * (uint64_t)bloom_size;
	const uint32_t *chains = buckets + bucket_count;

	for (uint32_t i = 0; i < bucket_count; i++)
		if (buckets[i] > last)
			last = buckets[i];
	if (last < first)
		return first;
	while (!(chains[last - first] & 1))
		last++;
	return last + 1;
}

uint64_t systrap_vdso_symbol(const char *name)
{
	uint64_t base = getauxval(AT_SYSINFO_EHDR);
	struct image image;
	uint32_t count;

	if (!systrap.vdso_addr || !base || !open_image(&image, base))
		return 0;
	count = image.hash ? image.hash[1] : gnu_symbol_count(image.gnu_hash);
	for (uint32_t i = 0; i < count; i++) {
		const Elf64_Sym *symbol = &image.symbols[i];

		if (symbol->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
			strcmp(image.strings + symbol->st_name, name) != 0)
			continue;
		return systrap.vdso_addr + ((uint64_t)at(&image, symbol->st_value) - image.base);
	}
	return 0;
}
