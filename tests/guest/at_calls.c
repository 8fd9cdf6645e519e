/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that take a directory's descriptor, by number: what it is relative to, and wrong ones.
 */
#include "case.h"

#include <sys/vfs.h>
#include <sys/statfs.h>

/* "d" with "f" in it, and a link "l" to "f"; returns d's descriptor. */
static int make_tree(void)
{
	mkdir("d", 0755);
	write_file("d/f", "hello");
	symlink("f", "d/l");
	return open("d", O_RDONLY | O_DIRECTORY);
}

CASE(faccessat_relative)
{
	int dir = make_tree();

	CALL(SYS(SYS_faccessat, dir, "f", R_OK));
	CALL(SYS(SYS_faccessat, dir, "l", F_OK));
	CALL(SYS(SYS_faccessat, dir, "missing", F_OK));
	CALL(SYS(SYS_faccessat, AT_FDCWD, "d/f", W_OK));
}

CASE(faccessat_errors)
{
	int dir = make_tree(), file = open("d/f", O_RDONLY);

	CALL(SYS(SYS_faccessat, dir, "f", 8));
	CALL(SYS(SYS_faccessat, 99, "f", F_OK));
	CALL(SYS(SYS_faccessat, file, "f", F_OK));
	CALL(SYS(SYS_faccessat, dir, "", F_OK));
	CALL(SYS(SYS_faccessat, dir, BAD_ADDRESS, F_OK));
	CALL(SYS(SYS_faccessat, 99, "/", F_OK));
}

CASE(faccessat_has_no_flags)
{
	int dir = make_tree();

	CALL(SYS(SYS_faccessat, dir, "f", R_OK, 0xffff));
	unlink("d/f");
	CALL(SYS(SYS_faccessat, dir, "l", F_OK, AT_SYMLINK_NOFOLLOW));
}

CASE(fchmodat_errors)
{
	int dir = make_tree();

	CALL(SYS(SYS_fchmodat, dir, "missing", 0600));
	CALL(SYS(SYS_fchmodat, 99, "f", 0600));
	CALL(SYS(SYS_fchmodat, dir, "", 0600));
	CALL(SYS(SYS_fchmodat, dir, BAD_ADDRESS, 0600));
	CALL(SYS(SYS_fchmodat, dir, "f/x", 0600));
}

static void note_mode(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		NOTE("%s %o", path, st.st_mode);
}

CASE(fchmodat2_follows)
{
	int dir = make_tree();

	CALL(SYS(452, dir, "l", 0640, 0));
	note_mode("d/f");
	CALL(SYS(452, dir, "f", 0604, AT_SYMLINK_NOFOLLOW));
	note_mode("d/f");
	CALL(SYS(452, dir, "l", 0600, AT_SYMLINK_NOFOLLOW));
	note_mode("d/f");
}

CASE(fchmodat2_empty_path)
{
	int dir = make_tree(), file = open("d/f", O_PATH);

	CALL(SYS(452, file, "", 0611, AT_EMPTY_PATH));
	note_mode("d/f");
	CALL(SYS(452, dir, "", 0711, AT_EMPTY_PATH));
	note_mode("d");
	CALL(SYS(452, dir, "", 0711, 0));
}

CASE(fchmodat2_errors)
{
	int dir = make_tree();

	CALL(SYS(452, dir, "f", 0600, 0x1000000));
	CALL(SYS(452, dir, "f", 0600, AT_SYMLINK_FOLLOW));
	CALL(SYS(452, 99, "f", 0600, 0));
	CALL(SYS(452, 99, "", 0600, AT_EMPTY_PATH));
	CALL(SYS(452, dir, BAD_ADDRESS, 0600, 0));
}

CASE(lchown_of_a_link)
{
	struct stat st;

	make_tree();
	CALL(SYS(SYS_lchown, "d/l", getuid(), getgid()));
	CALL(SYS(SYS_lchown, "d/l", -1, -1));
	CALL(lstat("d/l", &st));
	TRUTH(st.st_uid == getuid());
}

