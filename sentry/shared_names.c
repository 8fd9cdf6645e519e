/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of which all processes are told at once.
 *
 * A compiler looks for each header in a dozen directories, and the next compiler does so again: a
 * good part of the calls of short programs are about names that do not exist, or asks where a link
 * leads of names that are none. What the VFS promises of such an answer for everybody
 * (vfs_lasting_promise_all()) is put into a table that all processes of the sandbox can read
 * (platform/names.h), and they need not ask.
 *
 * For everybody with the sandbox's own root and mounts, that is, none of whose calls have to be
 * seen or judged: the others have `names_shared` 0. Identities do not matter, since everybody may
 * search the directories on the way. The table's epoch moves on before the one whose call changes
 * something has his answer.
 *
 * What can be seen in the table are names that others in the sandbox asked for and which were not
 * there, below directories that everybody may search.
 *
 * open(2) says that the table of descriptors is full before it says that there is no such file. So
 * when one may be full for the first time, nobody is told of missing files any more when he opens
 * them.
 */
#include "sentry/shared_names.h"

#include <string.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/mman.h"
#include "abi/resource.h"
#include "abi/stat.h"
#include "platform/names.h"
#include "sentry/mm.h"
#include "sentry/task_private.h"

#define DESCRIPTORS_MIN 64u /* RLIMIT_NOFILE of those who are told */

static uint32_t epoch = 1;
static bool table_was_full, files_watched;
static unsigned next_way;
static struct path root; /* borrowed; the sandbox's own */

static struct platform_names *names_table(void)
{
	return platform->shared_names ? platform->shared_names() : NULL;
}

void shared_names_changed(void)
{
	struct platform_names *table = names_table();

	if (++epoch == 0)
		epoch = 1;
	if (table)
		__atomic_store_n(&table->epoch, epoch, __ATOMIC_RELEASE);
}

void shared_names_full(void)
{
	struct platform_names *table = names_table();

	table_was_full = true;
	if (table)
		__atomic_store_n(&table->opens, 0, __ATOMIC_RELEASE);
	shared_files_watched();
}

void shared_names_root(const struct path *path)
{
	root = path ? *path : (struct path){0};
}

bool shared_names_are_for(const struct task *task)
{
	return task->thread->sees_shared_names && task->fs && root.dentry &&
	       task->fs->root.dentry == root.dentry && task->fs->root.mount == root.mount &&
	       task_rlimit(task, LX_RLIMIT_NOFILE) >= DESCRIPTORS_MIN;
}

/* The entry of this name, or one to be given to it. */
static struct platform_name *find_place(
	struct platform_names *table, const char *name, uint32_t size, uint32_t hash)
{
	struct platform_name *set = &table->names[platform_name_place(hash)];

	for (unsigned i = 0; i < PLATFORM_NAME_WAYS; i++) {
		if (set[i].hash == hash && set[i].size == size &&
			memcmp(set[i].name, name, size) == 0)
			return &set[i];
	}
	for (unsigned i = 0; i < PLATFORM_NAME_WAYS; i++) {
		if (set[i].epoch != epoch)
			return &set[i];
	}
	return &set[next_way++ % PLATFORM_NAME_WAYS];
}

static void table_begin(struct platform_names *table)
{
	if (table->epoch == epoch)
		return;
	table->opens = !table_was_full;
	table->files = !files_watched;
	__atomic_store_n(&table->epoch, epoch, __ATOMIC_RELEASE);
}

