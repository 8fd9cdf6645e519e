/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading host directories.
 *
 * A directory is read whole, on a helper thread, when its listing starts (position 0); the guest's
 * positions are offsets into that snapshot. So telldir and seekdir work whatever the host's cookies
 * look like, and rewinding reads again. On a tree that does not change, small listings stay with
 * the inode.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/dirent.h"
#include "abi/fcntl.h"
#include "base/cleanup.h"
#include "vfs/hostfs/hostfs_private.h"

/* Host calls: openat2, getdents64, close (all on helper threads). */

/* Directories with more than about a million names are beyond us. */
#define SNAPSHOT_SIZE_MAX    (64ul << 20)
#define SNAPSHOT_CHUNK	     (32ul << 10)
#define SNAPSHOT_KEPT_SIZE   (64ul << 10) /* larger ones are not kept with the inode */
#define SNAPSHOTS_KEPT_TOTAL (16ul << 20)

#define POS_FIRST 2 /* "." and ".." are 0 and 1 */

static size_t kept_total; /* grows only: what a tree's inodes hold goes with them */

struct list_job {
	int root_fd;
	const char *path;
	char *records;
	size_t size;
};

static bool name_is_visible(const struct lx_dirent64 *entry)
{
	if (entry->d_name[0] == '.' &&
		(entry->d_name[1] == '\0' || (entry->d_name[1] == '.' && entry->d_name[2] == '\0')))
		return false;
	return entry->d_type == DT_REG || entry->d_type == DT_DIR || entry->d_type == DT_LNK ||
	       entry->d_type == DT_UNKNOWN;
}

/* Removes from records [from, size) what the guest does not see. Returns the new size. */
static size_t filter_records(char *records, size_t from, size_t size)
{
	size_t to = from;

	while (from < size) {
		struct lx_dirent64 *entry = (struct lx_dirent64 *)(records + from);
		size_t record_size = entry->d_reclen;

		if (name_is_visible(entry)) {
			memmove(records + to, entry, record_size);
			to += record_size;
		}
		from += record_size;
	}
	return to;
}

static int64_t list_job_run(void *arg)
{
	struct list_job *job = arg;
	_cleanup_close_ int fd = host_open_here(job->root_fd, job->path, O_RDONLY | O_DIRECTORY, 0);
	_cleanup_free_ char *records = NULL;
	size_t size = 0, capacity = 0;

	if (fd < 0)
		return fd;
	for (;;) {
		long got;

		if (capacity - size < SNAPSHOT_CHUNK) {
			char *grown;

			capacity = capacity ? capacity * 2 : SNAPSHOT_CHUNK;
			grown = capacity > SNAPSHOT_SIZE_MAX ? NULL : realloc(records, capacity);
			if (!grown)
				return -ENOMEM;
			records = grown;
		}
		got = syscall(SYS_getdents64, fd, records + size, capacity - size);
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		size = filter_records(records, size, size + (size_t)got);
	}
	job->records = TAKE(records);
	job->size = size;
	return 0;
}

static int snapshot_take(struct inode *inode, struct host_snapshot **ret)
{
	struct host_node *node = host_node(inode);
	struct host_snapshot *snapshot;
	char path[LX_PATH_MAX];
	struct list_job job = {.root_fd = host_super(inode->sb)->root_fd, .path = path};
	int status;

	if (node->snapshot) {
		node->snapshot->refs++;
		*ret = node->snapshot;
		return 0;
	}
	status = host_path(inode, path);
	if (status == -ENOENT) {
		job.size = 0; /* removed: an empty listing, as on Linux */
	} else {
		status = status < 0 ? status : (int)host_blocking(list_job_run, &job);
		if (status < 0)
			return status;
	}
	snapshot = calloc(1, sizeof(*snapshot));
	if (!snapshot) {
		free(job.records);
		return -ENOMEM;
	}
	*snapshot = (struct host_snapshot){.refs = 1, .size = job.size, .records = job.records};
	if (inode->sb->stable && !node->snapshot && job.size <= SNAPSHOT_KEPT_SIZE &&
		kept_total + job.size <= SNAPSHOTS_KEPT_TOTAL) {
		kept_total += job.size;
		snapshot->kept = true;
		snapshot->refs++;
		node->snapshot = snapshot;
	}
	*ret = snapshot;
	return 0;
}

void host_snapshot_unref(struct host_snapshot *snapshot)
{
	if (!snapshot || --snapshot->refs > 0)
		return;
	if (snapshot->kept)
		kept_total -= snapshot->size;
	free(snapshot->records);
	free(snapshot);
}

static int hostfs_read_dir(struct file *file, struct dir_context *dir)
{
	struct host_snapshot *snapshot = file->private;
	size_t at;

	if (file->pos == 0 || !snapshot) {
		int status = snapshot_take(file->inode, &snapshot);

		if (status < 0)
			return status;
		host_snapshot_unref(file->private);
		file->private = snapshot;
	}
	if (!dir_emit_dots(file, dir))
		return 0;
	/* The position is the guest's choice (lseek): find the record that starts there or after.
	 */
	for (at = 0; at < snapshot->size;) {
		const struct lx_dirent64 *entry =
			(const struct lx_dirent64 *)(snapshot->records + at);
		int64_t next = (int64_t)(POS_FIRST + at + entry->d_reclen);

		if ((int64_t)(POS_FIRST + at) >= file->pos) {
			if (!dir->emit(dir, entry->d_name, strlen(entry->d_name), entry->d_ino,
				    entry->d_type, next))
				return 0;
			file->pos = next;
		}
		at += entry->d_reclen;
	}
	return 0;
}

static int64_t hostfs_seek_dir(struct file *file, int64_t offset, int whence)
{
	if (whence == LX_SEEK_END)
		return -EINVAL;
	return file_generic_seek(file, offset, whence, 0, INT64_MAX);
}

static void hostfs_release_dir(struct file *file)
{
	host_snapshot_unref(file->private);
}

const struct file_ops hostfs_dir_file_ops = {
	.name = "host directory",
	.read_dir = hostfs_read_dir,
	.seek = hostfs_seek_dir,
	.release = hostfs_release_dir,
};

int hostfs_open_dir(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	file->ops = &hostfs_dir_file_ops;
	file->private = NULL;
	return 0;
}
