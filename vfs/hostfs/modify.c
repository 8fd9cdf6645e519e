/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing a writable host mount.
 *
 * The parent directory is opened by openat2(2) below the root; the change is one call relative to
 * that descriptor with a single component that the host does not follow (mkdirat, unlinkat,
 * renameat2, linkat, symlinkat), or works on an open descriptor (attributes, size), so no race with
 * a renamed directory or a planted symbolic link reaches outside of the mount. Everything runs on
 * helper threads: a journal may make any of these wait.
 *
 * Names that a policy protects or hides are refused before the host is asked (guarded.c), here and
 * where a file is opened for writing: what comes from file systems that a guest mounts on top comes
 * by here as well.
 *
 * Set-user-id and set-group-id bits are refused: a guest must not leave a privileged program behind
 * for other users of the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "vfs/hostfs/hostfs_private.h"

/*
 * Host calls, on writable mounts only: openat2, mkdirat, unlinkat, renameat2, linkat, symlinkat,
 * fchmodat2 (or fchmod), fchownat, utimensat, ftruncate, close.
 */

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

enum change_kind {
	CHANGE_CREATE, /* name in dir, mode: a regular file; answers with its descriptor */
	CHANGE_MKDIR,  /* name in dir, mode */
	CHANGE_UNLINK, /* name in dir */
	CHANGE_RMDIR,
	CHANGE_SYMLINK, /* name in dir -> target */
	CHANGE_LINK,	/* name in dir becomes name2 in dir2 */
	CHANGE_RENAME,	/* the same, with flags */
	CHANGE_ATTR,	/* name in dir (or the root), attr */
};

struct change_job {
	enum change_kind kind;
	int root_fd;
	const char *name, *name2, *target;
	uint32_t mode;
	unsigned flags;
	const struct iattr *attr;
	int fd, write_fd; /* CHANGE_ATTR: open descriptors of the object, or -1 */
	uid_t uid;
	gid_t gid;
	char dir[LX_PATH_MAX], dir2[LX_PATH_MAX]; /* for CHANGE_ATTR dir is the object itself */
};

static int64_t status_of(long ret)
{
	return ret < 0 ? -errno : 0;
}

