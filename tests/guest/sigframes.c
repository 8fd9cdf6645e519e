/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a handler: context, alternate stacks, FPU state, and bad ways back. */
#include "case.h"

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <ucontext.h>

static volatile sig_atomic_t count;
static char *altstack;
static volatile bool on_altstack;
#define ALTSTACK_SIZE 65536

static void install(int signo, int flags, void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction sa = {.sa_sigaction = fn, .sa_flags = flags | SA_SIGINFO};

	sigaction(signo, &sa, NULL);
}

static void set_altstack(int flags)
{
	altstack = mmap(
		NULL, ALTSTACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t ss = {.ss_sp = altstack, .ss_size = ALTSTACK_SIZE, .ss_flags = flags};

	CALL(sigaltstack(&ss, NULL));
}

static bool within_altstack(const void *p)
{
	return (const char *)p >= altstack && (const char *)p < altstack + ALTSTACK_SIZE;
}

static void note_stack(int signo, siginfo_t *info, void *context)
{
	char here;
	stack_t now;

	on_altstack = within_altstack(&here);
	sigaltstack(NULL, &now);
	NOTE("on altstack %d, flags %d, size %zu", on_altstack, (int)now.ss_flags, now.ss_size);
	count++;
}

CASE(altstack_used)
{
	set_altstack(0);
	install(SIGUSR1, SA_ONSTACK, note_stack);
	raise(SIGUSR1);
	install(SIGUSR1, 0, note_stack);
	raise(SIGUSR1);
}

CASE(altstack_query_and_disable)
{
	stack_t old, off = {.ss_flags = SS_DISABLE};

	CALL(sigaltstack(NULL, &old));
	NOTE("flags %d size %zu", old.ss_flags, old.ss_size);
	set_altstack(0);
	CALL(sigaltstack(NULL, &old));
	TRUTH(old.ss_sp == altstack);
	NOTE("flags %d size %zu", old.ss_flags, old.ss_size);
	CALL(sigaltstack(&off, &old));
	NOTE("flags %d size %zu", old.ss_flags, old.ss_size);
	CALL(sigaltstack(NULL, &old));
	NOTE("flags %d size %zu", old.ss_flags, old.ss_size);
}

CASE(altstack_errors)
{
	char small[1024];
	stack_t ss = {.ss_sp = small, .ss_size = sizeof(small)};

	CALL(sigaltstack(&ss, NULL));
	ss.ss_flags = 8;
	CALL(sigaltstack(&ss, NULL));
	CALL(sigaltstack(BAD_ADDRESS, NULL));
	CALL(sigaltstack(NULL, BAD_ADDRESS));
}

static void change_while_on_it(int signo, siginfo_t *info, void *context)
{
	stack_t off = {.ss_flags = SS_DISABLE};

	CALL(sigaltstack(&off, NULL));
}

CASE(altstack_change_while_on_it)
{
	set_altstack(0);
	install(SIGUSR1, SA_ONSTACK, change_while_on_it);
	raise(SIGUSR1);
}

CASE(altstack_autodisarm)
{
	stack_t now;

	set_altstack((int)(1u << 31));
	install(SIGUSR1, SA_ONSTACK, note_stack);
	raise(SIGUSR1);
	CALL(sigaltstack(NULL, &now));
	NOTE("flags %x size %zu", now.ss_flags, now.ss_size);
}

static void nest_on_altstack(int signo, siginfo_t *info, void *context)
{
	char here;

	NOTE("depth %d on %d", count, within_altstack(&here));
	if (count++ < 2)
		raise(SIGUSR1);
}

CASE(altstack_nested_stays)
{
	set_altstack(0);
	install(SIGUSR1, SA_ONSTACK | SA_NODEFER, nest_on_altstack);
	raise(SIGUSR1);
}

static void exhaust(int signo, siginfo_t *info, void *context)
{
	raise(signo);
}

CASE(altstack_overflow_kills)
{
	pid_t pid = fork();

	if (pid == 0) {
		set_altstack(0);
		install(SIGUSR1, SA_ONSTACK | SA_NODEFER, exhaust);
		raise(SIGUSR1);
		_exit(0);
	}
	note_wait("child", pid);
}

static sigjmp_buf jump;

static void overflow_handler(int signo, siginfo_t *info, void *context)
{
	char here;

	NOTE("signo %d code %d on altstack %d", signo, info->si_code, within_altstack(&here));
	siglongjmp(jump, 1);
}

static volatile int depth_limit = INT_MAX;

static int __attribute__((noinline)) recurse(int n)
{
	volatile char pad[4096];

	pad[0] = (char)n;
	return n < depth_limit ? recurse(n + 1) + pad[0] : 0;
}

CASE(stack_overflow_caught_on_altstack)
{
	set_altstack(0);
	install(SIGSEGV, SA_ONSTACK, overflow_handler);
	if (!sigsetjmp(jump, 1))
		NOTE("%d", recurse(0));
	NOTE("recovered");
}

CASE(stack_overflow_without_altstack_kills)
{
	pid_t pid = fork();

	if (pid == 0) {
		install(SIGSEGV, 0, overflow_handler);
		_exit(recurse(0));
	}
	note_wait("child", pid);
}

static volatile uintptr_t frame_address;

static void note_alignment(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	frame_address = (uintptr_t)__builtin_frame_address(0);
	/* At entry the stack pointer is 8 modulo 16; after the usual push it is the frame address.
	 */
	NOTE("alignment %d", (int)(frame_address % 16));
	NOTE("fpregs aligned %d", (uintptr_t)uc->uc_mcontext.fpregs % 64 == 0);
	NOTE("flags %lx", uc->uc_flags & 7);
	TRUTH(uc->uc_link == NULL);
	TRUTH((char *)info > (char *)uc);
}

CASE(frame_shape)
{
	install(SIGUSR1, 0, note_alignment);
	raise(SIGUSR1);
}

static void note_sw_bytes(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	const uint32_t *sw = (const uint32_t *)((char *)uc->uc_mcontext.fpregs + 464);
	const uint32_t *magic2;

	NOTE("magic1 %x", sw[0]);
	NOTE("size difference %d", (int)(sw[1] - sw[4]));
	magic2 = (const uint32_t *)((char *)uc->uc_mcontext.fpregs + sw[4]);
	NOTE("magic2 %x", *magic2);
	NOTE("x87 and sse %x", sw[2] & 3);
	NOTE("xfeatures %x size %u", sw[2], sw[4]);
}

CASE(frame_xsave_markers)
{
	install(SIGUSR1, 0, note_sw_bytes);
	raise(SIGUSR1);
}

static void note_segments(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	NOTE("csgsfs %llx", (unsigned long long)uc->uc_mcontext.gregs[REG_CSGSFS]);
	NOTE("oldmask %llx", (unsigned long long)uc->uc_mcontext.gregs[REG_OLDMASK]);
}

CASE(frame_segments_and_mask)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	install(SIGUSR1, 0, note_segments);
	raise(SIGUSR1);
}

