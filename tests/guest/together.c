/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes and threads on one file or directory: what stays whole. read(2) and write(2) on
 * the position that they share, O_APPEND, rename(2), O_EXCL, directories that change while they are
 * read. */
#include <dirent.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/uio.h>

#include "case.h"

#define WORKERS 4
#define ROUNDS	200
#define RECORD	37

static void fill_record(char *record, int worker, int round)
{
	memset(record, 'a' + worker, RECORD);
	(void)snprintf(record, 16, "%d:%05d:", worker, round);
	record[15] = (char)('a' + worker);
	record[RECORD - 1] = '\n';
}

/* Each record once and whole, and each worker's in order. */
static void check_records(const char *name)
{
	static char text[WORKERS * ROUNDS * RECORD + 1];
	int fd = open(name, O_RDONLY), next[WORKERS] = {0}, bad = 0;
	ssize_t size = read(fd, text, sizeof(text));

	for (ssize_t at = 0; at + RECORD <= size; at += RECORD) {
		int worker = text[at] - '0';
		char record[RECORD];

		if (worker < 0 || worker >= WORKERS) {
			bad++;
			continue;
		}
		fill_record(record, worker, next[worker]++);
		bad += memcmp(record, text + at, RECORD) != 0;
	}
	NOTE("size %zd, bad %d", size, bad);
	close(fd);
}

static int shared_fd;
static int worker_flags;

static void write_records(int worker, bool own_file, bool vector)
{
	int fd = own_file ? open("f", O_WRONLY | O_CREAT | worker_flags, 0600) : shared_fd;
	char record[RECORD];

	for (int round = 0; round < ROUNDS; round++) {
		fill_record(record, worker, round);
		struct iovec pieces[3] = {
			{record, 5}, {record + 5, 20}, {record + 25, RECORD - 25}};
		if ((vector ? writev(fd, pieces, 3) : write(fd, record, RECORD)) != RECORD)
			NOTE("short write");
		if (round % 16 == 0)
			sched_yield();
	}
}

static void in_processes(bool own_file, bool vector)
{
	fflush(stdout);
	for (int worker = 0; worker < WORKERS; worker++) {
		if (fork() == 0) {
			write_records(worker, own_file, vector);
			fflush(stdout);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	check_records("f");
}

struct thread_arg {
	int worker;
	bool own_file, vector;
};

static void *thread_main(void *data)
{
	const struct thread_arg *arg = data;

	write_records(arg->worker, arg->own_file, arg->vector);
	return NULL;
}

static void in_threads(bool own_file, bool vector)
{
	struct thread_arg args[WORKERS];
	pthread_t threads[WORKERS];

	for (int i = 0; i < WORKERS; i++) {
		args[i] = (struct thread_arg){i, own_file, vector};
		pthread_create(&threads[i], NULL, thread_main, &args[i]);
	}
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	check_records("f");
}

CASE(append_own_files_in_processes)
{
	worker_flags = O_APPEND;
	in_processes(true, false);
}

CASE(append_own_files_in_threads)
{
	worker_flags = O_APPEND;
	in_threads(true, false);
}

CASE(append_vectors)
{
	worker_flags = O_APPEND;
	in_processes(true, true);
}

CASE(shared_position_in_processes)
{
	shared_fd = open("f", O_WRONLY | O_CREAT, 0600);
	in_processes(false, false);
	CALL(lseek(shared_fd, 0, SEEK_CUR));
}

CASE(shared_position_in_threads)
{
	shared_fd = open("f", O_WRONLY | O_CREAT, 0600);
	in_threads(false, false);
	CALL(lseek(shared_fd, 0, SEEK_CUR));
}

CASE(shared_position_vectors)
{
	shared_fd = open("f", O_WRONLY | O_CREAT, 0600);
	in_threads(false, true);
	CALL(lseek(shared_fd, 0, SEEK_CUR));
}

/* Readers who share a position get each record exactly once. */
CASE(shared_position_readers)
{
	int fds[2], total = 0, seen[WORKERS * ROUNDS] = {0}, wrong = 0;

	worker_flags = O_APPEND;
	fflush(stdout);
	for (int round = 0; round < WORKERS * ROUNDS; round++) {
		char record[RECORD];
		int fd = round ? shared_fd : (shared_fd = open("f", O_RDWR | O_CREAT, 0600));

		memset(record, 'r', RECORD);
		(void)snprintf(record, RECORD, "%d", round);
		write(fd, record, RECORD);
	}
	lseek(shared_fd, 0, SEEK_SET);
	pipe(fds);
	for (int worker = 0; worker < WORKERS; worker++) {
		if (fork() == 0) {
			char record[RECORD];

			while (read(shared_fd, record, RECORD) == RECORD) {
				int number = atoi(record);

				write(fds[1], &number, sizeof(number));
			}
			_exit(0);
		}
	}
	close(fds[1]);
	for (int number; read(fds[0], &number, sizeof(number)) == sizeof(number); total++) {
		if (number < 0 || number >= WORKERS * ROUNDS || seen[number]++)
			wrong++;
	}
	while (wait(NULL) > 0)
		;
	NOTE("read %d, wrong %d", total, wrong);
}

CASE(append_ignores_pwrite_offset)
{
	int fd = open("f", O_RDWR | O_CREAT | O_APPEND, 0600), two = open("f", O_WRONLY);

	CALL(write(fd, "one", 3));
	CALL(pwrite(fd, "two", 3, 0));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(write(fd, "three", 5));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(write(two, "ONE", 3));
	CALL(fcntl(two, F_SETFL, O_APPEND));
	CALL(write(two, "four", 4));
	CALL(fcntl(two, F_SETFL, 0));
	CALL(write(two, "!", 1));
	note_file("f");
}

/* A name that is replaced all the time is never missing and never half written. */
CASE(rename_is_atomic)
{
	int missing = 0, torn = 0, looks = 0, status;
	pid_t pid;

	write_file("f", "content 0");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 500; i++) {
			char text[32];

			(void)snprintf(text, sizeof(text), "content %d", i);
			write_file("new", text);
			rename("new", "f");
		}
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		char text[32] = "";
		int fd = open("f", O_RDONLY);

		looks++;
		if (fd < 0) {
			missing++;
			continue;
		}
		read(fd, text, sizeof(text) - 1);
		torn += strncmp(text, "content ", 8) != 0;
		close(fd);
	}
	NOTE("missing %d torn %d, looked: %d", missing, torn, looks > 0);
	note_file("f");
}

