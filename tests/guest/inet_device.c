/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that are bound to an interface, packet filters of sockets, and fast open. */
#include <linux/filter.h>
#include <linux/netlink.h>

#include "inet.h"

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif
#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif

#define NOWHERE 99999 /* no interface has this index; nobody asks for it */

/* A socket with SO_REUSEADDR at @port of any address, 0 for a new one, bound to the interface
 * @device, 0 for none. */
static int wild(int family, int type, uint16_t port, int device)
{
	union address address = {.any.sa_family = (sa_family_t)family};
	int fd = socket(family, type, 0);

	address.in.sin_port = htons(port);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (device)
		set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, device);
	if (bind(fd, &address.any, address_size(family)) < 0) {
		NOTE("bind: %s", errno_name(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static void note_datagram(const char *what, int fd)
{
	char text[64] = "";
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_TRUNC);

	NOTE("%s: %zd %s", what, n, n < 0 ? errno_name(errno) : text);
}

static void send_text(int family, uint16_t port, const char *text)
{
	union address to = loopback(family, port);
	int fd = socket(family, SOCK_DGRAM, 0);

	NOTE("sent %zd", sendto(fd, text, strlen(text), 0, &to.any, address_size(family)));
	close(fd);
}

/* Who is bound to where a packet came by gets it, whoever came first; who is bound to elsewhere
 * does not. */
CASE(device_datagrams)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (int i = 0; i < 4; i++) {
		int family = families[i % 2];
		int any = i < 2 ? wild(family, SOCK_DGRAM, 0, 0) : -1;
		int lo = wild(family, SOCK_DGRAM, i < 2 ? port_of(any) : 0, 1), elsewhere;
		uint16_t port = port_of(lo);

		if (i >= 2)
			any = wild(family, SOCK_DGRAM, port, 0);
		elsewhere = wild(family, SOCK_DGRAM, port, NOWHERE);
		send_text(family, port, "one");
		note_datagram("any", any);
		note_datagram("lo", lo);
		note_datagram("elsewhere", elsewhere);
		close(lo);
		send_text(family, port, "two");
		note_datagram("any", any);
		note_datagram("elsewhere", elsewhere);
		close(any);
		send_text(family, port, "three");
		note_datagram("elsewhere", elsewhere);
		close(elsewhere);
	}
}

/* An address beats an interface. */
CASE(device_or_address)
{
	int lo = wild(AF_INET, SOCK_DGRAM, 0, 1), exact = socket(AF_INET, SOCK_DGRAM, 0);
	union address at = loopback(AF_INET, port_of(lo));

	set_int(exact, SOL_SOCKET, SO_REUSEADDR, 1);
	RC(bind(exact, &at.any, sizeof(at.in)));
	send_text(AF_INET, port_of(lo), "which");
	note_datagram("lo", lo);
	note_datagram("exact", exact);
}

/* A connected socket, too, hears of its interface alone. */
CASE(device_connected)
{
	int a = bound(AF_INET, SOCK_DGRAM), b = bound(AF_INET, SOCK_DGRAM);

	RC(connect_to(a, AF_INET, port_of(b)));
	RC(connect_to(b, AF_INET, port_of(a)));
	CALL(set_int(a, SOL_SOCKET, SO_BINDTOIFINDEX, 1));
	CALL(send(b, "x", 1, 0));
	note_datagram("on lo", a);
	close(a);
	note_datagram("b", b);
}

/* Sockets of different interfaces share a port; one without an interface shares with nobody. */
CASE(device_conflicts)
{
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};

	for (int i = 0; i < 2; i++) {
		union address any = {.in.sin_family = AF_INET};
		int first = socket(AF_INET, types[i], 0), second = socket(AF_INET, types[i], 0);
		int third = socket(AF_INET, types[i], 0), fourth = socket(AF_INET, types[i], 0);

		set_int(first, SOL_SOCKET, SO_BINDTOIFINDEX, 1);
		set_int(second, SOL_SOCKET, SO_BINDTOIFINDEX, NOWHERE);
		set_int(fourth, SOL_SOCKET, SO_BINDTOIFINDEX, 1);
		CALL(bind(first, &any.any, sizeof(any.in)));
		any.in.sin_port = htons(port_of(first));
		CALL(bind(second, &any.any, sizeof(any.in)));
		CALL(bind(third, &any.any, sizeof(any.in)));
		CALL(bind(fourth, &any.any, sizeof(any.in)));
		if (types[i] == SOCK_STREAM) {
			CALL(listen(first, 1));
			CALL(listen(second, 1));
		}
		close(first), close(second), close(third), close(fourth);
	}
}

