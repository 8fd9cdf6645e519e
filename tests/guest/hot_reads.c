/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are read again and again, which a sandbox may serve in another way than the first
 * time. */
#include "case.h"

#include <pthread.h>

#define PART (2u << 20)

static char buffer[PART * 2];

static unsigned char pattern(uint64_t at)
{
	return (unsigned char)(at * 7 + (at >> 12) * 13 + (at >> 20));
}

static int make(const char *name, uint64_t size)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);

	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < sizeof(buffer) ? size - at : sizeof(buffer);

		for (size_t i = 0; i < n; i++)
			buffer[i] = (char)pattern(at + i);
		if (write(fd, buffer, n) != (ssize_t)n)
			NOTE("write failed");
		at += n;
	}
	return fd;
}

/* Reads in pieces of @piece from @from to @to by pread. Returns the bytes that are as they should.
 */
static uint64_t check(int fd, char *into, size_t piece, uint64_t from, uint64_t to)
{
	uint64_t good = 0;

	while (from < to) {
		ssize_t n = pread(fd, into, piece, (off_t)from);

		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			good += (unsigned char)into[i] == pattern(from + (uint64_t)i);
		from += (uint64_t)n;
	}
	return good;
}

CASE(small_file)
{
	int fd = make("f", 5000);
	uint64_t good = 0;

	for (int i = 0; i < 400; i++)
		good += check(fd, buffer, 4096, 0, 5000);
	NOTE("%llu", (unsigned long long)good);
	CALL(pread(fd, buffer, 4096, 4000));
	CALL(pread(fd, buffer, 4096, 5000));
	CALL(pread(fd, buffer, 4096, 6000));
}

CASE(positions)
{
	int fd = make("f", 3 * PART + 123), other = open("f", O_RDONLY);
	uint64_t good = 0;
	ssize_t n;

	for (int round = 0; round < 2; round++) {
		uint64_t at = 0;

		lseek(fd, 0, SEEK_SET);
		for (; (n = read(fd, buffer, 50000)) > 0; at += (uint64_t)n) {
			for (ssize_t i = 0; i < n; i++)
				good += (unsigned char)buffer[i] == pattern(at + (uint64_t)i);
		}
		NOTE("%lld", (long long)lseek(fd, 0, SEEK_CUR));
	}
	NOTE("%llu", (unsigned long long)good);
	CALL(lseek(other, 0, SEEK_CUR));
	CALL(read(other, buffer, sizeof(buffer)));
	CALL(read(other, buffer, sizeof(buffer)));
	CALL(read(other, buffer, sizeof(buffer)));
}

CASE(across_parts)
{
	int fd = make("f", 3 * PART);

	NOTE("%llu", (unsigned long long)check(fd, buffer, 1000003, 0, 3 * PART));
	NOTE("%llu", (unsigned long long)check(fd, buffer, sizeof(buffer), 1, 3 * PART));
	NOTE("%llu", (unsigned long long)check(fd, buffer, 4096, PART - 40960 - 1, PART + 40960));
}

CASE(many_parts)
{
	int fd = make("f", 20ull * PART);
	uint64_t good = 0;

	for (int round = 0; round < 2; round++)
		for (uint64_t part = 0; part < 20; part++)
			good += check(fd, buffer, 65536, part * PART, part * PART + 4 * 65536);
	for (uint64_t part = 20; part-- > 0;)
		good += check(fd, buffer, 300000, part * PART, part * PART + 300000);
	NOTE("%llu", (unsigned long long)good);
}

CASE(truncated)
{
	int fd = make("f", 100000);

	NOTE("%llu", (unsigned long long)check(fd, buffer, 4096, 0, 100000));
	NOTE("%llu", (unsigned long long)check(fd, buffer, 65536, 0, 100000));
	NOTE("%llu", (unsigned long long)check(fd, buffer, 65536, 0, 100000));
	CALL(ftruncate(fd, 70000));
	CALL(pread(fd, buffer, 65536, 4500));
	CALL(pread(fd, buffer, 65536, 65536));
	CALL(pread(fd, buffer, 65536, 70000));
	CALL(ftruncate(fd, 100000));
	CALL(pread(fd, buffer, 65536, 69998));
	NOTE("%d %d", (unsigned char)buffer[1] == pattern(69999), buffer[2]);
	CALL(ftruncate(fd, 0));
	CALL(pread(fd, buffer, 65536, 0));
}

