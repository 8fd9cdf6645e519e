/* SPDX-License-Identifier: Apache-2.0 */
/* open(2), openat2(2), creat(2), close(2), close_range(2), name_to_handle_at(2),
 * open_by_handle_at(2) */
#include <errno.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/mount.h"
#include "abi/resource.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "sentry/shared_names.h"
#include "sentry/syscalls/anon_fd.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"
#include "sentry/held.h"
#include "vfs/handle.h"

#define OPEN_FLAGS_KNOWN                                                                           \
	(LX_O_ACCMODE | LX_O_CREAT | LX_O_EXCL | LX_O_NOCTTY | LX_O_TRUNC | LX_O_APPEND |          \
		LX_O_NONBLOCK | LX_O_SYNC | LX_FASYNC | LX_O_DIRECT | LX_O_LARGEFILE |             \
		LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_NOATIME | LX_O_CLOEXEC | LX_O_PATH |         \
		LX_O_TMPFILE_BIT)
#define OPEN_PATH_FLAGS (LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_PATH | LX_O_CLOEXEC)
#define RESOLVE_KNOWN                                                                              \
	(LX_RESOLVE_NO_XDEV | LX_RESOLVE_NO_MAGICLINKS | LX_RESOLVE_NO_SYMLINKS |                  \
		LX_RESOLVE_BENEATH | LX_RESOLVE_IN_ROOT | LX_RESOLVE_CACHED)

/* A file larger than that is not kept from being freed for the time of a close. */
#define CLOSE_LATER_SIZE (1u << 20)

/*
 * Whether it makes no difference when exactly @file, of a tree that is all ours, is closed: no lock
 * can end with it, nobody watches, and it keeps nothing of size from being freed.
 */
static bool may_close_later(const struct file *file)
{
	const struct inode *inode = file->inode;

	return !inode->locks && file_is_unwatched(file) &&
	       (inode->sb->read_only_for_ever || inode->size <= CLOSE_LATER_SIZE);
}

/* What the opener is going to ask about @file, to be said with the descriptor. */
static uint32_t describe_opened(struct file *file, struct lx_stat *ret)
{
	struct vfs_lasting lasting = vfs_lasting_begin();
	const struct inode *inode = file->inode;
	uint32_t flags = PLATFORM_OPENED_PLAIN;

	if (!inode->sb->stable || (file->flags & LX_O_PATH) ||
		!(LX_S_ISREG(inode->mode) || LX_S_ISDIR(inode->mode)))
		return 0;
	/* Access mode 3 is for ioctl alone; O_DIRECT has rules of its own. */
	if (LX_S_ISREG(inode->mode) && (file->readable || file->writable) &&
		!(file->flags & LX_O_DIRECT))
		flags |= PLATFORM_OPENED_START;
	if (may_close_later(file))
		flags |= PLATFORM_OPENED_CLOSE;
	if ((flags & PLATFORM_OPENED_START) && file->readable)
		flags |= PLATFORM_OPENED_READ;
	if (file_is_unwatched(file))
		flags |= PLATFORM_OPENED_DATA;
	if (inode->write_count == file->counted_write && stat_of_path(&file->path, ret) == 0 &&
		vfs_lasting_promise_opened(&lasting, file))
		flags |= PLATFORM_OPENED_STAT;
	return flags;
}

void opened_tell_again(struct task *t, int fd)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct lx_stat stat;
	uint32_t known;

	if (!task_should_tell_again(t, fd))
		return;
	file = fd_get(t->files, fd);
	known = file ? describe_opened(file, &stat) : 0;
	if (known)
		task_tell_opened(t, fd, known, file->flags, &stat);
}

/* So many in vain, and only some of the others are given. */
#define CONTENT_TRIES	  4u
#define CONTENT_TRY_AGAIN 64u

/* Whether a task that opens files reads them: most do, some want to know that they are there. */
static bool content_is_worth(struct task *t)
{
	const uint8_t unused = t->content_unused;

	t->content_unused = (uint8_t)(unused < 255 ? unused + 1u : 256u - CONTENT_TRY_AGAIN);
	return unused < CONTENT_TRIES || unused % CONTENT_TRY_AGAIN == 0u;
}

/*
 * All bytes of a small file, of a tree that nobody changes, for the reads that follow at once: they
 * are what a read at this moment gives. Only those that are at hand.
 */
