/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: parts of files that a stub has mapped read-only, so that what a guest reads of them need
 * not pass through the channel.
 *
 * Data in the channel lies in the cache of the Sentry's CPU when the stub copies it out, and moving
 * it to the other CPU costs many times what a copy of the host's page cache costs. So once enough
 * of a part of a file went through the channel, the part is mapped at STUB_WINDOW_BASE, and a read
 * is answered with "copy from there".
 *
 * The mapping gives the guest no more than it had: the descriptor is one with which it may read the
 * file, and a guest may map what it may read. It stays until its slot is needed for another part or
 * the process gives up rights, and ends with the address space; a forked child does not inherit it.
 *
 * A slot must not be given away while a thread copies from it. Replies are one-way, so a thread is
 * taken to do that from the reply that names a window until its next request (`windows_used`).
 *
 * A file may have become shorter in the meantime: the copy then ends with a fault at the last page,
 * and the stub makes the call's result the bytes that were there, as a read at that moment would.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/checked.h"

/* What goes through the channel before a part is mapped: about what the mapping costs. */
#define WINDOW_WORTH (128u << 10)

/* Smaller reads go through the channel at no loss. */
#define WINDOW_READ_MIN 1024u

struct part {
	uint64_t content; /* platform_content.id; 0: none */
	uint64_t index;	  /* offset / STUB_WINDOW_SIZE */
};

struct systrap_windows {
	bool refused;  /* a mapping failed: the address space goes without */
	unsigned last; /* found by the last look-up */
	uint64_t clock;
	struct {
		struct part part;
		uint64_t used_at; /* of clock */
	} windows[STUB_WINDOWS_MAX];
	/* Parts that may become windows. */
	unsigned next_candidate;
	struct {
		struct part part;
		uint64_t size; /* bytes read so far */
	} candidates[STUB_WINDOWS_MAX];
};

_Static_assert(STUB_WINDOWS_MAX <= 8 * sizeof(((struct systrap_thread *)0)->windows_used),
	"a bit for each");

static bool same_part(const struct part *a, const struct part *b)
{
	return a->content == b->content && a->index == b->index;
}

static int window_find(struct systrap_windows *table, const struct part *part)
{
	unsigned i = table->last;

	if (same_part(&table->windows[i].part, part))
		return (int)i;
	for (i = 0; i < STUB_WINDOWS_MAX; i++) {
		if (same_part(&table->windows[i].part, part)) {
			table->last = i;
			return (int)i;
		}
	}
	return -1;
}

/* Counts a read of @size bytes at @offset. True when the part has earned its window. */
static bool part_is_worth(
	struct systrap_windows *table, const struct part *part, uint64_t offset, size_t size)
{
	struct part before = {part->content, part->index - 1};
	unsigned i;

	/* Somebody reads on from the end of a window. */
	if (offset % STUB_WINDOW_SIZE == 0 && part->index > 0 && window_find(table, &before) >= 0)
		return true;
	for (i = 0; i < STUB_WINDOWS_MAX; i++)
		if (same_part(&table->candidates[i].part, part))
			break;
	if (i == STUB_WINDOWS_MAX) {
		i = table->next_candidate++ % STUB_WINDOWS_MAX;
		table->candidates[i].part = *part;
		table->candidates[i].size = 0;
	}
	table->candidates[i].size += size;
	return table->candidates[i].size >= WINDOW_WORTH;
}

/* What somebody may be copying from. */
static uint32_t windows_in_use(const struct systrap_as *as)
{
	const struct systrap_thread *thread;
	uint32_t used = 0;

	list_for_each_entry (thread, &as->threads, as_link)
		used |= thread->windows_used;
	return used;
}

/* The slot whose last use is longest ago and that nobody copies from, or -1. */
static int window_victim(const struct systrap_as *as)
{
	const struct systrap_windows *table = as->windows;
	uint32_t used = windows_in_use(as);
	int victim = -1;

	for (unsigned i = 0; i < STUB_WINDOWS_MAX; i++) {
		if (!(used >> i & 1) &&
			(victim < 0 || table->windows[i].used_at < table->windows[victim].used_at))
			victim = (int)i;
	}
	return victim;
}

static uint64_t window_address(unsigned slot)
{
	return STUB_WINDOW_BASE + slot * STUB_WINDOW_SIZE;
}

