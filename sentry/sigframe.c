/* SPDX-License-Identifier: Apache-2.0 */
#include <cpuid.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/task_private.h"

/*
 * The frame of a signal handler, as arch/x86/kernel/signal_64.c builds it, and the way back from
 *it. From high to low:
 *
 *	the interrupted stack (or the top of the alternate one)
 *	128 bytes of red zone, only when the stack is not switched
 *	FPU state: FXSAVE image with sw bytes, XSAVE header and extended state, magic2; 64-byte
 *aligned struct lx_rt_sigframe; its address is 8 modulo 16: as after a call
 *
 * Unwinders, language runtimes and checkpointers parse this, so every field is Linux's. What comes
 *back by rt_sigreturn is the guest's word: flags are masked, the FPU image is checked as XRSTOR
 *would and refused with SIGSEGV.
 */

#define RED_ZONE_SIZE 128
#define FXSAVE_SIZE   512
#define XSAVE_MIN     (FXSAVE_SIZE + sizeof(struct lx_xsave_header))
#define USER_CS	      0x33
#define USER_SS	      0x2b
#define EFLAGS_TF     0x100u
#define EFLAGS_DF     0x400u
#define EFLAGS_RF     0x10000u
/* What rt_sigreturn may change: AC OF DF TF SF ZF AF PF CF RF (FIX_EFLAGS). */
#define EFLAGS_USER	   0x50dd5ull
#define XFEATURE_TILE_DATA (1ull << 18)
#define XFEATURE_FP_SSE	   3ull
#define MXCSR_MASK_DEFAULT 0xffbfu

_Static_assert(sizeof(struct lx_fpstate) == FXSAVE_SIZE, "FXSAVE image");

/* ---- XSAVE layout --------------------------------------------------------------------------- */

static uint64_t read_xcr0(void)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return XFEATURE_FP_SSE;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return a | (uint64_t)d << 32;
}

/* Of the state that frames carry: its features and its size, of the FXSAVE image on. */
struct xstate {
	uint64_t features;
	size_t size;
};

/*
 * What a guest that never asked for AMX has (arch_prctl(ARCH_REQ_XCOMP_PERM) is refused): tile
 * data, most of a full image, stays out. CPUID is slow where it is emulated: it is asked once.
 */
static const struct xstate *user_xstate(void)
{
	static struct xstate known;
	uint64_t features;

	if (known.size)
		return &known;
	features = read_xcr0() & ~XFEATURE_TILE_DATA;
	known = (struct xstate){.features = XFEATURE_FP_SSE, .size = FXSAVE_SIZE};
	if (features == XFEATURE_FP_SSE)
		return &known;
	known.size = XSAVE_MIN;
	for (unsigned i = 2; i < 63; i++) {
		uint32_t length, offset, c, d;

		if (!(features & 1ull << i) ||
			!__get_cpuid_count(0xd, i, &length, &offset, &c, &d) || !length)
			continue;
		known.features |= 1ull << i;
		if ((size_t)offset + length > known.size)
			known.size = (size_t)offset + length;
	}
	return &known;
}

/* The part of a platform's image that frames carry; platforms may hand out more behind it. */
static struct xstate usable_xstate(size_t image_size)
{
	const struct xstate *user = user_xstate();

	if (image_size >= user->size)
		return *user;
	return (struct xstate){.features = XFEATURE_FP_SSE, .size = FXSAVE_SIZE};
}

/* ---- the alternate stack -------------------------------------------------------------------- */

static bool within_altstack(const struct task *task, uint64_t sp)
{
	const struct lx_stack *stack = &task->sigaltstack;

	return sp > stack->ss_sp && sp - stack->ss_sp <= stack->ss_size;
}

bool sigaltstack_active(const struct task *task, uint64_t sp)
{
	/* With SS_AUTODISARM it is off while in use (sigaltstack(2)). */
	if ((uint32_t)task->sigaltstack.ss_flags & LX_SS_AUTODISARM)
		return false;
	return within_altstack(task, sp);
}

/* ---- entering ------------------------------------------------------------------------------- */

struct frame_layout {
	uint64_t frame; /* address of struct lx_rt_sigframe */
	uint64_t fpstate;
	size_t fpu_size; /* of the image, without magic2 */
	size_t size;	 /* from frame to the end of magic2 */
};

/* get_sigframe(): false when the alternate stack is too small. */
static bool place_frame(const struct task *task, const struct lx_sigaction *action, size_t fpu_size,
	struct frame_layout *ret)
{
	uint64_t sp = platform_regs(task->thread)->rsp;
	bool on_altstack = sigaltstack_active(task, sp);
	bool enabled = task->sigaltstack.ss_size != 0, entering = false;

