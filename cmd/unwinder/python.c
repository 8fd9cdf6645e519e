/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python's own frames: the interpreter's structures, read from outside. Their layout is that of one
 * version, told by Py_Version; others have no Python frames. Everything is bounded and may lie: the
 * worst is a wrong name.
 *
 * CPython 3.11: a thread state has a chain of C frames' anchors (_PyCFrame), the innermost of which
 * points to the innermost _PyInterpreterFrame. A call from Python to Python does not recurse in C,
 * so one native frame of the interpreter's loop stands for the Python frames up to and including
 * one that is_entry.
 */
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "cmd/unwinder/unwinder.h"

#define THREADS_MAX	 1024u
#define INTERPRETERS_MAX 16u
#define FRAMES_MAX	 256u
#define TEXT_MAX	 256u
#define CODES		 512u
#define LINES_KEPT	 512u
#define LINES_MAX	 8192u /* bytes of a table of lines */

/* Byte offsets (the headers in Include/internal and Include/cpython of 3.11). */
enum {
	RUNTIME_INTERPRETERS = 40,
	INTERPRETER_NEXT = 0,
	INTERPRETER_THREADS = 16,
	THREAD_NEXT = 8,
	THREAD_CFRAME = 56,
	THREAD_ID = 152,
	CFRAME_FRAME = 8,
	FRAME_CODE = 32,
	FRAME_PREVIOUS = 48,
	FRAME_PREV_INSTR = 56,
	FRAME_IS_ENTRY = 68,
	FRAME_SIZE = 72,
	CODE_FIRST_LINE = 72,
	CODE_FILE = 112,
	CODE_QUALIFIED_NAME = 128,
	CODE_LINES = 136,
	CODE_BYTES = 184,
	BYTES_SIZE = 16,
	BYTES_DATA = 32,
	TEXT_LENGTH = 16,
	TEXT_STATE = 32,
	TEXT_ASCII_DATA = 48,
	TEXT_DATA = 72,
};
#define VERSION_3_11 0x030bu

static bool read_word(uint64_t address, uint64_t *ret)
{
	return memory_read(address, ret, sizeof(*ret));
}

/* ---- objects --------------------------------------------------------------------------------- */

static size_t put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | (c >> 18 & 7));
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* A str of the compact kind, as all names are; the end of a long one. */
static bool read_text(uint64_t object, char *ret, size_t size)
{
	unsigned char raw[TEXT_MAX * 4];
	uint64_t length, skip = 0;
	uint32_t state;
	unsigned kind;
	size_t used = 0;

	if (!read_word(object + TEXT_LENGTH, &length) ||
		!memory_read(object + TEXT_STATE, &state, sizeof(state)))
		return false;
	kind = state >> 2 & 7;
	if (!(state >> 5 & 1) || (kind != 1 && kind != 2 && kind != 4) || length > 1u << 20)
		return false;
	if (length > TEXT_MAX / 2) {
		skip = length - TEXT_MAX / 2;
		length = TEXT_MAX / 2;
	}
	if (!memory_read(object + (state >> 6 & 1 ? TEXT_ASCII_DATA : TEXT_DATA) + skip * kind, raw,
		    (size_t)length * kind))
		return false;
	for (size_t i = 0; i < length && used + 5 < size; i++) {
		uint32_t c = 0;

		memcpy(&c, raw + i * kind, kind);
		used += put_utf8(ret + used, c ? c : '?');
	}
	ret[used] = '\0';
	return used > 0;
}

/* Numbers in pieces of six bits, the lowest first (Objects/locations.md). */
static size_t skip_number(const unsigned char *at, size_t left, uint32_t *ret)
{
	unsigned shift = 0;
	size_t i = 0;

	*ret = 0;
	while (i < left) {
		*ret |= shift < 30 ? (uint32_t)(at[i] & 0x3f) << shift : 0;
		shift += 6;
		if (!(at[i++] & 0x40))
			break;
	}
	return i;
}

static int64_t line_change(const unsigned char *at, size_t left)
{
	unsigned code = at[0] >> 3 & 15;
	uint32_t number;

	if (code >= 10 && code <= 12)
		return code - 10;
	if (code != 13 && code != 14)
		return 0;
	(void)skip_number(at + 1, left - 1, &number);
	return number & 1 ? -(int64_t)(number >> 1) : (int64_t)(number >> 1);
}

/* The line of the instruction at the byte @offset of the code; 0: unknown. */
static uint32_t find_line(const unsigned char *bytes, size_t size, int32_t first, uint64_t offset)
{
	uint64_t end = 0;
	int64_t line = first;
	size_t at = 0;

	while (at < size) {
		line += line_change(bytes + at, size - at);
		end += ((bytes[at] & 7u) + 1) * 2;
		if (end > offset)
			return (bytes[at] >> 3 & 15) != 15 && line > 0 && line < UINT32_MAX
				       ? (uint32_t)line
				       : 0;
		/* Only the first byte of an entry has the highest bit. */
		do
			at++;
		while (at < size && !(bytes[at] & 0x80));
	}
	return 0;
}

