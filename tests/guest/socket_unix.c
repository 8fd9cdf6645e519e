/* SPDX-License-Identifier: Apache-2.0 */
/* unix(7): names, connections, states */
#include "socket_unix.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

static void note_name(const char *what, int fd, bool peer)
{
	struct sockaddr_un un;
	socklen_t size = sizeof(un);
	int r;

	memset(&un, 0x55, sizeof(un));
	r = peer ? getpeername(fd, (struct sockaddr *)&un, &size)
		 : getsockname(fd, (struct sockaddr *)&un, &size);
	if (r < 0)
		NOTE("%s: %s", what, errno_name(errno));
	else if (size > 2 && un.sun_path[0])
		NOTE("%s: size %u, family %d, \"%s\"", what, size, un.sun_family, un.sun_path);
	else
		NOTE("%s: size %u, family %d, first %#x", what, size, un.sun_family,
			(unsigned char)un.sun_path[0]);
}

CASE(create_errors)
{
	int fds[2];

	CALL(socket(AF_UNIX, 0, 0));
	CALL(socket(AF_UNIX, SOCK_RDM, 0));
	CALL(socket(AF_UNIX, SOCK_DCCP, 0));
	CALL(socket(AF_UNIX, SOCK_PACKET, 0));
	CALL(socket(AF_UNIX, 11, 0));
	CALL(socket(AF_UNIX, -1, 0));
	CALL(socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
	CALL(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | 0x40000, 0));
	CALL(socket(AF_UNIX, SOCK_STREAM, 2));
	CALL(socket(AF_UNIX, SOCK_STREAM, -1));
	CALL(socket(-1, SOCK_STREAM, 0));
	CALL(socket(AF_UNSPEC, SOCK_STREAM, 0));
	CALL(socket(46, SOCK_STREAM, 0));
	CALL(socket(200, SOCK_STREAM, 0));
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD_ADDRESS));
	CALL(socketpair(AF_UNIX, SOCK_RDM, 0, fds));
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 5, fds));
	CALL(socketpair(AF_UNIX, SOCK_STREAM | 0x10, 0, fds));
	/* nothing stayed open */
	CALL(socket(AF_UNIX, SOCK_STREAM, 1));
}

CASE(create_flags)
{
	int fds[2];
	int fd = OK(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

	NOTE("%d %o", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds));
	NOTE("%d %o %d %o", fcntl(fds[0], F_GETFD), fcntl(fds[0], F_GETFL), fcntl(fds[1], F_GETFD),
		fcntl(fds[1], F_GETFL));
	OK(socketpair(AF_UNIX, SOCK_RAW | SOCK_CLOEXEC, 0, fds));
	NOTE("%d %o %d %o", fcntl(fds[0], F_GETFD), fcntl(fds[0], F_GETFL), fcntl(fds[1], F_GETFD),
		fcntl(fds[1], F_GETFL));
}

CASE(not_a_socket)
{
	struct unix_name name = at_path("s");
	socklen_t size = sizeof(name.un);
	struct msghdr msg = {0};
	int fd = OK(open("/dev/null", O_RDWR)), one = 1;
	char c;

	CALL(bind(fd, ADDR(name)));
	CALL(connect(fd, ADDR(name)));
	CALL(listen(fd, 1));
	CALL(accept(fd, NULL, NULL));
	CALL(accept4(fd, NULL, NULL, 0x10));
	CALL(getsockname(fd, (struct sockaddr *)&name.un, &size));
	CALL(getpeername(fd, (struct sockaddr *)&name.un, &size));
	CALL(send(fd, "x", 1, 0));
	CALL(recv(fd, &c, 1, 0));
	CALL(sendmsg(fd, &msg, 0));
	CALL(recvmsg(fd, &msg, 0));
	CALL(shutdown(fd, SHUT_RD));
	CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CALL(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, &size));
	CALL(bind(-1, ADDR(name)));
	CALL(connect(99, ADDR(name)));
	CALL(listen(99, 1));
	CALL(accept(99, NULL, NULL));
	CALL(shutdown(99, 9));
	CALL(recv(99, &c, 1, 0));
	fd = OK(open(".", O_PATH));
	CALL(send(fd, "x", 1, 0));
}

CASE(file_operations)
{
	struct stat st;
	char target[64] = "", name[64], c;
	int fds[2];

	pair_of(SOCK_STREAM, fds);
	CALL(fstat(fds[0], &st));
	NOTE("mode %o, size %d, nlink %d", st.st_mode, (int)st.st_size, (int)st.st_nlink);
	CALL(lseek(fds[0], 0, SEEK_SET));
	CALL(pread(fds[0], &c, 1, 0));
	CALL(pwrite(fds[0], &c, 1, 0));
	CALL(ftruncate(fds[0], 0));
	CALL(fsync(fds[0]));
	CALL((intptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fds[0], 0));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[0]);
	OK(readlink(name, target, sizeof(target) - 1));
	target[8] = '\0';
	NOTE("%s", target);
	CALL(open(name, O_RDWR));
	CALL(isatty(fds[0]));
	CALL(fchdir(fds[0]));
}