static void tell(const char *name, enum platform_name_fact fact)
{
	struct platform_names *table = names_table();
	size_t size = strlen(name) + 1;
	struct platform_name *entry;
	uint32_t hash, version;

	if (!table || size > PLATFORM_NAME_SIZE)
		return;
	table_begin(table);
	hash = platform_name_hash(name, (uint32_t)size);
	entry = find_place(table, name, (uint32_t)size, hash);
	/* Who reads meanwhile sees one of both versions change. */
	version = entry->version | 1;
	__atomic_store_n(&entry->version, version, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	entry->epoch = epoch;
	entry->fact = (uint16_t)fact;
	entry->size = (uint16_t)size;
	entry->hash = hash;
	memcpy(entry->name, name, size);
	__atomic_store_n(&entry->version, version + 1, __ATOMIC_RELEASE);
}

static bool may_tell(
	const struct task *task, const struct at_name *at, const struct vfs_lasting *lasting)
{
	return at->name && at->name[0] == '/' && task->thread && task->thread->inguest &&
	       task->thread->inguest->names_shared && vfs_lasting_promise_all(lasting);
}

void shared_name_missing(const struct task *task, const struct at_name *at, bool follows,
	const struct vfs_lasting *lasting)
{
	if (may_tell(task, at, lasting))
		tell(at->name, follows ? PLATFORM_NAME_LEADS_NOWHERE : PLATFORM_NAME_MISSING);
}

void shared_name_no_link(
	const struct task *task, const struct at_name *at, const struct vfs_lasting *lasting)
{
	if (may_tell(task, at, lasting))
		tell(at->name, PLATFORM_NAME_NO_LINK);
}

/* ---- files that are there -------------------------------------------------------------------- */

/*
 * What many programs open: libraries, locales, headers. The second open of such a file has it put
 * into the table, with its attributes and, of an ELF file, the first bytes, which the dynamic
 * linker reads. Whoever is alone with his descriptors then opens it himself and tells later
 * (stub/known.c). Names stay in their places, so that what is told can be done whatever has
 * happened meanwhile; the file is opened by its name then.
 */

#define OPENS_WORTH 2u
#define CANDIDATES  256u

static struct {
	const struct inode *inode; /* never followed */
	unsigned opens;
} candidates[CANDIDATES];

static struct {
	char name[PLATFORM_NAME_SIZE]; /* "": there is none */
	uint64_t content;
} files[PLATFORM_FILES_MAX];

static unsigned begins;

void shared_files_watched(void)
{
	struct platform_names *table = names_table();

	files_watched = true;
	if (table)
		__atomic_store_n(&table->files, 0, __ATOMIC_RELEASE);
}

const char *shared_file_name(uint64_t index)
{
	return index < PLATFORM_FILES_MAX && files[index].name[0] ? files[index].name : NULL;
}

static void set_library(struct platform_file *entry, uint64_t content)
{
	const int number =
		content && platform->library_number ? platform->library_number(content) : -1;

	if (number >= 0 && number < (int)PLATFORM_FILE_NO_LIBRARY)
		__atomic_store_n(&entry->library, (uint8_t)number, __ATOMIC_RELAXED);
}

void shared_file_mapped(uint64_t content)
{
	struct platform_names *table = names_table();

	if (!table || !content)
		return;
	for (unsigned i = 0; i < PLATFORM_FILES_MAX; i++)
		if (files[i].content == content &&
			table->files_known[i].library == PLATFORM_FILE_NO_LIBRARY)
			set_library(&table->files_known[i], content);
}

static bool is_worth(const struct inode *inode)
{
	const size_t i = ((uintptr_t)inode / 64) % CANDIDATES;

	if (candidates[i].inode != inode) {
		candidates[i].inode = inode;
		candidates[i].opens = 0;
	}
	return ++candidates[i].opens >= OPENS_WORTH;
}

/* The entry of this name or a free one; NULL: there is no room. */
static struct platform_file *file_entry(
	struct platform_names *table, const char *name, uint32_t size, uint32_t hash)
{
	for (unsigned i = 0; i < PLATFORM_FILE_WAYS; i++) {
		const unsigned at = (hash + i) % PLATFORM_FILES_MAX;

		if (!files[at].name[0] || strcmp(files[at].name, name) == 0)
			return &table->files_known[at];
	}
	return NULL;
}

static uint64_t content_of(struct file *file)
{
	struct file_map map = {.size = LX_PAGE_SIZE,
		.prot = LX_PROT_READ,
		.host_fd = -1,
		.max_prot = LX_PROT_READ};

	return file->ops->map && file->ops->map(file, &map) == 0 ? map.content : 0;
}

static bool read_begin(struct task *task, struct file *file, uint8_t *ret)
{
	struct vfs_ctx ctx = task_vfs_ctx(task);
	struct uio_segment segment;
	struct uio uio;

	uio_init_kernel(&uio, &segment, ret, PLATFORM_FILE_BEGIN_SIZE);
	return file_pread(file, &uio, 0, &ctx) == (ssize_t)PLATFORM_FILE_BEGIN_SIZE &&
	       memcmp(ret, "\177ELF", 4) == 0;
}

static void tell_file(struct platform_names *table, struct platform_file *entry, const char *name,
	const struct lx_stat *stat, uint64_t content, const uint8_t *begin)
{
	const unsigned at = (unsigned)(entry - table->files_known);
	const uint32_t version = entry->version | 1, size = (uint32_t)strlen(name) + 1;

	__atomic_store_n(&entry->version, version, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!files[at].name[0]) {
		memcpy(files[at].name, name, size);
		memcpy(entry->name, name, size);
		entry->begin = PLATFORM_FILE_NO_BEGIN;
		entry->library = PLATFORM_FILE_NO_LIBRARY;
	}
	files[at].content = content;
	entry->epoch = epoch;
	entry->size = (uint16_t)size;
	entry->hash = platform_name_hash(name, size);
	memcpy(entry->stat, stat, sizeof(entry->stat));
	if (begin && entry->begin == PLATFORM_FILE_NO_BEGIN && begins < PLATFORM_FILE_BEGINS)
		entry->begin = (uint8_t)begins++;
	if (begin && entry->begin != PLATFORM_FILE_NO_BEGIN)
		memcpy(table->begins[entry->begin], begin, PLATFORM_FILE_BEGIN_SIZE);
	set_library(entry, content);
	__atomic_store_n(&entry->version, version + 1, __ATOMIC_RELEASE);
}

void shared_file_opened(struct task *task, const struct at_name *at, struct file *file,
	const struct vfs_lasting *lasting)
{
	struct platform_names *table = names_table();
	uint8_t begin[PLATFORM_FILE_BEGIN_SIZE];
	struct platform_file *entry;
	struct lx_stat stat;
	uint64_t content;
	bool has_begin;
	uint32_t size;

	if (!table || files_watched || !at->name || at->name[0] != '/' || !file->inode ||
		!file->inode->sb->read_only_for_ever || file->writable ||
		(file->flags & ~LX_O_LARGEFILE) || !may_tell(task, at, lasting) ||
		!is_worth(file->inode) || !vfs_file_is_common(file))
		return;
	size = (uint32_t)strlen(at->name) + 1;
	if (size > PLATFORM_NAME_SIZE || stat_of_path(&file->path, &stat) < 0)
		return;
	entry = file_entry(table, at->name, size, platform_name_hash(at->name, size));
	if (!entry)
		return;
	content = content_of(file);
	has_begin = read_begin(task, file, begin);
	/* That may have taken a while. */
	entry = file_entry(table, at->name, size, platform_name_hash(at->name, size));
	if (!entry || !may_tell(task, at, lasting))
		return;
	table_begin(table);
	tell_file(table, entry, at->name, &stat, content, has_begin ? begin : NULL);
}
