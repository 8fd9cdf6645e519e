/* SPDX-License-Identifier: Apache-2.0 */
/* open(2), openat(2), openat2(2), creat(2), close(2), close_range(2), dup(2) */
#include "case.h"

#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

static void make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (write(fd, text, strlen(text)) < 0)
		NOTE("make failed");
	close(fd);
}

static long openat2_(int dirfd, const char *name, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};

	return syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

static char *long_name(size_t size)
{
	char *name = malloc(size + 1);

	memset(name, 'x', size);
	name[size] = 0;
	return name;
}

CASE(missing)
{
	CALL(open("nowhere", O_RDONLY));
	CALL(open("nowhere/x", O_RDONLY));
	CALL(open("nowhere/x", O_CREAT | O_RDWR, 0600));
	CALL(open("", O_RDONLY));
	CALL(open("", O_CREAT | O_RDWR, 0600));
}

CASE(bad_pointers)
{
	CALL(syscall(SYS_open, NULL, O_RDONLY));
	CALL(syscall(SYS_open, (char *)8, O_RDONLY));
	CALL(syscall(SYS_openat, AT_FDCWD, (char *)-4096L, O_RDONLY));
	CALL(syscall(SYS_openat, 99, (char *)8, O_RDONLY));
}

CASE(names_too_long)
{
	CALL(open(long_name(255), O_RDONLY));
	CALL(open(long_name(256), O_RDONLY));
	OK(open(long_name(255), O_CREAT | O_RDWR, 0600));
	CALL(open(long_name(256), O_CREAT | O_RDWR, 0600));
	CALL(open(long_name(4095), O_RDONLY));
	CALL(open(long_name(4096), O_RDONLY));
}

CASE(not_a_directory)
{
	make("f", "x");
	CALL(open("f/x", O_RDONLY));
	CALL(open("f/", O_RDONLY));
	CALL(open("f/.", O_RDONLY));
	CALL(open("f/..", O_RDONLY));
	CALL(open("f", O_RDONLY | O_DIRECTORY));
	CALL(open("f/", O_CREAT | O_RDWR, 0600));
	CALL(open("new/", O_CREAT | O_RDWR, 0600));
}

CASE(directories)
{
	mkdir("d", 0755);
	OK(open("d", O_RDONLY));
	OK(open("d/", O_RDONLY | O_DIRECTORY));
	OK(open(".", O_RDONLY));
	CALL(open("d", O_WRONLY));
	CALL(open("d", O_RDWR));
	CALL(open("d", O_RDONLY | O_CREAT, 0600));
	CALL(open("d", O_RDONLY | O_TRUNC));
	CALL(open("d", O_RDONLY | O_CREAT | O_EXCL, 0600));
	CALL(open(".", O_CREAT | O_RDWR, 0600));
	CALL(open("..", O_CREAT | O_RDWR, 0600));
	CALL(open("/", O_CREAT | O_RDWR, 0600));
	CALL(open("d", O_RDONLY | O_CREAT | O_DIRECTORY, 0600));
	CALL(open("new", O_RDONLY | O_CREAT | O_DIRECTORY, 0600));
}

CASE(exclusive)
{
	make("f", "x");
	symlink("nowhere", "dangling");
	CALL(open("f", O_CREAT | O_EXCL | O_RDWR, 0600));
	CALL(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600));
	CALL(open("dangling", O_RDWR));
	OK(open("dangling", O_CREAT | O_RDWR, 0600));
	CALL(access("nowhere", F_OK));
}

CASE(symlinks)
{
	make("f", "x");
	symlink("f", "l");
	symlink("l", "l2");
	symlink("loop", "loop");
	symlink("f/", "slash");
	OK(open("l2", O_RDONLY));
	CALL(open("l2", O_RDONLY | O_NOFOLLOW));
	CALL(open("loop", O_RDONLY));
	CALL(open("loop", O_CREAT | O_RDWR, 0600));
	CALL(open("loop/x", O_RDONLY));
	CALL(open("slash", O_RDONLY));
	CALL(open("l/", O_RDONLY));
	OK(open("l", O_PATH | O_NOFOLLOW));
	CALL(open("l", O_PATH | O_NOFOLLOW | O_DIRECTORY));
}

