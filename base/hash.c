/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash tables with chaining: at most one node a bucket on average, doubled when exceeded.
 * SipHash-2-4 as in Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). The tables
 * use its form with one round for each word and three at the end, as several languages' tables do:
 * what must be kept from guests there is which names share a bucket, not the key for ever.
 */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"

#define BUCKETS_MIN 16u

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static inline void sip_round(struct sip *sip)
{
	sip->v0 += sip->v1;
	sip->v2 += sip->v3;
	sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
	sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
	sip->v0 = rotate(sip->v0, 32);
	sip->v2 += sip->v1;
	sip->v0 += sip->v3;
	sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
	sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
	sip->v2 = rotate(sip->v2, 32);
}

static inline void sip_begin(struct sip *sip, const uint64_t key[2])
{
	/* The paper's initial constants: "somepseudorandomlygeneratedbytes". */
	sip->v0 = key[0] ^ 0x736f6d6570736575ull;
	sip->v1 = key[1] ^ 0x646f72616e646f6dull;
	sip->v2 = key[0] ^ 0x6c7967656e657261ull;
	sip->v3 = key[1] ^ 0x7465646279746573ull;
}

static inline void sip_word(struct sip *sip, uint64_t word, int rounds)
{
	sip->v3 ^= word;
	for (int i = 0; i < rounds; i++)
		sip_round(sip);
	sip->v0 ^= word;
}

/* @total: of all that was hashed, the words before @data included. */
static inline uint64_t sip_end(
	struct sip *sip, const uint8_t *data, size_t size, size_t total, int rounds, int end_rounds)
{
	uint64_t word, last = (uint64_t)total << 56;

	for (; size >= 8; size -= 8, data += 8) {
		memcpy(&word, data, 8);
		sip_word(sip, le64toh(word), rounds);
	}
	if (size & 4) {
		uint32_t half;

		memcpy(&half, data, 4);
		last |= (uint64_t)le32toh(half);
	}
	for (size_t i = size & 4; i < size; i++)
		last |= (uint64_t)data[i] << (8 * i);
	sip_word(sip, last, rounds);
	sip->v2 ^= 0xff;
	for (int i = 0; i < end_rounds; i++)
		sip_round(sip);
	return sip->v0 ^ sip->v1 ^ sip->v2 ^ sip->v3;
}

uint64_t siphash(const void *data, size_t size, const uint64_t key[2])
{
	struct sip sip;

	sip_begin(&sip, key);
	return sip_end(&sip, data, size, size, 2, 4);
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
	struct sip sip;

	sip_begin(&sip, process_key());
	return sip_end(&sip, data, size, size, 1, 3);
}

uint64_t hash_u64_bytes(uint64_t value, const void *data, size_t size)
{
	struct sip sip;

	sip_begin(&sip, process_key());
	sip_word(&sip, value, 1);
	return sip_end(&sip, data, size, size + sizeof(value), 1, 3);
}

uint64_t hash_u64(uint64_t value)
{
	return hash_u64_bytes(value, NULL, 0);
}

uint64_t hash_u64_pair(uint64_t a, uint64_t b)
{
	return hash_u64_bytes(a, &b, sizeof(b));
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
