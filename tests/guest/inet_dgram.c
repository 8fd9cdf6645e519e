/* SPDX-License-Identifier: Apache-2.0 */
/* udp(7), and the options of Internet sockets. */
#include "inet.h"

static const int families[2] = {AF_INET, AF_INET6};

static ssize_t send_to(int fd, int family, uint16_t port, const char *text)
{
	union address address = loopback(family, port);

	return sendto(fd, text, strlen(text), 0, &address.any, address_size(family));
}

CASE(send_and_receive)
{
	for (int i = 0; i < 2; i++) {
		int server = bound(families[i], SOCK_DGRAM),
		    fd = socket(families[i], SOCK_DGRAM, 0);
		union address from;
		socklen_t size = sizeof(from);
		char text[16] = "";

		note_poll("fresh", fd);
		note_name_of("fresh", fd, false);
		CALL(send_to(fd, families[i], port_of(server), "hello"));
		CALL(send_to(fd, families[i], port_of(server), ""));
		note_name_of("bound by sending", fd, false);
		await_poll("server", server, POLLIN);
		CALL(recvfrom(server, text, sizeof(text), 0, &from.any, &size));
		NOTE("%s, from its port: %d, size %u", text, from.in.sin_port == htons(port_of(fd)),
			size);
		CALL(recvfrom(server, text, sizeof(text), 0, NULL, NULL));
		CALL(recv(server, text, sizeof(text), MSG_DONTWAIT));
	}
}

CASE(errors)
{
	union address address = loopback(AF_INET, 9);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	static char large[70000];

	CALL(send(fd, "x", 1, 0));
	CALL(sendto(fd, "x", 1, 0, &address.any, 3));
	CALL(sendto(fd, "x", 1, 0, BAD_ADDRESS, sizeof(address.in)));
	CALL(sendto(fd, BAD_ADDRESS, 4, 0, &address.any, sizeof(address.in)));
	CALL(sendto(fd, large, 65508, 0, &address.any, sizeof(address.in)));
	CALL(sendto(fd, large, 70000, 0, &address.any, sizeof(address.in)));
	CALL(sendto(fd, "x", 1, MSG_OOB, &address.any, sizeof(address.in)));
	address.in.sin_port = 0;
	CALL(sendto(fd, "x", 1, 0, &address.any, sizeof(address.in)));
	address = loopback(AF_INET6, 9);
	CALL(sendto(fd, "x", 1, 0, &address.any, sizeof(address.in6)));
	CALL(recv(fd, large, 1, MSG_DONTWAIT));
	CALL(recv(fd, large, 1, MSG_DONTWAIT | MSG_OOB));
	CALL(recv(fd, large, 1, MSG_DONTWAIT | MSG_ERRQUEUE));
	CALL(shutdown(fd, SHUT_RDWR));
	CALL(accept(fd, NULL, NULL));
	CALL(listen(fd, 1));
}

CASE(largest_datagram)
{
	static char out[65507], in[65536];
	int server = bound(AF_INET, SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0);
	union address address = loopback(AF_INET, port_of(server));

	memset(out, 'x', sizeof(out));
	CALL(sendto(fd, out, sizeof(out), 0, &address.any, sizeof(address.in)));
	await_poll("server", server, POLLIN);
	CALL(recv(server, in, sizeof(in), 0));
	TRUTH(memcmp(in, out, sizeof(out)) == 0);
}

CASE(truncation_and_peek)
{
	int server = bound(AF_INET, SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0), size = -1;
	struct iovec part;
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	char text[16] = "";

	part = (struct iovec){text, 3};
	for (int i = 0; i < 4; i++)
		send_to(fd, AF_INET, port_of(server), "abcdef");
	await_poll("server", server, POLLIN);
	CALL(ioctl(server, FIONREAD, &size));
	NOTE("%d", size);
	CALL(recv(server, text, 3, MSG_PEEK));
	CALL(recv(server, text, 3, MSG_PEEK | MSG_TRUNC));
	CALL(recv(server, text, 3, 0));
	CALL(recv(server, text, 3, MSG_TRUNC));
	CALL(recvmsg(server, &header, 0));
	NOTE("%s flags %#x", text, header.msg_flags);
	CALL(recv(server, BAD_ADDRESS, 3, 0));
	CALL(recv(server, text, 3, MSG_DONTWAIT));
	CALL(ioctl(server, FIONREAD, &size));
	NOTE("%d", size);
}

