/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mount(2), umount2(2), move_mount(2) and pivot_root(2) do to the trees of mounts, with the
 * checks of kernel fs/namespace.c in their order. Names were looked up by the caller; nothing here
 * sleeps but the unmounting of large trees that were propagated, so that what was checked still
 * holds when the tree is changed. All that can fail comes before the first change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/mount.h"
#include "vfs/mount_private.h"

#define STEPS_TURN 1000 /* places before others have a turn */

static bool is_ours(const struct mount *mount, const struct mnt_ns *ns)
{
	return mount && mount->ns == ns;
}

static bool path_is_mount_root(const struct path *path)
{
	return path->mount && path->dentry == path->mount->root;
}

/* The topmost mount at @at, owned. -ENOENT: the directory was removed, or its mount was
 * (lock_mount()). */
static int mount_place(const struct path *at, struct path *ret)
{
	if (at->dentry->unlinked || !at->mount->ns)
		return -ENOENT;
	*ret = *at;
	path_ref(ret);
	(void)path_cross_mounts(ret);
	return 0;
}

/* ---- attaching ---- */

static void share_tree(struct mount *top)
{
	for (struct mount *mount = top; mount; mount = mount_tree_next(mount, top))
		mount_make(mount, MOUNT_SHARED);
}

static void enter_tree(struct mount *top, struct mnt_ns *ns)
{
	for (struct mount *mount = top; mount; mount = mount_tree_next(mount, top))
		if (mount->ns != ns) {
			mount_leave_ns(mount);
			mount_enter_ns(mount, ns);
		}
}

/* A copy for a receiver: what is already there goes on top of it. */
static void attach_copy(const struct mount_copy_for *made, struct dentry *dentry,
	const struct user_ns *from_user_ns)
{
	const struct path place = {.mount = made->receiver, .dentry = dentry};
	struct mount *above = mount_on(&place);

	if (made->receiver->ns->ns.user_ns != from_user_ns)
		mount_lock_tree(made->copy);
	made->copy->locked = false;
	mount_link(made->copy, made->receiver, dentry);
	enter_tree(made->copy, made->receiver->ns);
	if (above) {
		mount_unlink(above);
		mount_link(above, made->copy, made->copy->root);
	}
}

/*
 * attach_recursive_mnt(): @source, which is mounted elsewhere or nowhere, goes to @place, and
 * copies of it to all that gets what is mounted there. The reference that the tree needs is the
 * caller's on success, or that of the place where it was.
 */
static int attach(struct mount *source, const struct path *place)
{
	struct mount_copy_for *made = NULL;
	struct mount *dest = place->mount;
	bool shared = mount_is_shared(dest);
	size_t count = 0;
	int err = 0;

	if (shared) {
		/* Copies are peers of what they are copied from. */
		share_tree(source);
		err = mount_propagate(dest, place->dentry, source, &made, &count);
	}
	if (err < 0)
		return err;
	mount_unlink(source);
	mount_link(source, dest, place->dentry);
	enter_tree(source, dest->ns);
	for (size_t i = 0; i < count; i++)
		attach_copy(&made[i], place->dentry, dest->ns->ns.user_ns);
	free(made);
	vfs_lasting_end();
	return 0;
}

/* graft_tree() */
static int graft(struct mount *source, const struct path *place)
{
	if (dentry_is_dir(source->root) != dentry_is_dir(place->dentry))
		return -ENOTDIR;
	return attach(source, place);
}

int mount_add(struct mount *mount, const struct path *at, const struct mnt_ns *ns)
{
	_cleanup_path_ struct path place = {0};
	int err = mount_place(at, &place);

	if (err < 0)
		return err;
	if (!is_ours(place.mount, ns))
		return -EINVAL;
	if (place.mount->sb == mount->sb && path_is_mount_root(&place))
		return -EBUSY;
	if (LX_S_ISLNK(mount->root->inode->mode))
		return -EINVAL;
	return graft(mount, &place);
}

/* has_locked_children() */
static bool has_locked_children(struct mount *mount, const struct dentry *dentry)
{
	struct mount *child;

	list_for_each_entry (child, &mount->children, sibling)
		if (child->locked && dentry_is_below(child->mountpoint, dentry))
			return true;
	return false;
}

