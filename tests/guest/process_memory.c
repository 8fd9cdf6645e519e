/* SPDX-License-Identifier: Apache-2.0 */
/* process_vm_readv(2), process_madvise(2), kcmp(2), membarrier(2), mseal(2), remap_file_pages(2).
 */
#include <linux/kcmp.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/uio.h>

#include "memory.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#define mseal_(p, size, flags) SYS(SYS_mseal, p, size, flags)

CASE(vm_read_own)
{
	char from[] = "0123456789", a[4] = {0}, b[8] = {0};
	struct iovec local[] = {{a, 3}, {b, 7}}, remote[] = {{from + 2, 4}, {from, 2}};

	CALL(process_vm_readv(getpid(), local, 2, remote, 2, 0));
	NOTE("%s %s", a, b);
	CALL(process_vm_readv(getpid(), local, 1, remote, 2, 0));
	CALL(process_vm_readv(getpid(), local, 0, remote, 2, 0));
	CALL(process_vm_readv(getpid(), local, 2, remote, 0, 0));
	CALL(process_vm_writev(getpid(), local, 1, remote, 1, 0));
	NOTE("%s", from);
}

CASE(vm_read_errors)
{
	char buffer[16];
	struct iovec local = {buffer, 16}, bad = {BAD_ADDRESS, 16}, negative = {buffer, (size_t)-1};

	CALL(process_vm_readv(getpid(), &local, 1, &bad, 1, 0));
	CALL(process_vm_readv(getpid(), &bad, 1, &local, 1, 0));
	CALL(process_vm_writev(getpid(), &local, 1, &bad, 1, 0));
	CALL(process_vm_readv(getpid(), &local, 1, &local, 1, 1));
	CALL(process_vm_readv(getpid(), &negative, 1, &local, 1, 0));
	CALL(process_vm_readv(getpid(), &local, 1, &negative, 1, 0));
	CALL(process_vm_readv(getpid(), BAD_ADDRESS, 1, &local, 1, 0));
	CALL(process_vm_readv(getpid(), &local, 1, BAD_ADDRESS, 1, 0));
	CALL(process_vm_readv(getpid(), &local, 1025, &local, 1, 0));
	CALL(process_vm_readv(0x7fffffff, &local, 1, &local, 1, 0));
	CALL(process_vm_readv(0x7fffffff, &local, 1, &local, 0, 0));
}

