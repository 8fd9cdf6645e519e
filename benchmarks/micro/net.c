/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP and UDP over the loopback device. Latency is measured on one CPU (-same), where the placement
 * is the same natively, and where the scheduler likes.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "micro.h"

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A socket bound to a port of the kernel's choice, which *@ret_address then tells. */
static int bound(int type, struct sockaddr_in *ret_address)
{
	socklen_t size = sizeof(*ret_address);
	int fd = socket(AF_INET, type, 0);

	*ret_address = loopback();
	if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, size) < 0 ||
		getsockname(fd, (struct sockaddr *)ret_address, &size) < 0)
		die("bind");
	return fd;
}

static void tcp_pair(int fds[2])
{
	struct sockaddr_in address;
	int server = bound(SOCK_STREAM, &address), one = 1;

	if (listen(server, 1) < 0)
		die("listen");
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fds[0], (struct sockaddr *)&address, sizeof(address)) < 0)
		die("connect");
	fds[1] = accept(server, NULL, NULL);
	if (fds[1] < 0)
		die("accept");
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(server);
}

static void udp_pair(int fds[2])
{
	struct sockaddr_in addresses[2];

	for (int i = 0; i < 2; i++)
		fds[i] = bound(SOCK_DGRAM, &addresses[i]);
	for (int i = 0; i < 2; i++) {
		if (connect(fds[i], (struct sockaddr *)&addresses[!i], sizeof(addresses[0])) < 0)
			die("connect");
	}
}

/* @count round trips of @size bytes with a child at the other end. */
static void ping_pong(long count, const int fds[2], size_t size, int mine, int childs)
{
	const long warm_up = 10;
	char bytes[64] = "";
	pid_t pid;

	place(mine);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		place(childs);
		for (long i = 0; i < count + warm_up; i++)
			if (read(fds[1], bytes, size) != (ssize_t)size ||
				write(fds[1], bytes, size) != (ssize_t)size)
				_exit(1);
		_exit(0);
	}
	for (long i = 0; i < count + warm_up; i++) {
		if (i == warm_up)
			bench_start();
		if (write(fds[0], bytes, size) != (ssize_t)size ||
			read(fds[0], bytes, size) != (ssize_t)size)
			die("ping-pong");
	}
	bench_stop();
	waitpid(pid, NULL, 0);
	place(ANYWHERE);
	close(fds[0]);
	close(fds[1]);
}

static void op_tcp_pingpong(long count)
{
	int fds[2];

	tcp_pair(fds);
	ping_pong(count, fds, 1, ANYWHERE, ANYWHERE);
}

static void op_tcp_pingpong_same(long count)
{
	int fds[2];

	tcp_pair(fds);
	ping_pong(count, fds, 1, 0, 0);
}

static void op_udp_pingpong_same(long count)
{
	int fds[2];

	udp_pair(fds);
	ping_pong(count, fds, 64, 0, 0);
}

/* How long a datagram takes that arrives, while another process sends as fast as it can. */
static void op_udp_rate(long count)
{
	char bytes[64] = "";
	int fds[2];
	pid_t pid;

	udp_pair(fds);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(fds[1]);
		while (write(fds[0], bytes, sizeof(bytes)) > 0)
			;
		_exit(0);
	}
	bench_start();
	while (count--)
		if (read(fds[1], bytes, sizeof(bytes)) != sizeof(bytes))
			die("read");
	bench_stop();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

/* 64 KiB at a time into another process, all of them read. */
static void op_tcp_stream(long count)
{
	static char buffer[65536];
	int fds[2];
	pid_t pid;

	tcp_pair(fds);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(fds[0]);
		while (read(fds[1], buffer, sizeof(buffer)) > 0)
			;
		_exit(0);
	}
	close(fds[1]);
	bench_start();
	while (count--)
		if (write(fds[0], buffer, sizeof(buffer)) != sizeof(buffer))
			die("write");
	close(fds[0]);
	waitpid(pid, NULL, 0);
}

/* A connection is made, accepted and closed within one process. */
static void op_tcp_connect(long count)
{
	const struct linger linger = {.l_onoff = 1};
	struct sockaddr_in address;
	int server = bound(SOCK_STREAM, &address);

	if (listen(server, 16) < 0)
		die("listen");
	while (count--) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), other;

		/* Without it the ports would be used up (TIME_WAIT). */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			die("connect");
		other = accept(server, NULL, NULL);
		if (other < 0)
			die("accept");
		close(fd);
		close(other);
	}
	close(server);
}

const struct bench bench_net[] = {
	{"tcp-pingpong", op_tcp_pingpong},
	{"tcp-pingpong-same", op_tcp_pingpong_same},
	{"tcp-stream-64k", op_tcp_stream},
	{"tcp-connect", op_tcp_connect},
	{"udp-pingpong-same", op_udp_pingpong_same},
	{"udp-rate", op_udp_rate},
	{0},
};
