/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings and page faults. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "micro.h"

enum { PAGE = 4096, WRITABLE = PROT_READ | PROT_WRITE };

static char *map_or_die(size_t size, int prot, int flags, int fd)
{
	char *p = mmap(NULL, size, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static char *map_anonymous(size_t size)
{
	return map_or_die(size, WRITABLE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* Reads or writes a byte of each page. */
static void touch(volatile char *p, size_t size, int writing)
{
	for (size_t at = 0; at < size; at += PAGE) {
		if (writing)
			p[at] = 1;
		else
			(void)p[at];
	}
}

static void op_mmap_touch(long count)
{
	while (count--) {
		char *p = map_anonymous(65536);

		touch(p, 65536, 1);
		munmap(p, 65536);
	}
}

static void op_mmap_file(long count)
{
	int fd = open("/usr/bin/python3", O_RDONLY);

	if (fd < 0)
		die("python3");
	while (count--) {
		char *p = map_or_die(65536, PROT_READ, MAP_PRIVATE, fd);

		touch(p, 65536, 0);
		munmap(p, 65536);
	}
	close(fd);
}

static void op_mprotect(long count)
{
	char *p = map_anonymous(65536);

	touch(p, 65536, 1);
	bench_start();
	while (count--)
		if (mprotect(p, PAGE, count & 1 ? PROT_READ : WRITABLE) < 0)
			die("mprotect");
	bench_stop();
	munmap(p, 65536);
}

/* Up by a page, which is touched, and down again. */
static void op_brk(long count)
{
	while (count--) {
		char *old = sbrk(PAGE);

		if (old == (char *)-1)
			die("sbrk");
		*old = 1;
		sbrk(-PAGE);
	}
}

/* One fault each: the mapping is a small part of it. */
static void op_page_fault(long count)
{
	const size_t pages = 4096;

	while (count > 0) {
		size_t n = count < (long)pages ? (size_t)count : pages;
		char *p = map_anonymous(pages * PAGE);

		madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
		touch(p, n * PAGE, 1);
		munmap(p, pages * PAGE);
		count -= (long)n;
	}
}

static void op_madvise(long count)
{
	char *p = map_anonymous(65536);

	bench_start();
	while (count--) {
		*(volatile char *)p = 1;
		if (madvise(p, 65536, MADV_DONTNEED) < 0)
			die("madvise");
	}
	bench_stop();
	munmap(p, 65536);
}

const struct bench bench_memory[] = {
	{"mmap-touch-64k", op_mmap_touch},
	{"mmap-file-64k", op_mmap_file},
	{"mprotect", op_mprotect},
	{"brk", op_brk},
	{"page-fault", op_page_fault},
	{"madvise", op_madvise},
	{0},
};
