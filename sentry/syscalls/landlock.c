/* SPDX-License-Identifier: Apache-2.0 */
/* landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2) */
#include "vfs/landlock.h"

#include <errno.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "sentry/syscalls/anon_fd.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"

#define LANDLOCK_ABI_VERSION 6
#define ACCESS_FS_ALL	     0xffffull
#define ACCESS_NET_ALL	     (LX_LANDLOCK_ACCESS_NET_BIND_TCP | LX_LANDLOCK_ACCESS_NET_CONNECT_TCP)
#define SCOPE_ALL	     (LX_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LX_LANDLOCK_SCOPE_SIGNAL)

static void ruleset_release(struct file *file)
{
	landlock_ruleset_free(file->private);
}

static const struct file_ops ruleset_ops = {
	.name = "landlock ruleset",
	.release = ruleset_release,
};

int64_t sys_landlock_create_ruleset(
	struct task *t, gaddr_t attr_addr, uint64_t size, unsigned flags)
{
	struct lx_landlock_ruleset_attr attr = {0};
	struct landlock_handled handled;
	struct landlock_ruleset *ruleset;
	struct file *file;
	int err;

	if (flags)
		return flags == LX_LANDLOCK_CREATE_RULESET_VERSION && gaddr_is_null(attr_addr) &&
				       size == 0
			       ? LANDLOCK_ABI_VERSION
			       : -EINVAL;
	if (gaddr_is_null(attr_addr))
		return -EFAULT;
	if (size < sizeof(attr.handled_access_fs))
		return -EINVAL;
	if (size > SENTRY_MAX_STRUCT_SIZE)
		return -E2BIG;
	err = guest_read_struct(t, &attr, sizeof(attr), attr_addr, size);
	if (err < 0)
		return err;
	if ((attr.handled_access_fs & ~ACCESS_FS_ALL) ||
		(attr.handled_access_net & ~(uint64_t)ACCESS_NET_ALL) ||
		(attr.scoped & ~(uint64_t)SCOPE_ALL))
		return -EINVAL;
	if (!attr.handled_access_fs && !attr.handled_access_net && !attr.scoped)
		return -ENOMSG;
	handled = (struct landlock_handled){.fs = attr.handled_access_fs,
		.net = attr.handled_access_net,
		.scoped = attr.scoped};
	err = landlock_ruleset_new(&handled, &ruleset);
	if (err < 0)
		return err;
	err = file_new_anonymous(
		"anon_inode:[landlock-ruleset]", &ruleset_ops, ruleset, LX_O_RDWR, 0600, &file);
	if (err < 0) {
		landlock_ruleset_free(ruleset);
		return err;
	}
	return install_new_file(t, file, true);
}

/* *ret_file is owned by the caller. */
static int get_ruleset(struct task *t, int fd, struct file **ret_file)
{
	struct file *file = fd_get(t->files, fd);

	if (!file)
		return -EBADF;
	if (file->ops != &ruleset_ops) {
		file_unref(file);
		return -EBADFD;
	}
	*ret_file = file;
	return 0;
}

static int add_path(struct task *t, struct landlock_ruleset *ruleset,
	const struct lx_landlock_path_beneath_attr *attr)
{
	_cleanup_(cleanup_file_unref) struct file *parent = NULL;

	if (!attr->allowed_access)
		return -ENOMSG;
	if (attr->allowed_access & ~landlock_ruleset_handled(ruleset)->fs)
		return -EINVAL;
	parent = fd_get_any(t->files, attr->parent_fd);
	if (!parent)
		return -EBADF;
	/* What has no place among names. */
	if (!parent->path.mount)
		return -EBADFD;
	if (!LX_S_ISDIR(parent->inode->mode) &&
		(attr->allowed_access & ~(uint64_t)LX_LANDLOCK_ACCESS_FILE))
		return -EINVAL;
	return landlock_ruleset_add(ruleset, &parent->path, attr->allowed_access);
}

static int add_port(struct landlock_ruleset *ruleset, const struct lx_landlock_net_port_attr *attr)
{
	if (!attr->allowed_access)
		return -ENOMSG;
	if (attr->allowed_access & ~landlock_ruleset_handled(ruleset)->net)
		return -EINVAL;
	if (attr->port > UINT16_MAX)
		return -EINVAL;
	return landlock_ruleset_add_port(ruleset, (uint16_t)attr->port, attr->allowed_access);
}

int64_t sys_landlock_add_rule(
	struct task *t, int ruleset_fd, int rule_type, gaddr_t rule_attr, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct lx_landlock_path_beneath_attr attr;
	struct lx_landlock_net_port_attr port;
	int err;

	if (flags)
		return -EINVAL;
	err = get_ruleset(t, ruleset_fd, &file);
	if (err < 0)
		return err;
	switch (rule_type) {
	case LX_LANDLOCK_RULE_PATH_BENEATH:
		err = guest_read_value(t, &attr, rule_attr);
		return err < 0 ? err : add_path(t, file->private, &attr);
	case LX_LANDLOCK_RULE_NET_PORT:
		err = guest_read_value(t, &port, rule_attr);
		return err < 0 ? err : add_port(file->private, &port);
	default:
		return -EINVAL;
	}
}

int64_t sys_landlock_restrict_self(struct task *t, int ruleset_fd, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct landlock_domain *domain;
	struct cred *cred;
	int err;

	if (!t->cred->no_new_privs && !cred_own_capable(t->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	if (flags)
		return -EINVAL;
	err = get_ruleset(t, ruleset_fd, &file);
	if (err < 0)
		return err;
	err = landlock_domain_new(t->cred->landlock, file->private, &domain);
	if (err < 0)
		return err;
	err = cred_copy(t->cred, t->cred->group_count, &cred);
	if (err < 0) {
		landlock_domain_unref(domain);
		return err;
	}
	landlock_domain_unref(cred->landlock);
	cred->landlock = domain;
	cred_unref(t->cred);
	t->cred = cred;
	task_forget_content(t);
	return 0;
}