	sp -= RED_ZONE_SIZE;
	if ((action->flags & LX_SA_ONSTACK) && enabled && !sigaltstack_active(task, sp)) {
		sp = task->sigaltstack.ss_sp + task->sigaltstack.ss_size;
		entering = true;
	}
	ret->fpu_size = fpu_size;
	ret->fpstate = align_down(sp - (fpu_size + LX_FP_XSTATE_MAGIC2_SIZE), 64);
	sp = ret->fpstate - sizeof(struct lx_rt_sigframe);
	ret->frame = align_down(sp, 16) - 8;
	ret->size = ret->fpstate + fpu_size + LX_FP_XSTATE_MAGIC2_SIZE - ret->frame;
	if ((on_altstack || entering) && !within_altstack(task, ret->frame))
		return false;
	/* A stack pointer near 0 wraps. */
	return ret->frame < ret->fpstate && ret->size < 2 * PLATFORM_FPU_MAX;
}

static void fill_context(struct task *task, const struct frame_layout *layout, uint64_t saved_mask,
	struct lx_ucontext *uc)
{
	const struct guest_regs *regs = platform_regs(task->thread);

	uc->uc_flags = LX_UC_SIGCONTEXT_SS | LX_UC_STRICT_RESTORE_SS;
	if (layout->fpu_size > FXSAVE_SIZE)
		uc->uc_flags |= LX_UC_FP_XSTATE;
	uc->uc_stack = task->sigaltstack;
	uc->uc_mcontext = (struct lx_sigcontext){
		.r8 = regs->r8,
		.r9 = regs->r9,
		.r10 = regs->r10,
		.r11 = regs->r11,
		.r12 = regs->r12,
		.r13 = regs->r13,
		.r14 = regs->r14,
		.r15 = regs->r15,
		.di = regs->rdi,
		.si = regs->rsi,
		.bp = regs->rbp,
		.bx = regs->rbx,
		.dx = regs->rdx,
		.ax = regs->rax,
		.cx = regs->rcx,
		.sp = regs->rsp,
		.ip = regs->rip,
		.flags = regs->eflags,
		.cs = USER_CS,
		.ss = USER_SS,
		.err = task->fault.error_code,
		.trapno = task->fault.trapno,
		.oldmask = saved_mask,
		.cr2 = task->fault.cr2,
		.fpstate = layout->fpstate,
	};
	uc->uc_sigmask = saved_mask;
}

/* Says in the FXSAVE image's software bytes what follows it (arch/x86/kernel/fpu/signal.c). */
static void fill_fpu(uint8_t *image, const struct xstate *state)
{
	struct lx_fpstate *fx = (struct lx_fpstate *)image;
	struct lx_xsave_header *header = (struct lx_xsave_header *)(image + FXSAVE_SIZE);
	uint32_t magic2 = LX_FP_XSTATE_MAGIC2;

	memset(&fx->sw, 0, sizeof(fx->sw));
	if (state->size <= FXSAVE_SIZE)
		return;
	header->xfeatures &= state->features;
	fx->sw.magic1 = LX_FP_XSTATE_MAGIC1;
	fx->sw.extended_size = (uint32_t)(state->size + LX_FP_XSTATE_MAGIC2_SIZE);
	fx->sw.xfeatures = state->features;
	fx->sw.xstate_size = (uint32_t)state->size;
	memcpy(image + state->size, &magic2, sizeof(magic2));
}

/* setup_rt_frame()'s register part: the handler's first instruction. */
static void enter_regs(
	struct task *task, const struct lx_sigaction *action, int signo, uint64_t frame)
{
	struct guest_regs *regs = platform_regs(task->thread);

	regs->rdi = (uint64_t)signo;
	regs->rsi = frame + offsetof(struct lx_rt_sigframe, info);
	regs->rdx = frame + offsetof(struct lx_rt_sigframe, uc);
	regs->rax = 0;
	regs->rip = action->handler;
	regs->rsp = frame;
	regs->eflags &= ~(uint64_t)(EFLAGS_DF | EFLAGS_RF | EFLAGS_TF);
	regs->orig_rax = UINT64_MAX;
	task->thread->regs_dirty = true;
}

/* The part of a frame that is not the FPU's. */
static void fill_frame(struct task *task, const struct lx_sigaction *action,
	const struct lx_siginfo *info, const struct frame_layout *layout, uint64_t saved_mask,
	struct lx_rt_sigframe *frame)
{
	frame->pretcode = action->restorer;
	fill_context(task, layout, saved_mask, &frame->uc);
	if (action->flags & LX_SA_SIGINFO)
		frame->info = *info;
}

static void frame_entered(struct task *task, const struct lx_sigaction *action, int signo,
	const struct frame_layout *layout)
{
	if ((uint32_t)task->sigaltstack.ss_flags & LX_SS_AUTODISARM)
		task->sigaltstack = (struct lx_stack){.ss_flags = LX_SS_DISABLE};
	enter_regs(task, action, signo, layout->frame);
}

