/* SPDX-License-Identifier: Apache-2.0 */
/* tcp(7) over the loopback device: connections, data, ends. */
#include "inet.h"

#include <pthread.h>
#include <sys/sendfile.h>

static const int families[2] = {AF_INET, AF_INET6};

CASE(create_errors)
{
	for (int i = 0; i < 2; i++) {
		CALL(socket(families[i], 0, 0));
		CALL(socket(families[i], SOCK_SEQPACKET, 0));
		CALL(socket(families[i], SOCK_RDM, 0));
		CALL(socket(families[i], SOCK_STREAM, IPPROTO_UDP));
		CALL(socket(families[i], SOCK_DGRAM, IPPROTO_TCP));
		CALL(socket(families[i], SOCK_STREAM, 256));
		CALL(socket(families[i], SOCK_STREAM, -1));
		CALL(socket(families[i], SOCK_RAW, 0));
		CALL(socket(families[i], 11, 0));
		CALL(socketpair(families[i], SOCK_STREAM, 0, (int[2]){0}));
		OK(socket(families[i], SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
		OK(socket(families[i], SOCK_DGRAM, IPPROTO_UDP));
	}
}

CASE(fresh_socket)
{
	for (int i = 0; i < 2; i++) {
		int fd = socket(families[i], SOCK_STREAM, 0);
		char c;

		note_name_of("name", fd, false);
		note_name_of("peer", fd, true);
		note_poll("fresh", fd);
		CALL(recv(fd, &c, 1, 0));
		CALL(read(fd, &c, 1));
		CALL(recv(fd, &c, 1, MSG_OOB));
		CALL(send(fd, "x", 1, MSG_NOSIGNAL));
		CALL(shutdown(fd, SHUT_RDWR));
		CALL(shutdown(fd, 7));
		CALL(accept(fd, NULL, NULL));
		NOTE("type %d protocol %d domain %d", int_option(fd, SOL_SOCKET, SO_TYPE),
			int_option(fd, SOL_SOCKET, SO_PROTOCOL),
			int_option(fd, SOL_SOCKET, SO_DOMAIN));
		NOTE("error %d", int_option(fd, SOL_SOCKET, SO_ERROR));
	}
}

CASE(write_to_a_fresh_socket_is_sigpipe)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CALL(write(fd, "x", 1));
}

CASE(connect_and_names)
{
	for (int i = 0; i < 2; i++) {
		int fds[2];

		tcp_pair(families[i], fds);
		note_name_of("client", fds[0], false);
		note_name_of("client's peer", fds[0], true);
		note_name_of("server", fds[1], false);
		note_name_of("server's peer", fds[1], true);
		note_poll("client", fds[0]);
		note_poll("server", fds[1]);
		CALL(write(fds[0], "hello", 5));
		await_poll("server", fds[1], POLLIN);
	}
}

CASE(connect_errors)
{
	union address address = loopback(AF_INET, 1);
	int fd = socket(AF_INET, SOCK_STREAM, 0), fd6 = socket(AF_INET6, SOCK_STREAM, 0);
	int server = listener(AF_INET, 1);

	CALL(connect(fd, &address.any, sizeof(address.in)));
	NOTE("error after it: %d", int_option(fd, SOL_SOCKET, SO_ERROR));
	note_poll("refused", fd);
	CALL(connect(fd, &address.any, 3));
	CALL(connect(fd, &address.any, 1));
	CALL(connect(fd, &address.any, 129));
	CALL(connect(fd, BAD_ADDRESS, sizeof(address.in)));
	CALL(connect(fd6, &address.any, sizeof(address.in)));
	CALL(connect(fd6, &address.any, sizeof(address.in6)));
	address.in.sin_family = AF_INET6;
	CALL(connect(fd, &address.any, sizeof(address.in)));
	address.in.sin_family = 77;
	CALL(connect(fd, &address.any, sizeof(address.in)));
	/* A refused socket connects elsewhere. */
	CALL(connect_to(fd, AF_INET, port_of(server)));
	CALL(connect_to(fd, AF_INET, port_of(server)));
	CALL(connect_to(server, AF_INET, port_of(server)));
}

CASE(connect_nonblocking)
{
	int server = listener(AF_INET, 4);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int refused = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CALL(connect_to(fd, AF_INET, port_of(server)));
	await_poll("connected", fd, POLLOUT);
	NOTE("error %d", int_option(fd, SOL_SOCKET, SO_ERROR));
	CALL(connect_to(fd, AF_INET, port_of(server)));
	CALL(connect_to(refused, AF_INET, 1));
	await_poll("refused", refused, POLLOUT);
	NOTE("error %d", int_option(refused, SOL_SOCKET, SO_ERROR));
	NOTE("error %d", int_option(refused, SOL_SOCKET, SO_ERROR));
	note_poll("after", refused);
	CALL(send(refused, "x", 1, MSG_NOSIGNAL));
}

CASE(connect_refused_then_again_tells)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CALL(connect_to(fd, AF_INET, 1));
	await_poll("refused", fd, POLLOUT);
	CALL(connect_to(fd, AF_INET, 1));
	await_poll("again", fd, POLLOUT);
	CALL(recv(fd, &(char){0}, 1, 0));
	CALL(recv(fd, &(char){0}, 1, 0));
}

