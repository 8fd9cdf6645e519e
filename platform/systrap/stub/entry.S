/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stub's ways in and out, and the ranges whose instruction addresses mean something:
 *
 *   stub_copy_insn            a fault here is the guest's: the SIGSEGV handler goes to stub_copy_fixup
 *   stub_string_begin..end    likewise, to stub_string_fixup
 *   stub_access_begin..end    likewise, to stub_access_fixup
 *   stub_resume_begin..end    [is an interrupt wanted? .. back to the guest]: the kick handler rewinds
 *   stub_futex_begin..end     [is an interrupt wanted? .. sleep in a futex]: likewise
 *
 * fast.S has those of the fast way.
 *
 * Handlers are entered with the guest's AC flag (signal delivery clears only TF, DF and RF): it is
 * cleared before any C code runs, which is free to make unaligned accesses. No code here or in the
 * C files touches vector registers, fs or gs: they are the guest's. But stub_xrstor() resets them, when
 * a handler is entered.
 */
	.macro handler entry, target
	.globl \entry
	.type \entry, @function
\entry:
	pushfq
	andl	$~0x40000, (%rsp)
	popfq
	cld
	jmp	\target
	.size \entry, . - \entry
	.endm

	.text
	handler stub_enter_sigsys, stub_on_sigsys
	handler stub_enter_fault, stub_on_fault
	handler stub_enter_kick, stub_on_kick

	.globl stub_restorer
	.type stub_restorer, @function
stub_restorer:
	movl	$15, %eax
	syscall
	ud2
	.size stub_restorer, . - stub_restorer

/* void stub_resume(const uint32_t *interrupt, struct stub_ucontext *uc), does not return.
 * rt_sigreturn finds its frame at rsp - 8, and that is where the ucontext lies. */
	.globl stub_resume, stub_resume_begin, stub_resume_end
	.type stub_resume, @function
stub_resume:
stub_resume_begin:
	cmpl	$0, (%rdi)
	jne	1f
	movq	%rsi, %rsp
	movl	$15, %eax
	syscall
stub_resume_end:
	ud2
1:	movq	%rsi, %rdi
	leaq	-8(%rsi), %rsp
	andq	$-16, %rsp
	call	stub_on_resume_refused
	ud2
	.size stub_resume, . - stub_resume

/*
 * int64_t stub_futex(const uint32_t *interrupt, const uint64_t args[6], uint32_t nr); STUB_INTERRUPTED when
 * an interrupt was wanted before the host call began.
 */
	.globl stub_futex, stub_futex_begin, stub_futex_end
	.type stub_futex, @function
stub_futex:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	movq	%rdi, %rbp
	movq	%rsi, %rbx
	movl	%edx, %r12d
stub_futex_begin:
	cmpl	$0, (%rbp)
	jne	1f
	movq	0(%rbx), %rdi
	movq	8(%rbx), %rsi
	movq	16(%rbx), %rdx
	movq	24(%rbx), %r10
	movq	32(%rbx), %r8
	movq	40(%rbx), %r9
	movl	%r12d, %eax
	syscall
stub_futex_end:
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
1:	movq	$-512, %rax
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size stub_futex, . - stub_futex

/* uint64_t stub_copy(void *dst, const void *src, uint64_t size): bytes NOT copied because of a fault. */
	.globl stub_copy, stub_copy_insn, stub_copy_fixup
	.type stub_copy, @function
stub_copy:
	movq	%rdx, %rcx
stub_copy_insn:
	rep movsb
stub_copy_fixup:
	movq	%rcx, %rax
	ret
	.size stub_copy, . - stub_copy

/* int64_t stub_copy_string(char *dst, const char *src, uint64_t max): size with the NUL; -1 on a
 * fault or when there is none within max bytes (max > 0). */
	.globl stub_copy_string, stub_string_begin, stub_string_end, stub_string_fixup
	.type stub_copy_string, @function
stub_copy_string:
	xorl	%eax, %eax
stub_string_begin:
	movzbl	(%rsi,%rax), %ecx
stub_string_end:
	movb	%cl, (%rdi,%rax)
	incq	%rax
	testb	%cl, %cl
	jz	1f
	cmpq	%rdx, %rax
	jb	stub_string_begin
stub_string_fixup:
	movq	$-1, %rax
1:	ret
	.size stub_copy_string, . - stub_copy_string

/*
 * Single words of guest memory: 0, or 1 for a fault. Leaf functions, so that the way out of each
 * is the same.
 *	int stub_load8(uint64_t *dst, const void *src)
 *	int stub_store8(void *dst, uint64_t value)
 *	int stub_store16(void *dst, uint64_t first, uint64_t second)
 *	int stub_store4(void *dst, uint32_t value)
 *	int stub_xsave(void *dst, uint64_t features)
 */
	.globl stub_access_begin, stub_access_end, stub_access_fixup
	.globl stub_load8, stub_store8, stub_store16, stub_store4, stub_xsave
	.type stub_load8, @function
	.type stub_store8, @function
	.type stub_store16, @function
	.type stub_store4, @function
	.type stub_xsave, @function
