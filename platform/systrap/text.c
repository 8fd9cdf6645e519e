/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that is changed before it runs.
 *
 * When execve maps the code of a file that nobody in the sandbox can change, its slow instructions
 * can be replaced once for all processes to come: no thread runs there yet, nothing has to be
 * learnt, and the bytes come from the file, by our own hand. What is replaced is `cpuid` (cpuid.c
 * says why), in dynamic linkers and in programs without one.
 *
 * The pages in question lie in a memory file, the *store*: the same bytes but for a jump before
 * each `cpuid` (site.c finds and proves the places), and the code to which those jumps lead. It
 * lies at a fixed distance below the text, so that the pages fit wherever the text is. A new
 * process gets two mappings of the store along with those of the program. All stubs inherit the
 * store's descriptor from the zygote; F_SEAL_FUTURE_WRITE keeps them from writing it, our own
 * mapping is older than the seal. What a guest can read there is code of programs that were
 * executed and that everybody may read (the kernel sees to that), and what `cpuid` told.
 *
 * Each set of pages is there twice: *prepared*, and *given back*, with the file's bytes but for the
 * long jumps in padding, in one of which a thread may stand. The latter take the place of the
 * former when the guest unmaps, moves or protects a part of it. Prepared pages are private mappings
 * like others: what the guest writes there is its own.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi/mman.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "platform/systrap/cpuid.h"
#include "platform/systrap/site.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define PAGE_SIZE    4096u
#define STORE_PAGES  256u
#define AREA_PAGES   (PLATFORM_TEXT_AREA_SIZE / PAGE_SIZE)
#define TEXTS_MAX    8u
#define TEXT_SIZE    (2u << 20) /* what is looked at, at most */
#define CHUNK_SIZE   0x8000u	/* ... at a time */
#define CHANGED_MAX  32u	/* pages from the first to the last changed one */
#define SITES_MAX    96u
#define SITE_LOOKED  64u /* bytes before a `cpuid` that are looked at */
#define FIRST_LEAVES 7u	 /* that are asked for when the first code is prepared ... */
#define MORE_LEAVES  4u	 /* ... and with each program after it */

_Static_assert(sizeof(struct cpuid_entry) * CPUID_ENTRIES + SITES_MAX * CPUID_SLOT_SIZE <=
		       PLATFORM_TEXT_AREA_SIZE,
	"the table and its users");

/* The file as it was, and which part of it. */
struct text_key {
	uint64_t dev, ino, file_size, offset, size;
	struct statx_timestamp mtime, ctime;
};

struct systrap_text {
	struct text_key key;
	uint32_t first_page, page_count; /* of the mapping; none: there is nothing to gain */
	/* In the store, in pages. */
	uint32_t area, prepared, given_back;
};

static struct {
	bool tried;	/* to make it */
	bool refused;	/* this machine's CPUs differ */
	uint8_t *pages; /* our mapping; NULL: there is no store */
	uint32_t used;	/* pages */
	struct systrap_text texts[TEXTS_MAX];
	unsigned text_count;
	struct cpuid_entry table[CPUID_ENTRIES]; /* what the areas' tables are copies of */
	unsigned table_used;
} store;

/* ---- the store ---- */

static int store_open(int *ret_fd)
{
	const size_t size = (size_t)STORE_PAGES * PAGE_SIZE;
	_cleanup_close_ int fd = -1;
	void *pages;

	fd = memfd_create("code", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("code", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -errno;
	pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pages == MAP_FAILED)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS,
		    F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		int err = -errno;

		munmap(pages, size);
		return err;
	}
	store.pages = pages;
	*ret_fd = take_fd(&fd);
	return 0;
}

void systrap_text_init(void)
{
	struct systrap_thread *zygote = systrap.zygote;
	_cleanup_close_ int fd = -1;

	if (store.tried || !systrap.config.patch_sites)
		return;
	store.tried = true;
	if (systrap_need_doorbell(zygote) < 0 || store_open(&fd) < 0)
		return;
	if (systrap_notification_addfd(zygote->notification, fd, STUB_FD_TEXTS - STUB_FD_TRANSFER) <
		0) {
		munmap(store.pages, (size_t)STORE_PAGES * PAGE_SIZE);
		store.pages = NULL;
	}
}

