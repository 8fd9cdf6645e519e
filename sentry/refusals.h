/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_REFUSALS_H
#define SENTRY_SENTRY_REFUSALS_H

#include <stdint.h>

/*
 * Leaves an audit line when a call failed with @error (negative errno) and asked for something that
 * nobody here knows: flags, commands, requests of ioctl(2), socket options. Each once. Without an
 * audit stream it does nothing.
 */
void refusal_audit(uint64_t nr, const uint64_t args[6], int64_t error);

#endif
