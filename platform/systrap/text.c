/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that is changed before it runs.
 *
 * When execve maps the code of a file that nobody in the sandbox can change, its slow instructions
 * can be replaced once for all processes to come: no thread runs there yet, nothing has to be
 * learnt, and the bytes come from the file, by our own hand. What is replaced, in dynamic linkers
 * and in programs without one, is `cpuid` (cpuid.c says why), and calls: a process that lives for
 * thirty of them would never show a call site often enough (patch.c) to have it patched.
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
#include <immintrin.h>
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
#include "platform/systrap/patch.h"
#include "platform/systrap/site.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define PAGE_SIZE    4096u
#define STORE_PAGES  512u /* of code; the table of names lies behind them */
#define FILE_SIZE    ((size_t)STORE_PAGES * PAGE_SIZE + PLATFORM_NAMES_SIZE)
#define AREA_PAGES   (PLATFORM_TEXT_AREA_SIZE / PAGE_SIZE)
#define TEXTS_MAX    12u
#define CHUNK_SIZE   0x8000u		   /* ... at a time */
#define CHANGED_MAX  SYSTRAP_LIBRARY_PAGES /* pages from the first to the last changed one */
#define SITES_MAX    256u
#define CPUIDS_MAX   80u
#define SITE_LOOKED  64u		/* bytes before a `cpuid` that are looked at ... */
#define HOLE_LOOKED  (SITE_BEFORE - 2u) /* ... when no padding is found there */
#define FIRST_LEAVES 7u			/* that are asked for when the first code is prepared ... */
#define MORE_LEAVES  4u			/* ... and with each program after it */

/* An area: a page of trampolines, a table, its users. For a library: trampolines only. */
#define AREA_TABLE ((size_t)TRAMPOLINE_PAGE_SIZE)
#define AREA_SLOTS (AREA_TABLE + sizeof(struct cpuid_entry) * CPUID_ENTRIES)

_Static_assert(AREA_SLOTS + (size_t)CPUIDS_MAX * CPUID_SLOT_SIZE <= PLATFORM_TEXT_AREA_SIZE,
	"all that an area holds");

/* What addresses count from while a text is worked on: jumps are relative. */
#define TEXT_BASE 0x100000000000ull
#define TEXT_AREA (TEXT_BASE - PLATFORM_TEXT_DISTANCE)

/* The file as it was, and which part of it. */
struct text_key {
	uint64_t dev, ino, file_size, offset, size;
	struct statx_timestamp mtime, ctime;
};

struct systrap_text {
	struct text_key key;
	bool library;			 /* there is no table in its area */
	uint32_t first_page, page_count; /* of the mapping; none: there is nothing to gain */
	/* In the store, in pages; the last one is made when it is needed (0: not yet). */
	uint32_t area, prepared, given_back;
	/* The file's bytes where they were changed, without holes; owned. */
	struct text_change {
		uint32_t offset; /* from the first page */
		uint8_t size, bytes[SITE_JUMP_SIZE];
	} * changes;
	unsigned change_count;
};

static struct {
	unsigned starts;	      /* of programs, until it is made */
	bool tried;		      /* to make it */
	bool refused;		      /* this machine's CPUs differ */
	uint8_t *pages;		      /* our mapping; NULL: there is no store */
	struct platform_names *names; /* in it; NULL: no process has it */
	uint32_t used;		      /* pages */
	struct systrap_text texts[TEXTS_MAX];
	unsigned text_count;
	struct cpuid_entry table[CPUID_ENTRIES]; /* what the areas' tables are copies of */
	unsigned table_used;
} store;

/* ---- the store ---- */

