/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of mounts: walks, copies, namespaces (kernel fs/namespace.c: copy_tree(), copy_mnt_ns()).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/mount_private.h"

struct mount *mount_tree_next(struct mount *mount, const struct mount *top)
{
	if (!list_empty(&mount->children))
		return list_first(&mount->children, struct mount, sibling);
	while (mount != top) {
		struct mount *parent = mount->parent;

		if (mount->sibling.next != &parent->children)
			return list_entry(mount->sibling.next, struct mount, sibling);
		mount = parent;
	}
	return NULL;
}

/* The same without what is on @mount. */
static struct mount *tree_skip(struct mount *mount, const struct mount *top)
{
	while (mount != top) {
		struct mount *parent = mount->parent;

		if (mount->sibling.next != &parent->children)
			return list_entry(mount->sibling.next, struct mount, sibling);
		mount = parent;
	}
	return NULL;
}

unsigned mount_tree_count(struct mount *top)
{
	unsigned count = 0;

	for (struct mount *mount = top; mount; mount = mount_tree_next(mount, top))
		count++;
	return count;
}

void mount_get_flags(const struct mount *mount, struct mount_flags *ret)
{
	*ret = (struct mount_flags){
		.read_only = mount->read_only,
		.no_exec = mount->no_exec,
		.no_suid = mount->no_suid,
		.no_dev = mount->no_dev,
		.no_symlinks = mount->no_symlinks,
		.no_atime = mount->no_atime,
		.no_dir_atime = mount->no_dir_atime,
		.strict_atime = mount->strict_atime,
	};
}

void mount_set_flags(struct mount *mount, const struct mount_flags *flags)
{
	mount->read_only = flags->read_only;
	mount->no_exec = flags->no_exec;
	mount->no_suid = flags->no_suid;
	mount->no_dev = flags->no_dev;
	mount->no_symlinks = flags->no_symlinks;
	mount->no_atime = flags->no_atime;
	mount->no_dir_atime = flags->no_dir_atime;
	mount->strict_atime = flags->strict_atime;
	vfs_lasting_end();
}

/* ---- copies ---- */

static void copy_propagation(struct mount *mount, struct mount *from, unsigned how)
{
	if ((how & COPY_SLAVE) || ((how & COPY_SHARED_TO_SLAVE) && mount_is_shared(from))) {
		mount->master = from;
		list_add(&mount->slave_link, &from->slaves);
		if (how & COPY_SHARED)
			mount->peer_group = mount_new_group();
		return;
	}
	if (how & COPY_PRIVATE)
		return;
	if (mount_is_shared(from)) {
		mount->peer_group = from->peer_group;
		list_add(&mount->peers, &from->peers);
	} else if (how & COPY_SHARED) {
		mount->peer_group = mount_new_group();
	}
	if (from->master) {
		mount->master = from->master;
		list_add(&mount->slave_link, &from->slave_link);
	}
}

int mount_copy(struct mount *from, struct dentry *root, unsigned how, struct mount **ret)
{
	struct mount_flags flags;
	struct mount *mount;
	int err = mount_new(from->sb, root, from->source, &mount);

	if (err < 0)
		return err;
	if (from->options) {
		mount->options = strdup(from->options);
		if (!mount->options) {
			mount_unref(mount);
			return -ENOMEM;
		}
	}
	mount_get_flags(from, &flags);
	mount_set_flags(mount, &flags);
	mount->locked_flags = from->locked_flags;
	mount->locked = from->locked;
	mount->unbindable = (how & COPY_UNBINDABLE) && from->unbindable;
	copy_propagation(mount, from, how);
	*ret = mount;
	return 0;
}

void mount_drop_tree(struct mount *top)
{
	struct mount *at = top;

	for (;;) {
		struct mount *parent;

		while (!list_empty(&at->children))
			at = list_first(&at->children, struct mount, sibling);
		if (at == top)
			break;
		parent = at->parent;
		mount_unlink(at);
		mount_unref(at);
		at = parent;
	}
	mount_unref(top);
}

static bool left_behind(const struct mount *mount, unsigned how)
{
	if (mount->unbindable && !(how & COPY_UNBINDABLE))
		return true;
	return (how & COPY_NAMESPACE) && mount->root->inode->mnt_ns_number;
}

