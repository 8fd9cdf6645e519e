/* SPDX-License-Identifier: Apache-2.0 */
/* RTM_*LINK: interfaces are shown, made, changed and removed (rtnetlink(7); kernel
 * net/core/rtnetlink.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/pid_ns.h"
#include "sentry/socket/netlink_route.h"
#include "vfs/vfs.h"

#define TX_QUEUE_LENGTH 1000u
#define GSO_SIZE	65536u
#define TSO_SIZE	524280u

/* ---- showing --------------------------------------------------------------------------------- */

static void put_statistics(struct nl_builder *builder, const struct netif *netif)
{
	const struct netif_counters *counters = &netif->counters;
	const struct lx_link_stats64 stats = {
		.rx_packets = counters->rx_packets,
		.tx_packets = counters->tx_packets,
		.rx_bytes = counters->rx_bytes,
		.tx_bytes = counters->tx_bytes,
		.rx_errors = counters->rx_errors,
		.tx_errors = counters->tx_errors,
		.rx_dropped = counters->rx_dropped,
		.tx_dropped = counters->tx_dropped,
		.multicast = counters->multicast,
	};
	const uint64_t *wide = (const uint64_t *)&stats;
	uint32_t narrow[24];

	for (size_t i = 0; i < array_size(narrow); i++)
		narrow[i] = (uint32_t)wide[i];
	nl_attribute(builder, LX_IFLA_STATS64, &stats, sizeof(stats));
	nl_attribute(builder, LX_IFLA_STATS, narrow, sizeof(narrow));
}

static void put_queues(struct nl_builder *builder, const struct netif *netif)
{
	nl_u32(builder, LX_IFLA_GROUP, 0);
	nl_u32(builder, LX_IFLA_PROMISCUITY, !!(netif->flags & NETIF_PROMISCUOUS));
	nl_u32(builder, LX_IFLA_ALLMULTI, !!(netif->flags & NETIF_ALLMULTI));
	nl_u32(builder, LX_IFLA_NUM_TX_QUEUES, 1);
	nl_u32(builder, LX_IFLA_GSO_MAX_SEGS, 65535);
	nl_u32(builder, LX_IFLA_GSO_MAX_SIZE, GSO_SIZE);
	nl_u32(builder, LX_IFLA_GRO_MAX_SIZE, GSO_SIZE);
	nl_u32(builder, LX_IFLA_TSO_MAX_SIZE, TSO_SIZE);
	nl_u32(builder, LX_IFLA_TSO_MAX_SEGS, 65535);
	nl_u32(builder, LX_IFLA_NUM_RX_QUEUES, 1);
}

/* The other end of a pair: its number, and that it is elsewhere if it is. */
static void put_peer(struct nl_builder *builder, const struct netif *netif)
{
	const struct netif *peer = net_device_peer(netif);

	if (!peer)
		return;
	nl_u32(builder, LX_IFLA_LINK, peer->index);
	if (peer->stack != netif->stack)
		nl_u32(builder, LX_IFLA_LINK_NETNSID, 0);
}

static void put_families(struct nl_builder *builder)
{
	size_t families = nl_nest(builder, LX_IFLA_AF_SPEC);
	size_t inet6 = nl_nest(builder, LX_AF_INET6);

	nl_u32(builder, LX_IFLA_INET6_FLAGS, 0x80000000u); /* IF_READY */
	nl_u8(builder, LX_IFLA_INET6_ADDR_GEN_MODE, 0);	   /* EUI-64 */
	nl_nest_end(builder, inet6);
	nl_nest_end(builder, families);
}

