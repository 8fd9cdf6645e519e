/* SPDX-License-Identifier: Apache-2.0 */
/* chmod(2), chown(2), utimensat(2), truncate(2), fallocate(2), umask(2), sync(2) and their forms */
#include <errno.h>

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "abi/time.h"
#include "base/cleanup.h"
#include "sentry/nsproxy.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"

/* ---- mode and owner ---- */

static int64_t do_chmod(struct task *t, const struct path *path, unsigned mode)
{
	struct iattr attr = {.valid = IATTR_MODE, .mode = mode & 07777};
	struct vfs_ctx ctx = task_vfs_ctx(t);

	/* A symlink has no mode of its own (chmod_common()). */
	if (LX_S_ISLNK(path->dentry->inode->mode))
		return path_check_write(path) < 0 ? -EROFS : -EOPNOTSUPP;
	return vfs_setattr(&ctx, path, &attr);
}

int64_t sys_fchmodat2(struct task *t, int dirfd, gaddr_t pathname, unsigned mode, unsigned flags)
{
	_cleanup_path_ struct path path = {0};
	int err;

	if (flags & ~(unsigned)(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	err = at_walk(t, dirfd, pathname, at_walk_flags(flags), &path);
	return err < 0 ? err : do_chmod(t, &path, mode);
}

int64_t sys_fchmodat(struct task *t, int dirfd, gaddr_t pathname, unsigned mode)
{
	return sys_fchmodat2(t, dirfd, pathname, mode, 0);
}

int64_t sys_chmod(struct task *t, gaddr_t pathname, unsigned mode)
{
	return sys_fchmodat2(t, LX_AT_FDCWD, pathname, mode, 0);
}

int64_t sys_fchmod(struct task *t, int fd, unsigned mode)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);

	return file ? do_chmod(t, &file->path, mode) : -EBADF;
}

static int64_t do_chown(struct task *t, const struct path *path, unsigned owner, unsigned group)
{
	struct iattr attr = {.valid = IATTR_KILL_SETID};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err = path_check_write(path);

	if (err < 0)
		return err;
	attr.uid = user_ns_make_uid(t->cred->user_ns, owner);
	attr.gid = user_ns_make_gid(t->cred->user_ns, group);
	if ((owner != UINT32_MAX && attr.uid == ID_INVALID) ||
		(group != UINT32_MAX && attr.gid == ID_INVALID))
		return -EINVAL;
	if (owner != UINT32_MAX)
		attr.valid |= IATTR_UID;
	if (group != UINT32_MAX)
		attr.valid |= IATTR_GID;
	return vfs_setattr(&ctx, path, &attr);
}

int64_t sys_fchownat(
	struct task *t, int dirfd, gaddr_t pathname, unsigned owner, unsigned group, unsigned flags)
{
	_cleanup_path_ struct path path = {0};
	int err;

	if (flags & ~(unsigned)(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	err = at_walk(t, dirfd, pathname, at_walk_flags(flags), &path);
	return err < 0 ? err : do_chown(t, &path, owner, group);
}

int64_t sys_chown(struct task *t, gaddr_t pathname, unsigned owner, unsigned group)
{
	return sys_fchownat(t, LX_AT_FDCWD, pathname, owner, group, 0);
}

int64_t sys_lchown(struct task *t, gaddr_t pathname, unsigned owner, unsigned group)
{
	return sys_fchownat(t, LX_AT_FDCWD, pathname, owner, group, LX_AT_SYMLINK_NOFOLLOW);
}

int64_t sys_fchown(struct task *t, int fd, unsigned owner, unsigned group)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);

	return file ? do_chown(t, &file->path, owner, group) : -EBADF;
}

int64_t sys_umask(struct task *t, unsigned mask)
{
	uint32_t old = t->fs->umask;

	t->fs->umask = mask & 0777;
	return old;
}

/* ---- times ---- */

/* Times of a call, [0] access and [1] modification; nanoseconds may be LX_UTIME_NOW or _OMIT. */
struct times {
	bool given; /* else both are now */
	struct ktime time[2];
};

