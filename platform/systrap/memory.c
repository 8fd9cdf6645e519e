/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory and mappings: all of it done by the stub, in the guest's own address space, through
 * the channel.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>

#include "abi/mman.h"
#include "base/checked.h"

/* ---- the snapshot ---- */

/* Serves the first bytes of [src, src + size) from what travelled with the request. Returns how
 * many. */
static size_t snapshot_read(struct systrap_thread *thread, void *dst, uint64_t src, size_t size)
{
	struct systrap_snapshot *snapshot = &thread->snapshot;

	for (uint32_t i = 0; i < snapshot->prefetch_count; i++) {
		const struct channel_prefetch *entry = &snapshot->request.prefetch[i];
		uint64_t skip = src - entry->addr;
		size_t count;

		if (src < entry->addr || skip >= entry->size)
			continue;
		count = min_of(size, (size_t)(entry->size - skip));
		memcpy(dst, systrap_prefetched(snapshot, entry) + skip, count);
		return count;
	}
	return 0;
}

/* Bytes of [src, src + size) before the first one that travelled. */
static size_t snapshot_gap(const struct systrap_thread *thread, uint64_t src, size_t size)
{
	const struct systrap_snapshot *snapshot = &thread->snapshot;
	size_t gap = size;

	for (uint32_t i = 0; i < snapshot->prefetch_count; i++) {
		uint64_t addr = snapshot->request.prefetch[i].addr;

		if (addr > src && addr - src < gap)
			gap = (size_t)(addr - src);
	}
	return gap;
}

/* What we write ourselves must be what a later read of the same call sees. */
static void snapshot_write(
	struct systrap_thread *thread, uint64_t dst, const void *src, size_t size)
{
	struct systrap_snapshot *snapshot = &thread->snapshot;

	for (uint32_t i = 0; i < snapshot->prefetch_count; i++) {
		const struct channel_prefetch *entry = &snapshot->request.prefetch[i];
		uint64_t begin = max_of(dst, entry->addr);
		uint64_t end = min_of(dst + size, entry->addr + entry->size);

		if (dst + size < dst || begin >= end)
			continue;
		memcpy(systrap_prefetched(snapshot, entry) + (begin - entry->addr),
			(const uint8_t *)src + (begin - dst), end - begin);
	}
}

/* ---- copies ---- */

/* One copy by the stub, through the data area at @offset. Bytes copied, or -ESRCH. */
static ssize_t stub_copy(struct systrap_thread *thread, enum channel_command_kind kind,
	uint64_t addr, size_t size, uint32_t offset)
{
	unsigned index = thread->pending_commands;
	struct channel_command *command = systrap_command_add(thread, kind);
	int64_t result;
	int err;

	command->args[0] = addr;
	command->args[1] = size;
	command->args[2] = offset;
	err = systrap_commands_run(thread, 0);
	if (err < 0)
		return err;
	result = systrap_result(thread, index);
	if (result < 0 || result > (int64_t)size)
		return 0;
	return result;
}

const void *systrap_bytes_at_hand(struct platform_thread *head, gaddr_t src, size_t size)
{
	struct systrap_snapshot *snapshot = &systrap_thread(head)->snapshot;

	for (uint32_t i = 0; i < snapshot->prefetch_count; i++) {
		const struct channel_prefetch *entry = &snapshot->request.prefetch[i];
		uint64_t skip = src.v - entry->addr;

		if (src.v >= entry->addr && skip <= entry->size && size <= entry->size - skip)
			return systrap_prefetched(snapshot, entry) + skip;
	}
	return NULL;
}

size_t systrap_string_at_hand(struct platform_thread *head, char *dst, gaddr_t src, size_t size)
{
	size_t got = snapshot_read(systrap_thread(head), dst, src.v, size);
	const char *end = got ? memchr(dst, '\0', got) : NULL;

	return end ? (size_t)(end - dst) + 1 : 0;
}

