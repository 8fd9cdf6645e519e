/* SPDX-License-Identifier: Apache-2.0 */
/* ARP over Ethernet (RFC 826), with its probes and announcements (RFC 5227). */
#include "netstack/ip_private.h"

#include "base/checked.h"

#define ARP_SIZE    28u
#define ARP_REQUEST 1u
#define ARP_REPLY   2u

static void send(struct netif *netif, uint16_t operation, const uint8_t to[6],
	const struct inet_address *from, const uint8_t target_hardware[6],
	const struct inet_address *target)
{
	uint8_t bytes[ARP_SIZE];
	struct netbuf_queue payload = {0};

	put16(bytes, 1); /* Ethernet */
	put16(bytes + 2, ETHERTYPE_IP4);
	bytes[4] = 6;
	bytes[5] = 4;
	put16(bytes + 6, operation);
	memcpy(bytes + 8, netif->hardware, 6);
	memcpy(bytes + 14, from->bytes + 12, 4);
	memcpy(bytes + 18, target_hardware, 6);
	memcpy(bytes + 24, target->bytes + 12, 4);
	if (netbuf_append(&payload, bytes, sizeof(bytes)) == 0)
		ethernet_frame(netif, to, ETHERTYPE_ARP, &payload, NULL);
}

void arp_request(struct netif *netif, const struct inet_address *from,
	const struct inet_address *target, const uint8_t *hardware)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, nobody[6];

	send(netif, ARP_REQUEST, hardware ? hardware : everybody, from, nobody, target);
}

void arp_announce(struct netif *netif, const struct inet_address *own)
{
	if (!(netif->flags & NETIF_NO_ARP))
		arp_request(netif, own, own, NULL);
}

void arp_input(struct netif *netif, struct netbuf_queue *packet)
{
	struct netstack *stack = netif->stack;
	struct inet_address from, target;
	struct neighbour *neighbour;
	uint8_t bytes[ARP_SIZE];
	uint16_t operation;
	bool for_us;

	if (packet->size < ARP_SIZE) {
		netif->counters.rx_errors++;
		return;
	}
	netbuf_peek(packet, 0, bytes, sizeof(bytes));
	operation = get16(bytes + 6);
	if (get16(bytes) != 1 || get16(bytes + 2) != ETHERTYPE_IP4 || bytes[4] != 6 ||
		bytes[5] != 4 || (operation != ARP_REQUEST && operation != ARP_REPLY) ||
		(bytes[8] & 1) || (netif->flags & NETIF_NO_ARP)) {
		netif->counters.rx_dropped++;
		return;
	}
	from = inet_from_v4(bytes + 14);
	target = inet_from_v4(bytes + 24);
	if (inet_is_multicast(&target) || inet_is_loopback(&target) || inet_is_multicast(&from) ||
		inet_equal(&from, &inet_broadcast4) || inet_is_loopback(&from))
		return;
	for_us = netif_of_address(stack, &target) == netif;
	/* Somebody has our address: that he says so is no reason to believe anything else. */
	if (!inet_is_any(&from) && netstack_is_local(stack, &from))
		return;
	/* "Merge_flag": who is known is updated by whatever he says, others when they ask for us. A
	 * probe names nobody (RFC 5227 section 1.1). */
	neighbour = inet_is_any(&from) ? NULL : neighbour_find(netif, &from);
	if (neighbour) {
		neighbour_heard(neighbour, bytes + 8);
		if (operation == ARP_REPLY && for_us)
			neighbour_confirm(neighbour);
	} else if (for_us && operation == ARP_REQUEST && !inet_is_any(&from)) {
		neighbour_learn(netif, &from, bytes + 8);
	}
	if (for_us && operation == ARP_REQUEST)
		send(netif, ARP_REPLY, bytes + 8, &target, bytes + 8, &from);
}
