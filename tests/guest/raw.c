/* SPDX-License-Identifier: Apache-2.0 */
/* Raw sockets and sockets for echoes over the loopback device (raw(7), icmp(7), ipv6(7)). */
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#include "inet.h"
#include "netlink.h"

static void loopback_network(void)
{
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	link_up(fd, 1, true);
	close(fd);
}

static int raw(int family, int protocol)
{
	struct timeval limit = {.tv_sec = 5};
	int fd = socket(family, SOCK_RAW, protocol);

	if (fd < 0) {
		NOTE("no raw socket: %s", errno_name(errno));
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static uint16_t checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static size_t echo(uint8_t bytes[64], uint16_t id)
{
	struct icmphdr header = {
		.type = ICMP_ECHO, .un.echo = {.id = htons(id), .sequence = htons(3)}};

	memset(bytes, 'x', 64);
	memcpy(bytes, &header, sizeof(header));
	header.checksum = checksum(bytes, 40);
	memcpy(bytes, &header, sizeof(header));
	return 40;
}

static void note_icmp(const char *what, int fd)
{
	uint8_t bytes[256] = {0};
	union address from = {0};
	socklen_t size = sizeof(from);
	ssize_t got = recvfrom(fd, bytes, sizeof(bytes), 0, &from.any, &size);
	const struct iphdr *ip = (void *)bytes;
	const struct icmphdr *icmp = (void *)(bytes + 4 * ip->ihl);

	if (got < 0) {
		NOTE("%s: %s", what, errno_name(errno));
		return;
	}
	NOTE("%s: %zd bytes from %s, version %d, protocol %d, ttl %d, type %d code %d id %d seq "
	     "%d, %s",
		what, got, inet_ntoa(from.in.sin_addr), ip->version, ip->protocol, ip->ttl,
		icmp->type, icmp->code, ntohs(icmp->un.echo.id), ntohs(icmp->un.echo.sequence),
		checksum(icmp, (size_t)got - 4u * ip->ihl) == 0 ? "checksum right" : "wrong");
}

CASE(raw_echo)
{
	union address to = loopback(AF_INET, 0);
	uint8_t bytes[64];
	int fd;

	loopback_network();
	fd = raw(AF_INET, IPPROTO_ICMP);
	CALL(sendto(fd, bytes, echo(bytes, 77), 0, &to.any, sizeof(to.in)));
	note_icmp("the request itself", fd);
	note_icmp("the reply", fd);
	CALL(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
}

CASE(raw_icmp_filter)
{
	union address to = loopback(AF_INET, 0);
	uint32_t filter = ~(1u << ICMP_ECHOREPLY), got = 0;
	socklen_t size = sizeof(got);
	uint8_t bytes[64];
	int fd;

	loopback_network();
	fd = raw(AF_INET, IPPROTO_ICMP);
	CALL(setsockopt(fd, SOL_RAW, 1, &filter, sizeof(filter)));
	CALL(getsockopt(fd, SOL_RAW, 1, &got, &size));
	NOTE("filter %#x size %u", got, size);
	CALL(sendto(fd, bytes, echo(bytes, 78), 0, &to.any, sizeof(to.in)));
	note_icmp("only the reply", fd);
	CALL(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
	CALL(setsockopt(raw(AF_INET, IPPROTO_UDP), SOL_RAW, 1, &filter, sizeof(filter)));
}

CASE(raw_sees_udp)
{
	struct timeval limit = {.tv_sec = 5};
	union address to;
	uint8_t bytes[64];
	ssize_t got;
	int fd, from, server;

	loopback_network();
	fd = raw(AF_INET, IPPROTO_UDP);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	server = bound(AF_INET, SOCK_DGRAM);
	to = loopback(AF_INET, port_of(server));
	from = socket(AF_INET, SOCK_DGRAM, 0);
	CALL(sendto(from, "hello", 5, 0, &to.any, sizeof(to.in)));
	got = recv(fd, bytes, sizeof(bytes), 0);
	NOTE("%zd bytes", got);
	TRUTH(memcmp(bytes + 28, "hello", 5) == 0);
	TRUTH(bytes[22] == (port_of(server) >> 8) && bytes[23] == (port_of(server) & 0xff));
	CALL(recv(server, bytes, sizeof(bytes), 0));
}

CASE(raw_own_protocol)
{
	union address to = loopback(AF_INET, 0);
	uint8_t bytes[128];
	ssize_t got;
	int fd, tos = 0x10, ttl = 33;

	loopback_network();
	fd = raw(AF_INET, 253);
	CALL(setsockopt(fd, SOL_IP, IP_TOS, &tos, sizeof(tos)));
	CALL(setsockopt(fd, SOL_IP, IP_TTL, &ttl, sizeof(ttl)));
	CALL(sendto(fd, "abc", 3, 0, &to.any, sizeof(to.in)));
	got = recv(fd, bytes, sizeof(bytes), 0);
	NOTE("%zd bytes, tos %#x ttl %d protocol %d, %.3s", got, bytes[1], bytes[8], bytes[9],
		bytes + 20);
	CALL(connect(fd, &to.any, sizeof(to.in)));
	note_name_of("own name", fd, false);
	note_name_of("peer", fd, true);
	CALL(send(fd, "defg", 4, 0));
	CALL(recv(fd, bytes, sizeof(bytes), MSG_TRUNC));
	to.any.sa_family = AF_UNSPEC;
	CALL(connect(fd, &to.any, sizeof(to.in)));
	CALL(send(fd, "x", 1, 0));
}

CASE(raw_header_included)
{
	union address to = loopback(AF_INET, 0);
	struct iphdr header = {.version = 4, .ihl = 5, .ttl = 9, .protocol = 253, .id = htons(321)};
	uint8_t bytes[128] = {0};
	ssize_t got;
	int fd, listener;

	loopback_network();
	listener = raw(AF_INET, 253);
	fd = raw(AF_INET, IPPROTO_RAW);
	NOTE("included %d", int_option(fd, SOL_IP, IP_HDRINCL));
	header.daddr = to.in.sin_addr.s_addr;
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + 20, "text", 4);
	CALL(sendto(fd, bytes, 24, 0, &to.any, sizeof(to.in)));
	CALL(sendto(fd, bytes, 10, 0, &to.any, sizeof(to.in)));
	got = recv(listener, bytes, sizeof(bytes), 0);
	memcpy(&header, bytes, sizeof(header));
	NOTE("%zd bytes: length %d id %d ttl %d from %#x, %s, %.4s", got, ntohs(header.tot_len),
		ntohs(header.id), header.ttl, ntohl(header.saddr),
		checksum(bytes, 20) == 0 ? "checksum right" : "wrong", bytes + 20);
	CALL(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
}

CASE(raw_bound_and_not_for_us)
{
	union address to = loopback(AF_INET, 0), other = loopback(AF_INET, 0);
	uint8_t bytes[128];
	int fd, second;

	loopback_network();
	fd = raw(AF_INET, 253);
	second = raw(AF_INET, 253);
	other.in.sin_addr.s_addr = htonl(0x7f000002);
	CALL(bind(second, &other.any, sizeof(other.in)));
	note_name_of("bound", second, false);
	CALL(sendto(fd, "one", 3, 0, &to.any, sizeof(to.in)));
	CALL(sendto(fd, "four", 4, 0, &other.any, sizeof(other.in)));
	CALL(recv(second, bytes, sizeof(bytes), 0));
	CALL(recv(second, bytes, sizeof(bytes), MSG_DONTWAIT));
	CALL(recv(fd, bytes, sizeof(bytes), 0));
	CALL(recv(fd, bytes, sizeof(bytes), 0));
	other.in.sin_addr.s_addr = htonl(0x08080808);
	CALL(bind(fd, &other.any, sizeof(other.in)));
	CALL(sendto(fd, "x", 1, 0, &other.any, sizeof(other.in)));
	CALL(bind(fd, &other.any, 4));
	CALL(sendto(fd, "x", 1, 0, &to.any, 4));
}

CASE(raw_errors)
{
	union address to = loopback(AF_INET, 0);
	static uint8_t bytes[70000];
	int fd;

	loopback_network();
	CALL(socket(AF_INET, SOCK_RAW, 0));
	CALL(socket(AF_INET, SOCK_RAW, 300));
	CALL(socket(AF_INET6, SOCK_RAW, 0));
	fd = raw(AF_INET, 253);
	CALL(send(fd, "x", 1, 0));
	CALL(sendto(fd, "x", 1, MSG_OOB, &to.any, sizeof(to.in)));
	CALL(sendto(fd, bytes, 70000, 0, &to.any, sizeof(to.in)));
	CALL(listen(fd, 1));
	CALL(accept(fd, NULL, NULL));
	CALL(shutdown(fd, SHUT_RD));
	CALL(recv(fd, bytes, 1, MSG_DONTWAIT));
	NOTE("type %d protocol %d domain %d", int_option(fd, SOL_SOCKET, SO_TYPE),
		int_option(fd, SOL_SOCKET, SO_PROTOCOL), int_option(fd, SOL_SOCKET, SO_DOMAIN));
}

CASE(raw_without_rights)
{
	if (geteuid() != 0)
		SKIP("needs another user");
	loopback_network();
	become(12345);
	CALL(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	CALL(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
	CALL(socket(AF_PACKET, SOCK_RAW, 0));
	CALL(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	CALL(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6));
}

CASE(raw_icmp6)
{
	union address to = loopback(AF_INET6, 0), from = {0};
	struct icmp6_filter filter, got;
	struct icmp6_hdr header = {.icmp6_type = ICMP6_ECHO_REQUEST};
	socklen_t size = sizeof(got);
	uint8_t bytes[64] = {0};
	ssize_t n;
	int fd, offset = 2;

	loopback_network();
	fd = raw(AF_INET6, IPPROTO_ICMPV6);
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	CALL(setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)));
	CALL(getsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &got, &size));
	TRUTH(memcmp(&filter, &got, sizeof(got)) == 0);
	CALL(setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &offset, sizeof(offset)));
	CALL(setsockopt(fd, SOL_RAW, IPV6_CHECKSUM, &offset, sizeof(offset)));
	header.icmp6_id = htons(5);
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + 8, "ping", 4);
	CALL(sendto(fd, bytes, 12, 0, &to.any, sizeof(to.in6)));
	size = sizeof(from);
	n = recvfrom(fd, bytes, sizeof(bytes), 0, &from.any, &size);
	NOTE("%zd bytes, type %d, %.4s, from loopback: %d", n, bytes[0], bytes + 8,
		IN6_IS_ADDR_LOOPBACK(&from.in6.sin6_addr));
	CALL(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
}

CASE(raw_checksum_of_ipv6)
{
	union address to = loopback(AF_INET6, 0);
	uint8_t bytes[64] = {0};
	int fd, offset = 4;

	loopback_network();
	fd = raw(AF_INET6, 253);
	NOTE("offset %d", int_option(fd, IPPROTO_IPV6, IPV6_CHECKSUM));
	CALL(setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &offset, sizeof(offset)));
	NOTE("offset %d", int_option(fd, IPPROTO_IPV6, IPV6_CHECKSUM));
	CALL(sendto(fd, bytes, 10, 0, &to.any, sizeof(to.in6)));
	CALL(recv(fd, bytes, sizeof(bytes), 0));
	NOTE("checksum %02x%02x", bytes[4], bytes[5]);
	CALL(sendto(fd, bytes, 5, 0, &to.any, sizeof(to.in6)));
	offset = 3;
	CALL(setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &offset, sizeof(offset)));
	to.in6.sin6_port = htons(17);
	CALL(sendto(fd, bytes, 10, 0, &to.any, sizeof(to.in6)));
}