static bool give_content(struct task *t, struct file *file, uint32_t known)
{
	const uint32_t needed = PLATFORM_OPENED_START | PLATFORM_OPENED_STAT |
				PLATFORM_OPENED_READ | PLATFORM_OPENED_DATA;
	const uint64_t size = file->inode->size;
	struct vfs_ctx ctx = task_vfs_ctx(t);
	struct uio_segment segment;
	struct uio uio;

	if ((known & needed) != needed || !t->thread->content ||
		!file->inode->sb->read_only_for_ever || size == 0 || size > PLATFORM_CONTENT_MAX ||
		!content_is_worth(t))
		return false;
	uio_init_kernel(&uio, &segment, t->thread->content, size);
	uio.nonblock = true;
	return file_pread(file, &uio, 0, &ctx) == (ssize_t)size;
}

static int64_t install_and_tell(struct task *t, struct file *file, bool cloexec)
{
	struct lx_stat stat;
	uint32_t known = task_may_know_opened(t) ? describe_opened(file, &stat) : 0;
	int flags = file->flags;
	int64_t fd;

	if (give_content(t, file, known))
		known |= PLATFORM_OPENED_CONTENT;
	fd = install_new_file(t, file, cloexec);
	if (fd >= 0 && known)
		task_tell_opened(t, (int)fd, known, flags, &stat);
	return fd;
}

/* do_sys_openat2(): flags, then the name, then a free descriptor, and only then the file. */
static int64_t do_open(
	struct task *t, int dirfd, gaddr_t name, int flags, unsigned mode, unsigned walk_flags)
{
	uint64_t limit = task_rlimit(t, LX_RLIMIT_NOFILE);
	_cleanup_at_ struct at_name at = {0};
	struct vfs_lasting lasting = vfs_lasting_begin();
	struct vfs_ctx ctx = task_vfs_ctx(t);
	struct file *file;
	int err = vfs_open_flags(&flags);

	task_forget_opened(t);
	if (err < 0)
		return err;
	err = at_name_read(t, dirfd, name, walk_flags, &at);
	if (err < 0)
		return err;
	if (!fd_available(t->files, limit))
		return -EMFILE;
	ctx.lasting = &lasting;
	err = vfs_open(&ctx, at_base(&at), at.name, flags, mode, walk_flags, &file);
	if (err == -ENOENT && walk_flags == 0 && !(flags & (LX_O_CREAT | LX_O_TMPFILE_BIT)))
		shared_name_missing(t, &at, !(flags & LX_O_NOFOLLOW), &lasting);
	if (err < 0)
		return err;
	if (walk_flags == 0 && !(flags & (LX_O_CREAT | LX_O_TMPFILE_BIT | LX_O_NOFOLLOW)))
		shared_file_opened(t, &at, file, &lasting);
	return install_and_tell(t, file, flags & LX_O_CLOEXEC);
}

/* build_open_how(): the old calls ignore what they do not know. */
static unsigned lenient_flags(unsigned flags)
{
	flags &= OPEN_FLAGS_KNOWN;
	return flags & LX_O_PATH ? flags & OPEN_PATH_FLAGS : flags | LX_O_LARGEFILE;
}

static int64_t open_leniently(
	struct task *t, int dirfd, gaddr_t name, unsigned flags, unsigned mode)
{
	return do_open(t, dirfd, name, (int)lenient_flags(flags), mode & 07777, 0);
}

int64_t sys_open(struct task *t, gaddr_t pathname, unsigned flags, unsigned mode)
{
	return open_leniently(t, LX_AT_FDCWD, pathname, flags, mode);
}

int64_t sys_openat(struct task *t, int dirfd, gaddr_t pathname, unsigned flags, unsigned mode)
{
	return open_leniently(t, dirfd, pathname, flags, mode);
}

int64_t sys_creat(struct task *t, gaddr_t pathname, unsigned mode)
{
	return open_leniently(
		t, LX_AT_FDCWD, pathname, LX_O_CREAT | LX_O_WRONLY | LX_O_TRUNC, mode);
}