/* __do_loopback(). Objects of nsfs may be bound from where no namespace is. */
static int copy_for_bind(
	const struct path *from, bool recursive, const struct mnt_ns *ns, struct mount **ret)
{
	struct mount *mount = from->mount;
	int err;

	if (!mount || mount->unbindable)
		return -EINVAL;
	if (!is_ours(mount, ns) && !mount->sb->bind_from_nowhere)
		return -EINVAL;
	/* A namespace must not hold itself, nor one that may hold it (mnt_ns_loop()). */
	if (from->dentry->inode->mnt_ns_number &&
		from->dentry->inode->mnt_ns_number <= ns->ns.number)
		return -EINVAL;
	if (!recursive && has_locked_children(mount, from->dentry))
		return -EINVAL;
	err = recursive ? mount_copy_tree(mount, from->dentry, 0, ret)
			: mount_copy(mount, from->dentry, 0, ret);
	if (err == 0)
		(*ret)->locked = false;
	return err;
}

int mount_bind(
	const struct path *from, bool recursive, const struct path *at, const struct mnt_ns *ns)
{
	_cleanup_path_ struct path place = {0};
	struct mount *copy;
	int err = mount_place(at, &place);

	if (err < 0)
		return err;
	if (!is_ours(place.mount, ns))
		return -EINVAL;
	err = copy_for_bind(from, recursive, ns, &copy);
	if (err < 0)
		return err;
	err = graft(copy, &place);
	if (err < 0)
		mount_drop_tree(copy);
	return err;
}

int mount_clone_tree(const struct path *from, bool recursive, const struct mnt_ns *ns,
	struct user_ns *user_ns, struct mnt_ns **ret)
{
	struct mount *copy;
	int err = copy_for_bind(from, recursive, ns, &copy);

	if (err < 0)
		return err;
	err = mnt_ns_new_anonymous(user_ns, copy, ret);
	if (err < 0)
		mount_drop_tree(copy);
	return err;
}

static bool tree_has_unbindable(struct mount *top)
{
	for (struct mount *mount = top; mount; mount = mount_tree_next(mount, top))
		if (mount->unbindable)
			return true;
	return false;
}

/* do_move_mount() */
int mount_move(const struct path *from, const struct path *to, const struct mnt_ns *ns)
{
	struct mount *mount = from->mount, *parent = mount ? mount->parent : NULL;
	_cleanup_path_ struct path place = {0};
	struct mnt_ns *was = mount ? mount->ns : NULL;
	int err = mount_place(to, &place);

	if (err < 0)
		return err;
	if (!is_ours(place.mount, ns) || !was)
		return -EINVAL;
	if (parent ? !is_ours(mount, ns) : !(was->anonymous && was->root == mount))
		return -EINVAL;
	if (mount->locked || !path_is_mount_root(from))
		return -EINVAL;
	if (dentry_is_dir(from->dentry) != dentry_is_dir(place.dentry))
		return -EINVAL;
	if (parent && mount_is_shared(parent))
		return -EINVAL;
	if (mount_is_shared(place.mount) && tree_has_unbindable(mount))
		return -EINVAL;
	for (const struct mount *above = place.mount; above; above = above->parent)
		if (above == mount)
			return -ELOOP;
	return attach(mount, &place);
}

/* ---- changing ---- */

int mount_change_propagation(
	const struct path *at, enum mount_propagation type, bool recursive, const struct mnt_ns *ns)
{
	struct mount *top = at->mount;

	if (!path_is_mount_root(at) || !is_ours(top, ns))
		return -EINVAL;
	for (struct mount *mount = top; mount;
		mount = recursive ? mount_tree_next(mount, top) : NULL)
		mount_make(mount, type);
	return 0;
}

bool mount_may_change_flags(const struct mount *mount, const struct mount_flags *flags)
{
	uint8_t locked = mount->locked_flags;

	if ((locked & MOUNT_LOCK_RDONLY) && !flags->read_only)
		return false;
	if ((locked & MOUNT_LOCK_NODEV) && !flags->no_dev)
		return false;
	if ((locked & MOUNT_LOCK_NOSUID) && !flags->no_suid)
		return false;
	if ((locked & MOUNT_LOCK_NOEXEC) && !flags->no_exec)
		return false;
	return !(locked & MOUNT_LOCK_ATIME) ||
	       (mount->no_atime == flags->no_atime && mount->no_dir_atime == flags->no_dir_atime &&
		       mount->strict_atime == flags->strict_atime);
}

int mount_change_flags(
	const struct path *at, const struct mount_flags *flags, const struct mnt_ns *ns)
{
	struct mount *mount = at->mount;

	if (!is_ours(mount, ns) || !path_is_mount_root(at))
		return -EINVAL;
	if (!mount_may_change_flags(mount, flags))
		return -EPERM;
	if (flags->read_only && !mount->read_only && mount->write_count)
		return -EBUSY;
	mount_set_flags(mount, flags);
	return 0;
}

