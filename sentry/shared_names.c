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

#include "abi/resource.h"
#include "platform/names.h"
#include "sentry/task_private.h"

#define DESCRIPTORS_MIN 64u /* RLIMIT_NOFILE of those who are told */

static uint32_t epoch = 1;
static bool table_was_full;
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

static void tell(const char *name, enum platform_name_fact fact)
{
	struct platform_names *table = names_table();
	size_t size = strlen(name) + 1;
	struct platform_name *entry;
	uint32_t hash, version;

	if (!table || size > PLATFORM_NAME_SIZE)
		return;
	if (table->epoch != epoch) { /* it is new */
		table->opens = !table_was_full;
		__atomic_store_n(&table->epoch, epoch, __ATOMIC_RELEASE);
	}
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
