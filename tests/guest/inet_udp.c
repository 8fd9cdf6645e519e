/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of a UDP socket in every state that it can be in, for both families, then what UDP
 * alone has: corking, segmentation, errors that wait, groups (udp(7), ip(7), ipv6(7)). */
#include "inet.h"

#include <linux/errqueue.h>
#include <netinet/udp.h>

static const int families[] = {AF_INET, AF_INET6};

enum state {
	FRESH,
	BOUND,
	CONNECTED,
	DISCONNECTED,
	SHUT_READ,
	SHUT_WRITE,
	SHUT_BOTH,
	REFUSED,
};

struct scene {
	int family, fd, peer;
};

static struct scene enter(int family, enum state state)
{
	struct scene scene = {family, -1, -1};

	scene.fd = state == FRESH ? socket(family, SOCK_DGRAM, 0) : bound(family, SOCK_DGRAM);
	scene.peer = bound(family, SOCK_DGRAM);
	if (state == FRESH || state == BOUND)
		return scene;
	connect_to(scene.fd, family, port_of(scene.peer));
	connect_to(scene.peer, family, port_of(scene.fd));
	if (state == DISCONNECTED)
		connect(scene.fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, 16);
	if (state == SHUT_READ || state == SHUT_BOTH)
		shutdown(scene.fd, SHUT_RD);
	if (state == SHUT_WRITE || state == SHUT_BOTH)
		shutdown(scene.fd, SHUT_WR);
	if (state == REFUSED) {
		close(scene.peer);
		scene.peer = -1;
		send(scene.fd, "x", 1, 0);
		await(scene.fd, POLLERR);
	}
	return scene;
}

static void names(struct scene *scene)
{
	note_name_of("name", scene->fd, false);
	note_name_of("peer", scene->fd, true);
}

static void sending(struct scene *scene)
{
	CALL(send(scene->fd, "", 0, MSG_NOSIGNAL));
	CALL(send(scene->fd, "a", 1, MSG_NOSIGNAL));
	CALL(write(scene->fd, "a", 1));
	CALL(send(scene->fd, "b", 1, MSG_NOSIGNAL | MSG_CONFIRM | MSG_DONTROUTE | MSG_EOR));
	CALL(send(scene->fd, "b", 1, MSG_OOB));
	CALL(send(scene->fd, BAD_ADDRESS, 1, 0));
}

static void sending_to(struct scene *scene)
{
	int other = bound(scene->family, SOCK_DGRAM);
	union address address = loopback(scene->family, port_of(other));
	socklen_t size = address_size(scene->family);
	char c = 0;

	if (CALL(sendto(scene->fd, "t", 1, 0, &address.any, size)) == 1)
		await(other, POLLIN);
	CALL(recv(other, &c, 1, MSG_DONTWAIT));
	CALL(sendto(scene->fd, "t", 1, 0, &address.any, 2));
	CALL(sendto(scene->fd, "t", 1, 0, &address.any, 129));
	CALL(sendto(scene->fd, "t", 1, 0, BAD_ADDRESS, size));
	address.any.sa_family = AF_UNSPEC;
	CALL(sendto(scene->fd, "t", 1, 0, &address.any, size));
	address.any.sa_family = 77;
	CALL(sendto(scene->fd, "t", 1, 0, &address.any, size));
	close(other);
}

static void receiving(struct scene *scene)
{
	union address address;
	socklen_t size = sizeof(address);
	char text[8] = "";

	CALL(recv(scene->fd, text, 4, MSG_DONTWAIT));
	CALL(recv(scene->fd, text, 4, MSG_DONTWAIT | MSG_PEEK));
	CALL(recv(scene->fd, text, 0, MSG_DONTWAIT));
	CALL(recv(scene->fd, text, 4, MSG_DONTWAIT | MSG_ERRQUEUE));
	CALL(recv(scene->fd, text, 4, MSG_DONTWAIT | MSG_OOB));
	if (scene->peer < 0)
		return;
	CALL(send(scene->peer, "hello", 5, 0));
	CALL(recvfrom(scene->fd, text, 3, MSG_DONTWAIT, &address.any, &size));
	NOTE("%s, name of %u", text, size);
	CALL(recv(scene->fd, text, 3, MSG_DONTWAIT));
}

static void polling(struct scene *scene)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET};
	int ep = epoll_create1(0);

	note_poll("poll", scene->fd);
	epoll_ctl(ep, EPOLL_CTL_ADD, scene->fd, &event);
	event.events = 0;
	CALL(epoll_wait(ep, &event, 1, 0));
	NOTE("%#x", event.events);
	CALL(epoll_wait(ep, &event, 1, 0));
	close(ep);
}