/* rtnl_fill_ifinfo() */
int route_put_link(struct nl_builder *builder, const struct lx_nlmsghdr *header,
	const struct netif *netif, bool statistics)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6], map[32];
	const struct lx_ifinfomsg info = {
		.type = net_device_type(netif),
		.index = (int32_t)netif->index,
		.flags = net_device_flags(netif),
	};
	const char *kind = net_device_kind(netif);
	size_t start = nl_begin(builder, header), nest;

	nl_put(builder, &info, sizeof(info));
	nl_string(builder, LX_IFLA_IFNAME, netif->name);
	nl_u32(builder, LX_IFLA_TXQLEN, TX_QUEUE_LENGTH);
	nl_u8(builder, LX_IFLA_OPERSTATE, net_device_state(netif));
	nl_u8(builder, LX_IFLA_LINKMODE, 0);
	nl_u32(builder, LX_IFLA_MTU, netif->mtu);
	nl_u32(builder, LX_IFLA_MIN_MTU, net_device_mtu_min(netif));
	nl_u32(builder, LX_IFLA_MAX_MTU, net_device_mtu_max(netif));
	put_queues(builder, netif);
	put_peer(builder, netif);
	nl_u8(builder, LX_IFLA_CARRIER, !!(info.flags & LX_IFF_LOWER_UP) || !(info.flags & 1));
	nl_string(builder, LX_IFLA_QDISC, net_device_queue(netif));
	nl_u32(builder, LX_IFLA_CARRIER_CHANGES, 0);
	nl_u32(builder, LX_IFLA_CARRIER_UP, 0);
	nl_u32(builder, LX_IFLA_CARRIER_DOWN, 0);
	nl_u8(builder, LX_IFLA_PROTO_DOWN, 0);
	nl_attribute(builder, LX_IFLA_MAP, map, sizeof(map));
	if (netif->type != NETIF_POINT) {
		nl_attribute(builder, LX_IFLA_ADDRESS, netif->hardware, sizeof(netif->hardware));
		nl_attribute(builder, LX_IFLA_BROADCAST,
			netif->type == NETIF_LOOPBACK ? none : broadcast, sizeof(none));
	}
	if (statistics)
		put_statistics(builder, netif);
	if (kind) {
		nest = nl_nest(builder, LX_IFLA_LINKINFO);
		nl_string(builder, LX_IFLA_INFO_KIND, kind);
		nl_nest_end(builder, nest);
	}
	put_families(builder);
	return nl_end(builder, start);
}

/* ---- requests -------------------------------------------------------------------------------- */

#define LINK_MAX LX_IFLA_ALLMULTI

static const uint8_t link_least[LINK_MAX + 1] = {
	[LX_IFLA_IFNAME] = 1,
	[LX_IFLA_MTU] = 4,
	[LX_IFLA_LINK] = 4,
	[LX_IFLA_MASTER] = 4,
	[LX_IFLA_TXQLEN] = 4,
	[LX_IFLA_NET_NS_PID] = 4,
	[LX_IFLA_NET_NS_FD] = 4,
	[LX_IFLA_EXT_MASK] = 4,
	[LX_IFLA_GROUP] = 4,
	[LX_IFLA_LINKMODE] = 1,
	[LX_IFLA_OPERSTATE] = 1,
	[LX_IFLA_CARRIER] = 1,
};

struct link_request {
	struct lx_ifinfomsg info;
	struct nl_attribute attributes[LINK_MAX + 1];
	char name[NETIF_NAME_SIZE]; /* "" when not given */
};

/* A string attribute, with or without its NUL. -ERANGE: too long. */
static int read_name(
	struct nl_request *request, const struct nl_attribute *attribute, char ret[NETIF_NAME_SIZE])
{
	size_t size;

	if (!attribute->data)
		return 0;
	size = strnlen((const char *)attribute->data, attribute->size);
	if (size >= NETIF_NAME_SIZE)
		return nl_complain_at(
			request, -ERANGE, "Attribute failed policy validation", attribute);
	memcpy(ret, attribute->data, size);
	ret[size] = '\0';
	return 0;
}

static int read_link(struct nl_request *request, struct link_request *ret)
{
	int err = nl_parse(request, sizeof(ret->info), ret->attributes, LINK_MAX, link_least);

	if (err < 0)
		return err;
	memcpy(&ret->info, request->body, sizeof(ret->info));
	ret->name[0] = '\0';
	err = read_name(request, &ret->attributes[LX_IFLA_IFNAME], ret->name);
	if (err == 0 && !ret->name[0])
		err = read_name(request, &ret->attributes[LX_IFLA_ALT_IFNAME], ret->name);
	return err;
}

