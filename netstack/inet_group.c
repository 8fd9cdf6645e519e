/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups: which sockets hear what is sent to a multicast address. The host hears a group on an
 * interface when one of its sockets has joined it there; then a socket bound to the port gets a
 * copy if it joined, too, and its source filter has nothing against it (RFC 3376 section 3.2), or
 * if it did not and IP_MULTICAST_ALL is on (ip_mc_sf_allow(), inet6_mc_check()).
 */
#include "netstack/inet_private.h"

#include <errno.h>
#include <stdlib.h>

static unsigned member_count; /* of all sockets */

static struct inet_group *find(
	struct inet_udp *endpoint, const struct inet_address *group, unsigned netif_index)
{
	struct inet_group *pos;

	list_for_each_entry (pos, &endpoint->groups, link) {
		if (inet_equal(&pos->address, group) &&
			(!netif_index || pos->netif_index == netif_index))
			return pos;
	}
	return NULL;
}

static int choose_netif(
	struct inet_udp *endpoint, const struct inet_address *group, unsigned *netif_index)
{
	struct netstack *stack = endpoint->endpoint.stack;
	struct route_result route;

	if (*netif_index)
		return netif_by_index(stack, *netif_index) ? 0 : -ENODEV;
	if (route_lookup(stack, group, NULL, &route) < 0)
		return -ENODEV;
	*netif_index = route.netif->index;
	return 0;
}

static int add_member(struct inet_udp *endpoint, const struct inet_address *group,
	unsigned netif_index, bool include)
{
	struct inet_group *member;
	int err;

	if (!inet_is_multicast(group))
		return -EINVAL;
	err = choose_netif(endpoint, group, &netif_index);
	if (err < 0)
		return err;
	if (find(endpoint, group, netif_index))
		return -EADDRINUSE;
	if (endpoint->group_count >= INET_GROUPS_MAX || member_count >= INET_MEMBERS_MAX)
		return -ENOBUFS;
	member = calloc(1, sizeof(*member));
	if (!member)
		return -ENOMEM;
	err = netif_group_join(netif_by_index(endpoint->endpoint.stack, netif_index), group);
	if (err < 0) {
		free(member);
		return err;
	}
	member->address = *group;
	member->netif_index = netif_index;
	member->include = include;
	list_add_tail(&member->link, &endpoint->groups);
	list_add_tail(&member->in_stack, &endpoint->endpoint.stack->groups);
	endpoint->group_count++;
	member_count++;
	return 0;
}

static void drop_member(struct inet_udp *endpoint, struct inet_group *member)
{
	struct netif *netif = netif_by_index(endpoint->endpoint.stack, member->netif_index);

	if (netif)
		netif_group_leave(netif, &member->address);
	list_remove(&member->link);
	list_remove(&member->in_stack);
	endpoint->group_count--;
	member_count--;
	free(member);
}

int inet_group_join(
	struct inet_udp *endpoint, const struct inet_address *group, unsigned netif_index)
{
	return add_member(endpoint, group, netif_index, false);
}

int inet_group_leave(
	struct inet_udp *endpoint, const struct inet_address *group, unsigned netif_index)
{
	struct inet_group *member = find(endpoint, group, netif_index);

	if (!member)
		return -EADDRNOTAVAIL;
	drop_member(endpoint, member);
	return 0;
}

void inet_group_leave_all(struct inet_udp *endpoint)
{
	while (!list_empty(&endpoint->groups))
		drop_member(endpoint, list_first(&endpoint->groups, struct inet_group, link));
}

static unsigned source_index(const struct inet_group *member, const struct inet_address *source)
{
	unsigned i = 0;

	while (i < member->source_count && !inet_equal(&member->sources[i], source))
		i++;
	return i;
}

static int remove_source(
	struct inet_udp *endpoint, struct inet_group *member, const struct inet_address *source)
{
	unsigned i = source_index(member, source);

	if (i == member->source_count)
		return -EADDRNOTAVAIL;
	member->sources[i] = member->sources[--member->source_count];
	/* From nobody is not a membership. */
	if (member->include && member->source_count == 0)
		drop_member(endpoint, member);
	return 0;
}

static int add_source(struct inet_group *member, const struct inet_address *source)
{
	if (source_index(member, source) < member->source_count)
		return -EADDRNOTAVAIL;
	if (member->source_count == INET_SOURCES_MAX)
		return -ENOBUFS;
	member->sources[member->source_count++] = *source;
	return 0;
}

int inet_group_source(struct inet_udp *endpoint, const struct inet_address *group,
	unsigned netif_index, const struct inet_address *source, bool include, bool add)
{
	struct inet_group *member;

	if (!inet_is_multicast(group))
		return -EINVAL;
	if (include && add) {
		int err = add_member(endpoint, group, netif_index, true);

		if (err < 0 && err != -EADDRINUSE)
			return err;
	}
	if (choose_netif(endpoint, group, &netif_index) < 0)
		return -ENODEV;
	member = find(endpoint, group, netif_index);
	if (!member) /* ip_mc_source(): joined before */
		return -EINVAL;
	/* An empty filter may turn into the other kind. */
	if (member->include != include) {
		if (member->source_count)
			return -EINVAL;
		member->include = include;
	}
	return add ? add_source(member, source) : remove_source(endpoint, member, source);
}

/* ---- delivery ---------------------------------------------------------------------------------
 */

static bool heard(struct netstack *stack, const struct inet_address *group, unsigned netif_index)
{
	const struct inet_group *member;

	list_for_each_entry (member, &stack->groups, in_stack) {
		if (member->netif_index == netif_index && inet_equal(&member->address, group))
			return true;
	}
	return false;
}

static bool wants(struct inet_udp *endpoint, const struct inet_packet *packet, unsigned netif_index)
{
	const struct inet_endpoint *ends = &endpoint->endpoint;
	bool v4 = inet_is_v4(&packet->to.address);
	const struct inet_group *member;

	if (v4 ? ends->ipv6 && ends->v6only : !ends->ipv6)
		return false;
	if (!inet_is_any(&ends->local.address) &&
		!inet_equal(&ends->local.address, &packet->to.address))
		return false;
	if (inet_equal(&ends->local.address, &inet_any4) && !v4)
		return false;
	if (ends->netif_index && ends->netif_index != netif_index)
		return false;
	if (ends->has_pair && (ends->remote.port != packet->from.port ||
				      !inet_equal(&ends->remote.address, &packet->from.address)))
		return false;
	member = find(endpoint, &packet->to.address, netif_index);
	if (!member)
		return v4 ? endpoint->group_all4 : endpoint->group_all6;
	return (source_index(member, &packet->from.address) < member->source_count) ==
	       member->include;
}

void inet_group_deliver(struct netstack *stack, struct inet_packet *packet)
{
	unsigned netif_index = packet->datagram->netif_index;
	struct inet_endpoint *endpoint;

	if (!heard(stack, &packet->to.address, netif_index))
		return;
	hash_for_each_match(endpoint, &stack->ports,
		inet_port_hash(packet->protocol, packet->to.port), port_node)
	{
		if (endpoint->protocol == packet->protocol &&
			endpoint->local.port == packet->to.port &&
			wants(inet_udp_of(endpoint), packet, netif_index))
			inet_udp_deliver_copy(inet_udp_of(endpoint), packet->datagram);
	}
}