static void shutting(struct scene *scene)
{
	static const int how[] = {SHUT_RD, SHUT_WR, SHUT_RDWR, 3};

	for (int i = 0; i < 4; i++) {
		CALL(shutdown(scene->fd, how[i]));
		note_poll("then", scene->fd);
	}
}

static void connecting(struct scene *scene)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int other = bound(scene->family, SOCK_DGRAM);

	CALL(connect_to(scene->fd, scene->family, port_of(other)));
	note_name_of("name", scene->fd, false);
	note_name_of("peer", scene->fd, true);
	CALL(connect(scene->fd, &none, 1));
	CALL(connect(scene->fd, &none, sizeof(none)));
	note_name_of("name", scene->fd, false);
	note_name_of("peer", scene->fd, true);
	CALL(connect_to(scene->fd, scene->family, 0));
	close(other);
}

static void binding(struct scene *scene)
{
	union address address = loopback(scene->family, 0);

	CALL(bind(scene->fd, &address.any, 2));
	CALL(bind(scene->fd, &address.any, address_size(scene->family)));
	CALL(bind(scene->fd, &address.any, address_size(scene->family)));
	CALL(listen(scene->fd, 1));
	CALL(accept(scene->fd, NULL, NULL));
}

static void requests(struct scene *scene)
{
	int value = -7;

	if (scene->peer >= 0)
		sendto(scene->peer, "abc", 3, 0, NULL, 0);
	CALL(ioctl(scene->fd, FIONREAD, &value));
	NOTE("%d", value);
	CALL(ioctl(scene->fd, TIOCOUTQ, &value));
	NOTE("%d", value);
	CALL(ioctl(scene->fd, FIONREAD, BAD_ADDRESS));
	NOTE("error %d", int_option(scene->fd, SOL_SOCKET, SO_ERROR));
	NOTE("error %d", int_option(scene->fd, SOL_SOCKET, SO_ERROR));
}

static void messages(struct scene *scene)
{
	struct iovec part = {"abcd", 4};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	struct mmsghdr many[3] = {{.msg_hdr = header}, {.msg_hdr = header}, {.msg_hdr = header}};
	char text[4], control[64];

	CALL(sendmmsg(scene->fd, many, 3, 0));
	part = (struct iovec){text, 4};
	header.msg_control = control;
	header.msg_controllen = sizeof(control);
	CALL(recvmsg(scene->fd, &header, MSG_DONTWAIT));
	CALL(recvmmsg(scene->fd, many, 3, MSG_DONTWAIT, NULL));
	CALL(recvmmsg(scene->fd, many, 0, MSG_DONTWAIT, NULL));
}

static void play(enum state state, void (*calls)(struct scene *scene))
{
	for (int i = 0; i < 2; i++) {
		struct scene scene = enter(families[i], state);

		calls(&scene);
		close(scene.fd);
		close(scene.peer);
	}
}

#define ONE(name, state, calls)                                                                    \
	CASE(name##_##calls)                                                                       \
	{                                                                                          \
		play(state, calls);                                                                \
	}

#define STATE(name, state)                                                                         \
	ONE(name, state, names)                                                                    \
	ONE(name, state, sending)                                                                  \
	ONE(name, state, sending_to)                                                               \
	ONE(name, state, receiving)                                                                \
	ONE(name, state, polling)                                                                  \
	ONE(name, state, shutting)                                                                 \
	ONE(name, state, connecting)                                                               \
	ONE(name, state, binding)                                                                  \
	ONE(name, state, requests)                                                                 \
	ONE(name, state, messages)

STATE(fresh, FRESH)
STATE(bound, BOUND)
STATE(connected, CONNECTED)
STATE(disconnected, DISCONNECTED)
STATE(shut_read, SHUT_READ)
STATE(shut_write, SHUT_WRITE)
STATE(shut_both, SHUT_BOTH)
STATE(refused, REFUSED)

/* ---- corking and segmentation ---- */

static void connected_pair(int family, int fds[2])
{
	fds[0] = bound(family, SOCK_DGRAM);
	fds[1] = bound(family, SOCK_DGRAM);
	connect_to(fds[0], family, port_of(fds[1]));
	connect_to(fds[1], family, port_of(fds[0]));
}

static void note_datagrams(int fd)
{
	static char text[70000];
	ssize_t n;

	await(fd, POLLIN);
	while ((n = recv(fd, text, sizeof(text), MSG_DONTWAIT)) >= 0)
		NOTE("%zd: %.20s", n, n ? (text[n < 20 ? n : 20] = 0, text) : "");
}

CASE(msg_more_gathers)
{
	for (int i = 0; i < 2; i++) {
		int fds[2];

		connected_pair(families[i], fds);
		CALL(send(fds[0], "one", 3, MSG_MORE));
		CALL(send(fds[0], "", 0, MSG_MORE));
		CALL(recv(fds[1], &(char){0}, 1, MSG_DONTWAIT));
		CALL(send(fds[0], "two", 3, 0));
		CALL(send(fds[0], "three", 5, 0));
		note_datagrams(fds[1]);
	}
}

CASE(cork_gathers)
{
	for (int i = 0; i < 2; i++) {
		int fds[2];

		connected_pair(families[i], fds);
		CALL(set_int(fds[0], IPPROTO_UDP, UDP_CORK, 1));
		CALL(send(fds[0], "one", 3, 0));
		CALL(send(fds[0], "two", 3, 0));
		CALL(recv(fds[1], &(char){0}, 1, MSG_DONTWAIT));
		CALL(set_int(fds[0], IPPROTO_UDP, UDP_CORK, 0));
		note_datagrams(fds[1]);
		CALL(set_int(fds[0], IPPROTO_UDP, UDP_CORK, 1));
		CALL(set_int(fds[0], IPPROTO_UDP, UDP_CORK, 0));
		CALL(recv(fds[1], &(char){0}, 1, MSG_DONTWAIT));
	}
}

CASE(cork_keeps_the_first_destination)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), a = bound(AF_INET, SOCK_DGRAM);
	int b = bound(AF_INET, SOCK_DGRAM);
	union address to_a = loopback(AF_INET, port_of(a)), to_b = loopback(AF_INET, port_of(b));

	CALL(sendto(fd, "one", 3, MSG_MORE, &to_a.any, sizeof(to_a.in)));
	CALL(sendto(fd, "two", 3, 0, &to_b.any, sizeof(to_b.in)));
	note_datagrams(a);
	CALL(recv(b, &(char){0}, 1, MSG_DONTWAIT));
}