static unsigned resolve_to_walk(uint64_t resolve)
{
	return (resolve & LX_RESOLVE_NO_XDEV ? WALK_NO_XDEV : 0) |
	       (resolve & LX_RESOLVE_NO_MAGICLINKS ? WALK_NO_MAGIC : 0) |
	       (resolve & LX_RESOLVE_NO_SYMLINKS ? WALK_NO_SYMLINK : 0) |
	       (resolve & LX_RESOLVE_BENEATH ? WALK_BENEATH : 0) |
	       (resolve & LX_RESOLVE_IN_ROOT ? WALK_IN_ROOT : 0);
}

static int check_how(const struct lx_open_how *how)
{
	const uint64_t scopes = LX_RESOLVE_BENEATH | LX_RESOLVE_IN_ROOT;
	bool creates = how->flags & (LX_O_CREAT | LX_O_TMPFILE_BIT);

	if (how->flags & ~(uint64_t)OPEN_FLAGS_KNOWN || how->resolve & ~(uint64_t)RESOLVE_KNOWN)
		return -EINVAL;
	if ((how->resolve & scopes) == scopes)
		return -EINVAL;
	if (how->mode & ~07777ull || (how->mode && !creates))
		return -EINVAL;
	if ((how->flags & LX_O_PATH) && (how->flags & ~(uint64_t)OPEN_PATH_FLAGS))
		return -EINVAL;
	return 0;
}

int64_t sys_openat2(struct task *t, int dirfd, gaddr_t pathname, gaddr_t how_addr, uint64_t size)
{
	struct lx_open_how how;
	int flags, err;

	if (size < LX_OPEN_HOW_SIZE_VER0)
		return -EINVAL;
	err = guest_read_struct(t, &how, sizeof(how), how_addr, size);
	if (err < 0)
		return err;
	err = check_how(&how);
	if (err < 0)
		return err;
	flags = (int)how.flags;
	if (!(flags & LX_O_PATH))
		flags |= LX_O_LARGEFILE;
	err = vfs_open_flags(&flags);
	if (err < 0)
		return err;
	/* Whether a walk will need the disk is not known before it was made. */
	if (how.resolve & LX_RESOLVE_CACHED)
		return -EAGAIN;
	return do_open(t, dirfd, pathname, flags, (unsigned)how.mode, resolve_to_walk(how.resolve));
}

int64_t sys_close(struct task *t, int fd)
{
	int err = fd_close(t->files, fd, NULL);

	/* The descriptor is gone whatever happened: the call must not be restarted. */
	return err < -511 ? -EINTR : err;
}

