/* SPDX-License-Identifier: Apache-2.0 */
/*
 * security.capability: which capabilities a program gives to those who start it. The attribute is
 * in one of three forms; the third names the root of the user namespace that it is meant for, and
 * is what privileged people within such a namespace get when they write the second.
 */
#include "vfs/file_caps.h"

#include <errno.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/xattr.h"
#include "base/checked.h"
#include "vfs/ns.h"

#define NAME LX_XATTR_SECURITY_PREFIX "capability"

/* Whether any file was ever given some: until then nobody has to look. */
static bool any;

static uint32_t revision(const struct lx_vfs_caps *caps, size_t size)
{
	static const struct {
		uint32_t revision;
		size_t size;
	} known[] = {{LX_VFS_CAP_REVISION_1, LX_VFS_CAP_SIZE_1},
		{LX_VFS_CAP_REVISION_2, LX_VFS_CAP_SIZE_2},
		{LX_VFS_CAP_REVISION_3, LX_VFS_CAP_SIZE_3}};

	for (size_t i = 0; i < array_size(known); i++)
		if ((caps->magic & LX_VFS_CAP_REVISION_MASK) == known[i].revision &&
			size == known[i].size)
			return known[i].revision;
	return 0;
}

/* rootid_owns_currentns(): is @root the root of @ns, or of one above it? */
static bool root_of(const struct user_ns *ns, uint32_t root)
{
	for (; ns; ns = ns == &user_ns_first ? NULL : user_ns_parent(ns))
		if (user_ns_uid_or_none(ns, root) == 0)
			return true;
	return false;
}

static uint32_t owner_root(const struct inode *inode, const struct lx_vfs_caps *caps, uint32_t form)
{
	const struct user_ns *ns = inode->sb->user_ns ? inode->sb->user_ns : &user_ns_first;

	/* Ids are kept as the kernel knows them. */
	return form == LX_VFS_CAP_REVISION_3 ? caps->rootid : user_ns_make_uid(ns, 0);
}

int file_caps_get(struct inode *inode, const struct user_ns *user_ns, struct file_caps *ret)
{
	struct lx_vfs_caps caps = {0};
	uint32_t form;
	ssize_t size;

	if (!any || !inode->ops->getxattr)
		return -ENODATA;
	size = inode->ops->getxattr(inode, NAME, &caps, sizeof(caps));
	if (size == -EOPNOTSUPP || size == -ENODATA)
		return -ENODATA;
	if (size < 0)
		return size == -ERANGE ? -EINVAL : (int)size;
	form = revision(&caps, (size_t)size);
	if (!form)
		return -EINVAL;
	if (!root_of(user_ns, owner_root(inode, &caps, form)))
		return -ENODATA;
	*ret = (struct file_caps){
		.permitted = caps.data[0].permitted,
		.inheritable = caps.data[0].inheritable,
		.effective = caps.magic & LX_VFS_CAP_EFFECTIVE,
	};
	if (form != LX_VFS_CAP_REVISION_1) {
		ret->permitted |= (uint64_t)caps.data[1].permitted << 32;
		ret->inheritable |= (uint64_t)caps.data[1].inheritable << 32;
	}
	ret->permitted &= LX_CAP_FULL_SET;
	ret->inheritable &= LX_CAP_FULL_SET;
	return 0;
}

ssize_t file_caps_from_user(const struct inode *inode, const struct cred *cred, const void *value,
	size_t size, void *kept)
{
	const struct user_ns *ns = inode->sb->user_ns ? inode->sb->user_ns : &user_ns_first;
	struct lx_vfs_caps caps = {0};
	uint32_t form, root;

	if (size > sizeof(caps))
		return -EINVAL;
	memcpy(&caps, value, size);
	form = revision(&caps, size);
	if (form != LX_VFS_CAP_REVISION_2 && form != LX_VFS_CAP_REVISION_3)
		return -EINVAL;
	if (!cred_inode_capable(cred, inode, LX_CAP_SETFCAP))
		return -EPERM;
	any = true;
	if (form == LX_VFS_CAP_REVISION_2 && cred_ns_capable(cred, ns, LX_CAP_SETFCAP)) {
		memcpy(kept, &caps, size);
		return (ssize_t)size;
	}
	root = user_ns_make_uid(cred->user_ns, form == LX_VFS_CAP_REVISION_3 ? caps.rootid : 0);
	if (root == ID_INVALID)
		return -EINVAL;
	caps.rootid = root;
	caps.magic = LX_VFS_CAP_REVISION_3 | (caps.magic & LX_VFS_CAP_EFFECTIVE);
	memcpy(kept, &caps, sizeof(caps));
	return sizeof(caps);
}

ssize_t file_caps_to_user(
	const struct cred *cred, const void *kept, size_t kept_size, void *value, size_t size)
{
	struct lx_vfs_caps caps = {0};
	uint32_t root;

	if (kept_size > sizeof(caps))
		return -EINVAL;
	memcpy(&caps, kept, kept_size);
	if (revision(&caps, kept_size) == LX_VFS_CAP_REVISION_3) {
		root = user_ns_uid_or_none(cred->user_ns, caps.rootid);
		if (root != ID_INVALID && root != 0) {
			caps.rootid = root;
		} else if (root_of(cred->user_ns, caps.rootid)) {
			kept_size = LX_VFS_CAP_SIZE_2;
			caps.magic = LX_VFS_CAP_REVISION_2 | (caps.magic & LX_VFS_CAP_EFFECTIVE);
		} else {
			return -EOVERFLOW;
		}
	}
	if (size && size < kept_size)
		return -ERANGE;
	if (size)
		memcpy(value, &caps, kept_size);
	return (ssize_t)kept_size;
}

void file_caps_kill(struct inode *inode)
{
	if (any && inode->ops->removexattr && inode->ops->getxattr &&
		inode->ops->getxattr(inode, NAME, NULL, 0) >= 0)
		(void)inode->ops->removexattr(inode, NAME);
}
