/* SPDX-License-Identifier: Apache-2.0 */
/* RTM_*ADDR: the addresses of interfaces (rtnetlink(7); kernel net/ipv4/devinet.c,
 * net/ipv6/addrconf.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/socket/netlink_route.h"

#define SECOND	INT64_C(1000000000)
#define FOREVER UINT32_MAX

/* ---- showing --------------------------------------------------------------------------------- */

static uint32_t seconds_left(int64_t until)
{
	int64_t left;

	if (until == INT64_MAX)
		return FOREVER;
	left = until - (int64_t)loop_monotonic_now();
	return left > 0 ? (uint32_t)min_of(left / SECOND, (int64_t)FOREVER - 1) : 0;
}

int route_put_address(struct nl_builder *builder, const struct lx_nlmsghdr *header,
	const struct netif *netif, const struct netif_address *address)
{
	bool v4 = inet_is_v4(&address->address), peer = !inet_is_any(&address->peer);
	const struct lx_ifaddrmsg fixed = {
		.family = route_family(&address->address),
		.prefix = address->prefix,
		.flags = address->flags,
		.scope = address->scope,
		.index = netif->index,
	};
	const struct lx_cacheinfo lifetime = {
		seconds_left(address->preferred_until), seconds_left(address->valid_until), 0, 0};
	size_t start = nl_begin(builder, header);

	nl_put(builder, &fixed, sizeof(fixed));
	if (v4) {
		route_attribute_address(
			builder, LX_IFA_ADDRESS, peer ? &address->peer : &address->address);
		route_attribute_address(builder, LX_IFA_LOCAL, &address->address);
		if (!inet_is_any(&address->broadcast))
			route_attribute_address(builder, LX_IFA_BROADCAST, &address->broadcast);
		if (address->label[0])
			nl_string(builder, LX_IFA_LABEL, address->label);
	} else if (peer) {
		route_attribute_address(builder, LX_IFA_LOCAL, &address->address);
		route_attribute_address(builder, LX_IFA_ADDRESS, &address->peer);
	} else {
		route_attribute_address(builder, LX_IFA_ADDRESS, &address->address);
	}
	nl_u32(builder, LX_IFA_FLAGS, address->flags);
	nl_attribute(builder, LX_IFA_CACHEINFO, &lifetime, sizeof(lifetime));
	return nl_end(builder, start);
}

/* First all of IPv4, then IPv6, each by interface: at[0] is the family's turn, at[1] the interface,
 * at[2] the place among its addresses. */
static int fill_addresses(
	struct netlink_socket *socket, struct nl_dump *dump, struct nl_builder *builder)
{
	static const uint8_t families[] = {LX_AF_INET, LX_AF_INET6};
	const struct netstack *stack = &netlink_net(socket)->stack;
	const struct netif_address *address;
	const struct netif *netif;

