/* SPDX-License-Identifier: Apache-2.0 */
/* What few programs ask of sockets: filters of many members, error queues, marks, ports. */
#include <time.h>

#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <stdint.h>
#include <sys/un.h>

#include "inet.h"
#include "netlink.h"

#define LONG_FILTER 4000
#define MEMBERS	    120

/* ---- filters ---- */

static struct sock_fprog long_filter(void)
{
	static struct sock_filter program[LONG_FILTER];

	for (int i = 0; i < LONG_FILTER - 1; i++)
		program[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, (unsigned)i);
	program[LONG_FILTER - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 5);
	return (struct sock_fprog){.len = LONG_FILTER, .filter = program};
}

/* More work than is done in one go: all members have all messages all the same, in order. */
CASE(filter_many_members)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = 1};
	const struct sock_fprog filter = long_filter();
	int fds[MEMBERS], sender, right = 0;

	own_network();
	for (int i = 0; i < MEMBERS; i++) {
		fds[i] = socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK, NETLINK_USERSOCK);
		if (bind(fds[i], (struct sockaddr *)&name, sizeof(name)) < 0 ||
			setsockopt(fds[i], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) <
				0) {
			NOTE("member: %s", errno_name(errno));
			return;
		}
	}
	sender = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK);
	CALL(sendto(sender, "first message", 13, 0, (struct sockaddr *)&name, sizeof(name)));
	CALL(sendto(sender, "other", 5, 0, (struct sockaddr *)&name, sizeof(name)));
	for (int i = 0; i < MEMBERS; i++) {
		char first[16] = "", second[16] = "";

		right += recv(fds[i], first, sizeof(first), 0) == 5 &&
			 recv(fds[i], second, sizeof(second), 0) == 5 &&
			 strcmp(first, "first") == 0 && strcmp(second, "other") == 0;
	}
	NOTE("%d of %d had both", right, MEMBERS);
	CALL(recv(fds[MEMBERS - 1], fds, 1, 0));
}

/* ---- options ---- */

struct option {
	const char *name;
	int level, option;
	int values[5];
	int count;
};

#define OPTION(level, option, ...)                                                                 \
	{                                                                                          \
#option, level, option, {__VA_ARGS__ }, sizeof((int[]){__VA_ARGS__}) / sizeof(int) \
	}

static const struct option options[] = {
	OPTION(SOL_SOCKET, SO_ZEROCOPY, 1, 0, 2, -1),
	OPTION(SOL_SOCKET, SO_BUSY_POLL, 50, 0, -1),
	OPTION(SOL_SOCKET, SO_INCOMING_CPU, 0, 5),
	OPTION(SOL_SOCKET, SO_PEEK_OFF, 0, 3, -1, -2),
	OPTION(SOL_SOCKET, SO_MARK, 7, 0),
	OPTION(IPPROTO_IP, IP_MINTTL, 1, 255, 0, 256, -1),
	OPTION(IPPROTO_IP, IP_TRANSPARENT, 1, 0),
	OPTION(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, 0),
	OPTION(IPPROTO_IP, 51 /* IP_LOCAL_PORT_RANGE */, (40000 << 16) | 30000, 40000, 30000 << 16,
		(30000 << 16) | 40000, 0),
	OPTION(IPPROTO_IPV6, IPV6_MINHOPCOUNT, 1, 255, 0, 256, -1),
	OPTION(IPPROTO_IPV6, IPV6_TRANSPARENT, 1, 0),
	OPTION(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1, 0, 2, -1),
	OPTION(IPPROTO_TCP, TCP_THIN_DUPACK, 1, 0, 2, -1),
};

static void try_options(int family, int type)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option *o = &options[i];
		int fd = socket(family, type, 0);

		if (o->level == IPPROTO_IPV6 && family == AF_INET)
			continue;
		NOTE("%s: %d", o->name, int_option(fd, o->level, o->option));
		for (int k = 0; k < o->count; k++) {
			int r = set_int(fd, o->level, o->option, o->values[k]);

			NOTE("  %d: %s, then %d", o->values[k], r < 0 ? errno_name(errno) : "0",
				int_option(fd, o->level, o->option));
		}
		close(fd);
	}
}

