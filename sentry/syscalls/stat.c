/* SPDX-License-Identifier: Apache-2.0 */
/* stat(2), statx(2), statfs(2), access(2), readlink(2) and their forms */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/mman.h"
#include "abi/mount.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/ahead.h"
#include "sentry/nsproxy.h"
#include "sentry/shared_names.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"

int stat_of_path(const struct path *path, struct lx_stat *ret)
{
	struct kstat stat;
	int err = vfs_getattr(path, &stat);

	if (err < 0)
		return err;
	*ret = (struct lx_stat){
		.st_dev = stat.dev,
		.st_ino = stat.ino,
		.st_nlink = stat.nlink,
		.st_mode = stat.mode,
		.st_uid = uid_here(stat.uid),
		.st_gid = gid_here(stat.gid),
		.st_rdev = stat.rdev,
		.st_size = (int64_t)stat.size,
		.st_blksize = stat.block_size,
		.st_blocks = (int64_t)stat.blocks,
		.st_atim = {stat.atime.sec, stat.atime.nsec},
		.st_mtim = {stat.mtime.sec, stat.mtime.nsec},
		.st_ctim = {stat.ctime.sec, stat.ctime.nsec},
	};
	return 0;
}

static int64_t write_stat(struct task *t, const struct path *path, gaddr_t buf)
{
	struct lx_stat out;
	int err = stat_of_path(path, &out);

	return err < 0 ? err : guest_write_value(t, buf, &out);
}

/* Tells the thread's platform when it need not ask again, and everybody's of a missing name. */
static void mark_lasting(struct task *t, const struct vfs_lasting *lasting, int64_t result,
	const struct path *path, const struct at_name *at, bool follows)
{
	if (result == -ENOENT)
		shared_name_missing(t, at, follows, lasting);
	if ((result == 0 && vfs_lasting_promise(lasting, path)) ||
		(result == -ENOENT && vfs_lasting_promise(lasting, NULL)))
		task_answer_lasts(t);
}

#define AT_FLAGS                                                                                   \
	(LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH | LX_AT_STATX_SYNC_TYPE)

/* Since Linux 6.11 nobody looks at the other flags then (getname_maybe_null(), vfs_fstatat()). */
static bool is_descriptor_alone(struct task *t, int dirfd, gaddr_t name, unsigned at_flags)
{
	char first;

	if (!(at_flags & LX_AT_EMPTY_PATH) || dirfd < 0)
		return false;
	return gaddr_is_null(name) || (guest_read_value(t, &first, name) == 0 && first == '\0');
}

/* "" or no name at all with AT_EMPTY_PATH: the descriptor itself, as fstat(2) does it. The name is
 * the caller's then, without one for no name at all. */
static int walk_or_descriptor(struct task *t, int dirfd, gaddr_t name, unsigned at_flags,
	struct vfs_lasting *lasting, struct at_name *ret_at, struct path *ret)
{
	struct file *file;

	if (!(at_flags & LX_AT_EMPTY_PATH) || !gaddr_is_null(name)) {
		struct vfs_ctx ctx = task_vfs_ctx(t);
		const unsigned walk_flags = at_walk_flags(at_flags);
		int err = at_name_read(t, dirfd, name, walk_flags, ret_at);

		ctx.lasting = lasting;
		return err < 0 ? err
			       : path_walk(&ctx, at_base(ret_at), ret_at->name, walk_flags, ret);
	}
	if (dirfd == LX_AT_FDCWD) {
		*ret = t->fs->cwd;
		path_ref(ret);
		return 0;
	}
	file = fd_get_any(t->files, dirfd);
	if (!file)
		return -EBADF;
	*ret = file->path;
	path_ref(ret);
	file_unref(file);
	return 0;
}

int64_t sys_newfstatat(struct task *t, int dirfd, gaddr_t pathname, gaddr_t statbuf, unsigned flags)
{
	struct vfs_lasting lasting = vfs_lasting_begin();
	_cleanup_path_ struct path path = {0};
	_cleanup_at_ struct at_name at = {0};
	int64_t err;

	if ((flags & ~(unsigned)AT_FLAGS) && !is_descriptor_alone(t, dirfd, pathname, flags))
		return -EINVAL;
	err = walk_or_descriptor(t, dirfd, pathname, flags, &lasting, &at, &path);
	if (err >= 0)
		err = write_stat(t, &path, statbuf);
	mark_lasting(t, &lasting, err, &path, &at, !(flags & LX_AT_SYMLINK_NOFOLLOW));
	if (err >= 0 && at.name)
		ahead_asked(t, dirfd, &at, &path);
	return err;
}

