/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same question about a name, again and again, while others make its last answer void: each
 * answer has to be the one of the moment. Every question is asked three times, so that an answer
 * that a platform kept is one of them.
 */
#include "case.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

static char *absolute(const char *name)
{
	static char text[8][4096];
	static unsigned next;
	char *at = text[next++ % 8], cwd[2000];

	snprintf(at, sizeof(text[0]), "%s/%s", getcwd(cwd, sizeof(cwd)), name);
	return at;
}

static void ask(const char *what, const char *name)
{
	struct stat st;

	for (int i = 0; i < 3; i++) {
		memset(&st, 0, sizeof(st));
		errno = 0;
		int r = stat(name, &st), e = errno;
		int a = access(name, R_OK), ae = errno;
		int l = lstat(name, &st), le = errno;
		char target[3][300] = {"", "", ""};
		long size[3];
		int re;

		size[0] = readlink(name, target[0], i == 1 ? 2 : 1);
		size[1] = readlink(name, target[1], i == 2 ? 299 : 4);
		size[2] = SYS(SYS_readlinkat, 12345, name, target[2], 299);
		re = errno;
		NOTE("readlink %ld %.3s %ld %s %ld %s %d", size[0], target[0], size[1], target[1],
			size[2], target[2], size[2] < 0 ? re : 0);
		NOTE("%s: stat %d %d lstat %d %d access %d %d mode %o size %ld links %ld", what, r,
			r ? e : 0, l, l ? le : 0, a, a ? ae : 0, st.st_mode,
			S_ISDIR(st.st_mode) ? 0l : (long)st.st_size, (long)st.st_nlink);
	}
}

CASE(name_comes_and_goes)
{
	char *name = absolute("f"), *other = absolute("g");
	int fd;

	ask("missing", name);
	fd = OK(open(name, O_CREAT | O_RDWR, 0640));
	ask("created", name);
	CALL(write(fd, "abc", 3));
	ask("written", name);
	close(fd);
	ask("closed", name);
	CALL(truncate(name, 10));
	ask("truncated", name);
	CALL(chmod(name, 0600));
	ask("chmod", name);
	CALL(link(name, other));
	ask("linked", name);
	CALL(rename(other, absolute("h")));
	ask("gone elsewhere", other);
	CALL(unlink(name));
	ask("unlinked", name);
	CALL(mkdir(name, 0755));
	ask("a directory", name);
	CALL(mkdir(absolute("f/sub"), 0755));
	ask("with another in it", name);
	CALL(rmdir(absolute("f/sub")));
	CALL(rmdir(name));
	CALL(symlink("h", name));
	ask("a link", name);
	CALL(unlink(absolute("h")));
	ask("to nowhere", name);
}

CASE(name_on_the_way_changes)
{
	CALL(mkdir("d", 0755));
	CALL(mkdir("d/e", 0755));
	close(OK(open("d/e/f", O_CREAT | O_WRONLY, 0644)));
	char *name = absolute("d/e/f");

	ask("there", name);
	CALL(rename("d/e", "d/x"));
	ask("directory gone", name);
	CALL(symlink("x", "d/e"));
	ask("by a link", name);
	CALL(rename("d", "z"));
	ask("top gone", name);
	CALL(symlink("z", "d"));
	ask("by two links", name);
	CALL(renameat2(AT_FDCWD, "z/x", AT_FDCWD, "z/e", RENAME_EXCHANGE));
	ask("exchanged", name);
}

CASE(name_read_only_tree)
{
	struct stat a, b;

	for (int i = 0; i < 3; i++) {
		CALL(stat("/usr/bin/env", &a));
		CALL(lstat("/usr/bin/env", &b));
		TRUTH(memcmp(&a, &b, sizeof(a)) == 0 && S_ISREG(a.st_mode) && a.st_size > 0);
		CALL(stat("/usr/bin/there-is-no-such-file", &a));
		CALL(stat("/usr/bin/env/x", &a));
		CALL(access("/usr/bin/env", X_OK));
		CALL(access("/usr/bin/none", F_OK));
		CALL(stat("/usr/bin/env", BAD_ADDRESS));
		CALL(stat("/usr/bin/none", BAD_ADDRESS));
		CALL(stat(BAD_ADDRESS, &a));
		CALL(SYS(SYS_newfstatat, 12345, "/usr/bin/env", &b, 0));
		CALL(SYS(SYS_newfstatat, 12345, "/usr/bin/env", &b, 0x10));
		CALL(SYS(SYS_access, "/usr/bin/env", 8));
	}
}