void systrap_text_fini(void)
{
	if (store.pages)
		munmap(store.pages, (size_t)STORE_PAGES * PAGE_SIZE);
	memset(&store, 0, sizeof(store));
}

/* More answers for all tables that there are. */
static void grow_tables(unsigned count)
{
	unsigned before = store.table_used;

	if (store.refused)
		return;
	if (!cpuid_table_grow(store.table, &store.table_used, count)) {
		store.refused = true;
		return;
	}
	for (unsigned i = 0; i < store.text_count; i++) {
		struct cpuid_entry *table;

		if (store.texts[i].page_count == 0)
			continue;
		table = (struct cpuid_entry *)(store.pages +
					       (size_t)store.texts[i].area * PAGE_SIZE);
		/* Behind the end first: somebody may be reading. */
		for (unsigned k = store.table_used; k > before; k--)
			memcpy(&table[k], &store.table[k], sizeof(*table));
		memcpy((uint8_t *)&table[before] + sizeof(uint32_t),
			(uint8_t *)&store.table[before] + sizeof(uint32_t),
			sizeof(*table) - sizeof(uint32_t));
		__atomic_store_n(&table[before].leaf, store.table[before].leaf, __ATOMIC_RELEASE);
	}
}

/* ---- one file's code ---- */

struct text_work {
	const struct platform_text *from;
	struct site_cpuid sites[SITES_MAX]; /* addresses count from the text's begin */
	unsigned site_count;
	/* What is looked at, and the surroundings of its ends. */
	uint64_t addr; /* of bytes[0] */
	size_t size;
	uint8_t bytes[CHUNK_SIZE + SITE_LOOKED + SITE_BEHIND + 2];
};

static void mark_taken(struct site_window *window, uint64_t addr, uint64_t size)
{
	for (uint64_t at = max_of(addr, window->addr);
		at < min_of(addr + size, window->addr + window->size); at++)
		window->taken[at - window->addr] = true;
}

/* @at: an index of work->bytes. */
static void judge(struct text_work *work, size_t at)
{
	struct site_cpuid *site = &work->sites[work->site_count];
	struct site_window window = {0};
	size_t before = min_of(at, (size_t)SITE_LOOKED), first = at - before;

	window.addr = work->addr + first;
	window.size = min_of(work->size - first, (size_t)(before + 2 + SITE_BEHIND));
	memcpy(window.bytes, work->bytes + first, window.size);
	for (unsigned i = 0; i < work->site_count; i++) {
		const struct site_cpuid *other = &work->sites[i];

		/* With what its slot executes in its place. */
		mark_taken(&window, other->site, other->run + 2u);
		if (other->hole)
			mark_taken(&window, other->hole, SITE_JUMP_SIZE);
	}
	if (site_judge_cpuid(&window, before, site))
		work->site_count++;
}

/* False: not now, some of it would have to be read from a disk. */
static bool read_bytes(
	const struct platform_text *from, uint64_t addr, void *bytes, size_t size, size_t *ret_size)
{
	struct iovec part = {.iov_base = bytes, .iov_len = size};
	ssize_t n = preadv2(from->fd, &part, 1, (off_t)(from->offset + addr), RWF_NOWAIT);

	if (n <= 0)
		return false;
	*ret_size = (size_t)n;
	return true;
}

static bool find_sites(struct text_work *work)
{
	for (uint64_t begin = 0; begin < work->from->size; begin += CHUNK_SIZE) {
		size_t first = (size_t)min_of(begin, (uint64_t)SITE_LOOKED);
		uint64_t end = min_of(begin + CHUNK_SIZE + SITE_BEHIND + 2, work->from->size);
		const uint8_t *at, *last;

		work->addr = begin - first;
		if (!read_bytes(work->from, work->addr, work->bytes, (size_t)(end - work->addr),
			    &work->size))
			return false;
		/* The second byte is the rarer one. */
		last = work->bytes + min_of(work->size, first + CHUNK_SIZE + 1);
		for (at = work->bytes + first + 1; at < last; at++) {
			at = memchr(at, 0xa2, (size_t)(last - at));
			if (!at)
				break;
			if (at[-1] == 0x0f && work->site_count < SITES_MAX)
				judge(work, (size_t)(at - 1 - work->bytes));
		}
	}
	return true;
}

