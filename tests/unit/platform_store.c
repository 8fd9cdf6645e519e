/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/checked.h"
#include "platform/ptrace/store.h"

#define CODE(...) {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* The address that faults is 0x1000; rdi points at it, rsp right above it. */
static const struct {
	const char *text;
	uint8_t code[15];
	size_t size;
	bool stores;
} rows[] = {
	{"mov %rax,(%rdi)", CODE(0x48, 0x89, 0x07), true},
	{"mov (%rdi),%rax", CODE(0x48, 0x8b, 0x07), false},
	{"mov %al,(%rdi)", CODE(0x88, 0x07), true},
	{"movq $0,(%rdi)", CODE(0x48, 0xc7, 0x07, 0, 0, 0, 0), true},
	{"movw $0,(%rdi)", CODE(0x66, 0xc7, 0x07, 0, 0), true},
	{"add %eax,(%rdi)", CODE(0x01, 0x07), true},
	{"add (%rdi),%eax", CODE(0x03, 0x07), false},
	{"cmp %eax,(%rdi)", CODE(0x39, 0x07), false},
	{"cmpl $1,(%rdi)", CODE(0x83, 0x3f, 1), false},
	{"addl $1,(%rdi)", CODE(0x83, 0x07, 1), true},
	{"lock incq (%rdi)", CODE(0xf0, 0x48, 0xff, 0x07), true},
	{"test %eax,(%rdi)", CODE(0x85, 0x07), false},
	{"testl $1,(%rdi)", CODE(0xf7, 0x07, 1, 0, 0, 0), false},
	{"negl (%rdi)", CODE(0xf7, 0x1f), true},
	{"push %rax", CODE(0x50), true},
	{"push (%rdi)", CODE(0xff, 0x37), true},
	{"pop %rax", CODE(0x58), false},
	{"ret", CODE(0xc3), false},
	{"call", CODE(0xe8, 0, 0, 0, 0), true},
	{"call *(%rdi)", CODE(0xff, 0x17), true},
	{"rep movsb", CODE(0xf3, 0xa4), true},
	{"rep stosq", CODE(0xf3, 0x48, 0xab), true},
	{"lodsb", CODE(0xac), false},
	{"cmpxchg %rcx,(%rdi)", CODE(0xf0, 0x48, 0x0f, 0xb1, 0x0f), true},
	{"cmpxchg16b (%rdi)", CODE(0x48, 0x0f, 0xc7, 0x0f), true},
	{"xchg %rax,(%rdi)", CODE(0x48, 0x87, 0x07), true},
	{"movaps %xmm0,(%rdi)", CODE(0x0f, 0x29, 0x07), true},
	{"movaps (%rdi),%xmm0", CODE(0x0f, 0x28, 0x07), false},
	{"movdqu %xmm0,(%rdi)", CODE(0xf3, 0x0f, 0x7f, 0x07), true},
	{"movq (%rdi),%xmm0", CODE(0xf3, 0x0f, 0x7e, 0x07), false},
	{"movq %xmm0,(%rdi)", CODE(0x66, 0x0f, 0xd6, 0x07), true},
	{"movd %xmm0,(%rdi)", CODE(0x66, 0x0f, 0x7e, 0x07), true},
	{"vmovdqu %ymm0,(%rdi)", CODE(0xc5, 0xfe, 0x7f, 0x07), true},
	{"vmovdqu (%rdi),%ymm0", CODE(0xc5, 0xfe, 0x6f, 0x07), false},
	{"vmovdqu %ymm8,(%r8)", CODE(0xc4, 0x41, 0x7e, 0x7f, 0x00), true},
	{"vmovdqu64 %zmm0,(%rdi)", CODE(0x62, 0xf1, 0xfe, 0x48, 0x7f, 0x07), true},
	{"vmovdqu64 (%rdi),%zmm0", CODE(0x62, 0xf1, 0xfe, 0x48, 0x6f, 0x07), false},
	{"movbe %eax,(%rdi)", CODE(0x0f, 0x38, 0xf1, 0x07), true},
	{"movbe (%rdi),%eax", CODE(0x0f, 0x38, 0xf0, 0x07), false},
	{"crc32l (%rdi),%eax", CODE(0xf2, 0x0f, 0x38, 0xf1, 0x07), false},
	{"fstpl (%rdi)", CODE(0xdd, 0x1f), true},
	{"fldl (%rdi)", CODE(0xdd, 0x07), false},
	{"fxsave (%rdi)", CODE(0x0f, 0xae, 0x07), true},
	{"fxrstor (%rdi)", CODE(0x0f, 0xae, 0x0f), false},
	{"sete (%rdi)", CODE(0x0f, 0x94, 0x07), true},
	{"bt %eax,(%rdi)", CODE(0x0f, 0xa3, 0x07), false},
	{"bts %eax,(%rdi)", CODE(0x0f, 0xab, 0x07), true},
	{"prefixes only", CODE(0x66, 0x66, 0x66), false},
	{"cut short", CODE(0x0f), false},
	{"cut short", CODE(0x62, 0xf1), false},
	{"cut short", CODE(0x83), false},
};

Test(ptrace_store, table)
{
	const struct store_context context = {.addr = 0x1000, .rdi = 0x1000, .rsp = 0x1008};

	for (size_t i = 0; i < array_size(rows); i++)
		cr_expect_eq(instruction_stores(rows[i].code, rows[i].size, &context),
			rows[i].stores, "%s", rows[i].text);
}
