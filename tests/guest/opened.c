/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs ask about a file that they have just opened. A platform may have been told the
 * answers with the open, so others meanwhile change what they are: its own later calls, children
 * that share the open file, processes that change the file by its name and say so in memory alone.
 */
#include "case.h"

#include <poll.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>

#define OPENS 3

struct answers {
	int fstat, fstat_error, at, at_error, tty, tty_error;
	long position;
	struct stat st, at_st;
};

/* Nothing else is called in between. */
static struct answers ask(int fd)
{
	struct termios termios;
	struct answers a = {0};

	errno = 0;
	a.fstat = (int)SYS(SYS_fstat, fd, &a.st);
	a.fstat_error = errno;
	errno = 0;
	a.tty = (int)SYS(SYS_ioctl, fd, TCGETS, &termios);
	a.tty_error = errno;
	a.position = SYS(SYS_lseek, fd, 0, SEEK_CUR);
	errno = 0;
	a.at = (int)SYS(SYS_newfstatat, fd, "", &a.at_st, AT_EMPTY_PATH);
	a.at_error = errno;
	return a;
}

static void tell(const char *what, const struct answers *a)
{
	bool same =
		a->at == a->fstat && (a->fstat || memcmp(&a->st, &a->at_st, sizeof(a->st)) == 0);

	NOTE("%s: fstat %d %d, the same at %d; tty %d %d; position %ld; mode %o size %ld links "
	     "%ld",
		what, a->fstat, a->fstat_error, same, a->tty, a->tty_error, a->position,
		a->fstat ? 0 : a->st.st_mode,
		a->fstat || S_ISDIR(a->st.st_mode) ? 0l : (long)a->st.st_size,
		a->fstat || S_ISDIR(a->st.st_mode) ? 0l : (long)a->st.st_nlink);
}

static void ask_and_tell(const char *what, int fd)
{
	struct answers a = ask(fd);

	tell(what, &a);
}

static void make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0640);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		NOTE("cannot make %s", name);
	close(fd);
}

CASE(opened_kinds)
{
	static const struct {
		const char *name;
		int flags;
	} files[] = {
		{"f", O_RDONLY},
		{"f", O_WRONLY},
		{"f", O_RDWR | O_APPEND},
		{"f", O_PATH},
		{"new", O_RDWR | O_CREAT},
		{"f", O_RDWR | O_TRUNC},
		{".", O_RDONLY | O_DIRECTORY},
		{"link", O_RDONLY},
		{"link", O_PATH | O_NOFOLLOW},
		{"fifo", O_RDWR},
		{"/usr/bin/env", O_RDONLY},
		{"/usr/bin", O_RDONLY},
		{"/dev/null", O_RDWR},
		{"/dev/zero", O_RDONLY},
		{"/proc/self/status", O_RDONLY},
		{"missing", O_RDONLY},
		{"missing", O_RDONLY | O_DIRECTORY},
	};

	make("f", "abcdef");
	CALL(symlink("f", "link"));
	CALL(mkfifo("fifo", 0600));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open(files[i].name, files[i].flags, 0600);
		struct answers a = ask(fd);

		/* What the host's own files are like is not ours to tell. */
		if (files[i].name[0] == '/') {
			a.st.st_size = a.at_st.st_size = 0;
			a.st.st_nlink = a.at_st.st_nlink = 0;
		}
		NOTE("%s %o", files[i].name, files[i].flags);
		tell("  ", &a);
		close(fd);
	}
}

/* Whatever the open before found. */
CASE(opened_number_again)
{
	int fd, other;

	make("f", "abc");
	fd = OK(open("f", O_RDONLY));
	close(fd);
	ask_and_tell("closed", fd);
	fd = open("f", O_RDONLY);
	close(fd);
	other = open("missing", O_RDONLY);
	struct answers a = ask(fd);
	tell("closed, then another is missing", &a);
	TRUTH(other < 0);
	fd = open("f", O_RDONLY);
	other = open("/dev/null", O_RDONLY);
	a = ask(fd);
	tell("another in between", &a);
	close(fd);
	close(other);
	fd = open("f", O_RDONLY);
	other = open("/dev/null", O_RDONLY);
	dup2(other, fd);
	a = ask(fd);
	tell("replaced", &a);
}

