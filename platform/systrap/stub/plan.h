/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_STUB_PLAN_H
#define SENTRY_SYSTRAP_STUB_PLAN_H

#include "platform/systrap/stub/stub.h"

/*
 * Copies the input buffers that the call's marshalling plan names into the data area. Best effort:
 * what cannot be read, or does not fit, is left to the Sentry, which asks for it and then meets the
 * fault itself. Returns how many. @mc: the call's frame, or none; only with it the frame of
 * rt_sigreturn travels along.
 */
uint32_t stub_prefetch(struct channel_slot *slot, uint32_t nr, const uint64_t args[6],
	const struct stub_sigcontext *mc);

/*
 * The same for a call whose only input is so small that it fits into argument words that the call
 * does not have: puts it there. Returns the head's `spare`; 0: there is no such input.
 */
uint8_t stub_prefetch_spare(uint32_t nr, uint64_t args[6]);

#endif