CASE(device_listeners)
{
	int elsewhere = wild(AF_INET, SOCK_STREAM, 0, NOWHERE), lo, client, server;
	uint16_t port = port_of(elsewhere);

	CALL(listen(elsewhere, 1));
	client = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect_to(client, AF_INET, port));
	close(client);
	lo = wild(AF_INET, SOCK_STREAM, port, 1);
	CALL(listen(lo, 1));
	client = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect_to(client, AF_INET, port));
	server = accept(lo, NULL, NULL);
	TRUTH(server >= 0);
	NOTE("inherited %d", int_option(server, SOL_SOCKET, SO_BINDTOIFINDEX));
	CALL(send(client, "through", 7, 0));
	await_poll("server", server, POLLIN);
}

/* ---- sizes ---- */

CASE(datagram_sizes)
{
	static const int families[] = {AF_INET, AF_INET6};
	static const int sizes[] = {65507, 65508, 65527, 65528, 65535, 65536, 70000};
	static char out[70000], in[70000];

	for (int i = 0; i < 2; i++) {
		int fd = bound(families[i], SOCK_DGRAM), to = socket(families[i], SOCK_DGRAM, 0);
		union address address = loopback(families[i], port_of(fd));

		for (int k = 0; k < 7; k++) {
			NOTE("size %d", sizes[k]);
			CALL(sendto(to, out, (size_t)sizes[k], 0, &address.any,
				address_size(families[i])));
			CALL(recv(fd, in, sizeof(in), MSG_DONTWAIT));
		}
	}
}

/* ---- filters ---- */

#define ATTACH(fd, option, ...)                                                                    \
	do {                                                                                       \
		struct sock_filter code[] = {__VA_ARGS__};                                         \
		struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};                \
		CALL(setsockopt(fd, SOL_SOCKET, option, &program, sizeof(program)));               \
	} while (0)

CASE(filter_datagrams)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (int i = 0; i < 2; i++) {
		int fd = bound(families[i], SOCK_DGRAM);
		uint16_t port = port_of(fd);

		NOTE("a family");
		CALL(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &i, sizeof(i)));
		ATTACH(fd, SO_ATTACH_FILTER, BPF_STMT(BPF_RET | BPF_K, 0));
		send_text(families[i], port, "nothing of it");
		note_datagram("none", fd);
		ATTACH(fd, SO_ATTACH_FILTER, BPF_STMT(BPF_RET | BPF_K, 8 + 4));
		send_text(families[i], port, "shortened");
		note_datagram("four", fd);
		ATTACH(fd, SO_ATTACH_FILTER, BPF_STMT(BPF_RET | BPF_K, 3));
		send_text(families[i], port, "header only");
		note_datagram("empty", fd);
		/* The payload's first byte, behind the UDP header. */
		ATTACH(fd, SO_ATTACH_FILTER, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'y', 0, 1),
			BPF_STMT(BPF_RET | BPF_K, 0xffff), BPF_STMT(BPF_RET | BPF_K, 0));
		send_text(families[i], port, "yes");
		send_text(families[i], port, "no");
		send_text(families[i], port, "");
		send_text(families[i], port, "y");
		note_datagram("first", fd);
		note_datagram("second", fd);
		note_datagram("third", fd);
		/* By length, destination port and IP version. */
		ATTACH(fd, SO_ATTACH_FILTER, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 8 + 5, 0, 5),
			BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 2),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 3),
			BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (unsigned)SKF_NET_OFF),
			BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4), BPF_STMT(BPF_RET | BPF_A, 0),
			BPF_STMT(BPF_RET | BPF_K, 0));
		send_text(families[i], port, "12345");
		send_text(families[i], port, "123456");
		note_datagram("version", fd);
		note_datagram("none", fd);
		CALL(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &i, sizeof(i)));
		send_text(families[i], port, "all again");
		note_datagram("all", fd);
	}
}

CASE(filter_wrong)
{
	struct sock_filter none = BPF_STMT(BPF_LD | BPF_IMM, 0);
	struct sock_fprog program = {1, &none};
	int fd = bound(AF_INET, SOCK_DGRAM), number = 0, other = open("f", O_CREAT | O_RDWR, 0600);

	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program) - 1));
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, 2));
	program.len = 0;
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	program.len = 4097;
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	program = (struct sock_fprog){1, BAD_ADDRESS};
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	number = 9999;
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &number, sizeof(number)));
	number = other;
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &number, sizeof(number)));
	CALL(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &number, sizeof(number)));
	CALL(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &number, 2));
}

CASE(filter_lock)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffff);
	struct sock_fprog program = {1, &all};
	int fd = bound(AF_INET, SOCK_DGRAM);

	NOTE("%d", int_option(fd, SOL_SOCKET, SO_LOCK_FILTER));
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	CALL(set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 0));
	CALL(set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 5));
	NOTE("%d", int_option(fd, SOL_SOCKET, SO_LOCK_FILTER));
	CALL(set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1));
	CALL(set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 0));
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	CALL(set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 0));
	CALL(set_int(fd, SOL_SOCKET, SO_ATTACH_BPF, 0));
	send_text(AF_INET, port_of(fd), "still");
	note_datagram("locked", fd);
}

