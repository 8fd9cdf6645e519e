/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newer calls about mounts: fsopen(2), fsconfig(2), fsmount(2), fspick(2), open_tree(2),
 * move_mount(2), mount_setattr(2) (kernel fs/fsopen.c, fs/namespace.c). A file system that is being
 * made is a file; a tree of mounts that is nowhere is an O_PATH file, whose anonymous namespace
 * goes with it unless move_mount() has emptied it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/mount.h"
#include "base/cleanup.h"
#include "sentry/syscalls/anon_fd.h"
#include "sentry/syscalls/mount.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"

/* ---- file system contexts -------------------------------------------------------------------- */

enum phase { PHASE_CREATE, PHASE_MOUNT, PHASE_CONF, PHASE_FAILED };

struct context {
	struct fs_make *make; /* owned; NULL while awaiting */
	enum phase phase;
};

static unsigned context_count;

static void context_release(struct file *file)
{
	struct context *context = file->private;

	fs_make_free(context->make);
	free(context);
	context_count--;
}

/* No messages are kept. */
static ssize_t context_read(struct file *file, struct uio *uio, int64_t *pos)
{
	return -ENODATA;
}

static const struct file_ops context_ops = {
	.name = "fscontext", .read = context_read, .release = context_release};

static int context_file(struct task *t, struct fs_make *make, enum phase phase, bool cloexec)
{
	struct context *context =
		context_count < SENTRY_MAX_FS_CONTEXTS ? calloc(1, sizeof(*context)) : NULL;
	struct file *file;
	int err;

	if (!context) {
		fs_make_free(make);
		return context_count < SENTRY_MAX_FS_CONTEXTS ? -ENOMEM : -ENFILE;
	}
	*context = (struct context){.make = make, .phase = phase};
	err = file_new_anonymous(
		"anon_inode:[fscontext]", &context_ops, context, LX_O_RDWR, 0600, &file);
	if (err < 0) {
		fs_make_free(make);
		free(context);
		return err;
	}
	context_count++;
	return (int)install_new_file(t, file, cloexec);
}

int64_t sys_fsopen(struct task *t, gaddr_t fsname, unsigned flags)
{
	char name[LX_NAME_MAX + 1];
	struct fs_make *make;
	ssize_t size;
	int err;

	if (!may_mount(t))
		return -EPERM;
	if (flags & ~(unsigned)LX_FSOPEN_CLOEXEC)
		return -EINVAL;
	size = guest_read_string(t, name, fsname, sizeof(name));
	if (size < 0)
		return size == -ENAMETOOLONG ? -EINVAL : size;
	err = fs_make_begin(t, name, &make);
	if (err < 0)
		return err;
	return context_file(t, make, PHASE_CREATE, flags & LX_FSOPEN_CLOEXEC);
}

#define FSPICK_CLOEXEC		1u
#define FSPICK_SYMLINK_NOFOLLOW 2u
#define FSPICK_NO_AUTOMOUNT	4u
#define FSPICK_EMPTY_PATH	8u

