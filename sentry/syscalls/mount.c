/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount(2), umount2(2), pivot_root(2): what is asked, in the order of kernel fs/namespace.c. The
 * trees are changed by vfs/mount_ops.c, file systems made by sentry/fs_type.c. All of it is about
 * the sandbox's own trees: the host is asked nothing.
 */
#include "sentry/shared_names.h"
#include "sentry/syscalls/mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "abi/mount.h"
#include "base/cleanup.h"
#include "sentry/fs_type.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"
#include "vfs/landlock.h"

bool may_mount(const struct task *t)
{
	/* A Landlock domain's rules are about paths: who is in one may not give files others
	 * (hook_sb_mount() and relatives). */
	return !landlock_handles_files(t->cred) && task_ns_capable(t, NS_MNT, LX_CAP_SYS_ADMIN);
}

/* mount_too_revealing(): who may see only a part of /proc shall not get the whole by mounting it
 * anew. */
bool mount_too_revealing(
	const struct task *t, const struct super_block *sb, const struct mount_flags *flags)
{
	const struct mnt_ns *ns = task_mnt_ns(t);

	return sb->type_must_show && ns->ns.user_ns != &user_ns_first &&
	       !mount_type_visible(ns, sb, flags);
}

int mount_of_super(struct fs_make *make, const struct mount_flags *flags, struct mount **ret)
{
	struct mount *mount;
	int err = mount_new(make->sb, make->sb->root, fs_make_source(make), &mount);

	if (err < 0)
		return err;
	mount->options = fs_make_show(make);
	mount_set_flags(mount, flags);
	*ret = mount;
	return 0;
}

/* ---- mount(2) -------------------------------------------------------------------------------- */

static struct mount_flags decode_flags(uint64_t flags)
{
	return (struct mount_flags){
		.read_only = flags & LX_MS_RDONLY,
		.no_suid = flags & LX_MS_NOSUID,
		.no_dev = flags & LX_MS_NODEV,
		.no_exec = flags & LX_MS_NOEXEC,
		.no_symlinks = flags & LX_MS_NOSYMFOLLOW,
		.no_atime = (flags & LX_MS_NOATIME) && !(flags & LX_MS_STRICTATIME),
		.no_dir_atime = flags & LX_MS_NODIRATIME,
		.strict_atime = flags & LX_MS_STRICTATIME,
	};
}

/* A remount that says nothing about access times leaves them as they are. */
static void keep_atime(const struct mount *mount, uint64_t flags, struct mount_flags *to)
{
	if (flags & (LX_MS_NOATIME | LX_MS_NODIRATIME | LX_MS_RELATIME | LX_MS_STRICTATIME))
		return;
	to->no_atime = mount->no_atime;
	to->no_dir_atime = mount->no_dir_atime;
	to->strict_atime = mount->strict_atime;
}

struct mount_call {
	struct task *t;
	struct path at;		       /* owned */
	char *source, *type, *options; /* owned, or NULL */
	uint64_t flags;
	struct mount_flags mount_flags;
};

/* do_remount() */
static int remount(const struct mount_call *call)
{
	struct mount *mount = call->at.mount;
	struct super_block *sb = mount->sb;
	struct fs_make *make;
	int err;

	if (mount->ns != task_mnt_ns(call->t) || call->at.dentry != mount->root)
		return -EINVAL;
	if (!mount_may_change_flags(mount, &call->mount_flags))
		return -EPERM;
	err = fs_make_pick(call->t, sb, &make);
	if (err == 0 && call->options)
		err = fs_make_options(make, call->options);
	if (err == 0) {
		const struct user_ns *owner = sb->user_ns ? sb->user_ns : &user_ns_first;

		make->read_only = call->flags & LX_MS_RDONLY;
		if (!cred_ns_capable(call->t->cred, owner, LX_CAP_SYS_ADMIN))
			err = -EPERM;
		else if (make->read_only && !sb->read_only && mount->write_count)
			err = -EBUSY;
		else
			err = fs_make_reconfigure(make, sb);
	}
	if (err == 0)
		mount_set_flags(mount, &call->mount_flags);
	fs_make_free(make);
	return err;
}

/* do_loopback() */
static int bind(const struct mount_call *call)
{
	struct vfs_ctx ctx = task_vfs_ctx(call->t);
	_cleanup_path_ struct path from = {0};
	int err;

	if (!call->source || !*call->source)
		return -EINVAL;
	err = path_walk(&ctx, NULL, call->source, WALK_FOLLOW, &from);
	if (err < 0)
		return err;
	return mount_bind(&from, call->flags & LX_MS_REC, &call->at, task_mnt_ns(call->t));
}