CASE(bind_lengths)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	struct sockaddr *address = (struct sockaddr *)&un;

	memset(un.sun_path, 'a', sizeof(un.sun_path));
	CALL(bind(fd, address, 0));
	CALL(bind(fd, address, 1));
	CALL(bind(fd, address, 111));
	CALL(bind(fd, address, 129));
	CALL(bind(fd, address, -1));
	CALL(bind(fd, BAD_ADDRESS, 10));
	un.sun_family = AF_INET;
	CALL(bind(fd, address, 10));
	un.sun_family = AF_UNSPEC;
	CALL(bind(fd, address, 10));
	un.sun_family = AF_UNIX;
	CALL(bind(fd, address, 5));
	note_name("three letters", fd, false);
	CALL(access("aaa", F_OK));
	CALL(bind(fd, address, 6));
	fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	un.sun_path[10] = '\0';
	CALL(bind(fd, address, sizeof(un)));
	note_name("rest ignored", fd, false);
}

CASE(bind_full_length)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	unsigned char back[128];
	socklen_t size = sizeof(back);
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	memset(un.sun_path, 'b', sizeof(un.sun_path));
	CALL(bind(fd, (struct sockaddr *)&un, sizeof(un)));
	memset(back, 0x55, sizeof(back));
	CALL(getsockname(fd, (struct sockaddr *)back, &size));
	NOTE("size %u, %x %x %x", size, back[109], back[110], back[111]);
	CALL(listen(fd, 1));
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&un, sizeof(un)));
}

CASE(bind_path_errors)
{
	struct unix_name name;
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	write_file("file", "");
	CALL(mkdir("dir", 0755));
	CALL(symlink("nowhere", "link"));
	name = at_path("file");
	CALL(bind(fd, ADDR(name)));
	name = at_path("dir");
	CALL(bind(fd, ADDR(name)));
	name = at_path("link");
	CALL(bind(fd, ADDR(name)));
	name = at_path("none/s");
	CALL(bind(fd, ADDR(name)));
	name = at_path("file/s");
	CALL(bind(fd, ADDR(name)));
	name = at_path("dir/");
	CALL(bind(fd, ADDR(name)));
	name = at_path("new/");
	CALL(bind(fd, ADDR(name)));
	name = at_path("dir/s");
	CALL(bind(fd, ADDR(name)));
	name = at_path("dir/t");
	CALL(bind(fd, ADDR(name)));
}

CASE(bind_twice)
{
	struct unix_name name = at_path("s"), other = at_path("t"), hidden = at_abstract("s");
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int a = OK(socket(AF_UNIX, SOCK_STREAM, 0)), b = OK(socket(AF_UNIX, SOCK_DGRAM, 0));

	CALL(bind(a, ADDR(name)));
	CALL(bind(a, ADDR(name)));
	CALL(bind(a, ADDR(other)));
	CALL(bind(a, ADDR(hidden)));
	CALL(bind(a, (struct sockaddr *)&un, 2));
	CALL(bind(b, ADDR(name)));
	close(a);
	CALL(bind(b, ADDR(name)));
	CALL(unlink("s"));
	CALL(bind(b, ADDR(name)));
}

CASE(bound_file)
{
	struct stat st;
	int fd;
	char c;

	umask(027);
	fd = bound_at("s", SOCK_STREAM);
	CALL(lstat("s", &st));
	NOTE("mode %o, size %d", st.st_mode, (int)st.st_size);
	CALL(open("s", O_RDONLY));
	CALL(open("s", O_RDWR | O_NONBLOCK));
	CALL(open("s", O_CREAT | O_EXCL | O_WRONLY, 0600));
	OK(open("s", O_PATH));
	CALL(chmod("s", 0600));
	CALL(lstat("s", &st));
	NOTE("mode %o", st.st_mode);
	CALL(truncate("s", 0));
	CALL(read(fd, &c, 1));
	close(fd);
	CALL(access("s", F_OK));
}

CASE(fchmod_before_bind)
{
	struct unix_name name = at_path("s");
	struct stat st;
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CALL(bind(fd, ADDR(name)));
	CALL(fstat(fd, &st));
	NOTE("%o", st.st_mode);
	CALL(stat("s", &st));
	NOTE("%o", st.st_mode);
}

CASE(unlinked_listener)
{
	struct unix_name name = at_path("s");
	int listener = listener_at("s", SOCK_STREAM, 5), client;

	client = connected_to("s", SOCK_STREAM);
	CALL(unlink("s"));
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(name)));
	CALL(write(client, "ab", 2));
	note_name("listener", listener, false);
	note_name("client peer", client, true);
	OK(accept(listener, NULL, NULL));
	/* the name is free for another */
	OK(listener_at("s", SOCK_STREAM, 5));
	OK(connected_to("s", SOCK_STREAM));
}

CASE(renamed_listener)
{
	struct unix_name name = at_path("s"), other = at_path("t"), soft = at_path("l");
	int listener = listener_at("s", SOCK_STREAM, 5);

	CALL(rename("s", "t"));
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(name)));
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(other)));
	CALL(symlink("t", "l"));
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(soft)));
	note_name("listener", listener, false);
	CALL(unlink("l"));
	CALL(link("t", "l"));
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(soft)));
	close(listener);
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(other)));
}

