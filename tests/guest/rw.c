/* SPDX-License-Identifier: Apache-2.0 */
/* read(2), write(2), their vector and positioned forms, lseek(2), ftruncate(2), fallocate(2) */
#include "case.h"

#include <sys/resource.h>
#include <sys/uio.h>

static int temp(const char *text)
{
	int fd = open("f", O_CREAT | O_RDWR | O_TRUNC, 0644);

	if (write(fd, text, strlen(text)) < 0)
		NOTE("temp failed");
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void show(int fd)
{
	char buffer[64];
	ssize_t n = pread(fd, buffer, sizeof(buffer) - 1, 0);

	buffer[n < 0 ? 0 : n] = 0;
	for (ssize_t i = 0; i < n; i++)
		if (!buffer[i])
			buffer[i] = '0';
	NOTE("[%s]", buffer);
}

/* One readable page with an unreadable one behind it. */
static char *edge(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p + 4096, 4096, PROT_NONE);
	return p;
}

CASE(basics)
{
	char buffer[16] = "";
	int fd = temp("hello");

	CALL(read(fd, buffer, 2));
	NOTE("%s", buffer);
	CALL(read(fd, buffer, 16));
	CALL(read(fd, buffer, 16));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(write(fd, "!", 1));
	show(fd);
}

CASE(wrong_direction)
{
	char c = 0;

	temp("x");
	CALL(read(open("f", O_WRONLY), &c, 1));
	CALL(write(open("f", O_RDONLY), &c, 1));
	CALL(read(-1, &c, 1));
	CALL(write(77, &c, 1));
	CALL(pread(open("f", O_WRONLY), &c, 1, 0));
	CALL(pwrite(open("f", O_RDONLY), &c, 1, 0));
}

CASE(directories)
{
	char c = 0;
	int fd = open(".", O_RDONLY);

	CALL(read(fd, &c, 1));
	CALL(read(fd, &c, 0));
	CALL(pread(fd, &c, 1, 0));
	CALL(write(fd, &c, 1));
}

CASE(zero_sizes)
{
	int fd = temp("abc");

	CALL(read(fd, NULL, 0));
	CALL(write(fd, NULL, 0));
	CALL(read(fd, (void *)8, 0));
	CALL(pread(fd, NULL, 0, 100));
	CALL(pwrite(fd, NULL, 0, 100));
	CALL(lseek(fd, 0, SEEK_END));
}

CASE(bad_pointers)
{
	int fd = temp("abc");

	CALL(read(fd, (void *)8, 3));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(write(fd, (void *)8, 3));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(read(fd, (void *)-1L, 1));
	CALL(syscall(SYS_read, fd, -4096L, 100));
	CALL(syscall(SYS_write, fd, 1L << 63, 100));
	CALL(syscall(SYS_read, 99, (void *)8, 3));
	CALL(syscall(SYS_read, fd, &fd, -1L));
	CALL(syscall(SYS_write, fd, &fd, 1ull << 63));
	show(fd);
}

CASE(partial_write_at_unreadable_page)
{
	char *p = edge();
	int fd = temp("");

	memset(p, 'a', 4096);
	CALL(write(fd, p + 4096 - 10, 20));
	CALL(lseek(fd, 0, SEEK_END));
	CALL(write(fd, p + 4096, 20));
	CALL(lseek(fd, 0, SEEK_END));
}

CASE(partial_read_at_unreadable_page)
{
	char *p = edge();
	int fd = temp("0123456789abcdefghij");

	CALL(read(fd, p + 4096 - 10, 20));
	CALL(lseek(fd, 0, SEEK_CUR));
	NOTE("%.10s", p + 4096 - 10);
	CALL(read(fd, p + 4096, 20));
	CALL(lseek(fd, 0, SEEK_CUR));
}

CASE(positioned)
{
	char buffer[8] = "";
	int fd = temp("0123456789");

	CALL(pread(fd, buffer, 3, 4));
	NOTE("%s", buffer);
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(pwrite(fd, "abc", 3, 20));
	show(fd);
	CALL(pread(fd, buffer, 3, -1));
	CALL(pwrite(fd, buffer, 3, -1));
	CALL(pread(fd, buffer, 3, 23));
	CALL(pread(fd, buffer, 3, 1ll << 40));
	CALL(pread(fd, buffer, 3, INT64_MAX));
	CALL(pwrite(fd, buffer, 3, INT64_MAX));
}

CASE(positioned_on_pipes)
{
	int p[2];
	char c = 0;

	if (pipe(p) < 0)
		return;
	CALL(pread(p[0], &c, 1, 0));
	CALL(pwrite(p[1], &c, 1, 0));
	CALL(pread(p[1], &c, 1, 0));
	CALL(lseek(p[0], 0, SEEK_SET));
	CALL(pread(p[0], &c, 1, -1));
}

