/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of a TCP socket in every state that it can be in, for both families (tcp(7), ip(7)).
 * One case for each state and kind of call. */
#include "inet.h"

#include <netinet/tcp.h>

enum state {
	FRESH,
	BOUND,
	LISTENING,
	CONNECTED,
	PEER_SHUT, /* they have ended, we have not */
	SHUT_WRITE,
	SHUT_READ,
	SHUT_BOTH,
	PEER_CLOSED,
	RESET,
	REFUSED,
	ENDED, /* both ends have ended, in order */
};

struct scene {
	int family, fd, peer, server;
};

static void connected(struct scene *scene)
{
	scene->server = listener(scene->family, 4);
	scene->fd = socket(scene->family, SOCK_STREAM, 0);
	connect_to(scene->fd, scene->family, port_of(scene->server));
	scene->peer = accept(scene->server, NULL, NULL);
}

static void reset_peer(struct scene *scene)
{
	struct linger linger = {1, 0};

	setsockopt(scene->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(scene->peer);
	scene->peer = -1;
	await(scene->fd, POLLIN);
}

static struct scene enter(int family, enum state state)
{
	struct scene scene = {family, -1, -1, -1};

	switch (state) {
	case FRESH:
		scene.fd = socket(family, SOCK_STREAM, 0);
		return scene;
	case BOUND:
		scene.fd = bound(family, SOCK_STREAM);
		return scene;
	case LISTENING:
		scene.fd = listener(family, 4);
		return scene;
	case REFUSED:
		scene.server = bound(family, SOCK_STREAM);
		scene.fd = socket(family, SOCK_STREAM, 0);
		connect_to(scene.fd, family, port_of(scene.server));
		return scene;
	default:
		connected(&scene);
		break;
	}
	if (state == PEER_SHUT || state == ENDED) {
		shutdown(scene.peer, SHUT_WR);
		await(scene.fd, POLLRDHUP);
	}
	if (state == SHUT_WRITE || state == SHUT_BOTH || state == ENDED)
		shutdown(scene.fd, SHUT_WR);
	if (state == ENDED)
		await(scene.peer, POLLRDHUP);
	if (state == SHUT_READ || state == SHUT_BOTH)
		shutdown(scene.fd, SHUT_RD);
	if (state == PEER_CLOSED) {
		close(scene.peer);
		scene.peer = -1;
		await(scene.fd, POLLRDHUP);
	}
	if (state == RESET)
		reset_peer(&scene);
	return scene;
}

static void leave(struct scene *scene)
{
	close(scene->fd);
	if (scene->peer >= 0)
		close(scene->peer);
	if (scene->server >= 0)
		close(scene->server);
}

/* ---- kinds of calls ---- */

static void names(struct scene *scene)
{
	note_name_of("name", scene->fd, false);
	note_name_of("peer", scene->fd, true);
	CALL(getsockname(scene->fd, BAD_ADDRESS, &(socklen_t){16}));
	CALL(getpeername(scene->fd, BAD_ADDRESS, &(socklen_t){16}));
	CALL(getsockname(scene->fd, NULL, &(socklen_t){0}));
	CALL(getsockname(scene->fd, NULL, &(socklen_t){(socklen_t)-1}));
}

static void sending(struct scene *scene)
{
	CALL(send(scene->fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT));
	CALL(send(scene->fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
	CALL(send(scene->fd, "b", 1, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE));
	CALL(send(scene->fd, "c", 1, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_DONTROUTE));
	CALL(send(scene->fd, "d", 1, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_CONFIRM | MSG_EOR));
	CALL(send(scene->fd, BAD_ADDRESS, 1, MSG_NOSIGNAL | MSG_DONTWAIT));
	if (scene->peer >= 0) {
		char text[16] = "";

		CALL(recv(scene->peer, text, 4, MSG_DONTWAIT | MSG_WAITALL));
		NOTE("%s", text);
	}
}

static void sending_to(struct scene *scene)
{
	union address address = loopback(scene->family, 9);
	socklen_t size = address_size(scene->family);

	/* A name is passed over when there is a connection. */
	CALL(sendto(scene->fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT, &address.any, size));
	CALL(sendto(scene->fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT, &address.any, 2));
	CALL(sendto(scene->fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT, BAD_ADDRESS, size));
	CALL(sendto(scene->fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT, &address.any, 129));
}

static void sending_with_a_signal(struct scene *scene)
{
	signal(SIGPIPE, SIG_IGN);
	CALL(write(scene->fd, "a", 1));
	CALL(write(scene->fd, "a", 0));
	CALL(writev(scene->fd, &(struct iovec){"xy", 2}, 1));
}

static void urgent_data(struct scene *scene)
{
	char c = 0;

	CALL(send(scene->fd, "u", 1, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_OOB));
	CALL(recv(scene->fd, &c, 1, MSG_OOB));
	CALL(recv(scene->fd, &c, 1, MSG_OOB | MSG_PEEK));
	CALL(sockatmark(scene->fd));
	if (scene->peer >= 0) {
		CALL(recv(scene->peer, &c, 1, MSG_OOB));
		NOTE("%c", c);
	}
}

static void receiving(struct scene *scene)
{
	union address address;
	socklen_t size = sizeof(address);
	char text[4] = "";

	CALL(recv(scene->fd, text, 0, MSG_DONTWAIT));
	CALL(recv(scene->fd, text, 4, MSG_DONTWAIT | MSG_PEEK));
	CALL(recv(scene->fd, text, 4, MSG_DONTWAIT));
	CALL(recv(scene->fd, text, 4, MSG_DONTWAIT | MSG_WAITALL));
	CALL(recv(scene->fd, text, 4, MSG_DONTWAIT | MSG_TRUNC));
	CALL(recv(scene->fd, text, 4, MSG_DONTWAIT | MSG_ERRQUEUE));
	CALL(recvfrom(scene->fd, text, 4, MSG_DONTWAIT, &address.any, &size));
	fcntl(scene->fd, F_SETFL, O_NONBLOCK);
	CALL(read(scene->fd, text, 4));
	CALL(read(scene->fd, text, 0));
}

static void receiving_what_was_sent(struct scene *scene)
{
	union address address;
	socklen_t size = sizeof(address);
	char text[16] = "";

	if (scene->peer < 0) {
		NOTE("nobody sends");
		return;
	}
	CALL(send(scene->peer, "hello", 5, MSG_NOSIGNAL));
	CALL(recv(scene->fd, text, 2, MSG_DONTWAIT | MSG_PEEK));
	CALL(recvfrom(scene->fd, text, 2, MSG_DONTWAIT, &address.any, &size));
	NOTE("%s, name of %u", text, size);
	CALL(recv(scene->fd, BAD_ADDRESS, 2, MSG_DONTWAIT));
	CALL(recv(scene->fd, text, 16, MSG_DONTWAIT));
	NOTE("%s", text);
	CALL(recv(scene->fd, text, 16, MSG_DONTWAIT));
}

static void polling(struct scene *scene)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET};
	int ep = epoll_create1(0);

	note_poll("poll", scene->fd);
	CALL(epoll_ctl(ep, EPOLL_CTL_ADD, scene->fd, &event));
	event.events = 0;
	CALL(epoll_wait(ep, &event, 1, 0));
	NOTE("%#x", event.events);
	CALL(epoll_wait(ep, &event, 1, 0));
	close(ep);
}

static void shutting(struct scene *scene)
{
	static const int how[] = {SHUT_RD, SHUT_WR, SHUT_RDWR, 3, -1};

	for (int i = 0; i < 5; i++) {
		struct scene again = *scene;

		CALL(shutdown(scene->fd, how[i]));
		note_poll("then", again.fd);
		NOTE("error %d", int_option(again.fd, SOL_SOCKET, SO_ERROR));
	}
}

static void connecting(struct scene *scene)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	union address address = loopback(scene->family, 0);
	int other = listener(scene->family, 2);

	fcntl(scene->fd, F_SETFL, O_NONBLOCK);
	CALL(connect_to(scene->fd, scene->family, port_of(other)));
	CALL(connect(scene->fd, &address.any, 1));
	CALL(connect(scene->fd, &none, sizeof(none)));
	note_poll("after", scene->fd);
	note_name_of("peer", scene->fd, true);
	CALL(connect(scene->fd, &none, sizeof(none)));
	close(other);
}

