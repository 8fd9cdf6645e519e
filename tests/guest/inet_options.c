/* SPDX-License-Identifier: Apache-2.0 */
/* Every option of Internet sockets that is there: defaults, values, sizes, bad pointers, on TCP and
 * UDP of both families (socket(7), ip(7), ipv6(7), tcp(7), udp(7)). One case an option. */
#include "inet.h"

#include <linux/net_tstamp.h>
#include <netinet/udp.h>

static const struct kind {
	const char *name;
	int family, type;
} kinds[] = {
	{"tcp4", AF_INET, SOCK_STREAM},
	{"tcp6", AF_INET6, SOCK_STREAM},
	{"udp4", AF_INET, SOCK_DGRAM},
	{"udp6", AF_INET6, SOCK_DGRAM},
};

#define KINDS 4

static void get(const char *what, int fd, int level, int option, socklen_t size)
{
	unsigned char value[16];
	socklen_t left = size;
	char text[64] = "";
	int r, n = 0;

	memset(value, 0xee, sizeof(value));
	r = getsockopt(fd, level, option, value, &left);
	if (r < 0) {
		NOTE("%s: get %u: %s", what, size, errno_name(errno));
		return;
	}
	for (unsigned i = 0; i < size && i < 8; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %02x", value[i]);
	NOTE("%s: get %u: size %u,%s", what, size, left, text);
}

static void set(const char *what, int fd, int level, int option, int value, socklen_t size)
{
	long long wide = value;
	int r = setsockopt(fd, level, option, &wide, size), now;

	if (r < 0) {
		NOTE("%s: set %d (%u): %s", what, value, size, errno_name(errno));
		return;
	}
	now = int_option(fd, level, option);
	NOTE("%s: set %d (%u): now %d", what, value, size, now);
}

/* An int: values, then sizes. */
static void probe(int level, int option, const int *values, int count, unsigned which)
{
	for (int k = 0; k < KINDS; k++) {
		const char *name = kinds[k].name;
		int fd;

		if (!(which & (1u << k)))
			continue;
		fd = socket(kinds[k].family, kinds[k].type, 0);
		get(name, fd, level, option, 4);
		for (int i = 0; i < count; i++)
			set(name, fd, level, option, values[i], sizeof(int));
		for (socklen_t size = 0; size < 9; size = size < 4 ? size + 1 : size + 4)
			get(name, fd, level, option, size);
		for (socklen_t size = 0; size < 9; size = size < 4 ? size + 1 : size + 4)
			set(name, fd, level, option, values[count - 1], size);
		CALL(setsockopt(fd, level, option, &(int){1}, (socklen_t)-1));
		/* Of an option that is not there, which of the two errors comes first differs. */
		if (int_option(fd, level, option) >= 0) {
			CALL(setsockopt(fd, level, option, BAD_ADDRESS, sizeof(int)));
			CALL(getsockopt(fd, level, option, BAD_ADDRESS, &(socklen_t){4}));
			CALL(getsockopt(fd, level, option, &(int){0}, BAD_ADDRESS));
		}
		close(fd);
	}
}

#define ALL 15u
#define TCP 3u
#define UDP 12u
#define V6  10u

#define INT_OPTION(name, level, option, which, ...)                                                \
	CASE(name)                                                                                 \
	{                                                                                          \
		static const int values[] = {__VA_ARGS__};                                         \
		probe(level, option, values, sizeof(values) / sizeof(values[0]), which);           \
	}

INT_OPTION(so_reuseaddr, SOL_SOCKET, SO_REUSEADDR, ALL, 1, 0, 7, -1)
INT_OPTION(so_reuseport, SOL_SOCKET, SO_REUSEPORT, ALL, 1, 0, 7, -1)
INT_OPTION(so_keepalive, SOL_SOCKET, SO_KEEPALIVE, ALL, 1, 0, 7, -1)
INT_OPTION(so_broadcast, SOL_SOCKET, SO_BROADCAST, ALL, 1, 0, 7, -1)
INT_OPTION(so_oobinline, SOL_SOCKET, SO_OOBINLINE, ALL, 1, 0, 7, -1)
INT_OPTION(so_priority, SOL_SOCKET, SO_PRIORITY, ALL, 0, 1, 6)
INT_OPTION(so_sndbuf, SOL_SOCKET, SO_SNDBUF, ALL, 1, 0, 4096, 100000)
INT_OPTION(so_rcvbuf, SOL_SOCKET, SO_RCVBUF, ALL, 1, 0, 4096, 100000)
INT_OPTION(so_rcvlowat, SOL_SOCKET, SO_RCVLOWAT, ALL, 1, 0, 7, 100)
INT_OPTION(so_sndlowat, SOL_SOCKET, SO_SNDLOWAT, ALL, 1, 0, 7)
INT_OPTION(so_timestamp, SOL_SOCKET, SO_TIMESTAMP, ALL, 1, 0, 7, -1)
INT_OPTION(so_timestampns, SOL_SOCKET, SO_TIMESTAMPNS, ALL, 1, 0, 7, -1)
INT_OPTION(so_timestamp_new, SOL_SOCKET, 63, ALL, 1, 0, 7, -1)
INT_OPTION(so_timestampns_new, SOL_SOCKET, 64, ALL, 1, 0, 7, -1)
INT_OPTION(so_rxq_ovfl, SOL_SOCKET, SO_RXQ_OVFL, UDP, 1, 0, 7, -1)
INT_OPTION(so_mark, SOL_SOCKET, SO_MARK, UDP, 0, 1, 77, -1)
INT_OPTION(so_peek_off, SOL_SOCKET, SO_PEEK_OFF, UDP, -1, 0, 7, -1)
INT_OPTION(so_type, SOL_SOCKET, SO_TYPE, ALL, 1)
INT_OPTION(so_domain, SOL_SOCKET, SO_DOMAIN, ALL, 1)
INT_OPTION(so_protocol, SOL_SOCKET, SO_PROTOCOL, ALL, 1)
INT_OPTION(so_error, SOL_SOCKET, SO_ERROR, ALL, 1)
INT_OPTION(so_acceptconn, SOL_SOCKET, SO_ACCEPTCONN, ALL, 1)
INT_OPTION(so_unknown, SOL_SOCKET, 999, ALL, 1)

INT_OPTION(ip_tos, IPPROTO_IP, IP_TOS, ALL, 0, 0x10, 0x1c, 3, 255, 256, -1)
INT_OPTION(ip_ttl, IPPROTO_IP, IP_TTL, ALL, 1, 255, 0, 256, -1, -2, 9)
INT_OPTION(ip_recvttl, IPPROTO_IP, IP_RECVTTL, ALL, 1, 0, 7, -1)
INT_OPTION(ip_recvtos, IPPROTO_IP, IP_RECVTOS, ALL, 1, 0, 7, -1)
INT_OPTION(ip_pktinfo, IPPROTO_IP, IP_PKTINFO, ALL, 1, 0, 7, -1)
INT_OPTION(ip_recvorigdstaddr, IPPROTO_IP, IP_RECVORIGDSTADDR, ALL, 1, 0, 7, -1)
INT_OPTION(ip_recverr, IPPROTO_IP, IP_RECVERR, ALL, 1, 0, 7, -1)
INT_OPTION(ip_mtu_discover, IPPROTO_IP, IP_MTU_DISCOVER, ALL, 0, 1, 2, 3, 4, 5, 6, -1)
INT_OPTION(ip_mtu, IPPROTO_IP, IP_MTU, ALL, 1, 1500)
INT_OPTION(ip_freebind, IPPROTO_IP, IP_FREEBIND, ALL, 1, 0, 7, -1)
INT_OPTION(ip_multicast_ttl, IPPROTO_IP, IP_MULTICAST_TTL, UDP, 1, 0, 255, 256, -1, -2)
INT_OPTION(ip_multicast_loop, IPPROTO_IP, IP_MULTICAST_LOOP, UDP, 1, 0, 7, -1)
INT_OPTION(ip_multicast_all, IPPROTO_IP, IP_MULTICAST_ALL, UDP, 1, 0, 7, -1)
INT_OPTION(ip_unknown, IPPROTO_IP, 999, ALL, 1)

INT_OPTION(ipv6_v6only, IPPROTO_IPV6, IPV6_V6ONLY, V6, 1, 0, 7, -1)
INT_OPTION(ipv6_unicast_hops, IPPROTO_IPV6, IPV6_UNICAST_HOPS, V6, 0, 1, 255, 256, -1, -2)
INT_OPTION(ipv6_tclass, IPPROTO_IPV6, IPV6_TCLASS, V6, 0, 0x10, 3, 255, 256, -1, -2)
INT_OPTION(ipv6_recvpktinfo, IPPROTO_IPV6, IPV6_RECVPKTINFO, V6, 1, 0, 7, -1)
INT_OPTION(ipv6_recvhoplimit, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, V6, 1, 0, 7, -1)
INT_OPTION(ipv6_recvtclass, IPPROTO_IPV6, IPV6_RECVTCLASS, V6, 1, 0, 7, -1)
INT_OPTION(ipv6_recvorigdstaddr, IPPROTO_IPV6, 74, V6, 1, 0, 7, -1)
INT_OPTION(ipv6_recverr, IPPROTO_IPV6, IPV6_RECVERR, V6, 1, 0, 7, -1)
INT_OPTION(ipv6_mtu_discover, IPPROTO_IPV6, IPV6_MTU_DISCOVER, V6, 0, 1, 2, 3, 4, 5, 6, -1)
INT_OPTION(ipv6_freebind, IPPROTO_IPV6, 78, V6, 1, 0, 7, -1)
INT_OPTION(ipv6_multicast_hops, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, V6, 1, 0, 255, 256, -1, -2)
INT_OPTION(ipv6_multicast_loop, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, V6, 1, 0, 7, -1)
INT_OPTION(ipv6_multicast_all, IPPROTO_IPV6, 29, V6, 1, 0, 7, -1)
INT_OPTION(ipv6_unknown, IPPROTO_IPV6, 999, ALL, 1)

INT_OPTION(tcp_nodelay, IPPROTO_TCP, TCP_NODELAY, ALL, 1, 0, 7, -1)
INT_OPTION(tcp_cork, IPPROTO_TCP, TCP_CORK, TCP, 1, 0, 7, -1)
INT_OPTION(tcp_quickack, IPPROTO_TCP, TCP_QUICKACK, TCP, 0, 1)
INT_OPTION(tcp_maxseg, IPPROTO_TCP, TCP_MAXSEG, TCP, 88, 87, 536, 32767, 32768, -1, 0, 1400)
INT_OPTION(tcp_keepidle, IPPROTO_TCP, TCP_KEEPIDLE, TCP, 1, 0, 32767, 32768, -1)
INT_OPTION(tcp_keepintvl, IPPROTO_TCP, TCP_KEEPINTVL, TCP, 1, 0, 32767, 32768, -1)
INT_OPTION(tcp_keepcnt, IPPROTO_TCP, TCP_KEEPCNT, TCP, 1, 0, 127, 128, -1)
INT_OPTION(tcp_syncnt, IPPROTO_TCP, TCP_SYNCNT, TCP, 1, 0, 127, 128, -1)
INT_OPTION(tcp_linger2, IPPROTO_TCP, TCP_LINGER2, TCP, 1, 0, 120, 121, -1, -7, 5)
INT_OPTION(tcp_defer_accept, IPPROTO_TCP, TCP_DEFER_ACCEPT, TCP, 0, 1, 2, 3, 5, 30, 100, -1, 4)
INT_OPTION(tcp_window_clamp, IPPROTO_TCP, TCP_WINDOW_CLAMP, TCP, 0, 1, 1151, 1152, 60000)
INT_OPTION(tcp_user_timeout, IPPROTO_TCP, TCP_USER_TIMEOUT, TCP, 0, 1, -1, 30000)
INT_OPTION(tcp_notsent_lowat, IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP, 0, 1, -1, 30000)
INT_OPTION(tcp_inq, IPPROTO_TCP, 36, TCP, 1, 0, 2, -1, 1)
INT_OPTION(tcp_unknown, IPPROTO_TCP, 999, TCP, 1)
INT_OPTION(tcp_of_udp, IPPROTO_TCP, TCP_NODELAY, UDP, 1)

INT_OPTION(udp_cork, IPPROTO_UDP, UDP_CORK, UDP, 1, 0, 7, -1, 0)
INT_OPTION(udp_segment, IPPROTO_UDP, 103, UDP, 1, 0, 1400, 65535, 65536, -1, 0)
INT_OPTION(udp_gro, IPPROTO_UDP, 104, UDP, 1, 0, 7, -1)
INT_OPTION(udp_of_tcp, IPPROTO_UDP, UDP_CORK, TCP, 1)
INT_OPTION(udp_unknown, IPPROTO_UDP, 999, UDP, 1)
INT_OPTION(level_unknown, 999, 1, ALL, 1)

CASE(so_linger)
{
	for (int k = 0; k < KINDS; k++) {
		int fd = socket(kinds[k].family, kinds[k].type, 0);
		struct linger linger = {7, 30};
		socklen_t size = sizeof(linger);

		CALL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
		NOTE("%d %d %u", linger.l_onoff, linger.l_linger, size);
		for (int seconds = 0; seconds < 60; seconds += 20) {
			linger = (struct linger){7, seconds};
			CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
			CALL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
			NOTE("%d %d %u", linger.l_onoff, linger.l_linger, size);
		}
		linger = (struct linger){0, 5};
		CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
		CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4));
		CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 0));
		CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, BAD_ADDRESS, sizeof(linger)));
		for (size = 0; size < 17; size += 4) {
			socklen_t had = size;

			CALL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
			NOTE("%u", size);
			size = had;
		}
		close(fd);
	}
}

