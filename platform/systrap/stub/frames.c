/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's signal frames. The Sentry decides that a handler runs and what its frame says; the
 * FPU's state, most of a frame's bytes, lies in the host's frame here and goes from there to the
 * guest's stack, and back at rt_sigreturn, without a way through the channel.
 *
 * Both images are of XSAVE's standard format, as all signal frames are; the guest's may be the
 * shorter one (it leaves out what guests do not have).
 */
#include "platform/systrap/stub/stub.h"

#define FP_MAGIC2	 0x46505845u
#define FXSAVE_SIZE	 512u
#define HEADER_SIZE	 64u
#define MXCSR_OFFSET	 24u
#define MXCSR_MASK_USUAL 0xffbfu
#define EFLAGS_USER	 0x50dd5ull /* what rt_sigreturn may change, as in sentry/sigframe.c */
#define EFLAGS_TRAP	 0x100ull
#define UC_STACK_SIZE	 24u

struct xsave_header {
	uint64_t features, compacted, reserved[6];
};

static bool write_guest(uint64_t dst, const void *src, uint64_t size)
{
	return stub_copy((void *)dst, src, size) == 0;
}

static bool read_guest(void *dst, uint64_t src, uint64_t size)
{
	return stub_copy(dst, (const void *)src, size) == 0;
}

/* The image of this host frame, with software bytes and header of the guest's. */
static bool write_fpu(uint64_t dst, const uint8_t *image, uint64_t features, uint32_t size)
{
	const struct stub_fp_sw sw = {.magic1 = STUB_FP_XSTATE_MAGIC1,
		.extended_size = size + 4,
		.xfeatures = features,
		.xstate_size = size};
	struct xsave_header header = {
		.features = *(const uint64_t *)(image + FXSAVE_SIZE) & features};
	uint32_t magic2 = FP_MAGIC2, extended = FXSAVE_SIZE + HEADER_SIZE;

	return write_guest(dst, image, STUB_FP_SW_OFFSET) &&
	       write_guest(dst + STUB_FP_SW_OFFSET, &sw, sizeof(sw)) &&
	       write_guest(dst + FXSAVE_SIZE, &header, sizeof(header)) &&
	       write_guest(dst + extended, image + extended, size - extended) &&
	       write_guest(dst + size, &magic2, sizeof(magic2));
}

/* Control words as after execve, and no component in use. PKRU is not the FPU's. */
static const struct {
	uint16_t control, unused[11];
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[FXSAVE_SIZE - 32];
	struct xsave_header header;
} initial_fpu __attribute__((aligned(64))) = {.control = 0x37f, .mxcsr = 0x1f80};

_Static_assert(sizeof(initial_fpu) == FXSAVE_SIZE + HEADER_SIZE, "an XSAVE area");

#define XFEATURE_PKRU (1ull << 9)

/*
 * The same without a host frame: the registers themselves hold the guest's state, since nothing of
 * ours uses them. XSAVE leaves some bytes of the header as they are.
 */
static int64_t sigframe_of_registers(
	const struct channel_slot *slot, const struct channel_command *command)
{
	static const struct xsave_header empty;
	uint64_t dst = command->args[3], features = command->args[4], size = command->args[5];
	const struct stub_fp_sw sw = {.magic1 = STUB_FP_XSTATE_MAGIC1,
		.extended_size = (uint32_t)size + 4,
		.xfeatures = features,
		.xstate_size = (uint32_t)size};

	if (!write_guest(command->args[0], slot->data + command->args[2], command->args[1]) ||
		!write_guest(dst + FXSAVE_SIZE, &empty, sizeof(empty)) ||
		stub_xsave((void *)dst, features) ||
		!write_guest(dst + STUB_FP_SW_OFFSET, &sw, sizeof(sw)) ||
		stub_store4((void *)(dst + size), FP_MAGIC2))
		return -14;
	stub_xrstor(&initial_fpu, features & ~XFEATURE_PKRU);
	return 0;
}

int64_t stub_command_sigframe(
	struct channel_slot *slot, const struct channel_command *command, struct stub_ucontext *uc)
{
	uint64_t size = command->args[1], fpu_size = command->args[5];
	const struct stub_fp_sw *sw;
	const uint8_t *image;

	if (!uc)
		return sigframe_of_registers(slot, command);
	image = (const uint8_t *)uc->mc.fpstate;
	sw = stub_fp_sw(uc);
	if (!sw || fpu_size > sw->xstate_size || fpu_size < FXSAVE_SIZE + HEADER_SIZE)
		return -22;
	if (!write_guest(command->args[0], slot->data + command->args[2], size) ||
		!write_fpu(command->args[3], image, command->args[4], (uint32_t)fpu_size))
		return -14;
	/* Handlers start with a clean FPU. */
	return stub_command_fpu_reset(uc);
}