CASE(lchown_errors)
{
	make_tree();
	CALL(SYS(SYS_lchown, "missing", 0, 0));
	CALL(SYS(SYS_lchown, "", 0, 0));
	CALL(SYS(SYS_lchown, BAD_ADDRESS, 0, 0));
	CALL(SYS(SYS_lchown, "d/f/x", 0, 0));
}

CASE(lchown_of_a_dangling_link)
{
	symlink("missing", "l");
	CALL(SYS(SYS_lchown, "l", getuid(), -1));
	CALL(SYS(SYS_chown, "l", getuid(), -1));
}

CASE(mkdirat_relative)
{
	int dir = make_tree();

	CALL(SYS(SYS_mkdirat, dir, "sub", 0750));
	note_mode("d/sub");
	CALL(SYS(SYS_mkdirat, dir, "sub", 0750));
	CALL(SYS(SYS_mkdirat, dir, "sub/", 0750));
	CALL(SYS(SYS_mkdirat, dir, "new/", 0750));
	CALL(SYS(SYS_mkdirat, dir, ".", 0750));
	CALL(SYS(SYS_mkdirat, dir, "..", 0750));
	CALL(SYS(SYS_mkdirat, dir, "l", 0750));
}

CASE(mkdirat_wrong_directory)
{
	int dir = make_tree(), file = open("d/f", O_RDONLY);

	CALL(SYS(SYS_mkdirat, 99, "x", 0700));
	CALL(SYS(SYS_mkdirat, file, "x", 0700));
	CALL(SYS(SYS_mkdirat, dir, "f/x", 0700));
	CALL(SYS(SYS_mkdirat, dir, BAD_ADDRESS, 0700));
	CALL(SYS(SYS_mkdirat, dir, "", 0700));
}

CASE(linkat_flags)
{
	int dir = make_tree(), file = open("d/f", O_RDONLY);
	struct stat st;

	CALL(SYS(SYS_linkat, dir, "l", dir, "ll", 0));
	CALL(lstat("d/ll", &st));
	NOTE("%o", st.st_mode & S_IFMT);
	CALL(SYS(SYS_linkat, dir, "l", dir, "lf", AT_SYMLINK_FOLLOW));
	CALL(lstat("d/lf", &st));
	NOTE("%o %lu", st.st_mode & S_IFMT, (unsigned long)st.st_nlink);
	CALL(SYS(SYS_linkat, dir, "f", dir, "x", 0x8000));
	CALL(SYS(SYS_linkat, file, "", dir, "x", 0));
}

CASE(linkat_errors)
{
	int dir = make_tree();

	CALL(SYS(SYS_linkat, 99, "f", dir, "x", 0));
	CALL(SYS(SYS_linkat, dir, "f", 99, "x", 0));
	CALL(SYS(SYS_linkat, dir, "f", dir, "l", 0));
	CALL(SYS(SYS_linkat, dir, ".", dir, "x", 0));
	CALL(SYS(SYS_linkat, dir, "missing", dir, "x", 0));
	CALL(SYS(SYS_linkat, dir, BAD_ADDRESS, dir, "x", 0));
}

CASE(unlinkat_flags)
{
	int dir = make_tree();

	mkdir("d/sub", 0700);
	CALL(SYS(SYS_unlinkat, dir, "sub", 0));
	CALL(SYS(SYS_unlinkat, dir, "f", AT_REMOVEDIR));
	CALL(SYS(SYS_unlinkat, dir, "sub", AT_REMOVEDIR));
	CALL(SYS(SYS_unlinkat, dir, "l", 0));
	CALL(SYS(SYS_unlinkat, dir, "f", 0));
	CALL(SYS(SYS_unlinkat, dir, "f", 0));
}

