/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_INSN_H
#define SENTRY_SYSTRAP_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Instruction lengths, and what patching a call site needs to know beyond them. */

#define INSN_SIZE_MAX 15u

struct insn {
	uint8_t size;
	uint8_t map; /* 0: one-byte opcodes, 1: 0f, 2: 0f 38, 3: 0f 3a */
	bool vex, has_modrm;
	bool operand16, address32, lock, rep; /* prefixes; rep: f2 or f3 */
	uint8_t rex;			      /* 0: none */
	uint8_t opcode, modrm;
};

/*
 * The instruction at @code, of which @size bytes may be read. False when there is none, it goes on
 * behind them, or it is one that the tables do not know (EVEX and XOP among them).
 */
bool insn_decode(const uint8_t *code, size_t size, struct insn *ret_insn);

/*
 * Whether the instruction does the same at another address: no branch, no use of rip, nothing that
 * traps into the kernel, writes the stack pointer or is restarted in the middle. By a list of what
 * is, not of what is not.
 */
bool insn_is_movable(const struct insn *insn);

/* Code behind it is reached by jumps only: ret, jmp. */
bool insn_ends_flow(const struct insn *insn);

/* Does nothing, as compilers fill gaps with it: nop, long nop, int3. */
bool insn_is_padding(const struct insn *insn);

#endif
