/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/fs_type.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/ipc/mqueue_private.h"
#include "sentry/nsproxy.h"
#include "sentry/pid_ns.h"
#include "sentry/procfs/procfs.h"
#include "sentry/tty/tty.h"

struct fs_type {
	const char *name;
	/* Whether more than the sandbox's root may mount it: who rules over the namespace that it
	 * is about. */
	bool in_user_ns;
	enum ns_kind about;	 /* NS_USER: no other namespace */
	const char *const *keys; /* NULL-terminated; "name=" takes a value, "name" none */
	int (*make)(struct fs_make *make, struct task *task, struct super_block **ret);
	int (*reconfigure)(struct fs_make *make, struct super_block *sb);
};

static const char *param(const struct fs_make *make, const char *key)
{
	/* The last one counts. */
	for (unsigned i = make->param_count; i > 0; i--)
		if (strcmp(make->params[i - 1].key, key) == 0)
			return make->params[i - 1].value ? make->params[i - 1].value : "";
	return NULL;
}

/* A number in @base with nothing behind it. */
static int param_number(
	const struct fs_make *make, const char *key, int base, uint64_t fallback, uint64_t *ret)
{
	const char *text = param(make, key);
	char *end;

	*ret = fallback;
	if (!text)
		return 0;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	*ret = strtoull(text, &end, base);
	return *end ? -EINVAL : 0;
}

/* ---- tmpfs(5) -------------------------------------------------------------------------------- */

#define TMPFS_SIZE_DEFAULT (1024ull << 20)

/* memparse(), and a percentage of the memory. */
static int parse_size(const char *text, uint64_t *ret)
{
	uint64_t value, factor = 1;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	value = strtoull(text, &end, 0);
	switch (*end) {
	case 'k':
	case 'K':
		factor = 1ull << 10;
		break;
	case 'm':
	case 'M':
		factor = 1ull << 20;
		break;
	case 'g':
	case 'G':
		factor = 1ull << 30;
		break;
	case '%':
		factor = TMPFS_SIZE_DEFAULT / 100;
		break;
	case '\0':
		*ret = value;
		return 0;
	default:
		return -EINVAL;
	}
	if (end[1] || !mul_checked(value, factor, ret))
		return -EINVAL;
	return 0;
}

struct tmpfs_params {
	uint64_t size, inodes, mode;
	uint32_t uid, gid;
};

static int tmpfs_params(const struct fs_make *make, struct tmpfs_params *ret)
{
	const char *size = param(make, "size"), *blocks = param(make, "nr_blocks");
	const char *inodes = param(make, "nr_inodes");
	const struct user_ns *ns = make->user_ns;
	uint64_t uid, gid;
	int err = 0;

	*ret = (struct tmpfs_params){.size = TMPFS_SIZE_DEFAULT, .mode = 01777};
	if (size)
		err = parse_size(size, &ret->size);
	else if (blocks)
		err = parse_size(blocks, &ret->size);
	if (err == 0 && !size && blocks && !mul_checked(ret->size, LX_PAGE_SIZE, &ret->size))
		err = -EINVAL;
	if (err == 0 && inodes)
		err = parse_size(inodes, &ret->inodes);
	if (err == 0)
		err = param_number(make, "mode", 8, 01777, &ret->mode);
	if (err == 0)
		err = param_number(make, "uid", 10, UINT64_MAX, &uid);
	if (err == 0)
		err = param_number(make, "gid", 10, UINT64_MAX, &gid);
	if (err < 0)
		return err;
	ret->uid = uid == UINT64_MAX ? make->cred->fsuid : user_ns_make_uid(ns, (uint32_t)uid);
	ret->gid = gid == UINT64_MAX ? make->cred->fsgid : user_ns_make_gid(ns, (uint32_t)gid);
	if ((uid != UINT64_MAX && uid > UINT32_MAX) || (gid != UINT64_MAX && gid > UINT32_MAX) ||
		ret->uid == ID_INVALID || ret->gid == ID_INVALID)
		return -EINVAL;
	return 0;
}

static int tmpfs_make(struct fs_make *make, struct task *task, struct super_block **ret)
{
	struct tmpfs_params params;
	struct super_block *sb;
	int err = tmpfs_params(make, &params);

	if (err == 0)
		err = tmpfs_new(params.size, params.inodes, (uint32_t)params.mode & 07777, &sb);
	if (err < 0)
		return err;
	sb->root->inode->uid = params.uid;
	sb->root->inode->gid = params.gid;
	*ret = sb;
	return 0;
}

static int tmpfs_reconfigure(struct fs_make *make, struct super_block *sb)
{
	struct tmpfs_params params;
	int err = tmpfs_params(make, &params);

	if (err == 0 && (param(make, "size") || param(make, "nr_blocks")))
		err = tmpfs_set_size(sb, params.size);
	return err;
}

