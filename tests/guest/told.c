/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls whose result is certain: seeks in files of one's own, closes, the heap's end, signal
 * actions. A platform may answer them at once and do them with the next call, which nobody must be
 * able to tell.
 */
#include "case.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static int make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		NOTE("write failed");
	return fd;
}

static void show(int fd, size_t count)
{
	char text[64] = "";
	ssize_t n = read(fd, text, count < sizeof(text) - 1 ? count : sizeof(text) - 1);

	NOTE("read %zd '%.*s'", n, n > 0 ? (int)n : 0, text);
}

static void ended(int status)
{
	if (WIFEXITED(status))
		NOTE("exited %d", WEXITSTATUS(status));
	else
		NOTE("killed by %d", WTERMSIG(status));
}

CASE(told_seeks)
{
	int a = make("a", "abcdefghijklmnop"), b = make("b", "0123456789");

	for (int i = 0; i < 40; i++)
		if (lseek(a, i % 16, SEEK_SET) != i % 16 ||
			lseek(b, 9 - i % 10, SEEK_SET) != 9 - i % 10)
			NOTE("seek %d", i);
	show(a, 3);
	show(b, 3);
	CALL(lseek(a, 0, SEEK_CUR));
	CALL(lseek(a, 5, SEEK_SET));
	CALL(lseek(a, 2, SEEK_CUR));
	show(a, 2);
	CALL(lseek(a, 100, SEEK_SET));
	show(a, 1);
	CALL(write(a, "x", 1));
	CALL(lseek(a, 0, SEEK_END));
	CALL(lseek(a, -1, SEEK_SET));
	CALL(lseek(a, 1ll << 41, SEEK_SET));
	CALL(lseek(a, 3, 77));
	show(a, 1);
	CALL(lseek(a, 1, SEEK_SET));
	CALL(pread(a, (char[4]){0}, 3, 8));
	show(a, 2);
}

CASE(told_seeks_of_what_cannot)
{
	int pipes[2], dir;
	int path = open(".", O_PATH);

	CALL(pipe(pipes));
	CALL(lseek(pipes[0], 0, SEEK_SET));
	CALL(lseek(path, 0, SEEK_SET));
	dir = open(".", O_RDONLY | O_DIRECTORY);
	CALL(lseek(dir, 0, SEEK_SET));
	close(make("f", "text"));
	dir = open("f", O_RDONLY);
	close(dir);
	CALL(lseek(dir, 0, SEEK_SET));
	CALL(dup2(pipes[0], dir));
	CALL(lseek(dir, 0, SEEK_SET));
}

/* The descriptor's number becomes something else's. */
CASE(told_seeks_number_again)
{
	int fd = make("f", "first file"), other = make("g", "second file"), pipes[2];

	CALL(lseek(fd, 3, SEEK_SET));
	CALL(dup2(other, fd));
	CALL(lseek(fd, 2, SEEK_SET));
	show(other, 4);
	CALL(pipe(pipes));
	OK(dup3(pipes[0], fd, O_CLOEXEC));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(lseek(other, 1, SEEK_SET));
	OK(fcntl(other, F_DUPFD, 40));
	CALL(lseek(other, 7, SEEK_SET));
	show(40, 4);
	CALL(close_range((unsigned)other, (unsigned)other, 0));
	CALL(lseek(other, 7, SEEK_SET));
	show(40, 4);
}

/* The position is the open file's, whoever has it. */
CASE(told_seeks_shared)
{
	int fd = make("f", "abcdefghijklmnop"), pipes[2], status;
	char byte;
	pid_t child;

	CALL(pipe(pipes));
	CALL(lseek(fd, 4, SEEK_SET));
	child = fork();
	if (child == 0) {
		show(fd, 2);
		lseek(fd, 10, SEEK_SET);
		_exit(0);
	}
	waitpid(child, &status, 0);
	show(fd, 2);
	CALL(lseek(fd, 1, SEEK_SET));
	child = fork();
	if (child == 0) {
		lseek(fd, 7, SEEK_SET);
		if (write(pipes[1], "x", 1) != 1 || read(pipes[0], &byte, 0) != 0)
			_exit(1);
		pause();
	}
	if (read(pipes[0], &byte, 1) == 1)
		show(fd, 2);
	CALL(lseek(fd, 2, SEEK_SET));
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	show(fd, 2);
}

