/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that all processes are told of (struct platform_file of platform/names.h): a program's
 * libraries, locales and headers. Of their names the Sentry says that everybody who may have them
 * told can open them for reading, and what they are. So who is alone with his descriptors and his
 * memory does what a dynamic linker does without asking: opens the file in the lowest place that is
 * free, asks for its attributes, reads its first bytes, maps it, closes it, and tells of all that
 * with the next request (told.c).
 *
 * A mapping is made here if it is private and not of code: of memory without a file, or of a file
 * which this process has at a descriptor of its own (STUB_FD_LIBRARY). It takes its address from
 * the upper end of one of the gaps that the Sentry tells of; or it goes with MAP_FIXED into what
 * was mapped here as the file's last mapping, as the segments of a library do. Unmapped and
 * protected are here such mappings alone: `maps` has the last ones. Code is the Sentry's, which
 * prepares it.
 */
#include "abi/syscall_nr.h"
#include "platform/systrap/stub/stub.h"

#define O_CLOEXEC     02000000u
#define O_LARGEFILE   0100000u
#define O_NOCTTY      0400u
#define PROT_READ     1u
#define PROT_WRITE    2u
#define MAP_SHARED    1u
#define MAP_PRIVATE   2u
#define MAP_FIXED     0x10u
#define MAP_ANONYMOUS 0x20u
#define MAP_DENYWRITE 0x800u
#define MAP_NOREPLACE 0x100000u
#define MAP_SIZE_MAX  0x400000u
#define HUGE_SIZE     0x200000u /* larger ones are aligned */
#define OFFSET_MAX    (1ull << 40)
#define PAGE	      4096u

static const struct platform_names *names_table(void)
{
	return (const struct platform_names *)STUB_NAMES_BASE;
}

/* Its entry, which may be about to change: @ret_version is to be seen again behind what is read of
 * it. */
static const struct platform_file *find(const char *name, uint32_t size, uint32_t *ret_version)
{
	const struct platform_names *table = names_table();
	const uint32_t hash = platform_name_hash(name, size);
	const uint32_t epoch = __atomic_load_n(&table->epoch, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < PLATFORM_FILE_WAYS; i++) {
		const struct platform_file *entry =
			&table->files_known[(hash + i) % PLATFORM_FILES_MAX];
		const uint32_t version = __atomic_load_n(&entry->version, __ATOMIC_ACQUIRE);

		if (version == 0)
			return 0;
		if ((version & 1) || entry->hash != hash || entry->size != size ||
			entry->epoch != epoch || !stub_same_bytes(entry->name, name, size))
			continue;
		*ret_version = version;
		return entry;
	}
	return 0;
}

bool stub_known_open(
	struct stub_thread *self, const char *name, uint32_t size, uint32_t flags, int64_t *ret)
{
	const struct platform_names *table = names_table();
	struct platform_inguest *known = &self->slot->inguest;
	const uint32_t all = PLATFORM_OPENED_PLAIN | PLATFORM_OPENED_START | PLATFORM_OPENED_STAT |
			     PLATFORM_OPENED_CLOSE | PLATFORM_OPENED_READ | PLATFORM_OPENED_DATA;
	const uint32_t epoch = __atomic_load_n(&known->names_epoch, __ATOMIC_RELAXED);
	const uint64_t free = ~known->fds;
	const struct platform_file *entry;
	struct platform_told *told;
	uint32_t version, library, begin;
	int32_t fd;

