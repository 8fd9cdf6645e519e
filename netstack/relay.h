/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_RELAY_H
#define SENTRY_NETSTACK_RELAY_H

#include "netstack/inet.h"

/*
 * The driver of an interface at whose other end there is no network but somebody who carries flows
 * on in his own way (the gateway): each TCP connection and each pair of UDP names that leaves by it
 * ends here, under the name that it was meant for. Nothing is serialised on the way.
 *
 * A SYN is answered when the owner has opened the flow, and until then not at all; so the program
 * in the guest sees what connect(2) came to at the far end.
 *
 * The owner's callbacks may call everything in here. A flow's memory is good until the outermost
 * call into this file returns.
 */
struct relay;
struct relay_flow;

#define RELAY_FLOWS_MAX	    8192u
#define RELAY_DATAGRAMS_MAX 32u	       /* that wait for a flow to be opened */
#define RELAY_WAITING_MAX   (4u << 20) /* bytes of these, in all flows */

#define RELAY_CONNECTED 0x01u /* an inward flow: the program has accepted */
#define RELAY_READABLE	0x02u /* bytes from the guest in flow->tcp, or their end */
#define RELAY_WRITABLE	0x04u /* room for bytes to it */

struct relay_ops {
	/* A new flow from the guest: to be answered, now or later, by relay_accept() or
	 * relay_refuse(). */
	void (*open)(struct relay_flow *flow);
	/* RELAY_*; a stream that is open. */
	void (*changed)(struct relay_flow *flow, uint32_t events);
	/* Takes @data. */
	void (*datagram)(struct relay_flow *flow, struct netbuf_queue *data);
	/* The guest, or the protocol, has broken it off: the last call. A positive errno. After an
	 * orderly end on both sides the owner still has bytes to take, and lets go by himself. */
	void (*gone)(struct relay_flow *flow, int error);
};

struct relay_flow {
	struct hash_entry node;
	struct list_head list;
	struct relay *relay;
	uint8_t protocol;
	bool opened, inward, dead;
	struct inet_name guest, remote;
	void *owner; /* NULL: has let go of it */
	/* TCP */
	struct tcp tcp;
	struct timer timer;
	struct tcp_segment syn;
	/* UDP: what came before it was open */
	struct list_head waiting;
	unsigned waiting_count;
};

struct relay {
	struct netif netif; /* the caller sets name and mtu */
	const struct relay_ops *ops;
	struct inet_address own4, own6; /* its end of the link: inward flows come from there */
	struct netbuf_queue echo;	/* the answer to a ping, on its way */
	struct timer echo_timer;
	struct hash_table flows;
	struct list_head all, dead;
	unsigned flow_count, depth;
	size_t waiting_bytes;
	bool taking;
	uint16_t last_port;
	uint64_t isn_key[2];
};

#define RELAY_ECHO_MAX 65535u
/* relay_echo.c: what is serialised. */
void relay_transmit(
	struct netif *netif, struct netbuf_queue *frame, const struct netif_offload *offload);
void relay_echo_init(struct relay *relay);

/* Adds the interface, down. The caller's @relay outlives it. */
int relay_start(struct netstack *stack, struct relay *relay);
/* Every flow is reset. */
void relay_reset_all(struct relay *relay, int error);

void relay_accept(struct relay_flow *flow);
/* @error: positive errno that connect(2) is to return. The flow is gone, without ops->gone. */
void relay_refuse(struct relay_flow *flow, int error);
/* A flow to the guest's @to. -ENOMEM, -ENOBUFS. For TCP ops->changed says when it is connected; for
 * UDP it is. */
int relay_connect(struct relay *relay, uint8_t protocol, const struct inet_name *to, void *owner,
	struct relay_flow **ret);
/* After calls of tcp.h on flow->tcp. */
void relay_push(struct relay_flow *flow);
/* One datagram to the guest; consumed. */
void relay_send(struct relay_flow *flow, struct netbuf_queue *data);
/* The owner lets go: in order, or with a reset (@error: what a connected UDP socket hears). */
void relay_close(struct relay_flow *flow);
void relay_abort(struct relay_flow *flow, int error);

#endif