static void change_mask_in_frame(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	sigaddset(&uc->uc_sigmask, SIGUSR2);
	sigaddset(&uc->uc_sigmask, SIGKILL);
}

CASE(frame_mask_change_takes_effect)
{
	sigset_t now;

	install(SIGUSR1, 0, change_mask_in_frame);
	raise(SIGUSR1);
	sigprocmask(SIG_SETMASK, NULL, &now);
	NOTE("usr2 %d kill %d", sigismember(&now, SIGUSR2), sigismember(&now, SIGKILL));
}

static void skip_instruction(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RAX] = 1234;
}

CASE(frame_registers_change_takes_effect)
{
	long value = 0;

	install(SIGILL, 0, skip_instruction);
	__asm__ volatile("ud2" : "=a"(value) : "a"(1));
	NOTE("%ld", value);
}

CASE(all_registers_survive)
{
	uint64_t before[14], after[14];

	install(SIGUSR1, 0, note_alignment);
	for (int i = 0; i < 14; i++)
		before[i] = 0x1111111111111111ull * (uint64_t)(i + 1);
	/* A handler in the middle of code that has every register in use: tgkill by hand. */
	pid_t pid = getpid(), tid = gettid();
	__asm__ volatile("movq %[nr], %%rax\n\tmovq %[pid], %%rdi\n\tmovq %[tid], %%rsi\n\tmovq "
			 "$10, %%rdx\n\t"
			 "movq 0(%[b]), %%r8\n\tmovq 8(%[b]), %%r9\n\tmovq 16(%[b]), %%r10\n\t"
			 "movq 24(%[b]), %%r12\n\tmovq 32(%[b]), %%r13\n\tmovq 40(%[b]), "
			 "%%r14\n\tmovq 48(%[b]), %%r15\n\t"
			 "syscall\n\t"
			 "movq %%r8, 0(%[a])\n\tmovq %%r9, 8(%[a])\n\tmovq %%r10, 16(%[a])\n\t"
			 "movq %%r12, 24(%[a])\n\tmovq %%r13, 32(%[a])\n\tmovq %%r14, "
			 "40(%[a])\n\tmovq %%r15, 48(%[a])\n\t"
			 :
			 : [nr] "i"(SYS_tgkill), [pid] "m"(*(uint64_t[]){(uint64_t)pid}),
			 [tid] "m"(*(uint64_t[]){(uint64_t)tid}), [b] "b"(before), [a] "r"(after)
			 : "rax", "rdi", "rsi", "rdx", "rcx", "r8", "r9", "r10", "r11", "r12",
			 "r13", "r14", "r15", "memory");
	for (int i = 0; i < 7; i++)
		NOTE("%d %d", i, before[i] == after[i]);
}