static size_t read_lines(uint64_t table, unsigned char *bytes, size_t capacity)
{
	uint64_t size;

	if (!read_word(table + BYTES_SIZE, &size))
		return 0;
	size = min_of(size, (uint64_t)capacity);
	return memory_read(table + BYTES_DATA, bytes, (size_t)size) ? (size_t)size : 0;
}

/* What a code object points to. Each costs a question, so it is kept; an object whose pointers are
 * the same is taken for the same. */
static struct code {
	uint64_t space, address;
	struct code_head {
		int32_t first_line, unused;
		uint64_t between[4];
		uint64_t file, name, qualified_name, lines;
	} head;
	char file[TEXT_MAX], name[TEXT_MAX];
	size_t lines_size;
	unsigned char lines[LINES_KEPT]; /* the beginning of the table */
} codes[CODES];

_Static_assert(offsetof(struct code_head, file) == CODE_FILE - CODE_FIRST_LINE, "as in 3.11");
_Static_assert(offsetof(struct code_head, lines) == CODE_LINES - CODE_FIRST_LINE, "as in 3.11");

static struct code *code_of(uint64_t space, uint64_t address)
{
	struct code *code = &codes[((address >> 4 ^ space) * 0x9e3779b97f4a7c15u >> 32) % CODES];
	struct code_head head;

	if (!memory_read(address + CODE_FIRST_LINE, &head, sizeof(head)))
		return NULL;
	if (code->space == space && code->address == address &&
		memcmp(&code->head, &head, sizeof(head)) == 0)
		return code;
	code->space = space;
	code->address = address;
	code->head = head;
	if (!read_text(head.file, code->file, sizeof(code->file)))
		code->file[0] = '\0';
	if (!read_text(head.qualified_name, code->name, sizeof(code->name)))
		code->name[0] = '\0';
	code->lines_size = read_lines(head.lines, code->lines, sizeof(code->lines));
	return code;
}

static uint32_t line_of(const struct code *code, uint64_t offset)
{
	static unsigned char bytes[LINES_MAX];

	if (code->lines_size < sizeof(code->lines))
		return find_line(code->lines, code->lines_size, code->head.first_line, offset);
	return find_line(bytes, read_lines(code->head.lines, bytes, sizeof(bytes)),
		code->head.first_line, offset);
}

static void describe(struct record_frame *frame, struct stack *stack, uint64_t space,
	uint64_t address, uint64_t at)
{
	const struct code *code = code_of(space, address);

	frame->kind = RECORD_FRAME_PYTHON;
	if (!code)
		return;
	if (code->file[0])
		frame->module = stack_name(stack, code->file);
	if (code->name[0])
		frame->symbol = stack_name(stack, code->name);
	if (at >= address + CODE_BYTES)
		frame->line = line_of(code, at - address - CODE_BYTES);
}

/* ---- frames ---------------------------------------------------------------------------------- */

void python_frames(struct python *python, struct stack *stack)
{
	while (python->frame && python->left > 0) {
		unsigned char raw[FRAME_SIZE];
		struct record_frame *frame;
		uint64_t code, at;

		if (!memory_read(python->frame, raw, sizeof(raw)))
			break;
		frame = stack_add(stack);
		if (!frame)
			break;
		memcpy(&code, raw + FRAME_CODE, sizeof(code));
		memcpy(&at, raw + FRAME_PREV_INSTR, sizeof(at));
		memcpy(&python->frame, raw + FRAME_PREVIOUS, sizeof(python->frame));
		python->left--;
		describe(frame, stack, python->space, code, at);
		if (raw[FRAME_IS_ENTRY])
			return;
	}
	python->frame = 0;
}

static bool find_thread(uint64_t runtime, uint64_t fs_base, uint64_t *ret)
{
	uint64_t interpreter, thread, id;

	if (!read_word(runtime + RUNTIME_INTERPRETERS, &interpreter))
		return false;
	for (unsigned i = 0; interpreter && i < INTERPRETERS_MAX; i++) {
		if (!read_word(interpreter + INTERPRETER_THREADS, &thread))
			return false;
		for (unsigned j = 0; thread && j < THREADS_MAX; j++) {
			/* pthread_self() is where FS points. */
			if (!read_word(thread + THREAD_ID, &id))
				return false;
			*ret = thread;
			if (id == fs_base)
				return true;
			if (!read_word(thread + THREAD_NEXT, &thread))
				return false;
		}
		if (!read_word(interpreter + INTERPRETER_NEXT, &interpreter))
			return false;
	}
	return false;
}

bool python_begin(struct python *python, const struct place *place, const struct stack_begin *begin)
{
	const struct module *module = place->module;
	uint64_t thread, cframe;
	uint32_t version;

	if (!module->python_version ||
		!memory_read(place->bias + module->python_version, &version, sizeof(version)) ||
		version >> 16 != VERSION_3_11 ||
		!find_thread(place->bias + module->python_runtime, begin->fs_base, &thread) ||
		!read_word(thread + THREAD_CFRAME, &cframe) || !cframe ||
		!read_word(cframe + CFRAME_FRAME, &python->frame))
		return false;
	python->space = begin->space;
	python->left = FRAMES_MAX;
	return python->frame != 0;
}