static int move(const struct mount_call *call)
{
	struct vfs_ctx ctx = task_vfs_ctx(call->t);
	_cleanup_path_ struct path from = {0};
	int err;

	if (!call->source || !*call->source)
		return -EINVAL;
	err = path_walk(&ctx, NULL, call->source, WALK_FOLLOW, &from);
	return err < 0 ? err : mount_move(&from, &call->at, task_mnt_ns(call->t));
}

#define PROPAGATION (LX_MS_SHARED | LX_MS_PRIVATE | LX_MS_SLAVE | LX_MS_UNBINDABLE)

int propagation_type(uint64_t flags, enum mount_propagation *ret)
{
	switch (flags) {
	case LX_MS_SHARED:
		*ret = MOUNT_SHARED;
		return 0;
	case LX_MS_PRIVATE:
		*ret = MOUNT_PRIVATE;
		return 0;
	case LX_MS_SLAVE:
		*ret = MOUNT_SLAVE;
		return 0;
	case LX_MS_UNBINDABLE:
		*ret = MOUNT_UNBINDABLE;
		return 0;
	default:
		return -EINVAL;
	}
}

/* do_change_type() */
static int change_type(const struct mount_call *call)
{
	enum mount_propagation type;
	int err;

	if (call->at.dentry != call->at.mount->root)
		return -EINVAL;
	err = propagation_type(call->flags & ~(uint64_t)(LX_MS_REC | LX_MS_SILENT), &type);
	return err < 0 ? err
		       : mount_change_propagation(
				 &call->at, type, call->flags & LX_MS_REC, task_mnt_ns(call->t));
}

/* do_new_mount() */
static int new_mount(const struct mount_call *call)
{
	struct mount *mount = NULL;
	struct fs_make *make = NULL;
	int err;

	if (!call->type)
		return -EINVAL;
	err = fs_make_begin(call->t, call->type, &make);
	if (err < 0)
		return err;
	make->read_only = call->flags & LX_MS_RDONLY;
	if (call->source)
		err = fs_make_param(make, "source", call->source);
	if (err == 0 && call->options)
		err = fs_make_options(make, call->options);
	if (err == 0)
		err = fs_make_permitted(make, call->t->cred);
	if (err == 0)
		err = fs_make_super(make, call->t);
	if (err == 0 && mount_too_revealing(call->t, make->sb, &call->mount_flags))
		err = -EPERM;
	if (err == 0)
		err = mount_of_super(make, &call->mount_flags, &mount);
	if (err == 0) {
		err = mount_add(mount, &call->at, task_mnt_ns(call->t));
		if (err < 0)
			mount_unref(mount);
	}
	fs_make_free(make);
	return err;
}

/* path_mount() */
static int do_mount(struct mount_call *call)
{
	uint64_t flags = call->flags;

	if ((flags & LX_MS_MGC_MSK) == LX_MS_MGC_VAL)
		flags &= ~(uint64_t)LX_MS_MGC_MSK;
	if (flags & LX_MS_NOUSER)
		return -EINVAL;
	if (!may_mount(call->t))
		return -EPERM;
	call->mount_flags = decode_flags(flags);
	if (flags & LX_MS_REMOUNT)
		keep_atime(call->at.mount, flags, &call->mount_flags);
	call->flags = flags;
	if ((flags & (LX_MS_REMOUNT | LX_MS_BIND)) == (LX_MS_REMOUNT | LX_MS_BIND))
		return mount_change_flags(&call->at, &call->mount_flags, task_mnt_ns(call->t));
	if (flags & LX_MS_REMOUNT)
		return remount(call);
	if (flags & LX_MS_BIND)
		return bind(call);
	if (flags & PROPAGATION)
		return change_type(call);
	if (flags & LX_MS_MOVE)
		return move(call);
	return new_mount(call);
}

/* A string of up to a page, or NULL for a null pointer. */
static int read_string(struct task *t, gaddr_t addr, size_t capacity, char **ret)
{
	char *text;
	ssize_t size;

	*ret = NULL;
	if (gaddr_is_null(addr))
		return 0;
	text = malloc(capacity);
	if (!text)
		return -ENOMEM;
	size = guest_read_string(t, text, addr, capacity);
	if (size < 0) {
		free(text);
		return size == -ENAMETOOLONG ? -EINVAL : (int)size;
	}
	*ret = text;
	return 0;
}

