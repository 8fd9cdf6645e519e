/* SPDX-License-Identifier: Apache-2.0 */
#include "vfs/internal.h"
#include "abi/inotify.h"

void vfs_notify(struct inode *inode, uint32_t mask, const char *name, uint32_t cookie)
{
	struct vfs_mark *mark, *next;

	if (list_empty(&inode->marks))
		return;
	if (LX_S_ISDIR(inode->mode) && !name && !(mask & (LX_IN_DELETE_SELF | LX_IN_MOVE_SELF)))
		mask |= LX_IN_ISDIR;
	list_for_each_entry_safe (mark, next, &inode->marks, on_inode)
		mark->event(mark, mask, name, cookie);
}

void vfs_notify_path(const struct path *path, uint32_t mask)
{
	struct dentry *dentry = path->dentry;
	struct inode *inode = dentry->inode;

	if (!inode)
		return;
	if (dentry->parent != dentry && dentry->parent->inode && !dentry->unlinked)
		vfs_notify(dentry->parent->inode,
			mask | (LX_S_ISDIR(inode->mode) ? LX_IN_ISDIR : 0), dentry->name, 0);
	vfs_notify(inode, mask, NULL, 0);
}
