/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_FILTER_H
#define SENTRY_SENTRY_SOCKET_FILTER_H

#include "netstack/netbuf.h"
#include "sentry/socket/socket.h"
#include "sentry/task.h"

/*
 * Packet filters of sockets (socket(7), SO_ATTACH_FILTER): classic BPF over a packet's bytes. A
 * checked program jumps forward only, so it ends after at most as many steps as it has
 * instructions.
 */
struct socket_filter; /* references are owned */

/* @value is the guest's struct sock_fprog. -EINVAL, -EFAULT, -ENOMEM. May sleep. */
int socket_filter_read(
	struct task *task, const void *value, size_t size, struct socket_filter **ret);
void socket_filter_free(struct socket_filter *filter); /* one reference; NULL is fine */
struct socket_filter *socket_filter_ref(struct socket_filter *filter); /* likewise */
/* SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_DETACH_FILTER, SO_LOCK_FILTER. May sleep. */
int socket_filter_option(
	struct socket *socket, struct task *task, int option, const void *value, size_t size);

/* What programs ask the kernel about beside the bytes (SKF_AD_*). */
struct filter_packet {
	struct netbuf_queue *bytes;
	uint32_t start;		 /* where in them the socket's view begins */
	uint32_t network_offset; /* of the IP header in them (SKF_NET_OFF) */
	uint16_t protocol;	 /* EtherType, host order */
	uint8_t type;		 /* PACKET_HOST and relatives */
	uint16_t hardware_type;	 /* ARPHRD_* */
	unsigned interface;
};
/* How many steps a run of it takes at most. NULL takes none. */
size_t socket_filter_steps(const struct socket_filter *filter);
/* How many bytes of the packet the socket gets; 0: it is dropped. NULL takes all. */
uint32_t socket_filter_run(const struct socket_filter *filter, const struct filter_packet *packet);
/* The same for packets, which may be lost: one may be for thousands of sockets, and beyond some
 * million steps in one turn of the kernel's all long programs drop what they are asked about. */
uint32_t socket_filter_packet(
	const struct socket_filter *filter, const struct filter_packet *packet);

#endif