int64_t sys_fspick(struct task *t, int dirfd, gaddr_t name, unsigned flags)
{
	_cleanup_path_ struct path path = {0};
	struct fs_make *make;
	int err;

	if (!may_mount(t))
		return -EPERM;
	if (flags & ~(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT |
			    FSPICK_EMPTY_PATH))
		return -EINVAL;
	err = at_walk(t, dirfd, name,
		(flags & FSPICK_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(flags & FSPICK_EMPTY_PATH ? WALK_EMPTY : 0),
		&path);
	if (err < 0)
		return err;
	if (!path.mount || path.dentry != path.mount->root)
		return -EINVAL;
	err = fs_make_pick(t, path.mount->sb, &make);
	if (err < 0)
		return err;
	return context_file(t, make, PHASE_CONF, flags & FSPICK_CLOEXEC);
}

#define FSCONFIG_SET_FLAG	 0
#define FSCONFIG_SET_STRING	 1
#define FSCONFIG_SET_BINARY	 2
#define FSCONFIG_SET_PATH	 3
#define FSCONFIG_SET_PATH_EMPTY	 4
#define FSCONFIG_SET_FD		 5
#define FSCONFIG_CMD_CREATE	 6
#define FSCONFIG_CMD_RECONFIGURE 7
#define FSCONFIG_CMD_CREATE_EXCL 8

/* Which arguments a command takes. */
static int check_config(unsigned command, gaddr_t key, gaddr_t value, int aux)
{
	bool has_key = !gaddr_is_null(key), has_value = !gaddr_is_null(value);

	switch (command) {
	case FSCONFIG_SET_FLAG:
		return has_key && !has_value && !aux ? 0 : -EINVAL;
	case FSCONFIG_SET_STRING:
		return has_key && has_value && !aux ? 0 : -EINVAL;
	case FSCONFIG_SET_BINARY:
		return has_key && has_value && aux > 0 && aux <= 1024 * 1024 ? 0 : -EINVAL;
	case FSCONFIG_SET_PATH:
	case FSCONFIG_SET_PATH_EMPTY:
		return has_key && has_value && (aux == LX_AT_FDCWD || aux >= 0) ? 0 : -EINVAL;
	case FSCONFIG_SET_FD:
		return has_key && !has_value && aux >= 0 ? 0 : -EINVAL;
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_CREATE_EXCL:
	case FSCONFIG_CMD_RECONFIGURE:
		return !has_key && !has_value && !aux ? 0 : -EINVAL;
	default:
		return -EOPNOTSUPP;
	}
}

static int config_create(struct task *t, struct context *context)
{
	int err;

	if (context->phase != PHASE_CREATE)
		return -EBUSY;
	err = fs_make_permitted(context->make, t->cred);
	if (err < 0)
		return err;
	/* This may sleep: another one that comes meanwhile is late. */
	context->phase = PHASE_FAILED;
	err = fs_make_super(context->make, t);
	if (err == 0)
		context->phase = PHASE_MOUNT;
	return err;
}

static int config_reconfigure(const struct task *t, struct context *context)
{
	const struct super_block *sb = context->make->sb;
	const struct user_ns *owner;
	int err;

	if (context->phase != PHASE_CONF)
		return -EBUSY;
	owner = sb->user_ns ? sb->user_ns : &user_ns_first;
	if (!cred_ns_capable(t->cred, owner, LX_CAP_SYS_ADMIN))
		return -EPERM;
	err = fs_make_reconfigure(context->make, context->make->sb);
	if (err < 0)
		context->phase = PHASE_FAILED;
	return err;
}

static int config_set(struct task *t, struct context *context, unsigned command, gaddr_t key_addr,
	gaddr_t value_addr)
{
	_cleanup_free_ char *value = NULL;
	char key[256];
	ssize_t size;

	size = guest_read_string(t, key, key_addr, sizeof(key));
	if (size < 0)
		return size == -ENAMETOOLONG ? -EINVAL : (int)size;
	if (command != FSCONFIG_SET_FLAG && command != FSCONFIG_SET_STRING)
		return -EINVAL; /* no file system here has parameters of other kinds */
	if (command == FSCONFIG_SET_STRING) {
		value = malloc(256);
		if (!value)
			return -ENOMEM;
		size = guest_read_string(t, value, value_addr, 256);
		if (size < 0)
			return size == -ENAMETOOLONG ? -EINVAL : (int)size;
	}
	if (context->phase != PHASE_CREATE && context->phase != PHASE_CONF)
		return -EBUSY;
	return fs_make_param(context->make, key, value);
}

int64_t sys_fsconfig(struct task *t, int fd, unsigned cmd, gaddr_t key, gaddr_t value, int aux)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct context *context;
	int err;

	if (fd < 0)
		return -EINVAL;
	err = check_config(cmd, key, value, aux);
	if (err < 0)
		return err;
	file = fd_get(t->files, fd);
	if (!file)
		return -EBADF;
	if (file->ops != &context_ops)
		return -EINVAL;
	context = file->private;
	switch (cmd) {
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_CREATE_EXCL:
		return config_create(t, context);
	case FSCONFIG_CMD_RECONFIGURE:
		return config_reconfigure(t, context);
	default:
		return config_set(t, context, cmd, key, value);
	}
}

/* ---- trees that are nowhere ------------------------------------------------------------------ */

