/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes (xattr(7)) of a writable host mount: those in user.* are the host's own. All
 * others mean something to a kernel or to a privileged program of the host (capabilities, labels,
 * access lists), so there are none: they are neither listed nor read nor set.
 *
 * Attributes are asked for by an open descriptor, never by a path.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "abi/limits.h"
#include "abi/stat.h"
#include "abi/xattr.h"
#include "base/cleanup.h"
#include "vfs/hostfs/hostfs_private.h"

/* Host calls, on writable mounts only: fgetxattr, fsetxattr, flistxattr, fremovexattr. */

enum xattr_kind { XATTR_KIND_GET, XATTR_KIND_SET, XATTR_KIND_LIST, XATTR_KIND_REMOVE };

struct xattr_job {
	enum xattr_kind kind;
	int fd; /* borrowed */
	const char *name;
	const void *from; /* SET: @size bytes */
	void *to;	  /* GET, LIST: room for @size bytes */
	size_t size;
	int flags;
};

static bool is_user_name(const char *name)
{
	return strncmp(name, LX_XATTR_USER_PREFIX, sizeof(LX_XATTR_USER_PREFIX) - 1) == 0;
}

static int64_t xattr_run(void *arg)
{
	const struct xattr_job *job = arg;
	ssize_t n = -1;

	switch (job->kind) {
	case XATTR_KIND_GET:
		n = fgetxattr(job->fd, job->name, job->to, job->size);
		break;
	case XATTR_KIND_SET:
		n = fsetxattr(job->fd, job->name, job->from, job->size, job->flags);
		break;
	case XATTR_KIND_LIST:
		n = flistxattr(job->fd, job->to, job->size);
		break;
	case XATTR_KIND_REMOVE:
		n = fremovexattr(job->fd, job->name);
		break;
	}
	return n < 0 ? -errno : n;
}

/* Runs the job with a descriptor of @inode, which stays open meanwhile. */
static int64_t ask(struct inode *inode, struct xattr_job *job)
{
	int64_t result;
	int status;

	job->fd = host_node_any_fd(host_node(inode));
	if (job->fd >= 0) {
		host_node_hold(inode);
	} else {
		status = host_node_open(inode, HOST_READ);
		if (status == -EACCES && LX_S_ISREG(inode->mode))
			status = host_node_open(inode, HOST_WRITE);
		if (status < 0)
			return status;
		job->fd = host_node_any_fd(host_node(inode));
	}
	result = host_mostly_quick(xattr_run, job);
	host_node_close(inode);
	return result;
}

ssize_t hostfs_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	struct xattr_job job = {
		.kind = XATTR_KIND_GET, .name = name, .to = value, .size = value ? size : 0};

	return is_user_name(name) ? (ssize_t)ask(inode, &job) : -EOPNOTSUPP;
}

int hostfs_setxattr(
	struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	struct xattr_job job = {
		.kind = XATTR_KIND_SET, .name = name, .from = value, .size = size, .flags = flags};
	int status;

	if (!is_user_name(name))
		return -EOPNOTSUPP;
	status = host_may_change(inode, "change", false);
	return status < 0 ? status : (int)ask(inode, &job);
}

int hostfs_removexattr(struct inode *inode, const char *name)
{
	struct xattr_job job = {.kind = XATTR_KIND_REMOVE, .name = name};
	int status;

	if (!is_user_name(name))
		return -EOPNOTSUPP;
	status = host_may_change(inode, "change", false);
	return status < 0 ? status : (int)ask(inode, &job);
}

ssize_t hostfs_listxattr(struct inode *inode, char *list, size_t size)
{
	_cleanup_free_ char *all = NULL;
	struct xattr_job job = {.kind = XATTR_KIND_LIST, .size = LX_XATTR_LIST_MAX};
	size_t kept = 0;
	int64_t length;

	if (!LX_S_ISREG(inode->mode) && !LX_S_ISDIR(inode->mode))
		return 0; /* what else there is has none of user.* */
	all = malloc(LX_XATTR_LIST_MAX + 1);
	if (!all)
		return -ENOMEM;
	job.to = all;
	length = ask(inode, &job);
	if (length == -EOPNOTSUPP)
		return 0;
	if (length < 0)
		return (ssize_t)length;
	all[length] = '\0';
	for (size_t at = 0; at < (size_t)length;) {
		size_t name_size = strlen(all + at) + 1;

		if (is_user_name(all + at)) {
			memmove(all + kept, all + at, name_size);
			kept += name_size;
		}
		at += name_size;
	}
	if (size && kept > size)
		return -ERANGE;
	if (size)
		memcpy(list, all, kept);
	return (ssize_t)kept;
}
