/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_GATEWAY_GATEWAY_H
#define SENTRY_GATEWAY_GATEWAY_H

#include <stddef.h>

#include "base/host_call.h"
#include "gateway/publish.h"
#include "gateway/rules.h"

/*
 * The gateway (docs/gateway.md): a process of its own that holds all sockets of the host's network
 * and asks the rules before it uses one. The Sentry talks to it over a pair (gateway/wire.h) and is
 * believed nothing.
 */
#define GATE_SERVERS_MAX 8u

struct gateway_config {
	struct gate_rules rules; /* borrowed, as is all else */
	const struct gate_publish *publish;
	size_t publish_count;
	struct gate_name servers[GATE_SERVERS_MAX]; /* that names are asked of */
	unsigned server_count;
	int control_fd; /* our end of the pair with the Sentry */
	int listeners[GATE_PUBLISH_MAX];
};

/* The addresses on the link between guest and gateway. */
#define GATE_GUEST_V4	    "10.0.2.15"
#define GATE_OWN_V4	    "10.0.2.2" /* the name server, too */
#define GATE_LINK_PREFIX_V4 24u
#define GATE_GUEST_V6	    "fd73:656e:7472:7900::f"
#define GATE_OWN_V6	    "fd73:656e:7472:7900::2"
#define GATE_LINK_PREFIX_V6 64u
#define GATE_LINK_MTU	    65520u
#define GATE_LINK_NAME	    "eth0"

/* Opens the sockets of published ports: config->listeners. -errno, with one line in @why. */
int gateway_listen(struct gateway_config *config, char *why, size_t why_size);
/* All but @config's name servers: those of a resolv.conf(5). Unreadable ones are left out. */
void gateway_read_servers(const char *file, struct gateway_config *config);
/* No files, signals or abstract sockets (Landlock), limits, and the calls of gateway_calls alone.
 * -errno, with what failed in *ret_why. Privileges and descriptors are the caller's. */
int gateway_confine(const struct gateway_config *config, const char **ret_why);
/* After it: serves until the Sentry is gone. Returns an exit status. */
int gateway_run(const struct gateway_config *config);

/* What it may ask of the host. */
#define GATEWAY_ALWAYS	  1u
#define GATEWAY_PUBLISH	  2u /* with -p alone */
#define GATEWAY_PWAIT2	  4u
#define GATEWAY_OLD_PWAIT 8u
#define GATEWAY_SANITIZER 16u
extern const struct host_call gateway_calls[];
extern const size_t gateway_call_count;

#endif
