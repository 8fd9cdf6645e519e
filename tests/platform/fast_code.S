/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest programs whose call sites are patched by hand: a page of code that runs at CODE, and behind
 * it a trampoline page (platform/systrap/stub/layout.h).
 */
	.section .rodata.fast, "a"
	.set FAST_ENTRY, 0x7ffb00000000

	.macro program name
	.globl code_\name
	.balign 4096
code_\name:
	.endm

	.macro program_end name
	.balign 4096
	.globl code_\name\()_end
code_\name\()_end:
	.endm

	/* The page's header; slots follow. */
	.macro trampolines name
	.balign 4096
\name\()_page:
	.quad 0x6172742079727473, 0x73656e696c6f706d
\name\()_entry:
	.quad FAST_ENTRY
	.zero 40
	.endm

	/* The slot of the site \name, whose instruction is \insn; \begin is the program's. */
	.macro trampoline begin, name, hole, insn:vararg
\name\()_slot:
	\insn
\name\()_slot_behind:
	lea \name\()_next(%rip), %rcx
	jmp *\begin\()_entry(%rip)
	.org \name\()_slot + 40, 0xcc
	.quad \name\()_site - \name\()_slot
	.ifc \hole, 0
	.quad 0
	.else
	.quad \hole - \name\()_slot
	.endif
	.byte \name\()_call - \name\()_site, \name\()_slot_behind - \name\()_slot
	.zero 6
	.endm

	/* A site whose 5 bytes are a jump to its slot. */
	.macro site name
\name\()_site:
	.byte 0xe9
	.long \name\()_slot - (. + 4)
\name\()_call:
	syscall
\name\()_next:
	.endm

	/* As "syscalls" of guest_code.S. */
	program fast_calls
	xor %ebx, %ebx
	mov $1000, %r12
1:	mov $0x1111111111111111, %rdi
	mov $0x2222222222222222, %rsi
	mov $0x3333333333333333, %rdx
	mov $0x4444444444444444, %r10
	mov $0x5555555555555555, %r8
	mov $0x6666666666666666, %r9
	site fast_calls
	add %rax, %rbx
	inc %r12
	jmp 1b
	trampolines fast_calls
	trampoline fast_calls, fast_calls, 0, .byte 0x49, 0x8d, 0x44, 0x24, 0x00
	program_end fast_calls

	/*
	 * Loads the state at rbx (struct fast_state of test_fast.c), makes call 1000, stores the state
	 * behind it, and makes call 2000 without a trampoline.
	 */
	.macro load_state
	mov 0(%rbx), %rdi
	mov 8(%rbx), %rsi
	mov 16(%rbx), %rdx
	mov 24(%rbx), %r10
	mov 32(%rbx), %r8
	mov 40(%rbx), %r9
	mov 48(%rbx), %rbp
	mov 56(%rbx), %r12
	mov 64(%rbx), %r13
	mov 72(%rbx), %r14
	mov 80(%rbx), %r15
	movdqu 88(%rbx), %xmm0
	movdqu 104(%rbx), %xmm15
	mov %rbp, -8(%rsp)	# the red zone
	mov %r12, -128(%rsp)
	lea -256(%rsp), %rsp
	push 120(%rbx)
	popfq
	lea 256(%rsp), %rsp
	.endm
	.macro store_state
	lea -256(%rsp), %rsp
	pushfq
	pop 128+120(%rbx)
	push $0x202
	popfq
	lea 256(%rsp), %rsp
	mov %rdi, 128+0(%rbx)
	mov %rsi, 128+8(%rbx)
	mov %rdx, 128+16(%rbx)
	mov %r10, 128+24(%rbx)
	mov %r8, 128+32(%rbx)
	mov %r9, 128+40(%rbx)
	mov %r12, 128+56(%rbx)
	mov %r13, 128+64(%rbx)
	mov %r14, 128+72(%rbx)
	mov %r15, 128+80(%rbx)
	movdqu %xmm0, 128+88(%rbx)
	movdqu %xmm15, 128+104(%rbx)
	mov %rax, 256+0(%rbx)
	mov %rcx, 256+8(%rbx)
	mov %r11, 256+16(%rbx)
	mov %rsp, 256+24(%rbx)
	mov -8(%rsp), %rax
	mov %rax, 128+48(%rbx)
	mov -128(%rsp), %rax
	mov %rax, 256+32(%rbx)
	mov %rbp, 256+40(%rbx)
	.endm

	program fast_state
	load_state
	site fast_state
	store_state
	mov $2000, %eax
	syscall
	jmp code_fast_state
	trampolines fast_state
	trampoline fast_state, fast_state, 0, mov $1000, %eax
	program_end fast_state

	/* An instruction that may fault, replaced by a short jump to a hole. */
	program fast_hole
	nop
fast_hole_site:
	.byte 0xeb, fast_hole_hole - (. + 1), 0x90
fast_hole_call:
	syscall
fast_hole_next:
	nop
	jmp fast_hole_next
fast_hole_hole:
	.byte 0xe9
	.long fast_hole_slot - (. + 4)
	trampolines fast_hole
	trampoline fast_hole, fast_hole, fast_hole_hole, mov (%rdi), %rax
	program_end fast_hole

	.section .note.GNU-stack,"",@progbits
