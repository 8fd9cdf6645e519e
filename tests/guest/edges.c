/* SPDX-License-Identifier: Apache-2.0 */
/* What the differential fuzzer found and belongs to no other file: orders of errors, wrapping
 * sizes, limits. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <utime.h>

#include "memory.h"

/* Nobody asks a directory that was removed what it thinks of the length of a name. */
CASE(long_name_in_removed_directory)
{
	char name[300];
	int fd;

	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	mkdir("d", 0755);
	fd = OK(open("d", O_RDONLY | O_DIRECTORY));
	CALL(mkdirat(fd, name, 0755));
	CALL(openat(fd, name, O_RDONLY));
	rmdir("d");
	CALL(linkat(AT_FDCWD, ".", fd, name, 0));
	CALL(mkdirat(fd, name, 0755));
	CALL(openat(fd, name, O_RDONLY));
	CALL(openat(fd, name, O_CREAT | O_WRONLY, 0600));
	CALL(faccessat(fd, name, F_OK, 0));
	CALL(unlinkat(fd, name, 0));
	CALL(symlinkat("x", fd, name));
}

CASE(munlock_wrapping_sizes)
{
	CALL(SYS(SYS_munlock, 16, -1L));
	CALL(SYS(SYS_munlock, 1, -1L));
	CALL(SYS(SYS_munlock, 0, -1L));
	CALL(SYS(SYS_munlock, 4096, -4096L));
	CALL(SYS(SYS_mlock, 16, -1L));
}

/* The size is not to change, but the limit is looked at. */
CASE(fallocate_keeping_size_beyond_limit)
{
	struct rlimit limit = {8192, 8192};
	int fd = OK(memfd_create("m", 0));

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	CALL(fallocate(fd, 1 /* FALLOC_FL_KEEP_SIZE */, 0, 8192));
	CALL(fallocate(fd, 1, 0, 8193));
	CALL(fallocate(fd, 1, 8192, 4096));
	CALL(fallocate(fd, 3 /* and PUNCH_HOLE */, 8192, 4096));
	signal(SIGXFSZ, SIG_DFL);
	fallocate(fd, 1, 8192, 4096);
	NOTE("not killed");
}

/* Rounded down to nothing, an address is still one. */
CASE(shmat_rounded_to_zero)
{
	int id = OK(shmget(IPC_PRIVATE, 20000, 0600));

	if (geteuid() == 0)
		setuid(65534);
	CALL(shmat(id, (void *)16, SHM_RND) == (void *)-1 ? -1 : 0);
	CALL(shmat(id, (void *)16, SHM_RND | SHM_REMAP) == (void *)-1 ? -1 : 0);
	shmctl(id, IPC_RMID, NULL);
}

CASE(sigqueueinfo_to_nobody)
{
	siginfo_t info = {0};

	info.si_code = SI_QUEUE;
	CALL(SYS(SYS_rt_sigqueueinfo, 0, -1, &info));
	CALL(SYS(SYS_rt_sigqueueinfo, 0x7ffffff, 100, &info));
	CALL(SYS(SYS_rt_sigqueueinfo, getpid(), 100, &info));
	CALL(SYS(SYS_rt_tgsigqueueinfo, 0x7ffffff, 0x7ffffff, 100, &info));
	CALL(SYS(SYS_rt_tgsigqueueinfo, getpid(), getpid(), 100, &info));
}

/* Times of what is nobody's file: permission to touch comes first. */
CASE(utime_of_anonymous_file)
{
	struct utimbuf times = {1, 2};
	char name[32];
	int fd = OK(inotify_init1(0));

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CALL(utime(name, NULL) < 0 ? -1 : 0);
	CALL(utime(name, &times) < 0 ? -1 : 0);
	if (geteuid() != 0)
		SKIP("needs root");
	setuid(65534);
	CALL(utime(name, NULL) < 0 ? -1 : 0);
	CALL(utime(name, &times) < 0 ? -1 : 0);
}

