/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Position-independent guest programs for platform_test.c: each is copied to a page of the guest and entered at its start.
 */
	.section .rodata
	.macro program name
	.globl code_\name
	.balign 16
code_\name:
	.endm
	.macro program_end name
	.globl code_\name\()_end
code_\name\()_end:
	.byte 0x0f, 0x0b
	.endm

	/* Calls 1000, 1001, ... with recognisable arguments and sums the results in rbx. */
	program syscalls
	xor %ebx, %ebx
	mov $1000, %r12
1:	mov %r12, %rax
	mov $0x1111111111111111, %rdi
	mov $0x2222222222222222, %rsi
	mov $0x3333333333333333, %rdx
	mov $0x4444444444444444, %r10
	mov $0x5555555555555555, %r8
	mov $0x6666666666666666, %r9
	syscall
	add %rax, %rbx
	inc %r12
	jmp 1b
	program_end syscalls

	/* getppid for ever, nothing between the calls. */
	program loop_calls
1:	mov $110, %eax
	syscall
	jmp 1b
	program_end loop_calls

	program spin
1:	inc %rbx
	jmp 1b
	program_end spin

	/* Loads from rdi. */
	program load
	mov (%rdi), %rax
	mov $60, %eax
	syscall
	program_end load

	program store
	mov %rax, (%rdi)
	mov $60, %eax
	syscall
	program_end store

	program divide
	xor %edx, %edx
	xor %ecx, %ecx
	div %rcx
	program_end divide

	program undefined
	ud2
	program_end undefined

	program breakpoint
	nop
	int3
	mov $60, %eax
	syscall
	program_end breakpoint

	program noncanonical
	mov $0x8000000000000000, %rdi
	mov (%rdi), %rax
	program_end noncanonical

	program int80
	mov $20, %eax
	int $0x80
	mov $60, %eax
	syscall
	program_end int80

	program jump_rdi
	jmp *%rdi
	program_end jump_rdi

	/* time() through the vsyscall page, then a call with the answer. */
	program vsyscall
	xor %edi, %edi
	mov $0xffffffffff600400, %rax
	call *%rax
	mov %rax, %rdi
	mov $1234, %eax
	syscall
	program_end vsyscall

	/* xmm0 from rdi and rsi, a call, then xmm0 back in rdi and rsi of a second call. */
	program xmm
	movq %rdi, %xmm0
	movq %rsi, %xmm1
	punpcklqdq %xmm1, %xmm0
	mov $1000, %eax
	syscall
	movq %xmm0, %rdi
	movhlps %xmm0, %xmm0
	movq %xmm0, %rsi
	mov $1001, %eax
	syscall
	program_end xmm

	/* Adds 1 to the word at rdi rsi times, atomically; then a call. */
	program count
1:	lock incq (%rdi)
	dec %rsi
	jnz 1b
	mov $1000, %eax
	syscall
	program_end count

	/* Every register that a guest can damage cheaply: bases in the kernel's half, direction and alignment flags. */
	program damage
	pushfq
	orq $0x40400, (%rsp)
	popfq
	mov $0x7ffffffffff0, %rax
	wrfsbase %rax
	mov $1000, %eax
	syscall
	mov $1001, %eax
	syscall
	program_end damage

	/* Calls the function at rbx, then reports its result. */
	program call_rbx
	call *%rbx
	mov %rax, %rdi
	mov $1000, %eax
	syscall
	program_end call_rbx

	/* Waits until the word at rdi is r12 (0 or 1), flips it and wakes the other side, r13 times; then a call. */
	program ping_pong
1:	mov (%rdi), %eax
	cmp %r12d, %eax
	je 2f
	mov %eax, %edx
	mov $128, %esi
	xor %r10d, %r10d
	mov $202, %eax
	syscall
	jmp 1b
2:	mov %r12d, %eax
	xor $1, %eax
	mov %eax, (%rdi)
	mov $129, %esi
	mov $1, %edx
	mov $202, %eax
	syscall
	dec %r13
	jnz 1b
	mov $1000, %eax
	syscall
	program_end ping_pong

	/* Makes the call that its registers hold through the code at rbx, then reports the result. */
	program gadget
	call *%rbx
	mov %rax, %rdi
	mov $1000, %eax
	syscall
	program_end gadget

	/* Random words over rdi[0 .. rsi], for ever, with pauses in which the victim gets somewhere. */
	program scribble
1:	mov $0x5851f42d4c957f2d, %rax
	imul %rax, %rbx
	add $0x14057b7e, %rbx
	mov %rbx, %rcx
	shr $20, %rcx
	and %rsi, %rcx
	and $-4, %rcx
	mov %rbx, %rdx
	shr $40, %rdx
	mov %edx, (%rdi,%rcx)
	mov $2000, %ecx
2:	pause
	dec %ecx
	jnz 2b
	jmp 1b
	program_end scribble

	.section .note.GNU-stack,"",@progbits
