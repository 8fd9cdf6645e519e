/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are read again and again, which a sandbox may serve in another way than the first
 * time. */
#include "case.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
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
