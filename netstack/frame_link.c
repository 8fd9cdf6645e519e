/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames in and out of a host descriptor.
 *
 * Reading: the head of each frame is read into a block of the stack's buffers, what does not fit
 * there into a spare buffer, from where it is copied. Which of the two is roomy follows the frame
 * before: streams bring 64 KiB at a time and are read in place, all else is small and should not
 * keep 64 KiB alive.
 *
 * Writing: straight to the host, a frame a call, from where the bytes are. While the host takes no
 * more, frames wait in a queue with an end; behind it they are lost, which is what TCP slows down
 * by.
 *
 * The header before each frame (virtio 1.2, section 5.1.6) is the host kernel's word on what it
 * left out: a checksum, the cutting into segments. The bytes behind it may be anybody's, so that
 * its offsets are checked against the frame, and a frame for which they make no sense is dropped.
 */
#include "netstack/frame_link.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "base/checked.h"
#include "base/log.h"
#include "netstack/inet.h"

#define ETHERNET_HEADER 14u
#define SMALL_ROOM	2048u
#define VECTORS_MAX	64

/* One frame that the host did not take yet. */
struct waiting_frame {
	struct list_head link;
	struct virtio_net_hdr header;
	struct netbuf_queue bytes;
};

static struct frame_link *link_of(struct netif *netif)
{
	return container_of(netif, struct frame_link, netif);
}

/* ---- out ------------------------------------------------------------------------------------- */

static bool is_ipv6(struct netbuf_queue *frame)
{
	uint8_t type[2];

	if (frame->size < ETHERNET_HEADER)
		return false;
	netbuf_peek(frame, 12, type, 2);
	return type[0] == 0x86 && type[1] == 0xdd;
}

/* Where the payload of the TCP segment begins: the host wants to know how much goes before each
 * piece. */
static uint16_t header_size(struct netbuf_queue *frame, const struct netif_offload *offload)
{
	uint8_t words;

	if (offload->checksum_start + 12u >= frame->size)
		return 0;
	netbuf_peek(frame, offload->checksum_start + 12u, &words, 1);
	return (uint16_t)(offload->checksum_start + (words >> 4) * 4u);
}

static void make_header(struct netbuf_queue *frame, const struct netif_offload *offload,
	struct virtio_net_hdr *header)
{
	*header = (struct virtio_net_hdr){0};
	if (!offload)
		return;
	if (offload->needs_checksum) {
		header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header->csum_start = offload->checksum_start;
		header->csum_offset = offload->checksum_offset;
	}
	if (!offload->segment_size)
		return;
	header->gso_type = is_ipv6(frame) ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	header->gso_size = offload->segment_size;
	header->hdr_len = header_size(frame, offload);
}

/* The netbufs of @frame as vectors behind the header's; 0 when they are too many. */
static int fill_vectors(struct netbuf_queue *frame, struct iovec *vectors)
{
	int count = 0;

	for (struct netbuf *buf = frame->first; buf; buf = buf->next) {
		unsigned char *bytes = buf->block->bytes + buf->offset;

		if (!buf->size)
			continue;
		/* Segments that were joined lie one behind the other mostly. */
		if (count > 0 &&
			(unsigned char *)vectors[count - 1].iov_base + vectors[count - 1].iov_len ==
				bytes) {
			vectors[count - 1].iov_len += buf->size;
			continue;
		}
		if (count == VECTORS_MAX)
			return 0;
		vectors[count++] = (struct iovec){bytes, buf->size};
	}
	return count;
}

/* @frame in few pieces. */
static int flatten(struct netbuf_queue *frame)
{
	struct netbuf_queue flat = {0};
	struct netbuf *buf;

	for (buf = frame->first; buf; buf = buf->next) {
		if (netbuf_append(&flat, buf->block->bytes + buf->offset, buf->size) < 0) {
			netbuf_queue_clear(&flat);
			return -ENOMEM;
		}
	}
	netbuf_queue_clear(frame);
	netbuf_move(frame, &flat);
	return 0;
}

