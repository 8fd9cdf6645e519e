/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers.
 *
 * A fiber is a stack and a saved stack pointer. Every switch goes between the main loop and one
 * fiber, never from fiber to fiber, so "who runs next" is decided in one place and a fiber that
 * ends can be freed by somebody who stands on another stack.
 *
 * The switch saves what the System V ABI calls callee-saved: rbx, rbp, r12-r15. Everything else is
 * dead across a function call, apart from the control bits of mxcsr and the x87 control word:
 * nobody here changes those, and saving them would double the price of a switch. It returns by
 * `ret` to an address that no `call` on this stack pushed, which a shadow stack would refuse: host
 * code is built with -fcf-protection=branch at most.
 *
 * Wake-ups: a parked fiber becomes ready at the first wake; further ones while it waits for its
 * turn add nothing. A wake that finds the fiber running (or ready because it yielded) is remembered
 * and makes the next park return at once.
 */
#include "base/fiber.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fiber_private.h"
#include "base/late.h"
#include "base/log.h"
#include "base/timer_private.h"

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define STACK_SIZE (1024 * 1024ul) /* instrumented frames are several times larger */
#else
#define STACK_SIZE (128 * 1024ul)
#endif

#define GUARD_SIZE 4096ul

/* Two mappings each, below the host's default vm.max_map_count of 65530. */
#define FIBERS_MAX 16384u

/* Stacks kept for reuse; the rest goes back to the host. */
#define POOL_MAX 64u

struct pooled_stack {
	struct pooled_stack *next; /* lies in the stack itself, at its lowest usable address */
};

static struct {
	struct list_head ready, late;
	struct fiber *current;
	void *main_sp;
	unsigned count;
	struct pooled_stack *pool;
	unsigned pool_count;
#ifdef FIBER_ASAN
	void *main_fake_stack;
	const void *main_stack_bottom;
	size_t main_stack_size;
#endif
} fibers = {.ready = LIST_HEAD_INIT(fibers.ready), .late = LIST_HEAD_INIT(fibers.late)};

/*
 * void fiber_switch_stack(void **save_sp, void *new_sp)
 *
 * Frame, from the new stack pointer upwards: r15, r14, r13, r12, rbx, rbp, return address.
 */
void fiber_switch_stack(void **save_sp, void *new_sp);
__asm__(".pushsection .text\n"
	".p2align 4\n"
	".globl fiber_switch_stack\n"
	".hidden fiber_switch_stack\n"
	".type fiber_switch_stack, @function\n"
	"fiber_switch_stack:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size fiber_switch_stack, . - fiber_switch_stack\n"
	".popsection\n");

struct switch_frame {
	uint64_t r15, r14, r13, r12, rbx, rbp;
	void (*return_address)(void);
	uint64_t entry_return; /* what the entry function finds as its return address: none */
};

static uint8_t *stack_alloc(void)
{
	uint8_t *mapping;

	if (fibers.pool) {
		struct pooled_stack *stack = fibers.pool;

		fibers.pool = stack->next;
		fibers.pool_count--;
		return (uint8_t *)stack;
	}
	/* The guard is what the second call leaves of the first one's: no mprotect is needed. */
	mapping = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapping == MAP_FAILED)
		return NULL;
	if (mmap(mapping + GUARD_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE | MAP_FIXED, -1,
		    0) == MAP_FAILED) {
		(void)munmap(mapping, GUARD_SIZE + STACK_SIZE);
		return NULL;
	}
	return mapping + GUARD_SIZE;
}

static void stack_free(uint8_t *bottom)
{
	struct pooled_stack *stack = (struct pooled_stack *)bottom;

#ifdef FIBER_ASAN
	/* The frames that were live at the last switch never returned: their redzones are still
	 * poisoned. */
	__asan_unpoison_memory_region(bottom, STACK_SIZE);
#endif
	if (fibers.pool_count >= POOL_MAX) {
		(void)munmap(bottom - GUARD_SIZE, GUARD_SIZE + STACK_SIZE);
		return;
	}
	stack->next = fibers.pool;
	fibers.pool = stack;
	fibers.pool_count++;
}

static void switch_to_main(struct fiber *self, bool last)
{
#ifdef FIBER_ASAN
	void *fake_stack = NULL;

	__sanitizer_start_switch_fiber(
		last ? NULL : &fake_stack, fibers.main_stack_bottom, fibers.main_stack_size);
	fiber_switch_stack(&self->sp, fibers.main_sp);
	__sanitizer_finish_switch_fiber(
		fake_stack, &fibers.main_stack_bottom, &fibers.main_stack_size);
#else
	(void)last;
	fiber_switch_stack(&self->sp, fibers.main_sp);
#endif
}

static void switch_to_fiber(struct fiber *fiber)
{
	fibers.current = fiber;
	fiber->state = FIBER_RUNNING;
#ifdef FIBER_ASAN
	__sanitizer_start_switch_fiber(&fibers.main_fake_stack, fiber->stack, STACK_SIZE);
	fiber_switch_stack(&fibers.main_sp, fiber->sp);
	__sanitizer_finish_switch_fiber(fibers.main_fake_stack, NULL, NULL);
#else
	fiber_switch_stack(&fibers.main_sp, fiber->sp);
#endif
	fibers.current = NULL;
}

/* The first function on a fiber's stack. Must not return: there is nowhere to return to. */
static void fiber_entry(void)
{
	struct fiber *self = fibers.current;

#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(NULL, &fibers.main_stack_bottom, &fibers.main_stack_size);
#endif
	self->fn(self->arg);
	self->state = FIBER_DEAD;
	switch_to_main(self, true);
	panic("fiber %s ran after its end", self->name);
}