CASE(told_seeks_sent)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (char[1]){0}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = make("f", "abcdefghijklmnop"), pair[2], status;
	pid_t child;

	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = fork();
	if (child == 0) {
		int got;

		close(fd);
		if (recvmsg(pair[1], &message, 0) != 1)
			_exit(1);
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got));
		show(got, 2);
		if (write(pair[1], "x", 1) != 1 || read(pair[1], iov.iov_base, 1) != 1)
			_exit(2);
		show(got, 2);
		_exit(0);
	}
	fd = open("f", O_RDONLY);
	CALL(lseek(fd, 6, SEEK_SET));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(pair[0], &message, 0) != 1 || read(pair[0], iov.iov_base, 1) != 1)
		NOTE("not sent");
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(lseek(fd, 12, SEEK_SET));
	if (write(pair[0], "y", 1) != 1)
		NOTE("not written");
	waitpid(child, &status, 0);
	ended(status);
	CALL(lseek(fd, 0, SEEK_CUR));
}

struct shared {
	int fd;
	pthread_barrier_t barrier;
};

static void *reads(void *data)
{
	struct shared *shared = data;

	pthread_barrier_wait(&shared->barrier);
	show(shared->fd, 2);
	pthread_barrier_wait(&shared->barrier);
	pthread_barrier_wait(&shared->barrier);
	show(shared->fd, 2);
	lseek(shared->fd, 1, SEEK_SET);
	return NULL;
}

CASE(told_seeks_threads)
{
	struct shared shared = {.fd = make("f", "abcdefghijklmnop")};
	pthread_t thread;

	pthread_barrier_init(&shared.barrier, NULL, 2);
	CALL(lseek(shared.fd, 8, SEEK_SET));
	RC(pthread_create(&thread, NULL, reads, &shared));
	pthread_barrier_wait(&shared.barrier);
	pthread_barrier_wait(&shared.barrier);
	CALL(lseek(shared.fd, 3, SEEK_SET));
	pthread_barrier_wait(&shared.barrier);
	pthread_join(thread, NULL);
	show(shared.fd, 2);
}

static void show_position(int fd)
{
	char path[64], line[64] = "";
	FILE *info;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "r");
	if (!info || !fgets(line, sizeof(line), info))
		NOTE("no fdinfo");
	NOTE("%s", line);
	if (info)
		fclose(info);
}

CASE(told_seeks_fdinfo_exec)
{
	int fd = make("f", "line one\nline two\n"), status;
	char name[16];

	lseek(fd, 9, SEEK_SET);
	show_position(fd);
	(void)snprintf(name, sizeof(name), "<&%d cat", fd);
	if (fork() == 0) {
		lseek(fd, 5, SEEK_SET);
		execl("/bin/sh", "sh", "-c", name, (char *)NULL);
		_exit(1);
	}
	wait(&status);
	ended(status);
	CALL(lseek(fd, 0, SEEK_CUR));
}

CASE(told_closes)
{
	int fds[20], status;

	for (int i = 0; i < 20; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "f%d", i);
		fds[i] = make(name, name);
	}
	for (int i = 19; i >= 0; i -= 2)
		if (close(fds[i]) != 0)
			NOTE("close %d", i);
	for (int i = 0; i < 20; i++)
		if ((fcntl(fds[i], F_GETFD) < 0) != (i % 2))
			NOTE("descriptor %d", i);
	close(fds[4]);
	CALL(close(fds[4]));
	CALL(fds[1] == open("f1", O_RDONLY) ? 0 : 1);
	show(fds[1], 2);
	close(fds[2]);
	CALL(dup(fds[0]) == fds[2] ? 0 : 1);
	close(fds[6]);
	if (fork() == 0)
		_exit(fcntl(fds[6], F_GETFD) < 0 ? 7 : 8);
	wait(&status);
	ended(status);
}

/* A lock ends with any close of the process's. */
CASE(told_closes_locks)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = make("f", "text"), again = open("f", O_RDWR), status;
	volatile unsigned spin = 0;
	int pipes[2];
	char byte;

	CALL(pipe(pipes));
	CALL(fcntl(again, F_SETLK, &lock));
	if (fork() == 0) {
		int mine = open("f", O_RDWR);

		if (write(pipes[1], "x", 1) != 1)
			_exit(1);
		_exit(fcntl(mine, F_SETLKW, &lock) < 0 ? 1 : 5);
	}
	CALL(read(pipes[0], &byte, 1));
	CALL(close(fd));
	wait(&status);
	ended(status);
	for (unsigned i = 0; i < 1000; i++)
		spin += i;
}