CASE(connect_to_any_address)
{
	union address address = loopback(AF_INET, 0);
	int server = listener(AF_INET, 1), fd = socket(AF_INET, SOCK_STREAM, 0);

	address.in.sin_addr.s_addr = INADDR_ANY;
	address.in.sin_port = htons(port_of(server));
	CALL(connect(fd, &address.any, sizeof(address.in)));
	note_name_of("name", fd, false);
	note_name_of("peer", fd, true);
}

CASE(other_loopback_addresses)
{
	union address address = loopback(AF_INET, 0);
	int server = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

	address.in.sin_addr.s_addr = inet_addr("127.1.2.3");
	CALL(bind(server, &address.any, sizeof(address.in)));
	CALL(listen(server, 1));
	address.in.sin_port = htons(port_of(server));
	CALL(connect(fd, &address.any, sizeof(address.in)));
	note_name_of("name", fd, false);
	note_name_of("peer", fd, true);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect_to(fd, AF_INET, port_of(server)));
}

CASE(bind_errors)
{
	union address address = loopback(AF_INET, 0), six = loopback(AF_INET6, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
	int fd6 = socket(AF_INET6, SOCK_STREAM, 0);

	CALL(bind(fd, &address.any, 3));
	CALL(bind(fd, &address.any, 200));
	CALL(bind(fd, BAD_ADDRESS, sizeof(address.in)));
	CALL(bind(fd, &six.any, sizeof(six.in6)));
	CALL(bind(fd6, &address.any, sizeof(address.in)));
	address.in.sin_addr.s_addr = inet_addr("203.0.113.9");
	CALL(bind(fd, &address.any, sizeof(address.in)));
	six.in6.sin6_addr.s6_addr[0] = 0x20;
	CALL(bind(fd6, &six.any, sizeof(six.in6)));
	address = loopback(AF_INET, 0);
	address.in.sin_family = AF_UNSPEC;
	CALL(bind(fd, &address.any, sizeof(address.in)));
	address.in.sin_addr.s_addr = INADDR_ANY;
	CALL(bind(fd, &address.any, sizeof(address.in)));
	note_name_of("bound", fd, false);
	address = loopback(AF_INET, port_of(fd));
	CALL(bind(fd, &address.any, sizeof(address.in)));
	CALL(bind(other, &address.any, sizeof(address.in)));
}

CASE(bind_conflicts)
{
	for (int reuse = 0; reuse < 4; reuse++) {
		int a = socket(AF_INET, SOCK_STREAM, 0), b = socket(AF_INET, SOCK_STREAM, 0), c;
		union address address = loopback(AF_INET, 0);

		NOTE("reuse by the first %d, by the second %d", reuse & 1, reuse >> 1);
		set_int(a, SOL_SOCKET, SO_REUSEADDR, reuse & 1);
		set_int(b, SOL_SOCKET, SO_REUSEADDR, reuse >> 1);
		bind(a, &address.any, sizeof(address.in));
		address.in.sin_port = htons(port_of(a));
		CALL(bind(b, &address.any, sizeof(address.in)));
		CALL(listen(a, 1));
		CALL(listen(b, 1));
		c = socket(AF_INET, SOCK_STREAM, 0);
		set_int(c, SOL_SOCKET, SO_REUSEADDR, reuse >> 1);
		CALL(bind(c, &address.any, sizeof(address.in)));
		address.in.sin_addr.s_addr = INADDR_ANY;
		CALL(bind(c, &address.any, sizeof(address.in)));
		address.in.sin_addr.s_addr = inet_addr("127.0.0.2");
		CALL(bind(c, &address.any, sizeof(address.in)));
		close(a), close(b), close(c);
	}
}

CASE(bind_conflicts_between_families)
{
	for (int only = 0; only < 2; only++) {
		int six = socket(AF_INET6, SOCK_STREAM, 0), four = socket(AF_INET, SOCK_STREAM, 0);
		union address address = {.in6 = {.sin6_family = AF_INET6}};

		NOTE("v6only %d", only);
		CALL(set_int(six, IPPROTO_IPV6, IPV6_V6ONLY, only));
		CALL(bind(six, &address.any, sizeof(address.in6)));
		CALL(set_int(six, IPPROTO_IPV6, IPV6_V6ONLY, 1));
		address.in6 = (struct sockaddr_in6){0};
		address = loopback(AF_INET, port_of(six));
		CALL(bind(four, &address.any, sizeof(address.in)));
		CALL(listen(six, 1));
		close(four);
		four = socket(AF_INET, SOCK_STREAM, 0);
		CALL(connect_to(four, AF_INET, port_of(six)));
		if (!only) {
			int fd = accept(six, NULL, NULL);

			note_name_of("dual", fd, false);
			note_name_of("dual's peer", fd, true);
		}
		close(six), close(four);
	}
}

CASE(mapped_addresses)
{
	union address address = {.in6 = {.sin6_family = AF_INET6}};
	int server = listener(AF_INET, 2), fd = socket(AF_INET6, SOCK_STREAM, 0);

	inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.in6.sin6_addr);
	address.in6.sin6_port = htons(port_of(server));
	CALL(connect(fd, &address.any, sizeof(address.in6)));
	note_name_of("name", fd, false);
	note_name_of("peer", fd, true);
	close(fd);
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	CALL(connect(fd, &address.any, sizeof(address.in6)));
	CALL(bind(fd, &address.any, sizeof(address.in6)));
}

