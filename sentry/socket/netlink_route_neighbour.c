/* SPDX-License-Identifier: Apache-2.0 */
/* RTM_*NEIGH: the hardware addresses of neighbours (rtnetlink(7); kernel net/core/neighbour.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/socket/netlink_route.h"

#define NUD_NOARP 0x40u

int route_put_neighbour(struct nl_builder *builder, const struct lx_nlmsghdr *header,
	const struct neighbour *neighbour)
{
	const struct lx_ndmsg fixed = {
		.family = route_family(&neighbour->address),
		.index = (int32_t)neighbour->netif->index,
		.state = neighbour->state,
		.type = LX_RTN_UNICAST,
	};
	const uint32_t cache[4] = {0}; /* struct nda_cacheinfo: when it was confirmed and used */
	size_t start = nl_begin(builder, header);

	nl_put(builder, &fixed, sizeof(fixed));
	route_attribute_address(builder, LX_NDA_DST, &neighbour->address);
	if (!(neighbour->state & (NEIGHBOUR_INCOMPLETE | NEIGHBOUR_FAILED)))
		nl_attribute(
			builder, LX_NDA_LLADDR, neighbour->hardware, sizeof(neighbour->hardware));
	nl_u32(builder, LX_NDA_PROBES, neighbour->probes);
	nl_attribute(builder, LX_NDA_CACHEINFO, cache, sizeof(cache));
	return nl_end(builder, start);
}

static int fill_neighbours(
	struct netlink_socket *socket, struct nl_dump *dump, struct nl_builder *builder)
{
	const struct netstack *stack = &netlink_net(socket)->stack;
	const struct neighbour *neighbour;
	size_t place = 0;

	list_for_each_entry (neighbour, &stack->ip.neighbours, link) {
		if (place++ < dump->at[0])
			continue;
		if ((!dump->family || dump->family == route_family(&neighbour->address)) &&
			(!dump->index || dump->index == neighbour->netif->index) &&
			route_put_neighbour(builder, &dump->header, neighbour) < 0)
			return 1;
		dump->at[0] = place;
	}
	return 0;
}

static const uint8_t neighbour_least[LX_NDA_IFINDEX + 1] = {[LX_NDA_IFINDEX] = 4};

static int dump_neighbours(struct nl_request *request)
{
	struct nl_dump dump = {.fill = fill_neighbours, .header.nlmsg_type = LX_RTM_NEWNEIGH};
	struct nl_attribute attributes[LX_NDA_IFINDEX + 1];
	struct lx_ndmsg fixed = {.family = request->body[0]};

	if (request->size >= sizeof(fixed)) {
		int err = nl_parse(
			request, sizeof(fixed), attributes, LX_NDA_IFINDEX, neighbour_least);

		if (err < 0)
			return nl_dump_fail(request, err, request->complaint);
		if (attributes[LX_NDA_IFINDEX].data)
			dump.index = nl_get_u32(&attributes[LX_NDA_IFINDEX]);
	}
	if (fixed.family == LX_AF_INET || fixed.family == LX_AF_INET6)
		dump.family = fixed.family;
	dump.filtered = dump.index != 0;
	return nl_dump_start(request, &dump);
}

struct neighbour_request {
	struct lx_ndmsg fixed;
	struct nl_attribute attributes[LX_NDA_IFINDEX + 1];
	struct inet_address address;
	struct netif *netif;
};

static int read_neighbour(struct nl_request *request, struct neighbour_request *ret)
{
	const struct nl_attribute *address;
	int err = nl_parse(
		request, sizeof(ret->fixed), ret->attributes, LX_NDA_IFINDEX, neighbour_least);

	if (err < 0)
		return err;
	memcpy(&ret->fixed, request->body, sizeof(ret->fixed));
	address = &ret->attributes[LX_NDA_DST];
	if (!address->data)
		return nl_complain(request, -EINVAL, "Network address not specified");
	ret->netif = netif_by_index(route_stack(request), (unsigned)ret->fixed.index);
	if (!ret->netif)
		return -ENODEV;
	if (ret->fixed.family != LX_AF_INET && ret->fixed.family != LX_AF_INET6)
		return -EAFNOSUPPORT;
	if (route_read_address(address, ret->fixed.family, &ret->address) < 0)
		return nl_complain(request, -EINVAL, "Invalid network address");
	return 0;
}

static struct neighbour *find(
	const struct nl_request *request, const struct neighbour_request *want)
{
	struct neighbour *neighbour;

	list_for_each_entry (neighbour, &route_stack(request)->ip.neighbours, link) {
		if (neighbour->netif == want->netif &&
			inet_equal(&neighbour->address, &want->address))
			return neighbour;
	}
	return NULL;
}

static int get_neighbour(struct nl_request *request, const struct neighbour_request *want)
{
	const struct lx_nlmsghdr header = nl_answer_header(request, LX_RTM_NEWNEIGH);
	const struct neighbour *found = find(request, want);
	_cleanup_free_ struct nl_builder *builder = NULL;
	int err;

	if (!found)
		return nl_complain(request, -ENOENT, "Neighbour entry not found");
	builder = nl_builder_new(NL_BUILDER_SIZE);
	if (!builder)
		return -ENOMEM;
	err = route_put_neighbour(builder, &header, found);
	return err < 0 ? err : nl_answer(request, builder);
}

/* neigh_add() */
static int new_neighbour(struct nl_request *request, const struct neighbour_request *want)
{
	const struct nl_attribute *hardware = &want->attributes[LX_NDA_LLADDR];
	uint16_t flags = request->header.nlmsg_flags;
	bool there = find(request, want) != NULL;

	if (want->netif->type != NETIF_ETHERNET)
		return nl_complain(
			request, -EOPNOTSUPP, "Interfaces of this kind have no neighbours here");
	if (there && (flags & LX_NLM_F_EXCL))
		return -EEXIST;
	if (!there && !(flags & LX_NLM_F_CREATE))
		return -ENOENT;
	if (want->fixed.state & NUD_NOARP)
		return nl_complain(
			request, -EOPNOTSUPP, "Neighbours of this state are not supported");
	if (!hardware->data)
		return nl_complain(request, -EINVAL, "No link layer address given");
	if (hardware->size < 6)
		return nl_complain(request, -EINVAL, "Invalid link address");
	return neighbour_set(want->netif, &want->address, hardware->data,
		want->fixed.state & NEIGHBOUR_PERMANENT);
}

int route_neighbour_request(struct nl_request *request)
{
	struct neighbour_request want;
	int err;

	if (request->header.nlmsg_type == LX_RTM_GETNEIGH && route_is_dump(request))
		return dump_neighbours(request);
	err = read_neighbour(request, &want);
	if (err < 0)
		return err;
	switch (request->header.nlmsg_type) {
	case LX_RTM_GETNEIGH:
		return get_neighbour(request, &want);
	case LX_RTM_NEWNEIGH:
		return new_neighbour(request, &want);
	case LX_RTM_DELNEIGH:
		return neighbour_remove(want.netif, &want.address);
	default:
		return -EOPNOTSUPP;
	}
}
