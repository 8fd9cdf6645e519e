/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace(2): TRACEME, signals, calls, registers, memory, steps. */
#include "ptrace.h"

#include <sys/prctl.h>

/* ---- asking to be traced -----------------------------------------------------------------------
 */

CASE(traceme_stop_and_go)
{
	pid_t pid = child(do_nothing);

	say_wait("untraced", pid);
	pid = traced(do_nothing);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
	CALL(pt(PTRACE_CONT, pid, 0, 0));
}

static void traceme_twice(void)
{
	CALL(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

CASE(traceme_again)
{
	pid_t pid = traced(traceme_twice);

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(requests_of_strangers)
{
	pid_t pid = child((void (*)(void))pause);
	unsigned long word;

	CALL(pt(PTRACE_CONT, pid, 0, 0));
	CALL(pt(PTRACE_KILL, pid, 0, 0));
	CALL(pt(PTRACE_DETACH, pid, 0, 0));
	CALL(pt(PTRACE_INTERRUPT, pid, 0, 0));
	CALL(SYS(SYS_ptrace, PTRACE_PEEKDATA, pid, &word, &word));
	CALL(pt(PTRACE_CONT, 0x7fffffff, 0, 0));
	CALL(pt(PTRACE_ATTACH, 0x7fffffff, 0, 0));
	CALL(pt(PTRACE_ATTACH, getpid(), 0, 0));
	CALL(pt(PTRACE_SEIZE, getpid(), 0, 0));
	finish(pid);
}

CASE(unknown_requests)
{
	pid_t pid = traced(do_nothing);

	CALL(pt(0x1234, pid, 0, 0));
	CALL(pt(-1, pid, 0, 0));
	CALL(pt(10, pid, 0, 0));
	CALL(pt(PTRACE_SETOPTIONS, pid, 0, 0x100));
	CALL(pt(PTRACE_SETOPTIONS, pid, 0, -1));
	CALL(pt(PTRACE_CONT, pid, 0, 65));
	CALL(pt(PTRACE_DETACH, pid, 0, 65));
	CALL(pt(PTRACE_INTERRUPT, pid, 0, 0));
	CALL(pt(PTRACE_LISTEN, pid, 0, 0));
	finish(pid);
}

CASE(running_tracee_refuses)
{
	pid_t pid = traced((void (*)(void))pause);
	struct user_regs_struct regs;

	CALL(pt(PTRACE_CONT, pid, 0, 0));
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	CALL(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	CALL(pt(PTRACE_DETACH, pid, 0, 0));
	CALL(kill(pid, SIGUSR1));
	say_wait("signal", pid);
	CALL(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	finish(pid);
}

/* ---- signals -----------------------------------------------------------------------------------
 */

static void raise_usr1(void)
{
	raise(SIGUSR1);
	_exit(7);
}

CASE(signal_passed_on)
{
	pid_t pid = traced(raise_usr1);

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("raise", pid);
	say_siginfo("raise", pid);
	pt(PTRACE_CONT, pid, 0, SIGUSR1);
	say_wait("end", pid);
}

CASE(signal_swallowed)
{
	pid_t pid = traced(raise_usr1);

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("raise", pid);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(signal_replaced)
{
	pid_t pid = traced(raise_usr1);

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("raise", pid);
	pt(PTRACE_CONT, pid, 0, SIGTERM);
	say_wait("end", pid);
}

static volatile int seen_signo, seen_code, seen_from;

static void on_signal(int signo, siginfo_t *info, void *context)
{
	seen_signo = signo;
	seen_code = info->si_code;
	seen_from = info->si_pid == getppid();
}

static void catch_usr(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR1);
	NOTE("handler: %d %d, from the tracer: %d", seen_signo, seen_code, seen_from);
}

CASE(signal_replaced_handler)
{
	pid_t pid = traced(catch_usr);

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("raise", pid);
	pt(PTRACE_CONT, pid, 0, SIGUSR2);
	say_wait("end", pid);
}

CASE(siginfo_changed)
{
	pid_t pid = traced(catch_usr);
	siginfo_t info;

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("raise", pid);
	ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	CALL(ptrace(PTRACE_SETSIGINFO, pid, NULL, &info));
	pt(PTRACE_CONT, pid, 0, SIGUSR1);
	say_wait("end", pid);
}

static void ignored(void)
{
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	raise(SIGCHLD);
	raise(SIGWINCH);
}

CASE(signals_ignored_are_seen)
{
	pid_t pid = traced(ignored);

	for (int i = 0; i < 4; i++) {
		pt(PTRACE_CONT, pid, 0, 0);
		say_wait("next", pid);
	}
}

static void blocked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	raise(SIGSTOP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

CASE(signals_blocked)
{
	pid_t pid = traced(blocked);

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("stop", pid);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("unblocked", pid);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(signal_mask)
{
	pid_t pid = traced(blocked);
	uint64_t mask = 0;

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("stop", pid);
	CALL(ptrace(PTRACE_GETSIGMASK, pid, 8, &mask));
	NOTE("mask %#llx", (unsigned long long)mask);
	CALL(ptrace(PTRACE_GETSIGMASK, pid, 4, &mask));
	mask = 1 << (SIGUSR2 - 1) | 1 << (SIGKILL - 1);
	CALL(ptrace(PTRACE_SETSIGMASK, pid, 8, &mask));
	CALL(ptrace(PTRACE_GETSIGMASK, pid, 8, &mask));
	NOTE("mask %#llx", (unsigned long long)mask);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("unblocked", pid);
	finish(pid);
}

CASE(signal_queue)
{
	pid_t pid = traced(blocked);
	struct __ptrace_peeksiginfo_args args = {.nr = 4};
	siginfo_t infos[4];

	memset(infos, 0, sizeof(infos));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("stop", pid);
	CALL(ptrace(PTRACE_PEEKSIGINFO, pid, &args, infos));
	NOTE("signo %d code %d", infos[0].si_signo, infos[0].si_code);
	kill(pid, SIGUSR1);
	args.flags = PTRACE_PEEKSIGINFO_SHARED;
	CALL(ptrace(PTRACE_PEEKSIGINFO, pid, &args, infos));
	NOTE("signo %d code %d", infos[0].si_signo, infos[0].si_code);
	args.off = 1;
	CALL(ptrace(PTRACE_PEEKSIGINFO, pid, &args, infos));
	args.flags = 2;
	CALL(ptrace(PTRACE_PEEKSIGINFO, pid, &args, infos));
	args.flags = 0;
	args.nr = -1;
	CALL(ptrace(PTRACE_PEEKSIGINFO, pid, &args, infos));
	finish(pid);
}

static void fault(void)
{
	*(volatile int *)BAD_ADDRESS = 1;
}

CASE(fault_is_a_stop)
{
	pid_t pid = traced(fault);

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("fault", pid);
	say_siginfo("fault", pid);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("again", pid);
	pt(PTRACE_CONT, pid, 0, SIGSEGV);
	say_wait("end", pid);
}

CASE(kill_ends_a_stop)
{
	pid_t pid = traced(do_nothing);

	CALL(kill(pid, SIGKILL));
	say_wait("end", pid);
	pid = traced(do_nothing);
	CALL(pt(PTRACE_KILL, pid, 0, 0));
	say_wait("end", pid);
}

/* ---- calls -------------------------------------------------------------------------------------
 */

static void two_calls(void)
{
	SYS(SYS_getppid);
	SYS(SYS_close, -1);
	_exit(4);
}

static void say_call(const char *what, pid_t pid)
{
	struct user_regs_struct regs;

	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	NOTE("%s: call %lld, rax %s%lld", what, (long long)regs.orig_rax,
		(long long)regs.rax > 0 ? "positive " : "",
		(long long)regs.rax > 0 ? 0 : (long long)regs.rax);
}

CASE(syscall_stops)
{
	pid_t pid = traced(two_calls);

	CALL(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	for (int i = 0; i < 5; i++) {
		pt(PTRACE_SYSCALL, pid, 0, 0);
		say_wait("call", pid);
		say_call("call", pid);
		say_siginfo("call", pid);
	}
	pt(PTRACE_SYSCALL, pid, 0, 0);
	say_wait("end", pid);
}

CASE(syscall_stops_plain)
{
	pid_t pid = traced(two_calls);

	pt(PTRACE_SYSCALL, pid, 0, 0);
	say_wait("call", pid);
	say_siginfo("call", pid);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

static void say_info(pid_t pid)
{
	struct __ptrace_syscall_info info;
	long size;

	memset(&info, 0, sizeof(info));
	size = ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info);
	NOTE("size %ld op %d arch %#x ip %d sp %d", size, info.op, info.arch,
		info.instruction_pointer != 0, info.stack_pointer != 0);
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		NOTE("nr %llu arg %lld", (unsigned long long)info.entry.nr,
			(long long)(int)info.entry.args[0]);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		NOTE("error %d", info.exit.is_error);
}

static void one_close(void)
{
	SYS(SYS_close, -5);
	SYS(SYS_umask, 022);
}

CASE(syscall_info)
{
	pid_t pid = traced(one_close);
	char few[8];

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	say_info(pid);
	for (int i = 0; i < 4; i++) {
		pt(PTRACE_SYSCALL, pid, 0, 0);
		say_wait("call", pid);
		say_info(pid);
	}
	CALL(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)8, few));
	CALL(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)0, few));
	CALL(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)88, BAD_ADDRESS));
	finish(pid);
}

static void to_next_call(pid_t pid)
{
	pt(PTRACE_SYSCALL, pid, 0, 0);
	waitpid(pid, NULL, 0);
}

static void umask_result(void)
{
	long old;

	umask(077);
	old = SYS(SYS_umask, 022);
	NOTE("umask said %ld, errno %d", old, errno);
	NOTE("umask is %o", umask(0));
}

CASE(syscall_argument_changed)
{
	pid_t pid = traced(umask_result);
	struct user_regs_struct regs;

	to_next_call(pid);
	to_next_call(pid);
	to_next_call(pid);
	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	TRUTH(regs.orig_rax == SYS_umask && regs.rdi == 022);
	regs.rdi = 0111;
	CALL(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(syscall_number_changed)
{
	pid_t pid = traced(umask_result);

	to_next_call(pid);
	to_next_call(pid);
	to_next_call(pid);
	CALL(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), SYS_getpriority));
	CALL(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rdi), 55));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(syscall_skipped)
{
	pid_t pid = traced(umask_result);

	to_next_call(pid);
	to_next_call(pid);
	to_next_call(pid);
	CALL(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(syscall_result_changed)
{
	pid_t pid = traced(umask_result);

	for (int i = 0; i < 4; i++)
		to_next_call(pid);
	CALL(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), 1234));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(sysemu)
{
	pid_t pid = traced(umask_result);

	to_next_call(pid);
	to_next_call(pid);
	CALL(pt(31 /* PTRACE_SYSEMU */, pid, 0, 0));
	say_wait("emulated", pid);
	say_call("emulated", pid);
	CALL(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), 99));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(syscall_signal_injected)
{
	pid_t pid = traced(two_calls);

	to_next_call(pid);
	CALL(pt(PTRACE_SYSCALL, pid, 0, SIGUSR1));
	say_wait("exit of the call", pid);
	pt(PTRACE_SYSCALL, pid, 0, 0);
	say_wait("signal", pid);
	say_siginfo("signal", pid);
	finish(pid);
}

static void read_pipe(void)
{
	int fds[2];
	char byte;

	pipe(fds);
	read(fds[0], &byte, 1);
}

CASE(syscall_interrupted)
{
	pid_t pid = traced(read_pipe);

	for (int i = 0; i < 3; i++)
		to_next_call(pid);
	say_call("before", pid);
	pt(PTRACE_SYSCALL, pid, 0, 0);
	sleep_ms(20);
	kill(pid, SIGUSR1);
	say_wait("out", pid);
	say_call("out", pid);
	pt(PTRACE_SYSCALL, pid, 0, 0);
	say_wait("signal", pid);
	say_call("signal", pid);
	pt(PTRACE_SYSCALL, pid, 0, 0);
	say_wait("in again", pid);
	say_call("in again", pid);
	finish(pid);
}

/* ---- registers ---------------------------------------------------------------------------------
 */

static void spin_forever(void)
{
	__asm__ volatile("movq $0x1111, %%rbx\n"
			 "movq $0x2222, %%r12\n"
			 "movq $0x3333, %%r9\n"
			 "int3\n"
			 "movq %%rbx, %%rdi\n"
			 "movl $231, %%eax\n"
			 "syscall\n" ::
				 : "rbx", "r12", "r9", "rdi", "rax", "rcx", "r11", "memory");
}

CASE(registers)
{
	pid_t pid = traced(spin_forever);
	struct user_regs_struct regs;

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("int3", pid);
	say_siginfo("int3", pid);
	CALL(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	NOTE("rbx %llx r12 %llx r9 %llx orig_rax %lld cs %llx ss %llx ds %llx eflags IF %d",
		(unsigned long long)regs.rbx, (unsigned long long)regs.r12,
		(unsigned long long)regs.r9, (long long)regs.orig_rax, (unsigned long long)regs.cs,
		(unsigned long long)regs.ss, (unsigned long long)regs.ds, !!(regs.eflags & 0x200));
	regs.rbx = 42;
	CALL(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(registers_refused)
{
	pid_t pid = traced(do_nothing);
	struct user_regs_struct regs;

	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	regs.fs_base = 1ull << 63;
	CALL(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	CALL(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.cs), 0));
	CALL(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.ss), 0x10));
	CALL(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.gs_base), -1));
	CALL(ptrace(PTRACE_SETREGS, pid, NULL, BAD_ADDRESS));
	CALL(ptrace(PTRACE_GETREGS, pid, NULL, BAD_ADDRESS));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(user_area)
{
	pid_t pid = traced(spin_forever);
	unsigned long word = 1;

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("int3", pid);
	CALL(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rbx), 0));
	CALL(SYS(SYS_ptrace, PTRACE_PEEKUSER, pid, offsetof(struct user, regs.r12), &word));
	NOTE("%lx", word);
	CALL(SYS(SYS_ptrace, PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[0]), &word));
	NOTE("%lx", word);
	CALL(SYS(SYS_ptrace, PTRACE_PEEKUSER, pid, 3, &word));
	CALL(SYS(SYS_ptrace, PTRACE_PEEKUSER, pid, sizeof(struct user) + 16, &word));
	CALL(SYS(SYS_ptrace, PTRACE_PEEKUSER, pid, sizeof(struct user) + 8, &word));
	CALL(SYS(SYS_ptrace, PTRACE_POKEUSER, pid, sizeof(struct user) + 16, 0));
	CALL(SYS(SYS_ptrace, PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[4]), 0));
	CALL(SYS(SYS_ptrace, PTRACE_POKEUSER, pid, offsetof(struct user, regs.rbx), 17));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

