/* SPDX-License-Identifier: Apache-2.0 */
/* socket(7), unix(7): options */
#include "socket_unix.h"

#include <sys/ioctl.h>

static int get_int(int fd, int option)
{
	int value = -7777;
	socklen_t size = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0)
		return -errno;
	return value;
}

static int set_int(int fd, int option, int value)
{
	return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
}

CASE(identity)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};

	for (int i = 0; i < 4; i++) {
		int fd = OK(socket(AF_UNIX, types[i] | SOCK_NONBLOCK, 0));

		NOTE("type %d, domain %d, protocol %d, accepts %d, error %d", get_int(fd, SO_TYPE),
			get_int(fd, SO_DOMAIN), get_int(fd, SO_PROTOCOL),
			get_int(fd, SO_ACCEPTCONN), get_int(fd, SO_ERROR));
	}
	NOTE("protocol %d", get_int(OK(socket(AF_UNIX, SOCK_STREAM, 1)), SO_PROTOCOL));
}

CASE(read_only_options)
{
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CALL(set_int(fd, SO_TYPE, 1));
	CALL(set_int(fd, SO_DOMAIN, 1));
	CALL(set_int(fd, SO_PROTOCOL, 1));
	CALL(set_int(fd, SO_ERROR, 1));
	CALL(set_int(fd, SO_ACCEPTCONN, 1));
	CALL(set_int(fd, SO_PEERCRED, 1));
}

CASE(accepting)
{
	int fd = listener_at("s", SOCK_STREAM, 2);

	NOTE("%d", get_int(fd, SO_ACCEPTCONN));
	OK(connected_to("s", SOCK_STREAM));
	NOTE("%d", get_int(OK(accept(fd, NULL, NULL)), SO_ACCEPTCONN));
}

CASE(flags)
{
	static const int options[] = {SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST, SO_PASSCRED};
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	for (int i = 0; i < 4; i++) {
		NOTE("option %d: %d", options[i], get_int(fd, options[i]));
		CALL(set_int(fd, options[i], 5));
		NOTE("option %d: %d", options[i], get_int(fd, options[i]));
		CALL(set_int(fd, options[i], 0));
		NOTE("option %d: %d", options[i], get_int(fd, options[i]));
	}
}

CASE(buffers)
{
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	NOTE("%d %d", get_int(fd, SO_SNDBUF), get_int(fd, SO_RCVBUF));
	CALL(set_int(fd, SO_SNDBUF, 10000));
	CALL(set_int(fd, SO_RCVBUF, 10000));
	NOTE("%d %d", get_int(fd, SO_SNDBUF), get_int(fd, SO_RCVBUF));
	CALL(set_int(fd, SO_SNDBUF, 0));
	CALL(set_int(fd, SO_RCVBUF, 0));
	NOTE("%d %d", get_int(fd, SO_SNDBUF), get_int(fd, SO_RCVBUF));
	/* capped by net.core.[rw]mem_max */
	CALL(set_int(fd, SO_SNDBUF, 1 << 30));
	CALL(set_int(fd, SO_RCVBUF, -1));
	TRUTH(get_int(fd, SO_SNDBUF) >= 2 * 212992 && get_int(fd, SO_RCVBUF) >= 2 * 212992);
}

CASE(buffers_forced)
{
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	if (geteuid() == 0 && setuid(1234) < 0)
		SKIP("cannot change the user");
	CALL(set_int(fd, SO_SNDBUFFORCE, 1 << 20));
	CALL(set_int(fd, SO_RCVBUFFORCE, 1 << 20));
	CALL(set_int(fd, SO_PRIORITY, 7));
	CALL(set_int(fd, SO_PRIORITY, 6));
	NOTE("%d", get_int(fd, SO_PRIORITY));
}

