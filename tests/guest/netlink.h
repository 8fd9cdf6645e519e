/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_GUEST_NETLINK_H
#define SENTRY_TESTS_GUEST_NETLINK_H

/* Netlink for the cases: a request is built, sent, and what comes back is printed by attribute. */
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "ns.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* A network of the case's own, with its rights, also for who is nobody. */
static inline void own_network(void)
{
	if (geteuid() == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			SKIP("no network namespaces");
	} else {
		own_user_ns(CLONE_NEWNET);
	}
}

struct request {
	struct nlmsghdr header;
	char body[2048];
};

static inline struct request request_of(int type, int flags, const void *fixed, size_t size)
{
	struct request request = {
		.header = {.nlmsg_len = NLMSG_LENGTH(size),
			.nlmsg_type = (uint16_t)type,
			.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
			.nlmsg_seq = 7},
	};

	memcpy(request.body, fixed, size);
	return request;
}

static inline struct rtattr *add_attribute(
	struct request *request, int type, const void *data, size_t size)
{
	struct rtattr *attribute =
		(struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = (unsigned short)type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), data, size);
	request->header.nlmsg_len =
		NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static inline void add_u32(struct request *request, int type, uint32_t value)
{
	add_attribute(request, type, &value, sizeof(value));
}

static inline void add_string(struct request *request, int type, const char *text)
{
	add_attribute(request, type, text, strlen(text) + 1);
}

/* An attribute of attributes: until end_nest(). */
static inline void end_nest(struct request *request, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len) -
					 (char *)nest);
}

static inline void add_address(struct request *request, int type, int family, const char *text)
{
	uint8_t bytes[16];

	inet_pton(family, text, bytes);
	add_attribute(request, type, bytes, family == AF_INET ? 4 : 16);
}

static inline int netlink_socket(int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), on = 1;
	struct timeval limit = {.tv_sec = 5};

	if (fd < 0) {
		NOTE("no netlink: %s", errno_name(errno));
		exit(1);
	}
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static inline const struct rtattr *find_attribute(
	const struct nlmsghdr *header, size_t fixed, int type)
{
	const struct rtattr *at =
		(const void *)((const char *)NLMSG_DATA(header) + NLMSG_ALIGN(fixed));
	int left = (int)header->nlmsg_len - (int)NLMSG_SPACE(fixed);

	for (; RTA_OK(at, left); at = RTA_NEXT(at, left))
		if ((at->rta_type & NLA_TYPE_MASK) == type)
			return at;
	return NULL;
}

static inline void note_error(const char *what, const struct nlmsghdr *header)
{
	const struct nlmsgerr *error = NLMSG_DATA(header);
	size_t skip = NLMSG_ALIGN(sizeof(*error));
	const struct rtattr *text;

	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(error->msg.nlmsg_len - sizeof(error->msg));
	text = header->nlmsg_flags & NLM_F_ACK_TLVS ? find_attribute(header, skip, 1) : NULL;
	NOTE("%s: %s%s%s", what, error->error ? errno_name(-error->error) : "done",
		text ? ", " : "", text ? (const char *)RTA_DATA(text) : "");
}

/* Sends @request; prints the acknowledgement, or calls @each for every message. */
static inline void ask(int fd, const char *what, struct request *request,
	void (*each)(const struct nlmsghdr *header))
{
	static char bytes[65536];

	if (send(fd, request, request->header.nlmsg_len, 0) < 0) {
		NOTE("%s: send %s", what, errno_name(errno));
		return;
	}
	for (;;) {
		ssize_t size = recv(fd, bytes, sizeof(bytes), 0);
		struct nlmsghdr *header = (struct nlmsghdr *)bytes;

		if (size < 0) {
			NOTE("%s: recv %s", what, errno_name(errno));
			return;
		}
		for (; NLMSG_OK(header, size); header = NLMSG_NEXT(header, size)) {
			if (header->nlmsg_type == NLMSG_ERROR) {
				note_error(what, header);
				return;
			}
			if (header->nlmsg_type == NLMSG_DONE) {
				int code = *(int *)NLMSG_DATA(header);

				NOTE("%s: end %s", what, code ? errno_name(-code) : "0");
				return;
			}
			if (each)
				each(header);
			if (!(header->nlmsg_flags & NLM_F_MULTI) &&
				!(request->header.nlmsg_flags & NLM_F_ACK))
				return;
		}
	}
}

/* ---- the usual requests ---- */

static inline void note_link(const struct nlmsghdr *header)
{
	const struct ifinfomsg *info = NLMSG_DATA(header);
	const struct rtattr *name = find_attribute(header, sizeof(*info), IFLA_IFNAME);
	const struct rtattr *mtu = find_attribute(header, sizeof(*info), IFLA_MTU);
	const struct rtattr *state = find_attribute(header, sizeof(*info), IFLA_OPERSTATE);
	const struct rtattr *address = find_attribute(header, sizeof(*info), IFLA_ADDRESS);
	const struct rtattr *queue = find_attribute(header, sizeof(*info), IFLA_QDISC);

	NOTE("message %d: %s type %u flags %#x mtu %u state %u address of %d queue %s",
		header->nlmsg_type, name ? (char *)RTA_DATA(name) : "?", info->ifi_type,
		info->ifi_flags, mtu ? *(uint32_t *)RTA_DATA(mtu) : 0,
		state ? *(uint8_t *)RTA_DATA(state) : 255, address ? (int)RTA_PAYLOAD(address) : -1,
		queue && (info->ifi_flags & IFF_UP) ? (char *)RTA_DATA(queue) : "?");
}