static void timeouts(int option)
{
	static const struct timeval values[] = {
		{1, 0}, {0, 1}, {0, 900000}, {0, 1000000}, {-1, 0}, {0, -1}, {100, 500000}, {0, 0}};

	for (int k = 0; k < KINDS; k++) {
		int fd = socket(kinds[k].family, kinds[k].type, 0);

		for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			struct timeval time = values[i];
			socklen_t size = sizeof(time);

			NOTE("%lld.%06ld", (long long)time.tv_sec, (long)time.tv_usec);
			CALL(setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time)));
			CALL(getsockopt(fd, SOL_SOCKET, option, &time, &size));
			/* In ticks there, in nanoseconds here: whole ones are compared. */
			NOTE("%lld, some more %d", (long long)time.tv_sec, time.tv_usec > 0);
		}
		CALL(setsockopt(fd, SOL_SOCKET, option, &values[0], 8));
		CALL(setsockopt(fd, SOL_SOCKET, option, BAD_ADDRESS, 16));
		close(fd);
	}
}

CASE(so_rcvtimeo)
{
	timeouts(SO_RCVTIMEO);
}

CASE(so_sndtimeo)
{
	timeouts(SO_SNDTIMEO);
}

CASE(so_timestamp_forms_exclude_each_other)
{
	static const int options[] = {SO_TIMESTAMP, SO_TIMESTAMPNS, 63, 64};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (int i = 0; i < 8; i++) {
		CALL(set_int(fd, SOL_SOCKET, options[i & 3], i < 4));
		for (int j = 0; j < 4; j++)
			NOTE("%d: %d", j, int_option(fd, SOL_SOCKET, options[j]));
	}
}