CASE(rewritten)
{
	int fd = make("f", 100000);

	for (int i = 0; i < 5; i++)
		check(fd, buffer, 65536, 0, 100000);
	CALL(pwrite(fd, "changed", 7, 40000));
	CALL(pread(fd, buffer, 65536, 0));
	NOTE("%.7s", buffer + 40000);
	CALL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 40960, 4096));
	CALL(pread(fd, buffer, 65536, 0));
	NOTE("%.7s %d %d", buffer + 40000, buffer[40960],
		(unsigned char)buffer[45056] == pattern(45056));
}

CASE(replaced)
{
	int fd = make("f", 100000), other;

	for (int i = 0; i < 5; i++)
		check(fd, buffer, 65536, 0, 100000);
	close(fd);
	CALL(unlink("f"));
	other = open("f", O_CREAT | O_RDWR, 0644);
	for (int i = 0; i < 100; i++)
		if (write(other, "other content .", 15) != 15)
			NOTE("write failed");
	CALL(pread(other, buffer, 65536, 0));
	NOTE("%.15s", buffer + 1485);
}

CASE(bad_addresses)
{
	char *p = mmap(NULL, 4096 * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = make("f", 200000), shorter = open("g", O_CREAT | O_RDWR, 0644);
	char *shared;

	for (int i = 0; i < 5; i++)
		check(fd, buffer, 65536, 0, 200000);
	mprotect(p + 4096 * 4, 4096 * 4, PROT_NONE);
	CALL(pread(fd, p, 4096 * 8, 0));
	CALL(pread(fd, p + 4096 * 4, 4096, 0));
	/* Writable by its mapping, but there is nothing behind the file's end. */
	if (ftruncate(shorter, 4096) < 0)
		NOTE("ftruncate failed");
	shared = mmap(NULL, 4096 * 4, PROT_READ | PROT_WRITE, MAP_SHARED, shorter, 0);
	CALL(pread(fd, shared + 4096, 4096 * 2, 0));
}

CASE(forked)
{
	int fd = make("f", 300000);

	check(fd, buffer, 65536, 0, 300000);
	check(fd, buffer, 65536, 0, 300000);
	if (fork() == 0) {
		NOTE("%llu", (unsigned long long)check(fd, buffer, 65536, 0, 300000));
		NOTE("%llu", (unsigned long long)check(fd, buffer, 65536, 0, 300000));
		fflush(NULL);
		_exit(0);
	}
	wait(NULL);
	NOTE("%llu", (unsigned long long)check(fd, buffer, 65536, 0, 300000));
}

static void *reader(void *arg)
{
	uint64_t *good = arg, seed = *good;
	char *mine = malloc(150000);

	*good = 0;
	for (int i = 0; i < 150; i++) {
		uint64_t part;

		seed = seed * 6364136223846793005ull + 1;
		part = (seed >> 33) % 20;
		*good += check((int)(seed >> 60) % 2 + 100, mine, 70000, part * PART,
			part * PART + 140000);
	}
	free(mine);
	return NULL;
}

CASE(threads)
{
	uint64_t good[4];
	pthread_t threads[4];

	dup2(make("f", 20ull * PART), 100);
	dup2(make("g", 20ull * PART), 101);
	for (int i = 0; i < 4; i++) {
		good[i] = (uint64_t)i + 1;
		pthread_create(&threads[i], NULL, reader, &good[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		NOTE("%llu", (unsigned long long)good[i]);
	}
}

CASE(program_file)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct stat st;
	char *map;
	int differ = 0;

	fstat(fd, &st);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	for (int round = 0; round < 10; round++)
		for (off_t at = 0; at < st.st_size; at += 30000) {
			ssize_t n = pread(fd, buffer, 30000, at);

			differ += n <= 0 || memcmp(buffer, map + at, (size_t)n) != 0;
		}
	NOTE("%d differ", differ);
}