CASE(vectors)
{
	char a[4] = "", b[8] = "";
	struct iovec in[3] = {{a, 3}, {NULL, 0}, {b, 7}};
	struct iovec out[3] = {{"xy", 2}, {"", 0}, {"zzz", 3}};
	int fd = temp("0123456789");

	CALL(readv(fd, in, 3));
	NOTE("%s %s", a, b);
	CALL(writev(fd, out, 3));
	show(fd);
	CALL(preadv(fd, in, 3, 8));
	CALL(pwritev(fd, out, 3, 1));
	show(fd);
	CALL(readv(fd, in, 0));
	CALL(writev(fd, NULL, 0));
}

CASE(vector_errors)
{
	struct iovec iov[2] = {{"ab", 2}, {(void *)8, 2}}, bad = {(void *)8, -1}, huge[1025];
	int fd = temp("0123456789");

	memset(huge, 0, sizeof(huge));
	CALL(writev(fd, iov, 2));
	show(fd);
	CALL(readv(fd, &bad, 1));
	CALL(syscall(SYS_writev, fd, huge, 1024));
	CALL(syscall(SYS_writev, fd, huge, 1025));
	CALL(syscall(SYS_writev, fd, huge, -1));
	CALL(syscall(SYS_readv, fd, (void *)8, 1));
	CALL(syscall(SYS_readv, fd, (void *)8, 0));
	CALL(syscall(SYS_readv, 99, (void *)8, 1));
	CALL(preadv(fd, iov, 1, -1));
	iov[0].iov_len = INT64_MAX;
	iov[1].iov_len = INT64_MAX;
	CALL(readv(fd, iov, 2));
}

CASE(vector2)
{
	char a[4] = "";
	struct iovec in = {a, 3}, out = {"XYZ", 3};
	int fd = temp("0123456789");

	CALL(preadv2(fd, &in, 1, -1, 0));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(preadv2(fd, &in, 1, 5, 0));
	NOTE("%s", a);
	CALL(preadv2(fd, &in, 1, -2, 0));
	CALL(pwritev2(fd, &out, 1, 0, 0x10));
	show(fd);
	CALL(pwritev2(fd, &out, 1, 0, 0x10 | 0x20));
	CALL(pwritev2(fd, &out, 1, 0, 0x4000));
	CALL(pwritev2(fd, &out, 1, 0, 0x2 | 0x4));
	show(fd);
}

CASE(no_append)
{
	struct iovec out = {"XYZ", 3};
	int fd;

	temp("0123456789");
	fd = open("f", O_RDWR | O_APPEND);
	CALL(pwritev2(fd, &out, 1, 2, 0x20));
	show(fd);
}

CASE(seeking)
{
	int fd = temp("0123456789");

	CALL(lseek(fd, 5, SEEK_SET));
	CALL(lseek(fd, -2, SEEK_CUR));
	CALL(lseek(fd, -4, SEEK_CUR));
	CALL(lseek(fd, 3, SEEK_END));
	CALL(lseek(fd, -11, SEEK_END));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(lseek(fd, 0, 5));
	CALL(lseek(fd, 0, -1));
	CALL(lseek(fd, -1, SEEK_SET));
	CALL(lseek(99, 0, 99));
	CALL(lseek(fd, 1ll << 40, SEEK_SET));
	CALL(read(fd, (char[1]){0}, 1));
	CALL(lseek(fd, INT64_MAX, SEEK_CUR));
}

CASE(holes)
{
	int fd = temp("");

	CALL(ftruncate(fd, 100000));
	CALL(lseek(fd, 0, SEEK_DATA));
	CALL(lseek(fd, 0, SEEK_HOLE));
	CALL(pwrite(fd, "x", 1, 65536));
	CALL(lseek(fd, 0, SEEK_DATA));
	CALL(lseek(fd, 65536, SEEK_HOLE));
	CALL(lseek(fd, 70000, SEEK_DATA));
	CALL(lseek(fd, 100000, SEEK_DATA));
	CALL(lseek(fd, 100000, SEEK_HOLE));
	CALL(lseek(fd, -1, SEEK_DATA));
	CALL(lseek(fd, 99999, SEEK_HOLE));
}

CASE(small_holes)
{
	char buffer[16];
	int fd = temp("");

	CALL(pwrite(fd, "x", 1, 9000));
	CALL(lseek(fd, 0, SEEK_DATA));
	CALL(lseek(fd, 0, SEEK_HOLE));
	CALL(pread(fd, buffer, 16, 8990));
	NOTE("%d %d", buffer[0], buffer[10]);
}

