/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_GATEWAY_PUBLISH_H
#define SENTRY_GATEWAY_PUBLISH_H

#include "gateway/rules.h"

/* A port of the host that leads to one of the guest (-p). */
struct gate_publish {
	bool any; /* no address given: all of the host's */
	struct gate_address address;
	uint16_t host, guest;
	uint8_t protocol; /* GATE_TCP, GATE_UDP */
};

#define GATE_PUBLISH_MAX 256u

/*
 * [IP:]HOST:GUEST[/tcp|/udp], IPv6 in brackets; HOST and GUEST are ports or ranges of equally many
 * (8000-8010). The first pair of ports, and how many there are from there on: the others count up
 * on both sides. -EINVAL with what is wrong in @why.
 */
int gate_publish_parse(const char *text, struct gate_publish *ret, unsigned *ret_count, char *why,
	size_t why_size);

/* A name server: ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT. -EINVAL. */
int gate_server_parse(const char *text, struct gate_name *ret);

#endif