static struct netif *find_link(struct nl_request *request, const struct link_request *link)
{
	const struct netstack *stack = route_stack(request);

	if (link->info.index > 0)
		return netif_by_index(stack, (unsigned)link->info.index);
	return link->name[0] ? netif_by_name(stack, link->name) : NULL;
}

static bool wants_statistics(const struct link_request *link)
{
	const struct nl_attribute *mask = &link->attributes[LX_IFLA_EXT_MASK];

	return !mask->data || !(nl_get_u32(mask) & LX_RTEXT_FILTER_SKIP_STATS);
}

/* @kind: what IFLA_LINKINFO asks for; "" when nothing. */
static int read_kind(struct nl_request *request, const struct link_request *link, char ret[32],
	struct nl_attribute *ret_data)
{
	const struct nl_attribute *info = &link->attributes[LX_IFLA_LINKINFO];
	struct nl_attribute parts[LX_IFLA_INFO_DATA + 1] = {0};
	size_t size;
	int err;

	ret[0] = '\0';
	*ret_data = (struct nl_attribute){0};
	if (!info->data)
		return 0;
	err = nl_parse_nested(request, info, parts, LX_IFLA_INFO_DATA, NULL);
	if (err < 0)
		return err;
	*ret_data = parts[LX_IFLA_INFO_DATA];
	if (!parts[LX_IFLA_INFO_KIND].data)
		return 0;
	size = strnlen((const char *)parts[LX_IFLA_INFO_KIND].data, parts[LX_IFLA_INFO_KIND].size);
	size = min_of(size, (size_t)31);
	memcpy(ret, parts[LX_IFLA_INFO_KIND].data, size);
	ret[size] = '\0';
	return 0;
}

struct link_filter {
	bool statistics, of_master;
	char kind[32];
};

static int fill_links(
	struct netlink_socket *socket, struct nl_dump *dump, struct nl_builder *builder)
{
	const struct netstack *stack = &netlink_net(socket)->stack;
	const struct netif *netif;
	struct link_filter filter;

	memcpy(&filter, dump->filter, sizeof(filter));
	list_for_each_entry (netif, &stack->netifs, link) {
		const char *kind = net_device_kind(netif);

		/* Indices grow, so one is a place in the list that lasts. */
		if (netif->index <= dump->at[0])
			continue;
		if (!filter.of_master &&
			(!filter.kind[0] || (kind && strcmp(kind, filter.kind) == 0)) &&
			route_put_link(builder, &dump->header, netif, filter.statistics) < 0)
			return 1;
		dump->at[0] = netif->index;
	}
	return 0;
}

static int dump_links(struct nl_request *request)
{
	struct nl_dump dump = {.fill = fill_links, .header.nlmsg_type = LX_RTM_NEWLINK};
	struct link_filter filter = {.statistics = true};
	struct link_request link = {0};
	struct nl_attribute data;
	int err = 0;

	/* Old programs send one byte, the family. */
	if (request->size >= sizeof(link.info)) {
		err = read_link(request, &link);
		err = err < 0 ? err : read_kind(request, &link, filter.kind, &data);
		if (err < 0)
			return nl_dump_fail(request, err, request->complaint);
		filter.statistics = wants_statistics(&link);
		filter.of_master = link.attributes[LX_IFLA_MASTER].data &&
				   nl_get_u32(&link.attributes[LX_IFLA_MASTER]) != 0;
	}
	if (request->body[0] == 7) /* AF_BRIDGE: no interface is a port of one */
		filter.of_master = true;
	dump.filtered = filter.kind[0] || filter.of_master;
	memcpy(dump.filter, &filter, sizeof(filter));
	_Static_assert(sizeof(filter) <= sizeof(dump.filter), "filters fit");
	return nl_dump_start(request, &dump);
}

