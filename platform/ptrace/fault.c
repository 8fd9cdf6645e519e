/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal-delivery-stops: synchronous faults of the guest, told apart from signals that somebody
 * outside sent.
 *
 * The host's signal is always suppressed. trapno and error_code are not in siginfo and ptrace does
 * not show them: they are derived from the signal and its code (arch/x86/kernel/traps.c,
 * arch/x86/mm/fault.c).
 */
#include "platform/ptrace/tracee.h"

#include <signal.h>
#include <string.h>

#include "platform/ptrace/store.h"

/* Exception vectors, arch/x86/include/asm/trapnr.h */
#define TRAP_DIVIDE	0
#define TRAP_DEBUG	1
#define TRAP_BREAKPOINT 3
#define TRAP_OPCODE	6
#define TRAP_PROTECTION 13
#define TRAP_PAGE	14
#define TRAP_X87	16
#define TRAP_ALIGNMENT	17
#define TRAP_SIMD	19

#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_USER	   4u
#define PF_FETCH   16u

#define VSYSCALL_PAGE 0xffffffffff600000ull

/* Bits of the page fault's error code: which access it was. */
static uint64_t page_fault_access(struct tracee *t, uint64_t addr)
{
	const struct store_context context = {.addr = addr, .rsp = t->host.rsp, .rdi = t->host.rdi};
	uint8_t code[15];
	ssize_t size;

	if (addr == t->host.rip)
		return PF_FETCH;
	size = ptrace_copy_in(&t->pub, code, GADDR(t->host.rip), sizeof(code));
	return size > 0 && instruction_stores(code, (size_t)size, &context) ? PF_WRITE : 0;
}

static void describe_segv(struct tracee *t, const siginfo_t *info, struct platform_event *event)
{
	if (info->si_code == SI_KERNEL || info->si_code > SEGV_PKUERR) {
		event->fault.trapno = TRAP_PROTECTION;
		return;
	}
	event->fault.trapno = TRAP_PAGE;
	event->fault.error_code = PF_USER | page_fault_access(t, (uint64_t)info->si_addr);
	if (info->si_code != SEGV_MAPERR)
		event->fault.error_code |= PF_PRESENT;
}

static void describe(struct tracee *t, const siginfo_t *info, struct platform_event *event)
{
	switch (info->si_signo) {
	case SIGSEGV:
		describe_segv(t, info, event);
		break;
	case SIGBUS:
		if (info->si_code == BUS_ADRALN) {
			event->fault.trapno = TRAP_ALIGNMENT;
		} else {
			event->fault.trapno = TRAP_PAGE;
			event->fault.error_code =
				PF_USER | page_fault_access(t, (uint64_t)info->si_addr);
		}
		break;
	case SIGFPE:
		event->fault.trapno = info->si_code == FPE_INTDIV || info->si_code == FPE_INTOVF
					      ? TRAP_DIVIDE
					      : TRAP_SIMD;
		break;
	case SIGILL:
		event->fault.trapno = TRAP_OPCODE;
		break;
	default:
		event->fault.trapno = info->si_code == SI_KERNEL ? TRAP_BREAKPOINT : TRAP_DEBUG;
		break;
	}
}

/*
 * A call through the vsyscall page: the host emulates it without a SYSEMU stop, asks seccomp, and
 * our filter turns it into SIGSYS. By then rip is the caller's return address; what is missing is
 * the result, so it is an ordinary call from here on.
 */
static bool vsyscall_call(struct tracee *t, const siginfo_t *info, struct platform_event *event)
{
	struct guest_regs *regs = &t->pub.regs;
	uint64_t addr = (uint64_t)info->si_call_addr;

	if (info->si_code != 1 /* SYS_SECCOMP */ || (addr & ~0xfffull) != VSYSCALL_PAGE)
		return false;
	regs->orig_rax = (uint64_t)info->si_syscall;
	event->kind = PLATFORM_SYSCALL;
	event->syscall.nr = regs->orig_rax;
	event->syscall.args[0] = regs->rdi;
	event->syscall.args[1] = regs->rsi;
	event->syscall.args[2] = regs->rdx;
	return true;
}

bool fault_from_stop(struct tracee *t, int signo, struct platform_event *event)
{
	siginfo_t info;

	if (tracee_request(t, PTRACE_GETSIGINFO, NULL, &info) < 0)
		return false;
	/* What processes send has si_code <= 0 (sigaction(2)); SI_KERNEL is 0x80. */
	if (info.si_code <= 0 || info.si_signo != signo)
		return false;
	switch (signo) {
	case SIGSYS:
		return vsyscall_call(t, &info, event);
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
		break;
	default:
		return false;
	}
	event->kind = PLATFORM_FAULT;
	event->fault.signo = signo;
	event->fault.code = info.si_code;
	/* SIGTRAP by int3 has no address (force_sig(), traps.c); a general protection fault
	 * neither. */
	event->fault.addr = info.si_code == SI_KERNEL ? 0 : (uint64_t)info.si_addr;
	describe(t, &info, event);
	return true;
}

/* int 0x80 and sysenter on a kernel without 32-bit support: a general protection fault on vector
 * 0x80. */
void fault_int80(struct tracee *t, struct platform_event *event)
{
	t->host.rip -= 2;
	t->host.rax = t->host.orig_rax;
	t->host.cs = 0x33;
	t->host.ss = 0x2b;
	regs_from_host(t);
	t->in_host = false;
	event->kind = PLATFORM_FAULT;
	event->fault.signo = SIGSEGV;
	event->fault.code = SI_KERNEL;
	event->fault.addr = 0;
	event->fault.trapno = TRAP_PROTECTION;
	event->fault.error_code = 0x80 * 8 + 2;
}
