/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_CPUID_H
#define SENTRY_SYSTRAP_CPUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Code that does what a `cpuid` would, from a table of answers. */

#define CPUID_LEAF_END 0xffffffffu /* behind the last entry of a table */

/* The code in the slots knows this layout. */
struct cpuid_entry {
	uint32_t leaf;
	uint32_t any; /* 1: whatever is in ecx */
	uint32_t subleaf;
	uint32_t eax, ebx, ecx, edx;
	uint32_t unused;
};

#define CPUID_ENTRIES	64u /* of a table, the end included */
#define CPUID_SLOT_SIZE 128u
#define CPUID_RUN_MAX	32u

/*
 * Asks the CPU for up to @count more of the answers that are the same on each CPU and at each time,
 * those that programs ask for most first. They are appended to @table, which holds @*used and has
 * room for CPUID_ENTRIES; others may read it meanwhile. False: this machine's CPUs differ.
 */
bool cpuid_table_grow(struct cpuid_entry *table, unsigned *used, unsigned count);

/*
 * A slot: the @run_size bytes at @run, then the answer, then a jump. @table and @back (where the
 * code goes on behind the `cpuid`) are relative to the slot's begin. False: it does not fit.
 */
bool cpuid_slot_build(uint8_t slot[CPUID_SLOT_SIZE], const uint8_t *run, size_t run_size,
	int64_t table, int64_t back);

#endif
