/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that many processes map.
 *
 * A descriptor that is brought into a process costs as much as a call: the thread has to wake up
 * and take it, and it must sleep in its doorbell before. But what programs map is always the same:
 * the dynamic linker, the C library, what says where libraries are, locales. So a file that was
 * brought a few times is put into the zygote as well, and all processes to come inherit it.
 *
 * The kernel says which files may be: regular ones of read-only host trees that everybody may read
 * (platform_map.common). Every process of the sandbox can map them from then on, whatever its own
 * view of the file system is; none can write them, since they are open for reading alone.
 *
 * Entries stay for ever, and an address space has the first ones up to a count: the zygote's when
 * it was cloned, or its parent's.
 */
#include "platform/systrap/systrap.h"

#include <string.h>

#include "base/checked.h"

#define WORTH	   3u /* brought so often, a file is put there */
#define CANDIDATES 64u

static struct {
	uint64_t contents[STUB_FD_LIBRARY_MAX]; /* platform_content.id */
	unsigned count;
	struct {
		uint64_t content;
		unsigned brought;
	} candidates[CANDIDATES];
	unsigned next_candidate;
} library;

unsigned systrap_library_count(void)
{
	return library.count;
}

void systrap_library_fini(void)
{
	memset(&library, 0, sizeof(library));
}

int systrap_library_number(uint64_t content)
{
	for (unsigned i = 0; i < library.count; i++) {
		if (library.contents[i] == content)
			return (int)i;
	}
	return -1;
}

int systrap_library_find(const struct systrap_as *as, const struct platform_map *map)
{
	if (!map->common || !map->content)
		return -1;
	for (unsigned i = 0; i < as->library_count; i++) {
		if (library.contents[i] == map->content)
			return (int)(STUB_FD_LIBRARY + i);
	}
	return -1;
}

static unsigned count_candidate(uint64_t content)
{
	unsigned i = 0;

	while (i < CANDIDATES && library.candidates[i].content != content)
		i++;
	if (i == CANDIDATES) {
		i = library.next_candidate++ % CANDIDATES;
		library.candidates[i].content = content;
		library.candidates[i].brought = 0;
	}
	return ++library.candidates[i].brought;
}

void systrap_library_note(const struct platform_map *map)
{
	const struct systrap_thread *zygote = systrap.zygote;

	if (!map->common || !map->content || library.count == STUB_FD_LIBRARY_MAX ||
		count_candidate(map->content) < WORTH)
		return;
	for (unsigned i = 0; i < library.count; i++) {
		if (library.contents[i] == map->content)
			return;
	}
	/* Asleep: nobody is being cloned from it. Else the next time. */
	if (!zygote || zygote->state != SYSTRAP_STOPPED || !zygote->notification)
		return;
	if (systrap_notification_addfd(zygote->notification, map->fd,
		    STUB_FD_LIBRARY + library.count - STUB_FD_TRANSFER) == 0)
		library.contents[library.count++] = map->content;
}
