/* SPDX-License-Identifier: Apache-2.0 */
/* mount(2), umount2(2), pivot_root(2), mount namespaces. */
#include "ns.h"

CASE(tmpfs)
{
	struct statfs stat;

	own_mounts();
	mkdir("m", 0755);
	write_file("m/below", "x");
	CALL(mount("none", "m", "tmpfs", 0, NULL));
	CALL(access("m/below", F_OK));
	write_file("m/above", "y");
	note_file("m/above");
	CALL(statfs("m", &stat));
	TRUTH(stat.f_type == 0x01021994);
	note_mounts();
	CALL(umount("m"));
	note_file("m/below");
	CALL(umount("m"));
}

CASE(tmpfs_options)
{
	struct statfs fs;
	struct stat stat;

	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", 0, "size=64k,mode=0751,uid=12,gid=34"));
	lstat("m", &stat);
	NOTE("%o %u %u", stat.st_mode, stat.st_uid, stat.st_gid);
	statfs("m", &fs);
	NOTE("%lld blocks", (long long)fs.f_blocks);
	CALL(mount("t", "m", "tmpfs", MS_REMOUNT, "size=128k"));
	statfs("m", &fs);
	NOTE("%lld blocks", (long long)fs.f_blocks);
	CALL(mount("t", "m", "tmpfs", 0, "size=nonsense"));
	CALL(mount("t", "m", "tmpfs", 0, "unknown=1"));
	CALL(mount("t", "m", "tmpfs", 0, "mode=9"));
	CALL(mount("t", "m", "tmpfs", 0, "size=50%"));
}

CASE(errors)
{
	own_mounts();
	mkdir("m", 0755);
	write_file("f", "x");
	CALL(mount("none", "missing", "tmpfs", 0, NULL));
	CALL(mount("none", "f", "tmpfs", 0, NULL));
	CALL(mount("none", "f/x", "tmpfs", 0, NULL));
	CALL(mount("none", "m", "nosuchfs", 0, NULL));
	CALL(mount("none", "m", NULL, 0, NULL));
	CALL(mount(NULL, "m", "tmpfs", 0, NULL));
	CALL(umount("m"));
	CALL(mount("none", "m", BAD_ADDRESS, 0, NULL));
	CALL(mount(BAD_ADDRESS, "m", "tmpfs", 0, NULL));
	CALL(mount("none", BAD_ADDRESS, "tmpfs", 0, NULL));
	CALL(mount("none", "m", "tmpfs", 0, BAD_ADDRESS));
	CALL(umount("missing"));
	CALL(umount("f"));
	CALL(umount2("m", 0x100));
	CALL(umount(BAD_ADDRESS));
}

CASE(without_privilege)
{
	own_mounts();
	mkdir("m", 0777);
	CALL(mount("none", "m", "tmpfs", 0, NULL));
	become(1234);
	CALL(mount("none", "m", "tmpfs", 0, NULL));
	CALL(mount("none", "missing", "tmpfs", 0, NULL));
	CALL(umount("m"));
	CALL(umount("missing"));
	CALL(syscall(SYS_pivot_root, "m", "m"));
	CALL(syscall(SYS_pivot_root, "missing", "m"));
	CALL(unshare(CLONE_NEWNS));
}

CASE(bind)
{
	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	write_file("a/x", "in a");
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	note_file("b/x");
	write_file("b/y", "through b");
	note_file("a/y");
	note_mounts();
	CALL(mount("a/x", "b", NULL, MS_BIND, NULL));
	CALL(mount("a", "b/x", NULL, MS_BIND, NULL));
	CALL(mount("missing", "b", NULL, MS_BIND, NULL));
	CALL(mount("", "b", NULL, MS_BIND, NULL));
	CALL(mount(NULL, "b", NULL, MS_BIND, NULL));
	CALL(umount("b"));
	CALL(access("b/x", F_OK));
}

