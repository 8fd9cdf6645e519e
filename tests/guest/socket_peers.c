/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of an AF_UNIX socket: SO_PEERPIDFD, SCM_PIDFD, SO_PEERGROUPS (unix(7)).
 */
#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "case.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

static int peer_pidfd(int fd)
{
	socklen_t size = sizeof(int);
	int pidfd = -1;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0)
		return -1;
	NOTE("size %u, close-on-exec %d", size, fcntl(pidfd, F_GETFD));
	return pidfd;
}

/* The number that fdinfo shows of a pidfd. */
static int pid_of(int pidfd)
{
	char path[64], text[512] = "", *at;
	int fd, pid = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	fd = open(path, O_RDONLY);
	if (read(fd, text, sizeof(text) - 1) > 0) {
		at = strstr(text, "Pid:");
		if (at)
			pid = atoi(at + 4);
	}
	close(fd);
	return pid;
}

static struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	strcpy(name.sun_path, path);
	return name;
}

CASE(peer_pidfd_of_a_pair)
{
	int fds[2], fd;

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	fd = OK(peer_pidfd(fds[0]));
	TRUTH(pid_of(fd) == getpid());
	CALL(SYS(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	socketpair(AF_UNIX, SOCK_DGRAM, 0, fds);
	fd = OK(peer_pidfd(fds[1]));
	TRUTH(pid_of(fd) == getpid());
}

CASE(peer_pidfd_errors)
{
	int stream = socket(AF_UNIX, SOCK_STREAM, 0), dgram = socket(AF_UNIX, SOCK_DGRAM, 0);
	int inet = socket(AF_INET, SOCK_STREAM, 0), fds[2], value = 0;
	socklen_t size = sizeof(value);

	CALL(peer_pidfd(stream));
	CALL(peer_pidfd(dgram));
	CALL(peer_pidfd(inet));
	CALL(setsockopt(stream, SOL_SOCKET, SO_PEERPIDFD, &value, sizeof(value)));
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERPIDFD, BAD_ADDRESS, &size));
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERPIDFD, &value, BAD_ADDRESS));
	/* Neither left a descriptor behind. */
	TRUTH(dup(0) == fds[1] + 1);
	size = (socklen_t)-1;
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERPIDFD, &value, &size));
}

/* Of a listener and both ends of a connection to it; also when the client is long gone. */
CASE(peer_pidfd_of_a_connection)
{
	struct sockaddr_un name = name_of("socket");
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd, server;
	pid_t pid;

	bind(listener, (struct sockaddr *)&name, sizeof(name));
	CALL(peer_pidfd(listener));
	listen(listener, 5);
	fd = OK(peer_pidfd(listener));
	TRUTH(pid_of(fd) == getpid());
	pid = fork();
	if (pid == 0) {
		int client = socket(AF_UNIX, SOCK_STREAM, 0);

		CALL(connect(client, (struct sockaddr *)&name, sizeof(name)));
		fd = OK(peer_pidfd(client));
		TRUTH(pid_of(fd) == getppid());
		_exit(0);
	}
	note_wait("client", pid);
	server = accept(listener, NULL, NULL);
	fd = OK(peer_pidfd(server));
	CALL(SYS(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	TRUTH(pid_of(fd) == -1);
	CALL(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0));
}

CASE(pass_pidfd_option)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), one = 1, value = -1;
	socklen_t size = sizeof(value);

	CALL(getsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, &value, &size));
	NOTE("%d", value);
	CALL(setsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, &one, sizeof(one)));
	CALL(getsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, &value, &size));
	NOTE("%d", value);
	CALL(setsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, &one, 2));
	CALL(setsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, BAD_ADDRESS, 4));
}

/* Receives a message and says what came with it; a pidfd is put into *@ret. */
static long receive(int fd, size_t room, int flags, int *ret)
{
	char data[64] = "", control[256];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room ? control : NULL,
		.msg_controllen = room};
	long n = recvmsg(fd, &msg, flags);

	NOTE("%ld '%s' flags %x control %zu", n, data, (unsigned)msg.msg_flags,
		(size_t)msg.msg_controllen);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		NOTE("level %d type %d length %zu", c->cmsg_level, c->cmsg_type,
			(size_t)c->cmsg_len);
		if (c->cmsg_type == SCM_PIDFD && ret)
			memcpy(ret, CMSG_DATA(c), sizeof(int));
	}
	return n;
}

static int pair_with_pidfds(int type, int fds[2])
{
	int one = 1;

	socketpair(AF_UNIX, type, 0, fds);
	return setsockopt(fds[1], SOL_SOCKET, SO_PASSPIDFD, &one, sizeof(one));
}

CASE(messages_with_pidfds)
{
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM, SOCK_SEQPACKET};

	for (int i = 0; i < 3; i++) {
		int fds[2], pidfd = -1, one = 1;
		pid_t pid;

		CALL(pair_with_pidfds(types[i], fds));
		send(fds[0], "mine", 4, 0);
		receive(fds[1], 256, 0, &pidfd);
		TRUTH(pid_of(pidfd) == getpid());
		NOTE("close-on-exec %d", fcntl(pidfd, F_GETFD));
		pid = fork();
		if (pid == 0) {
			send(fds[0], "child's", 7, 0);
			_exit(0);
		}
		note_wait("child", pid);
		receive(fds[1], 256, 0, &pidfd);
		CALL(SYS(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
		setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
		send(fds[0], "both", 4, 0);
		receive(fds[1], 256, 0, NULL);
	}
}

CASE(messages_with_pidfds_and_little_room)
{
	static const size_t rooms[] = {0, 8, 16, 19, 20, 24, 31, 32};

	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		int fds[2];

		pair_with_pidfds(SOCK_DGRAM, fds);
		send(fds[0], "x", 1, 0);
		receive(fds[1], rooms[i], 0, NULL);
		close(fds[0]);
		close(fds[1]);
	}
}

