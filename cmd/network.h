/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_NETWORK_H
#define SENTRY_CMD_NETWORK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the command line says of the network: --network, and what goes with an interface. */

enum network_kind {
	NETWORK_UNSAID, /* none, or the gateway where something asks for it */
	NETWORK_NONE,	/* loopback only */
	NETWORK_GATEWAY,
	NETWORK_TAP,	/* frames to and from a TAP interface of the host */
	NETWORK_PACKET, /* frames to and from any Ethernet interface, by a packet socket */
};

struct network_address {
	uint8_t version; /* 0: not given; 4, 6 */
	uint8_t prefix;	 /* in bits; of a lone address its whole length */
	uint8_t bytes[16];
};

struct network_link {
	enum network_kind kind;			   /* as --network says, be it a link or not */
	char interface[IFNAMSIZ];		   /* of the host */
	struct network_address ip4, ip6;	   /* --ip, --ip6 */
	struct network_address gateway4, gateway6; /* --gateway, of either version */
	bool has_hardware;
	uint8_t hardware[6]; /* --mac-address */
};

/*
 * Each takes the value of one option, and returns NULL, or what is wrong with it in words that go
 * on from "--option: 'value' ". Nothing of @text is kept.
 */
const char *network_parse(const char *text, enum network_kind *kind, struct network_link *link);
const char *network_parse_ip(const char *text, struct network_link *link);
const char *network_parse_ip6(const char *text, struct network_link *link);
const char *network_parse_gateway(const char *text, struct network_link *link);
const char *network_parse_hardware(const char *text, struct network_link *link);

static inline bool network_is_link(enum network_kind kind)
{
	return kind == NETWORK_TAP || kind == NETWORK_PACKET;
}

/* Whether the options go together: NULL, or a line that says why not. Once all are read; @dns are
 * the values of --dns. */
const char *network_check(enum network_kind kind, const struct network_link *link,
	const char *const *dns, size_t dns_count);

/* --network's value again. */
#define NETWORK_WORD_SIZE (IFNAMSIZ + 8)
void network_word(
	enum network_kind kind, const struct network_link *link, char word[NETWORK_WORD_SIZE]);

/* resolv.conf(5) of a sandbox with a link or without a network. */
void network_resolv_conf(enum network_kind kind, const char *const *dns, size_t dns_count,
	char *buffer, size_t size);

#endif