CASE(opened_own_calls)
{
	struct answers a;
	char byte[4];
	int fd;

	make("f", "abcdef");
	fd = open("f", O_RDWR);
	if (read(fd, byte, 2) != 2)
		NOTE("no bytes");
	a = ask(fd);
	tell("read", &a);
	close(fd);
	fd = open("f", O_RDONLY);
	(void)!pread(fd, byte, 2, 2);
	a = ask(fd);
	tell("pread", &a);
	lseek(fd, 3, SEEK_SET);
	a = ask(fd);
	tell("lseek", &a);
	close(fd);
	fd = open("f", O_RDONLY);
	SYS(SYS_lseek, fd, 0, SEEK_SET);
	SYS(SYS_lseek, fd, 0, SEEK_END);
	a = ask(fd);
	tell("to the end", &a);
	close(fd);
	fd = open("f", O_RDWR | O_APPEND);
	(void)!write(fd, "xyz", 3);
	a = ask(fd);
	tell("appended", &a);
	(void)!ftruncate(fd, 2);
	a = ask(fd);
	tell("truncated", &a);
	close(fd);
	fd = open("f", O_RDONLY);
	fchmod(fd, 0600);
	a = ask(fd);
	tell("chmod", &a);
	unlink("f");
	a = ask(fd);
	tell("unlinked", &a);
	CALL(SYS(SYS_fstat, fd, BAD_ADDRESS));
	CALL(SYS(SYS_ioctl, fd, TCGETS, BAD_ADDRESS));
	CALL(SYS(SYS_lseek, fd, 0, 77));
	CALL(SYS(SYS_newfstatat, fd, BAD_ADDRESS, &a.st, AT_EMPTY_PATH));
}

CASE(opened_bad_pointers)
{
	struct answers a;
	struct stat st;
	long result[6];
	int error[6];

	for (int i = 0; i < OPENS; i++) {
		int fd = open("/usr/bin/env", O_RDONLY);

		errno = 0;
		result[0] = SYS(SYS_fstat, fd, BAD_ADDRESS);
		error[0] = errno;
		result[1] = SYS(SYS_newfstatat, fd, "", BAD_ADDRESS, AT_EMPTY_PATH);
		error[1] = errno;
		result[2] = SYS(SYS_newfstatat, fd, BAD_ADDRESS, &st, AT_EMPTY_PATH);
		error[2] = errno;
		result[3] = SYS(SYS_lseek, fd, 0, 77);
		error[3] = errno;
		result[4] = SYS(SYS_lseek, fd, -1l, SEEK_CUR);
		error[4] = errno;
		result[5] = SYS(SYS_newfstatat, fd, "", &st, 0);
		error[5] = errno;
		a = ask(fd);
		for (int k = 0; k < 6; k++)
			NOTE("%d: %ld %d", k, result[k], error[k]);
		TRUTH(a.fstat == 0 && a.position == 0 && a.tty_error == ENOTTY);
		close(fd);
	}
}

/* A child has the same open file. */
CASE(opened_shared_by_fork)
{
	struct answers a;
	char byte[2];
	pid_t pid;
	int fd;

	make("f", "abcdef");
	fd = open("f", O_RDONLY);
	pid = fork();
	if (pid == 0) {
		(void)!read(fd, byte, 2);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	a = ask(fd);
	tell("the child has read", &a);
}

static volatile int *shared_word(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void wait_for(volatile int *word, int value)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value)
		sched_yield();
}

