/* SPDX-License-Identifier: Apache-2.0 */
/* NETLINK_ROUTE in a network of the case's own: links, addresses, routes, what is wrong with
 * requests, and what groups hear. */
#include <ifaddrs.h>
#include <poll.h>

#include "netlink.h"

CASE(loopback_down_and_up)
{
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	dump(fd, "links", RTM_GETLINK, AF_UNSPEC);
	dump(fd, "addresses", RTM_GETADDR, AF_UNSPEC);
	dump(fd, "routes", RTM_GETROUTE, AF_INET);
	link_up(fd, 1, true);
	dump(fd, "links", RTM_GETLINK, AF_UNSPEC);
	dump(fd, "addresses", RTM_GETADDR, AF_UNSPEC);
	dump(fd, "only IPv4", RTM_GETADDR, AF_INET);
	dump(fd, "only IPv6", RTM_GETADDR, AF_INET6);
	dump(fd, "routes", RTM_GETROUTE, AF_INET);
	link_up(fd, 1, false);
	dump(fd, "links", RTM_GETLINK, AF_UNSPEC);
}

CASE(link_by_name_and_number)
{
	struct ifinfomsg info = {0};
	struct request request;
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	info.ifi_index = 1;
	request = request_of(RTM_GETLINK, 0, &info, sizeof(info));
	ask(fd, "number 1", &request, note_link);
	info.ifi_index = 99;
	request = request_of(RTM_GETLINK, 0, &info, sizeof(info));
	ask(fd, "number 99", &request, note_link);
	info.ifi_index = 0;
	request = request_of(RTM_GETLINK, 0, &info, sizeof(info));
	ask(fd, "nothing", &request, note_link);
	add_string(&request, IFLA_IFNAME, "lo");
	ask(fd, "lo", &request, note_link);
	request = request_of(RTM_GETLINK, 0, &info, sizeof(info));
	add_string(&request, IFLA_IFNAME, "nobody");
	ask(fd, "nobody", &request, note_link);
	request = request_of(RTM_GETLINK, 0, &info, sizeof(info));
	add_string(&request, IFLA_IFNAME, "a name that is far too long");
	ask(fd, "long", &request, note_link);
}

CASE(veth_pair)
{
	struct ifinfomsg info = {0};
	struct request request;
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	make_veth(fd, NLM_F_EXCL);
	dump(fd, "links", RTM_GETLINK, AF_UNSPEC);
	make_veth(fd, NLM_F_EXCL);
	link_up(fd, (int)if_nametoindex("a1"), true);
	link_up(fd, (int)if_nametoindex("b1"), true);
	info.ifi_index = (int)if_nametoindex("a1");
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	add_u32(&request, IFLA_MTU, 1400);
	ask(fd, "mtu 1400", &request, NULL);
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	add_u32(&request, IFLA_MTU, 10);
	ask(fd, "mtu 10", &request, NULL);
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	add_u32(&request, IFLA_MTU, 100000);
	ask(fd, "mtu 100000", &request, NULL);
	link_up(fd, info.ifi_index, false);
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	add_string(&request, IFLA_IFNAME, "other");
	ask(fd, "another name", &request, NULL);
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	add_string(&request, IFLA_IFNAME, "b1");
	ask(fd, "a name that is taken", &request, NULL);
	dump(fd, "links", RTM_GETLINK, AF_UNSPEC);
	request = request_of(RTM_DELLINK, NLM_F_ACK, &info, sizeof(info));
	ask(fd, "delete", &request, NULL);
	dump(fd, "links", RTM_GETLINK, AF_UNSPEC);
}

