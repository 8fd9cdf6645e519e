/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instructions that made the call, disassembled. x86 cannot be read backwards, so it is read
 * from the function's beginning; where that is unknown or far, only the last instruction is told.
 * The bytes are the file's, where there is one: in memory a call site may be patched.
 */
#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "cmd/unwinder/unwinder.h"

#define CODE_MAX  8192u
#define SHOWN	  3u /* instructions */
#define LINE_SIZE 200u
#define CACHED	  1024u

/* What was found out already, by file and place in it. */
static struct known {
	uint64_t dev, ino, changed, offset;
	char text[160];
} cache[CACHED];

static csh engine;
static cs_insn *instruction;

bool site_init(void)
{
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &engine) != CS_ERR_OK)
		return false;
	instruction = cs_malloc(engine);
	return instruction;
}

/* @address is what the code's is called: jumps are told with it. */
static void disassemble(
	const unsigned char *code, size_t size, uint64_t address, char *ret, size_t ret_size)
{
	char lines[SHOWN][LINE_SIZE] = {0};
	unsigned count = 0;
	size_t used = 0;

	while (size > 0 && cs_disasm_iter(engine, &code, &size, &address, instruction))
		(void)snprintf(lines[count++ % SHOWN], LINE_SIZE, "%s%s%s", instruction->mnemonic,
			instruction->op_str[0] ? " " : "", instruction->op_str);
	ret[0] = '\0';
	if (size > 0)
		return;
	for (unsigned i = count > SHOWN ? count - SHOWN : 0; i < count && used < ret_size; i++)
		used += (size_t)snprintf(
			ret + used, ret_size - used, "%s%s", used ? "; " : "", lines[i % SHOWN]);
}

static void look(const struct place *place, uint64_t start, uint64_t end, char *ret, size_t size)
{
	static unsigned char code[CODE_MAX];

	ret[0] = '\0';
	if (start && start < end && end - start <= sizeof(code) &&
		(place_read_constant(start, code, (size_t)(end - start)) ||
			memory_read(start, code, (size_t)(end - start))))
		disassemble(code, (size_t)(end - start), start - place->bias, ret, size);
	if (!ret[0] && (place_read_constant(end - 2, code, 2) || memory_read(end - 2, code, 2)))
		disassemble(code, 2, end - 2 - place->bias, ret, size);
}

void site_describe(const struct place *place, uint64_t start, uint64_t end, char *ret, size_t size)
{
	const struct module *module = place->module;
	uint64_t offset = end - place->start + place->offset;
	struct known *known;

	if (!module) {
		look(place, start, end, ret, size);
		return;
	}
	known = &cache[((offset ^ module->ino) * 0x9e3779b97f4a7c15u >> 32) % CACHED];
	if (!known->text[0] || known->dev != module->dev || known->ino != module->ino ||
		known->changed != module->changed || known->offset != offset) {
		known->dev = module->dev;
		known->ino = module->ino;
		known->changed = module->changed;
		known->offset = offset;
		look(place, start, end, known->text, sizeof(known->text));
	}
	(void)snprintf(ret, size, "%s", known->text);
}