CASE(connected)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int a = bound(AF_INET, SOCK_DGRAM), b = bound(AF_INET, SOCK_DGRAM);
	int stranger = bound(AF_INET, SOCK_DGRAM);
	char text[16] = "";

	CALL(connect_to(a, AF_INET, port_of(b)));
	note_name_of("peer", a, true);
	CALL(send(a, "one", 3, 0));
	await_poll("b", b, POLLIN);
	CALL(recv(b, text, sizeof(text), 0));
	/* Only the peer is heard. */
	CALL(send_to(stranger, AF_INET, port_of(a), "stranger"));
	CALL(send_to(b, AF_INET, port_of(a), "peer"));
	await_poll("a", a, POLLIN);
	CALL(recv(a, text, sizeof(text), 0));
	CALL(recv(a, text, sizeof(text), MSG_DONTWAIT));
	/* A name beats the connection. */
	CALL(send_to(a, AF_INET, port_of(stranger), "direct"));
	await_poll("stranger", stranger, POLLIN);
	CALL(connect_to(a, AF_INET, port_of(stranger)));
	CALL(connect(a, &none, sizeof(none)));
	note_name_of("peer", a, true);
	CALL(send(a, "x", 1, 0));
	CALL(shutdown(a, SHUT_WR));
}

CASE(refused)
{
	int gone = bound(AF_INET, SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint16_t port = port_of(gone);

	close(gone);
	/* Nobody is told who is not connected. */
	CALL(send_to(fd, AF_INET, port, "x"));
	CALL(send_to(fd, AF_INET, port, "x"));
	CALL(connect_to(fd, AF_INET, port));
	CALL(send(fd, "x", 1, 0));
	await_poll("refused", fd, POLLERR);
	CALL(recv(fd, &(char){0}, 1, 0));
	CALL(send(fd, "x", 1, 0));
	await_poll("refused", fd, POLLERR);
	CALL(send(fd, "x", 1, 0));
	CALL(send(fd, "x", 1, 0));
	await_poll("refused", fd, POLLERR);
	NOTE("error %d", int_option(fd, SOL_SOCKET, SO_ERROR));
	NOTE("error %d", int_option(fd, SOL_SOCKET, SO_ERROR));
}

CASE(shut)
{
	int a = bound(AF_INET, SOCK_DGRAM), b = bound(AF_INET, SOCK_DGRAM);
	char c;

	connect_to(a, AF_INET, port_of(b));
	CALL(shutdown(a, SHUT_WR));
	CALL(send(a, "x", 1, MSG_NOSIGNAL));
	CALL(shutdown(a, SHUT_RD));
	note_poll("shut", a);
	CALL(recv(a, &c, 1, 0));
	CALL(recv(a, &c, 1, MSG_DONTWAIT));
}

CASE(overflow_drops)
{
	int server = bound(AF_INET, SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0), got = 0;
	char block[1000] = "";

	connect_to(fd, AF_INET, port_of(server));
	for (int i = 0; i < 2000; i++)
		send(fd, block, sizeof(block), 0);
	while (recv(server, block, sizeof(block), MSG_DONTWAIT) > 0)
		got++;
	NOTE("some came: %d, some were lost: %d", got > 50, got < 2000);
}

CASE(reuseport)
{
	union address address = loopback(AF_INET, 0);
	int fds[2], got = 0;

	for (int i = 0; i < 2; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		set_int(fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
		CALL(bind(fds[i], &address.any, sizeof(address.in)));
		address.in.sin_port = htons(port_of(fds[0]));
	}
	for (int i = 0; i < 64; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		sendto(fd, "x", 1, 0, &address.any, sizeof(address.in));
		close(fd);
	}
	for (int i = 0; i < 2; i++) {
		int each = 0;

		while (recv(fds[i], &(char){0}, 1, MSG_DONTWAIT) > 0)
			each++;
		NOTE("some: %d", each > 0);
		got += each;
	}
	NOTE("all %d", got);
}

CASE(dual_stack)
{
	union address address = {.in6 = {.sin6_family = AF_INET6}}, from;
	int server = socket(AF_INET6, SOCK_DGRAM, 0), four = socket(AF_INET, SOCK_DGRAM, 0);
	int six = socket(AF_INET6, SOCK_DGRAM, 0);
	char text[INET6_ADDRSTRLEN];
	socklen_t size;

	CALL(bind(server, &address.any, sizeof(address.in6)));
	CALL(send_to(four, AF_INET, port_of(server), "four"));
	CALL(send_to(six, AF_INET6, port_of(server), "six"));
	for (int i = 0; i < 2; i++) {
		size = sizeof(from);
		CALL(recvfrom(server, text, sizeof(text), 0, &from.any, &size));
		NOTE("%s", inet_ntop(AF_INET6, &from.in6.sin6_addr, text, sizeof(text)));
		CALL(sendto(server, "back", 4, 0, &from.any, size));
	}
	CALL(recv(four, text, sizeof(text), 0));
	CALL(recv(six, text, sizeof(text), 0));
}

static void note_control(struct msghdr *header)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		int value = -1;

		memcpy(&value, CMSG_DATA(c),
			c->cmsg_len - CMSG_LEN(0) < sizeof(value) ? 1 : sizeof(value));
		NOTE("level %d type %d size %zu first %d", c->cmsg_level, c->cmsg_type,
			(size_t)(c->cmsg_len - CMSG_LEN(0)),
			c->cmsg_level == SOL_SOCKET	? 0
			: c->cmsg_len - CMSG_LEN(0) < 4 ? value & 0xff
							: value);
	}
	NOTE("flags %#x", header->msg_flags);
}

