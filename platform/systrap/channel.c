/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Sentry's end of a channel slot. The protocol is described in docs/channel.md.
 *
 * A slot is shared with the guest, so nothing read from it means anything until it lies in the
 * snapshot: the header of a request is copied once, counts and offsets are checked in the copy,
 * then the prefetched bytes are copied. What we wrote ourselves (commands, reply) is never read
 * back.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"

static bool request_kind_legal(const struct systrap_thread *thread, unsigned kind)
{
	switch (thread->state) {
	case SYSTRAP_IN_GUEST:
		if (thread->frame_resumed && kind == REQUEST_REFUSED)
			return true;
		return kind == REQUEST_SYSCALL || kind == REQUEST_FAULT ||
		       kind == REQUEST_INTERRUPTED ||
		       (kind == REQUEST_REFUSED && thread->late.pending);
	case SYSTRAP_IN_COMMAND:
		return kind == REQUEST_DONE;
	default:
		return false;
	}
}

uint8_t *systrap_prefetched(struct systrap_snapshot *snapshot, const struct channel_prefetch *entry)
{
	if (entry->offset >= CHANNEL_DATA_SIZE)
		return snapshot->request.near + (entry->offset - CHANNEL_DATA_SIZE);
	return snapshot->data + entry->offset;
}

/* Takes the bytes of one range. They must not come to lie on the entries, which are checked. */
static bool take_range(
	struct systrap_thread *thread, const struct channel_prefetch *entry, uint32_t near_begin)
{
	struct systrap_snapshot *snapshot = &thread->snapshot;
	const struct channel_slot *slot = thread->slot;

	if (entry->offset >= CHANNEL_DATA_SIZE) {
		uint32_t offset = entry->offset - CHANNEL_DATA_SIZE;

		if (entry->size > CHANNEL_REQUEST_NEAR || offset < near_begin ||
			offset > CHANNEL_REQUEST_NEAR - entry->size)
			return false;
		systrap_take(
			snapshot->request.near + offset, slot->request.near + offset, entry->size);
		return true;
	}
	if (entry->size > CHANNEL_DATA_SIZE || entry->offset > CHANNEL_DATA_SIZE - entry->size)
		return false;
	if (!snapshot->data)
		snapshot->data = malloc(CHANNEL_DATA_SIZE);
	if (!snapshot->data)
		return false; /* it is an optimisation: the bytes will be asked for */
	systrap_take(snapshot->data + entry->offset, slot->data + entry->offset, entry->size);
	return true;
}

static void take_prefetch(struct systrap_thread *thread, uint32_t count)
{
	struct systrap_snapshot *snapshot = &thread->snapshot;
	const uint32_t size = count * (uint32_t)sizeof(struct channel_prefetch);

	snapshot->prefetch_count = 0;
	if (count == 0 || count > CHANNEL_PREFETCH_MAX)
		return;
	systrap_take(snapshot->request.prefetch, thread->slot->request.prefetch, size);
	for (uint32_t i = 0; i < count; i++) {
		if (!take_range(thread, &snapshot->request.prefetch[i], size))
			return;
		snapshot->prefetch_count = i + 1;
	}
}

/* The first cache line has been taken. As a prefetched range with a place in the snapshot's copy.
 */
static void take_spare(struct systrap_snapshot *snapshot, uint8_t spare)
{
	struct channel_request *request = &snapshot->request;
	const unsigned arg = (spare & 7u) - 1, size = (spare >> 3) + 1u;
	const unsigned first = 6 - (size + 7) / 8;

	snapshot->prefetch_count = 0;
	if (arg >= first)
		return;
	request->prefetch[0] = (struct channel_prefetch){
		.addr = request->args[arg],
		.size = size,
		.offset = CHANNEL_DATA_SIZE + sizeof(struct channel_prefetch),
	};
	memcpy(request->near + sizeof(struct channel_prefetch), &request->args[first], size);
	for (unsigned i = first; i < 6; i++)
		request->args[i] = 0;
	snapshot->prefetch_count = 1;
}

static void take_results(struct systrap_thread *thread)
{
	const struct channel_request *shared = &thread->slot->request;
	struct channel_request *request = &thread->snapshot.request;

	if (thread->pending_commands > CHANNEL_RESULTS_NEAR)
		systrap_take(request->more_results, shared->more_results,
			(thread->pending_commands - CHANNEL_RESULTS_NEAR) * sizeof(int64_t));
}

