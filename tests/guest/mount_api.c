/* SPDX-License-Identifier: Apache-2.0 */
/* fsopen(2), fsconfig(2), fsmount(2), fspick(2), open_tree(2), move_mount(2), mount_setattr(2). */
#include "ns.h"

#define fsopen_(...)	    syscall(SYS_fsopen, ##__VA_ARGS__)
#define fsconfig_(...)	    syscall(SYS_fsconfig, ##__VA_ARGS__)
#define fsmount_(...)	    syscall(SYS_fsmount, ##__VA_ARGS__)
#define fspick_(...)	    syscall(SYS_fspick, ##__VA_ARGS__)
#define open_tree_(...)	    syscall(SYS_open_tree, ##__VA_ARGS__)
#define move_mount_(...)    syscall(SYS_move_mount, ##__VA_ARGS__)
#define mount_setattr_(...) syscall(SYS_mount_setattr, ##__VA_ARGS__)

enum { SET_FLAG, SET_STRING, SET_BINARY, SET_PATH, SET_PATH_EMPTY, SET_FD, CREATE, RECONFIGURE };

struct attr {
	uint64_t set, clear, propagation, userns;
};

#define F_EMPTY	   4
#define RDONLY	   1
#define NOSUID	   2
#define NOEXEC	   8
#define CLONE_TREE 1
#define RECURSIVE  0x8000
#define EMPTY	   0x1000

CASE(make_and_mount)
{
	int fs, mnt;
	struct stat stat;

	own_mounts();
	mkdir("m", 0755);
	fs = OK(fsopen_("tmpfs", 1));
	CALL(fcntl(fs, F_GETFD));
	CALL(fsconfig_(fs, SET_STRING, "size", "1m", 0));
	CALL(fsconfig_(fs, SET_STRING, "mode", "0710", 0));
	CALL(fsconfig_(fs, SET_STRING, "source", "made", 0));
	CALL(fsconfig_(fs, SET_STRING, "source", "again", 0));
	CALL(fsconfig_(fs, SET_STRING, "nonsense", "1", 0));
	CALL(fsconfig_(fs, SET_FLAG, "nonsense", NULL, 0));
	CALL(fsmount_(fs, 0, 0));
	CALL(fsconfig_(fs, CREATE, NULL, NULL, 0));
	CALL(fsconfig_(fs, SET_STRING, "size", "2m", 0));
	CALL(fsconfig_(fs, CREATE, NULL, NULL, 0));
	mnt = OK(fsmount_(fs, 1, NOSUID | NOEXEC));
	CALL(fsmount_(fs, 1, 0));
	CALL(faccessat(mnt, "x", F_OK, 0));
	CALL(mkdirat(mnt, "early", 0700));
	note_mounts();
	CALL(move_mount_(mnt, "", AT_FDCWD, "m", F_EMPTY));
	note_mounts();
	lstat("m", &stat);
	NOTE("%o", stat.st_mode);
	CALL(access("m/early", F_OK));
	CALL(move_mount_(mnt, "", AT_FDCWD, "m", F_EMPTY));
}

CASE(errors)
{
	int fs, file;

	own_mounts();
	file = open("f", O_CREAT | O_RDWR, 0600);
	CALL(fsopen_("nosuchfs", 0));
	CALL(fsopen_("tmpfs", 0x10));
	CALL(fsopen_(BAD_ADDRESS, 0));
	CALL(fsconfig_(-1, CREATE, NULL, NULL, 0));
	CALL(fsconfig_(file, CREATE, NULL, NULL, 0));
	fs = OK(fsopen_("tmpfs", 0));
	CALL(fsconfig_(fs, 99, NULL, NULL, 0));
	CALL(fsconfig_(fs, CREATE, "key", NULL, 0));
	CALL(fsconfig_(fs, SET_FLAG, NULL, NULL, 0));
	CALL(fsconfig_(fs, SET_FLAG, "ro", "value", 0));
	CALL(fsconfig_(fs, SET_STRING, "size", NULL, 0));
	CALL(fsconfig_(fs, SET_STRING, "size", "1m", 5));
	CALL(fsconfig_(fs, RECONFIGURE, NULL, NULL, 0));
	CALL(fsmount_(fs, 0x100, 0));
	CALL(fsmount_(fs, 0, 0x30));
	CALL(fsmount_(file, 0, 0));
	CALL(fsmount_(999, 0, 0));
	CALL(move_mount_(file, "", AT_FDCWD, ".", F_EMPTY));
	CALL(move_mount_(AT_FDCWD, "missing", AT_FDCWD, ".", 0));
	CALL(move_mount_(AT_FDCWD, ".", AT_FDCWD, ".", 0x1000));
	CALL(open_tree_(AT_FDCWD, ".", 0x40));
	CALL(open_tree_(AT_FDCWD, ".", RECURSIVE));
	CALL(open_tree_(AT_FDCWD, "missing", CLONE_TREE));
}