/* ---- FPU ---- */

static void use_fpu(int signo, siginfo_t *info, void *context)
{
	volatile double x = 1.5;

	for (int i = 0; i < 100; i++)
		x = x * 1.01 + 0.3;
	__asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15; fninit; "
			 "fldpi; fldpi" ::
				 : "xmm0", "xmm7", "xmm15");
	__asm__ volatile("fninit");
	count++;
}

CASE(sse_state_survives)
{
	uint64_t in[4] = {0x1122334455667788, 0x99aabbccddeeff00, 0x0f1e2d3c4b5a6978,
		0x8796a5b4c3d2e1f0},
		 out[4] = {0};
	long pid = getpid(), tid = gettid(), nr = SYS_tgkill;

	install(SIGUSR1, 0, use_fpu);
	__asm__ volatile("movdqu 0(%[in]), %%xmm7\n\tmovdqu 16(%[in]), %%xmm15\n\tsyscall\n\t"
			 "movdqu %%xmm7, 0(%[out])\n\tmovdqu %%xmm15, 16(%[out])"
			 : "+a"(nr)
			 : [in] "r"(in), [out] "r"(out), "D"(pid), "S"(tid), "d"((long)SIGUSR1)
			 : "rcx", "r11", "xmm7", "xmm15", "memory");
	NOTE("count %d same %d", count, memcmp(in, out, sizeof(in)) == 0);
}

CASE(x87_and_mxcsr_survive)
{
	uint32_t mxcsr_in = 0x3f80, mxcsr_out = 0;
	uint16_t cw_in = 0x077f, cw_out = 0;
	double top = 0;

	install(SIGUSR1, 0, use_fpu);
	__asm__ volatile("ldmxcsr %0; fldcw %1; fldpi" ::"m"(mxcsr_in), "m"(cw_in));
	SYS(SYS_tgkill, getpid(), gettid(), SIGUSR1);
	__asm__ volatile("stmxcsr %0; fnstcw %1; fstpl %2"
			 : "=m"(mxcsr_out), "=m"(cw_out), "=m"(top));
	NOTE("mxcsr %x cw %x pi %d", mxcsr_out & 0xffc0, cw_out, top > 3.14 && top < 3.15);
}

