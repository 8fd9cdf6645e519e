/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the null platform: sparse pages with protections, and the record of what was asked for.
 */
#include "platform/null/null_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/mman.h"
#include "base/checked.h"

/* Pages */

static struct null_page *page_find(struct platform_as *as, uint64_t index)
{
	struct null_page *page;

	hash_for_each_match(page, &as->pages, hash_u64(index), node)
	{
		if (page->index == index)
			return page;
	}
	return NULL;
}

static void page_free(struct platform_as *as, struct null_page *page)
{
	hash_remove(&as->pages, &page->node);
	as->page_count--;
	if (page->shared)
		munmap(page->bytes, LX_PAGE_SIZE);
	else
		free(page->bytes);
	free(page);
}

/* Of a fresh page. NULL or the bytes; private ones hold what the file had. */
static uint8_t *page_bytes(const struct platform_map *map, uint64_t offset)
{
	uint8_t *bytes;

	if (map && map->shared) {
		bytes = mmap(NULL, LX_PAGE_SIZE,
			PROT_READ | (map->prot & LX_PROT_WRITE ? PROT_WRITE : 0), MAP_SHARED,
			map->fd, (off_t)offset);
		return bytes == MAP_FAILED ? NULL : bytes;
	}
	bytes = calloc(1, LX_PAGE_SIZE);
	if (bytes && map && map->fd >= 0 &&
		pread(map->fd, bytes, LX_PAGE_SIZE, (off_t)offset) < 0) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

int null_page_add(struct platform_as *as, uint64_t index, int prot, const struct platform_map *map,
	uint64_t offset)
{
	struct null_page *page;

	if (as->page_count >= PAGES_MAX)
		return -ENOMEM;
	page = calloc(1, sizeof(*page));
	if (!page)
		return -ENOMEM;
	page->index = index;
	page->prot = prot;
	page->shared = map && map->shared;
	page->bytes = page_bytes(map, offset);
	if (!page->bytes || hash_insert(&as->pages, &page->node, hash_u64(index)) < 0) {
		if (page->bytes && page->shared)
			munmap(page->bytes, LX_PAGE_SIZE);
		else
			free(page->bytes);
		free(page);
		return -ENOMEM;
	}
	as->page_count++;
	return 0;
}

static void pages_drop(struct platform_as *as, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct null_page *page = page_find(as, first + i);

		if (page)
			page_free(as, page);
	}
}

/* Copies up to the first page that is missing or lacks one of @need. */
static size_t memory_copy(
	struct platform_as *as, void *host, uint64_t guest, size_t size, bool write, int need)
{
	size_t done = 0;

	while (done < size && guest + done < GUEST_END && guest + done >= guest) {
		uint64_t addr = guest + done, offset = addr % LX_PAGE_SIZE;
		size_t part = (size_t)min_of((uint64_t)(size - done), LX_PAGE_SIZE - offset);
		struct null_page *page = page_find(as, addr / LX_PAGE_SIZE);

		if (!page || (page->prot & need) != need)
			break;
		if (write)
			memcpy(page->bytes + offset, (const char *)host + done, part);
		else
			memcpy((char *)host + done, page->bytes + offset, part);
		done += part;
	}
	return done;
}

void null_pages_free(struct platform_as *as)
{
	struct hash_entry *entry;

	while ((entry = hash_first(&as->pages)))
		page_free(as, container_of(entry, struct null_page, node));
	hash_fini(&as->pages);
}

int null_as_copy(struct platform_as *to, struct platform_as *from)
{
	struct null_page *page;

	hash_for_each_entry (page, &from->pages, node) {
		int err = null_page_add(to, page->index, page->prot, NULL, 0);

		if (err < 0)
			return err;
		/* A shared page would need its file: the copy is a snapshot, which null.h's users
		 * know. */
		memcpy(page_find(to, page->index)->bytes, page->bytes, LX_PAGE_SIZE);
	}
	return 0;
}