CASE(names)
{
	int listener = listener_at("server", SOCK_STREAM, 5), client, server;
	struct unix_name own = at_path("own");
	int fds[2];

	note_name("new", OK(socket(AF_UNIX, SOCK_STREAM, 0)), false);
	note_name("new peer", OK(socket(AF_UNIX, SOCK_STREAM, 0)), true);
	client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CALL(bind(client, ADDR(own)));
	CALL(connect(client, (struct sockaddr *)&(struct unix_name){0}, 0));
	own = at_path("server");
	CALL(connect(client, ADDR(own)));
	note_name("client", client, false);
	note_name("client peer", client, true);
	server = OK(accept(listener, NULL, NULL));
	note_name("server", server, false);
	note_name("server peer", server, true);
	note_name("listener", listener, false);
	note_name("listener peer", listener, true);
	close(client);
	note_name("server peer after close", server, true);
	pair_of(SOCK_DGRAM, fds);
	note_name("pair", fds[0], false);
	note_name("pair peer", fds[0], true);
	close(fds[1]);
	note_name("pair peer closed", fds[0], true);
}

CASE(name_buffers)
{
	struct sockaddr_un un;
	socklen_t size;
	int fd = bound_at("sock", SOCK_STREAM);

	memset(&un, 0x55, sizeof(un));
	size = 4;
	CALL(getsockname(fd, (struct sockaddr *)&un, &size));
	NOTE("size %u, %c%c %x", size, un.sun_path[0], un.sun_path[1], un.sun_path[2]);
	size = 0;
	CALL(getsockname(fd, BAD_ADDRESS, &size));
	NOTE("size %u", size);
	size = 10;
	CALL(getsockname(fd, BAD_ADDRESS, &size));
	CALL(getsockname(fd, (struct sockaddr *)&un, BAD_ADDRESS));
	size = (socklen_t)-1;
	CALL(getsockname(fd, (struct sockaddr *)&un, &size));
	size = 10;
	CALL(getpeername(fd, (struct sockaddr *)&un, &size));
	CALL(getpeername(fd, BAD_ADDRESS, BAD_ADDRESS));
}

CASE(abstract_names)
{
	struct unix_name name = at_abstract("x"), longer = at_abstract("x");
	int a = OK(socket(AF_UNIX, SOCK_STREAM, 0)), b = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	int c = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	struct sockaddr_un back;
	socklen_t size = sizeof(back);

	longer.size++; /* with a NUL: another name */
	CALL(bind(a, ADDR(name)));
	CALL(getsockname(a, (struct sockaddr *)&back, &size));
	NOTE("same %d", size == name.size && memcmp(&back, &name.un, size) == 0);
	CALL(bind(b, ADDR(name)));
	CALL(connect(c, ADDR(name)));
	CALL(listen(a, 1));
	CALL(connect(c, ADDR(longer)));
	CALL(bind(b, ADDR(longer)));
	CALL(connect(c, ADDR(name)));
	close(a);
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(name)));
	a = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CALL(bind(a, ADDR(name)));
}

CASE(abstract_type_mismatch)
{
	struct unix_name name = at_abstract("x");
	int a = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), b = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CALL(bind(a, ADDR(name)));
	CALL(connect(b, ADDR(name)));
	/* names are apart by type */
	OK(bind(b, ADDR(name)));
}

CASE(autobind)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(un);
	int a = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), b = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct sockaddr_un first;
	char buf[4];

	CALL(bind(a, (struct sockaddr *)&un, 2));
	CALL(getsockname(a, (struct sockaddr *)&un, &size));
	NOTE("size %u, first %d, hex %d", size, un.sun_path[0],
		(int)strspn(un.sun_path + 1, "0123456789abcdef"));
	first = un;
	CALL(bind(a, (struct sockaddr *)&un, 2));
	un = (struct sockaddr_un){.sun_family = AF_UNIX};
	CALL(bind(b, (struct sockaddr *)&un, 2));
	size = sizeof(un);
	CALL(getsockname(b, (struct sockaddr *)&un, &size));
	NOTE("different %d", memcmp(&un, &first, size) != 0);
	CALL(sendto(b, "abc", 3, 0, (struct sockaddr *)&first, 8));
	CALL(recv(a, buf, 4, 0));
}

CASE(listen_states)
{
	struct unix_name name = at_path("s");
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0)), fds[2];

	CALL(listen(fd, 5));
	CALL(bind(fd, ADDR(name)));
	CALL(accept(fd, NULL, NULL));
	CALL(listen(fd, -5));
	CALL(listen(fd, 0));
	CALL(listen(fd, 1000000));
	CALL(connect(fd, ADDR(name)));
	CALL(send(fd, "x", 1, MSG_NOSIGNAL));
	CALL(recv(fd, &name, 1, 0));
	CALL(listen(OK(socket(AF_UNIX, SOCK_DGRAM, 0)), 1));
	pair_of(SOCK_STREAM, fds);
	CALL(listen(fds[0], 1));
	CALL(accept(fds[0], NULL, NULL));
	CALL(accept(OK(socket(AF_UNIX, SOCK_DGRAM, 0)), NULL, NULL));
	CALL(accept(OK(socket(AF_UNIX, SOCK_SEQPACKET, 0)), NULL, NULL));
}

