/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a file's and its directory's times an operation moves: inode(7), utimensat(2). */
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "case.h"

/* All times are put into the past, which leaves the ctime; so the ctime is compared with itself. */
struct before {
	struct stat file, directory;
};

static void age(const char *name)
{
	struct timespec past[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000001}};

	if (utimensat(AT_FDCWD, name, past, AT_SYMLINK_NOFOLLOW) < 0)
		abort();
}

static char moved(struct timespec a, struct timespec b, char letter)
{
	return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec ? letter : '-';
}

static void note_moved(
	const char *what, const char *of, const struct stat *before, const struct stat *after)
{
	NOTE("%s: %s %c%c%c", what, of, moved(before->st_atim, after->st_atim, 'a'),
		moved(before->st_mtim, after->st_mtim, 'm'),
		moved(before->st_ctim, after->st_ctim, 'c'));
}

static void fill_directory(void)
{
	if (mkdir("d", 0700) < 0)
		abort();
	write_file("d/f", "some text");
	write_file("d/g", "other");
	mkdir("d/s", 0700);
	if (symlink("f", "d/l") < 0)
		abort();
	write_file("outside", "x");
}

/* What an operation does to d/f (by descriptor, when it is gone), to d, to d/l. */
#define OPERATION(name_, ...)                                                                      \
	CASE(name_)                                                                                \
	{                                                                                          \
		struct stat file, directory, symbolic, file2, directory2, symbolic2;               \
		int fd, dir;                                                                       \
		char buffer[100];                                                                  \
                                                                                                   \
		(void)buffer;                                                                      \
		fill_directory();                                                                  \
		fd = open("d/f", O_RDWR);                                                          \
		dir = open("d", O_RDONLY | O_DIRECTORY);                                           \
		age("d/f");                                                                        \
		age("d/l");                                                                        \
		age("d");                                                                          \
		sleep_ms(12);                                                                      \
		fstat(fd, &file);                                                                  \
		fstat(dir, &directory);                                                            \
		lstat("d/l", &symbolic);                                                           \
		__VA_ARGS__                                                                        \
		fstat(fd, &file2);                                                                 \
		fstat(dir, &directory2);                                                           \
		note_moved(#name_, "file", &file, &file2);                                         \
		note_moved(#name_, "directory", &directory, &directory2);                          \
		if (lstat("d/l", &symbolic2) == 0)                                                 \
			note_moved(#name_, "link", &symbolic, &symbolic2);                         \
	}

OPERATION(nothing, )
OPERATION(read_some, CALL(read(fd, buffer, 4));)
OPERATION(read_at_end, CALL(pread(fd, buffer, 10, 100));)
OPERATION(read_twice, CALL(read(fd, buffer, 4)); sleep_ms(12); fstat(fd, &file);
	  CALL(read(fd, buffer, 4));)
OPERATION(read_without_time, int q = open("d/f", O_RDONLY | O_NOATIME); CALL(read(q, buffer, 4));)
OPERATION(write_some, CALL(write(fd, "x", 1));)
OPERATION(write_nothing, CALL(write(fd, "x", 0));)
OPERATION(write_vector_of_nothing, struct iovec v = {buffer, 0}; CALL(writev(fd, &v, 1));)
OPERATION(pwrite_some, CALL(pwrite(fd, "x", 1, 1000));)
OPERATION(truncate_shorter, CALL(truncate("d/f", 3));)
OPERATION(truncate_longer, CALL(truncate("d/f", 30));)
OPERATION(truncate_same, CALL(truncate("d/f", 9));)
OPERATION(ftruncate_same, CALL(ftruncate(fd, 9));)
OPERATION(open_for_reading, OK(open("d/f", O_RDONLY));)
OPERATION(open_and_truncate, OK(open("d/f", O_RDWR | O_TRUNC));)
OPERATION(open_and_truncate_empty, ftruncate(fd, 0); age("d/f"); sleep_ms(12); fstat(fd, &file);
	  OK(open("d/f", O_RDWR | O_TRUNC));)
OPERATION(open_create_existing, OK(open("d/f", O_RDWR | O_CREAT, 0600));)
OPERATION(open_create_new, OK(open("d/n", O_RDWR | O_CREAT, 0600));)
OPERATION(chmod_other, CALL(chmod("d/f", 0640));)
OPERATION(chmod_same, CALL(chmod("d/f", file.st_mode & 07777));)
OPERATION(chown_same, CALL(chown("d/f", geteuid(), getegid()));)
OPERATION(chown_none, CALL(chown("d/f", -1, -1));)
OPERATION(link_it, CALL(link("d/f", "new"));)
OPERATION(link_into, CALL(link("outside", "d/new"));)
OPERATION(unlink_it, CALL(unlink("d/f"));)
OPERATION(unlink_other, CALL(unlink("d/g"));)
OPERATION(rename_inside, CALL(rename("d/f", "d/new"));)
OPERATION(rename_out, CALL(rename("d/f", "new"));)
OPERATION(rename_into, CALL(rename("outside", "d/new"));)
OPERATION(rename_over_it, CALL(rename("d/g", "d/f"));)
OPERATION(rename_onto_itself, CALL(rename("d/f", "d/f"));)
OPERATION(rename_onto_same_inode, CALL(link("d/f", "d/h")); age("d"); sleep_ms(12);
	  fstat(fd, &file); fstat(dir, &directory); CALL(rename("d/f", "d/h"));)
OPERATION(rename_directory, CALL(rename("d/s", "d/t"));)
OPERATION(mkdir_in, CALL(mkdir("d/n", 0700));)
OPERATION(mkdir_existing, CALL(mkdir("d/s", 0700));)
OPERATION(rmdir_in, CALL(rmdir("d/s"));)
OPERATION(symlink_in, CALL(symlink("x", "d/n"));)
OPERATION(mkfifo_in, CALL(mkfifo("d/n", 0600));)
OPERATION(readlink_it, CALL(readlink("d/l", buffer, sizeof(buffer)));)
OPERATION(follow_it, struct stat s; CALL(stat("d/l", &s));)
OPERATION(list, CALL(SYS(SYS_getdents64, dir, buffer, 100) > 0);)
OPERATION(setxattr_it, CALL(setxattr("d/f", "user.k", "v", 1, 0));)
OPERATION(getxattr_it, CALL(getxattr("d/f", "user.k", buffer, 10));)
OPERATION(removexattr_missing, CALL(removexattr("d/f", "user.k"));)
OPERATION(fallocate_longer, CALL(fallocate(fd, 0, 0, 100));)
OPERATION(fallocate_same, CALL(fallocate(fd, 0, 0, 5));)
OPERATION(fsync_it, CALL(fsync(fd));)
OPERATION(map_and_read, volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	  buffer[0] = *p;)
OPERATION(map_and_write, char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	  *p = 'x';)
OPERATION(sendfile_from, int n = open("n", O_RDWR | O_CREAT, 0600); off_t at = 0;
	  CALL(sendfile(n, fd, &at, 5));)
OPERATION(copy_range_from, int n = open("n", O_RDWR | O_CREAT, 0600);
	  CALL(copy_file_range(fd, NULL, n, NULL, 5, 0));)
OPERATION(copy_range_to, int n = open("d/g", O_RDWR);
	  CALL(copy_file_range(n, NULL, fd, NULL, 5, 0));)
OPERATION(utimens_now, CALL(futimens(fd, NULL));)
OPERATION(utimens_omit_both,
	  struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
	  CALL(futimens(fd, t));)
OPERATION(
	utimens_omit_one, struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
	CALL(futimens(fd, t));)
OPERATION(
	utimens_set, struct timespec t[2] = {{.tv_sec = 77, .tv_nsec = 999999999}, {.tv_sec = -77}};
	CALL(futimens(fd, t)); fstat(fd, &file2);
	NOTE("%lld.%ld %lld.%ld", (long long)file2.st_atim.tv_sec, file2.st_atim.tv_nsec,
		(long long)file2.st_mtim.tv_sec, file2.st_mtim.tv_nsec);)
OPERATION(utimens_of_the_link, struct timespec t[2] = {{.tv_sec = 7}, {.tv_sec = 8}};
	  CALL(utimensat(AT_FDCWD, "d/l", t, AT_SYMLINK_NOFOLLOW));)
OPERATION(utimens_bad, struct timespec t[2] = {{.tv_nsec = 1000000000}, {0}}; CALL(futimens(fd, t));
	  t[0].tv_nsec = -1; CALL(futimens(fd, t)); t[0].tv_nsec = UTIME_OMIT;
	  t[1].tv_nsec = UTIME_OMIT - 1; CALL(futimens(fd, t));
	  CALL(utimensat(AT_FDCWD, "d/f", t, 0x8000)); CALL(utimensat(AT_FDCWD, NULL, t, 0));
	  CALL(utimensat(fd, NULL, NULL, AT_SYMLINK_NOFOLLOW)); CALL(utimensat(fd, NULL, NULL, 0));)
OPERATION(failed_write, int r = open("d/f", O_RDONLY); CALL(write(r, "x", 1));)
OPERATION(append_write, int r = open("d/f", O_WRONLY | O_APPEND); CALL(write(r, "x", 1));)
OPERATION(
	execute_it, chmod("d/f", 0700); sleep_ms(12); fstat(fd, &file); if (fork() == 0) {
		execl("d/f", "f", NULL);
		_exit(errno == ENOEXEC);
	} int status;
	wait(&status); note_status("child", status);)

/* Who may set times. */
CASE(rights)
{
	struct timespec set[2] = {{.tv_sec = 5}, {.tv_sec = 6}};
	struct timespec omit[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
	struct timespec half[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
	struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};

	if (geteuid() != 0)
		SKIP("needs root");
	chmod(".", 0755);
	write_file("writable", "x");
	write_file("readable", "x");
	write_file("own", "x");
	chmod("writable", 0666);
	chmod("readable", 0644);
	chown("own", 1234, 1234);
	chmod("own", 0400);
	if (setresgid(1234, 1234, 1234) < 0 || setresuid(1234, 1234, 1234) < 0)
		abort();
	const char *const names[] = {"writable", "readable", "own"};
	for (int i = 0; i < 3; i++) {
		NOTE("%s", names[i]);
		CALL(utimensat(AT_FDCWD, names[i], NULL, 0));
		CALL(utimensat(AT_FDCWD, names[i], set, 0));
		CALL(utimensat(AT_FDCWD, names[i], omit, 0));
		CALL(utimensat(AT_FDCWD, names[i], half, 0));
		CALL(utimensat(AT_FDCWD, names[i], now, 0));
		OK(open(names[i], O_RDONLY | O_NOATIME));
	}
}
