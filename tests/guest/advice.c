/* SPDX-License-Identifier: Apache-2.0 */
/* madvise, msync, mincore and the mlock family. */
#include <sys/resource.h>

#include "memory.h"

/* ---- madvise --------------------------------------------------------------------------------- */

CASE(madvise_arguments)
{
	char *p = anon(4);

	CALL(madvise(p + 1, P, MADV_NORMAL));
	CALL(madvise(p, P, 12345));
	CALL(madvise(p, 0, MADV_DONTNEED));
	CALL(madvise(p, 0, 12345));
	CALL(SYS(SYS_madvise, p, -P, MADV_DONTNEED));
	munmap(p + P, P);
	CALL(madvise(p, 3 * P, MADV_NORMAL));
	CALL(madvise(p + P, P, MADV_NORMAL));
}

CASE(madvise_plain_advice)
{
	char *p = anon(4);
	static const int advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT};

	memset(p, 1, 4 * P);
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		CALL(madvise(p, 4 * P, advice[i]));
	NOTE("%d", p[0]);
}

CASE(madvise_dontneed)
{
	int fd = file_of("f", P);
	char *p = anon(2), *f = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	memset(p, 1, 2 * P);
	CALL(madvise(p, P, MADV_DONTNEED));
	NOTE("%d %d", p[0], p[P]);
	f[0] = 'X';
	CALL(madvise(f, P, MADV_DONTNEED));
	NOTE("%c", f[0]);
}

CASE(madvise_dontneed_with_hole)
{
	char *p = anon(3);

	memset(p, 1, 3 * P);
	munmap(p + P, P);
	CALL(madvise(p, 3 * P, MADV_DONTNEED));
	NOTE("%d %d", p[0], p[2 * P]);
}

CASE(madvise_free)
{
	int fd = file_of("f", P);
	char *p = anon(1), *f = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CALL(madvise(p, P, MADV_FREE));
	CALL(madvise(f, P, MADV_FREE));
}

CASE(madvise_dontfork)
{
	char *p = anon(3);
	pid_t pid;

	memset(p, 1, 3 * P);
	CALL(madvise(p + P, P, MADV_DONTFORK));
	pid = fork();
	if (pid == 0) {
		probe("child keeps", p);
		probe("child lacks", p + P);
		_exit(0);
	}
	note_wait("child", pid);
	NOTE("%d", p[P]);
	CALL(madvise(p + P, P, MADV_DOFORK));
	pid = fork();
	if (pid == 0)
		_exit(p[P]);
	note_wait("child", pid);
}

CASE(madvise_wipeonfork)
{
	int fd = file_of("f", P);
	char *p = anon(2), *f = mmap(NULL, P, PROT_READ, MAP_PRIVATE, fd, 0);
	pid_t pid;

	memset(p, 1, 2 * P);
	CALL(madvise(p, P, MADV_WIPEONFORK));
	CALL(madvise(f, P, MADV_WIPEONFORK));
	pid = fork();
	if (pid == 0) {
		NOTE("child has %d %d", p[0], p[P]);
		_exit(0);
	}
	note_wait("child", pid);
	NOTE("parent has %d", p[0]);
	CALL(madvise(p, P, MADV_KEEPONFORK));
	pid = fork();
	if (pid == 0)
		_exit(p[0]);
	note_wait("child", pid);
}

