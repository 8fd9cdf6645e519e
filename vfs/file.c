/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open file descriptions (open(2)): what all kinds share. The checks are those of kernel
 * fs/read_write.c: vfs_read() and vfs_write(), in its order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/dirent.h"
#include "abi/inotify.h"
#include "abi/mman.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "base/checked.h"
#include "vfs/file_caps.h"
#include "vfs/anon.h"
#include "vfs/internal.h"
#include "vfs/mnt_ns.h"

static uint32_t file_count; /* open files of the sandbox */

int file_new(const struct path *path, const struct file_ops *ops, int flags, struct cred *cred,
	struct file **ret)
{
	int mode = flags & LX_O_ACCMODE;
	struct file *file;

	if (file_count >= SENTRY_MAX_FILES)
		return -ENFILE;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file_count++;
	file->refs = REFCOUNT_ONE;
	file->ops = ops;
	file->path = *path;
	path_ref(path);
	file->inode = path->dentry->inode;
	file->flags = flags;
	if (!(flags & LX_O_PATH)) {
		file->readable = mode == LX_O_RDONLY || mode == LX_O_RDWR;
		file->writable = mode == LX_O_WRONLY || mode == LX_O_RDWR;
	}
	fiber_mutex_init(&file->pos_mutex);
	file->cred = cred_ref(cred);
	list_init(&file->epoll_entries);
	*ret = file;
	return 0;
}

static void anonymous_destroy(struct inode *inode)
{
}

/* Of pipes and sockets; vfs_setattr() refuses the others. */
static int anonymous_setattr(struct inode *inode, const struct iattr *attr)
{
	inode_apply_attr(inode, attr);
	return 0;
}

int file_new_anonymous(const char *name, const struct file_ops *ops, void *private, int flags,
	uint32_t mode, struct file **ret)
{
	static const struct super_ops super_ops = {.destroy_inode = anonymous_destroy};
	static const struct inode_ops inode_ops = {.setattr = anonymous_setattr};
	static struct super_block *sb;
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	_cleanup_path_ struct path path = {0};
	char full[64 + LX_NAME_MAX];
	int err;

	if (!sb) {
		err = super_block_new(&super_ops, "anon_inodefs", LX_ANON_INODE_FS_MAGIC, &sb);
		if (err < 0)
			return err;
	}
	err = inode_new(sb, &inode_ops, mode, 0, &inode);
	if (err < 0)
		return err;
	/* "pipe:" and "socket:" are followed by their inode's number. */
	if (name[0] && name[strlen(name) - 1] == ':')
		(void)snprintf(
			full, sizeof(full), "%s[%llu]", name, (unsigned long long)inode->ino);
	else
		(void)snprintf(full, sizeof(full), "%s", name);
	err = dentry_new_anonymous(inode, full, &path.dentry);
	if (err < 0)
		return err;
	err = file_new(&path, ops, flags, (struct cred *)(uintptr_t)cred_kernel(), ret);
	if (err >= 0)
		(*ret)->private = private;
	return err;
}

struct file *file_ref(struct file *file)
{
	refcount_get(&file->refs);
	return file;
}

void file_unref(struct file *file)
{
	if (!refcount_put(&file->refs))
		return;
	if (!list_empty(&file->epoll_entries))
		epoll_forget_file(file);
	locks_release_file(file);
	leases_release_file(file);
	dnotify_end(file);
	if (file->async) {
		wait_entry_remove(file->async);
		free(file->async);
	}
	if (file->ops && !(file->flags & LX_O_PATH)) {
		vfs_notify_path(
			&file->path, file->writable ? LX_IN_CLOSE_WRITE : LX_IN_CLOSE_NOWRITE);
		if (file->ops->release)
			file->ops->release(file);
	}
	if (file->counted_open)
		file->inode->open_count--;
	if (file->counted_write) {
		file->inode->write_count--;
		if (file->path.mount)
			file->path.mount->write_count--;
	}
	if (file->deny_write)
		file->inode->deny_write_count--;
	path_unref(&file->path);
	if (file->tree)
		ns_unref(&file->tree->ns);
	cred_unref(file->cred);
	free(file);
	file_count--;
}