	for (; dump->at[0] < array_size(families); dump->at[0]++, dump->at[1] = 0) {
		uint8_t family = families[dump->at[0]];

		if (dump->family && dump->family != family)
			continue;
		list_for_each_entry (netif, &stack->netifs, link) {
			size_t place = 0;

			if (netif->index < dump->at[1] ||
				(dump->index && netif->index != dump->index))
				continue;
			if (netif->index > dump->at[1])
				dump->at[2] = 0;
			dump->at[1] = netif->index;
			list_for_each_entry (address, &netif->addresses, link) {
				if (place++ < dump->at[2])
					continue;
				if (route_family(&address->address) == family &&
					route_put_address(builder, &dump->header, netif, address) <
						0)
					return 1;
				dump->at[2] = place;
			}
		}
	}
	return 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

static const uint8_t address_least[LX_IFA_FLAGS + 1] = {
	[LX_IFA_CACHEINFO] = sizeof(struct lx_cacheinfo),
	[LX_IFA_FLAGS] = 4,
};

static int dump_addresses(struct nl_request *request)
{
	struct nl_dump dump = {.fill = fill_addresses, .header.nlmsg_type = LX_RTM_NEWADDR};
	struct lx_ifaddrmsg fixed = {.family = request->body[0]};

	if (request->size >= sizeof(fixed))
		memcpy(&fixed, request->body, sizeof(fixed));
	else if (request->socket->strict)
		return nl_dump_fail(request, -EINVAL, "Invalid header for address dump request");
	if (request->socket->strict) {
		if (fixed.prefix || fixed.flags || fixed.scope)
			return nl_dump_fail(request, -EINVAL,
				"Invalid values in header for address dump request");
		dump.index = fixed.index;
		dump.filtered = fixed.index != 0;
		if (fixed.index && !netif_by_index(route_stack(request), fixed.index))
			return nl_dump_fail(request, -ENODEV, NULL);
	}
	if (fixed.family == LX_AF_INET || fixed.family == LX_AF_INET6)
		dump.family = fixed.family;
	return nl_dump_start(request, &dump);
}

/* inet6_rtm_getaddr(); IPv4 has no such thing. */
static int get_address(struct nl_request *request)
{
	const struct lx_nlmsghdr header = nl_answer_header(request, LX_RTM_NEWADDR);
	struct nl_attribute attributes[LX_IFA_FLAGS + 1];
	_cleanup_free_ struct nl_builder *builder = NULL;
	const struct netif_address *address;
	const struct netif *netif;
	struct lx_ifaddrmsg fixed;
	struct inet_address wanted;
	int err = nl_parse(request, sizeof(fixed), attributes, LX_IFA_FLAGS, address_least);

	if (err < 0 || request->body[0] != LX_AF_INET6)
		return err < 0 ? err : -EOPNOTSUPP;
	memcpy(&fixed, request->body, sizeof(fixed));
	if (!attributes[LX_IFA_ADDRESS].data ||
		route_read_address(&attributes[LX_IFA_ADDRESS], LX_AF_INET6, &wanted) < 0)
		return -EINVAL;
	list_for_each_entry (netif, &route_stack(request)->netifs, link) {
		list_for_each_entry (address, &netif->addresses, link) {
			if (!inet_equal(&address->address, &wanted) ||
				(fixed.index && fixed.index != netif->index))
				continue;
			builder = nl_builder_new(NL_BUILDER_SIZE);
			if (!builder)
				return -ENOMEM;
			err = route_put_address(builder, &header, netif, address);
			return err < 0 ? err : nl_answer(request, builder);
		}
	}
	return -EADDRNOTAVAIL;
}

struct address_request {
	struct lx_ifaddrmsg fixed;
	struct nl_attribute attributes[LX_IFA_FLAGS + 1];
	struct inet_address local, address; /* inet_any*: not given */
};

static int read_request(struct nl_request *request, struct address_request *ret)
{
	int err =
		nl_parse(request, sizeof(ret->fixed), ret->attributes, LX_IFA_FLAGS, address_least);
	bool v4;

	if (err < 0)
		return err;
	memcpy(&ret->fixed, request->body, sizeof(ret->fixed));
	v4 = ret->fixed.family == LX_AF_INET;
	if (!v4 && ret->fixed.family != LX_AF_INET6)
		return -EOPNOTSUPP;
	ret->local = ret->address = v4 ? inet_any4 : inet_any;
	if (ret->attributes[LX_IFA_LOCAL].data)
		err = route_read_address(
			&ret->attributes[LX_IFA_LOCAL], ret->fixed.family, &ret->local);
	if (err == 0 && ret->attributes[LX_IFA_ADDRESS].data)
		err = route_read_address(
			&ret->attributes[LX_IFA_ADDRESS], ret->fixed.family, &ret->address);
	return err;
}

/* RT_SCOPE_* of an IPv6 address (rt_scope()). */
static uint8_t scope6(const struct inet_address *address)
{
	if (inet_is_loopback(address))
		return NETSCOPE_HOST;
	if (inet_is_link_local(address))
		return NETSCOPE_LINK;
	return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0xc0 ? NETSCOPE_SITE
									       : NETSCOPE_GLOBAL;
}

/* An IPv4 address in a network that the interface is in already. */
static bool is_secondary(const struct netif *netif, const struct netif_address *address)
{
	const struct netif_address *other;

	list_for_each_entry (other, &netif->addresses, link) {
		if (inet_is_v4(&other->address) && other->prefix == address->prefix &&
			inet_is_any(&other->peer) && inet_is_any(&address->peer) &&
			inet_in_network(&address->address, &other->address, other->prefix))
			return true;
	}
	return false;
}

static int read_lifetime(struct nl_request *request, const struct nl_attribute *attribute,
	struct netif_address *address)
{
	struct lx_cacheinfo lifetime;
	int64_t now = (int64_t)loop_monotonic_now();

