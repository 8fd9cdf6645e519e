/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_HASH_H
#define SENTRY_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/*
 * Intrusive hash tables.
 *
 * Keys that a guest chose (names, addresses, numbers) are hashed with SipHash under a key drawn at
 *start, so that nobody can choose keys that meet in one bucket. The table knows hashes only; the
 *caller compares:
 *
 *	uint64_t hash = hash_bytes(name, length);
 *	hash_for_each_match(entry, &table, hash, node)
 *		if (entry->length == length && !memcmp(entry->name, name, length))
 *			return entry;
 */
struct hash_entry {
	struct hash_entry *next;
	uint64_t hash;
};

/* All zero is an empty table: it allocates at the first insertion. */
struct hash_table {
	struct hash_entry **buckets;
	size_t count;
	size_t bucket_count; /* 0 or a power of two */
};

uint64_t hash_bytes(const void *data, size_t size);
uint64_t hash_u64(uint64_t value);
/* Of a value and bytes, say a directory and a name in it. */
uint64_t hash_u64_bytes(uint64_t value, const void *data, size_t size);
/* Of two values, say an object's number and another: (a, b) and (b, a) differ. */
uint64_t hash_u64_pair(uint64_t a, uint64_t b);

/* Does not look for duplicates. -ENOMEM only for the first bucket array; later a table that cannot
 * grow gets slower. */
int hash_insert(struct hash_table *table, struct hash_entry *node, uint64_t hash);
/* @node must be in @table. */
void hash_remove(struct hash_table *table, struct hash_entry *node);
/* Frees the bucket array. The nodes are the caller's. */
void hash_fini(struct hash_table *table);

/* First node with @hash, and the next one after @node with the same hash; NULL when there is none.
 */
struct hash_entry *hash_find(const struct hash_table *table, uint64_t hash);
struct hash_entry *hash_find_next(const struct hash_entry *node);

/*
 * Every node, in no order: NULL after the last. The table must not change meanwhile; to empty it,
 * take hash_first() until there is none.
 */
struct hash_entry *hash_first(const struct hash_table *table);
struct hash_entry *hash_next(const struct hash_table *table, const struct hash_entry *node);

#define hash_container_or_null(node, type, member)                                                 \
	({                                                                                         \
		struct hash_entry *hash_entry_ = (node);                                           \
		hash_entry_ ? container_of(hash_entry_, type, member) : NULL;                      \
	})

#define hash_for_each_match(pos, table, wanted, member)                                            \
	for (pos = hash_container_or_null(hash_find(table, wanted), __typeof__(*pos), member);     \
		pos; pos = hash_container_or_null(                                                 \
			     hash_find_next(&pos->member), __typeof__(*pos), member))

#define hash_for_each_entry(pos, table, member)                                                    \
	for (pos = hash_container_or_null(hash_first(table), __typeof__(*pos), member); pos;       \
		pos = hash_container_or_null(                                                      \
			hash_next(table, &pos->member), __typeof__(*pos), member))

/* SipHash-2-4 under an explicit key (two little-endian words), for test vectors and for secrets of
 * other uses. */
uint64_t siphash(const void *data, size_t size, const uint64_t key[2]);

#endif