CASE(told_break)
{
	char *begin = sbrk(0), *at;
	struct rlimit limit;

	for (int round = 0; round < 3; round++) {
		for (int i = 1; i <= 20; i++) {
			at = begin + i * 0x3123;
			if (brk(at) != 0 || sbrk(0) != at)
				NOTE("grow %d", i);
			if (at[-1] != 0)
				NOTE("not empty: %d", i);
			at[-1] = 'x';
		}
		for (int i = 20; i >= 1; i--) {
			at = begin + i * 0x3000;
			if (brk(at) != 0 || sbrk(0) != at)
				NOTE("shrink %d", i);
		}
		CALL(brk(begin));
		CALL(begin == sbrk(0) ? 0 : 1);
		/* Gone. */
		CALL(madvise((void *)(((uintptr_t)begin + 0x4fff) & ~0xfffull), 4096, MADV_NORMAL));
		CALL(brk(begin + 0x10000));
		CALL(begin[0xffff]);
		CALL(brk(begin));
	}
	CALL(brk(begin + 0x8000));
	/* Something lies in the way. */
	at = (char *)(((uintptr_t)begin + 0x40fff) & ~0xfffull);
	CALL(mmap(at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
	CALL(brk(begin + 0x80000));
	CALL(begin + 0x8000 == sbrk(0) ? 0 : 1);
	CALL(brk(begin + 0x20000));
	CALL(munmap(at, 4096));
	CALL(brk(begin + 0x80000));
	/* Part of the heap is something else. */
	CALL(mprotect((void *)(((uintptr_t)begin + 0x10fff) & ~0xfffull), 4096, PROT_READ));
	CALL(brk(begin + 0x9000));
	CALL(brk(begin + 0x20000));
	begin[0x1ffff] = 1;
	getrlimit(RLIMIT_DATA, &limit);
	limit.rlim_cur = 1;
	CALL(setrlimit(RLIMIT_DATA, &limit));
	CALL(brk(begin + 0x40000));
	CALL(brk(begin + 0x10000));
}

static unsigned long field(const char *name)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	unsigned long value = 0;

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoul(line + strlen(name), NULL, 10);
	if (status)
		fclose(status);
	return value;
}

CASE(told_break_is_seen)
{
	char *begin;
	unsigned long before;
	int status;

	free(malloc(100));
	(void)field("VmData:");
	begin = sbrk(0);
	before = field("VmData:");
	CALL(brk(begin + 0x100000));
	CALL((int)(field("VmData:") - before));
	begin[0xfffff] = 42;
	if (fork() == 0) {
		brk(begin + 0x1000);
		brk(begin + 0x200000);
		_exit(begin[0x1fffff] + begin[0xfffff] + 3);
	}
	wait(&status);
	ended(status);
	NOTE("%d", begin[0xfffff]);
	CALL(brk(begin));
	CALL((int)(field("VmData:") - before));
	if (vfork() == 0) {
		brk(begin + 0x3000);
		_exit(0);
	}
	wait(&status);
	CALL(sbrk(0) == begin + 0x3000 ? 0 : 1);
}

static void *breaks(void *data)
{
	char *begin = data;

	if (brk(begin + 0x5000) != 0)
		NOTE("no room");
	begin[0x4fff] = 1;
	return NULL;
}

CASE(told_break_threads)
{
	char *begin;
	pthread_t thread;

	pthread_create(&thread, NULL, breaks, sbrk(0));
	pthread_join(thread, NULL);
	begin = sbrk(0);
	CALL(brk(begin + 0x4000));
	begin[0x3fff] = 1;
	pthread_create(&thread, NULL, breaks, sbrk(0));
	pthread_join(thread, NULL);
	CALL(sbrk(0) == begin + 0x9000 ? 0 : 1);
}

static volatile sig_atomic_t caught;

static void on_signal(int signo)
{
	caught += signo;
}

/* As posix_spawn() does it, with everything blocked. */
CASE(told_actions)
{
	struct sigaction action = {.sa_handler = SIG_DFL}, old;
	sigset_t all, before, pending;

	sigfillset(&all);
	CALL(sigprocmask(SIG_SETMASK, &all, &before));
	for (int i = 1; i <= 64; i++) {
		long r = syscall(SYS_rt_sigaction, i, &action, NULL, 8);

		if (r != 0)
			NOTE("%d: %s", i, errno_name(errno));
	}
	CALL(raise(SIGUSR1));
	action.sa_handler = on_signal;
	CALL(sigaction(SIGUSR1, &action, NULL));
	CALL(sigaction(SIGUSR2, &action, NULL));
	CALL(raise(SIGUSR2));
	CALL(sigprocmask(SIG_SETMASK, &before, NULL));
	NOTE("caught %d", (int)caught);
	CALL(sigaction(SIGUSR1, NULL, &old));
	NOTE("%d", old.sa_handler == on_signal);
	/* Ignored: what is pending goes, blocked or not. */
	CALL(sigprocmask(SIG_SETMASK, &all, NULL));
	CALL(raise(SIGUSR1));
	CALL(raise(SIGUSR2));
	action.sa_handler = SIG_IGN;
	CALL(sigaction(SIGUSR1, &action, NULL));
	CALL(sigpending(&pending));
	NOTE("pending %d %d", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2));
	action.sa_handler = SIG_DFL;
	CALL(sigaction(SIGUSR1, &action, NULL));
	CALL(sigprocmask(SIG_SETMASK, &before, NULL));
	NOTE("caught %d", (int)caught);
}

