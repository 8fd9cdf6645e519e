/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_ND_PRIVATE_H
#define SENTRY_NETSTACK_ND_PRIVATE_H

#include "netstack/icmp_private.h"

#define ND_MESSAGE_MAX	   1460u
#define ND_SOURCE_HARDWARE 1u
#define ND_TARGET_HARDWARE 2u
#define ND_PREFIX	   3u
#define ND_MTU		   5u

void nd_send(struct netif *netif, const struct inet_address *from, const struct inet_address *to,
	const uint8_t *message, size_t size);

/* nd_router.c */
void nd_router_advertisement(
	struct netif *netif, const struct ip_info *info, const uint8_t *message, uint32_t size);

#endif