CASE(small_send_buffer)
{
	static char data[100000];
	int fds[2];
	ssize_t n, total = 0;

	pair_of(SOCK_STREAM | SOCK_NONBLOCK, fds);
	CALL(set_int(fds[0], SO_SNDBUF, 2500));
	while ((n = write(fds[0], data, 1000)) > 0)
		total += n;
	NOTE("then %s", errno_name(errno));
	TRUTH(total > 0 && total < 20000);
}

CASE(timeouts)
{
	struct timeval time = {1, 500000};
	socklen_t size = sizeof(time);
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CALL(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &size));
	NOTE("size %u: %d %d", size, (int)time.tv_sec, (int)time.tv_usec);
	time = (struct timeval){1, 500000};
	CALL(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	time = (struct timeval){0, 1000000};
	CALL(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	time.tv_usec = -1;
	CALL(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)));
	CALL(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, 8));
	CALL(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, 4));
	CALL(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &size));
	NOTE("size %u: %d %d", size, (int)time.tv_sec, (int)time.tv_usec);
	time = (struct timeval){-1, 0};
	CALL(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	CALL(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &size));
	NOTE("%d %d", (int)time.tv_sec, (int)time.tv_usec);
	time = (struct timeval){1ll << 60, 0};
	CALL(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	CALL(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &size));
	NOTE("%d %d", (int)time.tv_sec, (int)time.tv_usec);
}

CASE(negative_timeout_waits_not)
{
	struct timeval time = {-1, 0};
	int fds[2];
	char c;

	pair_of(SOCK_STREAM, fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	CALL(recv(fds[0], &c, 1, 0));
}

CASE(linger)
{
	struct linger linger = {9, 9};
	socklen_t size = sizeof(linger);
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CALL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
	NOTE("%u: %d %d", size, linger.l_onoff, linger.l_linger);
	linger = (struct linger){7, 3};
	CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4));
	CALL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
	NOTE("%d %d", linger.l_onoff, linger.l_linger);
	linger = (struct linger){0, 5};
	CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CALL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
	NOTE("%d %d", linger.l_onoff, linger.l_linger);
}

CASE(sizes_and_pointers)
{
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0)), value = 0x11111111;
	socklen_t size;

	CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 3));
	CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 0));
	CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, NULL, 0));
	CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, -1));
	CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, BAD_ADDRESS, 4));
	CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 4));
	CALL(setsockopt(99, SOL_SOCKET, SO_REUSEADDR, &value, -1));
	size = 1;
	value = 0x11111111;
	CALL(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &size));
	NOTE("%u %#x", size, (unsigned)value);
	size = 0;
	CALL(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &size));
	NOTE("%u", size);
	size = 100;
	CALL(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &size));
	NOTE("%u", size);
	size = (socklen_t)-1;
	CALL(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &size));
	size = 4;
	CALL(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, BAD_ADDRESS, &size));
	CALL(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, BAD_ADDRESS));
}

CASE(large_value)
{
	static char data[8192];
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	data[0] = 1;
	CALL(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, data, sizeof(data)));
	CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, data, 100));
	NOTE("%d", get_int(fd, SO_REUSEADDR));
}

CASE(unknown)
{
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0)), value = 1;
	socklen_t size = sizeof(value);

	CALL(setsockopt(fd, SOL_SOCKET, 9999, &value, size));
	CALL(getsockopt(fd, SOL_SOCKET, 9999, &value, &size));
	CALL(setsockopt(fd, SOL_SOCKET, -1, &value, size));
	CALL(setsockopt(fd, 6, 1, &value, size));
	CALL(getsockopt(fd, 6, 1, &value, &size));
	CALL(setsockopt(fd, 0, 1, &value, size));
	CALL(getsockopt(fd, 0, 1, &value, &size));
	CALL(setsockopt(fd, 9999, 1, &value, size));
	CALL(getsockopt(fd, 9999, 1, &value, &size));
	CALL(getsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &value, &size));
}