CASE(connect_errors)
{
	struct unix_name name = at_path("s"), none = at_path("none"), file = at_path("file");
	struct sockaddr_un un = {.sun_family = AF_INET};
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	write_file("file", "");
	OK(bound_at("s", SOCK_STREAM));
	CALL(connect(fd, ADDR(none)));
	CALL(connect(fd, ADDR(file)));
	CALL(connect(fd, ADDR(name)));
	CALL(connect(fd, (struct sockaddr *)&un, sizeof(un)));
	CALL(connect(fd, (struct sockaddr *)&un, 1));
	CALL(connect(fd, (struct sockaddr *)&un, 111));
	CALL(connect(fd, (struct sockaddr *)&un, 2));
	un.sun_family = AF_UNIX;
	CALL(connect(fd, (struct sockaddr *)&un, 2));
	un.sun_family = AF_UNSPEC;
	CALL(connect(fd, (struct sockaddr *)&un, sizeof(un)));
	CALL(connect(fd, BAD_ADDRESS, sizeof(un)));
	CALL(connect(fd, ADDR(name)));
	none = at_path("file/x");
	CALL(connect(fd, ADDR(none)));
	none = at_path(".");
	CALL(connect(fd, ADDR(none)));
	note_poll("after failures", fd);
}

CASE(connect_type_mismatch)
{
	struct unix_name stream = at_path("stream"), dgram = at_path("dgram"), seq = at_path("seq");

	OK(listener_at("stream", SOCK_STREAM, 3));
	OK(bound_at("dgram", SOCK_DGRAM));
	OK(listener_at("seq", SOCK_SEQPACKET, 3));
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(dgram)));
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(seq)));
	CALL(connect(OK(socket(AF_UNIX, SOCK_DGRAM, 0)), ADDR(stream)));
	CALL(connect(OK(socket(AF_UNIX, SOCK_SEQPACKET, 0)), ADDR(stream)));
	CALL(connect(OK(socket(AF_UNIX, SOCK_SEQPACKET, 0)), ADDR(seq)));
	CALL(sendto(OK(socket(AF_UNIX, SOCK_DGRAM, 0)), "x", 1, 0, ADDR(stream)));
}

CASE(connect_permission)
{
	struct unix_name name = at_path("s");
	int fd;

	OK(listener_at("s", SOCK_STREAM, 3));
	CALL(chmod("s", 0555));
	if (geteuid() == 0 && (setgid(1234) < 0 || setuid(1234) < 0))
		SKIP("cannot change the user");
	fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CALL(connect(fd, ADDR(name)));
}

CASE(connect_twice)
{
	struct unix_name name = at_path("s");
	int listener = listener_at("s", SOCK_STREAM, 3), fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CALL(connect(fd, ADDR(name)));
	CALL(connect(fd, ADDR(name)));
	close(listener);
	CALL(connect(fd, ADDR(name)));
	CALL(listen(fd, 1));
}

CASE(backlog_full)
{
	struct unix_name name = at_path("s");
	int listener = listener_at("s", SOCK_STREAM, 1), fd, n = 0;

	for (;;) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fd, ADDR(name)) < 0)
			break;
		n++;
	}
	NOTE("%d connections, then %s", n, errno_name(errno));
	note_poll("refused", fd);
	OK(accept(listener, NULL, NULL));
	CALL(connect(fd, ADDR(name)));
	note_poll("connected", fd);
	note_poll("listener", listener);
}

CASE(backlog_zero)
{
	struct unix_name name = at_path("s");
	int listener = listener_at("s", SOCK_SEQPACKET, 0), n = 0;

	while (connect(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0), ADDR(name)) == 0)
		n++;
	NOTE("%d connections, then %s", n, errno_name(errno));
	CALL(listen(listener, 3));
	while (connect(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0), ADDR(name)) == 0)
		n++;
	NOTE("%d connections", n);
}

CASE(connect_waits_for_backlog)
{
	struct unix_name name = at_path("s");
	int listener = listener_at("s", SOCK_STREAM, 0);
	pid_t pid;

	OK(connected_to("s", SOCK_STREAM));
	pid = fork();
	if (pid == 0) {
		sleep_ms(60);
		_exit(accept(listener, NULL, NULL) < 0);
	}
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(name)));
	note_wait("acceptor", pid);
}

CASE(connect_timeout)
{
	struct unix_name name = at_path("s");
	struct timeval timeout = {0, 50000};
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	long long begin;

	OK(listener_at("s", SOCK_STREAM, 0));
	OK(connected_to("s", SOCK_STREAM));
	CALL(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)));
	begin = now_ms();
	CALL(connect(fd, ADDR(name)));
	TRUTH(now_ms() - begin >= 45 && now_ms() - begin < 2000);
}

CASE(connect_interrupted)
{
	struct unix_name name = at_path("s");

	OK(listener_at("s", SOCK_STREAM, 0));
	OK(connected_to("s", SOCK_STREAM));
	alarm_in(40, 0);
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(name)));
	NOTE("signals %d", (int)signals_seen);
}

CASE(connect_restarted)
{
	struct unix_name name = at_path("s");
	int listener = listener_at("s", SOCK_STREAM, 0);
	pid_t pid;

	OK(connected_to("s", SOCK_STREAM));
	pid = fork();
	if (pid == 0) {
		sleep_ms(120);
		_exit(accept(listener, NULL, NULL) < 0);
	}
	alarm_in(30, SA_RESTART);
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(name)));
	NOTE("signals %d", (int)signals_seen);
	note_wait("acceptor", pid);
}

CASE(listener_gone_while_connecting)
{
	struct unix_name name = at_path("s");
	int listener = listener_at("s", SOCK_STREAM, 0);
	pid_t pid;

	OK(connected_to("s", SOCK_STREAM));
	pid = fork();
	if (pid == 0) {
		sleep_ms(60);
		close(listener);
		_exit(0);
	}
	close(listener);
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(name)));
	note_wait("child", pid);
}