CASE(reuseport_balances)
{
	union address address = loopback(AF_INET, 0);
	int servers[3], got[3] = {0}, accepted = 0;

	for (int i = 0; i < 3; i++) {
		servers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		CALL(set_int(servers[i], SOL_SOCKET, SO_REUSEPORT, 1));
		CALL(bind(servers[i], &address.any, sizeof(address.in)));
		CALL(listen(servers[i], 100));
		address.in.sin_port = htons(port_of(servers[0]));
	}
	for (int i = 0; i < 90; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		connect(fd, &address.any, sizeof(address.in));
	}
	for (int i = 0; i < 3; i++) {
		while (accept(servers[i], NULL, NULL) >= 0)
			got[i]++, accepted++;
	}
	NOTE("accepted %d, each some: %d", accepted, got[0] > 0 && got[1] > 0 && got[2] > 0);
}

CASE(listen_states)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), fds[2];

	CALL(listen(fd, 5)); /* without bind */
	note_name_of("name", fd, false);
	NOTE("accepting %d", int_option(fd, SOL_SOCKET, SO_ACCEPTCONN));
	CALL(listen(fd, 50));
	CALL(listen(fd, -1));
	note_poll("listening", fd);
	CALL(recv(fd, &(char){0}, 1, 0));
	CALL(send(fd, "x", 1, MSG_NOSIGNAL));
	CALL(ioctl(fd, FIONREAD, &fds[0]));
	CALL(shutdown(fd, SHUT_WR));
	note_poll("shut for writing", fd);
	CALL(shutdown(fd, SHUT_RD));
	note_poll("shut for reading", fd);
	CALL(accept(fd, NULL, NULL));
	NOTE("accepting %d", int_option(fd, SOL_SOCKET, SO_ACCEPTCONN));
	tcp_pair(AF_INET, fds);
	CALL(listen(fds[0], 1));
	CALL(listen(bound(AF_INET, SOCK_DGRAM), 1));
}