CASE(so_timestamping)
{
	static const int values[] = {SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE,
		SOF_TIMESTAMPING_SOFTWARE, 0, 1 << 30, -1};

	for (int k = 0; k < KINDS; k++) {
		int fd = socket(kinds[k].family, kinds[k].type, 0);

		for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
			set(kinds[k].name, fd, SOL_SOCKET, SO_TIMESTAMPING, values[i], 4);
		close(fd);
	}
}

CASE(so_mark_needs_privilege)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		SKIP("cannot become nobody");
	CALL(set_int(fd, SOL_SOCKET, SO_MARK, 1));
	CALL(set_int(fd, SOL_SOCKET, SO_PRIORITY, 7));
	CALL(set_int(fd, SOL_SOCKET, SO_PRIORITY, 6));
	CALL(set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, 4096));
	CALL(set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 4096));
	NOTE("%d", int_option(fd, SOL_SOCKET, SO_MARK));
}

CASE(so_cookie_is_unique_and_stays)
{
	unsigned long long a = 0, b = 0, again = 0;
	socklen_t size = sizeof(a);
	int one = socket(AF_INET, SOCK_DGRAM, 0), two = socket(AF_INET6, SOCK_STREAM, 0);

	CALL(getsockopt(one, SOL_SOCKET, SO_COOKIE, &a, &size));
	CALL(getsockopt(two, SOL_SOCKET, SO_COOKIE, &b, &size));
	CALL(getsockopt(one, SOL_SOCKET, SO_COOKIE, &again, &size));
	TRUTH(a != b && a == again && a != 0);
	size = 4;
	CALL(getsockopt(one, SOL_SOCKET, SO_COOKIE, &a, &size));
	size = 16;
	CALL(getsockopt(one, SOL_SOCKET, SO_COOKIE, &(char[16]){0}, &size));
	NOTE("%u", size);
}

