/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_CONTROL_H
#define SENTRY_SENTRY_CONTROL_H

#include <stdint.h>

#include "sentry/kernel.h"

/*
 * The socket between the launcher and the Sentry: SOCK_SEQPACKET, one struct a packet, both of one
 * build. The launcher trusts nothing in what comes back but its form.
 */
enum control_kind {
	CONTROL_SIGNAL, /* launcher -> Sentry: deliver @value to the program */
	CONTROL_WINDOW, /* launcher -> Sentry: the terminal has now rows, columns */
	CONTROL_RESULT, /* Sentry -> launcher: the last word */
};

struct control_message {
	uint32_t kind;
	int32_t value;
	uint16_t rows, columns;
	struct kernel_result result;
};

#endif
