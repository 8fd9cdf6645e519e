/* SPDX-License-Identifier: Apache-2.0 */
/* NETLINK_ROUTE: which request goes where, rules, and announcements to groups (rtnetlink(7)). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/socket/netlink_route.h"

#define ROUTE_GROUPS 39 /* RTNLGRP_MAX */

int route_read_address(
	const struct nl_attribute *attribute, uint8_t family, struct inet_address *ret)
{
	if (attribute->size < (family == LX_AF_INET ? 4u : 16u))
		return -EINVAL;
	if (family == LX_AF_INET)
		*ret = inet_from_v4(attribute->data);
	else
		memcpy(ret->bytes, attribute->data, sizeof(ret->bytes));
	return 0;
}

void route_attribute_address(
	struct nl_builder *builder, uint16_t type, const struct inet_address *address)
{
	bool v4 = inet_is_v4(address);

	nl_attribute(builder, type, address->bytes + (v4 ? 12 : 0), v4 ? 4 : 16);
}

/* ---- rules: policy routing has the three tables that are there from the start ------------------
 */

struct rule {
	uint32_t priority;
	uint8_t table;
	bool v6_too;
};

static const struct rule rules[] = {
	{0, LX_RT_TABLE_LOCAL, true},
	{32766, LX_RT_TABLE_MAIN, true},
	{32767, LX_RT_TABLE_DEFAULT, false},
};

static int put_rule(struct nl_builder *builder, const struct lx_nlmsghdr *header, uint8_t family,
	const struct rule *rule)
{
	const struct lx_fib_rule_hdr fixed = {
		.family = family, .table = rule->table, .action = LX_FR_ACT_TO_TBL};
	size_t start = nl_begin(builder, header);

	nl_put(builder, &fixed, sizeof(fixed));
	nl_u32(builder, LX_FRA_TABLE, rule->table);
	nl_u32(builder, LX_FRA_SUPPRESS_PREFIX, UINT32_MAX);
	nl_u8(builder, LX_FRA_PROTOCOL, LX_RTPROT_KERNEL);
	if (rule->priority)
		nl_u32(builder, LX_FRA_PRIORITY, rule->priority);
	return nl_end(builder, start);
}

static int fill_rules(
	struct netlink_socket *socket, struct nl_dump *dump, struct nl_builder *builder)
{
	static const uint8_t families[] = {LX_AF_INET, LX_AF_INET6};

	for (; dump->at[0] < 2 * array_size(rules); dump->at[0]++) {
		uint8_t family = families[dump->at[0] / array_size(rules)];
		const struct rule *rule = &rules[dump->at[0] % array_size(rules)];

		if ((dump->family && dump->family != family) ||
			(family == LX_AF_INET6 && !rule->v6_too))
			continue;
		if (put_rule(builder, &dump->header, family, rule) < 0)
			return 1;
	}
	return 0;
}

int route_rule_request(struct nl_request *request)
{
	struct nl_dump dump = {.fill = fill_rules, .header.nlmsg_type = LX_RTM_NEWRULE};

	if (request->header.nlmsg_type != LX_RTM_GETRULE)
		return nl_complain(request, -EOPNOTSUPP, "Policy rules cannot be changed here");
	if (!route_is_dump(request))
		return -EOPNOTSUPP;
	dump.family = request->size ? request->body[0] : 0;
	if (dump.family && dump.family != LX_AF_INET && dump.family != LX_AF_INET6)
		return -EAFNOSUPPORT;
	return nl_dump_start(request, &dump);
}

/* ---- announcements --------------------------------------------------------------------------- */

static void announce(const struct netstack *stack, unsigned group, const struct nl_builder *builder)
{
	netlink_multicast(container_of(stack, struct net_ns, stack), &netlink_route, group,
		builder->bytes, builder->size);
}

static unsigned group_of(enum netstack_event event, const void *object)
{
	const struct inet_address *address;

	switch (event) {
	case NETSTACK_LINK:
	case NETSTACK_LINK_GONE:
		return LX_RTNLGRP_LINK;
	case NETSTACK_ADDRESS_NEW:
	case NETSTACK_ADDRESS_GONE:
		address = &((const struct netif_change *)object)->address->address;
		return inet_is_v4(address) ? LX_RTNLGRP_IPV4_IFADDR : LX_RTNLGRP_IPV6_IFADDR;
	case NETSTACK_ROUTE_NEW:
	case NETSTACK_ROUTE_GONE:
		address = &((const struct route *)object)->destination;
		return inet_is_v4(address) ? LX_RTNLGRP_IPV4_ROUTE : LX_RTNLGRP_IPV6_ROUTE;
	case NETSTACK_NEIGHBOUR_NEW:
	case NETSTACK_NEIGHBOUR_GONE:
		return LX_RTNLGRP_NEIGH;
	default:
		return 0;
	}
}

