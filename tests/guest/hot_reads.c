/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are read again and again, which a sandbox may serve in another way than the first
 * time. */
#include "case.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/inotify.h>
#include <sys/prctl.h>

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

/* ---- the same part again and again ---- */

static void make_hot(int fd)
{
	uint64_t good = 0;

	for (int i = 0; i < 5; i++)
		good += check(fd, buffer, 65536, 0, 1 << 20);
	NOTE("read %llu", (unsigned long long)good);
}

static void first_bytes(const char *what, int fd, off_t at)
{
	unsigned char byte[3000] = {0};
	ssize_t n[3];

	for (int i = 0; i < 3; i++) {
		errno = 0;
		n[i] = pread(fd, byte, sizeof(byte), at);
	}
	NOTE("%s: %zd %zd %zd %s %d %d", what, n[0], n[1], n[2], n[2] < 0 ? errno_name(errno) : "",
		byte[0], byte[2999]);
}

CASE(hot_part_edges)
{
	int fd = make("f", 5 << 20), only;

	make_hot(fd);
	first_bytes("begin", fd, 0);
	first_bytes("over a part's end", fd, PART - 1000);
	first_bytes("in the next", fd, PART);
	first_bytes("back", fd, 4096);
	first_bytes("at the end", fd, (5 << 20) - 10);
	first_bytes("behind it", fd, 5 << 20);
	first_bytes("before it", fd, -1);
	first_bytes("begin", fd, 0);
	for (int i = 0; i < 3; i++) {
		CALL(pread(fd, buffer, 0, 0));
		CALL(pread(fd, BAD_ADDRESS, 4096, 0));
		CALL(pread(fd, BAD_ADDRESS, 0, 0));
		CALL(pread(fd, (void *)~0ull, 4096, 0));
		CALL(pread(fd, buffer, SIZE_MAX, 0));
		CALL(pread(fd, buffer, 4096, 0));
		CALL(lseek(fd, 0, SEEK_CUR));
	}
	only = open("f", O_WRONLY);
	CALL(pread(only, buffer, 4096, 0));
	CALL(pread(fd, buffer, 4096, 0));
}

/* Whatever happens to the file between two reads. */
CASE(hot_part_changes)
{
	int fd = make("f", 1 << 20), other, status;
	pid_t pid;

	make_hot(fd);
	close(fd);
	fd = open("f", O_RDWR);
	make_hot(fd);
	first_bytes("opened anew", fd, 0);
	CALL(pwrite(fd, "xyz", 3, 0));
	first_bytes("written", fd, 0);
	other = open("f", O_WRONLY);
	CALL(pwrite(other, "X", 1, 0));
	first_bytes("by another descriptor", fd, 0);
	close(other);
	close(fd);
	fd = open("f", O_RDONLY);
	first_bytes("for reading", fd, 0);
	first_bytes("for reading", fd, 0);
	if ((pid = fork()) == 0) {
		first_bytes("a child", fd, 0);
		truncate("f", 1000);
		exit(0);
	}
	waitpid(pid, &status, 0);
	first_bytes("shorter", fd, 0);
	CALL(truncate("f", 8192));
	first_bytes("longer", fd, 0);
	first_bytes("longer", fd, 2000);
	CALL(dup2(open("/dev/null", O_RDONLY), fd));
	first_bytes("another file", fd, 0);
	close(fd);
	first_bytes("closed", fd, 0);
}

