/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Climbs out of the mounts: `climb KIND SECRET PID...` tries to read or change SECRET, a file of
 * the host beside the writable mount /vol, or anything else that the sandbox does not show.
 *
 *   names    `..`, links, magic links, descriptors, handles, devices, mounts
 *   races    renames and exchanges in the middle of look-ups, by us and by somebody on the host
 *   words    paths, vectors and message headers that change while a call reads them
 *
 * Whatever has the secret's text in it is printed as LEAK.
 */
#include "armed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TOKEN "THE-SECRET-OF-THE-HOST"

static const char *secret;
static int vol;
static volatile int stop;

static void look(int fd, const char *how)
{
	char text[4096];
	ssize_t n;

	if (fd < 0)
		return;
	n = pread(fd, text, sizeof(text) - 1, 0);
	if (n > 0) {
		text[n] = '\0';
		if (memmem(text, (size_t)n, TOKEN, strlen(TOKEN)))
			printf("LEAK by %s\n", how);
	}
	close(fd);
}

static void try_at(int dir, const char *path)
{
	static const uint64_t resolve[] = {
		0, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS};
	char text[4096];
	struct stat st;
	ssize_t n;

	look(openat(dir, path, O_RDONLY | O_NONBLOCK), path);
	for (unsigned i = 0; i < 4; i++) {
		struct open_how how = {.flags = O_RDONLY, .resolve = resolve[i]};

		look((int)syscall(SYS_openat2, dir, path, &how, sizeof(how)), path);
	}
	for (unsigned i = 0; i < 3; i++) {
		static const int flags[] = {
			O_WRONLY, O_WRONLY | O_CREAT | O_TRUNC, O_RDWR | O_APPEND};
		int fd = openat(dir, path, flags[i], 0666);

		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			(void)!write(fd, "spoilt", 6);
		if (fd >= 0)
			close(fd);
	}
	n = readlinkat(dir, path, text, sizeof(text));
	(void)n;
	linkat(dir, path, AT_FDCWD, "/vol/linked", AT_SYMLINK_FOLLOW);
	look(open("/vol/linked", O_RDONLY), path);
	unlink("/vol/linked");
	renameat(dir, path, vol, "taken");
	look(openat(vol, "taken", O_RDONLY), path);
	fchmodat(dir, path, 0777, 0);
	truncate(path, 0);
	unlinkat(dir, path, 0);
}

static void try(const char *path)
{
	try_at(AT_FDCWD, path);
	try_at(vol, path);
	if (chdir("/vol") == 0)
		try_at(AT_FDCWD, path);
}

static void with_links(const char *target)
{
	char path[64];

	unlink("/vol/link");
	if (symlink(target, "/vol/link") == 0) {
		try("/vol/link");
		try("link");
		try("/vol/./link/../link");
	}
	unlink("/vol/link");
	/* A chain, so that the last step is far from what was checked. */
	for (int i = 0; i < 38; i++) {
		char next[64];

		snprintf(path, sizeof(path), "/vol/chain%d", i);
		snprintf(next, sizeof(next), "chain%d", i + 1);
		unlink(path);
		(void)!symlink(i == 37 ? target : next, path);
	}
	try("/vol/chain0");
	for (int i = 0; i < 38; i++) {
		snprintf(path, sizeof(path), "/vol/chain%d", i);
		unlink(path);
	}
}

static void magic(const char *process)
{
	static const char *const ways[] = {"root", "cwd", "exe", "fd/0", "fd/3", "ns/mnt",
		"task/2/root", "task/2/cwd/..", "map_files"};
	char path[4200];

	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s/%s%s", process, ways[i], secret);
		try(path);
		snprintf(path, sizeof(path), "/proc/%s/%s/../secret", process, ways[i]);
		try(path);
		with_links(path);
		snprintf(path, sizeof(path), "/proc/%s/%s", process, ways[i]);
		int dir = open(path, O_PATH);

		if (dir >= 0) {
			try_at(dir, "../secret");
			try_at(dir, secret + 1);
			(void)!fchdir(dir);
			try_at(AT_FDCWD, "../../../../../../../../../../../../secret");
			close(dir);
		}
	}
	snprintf(path, sizeof(path), "/proc/%s/environ", process);
	look(open(path, O_RDONLY), path);
}

/* chroot(2)'s old weakness. */
static void old_jail(void)
{
	if (fork() == 0) {
		(void)!unshare(CLONE_NEWUSER | CLONE_NEWNS);
		mkdir("/vol/jail", 0777);
		int here = open("/vol", O_RDONLY | O_DIRECTORY);

		if (chroot("/vol/jail") == 0 && fchdir(here) == 0) {
			for (int i = 0; i < 100; i++)
				(void)!chdir("..");
			(void)!chroot(".");
			try_at(AT_FDCWD, secret);
			try_at(AT_FDCWD, secret + 1);
		}
		_exit(0);
	}
	wait(NULL);
}