/* The platform adds the FPU's state, and resets it; whether the stack takes the frame turns out
 * later (signal_frame_refused()). */
static int setup_by_platform(struct task *task, const struct lx_sigaction *action,
	const struct lx_siginfo *info, uint64_t saved_mask)
{
	const struct xstate *state = user_xstate();
	struct frame_layout layout;
	struct lx_rt_sigframe frame;
	int r;

	if (!place_frame(task, action, state->size, &layout) ||
		layout.frame + layout.size > platform->guest_end().v)
		return -EFAULT;
	memset(&frame, 0, sizeof(frame));
	fill_frame(task, action, info, &layout, saved_mask, &frame);
	r = platform->signal_frame(task->thread, &(struct platform_frame){
							 .addr = GADDR(layout.frame),
							 .data = &frame,
							 .size = sizeof(frame),
							 .fpu_addr = GADDR(layout.fpstate),
							 .fpu_features = state->features,
							 .fpu_size = (uint32_t)state->size,
						 });
	if (r < 0)
		return r;
	task->unframed.pending = true;
	frame_entered(task, action, info->signo, &layout);
	return 0;
}

int sigframe_setup(struct task *task, const struct lx_sigaction *action,
	const struct lx_siginfo *info, uint64_t saved_mask)
{
	_cleanup_free_ uint8_t *blob = NULL;
	_cleanup_free_ uint8_t *image = NULL;
	struct frame_layout layout;
	struct lx_rt_sigframe *frame;
	struct xstate state;
	ssize_t fpu_size;

	/* x86-64 has no other way back (setup_rt_frame: SA_RESTORER is required). */
	if (!(action->flags & LX_SA_RESTORER))
		return -EFAULT;
	if (platform->signal_frame && user_xstate()->size > FXSAVE_SIZE)
		return setup_by_platform(task, action, info, saved_mask);
	image = malloc(PLATFORM_FPU_MAX);
	if (!image)
		return -ENOMEM;
	fpu_size = platform->fpu_get(task->thread, image, PLATFORM_FPU_MAX);
	if (fpu_size < FXSAVE_SIZE || fpu_size > PLATFORM_FPU_MAX)
		return -EFAULT;
	task->fpu_image_size = (uint32_t)fpu_size;
	state = usable_xstate((size_t)fpu_size);
	if (!place_frame(task, action, state.size, &layout))
		return -EFAULT;
	blob = calloc(1, layout.size);
	if (!blob)
		return -ENOMEM;
	frame = (struct lx_rt_sigframe *)blob;
	fill_frame(task, action, info, &layout, saved_mask, frame);
	memcpy(blob + (layout.fpstate - layout.frame), image, layout.fpu_size);
	fill_fpu(blob + (layout.fpstate - layout.frame), &state);
	if (guest_write(task, GADDR(layout.frame), blob, layout.size) < 0)
		return -EFAULT;
	frame_entered(task, action, info->signo, &layout);
	/* Handlers start with a clean FPU (fpu__clear_user_states()). */
	(void)platform->fpu_reset(task->thread);
	return 0;
}

/* ---- coming back ---------------------------------------------------------------------------- */

/* Whether XRSTOR would take it without a fault. */
static bool fpu_image_valid(const uint8_t *image, size_t size, uint64_t allowed)
{
	const struct lx_fpstate *fx = (const struct lx_fpstate *)image;
	const struct lx_xsave_header *header =
		(const struct lx_xsave_header *)(image + FXSAVE_SIZE);
	uint32_t mxcsr_mask = fx->mxcsr_mask ? fx->mxcsr_mask : MXCSR_MASK_DEFAULT;

	if (fx->mxcsr & ~(mxcsr_mask & 0xffffu))
		return false;
	if (size == FXSAVE_SIZE)
		return true;
	if ((header->xfeatures & ~allowed) || header->xcomp_bv)
		return false;
	for (size_t i = 0; i < array_size(header->reserved); i++)
		if (header->reserved[i])
			return false;
	return true;
}

/* The size of the platform's images. It is the guest's word, so each task has its own. */
static ssize_t platform_image_size(struct task *task, void *scratch)
{
	if (task->fpu_image_size == 0) {
		ssize_t size = platform->fpu_get(task->thread, scratch, PLATFORM_FPU_MAX);

		if (size < 0)
			return size;
		task->fpu_image_size = (uint32_t)size;
	}
	return (ssize_t)task->fpu_image_size;
}

/*
 * fpu__restore_sig(): the whole XSAVE area when its magics say that there is one, else only the
 * FXSAVE part, with the extended features reset.
 */