/* Calls that the stub has answered before. */
static void take_told(struct systrap_thread *thread, unsigned closed)
{
	const struct channel_slot *slot = thread->slot;
	const uint32_t before = thread->head.told_count;
	uint32_t count;

	if (closed < CHANNEL_CLOSED_TOLD) {
		thread->head.closed = (uint8_t)closed;
		return;
	}
	count = __atomic_load_n(&slot->told_count, __ATOMIC_RELAXED);
	if (count > PLATFORM_TOLD_MAX || before + count > array_size(thread->told))
		return;
	systrap_take(thread->told + before, slot->told, count * sizeof(slot->told[0]));
	thread->head.told = thread->told;
	thread->head.told_count = (uint8_t)(before + count);
}

int systrap_channel_poll(struct systrap_thread *thread)
{
	const struct channel_request *shared = &thread->slot->request;
	struct channel_request *request = &thread->snapshot.request;
	const union channel_request_head head = {
		.word = __atomic_load_n(&shared->head.word, __ATOMIC_ACQUIRE)};

	if (head.seq == thread->seq ||
		(thread->state != SYSTRAP_IN_GUEST && thread->state != SYSTRAP_IN_COMMAND))
		return 0;
	if (head.seq != thread->seq + 1 || !request_kind_legal(thread, head.kind)) {
		log_debug("systrap: thread %d broke the channel's protocol", (int)thread->tid);
		systrap_as_kill((struct platform_as *)thread->as);
		return -EPROTO;
	}
	/* The rest of the first cache line. */
	systrap_take((uint8_t *)request + sizeof(head), (const uint8_t *)shared + sizeof(head),
		offsetof(struct channel_request, near) - sizeof(head));
	request->head = head;
	if (head.kind != REQUEST_DONE && head.kind != REQUEST_REFUSED) {
		if (head.closed)
			take_told(thread, head.closed);
		if (request->held)
			thread->head.held = request->held;
	}
	if (head.kind == REQUEST_FAULT)
		systrap_take(&request->fault, &shared->fault, sizeof(request->fault));
	if (head.kind == REQUEST_DONE || head.kind == REQUEST_REFUSED)
		take_results(thread);
	else if (head.kind == REQUEST_SYSCALL && head.spare)
		take_spare(&thread->snapshot, head.spare);
	else
		take_prefetch(thread, head.prefetch_count);
	/* Only when it was set: the stub reads this cache line with each call. */
	if (thread->kicked)
		thread->slot->reply.interrupt = 0;
	thread->kicked = false;
	thread->idle_rings = 0;
	thread->seq = head.seq;
	systrap_set_state(thread, SYSTRAP_STOPPED);
	thread->event_ready = true;
	if (thread->waiter)
		fiber_wake(thread->waiter);
	return 1;
}

/* ---- the reply's own output ---- */

bool systrap_out_set(
	struct systrap_thread *thread, uint64_t dst, const void *src, size_t size, bool lossy)
{
	if (thread->out.size > 0 || thread->pending_commands > 0 || thread->pending_data > 0 ||
		size > CHANNEL_DATA_SIZE)
		return false;
	thread->out.addr = dst;
	thread->out.size = (uint32_t)size;
	thread->out.lossy = lossy;
	thread->out.from_window = false;
	if (size <= CHANNEL_REPLY_NEAR)
		memcpy(thread->out.near, src, size);
	else
		memcpy(thread->slot->data + systrap_data_take(thread, size), src, size);
	return true;
}

bool systrap_out_set_window(struct systrap_thread *thread, uint64_t dst,
	const struct channel_window_out *from, size_t size)
{
	if (thread->out.size > 0 || thread->pending_commands > 0)
		return false;
	thread->out.addr = dst;
	thread->out.size = (uint32_t)size;
	thread->out.lossy = false;
	thread->out.from_window = true;
	thread->out.window = *from;
	return true;
}

/* Other commands join it: as the first of them. */
void systrap_out_to_command(struct systrap_thread *thread)
{
	uint32_t size = thread->out.size;
	struct channel_command *command;

	if (size == 0)
		return;
	thread->out.size = 0;
	if (thread->out.from_window) {
		command = systrap_command_defer(thread, COMMAND_COPY_WINDOW, size);
		command->args[0] = thread->out.addr;
		command->args[1] = size;
		command->args[2] = thread->out.window.addr;
		command->args[3] = thread->out.window.before;
		return;
	}
	if (size <= CHANNEL_REPLY_NEAR)
		memcpy(thread->slot->data + systrap_data_take(thread, size), thread->out.near,
			size);
	command = systrap_command_defer(
		thread, COMMAND_COPY_OUT, thread->out.lossy ? DEFERRED_LOSSY : size);
	command->nr = thread->out.lossy;
	command->args[0] = thread->out.addr;
	command->args[1] = size;
	command->args[2] = 0;
}

