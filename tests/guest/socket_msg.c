/* SPDX-License-Identifier: Apache-2.0 */
/* send(2), recv(2), sendmsg(2), recvmmsg(2) and their relatives over AF_UNIX sockets; cmsg(3) */
#include "socket_unix.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static char big[1 << 20];

/* ---- streams ---- */

CASE(stream_bytes)
{
	int fds[2];
	char buf[16];

	pair_of(SOCK_STREAM, fds);
	CALL(write(fds[0], "abc", 3));
	CALL(send(fds[0], "defg", 4, 0));
	CALL(write(fds[0], "", 0));
	CALL(send(fds[0], "", 0, 0));
	CALL(read(fds[1], buf, 2));
	CALL(recv(fds[1], buf, 16, 0));
	NOTE("%.5s", buf);
	CALL(recv(fds[1], buf, 16, MSG_DONTWAIT));
	CALL(recv(fds[1], buf, 0, MSG_DONTWAIT));
	CALL(read(fds[1], buf, 0));
}

CASE(stream_peek)
{
	int fds[2];
	char buf[16];

	pair_of(SOCK_STREAM, fds);
	OK(write(fds[0], "abc", 3));
	OK(write(fds[0], "def", 3));
	CALL(recv(fds[1], buf, 2, MSG_PEEK));
	CALL(recv(fds[1], buf, 3, MSG_PEEK));
	CALL(recv(fds[1], buf, 16, MSG_PEEK));
	NOTE("%.6s", buf);
	CALL(recv(fds[1], buf, 5, 0));
	CALL(recv(fds[1], buf, 16, MSG_PEEK));
	CALL(recv(fds[1], buf, 16, 0));
	CALL(recv(fds[1], buf, 16, MSG_PEEK | MSG_DONTWAIT));
}

CASE(stream_trunc_flag)
{
	int fds[2];
	char buf[16];

	pair_of(SOCK_STREAM, fds);
	OK(write(fds[0], "abcdef", 6));
	CALL(recv(fds[1], buf, 2, MSG_TRUNC));
	CALL(recv(fds[1], buf, 16, MSG_TRUNC));
}

CASE(stream_waitall)
{
	int fds[2];
	pid_t pid;
	char buf[16];

	pair_of(SOCK_STREAM, fds);
	pid = fork();
	if (pid == 0) {
		write(fds[0], "abc", 3);
		sleep_ms(40);
		write(fds[0], "def", 3);
		sleep_ms(40);
		_exit(shutdown(fds[0], SHUT_WR));
	}
	CALL(recv(fds[1], buf, 5, MSG_WAITALL));
	CALL(recv(fds[1], buf, 5, MSG_WAITALL));
	note_wait("writer", pid);
	CALL(recv(fds[1], buf, 5, MSG_WAITALL));
}

CASE(stream_waitall_interrupted)
{
	int fds[2];
	char buf[16];

	pair_of(SOCK_STREAM, fds);
	OK(write(fds[0], "abc", 3));
	alarm_in(30, 0);
	CALL(recv(fds[1], buf, 16, MSG_WAITALL));
	alarm_in(30, 0);
	CALL(recv(fds[1], buf, 16, MSG_WAITALL));
	OK(write(fds[0], "abc", 3));
	CALL(recv(fds[1], buf, 16, MSG_WAITALL | MSG_DONTWAIT));
}

CASE(stream_unread_data_resets)
{
	int fds[2];
	char buf[16];

	pair_of(SOCK_STREAM, fds);
	OK(write(fds[0], "unread", 6));
	OK(write(fds[1], "before", 6));
	close(fds[1]);
	note_poll("reset", fds[0]);
	CALL(read(fds[0], buf, 3));
	CALL(read(fds[0], buf, 16));
	CALL(read(fds[0], buf, 16));
	CALL(read(fds[0], buf, 16));
	CALL(send(fds[0], "x", 1, MSG_NOSIGNAL));
}

CASE(stream_reset_seen_by_send)
{
	int fds[2], error = -1;
	socklen_t size = sizeof(error);

	signal(SIGPIPE, count_signal);
	pair_of(SOCK_STREAM, fds);
	OK(write(fds[0], "unread", 6));
	close(fds[1]);
	CALL(write(fds[0], "x", 1));
	NOTE("signals %d", (int)signals_seen);
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &error, &size));
	NOTE("error %s", errno_name(error));
	CALL(getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &error, &size));
	NOTE("error %d", error);
	CALL(read(fds[0], &error, 1));
}

CASE(sigpipe_kills)
{
	int fds[2];

	pair_of(SOCK_STREAM, fds);
	close(fds[1]);
	CALL(send(fds[0], "x", 0, 0));
	CALL(send(fds[0], "x", 1, MSG_NOSIGNAL));
	CALL(send(fds[0], "x", 1, 0));
	NOTE("not reached");
}

CASE(sigpipe_by_call)
{
	struct iovec iov = {"ab", 2};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[2];

	signal(SIGPIPE, count_signal);
	pair_of(SOCK_STREAM, fds);
	close(fds[1]);
	CALL(write(fds[0], "x", 1));
	CALL(writev(fds[0], &iov, 1));
	NOTE("signals %d", (int)signals_seen);
	CALL(sendmsg(fds[0], &msg, 0));
	NOTE("signals %d", (int)signals_seen);
	CALL(sendmsg(fds[0], &msg, MSG_NOSIGNAL));
	NOTE("signals %d", (int)signals_seen);
	pair_of(SOCK_SEQPACKET, fds);
	close(fds[1]);
	CALL(write(fds[0], "x", 1));
	NOTE("signals %d", (int)signals_seen);
}

CASE(stream_full)
{
	int fds[2];
	ssize_t n, total = 0;

	pair_of(SOCK_STREAM | SOCK_NONBLOCK, fds);
	while ((n = write(fds[0], big, 4096)) > 0)
		total += n;
	NOTE("then %s", errno_name(errno));
	TRUTH(total >= 100000 && total <= 250000);
	note_poll("full", fds[0]);
	CALL(send(fds[0], "x", 1, 0));
	while ((n = read(fds[1], big, sizeof(big))) > 0)
		total -= n;
	NOTE("left %zd", total);
	note_poll("empty", fds[0]);
	CALL(send(fds[0], "x", 1, 0));
}

