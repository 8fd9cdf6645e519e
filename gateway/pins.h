/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_GATEWAY_PINS_H
#define SENTRY_GATEWAY_PINS_H

#include "gateway/rules.h"

/*
 * Which addresses were answered for which names, in this sandbox: what domain rules hold for. A pin
 * lasts as long as its answer may be kept, within bounds; connections that stand are not affected.
 */
#define GATE_PINS_MAX	  4096u
#define GATE_PIN_LEAST_NS 300000000000ll  /* programs keep addresses longer than they should */
#define GATE_PIN_MOST_NS  3600000000000ll /* though an answer may say a week */

struct gate_pin {
	struct gate_address address;
	int64_t until; /* CLOCK_MONOTONIC, ns */
	char *name;    /* clean, owned */
};

struct gate_pins {
	struct gate_pin *items;
	size_t count, capacity;
};

/* Renews the pin if it is there. When there are too many the one that ends first goes. -ENOMEM. */
int gate_pins_add(struct gate_pins *pins, const struct gate_address *address, const char *name,
	uint32_t ttl, int64_t now);
/* Names that are pinned to @address now, at most @max; borrowed until the next gate_pins_add(). */
size_t gate_pins_find(const struct gate_pins *pins, const struct gate_address *address, int64_t now,
	const char **ret_names, size_t max);
void gate_pins_free(struct gate_pins *pins);

#endif
