/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading host directories.
 *
 * A directory is read whole when its listing starts (position 0); the guest's
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
#include "base/checked.h"
#include "base/cleanup.h"
#include "vfs/hostfs/hostfs_private.h"

/* Host calls: openat2, getdents64, close. */

/* Directories with more than about a million names are beyond us. */
#define SNAPSHOT_SIZE_MAX    (64ul << 20)
#define SNAPSHOT_CHUNK	     (32ul << 10)
#define SNAPSHOT_KEPT_SIZE   (64ul << 10) /* larger ones are not kept with the inode */
#define SNAPSHOTS_KEPT_TOTAL (16ul << 20)

#define POS_FIRST 2 /* "." and ".." are 0 and 1 */

static size_t kept_total; /* grows only: what a tree's inodes hold goes with them */

struct list_job {
	int fd;	      /* owned by whoever lists */
	char *buffer; /* HOST_BUFFER_SIZE */
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
static size_t filter_records(const struct inode *dir, char *records, size_t from, size_t size)
{
	size_t to = from;

	while (from < size) {
		struct lx_dirent64 *entry = (struct lx_dirent64 *)(records + from);
		size_t record_size = entry->d_reclen;

		if (name_is_visible(entry) &&
			!host_hides_entry(dir, entry->d_name, entry->d_type)) {
			memmove(records + to, entry, record_size);
			to += record_size;
		}
		from += record_size;
	}
	return to;
}

/* The next names into the buffer, some 1000 at most. Returns their size, 0 at the end. */
static int64_t list_job_run(void *arg)
{
	const struct list_job *job = arg;
	long got = syscall(SYS_getdents64, job->fd, job->buffer, SNAPSHOT_CHUNK);

	return got < 0 ? -errno : got;
}

static void cleanup_list_job(struct list_job *job)
{
	if (job->fd >= 0)
		(void)close(job->fd);
	host_buffer_put(job->buffer);
}

/* Lists the directory; the records are the caller's. May sleep. */
static int list_names(struct inode *inode, const char *path, char **ret_records, size_t *ret_size)
{
	_cleanup_(cleanup_list_job) struct list_job job = {
		.fd = host_open(host_super(inode->sb)->root_fd, path, O_RDONLY | O_DIRECTORY, 0),
		.buffer = host_buffer_get()};
	_cleanup_free_ char *records = NULL;
	size_t size = 0, capacity = 0;
	int64_t got;

	if (job.fd < 0)
		return job.fd;
	if (!job.buffer)
		return -ENOMEM;
	while ((got = host_mostly_quick(list_job_run, &job)) > 0) {
		size_t kept = filter_records(inode, job.buffer, 0, (size_t)got);

		if (capacity - size < kept) {
			char *grown;

			capacity = max_of(capacity * 2, size + kept);
			grown = capacity > SNAPSHOT_SIZE_MAX ? NULL : realloc(records, capacity);
			if (!grown)
				return -ENOMEM;
			records = grown;
		}
		if (kept)
			memcpy(records + size, job.buffer, kept);
		size += kept;
		if (fiber_current() && got >= (int64_t)SNAPSHOT_CHUNK / 2)
			fiber_yield();
	}
	if (got < 0)
		return (int)got;
	*ret_records = TAKE(records);
	*ret_size = size;
	return 0;
}

static int snapshot_take(struct inode *inode, struct host_snapshot **ret)
{
	struct host_node *node = host_node(inode);
	struct host_snapshot *snapshot;
	char path[LX_PATH_MAX], *records = NULL;
	size_t size = 0;
	int status;

	if (node->snapshot) {
		node->snapshot->refs++;
		*ret = node->snapshot;
		return 0;
	}
	status = host_path(inode, path);
	/* Removed: an empty listing, as on Linux. */
	if (status != -ENOENT) {
		status = status < 0 ? status : list_names(inode, path, &records, &size);
		if (status < 0)
			return status;
	}
	snapshot = calloc(1, sizeof(*snapshot));
	if (!snapshot || !listing_memory_charge(size)) {
		free(snapshot);
		free(records);
		return -ENOMEM;
	}
	*snapshot = (struct host_snapshot){.refs = 1, .size = size, .records = records};
	if (inode->sb->stable && !node->snapshot && size <= SNAPSHOT_KEPT_SIZE &&
		kept_total + size <= SNAPSHOTS_KEPT_TOTAL) {
		kept_total += size;
		listing_memory_uncharge(size);
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
	else
		listing_memory_uncharge(snapshot->size);
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
