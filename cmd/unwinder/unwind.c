/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From registers to frames: libunwind, with the task's memory and files behind its accessors. A
 * frame counts when its address lies in mapped code; what libunwind guesses beyond the last
 * unwind table (frame pointers) ends at the first address that does not.
 */
#include <libunwind.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "cmd/unwinder/unwinder.h"

/* Words read for one stack: expressions in unwind tables may loop. */
#define READS_MAX 1000000u

/* Not in libunwind's headers; tools that unwind from snapshots use it. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t space, unw_word_t ip,
	unw_dyn_info_t *di, unw_proc_info_t *pi, int need_unwind_info, void *arg);

#define DW_EH_PE_UDATA4		0x03
#define DW_EH_PE_SDATA4		0x0b
#define DW_EH_PE_DATAREL_SDATA4 0x3b

/* .eh_frame_hdr (LSB, 10.6.2): where the table begins when the pointer before it has 4 bytes. */
struct unwind_header {
	uint8_t version, pointer_encoding, count_encoding, table_encoding;
	uint32_t pointer, count;
};
#define TABLE_ENTRY 8u

static unw_addr_space_t space;
static const struct stack_begin *beginning; /* NULL: while nothing is unwound */
static unsigned reads;

/* ---- accessors ------------------------------------------------------------------------------- */

static int find_proc_info(
	unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *ret, int need_info, void *arg)
{
	const struct place *place = beginning ? place_of(ip) : NULL;
	unw_dyn_info_t info = {.format = UNW_INFO_FORMAT_REMOTE_TABLE};
	struct unwind_header header;
	const struct module *module;

	if (!place || !place->module || !place->module->is_elf)
		return -UNW_ENOINFO;
	module = place->module;
	if (module->unwind_size < sizeof(header) ||
		!place_read_constant(
			place->bias + module->unwind_address, &header, sizeof(header)) ||
		header.version != 1 || (header.pointer_encoding & 0x07) != DW_EH_PE_UDATA4 ||
		header.count_encoding != DW_EH_PE_UDATA4 ||
		header.table_encoding != DW_EH_PE_DATAREL_SDATA4 ||
		header.count > (module->unwind_size - sizeof(header)) / TABLE_ENTRY)
		return -UNW_ENOINFO;
	info.start_ip = place->start;
	info.end_ip = place->end;
	info.u.rti.segbase = place->bias + module->unwind_address;
	info.u.rti.table_data = info.u.rti.segbase + sizeof(header);
	info.u.rti.table_len = header.count * TABLE_ENTRY / sizeof(unw_word_t);
	return UNW_OBJ(dwarf_search_unwind_table)(as, ip, &info, ret, need_info, arg);
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *info, void *arg)
{
}

static int no_dynamic_info(unw_addr_space_t as, unw_word_t *ret, void *arg)
{
	return -UNW_ENOINFO;
}

static int access_mem(
	unw_addr_space_t as, unw_word_t address, unw_word_t *value, int write, void *arg)
{
	if (write || !beginning || ++reads > READS_MAX)
		return -UNW_EINVAL;
	/* What files hold is in reach already; the stack lies in none. */
	return place_read_constant(address, value, sizeof(*value)) ||
			       memory_read(address, value, sizeof(*value))
		       ? 0
		       : -UNW_EINVAL;
}

static int access_reg(
	unw_addr_space_t as, unw_regnum_t reg, unw_word_t *value, int write, void *arg)
{
	if (write || !beginning || reg < 0 || reg >= (int)STACK_REGS)
		return -UNW_EBADREG;
	*value = beginning->regs[reg];
	return 0;
}

static int access_fpreg(
	unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *value, int write, void *arg)
{
	return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
	return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t as, unw_word_t address, char *name, size_t size,
	unw_word_t *offset, void *arg)
{
	return -UNW_ENOINFO;
}

/* libunwind asks the host for a few things when it is used first: before the filter. */
bool unwind_init(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = no_dynamic_info,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = no_resume,
		.get_proc_name = no_name,
	};
	unw_cursor_t cursor;

	space = unw_create_addr_space(&accessors, 0);
	if (!space)
		return false;
	(void)unw_set_caching_policy(space, UNW_CACHE_NONE);
	(void)unw_init_remote(&cursor, space, NULL);
	return true;
}

/* ---- frames ---------------------------------------------------------------------------------- */