CASE(ancillary_data_v4)
{
	char text[16], control[256];
	struct iovec part = {text, sizeof(text)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	int server = bound(AF_INET, SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0);

	CALL(set_int(server, IPPROTO_IP, IP_PKTINFO, 1));
	CALL(set_int(server, IPPROTO_IP, IP_RECVTTL, 1));
	CALL(set_int(server, IPPROTO_IP, IP_RECVTOS, 1));
	CALL(set_int(server, SOL_SOCKET, SO_TIMESTAMP, 1));
	CALL(set_int(fd, IPPROTO_IP, IP_TTL, 9));
	CALL(set_int(fd, IPPROTO_IP, IP_TOS, 0x10));
	send_to(fd, AF_INET, port_of(server), "x");
	CALL(recvmsg(server, &header, 0));
	note_control(&header);
	send_to(fd, AF_INET, port_of(server), "x");
	header.msg_controllen = CMSG_SPACE(sizeof(struct timeval)) + 4;
	CALL(recvmsg(server, &header, 0));
	note_control(&header);
	CALL(set_int(server, SOL_SOCKET, SO_TIMESTAMP, 0));
	CALL(set_int(server, IPPROTO_IP, IP_PKTINFO, 0));
	send_to(fd, AF_INET, port_of(server), "x");
	header.msg_controllen = sizeof(control);
	CALL(recvmsg(server, &header, 0));
	note_control(&header);
}

CASE(ancillary_data_v6)
{
	char text[16], control[256] = "";
	struct iovec part = {text, sizeof(text)};
	union address to;
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
	int server = bound(AF_INET6, SOCK_DGRAM), fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct cmsghdr *c;

	CALL(set_int(server, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
	CALL(set_int(server, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
	CALL(set_int(server, IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
	to = loopback(AF_INET6, port_of(server));
	header.msg_name = &to;
	header.msg_namelen = sizeof(to.in6);
	header.msg_controllen = CMSG_SPACE(sizeof(int));
	c = CMSG_FIRSTHDR(&header);
	*c = (struct cmsghdr){.cmsg_level = IPPROTO_IPV6,
		.cmsg_type = IPV6_HOPLIMIT,
		.cmsg_len = CMSG_LEN(sizeof(int))};
	*(int *)CMSG_DATA(c) = 33;
	CALL(sendmsg(fd, &header, 0));
	*(int *)CMSG_DATA(c) = 256;
	CALL(sendmsg(fd, &header, 0));
	*(int *)CMSG_DATA(c) = -1;
	CALL(sendmsg(fd, &header, 0));
	for (int i = 0; i < 2; i++) {
		header.msg_namelen = sizeof(to);
		header.msg_controllen = sizeof(control);
		CALL(recvmsg(server, &header, 0));
		note_control(&header);
	}
}

CASE(mmsg)
{
	int server = bound(AF_INET, SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0);
	char in[4][8] = {"", "", "", ""};
	struct iovec out[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}}, parts[4];
	struct mmsghdr messages[4] = {0};

	connect_to(fd, AF_INET, port_of(server));
	for (int i = 0; i < 3; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &out[i], .msg_iovlen = 1};
	CALL(sendmmsg(fd, messages, 3, 0));
	for (int i = 0; i < 4; i++) {
		parts[i] = (struct iovec){in[i], 8};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	await_poll("server", server, POLLIN);
	CALL(recvmmsg(server, messages, 4, MSG_DONTWAIT, NULL));
	for (int i = 0; i < 3; i++)
		NOTE("%u %s", messages[i].msg_len, in[i]);
}

CASE(udplite_coverage)
{
	int server = socket(AF_INET, SOCK_DGRAM, 136), fd = socket(AF_INET, SOCK_DGRAM, 136);
	union address address = loopback(AF_INET, 0);
	char text[16] = "";

	if (server < 0)
		SKIP("no UDP-Lite");
	CALL(bind(server, &address.any, sizeof(address.in)));
	CALL(connect_to(fd, AF_INET, port_of(server)));
	CALL(set_int(fd, 136, 10, 4));
	NOTE("%d", int_option(fd, 136, 10));
	CALL(set_int(server, 136, 11, 12));
	CALL(send(fd, "short coverage", 14, 0));
	CALL(set_int(fd, 136, 10, 20));
	CALL(send(fd, "long coverage", 13, 0));
	await_poll("server", server, POLLIN);
	CALL(recv(server, text, sizeof(text), 0));
	NOTE("%s", text);
}

CASE(socket_options)
{
	static const int options[] = {SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST,
		SO_OOBINLINE, SO_TYPE, SO_ERROR, SO_ACCEPTCONN, SO_PRIORITY, SO_RCVLOWAT, SO_DEBUG,
		SO_DONTROUTE};

	for (int i = 0; i < 4; i++) {
		int fd = socket(families[i & 1], i & 2 ? SOCK_DGRAM : SOCK_STREAM, 0);

		for (size_t j = 0; j < sizeof(options) / sizeof(options[0]); j++)
			NOTE("option %d: %d", options[j], int_option(fd, SOL_SOCKET, options[j]));
		CALL(set_int(fd, SOL_SOCKET, SO_REUSEPORT, 5));
		NOTE("%d", int_option(fd, SOL_SOCKET, SO_REUSEPORT));
		CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(char){1}, 1));
		CALL(set_int(fd, SOL_SOCKET, SO_TYPE, 1));
		CALL(set_int(fd, SOL_SOCKET, 9999, 1));
		CALL(set_int(fd, 9999, 1, 1));
		NOTE("%d", int_option(fd, 9999, 1));
	}
}

CASE(ip_options)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0);

	NOTE("%d %d", int_option(fd, IPPROTO_IP, IP_TTL), int_option(fd, IPPROTO_IP, IP_TOS));
	CALL(set_int(fd, IPPROTO_IP, IP_TTL, 0));
	CALL(set_int(fd, IPPROTO_IP, IP_TTL, 256));
	CALL(set_int(fd, IPPROTO_IP, IP_TTL, 255));
	CALL(setsockopt(fd, IPPROTO_IP, IP_TTL, &(unsigned char){7}, 1));
	NOTE("%d", int_option(fd, IPPROTO_IP, IP_TTL));
	CALL(set_int(fd, IPPROTO_IP, IP_TTL, -1));
	NOTE("%d", int_option(fd, IPPROTO_IP, IP_TTL));
	CALL(setsockopt(fd, IPPROTO_IP, IP_TTL, NULL, 0));
	CALL(set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	CALL(set_int(fd, IPPROTO_IP, 9999, 1));
	NOTE("%d", int_option(fd, IPPROTO_IP, IP_MTU));
	NOTE("%d", int_option(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
	CALL(set_int(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256));
	CALL(set_int(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 3));
	NOTE("%d", int_option(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
	CALL(set_int(six, IPPROTO_IPV6, IPV6_TCLASS, 300));
	CALL(set_int(six, IPPROTO_IPV6, IPV6_TCLASS, 32));
	NOTE("%d", int_option(six, IPPROTO_IPV6, IPV6_TCLASS));
	CALL(setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &(char){1}, 1));
	CALL(set_int(six, IPPROTO_IPV6, 9999, 1));
}

CASE(tcp_options)
{
	static const int options[] = {TCP_NODELAY, TCP_CORK, TCP_KEEPIDLE, TCP_KEEPINTVL,
		TCP_KEEPCNT, TCP_SYNCNT, TCP_LINGER2, TCP_USER_TIMEOUT, TCP_MAXSEG};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char name[16] = "";
	socklen_t size = sizeof(name);

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		NOTE("option %d: %d", options[i], int_option(fd, IPPROTO_TCP, options[i]));
	CALL(set_int(fd, IPPROTO_TCP, TCP_NODELAY, 7));
	NOTE("%d", int_option(fd, IPPROTO_TCP, TCP_NODELAY));
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(char){1}, 1));
	CALL(set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0));
	CALL(set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 32768));
	CALL(set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30));
	NOTE("%d", int_option(fd, IPPROTO_TCP, TCP_KEEPIDLE));
	CALL(set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 0));
	CALL(set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 128));
	CALL(set_int(fd, IPPROTO_TCP, TCP_SYNCNT, 0));
	CALL(set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -1));
	CALL(set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 20));
	CALL(set_int(fd, IPPROTO_TCP, 9999, 1));
	NOTE("%d", int_option(fd, IPPROTO_TCP, 9999));
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	CALL(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size));
	NOTE("%s %u", name, size);
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6));
	CALL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0));
	NOTE("%d", int_option(socket(AF_INET, SOCK_DGRAM, 0), IPPROTO_TCP, TCP_NODELAY));
}