CASE(so_bindtodevice)
{
	static const char *const names[] = {"lo", "", "nowhere0", "lo"};
	char name[16] = "";
	socklen_t size = sizeof(name);

	for (int k = 0; k < KINDS; k++) {
		int fd = socket(kinds[k].family, kinds[k].type, 0);

		for (int i = 0; i < 4; i++) {
			CALL(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, names[i],
				(socklen_t)strlen(names[i])));
			size = sizeof(name);
			CALL(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
			NOTE("%u %s", size, name);
			NOTE("%d", int_option(fd, SOL_SOCKET, 62));
		}
		size = 4;
		CALL(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
		CALL(set_int(fd, SOL_SOCKET, 62, 0));
		CALL(set_int(fd, SOL_SOCKET, 62, 1));
		CALL(set_int(fd, SOL_SOCKET, 62, -1));
		CALL(set_int(fd, SOL_SOCKET, 62, 99999));
		close(fd);
	}
}

CASE(tcp_congestion)
{
	static const char *const names[] = {"reno", "cubic", "", "nothing", "renoren", "reno"};
	char name[20];
	socklen_t size;
	int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET6, SOCK_STREAM, 0);

	if (geteuid() != 0)
		SKIP("which ones everybody may choose is the administrator's to say");
	for (int i = 0; i < 6; i++) {
		CALL(setsockopt(
			fd, IPPROTO_TCP, TCP_CONGESTION, names[i], (socklen_t)strlen(names[i])));
		for (socklen_t room = 0; room < 20; room += 3) {
			memset(name, 0, sizeof(name));
			size = room;
			CALL(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size));
			NOTE("%u %s", size, name);
		}
	}
	CALL(setsockopt(other, IPPROTO_TCP, TCP_CONGESTION, "reno", 5));
	CALL(setsockopt(other, IPPROTO_TCP, TCP_CONGESTION, "reno plus", 4));
	CALL(setsockopt(other, IPPROTO_TCP, TCP_CONGESTION, BAD_ADDRESS, 4));
}