CASE(unlinkat_errors)
{
	int dir = make_tree();

	CALL(SYS(SYS_unlinkat, dir, "f", 1));
	CALL(SYS(SYS_unlinkat, 99, "f", 0));
	CALL(SYS(SYS_unlinkat, dir, "", 0));
	CALL(SYS(SYS_unlinkat, dir, ".", AT_REMOVEDIR));
	CALL(SYS(SYS_unlinkat, dir, "..", AT_REMOVEDIR));
	CALL(SYS(SYS_unlinkat, dir, "/", AT_REMOVEDIR));
	CALL(SYS(SYS_unlinkat, dir, "f/", 0));
	CALL(SYS(SYS_unlinkat, dir, BAD_ADDRESS, 0));
}

CASE(unlinkat_of_proc)
{
	CALL(SYS(SYS_unlinkat, AT_FDCWD, "/proc/self/status", 0));
	CALL(SYS(SYS_unlinkat, AT_FDCWD, "/proc", AT_REMOVEDIR));
}

CASE(symlinkat_relative)
{
	int dir = make_tree();
	char target[16];

	CALL(SYS(SYS_symlinkat, "anything", dir, "new"));
	CALL(SYS(SYS_readlinkat, dir, "new", target, sizeof(target)));
	NOTE("%.8s", target);
	CALL(SYS(SYS_symlinkat, "x", dir, "new"));
	CALL(SYS(SYS_symlinkat, "x", dir, "f"));
}

CASE(symlinkat_errors)
{
	int dir = make_tree();

	CALL(SYS(SYS_symlinkat, "", dir, "x"));
	CALL(SYS(SYS_symlinkat, "x", 99, "x"));
	CALL(SYS(SYS_symlinkat, BAD_ADDRESS, dir, "x"));
	CALL(SYS(SYS_symlinkat, "x", dir, BAD_ADDRESS));
	CALL(SYS(SYS_symlinkat, "x", dir, ""));
	CALL(SYS(SYS_symlinkat, "x", dir, "x/"));
}

CASE(symlinkat_long_target)
{
	static char target[5000];
	int dir = make_tree();

	memset(target, 'x', 4095);
	CALL(SYS(SYS_symlinkat, target, dir, "longest"));
	memset(target, 'x', 4096);
	CALL(SYS(SYS_symlinkat, target, dir, "longer"));
}

CASE(renameat_relative)
{
	int dir = make_tree();

	CALL(SYS(SYS_renameat, dir, "f", AT_FDCWD, "out"));
	note_file("out");
	CALL(SYS(SYS_renameat, AT_FDCWD, "out", dir, "l"));
	note_file("d/l");
	CALL(SYS(SYS_renameat, dir, "missing", dir, "x"));
}

CASE(renameat_errors)
{
	int dir = make_tree();

	mkdir("d/sub", 0700);
	CALL(SYS(SYS_renameat, 99, "f", dir, "x"));
	CALL(SYS(SYS_renameat, dir, "f", 99, "x"));
	CALL(SYS(SYS_renameat, dir, "f", dir, "sub"));
	CALL(SYS(SYS_renameat, dir, "sub", dir, "f"));
	CALL(SYS(SYS_renameat, dir, "sub", dir, "sub/x"));
	CALL(SYS(SYS_renameat, dir, ".", dir, "x"));
	CALL(SYS(SYS_renameat, dir, "", dir, "x"));
	CALL(SYS(SYS_renameat, dir, BAD_ADDRESS, dir, "x"));
}

CASE(renameat_onto_a_full_directory)
{
	int dir = make_tree();

	mkdir("e", 0700);
	CALL(SYS(SYS_renameat, AT_FDCWD, "e", AT_FDCWD, "d"));
	CALL(SYS(SYS_renameat, AT_FDCWD, "d", AT_FDCWD, "e"));
	CALL(SYS(SYS_faccessat, dir, "f", F_OK));
}