static const char *const ramfs_keys[] = {"mode=", NULL};
static const char *const tmpfs_keys[] = {"size=", "nr_blocks=", "nr_inodes=", "mode=", "uid=",
	"gid=", "huge=", "mpol=", "inode32", "inode64", "noswap", NULL};

/* ---- those that the kernel fills ------------------------------------------------------------- */

static int proc_make(struct fs_make *make, struct task *task, struct super_block **ret)
{
	return procfs_new(pid_ns_of(make->about), ret);
}

static const char *const proc_keys[] = {"gid=", "hidepid=", "subset=", NULL};

static int sysfs_make(struct fs_make *make, struct task *task, struct super_block **ret)
{
	/* It shows the network's devices (kobj_ns_current_may_mount()). */
	if (!task_ns_capable(task, NS_NET, LX_CAP_SYS_ADMIN))
		return -EPERM;
	return sysfs_new(ret);
}

static int devtmpfs_make(struct fs_make *make, struct task *task, struct super_block **ret)
{
	return devfs_new(ret);
}

/* parse_mount_options() */
static int devpts_params(const struct fs_make *make, struct devpts_options *options)
{
	const struct user_ns *ns = make->user_ns;
	uint64_t uid, gid, mode, ptmx_mode, max;
	int err = param_number(make, "uid", 10, UINT64_MAX, &uid);

	if (err == 0)
		err = param_number(make, "gid", 10, UINT64_MAX, &gid);
	if (err == 0)
		err = param_number(make, "mode", 8, options->mode, &mode);
	if (err == 0)
		err = param_number(make, "ptmxmode", 8, options->ptmx_mode, &ptmx_mode);
	if (err == 0)
		err = param_number(make, "max", 10, (uint64_t)options->max, &max);
	if (err < 0)
		return err;
	options->mode = (uint32_t)mode & 07777;
	options->ptmx_mode = (uint32_t)ptmx_mode & 07777;
	if (uid != UINT64_MAX) {
		options->uid = uid > UINT32_MAX ? ID_INVALID : user_ns_make_uid(ns, (uint32_t)uid);
		options->uid_given = true;
	}
	if (gid != UINT64_MAX) {
		options->gid = gid > UINT32_MAX ? ID_INVALID : user_ns_make_gid(ns, (uint32_t)gid);
		options->gid_given = true;
	}
	if ((options->uid_given && options->uid == ID_INVALID) ||
		(options->gid_given && options->gid == ID_INVALID))
		return -EINVAL;
	options->max = (int)min_of(max, (uint64_t)DEVPTS_MAX);
	return 0;
}

static int devpts_make(struct fs_make *make, struct task *task, struct super_block **ret)
{
	struct devpts_options options = {.mode = 0600, .max = DEVPTS_MAX};
	int err = devpts_params(make, &options);

	return err < 0 ? err : devpts_new(&options, ret);
}

static int devpts_remake(struct fs_make *make, struct super_block *sb)
{
	/* What is not said is as at first. */
	struct devpts_options options = {.mode = 0600, .max = DEVPTS_MAX};
	int err = devpts_params(make, &options);

	if (err == 0)
		devpts_reconfigure(sb, &options);
	return err;
}

static const char *const devpts_keys[] = {
	"uid=", "gid=", "mode=", "ptmxmode=", "newinstance", "max=", NULL};

static int cgroup_make(struct fs_make *make, struct task *task, struct super_block **ret)
{
	return cgroupfs_new(ret);
}

static int mqueue_make(struct fs_make *make, struct task *task, struct super_block **ret)
{
	return mqueue_super(container_of(make->about, struct ipc_ns, ns), ret);
}

static const char *const cgroup_keys[] = {
	"nsdelegate", "favordynmods", "memory_localevents", "memory_recursiveprot", NULL};

/* ---- overlays -------------------------------------------------------------------------------- */

#define OVERLAY_LOWERS_MAX 64

struct layers {
	struct path lowers[OVERLAY_LOWERS_MAX]; /* owned */
	unsigned count;
	struct path upper, work; /* owned */
};

static void layers_put(struct layers *layers)
{
	for (unsigned i = 0; i < layers->count; i++)
		path_unref(&layers->lowers[i]);
	path_unref(&layers->upper);
	path_unref(&layers->work);
}

static int walk_directory(struct task *task, const char *name, struct path *ret)
{
	struct vfs_ctx ctx = task_vfs_ctx(task);
	struct path path;
	int err = path_walk(&ctx, NULL, name, WALK_FOLLOW, &path);

	if (err < 0)
		return err;
	if (!path.mount || !LX_S_ISDIR(path.dentry->inode->mode)) {
		path_unref(&path);
		return -EINVAL;
	}
	*ret = path;
	return 0;
}

