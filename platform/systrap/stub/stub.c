/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stub: what answers a host signal in a guest's process, asks the Sentry and does its bidding.
 *
 * Rules of this folder: freestanding; no writable data but the thread's own stack and channel slot;
 * general registers only; every entry by a signal ends in stub_resume() or in the return from a
 * nested handler, never in a C return. Nothing here protects anything: the guest owns this process.
 * What a bug here costs is the guest's correctness.
 *
 * A thread is in one of three places. In guest code: its frame does not exist. In a handler that
 * came from guest code: `uc` holds the guest's registers until stub_resume() hands it to
 * rt_sigreturn. In a handler nested in that one (a kick, or a fault of a copy): it only corrects
 * the instruction pointer of what it interrupted and returns.
 */
#include "platform/systrap/stub/stub.h"
#include "platform/systrap/stub/offsets.h"
#include "platform/systrap/stub/plan.h"

static inline struct stub_thread *thread_self(void)
{
	uint64_t sp;

	__asm__("movq %%rsp, %0" : "=r"(sp));
	return (struct stub_thread *)(sp & ~(STUB_STACK_SIZE - 1));
}

/* The gate counts: only the stub goes there, for a moment. */
static inline bool in_stub(uint64_t rip)
{
	return rip - STUB_TEXT_BASE < STUB_TEXT_SIZE + STUB_GATE_SIZE;
}

/* Back from a nested handler into what it interrupted. */
__attribute__((noreturn)) static void return_nested(struct stub_ucontext *uc)
{
	static const uint32_t never = 0;

	stub_resume(&never, uc);
}

void stub_die(void)
{
	/* Not on the list: the Sentry audits it and ends us. */
	for (;;)
		stub_call3(STUB_NR_EXIT_GROUP, 0xdead, 0, 0);
}

/* Ours is not the guest's business: to it there is none. */
static uint64_t guest_gs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base == (uint64_t)thread_self() ? 0 : base;
}

void stub_claim_gs(struct stub_thread *self)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	if (base == 0)
		__asm__ volatile("wrgsbase %0" : : "r"(self));
}

static void save_regs(struct channel_regs *regs, const struct stub_sigcontext *mc, uint64_t nr)
{
	uint64_t base;

	regs->r15 = mc->r15;
	regs->r14 = mc->r14;
	regs->r13 = mc->r13;
	regs->r12 = mc->r12;
	regs->rbp = mc->rbp;
	regs->rbx = mc->rbx;
	regs->r11 = mc->r11;
	regs->r10 = mc->r10;
	regs->r9 = mc->r9;
	regs->r8 = mc->r8;
	regs->rax = mc->rax;
	regs->rcx = mc->rcx;
	regs->rdx = mc->rdx;
	regs->rsi = mc->rsi;
	regs->rdi = mc->rdi;
	regs->nr = nr;
	regs->rip = mc->rip;
	regs->eflags = mc->eflags;
	regs->rsp = mc->rsp;
	__asm__ volatile("rdfsbase %0" : "=r"(base));
	regs->fs_base = base;
	regs->gs_base = guest_gs_base();
}

/* wrfsbase faults on an address that is not canonical. */
static inline bool canonical(uint64_t addr)
{
	return (uint64_t)((int64_t)(addr << 16) >> 16) == addr;
}

void stub_load_regs(struct stub_sigcontext *mc, const struct channel_regs *regs)
{
	mc->r15 = regs->r15;
	mc->r14 = regs->r14;
	mc->r13 = regs->r13;
	mc->r12 = regs->r12;
	mc->rbp = regs->rbp;
	mc->rbx = regs->rbx;
	mc->r11 = regs->r11;
	mc->r10 = regs->r10;
	mc->r9 = regs->r9;
	mc->r8 = regs->r8;
	mc->rax = regs->rax;
	mc->rcx = regs->rcx;
	mc->rdx = regs->rdx;
	mc->rsi = regs->rsi;
	mc->rdi = regs->rdi;
	mc->rip = regs->rip;
	mc->eflags = regs->eflags;
	mc->rsp = regs->rsp;
	/* Registers that the Sentry sets are those of 64-bit code, where handlers start, also where
	 * the thread had jumped into a segment of 32-bit code. */
	mc->cs = STUB_USER_CS;
	mc->ss = STUB_USER_SS;
}

