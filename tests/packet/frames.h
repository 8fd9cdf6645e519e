/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_PACKET_FRAMES_H
#define SENTRY_TESTS_PACKET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netstack/address.h"

/* Frames as words, both ways: the language is in docs/packet-scripts.md. */

#define FRAME_MAX 70000u

/* What both ways know of the test. */
struct frame_context {
	bool ethernet;
	uint8_t own[6], peer[6];
	uint32_t own_iss, peer_iss; /* sequence numbers are relative to these */
	bool own_iss_known;
};

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t size;
	bool checksum_valid, needs_checksum;
	size_t checksum_start, checksum_offset;
	uint16_t segment_size;
};

/* An address, or with "/N" the prefix, too. False: it is none. */
bool frame_address(const char *text, struct inet_address *ret, unsigned *ret_prefix);

/* NULL, or what is wrong with @words. */
const char *frame_build(
	struct frame_context *context, char **words, unsigned count, struct frame *ret);

/* The words that frame_build() would take. */
void frame_describe(
	struct frame_context *context, const struct frame *frame, char *text, size_t size);

#endif
