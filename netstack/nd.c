/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbour discovery (RFC 4861) of a host: solicitations and advertisements of neighbours, with
 * the detection of duplicate addresses (RFC 4862 section 5.4). Routers are in nd_router.c, the
 * cache is in neighbour.c. All of it is for the link only: what has crossed a router has no hop
 * limit of 255 any more and is dropped (RFC 4861 section 3.1). Redirects are not followed.
 */
#include "netstack/nd_private.h"

#include <errno.h>

#include "base/checked.h"
#include "base/log.h"

#define SEC    INT64_C(1000000000)
#define DAD_NS SEC /* RetransTimer, after one solicitation (DupAddrDetectTransmits) */

#define FLAG_ROUTER    0x80u
#define FLAG_SOLICITED 0x40u
#define FLAG_OVERRIDE  0x20u

static const struct inet_address all_nodes = {{0xff, 0x02, [15] = 1}};

/* RFC 4291 section 2.7.1. */
static struct inet_address solicited_node(const struct inet_address *address)
{
	struct inet_address group = {{0xff, 0x02, [11] = 1, [12] = 0xff}};

	memcpy(group.bytes + 13, address->bytes + 13, 3);
	return group;
}

/* ---- messages -----------------------------------------------------------------------------------
 */

void nd_send(struct netif *netif, const struct inet_address *from, const struct inet_address *to,
	const uint8_t *message, size_t size)
{
	struct ip_meta meta = {
		.from = *from,
		.to = *to,
		.ttl = 255,
		.unspecified = true,
		.netif = netif,
	};
	struct netbuf_queue queue = {0};

	if (netbuf_append(&queue, message, size) == 0)
		icmp_send(netif->stack, &meta, &queue);
}

/* Type, code, checksum, flags, target and our hardware address. */
static void send_about(struct netif *netif, uint8_t type, uint8_t flags, uint8_t option,
	const struct inet_address *from, const struct inet_address *to,
	const struct inet_address *target)
{
	uint8_t message[32] = {type, [4] = flags, [24] = option, [25] = 1};

	memcpy(message + 8, target->bytes, 16);
	memcpy(message + 26, netif->hardware, 6);
	nd_send(netif, from, to, message, option ? sizeof(message) : 24);
}

void nd_solicit(struct netif *netif, const struct inet_address *from,
	const struct inet_address *target, const uint8_t *hardware)
{
	struct inet_address group = solicited_node(target);

	/* Without an address of our own nobody could answer. */
	if (!inet_is_any(from))
		send_about(netif, ICMP6_NEIGHBOUR_SOLICITATION, 0, ND_SOURCE_HARDWARE, from,
			hardware ? target : &group, target);
}

static void advertise(struct netif *netif, const struct inet_address *to,
	const struct inet_address *own, uint8_t flags)
{
	send_about(netif, ICMP6_NEIGHBOUR_ADVERTISEMENT, flags, ND_TARGET_HARDWARE, own, to, own);
}

/* Walks the options behind the first @offset bytes of the message: every length has to be sound
 * (RFC 4861 section 4.6). *@ret_hardware is that of @wanted, if there is one. */
static bool read_options(const uint8_t *message, uint32_t size, uint32_t offset, uint8_t wanted,
	const uint8_t **ret_hardware)
{
	*ret_hardware = NULL;
	while (offset < size) {
		uint32_t length;

		if (size - offset < 8 || message[offset + 1] == 0)
			return false;
		length = message[offset + 1] * 8u;
		if (length > size - offset)
			return false;
		if (message[offset] == wanted && length == 8 && !(message[offset + 2] & 1))
			*ret_hardware = message + offset + 2;
		offset += length;
	}
	return true;
}

/* ---- our own addresses --------------------------------------------------------------------------
 */

static struct netif_address *find_own(struct netif *netif, const struct inet_address *address)
{
	struct netif_address *own;

	list_for_each_entry (own, &netif->addresses, link) {
		if (inet_equal(&own->address, address))
			return own;
	}
	return NULL;
}

void nd_address_up(struct netif *netif, struct netif_address *own)
{
	struct inet_address group;

	if (netif->type != NETIF_ETHERNET || !(netif->flags & NETIF_UP))
		return;
	if (inet_is_v4(&own->address)) {
		arp_announce(netif, &own->address);
		return;
	}
	group = solicited_node(&own->address);
	if (!(own->flags & NETADDR_NO_DAD))
		own->flags |= NETADDR_TENTATIVE;
	(void)netif_group_join(netif, &group);
	if (own->flags & NETADDR_NO_DAD)
		return;
	own->dad_until = (int64_t)loop_monotonic() + DAD_NS;
	send_about(netif, ICMP6_NEIGHBOUR_SOLICITATION, 0, 0, &inet_any, &group, &own->address);
	nd_set_timer(netif);
}