__attribute__((target("avx"))) static void avx_round(uint64_t *out)
{
	uint64_t in[4] = {1, 2, 0x33333333, 0x4444444444};
	long pid = getpid(), tid = gettid(), nr = SYS_tgkill;

	__asm__ volatile(
		"vmovdqu 0(%[in]), %%ymm9\n\tsyscall\n\tvmovdqu %%ymm9, 0(%[out])\n\tvzeroupper"
		: "+a"(nr)
		: [in] "r"(in), [out] "r"(out), "D"(pid), "S"(tid), "d"((long)SIGUSR1)
		: "rcx", "r11", "xmm9", "memory");
}

static void clobber_avx(int signo, siginfo_t *info, void *context)
{
	__asm__ volatile(".byte 0xc5,0xfc,0x77" ::: "memory"); /* vzeroall */
	count++;
}

CASE(avx_state_survives)
{
	uint64_t out[4] = {0};

	if (!__builtin_cpu_supports("avx"))
		SKIP("no AVX");
	install(SIGUSR1, 0, clobber_avx);
	avx_round(out);
	NOTE("%d: %llx %llx %llx %llx", count, (unsigned long long)out[0],
		(unsigned long long)out[1], (unsigned long long)out[2], (unsigned long long)out[3]);
}

static void clean_fpu(int signo, siginfo_t *info, void *context)
{
	uint32_t mxcsr;
	uint16_t cw;

	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(cw));
	NOTE("in handler mxcsr %x cw %x", mxcsr, cw);
}

CASE(handler_starts_with_clean_fpu)
{
	uint32_t mxcsr = 0x3f80;
	uint16_t cw = 0x077f;

	install(SIGUSR1, 0, clean_fpu);
	__asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(mxcsr), "m"(cw));
	SYS(SYS_tgkill, getpid(), gettid(), SIGUSR1);
}

static void change_xmm_in_frame(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.fpregs->_xmm[7].element[0] = 0xabcdef01;
}

CASE(frame_fpu_change_takes_effect)
{
	uint32_t in[4] = {1, 2, 3, 4}, out[4] = {0};
	long pid = getpid(), tid = gettid(), nr = SYS_tgkill;

	install(SIGUSR1, 0, change_xmm_in_frame);
	__asm__ volatile("movdqu 0(%[in]), %%xmm7\n\tsyscall\n\tmovdqu %%xmm7, 0(%[out])"
			 : "+a"(nr)
			 : [in] "r"(in), [out] "r"(out), "D"(pid), "S"(tid), "d"((long)SIGUSR1)
			 : "rcx", "r11", "xmm7", "memory");
	NOTE("%x %x %x %x", out[0], out[1], out[2], out[3]);
}

/* ---- bad frames ---- */

static void bad_mxcsr(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.fpregs->mxcsr = 0xffffffff;
}

static void bad_fp_pointer(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.fpregs = BAD_ADDRESS;
}

static void no_fp_pointer(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.fpregs = NULL;
}

static void bad_rip(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.gregs[REG_RIP] = (long long)0x8000000000000000ull;
}

static void bad_flags(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	/* IOPL and IF are not the guest's to change. */
	uc->uc_mcontext.gregs[REG_EFL] |= 0x3000;
	uc->uc_mcontext.gregs[REG_EFL] &= ~0x200;
}

static void try_frame(const char *what, void (*fn)(int, siginfo_t *, void *))
{
	pid_t pid = fork();

	if (pid == 0) {
		install(SIGUSR1, 0, fn);
		raise(SIGUSR1);
		_exit(0);
	}
	note_wait(what, pid);
}