CASE(stream_large_blocking)
{
	int fds[2], bad = 0;
	size_t total = 0;
	ssize_t n;
	pid_t pid;

	pair_of(SOCK_STREAM, fds);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 251);
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		_exit(write(fds[0], big, sizeof(big)) != sizeof(big));
	}
	close(fds[0]);
	for (;;) {
		char buf[5000];

		n = read(fds[1], buf, sizeof(buf));
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++, total++)
			bad += buf[i] != (char)(total * 7 + total / 251);
	}
	NOTE("%zu bytes, %d bad, end %zd", total, bad, n);
	note_wait("writer", pid);
}

CASE(stream_write_interrupted)
{
	int fds[2];
	ssize_t n;

	pair_of(SOCK_STREAM, fds);
	alarm_in(50, 0);
	n = write(fds[0], big, sizeof(big));
	TRUTH(n > 0 && n < (ssize_t)sizeof(big));
	alarm_in(50, 0);
	CALL(write(fds[0], big, 1000000));
	signal(SIGPIPE, SIG_IGN);
}

CASE(stream_reader_gone_during_write)
{
	int fds[2];
	ssize_t n;
	pid_t pid;

	signal(SIGPIPE, count_signal);
	pair_of(SOCK_STREAM, fds);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		sleep_ms(50);
		_exit(0);
	}
	close(fds[1]);
	n = write(fds[0], big, sizeof(big));
	TRUTH(n > 0 && n < (ssize_t)sizeof(big));
	note_wait("reader", pid);
	NOTE("signals %d", (int)signals_seen);
}

CASE(stream_out_of_band)
{
	int fds[2];
	char c;

	pair_of(SOCK_SEQPACKET, fds);
	CALL(send(fds[0], "x", 1, MSG_OOB));
	pair_of(SOCK_DGRAM, fds);
	CALL(send(fds[0], "x", 1, MSG_OOB));
	CALL(recv(fds[0], &c, 1, MSG_OOB | MSG_DONTWAIT));
}

CASE(stream_addresses)
{
	struct unix_name name = at_path("s");
	struct sockaddr_un un;
	socklen_t size = sizeof(un);
	int fds[2];
	char c;

	OK(listener_at("s", SOCK_STREAM, 2));
	pair_of(SOCK_STREAM, fds);
	CALL(sendto(fds[0], "x", 1, 0, ADDR(name)));
	CALL(sendto(OK(socket(AF_UNIX, SOCK_STREAM, 0)), "x", 1, MSG_NOSIGNAL, ADDR(name)));
	CALL(send(OK(socket(AF_UNIX, SOCK_STREAM, 0)), "x", 1, MSG_NOSIGNAL));
	CALL(recv(OK(socket(AF_UNIX, SOCK_STREAM, 0)), &c, 1, 0));
	pair_of(SOCK_SEQPACKET, fds);
	CALL(sendto(fds[0], "x", 1, 0, ADDR(name)));
	pair_of(SOCK_STREAM, fds);
	OK(write(fds[0], "x", 1));
	CALL(recvfrom(fds[1], &c, 1, 0, (struct sockaddr *)&un, &size));
	NOTE("size %u", size);
}

CASE(stream_vectors)
{
	char a[3], b[5];
	struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cdef", 4}}, in[2] = {{a, 3}, {b, 5}};
	int fds[2];

	pair_of(SOCK_STREAM, fds);
	CALL(writev(fds[0], out, 3));
	CALL(readv(fds[1], in, 2));
	NOTE("%.3s %.3s", a, b);
	CALL(writev(fds[0], out, 0));
	CALL(writev(fds[0], out, -1));
	CALL(writev(fds[0], out, 1025));
	out[0].iov_len = (size_t)-1;
	CALL(writev(fds[0], out, 3));
	CALL(writev(fds[0], BAD_ADDRESS, 1));
}

CASE(stream_bad_memory)
{
	struct iovec iov[2] = {{"ab", 2}, {BAD_ADDRESS, 3}};
	int fds[2];
	char buf[16];

	pair_of(SOCK_STREAM | SOCK_NONBLOCK, fds);
	CALL(send(fds[0], BAD_ADDRESS, 3, 0));
	CALL(recv(fds[1], buf, 16, 0));
	CALL(writev(fds[0], iov, 2));
	CALL(recv(fds[1], buf, 16, 0));
	CALL(send(fds[0], "abc", 3, 0));
	CALL(recv(fds[1], BAD_ADDRESS, 3, 0));
	CALL(recv(fds[1], buf, 16, 0));
}

/* ---- waiting ---- */

CASE(receive_interrupted)
{
	struct timeval timeout = {5, 0};
	int fds[2];
	char c;

	pair_of(SOCK_STREAM, fds);
	alarm_in(20, 0);
	CALL(recv(fds[0], &c, 1, 0));
	alarm_in(20, 0);
	CALL(read(fds[0], &c, 1));
	/* with a timeout not even SA_RESTART restarts: signal(7) */
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	alarm_in(20, SA_RESTART);
	CALL(recv(fds[0], &c, 1, 0));
	alarm_in(20, SA_RESTART);
	CALL(read(fds[0], &c, 1));
	NOTE("signals %d", (int)signals_seen);
}

CASE(receive_restarted)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

	for (int i = 0; i < 3; i++) {
		int fds[2];
		pid_t pid;
		char c;

		pair_of(types[i], fds);
		pid = fork();
		if (pid == 0) {
			sleep_ms(80);
			_exit(send(fds[1], "x", 1, 0) != 1);
		}
		alarm_in(20, SA_RESTART);
		CALL(recv(fds[0], &c, 1, 0));
		NOTE("signals %d", (int)signals_seen);
		note_wait("sender", pid);
	}
}

