/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RTM_*ROUTE: routes (rtnetlink(7); kernel net/ipv4/fib_*.c, net/ipv6/route.c).
 *
 * The stack's routes are Linux's table "main". What Linux keeps in "local" follows from the
 * interfaces' addresses, and is made up for who looks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/socket/netlink_route.h"

#define METRIC_USER6   1024u /* IP6_RT_PRIO_USER */
#define RTCF_BROADCAST 0x10000000u
#define RTCF_MULTICAST 0x20000000u
#define RTCF_LOCAL     0x80000000u

static uint8_t table_of(const struct route *route)
{
	switch (route->type) {
	case LX_RTN_LOCAL:
	case LX_RTN_BROADCAST:
	case LX_RTN_ANYCAST:
	case LX_RTN_MULTICAST:
		return LX_RT_TABLE_LOCAL;
	default:
		return LX_RT_TABLE_MAIN;
	}
}

/* ---- showing --------------------------------------------------------------------------------- */

static void put_cache_info(struct nl_builder *builder, const struct route *route)
{
	uint32_t info[8] = {0}; /* struct rta_cacheinfo; [2] is when it expires, in hundredths */

	if (route->valid_until != INT64_MAX && route->valid_until != 0)
		info[2] =
			(uint32_t)((route->valid_until - (int64_t)loop_monotonic_now()) / 10000000);
	nl_attribute(builder, LX_RTA_CACHEINFO, info, sizeof(info));
}

static void put_metrics(struct nl_builder *builder, const struct route *route)
{
	size_t nest;

	if (!route->mtu)
		return;
	nest = nl_nest(builder, LX_RTA_METRICS);
	nl_u32(builder, LX_RTAX_MTU, route->mtu);
	nl_nest_end(builder, nest);
}

/* Over an interface without a carrier (fib_sync_down_dev()). */
static bool link_is_down(const struct route *route)
{
	return route->netif && route->type != LX_RTN_LOCAL && (route->netif->flags & NETIF_UP) &&
	       !(net_device_flags(route->netif) & LX_IFF_LOWER_UP);
}

int route_put_route(
	struct nl_builder *builder, const struct lx_nlmsghdr *header, const struct route *route)
{
	bool v4 = inet_is_v4(&route->destination);
	const struct lx_rtmsg fixed = {
		.family = route_family(&route->destination),
		.dst_len = route->prefix,
		.table = table_of(route),
		.protocol = route->protocol,
		.scope = v4 ? route->scope : 0,
		.type = route->type,
		.flags = link_is_down(route) ? LX_RTNH_F_LINKDOWN : 0,
	};
	size_t start = nl_begin(builder, header);

	nl_put(builder, &fixed, sizeof(fixed));
	nl_u32(builder, LX_RTA_TABLE, fixed.table);
	if (route->prefix)
		route_attribute_address(builder, LX_RTA_DST, &route->destination);
	if (route->metric || !v4)
		nl_u32(builder, LX_RTA_PRIORITY, route->metric);
	put_metrics(builder, route);
	if (!inet_is_any(&route->source))
		route_attribute_address(builder, LX_RTA_PREFSRC, &route->source);
	if (!inet_is_any(&route->gateway))
		route_attribute_address(builder, LX_RTA_GATEWAY, &route->gateway);
	if (route->netif)
		nl_u32(builder, LX_RTA_OIF, route->netif->index);
	if (!v4) {
		put_cache_info(builder, route);
		nl_u8(builder, LX_RTA_PREF, 0);
	}
	return nl_end(builder, start);
}

/* ---- all routes ------------------------------------------------------------------------------ */

struct route_list {
	struct route *routes;
	size_t count, capacity;
};

static void add(struct route_list *list, const struct route *route)
{
	if (list->count < list->capacity)
		list->routes[list->count++] = *route;
}

static struct route own_route(struct netif *netif, const struct inet_address *destination,
	uint8_t prefix, uint8_t type, uint8_t scope, const struct inet_address *source)
{
	return (struct route){
		.destination = *destination,
		.gateway = inet_is_v4(destination) ? inet_any4 : inet_any,
		.source = source ? *source : (inet_is_v4(destination) ? inet_any4 : inet_any),
		.prefix = prefix,
		.protocol = LX_RTPROT_KERNEL,
		.scope = scope,
		.type = type,
		.netif = netif,
		.valid_until = INT64_MAX,
	};
}

