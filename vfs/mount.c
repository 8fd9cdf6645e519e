/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts: a superblock's tree (or a part of it) shown at a dentry of another mount. There is one
 * mount namespace. The mount table holds one reference to each mount; a mount's parent cannot go
 * before it (mount_detach() refuses or takes the children along).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/internal.h"

static struct list_head all_mounts = LIST_HEAD_INIT(all_mounts); /* by id */
static unsigned mount_total;
static int next_mount_id = 21; /* as on a running system: the first ones were early boot's */

void path_ref(const struct path *path)
{
	if (path->mount)
		mount_ref(path->mount);
	if (path->dentry)
		(void)dentry_ref(path->dentry);
}

void path_unref(struct path *path)
{
	struct path old = *path;

	*path = (struct path){0};
	if (old.dentry)
		dentry_unref(old.dentry);
	if (old.mount)
		mount_unref(old.mount);
}

struct mount *mount_ref(struct mount *mount)
{
	refcount_get(&mount->refs);
	return mount;
}

static void mount_free(struct mount *mount)
{
	struct super_block *sb = mount->sb;
	struct dentry *root = mount->root, *mountpoint = mount->mountpoint;

	free(mount->source);
	free(mount->options);
	free(mount);
	if (mountpoint)
		dentry_unref(mountpoint);
	dentry_unref(root);
	if (--sb->mount_count == 0)
		dcache_drop_tree(sb);
	super_block_unref(sb);
}

void mount_unref(struct mount *mount)
{
	if (refcount_put(&mount->refs))
		mount_free(mount);
}

bool dentry_is_mountpoint(const struct dentry *dentry)
{
	return !list_empty(&dentry->mounts);
}

struct mount *mount_on(const struct path *path)
{
	struct mount *mount;

	list_for_each_entry (mount, &path->dentry->mounts, on_dentry) {
		if (mount->parent == path->mount)
			return mount;
	}
	return NULL;
}

bool path_cross_mounts(struct path *path)
{
	bool crossed = false;

	while (dentry_is_mountpoint(path->dentry)) {
		struct mount *mount = mount_on(path);
		struct path next;

		if (!mount)
			break;
		next = (struct path){.mount = mount, .dentry = mount->root};
		path_ref(&next);
		path_unref(path);
		*path = next;
		crossed = true;
	}
	return crossed;
}

bool path_is_mountpoint(const struct path *path)
{
	return (path->mount && path->dentry == path->mount->root) || mount_on(path);
}

int mount_attach(struct super_block *sb, struct dentry *root, const struct path *at,
	const char *source, struct mount **ret)
{
	struct mount *mount;

	if (mount_total >= SENTRY_MAX_MOUNTS)
		return -ENOSPC;
	if (at && dentry_is_dir(root) != dentry_is_dir(at->dentry))
		return -ENOTDIR;
	mount = calloc(1, sizeof(*mount));
	if (!mount)
		return -ENOMEM;
	mount->source = strdup(source ? source : "none");
	if (!mount->source) {
		free(mount);
		return -ENOMEM;
	}
	mount->refs = REFCOUNT_ONE; /* the table's */
	mount->sb = super_block_ref(sb);
	mount->root = dentry_ref(root);
	mount->id = next_mount_id++;
	list_init(&mount->on_dentry);
	list_init(&mount->table);
	if (at) {
		/* A second mount on the same place goes on top of the first. */
		struct path top = *at;

		path_ref(&top);
		(void)path_cross_mounts(&top);
		mount->parent = top.mount;
		mount->mountpoint = dentry_ref(top.dentry);
		list_add(&mount->on_dentry, &top.dentry->mounts);
		path_unref(&top);
	}
	sb->mount_count++;
	list_add_tail(&mount->table, &all_mounts);
	mount_total++;
	vfs_lasting_end();
	*ret = mount;
	return 0;
}

static bool mount_has_children(const struct mount *mount)
{
	struct mount *other;

	list_for_each_entry (other, &all_mounts, table) {
		if (other->parent == mount)
			return true;
	}
	return false;
}