int64_t sys_stat(struct task *t, gaddr_t pathname, gaddr_t statbuf)
{
	return sys_newfstatat(t, LX_AT_FDCWD, pathname, statbuf, 0);
}

int64_t sys_lstat(struct task *t, gaddr_t pathname, gaddr_t statbuf)
{
	return sys_newfstatat(t, LX_AT_FDCWD, pathname, statbuf, LX_AT_SYMLINK_NOFOLLOW);
}

int64_t sys_fstat(struct task *t, int fd, gaddr_t statbuf)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get_any(t->files, fd);

	return file ? write_stat(t, &file->path, statbuf) : -EBADF;
}

static int64_t write_statx(struct task *t, const struct path *path, unsigned mask, gaddr_t buf)
{
	struct kstat stat;
	struct lx_statx out;
	int err = vfs_getattr(path, &stat);

	if (err < 0)
		return err;
	out = (struct lx_statx){
		.stx_mask = stat.result_mask,
		.stx_blksize = stat.block_size,
		.stx_attributes = stat.attributes,
		.stx_nlink = stat.nlink,
		.stx_uid = user_ns_uid(t->cred->user_ns, stat.uid),
		.stx_gid = user_ns_gid(t->cred->user_ns, stat.gid),
		.stx_mode = (uint16_t)stat.mode,
		.stx_ino = stat.ino,
		.stx_size = stat.size,
		.stx_blocks = stat.blocks,
		.stx_attributes_mask = stat.attributes_mask,
		.stx_atime = {stat.atime.sec, stat.atime.nsec, 0},
		.stx_btime = {stat.btime.sec, stat.btime.nsec, 0},
		.stx_ctime = {stat.ctime.sec, stat.ctime.nsec, 0},
		.stx_mtime = {stat.mtime.sec, stat.mtime.nsec, 0},
		.stx_rdev_major = lx_major(stat.rdev),
		.stx_rdev_minor = lx_minor(stat.rdev),
		.stx_dev_major = lx_major(stat.dev),
		.stx_dev_minor = lx_minor(stat.dev),
		.stx_mnt_id = stat.mount_id,
	};
	if ((mask & LX_STATX_MNT_ID_UNIQUE) && (stat.result_mask & LX_STATX_MNT_ID)) {
		out.stx_mask ^= LX_STATX_MNT_ID | LX_STATX_MNT_ID_UNIQUE;
		out.stx_mnt_id = LX_MNT_UNIQUE_ID_OFFSET + stat.mount_id;
	}
	if (!(stat.result_mask & LX_STATX_BTIME))
		out.stx_btime = (struct lx_statx_timestamp){0};
	return guest_write_value(t, buf, &out);
}

int64_t sys_statx(struct task *t, int dirfd, gaddr_t pathname, unsigned flags, unsigned mask,
	gaddr_t statxbuf)
{
	struct vfs_lasting lasting = vfs_lasting_begin();
	_cleanup_path_ struct path path = {0};
	_cleanup_at_ struct at_name at = {0};
	int err;

	if (mask & LX_STATX__RESERVED)
		return -EINVAL;
	if ((flags & LX_AT_STATX_SYNC_TYPE) == LX_AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if ((flags & ~(unsigned)AT_FLAGS) && !is_descriptor_alone(t, dirfd, pathname, flags))
		return -EINVAL;
	err = walk_or_descriptor(t, dirfd, pathname, flags, &lasting, &at, &path);
	return err < 0 ? err : write_statx(t, &path, mask, statxbuf);
}

static int64_t write_statfs(struct task *t, const struct path *path, gaddr_t buf)
{
	struct lx_statfs statfs;
	int err = vfs_statfs(path, &statfs);

	return err < 0 ? err : guest_write_value(t, buf, &statfs);
}

int64_t sys_statfs(struct task *t, gaddr_t pathname, gaddr_t buf)
{
	_cleanup_path_ struct path path = {0};
	int err = at_walk(t, LX_AT_FDCWD, pathname, WALK_FOLLOW, &path);

	return err < 0 ? err : write_statfs(t, &path, buf);
}

int64_t sys_fstatfs(struct task *t, int fd, gaddr_t buf)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get_any(t->files, fd);

	return file ? write_statfs(t, &file->path, buf) : -EBADF;
}