CASE(handles_of_missing_files)
{
	struct {
		unsigned bytes;
		int type;
		char data[128];
	} handle = {.bytes = 128};
	int mount;

	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, "missing", &handle, &mount, 0));
	CALL(SYS(SYS_name_to_handle_at, 99, "x", &handle, &mount, 0));
	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, "", &handle, &mount, 0));
	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, BAD_ADDRESS, &handle, &mount, 0));
}

CASE(handles_with_bad_flags)
{
	struct {
		unsigned bytes;
		int type;
		char data[128];
	} handle = {.bytes = 128};
	int mount;

	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, ".", &handle, &mount, 0x10000000));
	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, ".", &handle, &mount, 0x8));
}

CASE(opening_by_bad_handles)
{
	struct {
		unsigned bytes;
		int type;
		char data[128];
	} handle = {.bytes = 0};

	CALL(SYS(SYS_open_by_handle_at, AT_FDCWD, &handle, 0));
	handle.bytes = 129;
	CALL(SYS(SYS_open_by_handle_at, AT_FDCWD, &handle, 0));
	CALL(SYS(SYS_open_by_handle_at, 99, &handle, 0));
	handle.bytes = -1;
	CALL(SYS(SYS_open_by_handle_at, 99, &handle, 0));
}

CASE(opening_by_handles_at_nothing)
{
	struct {
		unsigned bytes;
		int type;
		char data[128];
	} handle = {.bytes = 8};

	CALL(SYS(SYS_open_by_handle_at, 99, &handle, 0));
	CALL(SYS(SYS_open_by_handle_at, AT_FDCWD, BAD_ADDRESS, 0));
	CALL(SYS(SYS_open_by_handle_at, AT_FDCWD, NULL, 0));
}

CASE(opening_by_handles_without_privilege)
{
	struct {
		unsigned bytes;
		int type;
		char data[128];
	} handle = {.bytes = 8, .type = 1};

	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		_exit(97);
	CALL(SYS(SYS_open_by_handle_at, AT_FDCWD, &handle, 0));
	CALL(SYS(SYS_open_by_handle_at, 0, &handle, O_RDWR));
}

CASE(fstatfs_of_descriptors)
{
	struct statfs fs;
	int fds[2];

	CALL(SYS(SYS_fstatfs, 99, &fs));
	CALL(SYS(SYS_fstatfs, 0, BAD_ADDRESS));
	pipe(fds);
	CALL(SYS(SYS_fstatfs, fds[0], &fs));
	NOTE("%lx %ld", (long)fs.f_type, (long)fs.f_namelen);
}

CASE(fstatfs_of_a_path)
{
	struct statfs fs;
	int fd = open(".", O_PATH);

	CALL(SYS(SYS_fstatfs, fd, &fs));
	TRUTH(fs.f_bsize > 0 && fs.f_namelen == 255);
	fd = open("/proc", O_RDONLY);
	CALL(SYS(SYS_fstatfs, fd, &fs));
	NOTE("%lx", (long)fs.f_type);
}

CASE(ustat_of_devices)
{
	char buffer[64];
	struct stat st;

	CALL(SYS(SYS_ustat, 0xfffff, buffer));
	CALL(stat("/tmp", &st));
	CALL(SYS(SYS_ustat, (unsigned)(st.st_dev & 0xff) | (unsigned)(st.st_dev >> 8 & 0xfff) << 8,
		BAD_ADDRESS));
	CALL(SYS(SYS_ustat, -1, buffer));
}

CASE(ustat_of_root)
{
	char buffer[64];
	struct stat st;

	CALL(stat("/proc", &st));
	CALL(SYS(SYS_ustat, (unsigned)st.st_dev, buffer));
	CALL(SYS(SYS_ustat, (unsigned)st.st_dev, NULL));
}

/* ---- descriptors ---- */

