/* SPDX-License-Identifier: Apache-2.0 */
/* Memory policies on a machine with one node, protection keys without keys, residency, locks,
 * remapping. */
#include "case.h"

#include <linux/mempolicy.h>
#include <sys/resource.h>

#define PAGE 4096ul

static char *map_pages(int count)
{
	char *at = mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		_exit(96);
	return at;
}

/* With a hole behind it. */
static char *map_before_a_hole(int count)
{
	char *at = map_pages(count + 1);

	munmap(at + (size_t)count * PAGE, PAGE);
	return at;
}

/* ---- policies ---- */

CASE(mbind_modes)
{
	unsigned long node = 1, none = 0;
	char *at = map_pages(2);

	CALL(SYS(SYS_mbind, at, 2 * PAGE, MPOL_DEFAULT, NULL, 0, 0));
	CALL(SYS(SYS_mbind, at, 2 * PAGE, MPOL_BIND, &node, 64, 0));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_PREFERRED, &node, 64, 0));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_INTERLEAVE, &node, 64, 0));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_LOCAL, NULL, 0, 0));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_BIND, &none, 64, 0));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_DEFAULT, &node, 64, 0));
}

CASE(mbind_errors)
{
	unsigned long node = 1, far = 1ul << 60;
	char *at = map_pages(1);

	CALL(SYS(SYS_mbind, at, PAGE, 99, NULL, 0, 0));
	CALL(SYS(SYS_mbind, at + 1, PAGE, MPOL_DEFAULT, NULL, 0, 0));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_DEFAULT, NULL, 0, 8));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_BIND, &far, 64, 0));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_BIND, BAD_ADDRESS, 64, 0));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_BIND, &node, 0, 0));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_BIND, &node, 1ul << 40, 0));
	CALL(SYS(SYS_mbind, at, -1, MPOL_DEFAULT, NULL, 0, 0));
}

CASE(mbind_of_holes)
{
	unsigned long node = 1;
	char *at = map_before_a_hole(1);

	CALL(SYS(SYS_mbind, at, 2 * PAGE, MPOL_BIND, &node, 64, 0));
	CALL(SYS(SYS_mbind, at + PAGE, PAGE, MPOL_BIND, &node, 64, 0));
	CALL(SYS(SYS_mbind, at + PAGE, 0, MPOL_BIND, &node, 64, 0));
}

CASE(mbind_of_everybodys_pages)
{
	unsigned long node = 1;
	char *at = map_pages(1);

	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		_exit(97);
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_BIND, &node, 64, 4));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_BIND, BAD_ADDRESS, 64, 4));
	CALL(SYS(SYS_mbind, at, PAGE, MPOL_BIND, &node, 64, 2));
}