CASE(name_identity)
{
	if (geteuid() != 0)
		SKIP("needs root");
	CALL(mkdir("private", 0700));
	close(OK(open("private/f", O_CREAT | O_WRONLY, 0644)));
	char *name = absolute("private/f");

	ask("as root", name);
	CALL(setresuid(-1, 65534, 0));
	ask("as nobody", name);
	CALL(setresuid(-1, 0, -1));
	ask("as root again", name);
	CALL(chmod("private", 0));
	CALL(setresuid(-1, 65534, 0));
	ask("still nobody", name);
	CALL(setresuid(-1, 0, -1));
	CALL(chmod("private", 0755));
	CALL(setresuid(-1, 65534, 0));
	ask("nobody may", name);
	CALL(setresuid(-1, 0, -1));
}

CASE(name_root)
{
	if (geteuid() != 0)
		SKIP("needs root");
	pid_t pid;

	CALL(mkdir("top", 0755));
	CALL(mkdir("top/usr", 0755));
	if ((pid = fork()) == 0) {
		ask("/usr", "/usr");
		CALL(chroot("top"));
		CALL(access("/usr/bin", F_OK));
		CALL(access("/usr", F_OK));
		_exit(0);
	}
	note_wait("child", pid);
}

/* A child makes the name and says so: from then on it must be there, for the parent that has asked
 * before. */
