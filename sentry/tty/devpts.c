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
 * (Documentation/filesystems/devpts). Each mount is an instance with numbers of its own; the first
 * one is the sandbox's. Whoever opens a ptmx gets a terminal of the instance that this is in, or of
 * the one that is mounted on `pts` next to it.
 *
 * A node's inode holds its superblock, so an instance lives as long as a terminal of it. Nodes hold
 * no reference on their terminal, which takes its node away when its host side goes.
 */

#define INO_ROOT      1
#define INO_PTMX      2
#define INO_FIRST     3
#define GROUP_TTY     5 /* who owns terminals in /etc/group: gid=5,mode=620,ptmxmode=666 */
#define NODE_MODE     0620
#define NAME_SIZE_MAX 12

struct node {
	struct tty *tty;     /* borrowed */
	struct inode *inode; /* owned; NULL: the number is free */
};

struct instance {
	struct super_block *sb; /* borrowed: we are its private part */
	struct devpts_options options;
	uint32_t ptmx_uid, ptmx_gid;
	struct node *nodes; /* owned */
	int capacity, count;
};

static struct instance *first; /* the sandbox's, for ever */
static int total_count;

int devpts_count(void)
{
	return total_count;
}

int devpts_count_max(void)
{
	return TTY_COUNT_MAX;
}

static struct instance *instance_of(const struct inode *inode)
{
	return inode->sb->private;
}

static void destroy_inode(struct inode *inode)
{
}

static void release_super(struct super_block *sb)
{
	struct instance *instance = sb->private;

	if (instance)
		free(instance->nodes);
	free(instance);
}

static const struct super_ops super_ops = {
	.destroy_inode = destroy_inode, .release = release_super};

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

/* The inode goes whenever nobody uses it. */
static int set_ptmx_attributes(struct inode *inode, const struct iattr *attr)
{
	struct instance *instance = instance_of(inode);

	inode_apply_attr(inode, attr);
	instance->options.ptmx_mode = inode->mode & 07777;
	instance->ptmx_uid = inode->uid;
	instance->ptmx_gid = inode->gid;
	return 0;
}

static const struct inode_ops node_ops = {.setattr = set_attributes, .open = open_node};
static const struct inode_ops ptmx_ops = {.setattr = set_ptmx_attributes};

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

static int new_ptmx(const struct instance *instance, struct inode **ret)
{
	struct inode *inode;
	int err = inode_new(instance->sb, &ptmx_ops,
		LX_S_IFCHR | (instance->options.ptmx_mode & 07777), 0, &inode);

	if (err < 0)
		return err;
	inode->ino = INO_PTMX;
	inode->rdev = lx_makedev(5, 2);
	inode->uid = instance->ptmx_uid;
	inode->gid = instance->ptmx_gid;
	*ret = inode;
	return 0;
}

static int lookup(struct inode *dir, const char *name, struct inode **ret_inode)
{
	const struct instance *instance = instance_of(dir);
	int index = parse_index(name);

	if (strcmp(name, "ptmx") == 0)
		return new_ptmx(instance, ret_inode);
	if (index < 0 || index >= instance->capacity || !instance->nodes[index].inode)
		return -ENOENT;
	*ret_inode = inode_ref(instance->nodes[index].inode);
	return 0;
}