/* Another process changes the file; the reader makes no call to learn of it. */
CASE(hot_part_changed_by_another)
{
	volatile int *turn =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = make("f", 1 << 20), status, wrong = 0;
	unsigned char byte[4096];
	pid_t pid;

	close(fd);
	alarm(150);
	if ((pid = fork()) == 0) {
		int other = open("f", O_RDWR);

		for (int i = 1; i <= 40; i++) {
			while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) != i)
				sched_yield();
			if (i > 20)
				other = open("f", O_RDWR);
			byte[0] = (unsigned char)i;
			if (i % 2)
				pwrite(other, byte, 1, 0);
			else
				ftruncate(other, i % 4 ? 100 + i : 1 << 20);
			/* At first somebody has it open for writing all the time. */
			if (i >= 20)
				close(other);
			__atomic_store_n(turn, -i, __ATOMIC_SEQ_CST);
		}
		exit(0);
	}
	for (int i = 1; i <= 40; i++) {
		ssize_t n = 0, size = i % 4 == 2 || i % 4 == 3 ? 100 + (i & ~1) : 4096;

		fd = open("f", O_RDONLY);
		for (int k = 0; k < 100; k++)
			n = pread(fd, byte, sizeof(byte), 0);
		__atomic_store_n(turn, i, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) != -i)
			sched_yield();
		n = pread(fd, byte, sizeof(byte), 0);
		wrong += n != size || byte[0] != ((i - 1) | 1);
		close(fd);
	}
	waitpid(pid, &status, 0);
	note_status("other", status);
	NOTE("wrong %d", wrong);
}

/* A library of the read-only tree; the next file gets the same descriptor. */
CASE(hot_part_of_another_file)
{
	char bytes[2][4096];
	int same = 0;

	for (int i = 0; i < 60; i++) {
		int fd = open(i % 2 ? "/usr/bin/env" : "/bin/sh", O_RDONLY);

		for (int k = 0; k < 5; k++)
			pread(fd, bytes[i % 2], 4096, 4096);
		same += memcmp(bytes[0], bytes[1], 4096) == 0;
		close(fd);
	}
	NOTE("same %d", same);
}

static int events(int watch)
{
	char room[4096];
	ssize_t n = read(watch, room, sizeof(room));

	return n <= 0 ? 0 : 1;
}

CASE(hot_part_is_watched)
{
	int fd = make("f", 1 << 20), watch = inotify_init1(IN_NONBLOCK), seen = 0;

	close(fd);
	fd = open("f", O_RDONLY);
	make_hot(fd);
	first_bytes("before", fd, 0);
	CALL(inotify_add_watch(watch, "f", IN_ACCESS));
	for (int i = 0; i < 10; i++) {
		pread(fd, buffer, 4096, 0);
		seen += events(watch);
	}
	NOTE("seen %d", seen);
	close(fd);
	fd = open("f", O_RDONLY);
	for (int i = 0; i < 10; i++) {
		pread(fd, buffer, 4096, 0);
		seen += events(watch);
	}
	NOTE("seen %d", seen);
}

/* ---- the end of a listing ---- */

static int names_left(int fd)
{
	char *at, room[4096];
	int count = 0;
	long n = SYS(SYS_getdents64, fd, room, sizeof(room));

	if (n < 0)
		return -errno;
	for (at = room; at < room + n; at += *(unsigned short *)(at + 16))
		count++;
	return count;
}

CASE(listing_ends)
{
	int fd, other, watch = inotify_init1(IN_NONBLOCK), seen = 0;

	CALL(mkdir("d", 0755));
	CALL(mkdir("d/a", 0755));
	for (int i = 0; i < 3; i++) {
		fd = open("d", O_RDONLY | O_DIRECTORY);
		NOTE("%d %d %d", names_left(fd), names_left(fd), names_left(fd));
		CALL(SYS(SYS_getdents64, fd, buffer, 0));
		CALL(SYS(SYS_getdents64, fd, buffer, 10));
		CALL(lseek(fd, 0, SEEK_SET));
		NOTE("%d %d", names_left(fd), names_left(fd));
		CALL(lseek(fd, 0, SEEK_SET));
		CALL(SYS(SYS_getdents64, fd, buffer, 10));
		CALL(SYS(SYS_getdents64, fd, BAD_ADDRESS, 4096));
		NOTE("%d %d", names_left(fd), names_left(fd));
		other = dup(fd);
		NOTE("%d", names_left(other));
		CALL(lseek(other, 0, SEEK_SET));
		NOTE("%d %d", names_left(fd), names_left(fd));
		close(other);
		close(fd);
	}
	fd = open("d", O_RDONLY | O_DIRECTORY);
	NOTE("%d %d", names_left(fd), names_left(fd));
	CALL(inotify_add_watch(watch, "d", IN_ACCESS));
	for (int i = 0; i < 10; i++) {
		names_left(fd);
		seen += events(watch);
	}
	NOTE("seen %d", seen);
	close(fd);
	fd = open("d/a", O_RDONLY | O_DIRECTORY);
	NOTE("%d %d", names_left(fd), names_left(fd));
	CALL(rmdir("d/a"));
	NOTE("removed: %d %d", names_left(fd), names_left(fd));
	close(fd);
	fd = open("d", O_WRONLY | O_CREAT, 0600);
	NOTE("%d", names_left(fd));
	fd = open("d", O_PATH);
	NOTE("%d", names_left(fd));
	fd = open("/dev/null", O_RDONLY);
	NOTE("%d", names_left(fd));
}