/* 0, -EAGAIN, or what the host said. */
static int write_frame(
	struct frame_link *link, const struct virtio_net_hdr *header, struct netbuf_queue *frame)
{
	struct iovec vectors[1 + VECTORS_MAX] = {{(void *)header, sizeof(*header)}};
	int count = fill_vectors(frame, vectors + 1);
	ssize_t n;

	if (count == 0 && flatten(frame) == 0)
		count = fill_vectors(frame, vectors + 1);
	if (count == 0)
		return -ENOMEM;
	/* No position: writev(2), by the call that is on our list. */
	n = pwritev2(link->loop.fd, vectors, 1 + count, -1, 0);
	return n < 0 ? -errno : 0;
}

static void count_sent(struct frame_link *link, int result, uint32_t size)
{
	struct netif_counters *counters = &link->netif.counters;

	if (result == 0) {
		counters->tx_packets++;
		counters->tx_bytes += size;
	} else if (result == -ENOBUFS || result == -ENOMEM) {
		counters->tx_dropped++; /* some queue of the host's is full */
	} else {
		counters->tx_errors++; /* EIO, ENETDOWN: the host's interface is down */
	}
}

static void drop_first_waiting(struct frame_link *link)
{
	struct waiting_frame *first = list_first(&link->waiting, struct waiting_frame, link);

	link->waiting_bytes -= first->bytes.size;
	link->waiting_frames--;
	list_remove(&first->link);
	netbuf_queue_clear(&first->bytes);
	free(first);
}

static void wait_for_host(
	struct frame_link *link, const struct virtio_net_hdr *header, struct netbuf_queue *frame)
{
	struct waiting_frame *waiting = NULL;

	if (link->waiting_bytes + frame->size <= FRAME_LINK_QUEUE_BYTES &&
		link->waiting_frames < FRAME_LINK_QUEUE_FRAMES)
		waiting = malloc(sizeof(*waiting));
	if (!waiting) {
		link->netif.counters.tx_dropped++;
		netbuf_queue_clear(frame);
		return;
	}
	*waiting = (struct waiting_frame){.header = *header};
	link->waiting_bytes += frame->size;
	link->waiting_frames++;
	netbuf_move(&waiting->bytes, frame);
	list_add_tail(&waiting->link, &link->waiting);
	(void)loop_fd_modify(&link->loop, EPOLLIN | EPOLLOUT);
}

static void transmit(
	struct netif *netif, struct netbuf_queue *frame, const struct netif_offload *offload)
{
	struct frame_link *link = link_of(netif);
	struct virtio_net_hdr header;
	uint32_t size = frame->size;
	int r = -EAGAIN;

	if (size > FRAME_SIZE_MAX || link->broken) {
		netif->counters.tx_errors++;
		netbuf_queue_clear(frame);
		return;
	}
	make_header(frame, offload, &header);
	if (list_empty(&link->waiting))
		r = write_frame(link, &header, frame);
	if (r == -EAGAIN) {
		wait_for_host(link, &header, frame);
		return;
	}
	count_sent(link, r, size);
	netbuf_queue_clear(frame);
}

static void send_waiting(struct frame_link *link)
{
	while (!list_empty(&link->waiting)) {
		struct waiting_frame *first =
			list_first(&link->waiting, struct waiting_frame, link);
		int r = write_frame(link, &first->header, &first->bytes);

		if (r == -EAGAIN)
			return;
		count_sent(link, r, first->bytes.size);
		drop_first_waiting(link);
	}
	(void)loop_fd_modify(&link->loop, EPOLLIN);
}

/* ---- in -------------------------------------------------------------------------------------- */

/* False: the header does not go with a frame of @size bytes. */
static bool read_header(
	const struct virtio_net_hdr *header, uint32_t size, struct netif_offload *ret)
{
	struct netif_offload offload = {0};

	if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (header->csum_start < ETHERNET_HEADER ||
			(uint32_t)header->csum_start + header->csum_offset + 2 > size)
			return false;
		offload.needs_checksum = true;
		offload.checksum_start = header->csum_start;
		offload.checksum_offset = header->csum_offset;
	}
	offload.checksum_valid = header->flags & VIRTIO_NET_HDR_F_DATA_VALID;
	switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		if (!header->gso_size)
			return false;
		offload.segment_size = header->gso_size;
		break;
	default:
		return false; /* nobody offered to take these */
	}
	*ret = offload;
	return true;
}

