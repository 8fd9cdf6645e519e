/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes on an overlay: the lower tree has none, so all there are were set here. They
 * are kept by a memory file of their own, which has their rules and counts their memory.
 */
#include <errno.h>

#include "abi/stat.h"
#include "abi/xattr.h"
#include "vfs/overlay/overlay_private.h"

ssize_t ovl_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	struct inode *keeper = ovl_node(inode)->xattrs;

	return keeper ? keeper->ops->getxattr(keeper, name, value, size) : -ENODATA;
}

ssize_t ovl_listxattr(struct inode *inode, char *list, size_t size)
{
	struct inode *keeper = ovl_node(inode)->xattrs;

	return keeper ? keeper->ops->listxattr(keeper, list, size) : 0;
}

static int find_keeper(struct inode *inode, struct inode **ret)
{
	struct ovl_node *node = ovl_node(inode);
	int err = 0;

	if (!node->xattrs)
		err = tmpfs_new_file(
			ovl_super(inode->sb)->upper, LX_S_IFREG, cred_kernel(), &node->xattrs);
	*ret = node->xattrs;
	return err;
}

static void changed(struct inode *inode)
{
	ovl_node(inode)->changed_attr = true;
	ovl_node_pin(inode);
	inode_touch_ctime(inode);
}

int ovl_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	struct inode *keeper = ovl_node(inode)->xattrs;
	int err;

	if (!keeper && (flags & LX_XATTR_REPLACE))
		return -ENODATA;
	err = find_keeper(inode, &keeper);
	if (err == 0)
		err = keeper->ops->setxattr(keeper, name, value, size, flags);
	if (err == 0)
		changed(inode);
	return err;
}

int ovl_removexattr(struct inode *inode, const char *name)
{
	struct inode *keeper = ovl_node(inode)->xattrs;
	int err = keeper ? keeper->ops->removexattr(keeper, name) : -ENODATA;

	if (err == 0)
		changed(inode);
	return err;
}