void stub_load_bases(struct stub_thread *self, const struct channel_regs *regs)
{
	uint64_t gs_base = regs->gs_base ? regs->gs_base : (uint64_t)self;

	if (canonical(regs->fs_base))
		__asm__ volatile("wrfsbase %0" : : "r"(regs->fs_base));
	if (canonical(gs_base))
		__asm__ volatile("wrgsbase %0" : : "r"(gs_base));
}

/* ---- requests ---- */

/* Never inlined: what it does to the line that the Sentry watches stays together. */
__attribute__((noinline)) void stub_post(struct stub_thread *self, const struct stub_post *what)
{
	struct channel_request *request = &self->slot->request;
	union channel_request_head head = {.seq = ++self->seq,
		.kind = what->kind,
		.flags = what->flags,
		.prefetch_count = what->prefetch_count & 15,
		.closed = stub_tell_all(self),
		.spare = what->spare};

	self->window = 0;
	self->content = false;
	request->nr = what->nr;
	request->cpu = self->cpu;
	request->crowded = self->crowded;
	request->held = self->held;
	self->held = 0;
	if (what->args) {
		for (unsigned i = 0; i < 6; i++)
			request->args[i] = what->args[i];
	}
	for (unsigned i = 0; i < what->result_count; i++) {
		if (i < CHANNEL_RESULTS_NEAR)
			request->results[i] = what->results[i];
		else
			request->more_results[i - CHANNEL_RESULTS_NEAR] = what->results[i];
	}
	__atomic_store_n(&request->head.word, head.word, __ATOMIC_RELEASE);
	stub_wait(self, head.seq, what->may_spin);
}

static void post_event(struct stub_thread *self, enum channel_request_kind kind)
{
	stub_post(self, &(struct stub_post){.kind = (uint8_t)kind, .may_spin = true});
}

/* ---- commands ---- */

static int64_t command_copy(
	struct channel_slot *slot, const struct channel_command *command, bool out)
{
	uint64_t size = command->args[1], offset = command->args[2];
	void *guest = (void *)command->args[0];

	if (out)
		return (int64_t)(size - stub_copy(guest, slot->data + offset, size));
	return (int64_t)(size - stub_copy(slot->data + offset, guest, size));
}

static int64_t command_copy_window(const struct channel_command *command)
{
	uint64_t size = command->args[1];

	return (int64_t)(size -
			 stub_copy((void *)command->args[0], (void *)command->args[2], size));
}

/*
 * What a read returns whose copy from @window ended early, after @copied bytes and @before others:
 * at the end of a file that became shorter, or with a fault at the guest's address.
 */
static int64_t short_read(uint64_t window, int64_t copied, uint64_t before)
{
	const char *rest = (const char *)window + copied;
	int64_t total = (int64_t)before + copied;
	char byte;

	if (total == 0 && stub_copy(&byte, rest, 1) == 0)
		return -14;
	return total;
}

struct stub_fp_sw *stub_fp_sw(const struct stub_ucontext *uc)
{
	struct stub_fp_sw *sw = (struct stub_fp_sw *)(uc->mc.fpstate + STUB_FP_SW_OFFSET);

	if (!uc->mc.fpstate || sw->magic1 != STUB_FP_XSTATE_MAGIC1)
		return 0;
	return sw;
}

/* The image proper: the magic number behind it belongs to a frame. */
static int64_t command_fpu_get(
	struct channel_slot *slot, const struct channel_command *command, struct stub_ucontext *uc)
{
	struct stub_fp_sw *sw = stub_fp_sw(uc);

	if (!sw || sw->xstate_size > command->args[0])
		return -22;
	stub_copy(slot->data + command->args[1], (void *)uc->mc.fpstate, sw->xstate_size);
	return sw->xstate_size;
}

/* The software bytes and the magic number behind the image stay ours: they describe our frame. */
static int64_t command_fpu_set(
	struct channel_slot *slot, const struct channel_command *command, struct stub_ucontext *uc)
{
	const uint8_t *image = slot->data + command->args[1];
	struct stub_fp_sw *sw = stub_fp_sw(uc);
	uint8_t *state = (uint8_t *)uc->mc.fpstate;