static int store_open(int *ret_fd)
{
	const size_t size = FILE_SIZE;
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

/* All who are cloned from the zygote from now on see it. */
static void map_names(struct systrap_thread *zygote)
{
	const uint64_t args[6] = {STUB_NAMES_BASE, PLATFORM_NAMES_SIZE, PROT_READ,
		MAP_SHARED | MAP_FIXED, STUB_FD_TEXTS, (uint64_t)STORE_PAGES * PAGE_SIZE};
	int64_t result = -1;

	if (systrap_host_call(zygote, SYS_mmap, args, &result) == 0 &&
		result == (int64_t)STUB_NAMES_BASE)
		store.names =
			(struct platform_names *)(store.pages + (size_t)STORE_PAGES * PAGE_SIZE);
}

void systrap_text_init(void)
{
	struct systrap_thread *zygote = systrap.zygote;
	_cleanup_close_ int fd = -1;

	/* The first program would pay as much as it gains, and most sandboxes run no other. */
	if (store.tried || !systrap.config.patch_sites || store.starts++ == 0)
		return;
	store.tried = true;
	if (systrap_need_doorbell(zygote) < 0 || store_open(&fd) < 0)
		return;
	if (systrap_notification_addfd(zygote->notification, fd, STUB_FD_TEXTS - STUB_FD_TRANSFER) <
		0) {
		munmap(store.pages, FILE_SIZE);
		store.pages = NULL;
		return;
	}
	map_names(zygote);
}

struct platform_names *systrap_shared_names(void)
{
	return store.names;
}

bool systrap_text_has_store(void)
{
	return store.pages;
}

void systrap_text_fini(void)
{
	for (unsigned i = 0; i < store.text_count; i++)
		free(store.texts[i].changes);
	if (store.pages)
		munmap(store.pages, FILE_SIZE);
	memset(&store, 0, sizeof(store));
}

static uint8_t *page_at(uint32_t page)
{
	return store.pages + (size_t)page * PAGE_SIZE;
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

		if (store.texts[i].page_count == 0 || store.texts[i].library)
			continue;
		table = (struct cpuid_entry *)(page_at(store.texts[i].area) + AREA_TABLE);
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

struct text_site {
	struct site_cpuid form;
	bool call;     /* a `syscall` and no `cpuid` */
	unsigned slot; /* of its kind */
};

struct text_work {
	const struct platform_text *from;
	bool library;
	uint64_t begin, end; /* the part of the text that is looked at */
	struct text_site sites[SITES_MAX];
	unsigned site_count, call_count, cpuid_count;
	/* A piece of it, and the surroundings of its ends. */
	uint64_t addr; /* of bytes[0] */
	size_t size;
	uint8_t bytes[CHUNK_SIZE + HOLE_LOOKED + SITE_BEHIND + 2];
};

static void mark_taken(struct site_window *window, uint64_t addr, uint64_t size)
{
	for (uint64_t at = max_of(addr, window->addr);
		at < min_of(addr + size, window->addr + window->size); at++)
		window->taken[at - window->addr] = true;
}

/* Around the instruction at @at, an index of work->bytes, with the @before bytes before it. */
static void take_window(
	const struct text_work *work, size_t at, size_t before, struct site_window *window)
{
	size_t first = at - before;

	memset(window, 0, sizeof(*window));
	window->addr = work->addr + first;
	window->size = min_of(work->size - first, (size_t)(before + 2 + SITE_BEHIND));
	memcpy(window->bytes, work->bytes + first, window->size);
	for (unsigned i = 0; i < work->site_count; i++) {
		const struct site_cpuid *other = &work->sites[i].form;

		/* With what its slot executes in its place. */
		mark_taken(window, other->site, other->run + 2u);
		if (other->hole)
			mark_taken(window, other->hole, SITE_JUMP_SIZE);
	}
}

static bool judge_cpuid(
	const struct text_work *work, size_t at, size_t before, struct site_cpuid *ret_form)
{
	struct site_window window;

	before = min_of(at, before);
	take_window(work, at, before, &window);
	return site_judge_cpuid(&window, before, ret_form);
}

static void look_at_cpuid(struct text_work *work, size_t at)
{
	struct text_site site = {.slot = work->cpuid_count};

	if (work->library || store.refused || work->cpuid_count == CPUIDS_MAX ||
		work->site_count == SITES_MAX)
		return;
	if (!judge_cpuid(work, at, SITE_LOOKED, &site.form) &&
		!judge_cpuid(work, at, HOLE_LOOKED, &site.form))
		return;
	work->cpuid_count++;
	work->sites[work->site_count++] = site;
}

/* The kernel never patches these (mm_patch.c). */
static bool is_never_replaced(uint32_t nr)
{
	switch (nr) {
	case SYS_rt_sigreturn:
	case SYS_clone:
	case SYS_clone3:
	case SYS_fork:
	case SYS_vfork:
	case SYS_execve:
	case SYS_execveat:
	case SYS_exit:
	case SYS_exit_group:
		return true;
	default:
		return nr > 1023;
	}
}

/*
 * mov $nr, %eax; syscall: seven bytes of which four are fixed and the number is small. Nothing
 * else looks like that, but for a mov into r8d. All other forms take a proof.
 */
static bool judge_call(const struct text_work *work, size_t at, struct site_cpuid *ret_form)
{
	const uint8_t *mov = work->bytes + at - SITE_JUMP_SIZE;
	const size_t before = min_of(at, (size_t)HOLE_LOOKED);
	struct site_window window;
	struct site_form form;
	uint32_t nr;

	if (at > SITE_JUMP_SIZE && mov[0] == 0xb8) {
		memcpy(&nr, mov + 1, sizeof(nr));
		if (is_never_replaced(nr))
			return false;
		if ((mov[-1] & 0xf0) != 0x40) {
			*ret_form = (struct site_cpuid){
				.site = work->addr + at - SITE_JUMP_SIZE,
				.size = SITE_JUMP_SIZE,
				.run = SITE_JUMP_SIZE,
			};
			return true;
		}
	}
	take_window(work, at, before, &window);
	if (site_judge_unseen(&window, before, &form) != SITE_OK)
		return false;
	*ret_form = (struct site_cpuid){
		.site = form.site, .size = form.size, .run = form.size, .hole = form.hole};
	return true;
}

static void look_at_call(struct text_work *work, size_t at)
{
	const unsigned calls_max = (work->library ? AREA_PAGES : 1) * TRAMPOLINE_PAGE_SLOTS;
	struct text_site site = {.call = true, .slot = work->call_count};

	if (work->call_count == calls_max || work->site_count == SITES_MAX ||
		!judge_call(work, at, &site.form))
		return;
	work->call_count++;
	work->sites[work->site_count++] = site;
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

/* The first 0f of a `syscall` or `cpuid` in [at, end), of which one more byte may be read. */
static const uint8_t *find_candidate(const uint8_t *at, const uint8_t *end)
{
	for (; at < end; at++) {
		/* Sixteen bytes at a time, as long as there is none. */
		while (end - at > 16) {
			__m128i here = _mm_loadu_si128((const __m128i *)at);
			__m128i next = _mm_loadu_si128((const __m128i *)(at + 1));
			__m128i second = _mm_or_si128(_mm_cmpeq_epi8(next, _mm_set1_epi8(0x05)),
				_mm_cmpeq_epi8(next, _mm_set1_epi8((char)0xa2)));

			if (_mm_movemask_epi8(_mm_and_si128(
				    second, _mm_cmpeq_epi8(here, _mm_set1_epi8(0x0f)))))
				break;
			at += 16;
		}
		for (unsigned i = 0; i < 16 && at < end; i++, at++) {
			if (at[0] == 0x0f && (at[1] == 0x05 || at[1] == 0xa2))
				return at;
		}
		at--;
	}
	return NULL;
}

static bool find_sites(struct text_work *work)
{
	for (uint64_t begin = work->begin; begin < work->end; begin += CHUNK_SIZE) {
		size_t first = (size_t)min_of(begin - work->begin, (uint64_t)HOLE_LOOKED);
		uint64_t end = min_of(begin + CHUNK_SIZE + SITE_BEHIND + 2, work->end);
		const uint8_t *at, *last;

		work->addr = begin - first;
		if (!read_bytes(work->from, work->addr, work->bytes, (size_t)(end - work->addr),
			    &work->size))
			return false;
		last = work->bytes + min_of(work->size - 1, first + CHUNK_SIZE);
		at = work->bytes + first;
		while ((at = find_candidate(at, last))) {
			if (at[1] == 0xa2)
				look_at_cpuid(work, (size_t)(at - work->bytes));
			else
				look_at_call(work, (size_t)(at - work->bytes));
			at += 2;
		}
	}
	return true;
}

/* From the first to the last changed byte, in pages. */
static void find_pages(const struct text_work *work, struct systrap_text *text)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (unsigned i = 0; i < work->site_count; i++) {
		const struct site_cpuid *site = &work->sites[i].form;

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

/* What stands at @offset of the prepared pages becomes @bytes. */
static void change(struct systrap_text *text, size_t offset, const uint8_t *bytes, size_t size)
{
	uint8_t *where = page_at(text->prepared) + offset;
	struct text_change *kept = &text->changes[text->change_count++];

	kept->offset = (uint32_t)offset;
	kept->size = (uint8_t)size;
	memcpy(kept->bytes, where, size);
	memcpy(where, bytes, size);
}

static void put_jump(uint8_t *where, uint64_t from, uint64_t to)
{
	int32_t distance = (int32_t)(to - (from + SITE_JUMP_SIZE));

	where[0] = 0xe9;
	memcpy(where + 1, &distance, sizeof(distance));
}

/* To the slot at @slot of the area; all offsets from the text's begin. */
static void write_jumps(struct systrap_text *text, const struct site_cpuid *form, uint64_t slot)
{
	const uint64_t base = (uint64_t)text->first_page * PAGE_SIZE;
	uint8_t jump[SITE_JUMP_SIZE];

	if (!form->hole) {
		put_jump(jump, TEXT_BASE + form->site, TEXT_AREA + slot);
		change(text, form->site - base, jump, SITE_JUMP_SIZE);
		return;
	}
	put_jump(page_at(text->prepared) + (form->hole - base), TEXT_BASE + form->hole,
		TEXT_AREA + slot);
	jump[0] = 0xeb;
	jump[1] = (uint8_t)(form->hole - (form->site + SITE_SHORT_SIZE));
	change(text, form->site - base, jump, SITE_SHORT_SIZE);
}

static void write_cpuid(struct systrap_text *text, const struct text_site *site)
{
	const size_t slot = AREA_SLOTS + (size_t)site->slot * CPUID_SLOT_SIZE;
	const struct site_cpuid *form = &site->form;
	const uint8_t *run =
		page_at(text->prepared) + (form->site - (uint64_t)text->first_page * PAGE_SIZE);

	if (cpuid_slot_build(page_at(text->area) + slot, run, form->run,
		    (int64_t)AREA_TABLE - (int64_t)slot,
		    (int64_t)(TEXT_BASE + form->site + form->run + 2 - (TEXT_AREA + slot))))
		write_jumps(text, form, slot);
}

/* By the engine of learnt sites, as if there were nothing else. */
static void write_call(struct systrap_text *text, const struct text_site *site)
{
	const struct systrap_patches patches = {
		.areas[0] = {.addr = TEXT_AREA, .size = PLATFORM_TEXT_AREA_SIZE}};
	const struct site_cpuid *form = &site->form;
	struct patch_site patch = {
		.form = {.site = TEXT_BASE + form->site, .size = form->size},
		.slot = (uint16_t)site->slot,
	};
	uint64_t slot;

	memcpy(patch.bytes,
		page_at(text->prepared) + (form->site - (uint64_t)text->first_page * PAGE_SIZE),
		form->size);
	slot = patch_slot_address(&patches.areas[0], site->slot) - TEXT_AREA;
	patch_build_slot(&patches, &patch, (struct trampoline_slot *)(page_at(text->area) + slot));
	write_jumps(text, form, slot);
}

static void write_area(const struct text_work *work, const struct systrap_text *text)
{
	for (unsigned i = 0; i < (work->library ? AREA_PAGES : 1); i++) {
		struct trampoline_page *page = (struct trampoline_page *)page_at(text->area + i);

		page->magic[0] = TRAMPOLINE_MAGIC0;
		page->magic[1] = TRAMPOLINE_MAGIC1;
		page->entry = STUB_FAST_ENTRY;
	}
	if (!work->library)
		memcpy(page_at(text->area) + AREA_TABLE, store.table,
			(store.table_used + 1) * sizeof(store.table[0]));
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
	text->changes = calloc(work->site_count, sizeof(*text->changes));
	/* Where the file ends within the last page, zeros follow. */
	if (!text->changes ||
		!read_bytes(work->from, (uint64_t)text->first_page * PAGE_SIZE,
			page_at(text->prepared), size, &got) ||
		size - got >= PAGE_SIZE) {
		free(TAKE(text->changes));
		text->page_count = 0;
		return false;
	}
	/* Room for the pages that are given back, too. */
	store.used = text->prepared + 2 * text->page_count;
	write_area(work, text);
	for (unsigned i = 0; i < work->site_count; i++) {
		if (work->sites[i].call)
			write_call(text, &work->sites[i]);
		else
			write_cpuid(text, &work->sites[i]);
	}
	return true;
}

/* Of the part from @begin to @end of it. False: it could not be read, for now. */
static bool make_text(
	const struct platform_text *from, uint64_t begin, uint64_t end, struct systrap_text *text)
{
	_cleanup_free_ struct text_work *work = calloc(1, sizeof(*work));

	if (!work)
		return false;
	work->from = from;
	work->library = from->content != 0;
	work->begin = begin;
	work->end = end;
	text->library = work->library;
	if (!work->library && store.table_used == 0)
		grow_tables(FIRST_LEAVES);
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

static struct systrap_text *find_text(const struct platform_text *from)
{
	struct text_key key;

	if (!key_of(from, &key))
		return NULL;
	for (unsigned i = 0; i < store.text_count; i++) {
		if (!store.texts[i].library && memcmp(&store.texts[i].key, &key, sizeof(key)) == 0)
			return &store.texts[i];
	}
	if (store.text_count == TEXTS_MAX)
		return NULL;
	store.texts[store.text_count].key = key;
	if (!make_text(from, 0, from->size, &store.texts[store.text_count]))
		return NULL;
	return &store.texts[store.text_count++];
}

bool systrap_text_make_part(const struct platform_text *from, uint64_t first, uint64_t count,
	struct systrap_text **ret_text)
{
	struct systrap_text *text = &store.texts[store.text_count];

	if (!store.pages)
		return false;
	if (store.text_count == TEXTS_MAX)
		return true;
	*text = (struct systrap_text){0};
	if (!key_of(from, &text->key) ||
		!make_text(from, first * PAGE_SIZE, (first + count) * PAGE_SIZE, text))
		return false;
	store.text_count++;
	*ret_text = text;
	return true;
}

/* The file is as it was when it was prepared. */
static bool is_still(const struct systrap_text *text, const struct platform_text *from)
{
	struct text_key key;

	return key_of(from, &key) && memcmp(&text->key, &key, sizeof(key)) == 0;
}

/* The program's way into its new memory, or a thread's way back from mmap. */
static int try_map(struct systrap_thread *thread, uint64_t addr, uint32_t page, uint32_t count)
{
	const uint64_t args[6] = {addr, (uint64_t)count * PAGE_SIZE, LX_PROT_READ | LX_PROT_EXEC,
		LX_MAP_PRIVATE | LX_MAP_FIXED, STUB_FD_TEXTS, (uint64_t)page * PAGE_SIZE};
	struct channel_command *command;
	int err;

	if (thread->batch.active)
		return systrap_batch_try_map(thread, args);
	err = systrap_make_room(thread, 1, 0);
	if (err < 0)
		return err;
	command = systrap_command_defer(thread, COMMAND_HOST, DEFERRED_LOSSY);
	command->nr = SYS_mmap;
	memcpy(command->args, args, sizeof(command->args));
	return 0;
}

static int map_text(
	struct systrap_thread *thread, const struct platform_text *from, struct systrap_text *text)
{
	struct systrap_as *as = thread->as;
	unsigned i = 0;
	int err;

	while (i < SYSTRAP_TEXTS_MAX && as->texts[i].text)
		i++;
	if (i == SYSTRAP_TEXTS_MAX)
		return -ENOMEM;
	/* Where the host refuses one it refuses both. */
	err = try_map(thread, from->area.v, text->area, AREA_PAGES);
	if (err == 0)
		err = try_map(thread, from->addr.v + (uint64_t)text->first_page * PAGE_SIZE,
			text->prepared, text->page_count);
	if (err < 0)
		return err;
	as->texts[i].text = text;
	as->texts[i].addr = from->addr.v;
	if (text->library)
		systrap.sites.prepared_libraries++;
	else
		systrap.sites.prepared_programs++;
	return 0;
}

/*
 * Only on the way back of a thread that is alone: then the mapping itself is among what is delayed,
 * and nobody can put something else there before.
 */
static bool prepare_library(struct systrap_thread *thread, const struct platform_text *from)
{
	struct systrap_text *text;

	if (!systrap.config.patch_sites || !thread->late.pending)
		return false;
	text = systrap_learnt_text(thread->as, from);
	return text && thread->as->has_store && text->page_count > 0 && is_still(text, from) &&
	       map_text(thread, from, text) == 0;
}

bool systrap_prepare_text(struct platform_thread *head, const struct platform_text *from)
{
	struct systrap_thread *thread = systrap_thread(head);
	struct systrap_text *text;

	if (from->size > SYSTRAP_TEXT_SIZE)
		return false;
	if (from->content)
		return prepare_library(thread, from);
	if (!thread->as->has_store)
		return false;
	if (store.table_used > 0)
		grow_tables(MORE_LEAVES);
	text = find_text(from);
	return text && text->page_count > 0 && map_text(thread, from, text) == 0;
}

/* ---- giving back ---- */

/* The prepared pages with the file's bytes, but for the long jumps in padding. */
static void make_given_back(struct systrap_text *text)
{
	uint8_t *pages;

	if (text->given_back)
		return;
	text->given_back = text->prepared + text->page_count;
	pages = page_at(text->given_back);
	memcpy(pages, page_at(text->prepared), (size_t)text->page_count * PAGE_SIZE);
	for (unsigned i = 0; i < text->change_count; i++) {
		const struct text_change *kept = &text->changes[i];

		memcpy(pages + kept->offset, kept->bytes, kept->size);
	}
}

static int give_back(struct systrap_thread *thread, struct systrap_text *text, uint64_t addr)
{
	uint64_t args[6] = {addr + (uint64_t)text->first_page * PAGE_SIZE,
		(uint64_t)text->page_count * PAGE_SIZE, LX_PROT_READ | LX_PROT_EXEC,
		LX_MAP_PRIVATE | LX_MAP_FIXED, STUB_FD_TEXTS};
	int64_t result;
	int err;

	make_given_back(text);
	args[5] = (uint64_t)text->given_back * PAGE_SIZE;
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
		struct systrap_text *text = as->texts[i].text;
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
