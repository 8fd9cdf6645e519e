/* SPDX-License-Identifier: Apache-2.0 */
/* getdents(2), mkdir(2), rmdir(2), chdir(2), getcwd(2), chroot(2) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/dirent.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/ahead.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"

/* Records are put together here and copied out at once. */
struct dirent_buffer {
	struct dir_context context;
	uint8_t *data;
	size_t size, used;
	bool old_format;
	bool too_small; /* not even one record fits */
	bool full;	/* one did not fit */
};

static bool emit_dirent(struct dir_context *context, const char *name, size_t name_size,
	uint64_t ino, unsigned type, int64_t next_pos)
{
	struct dirent_buffer *buffer = container_of(context, struct dirent_buffer, context);
	/* The old record keeps its type in the last byte, behind the name's NUL. */
	size_t header = buffer->old_format ? offsetof(struct lx_dirent, d_name)
					   : offsetof(struct lx_dirent64, d_name);
	size_t record = (header + name_size + (buffer->old_format ? 2 : 1) + 7) & ~(size_t)7;
	uint8_t *at = buffer->data + buffer->used;

	if (record > buffer->size - buffer->used) {
		buffer->too_small = buffer->used == 0;
		buffer->full = true;
		return false;
	}
	memset(at, 0, record);
	if (buffer->old_format) {
		struct lx_dirent dirent = {
			.d_ino = ino, .d_off = (uint64_t)next_pos, .d_reclen = (uint16_t)record};

		memcpy(at, &dirent, header);
		at[record - 1] = (uint8_t)type;
	} else {
		struct lx_dirent64 dirent = {.d_ino = ino,
			.d_off = next_pos,
			.d_reclen = (uint16_t)record,
			.d_type = (uint8_t)type};

		memcpy(at, &dirent, header);
	}
	memcpy(at + header, name, name_size);
	buffer->used += record;
	return true;
}

static int64_t do_getdents(struct task *t, int fd, gaddr_t dirp, unsigned count, bool old_format)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);
	_cleanup_free_ uint8_t *data = NULL;
	struct dirent_buffer buffer = {.context.emit = emit_dirent, .old_format = old_format};
	struct vfs_lasting lasting = vfs_lasting_begin();
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int64_t start;
	bool at_end;
	int err;

	if (!file)
		return -EBADF;
	/* struct getdents_callback counts in an int: what is more is no room at all. */
	if (count > INT32_MAX)
		count = 0;
	buffer.size = min_of((size_t)count, (size_t)SENTRY_MAX_DIRENT_BUFFER);
	buffer.data = data = malloc(buffer.size + 1);
	if (!data)
		return -ENOMEM;
	start = file->pos;
	err = file_read_dir(file, &buffer.context, &ctx);
	at_end = err >= 0 && !buffer.full;
	if (err < 0 && buffer.used == 0)
		return err;
	if (buffer.too_small)
		return -EINVAL;
	err = guest_buffer_writable(t, dirp, buffer.used)
		      ? guest_write_result(t, dirp, data, buffer.used)
		      : guest_write(t, dirp, data, buffer.used);
	if (err < 0) {
		file->pos = start;
		return err;
	}
	/* The next call will find nothing, until names change. */
	if (at_end && t->opened_told && file->inode->sb->stable &&
		vfs_lasting_promise(&lasting, NULL))
		task_answer_lasts(t);
	if (buffer.used > 0 && !old_format)
		ahead_listed(t, file, data, buffer.used, start == 0);
	return (int64_t)buffer.used;
}

int64_t sys_getdents(struct task *t, int fd, gaddr_t dirp, unsigned count)
{
	return do_getdents(t, fd, dirp, count, true);
}

int64_t sys_getdents64(struct task *t, int fd, gaddr_t dirp, unsigned count)
{
	return do_getdents(t, fd, dirp, count, false);
}

int64_t sys_mkdirat(struct task *t, int dirfd, gaddr_t pathname, unsigned mode)
{
	_cleanup_at_ struct at_name at = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err = at_name_read(t, dirfd, pathname, 0, &at);

	return err < 0 ? err : vfs_mkdir(&ctx, at_base(&at), at.name, mode);
}

int64_t sys_mkdir(struct task *t, gaddr_t pathname, unsigned mode)
{
	return sys_mkdirat(t, LX_AT_FDCWD, pathname, mode);
}

int64_t sys_rmdir(struct task *t, gaddr_t pathname)
{
	return sys_unlinkat(t, LX_AT_FDCWD, pathname, LX_AT_REMOVEDIR);
}

/* ---- where a task is ---- */

/* Takes over @path. */
static void set_path(struct path *slot, struct path *path)
{
	struct path old = *slot;

	*slot = *path;
	*path = (struct path){0};
	path_unref(&old);
}

int64_t sys_chdir(struct task *t, gaddr_t name)
{
	_cleanup_path_ struct path path = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err = at_walk(t, LX_AT_FDCWD, name, WALK_FOLLOW | WALK_DIRECTORY, &path);

	if (err >= 0)
		err = inode_permission(path.dentry->inode, VFS_MAY_EXEC, &ctx);
	if (err < 0)
		return err;
	set_path(&t->fs->cwd, &path);
	vfs_lasting_end_own();
	return 0;
}

int64_t sys_fchdir(struct task *t, int fd)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get_any(t->files, fd);
	struct vfs_ctx ctx = task_vfs_ctx(t);
	struct path path;
	int err;

	if (!file)
		return -EBADF;
	if (!LX_S_ISDIR(file->inode->mode))
		return -ENOTDIR;
	err = inode_permission(file->inode, VFS_MAY_EXEC, &ctx);
	if (err < 0)
		return err;
	path = file->path;
	path_ref(&path);
	set_path(&t->fs->cwd, &path);
	vfs_lasting_end_own();
	return 0;
}

int64_t sys_chroot(struct task *t, gaddr_t name)
{
	_cleanup_path_ struct path path = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err = at_walk(t, LX_AT_FDCWD, name, WALK_FOLLOW | WALK_DIRECTORY, &path);

	if (err >= 0)
		err = inode_permission(path.dentry->inode, VFS_MAY_EXEC, &ctx);
	if (err < 0)
		return err;
	if (!cred_own_capable(t->cred, LX_CAP_SYS_CHROOT))
		return -EPERM;
	set_path(&t->fs->root, &path);
	vfs_lasting_end();
	task_forget_content(t);
	return 0;
}

int64_t sys_getcwd(struct task *t, gaddr_t buf, uint64_t size)
{
	struct vfs_lasting lasting = vfs_lasting_begin();
	_cleanup_free_ char *name = NULL;
	ssize_t length;
	int err;

	if (t->fs->cwd.dentry->unlinked)
		return -ENOENT;
	name = malloc(LX_PATH_MAX);
	if (!name)
		return -ENOMEM;
	length = path_name(&t->fs->cwd, &t->fs->root, name, LX_PATH_MAX);
	if (length < 0)
		return length;
	if ((uint64_t)length + 1 > size)
		return -ERANGE;
	err = guest_write_result(t, buf, name, (size_t)length + 1);
	if (err == 0 && path_name_lasts(&t->fs->cwd) && vfs_lasting_promise(&lasting, NULL))
		task_answer_lasts(t);
	return err < 0 ? err : length + 1;
}
