/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the instruction that faulted write to memory?
 *
 * The hardware says so in bit 1 of the page fault's error code, which programs find in their signal
 * frame (sigcontext.err); ptrace does not show it. So the opcode is looked up: Intel SDM volume 2,
 * appendix A. Only the classes that store are listed; an unknown instruction counts as a read. The
 * bytes are the guest's and may have changed since the fault: the answer is a description for the
 * guest itself, nothing else is decided by it.
 */
#include "platform/ptrace/store.h"

#define PREFIX_REPNE 0x01u
#define PREFIX_REP   0x02u
#define PREFIX_OSIZE 0x04u

struct decoder {
	const uint8_t *code;
	size_t size, at;
	unsigned prefixes;
};

/* 0 behind the end: no listed opcode is reached by it with a ModRM that stores. */
static uint8_t next(struct decoder *d)
{
	return d->at < d->size ? d->code[d->at++] : 0;
}

static unsigned modrm_reg(uint8_t modrm)
{
	return modrm >> 3 & 7;
}

/* mod 3 is a register operand: such an instruction stores nothing. */
static bool modrm_memory(uint8_t modrm)
{
	return modrm >> 6 != 3;
}

/* Is bit @reg set in @mask, for groups where the ModRM reg field selects the instruction? */
static bool group(uint8_t modrm, unsigned mask)
{
	return modrm_memory(modrm) && (mask >> modrm_reg(modrm) & 1);
}

/* push, call, enter: they store below the stack pointer. */
static bool stack_store(uint64_t addr, uint64_t rsp)
{
	return addr < rsp && rsp - addr <= 64 * 1024;
}

static bool x87_stores(uint8_t opcode, uint8_t modrm)
{
	static const uint8_t masks[8] = {
		0x00, /* d8 */
		0xcc, /* d9: fst, fstp m32, fnstenv, fnstcw */
		0x00, /* da */
		0x8e, /* db: fisttp, fist, fistp m32, fstp m80 */
		0x00, /* dc */
		0xce, /* dd: fisttp, fst, fstp m64, fnsave, fnstsw */
		0x00, /* de */
		0xce, /* df: fisttp, fist, fistp m16, fbstp, fistp m64 */
	};

	return group(modrm, masks[opcode - 0xd8]);
}

/* Two-byte opcodes, 0f xx; also VEX and EVEX map 1. */
static bool map1_stores(struct decoder *d, uint8_t opcode)
{
	uint8_t modrm = d->at < d->size ? d->code[d->at] : 0xff;

	switch (opcode) {
	case 0x11: /* movups & co. */
	case 0x13:
	case 0x17:
	case 0x29:
	case 0x2b:
	case 0x7f:
	case 0xb0 ... 0xb1: /* cmpxchg */
	case 0xc0 ... 0xc1: /* xadd */
	case 0xc3:	    /* movnti */
	case 0xd6:
	case 0xe7:	    /* movntdq */
	case 0x90 ... 0x9f: /* setcc */
	case 0xa4 ... 0xa5: /* shld */
	case 0xac ... 0xad: /* shrd */
	case 0xab:	    /* bts */
	case 0xb3:	    /* btr */
	case 0xbb:	    /* btc */
		return modrm_memory(modrm);
	case 0xf7: /* maskmovdqu: to rdi, its operands are registers */
		return true;
	case 0x7e: /* movd to memory; with rep it is movq from memory */
		return modrm_memory(modrm) && !(d->prefixes & PREFIX_REP);
	case 0xba: /* bts, btr, btc by constant */
		return group(modrm, 0xe0);
	case 0xae: /* fxsave, stmxcsr, xsave, xsaveopt */
		return group(modrm, 0x59);
	case 0xc7: /* cmpxchg8b, xsavec, xsaves */
		return group(modrm, 0x32);
	default:
		return false;
	}
}

/* 0f 38 xx and VEX map 2. */
static bool map2_stores(struct decoder *d, uint8_t opcode, bool is_vex, bool is_evex)
{
	if (opcode == 0xf0 || (opcode == 0xf1 && !is_vex))
		return opcode == 0xf1 &&
		       !(d->prefixes & PREFIX_REPNE); /* movbe; crc32 with repne */
	if (is_evex)
		return opcode == 0x63 || opcode == 0x8a || opcode == 0x8b || /* compress */
		       (opcode >= 0xa0 && opcode <= 0xa3) ||		     /* scatter */
		       ((d->prefixes & PREFIX_REP) && ((opcode & 0xf0) - 0x10u <= 0x20u) &&
			       (opcode & 0x0f) <= 5);			       /* vpmov down */
	return is_vex && (opcode == 0x2e || opcode == 0x2f || opcode == 0x8e); /* vmaskmov */
}