	if (!sw || command->args[0] < sw->xstate_size)
		return -22;
	stub_copy(state, image, STUB_FP_SW_OFFSET);
	stub_copy(state + 512, image + 512, sw->xstate_size - 512);
	return 0;
}

/* An XSAVE header that names no component: XRSTOR puts each into its initial state. The control
 * words lie outside. */
int64_t stub_command_fpu_reset(struct stub_ucontext *uc)
{
	uint8_t *state = (uint8_t *)uc->mc.fpstate;

	if (!stub_fp_sw(uc))
		return -22;
	for (unsigned i = 0; i < STUB_FP_SW_OFFSET; i++)
		state[i] = 0;
	*(uint16_t *)state = 0x37f;
	*(uint32_t *)(state + 24) = 0x1f80;
	*(uint64_t *)(state + 512) = 0;
	return 0;
}

static int64_t command_futex(struct channel_slot *slot, struct channel_command *command)
{
	uint32_t nr = command->nr & CHANNEL_FUTEX_WAITV ? STUB_NR_FUTEX_WAITV : STUB_NR_FUTEX;

	if (command->args[3] != 0 && command->nr & CHANNEL_FUTEX_TIMEOUT)
		command->args[3] = (uint64_t)&command->timespec;
	for (;;) {
		int64_t ret = stub_futex(&slot->reply.interrupt, command->args, nr);

		/* EINTR of something else than an interrupt: timeouts are absolute, so it can begin
		 * anew. */
		if (ret != -4 || __atomic_load_n(&slot->reply.interrupt, __ATOMIC_ACQUIRE))
			return ret;
	}
}

/*
 * A new thread's first doorbell stands for its first request, and is answered when that has its
 * reply: so it goes on with that reply, as number 1.
 */

/* In the child the channel is not mapped (MADV_DONTFORK): until it has its own, only the stack. */
static void forked_child(struct stub_thread *self)
{
	/* The Sentry puts the channel into the transfer slot before it answers. */
	while (stub_call3(STUB_DOORBELL_NR, self->token, STUB_DOORBELL_CHILD, 0) != 0)
		;
	if (stub_call6(STUB_NR_MMAP, STUB_CHANNEL_BASE, CHANNEL_SEGMENT_SIZE, 3, 0x11,
		    STUB_FD_TRANSFER, 0) != (int64_t)STUB_CHANNEL_BASE)
		stub_die();
	stub_call3(STUB_NR_MADVISE, STUB_CHANNEL_BASE, CHANNEL_SEGMENT_SIZE, 10);
	stub_call3(STUB_NR_CLOSE, STUB_FD_TRANSFER, 0, 0);
	self->slot = (struct channel_slot *)STUB_CHANNEL_BASE;
	self->seq = 1;
}

static int64_t command_fork(
	struct stub_thread *self, const struct channel_command *command, struct stub_ucontext *uc)
{
	int64_t pid;

	self->token = command->args[0];
	/* EINTR: a signal came before the Sentry saw that we ask; nothing was made. */
	do
		pid = stub_call3(STUB_NR_CLONE, STUB_CLONE_FORK, 0, 0);
	while (pid == -4);
	if (pid != 0)
		return pid;
	forked_child(self);
	stub_serve(self, uc);
}

static void thread_entry(struct stub_thread *self)
{
	while (stub_call3(STUB_DOORBELL_NR, self->token, STUB_DOORBELL_CHILD, 0) != 0)
		;
	self->seq = 1;
	stub_serve(self, self->uc);
}

/*
 * The child starts from a copy of our frame (so it has our FPU state), moved to its own stack: the
 * pointers in it move along. Its first rt_sigreturn sets registers, signal mask and alternate stack
 * at once.
 */
static int64_t command_thread(
	struct stub_thread *self, const struct channel_command *command, struct stub_ucontext *uc)
{
	uint64_t base = command->args[1], delta = base - (uint64_t)self;
	uint64_t frame = (uint64_t)uc - 8, end = (uint64_t)self + STUB_STACK_SIZE;
	struct stub_thread *child = (struct stub_thread *)base;
	struct stub_ucontext *child_uc = (struct stub_ucontext *)((uint64_t)uc + delta);
	int64_t tid;

