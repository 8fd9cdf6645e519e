/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/host_proc.h"
#include "base/loop.h"

/*
 * Namespaces of the kernel process: a second wall behind Landlock and seccomp. In them no process
 * of the host has a number, no path of the host leads anywhere, and no network or IPC object of
 * the host exists. They cost nothing once they are there, and none of the promises rests on them
 * alone: many hosts grant them to nobody but root.
 *
 * The launcher clones the kernel process into all of them at once, but for the network's, which
 * that makes later and can be without; what the host grants is found by trying, the best set first:
 *
 *	everything in a user namespace of its own, which needs no privilege where the host allows
 *it; the same without a PID namespace, where the host's /proc is masked (containers) and a fresh
 *	one, without which we could not look at our stubs, cannot be mounted;
 *	everything without a user namespace, which takes root;
 *	nothing.
 *
 * User and group ids: as root every id keeps its number. Without privileges the host grants a
 * namespace in which only the caller's own ids have a name, and all others show as the overflow
 * id; hostfs shows those as root's (hostfs_set_owner()). Who is that overflow id himself could not
 * be told from the rest, so he gets no user namespace.
 *
 * As pid 1 of its namespace the kernel process would survive a SIGKILL from the death pipe, which
 * the kernel takes for one from within; PR_SET_PDEATHSIG, which is from outside, ends it. And with
 * pid 1 the host's kernel ends everybody else in there.
 *
 * The root: trees of the view are opened by path as always, then cloned (open_tree(2)) into mounts
 *of a small file system of ours that takes the place of the root; the old root is unmounted, and
 *what the process sees as its root is an empty directory beside the trees. So `..` from any
 *descriptor leads to nothing but trees of the view, and no path leads even to those. (As mounts
 *that are not attached the trees would cost as much again at the end, where the kernel waits for
 *each of them.) Mount events of the host still arrive in the clones, which are slaves; ours never
 *reach the host.
 */

#define OTHER_NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
/* Made by the child itself, beside its other work, since the host's kernel takes longer for it than
 * for everything else together (namespaces_new_network()). */
#define LATER_NAMESPACES CLONE_NEWNET

static const int attempts[] = {
	CLONE_NEWUSER | CLONE_NEWPID | OTHER_NAMESPACES,
	CLONE_NEWUSER | OTHER_NAMESPACES,
	CLONE_NEWPID | OTHER_NAMESPACES,
	0,
};

#define ID_MAP_MAX 4096

/* ---- the child's side ---- */

/* pthread_mutex and friends go by the thread id that libc's fork() would have renewed. */
static void renew_thread_id(void)
{
	pid_t *address = NULL;

	if (prctl(PR_GET_TID_ADDRESS, &address, 0, 0, 0) == 0 && address)
		*address = (pid_t)syscall(SYS_set_tid_address, address);
}

static int new_mount(const char *type, const char *size, unsigned attributes)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	long fd;

	if (fs < 0)
		return -errno;
	if (size && syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", size, 0) < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
	return fd < 0 ? -errno : (int)fd;
}