static void set(volatile int *word, int value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static const char *const changes[] = {"chmod", "truncate", "link", "unlink"};

static int change(unsigned i, const char *name)
{
	switch (i) {
	case 0:
		return chmod(name, 0604);
	case 1:
		return truncate(name, 1);
	case 2:
		return link(name, "other");
	default:
		return unlink(name);
	}
}

/* By its name, in another process, which says so in memory only. */
CASE(opened_changed_by_another_process)
{
	volatile int *word = shared_word();
	int count = sizeof(changes) / sizeof(changes[0]);
	pid_t pid = fork();

	if (pid == 0) {
		for (int i = 0; i < count; i++) {
			wait_for(word, 2 * i + 1);
			(void)change((unsigned)i, "f");
			set(word, 2 * i + 2);
		}
		_exit(0);
	}
	for (int i = 0; i < count; i++) {
		struct answers before, after;
		int fd;

		make("f", "abcdef");
		unlink("other");
		fd = open("f", O_RDONLY);
		before = ask(fd);
		set(word, 2 * i + 1);
		wait_for(word, 2 * i + 2);
		after = ask(fd);
		NOTE("%s", changes[i]);
		tell("before", &before);
		tell("after", &after);
		close(fd);
	}
	note_wait("child", pid);
}

/* Another gets the open file itself. */
CASE(opened_taken_by_another_process)
{
	volatile int *word = shared_word();
	struct answers a;
	int fd, parent = (int)SYS(SYS_pidfd_open, getpid(), 0);
	pid_t pid;

	make("f", "abcdef");
	fd = open("f", O_RDONLY);
	close(fd);
	pid = fork();
	if (pid == 0) {
		char byte[2];
		int mine;

		wait_for(word, 1);
		mine = (int)SYS(SYS_pidfd_getfd, parent, fd, 0);
		if (mine < 0 || read(mine, byte, 2) != 2)
			_exit(errno);
		set(word, 2);
		_exit(0);
	}
	fd = open("f", O_RDONLY);
	a = ask(fd);
	tell("before", &a);
	fd = dup2(fd, fd);
	close(fd);
	fd = open("f", O_RDONLY);
	set(word, 1);
	wait_for(word, 2);
	a = ask(fd);
	tell("after", &a);
	note_wait("child", pid);
}

static int thread_fd;
static volatile int thread_word;

static void *reader(void *arg)
{
	char byte[2];

	(void)arg;
	for (int i = 0; i < 100; i++) {
		wait_for(&thread_word, 2 * i + 1);
		(void)!read(thread_fd, byte, 2);
		set(&thread_word, 2 * i + 2);
	}
	return NULL;
}

/* A thread reads from it and says so in memory only. */
CASE(opened_shared_by_threads)
{
	pthread_t thread;
	int wrong = 0;

	make("f", "abcdef");
	pthread_create(&thread, NULL, reader, NULL);
	for (int i = 0; i < 100; i++) {
		thread_fd = open("f", O_RDONLY);
		wrong += SYS(SYS_lseek, thread_fd, 0, SEEK_CUR) != 0;
		set(&thread_word, 2 * i + 1);
		wait_for(&thread_word, 2 * i + 2);
		wrong += SYS(SYS_lseek, thread_fd, 0, SEEK_CUR) != 2;
		close(thread_fd);
	}
	pthread_join(thread, NULL);
	NOTE("wrong answers: %d", wrong);
}

/* The file that was opened before the thread was made. */
CASE(opened_before_the_thread)
{
	pthread_t thread;
	struct answers a;
	int error;

	make("f", "abcdef");
	thread_fd = open("f", O_RDONLY);
	error = pthread_create(&thread, NULL, reader, NULL);
	set(&thread_word, 1);
	wait_for(&thread_word, 2);
	a = ask(thread_fd);
	tell("the thread has read", &a);
	TRUTH(error == 0);
	for (int i = 1; i < 100; i++) {
		set(&thread_word, 2 * i + 1);
		wait_for(&thread_word, 2 * i + 2);
	}
	pthread_join(thread, NULL);
}

/* Times of the last access too. */
CASE(opened_access_time)
{
	struct timespec then[2] = {{1000, 0}, {2000, 0}};
	struct stat before, after;
	char byte[2];
	int fd;

	make("f", "abcdef");
	CALL(utimensat(AT_FDCWD, "f", then, 0));
	fd = open("f", O_RDONLY);
	SYS(SYS_fstat, fd, &before);
	(void)!read(fd, byte, 2);
	SYS(SYS_fstat, fd, &after);
	TRUTH(before.st_atim.tv_sec == 1000);
	TRUTH(after.st_atim.tv_sec > 1000);
	TRUTH(after.st_mtim.tv_sec == 2000);
	close(fd);
	CALL(utimensat(AT_FDCWD, "f", then, 0));
	fd = open("f", O_RDONLY);
	SYS(SYS_fstat, fd, &before);
	char *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	SYS(SYS_fstat, fd, &after);
	TRUTH(map != MAP_FAILED && *map == 'a');
	NOTE("mapping counts as access: %d", after.st_atim.tv_sec > 1000);
}

/* Read to the end, and asked where that is, on the way. */
CASE(opened_read_to_the_end)
{
	static const int flags[] = {O_RDONLY, O_RDWR, O_RDONLY | O_NOATIME};
	long got[6], at[6];
	char bytes[8];

	make("f", "abcdefghij");
	for (size_t k = 0; k < 3; k++) {
		int fd = open("f", flags[k]);

		for (int i = 0; i < 5; i++) {
			got[i] = read(fd, bytes, 4);
			at[i] = SYS(SYS_lseek, fd, 0, SEEK_CUR);
		}
		got[5] = read(fd, BAD_ADDRESS, 4);
		at[5] = SYS(SYS_lseek, fd, 0, SEEK_CUR);
		for (int i = 0; i < 6; i++)
			NOTE("%ld at %ld", got[i], at[i]);
		SYS(SYS_lseek, fd, 8, SEEK_SET);
		got[0] = read(fd, bytes, 4);
		got[1] = read(fd, bytes, 4);
		SYS(SYS_lseek, fd, -1l, SEEK_END);
		got[2] = read(fd, bytes, 4);
		got[3] = read(fd, bytes, 4);
		SYS(SYS_lseek, fd, 100, SEEK_SET);
		got[4] = read(fd, bytes, 4);
		at[4] = SYS(SYS_lseek, fd, 0, SEEK_CUR);
		errno = 0;
		got[5] = SYS(SYS_read, fd, (void *)-4096l, 4);
		NOTE("%ld %ld %ld %ld %ld at %ld; %ld %d", got[0], got[1], got[2], got[3], got[4],
			at[4], got[5], errno);
		close(fd);
	}
}

/* The host's own, whose size is whatever it is. */
CASE(opened_host_file_to_the_end)
{
	static char bytes[1 << 16];
	long sum, got, at, more, size;
	struct stat st;

	for (int i = 0; i < OPENS; i++) {
		int fd = open("/usr/bin/env", O_RDONLY);

		fstat(fd, &st);
		sum = 0;
		while ((got = read(fd, bytes, sizeof(bytes))) > 0)
			sum += got;
		at = SYS(SYS_lseek, fd, 0, SEEK_CUR);
		more = read(fd, bytes, sizeof(bytes));
		size = SYS(SYS_lseek, fd, 0, SEEK_END);
		TRUTH(sum == st.st_size && at == sum && more == 0 && size == sum);
		errno = 0;
		more = read(fd, (void *)-4096l, 1);
		NOTE("%ld %d", more, errno);
		more = read(fd, bytes, (size_t)-1);
		NOTE("%ld %d", more, errno);
		close(fd);
	}
}

/* Another makes the file longer meanwhile and says so in memory only. */
/* A small file that nobody changes: its bytes may have come with the open. */
CASE(opened_host_file_in_pieces)
{
	static const char name[] = "/usr/share/common-licenses/BSD";
	char whole[8192], got[8192], *edge;
	struct iovec vectors[2] = {{got, 10}, {got + 10, 20}};
	int fd = OK(open(name, O_RDONLY)), other, status;
	long size = SYS(SYS_read, fd, whole, sizeof(whole)), n, sum = 0;
	pid_t child;

	close(fd);
	TRUTH(size > 1000 && size < (long)sizeof(whole));
	/* In pieces, and once more behind the end. */
	fd = OK(open(name, O_RDONLY));
	while ((n = SYS(SYS_read, fd, got + sum, 100)) > 0)
		sum += n;
	TRUTH(sum == size && memcmp(got, whole, (size_t)size) == 0);
	TRUTH(SYS(SYS_lseek, fd, 0, SEEK_CUR) == size);
	close(fd);
	/* The position is the open file's, whoever asks. */
	fd = OK(open(name, O_RDONLY));
	CALL(SYS(SYS_read, fd, got, 100));
	CALL(SYS(SYS_lseek, fd, -40, SEEK_CUR));
	CALL(SYS(SYS_read, fd, got, 50));
	TRUTH(memcmp(got, whole + 60, 50) == 0);
	CALL(SYS(SYS_lseek, fd, 7, SEEK_SET));
	CALL(SYS(SYS_read, fd, got, 5));
	other = OK(dup(fd));
	CALL(SYS(SYS_read, other, got + 5, 5));
	CALL(SYS(SYS_read, fd, got + 10, 5));
	TRUTH(memcmp(got, whole + 7, 15) == 0);
	CALL(SYS(SYS_readv, fd, vectors, 2));
	TRUTH(memcmp(got, whole + 22, 30) == 0);
	close(other);
	close(fd);
	/* A child shares it from where it is. */
	fd = OK(open(name, O_RDONLY));
	CALL(SYS(SYS_read, fd, got, 100));
	child = fork();
	if (child == 0) {
		n = SYS(SYS_read, fd, got, 100);
		_exit(n == 100 && memcmp(got, whole + 100, 100) == 0 ? 0 : 1);
	}
	CALL(waitpid(child, &status, 0) == child ? status : -1);
	CALL(SYS(SYS_read, fd, got, 100));
	TRUTH(memcmp(got, whole + 200, 100) == 0);
	close(fd);
	/* Memory that is not all there. */
	edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CALL(munmap(edge + 4096, 4096));
	fd = OK(open(name, O_RDONLY));
	CALL(SYS(SYS_read, fd, edge + 4096, 10));
	CALL(SYS(SYS_lseek, fd, 0, SEEK_CUR));
	CALL(SYS(SYS_read, fd, edge + 4096 - 10, 100) > 0);
	CALL(SYS(SYS_read, fd, -1l, 10));
	CALL(SYS(SYS_read, fd, got, 0));
	CALL(SYS(SYS_read, fd, edge, -1l));
	close(fd);
	/* Another file with the same number. */
	fd = OK(open(name, O_RDONLY));
	close(fd);
	fd = OK(open("/dev/zero", O_RDONLY));
	CALL(SYS(SYS_read, fd, got, 8));
	TRUTH(got[0] == 0);
	close(fd);
	fd = OK(open(name, O_RDONLY));
	other = OK(open("/dev/zero", O_RDONLY));
	CALL(dup2(other, fd));
	CALL(SYS(SYS_read, fd, got, 8));
	TRUTH(got[0] == 0 && got[7] == 0);
	CALL(SYS(SYS_write, fd, got, 1));
}

CASE(opened_file_grows)
{
	volatile int *word = shared_word();
	long got[4];
	char bytes[16];
	pid_t pid;
	int fd;

	make("f", "abc");
	pid = fork();
	if (pid == 0) {
		int mine;

		wait_for(word, 1);
		mine = open("f", O_WRONLY | O_APPEND);
		(void)!write(mine, "defg", 4);
		set(word, 2);
		_exit(0);
	}
	fd = open("f", O_RDONLY);
	got[0] = read(fd, bytes, sizeof(bytes));
	got[1] = read(fd, bytes, sizeof(bytes));
	set(word, 1);
	wait_for(word, 2);
	got[2] = read(fd, bytes, sizeof(bytes));
	got[3] = read(fd, bytes, sizeof(bytes));
	NOTE("%ld %ld %ld %ld", got[0], got[1], got[2], got[3]);
	note_wait("child", pid);
}

/* Closing is noticed by whatever this process does next. */
CASE(opened_closed)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd, other, again, error;
	char bytes[4], path[64];
	struct stat st;
	pid_t pid;

	make("f", "abc");
	for (int i = 0; i < OPENS; i++) {
		fd = open("f", O_RDONLY);
		again = close(fd);
		error = close(fd);
		NOTE("closed %d, again %d %d", again, error, errno);
		fd = open("f", O_RDONLY);
		close(fd);
		other = open("/dev/null", O_RDONLY);
		TRUTH(other == fd);
		close(other);
		fd = open("f", O_RDONLY);
		close(fd);
		errno = 0;
		error = (int)SYS(SYS_fstat, fd, &st);
		NOTE("fstat %d %d", error, errno);
		fd = open("f", O_RDONLY);
		close(fd);
		errno = 0;
		error = (int)read(fd, bytes, 1);
		NOTE("read %d %d", error, errno);
		fd = open("f", O_RDONLY);
		close(fd);
		errno = 0;
		error = dup(fd);
		NOTE("dup %d %d", error, errno);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		fd = open("f", O_RDONLY);
		close(fd);
		NOTE("listed %d", access(path, F_OK));
		fd = open("f", O_RDONLY);
		close(fd);
		pid = fork();
		if (pid == 0)
			_exit(fcntl(fd, F_GETFD) == -1 ? 0 : 1);
		note_wait("child", pid);
		/* A lock of this process ends with any descriptor of the file. */
		other = open("f", O_RDWR);
		lock.l_type = F_WRLCK;
		error = fcntl(other, F_SETLK, &lock);
		fd = open("f", O_RDONLY);
		close(fd);
		pid = fork();
		if (pid == 0) {
			lock.l_type = F_WRLCK;
			fcntl(other, F_GETLK, &lock);
			_exit(lock.l_type == F_UNLCK ? 0 : 1);
		}
		NOTE("locked %d", error);
		note_wait("child sees no lock", pid);
		close(other);
	}
}

