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
