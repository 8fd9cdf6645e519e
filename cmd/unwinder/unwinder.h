/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_UNWINDER_UNWINDER_H
#define SENTRY_CMD_UNWINDER_UNWINDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/host_call.h"
#include "sentry/record.h"
#include "sentry/stack_wire.h"

/*
 * sentry-unwinder: the process that finds out where traced calls came from (--stacks). It answers
 * the Sentry's packets (sentry/stack_wire.h) and is a program of its own, so that libunwind and
 * capstone, which handle bytes that guests chose, are neither in the Sentry nor in what every run
 * has to load. Its seccomp filter leaves it two descriptors' worth of nothing: reading and writing
 * the one socket, and memory.
 *
 * All that it reads is a guest's claim: memory, mappings, program files. A guest that lies gets
 * wrong stacks; one that finds a hole here has what the filter leaves.
 */

/* The socket; nothing else is open. */
#define UNWINDER_FD 3
/* What it says when it is ready, before the first stack. */
#define UNWINDER_HELLO 0x57554e53u

/* ---- what is asked of the Sentry (ask.c) ----------------------------------------------------- */

/* Waits for the next task that makes a call; false: there will be none. */
bool ask_next(const struct stack_begin **ret);
/* Answers it: what follows a record's head. */
void ask_done(const void *stack, size_t size);
/* Memory of the task: all @size bytes, or false. */
bool memory_read(uint64_t address, void *to, size_t size);
/* Bytes that were got, or -errno. */
ssize_t ask_mapping(uint64_t address, struct stack_mapping *ret);
ssize_t ask_file(
	uint64_t address, uint64_t dev, uint64_t ino, uint64_t offset, void *to, size_t size);

/* ---- program files (module.c, symbols.c) ----------------------------------------------------- */

#define MODULE_LOADS 16u

struct symbol {
	uint64_t value;
	uint32_t size, name; /* in the names */
};

/* A file that is mapped with code, whoever maps it. */
struct module {
	struct module *next;
	uint64_t dev, ino, size, changed;
	char name[STACK_NAME_MAX];
	uint64_t at;		/* an address of the present task's where it is mapped */
	unsigned char **blocks; /* pieces of the file as they were needed */
	size_t block_count;
	bool is_elf;
	struct {
		uint64_t offset, address, size; /* in the file; unbiased; bytes of the file */
		bool writable, executable;
	} loads[MODULE_LOADS];
	unsigned load_count;
	uint64_t unwind_address, unwind_size; /* .eh_frame_hdr, unbiased; size 0: none */
	bool symbols_known;
	struct symbol *symbols; /* functions, by value */
	size_t symbol_count;
	char *names; /* ends with NUL */
	size_t names_size;
	uint64_t python_runtime, python_version; /* unbiased; 0: none */
};

/* Where a module, or memory of no file, lies in the present task's address space. */
struct place {
	uint64_t start, end, offset;
	uint64_t bias; /* of the module's addresses */
	bool executable;
	struct module *module; /* NULL: no file */
	char label[32];	       /* "[vdso]"; "": none */
};

/* All files and mappings that are remembered. */
void modules_forget(void);
/* The stacks that come now are of this address space. */
void module_enter_space(uint64_t space, uint64_t changes);
/* What is mapped at @address; NULL: nothing. Until the next stack. */
const struct place *place_of(uint64_t address);
/* The same, of those that are known already, for addresses of a module's constant bytes. */
bool place_read_constant(uint64_t address, void *to, size_t size);
/* All @size bytes of the file at @offset, or false. */
bool module_read(struct module *module, uint64_t offset, void *to, size_t size);
/* Where the file has what is at the unbiased @address; false: nowhere. */
bool module_offset(const struct module *module, uint64_t address, uint64_t *ret);
void symbols_init(void);
void symbols_load(struct module *module);
void symbols_free(struct module *module);
/* The function that holds the unbiased @address, or NULL. */
/* @name as its language has it, where that is known; valid until the next call. */
const char *demangled(const char *name);
const struct symbol *symbol_of(struct module *module, uint64_t address);

/* ---- a stack --------------------------------------------------------------------------------- */

/* As it goes into a record. */
struct stack {
	unsigned frame_count;
	uint32_t site;
	struct record_frame frames[RECORD_FRAMES_MAX];
	char names[RECORD_STACK_MAX - 4096];
	size_t names_size;
};

/* The offset of @name in the stack's names; UINT32_MAX when there is no room. */
uint32_t stack_name(struct stack *stack, const char *name);
struct record_frame *stack_add(struct stack *stack); /* NULL: full */

bool unwind_init(void);
void unwind(const struct stack_begin *begin, struct stack *stack);

/* ---- Python (python.c) ----------------------------------------------------------------------- */

struct python {
	uint64_t frame; /* the next one, innermost first; 0: none left */
	unsigned left;
	uint64_t space;
};

/* Whether the thread that @begin is about runs Python of the interpreter in @place. */
bool python_begin(
	struct python *python, const struct place *place, const struct stack_begin *begin);
/* Adds the frames of one run of the interpreter's loop. */
void python_frames(struct python *python, struct stack *stack);

/* ---- the call site (site.c) ------------------------------------------------------------------ */

bool site_init(void);
/* The last instructions of the function that begins at @start (0: unknown), up to @end, where the
 * call is made, in words. */
void site_describe(const struct place *place, uint64_t start, uint64_t end, char *ret, size_t size);

/* What it may ask of the host. */
#define UNWINDER_ALWAYS	   1u
#define UNWINDER_SANITIZER 2u
extern const struct host_call unwinder_calls[];
extern const size_t unwinder_call_count;

#endif
