/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on the file that was opened last.
 *
 * Programs that open a file ask at once what it is: fstat for its kind and size, ioctl(TCGETS) for
 * a terminal, lseek for the position; they read it until a read returns nothing, and close it. The
 * Sentry says what it knows with the open (inguest.opened, which is read only when somebody asks),
 * when no other thread or process has a way to the open file. Then every call that could make it
 * untrue is made by this thread and comes by here: each call that goes to the Sentry ends what is
 * known, but for those of the table below; reads and seeks move the position that is kept here.
 * Attributes can be changed by others, by name; the Sentry moves names_epoch on then, as for
 * answers about names.
 *
 * Two kinds of answers repeat what the reply before said. When that came from a window, pread has
 * more of the same part from there: the Sentry leaves a window alone from the reply that names it
 * until the thread's next request. When it was the end of a listing, the next one is empty.
 *
 * A close whose time nobody cares for is answered at once and told with the next request.
 */
#include "abi/syscall_nr.h"
#include "platform/systrap/stub/stub.h"

#define TCGETS	      0x5401u
#define ENOTTY	      25
#define AT_EMPTY_PATH 0x1000u
#define F_SETFD	      2u
#define F_GETFL	      3u
#define MAP_SHARED    1u /* of two bits */
#define SEEK_CUR      1u
#define STAT_SIZE     6u /* index of st_size in struct stat */

#define POSITION_UNKNOWN UINT64_MAX

enum effect {
	EFFECT_ENDS,
	EFFECT_NONE,
	EFFECT_READS, /* and thereby moves the position, if it is of this file */
	EFFECT_WRITES,
	EFFECT_SEEKS,
	EFFECT_OPENS,
	EFFECT_MAPS,  /* what is written by a shared mapping, nobody hears of */
	EFFECT_FCNTL, /* depends on the command */
	EFFECT_LISTS,
};

/* What the attributes of a file show of these (times, the size), the epoch tells. */
static const uint8_t effects[LX_NR_COUNT] = {
	[LX_NR_open] = EFFECT_OPENS,
	[LX_NR_openat] = EFFECT_OPENS,
	[LX_NR_creat] = EFFECT_OPENS,
	[LX_NR_read] = EFFECT_READS,
	[LX_NR_readv] = EFFECT_READS,
	[LX_NR_lseek] = EFFECT_SEEKS,
	[LX_NR_write] = EFFECT_WRITES,
	[LX_NR_writev] = EFFECT_WRITES,
	[LX_NR_pwrite64] = EFFECT_NONE,
	[LX_NR_fchmod] = EFFECT_NONE,
	[LX_NR_fchown] = EFFECT_NONE,
	[LX_NR_utimensat] = EFFECT_NONE,
	[LX_NR_ftruncate] = EFFECT_NONE,
	[LX_NR_fsync] = EFFECT_NONE,
	[LX_NR_fdatasync] = EFFECT_NONE,
	[LX_NR_pread64] = EFFECT_NONE,
	[LX_NR_stat] = EFFECT_NONE,
	[LX_NR_lstat] = EFFECT_NONE,
	[LX_NR_fstat] = EFFECT_NONE,
	[LX_NR_newfstatat] = EFFECT_NONE,
	[LX_NR_access] = EFFECT_NONE,
	[LX_NR_faccessat] = EFFECT_NONE,
	[LX_NR_faccessat2] = EFFECT_NONE,
	[LX_NR_readlink] = EFFECT_NONE,
	[LX_NR_readlinkat] = EFFECT_NONE,
	[LX_NR_getcwd] = EFFECT_NONE,
	[LX_NR_getdents64] = EFFECT_LISTS,
	[LX_NR_brk] = EFFECT_NONE,
	[LX_NR_mmap] = EFFECT_MAPS,
	[LX_NR_fcntl] = EFFECT_FCNTL,
	[LX_NR_munmap] = EFFECT_NONE,
	[LX_NR_mprotect] = EFFECT_NONE,
	[LX_NR_madvise] = EFFECT_NONE,
	[LX_NR_getrandom] = EFFECT_NONE,
	[LX_NR_rt_sigaction] = EFFECT_NONE,
	[LX_NR_rt_sigprocmask] = EFFECT_NONE,
};

