/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contents of files in memory.
 *
 * A small file is a heap buffer of up to 16 KiB with a bit for each page that was written (the
 * others are holes). When it grows beyond (beyond 4 MiB once a quarter of our descriptors are
 * memfds), is mapped or sealed, it becomes a memfd, which the host
 * can map into guests; the Sentry goes on with pread and pwrite and never maps it. inode->size is
 * the truth about the size, since only the Sentry can change the memfd's.
 *
 * Changes hold inode->mutex. Reads do not, so they must not keep pointers into the heap buffer over
 * a sleep: data goes through a bounce buffer.
 *
 * Pages are charged to the superblock. A memfd that was mapped writable may gain pages without us,
 * so from then on its whole size is charged. One with holes that is mapped for reading gains them,
 * too, where it is read: programs map sparse files that are larger than all memory, so these are on
 * a list and their pages are counted from time to time, by who watches over the memory limit.
 *
 * Host calls: memfd_create, openat2 (read-only descriptors, in the directory that was opened at
 * start), preadv2, pwritev2, ftruncate, fallocate, lseek, statx, fcntl(F_ADD_SEALS), close; at
 * start getrlimit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi/mman.h"
#include "base/checked.h"
#include "base/host_proc.h"
#include "base/openat2.h"
#include "vfs/tmpfs.h"

#define BOUNCE_SMALL 4096u
#define BOUNCE_LARGE 65536u

/* Reads that make a memfd of a file on the heap, and the size that one must have for it. */
#define HEAP_READ_WORTH (256u << 10)
#define HEAP_READ_MIN	2048u

#define ALLOCATE_TURN (8ull << 20) /* bytes of fallocate() before others have a turn */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8u
#endif

static int descriptors_fd = -1; /* /proc/self/fd: the only way to a read-only descriptor */

static uint64_t memfd_count, memfd_many = 256;
uint64_t tmpfs_host_pages;

