/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cpuid` without the instruction.
 *
 * A virtual machine leaves its CPU for every `cpuid`: 1 to 2 us at best, 6 to 60 us when machines
 * are nested. The dynamic linker of glibc 2.36 executes 68 of them in each program, mostly to ask
 * for the same few leaves about caches again and again. The answers are the same each time: so the
 * Sentry asks once, and programs find them in a table.
 *
 * Not in the table is what depends on the CPU (initial APIC id and topology: 1, 0xb, 0x1f,
 * 0x8000001e), on what the kernel did (5, 6, 0xf, 0x10, 0x12), or belongs to the hypervisor: the
 * slot's code then executes the instruction. On machines whose CPUs are of several kinds (leaf 7,
 * edx bit 15) there is no table at all.
 *
 * The code may use what `cpuid` overwrites: rax, rbx, rcx and rdx. Flags stay as they are, by way
 * of lahf and seto; the stack is not touched.
 */
#include "platform/systrap/cpuid.h"

#include <cpuid.h>
#include <string.h>

#include "base/checked.h"

#define LEAF_EXTENDED 0x80000000u
#define HYBRID	      (1u << 15) /* edx of leaf 7 */
#define CACHES_MAX    8u	 /* subleaves of leaf 4 */

/* In the order in which they are asked for; leaf 4 and its like as many as there are. */
static const struct {
	uint32_t leaf, subleaf;
	bool any;
} leaves[] = {
	{0, 0, true},
	{7, 0, false},
	{2, 0, true},
	{4, 0, false},
	{4, 1, false},
	{4, 2, false},
	{4, 3, false},
	{4, 4, false},
	{LEAF_EXTENDED, 0, true},
	{LEAF_EXTENDED + 0x1d, 0, false},
	{LEAF_EXTENDED + 0x1d, 1, false},
	{LEAF_EXTENDED + 0x1d, 2, false},
	{LEAF_EXTENDED + 0x1d, 3, false},
	{LEAF_EXTENDED + 0x1d, 4, false},
	{LEAF_EXTENDED + 1, 0, true},
	{LEAF_EXTENDED + 7, 0, true},
	{LEAF_EXTENDED + 8, 0, true},
	{0xd, 0, false},
	{0xd, 1, false},
	{0xd, 2, false},
	{7, 1, false},
	{0x14, 0, false},
	{0x19, 0, false},
	{0xd, 3, false},
	{0xd, 5, false},
	{0xd, 6, false},
	{0xd, 7, false},
	{LEAF_EXTENDED + 5, 0, true},
	{LEAF_EXTENDED + 6, 0, true},
	{LEAF_EXTENDED + 2, 0, true},
	{LEAF_EXTENDED + 3, 0, true},
	{LEAF_EXTENDED + 4, 0, true},
};

_Static_assert(array_size(leaves) < CPUID_ENTRIES, "all of them and the end");

static unsigned next_leaf;
static uint32_t max_basic, max_extended;

static bool exists(uint32_t leaf)
{
	return leaf >= LEAF_EXTENDED ? leaf <= max_extended : leaf <= max_basic;
}

static void ask(uint32_t leaf, uint32_t subleaf, struct cpuid_entry *ret)
{
	*ret = (struct cpuid_entry){.leaf = leaf, .subleaf = subleaf};
	__cpuid_count(leaf, subleaf, ret->eax, ret->ebx, ret->ecx, ret->edx);
	if (leaf == 0)
		max_basic = ret->eax;
	if (leaf == LEAF_EXTENDED)
		max_extended = ret->eax;
}

bool cpuid_table_grow(struct cpuid_entry *table, unsigned *used, unsigned count)
{
	if (*used == 0) {
		table[0].leaf = CPUID_LEAF_END;
		next_leaf = 0;
		max_basic = 7;
		max_extended = LEAF_EXTENDED;
	}
	while (count > 0 && next_leaf < array_size(leaves) && *used < CPUID_ENTRIES - 1) {
		uint32_t leaf = leaves[next_leaf].leaf, subleaf = leaves[next_leaf].subleaf;
		struct cpuid_entry entry;

		next_leaf++;
		if (!exists(leaf))
			continue;
		ask(leaf, subleaf, &entry);
		entry.any = leaves[next_leaf - 1].any;
		if (leaf == 7 && subleaf == 0 && (entry.edx & HYBRID)) {
			table[0].leaf = CPUID_LEAF_END;
			return false;
		}
		/* Leaf 2 says how often it wants to be asked: since long, once. */
		if (leaf == 2 && (entry.eax & 0xff) != 1)
			continue;
		table[*used + 1].leaf = CPUID_LEAF_END;
		memcpy((uint8_t *)&table[*used] + sizeof(leaf), (uint8_t *)&entry + sizeof(leaf),
			sizeof(entry) - sizeof(leaf));
		__atomic_store_n(&table[*used].leaf, leaf, __ATOMIC_RELEASE);
		(*used)++;
		count--;
	}
	return true;
}

struct code {
	uint8_t *bytes;
	size_t size;
};

static void put(struct code *code, const void *bytes, size_t size)
{
	if (size > 0 && size <= CPUID_SLOT_SIZE - code->size)
		memcpy(code->bytes + code->size, bytes, size);
	code->size = min_of(code->size + size, (size_t)CPUID_SLOT_SIZE);
}

/* A distance from the end of its four bytes. */
static void put_relative(struct code *code, int64_t target)
{
	int64_t distance = target - (int64_t)(code->size + 4);
	int32_t value = (int32_t)distance;

	put(code, &value, sizeof(value));
}

#define PUT(code, ...) put(code, (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

bool cpuid_slot_build(uint8_t slot[CPUID_SLOT_SIZE], const uint8_t *run, size_t run_size,
	int64_t table, int64_t back)
{
	struct code code = {.bytes = slot};

	if (run_size > CPUID_RUN_MAX)
		return false;
	memset(slot, 0xcc, CPUID_SLOT_SIZE);
	put(&code, run, run_size);
	PUT(&code, 0x89, 0xc2);		    /* mov %eax, %edx: the leaf */
	PUT(&code, 0x9f, 0x0f, 0x90, 0xc0); /* lahf; seto %al: the flags */
	PUT(&code, 0x48, 0x8d, 0x1d);	    /* lea table(%rip), %rbx */
	put_relative(&code, table);
	PUT(&code, 0x39, 0x13);		    /* 0: cmp %edx, (%rbx) */
	PUT(&code, 0x75, 11);		    /* jne 1f */
	PUT(&code, 0x80, 0x7b, 0x04, 0x00); /* cmpb $0, 4(%rbx): any */
	PUT(&code, 0x75, 26);		    /* jne 2f */
	PUT(&code, 0x39, 0x4b, 0x08);	    /* cmp %ecx, 8(%rbx): the subleaf */
	PUT(&code, 0x74, 21);		    /* je 2f */
	PUT(&code, 0x48, 0x83, 0xc3, 0x20); /* 1: add $32, %rbx */
	PUT(&code, 0x83, 0x3b, 0xff);	    /* cmpl $-1, (%rbx): the end */
	PUT(&code, 0x75, (uint8_t)-24);	    /* jne 0b */
	PUT(&code, 0x04, 0x7f, 0x9e);	    /* add $127, %al: the overflow flag; sahf: the others */
	PUT(&code, 0x89, 0xd0);		    /* mov %edx, %eax */
	PUT(&code, 0x0f, 0xa2);		    /* cpuid */
	PUT(&code, 0xe9);		    /* jmp back */
	put_relative(&code, back);
	PUT(&code, 0x04, 0x7f, 0x9e); /* 2: add $127, %al; sahf */
	PUT(&code, 0x8b, 0x43, 0x0c); /* mov 12(%rbx), %eax */
	PUT(&code, 0x8b, 0x4b, 0x14); /* mov 20(%rbx), %ecx */
	PUT(&code, 0x8b, 0x53, 0x18); /* mov 24(%rbx), %edx */
	PUT(&code, 0x8b, 0x5b, 0x10); /* mov 16(%rbx), %ebx */
	PUT(&code, 0xe9);	      /* jmp back */
	put_relative(&code, back);
	return code.size < CPUID_SLOT_SIZE;
}