CASE(accept_flags_and_address)
{
	union address address;
	socklen_t size = sizeof(address);
	int server = listener(AF_INET, 4), fd = socket(AF_INET, SOCK_STREAM, 0), got;

	OK(fcntl(server, F_SETFL, O_NONBLOCK));
	CALL(accept(server, NULL, NULL));
	connect_to(fd, AF_INET, port_of(server));
	await_poll("server", server, POLLIN);
	got = OK(accept4(server, &address.any, &size, SOCK_CLOEXEC));
	NOTE("size %u family %d flags %d %o", size, address.any.sa_family, fcntl(got, F_GETFD),
		fcntl(got, F_GETFL));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	connect_to(fd, AF_INET, port_of(server));
	size = 4;
	await_poll("server", server, POLLIN);
	OK(accept4(server, &address.any, &size, SOCK_NONBLOCK));
	NOTE("size %u", size);
	CALL(accept4(server, NULL, NULL, 77));
}

CASE(backlog_holds_connections_that_wait)
{
	int server = listener(AF_INET, 8), fds[8];
	char text[8] = "";

	for (int i = 0; i < 8; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		connect_to(fds[i], AF_INET, port_of(server));
		write(fds[i], &(char){'a' + i}, 1);
	}
	/* Data and ends that came before accept. */
	shutdown(fds[2], SHUT_WR);
	for (int i = 0; i < 8; i++) {
		int fd = accept(server, NULL, NULL);

		NOTE("%d: %zd %c", i, read(fd, text, 1), text[0]);
		if (i == 2)
			CALL(read(fd, text, 1));
		close(fd);
	}
}

CASE(backlog_full)
{
	int server = listener(AF_INET, 1), done = 0;

	for (int i = 0; i < 6; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		struct pollfd pfd = {.fd = fd, .events = POLLOUT};

		connect_to(fd, AF_INET, port_of(server));
		done += poll(&pfd, 1, 200) == 1;
	}
	NOTE("connected %d", done);
	CALL(close(server));
}

CASE(closing_a_listener_resets_who_waits)
{
	int server = listener(AF_INET, 4), fd = socket(AF_INET, SOCK_STREAM, 0);

	connect_to(fd, AF_INET, port_of(server));
	CALL(close(server));
	await_poll("client", fd, POLLIN);
	CALL(read(fd, &(char){0}, 1));
	CALL(read(fd, &(char){0}, 1));
	CALL(send(fd, "x", 1, MSG_NOSIGNAL));
}

CASE(half_close)
{
	char text[16] = "";
	int fds[2];

	tcp_pair(AF_INET, fds);
	CALL(write(fds[0], "last", 4));
	CALL(shutdown(fds[0], SHUT_WR));
	CALL(send(fds[0], "x", 1, MSG_NOSIGNAL));
	await_poll("server", fds[1], POLLRDHUP);
	CALL(read(fds[1], text, sizeof(text)));
	CALL(read(fds[1], text, sizeof(text)));
	CALL(read(fds[1], text, sizeof(text)));
	CALL(write(fds[1], "answer", 6));
	CALL(read(fds[0], text, sizeof(text)));
	CALL(shutdown(fds[1], SHUT_WR));
	CALL(read(fds[0], text, sizeof(text)));
	await_poll("client", fds[0], POLLHUP);
	note_name_of("peer of a closed one", fds[0], true);
	CALL(shutdown(fds[0], SHUT_WR));
}

CASE(shutdown_for_reading)
{
	char text[16] = "";
	int fds[2];

	tcp_pair(AF_INET, fds);
	CALL(shutdown(fds[0], SHUT_RD));
	note_poll("shut", fds[0]);
	CALL(read(fds[0], text, sizeof(text)));
	CALL(write(fds[1], "late", 4));
	await_poll("shut", fds[0], POLLIN);
	CALL(read(fds[0], text, sizeof(text)));
	CALL(read(fds[0], text, sizeof(text)));
	CALL(write(fds[0], "still", 5));
	CALL(read(fds[1], text, sizeof(text)));
}

CASE(close_with_unread_data_is_a_reset)
{
	int fds[2];

	tcp_pair(AF_INET, fds);
	CALL(write(fds[0], "unread", 6));
	await_poll("server", fds[1], POLLIN);
	CALL(close(fds[1]));
	await_poll("client", fds[0], POLLHUP);
	CALL(read(fds[0], &(char){0}, 1));
	CALL(read(fds[0], &(char){0}, 1));
	CALL(send(fds[0], "x", 1, MSG_NOSIGNAL));
}