void nd_address_down(struct netif *netif, struct netif_address *own)
{
	struct inet_address group;

	if (netif->type != NETIF_ETHERNET || !(netif->flags & NETIF_UP) ||
		inet_is_v4(&own->address))
		return;
	group = solicited_node(&own->address);
	netif_group_leave(netif, &group);
}

/* Somebody else has it: it is not used (RFC 4862 section 5.4.5). */
static void is_duplicate(struct netif *netif, struct netif_address *own)
{
	own->flags = (own->flags & ~NETADDR_TENTATIVE) | NETADDR_DAD_FAILED;
	netif_tell_address(netif, own);
}

/* ---- what comes ---------------------------------------------------------------------------------
 */

static void take_solicitation(
	struct netif *netif, const struct ip_info *info, const uint8_t *message, uint32_t size)
{
	struct inet_address target = get_address6(message + 8), group = solicited_node(&target);
	struct netif_address *own = find_own(netif, &target);
	bool probe = inet_is_any(&info->from);
	const uint8_t *hardware;

	if (!read_options(message, size, 24, ND_SOURCE_HARDWARE, &hardware) ||
		inet_is_multicast(&target) || !own || (own->flags & NETADDR_DAD_FAILED))
		return;
	/* RFC 4861 section 7.1.1: a probe goes to the group and names no hardware. */
	if (probe && (hardware || !inet_equal(&info->to, &group)))
		return;
	if (own->flags & NETADDR_TENTATIVE) {
		if (probe)
			is_duplicate(netif, own);
		return;
	}
	if (probe) {
		advertise(netif, &all_nodes, &target, FLAG_OVERRIDE);
		return;
	}
	if (hardware)
		neighbour_learn(netif, &info->from, hardware);
	advertise(netif, &info->from, &target, FLAG_SOLICITED | FLAG_OVERRIDE);
}

/* RFC 4861 section 7.2.5. */
static void take_advertisement(
	struct netif *netif, const struct ip_info *info, const uint8_t *message, uint32_t size)
{
	struct inet_address target = get_address6(message + 8);
	struct netif_address *own = find_own(netif, &target);
	uint8_t flags = message[4];
	struct neighbour *neighbour;
	const uint8_t *hardware;
	bool same;

	if (!read_options(message, size, 24, ND_TARGET_HARDWARE, &hardware) ||
		inet_is_multicast(&target) || (info->multicast && (flags & FLAG_SOLICITED)))
		return;
	if (own) {
		if (own->flags & NETADDR_TENTATIVE)
			is_duplicate(netif, own);
		return;
	}
	neighbour = neighbour_find(netif, &target);
	if (!neighbour)
		return;
	if (neighbour->state & (NEIGHBOUR_INCOMPLETE | NEIGHBOUR_FAILED)) {
		if (!hardware)
			return;
		neighbour_heard(neighbour, hardware);
		if (flags & FLAG_SOLICITED)
			neighbour_confirm(neighbour);
		return;
	}
	same = !hardware || memcmp(hardware, neighbour->hardware, 6) == 0;
	if (!same && !(flags & FLAG_OVERRIDE))
		return;
	if (!same)
		neighbour_heard(neighbour, hardware);
	if (flags & FLAG_SOLICITED)
		neighbour_confirm(neighbour);
}

void nd_input(struct netstack *stack, struct ip_info *info, uint8_t type)
{
	uint32_t size = info->packet->size - info->offset;
	uint8_t message[ND_MESSAGE_MAX];

	/* More than that would have to be fragmented (RFC 6980 forbids it). */
	if (info->netif->type != NETIF_ETHERNET || info->ttl != 255 || info->reassembled ||
		size < 16 || size > sizeof(message)) {
		stack->counters.icmp[1].in_errors++;
		return;
	}
	netbuf_peek(info->packet, info->offset, message, size);
	if (message[1] != 0)
		return;
	if (type == ICMP6_ROUTER_ADVERTISEMENT)
		nd_router_advertisement(info->netif, info, message, size);
	else if (size < 24)
		stack->counters.icmp[1].in_errors++;
	else if (type == ICMP6_NEIGHBOUR_SOLICITATION)
		take_solicitation(info->netif, info, message, size);
	else
		take_advertisement(info->netif, info, message, size);
}
