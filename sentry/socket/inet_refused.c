/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Destinations that there is no way to, in the audit stream: a program that has no network mostly
 * says only that something failed. Each one once, and so many; the gateway tells its own refusals.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/hash.h"
#include "base/log.h"
#include "gateway/rules.h"
#include "sentry/socket/inet_socket.h"

#define TOLD_MAX 64u

static uint64_t told[TOLD_MAX];
static unsigned told_count;

static bool is_news(uint64_t hash)
{
	for (unsigned i = 0; i < told_count; i++)
		if (told[i] == hash)
			return false;
	if (told_count == TOLD_MAX)
		return false;
	told[told_count++] = hash;
	return true;
}

void inet_tell_unreachable(const struct inet_socket *socket, const struct inet_name *to)
{
	bool stream = socket->base.type == LX_SOCK_STREAM;
	char text[GATE_NAME_TEXT], allow[GATE_NAME_TEXT + 64];
	struct gate_name name = {.port = to->port};

	if (inet_is_multicast(&to->address) ||
		!is_news(hash_u64_bytes((uint64_t)stream << 16 | to->port, to->address.bytes,
			sizeof(to->address.bytes))))
		return;
	memcpy(name.address.bytes, to->address.bytes, sizeof(name.address.bytes));
	gate_name_write(&name, text);
	(void)snprintf(allow, sizeof(allow),
		gate_is_v4(&name.address) ? "--allow-egress '%s:%.*s/32:%u'"
					  : "--allow-egress '%s:%.*s:%u'",
		stream ? "tcp" : "udp", (int)(strrchr(text, ':') - text), text, to->port);
	audit_event("denied", "what", "network", "protocol", stream ? "tcp" : "udp", "to", text,
		"rule", "there is no way there (--network)", "allow", allow, NULL);
}