static int read_dir(struct file *file, struct dir_context *dir)
{
	const struct instance *instance = instance_of(file->inode);

	if (!dir_emit_dots(file, dir))
		return 0;
	if (file->pos == INO_PTMX) {
		if (!dir->emit(dir, "ptmx", 4, INO_PTMX, LX_DT_CHR, INO_FIRST))
			return 0;
		file->pos = INO_FIRST;
	}
	for (; file->pos - INO_FIRST < instance->capacity; file->pos++) {
		int index = (int)(file->pos - INO_FIRST);
		const struct inode *inode = instance->nodes[index].inode;
		char name[NAME_SIZE_MAX];
		int size = snprintf(name, sizeof(name), "%d", index);

		if (inode &&
			!dir->emit(dir, name, (size_t)size, inode->ino, LX_DT_CHR, file->pos + 1))
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

/* @sb gets its instance, and its root. */
static int fill(struct super_block *sb, const struct devpts_options *options)
{
	_cleanup_(cleanup_inode_unref) struct inode *root = NULL;
	struct instance *instance = calloc(1, sizeof(*instance));
	int r;

	if (!instance)
		return -ENOMEM;
	*instance = (struct instance){.sb = sb, .options = *options};
	sb->private = instance;
	sb->devices_ok = true;
	r = inode_new(sb, &dir_ops, LX_S_IFDIR | 0755, 0, &root);
	if (r < 0)
		return r;
	root->ino = INO_ROOT;
	root->nlink = 2;
	root->file_ops = &dir_file_ops;
	r = super_block_set_root(sb, root);
	if (r == 0)
		(void)TAKE(root);
	return r;
}

int devpts_new(const struct devpts_options *options, struct super_block **ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	int r = super_block_new(&super_ops, "devpts", LX_DEVPTS_SUPER_MAGIC, &sb);

	r = r < 0 ? r : fill(sb, options);
	if (r == 0)
		*ret = TAKE(sb);
	return r;
}

void devpts_reconfigure(struct super_block *sb, const struct devpts_options *options)
{
	struct instance *instance = sb->private;

	instance->options = *options;
	/* Its mode is looked up anew. */
	if (sb->root)
		dcache_forget(sb->root->inode, "ptmx");
}

int devpts_first(struct super_block **ret)
{
	const struct devpts_options options = {.mode = NODE_MODE,
		.ptmx_mode = 0666,
		.gid = GROUP_TTY,
		.gid_given = true,
		.max = TTY_COUNT_MAX};
	struct super_block *sb;
	int r;

	if (!first) {
		r = devpts_new(&options, &sb);
		if (r < 0)
			return r;
		first = sb->private;
		super_block_keep(sb);
	}
	*ret = super_block_ref(first->sb);
	return 0;
}

/* ---- nodes ---- */

static int find_free(struct instance *instance)
{
	int capacity = instance->capacity ? instance->capacity * 2 : 8;
	struct node *grown;

	if (total_count >= TTY_COUNT_MAX || instance->count >= instance->options.max)
		return -ENOSPC;
	for (int i = 0; i < instance->capacity; i++)
		if (!instance->nodes[i].inode)
			return i;
	grown = reallocarray(instance->nodes, (size_t)capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	for (int i = instance->capacity; i < capacity; i++)
		grown[i] = (struct node){0};
	instance->nodes = grown;
	capacity = instance->capacity;
	instance->capacity = capacity ? capacity * 2 : 8;
	return capacity;
}

static void forget_name(const struct instance *instance, int index)
{
	char name[NAME_SIZE_MAX];

	snprintf(name, sizeof(name), "%d", index);
	if (instance->sb->root)
		dcache_forget(instance->sb->root->inode, name);
}

static int add(struct instance *instance, struct tty *tty, const struct cred *cred)
{
	const struct devpts_options *options = &instance->options;
	struct inode *inode;
	int index = find_free(instance), r;

	if (index < 0)
		return index;
	r = inode_new(
		instance->sb, &node_ops, LX_S_IFCHR | options->mode, sizeof(struct tty *), &inode);
	if (r < 0)
		return r;
	inode->ino = INO_FIRST + (uint64_t)index;
	inode->rdev = lx_makedev(TTY_MAJOR_PTS, (uint32_t)index);
	inode->uid = options->uid_given ? options->uid : cred->fsuid;
	inode->gid = options->gid_given ? options->gid : cred->fsgid;
	*(struct tty **)inode->private = tty;
	instance->nodes[index] = (struct node){.inode = inode, .tty = tty};
	instance->count++;
	total_count++;
	tty->index = index;
	tty->node = inode;
	forget_name(instance, index); /* its absence */
	return 0;
}

int devpts_add_first(struct tty *tty, const struct cred *cred)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	int r = devpts_first(&sb);

	return r < 0 ? r : add(first, tty, cred);
}

/* devpts_mntget(): the root of the instance that the opened @ptmx belongs to, owned. */
static int find_root(const struct path *ptmx, const struct vfs_ctx *ctx, struct path *ret)
{
	struct path beside = {.mount = ptmx->mount, .dentry = ptmx->dentry->parent};
	struct path path;
	int r;

	if (!ptmx->mount)
		return -ENODEV;
	if (ptmx->dentry->inode->sb->ops == &super_ops) {
		if (!ptmx->dentry->inode->sb->root)
			return -ENODEV;
		*ret = (struct path){
			mount_ref(ptmx->mount), dentry_ref(ptmx->dentry->inode->sb->root)};
		return 0;
	}
	if (!beside.dentry)
		return -ENODEV;
	r = path_walk(ctx, &beside, "pts", 0, &path);
	if (r < 0)
		return r;
	if (path.dentry->inode->sb->ops != &super_ops ||
		path.dentry != path.dentry->inode->sb->root) {
		path_unref(&path);
		return -ENODEV;
	}
	*ret = path;
	return 0;
}

int devpts_add(struct tty *tty, const struct path *ptmx, const struct cred *cred,
	const struct vfs_ctx *ctx)
{
	_cleanup_path_ struct path root = {0};
	int r = find_root(ptmx, ctx, &root);

	return r < 0 ? r : add(instance_of(root.dentry->inode), tty, cred);
}

void devpts_remove(struct tty *tty)
{
	struct inode *inode = tty->node;
	struct instance *instance;

	if (!inode)
		return;
	instance = instance_of(inode);
	instance->nodes[tty->index] = (struct node){0};
	instance->count--;
	total_count--;
	tty->node = NULL;
	*(struct tty **)inode->private = NULL;
	inode->nlink = 0;
	forget_name(instance, tty->index);
	inode_unref(inode);
}

static int open_at(struct tty *tty, const struct path *base, const char *name, int flags,
	const struct vfs_ctx *ctx, struct file **ret)
{
	_cleanup_path_ struct path path = {0};
	int r = path_walk(ctx, base, name, WALK_FOLLOW, &path);

	if (r >= 0 && path.dentry->inode != tty->node)
		r = -EIO;
	return r < 0 ? r : vfs_open_path(ctx, &path, flags, ret);
}

int devpts_open(struct tty *tty, int flags, const struct vfs_ctx *ctx, struct file **ret)
{
	char name[sizeof("/dev/pts/") + NAME_SIZE_MAX];

	snprintf(name, sizeof(name), "/dev/pts/%d", tty->index);
	return open_at(tty, NULL, name, flags, ctx, ret);
}

int devpts_open_peer(struct tty *tty, const struct path *ptmx, int flags, const struct vfs_ctx *ctx,
	struct file **ret)
{
	_cleanup_path_ struct path root = {0};
	char name[NAME_SIZE_MAX];
	int r = find_root(ptmx, ctx, &root);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%d", tty->index);
	return open_at(tty, &root, name, flags, ctx, ret);
}