CASE(without_rights)
{
	own_mounts();
	mkdir("m", 0777);
	become(1234);
	CALL(fsopen_("tmpfs", 0));
	CALL(fsopen_("nosuchfs", 0));
	CALL(fspick_(AT_FDCWD, ".", 0));
	CALL(fsmount_(0, 0, 0));
	CALL(open_tree_(AT_FDCWD, ".", CLONE_TREE));
	OK(open_tree_(AT_FDCWD, ".", 0));
	CALL(move_mount_(AT_FDCWD, "m", AT_FDCWD, ".", 0));
	CALL(mount_setattr_(AT_FDCWD, "m", 0, &(struct attr){.set = RDONLY}, sizeof(struct attr)));
}

CASE(clone_tree)
{
	int tree;

	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	mkdir("a/in", 0755);
	CALL(mount("u", "a/in", "tmpfs", 0, NULL));
	tree = OK(open_tree_(AT_FDCWD, "a", CLONE_TREE | O_CLOEXEC));
	CALL(move_mount_(tree, "", AT_FDCWD, "b", F_EMPTY));
	note_mounts();
	close(tree);
	note_mounts();
	CALL(umount("b"));
	tree = OK(open_tree_(AT_FDCWD, "a", CLONE_TREE | RECURSIVE));
	CALL(faccessat(tree, "in", F_OK, 0));
	write_file("a/in/x", "x");
	CALL(faccessat(tree, "in/x", F_OK, 0));
	CALL(umount("a/in"));
	CALL(faccessat(tree, "in/x", F_OK, 0));
	CALL(move_mount_(tree, "in", AT_FDCWD, "b", 0));
	CALL(move_mount_(tree, "", AT_FDCWD, "b", F_EMPTY));
	note_mounts();
}

