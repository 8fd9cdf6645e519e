/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a call site can be patched.
 *
 * Known for certain is one instruction boundary: the `syscall`, since it was executed. Where the
 * instruction before it begins must be proven. x86 code can be read from any byte on, but a reading
 * that begins at a wrong byte falls into step with the right one after a few instructions. So: the
 * right reading passes some boundary in every 15 bytes; therefore it is among those that begin in
 * the window, and every one that arrives at the `syscall` may be the right one. A boundary at i is
 * *proven* when all readings that begin at least PROOF_DISTANCE before it and arrive at the
 * `syscall` pass it, and there are PROOF_COUNT of them. `41 b8 imm32`, which is `b8 imm32` when
 * read one byte later, is told apart in this way; for the most frequent form, a move of a constant
 * into eax or an xor that clears it, the constant must also be the number that was called; and a
 * move of that number may be passed by one reading in STRAY_READINGS elsewhere.
 *
 * A site whose instruction has fewer than five bytes gets a short jump to a *hole*: five bytes of
 * padding that nobody executes. Padding is dead when it stands behind an instruction that does not
 * fall through and nothing jumps to it. Nobody jumps to padding that fills up to an alignment; but
 * a function may begin with a no-operation (room for a profiler's call), so what is used ends at
 * the first multiple of 16, where functions begin, and never begins there.
 */
#include "platform/systrap/site.h"

#include <string.h>

#include "platform/systrap/insn.h"

#define PROOF_DISTANCE 16u
#define PROOF_COUNT    8u
#define STRAY_READINGS 16u /* one in so many may be wrong when something else speaks for it */
#define FUNCTION_ALIGN 16u
#define LABEL_ALIGN    8u

struct reading {
	const struct site_window *window;
	size_t end; /* index of the `syscall` */
	/* Index of the next instruction's begin, for each begin; 0: none. */
	uint16_t next[SITE_WINDOW_SIZE];
	bool arrives[SITE_WINDOW_SIZE]; /* a reading that begins here comes to the `syscall` */
	bool misses[SITE_WINDOW_SIZE];	/* ... steps over it */
	/* Of the readings that arrive: those that pass here, and those that began up to here. */
	uint16_t passing[SITE_WINDOW_SIZE];
	uint16_t begun[SITE_WINDOW_SIZE];
};

static void read_all(struct reading *reading, const struct site_window *window, size_t end)
{
	memset(reading, 0, sizeof(*reading));
	reading->window = window;
	reading->end = end;
	reading->arrives[end] = true;
	for (size_t i = end; i-- > 0;) {
		struct insn insn;

		if (!insn_decode(window->bytes + i, window->size - i, &insn))
			continue;
		if (i + insn.size > end) {
			reading->misses[i] = true;
			continue;
		}
		reading->misses[i] = reading->misses[i + insn.size];
		reading->next[i] = (uint16_t)(i + insn.size);
		reading->arrives[i] = reading->arrives[i + insn.size];
	}
	for (size_t i = 0; i < end; i++) {
		reading->begun[i] =
			(uint16_t)((i ? reading->begun[i - 1] : 0) + reading->arrives[i]);
		if (!reading->arrives[i])
			continue;
		reading->passing[i]++;
		reading->passing[reading->next[i]] =
			(uint16_t)(reading->passing[reading->next[i]] + reading->passing[i]);
	}
}

/* Readings that begin at least PROOF_DISTANCE before @i and pass it. */
static unsigned passing_from_far(const struct reading *reading, size_t i)
{
	unsigned passing = reading->passing[i];

	for (size_t start = i - PROOF_DISTANCE + 1; start <= i; start++) {
		size_t at = start;

		while (at < i && reading->arrives[at])
			at = reading->next[at];
		passing -= at == i && reading->arrives[i];
	}
	return passing;
}

/* Of those that arrive: all that begin at least PROOF_DISTANCE before @i, and enough of them. */
static bool proven(const struct reading *reading, size_t i)
{
	unsigned passing = reading->passing[i];

	if (i < PROOF_DISTANCE || passing < PROOF_COUNT ||
		passing < reading->begun[i - PROOF_DISTANCE])
		return false;
	passing = passing_from_far(reading, i);
	return passing >= PROOF_COUNT && passing == reading->begun[i - PROOF_DISTANCE];
}

/*
 * A move of the very number that was called into eax, which all but a stray reading pass: then the
 * bytes before it would have to be code that no compiler makes (`00 b8 ca 00 00 00` is an addition
 * to memory at rax + 202) for it to be anything else.
 */
static bool proven_by_number(const struct reading *reading, size_t i, uint64_t nr)
{
	const uint8_t *code = reading->window->bytes + i;
	uint32_t value;

	if (i < PROOF_DISTANCE || code[0] != 0xb8 || !reading->arrives[i])
		return false;
	memcpy(&value, code + 1, sizeof(value));
	return value == (uint32_t)nr && value != 0 && reading->passing[i] >= PROOF_COUNT &&
	       passing_from_far(reading, i) * STRAY_READINGS >=
		       reading->begun[i - PROOF_DISTANCE] * (STRAY_READINGS - 1);
}

/*
 * The bytes before the `syscall` are a move of the number that was called into eax, and the
 * instruction that ends there is said to begin at @begin: not with that move, nor with a prefix of
 * it. So what stands before is no code (a function that was overwritten leaves such bytes behind
 * its new end), and the proof is worth nothing.
 */
static bool contradicts_number(const struct reading *reading, size_t begin, uint64_t nr)
{
	const uint8_t *code = reading->window->bytes;
	const size_t end = reading->end;
	uint32_t value;

	if (end < SITE_JUMP_SIZE || code[end - SITE_JUMP_SIZE] != 0xb8)
		return false;
	memcpy(&value, code + end - 4, sizeof(value));
	return value == (uint32_t)nr && begin != end - SITE_JUMP_SIZE &&
	       !(begin == end - SITE_JUMP_SIZE - 1 && (code[begin] & 0xf0) == 0x40);
}

/* The instruction that ends at the `syscall`. */
static bool find_before(
	const struct reading *reading, const uint64_t *nr, size_t *ret_begin, struct insn *ret_insn)
{
	for (size_t i = reading->end; i-- > 0 && reading->end - i <= INSN_SIZE_MAX;) {
		if (reading->next[i] != reading->end ||
			!(proven(reading, i) || (nr && proven_by_number(reading, i, *nr))))
			continue;
		if (nr && contradicts_number(reading, i, *nr))
			return false;
		*ret_begin = i;
		return insn_decode(reading->window->bytes + i, reading->end - i, ret_insn);
	}
	return false;
}

/* What the instruction leaves in eax, when that is a constant. */
static bool constant_eax(const uint8_t *code, const struct insn *insn, uint32_t *ret_value)
{
	const uint8_t *immediate = code + insn->size - 4;

	if (insn->map != 0 || (insn->rex & 1))
		return false;
	if ((insn->opcode == 0x31 || insn->opcode == 0x33) && insn->modrm == 0xc0 && !insn->rex) {
		*ret_value = 0;
		return true;
	}
	if ((insn->opcode == 0xb8 && insn->size <= 6) ||
		(insn->opcode == 0xc7 && insn->modrm == 0xc0)) {
		memcpy(ret_value, immediate, sizeof(*ret_value));
		return !insn->operand16;
	}
	return false;
}

/* ---- holes ---- */

static bool in_reach(size_t hole, size_t begin)
{
	ptrdiff_t distance = (ptrdiff_t)hole - (ptrdiff_t)(begin + SITE_SHORT_SIZE);

	return distance >= INT8_MIN && distance <= INT8_MAX;
}

static bool is_free(const struct site_window *window, size_t at)
{
	for (size_t i = at; i < at + SITE_JUMP_SIZE; i++) {
		if (window->taken[i])
			return false;
	}
	return true;
}

/* The padding that begins at @at, behind the end of flow: a hole in it for a jump from @begin. */
static bool hole_in_padding(
	const struct site_window *window, size_t at, size_t begin, size_t *ret_hole)
{
	uint64_t start = window->addr + at;
	size_t end = at, usable;
	struct insn insn;

	while (end < window->size && insn_decode(window->bytes + end, window->size - end, &insn) &&
		insn_is_padding(&insn))
		end += insn.size;
	if (start % FUNCTION_ALIGN == 0)
		return false;
	usable = at + (size_t)(FUNCTION_ALIGN - start % FUNCTION_ALIGN);
	if (end < usable) {
		/* It must fill up to something, and that must be in view. */
		if ((window->addr + end) % LABEL_ALIGN != 0 || end + INSN_SIZE_MAX > window->size)
			return false;
		usable = end;
	}
	for (size_t hole = at; hole + SITE_JUMP_SIZE <= usable; hole++) {
		if (in_reach(hole, begin) && is_free(window, hole)) {
			*ret_hole = hole;
			return true;
		}
	}
	return false;
}

/* First behind the call, where the reading is certain from the start; then before it. */
static bool find_hole(const struct reading *reading, size_t begin, size_t *ret_hole)
{
	const struct site_window *window = reading->window;
	struct insn insn;

	for (size_t i = reading->end + 2; i < window->size; i += insn.size) {
		if (!insn_decode(window->bytes + i, window->size - i, &insn))
			break;
		if (insn_ends_flow(&insn) &&
			hole_in_padding(window, i + insn.size, begin, ret_hole))
			return true;
	}
	for (size_t i = 0; i < begin; i++) {
		if (reading->next[i] == 0 || !proven(reading, i) ||
			!proven(reading, reading->next[i]) ||
			!insn_decode(window->bytes + i, window->size - i, &insn))
			continue;
		if (insn_ends_flow(&insn) &&
			hole_in_padding(window, i + insn.size, begin, ret_hole))
			return true;
	}
	return false;
}

/* What can be done about the call at reading->end. @nr: the number that was called; NULL: it was
 * not seen, and says nothing. */
static enum site_verdict judge_call(
	const struct reading *reading, const uint64_t *nr, struct site_form *ret_form)
{
	const struct site_window *window = reading->window;
	size_t begin, hole;
	struct insn insn;
	uint32_t value;

	if (!find_before(reading, nr, &begin, &insn))
		return SITE_AMBIGUOUS;
	if (!insn_is_movable(&insn) || insn.size < SITE_SHORT_SIZE)
		return SITE_FIXED;
	for (size_t i = begin; i < reading->end; i++) {
		if (window->taken[i])
			return SITE_PATCHED_BEFORE;
	}
	if (nr && constant_eax(window->bytes + begin, &insn, &value) && value != (uint32_t)*nr)
		return SITE_AMBIGUOUS;
	*ret_form = (struct site_form){.site = window->addr + begin, .size = insn.size};
	if (insn.size >= SITE_JUMP_SIZE)
		return SITE_OK;
	if (!find_hole(reading, begin, &hole))
		return SITE_NO_HOLE;
	ret_form->hole = window->addr + hole;
	return SITE_OK;
}

static bool is_syscall(const struct site_window *window, size_t at)
{
	return window->size >= 2 && at <= window->size - 2 && window->bytes[at] == 0x0f &&
	       window->bytes[at + 1] == 0x05;
}

enum site_verdict site_judge(
	const struct site_window *window, uint64_t next, uint64_t nr, struct site_form *ret_form)
{
	struct reading reading;

	if (window->size > SITE_WINDOW_SIZE || next < window->addr + 2 ||
		next - window->addr > window->size ||
		!is_syscall(window, (size_t)(next - window->addr) - 2))
		return SITE_NO_SYSCALL;
	read_all(&reading, window, (size_t)(next - window->addr) - 2);
	return judge_call(&reading, &nr, ret_form);
}

/*
 * All readings from far enough before pass the `cpuid` or `syscall`, and none steps over it: then
 * it is no part of another instruction.
 */
static bool is_instruction(const struct reading *reading)
{
	unsigned arriving = 0;

	for (size_t i = 0; i + PROOF_DISTANCE <= reading->end; i++) {
		if (reading->misses[i])
			return false;
		arriving += reading->arrives[i];
	}
	return arriving >= PROOF_COUNT;
}

enum site_verdict site_judge_unseen(
	const struct site_window *window, size_t at, struct site_form *ret_form)
{
	struct reading reading;

	if (window->size > SITE_WINDOW_SIZE || !is_syscall(window, at))
		return SITE_NO_SYSCALL;
	read_all(&reading, window, at);
	return is_instruction(&reading) ? judge_call(&reading, NULL, ret_form) : SITE_AMBIGUOUS;
}

static bool is_taken(const struct site_window *window, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) {
		if (window->taken[i])
			return true;
	}
	return false;
}

