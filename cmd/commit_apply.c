/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's side of --commit (see sentry/commit.h): changes that a possibly hostile kernel
 * process wrote down are applied to the user's directory.
 *
 * The stream is read twice. The first time checks every record: known kind, a name of plain
 * components, sizes within the file, the right end; only then something is applied. Names are
 * resolved with openat2(2) below the directory's descriptor without following any symbolic link,
 * also none that the stream itself made, and the last component is acted upon without being
 * followed. So whatever the stream says, only what is below the directory changes. Set-id bits are
 * dropped: modes are permission bits.
 *
 * A file is replaced by renaming a complete new one over it, so nobody sees half of it; but one
 * with several links, or of another owner, is rewritten in place, since replacing would change more
 * than its content.
 */
#include "cmd/commit_apply.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "sentry/commit.h"

#define BUFFER_SIZE	65536
#define DELETE_DEPTH	256 /* directories open at a time while one is removed */
#define FAILURES_LOGGED 10

struct late_mode {
	char *name;
	uint32_t mode;
};

struct applier {
	int spool, directory;
	uint64_t offset; /* of the next byte in the spool */
	uint64_t count;	 /* records seen */
	struct commit_counts counts;
	const struct commit_guard *guard;
	struct late_mode *late; /* owned, with its names */
	size_t late_count, late_capacity;
};

/* One record with its strings, NUL-terminated. Content of files stays in the spool at
 * content_offset. */
struct change {
	struct commit_record record;
	uint64_t content_offset;
	char name[COMMIT_NAME_MAX + 1];
	char target[COMMIT_NAME_MAX + 1]; /* of symlinks and links */
};