CASE(bad_frames)
{
	try_frame("mxcsr", bad_mxcsr);
	try_frame("fp pointer", bad_fp_pointer);
	try_frame("no fp pointer", no_fp_pointer);
	try_frame("rip", bad_rip);
	try_frame("flags", bad_flags);
}

CASE(sigreturn_with_wild_stack)
{
	pid_t pid = fork();

	if (pid == 0) {
		__asm__ volatile("movq $0x1000, %%rsp; movl $15, %%eax; syscall; hlt" ::: "memory");
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(handler_with_wild_stack)
{
	pid_t pid = fork();

	if (pid == 0) {
		install(SIGSEGV, 0, note_stack);
		__asm__ volatile("movq $0x1000, %%rsp; pushq %%rax" ::: "memory");
		_exit(0);
	}
	note_wait("child", pid);
}

struct raw_action {
	void (*handler)(int);
	uint64_t flags, restorer, mask;
};

static void plain(int signo)
{
	NOTE("not reached");
}

CASE(no_restorer)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct raw_action act = {.handler = plain};

		CALL(SYS(SYS_rt_sigaction, SIGUSR1, &act, NULL, 8));
		raise(SIGUSR1);
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(direction_flag_cleared)
{
	long pid = getpid(), tid = gettid(), nr = SYS_tgkill;
	uint64_t flags;

	install(SIGUSR1, 0, use_fpu);
	__asm__ volatile("std\n\tsyscall\n\tpushfq\n\tpopq %[flags]\n\tcld"
			 : "+a"(nr), [flags] "=r"(flags)
			 : "D"(pid), "S"(tid), "d"((long)SIGUSR1)
			 : "rcx", "r11", "memory", "cc");
	NOTE("count %d df after %d", count, (int)(flags >> 10 & 1));
}

static void *thread_altstack(void *arg)
{
	stack_t now;

	sigaltstack(NULL, &now);
	NOTE("thread: flags %d size %zu", now.ss_flags, now.ss_size);
	return NULL;
}

CASE(altstack_and_children)
{
	pthread_t thread;

	set_altstack(0);
	pthread_create(&thread, NULL, thread_altstack, NULL);
	pthread_join(thread, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		thread_altstack(NULL);
		_exit(0);
	}
	note_wait("child", pid);
}

/* ---- frames that cannot be written, and frames on frames ---- */

static char small_stack[65536] __attribute__((aligned(64)));

static void small_altstack(size_t size)
{
	stack_t stack = {.ss_sp = small_stack, .ss_size = size};

	CALL(sigaltstack(&stack, NULL));
}

static void count_signal(int signo, siginfo_t *info, void *context)
{
	count++;
}

static void tell_of_wild_stack(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	unsigned long long mask;

	memcpy(&mask, &uc->uc_sigmask, sizeof(mask));
	NOTE("signal %d code %d rsp %llx rax %lld mask %llx handled %d", signo, info->si_code,
		(unsigned long long)uc->uc_mcontext.gregs[REG_RSP],
		(long long)uc->uc_mcontext.gregs[REG_RAX], mask, count);
	_exit(7);
}

static void wild_stack_child(unsigned long long rsp)
{
	register long long size __asm__("r10") = 8;
	static unsigned long long set = 1ull << (SIGUSR1 - 1);

	install(SIGUSR1, 0, count_signal);
	install(SIGSEGV, SA_ONSTACK, tell_of_wild_stack);
	small_altstack(sizeof(small_stack));
	SYS(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
	raise(SIGUSR1);
	__asm__ volatile(
		"movq %%rsp, %%r12; movq %5, %%rsp; syscall; movq %%r12, %%rsp"
		:
		: "a"(SYS_rt_sigprocmask), "D"(SIG_UNBLOCK), "S"(&set), "d"(0), "r"(size), "r"(rsp)
		: "rcx", "r11", "r12", "memory");
	NOTE("handled %d", count);
	_exit(1);
}

CASE(wild_stack_told_on_altstack)
{
	static const unsigned long long stacks[] = {
		0x1000, 0, 8, 0x7fffffffffff, 0x8000000000000000};

	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		pid_t pid = fork();

		if (pid == 0)
			wild_stack_child(stacks[i]);
		note_wait("child", pid);
	}
}

static void in_order(int signo, siginfo_t *info, void *context)
{
	unsigned long long mask;

	memcpy(&mask, &((ucontext_t *)context)->uc_sigmask, sizeof(mask));
	NOTE("signal %d mask %llx", signo, mask);
}

static void raise_three(void)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGTERM);
	raise(SIGUSR2);
	raise(SIGUSR1);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

CASE(frames_on_frames)
{
	install(SIGUSR1, 0, in_order);
	install(SIGUSR2, 0, in_order);
	install(SIGTERM, 0, in_order);
	raise_three();
	NOTE("back");
}

CASE(frames_on_frames_until_full)
{
	pid_t pid = fork();

	if (pid == 0) {
		small_altstack((size_t)sysconf(_SC_MINSIGSTKSZ) * 3 / 2);
		install(SIGUSR1, SA_ONSTACK, in_order);
		install(SIGUSR2, SA_ONSTACK, in_order);
		install(SIGTERM, SA_ONSTACK, in_order);
		raise_three();
		NOTE("not reached");
		_exit(0);
	}
	note_wait("child", pid);
}

/* ---- a call site that signals often ---- */

static int unclean, odd_frames;

static void check_and_clobber(int signo, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uint32_t mxcsr;
	uint16_t cw;

	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(cw));
	unclean += mxcsr != 0x1f80 || cw != 0x37f;
	if (signo == SIGUSR1)
		odd_frames += uc->uc_mcontext.gregs[REG_RBX] != 0x1b ||
			      uc->uc_mcontext.gregs[REG_R15] != 0x1f ||
			      uc->uc_mcontext.gregs[REG_RAX] != 0 ||
			      uc->uc_mcontext.fpregs->_xmm[7].element[1] != 0x99aabbcc;
	mxcsr = 0x3f80;
	__asm__ volatile("pcmpeqb %%xmm7, %%xmm7; pcmpeqb %%xmm15, %%xmm15; ldmxcsr %0; fldz"
			 :
			 : "m"(mxcsr)
			 : "xmm7", "xmm15");
	count++;
}

