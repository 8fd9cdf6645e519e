/* SPDX-License-Identifier: Apache-2.0 */
/* ioctl(2) about interfaces in a network of the case's own (netdevice(7)), and sock_diag(7). */
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <sys/un.h>

#include "inet.h"
#include "netlink.h"

static struct ifreq named(const char *name)
{
	struct ifreq ifreq = {0};

	snprintf(ifreq.ifr_name, sizeof(ifreq.ifr_name), "%s", name);
	return ifreq;
}

static void set_in(struct sockaddr *address, const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};

	inet_pton(AF_INET, text, &in.sin_addr);
	memcpy(address, &in, sizeof(in));
}

static void note_in(const char *what, int fd, unsigned long request, const char *name)
{
	struct ifreq ifreq = named(name);
	struct sockaddr_in in;
	int r = ioctl(fd, request, &ifreq);

	memcpy(&in, &ifreq.ifr_addr, sizeof(in));
	NOTE("%s of %s: %s", what, name, r < 0 ? errno_name(errno) : inet_ntoa(in.sin_addr));
}

static void note_all(int fd, const char *name)
{
	struct ifreq ifreq = named(name);
	int r = ioctl(fd, SIOCGIFFLAGS, &ifreq);

	NOTE("%s: flags %s %#hx", name, r < 0 ? errno_name(errno) : "", ifreq.ifr_flags);
	ifreq = named(name);
	r = ioctl(fd, SIOCGIFMTU, &ifreq);
	NOTE("mtu %s %d", r < 0 ? errno_name(errno) : "", r < 0 ? 0 : ifreq.ifr_mtu);
	ifreq = named(name);
	r = ioctl(fd, SIOCGIFINDEX, &ifreq);
	NOTE("index %s %d", r < 0 ? errno_name(errno) : "", r < 0 ? 0 : ifreq.ifr_ifindex);
	ifreq = named(name);
	r = ioctl(fd, SIOCGIFTXQLEN, &ifreq);
	NOTE("queue %s %d", r < 0 ? errno_name(errno) : "", r < 0 ? 0 : ifreq.ifr_qlen);
	ifreq = named(name);
	r = ioctl(fd, SIOCGIFHWADDR, &ifreq);
	NOTE("hardware %s %d", r < 0 ? errno_name(errno) : "",
		r < 0 ? 0 : ifreq.ifr_hwaddr.sa_family);
	note_in("address", fd, SIOCGIFADDR, name);
	note_in("mask", fd, SIOCGIFNETMASK, name);
	note_in("broadcast", fd, SIOCGIFBRDADDR, name);
	note_in("other end", fd, SIOCGIFDSTADDR, name);
}

CASE(loopback_by_ioctl)
{
	struct ifreq ifreq = named("lo");
	int fd;

	own_network();
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	note_all(fd, "lo");
	CALL(ioctl(fd, SIOCGIFFLAGS, &ifreq));
	ifreq.ifr_flags |= IFF_UP;
	CALL(ioctl(fd, SIOCSIFFLAGS, &ifreq));
	note_all(fd, "lo");
	note_all(fd, "nobody");
	ifreq.ifr_ifindex = 1;
	CALL(ioctl(fd, SIOCGIFNAME, &ifreq));
	NOTE("%s", ifreq.ifr_name);
	ifreq.ifr_ifindex = 99;
	CALL(ioctl(fd, SIOCGIFNAME, &ifreq));
	CALL(ioctl(fd, SIOCGIFFLAGS, BAD_ADDRESS));
}

CASE(all_addresses)
{
	struct ifreq rows[8];
	struct ifconf conf = {.ifc_len = sizeof(rows), .ifc_req = rows};
	int fd, netlink;

	own_network();
	netlink = netlink_socket(NETLINK_ROUTE);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CALL(ioctl(fd, SIOCGIFCONF, &conf));
	NOTE("%d rows", conf.ifc_len / (int)sizeof(rows[0]));
	link_up(netlink, 1, true);
	conf.ifc_len = sizeof(rows);
	CALL(ioctl(fd, SIOCGIFCONF, &conf));
	NOTE("%d rows, %s", conf.ifc_len / (int)sizeof(rows[0]), rows[0].ifr_name);
	conf.ifc_len = 0;
	conf.ifc_req = NULL;
	CALL(ioctl(fd, SIOCGIFCONF, &conf));
	NOTE("%d rows", conf.ifc_len / (int)sizeof(rows[0]));
	conf.ifc_len = 10;
	conf.ifc_req = rows;
	CALL(ioctl(fd, SIOCGIFCONF, &conf));
	NOTE("%d bytes", conf.ifc_len);
}