CASE(writing_to_a_closed_peer)
{
	int fds[2];

	tcp_pair(AF_INET, fds);
	CALL(close(fds[1]));
	await_poll("client", fds[0], POLLIN);
	CALL(read(fds[0], &(char){0}, 1));
	CALL(send(fds[0], "first", 5, MSG_NOSIGNAL));
	await_poll("client", fds[0], POLLHUP);
	CALL(send(fds[0], "second", 6, MSG_NOSIGNAL));
	CALL(read(fds[0], &(char){0}, 1));
}

CASE(linger_zero_is_a_reset)
{
	struct linger linger = {.l_onoff = 1};
	int fds[2];

	tcp_pair(AF_INET, fds);
	CALL(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CALL(write(fds[1], "data", 4));
	CALL(close(fds[1]));
	await_poll("client", fds[0], POLLHUP);
	NOTE("error %d", int_option(fds[0], SOL_SOCKET, SO_ERROR));
	CALL(read(fds[0], &(char[8]){0}, 8));
}

CASE(disconnect_by_unspec)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int server = listener(AF_INET, 4), fd = socket(AF_INET, SOCK_STREAM, 0), got;

	connect_to(fd, AF_INET, port_of(server));
	got = accept(server, NULL, NULL);
	CALL(connect(fd, &none, sizeof(none)));
	note_name_of("peer", fd, true);
	await_poll("other end", got, POLLHUP);
	CALL(read(got, &(char){0}, 1));
	CALL(connect_to(fd, AF_INET, port_of(server)));
	CALL(write(fd, "again", 5));
	CALL(connect(server, &none, sizeof(none)));
	CALL(accept(server, NULL, NULL));
}

CASE(large_transfer)
{
	static char out[300000], in[300000];
	size_t sent = 0, got = 0, wrong = 0;
	int fds[2];
	pid_t pid;

	tcp_pair(AF_INET, fds);
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		for (int round = 0; round < 20; round++) {
			for (size_t i = 0; i < sizeof(out); i++)
				out[i] = (char)(i * 7 + round);
			for (size_t at = 0; at < sizeof(out);) {
				ssize_t n = write(fds[0], out + at, sizeof(out) - at);

				if (n <= 0)
					_exit(1);
				at += n;
			}
		}
		_exit(0);
	}
	close(fds[0]);
	for (;;) {
		ssize_t n = read(fds[1], in, 1 + (got * 31) % sizeof(in));

		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			size_t at = got + i;

			wrong += in[i] != (char)((at % sizeof(out)) * 7 + at / sizeof(out));
		}
		got += n;
	}
	NOTE("got %zu, wrong %zu", got, wrong);
	note_wait("writer", pid);
	(void)sent;
}

CASE(full_buffer_would_block)
{
	static char block[65536];
	size_t total = 0, got = 0;
	int fds[2];
	ssize_t n;

	tcp_pair(AF_INET, fds);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	while ((n = write(fds[0], block, sizeof(block))) > 0)
		total += n;
	NOTE("%s, more than 100000: %d", errno_name(errno), total > 100000);
	note_poll("full", fds[0]);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	while (got < total) {
		struct pollfd pfd = {.fd = fds[1], .events = POLLIN};

		if (poll(&pfd, 1, 5000) != 1)
			break;
		n = read(fds[1], block, sizeof(block));
		if (n > 0)
			got += n;
	}
	TRUTH(got == total);
	await_poll("empty", fds[0], POLLOUT);
}

CASE(receive_flags)
{
	char text[16] = "";
	int fds[2];

	tcp_pair(AF_INET, fds);
	CALL(recv(fds[1], text, 4, MSG_DONTWAIT));
	CALL(write(fds[0], "abcdefgh", 8));
	await_poll("data", fds[1], POLLIN);
	CALL(recv(fds[1], text, 3, MSG_PEEK));
	NOTE("%s", text);
	CALL(recv(fds[1], text, 0, 0));
	CALL(recv(fds[1], text, 3, MSG_TRUNC));
	CALL(recv(fds[1], text, 3, 0));
	NOTE("%s", text);
	CALL(recv(fds[1], BAD_ADDRESS, 2, 0));
	CALL(recv(fds[1], text, 2, MSG_WAITALL));
	NOTE("%s", text);
	CALL(recv(fds[1], text, 2, MSG_ERRQUEUE));
	CALL(recv(fds[1], text, 2, MSG_OOB));
	CALL(send(fds[0], BAD_ADDRESS, 5, 0));
}

