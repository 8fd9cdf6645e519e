/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of frames over a descriptor, with a socket pair for the host's end. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netstack/frame_link.h"
#include "netstack/inet.h"

static struct netstack stack;
static struct frame_link uplink;
static int host; /* the other end */
static struct {
	unsigned frames;
	uint32_t size;
	struct netif_offload offload;
	unsigned char bytes[FRAME_SIZE_MAX];
} seen;

static void see(struct netif_tap *tap, struct netif *netif, struct netbuf_queue *frame,
	bool outgoing, const struct netif_offload *offload)
{
	if (outgoing)
		return;
	seen.frames++;
	seen.size = frame->size;
	seen.offload = *offload;
	netbuf_peek(frame, 0, seen.bytes, frame->size);
}

static struct netif_tap tap = {.see = see};

static void set_up(void)
{
	int pair[2], size = 1 << 20;

	cr_assert(zero(int, loop_init()));
	cr_assert(zero(int, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair)));
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	host = pair[1];
	netstack_init(&stack);
	/* Too small for IPv6, which would speak of its own accord. */
	uplink = (struct frame_link){
		.netif = {.name = "eth0", .mtu = 1000}, .loop = {.fd = pair[0]}};
	cr_assert(zero(int, frame_link_start(&stack, &uplink)));
	cr_assert(zero(int, netif_set_up(&uplink.netif, true)));
	list_add_tail(&tap.link, &stack.taps);
	memset(&seen, 0, sizeof(seen));
}

static void tear_down(void)
{
	list_remove(&tap.link);
	frame_link_stop(&uplink);
	netstack_fini(&stack);
	close(uplink.loop.fd);
	if (host >= 0)
		close(host);
	loop_fini();
}

TestSuite(frame_link, .init = set_up, .fini = tear_down);

struct packet {
	struct virtio_net_hdr header;
	unsigned char bytes[FRAME_SIZE_MAX + 16];
};

static struct packet packet;

static void send_from_host(struct virtio_net_hdr header, uint32_t size)
{
	packet.header = header;
	for (uint32_t i = 0; i < size; i++)
		packet.bytes[i] = (unsigned char)(i * 7 + i / 251);
	/* Of no protocol: the stack counts it and lets it be. */
	packet.bytes[12] = packet.bytes[13] = 0xff;
	cr_assert(eq(long, send(host, &packet, sizeof(header) + size, 0),
		(long)(sizeof(header) + size)));
	uplink.loop.ready(&uplink.loop, EPOLLIN);
}

Test(frame_link, frames_of_all_sizes_come_in_whole)
{
	static const uint32_t sizes[] = {
		14, 60, 1514, 2047, 2048, 2049, 9014, 65535, 14, 65549, 65550, 60};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		send_from_host((struct virtio_net_hdr){0}, sizes[i]);
		cr_assert(eq(uint, seen.frames, i + 1), "size %u", sizes[i]);
		cr_assert(eq(uint, seen.size, sizes[i]));
		cr_assert(
			zero(int, memcmp(seen.bytes, packet.bytes, sizes[i])), "size %u", sizes[i]);
		cr_assert(not(seen.offload.needs_checksum || seen.offload.checksum_valid));
	}
}

Test(frame_link, headers_are_understood)
{
	send_from_host((struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_DATA_VALID}, 100);
	cr_assert(seen.offload.checksum_valid && !seen.offload.segment_size);
	send_from_host((struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			       .gso_type = VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN,
			       .gso_size = 1440,
			       .csum_start = 54,
			       .csum_offset = 16},
		30000);
	cr_assert(seen.offload.needs_checksum && !seen.offload.checksum_valid);
	cr_assert(eq(uint, seen.offload.checksum_start, 54));
	cr_assert(eq(uint, seen.offload.checksum_offset, 16));
	cr_assert(eq(uint, seen.offload.segment_size, 1440));
}

