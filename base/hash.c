/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash tables with chaining: at most one node a bucket on average, doubled when exceeded.
 * SipHash-2-4 as in Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
 */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"

#define BUCKETS_MIN 16u

static uint64_t rotate(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

uint64_t siphash(const void *data, size_t size, const uint64_t key[2])
{
	/* The paper's initial constants: "somepseudorandomlygeneratedbytes". */
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull,
		key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull};
	const uint8_t *bytes = data;
	uint64_t word, last = (uint64_t)size << 56;
	size_t i;

	for (i = 0; i + 8 <= size; i += 8) {
		memcpy(&word, bytes + i, 8);
		sip_word(v, le64toh(word));
	}
	for (size_t shift = 0; i < size; i++, shift += 8)
		last |= (uint64_t)bytes[i] << shift;
	sip_word(v, last);
	v[2] ^= 0xff;
	for (int round = 0; round < 4; round++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static const uint64_t *process_key(void)
{
	static uint64_t key[2];
	static bool drawn;

	if (!drawn) {
		random_bytes(key, sizeof(key));
		drawn = true;
	}
	return key;
}

uint64_t hash_bytes(const void *data, size_t size)
{
	return siphash(data, size, process_key());
}

uint64_t hash_u64(uint64_t value)
{
	return siphash(&value, sizeof(value), process_key());
}

uint64_t hash_u64_pair(uint64_t a, uint64_t b)
{
	uint64_t values[2] = {a, b};

	return siphash(values, sizeof(values), process_key());
}

static size_t bucket_of(const struct hash_table *table, uint64_t hash)
{
	return hash & (table->bucket_count - 1);
}

static int resize(struct hash_table *table, size_t bucket_count)
{
	struct hash_entry **buckets = calloc(bucket_count, sizeof(struct hash_entry *));
	struct hash_entry **old = table->buckets;
	size_t old_count = table->bucket_count;

	if (!buckets)
		return -ENOMEM;
	table->buckets = buckets;
	table->bucket_count = bucket_count;
	for (size_t i = 0; i < old_count; i++) {
		struct hash_entry *node = old[i];

		while (node) {
			struct hash_entry *next = node->next;
			size_t bucket = bucket_of(table, node->hash);

			node->next = buckets[bucket];
			buckets[bucket] = node;
			node = next;
		}
	}
	free(old);
	return 0;
}

int hash_insert(struct hash_table *table, struct hash_entry *node, uint64_t hash)
{
	size_t bucket;

	if (table->count >= table->bucket_count) {
		int err =
			resize(table, table->bucket_count ? table->bucket_count * 2 : BUCKETS_MIN);

		if (err < 0 && table->bucket_count == 0)
			return err;
	}
	bucket = bucket_of(table, hash);
	node->hash = hash;
	node->next = table->buckets[bucket];
	table->buckets[bucket] = node;
	table->count++;
	return 0;
}

void hash_remove(struct hash_table *table, struct hash_entry *node)
{
	struct hash_entry **link;

	sentry_assert(table->bucket_count > 0);
	link = &table->buckets[bucket_of(table, node->hash)];
	while (*link != node) {
		sentry_assert(*link);
		link = &(*link)->next;
	}
	*link = node->next;
	node->next = NULL;
	table->count--;
}

void hash_fini(struct hash_table *table)
{
	free(table->buckets);
	*table = (struct hash_table){0};
}

struct hash_entry *hash_find(const struct hash_table *table, uint64_t hash)
{
	struct hash_entry *node;

	if (table->bucket_count == 0)
		return NULL;
	node = table->buckets[bucket_of(table, hash)];
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct hash_entry *hash_find_next(const struct hash_entry *node)
{
	uint64_t hash = node->hash;

	do {
		node = node->next;
	} while (node && node->hash != hash);
	return (struct hash_entry *)node;
}

static struct hash_entry *first_from(const struct hash_table *table, size_t bucket)
{
	for (; bucket < table->bucket_count; bucket++) {
		if (table->buckets[bucket])
			return table->buckets[bucket];
	}
	return NULL;
}

struct hash_entry *hash_first(const struct hash_table *table)
{
	return first_from(table, 0);
}

struct hash_entry *hash_next(const struct hash_table *table, const struct hash_entry *node)
{
	if (node->next)
		return node->next;
	return first_from(table, bucket_of(table, node->hash) + 1);
}