/* ---- who gives up rights has nothing of what he read ---- */

static sigjmp_buf nothing_there;

static void no_memory(int signo)
{
	siglongjmp(nothing_there, 1);
}

/*
 * Pages in the part of the address space where a sandbox may keep what it read for the guest, above
 * all that a guest maps, with the pattern of page 3 of the file.
 */
static unsigned pages_at_hand(void)
{
	volatile unsigned found = 0;
	struct sigaction action = {.sa_handler = no_memory, .sa_flags = SA_NODEFER};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	for (volatile uint64_t at = 0; at < 32ull << 20; at += PART) {
		const volatile unsigned char *page =
			(const unsigned char *)(0x7ffb40000000ull + at + 3 * 4096);
		bool same = true;

		if (sigsetjmp(nothing_there, 1))
			continue;
		for (unsigned i = 0; i < 4096 && same; i++)
			same = page[i] == pattern(3 * 4096 + i);
		found += same;
	}
	return found;
}

static void become_nobody(void)
{
	CALL(setresuid(65534, 65534, 65534));
}

static void lose_capabilities(void)
{
	CALL(setresuid(0, 65534, -1));
	CALL(setresuid(0, 0, -1));
}

static void change_root(void)
{
	CALL(chroot("."));
}

static void filter_calls(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};

	CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CALL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void own_namespace(void)
{
	CALL(unshare(CLONE_NEWNS));
}

static void *read_on(void *arg)
{
	int fd = *(int *)arg;
	uint64_t good = 0;

	for (int i = 0; i < 100; i++)
		good += check(fd, malloc(65536), 65536, 0, 1 << 20);
	return good == 100ull << 20 ? arg : NULL;
}

CASE(given_up_rights)
{
	static void (*const ways[])(void) = {
		become_nobody, lose_capabilities, change_root, filter_calls, own_namespace};

	if (geteuid() != 0)
		SKIP("needs root");
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			int fd = make("secret", 1 << 20);
			uint64_t good = 0;

			CALL(fchmod(fd, 0600));
			for (int k = 0; k < 5; k++)
				good += check(fd, buffer, 65536, 0, 1 << 20);
			NOTE("read %llu", (unsigned long long)good);
			close(fd);
			ways[i]();
			NOTE("still there: %u", pages_at_hand());
			exit(0);
		}
		waitpid(pid, &status, 0);
		note_status("way", status);
	}
}

/* One thread reads while the others of its process change theirs. */
CASE(given_up_rights_beside_a_reader)
{
	pthread_t thread;
	void *whole;
	int fd;

	if (geteuid() != 0)
		SKIP("needs root");
	fd = make("f", 1 << 20);
	pthread_create(&thread, NULL, read_on, &fd);
	for (int i = 0; i < 200; i++) {
		SYS(SYS_setresuid, -1, 65534, -1);
		SYS(SYS_setresuid, -1, 0, -1);
	}
	pthread_join(thread, &whole);
	NOTE("read all: %d", whole != NULL);
}
