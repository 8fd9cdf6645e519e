/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about the file that was opened last.
 *
 * Programs that open a file ask at once what it is: fstat for its kind and size, ioctl(TCGETS) for
 * a terminal, lseek for the position. The Sentry says it with the open (inguest.opened, which is
 * read only when somebody asks), when no other thread or process has a way to the open file. Then
 * every call that could make it untrue is made by this thread and comes by here: each call that
 * goes to the Sentry ends what is known, but for those of the table below. Attributes can be
 * changed by others, by name; the Sentry moves names_epoch on then, as for answers about names.
 */
#include "abi/syscall_nr.h"
#include "platform/systrap/stub/stub.h"

#define TCGETS	      0x5401u
#define ENOTTY	      25
#define AT_EMPTY_PATH 0x1000u
#define SEEK_CUR      1u

enum effect {
	EFFECT_ENDS,
	EFFECT_NONE,
	EFFECT_MOVES, /* the position */
	EFFECT_OPENS,
};

/* What the attributes of a file show of these (the time of the last access), the epoch tells. */
static const uint8_t effects[LX_NR_COUNT] = {
	[LX_NR_open] = EFFECT_OPENS,
	[LX_NR_openat] = EFFECT_OPENS,
	[LX_NR_creat] = EFFECT_OPENS,
	[LX_NR_read] = EFFECT_MOVES,
	[LX_NR_readv] = EFFECT_MOVES,
	[LX_NR_lseek] = EFFECT_MOVES,
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
	[LX_NR_brk] = EFFECT_NONE,
	[LX_NR_mmap] = EFFECT_NONE,
	[LX_NR_munmap] = EFFECT_NONE,
	[LX_NR_mprotect] = EFFECT_NONE,
	[LX_NR_madvise] = EFFECT_NONE,
	[LX_NR_getrandom] = EFFECT_NONE,
	[LX_NR_rt_sigaction] = EFFECT_NONE,
	[LX_NR_rt_sigprocmask] = EFFECT_NONE,
};

void stub_opened_note(struct stub_thread *self, uint32_t nr)
{
	switch (nr < LX_NR_COUNT ? effects[nr] : EFFECT_ENDS) {
	case EFFECT_NONE:
		break;
	case EFFECT_MOVES:
		if (self->opened == OPENED_NEW)
			self->opened = OPENED_MOVED;
		break;
	case EFFECT_OPENS:
		self->opened = OPENED_NEW;
		break;
	default:
		self->opened = OPENED_NOTHING;
	}
}

/* @name is "" or nothing at all. */
static bool is_empty(uint64_t name)
{
	char first;

	return !name || (stub_copy(&first, (const void *)name, 1) == 0 && !first);
}

bool stub_opened_answer(struct stub_thread *self, uint32_t nr, const uint64_t args[6], int64_t *ret)
{
	const struct platform_inguest *known = &self->slot->inguest;
	const struct platform_opened *opened = &known->opened;
	uint64_t buffer = args[1];

	if (self->opened == OPENED_NOTHING)
		return false;
	if (nr == LX_NR_newfstatat) {
		if (args[3] != AT_EMPTY_PATH || !is_empty(args[1]))
			return false;
		buffer = args[2];
	}
	if (!opened->flags || opened->fd != (int32_t)args[0] || !opened->epoch ||
		opened->epoch != __atomic_load_n(&known->names_epoch, __ATOMIC_RELAXED))
		return false;
	*ret = 0;
	switch (nr) {
	case LX_NR_ioctl:
		*ret = -ENOTTY;
		return (opened->flags & PLATFORM_OPENED_PLAIN) && (uint32_t)args[1] == TCGETS;
	case LX_NR_lseek:
		return (opened->flags & PLATFORM_OPENED_START) && self->opened == OPENED_NEW &&
		       args[1] == 0 && (uint32_t)args[2] <= SEEK_CUR;
	default:
		return (opened->flags & PLATFORM_OPENED_STAT) &&
		       stub_copy((void *)buffer, opened->stat, sizeof(opened->stat)) == 0;
	}
}
