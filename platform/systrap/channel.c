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

#define OFFSET(field) offsetof(struct channel_request, field)

/* Copies from shared memory; volatile reads would be slower and no safer: the copy is the only
 * thing we look at. */
static void take(void *dst, const void *shared, size_t size)
{
	memcpy(dst, shared, size);
	__asm__ volatile("" ::: "memory");
}

static bool request_kind_legal(const struct systrap_thread *thread, unsigned kind)
{
	switch (thread->state) {
	case SYSTRAP_IN_GUEST:
		return kind == REQUEST_SYSCALL || kind == REQUEST_FAULT ||
		       kind == REQUEST_INTERRUPTED;
	case SYSTRAP_IN_COMMAND:
		return kind == REQUEST_DONE;
	default:
		return false;
	}
}

static void take_prefetch(struct systrap_thread *thread, uint32_t count)
{
	struct systrap_snapshot *snapshot = &thread->snapshot;

	snapshot->prefetch_count = 0;
	if (count == 0 || count > CHANNEL_PREFETCH_MAX)
		return;
	if (!snapshot->data)
		snapshot->data = malloc(CHANNEL_DATA_SIZE);
	if (!snapshot->data)
		return; /* it is an optimisation: the bytes will be asked for */
	take(snapshot->request.prefetch, thread->slot->request.prefetch,
		count * sizeof(struct channel_prefetch));
	for (uint32_t i = 0; i < count; i++) {
		const struct channel_prefetch *entry = &snapshot->request.prefetch[i];

		if (entry->size > CHANNEL_DATA_SIZE ||
			entry->offset > CHANNEL_DATA_SIZE - entry->size)
			return;
		take(snapshot->data + entry->offset, thread->slot->data + entry->offset,
			entry->size);
		snapshot->prefetch_count = i + 1;
	}
}

int systrap_channel_poll(struct systrap_thread *thread)
{
	const struct channel_request *shared = &thread->slot->request;
	struct channel_request *request = &thread->snapshot.request;
	uint32_t seq = __atomic_load_n(&shared->seq, __ATOMIC_ACQUIRE);

	if (seq == thread->seq ||
		(thread->state != SYSTRAP_IN_GUEST && thread->state != SYSTRAP_IN_COMMAND))
		return 0;
	take(request, shared, OFFSET(fault));
	if (seq != thread->seq + 1 || !request_kind_legal(thread, request->kind)) {
		log_debug("systrap: thread %d broke the channel's protocol", (int)thread->tid);
		systrap_as_kill((struct platform_as *)thread->as);
		return -EPROTO;
	}
	if (request->kind == REQUEST_FAULT)
		take(&request->fault, &shared->fault, sizeof(request->fault));
	if (request->kind == REQUEST_DONE)
		take(request->results, shared->results,
			thread->pending_commands * sizeof(request->results[0]));
	if (request->kind != REQUEST_DONE)
		take_prefetch(thread, request->prefetch_count);
	/* Only when it was set: the stub spins on this cache line. */
	if (thread->kicked)
		thread->slot->reply.interrupt = 0;
	thread->kicked = false;
	thread->idle_rings = 0;
	thread->seq = seq;
	systrap_set_state(thread, SYSTRAP_STOPPED);
	thread->event_ready = true;
	if (thread->waiter)
		fiber_wake(thread->waiter);
	return 1;
}

void systrap_channel_reply(struct systrap_thread *thread, uint32_t flags)
{
	struct channel_reply *reply = &thread->slot->reply;

	thread->fresh = false;
	reply->flags = flags;
	reply->command_count = thread->pending_commands;
	systrap_set_state(thread, flags & REPLY_RESUME ? SYSTRAP_IN_GUEST : SYSTRAP_IN_COMMAND);
	thread->since_tick = systrap.tick;
	thread->replied_at = loop_monotonic_now();
	__atomic_store_n(&reply->seq, thread->seq, __ATOMIC_RELEASE);
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

int systrap_commands_run(struct systrap_thread *thread, uint32_t flags)
{
	int err;

	if (thread->state == SYSTRAP_DEAD) {
		thread->pending_commands = 0;
		return -ESRCH;
	}
	sentry_assert(thread->state == SYSTRAP_STOPPED);
	systrap_check_arm();
	systrap_channel_reply(thread, flags);
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
	thread->pending_commands = 0;
	thread->pending_data = 0;
	thread->deferred_count = 0;
	thread->windows_used = 0;
	return err;
}

int64_t systrap_result(const struct systrap_thread *thread, unsigned index)
{
	return thread->snapshot.request.results[index];
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

int systrap_flush(struct systrap_thread *thread)
{
	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	if (thread->pending_commands == 0)
		return 0;
	return systrap_commands_run(thread, 0);
}

int systrap_make_room(struct systrap_thread *thread, unsigned count, size_t size)
{
	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
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