void stub_opened_note(struct stub_thread *self, uint32_t nr, const uint64_t args[6])
{
	uint8_t effect = nr < LX_NR_COUNT ? effects[nr] : EFFECT_ENDS;

	self->effect = 0;
	self->noted = self->seq + 1;
	self->reads_at = POSITION_UNKNOWN;
	stub_ahead_note(self, nr, args, effect != EFFECT_ENDS);
	stub_told_note(self, nr, args, effect != EFFECT_ENDS);
	stub_known_note(self, nr, args);
	switch (effect) {
	case EFFECT_NONE:
		if (nr == LX_NR_pread64 && self->opened != OPENED_NOTHING &&
			(int32_t)args[0] == self->opened_fd)
			self->reads_at = args[3];
		return;
	case EFFECT_MAPS:
		if (!(args[3] & MAP_SHARED))
			return;
		break;
	case EFFECT_FCNTL:
		if ((uint32_t)args[1] == F_SETFD || (uint32_t)args[1] == F_GETFL)
			return;
		break;
	case EFFECT_READS:
	case EFFECT_WRITES:
	case EFFECT_SEEKS:
	case EFFECT_LISTS:
		self->list_end = 0;
		self->list_epoch =
			__atomic_load_n(&self->slot->inguest.names_epoch, __ATOMIC_RELAXED);
		if (self->opened != OPENED_NOTHING && (int32_t)args[0] == self->opened_fd)
			self->effect = effect;
		return;
	case EFFECT_OPENS:
		self->effect = effect;
		break;
	default:
		break;
	}
	self->opened = OPENED_NOTHING;
}

/* Whether the file's bytes came with the reply, and nothing else that lies where they do. */
static bool has_content(const struct stub_thread *self)
{
	const union channel_reply_head head = self->slot->reply.head;

	return (head.opened & PLATFORM_OPENED_CONTENT) && head.seq == self->noted &&
	       head.command_count == 0 && !(head.flags & REPLY_OUT);
}

void stub_opened_result(struct stub_thread *self, int64_t result)
{
	uint8_t effect = self->effect;

	self->effect = 0;
	if (result < 0) {
		self->opened = OPENED_NOTHING;
		return;
	}
	switch (effect) {
	case EFFECT_READS:
		if (self->position != POSITION_UNKNOWN)
			self->position += (uint64_t)result;
		break;
	case EFFECT_SEEKS:
		self->position = (uint64_t)result;
		break;
	case EFFECT_LISTS:
		if (self->slot->reply.head.flags & REPLY_LASTS)
			self->list_end = self->list_epoch;
		break;
	case EFFECT_WRITES: /* at the end, perhaps */
		self->position = POSITION_UNKNOWN;
		break;
	default:
		self->opened = OPENED_KNOWN;
		self->opened_fd = (int32_t)result;
		stub_told_opened(self, result);
		self->content = has_content(self);
		self->position = 0;
		self->list_end = 0;
	}
}

void stub_opened_window(struct stub_thread *self)
{
	const struct channel_window_out from = self->slot->reply.window;

	if (self->reads_at == POSITION_UNKNOWN || from.before > 0)
		return;
	self->window = from.addr & ~(STUB_WINDOW_SIZE - 1);
	self->window_from = self->reads_at & ~(STUB_WINDOW_SIZE - 1);
}

/* @name is "" or nothing at all. */
static bool is_empty(uint64_t name)
{
	char first;

	return !name || (stub_copy(&first, (const void *)name, 1) == 0 && !first);
}

/* A read at the end of a file whose size is known: nothing, wherever it should go in the guest. */
static bool reads_nothing(const struct stub_thread *self, const struct platform_opened *opened,
	const uint64_t args[6])
{
	uint64_t size = opened->stat[STAT_SIZE];

	return size > 0 && self->position >= size && self->position != POSITION_UNKNOWN &&
	       args[1] < STUB_BASE && args[2] < STUB_BASE && args[1] + args[2] < STUB_BASE;
}

/* A read within the window and the file. With a fault it is the Sentry's, which knows better. */
static bool reads_window(const struct stub_thread *self, const struct platform_opened *opened,
	const uint64_t args[6], int64_t *ret)
{
	uint64_t size = opened->stat[STAT_SIZE], count = args[2], at = args[3];
	uint64_t offset = at - self->window_from;

	if (!self->window || at >= size || offset >= STUB_WINDOW_SIZE || args[1] >= STUB_BASE ||
		count > STUB_BASE - args[1])
		return false;
	if (count > size - at)
		count = size - at;
	if (count == 0 || count > STUB_WINDOW_SIZE - offset ||
		stub_copy((void *)args[1], (const void *)(self->window + offset), count))
		return false;
	*ret = (int64_t)count;
	return true;
}

