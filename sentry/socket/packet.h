/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_PACKET_H
#define SENTRY_SENTRY_SOCKET_PACKET_H

#include "sentry/socket/filter.h"
#include "sentry/socket/netlink.h"
#include "sentry/socket/socket.h"

/*
 * AF_PACKET (packet(7)), private to sentry/socket/packet*.c and those who show sockets: frames of
 * interfaces as they are, in and out. A socket that wants any is a tap of its network's stack; as
 * long as there is none, nothing on the loopback link is ever made into a frame.
 */
struct packet_ring; /* packet_ring.c */

struct packet_name {		   /* struct sockaddr_ll */
	uint16_t family, protocol; /* network order */
	int32_t index;
	uint16_t hardware_type;
	uint8_t type, address_size, address[8];
};

struct packet_frame {
	struct list_head link;
	struct packet_name from;
	struct netbuf_queue data;
	uint32_t size;	     /* of the whole frame */
	uint32_t network;    /* where the network's header begins in it */
	uint32_t status;     /* LX_TP_STATUS_* */
	int64_t received_at; /* CLOCK_REALTIME, ns */
};

#define LX_TP_STATUS_USER	  0x1u
#define LX_TP_STATUS_LOSING	  0x4u
#define LX_TP_STATUS_CSUMNOTREADY 0x8u
#define LX_TP_STATUS_CSUM_VALID	  0x80u

#define PACKET_MEMBERS_MAX 32

struct packet_socket {
	struct socket base;    /* first */
	struct list_head link; /* all of them */
	struct netif_tap tap;
	bool tapped;
	uint16_t protocol; /* EtherType, host order; 0: none is wanted */
	unsigned index;	   /* of the interface; 0: all */
	struct list_head frames;
	uint32_t queued;
	uint32_t seen, dropped; /* since PACKET_STATISTICS was asked */
	bool losing;
	bool want_auxdata, original_device, ignore_outgoing;
	int want_stamp; /* 0, LX_SO_TIMESTAMP or LX_SO_TIMESTAMPNS */
	struct packet_member {
		unsigned index;
		uint16_t type;
		uint32_t count;
	} members[PACKET_MEMBERS_MAX];
	int version; /* of the ring's headers: TPACKET_V1 = 0, V2 = 1 */
	unsigned reserve;
	struct packet_ring *ring; /* owned, or NULL */
};

static inline struct packet_socket *packet_of(struct socket *base)
{
	return container_of(base, struct packet_socket, base);
}

const struct packet_socket *packet_next(const struct packet_socket *socket);
int packet_diag_fill(
	struct netlink_socket *asker, struct nl_dump *dump, struct nl_builder *builder);

/* packet_ring.c: PACKET_RX_RING (kernel Documentation/networking/packet_mmap.rst). */
/* @value is a struct tpacket_req. -EINVAL, -EBUSY (mapped), -ENOMEM. May sleep. */
int packet_ring_set(
	struct packet_socket *socket, struct task *task, const void *value, size_t size);
void packet_ring_free(struct packet_ring *ring);
/* Writes @frame into the ring; false: the reader has left no room. */
bool packet_ring_put(struct packet_socket *socket, struct packet_frame *frame);
/* Something is there that the reader has not given back. */
bool packet_ring_is_readable(const struct packet_ring *ring);
int packet_ring_map(struct packet_ring *ring, struct file_map *map);

#endif