CASE(tcp_info)
{
	struct tcp_info info = {0};
	socklen_t size = 104;
	int fds[2], server = listener(AF_INET, 5);

	tcp_pair(AF_INET, fds);
	CALL(write(fds[0], "12345", 5));
	CALL(recv(fds[1], (char[8]){0}, 5, MSG_WAITALL));
	CALL(getsockopt(fds[1], IPPROTO_TCP, TCP_INFO, &info, &size));
	NOTE("size %u state %u options %#x retransmits %u", size, info.tcpi_state,
		info.tcpi_options & 7, info.tcpi_total_retrans);
	CALL(getsockopt(server, IPPROTO_TCP, TCP_INFO, &info, &size));
	NOTE("state %u", info.tcpi_state);
	close(fds[0]);
	await_poll("end", fds[1], POLLRDHUP);
	CALL(getsockopt(fds[1], IPPROTO_TCP, TCP_INFO, &info, &size));
	NOTE("state %u", info.tcpi_state);
	size = -1;
	CALL(getsockopt(fds[1], IPPROTO_TCP, TCP_INFO, &info, &size));
}

CASE(unreachable_networks)
{
	/* Only in a namespace of its own is there surely no way out. */
	union address address = loopback(AF_INET, 9);
	int fd, stream;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		SKIP("no network namespaces");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	stream = socket(AF_INET, SOCK_STREAM, 0);
	/* The loopback device is down there. */
	CALL(sendto(fd, "x", 1, 0, &address.any, sizeof(address.in)));
	CALL(connect(stream, &address.any, sizeof(address.in)));
	address.in.sin_addr.s_addr = inet_addr("203.0.113.9");
	CALL(sendto(fd, "x", 1, 0, &address.any, sizeof(address.in)));
	CALL(connect(stream, &address.any, sizeof(address.in)));
	CALL(connect(fd, &address.any, sizeof(address.in)));
}

