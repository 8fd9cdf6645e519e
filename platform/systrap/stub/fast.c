/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that come through a trampoline, without a signal.
 *
 * fast.S stores the registers that C code may destroy in struct stub_thread, moves to the thread's
 * signal stack (host signals then nest below, as they do in a handler), and asks stub_fast_answer()
 * first. Only a call that it does not answer has its other registers stored, in the slot, where the
 * Sentry finds them.
 *
 * There is no signal frame, so what needs one (a new set of registers, the FPU's state, a clone, an
 * interrupt) *upgrades*: the thread makes a call that traps, and the handler of that fills its
 * frame with the registers of the fast call. The FPU's state in it is the guest's, since nothing
 * here uses vector registers. From there on the call is like one that trapped by itself.
 */
#include "platform/systrap/stub/offsets.h"
#include "platform/systrap/stub/plan.h"
#include "platform/systrap/stub/stub.h"

_Static_assert(offsetof(struct stub_thread, magic) == 0, "offsets.h");
_Static_assert(offsetof(struct stub_thread, slot) == THREAD_SLOT, "offsets.h");
_Static_assert(offsetof(struct stub_thread, fast_stack) == THREAD_STACK, "offsets.h");
_Static_assert(offsetof(struct stub_thread, rax) == THREAD_RAX, "offsets.h");
_Static_assert(offsetof(struct stub_thread, rsp) == THREAD_RSP, "offsets.h");
_Static_assert(offsetof(struct stub_thread, rip) == THREAD_RIP, "offsets.h");
_Static_assert(offsetof(struct stub_thread, eflags) == THREAD_EFLAGS, "offsets.h");
_Static_assert(offsetof(struct stub_thread, args) == THREAD_ARGS, "offsets.h");
_Static_assert(offsetof(struct stub_thread, load) == THREAD_LOAD, "offsets.h");
#define REGS(field) offsetof(struct channel_slot, request.regs.field)
_Static_assert(REGS(r15) == SLOT_R15 && REGS(r14) == SLOT_R14, "offsets.h");
_Static_assert(REGS(r13) == SLOT_R13 && REGS(r12) == SLOT_R12, "offsets.h");
_Static_assert(REGS(rbp) == SLOT_RBP && REGS(rbx) == SLOT_RBX, "offsets.h");
_Static_assert(REGS(fs_base) == SLOT_FS_BASE, "offsets.h");
_Static_assert(offsetof(struct channel_slot, reply.interrupt) == SLOT_INTERRUPT, "offsets.h");

bool stub_fast_answer(struct stub_thread *self)
{
	int64_t result = 0;

	self->asked = 0;
	if (stub_answer(self, (uint32_t)self->rax, self->args, &result)) {
		self->slot->counters.fast_answered++;
		stub_count_answered(self->slot, (uint32_t)self->rax);
		self->rax = (uint64_t)result;
		return true;
	}
	self->begun = result == STUB_INTERRUPTED ? REQUEST_FLAG_INTERRUPTED : 0;
	return false;
}

/* fast.S has stored the registers that C code preserves, and the FS base. As a trapped call's frame
 * shows them. */
static void complete_regs(struct stub_thread *self)
{
	struct channel_regs *regs = &self->slot->request.regs;

	regs->rdi = self->args[0];
	regs->rsi = self->args[1];
	regs->rdx = self->args[2];
	regs->r10 = self->args[3];
	regs->r8 = self->args[4];
	regs->r9 = self->args[5];
	regs->rax = self->rax;
	regs->rcx = self->rip;
	regs->r11 = self->eflags;
	regs->rip = self->rip;
	regs->eflags = self->eflags;
	regs->rsp = self->rsp;
	regs->gs_base = 0;
}

/* Calls that are nothing without a frame. */
static bool wants_frame(uint32_t nr)
{
	return nr == STUB_NR_RT_SIGRETURN;
}

void stub_fast_call(struct stub_thread *self)
{
	uint32_t nr = (uint32_t)self->rax;
	uint64_t args[6];
	struct stub_post what = {.kind = REQUEST_SYSCALL,
		.flags = (uint8_t)(self->begun | REQUEST_FLAG_FAST),
		.may_spin = true,
		.nr = nr,
		.args = args};

	complete_regs(self);
	if (wants_frame(nr))
		stub_upgrade(self, UPGRADE_CALL);
	for (unsigned i = 0; i < 6; i++)
		args[i] = self->args[i];
	stub_opened_note(self, nr, args);
	what.spare = stub_prefetch_spare(nr, args);
	if (!what.spare)
		what.prefetch_count = (uint8_t)stub_prefetch(self->slot, nr, args, 0);
	stub_post(self, &what);
	self->rax = (uint64_t)stub_serve_fast(self);
}

void stub_on_fast_leave_refused(struct stub_thread *self)
{
	complete_regs(self);
	stub_upgrade(self, UPGRADE_INTERRUPTED);
}

#define LOADED 15u /* registers that struct channel_regs begins with */

void stub_load_reply(struct stub_thread *self)
{
	const struct channel_regs *regs = &self->slot->reply.regs;
	const uint64_t *from = &regs->r15;

	for (unsigned i = 0; i < LOADED; i++)
		self->load[i] = from[i];
	self->load[LOADED] = regs->rip;
	self->load[LOADED + 1] = STUB_USER_CS;
	self->load[LOADED + 2] = regs->eflags;
	self->load[LOADED + 3] = regs->rsp;
	self->load[LOADED + 4] = STUB_USER_SS;
	stub_load_bases(self, regs);
	stub_fast_load();
}

void stub_on_fast_load_refused(struct stub_thread *self)
{
	struct channel_regs *regs = &self->slot->request.regs;
	uint64_t *to = &regs->r15;

	for (unsigned i = 0; i < LOADED; i++)
		to[i] = self->load[i];
	regs->rip = self->load[LOADED];
	regs->eflags = self->load[LOADED + 2];
	regs->rsp = self->load[LOADED + 3];
	stub_upgrade(self, UPGRADE_INTERRUPTED);
}

void stub_upgrade(struct stub_thread *self, enum stub_upgrade why)
{
	self->upgrade = why;
	stub_upgrade_gate();
}

void stub_on_upgrade(struct stub_thread *self, struct stub_ucontext *uc)
{
	enum stub_upgrade why = self->upgrade;

	self->upgrade = UPGRADE_NONE;
	stub_load_regs(&uc->mc, &self->slot->request.regs);
	switch (why) {
	case UPGRADE_CALL:
		stub_on_call(self, uc, (uint32_t)uc->mc.rax);
	case UPGRADE_SERVE:
		stub_serve(self, uc);
	case UPGRADE_INTERRUPTED:
		stub_on_interrupted(self, uc);
	default: /* the guest jumped to the gate */
		stub_die();
	}
}

/*
 * The guest has a GS base of its own (which may lead nowhere, or to memory of its own), or flags
 * that the fast way does not care for. Its call is made again as if `syscall` had trapped.
 */
bool stub_fast_fallback(struct stub_thread *self, struct stub_ucontext *uc)
{
	struct stub_sigcontext *mc = &uc->mc;
	uint64_t rip = mc->rip;

	if (rip == (uint64_t)stub_fast_unusual)
		mc->eflags = self->eflags;
	else if (rip != (uint64_t)stub_fast_entry && rip != (uint64_t)stub_fast_refused)
		return false;
	mc->eflags &= ~0x10000ull; /* RF, which a fault sets */
	mc->rip = mc->rcx;
	mc->r11 = mc->eflags;
	stub_claim_gs(self);
	return true;
}
