/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches: mapping operations and copies that travel to the stub together.
 *
 * execve builds an address space by some twenty operations whose results all mean the same, "go on"
 * or "the new program is lost". One by one each costs an exchange; in a batch they are delayed
 * commands of one reply, and the first that failed is the batch's answer. Descriptors lie in the
 * transfer slots until the commands that map them are done: one for each file, not one for each
 * mapping. A thread that has not begun yet sleeps in its doorbell with its channel in the first
 * slot; the others are free, so that even its first exchange maps files.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "base/log.h"

static unsigned slots_used(const struct systrap_batch *batch)
{
	unsigned count = 0;

	for (unsigned i = 0; i < STUB_FD_TRANSFERS; i++)
		count += batch->fds[i] >= 0;
	return count;
}

static void release_slots(struct systrap_thread *thread)
{
	struct systrap_batch *batch = &thread->batch;

	for (unsigned i = 0; i < STUB_FD_TRANSFERS; i++)
		batch->fds[i] = -1;
	if (batch->locked)
		fiber_mutex_unlock(&thread->as->transfer);
	batch->locked = false;
}

/* Runs what was collected. 0 or -ESRCH; a command that failed is remembered. */
static int flush(struct systrap_thread *thread)
{
	struct systrap_batch *batch = &thread->batch;
	int err;

	for (unsigned i = 0; i < STUB_FD_TRANSFERS; i++) {
		struct channel_command *command;

		if (batch->fds[i] < 0)
			continue;
		command = systrap_command_defer(thread, COMMAND_HOST, DEFERRED_LOSSY);
		command->nr = SYS_close;
		command->args[0] = STUB_FD_TRANSFER + i;
	}
	err = systrap_flush(thread);
	release_slots(thread);
	return err;
}

/* Room for @count more commands, the slots' closing, and @size bytes. */
static int make_room(struct systrap_thread *thread, unsigned count, size_t size)
{
	unsigned needed = count + slots_used(&thread->batch);

	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	if (needed <= CHANNEL_COMMANDS_MAX - thread->pending_commands &&
		size <= CHANNEL_DATA_SIZE - thread->pending_data)
		return 0;
	return flush(thread);
}

static void host_call(
	struct systrap_thread *thread, uint32_t nr, const uint64_t args[6], int64_t expected)
{
	struct channel_command *command = systrap_command_defer(thread, COMMAND_HOST, expected);

	command->nr = nr;
	memcpy(command->args, args, sizeof(command->args));
}

/* The transfer slot that holds @fd, which is put there if need be. Its number or -errno. */
static int transfer(struct systrap_thread *thread, int fd)
{
	struct systrap_batch *batch = &thread->batch;
	int slot = -1, err;

	for (int i = 0; i < (int)STUB_FD_TRANSFERS; i++) {
		if (batch->fds[i] == fd)
			return i;
		/* The first one of a thread that has not begun holds its channel. */
		if (batch->fds[i] < 0 && slot < 0 && (i > 0 || !thread->fresh))
			slot = i;
	}
	if (slot < 0) {
		err = flush(thread);
		if (err < 0)
			return err;
		slot = 0;
	}
	if (!batch->locked)
		fiber_mutex_lock(&thread->as->transfer);
	batch->locked = true;
	if (!thread->notification) {
		err = systrap_need_doorbell(thread);
		if (err < 0)
			return err;
	}
	err = systrap_transfer(thread, fd, (unsigned)slot);
	if (err < 0)
		return err;
	batch->fds[slot] = fd;
	return slot;
}

int systrap_batch_map(
	struct systrap_thread *thread, uint64_t args[6], const struct platform_map *map)
{
	/* One for the mapping, one for the closing of its slot. */
	int err = make_room(thread, 2, 0), fd = systrap_library_find(thread->as, map), slot;

	if (err < 0)
		return err;
	if (fd >= 0) {
		args[4] = (uint64_t)fd;
	} else if (map->fd >= 0) {
		slot = transfer(thread, map->fd);
		if (slot < 0)
			return slot;
		args[4] = STUB_FD_TRANSFER + (uint64_t)slot;
		systrap_library_note(map);
	}
	host_call(thread, SYS_mmap, args, (int64_t)args[0]);
	return 0;
}

int systrap_batch_try_map(struct systrap_thread *thread, const uint64_t args[6])
{
	int err = make_room(thread, 1, 0);

	if (err == 0)
		host_call(thread, SYS_mmap, args, DEFERRED_LOSSY);
	return err;
}

int systrap_batch_call(struct systrap_thread *thread, uint32_t nr, const uint64_t args[6])
{
	int err = make_room(thread, 1, 0);

	if (err < 0)
		return err;
	host_call(thread, nr, args, 0);
	return 0;
}

int systrap_batch_copy_out(
	struct systrap_thread *thread, uint64_t dst, const void *src, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t chunk = min_of(size - done, (size_t)CHANNEL_DATA_SIZE);
		struct channel_command *command;
		int err = make_room(thread, 1, chunk);

		if (err < 0)
			return err;
		command = systrap_command_defer(thread, COMMAND_COPY_OUT, (int64_t)chunk);
		command->args[0] = dst + done;
		command->args[1] = chunk;
		command->args[2] = systrap_data_take(thread, chunk);
		memcpy(thread->slot->data + command->args[2], (const uint8_t *)src + done, chunk);
		done += chunk;
	}
	return 0;
}

void systrap_batch_begin(struct platform_thread *head)
{
	struct systrap_thread *thread = systrap_thread(head);

	sentry_assert(!thread->batch.active);
	thread->batch = (struct systrap_batch){.active = true};
	for (unsigned i = 0; i < STUB_FD_TRANSFERS; i++)
		thread->batch.fds[i] = -1;
}

int systrap_batch_end(struct platform_thread *head)
{
	struct systrap_thread *thread = systrap_thread(head);
	int err = thread->state == SYSTRAP_DEAD ? -ESRCH : flush(thread);

	/* Flushing took them back already, unless the thread died. */
	release_slots(thread);
	thread->batch.active = false;
	return err < 0 ? err : thread->batch.error;
}