/* The first address of a secondary one's network. */
static const struct inet_address *primary_of(
	const struct netif *netif, const struct netif_address *address)
{
	const struct netif_address *other;

	list_for_each_entry (other, &netif->addresses, link) {
		if (!(other->flags & NETADDR_SECONDARY) && other->prefix == address->prefix &&
			inet_is_v4(&other->address) &&
			inet_in_network(&address->address, &other->address, other->prefix))
			return &other->address;
	}
	return &address->address;
}

/* fib_add_ifaddr() */
static void add_own4(
	struct route_list *list, struct netif *netif, const struct netif_address *address)
{
	const struct inet_address *own = &address->address;
	struct inet_address first = inet_network_first(own, address->prefix);
	struct inet_address last = inet_network_last(own, address->prefix);
	bool network = !(address->flags & NETADDR_SECONDARY) && inet_is_any(&address->peer) &&
		       address->prefix < 32;
	bool given = !inet_is_any(&address->broadcast) &&
		     !inet_equal(&address->broadcast, &inet_broadcast4);
	struct route route = own_route(
		netif, own, 32, LX_RTN_LOCAL, LX_RT_SCOPE_HOST, primary_of(netif, address));

	add(list, &route);
	if (given) {
		route = own_route(
			netif, &address->broadcast, 32, LX_RTN_BROADCAST, LX_RT_SCOPE_LINK, own);
		add(list, &route);
	}
	if (!network)
		return;
	if (netif->type == NETIF_LOOPBACK) {
		route = own_route(
			netif, &first, address->prefix, LX_RTN_LOCAL, LX_RT_SCOPE_HOST, own);
		add(list, &route);
	}
	if (address->prefix < 31 && !(given && inet_equal(&address->broadcast, &last))) {
		route = own_route(netif, &last, 32, LX_RTN_BROADCAST, LX_RT_SCOPE_LINK, own);
		add(list, &route);
	}
}

static void add_own(struct route_list *list, struct netif *netif)
{
	static const struct inet_address multicast = {{0xff}};
	const struct netif_address *address;
	struct route route;

	if (!(netif->flags & NETIF_UP))
		return;
	list_for_each_entry (address, &netif->addresses, link) {
		if (inet_is_v4(&address->address)) {
			add_own4(list, netif, address);
			continue;
		}
		if (address->flags & NETADDR_TENTATIVE)
			continue;
		route = own_route(netif, &address->address, 128, LX_RTN_LOCAL, 0, NULL);
		add(list, &route);
	}
	if (netif->type != NETIF_LOOPBACK) {
		route = own_route(netif, &multicast, 8, LX_RTN_MULTICAST, 0, NULL);
		route.metric = 256;
		add(list, &route);
	}
}

/* IPv4 before IPv6; then "main" before "local"; then as the tables are walked: IPv4's trie by
 * address, IPv6's tree with what is below a network before it. */
static int compare(const void *left, const void *right)
{
	const struct route *a = left, *b = right;
	bool v4 = inet_is_v4(&a->destination);
	int by_address;

	if (v4 != inet_is_v4(&b->destination))
		return v4 ? -1 : 1;
	if (table_of(a) != table_of(b))
		return table_of(a) < table_of(b) ? -1 : 1;
	by_address = memcmp(&a->destination, &b->destination, sizeof(a->destination));
	if (!v4 && a->prefix != b->prefix &&
		inet_in_network(&a->destination, &b->destination, min_of(a->prefix, b->prefix)))
		return a->prefix > b->prefix ? -1 : 1;
	if (by_address)
		return by_address;
	if (a->prefix != b->prefix)
		return a->prefix > b->prefix ? -1 : 1;
	return a->metric < b->metric ? -1 : a->metric > b->metric;
}

int route_collect(struct netstack *stack, struct route **ret, size_t *ret_count)
{
	struct route_list list = {.capacity = stack->route_count};
	const struct netif_address *address;
	const struct route *route;
	struct netif *netif;

	list_for_each_entry (netif, &stack->netifs, link) {
		list.capacity += 1;
		list_for_each_entry (address, &netif->addresses, link)
			list.capacity += 4;
	}
	list.routes = calloc(list.capacity, sizeof(*list.routes));
	if (!list.routes)
		return -ENOMEM;
	list_for_each_entry (route, &stack->routes, link)
		add(&list, route);
	list_for_each_entry (netif, &stack->netifs, link)
		add_own(&list, netif);
	qsort(list.routes, list.count, sizeof(*list.routes), compare);
	*ret = list.routes;
	*ret_count = list.count;
	return 0;
}

/* ---- dumps ----------------------------------------------------------------------------------- */

