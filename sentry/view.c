/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the host the guest sees.
 *
 * The default is a root in memory with the host's programs read-only (/usr and what belongs to it),
 * an /etc of our own, the current directory read-only under memory, and fresh /tmp, /dev, /proc,
 * /sys. Everything else of the host does not exist.
 *
 * All host names are resolved once, in view_open(), before the kernel is confined; from then on
 * there are only descriptors. The mount tree is built from them in view_mount(), on a fiber, with
 * the kernel's own credentials.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "sentry/procfs/procfs.h"
#include "sentry/tty/tty.h"
#include "sentry/view_private.h"

/* Bounds on what files in memory may take, when the user says nothing. */
#define ROOT_SIZE_MAX	 (256ull << 20)
#define TMPFS_SIZE_MAX	 (1024ull << 20)
#define OVERLAY_SIZE_MAX (1024ull << 20)

/* ---- collecting ------------------------------------------------------------------------------ */

struct view_step *view_add(struct view *view, enum view_kind kind, const char *target)
{
	struct view_step *step;

	if (view->count == view->capacity) {
		size_t capacity = view->capacity ? view->capacity * 2 : 64;
		struct view_step *grown = capacity > VIEW_STEPS_MAX
						  ? NULL
						  : realloc(view->steps, capacity * sizeof(*grown));

		if (!grown)
			return NULL;
		view->steps = grown;
		view->capacity = capacity;
	}
	step = &view->steps[view->count];
	*step = (struct view_step){.kind = kind, .target = strdup(target), .mode = 0755, .fd = -1};
	if (!step->target)
		return NULL;
	view->count++;
	return step;
}

int view_add_symlink(struct view *view, const char *target, const char *to)
{
	struct view_step *step = view_add(view, VIEW_SYMLINK, target);

	if (!step)
		return -ENOMEM;
	step->content = strdup(to);
	return step->content ? 0 : -ENOMEM;
}

int view_add_content(struct view *view, const char *target, const char *content, size_t size)
{
	struct view_step *step = view_add(view, VIEW_CONTENT, target);

	if (!step)
		return -ENOMEM;
	step->mode = 0644;
	step->size = size;
	step->content = malloc(size + 1);
	if (!step->content)
		return -ENOMEM;
	memcpy(step->content, content, size);
	step->content[size] = '\0';
	return 0;
}

static int add_directory(struct view *view, const char *target, uint32_t mode)
{
	struct view_step *step = view_add(view, VIEW_DIRECTORY, target);

	if (!step)
		return -ENOMEM;
	step->mode = mode;
	return 0;
}

static int add_tmpfs(struct view *view, const char *target, uint64_t size_limit, uint32_t mode)
{
	struct view_step *step = view_add(view, VIEW_TMPFS, target);

	if (!step)
		return -ENOMEM;
	step->mode = mode;
	step->size_limit = size_limit;
	return 0;
}

static int add_fd(
	struct view *view, enum view_kind kind, const char *source, const char *target, int fd)
{
	struct view_step *step = view_add(view, kind, target);

	if (!step) {
		(void)close(fd);
		return -ENOMEM;
	}
	step->fd = fd;
	step->source = source;
	return 0;
}

int view_add_file(struct view *view, const char *target, int fd)
{
	return add_fd(view, VIEW_FILE, NULL, target, fd);
}

int view_add_tree_if(struct view *view, const char *source, const char *target)
{
	int fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? 0 : add_fd(view, VIEW_TREE, NULL, target, fd);
}

static int fail(struct view *view, int status, const char *what, const char *path)
{
	(void)snprintf(
		view->message, view->message_size, "%s %s: %s", what, path, strerror(-status));
	return status;
}

/* ---- the host's programs --------------------------------------------------------------------- */