static volatile int closed_signals;

static void on_signal(int signo)
{
	(void)signo;
	closed_signals++;
	close(open("f", O_RDONLY));
}

/* Signals come between opening, asking and closing. */
CASE(opened_under_signals)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct itimerval fast = {{0, 500}, {0, 500}}, off = {{0, 0}, {0, 0}};
	int wrong = 0, lowest;
	char bytes[8];

	make("f", "abcdef");
	lowest = open("f", O_RDONLY);
	close(lowest);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &fast, NULL);
	for (int i = 0; i < 20000; i++) {
		int fd = open("f", O_RDONLY);
		struct answers a = ask(fd);
		long got = read(fd, bytes, 8), end = read(fd, bytes, 8);

		wrong += fd != lowest || a.fstat || a.st.st_size != 6 || a.position != 0 ||
			 a.tty_error != ENOTTY || got != 6 || end != 0;
		wrong += SYS(SYS_lseek, fd, 0, SEEK_CUR) != 6;
		wrong += close(fd) != 0;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	NOTE("wrong: %d", wrong);
	TRUTH(closed_signals > 0);
}

/* Writers ask too; what they write shows at once, by a mapping as well. */
CASE(opened_for_writing)
{
	static const int flags[] = {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND, O_RDWR | O_TRUNC,
		O_WRONLY | O_CREAT | O_NONBLOCK};
	struct stat before, after;
	int fd, other;

	make("f", "abcdef");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct answers a, b, c;
		long got, fl;
		char byte;

		fd = open("f", flags[i], 0600);
		a = ask(fd);
		got = read(fd, &byte, 1);
		fl = fcntl(fd, F_GETFL);
		(void)!write(fd, "xyz", 3);
		b = ask(fd);
		other = open("f", O_WRONLY);
		(void)!pwrite(other, "more", 4, 20);
		c = ask(fd);
		tell("opened", &a);
		NOTE("read %ld, flags %lo", got, fl);
		tell("written", &b);
		tell("written by another", &c);
		close(other);
		close(fd);
	}
	fd = open("f", O_RDWR);
	SYS(SYS_ftruncate, fd, 1l << 20);
	close(fd);
	fd = open("f", O_RDWR);
	SYS(SYS_fstat, fd, &before);
	char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(map, 1, 1 << 20);
	SYS(SYS_fstat, fd, &after);
	TRUTH(after.st_blocks > before.st_blocks);
}