CASE(symlink_chains)
{
	char from[32], to[32];

	make("link0", "end");
	for (int i = 1; i <= 41; i++) {
		snprintf(from, sizeof(from), "link%d", i - 1);
		snprintf(to, sizeof(to), "link%d", i);
		symlink(from, to);
	}
	OK(open("link40", O_RDONLY));
	CALL(open("link41", O_RDONLY));
	OK(open("link40", O_RDONLY | O_CREAT, 0600));
	CALL(open("link41", O_RDONLY | O_CREAT, 0600));
}

CASE(create_through_symlink_in_directory)
{
	mkdir("d", 0755);
	symlink("d/made", "l");
	symlink("missing/made", "m");
	OK(open("l", O_CREAT | O_RDWR, 0600));
	CALL(access("d/made", F_OK));
	CALL(open("m", O_CREAT | O_RDWR, 0600));
}

CASE(mode_and_umask)
{
	struct stat st;

	umask(027);
	OK(open("a", O_CREAT | O_RDWR, 0777));
	OK(open("b", O_CREAT | O_RDWR, 07777));
	OK(creat("c", 0200));
	stat("a", &st);
	NOTE("%o", st.st_mode);
	stat("b", &st);
	NOTE("%o", st.st_mode);
	stat("c", &st);
	NOTE("%o", st.st_mode);
}

CASE(create_read_only_mode_stays_writable)
{
	int fd = OK(open("f", O_CREAT | O_RDWR, 0));

	CALL(write(fd, "abc", 3));
	CALL(pread(fd, (char[4]){0}, 3, 0));
}

CASE(truncate_on_open)
{
	struct stat st;

	make("f", "hello");
	OK(open("f", O_RDONLY | O_TRUNC));
	stat("f", &st);
	NOTE("size %ld", (long)st.st_size);
	make("f", "hello");
	OK(open("f", O_WRONLY | O_CREAT, 0600));
	stat("f", &st);
	NOTE("size %ld", (long)st.st_size);
}

CASE(flags_read_back)
{
	make("f", "x");
	NOTE("%o", fcntl(open("f", O_RDONLY), F_GETFL));
	NOTE("%o", fcntl(open("f", O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_NOCTTY, 0600),
			   F_GETFL));
	NOTE("%o", fcntl(open("f", O_RDWR | O_NONBLOCK | O_CLOEXEC), F_GETFL));
	NOTE("%o", fcntl(open("f", O_RDWR | O_SYNC), F_GETFL));
	NOTE("%o", fcntl(open("f", O_RDWR | O_DSYNC), F_GETFL));
	NOTE("%o", fcntl(open(".", O_RDONLY | O_DIRECTORY), F_GETFL));
	NOTE("%o", fcntl(open("f", O_PATH | O_CLOEXEC), F_GETFL));
	NOTE("%o", fcntl(open("f", O_RDONLY | O_NOFOLLOW), F_GETFL));
	NOTE("%d", fcntl(open("f", O_RDWR | O_CLOEXEC), F_GETFD));
	NOTE("%o", fcntl(syscall(SYS_open, "f", O_RDONLY | 0x40000000), F_GETFL));
}

CASE(access_mode_three)
{
	int fd;

	make("f", "x");
	fd = OK(open("f", 3));
	CALL(read(fd, (char[1]){0}, 1));
	CALL(write(fd, "x", 1));
	CALL(fcntl(fd, F_GETFL) & O_ACCMODE);
}

