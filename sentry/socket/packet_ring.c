/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PACKET_RX_RING of packet sockets, versions 1 and 2 (kernel
 * Documentation/networking/packet_mmap.rst): frames are written into memory that the reader has
 * mapped, each into a slot with a header whose status word says whose it is.
 *
 * The memory is a file of our tmpfs, written with pwritev2(2) and never mapped by us. The status
 * that the reader left is looked at with preadv2(2) and means no more than "free or not": what else
 * he writes harms only himself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "abi/fcntl.h"
#include "abi/mman.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/socket/packet.h"

#define RING_SIZE_MAX  (64u << 20)
#define FRAME_SIZE_MAX (512u << 10)
#define ALIGNMENT      16u /* TPACKET_ALIGNMENT */
#define PAGE	       4096u
#define ETHERNET_ROOM  16u /* a link's header has at least that */

struct ring_request { /* struct tpacket_req */
	uint32_t block_size, block_count, frame_size, frame_count;
};

struct packet_ring {
	struct ring_request shape;
	struct file *file; /* owned: the memory */
	int host_fd;	   /* borrowed of it */
	uint32_t head;	   /* the next slot to be written */
	bool mapped;
	uint8_t *slot; /* owned: one slot's bytes, before they are written */
};

/* struct tpacket_hdr, whose first word is a long, and struct tpacket2_hdr */
struct header1 {
	uint64_t status;
	uint32_t size, snapped;
	uint16_t mac, network;
	uint32_t seconds, microseconds, pad;
};
struct header2 {
	uint32_t status, size, snapped;
	uint16_t mac, network;
	uint32_t seconds, nanoseconds;
	uint16_t vlan, vlan_protocol;
	uint32_t pad;
};
_Static_assert(sizeof(struct header1) == 32 && sizeof(struct header2) == 32, "tpacket headers");