/* What no time has: it is refused once the file was found. */
#define NSEC_BAD UINT32_MAX

/* vfs_utimes() */
static int64_t set_times(struct task *t, const struct path *path, const struct times *times)
{
	static const uint32_t bit[2] = {IATTR_ATIME, IATTR_MTIME};
	struct iattr attr = {0};
	struct ktime *slot[2] = {&attr.atime, &attr.mtime};
	struct vfs_ctx ctx = task_vfs_ctx(t);

	if (times->given && (times->time[0].nsec == NSEC_BAD || times->time[1].nsec == NSEC_BAD))
		return -EINVAL;

	if (!times->given ||
		(times->time[0].nsec == LX_UTIME_NOW && times->time[1].nsec == LX_UTIME_NOW)) {
		attr.valid = IATTR_TOUCH | IATTR_ATIME | IATTR_MTIME;
		return vfs_setattr(&ctx, path, &attr);
	}
	for (int i = 0; i < 2; i++) {
		if (times->time[i].nsec == LX_UTIME_OMIT)
			continue;
		attr.valid |= bit[i];
		*slot[i] = times->time[i].nsec == LX_UTIME_NOW ? ktime_now() : times->time[i];
	}
	return vfs_setattr(&ctx, path, &attr);
}

/* do_utimes(): no name means the descriptor itself. */
static int64_t do_utimes(
	struct task *t, int dirfd, gaddr_t name, const struct times *times, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	_cleanup_path_ struct path path = {0};
	int err;

	if (gaddr_is_null(name) && dirfd != LX_AT_FDCWD) {
		if (flags)
			return -EINVAL;
		file = fd_get(t->files, dirfd);
		return file ? set_times(t, &file->path, times) : -EBADF;
	}
	if (flags & ~(unsigned)(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	err = at_walk(t, dirfd, name, at_walk_flags(flags), &path);
	return err < 0 ? err : set_times(t, &path, times);
}

static bool valid_nsec(int64_t nsec)
{
	return nsec == LX_UTIME_NOW || nsec == LX_UTIME_OMIT || (nsec >= 0 && nsec < 1000000000);
}

int64_t sys_utimensat(struct task *t, int dirfd, gaddr_t pathname, gaddr_t addr, unsigned flags)
{
	struct times times = {.given = !gaddr_is_null(addr)};
	struct lx_timespec spec[2];
	int err;

	if (times.given) {
		err = guest_read(t, spec, addr, sizeof(spec));
		if (err < 0)
			return err;
		/* Nothing to do: not even the name is looked at. */
		if (spec[0].tv_nsec == LX_UTIME_OMIT && spec[1].tv_nsec == LX_UTIME_OMIT)
			return 0;
		for (int i = 0; i < 2; i++)
			times.time[i] = (struct ktime){spec[i].tv_sec,
				valid_nsec(spec[i].tv_nsec) ? (uint32_t)spec[i].tv_nsec : NSEC_BAD};
	}
	return do_utimes(t, dirfd, pathname, &times, flags);
}

int64_t sys_futimesat(struct task *t, int dirfd, gaddr_t pathname, gaddr_t addr)
{
	struct times times = {.given = !gaddr_is_null(addr)};
	struct lx_timeval value[2];
	int err;

	if (times.given) {
		err = guest_read(t, value, addr, sizeof(value));
		if (err < 0)
			return err;
		for (int i = 0; i < 2; i++) {
			if (value[i].tv_usec < 0 || value[i].tv_usec >= 1000000)
				return -EINVAL;
			times.time[i] =
				(struct ktime){value[i].tv_sec, (uint32_t)value[i].tv_usec * 1000};
		}
	}
	return do_utimes(t, dirfd, pathname, &times, 0);
}

int64_t sys_utimes(struct task *t, gaddr_t pathname, gaddr_t addr)
{
	return sys_futimesat(t, LX_AT_FDCWD, pathname, addr);
}

int64_t sys_utime(struct task *t, gaddr_t pathname, gaddr_t addr)
{
	struct times times = {.given = !gaddr_is_null(addr)};
	struct lx_utimbuf buf;
	int err;

	if (times.given) {
		err = guest_read_value(t, &buf, addr);
		if (err < 0)
			return err;
		times.time[0].sec = buf.actime;
		times.time[1].sec = buf.modtime;
	}
	return do_utimes(t, LX_AT_FDCWD, pathname, &times, 0);
}

/* ---- size ---- */

int64_t sys_truncate(struct task *t, gaddr_t pathname, int64_t length)
{
	_cleanup_path_ struct path path = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	bool fsize_hit = false;
	int err;

	if (length < 0)
		return -EINVAL;
	err = at_walk(t, LX_AT_FDCWD, pathname, WALK_FOLLOW, &path);
	if (err < 0)
		return err;
	ctx.fsize_hit = &fsize_hit;
	err = vfs_truncate(&ctx, &path, (uint64_t)length);
	signal_failed_write(t, err, fsize_hit);
	return err;
}

int64_t sys_ftruncate(struct task *t, int fd, int64_t length)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct vfs_ctx ctx = task_vfs_ctx(t);
	bool fsize_hit = false;
	int err;

	if (length < 0)
		return -EINVAL;
	file = fd_get(t->files, fd);
	if (!file)
		return -EBADF;
	ctx.fsize_hit = &fsize_hit;
	err = file_truncate(file, (uint64_t)length, &ctx);
	signal_failed_write(t, err, fsize_hit);
	return err;
}

int64_t sys_fallocate(struct task *t, int fd, unsigned mode, int64_t offset, int64_t len)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);
	struct vfs_ctx ctx = task_vfs_ctx(t);
	bool fsize_hit = false;
	int err;

	if (!file)
		return -EBADF;
	ctx.fsize_hit = &fsize_hit;
	err = file_fallocate(file, (int)mode, (uint64_t)offset, (uint64_t)len, &ctx);
	signal_failed_write(t, err, fsize_hit);
	return err;
}