static int get_link(struct nl_request *request)
{
	const struct lx_nlmsghdr header = nl_answer_header(request, LX_RTM_NEWLINK);
	_cleanup_free_ struct nl_builder *builder = NULL;
	struct link_request link;
	const struct netif *netif;
	int err = read_link(request, &link);

	if (err < 0)
		return err;
	if (link.info.index <= 0 && !link.name[0])
		return -EINVAL;
	netif = find_link(request, &link);
	if (!netif)
		return -ENODEV;
	builder = nl_builder_new(NL_BUILDER_SIZE);
	if (!builder)
		return -ENOMEM;
	err = route_put_link(builder, &header, netif, wants_statistics(&link));
	return err < 0 ? err : nl_answer(request, builder);
}

/* ---- other networks -------------------------------------------------------------------------- */

/* The network that IFLA_NET_NS_PID or IFLA_NET_NS_FD names, owned; NULL: none is named. The caller
 * needs its rights there, too (rtnl_link_get_net_capable()). */
static int read_network(
	struct nl_request *request, const struct nl_attribute *attributes, struct ns **ret)
{
	struct task *task = request->task;
	struct ns *ns = NULL;

	*ret = NULL;
	if (attributes[LX_IFLA_NET_NS_PID].data) {
		struct pid *pid = pid_find_in(
			task_pid_ns(task), (int)nl_get_u32(&attributes[LX_IFLA_NET_NS_PID]));
		struct task *other = pid ? pid_task(pid->numbers[0]) : NULL;

		if (!other || !other->nsproxy)
			return -ESRCH;
		ns = ns_ref(other->nsproxy->ns[NS_NET]);
	} else if (attributes[LX_IFLA_NET_NS_FD].data) {
		struct file *file =
			fd_get(task->files, (int)nl_get_u32(&attributes[LX_IFLA_NET_NS_FD]));
		struct ns *of_file = file ? nsfs_file_ns(file) : NULL;

		if (of_file && of_file->kind == NS_NET)
			ns = ns_ref(of_file);
		if (!file)
			return -EBADF;
		file_unref(file);
		if (!ns)
			return -EINVAL;
	} else {
		return 0;
	}
	if (!cred_ns_capable(task->cred, ns->user_ns, LX_CAP_NET_ADMIN)) {
		ns_unref(ns);
		return -EPERM;
	}
	*ret = ns;
	return 0;
}

static void cleanup_ns(struct ns **ns)
{
	ns_unref(*ns);
}

/* ---- making ---------------------------------------------------------------------------------- */

static int plan_of(struct nl_request *request, const struct lx_ifinfomsg *info,
	const struct nl_attribute *attributes, struct net_ns *net, struct net_device_plan *ret)
{
	const struct nl_attribute *hardware = &attributes[LX_IFLA_ADDRESS];
	int err;

	*ret = (struct net_device_plan){.net = net, .flags = info->flags & LX_IFF_UP};
	err = read_name(request, &attributes[LX_IFLA_IFNAME], ret->name);
	if (err < 0)
		return err;
	if (hardware->data) {
		if (hardware->size != sizeof(ret->hardware))
			return nl_complain_at(request, -EINVAL, "invalid address length", hardware);
		memcpy(ret->hardware, hardware->data, sizeof(ret->hardware));
		ret->has_hardware = true;
	}
	if (attributes[LX_IFLA_MTU].data)
		ret->mtu = nl_get_u32(&attributes[LX_IFLA_MTU]);
	if (info->index > 0)
		return nl_complain(
			request, -EOPNOTSUPP, "An interface's index cannot be chosen here");
	return 0;
}

static int choose_name(struct net_device_plan *plan, const char *kind)
{
	char pattern[NETIF_NAME_SIZE];

	memcpy(pattern, plan->name, sizeof(pattern));
	if (!pattern[0]) {
		strcpy(pattern, kind);
		strcat(pattern, "%d");
	}
	return net_device_choose_name(&plan->net->stack, pattern, plan->name);
}