CASE(path_descriptors)
{
	struct stat st;
	int fd, dir;

	make("f", "x");
	fd = OK(open("f", O_PATH));
	CALL(read(fd, (char[1]){0}, 1));
	CALL(write(fd, "x", 1));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(fstat(fd, &st));
	CALL(fchmod(fd, 0600));
	CALL(fchown(fd, -1, -1));
	CALL(ftruncate(fd, 0));
	CALL(fsync(fd));
	CALL(ioctl(fd, 0x5421, &st));
	CALL(fcntl(fd, F_SETFL, O_APPEND));
	CALL(flock(fd, 1));
	OK(dup(fd));
	dir = OK(open(".", O_PATH));
	CALL(fchdir(dir));
	OK(openat(dir, "f", O_RDONLY));
	CALL(close(fd));
	CALL(syscall(SYS_getdents64, dir, (char[512]){0}, 512));
	CALL(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, dir, 0) == MAP_FAILED);
}

CASE(at_directories)
{
	int dir, file;

	mkdir("d", 0755);
	make("d/f", "x");
	dir = OK(open("d", O_RDONLY));
	file = OK(open("d/f", O_RDONLY));
	OK(openat(dir, "f", O_RDONLY));
	OK(openat(dir, "../d/f", O_RDONLY));
	CALL(openat(dir, "g", O_RDONLY));
	CALL(openat(file, "f", O_RDONLY));
	CALL(openat(file, "", O_RDONLY));
	CALL(openat(99, "f", O_RDONLY));
	CALL(openat(-1, "f", O_RDONLY));
	OK(openat(99, "/", O_RDONLY));
	OK(openat(dir, "new", O_CREAT | O_RDWR, 0600));
	CALL(access("d/new", F_OK));
}

CASE(removed_directory)
{
	int dir;

	mkdir("d", 0755);
	dir = OK(open("d", O_RDONLY));
	CALL(rmdir("d"));
	CALL(openat(dir, "f", O_CREAT | O_RDWR, 0600));
	CALL(openat(dir, "f", O_RDONLY));
	CALL(mkdirat(dir, "f", 0700));
	CALL(syscall(SYS_getdents64, dir, (char[512]){0}, 512));
	OK(openat(dir, ".", O_RDONLY));
	OK(openat(dir, "..", O_RDONLY));
}

CASE(unlinked_but_open)
{
	struct stat st;
	char buffer[8] = "";
	int fd;

	make("f", "hello");
	fd = OK(open("f", O_RDWR));
	CALL(unlink("f"));
	CALL(read(fd, buffer, 5));
	NOTE("%s", buffer);
	CALL(write(fd, "world", 5));
	fstat(fd, &st);
	NOTE("nlink %d size %d", (int)st.st_nlink, (int)st.st_size);
	CALL(open("f", O_RDONLY));
}