static int restore_fpu(struct task *task, uint64_t addr)
{
	_cleanup_free_ uint8_t *image = NULL;
	struct lx_fpstate *fx;
	struct lx_xsave_header *header;
	struct xstate state;
	ssize_t full_size;
	uint32_t magic2 = 0;

	if (addr == 0)
		return platform->fpu_reset(task->thread);
	image = calloc(1, PLATFORM_FPU_MAX);
	if (!image)
		return -ENOMEM;
	full_size = platform_image_size(task, image);
	if (full_size < FXSAVE_SIZE || full_size > PLATFORM_FPU_MAX)
		return -EFAULT;
	memset(image, 0, (size_t)full_size);
	fx = (struct lx_fpstate *)image;
	header = (struct lx_xsave_header *)(image + FXSAVE_SIZE);
	state = usable_xstate((size_t)full_size);
	if (guest_read(task, image, GADDR(addr), FXSAVE_SIZE) < 0)
		return -EFAULT;
	if (state.size >= XSAVE_MIN) {
		uint64_t features = XFEATURE_FP_SSE;
		uint32_t size = fx->sw.xstate_size;

		if (fx->sw.magic1 == LX_FP_XSTATE_MAGIC1 && size >= XSAVE_MIN &&
			size <= state.size && fx->sw.extended_size >= size &&
			guest_read_value(task, &magic2, GADDR(addr + size)) == 0 &&
			magic2 == LX_FP_XSTATE_MAGIC2) {
			if (guest_read(task, image + FXSAVE_SIZE, GADDR(addr + FXSAVE_SIZE),
				    size - FXSAVE_SIZE) < 0)
				return -EFAULT;
			features = header->xfeatures & fx->sw.xfeatures;
		}
		if (features & ~state.features)
			return -EFAULT;
		header->xfeatures = features;
	}
	if (!fpu_image_valid(image, state.size, state.features))
		return -EFAULT;
	fill_fpu(image, &state);
	return platform->fpu_set(task->thread, image, (size_t)full_size);
}

static void restore_regs(struct task *task, const struct lx_sigcontext *sc)
{
	struct guest_regs *regs = platform_regs(task->thread);

	regs->r8 = sc->r8;
	regs->r9 = sc->r9;
	regs->r10 = sc->r10;
	regs->r11 = sc->r11;
	regs->r12 = sc->r12;
	regs->r13 = sc->r13;
	regs->r14 = sc->r14;
	regs->r15 = sc->r15;
	regs->rdi = sc->di;
	regs->rsi = sc->si;
	regs->rbp = sc->bp;
	regs->rbx = sc->bx;
	regs->rdx = sc->dx;
	regs->rax = sc->ax;
	regs->rcx = sc->cx;
	regs->rsp = sc->sp;
	regs->rip = sc->ip;
	regs->eflags = (regs->eflags & ~EFLAGS_USER) | (sc->flags & EFLAGS_USER);
	regs->orig_rax = UINT64_MAX; /* no call to restart */
	task->thread->regs_dirty = true;
}

/* restore_altstack(): errors are ignored, as is a request while on it. */
static void restore_altstack(struct task *task, const struct lx_stack *stack)
{
	uint32_t flags = (uint32_t)stack->ss_flags, mode = flags & ~LX_SS_AUTODISARM;

	if (sigaltstack_active(task, platform_regs(task->thread)->rsp))
		return;
	if (mode != LX_SS_DISABLE && mode != LX_SS_ONSTACK && mode != 0)
		return;
	if (mode == LX_SS_DISABLE)
		task->sigaltstack = (struct lx_stack){.ss_flags = (int32_t)flags};
	else if (stack->ss_size >= LX_MINSIGSTKSZ)
		task->sigaltstack = (struct lx_stack){.ss_sp = stack->ss_sp,
			.ss_flags = stack->ss_flags,
			.ss_size = stack->ss_size};
}

int64_t signal_return(struct task *task)
{
	/* The handler's return popped pretcode. */
	gaddr_t frame = GADDR(platform_regs(task->thread)->rsp - sizeof(uint64_t));
	struct lx_ucontext uc;

	task->restart.fn = NULL;
	if (guest_read_value(task, &uc, gaddr_add(frame, offsetof(struct lx_rt_sigframe, uc))) < 0)
		goto bad;
	signal_set_blocked(task, uc.uc_sigmask);
	restore_regs(task, &uc.uc_mcontext);
	if (restore_fpu(task, uc.uc_mcontext.fpstate) < 0)
		goto bad;
	restore_altstack(task, &uc.uc_stack);
	return (int64_t)task->thread->regs.rax;
bad:
	task->thread->regs.orig_rax = UINT64_MAX;
	signal_force_simple(task, LX_SIGSEGV);
	return 0;
}