	address->preferred_until = address->valid_until = INT64_MAX;
	if (!attribute->data)
		return 0;
	memcpy(&lifetime, attribute->data, sizeof(lifetime));
	if (lifetime.valid == 0 || lifetime.preferred > lifetime.valid)
		return nl_complain_at(
			request, -EINVAL, "ipv6: address lifetime invalid", attribute);
	if (lifetime.valid != FOREVER)
		address->valid_until = now + lifetime.valid * SECOND;
	if (lifetime.preferred != FOREVER)
		address->preferred_until = now + lifetime.preferred * SECOND;
	return 0;
}

static int fill_in(struct nl_request *request, const struct address_request *wanted,
	const struct netif *netif, struct netif_address *ret)
{
	const struct nl_attribute *label = &wanted->attributes[LX_IFA_LABEL];
	bool v4 = wanted->fixed.family == LX_AF_INET;
	const struct inet_address *address = &wanted->address, *local = &wanted->local;
	uint32_t flags = wanted->fixed.flags;
	size_t size;
	int err;

	if (inet_is_any(local))
		local = address;
	*ret = (struct netif_address){
		.address = *local,
		.peer = v4 ? inet_any4 : inet_any,
		.broadcast = v4 ? inet_any4 : inet_any,
		.prefix = wanted->fixed.prefix,
		.scope = v4 ? wanted->fixed.scope : scope6(local),
	};
	if (!inet_is_any(address) && !inet_equal(address, local))
		ret->peer = *address;
	if (wanted->attributes[LX_IFA_FLAGS].data)
		flags = nl_get_u32(&wanted->attributes[LX_IFA_FLAGS]);
	err = read_lifetime(request, &wanted->attributes[LX_IFA_CACHEINFO], ret);
	if (err < 0)
		return err;
	if (flags & LX_IFA_F_NOPREFIXROUTE)
		return nl_complain(request, -EOPNOTSUPP,
			"Addresses without a route to their network are not supported");
	ret->flags = (uint8_t)(flags & NETADDR_NO_DAD);
	if (ret->valid_until == INT64_MAX)
		ret->flags |= NETADDR_PERMANENT;
	if (v4 && wanted->attributes[LX_IFA_BROADCAST].data)
		err = route_read_address(
			&wanted->attributes[LX_IFA_BROADCAST], LX_AF_INET, &ret->broadcast);
	memcpy(ret->label, netif->name, sizeof(ret->label));
	if (label->data) {
		size = strnlen((const char *)label->data, label->size);
		if (size >= sizeof(ret->label))
			return -ERANGE;
		memset(ret->label, 0, sizeof(ret->label));
		memcpy(ret->label, label->data, size);
	}
	if (v4 && is_secondary(netif, ret))
		ret->flags |= NETADDR_SECONDARY;
	return err;
}

static struct netif_address *find(
	const struct netif *netif, const struct inet_address *address, uint8_t prefix)
{
	struct netif_address *own;

	list_for_each_entry (own, &netif->addresses, link) {
		if (inet_equal(&own->address, address) &&
			(!inet_is_v4(address) || own->prefix == prefix))
			return own;
	}
	return NULL;
}

static int new_address(struct nl_request *request, const struct address_request *wanted)
{
	bool v4 = wanted->fixed.family == LX_AF_INET;
	struct netif *netif = netif_by_index(route_stack(request), wanted->fixed.index);
	struct netif_address address, *own;
	uint16_t flags = request->header.nlmsg_flags;
	int err;

	if (wanted->fixed.prefix > (v4 ? 32 : 128))
		return nl_complain(request, -EINVAL,
			v4 ? "ipv4: Invalid prefix length" : "ipv6: Invalid prefix length");
	if (v4 && inet_is_any(&wanted->local))
		return nl_complain(request, -EINVAL, "ipv4: Local address is not supplied");
	if (inet_is_any(&wanted->local) && inet_is_any(&wanted->address))
		return -EINVAL;
	if (!netif)
		return nl_complain(request, -ENODEV,
			v4 ? "ipv4: Device not found" : "ipv6: Unable to find the interface");
	err = fill_in(request, wanted, netif, &address);
	if (err < 0)
		return err;
	own = find(netif, &address.address, address.prefix);
	if (own && ((flags & LX_NLM_F_EXCL) || !(flags & LX_NLM_F_REPLACE)))
		return nl_complain(request, -EEXIST,
			v4 ? "ipv4: Address already assigned" : "ipv6: address already assigned");
	if (!own)
		return netif_address_add(netif, &address);
	own->preferred_until = address.preferred_until;
	own->valid_until = address.valid_until;
	own->flags =
		(uint8_t)((own->flags & ~NETADDR_PERMANENT) | (address.flags & NETADDR_PERMANENT));
	if (netif->stack->changed) {
		const struct netif_change change = {netif, own};

		netif->stack->changed(netif->stack, NETSTACK_ADDRESS_NEW, &change);
	}
	return 0;
}

/* The other addresses of a network go with its first (net.ipv4.conf.*.promote_secondaries is 0). */
static void remove_secondaries(
	struct netif *netif, const struct inet_address *network, uint8_t prefix)
{
	struct netif_address *own, *next;

