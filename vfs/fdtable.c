/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptor tables. A slot holds a reference to an open file and the close-on-exec flag; a bitmap
 * finds the lowest free slot (open(2) promises the lowest). The table is also the owner of POSIX
 * record locks, as files_struct is in Linux.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "vfs/internal.h"

#define SLOTS_INITIAL 64u

struct fd_table {
	struct refcount refs;
	unsigned capacity; /* a multiple of 64 */
	struct file **files;
	uint64_t *used, *cloexec; /* capacity bits */
	bool held;		  /* on_take is called for what leaves it */
};

static bool bit_test(const uint64_t *bits, unsigned n)
{
	return bits[n / 64] >> (n % 64) & 1;
}

static void bit_put(uint64_t *bits, unsigned n, bool value)
{
	bits[n / 64] &= ~(1ull << (n % 64));
	bits[n / 64] |= (uint64_t)value << (n % 64);
}

static int table_grow(struct fd_table *table, unsigned slots)
{
	unsigned capacity = max_of(table->capacity, SLOTS_INITIAL), old = table->capacity;
	struct file **files;
	uint64_t *bits;

	while (capacity < slots)
		capacity *= 2;
	if (capacity == old)
		return 0;
	files = realloc(table->files, capacity * sizeof(files[0]));
	if (!files)
		return -ENOMEM;
	table->files = files;
	memset(files + old, 0, (capacity - old) * sizeof(files[0]));
	bits = realloc(table->used, capacity / 8);
	if (!bits)
		return -ENOMEM;
	table->used = bits;
	memset((uint8_t *)bits + old / 8, 0, (capacity - old) / 8);
	bits = realloc(table->cloexec, capacity / 8);
	if (!bits)
		return -ENOMEM;
	table->cloexec = bits;
	memset((uint8_t *)bits + old / 8, 0, (capacity - old) / 8);
	table->capacity = capacity;
	return 0;
}

static void table_free(struct fd_table *table)
{
	free(table->files);
	free(table->used);
	free(table->cloexec);
	free(table);
}

int fd_table_new(struct fd_table **ret)
{
	struct fd_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->refs = REFCOUNT_ONE;
	if (table_grow(table, SLOTS_INITIAL) < 0) {
		table_free(table);
		return -ENOMEM;
	}
	*ret = table;
	return 0;
}

int fd_table_copy(struct fd_table *from, struct fd_table **ret)
{
	struct fd_table *table;
	int err = fd_table_new(&table);

	if (err < 0)
		return err;
	if (table_grow(table, from->capacity) < 0) {
		table_free(table);
		return -ENOMEM;
	}
	memcpy(table->used, from->used, from->capacity / 8);
	memcpy(table->cloexec, from->cloexec, from->capacity / 8);
	for (unsigned fd = 0; fd < from->capacity; fd++)
		if (from->files[fd])
			table->files[fd] = file_ref(from->files[fd]);
	*ret = table;
	return 0;
}

bool fd_table_shared(const struct fd_table *table)
{
	return table->refs.count > 1;
}

struct fd_table *fd_table_ref(struct fd_table *table)
{
	refcount_get(&table->refs);
	return table;
}

static void (*on_take)(struct fd_table *table, int fd, struct file *file);

void fd_table_register_taken(void (*taken)(struct fd_table *table, int fd, struct file *file))
{
	on_take = taken;
}

void fd_table_watch(struct fd_table *table)
{
	table->held = true;
}

/* Empties a slot; the reference goes to the caller. */
static struct file *slot_take(struct fd_table *table, unsigned fd)
{
	struct file *file = table->files[fd];

	if (table->held && file)
		on_take(table, (int)fd, file);
	table->files[fd] = NULL;
	bit_put(table->used, fd, false);
	bit_put(table->cloexec, fd, false);
	return file;
}

void fd_table_unref(struct fd_table *table)
{
	if (!refcount_put(&table->refs))
		return;
	for (unsigned fd = 0; fd < table->capacity; fd++) {
		struct file *file = table->files[fd];

		if (file) {
			(void)slot_take(table, fd);
			(void)file_flush(file, table);
			file_unref(file);
		}
	}
	table_free(table);
}

static bool fd_valid(const struct fd_table *table, int fd)
{
	return fd >= 0 && (unsigned)fd < table->capacity && table->files[fd];
}

struct file *fd_get_any(struct fd_table *table, int fd)
{
	return fd_valid(table, fd) ? file_ref(table->files[fd]) : NULL;
}

