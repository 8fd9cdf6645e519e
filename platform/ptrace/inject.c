/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host calls made by a stopped tracee.
 *
 * The tracee gets registers that point at a `syscall` in its injection page and is resumed with
 * PTRACE_CONT; the int3 behind it brings it back. The page is the only place where the seccomp
 * filter lets a call through, the page is mapped r-x, and no guest can change that, since a guest's
 * own calls end in a SYSEMU stop. A guest that jumps into the page gets there what it gets
 * anywhere: its call is answered by the kernel, the int3 is its own SIGTRAP.
 *
 * Hard rules: the guest's registers are reloaded in full by the next run() (in_host is false from
 * here on), with orig_rax -1 so that the host's restart logic leaves them alone. Every signal that
 * shows up on the way is suppressed; none is lost for the guest, whose signals are the kernel's
 * own.
 */
#include "platform/ptrace/tracee.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#define INJECT_CALL_RETURN 0x02u /* rip behind the first syscall */
#define INJECT_CALL_END	   0x03u
#define INJECT_MAP_END	   0x3au

/* clang-format off */
asm(".pushsection .rodata\n"
    ".globl inject_code, inject_code_size\n"
    ".type inject_code, @object\n"
    "inject_code:\n"
    "	syscall\n"
    "	int3\n"
    "	.balign 16, 0xcc\n"
    /* rdi, rsi, rdx are recvmsg's; r12-r14 become mmap's first three, r8-r10 are its others. */
    "	mov $47, %eax\n"
    "	syscall\n"
    "	mov %rax, %rbx\n"
    "	mov %r12, %rdi\n"
    "	mov %r13, %rsi\n"
    "	mov %r14, %rdx\n"
    "	mov $9, %eax\n"
    "	syscall\n"
    "	mov %rax, %r15\n"
    "	mov $3, %eax\n"
    "	mov $2, %edi\n"
    "	syscall\n"
    "	int3\n"
    "inject_code_end:\n"
    "	.balign 8\n"
    "inject_code_size: .quad inject_code_end - inject_code\n"
    ".popsection\n");
/* clang-format on */

int tracee_call_begin(struct tracee *t, uint64_t entry, const struct injected_call *call)
{
	struct user_regs_struct regs = t->host;
	int err;

	regs.rax = call->nr;
	regs.rdi = call->args[0];
	regs.rsi = call->args[1];
	regs.rdx = call->args[2];
	regs.r10 = call->args[3];
	regs.r8 = call->args[4];
	regs.r9 = call->args[5];
	regs.orig_rax = UINT64_MAX;
	regs.rip = entry;
	regs.eflags = 0x202;
	regs.cs = 0x33;
	regs.ss = 0x2b;
	regs.fs_base = 0;
	regs.gs_base = 0;
	t->in_host = false;
	err = tracee_request(t, PTRACE_SETREGS, NULL, &regs);
	if (err < 0)
		return err;
	return tracee_resume(t, PTRACE_CONT);
}

/* Behind the int3: its SIGTRAP was seen or is on its way. */
static bool is_behind(uint64_t rip)
{
	uint64_t offset = rip & ~LX_PAGE_MASK;

	return offset == INJECT_CALL_END || offset == INJECT_MAP_END;
}

static bool at_end(const struct tracee *t, uint64_t rip)
{
	return t->status >> 8 == SIGTRAP && is_behind(rip);
}

bool tracee_call_finish(struct tracee *t, bool interruptible)
{
	for (;;) {
		int event;

		tracee_wait(t);
		if (tracee_request(t, PTRACE_GETREGS, NULL, &t->injected) < 0)
			return false;
		if (at_end(t, t->injected.rip))
			return true;
		event = t->status >> 16;
		/*
		 * A stop that was asked for is reported before a pending signal (kernel
		 * get_signal()). Left pending, the SIGTRAP of an int3 that was executed already
		 * would be the guest's.
		 */
		if (interruptible && t->interrupted && !is_behind(t->injected.rip))
			return true;
		if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_CLONE) {
			unsigned long tid;

			if (tracee_request(t, PTRACE_GETEVENTMSG, NULL, &tid) < 0)
				return false;
			t->child = (pid_t)tid;
		}
		if (tracee_resume(t, PTRACE_CONT) < 0)
			return false;
	}
}

int64_t tracee_call(struct tracee *t, const struct injected_call *call)
{
	int err = tracee_call_begin(t, PT_INJECT_CALL, call);

	if (err < 0)
		return err;
	if (!tracee_call_finish(t, false))
		return -ESRCH;
	return (int64_t)t->injected.rax;
}