/* ---- access(2) ---- */

/*
 * access(2) asks with the real ids, and with the capabilities that a program with the real user id
 * would get (access_override_creds()). *ret_cred is owned; NULL: the task's own will do.
 */
static int access_cred(struct task *t, struct cred **ret_cred)
{
	const struct cred *cred = t->cred;
	bool is_root = cred->uid == user_ns_make_uid(cred->user_ns, 0);
	struct cred *override;
	int err;

	*ret_cred = NULL;
	if (cred->fsuid == cred->uid && cred->fsgid == cred->gid &&
		cred->cap_effective == (is_root ? cred->cap_permitted : 0))
		return 0;
	err = cred_copy(cred, cred->group_count, &override);
	if (err < 0)
		return err;
	override->fsuid = cred->uid;
	override->fsgid = cred->gid;
	if (!(cred->securebits & LX_SECBIT_NO_SETUID_FIXUP))
		override->cap_effective = is_root ? cred->cap_permitted : 0;
	*ret_cred = override;
	return 0;
}

static int64_t do_access(struct task *t, int dirfd, gaddr_t pathname, unsigned mode, unsigned flags)
{
	_cleanup_(cleanup_cred_unref) struct cred *cred = NULL;
	_cleanup_path_ struct path path = {0};
	_cleanup_at_ struct at_name at = {0};
	struct vfs_lasting lasting = vfs_lasting_begin();
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err;

	ctx.lasting = &lasting;
	if (mode & ~7u)
		return -EINVAL;
	if (flags & ~(unsigned)(LX_AT_EACCESS | LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	if (!(flags & LX_AT_EACCESS)) {
		err = access_cred(t, &cred);
		if (err < 0)
			return err;
		if (cred)
			ctx.cred = cred;
	}
	err = at_name_read(t, dirfd, pathname, at_walk_flags(flags), &at);
	if (err >= 0)
		err = path_walk(&ctx, at_base(&at), at.name, at_walk_flags(flags), &path);
	/* R_OK, W_OK and X_OK are the walk's bits. */
	if (err >= 0)
		err = vfs_access(&ctx, &path, (int)mode);
	mark_lasting(t, &lasting, err, &path, &at, !(flags & LX_AT_SYMLINK_NOFOLLOW));
	return err;
}

int64_t sys_access(struct task *t, gaddr_t pathname, unsigned mode)
{
	return do_access(t, LX_AT_FDCWD, pathname, mode, 0);
}

int64_t sys_faccessat(struct task *t, int dirfd, gaddr_t pathname, unsigned mode)
{
	return do_access(t, dirfd, pathname, mode, 0);
}

int64_t sys_faccessat2(struct task *t, int dirfd, gaddr_t pathname, unsigned mode, unsigned flags)
{
	return do_access(t, dirfd, pathname, mode, flags);
}

/* ---- readlink(2) ---- */

int64_t sys_readlinkat(struct task *t, int dirfd, gaddr_t pathname, gaddr_t buf, int bufsize)
{
	_cleanup_path_ struct path path = {0};
	_cleanup_at_ struct at_name at = {0};
	_cleanup_free_ char *target = NULL;
	struct vfs_lasting lasting = vfs_lasting_begin();
	struct vfs_ctx ctx = task_vfs_ctx(t);
	ssize_t size;
	int err;

	ctx.lasting = &lasting;
	if (bufsize <= 0)
		return -EINVAL;
	err = at_name_read(t, dirfd, pathname, WALK_EMPTY, &at);
	if (err < 0)
		return err;
	err = path_walk(&ctx, at_base(&at), at.name, WALK_EMPTY, &path);
	/* Whether a name is a link's, and where it leads, never changes while there is that name.
	 */
	if (err < 0 || !LX_S_ISLNK(path.dentry->inode->mode)) {
		mark_lasting(t, &lasting, err, NULL, &at, false);
		if (err >= 0)
			shared_name_no_link(t, &at, &lasting);
		return err < 0 ? err : at.name[0] ? -EINVAL : -ENOENT;
	}
	target = malloc(LX_PATH_MAX);
	if (!target)
		return -ENOMEM;
	size = vfs_readlink(&ctx, &path, target);
	if (size < 0)
		return size;
	if (size > bufsize)
		size = bufsize;
	err = guest_write_result(t, buf, target, (size_t)size);
	mark_lasting(t, &lasting, err, NULL, &at, false);
	return err < 0 ? err : size;
}

int64_t sys_readlink(struct task *t, gaddr_t pathname, gaddr_t buf, int bufsize)
{
	return sys_readlinkat(t, LX_AT_FDCWD, pathname, buf, bufsize);
}

/* ---- ustat(2), cachestat(2) ------------------------------------------------------------------ */

static struct super_block *mounted_on(const struct mnt_ns *ns, unsigned dev)
{
	/* new_decode_dev() */
	unsigned major = (dev & 0xfff00) >> 8, minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);

	for (struct mount *mount = mount_next(ns, NULL); mount; mount = mount_next(ns, mount))
		if (lx_major(mount->sb->dev) == major && lx_minor(mount->sb->dev) == minor)
			return super_block_ref(mount->sb);
	return NULL;
}

int64_t sys_ustat(struct task *t, unsigned dev, gaddr_t ubuf)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb =
		mounted_on(task_mnt_ns(t), dev);
	struct lx_statfs stat = {0};
	struct lx_ustat result = {0};
	int err;

	if (!sb)
		return -EINVAL;
	err = sb->ops->statfs ? sb->ops->statfs(sb, &stat) : 0;
	if (err < 0)
		return err;
	result.f_tfree = (int32_t)stat.f_bfree;
	result.f_tinode = (uint64_t)stat.f_ffree;
	return guest_write_value(t, ubuf, &result);
}