/* A program that replaced the one which made a child hears of its end by SIGCHLD and by nothing
 * else. */
CASE(exit_signal_after_execve)
{
	int go[2], gone[2];
	char script[128];
	pid_t pid;

	if (pipe(go) < 0 || pipe(gone) < 0)
		return;
	snprintf(script, sizeof(script), "echo x >&%d; read y <&%d; sleep 0.1; exit 5", go[1],
		gone[0]);
	pid = fork();
	if (pid == 0) {
		if (SYS(SYS_clone, SIGUSR1, 0, 0, 0, 0) == 0) {
			char byte;

			_exit(read(go[0], &byte, 1) == 1 ? 3 : 4);
		}
		close(gone[1]);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(1);
	}
	close(gone[1]);
	note_wait("the new program", pid);
}

CASE(setgroups_file_without_rights)
{
	if (geteuid() == 0)
		setuid(65534);
	CALL(open("/proc/self/setgroups", O_WRONLY));
	CALL(open("/proc/self/uid_map", O_WRONLY) < 0 ? -1 : 0);
	OK(open("/proc/self/setgroups", O_RDONLY));
}

CASE(pread_of_directory)
{
	char buffer[1000];
	int fd = OK(open(".", O_RDONLY | O_DIRECTORY));

	CALL(pread(fd, buffer, sizeof(buffer), 0));
	CALL(pread(fd, buffer, sizeof(buffer), 0x7fffffffffffffff));
	CALL(pread(fd, buffer, 0, 0x7fffffffffffffff));
	CALL(pread(fd, buffer, 1, -1));
}

/* The address is looked at before what the descriptor is. */
CASE(connect_of_a_file)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = OK(open("f", O_CREAT | O_RDWR, 0600));

	CALL(SYS(SYS_connect, fd, &address, -2));
	CALL(SYS(SYS_connect, fd, BAD_ADDRESS, 10));
	CALL(SYS(SYS_connect, fd, &address, sizeof(address)));
	CALL(SYS(SYS_connect, -1, &address, -2));
	CALL(SYS(SYS_bind, fd, &address, -2));
}

/* What is over when the timer is set has happened when the call returns. */
static volatile int timer_fired;

static void on_timer(int sig)
{
	(void)sig;
	timer_fired = 1;
}

CASE(timer_set_to_the_past)
{
	struct itimerspec value = {.it_value = {1, 0}}, old;
	timer_t timer;

	signal(SIGALRM, on_timer);
	CALL(timer_create(CLOCK_BOOTTIME, NULL, &timer));
	CALL(timer_settime(timer, TIMER_ABSTIME, &value, &old));
	TRUTH(timer_fired);
	CALL(timer_gettime(timer, &old));
	NOTE("%ld", (long)old.it_value.tv_sec);
}

/* An epoll instance has requests of its own, so another unknown one than all other files. */
CASE(flags_of_epoll)
{
	int flags, fd = OK(epoll_create1(0));

	CALL(ioctl(fd, 0x80086601 /* FS_IOC_GETFLAGS */, &flags));
	CALL(ioctl(fd, FIONREAD, &flags));
	CALL(ioctl(0, 0x80086601, &flags) < 0 ? -1 : 0);
}

CASE(empty_name_and_no_descriptor)
{
	char list[64];

	CALL(SYS(466 /* removexattrat */, AT_FDCWD, "", AT_EMPTY_PATH, "user.b"));
	CALL(SYS(465 /* listxattrat */, AT_FDCWD, "", AT_EMPTY_PATH, list, sizeof(list)));
	CALL(SYS(466, AT_FDCWD, "", 0, "user.b"));
	CALL(SYS(466, AT_FDCWD, NULL, AT_EMPTY_PATH, "user.b"));
}

/* Numbers of segments are cut to 32 bits. */
CASE(vectors_of_many)
{
	struct iovec iov = {"abc", 3};
	int fd = OK(open("f", O_CREAT | O_RDWR, 0600));

	CALL(SYS(SYS_writev, fd, &iov, 0xdead00000001ul));
	CALL(SYS(SYS_pwritev, fd, &iov, 0x100000001ul, 0, 0));
	CALL(SYS(SYS_readv, fd, BAD_ADDRESS, 0x100000001ul));
	CALL(SYS(SYS_writev, fd, &iov, 0x100000401ul));
}

