/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decoder of instruction lengths for x86-64 code that is somebody else's.
 *
 * The tables are generated from capstone (insn_gen.c), and the tests compare the two. It refuses
 * more than a processor does: a prefix in an unusual place, opcodes that two makers read
 * differently, EVEX. Whoever asks takes a refusal as "unknown", never as "harmless".
 */
#include "platform/systrap/insn.h"

#include "platform/systrap/insn_table_format.h"

#include "platform/systrap/insn_table.h"

/* Reads on, never behind the end. */
struct reader {
	const uint8_t *code;
	size_t size, at;
};

static bool next(struct reader *reader, uint8_t *ret_byte)
{
	if (reader->at >= reader->size || reader->at >= INSN_SIZE_MAX)
		return false;
	*ret_byte = reader->code[reader->at++];
	return true;
}

/* Legacy prefixes, then REX; leaves the byte behind them in *ret_byte. */
static bool read_prefixes(struct reader *reader, struct insn *insn, unsigned *class, uint8_t *byte)
{
	unsigned repeat = 0;

	for (;;) {
		if (!next(reader, byte))
			return false;
		switch (*byte) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
			continue;
		case 0x66:
			insn->operand16 = true;
			continue;
		case 0x67:
			insn->address32 = true;
			continue;
		case 0xf0:
			insn->lock = true;
			continue;
		case 0xf3:
			repeat = 1;
			continue;
		case 0xf2:
			repeat = 2;
			continue;
		default:
			break;
		}
		break;
	}
	insn->rep = repeat != 0;
	*class = (insn->operand16 ? INSN_CLASS_66 : 0) + repeat * INSN_CLASS_REP;
	if ((*byte & 0xf0) == 0x40) {
		insn->rex = *byte;
		if (*byte & 8)
			*class |= INSN_CLASS_W;
		if (!next(reader, byte))
			return false;
	}
	return true;
}

/* c5 and c4: always VEX in 64-bit mode, and not with the older prefixes. */
static const uint8_t *read_vex(struct reader *reader, struct insn *insn, uint8_t first)
{
	uint8_t second, third, map = 1;

	if (insn->rex || insn->rep || insn->operand16 || insn->lock || !next(reader, &second))
		return NULL;
	third = second & 0x7f;
	if (first == 0xc4) {
		map = second & 0x1f;
		if (!next(reader, &third))
			return NULL;
	}
	if (map < 1 || map > 3 || !next(reader, &insn->opcode))
		return NULL;
	insn->vex = true;
	insn->map = map;
	return insn_rows[insn_vex[map - 1][(third & 7u) | (third & 0x80 ? INSN_VEX_W : 0)]
				 [insn->opcode]];
}

static const uint8_t *read_opcode(struct reader *reader, struct insn *insn)
{
	unsigned class = 0;
	uint8_t byte;

	if (!read_prefixes(reader, insn, &class, &byte))
		return NULL;
	if (byte == 0xc4 || byte == 0xc5)
		return read_vex(reader, insn, byte);
	if (byte == 0x0f) {
		insn->map = 1;
		if (!next(reader, &byte))
			return NULL;
		if (byte == 0x38 || byte == 0x3a) {
			insn->map = byte == 0x38 ? 2 : 3;
			if (!next(reader, &byte))
				return NULL;
		}
	}
	insn->opcode = byte;
	return insn_rows[insn_legacy[insn->map][class][byte]];
}

/* SIB byte and displacement of a memory operand. */
static bool read_address(struct reader *reader, uint8_t modrm, size_t *ret_displacement)
{
	unsigned mod = modrm >> 6, rm = modrm & 7;
	uint8_t sib = 0;

	*ret_displacement = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	if (rm == 4 && !next(reader, &sib))
		return false;
	if (mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5)))
		*ret_displacement = 4;
	return true;
}