static int make_veth(struct nl_request *request, const struct net_device_plan *first,
	const struct nl_attribute *data)
{
	struct net_ns *own = netlink_net(request->socket);
	struct nl_attribute parts[LX_VETH_INFO_PEER + 1] = {0};
	struct nl_attribute attributes[LINK_MAX + 1] = {0};
	_cleanup_(cleanup_ns) struct ns *elsewhere = NULL;
	struct net_device_plan plans[2] = {*first, {.net = own}};
	struct lx_ifinfomsg info = {0};
	struct netif *netif;
	int err = 0;

	if (data->data)
		err = nl_parse_nested(request, data, parts, LX_VETH_INFO_PEER, NULL);
	if (err == 0 && parts[LX_VETH_INFO_PEER].data) {
		struct nl_attribute rest = parts[LX_VETH_INFO_PEER];

		if (rest.size < sizeof(info))
			return -EINVAL;
		memcpy(&info, rest.data, sizeof(info));
		rest.data += sizeof(info);
		rest.size -= sizeof(info);
		err = nl_parse_nested(request, &rest, attributes, LINK_MAX, link_least);
		err = err < 0 ? err : read_network(request, attributes, &elsewhere);
		if (err == 0)
			err = plan_of(request, &info, attributes,
				elsewhere ? container_of(elsewhere, struct net_ns, ns) : own,
				&plans[1]);
	}
	err = err < 0 ? err : choose_name(&plans[1], "veth");
	if (err == 0 && plans[0].net == plans[1].net && !plans[0].name[0] == !plans[1].name[0] &&
		strcmp(plans[0].name, plans[1].name) == 0)
		err = -EEXIST;
	/* Two that are not named are not both the first free one. */
	if (err == 0 && netif_by_name(&plans[1].net->stack, plans[1].name))
		err = -EEXIST;
	err = err < 0 ? err : net_device_add_veth(plans, &netif);
	return err;
}

static int make_link(struct nl_request *request, const struct link_request *link)
{
	_cleanup_(cleanup_ns) struct ns *elsewhere = NULL;
	struct net_device_plan plan;
	struct nl_attribute data;
	struct netif *netif;
	char kind[32];
	int err = read_kind(request, link, kind, &data);

	if (err < 0)
		return err;
	if (strcmp(kind, "dummy") != 0 && strcmp(kind, "veth") != 0)
		return nl_complain(request, -EOPNOTSUPP, "Unknown device type");
	err = read_network(request, link->attributes, &elsewhere);
	if (err < 0)
		return err;
	err = plan_of(request, &link->info, link->attributes,
		elsewhere ? container_of(elsewhere, struct net_ns, ns)
			  : netlink_net(request->socket),
		&plan);
	err = err < 0 ? err : choose_name(&plan, kind);
	if (err < 0)
		return err;
	return kind[0] == 'v' ? make_veth(request, &plan, &data)
			      : net_device_add_dummy(&plan, &netif);
}

/* ---- changing -------------------------------------------------------------------------------- */

/* What an interface of ours does not have can be said to be as it is, no more. */
static int refuse_rest(struct nl_request *request, const struct nl_attribute *attributes)
{
	static const uint16_t refused[] = {
		LX_IFLA_CARRIER, LX_IFLA_XDP, LX_IFLA_MAP, LX_IFLA_OPERSTATE, LX_IFLA_PROTO_DOWN};

	for (size_t i = 0; i < array_size(refused); i++)
		if (attributes[refused[i]].data)
			return nl_complain_at(request, -EOPNOTSUPP,
				"Interfaces here do not have this", &attributes[refused[i]]);
	if (attributes[LX_IFLA_MASTER].data && nl_get_u32(&attributes[LX_IFLA_MASTER]) != 0)
		return nl_complain_at(request, -EOPNOTSUPP, "There are no bridges and bonds here",
			&attributes[LX_IFLA_MASTER]);
	if (attributes[LX_IFLA_TXQLEN].data &&
		nl_get_u32(&attributes[LX_IFLA_TXQLEN]) != TX_QUEUE_LENGTH)
		return nl_complain_at(request, -EOPNOTSUPP, "Interfaces here have no queue",
			&attributes[LX_IFLA_TXQLEN]);
	if (attributes[LX_IFLA_GROUP].data && nl_get_u32(&attributes[LX_IFLA_GROUP]) != 0)
		return nl_complain_at(request, -EOPNOTSUPP, "There are no groups of interfaces",
			&attributes[LX_IFLA_GROUP]);
	return 0;
}

