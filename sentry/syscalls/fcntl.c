/* SPDX-License-Identifier: Apache-2.0 */
/* fcntl(2), dup(2), flock(2), ioctl(2): what is done to a descriptor or an open file as such */
#include <errno.h>
#include <limits.h>

#include "abi/errno.h"
#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/resource.h"
#include "abi/signal.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/syscalls/file_flags.h"
#include "sentry/syscalls/path.h"
#include "sentry/sigio.h"
#include "sentry/syscalls_gen.h"
#include "vfs/anon.h"

/* ---- dup(2) ---- */

static int64_t dup_file(struct task *t, struct file *file, int min, bool cloexec)
{
	int fd = fd_install(
		t->files, file_ref(file), min, task_rlimit(t, LX_RLIMIT_NOFILE), cloexec);

	if (fd < 0)
		file_unref(file);
	return fd;
}

int64_t sys_dup(struct task *t, int oldfd)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get_any(t->files, oldfd);

	return file ? dup_file(t, file, 0, false) : -EBADF;
}

int64_t sys_dup3(struct task *t, int oldfd, int newfd, unsigned flags)
{
	uint64_t limit = task_rlimit(t, LX_RLIMIT_NOFILE);
	struct file *file;
	int fd;

	if (flags & ~(unsigned)LX_O_CLOEXEC || oldfd == newfd)
		return -EINVAL;
	if (newfd < 0 || (uint64_t)newfd >= limit)
		return -EBADF;
	file = fd_get_any(t->files, oldfd);
	if (!file)
		return -EBADF;
	fd = fd_install_at(t->files, file, newfd, limit, flags & LX_O_CLOEXEC);
	if (fd < 0)
		file_unref(file);
	return fd;
}

int64_t sys_dup2(struct task *t, int oldfd, int newfd)
{
	if (oldfd == newfd)
		return fd_get_flags(t->files, oldfd) < 0 ? -EBADF : newfd;
	return sys_dup3(t, oldfd, newfd, 0);
}

/* ---- flock(2) ---- */

int64_t sys_flock(struct task *t, int fd, unsigned operation)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	int kind = (int)operation & ~LX_LOCK_NB;

	/* Mandatory locks were broken and are gone: the request succeeds and does nothing
	 * (Linux 5.16). */
	if (operation & LX_LOCK_MAND)
		return 0;
	if (kind != LX_LOCK_SH && kind != LX_LOCK_EX && kind != LX_LOCK_UN)
		return -EINVAL;
	file = fd_get(t->files, fd);
	if (!file || (kind != LX_LOCK_UN && !file->readable && !file->writable))
		return -EBADF;
	return file_flock(file, (int)operation);
}

/* ---- record locks ---- */

/* flock64_to_posix_lock() */
static int decode_range(struct file *file, const struct lx_flock *flock, struct record_lock *lock)
{
	struct kstat stat;
	int64_t start;
	int err;

	switch (flock->l_whence) {
	case LX_SEEK_SET:
		start = 0;
		break;
	case LX_SEEK_CUR:
		start = file_seek(file, 0, LX_SEEK_CUR);
		if (start < 0)
			start = file->pos;
		break;
	case LX_SEEK_END:
		err = vfs_getattr(&file->path, &stat);
		if (err < 0)
			return err;
		start = (int64_t)stat.size;
		break;
	default:
		return -EINVAL;
	}
	if (flock->l_start > INT64_MAX - start)
		return -EOVERFLOW;
	start += flock->l_start;
	if (start < 0)
		return -EINVAL;
	lock->end = INT64_MAX;
	if (flock->l_len > 0) {
		if (flock->l_len - 1 > INT64_MAX - start)
			return -EOVERFLOW;
		lock->end = start + (flock->l_len - 1);
	} else if (flock->l_len < 0) {
		if (start + flock->l_len < 0)
			return -EINVAL;
		lock->end = start - 1;
		start += flock->l_len;
	}
	lock->start = start;
	return 0;
}

static int decode_lock(struct task *t, struct file *file, bool ofd, const struct lx_flock *flock,
	struct record_lock *lock)
{
	int err = decode_range(file, flock, lock);

	if (err < 0)
		return err;
	if (flock->l_type < LX_F_RDLCK || flock->l_type > LX_F_UNLCK)
		return -EINVAL;
	lock->type = flock->l_type;
	lock->ofd = ofd;
	lock->owner = ofd ? (const void *)file : (const void *)t->files;
	lock->pid = ofd ? -1 : t->group->pid->nr;
	return 0;
}

