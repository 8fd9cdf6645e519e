/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast way in and out: a call that comes through a trampoline, without a signal. fast.c has the
 * theory; docs/channel.md argues each range of instructions.
 *
 * In: rax = number, arguments as for `syscall`, rcx = where it returns to, r11 anything, and the rest the
 * guest's. GS is this thread's struct stub_thread, unless the guest has set a base of its own.
 * Out: as `syscall` leaves things: rax = result, rcx = rip, r11 = rflags, all else untouched.
 */
#include "platform/systrap/stub/offsets.h"

/* Trap, direction, nested task, alignment check: calls with any of them take the long way. */
#define EFLAGS_UNUSUAL 0x44500

	/* The registers that C code preserves, for whoever builds a frame. Clobbers rcx, rdx. */
	.macro save_preserved
	movq	%gs:THREAD_SLOT, %rcx
	movq	%rbx, SLOT_RBX(%rcx)
	movq	%rbp, SLOT_RBP(%rcx)
	movq	%r12, SLOT_R12(%rcx)
	movq	%r13, SLOT_R13(%rcx)
	movq	%r14, SLOT_R14(%rcx)
	movq	%r15, SLOT_R15(%rcx)
	rdfsbase %rdx
	movq	%rdx, SLOT_FS_BASE(%rcx)
	.endm

	/* rdi = struct stub_thread. Clobbers nothing else. */
	.macro load_self
	movq	%rsp, %rdi
	andq	$-0x10000, %rdi
	.endm

	/* The linker script puts this section first: the entry is STUB_FAST_ENTRY. */
	.section .text.fast, "ax", @progbits
	.globl stub_fast_entry, stub_fast_refused, stub_fast_unusual
	.globl stub_fast_leave_begin, stub_fast_leave_end
	.globl stub_fast_load, stub_fast_load_begin, stub_fast_load_end, stub_fast_load_refuse
	.type stub_fast_entry, @function
stub_fast_entry:
	/* Faults here when the guest's own GS base leads nowhere. Flags are the guest's until they are
	 * stored, so the comparison must not change them. */
	movl	%gs:0, %r11d
	xchgq	%rcx, %r11
	leaq	-THREAD_MAGIC(%rcx), %rcx
	jrcxz	1f
	movq	%r11, %rcx
stub_fast_refused:
	ud2
1:	movq	%rsp, %gs:THREAD_RSP
	movq	%gs:THREAD_STACK, %rsp
	pushfq
	popq	%rcx
	movq	%rcx, %gs:THREAD_EFLAGS
	testl	$EFLAGS_UNUSUAL, %ecx
	jnz	2f
	movq	%r11, %gs:THREAD_RIP
	movq	%rax, %gs:THREAD_RAX
	movq	%rdi, %gs:THREAD_ARGS
	movq	%rsi, %gs:THREAD_ARGS + 8
	movq	%rdx, %gs:THREAD_ARGS + 16
	movq	%r10, %gs:THREAD_ARGS + 24
	movq	%r8, %gs:THREAD_ARGS + 32
	movq	%r9, %gs:THREAD_ARGS + 40
	load_self
	call	stub_fast_answer
	testb	%al, %al
	jnz	stub_fast_leave_begin
	save_preserved
	load_self
	call	stub_fast_call

	/* Nothing lives on a stack here and all loads can be repeated, so the kick handler may send us
	 * back to the begin from any of these instructions. */
stub_fast_leave_begin:
	movq	%gs:THREAD_SLOT, %rcx
	cmpl	$0, SLOT_INTERRUPT(%rcx)
	jne	3f
	movq	%gs:THREAD_ARGS, %rdi
	movq	%gs:THREAD_ARGS + 8, %rsi
	movq	%gs:THREAD_ARGS + 16, %rdx
	movq	%gs:THREAD_ARGS + 24, %r10
	movq	%gs:THREAD_ARGS + 32, %r8
	movq	%gs:THREAD_ARGS + 40, %r9
	movq	%gs:THREAD_EFLAGS, %r11
	/* The overflow flag by an addition that overflows when it is to be set, the others by sahf;
	 * what else is in the register is as it was, or the call would not have come this way. */
	movl	%r11d, %eax
	shrl	$11, %eax
	andl	$1, %eax
	movl	%r11d, %ecx
	addb	$0x7f, %al
	movb	%cl, %ah
	sahf
	movq	%gs:THREAD_RAX, %rax
	movq	%gs:THREAD_RIP, %rcx
	movq	%gs:THREAD_RSP, %rsp
	jmp	*%rcx
stub_fast_leave_end:
	ud2

2:	movq	%gs:THREAD_RSP, %rsp
	movq	%r11, %rcx
stub_fast_unusual:
	ud2

	/* An interrupt is wanted. The stack pointer may be the guest's already. */
3:	movq	%gs:THREAD_STACK, %rsp
	save_preserved
	load_self
	call	stub_on_fast_leave_refused
	ud2
	.size stub_fast_entry, . - stub_fast_entry

	/* void stub_fast_load(void): to the registers in stub_thread.load, with nothing but GS. Again
	 * nothing lives on a stack and all loads can be repeated, so the kick handler may rewind. While
	 * rsp is in stub_thread, below the signal stack, a signal's frame goes to the top of that. */
	.type stub_fast_load, @function
stub_fast_load:
stub_fast_load_begin:
	movq	%gs:THREAD_SLOT, %rcx
	cmpl	$0, SLOT_INTERRUPT(%rcx)
	jne	stub_fast_load_refuse
	rdgsbase %rsp
	addq	$THREAD_LOAD, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	iretq
stub_fast_load_end:
	ud2
	/* An interrupt is wanted, or iretq faults: the host's way back can do both. */
stub_fast_load_refuse:
	movq	%gs:THREAD_STACK, %rsp
	load_self
	call	stub_on_fast_load_refused
	ud2
	.size stub_fast_load, . - stub_fast_load

	.section .note.GNU-stack, "", @progbits