CASE(dup3_flags)
{
	int fd = OK(SYS(SYS_dup3, 0, 50, O_CLOEXEC));

	CALL(fcntl(fd, F_GETFD));
	OK(SYS(SYS_dup3, 0, 50, 0));
	CALL(fcntl(50, F_GETFD));
	CALL(SYS(SYS_dup3, 0, 50, O_NONBLOCK));
	CALL(SYS(SYS_dup3, 0, 0, 0));
}

CASE(dup3_bad_descriptors)
{
	CALL(SYS(SYS_dup3, 99, 50, 0));
	CALL(SYS(SYS_dup3, 0, -1, 0));
	CALL(SYS(SYS_dup3, 0, 1024, 0));
	CALL(SYS(SYS_dup3, 99, 99, 0));
	CALL(SYS(SYS_dup3, 99, 50, 1));
	CALL(SYS(SYS_dup3, -1, -1, O_CLOEXEC));
}

CASE(close_range_order)
{
	for (int fd = 40; fd < 45; fd++)
		dup2(0, fd);
	CALL(SYS(436, 43, 41, 0));
	CALL(SYS(436, 40, 45, 1));
	CALL(SYS(436, 40, 41, 0));
	CALL(fcntl(41, F_GETFD));
	CALL(fcntl(42, F_GETFD));
	CALL(SYS(436, 42, ~0u, 4));
	CALL(fcntl(43, F_GETFD));
}

CASE(close_range_unshare)
{
	dup2(0, 40);
	dup2(0, 41);
	CALL(SYS(436, 41, ~0u, 2));
	CALL(fcntl(40, F_GETFD));
	CALL(fcntl(41, F_GETFD));
	CALL(SYS(436, 40, 40, 8));
	CALL(SYS(436, 40, 40, 6));
	CALL(fcntl(40, F_GETFD));
}

CASE(sync_file_range_errors)
{
	int fd, fds[2];

	write_file("f", "hello");
	fd = open("f", O_RDWR);
	pipe(fds);
	CALL(SYS(SYS_sync_file_range, fd, 0, 0, 7));
	CALL(SYS(SYS_sync_file_range, fd, 0, 5, 8));
	CALL(SYS(SYS_sync_file_range, fd, -1, 5, 2));
	CALL(SYS(SYS_sync_file_range, fd, 0, -1, 2));
	CALL(SYS(SYS_sync_file_range, fds[0], 0, 0, 2));
	CALL(SYS(SYS_sync_file_range, 99, 0, 0, 2));
}

CASE(sync_file_range_of_a_part)
{
	int fd;

	write_file("f", "hello");
	fd = open("f", O_RDWR);
	CALL(SYS(SYS_sync_file_range, fd, 1, 2, 2));
	CALL(SYS(SYS_sync_file_range, fd, 0x7fffffffffff0000, 10, 2));
	CALL(SYS(SYS_sync_file_range, fd, 0, 0, 0));
	fd = open(".", O_RDONLY);
	CALL(SYS(SYS_sync_file_range, fd, 0, 0, 2));
}

CASE(readahead_errors)
{
	int fd, fds[2];

	write_file("f", "hello");
	pipe(fds);
	fd = open("f", O_RDONLY);
	CALL(SYS(SYS_readahead, fd, 0, 4096));
	CALL(SYS(SYS_readahead, fd, 0, -1));
	CALL(SYS(SYS_readahead, fds[0], 0, 10));
	CALL(SYS(SYS_readahead, 99, 0, 10));
	fd = open("f", O_WRONLY);
	CALL(SYS(SYS_readahead, fd, 0, 10));
}

CASE(readahead_of_others)
{
	int fd = open(".", O_RDONLY);

	CALL(SYS(SYS_readahead, fd, 0, 10));
	fd = open("/dev/null", O_RDONLY);
	CALL(SYS(SYS_readahead, fd, 0, 10));
	fd = open(".", O_PATH);
	CALL(SYS(SYS_readahead, fd, 0, 10));
}
