/* SPDX-License-Identifier: Apache-2.0 */
/* Where files end, and what happens there and beyond: mappings, holes, sizes beyond 4 GiB, limits.
 */
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#include "case.h"

#define PAGE 4096

static sigjmp_buf out;
static volatile int fault_signal, fault_code;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	fault_signal = signo;
	fault_code = info->si_code;
	siglongjmp(out, 1);
}

static void catch_faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

static void touch(const char *what, volatile char *p, int write)
{
	if (sigsetjmp(out, 1) == 0) {
		if (write)
			*p = 'w';
		NOTE("%s: %d", what, *p);
	} else {
		NOTE("%s: signal %d code %d", what, fault_signal, fault_code);
	}
}

static void each_mapping(void (*fn)(int fd, char *p, int shared))
{
	for (int shared = 0; shared < 2; shared++) {
		int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
		char *p;

		ftruncate(fd, PAGE + 100);
		pwrite(fd, "a", 1, 0);
		pwrite(fd, "b", 1, PAGE);
		p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE,
			fd, 0);
		NOTE(shared ? "shared" : "private");
		fn(fd, p, shared);
		munmap(p, 4 * PAGE);
		close(fd);
	}
}

static void beyond(int fd, char *p, int shared)
{
	char byte = 'x';

	touch("first", p, 0);
	touch("last of the file", p + PAGE + 99, 0);
	touch("rest of its page", p + PAGE + 100, 0);
	touch("write there", p + PAGE + 200, 1);
	touch("page behind", p + 2 * PAGE, 0);
	touch("write behind", p + 3 * PAGE, 1);
	CALL(pread(fd, &byte, 1, PAGE + 200));
	CALL(ftruncate(fd, 3 * PAGE));
	touch("now inside", p + 2 * PAGE, 0);
	touch("still outside", p + 3 * PAGE, 0);
	CALL(pread(fd, &byte, 1, PAGE + 300));
	NOTE("%d", byte);
}

CASE(mapping_beyond_the_end)
{
	catch_faults();
	each_mapping(beyond);
}

static void shrink(int fd, char *p, int shared)
{
	char byte = 'x';

	touch("second page", p + PAGE, 1);
	CALL(ftruncate(fd, 10));
	touch("first page", p, 0);
	touch("second page", p + PAGE, 0);
	CALL(ftruncate(fd, 2 * PAGE));
	touch("second page", p + PAGE, 0);
	CALL(pread(fd, &byte, 1, PAGE));
	NOTE("%d", byte);
	touch("first page", p, 1);
	CALL(pread(fd, &byte, 1, 0));
	NOTE("%c", byte);
	CALL(ftruncate(fd, 0));
	touch("first page", p, 1);
	CALL(read(fd, p, 10));
	CALL(write(fd, p, 10));
	CALL(write(fd, p + 3 * PAGE, 10));
}

CASE(truncated_under_a_mapping)
{
	catch_faults();
	each_mapping(shrink);
}

