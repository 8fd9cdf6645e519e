/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/host_filter.h"
#include "base/host_proc.h"
#include "base/loop.h"
#include "sentry/host_calls.h"

/*
 * The Sentry is trusted with the guest's memory and files, not with the host: a hole in it must not
 * be worth much. Host files are reached only beneath the view's roots; openat2's RESOLVE_BENEATH
 * keeps our own code inside, Landlock keeps a compromised Sentry inside.
 */

#if defined(__SANITIZE_ADDRESS__)
#define CONFINE_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define CONFINE_SANITIZER
#endif
#endif

/* Newer than the oldest headers we build with; values from landlock(7). */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ull << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif
#define ACCESS_FS_IOCTL_DEV    (1ull << 15)
#define ACCESS_NET_BIND_TCP    (1ull << 0)
#define ACCESS_NET_CONNECT_TCP (1ull << 1)
#define SCOPE_ABSTRACT_UNIX    (1ull << 0)
#define SCOPE_SIGNAL	       (1ull << 1)

#define ACCESS_FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_FS_BASE                                                                             \
	((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* every right of the first version */
#define ACCESS_FS_FILE                                                                             \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
		LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_TRUNCATE)

struct ruleset_attr {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

static int compare_fds(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/*
 * Room for so many descriptors from the begin (8 bytes each). A table that grows while helper
 * threads share it has the host wait for a grace period (expand_fdtable()): 10 to 20 ms in which
 * nothing else happens, and a Python program's start needs more than the 64 that there are.
 */
#define DESCRIPTORS_ROOM 4096u

/* Before there are helpers. Without the room all goes on as well. */
static void make_room_for_descriptors(int any_fd, const struct rlimit *limit)
{
	int last = (int)min_of((rlim_t)DESCRIPTORS_ROOM, limit->rlim_cur) - 1;

	if (dup2(any_fd, last) == last)
		close(last);
}

int confine_descriptors(const int *keep, size_t count, const char **ret_why)
{
	_cleanup_free_ int *sorted = calloc(count + 1, sizeof(*sorted));
	struct rlimit files, core = {1, 1};
	unsigned first = 3;
	int null;

	if (!sorted) {
		*ret_why = "memory for the list of descriptors";
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		sorted[i] = keep[i];
	qsort(sorted, count, sizeof(*sorted), compare_fds);
	for (size_t i = 0; i < count; i++) {
		if (sorted[i] < (int)first)
			continue;
		if ((unsigned)sorted[i] > first &&
			close_range(first, (unsigned)sorted[i] - 1, 0) < 0)
			goto fail;
		first = (unsigned)sorted[i] + 1;
	}
	if (close_range(first, ~0u, 0) < 0)
		goto fail;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		goto fail;
	close(null);
	/* A soft limit of 1024 would be the guests' limit all together. A core of one page: 0 does
	 * not stop a piped handler. */
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		goto fail;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_CORE, &core) < 0)
		goto fail;
	make_room_for_descriptors(0, &files);
	return 0;
fail:
	*ret_why = "closing inherited descriptors (close_range, Linux 5.9)";
	return -errno;
}

static int drop_bounding_set(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	/* EINVAL: that was the last one. Without CAP_SETPCAP the set cannot shrink, and
	 * no_new_privs makes it moot: execve gains nothing. */
	if (errno != EINVAL && errno != EPERM)
		return -errno;
	return 0;
}

int confine_privileges(const char **ret_why)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};
	int r;

	*ret_why = "giving up privileges";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = drop_bounding_set();
	if (r < 0)
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

struct add_rule {
	int ruleset;
	uint64_t handled;
};

static int add_rule(int fd, bool writable, void *arg)
{
	const struct add_rule *add = arg;
	struct landlock_path_beneath_attr rule = {.parent_fd = fd};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	rule.allowed_access = writable ? add->handled & ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE |
								    ACCESS_FS_IOCTL_DEV |
								    LANDLOCK_ACCESS_FS_MAKE_CHAR |
								    LANDLOCK_ACCESS_FS_MAKE_BLOCK)
				       : ACCESS_FS_READ;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= ACCESS_FS_FILE;
	rule.allowed_access &= add->handled;
	return syscall(SYS_landlock_add_rule, add->ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) <
			       0
		       ? -errno
		       : 0;
}