int64_t sys_close_range(struct task *t, unsigned first, unsigned last, unsigned flags)
{
	if (flags & ~(unsigned)(LX_CLOSE_RANGE_UNSHARE | LX_CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & LX_CLOSE_RANGE_UNSHARE) {
		struct fd_table *copy, *old = t->files;
		int err = fd_table_copy(old, &copy);

		if (err < 0)
			return err;
		held_take_back(t);
		t->files = copy;
		fd_table_unref(old);
	}
	fd_close_range(t->files, first, last, flags & LX_CLOSE_RANGE_CLOEXEC);
	return 0;
}

/* ---- file handles ---- */

#define HANDLE_FLAGS                                                                               \
	(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH | LX_AT_HANDLE_FID | LX_AT_HANDLE_MNT_ID_UNIQUE | \
		LX_AT_HANDLE_CONNECTABLE)
/* Upper half of handle_type (exportfs.h): made with AT_HANDLE_CONNECTABLE, of a directory. */
#define HANDLE_IS_CONNECTABLE 0x10000u
#define HANDLE_IS_DIR	      0x20000u

/* struct file_handle without its bytes */
struct handle_head {
	uint32_t bytes;
	int32_t type;
};

/* do_sys_name_to_handle(): the mount's number is told even if the buffer is too small. */
static int64_t tell_handle(
	struct task *t, const struct path *path, gaddr_t to, gaddr_t mount_id, unsigned flags)
{
	struct vfs_handle handle;
	struct handle_head head;
	uint64_t id = path->mount ? (uint64_t)path->mount->id : 0;
	bool fits;
	int err;

	err = vfs_handle_make(path, flags & LX_AT_HANDLE_FID, &handle);
	if (err < 0)
		return err;
	err = guest_read(t, &head, to, sizeof(head));
	if (err < 0)
		return err;
	if (head.bytes > LX_MAX_HANDLE_SZ)
		return -EINVAL;
	fits = handle.size <= head.bytes;
	head = (struct handle_head){handle.size, handle.type};
	if (fits && (flags & LX_AT_HANDLE_CONNECTABLE))
		head.type |= (int32_t)(HANDLE_IS_CONNECTABLE |
				       (LX_S_ISDIR(path->dentry->inode->mode) ? HANDLE_IS_DIR : 0));
	if (flags & LX_AT_HANDLE_MNT_ID_UNIQUE)
		id += LX_MNT_UNIQUE_ID_OFFSET;
	err = guest_write(t, mount_id, &id, flags & LX_AT_HANDLE_MNT_ID_UNIQUE ? 8 : 4);
	if (err == 0)
		err = guest_write(t, to, &head, sizeof(head));
	if (err == 0 && fits)
		err = guest_write(t, GADDR(to.v + sizeof(head)), handle.bytes, handle.size);
	if (err < 0)
		return err;
	return fits ? 0 : -EOVERFLOW;
}

int64_t sys_name_to_handle_at(struct task *t, int dirfd, gaddr_t pathname, gaddr_t handle,
	gaddr_t mount_id, unsigned flags)
{
	_cleanup_path_ struct path path = {0};
	int err;

	if (flags & ~(unsigned)HANDLE_FLAGS)
		return -EINVAL;
	if ((flags & LX_AT_HANDLE_CONNECTABLE) && (flags & (LX_AT_HANDLE_FID | LX_AT_EMPTY_PATH)))
		return -EINVAL;
	err = at_walk(t, dirfd, pathname,
		(flags & LX_AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) |
			(flags & LX_AT_EMPTY_PATH ? WALK_EMPTY : 0),
		&path);
	return err < 0 ? err : tell_handle(t, &path, handle, mount_id, flags);
}

/* The mount that a handle is opened by, by way of anything in it. Owned. */
static int handle_root(struct task *t, int fd, struct path *ret)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;

	if (fd == LX_AT_FDCWD) {
		*ret = t->fs->cwd;
	} else {
		file = fd_get_any(t->files, fd);
		if (!file)
			return -EBADF;
		*ret = file->path;
	}
	path_ref(ret);
	return 0;
}

int64_t sys_open_by_handle_at(struct task *t, int mount_fd, gaddr_t handle_addr, unsigned flags)
{
	_cleanup_path_ struct path root = {0}, path = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	struct vfs_handle handle = {0};
	struct handle_head head;
	struct file *file;
	int open_flags, err = guest_read(t, &head, handle_addr, sizeof(head));

	if (err < 0)
		return err;
	if (head.bytes == 0 || head.bytes > LX_MAX_HANDLE_SZ)
		return -EINVAL;
	if (head.type < 0 ||
		((uint32_t)head.type & 0xffff0000u & ~(HANDLE_IS_CONNECTABLE | HANDLE_IS_DIR)))
		return -EINVAL;
	err = handle_root(t, mount_fd, &root);
	if (err < 0)
		return err;
	if (!cred_capable(t->cred, LX_CAP_DAC_READ_SEARCH))
		return -EPERM;
	err = guest_read(t, handle.bytes, GADDR(handle_addr.v + sizeof(head)), head.bytes);
	if (err < 0)
		return err;
	handle.size = head.bytes;
	handle.type = head.type & 0xffff;
	err = vfs_handle_find(&root, &handle, &path);
	if (err < 0)
		return err;
	if (!fd_available(t->files, task_rlimit(t, LX_RLIMIT_NOFILE)))
		return -EMFILE;
	open_flags = (int)lenient_flags(flags);
	task_forget_opened(t);
	err = vfs_open_flags(&open_flags);
	if (err < 0)
		return err;
	if (LX_S_ISLNK(path.dentry->inode->mode) && !(open_flags & LX_O_PATH))
		return -ELOOP;
	if ((open_flags & LX_O_CREAT) && (open_flags & LX_O_EXCL))
		return -EEXIST;
	if ((open_flags & LX_O_CREAT) && LX_S_ISDIR(path.dentry->inode->mode))
		return -EISDIR;
	err = vfs_open_path(&ctx, &path, open_flags, &file);
	return err < 0 ? err : install_and_tell(t, file, open_flags & LX_O_CLOEXEC);
}