/* An O_PATH file on the root of @ns, whose reference it takes over, failing or not. */
/* An O_PATH file that keeps @ns, whose reference it takes, also when it fails. */
static int tree_file_new(struct task *t, struct mnt_ns *ns, struct file **ret)
{
	const struct path path = {.mount = ns->root, .dentry = ns->root->root};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	struct file *file;
	int err = vfs_open_path(&ctx, &path, LX_O_PATH, &file);

	if (err < 0) {
		ns_unref(&ns->ns);
		return err;
	}
	file->tree = ns;
	*ret = file;
	return 0;
}

static int decode_attr(uint64_t attr, struct mount_flags *flags)
{
	switch (attr & LX_MOUNT_ATTR__ATIME) {
	case 0: /* relative */
		break;
	case LX_MOUNT_ATTR_NOATIME:
		flags->no_atime = true;
		break;
	case LX_MOUNT_ATTR_STRICTATIME:
		flags->strict_atime = true;
		break;
	default:
		return -EINVAL;
	}
	flags->read_only = attr & LX_MOUNT_ATTR_RDONLY;
	flags->no_suid = attr & LX_MOUNT_ATTR_NOSUID;
	flags->no_dev = attr & LX_MOUNT_ATTR_NODEV;
	flags->no_exec = attr & LX_MOUNT_ATTR_NOEXEC;
	flags->no_dir_atime = attr & LX_MOUNT_ATTR_NODIRATIME;
	flags->no_symlinks = attr & LX_MOUNT_ATTR_NOSYMFOLLOW;
	return 0;
}

#define ATTR_FLAGS                                                                                 \
	(LX_MOUNT_ATTR_RDONLY | LX_MOUNT_ATTR_NOSUID | LX_MOUNT_ATTR_NODEV |                       \
		LX_MOUNT_ATTR_NOEXEC | LX_MOUNT_ATTR__ATIME | LX_MOUNT_ATTR_NODIRATIME |           \
		LX_MOUNT_ATTR_NOSYMFOLLOW)

int64_t sys_fsmount(struct task *t, int fd, unsigned flags, unsigned attr_flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct mount_flags mount_flags = {0};
	struct context *context;
	struct file *tree;
	struct mount *mount;
	struct mnt_ns *ns;
	int err;

	if (!may_mount(t))
		return -EPERM;
	if ((flags & ~(unsigned)LX_FSMOUNT_CLOEXEC) || (attr_flags & ~(unsigned)ATTR_FLAGS))
		return -EINVAL;
	err = decode_attr(attr_flags, &mount_flags);
	if (err < 0)
		return err;
	file = fd_get(t->files, fd);
	if (!file)
		return -EBADF;
	if (file->ops != &context_ops)
		return -EINVAL;
	context = file->private;
	if (context->phase != PHASE_MOUNT)
		return context->phase == PHASE_CREATE ? -EINVAL : -EBUSY;
	if (mount_too_revealing(t, context->make->sb, &mount_flags))
		return -EPERM;
	err = mount_of_super(context->make, &mount_flags, &mount);
	if (err < 0)
		return err;
	err = mnt_ns_new_anonymous(t->cred->user_ns, mount, &ns);
	if (err < 0) {
		mount_unref(mount);
		return err;
	}
	/* From now on the context is one to change it by. */
	context->phase = PHASE_CONF;
	err = tree_file_new(t, ns, &tree);
	return err < 0 ? err : install_new_file(t, tree, flags & LX_FSMOUNT_CLOEXEC);
}

/* A file for what open_tree(2) names: of the tree itself, or of a copy that is nowhere. */
static int open_tree(struct task *t, int dirfd, gaddr_t name, unsigned flags, struct file **ret)
{
	const unsigned known = LX_AT_EMPTY_PATH | LX_AT_NO_AUTOMOUNT | LX_AT_RECURSIVE |
			       LX_AT_SYMLINK_NOFOLLOW | LX_OPEN_TREE_CLONE | LX_OPEN_TREE_CLOEXEC;
	_cleanup_path_ struct path path = {0};
	struct vfs_ctx ctx = task_vfs_ctx(t);
	struct mnt_ns *ns;
	int err;

	if (flags & ~known)
		return -EINVAL;
	if ((flags & (LX_AT_RECURSIVE | LX_OPEN_TREE_CLONE)) == LX_AT_RECURSIVE)
		return -EINVAL;
	if ((flags & LX_OPEN_TREE_CLONE) && !may_mount(t))
		return -EPERM;
	err = at_walk(t, dirfd, name, at_walk_flags(flags), &path);
	if (err < 0)
		return err;
	if (!(flags & LX_OPEN_TREE_CLONE))
		return vfs_open_path(&ctx, &path, LX_O_PATH, ret);
	err = mount_clone_tree(
		&path, flags & LX_AT_RECURSIVE, task_mnt_ns(t), t->cred->user_ns, &ns);
	return err < 0 ? err : tree_file_new(t, ns, ret);
}

