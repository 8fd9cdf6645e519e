/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which file an address lies in, and where. Mappings are asked for one by one and kept until
 * mappings of that address space change; files are kept as long as there is room, whoever maps
 * them, in blocks, as far as they were needed. Headers are read with the suspicion that they were
 * made for us: every offset is checked against the file's size when the bytes are fetched.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "cmd/unwinder/unwinder.h"

#define BLOCK	    (16u << 10)
#define FILE_MAX    (4ull << 30)
#define CACHE_MAX   (192u << 20) /* bytes of all files; then all is forgotten */
#define SPACES	    16u
#define PLACES	    256u
#define HEADERS_MAX 64u
#define PAGE_MASK   0xfffull

/* A block that could not be had. */
static unsigned char nothing[1];

static struct module *modules;
static size_t cached;

static struct space {
	uint64_t id, changes;
	unsigned count;
	struct place places[PLACES];
} spaces[SPACES], *space;

/* ---- files ----------------------------------------------------------------------------------- */

static void module_free(struct module *module)
{
	for (size_t i = 0; i < module->block_count; i++)
		if (module->blocks[i] != nothing)
			free(module->blocks[i]);
	free(module->blocks);
	symbols_free(module);
	free(module);
}

void modules_forget(void)
{
	while (modules) {
		struct module *next = modules->next;

		module_free(modules);
		modules = next;
	}
	memset(spaces, 0, sizeof(spaces));
	cached = 0;
}

static const unsigned char *block_of(struct module *module, size_t index)
{
	uint64_t offset = (uint64_t)index * BLOCK;
	size_t wanted = (size_t)min_of((uint64_t)BLOCK, module->size - offset);
	unsigned char *block;

	if (module->blocks[index])
		return module->blocks[index];
	block = malloc(wanted);
	if (block && ask_file(module->at, module->dev, module->ino, offset, block, wanted) !=
			     (ssize_t)wanted) {
		free(block);
		block = NULL;
	}
	cached += BLOCK;
	return module->blocks[index] = block ? block : nothing;
}

bool module_read(struct module *module, uint64_t offset, void *to, size_t size)
{
	unsigned char *at = to;

	if (offset > module->size || size > module->size - offset)
		return false;
	while (size > 0) {
		const unsigned char *block = block_of(module, (size_t)(offset / BLOCK));
		size_t in = (size_t)(offset % BLOCK), here = min_of(size, (size_t)BLOCK - in);

		if (block == nothing)
			return false;
		memcpy(at, block + in, here);
		at += here;
		offset += here;
		size -= here;
	}
	return true;
}

bool module_offset(const struct module *module, uint64_t address, uint64_t *ret)
{
	for (unsigned i = 0; i < module->load_count; i++) {
		if (address < module->loads[i].address ||
			address - module->loads[i].address >= module->loads[i].size)
			continue;
		*ret = module->loads[i].offset + (address - module->loads[i].address);
		return true;
	}
	return false;
}

static void take_header(struct module *module, const Elf64_Phdr *header)
{
	if (header->p_type == PT_GNU_EH_FRAME) {
		module->unwind_address = header->p_vaddr;
		module->unwind_size = header->p_memsz;
	}
	if (header->p_type != PT_LOAD || module->load_count == MODULE_LOADS)
		return;
	module->loads[module->load_count].offset = header->p_offset;
	module->loads[module->load_count].address = header->p_vaddr;
	module->loads[module->load_count].size = header->p_filesz;
	module->loads[module->load_count].writable = header->p_flags & PF_W;
	module->loads[module->load_count++].executable = header->p_flags & PF_X;
}

static void read_headers(struct module *module)
{
	Elf64_Phdr header;
	Elf64_Ehdr elf;

	if (!module_read(module, 0, &elf, sizeof(elf)) ||
		memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64 ||
		elf.e_machine != EM_X86_64 || elf.e_phentsize != sizeof(header) ||
		elf.e_phnum > HEADERS_MAX || elf.e_phoff > module->size)
		return;
	for (unsigned i = 0; i < elf.e_phnum; i++) {
		if (!module_read(module, elf.e_phoff + i * sizeof(header), &header, sizeof(header)))
			return;
		take_header(module, &header);
	}
	module->is_elf = module->load_count > 0;
}