/* ---- unmounting ---- */

/*
 * The tree leaves its namespace. With @connected, and those that are locked always, a mount stays
 * on its parent, so that nobody can see what is under it (disconnect_mount()); the reference that
 * the tree had is the parent's then.
 */
static void umount_one_tree(struct mount *top, bool connected)
{
	struct list_head going = LIST_HEAD_INIT(going);
	struct mount *mount, *next;

	for (mount = top; mount; mount = mount_tree_next(mount, top)) {
		mount->unmounted = true;
		mount_leave_ns(mount);
		list_add_tail(&mount->table, &going);
	}
	list_for_each_entry_safe (mount, next, &going, table) {
		mount_make(mount, MOUNT_PRIVATE);
		if (mount != top && (connected || mount->locked))
			list_remove(&mount->table);
		else
			mount_unlink(mount);
	}
	while (!list_empty(&going)) {
		mount = list_first(&going, struct mount, table);
		list_remove(&mount->table);
		mount_unref(mount);
	}
	vfs_lasting_end();
}

/* The mount that covers @mount completely, if that is all there is on it. */
static struct mount *topper(const struct mount *mount)
{
	struct mount *child;

	if (list_empty(&mount->children) || mount->children.next->next != &mount->children)
		return NULL;
	child = list_first(&mount->children, struct mount, sibling);
	return child->mountpoint == mount->root ? child : NULL;
}

/* The copies that others got of what is mounted at the place of @mount (propagate_umount()).
 * Returns how many places were looked at. */
static size_t umount_copies(struct mount *mount)
{
	struct mount **receivers;
	size_t count;

	/* Without memory they stay, as busy ones do. */
	if (!mount->parent || mount_receivers(mount->parent, &receivers, &count) < 0)
		return 0;
	/* A copy that goes may itself be one of them. */
	for (size_t i = 0; i < count; i++)
		(void)mount_ref(receivers[i]);
	for (size_t i = 0; i < count; i++) {
		_cleanup_path_ struct path place = {
			.mount = receivers[i], .dentry = mount->mountpoint};
		struct mount *copy = receivers[i]->ns ? mount_on(&place) : NULL, *above;

		path_ref(&place);

		if (!copy || copy->locked)
			continue;
		above = topper(copy);
		if (!above && !list_empty(&copy->children))
			continue;
		if (above)
			mount_unlink(above);
		umount_one_tree(copy, false);
		if (above)
			mount_link(above, place.mount, place.dentry);
	}
	for (size_t i = 0; i < count; i++)
		mount_unref(receivers[i]);
	free(receivers);
	return count;
}

void mount_umount_tree(struct mount *top, bool propagate, bool connected)
{
	size_t count = propagate ? mount_tree_count(top) : 0, at = 0;
	struct mount **all = count ? calloc(count, sizeof(*all)) : NULL;
	size_t steps = 0;

	(void)mount_ref(top);
	for (struct mount *mount = top; all && mount; mount = mount_tree_next(mount, top))
		all[at++] = mount_ref(mount);
	/* From the leaves on: a copy goes when nothing is on it. */
	while (at > 0) {
		if (!all[--at]->unmounted)
			steps += umount_copies(all[at]);
		mount_unref(all[at]);
		/* As many places as there are mounts, each looked at for as many peers: what others
		 * change of the tree meanwhile, goes with it. */
		if (steps >= STEPS_TURN) {
			fiber_yield();
			steps = 0;
		}
	}
	free(all);
	if (!top->unmounted)
		umount_one_tree(top, connected);
	mount_unref(top);
}

/* propagate_mount_busy() */
static bool is_busy(struct mount *mount)
{
	struct mount **receivers;
	bool busy = false;
	size_t count;

	if (!list_empty(&mount->children) || mount->refs.count > 2)
		return true;
	if (!mount->parent || mount_receivers(mount->parent, &receivers, &count) < 0)
		return false;
	for (size_t i = 0; i < count && !busy; i++) {
		const struct path place = {.mount = receivers[i], .dentry = mount->mountpoint};
		const struct mount *copy = mount_on(&place);

		busy = copy && list_empty(&copy->children) && copy->refs.count > 1;
	}
	free(receivers);
	return busy;
}