/* Of a message from somebody else with its own header as the packet. */
CASE(filter_netlink)
{
	struct sockaddr_nl to = {.nl_family = AF_NETLINK};
	socklen_t size = sizeof(to);
	int a = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK);
	int b = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK);

	RC(bind(a, (struct sockaddr *)&to, sizeof(to)));
	RC(getsockname(a, (struct sockaddr *)&to, &size));
	ATTACH(a, SO_ATTACH_FILTER, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'y', 0, 1), BPF_STMT(BPF_RET | BPF_K, 6),
		BPF_STMT(BPF_RET | BPF_K, 0));
	sendto(b, "yes, but short", 14, 0, (struct sockaddr *)&to, sizeof(to));
	CALL(sendto(b, "no", 2, 0, (struct sockaddr *)&to, sizeof(to)));
	CALL(sendto(b, "yes", 3, 0, (struct sockaddr *)&to, sizeof(to)));
	note_datagram("first", a);
	note_datagram("second", a);
	note_datagram("third", a);
}

/* ---- fast open ---- */

/* The default, 1, is for clients alone: nobody has a cookie. */
static void need_default(void)
{
	char value[8] = "";
	int fd = open("/proc/sys/net/ipv4/tcp_fastopen", O_RDONLY);

	if (fd < 0 || read(fd, value, sizeof(value) - 1) < 0 || strcmp(value, "1\n") != 0)
		SKIP("tcp_fastopen has been set");
	close(fd);
}

CASE(fastopen_options)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), pair[2];

	need_default();
	NOTE("%d", int_option(fd, IPPROTO_TCP, TCP_FASTOPEN));
	NOTE("%d", int_option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT));
	CALL(set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, 5));
	NOTE("%d", int_option(fd, IPPROTO_TCP, TCP_FASTOPEN));
	CALL(set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, -1));
	CALL(set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1));
	NOTE("%d", int_option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT));
	CALL(set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 2));
	CALL(set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, -1));
	CALL(set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 0));
	CALL(listen(fd, 5));
	CALL(set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, 7));
	CALL(set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1));
	tcp_pair(AF_INET, pair);
	CALL(set_int(pair[0], IPPROTO_TCP, TCP_FASTOPEN, 1));
	CALL(set_int(pair[0], IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1));
	CALL(set_int(pair[1], IPPROTO_TCP, TCP_FASTOPEN, 1));
}

static void note_received(const char *what, int listening)
{
	int fd = accept(listening, NULL, NULL);
	char text[64] = "";
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	NOTE("%s: %zd %s", what, n, text);
	close(fd);
}

CASE(fastopen_send)
{
	static const int families[] = {AF_INET, AF_INET6};

	need_default();
	for (int i = 0; i < 2; i++) {
		int family = families[i], server = listener(family, 5), fd;
		union address to = loopback(family, port_of(server)), nobody = {0};

		set_int(server, IPPROTO_TCP, TCP_FASTOPEN, 5);
		fd = socket(family, SOCK_STREAM, 0);
		CALL(sendto(
			fd, "connected and sent", 18, MSG_FASTOPEN, &to.any, address_size(family)));
		note_received("data", server);
		CALL(sendto(fd, "again", 5, MSG_FASTOPEN | MSG_NOSIGNAL, &to.any,
			address_size(family)));
		close(fd);
		fd = socket(family, SOCK_STREAM, 0);
		CALL(sendto(fd, "x", 1, MSG_FASTOPEN, &nobody.any, address_size(family)));
		CALL(sendto(fd, "x", 1, MSG_FASTOPEN, &to.any, 7));
		CALL(send(fd, "x", 1, MSG_FASTOPEN));
		CALL(sendto(
			fd, "x", 1, MSG_FASTOPEN | MSG_DONTWAIT, &to.any, address_size(family)));
		await_poll("then", fd, POLLOUT);
		CALL(send(fd, "later", 5, 0));
		note_received("later", server);
		close(fd);
		fd = socket(family, SOCK_STREAM, 0);
		CALL(set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1));
		CALL(connect_to(fd, family, port_of(server)));
		CALL(send(fd, "as always", 9, 0));
		note_received("option", server);
		close(fd);
		close(server);
		fd = socket(family, SOCK_STREAM, 0);
		CALL(sendto(fd, "x", 1, MSG_FASTOPEN, &to.any, address_size(family)));
		CALL(sendto(fd, "x", 1, MSG_NOSIGNAL, &to.any, address_size(family)));
	}
}