	list_for_each_entry_safe (own, next, &netif->addresses, link) {
		if ((own->flags & NETADDR_SECONDARY) && inet_is_v4(&own->address) &&
			own->prefix == prefix && inet_in_network(&own->address, network, prefix)) {
			struct inet_address address = own->address;

			(void)netif_address_remove(netif, &address, prefix);
		}
	}
}

static bool is_meant(const struct netif_address *own, const struct address_request *wanted)
{
	const struct inet_address *base = inet_is_any(&own->peer) ? &own->address : &own->peer;
	const struct nl_attribute *label = &wanted->attributes[LX_IFA_LABEL];

	if (route_family(&own->address) != wanted->fixed.family)
		return false;
	if (wanted->fixed.family == LX_AF_INET6)
		return inet_equal(&own->address,
			       inet_is_any(&wanted->local) ? &wanted->address : &wanted->local) &&
		       own->prefix == wanted->fixed.prefix;
	if (!inet_is_any(&wanted->local) && !inet_equal(&own->address, &wanted->local))
		return false;
	if (label->data && strncmp((const char *)label->data, own->label,
				   min_of(label->size, sizeof(own->label))) != 0)
		return false;
	return inet_is_any(&wanted->address) ||
	       (own->prefix == wanted->fixed.prefix &&
		       inet_in_network(&wanted->address, base, own->prefix));
}

static int delete_address(struct nl_request *request, const struct address_request *wanted)
{
	bool v4 = wanted->fixed.family == LX_AF_INET;
	struct netif *netif = netif_by_index(route_stack(request), wanted->fixed.index);
	const struct netif_address *own;

	if (wanted->fixed.prefix > (v4 ? 32 : 128))
		return -EINVAL;
	if (!netif)
		return nl_complain(request, -ENODEV,
			v4 ? "ipv4: Device not found" : "ipv6: Unable to find the interface");
	list_for_each_entry (own, &netif->addresses, link) {
		struct inet_address address = own->address;
		uint8_t prefix = own->prefix, flags = own->flags;
		int err;

		if (!is_meant(own, wanted))
			continue;
		err = netif_address_remove(netif, &address, prefix);
		if (err == 0 && v4 && !(flags & NETADDR_SECONDARY))
			remove_secondaries(netif, &address, prefix);
		return err;
	}
	return nl_complain(request, -EADDRNOTAVAIL,
		v4 ? "ipv4: Address not found" : "ipv6: address not found");
}

int route_address_request(struct nl_request *request)
{
	struct address_request wanted;
	int err;

	switch (request->header.nlmsg_type) {
	case LX_RTM_GETADDR:
		return route_is_dump(request) ? dump_addresses(request) : get_address(request);
	case LX_RTM_NEWADDR:
		err = read_request(request, &wanted);
		return err < 0 ? err : new_address(request, &wanted);
	case LX_RTM_DELADDR:
		err = read_request(request, &wanted);
		return err < 0 ? err : delete_address(request, &wanted);
	default:
		return -EOPNOTSUPP;
	}
}