static void kernel_meets_the_end(int fd, char *p, int shared)
{
	int fds[2], other = open("g", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct iovec vector[2] = {{p, 10}, {p + 3 * PAGE, 10}};

	pipe(fds);
	write(fds[1], "0123456789012345678901234567890", 31);
	CALL(write(other, p + 2 * PAGE, 10));
	CALL(write(other, p + 2 * PAGE - 10, 20));
	CALL(writev(other, vector, 2));
	CALL(read(fds[0], p + 2 * PAGE, 10));
	CALL(read(fds[0], p + 2 * PAGE - 10, 10));
	CALL(open(p + 3 * PAGE, O_RDONLY));
	CALL(fstat(fd, (struct stat *)(p + 3 * PAGE)));
	CALL(pipe((int *)(p + 3 * PAGE)));
	strcpy(p, "nowhere");
	CALL(open(p, O_RDONLY));
}

CASE(calls_meet_the_end)
{
	each_mapping(kernel_meets_the_end);
}

CASE(mapping_outlives_name_and_rename)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600), n;
	char *p, text[10] = "";
	struct stat st;

	write(fd, "first", 5);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	write_file("g", "second");
	CALL(rename("g", "f"));
	NOTE("%.5s", p);
	memcpy(p, "FIRST", 5);
	CALL(pread(fd, text, 5, 0));
	NOTE("%s", text);
	note_file("f");
	fstat(fd, &st);
	NOTE("links %d", (int)st.st_nlink);
	n = open("/proc/self/fd/3", O_RDONLY);
	(void)n;
	(void)snprintf(text, sizeof(text), "%d", fd);
	char name[64], target[200] = "";
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CALL(readlink(name, target, sizeof(target)) > 0);
	NOTE("%s", strstr(target, " (deleted)") ? "deleted" : "there");
	n = open(name, O_RDWR);
	CALL(write(n, "again", 5));
	NOTE("%.5s", p);
	CALL(linkat(AT_FDCWD, name, AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
	CALL(linkat(fd, "", AT_FDCWD, "back", AT_EMPTY_PATH));
	CALL(unlink("f"));
	CALL(ftruncate(fd, 3));
	CALL(fchmod(fd, 0400));
	CALL(flock(fd, 2));
}

/* ---- holes ---- */

static void note_holes(int fd, const long *offsets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		long data = lseek(fd, offsets[i], SEEK_DATA);
		int error = errno;
		long hole = lseek(fd, offsets[i], SEEK_HOLE);

		NOTE("from %ld: data %ld %s, hole %ld %s", offsets[i], data,
			data < 0 ? errno_name(error) : "", hole, hole < 0 ? errno_name(errno) : "");
	}
}

CASE(holes)
{
	const long offsets[] = {0, 1, 4095, 4096, 65536, 65537, 69632, 131072, 1 << 20,
		(1 << 20) + 5, (1 << 20) + 10, -1, LONG_MAX};
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	note_holes(fd, offsets, 3);
	pwrite(fd, "x", 1, 65536);
	pwrite(fd, "0123456789", 10, 1 << 20);
	note_holes(fd, offsets, 13);
	ftruncate(fd, 2 << 20);
	note_holes(fd, offsets, 13);
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 4096));
	note_holes(fd, offsets, 13);
	ftruncate(fd, 100);
	note_holes(fd, offsets, 5);
}

CASE(seek_edges)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	CALL(lseek(fd, -1, SEEK_SET));
	CALL(lseek(fd, -1, SEEK_END));
	CALL(lseek(fd, 0, 9));
	CALL(lseek(fd, 5l << 32, SEEK_SET));
	CALL(read(fd, &fd, 1));
	CALL(pwrite(fd, "x", 1, LONG_MAX) < 0);
	CALL(pread(fd, (char[1]){0}, 1, LONG_MAX));
	CALL(pread(fd, (char[1]){0}, 1, -1));
	CALL(ftruncate(fd, -1));
	CALL(truncate("f", LONG_MIN));
}

CASE(beyond_four_gigabytes)
{
	const off_t big = 5ll << 30;
	int fd = open("f", O_RDWR | O_CREAT, 0600), out_fd = open("g", O_RDWR | O_CREAT, 0600);
	struct stat st;
	char text[20] = "", *p;
	off_t at = big, from = big;

	CALL(pwrite(fd, "beyond", 6, big));
	fstat(fd, &st);
	NOTE("%lld, little: %d", (long long)st.st_size, st.st_blocks < 1000);
	CALL(pread(fd, text, 10, big));
	NOTE("%s", text);
	CALL(lseek(fd, 0, SEEK_END));
	CALL(write(fd, "more", 4));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(lseek(fd, 0, SEEK_DATA) == big);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, big);
	NOTE("%.10s", p);
	CALL(pwrite(fd, "B", 1, big));
	NOTE("%.10s", p);
	CALL(sendfile(out_fd, fd, &at, 6));
	NOTE("%lld", (long long)(at - big));
	CALL(copy_file_range(fd, &from, out_fd, NULL, 4, 0));
	lseek(out_fd, 0, SEEK_SET);
	CALL(read(out_fd, text, 20));
	NOTE("%.10s", text);
	CALL(ftruncate(fd, (off_t)4 << 30));
	CALL(pread(fd, text, 1, big));
	fstat(fd, &st);
	NOTE("%lld", (long long)st.st_size);
	struct flock lock = {.l_type = F_WRLCK, .l_start = big, .l_len = 10};
	CALL(fcntl(fd, F_SETLK, &lock));
	CALL(syscall(SYS_open, "f", O_RDONLY) >= 0);
}