/* Before the Sentry is confined. */
int tmpfs_files_init(void)
{
	struct rlimit limit;

	if (descriptors_fd >= 0)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		memfd_many = limit.rlim_cur / 4;
	tmpfs_host_pages = (uint64_t)sysconf(_SC_PHYS_PAGES);
	descriptors_fd = openat(host_proc_fd(), "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return descriptors_fd < 0 ? -errno : 0;
}

static struct tmpfs_file *file_of(const struct inode *inode)
{
	return &tmpfs_inode(inode)->file;
}

/* The size up to which a file stays on the heap. */
static uint64_t heap_limit(void)
{
	return memfd_count < memfd_many ? TMPFS_HEAP_SMALL : TMPFS_HEAP_MAX;
}

static bool heap_page(const struct tmpfs_file *file, uint64_t page)
{
	return page < TMPFS_HEAP_PAGES && (file->heap_pages[page / 64] >> (page % 64) & 1);
}

static uint64_t pages_of(uint64_t size)
{
	return size / LX_PAGE_SIZE + (size % LX_PAGE_SIZE != 0);
}

void tmpfs_file_init(struct tmpfs_file *file)
{
	list_init(&file->sparse);
	file->fd = file->read_fd = -1;
	file->seals = LX_F_SEAL_SEAL;
}

void tmpfs_file_destroy(struct inode *inode)
{
	struct tmpfs_file *file = file_of(inode);

	list_remove(&file->sparse);
	free(file->heap);
	if (file->fd >= 0) {
		(void)close(file->fd);
		memfd_count--;
	}
	if (file->read_fd >= 0)
		(void)close(file->read_fd);
	tmpfs_sb(inode)->pages_used -= file->charged;
	tmpfs_memory_uncharge(file->charged * LX_PAGE_SIZE);
}

static uint64_t count_pages(const struct inode *inode)
{
	const struct tmpfs_file *file = file_of(inode);
	struct statx stat;

	if (file->fd < 0) {
		uint64_t pages = 0;

		for (size_t i = 0; i < array_size(file->heap_pages); i++)
			pages += (uint64_t)__builtin_popcountll(file->heap_pages[i]);
		return pages;
	}
	if (statx(file->fd, "", AT_EMPTY_PATH, STATX_BLOCKS, &stat) < 0)
		return 0;
	return stat.stx_blocks / (LX_PAGE_SIZE / 512);
}

/* No holes and nothing behind the end, as of the last charge(): a memfd whose pages need not be
 * asked for. */
static bool is_dense(const struct inode *inode)
{
	const struct tmpfs_file *file = file_of(inode);

	return file->fd >= 0 && !file->preallocated && !file->mapped_writable &&
	       file->charged == pages_of(inode->size);
}

uint64_t tmpfs_file_pages(const struct inode *inode)
{
	return is_dense(inode) ? file_of(inode)->charged : count_pages(inode);
}

static void charge_pages(struct inode *inode, uint64_t pages)
{
	struct tmpfs_file *file = file_of(inode);
	struct tmpfs_sb *sb = tmpfs_sb(inode);

	sb->pages_used = sb->pages_used - file->charged + pages;
	tmpfs_memory_adjust(file->charged * LX_PAGE_SIZE, pages * LX_PAGE_SIZE);
	file->charged = pages;
}

static void charge(struct inode *inode)
{
	uint64_t pages = count_pages(inode);

	if (file_of(inode)->mapped_writable)
		pages = max_of(pages, pages_of(inode->size));
	charge_pages(inode, pages);
}

static uint64_t pages_left(const struct inode *inode)
{
	const struct tmpfs_sb *sb = tmpfs_sb(inode);
	uint64_t left = tmpfs_memory_left() / LX_PAGE_SIZE;

	if (!sb->page_limit)
		return left;
	return sb->page_limit > sb->pages_used ? min_of(sb->page_limit - sb->pages_used, left) : 0;
}

/* ---- from heap to memfd ---- */

static int host_write(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
	while (size > 0) {
		struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
		ssize_t done = pwritev2(fd, &iov, 1, (off_t)offset, 0);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -ENOSPC;
		data += done;
		size -= (size_t)done;
		offset += (uint64_t)done;
	}
	return 0;
}

static int materialize(struct inode *inode)
{
	struct tmpfs_file *file = file_of(inode);
	_cleanup_close_ int fd = -1;

	if (file->fd >= 0)
		return 0;
	fd = memfd_create("tmpfs", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("tmpfs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -ENFILE : -ENOMEM;
	if (ftruncate(fd, (off_t)inode->size) < 0)
		return -ENOSPC;
	for (uint64_t page = 0; page < pages_of(file->heap_size); page++) {
		uint64_t offset = page * LX_PAGE_SIZE;
		int err;

		if (!heap_page(file, page))
			continue;
		err = host_write(fd, file->heap + offset,
			min_of(file->heap_size - offset, LX_PAGE_SIZE), offset);
		if (err < 0)
			return err;
	}
	/* The buffer may have been larger than the file. */
	if (ftruncate(fd, (off_t)inode->size) < 0)
		return -ENOSPC;
	free(file->heap);
	file->heap = NULL;
	file->heap_size = 0;
	memset(file->heap_pages, 0, sizeof(file->heap_pages));
	file->fd = take_fd(&fd);
	memfd_count++;
	return 0;
}

/* Room for [0, end) in the heap buffer, zeros beyond what was there. */
static int heap_reserve(struct tmpfs_file *file, uint64_t end)
{
	size_t capacity = file->heap_size ? file->heap_size : 256;
	uint8_t *heap;

	if (end <= file->heap_size)
		return 0;
	while (capacity < end)
		capacity *= 2;
	heap = realloc(file->heap, capacity);
	if (!heap)
		return -ENOMEM;
	memset(heap + file->heap_size, 0, capacity - file->heap_size);
	file->heap = heap;
	file->heap_size = capacity;
	return 0;
}

static void heap_mark(struct tmpfs_file *file, uint64_t offset, uint64_t size)
{
	for (uint64_t page = offset / LX_PAGE_SIZE; page < pages_of(offset + size); page++)
		file->heap_pages[page / 64] |= 1ull << (page % 64);
}

static int get_read_fd(struct tmpfs_file *file)
{
	char name[16];

	if (file->read_fd >= 0)
		return 0;
	(void)snprintf(name, sizeof(name), "%d", file->fd);
	/* These names are magic links: nothing may be asked of their resolution. */
	file->read_fd = host_openat2(descriptors_fd, name, O_RDONLY, 0);
	if (file->read_fd >= 0)
		return 0;
	file->read_fd = -1;
	return -ENFILE;
}

/* ---- read ---- */

static ssize_t content_read(struct inode *inode, uint8_t *buffer, size_t size, uint64_t offset)
{
	const struct tmpfs_file *file = file_of(inode);
	size_t stored = 0;

	if (file->fd >= 0) {
		struct iovec iov = {.iov_base = buffer, .iov_len = size};
		ssize_t done = preadv2(file->fd, &iov, 1, (off_t)offset, 0);

		return done < 0 ? -errno : done;
	}
	if (offset < file->heap_size)
		stored = min_of(size, file->heap_size - (size_t)offset);
	if (stored)
		memcpy(buffer, file->heap + offset, stored);
	memset(buffer + stored, 0, size - stored);
	return (ssize_t)size;
}

/* The next @want bytes through @buffer. Returns what went out. */
static ssize_t read_piece(
	struct inode *inode, struct uio *uio, uint8_t *buffer, size_t want, uint64_t offset)
{
	ssize_t got = content_read(inode, buffer, want, offset), moved;

	if (got <= 0)
		return got;
	moved = uio_copy_to(uio, buffer, (size_t)got);
	return moved ? moved : -EFAULT;
}

/* A file that is read a lot becomes a memfd, which the guest can copy from itself. */
static void count_heap_read(struct inode *inode, uint64_t size)
{
	struct tmpfs_file *file = file_of(inode);

	file->read_size += size;
	if (file->read_size < HEAP_READ_WORTH || inode->size < HEAP_READ_MIN ||
		memfd_count >= memfd_many / 2 || !fiber_mutex_trylock(&inode->mutex))
		return;
	file->read_size = 0;
	(void)materialize(inode); /* else it stays where it is */
	fiber_mutex_unlock(&inode->mutex);
}

/* What the guest can copy from the memfd itself. Of files without holes: to read one there makes a
 * page of it. */
static uint64_t read_content(struct inode *inode, struct uio *uio, int64_t *pos)
{
	struct tmpfs_file *file = file_of(inode);
	uint64_t total = 0;

	if (file->fd < 0 || !uio->deferred || file->preallocated ||
		file->charged < pages_of(inode->size))
		return 0;
	if (!file->content_id)
		file->content_id = uio_content_id();
	while (uio->resid && (uint64_t)*pos < inode->size) {
		struct platform_content content = {file->content_id, file->read_fd};
		ssize_t done = uio_copy_content(
			uio, &content, (uint64_t)*pos, inode->size - (uint64_t)*pos, total);

		if (done == -EBADF && get_read_fd(file) == 0) {
			/* The mapping stays when pages go. */
			file->mapped_writable = true;
			continue;
		}
		if (done <= 0)
			break;
		*pos += done;
		total += (uint64_t)done;
	}
	return total;
}

static ssize_t tmpfs_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct inode *inode = file->inode;
	uint8_t small[BOUNCE_SMALL], *buffer = small;
	_cleanup_free_ uint8_t *large = NULL;
	size_t capacity = sizeof(small);
	uint64_t total;

	if (*pos < 0)
		return -EINVAL;
	total = read_content(inode, uio, pos);
	if (uio->resid > sizeof(small) && inode->size > (uint64_t)*pos + sizeof(small)) {
		large = malloc(BOUNCE_LARGE);
		if (!large)
			return -ENOMEM;
		buffer = large;
		capacity = BOUNCE_LARGE;
	}
	while (uio->resid && (uint64_t)*pos < inode->size) {
		uint64_t left = inode->size - (uint64_t)*pos;
		size_t want = min_of(min_of(uio->resid, left), (uint64_t)capacity);
		ssize_t done = read_piece(inode, uio, buffer, want, (uint64_t)*pos);

		if (done <= 0) {
			if (done < 0 && !total)
				return done;
			break;
		}
		*pos += done;
		total += (uint64_t)done;
		if ((size_t)done < want)
			break;
		if (total % SENTRY_MAX_COPY_TURN == 0)
			fiber_yield();
	}
	if (file_of(inode)->fd < 0)
		count_heap_read(inode, total);
	file_touch_atime(file);
	return (ssize_t)total;
}

/* ---- write ---- */

/*
 * How many of @size bytes at @offset fit into @pages new pages: walks the holes of the range. Used
 * only when the whole range would not fit if it were one hole.
 */
static uint64_t room_for(
	const struct tmpfs_file *file, uint64_t offset, uint64_t size, uint64_t pages)
{
	uint64_t at = offset, end = offset + size;

	while (at < end) {
		off_t data = file->fd >= 0 ? lseek(file->fd, (off_t)at, SEEK_DATA) : -1, hole;
		uint64_t hole_end = data < 0 ? end : min_of((uint64_t)data, end);
		uint64_t needed;

		if (hole_end > at) {
			needed = pages_of(hole_end) - at / LX_PAGE_SIZE;
			if (needed > pages) {
				uint64_t limit = (at / LX_PAGE_SIZE + pages) * LX_PAGE_SIZE;

				return limit > offset ? limit - offset : 0;
			}
			pages -= needed;
			at = hole_end;
			continue;
		}
		hole = lseek(file->fd, (off_t)at, SEEK_HOLE);
		if (hole < 0)
			break;
		at = (uint64_t)hole > at ? (uint64_t)hole : end;
	}
	return size;
}

static int content_write(struct inode *inode, const uint8_t *data, size_t size, uint64_t offset)
{
	struct tmpfs_file *file = file_of(inode);
	uint64_t end = offset + size;
	int err;

	if (file->fd < 0 && end <= heap_limit()) {
		err = heap_reserve(file, end);
		if (err < 0)
			return err;
		memcpy(file->heap + offset, data, size);
		heap_mark(file, offset, size);
	} else {
		err = materialize(inode);
		if (err < 0)
			return err;
		err = host_write(file->fd, data, size, offset);
		if (err < 0)
			return err;
	}
	if (end > inode->size)
		inode->size = end;
	return 0;
}

static uint64_t heap_new_pages(const struct tmpfs_file *file, uint64_t offset, uint64_t size)
{
	uint64_t first = offset / LX_PAGE_SIZE, end = pages_of(offset + size), count = end - first;

	for (uint64_t page = first; page < min_of(end, TMPFS_HEAP_PAGES); page++)
		count -= heap_page(file, page);
	return count;
}

/* How much of the write the file system's limit admits. */
static uint64_t limit_write(struct inode *inode, uint64_t offset, uint64_t size)
{
	const struct tmpfs_file *file = file_of(inode);
	uint64_t left = pages_left(inode);

	if (pages_of(offset + size) - offset / LX_PAGE_SIZE <= left)
		return size;
	if (file->fd < 0)
		return heap_new_pages(file, offset, size) <= left
			       ? size
			       : room_for(file, offset, size, left);
	return file->mapped_writable && offset + size <= inode->size
		       ? size
		       : room_for(file, offset, size, left);
}

static ssize_t write_pieces(struct inode *inode, struct uio *uio, int64_t *pos, uint64_t room,
	uint8_t *buffer, size_t capacity)
{
	uint64_t total = 0;

	while (total < room) {
		const uint8_t *data = uio_at_hand(uio, (size_t)(room - total));
		size_t want = min_of(room - total, (uint64_t)capacity);
		ssize_t got;
		int err;

		if (data) {
			want = (size_t)(room - total);
			got = (ssize_t)want;
			uio_skip(uio, want);
		} else {
			data = buffer;
			got = uio_copy_from(uio, buffer, want);
		}
		if (got <= 0)
			return total ? (ssize_t)total : (got < 0 ? got : -EFAULT);
		err = content_write(inode, data, (size_t)got, (uint64_t)*pos);
		if (err < 0) {
			uio_revert(uio, (uint64_t)got);
			return total ? (ssize_t)total : err;
		}
		*pos += got;
		total += (uint64_t)got;
		if ((size_t)got < want)
			break;
		if (total % SENTRY_MAX_COPY_TURN == 0)
			fiber_yield();
	}
	return (ssize_t)total;
}

static ssize_t write_locked(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	struct inode *inode = file->inode;
	struct tmpfs_file *content = file_of(inode);
	uint8_t small[BOUNCE_SMALL], *buffer = small;
	_cleanup_free_ uint8_t *large = NULL;
	uint64_t old_pages;
	bool dense;
	ssize_t room, done;
	int64_t at = *pos;

	room = file_write_prepare(file, uio, &at, inode->size, INT64_MAX, ctx);
	if (room <= 0)
		return room;
	if (content->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if ((content->seals & LX_F_SEAL_GROW) && (uint64_t)(at + room) > inode->size) {
		/* The kernel writes page by page and refuses the page that would grow the file. */
		uint64_t full_pages = inode->size & LX_PAGE_MASK;

		if ((uint64_t)at >= full_pages)
			return -EPERM;
		room = (ssize_t)(full_pages - (uint64_t)at);
	}
	room = (ssize_t)limit_write(inode, (uint64_t)at, (uint64_t)room);
	if (room == 0)
		return -ENOSPC;
	old_pages = pages_of(inode->size);
	dense = is_dense(inode) && (uint64_t)at <= old_pages * LX_PAGE_SIZE;
	if ((size_t)room > sizeof(small) && !uio_at_hand(uio, (size_t)room)) {
		large = malloc(BOUNCE_LARGE);
		if (!large)
			return -ENOMEM;
		buffer = large;
	}
	done = write_pieces(
		inode, uio, &at, (uint64_t)room, buffer, large ? BOUNCE_LARGE : sizeof(small));
	if (done > 0) {
		inode_touch_mtime(inode);
		if (dense && done == room)
			charge_pages(inode, pages_of(inode->size));
		else
			charge(inode);
		*pos = at;
	}
	return done;
}

static ssize_t tmpfs_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	ssize_t done;

	fiber_mutex_lock(&file->inode->mutex);
	done = write_locked(file, uio, pos, ctx);
	fiber_mutex_unlock(&file->inode->mutex);
	return done;
}

/* ---- size ---- */

/* What lies beyond a new end must read as zeros when the file grows again. */
static void heap_cut(struct tmpfs_file *file, uint64_t size)
{
	if (size < file->heap_size)
		memset(file->heap + size, 0, file->heap_size - size);
	for (uint64_t page = pages_of(size); page < TMPFS_HEAP_PAGES; page++)
		file->heap_pages[page / 64] &= ~(1ull << (page % 64));
}

int tmpfs_file_resize(struct inode *inode, uint64_t size)
{
	struct tmpfs_file *file = file_of(inode);
	int err;

	if ((size < inode->size && (file->seals & LX_F_SEAL_SHRINK)) ||
		(size > inode->size && (file->seals & LX_F_SEAL_GROW)))
		return -EPERM;
	if (file->mapped_writable && size > inode->size &&
		pages_of(size) - pages_of(inode->size) > pages_left(inode))
		return -ENOSPC;
	if (file->fd < 0 && size > heap_limit()) {
		err = materialize(inode);
		if (err < 0)
			return err;
	}
	if (file->fd < 0)
		heap_cut(file, size);
	else if (ftruncate(file->fd, (off_t)size) < 0)
		return errno == EFBIG || errno == EINVAL ? -EFBIG : -ENOSPC;
	inode->size = size;
	charge(inode);
	return 0;
}

static int punch_hole(struct inode *inode, uint64_t offset, uint64_t size)
{
	struct tmpfs_file *file = file_of(inode);
	int err;

	if (file->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE))
		return -EPERM;
	err = materialize(inode);
	if (err < 0)
		return err;
	if (fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		    (off_t)size) < 0)
		return -errno;
	inode_touch_mtime(inode);
	charge(inode);
	return 0;
}