/* can_umount(), do_umount() */
int mount_umount(
	const struct path *at, unsigned flags, const struct vfs_ctx *ctx, const struct mnt_ns *ns)
{
	struct mount *mount = at->mount;
	const struct user_ns *owner = mount->sb->user_ns ? mount->sb->user_ns : &user_ns_first;
	bool is_root = ctx->fs && ctx->fs->root.mount == mount;

	if (!path_is_mount_root(at) || !is_ours(mount, ns) || mount->locked)
		return -EINVAL;
	if ((flags & LX_MNT_FORCE) && !cred_ns_capable(ctx->cred, owner, LX_CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & LX_MNT_EXPIRE) {
		if (is_root || (flags & (LX_MNT_FORCE | LX_MNT_DETACH)))
			return -EINVAL;
		if (mount->refs.count != 2 || !list_empty(&mount->children))
			return -EBUSY;
		if (!mount->expiring) {
			mount->expiring = true;
			return -EAGAIN;
		}
	}
	if (is_root && !(flags & LX_MNT_DETACH)) {
		/* do_umount_root(): the root becomes read-only instead. */
		if (!cred_ns_capable(ctx->cred, owner, LX_CAP_SYS_ADMIN))
			return -EPERM;
		if (mount->write_count)
			return -EBUSY;
		mount->sb->read_only = true;
		vfs_lasting_end();
		return 0;
	}
	if (!(flags & LX_MNT_DETACH) && is_busy(mount))
		return -EBUSY;
	mount_umount_tree(mount, true, false);
	return 0;
}

/* ---- pivot_root ---- */

/* is_path_reachable() */
static bool reachable(const struct path *path, const struct path *from)
{
	const struct mount *mount = path->mount;
	const struct dentry *dentry = path->dentry;

	while (mount != from->mount && mount->parent) {
		dentry = mount->mountpoint;
		mount = mount->parent;
	}
	return mount == from->mount && dentry_is_below(dentry, from->dentry);
}

static bool parent_shared(const struct mount *mount)
{
	return mount->parent && mount_is_shared(mount->parent);
}

int mount_pivot_root(const struct path *new_root, const struct path *put_old,
	const struct path *root, const struct mnt_ns *ns)
{
	struct mount *new = new_root->mount, *old_root = root->mount, *above;
	_cleanup_path_ struct path old = {0}, above_place = {0};
	int err = mount_place(put_old, &old);

	if (err < 0)
		return err;
	if (mount_is_shared(old.mount) || parent_shared(new) || parent_shared(old_root))
		return -EINVAL;
	if (!is_ours(old_root, ns) || !is_ours(new, ns) || new->locked)
		return -EINVAL;
	if (new_root->dentry->unlinked)
		return -ENOENT;
	if (new == old_root || old.mount == old_root)
		return -EBUSY;
	if (!path_is_mount_root(root) || !old_root->parent)
		return -EINVAL;
	if (!path_is_mount_root(new_root) || !new->parent)
		return -EINVAL;
	if (!reachable(&old, new_root) || !reachable(new_root, root))
		return -EINVAL;
	above = old_root->parent;
	above_place = (struct path){mount_ref(above), dentry_ref(old_root->mountpoint)};
	mount_unlink(new);
	mount_unlink(old_root);
	if (old_root->locked) {
		new->locked = true;
		old_root->locked = false;
	}
	mount_link(old_root, old.mount, old.dentry);
	mount_link(new, above, above_place.dentry);
	new->expiring = false;
	vfs_lasting_end();
	return 0;
}

/* ---- what may be seen ---- */

/* Is something that hides part of the tree mounted on @mount for good? Empty directories hide
 * nothing: that is what they are there for. */
static bool covered(const struct mount *mount)
{
	const struct mount *child;

	list_for_each_entry (child, &mount->children, sibling)
		if (child->locked && !child->mountpoint->inode->empty_place)
			return true;
	return false;
}

bool mount_type_visible(
	const struct mnt_ns *ns, const struct super_block *sb, const struct mount_flags *flags)
{
	for (struct mount *mount = mount_next(ns, NULL); mount; mount = mount_next(ns, mount)) {
		if (strcmp(mount->sb->type, sb->type) != 0 || mount->root != mount->sb->root)
			continue;
		if (((mount->locked_flags & MOUNT_LOCK_RDONLY) || mount->sb->read_only) &&
			!flags->read_only)
			continue;
		if ((mount->locked_flags & MOUNT_LOCK_ATIME) &&
			(mount->no_atime != flags->no_atime ||
				mount->strict_atime != flags->strict_atime))
			continue;
		if (!covered(mount))
			return true;
	}
	return false;
}
