/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes: permission checks (path_resolution(7), kernel fs/namei.c: generic_permission()),
 * stat, and changes of mode, owner, size and times with the rules of kernel fs/attr.c.
 */
#include <errno.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/inotify.h"
#include "vfs/file_caps.h"
#include "vfs/internal.h"
#include "vfs/landlock.h"

static int permission_by_mode(const struct inode *inode, int may, const struct cred *cred)
{
	uint32_t bits = inode->mode;

	if (cred->fsuid == inode->uid)
		bits >>= 6;
	else if (cred_in_group(cred, inode->gid))
		bits >>= 3;
	return (may & ~bits & 7) ? -EACCES : 0;
}

/* capabilities(7): what CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH let pass. */
static bool permission_by_capability(const struct inode *inode, int may, const struct cred *cred)
{
	if (LX_S_ISDIR(inode->mode)) {
		if (!(may & VFS_MAY_WRITE) &&
			cred_inode_capable(cred, inode, LX_CAP_DAC_READ_SEARCH))
			return true;
		return cred_inode_capable(cred, inode, LX_CAP_DAC_OVERRIDE);
	}
	if (may == VFS_MAY_READ && cred_inode_capable(cred, inode, LX_CAP_DAC_READ_SEARCH))
		return true;
	if (!(may & VFS_MAY_EXEC) || (inode->mode & 0111))
		return cred_inode_capable(cred, inode, LX_CAP_DAC_OVERRIDE);
	return false;
}

int inode_permission_plain(const struct inode *inode, int may, const struct cred *cred)
{
	int err = permission_by_mode(inode, may, cred);

	return err < 0 && permission_by_capability(inode, may, cred) ? 0 : err;
}

/* Everybody finds his way to @dentry, from the root of its file system. */
static bool all_may_search(const struct dentry *dentry)
{
	for (; dentry->parent != dentry; dentry = dentry->parent) {
		if ((dentry->parent->inode->mode & 0111) != 0111)
			return false;
	}
	return true;
}

/* Directories above a bind mount's root count, too: they may be all that hides a file. */
bool vfs_file_is_common(const struct file *file)
{
	const struct inode *inode = file->inode;
	const struct dentry *at = file->path.dentry;

	if (!inode || !inode->sb->read_only_for_ever || !inode->sb->stable ||
		!LX_S_ISREG(inode->mode) || (inode->mode & 0444) != 0444)
		return false;
	for (const struct mount *mount = file->path.mount; mount && mount->ns;
		mount = mount->parent) {
		if (!all_may_search(at))
			return false;
		if (!mount->parent)
			return true;
		at = mount->mountpoint;
	}
	return false; /* nobody finds it by name any more */
}

int inode_permission(struct inode *inode, int may, const struct vfs_ctx *ctx)
{
	if ((may & VFS_MAY_WRITE) && inode->sb->read_only &&
		(LX_S_ISREG(inode->mode) || LX_S_ISDIR(inode->mode) || LX_S_ISLNK(inode->mode)))
		return -EROFS;
	if ((may & VFS_MAY_WRITE) && inode->immutable)
		return -EPERM;
	if (inode->ops->permission)
		return inode->ops->permission(inode, may, ctx);
	return inode_permission_plain(inode, may, ctx->cred);
}

int inode_permission_by_mode(struct inode *inode, int may, const struct vfs_ctx *ctx)
{
	return inode_permission_plain(inode, may, ctx->cred);
}

/* inode_owner_or_capable(): the owner alone must have a name where the caller is. */
static bool inode_capable_owner(const struct inode *inode, const struct cred *cred)
{
	return cred_own_capable(cred, LX_CAP_FOWNER) &&
	       user_ns_uid_or_none(cred->user_ns, inode->uid) != ID_INVALID;
}

bool inode_owner_or_capable(const struct inode *inode, const struct cred *cred)
{
	return cred->fsuid == inode->uid || inode_capable_owner(inode, cred);
}

