/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random operations on mounts and namespaces by several processes at once: mount_storm SEED
 * SECONDS. Nothing that they ask may hurt the kernel; at the end it still answers.
 */
#include "armed.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned state;

static unsigned pick(unsigned below)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % below;
}

#define PLACES 8

static char names[2][64];

/* A place of ours, or one in a mount that may be there. */
static const char *place(int slot)
{
	static const char *const inner[] = {"", "", "", "/a", "/b", "/a/a", "/..", "/a/b"};

	snprintf(names[slot], sizeof(names[slot]), "/tmp/p%u%s", pick(PLACES), inner[pick(8)]);
	return names[slot];
}

static void make_places(void)
{
	char path[80];

	for (unsigned i = 0; i < PLACES; i++) {
		snprintf(path, sizeof(path), "/tmp/p%u", i);
		mkdir(path, 0777);
		for (const char *const *sub =
				(const char *const[]){"/a", "/b", "/a/a", "/a/b", NULL};
			*sub; sub++) {
			snprintf(path, sizeof(path), "/tmp/p%u%s", i, *sub);
			mkdir(path, 0777);
		}
	}
}

static int fds[8] = {-1, -1, -1, -1, -1, -1, -1, -1};

static int *slot(void)
{
	return &fds[pick(8)];
}

static void keep(int fd)
{
	int *at = slot();

	if (fd < 0)
		return;
	if (*at >= 0)
		close(*at);
	*at = fd;
}

static void mounts(void)
{
	static const char *const types[] = {"tmpfs", "tmpfs", "tmpfs", "proc", "sysfs", "devpts",
		"cgroup2", "devtmpfs", "ramfs"};
	static const unsigned long kinds[] = {MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE};
	char options[256];

	switch (pick(12)) {
	case 0:
	case 1:
		mount("none", place(0), types[pick(9)], pick(4) ? 0 : MS_RDONLY | MS_NOSUID, NULL);
		break;
	case 2:
	case 3:
		mount(place(0), place(1), NULL, MS_BIND | (pick(2) ? MS_REC : 0), NULL);
		break;
	case 4:
		mount(place(0), place(1), NULL, MS_MOVE, NULL);
		break;
	case 5:
	case 6:
		mount(NULL, place(0), NULL, kinds[pick(4)] | (pick(2) ? MS_REC : 0), NULL);
		break;
	case 7:
		mount(NULL, place(0), NULL,
			MS_REMOUNT | (pick(2) ? MS_BIND : 0) | (pick(2) ? MS_RDONLY : 0), NULL);
		break;
	case 8:
		snprintf(options, sizeof(options),
			"lowerdir=%s:/usr,upperdir=/tmp/p%u/a,workdir=/tmp/p%u/b", place(0),
			pick(PLACES), pick(PLACES));
		mount("none", place(1), "overlay", 0, options);
		break;
	case 9:
		umount2(place(0), MNT_EXPIRE);
		break;
	default:
		umount2(place(0), pick(2) ? MNT_DETACH : 0);
		break;
	}
}

static void files(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%c", place(0), "abxy"[pick(4)]);
	switch (pick(7)) {
	case 0:
		keep(open(path, O_CREAT | O_RDWR, 0666));
		break;
	case 1:
		mkdir(path, 0777);
		break;
	case 2:
		rmdir(path);
		break;
	case 3:
		unlink(path);
		break;
	case 4:
		rename(path, place(1));
		break;
	case 5:
		keep(open(path, O_PATH));
		break;
	default:
		(void)!chdir(place(1));
		break;
	}
}

static void newer(void)
{
	unsigned long attr[4] = {
		pick(2) ? 1 : 0, pick(2) ? 8 : 0, pick(3) ? 0 : 1ul << (17 + pick(4)), 0};

	switch (pick(5)) {
	case 0:
		keep((int)syscall(SYS_open_tree, AT_FDCWD, place(0), 1 | (pick(2) ? 0x8000 : 0)));
		break;
	case 1:
		syscall(SYS_move_mount, *slot(), "", AT_FDCWD, place(0), 4);
		break;
	case 2:
		syscall(SYS_mount_setattr, AT_FDCWD, place(0), pick(2) ? 0x8000 : 0, attr,
			sizeof(attr));
		break;
	case 3:
		keep((int)syscall(SYS_fsopen, "tmpfs", 0));
		syscall(SYS_fsconfig, *slot(), 6, NULL, NULL, 0);
		break;
	default:
		keep((int)syscall(SYS_fsmount, *slot(), 0, 0));
		break;
	}
}

static void namespaces(void)
{
	static const int flags[] = {CLONE_NEWNS, CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID,
		CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWCGROUP};
	static const char *const kinds[] = {"mnt", "user", "pid", "uts", "ipc", "net"};
	char path[64];

	switch (pick(6)) {
	case 0:
		if (!pick(4))
			unshare(flags[pick(8)]);
		break;
	case 1:
		snprintf(path, sizeof(path), "/proc/%u/ns/%s", 2 + pick(12), kinds[pick(6)]);
		keep(open(path, O_RDONLY));
		if (!pick(3))
			mount(path, place(0), NULL, MS_BIND, NULL);
		break;
	case 2:
		setns(*slot(), 0);
		break;
	case 3:
		if (!pick(6))
			syscall(SYS_pivot_root, place(0), place(1));
		break;
	case 4:
		if (!pick(20))
			(void)!chroot(place(0));
		break;
	default:
		close(open("/proc/self/mountinfo", O_RDONLY));
		break;
	}
}

static void storm(time_t end)
{
	while (time(NULL) < end) {
		switch (pick(8)) {
		case 0:
			files();
			break;
		case 1:
			newer();
			break;
		case 2:
			namespaces();
			break;
		default:
			mounts();
			break;
		}
		if (!pick(400)) {
			pid_t pid = fork();

			if (pid == 0) {
				alarm(2);
				continue;
			}
			if (pid > 0 && pick(2))
				kill(pid, SIGKILL);
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
		}
	}
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 2);

	state = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	make_places();
	for (int i = 0; i < 4; i++) {
		state += (unsigned)i * 7919;
		if (fork() == 0) {
			storm(end);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	puts("alive");
	return 0;
}