CASE(tmpfile)
{
	struct stat st;
	char name[64];
	int fd;

	mkdir("d", 0755);
	CALL(open("d", O_TMPFILE | O_RDONLY, 0600));
	fd = OK(open("d", O_TMPFILE | O_RDWR, 0600));
	CALL(write(fd, "abc", 3));
	fstat(fd, &st);
	NOTE("%o nlink %d size %d", st.st_mode, (int)st.st_nlink, (int)st.st_size);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CALL(linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
	fstat(fd, &st);
	NOTE("nlink %d", (int)st.st_nlink);
	CALL(access("named", F_OK));
	fd = OK(open("d", O_TMPFILE | O_RDWR | O_EXCL, 0600));
	CALL(linkat(fd, "", AT_FDCWD, "other", AT_EMPTY_PATH));
	CALL(open("missing", O_TMPFILE | O_RDWR, 0600));
	make("f", "");
	CALL(open("f", O_TMPFILE | O_RDWR, 0600));
}

CASE(how_structure)
{
	char big[5000] = {0};
	struct open_how how = {.flags = O_RDONLY};

	make("f", "x");
	memcpy(big, &how, sizeof(how));
	CALL(syscall(SYS_openat2, AT_FDCWD, "f", &how, 0));
	CALL(syscall(SYS_openat2, AT_FDCWD, "f", &how, 23));
	OK(syscall(SYS_openat2, AT_FDCWD, "f", &how, 24));
	OK(syscall(SYS_openat2, AT_FDCWD, "f", big, 64));
	big[30] = 1;
	CALL(syscall(SYS_openat2, AT_FDCWD, "f", big, 64));
	CALL(syscall(SYS_openat2, AT_FDCWD, "f", big, 4097));
	CALL(syscall(SYS_openat2, AT_FDCWD, "f", (void *)8, 24));
}

CASE(how_values)
{
	make("f", "x");
	CALL(openat2_(AT_FDCWD, "f", O_RDONLY, 0600, 0));
	CALL(openat2_(AT_FDCWD, "g", O_CREAT | O_RDWR, 010000, 0));
	OK(openat2_(AT_FDCWD, "g", O_CREAT | O_RDWR, 0600, 0));
	CALL(openat2_(AT_FDCWD, "f", 0x80000000000ull, 0, 0));
	CALL(openat2_(AT_FDCWD, "f", O_RDONLY, 0, 0x1000));
	CALL(openat2_(AT_FDCWD, "f", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
	CALL(openat2_(AT_FDCWD, "f", O_PATH | O_RDWR, 0, 0));
	OK(openat2_(AT_FDCWD, "f", O_PATH, 0, 0));
}

CASE(resolve_beneath)
{
	int dir;

	mkdir("d", 0755);
	mkdir("d/e", 0755);
	make("d/f", "x");
	make("out", "x");
	symlink("../out", "d/up");
	symlink("/", "d/abs");
	symlink("e/../f", "d/in");
	dir = OK(open("d", O_RDONLY));
	OK(openat2_(dir, "f", O_RDONLY, 0, RESOLVE_BENEATH));
	OK(openat2_(dir, "e/../f", O_RDONLY, 0, RESOLVE_BENEATH));
	OK(openat2_(dir, "in", O_RDONLY, 0, RESOLVE_BENEATH));
	CALL(openat2_(dir, "..", O_RDONLY, 0, RESOLVE_BENEATH));
	CALL(openat2_(dir, "../out", O_RDONLY, 0, RESOLVE_BENEATH));
	CALL(openat2_(dir, "up", O_RDONLY, 0, RESOLVE_BENEATH));
	CALL(openat2_(dir, "abs", O_RDONLY, 0, RESOLVE_BENEATH));
	CALL(openat2_(dir, "/", O_RDONLY, 0, RESOLVE_BENEATH));
	CALL(openat2_(dir, "../new", O_CREAT | O_RDWR, 0600, RESOLVE_BENEATH));
	OK(openat2_(dir, "new", O_CREAT | O_RDWR, 0600, RESOLVE_BENEATH));
}

CASE(resolve_in_root)
{
	int dir;

	mkdir("d", 0755);
	make("d/f", "x");
	symlink("/f", "d/abs");
	symlink("../../../f", "d/up");
	dir = OK(open("d", O_RDONLY));
	OK(openat2_(dir, "/f", O_RDONLY, 0, RESOLVE_IN_ROOT));
	OK(openat2_(dir, "abs", O_RDONLY, 0, RESOLVE_IN_ROOT));
	OK(openat2_(dir, "up", O_RDONLY, 0, RESOLVE_IN_ROOT));
	OK(openat2_(dir, "/../../f", O_RDONLY, 0, RESOLVE_IN_ROOT));
	CALL(openat2_(dir, "/g", O_RDONLY, 0, RESOLVE_IN_ROOT));
	CALL(openat2_(99, "/f", O_RDONLY, 0, RESOLVE_IN_ROOT));
}

CASE(resolve_no_symlinks)
{
	mkdir("d", 0755);
	make("d/f", "x");
	symlink("d", "l");
	symlink("d/f", "lf");
	CALL(openat2_(AT_FDCWD, "l/f", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
	CALL(openat2_(AT_FDCWD, "lf", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
	OK(openat2_(AT_FDCWD, "lf", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS));
	OK(openat2_(AT_FDCWD, "d/f", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
}

CASE(resolve_no_xdev)
{
	OK(openat2_(AT_FDCWD, ".", O_RDONLY, 0, RESOLVE_NO_XDEV));
	CALL(openat2_(AT_FDCWD, "/proc/self", O_PATH, 0, RESOLVE_NO_XDEV));
	OK(openat2_(AT_FDCWD, "/", O_RDONLY, 0, RESOLVE_NO_XDEV));
}

CASE(descriptor_limit)
{
	struct rlimit limit = {16, 16};
	int fd, count = 0;

	make("f", "x");
	setrlimit(RLIMIT_NOFILE, &limit);
	while ((fd = open("f", O_RDONLY)) >= 0)
		count++;
	NOTE("%s", errno_name(errno));
	CALL(open("nowhere", O_RDONLY));
	CALL(open("new", O_CREAT | O_RDWR, 0600));
	CALL(access("new", F_OK));
	CALL(dup(0));
	CALL(dup2(0, 16));
	CALL(dup2(0, 15));
	CALL(fcntl(0, F_DUPFD, 16));
	CALL(fcntl(0, F_DUPFD, 15));
}

CASE(lowest_descriptor)
{
	int a, b, c;

	make("f", "x");
	a = open("f", O_RDONLY);
	b = open("f", O_RDONLY);
	c = open("f", O_RDONLY);
	NOTE("%d %d", b - a, c - b);
	close(b);
	NOTE("%d", open("f", O_RDONLY) - a);
	close(a);
	NOTE("%d", dup(c) - a);
}

CASE(close_errors)
{
	int fd;

	make("f", "x");
	fd = open("f", O_RDONLY);
	CALL(close(fd));
	CALL(close(fd));
	CALL(close(-1));
	CALL(close(INT_MAX));
	CALL(syscall(SYS_close, 0x100000000ull + 9999));
}

CASE(close_ranges)
{
	int base, i;

	make("f", "x");
	base = 100;
	for (i = 0; i < 10; i++)
		dup2(0, base + i);
	CALL(syscall(SYS_close_range, base + 2, base + 4, 0));
	for (i = 0; i < 10; i++)
		NOTE("%d: %d", i, fcntl(base + i, F_GETFD));
	CALL(syscall(SYS_close_range, base + 5, base + 6, 4));
	for (i = 0; i < 10; i++)
		NOTE("%d: %d", i, fcntl(base + i, F_GETFD));
	CALL(syscall(SYS_close_range, base, ~0u, 0));
	for (i = 0; i < 10; i++)
		NOTE("%d: %d", i, fcntl(base + i, F_GETFD));
	CALL(syscall(SYS_close_range, 5, 4, 0));
	CALL(syscall(SYS_close_range, 4, 5, 8));
}

CASE(close_range_unshare)
{
	pid_t pid;
	int status;

	dup2(0, 50);
	pid = fork();
	if (pid == 0) {
		int r = (int)syscall(SYS_close_range, 50, 50, 2);

		_exit(r == 0 && fcntl(50, F_GETFD) == -1 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	NOTE("%x", status);
	CALL(fcntl(50, F_GETFD));
}

CASE(dup_variants)
{
	int fd;

	make("f", "hello");
	fd = open("f", O_RDONLY | O_CLOEXEC);
	CALL(fcntl(dup(fd), F_GETFD));
	CALL(dup2(fd, 60));
	CALL(fcntl(60, F_GETFD));
	CALL(dup3(fd, 61, O_CLOEXEC));
	CALL(fcntl(61, F_GETFD));
	CALL(dup2(fd, fd) == fd);
	CALL(dup3(fd, fd, 0));
	CALL(dup3(fd, 62, O_NONBLOCK));
	CALL(dup2(999, 61));
	CALL(dup2(999, 999));
	CALL(dup2(fd, -1));
	CALL(dup3(999, 61, 0));
	CALL(fcntl(61, F_GETFD));
	CALL(fcntl(fd, F_DUPFD, 70));
	CALL(fcntl(fd, F_DUPFD_CLOEXEC, 70));
	CALL(fcntl(71, F_GETFD));
	CALL(fcntl(fd, F_DUPFD, -1));
	/* They share the position. */
	CALL(read(60, (char[2]){0}, 2));
	CALL(lseek(fd, 0, SEEK_CUR));
}

CASE(append_position)
{
	int fd;

	make("f", "hello");
	fd = OK(open("f", O_RDWR | O_APPEND));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(write(fd, " world", 6));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(write(fd, "!", 1));
	CALL(lseek(fd, 0, SEEK_CUR));
	/* Linux: pwrite appends, too. */
	CALL(pwrite(fd, "?", 1, 0));
	CALL(lseek(fd, 0, SEEK_END));
}

CASE(permissions)
{
	struct stat st;

	if (geteuid() != 0)
		SKIP("needs root");
	chmod(".", 0755);
	make("secret", "x");
	chmod("secret", 0600);
	make("exec", "x");
	chmod("exec", 0711);
	mkdir("dir", 0700);
	make("dir/f", "x");
	mkdir("open", 0777);
	chmod("open", 0777);
	CALL(setresgid(1234, 1234, 1234));
	CALL(setresuid(1234, 1234, 1234));
	CALL(open("secret", O_RDONLY));
	CALL(open("secret", O_WRONLY));
	CALL(open("secret", O_RDONLY | O_TRUNC));
	CALL(open("exec", O_RDONLY));
	CALL(open("dir", O_RDONLY));
	CALL(open("dir/f", O_RDONLY));
	CALL(open("dir/none", O_RDONLY));
	CALL(open("new", O_CREAT | O_RDWR, 0600));
	CALL(open("secret", O_CREAT | O_RDWR, 0600));
	OK(open("open/new", O_CREAT | O_RDWR, 0640));
	CALL(stat("open/new", &st));
	NOTE("%o %d %d", st.st_mode, st.st_uid, st.st_gid);
	OK(open("secret", O_PATH));
	CALL(stat("dir/f", &st));
	CALL(access("secret", R_OK));
	CALL(access("exec", X_OK));
	CALL(access("dir", X_OK));
	CALL(open("secret", O_RDONLY | O_NOATIME));
	CALL(open("open/new", O_RDONLY | O_NOATIME) >= 0);
}

CASE(text_busy)
{
	char buffer[65536];
	int in, out, pid, pipes[2], status;
	ssize_t n;

	in = open("/bin/sleep", O_RDONLY);
	out = open("prog", O_CREAT | O_WRONLY, 0755);
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		if (write(out, buffer, (size_t)n) < 0)
			NOTE("copy failed");
	if (fork() == 0) {
		execl("./prog", "prog", "0", NULL);
		_exit(errno == ETXTBSY ? 7 : 8);
	}
	wait(&status);
	NOTE("open for writing: %x", status);
	close(out);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		execl("./prog", "prog", "10", NULL);
		_exit(8);
	}
	close(pipes[1]);
	CALL(read(pipes[0], buffer, 1));
	CALL(open("prog", O_WRONLY));
	CALL(open("prog", O_RDWR | O_TRUNC));
	CALL(truncate("prog", 0));
	OK(open("prog", O_RDONLY));
	CALL(unlink("prog"));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	NOTE("%x", status);
}

CASE(sockets_and_fifos)
{
	CALL(mkfifo("fifo", 0600));
	CALL(open("fifo", O_WRONLY | O_NONBLOCK));
	OK(open("fifo", O_RDONLY | O_NONBLOCK));
	OK(open("fifo", O_RDWR | O_TRUNC));
	CALL(open("fifo/x", O_RDONLY));
	CALL(mknod("sock", S_IFSOCK | 0600, 0));
	CALL(open("sock", O_RDONLY));
	OK(open("sock", O_PATH));
}
