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
void netif_tap(struct netif *netif, struct netbuf_queue *frame, bool outgoing,
	const struct netif_offload *offload);

/* route.c */
void route_remove_netif(struct netif *netif); /* all routes over it go */
/* What a packet to @to over @netif has as its source; inet_any*: there is nothing. */
struct inet_address route_source(
	const struct netstack *stack, const struct netif *netif, const struct inet_address *to);
/* @to is the broadcast address of an interface's network. */
bool netstack_is_broadcast(
	const struct netstack *stack, const struct inet_address *to, struct netif **ret_netif);

#endif
