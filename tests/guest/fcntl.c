/* SPDX-License-Identifier: Apache-2.0 */
/* fcntl(2), flock(2), ioctl(2) on plain files */
#include "case.h"

#include <sys/file.h>
#include <sys/ioctl.h>

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif

static int temp(void)
{
	return open("f", O_CREAT | O_RDWR, 0644);
}

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock fl = {
		.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, cmd, &fl);
}

static void show_lock(int fd, int cmd, int type, off_t start, off_t len, pid_t expect)
{
	struct flock fl = {
		.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	if (fcntl(fd, cmd, &fl) < 0)
		NOTE("%s", errno_name(errno));
	else if (fl.l_type == F_UNLCK)
		NOTE("free");
	else
		NOTE("type %d start %ld len %ld owner %s", fl.l_type, (long)fl.l_start,
			(long)fl.l_len,
			fl.l_pid == expect ? "right"
			: fl.l_pid == -1   ? "-1"
					   : "wrong");
}

CASE(descriptor_flags)
{
	int fd = temp();

	CALL(fcntl(fd, F_GETFD));
	CALL(fcntl(fd, F_SETFD, FD_CLOEXEC));
	CALL(fcntl(fd, F_GETFD));
	CALL(fcntl(fd, F_SETFD, 0xfffe));
	CALL(fcntl(fd, F_GETFD));
	CALL(fcntl(99, F_GETFD));
	CALL(fcntl(fd, 9999));
	CALL(fcntl(99, 9999));
	CALL(fcntl(fd, -1));
}

CASE(status_flags)
{
	int fd = temp(), other = dup(fd);

	CALL(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	NOTE("%o", fcntl(fd, F_GETFL));
	NOTE("%o", fcntl(other, F_GETFL));
	CALL(fcntl(fd, F_SETFL, O_WRONLY | O_CREAT | O_TRUNC));
	NOTE("%o", fcntl(fd, F_GETFL));
	CALL(fcntl(fd, F_SETFL, O_NOATIME));
	NOTE("%o", fcntl(fd, F_GETFL));
	CALL(fcntl(fd, F_SETFL, -1) == 0 || errno == EINVAL);
}

CASE(append_by_flag)
{
	struct stat st;
	int fd = temp();

	CALL(write(fd, "0123456789", 10));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(fcntl(fd, F_SETFL, O_APPEND));
	CALL(write(fd, "x", 1));
	fstat(fd, &st);
	NOTE("%ld", (long)st.st_size);
}

CASE(same_description)
{
	int fd = temp(), other = dup(fd), third = temp();

	CALL(fcntl(fd, F_DUPFD_QUERY, other));
	CALL(fcntl(fd, F_DUPFD_QUERY, third));
	CALL(fcntl(fd, F_DUPFD_QUERY, 99));
}

CASE(owners)
{
	struct f_owner_ex owner = {F_OWNER_PID, 0};
	int p[2];

	if (pipe(p) < 0)
		return;
	CALL(fcntl(p[0], F_GETOWN));
	CALL(fcntl(p[0], F_SETOWN, getpid()));
	TRUTH(fcntl(p[0], F_GETOWN) == getpid());
	CALL(fcntl(p[0], F_SETOWN, 999999));
	CALL(fcntl(p[0], F_SETOWN, INT_MIN));
	CALL(fcntl(p[0], F_SETOWN, 0));
	CALL(fcntl(p[0], F_GETOWN));
	owner.pid = getpid();
	CALL(fcntl(p[0], F_SETOWN_EX, &owner));
	owner.pid = 0;
	CALL(fcntl(p[0], F_GETOWN_EX, &owner));
	TRUTH(owner.pid == getpid());
	owner.type = 7;
	CALL(fcntl(p[0], F_SETOWN_EX, &owner));
	CALL(fcntl(p[0], F_SETOWN_EX, (void *)8));
	CALL(fcntl(p[0], F_GETSIG));
	CALL(fcntl(p[0], F_SETSIG, SIGUSR1));
	TRUTH(fcntl(p[0], F_GETSIG) == SIGUSR1);
	CALL(fcntl(p[0], F_SETSIG, 65));
	CALL(fcntl(p[0], F_SETSIG, -1));
}

CASE(seals_elsewhere)
{
	int p[2];

	if (pipe(p) < 0)
		return;
	CALL(fcntl(p[0], F_GET_SEALS));
	CALL(fcntl(p[1], F_ADD_SEALS, F_SEAL_WRITE));
	CALL(fcntl(temp(), F_GETPIPE_SZ));
	CALL(fcntl(temp(), F_SETPIPE_SZ, 4096));
	CALL(fcntl(99, F_GET_SEALS));
}

CASE(memory_file_seals)
{
	int fd = memfd_create("x", MFD_ALLOW_SEALING), plain = memfd_create("y", 0);

	CALL(fcntl(fd, F_GET_SEALS));
	CALL(fcntl(plain, F_GET_SEALS));
	CALL(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW));
	CALL(write(fd, "hello", 5));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CALL(write(fd, "more", 4));
	CALL(pwrite(fd, "HE", 2, 0));
	CALL(pwrite(fd, "abcdef", 6, 3));
	CALL(ftruncate(fd, 6));
	CALL(ftruncate(fd, 4));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	CALL(ftruncate(fd, 3));
	CALL(fcntl(fd, F_ADD_SEALS, 0x10000));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CALL(pwrite(fd, "x", 1, 0));
	CALL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	CALL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) == MAP_FAILED);
	CALL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	CALL(fcntl(fd, F_GET_SEALS));
}

