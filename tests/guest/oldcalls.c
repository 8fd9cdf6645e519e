/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The older of two calls with one purpose, which libc no longer makes: pipe, eventfd, signalfd,
 * epoll_create, inotify_init, open, creat, stat, mknod, utime..., and the short ones about times
 * and names. By number, so that it is really they.
 */
#include "case.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <utime.h>

CASE(pipe_has_no_flags)
{
	int fds[2];

	CALL(SYS(SYS_pipe, fds));
	CALL(fcntl(fds[0], F_GETFD));
	CALL(fcntl(fds[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	CALL(fcntl(fds[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
}

CASE(pipe_bad_address)
{
	CALL(SYS(SYS_pipe, NULL));
	CALL(SYS(SYS_pipe, BAD_ADDRESS));
	/* Nothing stays open. */
	CALL(dup(0));
}

CASE(pipe_no_descriptors)
{
	struct rlimit limit = {4, 4};
	int fds[2] = {77, 77};

	setrlimit(RLIMIT_NOFILE, &limit);
	CALL(SYS(SYS_pipe, fds));
	NOTE("%d %d", fds[0], fds[1]);
	CALL(dup(0));
	CALL(SYS(SYS_pipe, fds));
}

CASE(pipe_ends_are_one_way)
{
	char byte = 'x';
	int fds[2];

	CALL(SYS(SYS_pipe, fds));
	CALL(read(fds[1], &byte, 1));
	CALL(write(fds[0], &byte, 1));
	CALL(write(fds[1], &byte, 1));
	CALL(read(fds[0], &byte, 1));
}

CASE(eventfd_old)
{
	uint64_t value = 0;
	int fd = OK(SYS(SYS_eventfd, 7));

	CALL(fcntl(fd, F_GETFD));
	CALL(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	CALL(read(fd, &value, 8));
	NOTE("%lu", (unsigned long)value);
}

CASE(eventfd_old_large_value)
{
	uint64_t value = 0;
	int fd = OK(SYS(SYS_eventfd, 0xffffffff12345678ul));

	CALL(read(fd, &value, 8));
	NOTE("%lx", (unsigned long)value);
	fd = OK(SYS(SYS_eventfd, -1));
	CALL(read(fd, &value, 8));
	NOTE("%lx", (unsigned long)value);
}

CASE(eventfd_old_no_descriptors)
{
	struct rlimit limit = {3, 3};

	setrlimit(RLIMIT_NOFILE, &limit);
	CALL(SYS(SYS_eventfd, 0));
}

CASE(signalfd_old)
{
	struct signalfd_siginfo info;
	uint64_t mask = 1ul << (SIGUSR1 - 1);
	int fd;

	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, 8));
	fd = OK(SYS(SYS_signalfd, -1, &mask, 8));
	CALL(fcntl(fd, F_GETFD));
	CALL(kill(getpid(), SIGUSR1));
	CALL(read(fd, &info, sizeof(info)));
	NOTE("signal %u code %d", info.ssi_signo, info.ssi_code);
}

CASE(signalfd_old_changes)
{
	uint64_t mask = 1ul << (SIGUSR1 - 1), other = 1ul << (SIGUSR2 - 1);
	struct pollfd poll_fd = {.events = POLLIN};

	mask |= other;
	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, 8));
	poll_fd.fd = OK(SYS(SYS_signalfd, -1, &other, 8));
	CALL(kill(getpid(), SIGUSR1));
	CALL(poll(&poll_fd, 1, 0));
	TRUTH(SYS(SYS_signalfd, poll_fd.fd, &mask, 8) == poll_fd.fd);
	CALL(poll(&poll_fd, 1, 0));
}

CASE(signalfd_old_bad_arguments)
{
	uint64_t mask = 0;
	int fd = OK(SYS(SYS_eventfd, 0));

	CALL(SYS(SYS_signalfd, -1, &mask, 4));
	CALL(SYS(SYS_signalfd, -1, &mask, 16));
	CALL(SYS(SYS_signalfd, -1, NULL, 8));
	CALL(SYS(SYS_signalfd, -1, BAD_ADDRESS, 8));
	CALL(SYS(SYS_signalfd, 99, &mask, 8));
	CALL(SYS(SYS_signalfd, fd, &mask, 8));
}

CASE(signalfd_seeks_nowhere)
{
	uint64_t mask = 0;
	int fd = OK(SYS(SYS_signalfd, -1, &mask, 8));

	CALL(lseek(fd, 10, SEEK_SET));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(pread(fd, &mask, 8, 0));
	CALL(write(fd, &mask, 8));
}

CASE(epoll_create_size)
{
	CALL(SYS(SYS_epoll_create, 0));
	CALL(SYS(SYS_epoll_create, -1));
	OK(SYS(SYS_epoll_create, 1));
	OK(SYS(SYS_epoll_create, 0x7fffffff));
}

CASE(epoll_create_flags)
{
	int fd = OK(SYS(SYS_epoll_create, 5));

	CALL(fcntl(fd, F_GETFD));
	CALL(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(ioctl(fd, 0x12345));
}

CASE(epoll_create_no_descriptors)
{
	struct rlimit limit = {3, 3};

	setrlimit(RLIMIT_NOFILE, &limit);
	CALL(SYS(SYS_epoll_create, 1));
	CALL(SYS(SYS_epoll_create, 0));
}

CASE(epoll_pwait_mask)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = 5}, got = {0};
	uint64_t block = 1ul << (SIGUSR1 - 1);
	int fds[2], epoll = OK(SYS(SYS_epoll_create, 1));

	OK(SYS(SYS_pipe, fds));
	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
	CALL(SYS(SYS_epoll_pwait, epoll, &got, 1, 0, &block, 8));
	write(fds[1], "x", 1);
	CALL(SYS(SYS_epoll_pwait, epoll, &got, 1, 0, &block, 8));
	NOTE("%x %u", got.events, got.data.u32);
	CALL(SYS(SYS_epoll_pwait, epoll, &got, 1, -1, NULL, 0));
}

CASE(epoll_pwait_bad_arguments)
{
	struct epoll_event got;
	uint64_t mask = 0;
	int epoll = OK(SYS(SYS_epoll_create, 1));

	CALL(SYS(SYS_epoll_pwait, epoll, &got, 1, 0, &mask, 4));
	CALL(SYS(SYS_epoll_pwait, epoll, &got, 1, 0, BAD_ADDRESS, 8));
	CALL(SYS(SYS_epoll_pwait, epoll, &got, 0, 0, NULL, 8));
	CALL(SYS(SYS_epoll_pwait, 99, &got, 1, 0, NULL, 8));
	CALL(SYS(SYS_epoll_pwait, 99, &got, 0, 0, NULL, 8));
	CALL(SYS(SYS_epoll_pwait, 0, &got, 1, 0, NULL, 8));
	CALL(SYS(SYS_epoll_pwait, epoll, &got, 0x7fffffff, 0, NULL, 8));
}

static void nothing(int sig)
{
}

CASE(epoll_pwait_takes_a_signal)
{
	struct sigaction action = {.sa_handler = nothing};
	uint64_t block = 1ul << (SIGUSR1 - 1), none = 0;
	struct epoll_event got;
	int epoll = OK(SYS(SYS_epoll_create, 1));

	sigaction(SIGUSR1, &action, NULL);
	SYS(SYS_rt_sigprocmask, SIG_BLOCK, &block, NULL, 8);
	kill(getpid(), SIGUSR1);
	CALL(SYS(SYS_epoll_pwait, epoll, &got, 1, -1, &none, 8));
	CALL(SYS(SYS_epoll_pwait, epoll, &got, 1, 0, &none, 8));
}

CASE(epoll_pwait2_times)
{
	struct timespec soon = {0, 1000000}, none = {0, 0}, bad = {0, 1000000000},
			negative = {-1, 0};
	struct epoll_event got;
	int epoll = OK(SYS(SYS_epoll_create, 1));

	CALL(SYS(SYS_epoll_pwait2, epoll, &got, 1, &none, NULL, 8));
	CALL(SYS(SYS_epoll_pwait2, epoll, &got, 1, &soon, NULL, 8));
	CALL(SYS(SYS_epoll_pwait2, epoll, &got, 1, &bad, NULL, 8));
	CALL(SYS(SYS_epoll_pwait2, epoll, &got, 1, &negative, NULL, 8));
	CALL(SYS(SYS_epoll_pwait2, epoll, &got, 1, BAD_ADDRESS, NULL, 8));
}

CASE(epoll_pwait2_bad_arguments)
{
	struct timespec none = {0, 0};
	struct epoll_event got;
	int epoll = OK(SYS(SYS_epoll_create, 1));

	CALL(SYS(SYS_epoll_pwait2, 99, &got, 1, &none, NULL, 8));
	CALL(SYS(SYS_epoll_pwait2, epoll, &got, -1, &none, NULL, 8));
	CALL(SYS(SYS_epoll_pwait2, epoll, &got, 1, &none, BAD_ADDRESS, 8));
	CALL(SYS(SYS_epoll_pwait2, 0, &got, 1, &none, NULL, 8));
}

CASE(epoll_pwait2_takes_a_signal)
{
	struct sigaction action = {.sa_handler = nothing};
	struct itimerval timer = {.it_value.tv_usec = 5000};
	struct timespec long_time = {10, 0};
	struct epoll_event got;
	int epoll = OK(SYS(SYS_epoll_create, 1));

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(SYS(SYS_epoll_pwait2, epoll, &got, 1, &long_time, NULL, 8));
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(SYS(SYS_epoll_pwait2, epoll, &got, 1, NULL, NULL, 8));
}

CASE(inotify_init_old)
{
	int fd = OK(SYS(SYS_inotify_init));

	CALL(fcntl(fd, F_GETFD));
	CALL(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CALL(SYS(SYS_inotify_add_watch, fd, ".", 0x100));
}

CASE(inotify_init_old_no_descriptors)
{
	struct rlimit limit = {3, 3};

	setrlimit(RLIMIT_NOFILE, &limit);
	CALL(SYS(SYS_inotify_init));
}

CASE(inotify_init_ignores_arguments)
{
	int fd = OK(SYS(SYS_inotify_init, -1, -1));

	CALL(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* ---- names ---- */

CASE(open_old)
{
	int fd = OK(SYS(SYS_open, "f", O_CREAT | O_RDWR, 0640));

	CALL(write(fd, "abc", 3));
	CALL(SYS(SYS_open, "f", O_CREAT | O_EXCL, 0600));
	CALL(SYS(SYS_open, "missing", O_RDONLY));
	CALL(SYS(SYS_open, BAD_ADDRESS, O_RDONLY));
	CALL(SYS(SYS_open, "", O_RDONLY));
	CALL(SYS(SYS_open, ".", O_WRONLY));
	CALL(SYS(SYS_open, ".", O_CREAT));
	CALL(SYS(SYS_open, ".", O_CREAT | O_EXCL));
	CALL(SYS(SYS_open, "f/", O_CREAT));
}

CASE(open_impossible_flags)
{
	mkdir("d", 0755);
	write_file("f", "x");
	CALL(SYS(SYS_open, "f", O_CREAT | O_DIRECTORY, 0600));
	CALL(SYS(SYS_open, ".", O_TMPFILE | O_RDONLY, 0600));
	CALL(SYS(SYS_open, ".", O_TMPFILE | O_RDONLY | O_TRUNC, 0600));
	CALL(SYS(SYS_open, "d", O_DIRECT));
	CALL(SYS(SYS_open, "f", O_DIRECTORY));
	CALL(SYS(SYS_open, "f", O_NOFOLLOW | O_DIRECTORY));
}

CASE(creat_old)
{
	struct stat st;
	int fd = OK(SYS(SYS_creat, "f", 0604));

	CALL(write(fd, "abc", 3));
	CALL(read(fd, &st, 1));
	CALL(fstat(fd, &st));
	NOTE("%o %ld", st.st_mode, (long)st.st_size);
	OK(SYS(SYS_creat, "f", 0777));
	CALL(fstat(fd, &st));
	NOTE("%o %ld", st.st_mode, (long)st.st_size);
}

CASE(creat_errors)
{
	mkdir("d", 0755);
	CALL(SYS(SYS_creat, "d", 0600));
	CALL(SYS(SYS_creat, "d/", 0600));
	CALL(SYS(SYS_creat, "missing/f", 0600));
	CALL(SYS(SYS_creat, BAD_ADDRESS, 0600));
	CALL(SYS(SYS_creat, "", 0600));
}

CASE(creat_through_a_link)
{
	symlink("target", "l");
	OK(SYS(SYS_creat, "l", 0600));
	CALL(access("target", F_OK));
	symlink("loop", "loop");
	CALL(SYS(SYS_creat, "loop", 0600));
}

CASE(stat_old)
{
	struct stat st;

	write_file("f", "hello");
	symlink("f", "l");
	CALL(SYS(SYS_stat, "f", &st));
	NOTE("%o %ld %lu", st.st_mode, (long)st.st_size, (unsigned long)st.st_nlink);
	CALL(SYS(SYS_stat, "l", &st));
	NOTE("%o", st.st_mode);
	CALL(SYS(SYS_lstat, "l", &st));
	NOTE("%o %ld", st.st_mode, (long)st.st_size);
}

CASE(stat_old_errors)
{
	char name[300];
	struct stat st;

	memset(name, 'n', sizeof(name));
	name[299] = 0;
	write_file("f", "x");
	CALL(SYS(SYS_stat, "missing", &st));
	CALL(SYS(SYS_stat, "", &st));
	CALL(SYS(SYS_stat, "f/x", &st));
	CALL(SYS(SYS_stat, "f", BAD_ADDRESS));
	CALL(SYS(SYS_stat, BAD_ADDRESS, &st));
	CALL(SYS(SYS_stat, name, &st));
}

CASE(lstat_old_errors)
{
	struct stat st;

	symlink("missing", "l");
	symlink("loop", "loop");
	CALL(SYS(SYS_lstat, "l", &st));
	CALL(SYS(SYS_stat, "l", &st));
	CALL(SYS(SYS_lstat, "l/", &st));
	CALL(SYS(SYS_lstat, "loop", &st));
	CALL(SYS(SYS_stat, "loop", &st));
	CALL(SYS(SYS_lstat, "loop/x", &st));
	CALL(SYS(SYS_lstat, "l", BAD_ADDRESS));
}

CASE(stat_of_what_is_no_file)
{
	struct stat st;

	CALL(SYS(SYS_stat, "/dev/null", &st));
	NOTE("%o %lx", st.st_mode, (unsigned long)st.st_rdev);
	CALL(SYS(SYS_lstat, "/proc/self/fd/1", &st));
	NOTE("%o", st.st_mode & S_IFMT);
	CALL(SYS(SYS_stat, "/proc", &st));
	NOTE("%o", st.st_mode);
}

CASE(mknod_old)
{
	struct stat st;

	CALL(SYS(SYS_mknod, "f", S_IFREG | 0640, 0));
	CALL(SYS(SYS_mknod, "p", S_IFIFO | 0600, 0));
	CALL(SYS(SYS_mknod, "s", S_IFSOCK | 0600, 0));
	CALL(SYS(SYS_mknod, "plain", 0600, 0));
	CALL(lstat("p", &st));
	NOTE("%o", st.st_mode);
	CALL(lstat("s", &st));
	NOTE("%o", st.st_mode);
	CALL(lstat("plain", &st));
	NOTE("%o", st.st_mode);
}

CASE(mknod_errors)
{
	write_file("f", "");
	CALL(SYS(SYS_mknod, "f", S_IFREG | 0600, 0));
	CALL(SYS(SYS_mknod, "d", S_IFDIR | 0700, 0));
	CALL(SYS(SYS_mknod, "l", S_IFLNK | 0700, 0));
	CALL(SYS(SYS_mknod, "x", 0170000 | 0700, 0));
	CALL(SYS(SYS_mknod, "missing/x", S_IFREG | 0600, 0));
	CALL(SYS(SYS_mknod, "x/", S_IFREG | 0600, 0));
	CALL(SYS(SYS_mknod, "", S_IFREG | 0600, 0));
	CALL(SYS(SYS_mknod, BAD_ADDRESS, S_IFREG | 0600, 0));
}

CASE(mknod_in_proc)
{
	CALL(SYS(SYS_mknod, "/proc/x", S_IFREG | 0600, 0));
	CALL(SYS(SYS_mknod, "/proc/self/fd/x", S_IFIFO | 0600, 0));
	CALL(mkdir("/proc/self/x", 0700));
	CALL(SYS(SYS_open, "/proc/x", O_CREAT | O_RDWR, 0600));
	CALL(symlink("x", "/proc/self/x"));
}

static void note_times(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		NOTE("%ld.%06ld %ld.%06ld", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec / 1000,
			(long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec / 1000);
}

CASE(utime_sets)
{
	struct utimbuf times = {1000, 2000};

	write_file("f", "x");
	CALL(SYS(SYS_utime, "f", &times));
	note_times("f");
	times.actime = -5;
	CALL(SYS(SYS_utime, "f", &times));
	note_times("f");
	CALL(SYS(SYS_utime, "f", NULL));
}

CASE(utime_errors)
{
	struct utimbuf times = {1000, 2000};

	write_file("f", "x");
	CALL(SYS(SYS_utime, "missing", &times));
	CALL(SYS(SYS_utime, "f", BAD_ADDRESS));
	CALL(SYS(SYS_utime, BAD_ADDRESS, &times));
	CALL(SYS(SYS_utime, BAD_ADDRESS, BAD_ADDRESS));
	CALL(SYS(SYS_utime, "f/x", &times));
	CALL(SYS(SYS_utime, "", &times));
}

CASE(utimes_sets)
{
	struct timeval times[2] = {{1000, 5}, {2000, 999999}};

	write_file("f", "x");
	symlink("f", "l");
	CALL(SYS(SYS_utimes, "l", times));
	note_times("f");
	CALL(SYS(SYS_utimes, "f", NULL));
}

CASE(utimes_errors)
{
	struct timeval times[2] = {{1000, 5}, {2000, 1000000}};

	write_file("f", "x");
	CALL(SYS(SYS_utimes, "f", times));
	times[1].tv_usec = -1;
	CALL(SYS(SYS_utimes, "f", times));
	CALL(SYS(SYS_utimes, "missing", times));
	times[1].tv_usec = 0;
	CALL(SYS(SYS_utimes, "missing", times));
	CALL(SYS(SYS_utimes, "f", BAD_ADDRESS));
	CALL(SYS(SYS_utimes, BAD_ADDRESS, times));
}

CASE(futimesat_sets)
{
	struct timeval times[2] = {{1000, 5}, {2000, 6}};
	int fd, dir;

	mkdir("d", 0755);
	write_file("d/f", "x");
	dir = open("d", O_RDONLY);
	fd = open("d/f", O_RDONLY);
	CALL(SYS(SYS_futimesat, dir, "f", times));
	note_times("d/f");
	times[0].tv_sec = 3000;
	CALL(SYS(SYS_futimesat, fd, NULL, times));
	note_times("d/f");
	CALL(SYS(SYS_futimesat, AT_FDCWD, "d/f", times));
}

CASE(futimesat_errors)
{
	struct timeval times[2] = {{1000, 5}, {2000, 6}};

	write_file("f", "x");
	CALL(SYS(SYS_futimesat, 99, "f", times));
	CALL(SYS(SYS_futimesat, 99, NULL, times));
	CALL(SYS(SYS_futimesat, AT_FDCWD, "missing", times));
	CALL(SYS(SYS_futimesat, AT_FDCWD, "f", BAD_ADDRESS));
	times[0].tv_usec = 2000000;
	CALL(SYS(SYS_futimesat, 99, "f", times));
}

CASE(utimensat_looks_for_the_file_first)
{
	struct timespec times[2] = {{0, 0}, {0, -1}};

	CALL(utimensat(AT_FDCWD, "missing", times, 0));
	CALL(SYS(SYS_utimensat, 99, NULL, times, 0));
	write_file("f", "x");
	CALL(utimensat(AT_FDCWD, "f", times, 0));
	times[1].tv_nsec = UTIME_OMIT;
	times[0].tv_nsec = UTIME_OMIT;
	CALL(utimensat(AT_FDCWD, "missing", times, 0));
}

/* ---- the time ---- */

CASE(time_bad_address)
{
	CALL(SYS(SYS_time, BAD_ADDRESS));
}

CASE(time_agrees)
{
	struct timeval tv;
	long now;

	TRUTH(SYS(SYS_time, &now) == now);
	CALL(SYS(SYS_gettimeofday, &tv, NULL));
	TRUTH(tv.tv_sec - now <= 1);
	TRUTH(tv.tv_usec >= 0 && tv.tv_usec < 1000000);
}

CASE(gettimeofday_bad_address)
{
	struct timezone tz = {77, 77};

	CALL(SYS(SYS_gettimeofday, BAD_ADDRESS, NULL));
	CALL(SYS(SYS_gettimeofday, NULL, BAD_ADDRESS));
	CALL(SYS(SYS_gettimeofday, NULL, NULL));
	CALL(SYS(SYS_gettimeofday, NULL, &tz));
	NOTE("%d %d", tz.tz_minuteswest, tz.tz_dsttime);
}

CASE(times_bad_address)
{
	CALL(SYS(SYS_times, BAD_ADDRESS));
	TRUTH(SYS(SYS_times, NULL) > 0);
}

CASE(times_of_children)
{
	struct tms tms = {0};
	pid_t pid = fork();

	if (pid == 0) {
		volatile unsigned x = 0;
		long long end = now_ms() + 60;

		while (now_ms() < end)
			x++;
		_exit(0);
	}
	note_wait("child", pid);
	TRUTH(SYS(SYS_times, &tms) > 0);
	TRUTH(tms.tms_cutime + tms.tms_cstime > 0);
}

CASE(times_go_on)
{
	long first = SYS(SYS_times, NULL), second;

	sleep_ms(30);
	second = SYS(SYS_times, NULL);
	TRUTH(second > first && second - first < 100);
}

CASE(nanosleep_errors)
{
	struct timespec ts = {0, 1000000000}, left = {7, 7};

	CALL(SYS(SYS_nanosleep, &ts, NULL));
	ts = (struct timespec){-1, 0};
	CALL(SYS(SYS_nanosleep, &ts, &left));
	ts = (struct timespec){0, -1};
	CALL(SYS(SYS_nanosleep, &ts, &left));
	CALL(SYS(SYS_nanosleep, NULL, NULL));
	CALL(SYS(SYS_nanosleep, BAD_ADDRESS, NULL));
	NOTE("%ld %ld", (long)left.tv_sec, left.tv_nsec);
}

CASE(nanosleep_of_nothing)
{
	struct timespec ts = {0, 0}, left = {7, 7};

	CALL(SYS(SYS_nanosleep, &ts, &left));
	ts.tv_nsec = 1;
	CALL(SYS(SYS_nanosleep, &ts, BAD_ADDRESS));
	NOTE("%ld %ld", (long)left.tv_sec, left.tv_nsec);
}

CASE(nanosleep_tells_what_is_left)
{
	struct sigaction action = {.sa_handler = nothing};
	struct itimerval timer = {.it_value.tv_usec = 5000};
	struct timespec ts = {5, 0}, left = {0, 0};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(SYS(SYS_nanosleep, &ts, &left));
	TRUTH(left.tv_sec == 4);
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(SYS(SYS_nanosleep, &ts, BAD_ADDRESS));
}

/* ---- names and numbers of the system ---- */

CASE(uname_bad_address)
{
	CALL(SYS(SYS_uname, NULL));
	CALL(SYS(SYS_uname, BAD_ADDRESS));
}

CASE(uname_says)
{
	struct utsname name;

	CALL(SYS(SYS_uname, &name));
	NOTE("%s %s", name.sysname, name.machine);
	TRUTH(strlen(name.release) > 2 && name.release[0] >= '5');
}

CASE(uname_with_new_host_name)
{
	struct utsname name;

	if (geteuid() != 0)
		SKIP("needs root");
	/* In a name space of its own natively. */
	if (unshare(CLONE_NEWUTS) < 0 && errno != EINVAL && errno != EPERM)
		SKIP("no namespace");
	CALL(SYS(SYS_uname, &name));
	TRUTH(name.nodename[0] != 0);
}

CASE(sysinfo_bad_address)
{
	CALL(SYS(SYS_sysinfo, NULL));
	CALL(SYS(SYS_sysinfo, BAD_ADDRESS));
}

CASE(sysinfo_adds_up)
{
	struct sysinfo info;

	memset(&info, 0xff, sizeof(info));
	CALL(SYS(SYS_sysinfo, &info));
	TRUTH(info.freeram <= info.totalram);
	TRUTH(info.mem_unit == 1);
	TRUTH(info.procs > 0);
	TRUTH(info.uptime >= 0);
}

CASE(sysinfo_and_uptime)
{
	struct sysinfo info;
	struct timespec boot;

	CALL(SYS(SYS_sysinfo, &info));
	clock_gettime(CLOCK_BOOTTIME, &boot);
	TRUTH(info.uptime >= 0);
}

CASE(getrandom_sizes)
{
	char buffer[600], zero[600] = {0};

	CALL(SYS(SYS_getrandom, buffer, 0, 0));
	CALL(SYS(SYS_getrandom, BAD_ADDRESS, 0, 0));
	CALL(SYS(SYS_getrandom, buffer, 16, 0));
	memset(buffer, 0, sizeof(buffer));
	CALL(SYS(SYS_getrandom, buffer, 600, 0));
	TRUTH(memcmp(buffer, zero, sizeof(buffer)) != 0);
}

CASE(getrandom_errors)
{
	char buffer[16];

	CALL(SYS(SYS_getrandom, buffer, 16, 8));
	CALL(SYS(SYS_getrandom, buffer, 16, 6)); /* random and insecure */
	CALL(SYS(SYS_getrandom, BAD_ADDRESS, 16, 0));
	CALL(SYS(SYS_getrandom, NULL, 16, 1));
	CALL(SYS(SYS_getrandom, BAD_ADDRESS, 16, 0x80000000));
}

CASE(getrandom_differs)
{
	char a[32], b[32];

	CALL(SYS(SYS_getrandom, a, 32, 1));
	CALL(SYS(SYS_getrandom, b, 32, 2));
	TRUTH(memcmp(a, b, 32) != 0);
	CALL(SYS(SYS_getrandom, b, 32, 4));
}

CASE(sync_and_syncfs)
{
	int fd;

	write_file("f", "x");
	fd = open("f", O_RDONLY);
	CALL(SYS(SYS_syncfs, fd));
	CALL(SYS(SYS_syncfs, 99));
	fd = open("f", O_PATH);
	CALL(SYS(SYS_syncfs, fd));
}

CASE(syncfs_of_a_directory)
{
	int fd = open(".", O_RDONLY);

	CALL(SYS(SYS_syncfs, fd));
	CALL(SYS(SYS_syncfs, -1));
}

CASE(syncfs_of_what_is_no_file)
{
	int fds[2];

	OK(SYS(SYS_pipe, fds));
	CALL(SYS(SYS_syncfs, fds[0]));
	CALL(SYS(SYS_syncfs, fds[1]));
}

CASE(sync_returns)
{
	write_file("f", "x");
	CALL(SYS(SYS_sync));
}

CASE(sync_ignores_arguments)
{
	CALL(SYS(SYS_sync, -1, -1));
}

CASE(sync_with_a_deleted_file)
{
	int fd;

	write_file("f", "x");
	fd = open("f", O_RDWR);
	unlink("f");
	write(fd, "yz", 2);
	CALL(SYS(SYS_sync));
}