CASE(accept_addresses)
{
	struct unix_name name = at_path("s"), own = at_path("client");
	int listener = listener_at("s", SOCK_STREAM, 5), fd;
	struct sockaddr_un un;
	socklen_t size;

	fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CALL(bind(fd, ADDR(own)));
	CALL(connect(fd, ADDR(name)));
	size = sizeof(un);
	OK(accept(listener, (struct sockaddr *)&un, &size));
	NOTE("size %u, %s", size, un.sun_path);
	OK(connected_to("s", SOCK_STREAM));
	size = sizeof(un);
	OK(accept(listener, (struct sockaddr *)&un, &size));
	NOTE("size %u, family %d", size, un.sun_family);
	OK(connected_to("s", SOCK_STREAM));
	size = 2;
	CALL(accept(listener, BAD_ADDRESS, &size));
	/* that connection is lost */
	CALL(fcntl(listener, F_SETFL, O_NONBLOCK));
	CALL(accept(listener, NULL, NULL));
	OK(connected_to("s", SOCK_STREAM));
	size = (socklen_t)-1;
	CALL(accept(listener, (struct sockaddr *)&un, &size));
	OK(connected_to("s", SOCK_STREAM));
	CALL(accept(listener, (struct sockaddr *)&un, NULL));
	CALL(accept4(listener, NULL, NULL, 0x100));
}

CASE(accept_flags)
{
	int listener = listener_at("s", SOCK_STREAM, 5), fd;

	OK(connected_to("s", SOCK_STREAM));
	OK(connected_to("s", SOCK_STREAM));
	CALL(fcntl(listener, F_SETFL, O_NONBLOCK));
	fd = OK(accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	NOTE("%d %o", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	fd = OK(accept(listener, NULL, NULL));
	NOTE("%d %o", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	CALL(accept(listener, NULL, NULL));
}

CASE(accept_waits)
{
	struct timeval timeout = {0, 30000};
	int listener = listener_at("s", SOCK_STREAM, 5);
	pid_t pid;

	CALL(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	CALL(accept(listener, NULL, NULL));
	timeout.tv_usec = 0;
	CALL(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	alarm_in(20, 0);
	CALL(accept(listener, NULL, NULL));
	pid = fork();
	if (pid == 0) {
		sleep_ms(100);
		_exit(connected_to("s", SOCK_STREAM) < 0);
	}
	alarm_in(30, SA_RESTART);
	OK(accept(listener, NULL, NULL));
	NOTE("signals %d", (int)signals_seen);
	note_wait("client", pid);
}

CASE(accept_after_shutdown)
{
	int listener = listener_at("s", SOCK_STREAM, 5);
	struct unix_name name = at_path("s");

	OK(connected_to("s", SOCK_STREAM));
	CALL(shutdown(listener, SHUT_RD));
	note_poll("listener", listener);
	OK(accept(listener, NULL, NULL));
	CALL(accept(listener, NULL, NULL));
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(name)));
	CALL(listen(listener, 5));
	CALL(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), ADDR(name)));
}

CASE(data_before_accept)
{
	int listener = listener_at("s", SOCK_STREAM, 5), client, server;
	char buf[16] = "";

	client = connected_to("s", SOCK_STREAM);
	note_poll("client", client);
	CALL(write(client, "early", 5));
	close(client);
	server = OK(accept(listener, NULL, NULL));
	note_poll("server", server);
	CALL(read(server, buf, sizeof(buf)));
	NOTE("%s", buf);
	CALL(read(server, buf, sizeof(buf)));
	CALL(send(server, "x", 1, MSG_NOSIGNAL));
}

CASE(listener_closed_with_backlog)
{
	int listener = listener_at("s", SOCK_STREAM, 5), client = connected_to("s", SOCK_STREAM);
	char c;

	CALL(write(client, "lost", 4));
	close(listener);
	note_poll("client", client);
	CALL(read(client, &c, 1));
	CALL(read(client, &c, 1));
	CALL(send(client, "x", 1, MSG_NOSIGNAL));
}

CASE(poll_new_sockets)
{
	int listener = listener_at("s", SOCK_STREAM, 5);

	note_poll("stream", OK(socket(AF_UNIX, SOCK_STREAM, 0)));
	note_poll("dgram", OK(socket(AF_UNIX, SOCK_DGRAM, 0)));
	note_poll("seqpacket", OK(socket(AF_UNIX, SOCK_SEQPACKET, 0)));
	note_poll("bound", bound_at("b", SOCK_STREAM));
	note_poll("listener", listener);
	OK(connected_to("s", SOCK_STREAM));
	note_poll("listener", listener);
}

static void poll_pair(int type)
{
	int fds[2];

	pair_of(type, fds);
	note_poll("pair", fds[0]);
	OK(write(fds[1], "abc", 3));
	note_poll("data", fds[0]);
	CALL(shutdown(fds[1], SHUT_WR));
	note_poll("peer ended writing", fds[0]);
	note_poll("the peer", fds[1]);
	CALL(shutdown(fds[1], SHUT_RD));
	note_poll("peer ended both", fds[0]);
	note_poll("the peer", fds[1]);
	close(fds[1]);
	note_poll("peer closed", fds[0]);
	pair_of(type, fds);
	OK(write(fds[0], "abc", 3));
	close(fds[1]);
	note_poll("peer closed with data", fds[0]);
	pair_of(type, fds);
	CALL(shutdown(fds[0], SHUT_RD));
	note_poll("own reading ended", fds[0]);
	note_poll("the peer", fds[1]);
}

CASE(poll_pair_stream)
{
	poll_pair(SOCK_STREAM);
}

CASE(poll_pair_dgram)
{
	poll_pair(SOCK_DGRAM);
}

CASE(poll_pair_seqpacket)
{
	poll_pair(SOCK_SEQPACKET);
}

static void note_epoll(const char *what, int epoll)
{
	struct epoll_event event = {0};
	int n = epoll_wait(epoll, &event, 1, 0);

	NOTE("%s: %d, %#x", what, n, n > 0 ? event.events : 0);
}

CASE(epoll_edges)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	int fds[2], epoll = OK(epoll_create1(0));
	char buf[16];

	pair_of(SOCK_STREAM, fds);
	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
	note_epoll("added", epoll);
	note_epoll("again", epoll);
	OK(write(fds[1], "abc", 3));
	note_epoll("data", epoll);
	note_epoll("again", epoll);
	OK(write(fds[1], "def", 3));
	note_epoll("more data", epoll);
	CALL(read(fds[0], buf, 2));
	CALL(shutdown(fds[1], SHUT_WR));
	note_epoll("half closed", epoll);
	note_epoll("again", epoll);
	close(fds[1]);
	note_epoll("closed", epoll);
	note_epoll("again", epoll);
}

