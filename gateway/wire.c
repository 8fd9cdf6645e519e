/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/wire.h"

#include <errno.h>
#include <string.h>

#define ERRNO_MAX 4095

_Static_assert(sizeof(struct gate_message) == 56, "no padding");

/* By kind: who may say it, and what goes with it. */
static const struct {
	bool known, by_sentry, by_gateway, has_names, has_fd, has_error;
} kinds[GATE_KIND_COUNT] = {
	[GATE_OPEN] = {.known = true, .by_sentry = true, .has_names = true},
	[GATE_OPENED] = {.known = true, .by_gateway = true, .has_fd = true},
	[GATE_REFUSED] = {.known = true, .by_gateway = true, .has_error = true},
	[GATE_RESET] = {.known = true, .by_sentry = true, .by_gateway = true, .has_error = true},
	[GATE_INCOMING] = {.known = true, .by_gateway = true, .has_names = true, .has_fd = true},
};

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool names_are_sound(const struct gate_message *message, bool wanted)
{
	if (!wanted)
		return !message->protocol && !message->from_port && !message->to_port &&
		       is_zero(message->from, 16) && is_zero(message->to, 16);
	return (message->protocol == GATE_TCP || message->protocol == GATE_UDP) && message->to_port;
}

int gate_message_check(const void *data, size_t size, unsigned fd_count, enum gate_side side,
	struct gate_message *ret)
{
	struct gate_message message;

	if (size != sizeof(message))
		return -EPROTO;
	memcpy(&message, data, sizeof(message));
	if (message.kind >= GATE_KIND_COUNT || !kinds[message.kind].known)
		return -EPROTO;
	if (!(side == GATE_BY_SENTRY ? kinds[message.kind].by_sentry
				     : kinds[message.kind].by_gateway) ||
		fd_count != kinds[message.kind].has_fd)
		return -EPROTO;
	/* Who begins has his own half of the numbers. */
	if ((message.kind == GATE_OPEN || message.kind == GATE_OPENED ||
		    message.kind == GATE_REFUSED)
			? message.id & 1
			: message.kind == GATE_INCOMING && !(message.id & 1))
		return -EPROTO;
	if (message.error < 0 || message.error > ERRNO_MAX ||
		(message.error && !kinds[message.kind].has_error) ||
		(message.kind == GATE_REFUSED && !message.error))
		return -EPROTO;
	if (!names_are_sound(&message, kinds[message.kind].has_names) ||
		!is_zero(message.reserved, sizeof(message.reserved)) ||
		!is_zero(message.reserved2, sizeof(message.reserved2)))
		return -EPROTO;
	*ret = message;
	return 0;
}
