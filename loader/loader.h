/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_LOADER_LOADER_H
#define SENTRY_LOADER_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What execve needs to know about bytes: ELF files, `#!` lines, the first stack. Pure functions
 * from buffers to plans; no files, no guest memory, no platform. sentry/exec.c reads, maps and
 * writes what they say. Every input is hostile.
 *
 * Errors are those of binfmt_elf.c, binfmt_script.c and exec.c of Linux 6.x for the same file.
 */

/* ---- ELF (loader/elf.c) ---------------------------------------------------------------------- */

#define ELF_HEADER_SIZE 64
#define ELF_PHDR_SIZE	56
/* Linux refuses tables above a page (load_elf_phdrs()): 73 entries. */
#define ELF_MAX_PHDRS	    (4096 / ELF_PHDR_SIZE)
#define ELF_MAX_INTERPRETER 4096 /* PATH_MAX */

struct elf_header {
	bool position_independent; /* ET_DYN, else ET_EXEC */
	uint64_t entry;
	uint64_t table_offset; /* of the program headers in the file */
	uint16_t table_count;
	size_t table_size; /* bytes, 1..4096 */
};

enum elf_stack { ELF_STACK_DEFAULT, ELF_STACK_NO_EXEC, ELF_STACK_EXEC }; /* PT_GNU_STACK */

struct elf_segment { /* PT_LOAD, as in the file */
	uint64_t vaddr, memory_size, file_size, offset;
	int prot; /* LX_PROT_* */
};

struct elf_image {
	struct elf_header header;
	bool has_interpreter;
	uint64_t interpreter_offset; /* of the path in the file, NUL included */
	size_t interpreter_size;     /* 2..4096 */
	enum elf_stack stack;
	bool has_table_address;
	uint64_t table_address; /* where the program headers are in memory, before the bias
				   (AT_PHDR) */
	struct elf_segment segments[ELF_MAX_PHDRS];
	size_t segment_count;
	uint64_t alignment; /* largest p_align that is a power of two, at least a page */
};

/*
 * The first 64 bytes. -ENOEXEC for everything that is not an ELF64 program for x86-64 with a usable
 * program header table. For an interpreter the caller turns that into -ELIBBAD.
 */
int elf_parse_header(const void *bytes, size_t size, struct elf_header *ret);
/* The program header table, header->table_size bytes. -ENOEXEC for a bad PT_INTERP. */
int elf_parse_table(
	const struct elf_header *header, const void *table, size_t size, struct elf_image *ret);
/* The path of PT_INTERP, image->interpreter_size bytes: it must end in NUL. -ENOEXEC. */
int elf_check_interpreter(const struct elf_image *image, const char *path, size_t size);

/* The range that all segments need: from the page of the first to the end of the last. -EINVAL
 * without segments or when it wraps. */
int elf_extent(const struct elf_image *image, uint64_t *ret_start, uint64_t *ret_size);

/* One segment in memory: file pages, then zeros. Addresses include the bias. */
struct elf_placement {
	uint64_t addr, size;	       /* file pages; size 0: none */
	uint64_t offset;	       /* in the file, page aligned */
	uint64_t zero_addr, zero_size; /* the rest of the last file page, to be cleared; only when
					  the segment is writable */
	uint64_t anon_addr, anon_size; /* zero pages behind; size 0: none */
	uint64_t end; /* of the segment, exact (the break starts behind the highest) */
	int prot, anon_prot;
};
/* -EINVAL for sizes and addresses that Linux refuses, @limit being the end of user addresses. */
int elf_place(const struct elf_segment *segment, uint64_t bias, uint64_t limit,
	struct elf_placement *ret);

/* ---- scripts (loader/script.c)
 * ------------------------------------------------------------------------------------------ */

struct script_line {
	char interpreter[256];
	char argument[256]; /* everything behind the interpreter, as one argument */
	bool has_argument;
};
/* True when @bytes begin with "#!". */
bool script_detect(const void *bytes, size_t size);
/* The first line, from the first @size <= 256 bytes of the file. -ENOEXEC: no interpreter, or its
 * path is cut off. */
int script_parse(const void *bytes, size_t size, struct script_line *ret);

/* ---- the first stack (loader/stack.c)
 * ---------------------------------------------------------------------------------- */

struct stack_strings { /* back to back, each with its NUL */
	const char *data;
	size_t size, count;
};

#define STACK_MAX_AUXV 32

struct stack_request {
	uint64_t top; /* page aligned end of the stack */
	struct stack_strings argv, envp;
	const char *filename; /* AT_EXECFN */
	const char *platform; /* AT_PLATFORM, "x86_64" */
	uint8_t random[16];   /* AT_RANDOM */
	unsigned shift; /* bytes below 8192 that move the stack pointer (arch_align_stack()) */
	/* Pairs; the values of AT_EXECFN, AT_PLATFORM and AT_RANDOM are filled in here. Without
	 * AT_NULL. */
	uint64_t auxv[STACK_MAX_AUXV][2];
	size_t auxv_count;
};

struct stack_image {
	uint8_t *bytes; /* owned: free() */
	size_t size;	/* they end at the top */
	uint64_t sp;	/* 16-byte aligned; argc is there */
	uint64_t arg_start, arg_end, env_start, env_end;
	uint64_t auxv[STACK_MAX_AUXV + 1][2]; /* with AT_NULL */
	size_t auxv_count;
};
/* -ENOMEM; -E2BIG when the counts or sizes cannot be right. */
int stack_build(const struct stack_request *request, struct stack_image *ret);
/* How many bytes of strings an execve may bring: bprm_stack_limits(). 0 when the pointers alone are
 * too many (-E2BIG). */
uint64_t stack_string_limit(uint64_t stack_rlimit, uint64_t argc, uint64_t envc);

#endif