int mount_detach(struct mount *mount, bool lazy)
{
	if (!mount->parent)
		return -EINVAL;
	if (mount_has_children(mount) || (!lazy && mount->refs.count > 1))
		return -EBUSY;
	list_remove(&mount->on_dentry);
	list_remove(&mount->table);
	mount->parent = NULL;
	mount_total--;
	vfs_lasting_end();
	mount_unref(mount);
	return 0;
}

struct mount *mount_next(const struct mount *mount)
{
	const struct list_head *next = mount ? mount->table.next : all_mounts.next;

	if (mount && list_empty(&mount->table))
		return NULL; /* it was detached */
	return next == &all_mounts ? NULL : list_entry(next, struct mount, table);
}

int path_check_write(const struct path *path)
{
	if ((path->mount && path->mount->read_only) || path->dentry->sb->read_only)
		return -EROFS;
	return 0;
}

/* ---- root and working directory of tasks ---- */

int fs_context_new(
	const struct path *root, const struct path *cwd, uint32_t umask, struct fs_context **ret)
{
	struct fs_context *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return -ENOMEM;
	fs->refs = REFCOUNT_ONE;
	fs->root = *root;
	fs->cwd = *cwd;
	path_ref(root);
	path_ref(cwd);
	fs->umask = umask;
	*ret = fs;
	return 0;
}

int fs_context_copy(const struct fs_context *from, struct fs_context **ret)
{
	return fs_context_new(&from->root, &from->cwd, from->umask, ret);
}

struct fs_context *fs_context_ref(struct fs_context *fs)
{
	refcount_get(&fs->refs);
	return fs;
}

void fs_context_unref(struct fs_context *fs)
{
	if (!refcount_put(&fs->refs))
		return;
	path_unref(&fs->root);
	path_unref(&fs->cwd);
	free(fs);
}

/* ---- names of paths ---- */

struct name_buffer {
	char *start;
	size_t at; /* the name so far is start[at..size) */
};

static bool name_prepend(struct name_buffer *buffer, const char *text, size_t size)
{
	if (size > buffer->at)
		return false;
	buffer->at -= size;
	memcpy(buffer->start + buffer->at, text, size);
	return true;
}

/* What is not "prefix:[...]" and not below a mount is shown as it is called. */
static ssize_t anonymous_name(const struct path *path, char *buffer, size_t size)
{
	size_t length = path->dentry->name_size;

	if (length + 1 > size)
		return -ENAMETOOLONG;
	memcpy(buffer, path->dentry->name, length + 1);
	return (ssize_t)length;
}

ssize_t path_name(const struct path *path, const struct path *root, char *buffer, size_t size)
{
	const struct dentry *dentry = path->dentry;
	const struct mount *mount = path->mount;
	struct name_buffer name = {.start = buffer, .at = size};
	bool fits, empty = true;
	size_t length;

	if (!mount)
		return anonymous_name(path, buffer, size);
	fits = name_prepend(&name, "", 1);
	if (dentry->unlinked)
		fits = fits && name_prepend(&name, " (deleted)", 10);
	while (fits && !(root && dentry == root->dentry && mount == root->mount)) {
		if (dentry == mount->root) {
			if (!mount->parent) {
				/* prepend_path(): got to the top without meeting the root. */
				if (root && (root->mount != mount || root->dentry != dentry)) {
					if (empty)
						fits = name_prepend(&name, "/", 1);
					fits = fits && name_prepend(&name, "(unreachable)", 13);
					empty = false;
				}
				break;
			}
			dentry = mount->mountpoint;
			mount = mount->parent;
			continue;
		}
		if (dentry->parent == dentry)
			break;
		fits = name_prepend(&name, dentry->name, dentry->name_size) &&
		       name_prepend(&name, "/", 1);
		empty = false;
		dentry = dentry->parent;
	}
	if (fits && empty)
		fits = name_prepend(&name, "/", 1);
	if (!fits)
		return -ENAMETOOLONG;
	length = size - name.at;
	memmove(buffer, buffer + name.at, length);
	return (ssize_t)length - 1;
}
