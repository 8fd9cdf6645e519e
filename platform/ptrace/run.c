/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running guest code: load registers, PTRACE_SYSEMU, wait, decide what the stop means.
 *
 * PTRACE_SYSEMU stops before the call and skips it: the host never performs a guest's call, and its
 * seccomp filter never sees one. What the kernel changed after an ordinary call is rax alone, which
 * costs one PTRACE_POKEUSER.
 *
 * orig_rax stays the call's number then, and a signal that arrives on the way out makes the host
 * look for restart codes in rax (arch/x86/kernel/signal.c). Values in that range therefore take the
 * long way with orig_rax -1.
 */
#include "platform/ptrace/tracee.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#define USER_CS 0x33
#define USER_SS 0x2b

/* -ERESTARTSYS .. -ERESTART_RESTARTBLOCK, include/linux/errno.h */
#define RESTART_FIRST ((uint64_t)-516)
#define RESTART_LAST  ((uint64_t)-512)

void regs_from_host(struct tracee *t)
{
	const struct user_regs_struct *h = &t->host;

	t->pub.regs = (struct guest_regs){
		.r15 = h->r15,
		.r14 = h->r14,
		.r13 = h->r13,
		.r12 = h->r12,
		.rbp = h->rbp,
		.rbx = h->rbx,
		.r11 = h->r11,
		.r10 = h->r10,
		.r9 = h->r9,
		.r8 = h->r8,
		.rax = h->rax,
		.rcx = h->rcx,
		.rdx = h->rdx,
		.rsi = h->rsi,
		.rdi = h->rdi,
		.orig_rax = UINT64_MAX,
		.rip = h->rip,
		.eflags = h->eflags,
		.rsp = h->rsp,
		.fs_base = h->fs_base,
		.gs_base = h->gs_base,
	};
	t->pub.regs_dirty = false;
	t->in_host = true;
}

static void regs_to_host(struct tracee *t)
{
	const struct guest_regs *g = &t->pub.regs;
	struct user_regs_struct *h = &t->host;

	h->r15 = g->r15;
	h->r14 = g->r14;
	h->r13 = g->r13;
	h->r12 = g->r12;
	h->rbp = g->rbp;
	h->rbx = g->rbx;
	h->r11 = g->r11;
	h->r10 = g->r10;
	h->r9 = g->r9;
	h->r8 = g->r8;
	h->rax = g->rax;
	h->rcx = g->rcx;
	h->rdx = g->rdx;
	h->rsi = g->rsi;
	h->rdi = g->rdi;
	h->rip = g->rip;
	h->eflags = g->eflags;
	h->rsp = g->rsp;
	h->fs_base = g->fs_base;
	h->gs_base = g->gs_base;
	h->cs = USER_CS;
	h->ss = USER_SS;
}

static int load_all(struct tracee *t)
{
	int err;

	t->host.orig_rax = UINT64_MAX;
	err = tracee_request(t, PTRACE_SETREGS, NULL, &t->host);
	if (err == -EIO) {
		/*
		 * A base in the kernel's half: wrfsbase sets one, ptrace refuses it. The guest
		 * cannot use it for anything; it loses the value.
		 */
		if (t->host.fs_base >= LX_TASK_SIZE)
			t->host.fs_base = 0;
		if (t->host.gs_base >= LX_TASK_SIZE)
			t->host.gs_base = 0;
		err = tracee_request(t, PTRACE_SETREGS, NULL, &t->host);
	}
	return err;
}

static int load_regs(struct tracee *t)
{
	uint64_t rax = t->pub.regs.rax;
	int err;

	if (t->pub.regs_dirty) {
		regs_to_host(t);
		err = load_all(t);
	} else if (!t->in_host || (rax >= RESTART_FIRST && rax <= RESTART_LAST)) {
		t->host.rax = rax;
		err = load_all(t);
	} else if (rax != t->host.rax) {
		t->host.rax = rax;
		err = tracee_request(t, PTRACE_POKEUSER,
			(void *)offsetof(struct user_regs_struct, rax), (void *)rax);
	} else {
		err = 0;
	}
	if (err == 0) {
		t->pub.regs_dirty = false;
		t->in_host = true;
	}
	return err;
}

