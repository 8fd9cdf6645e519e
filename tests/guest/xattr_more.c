/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes by descriptor and of links: the forms of the calls that xattr.c leaves out.
 */
#include "case.h"

#include <sys/socket.h>
#include <sys/xattr.h>

/* The scratch directory's file system may not have them natively; then both sides must not. */
static int make_file(void)
{
	write_file("f", "x");
	return open("f", O_RDWR);
}

CASE(fsetxattr_and_fgetxattr)
{
	char value[32] = {0};
	int fd = make_file();

	CALL(fsetxattr(fd, "user.a", "hello", 5, 0));
	CALL(fgetxattr(fd, "user.a", value, sizeof(value)));
	NOTE("%s", value);
	CALL(fsetxattr(fd, "user.a", "x", 1, XATTR_CREATE));
	CALL(fsetxattr(fd, "user.b", "x", 1, XATTR_REPLACE));
	CALL(fsetxattr(fd, "user.a", "x", 1, 3));
	CALL(fgetxattr(fd, "user.a", NULL, 0));
	CALL(fgetxattr(fd, "user.a", value, 2));
}

CASE(fsetxattr_bad_arguments)
{
	int fd = make_file();

	CALL(fsetxattr(99, "user.a", "x", 1, 0));
	CALL(fsetxattr(fd, "user.a", "x", 1, 8));
	CALL(fsetxattr(fd, "user.a", BAD_ADDRESS, 1, 0));
	CALL(fsetxattr(fd, BAD_ADDRESS, "x", 1, 0));
	CALL(fsetxattr(fd, "", "x", 1, 0));
	CALL(fsetxattr(fd, "user.a", "x", 65537, 0));
	CALL(fsetxattr(fd, "nonsense", "x", 1, 0));
}

CASE(fsetxattr_of_an_unopened_file)
{
	int fd;

	write_file("f", "x");
	fd = open("f", O_PATH);
	CALL(fsetxattr(fd, "user.a", "x", 1, 0));
	CALL(fgetxattr(fd, "user.a", NULL, 0));
	CALL(flistxattr(fd, NULL, 0));
	CALL(fremovexattr(fd, "user.a"));
}

CASE(fsetxattr_read_only_descriptor)
{
	int fd;

	write_file("f", "x");
	fd = open("f", O_RDONLY);
	CALL(fsetxattr(fd, "user.a", "hello", 5, 0));
	CALL(fgetxattr(fd, "user.a", NULL, 0));
}

CASE(fgetxattr_bad_arguments)
{
	int fd = make_file();
	char value[8];

	CALL(fgetxattr(99, "user.a", value, 8));
	CALL(fgetxattr(fd, "user.a", value, 8));
	CALL(fgetxattr(fd, "nonsense", value, 8));
	CALL(fgetxattr(fd, BAD_ADDRESS, value, 8));
	CALL(fsetxattr(fd, "user.a", "hello", 5, 0));
	CALL(fgetxattr(fd, "user.a", BAD_ADDRESS, 8));
}

CASE(lgetxattr_of_a_link)
{
	char value[8];

	write_file("f", "x");
	symlink("f", "l");
	CALL(setxattr("l", "user.a", "abc", 3, 0));
	CALL(getxattr("f", "user.a", value, 8));
	CALL(lgetxattr("l", "user.a", value, 8));
	CALL(lgetxattr("f", "user.a", value, 8));
	CALL(lsetxattr("l", "user.b", "abc", 3, 0));
	CALL(lremovexattr("l", "user.a"));
}

CASE(lgetxattr_errors)
{
	char value[8];

	CALL(lgetxattr("missing", "user.a", value, 8));
	CALL(lgetxattr("", "user.a", value, 8));
	CALL(lgetxattr(BAD_ADDRESS, "user.a", value, 8));
	symlink("missing", "l");
	CALL(lgetxattr("l", "user.a", value, 8));
	CALL(getxattr("l", "user.a", value, 8));
}