/* In turns: the host's kernel fills the pages before it comes back. */
static int host_allocate(int fd, uint64_t offset, uint64_t size)
{
	while (size > 0) {
		uint64_t part = min_of(size, ALLOCATE_TURN);

		if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)part) < 0) {
			if (errno == EINTR)
				continue;
			return errno == EFBIG ? -EFBIG : -ENOSPC;
		}
		offset += part;
		size -= part;
		fiber_yield();
	}
	return 0;
}

/* shmem_fallocate(): holes and plain allocation, nothing else. */
static int tmpfs_fallocate(
	struct file *file, int mode, uint64_t offset, uint64_t size, const struct vfs_ctx *ctx)
{
	struct inode *inode = file->inode;
	struct tmpfs_file *content = file_of(inode);
	uint64_t end = offset + size;
	int err;

	if (mode & ~(LX_FALLOC_FL_KEEP_SIZE | LX_FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (mode & LX_FALLOC_FL_PUNCH_HOLE)
		return punch_hole(inode, offset, size);
	/* inode_newsize_ok(), whether the size is to change or not */
	if (end > inode->size && end > ctx->fsize_limit) {
		if (ctx->fsize_hit)
			*ctx->fsize_hit = true;
		return -EFBIG;
	}
	if (end > inode->size && (content->seals & LX_F_SEAL_GROW))
		return -EPERM;
	if (limit_write(inode, offset, size) < size)
		return -ENOSPC;
	err = materialize(inode);
	if (err < 0)
		return err;
	content->preallocated |= end > inode->size;
	err = host_allocate(content->fd, offset, size);
	if (err < 0) {
		charge(inode);
		return err;
	}
	if (!(mode & LX_FALLOC_FL_KEEP_SIZE) && end > inode->size) {
		if (ftruncate(content->fd, (off_t)end) < 0)
			return -ENOSPC;
		inode->size = end;
	}
	inode_touch_mtime(inode); /* file_modified() */
	charge(inode);
	return 0;
}

/* ---- position ---- */

static int64_t heap_seek_data(
	const struct tmpfs_file *file, uint64_t size, uint64_t offset, bool hole)
{
	for (uint64_t page = offset / LX_PAGE_SIZE; page < pages_of(size); page++) {
		bool data = heap_page(file, page);

		if (data != hole)
			return (int64_t)max_of(offset, page * LX_PAGE_SIZE);
	}
	return hole ? (int64_t)size : -ENXIO;
}

static int64_t tmpfs_seek(struct file *file, int64_t offset, int whence)
{
	struct inode *inode = file->inode;
	struct tmpfs_file *content = file_of(inode);
	int64_t pos;

	if (whence != LX_SEEK_DATA && whence != LX_SEEK_HOLE)
		return file_generic_seek(file, offset, whence, inode->size, INT64_MAX);
	if (offset < 0 || (uint64_t)offset >= inode->size)
		return -ENXIO;
	if (content->fd < 0) {
		pos = heap_seek_data(
			content, inode->size, (uint64_t)offset, whence == LX_SEEK_HOLE);
	} else {
		pos = lseek(content->fd, offset, whence == LX_SEEK_HOLE ? SEEK_HOLE : SEEK_DATA);
		if (pos < 0)
			return -errno;
	}
	if (pos >= 0)
		file->pos = pos;
	return pos;
}

/* ---- mapping and seals ---- */

/* A writable mapping is charged with the whole size: is there room for what is not charged yet? */
static bool lacks_pages(struct inode *inode)
{
	uint64_t pages = pages_of(inode->size), charged = file_of(inode)->charged;

	return pages > charged && pages - charged > pages_left(inode);
}

#define RECOUNTED 64 /* in one go */

static struct list_head sparse_files = LIST_HEAD_INIT(sparse_files);

bool tmpfs_recount(void)
{
	const struct list_head *last = sparse_files.prev;

	for (int i = 0; i < RECOUNTED && !list_empty(&sparse_files); i++) {
		struct tmpfs_file *file = list_first(&sparse_files, struct tmpfs_file, sparse);
		bool end = &file->sparse == last;

		charge(file->inode);
		list_remove(&file->sparse);
		list_add_tail(&file->sparse, &sparse_files);
		if (end)
			break;
	}
	return !list_empty(&sparse_files);
}

/* For reading: is it sparse? -ENOMEM: beyond the limit that could not be kept. */
static int watch_sparse(struct inode *inode)
{
	struct tmpfs_file *content = file_of(inode);

	if (content->mapped_writable || content->charged >= pages_of(inode->size))
		return 0;
	if (tmpfs_memory_excess())
		return -ENOMEM;
	content->inode = inode;
	if (list_empty(&content->sparse))
		list_add_tail(&content->sparse, &sparse_files);
	return 0;
}

static int tmpfs_map(struct file *file, struct file_map *map)
{
	struct inode *inode = file->inode;
	struct tmpfs_file *content = file_of(inode);
	bool sealed = content->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE);
	bool may_write;
	int err;

	if (map->shared && sealed && (map->prot & LX_PROT_WRITE))
		return -EPERM;
	fiber_mutex_lock(&inode->mutex);
	err = materialize(inode);
	if (err < 0)
		goto out;
	may_write = map->shared && file->writable && !sealed;
	if (may_write && !content->mapped_writable && lacks_pages(inode)) {
		/* A sparse file beyond the limit: reading it costs nobody anything yet. */
		if (map->prot & LX_PROT_WRITE) {
			err = -ENOMEM;
			goto out;
		}
		map->write_later = true;
	}
	if (may_write && !map->write_later) {
		content->mapped_writable = true;
		charge(inode);
		map->host_fd = content->fd;
	} else {
		err = get_read_fd(content);
		if (err == 0)
			err = watch_sparse(inode);
		if (err < 0)
			goto out;
		map->host_fd = content->read_fd;
		if (map->shared && !map->write_later)
			map->max_prot &= ~LX_PROT_WRITE;
	}
	map->host_offset = map->offset;
	file_touch_atime(file);
out:
	fiber_mutex_unlock(&inode->mutex);
	return err;
}

static bool is_tmpfs_file(const struct inode *inode)
{
	return inode->ops == &tmpfs_file_inode_ops;
}

int tmpfs_get_seals(const struct inode *inode, unsigned *ret_seals)
{
	if (!is_tmpfs_file(inode))
		return -EINVAL;
	*ret_seals = file_of(inode)->seals;
	return 0;
}

int tmpfs_set_seals(struct inode *inode, unsigned seals)
{
	if (!is_tmpfs_file(inode))
		return -EINVAL;
	file_of(inode)->seals = seals;
	return 0;
}

/* memfd_add_seals() */
int tmpfs_add_seals(struct file *file, unsigned seals)
{
	const unsigned known = LX_F_SEAL_SEAL | LX_F_SEAL_SHRINK | LX_F_SEAL_GROW |
			       LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE | LX_F_SEAL_EXEC;
	struct inode *inode = file->inode;
	struct tmpfs_file *content;
	int err = 0;

	if (!file->writable)
		return -EPERM;
	if (seals & ~known)
		return -EINVAL;
	if (!is_tmpfs_file(inode))
		return -EINVAL;
	content = file_of(inode);
	fiber_mutex_lock(&inode->mutex);
	if (content->seals & LX_F_SEAL_SEAL) {
		err = -EPERM;
		goto out;
	}
	if ((seals & LX_F_SEAL_EXEC) && (inode->mode & 0111))
		seals |= LX_F_SEAL_SHRINK | LX_F_SEAL_GROW | LX_F_SEAL_WRITE |
			 LX_F_SEAL_FUTURE_WRITE;
	/* Only the host knows of the writable mappings that forbid this one. */
	if ((seals & LX_F_SEAL_WRITE) && !(content->seals & LX_F_SEAL_WRITE)) {
		err = materialize(inode);
		if (err >= 0 && fcntl(content->fd, F_ADD_SEALS, F_SEAL_WRITE) < 0)
			err = errno == EBUSY ? -EBUSY : -EPERM;
	}
	if (err >= 0)
		content->seals |= seals;
out:
	fiber_mutex_unlock(&inode->mutex);
	return err;
}

const struct inode_ops tmpfs_file_inode_ops = {
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};

const struct file_ops tmpfs_file_ops = {
	.name = "tmpfs file",
	.read = tmpfs_read,
	.write = tmpfs_write,
	.seek = tmpfs_seek,
	.fallocate = tmpfs_fallocate,
	.map = tmpfs_map,
};