/* From the first to the last changed byte, in pages. */
static void find_pages(const struct text_work *work, struct systrap_text *text)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (unsigned i = 0; i < work->site_count; i++) {
		const struct site_cpuid *site = &work->sites[i];

		first = min_of(first, site->site);
		last = max_of(last, site->site + site->run + 1);
		if (site->hole) {
			first = min_of(first, site->hole);
			last = max_of(last, site->hole + SITE_JUMP_SIZE - 1);
		}
	}
	if (work->site_count == 0)
		return;
	text->first_page = (uint32_t)(first / PAGE_SIZE);
	text->page_count = (uint32_t)(last / PAGE_SIZE) - text->first_page + 1;
}

static uint8_t *page_at(uint32_t page)
{
	return store.pages + (size_t)page * PAGE_SIZE;
}

static void put_jump(uint8_t *where, uint64_t from, int64_t to)
{
	int32_t distance = (int32_t)(to - (int64_t)(from + SITE_JUMP_SIZE));

	where[0] = 0xe9;
	memcpy(where + 1, &distance, sizeof(distance));
}

/* All addresses count from the text's begin; the area lies at -PLATFORM_TEXT_DISTANCE. */
static void write_site(
	const struct text_work *work, const struct systrap_text *text, unsigned index)
{
	const size_t slot_offset =
		sizeof(struct cpuid_entry) * CPUID_ENTRIES + (size_t)index * CPUID_SLOT_SIZE;
	const int64_t slot = (int64_t)slot_offset - (int64_t)PLATFORM_TEXT_DISTANCE;
	const uint64_t base = (uint64_t)text->first_page * PAGE_SIZE;
	const struct site_cpuid *site = &work->sites[index];
	uint8_t *prepared = page_at(text->prepared);

	if (!cpuid_slot_build(page_at(text->area) + slot_offset, prepared + (site->site - base),
		    site->run, -(int64_t)slot_offset, (int64_t)(site->site + site->run + 2) - slot))
		return;
	if (!site->hole) {
		put_jump(prepared + (site->site - base), site->site, slot);
		return;
	}
	put_jump(prepared + (site->hole - base), site->hole, slot);
	put_jump(page_at(text->given_back) + (site->hole - base), site->hole, slot);
	prepared[site->site - base] = 0xeb;
	prepared[site->site - base + 1] =
		(uint8_t)(int8_t)((int64_t)site->hole - (int64_t)(site->site + SITE_SHORT_SIZE));
}

static bool write_pages(const struct text_work *work, struct systrap_text *text)
{
	const size_t size = (size_t)text->page_count * PAGE_SIZE;
	size_t got;

	if (text->page_count > CHANGED_MAX ||
		AREA_PAGES + 2 * text->page_count > STORE_PAGES - store.used) {
		text->page_count = 0;
		return true;
	}
	text->area = store.used;
	text->prepared = text->area + AREA_PAGES;
	text->given_back = text->prepared + text->page_count;
	/* Where the file ends within the last page, zeros follow. */
	if (!read_bytes(work->from, (uint64_t)text->first_page * PAGE_SIZE, page_at(text->prepared),
		    size, &got) ||
		size - got >= PAGE_SIZE) {
		text->page_count = 0;
		return false;
	}
	store.used = text->given_back + text->page_count;
	memcpy(page_at(text->given_back), page_at(text->prepared), size);
	for (unsigned i = 0; i < work->site_count; i++)
		write_site(work, text, i);
	memcpy(page_at(text->area), store.table, (store.table_used + 1) * sizeof(store.table[0]));
	return true;
}

/* False: it could not be read, for now. */
static bool make_text(const struct platform_text *from, struct systrap_text *text)
{
	_cleanup_free_ struct text_work *work = calloc(1, sizeof(*work));

	if (!work)
		return false;
	work->from = from;
	if (store.table_used == 0)
		grow_tables(FIRST_LEAVES);
	if (store.refused)
		return true;
	if (!find_sites(work))
		return false;
	find_pages(work, text);
	return text->page_count == 0 || write_pages(work, text);
}

/* ---- looking up ---- */

