/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories are listed and their names asked for in that order, as programs that walk a tree do,
 * while somebody changes what is still to be asked for. Which names come before the change is the
 * file system's choice, so a case counts wrong answers on both sides of it.
 */
#include "case.h"
#include "ns.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/mount.h>

#define FILES 40

static char listed[FILES + 8][256];
static int listed_count;

static void make(const char *dir, int more)
{
	char path[400];

	CALL(mkdir(dir, 0755));
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/n%02d", dir, i);
		int fd = open(path, O_CREAT | O_WRONLY, 0644);

		if (fd < 0 || ftruncate(fd, i + more) < 0)
			abort();
		close(fd);
	}
}

/* Two directories with the same names. */
static void make_both(void)
{
	make("d", 0);
	make("o", 100);
	CALL(symlink("n05", "d/link"));
	CALL(mkdir("d/sub", 0700));
	CALL(symlink("d", "way"));
	listed_count = 0;
}

static int list(const char *dir)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;

	listed_count = 0;
	while ((entry = readdir(stream)))
		snprintf(listed[listed_count++], sizeof(listed[0]), "%s", entry->d_name);
	return dup(dirfd(stream)); /* the stream stays, too */
}

enum kind { ABSOLUTE, RELATIVE, BY_LINK, BY_FD, HERE, KINDS };

/* What is said of @name: its size, -errno, or 10000 for another kind of file. */
static long ask(enum kind kind, int fd, const char *name)
{
	char path[4200], cwd[4000];
	struct stat st;
	int r;

	switch (kind) {
	case ABSOLUTE:
		snprintf(path, sizeof(path), "%s/d/%s", getcwd(cwd, sizeof(cwd)), name);
		r = stat(path, &st);
		break;
	case RELATIVE:
		snprintf(path, sizeof(path), "d/%s", name);
		r = lstat(path, &st);
		break;
	case BY_LINK:
		snprintf(path, sizeof(path), "way//%s", name);
		r = lstat(path, &st);
		break;
	case BY_FD:
		r = fstatat(fd, name, &st, 0);
		break;
	default:
		r = fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW);
	}
	return r < 0 ? -errno : S_ISREG(st.st_mode) ? (long)st.st_size : 10000;
}

struct change {
	void (*fn)(int fd);
	long (*after)(enum kind kind, int by, int i); /* what is right then */
};

static int changed_fd;
static const struct change *changing;

static void *change_thread(void *unused)
{
	(void)unused;
	changing->fn(changed_fd);
	return NULL;
}

/* @by: 0 the one who asks, 1 another process, 2 another thread. */
static void change_by(const struct change *change, int fd, int by)
{
	pthread_t thread;
	pid_t pid;
	int status;

	changing = change;
	changed_fd = fd;
	if (by == 0) {
		change->fn(fd);
	} else if (by == 1) {
		pid = fork();
		if (pid == 0) {
			change->fn(fd);
			_exit(0);
		}
		waitpid(pid, &status, 0);
	} else {
		pthread_create(&thread, NULL, change_thread, NULL);
		pthread_join(thread, NULL);
	}
}

static void walk(enum kind kind, const struct change *change, int by)
{
	int before = 0, after = 0, asked = 0, fd = list(kind == HERE ? "." : "d");

	for (int k = 0; k < listed_count; k++) {
		int i = atoi(listed[k] + 1);

		if (listed[k][0] != 'n')
			continue;
		if (++asked == FILES / 2 && change)
			change_by(change, fd, by);
		long got = ask(kind, fd, listed[k]);

		if (change && asked >= FILES / 2)
			after += got != change->after(kind, by, i);
		else
			before += got != i;
	}
	NOTE("kind %d by %d: asked %d wrong %d, then %d", kind, by, asked, before, after);
	close(fd);
}

/* In processes of their own, since a change may be one of the process. */
static void walks(const struct change *change, int bys)
{
	for (int kind = 0; kind < KINDS; kind++) {
		for (int by = 0; by < bys; by++) {
			char dir[40];
			pid_t pid;
			int status;

			snprintf(dir, sizeof(dir), "case%d%d", kind, by);
			if ((pid = fork()) == 0) {
				if (mkdir(dir, 0755) < 0 || chdir(dir) < 0)
					abort();
				make_both();
				if (kind == HERE && chdir("d") < 0)
					abort();
				for (int i = 0; i < 3; i++)
					walk(kind, i == 2 ? change : NULL, by);
				exit(0);
			}
			waitpid(pid, &status, 0);
			note_status("walk", status);
		}
	}
}