/* The mounts of @top's tree from @first on; @copy goes along in the tree that is being made. */
static int copy_children(struct mount *top, struct dentry *dentry, unsigned how, struct mount *copy)
{
	struct mount *from = mount_tree_next(top, top), *to = copy, *parent = top;

	while (from) {
		struct mount *made;
		int err;

		/* Up to where it hangs. */
		while (parent != from->parent) {
			parent = parent->parent;
			to = to->parent;
		}
		if ((parent == top && !dentry_is_below(from->mountpoint, dentry)) ||
			left_behind(from, how)) {
			if (from->unbindable && from->locked && !(how & COPY_UNBINDABLE))
				return -EPERM;
			from = tree_skip(from, top);
			continue;
		}
		err = mount_copy(from, from->root, how, &made);
		if (err < 0)
			return err;
		mount_link(made, to, from->mountpoint);
		parent = from;
		to = made;
		from = mount_tree_next(from, top);
	}
	return 0;
}

int mount_copy_tree(struct mount *top, struct dentry *dentry, unsigned how, struct mount **ret)
{
	struct mount *copy;
	int err;

	if (top->unbindable && !(how & COPY_UNBINDABLE))
		return -EINVAL;
	if (mount_tree_count(top) > mounts_left())
		return -ENOSPC;
	err = mount_copy(top, dentry, how, &copy);
	if (err < 0)
		return err;
	err = copy_children(top, dentry, how, copy);
	if (err < 0) {
		mount_drop_tree(copy);
		return err;
	}
	*ret = copy;
	return 0;
}

void mount_lock_tree(struct mount *top)
{
	for (struct mount *mount = top; mount; mount = mount_tree_next(mount, top)) {
		mount->locked_flags |= MOUNT_LOCK_ATIME |
				       (mount->read_only ? MOUNT_LOCK_RDONLY : 0) |
				       (mount->no_suid ? MOUNT_LOCK_NOSUID : 0) |
				       (mount->no_dev ? MOUNT_LOCK_NODEV : 0) |
				       (mount->no_exec ? MOUNT_LOCK_NOEXEC : 0);
		if (mount != top)
			mount->locked = true;
	}
}

/* ---- namespaces ---- */

static void mnt_ns_destroy(struct ns *base)
{
	struct mnt_ns *ns = mnt_ns_of(base);

	if (ns->root)
		mount_umount_tree(ns->root, false, false);
	ns_fini(base);
	free(ns);
}

static int mnt_ns_alloc(struct user_ns *user_ns, struct mnt_ns **ret)
{
	struct mnt_ns *ns = calloc(1, sizeof(*ns));
	int err;

	if (!ns)
		return -ENOMEM;
	err = ns_init(&ns->ns, NS_MNT, user_ns, mnt_ns_destroy);
	if (err < 0) {
		free(ns);
		return err;
	}
	list_init(&ns->mounts);
	*ret = ns;
	return 0;
}

static void set_root(struct mnt_ns *ns, struct mount *root)
{
	ns->root = root;
	for (struct mount *mount = root; mount; mount = mount_tree_next(mount, root))
		mount_enter_ns(mount, ns);
}

int mnt_ns_new_anonymous(struct user_ns *user_ns, struct mount *root, struct mnt_ns **ret)
{
	struct mnt_ns *ns;
	int err = mnt_ns_alloc(user_ns, &ns);

	if (err < 0)
		return err;
	ns->anonymous = true;
	set_root(ns, root);
	*ret = ns;
	return 0;
}

static void move_path(struct path *path, const struct mount *from, struct mount *to)
{
	struct mount *old = path->mount;

	if (old != from)
		return;
	path->mount = mount_ref(to);
	mount_unref(old);
}

int mnt_ns_copy(
	struct mnt_ns *from, struct user_ns *user_ns, struct fs_context *fs, struct mnt_ns **ret)
{
	bool less = from->ns.user_ns != user_ns;
	const unsigned how = COPY_UNBINDABLE | COPY_NAMESPACE | (less ? COPY_SHARED_TO_SLAVE : 0);
	struct mount *root, *old, *new;
	struct mnt_ns *ns;
	int err = mnt_ns_alloc(user_ns, &ns);

	if (err < 0)
		return err;
	if (!from->root) {
		*ret = ns;
		return 0;
	}
	err = mount_copy_tree(from->root, from->root->root, how, &root);
	if (err < 0) {
		ns_unref(&ns->ns);
		return err;
	}
	if (less)
		mount_lock_tree(root);
	set_root(ns, root);
	/* The same walk over both, but for what was left out. */
	for (old = from->root, new = root; fs &&old &&new;) {
		if (old != from->root && left_behind(old, how)) {
			old = tree_skip(old, from->root);
			continue;
		}
		move_path(&fs->root, old, new);
		move_path(&fs->cwd, old, new);
		old = mount_tree_next(old, from->root);
		new = mount_tree_next(new, root);
	}
	vfs_lasting_end();
	*ret = ns;
	return 0;
}