struct route_filter {
	uint32_t table;
	uint8_t protocol, type;
};

static bool passes(
	const struct route *route, const struct nl_dump *dump, const struct route_filter *filter)
{
	return (!dump->family || dump->family == route_family(&route->destination)) &&
	       (!dump->index || (route->netif && route->netif->index == dump->index)) &&
	       (!filter->table || filter->table == table_of(route)) &&
	       (!filter->protocol || filter->protocol == route->protocol) &&
	       (!filter->type || filter->type == route->type);
}

static int fill_routes(
	struct netlink_socket *socket, struct nl_dump *dump, struct nl_builder *builder)
{
	_cleanup_free_ struct route *routes = NULL;
	struct route_filter filter;
	size_t count;
	int err = route_collect(&netlink_net(socket)->stack, &routes, &count);

	if (err < 0)
		return err;
	memcpy(&filter, dump->filter, sizeof(filter));
	for (; dump->at[0] < count; dump->at[0]++) {
		if (passes(&routes[dump->at[0]], dump, &filter) &&
			route_put_route(builder, &dump->header, &routes[dump->at[0]]) < 0)
			return 1;
	}
	return 0;
}

static int nothing(struct netlink_socket *socket, struct nl_dump *dump, struct nl_builder *builder)
{
	return 0;
}

static const uint8_t route_least[LX_RTA_NH_ID + 1] = {
	[LX_RTA_IIF] = 4,
	[LX_RTA_OIF] = 4,
	[LX_RTA_PRIORITY] = 4,
	[LX_RTA_TABLE] = 4,
	[LX_RTA_NH_ID] = 4,
	[LX_RTA_PREF] = 1,
};

static bool is_table(uint32_t table)
{
	return table == 0 || (table >= LX_RT_TABLE_DEFAULT && table <= LX_RT_TABLE_LOCAL);
}

/* ip_valid_fib_dump_req() */
static int dump_routes(struct nl_request *request)
{
	struct nl_dump dump = {.fill = fill_routes, .header.nlmsg_type = LX_RTM_NEWROUTE};
	struct nl_attribute attributes[LX_RTA_NH_ID + 1];
	struct lx_rtmsg fixed = {.family = request->body[0]};
	struct route_filter filter = {0};
	int err;

	if (request->size >= sizeof(fixed)) {
		err = nl_parse(request, sizeof(fixed), attributes, LX_RTA_NH_ID, route_least);
		if (err < 0)
			return nl_dump_fail(request, err, request->complaint);
		memcpy(&fixed, request->body, sizeof(fixed));
		/* What was learnt by sending is not kept as routes. */
		if (fixed.flags & LX_RTM_F_CLONED)
			dump.fill = nothing;
	}
	if (request->socket->strict && request->size < sizeof(fixed))
		return nl_dump_fail(request, -EINVAL, "Invalid header for FIB dump request");
	if (request->socket->strict) {
		filter = (struct route_filter){fixed.table, fixed.protocol, fixed.type};
		if (attributes[LX_RTA_TABLE].data)
			filter.table = nl_get_u32(&attributes[LX_RTA_TABLE]);
		if (attributes[LX_RTA_OIF].data) {
			dump.index = nl_get_u32(&attributes[LX_RTA_OIF]);
			if (!netif_by_index(route_stack(request), dump.index))
				return nl_dump_fail(request, -ENODEV, NULL);
		}
		dump.filtered = filter.table || filter.protocol || filter.type || dump.index;
		if (!is_table(filter.table)) {
			if (fixed.family)
				return nl_dump_fail(request, -ENOENT,
					fixed.family == LX_AF_INET
						? "ipv4: FIB table does not exist"
						: "FIB table does not exist");
			dump.fill = nothing;
		}
	}
	if (fixed.family == LX_AF_INET || fixed.family == LX_AF_INET6)
		dump.family = fixed.family;
	else if (fixed.family != LX_AF_UNSPEC)
		dump.fill = nothing; /* AF_MPLS and relatives */
	memcpy(dump.filter, &filter, sizeof(filter));
	return nl_dump_start(request, &dump);
}

/* ---- one ------------------------------------------------------------------------------------- */