Test(frame_link, senseless_frames_are_dropped)
{
	static const struct {
		struct virtio_net_hdr header;
		uint32_t size;
	} bad[] = {
		{{0}, 0},
		{{0}, 13},
		{{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 13, .csum_offset = 16}, 100},
		{{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 83, .csum_offset = 16}, 100},
		{{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			 .csum_start = 0xffff,
			 .csum_offset = 0xffff},
			100},
		{{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4}, 100},
		{{.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 1480}, 100},
		{{.gso_type = 0x77, .gso_size = 1480}, 100},
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		send_from_host(bad[i].header, bad[i].size);
	cr_assert(eq(uint, seen.frames, 0));
	cr_assert(eq(ulong, uplink.netif.counters.rx_errors, sizeof(bad) / sizeof(bad[0])));
	send_from_host((struct virtio_net_hdr){0}, 60);
	cr_assert(eq(uint, seen.frames, 1));
}

/* What the stack sends: @pieces times a piece of its own block. */
static void transmit(unsigned pieces, const struct netif_offload *offload)
{
	struct netbuf_queue frame = {0};

	for (unsigned i = 0; i < pieces; i++) {
		struct netbuf_queue piece = {0};
		unsigned char bytes[100];

		memset(bytes, (int)i + 1, sizeof(bytes));
		cr_assert(zero(int, netbuf_append(&piece, bytes, sizeof(bytes))));
		netbuf_move(&frame, &piece);
	}
	uplink.netif.ops->transmit(&uplink.netif, &frame, offload);
	cr_assert(eq(uint, frame.size, 0));
}

static long receive_at_host(void)
{
	return recv(host, &packet, sizeof(packet), 0) - (long)sizeof(packet.header);
}

Test(frame_link, sends_with_header)
{
	const struct netif_offload offload = {.needs_checksum = true,
		.checksum_start = 34,
		.checksum_offset = 16,
		.segment_size = 1460};

	transmit(3, NULL);
	cr_assert(eq(long, receive_at_host(), 300));
	cr_assert(zero(int, packet.header.flags | packet.header.gso_type));
	cr_assert(packet.bytes[0] == 1 && packet.bytes[100] == 2 && packet.bytes[299] == 3);
	transmit(10, &offload);
	cr_assert(eq(long, receive_at_host(), 1000));
	cr_assert(eq(int, packet.header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM));
	cr_assert(eq(int, packet.header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4));
	cr_assert(eq(int, packet.header.gso_size, 1460));
	cr_assert(packet.header.csum_start == 34 && packet.header.csum_offset == 16);
	/* More pieces than one call takes. */
	transmit(200, NULL);
	cr_assert(eq(long, receive_at_host(), 20000));
	for (unsigned i = 0; i < 20000; i++)
		cr_assert(eq(int, packet.bytes[i], (unsigned char)(i / 100 + 1)));
}

Test(frame_link, frames_wait_for_the_host_and_are_bounded)
{
	unsigned arrived = 0;
	uint64_t sent;

	for (unsigned i = 0; i < 3 * FRAME_LINK_QUEUE_FRAMES; i++)
		transmit(2, NULL);
	cr_assert(eq(uint, uplink.waiting_frames, FRAME_LINK_QUEUE_FRAMES));
	cr_assert(gt(ulong, uplink.netif.counters.tx_dropped, 0));
	cr_assert(eq(uint, uplink.loop.events, EPOLLIN | EPOLLOUT));
	for (unsigned i = 0; i < 400; i++)
		transmit(200, NULL); /* 20,000 bytes each */
	cr_assert(le(uint, uplink.waiting_bytes, FRAME_LINK_QUEUE_BYTES));
	while (uplink.waiting_frames) {
		while (receive_at_host() > 0)
			arrived++;
		uplink.loop.ready(&uplink.loop, EPOLLOUT);
	}
	while (receive_at_host() > 0)
		arrived++;
	sent = uplink.netif.counters.tx_dropped + arrived;
	cr_assert(eq(ulong, sent, 3 * FRAME_LINK_QUEUE_FRAMES + 400));
	cr_assert(not(uplink.loop.events & EPOLLOUT));
	cr_assert(eq(uint, uplink.waiting_bytes, 0));
}

Test(frame_link, the_host_goes_away)
{
	close(host);
	host = -1;
	transmit(1, NULL);
	cr_assert(eq(ulong, uplink.netif.counters.tx_errors, 1));
}
