/* SPDX-License-Identifier: Apache-2.0 */
/* Every call that takes a name, with every odd kind of name: path_resolution(7). */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "case.h"

#define LONG_COMPONENT 256

static char long_name[LONG_COMPONENT + 1], longest_name[LONG_COMPONENT], long_path[4097],
	longest_path[4096];

/* Into a tree of its own for each call. */
static void enter_tree(void)
{
	static int count;
	char name[16];

	(void)snprintf(name, sizeof(name), "t%d", count++);
	if (mkdir(name, 0700) < 0 || chdir(name) < 0)
		abort();
	mkdir("d", 0755);
	mkdir("d/sub", 0755);
	mkdir("e", 0755);
	write_file("f", "");
	write_file("g", "");
	write_file("d/x", "");
	chmod("f", 0755);
	if (symlink("f", "lf") < 0 || symlink("d", "ld") < 0 ||
		symlink("nowhere", "dangling") < 0 || symlink("loop", "loop") < 0 ||
		symlink("./d/../f", "ldots") < 0 || symlink("newdir/", "ltrail") < 0)
		abort();
}

static const char *const names[] = {"f", "d", "lf", "ld", "dangling", "loop", "missing", "f/", "d/",
	"lf/", "ld/", "dangling/", "loop/", "missing/", "f/.", "d/.", "ld/.", "f/..", "d/..",
	"ld/..", "missing/..", "f/x", "d/x", "ld/x", "lf/x", "dangling/x", "loop/x", "missing/x",
	"", ".", "..", "/", "//", "./", "d//x", ".//d/.//x", "d/x/", "d/sub/", "ld/new", "d/new/",
	"ltrail", "ldots", "ldots/"};

/* The machine's own root directory is not ours to change. */
static bool changes_the_root(const char *what)
{
	return strstr(what, "chmod") || strstr(what, "chown") || strstr(what, "utimensat") ||
	       strstr(what, "setxattr");
}

/* @changes: a success changes the tree. The root may be of another file system than the rest, which
 * calls with two names would tell. */
static void each(const char *what, long (*call)(const char *name), bool changes)
{
	bool two_names = strstr(what, "link_") || strstr(what, "rename"), used = true;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		long result;
		int error;

		if ((two_names || changes_the_root(what)) && names[i][0] &&
			strspn(names[i], "/") == strlen(names[i]))
			continue;
		if (used)
			enter_tree();
		errno = 0;
		result = call(names[i]);
		error = errno;
		NOTE("%s(\"%s\"): %ld %s", what, names[i], result,
			result < 0 ? errno_name(error) : "");
		used = changes && result >= 0;
		if (used && chdir("..") < 0)
			abort();
	}
	memset(long_name, 'n', sizeof(long_name) - 1);
	memset(longest_name, 'n', sizeof(longest_name) - 1);
	for (size_t i = 0; i + 1 < sizeof(long_path); i++)
		long_path[i] = i % 2 ? '/' : '.';
	memcpy(longest_path, long_path, sizeof(longest_path) - 1);
	if (!used && chdir("..") < 0)
		abort();
	enter_tree();
	const char *const longs[] = {long_name, longest_name, long_path, longest_path};
	for (size_t i = 0; i < 4; i++) {
		long result = call(longs[i]);

		NOTE("%s(%zu bytes): %ld %s", what, strlen(longs[i]), result,
			result < 0 ? errno_name(errno) : "");
	}
	long result = call(BAD_ADDRESS);
	NOTE("%s(bad address): %ld %s", what, result, result < 0 ? errno_name(errno) : "");
}

static long done(int fd)
{
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return fd < 0 ? fd : 0;
}

#define EACH_(name_, expression_, changes_)                                                        \
	static long call_##name_(const char *name)                                                 \
	{                                                                                          \
		return (expression_);                                                              \
	}                                                                                          \
	CASE(name_)                                                                                \
	{                                                                                          \
		each(#name_, call_##name_, changes_);                                              \
	}

#define EACH(name_, expression_)	 EACH_(name_, expression_, true)
#define EACH_READING(name_, expression_) EACH_(name_, expression_, false)

static struct stat st;
static struct statfs fs;
static char text[8192];
static struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 6}};