static int window_map_locked(struct systrap_thread *thread, const struct part *part, int fd)
{
	struct systrap_windows *table = thread->as->windows;
	struct channel_command *command;
	int err, slot;

	err = systrap_need_doorbell(thread);
	if (err < 0)
		return err;
	if (window_find(table, part) >= 0)
		return 0; /* another thread was faster */
	slot = window_victim(thread->as);
	if (slot < 0)
		return -EAGAIN;
	err = systrap_transfer(thread, fd, 0);
	if (err < 0)
		return err;
	table->windows[slot].part = (struct part){0};
	command = systrap_command_add(thread, COMMAND_HOST);
	command->nr = SYS_mmap;
	command->args[0] = window_address((unsigned)slot);
	command->args[1] = STUB_WINDOW_SIZE;
	command->args[2] = 1;	 /* PROT_READ */
	command->args[3] = 0x11; /* MAP_SHARED | MAP_FIXED */
	command->args[4] = STUB_FD_TRANSFER;
	command->args[5] = part->index * STUB_WINDOW_SIZE;
	command = systrap_command_add(thread, COMMAND_HOST);
	command->nr = SYS_close;
	command->args[0] = STUB_FD_TRANSFER;
	command = systrap_command_add(thread, COMMAND_HOST);
	command->nr = SYS_madvise;
	command->args[0] = window_address((unsigned)slot);
	command->args[1] = STUB_WINDOW_SIZE;
	command->args[2] = 10; /* MADV_DONTFORK */
	err = systrap_commands_run(thread, 0);
	if (err < 0)
		return err;
	if (systrap_result(thread, 0) != (int64_t)window_address((unsigned)slot))
		return -ENOMEM;
	table->windows[slot].part = *part;
	table->windows[slot].used_at = ++table->clock;
	return 0;
}

static int window_map(struct systrap_thread *thread, const struct part *part, int fd)
{
	int err;

	fiber_mutex_lock(&thread->as->transfer);
	err = window_map_locked(thread, part, fd);
	fiber_mutex_unlock(&thread->as->transfer);
	if (err < 0 && err != -EAGAIN)
		thread->as->windows->refused = true;
	return err;
}

ssize_t systrap_copy_content(struct platform_thread *head, gaddr_t dst,
	const struct platform_content *content, uint64_t offset, size_t size, uint64_t before)
{
	struct systrap_thread *thread = systrap_thread(head);
	const struct part part = {content->id, offset / STUB_WINDOW_SIZE};
	struct systrap_windows *table = thread->as->windows;
	struct channel_window_out from = {.before = before};
	struct channel_command *command;
	int err, slot;

	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	if (size < WINDOW_READ_MIN || head->prompt)
		return -EAGAIN;
	if (!table)
		table = thread->as->windows = calloc(1, sizeof(*table));
	if (!table || table->refused)
		return -EAGAIN;
	size = (size_t)min_of((uint64_t)size, STUB_WINDOW_SIZE - offset % STUB_WINDOW_SIZE);
	slot = window_find(table, &part);
	if (slot < 0) {
		if (!part_is_worth(table, &part, offset, size))
			return -EAGAIN;
		if (content->fd < 0)
			return -EBADF;
		err = window_map(thread, &part, content->fd);
		if (err < 0)
			return err == -ESRCH ? err : -EAGAIN;
	}
	/* After what may have slept. */
	slot = window_find(table, &part);
	if (slot < 0)
		return -EAGAIN;
	table->windows[slot].used_at = ++table->clock;
	thread->windows_used |= 1u << slot;
	from.addr = window_address((unsigned)slot) + offset % STUB_WINDOW_SIZE;
	if (systrap_out_set_window(thread, dst.v, &from, size))
		return (ssize_t)size;
	err = systrap_make_room(thread, 1, 0);
	if (err < 0)
		return err;
	/* That may have slept, and then the window may be another by now. */
	if (window_find(table, &part) != slot)
		return -EAGAIN;
	thread->windows_used |= 1u << slot;
	command = systrap_command_defer(thread, COMMAND_COPY_WINDOW, (int64_t)size);
	command->args[0] = dst.v;
	command->args[1] = size;
	command->args[2] = from.addr;
	command->args[3] = before;
	return (ssize_t)size;
}

void systrap_forget_content(struct platform_thread *head)
{
	struct systrap_thread *thread = systrap_thread(head);
	struct systrap_windows *table = thread->as->windows;
	struct channel_command *command;
	uint32_t used;

	if (!table || systrap_make_room(thread, STUB_WINDOWS_MAX, 0) < 0)
		return;
	used = windows_in_use(thread->as);
	for (unsigned i = 0; i < STUB_WINDOWS_MAX; i++) {
		if (!table->windows[i].part.content || (used >> i & 1))
			continue;
		table->windows[i].part = (struct part){0};
		command = systrap_command_add(thread, COMMAND_HOST);
		command->nr = SYS_munmap;
		command->args[0] = window_address(i);
		command->args[1] = STUB_WINDOW_SIZE;
	}
	if (thread->pending_commands > 0)
		(void)systrap_commands_run(thread, 0);
}
