/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes messages between Sentry and gateway: what passes is a message that the side may send. */
#include <stdlib.h>

#include "gateway/wire.h"

#define require(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gate_message message;
	unsigned fds;

	if (size < 1)
		return 0;
	fds = data[0] & 3;
	if (gate_message_check(data + 1, size - 1, fds, GATE_BY_SENTRY, &message) == 0)
		require(!fds && (message.kind == GATE_RESET ||
					(message.kind == GATE_OPEN && !(message.id & 1) &&
						message.to_port && message.protocol)));
	if (gate_message_check(data + 1, size - 1, fds, GATE_BY_GATEWAY, &message) == 0)
		require(message.kind != GATE_OPEN &&
			fds == (message.kind == GATE_OPENED || message.kind == GATE_INCOMING));
	return 0;
}