/* Guest memory */

ssize_t null_copy_in(struct platform_thread *thread, void *dst, gaddr_t src, size_t size)
{
	if (thread->as->dead)
		return -ESRCH;
	return (ssize_t)memory_copy(thread->as, dst, src.v, size, false, LX_PROT_READ);
}

ssize_t null_copy_out(struct platform_thread *thread, gaddr_t dst, const void *src, size_t size)
{
	if (thread->as->dead)
		return -ESRCH;
	return (ssize_t)memory_copy(thread->as, (void *)src, dst.v, size, true, LX_PROT_WRITE);
}

int null_copy_out_deferred(
	struct platform_thread *thread, gaddr_t dst, const void *src, size_t size)
{
	ssize_t count = null_copy_out(thread, dst, src, size);

	if (count < 0)
		return (int)count;
	return (size_t)count == size ? 0 : -EFAULT;
}

bool null_memory_write(struct platform_as *as, gaddr_t addr, const void *src, size_t size)
{
	return memory_copy(as, (void *)src, addr.v, size, true, 0) == size;
}

bool null_memory_read(struct platform_as *as, gaddr_t addr, void *dst, size_t size)
{
	return memory_copy(as, dst, addr.v, size, false, 0) == size;
}

int null_protection(struct platform_as *as, gaddr_t addr)
{
	struct null_page *page = page_find(as, addr.v / LX_PAGE_SIZE);

	return page ? page->prot : -1;
}

/* Mapping operations */

static int record(struct platform_as *as, const struct null_record *record)
{
	as->records[as->record_count++ % NULL_RECORDS_MAX] = *record;
	return record->result;
}

size_t null_record_count(const struct platform_as *as)
{
	return as->record_count;
}

const struct null_record *null_record(const struct platform_as *as, size_t back)
{
	if (back >= as->record_count || back >= NULL_RECORDS_MAX)
		return NULL;
	return &as->records[(as->record_count - 1 - back) % NULL_RECORDS_MAX];
}

void null_fail_mapping(struct platform_as *as, unsigned n, int err)
{
	as->fail_after = n;
	as->fail_error = err;
}

/* What every operation checks first: 0 when it may go on. */
static int mapping_check(struct platform_as *as, gaddr_t addr, uint64_t size)
{
	uint64_t end;

	if (as->dead)
		return -ESRCH;
	if (as->fail_after > 0 && --as->fail_after == 0)
		return as->fail_error;
	if (addr.v % LX_PAGE_SIZE || size == 0 || !add_checked(addr.v, size, &end) ||
		end > GUEST_END)
		return -EINVAL;
	return size / LX_PAGE_SIZE >= PAGES_MAX ? -ENOMEM : 0;
}

static uint64_t page_count(uint64_t size)
{
	return (size + LX_PAGE_SIZE - 1) / LX_PAGE_SIZE;
}

static int do_map(struct platform_as *as, const struct platform_map *map)
{
	uint64_t first = map->addr.v / LX_PAGE_SIZE, count = page_count(map->size);
	int err = mapping_check(as, map->addr, map->size);

	if (err < 0)
		return err;
	if (map->shared && map->fd < 0)
		return -EINVAL;
	pages_drop(as, first, count);
	for (uint64_t i = 0; i < count; i++) {
		err = null_page_add(as, first + i, map->prot, map, map->offset + i * LX_PAGE_SIZE);
		if (err < 0) {
			pages_drop(as, first, i);
			return err;
		}
	}
	return 0;
}

int null_map(struct platform_thread *thread, const struct platform_map *map)
{
	return record(thread->as, &(struct null_record){
					  .op = NULL_MAP,
					  .addr = map->addr,
					  .size = map->size,
					  .prot = map->prot,
					  .fd = map->fd,
					  .offset = map->offset,
					  .shared = map->shared,
					  .noreserve = map->noreserve,
					  .result = do_map(thread->as, map),
				  });
}

