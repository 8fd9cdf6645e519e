/* SPDX-License-Identifier: Apache-2.0 */
/* xattr(7) */
#include "case.h"

#include <sys/xattr.h>

static void make(const char *name)
{
	close(open(name, O_CREAT | O_WRONLY, 0644));
}

CASE(set_and_get)
{
	char value[16] = "";

	make("f");
	CALL(setxattr("f", "user.a", "hello", 5, 0));
	CALL(getxattr("f", "user.a", value, 16));
	NOTE("%s", value);
	CALL(getxattr("f", "user.a", NULL, 0));
	CALL(getxattr("f", "user.a", value, 4));
	CALL(getxattr("f", "user.b", value, 16));
	CALL(setxattr("f", "user.a", "bye", 3, 0));
	CALL(getxattr("f", "user.a", value, 16));
	CALL(setxattr("f", "user.empty", NULL, 0, 0));
	CALL(getxattr("f", "user.empty", value, 16));
}

CASE(create_and_replace)
{
	make("f");
	CALL(setxattr("f", "user.a", "1", 1, XATTR_REPLACE));
	CALL(setxattr("f", "user.a", "1", 1, XATTR_CREATE));
	CALL(setxattr("f", "user.a", "1", 1, XATTR_CREATE));
	CALL(setxattr("f", "user.a", "2", 1, XATTR_REPLACE));
	CALL(setxattr("f", "user.a", "2", 1, 4));
}

CASE(names)
{
	char name[300];

	make("f");
	CALL(setxattr("f", "nothing", "1", 1, 0));
	CALL(setxattr("f", "other.a", "1", 1, 0));
	CALL(setxattr("f", "user.", "1", 1, 0));
	CALL(setxattr("f", "", "1", 1, 0));
	memset(name, 'x', sizeof(name));
	memcpy(name, "user.", 5);
	name[256] = 0;
	CALL(setxattr("f", name, "1", 1, 0));
	name[255] = 0;
	CALL(setxattr("f", name, "1", 1, 0));
	CALL(getxattr("f", "nothing", NULL, 0));
	CALL(getxattr("f", "", NULL, 0));
	CALL(syscall(SYS_setxattr, "f", (void *)8, "1", 1, 0));
	CALL(syscall(SYS_setxattr, (void *)8, "user.a", "1", 1, 0));
	CALL(syscall(SYS_setxattr, "f", "user.a", (void *)8, 1, 0));
	CALL(syscall(SYS_setxattr, "none", "user.a", "1", 1, 0));
	CALL(syscall(SYS_setxattr, "f", "user.a", "1", 65537, 0));
}

CASE(listing)
{
	char list[64];
	ssize_t n;

	make("f");
	CALL(listxattr("f", list, 64));
	CALL(setxattr("f", "user.one", "1", 1, 0));
	CALL(listxattr("f", list, 64));
	CALL(setxattr("f", "user.two", "1", 1, 0));
	n = CALL(listxattr("f", list, 64));
	TRUTH(memmem(list, (size_t)n, "user.one", 9) && memmem(list, (size_t)n, "user.two", 9));
	CALL(listxattr("f", NULL, 0));
	CALL(listxattr("f", list, 5));
	CALL(listxattr("none", list, 64));
	CALL(removexattr("f", "user.one"));
	CALL(removexattr("f", "user.one"));
	CALL(listxattr("f", list, 64));
}

CASE(descriptors_and_links)
{
	char value[16];
	int fd;

	make("f");
	symlink("f", "l");
	fd = open("f", O_RDONLY);
	CALL(fsetxattr(fd, "user.a", "1", 1, 0));
	CALL(fgetxattr(fd, "user.a", value, 16));
	CALL(flistxattr(fd, value, 16));
	CALL(fremovexattr(fd, "user.a"));
	CALL(fgetxattr(99, "user.a", value, 16));
	CALL(fgetxattr(open("f", O_PATH), "user.a", value, 16));
	CALL(setxattr("l", "user.a", "1", 1, 0));
	CALL(getxattr("f", "user.a", value, 16));
	CALL(lsetxattr("l", "user.b", "1", 1, 0));
	CALL(lgetxattr("l", "user.a", value, 16));
	CALL(lremovexattr("l", "user.a"));
	mkdir("d", 0755);
	CALL(setxattr("d", "user.a", "1", 1, 0));
	mkfifo("p", 0600);
	CALL(setxattr("p", "user.a", "1", 1, 0));
	CALL(getxattr("p", "user.a", value, 16));
}

CASE(privileged_names)
{
	char value[64];

	if (geteuid() != 0)
		SKIP("needs root");
	make("f");
	chmod("f", 0644);
	chmod(".", 0755);
	CALL(setxattr("f", "trusted.t", "1", 1, 0));
	CALL(setxattr("f", "user.u", "1", 1, 0));
	CALL(listxattr("f", value, 64));
	CALL(setresuid(1234, 1234, 1234));
	CALL(getxattr("f", "trusted.t", value, 64));
	CALL(setxattr("f", "trusted.t", "1", 1, 0));
	CALL(listxattr("f", value, 64));
	CALL(getxattr("f", "user.u", value, 64));
	CALL(setxattr("f", "user.u", "1", 1, 0));
	CALL(removexattr("f", "user.u"));
}

CASE(follow_the_file)
{
	char value[8];

	make("f");
	CALL(setxattr("f", "user.a", "1", 1, 0));
	CALL(link("f", "g"));
	CALL(rename("f", "h"));
	CALL(getxattr("g", "user.a", value, 8));
	CALL(getxattr("h", "user.a", value, 8));
}