/* The rows of /proc/net/@file about one of our ports: state, uid and whether the inode is known. */
static void note_rows(const char *file, uint16_t port)
{
	char path[64], line[256], wanted[16];
	FILE *rows;

	snprintf(path, sizeof(path), "/proc/net/%s", file);
	snprintf(wanted, sizeof(wanted), ":%04X", port);
	rows = fopen(path, "re");
	while (rows && fgets(line, sizeof(line), rows)) {
		char local[64], remote[64];
		unsigned state, uid;
		unsigned long inode;

		if (sscanf(line, " %*u: %63s %63s %x %*s %*s %*s %u %*u %lu", local, remote, &state,
			    &uid, &inode) != 5 ||
			strcmp(strrchr(local, ':'), wanted) != 0)
			continue;
		*strrchr(local, ':') = '\0';
		NOTE("%s: %s %s state %x uid %u inode %s", file, local,
			strcmp(strrchr(remote, ':'), ":0000") == 0 ? remote : "somebody", state,
			uid, inode ? "some" : "none");
	}
	if (rows)
		fclose(rows);
}

CASE(listed_in_proc)
{
	int server = listener(AF_INET, 5), six = listener(AF_INET6, 5);
	int datagram = bound(AF_INET, SOCK_DGRAM), datagram6 = bound(AF_INET6, SOCK_DGRAM);
	int fd = socket(AF_INET, SOCK_STREAM, 0), got;

	note_rows("tcp", port_of(server));
	note_rows("tcp6", port_of(six));
	note_rows("udp", port_of(datagram));
	note_rows("udp6", port_of(datagram6));
	connect_to(fd, AF_INET, port_of(server));
	got = accept(server, NULL, NULL);
	close(server);
	note_rows("tcp", port_of(fd));
	close(got);
	await_poll("end", fd, POLLRDHUP);
	note_rows("tcp", port_of(fd));
}