int commit_spool_new(void)
{
	const char *directory = getenv("TMPDIR");
	int fd = open(
		directory && *directory ? directory : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = memfd_create("sentry-commit", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_exactly(int fd, void *buffer, size_t size, uint64_t offset)
{
	while (size > 0) {
		ssize_t got = pread(fd, buffer, size, (off_t)offset);

		if (got < 0)
			return -errno;
		if (got == 0)
			return -EBADMSG;
		buffer = (char *)buffer + got;
		size -= (size_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}

/* Components that are neither empty nor "." nor "..", so nothing absolute either. */
static bool name_is_plain(const char *name, size_t size)
{
	size_t start = 0;

	if (size == 0 || memchr(name, '\0', size))
		return false;
	for (size_t i = 0; i <= size; i++) {
		size_t length = i - start;

		if (i < size && name[i] != '/')
			continue;
		if (length == 0 || length > NAME_MAX || (length == 1 && name[start] == '.') ||
			(length == 2 && name[start] == '.' && name[start + 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}

static bool record_is_sound(const struct change *change)
{
	const struct commit_record *record = &change->record;
	bool dot = record->kind == COMMIT_ATTRIBUTES && strcmp(change->name, ".") == 0;

	if (!dot && !name_is_plain(change->name, record->name_size))
		return false;
	if (record->mtime_nsec >= 1000000000)
		return false;
	switch (record->kind) {
	case COMMIT_FILE:
		return record->size <= INT64_MAX;
	case COMMIT_SYMLINK:
		return record->size > 0 && !memchr(change->target, '\0', record->size);
	case COMMIT_LINK:
		return name_is_plain(change->target, record->size);
	case COMMIT_DELETE:
	case COMMIT_DIRECTORY:
	case COMMIT_ATTRIBUTES:
	case COMMIT_SKIPPED:
		return record->size == 0;
	default:
		return false;
	}
}

/* The next record. 1 at the end of a sound stream, 0, or -errno. */
static int next_change(struct applier *applier, uint64_t spool_size, struct change *change)
{
	struct commit_record *record = &change->record;
	uint64_t left;
	int status = read_exactly(applier->spool, record, sizeof(*record), applier->offset);

	if (status < 0)
		return status;
	applier->offset += sizeof(*record);
	if (record->kind == COMMIT_END)
		return record->size == applier->count && applier->offset == spool_size ? 1
										       : -EBADMSG;
	left = spool_size - applier->offset;
	if (record->name_size > COMMIT_NAME_MAX || record->name_size > left ||
		record->size > left - record->name_size || applier->count >= COMMIT_RECORDS_MAX)
		return -EBADMSG;
	status = read_exactly(applier->spool, change->name, record->name_size, applier->offset);
	if (status < 0)
		return status;
	change->name[record->name_size] = '\0';
	applier->offset += record->name_size;
	change->content_offset = applier->offset;
	if (record->kind == COMMIT_SYMLINK || record->kind == COMMIT_LINK) {
		if (record->size > COMMIT_NAME_MAX)
			return -EBADMSG;
		status =
			read_exactly(applier->spool, change->target, record->size, applier->offset);
		if (status < 0)
			return status;
		change->target[record->size] = '\0';
	}
	applier->offset += record->size;
	applier->count++;
	return record_is_sound(change) ? 0 : -EBADMSG;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int open_below(int directory, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (unsigned i = 0; i < 16; i++) {
		fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* The directory that holds @name, as an owned descriptor, and the last component. */
static int open_parent(int directory, const char *name, const char **ret_last)
{
	char parent[COMMIT_NAME_MAX + 1];
	const char *slash = strrchr(name, '/');

	if (!slash) {
		*ret_last = name;
		return open_below(directory, ".", O_PATH | O_DIRECTORY);
	}
	memcpy(parent, name, (size_t)(slash - name));
	parent[slash - name] = '\0';
	*ret_last = slash + 1;
	return open_below(directory, parent, O_PATH | O_DIRECTORY);
}

/* ---- removal --------------------------------------------------------------------------------- */

/*
 * Removes what is in the directory @top and below. The stack of open directories is bounded;
 * nothing is followed.
 */
static int delete_contents(int top)
{
	DIR *stack[DELETE_DEPTH];
	char *names[DELETE_DEPTH];
	unsigned depth = 0;
	int status = 0;
	int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	stack[0] = fdopendir(fd);
	names[0] = NULL;
	if (!stack[0]) {
		(void)close(fd);
		return -ENOMEM;
	}
	for (;;) {
		struct dirent *entry;
		int at = dirfd(stack[depth]);

		errno = 0;
		entry = status == 0 ? readdir(stack[depth]) : NULL;
		if (!entry) {
			if (status == 0 && errno)
				status = -errno;
			(void)closedir(stack[depth]);
			if (depth == 0)
				return status;
			if (status == 0 &&
				unlinkat(dirfd(stack[depth - 1]), names[depth], AT_REMOVEDIR) < 0)
				status = -errno;
			free(names[depth--]);
			continue;
		}
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(at, entry->d_name, 0) == 0)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			status = -errno;
			continue;
		}
		fd = openat(at, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || depth + 1 == DELETE_DEPTH) {
			status = fd < 0 ? -errno : -ELOOP;
			if (fd >= 0)
				(void)close(fd);
			continue;
		}
		names[depth + 1] = strdup(entry->d_name);
		stack[depth + 1] = names[depth + 1] ? fdopendir(fd) : NULL;
		if (!stack[depth + 1]) {
			free(names[depth + 1]);
			(void)close(fd);
			status = -ENOMEM;
			continue;
		}
		depth++;
	}
}

static int delete_name(int parent, const char *name)
{
	_cleanup_close_ int fd = -1;
	int status;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	status = delete_contents(fd);
	if (status == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0)
		status = -errno;
	return status;
}

/* ---- creation -------------------------------------------------------------------------------- */

static int set_attributes(int fd, const struct commit_record *record, bool directory)
{
	struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = record->mtime_sec, .tv_nsec = record->mtime_nsec},
	};

	if (fchmod(fd, record->mode & (directory ? 01777u : 0777u)) < 0 || futimens(fd, times) < 0)
		return -errno;
	return 0;
}

static int copy_content(const struct applier *applier, const struct change *change, int fd)
{
	uint64_t offset = change->content_offset, left = change->record.size;
	char buffer[BUFFER_SIZE];

	while (left > 0) {
		size_t part = (size_t)min_of(left, (uint64_t)sizeof(buffer));
		int status = read_exactly(applier->spool, buffer, part, offset);

		if (status < 0)
			return status;
		for (size_t done = 0; done < part;) {
			ssize_t put = write(fd, buffer + done, part - done);

			if (put < 0)
				return -errno;
			done += (size_t)put;
		}
		offset += part;
		left -= part;
	}
	return 0;
}

static int rewrite_file(
	const struct applier *applier, const struct change *change, int parent, const char *name)
{
	_cleanup_close_ int fd =
		openat(parent, name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int status = fd < 0 ? -errno : copy_content(applier, change, fd);

	if (status == 0)
		status = set_attributes(fd, &change->record, false);
	/* Of another owner's file only the data may be ours to change. */
	return status == -EPERM && fd >= 0 ? 0 : status;
}

static int replace_file(
	const struct applier *applier, const struct change *change, int parent, const char *name)
{
	_cleanup_close_ int fd = -1;
	char temporary[64];
	int status;

	for (unsigned i = 0; i < 100 && fd < 0; i++) {
		(void)snprintf(
			temporary, sizeof(temporary), ".sentry-commit-%d-%u", (int)getpid(), i);
		fd = openat(parent, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
		if (fd < 0 && errno != EEXIST)
			return -errno;
	}
	if (fd < 0)
		return -EEXIST;
	status = copy_content(applier, change, fd);
	if (status == 0)
		status = set_attributes(fd, &change->record, false);
	if (status == 0 && renameat(parent, temporary, parent, name) < 0)
		status = -errno;
	if (status < 0)
		(void)unlinkat(parent, temporary, 0);
	return status;
}

static int apply_file(
	const struct applier *applier, const struct change *change, int parent, const char *name)
{
	struct stat stat;

	if (fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISREG(stat.st_mode) && (stat.st_nlink > 1 || stat.st_uid != geteuid()))
			return rewrite_file(applier, change, parent, name);
		if (S_ISDIR(stat.st_mode)) {
			int status = delete_name(parent, name);

			if (status < 0)
				return status;
		}
	}
	return replace_file(applier, change, parent, name);
}

/* Remembers a directory whose mode is to be set when everything in it is done. */
static bool note_directory(struct applier *applier, const struct change *change)
{
	struct late_mode *late = &applier->late[applier->late_count];

	if (applier->late_count == applier->late_capacity) {
		size_t capacity = applier->late_capacity ? applier->late_capacity * 2 : 64;

		late = realloc(applier->late, capacity * sizeof(*late));
		if (!late)
			return false;
		applier->late = late;
		applier->late_capacity = capacity;
		late += applier->late_count;
	}
	late->name = strdup(change->name);
	late->mode = change->record.mode & 01777;
	if (!late->name)
		return false;
	applier->late_count++;
	return true;
}

/* Inner directories first: a mode may lock us out of what is below. */
static void set_late_modes(struct applier *applier)
{
	while (applier->late_count > 0) {
		struct late_mode *late = &applier->late[--applier->late_count];
		_cleanup_close_ int fd =
			open_below(applier->directory, late->name, O_RDONLY | O_DIRECTORY);

		/* Replaced by something else later in the stream: not a directory any more. */
		if (fd >= 0 && fchmod(fd, late->mode) < 0)
			log_warning("--commit: %s: cannot set the mode: %s", late->name,
				strerror(errno));
		free(late->name);
	}
	free(applier->late);
	applier->late = NULL;
}

static int apply_directory(
	struct applier *applier, const struct change *change, int parent, const char *name)
{
	/* Writable for us while it is filled: the mode follows at the end only if it allows that.
	 */
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	return note_directory(applier, change) ? 0 : -ENOMEM;
}

static int apply_attributes(const struct applier *applier, const struct change *change)
{
	_cleanup_close_ int fd =
		open_below(applier->directory, change->name, O_RDONLY | O_NONBLOCK);
	struct stat stat;

	if (fd < 0)
		return fd;
	if (fstat(fd, &stat) < 0)
		return -errno;
	return set_attributes(fd, &change->record, S_ISDIR(stat.st_mode));
}

static int apply_link(
	const struct applier *applier, const struct change *change, int parent, const char *name)
{
	_cleanup_close_ int from = -1;
	const char *last;

	from = open_parent(applier->directory, change->target, &last);
	if (from < 0)
		return from;
	if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
		return -errno;
	return linkat(from, last, parent, name, 0) < 0 ? -errno : 0;
}

static enum commit_change guarded_as(const struct change *change)
{
	switch (change->record.kind) {
	case COMMIT_DELETE:
		return COMMIT_REMOVES;
	case COMMIT_DIRECTORY:
		return COMMIT_MAKES_DIRECTORY;
	case COMMIT_ATTRIBUTES:
		return COMMIT_CHANGES;
	default:
		return COMMIT_PUTS;
	}
}

/* What a new name is linked to must not be forbidden either. */
static int check_link_target(const struct applier *applier, const struct change *change)
{
	_cleanup_close_ int parent = -1;
	const char *name;

	parent = open_parent(applier->directory, change->target, &name);
	if (parent < 0)
		return parent;
	return commit_guard_check(applier->guard, parent, name, change->target, COMMIT_CHANGES);
}

static int apply_change(struct applier *applier, const struct change *change)
{
	_cleanup_close_ int parent = -1;
	const char *name;
	int status;

	if (strcmp(change->name, ".") == 0)
		return apply_attributes(applier, change);
	parent = open_parent(applier->directory, change->name, &name);
	status = commit_guard_check(applier->guard, parent, name, change->name, guarded_as(change));
	/* What was refused has no children either. */
	if (parent < 0)
		return status == COMMIT_REFUSED ? status : parent;
	if (status == 0 && change->record.kind == COMMIT_LINK)
		status = check_link_target(applier, change);
	if (status != 0)
		return status;
	switch (change->record.kind) {
	case COMMIT_DELETE:
		return delete_name(parent, name);
	case COMMIT_DIRECTORY:
		return apply_directory(applier, change, parent, name);
	case COMMIT_FILE:
		return apply_file(applier, change, parent, name);
	case COMMIT_SYMLINK:
		if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
			return -errno;
		return symlinkat(change->target, parent, name) < 0 ? -errno : 0;
	case COMMIT_LINK:
		return apply_link(applier, change, parent, name);
	case COMMIT_ATTRIBUTES:
		return apply_attributes(applier, change);
	default:
		return -EOPNOTSUPP;
	}
}

static void note_failure(struct applier *applier, const struct change *change, int status)
{
	if (++applier->counts.failed <= FAILURES_LOGGED)
		log_error("--commit: %s: %s", change->name, strerror(-status));
}

/* One pass over the stream; the first only checks. */
static int pass(struct applier *applier, uint64_t spool_size, bool apply)
{
	struct change *change = malloc(sizeof(*change));
	uint64_t magic;
	int status = change ? read_exactly(applier->spool, &magic, sizeof(magic), 0) : -ENOMEM;

	if (status == 0 && magic != COMMIT_MAGIC)
		status = -EBADMSG;
	applier->offset = sizeof(magic);
	applier->count = 0;
	while (status == 0) {
		int result;

		status = next_change(applier, spool_size, change);
		if (status != 0 || !apply)
			continue;
		if (change->record.kind == COMMIT_SKIPPED) {
			log_warning(
				"--commit: %s is not kept: neither a file, a directory nor a link",
				change->name);
			continue;
		}
		result = apply_change(applier, change);
		if (result == COMMIT_REFUSED)
			applier->counts.refused++; /* and told */
		else if (result < 0)
			note_failure(applier, change, result);
		else
			applier->counts.applied++;
	}
	free(change);
	set_late_modes(applier);
	return status < 0 ? status : 0;
}

int commit_apply(
	int spool_fd, int directory_fd, const struct commit_guard *guard, struct commit_counts *ret)
{
	struct applier applier = {.spool = spool_fd, .directory = directory_fd, .guard = guard};
	struct stat stat;
	int status;

	if (fstat(spool_fd, &stat) < 0)
		return -errno;
	status = pass(&applier, (uint64_t)stat.st_size, false);
	if (status == 0)
		status = pass(&applier, (uint64_t)stat.st_size, true);
	if (status < 0)
		return status;
	*ret = applier.counts;
	return 0;
}