int file_deny_write(struct file *file)
{
	if (file->inode->write_count)
		return -ETXTBSY;
	if (!file->deny_write) {
		file->deny_write = true;
		file->inode->deny_write_count++;
	}
	return 0;
}

int file_flush(struct file *file, const void *lock_owner)
{
	int err = 0;

	if (file->flags & LX_O_PATH)
		return 0;
	dnotify_end_of(file, lock_owner);
	if (file->ops->flush)
		err = file->ops->flush(file);
	locks_release_owner(file->inode, lock_owner);
	return err;
}

/* ---- transfer ---- */

/* rw_verify_area(): the end of the transfer must be a position. */
static bool position_fits(const struct uio *uio, const int64_t *pos)
{
	return !pos || *pos < 0 || uio->resid <= (uint64_t)(INT64_MAX - *pos);
}

static ssize_t read_at(struct file *file, struct uio *uio, int64_t *pos)
{
	ssize_t done;

	if (!file->readable)
		return -EBADF;
	if (!position_fits(uio, pos))
		return -EINVAL;
	if (LX_S_ISDIR(file->inode->mode))
		return -EISDIR; /* generic_read_dir() */
	if (!file->ops->read)
		return -EINVAL;
	done = file->ops->read(file, uio, pos);
	if (done > 0)
		vfs_notify_path(&file->path, LX_IN_ACCESS);
	return done;
}

static ssize_t write_at(struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	ssize_t done;

	if (!file->writable)
		return -EBADF;
	if (!file->ops->write || !position_fits(uio, pos))
		return -EINVAL;
	done = file->ops->write(file, uio, pos, ctx);
	if (done > 0) {
		vfs_notify_path(&file->path, LX_IN_MODIFY);
		if ((uio->dsync || (file->flags & LX_O_DSYNC)) && LX_S_ISREG(file->inode->mode)) {
			int err = file_sync(file, !(file->flags & (LX_O_SYNC & ~LX_O_DSYNC)));

			if (err < 0)
				return err;
		}
	}
	return done;
}

/*
 * The position is shared by whoever shares the description: one transfer at a time moves it. Who
 * waits for that, maybe long, still lets a debugger see its memory.
 */
static bool lock_position(struct file *file)
{
	if (file->stream || file->unordered)
		return false;
	fiber_mutex_lock_serving(&file->pos_mutex);
	return true;
}

ssize_t file_read(struct file *file, struct uio *uio, const struct vfs_ctx *ctx)
{
	bool locked = lock_position(file);
	ssize_t done = read_at(file, uio, file->stream ? NULL : &file->pos);

	if (locked)
		fiber_mutex_unlock(&file->pos_mutex);
	return done;
}

ssize_t file_write(struct file *file, struct uio *uio, const struct vfs_ctx *ctx)
{
	bool locked = lock_position(file);
	ssize_t done = write_at(file, uio, file->stream ? NULL : &file->pos, ctx);

	if (locked)
		fiber_mutex_unlock(&file->pos_mutex);
	return done;
}

ssize_t file_pread(struct file *file, struct uio *uio, int64_t pos, const struct vfs_ctx *ctx)
{
	if (file_is_stream(file))
		return -ESPIPE;
	return read_at(file, uio, &pos);
}

ssize_t file_pwrite(struct file *file, struct uio *uio, int64_t pos, const struct vfs_ctx *ctx)
{
	if (file_is_stream(file))
		return -ESPIPE;
	return write_at(file, uio, &pos, ctx);
}

/* Pipes, sockets and what has no name at all but can be seeked in neither. */
bool file_is_stream(const struct file *file)
{
	return file->stream || (!file->path.mount && !file->ops->seek);
}

uint32_t file_poll(struct file *file)
{
	if (file->flags & LX_O_PATH)
		return LX_POLLNVAL;
	if (!file->ops->poll)
		return LX_POLLIN | LX_POLLOUT | LX_POLLRDNORM | LX_POLLWRNORM;
	return file->ops->poll(file);
}