static void binding(struct scene *scene)
{
	union address address = loopback(scene->family, 0);

	CALL(bind(scene->fd, &address.any, address_size(scene->family)));
	CALL(bind(scene->fd, &address.any, 2));
	CALL(bind(scene->fd, &address.any, address_size(scene->family)));
}

static void listening(struct scene *scene)
{
	CALL(listen(scene->fd, 0));
	NOTE("%d", int_option(scene->fd, SOL_SOCKET, SO_ACCEPTCONN));
	CALL(listen(scene->fd, -1));
	CALL(listen(scene->fd, INT_MAX));
	note_poll("then", scene->fd);
}

static void accepting(struct scene *scene)
{
	fcntl(scene->fd, F_SETFL, O_NONBLOCK);
	CALL(accept(scene->fd, NULL, NULL));
	CALL(accept4(scene->fd, NULL, NULL, 1));
	CALL(accept(scene->fd, BAD_ADDRESS, BAD_ADDRESS));
}

static void requests(struct scene *scene)
{
	int value = -7;

	CALL(ioctl(scene->fd, FIONREAD, &value));
	NOTE("%d", value);
	CALL(ioctl(scene->fd, TIOCOUTQ, &value));
	/* When their acknowledgement of our FIN comes is theirs to choose. */
	NOTE("%d", value > 0 || value == -3 ? 0 : value);
	CALL(ioctl(scene->fd, FIONREAD, BAD_ADDRESS));
	CALL(ioctl(scene->fd, FIONBIO, &(int){1}));
	CALL(fcntl(scene->fd, F_GETFL) & O_NONBLOCK);
	CALL(ioctl(scene->fd, 0x5413, &value));
	CALL(lseek(scene->fd, 0, SEEK_CUR));
	CALL(ftruncate(scene->fd, 0));
	CALL(fsync(scene->fd));
	CALL(pread(scene->fd, &value, 1, 0));
}

