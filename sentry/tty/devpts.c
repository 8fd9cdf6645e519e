/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/dirent.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "sentry/tty/tty_private.h"

/*
 * devpts: /dev/pts with one node for each terminal that exists, named by its number, and ptmx
 * (Documentation/filesystems/devpts). There is one instance; its nodes hold no reference on their
 * terminal, which takes its node away when its host side goes.
 */

#define INO_ROOT      1
#define INO_PTMX      2
#define INO_FIRST     3
#define GROUP_TTY     5 /* who owns terminals in /etc/group: gid=5,mode=620 */
#define NODE_MODE     0620
#define NAME_SIZE_MAX 12

static struct super_block *instance; /* owned */
static struct inode *ptmx;	     /* owned */
static struct {
	struct tty *tty;     /* borrowed */
	struct inode *inode; /* owned */
} nodes[TTY_COUNT_MAX];

static void destroy_inode(struct inode *inode)
{
}

static const struct super_ops super_ops = {.destroy_inode = destroy_inode};

static int set_attributes(struct inode *inode, const struct iattr *attr)
{
	inode_apply_attr(inode, attr);
	return 0;
}

static int open_node(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	struct tty **tty = inode->private;

	/* A node that was looked up before its terminal ended. */
	return *tty ? tty_open(*tty, file, ctx) : -EIO;
}

static const struct inode_ops node_ops = {.setattr = set_attributes, .open = open_node};
static const struct inode_ops ptmx_ops = {.setattr = set_attributes};

/* ---- the directory ---- */

/* A number in decimal without anything else; -1 if @name is none. */
static int parse_index(const char *name)
{
	char canonical[NAME_SIZE_MAX];
	unsigned long index = strtoul(name, NULL, 10);

	if (index >= TTY_COUNT_MAX)
		return -1;
	snprintf(canonical, sizeof(canonical), "%lu", index);
	return strcmp(canonical, name) == 0 ? (int)index : -1;
}

static int lookup(struct inode *dir, const char *name, struct inode **ret_inode)
{
	int index = parse_index(name);

	if (strcmp(name, "ptmx") == 0)
		*ret_inode = inode_ref(ptmx);
	else if (index >= 0 && nodes[index].inode)
		*ret_inode = inode_ref(nodes[index].inode);
	else
		return -ENOENT;
	return 0;
}

static int read_dir(struct file *file, struct dir_context *dir)
{
	if (!dir_emit_dots(file, dir))
		return 0;
	if (file->pos == INO_PTMX) {
		if (!dir->emit(dir, "ptmx", 4, INO_PTMX, LX_DT_CHR, INO_FIRST))
			return 0;
		file->pos = INO_FIRST;
	}
	for (; file->pos - INO_FIRST < TTY_COUNT_MAX; file->pos++) {
		int index = (int)(file->pos - INO_FIRST);
		char name[NAME_SIZE_MAX];
		int size = snprintf(name, sizeof(name), "%d", index);

		if (nodes[index].inode &&
			!dir->emit(dir, name, (size_t)size, nodes[index].inode->ino, LX_DT_CHR,
				file->pos + 1))
			return 0;
	}
	return 0;
}

static int64_t seek_dir(struct file *file, int64_t offset, int whence)
{
	return file_generic_seek(file, offset, whence, 0, INO_FIRST + TTY_COUNT_MAX);
}

static const struct inode_ops dir_ops = {.lookup = lookup, .setattr = set_attributes};
static const struct file_ops dir_file_ops = {
	.name = "devpts", .seek = seek_dir, .read_dir = read_dir};

static int make_instance(struct super_block *sb)
{
	_cleanup_(cleanup_inode_unref) struct inode *root = NULL, *master = NULL;
	int r = inode_new(sb, &dir_ops, LX_S_IFDIR | 0755, 0, &root);

	r = r < 0 ? r : inode_new(sb, &ptmx_ops, LX_S_IFCHR | 0666, 0, &master);
	if (r < 0)
		return r;
	root->ino = INO_ROOT;
	root->nlink = 2;
	root->file_ops = &dir_file_ops;
	master->ino = INO_PTMX;
	master->rdev = lx_makedev(5, 2);
	r = super_block_set_root(sb, root);
	if (r < 0)
		return r;
	(void)TAKE(root);
	ptmx = TAKE(master);
	return 0;
}

int devpts_new(struct super_block **ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	int r;

	if (!instance) {
		r = super_block_new(&super_ops, "devpts", LX_DEVPTS_SUPER_MAGIC, &sb);
		r = r < 0 ? r : make_instance(sb);
		if (r < 0)
			return r;
		instance = TAKE(sb);
	}
	*ret = super_block_ref(instance);
	return 0;
}

/* ---- nodes ---- */

static int find_free(void)
{
	for (int i = 0; i < TTY_COUNT_MAX; i++)
		if (!nodes[i].inode)
			return i;
	return -ENOSPC;
}

static void forget_name(int index)
{
	char name[NAME_SIZE_MAX];

	snprintf(name, sizeof(name), "%d", index);
	dcache_forget(instance->root->inode, name);
}

int devpts_add(struct tty *tty, const struct cred *cred)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	struct inode *inode;
	int index, r = devpts_new(&sb);

	if (r < 0)
		return r;
	index = find_free();
	if (index < 0)
		return index;
	r = inode_new(sb, &node_ops, LX_S_IFCHR | NODE_MODE, sizeof(struct tty *), &inode);
	if (r < 0)
		return r;
	inode->ino = INO_FIRST + (uint64_t)index;
	inode->rdev = lx_makedev(TTY_MAJOR_PTS, (uint32_t)index);
	inode->uid = cred->fsuid;
	inode->gid = GROUP_TTY;
	*(struct tty **)inode->private = tty;
	nodes[index].inode = inode;
	nodes[index].tty = tty;
	tty->index = index;
	forget_name(index); /* its absence */
	return 0;
}

void devpts_remove(struct tty *tty)
{
	struct inode *inode = nodes[tty->index].inode;

	if (nodes[tty->index].tty != tty)
		return;
	nodes[tty->index].tty = NULL;
	nodes[tty->index].inode = NULL;
	*(struct tty **)inode->private = NULL;
	inode->nlink = 0;
	forget_name(tty->index);
	inode_unref(inode);
}

/* Where a path of the file system itself starts for someone who has no name for it. */
int devpts_open(struct tty *tty, int flags, const struct vfs_ctx *ctx, struct file **ret)
{
	_cleanup_path_ struct path path = {0};
	char name[sizeof("/dev/pts/") + NAME_SIZE_MAX];
	int r;

	snprintf(name, sizeof(name), "/dev/pts/%d", tty->index);
	r = path_walk(ctx, NULL, name, WALK_FOLLOW, &path);
	if (r >= 0 && path.dentry->inode != nodes[tty->index].inode)
		r = -EIO;
	if (r < 0)
		return r;
	return vfs_open_path(ctx, &path, flags, ret);
}