/* A read of the first bytes, where they are known. It moves the position. */
static bool reads_begin(struct stub_thread *self, const struct platform_opened *opened,
	const uint64_t args[6], int64_t *ret)
{
	uint64_t seek[6] = {args[0]};
	int64_t position;

	if (!self->known_begin || self->position == POSITION_UNKNOWN || stub_tell_room(self) == 0 ||
		!stub_known_read(
			self, args[1], args[2], self->position, opened->stat[STAT_SIZE], ret))
		return false;
	seek[1] = self->position + (uint64_t)*ret;
	return stub_told_seek(self, seek, &position);
}

/* A read of bytes that came with the open. It moves the position, which is told. */
static bool reads_content(struct stub_thread *self, const struct platform_opened *opened,
	const uint64_t args[6], int64_t *ret)
{
	uint64_t size = opened->stat[STAT_SIZE], count = args[2];
	uint64_t seek[6] = {args[0]};
	int64_t position;

	if (!self->content || size > PLATFORM_CONTENT_MAX || self->position >= size ||
		args[1] >= STUB_BASE || count > STUB_BASE - args[1])
		return false;
	if (count > size - self->position)
		count = size - self->position;
	seek[1] = self->position + count;
	if (count == 0 || stub_copy((void *)args[1], self->slot->data + self->position, count) ||
		!stub_told_seek(self, seek, &position))
		return false;
	*ret = (int64_t)count;
	return true;
}

bool stub_opened_answer(struct stub_thread *self, uint32_t nr, const uint64_t args[6], int64_t *ret)
{
	const struct platform_inguest *known = &self->slot->inguest;
	const struct platform_opened *opened = &known->opened;
	uint32_t epoch, flags;
	uint64_t buffer = args[1];

	if (self->opened == OPENED_NOTHING || (int32_t)args[0] != self->opened_fd)
		return false;
	if (nr == LX_NR_newfstatat) {
		if (args[3] != AT_EMPTY_PATH || !is_empty(args[1]))
			return false;
		buffer = args[2];
	}
	flags = opened->flags;
	epoch = __atomic_load_n(&known->names_epoch, __ATOMIC_RELAXED);
	if (!flags || !epoch || opened->fd != self->opened_fd)
		return false;
	*ret = 0;
	if (nr == LX_NR_close) {
		if (!(flags & PLATFORM_OPENED_CLOSE) ||
			(uint32_t)self->opened_fd >= CHANNEL_CLOSED_MAX || self->told_count ||
			self->closed)
			return false;
		stub_ahead_note(self, nr, args, false);
		stub_held_forget(self, self->opened_fd);
		stub_tell_close(self, (uint32_t)self->opened_fd);
		self->opened = OPENED_NOTHING;
		self->content = false;
		return true;
	}
	if (opened->epoch != epoch)
		return false;
	switch (nr) {
	case LX_NR_ioctl:
		*ret = -ENOTTY;
		return (flags & PLATFORM_OPENED_PLAIN) && (uint32_t)args[1] == TCGETS;
	case LX_NR_fcntl:
		*ret = opened->file_flags;
		return (uint32_t)args[1] == F_GETFL;
	case LX_NR_lseek:
		*ret = (int64_t)self->position;
		return (flags & PLATFORM_OPENED_START) && args[1] == 0 &&
		       (uint32_t)args[2] == SEEK_CUR && self->position != POSITION_UNKNOWN;
	case LX_NR_read:
		return (flags & PLATFORM_OPENED_READ) && (flags & PLATFORM_OPENED_STAT) &&
		       (reads_nothing(self, opened, args) || reads_begin(self, opened, args, ret) ||
			       reads_content(self, opened, args, ret));
	case LX_NR_pread64:
		return (flags & PLATFORM_OPENED_READ) && (flags & PLATFORM_OPENED_STAT) &&
		       (flags & PLATFORM_OPENED_DATA) &&
		       (reads_window(self, opened, args, ret) ||
			       stub_known_read(self, args[1], args[2], args[3],
				       opened->stat[STAT_SIZE], ret));
	case LX_NR_getdents64:
		return (flags & PLATFORM_OPENED_DATA) && self->list_end == epoch;
	default:
		return (flags & PLATFORM_OPENED_STAT) &&
		       stub_copy((void *)buffer, opened->stat, sizeof(opened->stat)) == 0;
	}
}