/* do_setlink() */
static int change_link(
	struct nl_request *request, struct netif *netif, const struct link_request *link)
{
	const struct nl_attribute *attributes = link->attributes;
	_cleanup_(cleanup_ns) struct ns *elsewhere = NULL;
	int err = refuse_rest(request, attributes);

	err = err < 0 ? err : read_network(request, attributes, &elsewhere);
	if (err == 0 && elsewhere && elsewhere != request->socket->base.net)
		err = net_device_move(netif, container_of(elsewhere, struct net_ns, ns));
	if (err == 0 && attributes[LX_IFLA_ADDRESS].data)
		err = attributes[LX_IFLA_ADDRESS].size == 6
			      ? net_device_set_hardware(netif, attributes[LX_IFLA_ADDRESS].data)
			      : -EINVAL;
	if (err == 0 && attributes[LX_IFLA_MTU].data) {
		uint32_t mtu = nl_get_u32(&attributes[LX_IFLA_MTU]);

		err = net_device_set_mtu(netif, mtu);
		if (err == -EINVAL)
			nl_complain_at(request, err,
				mtu < net_device_mtu_min(netif) ? "mtu less than device minimum"
								: "mtu greater than device maximum",
				&attributes[LX_IFLA_MTU]);
	}
	if (err == 0 && link->info.index > 0 && link->name[0] &&
		strcmp(link->name, netif->name) != 0)
		err = net_device_set_name(netif, link->name);
	/* Without a mask all flags are meant (rtnl_dev_get_flags()). */
	if (err == 0 && (link->info.flags || link->info.change))
		err = net_device_set_flags(
			netif, link->info.flags, link->info.change ? link->info.change : ~0u);
	return err;
}

/* __rtnl_newlink() */
static int new_link(struct nl_request *request, struct link_request *link)
{
	struct netif *netif = find_link(request, link);
	uint16_t flags = request->header.nlmsg_flags;

	if (netif) {
		if (flags & LX_NLM_F_EXCL)
			return -EEXIST;
		if (flags & LX_NLM_F_REPLACE)
			return -EOPNOTSUPP;
		if (link->attributes[LX_IFLA_LINKINFO].data) {
			const char *is = net_device_kind(netif);
			struct nl_attribute data;
			char kind[32];
			int err = read_kind(request, link, kind, &data);

			if (err < 0 || (kind[0] && (!is || strcmp(kind, is) != 0)))
				return err < 0 ? err : -EOPNOTSUPP;
			if (data.data)
				return -EOPNOTSUPP;
		}
		return change_link(request, netif, link);
	}
	if (!(flags & LX_NLM_F_CREATE))
		return -ENODEV;
	return make_link(request, link);
}

static int delete_link(struct nl_request *request, const struct link_request *link)
{
	struct netif *netif = find_link(request, link);

	if (link->info.index <= 0 && !link->name[0])
		return -EINVAL;
	return netif ? net_device_remove(netif) : -ENODEV;
}

int route_link_request(struct nl_request *request)
{
	struct link_request link;
	struct netif *netif;
	int err;

	if (request->header.nlmsg_type == LX_RTM_GETLINK)
		return route_is_dump(request) ? dump_links(request) : get_link(request);
	err = read_link(request, &link);
	if (err < 0)
		return err;
	switch (request->header.nlmsg_type) {
	case LX_RTM_NEWLINK:
		return new_link(request, &link);
	case LX_RTM_DELLINK:
		return delete_link(request, &link);
	default:
		if (link.info.index <= 0 && !link.name[0])
			return -EINVAL;
		netif = find_link(request, &link);
		return netif ? change_link(request, netif, &link) : -ENODEV;
	}
}
