/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes before they are asked for.
 *
 * Programs that walk a tree list a directory and then ask for each of its names once, in the order
 * of the listing: every answer is new, and each question would be an exchange. So the names that a
 * task listed last are kept, and when it asks for them in that order, an answer is accompanied by
 * those to the next questions (struct platform_ahead), at first few, then more. The listing only
 * says which names to look up; what is told of them is looked up anew.
 *
 * What is told is what a lasting answer is (vfs/vfs.h): the name's directory was reached through
 * trees that only this kernel changes, and the object is no link, nothing is mounted on it, nobody
 * has it open for writing. The names_epoch is taken before the first look, so that whatever changes
 * during one makes all of it void. What was asked for came by the same prefix in the same call, so
 * the task may search the directory.
 */
#include "sentry/ahead.h"

#include <stdlib.h>
#include <string.h>

#include "abi/dirent.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/syscalls/path.h"

#define LISTED_MAX   (64u << 10) /* bytes of records kept for a task */
#define LOOK_FORWARD 64u	 /* names among which the one that was asked for is looked for */
#define SKIPPED_MAX  2u		 /* files that may be left out on the way */
#define RUN_TELLS    2u		 /* questions in order before the first is answered ahead */
#define TELL_FIRST   8u

struct ahead {
	/* Whose names; only to be compared, since it may be gone. What is wrong then is a guess. */
	const struct dentry *dir;
	size_t size;	   /* of records */
	size_t told, next; /* [told, next) was told at last; the program is expected at `next` */
	unsigned run;	   /* questions that came in order */
	bool skips_dirs;   /* directories are left out */
	uint8_t records[];
};

void ahead_listed(
	struct task *task, const struct file *dir, const uint8_t *records, size_t size, bool first)
{
	struct ahead *ahead = task->ahead, *grown;
	size_t kept = 0;

	if (!task->thread->ahead || !dir->inode->sb->stable)
		return;
	if (!first) {
		if (!ahead || ahead->dir != dir->path.dentry || ahead->next > 0)
			return;
		kept = ahead->size;
	}
	if (size > LISTED_MAX - kept)
		return;
	grown = realloc(ahead, sizeof(*grown) + kept + size);
	if (!grown)
		return;
	if (!ahead)
		grown->run = 0;
	task->ahead = ahead = grown;
	if (first) {
		ahead->dir = dir->path.dentry;
		ahead->told = ahead->next = 0;
		ahead->skips_dirs = false;
		/* Who went through the last one may be trusted earlier. */
		ahead->run = ahead->run > RUN_TELLS ? ahead->run - 1 : 0;
	}
	memcpy(ahead->records + kept, records, size);
	ahead->size = kept + size;
}

static const struct lx_dirent64 *record_at(const struct ahead *ahead, size_t at)
{
	return (const struct lx_dirent64 *)(ahead->records + at);
}

static bool is_dot(const struct lx_dirent64 *record)
{
	return strcmp(record->d_name, ".") == 0 || strcmp(record->d_name, "..") == 0;
}

/*
 * Finds the name that was asked for. True: the program goes in order, and what is at ahead->next is
 * likely to come.
 */
static bool follow(struct ahead *ahead, const char *name)
{
	unsigned files = 0, dirs = 0;
	size_t at = ahead->told;

	for (unsigned i = 0; at < ahead->size && i < LOOK_FORWARD + PLATFORM_AHEAD_MAX; i++) {
		const struct lx_dirent64 *record = record_at(ahead, at);

		if (strcmp(record->d_name, name) == 0)
			break;
		if (at >= ahead->next && !is_dot(record)) {
			dirs += record->d_type == LX_DT_DIR;
			files += record->d_type == LX_DT_REG;
		}
		at += record->d_reclen;
	}
	if (at >= ahead->size || files > SKIPPED_MAX) {
		ahead->run = 0;
		/* From here on, if it was there. */
		ahead->told = ahead->next = at < ahead->size ? at : 0;
		return false;
	}
	/* What could not be told before. */
	if (at < ahead->next && record_at(ahead, at)->d_type == LX_DT_LNK)
		return false;
	if (record_at(ahead, at)->d_type == LX_DT_DIR)
		ahead->skips_dirs = false;
	else if (dirs > 0)
		ahead->skips_dirs = true;
	ahead->told = ahead->next = at + record_at(ahead, at)->d_reclen;
	return ++ahead->run >= RUN_TELLS;
}