CASE(name_made_by_another_process)
{
	int to[2], from[2];
	char *name = absolute("flag"), byte;
	int wrong = 0;
	pid_t pid;

	CALL(pipe(to));
	CALL(pipe(from));
	if ((pid = fork()) == 0) {
		for (int i = 0; i < 300; i++) {
			if (read(to[0], &byte, 1) != 1)
				_exit(1);
			if (i % 2)
				unlink(name);
			else
				close(open(name, O_CREAT | O_WRONLY, 0600));
			if (write(from[1], "x", 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 300; i++) {
		struct stat st;

		for (int k = 0; k < 3; k++)
			wrong += (stat(name, &st) == 0) != (i % 2);
		if (write(to[1], "x", 1) != 1 || read(from[0], &byte, 1) != 1)
			break;
		for (int k = 0; k < 3; k++)
			wrong += (stat(name, &st) == 0) == (i % 2);
	}
	NOTE("wrong answers: %d", wrong);
	note_wait("child", pid);
}

static volatile int *turn;

/* A thread flips the name and counts up; whoever has seen the count sees the name. */
static void *flip(void *name)
{
	for (int i = 0; i < 2000; i++) {
		if (i % 2)
			unlink(name);
		else
			close(open(name, O_CREAT | O_WRONLY, 0600));
		__atomic_store_n(turn, i + 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) > 0)
			sched_yield();
	}
	__atomic_store_n(turn, 1 << 30, __ATOMIC_SEQ_CST);
	return NULL;
}

CASE(name_made_by_another_thread)
{
	static int word;
	char *name = absolute("flag");
	int seen, wrong = 0;
	pthread_t thread;
	struct stat st;

	/* Each turn may take two time slices of everybody else. */
	alarm(150);
	turn = &word;
	pthread_create(&thread, NULL, flip, name);
	while ((seen = __atomic_load_n(turn, __ATOMIC_SEQ_CST)) != 1 << 30) {
		if (seen <= 0) {
			(void)stat(name, &st);
			continue;
		}
		for (int i = 0; i < 3; i++)
			wrong += (stat(name, &st) == 0) != (seen % 2);
		__atomic_store_n(turn, 0, __ATOMIC_SEQ_CST);
	}
	pthread_join(thread, NULL);
	NOTE("wrong answers: %d", wrong);
}

/* Times and blocks by way of a mapping: nobody calls anything. */
CASE(name_of_a_mapped_file)
{
	char *name = absolute("m");
	int fd = OK(open(name, O_CREAT | O_RDWR, 0600));
	struct stat before, after;

	CALL(ftruncate(fd, 1 << 20));
	char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	TRUTH(map != MAP_FAILED);
	CALL(stat(name, &before));
	CALL(stat(name, &before));
	close(fd);
	memset(map, 1, 1 << 20);
	CALL(stat(name, &after));
	TRUTH(after.st_blocks > before.st_blocks);
}

CASE(name_of_a_link)
{
	char *name = absolute("l"), target[300], longest[301];

	for (int i = 0; i < 3; i++) {
		CALL(SYS(SYS_readlink, "/bin/sh/x", target, sizeof(target)));
		CALL(SYS(SYS_readlink, "/usr/bin", target, sizeof(target)));
		CALL(SYS(SYS_readlink, "/usr/bin", target, 0));
		CALL(SYS(SYS_readlink, "/usr/bin", target, -1));
		CALL(SYS(SYS_readlink, "/usr/bin", BAD_ADDRESS, 10));
		CALL(SYS(SYS_readlink, "/proc/self/cwd/l", target, 10));
	}
	for (size_t size = 140; size < 150; size++) {
		memset(longest, 'a' + (int)(size % 26), size);
		longest[size] = '\0';
		CALL(symlink(longest, name));
		for (int i = 0; i < 3; i++) {
			memset(target, 0, sizeof(target));
			CALL(SYS(SYS_readlink, name, BAD_ADDRESS, 10));
			CALL(readlink(name, target, 200));
			TRUTH(strcmp(target, longest) == 0);
			CALL(readlink(name, target, 143));
			CALL(readlink(name, target, 10));
		}
		CALL(unlink(name));
	}
	CALL(symlink("one", name));
	CALL(readlink(name, target, 200));
	CALL(symlink("two", absolute("m")));
	CALL(renameat2(AT_FDCWD, absolute("m"), AT_FDCWD, name, RENAME_EXCHANGE));
	for (int i = 0; i < 3; i++) {
		CALL(readlink(name, target, 200));
		NOTE("%.3s", target);
	}
}

/* More names than are kept, in many orders. */
CASE(name_many)
{
	static char name[200][300];
	char target[64];
	int wrong = 0;
	struct stat st;

	umask(0);
	for (int i = 0; i < 200; i++) {
		snprintf(name[i], sizeof(name[i]), "%s", absolute("n"));
		snprintf(name[i] + strlen(name[i]), 8, "%d", i);
		if (i % 3 == 0)
			close(open(name[i], O_CREAT | O_WRONLY, (mode_t)(0400 | (i & 077))));
		else if (i % 3 == 1)
			wrong += symlink(name[i] + strlen(name[i]) - 2, name[i]) != 0;
	}
	for (int round = 1; round < 200; round += 7)
		for (int i = 0; i < 300; i++) {
			int k = (i / 3 * round + i % 3) % 200;
			long size = readlink(name[k], target, sizeof(target));
			int error = errno, found = lstat(name[k], &st);

			if (k % 3 == 0)
				wrong += size != -1 || error != EINVAL || found ||
					 !S_ISREG(st.st_mode) || (st.st_mode & 077) != (k & 077);
			else if (k % 3 == 1)
				wrong += size != 2 || found || !S_ISLNK(st.st_mode) ||
					 memcmp(target, name[k] + strlen(name[k]) - 2, 2) != 0;
			else
				wrong += size != -1 || error != ENOENT || !found;
		}
	NOTE("wrong answers: %d", wrong);
}

CASE(name_long)
{
	char name[4200] = "/usr";

	for (size_t size = 70; size < 90; size++) {
		struct stat st;

		memset(name + 4, '/', size - 4);
		name[size] = '\0';
		if (stat(name, &st) || stat(name, &st) || !S_ISDIR(st.st_mode))
			NOTE("wrong at %zu", size);
		strcpy(name + size, "x");
		if (stat(name, &st) == 0 || stat(name, &st) == 0 || errno != ENOENT)
			NOTE("wrong at %zu", size);
	}
	memset(name + 4, 'x', sizeof(name) - 5);
	name[sizeof(name) - 1] = '\0';
	CALL(access(name, F_OK));
	CALL(access(name, F_OK));
}

static void where(const char *what)
{
	static char text[3][4096];
	long size[4];
	int error[4];

	const char *name = "-";

	for (int i = 0; i < 3; i++) {
		memset(text[i], 0, sizeof(text[i]));
		size[i] = SYS(SYS_getcwd, text[i], sizeof(text[i]));
		error[i] = size[i] < 0 ? errno : 0;
	}
	errno = 0;
	size[3] = SYS(SYS_getcwd, text[1], 3);
	error[3] = errno;
	/* Not the one that every run names anew. */
	if (size[0] > 0 && strncmp(strrchr(text[2], '/'), "/case", 5) != 0)
		name = strrchr(text[2], '/');
	NOTE("%s: %d %d, %.80s, too small %ld %d", what, size[0] == size[2], error[0] == error[2],
		name, size[3], error[3]);
	errno = 0;
	size[0] = SYS(SYS_getcwd, BAD_ADDRESS, 4096);
	NOTE("%ld %d", size[0], errno);
}

static void *move(void *name)
{
	CALL(chdir(name));
	return NULL;
}

CASE(name_of_the_working_directory)
{
	pthread_t thread;
	pid_t pid;
	int fd;

	CALL(mkdir("a", 0755));
	CALL(mkdir("a/b", 0755));
	where("begin");
	CALL(chdir("a"));
	where("down");
	CALL(rename("../a", "../c"));
	where("renamed");
	CALL(chdir("b"));
	where("further down");
	fd = OK(open("..", O_RDONLY | O_DIRECTORY));
	CALL(rename("../../c", "../../a"));
	where("above renamed");
	CALL(fchdir(fd));
	where("by a descriptor");
	pthread_create(&thread, NULL, move, "b");
	pthread_join(thread, NULL);
	where("by a thread");
	if ((pid = fork()) == 0) {
		where("child");
		CALL(chdir("/usr"));
		where("child elsewhere");
		_exit(0);
	}
	note_wait("child", pid);
	where("not by a child");
	CALL(rmdir("../b"));
	where("removed");
	CALL(chdir("/"));
	where("root");
	CALL(chdir("/usr/bin"));
	where("read-only");
}