CASE(receive_timeout)
{
	struct timeval timeout = {0, 40000};
	long long begin;
	int fds[2];
	char buf[8];

	pair_of(SOCK_STREAM, fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	begin = now_ms();
	CALL(recv(fds[0], buf, 8, 0));
	CALL(read(fds[0], buf, 8));
	TRUTH(now_ms() - begin >= 75 && now_ms() - begin < 2000);
	OK(write(fds[1], "abc", 3));
	CALL(recv(fds[0], buf, 8, MSG_WAITALL));
	pair_of(SOCK_DGRAM, fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	CALL(recv(fds[0], buf, 8, 0));
}

CASE(send_timeout)
{
	struct timeval timeout = {0, 40000};
	long long begin;
	int fds[2];
	ssize_t n;

	pair_of(SOCK_STREAM, fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)));
	begin = now_ms();
	n = send(fds[0], big, sizeof(big), 0);
	TRUTH(n > 0 && n < (ssize_t)sizeof(big));
	CALL(send(fds[0], big, sizeof(big), 0));
	TRUTH(now_ms() - begin >= 75 && now_ms() - begin < 2000);
}

/* ---- datagrams and records ---- */

CASE(dgram_boundaries)
{
	int fds[2];
	char buf[16];

	pair_of(SOCK_DGRAM, fds);
	CALL(send(fds[0], "abc", 3, 0));
	CALL(send(fds[0], "", 0, 0));
	CALL(write(fds[0], "", 0));
	CALL(send(fds[0], "defgh", 5, 0));
	CALL(recv(fds[1], buf, 16, 0));
	CALL(recv(fds[1], buf, 16, 0));
	CALL(recv(fds[1], buf, 16, MSG_DONTWAIT));
	CALL(recv(fds[1], buf, 2, MSG_PEEK));
	CALL(recv(fds[1], buf, 2, MSG_PEEK | MSG_TRUNC));
	CALL(recv(fds[1], buf, 2, 0));
	CALL(recv(fds[1], buf, 2, MSG_DONTWAIT));
	CALL(send(fds[0], "12345", 5, 0));
	CALL(recv(fds[1], buf, 2, MSG_TRUNC));
	CALL(send(fds[0], "12345", 5, 0));
	CALL(recv(fds[1], buf, 0, 0));
	CALL(recv(fds[1], buf, 2, MSG_DONTWAIT));
	CALL(send(fds[0], "12345", 5, 0));
	CALL(recv(fds[1], buf, 16, MSG_WAITALL));
}

CASE(dgram_names)
{
	struct unix_name a = at_path("a"), b = at_path("b");
	int first = bound_at("a", SOCK_DGRAM), second = bound_at("b", SOCK_DGRAM);
	struct sockaddr_un un;
	socklen_t size = sizeof(un);
	char buf[8];

	CALL(sendto(first, "hi", 2, 0, ADDR(b)));
	CALL(recvfrom(second, buf, 8, 0, (struct sockaddr *)&un, &size));
	NOTE("size %u, %s", size, un.sun_path);
	CALL(sendto(OK(socket(AF_UNIX, SOCK_DGRAM, 0)), "hi", 2, 0, ADDR(b)));
	size = sizeof(un);
	CALL(recvfrom(second, buf, 8, 0, (struct sockaddr *)&un, &size));
	NOTE("size %u", size);
	CALL(sendto(first, "hi", 2, 0, ADDR(b)));
	size = 4;
	CALL(recvfrom(second, buf, 8, 0, (struct sockaddr *)&un, &size));
	NOTE("size %u", size);
	CALL(sendto(first, "hi", 2, 0, ADDR(b)));
	CALL(recvfrom(second, buf, 8, 0, BAD_ADDRESS, &size));
	CALL(recvfrom(second, buf, 8, MSG_DONTWAIT, NULL, NULL));
	CALL(sendto(first, "hi", 2, 0, ADDR(b)));
	CALL(recvfrom(second, buf, 8, 0, (struct sockaddr *)&un, NULL));
	CALL(sendto(first, "hi", 2, 0, ADDR(b)));
	CALL(recvfrom(second, buf, 8, 0, NULL, BAD_ADDRESS));
	CALL(sendto(first, "x", 1, 0, (struct sockaddr *)&a.un, 1));
	CALL(sendto(first, "x", 1, 0, (struct sockaddr *)&a.un, 2));
	CALL(sendto(first, "x", 1, 0, (struct sockaddr *)&a.un, 111));
	CALL(sendto(first, "x", 1, 0, (struct sockaddr *)&a.un, 0));
	CALL(sendto(first, "x", 1, 0, NULL, 20));
	CALL(sendto(first, "x", 1, 0, BAD_ADDRESS, 20));
	a = at_path("none");
	CALL(sendto(first, "x", 1, 0, ADDR(a)));
}

CASE(dgram_queue_full)
{
	struct unix_name name = at_path("s");
	int server = bound_at("s", SOCK_DGRAM), fd = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), n = 0;
	char c;

	while (sendto(fd, "x", 1, MSG_DONTWAIT, ADDR(name)) == 1)
		n++;
	NOTE("%d datagrams, then %s", n, errno_name(errno));
	note_poll("sender", fd);
	CALL(connect(fd, ADDR(name)));
	note_poll("connected sender", fd);
	CALL(recv(server, &c, 1, 0));
	note_poll("connected sender", fd);
	CALL(send(fd, "x", 1, MSG_DONTWAIT));
	CALL(send(fd, "x", 1, MSG_DONTWAIT));
}

CASE(dgram_queue_waits)
{
	struct unix_name name = at_path("s");
	int server = bound_at("s", SOCK_DGRAM), fd = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	pid_t pid;
	char c;

	while (sendto(fd, "x", 1, MSG_DONTWAIT, ADDR(name)) == 1)
		;
	alarm_in(30, 0);
	CALL(sendto(fd, "x", 1, 0, ADDR(name)));
	pid = fork();
	if (pid == 0) {
		sleep_ms(40);
		_exit(recv(server, &c, 1, 0) != 1);
	}
	CALL(sendto(fd, "x", 1, 0, ADDR(name)));
	note_wait("receiver", pid);
	CALL(connect(fd, ADDR(name)));
	pid = fork();
	if (pid == 0) {
		struct pollfd p = {fd, POLLOUT, 0};

		_exit(poll(&p, 1, 5000) != 1);
	}
	sleep_ms(40);
	CALL(recv(server, &c, 1, 0));
	note_wait("poller", pid);
}