CASE(waitall_waits_for_the_rest)
{
	char text[16] = "";
	int fds[2];
	pid_t pid;

	tcp_pair(AF_INET, fds);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			sleep_ms(20);
			write(fds[0], &(char){'a' + i}, 1);
		}
		_exit(0);
	}
	CALL(recv(fds[1], text, 5, MSG_WAITALL));
	NOTE("%s", text);
	note_wait("writer", pid);
}

static void nothing(int signal)
{
	(void)signal;
}

static void alarm_soon(int flags)
{
	struct sigaction action = {.sa_handler = nothing, .sa_flags = flags};
	struct itimerval timer = {.it_value = {.tv_usec = 50000}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

CASE(interrupted_calls)
{
	struct timeval timeout = {.tv_usec = 200000};
	int server = listener(AF_INET, 1), fds[2];

	tcp_pair(AF_INET, fds);
	alarm_soon(0);
	CALL(read(fds[0], &(char){0}, 1));
	alarm_soon(0);
	CALL(accept(server, NULL, NULL));
	/* With a timeout even SA_RESTART does not restart; without a signal it is EAGAIN. */
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	alarm_soon(SA_RESTART);
	CALL(read(fds[0], &(char){0}, 1));
	CALL(read(fds[0], &(char){0}, 1));
	CALL(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	CALL(accept(server, NULL, NULL));
}

CASE(send_timeout)
{
	static char block[1 << 20];
	struct timeval timeout = {.tv_usec = 50000};
	int fds[2], rounds = 0;

	tcp_pair(AF_INET, fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)));
	while (write(fds[0], block, sizeof(block)) > 0 && rounds < 100)
		rounds++;
	NOTE("%s, in the end: %d", errno_name(errno), rounds < 100);
}

CASE(out_of_band)
{
	char text[16] = "";
	int fds[2], mark = -1;

	tcp_pair(AF_INET, fds);
	CALL(recv(fds[1], text, 1, MSG_OOB));
	CALL(send(fds[0], "abc", 3, MSG_OOB));
	CALL(send(fds[0], "de", 2, 0));
	await_poll("urgent", fds[1], POLLPRI);
	CALL(ioctl(fds[1], FIONREAD, &mark));
	NOTE("to the mark %d", mark);
	CALL(recv(fds[1], text, sizeof(text), 0));
	NOTE("%s", text);
	CALL(ioctl(fds[1], SIOCATMARK, &mark));
	NOTE("at the mark %d", mark);
	memset(text, 0, sizeof(text));
	CALL(recv(fds[1], text, 4, MSG_OOB | MSG_PEEK));
	CALL(recv(fds[1], text, 4, MSG_OOB));
	NOTE("%s", text);
	CALL(recv(fds[1], text, 4, MSG_OOB));
	CALL(recv(fds[1], text, sizeof(text), 0));
	NOTE("%s", text);
	note_poll("read", fds[1]);
}

CASE(out_of_band_inline)
{
	char text[16] = "";
	int fds[2], mark = -1;

	tcp_pair(AF_INET, fds);
	CALL(set_int(fds[1], SOL_SOCKET, SO_OOBINLINE, 1));
	CALL(send(fds[0], "abc", 3, MSG_OOB));
	CALL(send(fds[0], "de", 2, 0));
	await_poll("urgent", fds[1], POLLPRI);
	CALL(recv(fds[1], text, sizeof(text), 0));
	NOTE("%s", text);
	CALL(ioctl(fds[1], SIOCATMARK, &mark));
	NOTE("at the mark %d", mark);
	CALL(recv(fds[1], text, 1, MSG_OOB));
	memset(text, 0, sizeof(text));
	CALL(recv(fds[1], text, sizeof(text), 0));
	NOTE("%s", text);
}

CASE(epoll_edges)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	int fds[2], epoll = epoll_create1(0);
	char text[16];

	tcp_pair(AF_INET, fds);
	OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[1], &event));
	CALL(epoll_wait(epoll, &event, 1, 1000));
	NOTE("%#x", event.events);
	CALL(epoll_wait(epoll, &event, 1, 0));
	write(fds[0], "ab", 2);
	CALL(epoll_wait(epoll, &event, 1, 1000));
	NOTE("%#x", event.events);
	CALL(epoll_wait(epoll, &event, 1, 0));
	CALL(read(fds[1], text, 1));
	CALL(epoll_wait(epoll, &event, 1, 0));
	write(fds[0], "c", 1);
	CALL(epoll_wait(epoll, &event, 1, 1000));
	NOTE("%#x", event.events);
	close(fds[0]);
	CALL(epoll_wait(epoll, &event, 1, 1000));
	NOTE("%#x", event.events);
}

