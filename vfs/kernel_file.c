/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "vfs/vfs.h"

int file_open_kernel(struct inode *inode, const char *name, int flags, struct file **ret)
{
	struct vfs_ctx ctx = {.cred = cred_kernel(), .fsize_limit = UINT64_MAX};
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	_cleanup_(cleanup_cred_unref) struct cred *cred = NULL;
	struct file *file;
	int status = dentry_new_anonymous(inode, name, &dentry);

	if (status == 0)
		status = cred_copy(cred_kernel(), 0, &cred);
	if (status == 0)
		status = file_new(&(struct path){.dentry = dentry}, NULL, flags, cred, &file);
	if (status < 0)
		return status;
	if (inode->ops->open)
		status = inode->ops->open(inode, file, &ctx);
	else
		file->ops = inode->file_ops;
	if (status < 0) {
		file->ops = NULL; /* nothing was opened that release() could end */
		file_unref(file);
		return status;
	}
	*ret = file;
	return 0;
}