static uint32_t aligned(uint32_t size)
{
	return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static off_t slot_offset(const struct packet_ring *ring, uint32_t index)
{
	uint32_t per_block = ring->shape.block_size / ring->shape.frame_size;

	return (off_t)(index / per_block) * ring->shape.block_size +
	       (off_t)(index % per_block) * ring->shape.frame_size;
}

static bool slot_is_free(const struct packet_ring *ring, uint32_t index)
{
	uint32_t status = 0;
	struct iovec iov = {&status, sizeof(status)};

	return preadv2(ring->host_fd, &iov, 1, slot_offset(ring, index), 0) ==
		       (ssize_t)sizeof(status) &&
	       !(status & LX_TP_STATUS_USER);
}

bool packet_ring_is_readable(const struct packet_ring *ring)
{
	uint32_t count = ring->shape.frame_count;

	return !slot_is_free(ring, (ring->head + count - 1) % count);
}

/* Where the network's header goes: behind ours, the name and the link's. */
static uint32_t network_place(const struct packet_socket *socket)
{
	return aligned(aligned(sizeof(struct header2)) + sizeof(struct packet_name) +
		       ETHERNET_ROOM) +
	       socket->reserve;
}

static void write_header(const struct packet_socket *socket, const struct packet_frame *frame,
	uint32_t mac, uint32_t network, uint32_t snapped)
{
	uint32_t status = frame->status | (socket->losing ? LX_TP_STATUS_LOSING : 0);
	uint32_t seconds = (uint32_t)(frame->received_at / 1000000000);
	uint32_t nanoseconds = (uint32_t)(frame->received_at % 1000000000);
	struct header1 one = {.status = status,
		.size = frame->size,
		.snapped = snapped,
		.mac = (uint16_t)mac,
		.network = (uint16_t)network,
		.seconds = seconds,
		.microseconds = nanoseconds / 1000};
	struct header2 two = {.status = status,
		.size = frame->size,
		.snapped = snapped,
		.mac = (uint16_t)mac,
		.network = (uint16_t)network,
		.seconds = seconds,
		.nanoseconds = nanoseconds};
	uint8_t *slot = socket->ring->slot;

	if (socket->version == 0)
		memcpy(slot, &one, sizeof(one));
	else
		memcpy(slot, &two, sizeof(two));
	memcpy(slot + aligned(sizeof(two)), &frame->from, sizeof(frame->from));
}

/* @size bytes from @offset of the slot on to where the slot's place is, @at. */
static bool write_at(const struct packet_ring *ring, size_t offset, size_t size, off_t at)
{
	struct iovec iov = {ring->slot + offset, size};

	return pwritev2(ring->host_fd, &iov, 1, at + (off_t)offset, 0) == (ssize_t)size;
}

bool packet_ring_put(struct packet_socket *socket, struct packet_frame *frame)
{
	struct packet_ring *ring = socket->ring;
	uint32_t network = network_place(socket), mac = network - frame->network, snapped;
	off_t at = slot_offset(ring, ring->head);

	if (!slot_is_free(ring, ring->head))
		return false;
	snapped = min_of(frame->data.size, ring->shape.frame_size - mac);
	memset(ring->slot, 0, mac);
	write_header(socket, frame, mac, network, snapped);
	netbuf_peek(&frame->data, 0, ring->slot + mac, snapped);
	/* The status goes last: the reader may be looking at it. */
	if (!write_at(ring, sizeof(uint32_t), mac + snapped - sizeof(uint32_t), at) ||
		!write_at(ring, 0, sizeof(uint32_t), at))
		return false;
	socket->losing = false;
	ring->head = (ring->head + 1) % ring->shape.frame_count;
	return true;
}

/* ---- making and mapping ---------------------------------------------------------------------- */

/* packet_set_ring() */
static int check(const struct packet_socket *socket, const struct ring_request *shape)
{
	uint32_t per_block;

	if (shape->block_count == 0)
		return shape->frame_count ? -EINVAL : 0;
	if ((int32_t)shape->block_size <= 0 || shape->block_size % PAGE ||
		shape->frame_size < network_place(socket) || shape->frame_size % ALIGNMENT ||
		shape->frame_size > FRAME_SIZE_MAX)
		return -EINVAL;
	per_block = shape->block_size / shape->frame_size;
	if (per_block == 0 || (uint64_t)per_block * shape->block_count != shape->frame_count)
		return -EINVAL;
	return (uint64_t)shape->block_size * shape->block_count > RING_SIZE_MAX ? -ENOMEM : 0;
}

static int make_memory(struct packet_ring *ring, struct task *task, uint64_t size)
{
	struct iattr attr = {.valid = IATTR_SIZE, .size = size};
	struct file_map map = {.size = size, .prot = LX_PROT_READ | LX_PROT_WRITE, .shared = true};
	struct super_block *sb;
	struct inode *inode;
	int err = tmpfs_internal(&sb);

	err = err < 0 ? err : tmpfs_new_file(sb, 0600, task->cred, &inode);
	if (err < 0)
		return err;
	err = inode->ops->setattr(inode, &attr);
	err = err < 0 ? err : file_open_kernel(inode, "packet ring", LX_O_RDWR, &ring->file);
	inode_unref(inode);
	err = err < 0 ? err : ring->file->ops->map(ring->file, &map);
	if (err == 0)
		ring->host_fd = map.host_fd;
	return err;
}

void packet_ring_free(struct packet_ring *ring)
{
	if (!ring)
		return;
	if (ring->file)
		file_unref(ring->file);
	free(ring->slot);
	free(ring);
}

int packet_ring_set(struct packet_socket *socket, struct task *task, const void *value, size_t size)
{
	struct ring_request shape;
	struct packet_ring *ring = NULL;
	int err;

	if (size < sizeof(shape))
		return -EINVAL;
	memcpy(&shape, value, sizeof(shape));
	if (socket->ring && (socket->ring->mapped || shape.block_count))
		return -EBUSY;
	err = check(socket, &shape);
	if (err < 0)
		return err;
	if (shape.block_count) {
		ring = calloc(1, sizeof(*ring));
		if (!ring)
			return -ENOMEM;
		ring->shape = shape;
		ring->slot = malloc(shape.frame_size);
		err = ring->slot ? make_memory(ring, task,
					   (uint64_t)shape.block_size * shape.block_count)
				 : -ENOMEM;
		if (err < 0) {
			packet_ring_free(ring);
			return err;
		}
	}
	/* Making it may have slept. */
	if (socket->ring && ring) {
		packet_ring_free(ring);
		return -EBUSY;
	}
	packet_ring_free(socket->ring);
	socket->ring = ring;
	return 0;
}

int packet_ring_map(struct packet_ring *ring, struct file_map *map)
{
	/* packet_mmap(): all of it, from the start. */
	if (map->offset != 0 ||
		map->size != (uint64_t)ring->shape.block_size * ring->shape.block_count)
		return -EINVAL;
	ring->mapped = true;
	return ring->file->ops->map(ring->file, map);
}
