/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostfs: a directory tree, or one file, of the host.
 *
 * A read-only tree is taken not to change while the sandbox runs: names, also missing ones, and
 * attributes are asked for once. A writable one is shared with the host, so every walk asks again.
 * Only regular files, directories and symbolic links exist here; devices, FIFOs and sockets of the
 * host are as if they were not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "abi/stat.h"
#include "base/cleanup.h"
#include "vfs/hostfs/hostfs_private.h"

/* Host calls: close, readlinkat; before confinement and for writable mounts fstatfs. */

/*
 * Directories of stable trees in which names were looked up lately: the next name costs one host
 * call then. A descriptor is used for a short while only, so that a directory which the host moves
 * out of the tree is soon out of reach.
 */
#define LOOKUP_DIRS 4
#define LOOKUP_NS   100000000u

static struct {
	const struct inode *dir; /* NULL: unused */
	int fd;			 /* owned, O_PATH */
	uint64_t opened_at;
} lookup_dirs[LOOKUP_DIRS];

static void lookup_close(unsigned i)
{
	if (lookup_dirs[i].dir)
		(void)close(lookup_dirs[i].fd);
	lookup_dirs[i].dir = NULL;
}

void hostfs_lookup_forget(const struct inode *dir)
{
	for (unsigned i = 0; i < LOOKUP_DIRS; i++)
		if (lookup_dirs[i].dir == dir)
			lookup_close(i);
}

/* A descriptor of the directory, borrowed until the caller sleeps; or -errno. May sleep. */
static int lookup_dir(struct inode *dir)
{
	static unsigned next;
	uint64_t now = loop_monotonic();
	char path[LX_PATH_MAX];
	int fd, status;

	if (dir == dir->sb->root->inode)
		return host_super(dir->sb)->root_fd;
	for (unsigned i = 0; i < LOOKUP_DIRS; i++) {
		if (lookup_dirs[i].dir != dir)
			continue;
		if (now - lookup_dirs[i].opened_at < LOOKUP_NS)
			return lookup_dirs[i].fd;
		lookup_close(i);
	}
	status = host_path(dir, path);
	if (status < 0)
		return status;
	fd = host_open(host_super(dir->sb)->root_fd, path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	hostfs_lookup_forget(dir); /* another fiber's, meanwhile */
	next = (next + 1) % LOOKUP_DIRS;
	lookup_close(next);
	lookup_dirs[next].dir = dir;
	lookup_dirs[next].fd = fd;
	lookup_dirs[next].opened_at = now;
	return fd;
}

static int lookup(struct inode *dir, const char *name, struct inode **ret)
{
	_cleanup_close_ int fd = -1;
	char path[LX_PATH_MAX];
	int status;

	if (dir->sb->stable && dir->sb->root) {
		int dir_fd = lookup_dir(dir);

		/* It does not sleep then, so the descriptor stays. */
		if (dir_fd >= 0 && host_is_quick()) {
			status = host_node_get_at(dir_fd, dir, name, ret);
			return status == -ELOOP || status == -ENOTDIR ? -ENOENT : status;
		}
	}
	status = host_child_path(dir, name, path);
	if (status < 0)
		return status;
	fd = host_open(host_super(dir->sb)->root_fd, path, O_PATH, 0);
	if (fd < 0)
		return fd == -ELOOP || fd == -ENOTDIR ? -ENOENT : fd;
	return host_node_get(dir->sb, fd, dir, name, ret);
}

int hostfs_lookup(struct inode *dir, const char *name, struct inode **ret)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	int status = lookup(dir, name, &inode);

	if (status == 0)
		status = host_may_show(dir, name, inode);
	if (status == 0)
		*ret = TAKE(inode);
	return status;
}

/* On a writable mount the host may change names at any time. */
int hostfs_revalidate(struct inode *dir, struct dentry *dentry)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	int status;

	if (dir->sb->stable)
		return 1;
	status = hostfs_lookup(dir, dentry->name, &inode);
	if (status == -ENOENT)
		return dentry->inode == NULL;
	if (status < 0)
		return status;
	return inode == dentry->inode;
}