CASE(bind_file)
{
	struct stat a, b;

	own_mounts();
	write_file("a", "first");
	write_file("b", "second");
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	note_file("b");
	stat("a", &a);
	stat("b", &b);
	TRUTH(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CALL(rename("b", "c"));
	CALL(unlink("b"));
	CALL(rename("a", "b"));
	CALL(link("b", "c"));
	CALL(unlink("a"));
	note_file("b");
	CALL(umount("b"));
	note_file("b");
}

CASE(rbind)
{
	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	mkdir("a/in", 0755);
	mkdir("a/other", 0755);
	CALL(mount("u", "a/in", "tmpfs", MS_RDONLY, NULL));
	CALL(mount("v", "a/other", "tmpfs", MS_NOSUID | MS_NOEXEC, NULL));
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	note_mounts();
	CALL(umount("b"));
	CALL(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	note_mounts();
	CALL(umount("b"));
	CALL(umount2("b", MNT_DETACH));
	note_mounts();
}

CASE(bind_into_itself)
{
	own_mounts();
	mkdir("a", 0755);
	mkdir("a/b", 0755);
	CALL(mount("a", "a/b", NULL, MS_BIND, NULL));
	CALL(access("a/b/b", F_OK));
	CALL(access("a/b/b/b", F_OK));
	CALL(mount("a", "a", NULL, MS_BIND, NULL));
	note_mounts();
	CALL(umount("a"));
	note_mounts();
}

CASE(bind_subdirectory)
{
	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	mkdir("a/sub", 0755);
	mkdir("a/sub/m", 0755);
	mkdir("a/n", 0755);
	CALL(mount("u", "a/sub/m", "tmpfs", 0, NULL));
	CALL(mount("w", "a/n", "tmpfs", 0, NULL));
	CALL(mount("a/sub", "b", NULL, MS_BIND | MS_REC, NULL));
	note_mounts();
	CALL(chdir("b/.."));
	CALL(access("b", F_OK));
}

CASE(remount_bind)
{
	int fd;

	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	CALL(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL));
	note_mounts();
	CALL(open("b/x", O_CREAT | O_WRONLY, 0600));
	fd = OK(open("a/x", O_CREAT | O_WRONLY, 0600));
	CALL(mkdir("b/d", 0700));
	CALL(chmod("b/x", 0700));
	CALL(access("b/x", W_OK));
	CALL(access("a/x", W_OK));
	CALL(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CALL(close(fd));
	CALL(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOATIME, NULL));
	note_mounts();
	mkdir("plain", 0700);
	CALL(mount(NULL, "plain", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CALL(mount(NULL, "plain", NULL, MS_REMOUNT | MS_RDONLY, NULL));
}

CASE(remount_keeps_atime)
{
	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", MS_NOATIME | MS_NODIRATIME, NULL));
	note_mounts();
	CALL(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL));
	note_mounts();
	CALL(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RELATIME, NULL));
	note_mounts();
	CALL(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_STRICTATIME, NULL));
	note_mounts();
}

CASE(remount_super)
{
	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	CALL(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CALL(open("b/x", O_CREAT | O_WRONLY, 0600));
	CALL(mount(NULL, "b", NULL, MS_REMOUNT, NULL));
	OK(open("b/x", O_CREAT | O_WRONLY, 0600));
	CALL(mount(NULL, "a", NULL, MS_REMOUNT, "nonsense"));
}

CASE(noexec_nosymfollow)
{
	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", MS_NOEXEC | MS_NOSYMFOLLOW, NULL));
	write_file("m/script", "#!/bin/sh\nexit 3\n");
	chmod("m/script", 0755);
	CALL(access("m/script", X_OK));
	CALL(execl("m/script", "script", NULL));
	CALL(symlink("script", "m/link"));
	CALL(open("m/link", O_RDONLY));
	CALL(access("m/script", R_OK));
	note_mounts();
}

CASE(nodev)
{
	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	CALL(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)));
	OK(open("m/null", O_RDWR));
	CALL(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_NODEV, NULL));
	CALL(open("m/null", O_RDWR));
}

CASE(umount_busy)
{
	int fd;

	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	fd = OK(open("m/x", O_CREAT | O_RDWR, 0600));
	CALL(umount("m"));
	CALL(umount2("m", MNT_DETACH));
	CALL(access("m/x", F_OK));
	CALL(write(fd, "still", 5));
	close(fd);
	CALL(umount("m"));
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	CALL(chdir("m"));
	CALL(umount("../m"));
	CALL(chdir(".."));
	CALL(umount("m"));
}

