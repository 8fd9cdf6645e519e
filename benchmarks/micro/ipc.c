/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes between descriptors and processes. A ping-pong is measured in three placements, because
 * natively they differ by an order of magnitude: both ends where the scheduler likes (no suffix),
 * on one CPU (-same), on two (-split).
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "micro.h"

static void pipe_or_die(int fds[2])
{
	if (pipe(fds) < 0)
		die("pipe");
}

static void close_both(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void op_pipe_self(long count)
{
	char byte = 0;
	int fds[2];

	pipe_or_die(fds);
	while (count--)
		if (write(fds[1], &byte, 1) != 1 || read(fds[0], &byte, 1) != 1)
			die("pipe transfer");
	close_both(fds);
}

static void echo(long count, int in, int out)
{
	char byte;

	while (count--)
		if (read(in, &byte, 1) != 1 || write(out, &byte, 1) != 1)
			_exit(1);
	_exit(0);
}

/* @count round trips of a byte: @there[1] to @there[0] in a child, @back[1] to @back[0] here. */
static void ping_pong(long count, const int there[2], const int back[2], int mine, int childs)
{
	const long warm_up = 10;
	char byte = 0;
	pid_t pid;

	place(mine);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		place(childs);
		echo(count + warm_up, there[0], back[1]);
	}
	for (long i = 0; i < count + warm_up; i++) {
		if (i == warm_up)
			bench_start();
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			die("ping-pong");
	}
	bench_stop();
	waitpid(pid, NULL, 0);
	place(ANYWHERE);
}

static void pipe_ping_pong(long count, int mine, int childs)
{
	int there[2], back[2];

	pipe_or_die(there);
	pipe_or_die(back);
	ping_pong(count, there, back, mine, childs);
	close_both(there);
	close_both(back);
}

static void op_pipe_pingpong(long count)
{
	pipe_ping_pong(count, ANYWHERE, ANYWHERE);
}

static void op_pipe_pingpong_same(long count)
{
	pipe_ping_pong(count, 0, 0);
}

static void op_pipe_pingpong_split(long count)
{
	pipe_ping_pong(count, 0, 1);
}

static void unix_ping_pong(long count, int mine, int childs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
	ping_pong(count, (int[]){pair[1], pair[0]}, (int[]){pair[0], pair[1]}, mine, childs);
	close_both(pair);
}

static void op_unix_pingpong(long count)
{
	unix_ping_pong(count, ANYWHERE, ANYWHERE);
}

static void op_unix_pingpong_same(long count)
{
	unix_ping_pong(count, 0, 0);
}

/* 64 KiB at a time through a pipe into another process. */
static void op_pipe_stream_64k(long count)
{
	static char buffer[65536];
	int fds[2];
	pid_t pid;

	pipe_or_die(fds);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(fds[1]);
		while (read(fds[0], buffer, sizeof(buffer)) > 0)
			;
		_exit(0);
	}
	bench_start();
	while (count--)
		if (write(fds[1], buffer, sizeof(buffer)) != sizeof(buffer))
			die("write");
	close_both(fds);
	waitpid(pid, NULL, 0);
}

static void op_unix_self(long count)
{
	char byte = 0;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
	while (count--)
		if (send(pair[0], &byte, 1, 0) != 1 || recv(pair[1], &byte, 1, 0) != 1)
			die("socket transfer");
	close_both(pair);
}

static void op_eventfd(long count)
{
	uint64_t value = 1;
	int fd = eventfd(0, 0);

	if (fd < 0)
		die("eventfd");
	while (count--)
		if (write(fd, &value, 8) != 8 || read(fd, &value, 8) != 8)
			die("eventfd transfer");
	close(fd);
}

/* One of eight descriptors is ready. */
static void op_epoll(long count)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0), fds[8];

	for (int i = 0; i < 8; i++) {
		fds[i] = eventfd(i == 5, 0);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
			die("epoll_ctl");
	}
	bench_start();
	while (count--)
		if (epoll_wait(epoll, &event, 1, -1) != 1)
			die("epoll_wait");
	bench_stop();
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	close(epoll);
}

static void op_poll(long count)
{
	struct pollfd fds[8];

	for (int i = 0; i < 8; i++)
		fds[i] = (struct pollfd){.fd = eventfd(i == 5, 0), .events = POLLIN};
	bench_start();
	while (count--)
		if (poll(fds, 8, -1) != 1)
			die("poll");
	bench_stop();
	for (int i = 0; i < 8; i++)
		close(fds[i].fd);
}

const struct bench bench_ipc[] = {
	{"pipe-self", op_pipe_self},
	{"pipe-pingpong", op_pipe_pingpong},
	{"pipe-pingpong-same", op_pipe_pingpong_same},
	{"pipe-pingpong-split", op_pipe_pingpong_split},
	{"pipe-stream-64k", op_pipe_stream_64k},
	{"unix-self", op_unix_self},
	{"unix-pingpong", op_unix_pingpong},
	{"unix-pingpong-same", op_unix_pingpong_same},
	{"eventfd", op_eventfd},
	{"epoll", op_epoll},
	{"poll", op_poll},
	{0},
};