CASE(dgram_receiver_closes_while_full)
{
	struct unix_name name = at_path("s");
	int server = bound_at("s", SOCK_DGRAM), fd = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	pid_t pid;

	while (sendto(fd, "x", 1, MSG_DONTWAIT, ADDR(name)) == 1)
		;
	pid = fork();
	if (pid == 0) {
		sleep_ms(40);
		close(server);
		_exit(0);
	}
	close(server);
	CALL(sendto(fd, "x", 1, 0, ADDR(name)));
	note_wait("closer", pid);
}

CASE(dgram_pair_not_limited_by_count)
{
	int fds[2], n = 0;

	pair_of(SOCK_DGRAM, fds);
	while (n < 30 && send(fds[0], "x", 1, MSG_DONTWAIT) == 1)
		n++;
	NOTE("%d", n);
}

CASE(message_too_long)
{
	int fds[2], size = 5000;

	pair_of(SOCK_DGRAM, fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	CALL(send(fds[0], big, 9968, 0));
	CALL(send(fds[0], big, 9969, 0));
	CALL(send(fds[0], big, 20000, MSG_DONTWAIT));
	pair_of(SOCK_SEQPACKET, fds);
	CALL(send(fds[0], big, sizeof(big), 0));
	CALL(send(fds[0], big, 200000, 0));
	CALL(recv(fds[1], big, sizeof(big), 0));
}

CASE(records)
{
	struct iovec iov = {big, 3};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[2];

	pair_of(SOCK_SEQPACKET, fds);
	OK(send(fds[0], "abcdef", 6, 0));
	OK(send(fds[0], "gh", 2, MSG_EOR));
	OK(send(fds[0], "", 0, 0));
	CALL(recvmsg(fds[1], &msg, 0));
	NOTE("flags %#x", msg.msg_flags);
	CALL(recvmsg(fds[1], &msg, 0));
	NOTE("flags %#x", msg.msg_flags);
	CALL(recvmsg(fds[1], &msg, 0));
	NOTE("flags %#x", msg.msg_flags);
	CALL(recvmsg(fds[1], &msg, MSG_DONTWAIT));
	close(fds[0]);
	CALL(recvmsg(fds[1], &msg, 0));
	NOTE("flags %#x", msg.msg_flags);
}

CASE(record_unread_resets)
{
	int fds[2];
	char c;

	pair_of(SOCK_SEQPACKET, fds);
	OK(send(fds[0], "abc", 3, 0));
	close(fds[1]);
	note_poll("reset", fds[0]);
	CALL(recv(fds[0], &c, 1, 0));
	CALL(recv(fds[0], &c, 1, 0));
}

/* ---- message headers ---- */

CASE(header_errors)
{
	struct iovec iov = {big, 3}, many[1025] = {0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[2];

	pair_of(SOCK_STREAM | SOCK_NONBLOCK, fds);
	CALL(sendmsg(fds[0], BAD_ADDRESS, 0));
	CALL(recvmsg(fds[0], BAD_ADDRESS, 0));
	CALL(sendmsg(-1, BAD_ADDRESS, 0));
	msg.msg_iov = many;
	msg.msg_iovlen = 1025;
	CALL(sendmsg(fds[0], &msg, 0));
	CALL(recvmsg(fds[0], &msg, 0));
	msg.msg_iovlen = 1024;
	CALL(sendmsg(fds[0], &msg, 0));
	msg.msg_iov = BAD_ADDRESS;
	msg.msg_iovlen = 1;
	CALL(sendmsg(fds[0], &msg, 0));
	CALL(recvmsg(fds[0], &msg, 0));
	msg.msg_iov = NULL;
	msg.msg_iovlen = 0;
	CALL(sendmsg(fds[0], &msg, 0));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_name = BAD_ADDRESS;
	msg.msg_namelen = 10;
	CALL(sendmsg(fds[0], &msg, 0));
	msg.msg_namelen = (socklen_t)-1;
	CALL(sendmsg(fds[0], &msg, 0));
	CALL(recvmsg(fds[1], &msg, 0));
	msg.msg_name = NULL;
	CALL(sendmsg(fds[0], &msg, 0));
	CALL(recvmsg(fds[1], &msg, 0));
	msg.msg_namelen = 0;
	msg.msg_control = BAD_ADDRESS;
	msg.msg_controllen = 24;
	CALL(sendmsg(fds[0], &msg, 0));
	msg.msg_controllen = (size_t)1 << 40;
	CALL(sendmsg(fds[0], &msg, 0));
}

CASE(header_results)
{
	char name[64], control[64];
	struct iovec iov = {big, 8};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_name = name,
		.msg_namelen = sizeof(name),
		.msg_control = control,
		.msg_controllen = sizeof(control),
		.msg_flags = 0x5555};
	int fds[2];

	pair_of(SOCK_STREAM, fds);
	OK(write(fds[0], "abc", 3));
	CALL(recvmsg(fds[1], &msg, MSG_CMSG_CLOEXEC));
	NOTE("namelen %u, controllen %zu, flags %#x", msg.msg_namelen, msg.msg_controllen,
		msg.msg_flags);
	pair_of(SOCK_DGRAM, fds);
	OK(write(fds[0], "abcdefghijk", 11));
	msg.msg_namelen = sizeof(name);
	msg.msg_controllen = sizeof(control);
	CALL(recvmsg(fds[1], &msg, MSG_TRUNC));
	NOTE("namelen %u, controllen %zu, flags %#x", msg.msg_namelen, msg.msg_controllen,
		msg.msg_flags);
	close(fds[0]);
	msg.msg_controllen = sizeof(control);
	CALL(recvmsg(fds[1], &msg, MSG_DONTWAIT));
}

/* ---- descriptors on their way ---- */

struct carrier {
	union {
		struct cmsghdr align;
		char bytes[2048];
	} control;
	struct iovec iov;
	struct msghdr msg;
	char data[8];
};

static void carrier_init(struct carrier *c, size_t control_size)
{
	memset(c, 0, sizeof(*c));
	c->iov = (struct iovec){c->data, 1};
	c->msg = (struct msghdr){.msg_iov = &c->iov,
		.msg_iovlen = 1,
		.msg_control = control_size ? &c->control : NULL,
		.msg_controllen = control_size};
}

static void put_fds(struct carrier *c, const int *fds, int count)
{
	struct cmsghdr *header = &c->control.align;

	carrier_init(c, CMSG_SPACE((size_t)count * sizeof(int)));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, (size_t)count * sizeof(int));
}