ssize_t systrap_copy_in(struct platform_thread *head, void *dst, gaddr_t src, size_t size)
{
	struct systrap_thread *thread = systrap_thread(head);
	size_t done = 0;

	if (size > SSIZE_MAX)
		size = SSIZE_MAX;
	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	while (done < size) {
		uint64_t addr = src.v + done;
		size_t chunk = snapshot_read(thread, (uint8_t *)dst + done, addr, size - done);
		uint32_t offset;
		ssize_t copied;
		int err;

		if (chunk > 0) {
			done += chunk;
			continue;
		}
		chunk = min_of(snapshot_gap(thread, addr, size - done), (size_t)CHANNEL_DATA_SIZE);
		err = systrap_make_room(thread, 1, chunk);
		if (err < 0)
			return err;
		offset = thread->pending_data;
		copied = stub_copy(thread, COMMAND_COPY_IN, addr, chunk, offset);
		if (copied < 0)
			return copied;
		memcpy((uint8_t *)dst + done, thread->slot->data + offset, (size_t)copied);
		done += (size_t)copied;
		if ((size_t)copied < chunk)
			break;
	}
	return (ssize_t)done;
}

ssize_t systrap_copy_out(struct platform_thread *head, gaddr_t dst, const void *src, size_t size)
{
	struct systrap_thread *thread = systrap_thread(head);
	size_t done = 0;
	int err;

	if (size > SSIZE_MAX)
		size = SSIZE_MAX;
	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	if (thread->batch.active) {
		err = systrap_batch_copy_out(thread, dst.v, src, size);
		if (err < 0)
			return err;
		snapshot_write(thread, dst.v, src, size);
		return (ssize_t)size;
	}
	while (done < size) {
		size_t chunk = min_of(size - done, (size_t)CHANNEL_DATA_SIZE);
		uint32_t offset;
		ssize_t copied;

		err = systrap_make_room(thread, 1, chunk);
		if (err < 0)
			return err;
		offset = thread->pending_data;
		memcpy(thread->slot->data + offset, (const uint8_t *)src + done, chunk);
		copied = stub_copy(thread, COMMAND_COPY_OUT, dst.v + done, chunk, offset);
		if (copied < 0)
			return copied;
		snapshot_write(thread, dst.v + done, (const uint8_t *)src + done, (size_t)copied);
		done += (size_t)copied;
		if ((size_t)copied < chunk)
			break;
	}
	return (ssize_t)done;
}

static bool defer_copy_out(
	struct systrap_thread *thread, uint64_t dst, const void *src, size_t size, bool lossy)
{
	struct channel_command *command;
	uint32_t offset;

	if (systrap_out_set(thread, dst, src, size, lossy)) {
		snapshot_write(thread, dst, src, size);
		return true;
	}
	systrap_out_to_command(thread);
	if (size > CHANNEL_DATA_SIZE - thread->pending_data ||
		thread->pending_commands >= CHANNEL_COMMANDS_MAX)
		return false;
	offset = systrap_data_take(thread, size);
	command = systrap_command_defer(
		thread, COMMAND_COPY_OUT, lossy ? DEFERRED_LOSSY : (int64_t)size);
	command->nr = lossy;
	command->args[0] = dst;
	command->args[1] = size;
	command->args[2] = offset;
	memcpy(thread->slot->data + offset, src, size);
	snapshot_write(thread, dst, src, size);
	return true;
}

int systrap_copy_out_deferred(
	struct platform_thread *head, gaddr_t dst, const void *src, size_t size)
{
	struct systrap_thread *thread = systrap_thread(head);
	ssize_t copied;

	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	if (size == 0 || (!head->prompt && defer_copy_out(thread, dst.v, src, size, false)))
		return 0;
	copied = systrap_copy_out(head, dst, src, size);
	if (copied < 0)
		return (int)copied;
	return (size_t)copied == size ? 0 : -EFAULT;
}

void systrap_copy_out_lossy(struct platform_thread *head, gaddr_t dst, const void *src, size_t size)
{
	struct systrap_thread *thread = systrap_thread(head);

	if (thread->state != SYSTRAP_DEAD && !defer_copy_out(thread, dst.v, src, size, true))
		(void)systrap_copy_out(head, dst, src, size);
}

/* ---- mappings ---- */

static void snapshot_drop(struct systrap_thread *thread)
{
	thread->snapshot.prefetch_count = 0;
}

