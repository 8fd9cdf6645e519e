/* SPDX-License-Identifier: Apache-2.0 */
/* What options of Internet sockets do: groups on the loopback interface, ancillary data across
 * families, low-water marks, deferred accepts, lingering, SIGURG (socket(7), ip(7), tcp(7)). */
#include "inet.h"

#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>

/* ---- groups ---- */

static union address group4(const char *text, uint16_t port)
{
	union address address = {.in = {.sin_family = AF_INET, .sin_port = htons(port)}};

	inet_pton(AF_INET, text, &address.in.sin_addr);
	return address;
}

static int any_receiver(int family, uint16_t port)
{
	union address address = {0};
	int fd = socket(family, SOCK_DGRAM, 0);

	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	address.any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		address.in.sin_port = htons(port);
	else
		address.in6.sin6_port = htons(port);
	OK(bind(fd, &address.any, address_size(family)));
	return fd;
}

static struct ip_mreqn on_lo(const char *group)
{
	struct ip_mreqn request = {.imr_ifindex = 1};

	inet_pton(AF_INET, group, &request.imr_multiaddr);
	return request;
}

static int group_sender(void)
{
	struct ip_mreqn request = {.imr_ifindex = 1, .imr_address.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CALL(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)));
	return fd;
}

static void send_group(int fd, const char *group, uint16_t port, const char *text)
{
	union address to = group4(group, port);

	CALL(sendto(fd, text, strlen(text), 0, &to.any, sizeof(to.in)));
}

static void note_received(const char *what, int fd)
{
	char text[32] = "";
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	NOTE("%s: %s", what, n < 0 ? errno_name(errno) : text);
}

CASE(group_join_errors)
{
	struct ip_mreqn request = on_lo("224.5.6.7");
	int fd = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);

	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 7));
	CALL(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof(request)));
	CALL(setsockopt(tcp, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	request.imr_ifindex = 12345;
	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	request = on_lo("127.0.0.1");
	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	CALL(getsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, &(socklen_t){12}));
}

CASE(group_twenty_are_enough)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), joined = 0;

	for (int i = 0; i < 30; i++) {
		struct ip_mreqn request = on_lo("224.5.6.0");

		request.imr_multiaddr.s_addr += htonl((uint32_t)i);
		errno = 0;
		if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)) < 0)
			break;
		joined++;
	}
	NOTE("%d, then %s", joined, errno_name(errno));
}