static void load_xmm(void)
{
	uint64_t value[2] = {0x1122334455667788, 0x99aabbccddeeff00};

	__asm__ volatile("movdqu %0, %%xmm5\n"
			 "int3\n"
			 "movdqu %%xmm5, %0\n"
			 : "+m"(value)::"xmm5");
	NOTE("xmm5 %016llx %016llx", (unsigned long long)value[1], (unsigned long long)value[0]);
}

CASE(fp_registers)
{
	pid_t pid = traced(load_xmm);
	struct user_fpregs_struct fp;

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("int3", pid);
	CALL(ptrace(PTRACE_GETFPREGS, pid, NULL, &fp));
	NOTE("xmm5 %08x %08x %08x %08x mxcsr %#x cwd %#x", fp.xmm_space[20], fp.xmm_space[21],
		fp.xmm_space[22], fp.xmm_space[23], fp.mxcsr, fp.cwd);
	fp.xmm_space[20] = 0xcafe;
	CALL(ptrace(PTRACE_SETFPREGS, pid, NULL, &fp));
	fp.mxcsr = 0xffffffff;
	CALL(ptrace(PTRACE_SETFPREGS, pid, NULL, &fp));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(regset_general)
{
	pid_t pid = traced(spin_forever);
	struct user_regs_struct regs;
	struct iovec iov = {&regs, sizeof(regs)};

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("int3", pid);
	CALL(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
	NOTE("%zu bytes, rbx %llx", iov.iov_len, (unsigned long long)regs.rbx);
	iov.iov_len = 1000000;
	CALL(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
	NOTE("%zu bytes", iov.iov_len);
	iov.iov_len = 16;
	CALL(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
	NOTE("%zu bytes", iov.iov_len);
	iov.iov_len = 15;
	CALL(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
	CALL(ptrace(PTRACE_GETREGSET, pid, 0x7777, &iov));
	CALL(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, BAD_ADDRESS));
	iov.iov_len = sizeof(regs);
	regs.rbx = 5;
	CALL(ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(regset_fpu)
{
	static _Alignas(64) unsigned char image[16384];
	pid_t pid = traced(load_xmm);
	struct iovec iov = {image, sizeof(image)};
	uint64_t xcr0, present, word;

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("int3", pid);
	CALL(ptrace(PTRACE_GETREGSET, pid, NT_PRFPREG, &iov));
	NOTE("%zu bytes", iov.iov_len);
	iov.iov_len = sizeof(image);
	CALL(ptrace(PTRACE_GETREGSET, pid, 0x202, &iov));
	memcpy(&xcr0, image + 464, 8);
	memcpy(&present, image + 512, 8);
	memcpy(&word, image + 160 + 5 * 16, 8);
	NOTE("x87, SSE, AVX: %llu; SSE present: %llu; xmm5 %016llx", (unsigned long long)xcr0 & 7,
		(unsigned long long)present >> 1 & 1, (unsigned long long)word);
	word = 0x5555;
	memcpy(image + 160 + 5 * 16, &word, 8);
	CALL(ptrace(PTRACE_SETREGSET, pid, 0x202, &iov));
	image[512 + 7] = 0xff;
	CALL(ptrace(PTRACE_SETREGSET, pid, 0x202, &iov));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

/* ---- steps -------------------------------------------------------------------------------------
 */

static void some_instructions(void)
{
	__asm__ volatile("int3\n"
			 "nop\n"
			 "xorl %%ebx, %%ebx\n"
			 "1: incl %%ebx\n"
			 "cmpl $3, %%ebx\n"
			 "jne 1b\n"
			 "movl $110, %%eax\n"
			 "syscall\n"
			 "nop\n"
			 "nop\n" ::
				 : "rbx", "rax", "rcx", "r11", "memory");
}

CASE(single_steps)
{
	pid_t pid = traced(some_instructions);
	struct user_regs_struct regs, last;
	siginfo_t info;

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("int3", pid);
	ptrace(PTRACE_GETREGS, pid, NULL, &last);
	for (int i = 0; i < 16; i++) {
		pt(PTRACE_SINGLESTEP, pid, 0, 0);
		waitpid(pid, NULL, 0);
		ptrace(PTRACE_GETREGS, pid, NULL, &regs);
		ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
		NOTE("step %lld, rbx %lld, trap flag %d, code %d", (long long)(regs.rip - last.rip),
			(long long)regs.rbx, !!(regs.eflags & 0x100), info.si_code);
		last = regs;
	}
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

static void handle_nothing(int signo)
{
}

static void with_handler(void)
{
	signal(SIGUSR1, handle_nothing);
	raise(SIGSTOP);
	__asm__ volatile("int3; nop; nop; nop");
}

CASE(step_into_handler)
{
	pid_t pid = traced(with_handler);
	struct user_regs_struct regs;

	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("stop", pid);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("int3", pid);
	kill(pid, SIGUSR1);
	CALL(pt(PTRACE_SINGLESTEP, pid, 0, 0));
	say_wait("signal", pid);
	CALL(pt(PTRACE_SINGLESTEP, pid, 0, SIGUSR1));
	say_wait("handler", pid);
	say_siginfo("handler", pid);
	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	TRUTH(regs.rip == (uintptr_t)handle_nothing);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(step_of_a_sleeping_call)
{
	pid_t pid = traced(read_pipe);

	for (int i = 0; i < 3; i++)
		to_next_call(pid);
	CALL(pt(PTRACE_SINGLESTEP, pid, 0, 0));
	sleep_ms(20);
	kill(pid, SIGUSR1);
	say_wait("out", pid);
	say_siginfo("out", pid);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("signal", pid);
	finish(pid);
}