CASE(links_that_cannot_be)
{
	struct ifinfomsg info = {0};
	struct request request;
	struct rtattr *outer;
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	request = request_of(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE, &info, sizeof(info));
	outer = add_attribute(&request, IFLA_LINKINFO, NULL, 0);
	add_string(&request, IFLA_INFO_KIND, "nosuchthing");
	end_nest(&request, outer);
	ask(fd, "unknown kind", &request, NULL);
	request = request_of(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE, &info, sizeof(info));
	ask(fd, "no kind", &request, NULL);
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	add_string(&request, IFLA_IFNAME, "nobody");
	ask(fd, "no create", &request, NULL);
	info.ifi_index = 1;
	request = request_of(RTM_DELLINK, NLM_F_ACK, &info, sizeof(info));
	ask(fd, "delete lo", &request, NULL);
	info.ifi_index = 99;
	request = request_of(RTM_DELLINK, NLM_F_ACK, &info, sizeof(info));
	ask(fd, "delete 99", &request, NULL);
	info.ifi_index = 1;
	request =
		request_of(RTM_NEWLINK, NLM_F_ACK | NLM_F_EXCL | NLM_F_CREATE, &info, sizeof(info));
	ask(fd, "lo is there", &request, NULL);
	request = request_of(RTM_SETLINK, NLM_F_ACK, &info, 4);
	ask(fd, "short", &request, NULL);
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	add_attribute(&request, IFLA_MTU, "ab", 2);
	ask(fd, "short attribute", &request, NULL);
}

CASE(addresses)
{
	int fd, a1;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	make_veth(fd, NLM_F_EXCL);
	a1 = (int)if_nametoindex("a1");
	link_up(fd, a1, true);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a1, AF_INET, "10.1.2.3", 24);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a1, AF_INET, "10.1.2.3", 24);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a1, AF_INET, "10.1.2.4", 24);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a1, AF_INET, "10.9.0.1", 40);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, 77, AF_INET, "10.9.0.1", 8);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, a1, AF_INET, "10.1.2.3", 24);
	dump(fd, "addresses", RTM_GETADDR, AF_INET);
	dump(fd, "routes", RTM_GETROUTE, AF_INET);
	change_address(fd, RTM_DELADDR, 0, a1, AF_INET, "10.1.2.9", 24);
	change_address(fd, RTM_DELADDR, 0, a1, AF_INET, "10.1.2.4", 24);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a1, AF_INET, "10.1.2.5", 24);
	change_address(fd, RTM_DELADDR, 0, a1, AF_INET, "10.1.2.3", 24);
	dump(fd, "addresses", RTM_GETADDR, AF_INET);
	dump(fd, "routes", RTM_GETROUTE, AF_INET);
}

CASE(addresses_of_ipv6)
{
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	link_up(fd, 1, true);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, 1, AF_INET6, "2001:db8::1", 128);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, 1, AF_INET6, "2001:db8::1", 128);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, 1, AF_INET6, "2001:db8::2", 129);
	dump(fd, "addresses", RTM_GETADDR, AF_INET6);
	change_address(fd, RTM_DELADDR, 0, 1, AF_INET6, "2001:db8::7", 128);
	change_address(fd, RTM_DELADDR, 0, 1, AF_INET6, "2001:db8::1", 128);
	dump(fd, "addresses", RTM_GETADDR, AF_INET6);
}

CASE(routes)
{
	const int create = NLM_F_CREATE | NLM_F_EXCL;
	int fd, a1;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	make_veth(fd, NLM_F_EXCL);
	a1 = (int)if_nametoindex("a1");
	change_address(fd, RTM_NEWADDR, create, a1, AF_INET, "10.1.2.3", 24);
	change_route(fd, RTM_NEWROUTE, create, AF_INET, "10.7.0.0", 16, NULL, a1);
	link_up(fd, a1, true);
	change_route(fd, RTM_NEWROUTE, create, AF_INET, "10.7.0.0", 16, NULL, a1);
	change_route(fd, RTM_NEWROUTE, create, AF_INET, "10.7.0.0", 16, NULL, a1);
	change_route(fd, RTM_NEWROUTE, create, AF_INET, "10.7.0.1", 16, NULL, a1);
	change_route(fd, RTM_NEWROUTE, create, AF_INET, "0.0.0.0", 0, "10.1.2.1", 0);
	change_route(fd, RTM_NEWROUTE, create, AF_INET, "10.8.0.0", 16, "99.1.1.1", a1);
	change_route(fd, RTM_NEWROUTE, create, AF_INET, "10.8.0.0", 16, NULL, 88);
	change_route(fd, RTM_NEWROUTE, 0, AF_INET, "10.11.0.0", 16, NULL, a1);
	change_route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, AF_INET, "10.7.0.0", 16,
		"10.1.2.8", a1);
	dump(fd, "routes", RTM_GETROUTE, AF_INET);
	change_route(fd, RTM_DELROUTE, 0, AF_INET, "10.7.0.0", 16, "10.1.2.8", a1);
	change_route(fd, RTM_DELROUTE, 0, AF_INET, "10.7.0.0", 16, "10.1.2.8", a1);
	dump(fd, "routes", RTM_GETROUTE, AF_INET);
}