int vfs_access(const struct vfs_ctx *ctx, const struct path *path, int may)
{
	struct inode *inode = path->dentry->inode;
	int err;

	if ((may & VFS_MAY_EXEC) && LX_S_ISREG(inode->mode) && path->mount && path->mount->no_exec)
		return -EACCES;
	err = inode_permission(inode, may, ctx);
	if (err < 0 || !(may & VFS_MAY_WRITE))
		return err;
	if (LX_S_ISCHR(inode->mode) || LX_S_ISBLK(inode->mode) || LX_S_ISFIFO(inode->mode) ||
		LX_S_ISSOCK(inode->mode))
		return 0;
	return path_check_write(path);
}

static int inode_getattr(struct inode *inode, struct kstat *ret)
{
	if (inode->ops->getattr)
		return inode->ops->getattr(inode, ret);
	inode_fill_stat(inode, ret);
	return 0;
}

int vfs_getattr(const struct path *path, struct kstat *ret)
{
	struct kstat stat = {0};
	int err = inode_getattr(path->dentry->inode, &stat);

	if (err < 0)
		return err;
	if (path->mount) {
		stat.mount_id = (uint64_t)path->mount->id;
		stat.result_mask |= LX_STATX_MNT_ID;
		if (path->dentry == path->mount->root)
			stat.attributes |= LX_STATX_ATTR_MOUNT_ROOT;
	}
	stat.attributes_mask |=
		LX_STATX_ATTR_MOUNT_ROOT | LX_STATX_ATTR_AUTOMOUNT | LX_STATX_ATTR_DAX;
	*ret = stat;
	return 0;
}

/* setattr_should_drop_sgid(): without group execution the bit once meant mandatory locking. */
static bool should_drop_sgid(const struct inode *inode, const struct cred *cred)
{
	if (!(inode->mode & LX_S_ISGID))
		return false;
	if (inode->mode & LX_S_IXGRP)
		return true;
	return !cred_in_group(cred, inode->gid) && !cred_inode_capable(cred, inode, LX_CAP_FSETID);
}

static uint32_t mode_without_setid(const struct inode *inode, const struct cred *cred)
{
	uint32_t mode = inode->mode & ~LX_S_ISUID;

	if (should_drop_sgid(inode, cred))
		mode &= ~LX_S_ISGID;
	return mode;
}

bool attr_kill_setid(const struct inode *inode, const struct cred *cred, struct iattr *ret)
{
	uint32_t mode;

	if (!LX_S_ISREG(inode->mode) || !(inode->mode & (LX_S_ISUID | LX_S_ISGID)) ||
		cred_inode_capable(cred, inode, LX_CAP_FSETID))
		return false;
	mode = mode_without_setid(inode, cred);
	if (mode == inode->mode)
		return false;
	*ret = (struct iattr){.valid = IATTR_MODE, .mode = mode & ~LX_S_IFMT};
	return true;
}

/* setattr_prepare(): who may change what. */
static int setattr_check(struct inode *inode, const struct iattr *attr, const struct vfs_ctx *ctx)
{
	const struct cred *cred = ctx->cred;
	bool owner = cred->fsuid == inode->uid;

	if ((attr->valid & IATTR_UID) && !(owner && attr->uid == inode->uid) &&
		!cred_inode_capable(cred, inode, LX_CAP_CHOWN))
		return -EPERM;
	if ((attr->valid & IATTR_GID) &&
		!(owner && (attr->gid == inode->gid || cred_in_group(cred, attr->gid))) &&
		!cred_inode_capable(cred, inode, LX_CAP_CHOWN))
		return -EPERM;
	if ((attr->valid & IATTR_MODE) && !inode_owner_or_capable(inode, cred))
		return -EPERM;
	if (!(attr->valid & (IATTR_ATIME | IATTR_MTIME)) || inode_owner_or_capable(inode, cred))
		return 0;
	return attr->valid & IATTR_TOUCH ? inode_permission(inode, VFS_MAY_WRITE, ctx) : -EPERM;
}