CASE(shutdown_errors)
{
	int fds[2];

	pair_of(SOCK_STREAM, fds);
	CALL(shutdown(fds[0], 3));
	CALL(shutdown(fds[0], -1));
	CALL(shutdown(OK(socket(AF_UNIX, SOCK_STREAM, 0)), SHUT_RD));
	CALL(shutdown(OK(socket(AF_UNIX, SOCK_DGRAM, 0)), SHUT_RDWR));
	CALL(shutdown(bound_at("s", SOCK_STREAM), SHUT_RDWR));
	CALL(shutdown(fds[0], SHUT_RD));
	CALL(shutdown(fds[0], SHUT_RD));
	close(fds[1]);
	CALL(shutdown(fds[0], SHUT_WR));
}

CASE(shutdown_write)
{
	int fds[2];
	char buf[8];

	signal(SIGPIPE, count_signal);
	pair_of(SOCK_STREAM, fds);
	CALL(write(fds[0], "last", 4));
	CALL(shutdown(fds[0], SHUT_WR));
	CALL(write(fds[0], "x", 1));
	NOTE("signals %d", (int)signals_seen);
	CALL(read(fds[1], buf, 8));
	CALL(read(fds[1], buf, 8));
	CALL(write(fds[1], "back", 4));
	CALL(read(fds[0], buf, 8));
}

CASE(shutdown_read)
{
	int fds[2];
	char buf[8];

	signal(SIGPIPE, count_signal);
	pair_of(SOCK_STREAM, fds);
	CALL(write(fds[1], "abc", 3));
	CALL(shutdown(fds[0], SHUT_RD));
	CALL(read(fds[0], buf, 2));
	CALL(read(fds[0], buf, 8));
	CALL(read(fds[0], buf, 8));
	CALL(write(fds[1], "x", 1));
	NOTE("signals %d", (int)signals_seen);
	CALL(write(fds[0], "ok", 2));
	CALL(read(fds[1], buf, 8));
}

CASE(shutdown_wakes_reader)
{
	int fds[2];
	pid_t pid;
	char c;

	pair_of(SOCK_STREAM, fds);
	pid = fork();
	if (pid == 0) {
		sleep_ms(40);
		_exit(shutdown(fds[0], SHUT_RD));
	}
	CALL(read(fds[0], &c, 1));
	note_wait("child", pid);
}

CASE(dgram_shutdown)
{
	int fds[2];
	char c;

	signal(SIGPIPE, count_signal);
	pair_of(SOCK_DGRAM, fds);
	CALL(shutdown(fds[0], SHUT_WR));
	CALL(send(fds[0], "x", 1, 0));
	NOTE("signals %d", (int)signals_seen);
	CALL(send(fds[1], "x", 1, 0));
	CALL(recv(fds[0], &c, 1, 0));
	CALL(shutdown(fds[0], SHUT_RD));
	CALL(send(fds[1], "x", 1, 0));
	NOTE("signals %d", (int)signals_seen);
	CALL(recv(fds[0], &c, 1, MSG_DONTWAIT));
	CALL(recv(fds[1], &c, 1, MSG_DONTWAIT));
}

CASE(dgram_connect)
{
	struct unix_name a = at_path("a"), b = at_path("b");
	struct sockaddr unspec = {.sa_family = AF_UNSPEC};
	int first = bound_at("a", SOCK_DGRAM), second = bound_at("b", SOCK_DGRAM), third;
	char buf[8];

	CALL(send(first, "x", 1, 0));
	CALL(connect(first, ADDR(b)));
	note_name("peer", first, true);
	CALL(send(first, "hello", 5, 0));
	CALL(recv(second, buf, 8, 0));
	/* the connected one takes only from its peer */
	third = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	CALL(sendto(third, "no", 2, 0, ADDR(a)));
	CALL(connect(third, ADDR(a)));
	CALL(sendto(second, "yes", 3, 0, ADDR(a)));
	CALL(recv(first, buf, 8, 0));
	CALL(connect(first, ADDR(a)));
	CALL(connect(first, &unspec, sizeof(unspec)));
	note_name("peer", first, true);
	CALL(sendto(third, "now", 3, 0, ADDR(a)));
	CALL(recv(first, buf, 8, 0));
}