static void get_route(int fd, int family, const char *to)
{
	struct rtmsg info = {
		.rtm_family = (unsigned char)family, .rtm_dst_len = family == AF_INET ? 32 : 128};
	struct request request = request_of(RTM_GETROUTE, 0, &info, sizeof(info));

	add_address(&request, RTA_DST, family, to);
	ask(fd, to, &request, note_route);
}

CASE(route_of_a_packet)
{
	int fd, a1;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	get_route(fd, AF_INET, "127.0.0.1");
	link_up(fd, 1, true);
	get_route(fd, AF_INET, "127.0.0.1");
	get_route(fd, AF_INET, "127.5.5.5");
	get_route(fd, AF_INET, "8.8.8.8");
	make_veth(fd, NLM_F_EXCL);
	a1 = (int)if_nametoindex("a1");
	link_up(fd, a1, true);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE, a1, AF_INET, "10.1.2.3", 24);
	change_route(fd, RTM_NEWROUTE, NLM_F_CREATE, AF_INET, "0.0.0.0", 0, "10.1.2.1", a1);
	get_route(fd, AF_INET, "8.8.8.8");
	get_route(fd, AF_INET, "10.1.2.77");
	get_route(fd, AF_INET, "10.1.2.3");
}

CASE(rules)
{
	struct rtmsg info = {.rtm_family = AF_INET};
	struct request request;
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	request = request_of(RTM_GETRULE, NLM_F_DUMP, &info, sizeof(info));
	ask(fd, "rules", &request, note_route);
	info.rtm_family = AF_INET6;
	request = request_of(RTM_GETRULE, NLM_F_DUMP, &info, sizeof(info));
	ask(fd, "rules", &request, note_route);
}

CASE(neighbours_of_nobody)
{
	struct ndmsg info = {.ndm_family = AF_INET};
	struct request request;
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	request = request_of(RTM_GETNEIGH, NLM_F_DUMP, &info, sizeof(info));
	ask(fd, "neighbours", &request, NULL);
}

CASE(announcements)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE};
	static char bytes[16384];
	int fd, listener, count = 0;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	listener = netlink_socket(NETLINK_ROUTE);
	CALL(bind(listener, (void *)&name, sizeof(name)));
	make_veth(fd, NLM_F_EXCL);
	change_address(
		fd, RTM_NEWADDR, NLM_F_CREATE, (int)if_nametoindex("a1"), AF_INET, "10.1.2.3", 24);
	/* Everything is there before the acknowledgement. */
	for (;;) {
		struct nlmsghdr *header = (struct nlmsghdr *)bytes;
		struct sockaddr_nl from = {0};
		socklen_t size = sizeof(from);
		ssize_t got = recvfrom(
			listener, bytes, sizeof(bytes), MSG_DONTWAIT, (void *)&from, &size);

		if (got < 0)
			break;
		if (header->nlmsg_type == RTM_NEWADDR) {
			note_address(header);
			NOTE("from port %u groups %#x", from.nl_pid, from.nl_groups);
		}
		count += header->nlmsg_type == RTM_NEWLINK;
	}
	TRUTH(count >= 2);
}