CASE(madvise_remove)
{
	int fd = memfd_create("m", 0);
	char *p, *q = anon(1);

	ftruncate(fd, 2 * P);
	p = mmap(NULL, 2 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(p, 1, 2 * P);
	CALL(madvise(p, P, MADV_REMOVE));
	NOTE("%d %d", p[0], p[P]);
	CALL(madvise(q, P, MADV_REMOVE));
}

CASE(madvise_populate)
{
	char *p = anon(4);

	CALL(madvise(p, 4 * P, MADV_POPULATE_WRITE));
	CALL(madvise(p, 4 * P, MADV_POPULATE_READ));
	mprotect(p, P, PROT_READ);
	CALL(madvise(p, P, MADV_POPULATE_WRITE));
	mprotect(p, P, PROT_NONE);
	CALL(madvise(p, P, MADV_POPULATE_READ));
	munmap(p, P);
	CALL(madvise(p, 2 * P, MADV_POPULATE_READ));
}

CASE(madvise_dump_and_poison)
{
	char *p = anon(1);

	CALL(madvise(p, P, MADV_DONTDUMP));
	CALL(madvise(p, P, MADV_DODUMP));
	drop();
	CALL(madvise(p, P, MADV_HWPOISON));
	CALL(madvise(p, P, 101));
}

/* ---- msync, mincore, mlock
 * ---------------------------------------------------------------------------------------------- */

CASE(msync_arguments)
{
	int fd = file_of("f", 2 * P);
	char *p = mmap(NULL, 2 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *q = anon(2);

	CALL(msync(p, 2 * P, MS_ASYNC));
	CALL(msync(p, 2 * P, MS_SYNC | MS_INVALIDATE));
	CALL(msync(p, 2 * P, 0));
	CALL(msync(p, 2 * P, MS_SYNC | MS_ASYNC));
	CALL(msync(p, P, 64));
	CALL(msync(p + 1, P, MS_SYNC));
	CALL(msync(p, 0, MS_SYNC));
	CALL(msync(q, 2 * P, MS_SYNC));
	munmap(q, P);
	CALL(msync(q, 2 * P, MS_SYNC));
	CALL(SYS(SYS_msync, q, -P, MS_SYNC));
}

CASE(mincore_arguments)
{
	unsigned char vec[8] = {0};
	char *p = anon(4);

	memset(p, 1, 4 * P);
	CALL(mincore(p, 4 * P, vec));
	NOTE("%d %d %d %d", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
	CALL(mincore(p + 1, P, vec));
	CALL(mincore(p, 0, vec));
	CALL(mincore(p, 4 * P, BAD_ADDRESS));
	munmap(p + P, P);
	CALL(mincore(p, 4 * P, vec));
	CALL(SYS(SYS_mincore, p, -P, vec));
}

CASE(mlock_and_limits)
{
	struct rlimit limit = {64 << 10, 64 << 10};
	char *p = anon(64);

	CALL(setrlimit(RLIMIT_MEMLOCK, &limit));
	drop();
	CALL(mlock(p, 8 * P));
	CALL(mlock(p, 8 * P));
	CALL(mlock(p, 64 * P));
	CALL(munlock(p, 8 * P));
	CALL(mlock(p + 1, 1));
	CALL(munlock(p, P));
	CALL(SYS(SYS_mmap, 0, 64 * P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
	OK(SYS(SYS_mmap, 0, 2 * P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
	CALL(mlockall(MCL_CURRENT));
}

CASE(mlock_without_any_right)
{
	struct rlimit limit = {0, 0};
	char *p = anon(1);

	setrlimit(RLIMIT_MEMLOCK, &limit);
	drop();
	CALL(mlock(p, P));
	CALL(mlockall(MCL_CURRENT));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
	CALL(munlock(p, P));
	CALL(munlockall());
}

CASE(mlock_arguments)
{
	char *p = anon(3);

	munmap(p + P, P);
	CALL(mlock(p, 3 * P));
	CALL(mlock(p, 0));
	CALL(munlock(p + P, P));
	CALL(SYS(SYS_mlock2, p, P, 2));
	CALL(SYS(SYS_mlock2, p, P, 1));
	CALL(mlockall(0));
	CALL(mlockall(64));
	CALL(mlockall(4));
	CALL(mlock(p, P));
	CALL(madvise(p, P, MADV_DONTNEED));
	CALL(msync(p, P, MS_INVALIDATE));
	CALL(munlockall());
	CALL(madvise(p, P, MADV_DONTNEED));
}