/* Where a packet would go: what `ip route get` asks. */
static int put_result(struct nl_builder *builder, const struct nl_request *request,
	const struct inet_address *to, const struct route_result *result)
{
	const struct lx_nlmsghdr header = nl_answer_header(request, LX_RTM_NEWROUTE);
	bool v4 = inet_is_v4(to);
	const struct lx_rtmsg fixed = {
		.family = route_family(to),
		.dst_len = v4 ? 32 : 128,
		.src_len = v4 ? 0 : 128,
		.table = result->local && !v4 ? LX_RT_TABLE_LOCAL : LX_RT_TABLE_MAIN,
		.protocol = v4 ? 0 : LX_RTPROT_KERNEL,
		.type = result->local	    ? LX_RTN_LOCAL
			: result->broadcast ? LX_RTN_BROADCAST
			: result->multicast ? LX_RTN_MULTICAST
					    : LX_RTN_UNICAST,
		.flags = (v4 ? LX_RTM_F_CLONED : 0) | (v4 && result->local ? RTCF_LOCAL : 0) |
			 (v4 && result->broadcast ? RTCF_BROADCAST | RTCF_LOCAL : 0) |
			 (v4 && result->multicast ? RTCF_MULTICAST : 0),
	};
	size_t start = nl_begin(builder, &header);

	nl_put(builder, &fixed, sizeof(fixed));
	nl_u32(builder, LX_RTA_TABLE, fixed.table);
	route_attribute_address(builder, LX_RTA_DST, to);
	if (!v4)
		route_attribute_address(builder, LX_RTA_SRC, &inet_any);
	nl_u32(builder, LX_RTA_OIF, result->netif->index);
	if (!inet_is_any(&result->source))
		route_attribute_address(builder, LX_RTA_PREFSRC, &result->source);
	if (!inet_equal(&result->next_hop, to))
		route_attribute_address(builder, LX_RTA_GATEWAY, &result->next_hop);
	if (!v4)
		nl_u32(builder, LX_RTA_PRIORITY, result->local ? 0 : METRIC_USER6);
	if (v4) {
		nl_u32(builder, LX_RTA_UID, uid_here(request->task->cred->euid));
		put_cache_info(builder, &(struct route){0});
	} else {
		put_cache_info(builder, &(struct route){0});
		nl_u8(builder, LX_RTA_PREF, 0);
	}
	return nl_end(builder, start);
}

static int get_route(struct nl_request *request)
{
	struct nl_attribute attributes[LX_RTA_NH_ID + 1];
	_cleanup_free_ struct nl_builder *builder = NULL;
	const struct netif *bound = NULL;
	struct inet_address to;
	struct route_result result;
	struct lx_rtmsg fixed;
	int err = nl_parse(request, sizeof(fixed), attributes, LX_RTA_NH_ID, route_least);

	if (err < 0)
		return err;
	memcpy(&fixed, request->body, sizeof(fixed));
	if (fixed.family != LX_AF_INET && fixed.family != LX_AF_INET6)
		return -EOPNOTSUPP;
	if (attributes[LX_RTA_IIF].data)
		return nl_complain_at(
			request, -EOPNOTSUPP, "Nothing is forwarded here", &attributes[LX_RTA_IIF]);
	to = fixed.family == LX_AF_INET ? inet_any4 : inet_any;
	if (attributes[LX_RTA_DST].data)
		err = route_read_address(&attributes[LX_RTA_DST], fixed.family, &to);
	if (err < 0)
		return err;
	if (inet_is_any(&to))
		to = fixed.family == LX_AF_INET ? inet_loopback4 : inet_loopback;
	if (attributes[LX_RTA_OIF].data) {
		bound = netif_by_index(route_stack(request), nl_get_u32(&attributes[LX_RTA_OIF]));
		if (!bound)
			return -ENODEV;
	}
	err = route_lookup(route_stack(request), &to, bound, &result);
	if (err < 0)
		return err;
	builder = nl_builder_new(NL_BUILDER_SIZE);
	if (!builder)
		return -ENOMEM;
	err = put_result(builder, request, &to, &result);
	return err < 0 ? err : nl_answer(request, builder);
}

/* ---- changing -------------------------------------------------------------------------------- */

struct route_request {
	struct route route;
	bool has_protocol, has_scope, has_type;
};

static int read_metrics(
	struct nl_request *request, const struct nl_attribute *nest, struct route *route)
{
	static const uint8_t least[LX_RTAX_MTU + 1] = {[LX_RTAX_MTU] = 4};
	struct nl_attribute metrics[LX_RTAX_MTU + 1];
	int err;

	if (!nest->data)
		return 0;
	err = nl_parse_nested(request, nest, metrics, LX_RTAX_MTU, least);
	if (err == 0 && metrics[LX_RTAX_MTU].data)
		route->mtu = min_of(nl_get_u32(&metrics[LX_RTAX_MTU]), 65535u);
	return err;
}