static void mounts(void)
{
	static const char *const types[] = {"proc", "sysfs", "tmpfs", "devtmpfs", "ext4", "overlay",
		"cgroup2", "9p", "fuse", "debugfs", "bpf"};
	char option[8400];

	if (fork() == 0) {
		(void)!unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID);
		mkdir("/tmp/m", 0777);
		for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
			snprintf(option, sizeof(option),
				"lowerdir=%s/..:/vol/..,upperdir=/vol/..,workdir=/vol", secret);
			if (mount(i % 2 ? "/dev/vda" : "none", "/tmp/m", types[i], 0,
				    i == 5 ? option : NULL) == 0) {
				try_at(AT_FDCWD, "/tmp/m/secret");
				try_at(AT_FDCWD, "/tmp/m/1/root/secret");
				umount2("/tmp/m", MNT_DETACH);
			}
		}
		if (mount("/vol/..", "/tmp/m", NULL, MS_BIND | MS_REC, NULL) == 0)
			try_at(AT_FDCWD, "/tmp/m/secret");
		mount(NULL, "/ro", NULL, MS_REMOUNT | MS_BIND, NULL);
		mount(NULL, "/ro", NULL, MS_REMOUNT, "rw");
		close(open("/ro/made", O_CREAT | O_WRONLY, 0666));
		umount2("/vol", MNT_DETACH);
		try("/vol/secret");
		umount2("/", MNT_DETACH);
		try("/secret");
		syscall(SYS_pivot_root, "/vol", "/vol");
		try("/secret");
		try(secret);
		_exit(0);
	}
	wait(NULL);
}

static void devices(void)
{
	static const char *const names[] = {"/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda",
		"/dev/port", "/dev/fuse", "/dev/kvm", "/dev/loop-control", "/proc/sysrq-trigger",
		"/proc/kcore", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
		"/sys/kernel/uevent_helper", "/proc/kallsyms", "/proc/sys/vm/drop_caches",
		"/sys/fs/cgroup/release_agent", "/proc/self/mem"};
	static const unsigned kinds[] = {S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = open(names[i], O_RDWR | O_NONBLOCK);

		fd = fd < 0 ? open(names[i], O_WRONLY | O_NONBLOCK) : fd;
		if (fd >= 0 && i + 1 < sizeof(names) / sizeof(names[0]) &&
			pwrite(fd, "|/vol/x", 7, 0) == 7)
			printf("WROTE %s\n", names[i]);
		close(fd);
	}
	for (unsigned i = 0; i < 4; i++) {
		mknodat(vol, "node", kinds[i] | 0666, makedev(i ? 1 : 254, i ? 1 : 0));
		look(openat(vol, "node", O_RDWR | O_NONBLOCK), "a device");
	}
	close(openat(vol, "suid", O_CREAT | O_WRONLY, 06755));
	fchmodat(vol, "suid", 06755, 0);
	fchownat(vol, "suid", 0, 0, 0);
}

static void handles(void)
{
	struct {
		struct file_handle head;
		unsigned char bytes[64];
	} handle = {.head = {.handle_bytes = 64}};
	int mount_id;

	(void)name_to_handle_at(vol, "", &handle.head, &mount_id, AT_EMPTY_PATH);
	for (int type = 0; type < 4; type++) {
		for (unsigned inode = 0; inode < 300; inode++) {
			handle.head.handle_bytes = 8;
			handle.head.handle_type = type;
			memcpy(handle.head.f_handle, &inode, sizeof(inode));
			int fd = open_by_handle_at(vol, &handle.head, O_RDONLY);

			if (fd >= 0) {
				puts("LEAK by a handle");
				try_at(fd, "../secret");
				close(fd);
			}
		}
	}
}

static void names(int argc, char **argv)
{
	static const char *const forms[] = {"/vol/..%s", "/vol/../secret", "../secret",
		"./../secret", "/vol/../../../../../../../../../..%s", "%s", "/vol//..//secret",
		"/vol/sub/../../secret", "/proc/self/root%s", "/proc/self/cwd/../secret",
		"/dev/fd/../../..%s", "/ro/../secret", "/ro/evil", "/ro/evil-up",
		"/ro/evil-dir/secret", "/vol/evil", "/vol/evil-up", "/vol/evil-dir/secret"};
	char path[8200];

	mkdirat(vol, "sub", 0777);
	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		snprintf(path, sizeof(path), forms[i], secret);
		try(path);
		with_links(path);
	}
	magic("self");
	magic("1");
	for (int i = 3; i < argc; i++) /* the host's numbers of the Sentry, the launcher, others */
		magic(argv[i]);
	old_jail();
	mounts();
	devices();
	handles();
}

/* ---- races ---- */

static void *rename_around(void *arg)
{
	while (!stop) {
		renameat(vol, "a/b", vol, "b");
		renameat(vol, "b", vol, "a/b");
		renameat2(vol, "dir", vol, "up", RENAME_EXCHANGE);
		unlinkat(vol, "flip", 0);
		(void)!symlinkat("..", vol, "flip");
		unlinkat(vol, "flip", 0);
		mkdirat(vol, "flip", 0777);
		unlinkat(vol, "flip", AT_REMOVEDIR);
	}
	return arg;
}