/*
 * `syscall` leaves rip in rcx; int 0x80 and sysenter do not, unless the guest takes the trouble, in
 * which case it is taken at its word. Where rcx differs (FRED hosts keep the guest's), the host
 * says which it was.
 */
static bool is_native_call(struct tracee *t)
{
	struct __ptrace_syscall_info info;

	if (t->host.cs != USER_CS)
		return false;
	if (t->host.rcx == t->host.rip)
		return true;
	/* The third argument is the size, the request returns a length: not tracee_request()'s
	 * convention. */
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, (void *)sizeof(info), &info) < 0)
		return false;
	return info.arch == 0xc000003e; /* AUDIT_ARCH_X86_64 */
}

static void event_syscall(struct tracee *t, struct platform_event *event)
{
	struct guest_regs *regs = &t->pub.regs;

	if (!is_native_call(t)) {
		fault_int80(t, event);
		return;
	}
	regs->orig_rax = (uint64_t)(int32_t)t->host.orig_rax; /* only the low half is the number */
	event->kind = PLATFORM_SYSCALL;
	event->syscall.nr = regs->orig_rax;
	event->syscall.args[0] = regs->rdi;
	event->syscall.args[1] = regs->rsi;
	event->syscall.args[2] = regs->rdx;
	event->syscall.args[3] = regs->r10;
	event->syscall.args[4] = regs->r8;
	event->syscall.args[5] = regs->r9;
	event->syscall.interrupted = false;
	event->syscall.site = false;
}

/* False when the stop is nobody's business and the guest goes on. */
static bool event_from_stop(struct tracee *t, struct platform_event *event)
{
	int signo = WSTOPSIG(t->status);

	if (tracee_request(t, PTRACE_GETREGS, NULL, &t->host) < 0)
		return false;
	regs_from_host(t);
	if (signo == (SIGTRAP | 0x80)) {
		event_syscall(t, event);
		return true;
	}
	if (t->status >> 16 == 0)
		return fault_from_stop(t, signo, event);
	return false;
}

void ptrace_run(struct platform_thread *thread, struct platform_event *ret_event)
{
	struct tracee *t = tracee_of(thread);
	bool done = false;

	memset(ret_event, 0, sizeof(*ret_event));
	t->activity = TRACEE_IN_GUEST;
	t->interrupted = false;
	if (load_regs(t) < 0)
		goto dead;
	while (!done) {
		if (tracee_resume(t, PTRACE_SYSEMU) < 0)
			goto dead;
		tracee_wait(t);
		if (t->state == TRACEE_DEAD)
			goto dead;
		done = event_from_stop(t, ret_event);
		if (t->state == TRACEE_DEAD)
			goto dead;
		if (!done && t->interrupted) {
			ret_event->kind = PLATFORM_INTERRUPTED;
			done = true;
		}
	}
	t->activity = TRACEE_IDLE;
	return;
dead:
	t->activity = TRACEE_IDLE;
	/*
	 * SETREGS can fail with -EIO on garbage that the kernel loaded; the thread cannot go on,
	 * its process ends.
	 */
	if (t->state != TRACEE_DEAD)
		as_sigkill(t->pub.as);
	ret_event->kind = PLATFORM_EXITED;
	ret_event->exited.host_status = t->reaped ? t->status : 0;
}

void ptrace_interrupt(struct platform_thread *thread)
{
	struct tracee *t = tracee_of(thread);

	if (t->activity == TRACEE_IDLE)
		return;
	t->interrupted = true;
	if (t->state == TRACEE_RUNNING)
		(void)ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
}