CASE(told_actions_look)
{
	struct {
		unsigned long handler, flags, restorer, mask;
	} set = {0, SA_RESTART | 0x4000000, 0x1234, ~0ul}, got;

	CALL(syscall(SYS_rt_sigaction, SIGUSR1, &set, NULL, 8));
	CALL(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &got, 8));
	NOTE("%lx %lx %lx %lx", got.handler, got.flags, got.restorer, got.mask);
	memset(&got, 1, sizeof(got));
	CALL(syscall(SYS_rt_sigaction, SIGUSR2, &set, &got, 8));
	NOTE("%lx %lx %lx %lx", got.handler, got.flags, got.restorer, got.mask);
	CALL(syscall(SYS_rt_sigaction, SIGUSR2, &set, &got, 8));
	NOTE("%lx %lx %lx %lx", got.handler, got.flags, got.restorer, got.mask);
	set.flags = 0xffffff00ff;
	CALL(syscall(SYS_rt_sigaction, SIGHUP, &set, NULL, 8));
	CALL(syscall(SYS_rt_sigaction, SIGHUP, NULL, &got, 8));
	NOTE("%lx %lx %lx %lx", got.handler, got.flags, got.restorer, got.mask);
	CALL(syscall(SYS_rt_sigaction, SIGKILL, &set, NULL, 8));
	CALL(syscall(SYS_rt_sigaction, SIGSTOP, BAD_ADDRESS, NULL, 8));
	CALL(syscall(SYS_rt_sigaction, SIGSTOP, NULL, &got, 8));
	CALL(syscall(SYS_rt_sigaction, SIGHUP, BAD_ADDRESS, NULL, 8));
	CALL(syscall(SYS_rt_sigaction, SIGINT, &set, BAD_ADDRESS, 8));
	CALL(syscall(SYS_rt_sigaction, SIGINT, NULL, &got, 8));
	NOTE("%lx %lx %lx %lx", got.handler, got.flags, got.restorer, got.mask);
	CALL(syscall(SYS_rt_sigaction, 65, &set, NULL, 8));
	CALL(syscall(SYS_rt_sigaction, 0, &set, NULL, 8));
	CALL(syscall(SYS_rt_sigaction, SIGHUP, &set, NULL, 4));
}

/* A child's end, a fault and a fork find the actions of the moment. */
CASE(told_actions_count)
{
	struct sigaction action = {.sa_handler = SIG_DFL}, old;
	sigset_t all, before;
	int status;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	action.sa_handler = SIG_IGN;
	sigaction(SIGCHLD, &action, NULL);
	if (fork() == 0)
		_exit(3);
	CALL(wait(&status));
	action.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &action, NULL);
	action.sa_handler = on_signal;
	sigaction(SIGTERM, &action, NULL);
	if (fork() == 0) {
		sigaction(SIGTERM, NULL, &old);
		_exit(old.sa_handler == on_signal ? 4 : 5);
	}
	wait(&status);
	ended(status);
	if (fork() == 0) {
		action.sa_handler = on_signal;
		sigaction(SIGSEGV, &action, NULL);
		*(volatile int *)BAD_ADDRESS = 1;
		_exit(5);
	}
	wait(&status);
	ended(status);
	if (vfork() == 0) {
		action.sa_handler = SIG_IGN;
		sigaction(SIGTERM, &action, NULL);
		_exit(6);
	}
	wait(&status);
	ended(status);
	sigaction(SIGTERM, NULL, &old);
	NOTE("%d", old.sa_handler == on_signal);
	raise(SIGTERM);
	sigprocmask(SIG_SETMASK, &before, NULL);
	NOTE("caught %d", (int)caught);
}
