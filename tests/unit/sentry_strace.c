/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder against a guest of one 8 KiB piece of memory: everything outside cannot be read.
 * Expected lines were compared with strace(1)'s; differences that are on purpose are in the
 * comments.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/futex.h"
#include "abi/mman.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "abi/socket.h"
#include "abi/stat.h"
#include "abi/uio.h"
#include "abi/wait.h"
#include "sentry/strace.h"
#include "sentry/syscall_table.h"

#define GUEST_BASE 0x10000ull
#define GUEST_SIZE 8192ull
static uint8_t guest[GUEST_SIZE];
static char seen[STRACE_LINE_MAX + 1];
static size_t seen_size;

static ssize_t guest_read(void *context, void *dst, gaddr_t src, size_t size)
{
	size_t room;

	if (src.v < GUEST_BASE || src.v >= GUEST_BASE + GUEST_SIZE)
		return 0;
	room = GUEST_BASE + GUEST_SIZE - src.v;
	size = size < room ? size : room;
	memcpy(dst, guest + (src.v - GUEST_BASE), size);
	return (ssize_t)size;
}

static const struct strace_memory memory = {.read = guest_read};

static void sink_write(struct strace_sink *sink, const char *line, size_t size)
{
	cr_assert_leq(size, STRACE_LINE_MAX);
	memcpy(seen, line, size);
	seen[size] = '\0';
	seen_size = size;
}

static struct strace_sink sink = {.write = sink_write};
static struct strace_call call;

/* Puts bytes into the guest's memory and returns their address. */
static uint64_t put_at(uint64_t offset, const void *bytes, size_t size)
{
	memcpy(guest + offset, bytes, size);
	return GUEST_BASE + offset;
}

static uint64_t put_string(uint64_t offset, const char *string)
{
	return put_at(offset, string, strlen(string) + 1);
}

#define ENTER(nr, ...) strace_enter(&call, 7, nr, (uint64_t[6]){__VA_ARGS__}, &memory)
#define EXPECT(result, text)                                                                       \
	do {                                                                                       \
		strace_exit(&call, result, &memory, &sink);                                        \
		cr_expect_str_eq(seen, "[7] " text "\n");                                          \
	} while (0)

Test(strace, values)
{
	const uint64_t garbage = 0xdeadbeef00000000ull;

	ENTER(LX_NR_close, garbage | 3);
	EXPECT(0, "close(3) = 0");
	ENTER(LX_NR_getpid, 1, 2, 3);
	EXPECT(12, "getpid() = 12");
	ENTER(LX_NR_lseek, 3, (uint64_t)-5, LX_SEEK_END);
	EXPECT(-EINVAL, "lseek(3, -5, SEEK_END) = -1 EINVAL (Invalid argument)");
	ENTER(LX_NR_fchmod, 3, garbage | 0644);
	EXPECT(0, "fchmod(3, 0644) = 0");
	ENTER(LX_NR_fchown, 3, 0xffffffff, 1000);
	EXPECT(0, "fchown(3, -1, 1000) = 0");
	ENTER(LX_NR_kill, garbage | 0xffffffff, garbage | LX_SIGTERM);
	EXPECT(0, "kill(-1, SIGTERM) = 0");
	ENTER(LX_NR_tgkill, 1, 2, 34);
	EXPECT(0, "tgkill(1, 2, SIGRT_2) = 0");
	ENTER(LX_NR_getrusage, garbage | 0xffffffff, 0);
	EXPECT(-EFAULT, "getrusage(RUSAGE_CHILDREN, NULL) = -1 EFAULT (Bad address)");
	ENTER(LX_NR_pause);
	EXPECT(-ERESTARTNOHAND, "pause() = ? ERESTARTNOHAND (To be restarted if no handler)");
	ENTER(LX_NR_brk, 0);
	EXPECT(0x555555000, "brk(NULL) = 0x555555000");
	ENTER(9999, 1, 2, 3, 4, 5, 6);
	EXPECT(-ENOSYS, "syscall_0x270f(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not "
			"implemented)");
	ENTER(LX_NR_socket, LX_AF_UNIX, LX_SOCK_STREAM | LX_SOCK_CLOEXEC, 0);
	EXPECT(3, "socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3");
	ENTER(LX_NR_madvise, 0x1000, 4096, 12345);
	EXPECT(-EINVAL, "madvise(0x1000, 4096, 0x3039) = -1 EINVAL (Invalid argument)");
}

