/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Build-time generator of insn_table.h: how long each x86-64 instruction is, as capstone says, so
 * that the Sentry needs no disassembler.
 *
 * For each opcode of each map under each set of prefixes that can matter, the bytes are shown to
 * capstone with different ModRM bytes behind them. What the ModRM byte adds to the length tells
 * whether there is one; the rest is the immediate. A row holds sixteen answers, for memory and
 * register forms of each value of the reg field, since some opcodes are groups. Equal rows are kept
 * once.
 */
#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/systrap/insn_table_format.h"

static csh capstone;
static unsigned char rows[256][INSN_ROW_SIZE];
static unsigned row_count;

struct probe {
	unsigned char bytes[32];
	unsigned size; /* up to and including the opcode */
};

static void put(struct probe *probe, unsigned byte)
{
	probe->bytes[probe->size++] = (unsigned char)byte;
}

/* Length with @modrm behind the opcode and zeros behind that; 0: no such instruction. */
static unsigned length(const struct probe *probe, unsigned modrm)
{
	unsigned char bytes[32] = {0};
	unsigned size;
	cs_insn *insn;

	memcpy(bytes, probe->bytes, probe->size);
	bytes[probe->size] = (unsigned char)modrm;
	if (cs_disasm(capstone, bytes, sizeof(bytes), 0x1000, 1, &insn) != 1)
		return 0;
	size = insn->size;
	cs_free(insn, 1);
	return size;
}

/* Register forms exist for some values of rm only, in a few groups. */
static unsigned register_length(const struct probe *probe, unsigned reg)
{
	for (unsigned rm = 0; rm < 8; rm++) {
		unsigned size = length(probe, 0xc0 | reg << 3 | rm);

		if (size)
			return size;
	}
	return 0;
}

static unsigned entry(unsigned size, unsigned base, bool modrm)
{
	unsigned immediate = size - base - modrm;

	if (size == 0 || size < base + modrm || immediate > INSN_IMMEDIATE_MASK)
		return 0;
	return INSN_VALID | (modrm ? INSN_MODRM : 0) | immediate;
}

static void make_row(const struct probe *probe, unsigned char row[INSN_ROW_SIZE])
{
	unsigned first = length(probe, 0), base = probe->size;
	bool same = first != 0;

	for (unsigned modrm = 0; modrm < 256 && same; modrm++)
		same = length(probe, modrm) == first;
	for (unsigned reg = 0; reg < 8; reg++) {
		unsigned near = length(probe, reg << 3), far = length(probe, 0x80 | reg << 3);

		if (same) {
			row[reg] = row[reg + 8] = (unsigned char)entry(first, base, false);
			continue;
		}
		row[reg] = (unsigned char)(near && far == near + 4 ? entry(near, base, true) : 0);
		row[reg + 8] = (unsigned char)entry(register_length(probe, reg), base, true);
	}
}

static bool is_branch(unsigned map, unsigned opcode)
{
	if (map == 1)
		return (opcode & 0xf0) == 0x80;
	return map == 0 && ((opcode & 0xf0) == 0x70 || (opcode >= 0xe0 && opcode <= 0xe3) ||
				   opcode == 0xe8 || opcode == 0xe9 || opcode == 0xeb);
}

static bool is_string(unsigned opcode)
{
	return (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) ||
	       (opcode >= 0xaa && opcode <= 0xaf);
}

static bool is_prefix(unsigned opcode)
{
	switch (opcode) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66:
	case 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
	case 0x0f: /* another map */
	case 0x62: /* EVEX: unknown to the decoder */
	case 0xc4:
	case 0xc5:
		return true;
	default:
		return opcode >= 0x40 && opcode <= 0x4f;
	}
}

/* What capstone does not know or reads as one maker's processors do. */
static bool override(
	unsigned map, unsigned class, unsigned opcode, unsigned char row[INSN_ROW_SIZE])
{
	bool operand16 = (class & INSN_CLASS_66) && !(class & INSN_CLASS_W);

	if (map == 0 && is_prefix(opcode)) {
		memset(row, 0, INSN_ROW_SIZE);
		return true;
	}
	/* With an operand size prefix, AMD's displacement is 16 bits and Intel's 32. */
	if (operand16 && is_branch(map, opcode)) {
		memset(row, 0, INSN_ROW_SIZE);
		return true;
	}
	/* Capstone's answer depends on the order of these two; only string instructions take both.
	 */
	if (map == 0 && (class & INSN_CLASS_66) && class >= INSN_CLASS_REP && !is_string(opcode)) {
		memset(row, 0, INSN_ROW_SIZE);
		return true;
	}
	/* Hints: no operation whatever follows, or something new that looks alike. */
	if (map == 1 && (opcode == 0x0d || (opcode >= 0x18 && opcode <= 0x1f))) {
		memset(row, INSN_VALID | INSN_MODRM, INSN_ROW_SIZE);
		return true;
	}
	return false;
}