bool insn_decode(const uint8_t *code, size_t size, struct insn *ret_insn)
{
	struct reader reader = {code, size, 0};
	struct insn insn = {0};
	size_t displacement = 0, total;
	const uint8_t *row;
	uint8_t entry;

	row = read_opcode(&reader, &insn);
	if (!row)
		return false;
	entry = row[0];
	/* Whether there is a ModRM byte is the same for a whole row, where it is valid at all. */
	for (unsigned i = 1; i < INSN_ROW_SIZE && !(entry & INSN_VALID); i++)
		entry = row[i];
	if (!(entry & INSN_VALID))
		return false;
	/* Without an address there is little that an address size could mean: an offset of 32 or 64
	 * bits, say. */
	if (!(entry & INSN_MODRM) && insn.address32)
		return false;
	if (entry & INSN_MODRM) {
		uint8_t modrm;

		if (!next(&reader, &modrm))
			return false;
		insn.has_modrm = true;
		insn.modrm = modrm;
		entry = row[(modrm >> 3 & 7) + (modrm >> 6 == 3 ? 8 : 0)];
		if (!(entry & INSN_VALID) ||
			(modrm >> 6 != 3 && !read_address(&reader, modrm, &displacement)))
			return false;
	}
	total = reader.at + displacement + (entry & INSN_IMMEDIATE_MASK);
	if (total > size || total > INSN_SIZE_MAX)
		return false;
	insn.size = (uint8_t)total;
	*ret_insn = insn;
	return true;
}

/* ---- judgements ---- */

/* Opcodes of the one-byte map that compute from registers, memory and immediates into registers and
 * memory. */
static bool plain_opcode(const struct insn *insn)
{
	unsigned reg = insn->modrm >> 3 & 7;

	if (insn->opcode < 0x40)
		return (insn->opcode & 7) < 6; /* add .. cmp */
	switch (insn->opcode) {
	case 0x63: /* movsxd */
	case 0x69: /* imul */
	case 0x6b:
	case 0x80: /* add .. cmp with an immediate */
	case 0x81:
	case 0x83:
	case 0x84: /* test */
	case 0x85:
	case 0x88: /* mov */
	case 0x89:
	case 0x8a:
	case 0x8b:
	case 0x8d: /* lea */
	case 0x90: /* nop */
	case 0x98: /* cdqe */
	case 0x99: /* cqo */
	case 0xa8: /* test */
	case 0xa9:
	case 0xc0: /* shifts */
	case 0xc1:
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return true;
	case 0xc6: /* mov */
	case 0xc7:
		return reg == 0;
	case 0xf6: /* test, not, neg */
	case 0xf7:
		return reg <= 3;
	case 0xfe: /* inc, dec */
	case 0xff:
		return reg <= 1;
	default:
		return insn->opcode >= 0xb0 && insn->opcode <= 0xbf; /* mov */
	}
}

static bool plain_opcode_0f(const struct insn *insn)
{
	switch (insn->opcode) {
	case 0x1f: /* nop */
	case 0xaf: /* imul */
	case 0xb6: /* movzx, movsx */
	case 0xb7:
	case 0xbe:
	case 0xbf:
		return true;
	default:
		/* cmov, setcc */
		return (insn->opcode & 0xf0) == 0x40 || (insn->opcode & 0xf0) == 0x90;
	}
}

/* The reg field extends the opcode, in the groups among plain_opcode()'s. */
static bool reg_is_opcode(const struct insn *insn)
{
	if (insn->map != 0)
		return false;
	return (insn->opcode >= 0x80 && insn->opcode <= 0x83) || insn->opcode >= 0xc0;
}

bool insn_is_movable(const struct insn *insn)
{
	if (insn->vex || insn->lock || insn->rep || insn->address32 || insn->map > 1)
		return false;
	if (insn->map == 0 ? !plain_opcode(insn) : !plain_opcode_0f(insn))
		return false;
	if (!insn->has_modrm) /* mov $imm, %esp */
		return insn->opcode != 0xbc || (insn->rex & 1);
	if (insn->modrm >> 6 == 0 && (insn->modrm & 7) == 5)
		return false; /* relative to rip */
	/* The stack pointer as an operand; as an address it may stand. */
	if ((insn->modrm >> 3 & 7) == 4 && !(insn->rex & 4) && !reg_is_opcode(insn))
		return false;
	return insn->modrm >> 6 != 3 || (insn->modrm & 7) != 4 || (insn->rex & 1);
}

bool insn_ends_flow(const struct insn *insn)
{
	if (insn->map != 0 || insn->vex)
		return false;
	switch (insn->opcode) {
	case 0xc2:
	case 0xc3:
	case 0xe9:
	case 0xeb:
		return true;
	case 0xff: /* jmp *; not through a segment register */
		return (insn->modrm >> 3 & 7) == 4;
	default:
		return false;
	}
}

bool insn_is_padding(const struct insn *insn)
{
	if (insn->vex || insn->lock)
		return false;
	if (insn->map == 0)
		return insn->opcode == 0xcc ||
		       (insn->opcode == 0x90 && !insn->rep && !(insn->rex & 1));
	return insn->map == 1 && insn->opcode == 0x1f && !insn->rep && (insn->modrm >> 3 & 7) == 0;
}