	stub_copy((void *)(frame + delta), (void *)frame, end - frame);
	child_uc->mc.fpstate += delta;
	child_uc->stack.sp = base + STUB_STACK_RESERVED;
	child_uc->stack.size = STUB_STACK_SIZE - STUB_STACK_RESERVED;
	child_uc->stack.flags = 0;
	child->magic = THREAD_MAGIC;
	child->fast_stack = base + STUB_FAST_STACK;
	child->slot = (struct channel_slot *)command->args[2];
	child->seq = 0;
	child->poke_failed = 0;
	child->token = command->args[0];
	child->names_owner = (uint32_t)command->args[0];
	child->opened = OPENED_NOTHING;
	child->effect = 0;
	child->closed = 0;
	child->told_count = 0;
	child->told_actions = false;
	child->seekable = child->closeable = 0;
	stub_known_forget(child);
	stub_known_forget(self);
	child->held = 0;
	child->window = 0;
	child->uc = child_uc;
	/* EINTR: as in command_fork(). */
	do
		tid = stub_clone_thread(STUB_CLONE_THREAD, (void *)((frame + delta) & ~63ull),
			(void (*)(struct stub_thread *))thread_entry);
	while (tid == -4);
	return tid;
}

/* What comes behind a poke that failed would be wrong. */
static int64_t command_poke(struct stub_thread *self, const struct channel_command *command)
{
	int64_t result;

	if (self->poke_failed == self->seq)
		return -125; /* ECANCELED */
	result = stub_poke(
		(uint64_t *)command->args[0], command->args[1], command->args[2], command->args[3]);
	if (result < 0)
		self->poke_failed = self->seq;
	return result;
}

static int64_t execute(
	struct stub_thread *self, struct channel_command *command, struct stub_ucontext *uc)
{
	struct channel_slot *slot = self->slot;

	switch (command->kind) {
	case COMMAND_COPY_IN:
		return command_copy(slot, command, false);
	case COMMAND_COPY_OUT:
		return command_copy(slot, command, true);
	case COMMAND_COPY_WINDOW:
		return command_copy_window(command);
	case COMMAND_HOST:
	case COMMAND_HOST_LATE:
		return stub_host_call(command->nr, command->args);
	case COMMAND_FUTEX:
		return command_futex(slot, command);
	case COMMAND_FORK:
		return command_fork(self, command, uc);
	case COMMAND_THREAD:
		return command_thread(self, command, uc);
	case COMMAND_FPU_GET:
		return command_fpu_get(slot, command, uc);
	case COMMAND_FPU_SET:
		return command_fpu_set(slot, command, uc);
	case COMMAND_FPU_RESET:
		return stub_command_fpu_reset(uc);
	case COMMAND_SIGFRAME:
		return stub_command_sigframe(slot, command, uc);
	case COMMAND_POKE:
		return command_poke(self, command);
	case COMMAND_EXIT:
		for (;;)
			stub_call3(STUB_NR_EXIT, 0, 0, 0);
	default:
		return -38;
	}
}

/* The reply's own output. False: a fault that matters. */
static bool copy_out(struct channel_slot *slot, uint8_t flags)
{
	const struct channel_reply *reply = &slot->reply;
	const uint8_t *from = reply->out_size <= CHANNEL_REPLY_NEAR ? reply->near : slot->data;

	return stub_copy((void *)reply->out_addr, from, reply->out_size) == 0 ||
	       (flags & REPLY_LOSSY);
}

/* The same from a window. False: it ended early, with *ret_rax as the call's result. */
static bool copy_out_window(const struct channel_reply *reply, int64_t *ret_rax)
{
	const struct channel_window_out from = reply->window;
	uint64_t size = reply->out_size;
	uint64_t left = stub_copy((void *)reply->out_addr, (const void *)from.addr, size);

	if (left == 0)
		return true;
	*ret_rax = short_read(from.addr, (int64_t)(size - left), from.before);
	return false;
}

/* Executes what a reply says. True: back to the guest; *ret_rax is the result unless all registers
 * are to be loaded. */
