/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hidden and protected names (vfs/guard.h) when changes are kept (--commit).
 *
 * In its own copy of the working directory a guest may do as it likes; here is where that would
 * reach the host. Changes come as states, so that a rename of directories is the removal of one
 * tree and the creation of another, and each name is judged by itself. What a guest cannot see it
 * may have taken away with the directory that holds it: so a tree is looked through before it is
 * removed.
 */
#include "cmd/commit_guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vfs/guard.h"

#define SCAN_DEPTH 256 /* directories open at a time */
#define PATH_SIZE  8192

static struct guard_answer judge(const struct commit_guard *guard, const char *path, bool directory)
{
	struct guard_place place = guard_place_of_path(path, strlen(guard->path) + 1);

	return guard_judge(guard->rules, &place, directory ? GUARD_DIRECTORY : GUARD_FILE);
}

static int refuse(const struct guard_answer *answer, const char *path)
{
	guard_report(answer, "keep the change of", path);
	return COMMIT_REFUSED;
}

/* One level of a scan. */
struct level {
	DIR *stream; /* owned */
	size_t path_size;
};

static int level_open(struct level *level, int parent, const char *name, size_t path_size)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	level->stream = fdopendir(fd);
	if (!level->stream) {
		(void)close(fd);
		return -ENOMEM;
	}
	level->path_size = path_size;
	return 0;
}

#define SCAN_END 2

/* The next entry is judged, and entered when it is a directory. */
static int scan_step(
	const struct commit_guard *guard, char *path, struct level *levels, unsigned *depth)
{
	const struct level *level = &levels[*depth];
	struct guard_answer answer;
	const struct dirent *entry;
	struct stat stat;
	size_t size;
	int status;

	errno = 0;
	entry = readdir(level->stream);
	if (!entry)
		return errno ? -errno : SCAN_END;
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	size = strlen(entry->d_name);
	if (level->path_size + size + 2 > PATH_SIZE)
		return -ENAMETOOLONG;
	path[level->path_size] = '/';
	memcpy(path + level->path_size + 1, entry->d_name, size + 1);
	size += level->path_size + 1;
	if (fstatat(dirfd(level->stream), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	answer = judge(guard, path, S_ISDIR(stat.st_mode));
	if (answer.verdict != GUARD_FREE && answer.verdict != GUARD_WAY)
		return refuse(&answer, path);
	if (!S_ISDIR(stat.st_mode))
		return 0;
	if (*depth + 1 == SCAN_DEPTH)
		return -ELOOP;
	status = level_open(&levels[*depth + 1], dirfd(level->stream), entry->d_name, size);
	if (status == 0)
		(*depth)++;
	return status;
}

/* Is anything below the directory hidden or protected? @path is its own, in PATH_SIZE bytes. */
static int scan(const struct commit_guard *guard, int parent, const char *name, char *path)
{
	_cleanup_free_ struct level *levels = calloc(SCAN_DEPTH, sizeof(*levels));
	unsigned depth = 0;
	int status = levels ? level_open(&levels[0], parent, name, strlen(path)) : -ENOMEM;

	if (status < 0)
		return status;
	for (;;) {
		status = scan_step(guard, path, levels, &depth);
		if (status < 0 || status == COMMIT_REFUSED)
			break;
		if (status != SCAN_END)
			continue;
		(void)closedir(levels[depth].stream);
		if (depth-- == 0)
			return 0;
	}
	do
		(void)closedir(levels[depth].stream);
	while (depth-- > 0);
	return status;
}

/* A file of a secret's name is kept where the user has none; a directory for secrets is not. */
static bool new_secret(const struct commit_guard *guard, const char *path, bool exists)
{
	struct guard_place place = guard_place_of_path(path, strlen(guard->path) + 1);

	return !exists && guard_hides(guard->rules, &place, GUARD_FILE).verdict == GUARD_HIDDEN;
}

int commit_guard_check(const struct commit_guard *guard, int parent, const char *last,
	const char *name, enum commit_change change)
{
	_cleanup_free_ char *path = NULL;
	struct guard_answer answer;
	struct stat stat;
	bool exists, directory;

	if (!guard->rules)
		return 0;
	path = malloc(PATH_SIZE);
	if (!path)
		return -ENOMEM;
	if (snprintf(path, PATH_SIZE, "%s/%s", guard->path, name) >= PATH_SIZE)
		return -ENAMETOOLONG;
	exists = parent >= 0 && fstatat(parent, last, &stat, AT_SYMLINK_NOFOLLOW) == 0;
	directory = exists && S_ISDIR(stat.st_mode);
	answer = judge(guard, path,
		change == COMMIT_MAKES_DIRECTORY || (change != COMMIT_PUTS && directory));
	if (answer.verdict == GUARD_PROTECTED ||
		(answer.verdict == GUARD_WAY && change != COMMIT_MAKES_DIRECTORY &&
			!(directory && change == COMMIT_REMOVES)) ||
		(answer.verdict == GUARD_HIDDEN &&
			(change != COMMIT_PUTS || !new_secret(guard, path, exists))))
		return refuse(&answer, path);
	if (directory && (change == COMMIT_REMOVES || change == COMMIT_PUTS))
		return scan(guard, parent, last, path);
	return 0;
}