static void fiber_timer_expired(struct timer *timer)
{
	struct fiber *fiber = timer->data;

	fiber->timed_out = true;
	fiber_wake(fiber);
}

int fiber_create(struct fiber **ret_fiber, const char *name, fiber_fn *fn, void *arg)
{
	struct switch_frame *frame;
	struct fiber *fiber;
	int err;

	if (fibers.count >= FIBERS_MAX)
		return -EAGAIN;
	fiber = calloc(1, sizeof(*fiber));
	if (!fiber)
		return -ENOMEM;
	err = timers_reserve(1);
	if (err < 0) {
		free(fiber);
		return err;
	}
	fiber->stack = stack_alloc();
	if (!fiber->stack) {
		timers_unreserve(1);
		free(fiber);
		return -ENOMEM;
	}
	fiber->name = name;
	fiber->fn = fn;
	fiber->arg = arg;
	list_init(&fiber->errands);
	timer_init(&fiber->sleep_timer, fiber_timer_expired, fiber);

	/* At function entry the ABI wants rsp + 8 to be a multiple of 16. */
	frame = (struct switch_frame *)(fiber->stack + STACK_SIZE - sizeof(*frame));
	_Static_assert(sizeof(*frame) % 16 == 0, "rsp + 8 must be aligned at entry");
	memset(frame, 0, sizeof(*frame));
	frame->return_address = fiber_entry;
	fiber->sp = frame;

	fiber->state = FIBER_READY_WOKEN;
	list_add_tail(&fiber->ready_link, &fibers.ready);
	fibers.count++;
	if (ret_fiber)
		*ret_fiber = fiber;
	return 0;
}

static void fiber_destroy(struct fiber *fiber)
{
	timer_cancel(&fiber->sleep_timer);
	timers_unreserve(1);
	stack_free(fiber->stack);
	fibers.count--;
	free(fiber);
}

struct fiber *fiber_current(void)
{
	return fibers.current;
}

const char *fiber_name(const struct fiber *fiber)
{
	return fiber->name;
}

void fiber_set_owner(struct fiber *fiber, void *owner)
{
	fiber->owner = owner;
}

void *fiber_owner(void)
{
	return fibers.current ? fibers.current->owner : NULL;
}

void fiber_note_host(void)
{
	struct fiber *fiber = fiber_current();

	if (fiber)
		fiber->asked_host = true;
}

bool fiber_take_host(void)
{
	struct fiber *fiber = fiber_current();
	bool asked = fiber && fiber->asked_host;

	if (fiber)
		fiber->asked_host = false;
	return asked;
}

void fiber_yield(void)
{
	struct fiber *self = fibers.current;

	sentry_assert(self);
	self->state = FIBER_READY_YIELDED;
	list_add_tail(&self->ready_link, &fibers.ready);
	switch_to_main(self, false);
}

void fiber_park(void)
{
	struct fiber *self = fibers.current;

	sentry_assert(self);
	if (self->wake_pending) {
		self->wake_pending = false;
		return;
	}
	self->state = FIBER_PARKED;
	switch_to_main(self, false);
}

void fiber_wake(struct fiber *fiber)
{
	switch (fiber->state) {
	case FIBER_PARKED:
		fiber->state = FIBER_READY_WOKEN;
		list_add_tail(&fiber->ready_link, &fibers.ready);
		break;
	case FIBER_RUNNING:
	case FIBER_READY_YIELDED:
		fiber->wake_pending = true;
		break;
	case FIBER_READY_WOKEN:
		break;
	case FIBER_DEAD:
		panic("wake of the dead fiber %s", fiber->name);
	}
}

void fiber_set_interrupted(struct fiber *fiber, bool interrupted)
{
	fiber->interrupted = interrupted;
	if (interrupted && fiber->in_interruptible_sleep)
		fiber_wake(fiber);
}

void fiber_add_errand(struct fiber *fiber, struct fiber_errand *errand)
{
	list_add_tail(&errand->link, &fiber->errands);
	if (fiber->serving)
		fiber_wake(fiber);
}

void fiber_run_errands(void)
{
	struct fiber *self = fiber_current();

	while (!list_empty(&self->errands)) {
		struct fiber_errand *errand = list_first(&self->errands, struct fiber_errand, link);

		list_remove(&errand->link);
		errand->run(errand);
	}
}

bool fiber_interrupted(const struct fiber *fiber)
{
	return fiber->interrupted;
}

void late_work_add(struct late_work *work)
{
	list_remove(&work->link);
	if (fibers.current)
		list_add_tail(&work->link, &fibers.late);
	else
		work->run(work);
}

static void run_late(void)
{
	while (!list_empty(&fibers.late)) {
		struct late_work *work = list_first(&fibers.late, struct late_work, link);

		list_remove(&work->link);
		work->run(work);
	}
}

unsigned fiber_run_ready(void)
{
	struct list_head round;
	unsigned count = 0;

	sentry_assert(!fibers.current);
	/* One round: whoever becomes ready meanwhile waits for the next, so the loop gets its turn.
	 */
	list_init(&round);
	if (!list_empty(&fibers.ready)) {
		list_add(&round, &fibers.ready);
		list_remove(&fibers.ready);
	}
	while (!list_empty(&round)) {
		struct fiber *fiber = list_first(&round, struct fiber, ready_link);

		list_remove(&fiber->ready_link);
		switch_to_fiber(fiber);
		run_late();
		count++;
		if (fiber->state == FIBER_DEAD)
			fiber_destroy(fiber);
	}
	return count;
}

bool fiber_any_ready(void)
{
	return !list_empty(&fibers.ready);
}
