/* SPDX-License-Identifier: Apache-2.0 */
/* mmap, munmap, mprotect, mremap, brk and their limits. */
#include <sys/resource.h>

#include "memory.h"

/* ---- mmap ------------------------------------------------------------------------------------ */

CASE(anonymous_is_zero)
{
	char *p = anon(4);

	for (int i = 0; i < 4; i++)
		NOTE("%d", p[i * P]);
	p[0] = 1;
	p[4 * P - 1] = 2;
	CALL(munmap(p, 4 * P));
	probe("unmapped", p);
}

CASE(mmap_bad_arguments)
{
	CALL(SYS(SYS_mmap, 0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_ANONYMOUS, -1, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, 4 | MAP_ANONYMOUS, -1, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE, -1, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE, 77, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1));
	CALL(SYS(SYS_mmap, 0, -1ul, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CALL(SYS(SYS_mmap, 0, 1ul << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
}

CASE(mmap_fixed_bad_addresses)
{
	CALL(SYS(SYS_mmap, 1, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	CALL(SYS(SYS_mmap, 0x7ffffffff000, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		-1, 0));
	CALL(SYS(SYS_mmap, -P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	CALL(SYS(
		SYS_mmap, 1ul << 60, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

CASE(mmap_fixed_null_needs_rights)
{
	drop();
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

CASE(mmap_fixed_replaces)
{
	char *p = anon(3);

	memset(p, 7, 3 * P);
	TRUTH(mmap(p + P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + P);
	NOTE("%d %d %d", p[0], p[P], p[2 * P]);
	probe("middle", p + P);
	probe("end", p + 2 * P);
}

CASE(mmap_fixed_noreplace)
{
	char *p = anon(3);

	CALL(SYS(SYS_mmap, p, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		0));
	CALL(SYS(SYS_mmap, p - P, 2 * P, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	CALL(munmap(p + P, P));
	TRUTH(mmap(p + P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
		p + P);
	CALL(SYS(SYS_mmap, p + 1, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		-1, 0));
}

CASE(mmap_hint_is_taken_when_free)
{
	char *p = anon(8);

	munmap(p + 2 * P, 4 * P);
	TRUTH(mmap(p + 3 * P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p + 3 * P);
	TRUTH(mmap(p + 4 * P + 5, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p + 4 * P);
	TRUTH(mmap(p, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != p);
}

CASE(mmap_is_top_down_and_fills_gaps)
{
	char *a = anon(16), *b = anon(16);

	TRUTH(b < a);
	munmap(a, 16 * P);
	TRUTH(anon(16) == a);
}

CASE(mmap_32bit)
{
	char *p = mmap(NULL, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	TRUTH(p != MAP_FAILED && (unsigned long)p < 1ul << 31);
}

static void *map_low(unsigned long hint, int flags)
{
	return mmap(
		(void *)hint, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT | flags, -1, 0);
}

CASE(mmap_32bit_hint)
{
	TRUTH(map_low(0x50000000, 0) == (void *)0x50000000);
	TRUTH(map_low(0x50000000, 0) != (void *)0x50000000);
	TRUTH((unsigned long)map_low(0x50000000, 0) < 1ul << 31);
	TRUTH(map_low(0x20000000, 0) == (void *)0x20000000);
	TRUTH((unsigned long)map_low(0x7ffff000, 0) == 0x7ffff000);
	TRUTH((unsigned long)map_low(0x80000000, 0) < 1ul << 31);
	TRUTH((unsigned long)map_low(0x700000000000, 0) < 1ul << 31);
	TRUTH(map_low(0x700000000000, MAP_FIXED_NOREPLACE) == (void *)0x700000000000);
}

CASE(mmap_private_file)
{
	int fd = file_of("f", 2 * P);
	char *p = mmap(NULL, 2 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char c;

	NOTE("%c %c", p[0], p[P]);
	p[0] = 'X';
	pread(fd, &c, 1, 0);
	NOTE("file still %c", c);
	pwrite(fd, "Y", 1, P);
	NOTE("page not yet touched for writing: %c", p[P]);
	close(fd);
	NOTE("%c", p[0]);
}

CASE(mmap_shared_file)
{
	int fd = file_of("f", 2 * P);
	char *p = mmap(NULL, 2 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, P, PROT_READ, MAP_SHARED, fd, P);
	char c;

	p[0] = 'X';
	pread(fd, &c, 1, 0);
	NOTE("file has %c", c);
	p[P] = 'Z';
	NOTE("other mapping has %c", q[0]);
	pwrite(fd, "W", 1, 1);
	NOTE("mapping has %c", p[1]);
	CALL(msync(p, 2 * P, MS_SYNC));
}

CASE(mmap_offset)
{
	int fd = file_of("f", 4 * P);
	char *p = mmap(NULL, P, PROT_READ, MAP_PRIVATE, fd, 2 * P);

	NOTE("%c", p[0]);
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE, fd, 100));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE, fd, -P));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_SHARED, fd, 0x7ffffffffffff000));
}

CASE(mmap_beyond_end_of_file)
{
	int fd = file_of("f", 100);
	char *p = mmap(NULL, 3 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	probe("in file", p);
	probe("rest of the page", p + 200);
	probe("page behind", p + P);
	ftruncate(fd, 2 * P);
	probe("page behind, now in file", p + P);
	ftruncate(fd, 0);
	probe("page no longer in file", p);
}

CASE(mmap_access_modes)
{
	file_of("f", P);
	int r = open("f", O_RDONLY), w = open("f", O_WRONLY), path = open("f", O_PATH);

	OK(SYS(SYS_mmap, 0, P, PROT_READ, MAP_SHARED, r, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ | PROT_WRITE, MAP_SHARED, r, 0));
	OK(SYS(SYS_mmap, 0, P, PROT_READ | PROT_WRITE, MAP_PRIVATE, r, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE, w, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_WRITE, MAP_SHARED, w, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_NONE, MAP_SHARED, w, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE, path, 0));
}

CASE(mmap_of_odd_files)
{
	int p[2], dir = open(".", O_RDONLY), zero = open("/dev/zero", O_RDWR);

	pipe(p);
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE, p[0], 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE, dir, 0));
	char *z = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	TRUTH(z != MAP_FAILED);
	probe("/dev/zero", z);
}

CASE(mmap_shared_validate)
{
	int fd = file_of("f", P);

	OK(SYS(SYS_mmap, 0, P, PROT_READ, MAP_SHARED_VALIDATE, fd, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_SHARED_VALIDATE | 0x80000, fd, 0));
	CALL(SYS(SYS_mmap, 0, P, PROT_READ, MAP_SHARED_VALIDATE | 0x2000000, fd, 0));
}

CASE(mmap_hugetlb)
{
	CALL(SYS(SYS_mmap, 0, 2 << 20, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
	CALL(SYS(SYS_mmap, 0, 2 << 20, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 13 << 26, -1, 0));
}

CASE(shared_anonymous_across_fork)
{
	int *p = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();

	if (pid == 0) {
		p[0] = 42;
		_exit(0);
	}
	note_wait("child", pid);
	NOTE("%d", p[0]);
	CALL(munmap(p, P));
}

CASE(private_is_copied_by_fork)
{
	int *p = (int *)anon(1);
	pid_t pid;

	p[0] = 1;
	pid = fork();
	if (pid == 0) {
		p[0] = 2;
		_exit(p[0]);
	}
	note_wait("child", pid);
	NOTE("%d", p[0]);
}

CASE(populate_and_friends)
{
	char *p = mmap(NULL, 8 * P, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	TRUTH(p != MAP_FAILED && p[0] == 0);
	OK(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NONBLOCK,
		-1, 0));
	OK(SYS(SYS_mmap, 0, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE,
		-1, 0));
	OK(SYS(SYS_mmap, 0, P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
}

CASE(execute)
{
	static const unsigned char code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3}; /* mov $42,%eax; ret */
	char *p = anon(1);

	memcpy(p, code, sizeof(code));
	CALL(mprotect(p, P, PROT_READ | PROT_EXEC));
	NOTE("%d", ((int (*)(void))p)());
	CALL(mprotect(p, P, PROT_READ | PROT_WRITE));
	catch_faults();
	if (sigsetjmp(jump, 1) == 0)
		((int (*)(void))p)();
	NOTE("signal %d code %d", (int)fault_signo, (int)fault_code);
}

CASE(grows_down)
{
	char *area = anon(1024), *top = area + 1023 * P;

	munmap(area, 1024 * P);
	char *p = mmap(top, P, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	TRUTH(p == top);
	probe("itself", p);
	probe("a page below", p - P);
	probe("ten pages below", p - 10 * P);
}

CASE(deep_stack)
{
	/* Well below what was touched so far, within the default limit. */
	char *p = __builtin_frame_address(0);

	probe("64 KiB below", p - (64 << 10));
	probe("2 MiB below", p - (2 << 20));
}

CASE(kernel_writes_untouched_stack)
{
	char big[1 << 20];
	int fd = file_of("f", 3 * P);

	CALL(read(fd, big, sizeof(big)));
	NOTE("%c", big[0]);
}

/* ---- munmap ---------------------------------------------------------------------------------- */

CASE(munmap_arguments)
{
	char *p = anon(4);

	CALL(munmap(p + 1, P));
	CALL(munmap(p, 0));
	CALL(SYS(SYS_munmap, -P, P));
	CALL(SYS(SYS_munmap, p, -1ul));
	CALL(munmap(p + P, 1));
	probe("hole", p + P);
	probe("behind", p + 2 * P);
	CALL(munmap(p, 4 * P));
	CALL(munmap(p, 4 * P));
}

CASE(munmap_across_mappings)
{
	char *p = anon(6);

	mprotect(p + P, P, PROT_READ);
	mprotect(p + 3 * P, P, PROT_NONE);
	CALL(munmap(p + P, 4 * P));
	probe("first", p);
	probe("last", p + 5 * P);
	probe("in between", p + 2 * P);
}

/* ---- mprotect -------------------------------------------------------------------------------- */

CASE(mprotect_each)
{
	char *p = anon(1);

	p[0] = 3;
	CALL(mprotect(p, P, PROT_READ));
	probe("read", p);
	CALL(mprotect(p, P, PROT_NONE));
	probe("none", p);
	CALL(mprotect(p, P, PROT_READ | PROT_WRITE));
	probe("both", p);
	CALL(mprotect(p, P, PROT_WRITE));
	probe("write", p);
}

CASE(mprotect_arguments)
{
	char *p = anon(1);

	CALL(mprotect(p + 1, P, PROT_READ));
	CALL(mprotect(p, 0, PROT_NONE));
	CALL(mprotect(p, P, 0x40));
	CALL(mprotect(p, P, PROT_READ | 0x8));
	CALL(SYS(SYS_mprotect, p, -1ul, PROT_READ));
	CALL(SYS(SYS_mprotect, 0x10000, P, PROT_READ));
	CALL(SYS(SYS_mprotect, p, P, PROT_READ | 0x1000000 | 0x2000000));
	CALL(SYS(SYS_mprotect, p, P, PROT_READ | 0x1000000));
	CALL(SYS(SYS_mprotect, p, P, PROT_READ | 0x2000000));
}

CASE(mprotect_stops_at_a_hole)
{
	char *p = anon(4);

	munmap(p + 2 * P, P);
	CALL(mprotect(p, 4 * P, PROT_READ));
	probe("before the hole", p + P);
	probe("behind the hole", p + 3 * P);
}

CASE(mprotect_shared_read_only_file)
{
	file_of("f", 2 * P);
	int fd = open("f", O_RDONLY);
	char *p = mmap(NULL, 2 * P, PROT_READ, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, 2 * P, PROT_READ, MAP_PRIVATE, fd, 0);

	CALL(mprotect(p, P, PROT_READ | PROT_WRITE));
	CALL(mprotect(q, P, PROT_READ | PROT_WRITE));
	q[0] = 'x';
	NOTE("%c %c", p[0], q[0]);
}

CASE(mprotect_splits_and_merges)
{
	char *p = anon(64);

	for (int i = 0; i < 64; i += 2)
		mprotect(p + (unsigned long)i * P, P, PROT_READ);
	probe("even", p + 10 * P);
	probe("odd", p + 11 * P);
	CALL(mprotect(p, 64 * P, PROT_READ | PROT_WRITE));
	probe("even", p + 10 * P);
	CALL(munmap(p, 64 * P));
}

CASE(mprotect_growsdown)
{
	char *area = anon(64), *top = area + 60 * P;
	char *p;

	munmap(area, 64 * P);
	p = mmap(top, 2 * P, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	CALL(SYS(SYS_mprotect, p + P, P, PROT_READ | 0x1000000));
	probe("start", p);
	probe("end", p + P);
}

CASE(pkeys)
{
	char *p = anon(1);

	CALL(SYS(SYS_pkey_mprotect, p, P, PROT_READ, -1));
	probe("page", p);
	CALL(SYS(SYS_pkey_mprotect, p, P, PROT_READ, 99));
	CALL(SYS(SYS_pkey_alloc, 1, 0));
	CALL(SYS(SYS_pkey_free, 99));
}

/* ---- mremap ---------------------------------------------------------------------------------- */

CASE(mremap_arguments)
{
	char *p = anon(4);

	CALL(SYS(SYS_mremap, p + 1, P, 2 * P, MREMAP_MAYMOVE, 0));
	CALL(SYS(SYS_mremap, p, P, 0, MREMAP_MAYMOVE, 0));
	CALL(SYS(SYS_mremap, p, P, P, 8, 0));
	CALL(SYS(SYS_mremap, p, P, P, MREMAP_FIXED, p));
	CALL(SYS(SYS_mremap, p, P, P, MREMAP_FIXED | MREMAP_MAYMOVE, p));
	CALL(SYS(SYS_mremap, p, P, P, MREMAP_FIXED | MREMAP_MAYMOVE, p + 1));
	CALL(SYS(SYS_mremap, p, P, 2 * P, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, 0));
	CALL(SYS(SYS_mremap, p, P, P, MREMAP_DONTUNMAP, 0));
	CALL(SYS(SYS_mremap, p, 0, P, MREMAP_MAYMOVE, 0));
	CALL(SYS(SYS_mremap, 0x10000, P, 2 * P, MREMAP_MAYMOVE, 0));
	CALL(SYS(SYS_mremap, p, 9 * P, 10 * P, MREMAP_MAYMOVE, 0));
	CALL(SYS(SYS_mremap, p, P, 1ul << 60, MREMAP_MAYMOVE, 0));
}

CASE(mremap_shrinks_in_place)
{
	char *p = anon(4);

	p[0] = 1;
	TRUTH(mremap(p, 4 * P, P, 0) == p);
	probe("kept", p);
	probe("gone", p + P);
	TRUTH(mremap(p, P, P, 0) == p);
}

CASE(mremap_grows_in_place_or_not)
{
	char *p = anon(8);

	munmap(p + 2 * P, 4 * P);
	p[0] = 9;
	TRUTH(mremap(p, 2 * P, 5 * P, 0) == p);
	probe("new page", p + 4 * P);
	CALL(SYS(SYS_mremap, p, 5 * P, 7 * P, 0));
	CALL(SYS(SYS_mremap, p, 2 * P, 3 * P, 0));
	NOTE("%d", p[0]);
}

CASE(mremap_moves_contents)
{
	char *p = anon(4), *q;

	for (int i = 0; i < 4; i++)
		p[i * P] = (char)(i + 1);
	q = mremap(p + P, 2 * P, 64 * P, MREMAP_MAYMOVE);
	TRUTH(q != MAP_FAILED && q != p + P);
	NOTE("%d %d %d", q[0], q[P], q[2 * P]);
	probe("old place", p + P);
	probe("before", p);
	probe("behind", p + 3 * P);
}

CASE(mremap_fixed)
{
	char *p = anon(4), *q = anon(8);

	p[0] = 5;
	memset(q, 6, 8 * P);
	TRUTH(mremap(p, P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, q + 4 * P) == q + 4 * P);
	NOTE("%d %d %d", q[3 * P], q[4 * P], q[5 * P]);
	probe("old place", p);
	TRUTH(mremap(q + 4 * P, 2 * P, P, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
	probe("tail", q + 5 * P);
	NOTE("%d", p[0]);
}

CASE(mremap_dontunmap)
{
	char *p = anon(2), *q;

	p[0] = 5;
	q = mremap(p, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	TRUTH(q != MAP_FAILED && q != p);
	NOTE("%d %d", p[0], q[0]);
	p[0] = 7;
	NOTE("%d %d", p[0], q[0]);
}

CASE(mremap_zero_size_duplicates_shared)
{
	int fd = file_of("f", 2 * P);
	char *p = mmap(NULL, 2 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *q = mremap(p, 0, P, MREMAP_MAYMOVE);

	TRUTH(q != MAP_FAILED && q != p);
	q[0] = 'Q';
	NOTE("%c %c", p[0], q[0]);
}

CASE(mremap_file_mapping_grows)
{
	int fd = file_of("f", 4 * P);
	char *p = mmap(NULL, P, PROT_READ, MAP_PRIVATE, fd, P);
	char *q = mremap(p, P, 3 * P, MREMAP_MAYMOVE);

	NOTE("%c %c %c", q[0], q[P], q[2 * P]);
}

CASE(mremap_keeps_protection)
{
	char *p = anon(2), *q;

	mprotect(p, 2 * P, PROT_READ);
	q = mremap(p, 2 * P, 80 * P, MREMAP_MAYMOVE);
	probe("old part", q);
	probe("new part", q + 50 * P);
}

/* ---- brk ------------------------------------------------------------------------------------- */

CASE(brk_grows_and_shrinks)
{
	char *old = sbrk(0);

	TRUTH(sbrk(10 * P) == old);
	probe("grown", old + 5 * P);
	old[5 * P] = 1;
	TRUTH(brk(old) == 0);
	TRUTH(sbrk(0) == old);
	TRUTH(sbrk(10 * P) == old);
	NOTE("%d", old[5 * P]);
}

CASE(brk_refuses)
{
	char *old = sbrk(0);

	TRUTH((char *)SYS(SYS_brk, 1) == old);
	TRUTH((char *)SYS(SYS_brk, -1ul) == old);
	TRUTH((char *)SYS(SYS_brk, 1ul << 46) == old);
	TRUTH((char *)SYS(SYS_brk, old + 1) == old + 1);
}

CASE(brk_stops_at_a_mapping)
{
	char *page = (char *)(((unsigned long)sbrk(0) + 16 * P) & -P);

	TRUTH(mmap(page, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
		page);
	TRUTH((char *)SYS(SYS_brk, page + P) != page + P);
	TRUTH((char *)SYS(SYS_brk, page - 4 * P) == page - 4 * P);
}

CASE(brk_obeys_data_limit)
{
	struct rlimit limit = {16 << 20, 16 << 20};
	char *old = sbrk(0);

	CALL(setrlimit(RLIMIT_DATA, &limit));
	TRUTH((char *)SYS(SYS_brk, old + (64 << 20)) == old);
	TRUTH((char *)SYS(SYS_brk, old + P) == old + P);
}

/* More than any machine has: what a kernel of the sandbox's own may only hear from the host. */
CASE(no_such_memory)
{
	char *old = sbrk(0), *page;

	CALL(SYS(SYS_mmap, NULL, 1ul << 45, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		0));
	TRUTH((char *)SYS(SYS_brk, old + (1ul << 44)) == old);
	TRUTH((char *)SYS(SYS_brk, old + P) == old + P);
	page = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRUTH(page != MAP_FAILED);
	*page = 1;
	CALL(munmap(page, P));
}

/* ---- limits ---------------------------------------------------------------------------------- */

CASE(address_space_limit)
{
	struct rlimit limit = {256 << 20, 256 << 20};

	CALL(setrlimit(RLIMIT_AS, &limit));
	CALL(SYS(SYS_mmap, 0, 512 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	OK(SYS(SYS_mmap, 0, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *p = anon(1);
	CALL(SYS(SYS_mremap, p, P, 512 << 20, MREMAP_MAYMOVE, 0));
}

CASE(data_limit)
{
	struct rlimit limit = {64 << 20, 64 << 20};

	CALL(setrlimit(RLIMIT_DATA, &limit));
	CALL(SYS(SYS_mmap, 0, 128 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		0));
	OK(SYS(SYS_mmap, 0, 128 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	char *p = mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRUTH(p != MAP_FAILED);
	CALL(mprotect(p, 128 << 20, PROT_READ | PROT_WRITE));
	CALL(mprotect(p, 1 << 20, PROT_READ | PROT_WRITE));
}

CASE(map_count_limit)
{
	char *p = mmap(
		NULL, 140000 * P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int made = 0;

	for (; made < 20; made++)
		if (mprotect(p + 2ul * (unsigned)made * P, P, PROT_NONE) < 0)
			break;
	NOTE("%d", made);
}

/* ---- together -------------------------------------------------------------------------------- */

CASE(kernel_access_obeys_protection)
{
	int fd = file_of("f", P);
	char *p = anon(2);

	CALL(pread(fd, p, 10, 0));
	mprotect(p, P, PROT_READ);
	CALL(pread(fd, p, 10, 0));
	CALL(pwrite(fd, p, 10, 0));
	mprotect(p, P, PROT_NONE);
	CALL(pwrite(fd, p, 10, 0));
	munmap(p, P);
	CALL(pwrite(fd, p, 10, 0));
}

CASE(file_outlives_its_name_and_descriptor)
{
	int fd = file_of("f", P);
	char *p = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CALL(unlink("f"));
	CALL(close(fd));
	p[0] = 'Z';
	NOTE("%c", p[0]);
	CALL(access("f", F_OK));
}

/* A file may be larger than memory; what is mapped of it is what counts. */
CASE(huge_sparse_file_is_read)
{
	const off_t size = 6l << 30;
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	CALL(ftruncate(fd, size));
	CALL(pwrite(fd, "end", 3, size - 3));
	char *all = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	TRUTH(all != MAP_FAILED);
	if (all == MAP_FAILED)
		return;
	NOTE("%d %.3s", all[0], all + size - 3);
	CALL(pwrite(fd, "begin", 5, 0));
	NOTE("%.5s", all);
	/* One that fits now may be written as well, through the mapping from before. */
	CALL(ftruncate(fd, 2 * P));
	CALL(mprotect(all, P, PROT_READ | PROT_WRITE));
	all[0] = 'B';
	char text[6] = {0};
	CALL(pread(fd, text, 5, 0));
	NOTE("%s", text);
	CALL(mprotect(all, P, PROT_READ));
	probe("read-only again", all);
	CALL(mprotect(all, 2 * P, PROT_READ | PROT_WRITE));
	probe("both pages", all + P);
	probe("the first", all);
	CALL(munmap(all, size));
	close(fd);
}

CASE(threads_map_at_once)
{
	char *seen[64];
	pid_t pid = fork();

	if (pid == 0) {
		for (int round = 0; round < 20; round++) {
			for (int i = 0; i < 64; i++)
				seen[i] = anon(1 + (size_t)i % 3);
			for (int i = 0; i < 64; i++)
				munmap(seen[i], (1 + (size_t)i % 3) * P);
		}
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(mempolicy_on_one_node)
{
	unsigned long mask[16] = {0}, one = 1, other = 1ul << 40;
	int mode = -1;

	CALL(SYS(SYS_get_mempolicy, &mode, mask, 1024, 0, 0));
	NOTE("%d %lu", mode, mask[0]);
	CALL(SYS(SYS_get_mempolicy, &mode, mask, 1024, 0, 4));
	NOTE("%lu", mask[0]);
	CALL(SYS(SYS_get_mempolicy, &mode, mask, 1024, 0, 64));
	CALL(SYS(SYS_get_mempolicy, &mode, mask, 1024, 0x10000, 2));
	CALL(SYS(SYS_set_mempolicy, 0, 0, 0));
	CALL(SYS(SYS_set_mempolicy, 2, &other, 64));
	CALL(SYS(SYS_set_mempolicy, 99, &one, 64));
	CALL(SYS(SYS_set_mempolicy, 2, 0, 0));
}