static struct module *module_of(const struct stack_mapping *mapping)
{
	struct module *module = modules;

	while (module &&
		(module->dev != mapping->dev || module->ino != mapping->ino ||
			module->size != mapping->size || module->changed != mapping->changed))
		module = module->next;
	if (!module) {
		if (mapping->size == 0 || mapping->size > FILE_MAX)
			return NULL;
		module = calloc(1, sizeof(*module));
		if (!module)
			return NULL;
		module->block_count = (size_t)((mapping->size + BLOCK - 1) / BLOCK);
		module->blocks = calloc(module->block_count, sizeof(module->blocks[0]));
		if (!module->blocks) {
			free(module);
			return NULL;
		}
		module->dev = mapping->dev;
		module->ino = mapping->ino;
		module->size = mapping->size;
		module->changed = mapping->changed;
		module->at = mapping->start;
		memcpy(module->name, mapping->name, sizeof(module->name));
		cached += module->block_count * sizeof(module->blocks[0]) + sizeof(*module);
		module->next = modules;
		modules = module;
		read_headers(module);
	}
	module->at = mapping->start;
	return module;
}

/* ---- mappings -------------------------------------------------------------------------------- */

void module_enter_space(uint64_t id, uint64_t changes)
{
	static unsigned victim;

	if (cached > CACHE_MAX)
		modules_forget();
	for (unsigned i = 0; i < SPACES; i++) {
		space = &spaces[i];
		if (space->id != id)
			continue;
		if (space->changes != changes)
			space->count = 0;
		space->changes = changes;
		for (unsigned j = 0; j < space->count; j++)
			if (space->places[j].module)
				space->places[j].module->at = space->places[j].start;
		return;
	}
	space = &spaces[victim++ % SPACES];
	space->id = id;
	space->changes = changes;
	space->count = 0;
}

/* By what a module's addresses are moved where @place has them. */
static void find_bias(struct place *place)
{
	const struct module *module = place->module;

	for (unsigned i = 0; i < module->load_count; i++) {
		uint64_t offset = module->loads[i].offset & ~PAGE_MASK;
		uint64_t end = module->loads[i].offset + module->loads[i].size;

		if (module->loads[i].executable != place->executable || place->offset < offset ||
			place->offset >= end)
			continue;
		place->bias = place->start -
			      (module->loads[i].address - module->loads[i].offset + place->offset);
		return;
	}
}

static const struct place *add_place(const struct stack_mapping *mapping)
{
	struct place *place;

	/* The first ones are those of the program and its libraries. */
	if (space->count == PLACES)
		space->count = PLACES / 2;
	place = &space->places[space->count];
	*place = (struct place){.start = mapping->start,
		.end = mapping->end,
		.offset = mapping->offset,
		.executable = mapping->executable != 0,
		.module = mapping->executable && mapping->ino ? module_of(mapping) : NULL};
	if (mapping->name[0] == '[')
		memcpy(place->label, mapping->name, sizeof(place->label) - 1);
	if (place->module && place->module->is_elf)
		find_bias(place);
	space->count++;
	return place;
}

static const struct place *known_place(uint64_t address)
{
	for (unsigned i = 0; i < space->count; i++)
		if (address >= space->places[i].start && address < space->places[i].end)
			return &space->places[i];
	return NULL;
}

const struct place *place_of(uint64_t address)
{
	const struct place *place = known_place(address);
	struct stack_mapping mapping;

	if (place)
		return place;
	if (ask_mapping(address, &mapping) < 0 || address < mapping.start || address >= mapping.end)
		return NULL;
	return add_place(&mapping);
}

bool place_read_constant(uint64_t address, void *to, size_t size)
{
	for (unsigned i = 0; i < space->count; i++) {
		struct module *module = space->places[i].module;
		uint64_t at = address - space->places[i].bias;

		if (!module || !module->is_elf)
			continue;
		for (unsigned j = 0; j < module->load_count; j++)
			if (!module->loads[j].writable && at >= module->loads[j].address &&
				size <= module->loads[j].size &&
				at - module->loads[j].address <= module->loads[j].size - size)
				return module_read(module,
					module->loads[j].offset + (at - module->loads[j].address),
					to, size);
	}
	return false;
}