/* "a:b:c", where a backslash takes the next character as it is. */
static int walk_lowers(struct task *task, const char *list, struct layers *layers)
{
	_cleanup_free_ char *name = malloc(strlen(list) + 1);
	int err = name ? 0 : -ENOMEM;

	while (err == 0) {
		size_t size = 0;

		for (; *list && *list != ':'; list++) {
			if (*list == '\\' && list[1])
				list++;
			name[size++] = *list;
		}
		name[size] = '\0';
		if (!size || layers->count == OVERLAY_LOWERS_MAX)
			return -EINVAL;
		err = walk_directory(task, name, &layers->lowers[layers->count]);
		if (err == 0)
			layers->count++;
		if (!*list)
			break;
		list++;
	}
	return err;
}

/* ovl_get_workdir(): on the upper directory's mount, and neither is within the other. */
static int check_work(struct task *task, const struct layers *layers)
{
	const struct vfs_ctx ctx = task_vfs_ctx(task);
	int err;

	if (layers->work.mount != layers->upper.mount ||
		dentry_within(layers->work.dentry, layers->upper.dentry) ||
		dentry_within(layers->upper.dentry, layers->work.dentry))
		return -EINVAL;
	if (path_check_write(&layers->upper) < 0)
		return -EINVAL;
	err = vfs_mkdir(&ctx, &layers->work, "work", 0);
	return err == -EEXIST ? 0 : err;
}

static int overlay_make(struct fs_make *make, struct task *task, struct super_block **ret)
{
	const char *lower = param(make, "lowerdir"), *upper = param(make, "upperdir");
	const char *work = param(make, "workdir");
	_cleanup_(layers_put) struct layers layers = {0};
	struct stack_config config;
	int err;

	if (!lower || (upper && !work))
		return -EINVAL;
	err = walk_lowers(task, lower, &layers);
	if (err == 0 && upper)
		err = walk_directory(task, upper, &layers.upper);
	if (err == 0 && upper)
		err = walk_directory(task, work, &layers.work);
	if (err == 0 && upper)
		err = check_work(task, &layers);
	if (err < 0)
		return err;
	config = (struct stack_config){
		.lowers = layers.lowers,
		.lower_count = layers.count,
		.upper = layers.upper,
		.user_xattr = param(make, "userxattr") != NULL,
	};
	return stack_new(&config, make->cred, ret);
}

static const char *const overlay_keys[] = {"lowerdir=", "upperdir=", "workdir=", "userxattr",
	"volatile", "default_permissions",
	"index=", "xino=", "metacopy=", "redirect_dir=", "nfs_export=", "uuid=", NULL};

static const char *const no_keys[] = {NULL};

static const struct fs_type types[] = {
	{"tmpfs", true, NS_USER, tmpfs_keys, tmpfs_make, tmpfs_reconfigure},
	{"ramfs", true, NS_USER, ramfs_keys, tmpfs_make, NULL},
	{"proc", true, NS_PID, proc_keys, proc_make, NULL},
	{"sysfs", true, NS_USER, no_keys, sysfs_make, NULL},
	{"devtmpfs", false, NS_USER, tmpfs_keys, devtmpfs_make, NULL},
	{"overlay", true, NS_USER, overlay_keys, overlay_make, NULL},
	{"cgroup2", true, NS_CGROUP, cgroup_keys, cgroup_make, NULL},
	{"devpts", true, NS_USER, devpts_keys, devpts_make, devpts_remake},
	{"mqueue", true, NS_IPC, no_keys, mqueue_make, NULL},
};

/* ---- contexts -------------------------------------------------------------------------------- */

static int begin(struct task *task, const struct fs_type *type, struct fs_make **ret)
{
	struct fs_make *make = calloc(1, sizeof(*make));
	struct user_ns *user_ns = task->cred->user_ns;

	if (!make)
		return -ENOMEM;
	make->type = type;
	make->cred = cred_ref(task->cred);
	if (type->about == NS_PID)
		make->about = ns_ref(&task_pid_ns(task)->ns);
	else if (type->about != NS_USER)
		make->about = ns_ref(task->nsproxy->ns[type->about]);
	if (make->about)
		user_ns = make->about->user_ns;
	make->user_ns = user_ns_ref(user_ns);
	*ret = make;
	return 0;
}