static void options(struct scene *scene)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	CALL(getsockopt(scene->fd, IPPROTO_TCP, TCP_INFO, &info, &size));
	if (info.tcpi_state == 5)
		info.tcpi_state = 4; /* when their acknowledgement comes is theirs to choose */
	NOTE("state %u, retransmits %u, scale %d", info.tcpi_state, info.tcpi_retransmits,
		info.tcpi_options & 4);
	NOTE("error %d", int_option(scene->fd, SOL_SOCKET, SO_ERROR));
	NOTE("error %d", int_option(scene->fd, SOL_SOCKET, SO_ERROR));
	NOTE("listening %d", int_option(scene->fd, SOL_SOCKET, SO_ACCEPTCONN));
	CALL(set_int(scene->fd, IPPROTO_TCP, TCP_NODELAY, 1));
	CALL(set_int(scene->fd, SOL_SOCKET, SO_KEEPALIVE, 1));
	CALL(set_int(scene->fd, SOL_SOCKET, SO_REUSEADDR, 1));
	CALL(set_int(scene->fd, IPPROTO_IP, IP_TTL, 5));
	if (scene->family == AF_INET6)
		CALL(set_int(scene->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
}

static void messages(struct scene *scene)
{
	char text[4], control[64];
	struct iovec part = {text, 4};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct mmsghdr many[2] = {{.msg_hdr = header}, {.msg_hdr = header}};

	CALL(recvmsg(scene->fd, &header, MSG_DONTWAIT));
	NOTE("control %zu flags %#x", header.msg_controllen, header.msg_flags);
	CALL(recvmmsg(scene->fd, many, 2, MSG_DONTWAIT, NULL));
	part = (struct iovec){"abcd", 4};
	header = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
	CALL(sendmsg(scene->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT));
	many[0].msg_hdr = many[1].msg_hdr = header;
	CALL(sendmmsg(scene->fd, many, 2, MSG_NOSIGNAL | MSG_DONTWAIT));
	header.msg_iovlen = 0;
	CALL(sendmsg(scene->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static void play(enum state state, void (*calls)(struct scene *scene))
{
	static const int families[] = {AF_INET, AF_INET6};

	for (int i = 0; i < 2; i++) {
		struct scene scene = enter(families[i], state);

		calls(&scene);
		leave(&scene);
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
	ONE(name, state, sending_with_a_signal)                                                    \
	ONE(name, state, urgent_data)                                                              \
	ONE(name, state, receiving)                                                                \
	ONE(name, state, receiving_what_was_sent)                                                  \
	ONE(name, state, polling)                                                                  \
	ONE(name, state, shutting)                                                                 \
	ONE(name, state, connecting)                                                               \
	ONE(name, state, binding)                                                                  \
	ONE(name, state, listening)                                                                \
	ONE(name, state, accepting)                                                                \
	ONE(name, state, requests)                                                                 \
	ONE(name, state, options)                                                                  \
	ONE(name, state, messages)

STATE(fresh, FRESH)
STATE(bound, BOUND)
STATE(listening, LISTENING)
STATE(connected, CONNECTED)
STATE(peer_shut, PEER_SHUT)
STATE(shut_write, SHUT_WRITE)
STATE(shut_read, SHUT_READ)
STATE(shut_both, SHUT_BOTH)
STATE(peer_closed, PEER_CLOSED)
STATE(reset, RESET)
STATE(refused, REFUSED)
STATE(ended, ENDED)
