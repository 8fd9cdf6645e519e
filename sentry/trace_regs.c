/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of a stopped tracee in the forms of ptrace(2) (arch/x86/kernel/ptrace.c,
 * arch/x86/kernel/fpu/regset.c).
 *
 * Segment selectors are those that every guest has; a tracer may write any that a user may have,
 * without effect. A platform hands the FPU's state out as it is in signal frames: components in
 * their initial state are only marked so there, and the software bytes describe a frame. Here they
 * are spelled out, with XCR0 where debuggers look for it.
 */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/limits.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/trace.h"

#define USER_CS	      0x33
#define USER_SS	      0x2b
#define SELECTOR_RPL  3u
#define FXSAVE_SIZE   512u
#define X87_FEATURE   1ull
#define SSE_FEATURE   2ull
#define MXCSR_DEFAULT 0x1f80u
#define MXCSR_ALL     0xffffu
#define FCW_DEFAULT   0x37fu
#define XCR0_OFFSET   464u /* in the software bytes of the FXSAVE image */
/* FLAG_MASK: CF PF AF ZF SF TF DF OF NT RF AC */
#define EFLAGS_TRACER 0x54dd5ull

/* ---- general registers ---------------------------------------------------------------------- */

void trace_get_regs(struct task *task, struct lx_user_regs *ret)
{
	const struct guest_regs *regs = platform_regs(task->thread);

	*ret = (struct lx_user_regs){
		.r15 = regs->r15,
		.r14 = regs->r14,
		.r13 = regs->r13,
		.r12 = regs->r12,
		.rbp = regs->rbp,
		.rbx = regs->rbx,
		.r11 = regs->r11,
		.r10 = regs->r10,
		.r9 = regs->r9,
		.r8 = regs->r8,
		.rax = regs->rax,
		.rcx = regs->rcx,
		.rdx = regs->rdx,
		.rsi = regs->rsi,
		.rdi = regs->rdi,
		.orig_rax = regs->orig_rax,
		.rip = regs->rip,
		.cs = USER_CS,
		.eflags = regs->eflags,
		.rsp = regs->rsp,
		.ss = USER_SS,
		.fs_base = regs->fs_base,
		.gs_base = regs->gs_base,
	};
}

static bool selector_valid(uint64_t value)
{
	return (uint16_t)value == 0 || (value & SELECTOR_RPL) == SELECTOR_RPL;
}

/* putreg() */
int trace_set_regs(struct task *task, const struct lx_user_regs *from)
{
	struct guest_regs *regs = platform_regs(task->thread);

	if (!selector_valid(from->cs) || (uint16_t)from->cs == 0 || !selector_valid(from->ss) ||
		(uint16_t)from->ss == 0 || !selector_valid(from->ds) || !selector_valid(from->es) ||
		!selector_valid(from->fs) || !selector_valid(from->gs))
		return -EIO;
	if (from->fs_base >= LX_TASK_SIZE || from->gs_base >= LX_TASK_SIZE)
		return -EIO;
	*regs = (struct guest_regs){
		.r15 = from->r15,
		.r14 = from->r14,
		.r13 = from->r13,
		.r12 = from->r12,
		.rbp = from->rbp,
		.rbx = from->rbx,
		.r11 = from->r11,
		.r10 = from->r10,
		.r9 = from->r9,
		.r8 = from->r8,
		.rax = from->rax,
		.rcx = from->rcx,
		.rdx = from->rdx,
		.rsi = from->rsi,
		.rdi = from->rdi,
		.orig_rax = from->orig_rax,
		.rip = from->rip,
		.eflags = (regs->eflags & ~EFLAGS_TRACER) | (from->eflags & EFLAGS_TRACER),
		.rsp = from->rsp,
		.fs_base = from->fs_base,
		.gs_base = from->gs_base,
	};
	task->thread->regs_dirty = true;
	return 0;
}

/* ---- FPU ------------------------------------------------------------------------------------ */

struct component {
	uint32_t offset, size;
};

/* CPUID is slow where it is emulated: each is asked once. */
static const struct component *component(unsigned index)
{
	static struct component known[64];
	uint32_t size, offset, c, d;

	if (!known[index].size && __get_cpuid_count(0xd, index, &size, &offset, &c, &d) &&
		offset <= PLATFORM_FPU_MAX && size <= PLATFORM_FPU_MAX - offset)
		known[index] = (struct component){offset, size};
	return &known[index];
}