bool file_appends(const struct file *file, const struct uio *uio)
{
	return uio->append || ((file->flags & LX_O_APPEND) && !uio->no_append);
}

/* file_remove_privs(): who changes a file's content takes its set-id bits away. */
static int file_kill_setid(struct inode *inode, const struct vfs_ctx *ctx)
{
	struct iattr attr;

	file_caps_kill(inode);
	if (!attr_kill_setid(inode, ctx->cred, &attr) || !inode->ops->setattr)
		return 0;
	attr.valid |= IATTR_CTIME;
	attr.ctime = ktime_now();
	return inode->ops->setattr(inode, &attr);
}

ssize_t file_write_prepare(struct file *file, struct uio *uio, int64_t *pos, uint64_t size,
	uint64_t max_size, const struct vfs_ctx *ctx)
{
	struct inode *inode = file->inode;
	uint64_t room = uio->resid;
	int err;

	if (room == 0)
		return 0;
	if (file_appends(file, uio))
		*pos = (int64_t)size;
	if (*pos < 0)
		return -EINVAL;
	if ((uint64_t)*pos >= ctx->fsize_limit) {
		if (ctx->fsize_hit)
			*ctx->fsize_hit = true;
		return -EFBIG;
	}
	room = min_of(room, ctx->fsize_limit - (uint64_t)*pos);
	if ((uint64_t)*pos >= max_size)
		return -EFBIG;
	room = min_of(room, max_size - (uint64_t)*pos);
	err = file_kill_setid(inode, ctx);
	return err < 0 ? err : (ssize_t)room;
}

/* ---- position ---- */

int64_t file_generic_seek(
	struct file *file, int64_t offset, int whence, uint64_t size, uint64_t max_size)
{
	int64_t pos;

	switch (whence) {
	case LX_SEEK_SET:
		pos = offset;
		break;
	case LX_SEEK_CUR:
		if (__builtin_add_overflow(file->pos, offset, &pos))
			return -EINVAL;
		break;
	case LX_SEEK_END:
		if (__builtin_add_overflow((int64_t)size, offset, &pos))
			return -EINVAL;
		break;
	case LX_SEEK_DATA:
		if (offset < 0 || (uint64_t)offset >= size)
			return -ENXIO;
		pos = offset;
		break;
	case LX_SEEK_HOLE:
		if (offset < 0 || (uint64_t)offset >= size)
			return -ENXIO;
		pos = (int64_t)size;
		break;
	default:
		return -EINVAL;
	}
	if (pos < 0 || (uint64_t)pos > max_size)
		return -EINVAL;
	file->pos = pos;
	return pos;
}

int64_t file_no_seek(struct file *file, int64_t offset, int whence)
{
	return file->pos;
}

int64_t file_seek(struct file *file, int64_t offset, int whence)
{
	int64_t pos;

	if (whence < 0 || whence > LX_SEEK_HOLE)
		return -EINVAL;
	if (!file->ops->seek)
		return -ESPIPE;
	fiber_mutex_lock_serving(&file->pos_mutex);
	pos = file->ops->seek(file, offset, whence);
	fiber_mutex_unlock(&file->pos_mutex);
	return pos;
}

/* ---- directories ---- */

unsigned mode_to_dirent_type(uint32_t mode)
{
	return (mode & LX_S_IFMT) >> 12; /* the DT_ values are chosen so */
}

bool dir_emit_dots(struct file *file, struct dir_context *dir)
{
	struct dentry *dentry = file->path.dentry;

	if (file->pos == 0) {
		if (!dir->emit(dir, ".", 1, dentry->inode->ino, LX_DT_DIR, 1))
			return false;
		file->pos = 1;
	}
	if (file->pos == 1) {
		if (!dir->emit(dir, "..", 2, dentry->parent->inode->ino, LX_DT_DIR, 2))
			return false;
		file->pos = 2;
	}
	return true;
}