int64_t sys_open_tree(struct task *t, int dirfd, gaddr_t name, unsigned flags)
{
	struct file *file;
	int err = open_tree(t, dirfd, name, flags, &file);

	return err < 0 ? err : install_new_file(t, file, flags & LX_OPEN_TREE_CLOEXEC);
}

#define MOVE_F_SYMLINKS	  0x1u
#define MOVE_F_AUTOMOUNTS 0x2u
#define MOVE_F_EMPTY_PATH 0x4u
#define MOVE_T_SYMLINKS	  0x10u
#define MOVE_T_AUTOMOUNTS 0x20u
#define MOVE_T_EMPTY_PATH 0x40u

int64_t sys_move_mount(struct task *t, int from_dirfd, gaddr_t from_path, int to_dirfd,
	gaddr_t to_path, unsigned flags)
{
	_cleanup_path_ struct path from = {0}, to = {0};
	int err;

	if (!may_mount(t))
		return -EPERM;
	if (flags & ~(MOVE_F_SYMLINKS | MOVE_F_AUTOMOUNTS | MOVE_F_EMPTY_PATH | MOVE_T_SYMLINKS |
			    MOVE_T_AUTOMOUNTS | MOVE_T_EMPTY_PATH))
		return -EINVAL;
	/* The destination first, as Linux does since 6.15. */
	err = at_walk(t, to_dirfd, to_path,
		(flags & MOVE_T_SYMLINKS ? WALK_FOLLOW : 0) |
			(flags & MOVE_T_EMPTY_PATH ? WALK_EMPTY : 0),
		&to);
	if (err == 0)
		err = at_walk(t, from_dirfd, from_path,
			(flags & MOVE_F_SYMLINKS ? WALK_FOLLOW : 0) |
				(flags & MOVE_F_EMPTY_PATH ? WALK_EMPTY : 0),
			&from);
	if (err < 0)
		return err;
	if (!from.mount || !to.mount)
		return -EINVAL;
	return mount_move(&from, &to, task_mnt_ns(t));
}

/* ---- mount_setattr(2) ------------------------------------------------------------------------ */

struct lx_mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};

/* build_mount_kattr() */
static int check_attr(const struct lx_mount_attr *attr)
{
	const uint64_t known = ATTR_FLAGS | LX_MOUNT_ATTR_IDMAP;
	uint64_t atime = LX_MOUNT_ATTR__ATIME;

	if (((attr->attr_set | attr->attr_clr) & ~known))
		return -EINVAL;
	/* The kinds of access times exclude each other: all are cleared, or none is set. */
	if (attr->attr_clr & atime) {
		if ((attr->attr_clr & atime) != atime)
			return -EINVAL;
	} else if (attr->attr_set & atime) {
		return -EINVAL;
	}
	/* No file system here can be mounted with other owners. */
	if ((attr->attr_set | attr->attr_clr) & LX_MOUNT_ATTR_IDMAP)
		return -EINVAL;
	return 0;
}

/* What @mount's properties become. */
static int apply_attr(
	const struct mount *mount, const struct lx_mount_attr *attr, struct mount_flags *ret)
{
	uint64_t now = (mount->read_only ? LX_MOUNT_ATTR_RDONLY : 0) |
		       (mount->no_suid ? LX_MOUNT_ATTR_NOSUID : 0) |
		       (mount->no_dev ? LX_MOUNT_ATTR_NODEV : 0) |
		       (mount->no_exec ? LX_MOUNT_ATTR_NOEXEC : 0) |
		       (mount->no_atime ? LX_MOUNT_ATTR_NOATIME : 0) |
		       (mount->strict_atime ? LX_MOUNT_ATTR_STRICTATIME : 0) |
		       (mount->no_dir_atime ? LX_MOUNT_ATTR_NODIRATIME : 0) |
		       (mount->no_symlinks ? LX_MOUNT_ATTR_NOSYMFOLLOW : 0);

	*ret = (struct mount_flags){0};
	return decode_attr((now & ~attr->attr_clr) | attr->attr_set, ret);
}