/* copy_xstate_to_uabi_buf() */
static void spell_out(uint8_t *image, size_t size, uint64_t features)
{
	struct lx_fpstate *fx = (struct lx_fpstate *)image;
	struct lx_xsave_header *header = (struct lx_xsave_header *)(image + FXSAVE_SIZE);
	uint64_t present = size > FXSAVE_SIZE ? header->xfeatures & features : features;

	if (!(present & X87_FEATURE)) {
		uint32_t mxcsr = fx->mxcsr, mask = fx->mxcsr_mask;
		const uint16_t fcw = FCW_DEFAULT;

		memset(image, 0, 160);
		memcpy(image, &fcw, sizeof(fcw));
		fx->mxcsr = mxcsr;
		fx->mxcsr_mask = mask;
	}
	if (!(present & SSE_FEATURE))
		memset(image + 160, 0, 256);
	if (!(present & (SSE_FEATURE | 4)))
		fx->mxcsr = MXCSR_DEFAULT;
	memset(image + 416, 0, FXSAVE_SIZE - 416);
	if (size <= FXSAVE_SIZE)
		return;
	memset(header, 0, sizeof(*header));
	header->xfeatures = present;
	memcpy(image + XCR0_OFFSET, &features, sizeof(features));
	for (unsigned i = 2; i < 63; i++) {
		const struct component *part;

		if (!(features >> i & 1) || (present >> i & 1))
			continue;
		part = component(i);
		if (part->offset < size)
			memset(image + part->offset, 0,
				min_of((size_t)part->size, size - part->offset));
	}
}

static ssize_t get_errand(struct task *task, void *image)
{
	return platform->fpu_get(task->thread, image, PLATFORM_FPU_MAX);
}

/* As the platform has it, with the features that its frames carry. */
static ssize_t get_image(struct task *task, uint8_t *image, uint64_t *ret_features)
{
	const struct lx_fpstate *fx = (const struct lx_fpstate *)image;
	ssize_t size = task_run_errand(task, get_errand, image);

	if (size < 0)
		return size;
	if (size < (ssize_t)FXSAVE_SIZE || size > PLATFORM_FPU_MAX)
		return -EIO;
	*ret_features = X87_FEATURE | SSE_FEATURE;
	if (size >= (ssize_t)(FXSAVE_SIZE + sizeof(struct lx_xsave_header)))
		*ret_features |= fx->sw.xfeatures;
	else
		size = FXSAVE_SIZE;
	return size;
}

ssize_t trace_get_fpu(struct task *task, uint8_t *image)
{
	uint64_t features;
	ssize_t size = get_image(task, image, &features);

	if (size > 0)
		spell_out(image, (size_t)size, features);
	return size;
}

struct set_request {
	const uint8_t *image;
	size_t size;
};

static ssize_t set_errand(struct task *task, void *data)
{
	const struct set_request *request = data;

	return platform->fpu_set(task->thread, request->image, request->size);
}

/* What XRSTOR takes without a fault (validate_user_xstate_header()). */
static bool header_valid(const struct lx_xsave_header *header, uint64_t features)
{
	if ((header->xfeatures & ~features) || header->xcomp_bv)
		return false;
	for (size_t i = 0; i < array_size(header->reserved); i++)
		if (header->reserved[i])
			return false;
	return true;
}

int trace_set_fpu(struct task *task, const uint8_t *from, size_t size)
{
	const struct lx_fpstate *fx = (const struct lx_fpstate *)from;
	const size_t kept = offsetof(struct lx_fpstate, sw);
	_cleanup_free_ uint8_t *image = malloc(PLATFORM_FPU_MAX);
	struct set_request request;
	struct lx_xsave_header *header;
	uint64_t features;
	ssize_t full;

	if (!image)
		return -ENOMEM;
	full = get_image(task, image, &features);
	if (full < 0)
		return (int)full;
	if (size != FXSAVE_SIZE && size != (size_t)full)
		return -EINVAL;
	if (fx->mxcsr & ~MXCSR_ALL)
		return -EINVAL;
	if (size == FXSAVE_SIZE) {
		uint8_t frame_part[FXSAVE_SIZE];

		memcpy(frame_part, image, sizeof(frame_part));
		spell_out(image, (size_t)full, features);
		memcpy(image, from, kept);
		memcpy(image + kept, frame_part + kept, FXSAVE_SIZE - kept);
		header = (struct lx_xsave_header *)(image + FXSAVE_SIZE);
		if ((size_t)full > FXSAVE_SIZE)
			header->xfeatures |= X87_FEATURE | SSE_FEATURE;
	} else {
		if (!header_valid((const struct lx_xsave_header *)(from + FXSAVE_SIZE), features))
			return -EINVAL;
		memcpy(image, from, kept);
		memcpy(image + FXSAVE_SIZE, from + FXSAVE_SIZE, size - FXSAVE_SIZE);
	}
	request = (struct set_request){.image = image, .size = (size_t)full};
	return (int)task_run_errand(task, set_errand, &request);
}