int file_read_dir(struct file *file, struct dir_context *dir, const struct vfs_ctx *ctx)
{
	struct inode *inode = file->inode;
	int err;

	if (!file->ops->read_dir)
		return -ENOTDIR;
	fiber_mutex_lock_serving(&file->pos_mutex);
	fiber_mutex_lock(&inode->mutex);
	/* A removed directory has no entries, not even dots (IS_DEADDIR). */
	err = file->path.dentry->unlinked ? -ENOENT : file->ops->read_dir(file, dir);
	fiber_mutex_unlock(&inode->mutex);
	fiber_mutex_unlock(&file->pos_mutex);
	if (err >= 0) {
		file_touch_atime(file);
		vfs_notify_path(&file->path, LX_IN_ACCESS);
	}
	return err;
}

/* ---- the rest ---- */

int file_sync(struct file *file, bool data_only)
{
	if (file->ops->sync)
		return file->ops->sync(file, data_only);
	return LX_S_ISREG(file->inode->mode) || LX_S_ISDIR(file->inode->mode) ? 0 : -EINVAL;
}

/* kernel fs/open.c: vfs_fallocate() */
int file_fallocate(
	struct file *file, int mode, uint64_t offset, uint64_t size, const struct vfs_ctx *ctx)
{
	const int known = LX_FALLOC_FL_KEEP_SIZE | LX_FALLOC_FL_PUNCH_HOLE |
			  LX_FALLOC_FL_COLLAPSE_RANGE | LX_FALLOC_FL_ZERO_RANGE |
			  LX_FALLOC_FL_INSERT_RANGE | LX_FALLOC_FL_UNSHARE_RANGE;
	int kind = mode & ~LX_FALLOC_FL_KEEP_SIZE, err;
	struct inode *inode = file->inode;
	uint64_t end;

	if (offset > INT64_MAX || size > INT64_MAX || size == 0)
		return -EINVAL;
	if (mode & ~known)
		return -EOPNOTSUPP;
	if (kind & (kind - 1))
		return -EOPNOTSUPP; /* one kind at a time */
	if (kind == LX_FALLOC_FL_PUNCH_HOLE && !(mode & LX_FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if ((kind == LX_FALLOC_FL_COLLAPSE_RANGE || kind == LX_FALLOC_FL_INSERT_RANGE) &&
		(mode & LX_FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!file->writable)
		return -EBADF;
	if (LX_S_ISFIFO(inode->mode))
		return -ESPIPE;
	if (LX_S_ISDIR(inode->mode))
		return -EISDIR;
	if (!LX_S_ISREG(inode->mode) && !LX_S_ISBLK(inode->mode))
		return -ENODEV;
	end = offset + size;
	if (end > INT64_MAX)
		return -EFBIG;
	/* What has no room to allocate has Linux' default s_maxbytes, MAX_NON_LFS: it says this
	 * first. */
	if (!file->ops->fallocate)
		return end > INT32_MAX ? -EFBIG : -EOPNOTSUPP;
	fiber_mutex_lock(&inode->mutex);
	err = file->ops->fallocate(file, mode, offset, size, ctx);
	if (err >= 0)
		err = file_kill_setid(inode, ctx);
	fiber_mutex_unlock(&inode->mutex);
	if (err >= 0)
		vfs_notify_path(&file->path, LX_IN_MODIFY);
	return err;
}

/* kernel mm/mmap.c: do_mmap(), the file's part */
int file_map(struct file *file, struct file_map *map, const struct vfs_ctx *ctx)
{
	bool no_exec = file->path.mount && file->path.mount->no_exec;

	if (file->flags & LX_O_PATH)
		return -EBADF;
	if (map->shared && (map->prot & LX_PROT_WRITE) && !file->writable)
		return -EACCES;
	if (!file->readable)
		return -EACCES;
	if (no_exec && (map->prot & LX_PROT_EXEC))
		return -EPERM;
	if (!file->ops->map)
		return -ENODEV;
	map->max_prot = LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC;
	if (map->shared && !file->writable)
		map->max_prot &= ~LX_PROT_WRITE;
	if (no_exec)
		map->max_prot &= ~LX_PROT_EXEC;
	return file->ops->map(file, map);
}
