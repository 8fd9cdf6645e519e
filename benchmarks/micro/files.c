/* SPDX-License-Identifier: Apache-2.0 */
/* Files: the read-only tree is /usr, the memory file system is /dev/shm; both are there natively
 * and in a sandbox. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "micro.h"

static const char read_only_file[] = "/usr/bin/env";
static const char memory_file[] = "/dev/shm/bench-file";

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		die(path);
	return fd;
}

static void op_read_zero(long count)
{
	int fd = open_or_die("/dev/zero", O_RDONLY);
	char byte;

	while (count--)
		if (read(fd, &byte, 1) != 1)
			die("read");
	close(fd);
}

static void op_write_null(long count)
{
	int fd = open_or_die("/dev/null", O_WRONLY);

	while (count--)
		if (write(fd, "x", 1) != 1)
			die("write");
	close(fd);
}

static void op_stat(long count)
{
	struct stat st;

	while (count--)
		if (stat(read_only_file, &st) < 0)
			die("stat");
}

static void op_stat_missing(long count)
{
	struct stat st;

	while (count--)
		if (stat("/usr/bin/no-such-file", &st) == 0)
			die("stat");
}

static void op_stat_tmpfs(long count)
{
	struct stat st;

	close(open_or_die(memory_file, O_RDWR | O_CREAT));
	bench_start();
	while (count--)
		if (stat(memory_file, &st) < 0)
			die("stat");
}

static void op_open_close(long count)
{
	while (count--)
		close(open_or_die(read_only_file, O_RDONLY));
}

static void op_fstat(long count)
{
	int fd = open_or_die(read_only_file, O_RDONLY);
	struct stat st;

	while (count--)
		if (fstat(fd, &st) < 0)
			die("fstat");
	close(fd);
}

static void op_lseek(long count)
{
	int fd = open_or_die(read_only_file, O_RDONLY);

	while (count--)
		if (lseek(fd, count & 4095, SEEK_SET) < 0)
			die("lseek");
	close(fd);
}

/* The start of a file of the size of @size at least: read, or written, again and again. */
static void transfer(long count, int fd, size_t size, ssize_t (*once)(int, void *, size_t))
{
	static char buffer[65536];

	bench_start();
	while (count--)
		if (once(fd, buffer, size) != (ssize_t)size)
			die("transfer");
	bench_stop();
	close(fd);
}

static ssize_t read_start(int fd, void *buffer, size_t size)
{
	return pread(fd, buffer, size, 0);
}

static ssize_t write_start(int fd, void *buffer, size_t size)
{
	return pwrite(fd, buffer, size, 0);
}

static int open_large(void)
{
	/* A program that every machine with this benchmark has, and that is large enough. */
	return open_or_die("/usr/bin/python3", O_RDONLY);
}

static int open_memory(void)
{
	static const char zeros[65536];
	int fd = open_or_die(memory_file, O_RDWR | O_CREAT);

	/* With pages of its own, as most files have them. */
	if (pwrite(fd, zeros, sizeof(zeros), 0) != sizeof(zeros))
		die("pwrite");
	return fd;
}

static void op_pread_4k(long count)
{
	transfer(count, open_large(), 4096, read_start);
}

static void op_pread_64k(long count)
{
	transfer(count, open_large(), 65536, read_start);
}

static void op_pread_4k_tmpfs(long count)
{
	transfer(count, open_memory(), 4096, read_start);
}

static void op_pread_64k_tmpfs(long count)
{
	transfer(count, open_memory(), 65536, read_start);
}

static void op_pwrite_4k_tmpfs(long count)
{
	transfer(count, open_memory(), 4096, write_start);
}

static void op_pwrite_64k_tmpfs(long count)
{
	transfer(count, open_memory(), 65536, write_start);
}

/* A whole directory, and a large one. */
static void op_getdents(long count)
{
	static char buffer[32768];
	int fd = open_or_die("/usr/bin", O_RDONLY | O_DIRECTORY);

	while (count--) {
		ssize_t n;

		if (lseek(fd, 0, SEEK_SET) < 0)
			die("lseek");
		do
			n = getdents64(fd, buffer, sizeof(buffer));
		while (n > 0);
		if (n < 0)
			die("getdents64");
	}
	close(fd);
}

static void op_create_unlink(long count)
{
	while (count--) {
		close(open_or_die("/dev/shm/bench-create", O_CREAT | O_RDWR));
		if (unlink("/dev/shm/bench-create") < 0)
			die("unlink");
	}
}

const struct bench bench_files[] = {
	{"read-zero", op_read_zero},
	{"write-null", op_write_null},
	{"stat", op_stat},
	{"stat-missing", op_stat_missing},
	{"stat-tmpfs", op_stat_tmpfs},
	{"open-close", op_open_close},
	{"fstat", op_fstat},
	{"lseek", op_lseek},
	{"pread-4k", op_pread_4k},
	{"pread-64k", op_pread_64k},
	{"pread-4k-tmpfs", op_pread_4k_tmpfs},
	{"pread-64k-tmpfs", op_pread_64k_tmpfs},
	{"pwrite-4k-tmpfs", op_pwrite_4k_tmpfs},
	{"pwrite-64k-tmpfs", op_pwrite_64k_tmpfs},
	{"getdents", op_getdents},
	{"create-unlink", op_create_unlink},
	{0},
};
