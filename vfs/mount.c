/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts: a superblock's tree (or a part of it) shown at a dentry of another mount. They form a
 * tree for each mount namespace, whose place in it is one reference to each mount; a mount cannot
 * leave before those on it, or takes them along. What changes these trees is in mount_ops.c, how
 * changes spread in mount_peers.c.
 *
 * At one dentry of one mount there is at most one mount: a second one goes on the root of the
 * first. A dentry may be the mountpoint of several, each in another mount.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/mount_private.h"

static unsigned mount_total;
/* The root of everything has number 1; the next ones are as on a running system, where the first
 * were early boot's. */
static int next_mount_id = 21;

struct mnt_ns mnt_ns_first = {
	.ns = {.refs = REFCOUNT_ONE,
		.kind = NS_MNT,
		.number = 4026531841u,
		.user_ns = &user_ns_first},
	.mounts = LIST_HEAD_INIT(mnt_ns_first.mounts),
};

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

static void release(struct mount *mount)
{
	struct super_block *sb = mount->sb;
	struct dentry *root = mount->root, *mountpoint = mount->mountpoint;

	mount_total--;
	free(mount->source);
	free(mount->options);
	free(mount);
	if (mountpoint)
		dentry_unref(mountpoint);
	dentry_unref(root);
	super_block_let_go(sb);
	super_block_unref(sb);
}

/*
 * With a mount that was unmounted go those that stayed connected to it. They are as many, and as
 * deep, as a guest likes: they wait on a list.
 */
static void mount_free(struct mount *mount)
{
	static struct list_head doomed = LIST_HEAD_INIT(doomed);
	static bool working;

	list_add_tail(&mount->table, &doomed);
	if (working)
		return;
	working = true;
	while (!list_empty(&doomed)) {
		struct mount *child, *next;

		mount = list_first(&doomed, struct mount, table);
		list_remove(&mount->table);
		mount_make(mount, MOUNT_PRIVATE);
		list_for_each_entry_safe (child, next, &mount->children, sibling) {
			mount_unlink(child);
			mount_unref(child);
		}
		release(mount);
	}
	working = false;
}

void mount_unref(struct mount *mount)
{
	if (refcount_put(&mount->refs))
		mount_free(mount);
}

unsigned mounts_left(void)
{
	return mount_total < SENTRY_MAX_MOUNTS ? SENTRY_MAX_MOUNTS - mount_total : 0;
}

int mount_new(struct super_block *sb, struct dentry *root, const char *source, struct mount **ret)
{
	struct mount *mount;

	if (!mounts_left())
		return -ENOSPC;
	mount = calloc(1, sizeof(*mount));
	if (!mount)
		return -ENOMEM;
	mount->source = strdup(source ? source : "none");
	if (!mount->source) {
		free(mount);
		return -ENOMEM;
	}
	mount->refs = REFCOUNT_ONE;
	mount->sb = super_block_ref(sb);
	mount->root = dentry_ref(root);
	mount->id = next_mount_id++;
	list_init(&mount->on_dentry);
	list_init(&mount->children);
	list_init(&mount->sibling);
	list_init(&mount->table);
	list_init(&mount->peers);
	list_init(&mount->slaves);
	list_init(&mount->slave_link);
	mount_total++;
	super_block_keep(sb);
	*ret = mount;
	return 0;
}

void mount_link(struct mount *mount, struct mount *parent, struct dentry *dentry)
{
	mount->parent = parent;
	mount->mountpoint = dentry_ref(dentry);
	list_add(&mount->on_dentry, &dentry->mounts);
	list_add_tail(&mount->sibling, &parent->children);
	vfs_lasting_end();
}

void mount_unlink(struct mount *mount)
{
	struct dentry *mountpoint = mount->mountpoint;

	if (!mount->parent)
		return;
	list_remove(&mount->on_dentry);
	list_remove(&mount->sibling);
	mount->parent = NULL;
	mount->mountpoint = NULL;
	vfs_lasting_end();
	dentry_unref(mountpoint);
}