CASE(options_tcp4)
{
	try_options(AF_INET, SOCK_STREAM);
}
CASE(options_tcp6)
{
	try_options(AF_INET6, SOCK_STREAM);
}
CASE(options_udp4)
{
	try_options(AF_INET, SOCK_DGRAM);
}
CASE(options_udp6)
{
	try_options(AF_INET6, SOCK_DGRAM);
}
CASE(options_unix)
{
	try_options(AF_UNIX, SOCK_STREAM);
}
CASE(options_unix_dgram)
{
	try_options(AF_UNIX, SOCK_DGRAM);
}
CASE(options_netlink)
{
	try_options(AF_NETLINK, SOCK_DGRAM);
}

/* ---- SO_PEEK_OFF of streams ---- */

static void note_recv(const char *what, int fd, size_t size, int flags)
{
	char bytes[64] = "";
	ssize_t got = recv(fd, bytes, size, flags | MSG_DONTWAIT);

	NOTE("%s: %zd %s, offset %d", what, got, got < 0 ? errno_name(errno) : bytes,
		int_option(fd, SOL_SOCKET, SO_PEEK_OFF));
}

static void peek_about(int from, int to)
{
	OK(send(from, "abcdefgh", 8, 0));
	OK(send(from, "ijkl", 4, 0));
	CALL(set_int(to, SOL_SOCKET, SO_PEEK_OFF, 0));
	note_recv("peek 3", to, 3, MSG_PEEK);
	note_recv("peek 3", to, 3, MSG_PEEK);
	note_recv("read 2", to, 2, 0);
	note_recv("peek 40", to, 40, MSG_PEEK);
	note_recv("peek on", to, 40, MSG_PEEK);
	OK(send(from, "mn", 2, 0));
	note_recv("peek new", to, 40, MSG_PEEK);
	CALL(set_int(to, SOL_SOCKET, SO_PEEK_OFF, 5));
	note_recv("peek from 5", to, 2, MSG_PEEK);
	note_recv("peek, size told", to, 1, MSG_PEEK | MSG_TRUNC);
	CALL(set_int(to, SOL_SOCKET, SO_PEEK_OFF, -1));
	note_recv("peek", to, 4, MSG_PEEK);
	CALL(set_int(to, SOL_SOCKET, SO_PEEK_OFF, 100));
	note_recv("peek far off", to, 4, MSG_PEEK);
	note_recv("read", to, 40, 0);
	note_recv("read again", to, 40, 0);
	note_recv("peek far off", to, 4, MSG_PEEK);
}

CASE(peek_tcp)
{
	int pair[2];

	tcp_pair(AF_INET, pair);
	OK(set_int(pair[0], IPPROTO_TCP, TCP_NODELAY, 1));
	peek_about(pair[0], pair[1]);
}