	if (name[0] != '/' || (flags & ~(O_CLOEXEC | O_LARGEFILE | O_NOCTTY)) || !epoch || !free ||
		!(known->features & PLATFORM_INGUEST_OWN) || stub_tell_room(self) == 0 ||
		!__atomic_load_n(&table->files, __ATOMIC_ACQUIRE))
		return false;
	entry = find(name, size, &version);
	if (!entry)
		return false;
	/* From here on nothing is known of the file that was opened before. */
	self->opened = OPENED_NOTHING;
	self->content = false;
	for (unsigned i = 0; i < 18; i++)
		known->opened.stat[i] = entry->stat[i];
	library = __atomic_load_n(&entry->library, __ATOMIC_RELAXED);
	begin = entry->begin;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&entry->version, __ATOMIC_RELAXED) != version)
		return false;
	fd = __builtin_ctzll(free);
	told = stub_tell(self, LX_NR_openat);
	told->args[0] = (uint32_t)fd;
	told->args[1] = (uint64_t)(entry - table->files_known);
	told->args[2] = flags;
	known->fds |= 1ull << fd;
	known->opened.fd = fd;
	known->opened.epoch = epoch;
	known->opened.file_flags = O_LARGEFILE;
	known->opened.flags = all;
	self->opened = OPENED_KNOWN;
	self->opened_fd = fd;
	self->position = 0;
	self->list_end = 0;
	self->window = 0;
	self->known_library =
		library < self->slot->library_count ? (uint8_t)(STUB_FD_LIBRARY + library) : 0;
	self->known_begin = begin < PLATFORM_FILE_BEGINS ? table->begins[begin] : 0;
	stub_told_fd(self, fd, all);
	*ret = fd;
	return true;
}

bool stub_known_read(const struct stub_thread *self, uint64_t buffer, uint64_t count, uint64_t at,
	uint64_t file_size, int64_t *ret)
{
	if (!self->known_begin || at >= file_size || at >= PLATFORM_FILE_BEGIN_SIZE ||
		buffer >= STUB_BASE || count > STUB_BASE - buffer)
		return false;
	if (count > file_size - at)
		count = file_size - at;
	if (count == 0 || count > PLATFORM_FILE_BEGIN_SIZE - at ||
		stub_copy((void *)buffer, self->known_begin + at, count))
		return false;
	*ret = (int64_t)count;
	return true;
}

/* ---- memory ---- */

static bool may_map(const struct stub_thread *self)
{
	const struct platform_inguest *known = &self->slot->inguest;

	return (known->told & PLATFORM_TOLD_MAPS) && (known->features & PLATFORM_INGUEST_OWN) &&
	       known->brk != 0 && stub_tell_room(self) > 0;
}

/* Where the mapping goes; 0: it is the Sentry's. */
static uint64_t place(const struct stub_thread *self, uint64_t addr, uint64_t size, uint32_t flags)
{
	const struct platform_inguest *known = &self->slot->inguest;

	if (flags & MAP_FIXED)
		return addr % PAGE == 0 && addr >= self->map_begin && addr < self->map_end &&
				       size <= self->map_end - addr
			       ? addr
			       : 0;
	if (addr != 0 || ((flags & MAP_ANONYMOUS) && size >= HUGE_SIZE))
		return 0;
	if (size <= known->hole_high - known->hole_low)
		return known->hole_high - size;
	if (size > known->map_size_min && size <= known->map_high - known->map_low)
		return known->map_high - size;
	return 0;
}

static void remember(struct stub_thread *self, uint64_t addr, uint64_t size, bool data)
{
	struct stub_map *map = &self->maps[self->next_map++ % STUB_MAPS];

	*map = (struct stub_map){addr, size, data};
}

/* Private, or of a file to be read, which nobody writes. */
static bool is_kind(uint32_t flags, uint32_t prot)
{
	return (flags == MAP_SHARED && prot == PROT_READ) ||
	       ((flags & MAP_PRIVATE) &&
		       !(flags & ~(MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE)));
}