/* The stub looks at its cache line all the time: written at one go. */
static void reply_out(struct systrap_thread *thread, struct channel_reply *reply)
{
	reply->out_addr = thread->out.addr;
	reply->out_size = thread->out.size;
	if (thread->out.from_window)
		reply->window = thread->out.window;
	else if (thread->out.size <= CHANNEL_REPLY_NEAR)
		memcpy(reply->near, thread->out.near, thread->out.size);
}

void systrap_channel_reply(struct systrap_thread *thread, uint8_t flags, uint64_t rax)
{
	struct channel_reply *reply = &thread->slot->reply;
	union channel_reply_head head = {
		.seq = thread->seq,
		.flags = flags,
		.command_count = (uint8_t)thread->pending_commands,
		.opened = thread->head.opened_flags,
	};

	if (thread->out.size > 0) {
		head.flags |= REPLY_OUT | (thread->out.lossy ? REPLY_LOSSY : 0) |
			      (thread->out.from_window ? REPLY_WINDOW : 0);
		reply_out(thread, reply);
	}
	reply->rax = rax;
	__atomic_store_n(&reply->head.word, head.word, __ATOMIC_RELEASE);
	/* Everything else while it travels. */
	thread->fresh = false;
	thread->frame_resumed = thread->frame_pending;
	systrap_set_state(thread, flags & REPLY_RESUME ? SYSTRAP_IN_GUEST : SYSTRAP_IN_COMMAND);
	thread->since_tick = systrap.tick;
	systrap_spin_reply(thread);
	/*
	 * No fence: whether the stub sleeps we know from its doorbell, which either was received
	 * (then it is answered now) or will be received later (then it is answered at once, since
	 * the reply is there).
	 */
	if (thread->notification)
		systrap_doorbell_answer(thread);
}

int systrap_wait_request(struct systrap_thread *thread)
{
	thread->waiter = fiber_current();
	while (!thread->event_ready && thread->state != SYSTRAP_DEAD)
		fiber_park();
	thread->waiter = NULL;
	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	thread->event_ready = false;
	return 0;
}

struct channel_command *systrap_command_add(
	struct systrap_thread *thread, enum channel_command_kind kind)
{
	struct channel_command *command;

	if (thread->pending_commands >= CHANNEL_COMMANDS_MAX)
		return NULL;
	command = &thread->slot->reply.commands[thread->pending_commands++];
	command->kind = kind;
	command->nr = 0;
	return command;
}

void systrap_reply_clear(struct systrap_thread *thread)
{
	thread->pending_commands = 0;
	thread->pending_data = 0;
	thread->deferred_count = 0;
	thread->windows_used = 0;
	thread->out.size = 0;
}

int systrap_commands_run(struct systrap_thread *thread, uint8_t flags)
{
	int err;

	if (thread->state == SYSTRAP_DEAD) {
		systrap_reply_clear(thread);
		return -ESRCH;
	}
	sentry_assert(thread->out.size == 0);
	sentry_assert(thread->state == SYSTRAP_STOPPED);
	systrap_check_arm();
	systrap_channel_reply(thread, flags, 0);
	err = systrap_wait_request(thread);
	for (unsigned i = 0; i < thread->deferred_count && err == 0; i++) {
		int64_t result = systrap_result(thread, i);

		if (thread->deferred_results[i] == DEFERRED_LOSSY ||
			thread->deferred_results[i] == result)
			continue;
		if (!thread->batch.active)
			thread->pending_fault = true;
		else if (!thread->batch.error)
			thread->batch.error = result < 0 && result >= -4095 ? (int)result : -EFAULT;
	}
	if (thread->late.pending && err == 0)
		thread->late.error = systrap_check_result(
			systrap_result(thread, thread->late.index), thread->late.expected);
	thread->late.pending = false;
	if (thread->frame_pending && err == 0 && systrap_result(thread, thread->frame_index) != 0)
		thread->frame_refused = true;
	thread->frame_pending = false;
	systrap_reply_clear(thread);
	return err;
}

int64_t systrap_result(const struct systrap_thread *thread, unsigned index)
{
	const struct channel_request *request = &thread->snapshot.request;

	if (index < CHANNEL_RESULTS_NEAR)
		return request->results[index];
	return request->more_results[index - CHANNEL_RESULTS_NEAR];
}