static int set_attr(struct task *t, const struct path *path, const struct lx_mount_attr *attr,
	enum mount_propagation type, bool recursive)
{
	struct mount *top = path->mount, *mount;
	const struct mnt_ns *ns = top ? top->ns : NULL;
	struct mount_flags flags;
	int err = 0;

	if (!top || path->dentry != top->root)
		return -EINVAL;
	/* Ours, or of a tree that is nowhere. */
	if (ns != task_mnt_ns(t) && !(ns && ns->anonymous && !top->parent))
		return -EINVAL;
	for (mount = top; mount && err == 0;
		mount = recursive ? mount_tree_next(mount, top) : NULL) {
		err = apply_attr(mount, attr, &flags);
		if (err == 0 && !mount_may_change_flags(mount, &flags))
			err = -EPERM;
		if (err == 0 && flags.read_only && !mount->read_only && mount->write_count)
			err = -EBUSY;
	}
	for (mount = top; mount && err == 0;
		mount = recursive ? mount_tree_next(mount, top) : NULL) {
		(void)apply_attr(mount, attr, &flags);
		mount_set_flags(mount, &flags);
	}
	if (err == 0 && attr->propagation)
		err = mount_change_propagation(path, type, recursive, ns);
	return err;
}

#define MOUNT_ATTR_SIZE_VER0 32

/* wants_mount_setattr(): what is asked for, or that nothing is. */
static int read_attr(struct task *t, gaddr_t addr, uint64_t size, struct lx_mount_attr *ret,
	enum mount_propagation *ret_type, bool *ret_wanted)
{
	int err;

	if (size > LX_PAGE_SIZE)
		return -E2BIG;
	if (size < MOUNT_ATTR_SIZE_VER0)
		return -EINVAL;
	if (!may_mount(t))
		return -EPERM;
	err = guest_read_struct(t, ret, sizeof(*ret), addr, size);
	if (err < 0)
		return err;
	*ret_type = MOUNT_PRIVATE;
	*ret_wanted = ret->attr_set || ret->attr_clr || ret->propagation;
	if (!*ret_wanted)
		return 0;
	err = ret->propagation ? propagation_type(ret->propagation, ret_type) : 0;
	return err < 0 ? err : check_attr(ret);
}

int64_t sys_mount_setattr(
	struct task *t, int dirfd, gaddr_t name, unsigned flags, gaddr_t addr, uint64_t size)
{
	_cleanup_path_ struct path path = {0};
	enum mount_propagation type;
	struct lx_mount_attr attr;
	bool wanted;
	int err;

	if (flags & ~(unsigned)(LX_AT_EMPTY_PATH | LX_AT_RECURSIVE | LX_AT_SYMLINK_NOFOLLOW |
				LX_AT_NO_AUTOMOUNT))
		return -EINVAL;
	err = read_attr(t, addr, size, &attr, &type, &wanted);
	/* Nothing to do: not even the name is looked at. */
	if (err < 0 || !wanted)
		return err;
	err = at_walk(t, dirfd, name, at_walk_flags(flags), &path);
	return err < 0 ? err : set_attr(t, &path, &attr, type, flags & LX_AT_RECURSIVE);
}

int64_t sys_open_tree_attr(
	struct task *t, int dirfd, gaddr_t name, unsigned flags, gaddr_t addr, uint64_t size)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	enum mount_propagation type;
	struct lx_mount_attr attr;
	bool wanted;
	int err;

	if (gaddr_is_null(addr) && size)
		return -EINVAL;
	err = open_tree(t, dirfd, name, flags, &file);
	if (err < 0)
		return err;
	if (!gaddr_is_null(addr)) {
		err = read_attr(t, addr, size, &attr, &type, &wanted);
		if (err == 0 && wanted)
			err = set_attr(t, &file->path, &attr, type, flags & LX_AT_RECURSIVE);
		if (err < 0)
			return err;
	}
	return install_new_file(t, TAKE(file), flags & LX_OPEN_TREE_CLOEXEC);
}