EACH_READING(open_read, done(open(name, O_RDONLY)))
EACH_READING(open_write, done(open(name, O_WRONLY)))
EACH(open_create, done(open(name, O_RDWR | O_CREAT, 0600)))
EACH(open_exclusive, done(open(name, O_RDWR | O_CREAT | O_EXCL, 0600)))
EACH_READING(open_no_follow, done(open(name, O_RDONLY | O_NOFOLLOW)))
EACH_READING(open_directory, done(open(name, O_RDONLY | O_DIRECTORY)))
EACH(open_directory_create, done(open(name, O_RDONLY | O_DIRECTORY | O_CREAT, 0600)))
EACH_READING(open_path, done(open(name, O_PATH)))
EACH_READING(open_path_no_follow, done(open(name, O_PATH | O_NOFOLLOW)))
EACH(open_temporary, done(open(name, O_TMPFILE | O_RDWR, 0600)))
EACH(open_truncate, done(open(name, O_RDONLY | O_TRUNC)))
EACH_READING(stat_name, stat(name, &st))
EACH_READING(lstat_name, lstat(name, &st))
EACH_READING(fstatat_empty, fstatat(AT_FDCWD, name, &st, AT_EMPTY_PATH))
EACH_READING(statfs_name, statfs(name, &fs))
EACH_READING(access_name, access(name, R_OK | X_OK))
EACH_READING(
	faccessat_no_follow, SYS(439 /* faccessat2 */, AT_FDCWD, name, F_OK, AT_SYMLINK_NOFOLLOW))
EACH_READING(readlink_name, readlink(name, text, sizeof(text)))
EACH(mkdir_name, mkdir(name, 0700))
EACH(rmdir_name, rmdir(name))
EACH(unlink_name, unlink(name))
EACH(unlinkat_directory, unlinkat(AT_FDCWD, name, AT_REMOVEDIR))
EACH(mknod_name, mknod(name, S_IFIFO | 0600, 0))
EACH(symlink_new, symlink("to", name))
EACH(symlink_to, symlink(name, "new"))
EACH(link_from, link(name, "new"))
EACH(link_following, linkat(AT_FDCWD, name, AT_FDCWD, "new", AT_SYMLINK_FOLLOW))
EACH(link_to, link("g", name))
EACH(rename_from, rename(name, "new"))
EACH(rename_file_to, rename("g", name))
EACH(rename_directory_to, rename("e", name))
EACH(rename_no_replace, SYS(SYS_renameat2, AT_FDCWD, "g", AT_FDCWD, name, 1u))
EACH(rename_exchange, SYS(SYS_renameat2, AT_FDCWD, "g", AT_FDCWD, name, 2u))
EACH(truncate_name, truncate(name, 3))
EACH_READING(chmod_name, chmod(name, 0700))
EACH_READING(chown_name, chown(name, geteuid(), getegid()))
EACH_READING(lchown_name, lchown(name, geteuid(), getegid()))
EACH_READING(utimensat_name, utimensat(AT_FDCWD, name, times, 0))
EACH_READING(utimensat_no_follow, utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW))
EACH(setxattr_name, setxattr(name, "user.k", "v", 1, 0))
EACH_READING(getxattr_name, getxattr(name, "user.k", text, 10))
EACH_READING(listxattr_name, llistxattr(name, text, 0) > 0)

static long change_directory(const char *name)
{
	int back = open(".", O_PATH);
	long result = chdir(name);
	int error = errno;

	if (fchdir(back) < 0)
		abort();
	close(back);
	errno = error;
	return result;
}

EACH_READING(chdir_name, change_directory(name))

/* Only what fails: a success would be another program. */
static long execute(const char *name)
{
	char *argv[] = {"x", NULL};

	execve(name, argv, argv + 1);
	return -1;
}

