/* SPDX-License-Identifier: Apache-2.0 */
/* ELF headers and segments: one good file, and one row for each way to spoil it. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "abi/mman.h"
#include "loader/loader.h"

#define LIMIT 0x7ffffffff000ull

struct file {
	Elf64_Ehdr header;
	Elf64_Phdr table[4];
};

static struct file good_file(void)
{
	return (struct file){
		.header = {.e_ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
			.e_type = ET_DYN,
			.e_machine = EM_X86_64,
			.e_entry = 0x1040,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 4},
		.table = {{.p_type = PT_INTERP, .p_offset = 0x300, .p_filesz = 28},
			{.p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_filesz = 0x1234,
				.p_memsz = 0x1234,
				.p_align = 0x1000},
			{.p_type = PT_LOAD,
				.p_flags = PF_R | PF_W,
				.p_offset = 0x2e10,
				.p_vaddr = 0x3e10,
				.p_filesz = 0x200,
				.p_memsz = 0x3000,
				.p_align = 0x200000},
			{.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W}},
	};
}

static int parse(const struct file *file, struct elf_image *image)
{
	struct elf_header header;
	int err = elf_parse_header(&file->header, sizeof(file->header), &header);

	return err < 0 ? err : elf_parse_table(&header, file->table, sizeof(file->table), image);
}

Test(loader_elf, reads_a_good_file)
{
	struct file file = good_file();
	struct elf_image image;
	uint64_t start, size;

	cr_assert_eq(parse(&file, &image), 0);
	cr_assert(image.header.position_independent);
	cr_assert_eq(image.header.entry, 0x1040);
	cr_assert(image.has_interpreter);
	cr_assert_eq(image.interpreter_offset, 0x300);
	cr_assert_eq(image.interpreter_size, 28);
	cr_assert_eq(image.stack, ELF_STACK_NO_EXEC);
	cr_assert_eq(image.segment_count, 2);
	cr_assert_eq(image.alignment, 0x200000);
	cr_assert(image.has_table_address);
	cr_assert_eq(image.table_address, 64);
	cr_assert_eq(elf_extent(&image, &start, &size), 0);
	cr_assert_eq(start, 0);
	cr_assert_eq(size, 0x7000);
}

struct spoil {
	const char *what;
	size_t offset, size;
	uint64_t value;
	int error;
};

ParameterizedTestParameters(loader_elf, refuses)
{
#define HEADER(field, value)                                                                       \
	"header " #field, offsetof(struct file, header.field),                                     \
		sizeof(((struct file *)0)->header.field), value
	static struct spoil rows[] = {
		{"magic", 1, 1, 'X', -ENOEXEC},
		{HEADER(e_type, ET_REL), -ENOEXEC},
		{HEADER(e_type, ET_CORE), -ENOEXEC},
		{HEADER(e_machine, EM_386), -ENOEXEC},
		{HEADER(e_phentsize, 0), -ENOEXEC},
		{HEADER(e_phentsize, 32), -ENOEXEC},
		{HEADER(e_phnum, 0), -ENOEXEC},
		{HEADER(e_phnum, 74), -ENOEXEC},
		{HEADER(e_phnum, 65535), -ENOEXEC},
		{"interpreter too short", offsetof(struct file, table[0].p_filesz), 8, 1, -ENOEXEC},
		{"interpreter too long", offsetof(struct file, table[0].p_filesz), 8, 4097,
			-ENOEXEC},
		{"interpreter huge", offsetof(struct file, table[0].p_filesz), 8, UINT64_MAX,
			-ENOEXEC},
		/* What Linux does not look at stays without effect. */
		{"class", 4, 1, 9, 0},
		{"byte order", 5, 1, 9, 0},
		{HEADER(e_version, 77), 0},
		{HEADER(e_entry, UINT64_MAX), 0},
		{HEADER(e_shoff, UINT64_MAX), 0},
		{"odd alignment", offsetof(struct file, table[1].p_align), 8, 3, 0},
	};

	return cr_make_param_array(struct spoil, rows, sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct spoil *row, loader_elf, refuses)
{
	struct file file = good_file();
	struct elf_image image;

	memcpy((char *)&file + row->offset, &row->value, row->size);
	cr_assert_eq(parse(&file, &image), row->error, "%s", row->what);
}

Test(loader_elf, refuses_short_buffers)
{
	struct file file = good_file();
	struct elf_header header;
	struct elf_image image;

	for (size_t size = 0; size < ELF_HEADER_SIZE; size++)
		cr_assert_eq(elf_parse_header(&file.header, size, &header), -ENOEXEC);
	cr_assert_eq(elf_parse_header(&file.header, ELF_HEADER_SIZE, &header), 0);
	cr_assert_eq(
		elf_parse_table(&header, file.table, sizeof(file.table) - 1, &image), -ENOEXEC);
}