void mount_enter_ns(struct mount *mount, struct mnt_ns *ns)
{
	mount->ns = ns;
	list_add_tail(&mount->table, &ns->mounts);
	ns->count++;
}

void mount_leave_ns(struct mount *mount)
{
	if (!mount->ns)
		return;
	if (mount->ns->root == mount)
		mount->ns->root = NULL;
	mount->ns->count--;
	mount->ns = NULL;
	list_remove(&mount->table);
}

bool dentry_is_mountpoint(const struct dentry *dentry)
{
	return !list_empty(&dentry->mounts);
}

bool mountpoint_is_local(const struct dentry *dentry, const struct mnt_ns *ns)
{
	const struct mount *mount;

	list_for_each_entry (mount, &dentry->mounts, on_dentry) {
		if (!ns || mount->ns == ns)
			return true;
	}
	return false;
}

void mountpoint_release(struct dentry *dentry)
{
	while (dentry_is_mountpoint(dentry)) {
		struct mount *mount = list_first(&dentry->mounts, struct mount, on_dentry);

		if (mount->unmounted) {
			mount_unlink(mount);
			mount_unref(mount);
		} else {
			mount_umount_tree(mount, false, true);
		}
	}
}

struct mount *mount_on(const struct path *path)
{
	struct mount *mount;

	list_for_each_entry (mount, &path->dentry->mounts, on_dentry) {
		if (mount->parent != path->mount)
			continue;
		/* Every namespace has one here: those that are used stay in front. */
		if (path->dentry->mounts.next != &mount->on_dentry) {
			list_remove(&mount->on_dentry);
			list_add(&mount->on_dentry, &path->dentry->mounts);
		}
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

bool dentry_within(const struct dentry *dentry, const struct dentry *ancestor)
{
	return dentry->sb == ancestor->sb && dentry_is_below(dentry, ancestor);
}

void path_to_top(struct path *path)
{
	(void)path_cross_mounts(path);
}

bool path_is_mountpoint(const struct path *path)
{
	return (path->mount && path->dentry == path->mount->root) || mount_on(path);
}

int mount_attach(struct super_block *sb, struct dentry *root, const struct path *at,
	const char *source, struct mount **ret)
{
	struct mount *mount;
	int err;

	if (at && dentry_is_dir(root) != dentry_is_dir(at->dentry))
		return -ENOTDIR;
	err = mount_new(sb, root, source, &mount);
	if (err < 0)
		return err;
	if (at) {
		/* A second mount on the same place goes on top of the first. */
		struct path top = *at;

		path_ref(&top);
		(void)path_cross_mounts(&top);
		mount_link(mount, top.mount, top.dentry);
		path_unref(&top);
	} else {
		mount->id = 1;
		mnt_ns_first.root = mount;
	}
	mount_enter_ns(mount, &mnt_ns_first);
	vfs_lasting_end();
	*ret = mount;
	return 0;
}

int mount_detach(struct mount *mount, bool lazy)
{
	if (!mount->parent)
		return -EINVAL;
	if (!list_empty(&mount->children) || (!lazy && mount->refs.count > 1))
		return -EBUSY;
	mount_umount_tree(mount, false, false);
	return 0;
}

struct mount *mount_next(const struct mnt_ns *ns, const struct mount *mount)
{
	const struct list_head *next = mount ? mount->table.next : ns->mounts.next;

	if (mount && mount->ns != ns)
		return NULL; /* it was detached */
	return next == &ns->mounts ? NULL : list_entry(next, struct mount, table);
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

bool path_name_lasts(const struct path *path)
{
	for (const struct mount *mount = path->mount; mount; mount = mount->parent)
		if (!mount->sb->stable)
			return false;
	return path->mount;
}

ssize_t path_name(const struct path *path, const struct path *root, char *buffer, size_t size)
{
	const struct dentry *dentry = path->dentry;
	const struct mount *mount = path->mount;
	struct name_buffer name = {.start = buffer, .at = size};
	bool fits, empty = true;
	size_t length;

	if (!mount || (mount->sb->bind_from_nowhere && dentry != mount->root))
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