CASE(write_beyond_end)
{
	char buffer[8];
	int fd = temp("ab");

	CALL(lseek(fd, 5, SEEK_SET));
	CALL(write(fd, "c", 1));
	show(fd);
	CALL(pread(fd, buffer, 8, 0));
}

CASE(big_offsets)
{
	struct stat st;
	char c = 0;
	int fd = temp("");

	CALL(pwrite(fd, "z", 1, 5ll << 30));
	CALL(pread(fd, &c, 1, 5ll << 30));
	NOTE("%c", c);
	fstat(fd, &st);
	NOTE("%lld", (long long)st.st_size);
	CALL(ftruncate(fd, 0));
}

CASE(growing_contents)
{
	static char data[70000], back[70000];
	int fd = temp("");

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i % 251);
	for (size_t at = 0; at < sizeof(data); at += 700)
		if (pwrite(fd, data + at, 700, (off_t)at) != 700)
			NOTE("short at %zu", at);
	CALL(pread(fd, back, sizeof(back), 0));
	NOTE("%d", memcmp(data, back, sizeof(data)));
	CALL(ftruncate(fd, 5000));
	CALL(ftruncate(fd, 20000));
	CALL(pread(fd, back, sizeof(back), 0));
	NOTE("%d %d", back[4999], back[5000]);
}

CASE(large_transfers)
{
	size_t size = 5 << 20;
	char *data = malloc(size), *back = malloc(size);
	int fd = temp("");

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 31 + i / 4096);
	CALL(write(fd, data, size));
	CALL(pread(fd, back, size, 0));
	NOTE("%d", memcmp(data, back, size));
}

CASE(truncation)
{
	int fd = temp("0123456789");

	CALL(ftruncate(fd, 5));
	show(fd);
	CALL(ftruncate(fd, 8));
	show(fd);
	CALL(ftruncate(fd, -1));
	CALL(ftruncate(99, 0));
	CALL(ftruncate(open("f", O_RDONLY), 0));
	CALL(ftruncate(open(".", O_RDONLY), 0));
	CALL(truncate("f", 2));
	show(fd);
	CALL(truncate("f", -1));
	CALL(truncate(".", 0));
	CALL(truncate("none", 0));
	CALL(truncate("", 0));
	CALL(truncate("f/x", 0));
	CALL(syscall(SYS_truncate, (void *)8, 0));
	CALL(mkfifo("p", 0600));
	CALL(truncate("p", 0));
}

CASE(truncate_keeps_position)
{
	int fd = temp("0123456789");

	lseek(fd, 8, SEEK_SET);
	CALL(ftruncate(fd, 2));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(write(fd, "x", 1));
	show(fd);
}

CASE(allocation)
{
	struct stat st;
	int fd = temp("0123456789");

	CALL(fallocate(fd, 0, 0, 20));
	fstat(fd, &st);
	NOTE("%ld", (long)st.st_size);
	CALL(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10000));
	fstat(fd, &st);
	NOTE("%ld", (long)st.st_size);
	CALL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3));
	show(fd);
	CALL(fallocate(fd, 0, 0, 0));
	CALL(fallocate(fd, 0, -1, 1));
	CALL(fallocate(fd, 0, 1, -1));
	CALL(fallocate(fd, 0x1000, 0, 1));
	CALL(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1));
	CALL(fallocate(99, 0, 0, 1));
	CALL(fallocate(open("f", O_RDONLY), 0, 0, 1));
	CALL(fallocate(fd, 0, INT64_MAX, 1));
}

CASE(allocation_of_others)
{
	int p[2];

	if (pipe(p) < 0)
		return;
	CALL(fallocate(p[1], 0, 0, 1));
	CALL(fallocate(open(".", O_RDONLY), 0, 0, 1));
	CALL(ftruncate(p[1], 0));
	CALL(fsync(p[1]));
	CALL(fdatasync(99));
}

static volatile sig_atomic_t exceeded;

static void on_signal(int signo)
{
	exceeded = signo;
}

CASE(file_size_limit)
{
	struct rlimit limit = {10, RLIM_INFINITY};
	int fd = temp("");

	signal(SIGXFSZ, on_signal);
	setrlimit(RLIMIT_FSIZE, &limit);
	CALL(write(fd, "0123456789ab", 12));
	NOTE("%d", (int)exceeded);
	CALL(write(fd, "x", 1));
	NOTE("%d", exceeded == SIGXFSZ);
	exceeded = 0;
	CALL(ftruncate(fd, 11));
	NOTE("%d", exceeded == SIGXFSZ);
	exceeded = 0;
	CALL(pwrite(fd, "x", 1, 100));
	NOTE("%d", exceeded == SIGXFSZ);
	CALL(ftruncate(fd, 5));
	CALL(truncate("f", 12));
	CALL(fallocate(fd, 0, 0, 20));
}

