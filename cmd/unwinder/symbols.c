/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of functions: .symtab where a program has it, .dynsym else. Both are read as a whole,
 * once for a file; what is too large has no names.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "cmd/unwinder/unwinder.h"

#define SECTIONS_MAX 1024u
#define TABLE_MAX    (24u << 20) /* bytes */

void symbols_free(struct module *module)
{
	free(module->symbols);
	free(module->names);
}

static int by_value(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->value != y->value ? (x->value > y->value ? 1 : -1)
	       : x->size != y->size ? (x->size > y->size ? 1 : -1)
				    : (x->name > y->name) - (x->name < y->name);
}

/* libc's qsort(3) asks the host, once, how much memory there is: before the filter. */
void symbols_init(void)
{
	static struct symbol many[1024];

	qsort(many, array_size(many), sizeof(many[0]), by_value);
}

static bool find_table(struct module *module, uint32_t type, Elf64_Shdr *ret, Elf64_Shdr *ret_names)
{
	Elf64_Ehdr elf;

	if (!module_read(module, 0, &elf, sizeof(elf)) || elf.e_shentsize != sizeof(*ret) ||
		elf.e_shnum > SECTIONS_MAX || elf.e_shoff > module->size)
		return false;
	for (unsigned i = 0; i < elf.e_shnum; i++) {
		if (!module_read(module, elf.e_shoff + i * sizeof(*ret), ret, sizeof(*ret)))
			return false;
		if (ret->sh_type == type && ret->sh_link < elf.e_shnum &&
			ret->sh_entsize == sizeof(Elf64_Sym))
			return module_read(module, elf.e_shoff + ret->sh_link * sizeof(*ret),
				       ret_names, sizeof(*ret_names)) &&
			       ret->sh_size <= TABLE_MAX && ret_names->sh_size <= TABLE_MAX &&
			       ret_names->sh_size > 0;
	}
	return false;
}

/* What tells that this is a Python interpreter. */
static void look_for_python(struct module *module, const char *name, uint64_t value)
{
	if (strcmp(name, "_PyRuntime") == 0)
		module->python_runtime = value;
	else if (strcmp(name, "Py_Version") == 0)
		module->python_version = value;
}

static void take_symbols(struct module *module, const Elf64_Sym *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned type = ELF64_ST_TYPE(table[i].st_info);

		if (table[i].st_shndx == SHN_UNDEF || table[i].st_name >= module->names_size)
			continue;
		if (type == STT_OBJECT)
			look_for_python(
				module, module->names + table[i].st_name, table[i].st_value);
		if (type != STT_FUNC && type != STT_GNU_IFUNC)
			continue;
		module->symbols[module->symbol_count++] =
			(struct symbol){.value = table[i].st_value,
				.size = (uint32_t)min_of(table[i].st_size, (uint64_t)UINT32_MAX),
				.name = table[i].st_name};
	}
	qsort(module->symbols, module->symbol_count, sizeof(module->symbols[0]), by_value);
}

static bool load_table(struct module *module, uint32_t type)
{
	Elf64_Shdr section, names;
	Elf64_Sym *table;
	size_t count;

	if (!find_table(module, type, &section, &names))
		return false;
	count = section.sh_size / sizeof(*table);
	table = malloc(count * sizeof(*table) + 1);
	module->names = malloc(names.sh_size);
	module->names_size = names.sh_size;
	module->symbols = calloc(count + 1, sizeof(module->symbols[0]));
	if (table && module->names && module->symbols &&
		module_read(module, section.sh_offset, table, count * sizeof(*table)) &&
		module_read(module, names.sh_offset, module->names, module->names_size)) {
		module->names[module->names_size - 1] = '\0';
		take_symbols(module, table, count);
		free(table);
		return true;
	}
	free(table);
	symbols_free(module);
	module->names = NULL;
	module->symbols = NULL;
	module->names_size = 0;
	return false;
}

void symbols_load(struct module *module)
{
	if (module->symbols_known)
		return;
	module->symbols_known = true;
	if (module->is_elf && !load_table(module, SHT_SYMTAB))
		(void)load_table(module, SHT_DYNSYM);
}

const struct symbol *symbol_of(struct module *module, uint64_t address)
{
	size_t low = 0, high;

	symbols_load(module);
	high = module->symbol_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (module->symbols[middle].value <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	low--;
	/* Assembler's functions often have no size: they reach up to the next one. */
	if (module->symbols[low].size > 0 &&
		address - module->symbols[low].value >= module->symbols[low].size)
		return NULL;
	return module->names[module->symbols[low].name] ? &module->symbols[low] : NULL;
}