/*
 * The last instruction before the `cpuid` that has room for a jump, when all from there on can be
 * moved. Those behind it stay where they are, for whoever jumps to one of them. Padding in front of
 * a loop is no use: only the first round passes it.
 */
static bool find_run(const struct reading *reading, struct site_cpuid *form)
{
	const size_t end = reading->end;
	const size_t first = end > SITE_RUN_MAX ? end - SITE_RUN_MAX : 0;
	struct insn insn;
	bool found = false;
	size_t i = first;

	while (i < end && !(reading->next[i] && proven(reading, i)))
		i++;
	for (; i < end; i = reading->next[i]) {
		if (!proven(reading, i) ||
			!insn_decode(reading->window->bytes + i, end - i, &insn) ||
			!insn_is_movable(&insn)) {
			if (!reading->next[i])
				return false;
			found = false;
			continue;
		}
		if (insn.size < SITE_JUMP_SIZE || insn_is_padding(&insn) ||
			is_taken(reading->window, i, end))
			continue;
		*form = (struct site_cpuid){
			.site = reading->window->addr + i,
			.size = insn.size,
			.run = (uint8_t)(end - i),
		};
		found = true;
	}
	return found && i == end;
}

/* Directly before the `cpuid`: that is passed each time. */
static bool find_short(const struct reading *reading, struct site_cpuid *form)
{
	struct insn insn;
	size_t begin, hole;

	if (!find_before(reading, NULL, &begin, &insn) || !insn_is_movable(&insn) ||
		insn.size < SITE_SHORT_SIZE || insn_is_padding(&insn) ||
		is_taken(reading->window, begin, reading->end) || !find_hole(reading, begin, &hole))
		return false;
	*form = (struct site_cpuid){
		.site = reading->window->addr + begin,
		.size = insn.size,
		.run = insn.size,
		.hole = reading->window->addr + hole,
	};
	return true;
}