CASE(file_size_limit_kills)
{
	struct rlimit limit = {10, RLIM_INFINITY};
	int fd = temp("");

	setrlimit(RLIMIT_FSIZE, &limit);
	CALL(pwrite(fd, "x", 1, 10));
	NOTE("not reached");
}

CASE(sync_calls)
{
	int fd = temp("x"), dir = open(".", O_RDONLY);

	CALL(fsync(fd));
	CALL(fdatasync(fd));
	CALL(fsync(dir));
	CALL(syncfs(fd));
	CALL(syncfs(99));
	CALL(sync_file_range(fd, 0, 0, 7));
	CALL(sync_file_range(fd, 0, 0, 8));
	CALL(sync_file_range(fd, -1, 0, 0));
	CALL(sync_file_range(fd, 0, -1, 0));
	CALL(sync_file_range(99, 0, 0, 0));
}

CASE(advice)
{
	int p[2], fd = temp("x");

	CALL(syscall(SYS_fadvise64, fd, 0, 0, 0));
	CALL(syscall(SYS_fadvise64, fd, 0, 0, 5));
	CALL(syscall(SYS_fadvise64, fd, 0, 0, 6));
	CALL(syscall(SYS_fadvise64, fd, 0, 0, -1));
	CALL(syscall(SYS_fadvise64, fd, 0, -1, 0));
	CALL(syscall(SYS_fadvise64, 99, 0, 0, 0));
	if (pipe(p) < 0)
		return;
	CALL(syscall(SYS_fadvise64, p[0], 0, 0, 0));
	CALL(readahead(fd, 0, 10));
	CALL(readahead(99, 0, 10));
	CALL(readahead(p[0], 0, 10));
	CALL(readahead(open("f", O_WRONLY), 0, 10));
	CALL(readahead(open(".", O_RDONLY), 0, 10));
}

CASE(setuid_bit_after_write)
{
	struct stat st;
	int fd;

	if (geteuid() != 0)
		SKIP("needs root");
	chmod(".", 0777);
	fd = temp("x");
	fchmod(fd, 06777);
	CALL(setresuid(1234, 1234, 1234));
	CALL(write(fd, "y", 1));
	fstat(fd, &st);
	NOTE("%o", st.st_mode);
}

CASE(shared_position_after_fork)
{
	char c = 0;
	int fd = temp("0123456789");

	if (fork() == 0) {
		char b[3];

		_exit(read(fd, b, 3) == 3 ? 0 : 1);
	}
	wait(NULL);
	CALL(read(fd, &c, 1));
	NOTE("%c", c);
}

CASE(append_from_two_processes)
{
	struct stat st;
	int fd;

	temp("");
	fd = open("f", O_WRONLY | O_APPEND);
	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			int own = open("f", O_WRONLY | O_APPEND);

			for (int n = 0; n < 200; n++)
				if (write(own, "0123456789", 10) != 10)
					_exit(1);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	fstat(fd, &st);
	NOTE("%ld", (long)st.st_size);
}

CASE(mapped_and_written)
{
	int fd = temp("hello world");
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	p[0] = 'J';
	show(fd);
	CALL(pwrite(fd, "W", 1, 6));
	NOTE("%.11s", p);
	q[1] = 'X';
	show(fd);
	NOTE("%.11s", q);
	CALL(ftruncate(fd, 5));
	CALL(ftruncate(fd, 11));
	NOTE("%d", p[6]);
}

CASE(map_modes)
{
	int ro, wo;

	temp("x");
	ro = open("f", O_RDONLY);
	wo = open("f", O_WRONLY);
	CALL(mmap(NULL, 4096, PROT_READ, MAP_SHARED, ro, 0) == MAP_FAILED);
	CALL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED);
	CALL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0) == MAP_FAILED);
	CALL(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, wo, 0) == MAP_FAILED);
	CALL(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, wo, 0) == MAP_FAILED);
	CALL(mprotect(
		mmap(NULL, 4096, PROT_READ, MAP_SHARED, ro, 0), 4096, PROT_READ | PROT_WRITE));
	CALL(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, open(".", O_RDONLY), 0) == MAP_FAILED);
}

CASE(sigpipe)
{
	int p[2];

	if (pipe(p) < 0)
		return;
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	CALL(write(p[1], "x", 1));
	signal(SIGPIPE, SIG_DFL);
	CALL(write(p[1], "x", 1));
	NOTE("not reached");
}