/* 0f 3a xx and VEX map 3: extracts, vcvtps2ph. */
static bool map3_stores(uint8_t opcode)
{
	switch (opcode) {
	case 0x14 ... 0x17:
	case 0x19:
	case 0x1b:
	case 0x1d:
	case 0x39:
	case 0x3b:
		return true;
	default:
		return false;
	}
}

static bool extended_stores(struct decoder *d)
{
	uint8_t opcode = next(d);

	if (opcode == 0x38)
		return map2_stores(d, next(d), false, false);
	if (opcode == 0x3a)
		return map3_stores(next(d));
	return map1_stores(d, opcode);
}

/* The pp field of VEX and EVEX stands for a legacy prefix. */
static void vex_prefix(struct decoder *d, uint8_t byte)
{
	static const unsigned prefixes[4] = {0, PREFIX_OSIZE, PREFIX_REP, PREFIX_REPNE};

	d->prefixes = prefixes[byte & 3];
}

static bool vex_stores(struct decoder *d, uint8_t first)
{
	unsigned map = 1;
	uint8_t byte = next(d);
	bool is_evex = first == 0x62;

	if (first != 0xc5) {
		map = is_evex ? byte & 7 : byte & 0x1f;
		byte = next(d);
	}
	vex_prefix(d, byte);
	if (is_evex)
		(void)next(d);
	switch (map) {
	case 1:
		return map1_stores(d, next(d));
	case 2:
		return map2_stores(d, next(d), true, is_evex);
	case 3:
		return map3_stores(next(d));
	default:
		return false;
	}
}

static bool one_byte_stores(struct decoder *d, uint8_t opcode, const struct store_context *context)
{
	uint8_t modrm = d->at < d->size ? d->code[d->at] : 0xff;

	/* add, or, adc, sbb, and, sub, xor to memory: x0 and x1, x8 and x9; 38 and 39 are cmp. */
	if (opcode < 0x38 && (opcode & 7) < 2)
		return modrm_memory(modrm);
	switch (opcode) {
	case 0x80:
	case 0x81:
	case 0x83: /* all but cmp */
		return group(modrm, 0x7f);
	case 0x86 ... 0x89: /* xchg, mov */
	case 0x8c:
	case 0x8f:
	case 0xc0 ... 0xc1: /* shifts */
	case 0xd0 ... 0xd3:
	case 0xc6 ... 0xc7: /* mov immediate */
		return modrm_memory(modrm);
	case 0xf6 ... 0xf7: /* not, neg */
		return group(modrm, 0x0c);
	case 0xfe ... 0xff: /* inc, dec; call and push store on the stack */
		return group(modrm, 0x03) || ((modrm_reg(modrm) == 2 || modrm_reg(modrm) == 6) &&
						     stack_store(context->addr, context->rsp));
	case 0xa2 ... 0xa3:
	case 0xaa ... 0xab: /* stos */
		return true;
	case 0xa4 ... 0xa5: /* movs: reads rsi, writes rdi */
		return context->addr - context->rdi < 8;
	case 0x50 ... 0x57: /* push */
	case 0x68:
	case 0x6a:
	case 0x9c:
	case 0xc8:
	case 0xe8:
		return stack_store(context->addr, context->rsp);
	case 0xd8 ... 0xdf:
		return x87_stores(opcode, modrm);
	default:
		return false;
	}
}

bool instruction_stores(const uint8_t *code, size_t size, const struct store_context *context)
{
	struct decoder d = {.code = code, .size = size};

	while (d.at < size) {
		uint8_t byte = next(&d);

		switch (byte) {
		case 0x66:
			d.prefixes |= PREFIX_OSIZE;
			break;
		case 0xf2:
			d.prefixes |= PREFIX_REPNE;
			break;
		case 0xf3:
			d.prefixes |= PREFIX_REP;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0x67:
		case 0xf0:
		case 0x40 ... 0x4f: /* rex */
			break;
		case 0x0f:
			return extended_stores(&d);
		case 0x62:
		case 0xc4:
		case 0xc5:
			return vex_stores(&d, byte);
		default:
			return one_byte_stores(&d, byte, context);
		}
	}
	return false;
}