CASE(umount_with_children)
{
	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	mkdir("m/n", 0755);
	CALL(mount("u", "m/n", "tmpfs", 0, NULL));
	CALL(umount("m"));
	CALL(umount("m/n"));
	CALL(umount("m"));
	CALL(umount("m"));
}

CASE(umount_expire)
{
	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	CALL(umount2("m", MNT_EXPIRE | MNT_DETACH));
	CALL(umount2("m", MNT_EXPIRE | MNT_FORCE));
	CALL(umount2("m", MNT_EXPIRE));
	CALL(umount2("m", MNT_EXPIRE));
	CALL(umount2("m", MNT_EXPIRE));
}

CASE(umount_nofollow)
{
	own_mounts();
	mkdir("m", 0755);
	symlink("m", "link");
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	CALL(umount2("link", UMOUNT_NOFOLLOW));
	CALL(umount2("link", 0));
}

CASE(detached_directory)
{
	char name[PATH_MAX];

	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	mkdir("m/d", 0755);
	CALL(chdir("m/d"));
	CALL(umount2("../../m", MNT_DETACH));
	CALL(access("../d", F_OK));
	CALL(access("../../m", F_OK));
	CALL(syscall(SYS_getcwd, name, sizeof(name)) > 0 ? 0 : -1);
	NOTE("%.20s", name);
	CALL(mkdir("e", 0700));
	CALL(mount("t", "e", "tmpfs", 0, NULL));
}

CASE(over_mount)
{
	own_mounts();
	mkdir("m", 0755);
	CALL(mount("a", "m", "tmpfs", 0, NULL));
	write_file("m/a", "a");
	CALL(mount("b", "m", "tmpfs", 0, NULL));
	CALL(access("m/a", F_OK));
	note_mounts();
	CALL(umount("m"));
	CALL(access("m/a", F_OK));
	CALL(umount("m"));
	CALL(umount("m"));
}

CASE(move)
{
	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	write_file("f", "");
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	write_file("a/x", "moved");
	mkdir("a/sub", 0755);
	CALL(mount("a", "f", NULL, MS_MOVE, NULL));
	CALL(mount("a", "a/sub", NULL, MS_MOVE, NULL));
	CALL(mount("b", "a", NULL, MS_MOVE, NULL));
	CALL(mount("a/sub", "b", NULL, MS_MOVE, NULL));
	CALL(mount(NULL, "b", NULL, MS_MOVE, NULL));
	CALL(mount("missing", "b", NULL, MS_MOVE, NULL));
	CALL(mount("a", "b", NULL, MS_MOVE, NULL));
	note_file("b/x");
	note_mounts();
}

CASE(mountpoints_are_busy)
{
	own_mounts();
	mkdir("m", 0755);
	mkdir("n", 0755);
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	CALL(rmdir("m"));
	CALL(rename("m", "k"));
	CALL(rename("n", "m"));
	CALL(umount("m"));
	CALL(rmdir("m"));
}

static void wait_and_look(void)
{
	own_mounts();
	CALL(mount("inner", "m", "tmpfs", 0, NULL));
	write_file("m/x", "x");
}

/* A mount in another namespace does not keep a name. */
CASE(mountpoint_elsewhere)
{
	int go[2], done[2];
	pid_t pid;
	char c;

	own_mounts();
	mkdir("m", 0755);
	pipe(go);
	pipe(done);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		wait_and_look();
		fflush(NULL);
		write(done[1], "", 1);
		read(go[0], &c, 1);
		CALL(access("m", F_OK));
		note_mounts();
		fflush(NULL);
		_exit(0);
	}
	read(done[0], &c, 1);
	CALL(access("m/x", F_OK));
	CALL(rmdir("m"));
	write(go[1], "", 1);
	note_wait("other", pid);
}

