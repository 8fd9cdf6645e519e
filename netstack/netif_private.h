/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_NETIF_PRIVATE_H
#define SENTRY_NETSTACK_NETIF_PRIVATE_H

#include "netstack/inet_private.h"

#define INET_MTU_MIN4 68u   /* RFC 791 section 3.2 */
#define INET_MTU_MIN6 1280u /* RFC 8200 section 5 */

/* netif.c */
void netif_init_loopback(struct netstack *stack);
void netif_fini_all(struct netstack *stack);
/* Shows @frame to all taps. */
void netif_tell_address(struct netif *netif, struct netif_address *address);
void netif_tap(struct netif *netif, struct netbuf_queue *frame, bool outgoing,
	const struct netif_offload *offload);

/* route.c */
void route_remove_netif(struct netif *netif); /* all routes over it go */
void route_expire(struct netif *netif, int64_t now);
/* The one with this destination, gateway, interface and metric, borrowed; NULL. */
struct route *route_find(struct netstack *stack, const struct route *wanted);
/* What a packet to @to over @netif has as its source; inet_any*: there is nothing. */
struct inet_address route_source(
	const struct netstack *stack, const struct netif *netif, const struct inet_address *to);
/* @to is the broadcast address of an interface's network. */
bool netstack_is_broadcast(
	const struct netstack *stack, const struct inet_address *to, struct netif **ret_netif);

/* path_mtu.c */
void path_mtu_apply(
	struct netstack *stack, const struct inet_address *to, struct route_result *result);
/* Returns what is believed of it. */
uint32_t path_mtu_learn(struct netstack *stack, const struct inet_address *to, uint32_t mtu);

/* nd.c, nd_router.c */
void nd_init(struct netif *netif);
void nd_up(struct netif *netif);
void nd_down(struct netif *netif);
void nd_set_timer(struct netif *netif);
void nd_address_up(struct netif *netif, struct netif_address *own);
void nd_address_down(struct netif *netif, struct netif_address *own);

/* group.c */
bool group_is_joined(const struct netif *netif, const struct inet_address *address);
void group_report_joined(struct netif *netif);
void group_forget_all(struct netif *netif);

/* neighbour.c */
void neighbour_flush(struct netif *netif);

/* Beginning and end of a stack. */
void icmp_init(struct netstack *stack);
void ip_reassembly_init(struct netstack *stack);
void ip_reassembly_fini(struct netstack *stack);

#endif