CASE(seal_with_writable_mapping)
{
	int fd = memfd_create("x", MFD_ALLOW_SEALING);
	void *p;

	CALL(ftruncate(fd, 4096));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CALL(munmap(p, 4096));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

CASE(record_lock_errors)
{
	int fd = temp(), ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);

	CALL(lock(fd, F_SETLK, F_WRLCK, 0, 10));
	CALL(lock(ro, F_SETLK, F_WRLCK, 0, 10));
	CALL(lock(wo, F_SETLK, F_RDLCK, 0, 10));
	CALL(lock(fd, F_SETLK, 7, 0, 10));
	CALL(lock(fd, F_SETLK, F_RDLCK, -1, 10));
	CALL(lock(fd, F_SETLK, F_RDLCK, 5, -5));
	CALL(lock(fd, F_SETLK, F_RDLCK, 5, -6));
	CALL(lock(fd, F_SETLK, F_RDLCK, INT64_MAX, 2));
	CALL(lock(fd, F_SETLK, F_RDLCK, INT64_MAX, 1));
	CALL(lock(fd, F_GETLK, F_UNLCK, 0, 1));
	CALL(lock(99, F_SETLK, F_RDLCK, 0, 1));
	CALL(fcntl(fd, F_SETLK, (void *)8));
	CALL(fcntl(fd, F_SETLK, &(struct flock){.l_whence = 9}));
	CALL(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	CALL(lock(open("f", O_PATH), F_SETLK, F_UNLCK, 0, 0));
}

CASE(record_lock_conflicts)
{
	pid_t parent = getpid();
	int fd = temp();

	CALL(lock(fd, F_SETLK, F_WRLCK, 10, 10));
	CALL(lock(fd, F_SETLK, F_RDLCK, 15, 10));
	if (fork() == 0) {
		show_lock(fd, F_GETLK, F_WRLCK, 0, 0, parent);
		show_lock(fd, F_GETLK, F_WRLCK, 16, 1, parent);
		show_lock(fd, F_GETLK, F_RDLCK, 16, 1, parent);
		show_lock(fd, F_GETLK, F_RDLCK, 0, 10, parent);
		CALL(lock(fd, F_SETLK, F_WRLCK, 10, 1));
		CALL(lock(fd, F_SETLK, F_RDLCK, 20, 1));
		CALL(lock(fd, F_SETLK, F_WRLCK, 20, 1));
		CALL(lock(fd, F_SETLK, F_WRLCK, 30, 0));
		_exit(0);
	}
	wait(NULL);
	show_lock(fd, F_GETLK, F_WRLCK, 30, 0, 0);
}

CASE(record_locks_go_with_any_close)
{
	int fd = temp(), other = open("f", O_RDWR);

	CALL(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	if (fork() == 0) {
		CALL(lock(fd, F_SETLK, F_WRLCK, 0, 0));
		_exit(0);
	}
	wait(NULL);
	CALL(close(other));
	if (fork() == 0) {
		CALL(lock(fd, F_SETLK, F_WRLCK, 0, 0));
		_exit(0);
	}
	wait(NULL);
}

CASE(record_lock_waits)
{
	int fd = temp(), p[2];
	char c;

	if (pipe(p) < 0)
		return;
	CALL(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	if (fork() == 0) {
		close(p[0]);
		if (write(p[1], "r", 1) < 0)
			_exit(1);
		CALL(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
		_exit(0);
	}
	CALL(read(p[0], &c, 1));
	usleep(50000);
	NOTE("unlocking");
	lock(fd, F_SETLK, F_UNLCK, 0, 0);
	wait(NULL);
}

static void on_alarm(int signo)
{
}

CASE(record_lock_interrupted)
{
	struct sigaction action = {.sa_handler = on_alarm};
	int fd = temp(), p[2];
	char c;

	if (pipe(p) < 0)
		return;
	if (fork() == 0) {
		CALL(lock(fd, F_SETLK, F_WRLCK, 0, 0));
		if (write(p[1], "r", 1) < 0)
			_exit(1);
		usleep(400000);
		_exit(0);
	}
	CALL(read(p[0], &c, 1));
	sigaction(SIGALRM, &action, NULL);
	ualarm(50000, 0);
	CALL(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
	wait(NULL);
}

CASE(record_lock_deadlock)
{
	int fd = temp(), p[2], status;
	char c;

	if (pipe(p) < 0)
		return;
	CALL(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	if (fork() == 0) {
		lock(fd, F_SETLK, F_WRLCK, 1, 1);
		if (write(p[1], "r", 1) < 0)
			_exit(1);
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0 ? 0 : 2);
	}
	CALL(read(p[0], &c, 1));
	usleep(100000);
	CALL(lock(fd, F_SETLKW, F_WRLCK, 1, 1));
	CALL(lock(fd, F_SETLK, F_UNLCK, 0, 1));
	wait(&status);
	NOTE("%x", status);
}

CASE(record_lock_whence)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -4, .l_len = 2};
	int fd = temp();

	CALL(write(fd, "0123456789", 10));
	CALL(fcntl(fd, F_SETLK, &fl));
	if (fork() == 0) {
		show_lock(fd, F_GETLK, F_WRLCK, 0, 0, getppid());
		_exit(0);
	}
	wait(NULL);
	fl.l_whence = SEEK_CUR;
	lseek(fd, 3, SEEK_SET);
	CALL(fcntl(fd, F_SETLK, &fl));
	fl.l_start = 2;
	fl.l_len = -2;
	CALL(fcntl(fd, F_SETLK, &fl));
	if (fork() == 0) {
		show_lock(fd, F_GETLK, F_WRLCK, 0, 5, getppid());
		_exit(0);
	}
	wait(NULL);
}

CASE(description_locks)
{
	int a = temp(), b = open("f", O_RDWR), c = dup(a);

	CALL(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	CALL(lock(b, F_OFD_SETLK, F_WRLCK, 5, 10));
	CALL(lock(c, F_OFD_SETLK, F_WRLCK, 5, 10));
	show_lock(b, F_OFD_GETLK, F_WRLCK, 0, 0, 0);
	CALL(lock(b, F_SETLK, F_WRLCK, 0, 1));
	CALL(close(a));
	CALL(lock(b, F_OFD_SETLK, F_WRLCK, 0, 1));
	CALL(close(c));
	CALL(lock(b, F_OFD_SETLK, F_WRLCK, 0, 1));
	CALL(fcntl(b, F_OFD_SETLK, &(struct flock){.l_type = F_RDLCK, .l_pid = 5}));
}

CASE(whole_file_locks)
{
	int a = temp(), b = open("f", O_RDWR);

	CALL(flock(a, LOCK_SH));
	CALL(flock(b, LOCK_SH | LOCK_NB));
	CALL(flock(b, LOCK_EX | LOCK_NB));
	CALL(flock(a, LOCK_UN));
	CALL(flock(b, LOCK_EX | LOCK_NB));
	CALL(flock(a, LOCK_SH | LOCK_NB));
	CALL(flock(b, LOCK_EX | LOCK_NB));
	CALL(close(b));
	CALL(flock(a, LOCK_EX | LOCK_NB));
	CALL(flock(a, 0));
	CALL(flock(a, LOCK_SH | LOCK_EX));
	CALL(flock(99, LOCK_SH));
	CALL(flock(99, 0));
	CALL(flock(a, LOCK_NB));
}

CASE(whole_file_lock_is_inherited)
{
	int a = temp(), b = open("f", O_RDWR), status;

	CALL(flock(a, LOCK_EX));
	if (fork() == 0)
		_exit(flock(a, LOCK_EX | LOCK_NB) == 0 ? 0 : 1);
	wait(&status);
	NOTE("%x", status);
	CALL(flock(b, LOCK_EX | LOCK_NB));
	if (fork() == 0)
		_exit(flock(a, LOCK_UN) == 0 ? 0 : 1);
	wait(&status);
	CALL(flock(b, LOCK_EX | LOCK_NB));
}

CASE(whole_file_lock_waits)
{
	int a = temp(), p[2];
	char c;

	if (pipe(p) < 0)
		return;
	CALL(flock(a, LOCK_EX));
	if (fork() == 0) {
		int b = open("f", O_RDWR);

		if (write(p[1], "r", 1) < 0)
			_exit(1);
		CALL(flock(b, LOCK_SH));
		_exit(0);
	}
	CALL(read(p[0], &c, 1));
	usleep(50000);
	NOTE("unlocking");
	flock(a, LOCK_UN);
	wait(NULL);
}

CASE(generic_ioctls)
{
	int fd = temp(), dir = open(".", O_RDONLY), p[2], value = 1;

	if (pipe(p) < 0)
		return;
	CALL(write(fd, "0123456789", 10));
	CALL(lseek(fd, 4, SEEK_SET));
	CALL(ioctl(fd, FIONREAD, &value));
	NOTE("%d", value);
	value = 1;
	CALL(ioctl(p[0], FIONBIO, &value));
	NOTE("%d", !!(fcntl(p[0], F_GETFL) & O_NONBLOCK));
	value = 0;
	CALL(ioctl(p[0], FIONBIO, &value));
	NOTE("%d", !!(fcntl(p[0], F_GETFL) & O_NONBLOCK));
	CALL(ioctl(fd, FIOCLEX));
	CALL(fcntl(fd, F_GETFD));
	CALL(ioctl(fd, FIONCLEX));
	CALL(fcntl(fd, F_GETFD));
	CALL(ioctl(fd, FIONBIO, NULL));
	CALL(ioctl(fd, TCGETS, &value));
	CALL(ioctl(dir, TCGETS, &value));
	CALL(ioctl(fd, TIOCGWINSZ, &value));
	CALL(ioctl(99, FIONREAD, &value));
	CALL(ioctl(fd, 0xdeadbeef, &value));
	CALL(ioctl(dir, FIONREAD, &value));
}
