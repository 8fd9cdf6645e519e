/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_GATEWAY_TLS_H
#define SENTRY_GATEWAY_TLS_H

#include "gateway/rules.h"

/* The most of a client's first bytes that is looked at: one record (RFC 8446 section 5.1). */
#define GATE_TLS_RECORD_MAX (5u + 16384u)

enum gate_tls {
	GATE_TLS_MORE,	   /* the beginning of a record that is not there in full */
	GATE_TLS_NONE,	   /* no TLS */
	GATE_TLS_NAMED,	   /* a ClientHello with a server's name */
	GATE_TLS_NAMELESS, /* one without */
	GATE_TLS_BROKEN,   /* neither: a hello in pieces, a name twice, lengths that do not fit */
};

/*
 * What a TCP client says first, @size bytes of it. @ret_name is the server name (RFC 6066 section
 * 3), clean as of gate_name_clean(), when GATE_TLS_NAMED is returned.
 */
enum gate_tls gate_tls_look(const uint8_t *data, size_t size, char ret_name[GATE_DOMAIN_MAX]);

#endif