bool stub_known_map(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	const uint32_t prot = (uint32_t)args[2], flags = (uint32_t)args[3];
	const bool anonymous = flags & MAP_ANONYMOUS, fixed = flags & MAP_FIXED;
	const uint64_t size = stub_page_end(args[1]), offset = anonymous ? 0 : args[5];
	uint64_t fd = UINT64_MAX, addr;
	struct platform_told *told;

	if (!may_map(self) || args[1] == 0 || args[1] > MAP_SIZE_MAX || args[2] >> 32 ||
		args[3] >> 32 || (prot != PROT_READ && prot != (PROT_READ | PROT_WRITE)) ||
		!is_kind(flags, prot) || (anonymous && args[5] % PAGE))
		return false;
	if (!anonymous) {
		if (self->opened == OPENED_NOTHING || !self->known_library ||
			(int32_t)args[4] != self->opened_fd || offset % PAGE || offset > OFFSET_MAX)
			return false;
		fd = self->known_library;
	}
	addr = place(self, args[0], size, flags);
	if (!addr || stub_call6(STUB_NR_MMAP, addr, size, prot,
			     (flags & (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS)) |
				     (fixed ? MAP_FIXED : MAP_NOREPLACE),
			     fd, offset) != (int64_t)addr)
		return false;
	told = stub_tell(self, LX_NR_mmap);
	told->args[0] = addr;
	told->args[1] = size;
	told->args[2] = (uint64_t)flags << 32 | prot;
	told->args[3] = (uint32_t)args[4];
	told->args[4] = offset;
	if (!fixed && addr + size == self->slot->inguest.hole_high)
		self->slot->inguest.hole_high = addr;
	else if (!fixed)
		self->slot->inguest.map_high = addr;
	if (!fixed && !anonymous) {
		self->map_begin = addr;
		self->map_end = addr + size;
	}
	if (!anonymous || !fixed)
		remember(self, addr, size, fixed);
	*ret = (int64_t)addr;
	return true;
}

bool stub_known_unmap(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	const uint64_t addr = args[0], size = stub_page_end(args[1]);
	struct platform_told *told;

	if (!may_map(self) || args[1] == 0)
		return false;
	for (unsigned i = 0; i < STUB_MAPS; i++) {
		struct stub_map *map = &self->maps[i];

		if (map->addr != addr || map->size != size || map->data)
			continue;
		if (stub_call3(STUB_NR_MUNMAP, addr, size, 0) != 0)
			return false;
		stub_known_note(self, LX_NR_munmap, args);
		/* There is a gap that the Sentry has to tell of first. */
		self->slot->inguest.hole_high = self->slot->inguest.hole_low = 0;
		self->slot->inguest.map_high = self->slot->inguest.map_low = 0;
		told = stub_tell(self, LX_NR_munmap);
		told->args[0] = addr;
		told->args[1] = size;
		*ret = 0;
		return true;
	}
	return false;
}

/* What a dynamic linker does with the data that it has relocated. */
bool stub_known_protect(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	const uint64_t addr = args[0], size = stub_page_end(args[1]);
	struct platform_told *told;

	if (!may_map(self) || args[2] != PROT_READ || args[1] == 0 || addr % PAGE)
		return false;
	for (unsigned i = 0; i < STUB_MAPS; i++) {
		const struct stub_map *map = &self->maps[i];

		if (!map->data || addr < map->addr || size > map->size ||
			addr - map->addr > map->size - size)
			continue;
		if (stub_call3(STUB_NR_MPROTECT, addr, size, PROT_READ) != 0)
			return false;
		told = stub_tell(self, LX_NR_mprotect);
		told->args[0] = addr;
		told->args[1] = size;
		told->args[2] = PROT_READ;
		*ret = 0;
		return true;
	}
	return false;
}

static bool overlaps(uint64_t begin, uint64_t end, uint64_t addr, uint64_t size)
{
	return addr < end && addr + size > begin;
}

void stub_known_note(struct stub_thread *self, uint32_t nr, const uint64_t args[6])
{
	const uint64_t addr = args[0], size = stub_page_end(args[1]);

	switch (nr) {
	case LX_NR_mmap:
		if (!(args[3] & (MAP_FIXED | MAP_NOREPLACE)))
			return;
		break;
	case LX_NR_munmap:
		if (overlaps(self->map_begin, self->map_end, addr, size))
			self->map_begin = self->map_end = 0;
		break;
	case LX_NR_mprotect:
		break;
	case LX_NR_mremap:
	case LX_NR_shmat:
	case LX_NR_remap_file_pages:
		stub_known_forget(self);
		return;
	default:
		return;
	}
	for (unsigned i = 0; i < STUB_MAPS; i++) {
		struct stub_map *map = &self->maps[i];

		if (map->size > 0 && overlaps(map->addr, map->addr + map->size, addr, size))
			map->addr = map->size = 0;
	}
}

void stub_known_forget(struct stub_thread *self)
{
	self->map_begin = self->map_end = 0;
	for (unsigned i = 0; i < STUB_MAPS; i++)
		self->maps[i].addr = self->maps[i].size = 0;
}
