/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

static void drop(struct gate_pins *pins, size_t at)
{
	free(pins->items[at].name);
	pins->items[at] = pins->items[--pins->count];
}

/* Makes room: what ended, or else what ends first. */
static void evict(struct gate_pins *pins, int64_t now)
{
	size_t first = 0;

	for (size_t i = pins->count; i-- > 0;)
		if (pins->items[i].until <= now)
			drop(pins, i);
	if (pins->count < GATE_PINS_MAX)
		return;
	for (size_t i = 1; i < pins->count; i++)
		if (pins->items[i].until < pins->items[first].until)
			first = i;
	drop(pins, first);
}

static int grow(struct gate_pins *pins)
{
	size_t capacity = pins->capacity ? pins->capacity * 2 : 64;
	struct gate_pin *items;

	if (pins->count < pins->capacity)
		return 0;
	items = reallocarray(pins->items, capacity, sizeof(*items));
	if (!items)
		return -ENOMEM;
	pins->items = items;
	pins->capacity = capacity;
	return 0;
}

int gate_pins_add(struct gate_pins *pins, const struct gate_address *address, const char *name,
	uint32_t ttl, int64_t now)
{
	int64_t lasts =
		min_of(max_of((int64_t)ttl * 1000000000, GATE_PIN_LEAST_NS), GATE_PIN_MOST_NS);
	char *copy;
	int err;

	for (size_t i = 0; i < pins->count; i++) {
		struct gate_pin *pin = &pins->items[i];

		if (gate_same(&pin->address, address) && strcmp(pin->name, name) == 0) {
			pin->until = max_of(pin->until, now + lasts);
			return 0;
		}
	}
	if (pins->count >= GATE_PINS_MAX)
		evict(pins, now);
	err = grow(pins);
	copy = err < 0 ? NULL : strdup(name);
	if (!copy)
		return -ENOMEM;
	pins->items[pins->count++] = (struct gate_pin){*address, now + lasts, copy};
	return 0;
}

size_t gate_pins_find(const struct gate_pins *pins, const struct gate_address *address, int64_t now,
	const char **ret_names, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < pins->count && count < max; i++)
		if (pins->items[i].until > now && gate_same(&pins->items[i].address, address))
			ret_names[count++] = pins->items[i].name;
	return count;
}

void gate_pins_free(struct gate_pins *pins)
{
	for (size_t i = 0; i < pins->count; i++)
		free(pins->items[i].name);
	free(pins->items);
	*pins = (struct gate_pins){0};
}