static int64_t get_lock(struct task *t, struct file *file, gaddr_t addr, bool ofd)
{
	struct record_lock lock;
	struct lx_flock flock;
	int err = guest_read_value(t, &flock, addr);

	/* The type comes first here (fcntl_getlk()). */
	if (err == 0 && !ofd && flock.l_type != LX_F_RDLCK && flock.l_type != LX_F_WRLCK)
		err = -EINVAL;
	if (err == 0)
		err = decode_lock(t, file, ofd, &flock, &lock);
	if (err < 0)
		return err;
	if (ofd && flock.l_pid)
		return -EINVAL;
	/* Since Linux 6.9 a question about the descriptor's own locks; there is the plain answer
	 * "none". */
	if (lock.type == LX_F_UNLCK && ofd)
		return guest_write_value(t, addr, &flock);
	if (lock.type == LX_F_UNLCK)
		return -EINVAL;
	file_record_lock_test(file, &lock);
	flock.l_type = (int16_t)lock.type;
	if (lock.type != LX_F_UNLCK) {
		flock.l_whence = LX_SEEK_SET;
		flock.l_start = lock.start;
		flock.l_len = lock.end == INT64_MAX ? 0 : lock.end - lock.start + 1;
		flock.l_pid = lock.pid > 0 ? pid_nr_here(lock.pid) : lock.pid;
	}
	return guest_write_value(t, addr, &flock);
}

static int64_t set_lock(struct task *t, struct file *file, gaddr_t addr, bool ofd, bool wait)
{
	struct record_lock lock;
	struct lx_flock flock;
	int err = guest_read_value(t, &flock, addr);

	if (err == 0)
		err = decode_lock(t, file, ofd, &flock, &lock);
	if (err < 0)
		return err;
	if ((lock.type == LX_F_RDLCK && !file->readable) ||
		(lock.type == LX_F_WRLCK && !file->writable))
		return -EBADF;
	if (ofd && flock.l_pid)
		return -EINVAL;
	return file_record_lock(file, &lock, wait);
}

/* ---- owners of SIGIO ---- */

static int set_owner(const struct task *t, struct file *file, int kind, int pid)
{
	const struct pid *found = NULL;

	if (pid) {
		found = pid_find(pid);
		if (!found || (kind == LX_F_OWNER_PGRP && list_empty(&found->pgrp_members)))
			return -ESRCH;
	}
	sigio_set_owner(t, file, kind, pid ? found->nr : 0);
	return 0;
}

static int64_t set_owner_int(const struct task *t, struct file *file, int who)
{
	if (who == INT_MIN)
		return -EINVAL;
	return who < 0 ? set_owner(t, file, LX_F_OWNER_PGRP, -who)
		       : set_owner(t, file, LX_F_OWNER_PID, who);
}

static int64_t owner_ex(struct task *t, struct file *file, gaddr_t addr, bool set)
{
	struct lx_f_owner_ex owner = {
		.type = file->owner.kind, .pid = pid_nr_here(file->owner.pid)};
	int err;

	if (!set)
		return guest_write_value(t, addr, &owner);
	err = guest_read_value(t, &owner, addr);
	if (err < 0)
		return err;
	if (owner.type < LX_F_OWNER_TID || owner.type > LX_F_OWNER_PGRP)
		return -EINVAL;
	if (owner.pid < 0)
		return -ESRCH;
	return set_owner(t, file, owner.type, owner.pid);
}

/* The real and the effective user who set the owner: for checkpoints. */
static int64_t owner_uids(struct task *t, const struct file *file, gaddr_t addr)
{
	uint32_t uids[2] = {file->owner.uid, file->owner.euid};

	return guest_write(t, addr, uids, sizeof(uids));
}

/* ---- fcntl(2) ---- */

/* How long what is written will live: kept with the file, and no disk of ours places anything by
 * it. */
static int64_t write_hint(struct task *t, const struct file *file, gaddr_t addr, bool set)
{
	uint64_t hint = file->inode->write_hint;
	int err;

	if (!set)
		return guest_write_value(t, addr, &hint);
	if (!inode_owner_or_capable(file->inode, t->cred))
		return -EPERM;
	err = guest_read_value(t, &hint, addr);
	if (err < 0)
		return err;
	if (hint > LX_RWH_WRITE_LIFE_EXTREME)
		return -EINVAL;
	file->inode->write_hint = (uint8_t)hint;
	return 0;
}