int fs_make_begin(struct task *task, const char *name, struct fs_make **ret)
{
	for (size_t i = 0; i < array_size(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return begin(task, &types[i], ret);
	return -ENODEV;
}

int fs_make_pick(struct task *task, struct super_block *sb, struct fs_make **ret)
{
	static const struct fs_type other = {"none", false, NS_USER, no_keys, NULL, NULL};
	int err = fs_make_begin(task, sb->type, ret);

	if (err == -ENODEV)
		err = begin(task, &other, ret);
	if (err == 0) {
		(*ret)->sb = super_block_ref(sb);
		(*ret)->read_only = sb->read_only;
	}
	return err;
}

void fs_make_free(struct fs_make *make)
{
	if (!make)
		return;
	for (unsigned i = 0; i < make->param_count; i++) {
		free(make->params[i].key);
		free(make->params[i].value);
	}
	free(make->source);
	if (make->sb)
		super_block_unref(make->sb);
	ns_unref(make->about);
	user_ns_unref(make->user_ns);
	cred_unref(make->cred);
	free(make);
}

/* Those that every file system has (vfs_parse_sb_flag()). Without effect here: there is no disk. */
static bool common_flag(struct fs_make *make, const char *key)
{
	static const char *const others[] = {
		"sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand"};

	if (strcmp(key, "ro") == 0 || strcmp(key, "rw") == 0) {
		make->read_only = key[1] == 'o';
		return true;
	}
	for (size_t i = 0; i < array_size(others); i++)
		if (strcmp(key, others[i]) == 0)
			return true;
	return false;
}

static bool type_has(const struct fs_type *type, const char *key, bool value)
{
	size_t size = strlen(key);

	for (const char *const *at = type->keys; *at; at++)
		if (strncmp(*at, key, size) == 0 && strcmp(*at + size, value ? "=" : "") == 0)
			return true;
	return false;
}

int fs_make_param(struct fs_make *make, const char *key, const char *value)
{
	struct tmpfs_params params;
	struct fs_param *slot;
	int err;

	if (!value && common_flag(make, key))
		return 0;
	if (value && strcmp(key, "source") == 0) {
		if (make->source)
			return -EINVAL;
		make->source = strdup(value);
		return make->source ? 0 : -ENOMEM;
	}
	if (!type_has(make->type, key, value != NULL)) {
		/* It has always ignored what it does not know (ramfs_parse_param()). */
		return make->type->keys == ramfs_keys ? 0 : -EINVAL;
	}
	if (make->param_count == FS_PARAMS_MAX)
		return -E2BIG;
	slot = &make->params[make->param_count];
	*slot = (struct fs_param){.key = strdup(key), .value = value ? strdup(value) : NULL};
	if (!slot->key || (value && !slot->value)) {
		free(slot->key);
		free(slot->value);
		return -ENOMEM;
	}
	make->param_count++;
	/* Values are looked at when they are given (shmem_parse_one()). */
	err = make->type->make == tmpfs_make ? tmpfs_params(make, &params) : 0;
	if (err < 0) {
		make->param_count--;
		free(slot->key);
		free(slot->value);
	}
	return err;
}

int fs_make_options(struct fs_make *make, const char *options)
{
	_cleanup_free_ char *copy = strdup(options);
	char *rest = copy, *item;
	int err = copy ? 0 : -ENOMEM;

	while (err == 0 && (item = strsep(&rest, ",")) != NULL) {
		char *value = strchr(item, '=');

		if (!*item)
			continue;
		if (value)
			*value++ = '\0';
		err = fs_make_param(make, item, value);
	}
	return err;
}

int fs_make_permitted(const struct fs_make *make, const struct cred *cred)
{
	bool may = make->type->in_user_ns ? cred_ns_capable(cred, make->user_ns, LX_CAP_SYS_ADMIN)
					  : cred_capable(cred, LX_CAP_SYS_ADMIN);

	return may ? 0 : -EPERM;
}

int fs_make_super(struct fs_make *make, struct task *task)
{
	struct super_block *sb;
	int err;

	if (!make->type->make)
		return -ENODEV;
	err = make->type->make(make, task, &sb);
	if (err < 0)
		return err;
	if (make->user_ns != &user_ns_first && !sb->user_ns && !sb->mount_count)
		sb->user_ns = user_ns_ref(make->user_ns);
	/* That of all others is not changed by one more mount of it. */
	if (make->read_only && !sb->mount_count)
		sb->read_only = true;
	make->sb = sb;
	return 0;
}

int fs_make_reconfigure(struct fs_make *make, struct super_block *sb)
{
	int err = make->type->reconfigure ? make->type->reconfigure(make, sb) : 0;

	if (err < 0)
		return err;
	/* A tree of the host that is shown read-only stays so. */
	if (sb->read_only_for_ever && !make->read_only)
		return -EROFS;
	sb->read_only = make->read_only;
	vfs_lasting_end();
	return 0;
}

char *fs_make_show(const struct fs_make *make)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	for (unsigned i = 0; i < make->param_count; i++) {
		const struct fs_param *at = &make->params[i];

		fprintf(stream, "%s%s%s%s", i ? "," : "", at->key, at->value ? "=" : "",
			at->value ? at->value : "");
	}
	return fclose(stream) == 0 ? text : NULL;
}

const char *fs_make_source(const struct fs_make *make)
{
	return make->source ? make->source : "none";
}