void systrap_forget(struct platform_thread *head)
{
	snapshot_drop(systrap_thread(head));
}

/*
 * Brings the descriptor into the transfer slot. Programs map a library in four or five pieces, so
 * the descriptor of a file that costs nothing (and that the guest may map whenever it likes) stays
 * there until another one is needed: a thread need not sleep in its doorbell for the next piece.
 */
static int bring_fd(struct systrap_thread *thread, const struct platform_map *map)
{
	int err;

	if (map->content && thread->as->kept == map->content)
		return 0;
	err = systrap_need_doorbell(thread);
	if (err == 0)
		err = systrap_transfer(thread, map->fd, 0);
	if (err == 0)
		systrap_library_note(map);
	return err;
}

/*
 * Delayed, the mapping leaves the transfer slot taken beyond the mutex: until its only thread goes
 * on, and nobody else could use the slot.
 */
static int map_fd(
	struct systrap_thread *thread, const uint64_t args[6], const struct platform_map *map)
{
	const uint64_t close_args[6] = {STUB_FD_TRANSFER};
	struct channel_command *command;
	bool delay = systrap_may_delay(thread);
	unsigned index = 0;
	int err;

	fiber_mutex_lock(&thread->as->transfer);
	err = bring_fd(thread, map);
	if (err == 0)
		err = systrap_make_room(thread, 2, 0);
	if (err == 0 && delay) {
		(void)systrap_command_late(thread, SYS_mmap, args, (int64_t)args[0]);
	} else if (err == 0) {
		index = thread->pending_commands;
		command = systrap_command_add(thread, COMMAND_HOST);
		command->nr = SYS_mmap;
		memcpy(command->args, args, sizeof(command->args));
	}
	if (err == 0 && !map->content) {
		command = delay ? systrap_command_defer(thread, COMMAND_HOST, DEFERRED_LOSSY)
				: systrap_command_add(thread, COMMAND_HOST);
		command->nr = SYS_close;
		memcpy(command->args, close_args, sizeof(command->args));
	}
	if (err == 0 && !delay)
		err = systrap_commands_run(thread, 0);
	if (err == 0)
		thread->as->kept = map->content;
	fiber_mutex_unlock(&thread->as->transfer);
	if (err == 0 && !delay)
		err = systrap_check_result(systrap_result(thread, index), (int64_t)args[0]);
	return err;
}

int systrap_map(struct platform_thread *head, const struct platform_map *map)
{
	struct systrap_thread *thread = systrap_thread(head);
	uint64_t flags = 0x10 /* MAP_FIXED */ | (map->shared ? 0x01 : 0x02);
	uint64_t args[6];
	int err, fd;

	if (map->shared && map->fd < 0)
		return -EINVAL;
	if (map->noreserve)
		flags |= 0x4000;
	if (map->fd < 0)
		flags |= 0x20;
	err = systrap_patch_leave(thread, map->addr.v, map->size, true);
	if (err < 0 || head->done_already)
		return err;
	args[0] = map->addr.v;
	args[1] = map->size;
	args[2] = (uint64_t)map->prot & 7;
	args[3] = flags;
	args[4] = map->fd < 0 ? UINT64_MAX : STUB_FD_TRANSFER;
	args[5] = map->fd < 0 ? 0 : map->offset;
	snapshot_drop(thread);
	if (thread->batch.active)
		return systrap_batch_map(thread, args, map);
	fd = systrap_library_find(thread->as, map);
	if (fd >= 0)
		args[4] = (uint64_t)fd;
	else if (map->fd >= 0)
		return map_fd(thread, args, map);
	return systrap_host_call_expect(thread, SYS_mmap, args, (int64_t)map->addr.v);
}

static int simple_call(
	struct systrap_thread *thread, uint32_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const uint64_t args[6] = {a0, a1, a2};

	snapshot_drop(thread);
	if (thread->batch.active)
		return systrap_batch_call(thread, nr, args);
	return systrap_host_call_expect(thread, nr, args, 0);
}

int systrap_unmap(struct platform_thread *head, gaddr_t addr, uint64_t size)
{
	struct systrap_thread *thread = systrap_thread(head);
	int err = systrap_patch_leave(thread, addr.v, size, true);

	if (err < 0 || head->done_already)
		return err;
	return simple_call(thread, SYS_munmap, addr.v, size, 0);
}