int null_unmap(struct platform_thread *thread, gaddr_t addr, uint64_t size)
{
	int err = mapping_check(thread->as, addr, size);

	if (err == 0)
		pages_drop(thread->as, addr.v / LX_PAGE_SIZE, page_count(size));
	return record(thread->as,
		&(struct null_record){
			.op = NULL_UNMAP, .addr = addr, .size = size, .fd = -1, .result = err});
}

static int do_protect(struct platform_as *as, gaddr_t addr, uint64_t size, int prot)
{
	int err = mapping_check(as, addr, size);

	/* mprotect(2): the pages before the hole have changed by then. */
	for (uint64_t i = 0; err == 0 && i < page_count(size); i++) {
		struct null_page *page = page_find(as, addr.v / LX_PAGE_SIZE + i);

		if (page)
			page->prot = prot;
		else
			err = -ENOMEM;
	}
	return err;
}

int null_protect(struct platform_thread *thread, gaddr_t addr, uint64_t size, int prot)
{
	return record(thread->as, &(struct null_record){
					  .op = NULL_PROTECT,
					  .addr = addr,
					  .size = size,
					  .prot = prot,
					  .fd = -1,
					  .result = do_protect(thread->as, addr, size, prot),
				  });
}

/* Moves a page's contents and protection to another index. */
static void page_move(struct platform_as *as, struct null_page *page, uint64_t index)
{
	hash_remove(&as->pages, &page->node);
	page->index = index;
	/* Cannot fail: the table has its buckets. */
	(void)hash_insert(&as->pages, &page->node, hash_u64(index));
}

static int do_remap(struct platform_as *as, gaddr_t old_addr, uint64_t old_size, uint64_t new_size,
	gaddr_t new_addr)
{
	uint64_t from = old_addr.v / LX_PAGE_SIZE, to = new_addr.v / LX_PAGE_SIZE;
	uint64_t old_count = page_count(old_size), new_count = page_count(new_size);
	struct null_page *last = page_find(as, from + old_count - 1);
	int err = mapping_check(as, old_addr, old_size);

	if (err == 0)
		err = mapping_check(as, new_addr, new_size);
	if (err < 0)
		return err;
	if (!last)
		return -EFAULT;
	for (uint64_t i = old_count; i < new_count; i++) {
		pages_drop(as, to + i, 1);
		err = null_page_add(as, to + i, last->prot, NULL, 0);
		if (err < 0)
			return err;
	}
	for (uint64_t i = 0; i < old_count; i++) {
		struct null_page *page = page_find(as, from + i);

		if (!page)
			continue;
		if (i >= new_count) {
			page_free(as, page);
		} else if (from != to) {
			pages_drop(as, to + i, 1);
			page_move(as, page, to + i);
		}
	}
	return 0;
}

int null_remap(struct platform_thread *thread, gaddr_t old_addr, uint64_t old_size,
	uint64_t new_size, gaddr_t new_addr)
{
	return record(thread->as,
		&(struct null_record){
			.op = NULL_REMAP,
			.addr = old_addr,
			.size = old_size,
			.new_addr = new_addr,
			.new_size = new_size,
			.fd = -1,
			.result = do_remap(thread->as, old_addr, old_size, new_size, new_addr),
		});
}

int null_advise(struct platform_thread *thread, gaddr_t addr, uint64_t size, int advice)
{
	int err = mapping_check(thread->as, addr, size);

	for (uint64_t i = 0; err == 0 && advice == LX_MADV_DONTNEED && i < page_count(size); i++) {
		struct null_page *page = page_find(thread->as, addr.v / LX_PAGE_SIZE + i);

		if (!page)
			err = -ENOMEM;
		else if (!page->shared)
			memset(page->bytes, 0, LX_PAGE_SIZE);
	}
	return record(thread->as, &(struct null_record){.op = NULL_ADVISE,
					  .addr = addr,
					  .size = size,
					  .prot = advice,
					  .fd = -1,
					  .result = err});
}