/* The interval of a CPU timer that is off is kept, that of the real one is not. */
CASE(interval_of_a_timer_that_is_off)
{
	static const int kinds[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};

	for (size_t i = 0; i < 3; i++) {
		struct itimerval value = {{50, 0}, {0, 0}}, old = value;

		CALL(setitimer(kinds[i], &value, NULL));
		CALL(getitimer(kinds[i], &old));
		NOTE("%ld %ld", (long)old.it_interval.tv_sec, (long)old.it_value.tv_sec);
		value.it_interval.tv_sec = 0;
		CALL(setitimer(kinds[i], &value, &old));
		NOTE("%ld %ld", (long)old.it_interval.tv_sec, (long)old.it_value.tv_sec);
	}
}

CASE(file_systems_of_nameless_files)
{
	struct statfs fs;
	int p[2], s[2];

	if (pipe(p) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return;
	CALL(fstatfs(p[0], &fs));
	NOTE("%lx", (long)fs.f_type);
	CALL(fstatfs(s[0], &fs));
	NOTE("%lx", (long)fs.f_type);
	CALL(fstatfs(OK(epoll_create1(0)), &fs));
	NOTE("%lx", (long)fs.f_type);
}

/* A thread may pretend anything to itself, by its own number only. */
static void *pretend(void *unused)
{
	siginfo_t info = {0};

	(void)unused;
	info.si_code = 1;
	CALL(SYS(SYS_rt_sigqueueinfo, syscall(SYS_gettid), SIGUSR1, &info));
	CALL(SYS(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
	return NULL;
}

CASE(sigqueueinfo_by_a_thread)
{
	pthread_t thread;

	signal(SIGUSR1, SIG_IGN);
	pthread_create(&thread, NULL, pretend, NULL);
	pthread_join(thread, NULL);
}

CASE(copy_from_the_last_position)
{
	off_t in = 0x7fffffffffffffff, out = 0x7fffffffffffffff;
	int fd = OK(open("f", O_CREAT | O_RDWR, 0600));

	if (write(fd, "0123456789", 10) != 10)
		return;
	CALL(copy_file_range(fd, &in, fd, NULL, 100000, 0));
	CALL(copy_file_range(fd, NULL, fd, &out, 100000, 0));
	in = 0;
	CALL(copy_file_range(fd, &in, fd, &out, 100000, 0));
	in = -1;
	CALL(copy_file_range(fd, &in, fd, NULL, 1, 0));
}

CASE(policy_of_others_pages)
{
	char *p = anon(1);

	if (geteuid() == 0)
		setuid(65534);
	CALL(SYS(SYS_mbind, p, P, 3, NULL, 64, 5));
	CALL(SYS(SYS_mbind, p, P, 3, NULL, 64, 1));
	CALL(SYS(SYS_mbind, p + 1, P, 3, NULL, 64, 4));
	CALL(SYS(SYS_mbind, p, P, 99, NULL, 64, 4));
	CALL(SYS(SYS_mbind, p, P, 0, NULL, 64, 8));
}

CASE(copy_between_file_systems)
{
	int memory = OK(memfd_create("m", 0)), fd = OK(open("f", O_CREAT | O_RDWR, 0600));
	int other = OK(memfd_create("n", 0));

	if (write(memory, "0123456789", 10) != 10 || write(fd, "0123456789", 10) != 10)
		return;
	lseek(memory, 0, SEEK_SET);
	lseek(fd, 0, SEEK_SET);
	CALL(copy_file_range(memory, NULL, fd, NULL, 10, 0));
	CALL(copy_file_range(fd, NULL, memory, NULL, 10, 0));
	CALL(copy_file_range(memory, NULL, other, NULL, 10, 0));
}
