/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_GUEST_INET_H
#define SENTRY_TESTS_GUEST_INET_H

#include "case.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Loopback sockets for the cases. Ports are the kernel's choice and never printed. */

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

static inline socklen_t address_size(int family)
{
	return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static inline union address loopback(int family, uint16_t port)
{
	union address address = {0};

	if (family == AF_INET) {
		address.in.sin_family = AF_INET;
		address.in.sin_port = htons(port);
		address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else {
		address.in6.sin6_family = AF_INET6;
		address.in6.sin6_port = htons(port);
		address.in6.sin6_addr = in6addr_loopback;
	}
	return address;
}

static inline uint16_t port_of(int fd)
{
	union address address = {0};
	socklen_t size = sizeof(address);

	getsockname(fd, &address.any, &size);
	return ntohs(
		address.any.sa_family == AF_INET ? address.in.sin_port : address.in6.sin6_port);
}

static inline int bound(int family, int type)
{
	union address address = loopback(family, 0);
	int fd = socket(family, type, 0);

	if (fd < 0 || bind(fd, &address.any, address_size(family)) < 0) {
		NOTE("no socket: %s", errno_name(errno));
		exit(1);
	}
	return fd;
}

static inline int listener(int family, int backlog)
{
	int fd = bound(family, SOCK_STREAM);

	if (listen(fd, backlog) < 0) {
		NOTE("no listener: %s", errno_name(errno));
		exit(1);
	}
	return fd;
}

static inline int connect_to(int fd, int family, uint16_t port)
{
	union address address = loopback(family, port);

	return connect(fd, &address.any, address_size(family));
}

/* fds[0] is the client's end, fds[1] the server's. */
static inline void tcp_pair(int family, int fds[2])
{
	int server = listener(family, 1);

	fds[0] = socket(family, SOCK_STREAM, 0);
	if (connect_to(fds[0], family, port_of(server)) < 0) {
		NOTE("no connection: %s", errno_name(errno));
		exit(1);
	}
	fds[1] = accept(server, NULL, NULL);
	close(server);
}

static inline void note_name_of(const char *what, int fd, bool peer)
{
	union address address;
	socklen_t size = sizeof(address);
	char text[INET6_ADDRSTRLEN] = "";
	int r;

	memset(&address, 0x55, sizeof(address));
	r = peer ? getpeername(fd, &address.any, &size) : getsockname(fd, &address.any, &size);
	if (r < 0) {
		NOTE("%s: %s", what, errno_name(errno));
		return;
	}
	if (address.any.sa_family == AF_INET)
		inet_ntop(AF_INET, &address.in.sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &address.in6.sin6_addr, text, sizeof(text));
	NOTE("%s: size %u, %s, port %s", what, size, text,
		(address.any.sa_family == AF_INET ? address.in.sin_port : address.in6.sin6_port)
			? "some"
			: "none");
}

static inline void note_poll(const char *what, int fd)
{
	struct pollfd pfd = {.fd = fd,
		.events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM};

	poll(&pfd, 1, 0);
	NOTE("%s: poll %#x", what, pfd.revents);
}

static inline void await(int fd, short events)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	if (poll(&pfd, 1, 5000) == 0)
		NOTE("nothing came");
}

/* Waits until one of @events shows, and prints all that do. */
static inline void await_poll(const char *what, int fd, short events)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	if (poll(&pfd, 1, 5000) == 0)
		NOTE("%s: nothing came", what);
	note_poll(what, fd);
}

static inline int int_option(int fd, int level, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, level, option, &value, &size) < 0 ? -errno : value;
}

static inline int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

#endif