/*
 * /proc, for reading alone: the platforms look at their stubs' maps and resident sizes, and for
 * processes of their group that nobody knows. What is in
 * it about processes outside of the sandbox and needs ptrace's right (maps, environ, mem) Landlock
 * refuses on its own.
 */
static int add_proc_rule(struct add_rule *add)
{
	int fd = host_proc_fd();
	struct landlock_path_beneath_attr rule = {
		.parent_fd = fd, .allowed_access = ACCESS_FS_READ};

	if (fd < 0)
		return fd;
	return syscall(SYS_landlock_add_rule, add->ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) <
			       0
		       ? -errno
		       : 0;
}

int confine_files(struct view *view, const char **ret_why)
{
	struct ruleset_attr attr = {.handled_access_fs = ACCESS_FS_BASE};
	_cleanup_close_ int ruleset = -1;
	size_t size = sizeof(attr.handled_access_fs);
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct add_rule add;
	int r;

	*ret_why = "Landlock (the host kernel lacks it or has it switched off)";
	if (version < 1)
		return -EOPNOTSUPP;
	if (version >= 2)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (version >= 4) {
		attr.handled_access_net = ACCESS_NET_BIND_TCP | ACCESS_NET_CONNECT_TCP;
		size = offsetof(struct ruleset_attr, scoped);
	}
	if (version >= 5)
		attr.handled_access_fs |= ACCESS_FS_IOCTL_DEV;
	if (version >= 6) {
		attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
		size = sizeof(attr);
	}
	*ret_why = "Landlock";
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return -errno;
	add = (struct add_rule){.ruleset = ruleset, .handled = attr.handled_access_fs};
	r = view_for_each_host_root(view, add_rule, &add);
	r = r < 0 ? r : add_proc_rule(&add);
	if (r < 0)
		return r;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

static int find_writable(int fd, bool writable, void *arg)
{
	bool *any = arg;

	*any |= writable;
	return 0;
}

bool confine_any_writable(struct view *view)
{
	bool any = false;

	(void)view_for_each_host_root(view, find_writable, &any);
	return any;
}

/* ---- seccomp ---- */

/* Containers' filters refuse calls that the kernel has. */
static bool host_lacks(long nr)
{
	return syscall(nr, -1, NULL, 0, 0, 0, 0) < 0 && errno == ENOSYS;
}

/*
 * A call that is not on the list is a bug or an attack: the process ends with SIGSYS and every
 * guest with it, which nobody overlooks and nobody gains from; the host's audit log names the call.
 */
static int build_calls(unsigned when, struct sock_filter *program, unsigned capacity)
{
	when |= HOST_ALWAYS | (loop_has_pwait2() ? HOST_PWAIT2 : HOST_OLD_PWAIT);
	if (host_lacks(SYS_preadv2) || host_lacks(SYS_pwritev2))
		when |= HOST_OLD_IO;
	if (host_lacks(SYS_statx))
		when |= HOST_OLD_STAT;
#ifdef CONFINE_SANITIZER
	when |= HOST_SANITIZER;
#endif
	return host_filter_build(host_calls, host_call_count, when, program, capacity);
}

static int compare_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 1);
}

/* What libc asks the host once and then remembers. */
static void warm_libc_up(void)
{
	char items[64][32] = {{1}};

	/* Large sorts want to know how much memory there is. */
	qsort(items, array_size(items), sizeof(items[0]), compare_bytes);
}

int confine_calls(unsigned when, const char **ret_why)
{
	static struct sock_filter program[HOST_FILTER_MAX];
	struct sock_fprog filter = {.filter = program};
	long r = build_calls(when, program, HOST_FILTER_MAX);

	*ret_why = "seccomp";
	if (r < 0)
		return (int)r;
	/* Others of the same user may neither trace this process nor read its memory. So late since
	 * the ptrace platform's zygote, a fork, has to be traced before it executes anything. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	filter.len = (unsigned short)r;
	warm_libc_up();
	/* The helper threads too; a thread that cannot follow has its id returned. */
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
	if (r > 0)
		return -ESRCH;
	return r < 0 ? -errno : 0;
}

int confine_calls_export(unsigned when, int fd)
{
	static struct sock_filter program[HOST_FILTER_MAX];
	int count = build_calls(when, program, HOST_FILTER_MAX);
	size_t size;

	if (count < 0)
		return count;
	size = (size_t)count * sizeof(program[0]);
	return write(fd, program, size) == (ssize_t)size ? 0 : -EIO;
}