int systrap_host_call(
	struct systrap_thread *thread, uint32_t nr, const uint64_t args[6], int64_t *ret_result)
{
	struct channel_command *command;
	unsigned index;
	int err;

	err = systrap_make_room(thread, 1, 0);
	if (err < 0)
		return err;
	index = thread->pending_commands;
	command = systrap_command_add(thread, COMMAND_HOST);
	command->nr = nr;
	memcpy(command->args, args, sizeof(command->args));
	err = systrap_commands_run(thread, 0);
	if (err < 0)
		return err;
	*ret_result = systrap_result(thread, index);
	return 0;
}

int systrap_check_result(int64_t result, int64_t expected)
{
	if (result == expected)
		return 0;
	if (result < 0 && result >= -4095)
		return (int)result;
	return -EFAULT; /* the guest's stub lies to its own guest */
}

bool systrap_may_delay(const struct systrap_thread *thread)
{
	return thread->head.may_delay && !thread->head.prompt && thread->as->live_threads == 1 &&
	       !thread->late.pending;
}

struct channel_command *systrap_command_late(
	struct systrap_thread *thread, uint32_t nr, const uint64_t args[6], int64_t expected)
{
	struct channel_command *command;

	thread->late.pending = true;
	thread->late.index = thread->pending_commands;
	thread->late.expected = expected;
	command = systrap_command_defer(thread, COMMAND_HOST_LATE, DEFERRED_LOSSY);
	command->nr = nr;
	command->timespec[0] = expected;
	memcpy(command->args, args, sizeof(command->args));
	return command;
}

int systrap_host_call_expect(
	struct systrap_thread *thread, uint32_t nr, const uint64_t args[6], int64_t expected)
{
	int64_t result;
	int err;

	if (systrap_may_delay(thread)) {
		err = systrap_make_room(thread, 1, 0);
		if (err == 0)
			(void)systrap_command_late(thread, nr, args, expected);
		return err;
	}
	err = systrap_host_call(thread, nr, args, &result);
	return err < 0 ? err : systrap_check_result(result, expected);
}

int systrap_flush(struct systrap_thread *thread)
{
	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	systrap_out_to_command(thread);
	if (thread->pending_commands == 0)
		return 0;
	return systrap_commands_run(thread, 0);
}

int systrap_make_room(struct systrap_thread *thread, unsigned count, size_t size)
{
	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	systrap_out_to_command(thread);
	if (count <= CHANNEL_COMMANDS_MAX - thread->pending_commands &&
		size <= CHANNEL_DATA_SIZE - thread->pending_data)
		return 0;
	return systrap_flush(thread);
}

struct channel_command *systrap_command_defer(
	struct systrap_thread *thread, enum channel_command_kind kind, int64_t expected)
{
	sentry_assert(thread->deferred_count == thread->pending_commands);
	thread->deferred_results[thread->deferred_count++] = expected;
	return systrap_command_add(thread, kind);
}

bool systrap_deferred_matter(const struct systrap_thread *thread)
{
	if (thread->out.size > 0 && !thread->out.lossy)
		return true;
	for (unsigned i = 0; i < thread->deferred_count; i++) {
		if (thread->deferred_results[i] != DEFERRED_LOSSY)
			return true;
	}
	return false;
}

uint32_t systrap_data_take(struct systrap_thread *thread, size_t size)
{
	uint32_t offset = thread->pending_data;

	sentry_assert(size <= CHANNEL_DATA_SIZE - offset);
	thread->pending_data +=
		(uint32_t)min_of((size + 15) & ~15ul, (size_t)(CHANNEL_DATA_SIZE - offset));
	return offset;
}

int systrap_need_doorbell(struct systrap_thread *thread)
{
	int err = systrap_flush(thread);

	/* A fresh thread's transfer slot is taken: its channel lies there until it has begun. */
	if (err < 0 || (thread->notification && !thread->fresh))
		return err;
	err = systrap_commands_run(thread, REPLY_DOORBELL);
	if (err < 0)
		return err;
	/* It has posted; its doorbell is on the way. */
	thread->since_tick = systrap.tick;
	thread->awaits_doorbell = true;
	thread->waiter = fiber_current();
	while (!thread->notification && thread->state != SYSTRAP_DEAD)
		fiber_park();
	thread->waiter = NULL;
	thread->awaits_doorbell = false;
	return thread->state == SYSTRAP_DEAD ? -ESRCH : 0;
}