struct file *fd_get(struct fd_table *table, int fd)
{
	if (!fd_valid(table, fd) || (table->files[fd]->flags & LX_O_PATH))
		return NULL;
	return file_ref(table->files[fd]);
}

/* The first slot from @min on that is free; the capacity when all are taken. */
static unsigned lowest_free(const struct fd_table *table, unsigned min)
{
	for (unsigned word = min / 64; word < table->capacity / 64; word++) {
		uint64_t taken = table->used[word];

		if (word == min / 64)
			taken |= (1ull << (min % 64)) - 1;
		if (~taken)
			return word * 64 + (unsigned)__builtin_ctzll(~taken);
	}
	return max_of(min, table->capacity);
}

int fd_lowest_free(const struct fd_table *table, int min)
{
	return (int)lowest_free(table, (unsigned)min);
}

uint64_t fd_first_used(const struct fd_table *table)
{
	return table->capacity ? table->used[0] : 0;
}

static void slot_put(struct fd_table *table, unsigned fd, struct file *file, bool cloexec)
{
	table->files[fd] = file;
	bit_put(table->used, fd, true);
	bit_put(table->cloexec, fd, cloexec);
}

static void (*on_full)(void);

void fd_table_register_full(void (*full)(void))
{
	on_full = full;
}

static void note_last(unsigned fd, uint64_t limit)
{
	if (fd + 1 >= limit && on_full)
		on_full();
}

int fd_install(struct fd_table *table, struct file *file, int min, uint64_t limit, bool cloexec)
{
	unsigned fd;
	int err;

	limit = min_of(limit, (uint64_t)SENTRY_MAX_FDS);
	if (min < 0 || (uint64_t)min >= limit)
		return min == 0 ? -EMFILE : -EINVAL;
	fd = lowest_free(table, (unsigned)min);
	if (fd >= limit)
		return -EMFILE;
	err = table_grow(table, fd + 1);
	if (err < 0)
		return err;
	slot_put(table, fd, file, cloexec);
	note_last(fd, limit);
	return (int)fd;
}

int fd_install_at(struct fd_table *table, struct file *file, int fd, uint64_t limit, bool cloexec)
{
	struct file *old;
	int err;

	limit = min_of(limit, (uint64_t)SENTRY_MAX_FDS);
	if (fd < 0 || (uint64_t)fd >= limit)
		return -EBADF;
	err = table_grow(table, (unsigned)fd + 1);
	if (err < 0)
		return err;
	old = slot_take(table, (unsigned)fd);
	slot_put(table, (unsigned)fd, file, cloexec);
	note_last((unsigned)fd, limit);
	if (old) {
		(void)file_flush(old, table);
		file_unref(old);
	}
	return fd;
}

int fd_close(struct fd_table *table, int fd, void *lock_owner)
{
	struct file *file;
	int err;

	if (!fd_valid(table, fd))
		return -EBADF;
	file = slot_take(table, (unsigned)fd);
	err = file_flush(file, lock_owner ? lock_owner : table);
	file_unref(file);
	return err;
}

void fd_close_range(struct fd_table *table, unsigned first, unsigned last, bool set_cloexec_only)
{
	for (unsigned fd = first; fd <= last && fd < table->capacity; fd++) {
		if (!table->files[fd])
			continue;
		if (set_cloexec_only)
			bit_put(table->cloexec, fd, true);
		else
			(void)fd_close(table, (int)fd, NULL);
	}
}

void fd_close_on_exec(struct fd_table *table)
{
	for (unsigned fd = 0; fd < table->capacity; fd++)
		if (table->files[fd] && bit_test(table->cloexec, fd))
			(void)fd_close(table, (int)fd, NULL);
}

bool fd_available(struct fd_table *table, uint64_t limit)
{
	return lowest_free(table, 0) < min_of(limit, (uint64_t)SENTRY_MAX_FDS);
}

int fd_get_flags(struct fd_table *table, int fd)
{
	if (!fd_valid(table, fd))
		return -EBADF;
	return bit_test(table->cloexec, (unsigned)fd) ? LX_FD_CLOEXEC : 0;
}

int fd_set_flags(struct fd_table *table, int fd, int flags)
{
	if (!fd_valid(table, fd))
		return -EBADF;
	bit_put(table->cloexec, (unsigned)fd, flags & LX_FD_CLOEXEC);
	return 0;
}

int fd_next(struct fd_table *table, int fd)
{
	for (unsigned n = fd < 0 ? 0 : (unsigned)fd; n < table->capacity; n++)
		if (table->files[n])
			return (int)n;
	return -1;
}
