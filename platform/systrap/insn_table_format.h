/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_INSN_TABLE_FORMAT_H
#define SENTRY_SYSTRAP_INSN_TABLE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

/* The form of insn_table.h, between insn_gen.c and insn.c. */

/* A row: one byte for each value of the reg field, first the memory forms, then the register forms.
 */
#define INSN_ROW_SIZE	    16u
#define INSN_VALID	    0x80u
#define INSN_MODRM	    0x40u
#define INSN_IMMEDIATE_MASK 0x0fu /* its size in bytes */

/* Opcode maps without a further prefix: one byte, 0f, 0f 38, 0f 3a. */
#define INSN_LEGACY_MAPS    4u
#define INSN_CLASS_66	    1u
#define INSN_CLASS_W	    2u /* REX.W */
#define INSN_CLASS_REP	    4u /* times 1 for f3, 2 for f2 */
#define INSN_LEGACY_CLASSES 12u

/* VEX: the maps 0f, 0f 38, 0f 3a. */
#define INSN_VEX_MAPS	 3u
#define INSN_VEX_PP	 3u
#define INSN_VEX_L	 4u
#define INSN_VEX_W	 8u
#define INSN_VEX_CLASSES 16u

#endif