static inline void note_address(const struct nlmsghdr *header)
{
	const struct ifaddrmsg *info = NLMSG_DATA(header);
	static const int types[] = {IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST};
	static const char *const names[] = {"address", "local", "broadcast"};
	const struct rtattr *label = find_attribute(header, sizeof(*info), IFA_LABEL);
	const struct rtattr *flags = find_attribute(header, sizeof(*info), IFA_FLAGS);
	char text[256] = "", one[64];

	for (int i = 0; i < 3; i++) {
		const struct rtattr *at = find_attribute(header, sizeof(*info), types[i]);
		size_t used = strlen(text);

		if (!at)
			continue;
		inet_ntop(info->ifa_family, RTA_DATA(at), one, sizeof(one));
		/* Made of the hardware's address, which is anything. */
		if (strncmp(one, "fe80", 4) == 0)
			return;
		snprintf(text + used, sizeof(text) - used, " %s %s", names[i], one);
	}
	/* Whether somebody else has it is soon or not yet known. */
	NOTE("message %d: index %u /%u scope %u flags %#x%s label %s", header->nlmsg_type,
		info->ifa_index, info->ifa_prefixlen, info->ifa_scope,
		flags ? *(uint32_t *)RTA_DATA(flags) & ~(uint32_t)IFA_F_TENTATIVE : 0, text,
		label ? (char *)RTA_DATA(label) : "-");
}

static inline void note_route(const struct nlmsghdr *header)
{
	const struct rtmsg *info = NLMSG_DATA(header);
	static const int types[] = {RTA_DST, RTA_GATEWAY, RTA_PREFSRC};
	static const char *const names[] = {"to", "via", "src"};
	const struct rtattr *out = find_attribute(header, sizeof(*info), RTA_OIF);
	const struct rtattr *metric = find_attribute(header, sizeof(*info), RTA_PRIORITY);
	char text[256] = "", one[64];

	for (int i = 0; i < 3; i++) {
		const struct rtattr *at = find_attribute(header, sizeof(*info), types[i]);
		size_t used = strlen(text);

		if (!at)
			continue;
		inet_ntop(info->rtm_family, RTA_DATA(at), one, sizeof(one));
		if (strncmp(one, "fe80", 4) == 0)
			return;
		snprintf(text + used, sizeof(text) - used, " %s %s", names[i], one);
	}
	NOTE("message %d: family %u /%u table %u protocol %u scope %u type %u%s out %d metric %d",
		header->nlmsg_type, info->rtm_family, info->rtm_dst_len, info->rtm_table,
		info->rtm_protocol, info->rtm_scope, info->rtm_type, text,
		out ? *(int *)RTA_DATA(out) : -1, metric ? *(int *)RTA_DATA(metric) : -1);
}

static inline void link_up(int fd, int index, bool up)
{
	struct ifinfomsg info = {
		.ifi_index = index, .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP};
	struct request request = request_of(RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));

	ask(fd, up ? "up" : "down", &request, NULL);
}

static inline void change_address(
	int fd, int type, int flags, int index, int family, const char *text, unsigned char prefix)
{
	struct ifaddrmsg info = {.ifa_family = (unsigned char)family,
		.ifa_prefixlen = prefix,
		.ifa_index = (unsigned)index};
	struct request request = request_of(type, NLM_F_ACK | flags, &info, sizeof(info));

	add_address(&request, IFA_LOCAL, family, text);
	add_address(&request, IFA_ADDRESS, family, text);
	ask(fd, text, &request, NULL);
}

static inline void change_route(int fd, int type, int flags, int family, const char *to,
	unsigned char prefix, const char *via, int out)
{
	struct rtmsg info = {.rtm_family = (unsigned char)family,
		.rtm_dst_len = prefix,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST};
	struct request request = request_of(type, NLM_F_ACK | flags, &info, sizeof(info));
	char what[128];

	if (prefix)
		add_address(&request, RTA_DST, family, to);
	if (via)
		add_address(&request, RTA_GATEWAY, family, via);
	if (out)
		add_u32(&request, RTA_OIF, (uint32_t)out);
	snprintf(what, sizeof(what), "%s/%u via %s out %d", to, prefix, via ? via : "-", out);
	ask(fd, what, &request, NULL);
}

static inline void dump(int fd, const char *what, int type, int family)
{
	struct ifinfomsg info = {.ifi_family = (unsigned char)family};
	struct ifaddrmsg address = {.ifa_family = (unsigned char)family};
	struct rtmsg route = {.rtm_family = (unsigned char)family};
	struct request request =
		type == RTM_GETLINK   ? request_of(type, NLM_F_DUMP, &info, sizeof(info))
		: type == RTM_GETADDR ? request_of(type, NLM_F_DUMP, &address, sizeof(address))
				      : request_of(type, NLM_F_DUMP, &route, sizeof(route));

	ask(fd, what, &request,
		type == RTM_GETLINK    ? note_link
		: type == RTM_GETADDR  ? note_address
		: type == RTM_GETROUTE ? note_route
				       : NULL);
}

/* Two interfaces, a1 and b1, that are each other's ends. */
static inline void make_veth(int fd, int flags)
{
	struct ifinfomsg info = {0};
	struct request request =
		request_of(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | flags, &info, sizeof(info));
	struct rtattr *outer, *data, *peer;

	add_string(&request, IFLA_IFNAME, "a1");
	outer = add_attribute(&request, IFLA_LINKINFO, NULL, 0);
	add_string(&request, IFLA_INFO_KIND, "veth");
	data = add_attribute(&request, IFLA_INFO_DATA, NULL, 0);
	peer = add_attribute(&request, 1 /* VETH_INFO_PEER */, &info, sizeof(info));
	add_string(&request, IFLA_IFNAME, "b1");
	end_nest(&request, peer);
	end_nest(&request, data);
	end_nest(&request, outer);
	ask(fd, "veth", &request, NULL);
}

#endif