static bool obey(struct stub_thread *self, struct stub_ucontext *uc, uint64_t *ret_rax)
{
	struct channel_slot *slot = self->slot;
	struct channel_reply *reply = &slot->reply;
	const union channel_reply_head head = {.word = reply->head.word};
	int64_t results[CHANNEL_COMMANDS_MAX], rax = 0;
	bool faulted = false, ended = false, refused = false, unframed = false;

	if (head.flags & REPLY_WINDOW)
		ended = !copy_out_window(reply, &rax);
	else if (head.flags & REPLY_OUT)
		faulted = !copy_out(slot, head.flags);
	if (head.command_count > CHANNEL_COMMANDS_MAX)
		stub_die();
	for (uint32_t i = 0; i < head.command_count; i++) {
		struct channel_command *command = &reply->commands[i];

		results[i] = unframed ? -125 /* ECANCELED */ : execute(self, command, uc);
		if (command->kind == COMMAND_SIGFRAME && results[i] != 0) {
			unframed = true;
			refused = head.flags & REPLY_RESUME;
		}
		if (command->kind == COMMAND_COPY_OUT && !command->nr &&
			results[i] != (int64_t)command->args[1])
			faulted = true;
		if (command->kind == COMMAND_COPY_WINDOW && !ended &&
			results[i] != (int64_t)command->args[1]) {
			rax = short_read(command->args[2], results[i], command->args[3]);
			ended = true;
		}
		if (command->kind == COMMAND_HOST_LATE && results[i] != command->timespec[0])
			refused = head.flags & REPLY_RESUME;
	}
	if ((head.flags & REPLY_RESUME) && !refused) {
		*ret_rax = faulted ? (uint64_t)-14 : ended ? (uint64_t)rax : reply->rax;
		if ((head.flags & REPLY_LASTS) && !faulted)
			stub_name_keep(self, (int64_t)reply->rax);
		if ((head.flags & REPLY_WINDOW) && !ended)
			stub_opened_window(self);
		if (self->effect)
			stub_opened_result(self, faulted || ended || (head.flags & REPLY_REGS)
							 ? -1
							 : (int64_t)*ret_rax);
		return true;
	}
	stub_post(self, &(struct stub_post){.kind = refused ? REQUEST_REFUSED : REQUEST_DONE,
				.may_spin = !(head.flags & REPLY_DOORBELL),
				.result_count = head.command_count,
				.results = results});
	return false;
}

void stub_serve(struct stub_thread *self, struct stub_ucontext *uc)
{
	uint64_t rax;

	while (!obey(self, uc, &rax))
		;
	if (self->slot->reply.head.flags & REPLY_REGS) {
		stub_load_regs(&uc->mc, &self->slot->reply.regs);
		stub_load_bases(self, &self->slot->reply.regs);
	} else {
		uc->mc.rax = rax;
	}
	stub_resume(&self->slot->reply.interrupt, uc);
}

#define EFLAGS_TRAP 0x100ull

/* Commands that read or write the signal frame, and registers that only its way back can load. */
static bool needs_frame(const struct channel_reply *reply)
{
	if ((reply->head.flags & REPLY_REGS) &&
		(reply->regs.gs_base || (reply->regs.eflags & EFLAGS_TRAP)))
		return true;
	for (uint32_t i = 0; i < reply->head.command_count && i < CHANNEL_COMMANDS_MAX; i++) {
		switch (reply->commands[i].kind) {
		case COMMAND_FORK:
		case COMMAND_THREAD:
		case COMMAND_FPU_GET:
		case COMMAND_FPU_SET:
		case COMMAND_FPU_RESET:
			return true;
		default:
			break;
		}
	}
	return false;
}

int64_t stub_serve_fast(struct stub_thread *self)
{
	uint64_t rax;

	do {
		if (needs_frame(&self->slot->reply))
			stub_upgrade(self, UPGRADE_SERVE);
	} while (!obey(self, 0, &rax));
	if (self->slot->reply.head.flags & REPLY_REGS)
		stub_load_reply(self);
	return (int64_t)rax;
}

/* ---- events ---- */

/* The registers may be about to be loaded for the second time: those of a frame that came from a
 * trampoline. */
void stub_on_interrupted(struct stub_thread *self, struct stub_ucontext *uc)
{
	(void)stub_leave_trampoline(&uc->mc);
	save_regs(&self->slot->request.regs, &uc->mc, ~0ull);
	post_event(self, REQUEST_INTERRUPTED);
	stub_serve(self, uc);
}