stub_access_begin:
stub_load8:
	movq	(%rsi), %rax
	movq	%rax, (%rdi)
	xorl	%eax, %eax
	ret
	.size stub_load8, . - stub_load8
stub_store8:
	movq	%rsi, (%rdi)
	xorl	%eax, %eax
	ret
	.size stub_store8, . - stub_store8
stub_store16:
	movq	%rsi, (%rdi)
	movq	%rdx, 8(%rdi)
	xorl	%eax, %eax
	ret
	.size stub_store16, . - stub_store16
stub_store4:
	movl	%esi, (%rdi)
	xorl	%eax, %eax
	ret
	.size stub_store4, . - stub_store4
stub_xsave:
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
	xsave64	(%rdi)
	xorl	%eax, %eax
	ret
	.size stub_xsave, . - stub_xsave
stub_access_end:
stub_access_fixup:
	movl	$1, %eax
	ret

/* void stub_xrstor(const void *src, uint64_t features): of our own memory */
	.globl stub_xrstor
	.type stub_xrstor, @function
stub_xrstor:
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
	xrstor64 (%rdi)
	ret
	.size stub_xrstor, . - stub_xrstor

/*
 * int64_t stub_vdso_call(uint64_t fn, uint64_t a0, uint64_t a1, uint64_t *rsp)
 *
 * The vDSO's code is C of general registers like ours. *rsp is not 0 while it runs: a handler that
 * finds it so knows that it did not interrupt the guest, and sends what faulted there, or what
 * makes a call there (a clock that it cannot read itself), to stub_vdso_fixup with that stack
 * pointer. All that C code preserves is on the stack, since it may have been changed.
 */
	.globl stub_vdso_call, stub_vdso_fixup
	.type stub_vdso_call, @function
stub_vdso_call:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rcx
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rsp, (%rcx)
	call	*%rax
	cltq
1:	popq	%rcx
	movq	$0, (%rcx)
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
stub_vdso_fixup:
	movq	$-512, %rax
	jmp	1b
	.size stub_vdso_call, . - stub_vdso_call

/* int64_t stub_host_call(uint64_t nr, const uint64_t args[6]) */
	.globl stub_host_call
	.type stub_host_call, @function
stub_host_call:
	movq	%rdi, %rax
	movq	%rsi, %rcx
	movq	0(%rcx), %rdi
	movq	8(%rcx), %rsi
	movq	16(%rcx), %rdx
	movq	24(%rcx), %r10
	movq	32(%rcx), %r8
	movq	40(%rcx), %r9
	syscall
	ret
	.size stub_host_call, . - stub_host_call

/*
 * int64_t stub_clone_thread(uint64_t flags, void *stack, void (*entry)(struct stub_thread *)): the
 * child calls entry with the base of its stack.
 */
	.globl stub_clone_thread
	.type stub_clone_thread, @function
stub_clone_thread:
	movq	%rdx, %r9
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	movl	$56, %eax
	syscall
	testq	%rax, %rax
	jz	1f
	ret
1:	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	decq	%rdi
	andq	$-0x10000, %rdi
	andq	$-16, %rsp
	call	*%r9
	ud2
	.size stub_clone_thread, . - stub_clone_thread

/* The compiler may call these two. */
	.globl memset
	.type memset, @function
memset:
	movq	%rdi, %r8
	movl	%esi, %eax
	movq	%rdx, %rcx
	rep stosb
	movq	%r8, %rax
	ret
	.size memset, . - memset

	.globl memcpy
	.type memcpy, @function
memcpy:
	movq	%rdi, %rax
	movq	%rdx, %rcx
	rep movsb
	ret
	.size memcpy, . - memcpy

/* Where exec enters: the kernel's stack with argc, argv, envp and the auxiliary vector. */
	.globl stub_start
	.type stub_start, @function
stub_start:
	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	andq	$-16, %rsp
	call	stub_main
	ud2
	.size stub_start, . - stub_start

/* void stub_switch_stack(void *stack, void (*entry)(void)) */
	.globl stub_switch_stack
	.type stub_switch_stack, @function
stub_switch_stack:
	movq	%rdi, %rsp
	xorl	%ebp, %ebp
	call	*%rsi
	ud2
	.size stub_switch_stack, . - stub_switch_stack

/* A call from outside of the text: the zygote enters its first SIGSYS here and never leaves it. */
	.section .gate, "ax", @progbits
	.globl stub_gate
	.type stub_gate, @function
stub_gate:
	movl	$39, %eax
	syscall
	ud2
	.size stub_gate, . - stub_gate

/* Likewise, from the fast way: what it was about goes on in the handler, which has a frame. */
	.globl stub_upgrade_gate, stub_upgraded
	.type stub_upgrade_gate, @function
stub_upgrade_gate:
	movl	$39, %eax
	syscall
stub_upgraded:
	ud2
	.size stub_upgrade_gate, . - stub_upgrade_gate

	.section .note.GNU-stack, "", @progbits
