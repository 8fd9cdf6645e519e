/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operation, many times: prints nanoseconds for one. Runs natively and in the sandbox;
 *benchmarks/run compares.
 *
 *	micro NAME [SECONDS]		micro --list
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- operations: each does its thing @count times ---- */

static void op_getppid(long count)
{
	while (count--)
		syscall(SYS_getppid);
}

/* A call that the Sentry always answers: never in the guest, never from a cache. */
static void op_umask(long count)
{
	while (count--)
		syscall(SYS_umask, 022);
}

static void op_read_zero(long count)
{
	static int fd = -1;
	char byte;

	if (fd < 0)
		fd = open("/dev/zero", O_RDONLY);
	while (count--)
		if (read(fd, &byte, 1) != 1)
			die("read");
}

static void op_write_null(long count)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/null", O_WRONLY);
	while (count--)
		if (write(fd, "x", 1) != 1)
			die("write");
}

static void op_stat(long count)
{
	struct stat st;

	while (count--)
		if (stat("/usr/bin/env", &st) < 0)
			die("stat");
}

static void op_stat_missing(long count)
{
	struct stat st;

	while (count--)
		stat("/usr/bin/no-such-file", &st);
}

static void op_open_close(long count)
{
	while (count--) {
		int fd = open("/usr/bin/env", O_RDONLY);

		if (fd < 0)
			die("open");
		close(fd);
	}
}

static void transfer(long count, size_t size, const char *path, int flags, int writing)
{
	static char buffer[65536];
	int fd = open(path, flags, 0600);

	if (fd < 0 || ((flags & O_CREAT) && pwrite(fd, buffer, size, 0) != (ssize_t)size))
		die(path);
	while (count--) {
		ssize_t n = writing ? pwrite(fd, buffer, size, 0) : pread(fd, buffer, size, 0);

		if (n != (ssize_t)size)
			die("transfer");
	}
	close(fd);
}

static void op_pread_4k(long count)
{
	transfer(count, 4096, "/usr/bin/python3.11", O_RDONLY, 0);
}

static void op_pread_64k(long count)
{
	transfer(count, 65536, "/usr/bin/python3.11", O_RDONLY, 0);
}

static void op_pread_4k_tmpfs(long count)
{
	transfer(count, 4096, "/dev/shm/bench-file", O_RDWR | O_CREAT, 0);
}

static void op_pwrite_4k_tmpfs(long count)
{
	transfer(count, 4096, "/dev/shm/bench-file", O_RDWR | O_CREAT, 1);
}

static void op_create_unlink(long count)
{
	while (count--) {
		int fd = open("/dev/shm/bench-create", O_CREAT | O_RDWR, 0600);

		if (fd < 0)
			die("create");
		close(fd);
		unlink("/dev/shm/bench-create");
	}
}

static void op_pipe_self(long count)
{
	int fds[2];
	char byte = 0;

	if (pipe(fds) < 0)
		die("pipe");
	while (count--)
		if (write(fds[1], &byte, 1) != 1 || read(fds[0], &byte, 1) != 1)
			die("pipe transfer");
	close(fds[0]);
	close(fds[1]);
}

static void ping_pong(long count, int a[2], int b[2])
{
	char byte = 0;
	pid_t pid = fork();

	if (pid == 0) {
		while (count--)
			if (read(a[0], &byte, 1) != 1 || write(b[1], &byte, 1) != 1)
				_exit(1);
		_exit(0);
	}
	while (count--)
		if (write(a[1], &byte, 1) != 1 || read(b[0], &byte, 1) != 1)
			die("ping-pong");
	waitpid(pid, NULL, 0);
}