void route_changed(struct netstack *stack, enum netstack_event event, const void *object)
{
	const struct netif_change *change = object;
	unsigned group = group_of(event, object);
	_cleanup_free_ struct nl_builder *builder = NULL;
	struct lx_nlmsghdr header = {0};
	int err = -EINVAL;

	/* An end of a veth pair is seen by the other one, whoever listens. */
	if (event == NETSTACK_LINK)
		net_device_changed((struct netif *)object);
	if (!group || !netlink_has_members(
			      container_of(stack, struct net_ns, stack), &netlink_route, group))
		return;
	builder = nl_builder_new(NL_BUILDER_SIZE);
	if (!builder)
		return;
	switch (event) {
	case NETSTACK_LINK:
	case NETSTACK_LINK_GONE:
		header.nlmsg_type = event == NETSTACK_LINK ? LX_RTM_NEWLINK : LX_RTM_DELLINK;
		err = route_put_link(builder, &header, object, true);
		break;
	case NETSTACK_ADDRESS_NEW:
	case NETSTACK_ADDRESS_GONE:
		header.nlmsg_type = event == NETSTACK_ADDRESS_NEW ? LX_RTM_NEWADDR : LX_RTM_DELADDR;
		err = route_put_address(builder, &header, change->netif, change->address);
		break;
	case NETSTACK_ROUTE_NEW:
	case NETSTACK_ROUTE_GONE:
		header.nlmsg_type = event == NETSTACK_ROUTE_NEW ? LX_RTM_NEWROUTE : LX_RTM_DELROUTE;
		err = route_put_route(builder, &header, object);
		break;
	case NETSTACK_NEIGHBOUR_NEW:
	case NETSTACK_NEIGHBOUR_GONE:
		header.nlmsg_type =
			event == NETSTACK_NEIGHBOUR_NEW ? LX_RTM_NEWNEIGH : LX_RTM_DELNEIGH;
		err = route_put_neighbour(builder, &header, object);
		break;
	default:
		break;
	}
	if (err == 0)
		announce(stack, group, builder);
}

/* ---- requests -------------------------------------------------------------------------------- */

static int nothing_to_show(
	struct netlink_socket *socket, struct nl_dump *dump, struct nl_builder *builder)
{
	return 0;
}

/* Objects that there are none of: their dumps are empty, the rest is not there. */
static int other_request(struct nl_request *request)
{
	struct nl_dump dump = {
		.fill = nothing_to_show, .header.nlmsg_type = request->header.nlmsg_type};

	switch (request->header.nlmsg_type) {
	case 38:  /* RTM_GETQDISC: interfaces have none but noqueue */
	case 42:  /* RTM_GETTCLASS */
	case 46:  /* RTM_GETTFILTER */
	case 74:  /* RTM_GETADDRLABEL */
	case 90:  /* RTM_GETNSID */
	case 106: /* RTM_GETNEXTHOP */
		if (route_is_dump(request))
			return nl_dump_start(request, &dump);
		return -EOPNOTSUPP;
	default:
		return -EOPNOTSUPP;
	}
}

/* rtnetlink_rcv_msg() */
static int route_request(struct nl_request *request)
{
	uint16_t type = request->header.nlmsg_type;
	bool get = (type & 3) == 2;

	if (type > LX_RTM_MAX)
		return -EOPNOTSUPP;
	if (request->size < 1)
		return 0;
	if (!get && !netlink_may_administer(request))
		return -EPERM;
	switch (type & ~3u) {
	case LX_RTM_NEWLINK:
		return route_link_request(request);
	case LX_RTM_NEWADDR:
		return route_address_request(request);
	case LX_RTM_NEWROUTE:
		return route_route_request(request);
	case LX_RTM_NEWNEIGH:
		return route_neighbour_request(request);
	case LX_RTM_NEWRULE:
		return route_rule_request(request);
	default:
		return other_request(request);
	}
}

const struct netlink_protocol netlink_route = {
	.name = "route",
	.groups = ROUTE_GROUPS,
	.anybody_receives = true,
	.request = route_request,
};