CASE(address_by_ioctl)
{
	struct ifreq ifreq;
	int fd, netlink;

	own_network();
	netlink = netlink_socket(NETLINK_ROUTE);
	make_veth(netlink, NLM_F_EXCL);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ifreq = named("a1");
	set_in(&ifreq.ifr_addr, "10.1.2.3");
	CALL(ioctl(fd, SIOCSIFADDR, &ifreq));
	note_in("address", fd, SIOCGIFADDR, "a1");
	note_in("mask", fd, SIOCGIFNETMASK, "a1");
	note_in("broadcast", fd, SIOCGIFBRDADDR, "a1");
	set_in(&ifreq.ifr_addr, "255.255.255.0");
	CALL(ioctl(fd, SIOCSIFNETMASK, &ifreq));
	note_in("mask", fd, SIOCGIFNETMASK, "a1");
	note_in("broadcast", fd, SIOCGIFBRDADDR, "a1");
	set_in(&ifreq.ifr_addr, "255.0.255.0");
	CALL(ioctl(fd, SIOCSIFNETMASK, &ifreq));
	ifreq.ifr_mtu = 1300;
	CALL(ioctl(fd, SIOCSIFMTU, &ifreq));
	ifreq.ifr_mtu = 5;
	CALL(ioctl(fd, SIOCSIFMTU, &ifreq));
	ifreq = named("a1");
	CALL(ioctl(fd, SIOCGIFMTU, &ifreq));
	NOTE("mtu %d", ifreq.ifr_mtu);
	snprintf(ifreq.ifr_newname, sizeof(ifreq.ifr_newname), "new");
	CALL(ioctl(fd, SIOCSIFNAME, &ifreq));
	note_in("address", fd, SIOCGIFADDR, "new");
	note_in("address", fd, SIOCGIFADDR, "a1");
}

CASE(route_by_ioctl)
{
	struct rtentry entry = {.rt_flags = RTF_UP, .rt_dev = "a1"};
	struct ifreq ifreq = named("a1");
	int fd, netlink;

	own_network();
	netlink = netlink_socket(NETLINK_ROUTE);
	make_veth(netlink, NLM_F_EXCL);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	set_in(&ifreq.ifr_addr, "10.1.2.3");
	CALL(ioctl(fd, SIOCSIFADDR, &ifreq));
	link_up(netlink, (int)if_nametoindex("a1"), true);
	set_in(&entry.rt_dst, "10.7.0.0");
	set_in(&entry.rt_genmask, "255.255.0.0");
	set_in(&entry.rt_gateway, "0.0.0.0");
	CALL(ioctl(fd, SIOCADDRT, &entry));
	CALL(ioctl(fd, SIOCADDRT, &entry));
	set_in(&entry.rt_dst, "0.0.0.0");
	set_in(&entry.rt_genmask, "0.0.0.0");
	set_in(&entry.rt_gateway, "10.1.2.1");
	entry.rt_flags |= RTF_GATEWAY;
	CALL(ioctl(fd, SIOCADDRT, &entry));
	note_file("/proc/net/route");
	CALL(ioctl(fd, SIOCDELRT, &entry));
	CALL(ioctl(fd, SIOCDELRT, &entry));
	entry.rt_dev = "nobody";
	CALL(ioctl(fd, SIOCADDRT, &entry));
}

CASE(without_rights)
{
	struct ifreq ifreq = named("lo");
	int fd;

	if (geteuid() != 0)
		SKIP("needs another user");
	own_network();
	become(12345);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CALL(ioctl(fd, SIOCGIFFLAGS, &ifreq));
	ifreq.ifr_flags |= IFF_UP;
	CALL(ioctl(fd, SIOCSIFFLAGS, &ifreq));
	set_in(&ifreq.ifr_addr, "10.1.2.3");
	CALL(ioctl(fd, SIOCSIFADDR, &ifreq));
}

CASE(files_of_a_network)
{
	int netlink;

	own_network();
	netlink = netlink_socket(NETLINK_ROUTE);
	note_file("/proc/net/if_inet6");
	note_file("/proc/net/dev");
	link_up(netlink, 1, true);
	note_file("/proc/net/if_inet6");
	change_address(netlink, RTM_NEWADDR, NLM_F_CREATE, 1, AF_INET, "10.1.2.3", 24);
	note_file("/proc/net/route");
	note_file("/proc/net/arp");
}

/* ---- sock_diag ---- */

static uint16_t wanted_port;