/* What safe readers of memory do: as far as it is readable. */
CASE(vm_read_until_fault)
{
	char *p = anon(4), *to = anon(4);
	struct iovec local = {to, 4 * P}, remote = {p, 4 * P};

	memset(p, 'x', 4 * P);
	mprotect(p + 2 * P, P, PROT_NONE);
	CALL(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	NOTE("%c %c %d", to[0], to[2 * P - 1], to[2 * P]);
	CALL(process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	remote.iov_base = p + 2 * P;
	CALL(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
}

CASE(vm_read_large)
{
	size_t size = 300 * P;
	char *p = anon(300), *to = anon(300);
	struct iovec local = {to, size}, remote = {p, size};

	for (size_t i = 0; i < size; i++)
		p[i] = (char)(i * 7 + i / P);
	CALL(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	CALL(memcmp(p, to, size));
}

CASE(process_madvise_own)
{
	char *p = anon(4);
	struct iovec iov[2] = {{p, P}, {p + 2 * P, P}};
	int fd = OK(SYS(SYS_pidfd_open, getpid(), 0));

	CALL(SYS(SYS_process_madvise, fd, iov, 2, MADV_COLD, 0));
	CALL(SYS(SYS_process_madvise, fd, iov, 2, MADV_WILLNEED, 0));
	CALL(SYS(SYS_process_madvise, fd, iov, 2, MADV_COLD, 1));
	CALL(SYS(SYS_process_madvise, -1, iov, 2, MADV_COLD, 0));
	CALL(SYS(SYS_process_madvise, 0, iov, 2, MADV_COLD, 0));
	CALL(SYS(SYS_process_madvise, fd, BAD_ADDRESS, 2, MADV_COLD, 0));
	CALL(SYS(SYS_process_madvise, fd, iov, 2, 12345, 0));
	iov[1].iov_base = p + 1;
	CALL(SYS(SYS_process_madvise, fd, iov, 2, MADV_COLD, 0));
	CALL(SYS(SYS_process_madvise, fd, iov + 1, 1, MADV_COLD, 0));
}

CASE(process_madvise_other)
{
	char *p = anon(4);
	struct iovec iov = {p, P};
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	fd = OK(SYS(SYS_pidfd_open, pid, 0));
	CALL(SYS(SYS_process_madvise, fd, &iov, 1, MADV_DONTNEED, 0));
	kill(pid, SIGKILL);
	note_wait("child", pid);
	CALL(SYS(SYS_process_madvise, fd, &iov, 1, MADV_COLD, 0));
}

static long kcmp_(pid_t a, pid_t b, int type, unsigned long x, unsigned long y)
{
	return SYS(SYS_kcmp, a, b, type, x, y);
}

CASE(kcmp_own)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600), same = dup(fd), other = open("f", O_RDWR);
	pid_t me = getpid();

	CALL(kcmp_(me, me, KCMP_FILE, (unsigned long)fd, (unsigned long)same));
	TRUTH(kcmp_(me, me, KCMP_FILE, (unsigned long)fd, (unsigned long)other) > 0);
	TRUTH(kcmp_(me, me, KCMP_FILE, (unsigned long)fd, (unsigned long)other) +
			kcmp_(me, me, KCMP_FILE, (unsigned long)other, (unsigned long)fd) ==
		3);
	CALL(kcmp_(me, me, KCMP_FILE, (unsigned long)fd, 999));
	CALL(kcmp_(me, me, KCMP_VM, 0, 0));
	CALL(kcmp_(me, me, 99, 0, 0));
	CALL(kcmp_(me, 0x7fffffff, KCMP_VM, 0, 0));
	CALL(kcmp_(0x7fffffff, 0x7ffffffe, 99, 0, 0));
}

CASE(kcmp_child)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	pid_t me = getpid(), pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	CALL(kcmp_(me, pid, KCMP_FILE, (unsigned long)fd, (unsigned long)fd));
	TRUTH(kcmp_(me, pid, KCMP_VM, 0, 0) > 0);
	TRUTH(kcmp_(me, pid, KCMP_FILES, 0, 0) > 0);
	TRUTH(kcmp_(me, pid, KCMP_FS, 0, 0) > 0);
	TRUTH(kcmp_(me, pid, KCMP_SIGHAND, 0, 0) > 0);
	CALL(kcmp_(me, pid, KCMP_SYSVSEM, 0, 0));
	kill(pid, SIGKILL);
	note_wait("child", pid);
}

CASE(kcmp_permission)
{
	pid_t parent = getpid(), pid;

	if (geteuid() != 0)
		SKIP("needs root");
	pid = fork();
	if (pid == 0) {
		drop();
		CALL(kcmp_(getpid(), parent, KCMP_VM, 0, 0));
		_exit(0);
	}
	note_wait("child", pid);
}

static int membarrier_(int command, unsigned flags)
{
	return (int)SYS(SYS_membarrier, command, flags, 0);
}

CASE(membarrier_rules)
{
	int known = membarrier_(MEMBARRIER_CMD_QUERY, 0);

	if (known < 0)
		SKIP("no membarrier");
	TRUTH((known & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0);
	TRUTH((known & MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0);
	TRUTH((known & MEMBARRIER_CMD_GLOBAL) != 0);
	CALL(membarrier_(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
	CALL(membarrier_(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0));
	CALL(membarrier_(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
	CALL(membarrier_(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
	CALL(membarrier_(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0));
	CALL(membarrier_(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0));
	CALL(membarrier_(MEMBARRIER_CMD_QUERY, 1));
	CALL(membarrier_(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 2));
	CALL(membarrier_(3, 0));
	CALL(membarrier_(1 << 20, 0));
}

CASE(membarrier_fork)
{
	pid_t pid;

	if (membarrier_(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) < 0)
		SKIP("no membarrier");
	pid = fork();
	if (pid == 0) {
		CALL(membarrier_(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
		_exit(0);
	}
	note_wait("child", pid);
}

/* Dekker's handshake with the fence on one side only: it breaks in moments without the barrier. */
static volatile int flag_a, flag_b, seen_b, round_a, done;

static void *light_side(void *arg)
{
	for (int i = 1; !done; i++) {
		while (round_a != i && !done)
			;
		flag_b = 1;
		__asm__ volatile("" ::: "memory"); /* the compiler alone */
		seen_b = flag_a;
		round_a = -i;
	}
	return NULL;
}

CASE(membarrier_orders)
{
	pthread_t thread;
	int broken = 0;

	if (membarrier_(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) < 0)
		SKIP("no membarrier");
	pthread_create(&thread, NULL, light_side, NULL);
	for (int i = 1; i <= 200; i++) {
		int seen_a;

		flag_a = flag_b = 0;
		__sync_synchronize();
		round_a = i;
		flag_a = 1;
		if (membarrier_(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) < 0)
			broken = 1000;
		seen_a = flag_b;
		while (round_a != -i)
			;
		broken += !seen_a && !seen_b;
	}
	done = 1;
	pthread_join(thread, NULL);
	NOTE("broken %d", broken);
}

CASE(mseal_forbids)
{
	char *p = anon(4), *q = anon(1);

	if (mseal_(p + P, P, 0) < 0 && errno == ENOSYS)
		SKIP("no mseal");
	CALL(munmap(p + P, P));
	CALL(munmap(p, 4 * P));
	CALL(mprotect(p + P, P, PROT_READ));
	CALL((long)mremap(p + P, P, 2 * P, MREMAP_MAYMOVE));
	CALL((long)mremap(p + P, P, 0, MREMAP_MAYMOVE));
	CALL((long)mremap(q, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, p + P));
	CALL((long)mmap(p + P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	CALL(madvise(p + P, P, MADV_DONTNEED));
	probe("sealed", p + P);
	CALL(mseal_(p + P, P, 0));
	CALL(munmap(p, P));
	CALL(munmap(p + 2 * P, 2 * P));
}

CASE(mseal_read_only)
{
	char *p = anon(1);
	pid_t pid;

	strcpy(p, "kept");
	mprotect(p, P, PROT_READ);
	if (mseal_(p, P, 0) < 0 && errno == ENOSYS)
		SKIP("no mseal");
	CALL(madvise(p, P, MADV_DONTNEED));
	CALL(madvise(p, P, MADV_WILLNEED));
	NOTE("%s", p);
	pid = fork();
	if (pid == 0) {
		CALL(munmap(p, P));
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(mseal_errors)
{
	char *p = anon(4);

	if (mseal_(p, 0, 0) < 0 && errno == ENOSYS)
		SKIP("no mseal");
	CALL(mseal_(p + 1, P, 0));
	CALL(mseal_(p, P, 1));
	CALL(mseal_(p, (size_t)-1, 0));
	munmap(p + P, P);
	CALL(mseal_(p, 3 * P, 0));
	CALL(mseal_(p, 0, 0));
	CALL(munmap(p, P));
}

CASE(remap_pages)
{
	int fd = file_of("f", 4 * P);
	char *p = mmap(NULL, 4 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *private;

	NOTE("%c%c%c%c", p[0], p[P], p[2 * P], p[3 * P]);
	CALL(remap_file_pages(p, P, 0, 3, 0));
	CALL(remap_file_pages(p + 3 * P, P, 0, 0, 0));
	NOTE("%c%c%c%c", p[0], p[P], p[2 * P], p[3 * P]);
	p[0] = 'Z';
	NOTE("%c%c%c%c", p[0], p[P], p[2 * P], p[3 * P]);
	CALL(remap_file_pages(p, P, PROT_READ, 0, 0));
	CALL(remap_file_pages(p, 0, 0, 0, 0));
	private = mmap(NULL, P, PROT_READ, MAP_PRIVATE, fd, 0);
	CALL(remap_file_pages(private, P, 0, 1, 0));
	CALL(remap_file_pages(BAD_ADDRESS, P, 0, 1, 0));
}

CASE(pages_and_nodes)
{
	char *p = anon(3);
	void *pages[3] = {p, p + P, p + 2 * P};
	int status[3] = {-1, -1, -1}, nodes[3] = {0, 0, 0}, far[3] = {1000, 0, 0};
	unsigned long one = 1;

	memset(p, 1, 3 * P);
	if (SYS(SYS_move_pages, 0, 3, pages, NULL, status, 0) < 0 && errno == ENOSYS)
		SKIP("no memory nodes");
	NOTE("%d %d %d", status[0], status[1], status[2]);
	CALL(SYS(SYS_move_pages, 0, 3, pages, nodes, status, 2));
	NOTE("%d %d %d", status[0], status[1], status[2]);
	CALL(SYS(SYS_move_pages, 0, 3, pages, far, status, 2));
	CALL(SYS(SYS_move_pages, 0, 3, pages, NULL, status, 1));
	CALL(SYS(SYS_move_pages, 0x7fffffff, 3, pages, NULL, status, 0));
	CALL(SYS(SYS_move_pages, 0, 3, BAD_ADDRESS, NULL, status, 0));
	pages[1] = NULL;
	CALL(SYS(SYS_move_pages, 0, 3, pages, NULL, status, 0));
	NOTE("%d %s %d", status[0], errno_name(-status[1]), status[2]);
	CALL(SYS(SYS_migrate_pages, 0, 64, &one, &one));
	CALL(SYS(SYS_migrate_pages, 0x7fffffff, 64, &one, &one));
	CALL(SYS(SYS_migrate_pages, 0, 64, BAD_ADDRESS, &one));
}

CASE(mrelease)
{
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	fd = (int)SYS(SYS_pidfd_open, pid, 0);
	CALL(SYS(448, fd, 0));
	CALL(SYS(448, fd, 1));
	CALL(SYS(448, -1, 0));
	CALL(SYS(448, 0, 0));
	kill(pid, SIGKILL);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	CALL(SYS(448, fd, 0));
	note_wait("child", pid);
	CALL(SYS(448, fd, 0));
}

/*
 * Two processes read the memory of one of them through one open file, whose position only one can
 * move at a time: neither waits for the other for ever.
 */
CASE(one_position_for_two)
{
	static char big[1 << 16];
	int fd = OK(open("/proc/self/mem", O_RDONLY));
	long long good = 0;
	pid_t child;

	memset(big, 'x', sizeof(big));
	/* Whatever was read lies in it: both start there, and set the position when it is over. */
	lseek(fd, (off_t)(uintptr_t)big, SEEK_SET);
	child = fork();
	for (int i = 0; i < 400; i++) {
		char bytes[4096];

		if (read(fd, bytes, sizeof(bytes)) > 0)
			good++;
		if (i % 8 == 7)
			lseek(fd, (off_t)(uintptr_t)big, SEEK_SET);
	}
	if (child == 0)
		_exit(good == 400 ? 0 : 1);
	TRUTH(good == 400);
	note_wait("child", child);
}