/* ---- sockets for echoes ---- */

/* The range is root's to write; whose network it is in a user namespace differs by kernel. */
static void needs_root(void)
{
	if (geteuid() != 0)
		SKIP("the range of groups is root's");
}

static int ping_socket(int family)
{
	struct timeval limit = {.tv_sec = 5};
	int fd;

	if (write_text("/proc/sys/net/ipv4/ping_group_range", "0 2147483647") < 0)
		NOTE("range: %s", errno_name(errno));
	fd = socket(family, SOCK_DGRAM, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (fd < 0) {
		NOTE("no socket: %s", errno_name(errno));
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

CASE(ping_range)
{
	needs_root();
	loopback_network();
	note_file("/proc/sys/net/ipv4/ping_group_range");
	CALL(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	CALL(write_text("/proc/sys/net/ipv4/ping_group_range", "5 3"));
	CALL(write_text("/proc/sys/net/ipv4/ping_group_range", "x"));
	CALL(write_text("/proc/sys/net/ipv4/ping_group_range", "0 2147483647"));
	note_file("/proc/sys/net/ipv4/ping_group_range");
	OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	OK(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6));
	CALL(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6));
	CALL(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP));
}

CASE(ping_echo)
{
	union address to = loopback(AF_INET, 0), name = loopback(AF_INET, 4321), from = {0};
	socklen_t size = sizeof(from);
	uint8_t bytes[64];
	struct icmphdr header;
	ssize_t got;
	int fd;

	needs_root();
	loopback_network();
	fd = ping_socket(AF_INET);
	CALL(bind(fd, &name.any, sizeof(name.in)));
	NOTE("number %d", port_of(fd));
	CALL(sendto(fd, bytes, echo(bytes, 9), 0, &to.any, sizeof(to.in)));
	got = recvfrom(fd, bytes, sizeof(bytes), 0, &from.any, &size);
	memcpy(&header, bytes, sizeof(header));
	NOTE("%zd bytes from %s, type %d id %d seq %d", got, inet_ntoa(from.in.sin_addr),
		header.type, ntohs(header.un.echo.id), ntohs(header.un.echo.sequence));
	TRUTH(checksum(bytes, (size_t)got) == 0);
	CALL(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
	CALL(sendto(fd, bytes, 4, 0, &to.any, sizeof(to.in)));
	echo(bytes, 9);
	bytes[0] = ICMP_TIMESTAMP;
	CALL(sendto(fd, bytes, 40, 0, &to.any, sizeof(to.in)));
}

CASE(ping_numbers)
{
	union address name = loopback(AF_INET, 4321), to = loopback(AF_INET, 0);
	uint8_t bytes[64];
	int fd, second;

	needs_root();
	loopback_network();
	fd = ping_socket(AF_INET);
	second = ping_socket(AF_INET);
	CALL(bind(fd, &name.any, sizeof(name.in)));
	TRUTH(port_of(second) == 0);
	CALL(connect(second, &to.any, sizeof(to.in)));
	TRUTH(port_of(second) != 0);
	CALL(send(second, bytes, echo(bytes, 1), 0));
	CALL(recv(second, bytes, sizeof(bytes), 0));
	CALL(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
}

CASE(ping_echo6)
{
	union address to = loopback(AF_INET6, 0);
	uint8_t bytes[64] = {ICMP6_ECHO_REQUEST};
	int fd;

	needs_root();
	loopback_network();
	fd = ping_socket(AF_INET6);
	CALL(sendto(fd, bytes, 40, 0, &to.any, sizeof(to.in6)));
	CALL(recv(fd, bytes, sizeof(bytes), 0));
	NOTE("type %d", bytes[0]);
	TRUTH((bytes[4] << 8 | bytes[5]) == port_of(fd));
}