#define PIECES_TURN 256 /* looked for before others get a turn */

/* Pages with data in [start, end) bytes of a file in memory, by its holes. */
static int64_t pages_with_data(struct file *file, int64_t start, int64_t end)
{
	int64_t saved, at = start, pages = 0;
	unsigned pieces = 0;

	fiber_mutex_lock(&file->pos_mutex);
	saved = file->pos;
	while (at < end) {
		int64_t data = file->ops->seek(file, at, LX_SEEK_DATA), hole;

		if (data < 0 || data >= end)
			break;
		hole = file->ops->seek(file, data, LX_SEEK_HOLE);
		if (hole <= data)
			break;
		hole = min_of(hole, end);
		pages += (int64_t)(((uint64_t)hole + LX_PAGE_SIZE - 1) / LX_PAGE_SIZE) -
			 data / (int64_t)LX_PAGE_SIZE;
		at = hole;
		if (++pieces % PIECES_TURN == 0) {
			file->pos = saved;
			fiber_yield();
			saved = file->pos;
		}
	}
	file->pos = saved;
	fiber_mutex_unlock(&file->pos_mutex);
	return pages;
}

/* can_do_cachestat(): who could write it. */
static bool may_cachestat(struct task *t, const struct file *file)
{
	struct vfs_ctx ctx = task_vfs_ctx(t);

	return file->writable || inode_owner_or_capable(file->inode, t->cred) ||
	       inode_permission(file->inode, VFS_MAY_WRITE, &ctx) == 0;
}

/* Its data may lie in the host's page cache. */
static bool is_host_data(const struct file *file)
{
	return strcmp(file->ops->name, "host file") == 0 ||
	       strcmp(file->ops->name, "overlay file") == 0;
}

/* Of files in memory all that has data is cached, of what has no data nothing; what the host caches
 * of its files is its own. */
int64_t sys_cachestat(
	struct task *t, int fd, gaddr_t range_addr, gaddr_t result_addr, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);
	struct lx_cachestat result = {0};
	struct lx_cachestat_range range;
	uint64_t end;
	int err;

	if (!file)
		return -EBADF;
	err = guest_read_value(t, &range, range_addr);
	if (err < 0)
		return err;
	if (!may_cachestat(t, file))
		return -EPERM;
	if (flags)
		return -EINVAL;
	if (is_host_data(file) && file->inode->size > 0)
		return -EOPNOTSUPP;
	if (strcmp(file->ops->name, "tmpfs file") != 0)
		return guest_write_value(t, result_addr, &result);
	/* A range that wraps is empty. */
	if (range.len == 0)
		end = INT64_MAX;
	else if (!add_checked(range.off, range.len, &end))
		end = 0;
	end = min_of(end, (uint64_t)INT64_MAX);
	range.off = align_down(range.off, LX_PAGE_SIZE);
	if (range.off < end)
		result.nr_cache = (uint64_t)pages_with_data(file, (int64_t)range.off, (int64_t)end);
	return guest_write_value(t, result_addr, &result);
}