/*
 * Takes the guest's image into this host frame. What decides whether the host will accept it is
 * read first and written last; false leaves the host's frame as it was, or with a state of the
 * guest's that is sound.
 */
static bool read_fpu(struct stub_ucontext *uc, uint64_t src)
{
	uint8_t *image = (uint8_t *)uc->mc.fpstate;
	const struct stub_fp_sw *own = stub_fp_sw(uc);
	uint32_t magic2, mxcsr[2], extended = FXSAVE_SIZE + HEADER_SIZE;
	struct xsave_header header;
	struct stub_fp_sw sw;
	bool sound;

	if (!own || !src || !read_guest(&sw, src + STUB_FP_SW_OFFSET, sizeof(sw)) ||
		sw.magic1 != STUB_FP_XSTATE_MAGIC1 || sw.xstate_size < extended ||
		sw.xstate_size > own->xstate_size || sw.extended_size != sw.xstate_size + 4 ||
		!read_guest(&magic2, src + sw.xstate_size, sizeof(magic2)) || magic2 != FP_MAGIC2 ||
		!read_guest(&header, src + FXSAVE_SIZE, sizeof(header)) ||
		!read_guest(mxcsr, src + MXCSR_OFFSET, sizeof(mxcsr)))
		return false;
	if ((header.features & ~(sw.xfeatures & own->xfeatures)) || header.compacted)
		return false;
	for (unsigned i = 0; i < sizeof(header.reserved) / sizeof(header.reserved[0]); i++)
		if (header.reserved[i])
			return false;
	if (mxcsr[0] & ~(mxcsr[1] ? mxcsr[1] & 0xffff : MXCSR_MASK_USUAL))
		return false;
	sound = read_guest(image, src, STUB_FP_SW_OFFSET) &&
		read_guest(image + extended, src + extended, sw.xstate_size - extended);
	*(uint32_t *)(image + MXCSR_OFFSET) = mxcsr[0];
	*(uint32_t *)(image + MXCSR_OFFSET + 4) = mxcsr[1];
	if (sound)
		*(struct xsave_header *)(image + FXSAVE_SIZE) = header;
	return sound;
}

/* All general registers; segments and bases stay. */
static void restore_regs(struct stub_sigcontext *mc, const struct stub_sigcontext *from)
{
	uint64_t *to = &mc->r8;
	const uint64_t *source = &from->r8;

	for (unsigned i = 0; i < 17; i++) /* r8 to rip */
		to[i] = source[i];
	mc->eflags = (mc->eflags & ~EFLAGS_USER) | (from->eflags & EFLAGS_USER);
}

static bool same_stack(const struct platform_inguest *known, const struct stub_ucontext *uc)
{
	const uint64_t *stack = (const uint64_t *)&uc->stack;

	return stack[0] == known->altstack[0] &&
	       (uint32_t)stack[1] == (uint32_t)known->altstack[1] && stack[2] == known->altstack[2];
}

/*
 * rt_sigreturn(2), whose frame is at the stack pointer. What is unusual is the Sentry's: another
 * alternate stack, a single step, an FPU image that is not as our frames have it, a mask that lets
 * something pending through (as in answer.c). Nothing of the guest's has changed then, but possibly
 * the FPU's state, which the Sentry loads again.
 */
bool stub_sigreturn(struct stub_thread *self, struct stub_ucontext *uc)
{
	struct platform_inguest *known = &self->slot->inguest;
	struct stub_ucontext frame;
	uint64_t old = known->blocked, mask;

	if (!(known->features & PLATFORM_INGUEST_SIGRETURN) ||
		!read_guest(&frame, uc->mc.rsp, sizeof(frame)) || !same_stack(known, &frame) ||
		(frame.mc.eflags & EFLAGS_TRAP))
		return false;
	mask = frame.sigmask & ~PLATFORM_UNBLOCKABLE;
	if (self->told_actions && (old & ~mask))
		return false;
	if (mask != old) {
		__atomic_store_n(&known->blocked, mask, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&known->pending, __ATOMIC_SEQ_CST) & ~mask)
			goto refuse;
	}
	if (!read_fpu(uc, frame.mc.fpstate))
		goto refuse;
	restore_regs(&uc->mc, &frame.mc);
	return true;
refuse:
	__atomic_store_n(&known->blocked, old, __ATOMIC_RELAXED);
	return false;
}