#define SETFL_MASK (LX_O_APPEND | LX_O_NONBLOCK | LX_O_DIRECT | LX_O_NOATIME | LX_FASYNC)

static int64_t set_flags(struct task *t, struct file *file, int fd, unsigned flags)
{
	int err, mask;

	if ((flags & LX_O_NOATIME) && !(file->flags & LX_O_NOATIME) &&
		!inode_owner_or_capable(file->inode, t->cred))
		return -EPERM;
	/* A pipe's flag means packets. */
	if ((flags & LX_O_DIRECT) && !file_can_direct(file) && !LX_S_ISFIFO(file->inode->mode))
		return -EINVAL;
	if (file->ops->check_flags) {
		err = file->ops->check_flags(file, (int)flags & SETFL_MASK);
		if (err < 0)
			return err;
	}
	if ((flags ^ (unsigned)file->flags) & LX_FASYNC) {
		err = sigio_set_async(t, file, fd, flags & LX_FASYNC);
		if (err < 0)
			return err;
	}
	mask = SETFL_MASK;
	/* O_ASYNC says whether signals come: files that send none do not get it. */
	if (!sigio_possible(file))
		mask &= ~LX_FASYNC;
	file->flags = (file->flags & ~mask) | ((int)flags & mask);
	return 0;
}

static int64_t get_seals(const struct file *file)
{
	unsigned seals;
	int err = tmpfs_get_seals(file->inode, &seals);

	return err < 0 ? err : (int64_t)seals;
}

static int64_t dup_min(struct task *t, struct file *file, uint64_t min, bool cloexec)
{
	if (min >= task_rlimit(t, LX_RLIMIT_NOFILE))
		return -EINVAL;
	return dup_file(t, file, (int)min, cloexec);
}

static int64_t same_file(struct task *t, const struct file *file, int fd)
{
	_cleanup_(cleanup_file_unref) struct file *other = fd_get_any(t->files, fd);

	return other ? other == file : -EBADF;
}

/* What O_PATH descriptors can do as well (check_fcntl_cmd()). */
static bool allowed_for_path(int cmd)
{
	return cmd == LX_F_DUPFD || cmd == LX_F_DUPFD_CLOEXEC || cmd == LX_F_GETFD ||
	       cmd == LX_F_SETFD || cmd == LX_F_GETFL || cmd == LX_F_DUPFD_QUERY ||
	       cmd == LX_F_CREATED_QUERY;
}

/* Commands about the descriptor or with plain values; -ENOIOCTLCMD: none of them. */
static int64_t fcntl_value(struct task *t, int fd, struct file *file, int cmd, uint64_t arg)
{
	switch (cmd) {
	case LX_F_DUPFD:
	case LX_F_DUPFD_CLOEXEC:
		return dup_min(t, file, (unsigned)arg, cmd == LX_F_DUPFD_CLOEXEC);
	case LX_F_GETFD:
		return fd_get_flags(t->files, fd);
	case LX_F_SETFD:
		return fd_set_flags(t->files, fd, (int)arg);
	case LX_F_GETFL:
		return file->flags;
	case LX_F_SETFL:
		return set_flags(t, file, fd, (unsigned)arg);
	case LX_F_SETOWN:
		return set_owner_int(t, file, (int)arg);
	case LX_F_GETOWN:
		return file->owner.kind == LX_F_OWNER_PGRP ? -file->owner.pid : file->owner.pid;
	case LX_F_SETSIG:
		if (arg > LX_NSIG)
			return -EINVAL;
		file->owner.signo = (int)arg;
		return 0;
	case LX_F_GETSIG:
		return file->owner.signo;
	case LX_F_DUPFD_QUERY:
		return same_file(t, file, (int)arg);
	case LX_F_CREATED_QUERY:
		return file->created;
	case LX_F_NOTIFY:
		return sigio_notify(t, file, fd, (unsigned)arg);
	case LX_F_SETLEASE:
		return sigio_set_lease(t, file, fd, (int)arg);
	case LX_F_GETLEASE:
		return file_get_lease(file);
	case LX_F_SETPIPE_SZ:
		return pipe_set_size(file, (unsigned)arg);
	case LX_F_GETPIPE_SZ:
		return pipe_get_size(file);
	case LX_F_ADD_SEALS:
		return (uint64_t)(unsigned)arg != arg ? -EINVAL
						      : tmpfs_add_seals(file, (unsigned)arg);
	case LX_F_GET_SEALS:
		return get_seals(file);
	default:
		return -ENOIOCTLCMD;
	}
}