CASE(segmentation)
{
	static const struct {
		int segment, size;
	} rows[] = {{100, 250}, {100, 300}, {100, 99}, {100, 100}, {1, 5}, {1000, 64000}, {0, 50}};
	static char block[65000];

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 2; i++) {
		for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
			int fds[2];

			connected_pair(families[i], fds);
			NOTE("%d of %d", rows[r].segment, rows[r].size);
			CALL(set_int(fds[0], IPPROTO_UDP, 103, rows[r].segment));
			CALL(send(fds[0], block, (size_t)rows[r].size, 0));
			note_datagrams(fds[1]);
			close(fds[0]), close(fds[1]);
		}
	}
}

CASE(segmentation_has_bounds)
{
	static char block[65000];
	int fds[2];

	connected_pair(AF_INET, fds);
	CALL(set_int(fds[0], IPPROTO_UDP, 103, 10));
	CALL(send(fds[0], block, 1280, 0));
	CALL(send(fds[0], block, 1281, 0));
	CALL(send(fds[0], block, 65000, 0));
}

CASE(segmentation_by_message)
{
	char control[CMSG_SPACE(2)] = "";
	struct iovec part = {"0123456789", 10};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	int fds[2];

	connected_pair(AF_INET, fds);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = 103;
	c->cmsg_len = CMSG_LEN(2);
	memcpy(CMSG_DATA(c), &(uint16_t){4}, 2);
	CALL(sendmsg(fds[0], &header, 0));
	note_datagrams(fds[1]);
	c->cmsg_len = CMSG_LEN(1);
	CALL(sendmsg(fds[0], &header, 0));
	c->cmsg_len = CMSG_LEN(2);
	c->cmsg_type = 77;
	CALL(sendmsg(fds[0], &header, 0));
}