/* One of many makes it. */
CASE(exclusive_creation)
{
	int wins = 0, status;

	fflush(stdout);
	for (int round = 0; round < 20; round++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "l%d", round);
		for (int worker = 0; worker < WORKERS; worker++) {
			if (fork() == 0) {
				sched_yield();
				_exit(open(name, O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0);
			}
		}
		while (wait(&status) > 0)
			wins += WEXITSTATUS(status);
	}
	NOTE("wins %d", wins);
}

CASE(exclusive_links_and_directories)
{
	int wins = 0, made = 0, status;

	write_file("f", "x");
	fflush(stdout);
	for (int round = 0; round < 20; round++) {
		char name[16], dir[16];

		(void)snprintf(name, sizeof(name), "l%d", round);
		(void)snprintf(dir, sizeof(dir), "d%d", round);
		for (int worker = 0; worker < WORKERS; worker++)
			if (fork() == 0)
				_exit((link("f", name) == 0) | (mkdir(dir, 0700) == 0) << 1);
		while (wait(&status) > 0) {
			wins += WEXITSTATUS(status) & 1;
			made += WEXITSTATUS(status) >> 1;
		}
	}
	struct stat st;
	stat("f", &st);
	NOTE("links %d, made %d, count %d", wins, made, (int)st.st_nlink);
}

/* What is there from the beginning to the end of a listing is listed exactly once (readdir(3)). */
CASE(listing_while_others_come_and_go)
{
	int bad = 0;
	pid_t pid;

	mkdir("d", 0700);
	for (int i = 0; i < 300; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "d/stays%d", i);
		write_file(name, "");
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		for (int i = 0;; i = (i + 1) % 100) {
			char name[32];

			(void)snprintf(name, sizeof(name), "d/passes%d", i);
			close(open(name, O_CREAT | O_WRONLY, 0600));
			(void)snprintf(name, sizeof(name), "d/passes%d", (i + 50) % 100);
			unlink(name);
		}
	}
	for (int round = 0; round < 10; round++) {
		int seen[300] = {0};
		DIR *dir = opendir("d");
		struct dirent *entry;

		while ((entry = readdir(dir)))
			if (strncmp(entry->d_name, "stays", 5) == 0)
				seen[atoi(entry->d_name + 5)]++;
		closedir(dir);
		for (int i = 0; i < 300; i++)
			bad += seen[i] != 1;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	NOTE("bad %d", bad);
}

