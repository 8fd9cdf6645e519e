/* SPDX-License-Identifier: Apache-2.0 */
/* mmap, munmap, mprotect, mremap, brk, madvise, msync, mincore, mlock and what they do to each
 * other. */
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "case.h"

#define P 4096ul

static sigjmp_buf jump;
static volatile sig_atomic_t fault_signo, fault_code;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	fault_signo = signo;
	fault_code = info->si_code;
	siglongjmp(jump, 1);
}

static void catch_faults(void)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

/* Prints whether a byte can be read and written, or which fault says no. */
static void probe(const char *what, volatile char *p)
{
	catch_faults();
	if (sigsetjmp(jump, 1) == 0) {
		char c = *p;

		NOTE("%s: reads %d", what, c);
	} else {
		NOTE("%s: read fault signal %d code %d", what, (int)fault_signo, (int)fault_code);
		return;
	}
	if (sigsetjmp(jump, 1) == 0) {
		*p = *p;
		NOTE("%s: writes", what);
	} else {
		NOTE("%s: write fault signal %d code %d", what, (int)fault_signo, (int)fault_code);
	}
}

static char *anon(size_t pages)
{
	char *p = mmap(NULL, pages * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		NOTE("mmap failed: %s", errno_name(errno));
		exit(1);
	}
	return p;
}

static int file_of(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (size_t i = 0; i < size; i++) {
		char c = (char)('a' + i / P);

		if (pwrite(fd, &c, 1, (off_t)i) != 1)
			exit(1);
		if (i % P == 0 && i + P <= size)
			i += P - 2; /* first and last byte of each page */
	}
	if (ftruncate(fd, (off_t)size) < 0)
		exit(1);
	return fd;
}

static void drop(void)
{
	if (geteuid() == 0 &&
		(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
		exit(1);
}

/* ---- mmap
 * --------------------------------------------------------------------------------------------------------------
 */

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

/* ---- munmap
 * ------------------------------------------------------------------------------------------------------------
 */

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

/* ---- mprotect
 * ----------------------------------------------------------------------------------------------------------
 */

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

/* ---- mremap
 * ------------------------------------------------------------------------------------------------------------
 */

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

/* ---- brk
 * ---------------------------------------------------------------------------------------------------------------
 */

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

/* ---- limits
 * ------------------------------------------------------------------------------------------------------------
 */

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

/* ---- madvise
 * -----------------------------------------------------------------------------------------------------------
 */

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

/* ---- together
 * ----------------------------------------------------------------------------------------------------------
 */

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