Test(loader_elf, checks_the_interpreters_path)
{
	struct file file = good_file();
	struct elf_image image;
	char path[28] = "/lib64/ld-linux-x86-64.so.2";

	cr_assert_eq(parse(&file, &image), 0);
	cr_assert_eq(elf_check_interpreter(&image, path, 28), 0);
	cr_assert_eq(elf_check_interpreter(&image, path, 27), -ENOEXEC);
	path[27] = 'x';
	cr_assert_eq(elf_check_interpreter(&image, path, 28), -ENOEXEC);
}

struct place {
	struct elf_segment in;
	int error;
	struct elf_placement out;
};

ParameterizedTestParameters(loader_elf, places)
{
	enum { R = LX_PROT_READ, W = LX_PROT_WRITE, X = LX_PROT_EXEC };
	static struct place rows[] = {
		{{0x1000, 0x800, 0x800, 0x1000, R}, 0,
			{.addr = 0x401000,
				.size = 0x1000,
				.offset = 0x1000,
				.end = 0x401800,
				.prot = R}},
		{{0x1e10, 0x200, 0x200, 0xe10, R | W}, 0,
			{.addr = 0x401000, .size = 0x2000, .end = 0x402010, .prot = R | W}},
		{{0x1e10, 0x3000, 0x100, 0x2e10, R | W}, 0,
			{.addr = 0x401000,
				.size = 0x1000,
				.offset = 0x2000,
				.zero_addr = 0x401f10,
				.zero_size = 0xf0,
				.anon_addr = 0x402000,
				.anon_size = 0x3000,
				.end = 0x404e10,
				.prot = R | W,
				.anon_prot = R | W}},
		/* The zeros end within the last file page. */
		{{0x1010, 0x200, 0x100, 0x10, R | W}, 0,
			{.addr = 0x401000,
				.size = 0x1000,
				.zero_addr = 0x401110,
				.zero_size = 0xef0,
				.end = 0x401210,
				.prot = R | W}},
		/* Zeros alone. */
		{{0x1010, 0x1000, 0, 0x123, R | X}, 0,
			{.addr = 0x401000,
				.anon_addr = 0x401000,
				.anon_size = 0x2000,
				.end = 0x402010,
				.prot = R | X,
				.anon_prot = R | W | X}},
		{{0x1000, 0x800, 0x800, 0x1001, R}, -EINVAL, {0}}, /* not congruent */
		{{0x1010, 0x800, 0x800, 0, R}, -EINVAL, {0}},	   /* begins before the file */
		{{0x1000, 0x800, 0x801, 0x1000, R}, -EINVAL, {0}}, /* more file than memory */
		{{0x1000, LIMIT + 1, 0, 0, R}, -EINVAL, {0}},
		{{LIMIT - 0x400000, 0x1000, 0, 0, R}, -EINVAL, {0}},
		{{UINT64_MAX - 0xfff, 0x800, 0x800, 0, R}, 0,
			{.addr = 0x3ff000,
				.size = 0x1000,
				.end = 0x3ff800,
				.prot = R}}, /* wraps into place */
		{{0x1000, 0x1000, 0x1000, 0x7ffffffffffff000, R}, -EOVERFLOW, {0}},
	};

	return cr_make_param_array(struct place, rows, sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct place *row, loader_elf, places)
{
	struct elf_placement got = {0}, want = row->out;

	cr_assert_eq(elf_place(&row->in, 0x400000, LIMIT, &got), row->error);
	if (row->error)
		return;
	if (!want.anon_addr)
		got.anon_addr = 0; /* of no meaning when there are none */
	cr_assert_eq(got.addr, want.addr);
	cr_assert_eq(got.size, want.size);
	cr_assert_eq(got.offset, want.offset);
	cr_assert_eq(got.zero_addr, want.zero_addr);
	cr_assert_eq(got.zero_size, want.zero_size);
	cr_assert_eq(got.anon_addr, want.anon_addr);
	cr_assert_eq(got.anon_size, want.anon_size);
	cr_assert_eq(got.end, want.end);
	cr_assert_eq(got.prot, want.prot);
	cr_assert_eq(got.anon_prot, want.anon_prot);
}

Test(loader_elf, refuses_extents_that_wrap)
{
	struct elf_image image = {.segment_count = 1};
	uint64_t start, size;

	cr_assert_eq(elf_extent(&(struct elf_image){0}, &start, &size), -EINVAL);
	image.segments[0] = (struct elf_segment){.vaddr = UINT64_MAX - 5, .memory_size = 10};
	cr_assert_eq(elf_extent(&image, &start, &size), -EINVAL);
	image.segments[0] = (struct elf_segment){.vaddr = 0x1000};
	cr_assert_eq(elf_extent(&image, &start, &size), -EINVAL);
}
