/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How hostfs names files to the host.
 *
 * Every path goes through openat2(2) relative to the descriptor of a mount's root with
 * RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS: whatever is renamed on the host
 * meanwhile, the walk cannot leave the tree, and symbolic links are resolved by our own path walk
 * in the guest's tree, never by the host in its own. All else is done on descriptors, or on single
 * components relative to a directory's descriptor that the host does not follow.
 *
 * The kernel thread must not wait for a disk. RESOLVE_CACHED answers from the host's dentry cache
 * or not at all (EAGAIN); then a helper thread asks again. Without support for the flag (before
 * Linux 5.12) the helper is asked at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "vfs/hostfs/hostfs_private.h"

/* Host calls: openat2, statx. */

/* openat2(2) may answer EAGAIN when something was renamed during the walk. */
#define OPEN_ATTEMPTS 16

static bool resolve_cached_missing;

int64_t host_blocking(worker_fn *fn, void *arg)
{
	return fiber_current() ? worker_call(fn, arg) : fn(arg);
}

/*
 * What took longer waited for something, or the kernel thread was without a CPU: one late call says
 * nothing. When the next ones hold another, helpers have the work for WAIT_SHARE times as long.
 */
#define QUICK_MAX_NS   1000000u
#define LATE_SUSPICION 16u
#define WAIT_SHARE     64u
#define SHUN_MAX_NS    2000000000u

static uint64_t shun_until; /* monotonic, ns */

bool host_is_quick(void)
{
	return loop_monotonic() >= shun_until;
}

int64_t host_mostly_quick(worker_fn *fn, void *arg)
{
	static unsigned suspicion; /* calls since the last late one, backwards */
	uint64_t begin = loop_monotonic_now(), took;
	int64_t ret;

	fiber_note_host();
	if (begin < shun_until)
		return host_blocking(fn, arg);
	ret = fn(arg);
	took = loop_monotonic_now() - begin;
	if (took <= QUICK_MAX_NS) {
		suspicion -= suspicion > 0;
		return ret;
	}
	if (suspicion > 0)
		shun_until = begin + took + min_of(took * WAIT_SHARE, (uint64_t)SHUN_MAX_NS);
	suspicion = LATE_SUSPICION;
	return ret;
}

static int openat2_below(int root_fd, const char *path, int flags, uint32_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC | O_NOFOLLOW,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = resolve | RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int host_open_here(int root_fd, const char *path, int flags, uint32_t mode)
{
	int fd = -EAGAIN;

	for (unsigned i = 0; i < OPEN_ATTEMPTS && fd == -EAGAIN; i++)
		fd = openat2_below(root_fd, path, flags, mode, 0);
	return fd;
}

struct open_job {
	int root_fd, flags;
	uint32_t mode;
	const char *path;
};

static int64_t open_job_run(void *arg)
{
	const struct open_job *job = arg;

	return host_open_here(job->root_fd, job->path, job->flags, job->mode);
}

int host_open(int root_fd, const char *path, int flags, uint32_t mode)
{
	struct open_job job = {.root_fd = root_fd, .flags = flags, .mode = mode, .path = path};
	int fd;

	if (!resolve_cached_missing && !(flags & (O_CREAT | O_TRUNC))) {
		fd = openat2_below(root_fd, path, flags, mode, RESOLVE_CACHED);
		if (fd == -EINVAL)
			resolve_cached_missing = true;
		else if (fd != -EAGAIN)
			return fd;
	}
	return (int)host_blocking(open_job_run, &job);
}

static int prepend(char path[LX_PATH_MAX], size_t *at, const char *name, bool slash)
{
	size_t size = strlen(name);

	if (*at < size + slash)
		return -ENAMETOOLONG;
	if (slash)
		path[--*at] = '/';
	*at -= size;
	memcpy(path + *at, name, size);
	return 0;
}

int host_child_path(const struct inode *dir, const char *name, char path[LX_PATH_MAX])
{
	size_t at = LX_PATH_MAX - 1;
	int ret;

	path[at] = '\0';
	if (name) {
		ret = prepend(path, &at, name, false);
		if (ret < 0)
			return ret;
	}
	for (const struct inode *i = dir; host_node(i)->parent; i = host_node(i)->parent) {
		ret = prepend(path, &at, host_node(i)->name, path[at] != '\0');
		if (ret < 0)
			return ret;
		dir = host_node(i)->parent;
	}
	if (dir != dir->sb->root->inode)
		return -ENOENT; /* an unlinked directory */
	if (path[at] == '\0') {
		strcpy(path, ".");
		return 0;
	}
	memmove(path, path + at, LX_PATH_MAX - at);
	return 0;
}

int host_path(const struct inode *inode, char path[LX_PATH_MAX])
{
	return host_child_path(inode, NULL, path);
}

int host_stat(int fd, struct statx *ret)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS | STATX_BTIME,
		    ret) < 0)
		return -errno;
	return 0;
}

struct stat_job {
	int dir_fd;
	const char *name;
	struct statx *stat;
};

static int64_t stat_job_run(void *arg)
{
	const struct stat_job *job = arg;

	return statx(job->dir_fd, job->name,
		       AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_AS_STAT,
		       STATX_BASIC_STATS | STATX_BTIME, job->stat) < 0
		       ? -errno
		       : 0;
}

int host_stat_at(int dir_fd, const char *name, struct statx *ret)
{
	struct stat_job job = {.dir_fd = dir_fd, .name = name, .stat = ret};

	return (int)host_mostly_quick(stat_job_run, &job);
}

/* A few transfer buffers are kept: most reads are small and there is one at a time. */
#define BUFFERS_KEPT 4
static void *kept_buffers[BUFFERS_KEPT];
static unsigned kept_count;

void *host_buffer_get(void)
{
	return kept_count ? kept_buffers[--kept_count] : malloc(HOST_BUFFER_SIZE);
}

void host_buffer_put(void *buffer)
{
	if (buffer && kept_count < BUFFERS_KEPT)
		kept_buffers[kept_count++] = buffer;
	else
		free(buffer);
}