/* ---- limits ---- */

static void note_makers(void)
{
	int fds[2];
	sigset_t set;

	sigemptyset(&set);
	CALL(open("f", O_RDONLY));
	CALL(open("new", O_CREAT | O_RDWR, 0600));
	CALL(access("new", F_OK));
	CALL(pipe(fds));
	CALL(socket(AF_UNIX, SOCK_STREAM, 0));
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CALL(dup(0));
	CALL(dup2(0, 40));
	CALL(dup3(0, 40, O_CLOEXEC));
	CALL(fcntl(0, F_DUPFD, 0));
	CALL(fcntl(0, F_DUPFD, 40));
	CALL(epoll_create1(0));
	CALL(eventfd(0, 0));
	CALL(timerfd_create(CLOCK_MONOTONIC, 0));
	CALL(signalfd(-1, &set, 0));
	CALL(inotify_init());
	CALL(SYS(SYS_memfd_create, "x", 0));
	CALL(SYS(434 /* pidfd_open */, getpid(), 0));
	CALL(SYS(SYS_openat, AT_FDCWD, "missing", O_RDONLY));
	CALL(SYS(SYS_close_range, 50, 60, 0));
	CALL(write(1, "", 0));
}

CASE(no_more_descriptors)
{
	struct rlimit limit = {.rlim_cur = 20, .rlim_max = 30};
	char text[3];

	write_file("f", "abc");
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	while (dup(0) >= 0)
		;
	NOTE("full: %s", errno_name(errno));
	note_makers();
	CALL(read(open("f", O_RDONLY), text, 3));
}

CASE(no_descriptors_at_all)
{
	struct rlimit limit = {0};
	int fd;
	char text[3];

	write_file("f", "abc");
	fd = open("f", O_RDONLY);
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	note_makers();
	CALL(read(fd, text, 3));
	CALL(dup2(fd, fd) == fd);
	CALL(close(fd));
	struct pollfd poll_fd = {.fd = -1};
	CALL(poll(&poll_fd, 1, 0));
	CALL(poll(&poll_fd, 0, 0));
}

CASE(received_beyond_the_limit)
{
	int fds[2], sent[3] = {0, 1, 2}, got = 0;
	struct rlimit limit;
	char byte = 'x', control[CMSG_SPACE(sizeof(sent))];
	struct iovec vector = {&byte, 1};
	struct msghdr message = {.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(sent));
	memcpy(CMSG_DATA(header), sent, sizeof(sent));
	CALL(sendmsg(fds[0], &message, 0));
	limit.rlim_cur = (rlim_t)fds[1] + 3;
	limit.rlim_max = 1000;
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	CALL(recvmsg(fds[1], &message, 0));
	header = CMSG_FIRSTHDR(&message);
	if (header)
		got = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	NOTE("got %d, truncated %d", got, !!(message.msg_flags & MSG_CTRUNC));
}

static volatile int size_signals;

static void on_size(int signo)
{
	size_signals++;
}

static void exceed(void)
{
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600),
	    in = open("in", O_RDWR | O_CREAT, 0600), fds[2];
	static char bytes[3000];
	struct iovec vector[2] = {{bytes, 800}, {bytes, 800}};
	off_t at = 0;
	struct stat st;

