/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_BITMAP_H
#define SENTRY_BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bitmaps that grow: descriptor tables, process numbers, small identifiers. All zero is an empty
 * one. Bits beyond what was ever set read as clear.
 */
struct bitmap {
	uint64_t *words;
	size_t word_count;
};

int bitmap_set(struct bitmap *map, size_t bit); /* -ENOMEM; never when the bit was set before */
void bitmap_clear(struct bitmap *map, size_t bit);
bool bitmap_test(const struct bitmap *map, size_t bit);
/* Lowest clear bit at or above @from. */
size_t bitmap_next_clear(const struct bitmap *map, size_t from);
/* Lowest set bit at or above @from, SIZE_MAX when there is none. */
size_t bitmap_next_set(const struct bitmap *map, size_t from);
int bitmap_copy(struct bitmap *ret_map, const struct bitmap *map); /* -ENOMEM */
void bitmap_fini(struct bitmap *map);

#endif
