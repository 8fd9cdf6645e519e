/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bitmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64u

static int grow(struct bitmap *map, size_t needed)
{
	size_t count = map->word_count ? map->word_count : 4;
	uint64_t *words;

	while (count < needed)
		count *= 2;
	words = realloc(map->words, count * sizeof(*words));
	if (!words)
		return -ENOMEM;
	memset(words + map->word_count, 0, (count - map->word_count) * sizeof(*words));
	map->words = words;
	map->word_count = count;
	return 0;
}

int bitmap_set(struct bitmap *map, size_t bit)
{
	size_t word = bit / WORD_BITS;

	if (word >= map->word_count) {
		int err = grow(map, word + 1);

		if (err < 0)
			return err;
	}
	map->words[word] |= 1ull << bit % WORD_BITS;
	return 0;
}

void bitmap_clear(struct bitmap *map, size_t bit)
{
	if (bit / WORD_BITS < map->word_count)
		map->words[bit / WORD_BITS] &= ~(1ull << bit % WORD_BITS);
}

bool bitmap_test(const struct bitmap *map, size_t bit)
{
	return bit / WORD_BITS < map->word_count &&
	       (map->words[bit / WORD_BITS] >> bit % WORD_BITS & 1);
}

/* Lowest bit at or above @from of the map, inverted when @flip is all ones; SIZE_MAX when its words
 * have none. */
static size_t next_bit(const struct bitmap *map, size_t from, uint64_t flip)
{
	size_t word = from / WORD_BITS;
	uint64_t mask = ~0ull << from % WORD_BITS;

	for (; word < map->word_count; word++, mask = ~0ull) {
		uint64_t bits = (map->words[word] ^ flip) & mask;

		if (bits)
			return word * WORD_BITS + (size_t)__builtin_ctzll(bits);
	}
	return SIZE_MAX;
}

size_t bitmap_next_clear(const struct bitmap *map, size_t from)
{
	size_t bit = next_bit(map, from, ~0ull);
	size_t end = map->word_count * WORD_BITS;

	if (bit != SIZE_MAX)
		return bit;
	return from > end ? from : end;
}

size_t bitmap_next_set(const struct bitmap *map, size_t from)
{
	return next_bit(map, from, 0);
}

int bitmap_copy(struct bitmap *ret_map, const struct bitmap *map)
{
	uint64_t *words = NULL;

	if (map->word_count > 0) {
		words = malloc(map->word_count * sizeof(*words));
		if (!words)
			return -ENOMEM;
		memcpy(words, map->words, map->word_count * sizeof(*words));
	}
	*ret_map = (struct bitmap){.words = words, .word_count = map->word_count};
	return 0;
}

void bitmap_fini(struct bitmap *map)
{
	free(map->words);
	*map = (struct bitmap){0};
}