ssize_t hostfs_readlink(struct inode *inode, const struct vfs_ctx *ctx, char *buffer)
{
	struct host_node *node = host_node(inode);
	_cleanup_close_ int fd = -1;
	ssize_t size;

	if (node->target) {
		size = (ssize_t)strlen(node->target);
		memcpy(buffer, node->target, (size_t)size + 1);
		return size;
	}
	fd = host_node_open_path(inode);
	if (fd < 0)
		return fd;
	size = readlinkat(fd, "", buffer, LX_PATH_MAX - 1);
	if (size < 0)
		return -errno;
	buffer[size] = '\0';
	return size;
}

const struct inode_ops hostfs_symlink_ops = {
	.readlink = hostfs_readlink,
	.getattr = host_getattr,
};

const struct inode_ops hostfs_dir_ops = {
	.lookup = hostfs_lookup,
	.getattr = host_getattr,
	.open = hostfs_open_dir,
};

const struct inode_ops hostfs_file_inode_ops = {
	.getattr = host_getattr,
	.open = hostfs_open_file,
};

static void statfs_from_host(
	const struct statfs *host, struct super_block *sb, struct lx_statfs *ret)
{
	*ret = (struct lx_statfs){
		.f_type = (int64_t)sb->magic,
		.f_bsize = host->f_bsize,
		.f_blocks = host->f_blocks,
		.f_bfree = host->f_bfree,
		.f_bavail = host->f_bavail,
		.f_files = host->f_files,
		.f_ffree = host->f_ffree,
		.f_fsid = {(int32_t)sb->dev, 0},
		.f_namelen = host->f_namelen,
		.f_frsize = host->f_frsize,
	};
}

/* Sizes of a read-only tree are as at the start; there is nothing to fill up. */
static int hostfs_statfs(struct super_block *sb, struct lx_statfs *ret)
{
	struct host_super *super = host_super(sb);

	if (!sb->read_only) {
		struct statfs host;

		if (fstatfs(super->root_fd, &host) < 0)
			return -errno;
		super->statfs = host;
	}
	statfs_from_host(&super->statfs, sb, ret);
	return 0;
}

static void hostfs_release(struct super_block *sb)
{
	struct host_super *super = host_super(sb);

	if (super->root_fd >= 0)
		(void)close(super->root_fd);
	hash_fini(&super->nodes);
	free(super);
}

static const struct super_ops hostfs_super_ops = {
	.destroy_inode = hostfs_destroy_inode,
	.statfs = hostfs_statfs,
	.release = hostfs_release,
};

static int super_new(int fd, bool read_only, bool single_file, struct super_block **ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	struct host_super *super;
	struct inode *root;
	int status;

	super = calloc(1, sizeof(*super));
	if (!super)
		return -ENOMEM;
	if (fstatfs(fd, &super->statfs) < 0) {
		status = -errno;
		free(super);
		return status;
	}
	status = super_block_new(
		&hostfs_super_ops, "hostfs", (uint64_t)(unsigned long)super->statfs.f_type, &sb);
	if (status < 0) {
		free(super);
		return status;
	}
	sb->handles = HANDLES_FILES;
	super->root_fd = fd;
	super->single_file = single_file;
	super->reads_never_block =
		super->statfs.f_type == TMPFS_MAGIC || super->statfs.f_type == RAMFS_MAGIC;
	sb->private = super;
	sb->read_only = sb->read_only_for_ever = read_only;
	sb->stable = sb->plain = read_only;
	sb->block_size = (uint32_t)super->statfs.f_bsize;
	status = host_node_get(sb, fd, NULL, NULL, &root);
	if (status < 0) {
		super->root_fd = -1; /* still the caller's */
		return status;
	}
	if (single_file) {
		host_node(root)->fds[HOST_READ] = super->root_fd;
		if (!read_only)
			host_node(root)->fds[HOST_WRITE] = host_node(root)->fds[HOST_READ_WRITE] =
				super->root_fd;
	}
	status = super_block_set_root(sb, root);
	if (status < 0) {
		super->root_fd = -1;
		inode_unref(root);
		return status;
	}
	*ret = TAKE(sb);
	return 0;
}

int hostfs_new(int root_fd, bool read_only, struct super_block **ret)
{
	return super_new(root_fd, read_only, false, ret);
}

int hostfs_new_file(int fd, bool read_only, struct super_block **ret)
{
	return super_new(fd, read_only, true, ret);
}