static const char *place(const char *name)
{
	static char path[2][4200];
	static unsigned next;
	char cwd[4000], *at = path[next++ % 2];

	/* Of the walk: its directory may be the working directory. */
	getcwd(cwd, sizeof(cwd));
	if (strcmp(cwd + strlen(cwd) - 2, "/d") == 0)
		cwd[strlen(cwd) - 2] = '\0';
	snprintf(at, sizeof(path[0]), "%s/%s", cwd, name);
	return at;
}

static void for_each(void (*fn)(const char *path, int i))
{
	char name[20];

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "d/n%02d", i);
		fn(place(name), i);
	}
}

static long is_same(enum kind kind, int by, int i)
{
	return i;
}

static long is_larger(enum kind kind, int by, int i)
{
	return i + 100;
}

static long is_missing(enum kind kind, int by, int i)
{
	return -ENOENT;
}

static long is_other(enum kind kind, int by, int i)
{
	return 10000;
}

static void nothing(int fd)
{
}

CASE(ahead_plain)
{
	walks(&(struct change){nothing, is_same}, 3);
}

static void grow(const char *path, int i)
{
	if (truncate(path, i + 100) < 0)
		abort();
}

static void grow_all(int fd)
{
	for_each(grow);
}

CASE(ahead_files_grow)
{
	walks(&(struct change){grow_all, is_larger}, 3);
}

static void append(const char *path, int i)
{
	static const char bytes[100];
	int fd = open(path, O_WRONLY | O_APPEND);

	if (write(fd, bytes, 100) != 100)
		abort();
	close(fd);
}

static void append_all(int fd)
{
	for_each(append);
}

CASE(ahead_files_are_written)
{
	walks(&(struct change){append_all, is_larger}, 3);
}

static void remove_name(const char *path, int i)
{
	unlink(path);
}

static void remove_all(int fd)
{
	for_each(remove_name);
}

CASE(ahead_names_go)
{
	walks(&(struct change){remove_all, is_missing}, 3);
}

static void to_dir(const char *path, int i)
{
	unlink(path);
	if (mkdir(path, 0755) < 0)
		abort();
}

static void all_to_dirs(int fd)
{
	for_each(to_dir);
}

CASE(ahead_names_become_directories)
{
	walks(&(struct change){all_to_dirs, is_other}, 2);
}

static void to_link(const char *path, int i)
{
	char target[40];

	snprintf(target, sizeof(target), "../o/n%02d", i);
	unlink(path);
	if (symlink(target, path) < 0)
		abort();
}

static void all_to_links(int fd)
{
	for_each(to_link);
}

static long of_links(enum kind kind, int by, int i)
{
	return kind == ABSOLUTE || kind == BY_FD ? i + 100 : 10000;
}

CASE(ahead_names_become_links)
{
	walks(&(struct change){all_to_links, of_links}, 2);
}

static void exchange(int fd)
{
	if (rename(place("d"), place("x")) < 0 || rename(place("o"), place("d")) < 0)
		abort();
}

static long of_exchange(enum kind kind, int by, int i)
{
	return kind == BY_FD || kind == HERE ? i : i + 100;
}

CASE(ahead_directory_is_exchanged)
{
	walks(&(struct change){exchange, of_exchange}, 3);
}

static void turn_link(int fd)
{
	if (symlink("o", place("new")) < 0 || rename(place("new"), place("way")) < 0)
		abort();
}

static long of_turned_link(enum kind kind, int by, int i)
{
	return kind == BY_LINK ? i + 100 : i;
}

CASE(ahead_link_leads_elsewhere)
{
	walks(&(struct change){turn_link, of_turned_link}, 3);
}

/* To where there is another d. */
static void elsewhere(int fd)
{
	const char *other = place("o");

	if (chdir(other) < 0 || mkdir("d", 0755) < 0)
		abort();
}

static long of_elsewhere(enum kind kind, int by, int i)
{
	switch (kind) {
	case BY_FD:
		return i;
	case HERE:
		return by == 1 ? i : i + 100;
	default:
		return by == 1 ? i : -ENOENT;
	}
}