/* copy_mount_options(): a page, as much of it as can be read, and what is in it up to its end. */
static int read_options(struct task *t, gaddr_t addr, char **ret)
{
	size_t size = LX_PAGE_SIZE, got = 0;
	char *text;

	*ret = NULL;
	if (gaddr_is_null(addr))
		return 0;
	text = calloc(1, size + 1);
	if (!text)
		return -ENOMEM;
	/* Up to the end of the page first: the next one need not be there. */
	while (got < size) {
		size_t part = LX_PAGE_SIZE - (addr.v + got) % LX_PAGE_SIZE;

		if (part > size - got)
			part = size - got;
		if (guest_read(t, text + got, gaddr_add(addr, got), part) < 0)
			break;
		got += part;
		if (memchr(text, '\0', got))
			break;
	}
	if (!got) {
		free(text);
		return -EFAULT;
	}
	text[LX_PAGE_SIZE - 1] = '\0';
	*ret = text;
	return 0;
}

int64_t sys_mount(struct task *t, gaddr_t source, gaddr_t target, gaddr_t fstype, uint64_t flags,
	gaddr_t data)
{
	struct mount_call call = {.t = t, .flags = flags};
	int err = read_string(t, fstype, LX_PAGE_SIZE, &call.type);

	if (err == 0)
		err = read_string(t, source, LX_PAGE_SIZE, &call.source);
	if (err == 0)
		err = read_options(t, data, &call.options);
	if (err == 0)
		err = at_walk(t, LX_AT_FDCWD, target, WALK_FOLLOW, &call.at);
	if (err == 0)
		err = call.at.mount ? do_mount(&call) : -EINVAL;
	path_unref(&call.at);
	free(call.type);
	free(call.source);
	free(call.options);
	return err;
}

/* ---- umount2(2) ------------------------------------------------------------------------------ */

int64_t sys_umount2(struct task *t, gaddr_t target, unsigned flags)
{
	_cleanup_path_ struct path path = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err;

	if (flags & ~(unsigned)(LX_MNT_FORCE | LX_MNT_DETACH | LX_MNT_EXPIRE | LX_UMOUNT_NOFOLLOW))
		return -EINVAL;
	err = at_walk(t, LX_AT_FDCWD, target, flags & LX_UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &path);
	if (err < 0)
		return err;
	/* LOOKUP_MOUNTPOINT: what is on the place, also when that is ".". */
	if (path.mount)
		path_to_top(&path);
	if (!may_mount(t))
		return -EPERM;
	return path.mount ? mount_umount(&path, flags, &ctx, task_mnt_ns(t)) : -EINVAL;
}

/* ---- pivot_root(2) --------------------------------------------------------------------------- */

static void follow_root(struct path *path, const struct path *from, const struct path *to)
{
	struct path old = *path;

	if (old.mount != from->mount || old.dentry != from->dentry)
		return;
	path_ref(to);
	*path = *to;
	path_unref(&old);
}

/* chroot_fs_refs(): whoever has the old root as its root or working directory. */
static void follow_pivot(const struct path *from, const struct path *to)
{
	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1)) {
		if (!pid->task || !pid->task->fs)
			continue;
		follow_root(&pid->task->fs->root, from, to);
		follow_root(&pid->task->fs->cwd, from, to);
	}
}

int64_t sys_pivot_root(struct task *t, gaddr_t new_root, gaddr_t put_old)
{
	_cleanup_path_ struct path new = {0}, old = {0}, root = {0};
	int err;

	if (!may_mount(t))
		return -EPERM;
	err = at_walk(t, LX_AT_FDCWD, new_root, WALK_FOLLOW | WALK_DIRECTORY, &new);
	if (err == 0)
		err = at_walk(t, LX_AT_FDCWD, put_old, WALK_FOLLOW | WALK_DIRECTORY, &old);
	if (err < 0)
		return err;
	root = t->fs->root;
	path_ref(&root);
	if (!new.mount || !old.mount)
		return -EINVAL;
	err = mount_pivot_root(&new, &old, &root, task_mnt_ns(t));
	if (err == 0) {
		shared_names_root(NULL);
		follow_pivot(&root, &new);
		vfs_lasting_end();
	}
	return err;
}