CASE(opened_flags)
{
	static const int flags[] = {O_RDONLY, O_RDONLY | O_NONBLOCK | O_CLOEXEC, O_RDWR | O_APPEND,
		O_RDONLY | O_DIRECTORY, O_RDONLY | O_NOFOLLOW};

	make("f", "abcdef");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		int fd = open(flags[i] & O_DIRECTORY ? "." : "f", flags[i]);
		int first = fcntl(fd, F_GETFL), second, third, fourth;

		fcntl(fd, F_SETFD, FD_CLOEXEC);
		second = fcntl(fd, F_GETFL);
		fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK);
		third = fcntl(fd, F_GETFL);
		fourth = fcntl(fd, F_GETFD);
		NOTE("%o %o %o %d", first, second, third, fourth);
		close(fd);
	}
}

/* Written, given attributes, closed: and run, looked at, locked by somebody else then. */
CASE(opened_written_and_closed)
{
	struct timespec then[2] = {{1000, 0}, {2000, 0}};
	struct stat st;
	char bytes[8];
	int fd, status;
	pid_t pid;

	for (int i = 0; i < OPENS; i++) {
		fd = open("script", O_WRONLY | O_CREAT | O_TRUNC, 0600);
		(void)!write(fd, "#!/bin/sh\nexit 7\n", 17);
		fchmod(fd, 0700);
		close(fd);
		pid = fork();
		if (pid == 0) {
			execl("./script", "script", NULL);
			_exit(errno);
		}
		waitpid(pid, &status, 0);
		NOTE("ran: %d", WEXITSTATUS(status));
		fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
		(void)!write(fd, "abcdef", 6);
		NOTE("at %ld", SYS(SYS_lseek, fd, 0, SEEK_CUR));
		fd = open("f", O_RDWR);
		(void)!write(fd, "xy", 2);
		(void)!read(fd, bytes, 2);
		NOTE("%.2s at %ld", bytes, SYS(SYS_lseek, fd, 0, SEEK_CUR));
		futimens(fd, then);
		close(fd);
		stat("f", &st);
		NOTE("size %ld time %ld", (long)st.st_size, (long)st.st_mtim.tv_sec);
		fd = open("f", O_WRONLY | O_APPEND);
		(void)!write(fd, "gh", 2);
		NOTE("appended at %ld", SYS(SYS_lseek, fd, 0, SEEK_CUR));
		(void)!ftruncate(fd, 3);
		SYS(SYS_fstat, fd, &st);
		NOTE("size %ld", (long)st.st_size);
		(void)!pwrite(fd, "z", 1, 0);
		SYS(SYS_fstat, fd, &st);
		NOTE("size %ld at %ld", (long)st.st_size, SYS(SYS_lseek, fd, 0, SEEK_CUR));
		fchmod(fd, 0640);
		SYS(SYS_fstat, fd, &st);
		NOTE("mode %o", st.st_mode);
		close(fd);
		fd = open("f", O_RDONLY);
		NOTE("%ld", (long)read(fd, bytes, 8));
		close(fd);
	}
}