EACH_READING(execve_name, execute(name))

static long bind_to(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), r, error;

	if (name == BAD_ADDRESS || !name[0] || strlen(name) >= sizeof(address.sun_path))
		return 0;
	strcpy(address.sun_path, name);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	error = errno;
	close(fd);
	errno = error;
	return r;
}

static long connect_to(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), r, error;

	if (name == BAD_ADDRESS || !name[0] || strlen(name) >= sizeof(address.sun_path))
		return 0;
	strcpy(address.sun_path, name);
	r = connect(fd, (struct sockaddr *)&address, sizeof(address));
	error = errno;
	close(fd);
	errno = error;
	return r;
}

EACH(bind_name, bind_to(name))
EACH_READING(connect_name, connect_to(name))

/* Chains of links: 40 are followed. */
CASE(chains)
{
	char from[32], to[32];

	write_file("l0", "x");
	mkdir("d0", 0700);
	write_file("d0/x", "y");
	for (int i = 1; i <= 42; i++) {
		(void)snprintf(from, sizeof(from), "l%d", i);
		(void)snprintf(to, sizeof(to), "l%d", i - 1);
		CALL(symlink(to, from));
		from[0] = to[0] = 'd';
		CALL(symlink(to, from));
	}
	for (int i = 38; i <= 42; i++) {
		(void)snprintf(from, sizeof(from), "l%d", i);
		NOTE("%d links", i);
		CALL(stat(from, &st));
		CALL(lstat(from, &st));
		CALL(done(open(from, O_RDONLY)));
		CALL(done(open(from, O_RDONLY | O_NOFOLLOW)));
		CALL(truncate(from, 1));
		CALL(chmod(from, 0600));
		CALL(access(from, R_OK));
		CALL(unlink(from));
		(void)snprintf(from, sizeof(from), "d%d/x", i);
		CALL(stat(from, &st));
		(void)snprintf(from, sizeof(from), "d%d/new", i);
		CALL(mkdir(from, 0700));
		CALL(rmdir(from));
		(void)snprintf(from, sizeof(from), "d%d/", i);
		CALL(lstat(from, &st));
	}
	/* Each component counts. */
	mkdir("e", 0700);
	CALL(symlink("../e", "e/s"));
	strcpy(text, "e");
	for (int i = 0; i < 41; i++) {
		strcat(text, "/s");
		if (i >= 38)
			CALL(stat(text, &st));
	}
}

CASE(link_targets)
{
	static char target[4097];

	memset(target, 'x', 4096);
	CALL(symlink(target, "a"));
	target[4095] = '\0';
	CALL(symlink(target, "b"));
	CALL(readlink("b", text, sizeof(text)));
	CALL(readlink("b", text, 10));
	CALL(readlink("b", text, 0));
	CALL(stat("b", &st));
	CALL(lstat("b", &st));
	NOTE("size %lld", (long long)st.st_size);
	CALL(symlink("", "c"));
	for (size_t i = 0; i < 4094; i += 2)
		memcpy(target + i, "./", 2);
	target[4094] = '\0';
	CALL(symlink(target, "d"));
	CALL(stat("d", &st));
	CALL(stat("d/d", &st));
}

CASE(deep_current_directory)
{
	char name[201];
	int depth = 0;

	memset(name, 'n', 200);
	name[200] = '\0';
	for (; depth < 30; depth++)
		if (mkdir(name, 0700) < 0 || chdir(name) < 0)
			break;
	NOTE("depth %d", depth);
	CALL(getcwd(text, sizeof(text)) != NULL);
	TRUTH(SYS(SYS_getcwd, text, 4096) < 0);
	CALL(SYS(SYS_getcwd, text, 4096));
	CALL(getcwd(text, 10) != NULL);
	write_file("f", "deep");
	note_file("f");
	CALL(stat("../../f", &st));
	for (int i = 0; i < depth; i++)
		if (chdir("..") < 0)
			break;
	CALL(stat(name, &st));
}