CASE(same_file_system_twice)
{
	own_mounts();
	mkdir("p", 0755);
	CALL(mount("proc", "p", "proc", 0, NULL));
	CALL(access("p/self/status", R_OK));
	CALL(mount("p", "p", NULL, MS_BIND, NULL));
	CALL(umount("p"));
	CALL(mount("sys", "p", "sysfs", MS_RDONLY, NULL));
	note_mounts();
	CALL(umount("p"));
	CALL(umount("p"));
}

CASE(procfs_flags)
{
	own_mounts();
	mkdir("p", 0755);
	CALL(mount("proc", "p", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	note_mounts();
	CALL(mount("proc", "p", "proc", 0, "nonsense"));
	CALL(umount("p"));
}

CASE(namespace_is_a_copy)
{
	pid_t pid;

	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		CALL(unshare(CLONE_NEWNS));
		CALL(umount("m"));
		CALL(mount("child", "m", "tmpfs", MS_NOEXEC, NULL));
		note_mounts();
		fflush(NULL);
		_exit(0);
	}
	note_wait("child", pid);
	note_mounts();
}

CASE(cwd_follows_into_namespace)
{
	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	CALL(chdir("m"));
	CALL(unshare(CLONE_NEWNS));
	write_file("x", "seen");
	CALL(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CALL(unlink("x"));
	CALL(chdir(".."));
	CALL(umount("m"));
}

/* ---- pivot_root ---- */

static void new_root(const char *name)
{
	mkdir(name, 0755);
	mount("newroot", name, "tmpfs", 0, NULL);
}

CASE(pivot)
{
	own_mounts();
	new_root("r");
	mkdir("r/old", 0755);
	write_file("r/mark", "new root");
	CALL(chdir("r"));
	CALL(syscall(SYS_pivot_root, ".", "old"));
	note_file("/mark");
	CALL(access("/old/usr", F_OK));
	CALL(umount("/old"));
	CALL(umount2("/old", MNT_DETACH));
	CALL(access("/old/usr", F_OK));
	CALL(access("/usr", F_OK));
	CALL(access("/..", F_OK));
	note_file("/../../mark");
}

CASE(pivot_dot_dot)
{
	own_mounts();
	new_root("r");
	write_file("r/mark", "new root");
	CALL(chdir("r"));
	CALL(syscall(SYS_pivot_root, ".", "."));
	CALL(umount2(".", MNT_DETACH));
	CALL(chdir("/"));
	note_file("/mark");
	CALL(access("/usr", F_OK));
}

CASE(pivot_errors)
{
	own_mounts();
	new_root("base");
	CALL(chdir("base"));
	new_root("r");
	mkdir("r/old", 0755);
	mkdir("plain", 0755);
	mkdir("plain/old", 0755);
	mkdir("outside", 0755);
	write_file("file", "");
	CALL(syscall(SYS_pivot_root, "missing", "r/old"));
	CALL(syscall(SYS_pivot_root, "r", "missing"));
	CALL(syscall(SYS_pivot_root, "file", "r/old"));
	CALL(syscall(SYS_pivot_root, "plain", "plain/old"));
	CALL(syscall(SYS_pivot_root, "r", "outside"));
	CALL(syscall(SYS_pivot_root, "/", "/"));
	CALL(syscall(SYS_pivot_root, "r/old", "r/old"));
	CALL(mount(NULL, "r", NULL, MS_SHARED, NULL));
	CALL(syscall(SYS_pivot_root, "r", "r/old"));
	CALL(mount(NULL, "r", NULL, MS_PRIVATE, NULL));
	CALL(mount(NULL, ".", NULL, MS_SHARED, NULL));
	CALL(syscall(SYS_pivot_root, "r", "r/old"));
}

CASE(pivot_in_chroot)
{
	own_mounts();
	new_root("r");
	mkdir("r/old", 0755);
	mkdir("c", 0755);
	mkdir("c/old", 0755);
	CALL(chroot("c"));
	CALL(chdir("/"));
	CALL(syscall(SYS_pivot_root, "/", "/old"));
}

CASE(chroot_and_mounts)
{
	own_mounts();
	mkdir("r", 0755);
	mkdir("r/m", 0755);
	CALL(mount("t", "r/m", "tmpfs", 0, NULL));
	mkdir("r/proc", 0755);
	CALL(mount("p", "r/proc", "proc", 0, NULL));
	CALL(chroot("r"));
	CALL(chdir("/"));
	note_mounts_below("/");
	CALL(umount("/m"));
	CALL(mount("x", "/m", "tmpfs", MS_RDONLY, NULL));
	note_mounts_below("/m");
}

CASE(devpts_and_devices)
{
	own_mounts();
	mkdir("pts", 0755);
	CALL(mount("devpts", "pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620"));
	CALL(access("pts/ptmx", R_OK | W_OK));
	CALL(umount("pts"));
}

CASE(atime_is_kept)
{
	struct stat before, after;

	own_mounts();
	mkdir("m", 0755);
	CALL(mount("t", "m", "tmpfs", MS_NOATIME, NULL));
	write_file("m/x", "text");
	stat("m/x", &before);
	sleep_ms(20);
	note_file("m/x");
	stat("m/x", &after);
	TRUTH(before.st_atim.tv_sec == after.st_atim.tv_sec &&
		before.st_atim.tv_nsec == after.st_atim.tv_nsec);
}

/* A file of a mount namespace is not copied into a new one: what comes after it still leads to the
 * copies of its own. */
CASE(cwd_beside_a_namespace_file)
{
	int inside[2], done[2];
	pid_t pid;
	char go;

	own_mounts();
	mkdir("base", 0755);
	mount("base", "base", "tmpfs", 0, NULL);
	chdir("base");
	write_file("ns", "");
	mkdir("first", 0755);
	mkdir("first/sub", 0755);
	mkdir("ro", 0755);
	mkdir("rw", 0755);
	if (pipe(inside) < 0 || pipe(done) < 0)
		exit(9);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		unshare(CLONE_NEWNS);
		write(inside[1], "x", 1);
		close(done[1]);
		read(done[0], &go, 1);
		_exit(0);
	}
	read(inside[0], &go, 1);
	{
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
		CALL(mount(path, "ns", NULL, MS_BIND, NULL));
	}
	CALL(mount("first/sub", "ro", NULL, MS_BIND, NULL));
	CALL(mount(NULL, "ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CALL(mount("rw", "rw", "tmpfs", 0, NULL));
	CALL(chdir("ro"));
	CALL(unshare(CLONE_NEWNS));
	CALL(open("file", O_CREAT | O_WRONLY, 0600));
	CALL(access("../first", F_OK));
	CALL(access("../rw", F_OK));
	close(done[1]);
	waitpid(pid, NULL, 0);
}

/* A walk that comes back to the directory in which it began, by another mount. */
CASE(bind_over_a_child)
{
	struct statx x, y;

	own_mounts();
	mkdir("d", 0755);
	CALL(mount(".", "d", NULL, MS_BIND, NULL));
	CALL(mount(NULL, "d", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CALL(mount(NULL, "d", NULL, MS_PRIVATE, NULL));
	statx(AT_FDCWD, ".", 0, STATX_BASIC_STATS | STATX_MNT_ID, &x);
	statx(AT_FDCWD, "d", 0, STATX_BASIC_STATS | STATX_MNT_ID, &y);
	TRUTH(x.stx_ino == y.stx_ino);
	TRUTH(x.stx_mnt_id == y.stx_mnt_id);
	TRUTH(y.stx_attributes & STATX_ATTR_MOUNT_ROOT);
	CALL(open("d/d/f", O_CREAT | O_WRONLY, 0600));
	CALL(open("d/f", O_CREAT | O_WRONLY, 0600));
	CALL(chmod("d", 0700));
	CALL(umount2("d", 0));
	CALL(umount2("d", 0));
}

/* The place "." has what was mounted on it, for umount2 alone. */
CASE(umount_of_the_working_directory)
{
	own_mounts();
	mkdir("d", 0755);
	CALL(chdir("d"));
	CALL(mount("none", ".", "tmpfs", 0, NULL));
	CALL(access("../d", F_OK));
	CALL(umount2(".", 0));
	CALL(umount2(".", 0));
}