uint32_t stack_name(struct stack *stack, const char *name)
{
	size_t size = strlen(name) + 1;

	for (size_t at = 0; at < stack->names_size; at += strlen(stack->names + at) + 1)
		if (strcmp(stack->names + at, name) == 0)
			return (uint32_t)at;
	if (size > sizeof(stack->names) - stack->names_size)
		return UINT32_MAX;
	memcpy(stack->names + stack->names_size, name, size);
	stack->names_size += size;
	return (uint32_t)(stack->names_size - size);
}

struct record_frame *stack_add(struct stack *stack)
{
	struct record_frame *frame;

	if (stack->frame_count == RECORD_FRAMES_MAX)
		return NULL;
	frame = &stack->frames[stack->frame_count++];
	*frame = (struct record_frame){.module = UINT32_MAX, .symbol = UINT32_MAX};
	return frame;
}

/* @back: 1 where @address is behind the call, 0 where it is what was interrupted. Returns the name
 * of the function, or "". */
static const char *describe(struct stack *stack, struct record_frame *frame,
	const struct place *place, uint64_t address, unsigned back)
{
	struct module *module = place->module;
	const struct symbol *symbol;
	uint64_t unbiased;

	frame->address = address;
	if (!module) {
		if (place->label[0])
			frame->module = stack_name(stack, place->label);
		frame->offset = address - place->start;
		return "";
	}
	frame->module = stack_name(stack, module->name[0] ? module->name : "?");
	frame->offset = address - place->start + place->offset;
	unbiased = address - place->bias;
	symbol = module->is_elf ? symbol_of(module, unbiased - back) : NULL;
	if (!symbol)
		return "";
	frame->symbol = stack_name(stack, demangled(module->names + symbol->name));
	frame->symbol_offset = unbiased - symbol->value;
	return module->names + symbol->name;
}

static uint64_t function_start(unw_cursor_t *cursor, const struct place *place, uint64_t address)
{
	const struct symbol *symbol;
	unw_proc_info_t info;

	if (unw_get_proc_info(cursor, &info) == 0 && info.start_ip < address)
		return info.start_ip;
	symbol = place->module ? symbol_of(place->module, address - place->bias - 1) : NULL;
	return symbol ? place->bias + symbol->value : 0;
}

static void describe_site(struct stack *stack, unw_cursor_t *cursor, const struct place *place)
{
	uint64_t address = beginning->regs[STACK_REGS - 1];
	char text[256];

	site_describe(place, function_start(cursor, place, address), address, text, sizeof(text));
	if (text[0])
		stack->site = stack_name(stack, text);
}

/* What handlers of signals return to: mov $15,%rax; syscall. What called it was interrupted there.
 */
static bool is_signal_return(uint64_t address)
{
	static const unsigned char code[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};
	unsigned char there[sizeof(code)];

	return (place_read_constant(address, there, sizeof(there)) ||
		       memory_read(address, there, sizeof(there))) &&
	       memcmp(code, there, sizeof(code)) == 0;
}

static void walk(struct stack *stack, unw_cursor_t *cursor)
{
	struct python python = {0};
	bool python_known = false, interrupted = false;

	do {
		const struct place *place;
		struct record_frame *frame;
		const char *name;
		unw_word_t ip;

		if (unw_get_reg(cursor, UNW_REG_IP, &ip) < 0)
			return;
		place = place_of(ip);
		if (!place || !place->executable)
			return;
		frame = stack_add(stack);
		if (!frame)
			return;
		name = describe(stack, frame, place, ip, interrupted ? 0 : 1);
		if (stack->frame_count == 1)
			describe_site(stack, cursor, place);
		if (!python_known && place->module && place->module->python_runtime)
			python_known = python_begin(&python, place, beginning);
		if (python_known && strcmp(name, "_PyEval_EvalFrameDefault") == 0)
			python_frames(&python, stack);
		interrupted = is_signal_return(ip);
	} while (unw_step(cursor) > 0);
	while (python.frame && stack->frame_count < RECORD_FRAMES_MAX)
		python_frames(&python, stack);
}

void unwind(const struct stack_begin *begin, struct stack *stack)
{
	unw_cursor_t cursor;

	beginning = begin;
	reads = 0;
	module_enter_space(begin->space, begin->changes);
	if (unw_init_remote(&cursor, space, NULL) == 0)
		walk(stack, &cursor);
	beginning = NULL;
}
