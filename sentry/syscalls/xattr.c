/* SPDX-License-Identifier: Apache-2.0 */
/* setxattr(2), getxattr(2), listxattr(2), removexattr(2), each by name, by name without following a
 * last symlink, and by descriptor */
#include <errno.h>
#include <stdlib.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/xattr.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"

/* What the three forms of a call differ in. */
struct target {
	int fd; /* when there is no name; else where relative names start */
	gaddr_t name;
	bool by_name;
	unsigned walk_flags;
};

#define BY_NAME(path)                                                                              \
	((struct target){                                                                          \
		.fd = LX_AT_FDCWD, .name = (path), .by_name = true, .walk_flags = WALK_FOLLOW})
#define BY_LINK(path)	      ((struct target){.fd = LX_AT_FDCWD, .name = (path), .by_name = true})
#define BY_DESCRIPTOR(number) ((struct target){.fd = (number)})

static int target_path(struct task *t, const struct target *target, struct path *ret)
{
	struct file *file;

	if (target->by_name)
		return at_walk(t, target->fd, target->name, target->walk_flags, ret);
	file = fd_get(t->files, target->fd);
	if (!file)
		return -EBADF;
	*ret = file->path;
	path_ref(ret);
	file_unref(file);
	return 0;
}

static int read_attribute_name(struct task *t, gaddr_t addr, char name[LX_XATTR_NAME_MAX + 1])
{
	ssize_t size = guest_read_string(t, name, addr, LX_XATTR_NAME_MAX + 1);

	if (size == -ENAMETOOLONG || size == 0)
		return -ERANGE;
	return size < 0 ? (int)size : 0;
}

static int64_t do_setxattr(struct task *t, struct target target, gaddr_t name_addr,
	gaddr_t value_addr, uint64_t size, unsigned flags)
{
	char name[LX_XATTR_NAME_MAX + 1];
	_cleanup_path_ struct path path = {0};
	_cleanup_free_ void *value = NULL;
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err;

	if (flags & ~(unsigned)(LX_XATTR_CREATE | LX_XATTR_REPLACE))
		return -EINVAL;
	err = read_attribute_name(t, name_addr, name);
	if (err < 0)
		return err;
	if (size > LX_XATTR_SIZE_MAX)
		return -E2BIG;
	value = malloc(size + 1);
	if (!value)
		return -ENOMEM;
	err = guest_read(t, value, value_addr, size);
	if (err >= 0)
		err = target_path(t, &target, &path);
	return err < 0 ? err : vfs_setxattr(&ctx, &path, name, value, size, (int)flags);
}

static int64_t do_getxattr(
	struct task *t, struct target target, gaddr_t name_addr, gaddr_t value_addr, uint64_t size)
{
	char name[LX_XATTR_NAME_MAX + 1];
	_cleanup_path_ struct path path = {0};
	_cleanup_free_ void *value = NULL;
	struct vfs_ctx ctx = task_vfs_ctx(t);
	ssize_t length;
	int err = read_attribute_name(t, name_addr, name);

	if (err >= 0)
		err = target_path(t, &target, &path);
	if (err < 0)
		return err;
	size = min_of(size, (uint64_t)LX_XATTR_SIZE_MAX);
	value = malloc(size + 1);
	if (!value)
		return -ENOMEM;
	length = vfs_getxattr(&ctx, &path, name, value, size);
	if (length <= 0 || size == 0)
		return length;
	err = guest_write_result(t, value_addr, value, (size_t)length);
	return err < 0 ? err : length;
}

static int64_t do_listxattr(struct task *t, struct target target, gaddr_t list_addr, uint64_t size)
{
	_cleanup_path_ struct path path = {0};
	_cleanup_free_ char *list = NULL;
	struct vfs_ctx ctx = task_vfs_ctx(t);
	ssize_t length;
	int err = target_path(t, &target, &path);

	if (err < 0)
		return err;
	size = min_of(size, (uint64_t)LX_XATTR_LIST_MAX);
	list = malloc(size + 1);
	if (!list)
		return -ENOMEM;
	length = vfs_listxattr(&ctx, &path, list, size);
	if (length <= 0 || size == 0)
		return length;
	err = guest_write_result(t, list_addr, list, (size_t)length);
	return err < 0 ? err : length;
}

static int64_t do_removexattr(struct task *t, struct target target, gaddr_t name_addr)
{
	char name[LX_XATTR_NAME_MAX + 1];
	_cleanup_path_ struct path path = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err = read_attribute_name(t, name_addr, name);

	if (err >= 0)
		err = target_path(t, &target, &path);
	return err < 0 ? err : vfs_removexattr(&ctx, &path, name);
}

int64_t sys_setxattr(
	struct task *t, gaddr_t path, gaddr_t name, gaddr_t value, uint64_t size, unsigned flags)
{
	return do_setxattr(t, BY_NAME(path), name, value, size, flags);
}

int64_t sys_lsetxattr(
	struct task *t, gaddr_t path, gaddr_t name, gaddr_t value, uint64_t size, unsigned flags)
{
	return do_setxattr(t, BY_LINK(path), name, value, size, flags);
}