static ssize_t send_fds(int socket, const int *fds, int count)
{
	static struct carrier c;

	put_fds(&c, fds, count);
	return sendmsg(socket, &c.msg, MSG_NOSIGNAL);
}

static void note_control(const struct carrier *c)
{
	const struct cmsghdr *header;

	NOTE("controllen %zu, flags %#x", c->msg.msg_controllen, c->msg.msg_flags);
	for (header = CMSG_FIRSTHDR(&c->msg); header;
		header = CMSG_NXTHDR((struct msghdr *)&c->msg, (struct cmsghdr *)header))
		NOTE("  level %d, type %d, len %zu", header->cmsg_level, header->cmsg_type,
			header->cmsg_len);
}

static ssize_t receive_into(int socket, struct carrier *c, size_t control_size, int flags)
{
	ssize_t n;

	carrier_init(c, control_size);
	n = recvmsg(socket, &c->msg, flags);
	if (n >= 0)
		note_control(c);
	return n;
}

static int first_fd(const struct carrier *c)
{
	int fd;

	memcpy(&fd, CMSG_DATA(&c->control.align), sizeof(fd));
	return fd;
}

static int open_count(void)
{
	int n = 0;

	for (int fd = 0; fd < 300; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

CASE(rights_one)
{
	struct carrier c;
	int fds[2], file, got;
	char buf[8] = "";

	pair_of(SOCK_STREAM, fds);
	write_file("f", "hello");
	file = OK(open("f", O_RDONLY));
	OK(read(file, buf, 2));
	CALL(send_fds(fds[0], &file, 1));
	close(file);
	CALL(receive_into(fds[1], &c, CMSG_SPACE(sizeof(int)), 0));
	got = first_fd(&c);
	NOTE("cloexec %d", fcntl(got, F_GETFD));
	CALL(read(got, buf, 8));
	NOTE("%.3s", buf);
}

CASE(rights_cloexec)
{
	struct carrier c;
	int fds[2];

	pair_of(SOCK_DGRAM, fds);
	CALL(send_fds(fds[0], fds, 1));
	CALL(receive_into(fds[1], &c, CMSG_SPACE(sizeof(int)), MSG_CMSG_CLOEXEC));
	NOTE("cloexec %d", fcntl(first_fd(&c), F_GETFD));
	NOTE("cloexec of the sent one %d", fcntl(fds[0], F_GETFD));
}

CASE(rights_many)
{
	struct carrier c;
	int fds[2], many[254], before;

	pair_of(SOCK_STREAM, fds);
	for (int i = 0; i < 254; i++)
		many[i] = fds[i & 1];
	before = open_count();
	CALL(send_fds(fds[0], many, 253));
	CALL(send_fds(fds[0], many, 254));
	CALL(receive_into(fds[1], &c, sizeof(c.control), 0));
	NOTE("%d more", open_count() - before);
}

CASE(rights_truncated)
{
	struct carrier c;
	int fds[2], three[3], before;

	pair_of(SOCK_STREAM, fds);
	three[0] = three[1] = three[2] = fds[0];
	before = open_count();
	CALL(send_fds(fds[0], three, 3));
	CALL(receive_into(fds[1], &c, CMSG_LEN(2 * sizeof(int)), 0));
	NOTE("%d more", open_count() - before);
	CALL(send_fds(fds[0], three, 3));
	CALL(receive_into(fds[1], &c, 0, 0));
	NOTE("%d more", open_count() - before);
	CALL(send_fds(fds[0], three, 3));
	CALL(receive_into(fds[1], &c, 8, 0));
	CALL(send_fds(fds[0], three, 3));
	CALL(receive_into(fds[1], &c, CMSG_LEN(0), 0));
	CALL(send_fds(fds[0], three, 3));
	CALL(receive_into(fds[1], &c, CMSG_LEN(0) + 2, 0));
	NOTE("%d more", open_count() - before);
	CALL(send_fds(fds[0], three, 3));
	CALL(recv(fds[1], c.data, 1, 0));
	NOTE("%d more", open_count() - before);
}

CASE(rights_errors)
{
	struct carrier c;
	int fds[2], bad[2] = {0, 99}, buf;

	pair_of(SOCK_STREAM | SOCK_NONBLOCK, fds);
	CALL(send_fds(fds[0], bad, 2));
	bad[0] = -1;
	CALL(send_fds(fds[0], bad, 1));
	CALL(recv(fds[1], &buf, 1, 0));
	CALL(send_fds(fds[0], bad, 0));
	CALL(receive_into(fds[1], &c, 64, 0));
	put_fds(&c, fds, 1);
	c.control.align.cmsg_len = 8;
	CALL(sendmsg(fds[0], &c.msg, 0));
	c.control.align.cmsg_len = 0;
	CALL(sendmsg(fds[0], &c.msg, 0));
	c.control.align.cmsg_len = 25;
	CALL(sendmsg(fds[0], &c.msg, 0));
	c.control.align.cmsg_len = 19;
	CALL(sendmsg(fds[0], &c.msg, 0));
	put_fds(&c, fds, 1);
	c.control.align.cmsg_type = 77;
	CALL(sendmsg(fds[0], &c.msg, 0));
	c.control.align.cmsg_level = 77;
	CALL(sendmsg(fds[0], &c.msg, 0));
	put_fds(&c, fds, 1);
	c.msg.msg_controllen = 10;
	CALL(sendmsg(fds[0], &c.msg, 0));
	c.msg.msg_controllen = 16;
	CALL(sendmsg(fds[0], &c.msg, 0));
	bad[0] = OK(open(".", O_PATH));
	CALL(send_fds(fds[0], bad, 1));
}

CASE(rights_split_reads)
{
	struct carrier c;
	int fds[2];

	pair_of(SOCK_STREAM, fds);
	OK(write(fds[0], "ab", 2));
	CALL(send_fds(fds[0], fds, 1));
	OK(write(fds[0], "cd", 2));
	carrier_init(&c, 64);
	c.iov.iov_len = 8;
	CALL(recvmsg(fds[1], &c.msg, 0));
	note_control(&c);
	carrier_init(&c, 64);
	c.iov.iov_len = 8;
	CALL(recvmsg(fds[1], &c.msg, 0));
	note_control(&c);
	carrier_init(&c, 64);
	c.iov.iov_len = 8;
	CALL(recvmsg(fds[1], &c.msg, MSG_DONTWAIT));
	note_control(&c);
}

CASE(rights_two_messages)
{
	struct carrier c;
	int fds[2];

	pair_of(SOCK_STREAM, fds);
	CALL(send_fds(fds[0], fds, 1));
	CALL(send_fds(fds[0], fds, 2));
	carrier_init(&c, 256);
	c.iov.iov_len = 8;
	CALL(recvmsg(fds[1], &c.msg, 0));
	note_control(&c);
	carrier_init(&c, 256);
	c.iov.iov_len = 8;
	CALL(recvmsg(fds[1], &c.msg, MSG_DONTWAIT));
	note_control(&c);
}

CASE(rights_two_headers)
{
	struct carrier c;
	struct cmsghdr *second;
	int fds[2];

	pair_of(SOCK_STREAM, fds);
	put_fds(&c, fds, 1);
	second = (struct cmsghdr *)(c.control.bytes + CMSG_SPACE(sizeof(int)));
	memcpy(second, &c.control, CMSG_SPACE(sizeof(int)));
	c.msg.msg_controllen = 2 * CMSG_SPACE(sizeof(int));
	CALL(sendmsg(fds[0], &c.msg, 0));
	CALL(receive_into(fds[1], &c, 256, 0));
}

CASE(rights_peek)
{
	struct carrier c;
	int fds[2], before, file;

	pair_of(SOCK_DGRAM, fds);
	file = OK(open("/dev/null", O_RDONLY));
	CALL(send_fds(fds[0], &file, 1));
	before = open_count();
	CALL(receive_into(fds[1], &c, 64, MSG_PEEK));
	CALL(receive_into(fds[1], &c, 64, 0));
	NOTE("%d more", open_count() - before);
}

CASE(rights_without_data)
{
	struct carrier c;
	int fds[2];

	pair_of(SOCK_STREAM | SOCK_NONBLOCK, fds);
	put_fds(&c, fds, 1);
	c.iov.iov_len = 0;
	CALL(sendmsg(fds[0], &c.msg, 0));
	CALL(receive_into(fds[1], &c, 64, 0));
	pair_of(SOCK_DGRAM | SOCK_NONBLOCK, fds);
	put_fds(&c, fds, 1);
	c.iov.iov_len = 0;
	CALL(sendmsg(fds[0], &c.msg, 0));
	CALL(receive_into(fds[1], &c, 64, 0));
}

CASE(rights_of_closed_descriptors)
{
	struct carrier c;
	int fds[2], pipe_fds[2];
	char buf;

	pair_of(SOCK_STREAM, fds);
	OK(pipe(pipe_fds));
	CALL(send_fds(fds[0], &pipe_fds[1], 1));
	close(pipe_fds[1]);
	CALL(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK));
	CALL(read(pipe_fds[0], &buf, 1)); /* the one on its way counts */
	CALL(receive_into(fds[1], &c, 64, 0));
	CALL(write(first_fd(&c), "x", 1));
	CALL(read(pipe_fds[0], &buf, 1));
	/* dropped with the socket */
	CALL(send_fds(fds[0], (int[]){first_fd(&c)}, 1));
	close(first_fd(&c));
	CALL(read(pipe_fds[0], &buf, 1));
	close(fds[1]);
	close(fds[0]);
	CALL(read(pipe_fds[0], &buf, 1));
}

CASE(rights_of_sockets)
{
	struct carrier c;
	int fds[2], inner[2];
	char buf[8];

	pair_of(SOCK_STREAM, fds);
	pair_of(SOCK_STREAM, inner);
	CALL(send_fds(fds[0], &inner[1], 1));
	CALL(write(inner[0], "deep", 4));
	close(inner[1]);
	close(inner[0]);
	CALL(receive_into(fds[1], &c, 64, 0));
	CALL(read(first_fd(&c), buf, 8));
	CALL(read(first_fd(&c), buf, 8));
}

CASE(rights_itself)
{
	int fds[2], pipe_fds[2];
	char buf;

	/* a cycle: sockets that are only in their own queues */
	pair_of(SOCK_STREAM, fds);
	OK(pipe2(pipe_fds, O_NONBLOCK));
	CALL(send_fds(fds[0], (int[]){fds[0], fds[1]}, 2));
	CALL(send_fds(fds[1], (int[]){fds[0], fds[1]}, 2));
	close(fds[0]);
	close(fds[1]);
	CALL(read(pipe_fds[0], &buf, 1));
}

/* Sockets whose queues hold sockets whose queues hold sockets: the last close ends them all. */
CASE(rights_nested)
{
	int fds[2], next[2], pipe_fds[2], depth;
	char buf;

	OK(pipe2(pipe_fds, O_NONBLOCK));
	pair_of(SOCK_STREAM, fds);
	if (send_fds(fds[0], &pipe_fds[1], 1) != 1)
		NOTE("first: %s", errno_name(errno));
	close(pipe_fds[1]);
	close(fds[0]);
	for (depth = 0; depth < 1000; depth++) {
		pair_of(SOCK_STREAM, next);
		if (send_fds(next[0], &fds[1], 1) != 1)
			break;
		close(next[0]);
		close(fds[1]);
		fds[1] = next[1];
	}
	NOTE("%d deep", depth);
	CALL(read(pipe_fds[0], &buf, 1));
	close(fds[1]);
	sleep_ms(50); /* Linux ends them in the background */
	CALL(read(pipe_fds[0], &buf, 1));
}

CASE(rights_limit)
{
	struct carrier c;
	int fds[2], three[3], n = 0;

	pair_of(SOCK_STREAM, fds);
	three[0] = three[1] = three[2] = fds[0];
	CALL(send_fds(fds[0], three, 3));
	while (dup(0) >= 0)
		n++;
	NOTE("then %s", errno_name(errno));
	close(fds[0] == 3 ? 10 : 11);
	CALL(receive_into(fds[1], &c, 64, 0));
}

CASE(rights_across_fork)
{
	struct carrier c;
	int fds[2], event;
	uint64_t value = 0;
	pid_t pid;

	pair_of(SOCK_SEQPACKET, fds);
	pid = fork();
	if (pid == 0) {
		event = eventfd(5, 0);
		_exit(send_fds(fds[0], &event, 1) != 1);
	}
	note_wait("child", pid);
	CALL(receive_into(fds[1], &c, 64, 0));
	CALL(read(first_fd(&c), &value, 8));
	NOTE("%d", (int)value);
}

/* ---- credentials ---- */

static void note_cred(const struct carrier *c, pid_t other)
{
	struct ucred cred = {0};

	if (c->msg.msg_controllen < CMSG_LEN(sizeof(cred)) ||
		c->control.align.cmsg_type != SCM_CREDENTIALS) {
		NOTE("no credentials");
		return;
	}
	memcpy(&cred, CMSG_DATA(&c->control.align), sizeof(cred));
	NOTE("pid mine %d, pid the other's %d, pid 0 %d, uid mine %d, gid mine %d",
		cred.pid == getpid(), cred.pid == other, cred.pid == 0, cred.uid == getuid(),
		cred.gid == getgid());
}

CASE(credentials_asked)
{
	struct carrier c;
	int fds[2], one = 1;
	pid_t pid;

	pair_of(SOCK_DGRAM, fds);
	OK(send(fds[0], "x", 1, 0)); /* before it was asked for */
	CALL(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	OK(send(fds[0], "x", 1, 0));
	pid = fork();
	if (pid == 0)
		_exit(send(fds[0], "x", 1, 0) != 1);
	note_wait("child", pid);
	CALL(receive_into(fds[1], &c, 64, 0));
	note_cred(&c, pid);
	CALL(receive_into(fds[1], &c, 64, 0));
	note_cred(&c, pid);
	CALL(receive_into(fds[1], &c, 64, 0));
	note_cred(&c, pid);
}

static ssize_t send_cred(int socket, struct ucred cred, size_t size)
{
	struct carrier c;
	struct cmsghdr *header = &c.control.align;

	carrier_init(&c, CMSG_SPACE(size));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_CREDENTIALS;
	header->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(header), &cred, size);
	return sendmsg(socket, &c.msg, MSG_NOSIGNAL);
}

CASE(credentials_given)
{
	struct ucred mine = {getpid(), getuid(), getgid()}, wrong = mine;
	struct carrier c;
	int fds[2], one = 1;

	pair_of(SOCK_DGRAM, fds);
	CALL(send_cred(fds[0], mine, sizeof(mine)));
	CALL(receive_into(fds[1], &c, 64, 0)); /* not asked for */
	CALL(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	CALL(send_cred(fds[0], mine, sizeof(mine)));
	CALL(receive_into(fds[1], &c, 64, 0));
	note_cred(&c, 0);
	CALL(send_cred(fds[0], mine, 8));
	wrong.pid = 999999;
	OK(send_cred(fds[0], wrong, sizeof(wrong)));
	if (getuid() == 0 && (setgid(1234) < 0 || setuid(1234) < 0))
		SKIP("cannot change the user");
	mine.uid = getuid();
	mine.gid = getgid();
	CALL(send_cred(fds[0], mine, sizeof(mine)));
	wrong = mine;
	wrong.pid = getppid();
	CALL(send_cred(fds[0], wrong, sizeof(wrong)));
	wrong = mine;
	wrong.uid = 4321;
	CALL(send_cred(fds[0], wrong, sizeof(wrong)));
	wrong = mine;
	wrong.gid = 4321;
	CALL(send_cred(fds[0], wrong, sizeof(wrong)));
}

CASE(credentials_and_rights)
{
	struct carrier c;
	int fds[2], one = 1;

	pair_of(SOCK_STREAM, fds);
	CALL(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	CALL(send_fds(fds[0], fds, 2));
	CALL(receive_into(fds[1], &c, 256, 0));
	note_cred(&c, 0);
	CALL(send_fds(fds[0], fds, 2));
	CALL(receive_into(fds[1], &c, CMSG_SPACE(sizeof(struct ucred)), 0));
	CALL(send_fds(fds[0], fds, 2));
	CALL(receive_into(fds[1], &c, 20, 0));
	CALL(send_fds(fds[0], fds, 2));
	CALL(receive_into(fds[1], &c, 0, 0));
}

CASE(credentials_on_stream_end)
{
	struct carrier c;
	int fds[2], one = 1;

	pair_of(SOCK_STREAM, fds);
	CALL(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	close(fds[0]);
	CALL(receive_into(fds[1], &c, 64, 0));
	note_cred(&c, 0);
}

CASE(credentials_split_stream)
{
	struct carrier c;
	int fds[2], one = 1;
	pid_t pid;

	pair_of(SOCK_STREAM, fds);
	CALL(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	OK(write(fds[0], "a", 1));
	OK(write(fds[0], "b", 1));
	pid = fork();
	if (pid == 0)
		_exit(write(fds[0], "c", 1) != 1);
	note_wait("child", pid);
	carrier_init(&c, 64);
	c.iov.iov_len = 8;
	CALL(recvmsg(fds[1], &c.msg, 0));
	note_cred(&c, pid);
	carrier_init(&c, 64);
	c.iov.iov_len = 8;
	CALL(recvmsg(fds[1], &c.msg, 0));
	note_cred(&c, pid);
}

/* ---- several messages in one call ---- */

CASE(many_messages)
{
	struct iovec out[4] = {{"a", 1}, {"bb", 2}, {"ccc", 3}, {BAD_ADDRESS, 4}}, in[5];
	struct mmsghdr send_vec[4] = {0}, receive_vec[5] = {0};
	char buf[5][8];
	int fds[2];

	pair_of(SOCK_DGRAM, fds);
	for (int i = 0; i < 4; i++)
		send_vec[i].msg_hdr = (struct msghdr){.msg_iov = &out[i], .msg_iovlen = 1};
	for (int i = 0; i < 5; i++) {
		in[i] = (struct iovec){buf[i], 2};
		receive_vec[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
	}
	CALL(sendmmsg(fds[0], send_vec, 4, 0));
	NOTE("%u %u %u", send_vec[0].msg_len, send_vec[1].msg_len, send_vec[2].msg_len);
	CALL(sendmmsg(fds[0], send_vec + 3, 1, 0));
	CALL(recvmmsg(fds[1], receive_vec, 5, MSG_DONTWAIT, NULL));
	for (int i = 0; i < 3; i++)
		NOTE("%u %#x", receive_vec[i].msg_len, receive_vec[i].msg_hdr.msg_flags);
	CALL(recvmmsg(fds[1], receive_vec, 5, MSG_DONTWAIT, NULL));
	CALL(sendmmsg(fds[0], send_vec, 0, 0));
	CALL(recvmmsg(fds[1], receive_vec, 0, 0, NULL));
	CALL(sendmmsg(-1, send_vec, 1, 0));
	CALL(recvmmsg(-1, receive_vec, 1, 0, NULL));
	CALL(sendmmsg(fds[0], BAD_ADDRESS, 1, 0));
	CALL(recvmmsg(fds[1], BAD_ADDRESS, 1, MSG_DONTWAIT, NULL));
}

CASE(many_messages_timeout)
{
	struct timespec timeout = {0, 30000000}, bad = {0, 1000000000}, negative = {-1, 0};
	struct iovec in[3];
	struct mmsghdr vec[3] = {0};
	char buf[3][8];
	int fds[2];
	pid_t pid;

	pair_of(SOCK_DGRAM, fds);
	for (int i = 0; i < 3; i++) {
		in[i] = (struct iovec){buf[i], 8};
		vec[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
	}
	CALL(recvmmsg(fds[1], vec, 3, 0, &bad));
	CALL(recvmmsg(fds[1], vec, 3, 0, &negative));
	CALL(recvmmsg(fds[1], vec, 3, 0, BAD_ADDRESS));
	OK(send(fds[0], "x", 1, 0));
	CALL(recvmmsg(fds[1], vec, 3, MSG_WAITFORONE, NULL));
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++) {
			sleep_ms(50);
			send(fds[0], "x", 1, 0);
		}
		_exit(0);
	}
	/* looked at after each message only */
	CALL(recvmmsg(fds[1], vec, 3, 0, &timeout));
	note_wait("sender", pid);
	NOTE("left %d %d", (int)timeout.tv_sec, (int)timeout.tv_nsec);
}

/* ---- counts ---- */

CASE(fionread)
{
	int fds[2], n = -1;

	pair_of(SOCK_STREAM, fds);
	CALL(ioctl(fds[1], FIONREAD, &n));
	NOTE("%d", n);
	OK(write(fds[0], "abc", 3));
	OK(write(fds[0], "de", 2));
	CALL(ioctl(fds[1], FIONREAD, &n));
	NOTE("%d", n);
	OK(read(fds[1], big, 4));
	CALL(ioctl(fds[1], FIONREAD, &n));
	NOTE("%d", n);
	CALL(ioctl(fds[1], TIOCOUTQ, &n));
	NOTE("%d", n);
	CALL(ioctl(fds[1], FIONREAD, BAD_ADDRESS));
	CALL(ioctl(fds[1], TCGETS, big));
	CALL(ioctl(fds[1], 0x1234, big));
	pair_of(SOCK_DGRAM, fds);
	OK(send(fds[0], "abc", 3, 0));
	OK(send(fds[0], "de", 2, 0));
	CALL(ioctl(fds[1], FIONREAD, &n));
	NOTE("%d", n);
	pair_of(SOCK_SEQPACKET, fds);
	OK(send(fds[0], "abc", 3, 0));
	OK(send(fds[0], "de", 2, 0));
	CALL(ioctl(fds[1], FIONREAD, &n));
	NOTE("%d", n);
	CALL(ioctl(listener_at("s", SOCK_STREAM, 1), FIONREAD, &n));
	CALL(ioctl(OK(socket(AF_UNIX, SOCK_STREAM, 0)), FIONREAD, &n));
	NOTE("%d", n);
}

CASE(fionbio)
{
	int fds[2], one = 1, zero = 0;
	char c;

	pair_of(SOCK_STREAM, fds);
	CALL(ioctl(fds[0], FIONBIO, &one));
	NOTE("%o", fcntl(fds[0], F_GETFL));
	CALL(recv(fds[0], &c, 1, 0));
	CALL(ioctl(fds[0], FIONBIO, &zero));
	NOTE("%o", fcntl(fds[0], F_GETFL));
	CALL(ioctl(fds[0], FIOCLEX));
	NOTE("%d", fcntl(fds[0], F_GETFD));
	CALL(fcntl(fds[0], F_SETOWN, getpid()));
	NOTE("%d", fcntl(fds[0], F_GETOWN) == getpid());
}

/* ---- with other calls ---- */

CASE(sendfile_and_splice)
{
	int fds[2], file, pipe_fds[2];
	char buf[16];

	pair_of(SOCK_STREAM, fds);
	write_file("f", "0123456789");
	file = OK(open("f", O_RDONLY));
	CALL(syscall(SYS_sendfile, fds[0], file, NULL, 6));
	CALL(read(fds[1], buf, 16));
	OK(pipe(pipe_fds));
	CALL(splice(file, NULL, pipe_fds[1], NULL, 16, 0));
	CALL(splice(pipe_fds[0], NULL, fds[0], NULL, 16, 0));
	CALL(splice(fds[1], NULL, pipe_fds[1], NULL, 16, 0));
	CALL(read(pipe_fds[0], buf, 16));
	NOTE("%.4s", buf);
}

static void *late_sender(void *arg)
{
	sleep_ms(40);
	send(*(int *)arg, "x", 1, 0);
	return NULL;
}

CASE(two_threads_receive)
{
	pthread_t thread;
	int fds[2];
	char c;

	pair_of(SOCK_DGRAM, fds);
	RC(pthread_create(&thread, NULL, late_sender, &fds[0]));
	CALL(recv(fds[1], &c, 1, 0));
	RC(pthread_join(thread, NULL));
}

CASE(wrong_flags)
{
	int fds[2];
	char c;

	pair_of(SOCK_STREAM | SOCK_NONBLOCK, fds);
	CALL(recv(fds[0], &c, 1, MSG_ERRQUEUE));
	CALL(send(fds[0], "x", 1, MSG_DONTROUTE | MSG_MORE | MSG_CONFIRM));
	CALL(recv(fds[1], &c, 1, 0x100000));
	CALL(send(fds[0], "x", 1, 0x10000000));
	CALL(recv(fds[1], &c, 1, MSG_CMSG_CLOEXEC));
}