/* All in one place: what the call site is, stays the same in every round. */
static int signal_oneself(long pid)
{
	static const uint32_t in[4]
		__attribute__((aligned(16))) = {0x11223344, 0x99aabbcc, 0x0f1e2d3c, 0x8796a5b4};
	uint32_t out[8] __attribute__((aligned(16))) = {0}, mxcsr = 0x5f80, mxcsr_after = 0;
	register uint64_t rbx __asm__("r8"), r15 __asm__("r9");
	long result;

	__asm__ volatile("ldmxcsr %[mxcsr]; movdqa %[in], %%xmm7; movdqa %%xmm7, %%xmm15\n\t"
			 "pushq %%rbx; pushq %%r15; subq $128, %%rsp\n\t"
			 "movl $0x1b, %%ebx; movl $0x1f, %%r15d\n\t"
			 "movl $62, %%eax\n\tsyscall\n\t"
			 "movq %%rbx, %%r8; movq %%r15, %%r9\n\t"
			 "addq $128, %%rsp; popq %%r15; popq %%rbx\n\t"
			 "movdqa %%xmm7, (%[out]); movdqa %%xmm15, 16(%[out]); stmxcsr (%[after])"
			 : "=&a"(result), "=&r"(rbx), "=&r"(r15)
			 : "D"(pid), "S"((long)SIGUSR1), [in] "m"(in), [out] "r"(out),
			 [mxcsr] "m"(mxcsr), [after] "r"(&mxcsr_after)
			 : "rcx", "r11", "xmm7", "xmm15", "memory");
	return result != 0 || rbx != 0x1b || r15 != 0x1f || memcmp(out, in, 16) ||
	       memcmp(out + 4, in, 16) || (mxcsr_after & 0xffc0) != 0x5f80;
}