void stub_on_resume_refused(struct stub_ucontext *uc)
{
	stub_on_interrupted(thread_self(), uc);
}

static inline bool in_range(uint64_t rip, const char *begin, const char *end)
{
	return rip >= (uint64_t)begin && rip < (uint64_t)end;
}

/* Sends a restartable range back to its begin. Harmless at any time. */
static void rewind(struct stub_sigcontext *mc)
{
	if (in_range(mc->rip, stub_resume_begin, stub_resume_end))
		mc->rip = (uint64_t)stub_resume_begin;
	else if (in_range(mc->rip, stub_futex_begin, stub_futex_end))
		mc->rip = (uint64_t)stub_futex_begin;
	else if (in_range(mc->rip, stub_fast_leave_begin, stub_fast_leave_end))
		mc->rip = (uint64_t)stub_fast_leave_begin;
	else if (in_range(mc->rip, stub_fast_load_begin, stub_fast_load_end))
		mc->rip = (uint64_t)stub_fast_load_begin;
}

/* A signal that a process of the host sent, not one that the kernel raised for what the guest did:
 * as if it had not come. */
static bool is_stray(const struct stub_siginfo *info)
{
	return info->code <= 0;
}

/* In the vDSO, on our behalf: what it does must not be taken for the guest's. */
static inline bool in_vdso(const struct stub_thread *self, const struct stub_ucontext *uc)
{
	return self->vdso_rsp && uc->mc.rip - STUB_VDSO_BASE < STUB_VDSO_SIZE_MAX;
}

__attribute__((noreturn)) static void leave_vdso(struct stub_thread *self, struct stub_ucontext *uc)
{
	self->vdso_useless = 1;
	uc->mc.rsp = self->vdso_rsp;
	uc->mc.rip = (uint64_t)stub_vdso_fixup;
	return_nested(uc);
}

/* A kick that comes while we are here finds only us: the range is entered anew. */
__attribute__((noreturn)) static void ignore_signal(
	struct stub_thread *self, struct stub_ucontext *uc)
{
	if (in_stub(uc->mc.rip) || in_vdso(self, uc)) {
		rewind(&uc->mc);
		return_nested(uc);
	}
	stub_resume(&self->slot->reply.interrupt, uc);
}

/* `int 0x80`: to the guest this is a machine without i386 calls, where the instruction is a
 * protection fault. */
__attribute__((noreturn)) static void on_foreign_call(
	struct stub_thread *self, struct stub_ucontext *uc)
{
	struct channel_request *request = &self->slot->request;

	uc->mc.rip -= 2;
	save_regs(&request->regs, &uc->mc, ~0ull);
	request->fault.signo = 11;
	request->fault.code = 0x80; /* SI_KERNEL */
	request->fault.addr = 0;
	request->fault.trapno = 13;
	request->fault.error_code = 0x402; /* the gate of vector 0x80 */
	post_event(self, REQUEST_FAULT);
	stub_serve(self, uc);
}

void stub_on_call(struct stub_thread *self, struct stub_ucontext *uc, uint32_t nr)
{
	const struct stub_sigcontext *mc = &uc->mc;
	const uint64_t args[6] = {mc->rdi, mc->rsi, mc->rdx, mc->r10, mc->r8, mc->r9};
	struct stub_post what = {.kind = REQUEST_SYSCALL, .may_spin = true, .nr = nr, .args = args};
	int64_t result = 0;
	bool hot;

	if (nr == STUB_NR_RT_SIGRETURN && stub_sigreturn(self, uc))
		stub_resume(&self->slot->reply.interrupt, uc);
	self->asked = 0; /* of an earlier call that nobody answered so that it lasts */
	self->slot->counters.trapped++;
	hot = stub_site_hit(self->sites, mc->rip, nr);
	/* A site that is to be patched is shown to the Sentry, whoever could answer. */
	if (!hot && stub_answer(self, nr, args, &result)) {
		self->slot->counters.trapped_answered++;
		stub_count_answered(self->slot, nr);
		uc->mc.rax = (uint64_t)result;
		stub_resume(&self->slot->reply.interrupt, uc);
	}
	if (result == STUB_INTERRUPTED)
		what.flags = REQUEST_FLAG_INTERRUPTED;
	stub_opened_note(self, nr, args);
	save_regs(&self->slot->request.regs, mc, nr);
	what.prefetch_count = (uint8_t)stub_prefetch(self->slot, nr, args, mc);
	if (hot) {
		what.flags |= REQUEST_FLAG_SITE;
		what.prefetch_count =
			(uint8_t)stub_prefetch_site(self->slot, what.prefetch_count, mc->rip);
	}
	stub_post(self, &what);
	stub_serve(self, uc);
}

