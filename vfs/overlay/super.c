/* SPDX-License-Identifier: Apache-2.0 */
/* Making an overlay. See overlay_private.h for how it works. */
#include <errno.h>
#include <stdlib.h>

#include "abi/stat.h"
#include "base/cleanup.h"
#include "vfs/overlay/overlay_private.h"

/* Without a limit of the caller's: a file costs the kernel about 1 KiB. */
#define OVL_INODES_DEFAULT (1ull << 19)

static struct list_head all_overlays = LIST_HEAD_INIT(all_overlays);

static int ovl_statfs(struct super_block *sb, struct lx_statfs *ret)
{
	struct super_block *upper = ovl_super(sb)->upper;
	int status = upper->ops->statfs ? upper->ops->statfs(upper, ret) : 0;

	if (status == 0) {
		ret->f_type = LX_OVERLAYFS_SUPER_MAGIC;
		ret->f_fsid[0] = (int32_t)sb->dev;
		ret->f_namelen = LX_NAME_MAX;
	}
	return status;
}

static void ovl_release(struct super_block *sb)
{
	struct ovl_super *super = ovl_super(sb);

	list_remove(&super->all);
	super_block_unref(super->lower);
	super_block_unref(super->upper);
	hash_fini(&super->by_lower);
	free(super);
}

static const struct super_ops ovl_super_ops = {
	.destroy_inode = ovl_destroy_inode,
	.statfs = ovl_statfs,
	.release = ovl_release,
};

int overlay_new_sized(struct super_block *lower, uint64_t size_limit, uint64_t inode_limit,
	struct super_block **ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL, *upper = NULL;
	struct ovl_super *super = calloc(1, sizeof(*super));
	struct inode *root;
	int status;

	if (!super)
		return -ENOMEM;
	status = tmpfs_new(size_limit, 0, 0755, &upper);
	if (status == 0)
		status = super_block_new(&ovl_super_ops, "overlay", LX_OVERLAYFS_SUPER_MAGIC, &sb);
	if (status < 0) {
		free(super);
		return status;
	}
	*super = (struct ovl_super){
		.sb = sb,
		.lower = super_block_ref(lower),
		.upper = TAKE(upper),
		.next_ino = OVL_FIRST_INO,
		.inode_limit = inode_limit ? inode_limit : OVL_INODES_DEFAULT,
	};
	list_init(&super->pinned);
	list_add_tail(&super->all, &all_overlays);
	sb->private = super;
	sb->handles = HANDLES_FILES;
	sb->stable = true;
	sb->block_size = lower->block_size;
	status = ovl_node_for_lower(sb, lower->root->inode, &root);
	if (status < 0)
		return status;
	status = super_block_set_root(sb, root);
	if (status < 0) {
		inode_unref(root);
		return status;
	}
	*ret = TAKE(sb);
	return 0;
}

int overlay_new(struct super_block *lower, struct super_block **ret)
{
	return overlay_new_sized(lower, 0, 0, ret);
}