/* Sorted, since the order is the file system's. */
static void note_list(const char *list, ssize_t size)
{
	bool a = false, b = false;

	for (ssize_t i = 0; i < size; i += (ssize_t)strlen(list + i) + 1) {
		a |= strcmp(list + i, "user.a") == 0;
		b |= strcmp(list + i, "user.b") == 0;
	}
	NOTE("a %d b %d", a, b);
}

CASE(flistxattr_lists)
{
	int fd = make_file();
	char list[256];

	CALL(fsetxattr(fd, "user.a", "1", 1, 0));
	CALL(fsetxattr(fd, "user.b", "2", 1, 0));
	note_list(list, flistxattr(fd, list, sizeof(list)));
	CALL(fremovexattr(fd, "user.a"));
	note_list(list, flistxattr(fd, list, sizeof(list)));
}

CASE(flistxattr_errors)
{
	int fd = make_file();
	char list[4];

	CALL(flistxattr(99, list, 4));
	CALL(fsetxattr(fd, "user.a", "1", 1, 0));
	CALL(flistxattr(fd, list, 4));
	CALL(flistxattr(-1, NULL, 0));
}

CASE(flistxattr_of_what_has_none)
{
	int fds[2];

	pipe(fds);
	CALL(flistxattr(fds[0], NULL, 0));
	CALL(fgetxattr(fds[0], "user.a", NULL, 0));
	CALL(fsetxattr(fds[0], "user.a", "x", 1, 0));
	CALL(fremovexattr(fds[0], "user.a"));
}

CASE(llistxattr_of_a_link)
{
	char list[64];

	write_file("f", "x");
	symlink("f", "l");
	CALL(setxattr("f", "user.a", "1", 1, 0));
	note_list(list, listxattr("l", list, sizeof(list)));
	note_list(list, llistxattr("f", list, sizeof(list)));
	NOTE("%s", llistxattr("l", list, sizeof(list)) >= 0 && !memmem(list, 8, "user.a", 6)
			   ? "not the file's"
			   : "the file's");
}

CASE(llistxattr_errors)
{
	char list[64];

	symlink("missing", "l");
	CALL(llistxattr("missing", list, 64));
	CALL(listxattr("l", list, 64));
	CALL(llistxattr("", list, 64));
	CALL(llistxattr(BAD_ADDRESS, list, 64));
	CALL(llistxattr("l/x", list, 64));
}

CASE(llistxattr_in_proc)
{
	CALL(llistxattr("/proc/self/fd/0", NULL, 0));
	CALL(llistxattr("/proc/self/status", NULL, 0));
	CALL(llistxattr("/proc/self/missing", NULL, 0));
}

CASE(listxattr_errors)
{
	char list[64];

	CALL(listxattr("missing", list, 64));
	CALL(listxattr("", list, 64));
	CALL(listxattr(BAD_ADDRESS, list, 64));
	write_file("f", "x");
	CALL(setxattr("f", "user.a", "1", 1, 0));
	CALL(listxattr("f", BAD_ADDRESS, 64));
	CALL(listxattr("f", list, 1));
}

CASE(lremovexattr_errors)
{
	write_file("f", "x");
	CALL(lremovexattr("f", "user.a"));
	CALL(lremovexattr("missing", "user.a"));
	CALL(lremovexattr("f", "nonsense"));
	CALL(lremovexattr("f", BAD_ADDRESS));
	CALL(lremovexattr("f", ""));
}

CASE(lremovexattr_removes)
{
	write_file("f", "x");
	CALL(setxattr("f", "user.a", "1", 1, 0));
	CALL(lremovexattr("f", "user.a"));
	CALL(lremovexattr("f", "user.a"));
	CALL(getxattr("f", "user.a", NULL, 0));
}

CASE(fremovexattr_errors)
{
	int fd = make_file();

	CALL(fremovexattr(99, "user.a"));
	CALL(fremovexattr(fd, "user.a"));
	CALL(fremovexattr(fd, "nonsense"));
	CALL(fremovexattr(fd, BAD_ADDRESS));
}

