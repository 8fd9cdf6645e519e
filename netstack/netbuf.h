/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_NETBUF_H
#define SENTRY_NETSTACK_NETBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/refcount.h"

/*
 * Bytes in flight. A *block* holds bytes that are written once and never change afterwards; a
 * *netbuf* is a run of bytes within a block; a queue is a chain of netbufs. What is sent,
 * retransmitted and received refers to the same blocks: over the loopback link a byte is copied
 * into a block by the sender's call and out of it by the receiver's.
 *
 * Invariants:
 * - Bytes of a block below `used` are immutable. Only the queue that made the block appends to it,
 *   and only behind `used`, so the slices that others took of it stay what they were.
 * - A netbuf is never empty. The sum of a queue's netbufs is its `size`.
 * - A slice that would keep much more memory alive than it has bytes is copied when it is queued
 *   for a reader (netbuf_move_compact), so that a queue's memory is bounded by its size.
 *
 * Functions that allocate return -ENOMEM and leave their queues as they were.
 */
struct netbuf_queue;

struct netblock {
	struct refcount refs;
	const struct netbuf_queue *owner; /* who may append; compared, never followed */
	uint32_t capacity, used;
	unsigned char bytes[];
};

struct netbuf {
	struct netbuf *next;
	struct netblock *block;
	uint32_t offset, size;
};

/* All zero is an empty queue. */
struct netbuf_queue {
	struct netbuf *first, *last;
	uint32_t size; /* bytes */
	/* Where the last look-up by offset ended, so that reading on is not a walk from the start.
	 */
	struct netbuf *hint;
	uint32_t hint_offset;
};

#define NETBLOCK_SIZE_MAX (64u << 10)
#define NETBUF_MEMORY_MAX (128u << 20) /* all blocks of the sandbox: -ENOMEM beyond it */
#define NETBLOCK_SIZE_MIN 1024u

/*
 * Room for up to @size more bytes at the end of @queue: in the last block when it has some, else in
 * a new one. *@ret_size (at least 1) bytes may be written at *@ret_room; netbuf_commit() then takes
 * the first of them into the queue. Uncommitted room may be abandoned; it is good until the next
 * call on the queue, so who sleeps while he fills it does so in a queue of his own.
 */
int netbuf_reserve(struct netbuf_queue *queue, size_t size, void **ret_room, size_t *ret_size);
void netbuf_commit(struct netbuf_queue *queue, size_t size);

/* Copies @size bytes to the end. All or nothing. */
int netbuf_append(struct netbuf_queue *queue, const void *data, size_t size);

/* Bytes [@offset, @offset + @size) of @queue, appended to @ret_slice by reference. They must be
 * there. @queue is changed in its hint alone. */
int netbuf_slice(
	struct netbuf_queue *queue, uint32_t offset, uint32_t size, struct netbuf_queue *ret_slice);

/* Copies bytes out; they must be there and stay in the queue. */
void netbuf_peek(struct netbuf_queue *queue, uint32_t offset, void *buffer, uint32_t size);

/* Where the bytes at @offset are; *@ret_size of them are in a row. */
const void *netbuf_at(struct netbuf_queue *queue, uint32_t offset, uint32_t *ret_size);

/* Removes @size bytes (at most all) from the front or the end. */
void netbuf_drop(struct netbuf_queue *queue, uint32_t size);
void netbuf_truncate(struct netbuf_queue *queue, uint32_t size);

/* Moves everything of @from to the end of @to; @from is empty afterwards. */
void netbuf_move(struct netbuf_queue *to, struct netbuf_queue *from);

/*
 * netbuf_move() for a queue whose reader may be slow: small runs in large blocks are copied, so
 * that @to keeps at most four times its size alive, and a small constant. Where memory is short
 * they are moved as they are.
 */
void netbuf_move_compact(struct netbuf_queue *to, struct netbuf_queue *from);

void netbuf_queue_clear(struct netbuf_queue *queue);

#endif