#define SIGNALS() (NOTE("signals %d", size_signals), size_signals = 0)
	write(in, bytes, 3000 > 1000 ? 1000 : 3000);
	size_signals = 0;
	CALL(write(fd, bytes, 900));
	CALL(write(fd, bytes, 900));
	SIGNALS();
	CALL(write(fd, bytes, 900));
	SIGNALS();
	CALL(write(fd, bytes, 0));
	SIGNALS();
	CALL(pwrite(fd, bytes, 10, 1000));
	SIGNALS();
	CALL(pwrite(fd, bytes, 10, 995));
	SIGNALS();
	CALL(pwrite(fd, bytes, 10, 5000));
	SIGNALS();
	ftruncate(fd, 0);
	lseek(fd, 0, SEEK_SET);
	CALL(writev(fd, vector, 2));
	SIGNALS();
	CALL(ftruncate(fd, 1000));
	SIGNALS();
	CALL(ftruncate(fd, 1001));
	SIGNALS();
	CALL(truncate("f", 2000));
	SIGNALS();
	CALL(fallocate(fd, 0, 0, 2000));
	SIGNALS();
	CALL(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2000));
	SIGNALS();
	ftruncate(fd, 500);
	lseek(fd, 500, SEEK_SET);
	CALL(sendfile(fd, in, &at, 800));
	SIGNALS();
	CALL(sendfile(fd, in, &at, 800));
	SIGNALS();
	ftruncate(fd, 500);
	off_t from = 0, to = 500;
	CALL(copy_file_range(in, &from, fd, &to, 800, 0));
	SIGNALS();
	CALL(copy_file_range(in, &from, fd, &to, 800, 0));
	SIGNALS();
	pipe(fds);
	CALL(write(fds[1], bytes, 3000));
	to = 800;
	CALL(splice(fds[0], NULL, fd, &to, 3000, 0));
	SIGNALS();
	CALL(splice(fds[0], NULL, fd, &to, 3000, 0));
	SIGNALS();
	fstat(fd, &st);
	NOTE("size %lld", (long long)st.st_size);
	CALL(lseek(fd, 100000, SEEK_SET));
}

CASE(file_size_limit_everywhere)
{
	struct rlimit limit = {.rlim_cur = 1000, .rlim_max = 1000};

	signal(SIGXFSZ, on_size);
	CALL(setrlimit(RLIMIT_FSIZE, &limit));
	exceed();
}

CASE(file_size_limit_ignored)
{
	struct rlimit limit = {.rlim_cur = 1000, .rlim_max = 1000};

	signal(SIGXFSZ, SIG_IGN);
	CALL(setrlimit(RLIMIT_FSIZE, &limit));
	exceed();
}

CASE(file_size_limit_blocked)
{
	struct rlimit limit = {.rlim_cur = 10, .rlim_max = 1000};
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CALL(setrlimit(RLIMIT_FSIZE, &limit));
	CALL(write(fd, "0123456789012345", 16));
	CALL(write(fd, "0", 1));
	sigpending(&set);
	TRUTH(sigismember(&set, SIGXFSZ));
	signal(SIGXFSZ, SIG_DFL);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	NOTE("alive");
}

CASE(full_device)
{
	int fd = open("/dev/full", O_RDWR);
	char bytes[10] = "x";
	struct iovec vector = {bytes, 10};

	CALL(write(fd, bytes, 10));
	CALL(write(fd, bytes, 0));
	CALL(writev(fd, &vector, 1));
	CALL(pwrite(fd, bytes, 1, 10));
	CALL(read(fd, bytes, 10));
	NOTE("%d", bytes[0]);
	CALL(lseek(fd, 10, SEEK_SET));
	FILE *stream = fdopen(fd, "w");
	fputs("x", stream);
	CALL(fflush(stream));
}
