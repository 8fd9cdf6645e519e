/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes (xattr(7)): who may touch which namespace; kernel fs/xattr.c:
 * xattr_permission(). */
#include <errno.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/inotify.h"
#include "abi/xattr.h"
#include "vfs/file_caps.h"
#include "vfs/internal.h"

#define CAPABILITY LX_XATTR_SECURITY_PREFIX "capability"

static bool has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* cap_inode_setxattr(): file capabilities are the file's owner's affair, the rest is not. */
static bool security_writable(const struct cred *cred, const struct inode *inode, const char *name)
{
	const struct user_ns *ns = inode->sb->user_ns ? inode->sb->user_ns : &user_ns_first;

	if (!strcmp(name, CAPABILITY))
		return cred_inode_capable(cred, inode, LX_CAP_SETFCAP);
	return cred_ns_capable(cred, ns, LX_CAP_SYS_ADMIN);
}

static int xattr_permission(
	const struct vfs_ctx *ctx, struct inode *inode, const char *name, int may)
{
	bool write = may & VFS_MAY_WRITE;

	if (has_prefix(name, LX_XATTR_SECURITY_PREFIX))
		return write && !security_writable(ctx->cred, inode, name) ? -EPERM : 0;
	if (has_prefix(name, LX_XATTR_SYSTEM_PREFIX))
		return 0;
	if (has_prefix(name, LX_XATTR_TRUSTED_PREFIX) && !cred_capable(ctx->cred, LX_CAP_SYS_ADMIN))
		return write ? -EPERM : -ENODATA;
	if (has_prefix(name, LX_XATTR_USER_PREFIX)) {
		if (!LX_S_ISREG(inode->mode) && !LX_S_ISDIR(inode->mode))
			return write ? -EPERM : -ENODATA;
		if (LX_S_ISDIR(inode->mode) && (inode->mode & LX_S_ISVTX) && write &&
			!inode_owner_or_capable(inode, ctx->cred))
			return -EPERM;
	}
	return inode_permission(inode, may, ctx);
}

/* A known prefix with something behind it. */
static int xattr_name_check(const struct inode *inode, const char *name)
{
	static const char *const prefixes[] = {
		LX_XATTR_USER_PREFIX, LX_XATTR_TRUSTED_PREFIX, LX_XATTR_SECURITY_PREFIX};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (has_prefix(name, prefixes[i]))
			return name[strlen(prefixes[i])] ? 0 : -EINVAL;
	}
	return inode->ops->system_names && has_prefix(name, LX_XATTR_SYSTEM_PREFIX) ? 0
										    : -EOPNOTSUPP;
}

/* As the caller's user namespace sees it. */
static ssize_t get_capability(
	const struct vfs_ctx *ctx, struct inode *inode, void *value, size_t size)
{
	struct lx_vfs_caps caps;
	ssize_t kept = inode->ops->getxattr(inode, CAPABILITY, &caps, sizeof(caps));

	return kept < 0 ? kept : file_caps_to_user(ctx->cred, &caps, (size_t)kept, value, size);
}

ssize_t vfs_getxattr(const struct vfs_ctx *ctx, const struct path *path, const char *name,
	void *value, size_t size)
{
	struct inode *inode = path->dentry->inode;
	int err = xattr_permission(ctx, inode, name, VFS_MAY_READ);

	if (err < 0)
		return err;
	err = xattr_name_check(inode, name);
	if (err < 0)
		return err;
	if (!inode->ops->getxattr)
		return -EOPNOTSUPP;
	return strcmp(name, CAPABILITY) ? inode->ops->getxattr(inode, name, value, size)
					: get_capability(ctx, inode, value, size);
}

int vfs_setxattr(const struct vfs_ctx *ctx, const struct path *path, const char *name,
	const void *value, size_t size, int flags)
{
	struct inode *inode = path->dentry->inode;
	char caps[LX_VFS_CAP_SIZE_3];
	int err = path_check_write(path);

	if (err < 0)
		return err;
	if (size && !strcmp(name, CAPABILITY)) {
		ssize_t kept = file_caps_from_user(inode, ctx->cred, value, size, caps);

		if (kept < 0)
			return (int)kept;
		value = caps;
		size = (size_t)kept;
	}
	fiber_mutex_lock(&inode->mutex);
	err = xattr_permission(ctx, inode, name, VFS_MAY_WRITE);
	if (err >= 0)
		err = xattr_name_check(inode, name);
	if (err >= 0)
		err = inode->ops->setxattr ? inode->ops->setxattr(inode, name, value, size, flags)
					   : -EOPNOTSUPP;
	fiber_mutex_unlock(&inode->mutex);
	if (err >= 0)
		vfs_notify_path(path, LX_IN_ATTRIB);
	return err;
}

int vfs_removexattr(const struct vfs_ctx *ctx, const struct path *path, const char *name)
{
	struct inode *inode = path->dentry->inode;
	int err = path_check_write(path);

	if (err < 0)
		return err;
	fiber_mutex_lock(&inode->mutex);
	err = xattr_permission(ctx, inode, name, VFS_MAY_WRITE);
	if (err >= 0)
		err = xattr_name_check(inode, name);
	if (err >= 0)
		err = inode->ops->removexattr ? inode->ops->removexattr(inode, name) : -EOPNOTSUPP;
	fiber_mutex_unlock(&inode->mutex);
	if (err >= 0)
		vfs_notify_path(path, LX_IN_ATTRIB);
	return err;
}

/* The names that the caller may see: trusted.* needs CAP_SYS_ADMIN. */
static size_t filter_list(const struct cred *cred, char *list, size_t size)
{
	size_t kept = 0;

	if (cred_capable(cred, LX_CAP_SYS_ADMIN))
		return size;
	for (size_t at = 0; at < size;) {
		size_t length = strnlen(list + at, size - at) + 1;

		if (!has_prefix(list + at, LX_XATTR_TRUSTED_PREFIX)) {
			memmove(list + kept, list + at, length);
			kept += length;
		}
		at += length;
	}
	return kept;
}

ssize_t vfs_listxattr(const struct vfs_ctx *ctx, const struct path *path, char *list, size_t size)
{
	struct inode *inode = path->dentry->inode;
	ssize_t length;

	if (!inode->ops->listxattr)
		return 0; /* a file system without attributes has none to list */
	length = inode->ops->listxattr(inode, list, size);
	if (length <= 0 || !size)
		return length;
	return (ssize_t)filter_list(ctx->cred, list, (size_t)length);
}