CASE(coalescing)
{
	static char block[1000];
	char control[64];
	struct iovec part = {block, sizeof(block)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
	int fds[2];

	for (int i = 0; i < 2; i++) {
		connected_pair(families[i], fds);
		CALL(set_int(fds[1], IPPROTO_UDP, 104, 1));
		CALL(set_int(fds[0], IPPROTO_UDP, 103, 100));
		CALL(send(fds[0], block, 350, 0));
		CALL(send(fds[0], block, 50, 0));
		for (int n = 0; n < 2; n++) {
			struct cmsghdr *c;

			header.msg_controllen = sizeof(control);
			await(fds[1], POLLIN);
			CALL(recvmsg(fds[1], &header, 0));
			c = CMSG_FIRSTHDR(&header);
			if (c)
				NOTE("%d %d %d", c->cmsg_level, c->cmsg_type, *(int *)CMSG_DATA(c));
		}
		CALL(recv(fds[1], block, 1, MSG_DONTWAIT));
		close(fds[0]), close(fds[1]);
	}
}

/* ---- peeking with an offset ---- */

CASE(peek_offset)
{
	int fds[2];
	char text[8];

	connected_pair(AF_INET, fds);
	CALL(set_int(fds[1], SOL_SOCKET, SO_PEEK_OFF, 0));
	send(fds[0], "abcdef", 6, 0);
	send(fds[0], "ghi", 3, 0);
	await(fds[1], POLLIN);
	for (int i = 0; i < 5; i++) {
		memset(text, 0, sizeof(text));
		CALL(recv(fds[1], text, 4, MSG_PEEK | MSG_DONTWAIT));
		NOTE("%s, offset %d", text, int_option(fds[1], SOL_SOCKET, SO_PEEK_OFF));
	}
	memset(text, 0, sizeof(text));
	CALL(recv(fds[1], text, 8, MSG_DONTWAIT));
	NOTE("%s, offset %d", text, int_option(fds[1], SOL_SOCKET, SO_PEEK_OFF));
	CALL(set_int(fds[1], SOL_SOCKET, SO_PEEK_OFF, 1));
	memset(text, 0, sizeof(text));
	CALL(recv(fds[1], text, 8, MSG_PEEK | MSG_DONTWAIT));
	NOTE("%s", text);
	CALL(set_int(fds[1], SOL_SOCKET, SO_PEEK_OFF, -1));
	memset(text, 0, sizeof(text));
	CALL(recv(fds[1], text, 8, MSG_PEEK | MSG_DONTWAIT));
	NOTE("%s", text);
}

/* ---- errors that wait ---- */

static void note_error(int fd)
{
	char text[16] = "", control[256];
	union address name = {0};
	struct iovec part = {text, sizeof(text)};
	struct msghdr header = {.msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};

	CALL(recvmsg(fd, &header, MSG_ERRQUEUE));
	if (errno)
		return;
	NOTE("%s, name of %u, flags %#x", text, header.msg_namelen, header.msg_flags);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		struct sock_extended_err error;
		union address offender;

		memcpy(&error, CMSG_DATA(c), sizeof(error));
		memcpy(&offender, CMSG_DATA(c) + sizeof(error), sizeof(offender.in6));
		NOTE("level %d type %d size %zu: %s, origin %u type %u code %u info %u data %u, "
		     "offender of family %d port %u",
			c->cmsg_level, c->cmsg_type, c->cmsg_len - CMSG_LEN(0),
			errno_name((int)error.ee_errno), error.ee_origin, error.ee_type,
			error.ee_code, error.ee_info, error.ee_data, offender.any.sa_family,
			offender.in.sin_port);
	}
}

CASE(errors_wait_for_a_connected_socket)
{
	for (int i = 0; i < 2; i++) {
		int fd = socket(families[i], SOCK_DGRAM, 0), gone = bound(families[i], SOCK_DGRAM);
		uint16_t port = port_of(gone);

		close(gone);
		CALL(set_int(fd, families[i] == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			families[i] == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1));
		connect_to(fd, families[i], port);
		CALL(send(fd, "one", 3, 0));
		await_poll("refused", fd, POLLERR);
		note_error(fd);
		note_poll("then", fd);
		CALL(recvmsg(fd, &(struct msghdr){0}, MSG_ERRQUEUE));
		CALL(send(fd, "two", 3, 0));
		await(fd, POLLERR);
		CALL(send(fd, "three", 5, 0));
		note_poll("taken", fd);
		note_error(fd);
	}
}

CASE(errors_wait_for_others_too)
{
	for (int i = 0; i < 2; i++) {
		int fd = socket(families[i], SOCK_DGRAM, 0), gone = bound(families[i], SOCK_DGRAM);
		union address to = loopback(families[i], port_of(gone));

		close(gone);
		CALL(set_int(fd, families[i] == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			families[i] == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1));
		CALL(sendto(fd, "one", 3, 0, &to.any, address_size(families[i])));
		await_poll("refused", fd, POLLERR);
		NOTE("error %d", int_option(fd, SOL_SOCKET, SO_ERROR));
		note_error(fd);
		note_poll("then", fd);
	}
}

CASE(errors_are_forgotten_when_nobody_wants_them)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), gone = bound(AF_INET, SOCK_DGRAM);

	set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	connect_to(fd, AF_INET, port_of(gone));
	close(gone);
	CALL(send(fd, "one", 3, 0));
	await(fd, POLLERR);
	CALL(set_int(fd, IPPROTO_IP, IP_RECVERR, 0));
	CALL(recvmsg(fd, &(struct msghdr){0}, MSG_ERRQUEUE));
	CALL(recv(fd, &(char){0}, 1, MSG_DONTWAIT));
	CALL(recv(fd, &(char){0}, 1, MSG_DONTWAIT));
}