CASE(fremovexattr_removes)
{
	int fd = make_file();

	CALL(fsetxattr(fd, "user.a", "1", 1, 0));
	CALL(fremovexattr(fd, "user.a"));
	CALL(fgetxattr(fd, "user.a", NULL, 0));
	CALL(fremovexattr(fd, "user.a"));
}

CASE(attributes_of_directories)
{
	char value[8];

	mkdir("d", 0755);
	CALL(setxattr("d", "user.a", "1", 1, 0));
	CALL(getxattr("d", "user.a", value, 8));
	CALL(rename("d", "e"));
	CALL(getxattr("e", "user.a", value, 8));
}

CASE(attributes_survive_a_link)
{
	char value[8];

	write_file("f", "x");
	CALL(setxattr("f", "user.a", "1", 1, 0));
	CALL(link("f", "g"));
	CALL(unlink("f"));
	CALL(getxattr("g", "user.a", value, 8));
}

CASE(attributes_without_permission)
{
	write_file("f", "x");
	CALL(setxattr("f", "user.a", "1", 1, 0));
	chmod("f", 0);
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		_exit(97);
	CALL(getxattr("f", "user.a", NULL, 0));
	CALL(setxattr("f", "user.a", "2", 1, 0));
	CALL(removexattr("f", "user.a"));
	CALL(setxattr("f", "trusted.a", "2", 1, 0));
}

CASE(lsetxattr_of_a_file)
{
	write_file("f", "x");
	CALL(lsetxattr("f", "user.a", "abc", 3, 0));
	CALL(lsetxattr("f", "user.a", "abc", 3, XATTR_CREATE));
	CALL(lsetxattr("missing", "user.a", "abc", 3, 0));
	CALL(lsetxattr("f", "user.a", BAD_ADDRESS, 3, 0));
}

static void note_protocol(int family, int type, int protocol)
{
	char name[16] = "", list[32] = "";
	int fd = socket(family, type, protocol);

	if (fd < 0) {
		NOTE("no such socket");
		return;
	}
	CALL(fgetxattr(fd, "system.sockprotoname", name, sizeof(name)));
	NOTE("%s", name);
	CALL(flistxattr(fd, list, sizeof(list)));
	NOTE("%s", list);
	close(fd);
}

CASE(names_of_protocols)
{
	note_protocol(AF_UNIX, SOCK_STREAM, 0);
	note_protocol(AF_UNIX, SOCK_DGRAM, 0);
	note_protocol(AF_UNIX, SOCK_SEQPACKET, 0);
	note_protocol(AF_INET, SOCK_STREAM, 0);
	note_protocol(AF_INET, SOCK_DGRAM, 0);
	note_protocol(AF_INET6, SOCK_STREAM, 0);
	note_protocol(AF_INET6, SOCK_DGRAM, 0);
	note_protocol(AF_NETLINK, SOCK_RAW, 0);
}

CASE(attributes_of_a_socket)
{
	char value[32] = "";
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		exit(9);
	CALL(fgetxattr(pair[1], "system.sockprotoname", NULL, 0));
	CALL(fgetxattr(pair[1], "system.sockprotoname", value, 11));
	CALL(fgetxattr(pair[1], "system.sockprotoname", value, 12));
	NOTE("%s", value);
	CALL(flistxattr(pair[0], NULL, 0));
	CALL(flistxattr(pair[0], value, 20));
	CALL(fgetxattr(pair[0], "system.other", value, 32));
	CALL(fgetxattr(pair[0], "system.", value, 32));
	CALL(fgetxattr(pair[0], "user.a", value, 32));
	CALL(fgetxattr(pair[0], "security.a", value, 32));
	CALL(fsetxattr(pair[0], "system.sockprotoname", "x", 1, 0));
	CALL(fsetxattr(pair[0], "user.a", "x", 1, 0));
	CALL(fremovexattr(pair[0], "system.sockprotoname"));
	CALL(fchmod(pair[0], 0600));
	write_file("f", "x");
	CALL(getxattr("f", "system.sockprotoname", value, 32));
}