static void note_socket(const struct nlmsghdr *header)
{
	const struct inet_diag_msg *message = NLMSG_DATA(header);

	/* One end of a connection: the table has no order. */
	if (message->id.idiag_sport != htons(wanted_port))
		return;
	NOTE("family %d state %d receiving %u sending %u inode %d", message->idiag_family,
		message->idiag_state, message->idiag_rqueue, message->idiag_wqueue,
		message->idiag_inode != 0);
}

static void ask_inet(int fd, const char *what, int protocol, uint32_t states)
{
	struct inet_diag_req_v2 req = {.sdiag_family = AF_INET,
		.sdiag_protocol = (uint8_t)protocol,
		.idiag_states = states};
	struct request request = request_of(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &req, sizeof(req));

	ask(fd, what, &request, note_socket);
}

CASE(sockets_of_tcp_and_udp)
{
	int netlink, server, udp, fds[2];

	own_network();
	netlink = netlink_socket(NETLINK_ROUTE);
	link_up(netlink, 1, true);
	netlink = netlink_socket(NETLINK_SOCK_DIAG);
	server = listener(AF_INET, 7);
	wanted_port = port_of(server);
	ask_inet(netlink, "listening", IPPROTO_TCP, 1u << 10);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	CALL(connect_to(fds[0], AF_INET, wanted_port));
	fds[1] = accept(server, NULL, NULL);
	CALL(send(fds[0], "hello", 5, 0));
	await_poll("arrived", fds[1], POLLIN);
	ask_inet(netlink, "not listening", IPPROTO_TCP, ~(1u << 10));
	udp = bound(AF_INET, SOCK_DGRAM);
	wanted_port = port_of(udp);
	ask_inet(netlink, "udp", IPPROTO_UDP, ~0u);
	ask_inet(netlink, "unknown protocol", 200, ~0u);
}

CASE(one_socket)
{
	struct inet_diag_req_v2 req = {.sdiag_family = AF_INET,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = ~0u,
		.id = {.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}};
	struct request request;
	int netlink, server;

	own_network();
	netlink = netlink_socket(NETLINK_ROUTE);
	link_up(netlink, 1, true);
	netlink = netlink_socket(NETLINK_SOCK_DIAG);
	server = listener(AF_INET, 7);
	wanted_port = port_of(server);
	req.id.idiag_sport = htons(wanted_port);
	req.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
	request = request_of(SOCK_DIAG_BY_FAMILY, 0, &req, sizeof(req));
	ask(netlink, "by name", &request, note_socket);
	req.id.idiag_sport = htons(1);
	request = request_of(SOCK_DIAG_BY_FAMILY, 0, &req, sizeof(req));
	ask(netlink, "nobody", &request, note_socket);
	request = request_of(SOCK_DIAG_BY_FAMILY, 0, &req, 8);
	ask(netlink, "short", &request, note_socket);
	request = request_of(77, 0, &req, sizeof(req));
	ask(netlink, "another type", &request, note_socket);
}

static ino_t wanted_inode;

static void note_unix(const struct nlmsghdr *header)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	const struct rtattr *name = find_attribute(header, sizeof(*message), UNIX_DIAG_NAME);
	const struct rtattr *peer = find_attribute(header, sizeof(*message), UNIX_DIAG_PEER);

	if (message->udiag_ino != (uint32_t)wanted_inode)
		return;
	NOTE("type %d state %d name %.*s peer %s", message->udiag_type, message->udiag_state,
		name ? (int)RTA_PAYLOAD(name) : 0, name ? (char *)RTA_DATA(name) : "",
		peer ? "some" : "none");
}

CASE(sockets_of_unix)
{
	struct unix_diag_req req = {.sdiag_family = AF_UNIX,
		.udiag_states = ~0u,
		.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER};
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "here"};
	struct request request;
	struct stat stat;
	int fd = netlink_socket(NETLINK_SOCK_DIAG), server, pair[2];

	server = socket(AF_UNIX, SOCK_STREAM, 0);
	CALL(bind(server, (void *)&name, sizeof(name)));
	CALL(listen(server, 1));
	fstat(server, &stat);
	wanted_inode = stat.st_ino;
	request = request_of(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &req, sizeof(req));
	ask(fd, "listening", &request, note_unix);
	CALL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	fstat(pair[0], &stat);
	wanted_inode = stat.st_ino;
	ask(fd, "pair", &request, note_unix);
	req.udiag_ino = (uint32_t)stat.st_ino;
	req.udiag_cookie[0] = req.udiag_cookie[1] = ~0u;
	request = request_of(SOCK_DIAG_BY_FAMILY, 0, &req, sizeof(req));
	ask(fd, "one", &request, note_unix);
}