CASE(who_is_asked_and_who_is_not)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK}, got;
	socklen_t size = sizeof(got);
	int fd, other;

	own_network();
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	other = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	CALL(getsockname(fd, (void *)&got, &size));
	TRUTH(got.nl_pid == 0);
	name.nl_pid = 4242424;
	CALL(bind(fd, (void *)&name, sizeof(name)));
	CALL(bind(other, (void *)&name, sizeof(name)));
	CALL(bind(fd, (void *)&name, sizeof(name)));
	CALL(bind(fd, (void *)&name, 4));
	name.nl_pid = 1;
	CALL(bind(fd, (void *)&name, sizeof(name)));
	name.nl_pid = 0;
	CALL(bind(other, (void *)&name, sizeof(name)));
	CALL(getsockname(other, (void *)&got, &size));
	TRUTH(got.nl_pid == (uint32_t)getpid());
	CALL(getpeername(other, (void *)&got, &size));
	TRUTH(got.nl_pid == 0);
	name.nl_family = AF_INET;
	CALL(bind(other, (void *)&name, sizeof(name)));
	CALL(connect(other, (void *)&name, sizeof(name)));
	CALL(listen(other, 1));
	CALL(accept(other, NULL, NULL));
	CALL(shutdown(other, SHUT_RDWR));
	CALL(send(other, "", 0, 0));
	CALL(recv(other, &got, sizeof(got), MSG_DONTWAIT));
	CALL(send(other, "x", 1, MSG_OOB));
}

CASE(protocols)
{
	for (int i = -1; i < 34; i++) {
		/* What the host was built with differs. */
		if (i == 0 || i == 2 || i == 15 || i == 16 || i < 0 || i >= 23) {
			NOTE("protocol %d", i);
			CALL(socket(AF_NETLINK, SOCK_DGRAM, i) >= 0);
		}
	}
	CALL(socket(AF_NETLINK, SOCK_STREAM, 0));
	CALL(socket(AF_NETLINK, SOCK_SEQPACKET, 0));
}

static void option(int fd, const char *name, int number)
{
	int value = -1;
	socklen_t size = sizeof(value);
	int r = getsockopt(fd, SOL_NETLINK, number, &value, &size);

	NOTE("%s: %s, value %d size %u", name, r < 0 ? errno_name(errno) : "0", value, size);
}

CASE(options)
{
	int fd, on = 1, group, words[8] = {0};
	socklen_t size;

	own_network();
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	option(fd, "pktinfo", NETLINK_PKTINFO);
	CALL(setsockopt(fd, SOL_NETLINK, NETLINK_PKTINFO, &on, sizeof(on)));
	option(fd, "pktinfo", NETLINK_PKTINFO);
	CALL(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)));
	option(fd, "ext ack", NETLINK_EXT_ACK);
	CALL(setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)));
	option(fd, "cap ack", NETLINK_CAP_ACK);
	CALL(setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)));
	option(fd, "strict", NETLINK_GET_STRICT_CHK);
	option(fd, "no such option", 99);
	CALL(setsockopt(fd, SOL_NETLINK, 99, &on, sizeof(on)));
	group = RTNLGRP_LINK;
	CALL(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	group = RTNLGRP_IPV4_ROUTE;
	CALL(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	group = 0;
	CALL(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	group = 1000;
	CALL(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	size = sizeof(words);
	CALL(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &size));
	NOTE("groups %#x, size %u", words[0], size);
	group = RTNLGRP_LINK;
	CALL(setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group)));
	size = sizeof(words);
	CALL(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &size));
	NOTE("groups %#x", words[0]);
}

