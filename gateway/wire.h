/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_GATEWAY_WIRE_H
#define SENTRY_GATEWAY_WIRE_H

#include "gateway/rules.h"

/*
 * What the Sentry and the gateway say to each other: one struct a packet of a SOCK_SEQPACKET pair,
 * all fields in the host's order, both of one build. Neither believes the other: what does not
 * pass gate_message_check() ends the conversation, and ids are looked up.
 *
 *	Sentry -> gateway               gateway -> Sentry
 *	OPEN id protocol from to        OPENED id, and a socket
 *	                                REFUSED id error
 *	                                INCOMING id protocol from port, and a socket
 *	RESET id                        RESET id error
 *
 * A flow's bytes go over a pair of local sockets of its own, which the gateway makes: a stream for
 * TCP, datagrams with bounds (SOCK_SEQPACKET) for UDP. So the host's kernel does the back-pressure,
 * and shutdown(2) is half of a close. Closing the socket ends the flow; who ends it by a reset says
 * so before he closes, so that whoever sees the end of the stream looks here first.
 *
 * Ids are chosen by whoever begins: the Sentry's are even, the gateway's odd. One is free again
 * when both have closed, which nobody waits for: they count up.
 */
enum gate_kind {
	GATE_OPEN = 1,
	GATE_OPENED,
	GATE_REFUSED,
	GATE_RESET,
	GATE_INCOMING,
	GATE_KIND_COUNT,
};

struct gate_message {
	uint32_t kind, id;
	int32_t error; /* positive errno, 0: none */
	uint16_t from_port, to_port;
	uint8_t protocol, reserved[3];
	uint8_t from[16], to[16]; /* as struct gate_address */
	uint8_t reserved2[4];
};

enum gate_side { GATE_BY_SENTRY, GATE_BY_GATEWAY };

/* Whether @size bytes at @data, with @fd_count descriptors, are a message that @side may send;
 * copies them to *@ret. -EPROTO. */
int gate_message_check(const void *data, size_t size, unsigned fd_count, enum gate_side side,
	struct gate_message *ret);

#define GATE_FLOWS_MAX	  4096u
#define GATE_DATAGRAM_MAX 65507u

#endif
