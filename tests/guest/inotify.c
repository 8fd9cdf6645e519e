/* SPDX-License-Identifier: Apache-2.0 */
/* inotify(7) */
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "case.h"

static uint32_t cookies[16];
static int cookie_count;

/* Cookies are numbered in the order of their first appearance. */
static int cookie_number(uint32_t cookie)
{
	if (!cookie)
		return 0;
	for (int i = 0; i < cookie_count; i++)
		if (cookies[i] == cookie)
			return i + 1;
	cookies[cookie_count++] = cookie;
	return cookie_count;
}

static void show(int fd)
{
	char buf[8192];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0)
		NOTE("read: %s", errno_name(errno));
	for (char *p = buf; p < buf + n;) {
		struct inotify_event *e = (struct inotify_event *)p;

		NOTE("wd %d mask %x cookie %d len %u name %s", e->wd, e->mask,
			cookie_number(e->cookie), e->len, e->len ? e->name : "-");
		p += sizeof(*e) + e->len;
	}
}

CASE(create)
{
	int fd;

	CALL(inotify_init1(1));
	fd = OK(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	NOTE("%d %o", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	show(fd);
	CALL(write(fd, "x", 1));
	CALL(lseek(fd, 0, SEEK_SET));
}

CASE(watch_errors)
{
	int fd = inotify_init1(IN_NONBLOCK), other = open(".", O_RDONLY);

	CALL(inotify_add_watch(fd, ".", 0));
	CALL(inotify_add_watch(fd, ".", 0x00800000));
	CALL(inotify_add_watch(fd, "missing", IN_CREATE));
	CALL(inotify_add_watch(fd, BAD_ADDRESS, IN_CREATE));
	CALL(inotify_add_watch(other, ".", IN_CREATE));
	CALL(inotify_add_watch(99, ".", IN_CREATE));
	CALL(inotify_add_watch(fd, ".", IN_CREATE | IN_MASK_ADD | IN_MASK_CREATE));
	write_file("f", "");
	CALL(inotify_add_watch(fd, "f", IN_CREATE | IN_ONLYDIR));
	CALL(inotify_rm_watch(fd, 1));
	CALL(inotify_rm_watch(other, 1));
	CALL(inotify_rm_watch(99, 1));
}

CASE(watch_numbers)
{
	int fd = inotify_init1(IN_NONBLOCK);

	write_file("a", "");
	write_file("b", "");
	CALL(inotify_add_watch(fd, "a", IN_OPEN));
	CALL(inotify_add_watch(fd, "b", IN_OPEN));
	CALL(inotify_add_watch(fd, "a", IN_MODIFY));
	CALL(inotify_add_watch(fd, "a", IN_MODIFY | IN_MASK_CREATE));
	CALL(inotify_rm_watch(fd, 1));
	CALL(inotify_rm_watch(fd, 1));
	CALL(inotify_add_watch(fd, "a", IN_MODIFY));
	show(fd);
}

CASE(directory_changes)
{
	int fd = inotify_init1(IN_NONBLOCK);

	OK(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE | IN_MOVE));
	close(OK(open("f", O_CREAT | O_WRONLY, 0600)));
	CALL(mkdir("d", 0700));
	CALL(symlink("f", "s"));
	CALL(link("f", "l"));
	CALL(rename("f", "g"));
	CALL(rename("g", "d/g"));
	CALL(rename("d/g", "h"));
	CALL(unlink("l"));
	CALL(rmdir("d"));
	show(fd);
	show(fd);
}

CASE(file_access)
{
	int fd = inotify_init1(IN_NONBLOCK), file;
	char c;

	write_file("f", "abc");
	OK(inotify_add_watch(fd, "f", IN_ALL_EVENTS));
	file = open("f", O_RDWR);
	OK(read(file, &c, 1));
	OK(write(file, "x", 1));
	OK(write(file, "y", 1)); /* the same event again is dropped */
	OK(ftruncate(file, 0));
	OK(fchmod(file, 0644));
	close(file);
	file = open("f", O_RDONLY);
	close(file);
	show(fd);
	CALL(rename("f", "g"));
	CALL(unlink("g"));
	show(fd);
	CALL(inotify_rm_watch(fd, 1));
}

CASE(seen_from_the_directory)
{
	int fd = inotify_init1(IN_NONBLOCK), file;

	write_file("f", "abc");
	OK(inotify_add_watch(fd, ".", IN_OPEN | IN_MODIFY | IN_CLOSE | IN_ATTRIB));
	file = open("f", O_WRONLY);
	OK(write(file, "x", 1));
	close(file);
	OK(chmod("f", 0600));
	show(fd);
}

CASE(delete_self)
{
	int fd = inotify_init1(IN_NONBLOCK), file;

	write_file("f", "abc");
	OK(inotify_add_watch(fd, "f", IN_DELETE_SELF | IN_ATTRIB));
	file = open("f", O_RDONLY);
	CALL(unlink("f"));
	show(fd);
	close(file);
	show(fd);
}

CASE(oneshot)
{
	int fd = inotify_init1(IN_NONBLOCK);

	OK(inotify_add_watch(fd, ".", IN_CREATE | IN_ONESHOT));
	write_file("a", "");
	write_file("b", "");
	show(fd);
	show(fd);
}

CASE(mask_add)
{
	int fd = inotify_init1(IN_NONBLOCK);

	OK(inotify_add_watch(fd, ".", IN_CREATE));
	OK(inotify_add_watch(fd, ".", IN_DELETE | IN_MASK_ADD));
	close(open("a", O_CREAT, 0600));
	unlink("a");
	OK(inotify_add_watch(fd, ".", IN_DELETE));
	close(open("b", O_CREAT, 0600));
	unlink("b");
	show(fd);
}

CASE(dont_follow)
{
	int fd = inotify_init1(IN_NONBLOCK);

	write_file("f", "abc");
	OK(symlink("f", "s"));
	OK(inotify_add_watch(fd, "s", IN_OPEN));
	OK(inotify_add_watch(fd, "s", IN_OPEN | IN_DONT_FOLLOW));
	close(open("f", O_RDONLY));
	show(fd);
}

CASE(small_buffer)
{
	int fd = inotify_init1(IN_NONBLOCK), n;
	char buf[64];

	OK(inotify_add_watch(fd, ".", IN_CREATE));
	close(open("abc", O_CREAT, 0600));
	close(open("a_name_of_more_than_sixteen", O_CREAT, 0600));
	CALL(ioctl(fd, FIONREAD, &n));
	NOTE("%d", n);
	CALL(read(fd, buf, 16));
	CALL(read(fd, buf, 40));
	CALL(read(fd, buf, 47));
	CALL(read(fd, BAD_ADDRESS, 48));
}

CASE(poll_and_wait)
{
	int fd = inotify_init();
	struct pollfd p = {fd, POLLIN, 0};
	pid_t pid;

	OK(inotify_add_watch(fd, ".", IN_CREATE));
	CALL(poll(&p, 1, 0));
	pid = fork();
	if (pid == 0) {
		sleep_ms(30);
		close(open("late", O_CREAT, 0600));
		_exit(0);
	}
	show(fd);
	CALL(poll(&p, 1, 0));
	note_wait("child", pid);
}