CASE(dgram_self)
{
	struct unix_name a = at_path("a");
	int fd = bound_at("a", SOCK_DGRAM);
	char buf[8];

	CALL(connect(fd, ADDR(a)));
	CALL(send(fd, "self", 4, 0));
	CALL(recv(fd, buf, 8, 0));
}

CASE(dgram_peer_closed)
{
	struct unix_name a = at_path("a");
	int server = bound_at("a", SOCK_DGRAM), fd = connected_to("a", SOCK_DGRAM), fds[2];

	signal(SIGPIPE, count_signal);
	close(server);
	note_poll("connected", fd);
	CALL(send(fd, "x", 1, 0));
	CALL(send(fd, "x", 1, 0));
	note_name("peer", fd, true);
	CALL(sendto(fd, "x", 1, 0, ADDR(a)));
	pair_of(SOCK_DGRAM, fds);
	close(fds[1]);
	CALL(send(fds[0], "x", 1, 0));
	CALL(send(fds[0], "x", 1, 0));
	NOTE("signals %d", (int)signals_seen);
}

CASE(dgram_peer_closed_reader)
{
	int fds[2];
	char c;

	pair_of(SOCK_DGRAM, fds);
	CALL(send(fds[1], "x", 1, 0));
	CALL(send(fds[0], "unread", 6, 0));
	close(fds[1]);
	note_poll("after", fds[0]);
	CALL(recv(fds[0], &c, 1, MSG_DONTWAIT));
	CALL(recv(fds[0], &c, 1, MSG_DONTWAIT));
	CALL(recv(fds[0], &c, 1, MSG_DONTWAIT));
}

CASE(fork_shares)
{
	int fds[2];
	pid_t pid;
	char buf[8];

	pair_of(SOCK_STREAM, fds);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		_exit(write(fds[1], "child", 5) != 5);
	}
	note_wait("child", pid);
	CALL(read(fds[0], buf, 8));
	/* ours is still open: no end */
	CALL(recv(fds[0], buf, 8, MSG_DONTWAIT));
	CALL(write(fds[1], "x", 1));
	close(fds[1]);
	CALL(read(fds[0], buf, 8));
	CALL(read(fds[0], buf, 8));
}

CASE(dup_and_close)
{
	int fds[2], copy;
	char c;

	pair_of(SOCK_STREAM, fds);
	copy = OK(dup(fds[1]));
	close(fds[1]);
	CALL(recv(fds[0], &c, 1, MSG_DONTWAIT));
	close(copy);
	CALL(recv(fds[0], &c, 1, MSG_DONTWAIT));
}

static void *echo_thread(void *arg)
{
	int listener = *(int *)arg, fd = accept(listener, NULL, NULL);
	char buf[64];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		write(fd, buf, (size_t)n);
	close(fd);
	return NULL;
}

CASE(threads)
{
	int listener = listener_at("s", SOCK_STREAM, 8), good = 0;
	pthread_t threads[4];
	int clients[4];
	char buf[64];

	for (int i = 0; i < 4; i++)
		RC(pthread_create(&threads[i], NULL, echo_thread, &listener));
	for (int i = 0; i < 4; i++)
		clients[i] = connected_to("s", SOCK_STREAM);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 4; i++) {
			int size = snprintf(buf, sizeof(buf), "message %d of %d", round, i);
			char back[64] = "";

			write(clients[i], buf, (size_t)size);
			good += recv(clients[i], back, (size_t)size, MSG_WAITALL) == size &&
				memcmp(buf, back, (size_t)size) == 0;
		}
	}
	NOTE("%d good", good);
	for (int i = 0; i < 4; i++)
		close(clients[i]);
	for (int i = 0; i < 4; i++)
		RC(pthread_join(threads[i], NULL));
}

CASE(closed_while_reading)
{
	int fds[2], copy;
	pid_t pid;
	char c;

	pair_of(SOCK_STREAM, fds);
	copy = fds[1];
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		sleep_ms(40);
		_exit(0);
	}
	close(copy);
	CALL(read(fds[0], &c, 1));
	note_wait("child", pid);
}

CASE(seqpacket_connection)
{
	int listener = listener_at("s", SOCK_SEQPACKET, 2), client, server;
	char buf[16];

	client = connected_to("s", SOCK_SEQPACKET);
	server = OK(accept(listener, NULL, NULL));
	CALL(write(client, "one", 3));
	CALL(write(client, "", 0));
	CALL(write(client, "three", 5));
	CALL(read(server, buf, 16));
	CALL(read(server, buf, 16));
	CALL(read(server, buf, 2));
	CALL(recv(server, buf, 16, MSG_DONTWAIT));
	CALL(send(OK(socket(AF_UNIX, SOCK_SEQPACKET, 0)), "x", 1, MSG_NOSIGNAL));
	CALL(recv(OK(socket(AF_UNIX, SOCK_SEQPACKET, 0)), buf, 1, 0));
	close(client);
	CALL(read(server, buf, 2));
	CALL(send(server, "x", 1, MSG_NOSIGNAL));
}

