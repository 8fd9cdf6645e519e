/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The classic BPF of seccomp(2): a checker and an interpreter.
 *
 * A program that passed the check touches nothing but its accumulator, its index register, its 16
 * words and the call's data, jumps forward only, and ends in a return. The rules are those of
 * bpf_check_classic() and seccomp_check_filter() (kernel net/core/filter.c, kernel/seccomp.c).
 */
#include "sentry/bpf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define DATA_SIZE sizeof(struct lx_seccomp_data)

/* Is the instruction one of those that filters may have, and is its constant in range? */
static bool instruction_valid(const struct lx_sock_filter *insn, size_t at, size_t count)
{
	size_t behind = count - at - 1;

	switch (insn->code) {
	case LX_BPF_LD | LX_BPF_W | LX_BPF_ABS:
		return insn->k < DATA_SIZE && insn->k % 4 == 0;
	case LX_BPF_LD | LX_BPF_W | LX_BPF_LEN:
	case LX_BPF_LDX | LX_BPF_W | LX_BPF_LEN:
	case LX_BPF_LD | LX_BPF_IMM:
	case LX_BPF_LDX | LX_BPF_IMM:
	case LX_BPF_RET | LX_BPF_K:
	case LX_BPF_RET | LX_BPF_A:
	case LX_BPF_MISC | LX_BPF_TAX:
	case LX_BPF_MISC | LX_BPF_TXA:
	case LX_BPF_ALU | LX_BPF_NEG:
		return true;
	case LX_BPF_LD | LX_BPF_MEM:
	case LX_BPF_LDX | LX_BPF_MEM:
	case LX_BPF_ST:
	case LX_BPF_STX:
		return insn->k < LX_BPF_MEMWORDS;
	case LX_BPF_JMP | LX_BPF_JA:
		return insn->k < behind;
	default:
		break;
	}
	if ((insn->code & LX_BPF_CLASS_MASK) == LX_BPF_JMP) {
		unsigned op = insn->code & ~(unsigned)(LX_BPF_CLASS_MASK | LX_BPF_X);

		return op >= LX_BPF_JEQ && op <= LX_BPF_JSET && (op & 0xf) == 0 &&
		       insn->jt < behind && insn->jf < behind;
	}
	if ((insn->code & LX_BPF_CLASS_MASK) == LX_BPF_ALU) {
		unsigned op = insn->code & ~(unsigned)(LX_BPF_CLASS_MASK | LX_BPF_X);
		bool constant = !(insn->code & LX_BPF_X);

		if ((op > LX_BPF_RSH && op != LX_BPF_XOR) || (op & 0xf))
			return false;
		if (constant && op == LX_BPF_DIV)
			return insn->k != 0;
		if (constant && (op == LX_BPF_LSH || op == LX_BPF_RSH))
			return insn->k < 32;
		return true;
	}
	return false;
}

/* No word is read that was not written on every way there (check_load_and_stores()). */
static int check_words(const struct lx_sock_filter *program, size_t count)
{
	_cleanup_free_ uint16_t *masks = malloc(count * sizeof(*masks));
	uint16_t valid = 0;

	if (!masks)
		return -ENOMEM;
	memset(masks, 0xff, count * sizeof(*masks));
	for (size_t i = 0; i < count; i++) {
		const struct lx_sock_filter *insn = &program[i];

		valid &= masks[i];
		switch (insn->code) {
		case LX_BPF_ST:
		case LX_BPF_STX:
			valid |= (uint16_t)(1u << insn->k);
			break;
		case LX_BPF_LD | LX_BPF_MEM:
		case LX_BPF_LDX | LX_BPF_MEM:
			if (!(valid & (1u << insn->k)))
				return -EINVAL;
			break;
		case LX_BPF_JMP | LX_BPF_JA:
			masks[i + 1 + insn->k] &= valid;
			valid = UINT16_MAX;
			break;
		default:
			if ((insn->code & LX_BPF_CLASS_MASK) != LX_BPF_JMP)
				break;
			masks[i + 1 + insn->jt] &= valid;
			masks[i + 1 + insn->jf] &= valid;
			valid = UINT16_MAX;
			break;
		}
	}
	return 0;
}

int bpf_check(const struct lx_sock_filter *program, size_t count)
{
	if (count == 0 || count > LX_BPF_MAXINSNS)
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		if (!instruction_valid(&program[i], i, count))
			return -EINVAL;
	if ((program[count - 1].code & LX_BPF_CLASS_MASK) != LX_BPF_RET)
		return -EINVAL;
	return check_words(program, count);
}

bool bpf_alu(unsigned op, uint32_t *a, uint32_t b)
{
	switch (op) {
	case LX_BPF_ADD:
		*a += b;
		break;
	case LX_BPF_SUB:
		*a -= b;
		break;
	case LX_BPF_MUL:
		*a *= b;
		break;
	case LX_BPF_DIV:
	case LX_BPF_MOD:
		if (b == 0)
			return false;
		*a = op == LX_BPF_DIV ? *a / b : *a % b;
		break;
	case LX_BPF_OR:
		*a |= b;
		break;
	case LX_BPF_AND:
		*a &= b;
		break;
	case LX_BPF_XOR:
		*a ^= b;
		break;
	case LX_BPF_LSH:
		*a <<= b & 31;
		break;
	case LX_BPF_RSH:
		*a >>= b & 31;
		break;
	default: /* NEG */
		*a = -*a;
		break;
	}
	return true;
}

bool bpf_jump(unsigned op, uint32_t a, uint32_t b)
{
	switch (op) {
	case LX_BPF_JEQ:
		return a == b;
	case LX_BPF_JGT:
		return a > b;
	case LX_BPF_JGE:
		return a >= b;
	default: /* JSET */
		return a & b;
	}
}

uint32_t bpf_run(
	const struct lx_sock_filter *program, size_t count, const struct lx_seccomp_data *data)
{
	uint32_t a = 0, x = 0, words[LX_BPF_MEMWORDS] = {0};

	for (size_t i = 0; i < count; i++) {
		const struct lx_sock_filter *insn = &program[i];
		unsigned op = insn->code & 0xf0;
		uint32_t b = insn->code & LX_BPF_X ? x : insn->k;

		switch (insn->code & LX_BPF_CLASS_MASK) {
		case LX_BPF_LD:
		case LX_BPF_LDX: {
			uint32_t value;

			if ((insn->code & 0xe0) == LX_BPF_ABS)
				memcpy(&value, (const char *)data + insn->k, sizeof(value));
			else if ((insn->code & 0xe0) == LX_BPF_LEN)
				value = DATA_SIZE;
			else if ((insn->code & 0xe0) == LX_BPF_MEM)
				value = words[insn->k];
			else
				value = insn->k;
			if ((insn->code & LX_BPF_CLASS_MASK) == LX_BPF_LD)
				a = value;
			else
				x = value;
			break;
		}
		case LX_BPF_ST:
			words[insn->k] = a;
			break;
		case LX_BPF_STX:
			words[insn->k] = x;
			break;
		case LX_BPF_ALU:
			if (!bpf_alu(op, &a, b))
				return 0;
			break;
		case LX_BPF_JMP:
			if (op == LX_BPF_JA)
				i += insn->k;
			else
				i += bpf_jump(op, a, b) ? insn->jt : insn->jf;
			break;
		case LX_BPF_RET:
			return insn->code & LX_BPF_A ? a : insn->k;
		default:
			if (insn->code & LX_BPF_TXA)
				a = x;
			else
				x = a;
			break;
		}
	}
	return 0; /* not reached: a checked program returns */
}