static void op_pipe_pingpong(long count)
{
	int a[2], b[2];

	if (pipe(a) < 0 || pipe(b) < 0)
		die("pipe");
	ping_pong(count, a, b);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void op_unix_pingpong(long count)
{
	int pair[2], a[2], b[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
	a[1] = b[0] = pair[0];
	a[0] = b[1] = pair[1];
	ping_pong(count, a, b);
	close(pair[0]);
	close(pair[1]);
}

static void op_mmap_touch(long count)
{
	while (count--) {
		char *p = mmap(
			NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		for (size_t at = 0; at < 65536; at += 4096)
			p[at] = 1;
		munmap(p, 65536);
	}
}

/* One fault each: the mapping is made outside of the measured part as far as possible. */
static void op_page_fault(long count)
{
	const size_t pages = 4096;

	while (count > 0) {
		size_t n = count < (long)pages ? (size_t)count : pages;
		char *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		madvise(p, pages * 4096, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < n; i++)
			p[i * 4096] = 1;
		munmap(p, pages * 4096);
		count -= (long)n;
	}
}

static void op_fork_exit(long count)
{
	while (count--) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			die("fork");
	}
}

static void op_vfork_exec(long count)
{
	while (count--) {
		pid_t pid = vfork();

		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			die("vfork");
	}
}

static void *nothing(void *arg)
{
	return arg;
}

static void op_thread(long count)
{
	while (count--) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
			die("thread");
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;

static void take_turns(long count, int mine)
{
	pthread_mutex_lock(&mutex);
	while (count--) {
		while (turn != mine)
			pthread_cond_wait(&cond, &mutex);
		turn = !mine;
		pthread_cond_signal(&cond);
	}
	pthread_mutex_unlock(&mutex);
}

static void *other_turns(void *arg)
{
	take_turns((long)arg, 1);
	return NULL;
}

static void op_cond(long count)
{
	pthread_t thread;

	turn = 0;
	pthread_create(&thread, NULL, other_turns, (void *)count);
	take_turns(count, 0);
	pthread_join(thread, NULL);
}

static volatile long counter;

static void *contend(void *arg)
{
	for (long n = (long)arg; n > 0; n--) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void op_mutex(long count)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, contend, (void *)(count / 4 + 1));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void on_signal(int signo)
{
}

static void op_signal(long count)
{
	struct sigaction action = {.sa_handler = on_signal};
	pid_t self = getpid();

	sigaction(SIGUSR1, &action, NULL);
	while (count--)
		kill(self, SIGUSR1);
}

static void op_clock(long count)
{
	struct timespec now;

	while (count--)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

static void op_cpu(long count)
{
	volatile uint64_t x = 1;

	while (count--)
		for (int i = 0; i < 1000; i++)
			x = x * 6364136223846793005ull + 1442695040888963407ull;
}

static const struct {
	const char *name;
	void (*run)(long count);
} operations[] = {
	{"getppid", op_getppid},
	{"umask", op_umask},
	{"clock_gettime", op_clock},
	{"read-zero", op_read_zero},
	{"write-null", op_write_null},
	{"stat", op_stat},
	{"stat-missing", op_stat_missing},
	{"open-close", op_open_close},
	{"pread-4k", op_pread_4k},
	{"pread-64k", op_pread_64k},
	{"pread-4k-tmpfs", op_pread_4k_tmpfs},
	{"pwrite-4k-tmpfs", op_pwrite_4k_tmpfs},
	{"create-unlink", op_create_unlink},
	{"pipe-self", op_pipe_self},
	{"pipe-pingpong", op_pipe_pingpong},
	{"unix-pingpong", op_unix_pingpong},
	{"mmap-touch-64k", op_mmap_touch},
	{"page-fault", op_page_fault},
	{"fork-exit", op_fork_exit},
	{"vfork-exec", op_vfork_exec},
	{"thread", op_thread},
	{"cond-pingpong", op_cond},
	{"mutex-contended", op_mutex},
	{"signal", op_signal},
	{"cpu", op_cpu},
};

/* Grows the count until a batch takes a while, then reports the best of a few batches. */
static void measure(void (*run)(long count), double seconds)
{
	uint64_t budget = (uint64_t)(seconds * 1e9), start = now_ns(), took;
	double best = 1e18;
	long count = 1;

	for (;;) {
		uint64_t begin = now_ns();

		run(count);
		took = now_ns() - begin;
		if (took > budget / 10 || now_ns() - start > budget / 2)
			break;
		count *= 2;
	}
	do {
		uint64_t begin = now_ns();

		run(count);
		took = now_ns() - begin;
		if ((double)took / (double)count < best)
			best = (double)took / (double)count;
	} while (now_ns() - start < budget);
	printf("%.1f\n", best);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (argc == 2 && strcmp(argv[1], "--list") == 0)
			puts(operations[i].name);
		else if (argc > 1 && strcmp(argv[1], operations[i].name) == 0) {
			measure(operations[i].run, argc > 2 ? atof(argv[2]) : 0.3);
			return 0;
		}
	}
	return argc == 2 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
