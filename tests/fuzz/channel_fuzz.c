/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile stub without a process: the input is what it writes into its slot of the channel, and
 * what the kernel asks of it meanwhile. The kernel's side runs on a fiber as a task would: it runs
 * the guest, copies memory, sets frames and registers; whenever it waits for the stub, the next
 * part of the input is written into the slot and the request is taken, until there is no more and
 * the thread dies.
 *
 * The input: a byte for each operation of the kernel's and one for its size; a part of the stub's
 * is a byte of what to do, the request's first cache line if the kind says so, and so many bytes at
 * an offset of the request's page or the data area.
 *
 * What must hold: nothing the sanitizers see, no assertion; results within what was asked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fiber.h"
#include "base/log.h"
#include "base/loop.h"
#include "platform/systrap/systrap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OPERATIONS_MAX 64
#define COPY_MAX       (3 * CHANNEL_DATA_SIZE)

static struct input {
	const uint8_t *data;
	size_t size;
} input;
static struct channel_slot *slot;
static struct systrap_as space;
static struct systrap_thread *thread;
static uint8_t buffer[COPY_MAX];
static bool over;

static uint64_t take(unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && input.size; i++, input.size--)
		value |= (uint64_t)*input.data++ << 8 * i;
	return value;
}

/* Near what travels, at the ends of the address space, or anywhere. */
static uint64_t take_address(void)
{
	unsigned kind = (unsigned)take(1);

	switch (kind % 4) {
	case 0:
		return 0x1000 + take(1) * 8;
	case 1:
		return thread->snapshot.request.prefetch[kind / 4 % CHANNEL_PREFETCH_MAX].addr +
		       take(1) - 16;
	case 2:
		return UINT64_MAX - take(1) * 64;
	default:
		return take(8);
	}
}

/* ---- the kernel's side ---- */

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void run_guest(void)
{
	struct platform_event event = {0};

	if (thread->state != SYSTRAP_STOPPED && thread->state != SYSTRAP_DEAD)
		return;
	systrap_run(&thread->head, &event);
	if (event.kind == PLATFORM_FAULT)
		must(event.fault.signo > 0 && event.fault.signo < 32);
	if (event.kind == PLATFORM_SYSCALL && take(1) & 1)
		systrap_load_regs(&thread->head);
}

static void futex(void)
{
	struct platform_futex call = {.uaddr = GADDR(take_address()), .op = (int)take(2)};
	int64_t result;

	call.val = (uint32_t)take(1);
	call.has_timeout = take(1) & 1;
	result = systrap_futex(&thread->head, &call);
	must(result >= -4095 && result <= INT32_MAX);
}

static void frame(void)
{
	const struct platform_frame frame = {
		.addr = GADDR(take_address()), .data = buffer, .size = 1024, .fpu_size = 576};

	if (!thread->frame_pending && systrap_signal_frame(&thread->head, &frame) == 0 &&
		take(1) & 1)
		(void)systrap_signal_frame_flush(&thread->head);
}

static void copy(unsigned kind, size_t size)
{
	struct platform_thread *head = &thread->head;
	gaddr_t addr = GADDR(take_address());
	const uint8_t *bytes;
	ssize_t n = 0;

	switch (kind) {
	case 0:
		n = systrap_copy_in(head, buffer, addr, size);
		break;
	case 1:
		n = systrap_copy_out(head, addr, buffer, size);
		break;
	case 2:
		(void)systrap_copy_out_deferred(head, addr, buffer, size);
		break;
	case 3:
		systrap_copy_out_lossy(head, addr, buffer, size);
		break;
	case 4:
		bytes = systrap_bytes_at_hand(head, addr, size);
		if (bytes)
			memcpy(buffer, bytes, size);
		break;
	default:
		n = (ssize_t)systrap_string_at_hand(head, (char *)buffer, addr, size);
		break;
	}
	must(n == -ESRCH || (n >= 0 && (size_t)n <= size));
}

