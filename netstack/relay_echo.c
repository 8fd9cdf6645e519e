/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP on a relay's interface: echo requests to its own address are answered, and all else that is
 * no TCP or UDP is dropped. What comes are packets of our own stack, so they are whole; they are
 * checked all the same, as a raw socket can make what it likes.
 *
 * An answer is the request with its addresses exchanged and another type. Neither changes a sum but
 * by that type (RFC 1624), so a wrong checksum stays wrong. It goes in by a timer: the stack that
 * sends is not entered from below.
 */
#include <string.h>

#include "netstack/relay.h"

#define ECHO4	       8u
#define ECHO4_REPLY    0u
#define ECHO6	       128u
#define ECHO6_REPLY    129u
#define PROTOCOL_ICMP  1u
#define PROTOCOL_ICMP6 58u

/* The type takes the place of the upper half of its word. */
static void change_type(uint8_t *icmp, uint8_t type)
{
	uint32_t sum = (uint32_t)(icmp[2] << 8 | icmp[3]);

	/* ~sum' = ~(sum - old + new), in one's complement */
	sum = (~sum & 0xffff) + (~(uint32_t)(icmp[0] << 8) & 0xffff) + (uint32_t)(type << 8);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	icmp[0] = type;
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
}

static void exchange(uint8_t *a, uint8_t *b, size_t size)
{
	uint8_t kept[16];

	memcpy(kept, a, size);
	memcpy(a, b, size);
	memcpy(b, kept, size);
}

/* Neither options nor fragments: nobody who asks whether we are there needs them. */
static bool answer4(const struct relay *relay, uint8_t *packet, size_t size)
{
	if (size < 28 || packet[0] != 0x45 || (packet[6] & 0x3f) || packet[7] ||
		packet[9] != PROTOCOL_ICMP || packet[20] != ECHO4 ||
		memcmp(packet + 16, relay->own4.bytes + 12, 4) != 0)
		return false;
	exchange(packet + 12, packet + 16, 4);
	change_type(packet + 20, ECHO4_REPLY);
	return true;
}

static bool answer6(const struct relay *relay, uint8_t *packet, size_t size)
{
	if (size < 48 || (packet[0] & 0xf0) != 0x60 || packet[6] != PROTOCOL_ICMP6 ||
		packet[40] != ECHO6 || memcmp(packet + 24, relay->own6.bytes, 16) != 0)
		return false;
	exchange(packet + 8, packet + 24, 16);
	change_type(packet + 40, ECHO6_REPLY);
	return true;
}

static void deliver(struct timer *timer)
{
	static const struct netif_offload none;
	struct relay *relay = timer->data;
	struct netbuf_queue frame = {0};

	netbuf_move(&frame, &relay->echo);
	if (frame.size)
		netif_receive(&relay->netif, &frame, &none);
}

void relay_transmit(
	struct netif *netif, struct netbuf_queue *frame, const struct netif_offload *offload)
{
	static uint8_t packet[RELAY_ECHO_MAX];
	struct relay *relay = container_of(netif, struct relay, netif);
	size_t size = frame->size;
	bool answered = false;

	/* One at a time waits, as there is one timer. */
	if (size <= sizeof(packet) && !relay->echo.size) {
		netbuf_peek(frame, 0, packet, (uint32_t)size);
		answered = (answer4(relay, packet, size) || answer6(relay, packet, size)) &&
			   netbuf_append(&relay->echo, packet, size) == 0 &&
			   timer_arm(&relay->echo_timer, loop_monotonic()) == 0;
		if (!answered)
			netbuf_queue_clear(&relay->echo);
	}
	if (answered) {
		netif->counters.tx_packets++;
		netif->counters.tx_bytes += size;
	} else {
		netif->counters.tx_dropped++;
	}
	netbuf_queue_clear(frame);
}

void relay_echo_init(struct relay *relay)
{
	timer_init(&relay->echo_timer, deliver, relay);
}