CASE(accepted_sockets_inherit)
{
	static const struct {
		const char *name;
		int level, option, value;
	} rows[] = {
		{"keepalive", SOL_SOCKET, SO_KEEPALIVE, 1},
		{"reuseaddr", SOL_SOCKET, SO_REUSEADDR, 1},
		{"oobinline", SOL_SOCKET, SO_OOBINLINE, 1},
		{"priority", SOL_SOCKET, SO_PRIORITY, 3},
		{"rcvlowat", SOL_SOCKET, SO_RCVLOWAT, 5},
		{"timestamp", SOL_SOCKET, SO_TIMESTAMP, 1},
		{"nodelay", IPPROTO_TCP, TCP_NODELAY, 1},
		{"cork", IPPROTO_TCP, TCP_CORK, 1},
		{"keepidle", IPPROTO_TCP, TCP_KEEPIDLE, 11},
		{"keepintvl", IPPROTO_TCP, TCP_KEEPINTVL, 12},
		{"keepcnt", IPPROTO_TCP, TCP_KEEPCNT, 13},
		{"user timeout", IPPROTO_TCP, TCP_USER_TIMEOUT, 14000},
		{"linger2", IPPROTO_TCP, TCP_LINGER2, 15},
		{"notsent", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16000},
		{"tos", IPPROTO_IP, IP_TOS, 0x10},
		{"ttl", IPPROTO_IP, IP_TTL, 33},
		{"recvtos", IPPROTO_IP, IP_RECVTOS, 1},
		{"inq", IPPROTO_TCP, 36, 1},
		{"mtu discover", IPPROTO_IP, IP_MTU_DISCOVER, 2},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int server = listener(AF_INET, 2), fd = socket(AF_INET, SOCK_STREAM, 0), child;
		int before;

		connect_to(fd, AF_INET, port_of(server));
		before = set_int(server, rows[i].level, rows[i].option, rows[i].value);
		child = accept(server, NULL, NULL);
		close(child), close(fd);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		connect_to(fd, AF_INET, port_of(server));
		child = accept(server, NULL, NULL);
		NOTE("%s: %d, child %d", rows[i].name, before,
			int_option(child, rows[i].level, rows[i].option));
		close(child), close(fd), close(server);
	}
}