static bool key_of(const struct platform_text *from, struct text_key *ret)
{
	struct statx attr;

	if (statx(from->fd, "", AT_EMPTY_PATH, STATX_INO | STATX_SIZE | STATX_MTIME | STATX_CTIME,
		    &attr) < 0)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->dev = (uint64_t)attr.stx_dev_major << 32 | attr.stx_dev_minor;
	ret->ino = attr.stx_ino;
	ret->file_size = attr.stx_size;
	ret->offset = from->offset;
	ret->size = from->size;
	ret->mtime = attr.stx_mtime;
	ret->ctime = attr.stx_ctime;
	return true;
}

static const struct systrap_text *find_text(const struct platform_text *from)
{
	struct text_key key;

	if (!key_of(from, &key))
		return NULL;
	for (unsigned i = 0; i < store.text_count; i++) {
		if (memcmp(&store.texts[i].key, &key, sizeof(key)) == 0)
			return &store.texts[i];
	}
	if (store.text_count == TEXTS_MAX)
		return NULL;
	store.texts[store.text_count].key = key;
	if (!make_text(from, &store.texts[store.text_count]))
		return NULL;
	return &store.texts[store.text_count++];
}

static int try_map(struct systrap_thread *thread, uint64_t addr, uint32_t page, uint32_t count)
{
	return systrap_batch_try_map(thread,
		(const uint64_t[6]){addr, (uint64_t)count * PAGE_SIZE, LX_PROT_READ | LX_PROT_EXEC,
			LX_MAP_PRIVATE | LX_MAP_FIXED, STUB_FD_TEXTS, (uint64_t)page * PAGE_SIZE});
}

bool systrap_prepare_text(struct platform_thread *head, const struct platform_text *from)
{
	struct systrap_thread *thread = systrap_thread(head);
	struct systrap_as *as = thread->as;
	const struct systrap_text *text;
	unsigned i = 0;

	while (i < SYSTRAP_TEXTS_MAX && as->texts[i].text)
		i++;
	if (!store.pages || i == SYSTRAP_TEXTS_MAX || from->size > TEXT_SIZE)
		return false;
	if (store.table_used > 0)
		grow_tables(MORE_LEAVES);
	text = find_text(from);
	if (!text || text->page_count == 0 || store.refused)
		return false;
	/* Where the host refuses one it refuses both. */
	if (try_map(thread, from->area.v, text->area, AREA_PAGES) < 0 ||
		try_map(thread, from->addr.v + (uint64_t)text->first_page * PAGE_SIZE,
			text->prepared, text->page_count) < 0)
		return false;
	as->texts[i].text = text;
	as->texts[i].addr = from->addr.v;
	return true;
}

/* ---- giving back ---- */

static int give_back(struct systrap_thread *thread, const struct systrap_text *text, uint64_t addr)
{
	const uint64_t args[6] = {addr + (uint64_t)text->first_page * PAGE_SIZE,
		(uint64_t)text->page_count * PAGE_SIZE, LX_PROT_READ | LX_PROT_EXEC,
		LX_MAP_PRIVATE | LX_MAP_FIXED, STUB_FD_TEXTS,
		(uint64_t)text->given_back * PAGE_SIZE};
	int64_t result;
	int err;

	if (thread->batch.active)
		return systrap_batch_try_map(thread, args);
	err = systrap_flush(thread);
	if (err == 0)
		err = systrap_host_call(thread, SYS_mmap, args, &result);
	return err;
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

int systrap_text_leave(struct systrap_thread *thread, uint64_t addr, uint64_t size, bool gone)
{
	struct systrap_as *as = thread->as;

	for (unsigned i = 0; i < SYSTRAP_TEXTS_MAX; i++) {
		const struct systrap_text *text = as->texts[i].text;
		uint64_t base = as->texts[i].addr, start, pages;
		int err;

		if (!text)
			continue;
		start = base + (uint64_t)text->first_page * PAGE_SIZE;
		pages = (uint64_t)text->page_count * PAGE_SIZE;
		if (!overlaps(addr, size, start, pages) &&
			!overlaps(
				addr, size, base - PLATFORM_TEXT_DISTANCE, PLATFORM_TEXT_AREA_SIZE))
			continue;
		as->texts[i].text = NULL;
		if (gone && addr <= start && start + pages <= addr + size)
			continue;
		err = give_back(thread, text, base);
		if (err < 0)
			return err;
	}
	return 0;
}