static void operate(unsigned operation)
{
	const uint64_t args[6] = {operation};
	size_t size = take(1) * (operation & 128 ? 600u : 3u);
	int64_t result = 0;

	switch (operation % 16) {
	case 0:
	case 1:
	case 2:
		run_guest();
		break;
	case 3:
		futex();
		break;
	case 4:
		frame();
		break;
	case 5:
		result = systrap_fpu_get(&thread->head, buffer, size);
		must(result <= (int64_t)size);
		break;
	case 6:
		(void)systrap_fpu_set(&thread->head, buffer, size);
		break;
	case 7:
		(void)systrap_host_call_expect(thread, 11, args, 0);
		break;
	case 8:
		thread->head.may_delay = !thread->head.may_delay;
		break;
	case 9:
		thread->head.regs_dirty = true;
		break;
	default:
		copy(operation % 16 - 10, min_of(size, sizeof(buffer)));
	}
}

static void kernel_side(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < OPERATIONS_MAX && input.size && thread->state != SYSTRAP_DEAD; i++)
		operate((unsigned)take(1));
	/* What a task that ends does. */
	if (thread->state == SYSTRAP_STOPPED)
		(void)systrap_flush(thread);
	over = true;
}

/* ---- the stub's side ---- */

#define STUB_DIES  16u
#define STUB_LIES  32u	/* head of its own, whatever the state */
#define STUB_LINE  64u	/* the first cache line from the input */
#define STUB_BYTES 128u /* bytes somewhere */

static unsigned legal_kind(unsigned wanted)
{
	static const uint8_t in_guest[] = {REQUEST_SYSCALL, REQUEST_SYSCALL, REQUEST_FAULT,
		REQUEST_INTERRUPTED, REQUEST_REFUSED};

	return thread->state == SYSTRAP_IN_COMMAND ? REQUEST_DONE
						   : in_guest[wanted % array_size(in_guest)];
}

static void write_bytes(void)
{
	size_t offset = take(2), size = min_of((size_t)take(1), input.size);
	uint8_t *area = offset & 0x8000 ? slot->data : (uint8_t *)&slot->request;
	size_t room = offset & 0x8000 ? CHANNEL_DATA_SIZE : sizeof(slot->request);

	offset = (offset & 0x7fff) % room;
	memcpy(area + offset, input.data, min_of(size, room - offset));
	input.data += size;
	input.size -= size;
}

static void answer(void)
{
	unsigned what = (unsigned)take(1);
	union channel_request_head head;

	if (!input.size || what & STUB_DIES) {
		systrap_thread_died(thread);
		return;
	}
	if (what & STUB_LINE) {
		for (unsigned i = 0; i < 8; i++)
			((uint64_t *)(void *)&slot->request)[i] = take(8);
	}
	if (what & STUB_BYTES)
		write_bytes();
	head.word = take(8);
	if (!(what & STUB_LIES)) {
		head.seq = thread->seq + 1;
		head.kind = (uint8_t)legal_kind(what & 15u);
	}
	__atomic_store_n(&slot->request.head.word, head.word, __ATOMIC_RELEASE);
	if (systrap_channel_poll(thread) < 0)
		systrap_thread_died(thread);
}

/* ---- one input ---- */

static void set_up(void)
{
	static struct channel_slot *memory;

	if (!memory) {
		log_set_level(LOG_ERROR);
		platform = &platform_systrap;
		must(loop_init() == 0);
		timer_init(&systrap.check_timer, systrap_check_expired, NULL);
		list_init(&systrap.spaces);
		list_init(&systrap.clones);
		list_init(&systrap.condemned);
		list_init(&systrap.hot);
		systrap.cpu_count = 1;
		systrap.tsc_per_us = 1000;
		systrap.config.patch_sites = true;
		memory = aligned_alloc(4096, sizeof(*memory));
		must(memory != NULL);
	}
	memset(memory, 0, sizeof(*memory));
	slot = memory;
	/* No process is behind it: 0 is nobody's, for systrap_as_kill() too. */
	space = (struct systrap_as){
		.pidfd = {.fd = -1}, .segments = {{.memfd = -1, .slots = memory}}};
	list_init(&space.threads);
	must(systrap_thread_new(&thread, &space, 1, 0, 0, true) == 0);
	over = false;
}

static void tear_down(void)
{
	timer_cancel(&systrap.check_timer);
	systrap_thread_died(thread);
	list_remove(&thread->as_link);
	free(thread->snapshot.data);
	free(thread);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fiber *fiber;

	input = (struct input){data, size};
	set_up();
	must(fiber_create(&fiber, "kernel", kernel_side, NULL) == 0);
	while (!over) {
		(void)fiber_run_ready();
		if (!over)
			answer();
	}
	tear_down();
	return 0;
}