CASE(ahead_another_working_directory)
{
	walks(&(struct change){elsewhere, of_elsewhere}, 3);
}

static void replace_fd(int fd)
{
	int other = open(place("o"), O_RDONLY | O_DIRECTORY);

	if (dup2(other, fd) != fd)
		abort();
	close(other);
}

static long of_replaced_fd(enum kind kind, int by, int i)
{
	return kind == BY_FD && by != 1 ? i + 100 : i;
}

CASE(ahead_descriptor_is_another)
{
	walks(&(struct change){replace_fd, of_replaced_fd}, 3);
}

static void reopen_fd(int fd)
{
	close(fd);
	if (open(place("o"), O_RDONLY | O_DIRECTORY) != fd)
		abort();
}

CASE(ahead_descriptor_is_used_again)
{
	walks(&(struct change){reopen_fd, of_replaced_fd}, 3);
}

static void close_fd(int fd)
{
	close(fd);
}

static long of_closed_fd(enum kind kind, int by, int i)
{
	return kind == BY_FD && by != 1 ? -EBADF : i;
}

CASE(ahead_descriptor_is_closed)
{
	walks(&(struct change){close_fd, of_closed_fd}, 3);
}

static void lose_rights(int fd)
{
	if (chmod(place("d"), 0700) < 0 || setresuid(65534, 65534, 65534) < 0)
		abort();
}

static long of_lost_rights(enum kind kind, int by, int i)
{
	return by == 1 ? i : -EACCES;
}

CASE(ahead_identity)
{
	if (geteuid() != 0)
		SKIP("needs root");
	walks(&(struct change){lose_rights, of_lost_rights}, 2);
}

static void mount_over(int fd)
{
	if (mount(place("o"), place("d"), NULL, MS_BIND, NULL) < 0)
		abort();
}

CASE(ahead_something_is_mounted)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
		SKIP("needs a mount namespace");
	CALL(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	walks(&(struct change){mount_over, of_exchange}, 2);
}

/* Of what was told, only what was asked: no slashes behind, no faults hidden, links followed. */
CASE(ahead_names_of_all_kinds)
{
	int faults = 0, slashes = 0, links = 0, files = 0;
	char path[400];
	struct stat st;

	make_both();
	for (int turn = 0; turn < 4; turn++) {
		int fd = list("d");

		for (int k = 0; k < listed_count; k++) {
			const char *name = listed[k];

			snprintf(path, sizeof(path), "d/%.255s", name);
			if (turn % 2 && k % 3 == 0)
				faults += stat(path, BAD_ADDRESS) == -1 && errno == EFAULT;
			if (name[0] == 'n' || name[0] == 'l')
				files += stat(path, &st) == 0 && S_ISREG(st.st_mode);
			links += lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
			strcat(path, "/");
			slashes += stat(path, &st) == -1 && errno == ENOTDIR;
		}
		close(fd);
	}
	NOTE("faults %d files %d links %d not directories %d", faults, files, links, slashes);
}

/* Two processes take turns: one asks for a few names, the other changes all of them. */
CASE(ahead_turns)
{
	int to[2], from[2], wrong = 0, status;
	char byte, path[400];
	struct stat st;
	pid_t pid;

	make_both();
	CALL(pipe(to));
	CALL(pipe(from));
	if ((pid = fork()) == 0) {
		for (int more = 1; more <= 60; more++) {
			if (read(to[0], &byte, 1) != 1)
				_exit(1);
			for (int i = 0; i < FILES; i++) {
				snprintf(path, sizeof(path), "d/n%02d", i);
				if (truncate(path, i + more) < 0)
					_exit(2);
			}
			if (write(from[1], "x", 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (int more = 0; more < 60;) {
		close(list("d"));
		for (int k = 0; k < listed_count; k++) {
			if (listed[k][0] != 'n')
				continue;
			snprintf(path, sizeof(path), "d/%.255s", listed[k]);
			wrong += stat(path, &st) < 0 || st.st_size != atoi(listed[k] + 1) + more;
			if (k % 10 == 9 && more < 60) {
				if (write(to[1], "x", 1) != 1 || read(from[0], &byte, 1) != 1)
					abort();
				more++;
			}
		}
	}
	waitpid(pid, &status, 0);
	note_status("other", status);
	NOTE("wrong %d", wrong);
}
