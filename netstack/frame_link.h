/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_FRAME_LINK_H
#define SENTRY_NETSTACK_FRAME_LINK_H

#include "base/loop.h"
#include "netstack/netif.h"

/*
 * The driver of an Ethernet interface whose frames go through a host descriptor that keeps them
 * apart: one read or write is one frame, with a struct virtio_net_hdr before it (a TAP with
 * IFF_VNET_HDR, a packet socket with PACKET_VNET_HDR; the tests' socket pair).
 */

/* What waits for the host to take it; more is dropped, as by a device's queue. */
#define FRAME_LINK_QUEUE_BYTES	(1u << 20)
#define FRAME_LINK_QUEUE_FRAMES 1024u
/* What is taken in one turn of the loop, so that guests have theirs. */
#define FRAME_LINK_TURN_FRAMES 64u
#define FRAME_LINK_TURN_BYTES  (512u << 10)

#define FRAME_SIZE_MAX 65550u /* the largest IP packet and its Ethernet header, with a tag */

struct frame_link {
	struct netif netif;  /* the caller sets what netif_add() says but ops, driver and type */
	struct loop_fd loop; /* .fd is the caller's, non-blocking */
	struct list_head waiting;
	uint32_t waiting_bytes, waiting_frames;
	bool broken; /* the host's end is gone for good */
	bool expect_large;
};

/*
 * Adds the interface to @stack, down, and watches its descriptor. The caller's @link outlives it.
 * Errors of netif_add() and loop_fd_add().
 */
int frame_link_start(struct netstack *stack, struct frame_link *link);

/* Undoes it. */
void frame_link_stop(struct frame_link *link);

#endif