/* ---- write-back ---- */

static int64_t do_fsync(struct task *t, int fd, bool data_only)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);

	return file ? file_sync(file, data_only) : -EBADF;
}

int64_t sys_fsync(struct task *t, int fd)
{
	return do_fsync(t, fd, false);
}

int64_t sys_fdatasync(struct task *t, int fd)
{
	return do_fsync(t, fd, true);
}

static int sync_super_block(struct super_block *sb)
{
	return sb->ops->sync ? sb->ops->sync(sb) : 0;
}

int64_t sys_sync(struct task *t)
{
	const struct mnt_ns *ns = task_mnt_ns(t);
	struct mount *mount = mount_next(ns, NULL), *next;

	/* A sleep must not lose the place: the present mount is held. */
	for (; mount; mount = next) {
		(void)mount_ref(mount);
		(void)sync_super_block(mount->sb);
		next = mount_next(ns, mount);
		mount_unref(mount);
	}
	return 0;
}

int64_t sys_syncfs(struct task *t, int fd)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);

	return file ? sync_super_block(file->inode->sb) : -EBADF;
}

int64_t sys_sync_file_range(struct task *t, int fd, int64_t offset, int64_t nbytes, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);
	uint32_t mode;
	int64_t end;
	int err;

	if (!file)
		return -EBADF;
	if (flags & ~(unsigned)(LX_SYNC_FILE_RANGE_WAIT_BEFORE | LX_SYNC_FILE_RANGE_WRITE |
				LX_SYNC_FILE_RANGE_WAIT_AFTER))
		return -EINVAL;
	if (offset < 0 || nbytes < 0 || __builtin_add_overflow(offset, nbytes, &end))
		return -EINVAL;
	mode = file->inode->mode;
	if (!LX_S_ISREG(mode) && !LX_S_ISBLK(mode) && !LX_S_ISDIR(mode) && !LX_S_ISLNK(mode))
		return -ESPIPE;
	err = flags ? file_sync(file, true) : 0;
	return err == -EINVAL ? 0 : err; /* what has no fsync has no pages to write either */
}
