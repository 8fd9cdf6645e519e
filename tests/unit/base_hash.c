/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/hash.h"
#include "base/random.h"

/* Vectors of the SipHash paper's appendix A and reference implementation: key 00..0f, message
 * 00..n-1. */
Test(hash, siphash_vectors)
{
	static const struct {
		size_t size;
		uint64_t hash;
	} cases[] = {
		{0, 0x726fdb47dd0e0e31ull},
		{1, 0x74f839c593dc67fdull},
		{8, 0x93f5f5799a932462ull},
		{15, 0xa129ca6149be45e5ull},
	};
	static const uint64_t key[2] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
	uint8_t message[16];

	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	for (size_t i = 0; i < array_size(cases); i++)
		cr_expect_eq(siphash(message, cases[i].size, key), cases[i].hash, "size %zu",
			cases[i].size);
}

struct item {
	struct hash_entry node;
	unsigned value;
};

static struct item *find(const struct hash_table *table, unsigned value)
{
	struct item *item;

	hash_for_each_match(item, table, hash_u64(value), node)
	{
		if (item->value == value)
			return item;
	}
	return NULL;
}

Test(hash, holds_what_was_inserted)
{
	struct hash_table table = {0};
	struct item *items = calloc(1000, sizeof(*items)), *item;
	unsigned sum = 0;

	cr_assert_null(find(&table, 1));
	for (unsigned i = 0; i < 1000; i++) {
		items[i].value = i;
		cr_assert_eq(hash_insert(&table, &items[i].node, hash_u64(i)), 0);
	}
	for (unsigned i = 0; i < 1000; i += 2)
		hash_remove(&table, &items[i].node);
	cr_assert_eq(table.count, 500);
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(find(&table, i), i % 2 ? &items[i] : NULL);
	hash_for_each_entry (item, &table, node)
		sum += item->value;
	cr_assert_eq(sum, 250000);
	hash_fini(&table);
	free(items);
}

Test(hash, same_hash_different_nodes)
{
	struct hash_table table = {0};
	struct item items[3] = {{.value = 0}, {.value = 1}, {.value = 2}}, *item;
	unsigned seen = 0;

	hash_insert(&table, &items[0].node, 7);
	hash_insert(&table, &items[1].node, 7);
	hash_insert(&table, &items[2].node, 7 + 16);
	hash_for_each_match(item, &table, 7, node) seen |= 1u << item->value;
	cr_assert_eq(seen, 3);
	hash_fini(&table);
}

Test(random, differs_and_stays_in_bounds)
{
	uint8_t a[600], b[600];

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	cr_assert(memcmp(a, b, sizeof(a)) != 0);
	cr_assert_neq(random_u64(), random_u64());
	for (int i = 0; i < 1000; i++)
		cr_assert_lt(random_below(3), 3);
	cr_assert_eq(random_below(1), 0);
}