int64_t sys_fcntl(struct task *t, int fd, int cmd, uint64_t arg)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get_any(t->files, fd);
	int64_t r;

	if (!file || ((file->flags & LX_O_PATH) && !allowed_for_path(cmd)))
		return -EBADF;
	r = fcntl_value(t, fd, file, cmd, arg);
	if (r != -ENOIOCTLCMD)
		return r;
	switch (cmd) {
	case LX_F_GETLK:
	case LX_F_OFD_GETLK:
		return get_lock(t, file, GADDR(arg), cmd == LX_F_OFD_GETLK);
	case LX_F_SETLK:
	case LX_F_SETLKW:
		return set_lock(t, file, GADDR(arg), false, cmd == LX_F_SETLKW);
	case LX_F_OFD_SETLK:
	case LX_F_OFD_SETLKW:
		return set_lock(t, file, GADDR(arg), true, cmd == LX_F_OFD_SETLKW);
	case LX_F_GETOWN_EX:
	case LX_F_SETOWN_EX:
		return owner_ex(t, file, GADDR(arg), cmd == LX_F_SETOWN_EX);
	case LX_F_GETOWNER_UIDS:
		return owner_uids(t, file, GADDR(arg));
	case LX_F_GET_RW_HINT:
	case LX_F_SET_RW_HINT:
		return write_hint(t, file, GADDR(arg), cmd == LX_F_SET_RW_HINT);
	default:
		return -EINVAL;
	}
}

/* ---- ioctl(2) ---- */

static int64_t set_nonblock(struct task *t, struct file *file, gaddr_t arg)
{
	int32_t on;
	int err = guest_read_value(t, &on, arg);

	if (err < 0)
		return err;
	file->flags = on ? file->flags | LX_O_NONBLOCK : file->flags & ~LX_O_NONBLOCK;
	return 0;
}

/* fioasync(): only files that can send SIGIO know the flag. */
static int64_t set_async(struct task *t, struct file *file, int fd, gaddr_t arg)
{
	int32_t on;
	int err = guest_read_value(t, &on, arg);

	if (err < 0)
		return err;
	if (!on == !(file->flags & LX_FASYNC))
		return 0;
	if (!sigio_possible(file))
		return -ENOTTY;
	err = sigio_set_async(t, file, fd, on);
	if (err < 0)
		return err;
	file->flags = on ? file->flags | LX_FASYNC : file->flags & ~LX_FASYNC;
	return 0;
}

static int64_t file_size_ioctl(struct task *t, struct file *file, unsigned request, gaddr_t arg)
{
	struct kstat stat;
	int64_t size;
	int32_t left;
	int err = vfs_getattr(&file->path, &stat);

	if (err < 0)
		return err;
	if (request == LX_FIOQSIZE) {
		size = (int64_t)stat.blocks * 512; /* what it occupies */
		return guest_write_value(t, arg, &size);
	}
	left = (int32_t)((int64_t)stat.size - file->pos);
	return guest_write_value(t, arg, &left);
}

/* Sockets' older way to say F_SETOWN and F_GETOWN. */
static int64_t owner_ioctl(struct task *t, struct file *file, unsigned request, gaddr_t arg)
{
	int32_t who = file->owner.kind == LX_F_OWNER_PGRP ? -file->owner.pid : file->owner.pid;
	int err;

	if (request == LX_FIOGETOWN || request == LX_SIOCGPGRP)
		return guest_write_value(t, arg, &who);
	err = guest_read_value(t, &who, arg);
	return err < 0 ? err : set_owner_int(t, file, who);
}

/* generic_file_rw_checks(), vfs_clone_file_range(): no file system here shares blocks. */
static int64_t clone_range(struct task *t, struct file *out, int fd_in)
{
	_cleanup_(cleanup_file_unref) struct file *in = fd_get(t->files, fd_in);

	if (!in)
		return -EBADF;
	if (in->inode->sb != out->inode->sb)
		return -EXDEV;
	if (LX_S_ISDIR(in->inode->mode) || LX_S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!LX_S_ISREG(in->inode->mode) || !LX_S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!in->readable || !out->writable || (out->flags & LX_O_APPEND))
		return -EBADF;
	return -EOPNOTSUPP;
}