/* Everything listed is removed on the way, as rm -r does it. */
CASE(removing_while_listing)
{
	int left = 0, removed = 0;
	struct dirent *entry;
	DIR *dir;

	mkdir("d", 0700);
	for (int i = 0; i < 500; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "d/%d", i);
		write_file(name, "");
	}
	dir = opendir("d");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			removed += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
	rewinddir(dir);
	while ((entry = readdir(dir)))
		left += entry->d_name[0] != '.';
	NOTE("removed %d, left %d", removed, left);
	CALL(rmdir("d"));
	CALL(SYS(SYS_getdents64, dirfd(dir), (char[1000]){0}, 1000));
	rewinddir(dir);
	TRUTH(readdir(dir) == NULL);
	CALL(openat(dirfd(dir), "x", O_CREAT | O_WRONLY, 0600));
	CALL(openat(dirfd(dir), "..", O_RDONLY | O_DIRECTORY) >= 0);
}

CASE(rewind_sees_what_is_new)
{
	struct dirent *entry;
	int before = 0, after = 0;
	DIR *dir;

	mkdir("d", 0700);
	dir = opendir("d");
	while ((entry = readdir(dir)))
		before++;
	write_file("d/new", "");
	TRUTH(readdir(dir) == NULL || true);
	rewinddir(dir);
	while ((entry = readdir(dir)))
		after++;
	NOTE("%d %d", before, after);
	CALL(rename("d", "e"));
	rewinddir(dir);
	after = 0;
	while ((entry = readdir(dir)))
		after++;
	NOTE("%d", after);
}

/* flock and record locks keep a counter right. */
static void count_up(int kind)
{
	for (int round = 0; round < 50; round++) {
		struct flock lock = {.l_type = F_WRLCK};
		int fd = open("counter", O_RDWR | O_CREAT, 0600);
		char text[16] = "";

		if (kind == 0)
			flock(fd, LOCK_EX);
		else
			fcntl(fd, kind == 1 ? F_SETLKW : F_OFD_SETLKW, &lock);
		pread(fd, text, sizeof(text) - 1, 0);
		sched_yield();
		(void)snprintf(text, sizeof(text), "%d", atoi(text) + 1);
		pwrite(fd, text, strlen(text), 0);
		close(fd);
	}
}

CASE(locks_exclude)
{
	for (int kind = 0; kind < 3; kind++) {
		unlink("counter");
		fflush(stdout);
		for (int worker = 0; worker < WORKERS; worker++) {
			if (fork() == 0) {
				count_up(kind);
				_exit(0);
			}
		}
		while (wait(NULL) > 0)
			;
		note_file("counter");
	}
}

/* A pipe's writes of up to PIPE_BUF bytes are whole, whoever else writes. */
CASE(pipe_writes_are_whole)
{
	int fds[2], bad = 0, total = 0;
	static char block[PIPE_BUF];

	pipe(fds);
	fflush(stdout);
	for (int worker = 0; worker < WORKERS; worker++) {
		if (fork() == 0) {
			memset(block, 'a' + worker, sizeof(block));
			for (int i = 0; i < 50; i++)
				write(fds[1], block, sizeof(block));
			_exit(0);
		}
	}
	close(fds[1]);
	for (;;) {
		size_t got = 0;
		ssize_t n;

		while (got < sizeof(block) &&
			(n = read(fds[0], block + got, sizeof(block) - got)) > 0)
			got += (size_t)n;
		if (got < sizeof(block))
			break;
		total++;
		for (size_t i = 1; i < sizeof(block); i++)
			bad += block[i] != block[0];
	}
	while (wait(NULL) > 0)
		;
	NOTE("blocks %d, bad %d", total, bad);
}

/* Truncation by one, writing by another: never bytes that nobody wrote. */
CASE(truncate_and_write)
{
	int bad = 0, status;
	pid_t pid;

	write_file("f", "");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int fd = open("f", O_WRONLY);

		for (int i = 0; i < 300; i++) {
			pwrite(fd, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 32, (i % 8) * 4000);
			if (i % 5 == 0)
				ftruncate(fd, (i % 3) * 3000);
		}
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		static char text[40000];
		int fd = open("f", O_RDONLY);
		ssize_t n = read(fd, text, sizeof(text));

		for (ssize_t i = 0; i < n; i++)
			bad += text[i] != 0 && text[i] != 'x';
		close(fd);
	}
	NOTE("bad %d", bad);
}