CASE(requests_that_are_none)
{
	struct ifinfomsg info = {0};
	struct request request;
	char bytes[256];
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	/* Neither a request nor asked to be acknowledged: nothing comes. */
	request = request_of(RTM_GETLINK, 0, &info, sizeof(info));
	request.header.nlmsg_flags = 0;
	CALL(send(fd, &request, request.header.nlmsg_len, 0));
	CALL(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
	request.header.nlmsg_flags = NLM_F_ACK;
	ask(fd, "acknowledged", &request, NULL);
	request = request_of(NLMSG_NOOP, NLM_F_ACK, &info, sizeof(info));
	ask(fd, "noop", &request, NULL);
	request = request_of(200, NLM_F_ACK, &info, sizeof(info));
	ask(fd, "type 200", &request, NULL);
	request = request_of(RTM_NEWTUNNEL + 1, NLM_F_ACK, &info, sizeof(info));
	ask(fd, "type 121", &request, NULL);
	request = request_of(RTM_GETLINK, NLM_F_ACK, &info, 0);
	ask(fd, "empty", &request, NULL);
	CALL(send(fd, "abc", 3, 0));
	request = request_of(RTM_GETLINK, NLM_F_ACK, &info, sizeof(info));
	request.header.nlmsg_len = 1000;
	CALL(send(fd, &request, 32, 0));
	CALL(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
}

static void without_rights(void)
{
	int fd = netlink_socket(NETLINK_ROUTE);

	dump(fd, "links", RTM_GETLINK, AF_UNSPEC);
	link_up(fd, 1, true);
	change_address(fd, RTM_NEWADDR, NLM_F_CREATE, 1, AF_INET, "10.1.2.3", 24);
	change_route(fd, RTM_DELROUTE, 0, AF_INET, "10.7.0.0", 16, NULL, 1);
}

CASE(without_rights)
{
	if (geteuid() != 0)
		SKIP("needs another user");
	own_network();
	become(12345);
	without_rights();
}

CASE(getifaddrs_of_loopback)
{
	struct ifaddrs *list = NULL;
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	link_up(fd, 1, true);
	CALL(getifaddrs(&list));
	for (struct ifaddrs *at = list; at; at = at->ifa_next)
		NOTE("%s flags %#x family %d", at->ifa_name, at->ifa_flags,
			at->ifa_addr ? at->ifa_addr->sa_family : -1);
	freeifaddrs(list);
}

CASE(a_pair_between_networks)
{
	int fd, here, there[2], back[2], other;
	struct ifinfomsg info = {0};
	struct request request;
	pid_t pid;
	char c;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	make_veth(fd, NLM_F_EXCL);
	if (pipe(there) < 0 || pipe(back) < 0)
		exit(1);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(back[0]);
		close(there[1]);
		if (unshare(CLONE_NEWNET) < 0)
			exit(1);
		write(back[1], "r", 1);
		read(there[0], &c, 1);
		here = netlink_socket(NETLINK_ROUTE);
		dump(here, "there", RTM_GETLINK, AF_UNSPEC);
		fflush(NULL);
		_exit(0);
	}
	close(back[1]);
	read(back[0], &c, 1);
	info.ifi_index = (int)if_nametoindex("b1");
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	add_u32(&request, IFLA_NET_NS_PID, (uint32_t)pid);
	ask(fd, "move", &request, NULL);
	dump(fd, "here", RTM_GETLINK, AF_UNSPEC);
	fflush(NULL);
	write(there[1], "g", 1);
	note_wait("child", pid);
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	info.ifi_index = 1;
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	other = open("/proc/self/ns/net", O_RDONLY);
	add_u32(&request, IFLA_NET_NS_FD, (uint32_t)other);
	ask(fd, "lo to where it is", &request, NULL);
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	add_u32(&request, IFLA_NET_NS_FD, 999);
	ask(fd, "no descriptor", &request, NULL);
	request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	add_u32(&request, IFLA_NET_NS_PID, 99999999);
	ask(fd, "no process", &request, NULL);
}

CASE(peek_and_cut)
{
	struct ifinfomsg info = {.ifi_index = 1};
	struct request request;
	static char bytes[16384];
	struct iovec iov = {bytes, 20};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t whole;
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	request = request_of(RTM_GETLINK, 0, &info, sizeof(info));
	CALL(send(fd, &request, request.header.nlmsg_len, 0));
	CALL(recvmsg(fd, &message, MSG_PEEK));
	NOTE("flags %#x", message.msg_flags);
	whole = recv(fd, bytes, 1, MSG_PEEK | MSG_TRUNC);
	TRUTH(whole == *(int *)bytes || whole > 100);
	CALL(recvmsg(fd, &message, 0));
	NOTE("flags %#x", message.msg_flags);
	CALL(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
}