static int refuse(struct nl_request *request, const struct lx_rtmsg *fixed,
	const struct nl_attribute *attributes)
{
	uint32_t table = attributes[LX_RTA_TABLE].data ? nl_get_u32(&attributes[LX_RTA_TABLE])
						       : fixed->table;

	if (fixed->tos || fixed->src_len || attributes[LX_RTA_SRC].data)
		return nl_complain(request, -EOPNOTSUPP,
			"Routes by source and by type of service are not supported");
	if (attributes[LX_RTA_MULTIPATH].data || attributes[LX_RTA_NH_ID].data ||
		attributes[LX_RTA_VIA].data)
		return nl_complain(request, -EOPNOTSUPP,
			"Routes with several next hops or those of another family are not "
			"supported");
	if (table != LX_RT_TABLE_MAIN && table != 0)
		return nl_complain(
			request, -EOPNOTSUPP, "Only the table \"main\" can be changed here");
	return 0;
}

/* rtm_to_fib_config(), rtm_to_fib6_config() */
static int read_route(struct nl_request *request, struct route_request *ret)
{
	struct nl_attribute attributes[LX_RTA_NH_ID + 1];
	struct route *route = &ret->route;
	struct lx_rtmsg fixed;
	bool v4;
	int err = nl_parse(request, sizeof(fixed), attributes, LX_RTA_NH_ID, route_least);

	if (err < 0)
		return err;
	memcpy(&fixed, request->body, sizeof(fixed));
	v4 = fixed.family == LX_AF_INET;
	if (!v4 && fixed.family != LX_AF_INET6)
		return -EOPNOTSUPP;
	if (fixed.dst_len > (v4 ? 32 : 128))
		return nl_complain(request, -EINVAL, "Invalid prefix length");
	if (fixed.type > LX_RTN_MAX)
		return nl_complain(request, -EINVAL, "Invalid route type");
	err = refuse(request, &fixed, attributes);
	if (err < 0)
		return err;
	*ret = (struct route_request){
		.route = {.destination = v4 ? inet_any4 : inet_any,
			.gateway = v4 ? inet_any4 : inet_any,
			.source = v4 ? inet_any4 : inet_any,
			.prefix = fixed.dst_len,
			.protocol = fixed.protocol,
			.scope = fixed.scope,
			.type = fixed.type,
			.valid_until = INT64_MAX},
		.has_protocol = fixed.protocol != 0,
		.has_scope = v4 && fixed.scope != LX_RT_SCOPE_NOWHERE,
		.has_type = fixed.type != LX_RTN_UNSPEC,
	};
	if (attributes[LX_RTA_DST].data)
		err = route_read_address(
			&attributes[LX_RTA_DST], fixed.family, &route->destination);
	if (err == 0 && attributes[LX_RTA_GATEWAY].data)
		err = route_read_address(
			&attributes[LX_RTA_GATEWAY], fixed.family, &route->gateway);
	if (err == 0 && attributes[LX_RTA_PREFSRC].data)
		err = route_read_address(&attributes[LX_RTA_PREFSRC], fixed.family, &route->source);
	if (err < 0)
		return err;
	if (attributes[LX_RTA_PRIORITY].data)
		route->metric = nl_get_u32(&attributes[LX_RTA_PRIORITY]);
	if (attributes[LX_RTA_OIF].data) {
		route->netif =
			netif_by_index(route_stack(request), nl_get_u32(&attributes[LX_RTA_OIF]));
		if (!route->netif)
			return -ENODEV;
	}
	return read_metrics(request, &attributes[LX_RTA_METRICS], route);
}

static const struct route *find_equal(const struct netstack *stack, const struct route *route)
{
	const struct route *other;

	list_for_each_entry (other, &stack->routes, link) {
		if (other->prefix == route->prefix && other->metric == route->metric &&
			inet_equal(&other->destination, &route->destination))
			return other;
	}
	return NULL;
}