/* One frame into @frame. Its size, 0 when it was dropped, or what the host said. */
static ssize_t read_frame(
	struct frame_link *link, struct netbuf_queue *frame, struct netif_offload *offload)
{
	static unsigned char spare[FRAME_SIZE_MAX];
	struct virtio_net_hdr header;
	struct iovec vectors[3] = {{&header, sizeof(header)}};
	size_t room, size;
	ssize_t n;

	if (netbuf_reserve(frame, link->expect_large ? NETBLOCK_SIZE_MAX : SMALL_ROOM,
		    &vectors[1].iov_base, &room) < 0) {
		/* Lost, but read: else it would come again at once. */
		vectors[1].iov_base = spare;
		room = 0;
	}
	vectors[1].iov_len = room;
	vectors[2] = (struct iovec){spare, sizeof(spare)};
	n = preadv2(link->loop.fd, vectors, 3, -1, 0);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -EPIPE;
	size = (size_t)n - min_of((size_t)n, sizeof(header));
	link->expect_large = size > SMALL_ROOM;
	if (room == 0 || size < ETHERNET_HEADER || !read_header(&header, (uint32_t)size, offload)) {
		link->netif.counters.rx_dropped += room == 0;
		link->netif.counters.rx_errors += room != 0;
		return 0;
	}
	netbuf_commit(frame, min_of(size, room));
	if (size > room && netbuf_append(frame, spare, size - room) < 0) {
		link->netif.counters.rx_dropped++;
		return 0;
	}
	return (ssize_t)size;
}

/* The host's interface was taken away; the guest sees a cable that was pulled. */
static void lose_carrier(struct frame_link *link, int error)
{
	log_warning("the link %s is gone: %s", link->netif.name, strerror(-error));
	link->broken = true;
	link->netif.flags &= ~NETIF_RUNNING;
	while (!list_empty(&link->waiting))
		drop_first_waiting(link);
	loop_fd_remove(&link->loop);
}

static void receive(struct frame_link *link)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < FRAME_LINK_TURN_FRAMES && bytes < FRAME_LINK_TURN_BYTES; i++) {
		struct netbuf_queue frame = {0};
		struct netif_offload offload = {0};
		ssize_t size = read_frame(link, &frame, &offload);

		if (size > 0 && link->netif.flags & NETIF_UP) {
			bytes += (uint32_t)size;
			netif_receive(&link->netif, &frame, &offload);
		}
		netbuf_queue_clear(&frame);
		/* ENETDOWN: a packet socket's interface went down, and may come up again. */
		if (size == -EAGAIN || size == -EINTR || size == -ENETDOWN)
			return;
		if (size < 0) {
			lose_carrier(link, (int)size);
			return;
		}
	}
}

static void ready(struct loop_fd *loop, uint32_t events)
{
	struct frame_link *link = container_of(loop, struct frame_link, loop);

	if (events & EPOLLOUT)
		send_waiting(link);
	if (events & ~(uint32_t)EPOLLOUT)
		receive(link);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static const struct netif_ops frame_link_ops = {
	.transmit = transmit,
};

int frame_link_start(struct netstack *stack, struct frame_link *link)
{
	int r;

	link->netif.ops = &frame_link_ops;
	link->netif.type = NETIF_ETHERNET;
	link->netif.flags |= NETIF_RUNNING | NETIF_TX_CHECKSUM | NETIF_TX_SEGMENTS;
	link->loop.events = EPOLLIN;
	link->loop.ready = ready;
	list_init(&link->waiting);
	r = netif_add(stack, &link->netif);
	if (r < 0)
		return r;
	r = loop_fd_add(&link->loop);
	if (r < 0)
		netif_remove(&link->netif);
	return r;
}

void frame_link_stop(struct frame_link *link)
{
	if (!link->broken)
		loop_fd_remove(&link->loop);
	netif_remove(&link->netif);
	while (!list_empty(&link->waiting))
		drop_first_waiting(link);
}