static void note_peer(const char *what, int fd, pid_t other)
{
	struct ucred cred = {1, 1, 1};
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0) {
		NOTE("%s: %s", what, errno_name(errno));
		return;
	}
	NOTE("%s: size %u, pid mine %d, the other's %d, none %d; uid mine %d, none %d; gid mine %d",
		what, size, cred.pid == getpid(), cred.pid == other, cred.pid == 0,
		cred.uid == getuid(), cred.uid == (uid_t)-1, cred.gid == getgid());
}

CASE(peer_credentials)
{
	int fds[2], listener, server;
	pid_t pid;

	note_peer("alone", OK(socket(AF_UNIX, SOCK_STREAM, 0)), -1);
	pair_of(SOCK_STREAM, fds);
	note_peer("pair", fds[0], -1);
	close(fds[1]);
	note_peer("pair, peer closed", fds[0], -1);
	pair_of(SOCK_DGRAM, fds);
	note_peer("datagram pair", fds[0], -1);
	listener = listener_at("s", SOCK_STREAM, 3);
	note_peer("listener", listener, -1);
	pid = fork();
	if (pid == 0) {
		int fd = connected_to("s", SOCK_STREAM);

		note_peer("client", fd, getppid());
		_exit(0);
	}
	note_wait("client", pid);
	server = OK(accept(listener, NULL, NULL));
	note_peer("server", server, pid);
	OK(bound_at("d", SOCK_DGRAM));
	note_peer("connected datagram", connected_to("d", SOCK_DGRAM), -1);
}

CASE(peer_credentials_short)
{
	struct ucred cred = {0};
	socklen_t size = 4;
	int fds[2];

	pair_of(SOCK_STREAM, fds);
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &cred, &size));
	NOTE("%u, mine %d", size, cred.pid == getpid());
	size = 100;
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &cred, &size));
	NOTE("%u", size);
}

CASE(pending_error)
{
	int fds[2];

	pair_of(SOCK_STREAM, fds);
	CALL(write(fds[0], "x", 1));
	close(fds[1]);
	NOTE("%s", errno_name(get_int(fds[0], SO_ERROR)));
	NOTE("%d", get_int(fds[0], SO_ERROR));
	note_poll("after", fds[0]);
}

CASE(inherited_by_accept)
{
	struct timeval time = {3, 0};
	socklen_t size = sizeof(time);
	int listener = listener_at("s", SOCK_STREAM, 3), fd;

	CALL(set_int(listener, SO_PASSCRED, 1));
	CALL(set_int(listener, SO_SNDBUF, 20000));
	CALL(set_int(listener, SO_REUSEADDR, 1));
	CALL(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	OK(connected_to("s", SOCK_STREAM));
	fd = OK(accept(listener, NULL, NULL));
	NOTE("%d %d %d", get_int(fd, SO_PASSCRED), get_int(fd, SO_SNDBUF),
		get_int(fd, SO_REUSEADDR));
	CALL(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &size));
	NOTE("%d", (int)time.tv_sec);
}

CASE(low_water)
{
	int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	NOTE("%d %d", get_int(fd, SO_RCVLOWAT), get_int(fd, SO_SNDLOWAT));
	CALL(set_int(fd, SO_SNDLOWAT, 5));
}

CASE(harmless_reads)
{
	static const int options[] = {SO_DEBUG, SO_DONTROUTE, SO_OOBINLINE, SO_TIMESTAMP,
		SO_TIMESTAMPNS, SO_MARK, SO_REUSEPORT, SO_PRIORITY, SO_RXQ_OVFL, SO_PEEK_OFF,
		SO_NO_CHECK, SO_BUSY_POLL, SO_INCOMING_CPU, SO_PASSSEC};

	for (size_t i = 0; i < 14; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (options[i] == SO_INCOMING_CPU)
			continue;
		NOTE("option %d: %d", options[i], get_int(fd, options[i]));
		close(fd);
	}
}

CASE(detach_filter)
{
	int fd = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), none = 0;

	CALL(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)));
}