bool site_judge_cpuid(const struct site_window *window, size_t at, struct site_cpuid *ret_form)
{
	struct site_cpuid far;
	struct reading reading;
	bool found;

	if (window->size > SITE_WINDOW_SIZE || window->size < 2 || at > window->size - 2 ||
		window->bytes[at] != 0x0f || window->bytes[at + 1] != 0xa2)
		return false;
	read_all(&reading, window, at);
	if (!is_instruction(&reading))
		return false;
	found = find_run(&reading, &far);
	/* Loops begin somewhere in between, but not behind the move that says which leaf. */
	if (found && (far.size == far.run || window->bytes[far.site - window->addr] == 0xb8)) {
		*ret_form = far;
		return true;
	}
	if (find_short(&reading, ret_form))
		return true;
	if (found)
		*ret_form = far;
	return found;
}

const char *site_verdict_name(enum site_verdict verdict)
{
	static const char *const names[SITE_VERDICTS] = {
		[SITE_OK] = "patched",
		[SITE_NO_SYSCALL] = "no syscall instruction",
		[SITE_AMBIGUOUS] = "boundary not certain",
		[SITE_FIXED] = "instruction cannot be moved",
		[SITE_NO_HOLE] = "no padding within reach",
		[SITE_PATCHED_BEFORE] = "patched before",
	};

	return verdict < SITE_VERDICTS ? names[verdict] : "?";
}