void stub_on_sigsys(int signo, struct stub_siginfo *info, struct stub_ucontext *uc)
{
	struct stub_thread *self = thread_self();

	(void)signo;
	if (is_stray(info))
		ignore_signal(self, uc);
	if (info->arch != 0xc000003e /* AUDIT_ARCH_X86_64 */)
		on_foreign_call(self, uc);
	if (uc->mc.rip == (uint64_t)stub_upgraded)
		stub_on_upgrade(self, uc);
	if (in_vdso(self, uc))
		leave_vdso(self, uc);
	stub_on_call(self, uc, (uint32_t)info->syscall);
}

/* A fault in our own text: of a copy, or of the fast entry. */
__attribute__((noreturn)) static void on_own_fault(
	struct stub_thread *self, struct stub_ucontext *uc)
{
	uint64_t rip = uc->mc.rip;

	if (stub_fast_fallback(self, uc))
		stub_on_call(self, uc, (uint32_t)uc->mc.rax);
	if (rip == (uint64_t)stub_copy_insn)
		uc->mc.rip = (uint64_t)stub_copy_fixup;
	else if (in_range(rip, stub_string_begin, stub_string_end))
		uc->mc.rip = (uint64_t)stub_string_fixup;
	else if (in_range(rip, stub_access_begin, stub_access_end))
		uc->mc.rip = (uint64_t)stub_access_fixup;
	else if (in_range(rip, stub_fast_load_begin, stub_fast_load_end))
		uc->mc.rip = (uint64_t)stub_fast_load_refuse;
	else if (in_range(rip, stub_poke_begin, stub_poke_end))
		uc->mc.rip = (uint64_t)stub_poke_fixup;
	else
		stub_die();
	return_nested(uc);
}

#define TRAP_TRACE 2 /* si_code of a single step */

void stub_on_fault(int signo, struct stub_siginfo *info, struct stub_ucontext *uc)
{
	struct stub_thread *self = thread_self();
	struct channel_request *request;

	if (is_stray(info))
		ignore_signal(self, uc);
	if (in_stub(uc->mc.rip))
		on_own_fault(self, uc);
	if (in_vdso(self, uc))
		leave_vdso(self, uc);
	/* The step from the site into its trampoline is none that the guest knows: the next one,
	 * over the replaced instruction, is. */
	if (signo == 5 && info->code == TRAP_TRACE) {
		uint64_t rip = uc->mc.rip;

		if (stub_leave_trampoline(&uc->mc) == PLACE_BEFORE) {
			uc->mc.rip = rip;
			stub_resume(&self->slot->reply.interrupt, uc);
		}
		info->addr = uc->mc.rip;
	}
	(void)stub_leave_trampoline(&uc->mc);
	request = &self->slot->request;
	save_regs(&request->regs, &uc->mc, ~0ull);
	request->fault.signo = signo;
	request->fault.code = info->code;
	request->fault.addr = info->addr;
	request->fault.trapno = uc->mc.trapno;
	request->fault.error_code = uc->mc.err;
	post_event(self, REQUEST_FAULT);
	stub_serve(self, uc);
}

void stub_on_kick(int signo, struct stub_siginfo *info, struct stub_ucontext *uc)
{
	struct stub_thread *self = thread_self();

	(void)signo;
	(void)info;
	if (in_stub(uc->mc.rip) || in_vdso(self, uc)) {
		rewind(&uc->mc);
		return_nested(uc);
	}
	/* Guest code. A kick that was meant for an earlier moment goes unnoticed. */
	if (!__atomic_load_n(&self->slot->reply.interrupt, __ATOMIC_ACQUIRE))
		stub_resume(&self->slot->reply.interrupt, uc);
	stub_on_interrupted(self, uc);
}