int vfs_setattr(const struct vfs_ctx *ctx, const struct path *path, struct iattr *attr)
{
	struct inode *inode = path->dentry->inode;
	struct ktime now = ktime_now();
	int err = path_check_write(path);

	if (err < 0)
		return err;
	if (attr->valid & IATTR_SIZE)
		return -EINVAL; /* vfs_truncate() is for that */
	/* anon_inode_setattr() */
	if (inode->sb->magic == LX_ANON_INODE_FS_MAGIC && !LX_S_ISFIFO(inode->mode) &&
		!LX_S_ISSOCK(inode->mode)) {
		/* may_setattr() comes before it. */
		err = attr->valid & IATTR_TOUCH ? setattr_check(inode, attr, ctx) : 0;
		return err < 0 ? err : -EOPNOTSUPP;
	}
	fiber_mutex_lock(&inode->mutex);
	err = setattr_check(inode, attr, ctx);
	if (err < 0)
		goto out;
	err = -EPERM;
	if (!inode->ops->setattr)
		goto out;
	if (attr->valid & IATTR_MODE) {
		uint32_t gid = attr->valid & IATTR_GID ? attr->gid : inode->gid;

		attr->mode &= 07777;
		if (!cred_in_group(ctx->cred, gid) &&
			!cred_inode_capable(ctx->cred, inode, LX_CAP_FSETID))
			attr->mode &= ~LX_S_ISGID;
	}
	/* chown(2) takes set-id bits away, from root's files too. */
	if ((attr->valid & IATTR_KILL_SETID) && !LX_S_ISDIR(inode->mode)) {
		uint32_t mode = mode_without_setid(inode, ctx->cred);

		file_caps_kill(inode);

		if (mode != inode->mode) {
			attr->mode = mode & 07777;
			attr->valid |= IATTR_MODE;
		}
	}
	if (attr->valid & IATTR_TOUCH)
		attr->atime = attr->mtime = now;
	attr->ctime = now;
	attr->valid |= IATTR_CTIME;
	err = inode->ops->setattr(inode, attr);
	inode_changes(inode);
	/* Permissions on the way to other objects. */
	if (!LX_S_ISREG(inode->mode))
		lasting_names_change(inode->sb);
out:
	fiber_mutex_unlock(&inode->mutex);
	if (err >= 0) {
		uint32_t mask = 0;

		if (attr->valid & (IATTR_MODE | IATTR_UID | IATTR_GID))
			mask |= LX_IN_ATTRIB;
		if ((attr->valid & IATTR_ATIME) && (attr->valid & IATTR_MTIME))
			mask |= LX_IN_ATTRIB;
		else if (attr->valid & IATTR_ATIME)
			mask |= LX_IN_ACCESS;
		else if (attr->valid & IATTR_MTIME)
			mask |= LX_IN_MODIFY;
		if (mask)
			vfs_notify_path(path, mask);
	}
	return err;
}

/* Size changes of regular files; inode->mutex is held. */
int inode_truncate_locked(
	struct inode *inode, uint64_t size, const struct vfs_ctx *ctx, bool check_limit)
{
	struct iattr attr = {0};
	struct kstat stat;
	int err;

	if (size > INT64_MAX)
		return -EINVAL;
	if (!inode->ops->setattr)
		return -EPERM;
	if (check_limit && size > ctx->fsize_limit) {
		err = inode_getattr(inode, &stat);
		if (err < 0)
			return err;
		if (size > stat.size) {
			if (ctx->fsize_hit)
				*ctx->fsize_hit = true;
			return -EFBIG;
		}
	}
	file_caps_kill(inode);
	(void)attr_kill_setid(inode, ctx->cred, &attr);
	attr.valid |= IATTR_SIZE | IATTR_MTIME | IATTR_CTIME;
	attr.size = size;
	attr.mtime = attr.ctime = ktime_now();
	inode_changes(inode);
	return inode->ops->setattr(inode, &attr);
}