static unsigned intern(const unsigned char row[INSN_ROW_SIZE])
{
	for (unsigned i = 0; i < row_count; i++) {
		if (memcmp(rows[i], row, INSN_ROW_SIZE) == 0)
			return i;
	}
	if (row_count == 256) {
		fprintf(stderr, "insn_gen: more than 256 different rows\n");
		exit(1);
	}
	memcpy(rows[row_count], row, INSN_ROW_SIZE);
	return row_count++;
}

static unsigned legacy_row(unsigned map, unsigned class, unsigned opcode)
{
	unsigned char row[INSN_ROW_SIZE];
	struct probe probe = {.size = 0};

	if (class & INSN_CLASS_66)
		put(&probe, 0x66);
	if (class / INSN_CLASS_REP == 1)
		put(&probe, 0xf3);
	if (class / INSN_CLASS_REP == 2)
		put(&probe, 0xf2);
	if (class & INSN_CLASS_W)
		put(&probe, 0x48);
	if (map > 0)
		put(&probe, 0x0f);
	if (map > 1)
		put(&probe, map == 2 ? 0x38 : 0x3a);
	put(&probe, opcode);
	if (!override(map, class, opcode, row))
		make_row(&probe, row);
	return intern(row);
}

static unsigned vex_row(unsigned map, unsigned class, unsigned opcode)
{
	unsigned char row[INSN_ROW_SIZE];
	struct probe probe = {.size = 0};

	put(&probe, 0xc4);
	put(&probe, 0xe0 | (map + 1));
	put(&probe, (class & INSN_VEX_W ? 0x80 : 0) | 0x78 | (class & INSN_VEX_L ? 4 : 0) |
			    (class & INSN_VEX_PP));
	put(&probe, opcode);
	make_row(&probe, row);
	return intern(row);
}

static void print_index(FILE *file, const char *name, unsigned maps, unsigned classes,
	unsigned (*row)(unsigned map, unsigned class, unsigned opcode))
{
	fprintf(file, "static const uint8_t %s[%u][%u][256] = {\n", name, maps, classes);
	for (unsigned map = 0; map < maps; map++) {
		fprintf(file, "\t{\n");
		for (unsigned class = 0; class < classes; class ++) {
			fprintf(file, "\t\t{");
			for (unsigned opcode = 0; opcode < 256; opcode++)
				fprintf(file, "%u,%s", row(map, class, opcode),
					opcode % 32 == 31 ? "\n\t\t" : " ");
			fprintf(file, "},\n");
		}
		fprintf(file, "\t},\n");
	}
	fprintf(file, "};\n");
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "we") : NULL;

	if (!file || cs_open(CS_ARCH_X86, CS_MODE_64, &capstone) != CS_ERR_OK) {
		fprintf(stderr, "insn_gen: cannot open the output or capstone\n");
		return 1;
	}
	fprintf(file, "/* Generated by insn_gen. Do not edit. */\n");
	print_index(file, "insn_legacy", INSN_LEGACY_MAPS, INSN_LEGACY_CLASSES, legacy_row);
	print_index(file, "insn_vex", INSN_VEX_MAPS, INSN_VEX_CLASSES, vex_row);
	fprintf(file, "static const uint8_t insn_rows[%u][%u] = {\n", row_count, INSN_ROW_SIZE);
	for (unsigned i = 0; i < row_count; i++) {
		fprintf(file, "\t{");
		for (unsigned j = 0; j < INSN_ROW_SIZE; j++)
			fprintf(file, "%u, ", rows[i][j]);
		fprintf(file, "},\n");
	}
	fprintf(file, "};\n");
	cs_close(&capstone);
	return fclose(file) == 0 ? 0 : 1;
}