/* Youngest first; what everybody is in last. */
CASE(proc_groups)
{
	struct ip_mreqn four = {.imr_ifindex = 1};
	struct ipv6_mreq six = {.ipv6mr_interface = 1};
	int fd, fd6, other;

	own_network();
	link_up(netlink_socket(NETLINK_ROUTE), 1, true);
	note_file("/proc/net/igmp");
	note_file("/proc/net/igmp6");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	other = socket(AF_INET, SOCK_DGRAM, 0);
	fd6 = socket(AF_INET6, SOCK_DGRAM, 0);
	inet_pton(AF_INET, "239.1.2.3", &four.imr_multiaddr);
	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof(four)));
	CALL(setsockopt(other, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof(four)));
	inet_pton(AF_INET, "239.1.2.4", &four.imr_multiaddr);
	CALL(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof(four)));
	inet_pton(AF_INET6, "ff15::77", &six.ipv6mr_multiaddr);
	CALL(setsockopt(fd6, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &six, sizeof(six)));
	note_file("/proc/net/igmp");
	note_file("/proc/net/igmp6");
	note_file("/proc/net/dev_mcast");
	close(fd);
	close(fd6);
	note_file("/proc/net/igmp");
	note_file("/proc/net/igmp6");
}

/* Counts messages and errors until the dump's end, or @most of them. */
static void note_answers(int fd, const char *what, int most)
{
	static char bytes[65536] __attribute__((aligned(4)));
	int messages = 0, errors = 0;
	bool done = false;

	while (!done && messages + errors < most) {
		ssize_t size = recv(fd, bytes, sizeof(bytes), 0);
		struct nlmsghdr *header = (struct nlmsghdr *)bytes;

		if (size < 0)
			break;
		for (; NLMSG_OK(header, size); header = NLMSG_NEXT(header, size)) {
			done |= header->nlmsg_type == NLMSG_DONE;
			errors += header->nlmsg_type == NLMSG_ERROR;
			messages += header->nlmsg_type == SOCK_DIAG_BY_FAMILY;
		}
	}
	NOTE("%s: %d sockets, %d errors, end %d", what, messages, errors, done);
}

#define FILTER_OPS 4000
#define SOCKETS	   300

/* A filter that takes its time with each of many sockets; and many requests at once. */
CASE(long_filters_and_batches)
{
	static struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 req;
		struct rtattr attribute;
		struct inet_diag_bc_op code[FILTER_OPS];
	} dump;
	static struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 req;
	} one[40];
	int netlink, fds[SOCKETS];

	own_network();
	netlink = netlink_socket(NETLINK_ROUTE);
	link_up(netlink, 1, true);
	netlink = netlink_socket(NETLINK_SOCK_DIAG);
	for (int i = 0; i < SOCKETS; i++)
		fds[i] = bound(AF_INET, SOCK_DGRAM);
	dump.header = (struct nlmsghdr){.nlmsg_len = sizeof(dump),
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP};
	dump.req = (struct inet_diag_req_v2){
		.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_UDP, .idiag_states = ~0u};
	dump.attribute = (struct rtattr){.rta_len = sizeof(dump.attribute) + sizeof(dump.code),
		.rta_type = INET_DIAG_REQ_BYTECODE};
	for (int i = 0; i < FILTER_OPS; i++)
		dump.code[i] = (struct inet_diag_bc_op){.code = INET_DIAG_BC_NOP, .yes = 4};
	NOTE("sent all: %d", send(netlink, &dump, sizeof(dump), 0) == sizeof(dump));
	note_answers(netlink, "passes", INT_MAX);
	/* The last one jumps behind the end: no. */
	dump.code[FILTER_OPS - 1] =
		(struct inet_diag_bc_op){.code = INET_DIAG_BC_JMP, .yes = 4, .no = 8};
	NOTE("sent all: %d", send(netlink, &dump, sizeof(dump), 0) == sizeof(dump));
	note_answers(netlink, "passes nothing", INT_MAX);
	for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++) {
		one[i].header = (struct nlmsghdr){.nlmsg_len = sizeof(one[i]),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST};
		one[i].req = dump.req;
		one[i].req.id.idiag_sport = htons(1);
	}
	NOTE("sent all: %d", send(netlink, one, sizeof(one), 0) == sizeof(one));
	note_answers(netlink, "batch", sizeof(one) / sizeof(one[0]));
	for (int i = 0; i < SOCKETS; i++)
		close(fds[i]);
}