int vfs_truncate(const struct vfs_ctx *ctx, const struct path *path, uint64_t size)
{
	struct inode *inode = path->dentry->inode;
	int err;

	if (LX_S_ISDIR(inode->mode))
		return -EISDIR;
	if (!LX_S_ISREG(inode->mode))
		return -EINVAL;
	err = path_check_write(path);
	if (err < 0)
		return err;
	err = inode_permission(inode, VFS_MAY_WRITE, ctx);
	if (err < 0)
		return err;
	if (inode->deny_write_count)
		return -ETXTBSY;
	err = leases_break(inode, true, false);
	if (err == 0)
		err = landlock_check(ctx, path, LX_LANDLOCK_ACCESS_FS_TRUNCATE);
	if (err < 0)
		return err;
	fiber_mutex_lock(&inode->mutex);
	err = inode_truncate_locked(inode, size, ctx, true);
	fiber_mutex_unlock(&inode->mutex);
	if (err >= 0)
		vfs_notify_path(path, LX_IN_MODIFY);
	return err;
}

int file_truncate(struct file *file, uint64_t size, const struct vfs_ctx *ctx)
{
	struct inode *inode = file->inode;
	int err;

	if (!LX_S_ISREG(inode->mode) || !file->writable)
		return -EINVAL;
	if (file->no_truncate)
		return -EACCES;
	fiber_mutex_lock(&inode->mutex);
	err = inode_truncate_locked(inode, size, ctx, true);
	fiber_mutex_unlock(&inode->mutex);
	if (err >= 0)
		vfs_notify_path(&file->path, LX_IN_MODIFY);
	return err;
}

ssize_t vfs_readlink(const struct vfs_ctx *ctx, const struct path *path, char *buffer)
{
	struct inode *inode = path->dentry->inode;

	if (!inode->ops->readlink)
		return -EINVAL;
	if (!path->mount || !path->mount->no_atime)
		inode_touch_atime(inode);
	return inode->ops->readlink(inode, ctx, buffer);
}

int vfs_statfs(const struct path *path, struct lx_statfs *ret)
{
	struct super_block *sb = path->dentry->sb;
	struct lx_statfs statfs = {0};
	int err = 0;

	if (sb->ops->statfs)
		err = sb->ops->statfs(sb, &statfs);
	if (err < 0)
		return err;
	if (!statfs.f_type)
		statfs.f_type = (int64_t)sb->magic;
	/* Files without names are of one file system here and of several on Linux. */
	if (sb->magic == LX_ANON_INODE_FS_MAGIC && LX_S_ISFIFO(path->dentry->inode->mode))
		statfs.f_type = LX_PIPEFS_MAGIC;
	else if (sb->magic == LX_ANON_INODE_FS_MAGIC && LX_S_ISSOCK(path->dentry->inode->mode))
		statfs.f_type = LX_SOCKFS_MAGIC;
	if (!statfs.f_bsize)
		statfs.f_bsize = sb->block_size;
	if (!statfs.f_frsize)
		statfs.f_frsize = statfs.f_bsize;
	if (!statfs.f_namelen)
		statfs.f_namelen = LX_NAME_MAX;
	statfs.f_fsid[0] = (int32_t)sb->dev;
	statfs.f_flags = LX_ST_VALID | LX_ST_RELATIME;
	if (sb->read_only || (path->mount && path->mount->read_only))
		statfs.f_flags |= LX_ST_RDONLY;
	if (path->mount) {
		statfs.f_flags |= path->mount->no_suid ? LX_ST_NOSUID : 0;
		statfs.f_flags |= path->mount->no_exec ? LX_ST_NOEXEC : 0;
		statfs.f_flags |= path->mount->no_dev ? LX_ST_NODEV : 0;
		statfs.f_flags |= path->mount->no_symlinks ? LX_ST_NOSYMFOLLOW : 0;
		statfs.f_flags |= path->mount->no_dir_atime ? LX_ST_NODIRATIME : 0;
		if (path->mount->no_atime)
			statfs.f_flags |= LX_ST_NOATIME;
		if (path->mount->no_atime || path->mount->strict_atime)
			statfs.f_flags &= ~LX_ST_RELATIME;
	}
	*ret = statfs;
	return 0;
}