static bool tell_one(const struct vfs_lasting *lasting, const struct path *dir, const char *name,
	char to_name[PLATFORM_AHEAD_NAME], uint64_t to_stat[18])
{
	_cleanup_path_ struct path child = {0};
	struct lx_stat stat;

	if (vfs_lasting_child(lasting, dir, name, &child) < 0 || stat_of_path(&child, &stat) < 0)
		return false;
	strncpy(to_name, name, PLATFORM_AHEAD_NAME);
	memcpy(to_stat, &stat, sizeof(stat));
	return true;
}

static uint32_t tell_names(struct ahead *ahead, const struct vfs_lasting *lasting,
	const struct path *dir, unsigned want, struct platform_ahead *out)
{
	uint32_t count = 0;

	while (ahead->next < ahead->size && count < want) {
		const struct lx_dirent64 *record = record_at(ahead, ahead->next);

		ahead->next += record->d_reclen;
		if (is_dot(record) || record->d_type == LX_DT_LNK ||
			(record->d_type == LX_DT_DIR && ahead->skips_dirs) ||
			strlen(record->d_name) >= PLATFORM_AHEAD_NAME)
			continue;
		if (tell_one(lasting, dir, record->d_name, out->names[count].name,
			    out->names[count].stat))
			count++;
	}
	return count;
}

/* The directory by the same prefix as in the question, which has @size bytes. */
static int walk_prefix(struct task *task, const struct at_name *at, size_t size,
	struct vfs_lasting *lasting, struct path *ret)
{
	struct vfs_ctx ctx = task_vfs_ctx(task);
	char prefix[PLATFORM_AHEAD_PREFIX + 1];

	memcpy(prefix, at->name, size);
	prefix[size] = '\0';
	ctx.lasting = lasting;
	return path_walk(&ctx, at_base(at), size ? prefix : ".", WALK_FOLLOW | WALK_DIRECTORY, ret);
}

static void tell(struct task *task, int dirfd, const struct at_name *at, size_t prefix_size)
{
	struct vfs_lasting lasting = vfs_lasting_begin();
	struct platform_ahead *out = task->thread->ahead;
	uint32_t epoch = task_names_epoch(task);
	_cleanup_path_ struct path dir = {0};
	/* The task's next listing replaces it, and it is here. */
	struct ahead *ahead = task->ahead;
	unsigned want = TELL_FIRST << min_of(ahead->run - RUN_TELLS, 3u);
	uint32_t count;

	if (epoch == 0 || walk_prefix(task, at, prefix_size, &lasting, &dir) < 0 ||
		dir.dentry != ahead->dir)
		return;
	task->thread->inguest->ahead_count = 0;
	count = tell_names(ahead, &lasting, &dir, min_of(want, PLATFORM_AHEAD_MAX), out);
	out->epoch = epoch;
	out->dirfd = dirfd;
	memcpy(out->prefix, at->name, prefix_size);
	out->prefix_size = (uint32_t)prefix_size;
	task->thread->inguest->ahead_count = count;
}

void ahead_asked(struct task *task, int dirfd, const struct at_name *at, const struct path *path)
{
	const char *slash, *last;
	size_t prefix_size;

	if (!task->ahead || path->dentry->parent != task->ahead->dir)
		return;
	slash = strrchr(at->name, '/');
	last = slash ? slash + 1 : at->name;
	prefix_size = (size_t)(last - at->name);
	/* Another name: it was a link, and its directory is not where it led. */
	if (prefix_size > PLATFORM_AHEAD_PREFIX || strcmp(last, path->dentry->name) != 0)
		return;
	/* What a descriptor stands for, only its thread must be able to change. */
	if (at->name[0] != '/' && dirfd != LX_AT_FDCWD && !task_may_know_opened(task))
		return;
	if (follow(task->ahead, last))
		tell(task, at->name[0] == '/' ? LX_AT_FDCWD : dirfd, at, prefix_size);
}
