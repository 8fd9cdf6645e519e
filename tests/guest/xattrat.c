/* SPDX-License-Identifier: Apache-2.0 */
/* setxattrat(2) and relatives, on the memory file system of /tmp. */
#include <sys/xattr.h>

#include "case.h"

#define NR_SET	  463
#define NR_GET	  464
#define NR_LIST	  465
#define NR_REMOVE 466

struct args {
	uint64_t value;
	uint32_t size, flags;
	uint64_t more;
};

static void need(void)
{
	if (SYS(NR_REMOVE, AT_FDCWD, "nowhere", 0, "user.x") < 0 && errno == ENOSYS)
		SKIP("no setxattrat");
	close(open("f", O_CREAT | O_RDWR, 0600));
	if (setxattr("f", "user.probe", "x", 1, 0) < 0 && errno == EOPNOTSUPP)
		SKIP("no attributes here");
	removexattr("f", "user.probe");
}

static long set(
	int dirfd, const char *path, int at, const char *name, const char *value, unsigned flags)
{
	struct args args = {(uintptr_t)value, (uint32_t)strlen(value), flags, 0};

	return SYS(NR_SET, dirfd, path, at, name, &args, 16);
}

static void show(int dirfd, const char *path, int at, const char *name)
{
	char value[64] = {0};
	struct args args = {(uintptr_t)value, sizeof(value) - 1, 0, 0};
	long n = SYS(NR_GET, dirfd, path, at, name, &args, 16);

	if (n < 0)
		NOTE("get %s: %s", name, errno_name(errno));
	else
		NOTE("get %s: %ld %s", name, n, value);
}

CASE(xattrat_paths)
{
	char list[128];
	int dir, fd;

	need();
	dir = open(".", O_RDONLY | O_DIRECTORY);
	fd = open("f", O_RDWR);
	CALL(set(AT_FDCWD, "f", 0, "user.a", "one", 0));
	CALL(set(dir, "f", 0, "user.b", "two", XATTR_CREATE));
	CALL(set(dir, "f", 0, "user.b", "two", XATTR_CREATE));
	CALL(set(fd, "", AT_EMPTY_PATH, "user.c", "three", 0));
	CALL(set(fd, NULL, AT_EMPTY_PATH, "user.d", "four", 0));
	CALL(set(fd, "", 0, "user.c", "three", 0));
	show(dir, "f", 0, "user.a");
	show(dir, "f", 0, "user.b");
	show(fd, "", AT_EMPTY_PATH, "user.c");
	show(AT_FDCWD, "f", AT_SYMLINK_NOFOLLOW, "user.d");
	show(dir, "f", 0, "user.e");
	show(dir, "g", 0, "user.a");
	CALL(SYS(NR_LIST, dir, "f", 0, list, sizeof(list)));
	CALL(SYS(NR_REMOVE, dir, "f", 0, "user.b"));
	CALL(SYS(NR_REMOVE, dir, "f", 0, "user.b"));
	CALL(SYS(NR_LIST, fd, "", AT_EMPTY_PATH, list, 0));
}

CASE(xattrat_errors)
{
	struct args args = {0, 0, 0, 0};
	char list[16];

	need();
	CALL(SYS(NR_SET, AT_FDCWD, "f", 0x10000, "user.a", &args, 16));
	CALL(SYS(NR_SET, AT_FDCWD, "f", 0, "user.a", &args, 15));
	CALL(SYS(NR_SET, AT_FDCWD, "f", 0, "user.a", &args, 5000));
	CALL(SYS(NR_SET, AT_FDCWD, "f", 0, "user.a", BAD_ADDRESS, 16));
	CALL(SYS(NR_SET, AT_FDCWD, "f", 0, "user.a", &args, 24));
	args.more = 1;
	CALL(SYS(NR_SET, AT_FDCWD, "f", 0, "user.a", &args, 24));
	args.flags = 1;
	CALL(SYS(NR_GET, AT_FDCWD, "f", 0, "user.a", &args, 16));
	CALL(SYS(NR_LIST, AT_FDCWD, "f", 0x10000, list, 16));
	CALL(SYS(NR_REMOVE, AT_FDCWD, "f", 0x10000, "user.a"));
	CALL(SYS(NR_REMOVE, -1, "f", 0, "user.a"));
	CALL(SYS(NR_REMOVE, AT_FDCWD, BAD_ADDRESS, 0, "user.a"));
	CALL(SYS(NR_REMOVE, 999, "", AT_EMPTY_PATH, "user.a"));
}

CASE(xattrat_links)
{
	need();
	symlink("f", "link");
	CALL(set(AT_FDCWD, "link", 0, "user.a", "one", 0));
	CALL(set(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, "user.a", "one", 0));
	show(AT_FDCWD, "f", 0, "user.a");
	show(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, "user.a");
}

CASE(listxattrat_wrong_arguments)
{
	char list[64];

	need();
	CALL(SYS(NR_LIST, AT_FDCWD, "missing", 0, list, 64));
	CALL(SYS(NR_LIST, 99, "f", 0, list, 64));
	CALL(SYS(NR_LIST, AT_FDCWD, "f", 0x1000000, list, 64));
	CALL(SYS(NR_LIST, AT_FDCWD, BAD_ADDRESS, 0, list, 64));
}