int64_t sys_fsetxattr(
	struct task *t, int fd, gaddr_t name, gaddr_t value, uint64_t size, unsigned flags)
{
	return do_setxattr(t, BY_DESCRIPTOR(fd), name, value, size, flags);
}

int64_t sys_getxattr(struct task *t, gaddr_t path, gaddr_t name, gaddr_t value, uint64_t size)
{
	return do_getxattr(t, BY_NAME(path), name, value, size);
}

int64_t sys_lgetxattr(struct task *t, gaddr_t path, gaddr_t name, gaddr_t value, uint64_t size)
{
	return do_getxattr(t, BY_LINK(path), name, value, size);
}

int64_t sys_fgetxattr(struct task *t, int fd, gaddr_t name, gaddr_t value, uint64_t size)
{
	return do_getxattr(t, BY_DESCRIPTOR(fd), name, value, size);
}

int64_t sys_listxattr(struct task *t, gaddr_t path, gaddr_t list, uint64_t size)
{
	return do_listxattr(t, BY_NAME(path), list, size);
}

int64_t sys_llistxattr(struct task *t, gaddr_t path, gaddr_t list, uint64_t size)
{
	return do_listxattr(t, BY_LINK(path), list, size);
}

int64_t sys_flistxattr(struct task *t, int fd, gaddr_t list, uint64_t size)
{
	return do_listxattr(t, BY_DESCRIPTOR(fd), list, size);
}

int64_t sys_removexattr(struct task *t, gaddr_t path, gaddr_t name)
{
	return do_removexattr(t, BY_NAME(path), name);
}

int64_t sys_lremovexattr(struct task *t, gaddr_t path, gaddr_t name)
{
	return do_removexattr(t, BY_LINK(path), name);
}

int64_t sys_fremovexattr(struct task *t, int fd, gaddr_t name)
{
	return do_removexattr(t, BY_DESCRIPTOR(fd), name);
}

/* ---- setxattrat(2) and relatives ------------------------------------------------------------- */

#define AT_FLAGS (LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH)

/* A missing name with AT_EMPTY_PATH is the descriptor (getname_maybe_null()). */
static struct target target_at(int dirfd, gaddr_t path, unsigned at_flags)
{
	if (gaddr_is_null(path) && (at_flags & LX_AT_EMPTY_PATH))
		return BY_DESCRIPTOR(dirfd);
	return (struct target){
		.fd = dirfd, .name = path, .by_name = true, .walk_flags = at_walk_flags(at_flags)};
}

/* listxattrat(2) and removexattrat(2) take an empty name for the descriptor alone, be it none. */
static struct target target_of_name(struct task *t, int dirfd, gaddr_t path, unsigned at_flags)
{
	char first;

	if ((at_flags & LX_AT_EMPTY_PATH) && dirfd == LX_AT_FDCWD && !gaddr_is_null(path) &&
		guest_read_value(t, &first, path) == 0 && first == '\0')
		return BY_DESCRIPTOR(dirfd);
	return target_at(dirfd, path, at_flags);
}

static int read_xattr_args(struct task *t, gaddr_t addr, uint64_t size, struct lx_xattr_args *ret)
{
	if (size < sizeof(*ret))
		return -EINVAL;
	if (size > SENTRY_MAX_STRUCT_SIZE)
		return -E2BIG;
	return guest_read_struct(t, ret, sizeof(*ret), addr, size);
}

int64_t sys_setxattrat(struct task *t, int dirfd, gaddr_t path, unsigned at_flags, gaddr_t name,
	gaddr_t args_addr, uint64_t size)
{
	struct lx_xattr_args args;
	int err = read_xattr_args(t, args_addr, size, &args);

	if (err < 0)
		return err;
	if (at_flags & ~(unsigned)AT_FLAGS)
		return -EINVAL;
	return do_setxattr(t, target_at(dirfd, path, at_flags), name, GADDR(args.value), args.size,
		args.flags);
}

int64_t sys_getxattrat(struct task *t, int dirfd, gaddr_t path, unsigned at_flags, gaddr_t name,
	gaddr_t args_addr, uint64_t size)
{
	struct lx_xattr_args args;
	int err = read_xattr_args(t, args_addr, size, &args);

	if (err < 0)
		return err;
	if (args.flags || at_flags & ~(unsigned)AT_FLAGS)
		return -EINVAL;
	return do_getxattr(t, target_at(dirfd, path, at_flags), name, GADDR(args.value), args.size);
}

int64_t sys_listxattrat(
	struct task *t, int dirfd, gaddr_t path, unsigned at_flags, gaddr_t list, uint64_t size)
{
	if (at_flags & ~(unsigned)AT_FLAGS)
		return -EINVAL;
	return do_listxattr(t, target_of_name(t, dirfd, path, at_flags), list, size);
}

int64_t sys_removexattrat(struct task *t, int dirfd, gaddr_t path, unsigned at_flags, gaddr_t name)
{
	if (at_flags & ~(unsigned)AT_FLAGS)
		return -EINVAL;
	return do_removexattr(t, target_of_name(t, dirfd, path, at_flags), name);
}
