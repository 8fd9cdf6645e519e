/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's side of --commit. See commit.h. */
#include "sentry/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "vfs/vfs.h"

/* Host calls: pwritev2. */

#define BUFFER_SIZE (128 * 1024ul)

/* The first name of an inode with several. */
struct linked {
	struct hash_entry hash;	   /* by the inode's address */
	const struct inode *inode; /* held by the overlay */
	char name[];
};

struct sender {
	int fd;
	uint64_t offset, count;
	char *buffer; /* owned, BUFFER_SIZE */
	size_t used;
	struct hash_table linked;
};

/* ---- output ---------------------------------------------------------------------------------- */

struct write_job {
	int fd;
	struct iovec iov;
	uint64_t offset;
};

static int64_t write_job_run(void *arg)
{
	struct write_job *job = arg;

	while (job->iov.iov_len > 0) {
		ssize_t put = pwritev2(job->fd, &job->iov, 1, (off_t)job->offset, 0);

		if (put < 0)
			return -errno;
		if (put == 0)
			return -EIO;
		job->offset += (uint64_t)put;
		job->iov.iov_base = (char *)job->iov.iov_base + put;
		job->iov.iov_len -= (size_t)put;
	}
	return 0;
}

static int flush(struct sender *sender)
{
	struct write_job job = {sender->fd, {sender->buffer, sender->used}, sender->offset};
	int status = (int)worker_call(write_job_run, &job);

	if (status == 0) {
		sender->offset += sender->used;
		sender->used = 0;
	}
	return status;
}

static int put(struct sender *sender, const void *data, size_t size)
{
	while (size > 0) {
		size_t part = min_of(size, BUFFER_SIZE - sender->used);

		memcpy(sender->buffer + sender->used, data, part);
		sender->used += part;
		data = (const char *)data + part;
		size -= part;
		if (sender->used == BUFFER_SIZE) {
			int status = flush(sender);

			if (status < 0)
				return status;
		}
	}
	return 0;
}

static int put_record(struct sender *sender, enum commit_kind kind, const char *name,
	const struct inode *inode, const void *content, uint64_t size)
{
	struct commit_record record = {
		.kind = kind,
		.mode = inode ? inode->mode & 07777 : 0,
		.size = size,
		.mtime_sec = inode ? inode->mtime.sec : 0,
		.mtime_nsec = inode ? inode->mtime.nsec : 0,
		.name_size = (uint32_t)strlen(name),
	};
	int status = put(sender, &record, sizeof(record));

	if (status == 0)
		status = put(sender, name, record.name_size);
	if (status == 0 && content)
		status = put(sender, content, size);
	sender->count++;
	return status;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Exactly @size bytes, which the record has announced; what a file lacks is zeros. */
static int put_data(struct sender *sender, struct file *file, uint64_t size)
{
	struct vfs_ctx ctx = {.cred = cred_kernel(), .fsize_limit = UINT64_MAX};
	_cleanup_free_ char *buffer = malloc(BUFFER_SIZE);
	uint64_t pos = 0;
	int status = buffer ? 0 : -ENOMEM;

	while (status == 0 && pos < size) {
		struct uio_segment segment;
		struct uio uio;
		size_t part = min_of(size - pos, BUFFER_SIZE);
		ssize_t got;

		uio_init_kernel(&uio, &segment, buffer, part);
		got = file_pread(file, &uio, (int64_t)pos, &ctx);
		if (got < 0)
			return (int)got;
		if (got == 0) {
			memset(buffer, 0, part);
			got = (ssize_t)part;
		}
		status = put(sender, buffer, (size_t)got);
		pos += (uint64_t)got;
		fiber_yield();
	}
	return status;
}

static int put_file(struct sender *sender, const char *name, struct inode *inode)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	int status = file_open_kernel(inode, "commit", LX_O_RDONLY, &file);

	if (status == 0)
		status = put_record(sender, COMMIT_FILE, name, inode, NULL, inode->size);
	if (status == 0)
		status = put_data(sender, file, inode->size);
	return status;
}

static int put_symlink(struct sender *sender, const char *name, struct inode *inode)
{
	_cleanup_free_ char *target = malloc(LX_PATH_MAX);
	ssize_t size;

	if (!target)
		return -ENOMEM;
	size = inode->ops->readlink(inode, NULL, target);
	if (size < 0)
		return (int)size;
	return put_record(sender, COMMIT_SYMLINK, name, inode, target, (uint64_t)size);
}

/* The name under which @inode was sent before; else remembers this one. */
static int earlier_name(
	struct sender *sender, const char *name, const struct inode *inode, const char **ret)
{
	uint64_t hash = hash_u64((uintptr_t)inode);
	size_t size = strlen(name) + 1;
	struct linked *linked;
	int status;

	*ret = NULL;
	hash_for_each_match(linked, &sender->linked, hash, hash) if (linked->inode == inode)
	{
		*ret = linked->name;
		return 0;
	}
	linked = malloc(sizeof(*linked) + size);
	if (!linked)
		return -ENOMEM;
	linked->inode = inode;
	memcpy(linked->name, name, size);
	status = hash_insert(&sender->linked, &linked->hash, hash);
	if (status < 0)
		free(linked);
	return status;
}

static int put_object(struct sender *sender, const char *name, struct inode *inode)
{
	const char *earlier = NULL;
	int status = 0;

	if (!LX_S_ISDIR(inode->mode) && inode->nlink > 1)
		status = earlier_name(sender, name, inode, &earlier);
	if (status < 0)
		return status;
	if (earlier)
		return put_record(sender, COMMIT_LINK, name, inode, earlier, strlen(earlier));
	switch (inode->mode & LX_S_IFMT) {
	case LX_S_IFREG:
		return put_file(sender, name, inode);
	case LX_S_IFDIR:
		return put_record(sender, COMMIT_DIRECTORY, name, inode, NULL, 0);
	case LX_S_IFLNK:
		return put_symlink(sender, name, inode);
	default:
		return put_record(sender, COMMIT_SKIPPED, name, inode, NULL, 0);
	}
}

static int send_change(const struct overlay_change *change, void *arg)
{
	struct sender *sender = arg;

	if (strlen(change->name) > COMMIT_NAME_MAX)
		return -ENAMETOOLONG;
	if (sender->count >= COMMIT_RECORDS_MAX)
		return -E2BIG;
	switch (change->kind) {
	case OVERLAY_DELETED:
		return put_record(sender, COMMIT_DELETE, change->name, NULL, NULL, 0);
	case OVERLAY_METADATA:
		return put_record(sender, COMMIT_ATTRIBUTES, change->name, change->inode, NULL, 0);
	default:
		return put_object(sender, change->name, change->inode);
	}
}

int commit_send(struct super_block *overlay, int fd)
{
	struct sender sender = {.fd = fd, .buffer = malloc(BUFFER_SIZE)};
	uint64_t magic = COMMIT_MAGIC;
	struct hash_entry *entry;
	int status;

	if (!sender.buffer)
		return -ENOMEM;
	status = put(&sender, &magic, sizeof(magic));
	if (status == 0)
		status = overlay_for_each_change(overlay, send_change, &sender);
	if (status == 0) {
		struct commit_record end = {.kind = COMMIT_END, .size = sender.count};

		status = put(&sender, &end, sizeof(end));
	}
	if (status == 0)
		status = flush(&sender);
	while ((entry = hash_first(&sender.linked))) {
		hash_remove(&sender.linked, entry);
		free(container_of(entry, struct linked, hash));
	}
	hash_fini(&sender.linked);
	free(sender.buffer);
	return status;
}