CASE(group_reaches_all_members)
{
	struct ip_mreqn request = on_lo("224.5.6.7");
	int a = any_receiver(AF_INET, 0), b = any_receiver(AF_INET, port_of(a));
	int sender = group_sender();

	CALL(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	CALL(setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	send_group(sender, "224.5.6.7", port_of(a), "all");
	await(a, POLLIN);
	note_received("a", a);
	note_received("b", b);
	CALL(setsockopt(a, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof(request)));
	send_group(sender, "224.5.6.8", port_of(a), "another group");
	note_received("a", a);
	note_received("b", b);
}

CASE(group_of_others_by_multicast_all)
{
	struct ip_mreqn request = on_lo("224.5.6.7");
	int a = any_receiver(AF_INET, 0), b = any_receiver(AF_INET, port_of(a));
	int sender = group_sender();

	CALL(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	send_group(sender, "224.5.6.7", port_of(a), "one");
	await(a, POLLIN);
	note_received("b", b);
	CALL(set_int(b, IPPROTO_IP, IP_MULTICAST_ALL, 0));
	send_group(sender, "224.5.6.7", port_of(a), "two");
	await(a, POLLIN);
	note_received("b", b);
}

CASE(group_sources)
{
	struct ip_mreq_source request = {.imr_interface.s_addr = htonl(INADDR_LOOPBACK),
		.imr_sourceaddr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = any_receiver(AF_INET, 0), sender = group_sender();

	inet_pton(AF_INET, "224.5.6.7", &request.imr_multiaddr);
	CALL(setsockopt(fd, IPPROTO_IP, IP_BLOCK_SOURCE, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_BLOCK_SOURCE, &request, sizeof(request)));
	send_group(sender, "224.5.6.7", port_of(fd), "from us");
	await(fd, POLLIN);
	note_received("wanted", fd);
	CALL(setsockopt(fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &request, 11));
}

CASE(group_blocked_source)
{
	struct ip_mreqn member = on_lo("224.5.6.7");
	struct ip_mreq_source request = {.imr_interface.s_addr = htonl(INADDR_LOOPBACK),
		.imr_sourceaddr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = any_receiver(AF_INET, 0), sender = group_sender();

	inet_pton(AF_INET, "224.5.6.7", &request.imr_multiaddr);
	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof(member)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_BLOCK_SOURCE, &request, sizeof(request)));
	send_group(sender, "224.5.6.7", port_of(fd), "blocked");
	note_received("blocked", fd);
	CALL(setsockopt(fd, IPPROTO_IP, IP_UNBLOCK_SOURCE, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, IP_UNBLOCK_SOURCE, &request, sizeof(request)));
	send_group(sender, "224.5.6.7", port_of(fd), "heard");
	await(fd, POLLIN);
	note_received("heard", fd);
}

CASE(group_by_any_family)
{
	struct group_req request = {.gr_interface = 1};
	union address group = group4("224.5.6.7", 0);
	int fd = any_receiver(AF_INET, 0), sender = group_sender();

	memcpy(&request.gr_group, &group, sizeof(group.in));
	CALL(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &request, 100));
	send_group(sender, "224.5.6.7", port_of(fd), "joined");
	await(fd, POLLIN);
	note_received("joined", fd);
	CALL(setsockopt(fd, IPPROTO_IP, MCAST_LEAVE_GROUP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IP, MCAST_LEAVE_GROUP, &request, sizeof(request)));
}

CASE(group_of_ipv6)
{
	struct ipv6_mreq request = {.ipv6mr_interface = 1};
	int fd = any_receiver(AF_INET6, 0), sender = socket(AF_INET6, SOCK_DGRAM, 0);

	inet_pton(AF_INET6, "ff01::1234", &request.ipv6mr_multiaddr);
	CALL(setsockopt(fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof(request)));
	CALL(set_int(sender, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1));
	CALL(set_int(sender, IPPROTO_IPV6, IPV6_MULTICAST_IF, 12345));
	CALL(setsockopt(fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request, sizeof(request)));
	CALL(setsockopt(fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request, 19));
}

/* ---- ancillary data ---- */

static void note_control(int fd)
{
	char text[16], control[512];
	struct iovec part = {text, sizeof(text)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};

	await(fd, POLLIN);
	CALL(recvmsg(fd, &header, MSG_DONTWAIT));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		int value = 0;
		size_t size = c->cmsg_len - CMSG_LEN(0);

		memcpy(&value, CMSG_DATA(c), size < 4 ? 1 : 4);
		NOTE("level %d type %d size %zu first %d", c->cmsg_level, c->cmsg_type, size,
			size > 4 ? 0 : value);
	}
}

CASE(ancillary_data_of_ipv4_on_ipv6)
{
	union address any = {.in6 = {.sin6_family = AF_INET6}}, to;
	int six = socket(AF_INET6, SOCK_DGRAM, 0), four = socket(AF_INET, SOCK_DGRAM, 0);

	CALL(bind(six, &any.any, sizeof(any.in6)));
	CALL(set_int(six, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
	CALL(set_int(six, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
	CALL(set_int(six, IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
	to = loopback(AF_INET, port_of(six));
	CALL(sendto(four, "x", 1, 0, &to.any, sizeof(to.in)));
	note_control(six);
	CALL(set_int(six, IPPROTO_IP, IP_RECVTTL, 1));
	CALL(set_int(six, IPPROTO_IP, IP_RECVTOS, 1));
	CALL(set_int(six, IPPROTO_IP, IP_PKTINFO, 1));
	CALL(set_int(four, IPPROTO_IP, IP_TTL, 7));
	CALL(sendto(four, "x", 1, 0, &to.any, sizeof(to.in)));
	note_control(six);
	to = loopback(AF_INET6, port_of(six));
	CALL(sendto(six, "x", 1, 0, &to.any, sizeof(to.in6)));
	note_control(six);
}

CASE(original_destination)
{
	for (int i = 0; i < 2; i++) {
		int family = i ? AF_INET6 : AF_INET, fd = bound(family, SOCK_DGRAM);
		union address to = loopback(family, port_of(fd));

		CALL(set_int(fd, i ? IPPROTO_IPV6 : IPPROTO_IP, i ? 74 : 20, 1));
		CALL(sendto(fd, "x", 1, 0, &to.any, address_size(family)));
		note_control(fd);
	}
}

CASE(marks_travel)
{
	int fd = bound(AF_INET, SOCK_DGRAM);
	union address to = loopback(AF_INET, port_of(fd));

	if (set_int(fd, SOL_SOCKET, SO_MARK, 77) < 0)
		SKIP("needs a privilege");
	CALL(set_int(fd, SOL_SOCKET, 75, 1));
	CALL(sendto(fd, "x", 1, 0, &to.any, sizeof(to.in)));
	note_control(fd);
}

CASE(stamps_of_streams)
{
	int fds[2];

	tcp_pair(AF_INET, fds);
	CALL(set_int(fds[1], SOL_SOCKET, SO_TIMESTAMPNS, 1));
	/* Linux begins to stamp packets some time after the first socket of all asked for it. */
	for (bool stamped = false; !stamped;) {
		struct msghdr header = {.msg_iov = &(struct iovec){&(char){0}, 1},
			.msg_iovlen = 1,
			.msg_control = &(char[64]){0},
			.msg_controllen = 64};

		if (write(fds[0], "x", 1) != 1 || recvmsg(fds[1], &header, 0) != 1)
			break;
		stamped = header.msg_controllen > 0;
	}
	CALL(write(fds[0], "x", 1));
	note_control(fds[1]);
	CALL(set_int(fds[1], SOL_SOCKET, SO_TIMESTAMPNS, 0));
	CALL(write(fds[0], "x", 1));
	note_control(fds[1]);
}

CASE(left_to_read)
{
	int fds[2];

	tcp_pair(AF_INET, fds);
	CALL(set_int(fds[1], IPPROTO_TCP, 36, 1));
	CALL(write(fds[0], "0123456789012345678901234", 25));
	note_control(fds[1]);
	note_control(fds[1]);
}

CASE(drops_are_told)
{
	int fd = bound(AF_INET, SOCK_DGRAM), sender = socket(AF_INET, SOCK_DGRAM, 0), dropped = 0;
	char block[1000] = "", control[64];
	struct iovec part = {block, sizeof(block)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};

	CALL(set_int(fd, SOL_SOCKET, SO_RXQ_OVFL, 1));
	connect_to(sender, AF_INET, port_of(fd));
	for (int i = 0; i < 2000; i++)
		send(sender, block, sizeof(block), 0);
	while (recv(fd, block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	send(sender, block, sizeof(block), 0);
	await(fd, POLLIN);
	header.msg_controllen = sizeof(control);
	CALL(recvmsg(fd, &header, 0));
	if (CMSG_FIRSTHDR(&header))
		memcpy(&dropped, CMSG_DATA(CMSG_FIRSTHDR(&header)), 4);
	TRUTH(dropped > 100);
}

/* ---- what else options do ---- */

CASE(low_water_mark)
{
	char text[16] = "";
	int fds[2];

	tcp_pair(AF_INET, fds);
	CALL(set_int(fds[1], SOL_SOCKET, SO_RCVLOWAT, 4));
	CALL(write(fds[0], "abc", 3));
	note_poll("three", fds[1]);
	CALL(recv(fds[1], text, 16, MSG_DONTWAIT));
	CALL(write(fds[0], "defgh", 5));
	await_poll("five", fds[1], POLLIN);
	CALL(recv(fds[1], text, 16, 0));
	CALL(write(fds[0], "ij", 2));
	CALL(shutdown(fds[0], SHUT_WR));
	await_poll("the end", fds[1], POLLIN);
	CALL(recv(fds[1], text, 16, 0));
}

CASE(deferred_accept)
{
	int server = listener(AF_INET, 4), fd = socket(AF_INET, SOCK_STREAM, 0), child;
	char text[8] = "";

	CALL(set_int(server, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30));
	fcntl(server, F_SETFL, O_NONBLOCK);
	CALL(connect_to(fd, AF_INET, port_of(server)));
	note_poll("silent", server);
	CALL(accept(server, NULL, NULL));
	CALL(write(fd, "hello", 5));
	await_poll("said something", server, POLLIN);
	OK(child = accept(server, NULL, NULL));
	CALL(recv(child, text, sizeof(text), MSG_DONTWAIT));
}

CASE(linger_waits_for_nothing)
{
	struct linger linger = {1, 10};
	int fds[2];
	char text[8] = "";
	long long began;

	tcp_pair(AF_INET, fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CALL(write(fds[0], "hello", 5));
	began = now_ms();
	CALL(close(fds[0]));
	TRUTH(now_ms() - began < 5000);
	CALL(recv(fds[1], text, sizeof(text), 0));
	CALL(recv(fds[1], text, sizeof(text), 0));
}

CASE(linger_waits_until_its_time_is_over)
{
	static char block[1 << 16];
	struct linger linger = {1, 1};
	int fds[2];
	long long began;

	tcp_pair(AF_INET, fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	while (send(fds[0], block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	began = now_ms();
	CALL(close(fds[0]));
	TRUTH(now_ms() - began >= 900);
}

/* What was written before a reset arrives before it. */
CASE(data_before_a_reset)
{
	struct linger linger = {1, 0};
	struct sockaddr_in nobody = {.sin_family = AF_UNSPEC};
	char text[8] = "";
	int fds[2];

	tcp_pair(AF_INET, fds);
	CALL(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CALL(write(fds[0], "hello", 5));
	CALL(close(fds[0]));
	CALL(recv(fds[1], text, 2, MSG_DONTWAIT));
	CALL(recv(fds[1], text, sizeof(text), MSG_DONTWAIT));
	CALL(recv(fds[1], text, sizeof(text), MSG_DONTWAIT));
	CALL(recv(fds[1], text, sizeof(text), MSG_DONTWAIT));
	tcp_pair(AF_INET, fds);
	CALL(write(fds[0], "hello", 5));
	CALL(connect(fds[0], (struct sockaddr *)&nobody, sizeof(nobody)));
	CALL(recv(fds[1], text, sizeof(text), MSG_DONTWAIT));
	CALL(recv(fds[1], text, sizeof(text), MSG_DONTWAIT));
	CALL(recv(fds[1], text, sizeof(text), MSG_DONTWAIT));
}

static volatile sig_atomic_t urgent_signals;

static void on_urgent(int signal)
{
	urgent_signals++;
}

CASE(urgent_signal)
{
	int fds[2];
	char c = 0;

	signal(SIGURG, on_urgent);
	tcp_pair(AF_INET, fds);
	CALL(send(fds[0], "u", 1, MSG_OOB));
	await(fds[1], POLLPRI);
	NOTE("without an owner: %d", urgent_signals);
	CALL(recv(fds[1], &c, 1, MSG_OOB));
	CALL(fcntl(fds[1], F_SETOWN, getpid()));
	CALL(send(fds[0], "v", 1, MSG_OOB));
	await(fds[1], POLLPRI);
	for (int i = 0; i < 1000 && !urgent_signals; i++)
		sched_yield();
	NOTE("with: %d", urgent_signals);
	CALL(recv(fds[1], &c, 1, MSG_OOB));
	NOTE("%c", c);
}

CASE(foreign_addresses_by_freebind)
{
	union address address = loopback(AF_INET, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.in.sin_addr.s_addr = inet_addr("203.0.113.9");
	CALL(bind(fd, &address.any, sizeof(address.in)));
	CALL(set_int(fd, IPPROTO_IP, IP_FREEBIND, 1));
	CALL(bind(fd, &address.any, sizeof(address.in)));
	note_name_of("bound", fd, false);
}

CASE(window_clamp_bounds_what_is_sent)
{
	static char block[1 << 16];
	int server = listener(AF_INET, 1), fd = socket(AF_INET, SOCK_STREAM, 0), child;
	long long sent = 0;
	ssize_t n;

	CALL(set_int(server, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000));
	CALL(set_int(fd, SOL_SOCKET, SO_SNDBUF, 8192));
	CALL(connect_to(fd, AF_INET, port_of(server)));
	OK(child = accept(server, NULL, NULL));
	while ((n = send(fd, block, sizeof(block), MSG_DONTWAIT)) > 0)
		sent += n;
	TRUTH(sent < 200000);
	close(child);
}

CASE(sendfile_to_both_kinds)
{
	char text[32] = "";
	int fds[2], udp = bound(AF_INET, SOCK_DGRAM), to = socket(AF_INET, SOCK_DGRAM, 0), file;
	off_t at = 3;

	write_file("f", "0123456789");
	file = open("f", O_RDONLY);
	tcp_pair(AF_INET, fds);
	CALL(sendfile(fds[0], file, &at, 5));
	NOTE("%lld", (long long)at);
	await(fds[1], POLLIN);
	CALL(recv(fds[1], text, sizeof(text), 0));
	NOTE("%s", text);
	connect_to(to, AF_INET, port_of(udp));
	CALL(sendfile(to, file, NULL, 10));
	await(udp, POLLIN);
	memset(text, 0, sizeof(text));
	CALL(recv(udp, text, sizeof(text), 0));
	NOTE("%s", text);
}

CASE(splice_between_sockets)
{
	char text[32] = "";
	int a[2], b[2], p[2];

	tcp_pair(AF_INET, a);
	tcp_pair(AF_INET6, b);
	CALL(pipe(p));
	CALL(write(a[0], "through", 7));
	await(a[1], POLLIN);
	CALL(splice(a[1], NULL, p[1], NULL, 100, 0));
	CALL(splice(p[0], NULL, b[0], NULL, 100, 0));
	await(b[1], POLLIN);
	CALL(recv(b[1], text, sizeof(text), 0));
	NOTE("%s", text);
	fcntl(a[1], F_SETFL, O_NONBLOCK);
	CALL(splice(a[1], NULL, p[1], NULL, 100, SPLICE_F_NONBLOCK));
	CALL(splice(a[1], NULL, b[0], NULL, 100, 0));
	CALL(vmsplice(p[1], &(struct iovec){"mapped", 6}, 1, 0));
	CALL(splice(p[0], NULL, b[0], NULL, 100, SPLICE_F_MORE));
}

CASE(edge_triggered_stream)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
	int fds[2], ep = epoll_create1(0);
	char text[8];

	tcp_pair(AF_INET, fds);
	CALL(epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &event));
	CALL(write(fds[0], "ab", 2));
	CALL(epoll_wait(ep, &event, 1, 5000));
	CALL(epoll_wait(ep, &event, 1, 0));
	CALL(recv(fds[1], text, 1, 0));
	CALL(epoll_wait(ep, &event, 1, 0));
	CALL(write(fds[0], "c", 1));
	CALL(epoll_wait(ep, &event, 1, 5000));
	CALL(shutdown(fds[0], SHUT_WR));
	CALL(epoll_wait(ep, &event, 1, 5000));
	NOTE("%#x", event.events);
	CALL(epoll_wait(ep, &event, 1, 0));
}

CASE(one_shot_stream)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
	int fds[2], ep = epoll_create1(0);

	tcp_pair(AF_INET, fds);
	CALL(epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &event));
	CALL(write(fds[0], "ab", 2));
	CALL(epoll_wait(ep, &event, 1, 5000));
	CALL(write(fds[0], "ab", 2));
	CALL(epoll_wait(ep, &event, 1, 0));
	event.events = EPOLLIN | EPOLLONESHOT;
	CALL(epoll_ctl(ep, EPOLL_CTL_MOD, fds[1], &event));
	CALL(epoll_wait(ep, &event, 1, 5000));
}
