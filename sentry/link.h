/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_LINK_H
#define SENTRY_SENTRY_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "netstack/inet.h"

/*
 * The sandbox's link to a network of the host: a descriptor of Ethernet frames that the launcher
 * opened, and what the interface over it is configured with before the program starts.
 */
struct link_address {
	bool given;
	uint8_t prefix; /* in bits of the address's own version */
	struct inet_address address;
};

struct link_config {
	int fd;			  /* non-blocking, with virtio headers; -1: no link */
	char host_name[IFNAMSIZ]; /* of the interface on the host, for messages */
	uint8_t hardware[6];	  /* of ours */
	uint32_t mtu;
	struct link_address ip4, ip6, gateway4, gateway6;
};

#define LINK_NAME "eth0" /* what the guest sees it as */

/* Makes the interface in the first network namespace, and uses config->fd, which stays the
 * caller's, from then on. -ENOMEM... */
int link_start(const struct link_config *config);

/*
 * The last task is gone: waits until what closed connections had to send has arrived, as the host's
 * kernel goes on sending for a process that has ended; not for ever. On a fiber.
 */
void link_flush(void);

#endif