CASE(accepted_sockets_inherit_buffers_and_times)
{
	int server = listener(AF_INET, 2), fd = socket(AF_INET, SOCK_STREAM, 0), child;
	struct timeval time = {5, 0};
	struct linger linger = {1, 9};
	socklen_t size = sizeof(time);

	CALL(set_int(server, SOL_SOCKET, SO_SNDBUF, 20000));
	CALL(set_int(server, SOL_SOCKET, SO_RCVBUF, 30000));
	CALL(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	CALL(setsockopt(server, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	CALL(fcntl(server, F_SETFL, O_NONBLOCK));
	CALL(connect_to(fd, AF_INET, port_of(server)));
	OK(child = accept(server, NULL, NULL));
	NOTE("%d %d", int_option(child, SOL_SOCKET, SO_SNDBUF),
		int_option(child, SOL_SOCKET, SO_RCVBUF));
	time = (struct timeval){0};
	CALL(getsockopt(child, SOL_SOCKET, SO_RCVTIMEO, &time, &size));
	NOTE("%lld", (long long)time.tv_sec);
	size = sizeof(linger);
	linger = (struct linger){0};
	CALL(getsockopt(child, SOL_SOCKET, SO_LINGER, &linger, &size));
	NOTE("%d %d", linger.l_onoff, linger.l_linger);
	CALL(fcntl(child, F_GETFL) & O_NONBLOCK);
}