#define HARMLESS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* What must work before we rely on the namespaces. */
static int prepare(struct namespaces *own)
{
	int fd;

	if (!(own->flags & CLONE_NEWNS))
		return 0;
	if (mount("", "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return -errno;
	fd = new_mount("tmpfs", "4k", HARMLESS);
	if (fd < 0)
		return fd;
	own->root_fd = fd;
	/* Read-only: /proc/sys is in it. */
	fd = own->flags & CLONE_NEWPID
		     ? new_mount("proc", NULL, HARMLESS | MOUNT_ATTR_RDONLY)
		     : (int)syscall(SYS_open_tree, AT_FDCWD, "/proc",
			       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0)
		return own->flags & CLONE_NEWPID ? fd : -errno;
	own->proc_fd = fd;
	return 0;
}

/* Its first steps: waits until the parent named its ids, and says what came of the preparations. */
static int begin_child(struct namespaces *own, int cgroup_fd, int socket)
{
	int32_t answer;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (own->flags || cgroup_fd >= 0)
		renew_thread_id();
	if (recv(socket, &answer, sizeof(answer), 0) != sizeof(answer) || answer < 0)
		return -EPIPE;
	answer = prepare(own);
	if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
		return -EPIPE;
	return answer;
}

/* ---- the parent's side ---- */

static int write_file(const char *format, pid_t pid, const char *text)
{
	char path[64];
	_cleanup_close_ int fd = -1;
	size_t size = strlen(text);

	(void)snprintf(path, sizeof(path), format, (int)pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, size) == (ssize_t)size ? 0 : -errno;
}

/* Each id that we know, as itself. */
static int identity_map(const char *path, char text[ID_MAP_MAX])
{
	FILE *file = fopen(path, "re");
	unsigned first, host, count;
	size_t size = 0;

	if (!file)
		return -errno;
	while (fscanf(file, "%u %u %u", &first, &host, &count) == 3 && size + 64 < ID_MAP_MAX)
		size += (size_t)snprintf(
			text + size, ID_MAP_MAX - size, "%u %u %u\n", first, first, count);
	(void)fclose(file);
	return size ? 0 : -EIO;
}

static int map_all_ids(pid_t pid)
{
	char text[ID_MAP_MAX];
	int r = identity_map("/proc/self/uid_map", text);

	r = r < 0 ? r : write_file("/proc/%d/uid_map", pid, text);
	r = r < 0 ? r : identity_map("/proc/self/gid_map", text);
	return r < 0 ? r : write_file("/proc/%d/gid_map", pid, text);
}

static int map_own_ids(pid_t pid)
{
	char text[64];
	int r;

	(void)snprintf(text, sizeof(text), "%u %u 1", geteuid(), geteuid());
	r = write_file("/proc/%d/uid_map", pid, text);
	r = r < 0 ? r : write_file("/proc/%d/setgroups", pid, "deny");
	(void)snprintf(text, sizeof(text), "%u %u 1", getegid(), getegid());
	return r < 0 ? r : write_file("/proc/%d/gid_map", pid, text);
}

static unsigned overflow_id(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned id = 65534;

	if (file && fscanf(file, "%u", &id) != 1)
		id = 65534;
	if (file)
		(void)fclose(file);
	return id;
}

static bool may_try(int flags)
{
	if (geteuid() == 0)
		return true;
	if (!(flags & CLONE_NEWUSER))
		return false;
	return geteuid() != overflow_id("/proc/sys/kernel/overflowuid") &&
	       getegid() != overflow_id("/proc/sys/kernel/overflowgid");
}

/* Gives the child its ids and hears what it made of its namespaces. */
static int settle_child(struct namespaces *own, pid_t pid, int socket)
{
	int32_t answer = 0;

	if (own->flags & CLONE_NEWUSER)
		answer = own->partial_ids ? map_own_ids(pid) : map_all_ids(pid);
	if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
		return -EPIPE;
	if (answer < 0)
		return answer;
	if (recv(socket, &answer, sizeof(answer), 0) != sizeof(answer))
		return -EPIPE;
	return answer;
}

static pid_t clone_child(int flags, int cgroup_fd)
{
	struct clone_args args = {.flags = (uint64_t)(unsigned)flags, .exit_signal = SIGCHLD};

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
		return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	}
	return flags ? (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, NULL, NULL, 0) : fork();
}

/* One set without @later. Returns 0 with *ret_pid as of fork(), or -errno in the parent. */
static int fork_with(struct namespaces *own, int later, int cgroup_fd, pid_t *ret_pid)
{
	int sockets[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	pid = clone_child(own->flags & ~later, cgroup_fd);
	if (pid < 0) {
		r = -errno;
		(void)close(sockets[0]);
		(void)close(sockets[1]);
		return r;
	}
	if (pid == 0) {
		(void)close(sockets[0]);
		if (begin_child(own, cgroup_fd, sockets[1]) < 0)
			_exit(125);
		(void)close(sockets[1]);
		*ret_pid = 0;
		return 0;
	}
	(void)close(sockets[1]);
	r = settle_child(own, pid, sockets[0]);
	(void)close(sockets[0]);
	if (r < 0)
		(void)waitpid(pid, NULL, 0);
	else
		*ret_pid = pid;
	return r;
}

static int fork_best(
	struct namespaces *ret, int later, int cgroup_fd, pid_t *ret_pid, int *ret_first_error)
{
	int r = -EPERM;

	for (size_t i = 0; i < array_size(attempts); i++) {
		struct namespaces own = {
			.flags = attempts[i],
			.root_fd = -1,
			.proc_fd = -1,
			.partial_ids = attempts[i] & CLONE_NEWUSER && geteuid() != 0,
		};

		r = !attempts[i] || may_try(attempts[i])
			    ? fork_with(&own, later, cgroup_fd, ret_pid)
			    : -EPERM;
		if (i == 0)
			*ret_first_error = r;
		if (r == 0) {
			*ret = own;
			return 0;
		}
	}
	return r;
}

int namespaces_fork(struct namespaces *ret, int cgroup_fd, pid_t *ret_pid)
{
	uint64_t begin = loop_monotonic_now();
	int first_error, r = fork_best(ret, LATER_NAMESPACES, cgroup_fd, ret_pid, &first_error);

	ret->made_ns = loop_monotonic_now() - begin;
	return r;
}

struct namespaces namespaces_probe(const char **ret_why, int *ret_error)
{
	struct namespaces own = {.root_fd = -1, .proc_fd = -1};
	pid_t pid = -1;

	*ret_error = 0;
	*ret_why = "";
	if (fork_best(&own, 0, -1, &pid, ret_error) < 0)
		return own;
	if (pid == 0)
		_exit(0);
	(void)waitpid(pid, NULL, 0);
	if (*ret_error && !may_try(attempts[0]))
		*ret_why = "this user is the overflow id";
	else if (*ret_error)
		*ret_why = strerror(-*ret_error);
	return own;
}

/* ---- leaving the host ---- */

int namespaces_new_network(const struct namespaces *own)
{
	_cleanup_close_ int socket_fd = -1;
	int fd;

	if (!(own->flags & CLONE_NEWNET))
		return -EPERM;
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	/* Not by a name in /proc, which may lead nowhere by now. */
	socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fd = socket_fd < 0 ? -1 : ioctl(socket_fd, SIOCGSKNS);
	return fd < 0 ? -errno : fd;
}

struct attach {
	int root_fd;
	unsigned count;
};

/* Puts a mount into a new directory of the root to come. */
static int attach_mount(struct attach *attach, int mount_fd)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%u", attach->count++);
	if (mkdirat(attach->root_fd, name, 0700) < 0)
		return -errno;
	return syscall(SYS_move_mount, mount_fd, "", attach->root_fd, name,
		       MOVE_MOUNT_F_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

static int replace_tree(int *fd, bool writable, void *arg)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
						    (writable ? 0 : MOUNT_ATTR_RDONLY)};
	struct stat st;
	int tree;

	if (fstat(*fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return 0;
	tree = (int)syscall(SYS_open_tree, *fd, "",
		AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return -errno;
	(void)close(*fd);
	*fd = tree;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
		    sizeof(attributes)) < 0)
		return -errno;
	return attach_mount(arg, tree);
}

#define EMPTY_DIRECTORY "empty"

/* pivot_root(2), "pivot_root(".", ".")": the old root lies on the new one until it is unmounted. */
static int enter_root(int root_fd)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};

	if (mkdirat(root_fd, EMPTY_DIRECTORY, 0500) < 0 ||
		syscall(SYS_mount_setattr, root_fd, "", AT_EMPTY_PATH, &attributes,
			sizeof(attributes)) < 0 ||
		fchdir(root_fd) < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") < 0) {
		/* EINVAL: the root is the kernel's first one (an initramfs), which cannot go. It
		 * stays below, and out of reach. */
		if (errno != EINVAL)
			return -errno;
	} else if (umount2(".", MNT_DETACH) < 0) {
		return -errno;
	}
	return chroot(EMPTY_DIRECTORY) < 0 || chdir("/") < 0 ? -errno : 0;
}

int namespaces_leave_host(struct namespaces *own, struct view *view, const char **ret_why)
{
	struct attach attach = {.root_fd = own->root_fd};
	int r;

	if (!(own->flags & CLONE_NEWNS))
		return 0;
	*ret_why = "the trees of the host as mounts of their own";
	if (syscall(SYS_move_mount, own->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	r = view_replace_host_roots(view, replace_tree, &attach);
	r = r < 0 ? r : attach_mount(&attach, own->proc_fd);
	if (r < 0)
		return r;
	*ret_why = "an empty root";
	r = enter_root(own->root_fd);
	if (r < 0)
		return r;
	(void)close(own->root_fd);
	own->root_fd = -1;
	host_proc_set(own->proc_fd);
	own->proc_fd = -1;
	return 0;
}