CASE(dropped_tree)
{
	int tree, dir;

	own_mounts();
	mkdir("a", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	write_file("a/x", "x");
	tree = OK(open_tree_(AT_FDCWD, "a", CLONE_TREE));
	dir = OK(openat(tree, ".", O_RDONLY | O_DIRECTORY));
	close(tree);
	CALL(faccessat(dir, "x", F_OK, 0));
	CALL(move_mount_(dir, "", AT_FDCWD, "a", F_EMPTY));
	close(dir);
	CALL(umount("a"));
}

CASE(open_tree_plain)
{
	int fd;

	mkdir("d", 0755);
	fd = OK(open_tree_(AT_FDCWD, "d", 0));
	CALL(fcntl(fd, F_GETFL) & O_PATH ? 1 : 0);
	CALL(fchdir(fd));
}

CASE(setattr)
{
	struct attr attr = {.set = RDONLY | NOEXEC};

	own_mounts();
	mkdir("a", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	mkdir("a/in", 0755);
	mkdir("plain", 0755);
	CALL(mount("u", "a/in", "tmpfs", 0, NULL));
	CALL(mount_setattr_(AT_FDCWD, "a", 0, &attr, sizeof(attr)));
	note_mounts();
	CALL(mount_setattr_(AT_FDCWD, "a", RECURSIVE, &attr, sizeof(attr)));
	note_mounts();
	attr = (struct attr){.clear = RDONLY};
	CALL(mount_setattr_(AT_FDCWD, "a", RECURSIVE, &attr, sizeof(attr)));
	attr = (struct attr){.propagation = MS_SHARED};
	CALL(mount_setattr_(AT_FDCWD, "a/in", 0, &attr, sizeof(attr)));
	note_mounts();
	attr = (struct attr){.clear = 0x70, .set = 0x10};
	CALL(mount_setattr_(AT_FDCWD, "a", 0, &attr, sizeof(attr)));
	note_mounts();
	attr = (struct attr){.set = 0x10};
	CALL(mount_setattr_(AT_FDCWD, "a", 0, &attr, sizeof(attr)));
	attr = (struct attr){.clear = 0x10};
	CALL(mount_setattr_(AT_FDCWD, "a", 0, &attr, sizeof(attr)));
	attr = (struct attr){.propagation = MS_SHARED | MS_SLAVE};
	CALL(mount_setattr_(AT_FDCWD, "a", 0, &attr, sizeof(attr)));
	attr = (struct attr){.set = 0x80000000};
	CALL(mount_setattr_(AT_FDCWD, "a", 0, &attr, sizeof(attr)));
	attr = (struct attr){.set = RDONLY};
	CALL(mount_setattr_(AT_FDCWD, "plain", 0, &attr, sizeof(attr)));
	CALL(mount_setattr_(AT_FDCWD, "missing", 0, &attr, sizeof(attr)));
	CALL(mount_setattr_(AT_FDCWD, "a", 0, &attr, 8));
	CALL(mount_setattr_(AT_FDCWD, "a", 0, &attr, 5000));
	CALL(mount_setattr_(AT_FDCWD, "a", 0x1, &attr, sizeof(attr)));
	CALL(mount_setattr_(AT_FDCWD, "a", 0, BAD_ADDRESS, sizeof(attr)));
	CALL(mount_setattr_(AT_FDCWD, "missing", 0, &(struct attr){0}, sizeof(attr)));
}

CASE(setattr_busy)
{
	struct attr attr = {.set = RDONLY};
	int fd;

	own_mounts();
	mkdir("a", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	fd = OK(open("a/x", O_CREAT | O_WRONLY, 0600));
	CALL(mount_setattr_(AT_FDCWD, "a", 0, &attr, sizeof(attr)));
	close(fd);
	CALL(mount_setattr_(AT_FDCWD, "a", 0, &attr, sizeof(attr)));
}

CASE(setattr_of_a_tree)
{
	struct attr attr = {.set = RDONLY};
	int tree;

	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	tree = OK(open_tree_(AT_FDCWD, "a", CLONE_TREE));
	CALL(mount_setattr_(tree, "", EMPTY, &attr, sizeof(attr)));
	CALL(move_mount_(tree, "", AT_FDCWD, "b", F_EMPTY));
	note_mounts();
}

CASE(pick)
{
	int fs;

	own_mounts();
	mkdir("a", 0755);
	mkdir("plain", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	fs = OK(fspick_(AT_FDCWD, "a", 1));
	CALL(fsconfig_(fs, CREATE, NULL, NULL, 0));
	CALL(fsconfig_(fs, SET_FLAG, "ro", NULL, 0));
	CALL(fsconfig_(fs, RECONFIGURE, NULL, NULL, 0));
	CALL(open("a/x", O_CREAT | O_WRONLY, 0600));
	CALL(fspick_(AT_FDCWD, "plain", 0));
	CALL(fspick_(AT_FDCWD, "missing", 0));
	CALL(fspick_(AT_FDCWD, "a", 0x100));
}

CASE(move_between)
{
	int dir;

	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	mkdir("plain", 0755);
	CALL(mount("t", "a", "tmpfs", 0, NULL));
	CALL(move_mount_(AT_FDCWD, "plain", AT_FDCWD, "b", 0));
	CALL(move_mount_(AT_FDCWD, "a", AT_FDCWD, "b", 0));
	note_mounts();
	dir = OK(open("b", O_PATH | O_DIRECTORY));
	CALL(move_mount_(dir, "", AT_FDCWD, "plain", F_EMPTY));
	note_mounts();
}

CASE(fspick_wrong_arguments)
{
	own_mounts();
	CALL(fspick_(AT_FDCWD, "missing", 0));
	CALL(fspick_(AT_FDCWD, BAD_ADDRESS, 0));
	CALL(fspick_(99, "a", 0));
	CALL(fspick_(AT_FDCWD, ".", 0x1000));
}