CASE(hot_site_keeps_everything)
{
	struct itimerval every = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
	long pid = getpid();
	int wrong = 0, mine = 0;

	install(SIGUSR1, 0, check_and_clobber);
	install(SIGALRM, 0, check_and_clobber);
	for (int i = 0; i < 500; i++)
		wrong += signal_oneself(pid);
	NOTE("quiet: handled %d wrong %d unclean %d odd %d", count, wrong, unclean, odd_frames);
	setitimer(ITIMER_REAL, &every, NULL);
	for (int i = 0; i < 5000; i++) {
		wrong += signal_oneself(pid);
		mine++;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	NOTE("under alarms: all %d wrong %d unclean %d odd %d", count >= 500 + mine, wrong, unclean,
		odd_frames);
}

/* From there to a stack that takes no frame. */
static sigjmp_buf out_of_segv;

static void leave_segv(int signo, siginfo_t *info, void *context)
{
	count++;
	siglongjmp(out_of_segv, 1);
}

CASE(hot_site_on_a_wild_stack)
{
	long pid = getpid();
	volatile int survived = 0;

	small_altstack(sizeof(small_stack));
	install(SIGSEGV, SA_ONSTACK, leave_segv);
	install(SIGUSR1, 0, in_order);
	for (int i = 0; i < 300; i++) {
		if (sigsetjmp(out_of_segv, 1) == 0) {
			__asm__ volatile("movq $64, %%rsp\n\tmovl $62, %%eax\n\tsyscall\n\tud2"
					 :
					 : "D"(pid), "S"((long)SIGUSR1)
					 : "rax", "rcx", "r11", "memory");
		}
		survived++;
	}
	NOTE("survived %d, faults %d", survived, count);
}

/* Where there is 32-bit code, which a far jump leads to; the handler that takes us out. */
static uint64_t narrow_code;
static volatile int narrow_seen, narrow_segment, narrow_place;

static void leave_narrow(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint16_t segment;

	__asm__ volatile("mov %%cs, %0" : "=r"(segment));
	narrow_seen = signo;
	narrow_segment = segment;
	narrow_place = (uint64_t)uc->uc_mcontext.gregs[REG_RIP] == narrow_code;
	siglongjmp(out_of_segv, 1);
}

static void jump_narrow(const uint8_t *code, size_t size)
{
	memcpy((void *)narrow_code, code, size);
	narrow_seen = narrow_segment = narrow_place = 0;
	if (sigsetjmp(out_of_segv, 1) == 0)
		__asm__ volatile("pushq $0x23\n\tpushq %0\n\tlretq"
				 :
				 : "r"(narrow_code)
				 : "memory");
}

/* Handlers are 64-bit code, whatever segment was left for them. */
CASE(handlers_of_32_bit_code)
{
	static const uint8_t undefined[] = {0x0f, 0x0b}, loop[] = {0xeb, 0xfe};
	struct itimerval soon = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};

	narrow_code = (uint64_t)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	small_altstack(sizeof(small_stack));
	install(SIGILL, SA_ONSTACK, leave_narrow);
	install(SIGSEGV, SA_ONSTACK, leave_narrow);
	install(SIGALRM, SA_ONSTACK, leave_narrow);
	for (int i = 0; i < 3; i++) {
		jump_narrow(undefined, sizeof(undefined));
		NOTE("undefined: signal %d, segment %#x, at the code %d", narrow_seen,
			narrow_segment, narrow_place);
	}
	setitimer(ITIMER_REAL, &soon, NULL);
	jump_narrow(loop, sizeof(loop));
	setitimer(ITIMER_REAL, &never, NULL);
	NOTE("loop: signal %d, segment %#x, at the code %d", narrow_seen, narrow_segment,
		narrow_place);
}
