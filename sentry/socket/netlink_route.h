/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_NETLINK_ROUTE_H
#define SENTRY_SENTRY_SOCKET_NETLINK_ROUTE_H

#include "sentry/socket/net_device.h"
#include "sentry/socket/netlink.h"

/*
 * NETLINK_ROUTE (rtnetlink(7)), private to sentry/socket/netlink_route*.c: requests by the kind of
 * object, and the messages that show one, for dumps, answers and announcements alike.
 */
int route_link_request(struct nl_request *request);
int route_address_request(struct nl_request *request);
int route_route_request(struct nl_request *request);
int route_neighbour_request(struct nl_request *request);
int route_rule_request(struct nl_request *request);

/* 0 or -EMSGSIZE. */
int route_put_link(struct nl_builder *builder, const struct lx_nlmsghdr *header,
	const struct netif *netif, bool statistics);
int route_put_address(struct nl_builder *builder, const struct lx_nlmsghdr *header,
	const struct netif *netif, const struct netif_address *address);
int route_put_neighbour(struct nl_builder *builder, const struct lx_nlmsghdr *header,
	const struct neighbour *neighbour);
int route_put_route(
	struct nl_builder *builder, const struct lx_nlmsghdr *header, const struct route *route);

static inline struct netstack *route_stack(const struct nl_request *request)
{
	return &netlink_net(request->socket)->stack;
}

static inline bool route_is_dump(const struct nl_request *request)
{
	return (request->header.nlmsg_flags & LX_NLM_F_DUMP) == LX_NLM_F_DUMP ||
	       (request->header.nlmsg_flags & LX_NLM_F_DUMP);
}

/* The address in @attribute, which is of @family. -EINVAL: of another length. */
int route_read_address(
	const struct nl_attribute *attribute, uint8_t family, struct inet_address *ret);
void route_attribute_address(
	struct nl_builder *builder, uint16_t type, const struct inet_address *address);
static inline uint8_t route_family(const struct inet_address *address)
{
	return inet_is_v4(address) ? LX_AF_INET : LX_AF_INET6;
}

/* All routes of @stack in the order of Linux, those of the table "local" made up: *@ret is the
 * caller's to free. -ENOMEM. */
int route_collect(struct netstack *stack, struct route **ret, size_t *ret_count);

/* Announces changes of @stack. */
void route_changed(struct netstack *stack, enum netstack_event event, const void *object);

#endif