static int change_mode(const struct change_job *job, int fd, uint32_t mode)
{
	_cleanup_close_ int opened = -1;

	/* An O_PATH descriptor takes this call from Linux 6.6 on. */
	if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOSYS && errno != EPERM)
		return -errno;
	if (job->fd < 0)
		fd = opened =
			host_open_here(job->root_fd, job->dir, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return fd;
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

static struct timespec time_for(const struct iattr *attr, unsigned bit, const struct ktime *time)
{
	if (!(attr->valid & bit))
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	return (struct timespec){.tv_sec = time->sec, .tv_nsec = time->nsec};
}

static int64_t change_size(const struct change_job *job)
{
	_cleanup_close_ int opened = -1;
	int fd = job->write_fd;

	if (fd < 0)
		fd = opened =
			host_open_here(job->root_fd, job->dir, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
	return fd < 0 ? fd : status_of(ftruncate(fd, (off_t)job->attr->size));
}

static int64_t change_attr(const struct change_job *job)
{
	const struct iattr *attr = job->attr;
	_cleanup_close_ int opened = -1;
	int fd = job->fd;
	int64_t status = 0;

	if (attr->valid & IATTR_SIZE)
		status = change_size(job);
	if (status < 0 ||
		!(attr->valid & (IATTR_MODE | IATTR_UID | IATTR_GID | IATTR_ATIME | IATTR_MTIME)))
		return status;
	if (fd < 0)
		fd = opened = host_open_here(job->root_fd, job->dir, O_PATH, 0);
	if (fd < 0)
		return fd;
	if (attr->valid & (IATTR_UID | IATTR_GID))
		status = status_of(fchownat(fd, "", job->uid, job->gid, AT_EMPTY_PATH));
	if (status == -EINVAL) /* in a user namespace that has no name for it */
		status = -EPERM;
	if (status == 0 && (attr->valid & IATTR_MODE))
		status = change_mode(job, fd, attr->mode & 01777);
	if (status == 0 && (attr->valid & (IATTR_ATIME | IATTR_MTIME))) {
		struct timespec times[2] = {time_for(attr, IATTR_ATIME, &attr->atime),
			time_for(attr, IATTR_MTIME, &attr->mtime)};

		status = status_of(utimensat(fd, "", times, AT_EMPTY_PATH));
	}
	return status;
}

static int64_t change_run(void *arg)
{
	const struct change_job *job = arg;
	_cleanup_close_ int dir = -1, dir2 = -1;

	if (job->kind == CHANGE_ATTR)
		return change_attr(job);
	dir = host_open_here(job->root_fd, job->dir, O_PATH | O_DIRECTORY, 0);
	if (dir < 0)
		return dir;
	if (job->name2) {
		dir2 = host_open_here(job->root_fd, job->dir2, O_PATH | O_DIRECTORY, 0);
		if (dir2 < 0)
			return dir2;
	}
	switch (job->kind) {
	case CHANGE_CREATE:
		return host_open_here(dir, job->name, O_RDWR | O_CREAT | O_EXCL, job->mode & 01777);
	case CHANGE_MKDIR:
		return status_of(mkdirat(dir, job->name, job->mode & 01777));
	case CHANGE_UNLINK:
		return status_of(unlinkat(dir, job->name, 0));
	case CHANGE_RMDIR:
		return status_of(unlinkat(dir, job->name, AT_REMOVEDIR));
	case CHANGE_SYMLINK:
		return status_of(symlinkat(job->target, dir, job->name));
	case CHANGE_LINK:
		return status_of(linkat(dir, job->name, dir2, job->name2, 0));
	case CHANGE_RENAME:
		/* libc's renameat2() makes another call of it when there are no flags. */
		return status_of(
			syscall(SYS_renameat2, dir, job->name, dir2, job->name2, job->flags));
	default:
		return -EINVAL;
	}
}

/* The job's paths are too large for a fiber's stack. */
static int job_new(
	enum change_kind kind, const struct inode *dir, const char *name, struct change_job **ret)
{
	struct change_job *job = malloc(sizeof(*job));
	int status;

	if (!job)
		return -ENOMEM;
	memset(job, 0, offsetof(struct change_job, dir));
	job->kind = kind;
	job->root_fd = host_super(dir->sb)->root_fd;
	job->name = name;
	status = host_path(dir, job->dir);
	if (status < 0) {
		free(job);
		return status;
	}
	*ret = job;
	return 0;
}

static int change_make(struct inode *dir, const char *name, enum change_kind kind, uint32_t mode,
	const char *target, struct inode **ret)
{
	_cleanup_free_ struct change_job *job = NULL;
	int status = host_may_make(dir, name, target ? LX_S_IFLNK : LX_S_IFDIR, "create");

	status = status < 0 ? status : job_new(kind, dir, name, &job);
	if (status < 0)
		return status;
	job->mode = mode;
	job->target = target;
	status = (int)host_blocking(change_run, job);
	return status < 0 ? status : hostfs_lookup(dir, name, ret);
}

/* The new file stays open: its mode may not let us open it again. */
static int hostfs_create(struct inode *dir, const char *name, uint32_t mode,
	const struct cred *cred, struct inode **ret)
{
	_cleanup_free_ struct change_job *job = NULL;
	_cleanup_close_ int fd = -1;
	int status = host_may_make(dir, name, LX_S_IFREG, "create");

	status = status < 0 ? status : job_new(CHANGE_CREATE, dir, name, &job);
	if (status < 0)
		return status;
	job->mode = mode;
	fd = (int)host_blocking(change_run, job);
	if (fd < 0)
		return fd;
	status = host_node_get(dir->sb, fd, dir, name, ret);
	if (status == 0)
		host_node_keep(*ret, take_fd(&fd));
	return status;
}

static int hostfs_mkdir(struct inode *dir, const char *name, uint32_t mode, const struct cred *cred,
	struct inode **ret)
{
	return change_make(dir, name, CHANGE_MKDIR, mode, NULL, ret);
}

static int hostfs_mknod(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
	const struct cred *cred, struct inode **ret)
{
	if (!LX_S_ISREG(mode))
		return -EPERM; /* as on a FAT file system: no special files */
	return hostfs_create(dir, name, mode, cred, ret);
}

static int hostfs_symlink(struct inode *dir, const char *name, const char *target,
	const struct cred *cred, struct inode **ret)
{
	return change_make(dir, name, CHANGE_SYMLINK, 0, target, ret);
}

/* One name of @inode went away. */
static void name_removed(struct inode *inode, struct inode *dir, const char *name)
{
	struct host_node *node = host_node(inode);

	if (node->parent == dir && strcmp(node->name, name) == 0)
		host_node_detach(inode);
	if (inode->nlink > 0)
		inode->nlink = LX_S_ISDIR(inode->mode) ? 0 : inode->nlink - 1;
}

static int change_remove(
	struct inode *dir, const char *name, struct inode *inode, enum change_kind kind)
{
	_cleanup_free_ struct change_job *job = NULL;
	int status = host_may_remove(dir, name, inode->mode);

	status = status < 0 ? status : job_new(kind, dir, name, &job);
	if (status < 0)
		return status;
	status = (int)host_blocking(change_run, job);
	if (status == 0)
		name_removed(inode, dir, name);
	return status;
}

static int hostfs_unlink(struct inode *dir, const char *name, struct inode *inode)
{
	return change_remove(dir, name, inode, CHANGE_UNLINK);
}

static int hostfs_rmdir(struct inode *dir, const char *name, struct inode *inode)
{
	return change_remove(dir, name, inode, CHANGE_RMDIR);
}

static int hostfs_link(struct inode *dir, const char *name, struct inode *inode)
{
	struct host_node *node = host_node(inode);
	_cleanup_free_ struct change_job *job = NULL;
	int status;

	if (!node->parent)
		return -ENOENT; /* O_TMPFILE does not exist here, so: unlinked */
	status = host_may_change(inode, "link", false);
	status = status < 0 ? status : host_may_make(dir, name, inode->mode, "create");
	if (status < 0)
		return status;
	status = job_new(CHANGE_LINK, node->parent, node->name, &job);
	if (status < 0)
		return status;
	job->name2 = name;
	status = host_path(dir, job->dir2);
	if (status == 0)
		status = (int)host_blocking(change_run, job);
	if (status == 0)
		inode->nlink++;
	return status;
}

static int hostfs_rename(struct inode *old_dir, const char *old_name, struct inode *inode,
	struct inode *new_dir, const char *new_name, struct inode *target, unsigned flags,
	const struct cred *cred)
{
	_cleanup_free_ struct change_job *job = NULL;
	int status;

	if (flags & LX_RENAME_WHITEOUT)
		return -EINVAL;
	status = host_may_move(old_dir, old_name, inode->mode);
	status = status < 0 ? status : host_may_move(new_dir, new_name, inode->mode);
	/* What is replaced, or changes places, may be of another kind. */
	if (status == 0 && target) {
		status = host_may_move(new_dir, new_name, target->mode);
		status = status < 0 ? status : host_may_move(old_dir, old_name, target->mode);
	}
	if (status < 0)
		return status;
	status = job_new(CHANGE_RENAME, old_dir, old_name, &job);
	if (status < 0)
		return status;
	job->name2 = new_name;
	job->flags = flags;
	status = host_path(new_dir, job->dir2);
	if (status == 0)
		status = (int)host_blocking(change_run, job);
	if (status < 0)
		return status;
	if (target && (flags & LX_RENAME_EXCHANGE))
		(void)host_node_rename(target, old_dir, old_name);
	else if (target)
		name_removed(target, new_dir, new_name);
	if (host_node_rename(inode, new_dir, new_name) < 0)
		host_node_detach(inode); /* out of memory: the next look-up names it again */
	return 0;
}

static int hostfs_setattr(struct inode *inode, const struct iattr *attr)
{
	struct host_node *node = host_node(inode);
	_cleanup_free_ struct change_job *job = NULL;
	struct kstat stat;
	int status;

	if ((attr->valid & IATTR_MODE) && (attr->mode & (LX_S_ISUID | LX_S_ISGID)))
		return -EPERM;
	if (host_super(inode->sb)->single_file)
		return -EPERM;
	status = host_may_change(inode, "change",
		LX_S_ISDIR(inode->mode) && !(attr->valid & (IATTR_MODE | IATTR_UID | IATTR_GID)));
	if (status < 0)
		return status;
	job = malloc(sizeof(*job));
	if (!job)
		return -ENOMEM;
	memset(job, 0, offsetof(struct change_job, dir));
	job->kind = CHANGE_ATTR;
	job->root_fd = host_super(inode->sb)->root_fd;
	job->attr = attr;
	job->uid = attr->valid & IATTR_UID ? host_owner_uid(attr->uid) : (uid_t)-1;
	job->gid = attr->valid & IATTR_GID ? host_owner_gid(attr->gid) : (gid_t)-1;
	job->fd = host_node_any_fd(node);
	job->write_fd =
		node->fds[HOST_WRITE] >= 0 ? node->fds[HOST_WRITE] : node->fds[HOST_READ_WRITE];
	status = host_path(inode, job->dir);
	if (status < 0 && job->fd < 0)
		return status; /* unlinked and not open either */
	if (status < 0 && (attr->valid & IATTR_SIZE) && job->write_fd < 0)
		return status;
	host_node_hold(inode); /* the descriptors stay while the helper uses them */
	status = (int)host_blocking(change_run, job);
	if (status == 0)
		status = host_getattr(inode, &stat);
	host_node_close(inode);
	return status;
}

const struct inode_ops hostfs_dir_ops_rw = {
	.lookup = hostfs_lookup,
	.revalidate = hostfs_revalidate,
	.create = hostfs_create,
	.mkdir = hostfs_mkdir,
	.mknod = hostfs_mknod,
	.symlink = hostfs_symlink,
	.link = hostfs_link,
	.unlink = hostfs_unlink,
	.rmdir = hostfs_rmdir,
	.rename = hostfs_rename,
	.getattr = host_getattr,
	.setattr = hostfs_setattr,
	.open = hostfs_open_dir,
	.getxattr = hostfs_getxattr,
	.setxattr = hostfs_setxattr,
	.listxattr = hostfs_listxattr,
	.removexattr = hostfs_removexattr,
};

const struct inode_ops hostfs_file_inode_ops_rw = {
	.getattr = host_getattr,
	.setattr = hostfs_setattr,
	.open = hostfs_open_file,
	.getxattr = hostfs_getxattr,
	.setxattr = hostfs_setxattr,
	.listxattr = hostfs_listxattr,
	.removexattr = hostfs_removexattr,
};

const struct inode_ops hostfs_symlink_ops_rw = {
	.readlink = hostfs_readlink,
	.getattr = host_getattr,
	.setattr = hostfs_setattr,
};