Test(strace, flags)
{
	uint64_t path = put_string(0, "/etc/passwd");

	ENTER(LX_NR_openat, (uint64_t)-100, path, LX_O_RDONLY | LX_O_CLOEXEC, 0777);
	EXPECT(3, "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3");
	ENTER(LX_NR_openat, 5, path, LX_O_RDWR | LX_O_CREAT | LX_O_SYNC, 0600);
	EXPECT(-ENOENT, "openat(5, \"/etc/passwd\", O_RDWR|O_CREAT|O_SYNC, 0600) = -1 ENOENT (No "
			"such file or "
			"directory)");
	ENTER(LX_NR_open, path, 0x40000003, 0);
	EXPECT(-EINVAL, "open(\"/etc/passwd\", 3|0x40000000) = -1 EINVAL (Invalid argument)");
	ENTER(LX_NR_access, path, 0);
	EXPECT(0, "access(\"/etc/passwd\", F_OK) = 0");
	ENTER(LX_NR_mmap, 0, 4096, LX_PROT_READ | LX_PROT_WRITE, LX_MAP_PRIVATE | LX_MAP_ANONYMOUS,
		0xffffffff, 0);
	EXPECT(0x7f0000000000,
		"mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = "
		"0x7f0000000000");
	ENTER(LX_NR_mprotect, 0x1000, 4096, 0);
	EXPECT(0, "mprotect(0x1000, 4096, PROT_NONE) = 0");
	ENTER(LX_NR_fcntl, 3, LX_F_GETFL, 99);
	EXPECT(LX_O_RDWR | LX_O_APPEND, "fcntl(3, F_GETFL) = 1026 (flags O_RDWR|O_APPEND)");
	ENTER(LX_NR_fcntl, 3, LX_F_SETFD, 1);
	EXPECT(0, "fcntl(3, F_SETFD, FD_CLOEXEC) = 0");
	ENTER(LX_NR_fcntl, 3, LX_F_SETFL, LX_O_NONBLOCK);
	EXPECT(0, "fcntl(3, F_SETFL, O_RDONLY|O_NONBLOCK) = 0");
	ENTER(LX_NR_futex, 0x1000, LX_FUTEX_WAKE | LX_FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
	EXPECT(0, "futex(0x1000, FUTEX_WAKE|FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0) = 0");
	/* A flag that needs 33 bits does not show in a 32-bit argument. */
	ENTER(LX_NR_setns, 3, 0);
	EXPECT(0, "setns(3, 0) = 0");
	ENTER(LX_NR_setsockopt, 3, LX_SOL_TCP, LX_TCP_NODELAY, put_at(64, (int[]){1}, 4), 4);
	EXPECT(0, "setsockopt(3, SOL_TCP, TCP_NODELAY, \"\\1\\0\\0\\0\", 4) = 0");
}

Test(strace, strings)
{
	char path[GUEST_SIZE];

	ENTER(LX_NR_unlink, put_string(0, "a\n\t\"\\\x01\x7f\xff"
					  "7\x1b[2J"));
	EXPECT(0, "unlink(\"a\\n\\t\\\"\\\\\\1\\177\\3777\\33[2J\") = 0");
	ENTER(LX_NR_unlink, 0);
	EXPECT(-EFAULT, "unlink(NULL) = -1 EFAULT (Bad address)");
	ENTER(LX_NR_unlink, 0x123456);
	EXPECT(-EFAULT, "unlink(0x123456) = -1 EFAULT (Bad address)");
	/* The string ends with the last readable byte. */
	ENTER(LX_NR_unlink, put_at(GUEST_SIZE - 2, "x", 2));
	EXPECT(0, "unlink(\"x\") = 0");
	/* No NUL before the memory ends */
	ENTER(LX_NR_unlink, put_at(GUEST_SIZE - 1, "y", 1));
	EXPECT(-EFAULT, "unlink(0x11fff) = -1 EFAULT (Bad address)");
	memset(path, 'p', sizeof(path));
	path[5000] = '\0';
	put_at(0, path, 5001);
	ENTER(LX_NR_unlink, GUEST_BASE);
	strace_exit(&call, -ENAMETOOLONG, &memory, &sink);
	cr_expect_not_null(strstr(seen, "p\"...) = -1 ENAMETOOLONG"));
	cr_expect_lt(seen_size, STRACE_PATH_MAX + 100);
}

Test(strace, buffers)
{
	uint64_t buffer = put_string(0, "hello\n");

	ENTER(LX_NR_write, 1, buffer, 6);
	EXPECT(6, "write(1, \"hello\\n\", 6) = 6");
	ENTER(LX_NR_write, 1, buffer, 0);
	EXPECT(0, "write(1, \"\", 0) = 0");
	ENTER(LX_NR_read, 0, buffer + 512, 100);
	put_string(512, "abcdef");
	EXPECT(3, "read(0, \"abc\", 100) = 3");
	ENTER(LX_NR_read, 0, buffer + 512, 100);
	EXPECT(-EAGAIN, "read(0, 0x10200, 100) = -1 EAGAIN (Resource temporarily unavailable)");
	memset(guest + 1024, 'z', 100);
	ENTER(LX_NR_write, 1, buffer + 1024, 100);
	EXPECT(100, "write(1, \"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\"..., 100) = 100");
	/* A count beyond everything */
	ENTER(LX_NR_write, 1, 0x1000, ~0ull);
	EXPECT(-EFAULT, "write(1, 0x1000, 18446744073709551615) = -1 EFAULT (Bad address)");
	ENTER(LX_NR_readlink, put_string(0, "l"), buffer + 512, (uint64_t)-1);
	EXPECT(-EINVAL, "readlink(\"l\", 0x10200, -1) = -1 EINVAL (Invalid argument)");
}

Test(strace, vectors)
{
	struct lx_iovec iov[2] = {{put_string(1024, "head"), 4}, {put_string(1040, "tail"), 4}};
	uint64_t vector = put_at(0, iov, sizeof(iov));

	ENTER(LX_NR_writev, 1, vector, 2);
	EXPECT(8, "writev(1, [{iov_base=\"head\", iov_len=4}, {iov_base=\"tail\", iov_len=4}], 2) "
		  "= 8");
	ENTER(LX_NR_readv, 0, vector, 2);
	EXPECT(5, "readv(0, [{iov_base=\"head\", iov_len=4}, {iov_base=\"t\", iov_len=4}], 2) = 5");
	ENTER(LX_NR_writev, 1, GUEST_BASE + GUEST_SIZE - 16, 1ull << 62);
	strace_exit(&call, -EINVAL, &memory, &sink);
	cr_expect_not_null(strstr(seen, ", ???], 4611686018427387904) = -1 EINVAL"));
}

Test(strace, structs)
{
	struct lx_timespec ts = {1, 500};
	struct lx_stat st = {
		.st_mode = LX_S_IFREG | 0644, .st_size = 42, .st_nlink = 1, .st_ino = 9};
	uint64_t mask = LX_SIGMASK(LX_SIGINT) | LX_SIGMASK(LX_SIGCHLD),
		 full = ~LX_SIGMASK(LX_SIGUSR1);
	struct lx_pollfd fds[2] = {{3, LX_POLLIN, 0}, {4, LX_POLLOUT, 0}};
	struct lx_open_how how = {.flags = LX_O_RDWR, .resolve = LX_RESOLVE_BENEATH};

	ENTER(LX_NR_nanosleep, put_at(0, &ts, sizeof(ts)), 0);
	EXPECT(0, "nanosleep({tv_sec=1, tv_nsec=500}, NULL) = 0");
	ENTER(LX_NR_clock_nanosleep, 1, 1, 0x5000, 0);
	EXPECT(-EFAULT, "clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, 0x5000, NULL) = -1 EFAULT "
			"(Bad address)");
	ENTER(LX_NR_fstat, 3, GUEST_BASE);
	put_at(0, &st, sizeof(st));
	EXPECT(0, "fstat(3, {st_mode=S_IFREG|0644, st_ino=9, st_nlink=1, st_uid=0, st_gid=0, "
		  "st_size=42, st_mtim={tv_sec=0, tv_nsec=0}}) = 0");
	ENTER(LX_NR_rt_sigprocmask, LX_SIG_BLOCK, put_at(0, &mask, 8), put_at(8, &full, 8), 8);
	EXPECT(0, "rt_sigprocmask(SIG_BLOCK, [INT CHLD], ~[USR1], 8) = 0");
	ENTER(LX_NR_poll, put_at(0, fds, sizeof(fds)), 2, (uint64_t)-1);
	fds[1].revents = LX_POLLOUT;
	put_at(0, fds, sizeof(fds));
	EXPECT(1, "poll([{fd=3, events=POLLIN, revents=0}, {fd=4, events=POLLOUT, revents=0}] => "
		  "[{fd=3, events=POLLIN, revents=0}, {fd=4, events=POLLOUT, revents=POLLOUT}], 2, "
		  "-1) = 1");
	ENTER(LX_NR_pipe, GUEST_BASE);
	put_at(0, (int[]){5, 6}, 8);
	EXPECT(0, "pipe([5, 6]) = 0");
	ENTER(LX_NR_wait4, (uint64_t)-1, GUEST_BASE, LX_WNOHANG, 0);
	EXPECT(5, "wait4(-1, [5], WNOHANG, NULL) = 5");
	ENTER(LX_NR_openat2, 3, put_string(512, "f"), put_at(0, &how, sizeof(how)), sizeof(how));
	EXPECT(4, "openat2(3, \"f\", {flags=O_RDWR, mode=0, resolve=RESOLVE_BENEATH}, 24) = 4");
	ENTER(LX_NR_openat2, 3, GUEST_BASE + 512, GUEST_BASE, 1ull << 40);
	EXPECT(-E2BIG,
		"openat2(3, \"f\", {flags=O_RDWR, mode=0, resolve=RESOLVE_BENEATH}, 1099511627776) "
		"= -1 E2BIG (Argument list too long)");
}

Test(strace, addresses)
{
	struct lx_sockaddr_un un = {.sun_family = LX_AF_UNIX, .sun_path = "/run/x"};
	struct lx_sockaddr_in in = {
		.sin_family = LX_AF_INET, .sin_port = 0x5000, .sin_addr = 0x0100007f};
	int32_t size = 16;

	ENTER(LX_NR_connect, 3, put_at(0, &un, sizeof(un)), sizeof(un));
	EXPECT(0, "connect(3, {sa_family=AF_UNIX, sun_path=\"/run/x\"}, 110) = 0");
	memcpy(un.sun_path, "\0ab", 3);
	ENTER(LX_NR_bind, 3, put_at(0, &un, sizeof(un)), 5);
	EXPECT(0, "bind(3, {sa_family=AF_UNIX, sun_path=@\"ab\"}, 5) = 0");
	ENTER(LX_NR_bind, 3, GUEST_BASE, 2);
	EXPECT(0, "bind(3, {sa_family=AF_UNIX}, 2) = 0");
	ENTER(LX_NR_bind, 3, GUEST_BASE, (uint64_t)-1);
	EXPECT(-EINVAL, "bind(3, 0x10000, -1) = -1 EINVAL (Invalid argument)");
	ENTER(LX_NR_accept, 3, GUEST_BASE, put_at(256, &size, 4));
	put_at(0, &in, sizeof(in));
	EXPECT(4, "accept(3, {sa_family=AF_INET, sin_port=htons(80), "
		  "sin_addr=inet_addr(\"127.0.0.1\")}, "
		  "[16]) = 4");
}

Test(strace, execve)
{
	uint64_t argv[3] = {put_string(512, "ls"), put_string(520, "-l"), 0};
	uint64_t envp[2] = {put_string(540, "A=b"), 0};

	ENTER(LX_NR_execve, put_string(600, "/bin/ls"), put_at(0, argv, sizeof(argv)),
		put_at(64, envp, sizeof(envp)));
	EXPECT(0, "execve(\"/bin/ls\", [\"ls\", \"-l\"], 0x10040 /* 1 vars */) = 0");
	ENTER(LX_NR_exit_group, 7);
	strace_no_return(&call, &sink);
	cr_expect_str_eq(seen, "[7] exit_group(7) = ?\n");
	strace_signal(7, LX_SIGSEGV, &sink);
	cr_expect_str_eq(seen, "[7] --- SIGSEGV ---\n");
}

/* Every number, with registers full of nonsense and memory full of it: lines stay bounded and
 * printable. */
Test(strace, garbage_in_every_call)
{
	static const uint64_t values[] = {0, 1, ~0ull, GUEST_BASE, GUEST_BASE + GUEST_SIZE - 1,
		GUEST_BASE + 3, 1ull << 63, 0x7fffffff};
	uint64_t seed = 1;

	for (size_t i = 0; i < GUEST_SIZE; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		guest[i] = (uint8_t)(seed >> 56);
	}
	for (uint64_t nr = 0; nr < LX_NR_COUNT + 2; nr++) {
		for (unsigned round = 0; round < 40; round++) {
			uint64_t args[6];

			for (unsigned i = 0; i < 6; i++) {
				seed = seed * 6364136223846793005ull + 1442695040888963407ull;
				args[i] = values[seed >> 61];
			}
			strace_enter(&call, 1, nr, args, &memory);
			strace_exit(&call, round % 2 ? (int64_t)values[round % 8] : -(int64_t)round,
				&memory, &sink);
			cr_assert_eq(seen[seen_size - 1], '\n');
			for (size_t i = 0; i + 1 < seen_size; i++)
				cr_assert(seen[i] >= ' ' && seen[i] < 0x7f, "nr %u: %d",
					(unsigned)nr, seen[i]);
		}
	}
}