static void races(void)
{
	static const char *const paths[] = {"a/b/../../secret", "a/b/../../../secret",
		"b/../secret", "dir/secret", "dir/../secret", "flip/secret", "flip/../secret",
		"moved/../secret", "moved/deep/../../secret", "a/b/c/../../../../secret"};
	time_t end = time(NULL) + 3;
	pthread_t threads[2];

	mkdirat(vol, "a", 0777);
	mkdirat(vol, "a/b", 0777);
	mkdirat(vol, "a/b/c", 0777);
	mkdirat(vol, "dir", 0777);
	(void)!symlinkat("..", vol, "up");
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, rename_around, NULL);
	int inside = openat(vol, "moved/deep", O_RDONLY | O_DIRECTORY),
	    deep = openat(vol, "a/b/c", O_RDONLY | O_DIRECTORY);

	while (time(NULL) < end) {
		for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			int fd = openat(vol, paths[i], O_RDONLY);

			look(fd, paths[i]);
			fd = openat(vol, paths[i], O_WRONLY | O_TRUNC);
			if (fd >= 0) {
				(void)!write(fd, "spoilt", 6);
				close(fd);
			}
			look(openat(inside, "../../secret", O_RDONLY), "a directory that moved");
			look(openat(deep, "../../../secret", O_RDONLY), "a directory that moves");
			look(openat(inside, "../../../secret", O_RDONLY), "a directory that moved");
		}
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* ---- arguments that change ---- */

static char shared_path[4096];
static struct iovec shared_iov[8];
static struct msghdr shared_message;
static union {
	char bytes[CMSG_SPACE(64 * sizeof(int))];
	struct cmsghdr header;
} shared_control;
static struct sockaddr_un shared_address;
static char *shared_argv[4];

static void *change(void *arg)
{
	static char target[4096];
	unsigned seed = 1;

	while (!stop) {
		unsigned random = (unsigned)rand_r(&seed);

		memcpy(shared_path, random % 2 ? secret : "/vol/harmless\0\0\0\0\0\0",
			random % 2 ? strlen(secret) + 1 : 14);
		memcpy(shared_path + random % 16, "/../", 4);
		shared_iov[random % 8].iov_len = random % 3 ? random % 64 : ~0ul >> random % 60;
		shared_iov[random % 8].iov_base =
			random % 5 ? target + random % 2048
				   : (void *)(0x7ffb00000000ull + random * 4096ull);
		shared_message.msg_iovlen = random % 7 ? random % 8 : ~0ul >> random % 60;
		shared_message.msg_controllen =
			random % 7 ? random % sizeof(shared_control) : ~0ul >> random % 60;
		shared_message.msg_namelen = random % 200;
		shared_control.header.cmsg_len = random % 3 ? random % 300 : ~0ul >> random % 60;
		shared_control.header.cmsg_type = random % 4;
		memset(shared_address.sun_path, random % 3 ? 'x' : 0, random % 108);
		shared_argv[random % 3] = random % 2 ? target : (char *)(uintptr_t)random;
	}
	return arg;
}

static void words(void)
{
	time_t end = time(NULL) + 4;
	pthread_t threads[2];
	int ends[2];

	close(openat(vol, "harmless", O_CREAT | O_RDWR, 0666));
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends);
	shared_message = (struct msghdr){
		.msg_iov = shared_iov, .msg_control = &shared_control, .msg_name = &shared_address};
	shared_control.header.cmsg_level = SOL_SOCKET;
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, change, NULL);
	for (long i = 0; time(NULL) < end; i++) {
		int fd = open(shared_path, O_RDONLY | O_NONBLOCK);

		look(fd, "a path that changes");
		(void)!rename(shared_path, "/vol/taken");
		(void)!symlink(shared_path, "/vol/link");
		unlink("/vol/link");
		fd = openat(vol, "harmless", O_RDWR);
		(void)!writev(fd, shared_iov, 8);
		(void)!preadv(fd, shared_iov, 8, 0);
		close(fd);
		(void)!sendmsg(ends[0], &shared_message, MSG_DONTWAIT);
		(void)!recvmsg(ends[1], &shared_message, MSG_DONTWAIT);
		(void)!bind(
			socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&shared_address, 110);
		if (i % 64 == 0) {
			pid_t pid = vfork();

			if (pid == 0) {
				execve(shared_path, shared_argv, NULL);
				_exit(0);
			}
			waitpid(pid, NULL, 0);
			for (int open_fd = 10; open_fd < 1000; open_fd++)
				close(open_fd);
		}
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	setvbuf(stdout, NULL, _IONBF, 0);
	secret = argv[2];
	vol = open("/vol", O_RDONLY | O_DIRECTORY);
	if (vol < 0)
		return 3;
	if (strcmp(argv[1], "names") == 0)
		names(argc, argv);
	else if (strcmp(argv[1], "races") == 0)
		races();
	else if (strcmp(argv[1], "words") == 0)
		words();
	puts("over");
	return 0;
}