/* Somebody who begins to watch while it is open waits for its end; the closer calls nobody then. */
CASE(opened_watched_and_closed)
{
	static const char *const watched[] = {"f", "."};
	volatile int *word = shared_word();
	struct inotify_event event;
	char buffer[512];

	make("f", "abc");
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
		struct pollfd poll_fd;
		pid_t pid;

		set(word, 0);
		pid = fork();
		if (pid == 0) {
			int fd = open("f", O_WRONLY);

			(void)!write(fd, "x", 1);
			set(word, 1);
			while (*word != 2)
				;
			close(fd);
			while (*word != 3)
				;
			_exit(0);
		}
		poll_fd = (struct pollfd){.fd = inotify_init1(IN_CLOEXEC), .events = POLLIN};
		wait_for(word, 1);
		CALL(inotify_add_watch(poll_fd.fd, watched[i], IN_CLOSE_WRITE));
		set(word, 2);
		NOTE("poll %d", poll(&poll_fd, 1, 2000));
		set(word, 3);
		note_wait("child", pid);
		if (read(poll_fd.fd, buffer, sizeof(buffer)) >= (ssize_t)sizeof(event)) {
			memcpy(&event, buffer, sizeof(event));
			NOTE("mask %x", event.mask);
		}
		close(poll_fd.fd);
	}
}

/* A directory has positions, but is not read, wherever it stands. */
CASE(opened_directory_read)
{
	static const char *const names[] = {".", "/usr"};
	char byte;

	for (int i = 0; i < OPENS; i++) {
		int fd = open(names[i % 2], O_RDONLY | O_DIRECTORY);

		(void)lseek(fd, 1 << 20, SEEK_SET);
		CALL((int)read(fd, &byte, 1));
		close(fd);
	}
}