CASE(set_mempolicy_modes)
{
	unsigned long node = 1, none = 0;

	CALL(SYS(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
	CALL(SYS(SYS_set_mempolicy, MPOL_PREFERRED, &node, 64));
	CALL(SYS(SYS_set_mempolicy, MPOL_BIND, &node, 2));
	CALL(SYS(SYS_set_mempolicy, MPOL_BIND, &none, 64));
	CALL(SYS(SYS_set_mempolicy, MPOL_LOCAL, NULL, 0));
	CALL(SYS(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
}

CASE(set_mempolicy_errors)
{
	unsigned long node = 1;

	CALL(SYS(SYS_set_mempolicy, 99, NULL, 0));
	CALL(SYS(SYS_set_mempolicy, -1, NULL, 0));
	CALL(SYS(SYS_set_mempolicy, MPOL_BIND, BAD_ADDRESS, 64));
	CALL(SYS(SYS_set_mempolicy, MPOL_BIND, &node, 0));
	CALL(SYS(SYS_set_mempolicy, MPOL_PREFERRED, &node, 0));
	CALL(SYS(SYS_set_mempolicy, MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, &node,
		64));
}

CASE(get_mempolicy_default)
{
	unsigned long nodes[16];
	int mode = 77;

	memset(nodes, 0xff, sizeof(nodes));
	CALL(SYS(SYS_get_mempolicy, &mode, nodes, 1024, NULL, 0));
	NOTE("%d", mode);
	CALL(SYS(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0));
}

CASE(get_mempolicy_errors)
{
	unsigned long nodes[16];
	int mode;

	CALL(SYS(SYS_get_mempolicy, &mode, NULL, 0, NULL, 8));
	CALL(SYS(SYS_get_mempolicy, &mode, NULL, 0, BAD_ADDRESS, MPOL_F_ADDR));
	CALL(SYS(SYS_get_mempolicy, &mode, NULL, 0, map_pages(1), 0));
	CALL(SYS(SYS_get_mempolicy, BAD_ADDRESS, NULL, 0, NULL, 0));
	CALL(SYS(SYS_get_mempolicy, &mode, nodes, 1024, NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR));
}

/* The last bit does not count: of one there is nothing to write, of 65 there are 8 bytes. */
CASE(get_mempolicy_sizes)
{
	static const unsigned long sizes[] = {1, 2, 64, 65, 66, 128, 129, 1024};
	int mode = 0;

	CALL(SYS(SYS_get_mempolicy, &mode, BAD_ADDRESS, 1, BAD_ADDRESS, MPOL_F_MEMS_ALLOWED));
	CALL(SYS(SYS_get_mempolicy, &mode, BAD_ADDRESS, 1, NULL, 0));
	CALL(SYS(SYS_get_mempolicy, &mode, BAD_ADDRESS, 2, NULL, 0));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char bytes[256];
		size_t written = 0;
		long r;

		memset(bytes, 0xa5, sizeof(bytes));
		r = SYS(SYS_get_mempolicy, NULL, bytes, sizes[i], NULL, MPOL_F_MEMS_ALLOWED);
		while (written < sizeof(bytes) && bytes[written] != 0xa5)
			written++;
		NOTE("%lu: %ld, %zu bytes, first %d", sizes[i], r, written, bytes[0]);
	}
}

CASE(get_mempolicy_of_an_address)
{
	char *at = map_pages(1);
	int mode = 77;

	at[0] = 1;
	CALL(SYS(SYS_get_mempolicy, &mode, NULL, 0, at, MPOL_F_ADDR));
	NOTE("%d", mode);
	CALL(SYS(SYS_get_mempolicy, &mode, NULL, 0, at, MPOL_F_ADDR | MPOL_F_NODE));
	NOTE("%d", mode);
}

CASE(migrate_pages_of_self)
{
	unsigned long node = 1;

	CALL(SYS(SYS_migrate_pages, 0, 64, &node, &node));
	CALL(SYS(SYS_migrate_pages, getpid(), 64, &node, &node));
}

CASE(migrate_pages_errors)
{
	unsigned long node = 1, far = 1ul << 60;

	CALL(SYS(SYS_migrate_pages, 0x7ffffff, 64, &node, &node));
	CALL(SYS(SYS_migrate_pages, 0, 64, BAD_ADDRESS, &node));
	CALL(SYS(SYS_migrate_pages, 0, 64, &node, BAD_ADDRESS));
	CALL(SYS(SYS_migrate_pages, 0, 64, &node, &far));
}

CASE(migrate_pages_sizes)
{
	unsigned long node = 1;

	CALL(SYS(SYS_migrate_pages, 0, 1ul << 40, &node, &node));
	CALL(SYS(SYS_migrate_pages, -1, 64, &node, &node));
}

CASE(move_pages_asks)
{
	char *at = map_pages(2);
	void *pages[2] = {at, at + PAGE};
	int status[2] = {77, 77};

	at[0] = at[PAGE] = 1;
	CALL(SYS(SYS_move_pages, 0, 2, pages, NULL, status, 0));
	NOTE("%d %d", status[0], status[1]);
	CALL(SYS(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0));
}

CASE(move_pages_errors)
{
	void *page = map_pages(1);
	int status = 77, node = 0;

	CALL(SYS(SYS_move_pages, 0x7ffffff, 1, &page, NULL, &status, 0));
	CALL(SYS(SYS_move_pages, 0, 1, &page, NULL, &status, 1));
	CALL(SYS(SYS_move_pages, 0, 1, BAD_ADDRESS, NULL, &status, 0));
	CALL(SYS(SYS_move_pages, 0, 1, &page, BAD_ADDRESS, &status, 2));
	node = 99;
	CALL(SYS(SYS_move_pages, 0, 1, &page, &node, &status, 2));
}

CASE(move_pages_of_holes)
{
	char *at = map_before_a_hole(1);
	void *page = at + PAGE;
	int status = 77;

	CALL(SYS(SYS_move_pages, 0, 1, &page, NULL, &status, 0));
	NOTE("%d", status);
}

/* ---- keys: of the CPUs some have them; who gets none gets none for the rest ---- */

CASE(pkey_alloc_errors)
{
	CALL(SYS(SYS_pkey_alloc, 1, 0));
	CALL(SYS(SYS_pkey_alloc, 0, 4));
	CALL(SYS(SYS_pkey_alloc, 0, -1));
}

CASE(pkey_alloc_high_bits)
{
	CALL(SYS(SYS_pkey_alloc, 1ul << 32, 0));
	CALL(SYS(SYS_pkey_alloc, 0, 1ul << 32));
}

CASE(pkey_free_errors)
{
	CALL(SYS(SYS_pkey_free, -1));
	CALL(SYS(SYS_pkey_free, 99));
}

CASE(pkey_free_unallocated)
{
	CALL(SYS(SYS_pkey_free, 15));
	CALL(SYS(SYS_pkey_free, 16));
	CALL(SYS(SYS_pkey_free, 0x7fffffff));
}

CASE(pkey_free_twice)
{
	CALL(SYS(SYS_pkey_free, 14));
	CALL(SYS(SYS_pkey_free, 14));
}

CASE(pkey_mprotect_without_a_key)
{
	char *at = map_pages(1);

	CALL(SYS(SYS_pkey_mprotect, at, PAGE, PROT_READ, -1));
	CALL(SYS(SYS_pkey_mprotect, at, PAGE, PROT_READ | PROT_WRITE, -1));
	at[0] = 1;
	CALL(SYS(SYS_pkey_mprotect, at, PAGE, PROT_READ, 99));
	at[0] = 2;
}

CASE(pkey_mprotect_order)
{
	char *at = map_pages(1);

	CALL(SYS(SYS_pkey_mprotect, at + 1, PAGE, PROT_READ, -2));
	CALL(SYS(SYS_pkey_mprotect, at, 0, PROT_READ, -2));
	CALL(SYS(SYS_pkey_mprotect, at, -PAGE, PROT_READ, -2));
	CALL(SYS(SYS_pkey_mprotect, at, PAGE, PROT_READ, -2));
	CALL(SYS(SYS_pkey_mprotect, at, PAGE, 0x1000, -1));
}

CASE(pkey_mprotect_of_holes)
{
	char *at = map_before_a_hole(1);

	CALL(SYS(SYS_pkey_mprotect, at, 2 * PAGE, PROT_READ, -1));
	CALL(SYS(SYS_pkey_mprotect, at + PAGE, PAGE, PROT_READ, -1));
}

/* ---- residency and locks ---- */

CASE(mincore_of_touched_pages)
{
	unsigned char vec[2] = {0, 0};
	char *at = map_pages(2);

	at[0] = at[PAGE] = 1;
	CALL(SYS(SYS_mincore, at, 2 * PAGE, vec));
	NOTE("%d %d", vec[0] & 1, vec[1] & 1);
	CALL(SYS(SYS_mincore, at, 1, vec));
	CALL(SYS(SYS_mincore, at, 0, vec));
	CALL(SYS(SYS_mincore, at, 0, NULL));
}

CASE(mincore_errors)
{
	unsigned char vec[4];
	char *at = map_before_a_hole(1);

	CALL(SYS(SYS_mincore, at + 1, PAGE, vec));
	CALL(SYS(SYS_mincore, at, PAGE, BAD_ADDRESS));
	CALL(SYS(SYS_mincore, at, 2 * PAGE, vec));
	CALL(SYS(SYS_mincore, at + PAGE, PAGE, vec));
	CALL(SYS(SYS_mincore, at, -1, vec));
}

CASE(mincore_writes_until_the_hole)
{
	unsigned char vec[3] = {7, 7, 7};
	char *at = map_before_a_hole(2);

	at[0] = at[PAGE] = 1;
	CALL(SYS(SYS_mincore, at, 2 * PAGE, vec));
	NOTE("%d %d %d", vec[0] & 1, vec[1] & 1, vec[2]);
}

CASE(mlock2_flags)
{
	char *at = map_pages(1);

	CALL(SYS(SYS_mlock2, at, PAGE, 0));
	CALL(SYS(SYS_mlock2, at, PAGE, 1));
	CALL(SYS(SYS_mlock2, at, PAGE, 2));
	CALL(SYS(SYS_munlock, at, PAGE));
	CALL(SYS(SYS_mlock2, at, 0, 0));
}

CASE(mlock2_of_holes)
{
	char *at = map_before_a_hole(1);

	CALL(SYS(SYS_mlock2, at, 2 * PAGE, 1));
	CALL(SYS(SYS_mlock2, at + PAGE, PAGE, 1));
	CALL(SYS(SYS_mlock2, at, -PAGE, 1));
}

CASE(mlock2_limit)
{
	struct rlimit limit = {2 * PAGE, 2 * PAGE};
	char *at = map_pages(4);

	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		_exit(97);
	CALL(setrlimit(RLIMIT_MEMLOCK, &limit));
	CALL(SYS(SYS_mlock2, at, 2 * PAGE, 1));
	CALL(SYS(SYS_mlock2, at + 2 * PAGE, PAGE, 1));
	CALL(SYS(SYS_mlock2, at, PAGE, 0));
	CALL(SYS(SYS_munlockall));
	CALL(SYS(SYS_mlock2, at + 2 * PAGE, PAGE, 1));
	limit = (struct rlimit){0, 0};
	CALL(setrlimit(RLIMIT_MEMLOCK, &limit));
	CALL(SYS(SYS_munlockall));
	CALL(SYS(SYS_mlock2, at, PAGE, 1));
}

CASE(munlockall_without_locks)
{
	CALL(SYS(SYS_munlockall));
	CALL(SYS(SYS_munlockall, -1));
}

/* ---- remap_file_pages(2), which only maps anew ---- */

CASE(remap_file_pages_of_shared_memory)
{
	char *at;
	int fd;

	fd = open("f", O_RDWR | O_CREAT, 0600);
	ftruncate(fd, 4 * PAGE);
	at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	at[0] = 'a';
	at[PAGE] = 'b';
	CALL(SYS(SYS_remap_file_pages, at, PAGE, 0, 1, 0));
	NOTE("%c %c", at[0], at[PAGE]);
	CALL(SYS(SYS_remap_file_pages, at + PAGE, PAGE, 0, 0, MAP_NONBLOCK));
}

CASE(remap_file_pages_errors)
{
	char *at = map_pages(2);

	CALL(SYS(SYS_remap_file_pages, at, PAGE, PROT_READ, 0, 0));
	CALL(SYS(SYS_remap_file_pages, at, PAGE, 0, 0, 0));
	CALL(SYS(SYS_remap_file_pages, at, 0, 0, 0, 0));
	CALL(SYS(SYS_remap_file_pages, BAD_ADDRESS, PAGE, 0, 0, 0));
}

CASE(remap_file_pages_too_far)
{
	char *at;
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	ftruncate(fd, 2 * PAGE);
	at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CALL(SYS(SYS_remap_file_pages, at, PAGE, 0, -1ul, 0));
	CALL(SYS(SYS_remap_file_pages, at, -PAGE, 0, 0, 0));
	CALL(SYS(SYS_remap_file_pages, at, 3 * PAGE, 0, 0, 0));
}

/* ---- other processes ---- */

CASE(process_madvise_errors)
{
	struct {
		void *base;
		size_t size;
	} iov = {map_pages(1), PAGE};
	int fd = OK(SYS(434, getpid(), 0));

	CALL(SYS(440, 99, &iov, 1, MADV_COLD, 0));
	CALL(SYS(440, 0, &iov, 1, MADV_COLD, 0));
	CALL(SYS(440, fd, &iov, 1, MADV_COLD, 1));
	CALL(SYS(440, fd, BAD_ADDRESS, 1, MADV_COLD, 0));
	CALL(SYS(440, fd, &iov, 1025, MADV_COLD, 0));
	CALL(SYS(440, fd, &iov, 1, 9999, 0));
}

CASE(process_mrelease_errors)
{
	int fd = OK(SYS(434, getpid(), 0));

	CALL(SYS(448, 99, 0));
	CALL(SYS(448, fd, 1));
	CALL(SYS(448, 0, 0));
	CALL(SYS(448, fd, 0));
}

CASE(process_mrelease_of_the_dead)
{
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	fd = OK(SYS(434, pid, 0));
	CALL(SYS(448, fd, 0));
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, NULL, WEXITED);
	CALL(SYS(448, fd, 0));
}

/* ---- what fuzzing found ---- */

CASE(msync_of_a_size_that_wraps)
{
	char *at = map_pages(1);

	CALL(SYS(SYS_msync, at, -1ul, MS_ASYNC));
	CALL(SYS(SYS_msync, at, -PAGE, MS_ASYNC));
	CALL(SYS(SYS_msync, at, 0, MS_ASYNC));
	CALL(SYS(SYS_msync, at, 0, 0x1000));
}

CASE(anonymous_offsets_mean_nothing)
{
	char *at = map_pages(1);

	TRUTH(mmap(at, PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      -(off_t)PAGE) == at);
	TRUTH(mmap(at, PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 1l << 60) ==
		at);
	CALL(SYS(SYS_mmap, at, PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 1));
}

CASE(file_offsets_too_far)
{
	char *at = map_pages(1);
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	CALL(SYS(SYS_mmap, at, PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE, fd, -PAGE));
	CALL(SYS(SYS_mmap, at, PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE, fd, 0x7ffffffffffff000ul));
	CALL(SYS(SYS_mmap, at + 16, PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE, fd, -PAGE));
}

CASE(mremap_keeps_with_uneven_sizes)
{
	char *at = map_pages(4), *to = map_pages(4);

	CALL(SYS(SYS_mremap, at, PAGE - 1, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | 4, to) ==
		(long)to);
	CALL(SYS(SYS_mremap, at, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | 4, to));
	CALL(SYS(SYS_mremap, at, PAGE, PAGE, MREMAP_FIXED | 4, to));
}