/* ioctl_file_dedupe_range(): the request is read before anything is said. */
static int64_t dedupe_range(struct task *t, gaddr_t arg)
{
	uint8_t header[24];
	int err = guest_read(t, header, arg, sizeof(header));

	return err < 0 ? err : -EOPNOTSUPP;
}

/* ioctl_fibmap() */
static int64_t file_block_ioctl(const struct task *t)
{
	return cred_capable(t->cred, LX_CAP_SYS_RAWIO) ? -EINVAL : -EPERM;
}

/* The requests that the kernel answers for every file (do_vfs_ioctl()). -ENOIOCTLCMD: not one. */
static int64_t generic_ioctl(
	struct task *t, int fd, struct file *file, unsigned request, gaddr_t arg)
{
	uint32_t mode = file->inode->mode;
	struct lx_file_clone_range range;
	int32_t block_size;
	int err;

	switch (request) {
	case LX_FIOCLEX:
		return fd_set_flags(t->files, fd, LX_FD_CLOEXEC);
	case LX_FIONCLEX:
		return fd_set_flags(t->files, fd, 0);
	case LX_FIONBIO:
		return set_nonblock(t, file, arg);
	case LX_FIOASYNC:
		return set_async(t, file, fd, arg);
	case LX_FIOQSIZE:
		if (!LX_S_ISREG(mode) && !LX_S_ISDIR(mode) && !LX_S_ISLNK(mode))
			return -ENOTTY;
		return file_size_ioctl(t, file, request, arg);
	case LX_FIOSETOWN:
	case LX_SIOCSPGRP:
	case LX_FIOGETOWN:
	case LX_SIOCGPGRP:
		return LX_S_ISSOCK(mode) ? owner_ioctl(t, file, request, arg) : -ENOIOCTLCMD;
	case LX_FIONREAD:
		return LX_S_ISREG(mode) ? file_size_ioctl(t, file, request, arg) : -ENOIOCTLCMD;
	case LX_FIGETBSZ:
		block_size = (int32_t)file->inode->sb->block_size;
		return guest_write_value(t, arg, &block_size);
	case LX_FICLONE:
		return clone_range(t, file, (int)arg.v);
	case LX_FICLONERANGE:
		err = guest_read_value(t, &range, arg);
		return err < 0 ? err : clone_range(t, file, (int)range.src_fd);
	case LX_FIDEDUPERANGE:
		return dedupe_range(t, arg);
	case LX_FIBMAP:
		return LX_S_ISREG(mode) ? file_block_ioctl(t) : -ENOIOCTLCMD;
	case LX_FS_IOC_GETFLAGS:
	case LX_FS_IOC_SETFLAGS:
		return file_flags_ioctl(t, file, request, arg);
	case LX_FS_IOC_FIEMAP:
		return -EOPNOTSUPP; /* no file system says where its bytes are */
	default:
		return -ENOIOCTLCMD;
	}
}

/* is_masked_device_ioctl(): what is no device's own affair, and Landlock leaves to everybody. */
static bool is_vfs_ioctl(unsigned request)
{
	switch (request) {
	case LX_FIOCLEX:
	case LX_FIONCLEX:
	case LX_FIONBIO:
	case LX_FIOASYNC:
	case LX_FIOQSIZE:
	case LX_FIFREEZE:
	case LX_FITHAW:
	case LX_FS_IOC_FIEMAP:
	case LX_FIGETBSZ:
	case LX_FICLONE:
	case LX_FICLONERANGE:
	case LX_FIDEDUPERANGE:
	case LX_FS_IOC_GETFSUUID:
	case LX_FS_IOC_GETFSSYSFSPATH:
		return true;
	default:
		return false;
	}
}

int64_t sys_ioctl(struct task *t, int fd, int request, uint64_t arg)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int64_t r;

	if (!file)
		return -EBADF;
	if (file->no_ioctl && !is_vfs_ioctl((unsigned)request))
		return -EACCES;
	r = generic_ioctl(t, fd, file, (unsigned)request, GADDR(arg));
	if (r != -ENOIOCTLCMD)
		return r;
	if (!file->ops->ioctl)
		return -ENOTTY;
	r = file->ops->ioctl(file, (unsigned)request, GADDR(arg), &ctx);
	return r == -ENOIOCTLCMD ? -ENOTTY : r;
}
