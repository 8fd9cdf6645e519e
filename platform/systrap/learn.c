/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which part of a library makes calls.
 *
 * A program of thirty calls pays for each of them by a trap, since none of its sites is used often
 * enough to be worth a patch (stub/sites.c). But the next program does the same, in the same pages
 * of the same C library. So the calls that trap are counted by page of the file, over all
 * processes; once that says where they come from, this part of the file is prepared (text.c), and
 * processes that map the library from then on trap there no more.
 *
 * The counts come from instruction pointers that guests claim to have: they decide which pages are
 * looked at, and nothing else. What may be replaced there is proven from the file's bytes.
 */
#include "platform/systrap/systrap.h"

#include <string.h>

#include "base/checked.h"

#define FILES	    16u
#define PAGES_MAX   (SYSTRAP_TEXT_SIZE / PAGE_SIZE)
#define PAGE_SIZE   4096u
#define TRAPS_WORTH 56u /* so many, and it is known where most calls of a program are */

static struct learnt {
	uint64_t content, offset, size;
	uint32_t traps;
	bool tried; /* to prepare it */
	struct systrap_text *text;
	uint16_t pages[PAGES_MAX];
} files[FILES];

static unsigned next_file;

void systrap_learn_fini(void)
{
	memset(files, 0, sizeof(files));
	next_file = 0;
}

static struct learnt *find_file(const struct platform_text *from)
{
	for (unsigned i = 0; i < FILES; i++) {
		if (files[i].content == from->content && files[i].offset == from->offset &&
			files[i].size == from->size)
			return &files[i];
	}
	return NULL;
}

static struct learnt *new_file(const struct platform_text *from)
{
	struct learnt *file = &files[next_file++ % FILES];

	*file = (struct learnt){
		.content = from->content,
		.offset = from->offset,
		.size = from->size,
	};
	return file;
}

/* A place in the list of the address space may be that of a mapping which is gone: no matter. */
static void watch(struct systrap_as *as, const struct learnt *file, uint64_t addr)
{
	unsigned i = as->learning_count % SYSTRAP_LEARNING_MAX;

	as->learning[i].addr = addr;
	as->learning[i].size = file->size;
	as->learning[i].file = (uint8_t)(file - files);
	as->learning_count++;
}

void systrap_learn_trap(struct systrap_thread *thread)
{
	const struct systrap_as *as = thread->as;
	uint64_t rip;

	systrap_take(&rip, &thread->slot->request.regs.rip, sizeof(rip));
	for (unsigned i = 0; i < min_of(as->learning_count, SYSTRAP_LEARNING_MAX); i++) {
		struct learnt *file = &files[as->learning[i].file];
		uint64_t offset = rip - as->learning[i].addr;

		if (offset >= as->learning[i].size)
			continue;
		file->traps++;
		if (file->pages[offset / PAGE_SIZE] < UINT16_MAX)
			file->pages[offset / PAGE_SIZE]++;
		return;
	}
}

/* Of all parts of SYSTRAP_LIBRARY_PAGES the one with the most calls, without what has none. */
static bool choose_part(const struct learnt *file, uint64_t *ret_first, uint64_t *ret_count)
{
	const uint64_t pages = file->size / PAGE_SIZE;
	uint64_t sum = 0, most = 0, first = 0, last;

	for (uint64_t i = 0; i < pages; i++) {
		sum += file->pages[i];
		if (i >= SYSTRAP_LIBRARY_PAGES)
			sum -= file->pages[i - SYSTRAP_LIBRARY_PAGES];
		if (sum <= most)
			continue;
		most = sum;
		first = i < SYSTRAP_LIBRARY_PAGES ? 0 : i + 1 - SYSTRAP_LIBRARY_PAGES;
	}
	if (most == 0)
		return false;
	last = min_of(first + SYSTRAP_LIBRARY_PAGES, pages) - 1;
	while (file->pages[last] == 0)
		last--;
	while (file->pages[first] == 0)
		first++;
	*ret_first = first;
	*ret_count = last - first + 1;
	return true;
}

struct systrap_text *systrap_learnt_text(struct systrap_as *as, const struct platform_text *from)
{
	struct learnt *file;
	uint64_t first, count;

	if (!from->content || from->size > SYSTRAP_TEXT_SIZE || from->size % PAGE_SIZE)
		return NULL;
	file = find_file(from);
	if (!file)
		file = new_file(from);
	if (!file->tried && file->traps >= TRAPS_WORTH && choose_part(file, &first, &count))
		file->tried = systrap_text_make_part(from, first, count, &file->text);
	if (!file->tried)
		watch(as, file, from->addr.v);
	return file->text;
}
