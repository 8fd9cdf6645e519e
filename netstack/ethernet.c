/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet frames (RFC 894, RFC 2464): which packets are for us, and where others go. */
#include "netstack/ip_private.h"

#include "base/checked.h"

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

void ethernet_frame(struct netif *netif, const uint8_t to[6], uint16_t type,
	struct netbuf_queue *payload, const struct netif_offload *offload)
{
	static const struct netif_offload none;
	struct netif_offload shifted = offload ? *offload : none;
	struct netbuf_queue frame = {0};
	uint8_t header[ETHERNET_HEADER];

	memcpy(header, to, 6);
	memcpy(header + 6, netif->hardware, 6);
	put16(header + 12, type);
	if (!netif->ops->transmit || netbuf_append(&frame, header, sizeof(header)) < 0) {
		netif->counters.tx_dropped++;
		netbuf_queue_clear(payload);
		return;
	}
	netbuf_move(&frame, payload);
	if (shifted.needs_checksum)
		shifted.checksum_start += ETHERNET_HEADER;
	netif_tap(netif, &frame, true, &shifted);
	netif->ops->transmit(netif, &frame, &shifted);
}

/* RFC 1112 section 6.4, RFC 2464 section 7. */
static void group_hardware(const struct inet_address *group, uint8_t ret[6])
{
	if (inet_is_v4(group)) {
		memcpy(ret, (const uint8_t[]){0x01, 0x00, 0x5e}, 3);
		memcpy(ret + 3, group->bytes + 13, 3);
		ret[3] &= 0x7f;
	} else {
		memcpy(ret, (const uint8_t[]){0x33, 0x33}, 2);
		memcpy(ret + 2, group->bytes + 12, 4);
	}
}

void ethernet_send(struct netif *netif, const struct route_result *route,
	struct netbuf_queue *packet, const struct netif_offload *offload)
{
	uint16_t type = inet_is_v4(&route->next_hop) ? ETHERTYPE_IP4 : ETHERTYPE_IP6;
	uint8_t to[6];

	if (route->broadcast) {
		ethernet_frame(netif, everybody, type, packet, offload);
	} else if (inet_is_multicast(&route->next_hop)) {
		group_hardware(&route->next_hop, to);
		ethernet_frame(netif, to, type, packet, offload);
	} else {
		neighbour_send(netif, &route->next_hop, packet, offload);
	}
}

void ethernet_input(
	struct netif *netif, struct netbuf_queue *frame, const struct netif_offload *offload)
{
	uint8_t header[ETHERNET_HEADER];
	bool ours, many;

	if (frame->size < ETHERNET_HEADER) {
		netif->counters.rx_errors++;
		netbuf_queue_clear(frame);
		return;
	}
	netbuf_peek(frame, 0, header, sizeof(header));
	many = header[0] & 1;
	ours = memcmp(header, netif->hardware, 6) == 0;
	netif->counters.multicast += many && memcmp(header, everybody, 6) != 0;
	/* A frame from a group, and one for somebody else (PACKET_OTHERHOST). */
	if ((header[6] & 1) || (!ours && !many)) {
		netif->counters.rx_dropped++;
		netbuf_queue_clear(frame);
		return;
	}
	netbuf_drop(frame, ETHERNET_HEADER);
	switch (get16(header + 12)) {
	case ETHERTYPE_IP4:
	case ETHERTYPE_IP6:
		ip_input(netif, frame, many, offload);
		break;
	case ETHERTYPE_ARP:
		arp_input(netif, frame);
		break;
	default:
		netif->counters.rx_dropped++;
		break;
	}
	netbuf_queue_clear(frame);
}