/* ---- modes, lists, and what nobody holds ----------------------------------------------------- */

CASE(mode_before_bind)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "bound"};
	struct stat st;
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	fstat(fd, &st);
	NOTE("mode %o", st.st_mode);
	CALL(fchmod(fd, 0640));
	fstat(fd, &st);
	NOTE("mode %o", st.st_mode);
	umask(0);
	CALL(bind(fd, (struct sockaddr *)&name, sizeof(name)));
	stat("bound", &st);
	NOTE("bound mode %o", st.st_mode);
	CALL(fchmod(fd, 0600));
	stat("bound", &st);
	NOTE("bound mode %o", st.st_mode);
	CALL(fchmod(-1, 0600));
}

/* The lines of /proc/net/unix about a name; Linux's order is that of its hash table: by state here.
 */
static void note_listed(const char *what, const char *name)
{
	FILE *file = fopen("/proc/net/unix", "re");
	char line[512], found[8][64];
	int count = 0;

	while (file && fgets(line, sizeof(line), file)) {
		unsigned flags, type, state;
		char path[256];

		if (sscanf(line, "%*s %*s %*s %x %x %x %*s %255s", &flags, &type, &state, path) ==
				4 &&
			strcmp(path, name) == 0 && count < 8)
			snprintf(found[count++], sizeof(found[0]), "state %x type %x flags %x",
				state, type, flags);
	}
	if (file)
		fclose(file);
	qsort(found, (size_t)count, sizeof(found[0]), (int (*)(const void *, const void *))strcmp);
	for (int i = 0; i < count; i++)
		NOTE("%s: %s", what, found[i]);
	NOTE("%s: end", what);
}

CASE(listed_in_proc)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char shown[64];
	int fd, client;

	snprintf(shown, sizeof(shown), "@listed-%d", getpid());
	strcpy(name.sun_path + 1, shown + 1);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(shown));
	fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CALL(bind(fd, (struct sockaddr *)&name, size));
	note_listed("bound", shown);
	CALL(listen(fd, 2));
	note_listed("listening", shown);
	client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CALL(connect(client, (struct sockaddr *)&name, size));
	note_listed("waiting", shown);
	OK(accept(fd, NULL, NULL));
	note_listed("accepted", shown);
	close(fd);
	note_listed("closed", shown);
}

static void send_fds(int over, const int *fds, int count)
{
	char control[CMSG_SPACE(4 * sizeof(int))] = {0}, byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	CALL(sendmsg(over, &message, 0));
}

/* Whether everybody who could write to the pipe is gone. Linux looks for circles when some socket
 * is closed, whoever has it: so some are. */
static void note_gone(const char *what, int reader, int timeout)
{
	struct pollfd poller = {.fd = reader};
	int ready = 0;

	for (int waited = 0; waited < timeout && ready == 0; waited += 50) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
			close(pair[0]);
			close(pair[1]);
		}
		ready = poll(&poller, 1, 50);
	}

	NOTE("%s: %d %#x", what, ready, poller.revents);
}

CASE(sent_to_itself_and_closed)
{
	int pair[2], p[2];

	if (pipe(p) < 0)
		exit(1);
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	send_fds(pair[0], (int[]){pair[1], p[1]}, 2);
	close(p[1]);
	note_gone("held", p[0], 0);
	close(pair[0]);
	note_gone("still held", p[0], 0);
	close(pair[1]);
	note_gone("closed", p[0], 10000);
}

CASE(circle_of_two)
{
	int a[2], b[2], p[2];

	if (pipe(p) < 0)
		exit(1);
	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, a));
	OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b));
	send_fds(a[0], (int[]){b[1], p[1]}, 2);
	send_fds(b[0], (int[]){a[1]}, 1);
	close(p[1]);
	close(a[0]);
	close(b[0]);
	close(a[1]);
	note_gone("one is open", p[0], 100);
	close(b[1]);
	note_gone("closed", p[0], 10000);
}

CASE(circle_that_is_led_to)
{
	char control[256];
	struct iovec iov = {control, 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control + 8,
		.msg_controllen = 128};
	int out[2], a[2], p[2];

	if (pipe(p) < 0)
		exit(1);
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, out));
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
	send_fds(a[0], (int[]){a[1], p[1]}, 2);
	send_fds(out[0], (int[]){a[1]}, 1);
	close(p[1]);
	close(a[0]);
	close(a[1]);
	note_gone("led to", p[0], 100);
	CALL(recvmsg(out[1], &message, 0));
	note_gone("received", p[0], 0);
	close(*(int *)CMSG_DATA(CMSG_FIRSTHDR(&message)));
	note_gone("closed", p[0], 10000);
}

CASE(listener_in_its_own_backlog)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listener"};
	int p[2], listener = OK(socket(AF_UNIX, SOCK_STREAM, 0)), client;

	if (pipe(p) < 0)
		exit(1);
	CALL(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	CALL(listen(listener, 4));
	client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CALL(connect(client, (struct sockaddr *)&name, sizeof(name)));
	send_fds(client, (int[]){listener, client, p[1]}, 3);
	close(p[1]);
	close(client);
	close(listener);
	note_gone("closed", p[0], 10000);
}