int systrap_protect(struct platform_thread *head, gaddr_t addr, uint64_t size, int prot)
{
	struct systrap_thread *thread = systrap_thread(head);
	int err = 0;

	/* Patches stand in code that can be read and run, and nothing else. */
	if (prot != (LX_PROT_READ | LX_PROT_EXEC))
		err = systrap_patch_leave(thread, addr.v, size, false);
	if (err < 0 || head->done_already)
		return err;
	return simple_call(thread, SYS_mprotect, addr.v, size, (uint64_t)prot & 7);
}

int systrap_remap(struct platform_thread *head, gaddr_t old_addr, uint64_t old_size,
	uint64_t new_size, gaddr_t new_addr)
{
	struct systrap_thread *thread = systrap_thread(head);
	/* MREMAP_MAYMOVE | MREMAP_FIXED */
	const uint64_t args[6] = {
		old_addr.v, old_size, new_size, old_addr.v == new_addr.v ? 0 : 3, new_addr.v};
	int64_t result;
	int err = 0;

	if (old_addr.v != new_addr.v) {
		err = systrap_patch_leave(thread, old_addr.v, old_size, false);
		if (err == 0)
			err = systrap_patch_leave(thread, new_addr.v, new_size, true);
	}
	if (err < 0)
		return err;
	snapshot_drop(thread);
	err = systrap_host_call(thread, SYS_mremap, args, &result);
	if (err < 0)
		return err;
	return systrap_check_result(result, (int64_t)new_addr.v);
}

/* The filter's list (filter.c); what it refuses, the kernel's madvise() answers in its own way. */
int systrap_advise(struct platform_thread *head, gaddr_t addr, uint64_t size, int advice)
{
	static const uint32_t refused[] = {
		9 /* REMOVE */, 11 /* DOFORK */, 12 /* MERGEABLE */, 13 /* UNMERGEABLE */};

	struct systrap_thread *thread = systrap_thread(head);

	if (advice < 0 || advice > 23 || (advice > 4 && advice < 8))
		return -EINVAL;
	for (unsigned i = 0; i < array_size(refused); i++) {
		if ((uint32_t)advice == refused[i])
			return -EINVAL;
	}
	/* These would bring back the file's bytes, of a jump or of what it leads to. */
	if (advice == LX_MADV_DONTNEED || advice == LX_MADV_FREE) {
		int err;

		if (systrap_patch_in_area(thread->as, addr.v, size))
			return 0;
		err = systrap_patch_leave(thread, addr.v, size, false);
		if (err < 0)
			return err;
	}
	return simple_call(thread, SYS_madvise, addr.v, size, (uint64_t)advice);
}

int systrap_settle(struct platform_thread *head)
{
	struct systrap_thread *thread = systrap_thread(head);
	int err = thread->late.pending ? systrap_flush(thread) : 0;

	if (err == 0)
		err = thread->late.error;
	thread->late.error = 0;
	return err;
}

/* ---- restartable sequences: the host thread's own (rseq(2)) ---- */

#define RSEQ_UNREGISTER 1

int systrap_rseq(
	struct platform_thread *head, gaddr_t area, uint32_t size, uint32_t flags, uint32_t sig)
{
	const uint64_t args[6] = {area.v, size, flags, sig};
	int64_t result;
	int err = systrap_host_call(systrap_thread(head), SYS_rseq, args, &result);

	return err < 0 ? err : systrap_check_result(result, 0);
}

void systrap_rseq_end(struct platform_thread *head, gaddr_t area, uint32_t size, uint32_t sig)
{
	struct systrap_thread *thread = systrap_thread(head);
	struct channel_command *command;

	if (thread->state == SYSTRAP_DEAD || systrap_make_room(thread, 1, 0) < 0)
		return;
	command = systrap_command_defer(thread, COMMAND_HOST, DEFERRED_LOSSY);
	command->nr = SYS_rseq;
	memcpy(command->args, (const uint64_t[6]){area.v, size, RSEQ_UNREGISTER, sig},
		sizeof(command->args));
}