/* A stream's messages of two senders are not read as one; a peek makes a descriptor as well. */
CASE(stream_of_two_senders_with_pidfds)
{
	int fds[2], pidfd = -1;
	pid_t pid;

	pair_with_pidfds(SOCK_STREAM, fds);
	send(fds[0], "a", 1, 0);
	send(fds[0], "b", 1, 0);
	pid = fork();
	if (pid == 0) {
		send(fds[0], "c", 1, 0);
		_exit(0);
	}
	note_wait("child", pid);
	receive(fds[1], 256, MSG_PEEK, &pidfd);
	TRUTH(pid_of(pidfd) == getpid());
	receive(fds[1], 256, 0, NULL);
	receive(fds[1], 256, 0, &pidfd);
	TRUTH(pid_of(pidfd) == -1);
}

/* Who sent before anybody asked is unknown. */
CASE(pidfd_of_an_earlier_message)
{
	int fds[2], one = 1;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, fds);
	send(fds[0], "x", 1, 0);
	setsockopt(fds[1], SOL_SOCKET, SO_PASSPIDFD, &one, sizeof(one));
	receive(fds[1], 256, 0, NULL);
}

CASE(message_with_pidfd_and_no_descriptor_left)
{
	struct rlimit {
		unsigned long soft, hard;
	} limit;
	int fds[2], pidfd = -1;

	pair_with_pidfds(SOCK_DGRAM, fds);
	send(fds[0], "x", 1, 0);
	SYS(SYS_prlimit64, 0, 7, NULL, &limit);
	limit.soft = (unsigned long)fds[1] + 1;
	SYS(SYS_prlimit64, 0, 7, &limit, NULL);
	while (dup(0) >= 0)
		;
	receive(fds[1], 256, 0, &pidfd);
	NOTE("%d", pidfd);
	CALL(peer_pidfd(fds[0]));
}

CASE(peer_groups)
{
	gid_t groups[64];
	socklen_t size = sizeof(groups);
	int fds[2], mine = getgroups(0, NULL), inet = socket(AF_INET, SOCK_DGRAM, 0);

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERGROUPS, groups, &size));
	TRUTH(size == (socklen_t)mine * sizeof(gid_t));
	size = sizeof(groups);
	CALL(getsockopt(inet, SOL_SOCKET, SO_PEERGROUPS, groups, &size));
	CALL(getsockopt(socket(AF_UNIX, SOCK_STREAM, 0), SOL_SOCKET, SO_PEERGROUPS, groups, &size));
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_PEERGROUPS, groups, 4));
}

/* The whole name or its beginning, never more; for all families. */
CASE(peer_name)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_un un;
		char bytes[200];
	} name, own = {.in.sin_family = AF_INET};
	socklen_t size = sizeof(own.in), small = 2, none = 0, large = sizeof(name);
	int fds[2], listener = socket(AF_INET, SOCK_STREAM, 0),
		    fd = socket(AF_INET, SOCK_STREAM, 0);

	CALL(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &name, &size));
	own.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(listener, &own.any, sizeof(own.in));
	getsockname(listener, &own.any, &size);
	listen(listener, 1);
	CALL(connect(fd, &own.any, size));
	CALL(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &name, &size));
	TRUTH(memcmp(&name, &own, size) == 0);
	CALL(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &name, &small));
	NOTE("%u", small);
	CALL(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &name, &none));
	CALL(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &name, &large));
	CALL(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, BAD_ADDRESS, &size));
	CALL(setsockopt(fd, SOL_SOCKET, SO_PEERNAME, &name, size));
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERNAME, &name, &small));
	NOTE("family %u", name.any.sa_family);
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERNAME, &name, &size));
}

/* As they were when the sockets were made. */
CASE(peer_groups_of_root)
{
	gid_t groups[8] = {0};
	socklen_t size = sizeof(groups);
	int fds[2];

	if (setgroups(3, (gid_t[]){5, 3, 9}) < 0)
		SKIP("needs root");
	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	setgroups(0, NULL);
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERGROUPS, groups, &size));
	NOTE("%u: %u %u %u", size, groups[0], groups[1], groups[2]);
	size = 8;
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERGROUPS, groups, &size));
	NOTE("%u", size);
	size = 12;
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERGROUPS, BAD_ADDRESS, &size));
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERGROUPS, groups, BAD_ADDRESS));
}

/* Of what no such message can come. */
CASE(options_of_other_families)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, value = -1;
	int link = socket(AF_NETLINK, SOCK_RAW, 0);
	socklen_t size = sizeof(value);

	CALL(setsockopt(link, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0)
		SKIP("Linux before 6.16");
	CALL(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	CALL(getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &value, &size));
	CALL(setsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, &one, sizeof(one)));
	CALL(getsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, &value, &size));
}
