/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int64_t stub_poke(uint64_t *word, uint64_t mask, uint64_t expected, uint64_t value): replaces the
 * masked bytes of an aligned word at once. 0; -11 when they were others than expected; -14 when the
 * word cannot be written (a fault between begin and end goes to stub_poke_fixup).
 */
	.text
	.globl stub_poke, stub_poke_begin, stub_poke_end, stub_poke_fixup
	.type stub_poke, @function
stub_poke:
stub_poke_begin:
	movq	(%rdi), %rax
	movq	%rax, %r8
	andq	%rsi, %r8
	cmpq	%rdx, %r8
	jne	1f
	movq	%rsi, %r8
	notq	%r8
	andq	%rax, %r8
	orq	%rcx, %r8
	lock cmpxchgq %r8, (%rdi)
stub_poke_end:
	jne	stub_poke_begin
	xorl	%eax, %eax
	ret
1:	movq	$-11, %rax
	ret
stub_poke_fixup:
	movq	$-14, %rax
	ret
	.size stub_poke, . - stub_poke

	.section .note.GNU-stack, "", @progbits