static const char *const program_trees[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"};

/* What packages keep outside of /usr though it is theirs alone. */
static const char *const package_data[] = {"/var/lib/ghc", "/var/lib/texmf"};

static const struct {
	const char *path;
	uint32_t mode;
} plain_directories[] = {
	{"/home", 0755},
	{"/root", 0700},
	{"/mnt", 0755},
	{"/media", 0755},
	{"/opt", 0755},
	{"/srv", 0755},
	{"/var", 0755},
	{"/var/cache", 0755},
	{"/var/lib", 0755},
	{"/var/log", 0755},
	{"/var/spool", 0755},
	{"/run/lock", 01777},
};

/* A merged /usr is kept as it is on the host: /bin is a link there and here. */
static int add_program_tree(struct view *view, const char *path)
{
	char target[PATH_MAX];
	ssize_t size = readlink(path, target, sizeof(target) - 1);

	if (size > 0) {
		target[size] = '\0';
		return view_add_symlink(view, path, target);
	}
	return view_add_tree_if(view, path, path);
}

static int add_prefix(struct view *view)
{
	const char *prefix = view->config->prefix;
	int fd = open(prefix, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail(view, -errno, "cannot open the program's directory", prefix);
	return add_fd(view, VIEW_TREE, prefix, prefix, fd);
}

static int add_home(struct view *view)
{
	const struct view_config *config = view->config;
	struct view_step *step;

	if (!config->home || config->home[0] != '/' || !config->home[1])
		return 0;
	step = view_add(view, VIEW_DIRECTORY, config->home);
	if (!step)
		return -ENOMEM;
	step->mode = 0700;
	step->uid = config->uid;
	step->gid = config->gid;
	return 0;
}

static int add_default_tree(struct view *view)
{
	int status = 0;

	for (size_t i = 0; i < array_size(program_trees) && status == 0; i++)
		status = add_program_tree(view, program_trees[i]);
	if (status == 0)
		status = view_add_etc(view);
	if (status == 0)
		status = add_tmpfs(view, "/run", ROOT_SIZE_MAX, 0755);
	/* systemd's container interface: this is no machine to boot or to manage. */
	if (status == 0)
		status = view_add_content(view, "/run/host/container-manager", "sentry\n", 7);
	for (size_t i = 0; i < array_size(plain_directories) && status == 0; i++)
		status = add_directory(view, plain_directories[i].path, plain_directories[i].mode);
	for (size_t i = 0; i < array_size(package_data) && status == 0; i++)
		status = view_add_tree_if(view, package_data[i], package_data[i]);
	if (status == 0)
		status = view_add_symlink(view, "/var/run", "/run");
	if (status == 0)
		status = view_add_symlink(view, "/var/lock", "/run/lock");
	if (status == 0)
		status = add_home(view);
	if (status == 0)
		status = add_tmpfs(view, "/tmp", TMPFS_SIZE_MAX, 01777);
	if (status == 0)
		status = add_tmpfs(view, "/var/tmp", TMPFS_SIZE_MAX, 01777);
	/* Behind these: it may lie in one of them. */
	if (status == 0 && view->config->prefix)
		status = add_prefix(view);
	return status;
}

/* ---- the working directory ------------------------------------------------------------------- */

static bool is_below_or_same(const char *path, const char *ancestor)
{
	size_t size = strlen(ancestor);

	while (size > 0 && ancestor[size - 1] == '/')
		size--;
	return strncmp(path, ancestor, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

/* Not shown, nor anything in them: they are the system's own, or a secret's likely place. */
static const char *const hidden_trees[] = {
	"/proc", "/sys", "/dev", "/run", "/var/run", "/etc", "/boot", "/lost+found"};
/* Not shown themselves: they hold what the guest has already, or other people's files. */
static const char *const hidden_places[] = {"/", "/usr", "/bin", "/sbin", "/lib", "/lib32",
	"/lib64", "/libx32", "/home", "/root", "/mnt", "/media", "/opt", "/srv", "/tmp", "/var",
	"/var/tmp", "/var/lib", "/nix", "/nix/store"};

/* Why @cwd is not put under an overlay; NULL when it is. */
static const char *hidden_reason(const struct view *view, const char *cwd)
{
	const char *home = getenv("HOME");

	if (strcmp(cwd, "/") == 0)
		return "it is the whole system";
	if (home && home[0] == '/' && home[1] && is_below_or_same(home, cwd))
		return strcmp(home, cwd) == 0 ? "it is your home directory"
					      : "your home directory is in it";
	if (view->config->home && strcmp(view->config->home, "/") != 0 &&
		is_below_or_same(view->config->home, cwd))
		return "the sandbox has a home directory of its own there";
	for (size_t i = 0; i < array_size(hidden_trees); i++)
		if (is_below_or_same(cwd, hidden_trees[i]))
			return "it belongs to the system";
	for (size_t i = 0; i < array_size(hidden_places); i++)
		if (strcmp(cwd, hidden_places[i]) == 0)
			return "it is shared with other programs";
	return NULL;
}

static int add_cwd(struct view *view)
{
	const struct view_config *config = view->config;
	const char *reason;
	int fd, status;

	if (!config->cwd)
		return 0;
	view->workdir = strdup(config->cwd);
	if (!view->workdir)
		return -ENOMEM;
	for (size_t i = 0; i < config->volume_count; i++)
		if (strcmp(config->volumes[i].target, config->cwd) == 0)
			return 0; /* the user shows something else there */
	reason = hidden_reason(view, config->cwd);
	if (reason) {
		log_warning("the current directory, %s, is not shown in the sandbox: %s. Run in a "
			    "directory of its own, or show one with -v SRC:DST",
			config->cwd, reason);
		return 0;
	}
	fd = open(config->cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(view, -errno, "cannot open the current directory", config->cwd);
	status = add_fd(view, VIEW_OVERLAY, config->cwd, config->cwd, fd);
	if (status == 0)
		view->steps[view->count - 1].guarded = true;
	return status;
}

/* ---- what the user asked for ----------------------------------------------------------------- */

static int add_volume(struct view *view, const struct view_volume *volume)
{
	_cleanup_close_ int fd = open(volume->source, O_PATH | O_CLOEXEC);
	struct stat stat;
	int status;

	if (volume->target[0] != '/')
		return fail(view, -EINVAL, "volume target is not absolute:", volume->target);
	if (fd < 0 || fstat(fd, &stat) < 0)
		return fail(view, -errno, "cannot open volume", volume->source);
	if (S_ISREG(stat.st_mode)) {
		/* Opened for good here: the kernel cannot reopen it later. */
		(void)close(fd);
		fd = open(volume->source,
			(volume->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0)
			return fail(view, -errno, "cannot open volume", volume->source);
	} else if (!S_ISDIR(stat.st_mode)) {
		return fail(view, -EINVAL, "neither a file nor a directory:", volume->source);
	} else if (volume->writable && faccessat(AT_FDCWD, volume->source, W_OK, AT_EACCESS) < 0) {
		return fail(view, -errno, "cannot write to volume", volume->source);
	} else if (faccessat(AT_FDCWD, volume->source, R_OK | X_OK, AT_EACCESS) < 0) {
		return fail(view, -errno, "cannot read volume", volume->source);
	}
	status = add_fd(view, S_ISDIR(stat.st_mode) ? VIEW_TREE : VIEW_FILE, volume->source,
		volume->target, take_fd(&fd));
	if (status == 0) {
		view->steps[view->count - 1].writable = volume->writable;
		view->steps[view->count - 1].guarded = S_ISDIR(stat.st_mode);
	}
	return status;
}

/* The user's own mounts, outer ones first, in the order given otherwise. */
static int add_requested(struct view *view)
{
	const struct view_config *config = view->config;
	size_t left = config->volume_count + config->tmpfs_count;
	int status = 0;

	for (size_t size = 1; left > 0 && size < PATH_MAX && status == 0; size++) {
		for (size_t i = 0; i < config->tmpfs_count && status == 0; i++) {
			const struct view_tmpfs *tmpfs = &config->tmpfs[i];

			if (strlen(tmpfs->target) != size)
				continue;
			if (tmpfs->target[0] != '/')
				return fail(view, -EINVAL,
					"tmpfs target is not absolute:", tmpfs->target);
			status = add_tmpfs(view, tmpfs->target,
				tmpfs->size_limit ? tmpfs->size_limit : TMPFS_SIZE_MAX, 01777);
			left--;
		}
		for (size_t i = 0; i < config->volume_count && status == 0; i++) {
			if (strlen(config->volumes[i].target) != size)
				continue;
			status = add_volume(view, &config->volumes[i]);
			left--;
		}
	}
	return status ? status : left ? fail(view, -ENAMETOOLONG, "a mount", "target") : 0;
}

static int add_rootfs(struct view *view)
{
	const char *rootfs = view->config->rootfs;
	int fd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail(view, -errno, "cannot open", rootfs);
	return add_fd(view, VIEW_ROOT, rootfs, "/", fd);
}

static int add_pseudo(struct view *view)
{
	if (!view_add(view, VIEW_PROC, "/proc") || !view_add(view, VIEW_SYS, "/sys") ||
		!view_add(view, VIEW_CGROUP, "/sys/fs/cgroup") ||
		!view_add(view, VIEW_DEV, "/dev") || !view_add(view, VIEW_PTS, "/dev/pts"))
		return -ENOMEM;
	return add_tmpfs(view, "/dev/shm", TMPFS_SIZE_MAX, 01777);
}

int view_open(const struct view_config *config, struct view **ret_view, char *message,
	size_t message_size)
{
	struct hostfs_owner owner = {
		.host_uid = geteuid(),
		.host_gid = getegid(),
		.guest_uid = config->uid,
		.guest_gid = config->gid,
		.partial_ids = config->partial_ids,
	};
	struct view *view = calloc(1, sizeof(*view));
	int status;

	if (!view)
		return -ENOMEM;
	message[0] = '\0';
	view->config = config;
	view->message = message;
	view->message_size = message_size;
	status = config->rootfs ? add_rootfs(view) : add_default_tree(view);
	if (status == 0)
		status = add_pseudo(view);
	if (status == 0)
		status = add_cwd(view);
	if (status == 0)
		status = add_requested(view);
	if (status < 0) {
		if (!message[0])
			(void)snprintf(message, message_size,
				"cannot prepare the files of the sandbox: %s", strerror(-status));
		view_free(view);
		return status;
	}
	hostfs_set_owner(&owner);
	*ret_view = view;
	return 0;
}

int view_for_each_host_root(
	struct view *view, int (*fn)(int fd, bool writable, void *arg), void *arg)
{
	int status = 0;

	for (size_t i = 0; i < view->count && status >= 0; i++)
		if (view->steps[i].fd >= 0)
			status = fn(view->steps[i].fd, view->steps[i].writable, arg);
	return status < 0 ? status : 0;
}

int view_replace_host_roots(
	struct view *view, int (*fn)(int *fd, bool writable, void *arg), void *arg)
{
	int status = 0;

	for (size_t i = 0; i < view->count && status >= 0; i++)
		if (view->steps[i].fd >= 0)
			status = fn(&view->steps[i].fd, view->steps[i].writable, arg);
	return status < 0 ? status : 0;
}

/* ---- mounting -------------------------------------------------------------------------------- */

struct builder {
	struct view *view;
	struct vfs_ctx ctx;
	struct path root; /* owned once there is one */
};

/* Makes @target and what is missing on the way to it as directories, and says where it is. */
static int make_directories(
	struct builder *builder, const char *target, uint32_t mode, struct path *ret)
{
	char path[PATH_MAX];
	size_t size = strlen(target);

	if (size >= sizeof(path))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= size; i++) {
		int status;

		if (target[i] != '/' && target[i] != '\0')
			continue;
		memcpy(path, target, i);
		path[i] = '\0';
		status = vfs_mkdir(&builder->ctx, NULL, path, i == size ? mode : 0755);
		if (status < 0 && status != -EEXIST)
			return status;
	}
	return path_walk(&builder->ctx, NULL, target, WALK_FOLLOW | WALK_DIRECTORY, ret);
}

static int make_parent(struct builder *builder, const char *target)
{
	_cleanup_path_ struct path parent = {0};
	_cleanup_free_ char *copy = strdup(target);
	char *slash = copy ? strrchr(copy, '/') : NULL;

	if (!copy)
		return -ENOMEM;
	if (!slash || slash == copy)
		return 0;
	*slash = '\0';
	return make_directories(builder, copy, 0755, &parent);
}

static int make_file(struct builder *builder, const char *target, uint32_t mode, struct file **ret)
{
	int status = make_parent(builder, target);

	if (status < 0)
		return status;
	return vfs_open(&builder->ctx, NULL, target, LX_O_WRONLY | LX_O_CREAT | LX_O_TRUNC, mode,
		WALK_FOLLOW, ret);
}

/*
 * What the root is mounted on, as on Linux: nobody sees it, but a root that is mounted somewhere
 * can be exchanged for another (pivot_root(2)). Borrowed.
 */
static int mount_bottom(struct path *ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	struct mount *mount;
	int status = tmpfs_new(LX_PAGE_SIZE, 1, 0755, &sb);

	if (status == 0)
		status = mount_attach(sb, sb->root, NULL, "rootfs", &mount);
	if (status == 0)
		*ret = (struct path){.mount = mount, .dentry = mount->root};
	return status;
}

static int mount_super(struct builder *builder, struct super_block *sb, const struct path *at,
	const struct view_step *step, const char *source)
{
	struct path bottom = {0};
	struct mount *mount;
	int status = at ? 0 : mount_bottom(&bottom);

	if (status == 0)
		status = mount_attach(sb, sb->root, at ? at : &bottom, source, &mount);
	if (status < 0)
		return status;
	/* Host trees bring no privileges along, whatever their mode bits say. */
	if (step->kind == VIEW_TREE || step->kind == VIEW_FILE || step->kind == VIEW_OVERLAY)
		mount->no_suid = mount->no_dev = true;
	if (step->kind == VIEW_TREE || step->kind == VIEW_FILE)
		mount->read_only = !step->writable;
	if (step->kind == VIEW_CGROUP)
		mount->no_suid = mount->no_dev = mount->no_exec = mount->read_only = true;
	if (!at) {
		builder->root =
			(struct path){.mount = mount_ref(mount), .dentry = dentry_ref(mount->root)};
	}
	return 0;
}

static int do_content(struct builder *builder, const struct view_step *step)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct uio_segment segment;
	struct uio uio;
	ssize_t written;
	int status = make_file(builder, step->target, step->mode, &file);

	if (status < 0)
		return status;
	uio_init_kernel(&uio, &segment, step->content, step->size);
	written = file_write(file, &uio, &builder->ctx);
	return written < 0 ? (int)written : (size_t)written < step->size ? -ENOSPC : 0;
}

static int do_directory(struct builder *builder, const struct view_step *step)
{
	_cleanup_path_ struct path path = {0};
	struct iattr attr = {
		.valid = IATTR_MODE | IATTR_UID | IATTR_GID,
		.mode = step->mode,
		.uid = step->uid,
		.gid = step->gid,
	};
	int status = make_directories(builder, step->target, step->mode, &path);

	if (status < 0)
		return status;
	return vfs_setattr(&builder->ctx, &path, &attr);
}

static int do_symlink(struct builder *builder, const struct view_step *step)
{
	int status = make_parent(builder, step->target);

	if (status == 0)
		status = vfs_symlink(&builder->ctx, step->content, NULL, step->target);
	return status == -EEXIST ? 0 : status;
}

/* The superblock of a step that mounts one. */
static int step_super(struct view *view, struct view_step *step, struct super_block **ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *lower = NULL;
	int status;

	switch (step->kind) {
	case VIEW_TMPFS:
		return tmpfs_new(step->size_limit, 0, step->mode, ret);
	case VIEW_DEV:
		return devfs_new(ret);
	case VIEW_PTS:
		return devpts_first(ret);
	case VIEW_PROC:
		return procfs_new(&pid_ns_first, ret);
	case VIEW_SYS:
		return sysfs_new(ret);
	case VIEW_CGROUP:
		return cgroupfs_new(ret);
	case VIEW_FILE:
		status = hostfs_new_file(step->fd, !step->writable, ret);
		break;
	case VIEW_TREE:
		status = hostfs_new(step->fd, !step->writable, ret);
		break;
	default:
		status = hostfs_new(step->fd, true, &lower);
		break;
	}
	if (status < 0)
		return status;
	step->fd = -1; /* the superblock's now */
	if (step->guarded)
		hostfs_guard(lower ? lower : *ret, view->config->guard, step->source);
	if (!lower)
		return 0;
	status = overlay_new_sized(lower, OVERLAY_SIZE_MAX, 0, ret);
	if (status == 0 && step->kind == VIEW_OVERLAY)
		view->overlay = super_block_ref(*ret);
	return status;
}

static const char *step_source(const struct view_step *step, const struct super_block *sb)
{
	return step->source && (step->kind == VIEW_TREE || step->kind == VIEW_FILE) ? step->target
										    : sb->type;
}

static int do_mount(struct builder *builder, struct view_step *step)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	_cleanup_path_ struct path at = {0};
	int status;

	if (step->kind == VIEW_FILE) {
		status = path_walk(&builder->ctx, NULL, step->target, WALK_FOLLOW, &at);
		if (status == -ENOENT) {
			status = make_file(builder, step->target, 0644, &file);
			if (status == 0)
				status = path_walk(
					&builder->ctx, NULL, step->target, WALK_FOLLOW, &at);
		}
	} else if (step->kind != VIEW_ROOT) {
		status = make_directories(builder, step->target, 0755, &at);
	} else {
		status = 0;
	}
	if (status == 0)
		status = step_super(builder->view, step, &sb);
	if (status < 0)
		return status;
	return mount_super(
		builder, sb, step->kind == VIEW_ROOT ? NULL : &at, step, step_source(step, sb));
}

static int do_step(struct builder *builder, struct view_step *step)
{
	switch (step->kind) {
	case VIEW_DIRECTORY:
		return do_directory(builder, step);
	case VIEW_SYMLINK:
		return do_symlink(builder, step);
	case VIEW_CONTENT:
		return do_content(builder, step);
	default:
		return do_mount(builder, step);
	}
}

/* Without --rootfs the root is a small tmpfs. */
static int mount_root(struct builder *builder)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	struct view_step step = {
		.kind = VIEW_TMPFS, .mode = 0755, .size_limit = ROOT_SIZE_MAX, .fd = -1};
	int status;

	if (builder->view->count && builder->view->steps[0].kind == VIEW_ROOT)
		return do_mount(builder, &builder->view->steps[0]);
	status = step_super(builder->view, &step, &sb);
	return status < 0 ? status : mount_super(builder, sb, NULL, &step, "tmpfs");
}

static int settle_workdir(struct builder *builder)
{
	_cleanup_path_ struct path path = {0};
	struct view *view = builder->view;

	if (view->workdir && path_walk(&builder->ctx, NULL, view->workdir,
				     WALK_FOLLOW | WALK_DIRECTORY, &path) == 0)
		return 0;
	free(view->workdir);
	view->workdir = strdup("/");
	return view->workdir ? 0 : -ENOMEM;
}

int view_mount(struct view *view, struct path *ret_root, char *message, size_t message_size)
{
	struct builder builder = {
		.view = view,
		.ctx = {.cred = cred_kernel(), .fsize_limit = UINT64_MAX},
	};
	int status = mount_root(&builder);

	if (status == 0)
		status = fs_context_new(&builder.root, &builder.root, 0, &builder.ctx.fs);
	if (status < 0) {
		(void)snprintf(
			message, message_size, "cannot mount the root: %s", strerror(-status));
		path_unref(&builder.root);
		return status;
	}
	for (size_t i = 0; i < view->count && status == 0; i++) {
		if (view->steps[i].kind != VIEW_ROOT)
			status = do_step(&builder, &view->steps[i]);
		if (status < 0)
			(void)snprintf(message, message_size, "cannot set up %s in the sandbox: %s",
				view->steps[i].target, strerror(-status));
	}
	if (status == 0)
		status = settle_workdir(&builder);
	fs_context_unref(builder.ctx.fs);
	if (status < 0) {
		path_unref(&builder.root);
		return status;
	}
	*ret_root = builder.root;
	return 0;
}

const char *view_workdir(const struct view *view)
{
	return view->workdir;
}

struct super_block *view_overlay(struct view *view)
{
	return view->overlay;
}

void view_free(struct view *view)
{
	if (!view)
		return;
	for (size_t i = 0; i < view->count; i++) {
		free(view->steps[i].target);
		free(view->steps[i].content);
		if (view->steps[i].fd >= 0)
			(void)close(view->steps[i].fd);
	}
	if (view->overlay)
		super_block_unref(view->overlay);
	free(view->steps);
	free(view->workdir);
	free(view);
}