CASE(peek_unix_stream)
{
	int pair[2];

	RC(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	peek_about(pair[0], pair[1]);
}

CASE(peek_unix_dgram)
{
	int pair[2];

	RC(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	peek_about(pair[0], pair[1]);
}

CASE(peek_unix_seqpacket)
{
	int pair[2];

	RC(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	peek_about(pair[0], pair[1]);
}

/* A peek waits for what is behind its offset. */
CASE(peek_waits)
{
	int pair[2], tcp[2], status;
	char byte;

	RC(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	tcp_pair(AF_INET6, tcp);
	OK(send(pair[0], "x", 1, 0));
	OK(send(tcp[0], "x", 1, 0));
	CALL(set_int(pair[1], SOL_SOCKET, SO_PEEK_OFF, 1));
	CALL(set_int(tcp[1], SOL_SOCKET, SO_PEEK_OFF, 1));
	if (fork() == 0) {
		send(pair[0], "y", 1, 0);
		send(tcp[0], "z", 1, 0);
		_exit(0);
	}
	CALL(recv(pair[1], &byte, 1, MSG_PEEK));
	NOTE("%c", byte);
	CALL(recv(tcp[1], &byte, 1, MSG_PEEK));
	NOTE("%c", byte);
	wait(&status);
}

/* ---- ports and distances ---- */

CASE(late_port)
{
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		union address any = loopback(AF_INET, 0);
		int server = listener(AF_INET, 1), fd = socket(AF_INET, type, 0);

		CALL(set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
		CALL(bind(fd, &any.any, sizeof(any.in)));
		note_name_of("bound", fd, false);
		CALL(connect_to(fd, AF_INET, port_of(server)));
		note_name_of("connected", fd, false);
		close(fd);
		fd = socket(AF_INET, type, 0);
		CALL(set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
		CALL(bind(fd, &any.any, sizeof(any.in)));
		if (type == SOCK_STREAM)
			CALL(listen(fd, 1));
		note_name_of("then", fd, false);
	}
}

#define PORT_RANGE 51 /* IP_LOCAL_PORT_RANGE */

CASE(port_range)
{
	union address any = loopback(AF_INET, 0);
	int server = listener(AF_INET, 5), a, b;
	unsigned first = 45000, right = 0;

	for (int i = 0; i < 4; i++) {
		a = socket(AF_INET, SOCK_DGRAM, 0);
		set_int(a, IPPROTO_IP, PORT_RANGE, (int)((first + 20) << 16 | first));
		CALL(bind(a, &any.any, sizeof(any.in)));
		b = socket(AF_INET, SOCK_STREAM, 0);
		set_int(b, IPPROTO_IP, PORT_RANGE, (int)((first + 20) << 16 | first));
		CALL(connect_to(b, AF_INET, port_of(server)));
		right += port_of(a) >= first && port_of(a) <= first + 20;
		right += port_of(b) >= first && port_of(b) <= first + 20;
	}
	NOTE("%u of 8 in the range", right);
}

/* What comes too far is dropped, and comes again. */
CASE(least_ttl)
{
	int pair[2], server = listener(AF_INET, 1);
	struct pollfd poll_in = {.events = POLLIN};
	char byte;

	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	CALL(set_int(server, IPPROTO_IP, IP_MINTTL, 64));
	CALL(connect_to(pair[0], AF_INET, port_of(server)));
	pair[1] = accept(server, NULL, NULL);
	NOTE("%d", int_option(pair[1], IPPROTO_IP, IP_MINTTL));
	poll_in.fd = pair[1];
	CALL(set_int(pair[0], IPPROTO_IP, IP_TTL, 63));
	CALL(send(pair[0], "x", 1, 0));
	CALL(poll(&poll_in, 1, 20));
	CALL(set_int(pair[0], IPPROTO_IP, IP_TTL, 64));
	CALL(recv(pair[1], &byte, 1, 0));
	NOTE("%c", byte);
}

CASE(transparent)
{
	struct sockaddr_in far = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CALL(bind(fd, (struct sockaddr *)&far, sizeof(far)));
	if (set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1) < 0)
		SKIP("no right to it");
	CALL(bind(fd, (struct sockaddr *)&far, sizeof(far)));
	note_name_of("bound", fd, false);
}

/* ---- error queues ---- */

static void note_errqueue(int fd, bool show_bytes)
{
	struct pollfd poll_error = {.fd = fd};
	char bytes[256], control[512];
	struct iovec iov = {bytes, sizeof(bytes)};
	union address name;
	struct msghdr message = {.msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t got;

	NOTE("poll %d %#x", poll(&poll_error, 1, 5000), poll_error.revents);
	got = recvmsg(fd, &message, MSG_ERRQUEUE);
	if (got < 0) {
		NOTE("queue: %s", errno_name(errno));
		return;
	}
	NOTE("queue: %zd bytes, flags %#x, name of %u", got, message.msg_flags,
		message.msg_namelen);
	if (show_bytes)
		NOTE("  %02x%02x %02x proto %u, ... %.4s", bytes[12] & 255, bytes[13] & 255,
			bytes[14] & 255, bytes[23], bytes + got - 4);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		struct sock_extended_err *e = (void *)CMSG_DATA(c);
		struct scm_timestamping *stamp = (void *)CMSG_DATA(c);

		if (c->cmsg_level == SOL_SOCKET)
			NOTE("  level %d type %d size %zu, stamped %d %d", c->cmsg_level,
				c->cmsg_type, (size_t)c->cmsg_len, stamp->ts[0].tv_sec > 0,
				stamp->ts[2].tv_sec > 0);
		else
			NOTE("  level %d type %d size %zu: errno %u origin %u type %u code %u info "
			     "%u data %u, family %u",
				c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len, e->ee_errno,
				e->ee_origin, e->ee_type, e->ee_code, e->ee_info, e->ee_data,
				SO_EE_OFFENDER(e)->sa_family);
	}
}

static void zero_copy(int from, int to)
{
	char bytes[64];

	CALL(send(from, "early", 5, MSG_ZEROCOPY));
	CALL(recv(to, bytes, sizeof(bytes), 0));
	CALL(set_int(from, SOL_SOCKET, SO_ZEROCOPY, 1));
	for (int i = 0; i < 3; i++) {
		CALL(send(from, "data", 4, MSG_ZEROCOPY));
		CALL(recv(to, bytes, sizeof(bytes), 0));
	}
	CALL(send(from, "plain", 5, 0));
	CALL(recv(to, bytes, sizeof(bytes), 0));
}

CASE(zerocopy_tcp4)
{
	int pair[2];

	tcp_pair(AF_INET, pair);
	OK(set_int(pair[0], IPPROTO_TCP, TCP_NODELAY, 1));
	OK(set_int(pair[1], IPPROTO_TCP, TCP_QUICKACK, 1));
	CALL(recv(pair[0], pair, 1, MSG_ERRQUEUE));
	zero_copy(pair[0], pair[1]);
	/* All that was sent is acknowledged with an answer. */
	OK(send(pair[1], "!", 1, 0));
	OK(recv(pair[0], &(char){0}, 1, 0));
	note_errqueue(pair[0], false);
	CALL(recv(pair[0], pair, 1, MSG_ERRQUEUE));
}

CASE(zerocopy_udp)
{
	for (int family = AF_INET; family; family = family == AF_INET ? AF_INET6 : 0) {
		int server = bound(family, SOCK_DGRAM), fd = socket(family, SOCK_DGRAM, 0);

		CALL(connect_to(fd, family, port_of(server)));
		zero_copy(fd, server);
		note_errqueue(fd, false);
		NOTE("error %d", int_option(fd, SOL_SOCKET, SO_ERROR));
		CALL(recv(fd, &fd, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
	}
}

CASE(stamps_of_sent)
{
	int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	for (int family = AF_INET; family; family = family == AF_INET ? AF_INET6 : 0) {
		int server = bound(family, SOCK_DGRAM), fd = socket(family, SOCK_DGRAM, 0);

		CALL(connect_to(fd, family, port_of(server)));
		CALL(set_int(fd, SOL_SOCKET, SO_TIMESTAMPING, flags));
		CALL(send(fd, "data", 4, 0));
		note_errqueue(fd, true);
		CALL(set_int(fd, SOL_SOCKET, SO_TIMESTAMPING,
			flags | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY |
				SOF_TIMESTAMPING_TX_SCHED));
		CALL(send(fd, "more", 4, 0));
		CALL(send(fd, "last", 4, 0));
		for (int i = 0; i < 4; i++)
			note_errqueue(fd, false);
		CALL(set_int(fd, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE));
		CALL(send(fd, "dull", 4, 0));
		note_errqueue(fd, true);
		CALL(set_int(fd, SOL_SOCKET, SO_TIMESTAMPING, 0));
		CALL(send(fd, "none", 4, 0));
		CALL(recv(fd, &fd, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
	}
}

/* ---- filters of streams and of AF_UNIX ---- */

#define ATTACH(fd, ...)                                                                            \
	do {                                                                                       \
		struct sock_filter code_[] = {__VA_ARGS__};                                        \
		struct sock_fprog program_ = {sizeof(code_) / sizeof(code_[0]), code_};            \
		RC(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program_, sizeof(program_)));     \
	} while (0)

/* A filter of a stream takes CAP_NET_ADMIN on late kernels. */
static void loopback_network(void)
{
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	link_up(fd, 1, true);
	close(fd);
}

/* Segments with 'n' as their first byte are lost, for as long as the filter is there. */
CASE(filter_tcp)
{
	struct pollfd poll_in = {.events = POLLIN};
	char bytes[16] = "";
	int pair[2];

	loopback_network();
	for (int family = AF_INET; family; family = family == AF_INET ? AF_INET6 : 0) {
		tcp_pair(family, pair);
		OK(set_int(pair[0], IPPROTO_TCP, TCP_NODELAY, 1));
		ATTACH(pair[1], BPF_STMT(BPF_LDX | BPF_IMM, 0),
			BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12),
			BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2), BPF_STMT(BPF_MISC | BPF_TAX, 0),
			BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 3, 0),
			BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'n', 0, 1),
			BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0xffff));
		poll_in.fd = pair[1];
		CALL(send(pair[0], "yes", 3, 0));
		CALL(recv(pair[1], bytes, sizeof(bytes), 0));
		CALL(send(pair[0], "no", 2, 0));
		CALL(poll(&poll_in, 1, 20));
		CALL(set_int(pair[1], SOL_SOCKET, SO_DETACH_FILTER, 0));
		CALL(recv(pair[1], bytes, 2, MSG_WAITALL));
		NOTE("%.2s", bytes);
		close(pair[0]);
		CALL(recv(pair[1], bytes, 2, 0));
		close(pair[1]);
	}
}

/* What is cut off comes again. */
CASE(filter_tcp_cuts)
{
	char bytes[64] = "";
	int pair[2];

	loopback_network();
	tcp_pair(AF_INET, pair);
	ATTACH(pair[1], BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 4),
		BPF_STMT(BPF_RET | BPF_A, 0));
	CALL(send(pair[0], "12345678", 8, 0));
	CALL(recv(pair[1], bytes, 4, MSG_WAITALL));
	CALL(recv(pair[1], bytes + 4, 4, MSG_WAITALL));
	NOTE("%s", bytes);
}

/* A listener's filter is its connections', and sees what begins them. */
CASE(filter_tcp_listener)
{
	struct pollfd poll_in = {.events = POLLIN};
	int server, fd, peer;

	loopback_network();
	server = poll_in.fd = listener(AF_INET, 1);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ATTACH(server, BPF_STMT(BPF_RET | BPF_K, 0));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	CALL(connect_to(fd, AF_INET, port_of(server)));
	CALL(poll(&poll_in, 1, 20));
	ATTACH(server, BPF_STMT(BPF_RET | BPF_K, 0xffff));
	CALL(set_int(server, SOL_SOCKET, SO_LOCK_FILTER, 1));
	peer = accept(server, NULL, NULL);
	NOTE("%d", int_option(peer, SOL_SOCKET, SO_LOCK_FILTER));
	CALL(set_int(peer, SOL_SOCKET, SO_DETACH_FILTER, 0));
}

static void filter_unix(int type)
{
	int pair[2];

	RC(socketpair(AF_UNIX, type, 0, pair));
	ATTACH(pair[1], BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'y', 0, 1), BPF_STMT(BPF_RET | BPF_K, 4),
		BPF_STMT(BPF_RET | BPF_K, 0));
	CALL(send(pair[0], "no", 2, 0));
	CALL(send(pair[0], "yes, but short", 14, 0));
	note_recv("first", pair[1], 40, 0);
	note_recv("second", pair[1], 40, 0);
	CALL(send(pair[0], "", 0, 0));
	note_recv("empty", pair[1], 40, 0);
	CALL(set_int(pair[1], SOL_SOCKET, SO_DETACH_FILTER, 0));
	CALL(send(pair[0], "no", 2, 0));
	note_recv("third", pair[1], 40, 0);
}

CASE(filter_unix_dgram)
{
	filter_unix(SOCK_DGRAM);
}

CASE(filter_unix_seqpacket)
{
	filter_unix(SOCK_SEQPACKET);
}

CASE(filter_unix_stream)
{
	filter_unix(SOCK_STREAM);
}