/* The interface behind a gateway, and whether what is given goes together (fib_check_nh()). */
static int complete(struct nl_request *request, struct route *route)
{
	struct netstack *stack = route_stack(request);
	bool v4 = inet_is_v4(&route->destination);
	struct route_result result;

	if (route->type == LX_RTN_UNSPEC)
		route->type = LX_RTN_UNICAST;
	if (!v4 && !route->metric)
		route->metric = METRIC_USER6;
	switch (route->type) {
	case LX_RTN_BLACKHOLE:
	case LX_RTN_UNREACHABLE:
	case LX_RTN_PROHIBIT:
		if (!v4)
			route->netif = &stack->loopback;
		else if (route->netif || !inet_is_any(&route->gateway))
			return nl_complain(request, -EINVAL,
				"Routes with device or gateway can not be specified for this type");
		return 0;
	case LX_RTN_UNICAST:
		break;
	default:
		return nl_complain(
			request, -EOPNOTSUPP, "Routes of this type follow from addresses here");
	}
	if (!inet_is_any(&route->source) && !netstack_is_local(stack, &route->source))
		return nl_complain(request, -EINVAL,
			v4 ? "Invalid prefsrc address" : "Invalid source address");
	if (!route->netif && inet_is_any(&route->gateway))
		return v4 ? nl_complain(request, -ENODEV, "No nexthop device given") : -ENODEV;
	if (!inet_is_any(&route->gateway)) {
		if (v4 && route->scope >= LX_RT_SCOPE_LINK)
			return nl_complain(request, -EINVAL, "Nexthop has invalid scope");
		if (!route->netif) {
			if (route_lookup(stack, &route->gateway, NULL, &result) < 0)
				return nl_complain(request, v4 ? -ENETUNREACH : -EHOSTUNREACH,
					"Nexthop has invalid gateway");
			if (result.local)
				return nl_complain(request, -EINVAL, "Nexthop has invalid gateway");
			route->netif = result.netif;
		}
	}
	return 0;
}

static int new_route(struct nl_request *request, struct route *route)
{
	struct netstack *stack = route_stack(request);
	uint16_t flags = request->header.nlmsg_flags;
	const struct route *other;
	int err = complete(request, route);

	if (err < 0)
		return err;
	if (inet_is_v4(&route->destination)) {
		const struct inet_address first =
			inet_network_first(&route->destination, route->prefix);

		if (!inet_equal(&first, &route->destination))
			return nl_complain(
				request, -EINVAL, "Invalid prefix for given prefix length");
	} else {
		route->destination = inet_network_first(&route->destination, route->prefix);
	}
	other = find_equal(stack, route);
	if (other) {
		if (flags & LX_NLM_F_EXCL)
			return -EEXIST;
		if (flags & LX_NLM_F_REPLACE) {
			struct route old = *other;

			if (old.type != route->type && !old.netif)
				old.netif = NULL;
			(void)route_remove(stack, &old);
		}
	} else if (!(flags & LX_NLM_F_CREATE)) {
		return -ENOENT;
	}
	err = route_add(stack, route);
	if (err == -ENETUNREACH || err == -EHOSTUNREACH)
		nl_complain(request, err, "Nexthop has invalid gateway");
	else if (err == -ENETDOWN)
		nl_complain(request, err,
			inet_is_any(&route->gateway) ? "Device for nexthop is not up"
						     : "Nexthop device is not up");
	return err;
}

/* fib_table_delete() */
static int delete_route(struct nl_request *request, const struct route_request *wanted)
{
	struct netstack *stack = route_stack(request);
	const struct route *route;

	list_for_each_entry (route, &stack->routes, link) {
		const struct route *want = &wanted->route;

		if (route->prefix != want->prefix ||
			!inet_equal(&route->destination, &want->destination) ||
			(want->metric && route->metric != want->metric) ||
			(want->netif && route->netif != want->netif) ||
			(!inet_is_any(&want->gateway) &&
				!inet_equal(&route->gateway, &want->gateway)) ||
			(!inet_is_any(&want->source) &&
				!inet_equal(&route->source, &want->source)) ||
			(wanted->has_protocol && route->protocol != want->protocol) ||
			(wanted->has_scope && route->scope != want->scope) ||
			(wanted->has_type && route->type != want->type))
			continue;
		{
			struct route found = *route;

			return route_remove(stack, &found);
		}
	}
	return -ESRCH;
}

int route_route_request(struct nl_request *request)
{
	struct route_request wanted;
	int err;

	switch (request->header.nlmsg_type) {
	case LX_RTM_GETROUTE:
		return route_is_dump(request) ? dump_routes(request) : get_route(request);
	case LX_RTM_NEWROUTE:
		err = read_route(request, &wanted);
		return err < 0 ? err : new_route(request, &wanted.route);
	case LX_RTM_DELROUTE:
		err = read_route(request, &wanted);
		return err < 0 ? err : delete_route(request, &wanted);
	default:
		return -EOPNOTSUPP;
	}
}