static void *reader(void *arg)
{
	char c;

	return (void *)(intptr_t)read(*(int *)arg, &c, 1);
}

CASE(shutdown_wakes_a_reader)
{
	pthread_t thread;
	void *result;
	int fds[2];

	tcp_pair(AF_INET, fds);
	pthread_create(&thread, NULL, reader, &fds[0]);
	sleep_ms(30);
	CALL(shutdown(fds[0], SHUT_RD));
	pthread_join(thread, &result);
	NOTE("read %zd", (ssize_t)(intptr_t)result);
}

CASE(many_connections)
{
	int server = listener(AF_INET, 300), clients[200], ends[200], good = 0;
	char c;

	for (int i = 0; i < 200; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		good += connect_to(clients[i], AF_INET, port_of(server)) == 0;
		ends[i] = accept(server, NULL, NULL);
	}
	NOTE("connected %d", good);
	good = 0;
	for (int i = 0; i < 200; i++) {
		c = (char)i;
		write(clients[i], &c, 1);
		good += read(ends[i], &c, 1) == 1 && c == (char)i;
	}
	NOTE("answered %d", good);
}

CASE(scatter_and_gather)
{
	char a[4] = "", b[8] = "";
	struct iovec out[3] = {{"one", 3}, {"", 0}, {"seven", 5}}, in[2] = {{a, 3}, {b, 7}};
	struct msghdr header = {.msg_iov = in, .msg_iovlen = 2};
	union address from;
	int fds[2];

	tcp_pair(AF_INET6, fds);
	CALL(writev(fds[0], out, 3));
	await_poll("data", fds[1], POLLIN);
	header.msg_name = &from;
	header.msg_namelen = sizeof(from);
	CALL(recvmsg(fds[1], &header, 0));
	NOTE("%s %s, name %u flags %#x", a, b, header.msg_namelen, header.msg_flags);
	header.msg_iovlen = 0;
	CALL(sendmsg(fds[0], &header, 0));
}

CASE(splice_and_sendfile)
{
	char text[32] = "";
	int fds[2], pipes[2], file;

	tcp_pair(AF_INET, fds);
	write_file("f", "the content of a file");
	file = open("f", O_RDONLY);
	CALL(sendfile(fds[0], file, NULL, 100));
	CALL(recv(fds[1], text, 21, MSG_WAITALL));
	NOTE("%s", text);
	pipe(pipes);
	CALL(write(pipes[1], "piped", 5));
	CALL(splice(pipes[0], NULL, fds[0], NULL, 5, 0));
	await_poll("data", fds[1], POLLIN);
	CALL(splice(fds[1], NULL, pipes[1], NULL, 5, 0));
	memset(text, 0, sizeof(text));
	CALL(read(pipes[0], text, sizeof(text)));
	NOTE("%s", text);
}

CASE(port_is_held_by_connections)
{
	union address address;
	int server = listener(AF_INET, 1), fd = socket(AF_INET, SOCK_STREAM, 0), again, got;

	address = loopback(AF_INET, port_of(server));
	connect_to(fd, AF_INET, port_of(server));
	got = accept(server, NULL, NULL);
	close(server);
	again = socket(AF_INET, SOCK_STREAM, 0);
	CALL(bind(again, &address.any, sizeof(address.in)));
	CALL(set_int(again, SOL_SOCKET, SO_REUSEADDR, 1));
	CALL(bind(again, &address.any, sizeof(address.in)));
	close(got);
	close(fd);
}

CASE(self_connect)
{
	int fd = bound(AF_INET, SOCK_STREAM);
	char c = 0;

	CALL(connect_to(fd, AF_INET, port_of(fd)));
	CALL(write(fd, "s", 1));
	CALL(read(fd, &c, 1));
	NOTE("%c", c);
}

CASE(privileged_ports)
{
	union address address = loopback(AF_INET, 77);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (geteuid() == 0)
		setresuid(65534, 65534, 65534);
	CALL(bind(fd, &address.any, sizeof(address.in)));
}
